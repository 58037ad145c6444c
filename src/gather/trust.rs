//! Which certificates the servers that are asked must have, and the secrets that they are shown, from files.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// A secret that only its owner may read, and its group where it is root's. `key` is the one of the config.
pub(crate) fn secret(key: &str, path: &Path) -> Result<String, String> {
    let fault = |why: String| format!("{key} {}: {why}", path.display());
    let about = std::fs::metadata(path).map_err(|error| fault(error.to_string()))?;
    let mode = about.mode() & 0o777;
    let too_much = if about.uid() == 0 { 0o037 } else { 0o077 };
    if mode & too_much != 0 {
        return Err(fault(format!("has mode {mode:04o}, so that others may read it; make it 0600")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
    let secret = text.trim_end_matches(['\n', '\r']).to_owned();
    // RFC 4513 §5.1.2: without a password a bind is anonymous, whatever name it has.
    if secret.is_empty() { Err(fault("is empty".to_owned())) } else { Ok(secret) }
}

/// A TLS client that believes the certificates in the file, and no others.
pub(crate) fn file(path: &Path) -> Result<ClientConfig, String> {
    let fault = |why: String| format!("{}: {why}", path.display());
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| fault(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| fault(error.to_string()))?;
        roots.add(certificate).map_err(|error| fault(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(fault("has no certificate".to_owned()));
    }
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// A TLS client that believes the certificates of the system.
pub(crate) fn system() -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or_else(|| "none is there".to_owned(), ToString::to_string);
        return Err(format!("the system's certificates: {why}; install ca-certificates"));
    }
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

//! Export files: each appears whole or not at all, with its manifest beside it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::text::hex;

/// A file that gets its name when it is complete; dropped before that, it is gone.
pub struct NewFile {
    path: PathBuf,
    temporary: PathBuf,
    out: BufWriter<File>,
    hash: Sha256,
}

/// What an exported file is, for its receiver.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "docs/log.md explains each to people")]
pub struct Manifest<'a> {
    pub file: &'a str,
    pub sha256: &'a str,
    pub rows: u64,
    pub left_out: Vec<String>,
    pub unused: Vec<String>,
    pub format: &'a str,
    pub profile: &'a str,
    pub masked: &'a BTreeMap<String, u64>,
    pub review: Option<String>,
    pub cells_cut: u64,
    pub protected_left_out: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviewed: Option<Reviewed>,
    pub columns: Vec<&'static str>,
    pub headings: &'a str,
    pub query: serde_json::Value,
    pub purpose: &'a str,
    pub decision: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub request: &'a str,
    pub exported_at: String,
    pub exported_by: &'a crate::store::access::Reader,
    pub access: u64,
    pub proof: String,
    pub public_key: String,
    pub heads: Vec<Option<String>>,
    pub unproved: u64,
    pub organisation: &'a str,
    pub node: &'a str,
    pub config: &'a str,
    pub postvakt: &'a str,
}

/// How people reviewed what is disclosed.
#[derive(Debug, Serialize)]
pub struct Reviewed {
    /// The entry of the access log by which somebody approved it.
    pub approved: u64,
    /// Records of which something is not disclosed, by section of the law.
    pub sections: BTreeMap<String, u64>,
}

/// Where the manifest of an exported file is.
pub fn manifest_path(path: &Path) -> PathBuf {
    beside(path, ".manifest.json")
}

/// The file beside a file whose name goes on so.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

impl NewFile {
    /// Begins the file; an existing one is refused unless `force`.
    pub fn create(path: &Path, force: bool) -> io::Result<Self> {
        if !force && path.try_exists()? {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "the file exists; use --force to replace it",
            ));
        }
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{}.part", std::process::id()));
        let temporary = PathBuf::from(temporary);
        // The log is not for everybody, and neither is what is taken out of it.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        Ok(Self { path: path.into(), temporary, out: BufWriter::new(file), hash: Sha256::new() })
    }

    /// Makes the content durable. The SHA-256 of the file, in hex.
    pub fn seal(&mut self) -> io::Result<String> {
        self.out.flush()?;
        self.out.get_ref().sync_all()?;
        Ok(hex(&self.hash.clone().finalize()))
    }

    /// Gives the file its name.
    pub fn publish(self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.path)?;
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Write for NewFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let written = self.out.write(octets)?;
        self.hash.update(octets.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // After `publish` there is nothing under this name.
        let _ = fs::remove_file(&self.temporary);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_or_absent() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f.csv");
        let mut file = NewFile::create(&path, false).unwrap();
        file.write_all(b"abc").unwrap();
        assert!(!path.exists());
        drop(file);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        let mut file = NewFile::create(&path, false).unwrap();
        file.write_all(b"abc").unwrap();
        assert_eq!(file.seal().unwrap(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        file.publish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"abc");
        assert!(NewFile::create(&path, false).is_err() && NewFile::create(&path, true).is_ok());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}

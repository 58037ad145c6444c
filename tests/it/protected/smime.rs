//! S/MIME: signed, encrypted and packed (RFC 3274), and these in one another.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::*;
use crate::lab::certify;

#[test]
fn smime_by_openssl() {
    let openssl = Openssl::new();
    let signed = ["cms", "-sign", "-nodetach", "-binary", "-signer", "cert.pem", "-inkey", "key.pem"];
    let encrypt = ["cms", "-encrypt", "-binary", "-recip", "cert.pem"];
    for (name, arguments, state, found) in [
        ("signed", &[&signed[..], &["-outform", "DER"]].concat(), "plain", true),
        ("signed-ber", &[&signed[..], &["-outform", "DER", "-stream", "-indef"]].concat(), "plain", true),
        ("signed-pem", &[&signed[..], &["-outform", "PEM"]].concat(), "plain", true),
        ("enveloped", &[&encrypt[..], &["-aes256", "-outform", "DER"]].concat(), "encrypted smime", false),
        (
            "enveloped-ber",
            &[&encrypt[..], &["-aes256", "-outform", "DER", "-stream", "-indef"]].concat(),
            "encrypted smime",
            false,
        ),
        (
            "auth-enveloped",
            &[&encrypt[..], &["-aes-256-gcm", "-outform", "DER"]].concat(),
            "encrypted smime",
            false,
        ),
    ] {
        let made = openssl.make(arguments, "entity.eml");
        check("smime.p7m", &made, state, found);
        // A name that lies, or says nothing, changes nothing.
        check("smime.p7s", &made, state, found);
        println!("{name}: {} octets", made.len());
    }
    // Signed, and then the signed message encrypted; and the other way round.
    let inner = openssl.make(&[&signed[..], &["-outform", "SMIME"]].concat(), "entity.eml");
    fs::write(openssl.directory.path().join("inner.eml"), inner).unwrap();
    let both = openssl.make(&[&encrypt[..], &["-aes256", "-outform", "DER"]].concat(), "inner.eml");
    check("smime.p7m", &both, "encrypted smime", false);
    let inner = openssl.make(&[&encrypt[..], &["-aes256", "-outform", "SMIME"]].concat(), "entity.eml");
    fs::write(openssl.directory.path().join("inner.eml"), inner).unwrap();
    let outer = openssl.make(&[&signed[..], &["-outform", "DER"]].concat(), "inner.eml");
    let found = items("smime.p7m", &outer);
    assert_eq!(found[0].state.as_str(), "plain", "{found:#?}");
    assert!(found.iter().any(|item| item.state.as_str() == "encrypted"), "{found:#?}");
    let certificates =
        openssl.make(&["crl2pkcs7", "-nocrl", "-certfile", "cert.pem", "-outform", "DER"], "entity.eml");
    check("smime.p7c", &certificates, "plain", false);
    // A type of content that nobody knows hides nothing, and neither does an object as the content.
    let typed = [&signed[..], &["-econtent_type", "1.2.3.4", "-outform", "DER"]].concat();
    check("typed.p7m", &openssl.make(&typed, "entity.eml"), "plain", true);
    let der = openssl.make(&[&signed[..], &["-outform", "DER"]].concat(), "entity.eml");
    fs::write(openssl.directory.path().join("inner.der"), der).unwrap();
    let twice = openssl.make(&[&signed[..], &["-outform", "DER"]].concat(), "inner.der");
    check("twice.p7m", &twice, "plain", true);
    fs::write(openssl.directory.path().join("noise"), [0xA5, 0, 1, 2].repeat(99)).unwrap();
    let noise = items("noise.p7m", &openssl.make(&[&signed[..], &["-outform", "DER"]].concat(), "noise"));
    assert_eq!(words(noise[1].state), "uninspectable format", "{noise:#?}");
    let detached = openssl.make(
        &["cms", "-sign", "-binary", "-signer", "cert.pem", "-inkey", "key.pem", "-outform", "DER"],
        "entity.eml",
    );
    check("smime.p7s", &detached, "plain", false);
    let cut = &openssl.make(&[&encrypt[..], &["-aes256", "-outform", "DER"]].concat(), "entity.eml")[..60];
    check("smime.p7m", cut, "uninspectable damaged", false);
}

/// What is packed (RFC 3274) is unpacked, whatever is inside it is in its own state, and how much comes out is bounded.
#[test]
fn smime_that_is_packed() {
    for (name, state, found) in [
        ("packed.p7m", "plain", true),
        ("packed-ber.p7m", "plain", true),
        ("packed-signed.p7m", "plain", true),
        ("packed-signed-bare.p7m", "plain", true),
        ("signed-packed.p7m", "plain", true),
        ("packed-enveloped.p7m", "plain", false),
        ("packed-enveloped-bare.p7m", "encrypted smime", false),
    ] {
        check(name, &document(name), state, found);
    }
    let inside = items("packed-enveloped.p7m", &document("packed-enveloped.p7m"));
    assert!(inside.iter().any(|item| words(item.state) == "encrypted smime"), "{inside:#?}");
    // What comes out after a thousand times its size is not waited for.
    let bomb = packed(&vec![b'0'; 40 << 20]);
    assert!(bomb.len() < 50_000);
    check("bomb.p7m", &bomb, "uninspectable limit", false);
    // Half of the octets that were packed, and some that never were.
    let whole = zlib(format!("Content-Type: text/plain\r\n\r\nPnr {NUMBER}\r\n{:0>999}", 1).as_bytes());
    check("cut.p7m", &compressed(&whole[..whole.len() - 9]), "uninspectable damaged", true);
    check("noise.p7m", &compressed(&[0xA5; 200]), "uninspectable damaged", false);
    // An object in another, as deep as it goes.
    let text = format!("Content-Type: text/plain\r\n\r\nPnr {NUMBER}\r\n");
    let mut nested = packed(text.as_bytes());
    nested = packed(&nested);
    check("nested.p7m", &nested, "plain", true);
    for _ in 0..20 {
        nested = packed(&nested);
    }
    let deep = items("deep.p7m", &nested);
    assert_eq!(words(deep.last().unwrap().state), "uninspectable limit", "{deep:#?}");
}

/// CMS compressed-data that holds this content.
pub(crate) fn packed(content: &[u8]) -> Vec<u8> {
    compressed(&zlib(content))
}

pub(super) fn zlib(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// CMS compressed-data (RFC 3274) around octets that are packed.
fn compressed(octets: &[u8]) -> Vec<u8> {
    let version = der(0x02, &[&[0]]);
    let algorithm = der(0x30, &[b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x03\x08"]);
    let data = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
    let inner = der(0x30, &[data, &der(0xA0, &[&der(0x04, &[octets])])]);
    let kind = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09";
    der(0x30, &[kind, &der(0xA0, &[&der(0x30, &[&version, &algorithm, &inner])])])
}

/// A value with a length of four octets.
fn der(tag: u8, values: &[&[u8]]) -> Vec<u8> {
    let content = values.concat();
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x84], &length[..], &content].concat()
}

/// A key and a certificate, and a MIME entity with the number in it.
pub(super) struct Openssl {
    directory: tempfile::TempDir,
}

impl Openssl {
    pub(super) fn new() -> Self {
        let openssl = Self { directory: tempfile::tempdir().unwrap() };
        certify(openssl.directory.path(), "anna@exempelby.se");
        let entity = format!("Content-Type: text/plain; charset=utf-8\r\n\r\nPnr {NUMBER}\r\n");
        fs::write(openssl.directory.path().join("entity.eml"), entity).unwrap();
        openssl
    }

    pub(super) fn make(&self, arguments: &[&str], from: &str) -> Vec<u8> {
        let mut command = Command::new("openssl");
        command.current_dir(self.directory.path()).args(arguments);
        let input = if arguments[0] == "cms" { vec!["-in", from] } else { Vec::new() };
        command.args(input).args(["-out", "made"]);
        must_run(command, "openssl");
        fs::read(self.directory.path().join("made")).unwrap()
    }
}

//! A receipt is signed where the submission port signs: null sender, our own domain in From.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{CITIZEN, MAILBOX, case, field, rules};
use crate::lab::{Directory, Lab, free_port, until};

/// Verifies the message on standard input with the key in a file, and nothing but that.
const VERIFY: &str = "import dkim, sys
key = open(sys.argv[1], 'rb').read()
sys.exit(0 if dkim.verify(sys.stdin.buffer.read(), dnsfunc=lambda name, timeout=5: key) else 1)";

struct Signer(Child);

impl Drop for Signer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_receipt_is_signed_on_its_way_and_the_signature_holds() {
    let directory = Directory::new();
    let port = free_port();
    let _signer = start(&directory.path, port);
    let lab = Lab::start(&rules(""));
    lab.postfix.add_milter(lab.postfix.ports.reinjection, port);
    let reply = lab.outside().send(CITIZEN, &[MAILBOX], &case("1", ""));
    assert!(reply.starts_with("250 "), "{reply}");
    let receipt = lab.delivered(CITIZEN, 1).remove(0);
    let signature =
        field(&receipt, "DKIM-Signature").unwrap_or_else(|| panic!("not signed:\n{receipt}\n{lab}"));
    assert!(signature.contains("d=exempelby.se"), "{signature}");
    assert!(verifies(&directory.path, &receipt), "{receipt}");
    assert!(!verifies(&directory.path, &receipt.replace("Tack", "Tyv=C3=A4rr")), "a changed text is noticed");
}

/// Starts opendkim on the port, with a key of its own.
fn start(home: &Path, port: u16) -> Signer {
    let make = Command::new("opendkim-genkey")
        .args(["-b", "2048", "-d", "exempelby.se", "-s", "lab", "-D"])
        .arg(home)
        .status();
    assert!(
        make.is_ok_and(|status| status.success()),
        "apt-get install --no-install-recommends opendkim opendkim-tools python3-dkim"
    );
    let conf = format!(
        "Socket inet:{port}@127.0.0.1\nDomain exempelby.se\nSelector lab\nKeyFile {}/lab.private\nMode s\n\
         Canonicalization relaxed/simple\nRequireSafeKeys no\nSyslog no\nBackground no\nUserID root\n",
        home.display()
    );
    fs::write(home.join("opendkim.conf"), conf).unwrap();
    let mut command = Command::new("opendkim");
    command.arg("-f").arg("-x").arg(home.join("opendkim.conf")).stdout(Stdio::null());
    let signer = Signer(command.spawn().unwrap());
    until("the signer's port", &"", || TcpStream::connect(("127.0.0.1", port)).ok());
    // The record as the DNS would have it: `lab.txt` is a line of a zone, its text in quoted pieces.
    let zone = fs::read_to_string(home.join("lab.txt")).unwrap();
    let record: String = zone.split('"').skip(1).step_by(2).collect();
    fs::write(home.join("key"), record).unwrap();
    signer
}

/// Whether the signature of a delivered file holds; what the local delivery put before it is no part of the message.
fn verifies(home: &Path, delivered: &str) -> bool {
    let message = home.join("message");
    fs::write(&message, delivered.replace('\n', "\r\n")).unwrap();
    let stdin = fs::File::open(message).unwrap();
    // The system's own, for that is where python3-dkim is.
    let mut command = Command::new("/usr/bin/python3");
    command.arg("-c").arg(VERIFY).arg(home.join("key")).stdin(stdin);
    command.status().unwrap().success()
}

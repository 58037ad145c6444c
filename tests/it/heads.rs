//! Tree heads away from the host: in a letter that a real Postfix delivers, in the files of a real rsyslog, and what an
//! auditor finds with them alone.

use std::fs;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use postvakt::config::Heads;
use postvakt::metrics::METRICS;
use postvakt::note::{Note, Verifier};
use postvakt::record::RecordId;
use postvakt::store::{Entry, Store};
use rustix::process::Signal;
use serde_json::Value;

use crate::lab::program::PROGRAM;
use crate::lab::rsyslog::Rsyslog;
use crate::lab::{Directory, Lab, Log, message, until};
use crate::store::record;

const FROM: &str = "x@example.org";
const TO: &str = "anna@exempelby.se";
const KEEPER: &str = "arkiv@example.com";

/// What an auditor does: copies of month files, a head from elsewhere, and the public key.
fn verify(key: &str, heads: &Path, files: &[PathBuf]) -> (i32, Value) {
    let mut command = Command::new(PROGRAM);
    command.args(["log", "verify", "--json", "--key", key.trim(), "--heads"]).arg(heads).args(files);
    let output = command.output().unwrap();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

fn months(directory: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.extension().is_some_and(|extension| extension == "db"))
        .filter(|path| path.file_name().is_some_and(|name| name != "access.db"))
        .collect()
}

#[test]
fn a_letter_and_the_systems_log_prove_what_the_log_was() {
    let directory = Directory::new();
    let path = directory.path.clone();
    let syslog = Rsyslog::start(&path, "", "");
    let rules = format!("[store.heads]\nmail = \"{KEEPER}\"\nsyslog = \"{}\"\n", syslog.socket.display());
    let mut lab = Lab::start_in(directory, &rules);
    let reply = lab.outside().send(FROM, &[TO], &message(FROM, TO, "Ansökan om bygglov", ""));
    let id: RecordId = lab.record_of(&reply)["record"].as_str().unwrap().parse().unwrap();

    let letter = lab.delivered(KEEPER, 1).remove(0);
    for words in
        ["\nAuto-Submitted: auto-generated\n", "\nFrom: Exempelby kommun <postmaster@exempelby.se>\n"]
    {
        assert!(letter.contains(words), "{letter}");
    }
    assert!(!letter.contains("X-Postvakt-Id") && !letter.contains("bygglov"), "{letter}");
    let saved = path.join("letter.eml");
    fs::write(&saved, &letter).unwrap();
    let sent = until("the letter's end in the outbox", &lab, || {
        lab.postvakt.receipts(&["list"]).pop().filter(|listed| listed["state"] == "sent")
    });
    assert_eq!((&sent["kind"], &sent["recipient"]), (&"notice".into(), &KEEPER.into()), "{sent}");

    // The system's log is told of each access that names a person, and of no other.
    lab.postvakt.search(&["--recipient", TO]);
    lab.postvakt.search(&["--subject", "bygglov"]);
    let named = format!("{{\"recipient\":\"{TO}\"}}; decision \"test of the log\"");
    until(&named, &syslog.file, || syslog.file.text().contains(&named).then_some(()));
    assert!(!syslog.file.text().contains("bygglov"));

    // A second one within a day would be noise; the system's log has the newer head.
    lab.outside().send(FROM, &[TO], &message(FROM, TO, "Komplettering", ""));
    lab.postvakt.signal(Signal::TERM);
    assert!(lab.postvakt.ended().success());
    let newest = format!("tree head: postvakt/{}/1 | 2 | ", id.node);
    until(&newest, &syslog.file, || syslog.file.text().contains(&newest).then_some(()));
    assert_eq!(lab.postfix.count(KEEPER), 1);
    let line = syslog.file.text().lines().find(|line| line.contains(&newest)).unwrap().to_owned();
    assert!(line.contains(&format!(" postvakt[{}]: tree head: ", lab.postvakt.id())), "{line}");

    let store = path.join("store");
    let key = fs::read_to_string(store.join("heads.pub")).unwrap();
    for (heads, newer) in [(&saved, 1), (&syslog.file.0, 0)] {
        let (code, report) = verify(&key, heads, &months(&store));
        assert_eq!((code, &report["trees"][0]["newer"]), (0, &newer.into()), "{report:#}");
    }

    // Whoever owns the host has its key, and makes a log that agrees with itself and with every head beside it.
    let forged = path.join("forged");
    forge(&forged, &id, &store.join("heads.key"));
    assert_eq!(fs::read_to_string(forged.join("heads.pub")).unwrap(), key);
    assert_eq!(verify(&key, &forged.join("heads"), &months(&forged)).0, 0);
    for heads in [&saved, &syslog.file.0] {
        let (code, report) = verify(&key, heads, &months(&forged));
        assert_eq!((code, &report["result"]), (1, &"tampered".into()), "{report:#}");
        let fault = &report["trees"][0]["faults"][0];
        assert_eq!(fault["record"], id.to_string(), "{report:#}");
    }
}

/// Two other records in the place of those that were stored, signed with the node's own key.
fn forge(directory: &Path, id: &RecordId, key: &Path) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let heads = Heads { key: Some(key.to_owned()), ..Heads::signed_every(Duration::from_mins(5)) };
        let store = Store::open_with(directory, &id.node, heads, std::sync::Arc::new(jiff::Timestamp::now));
        let store = store.unwrap();
        for subject in ["Inget", "Komplettering"] {
            store.commit(entry(subject)).await.unwrap();
        }
        store.close().await;
    });
}

fn entry(subject: &str) -> Entry<'static> {
    Entry::of(record(subject))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_systems_log_that_takes_nothing_keeps_no_record_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let (path, socket) = (directory.path().join("store"), directory.path().join("log.socket"));
    let heads = Heads {
        every: Duration::from_millis(50),
        syslog: Some(socket.clone()),
        ..Heads::signed_every(Duration::from_mins(5))
    };
    let clock = std::sync::Arc::new(jiff::Timestamp::now);
    let store = Store::open_with(&path, "gw1", heads, clock).unwrap();
    let failed = || METRICS.head_copies.with_label_values(&["syslog", "failed"]).get();
    let shown = Log(path.clone());
    // Nobody listens.
    let before = failed();
    store.commit(entry("1")).await.unwrap();
    until("a copy that failed", &shown, || (failed() > before).then_some(()));
    // Somebody does, and reads nothing.
    let listener = UnixDatagram::bind(&socket).unwrap();
    let other = UnixDatagram::unbound().unwrap();
    other.set_nonblocking(true).unwrap();
    let full = loop {
        if let Err(error) = other.send_to(b"<13>something else", &socket) {
            break error;
        }
    };
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    let before = failed();
    store.commit(entry("2")).await.unwrap();
    until("one more", &shown, || (failed() > before).then_some(()));
    // It reads again, and misses nothing.
    listener.set_nonblocking(true).unwrap();
    let mut text = String::new();
    until("both heads", &shown, || {
        let mut octets = [0; 2048];
        while let Ok(length) = listener.recv(&mut octets) {
            text.push_str(std::str::from_utf8(&octets[..length]).unwrap());
            text.push('\n');
        }
        text.contains("postvakt/gw1/1 | 2 | ").then_some(())
    });
    let key: Verifier = fs::read_to_string(path.join("heads.pub")).unwrap().parse().unwrap();
    let sizes: Vec<u64> = Note::all(&text).iter().map(|note| key.head(note).unwrap().size).collect();
    assert!(sizes.starts_with(&[1]) && sizes.ends_with(&[2]), "{text}");
    assert!(text.lines().any(|line| line.starts_with("<29>")), "{text}");
    store.close().await;
}

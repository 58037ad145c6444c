//! `log show`: one mail with its findings, receipt and proof, by each of its three ids.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::lab::program::PROGRAM;
use crate::lab::{Lab, message, until};

const MAILBOX: &str = "registrator@exempelby.se";
const CITIZEN: &str = "x@example.org";
const RULES: &str = r#"[rules.receipt]
mode = "enforce"
require_authentication = false
[[rules.receipt.mailboxes]]
address = "registrator@exempelby.se"
name = "Registrator på kommunen"
[rules.custom.fraga]
when = { subject = "fråga" }
mode = "enforce"
action = "mark"
"#;

/// Exit status and what was printed on stdout and stderr.
fn show(lab: &Lab, id: &str, more: &[&str]) -> (Option<i32>, String, String) {
    log(lab, &[&["show", id, "--purpose", "felsökning i testmiljö"], more].concat())
}

fn log(lab: &Lab, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(PROGRAM);
    command.arg("log").args(arguments).arg("--config").arg(&lab.postvakt.config);
    let output = command.output().unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn one_mail_is_shown_whole_by_each_of_its_ids() {
    let lab = Lab::start(RULES);
    let header = "Message-ID: <arende-1@example.org>\nDate: Mon, 02 Mar 2026 10:00:00 +0100\n";
    let mail = message(CITIZEN, MAILBOX, "fråga", header);
    let reply = lab.outside().send(CITIZEN, &[MAILBOX], &mail);
    let record = lab.record_of(&reply);
    until("the receipt to be sent", &lab, || {
        let all = lab.postvakt.receipts(&["list"]);
        (all.len() == 1 && all[0]["state"] == "sent").then_some(())
    });
    let (id, queue_id) = (record["record"].as_str().unwrap(), record["queue_id"].as_str().unwrap());
    for id in [id, queue_id, "<arende-1@example.org>", "arende-1@example.org"] {
        let (status, out, said) = show(&lab, id, &["--json"]);
        assert_eq!(status, Some(0), "{id}: {said}");
        assert_eq!(out.lines().count(), 1, "{out}");
        let shown: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(shown["record"]["record"], record["record"], "{id}");
        assert_eq!(shown["notices"][0]["state"], "sent", "{shown:#}");
        assert!(shown["notices"][0]["reference"].as_str().unwrap().starts_with("PV-"), "{shown:#}");
        let found = &shown["findings"][0];
        assert_eq!(
            (&found["rule"], &found["mode"]),
            (&"custom.fraga".into(), &"enforce".into()),
            "{shown:#}"
        );
        assert!(!found["evidence"].as_str().unwrap().is_empty(), "{shown:#}");
    }
    let (status, page, _) = show(&lab, queue_id, &[]);
    assert_eq!(status, Some(0));
    assert!(page.contains("proof ") && page.contains(" sent ") && page.contains("custom.fraga"), "{page}");
    for line in ["subject             fråga", "sender              x@example.org"] {
        assert!(page.contains(line), "{page}");
    }
    // Nothing is there: that is said, and it is an access too.
    let (status, out, said) = show(&lab, "4zNothing", &[]);
    assert_eq!((status, out.as_str()), (Some(1), ""), "{said}");
    assert!(said.contains("no mail with the id 4zNothing"), "{said}");
}

fn shown(lab: &Lab, id: &str) -> Value {
    let (status, out, said) = show(lab, id, &["--json"]);
    assert_eq!(status, Some(0), "{said}");
    serde_json::from_str(&out).unwrap()
}

#[test]
fn what_became_of_a_receipt_is_an_entry_that_the_log_proves() {
    let mut lab = Lab::start(RULES);
    let header = "Message-ID: <arende-2@example.org>\nDate: Mon, 02 Mar 2026 10:00:00 +0100\n";
    lab.outside().send(CITIZEN, &[MAILBOX], &message(CITIZEN, MAILBOX, "fråga", header));
    until("the receipt to be sent", &lab, || {
        let all = lab.postvakt.receipts(&["list"]);
        (all.len() == 1 && all[0]["state"] == "sent").then_some(())
    });
    assert_eq!(shown(&lab, "arende-2@example.org")["notices"][0]["outcome"], Value::Null, "not told of yet");
    lab.postvakt.signal(Signal::TERM);
    assert!(lab.postvakt.ended().success());
    let mail = shown(&lab, "arende-2@example.org");
    let outcome = &mail["notices"][0]["outcome"];
    assert_eq!(
        (&outcome["state"], mail["proof"]["unchanged"].as_bool()),
        (&"sent".into(), Some(true)),
        "{mail:#}"
    );
    assert!(outcome["reply"].as_str().unwrap().starts_with("250"), "{mail:#}");
    assert!(mail["proof"]["head"]["records"].as_u64() >= Some(1), "{mail:#}");
    // It has no address, is no access of a person, and is told of once.
    let store = lab.postvakt.config.parent().unwrap().join("store");
    let entries = || -> Vec<String> {
        let accesses = rusqlite::Connection::open(store.join("access.db")).unwrap();
        let mut bodies = accesses.prepare("SELECT body FROM entry WHERE kind = 'outcomes'").unwrap();
        bodies.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(entries().len(), 1);
    assert!(!entries()[0].contains('@'), "{:?}", entries());
    let (_, accesses, _) = log(&lab, &["access", "--json"]);
    assert!(!accesses.contains("\"outcomes\""), "{accesses}");
    lab.postvakt.restart();
    lab.postvakt.signal(Signal::TERM);
    assert!(lab.postvakt.ended().success());
    assert_eq!(entries().len(), 1, "{:?}", entries());
    assert_eq!(log(&lab, &["verify"]).0, Some(0), "{}", log(&lab, &["verify"]).1);
    // What became of it is changed in the outbox: the log still says what it was.
    change(&store, "UPDATE dispatch SET state = 'failed'");
    let mail = shown(&lab, "arende-2@example.org");
    let notice = &mail["notices"][0];
    assert_eq!(
        (&notice["state"], &notice["outcome"]["state"]),
        (&"failed".into(), &"sent".into()),
        "{mail:#}"
    );
    // A letter of the subject is changed.
    change(&store, "UPDATE record SET subject = 'frågor'");
    let (status, page, _) = show(&lab, "arende-2@example.org", &[]);
    assert!(status == Some(1) && page.contains("TAMPERED"), "{page}");
}

fn change(store: &Path, sql: &str) {
    let months = std::fs::read_dir(store).unwrap().map(|file| file.unwrap().path());
    let month = months.filter(|path| path.extension().is_some_and(|name| name == "db"));
    let month = month.into_iter().find(|path| !path.ends_with("access.db")).unwrap();
    assert!(rusqlite::Connection::open(month).unwrap().execute(sql, []).unwrap() > 0);
}

#[test]
fn an_empty_answer_is_said_and_a_period_may_be_named() {
    let lab = Lab::start(RULES);
    let mail = message(CITIZEN, MAILBOX, "fråga", "Message-ID: <arende-3@example.org>\n");
    let reply = lab.outside().send(CITIZEN, &[MAILBOX], &mail);
    lab.record_of(&reply);
    let search = |more: &[&str]| log(&lab, &[&["search", "--purpose", "felsökning"], more].concat());
    for period in [
        &["--since", "today"][..],
        &["--since", "yesterday"],
        &["--since", "7d"],
        &["--since", "24h", "--until", "now"],
        &["--since", "today", "--until", "today"],
    ] {
        let (status, out, said) = search(period);
        assert_eq!((status, out.lines().count(), said.as_str()), (Some(0), 2, ""), "{period:?}: {out}");
        assert!(out.contains("custom.fraga="), "{out}");
    }
    let (status, out, said) = search(&["--until", "yesterday"]);
    assert_eq!((status, out.as_str()), (Some(0), ""));
    assert!(said.contains("no record matches the query"), "{said}");
    let (status, out, said) = search(&["--until", "yesterday", "--json"]);
    assert_eq!((status, out.as_str(), said.as_str()), (Some(0), "", ""));
}

#[test]
fn more_of_the_header_is_kept_where_the_organisation_wants_it() {
    let mut lab = Lab::start(RULES);
    let header = "Cc: \"Åsa\" <asa@exempelby.se>, bo@example.net\nReply-To: bedragare@example.net\n";
    let mail = |id: &str| {
        let plain = message(CITIZEN, MAILBOX, "fråga", &format!("Message-ID: <{id}@example.org>\n{header}"));
        plain.replace(&format!("From: <{CITIZEN}>"), &format!("From: \"Kommunchefen\" <{CITIZEN}>"))
    };
    let fields = ["header_from_name", "header_to", "header_cc", "header_reply_to"];
    lab.outside().send(CITIZEN, &[MAILBOX], &mail("utan"));
    let without = until("the record", &lab, || {
        let (status, out, _) = show(&lab, "utan@example.org", &["--json"]);
        (status == Some(0)).then(|| serde_json::from_str::<Value>(&out).unwrap())
    });
    assert!(fields.iter().all(|field| without["record"][field] == ""), "{without:#}");
    lab.postvakt.signal(Signal::TERM);
    assert!(lab.postvakt.ended().success());
    let config = std::fs::read_to_string(&lab.postvakt.config).unwrap();
    let wanted = "[store]\nheader_fields = [\"display-name\", \"to\", \"cc\", \"reply-to\"]\n";
    std::fs::write(&lab.postvakt.config, config.replace("[store]\n", wanted)).unwrap();
    lab.postvakt.restart();
    lab.outside().send(CITIZEN, &[MAILBOX], &mail("med"));
    let with = until("the record", &lab, || {
        let (status, out, _) = show(&lab, "med@example.org", &["--json"]);
        (status == Some(0)).then(|| serde_json::from_str::<Value>(&out).unwrap())
    });
    let kept = fields.map(|field| with["record"][field].as_str().unwrap().to_owned());
    assert_eq!(
        kept,
        ["Kommunchefen", MAILBOX, "asa@exempelby.se, bo@example.net", "bedragare@example.net"],
        "{with:#}"
    );
    assert_eq!(with["proof"]["unchanged"], true, "{with:#}");
    // Of a mail that was broken off after its header, too.
    let broken_off = abort_after_the_header(&lab, "Reply-To", "bedragare@example.net");
    let (_, shown, said) = show(&lab, &broken_off, &["--json"]);
    let incomplete: Value = serde_json::from_str(&shown).unwrap_or_else(|_| panic!("{said}"));
    let kept =
        ["verdict", "header_reply_to"].map(|name| incomplete["record"][name].as_str().unwrap().to_owned());
    assert_eq!(kept, ["incomplete", "bedragare@example.net"], "{incomplete:#}");
    // Searches and exports have them where they are asked for.
    let (_, found, _) = log(&lab, &["search", "--json", "--purpose", "felsökning"]);
    assert!(!found.contains("header_to") && !found.contains("Kommunchefen"), "{found}");
    let file = lab.postvakt.config.with_file_name("log.csv");
    let export = ["export", "--purpose", "felsökning", "--format", "csv", "--output", file.to_str().unwrap()];
    let columns = ["--columns", "message_id,header_from_name,header_reply_to"];
    let (status, _, said) = log(&lab, &[&export[..], &columns].concat());
    assert_eq!(status, Some(0), "{said}");
    let csv = std::fs::read_to_string(&file).unwrap();
    assert!(csv.contains("\"<med@example.org>\";\"Kommunchefen\";\"bedragare@example.net\""), "{csv}");
    lab.postvakt.signal(Signal::TERM);
    assert!(lab.postvakt.ended().success());
    assert_eq!(log(&lab, &["verify"]).0, Some(0), "{}", log(&lab, &["verify"]).1);
    assert_eq!(log(&lab, &["verify-export", file.to_str().unwrap()]).0, Some(0));
}

/// An MTA that sends each field as it comes, and whose client leaves after the header. The queue id of its mail.
fn abort_after_the_header(lab: &Lab, name: &str, value: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", lab.postfix.ports.milter)).unwrap();
    let mut say = |command: u8, data: &[u8], answered: bool| {
        let length = u32::try_from(data.len() + 1).unwrap().to_be_bytes();
        stream.write_all(&[&length[..], &[command], data].concat()).unwrap();
        if answered {
            let mut length = [0; 4];
            stream.read_exact(&mut length).unwrap();
            stream.read_exact(&mut vec![0; u32::from_be_bytes(length) as usize]).unwrap();
        }
    };
    // Version 6, every edit, every event with a reply.
    say(b'O', &[0, 0, 0, 6, 0, 0, 1, 0xff, 0, 0, 0, 0], true);
    say(b'C', b"mx.example.org\x004\x00\x19192.0.2.25\0", true);
    say(b'D', b"Mi\x004abort\0", false);
    say(b'M', format!("<{CITIZEN}>\0").as_bytes(), true);
    say(b'R', format!("<{MAILBOX}>\0").as_bytes(), true);
    say(b'T', b"", true);
    say(b'L', format!("{name}\0{value}\0").as_bytes(), true);
    say(b'N', b"", true);
    say(b'A', b"", false);
    say(b'Q', b"", false);
    let found = until("the record", lab, || lab.postvakt.search(&["--queue-id", "4abort"]).pop());
    found["queue_id"].as_str().unwrap().to_owned()
}

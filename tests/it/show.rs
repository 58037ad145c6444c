//! `log show`: one mail with its findings, receipt and proof, by each of its three ids.

use std::process::Command;

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
    let mut command = Command::new(PROGRAM);
    command.args(["log", "show", id, "--config"]).arg(&lab.postvakt.config);
    let output = command.args(["--purpose", "felsökning i testmiljö"]).args(more).output().unwrap();
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

//! The second pass: mail that comes through again from inside, by a real amavis, by a release from hold and by a relay.

mod amavis;

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::lab::program::PROGRAM;
use crate::lab::{Directory, Lab, message, queue_id, run, until};
use amavis::Amavis;

const CITIZEN: &str = "x@example.org";
const ANNA: &str = "anna@exempelby.se";
const INFO: &str = "info@exempelby.se";
const REGISTRAR: &str = "registrator@exempelby.se";
const OUTSIDE: &str = "y@example.org";
const MESSAGE_ID: &str = "Message-ID: <1@exempelby.se>\nDate: Mon, 02 Mar 2026 10:00:00 +0100\n";

/// All that may follow from a mail: marks, a receipt, notices, and what is counted.
const RULES: &str = r#"[rules.suspicious-attachment]
mode = "enforce"
[rules.mass-mailing]
mode = "enforce"
recipients = 3
[rules.receipt]
mode = "enforce"
delay = "1 s"
require_authentication = false
[[rules.receipt.mailboxes]]
address = "registrator@exempelby.se"
[rules.custom.market]
when = { subject = "märk" }
mode = "enforce"
action = "mark"
[rules.custom.vantar]
when = { subject = "vänta" }
mode = "enforce"
action = "hold"
"#;

/// Postfix hands all mail to amavis, which hands it in again at a port that asks the milter too.
fn filtered(rules: &str, more: &str) -> (Lab, Amavis) {
    let directory = Directory::new();
    let amavis = Amavis::start(&directory.path);
    let Amavis { port, again, .. } = amavis;
    let (lab, ()) = Lab::start_with(directory, rules, |postfix| {
        // As `postfix-setup` does: what Postvakt itself sends passes no filter.
        postfix.override_service(postfix.ports.reinjection, "content_filter", "");
        postfix.amend(
            &format!("content_filter = amavis:[127.0.0.1]:{port}\n{more}"),
            &format!(
                "127.0.0.1:{again} inet n - n - - smtpd\n  -o content_filter=\namavis unix - - n - 2 smtp\n  \
                 -o smtp_send_xforward_command=yes\n"
            ),
        );
    });
    (lab, amavis)
}

fn show(lab: &Lab, id: &str) -> Value {
    let mut command = Command::new(PROGRAM);
    command.args(["log", "show", id, "--json", "--purpose", "felsökning i testmiljö", "--config"]);
    let output = command.arg(&lab.postvakt.config).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The values of a field in a delivered message, without folds.
fn fields(message: &str, name: &str) -> Vec<String> {
    let header = message.split("\n\n").next().unwrap().replace("\n\t", " ").replace("\n ", " ");
    let values = header.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    values.map(str::to_owned).collect()
}

/// A delivered message as its mailbox server would send it on: without what delivery put before it.
fn again(delivered: &str) -> String {
    let own = |line: &&str| {
        !["Return-Path:", "X-Original-To:", "Delivered-To:"].iter().any(|name| line.starts_with(name))
    };
    delivered.lines().filter(own).fold(String::new(), |text, line| text + line + "\n")
}

fn passes(lab: &Lab, result: &str) -> u64 {
    lab.postvakt.metric(&format!("postvakt_second_passes_total{{result=\"{result}\"}}"))
}

/// The mails that reports count.
fn counted(lab: &Lab) -> u64 {
    let answer = lab.postvakt.get("/metrics");
    let lines = answer.lines().filter_map(|line| line.strip_prefix("postvakt_messages_total{"));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

#[test]
fn mail_that_amavis_hands_in_again_is_judged_once_and_linked_to_its_first_record() {
    let (lab, _amavis) = filtered(RULES, "");
    let header = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n";
    let whole = message(CITIZEN, REGISTRAR, "Faktura", header);
    let (head, _) = whole.split_once("\n\n").unwrap();
    let long = "å".repeat(1_500);
    let body = format!(
        "--b\nContent-Transfer-Encoding: 8bit\n\nHej!\n{long}\n--b\nContent-Disposition: attachment; \
         filename=faktura.pdf.exe\nContent-Type: application/octet-stream\n\nMZ\n--b--\n\n"
    );
    let reply = lab.outside().send(CITIZEN, &[REGISTRAR, ANNA, INFO], &format!("{head}\n\n{body}"));
    assert!(reply.starts_with("250"), "{reply}");
    let delivered = lab.delivered(REGISTRAR, 1).remove(0);
    assert!(delivered.contains(" (amavis, port "), "{delivered}");
    let records = lab.records(2);
    let first = lab.record_of(&reply);
    let second = records.iter().find(|record| record["record"] != first["record"]).unwrap();
    let id = first["record"].as_str().unwrap();
    assert_eq!((&first["verdict"], &first["direction"]), (&json!("marked"), &json!("inbound")), "{first}");
    assert_eq!(second["verdict"], "accepted", "{second}");
    assert_eq!(
        (&second["direction"], &second["findings"]),
        (&json!("inbound"), &json!(["second-pass=certain"]))
    );
    assert_eq!((&second["receipt"], &second["sender"]), (&json!(""), &json!(CITIZEN)));
    // Its marks are those of the first time, each once, and the id is that of the first record.
    assert_eq!(fields(&delivered, "X-Postvakt-Suspicious"), ["suspicious-attachment"]);
    assert!(matches!(&*fields(&delivered, "X-Postvakt-Receipt"), [receipt] if receipt.starts_with("PV-")));
    let marks = fields(&delivered, "X-Postvakt-Id");
    assert!(marks.len() == 1 && marks[0].starts_with(&format!("{id}; mac=")), "{marks:?}");
    // Either record leads to the other, also by what stands in the header.
    let shown = show(&lab, &marks[0]);
    assert_eq!(shown["record"]["record"], id);
    assert_eq!(shown["passes"][0]["record"], second["record"], "{shown:#}");
    assert_eq!(shown["passes"][0]["queue_id"], second["queue_id"]);
    let shown = show(&lab, second["record"].as_str().unwrap());
    assert_eq!((&shown["first_pass"], &shown["passes"]), (&json!(id), &json!([])), "{shown:#}");
    assert_eq!(shown["proof"]["unchanged"], true);
    // One receipt, and nothing is counted twice.
    lab.delivered(CITIZEN, 1);
    until("the receipt to be sent", &lab, || {
        let all = lab.postvakt.receipts(&["list"]);
        (all.len() == 1 && all[0]["state"] == "sent").then_some(())
    });
    assert_eq!((counted(&lab), passes(&lab, "recognised")), (1, 1));
    assert_eq!(lab.postvakt.search(&["--rule", "second-pass"]).len(), 1);

    let month = first["time"].as_str().unwrap().get(..7).unwrap();
    let mut report = Command::new(PROGRAM);
    report.args(["log", "report", "month", month, "--json", "--purpose", "uppföljning", "--config"]);
    let report: Value = serde_json::from_str(&run(report.arg(&lab.postvakt.config))).unwrap();
    assert_eq!((&report["mails"], &report["octets"]), (&json!(1), &first["size"]), "{report:#}");

    // Mail that leaves, with a notice to its sender where it is too much.
    let many = [ANNA, INFO, REGISTRAR, OUTSIDE];
    let reply = lab.inside().send(ANNA, &many, &message(ANNA, OUTSIDE, "Till alla", MESSAGE_ID));
    let record = lab.record_of(&reply);
    assert_eq!(record["findings"], json!(["mass-mailing=strong"]), "{record}");
    let sent = lab.delivered(OUTSIDE, 1).remove(0);
    assert_eq!(fields(&sent, "X-Postvakt-Suspicious"), ["mass-mailing"]);
    // The mail that comes through again has a record for each time that amavis hands it in.
    assert_eq!(lab.postvakt.search(&["--rule", "mass-mailing"]).len(), 1);
    until("the notice", &lab, || {
        let notices = lab.postvakt.receipts(&["list"]).into_iter().filter(|row| row["kind"] == "notice");
        (notices.count() == 1).then_some(())
    });
    assert_eq!(counted(&lab), 2);
}

#[test]
fn an_alias_that_the_mta_writes_out_between_the_passes_is_no_new_recipient() {
    let aliases =
        "virtual_alias_maps = inline:{ { fragor@exempelby.se = anna@exempelby.se, info@exempelby.se } }\n";
    let (lab, _amavis) = filtered(RULES, aliases);
    let to = "fragor@exempelby.se";
    lab.outside().send(CITIZEN, &[to], &message(CITIZEN, to, "märk", ""));
    let delivered = lab.delivered(INFO, 1).remove(0);
    assert_eq!(fields(&delivered, "X-Postvakt-Suspicious"), ["custom.market"]);
    let records = lab.records(2);
    assert_eq!(records[0]["recipients"], json!([to]));
    assert_eq!(records[1]["recipients"], json!([ANNA, INFO]));
    assert_eq!(records[1]["findings"], json!(["second-pass=certain"]));
}

#[test]
fn mail_that_is_released_from_hold_passes_the_content_filter_and_is_not_held_again() {
    let (mut lab, _amavis) = filtered(RULES, "");
    let reply = lab.inside().send(ANNA, &[OUTSIDE], &message(ANNA, OUTSIDE, "vänta", MESSAGE_ID));
    let first = lab.record_of(&reply);
    assert_eq!(first["verdict"], "held", "{first}");
    // Meanwhile the key of the marks is another.
    rotate(&mut lab);
    lab.postfix.requeue(&queue_id(&reply));
    let delivered = lab.delivered(OUTSIDE, 1).remove(0);
    assert!(delivered.contains(" (amavis, port "), "{delivered}");
    assert!(lab.postfix.held().is_empty());
    let records = lab.records(2);
    assert_eq!(records[1]["findings"], json!(["second-pass=certain"]), "{records:#?}");
    assert_eq!(show(&lab, records[1]["record"].as_str().unwrap())["first_pass"], first["record"]);
    assert_ne!(records[1]["queue_id"], first["queue_id"]);
}

/// As docs/operating.md says: the key is moved aside, and the next start makes another one.
fn rotate(lab: &mut Lab) {
    let key = lab.postvakt.config.with_file_name("store/pass.key");
    fs::rename(&key, key.with_extension("key.old")).unwrap();
    lab.postvakt.kill();
    lab.postvakt.restart();
    assert_ne!(fs::read(&key).unwrap(), fs::read(key.with_extension("key.old")).unwrap());
}

#[test]
fn marks_of_the_former_key_hold_until_it_is_removed() {
    let mut lab = Lab::start(RULES);
    lab.inside().send(ANNA, &[OUTSIDE], &message(ANNA, OUTSIDE, "Hej", MESSAGE_ID));
    let sent = again(&lab.delivered(OUTSIDE, 1).remove(0));
    let pass = |lab: &Lab| lab.record_of(&lab.inside().send(ANNA, &[OUTSIDE], &sent))["findings"].clone();
    assert_eq!(pass(&lab), json!(["second-pass=certain"]));
    rotate(&mut lab);
    assert_eq!(pass(&lab), json!(["second-pass=certain"]), "the former key holds");
    fs::remove_file(lab.postvakt.config.with_file_name("store/pass.key.old")).unwrap();
    lab.postvakt.kill();
    lab.postvakt.restart();
    assert_eq!((pass(&lab), passes(&lab, "mismatch")), (json!([]), 1));
    let newest = lab.delivered(OUTSIDE, 4).pop().unwrap();
    assert_eq!(fields(&newest, "X-Postvakt-Id").len(), 1, "{newest}");
}

#[test]
fn a_forged_or_copied_id_is_judged_like_any_mail() {
    let rules = format!("{RULES}[rules.sensitive-data]\nmode = \"enforce\"\naction = \"mark\"\n");
    let lab = Lab::start(&rules);
    lab.inside().send(ANNA, &[OUTSIDE, INFO], &message(ANNA, OUTSIDE, "Hej", MESSAGE_ID));
    let sent = again(&lab.delivered(OUTSIDE, 1).remove(0));
    let id = fields(&sent, "X-Postvakt-Id")[0].clone();
    let (record, mac) = id.split_once("; mac=").unwrap();
    let zeros = format!("{record}; mac={}", "0".repeat(mac.len()));
    let number = "Personnummer 811228-9874, diagnos diabetes";
    let relayed = |sender: &str, to: &[&str], text: &str| lab.record_of(&lab.inside().send(sender, to, text));
    let judged = |what: &str, record: Value| {
        assert!(!record["findings"].to_string().contains("second-pass"), "{what}: {record}");
        record
    };

    let pass = relayed(ANNA, &[OUTSIDE], &sent);
    assert_eq!(pass["findings"], json!(["second-pass=certain"]), "a relay sends it on as it is");
    let tagged = sent.replace("Subject: Hej", "Subject: [SPAM 7.2] Hej");
    assert_eq!(relayed(ANNA, &[OUTSIDE], &tagged)["findings"], json!(["second-pass=certain"]));

    let file = lab.postvakt.config.with_file_name("sent.eml");
    fs::write(&file, &sent).unwrap();
    let mut explain = Command::new(PROGRAM);
    explain
        .args(["explain", "--json", "--client", "127.0.0.1", "--config"])
        .arg(&lab.postvakt.config)
        .arg(&file);
    let explained: Value = serde_json::from_str(&run(&mut explain)).unwrap();
    assert!(explained["edits"].to_string().contains("X-Postvakt-Id"), "it is judged: {explained:#}");

    judged("a wrong mark", relayed(ANNA, &[OUTSIDE], &sent.replace(&id, &zeros)));
    judged("a mark cut off", relayed(ANNA, &[OUTSIDE], &sent.replace(&id, &id[..id.len() - 2])));
    judged("no mark", relayed(ANNA, &[OUTSIDE], &sent.replace(&id, record)));
    judged("two marks", relayed(ANNA, &[OUTSIDE], &sent.replace(&id, &format!("{id}\nX-Postvakt-Id: {id}"))));
    let other = relayed(ANNA, &[OUTSIDE], &sent.replace("\n\nHej!", &format!("\n\n{number}")));
    assert_eq!(other["verdict"], "marked", "another body: {other}");
    let other = relayed(ANNA, &[OUTSIDE], &sent.replace("Subject: Hej", &format!("Subject: {number}")));
    assert_eq!(other["verdict"], "marked", "another subject: {other}");
    judged("another Message-ID", relayed(ANNA, &[OUTSIDE], &sent.replace("<1@", "<2@")));
    judged("another author", relayed(ANNA, &[OUTSIDE], &sent.replace("From: <anna", "From: <info")));
    judged("another sender", relayed(CITIZEN, &[OUTSIDE], &sent));
    let forward = relayed(ANNA, &["privat@example.net"], &sent);
    assert_eq!(judged("another recipient", forward)["direction"], "outbound");
    let (results, expected) = (["recognised", "mismatch", "other"], [2, 5, 3]);
    assert_eq!(results.map(|result| passes(&lab, result)), expected);

    // The recipient outside sends it back, with the mark that holds.
    for to in [ANNA, INFO] {
        let reply = lab.outside().send(ANNA, &[to], &sent);
        let back = judged("from outside", lab.record_of(&reply));
        assert_eq!(back["direction"], "inbound");
    }
    let delivered = lab.delivered(ANNA, 1).remove(0);
    let ids = fields(&delivered, "X-Postvakt-Id");
    assert!(ids.len() == 1 && ids[0] != id, "{ids:?}");
    // A forged id goes, and the mail gets its own.
    for copy in lab.postfix.mailbox(OUTSIDE) {
        assert!(!copy.contains(&zeros) && fields(&copy, "X-Postvakt-Id").len() == 1, "{copy}");
    }
}

#[test]
fn mail_that_was_rerouted_is_recognised_inside_and_never_on_its_way_to_where_it_was_kept_from() {
    let rules = "[rules.auto-forward]\nmode = \"enforce\"\naction = \"reroute\"\n\
                 reroute_to = \"registrator@exempelby.se\"\n";
    let (lab, _amavis) = filtered(rules, "");
    let private = "privat@example.net";
    let header = format!(
        "{MESSAGE_ID}X-MS-Exchange-Inbox-Rules-Loop: {ANNA}\nX-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent\nAuto-Submitted: auto-generated\n"
    );
    let reply = lab.inside().send(ANNA, &[private], &message(CITIZEN, ANNA, "Ärende", &header));
    let first = lab.record_of(&reply);
    assert_eq!(first["findings"], json!(["auto-forward=certain"]), "{first}");
    let kept = again(&lab.delivered(REGISTRAR, 1).remove(0));
    assert_eq!(lab.records(2)[1]["findings"], json!(["second-pass=certain"]));
    let reply = lab.inside().send(ANNA, &[private], &kept);
    assert_eq!(
        lab.record_of(&reply)["findings"],
        json!(["auto-forward=certain"]),
        "the private target again"
    );
    assert_eq!(lab.postfix.count(private), 0);
}

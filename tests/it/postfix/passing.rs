//! Mail that passes: every way in, with its one record, and unharmed.

use std::fs;
use std::process::Command;

use crate::lab::client::Smtp;
use crate::lab::program::PROGRAM;
use crate::lab::{Lab, message, run};

/// The value of the header field in a delivered file; it must be there once.
fn field<'a>(delivered: &'a str, name: &str) -> &'a str {
    let values: Vec<_> = fields(delivered, name).collect();
    assert_eq!(values.len(), 1, "{name} in:\n{delivered}");
    values[0]
}

fn fields<'a>(delivered: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let header = delivered.split("\n\n").next().unwrap();
    header.lines().filter_map(move |line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn mail_passes_every_way_with_one_record_each() {
    let lab = Lab::start("");
    let ports = lab.postfix.ports;
    let (outside, inside) = ("x@example.org", "anna@exempelby.se");
    let ways: [(&str, Smtp, &str, &str, &str); 6] = [
        ("the world", lab.outside(), outside, inside, "inbound"),
        ("a host inside", lab.inside(), inside, outside, "outbound"),
        ("a host inside", lab.inside(), inside, "info@exempelby.se", "internal"),
        ("the listener", Smtp::greeted(ports.outbound), inside, outside, "outbound"),
        ("the daemon name", Smtp::greeted(ports.submission), inside, outside, "outbound"),
        ("the socket", Smtp::greeted(ports.by_socket), inside, outside, "outbound"),
    ];
    for (way, mut smtp, from, to, direction) in ways {
        let already = lab.postfix.mailbox(to);
        let reply = smtp.send(from, &[to], &message(from, to, "=?utf-8?q?F=C3=B6rslag?=", ""));
        assert!(reply.starts_with("250"), "{way}: {reply}");
        let record = lab.record_of(&reply);
        assert_eq!(record["direction"], direction, "{way}");
        assert_eq!(record["verdict"], "accepted", "{way}");
        assert_eq!(record["sender"], from, "{way}");
        assert_eq!(record["recipients"], serde_json::json!([to]), "{way}");
        assert_eq!(record["subject"], "Förslag", "{way}");
        let delivered = lab.delivered(to, already.len() + 1);
        let new = delivered.iter().find(|file| !already.contains(file)).unwrap();
        let id = field(new, "X-Postvakt-Id");
        assert!(id.starts_with(&format!("{}; mac=", record["record"].as_str().unwrap())), "{way}: {id}");
        assert!(new.contains("\n\nHej!\n"), "{way}: {new}");
    }
    lab.postfix.sendmail(inside, &[outside], &message(inside, outside, "cron", ""));
    let last = lab.records(7).into_iter().find(|record| record["subject"] == "cron").unwrap();
    assert_eq!((&last["direction"], &last["verdict"]), (&"outbound".into(), &"accepted".into()));
    assert_ne!(last["queue_id"], "");
    lab.delivered(outside, 5);
}

#[test]
fn what_makes_a_client_inside_is_not_its_address_alone() {
    let lab = Lab::start("");
    for port in [lab.postfix.ports.submission, lab.postfix.ports.outbound] {
        let mut smtp = Smtp::connect(port);
        smtp.expect("XCLIENT ADDR=192.0.2.77 NAME=hemma.example.net", "220");
        smtp.expect("EHLO hemma.example.net", "250");
        let (from, to) = ("anna@exempelby.se", "registrator@exempelby.se");
        let reply = smtp.send(from, &[to], &message(from, to, "hemifrån", ""));
        let record = lab.record_of(&reply);
        assert_ne!(record["direction"], "inbound", "{record}");
        assert_eq!(record["client"], "192.0.2.77");
    }
}

#[test]
fn attachment_names_are_in_the_log() {
    let lab = Lab::start("");
    let message = "From: <x@example.org>\nTo: <anna@exempelby.se>\nSubject: bilagor\nMIME-Version: 1.0\n\
        Content-Type: multipart/mixed; boundary=b\n\n\
        --b\nContent-Type: text/plain\n\nHej\n\
        --b\nContent-Type: application/pdf; name=\"=?utf-8?q?r=C3=A4kning.pdf?=\"\nContent-Disposition: attachment\n\nAA\n\
        --b\nContent-Type: text/csv\nContent-Disposition: attachment; filename*=utf-8''l%C3%B6ner.csv\n\nBB\n\
        --b\nContent-Type: message/rfc822\n\n\
        From: <y@example.org>\nSubject: inre\nMIME-Version: 1.0\nContent-Type: image/png; name=karta.png\n\
        Content-Disposition: inline; filename=karta.png\n\nCC\n\
        --b--\n";
    let reply = lab.outside().send("x@example.org", &["anna@exempelby.se"], message);
    let attachments = lab.record_of(&reply)["attachments"].to_string();
    for name in ["räkning.pdf", "löner.csv", "karta.png"] {
        assert!(attachments.contains(name), "{name} in {attachments}");
        assert_eq!(lab.postvakt.search(&["--attachment", name]).len(), 1, "{name}");
    }
}

#[test]
fn headers_of_our_own_from_outside_are_removed_all_of_them() {
    let lab = Lab::start("");
    let forged = "X-Postvakt-Id: gw1-1-000000000001\nX-Postvakt-Auto-Forward: none\nx-postvakt-id: another\n\
        X-Postvakt-Sensitive: class=none\nX-Postvakt-Id:\n folded\nX-Other: stays\n";
    let (from, to) = ("x@example.org", "anna@exempelby.se");
    let reply = lab.outside().send(from, &[to], &message(from, to, "falskt", forged));
    let id = lab.record_of(&reply)["record"].clone();
    let delivered = lab.delivered(to, 1).remove(0);
    let ours = delivered.lines().filter(|line| line.to_lowercase().starts_with("x-postvakt-"));
    let ours: Vec<_> = ours.collect();
    let own = format!("X-Postvakt-Id: {}; mac=", id.as_str().unwrap());
    assert!(ours.len() == 1 && ours[0].starts_with(&own), "{ours:?}");
    assert!(!delivered.contains("folded"), "{delivered}");
    assert_eq!(field(&delivered, "X-Other"), "stays");
}

#[test]
fn eight_bits_and_smtputf8_pass_unharmed() {
    let lab = Lab::start("");
    let mut smtp = lab.outside();
    let body = "From: <x@example.org>\nTo: <anna@exempelby.se>\nSubject: Räksmörgås\nMIME-Version: 1.0\n\
        Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n.Å\n..\nÄÖ\n";
    smtp.expect("MAIL FROM:<x@example.org> BODY=8BITMIME", "250");
    smtp.expect("RCPT TO:<anna@exempelby.se>", "250");
    smtp.expect("DATA", "354");
    let reply = smtp.content(body);
    assert_eq!(lab.record_of(&reply)["subject"], "Räksmörgås");
    assert!(lab.delivered("anna@exempelby.se", 1)[0].ends_with("\n\n.Å\n..\nÄÖ\n"));

    smtp.expect("MAIL FROM:<ö@example.org> SMTPUTF8 BODY=8BITMIME", "250");
    smtp.expect("RCPT TO:<år@exempelby.se>", "250");
    smtp.expect("DATA", "354");
    let reply = smtp.content(body);
    let record = lab.record_of(&reply);
    assert_eq!(record["sender"], "ö@example.org");
    assert_eq!(record["recipients"], serde_json::json!(["år@exempelby.se"]));
    lab.delivered("år@exempelby.se", 1);
}

#[test]
fn the_header_section_ends_where_explain_ends_it() {
    let lab = Lab::start("");
    let rest = "To: <anna@exempelby.se>\nSubject: Hej\n\nHej!\n";
    for (begin, subject) in [
        ("From: <x@example.org>\n", "Hej"),
        ("From: <x@example.org>\nno field\n", ""),
        ("From: <x@example.org>\nÄrende: 12\n", ""),
        ("From: <x@example.org>\nTwo words: 12\n", ""),
        ("From: <x@example.org>\n: empty\n", ""),
        ("From: <x@example.org>\nX-Blank : 12\n", "Hej"),
        ("From: <x@example.org>\nFrom x@example.org Tue Mar  3 10:00:00 2026\n", ""),
        ("From x@example.org Tue Mar  3 10:00:00 2026\nFrom: <x@example.org>\n", "Hej"),
        (">From x@example.org Tue Mar  3 10:00:00 2026\nFrom: <x@example.org>\n", "Hej"),
        (" blank first\nFrom: <x@example.org>\n", ""),
        ("\u{feff}From: <x@example.org>\n", ""),
    ] {
        let text = format!("{begin}{rest}");
        let reply = lab.outside().send("x@example.org", &["anna@exempelby.se"], &text);
        assert_eq!(lab.record_of(&reply)["subject"], subject, "{text}");
        let file = lab.postvakt.config.with_file_name("mail.eml");
        fs::write(&file, &text).unwrap();
        let mut explain = Command::new(PROGRAM);
        explain.args(["explain", "--json", "--from=x@example.org", "--rcpt=anna@exempelby.se", "--config"]);
        let said = run(explain.arg(&lab.postvakt.config).arg(&file));
        let said: serde_json::Value = serde_json::from_str(said.trim()).unwrap();
        assert_eq!(said["facts"]["subject"].as_str().unwrap_or_default(), subject, "{text}");
    }
}

//! Receipts through a real Postfix: mail in, one receipt out, both ends looked at.

mod full;
mod milter;
mod signs;
mod signing;

use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::incoming::dns::Dns;
use crate::lab::program::PROGRAM;
use crate::lab::{Lab, message, run, until};
use milter::{Milter, Reply};

const MAILBOX: &str = "registrator@exempelby.se";
const CITIZEN: &str = "x@example.org";

fn rules(more: &str) -> String {
    format!(
        "[rules.receipt]\nmode = \"enforce\"\ndelay = \"2 s\"\nrequire_authentication = false\n{more}\
         [[rules.receipt.mailboxes]]\naddress = \"{MAILBOX}\"\nname = \"Registrator på kommunen\"\n"
    )
}

fn case(id: &str, header: &str) -> String {
    let header = format!("Message-ID: <{id}@example.org>\nDate: Mon, 02 Mar 2026 10:00:00 +0100\n{header}");
    message(CITIZEN, MAILBOX, "=?utf-8?Q?Ans=C3=B6kan_om_bygglov?=", &header)
}

/// The value of a header field of a delivered file, unfolded.
fn field(file: &str, name: &str) -> Option<String> {
    let (header, _) = file.split_once("\n\n").unwrap();
    let unfolded = header.replace("\n ", " ").replace("\n\t", " ");
    let mut found = unfolded.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let value = found.next().map(str::to_owned);
    assert!(found.next().is_none(), "{name} twice:\n{file}");
    value
}

/// Waits until every receipt of the lab has the state, and gives them.
fn letters(lab: &Lab, count: usize, state: &str) -> Vec<Value> {
    until(&format!("{count} receipts {state}"), lab, || {
        let all = lab.postvakt.receipts(&["list"]);
        (all.len() == count && all.iter().all(|letter| letter["state"] == state)).then_some(all)
    })
}

#[test]
fn a_case_is_answered_once_and_both_ends_have_its_reference() {
    let lab = Lab::start(&rules(""));
    let reply = lab.outside().send(CITIZEN, &[MAILBOX], &case("1", "References: <0@example.org>\n"));
    let record = lab.record_of(&reply);
    let letter = letters(&lab, 1, "sent").remove(0);
    let reference = letter["reference"].as_str().unwrap();
    assert_eq!(record["receipt"], format!("{MAILBOX}=queued {reference}"));
    assert_eq!((&letter["record"], &letter["attempts"]), (&record["record"], &1.into()));

    let delivered = lab.delivered(MAILBOX, 1).remove(0);
    assert_eq!(field(&delivered, "X-Postvakt-Receipt").as_deref(), Some(reference));
    let receipt = lab.delivered(CITIZEN, 1).remove(0);
    let is = |name| field(&receipt, name).unwrap_or_default();
    assert!(receipt.starts_with("Return-Path: <>\n"), "{receipt}");
    assert_eq!(is("To"), format!("<{CITIZEN}>"));
    assert_eq!(is("From"), format!("=?utf-8?Q?Registrator_p=C3=A5_kommunen?= <{MAILBOX}>"));
    assert_eq!(is("In-Reply-To"), "<1@example.org>");
    assert_eq!(is("References"), "<0@example.org> <1@example.org>");
    assert_eq!(is("Auto-Submitted"), "auto-replied");
    assert_eq!(is("X-Auto-Response-Suppress"), "All");
    assert_eq!(is("X-Postvakt-Loop"), MAILBOX);
    assert!(is("Message-ID").starts_with("<receipt.") && is("Message-ID").ends_with("@exempelby.se>"));
    assert_eq!(is("Subject"), format!("Vi har tagit emot ditt meddelande ({reference})"));
    assert!(field(&receipt, "X-Postvakt-Id").is_none(), "it passes no filter:\n{receipt}");
    // It went as 7 bits, and says what it should, in Swedish and in English, and nothing of the mail.
    assert!(receipt.is_ascii(), "{receipt}");
    for words in
        ["Tack f=C3=B6r ditt meddelande till Exempelby kommun", "Thank you for your message", reference]
    {
        assert!(receipt.contains(words), "{receipt}");
    }
    assert!(!receipt.contains("bygglov") && !receipt.contains("\nHej!\n\nHej"), "{receipt}");
    // The log knows of one mail; the receipt passed no filter.
    assert_eq!(lab.records(1).len(), 1);
    let shown = lab.postvakt.receipts(&["show", reference]).remove(0);
    assert_eq!(shown["history"][0]["state"], "sent");
    assert!(shown["message"].as_str().unwrap().contains("Auto-Submitted: auto-replied\r\n"));
    // It is shown as its reader sees it.
    let mut command = Command::new(PROGRAM);
    command.args(["receipts", "show", reference, "--config"]).arg(&lab.postvakt.config);
    let screen = run(&mut command);
    for words in ["Tack för ditt meddelande till Exempelby kommun", "Thank you for your message"] {
        assert!(shown["text"].as_str().unwrap().contains(words), "{shown}");
        assert!(screen.contains(&format!("  | {words}")), "{screen}");
    }
    assert!(screen.contains("  | Subject: Vi har tagit emot ditt meddelande (PV-"), "{screen}");
}

#[test]
fn what_asks_for_no_answer_gets_none_and_the_record_says_why() {
    let lab = Lab::start(&rules(""));
    let mut smtp = lab.outside();
    for (at, (sender, header, reason)) in [
        ("", "", "null-sender"),
        (CITIZEN, "Auto-Submitted: auto-replied (vacation)\n", "auto-submitted"),
        (CITIZEN, "Auto-Submitted:\n auto-generated\n", "auto-submitted"),
        (CITIZEN, "X-Auto-Response-Suppress: RN, AutoReply\n", "response-suppress"),
        (CITIZEN, "List-Id: <nyheter.example.org>\n", "list"),
        (CITIZEN, "Precedence: bulk\n", "precedence"),
        (CITIZEN, "X-Loop: yes\n", "loop"),
        ("no-reply@example.org", "", "daemon"),
        ("MAILER-DAEMON@example.org", "", "daemon"),
        ("anna@exempelby.se", "", "own-address"),
        (CITIZEN, "Content-Type: multipart/report; boundary=x\n", "report"),
    ]
    .into_iter()
    .enumerate()
    {
        let reply = smtp.send(sender, &[MAILBOX], &case(&format!("s{at}"), header));
        assert_eq!(
            lab.record_of(&reply)["receipt"],
            format!("{MAILBOX}=suppressed {reason}"),
            "{sender} {header}"
        );
    }
    for delivered in lab.delivered(MAILBOX, 11) {
        assert_eq!(field(&delivered, "X-Postvakt-Receipt"), None, "no reference is promised");
    }
    assert!(lab.postvakt.receipts(&["list"]).is_empty());
}

#[test]
fn without_authentication_nobody_is_answered() {
    let lab = Lab::start(&rules("").replace("require_authentication = false\n", ""));
    let reply = lab.outside().send(CITIZEN, &[MAILBOX], &case("1", ""));
    let receipt = lab.record_of(&reply)["receipt"].clone();
    let reasons = ["authentication-unavailable", "unauthenticated"];
    let expected = reasons.map(|reason| Value::from(format!("{MAILBOX}=suppressed {reason}")));
    assert!(expected.contains(&receipt), "{receipt}");
    assert!(lab.postvakt.receipts(&["list"]).is_empty());
}

#[test]
fn attempts_that_postfix_did_not_complete_and_their_retry_are_one_case() {
    // Another milter, behind ours, puts the mail off three times.
    let other = Milter::start([Reply::Tempfail, Reply::Tempfail, Reply::Tempfail]);
    let lab = Lab::start(&rules(""));
    lab.postfix.add_milter(lab.postfix.ports.smtp, other.port);
    let text = case("1", "");
    for _ in 0..3 {
        let reply = lab.outside().send(CITIZEN, &[MAILBOX], &text);
        assert!(reply.starts_with("451 "), "{reply}\n{lab}");
    }
    // A client that loses its connection after the final dot, and one that brings it at last.
    let mut lost = lab.outside();
    for command in ["MAIL FROM:<x@example.org>", "RCPT TO:<registrator@exempelby.se>", "DATA"] {
        lost.say(command);
    }
    lost.write(format!("{}\r\n.\r\n", text.replace('\n', "\r\n")).as_bytes());
    lost.vanish();
    let reply = lab.outside().send(CITIZEN, &[MAILBOX], &text);
    assert!(reply.starts_with("250 "), "{reply}");
    letters(&lab, 1, "sent");
    lab.delivered(CITIZEN, 1);
    thread::sleep(Duration::from_secs(3));
    assert_eq!(lab.postfix.count(CITIZEN), 1);
    let queued = lab
        .postvakt
        .search(&[])
        .iter()
        .filter(|record| record["receipt"].as_str().unwrap().contains(" PV-"))
        .count();
    assert!(queued >= 4, "each attempt was a case when it came");
}

#[test]
fn a_mail_that_another_milter_refuses_first_is_no_case() {
    let other = Milter::start([Reply::Reject]);
    let lab = Lab::start(&rules(""));
    lab.postfix.put_milter_first(lab.postfix.ports.smtp, other.port, lab.postfix.ports.milter);
    let reply = lab.outside().send(CITIZEN, &[MAILBOX], &case("1", ""));
    assert!(reply.starts_with("550 "), "{reply}\n{lab}");
    let record = lab.records(1).remove(0);
    assert_eq!((&record["verdict"], &record["receipt"]), (&"incomplete".into(), &"".into()));
    assert!(lab.postvakt.receipts(&["list"]).is_empty());
}

#[test]
fn nothing_in_a_mail_becomes_a_field_of_its_receipt() {
    let lab = Lab::start(&rules("echo_subject = true\n"));
    let long = "å".repeat(2_000);
    for (at, (sender, subject, id)) in [
        (CITIZEN, "=?ISO-8859-1?Q?=C5=E4=F6=0D=0ABcc:_y@example.org?=", "<1@example.org>"),
        (CITIZEN, "a\n Bcc: y@example.org", "<2@example.org>\n Bcc: y@example.org"),
        (CITIZEN, &long, "<3@example.org> <y@example.org>"),
        (CITIZEN, "{{ organisation }}{% include '/etc/passwd' %}", "<4\u{e5}@example.org>"),
    ]
    .into_iter()
    .enumerate()
    {
        let text =
            format!("From: <{sender}>\nTo: <{MAILBOX}>\nSubject: {subject}\nMessage-ID: {id}\n\nHej!\n");
        let reply = lab.outside().send(sender, &[MAILBOX], &text);
        assert!(reply.starts_with("250 "), "{reply}");
        for receipt in lab.delivered(CITIZEN, at + 1) {
            let (header, body) = receipt.split_once("\n\n").unwrap();
            let names: Vec<&str> = header
                .lines()
                .filter(|line| !line.starts_with([' ', '\t']))
                .map(|line| line.split_once(':').unwrap().0)
                .filter(|name| *name != "Received")
                .collect();
            let known = [
                "Return-Path",
                "X-Original-To",
                "Delivered-To",
                "Date",
                "From",
                "To",
                "Subject",
                "Message-ID",
                "In-Reply-To",
                "References",
                "Auto-Submitted",
                "X-Auto-Response-Suppress",
                "X-Postvakt-Loop",
                "MIME-Version",
                "Content-Type",
                "Content-Transfer-Encoding",
                "Message-Id",
            ];
            assert!(names.iter().all(|name| known.contains(name)), "{names:?}\n{receipt}");
            assert!(header.lines().all(|line| line.len() <= 998) && !body.contains("root:"), "{receipt}");
            field(&receipt, "Subject").unwrap();
        }
    }
    assert_eq!(lab.postfix.count("y@example.org"), 0);
}

#[test]
fn a_case_that_names_the_mailbox_nowhere_is_answered_at_its_envelope_alone() {
    let lab = Lab::start(&rules(""));
    let header = "Message-ID: <1@example.org>\nReply-To: <y@example.org>, <z@example.org>\n";
    let text = message("anna@example.net", "y@example.org", "Ansökan", header);
    let reply = lab.outside().send(CITIZEN, &[MAILBOX], &text);
    let receipt = lab.record_of(&reply)["receipt"].as_str().unwrap().to_owned();
    assert!(receipt.starts_with(&format!("{MAILBOX}=queued PV-")), "{receipt}");
    letters(&lab, 1, "sent");
    let answer = lab.delivered(CITIZEN, 1).remove(0);
    assert_eq!(field(&answer, "To").unwrap(), format!("<{CITIZEN}>"));
    for other in ["y@example.org", "z@example.org", "anna@example.net"] {
        assert_eq!(lab.postfix.count(other), 0, "{other}");
    }
}

#[test]
fn two_programs_face_to_face_come_to_an_end() {
    let lab = Lab::start(&rules(""));
    let mut smtp = lab.outside();
    for n in 0..12 {
        let reply = smtp.send(CITIZEN, &[MAILBOX], &case(&format!("robot-{n}"), ""));
        assert!(reply.starts_with("250 "), "{reply}");
    }
    letters(&lab, 5, "sent");
    let person = case("person", "").replace(CITIZEN, "y@example.org");
    let reply = smtp.send("y@example.org", &[MAILBOX], &person);
    assert!(lab.record_of(&reply)["receipt"].as_str().unwrap().contains("=queued PV-"));
    let silenced = lab
        .postvakt
        .search(&[])
        .iter()
        .filter(|r| r["receipt"].as_str().unwrap().ends_with("suppressed ceiling-sender"))
        .count();
    assert_eq!(silenced, 7);
    assert!(lab.postvakt.log.text().contains("a limit of receipts is reached"), "{lab}");
}

#[test]
fn two_citizens_with_one_message_id_have_a_receipt_each_and_what_comes_again_later_says_so() {
    let lab = Lab::start(&rules(""));
    let text = |from: &str| case("1", "").replace(CITIZEN, from);
    let reference = |from: &str| {
        let reply = lab.outside().send(from, &[MAILBOX], &text(from));
        lab.record_of(&reply)["receipt"].as_str().unwrap().to_owned()
    };
    let queued = [CITIZEN, "y@example.org"].map(|from| (from, reference(from)));
    assert!(queued.iter().all(|(_, said)| said.starts_with(&format!("{MAILBOX}=queued PV-"))), "{queued:?}");
    assert_ne!(queued[0].1, queued[1].1);
    letters(&lab, 2, "sent");
    for (from, said) in &queued {
        let receipt = lab.delivered(from, 1).remove(0);
        let reference = said.rsplit(' ').next().unwrap();
        assert!(receipt.contains(reference), "{receipt}");
    }
    // It has its receipt: nothing is queued, and the registrar sees the same reference.
    assert_eq!(reference(CITIZEN), queued[0].1.replace("=queued", "=repeated"));
    let again = lab.delivered(MAILBOX, 3);
    assert_eq!(again.iter().filter(|file| file.contains(queued[0].1.rsplit(' ').next().unwrap())).count(), 2);
    letters(&lab, 2, "sent");
    lab.delivered(CITIZEN, 1);
}

#[test]
fn the_outbox_is_worked_on_beside_the_program_and_without_it() {
    let mut lab = Lab::start(&rules("").replace("\"2 s\"", "\"10 min\""));
    let reply = lab.outside().send(CITIZEN, &[MAILBOX], &case("1", ""));
    assert!(reply.starts_with("250 "), "{reply}");
    let reference = letters(&lab, 1, "pending")[0]["reference"].as_str().unwrap().to_owned();
    lab.postvakt.receipts(&["cancel", &reference]);
    letters(&lab, 1, "cancelled");
    lab.postvakt.kill();
    let asked = lab.postvakt.receipts(&["retry", &reference]).remove(0);
    assert_eq!(asked["waits"], true);
    lab.postvakt.restart();
    letters(&lab, 1, "sent");
    lab.delivered(CITIZEN, 1);
    // What was sent stays sent, and whoever asks is told so.
    // A program that has no time to answer lets the request wait, which is no refusal.
    let refused = || (!lab.postvakt.try_receipts(&["cancel", &reference])).then_some(());
    until("a refusal", &lab.postvakt.log, refused);
    assert!(!lab.postvakt.try_receipts(&["show", "PV-2026-NOSUCH"]));
    letters(&lab, 1, "sent");
    lab.delivered(CITIZEN, 1);
}

#[test]
fn only_whom_their_domain_vouches_for_is_answered() {
    let dns = Dns::start(&[
        ("example.org", "v=spf1 ip4:192.0.2.25 -all"),
        ("_dmarc.example.org", "v=DMARC1; p=reject"),
        ("example.com", "v=spf1 ip4:198.51.100.1 -all"),
        ("_dmarc.example.com", "v=DMARC1; p=none"),
        ("example.net", "v=spf1 -all"),
        ("_dmarc.example.net", "v=DMARC1; p=reject"),
    ]);
    let lab = Lab::start(&format!(
        "[dns]\nservers = [\"{}\"]\n[rules.receipt]\ndelay = \"2 s\"\n[[rules.receipt.mailboxes]]\n\
         address = \"{MAILBOX}\"\n",
        dns.address
    ));
    let send = |sender: &str, id: &str| {
        let header = format!("Message-ID: <{id}@example.org>\nDate: Mon, 02 Mar 2026 10:00:00 +0100\n");
        let reply = lab.outside().send(sender, &[MAILBOX], &message(sender, MAILBOX, "Bygglov", &header));
        lab.record_of(&reply)["receipt"].as_str().unwrap().to_owned()
    };
    // Both forged senders are let in: the mail may be a public record. They are only not answered.
    for (forged, id) in [("victim@example.com", "1"), ("victim@example.net", "2")] {
        assert_eq!(send(forged, id), format!("{MAILBOX}=suppressed unauthenticated"), "{forged}");
    }
    let said = send(CITIZEN, "3");
    assert!(said.starts_with(&format!("{MAILBOX}=queued PV-")), "{said}");
    letters(&lab, 1, "sent");
    lab.delivered(CITIZEN, 1);
    lab.delivered(MAILBOX, 3);
}

//! Rules about who writes to whom, through a real Postfix: authors whom nobody here knows, mail to very many, mail that is
//! too large; whoever sent it is told, and with `observe` nothing shows.

use rustix::process::Signal;

use super::{fields, python};
use crate::lab::{Lab, message, until};

const CITIZEN: &str = "x@example.org";
const SUPPLIER: &str = "arkiv@example.com";
const ANNA: &str = "anna@exempelby.se";
const INFO: &str = "info@exempelby.se";
const REGISTRATOR: &str = "registrator@exempelby.se";
const POSTMASTER: &str = "postmaster@exempelby.se";

/// What the log says of one mail: its verdict and what was found.
fn judged(lab: &Lab, reply: &str) -> (String, String) {
    let record = lab.record_of(reply);
    (record["verdict"].as_str().unwrap().to_owned(), record["findings"].to_string())
}

/// Judges a mail from outside by its author alone.
fn written_by(lab: &Lab, author: &str, to: &str) -> (String, String) {
    let reply = lab.outside().send("bounce@example.org", &[to], &message(author, to, "fråga", ""));
    judged(lab, &reply)
}

fn new() -> (String, String) {
    ("marked".to_owned(), "[\"first-contact=strong\"]".to_owned())
}

fn known() -> (String, String) {
    ("accepted".to_owned(), "[]".to_owned())
}

#[test]
fn an_author_is_new_once_to_everybody_here_and_after_a_crash() {
    let first = "[rules.first-contact]\nmode = \"enforce\"\nlearning = \"0 d\"\n";
    let refusing =
        "[rules.custom.stop]\nmode = \"enforce\"\naction = \"reject\"\nwhen = { subject = 'vägra' }\n";
    let mut lab = Lab::start(&format!("{first}{refusing}"));
    assert_eq!(written_by(&lab, CITIZEN, ANNA), new());
    assert_eq!(written_by(&lab, CITIZEN, ANNA), known());
    // A colleague has had mail from him, and that is enough; the address may be written otherwise.
    assert_eq!(written_by(&lab, "X@EXAMPLE.ORG", INFO), known());
    // The newest mail may come first into a mailbox.
    let marks = |mail: &String| fields(mail, "X-Postvakt-Suspicious").join("");
    let mut marked: Vec<String> = lab.delivered(ANNA, 2).iter().map(marks).collect();
    marked.sort();
    assert_eq!(marked, ["", "first-contact"]);
    assert_eq!(lab.delivered(INFO, 1).iter().map(marks).collect::<Vec<_>>(), [""]);
    // Whom somebody here wrote to is known before he answers.
    lab.inside().send(ANNA, &[SUPPLIER], &message(ANNA, SUPPLIER, "offert", ""));
    assert_eq!(written_by(&lab, SUPPLIER, INFO), known());
    // Whoever was refused was not let in, and is new when he comes again.
    let refused = message("y@example.org", ANNA, "vägra", "");
    assert!(lab.outside().send("y@example.org", &[ANNA], &refused).starts_with("550 "));
    assert_eq!(written_by(&lab, "y@example.org", ANNA), new());

    // The memory is on disk before the mail is accepted: whatever ends the program, it is there.
    lab.postvakt.signal(Signal::TERM);
    lab.postvakt.ended();
    lab.postvakt.restart();
    assert_eq!(written_by(&lab, "y@example.org", REGISTRATOR), known());
    assert_eq!(written_by(&lab, "z@example.org", ANNA), new());
    lab.postvakt.kill();
    // What asks for time to learn could not tell, and marks nothing; what is known stays known.
    lab.postvakt
        .write_rules(&first.replace("0 d", "30 d").replace("enforce\"", "enforce\"\nrecipient = '^anna@'"));
    lab.postvakt.restart();
    for known_author in [CITIZEN, SUPPLIER, "y@example.org", "z@example.org"] {
        assert_eq!(written_by(&lab, known_author, ANNA), known(), "{known_author}");
    }
    let untold = ("accepted".to_owned(), "[\"first-contact=unknown\"]".to_owned());
    assert_eq!(written_by(&lab, "v@example.org", ANNA), untold);
    assert_eq!(written_by(&lab, "w@example.org", INFO), known(), "nobody asked about mail to this mailbox");
}

/// The one letter that the sender was sent, as people read its subject.
fn notice(lab: &Lab, to: &str, others: usize) -> String {
    let all = lab.delivered(to, others + 1);
    let mut notices = all.into_iter().filter(|mail| fields(mail, "Auto-Submitted") == ["auto-generated"]);
    let notice = notices.next().unwrap();
    assert!(notices.next().is_none() && notice.starts_with("Return-Path: <>\n"), "{notice}");
    notice
}

/// How many letters the program has written, sent or not. They are stored with the record of their mail.
fn letters(lab: &Lab) -> usize {
    lab.postvakt.receipts(&["list"]).len()
}

#[test]
fn one_mail_to_very_many_is_marked_and_its_sender_told_once() {
    let lab = Lab::start("[rules.mass-mailing]\nmode = \"enforce\"\nrecipients = 3\n");
    let everybody = [INFO, REGISTRATOR, POSTMASTER];
    let mass = ("marked".to_owned(), "[\"mass-mailing=strong\"]".to_owned());
    let mut smtp = lab.inside();
    for _ in 0..2 {
        let reply = smtp.send(ANNA, &everybody, &message(ANNA, INFO, "Tårta i fikarummet", ""));
        assert_eq!(judged(&lab, &reply), mass);
    }
    for mail in everybody.iter().flat_map(|to| lab.delivered(to, 2)) {
        assert_eq!(fields(&mail, "X-Postvakt-Suspicious"), ["mass-mailing"], "{mail}");
    }
    let notice = notice(&lab, ANNA, 0);
    assert_eq!(python(&["subject"], notice.as_bytes()), "Ditt meddelande har många mottagare");
    assert!(python(&["text"], notice.as_bytes()).contains("\"Tårta i fikarummet\""), "{notice}");
    assert_eq!(letters(&lab), 1);
    // It is about people here who write to people here.
    let from_outside = lab.outside().send(CITIZEN, &everybody, &message(CITIZEN, INFO, "fråga", ""));
    assert_eq!(judged(&lab, &from_outside), known());
    let outward =
        lab.inside().send(INFO, &[CITIZEN, "y@example.org", SUPPLIER], &message(INFO, CITIZEN, "nytt", ""));
    assert_eq!(judged(&lab, &outward), known());
}

#[test]
fn many_small_mails_are_held_and_their_sender_told_once() {
    let rules = "[rules.mass-mailing]\nmode = \"enforce\"\naction = \"hold\"\nrecipients = 3\n";
    let mut lab = Lab::start(rules);
    let send = |lab: &Lab, from: &str, to: &str| {
        let reply = lab.inside().send(from, &[to], &message(from, to, "Läs detta", ""));
        judged(lab, &reply)
    };
    let held = ("held".to_owned(), "[\"mass-mailing=strong\"]".to_owned());
    // A talk between three stays one, however long it is.
    for to in [INFO, REGISTRATOR, INFO, REGISTRATOR, INFO] {
        assert_eq!(send(&lab, ANNA, to), known(), "{to}");
    }
    assert_eq!(send(&lab, ANNA, POSTMASTER), held);
    assert_eq!(send(&lab, ANNA, POSTMASTER), held);
    assert_eq!(send(&lab, INFO, POSTMASTER), known(), "others may go on");
    assert_eq!(lab.postfix.held().len(), 2, "{lab}");
    let text = python(&["text"], notice(&lab, ANNA, 0).as_bytes());
    assert!(text.contains("Meddelandet finns kvar hos oss"), "{text}");
    assert_eq!(letters(&lab), 1);
    // What is on hold is there to be released.
    for id in lab.postfix.held() {
        lab.postfix.release(&id);
    }
    lab.delivered(POSTMASTER, 3);
    // A restart forgets the number, as the rule's page says, and not that the sender was told.
    lab.postvakt.kill();
    lab.postvakt.restart();
    assert_eq!(send(&lab, ANNA, REGISTRATOR), known());
    assert_eq!(send(&lab, ANNA, INFO), known());
    assert_eq!(send(&lab, ANNA, POSTMASTER), held);
    assert_eq!(letters(&lab), 1);
}

/// A mail with an attachment of so many octets.
fn with_attachment(from: &str, to: &str, id: &str, octets: usize) -> String {
    // Three octets in four characters; a line has 19 groups of them.
    let (groups, rest) = (octets / 3, octets % 3);
    let mut encoded = vec!["AAAA"; groups];
    encoded.extend([[].as_slice(), &["AA=="], &["AAA="]][rest]);
    let lines: Vec<String> = encoded.chunks(19).map(<[&str]>::concat).collect();
    let header = format!(
        "Message-ID: <{id}@exempelby.se>\nMIME-Version: 1.0\n\
         Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n"
    );
    let attached = format!(
        "--b\nContent-Type: image/png; name=karta.png\nContent-Transfer-Encoding: base64\n\
         Content-Disposition: attachment; filename=karta.png\n\n{}\n--b--\n",
        lines.join("\n")
    );
    message(from, to, "Karta", &header) + &attached
}

#[test]
fn a_mail_that_leaves_too_large_is_marked_or_held_and_its_sender_told() {
    let rules = "[rules.large-attachment]\nmode = \"enforce\"\nabove = \"100 kB\"\n";
    let lab = Lab::start(rules);
    let mut inside = lab.inside();
    let large = |verdict: &str| (verdict.to_owned(), "[\"large-attachment=certain\"]".to_owned());
    // Just at the limit, inside, and from outside: nothing.
    let reply = inside.send(ANNA, &[CITIZEN], &with_attachment(ANNA, CITIZEN, "just", 100_000));
    assert_eq!(judged(&lab, &reply), known());
    let reply = inside.send(ANNA, &[INFO], &with_attachment(ANNA, INFO, "inside", 200_000));
    assert_eq!(judged(&lab, &reply), known());
    let reply = lab.outside().send(CITIZEN, &[INFO], &with_attachment(CITIZEN, INFO, "outside", 200_000));
    assert_eq!(judged(&lab, &reply), known());
    assert_eq!(letters(&lab), 0);
    for id in ["one", "two"] {
        let reply = inside.send(ANNA, &[CITIZEN], &with_attachment(ANNA, CITIZEN, id, 100_001));
        assert_eq!(judged(&lab, &reply), large("marked"));
    }
    let mut left = lab.delivered(CITIZEN, 3);
    left.retain(|mail| fields(mail, "X-Postvakt-Suspicious") == ["large-attachment"]);
    assert_eq!(left.len(), 2);
    let first = notice(&lab, ANNA, 0);
    assert_eq!(python(&["subject"], first.as_bytes()), "Ditt meddelande har stora bilagor");
    assert!(python(&["text"], first.as_bytes()).contains("Det har skickats"), "{first}");
    assert_eq!(letters(&lab), 1, "once a day, for a mail that left");

    // Whoever takes a mail for sent that waits is told of each; not twice of one that was tried twice.
    lab.postvakt.write_rules(&format!("{rules}action = \"hold\"\n"));
    lab.postvakt.signal(Signal::HUP);
    until("the new config", &lab, || {
        let reply = lab.inside().send(INFO, &[CITIZEN], &with_attachment(INFO, CITIZEN, "probe", 100_001));
        (judged(&lab, &reply).0 == "held").then_some(())
    });
    let before = letters(&lab);
    for id in ["three", "four", "four"] {
        let reply = inside.send(ANNA, &[CITIZEN], &with_attachment(ANNA, CITIZEN, id, 100_001));
        assert_eq!(judged(&lab, &reply), large("held"));
    }
    assert_eq!(letters(&lab), before + 2);
    let told = lab.delivered(ANNA, 3);
    let waits = |mail: &&String| python(&["text"], mail.as_bytes()).contains("har inte skickats än");
    assert_eq!(told.iter().filter(waits).count(), 2);
}

#[test]
fn what_only_observes_writes_nothing_to_the_mail() {
    let lab = Lab::start(
        "[rules.first-contact]\nmode = \"observe\"\nlearning = \"0 d\"\nsubject_tag = \"[NY]\"\n\
         [rules.mass-mailing]\nmode = \"observe\"\naction = \"hold\"\nrecipients = 2\n\
         [rules.large-attachment]\nmode = \"observe\"\naction = \"hold\"\nabove = \"1 kB\"\n",
    );
    let found = |reply: &str| {
        let (verdict, findings) = judged(&lab, reply);
        assert_eq!(verdict, "accepted", "{findings}");
        findings
    };
    let reply = lab.outside().send(CITIZEN, &[ANNA], &message(CITIZEN, ANNA, "Karta", ""));
    assert_eq!(found(&reply), "[\"first-contact=strong\"]");
    let reply = lab.inside().send(ANNA, &[INFO, REGISTRATOR], &message(ANNA, INFO, "Karta", ""));
    assert_eq!(found(&reply), "[\"mass-mailing=strong\"]");
    let reply = lab.inside().send(INFO, &[CITIZEN], &with_attachment(INFO, CITIZEN, "large", 2_000));
    assert_eq!(found(&reply), "[\"large-attachment=certain\"]");
    for mail in [ANNA, INFO, REGISTRATOR, CITIZEN].iter().flat_map(|to| lab.delivered(to, 1)) {
        assert_eq!(fields(&mail, "Subject"), ["Karta"], "{mail}");
        assert!(fields(&mail, "X-Postvakt-Suspicious").is_empty(), "{mail}");
    }
    assert_eq!((letters(&lab), lab.postfix.held().len()), (0, 0));
}

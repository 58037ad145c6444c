//! `auto-forward`, mechanism by mechanism, and what only looks like one.

use crate::facts::testing::{from_inside, from_outside, seen};
use crate::facts::{Cause, Fact, Facts};

use super::*;

const CITIZEN: &str = "From: medborgare@example.org\nMessage-ID: <1@example.org>";

fn check(facts: &Facts) -> String {
    let word = |finding: &Finding| match finding {
        Finding::Match(found) => format!("{} {}", found.grade.as_str(), found.evidence),
        Finding::Unknown(cause) => format!("unknown {}", cause.as_str()),
    };
    AutoForward.check(facts).iter().map(word).collect::<Vec<_>>().join("; ")
}

/// Mail from the citizen's address, sent on by a host inside to a private address, with these fields more.
fn redirected(fields: &str) -> Facts {
    from_inside(
        "<medborgare@example.org>",
        "x@example.net",
        &format!("{CITIZEN}\n{fields}").trim_end().replace("\n\n", "\n"),
    )
}

#[test]
fn each_mechanism_by_its_trace() {
    for (fields, expected) in [
        ("X-Sieve-Redirected-From: anna@exempelby.se", "certain sieve"),
        ("X-Zimbra-Forwarded: anna@exempelby.se", "certain zimbra"),
        ("X-MS-Exchange-Inbox-Rules-Loop: anna@exempelby.se", "certain exchange-inbox-rule"),
        (
            "X-MS-Exchange-ForwardingLoop: anna@exempelby.se;00000000-0000-0000-0000-000000000001",
            "certain exchange-forwarding",
        ),
        (
            "x-ms-mail-application: Microsoft Power Automate; User-Agent: azure-logic-apps/1.0\n\
             x-ms-mail-operation-type: Forward",
            "certain power-automate",
        ),
        ("Resent-From: anna@exempelby.se", "strong resent"),
        (
            "Resent-From: anna@exempelby.se\nX-MS-Exchange-Inbox-Rules-Loop: anna@exempelby.se",
            "certain exchange-inbox-rule,resent",
        ),
        ("", ""),
        ("X-Forwarded-Encrypted: i=1; AJvYcCW@example.org", ""),
        ("X-Sieve-Redirected-From: kurt@example.com", ""),
    ] {
        let found = check(&redirected(fields));
        let sorted = |text: &str| {
            let mut words: Vec<String> = text.split([' ', ',']).map(str::to_owned).collect();
            words.sort();
            words
        };
        assert_eq!(sorted(&found), sorted(expected), "{fields}");
    }
}

#[test]
fn rewritten_envelope_senders() {
    let srs = from_inside("<SRS0=HHH=TT=example.org=medborgare@exempelby.se>", "x@example.net", CITIZEN);
    assert_eq!(check(&srs), "certain srs");
    let foreign = from_inside("<SRS0=HHH=TT=example.org=medborgare@example.com>", "x@example.net", CITIZEN);
    assert_eq!(check(&foreign), "");
}

#[test]
fn a_message_that_came_from_outside_and_leaves_again() {
    let mut facts = redirected("");
    facts.seen = Fact::Known(Some(seen("medborgare@example.org", &["anna@exempelby.se"])));
    let findings = AutoForward.check(&facts);
    let [Finding::Match(found)] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((found.grade, found.evidence.as_str()), (Grade::Certain, "message-id"));
    assert_eq!(
        (found.mailboxes[0].as_str(), found.recipients.as_slice()),
        ("anna@exempelby.se", [0].as_slice())
    );
}

#[test]
fn back_to_its_author_is_no_forward() {
    let mut facts = from_inside("<anna@exempelby.se>", "medborgare@example.org", CITIZEN);
    facts.seen = Fact::Known(Some(seen("medborgare@example.org", &["anna@exempelby.se"])));
    assert_eq!(check(&facts), "");
}

#[test]
fn the_envelope_sender_is_the_likeliest_mailbox() {
    let mut facts = from_inside("<bertil@exempelby.se>", "x@example.net", CITIZEN);
    facts.seen =
        Fact::Known(Some(seen("medborgare@example.org", &["anna@exempelby.se", "bertil@exempelby.se"])));
    let findings = AutoForward.check(&facts);
    let [Finding::Match(found)] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!(found.mailboxes[0].as_str(), "bertil@exempelby.se");
}

#[test]
fn only_the_external_recipients_are_concerned() {
    let mut facts = from_inside("<medborgare@example.org>", "bertil@exempelby.se x@example.net", CITIZEN);
    facts.seen = Fact::Known(Some(seen("medborgare@example.org", &["anna@exempelby.se"])));
    let findings = AutoForward.check(&facts);
    let [Finding::Match(found)] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!(found.recipients, [1]);
}

#[test]
fn out_of_office_replies_carry_the_same_field_and_are_none() {
    let reply = "From: anna@exempelby.se\nMessage-ID: <2@exempelby.se>\nIn-Reply-To: <1@example.org>\n\
                 X-MS-Exchange-Inbox-Rules-Loop: anna@exempelby.se\nX-Auto-Response-Suppress: All\n\
                 Auto-Submitted: auto-generated";
    assert_eq!(check(&from_inside("<>", "medborgare@example.org", reply)), "");
    // Where the answered message is remembered, the recipient decides and not the shape.
    let mut known = from_inside("<>", "x@example.net", reply);
    known.answered = Fact::Known(Some(seen("medborgare@example.org", &["anna@exempelby.se"])));
    assert_eq!(check(&known), "certain exchange-inbox-rule");
}

#[test]
fn what_people_and_systems_send_is_no_forward() {
    for (name, sender, header) in [
        (
            "a meeting forwarded by a person",
            "<anna@exempelby.se>",
            "From: arrangor@example.org\nSender: anna@exempelby.se\nMessage-ID: <1@example.org>\n\
             X-MS-Exchange-MeetingForward-Message: Forward\nX-MS-Exchange-Inbox-Rules-Loop: anna@exempelby.se",
        ),
        (
            "a post of our own list",
            "<nyheter-bounces@exempelby.se>",
            "From: medborgare@example.org\nMessage-ID: <1@example.org>\nList-Id: Nyheter <nyheter.exempelby.se>\n\
             X-Sieve-Redirected-From: nyheter@exempelby.se",
        ),
        (
            "a bounce of ours",
            "<>",
            "From: MAILER-DAEMON@exempelby.se\nMessage-ID: <3@exempelby.se>\nX-Sieve-Redirected-From: anna@exempelby.se\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=b",
        ),
        (
            "a person's own forward",
            "<anna@exempelby.se>",
            "From: anna@exempelby.se\nMessage-ID: <4@exempelby.se>\nSubject: VB: hej\nReferences: <1@example.org>\n\
             X-Forwarded-Message-Id: <1@example.org>",
        ),
    ] {
        assert_eq!(check(&from_inside(sender, "x@example.net", header)), "", "{name}");
    }
}

#[test]
fn mail_from_outside_or_to_inside_is_not_looked_at() {
    let trace = format!("{CITIZEN}\nX-Sieve-Redirected-From: anna@exempelby.se");
    assert_eq!(check(&from_outside("<medborgare@example.org>", "anna@exempelby.se", &trace)), "");
    assert_eq!(check(&from_inside("<anna@exempelby.se>", "bertil@exempelby.se", &trace)), "");
}

#[test]
fn a_memory_that_does_not_answer_is_said() {
    let mut facts = redirected("");
    facts.seen = Fact::Unavailable(Cause::Store);
    assert_eq!(check(&facts), "unknown store");
    let mut facts = redirected("X-Sieve-Redirected-From: anna@exempelby.se");
    facts.seen = Fact::Unavailable(Cause::Store);
    assert_eq!(check(&facts), "certain sieve");
}

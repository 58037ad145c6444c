//! `auto-forward`, mechanism by mechanism, and what only looks like one.

use crate::facts::identity::By;
use crate::facts::testing::{from_inside, from_outside, seen};
use crate::facts::{Cause, Fact, Facts};
use crate::rules::Confidence;

use super::*;

mod property;
mod whose;

const CITIZEN: &str = "From: medborgare@example.org\nMessage-ID: <1@example.org>";

fn rule() -> AutoForward {
    AutoForward { memory_days: 14, systems: vec!["10.0.3.0/24".parse().unwrap()] }
}

fn check(facts: &Facts) -> String {
    let word = |finding: &Finding| match finding {
        Finding::Match(found) => format!("{} {}", found.grade.as_str(), found.evidence),
        Finding::Unknown(cause) => format!("unknown {}", cause.as_str()),
    };
    rule().check(facts).iter().map(word).collect::<Vec<_>>().join("; ")
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
        ("X-MS-Exchange-ForwardingLoop: ForwardingHandled;1", "strong exchange-forwarding,foreign-from"),
        ("X-MS-Exchange-Transport-Rules-Loop: 1", "strong exchange-transport-rule,foreign-from"),
        ("X-MS-Exchange-Organization-AutoForwarded: true", "certain outlook-rule"),
        (
            "x-ms-mail-application: Microsoft Power Automate; User-Agent: azure-logic-apps/1.0\n\
             x-ms-mail-operation-type: Forward",
            "certain power-automate",
        ),
        ("X-Forwarded-To: x@example.net\nX-Forwarded-For: anna@exempelby.se x@example.net", "certain gmail"),
        ("X-Yandex-Forward: 0123456789abcdef", "strong yandex,foreign-from"),
        ("X-MailRu-Forward: 1", "strong mail-ru,foreign-from"),
        ("From-Rewrite: rewritten was: [x@example.org], forwarded message", "strong cpanel,foreign-from"),
        ("Auto-Submitted: auto-forwarded", "strong auto-forwarded,foreign-from"),
        ("X-MailFwdBy: anna@exempelby.se", "certain mail-fwd-by"),
        ("X-MailFwdBy: FwdApp 1.0", "strong mail-fwd-by,foreign-from"),
        ("Resent-From: anna@exempelby.se", "strong resent,foreign-from"),
        (
            "Resent-From: anna@exempelby.se\nX-MS-Exchange-Inbox-Rules-Loop: anna@exempelby.se",
            "certain exchange-inbox-rule,resent",
        ),
        ("Delivered-To: anna@mail.exempelby.se", "strong foreign-from,delivered-to"),
        ("DKIM-Signature: v=1; d=example.org; b=Ab3+", "strong foreign-from,foreign-dkim"),
        (
            "Received: by mail.exempelby.se (Postfix); Mon, 2 Mar 2026 09:15:01 +0100\n\
             Received: from a (a [192.0.2.10]) by mx.exempelby.se (Postfix) for <anna@exempelby.se>; Mon",
            "strong foreign-from,in-then-out",
        ),
        // Somebody else's traces, and none at all: what is left is that nobody inside wrote it.
        ("", "strong foreign-from"),
        ("X-Forwarded-Encrypted: i=1; AJvYcCW@example.org", "strong foreign-from"),
        ("X-Forwarded-For: 192.0.2.7", "strong foreign-from"),
        ("X-Sieve-Redirected-From: kurt@example.com", "strong foreign-from"),
        ("Delivered-To: kurt@example.com", "strong foreign-from"),
    ] {
        assert_eq!(check(&redirected(fields)), expected, "{fields}");
    }
}

#[test]
fn rewritten_envelope_senders() {
    for (sender, expected) in [
        ("<SRS0=HHH=TT=example.org=medborgare@exempelby.se>", "certain srs"),
        ("<bounces+SRS=44ldt=IX@exempelby.se>", "certain srs"),
        ("<anna+caf_=x=example.net@exempelby.se>", "certain gmail"),
        ("<SRS0=HHH=TT=example.org=medborgare@example.com>", "strong foreign-from"),
        ("<SRS0=HHH=TT=exempelby.se=bertil@exempelby.se>", "strong foreign-from"),
        ("<nyhet+medborgare=example.org@exempelby.se>", "strong foreign-from"),
    ] {
        assert_eq!(check(&from_inside(sender, "x@example.net", CITIZEN)), expected, "{sender}");
    }
}

#[test]
fn one_who_is_inside_excuses_what_is_only_likely() {
    let dkim = "DKIM-Signature: v=1; d=tenant.example.com; b=Ab3+";
    let own = format!("From: anna@exempelby.se\nMessage-ID: <1@exempelby.se>\n{dkim}");
    assert_eq!(check(&from_inside("<anna@exempelby.se>", "x@example.net", &own)), "");
    // Not all recipients are outside, but the signature is the author's.
    let mixed =
        from_inside("<x@example.org>", "bertil@exempelby.se x@example.net", &format!("{CITIZEN}\n{dkim}"));
    assert_eq!(check(&mixed), "strong foreign-dkim");
    let mixed = from_inside("<x@example.org>", "bertil@exempelby.se x@example.net", CITIZEN);
    assert_eq!(check(&mixed), "");
}

#[test]
fn a_message_that_came_from_outside_and_leaves_again() {
    let mut facts = redirected("");
    facts.seen = Fact::Known(Some(seen("medborgare@example.org", &["anna@exempelby.se"])));
    let findings = rule().check(&facts);
    let [Finding::Match(found)] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((found.grade, found.evidence.as_str()), (Confidence::Certain, "message-id"));
    assert_eq!(
        (found.mailboxes[0].as_str(), found.recipients.as_slice()),
        ("anna@exempelby.se", [0].as_slice())
    );
}

#[test]
fn redirected_by_hand_or_at_once() {
    let resent = |at: &str| {
        let mut facts = redirected("Resent-From: Anna <anna@exempelby.se>");
        let at = at.parse().unwrap();
        facts.seen = Fact::Known(Some(Seen { at, ..seen("medborgare@example.org", &["anna@exempelby.se"]) }));
        facts
    };
    // A person's mail program leaves the same trace as a rule; only the time tells.
    assert_eq!(check(&resent("2026-03-02T08:00:00Z")), "strong message-id,resent,foreign-from");
    assert_eq!(check(&resent("2026-03-02T08:59:40Z")), "certain message-id,resent");
}

#[test]
fn what_its_author_sends_once_more_is_hers() {
    // A list outside sent it back to us between the first and the second try.
    let mut facts = from_inside(
        "<anna@exempelby.se>",
        "x@example.net",
        "From: anna@exempelby.se\nMessage-ID: <1@exempelby.se>",
    );
    facts.seen = Fact::Known(Some(seen("list-bounces@example.org", &["bertil@exempelby.se"])));
    assert_eq!(check(&facts), "");
    let mut by_list = from_inside(
        "<list-bounces@example.org>",
        "x@example.net",
        "From: anna@exempelby.se\nMessage-ID: <1@exempelby.se>",
    );
    by_list.seen = facts.seen;
    assert_eq!(check(&by_list), "certain message-id");
}

#[test]
fn messages_in_messages() {
    let new = "From: anna@exempelby.se\nMessage-ID: <2@exempelby.se>";
    let with = |by: By, at: &str, sender: &str, repeats: u32| {
        let mut facts = from_inside(sender, "x@example.net", new);
        let at = at.parse().unwrap();
        facts.contained =
            Fact::Known(Some(Seen { by, at, ..seen("medborgare@example.org", &["anna@exempelby.se"]) }));
        facts.repeats = repeats;
        check(&facts)
    };
    let (at_once, before, anna) = ("2026-03-02T08:59:55Z", "2026-03-01T09:00:00Z", "<anna@exempelby.se>");
    assert_eq!(with(By::MessageId, at_once, anna, 0), "strong attached-message");
    assert_eq!(with(By::MessageId, before, anna, 0), "weak attached-message");
    assert_eq!(with(By::MessageId, before, anna, 9), "weak attached-message,repeated");
    assert_eq!(with(By::Attachment, at_once, anna, 0), "weak attachment");
    assert_eq!(with(By::Attachment, at_once, anna, 9), "strong attachment,repeated");
    assert_eq!(with(By::Attachment, before, "<bertil@exempelby.se>", 9), "", "it did not come to him");
    let mut back = from_inside(anna, "medborgare@example.org", new);
    back.contained = Fact::Known(Some(seen("medborgare@example.org", &["anna@exempelby.se"])));
    assert_eq!(check(&back), "", "to its author");
}

#[test]
fn forwards_of_a_person_and_of_a_program() {
    let forward = |fields: &str, at: &str, repeats: u32| {
        let new = format!(
            "From: anna@exempelby.se\nMessage-ID: <2@exempelby.se>\nIn-Reply-To: <1@example.org>\n{fields}"
        );
        let mut facts = from_inside("<anna@exempelby.se>", "x@example.net", &new);
        let at = at.parse().unwrap();
        facts.answered =
            Fact::Known(Some(Seen { at, ..seen("medborgare@example.org", &["anna@exempelby.se"]) }));
        facts.repeats = repeats;
        check(&facts)
    };
    let (at_once, before) = ("2026-03-02T08:59:55Z", "2026-03-02T08:00:00Z");
    assert_eq!(forward("Subject: VB: Hej", at_once, 0), "weak forwarded-soon");
    assert_eq!(forward("X-Forwarded-Message-Id: <1@example.org>", at_once, 0), "weak forwarded-soon");
    assert_eq!(forward("Subject: VB: Hej", before, 9), "");
    assert_eq!(forward("Subject: SV: Hej", at_once, 9), "");
    assert_eq!(
        forward("Subject: VB: Hej", at_once, limits::FORWARD_REPEATS),
        "strong forwarded-soon,repeated"
    );
}

#[test]
fn systems_that_send_on_by_design() {
    let mut facts = redirected("X-Sieve-Redirected-From: anna@exempelby.se");
    facts.client.address = Some("10.0.3.7".parse().unwrap());
    assert_eq!(check(&facts), "");
    facts.client.address = Some("::ffff:10.0.4.7".parse().unwrap());
    assert_eq!(check(&facts), "certain sieve");
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
    let findings = rule().check(&facts);
    let [Finding::Match(found)] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!(found.mailboxes[0].as_str(), "bertil@exempelby.se");
}

#[test]
fn only_the_external_recipients_are_concerned() {
    let mut facts = from_inside("<medborgare@example.org>", "bertil@exempelby.se x@example.net", CITIZEN);
    facts.seen = Fact::Known(Some(seen("medborgare@example.org", &["anna@exempelby.se"])));
    let findings = rule().check(&facts);
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
             X-MS-Exchange-MeetingForward-Message: Forward",
        ),
        (
            "a post of our own list",
            "<nyheter-bounces@exempelby.se>",
            "From: medborgare@example.org\nMessage-ID: <1@example.org>\nList-Id: Nyheter <nyheter.exempelby.se>\n\
             X-Sieve-Redirected-From: nyheter@exempelby.se",
        ),
        (
            "a post that a tag for each reader tells apart",
            "<nyheter-bounces+x=example.net@exempelby.se>",
            "From: medborgare@example.org\nMessage-ID: <1@example.org>\nPrecedence: list",
        ),
        (
            "a bounce of ours",
            "<>",
            "From: MAILER-DAEMON@exempelby.se\nMessage-ID: <3@exempelby.se>\n\
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
fn what_a_member_or_a_colleague_got_is_forwarded_by_whom_the_trace_names() {
    let post = "From: medborgare@example.org\nMessage-ID: <1@example.org>\nPrecedence: list\n\
                List-Id: Nyheter <nyheter.exempelby.se>";
    // Bare, and with a trace. Pigeonhole keeps the list's envelope sender.
    assert_eq!(check(&from_inside("<anna@exempelby.se>", "x@example.net", post)), "strong foreign-from");
    for sender in ["<anna@exempelby.se>", "<nyheter-bounces@exempelby.se>", "<>"] {
        let header = format!("{post}\nX-Sieve-Redirected-From: anna@exempelby.se");
        let found = check(&from_inside(sender, "x@example.net", &header));
        assert!(found.starts_with("certain sieve"), "{sender} {found}");
    }
    // It came for the list, and the list hands it out: that is no copy; a member's redirect is one.
    let copy = |sender: &str| {
        let mut facts = from_inside(sender, "x@example.net", post);
        facts.seen = Fact::Known(Some(seen("medborgare@example.org", &["nyheter@exempelby.se"])));
        check(&facts)
    };
    assert_eq!(copy("<nyheter-bounces@exempelby.se>"), "");
    assert_eq!(copy("<anna@exempelby.se>"), "certain message-id");
    let meeting = "From: arrangor@example.org\nSender: bodil@exempelby.se\nMessage-ID: <1@example.org>\n\
                   X-MS-Exchange-MeetingForward-Message: Forward\nX-MS-Exchange-Inbox-Rules-Loop: anna@exempelby.se";
    assert_eq!(
        check(&from_inside("<anna@exempelby.se>", "x@example.net", meeting)),
        "certain exchange-inbox-rule"
    );
    let bounce = "From: MAILER-DAEMON@exempelby.se\nX-Sieve-Redirected-From: anna@exempelby.se\n\
                  Content-Type: multipart/report; report-type=delivery-status; boundary=b";
    assert_eq!(check(&from_inside("<>", "x@example.net", bounce)), "certain sieve");
}

#[test]
fn a_loop_field_names_several_nobody_or_the_tenant() {
    let own = "From: anna@exempelby.se\nMessage-ID: <2@exempelby.se>";
    let sent = |fields: &str| {
        check(&from_inside("<anna@exempelby.se>", "x@example.net", &format!("{own}\n{fields}")))
    };
    for (fields, expected) in [
        (
            "X-MS-Exchange-Inbox-Rules-Loop: kurt@example.com, anna@exempelby.se",
            "certain exchange-inbox-rule",
        ),
        ("X-MS-Exchange-Inbox-Rules-Loop: kurt@example.com;anna@exempelby.se", "certain exchange-inbox-rule"),
        ("X-MS-Exchange-Inbox-Rules-Loop: 1", "strong exchange-inbox-rule"),
        ("X-MS-Exchange-Inbox-Rules-Loop:", "strong exchange-inbox-rule"),
        (
            "X-MS-Exchange-Inbox-Rules-Loop: anna@exempelbykommun.onmicrosoft.com",
            "strong exchange-inbox-rule",
        ),
        ("X-MS-Exchange-ForwardingLoop: ForwardingHandled;1", "strong exchange-forwarding"),
        ("X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent", "strong exchange-rules-agent"),
        (
            "Auto-Submitted: auto-generated\nX-MS-Exchange-Parent-Message-Id: <1@example.org>",
            "strong exchange-rules-agent",
        ),
        (
            "Subject: VB: Hej\nX-MS-Exchange-Inbox-Rules-Loop: 1\nX-MS-Exchange-Parent-Message-Id: <1@example.org>\n\
             X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent",
            "certain exchange-inbox-rule,exchange-rules-agent",
        ),
        // Programs of our own, and what people write.
        ("Auto-Submitted: auto-generated", ""),
        ("X-MS-Exchange-Parent-Message-Id: <1@example.org>\nSubject: SV: Hej", ""),
        ("X-MS-Exchange-Generated-Message-Source: Journal Agent", ""),
        ("X-Sieve-Redirected-From: kurt@example.com", ""),
    ] {
        assert_eq!(sent(fields), expected, "{fields}");
    }
    // Whatever an Exchange outside wrote by a rule there is a person's here.
    let outside = "From: kurt@example.com\nSubject: FW: Hej\nX-MS-Exchange-Parent-Message-Id: <1@example.org>\n\
                   X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent";
    assert_eq!(check(&from_inside("<anna@exempelby.se>", "x@example.net", outside)), "strong foreign-from");
}

#[test]
fn a_rule_that_goes_to_a_third_party_is_known_by_what_it_answers() {
    let header = "From: anna@exempelby.se\nMessage-ID: <2@exempelby.se>\nIn-Reply-To: <1@example.org>\n\
                  X-MS-Exchange-Parent-Message-Id: <1@example.org>\n\
                  X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent";
    let to = |recipient: &str| {
        let mut facts = from_inside("<anna@exempelby.se>", recipient, header);
        facts.answered = Fact::Known(Some(seen("medborgare@example.org", &["anna@exempelby.se"])));
        check(&facts)
    };
    assert_eq!(to("x@example.net"), "certain exchange-rules-agent");
    assert_eq!(to("medborgare@example.org"), "", "an answer by a template");
    assert_eq!(to("medborgare@example.org x@example.net"), "certain exchange-rules-agent");
}

#[test]
fn automatic_replies_by_their_form_and_by_what_they_say() {
    let reply = |sender: &str, fields: &str| {
        let header = format!(
            "From: anna@exempelby.se\nMessage-ID: <2@exempelby.se>\nX-MS-Exchange-Inbox-Rules-Loop: anna@exempelby.se\n\
             In-Reply-To: <1@example.org>\n{fields}"
        );
        check(&from_inside(sender, "medborgare@example.org", header.trim_end()))
    };
    assert_eq!(reply("<>", ""), "", "a forward leaves under the mailbox's name");
    assert_eq!(reply("<>", "Subject: VB: Autosvar: Hej"), "certain exchange-inbox-rule");
    let anna = "<anna@exempelby.se>";
    for sign in [
        "Auto-Submitted: auto-notified; owner-email=\"anna@exempelby.se\"",
        "Auto-Submitted: auto-replied",
        "X-Autoreply: yes",
        "X-Autorespond: x",
        "Precedence: auto_reply",
        "Subject: Autosvar: Hej",
        "Subject: Automatic reply: Hej",
    ] {
        // Its sender may be a forward's too: it is written down, and never stopped.
        assert_eq!(reply(anna, sign), "weak exchange-inbox-rule", "{sign}");
        assert_eq!(reply("<>", sign), "", "{sign}");
    }
    // What servers write on everything, and on what a rule forwards, tells nothing.
    for sign in [
        "X-Auto-Response-Suppress: All",
        "Auto-Submitted: auto-generated",
        "Auto-Submitted: auto-replied\nSubject: VB: Hej",
        "Precedence: bulk",
    ] {
        assert!(reply(anna, sign).starts_with("certain exchange-inbox-rule"), "{sign}");
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
    assert_eq!(check(&facts), "strong foreign-from; unknown store");
    let mut facts = redirected("X-Sieve-Redirected-From: anna@exempelby.se");
    facts.seen = Fact::Unavailable(Cause::Store);
    assert_eq!(check(&facts), "certain sieve");
}

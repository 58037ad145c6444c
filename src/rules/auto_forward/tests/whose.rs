//! Whose forward it is, and what was the organisation's own before it came back.

#![deny(clippy::disallowed_methods)]

use super::*;

#[test]
fn from_rewritten_into_the_forwarders_name() {
    let rewritten = |message_id: &str, by: By| {
        let header = format!("From: Kim via Anna <anna@exempelby.se>\nMessage-ID: {message_id}");
        let mut facts = from_inside("<anna@exempelby.se>", "x@example.net", &header);
        facts.seen = Fact::Known(Some(Seen { by, ..seen("medborgare@example.org", &["anna@exempelby.se"]) }));
        facts
    };
    assert_eq!(check(&rewritten("<1@example.org>", By::MessageId)), "certain message-id");
    assert_eq!(check(&rewritten("<1@example.org>", By::Signature)), "certain dkim-signature");
    assert_eq!(check(&rewritten("<2@exempelby.se>", By::Signature)), "certain dkim-signature");
    let findings = rule().check(&rewritten("<1@example.org>", By::MessageId));
    let [Finding::Match(found)] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!(found.mailboxes, [Address::parse("anna@exempelby.se").unwrap()]);
}

#[test]
fn what_comes_back_was_ours() {
    let newsletter = |sender: &str, fields: &str, mailboxes: &[&str]| {
        let header = format!("From: info@exempelby.se\nMessage-ID: <1@utskick.example>\n{fields}");
        let mut facts = from_inside(sender, "y@example.net", header.trim_end());
        let mut back = seen("laesare@example.org", mailboxes);
        back.authors.push(Address::parse("info@exempelby.se").unwrap());
        facts.seen = Fact::Known(Some(back));
        check(&facts)
    };
    for sender in [
        "<info@exempelby.se>",
        "<info+y=example.net@exempelby.se>",
        "<nyhetsbrev-bounces@exempelby.se>",
        "<utskick@exempelby.se>",
        "<>",
    ] {
        assert_eq!(newsletter(sender, "", &["anna@exempelby.se"]), "", "{sender}");
    }
    assert_eq!(newsletter("<info@exempelby.se>", "", &["info@exempelby.se"]), "");
    // A recipient of the mail from outside forwards it.
    assert_eq!(newsletter("<anna@exempelby.se>", "", &["anna@exempelby.se"]), "certain message-id");
    let came_in = "Received: by mail.exempelby.se (Postfix); Mon, 2 Mar 2026 09:15:01 +0100\n\
                   Received: from a (a [192.0.2.10]) by mx.exempelby.se (Postfix) for <alla@exempelby.se>; Mon";
    assert_eq!(newsletter("<anna@exempelby.se>", came_in, &["alla@exempelby.se"]), "certain message-id");
}

#[test]
fn a_rewritten_sender_of_a_colleague_is_the_forwarders_too() {
    let header = "From: bodil@exempelby.se\nMessage-ID: <2@exempelby.se>";
    let facts = from_inside("<eva+SRS=Ab=JL=exempelby.se=bodil@exempelby.se>", "x@example.net", header);
    let findings = rule().check(&facts);
    let [Finding::Match(found)] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((found.grade, found.evidence.as_str()), (Confidence::Certain, "srs"));
    assert_eq!(found.mailboxes, [Address::parse("eva@exempelby.se").unwrap()]);
    let own = from_inside("<bodil+SRS=Ab=JL=exempelby.se=bodil@exempelby.se>", "x@example.net", header);
    assert_eq!(check(&own), "");
}

#[test]
fn whose_forward_it_is() {
    let citizen = "<medborgare@example.org>";
    let found = |sender: &str, from: &str, fields: &str, came_for: &[&str]| {
        let header = format!("From: {from}\nMessage-ID: <1@example.org>\n{fields}");
        let mut facts = from_inside(sender, "x@example.net", header.trim_end());
        if !came_for.is_empty() {
            facts.seen = Fact::Known(Some(seen("medborgare@example.org", came_for)));
        }
        let findings = rule().check(&facts);
        let [Finding::Match(found)] = findings.as_slice() else { panic!("{sender} {fields}: {findings:?}") };
        found.mailboxes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    let (anna, out) = ("anna@exempelby.se", "medborgare@example.org");
    let handled = "X-MS-Exchange-ForwardingLoop: ForwardingHandled;1";
    let of_anna = "X-MS-Exchange-ForwardingLoop: anna@exempelby.se;1";
    // The envelope sender, and not the group, the alias or the tagged address that it came to.
    assert_eq!(found("<anna@exempelby.se>", out, "", &["info@exempelby.se", "bodil@exempelby.se"]), anna);
    assert_eq!(found("<anna@exempelby.se>", out, "", &["anna+upphandling@exempelby.se"]), anna);
    assert_eq!(found("<Anna+x@exempelby.se>", out, "", &["info@exempelby.se"]), "Anna@exempelby.se");
    assert_eq!(found("<anna+SRS=Ab=JL=example.org=medborgare@exempelby.se>", out, "", &[]), anna);
    // Some mechanisms keep the sender, and the sender may be a colleague.
    assert_eq!(found("<bodil@exempelby.se>", "bodil@exempelby.se", of_anna, &[]), anna);
    assert_eq!(found(citizen, out, of_anna, &["info@exempelby.se"]), anna);
    assert_eq!(found("<>", out, of_anna, &[]), anna);
    assert_eq!(found(citizen, out, "X-Sieve-Redirected-From: anna", &["anna+x@exempelby.se"]), "anna");
    // It is not certain.
    assert_eq!(found("<bodil@exempelby.se>", "bodil@exempelby.se", handled, &[]), "");
    assert_eq!(
        found(citizen, out, "", &["anna@exempelby.se", "bodil@exempelby.se"]),
        "anna@exempelby.se bodil@exempelby.se"
    );
    assert_eq!(found(citizen, out, "", &["info@exempelby.se"]), "info@exempelby.se");
    let by_hand = format!("Resent-From: bodil@exempelby.se\n{of_anna}");
    assert_eq!(found(citizen, out, &by_hand, &[]), "anna@exempelby.se bodil@exempelby.se");
    assert_eq!(
        found("<anna@exempelby.se>", out, "X-MS-Exchange-Inbox-Rules-Loop: info@exempelby.se", &[]),
        "info@exempelby.se anna@exempelby.se"
    );
}

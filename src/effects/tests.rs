//! What leaves the program, for what was decided.

use crate::facts::testing::{from_inside, from_outside, mail};
use crate::policy::{Decision, Mark, Refusal, Step};

use super::*;

fn id() -> RecordId {
    RecordId { node: "gw1".into(), epoch: 1, seq: 7 }
}

fn deciding(verdict: Verdict, steps: Vec<Step>) -> Decision {
    Decision { verdict, steps, ..Decision::default() }
}

/// Each edit in a few words.
fn words(answer: &Answer) -> Vec<String> {
    let word = |edit: &Edit| match edit {
        Edit::AddHeader { name, .. } => format!("add {name}"),
        Edit::InsertHeader { index, name, value } => format!("insert {index} {name}: {value}"),
        Edit::ChangeHeader { index, name, .. } => format!("change {index} {name}"),
        Edit::DeleteHeader { index, name } => format!("delete {index} {name}"),
        Edit::RemoveRecipient { raw } => format!("remove {}", String::from_utf8_lossy(raw)),
        Edit::AddRecipient { address } => format!("add {address}"),
        Edit::Quarantine { reason } => format!("hold {reason}"),
    };
    answer.edits.iter().map(word).collect()
}

fn answered(header: &str, client: &str, decision: &Decision) -> Answer {
    let mail = mail(client, "<medborgare@example.org>", "x@example.net anna@exempelby.se", header);
    let facts = crate::facts::extract::extract(
        &mail,
        &crate::facts::testing::organisation(),
        crate::facts::Needs::default(),
    );
    answer(&facts, &mail.envelope, decision, &id(), None)
}

#[test]
fn every_accepted_mail_gets_its_id_and_nothing_else() {
    let answer = answered("From: medborgare@example.org", "192.0.2.1", &Decision::default());
    assert_eq!(words(&answer), ["insert 1 X-Postvakt-Id: gw1-1-000000000007"]);
    assert_eq!(answer.refusal, None);
}

/// A mail with so many forged fields.
fn forging(count: usize, client: &str) -> (Facts, Envelope) {
    let fields = vec!["X-Postvakt-Id: a"; count];
    let mail = mail(client, "<medborgare@example.org>", "anna@exempelby.se", &fields.join("\n"));
    let organisation = crate::facts::testing::organisation();
    (crate::facts::extract::extract(&mail, &organisation, crate::facts::Needs::default()), mail.envelope)
}

#[test]
fn more_forged_fields_than_are_taken_out_are_refused() {
    let hold = || deciding(Verdict::Hold, vec![Step::Hold("x".into())]);
    let (facts, envelope) = forging(limits::FORGED_FIELDS, "192.0.2.1");
    let mut decision = hold();
    refuse_forged(&facts, &mut decision);
    assert_eq!(decision, hold());
    let edits = answer(&facts, &envelope, &decision, &id(), None).edits;
    let deleted = edits.iter().filter(|edit| matches!(edit, Edit::DeleteHeader { .. })).count();
    assert_eq!(deleted, limits::FORGED_FIELDS);
    // From inside too: only this program may write them, and a mail that passed here has one.
    for client in ["192.0.2.1", "10.1.2.3"] {
        let (facts, envelope) = forging(limits::FORGED_FIELDS + 1, client);
        let mut decision = hold();
        refuse_forged(&facts, &mut decision);
        let answer = answer(&facts, &envelope, &decision, &id(), None);
        let reply = answer.refusal.unwrap().to_milter();
        assert!(
            reply.starts_with("550 5.7.1 Brevhuvudet") && reply.contains("[gw1-1-000000000007]"),
            "{reply}"
        );
        assert_eq!(answer.edits, []);
        let record = record(&facts, &decision, "");
        assert_eq!(
            (record.outcome, record.findings),
            (Outcome::Rejected, vec!["forged-fields=certain".into()])
        );
    }
}

#[test]
fn forged_fields_go_from_the_highest_index_down() {
    let header = "X-Postvakt-Id: a\nx-POSTVAKT-id: b\nSubject: x\nX-Spam-Flag: NO\nX-Postvakt-Id: c\nx-spam-flag: NO\n\
                  X-Spammer: keep\nX-Postvakts: keep";
    let answer = answered(header, "192.0.2.1", &Decision::default());
    assert_eq!(
        words(&answer),
        [
            "delete 2 x-spam-flag",
            "delete 3 X-Postvakt-Id",
            "delete 1 X-Spam-Flag",
            "delete 2 x-POSTVAKT-id",
            "delete 1 X-Postvakt-Id",
            "insert 1 X-Postvakt-Id: gw1-1-000000000007",
        ]
    );
}

#[test]
fn what_comes_from_inside_keeps_what_we_wrote_when_it_passed_before() {
    let header = "X-Spam-Flag: YES\nX-Postvakt-Sensitive: class=none\nX-Postvakt-Receipt: PV-2026-7K3M9Q\n\
                  X-Postvakt-Original-Subject: x\nX-Postvakt-Id: a";
    let answer = answered(header, "10.1.2.3", &Decision::default());
    assert_eq!(words(&answer), ["delete 1 X-Postvakt-Id", "insert 1 X-Postvakt-Id: gw1-1-000000000007"]);
    let steps = vec![Step::Mark(Mark::Suspicious("custom.a".into()))];
    let again =
        answered("X-Postvakt-Suspicious: custom.a", "10.1.2.3", &deciding(Verdict::Mark, steps.clone()));
    assert_eq!(words(&again), ["insert 1 X-Postvakt-Id: gw1-1-000000000007"], "it says so already");
    let forged = answered("X-Postvakt-Suspicious: custom.a", "192.0.2.1", &deciding(Verdict::Mark, steps));
    assert_eq!(
        words(&forged),
        [
            "delete 1 X-Postvakt-Suspicious",
            "insert 1 X-Postvakt-Suspicious: custom.a",
            "insert 1 X-Postvakt-Id: gw1-1-000000000007",
        ]
    );
}

#[test]
fn marks_recipients_and_hold() {
    let steps = vec![
        Step::Mark(Mark::AutoForward("certain; evidence=sieve; mailbox=anna@exempelby.se".into())),
        Step::Mark(Mark::Suspicious("custom.a".into())),
        Step::Mark(Mark::Suspicious("custom.b".into())),
        Step::RemoveRecipient(0),
        Step::AddRecipient(crate::address::Address::parse("registrator@exempelby.se").unwrap()),
        Step::Hold("auto-forward".into()),
    ];
    let answer = answered("From: medborgare@example.org", "10.1.2.3", &deciding(Verdict::Hold, steps));
    assert_eq!(
        words(&answer),
        [
            "insert 1 X-Postvakt-Auto-Forward: certain; evidence=sieve; mailbox=anna@exempelby.se",
            "insert 1 X-Postvakt-Suspicious: custom.a, custom.b",
            "insert 1 X-Postvakt-Id: gw1-1-000000000007",
            "remove <x@example.net>",
            "add registrator@exempelby.se",
            "hold auto-forward",
        ]
    );
}

#[test]
fn a_refusal_names_the_record_and_edits_nothing() {
    let steps = vec![Step::Hold("custom.a".into()), Step::Reject(Refusal::Forward)];
    let answer = answered("X-Postvakt-Id: a", "10.1.2.3", &deciding(Verdict::Reject, steps));
    assert_eq!(answer.edits, []);
    assert_eq!(
        answer.refusal.unwrap().to_string(),
        "550 5.7.1 Automatisk vidarebefordran till extern adress ar inte tillaten \
         (Automatic forwarding to an external address is not allowed) [gw1-1-000000000007]"
    );
}

#[test]
fn deferring_is_temporary() {
    let answer = answered("From: a@example.org", "10.1.2.3", &deciding(Verdict::Defer, vec![Step::Defer]));
    assert_eq!(answer.refusal.unwrap().code(), 451);
    assert_eq!(not_stored().refusal.unwrap().code(), 451);
}

#[test]
fn only_mail_from_outside_that_was_let_in_is_remembered() {
    let header = "From: medborgare@example.org\nMessage-ID: <1@example.org>";
    let key = crate::facts::identity::IdentityKey::new(&[1; 32]);
    let with_identity = |mut facts: Facts| {
        facts.identity = Some(key.of(&facts.header, &[]));
        facts
    };
    let inbound = with_identity(from_outside("<medborgare@example.org>", "anna@exempelby.se", header));
    let row = remembered(&inbound, &Decision::default()).unwrap();
    assert!(row.mailboxes().eq(["anna@exempelby.se"]) && row.authors().eq(["medborgare@example.org"]));
    assert_eq!(remembered(&inbound, &deciding(Verdict::Reject, Vec::new())), None);
    let outbound = with_identity(from_inside("<anna@exempelby.se>", "x@example.net", header));
    assert_eq!(remembered(&outbound, &Decision::default()), None);
    let nameless = from_outside("<medborgare@example.org>", "anna@exempelby.se", "From: a@example.org");
    assert_eq!(remembered(&with_identity(nameless), &Decision::default()), None);
    let answered =
        "From: Bo <Medborgare@example.org>, a@example.org\nReply-To: b@example.org\nMessage-ID: <1@a>";
    let inbound = with_identity(from_outside("<medborgare@example.org>", "anna@exempelby.se", answered));
    let row = remembered(&inbound, &Decision::default()).unwrap();
    assert!(row.authors().eq(["medborgare@example.org", "a@example.org", "b@example.org"]));
}

#[test]
fn the_record_says_what_happened() {
    let facts =
        from_outside("<>", "anna@exempelby.se", "From: a@example.org\nSubject: =?utf-8?Q?H=C3=A4lsning?=");
    let record = record(&facts, &deciding(Verdict::Hold, Vec::new()), "0123456789abcdef");
    assert_eq!((record.sender.as_str(), record.subject.as_str()), ("<>", "Hälsning"));
    assert_eq!((record.outcome, record.queue_id.as_str()), (Outcome::Held, "4F1234"));
    assert_eq!(record.client, "192.0.2.1");
}

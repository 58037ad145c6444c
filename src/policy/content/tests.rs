//! What follows from a custom rule: recipients, marks and notices, by what its section says.

use jiff::civil::date;

use super::*;
use crate::facts::testing::{from_inside, from_outside};
use crate::policy::Notice;
use crate::rules::{Confidence, Evidence};

const RULE: &str = "custom.x";
const TODAY: Date = date(2026, 3, 2);

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn found(recipients: &[usize]) -> Match {
    Match {
        grade: Confidence::Strong,
        evidence: Evidence::of("subject"),
        mailboxes: Vec::new(),
        recipients: recipients.to_vec(),
    }
}

fn policy(action: ContentAction) -> ContentPolicy {
    ContentPolicy::only(action)
}

/// The verdict and the steps, in words.
fn decided(policy: &ContentPolicy, facts: &Facts, recipients: &[usize], hidden: &[usize]) -> String {
    let hidden = hidden.iter().copied().collect();
    let (verdict, steps) = decide(RULE, policy, &found(recipients), facts, &hidden, TODAY);
    let word = |step: &Step| match step {
        Step::RemoveRecipient(at) => format!("-{at}"),
        Step::AddRecipient(address) => format!("+{address}"),
        Step::Notify(Notice { to, .. }) => format!("tell {to}"),
        Step::Hold(_) => "hold".to_owned(),
        Step::Reject(Refusal::Content(own)) => match own {
            Some(own) => format!("reject {} {} 5.{}.{}", own.sv, own.en, own.status.0, own.status.1),
            None => "reject".to_owned(),
        },
        Step::Mark(Mark::Suspicious(rule)) => rule.clone(),
        Step::Mark(Mark::SubjectTag(tag)) => tag.clone(),
        Step::Mark(Mark::Field(name, value)) => format!("{name}:{value}"),
        Step::Mark(Mark::WithoutField(name)) => format!("without {name}"),
        other => panic!("{other:?}"),
    };
    let words: Vec<String> = steps.iter().map(word).collect();
    format!("{}: {}", verdict.as_str(), words.join(" "))
}

fn inbound(recipients: &str) -> Facts {
    from_outside("<x@example.org>", recipients, "From: x@example.org\nSubject: Hej")
}

#[test]
fn the_recipients_that_the_rule_applies_to_are_replaced() {
    let reroute = ContentPolicy {
        suspicious: false,
        reroute_to: Some(address("registrator@exempelby.se")),
        bcc: vec![address("arkiv@exempelby.se")],
        ..policy(ContentAction::Mark)
    };
    for (recipients, concerned, expected) in [
        ("anna@exempelby.se", &[][..], "-0 +registrator@exempelby.se +arkiv@exempelby.se"),
        ("anna@exempelby.se bo@exempelby.se", &[1], "-1 +registrator@exempelby.se +arkiv@exempelby.se"),
        // Who gets it anyway gets it once, and is not taken away.
        ("anna@exempelby.se registrator@exempelby.se", &[], "-0 +arkiv@exempelby.se"),
        ("registrator@exempelby.se", &[], "+arkiv@exempelby.se"),
        ("arkiv@exempelby.se", &[], "-0 +registrator@exempelby.se"),
    ] {
        let said = decided(&reroute, &inbound(recipients), concerned, &[]);
        assert_eq!(said, format!("marked: {expected}"), "{recipients}");
    }
}

#[test]
fn marks_stand_on_what_passes_and_on_what_waits() {
    let own = |action| ContentPolicy {
        subject_tag: Some("[X]".to_owned()),
        add_header: vec![("X-E".to_owned(), "ja".to_owned())],
        remove_header: vec!["X-Mailer".to_owned()],
        ..policy(action)
    };
    let marks = "custom.x [X] without X-Mailer X-E:ja";
    let facts = inbound("anna@exempelby.se");
    assert_eq!(decided(&own(ContentAction::Mark), &facts, &[], &[]), format!("marked: {marks}"));
    assert_eq!(decided(&own(ContentAction::Hold), &facts, &[], &[]), format!("held: {marks} hold"));
}

#[test]
fn a_rejection_has_the_rules_words_and_goes_to_those_who_may_read_it() {
    let wording = Wording { sv: "Nej".to_owned(), en: "No".to_owned(), status: (7, 0) };
    let own = ContentPolicy { message: Some(wording), ..policy(ContentAction::Reject) };
    let facts = inbound("anna@exempelby.se bo@exempelby.se");
    assert_eq!(decided(&own, &facts, &[], &[]), "rejected: reject Nej No 5.7.0");
    assert_eq!(decided(&policy(ContentAction::Reject), &facts, &[], &[]), "rejected: reject");
    // A bounce would name a recipient that its reader must not know, or have no reader.
    assert_eq!(decided(&own, &facts, &[], &[1]), "held: custom.x hold");
    let null = from_outside("<>", "anna@exempelby.se", "From: x@example.org");
    assert_eq!(decided(&own, &null, &[], &[]), "held: custom.x hold");
}

#[test]
fn those_in_notify_are_told_once_each() {
    let told = Told { sender: true, owner: true, mailboxes: vec![address("it@exempelby.se")] };
    let tell = |action| ContentPolicy { suspicious: false, notify: told.clone(), ..policy(action) };
    let (mark, reject) = (tell(ContentAction::Mark), tell(ContentAction::Reject));
    let both = from_inside("<anna@exempelby.se>", "bo@exempelby.se x@example.org", "From: anna@exempelby.se");
    let all = "tell anna@exempelby.se tell bo@exempelby.se tell it@exempelby.se";
    assert_eq!(decided(&mark, &both, &[], &[]), format!("marked: {all}"));
    assert_eq!(decided(&mark, &both, &[1], &[]), "marked: tell anna@exempelby.se tell it@exempelby.se");
    assert_eq!(decided(&reject, &both, &[], &[]), "rejected: reject tell it@exempelby.se");
    let to_herself = from_inside("<it@exempelby.se>", "it@exempelby.se", "From: it@exempelby.se");
    assert_eq!(decided(&mark, &to_herself, &[], &[]), "marked: tell it@exempelby.se");
    // A name inside that comes from outside is nobody's, and a notice gives no other.
    let forged = from_outside("<anna@exempelby.se>", "bo@exempelby.se", "From: anna@exempelby.se");
    assert_eq!(decided(&mark, &forged, &[], &[]), "marked: tell bo@exempelby.se tell it@exempelby.se");
    let notice = from_outside("<x@example.org>", "bo@exempelby.se", "X-Postvakt-Loop: a@exempelby.se");
    assert_eq!(decided(&mark, &notice, &[], &[]), "marked: ");
}

#[test]
fn of_what_passes_people_are_told_once_a_day_and_of_what_waits_each_time() {
    let once = |action, id: &str| {
        let own = ContentPolicy { notify: Told { owner: true, ..Told::default() }, ..policy(action) };
        let header = format!("From: x@example.org\nSubject: Hej\nMessage-ID: {id}");
        let facts = from_outside("<x@example.org>", "anna@exempelby.se", &header);
        let steps = decide(RULE, &own, &found(&[]), &facts, &HashSet::new(), TODAY).1;
        steps.into_iter().find_map(|step| match step {
            Step::Notify(notice) => Some(notice.once),
            _ => None,
        })
    };
    assert_eq!(once(ContentAction::Mark, "<1@a>"), once(ContentAction::Mark, "<2@a>"));
    assert_ne!(once(ContentAction::Hold, "<1@a>"), once(ContentAction::Hold, "<2@a>"));
    assert!(once(ContentAction::Mark, "<1@a>").is_some_and(|once| once.ends_with("2026-03-02")));
}

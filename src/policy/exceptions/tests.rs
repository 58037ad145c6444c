//! Which mail exceptions cover, also where a sender is forged, a recipient leads elsewhere, or nobody knows.

use std::sync::Arc;

use jiff::civil::date;

use super::super::decide::decide;
use super::*;
use crate::address::DomainPattern;
use crate::facts::testing::{from_inside, from_outside, organisation};
use crate::facts::{Cause, Fact};
use crate::groups::{Entry, Members};
use crate::policy::content::ContentPolicy;
use crate::policy::{ContentAction, Decision, Mode, OnUnknown, Step};
use crate::rules::{Confidence, Evidence, Match};
use crate::verdict::Verdict;

const TODAY: Date = date(2026, 3, 2);

fn list(entries: &[&str]) -> AddressList {
    let entry = |text: &&str| match text.strip_prefix('@') {
        Some(domain) => Entry::Domain(DomainPattern::parse(domain).unwrap()),
        None => Entry::Address(Address::parse(text).unwrap()),
    };
    AddressList::of(entries.iter().map(entry), &organisation())
}

fn exception(scope: Scope) -> Exception {
    Exception { scope, place: Place { file: "F".into(), line: 7 }, ..Exception::default() }
}

fn policy(action: ContentAction, exceptions: Vec<Exception>) -> RulePolicy {
    RulePolicy {
        mode: Mode::Enforce,
        on_unknown: OnUnknown::Accept,
        actions: Actions::Content(ContentPolicy::only(action)),
        exceptions,
        owner: None,
        place: Place::default(),
        authorities: Vec::new(),
    }
}

fn found(recipients: &[usize]) -> Finding {
    let evidence = Evidence::of("subject");
    let recipients = recipients.to_vec();
    Finding::Match(Match { grade: Confidence::Strong, evidence, mailboxes: Vec::new(), recipients })
}

fn decided(facts: &Facts, policy: &RulePolicy, finding: Finding) -> Decision {
    decide(facts, [("custom.x", policy, finding)], TODAY)
}

/// Whether the exceptions let the mail pass.
fn passes(facts: &Facts, scopes: &[Scope]) -> bool {
    let policy = policy(ContentAction::Hold, scopes.iter().cloned().map(exception).collect());
    let decision = decided(facts, &policy, found(&[]));
    let [ruling] = &*decision.rulings else { panic!() };
    assert_eq!(ruling.allowed_by.is_empty(), decision.verdict > Verdict::Accept);
    decision.verdict == Verdict::Accept
}

fn sender(entries: &[&str]) -> Scope {
    Scope { sender: Some(list(entries)), ..Scope::default() }
}

fn author(entries: &[&str]) -> Scope {
    Scope { author: Some(list(entries)), ..Scope::default() }
}

fn mailbox(entries: &[&str]) -> Scope {
    Scope { mailbox: Some(list(entries)), ..Scope::default() }
}

fn recipient(entries: &[&str]) -> Scope {
    Scope { recipient: Some(list(entries)), ..Scope::default() }
}

const ANNA: &str = "anna@exempelby.se";

#[test]
fn a_forged_sender_opens_nothing() {
    let own = from_inside("<anna@exempelby.se>", "x@example.net", "From: anna@exempelby.se");
    let forged = from_outside("<anna@exempelby.se>", "bo@exempelby.se", "From: anna@exempelby.se");
    for scope in [sender(&[ANNA]), author(&[ANNA]), mailbox(&[ANNA]), sender(&["@exempelby.se"])] {
        assert!(passes(&own, std::slice::from_ref(&scope)), "{scope}");
        assert!(!passes(&forged, std::slice::from_ref(&scope)), "{scope}");
    }
    // A colleague writes Anna into From, or only there.
    let colleague = from_inside("<bo@exempelby.se>", "x@example.net", "From: anna@exempelby.se");
    assert!(!passes(&colleague, &[author(&[ANNA])]) && !passes(&colleague, &[sender(&[ANNA])]));
    // A stranger whom no domain confirms, and a host inside that brings his address.
    let supplier = "<x@leverantor.se>";
    let header = "From: x@leverantor.se";
    for facts in [from_outside(supplier, ANNA, header), from_inside(supplier, "y@example.net", header)] {
        assert!(!passes(&facts, &[sender(&["@leverantor.se"])]));
        assert!(!passes(&facts, &[author(&["@leverantor.se"])]));
    }
}

#[test]
fn every_recipient_has_to_be_covered_by_one_or_several() {
    let facts = from_inside("<bo@exempelby.se>", "anna@exempelby.se x@example.net", "From: bo@exempelby.se");
    let (anna, other) = (recipient(&[ANNA]), recipient(&["@example.net"]));
    assert!(!passes(&facts, std::slice::from_ref(&anna)) && !passes(&facts, std::slice::from_ref(&other)));
    assert!(passes(&facts, &[anna, other.clone()]) && passes(&facts, &[recipient(&[ANNA, "@example.net"])]));
    // Of a finding that is about one of them that one counts.
    let of_one = policy(ContentAction::Hold, vec![exception(other)]);
    assert_eq!(decided(&facts, &of_one, found(&[1])).verdict, Verdict::Accept);
    assert_eq!(decided(&facts, &of_one, found(&[0])).verdict, Verdict::Hold);
}

#[test]
fn a_mailbox_is_meant_as_sender_and_as_recipient() {
    let scope = [mailbox(&[ANNA])];
    let to = |recipients: &str| from_outside("<x@example.org>", recipients, "From: x@example.org");
    assert!(passes(&to(ANNA), &scope) && passes(&to("Anna+x@exempelby.se"), &scope));
    assert!(!passes(&to("anna@exempelby.se bo@exempelby.se"), &scope));
    let sent = from_inside("<anna@exempelby.se>", "bo@exempelby.se x@example.net", "From: anna@exempelby.se");
    assert!(passes(&sent, &scope));
}

#[test]
fn a_routed_recipient_is_none_of_ours() {
    let facts = from_inside("<bo@exempelby.se>", "anna%example.net@exempelby.se", "From: bo@exempelby.se");
    assert!(!passes(&facts, &[recipient(&["@exempelby.se"])]));
    let facts = from_outside("<x@example.org>", "anna%example.net@exempelby.se", "From: x@example.org");
    assert!(!passes(&facts, &[mailbox(&["@exempelby.se"])]));
}

#[test]
fn all_that_is_named_has_to_be_so() {
    let facts = from_inside("<anna@exempelby.se>", "x@example.net", "From: anna@exempelby.se");
    let client = |network: &str| Some(vec![network.parse().unwrap()]);
    let whole = Scope {
        client: client("10.1.0.0/16"),
        recipient: recipient(&["x@example.net"]).recipient,
        ..sender(&[ANNA])
    };
    assert!(passes(&facts, std::slice::from_ref(&whole)));
    for scope in [
        Scope { client: client("10.2.0.0/16"), ..whole.clone() },
        Scope { recipient: recipient(&["y@example.net"]).recipient, ..whole.clone() },
        Scope { sender: sender(&["bo@exempelby.se"]).sender, ..whole.clone() },
        Scope { author: author(&["bo@exempelby.se"]).author, ..whole.clone() },
    ] {
        assert!(!passes(&facts, std::slice::from_ref(&scope)), "{scope}");
    }
    assert_eq!(whole.to_string(), "sender anna@exempelby.se; recipient x@example.net; client 10.1.0.0/16");
}

#[test]
fn an_exception_has_its_time_and_says_that_it_spoke() {
    let facts = from_inside("<anna@exempelby.se>", "x@example.net", "From: anna@exempelby.se");
    let until = |until: Option<Date>, decision: Option<&str>| {
        let decision = decision.map(str::to_owned);
        let exception = Exception { decision, until, ..exception(sender(&[ANNA])) };
        let decision = decided(&facts, &policy(ContentAction::Hold, vec![exception]), found(&[]));
        (decision.verdict, decision.rulings[0].exceptions())
    };
    assert_eq!(until(None, None), (Verdict::Accept, "allowed by exception at F:7".to_owned()));
    let by_decision = (Verdict::Accept, "allowed by KS 2026/1 (F:7)".to_owned());
    assert_eq!(until(Some(TODAY), Some("KS 2026/1")), by_decision);
    assert_eq!(until(Some(date(2026, 3, 1)), Some("KS 2026/1")), (Verdict::Hold, String::new()));
}

#[test]
fn what_could_not_be_told_is_covered_too() {
    let facts = from_inside("<anna@exempelby.se>", "x@example.net", "From: anna@exempelby.se");
    let decided = |exceptions| {
        let policy = RulePolicy { on_unknown: OnUnknown::Hold, ..policy(ContentAction::Mark, exceptions) };
        decided(&facts, &policy, Finding::Unknown(Cause::Limit)).verdict
    };
    assert_eq!(decided(Vec::new()), Verdict::Hold);
    assert_eq!(decided(vec![exception(sender(&[ANNA]))]), Verdict::Accept);
    assert_eq!(decided(vec![exception(sender(&["bo@exempelby.se"]))]), Verdict::Hold);
}

/// A group of a directory that has Anna, or does not answer.
fn with_directory(members: Fact<Arc<Members>>) -> Facts {
    let mut facts = from_inside("<anna@exempelby.se>", "x@example.net", "From: anna@exempelby.se");
    facts.groups.insert("hr".into(), members);
    facts
}

#[test]
fn a_directory_that_does_not_answer_leaves_it_to_on_unknown() {
    let of_group = Scope { sender: Some(AddressList::of_directory("hr".into())), ..Scope::default() };
    let mut members = Members::default();
    members.add(Entry::Address(Address::parse(ANNA).unwrap()), &organisation());
    assert!(passes(&with_directory(Fact::Known(Arc::new(members))), std::slice::from_ref(&of_group)));
    assert!(!passes(&with_directory(Fact::Known(Arc::default())), std::slice::from_ref(&of_group)));
    let facts = with_directory(Fact::Unavailable(Cause::Unreachable));
    for (action, on_unknown, verdict) in [
        (ContentAction::Reject, OnUnknown::Accept, Verdict::Reject),
        (ContentAction::Reject, OnUnknown::Hold, Verdict::Hold),
        (ContentAction::Reject, OnUnknown::Tempfail, Verdict::Defer),
        (ContentAction::Hold, OnUnknown::Hold, Verdict::Hold),
        (ContentAction::Hold, OnUnknown::Tempfail, Verdict::Defer),
        (ContentAction::Mark, OnUnknown::Hold, Verdict::Mark),
        (ContentAction::Mark, OnUnknown::Tempfail, Verdict::Mark),
    ] {
        let policy = RulePolicy { on_unknown, ..policy(action, vec![exception(of_group.clone())]) };
        let decision = decided(&facts, &policy, found(&[]));
        assert_eq!(decision.verdict, verdict, "{action:?} {on_unknown:?}");
        assert_eq!(decision.rulings[0].exceptions(), "exception at F:7 not decided: unreachable");
        let refused = decision.steps.iter().any(|step| matches!(step, Step::Reject(_)));
        assert_eq!(refused, verdict == Verdict::Reject, "{action:?} {on_unknown:?}");
    }
    // Another exception that is known to speak is enough.
    assert!(passes(&facts, &[of_group, sender(&[ANNA])]));
}

//! Which mailboxes owe a receipt, and what the verdict on the mail says to that.

use jiff::civil::date;

use super::*;
use crate::facts::testing::{from_inside, from_outside};
use crate::policy::{OnUnknown, Place, Step};
use crate::rules::{Confidence, Evidence, Match};
use crate::templates::{Occasion, Template};

const TODAY: Date = date(2026, 3, 2);
const HEADER: &str = "From: x@example.org\nMessage-ID: <1@example.org>";

/// A rule that says what it is told.
#[derive(Debug)]
struct Says(Option<Suppression>);

impl Rule for Says {
    fn id(&self) -> &'static str {
        "receipt"
    }
    fn needs(&self) -> crate::facts::Needs {
        crate::facts::Needs::NONE
    }
    fn check(&self, _: &Facts) -> Vec<Finding> {
        Vec::new()
    }
    fn suppression(&self, _: &Facts) -> Option<Suppression> {
        self.0
    }
}

fn mailbox(address: &str) -> Arc<Mailbox> {
    let address = Address::parse(address).unwrap();
    Arc::new(Mailbox { address, name: None, template: Template::shipped(Occasion::Receipt) })
}

fn policy(on_unknown: OnUnknown, mode: Mode) -> RulePolicy {
    RulePolicy {
        mode,
        on_unknown,
        actions: Actions::Receipt(ReceiptPolicy {
            mailboxes: vec![mailbox("registrator@exempelby.se"), mailbox("miljo@exempelby.se")],
            delay: Duration::from_secs(10),
            echo_subject: false,
            ceilings: RateLimits::default(),
        }),
        exceptions: Vec::new(),
        owner: None,
        place: Place::default(),
        authorities: Vec::new(),
    }
}

fn decided(
    facts: &Facts,
    suppression: Option<Suppression>,
    policy: &RulePolicy,
    mut decision: Decision,
) -> Decision {
    decide(facts, [(&Says(suppression) as &dyn Rule, policy)], TODAY, &mut decision);
    decision
}

/// What becomes of the receipts, in words.
fn words(decision: &Decision) -> String {
    let word = |receipt: &Receipt| {
        format!(
            "{} {}",
            receipt.mailbox.address.local(),
            receipt.suppression.map_or(receipt.outcome(), Suppression::as_str)
        )
    };
    decision.receipts.iter().map(word).collect::<Vec<_>>().join(", ")
}

#[test]
fn each_mailbox_owes_one_and_both_say_the_same_reference() {
    let enforce = policy(OnUnknown::Accept, Mode::Enforce);
    let to = |recipients| {
        decided(&from_outside("x@example.org", recipients, HEADER), None, &enforce, Decision::default())
    };
    let both = to("Registrator@exempelby.se anna@exempelby.se miljo@exempelby.se registrator@exempelby.se");
    assert_eq!(words(&both), "registrator queued, miljo queued");
    assert_eq!(both.receipts[0].reference, both.receipts[1].reference);
    assert_ne!(both.receipts[0].key, both.receipts[1].key);
    assert_eq!(to("registrator@exempelby.se").receipts[0], both.receipts[0]);
    assert_eq!(words(&to("anna@exempelby.se")), "");
    assert!(both.rulings.is_empty() && both.verdict == Verdict::Accept);
}

#[test]
fn mail_from_inside_is_no_case() {
    let facts = from_inside("anna@exempelby.se", "registrator@exempelby.se", "From: anna@exempelby.se");
    assert_eq!(
        words(&decided(&facts, None, &policy(OnUnknown::Accept, Mode::Enforce), Decision::default())),
        ""
    );
}

#[test]
fn a_case_has_one_key_however_often_it_comes() {
    let enforce = policy(OnUnknown::Accept, Mode::Enforce);
    let key = |sender: &str, header: &str| {
        decided(&from_outside(sender, "miljo@exempelby.se", header), None, &enforce, Decision::default())
            .receipts[0]
            .key
    };
    assert_eq!(key("x@example.org", HEADER), key("y@example.net", HEADER));
    let bare = "From: x@example.org\nDate: Mon, 02 Mar 2026 10:00:00 +0100\nSubject: a";
    assert_eq!(key("x@example.org", bare), key("x@example.org", bare));
    for other in
        [bare.replace("Subject: a", "Subject: b"), bare.replace("02 Mar", "03 Mar"), HEADER.to_owned()]
    {
        assert_ne!(key("x@example.org", bare), key("x@example.org", &other));
    }
    assert_ne!(key("x@example.org", bare), key("y@example.org", bare));
    // Two citizens whose programs give the same Message-ID, and one whose From cannot be parsed.
    let id = "Message-ID: <1@localhost>";
    let of = |from: &str| key("x@example.org", &format!("From: {from}\n{id}"));
    assert_ne!(of("x@example.org"), of("y@example.org"));
    assert_eq!(of("Kim <X@example.org>"), of("x@example.org"));
    assert_ne!(of("Kim"), of("Bo"));
}

#[test]
fn the_verdict_on_the_mail_decides_first() {
    let facts = from_outside("x@example.org", "registrator@exempelby.se", HEADER);
    let ruling = |rule: &str, verdict| Ruling {
        rule: rule.into(),
        finding: Finding::Match(Match {
            grade: Confidence::Strong,
            evidence: Evidence::of("x"),
            mailboxes: Vec::new(),
            recipients: Vec::new(),
        }),
        mode: Mode::Enforce,
        verdict,
        allowed_by: Vec::new(),
        undecided: None,
        place: Place::default(),
    };
    for (verdict, rule, expected) in [
        (Verdict::Accept, None, "queued"),
        (Verdict::Mark, Some("custom.a"), "queued"),
        (Verdict::Mark, Some("spam"), "spam"),
        // Spam that the rule only looks at is spam.
        (Verdict::Accept, Some("spam"), "spam"),
        (Verdict::Hold, Some("virus"), "virus"),
        (Verdict::Hold, Some("custom.a"), "held"),
        (Verdict::Defer, None, "deferred"),
        (Verdict::Reject, Some("spam"), "rejected"),
    ] {
        let rulings = rule.map(|rule| ruling(rule, verdict)).into_iter().collect();
        let decision = Decision { verdict, rulings, ..Decision::default() };
        let decision = decided(&facts, None, &policy(OnUnknown::Accept, Mode::Enforce), decision);
        assert_eq!(words(&decision), format!("registrator {expected}"), "{verdict:?} {rule:?}");
    }
}

#[test]
fn a_sender_who_could_not_be_authenticated_is_never_answered_at_once() {
    use crate::facts::Cause;
    let facts = from_outside("x@example.org", "registrator@exempelby.se", HEADER);
    let suppression = Some(Suppression::AuthenticationUnavailable(Cause::Dns));
    for (on_unknown, mode, verdict, expected) in [
        (OnUnknown::Accept, Mode::Enforce, Verdict::Accept, "authentication-unavailable"),
        (OnUnknown::Tempfail, Mode::Enforce, Verdict::Defer, "deferred"),
        (OnUnknown::Hold, Mode::Enforce, Verdict::Hold, "held"),
        (OnUnknown::Tempfail, Mode::Observe, Verdict::Accept, "authentication-unavailable"),
    ] {
        let decision = decided(&facts, suppression, &policy(on_unknown, mode), Decision::default());
        assert_eq!((decision.verdict, words(&decision)), (verdict, format!("registrator {expected}")));
        assert_eq!(decision.rulings[0].grade(), "unknown");
        assert_eq!(decision.steps.contains(&Step::Defer), verdict == Verdict::Defer);
    }
}

#[test]
fn observing_sends_nothing() {
    let facts = from_outside("x@example.org", "registrator@exempelby.se", HEADER);
    let decision = decided(&facts, None, &policy(OnUnknown::Accept, Mode::Observe), Decision::default());
    assert_eq!(words(&decision), "registrator would_queue");
    assert!(!decision.receipts[0].is_sent());
}

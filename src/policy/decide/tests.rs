//! What follows from findings.

use std::sync::Arc;

use jiff::civil::date;

use crate::address::{Address, DomainPattern, DomainSet};
use crate::documents::Reason;
use crate::facts::testing::from_inside;
use crate::facts::{Cause, Facts};
use crate::groups::{AddressList, Entry};
use crate::organisation::Organisation;
use crate::policy::{ContentAction, ContentPolicy, Notice, Place, Scope};
use crate::rules::Evidence;

use super::*;

const CITIZEN: &str = "From: medborgare@example.org\nMessage-ID: <1@example.org>";
const TRACE: &str = "X-Sieve-Redirected-From: anna@exempelby.se";
const TODAY: Date = date(2026, 3, 2);

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn policy(action: ForwardAction, reroute_to: Option<&str>) -> RulePolicy {
    RulePolicy {
        mode: Mode::Enforce,
        on_unknown: OnUnknown::Accept,
        actions: Actions::Forward(ForwardPolicy {
            private: Response { action, ..Response::default() },
            others: Response { action, ..Response::default() },
            reroute_to: reroute_to.map(address),
            ..ForwardPolicy::default()
        }),
        exceptions: Vec::new(),
        owner: None,
        place: Place::default(),
        authorities: Vec::new(),
    }
}

fn exception(mailbox: &str, to: Entry, until: Date) -> Exception {
    let own = crate::facts::testing::organisation();
    let list = |entry: Entry| Some(AddressList::of([entry], &own));
    Exception {
        scope: Scope {
            mailbox: list(Entry::Address(address(mailbox))),
            recipient: list(to),
            ..Scope::default()
        },
        decision: Some("KS 2026/123".into()),
        until: Some(until),
        place: Place { file: "F".into(), line: 23 },
        ..Exception::default()
    }
}

fn forward_of(policy: &mut RulePolicy) -> &mut ForwardPolicy {
    match &mut policy.actions {
        Actions::Forward(forward) => forward,
        Actions::Content(_)
        | Actions::Virus(_)
        | Actions::Sender(_)
        | Actions::Attachment(_)
        | Actions::Sensitive(_)
        | Actions::Mark(_)
        | Actions::Receipt(_) => {
            panic!("a policy for forwards")
        }
    }
}

fn found(grade: Confidence, recipients: &[usize]) -> Finding {
    let mailboxes = vec![address("anna@exempelby.se")];
    Finding::Match(Match {
        grade,
        evidence: Evidence::of("sieve"),
        mailboxes,
        recipients: recipients.to_vec(),
    })
}

/// Anna's script redirects the citizen's mail.
fn facts(sender: &str, recipients: &str) -> Facts {
    from_inside(sender, recipients, &format!("{CITIZEN}\n{TRACE}"))
}

fn decided(facts: &Facts, policy: &RulePolicy, finding: Finding) -> (Verdict, String) {
    let decision = decide(facts, [("auto-forward", policy, finding)], TODAY);
    let word = |step: &Step| match step {
        Step::Mark(_) => "mark".to_owned(),
        Step::RemoveRecipient(index) => format!("remove {index}"),
        Step::AddRecipient(address) => format!("add {address}"),
        Step::Hold(_) => "hold".to_owned(),
        Step::Defer => "defer".to_owned(),
        Step::Reject(_) => "reject".to_owned(),
        Step::Notify(notice) => format!("tell {}", notice.to),
    };
    let steps = decision.steps.iter().filter(|step| !matches!(step, Step::Mark(_) | Step::Notify(_)));
    (decision.verdict, steps.map(word).collect::<Vec<_>>().join(" "))
}

#[test]
fn the_action_and_the_envelope_sender_decide() {
    let (own, citizen, null) = ("<anna@exempelby.se>", "<medborgare@example.org>", "<>");
    let (one, mixed) = ("x@example.net", "bertil@exempelby.se x@example.net");
    let registrator = Some("registrator@exempelby.se");
    for (action, reroute_to, sender, recipients, verdict, steps) in [
        (ForwardAction::Hold, None, citizen, one, Verdict::Hold, "hold"),
        // The others get the mail; only the target goes.
        (ForwardAction::Hold, None, citizen, mixed, Verdict::Mark, "remove I"),
        (ForwardAction::Reject, None, own, mixed, Verdict::Mark, "remove I"),
        (ForwardAction::Hold, None, null, mixed, Verdict::Mark, "remove I"),
        (ForwardAction::Hold, None, null, one, Verdict::Hold, "hold"),
        (ForwardAction::Reroute, Some("bertil@exempelby.se"), citizen, mixed, Verdict::Mark, "remove I"),
        (
            ForwardAction::Reroute,
            registrator,
            citizen,
            one,
            Verdict::Mark,
            "remove I add registrator@exempelby.se",
        ),
        (
            ForwardAction::Reroute,
            registrator,
            citizen,
            mixed,
            Verdict::Mark,
            "remove I add registrator@exempelby.se",
        ),
        (ForwardAction::RemoveRecipient, None, citizen, mixed, Verdict::Mark, "remove I"),
        // No recipient would be left: the mail is never dropped.
        (ForwardAction::RemoveRecipient, None, citizen, one, Verdict::Hold, "hold"),
        (
            ForwardAction::RemoveRecipient,
            registrator,
            citizen,
            one,
            Verdict::Mark,
            "remove I add registrator@exempelby.se",
        ),
        (ForwardAction::Reject, None, own, one, Verdict::Reject, "reject"),
        // A bounce would go to the citizen and name the private target.
        (ForwardAction::Reject, None, citizen, one, Verdict::Hold, "hold"),
        (
            ForwardAction::Reject,
            registrator,
            citizen,
            one,
            Verdict::Mark,
            "remove I add registrator@exempelby.se",
        ),
        (ForwardAction::Reject, None, null, mixed, Verdict::Mark, "remove I"),
        (ForwardAction::Reject, None, null, one, Verdict::Hold, "hold"),
        // A tag, and Exchange's way to write a sender anew, are Anna's too.
        (ForwardAction::Reject, None, "<anna+x@exempelby.se>", one, Verdict::Reject, "reject"),
        (
            ForwardAction::Reject,
            registrator,
            "<anna+SRS=Ab=JL=example.org=medborgare@exempelby.se>",
            one,
            Verdict::Reject,
            "reject",
        ),
        // Nor may a colleague learn it; and what she wrote is not the registrator's.
        (ForwardAction::Reject, None, "<bodil@exempelby.se>", one, Verdict::Hold, "hold"),
        (ForwardAction::Reject, registrator, "<bodil@exempelby.se>", one, Verdict::Hold, "hold"),
        (ForwardAction::Reject, registrator, "<bodil@exempelby.se>", mixed, Verdict::Mark, "remove I"),
    ] {
        let facts = facts(sender, recipients);
        let outside = facts.recipients.len() - 1;
        let steps = steps.replace('I', &outside.to_string());
        let decided = decided(&facts, &policy(action, reroute_to), found(Confidence::Certain, &[outside]));
        assert_eq!(decided, (verdict, steps), "{action:?} {reroute_to:?} {sender} {recipients}");
    }
}

#[test]
fn a_rewritten_sender_is_not_the_forwarder() {
    let facts = facts("<SRS0=HHH=TT=example.org=medborgare@exempelby.se>", "x@example.net");
    let decided = decided(&facts, &policy(ForwardAction::Reject, None), found(Confidence::Certain, &[0]));
    assert_eq!(decided, (Verdict::Hold, "hold".to_owned()));
}

#[test]
fn what_is_only_likely_is_recorded_and_has_no_effect() {
    let facts = facts("<medborgare@example.org>", "x@example.net");
    let decided = decided(&facts, &policy(ForwardAction::Hold, None), found(Confidence::Strong, &[0]));
    assert_eq!(decided, (Verdict::Accept, String::new()));
}

#[test]
fn observing_changes_nothing_and_tells_what_would_be() {
    let facts = facts("<medborgare@example.org>", "x@example.net");
    let observing = RulePolicy { mode: Mode::Observe, ..policy(ForwardAction::Hold, None) };
    let decision = decide(&facts, [("auto-forward", &observing, found(Confidence::Certain, &[0]))], TODAY);
    assert_eq!((decision.verdict, decision.steps.len()), (Verdict::Accept, 0));
    assert_eq!(decision.rulings[0].verdict, Verdict::Hold);
}

#[test]
fn not_knowing_has_the_effect_that_the_config_says() {
    let facts = facts("<medborgare@example.org>", "x@example.net");
    for (on_unknown, verdict, steps) in [
        (OnUnknown::Accept, Verdict::Accept, ""),
        (OnUnknown::Hold, Verdict::Hold, "hold"),
        (OnUnknown::Tempfail, Verdict::Defer, "defer"),
    ] {
        let policy = RulePolicy { on_unknown, ..policy(ForwardAction::Hold, None) };
        assert_eq!(decided(&facts, &policy, Finding::Unknown(Cause::Store)), (verdict, steps.to_owned()));
    }
}

#[test]
fn what_a_busy_machine_did_not_read_is_deferred_a_few_times() {
    let busy = || Finding::Unknown(Cause::Uninspectable(Reason::Busy));
    let mut facts = facts("<medborgare@example.org>", "x@example.net");
    let policy = RulePolicy { on_unknown: OnUnknown::Hold, ..policy(ForwardAction::Hold, None) };
    for (may_be_deferred, verdict, steps) in [(true, Verdict::Defer, "defer"), (false, Verdict::Hold, "hold")]
    {
        facts.may_be_deferred = may_be_deferred;
        assert_eq!(decided(&facts, &policy, busy()), (verdict, steps.to_owned()));
        let decision = decide(&facts, [("sensitive-data", &policy, busy())], TODAY);
        assert_eq!(decision.is_deferred_for_now(), may_be_deferred);
        let observing = RulePolicy { mode: Mode::Observe, ..policy.clone() };
        let decision = decide(&facts, [("sensitive-data", &observing, busy())], TODAY);
        assert!(decision.verdict == Verdict::Accept && !decision.is_deferred_for_now());
    }
}

#[test]
fn a_bounce_is_never_refused() {
    let reject = RulePolicy {
        actions: Actions::Content(ContentPolicy::only(ContentAction::Reject)),
        ..policy(ForwardAction::Hold, None)
    };
    let decided = |sender| decided(&facts(sender, "x@example.net"), &reject, found(Confidence::Strong, &[]));
    assert_eq!(decided("<anna@exempelby.se>"), (Verdict::Reject, "reject".to_owned()));
    assert_eq!(decided("<>"), (Verdict::Hold, "hold".to_owned()));
}

#[test]
fn exceptions_hold_for_their_mailbox_their_target_and_their_time() {
    let anna = "anna@exempelby.se";
    let target = || Entry::Address(address("X@example.net"));
    let domain = |name: &str| Entry::Domain(DomainPattern::parse(name).unwrap());
    for (exception, allowed) in [
        (exception(anna, target(), date(2026, 3, 2)), true),
        (exception(anna, domain("example.net"), date(2027, 1, 1)), true),
        (exception(anna, target(), date(2026, 3, 1)), false),
        (exception("bertil@exempelby.se", target(), date(2027, 1, 1)), false),
        (exception(anna, domain("example.com"), date(2027, 1, 1)), false),
    ] {
        let facts = facts("<medborgare@example.org>", "x@example.net");
        let mut policy = policy(ForwardAction::Hold, None);
        policy.exceptions = vec![exception.clone()];
        let decision = decide(&facts, [("auto-forward", &policy, found(Confidence::Certain, &[0]))], TODAY);
        let reference = if allowed { "allowed by KS 2026/123 (F:23)" } else { "" };
        assert_eq!(decision.rulings[0].exceptions(), reference, "{exception:?}");
        assert_eq!(decision.verdict == Verdict::Accept, allowed);
    }
}

#[test]
fn an_exception_for_one_target_does_not_free_the_other() {
    let facts = facts("<medborgare@example.org>", "bertil@exempelby.se x@example.net y@example.com");
    let target = Entry::Address(address("y@example.com"));
    let mut policy = policy(ForwardAction::RemoveRecipient, None);
    policy.exceptions = vec![exception("anna@exempelby.se", target, date(2027, 1, 1))];
    assert_eq!(
        decided(&facts, &policy, found(Confidence::Certain, &[1, 2])),
        (Verdict::Mark, "remove 1".to_owned())
    );
}

#[test]
fn as_many_steps_as_recipients_are_no_burden() {
    let recipients: Vec<String> = (0..50_000).map(|n| format!("x{n}@example.net")).collect();
    let facts = facts("<medborgare@example.org>", &format!("bertil@exempelby.se {}", recipients.join(" ")));
    let outside: Vec<usize> = (1..=50_000).collect();
    let policy = policy(ForwardAction::RemoveRecipient, None);
    let decision = decide(&facts, [("auto-forward", &policy, found(Confidence::Certain, &outside))], TODAY);
    assert_eq!(decision.steps.len(), 50_001 + limits::FORWARD_NOTICES);
}

#[test]
fn the_order_of_rules_does_not_matter() {
    let facts = facts("<anna@exempelby.se>", "x@example.net");
    let reject = policy(ForwardAction::Reject, None);
    let hold = RulePolicy {
        actions: Actions::Content(ContentPolicy::only(ContentAction::Hold)),
        ..policy(ForwardAction::Hold, None)
    };
    let findings = [
        ("auto-forward", &reject, found(Confidence::Certain, &[0])),
        ("custom.a", &hold, found(Confidence::Strong, &[])),
    ];
    let mut turned = findings.clone();
    turned.reverse();
    assert_eq!(decide(&facts, findings, TODAY).verdict, Verdict::Reject);
    assert_eq!(decide(&facts, turned, TODAY).verdict, Verdict::Reject);
}

#[test]
fn what_is_likely_has_the_effect_that_the_config_says() {
    let facts = facts("<medborgare@example.org>", "bertil@exempelby.se x@example.net");
    for (grade, strong, verdict, steps) in [
        (Confidence::Strong, OnLikely::Record, Verdict::Accept, ""),
        (Confidence::Strong, OnLikely::Mark, Verdict::Mark, ""),
        (Confidence::Strong, OnLikely::Stop, Verdict::Mark, "remove 1"),
        (Confidence::Certain, OnLikely::Record, Verdict::Mark, "remove 1"),
        (Confidence::Weak, OnLikely::Stop, Verdict::Accept, ""),
    ] {
        let mut policy = policy(ForwardAction::RemoveRecipient, None);
        forward_of(&mut policy).others.strong = strong;
        let decision = decide(&facts, [("auto-forward", &policy, found(grade, &[1]))], TODAY);
        let marked = decision.steps.iter().any(|step| matches!(step, Step::Mark(_)));
        assert_eq!(marked, verdict == Verdict::Mark, "{grade:?} {strong:?}");
        assert_eq!(decided(&facts, &policy, found(grade, &[1])), (verdict, steps.to_owned()));
    }
}

#[test]
fn private_mail_and_other_organisations_are_told_apart() {
    let facts = facts("<medborgare@example.org>", "x@example.net y@example.com");
    let mut policy = policy(ForwardAction::RemoveRecipient, None);
    let forward = forward_of(&mut policy);
    forward.private_domains = DomainSet::parse("example.net").unwrap();
    forward.private.strong = OnLikely::Stop;
    // One goes and the other stays.
    let strong = decided(&facts, &policy, found(Confidence::Strong, &[0, 1]));
    assert_eq!(strong, (Verdict::Mark, "remove 0".to_owned()));
    // No recipient would be left.
    let certain = decided(&facts, &policy, found(Confidence::Certain, &[0, 1]));
    assert_eq!(certain, (Verdict::Hold, "hold".to_owned()));
    // The strictest of both: the mail is one.
    forward_of(&mut policy).private.action = ForwardAction::Hold;
    forward_of(&mut policy).reroute_to = Some(address("registrator@exempelby.se"));
    let both = decided(&facts, &policy, found(Confidence::Certain, &[0, 1]));
    assert_eq!(both, (Verdict::Hold, "hold remove 1 add registrator@exempelby.se".to_owned()));
}

/// Who is told of what, and what makes it the same.
fn told(facts: &Facts, policy: &RulePolicy, finding: Finding) -> Vec<String> {
    let steps = decide(facts, [("auto-forward", policy, finding)], TODAY).steps;
    let notice = |step: Step| match step {
        Step::Notify(Notice { occasion, to, once, .. }) => {
            Some(format!("{} {to}: {once}", occasion.as_str()))
        }
        _ => None,
    };
    steps.into_iter().filter_map(notice).collect()
}

#[test]
fn the_owner_is_told_once_a_day_for_each_target() {
    let hold = policy(ForwardAction::Hold, None);
    let told_of = |sender: &str, fields: &str, policy: &RulePolicy| {
        let facts = from_inside(sender, "x@example.net", &format!("{CITIZEN}\n{TRACE}{fields}"));
        told(&facts, policy, found(Confidence::Certain, &[0]))
    };
    let citizen = "<medborgare@example.org>";
    assert_eq!(
        told_of(citizen, "", &hold),
        ["forward-stopped anna@exempelby.se: anna@exempelby.se x@example.net 2026-03-02"]
    );
    let nobody: [&str; 0] = [];
    // A bounce; our own letter on its way out again; what is refused is told by the bounce.
    assert_eq!(told_of("<>", "", &hold), nobody);
    assert_eq!(told_of(citizen, "\nX-Postvakt-Loop: exempelby.se", &hold), nobody);
    assert_eq!(told_of("<anna@exempelby.se>", "", &policy(ForwardAction::Reject, None)), nobody);
    assert_eq!(told_of("<anna@exempelby.se>", "", &hold).len(), 1);
    let mut silent = policy(ForwardAction::Hold, None);
    forward_of(&mut silent).notify = Notify::Nobody;
    assert_eq!(told_of(citizen, "", &silent), nobody);
    let observing = RulePolicy { mode: Mode::Observe, ..policy(ForwardAction::Hold, None) };
    assert_eq!(told_of(citizen, "", &observing), nobody);
}

#[test]
fn nobody_is_told_of_what_may_be_a_colleagues() {
    let told_of = |sender: &str, fields: &str, mailboxes: &[&str]| {
        let facts = from_inside(sender, "x@example.net", &format!("{CITIZEN}{fields}"));
        let mut finding = found(Confidence::Certain, &[0]);
        if let Finding::Match(found) = &mut finding {
            found.mailboxes = mailboxes.iter().map(|mailbox| address(mailbox)).collect();
        }
        let steps =
            decide(&facts, [("auto-forward", &policy(ForwardAction::Hold, None), finding)], TODAY).steps;
        let notice = |step: Step| match step {
            Step::Notify(Notice { to, once, fields, .. }) => Some(format!("{to}, {once}, {}", fields[0].1)),
            _ => None,
        };
        steps.into_iter().filter_map(notice).collect::<Vec<_>>()
    };
    let citizen = "<medborgare@example.org>";
    let (anna, info) = ("anna@exempelby.se", "info@exempelby.se");
    let nobody: [&str; 0] = [];
    assert_eq!(told_of(citizen, "", &[anna, "bertil@exempelby.se"]), nobody);
    assert_eq!(told_of(citizen, "", &[]), nobody);
    // It came for that mailbox, and whoever reads it there may have sent it on.
    assert_eq!(told_of(citizen, "", &[info]), ["info@exempelby.se, info@exempelby.se  2026-03-02, "]);
    assert_eq!(told_of("<bodil@exempelby.se>", "", &[info]).len(), 1);
    // Grade, by the envelope sender or by a trace.
    let sure = ["anna@exempelby.se, anna@exempelby.se x@example.net 2026-03-02, x@example.net"];
    assert_eq!(told_of("<anna@exempelby.se>", "", &[anna]), sure);
    assert_eq!(told_of("<anna+x@exempelby.se>", "", &[anna]), sure);
    assert_eq!(told_of(citizen, "\nX-Sieve-Redirected-From: anna", &[anna]), sure);
    assert_eq!(
        told_of("<bodil@exempelby.se>", "\nX-Sieve-Redirected-From: Anna+x@exempelby.se", &[anna]),
        sure
    );
    // Delivered-To is whom it came for.
    assert!(told_of(citizen, "\nDelivered-To: info@exempelby.se", &[info])[0].ends_with(", "));
}

#[test]
fn no_refusal_of_another_rule_tells_a_colleague_where_the_mail_goes() {
    let reject = RulePolicy {
        actions: Actions::Content(ContentPolicy::only(ContentAction::Reject)),
        ..policy(ForwardAction::Hold, None)
    };
    let observing = RulePolicy { mode: Mode::Observe, ..policy(ForwardAction::Hold, None) };
    let decided = |sender: &str, forward: Option<&RulePolicy>| {
        let facts = facts(sender, "x@example.net");
        let forward = forward.map(|policy| ("auto-forward", policy, found(Confidence::Certain, &[0])));
        let custom = [("custom.a", &reject, found(Confidence::Strong, &[]))];
        decide(&facts, custom.into_iter().chain(forward), TODAY).verdict
    };
    assert_eq!(decided("<bodil@exempelby.se>", None), Verdict::Reject);
    for sender in ["<bodil@exempelby.se>", "<medborgare@example.org>"] {
        assert_eq!(decided(sender, Some(&observing)), Verdict::Hold, "{sender}");
        assert_eq!(decided(sender, Some(&policy(ForwardAction::Hold, None))), Verdict::Hold, "{sender}");
    }
    assert_eq!(decided("<anna@exempelby.se>", Some(&observing)), Verdict::Reject);
}

#[test]
fn who_approved_what_has_ended_is_told_once() {
    let told_by = |approved_by: &str, until: Date| {
        let mut policy = policy(ForwardAction::Hold, None);
        forward_of(&mut policy).notify = Notify::Nobody;
        let target = Entry::Address(address("x@example.net"));
        policy.exceptions = vec![Exception {
            approved_by: Some(approved_by.into()),
            ..exception("anna@exempelby.se", target, until)
        }];
        told(&facts("<medborgare@example.org>", "x@example.net"), &policy, found(Confidence::Certain, &[0]))
    };
    let chief = "kommundirektoren@exempelby.se";
    assert_eq!(
        told_by(chief, date(2026, 3, 1)),
        [
            "exception-ended kommundirektoren@exempelby.se: anna@exempelby.se x@example.net KS 2026/123 2026-03-01"
        ]
    );
    assert!(told_by(chief, date(2026, 3, 2)).is_empty(), "its last day");
    assert!(told_by("kommundirektören", date(2026, 3, 1)).is_empty());
    assert!(told_by("chief@example.org", date(2026, 3, 1)).is_empty());
}

#[test]
fn a_forward_that_nobody_could_tell_is_judged_by_the_mailboxes_of_its_traces() {
    let mut policy = policy(ForwardAction::Hold, None);
    policy.authorities = vec![(0, RulePolicy { on_unknown: OnUnknown::Hold, ..policy.clone() })];
    let mut organisation = Organisation::clone(&crate::facts::testing::organisation());
    let number = organisation.authorities.add("Socialnämnden".into());
    organisation.authorities.give_address(number, address("anna@exempelby.se")).unwrap();
    let organisation = Arc::new(organisation);
    for (trace, sender, verdict) in [
        (TRACE, "<medborgare@example.org>", Verdict::Hold),
        (TRACE, "<bertil@exempelby.se>", Verdict::Hold),
        ("X-Sieve-Redirected-From: bertil@exempelby.se", "<medborgare@example.org>", Verdict::Accept),
        ("X-A: b", "<medborgare@example.org>", Verdict::Accept),
        ("X-A: b", "<\"anna+x\"@exempelby.se>", Verdict::Hold),
    ] {
        let mut facts = from_inside(sender, "x@example.net", &format!("{CITIZEN}\n{trace}"));
        facts.organisation = organisation.clone();
        let decision = decide(&facts, [("auto-forward", &policy, Finding::Unknown(Cause::Dns))], TODAY);
        assert_eq!(decision.verdict, verdict, "{trace} {sender}");
    }
}

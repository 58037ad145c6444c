//! What follows from sensitive data, by class, direction, sender and route.

use jiff::civil::date;

use super::*;
use crate::facts::Cause;
use crate::facts::testing::{from_inside, from_outside};
use crate::policy::Place;
use crate::rules::{Confidence, Evidence};

const TODAY: Date = date(2026, 3, 2);
const OWN: &str = "<anna@exempelby.se>";

fn found(class: Sensitivity) -> Match {
    let evidence = Evidence::of_data(class, vec![("personnummer", 2), ("health", 1)], &[], &[]);
    Match { grade: Confidence::Strong, evidence, mailboxes: Vec::new(), recipients: Vec::new() }
}

fn policy(action: ClassAction) -> SensitivePolicy {
    let all = |action| ClassPolicy { action, subject_tag: None };
    SensitivePolicy {
        moderate: all(ClassAction::Accept),
        considerable: all(action),
        serious: all(action),
        ..SensitivePolicy::default()
    }
}

fn outbound(sender: &str, recipients: &str) -> Facts {
    from_inside(sender, recipients, "From: anna@exempelby.se\nMessage-ID: <1@exempelby.se>")
}

fn verdict(policy: &SensitivePolicy, class: Sensitivity, facts: &Facts) -> Verdict {
    decide("sensitive-data", policy, &found(class), facts, &HashSet::new(), TODAY).0
}

#[test]
fn each_class_has_its_action() {
    let policy = SensitivePolicy {
        considerable: ClassPolicy { action: ClassAction::Hold, subject_tag: None },
        ..policy(ClassAction::Reject)
    };
    let facts = outbound(OWN, "x@example.org");
    for (class, expected) in [
        (Sensitivity::None, Verdict::Accept),
        (Sensitivity::Moderate, Verdict::Accept),
        (Sensitivity::Considerable, Verdict::Hold),
        (Sensitivity::Serious, Verdict::Reject),
    ] {
        assert_eq!(verdict(&policy, class, &facts), expected, "{class:?}");
    }
}

#[test]
fn a_refusal_goes_to_people_inside_alone() {
    let policy = policy(ClassAction::Reject);
    for (sender, expected) in
        [(OWN, Verdict::Reject), ("<medborgare@example.org>", Verdict::Hold), ("<>", Verdict::Hold)]
    {
        assert_eq!(
            verdict(&policy, Sensitivity::Serious, &outbound(sender, "x@example.org")),
            expected,
            "{sender}"
        );
    }
}

#[test]
fn mail_from_outside_is_marked_at_the_most() {
    let facts = from_outside("<medborgare@example.org>", "anna@exempelby.se", "From: medborgare@example.org");
    for (inbound, expected) in
        [(Inbound::Record, Verdict::Accept), (Inbound::Mark, Verdict::Mark), (Inbound::Act, Verdict::Reject)]
    {
        let policy = SensitivePolicy { inbound, ..policy(ClassAction::Reject) };
        assert_eq!(verdict(&policy, Sensitivity::Serious, &facts), expected, "{inbound:?}");
        assert_eq!(policy.may_stop(&facts), inbound == Inbound::Act);
    }
}

#[test]
fn colleagues_are_no_exception() {
    let facts = outbound(OWN, "bertil@exempelby.se");
    assert_eq!(facts.direction, Direction::Internal);
    assert_eq!(verdict(&policy(ClassAction::Hold), Sensitivity::Serious, &facts), Verdict::Hold);
}

#[test]
fn a_pinned_route_satisfies_what_is_considerable_and_never_what_is_serious() {
    let routes = vec![DomainPattern::parse("example.org").unwrap()];
    let policy = SensitivePolicy { tls_routes: routes, ..policy(ClassAction::Reject) };
    let (on, mixed) = (outbound(OWN, "x@example.org"), outbound(OWN, "x@example.org y@example.net"));
    assert_eq!(verdict(&policy, Sensitivity::Considerable, &on), Verdict::Mark);
    assert_eq!(verdict(&policy, Sensitivity::Considerable, &mixed), Verdict::Reject);
    assert_eq!(verdict(&policy, Sensitivity::Serious, &on), Verdict::Reject);
}

#[test]
fn those_whom_it_concerns_are_told_of_kinds_and_never_of_data() {
    let copy_to = Address::parse("dataskydd@exempelby.se");
    let policy = |action, notify| SensitivePolicy { copy_to: copy_to.clone(), notify, ..policy(action) };
    let told = |action, notify, sender| {
        let (_, steps) = decide(
            "sensitive-data",
            &policy(action, notify),
            &found(Sensitivity::Serious),
            &outbound(sender, "x@example.org"),
            &HashSet::new(),
            TODAY,
        );
        let notices = steps.into_iter().filter_map(|step| match step {
            Step::Notify(notice) => Some((notice.occasion, notice.to.to_string(), notice.fields)),
            _ => None,
        });
        notices.collect::<Vec<_>>()
    };
    let names = |told: Vec<(Occasion, String, Fields)>| {
        told.into_iter().map(|(occasion, to, _)| (occasion, to)).collect::<Vec<_>>()
    };
    let anna = (Occasion::SensitiveStopped, "anna@exempelby.se".to_owned());
    let office = (Occasion::SensitiveFound, "dataskydd@exempelby.se".to_owned());
    let (sender, nobody) = (NotifySender::Sender, NotifySender::Nobody);
    assert_eq!(names(told(ClassAction::Hold, sender, OWN)), [anna, office.clone()]);
    assert_eq!(names(told(ClassAction::Hold, nobody, OWN)), *std::slice::from_ref(&office));
    assert_eq!(names(told(ClassAction::Hold, sender, "<x@example.org>")), *std::slice::from_ref(&office));
    // The bounce tells the sender.
    assert_eq!(names(told(ClassAction::Reject, sender, OWN)), [office]);
    assert_eq!(names(told(ClassAction::Mark, sender, OWN)), []);
    let fields = told(ClassAction::Hold, sender, OWN).remove(0).2;
    let value = |name: &str| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    assert_eq!(value("kinds").as_deref(), Some("personnummer (2), health (1)"));
    assert_eq!(value("kinds_sv").as_deref(), Some("personnummer (2), hälsa (1)"));
    assert_eq!(value("class_sv").as_deref(), Some("allvarlig"));
    assert_eq!((value("class").as_deref(), value("action").as_deref()), (Some("serious"), Some("held")));
}

#[test]
fn targets_of_somebody_elses_forward_are_told_to_nobody() {
    let copy_to = Address::parse("dataskydd@exempelby.se");
    let policy = SensitivePolicy { copy_to, ..policy(ClassAction::Reject) };
    let told = |recipients: &str, hidden: &[usize]| {
        let hidden = hidden.iter().copied().collect();
        let facts = outbound(OWN, recipients);
        let (verdict, steps) =
            decide("sensitive-data", &policy, &found(Sensitivity::Serious), &facts, &hidden, TODAY);
        let notices = steps.into_iter().filter_map(|step| match step {
            Step::Notify(Notice { to, fields, .. }) => {
                fields.iter().find(|(name, _)| *name == "recipients").map(|(_, all)| format!("{to}: {all}"))
            }
            _ => None,
        });
        (verdict, notices.collect::<Vec<_>>())
    };
    let office = "dataskydd@exempelby.se: ";
    assert_eq!(told("x@example.org", &[]), (Verdict::Reject, vec![format!("{office}x@example.org")]));
    assert_eq!(told("x@example.org", &[0]), (Verdict::Hold, vec![office.to_owned()]));
    let both = vec!["anna@exempelby.se: y@example.net".to_owned(), format!("{office}y@example.net")];
    assert_eq!(told("x@example.org y@example.net", &[0]), (Verdict::Hold, both));
}

#[test]
fn what_passes_or_waits_may_have_a_tag_before_its_subject() {
    let tagged = |action| {
        let serious = ClassPolicy { action, subject_tag: Some("[KÄNSLIGT]".to_owned()) };
        let policy = SensitivePolicy { serious, ..policy(action) };
        let (_, steps) = decide(
            "sensitive-data",
            &policy,
            &found(Sensitivity::Serious),
            &outbound(OWN, "x@example.org"),
            &HashSet::new(),
            TODAY,
        );
        steps.contains(&Step::Mark(Mark::SubjectTag("[KÄNSLIGT]".to_owned())))
    };
    assert!(tagged(ClassAction::Mark) && tagged(ClassAction::Hold));
    assert!(!tagged(ClassAction::Reject) && !tagged(ClassAction::Accept));
}

#[test]
fn the_field_that_tells_what_is_in_a_mail_can_be_kept_inside() {
    let marked = |outbound_header, recipients: &str| {
        let policy = SensitivePolicy { outbound_header, ..policy(ClassAction::Mark) };
        let facts = outbound(OWN, recipients);
        let (verdict, steps) =
            decide("sensitive-data", &policy, &found(Sensitivity::Serious), &facts, &HashSet::new(), TODAY);
        assert_eq!(verdict, Verdict::Mark);
        steps.iter().any(|step| matches!(step, Step::Mark(Mark::Sensitive(..))))
    };
    assert!(marked(false, "bertil@exempelby.se"));
    assert!(!marked(false, "x@example.org"));
    assert!(!marked(false, "bertil@exempelby.se x@example.org"), "one message has one header");
    assert!(marked(true, "x@example.org"));
}

#[test]
fn a_tip_is_for_the_sender_inside_of_a_marked_mail_once_a_day() {
    let tips = |action, facts: &Facts| {
        let policy = SensitivePolicy { tip: true, notify: NotifySender::Nobody, ..policy(action) };
        let steps =
            decide("sensitive-data", &policy, &found(Sensitivity::Serious), facts, &HashSet::new(), TODAY);
        let notices = steps.1.into_iter().filter_map(|step| match step {
            Step::Notify(notice) => Some((notice.occasion, notice.once)),
            _ => None,
        });
        notices.collect::<Vec<_>>()
    };
    let once = [(Occasion::SensitiveMarked, "anna@exempelby.se/2026-03-02".to_owned())];
    assert_eq!(tips(ClassAction::Mark, &outbound(OWN, "x@example.org")), once);
    assert_eq!(tips(ClassAction::Hold, &outbound(OWN, "x@example.org")), []);
    assert_eq!(tips(ClassAction::Mark, &outbound("<>", "x@example.org")), []);
    assert_eq!(tips(ClassAction::Mark, &outbound("<x@example.org>", "y@example.org")), []);
    // Whoever uses a name inside from outside is not the person of that name.
    let forged = from_outside(OWN, "bertil@exempelby.se", "From: anna@exempelby.se");
    assert_eq!(tips(ClassAction::Mark, &forged), []);
    let own = from_inside(OWN, "x@example.org", "X-Postvakt-Loop: postmaster@exempelby.se");
    assert_eq!(tips(ClassAction::Mark, &own), []);
}

#[test]
fn a_sender_is_invited_only_where_the_rule_alone_holds_the_mail() {
    use Sensitivity::{Considerable, Serious};
    let policy = SensitivePolicy { allow_override: Sensitivity::Considerable, ..policy(ClassAction::Hold) };
    let ruling = |rule: &str, mode, finding, verdict| Ruling {
        rule: rule.to_owned(),
        finding,
        mode,
        verdict,
        allowed_by: Vec::new(),
        undecided: None,
        place: Place::default(),
    };
    // What the notice says when data of these classes was found, and these others say something too.
    let invited = |classes: &[Sensitivity], facts: &Facts, others: Vec<Ruling>| {
        let mut decision = Decision { rulings: others, ..Decision::default() };
        for class in classes {
            let found = found(*class);
            let (verdict, steps) = decide(RULE, &policy, &found, facts, &HashSet::new(), TODAY);
            decision.verdict = decision.verdict.max(verdict);
            decision.steps.extend(steps);
            decision.rulings.push(ruling(RULE, Mode::Enforce, Finding::Match(found), verdict));
        }
        decision.verdict = decision.rulings.iter().map(|ruling| ruling.verdict).max().unwrap_or_default();
        invite_only_where_alone(&mut decision);
        let notices = decision.steps.iter().filter_map(|step| match step {
            Step::Notify(notice) => Some(notice.answerable),
            _ => None,
        });
        notices.collect::<Vec<_>>()
    };
    let facts = outbound(OWN, "x@example.org");
    let other =
        |mode, verdict| vec![ruling("custom.wait", mode, Finding::Match(found(Considerable)), verdict)];
    assert_eq!(invited(&[Considerable], &facts, Vec::new()), [true]);
    assert_eq!(invited(&[Considerable], &facts, other(Mode::Enforce, Verdict::Mark)), [true]);
    assert_eq!(invited(&[Considerable], &facts, other(Mode::Observe, Verdict::Hold)), [true]);
    assert_eq!(invited(&[Serious], &facts, Vec::new()), [false]);
    assert_eq!(invited(&[Considerable, Serious], &facts, Vec::new()), [false, false]);
    assert_eq!(invited(&[Considerable], &facts, other(Mode::Enforce, Verdict::Hold)), [false]);
    assert_eq!(invited(&[Considerable], &facts, other(Mode::Enforce, Verdict::Reject)), [false]);
    let unread = |verdict| vec![ruling(RULE, Mode::Enforce, Finding::Unknown(Cause::Limit), verdict)];
    assert_eq!(invited(&[Considerable], &facts, unread(Verdict::Hold)), [false]);
    assert_eq!(invited(&[Considerable], &facts, unread(Verdict::Accept)), [false], "some of it was not read");
    // Whoever uses a name inside from outside is not the person of that name.
    let forged = from_outside(OWN, "x@example.org", "From: anna@exempelby.se\nMessage-ID: <1@exempelby.se>");
    assert!(!invited(&[Considerable], &forged, Vec::new()).contains(&true));
}

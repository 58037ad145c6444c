//! Deciding: findings and policies give one decision. Verdicts combine with `max`, so the order of rules cannot
//! matter.

#![deny(clippy::disallowed_methods)]

use std::collections::HashSet;

use jiff::civil::Date;

use crate::facts::Facts;
use crate::facts::forwarding::Mechanism;
use crate::rules::{Finding, Grade, Match};
use crate::verdict::Verdict;

use super::{
    Actions, ContentAction, Decision, Exception, ForwardAction, Mark, Mode, OnUnknown, Refusal, RulePolicy,
    Ruling, Step,
};

/// The decision on a mail, `today` being the day in the organisation's time zone.
pub fn decide<'a>(
    facts: &Facts,
    findings: impl IntoIterator<Item = (&'a str, &'a RulePolicy, Finding)>,
    today: Date,
) -> Decision {
    let mut decision = Decision::default();
    // A mail may have as many steps as recipients, so what is twice is not looked for one by one.
    let mut taken = HashSet::new();
    for (rule, policy, finding) in findings {
        let outcome = match &finding {
            Finding::Unknown(_) => unknown(rule, policy.on_unknown),
            Finding::Match(found) => matched(rule, policy, found, facts, today),
        };
        if policy.mode == Mode::Enforce {
            decision.verdict = decision.verdict.max(outcome.verdict);
            for step in outcome.steps {
                if taken.insert(step.clone()) {
                    decision.steps.push(step);
                }
            }
        }
        decision.rulings.push(Ruling {
            rule: rule.to_owned(),
            finding,
            mode: policy.mode,
            verdict: outcome.verdict,
            allowed_by: outcome.allowed_by,
            place: policy.place.clone(),
        });
    }
    decision
}

/// What follows from one finding.
#[derive(Default)]
struct Outcome {
    verdict: Verdict,
    steps: Vec<Step>,
    allowed_by: Option<String>,
}

impl Outcome {
    fn new(verdict: Verdict, steps: Vec<Step>) -> Self {
        Self { verdict, steps, allowed_by: None }
    }
}

fn unknown(rule: &str, on_unknown: OnUnknown) -> Outcome {
    match on_unknown {
        OnUnknown::Accept => Outcome::default(),
        OnUnknown::Hold => Outcome::new(Verdict::Hold, vec![Step::Hold(format!("{rule}: unknown"))]),
        OnUnknown::Tempfail => Outcome::new(Verdict::Defer, vec![Step::Defer]),
    }
}

fn matched(rule: &str, policy: &RulePolicy, found: &Match, facts: &Facts, today: Date) -> Outcome {
    match &policy.actions {
        Actions::Content(action) => content(rule, *action, facts),
        // What is only likely is recorded; nobody is stopped for it.
        Actions::Forward { .. } if found.grade < Grade::Certain => Outcome::default(),
        Actions::Forward { action, reroute_to, exceptions } => {
            let (stopped, allowed_by) = without_allowed(found, exceptions, facts, today);
            if stopped.is_empty() {
                return Outcome { allowed_by, ..Outcome::default() };
            }
            let mut steps = vec![Step::Mark(Mark::AutoForward(forward_mark(found)))];
            let verdict = forward(*action, reroute_to.as_ref(), rule, found, &stopped, facts, &mut steps);
            Outcome { verdict, steps, allowed_by }
        }
    }
}

fn content(rule: &str, action: ContentAction, facts: &Facts) -> Outcome {
    let mark = Step::Mark(Mark::Suspicious(rule.to_owned()));
    match action {
        ContentAction::Mark => Outcome::new(Verdict::Mark, vec![mark]),
        // A refused bounce is lost: nobody is told of it (RFC 5321 §6.1). It waits for a person instead.
        ContentAction::Reject if facts.sender.address().is_some() => {
            Outcome::new(Verdict::Reject, vec![Step::Reject(Refusal::Content)])
        }
        ContentAction::Hold | ContentAction::Reject => {
            Outcome::new(Verdict::Hold, vec![mark, Step::Hold(rule.to_owned())])
        }
    }
}

/// The recipients that no exception allows, and the decision behind those that one does.
fn without_allowed(
    found: &Match,
    exceptions: &[Exception],
    facts: &Facts,
    today: Date,
) -> (Vec<usize>, Option<String>) {
    let mut allowed_by = None;
    let allowed = |index: usize| {
        let recipient = facts.recipients.get(index)?;
        exceptions.iter().find(|exception| {
            exception.until >= today
                && found.mailboxes.contains(&exception.mailbox)
                && exception.to.matches(&recipient.address)
        })
    };
    let stopped = found
        .recipients
        .iter()
        .copied()
        .filter(|index| match allowed(*index) {
            Some(exception) => {
                allowed_by = Some(exception.decision.clone());
                false
            }
            None => true,
        })
        .collect();
    (stopped, allowed_by)
}

/// What is done with a forward to the recipients in `stopped`. Whose envelope sender it is decides whether a refusal
/// is right: a bounce goes to the envelope sender and names the recipient, and nobody but the forwarder himself may
/// learn that.
fn forward(
    action: ForwardAction,
    reroute_to: Option<&crate::address::Address>,
    rule: &str,
    found: &Match,
    stopped: &[usize],
    facts: &Facts,
    steps: &mut Vec<Step>,
) -> Verdict {
    let remove = || stopped.iter().copied().map(Step::RemoveRecipient);
    let others_remain = stopped.len() < facts.recipients.len();
    match (action, reroute_to) {
        (ForwardAction::Reject, _) if sender_is_forwarder(facts) => {
            steps.push(Step::Reject(Refusal::Forward));
            Verdict::Reject
        }
        (ForwardAction::RemoveRecipient, _) if others_remain => {
            steps.extend(remove());
            Verdict::Mark
        }
        (ForwardAction::Reject, _) if facts.sender.address().is_none() && others_remain => {
            steps.extend(remove());
            Verdict::Mark
        }
        (ForwardAction::Reroute | ForwardAction::RemoveRecipient | ForwardAction::Reject, Some(to)) => {
            steps.extend(remove());
            steps.push(Step::AddRecipient(to.clone()));
            Verdict::Mark
        }
        (_, _) => {
            steps.push(Step::Hold(format!("{rule}: {}", forward_mark(found))));
            Verdict::Hold
        }
    }
}

/// Whether the envelope sender is the local mailbox itself, and not an outsider's address, rewritten or not.
fn sender_is_forwarder(facts: &Facts) -> bool {
    let rewritten =
        facts.traces.iter().any(|trace| matches!(trace.mechanism, Mechanism::Srs | Mechanism::Gmail));
    facts.sender_inside() && !rewritten
}

fn forward_mark(found: &Match) -> String {
    let mailbox = found.mailboxes.first().map(|mailbox| format!("; mailbox={mailbox}")).unwrap_or_default();
    format!("{}; evidence={}{mailbox}", found.grade.as_str(), found.evidence)
}

#[cfg(test)]
mod tests;

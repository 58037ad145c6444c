//! Notices about forwards: who inside is told of one that was stopped, and of an exception that no longer holds.
//!
//! One for each owner, target and day, whatever the number of mails. None about our own letters and none about
//! bounces, so that a notice that is itself forwarded gives no other. Where it is not sure whose forward it is nobody is
//! told of the target: it is a colleague's private mailbox.

#![deny(clippy::disallowed_methods)]

use std::collections::HashSet;

use jiff::civil::Date;

use super::{Exception, Notice, RulePolicy, Step};
use crate::address::Address;
use crate::facts::Facts;
use crate::groups::AddressList;
use crate::rules::{Confidence, Finding, Match, auto_forward};
use crate::templates::Occasion;
use crate::{limits, notice};

/// What was done with a forward's targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ForwardOutcome {
    /// The mail waits for a person.
    Held,
    /// It went to another mailbox.
    Rerouted,
    /// It went to the others alone.
    Removed,
    /// It was refused; the bounce tells its sender.
    Refused,
}

/// The steps that tell the owner.
pub(super) fn stopped(
    found: &Match,
    targets: &[usize],
    way: ForwardOutcome,
    reroute_to: Option<&Address>,
    facts: &Facts,
    today: Date,
) -> Vec<Step> {
    let action = match way {
        ForwardOutcome::Held => "held",
        ForwardOutcome::Rerouted => "rerouted",
        ForwardOutcome::Removed => "removed",
        ForwardOutcome::Refused => return Vec::new(),
    };
    let own_notice = facts.header.first(notice::LOOP_FIELD).is_some();
    if own_notice || facts.sender.address().is_none() {
        return Vec::new();
    }
    let notice = |to: &Address, target: &str, what: &str| {
        Step::Notify(Notice {
            occasion: Occasion::ForwardStopped,
            to: to.clone(),
            once: format!("{} {what} {today}", to.key()),
            fields: vec![
                ("target", target.to_owned()),
                ("action", action.to_owned()),
                ("reroute_to", reroute_to.map(ToString::to_string).unwrap_or_default()),
            ],
            answerable: false,
        })
    };
    match owner(found, facts) {
        Some(Owner::Forwarder(owner)) => {
            let target = |at: &usize| facts.recipients.get(*at).map(|recipient| &recipient.address);
            let targets = targets.iter().take(limits::FORWARD_NOTICES).filter_map(target);
            targets.map(|target| notice(owner, target.as_str(), target.key())).collect()
        }
        Some(Owner::Group(mailbox)) => vec![notice(mailbox, "", "")],
        None => Vec::new(),
    }
}

/// The step that tells, once for good, who approved an exception that it has ended and something was stopped. Only a
/// mailbox inside can be told.
///
/// What he approved is named as he approved it: of `@leverantor.se` he learns no mailbox.
pub(super) fn ended(exception: &Exception, facts: &Facts) -> Option<Step> {
    let approver = exception.approved_by.as_deref().filter(|by| by.contains('@')).and_then(Address::parse)?;
    let own_notice = facts.header.first(notice::LOOP_FIELD).is_some();
    if !facts.organisation.keeps(&approver) || own_notice {
        return None;
    }
    let Exception { scope, decision, until, .. } = exception;
    let list = |list: &Option<AddressList>| list.as_ref().map(ToString::to_string).unwrap_or_default();
    let (mailbox, to) = (list(&scope.mailbox), list(&scope.recipient));
    let decision = decision.clone().unwrap_or_default();
    let until = until.map(|until| until.to_string()).unwrap_or_default();
    Some(Step::Notify(Notice {
        occasion: Occasion::ExceptionEnded,
        to: approver,
        once: format!("{mailbox} {to} {decision} {until}"),
        fields: vec![("forwarder", mailbox), ("target", to), ("decision", decision), ("until", until)],
        answerable: false,
    }))
}

/// Who is told of a forward.
enum Owner<'a> {
    /// The forwarder, who knows the target.
    Forwarder(&'a Address),
    /// Whom the message came for, where nothing tells who of those that read it there sends it on: it may be a group's
    /// address, and nobody in it may learn of a colleague's private mailbox.
    Group(&'a Address),
}

/// Whose forward it is, if that can be told.
fn owner<'a>(found: &'a Match, facts: &Facts) -> Option<Owner<'a>> {
    let [mailbox] = found.mailboxes.as_slice() else { return None };
    if mailbox.domain().is_none() || !facts.organisation.keeps(mailbox) {
        return None;
    }
    let sends = facts.forwarder().is_some_and(|sender| facts.is_same_mailbox(&sender, mailbox));
    Some(if sends || facts.is_named(mailbox) { Owner::Forwarder(mailbox) } else { Owner::Group(mailbox) })
}

/// Whether the envelope sender is the forwarder, by a trace or by the memory: then a bounce tells no third party.
pub(super) fn sent_by_forwarder(found: &Match, facts: &Facts) -> bool {
    let (Some(sender), [mailbox]) = (facts.forwarder(), found.mailboxes.as_slice()) else { return false };
    facts.is_same_mailbox(&sender, mailbox) && (facts.is_named(&sender) || facts.is_remembered_for(&sender))
}

/// The recipients that the envelope sender may not learn of: the targets of a forward that is not theirs.
pub(super) fn hidden(findings: &[(&str, &RulePolicy, Finding)], facts: &Facts) -> HashSet<usize> {
    let forwards = findings.iter().filter_map(|(rule, _, finding)| match finding {
        Finding::Match(found) if *rule == auto_forward::SPEC.id && found.grade >= Confidence::Strong => {
            Some(found)
        }
        Finding::Match(_) | Finding::Unknown(_) => None,
    });
    let sender = facts.forwarder();
    let own =
        |mailbox: &Address| sender.as_ref().is_some_and(|sender| facts.is_same_mailbox(sender, mailbox));
    let of_others = forwards.filter(|found| found.mailboxes.is_empty() || !found.mailboxes.iter().all(own));
    of_others.flat_map(|found| found.recipients.iter().copied()).collect()
}

//! Notices about forwards: who inside is told of one that was stopped, and of an exception that no longer holds.
//!
//! One for each owner, target and day, whatever the number of mails. None about our own letters and none about
//! bounces, so that a notice that is itself forwarded gives no other. None where it is not sure whose forward it is:
//! nobody is told of a colleague's private mailbox.

#![deny(clippy::disallowed_methods)]

use jiff::civil::Date;

use super::{Exception, Notice, Step};
use crate::address::Address;
use crate::facts::Facts;
use crate::rules::Match;
use crate::templates::Occasion;
use crate::{letter, limits};

/// What was done with a forward's targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
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
    way: Way,
    reroute_to: Option<&Address>,
    facts: &Facts,
    today: Date,
) -> Vec<Step> {
    let action = match way {
        Way::Held => "held",
        Way::Rerouted => "rerouted",
        Way::Removed => "removed",
        Way::Refused => return Vec::new(),
    };
    let own_letter = facts.header.first(letter::LOOP_FIELD).is_some();
    let Some(owner) = owner(found, facts).filter(|_| !own_letter && facts.sender.address().is_some()) else {
        return Vec::new();
    };
    let to = |target: &usize| {
        let target = &facts.recipients.get(*target)?.address;
        Some(Step::Notify(Notice {
            occasion: Occasion::ForwardStopped,
            to: owner.clone(),
            once: format!("{} {} {today}", owner.key(), target.key()),
            fields: vec![
                ("target", target.to_string()),
                ("action", action.to_owned()),
                ("reroute_to", reroute_to.map(ToString::to_string).unwrap_or_default()),
            ],
        }))
    };
    targets.iter().take(limits::FORWARD_NOTICES).filter_map(to).collect()
}

/// The step that tells, once for good, who approved an exception that it has ended and something was stopped. Only a
/// mailbox inside can be told.
pub(super) fn ended(exception: &Exception, target: &Address, facts: &Facts) -> Option<Step> {
    let approver = exception.approved_by.as_deref().filter(|by| by.contains('@')).and_then(Address::parse)?;
    let own_letter = facts.header.first(letter::LOOP_FIELD).is_some();
    if !facts.owns(&approver) || own_letter {
        return None;
    }
    let Exception { mailbox, to, decision, until, .. } = exception;
    Some(Step::Notify(Notice {
        occasion: Occasion::ExceptionEnded,
        to: approver,
        once: format!("{} {to:?} {decision} {until}", mailbox.key()),
        fields: vec![
            ("forwarder", mailbox.to_string()),
            ("target", target.to_string()),
            ("decision", decision.clone()),
            ("until", until.to_string()),
        ],
    }))
}

/// Whose forward it is, if that is sure: who sent the mail, else the one mailbox that a trace names, else the one that
/// the message came for.
fn owner<'a>(found: &'a Match, facts: &'a Facts) -> Option<&'a Address> {
    let named = facts.traces.iter().filter_map(|trace| trace.mailbox.as_ref());
    let mut named: Vec<&Address> = named.filter(|mailbox| found.mailboxes.contains(mailbox)).collect();
    named.sort();
    named.dedup();
    let only = |mailboxes: &[&'a Address]| match mailboxes {
        [mailbox] => Some(*mailbox),
        _ => None,
    };
    facts
        .forwarder()
        .filter(|sender| found.mailboxes.contains(sender))
        .or_else(|| only(&named))
        .or_else(|| only(&found.mailboxes.iter().collect::<Vec<_>>()))
        .filter(|owner| owner.domain().is_some() && facts.owns(owner))
}

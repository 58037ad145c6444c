//! What follows from sensitive data: an action for each class, and where no action may be taken at all.
//!
//! Mail from outside is marked at the most, unless the config says otherwise: a citizen who writes about their own
//! affairs must not be turned away. A refusal goes to people inside alone, never to a null sender, never to an outsider
//! whose mail a mailbox here forwards: they are held instead. A route with pinned encryption satisfies what is
//! considerable; never what is serious, for there the data itself must be encrypted.

#![deny(clippy::disallowed_methods)]

use std::collections::HashSet;

use jiff::civil::Date;

use super::{Decision, Mark, Mode, Notice, Refusal, Ruling, Step};
use crate::address::{Address, DomainPattern};
use crate::facts::Facts;
use crate::mail::Direction;
use crate::notice;
use crate::rules::{Finding, Match, Sensitivity, sensitive_data};
use crate::swedish;
use crate::templates::{Fields, Occasion};
use crate::text::words;
use crate::verdict::Verdict;

/// The rule whose held mail its sender may release.
pub const RULE: &str = sensitive_data::SPEC.id;

words! {
    /// What is done about data of one class.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum ClassAction {
        /// A line in the log.
        Accept = "accept",
        /// It passes with a header.
        #[default]
        Mark = "mark",
        /// It waits in the queue for a person.
        Hold = "hold",
        /// 550 5.7.1, with what to use instead.
        Reject = "reject",
    }
}

/// What follows from data of one class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassPolicy {
    /// What is done.
    pub action: ClassAction,
    /// What is put before the subject of a mail that passes with a mark.
    pub subject_tag: Option<String>,
}

words! {
    /// What becomes of mail from outside.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum Inbound {
        /// A line in the log.
        Record = "record",
        /// A header at the most.
        #[default]
        Mark = "mark",
        /// The same as of other mail.
        Act = "act",
    }
}

impl Inbound {
    /// The most that is done.
    fn most(self) -> ClassAction {
        match self {
            Self::Record => ClassAction::Accept,
            Self::Mark => ClassAction::Mark,
            Self::Act => ClassAction::Reject,
        }
    }
}

words! {
    /// Whether the sender is told that a mail was held; a refusal tells them by itself.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum NotifySender {
        /// The sender, where it is a mailbox inside.
        #[default]
        Sender = "sender",
        /// The log alone.
        Nobody = "nobody",
    }
}

/// What follows from sensitive data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SensitivePolicy {
    /// Of class 1.
    pub moderate: ClassPolicy,
    /// Of class 2.
    pub considerable: ClassPolicy,
    /// Of class 3.
    pub serious: ClassPolicy,
    /// Of mail from outside.
    pub inbound: Inbound,
    /// What people shall use instead, for the refusal.
    pub secure_alternative: Option<String>,
    /// Domains on the way to which encryption is pinned.
    pub tls_routes: Vec<DomainPattern>,
    /// Whether the sender of a held mail is told.
    pub notify: NotifySender,
    /// Whether the sender of a marked mail is told once a day what to use instead.
    pub tip: bool,
    /// Whether mail that leaves has `X-Postvakt-Sensitive` too.
    pub outbound_header: bool,
    /// A mailbox inside that is told of every mail that was held or refused.
    pub copy_to: Option<Address>,
    /// The highest class of data whose mail its sender may release; class none for no mail.
    pub allow_override: Sensitivity,
}

impl SensitivePolicy {
    fn of(&self, class: Sensitivity) -> Option<&ClassPolicy> {
        match class {
            Sensitivity::None => None,
            Sensitivity::Moderate => Some(&self.moderate),
            Sensitivity::Considerable => Some(&self.considerable),
            Sensitivity::Serious => Some(&self.serious),
        }
    }

    /// Whether the sender of a held mail with data of this class may release it.
    pub fn may_override(&self, class: Sensitivity) -> bool {
        class > Sensitivity::None && class <= self.allow_override
    }

    /// Whether every recipient is reached by a route with pinned encryption.
    fn pinned(&self, facts: &Facts) -> bool {
        let on_route = |address: &Address| self.tls_routes.iter().any(|route| route.matches_address(address));
        !facts.recipients.is_empty() && facts.recipients.iter().all(|recipient| on_route(&recipient.address))
    }

    /// What is done about data of this class in this mail.
    fn action(&self, class: Sensitivity, facts: &Facts) -> Option<(&ClassPolicy, ClassAction)> {
        let policy = self.of(class)?;
        let mut action = policy.action;
        if facts.direction == Direction::Inbound {
            action = action.min(self.inbound.most());
        }
        if class <= Sensitivity::Considerable && self.pinned(facts) {
            action = action.min(ClassAction::Mark);
        }
        // A refusal to anyone else would be lost, or tell an outsider of a mailbox's forward.
        if action == ClassAction::Reject && !facts.sender_inside() && self.inbound != Inbound::Act {
            action = ClassAction::Hold;
        }
        if action == ClassAction::Reject && facts.sender.address().is_none() {
            action = ClassAction::Hold;
        }
        Some((policy, action))
    }

    /// What the rule could not tell of a mail from outside stops it only where anything may.
    pub(super) fn may_stop(&self, facts: &Facts) -> bool {
        facts.direction != Direction::Inbound || self.inbound == Inbound::Act
    }
}

/// The verdict and the steps that follow from what a rule found.
pub(super) fn decide(
    rule: &str,
    policy: &SensitivePolicy,
    found: &Match,
    facts: &Facts,
    hidden: &HashSet<usize>,
    today: Date,
) -> (Verdict, Vec<Step>) {
    let class = found.evidence.class();
    let Some((of_class, action)) = policy.action(class, facts) else { return (Verdict::Accept, Vec::new()) };
    let action = if hidden.is_empty() { action } else { action.min(ClassAction::Hold) };
    // The field would tell a recipient outside what is in the mail.
    let shown = !facts.leaves() || policy.outbound_header;
    let mark = shown.then(|| Step::Mark(Mark::Sensitive(class, found.evidence.counts().to_vec())));
    let tag = of_class.subject_tag.clone().map(|tag| Step::Mark(Mark::SubjectTag(tag)));
    let (verdict, mut steps) = match action {
        ClassAction::Accept => return (Verdict::Accept, Vec::new()),
        ClassAction::Mark => (Verdict::Mark, mark.into_iter().collect()),
        ClassAction::Hold => {
            let hold = Step::Hold(format!("{rule}: class={}", class.as_str()));
            (Verdict::Hold, mark.into_iter().chain([hold]).collect())
        }
        ClassAction::Reject => {
            let refusal = Refusal::Sensitive(policy.secure_alternative.clone());
            (Verdict::Reject, vec![Step::Reject(refusal)])
        }
    };
    steps.extend(tag.filter(|_| verdict < Verdict::Reject));
    if verdict >= Verdict::Hold {
        steps.extend(notices(policy, found, facts, hidden, verdict).into_iter().map(Step::Notify));
    } else if policy.tip {
        steps.extend(tip(policy, found, facts, hidden, today).map(Step::Notify));
    }
    (verdict, steps)
}

/// What the sender of a mail that passes with a mark is told, once a day: what was found, and what to use next time.
fn tip(
    policy: &SensitivePolicy,
    found: &Match,
    facts: &Facts,
    hidden: &HashSet<usize>,
    today: Date,
) -> Option<Notice> {
    let own_notice = facts.header.first(notice::LOOP_FIELD).is_some();
    let sender =
        facts.sender.address().filter(|sender| facts.from_inside && facts.organisation.keeps(sender));
    let sender = sender.filter(|_| !own_notice && hidden.len() < facts.recipients.len())?;
    Some(Notice {
        occasion: Occasion::SensitiveMarked,
        to: sender.clone(),
        once: format!("{}/{today}", sender.key()),
        fields: fields(policy, found, facts, hidden, "marked"),
        answerable: false,
    })
}

/// Who is told that the mail was stopped: what kinds of data, never the data, and no subject, for it may have some.
/// The targets of another mailbox's forward are not named; a sender who wrote only to such targets is not told.
fn notices(
    policy: &SensitivePolicy,
    found: &Match,
    facts: &Facts,
    hidden: &HashSet<usize>,
    verdict: Verdict,
) -> Vec<Notice> {
    let sender = facts.sender.address().filter(|sender| facts.owns(sender));
    let told = verdict == Verdict::Hold && policy.notify == NotifySender::Sender;
    let sender = sender.filter(|_| hidden.len() < facts.recipients.len());
    let fields =
        fields(policy, found, facts, hidden, if verdict == Verdict::Hold { "held" } else { "refused" });
    let mail = [facts.queue_id.as_deref(), facts.header.message_id.as_deref()].map(Option::unwrap_or_default);
    let notice = |occasion: Occasion, to: &Address| Notice {
        occasion,
        to: to.clone(),
        once: format!("{to}\0{}\0{}\0{}", facts.arrived, mail.concat(), found.evidence.class().as_str()),
        fields: fields.clone(),
        answerable: false,
    };
    let answerable = facts.from_inside && policy.may_override(found.evidence.class());
    let to_sender = sender
        .filter(|_| told)
        .map(|sender| Notice { answerable, ..notice(Occasion::SensitiveStopped, sender) });
    let copy = policy.copy_to.as_ref().map(|mailbox| notice(Occasion::SensitiveFound, mailbox));
    to_sender.into_iter().chain(copy).collect()
}

/// Leaves the sender of a mail the way to release it only where nothing else holds it: no other rule, no data of a higher
/// class, and no part that could not be read.
pub(super) fn invite_only_where_alone(decision: &mut Decision) {
    fn invitation(step: &mut Step) -> Option<&mut bool> {
        match step {
            Step::Notify(notice) if notice.occasion == Occasion::SensitiveStopped => {
                Some(&mut notice.answerable)
            }
            _ => None,
        }
    }
    let completed = |ruling: &Ruling| {
        ruling.rule == RULE && matches!(ruling.finding, Finding::Match(_)) && ruling.undecided.is_none()
    };
    let enforced = || decision.rulings.iter().filter(|ruling| ruling.mode == Mode::Enforce);
    let alone =
        enforced().filter(|ruling| ruling.rule == RULE || ruling.verdict >= Verdict::Hold).all(completed);
    let all = decision.steps.iter_mut().filter_map(invitation).all(|answerable| *answerable);
    if !(alone && all && decision.verdict == Verdict::Hold) {
        decision.steps.iter_mut().filter_map(invitation).for_each(|answerable| *answerable = false);
    }
}

/// What a text may name; `action` is what was done.
fn fields(
    policy: &SensitivePolicy,
    found: &Match,
    facts: &Facts,
    hidden: &HashSet<usize>,
    action: &'static str,
) -> Fields {
    let shown = facts.recipients.iter().enumerate().filter(|(at, _)| !hidden.contains(at));
    let recipients: Vec<String> = shown.take(5).map(|(_, recipient)| recipient.address.to_string()).collect();
    vec![
        ("sender", facts.sender.to_string()),
        ("recipients", recipients.join(", ")),
        ("action", action.to_owned()),
        ("class", found.evidence.class().as_str().to_owned()),
        ("kinds", listed(found.evidence.counts(), |kind| kind)),
        ("class_sv", swedish::class(found.evidence.class().as_str()).to_owned()),
        ("kinds_sv", listed(found.evidence.counts(), swedish::kind)),
        ("queue_id", facts.queue_id.clone().unwrap_or_default()),
        ("secure_alternative", policy.secure_alternative.clone().unwrap_or_default()),
    ]
}

/// `personnummer (2), health (1)`, each kind by its name.
fn listed(counts: &[(&'static str, usize)], name: fn(&'static str) -> &'static str) -> String {
    counts.iter().map(|(kind, count)| format!("{} ({count})", name(kind))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;

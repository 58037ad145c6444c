//! Receipts: which mailboxes owe one for a mail, and whether it is sent. Asked when the verdict on the mail is known.

#![deny(clippy::disallowed_methods)]

pub mod sender;

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;

use super::{Actions, Decision, Mode, RulePolicy, Ruling, decide, exceptions};
use crate::address::{Address, Domain, DomainSet};
use crate::facts::{Cause, Facts, Recipient};
use crate::mail::Direction;
use crate::notice::name::{self, Key};
use crate::rules::receipt::Suppression;
use crate::rules::{Finding, Rule, spam, virus};
use crate::templates::Template;
use crate::verdict::Verdict;

/// What the config says of receipts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptPolicy {
    /// The mailboxes that owe them.
    pub mailboxes: Vec<Arc<Mailbox>>,
    /// From the mail to its receipt.
    pub delay: Duration,
    /// Whether the mail's subject may stand in it.
    pub echo_subject: bool,
    /// How many there may be.
    pub ceilings: RateLimits,
}

/// A function mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// Its address.
    pub address: Address,
    /// What people call it. Default: the organisation's name.
    pub name: Option<String>,
    /// The text of its receipts.
    pub template: Template,
}

/// How many receipts there may be, each in any hour or any day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// For one sender.
    pub sender: Vec<Rate>,
    /// For one sender whose domain is an authority's.
    pub authority: Vec<Rate>,
    /// The domains of authorities.
    pub authorities: DomainSet,
    /// For the senders of one domain.
    pub domain: Vec<Rate>,
    /// From one mailbox.
    pub mailbox: Vec<Rate>,
    /// In all; above it the breaker opens.
    pub total: Vec<Rate>,
}

impl RateLimits {
    /// Those for one sender of that domain.
    pub fn of_sender(&self, domain: &Domain) -> &[Rate] {
        if self.authorities.contains(domain) { &self.authority } else { &self.sender }
    }
}

/// So many in any such time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In which time.
    pub per: Per,
}

/// The time of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// One hour.
    Hour,
    /// 24 hours.
    Day,
}

impl Per {
    /// Milliseconds.
    pub fn milliseconds(self) -> i64 {
        match self {
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }
}

/// A receipt that a mailbox owes for a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The mailbox.
    pub mailbox: Arc<Mailbox>,
    /// Whether the rule acts.
    pub mode: Mode,
    /// Why it is not sent with the mail; `None` where it is.
    pub suppression: Option<Suppression>,
    /// Whether it is sent when the mail, which is held, is released.
    pub waits: bool,
    /// What makes it the same one.
    pub key: Key,
    /// What people call it: the same for every mailbox that the mail came for.
    pub reference: String,
    /// From the mail to it.
    pub delay: Duration,
    /// Whether the mail's subject may stand in it.
    pub echo_subject: bool,
    /// Whether the mail came before and its receipt waits no longer, whatever became of that.
    pub repeated: bool,
}

impl Receipt {
    /// Whether the mail's sender has it, or will have it.
    pub fn is_owed(&self) -> bool {
        (self.suppression.is_none() || self.waits) && self.mode == Mode::Enforce
    }

    /// It is not sent, neither now nor later.
    pub fn suppress(&mut self, why: Suppression) {
        self.suppression = Some(why);
        self.waits = false;
    }

    /// Whether it is written, to be sent now or at the mail's release.
    pub fn is_sent(&self) -> bool {
        self.is_owed() && !self.repeated
    }

    /// Why it is not sent, or else what people call it.
    pub fn detail(&self) -> &str {
        match self.suppression {
            Some(suppression) => suppression.as_str(),
            None => &self.reference,
        }
    }

    /// The word for what becomes of it.
    pub fn outcome(&self) -> &'static str {
        match (self.suppression, self.mode) {
            (Some(_), _) => "suppressed",
            (None, Mode::Enforce) if self.repeated => "repeated",
            (None, Mode::Enforce) => "queued",
            (None, Mode::Observe | Mode::Off) => "would_queue",
        }
    }
}

/// Adds the receipts that the mail's mailboxes owe to the decision, `today` being the day in the organisation's time
/// zone. What could not be found out may change the verdict, as `on_unknown` says.
pub fn decide<'a>(
    facts: &Facts,
    rules: impl IntoIterator<Item = (&'a dyn Rule, &'a RulePolicy)>,
    today: Date,
    decision: &mut Decision,
) {
    for (rule, policy) in rules {
        if let Actions::Receipt(receipts) = &policy.actions {
            owed(facts, (rule, policy), receipts, today, decision);
        }
    }
}

fn owed(
    facts: &Facts,
    (rule, policy): (&dyn Rule, &RulePolicy),
    receipts: &ReceiptPolicy,
    today: Date,
    decision: &mut Decision,
) {
    let addressed: Vec<&Arc<Mailbox>> = receipts
        .mailboxes
        .iter()
        .filter(|mailbox| facts.recipients.iter().any(|recipient| recipient.address == mailbox.address))
        .collect();
    if facts.direction != Direction::Inbound || addressed.is_empty() {
        return;
    }
    let excepted = |mailbox: &Mailbox| {
        let at = |recipient: &Recipient| recipient.address == mailbox.address;
        let at: Vec<usize> = facts.recipients.iter().position(at).into_iter().collect();
        exceptions::of_recipients(policy, &[], &at, facts, today).whole
    };
    let own = rule.suppression(facts);
    let mut suppression = by_verdict(decision).or(own);
    if let Some(Suppression::AuthenticationUnavailable(cause)) = suppression {
        unknown(rule, policy, cause, decision);
        suppression = by_verdict(decision).or(suppression);
    }
    // The hold alone is in the way.
    let waits = suppression == Some(Suppression::Held) && own.is_none();
    let case = case(facts);
    let reference = name::reference("PV", &name::key(case.iter().map(String::as_str)), today.year());
    decision.receipts.extend(addressed.into_iter().map(|mailbox| Receipt {
        mailbox: mailbox.clone(),
        mode: policy.mode,
        suppression: suppression.or_else(|| excepted(mailbox).then_some(Suppression::Exception)),
        waits: waits && !excepted(mailbox),
        key: name::key(["receipt", mailbox.address.key()].into_iter().chain(case.iter().map(String::as_str))),
        reference: reference.clone(),
        delay: receipts.delay,
        echo_subject: receipts.echo_subject,
        repeated: false,
    }));
}

/// What becomes of the mail decides first: one that is not let in has not arrived, and spam is not answered, whatever
/// else is done with it.
fn by_verdict(decision: &Decision) -> Option<Suppression> {
    let found = |rule: &str| {
        decision
            .rulings
            .iter()
            .filter(|ruling| ruling.allowed_by.is_empty())
            .any(|ruling| ruling.rule == rule && matches!(ruling.finding, Finding::Match(_)))
    };
    match decision.verdict {
        _ if found(virus::SPEC.id) => Some(Suppression::Virus),
        Verdict::Reject => Some(Suppression::Rejected),
        Verdict::Defer => Some(Suppression::Deferred),
        _ if found(spam::SPEC.id) => Some(Suppression::Spam),
        Verdict::Hold => Some(Suppression::Held),
        Verdict::Accept | Verdict::Mark => None,
    }
}

fn unknown(rule: &dyn Rule, policy: &RulePolicy, cause: Cause, decision: &mut Decision) {
    let outcome = decide::unknown(rule.id(), policy, cause);
    if policy.mode == Mode::Enforce {
        decision.verdict = decision.verdict.max(outcome.verdict);
        decision.steps.extend(outcome.steps);
    }
    decision.rulings.push(Ruling {
        rule: rule.id().to_owned(),
        finding: Finding::Unknown(cause),
        mode: policy.mode,
        verdict: outcome.verdict,
        allowed_by: Vec::new(),
        undecided: None,
        place: policy.place.clone(),
    });
}

/// What tells a case from another: its Message-ID and its author, for there are programs that give many messages one
/// id; without an id, what else a message has that comes again.
fn case(facts: &Facts) -> Vec<String> {
    let header = &facts.header;
    let mut case: Vec<String> = header.from.iter().map(|address| address.key().to_owned()).collect();
    // An author that cannot be read is one all the same.
    if case.is_empty() {
        case.extend(header.all("From").map(str::to_owned));
    }
    if let Some(id) = &header.message_id {
        case.push(id.clone());
    } else {
        case.push(facts.sender.to_string());
        case.extend([header.date.clone(), header.subject.clone()].map(Option::unwrap_or_default));
    }
    case
}

#[cfg(test)]
mod tests;

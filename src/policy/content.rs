//! What follows from a custom rule: how the mail is marked, who gets it, who is told, and in which words.

#![deny(clippy::disallowed_methods)]

use std::collections::HashSet;

use jiff::civil::Date;

use super::told::{self, Tale};
use super::{ContentAction, Mark, Refusal, Step, Told};
use crate::address::Address;
use crate::facts::Facts;
use crate::rules::Match;
use crate::verdict::Verdict;

/// What follows from a custom rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentPolicy {
    /// What is done.
    pub action: ContentAction,
    /// Whether `X-Postvakt-Suspicious` has the rule's name.
    pub suspicious: bool,
    /// What the subject begins with.
    pub subject_tag: Option<String>,
    /// Header fields that are added.
    pub add_header: Vec<(String, String)>,
    /// Names of header fields that are removed.
    pub remove_header: Vec<String>,
    /// Who gets the mail in place of the recipients that the rule applies to; a mailbox inside.
    pub reroute_to: Option<Address>,
    /// Who gets it too; mailboxes inside.
    pub bcc: Vec<Address>,
    /// The organisation's own words.
    pub message: Option<Wording>,
    /// Who is told.
    pub notify: Told,
}

impl ContentPolicy {
    /// This action and nothing else.
    pub fn only(action: ContentAction) -> Self {
        Self {
            action,
            suspicious: true,
            subject_tag: None,
            add_header: Vec::new(),
            remove_header: Vec::new(),
            reroute_to: None,
            bcc: Vec::new(),
            message: None,
            notify: Told::default(),
        }
    }
}

/// The organisation's own words for what a rule does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wording {
    /// In Swedish.
    pub sv: String,
    /// In English.
    pub en: String,
    /// The two last numbers of the enhanced status code `5.x.y` of a rejection (RFC 3463).
    pub status: (u8, u8),
}

/// The verdict and the steps that follow from what a custom rule found.
pub(super) fn decide(
    rule: &str,
    policy: &ContentPolicy,
    found: &Match,
    facts: &Facts,
    hidden: &HashSet<usize>,
    today: Date,
) -> (Verdict, Vec<Step>) {
    // A rejected bounce reaches no one (RFC 5321 §6.1), and one that would name a hidden recipient must not be sent. They
    // are held for review instead.
    let answers = facts.sender.address().is_some() && hidden.is_empty();
    let (verdict, action) = match policy.action {
        ContentAction::Mark if policy.reroute_to.is_some() => (Verdict::Mark, "rerouted"),
        ContentAction::Mark => (Verdict::Mark, "marked"),
        ContentAction::Reject if answers => (Verdict::Reject, "refused"),
        ContentAction::Hold | ContentAction::Reject => (Verdict::Hold, "held"),
    };
    let mut steps = if verdict == Verdict::Reject {
        vec![Step::Reject(Refusal::Content(policy.message.clone()))]
    } else {
        changes(rule, policy, found, facts).collect()
    };
    if verdict == Verdict::Hold {
        steps.push(Step::Hold(rule.to_owned()));
    }
    let words = policy.message.as_ref().map(|message| (&*message.sv, &*message.en));
    let tale = Tale { rule, action, verdict, words };
    steps.extend(told::steps(&policy.notify, tale, found, facts, hidden, today));
    (verdict, steps)
}

/// What is changed of a mail that is not rejected, and of its envelope.
fn changes<'a>(
    rule: &'a str,
    policy: &'a ContentPolicy,
    found: &'a Match,
    facts: &'a Facts,
) -> impl Iterator<Item = Step> {
    let suspicious = policy.suspicious.then(|| Mark::Suspicious(rule.to_owned()));
    let tag = policy.subject_tag.clone().map(Mark::SubjectTag);
    let removed = policy.remove_header.iter().cloned().map(Mark::WithoutField);
    let added = policy.add_header.iter().cloned().map(|(name, value)| Mark::Field(name, value));
    let marks = suspicious.into_iter().chain(tag).chain(removed).chain(added).map(Step::Mark);
    let rerouted = policy.reroute_to.iter().flat_map(|to| rerouted(to, found, facts));
    let copies = policy.bcc.iter().filter(|to| !is_recipient(to, facts)).cloned().map(Step::AddRecipient);
    marks.chain(rerouted).chain(copies)
}

/// The recipients that the rule applies to go, and this mailbox gets the mail; where it is one of them it stays.
fn rerouted(to: &Address, found: &Match, facts: &Facts) -> Vec<Step> {
    let concerned = |at: &usize| found.recipients.is_empty() || found.recipients.contains(at);
    let all = facts.recipients.iter().enumerate();
    let gone = all.filter(|(at, recipient)| concerned(at) && recipient.address != *to);
    let mut steps: Vec<Step> = gone.map(|(at, _)| Step::RemoveRecipient(at)).collect();
    if !is_recipient(to, facts) {
        steps.push(Step::AddRecipient(to.clone()));
    }
    steps
}

fn is_recipient(address: &Address, facts: &Facts) -> bool {
    facts.recipients.iter().any(|recipient| recipient.address == *address)
}

#[cfg(test)]
mod tests;

//! Who is told that a rule marked or stopped a mail: its sender, the mailboxes that it is for, a function.
//!
//! Only people inside are told, never of our own notices, and the targets of somebody else's forward are not named. Of
//! what passes they are told once a day for each rule; of what is stopped each time.

#![deny(clippy::disallowed_methods)]

use std::collections::HashSet;

use jiff::civil::Date;

use super::{Notice, Step};
use crate::address::Address;
use crate::facts::Facts;
use crate::rules::Match;
use crate::swedish;
use crate::templates::{Fields, Occasion};
use crate::verdict::Verdict;
use crate::{limits, notice};

/// Who is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The envelope sender, where the mail comes from inside.
    pub sender: bool,
    /// The mailboxes inside that the mail is for.
    pub owner: bool,
    /// Function mailboxes inside.
    pub mailboxes: Vec<Address>,
}

impl Told {
    /// Whether that is nobody.
    pub fn is_nobody(&self) -> bool {
        !self.sender && !self.owner && self.mailboxes.is_empty()
    }
}

/// What people are told of a mail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tale<'a> {
    pub(super) rule: &'a str,
    /// What is done: `marked`, `held`, `rerouted`, `refused`.
    pub(super) action: &'static str,
    pub(super) verdict: Verdict,
    /// The organisation's own words, Swedish and English.
    pub(super) words: Option<(&'a str, &'a str)>,
}

/// The steps that tell them. Of a mail that is refused its sender is told by the bounce, and nobody else but functions.
pub(super) fn steps(
    told: &Told,
    tale: Tale<'_>,
    found: &Match,
    facts: &Facts,
    hidden: &HashSet<usize>,
    today: Date,
) -> Vec<Step> {
    if told.is_nobody() || facts.header.first(notice::LOOP_FIELD).is_some() {
        return Vec::new();
    }
    let refused = tale.verdict == Verdict::Reject;
    let sender =
        facts.sender.address().filter(|sender| facts.from_inside && facts.organisation.keeps(sender));
    let concerned = |at: &usize| found.recipients.is_empty() || found.recipients.contains(at);
    let owners = facts.recipients.iter().enumerate().filter(|(at, _)| concerned(at) && !hidden.contains(at));
    let owners = owners.map(|(_, recipient)| &recipient.address);
    let owners = owners.filter(|owner| facts.organisation.keeps(owner)).take(limits::RULE_NOTICES);
    let persons = sender
        .into_iter()
        .filter(|_| told.sender)
        .chain(owners.filter(|_| told.owner))
        .filter(|_| !refused)
        .map(|to| (to, true));
    let functions = told.mailboxes.iter().map(|mailbox| (mailbox, false));
    let mut steps: Vec<Step> = Vec::new();
    let mut known: Vec<&str> = Vec::new();
    for (to, is_person) in persons.chain(functions) {
        if known.contains(&to.key()) {
            continue;
        }
        known.push(to.key());
        let fields = fields(tale, facts, hidden, is_person);
        let once = once(tale, to, facts, today);
        steps.push(Step::Notify(Notice {
            occasion: Occasion::RuleFound,
            to: to.clone(),
            once,
            fields,
            answerable: false,
        }));
    }
    steps
}

/// What makes it the same notice.
fn once(tale: Tale<'_>, to: &Address, facts: &Facts, today: Date) -> String {
    let rule = tale.rule;
    if tale.verdict < Verdict::Hold {
        return format!("{rule}/{}/{today}", to.key());
    }
    let mail = [facts.queue_id.as_deref(), facts.header.message_id.as_deref()].map(Option::unwrap_or_default);
    format!("{rule}/{}/{}/{}", to.key(), facts.arrived, mail.concat())
}

/// What the text may name. A function learns no subject: the mail is none of its own.
fn fields(tale: Tale<'_>, facts: &Facts, hidden: &HashSet<usize>, is_person: bool) -> Fields {
    let shown = facts.recipients.iter().enumerate().filter(|(at, _)| !hidden.contains(at));
    let recipients: Vec<String> = shown.take(5).map(|(_, recipient)| recipient.address.to_string()).collect();
    let subject = facts.header.subject.clone().filter(|_| is_person).unwrap_or_default();
    let (sv, en) = tale.words.unwrap_or_default();
    vec![
        ("sender", facts.sender.to_string()),
        ("recipients", recipients.join(", ")),
        ("subject", subject),
        ("rule", tale.rule.to_owned()),
        ("rule_sv", swedish::rule(tale.rule).into_owned()),
        ("action", tale.action.to_owned()),
        ("text_sv", sv.to_owned()),
        ("text_en", en.to_owned()),
        ("queue_id", facts.queue_id.clone().unwrap_or_default()),
    ]
}

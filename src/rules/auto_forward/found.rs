//! Evidence as it gathers, and whose forward it is.

#![deny(clippy::disallowed_methods)]

use crate::address::Address;
use crate::facts::forwarding::Mechanism;
use crate::facts::identity::By;
use crate::facts::{Facts, Seen};
use crate::limits;
use crate::rules::{Confidence, Evidence, Match};

use super::innocent::{self, Answer, answer};
use super::meaning::{is_circumstance, meaning};
use super::{is_soon, known, written_outside};

/// What was found so far.
#[derive(Default)]
pub(super) struct Found {
    grade: Option<Confidence>,
    evidence: Option<Evidence>,
    /// The mailboxes that a mechanism's trace says to send on.
    named: Vec<Address>,
    /// The mailboxes that the message came for; each may be a group's.
    came_for: Vec<Address>,
    /// Whether it must be the envelope sender's own: a message that came from outside, or one that a program wrote in
    /// the sender's name.
    of_sender: bool,
    /// Whether there are only signs of a message in a message.
    of_signs: bool,
}

impl Found {
    /// All that there is in the facts.
    pub(super) fn of(facts: &Facts) -> Self {
        let mut found = Self::default();
        found.copy(facts);
        found.traces(facts);
        found.circumstances(facts);
        if found.grade.is_none() && !innocent::by_other_means(facts) {
            found.signs(facts);
        }
        found
    }

    /// Whether nothing was found.
    pub(super) fn is_nothing(&self) -> bool {
        self.grade.is_none()
    }

    /// Whether it is certain.
    pub(super) fn is_certain(&self) -> bool {
        self.grade == Some(Confidence::Certain)
    }

    /// Whether there are only signs of a message in a message.
    pub(super) fn is_of_signs(&self) -> bool {
        self.of_signs
    }

    /// The message itself came from outside.
    fn copy(&mut self, facts: &Facts) {
        let own = |seen: &&Seen| innocent::is_ours(seen, facts) || innocent::is_list_post(facts);
        let Some(seen) = known(&facts.seen).filter(|seen| !own(seen)) else { return };
        let grade = if by_hand(seen, facts) { Confidence::Strong } else { Confidence::Certain };
        self.add(grade, seen.by.as_str());
        name(&mut self.came_for, &seen.mailboxes, facts);
        self.of_sender = true;
    }

    /// A mechanism left its trace.
    fn traces(&mut self, facts: &Facts) {
        for trace in &facts.traces {
            let Some(grade) = meaning(trace, facts) else { continue };
            self.add(grade, trace.mechanism.as_str());
            match trace.mailbox.as_ref().filter(|mailbox| facts.owns(mailbox)) {
                Some(mailbox) if trace.mechanism.names_forwarder() => name(&mut self.named, [mailbox], facts),
                Some(_) => {}
                None => self.of_sender |= writes_anew(trace.mechanism),
            }
        }
    }

    /// It looks as if it had been here before. What is certain needs no more words, but an owner.
    fn circumstances(&mut self, facts: &Facts) {
        let counts = !self.is_certain() && !innocent::by_other_means(facts);
        let all_leave = facts.recipients.iter().all(|recipient| !recipient.inside);
        let report = facts.header.report && facts.sender.address().is_none();
        let answers = known(&facts.answered).is_some_and(|message| innocent::goes_to_author(facts, message));
        if counts && written_outside(facts) && all_leave && !report && !answers {
            self.add(Confidence::Strong, "foreign-from");
        }
        for trace in facts.traces.iter().filter(|trace| is_circumstance(trace, facts)) {
            if counts {
                self.add(Confidence::Strong, trace.mechanism.as_str());
            }
            let mailbox = trace.mailbox.iter().filter(|mailbox| facts.owns(mailbox));
            name(&mut self.came_for, mailbox, facts);
        }
    }

    /// A new message, in which or by which a person or a program may have sent on another one.
    fn signs(&mut self, facts: &Facts) {
        self.of_signs = true;
        self.of_sender = true;
        let sender = facts.forwarder();
        let answered = known(&facts.answered).filter(|seen| {
            facts.header.forwards()
                && is_soon(seen, facts)
                && sender.is_some()
                && answer(facts, None) != Answer::Yes
        });
        let contained = known(&facts.contained).filter(|seen| {
            let own = sender.as_ref().is_some_and(|sender| seen.came_for(sender, &facts.organisation));
            seen.by != By::Attachment || own
        });
        let mut soon = false;
        for (seen, word) in [
            (answered, "forwarded-soon"),
            (contained.filter(|seen| seen.by != By::Attachment), "attached-message"),
            (contained.filter(|seen| seen.by == By::Attachment), "attachment"),
        ] {
            let Some(seen) = seen else { continue };
            let at_once = is_soon(seen, facts);
            let grade =
                if at_once && word == "attached-message" { Confidence::Strong } else { Confidence::Weak };
            soon |= at_once;
            self.add(grade, word);
            name(&mut self.came_for, &seen.mailboxes, facts);
        }
        if self.grade.is_some() && facts.repeats >= limits::FORWARD_REPEATS {
            // Once within seconds may be chance; time after time it is a program.
            self.add(if soon { Confidence::Strong } else { Confidence::Weak }, "repeated");
        }
    }

    fn add(&mut self, grade: Confidence, word: &'static str) {
        self.grade = self.grade.max(Some(grade));
        self.evidence = Some(match self.evidence.take() {
            Some(evidence) if evidence.has(word) => evidence,
            Some(evidence) => evidence.and(word),
            None => Evidence::of(word),
        });
    }

    /// The match. Where it is sure whose forward it is, that mailbox is named alone; else each that it may be.
    pub(super) fn into_match(mut self, facts: &Facts, recipients: Vec<usize>) -> Option<Match> {
        let (grade, evidence) = (self.grade?, self.evidence.take()?);
        let mailboxes = match self.forwarder(facts) {
            Some(forwarder) => vec![forwarder],
            None => self.candidates(facts),
        };
        Some(Match { grade, evidence, mailboxes, recipients })
    }

    /// Whose forward it is, if that is sure. Whoever is named by a trace; or the envelope sender, who is not the author
    /// of what came from somewhere else. Some mechanisms keep the envelope sender: then it is the author's, and never
    /// the forwarder's.
    fn forwarder(&self, facts: &Facts) -> Option<Address> {
        let sender = facts.forwarder();
        let is_sender =
            |mailbox: &Address| sender.as_ref().is_some_and(|sender| facts.is_same_mailbox(sender, mailbox));
        let by_author = facts.header.from.iter().any(is_sender);
        match self.named.as_slice() {
            [] => sender.filter(|_| self.of_sender || !by_author),
            named if named.iter().any(is_sender) => sender,
            [only] if sender.is_none() || by_author => Some(only.clone()),
            _ => None,
        }
    }

    fn candidates(self, facts: &Facts) -> Vec<Address> {
        let by_author =
            |sender: &Address| facts.header.from.iter().any(|author| facts.is_same_mailbox(author, sender));
        let mut all = self.named;
        name(&mut all, &self.came_for, facts);
        name(&mut all, facts.forwarder().iter().filter(|sender| !by_author(sender)), facts);
        all
    }
}

/// Adds those that are not there yet.
fn name<'a>(all: &mut Vec<Address>, mailboxes: impl IntoIterator<Item = &'a Address>, facts: &Facts) {
    for mailbox in mailboxes {
        if all.len() < limits::SEEN_MAILBOXES && !all.iter().any(|own| facts.is_same_mailbox(own, mailbox)) {
            all.push(facts.organisation.mailbox(mailbox));
        }
    }
}

/// Whether the mechanism makes a new message in the mailbox's own name, so that its envelope sender is no author's.
fn writes_anew(mechanism: Mechanism) -> bool {
    matches!(
        mechanism,
        Mechanism::ExchangeInboxRule
            | Mechanism::ExchangeRulesAgent
            | Mechanism::OutlookRule
            | Mechanism::PowerAutomate
    )
}

/// Whether a person may have redirected the message: Resent-From says so, no program left its own trace, and it lay
/// in the mailbox for a while.
fn by_hand(seen: &Seen, facts: &Facts) -> bool {
    let resent = facts.traces.iter().any(|trace| {
        trace.mechanism == Mechanism::Resent && trace.mailbox.as_ref().is_some_and(|own| facts.owns(own))
    });
    let by_program = facts
        .traces
        .iter()
        .filter_map(|trace| meaning(trace, facts))
        .any(|grade| grade == Confidence::Certain);
    resent && !by_program && !is_soon(seen, facts)
}

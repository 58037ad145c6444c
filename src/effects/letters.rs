//! The letters that follow from a decision, written and ready for the outbox.

#![deny(clippy::disallowed_methods)]

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::address::Address;
use crate::facts::Facts;
use crate::letter::{Automatic, Letter, Stationery};
use crate::policy::{Decision, Notice, Step};
use crate::record::{OutboxKey, OutboxKind, OutboxRow};
use crate::templates::{Fields, Rendered, Template, Unrendered};

/// What a decision gives to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// The letters.
    pub rows: Vec<OutboxRow>,
    /// What was wrong with the organisation's own texts; the text that comes with the program was taken instead.
    pub faults: Vec<String>,
}

/// The letters that follow from a decision.
pub fn outgoing(facts: &Facts, decision: &Decision, stationery: &Stationery) -> Outgoing {
    let mut writer = Writer { facts, stationery, outgoing: Outgoing::default() };
    for step in &decision.steps {
        match step {
            Step::Notify(notice) => writer.notice(notice),
            Step::Mark(_)
            | Step::RemoveRecipient(_)
            | Step::AddRecipient(_)
            | Step::Hold(_)
            | Step::Defer
            | Step::Reject(_) => {}
        }
    }
    writer.outgoing
}

struct Writer<'a> {
    facts: &'a Facts,
    stationery: &'a Stationery,
    outgoing: Outgoing,
}

impl Writer<'_> {
    fn notice(&mut self, notice: &Notice) {
        let key = key(&["notice", notice.occasion.as_str(), &notice.once]);
        let from = &self.stationery.notices_from;
        let mut fields = notice.fields.clone();
        fields.push(("mailbox", notice.to.to_string()));
        let organisation = &self.facts.organisation;
        if !organisation.owns(&notice.to) {
            self.outgoing.faults.push("a notice to a mailbox outside was not written".to_owned());
            return;
        }
        let Some(text) = self.render(&self.stationery.texts.of(notice.occasion), fields) else { return };
        let letter = Letter {
            from,
            from_name: &organisation.name,
            to: &notice.to,
            subject: &text.subject,
            body: &text.body,
            date: &self.facts.arrived.to_zoned(self.stationery.time_zone.clone()),
            message_id: &message_id("notice", &key, from),
            automatic: Automatic::Generated,
        };
        let row = OutboxRow {
            key,
            kind: OutboxKind::Notice,
            at: self.facts.arrived,
            due: self.facts.arrived,
            until: self.until(),
            mailbox: from.to_string(),
            recipient: notice.to.to_string(),
            reference: self.reference("PN", &key),
            message: letter.to_message(),
        };
        self.outgoing.rows.push(row);
    }

    /// The template's text; where it gives none with just these fields, that of the one that comes with the program.
    fn render(&mut self, template: &Template, mut fields: Fields) -> Option<Rendered> {
        fields.push(("organisation", self.facts.organisation.name.clone()));
        let occasion = template.occasion();
        for template in [template, &Template::shipped(occasion)] {
            match template.render(&fields) {
                Ok(text) => return Some(text),
                Err(Unrendered { line, problem }) => {
                    self.outgoing.faults.push(format!("template {}:{line}: {problem}", occasion.as_str()));
                }
            }
        }
        None
    }

    fn until(&self) -> Timestamp {
        let age = SignedDuration::try_from(self.stationery.max_age).unwrap_or(SignedDuration::MAX);
        self.facts.arrived.saturating_add(age).unwrap_or(Timestamp::MAX)
    }

    fn reference(&self, kind: &str, key: &OutboxKey) -> String {
        reference(kind, key, self.facts.arrived.to_zoned(self.stationery.time_zone.clone()).year())
    }
}

/// The key of a letter: a hash of what makes it the same one.
fn key(parts: &[&str]) -> OutboxKey {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update(b"\0");
    }
    let mut key = OutboxKey::default();
    key.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    key
}

/// A letter's own Message-ID, the same on every try.
fn message_id(kind: &str, key: &OutboxKey, from: &Address) -> String {
    let domain = from.domain().map(|domain| domain.to_string()).unwrap_or_default();
    format!("<{kind}.{:032x}@{domain}>", u128::from_be_bytes(*key))
}

/// What people call a letter: the year and 30 bits of its key, in letters and digits that cannot be taken for one
/// another (Crockford's base 32).
fn reference(kind: &str, key: &OutboxKey, year: i16) -> String {
    const DIGITS: [char; 32] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J', 'K',
        'M', 'N', 'P', 'Q', 'R', 'S', 'T', 'V', 'W', 'X', 'Y', 'Z',
    ];
    let bits = key.iter().take(4).fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
    let digit = |at: u32| DIGITS.get((bits >> (5 * at) & 31) as usize).copied().unwrap_or('0');
    let digits: String = (0..6).rev().map(digit).collect();
    format!("{kind}-{year}-{digits}")
}

#[cfg(test)]
mod tests;

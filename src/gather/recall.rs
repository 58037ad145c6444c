//! Recall: what the memory says of a mail that leaves. Was it here before, does it answer something that was, is
//! something in it that was?

use jiff::{SignedDuration, Timestamp};

use super::as_fact;
use super::habits::Habits;
use super::seen::SeenCache;
use crate::address::Address;
use crate::facts::gathered::Recalled;
use crate::facts::identity::{self, By, Identity, Key};
use crate::facts::{Cause, Fact, Facts, Seen};
use crate::mail::Direction;
use crate::record::SeenRow;

/// What is remembered of the last `days`.
pub(super) async fn lookup_seen(facts: &Facts, days: u32, memory: &SeenCache, habits: &Habits) -> Recalled {
    if days == 0 || facts.direction == Direction::Internal {
        return Recalled::NOTHING;
    }
    let identity = memory.key().of(&facts.header, &facts.contents.attachments);
    if facts.direction != Direction::Outbound {
        return Recalled { identity: Some(identity), ..Recalled::NOTHING };
    }
    let memory = SeenWindow { memory, now: facts.arrived, days };
    let seen = as_fact(memory.copy(&identity).await, "seen");
    let answered =
        if refers(facts) { as_fact(memory.answered(facts).await, "answered") } else { Fact::NotGathered };
    let contained = as_fact(memory.contained(facts, &identity).await, "contained");
    let known = |fact: &Fact<Option<Seen>>| matches!(fact, Fact::Known(Some(_)));
    let repeats = match facts.forwarder() {
        Some(sender) if known(&answered) || known(&contained) => {
            let recipients = facts.recipients.iter().filter(|to| !to.inside).map(|to| &to.address);
            habits.times(&sender, recipients, facts.arrived, days)
        }
        Some(_) | None => 0,
    };
    Recalled { identity: Some(identity), seen, answered, contained, repeats }
}

/// Whether what the mail refers to matters: it may be the answer that excuses a trace, or what a person or a program
/// forwards.
fn refers(facts: &Facts) -> bool {
    !facts.traces.is_empty() || facts.header.forwards()
}

/// A memory, as far as it goes back: so many days.
struct SeenWindow<'a> {
    memory: &'a SeenCache,
    now: Timestamp,
    days: u32,
}

impl SeenWindow<'_> {
    async fn find(&self, key: &Key) -> Result<Option<SeenRow<'static>>, Cause> {
        Ok(self.memory.find(key).await?.filter(|row| row.at() >= self.since()))
    }

    fn since(&self) -> Timestamp {
        let days = SignedDuration::from_hours(24 * i64::from(self.days));
        self.now.saturating_sub(days).unwrap_or(Timestamp::MIN)
    }

    /// The message itself.
    async fn copy(&self, identity: &Identity) -> Result<Option<Seen>, Cause> {
        for (by, key) in identity.copies().filter(|(_, key)| self.memory.may_know(key)) {
            let same = |row: &SeenRow<'_>| {
                by != By::MessageId || identity::is_same(row.fingerprint(), identity.fingerprint)
            };
            if let Some(row) = self.find(&key).await?.filter(same) {
                return Ok(Some(seen(&row, by)));
            }
        }
        Ok(None)
    }

    /// The message that it answers or forwards.
    async fn answered(&self, facts: &Facts) -> Result<Option<Seen>, Cause> {
        self.named(&facts.header.parents()).await
    }

    /// A message in it, else one that had the same attachment.
    async fn contained(&self, facts: &Facts, identity: &Identity) -> Result<Option<Seen>, Cause> {
        if let Some(message) = self.named(&facts.contents.messages).await? {
            return Ok(Some(message));
        }
        for key in identity.attachments.iter().filter(|key| self.memory.may_know(key)) {
            if let Some(row) = self.find(key).await? {
                return Ok(Some(seen(&row, By::Attachment)));
            }
        }
        Ok(None)
    }

    async fn named(&self, ids: &[String]) -> Result<Option<Seen>, Cause> {
        for id in ids {
            if let Some(row) = self.find(&self.memory.key().key_of(id)).await? {
                return Ok(Some(seen(&row, By::MessageId)));
            }
        }
        Ok(None)
    }
}

fn seen(row: &SeenRow<'_>, by: By) -> Seen {
    let mailboxes = row.mailboxes().filter_map(Address::parse).collect();
    let authors = row.authors().filter_map(Address::parse).collect();
    Seen { by, at: row.at(), mailboxes, authors }
}

//! Deferrals: how often a message was deferred because the machine was too busy to read it. In memory alone: after a
//! restart it may be deferred as often again.

use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;

use crate::facts::Facts;
use crate::limits;

/// The messages that were deferred lately.
pub struct Deferrals {
    times: Mutex<LruCache<u64, u32>>,
    hasher: RandomState,
}

impl Default for Deferrals {
    fn default() -> Self {
        let capacity = NonZeroUsize::new(limits::BUSY_MESSAGES).unwrap_or(NonZeroUsize::MIN);
        Self { times: Mutex::new(LruCache::new(capacity)), hasher: RandomState::new() }
    }
}

impl Deferrals {
    /// Whether the message may be deferred once more.
    pub fn may_defer(&self, facts: &Facts) -> bool {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.peek(&self.key(facts)).is_none_or(|times| *times < limits::BUSY_DEFERRALS)
    }

    /// It was deferred.
    pub fn note(&self, facts: &Facts) {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        *times.get_or_insert_mut(self.key(facts), || 0) += 1;
    }

    /// What a message has in common with itself when it comes again, in another transaction.
    fn key(&self, facts: &Facts) -> u64 {
        let Facts { header, sender, recipients, size, .. } = facts;
        let recipient = recipients.first().map(|recipient| &recipient.address);
        let message = (&header.message_id, &header.date, &header.subject, size);
        self.hasher.hash_one((sender.address(), recipient, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::testing::from_inside;

    #[test]
    fn a_message_is_deferred_so_often_and_no_more() {
        let deferrals = Deferrals::default();
        let facts = |id: &str| {
            from_inside("<anna@exempelby.se>", "x@example.org", &format!("Message-ID: <{id}@exempelby.se>"))
        };
        for _ in 0..limits::BUSY_DEFERRALS {
            assert!(deferrals.may_defer(&facts("1")));
            deferrals.note(&facts("1"));
        }
        assert!(!deferrals.may_defer(&facts("1")));
        assert!(deferrals.may_defer(&facts("2")));
    }
}

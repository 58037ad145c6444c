//! The memory of authors: from whom somebody here had mail. Keyed hashes alone, by periods of thirty days, so that the
//! oldest go as a whole.
//!
//! An author is stored once in each period. Absent: any address in clear.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::facts::Contact;
use crate::facts::identity::Key;
use crate::limits;
use crate::metrics::METRICS;
use crate::store::{OpenError, Store};

/// The memory.
#[derive(Default)]
pub struct Contacts(Mutex<Known>);

#[derive(Default)]
struct Known {
    periods: BTreeMap<i64, HashSet<u64>>,
    len: usize,
    since: Option<Timestamp>,
}

impl Contacts {
    /// What the store remembers.
    pub fn of(store: &Store) -> Result<Self, OpenError> {
        let mut known = Known::default();
        let damaged = store.contacts(|key, at| known.add(&key, at))?;
        if damaged > 0 {
            METRICS.memory_damaged.with_label_values(&["contacts"]).inc_by(damaged);
            tracing::warn!(damaged, "damaged rows in the memory of authors are ignored");
        }
        Ok(Self(Mutex::new(known)))
    }

    /// What is remembered of the author with that key.
    pub fn find(&self, key: Key, now: Timestamp) -> Contact {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let half = half(&key);
        let in_period = |(period, keys): (&i64, &HashSet<u64>)| keys.contains(&half).then_some(*period);
        let last = known.periods.iter().rev().find_map(in_period);
        Contact {
            key,
            known: last.is_some(),
            fresh: last == Some(period(now)),
            since: known.since.unwrap_or(now),
        }
    }

    /// Remembers an author that the store has already.
    pub fn remember(&self, key: &Key, at: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(key, at);
    }
}

impl Known {
    fn add(&mut self, key: &Key, at: Timestamp) {
        self.since = Some(self.since.map_or(at, |since| since.min(at)));
        let added = self.periods.entry(period(at)).or_default().insert(half(key));
        self.len += usize::from(added);
        let newest = self.periods.last_key_value().map_or(0, |(newest, _)| *newest);
        while let Some(oldest) = self.periods.first_entry() {
            let old = newest - *oldest.key() >= limits::CONTACT_PERIODS;
            let full = self.len > limits::CONTACTS && *oldest.key() != newest;
            if !old && !full {
                break;
            }
            if full {
                METRICS.limits_exceeded.with_label_values(&["contacts"]).inc();
            }
            self.len -= oldest.remove().len();
        }
    }
}

fn period(at: Timestamp) -> i64 {
    at.as_second().div_euclid(SignedDuration::from_hours(30 * 24).as_secs())
}

fn half(key: &Key) -> u64 {
    key.first_chunk().map_or(0, |half| u64::from_le_bytes(*half))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authors_are_known_for_two_years_and_noted_once_a_period() {
        let contacts = Contacts::default();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (first, later) = (at("2026-03-02T10:00:00Z"), at("2026-06-02T10:00:00Z"));
        assert!(!contacts.find([1; 16], first).known);
        contacts.remember(&[1; 16], first);
        let found = contacts.find([1; 16], first);
        assert!(found.known && found.fresh && found.since == first);
        let found = contacts.find([1; 16], later);
        assert!(found.known && !found.fresh && found.since == first);
        contacts.remember(&[2; 16], at("2028-06-02T10:00:00Z"));
        assert!(!contacts.find([1; 16], later).known && contacts.find([2; 16], later).known);
    }
}

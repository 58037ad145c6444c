//! Habits: who lately sent whom something that looked like a forward, and how often. In memory alone: a habit that a
//! restart interrupts is soon one again.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use lru::LruCache;

use crate::address::Address;
use crate::limits;

/// The habits of the last days.
pub struct Habits(Mutex<LruCache<(Address, Address), Habit>>);

#[derive(Clone, Copy)]
struct Habit {
    times: u32,
    last: Timestamp,
}

impl Habits {
    /// None yet.
    pub fn new() -> Self {
        let capacity = NonZeroUsize::new(limits::FORWARD_PAIRS).unwrap_or(NonZeroUsize::MIN);
        Self(Mutex::new(LruCache::new(capacity)))
    }

    /// How often the sender did so to one of the recipients within so many days before `now`.
    pub fn times<'a>(
        &self,
        sender: &Address,
        recipients: impl Iterator<Item = &'a Address>,
        now: Timestamp,
        days: u32,
    ) -> u32 {
        let habits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let times = |recipient: &Address| {
            let habit = habits.peek(&(sender.clone(), recipient.clone()))?;
            (now.duration_since(habit.last) <= span(days)).then_some(habit.times)
        };
        recipients.filter_map(times).max().unwrap_or_default()
    }

    /// The sender did so once more.
    pub fn note<'a>(&self, sender: &Address, recipients: impl Iterator<Item = &'a Address>, now: Timestamp) {
        let mut habits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for recipient in recipients.take(limits::SEEN_MAILBOXES) {
            let habit = habits
                .get_or_insert_mut((sender.clone(), recipient.clone()), || Habit { times: 0, last: now });
            habit.times = habit.times.saturating_add(1);
            habit.last = now;
        }
    }
}

impl Default for Habits {
    fn default() -> Self {
        Self::new()
    }
}

fn span(days: u32) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn habits_are_counted_for_each_pair_and_forgotten() {
        let (anna, x, y) = ("anna@exempelby.se", "x@example.net", "y@example.net");
        let [anna, x, y] = [anna, x, y].map(|address| Address::parse(address).unwrap());
        let habits = Habits::new();
        let monday: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
        habits.note(&anna, [&x].into_iter(), monday);
        habits.note(&anna, [&x, &y].into_iter(), monday);
        let times =
            |to: &[&Address], at: &str| habits.times(&anna, to.iter().copied(), at.parse().unwrap(), 14);
        assert_eq!(times(&[&x], "2026-03-03T09:00:00Z"), 2);
        assert_eq!(times(&[&y], "2026-03-03T09:00:00Z"), 1);
        assert_eq!(times(&[&anna], "2026-03-03T09:00:00Z"), 0);
        assert_eq!(times(&[&x, &y], "2026-04-03T09:00:00Z"), 0);
    }
}

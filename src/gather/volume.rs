//! The volume: how many people inside each sender has written to within the last minutes. Whoever is written to twice,
//! because a client tried again or a talk goes on, is one. In memory alone: a restart begins anew.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::address::Address;
use crate::facts::Facts;
use crate::limits;
use crate::metrics::METRICS;

/// The volume.
#[derive(Default)]
pub struct Volume {
    hasher: RandomState,
    written: Mutex<Written>,
}

/// Who wrote to whom, and in which minute last.
#[derive(Default)]
struct Written {
    senders: HashMap<Address, HashMap<u64, i64>>,
    pairs: usize,
    swept: i64,
}

impl Volume {
    /// How many the sender has written to in the `minutes` before now, these recipients included.
    pub fn of<'a>(
        &self,
        sender: &Address,
        recipients: impl Iterator<Item = &'a Address>,
        now: Timestamp,
        minutes: u32,
    ) -> u32 {
        let mut new: Vec<u64> = recipients.map(|recipient| self.hasher.hash_one(recipient)).collect();
        new.sort_unstable();
        new.dedup();
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let since = minute(now) - i64::from(minutes);
        let before = written.senders.get(sender).map_or(0, |recipients| {
            new.retain(|recipient| recipients.get(recipient).is_none_or(|minute| *minute <= since));
            recipients.values().filter(|minute| **minute > since).count()
        });
        u32::try_from(before + new.len()).unwrap_or(u32::MAX)
    }

    /// The sender wrote to these.
    pub fn note<'a>(&self, sender: &Address, recipients: impl Iterator<Item = &'a Address>, now: Timestamp) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.sweep(minute(now));
        let Written { senders, pairs, .. } = &mut *written;
        let known = senders.entry(sender.clone()).or_default();
        for recipient in recipients {
            if *pairs >= limits::VOLUME_PAIRS {
                METRICS.limits_exceeded.with_label_values(&["volume"]).inc();
                return;
            }
            let again = known.insert(self.hasher.hash_one(recipient), minute(now));
            *pairs += usize::from(again.is_none());
        }
    }
}

impl Written {
    /// Forgets what no window reaches, once an hour; once a minute while there is no room.
    fn sweep(&mut self, now: i64) {
        let pause = if self.pairs < limits::VOLUME_PAIRS { 60 } else { 1 };
        if now < self.swept + pause {
            return;
        }
        let oldest = now - i64::from(limits::VOLUME_MINUTES);
        self.senders.retain(|_, recipients| {
            recipients.retain(|_, minute| *minute > oldest);
            !recipients.is_empty()
        });
        self.pairs = self.senders.values().map(HashMap::len).sum();
        self.swept = now;
    }
}

fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

/// The sender inside whose mail is counted: not that of a list, which writes to all who asked for it.
pub fn counted(facts: &Facts) -> Option<&Address> {
    let sender = facts.sender.address()?;
    (facts.from_inside && facts.owns(sender) && !facts.own_list()).then_some(sender)
}

/// The people inside that a mail is for.
pub fn people_inside(facts: &Facts) -> impl Iterator<Item = &Address> {
    facts.recipients.iter().filter(|recipient| recipient.inside).map(|recipient| &recipient.address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(numbers: std::ops::Range<u32>) -> Vec<Address> {
        numbers.map(|n| Address::parse(&format!("p{n}@exempelby.se")).unwrap()).collect()
    }

    #[test]
    fn people_within_the_window_count_once() {
        let anna = Address::parse("anna@exempelby.se").unwrap();
        let volume = Volume::default();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let of = |new: std::ops::Range<u32>, now| volume.of(&anna, people(new).iter(), at(now), 60);
        volume.note(&anna, people(0..60).iter(), at("2026-03-02T10:00:10Z"));
        volume.note(&anna, people(50..100).iter(), at("2026-03-02T10:30:00Z"));
        assert_eq!(of(0..0, "2026-03-02T10:40:00Z"), 100);
        // A client that tries again, a mail to one of them, and one to somebody new.
        assert_eq!(of(50..100, "2026-03-02T10:40:00Z"), 100);
        assert_eq!(of(100..101, "2026-03-02T10:40:00Z"), 101);
        assert_eq!(of(0..0, "2026-03-02T11:10:00Z"), 50);
        assert_eq!(of(0..1, "2026-03-02T11:10:00Z"), 51);
        let other = Address::parse("x@exempelby.se").unwrap();
        assert_eq!(volume.of(&other, people(0..2).iter(), at("2026-03-02T10:40:00Z"), 60), 2);
        volume.note(&anna, people(0..1).iter(), at("2026-03-04T10:00:00Z"));
        assert_eq!(volume.written.lock().unwrap().pairs, 1, "what no window reaches is forgotten");
    }

    #[test]
    fn there_is_an_end_to_what_is_counted() {
        let volume = Volume::default();
        let now = "2026-03-02T10:00:10Z".parse().unwrap();
        let anna = Address::parse("anna@exempelby.se").unwrap();
        volume.note(&anna, people(0..1).iter(), now);
        volume.written.lock().unwrap().pairs = limits::VOLUME_PAIRS;
        volume.note(&anna, people(1..9).iter(), now);
        assert_eq!(volume.of(&anna, people(0..0).iter(), now, 60), 1);
    }
}

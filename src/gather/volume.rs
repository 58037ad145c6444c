//! The volume: how many people inside each sender has written to within the last minutes. In memory alone: a restart
//! begins anew.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::address::Address;
use crate::limits;

/// The volume, by minute and sender.
#[derive(Default)]
pub struct Volume(Mutex<BTreeMap<i64, HashMap<Address, u32>>>);

impl Volume {
    /// How many the sender has written to in the `minutes` before now.
    pub fn of(&self, sender: &Address, now: Timestamp, minutes: u32) -> u32 {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = minute(now) - i64::from(minutes);
        counted.range(since + 1..).filter_map(|(_, senders)| senders.get(sender)).sum()
    }

    /// The sender wrote to so many more.
    pub fn note(&self, sender: &Address, now: Timestamp, recipients: u32) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = minute(now) - i64::from(limits::VOLUME_MINUTES);
        *counted = counted.split_off(&oldest);
        let senders = counted.entry(minute(now)).or_default();
        if senders.len() < limits::VOLUME_SENDERS || senders.contains_key(sender) {
            let count = senders.entry(sender.clone()).or_default();
            *count = count.saturating_add(recipients);
        }
    }
}

fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_within_the_window_counts() {
        let anna = Address::parse("anna@exempelby.se").unwrap();
        let volume = Volume::default();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        volume.note(&anna, at("2026-03-02T10:00:10Z"), 60);
        volume.note(&anna, at("2026-03-02T10:30:00Z"), 50);
        assert_eq!(volume.of(&anna, at("2026-03-02T10:40:00Z"), 60), 110);
        assert_eq!(volume.of(&anna, at("2026-03-02T11:10:00Z"), 60), 50);
        assert_eq!(volume.of(&Address::parse("x@exempelby.se").unwrap(), at("2026-03-02T10:40:00Z"), 60), 0);
        volume.note(&anna, at("2026-03-04T10:00:00Z"), 1);
        assert_eq!(volume.of(&anna, at("2026-03-04T10:00:00Z"), 60), 1);
    }
}

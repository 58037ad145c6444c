//! Places: where in the store each remembered message is, in memory, by part of each of its keys.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::facts::identity::Key;
use crate::limits;
use crate::metrics::METRICS;

/// Where in the store each message is, by part of each of its keys. Whoever looks there checks the whole key. It is
/// divided by an octet of the keys, so that who makes room, or forgets a day, does so for a small part of it, and nobody
/// waits for the rest.
pub(super) struct Index(Box<[Mutex<Shard>; SHARDS]>);

/// The keys with one octet in common.
#[derive(Default)]
struct Shard {
    /// The newest day that it has a key of.
    today: i64,
    places: HashMap<Part, Place, BuildHasherDefault<Spread>>,
}

/// Octets of a key beside the one that tells the shard: of eight million keys a pair is alike once in nine times, and
/// then one message is not recognised by one of its keys.
type Part = [u8; 5];

/// Where a message is, and for how long that is to be known: with the part of a key 11 octets, where plain numbers would
/// take 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// The day, the lowest octet of its number: no message is remembered for half as many days.
    day: u8,
    /// The record's number: 10^12 mails.
    number: [u8; 5],
}

/// So that the lowest octet tells days before today from those after it.
const _: () = assert!(limits::SEEN_DAYS < 128);

/// How many shards there are: as many as an octet has values.
const SHARDS: usize = 256;
const SHARD_KEYS: usize = limits::SEEN_INDEXED / SHARDS;

/// The hash of what is a keyed hash already: spread, because a map looks at both ends of it.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, octets: &[u8]) {
        self.0 = octets.iter().fold(self.0, |part, octet| part << 8 | u64::from(*octet));
    }

    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

impl Index {
    pub(super) fn new() -> Self {
        Self(Box::new(std::array::from_fn(|_| Mutex::default())))
    }

    /// A message that came just now. With a new day the keys of the oldest one go.
    pub(super) fn add(&self, key: &Key, day: i64, seq: u64, days: u32) {
        let Some((mut shard, part)) = self.shard(key) else { return };
        if shard.today < day {
            shard.today = day;
            shard.places.retain(|_, place| place.age(day) <= days);
        }
        if shard.places.len() >= SHARD_KEYS && !shard.places.contains_key(&part) {
            METRICS.limits_exceeded.with_label_values(&["seen_messages"]).inc();
            let today = shard.today;
            let oldest = shard.places.values().map(|place| place.age(today)).max().unwrap_or_default();
            // Where all of them are of today all go.
            shard.places.retain(|_, place| place.age(today) < oldest);
        }
        shard.places.insert(part, Place::new(day, seq));
    }

    /// A message of an earlier run: what is known already is newer.
    pub(super) fn add_older(&self, key: &Key, day: i64, seq: u64) {
        let Some((mut shard, part)) = self.shard(key) else { return };
        shard.today = shard.today.max(day);
        if shard.places.len() < SHARD_KEYS {
            shard.places.entry(part).or_insert(Place::new(day, seq));
        }
    }

    pub(super) fn find(&self, key: &Key) -> Option<u64> {
        let (shard, part) = self.shard(key)?;
        shard.places.get(&part).map(|place| place.seq())
    }

    /// Some, whatever the key. A panic while the lock was held leaves a map that is still a map.
    fn shard(&self, key: &Key) -> Option<(MutexGuard<'_, Shard>, Part)> {
        let (shard, rest) = key.split_first()?;
        let shard = self.0.get(usize::from(*shard))?.lock().unwrap_or_else(PoisonError::into_inner);
        Some((shard, *rest.first_chunk()?))
    }
}

impl Place {
    fn new(day: i64, seq: u64) -> Self {
        Self { day: low(day), number: seq.to_le_bytes().first_chunk().copied().unwrap_or_default() }
    }

    /// How many days before today it is.
    fn age(self, today: i64) -> u32 {
        low(today).wrapping_sub(self.day).into()
    }

    fn seq(self) -> u64 {
        let mut octets = [0; 8];
        octets.iter_mut().zip(self.number).for_each(|(to, from)| *to = from);
        u64::from_le_bytes(octets)
    }
}

pub(super) fn day_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(SignedDuration::from_hours(24).as_secs())
}

fn low(day: i64) -> u8 {
    let [low, ..] = day.to_le_bytes();
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_knows_the_newest_place_and_forgets_by_day() {
        let index = Index::new();
        let key = |n| [7, n, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let find = |n| index.find(&key(n));
        // Days around one whose lowest octet is 0.
        let day = |n: i64| 20_480 - 8 + n;
        index.add(&key(1), day(1), 10, 14);
        index.add(&key(1), day(2), 20, 14);
        index.add_older(&key(1), day(2), 15);
        index.add_older(&key(2), day(1), 11);
        assert_eq!((find(1), find(2), find(3)), (Some(20), Some(11), None));
        index.add(&key(3), day(15), 30, 14);
        assert_eq!((find(1), find(2), find(3)), (Some(20), Some(11), Some(30)));
        index.add(&key(3), day(16), 31, 14);
        assert_eq!((find(1), find(2), find(3)), (Some(20), None, Some(31)));
        // A mail of yesterday that was slow brings nothing back, and is known.
        index.add(&key(4), day(15), 1 << 39, 14);
        assert_eq!((find(1), find(4)), (Some(20), Some(1 << 39)));
        index.add(&key(5), day(18), 33, 2);
        assert_eq!((find(1), find(3), find(4), find(5)), (None, Some(31), None, Some(33)));
    }

    #[test]
    fn a_full_part_of_the_index_forgets_its_oldest_day_alone() {
        let counted = || METRICS.limits_exceeded.with_label_values(&["seen_messages"]).get();
        let before = counted();
        let index = Index::new();
        let key = |shard: u8, n: usize| {
            let [a, b, c, d, ..] = n.to_le_bytes();
            [shard, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        };
        index.add(&key(1, 0), 100, 1, 14);
        for n in 0..SHARD_KEYS {
            index.add(&key(0, n), 100 + i64::from(n > 9), 1, 14);
        }
        assert_eq!((index.find(&key(0, 9)), counted()), (Some(1), before));
        index.add(&key(0, SHARD_KEYS), 101, 2, 14);
        assert_eq!((index.find(&key(0, 9)), index.find(&key(0, 10))), (None, Some(1)));
        assert_eq!((index.find(&key(1, 0)), counted()), (Some(1), before + 1));
        index.add_older(&key(0, 0), 99, 3);
        assert_eq!(index.find(&key(0, 0)), Some(3), "there is room again");
        for n in 0..9 {
            index.add(&key(0, SHARD_KEYS + 1 + n), 102, 4, 14);
        }
        assert_eq!((index.find(&key(0, 0)), index.find(&key(0, 10))), (None, Some(1)));
        for n in 0..=SHARD_KEYS {
            index.add(&key(2, n), 100, 5, 14);
        }
        let kept = [0, SHARD_KEYS - 1, SHARD_KEYS].map(|n| index.find(&key(2, n)));
        assert_eq!(kept, [None, None, Some(5)], "there was one day only");
        // A mail of yesterday that was slow makes room too.
        for n in 0..=SHARD_KEYS {
            index.add(&key(3, n), 100 - i64::from(n > 0), 6, 14);
        }
        let kept = [0, SHARD_KEYS - 1, SHARD_KEYS].map(|n| index.find(&key(3, n)));
        assert_eq!(kept, [Some(6), None, Some(6)]);
    }
}

//! The memory of messages that came from outside: the newest in memory, all of the last days in the store.
//!
//! Most mail that leaves was never seen before, and that answer must cost nothing: an index in memory knows of each
//! remembered message where in the store it is, so the store is asked only about messages that did come, and keeps no
//! index of its own. Absent: any Message-ID in clear.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use lru::LruCache;

use crate::address::Address;
use crate::facts::identity::IdentityKey;
use crate::facts::{Cause, Seen};
use crate::limits;
use crate::metrics::METRICS;
use crate::record::SeenRow;
use crate::store::{OpenError, Store};

/// The memory.
pub struct Memory {
    key: IdentityKey,
    store: Option<Store>,
    near: Mutex<Near>,
}

/// What is in memory.
struct Near {
    rows: LruCache<[u8; 16], SeenRow>,
    index: Index,
}

/// What memory alone can say of a message.
enum Recalled {
    Came(SeenRow),
    Never,
    /// It came with the record of this number.
    Stored(u64),
}

impl Memory {
    /// A memory that ends with the process: for `explain` and `demo`.
    pub fn volatile() -> Self {
        Self::new(IdentityKey::new(&[0; 32]), None)
    }

    /// The memory in the store, its newest part read at once.
    pub fn of(store: &Store) -> Result<Self, OpenError> {
        let memory = Self::new(IdentityKey::new(&store.seen_key()), Some(store.clone()));
        store.recent_seen(limits::SEEN_INDEXED, |seq, row| memory.near().recall(seq, row))?;
        Ok(memory)
    }

    fn new(key: IdentityKey, store: Option<Store>) -> Self {
        let capacity = NonZeroUsize::new(limits::SEEN_IN_MEMORY).unwrap_or(NonZeroUsize::MIN);
        let near = Near { rows: LruCache::new(capacity), index: Index::default() };
        Self { key, store, near: Mutex::new(near) }
    }

    /// The key of its hashes.
    pub fn key(&self) -> &IdentityKey {
        &self.key
    }

    /// The row with the mailboxes that the same message came for before: it comes in a transaction for each.
    #[must_use]
    pub fn joined(&self, mut row: SeenRow) -> SeenRow {
        if let Some(before) = self.near().rows.peek(&row.identity.key)
            && before.identity == row.identity
        {
            let more = before.mailboxes.iter().filter(|mailbox| !row.mailboxes.contains(mailbox));
            let more: Vec<String> = more.take(limits::SEEN_MAILBOXES).cloned().collect();
            row.mailboxes.extend(more);
        }
        row.mailboxes.truncate(limits::SEEN_MAILBOXES);
        row
    }

    /// Remembers a message that the store has already, with the record of this number.
    pub fn remember(&self, seq: u64, row: SeenRow) {
        let mut near = self.near();
        near.index.add(&row.identity.key, row.at, seq);
        near.rows.put(row.identity.key, row);
    }

    /// The message with this key, if it came within the last days.
    pub async fn find(&self, key: &[u8; 16]) -> Result<Option<SeenRow>, Cause> {
        let seq = match self.near().find(key) {
            Recalled::Came(row) => return Ok(Some(row)),
            Recalled::Never => return Ok(None),
            Recalled::Stored(seq) => seq,
        };
        let Some(store) = self.store.clone() else { return Ok(None) };
        let key = *key;
        let search = tokio::task::spawn_blocking(move || store.find_seen(seq, &key));
        match tokio::time::timeout(limits::SEEN_TIME, search).await {
            Ok(Ok(Ok(found))) => Ok(found),
            Ok(Ok(Err(error))) => {
                tracing::error!(%error, "the memory of seen messages cannot be read");
                Err(Cause::Store)
            }
            Ok(Err(_)) => Err(Cause::Store),
            Err(_) => Err(Cause::Deadline),
        }
    }

    /// A panic while the lock was held leaves a cache that is still a cache.
    fn near(&self) -> MutexGuard<'_, Near> {
        self.near.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Near {
    /// Takes in a row of an earlier run; the newest come first, and must be the last to go.
    fn recall(&mut self, seq: u64, row: SeenRow) {
        let key = row.identity.key;
        self.index.add_older(&key, row.at, seq);
        if self.rows.len() < limits::SEEN_IN_MEMORY && !self.rows.contains(&key) {
            self.rows.put(key, row);
            self.rows.demote(&key);
        }
    }

    fn find(&mut self, key: &[u8; 16]) -> Recalled {
        match self.rows.get(key) {
            Some(row) => Recalled::Came(row.clone()),
            None => self.index.find(key).map_or(Recalled::Never, Recalled::Stored),
        }
    }
}

impl From<SeenRow> for Seen {
    fn from(row: SeenRow) -> Self {
        Self {
            at: row.at,
            mailboxes: row.mailboxes.iter().filter_map(|mailbox| Address::parse(mailbox)).collect(),
            sender: Address::parse(&row.sender),
        }
    }
}

/// Where in the store each message is, by half of its key and by day, so that days can be forgotten. The store checks
/// the whole key.
#[derive(Default)]
struct Index {
    days: BTreeMap<i64, HashMap<u64, u64>>,
    len: usize,
}

impl Index {
    /// A message that came just now.
    fn add(&mut self, key: &[u8; 16], at: Timestamp, seq: u64) {
        let added = self.day(at).insert(half(key), seq).is_none();
        self.len += usize::from(added);
        while self.len > limits::SEEN_INDEXED
            && let Some((_, forgotten)) = self.days.pop_first()
        {
            METRICS.limits_exceeded.with_label_values(&["seen_messages"]).inc();
            self.len -= forgotten.len();
        }
    }

    /// A message of an earlier run: what is known already is newer.
    fn add_older(&mut self, key: &[u8; 16], at: Timestamp, seq: u64) {
        if let Entry::Vacant(place) = self.day(at).entry(half(key)) {
            place.insert(seq);
            self.len += 1;
        }
    }

    fn find(&self, key: &[u8; 16]) -> Option<u64> {
        self.days.values().rev().find_map(|keys| keys.get(&half(key)).copied())
    }

    /// The keys of that day. With a new day the oldest ones go.
    fn day(&mut self, at: Timestamp) -> &mut HashMap<u64, u64> {
        let day = at.as_second().div_euclid(SignedDuration::from_hours(24).as_secs());
        if self.days.last_key_value().is_some_and(|(newest, _)| *newest < day) {
            self.days = self.days.split_off(&(day - i64::from(limits::SEEN_DAYS)));
            self.len = self.days.values().map(HashMap::len).sum();
        }
        self.days.entry(day).or_default()
    }
}

fn half(key: &[u8; 16]) -> u64 {
    key.first_chunk().map_or(0, |half| u64::from_le_bytes(*half))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::identity::Identity;

    fn row(id: u8, day: u32, mailbox: &str) -> SeenRow {
        SeenRow {
            identity: Identity { key: [id; 16], fingerprint: [id; 8] },
            at: format!("2026-03-{day:02}T12:00:00Z").parse().unwrap(),
            mailboxes: vec![mailbox.to_owned()],
            sender: "medborgare@example.org".to_owned(),
        }
    }

    #[tokio::test]
    async fn what_came_is_known_and_nothing_else() {
        let memory = Memory::volatile();
        memory.remember(1, row(1, 1, "anna@exempelby.se"));
        assert_eq!(memory.find(&[1; 16]).await, Ok(Some(row(1, 1, "anna@exempelby.se"))));
        assert_eq!(memory.find(&[2; 16]).await, Ok(None));
    }

    #[test]
    fn one_message_to_two_mailboxes_is_remembered_for_both() {
        let memory = Memory::volatile();
        memory.remember(1, row(1, 1, "anna@exempelby.se"));
        let second = memory.joined(row(1, 1, "bertil@exempelby.se"));
        assert_eq!(second.mailboxes, ["bertil@exempelby.se", "anna@exempelby.se"]);
        assert_eq!(memory.joined(second.clone()), second);
    }

    #[test]
    fn the_index_knows_the_newest_place_and_forgets_by_day() {
        let mut index = Index::default();
        let at = |day| row(0, day, "").at;
        index.add(&[1; 16], at(1), 10);
        index.add(&[1; 16], at(2), 20);
        index.add_older(&[1; 16], at(2), 15);
        index.add_older(&[2; 16], at(1), 11);
        assert_eq!((index.find(&[1; 16]), index.find(&[2; 16]), index.len), (Some(20), Some(11), 3));
        index.add(&[3; 16], at(16), 30);
        assert_eq!((index.find(&[1; 16]), index.find(&[2; 16]), index.len), (Some(20), None, 2));
    }
}

//! The memory of messages that came from outside: the newest in memory, all of the last days in the store.
//!
//! Most mail that leaves was never seen before, and that answer must cost nothing: a filter of eight octets for each
//! remembered message says "never" for sure, so the store is asked only about messages that did come.

use std::collections::{HashSet, VecDeque};
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use lru::LruCache;

use crate::address::Address;
use crate::facts::identity::IdentityKey;
use crate::facts::{Cause, Seen};
use crate::limits;
use crate::record::SeenRow;
use crate::store::Store;

/// The memory.
pub struct Memory {
    key: IdentityKey,
    store: Option<Store>,
    near: Mutex<Near>,
}

/// What is in memory.
struct Near {
    rows: LruCache<[u8; 16], SeenRow>,
    filter: Filter,
}

/// What memory alone can say of a message.
enum Recalled {
    Came(SeenRow),
    Never,
    AskStore,
}

impl Memory {
    /// A memory that ends with the process: for `explain` and `demo`.
    pub fn volatile() -> Self {
        Self::new(IdentityKey::new(&[0; 32]), None)
    }

    /// The memory in the store, its newest part read at once.
    pub fn of(store: &Store) -> Result<Self, crate::store::OpenError> {
        let memory = Self::new(IdentityKey::new(&store.seen_key()), Some(store.clone()));
        {
            let mut near = memory.near();
            store.recent_seen(limits::SEEN_FILTER, |row| {
                near.filter.add(&row.identity.key, row.at);
                if near.rows.len() < limits::SEEN_IN_MEMORY {
                    // The newest come first and must be the last to go.
                    let key = row.identity.key;
                    near.rows.put(key, row);
                    near.rows.demote(&key);
                }
            })?;
        }
        Ok(memory)
    }

    fn new(key: IdentityKey, store: Option<Store>) -> Self {
        let capacity = NonZeroUsize::new(limits::SEEN_IN_MEMORY).unwrap_or(NonZeroUsize::MIN);
        let near = Near { rows: LruCache::new(capacity), filter: Filter::default() };
        Self { key, store, near: Mutex::new(near) }
    }

    /// The key of its hashes.
    pub fn key(&self) -> &IdentityKey {
        &self.key
    }

    /// Remembers a message; the store has it already.
    pub fn remember(&self, row: SeenRow) {
        let mut near = self.near();
        near.filter.add(&row.identity.key, row.at);
        near.rows.put(row.identity.key, row);
    }

    /// The message with this key, if it came within the last days.
    pub async fn find(&self, key: &[u8; 16]) -> Result<Option<SeenRow>, Cause> {
        match self.find_near(key) {
            Recalled::Came(row) => return Ok(Some(row)),
            Recalled::Never => return Ok(None),
            Recalled::AskStore => {}
        }
        let Some(store) = self.store.clone() else { return Ok(None) };
        let key = *key;
        let search = tokio::task::spawn_blocking(move || store.find_seen(&key));
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

    /// What is known without the store.
    fn find_near(&self, key: &[u8; 16]) -> Recalled {
        let mut near = self.near();
        if let Some(row) = near.rows.get(key) {
            return Recalled::Came(row.clone());
        }
        if near.filter.may_have(key) { Recalled::AskStore } else { Recalled::Never }
    }

    /// A panic while the lock was held leaves a cache that is still a cache.
    fn near(&self) -> MutexGuard<'_, Near> {
        self.near.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Half of each remembered key, by day, so that days can be forgotten.
#[derive(Default)]
struct Filter {
    days: VecDeque<(i64, HashSet<u64>)>,
    len: usize,
    /// Whether something was left out; then "never" cannot be said any more.
    overflowed: bool,
}

impl Filter {
    fn add(&mut self, key: &[u8; 16], at: Timestamp) {
        let day = day_of(at);
        if !self.days.iter().any(|(known, _)| *known == day) {
            self.days.push_back((day, HashSet::new()));
            self.forget_before(day - i64::from(limits::SEEN_DAYS));
        }
        if self.len >= limits::SEEN_FILTER {
            self.overflowed = true;
            return;
        }
        if let Some((_, keys)) = self.days.iter_mut().find(|(known, _)| *known == day)
            && keys.insert(half(key))
        {
            self.len += 1;
        }
    }

    fn may_have(&self, key: &[u8; 16]) -> bool {
        self.overflowed || self.days.iter().any(|(_, keys)| keys.contains(&half(key)))
    }

    fn forget_before(&mut self, day: i64) {
        self.days.retain(|(known, _)| *known >= day);
        self.len = self.days.iter().map(|(_, keys)| keys.len()).sum();
    }
}

fn day_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(SignedDuration::from_hours(24).as_secs())
}

fn half(key: &[u8; 16]) -> u64 {
    key.first_chunk().map_or(0, |half| u64::from_le_bytes(*half))
}

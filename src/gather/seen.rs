//! The memory of messages that came from outside: all of the last days in the store, in memory those that were asked for.
//!
//! Most mail that leaves was never seen before, and that answer must cost nothing: an index in memory knows of each
//! remembered message where in the store it is, so the store is asked only about messages that did come, and keeps no
//! index of its own. Absent: any Message-ID in clear.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::fmt::Display;
use std::hash::{BuildHasherDefault, Hasher};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use lru::LruCache;

use crate::facts::Cause;
use crate::facts::identity::{IdentityKey, Key};
use crate::limits;
use crate::metrics::METRICS;
use crate::record::SeenRow;
use crate::store::{OpenError, Store};

/// Where messages from outside are remembered. [`Memory`] is this node's own; one that several gateways share would be
/// another.
pub trait Recollection: Send + Sync {
    /// The key of its hashes; who shares a memory shares it.
    fn key(&self) -> &IdentityKey;
    /// The row with its place behind the one that the same message came with before: it may come in a transaction for
    /// each mailbox.
    #[must_use]
    fn linked(&self, row: SeenRow) -> SeenRow;
    /// Remembers a message that is on the disk already, with the record of this number.
    fn remember(&self, seq: u64, row: &SeenRow);
    /// The newest message with this key, with all mailboxes that it came for.
    fn find(&self, key: &Key) -> impl Future<Output = Result<Option<SeenRow>, Cause>> + Send;
}

/// The memory of this node.
pub struct Memory {
    key: IdentityKey,
    store: Option<Store>,
    near: Mutex<Near>,
    days: AtomicU32,
    /// The number of the next message that no store has.
    unstored: AtomicU64,
}

/// What is in memory.
struct Near {
    /// Those that were asked for, whole; without a store all.
    rows: LruCache<u64, SeenRow>,
    index: Index,
}

impl Memory {
    /// A memory that ends with the process: for `explain` and `demo`.
    pub fn volatile() -> Self {
        Self::new(IdentityKey::new(&[0; 32]), None, limits::SEEN_DAYS)
    }

    /// The memory in the store, its newest part read at once. What is damaged is forgotten: a forward that is not
    /// recognised is less than mail that waits for a start.
    pub fn of(store: &Store, days: u32) -> Result<Self, OpenError> {
        let memory = Self::new(IdentityKey::new(&store.seen_key()), Some(store.clone()), days);
        let damaged = store.recent_seen(days, limits::SEEN_INDEXED, |seq, row| {
            let mut near = memory.near();
            for key in row.keys() {
                near.index.add_older(key, row.at(), seq, days);
            }
        })?;
        if damaged > 0 {
            METRICS.memory_damaged.with_label_values(&["seen"]).inc_by(damaged);
            tracing::warn!(damaged, "what the log has of some seen messages is damaged; they are forgotten");
        }
        Ok(memory)
    }

    fn new(key: IdentityKey, store: Option<Store>, days: u32) -> Self {
        let capacity = NonZeroUsize::new(limits::SEEN_IN_MEMORY).unwrap_or(NonZeroUsize::MIN);
        let near = Near { rows: LruCache::new(capacity), index: Index::default() };
        Self { key, store, near: Mutex::new(near), days: AtomicU32::new(days), unstored: AtomicU64::new(0) }
    }

    /// Remembers for so many days from now on; what was forgotten comes back with the next start alone.
    pub fn keep(&self, days: u32) {
        self.days.store(days, Ordering::Relaxed);
    }

    /// Remembers a message that no store has.
    pub fn remember_unstored(&self, row: &SeenRow) {
        self.remember(self.unstored.fetch_add(1, Ordering::Relaxed), row);
    }

    fn days(&self) -> u32 {
        self.days.load(Ordering::Relaxed)
    }

    /// A panic while the lock was held leaves a cache that is still a cache.
    fn near(&self) -> MutexGuard<'_, Near> {
        self.near.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recollection for Memory {
    fn key(&self) -> &IdentityKey {
        &self.key
    }

    fn linked(&self, row: SeenRow) -> SeenRow {
        let before = row.keys().first().and_then(|key| self.near().index.find(key));
        row.after(before)
    }

    fn remember(&self, seq: u64, row: &SeenRow) {
        if row.left_out() > 0 {
            METRICS.limits_exceeded.with_label_values(&["seen_addresses"]).inc();
        }
        let mut near = self.near();
        near.index.add(row.keys(), row.at(), seq, self.days());
        if self.store.is_none() {
            near.rows.put(seq, row.clone());
        }
    }

    async fn find(&self, key: &Key) -> Result<Option<SeenRow>, Cause> {
        let seq = {
            let mut near = self.near();
            let Some(seq) = near.index.find(key) else { return Ok(None) };
            if let Some(row) =
                near.rows.get(&seq).filter(|row| row.before().is_none() && row.keys().contains(key))
            {
                return Ok(Some(row.clone()));
            }
            seq
        };
        let Some(store) = self.store.clone() else {
            let mut near = self.near();
            let Ok(found) = gathered(seq, key, |seq, key| {
                Ok::<_, Infallible>(near.rows.get(&seq).filter(|row| row.keys().contains(key)).cloned())
            });
            return Ok(found);
        };
        let (key, days) = (*key, self.days());
        let search = move || gathered(seq, &key, |seq, key| store.find_seen(seq, key, days));
        let found = match tokio::time::timeout(limits::SEEN_TIME, tokio::task::spawn_blocking(search)).await {
            Ok(Ok(Ok(found))) => found,
            Ok(Ok(Err(error))) => {
                tracing::error!(%error, "the memory of seen messages cannot be read");
                return Err(Cause::Store);
            }
            Ok(Err(_)) => return Err(Cause::Store),
            Err(_) => return Err(Cause::Deadline),
        };
        if let Some(row) = &found {
            self.near().rows.put(seq, row.clone());
        }
        Ok(found)
    }
}

/// The row of that number with the mailboxes of the rows before it, as far as they are of the same message. Whoever gives
/// every message one Message-ID makes a row of thousands: no more are read than there can be mailboxes. One that cannot be
/// read ends it: the newer ones know the message, and that is what matters.
fn gathered<E: Display>(
    seq: u64,
    key: &Key,
    mut read: impl FnMut(u64, &Key) -> Result<Option<SeenRow>, E>,
) -> Result<Option<SeenRow>, E> {
    let Some(mut row) = read(seq, key)? else { return Ok(None) };
    let mut before = row.before();
    for _ in 1..limits::SEEN_MAILBOXES {
        let (Some(seq), Some(key)) = (before, row.keys().first()) else { break };
        let earlier = match read(seq, key) {
            Ok(Some(earlier)) => earlier,
            Ok(None) => break,
            Err(error) => {
                METRICS.memory_damaged.with_label_values(&["seen"]).inc();
                tracing::warn!(%error, seq, "for whom a seen message came before cannot be read");
                break;
            }
        };
        before = earlier.before();
        if (earlier.keys().first(), earlier.fingerprint()) == (row.keys().first(), row.fingerprint()) {
            row = row.joined(&earlier);
        }
    }
    Ok(Some(row.after(None)))
}

/// Where in the store each message is, by part of each of its keys and by day, so that days can be forgotten. Whoever
/// looks there checks the whole key.
#[derive(Default)]
struct Index {
    days: BTreeMap<i64, Day>,
    len: usize,
}

type Day = HashMap<Part, Number, BuildHasherDefault<Spread>>;

/// The first octets of a key: of eight million keys a pair is alike once in nine times, and then one message is not
/// recognised by one of its keys.
type Part = [u8; 6];

/// A record's number: 10^12 mails. With the part of a key 11 octets, where plain numbers would take 16.
type Number = [u8; 5];

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
    /// A message that came just now.
    fn add(&mut self, keys: &[Key], at: Timestamp, seq: u64, days: u32) {
        let day = self.day(at, days);
        let before = day.len();
        day.extend(keys.iter().map(|key| (part(key), number(seq))));
        let added = day.len() - before;
        self.len += added;
        while self.len > limits::SEEN_INDEXED
            && let Some((_, forgotten)) = self.days.pop_first()
        {
            METRICS.limits_exceeded.with_label_values(&["seen_messages"]).inc();
            self.len -= forgotten.len();
        }
    }

    /// A message of an earlier run: what is known already is newer.
    fn add_older(&mut self, key: &Key, at: Timestamp, seq: u64, days: u32) {
        if self.len >= limits::SEEN_INDEXED {
            return;
        }
        if let Entry::Vacant(place) = self.day(at, days).entry(part(key)) {
            place.insert(number(seq));
            self.len += 1;
        }
    }

    fn find(&self, key: &Key) -> Option<u64> {
        self.days.values().rev().find_map(|keys| keys.get(&part(key)).map(|number| whole(*number)))
    }

    /// The keys of that day. With a new day the oldest ones go.
    fn day(&mut self, at: Timestamp, days: u32) -> &mut Day {
        let day = at.as_second().div_euclid(SignedDuration::from_hours(24).as_secs());
        if self.days.last_key_value().is_some_and(|(newest, _)| *newest < day) {
            self.days = self.days.split_off(&(day - i64::from(days)));
            self.len = self.days.values().map(Day::len).sum();
        }
        self.days.entry(day).or_default()
    }
}

fn part(key: &Key) -> Part {
    key.first_chunk().copied().unwrap_or_default()
}

fn number(seq: u64) -> Number {
    seq.to_le_bytes().first_chunk().copied().unwrap_or_default()
}

fn whole(number: Number) -> u64 {
    let mut octets = [0; 8];
    octets.iter_mut().zip(number).for_each(|(to, from)| *to = from);
    u64::from_le_bytes(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u8, day: u32, mailbox: &str) -> SeenRow {
        with_keys(&[[id; 16], [100 + id; 16]], id, day, mailbox)
    }

    fn with_keys(keys: &[Key], fingerprint: u8, day: u32, mailbox: &str) -> SeenRow {
        let at = format!("2026-03-{day:02}T12:00:00Z").parse().unwrap();
        let keys = keys.iter().copied();
        SeenRow::new(at, keys, [fingerprint; 8], [mailbox], ["medborgare@example.org"])
    }

    #[tokio::test]
    async fn what_came_is_known_by_each_key_and_nothing_else() {
        let memory = Memory::volatile();
        memory.remember_unstored(&row(1, 1, "anna@exempelby.se"));
        memory.remember_unstored(&row(2, 1, "bertil@exempelby.se"));
        for key in [[1; 16], [101; 16]] {
            assert_eq!(memory.find(&key).await, Ok(Some(row(1, 1, "anna@exempelby.se"))));
        }
        assert_eq!(memory.find(&[3; 16]).await, Ok(None));
        let mut alike = [1; 16];
        alike[15] = 0;
        assert_eq!(memory.find(&alike).await, Ok(None), "the whole key is compared");
    }

    #[tokio::test]
    async fn one_message_to_many_mailboxes_is_remembered_for_all() {
        let memory = Memory::volatile();
        let remember = |row: SeenRow| memory.remember_unstored(&memory.linked(row));
        remember(row(1, 1, "anna@exempelby.se"));
        remember(row(2, 1, "anna@exempelby.se"));
        remember(row(1, 2, "bertil@exempelby.se"));
        let found = memory.find(&[1; 16]).await.unwrap().unwrap();
        assert!(found.mailboxes().eq(["bertil@exempelby.se", "anna@exempelby.se"]));
        assert_eq!(found.before(), None);
        assert_eq!(memory.find(&[101; 16]).await, Ok(Some(found)), "by each key");
        // The same Message-ID, and another message.
        remember(with_keys(&[[1; 16], [9; 16]], 9, 2, "kurt@exempelby.se"));
        let reused = memory.find(&[1; 16]).await.unwrap().unwrap();
        assert!(reused.mailboxes().eq(["kurt@exempelby.se"]));
        // Those behind it are found again, each once.
        remember(row(1, 2, "bertil@exempelby.se"));
        remember(row(1, 2, "disa@exempelby.se"));
        let found = memory.find(&[1; 16]).await.unwrap().unwrap();
        assert!(found.mailboxes().eq(["disa@exempelby.se", "bertil@exempelby.se", "anna@exempelby.se"]));
    }

    #[tokio::test]
    async fn a_message_id_of_thousands_is_read_as_far_as_there_can_be_mailboxes() {
        let read = std::cell::Cell::new(0);
        let chain = |seq: u64, _: &Key| {
            read.set(read.get() + 1);
            Ok::<_, &str>(Some(row(1, 1, &format!("{seq}@exempelby.se")).after(seq.checked_sub(1))))
        };
        let found = gathered(5_000, &[1; 16], chain).unwrap().unwrap();
        assert_eq!((found.mailboxes().count(), read.get()), (100, 100));
        assert_eq!(found.mailboxes().last(), Some("4901@exempelby.se"));
        let broken = |seq: u64, _: &Key| if seq == 9 { Err("damaged") } else { chain(seq, &[1; 16]) };
        assert_eq!(gathered(9, &[1; 16], broken), Err("damaged"));
        let found = gathered(12, &[1; 16], broken).unwrap().unwrap();
        assert!(found.mailboxes().eq(["12@exempelby.se", "11@exempelby.se", "10@exempelby.se"]));
    }

    #[test]
    fn a_mail_over_the_limit_of_addresses_is_counted_once() {
        let counted = || METRICS.limits_exceeded.with_label_values(&["seen_addresses"]).get();
        let before = counted();
        let mailboxes: Vec<String> = (0..limits::SEEN_MAILBOXES + 5).map(|n| format!("{n}@x.se")).collect();
        let of = |count: usize| {
            let mailboxes = mailboxes.iter().take(count).map(String::as_str);
            SeenRow::new(Timestamp::UNIX_EPOCH, [[1; 16]], [1; 8], mailboxes, [])
        };
        let memory = Memory::volatile();
        memory.remember(1, &memory.linked(of(limits::SEEN_MAILBOXES)));
        assert_eq!(counted(), before);
        memory.remember(2, &memory.linked(of(limits::SEEN_MAILBOXES + 5)));
        assert_eq!(counted(), before + 1);
    }

    #[test]
    fn the_index_knows_the_newest_place_and_forgets_by_day() {
        let mut index = Index::default();
        let at = |day| row(0, day, "").at();
        index.add(&[[1; 16]], at(1), 10, 14);
        index.add(&[[1; 16]], at(2), 20, 14);
        index.add_older(&[1; 16], at(2), 15, 14);
        index.add_older(&[2; 16], at(1), 11, 14);
        assert_eq!((index.find(&[1; 16]), index.find(&[2; 16]), index.len), (Some(20), Some(11), 3));
        index.add(&[[3; 16]], at(16), 30, 14);
        assert_eq!((index.find(&[1; 16]), index.find(&[2; 16]), index.len), (Some(20), None, 2));
        index.add(&[[4; 16]], at(18), 1 << 39, 3);
        assert_eq!((index.find(&[1; 16]), index.find(&[4; 16]), index.len), (None, Some(1 << 39), 2));
    }

    /// `cargo test --lib -- --ignored --nocapture a_million` shows what docs/performance.md says.
    #[test]
    #[ignore = "it fills a memory"]
    fn a_million_messages_fit() {
        let resident = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
        };
        let memory = Memory::volatile();
        let before = resident();
        for n in 0..1_000_000_u64 {
            // Keys are hashes: scattered.
            let key = |salt: u64| {
                u128::from(3 * n + salt).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_be_bytes()
            };
            let day = 1 + u32::try_from(n / 71_429).unwrap();
            memory.remember_unstored(&with_keys(&[key(1), key(2), key(3)], 1, day, "anna@exempelby.se"));
        }
        let used = resident() - before;
        println!("a million messages with three keys each: {} MB", used / 1_000);
        assert!(used < 200_000, "{used} kB");
    }
}

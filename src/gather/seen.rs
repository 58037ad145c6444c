//! The memory of messages that came from outside: all of the last days in the store, in memory those that were asked for.
//!
//! Most mail that leaves was never seen before, and that answer must cost nothing: an index in memory knows of each
//! remembered message where in the store it is, so the store is asked only about messages that did come, and keeps no
//! index of its own. Absent: any Message-ID in clear.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Display;
use std::hash::{BuildHasherDefault, Hasher};
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::{SignedDuration, Timestamp};
use lru::LruCache;

use crate::facts::Cause;
use crate::facts::identity::{IdentityKey, Key};
use crate::limits;
use crate::metrics::METRICS;
use crate::record::SeenRow;
use crate::store::{OpenError, Store};

/// Where messages from outside are remembered. [`SeenCache`] is this node's own; one that several gateways share would be
/// another.
pub trait SeenStore: Send + Sync {
    /// The key of its hashes; who shares a memory shares it.
    fn key(&self) -> &IdentityKey;
    /// The row with its place behind the one that the same message came with before: it may come in a transaction for
    /// each mailbox.
    #[must_use]
    fn linked<'a>(&self, row: SeenRow<'a>) -> SeenRow<'a>;
    /// Remembers a message that is on the disk already, with the record of this number.
    fn remember(&self, seq: u64, row: &SeenRow<'_>);
    /// Whether a message with this key may be remembered. For most mail that leaves that is all that is asked, so it has
    /// to cost nothing.
    fn may_know(&self, key: &Key) -> bool;
    /// The newest message with this key, with all mailboxes that it came for.
    fn find(&self, key: &Key) -> impl Future<Output = Result<Option<SeenRow<'static>>, Cause>> + Send;
}

/// What the other gateways remember. They are asked about a message that one of them had, and about no other.
pub trait Others: Send + Sync {
    /// The rows of the messages with this key, the newest first.
    fn find(
        &self,
        key: Key,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<SeenRow<'static>>, Cause>> + Send + '_>>;
}

/// The memory of this node.
pub struct SeenCache {
    key: IdentityKey,
    store: Option<Store>,
    index: Index,
    /// By which keys other gateways know messages, and who asks them.
    others: (Index, OnceLock<Arc<dyn Others>>),
    /// Those that were asked for; without a store all.
    rows: Mutex<LruCache<u64, SeenRow<'static>>>,
    days: AtomicU32,
    /// The number of the next message that no store has.
    unstored: AtomicU64,
}

impl SeenCache {
    /// A memory that ends with the process: for `explain` and `demo`.
    pub fn volatile() -> Self {
        Self::new(IdentityKey::new(&[0; 32]), None, limits::SEEN_DAYS)
    }

    /// The memory in the store, its newest part read at once. What is damaged is forgotten: a forward that is not
    /// recognised is less than mail that waits for a start.
    pub fn of(store: &Store, days: u32) -> Result<Self, OpenError> {
        let memory = Self::new(IdentityKey::new(&store.seen_key()), Some(store.clone()), days);
        let damaged = store.recent_seen(days, limits::SEEN_INDEXED, |seq, row| {
            row.keys().iter().for_each(|key| memory.index.add_older(key, day_of(row.at()), seq));
        })?;
        if damaged > 0 {
            METRICS.memory_damaged.with_label_values(&["seen"]).inc_by(damaged);
            tracing::warn!(damaged, "damaged rows in the memory of seen messages are ignored");
        }
        Ok(memory)
    }

    fn new(key: IdentityKey, store: Option<Store>, days: u32) -> Self {
        let capacity = NonZeroUsize::new(limits::SEEN_IN_MEMORY).unwrap_or(NonZeroUsize::MIN);
        Self {
            key,
            store,
            index: Index::new(),
            others: (Index::new(), OnceLock::new()),
            rows: Mutex::new(LruCache::new(capacity)),
            days: AtomicU32::new(days),
            unstored: AtomicU64::new(0),
        }
    }

    /// Remembers for so many days from now on; what was forgotten comes back with the next start alone.
    pub fn keep(&self, days: u32) {
        self.days.store(days, Ordering::Relaxed);
    }

    /// Asks these about messages that other gateways had, from now on. The first ones stay.
    pub fn share(&self, others: Arc<dyn Others>) {
        // An error is others that are there already.
        let _ = self.others.1.set(others);
    }

    /// Another gateway had a message with this key.
    pub fn remember_of_others(&self, key: &Key, at: Timestamp) {
        self.others.0.add(key, day_of(at), 0, self.days());
    }

    /// Remembers a message that no store has.
    pub fn remember_unstored(&self, row: &SeenRow<'_>) {
        self.remember(self.unstored.fetch_add(1, Ordering::Relaxed), row);
    }

    fn days(&self) -> u32 {
        self.days.load(Ordering::Relaxed)
    }

    /// A panic while the lock was held leaves a cache that is still a cache.
    fn rows(&self) -> MutexGuard<'_, LruCache<u64, SeenRow<'static>>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SeenStore for SeenCache {
    fn key(&self) -> &IdentityKey {
        &self.key
    }

    fn linked<'a>(&self, row: SeenRow<'a>) -> SeenRow<'a> {
        let before = row.keys().first().and_then(|key| self.index.find(key));
        row.after(before)
    }

    fn remember(&self, seq: u64, row: &SeenRow<'_>) {
        if row.left_out() > 0 {
            METRICS.limits_exceeded.with_label_values(&["seen_addresses"]).inc();
        }
        let (day, days) = (day_of(row.at()), self.days());
        row.keys().iter().for_each(|key| self.index.add(key, day, seq, days));
        if self.store.is_none() {
            self.rows().put(seq, row.owned());
        }
    }

    fn may_know(&self, key: &Key) -> bool {
        self.index.find(key).is_some() || self.others.0.find(key).is_some()
    }

    /// What this gateway remembers, with the mailboxes for which the same message came to others; or what they remember.
    async fn find(&self, key: &Key) -> Result<Option<SeenRow<'static>>, Cause> {
        let own = self.find_own(key).await;
        let Some(others) = self.others.1.get().filter(|_| self.others.0.find(key).is_some()) else {
            return own;
        };
        match (own, others.find(*key).await) {
            (Ok(Some(own)), Err(_)) => Ok(Some(own)),
            (_, Err(cause)) => Err(cause),
            (own, Ok(rows)) => {
                let own = if rows.is_empty() { own? } else { own.unwrap_or_default() };
                Ok(rows.into_iter().fold(own, |known, row| Some(joined(known, row))))
            }
        }
    }
}

/// The known row with the mailboxes of another one, if both are of one message.
fn joined(known: Option<SeenRow<'static>>, row: SeenRow<'static>) -> SeenRow<'static> {
    let same = |known: &SeenRow<'_>| {
        (known.keys().first(), known.fingerprint()) == (row.keys().first(), row.fingerprint())
    };
    match known {
        None => row,
        Some(known) if same(&known) => known.joined(row),
        Some(known) => known,
    }
}

impl SeenCache {
    async fn find_own(&self, key: &Key) -> Result<Option<SeenRow<'static>>, Cause> {
        let Some(seq) = self.index.find(key) else { return Ok(None) };
        let near =
            self.rows().get(&seq).filter(|row| row.before().is_none() && row.keys().contains(key)).cloned();
        if near.is_some() {
            return Ok(near);
        }
        let Some(store) = self.store.clone() else {
            let mut rows = self.rows();
            let Ok(found) = gathered(seq, key, |seq, key| {
                Ok::<_, Infallible>(rows.get(&seq).filter(|row| row.keys().contains(key)).cloned())
            });
            return Ok(found);
        };
        let (key, days) = (*key, self.days());
        let search = move || gathered(seq, &key, |seq, key| store.find_seen(seq, key, days));
        let found = match tokio::time::timeout(limits::SEEN_TIME, tokio::task::spawn_blocking(search)).await {
            Ok(Ok(Ok(found))) => found,
            Ok(Ok(Err(error))) => {
                tracing::error!(%error, "cannot read the memory of seen messages");
                return Err(Cause::Store);
            }
            Ok(Err(_)) => return Err(Cause::Store),
            Err(_) => return Err(Cause::Deadline),
        };
        if let Some(row) = &found {
            self.rows().put(seq, row.clone());
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
    mut read: impl FnMut(u64, &Key) -> Result<Option<SeenRow<'static>>, E>,
) -> Result<Option<SeenRow<'static>>, E> {
    let Some(mut row) = read(seq, key)? else { return Ok(None) };
    let mut before = row.before();
    for _ in 1..limits::SEEN_MAILBOXES {
        let (Some(seq), Some(key)) = (before, row.keys().first()) else { break };
        let earlier = match read(seq, key) {
            Ok(Some(earlier)) => earlier,
            Ok(None) => break,
            Err(error) => {
                METRICS.memory_damaged.with_label_values(&["seen"]).inc();
                tracing::warn!(%error, seq, "cannot read the recipients of a seen message");
                break;
            }
        };
        before = earlier.before();
        if (earlier.keys().first(), earlier.fingerprint()) == (row.keys().first(), row.fingerprint()) {
            row = row.joined(earlier);
        }
    }
    Ok(Some(row.after(None)))
}

/// Where in the store each message is, by part of each of its keys. Whoever looks there checks the whole key. It is
/// divided by an octet of the keys, so that who makes room, or forgets a day, does so for a small part of it, and nobody
/// waits for the rest.
struct Index(Box<[Mutex<Shard>; SHARDS]>);

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
    fn new() -> Self {
        Self(Box::new(std::array::from_fn(|_| Mutex::default())))
    }

    /// A message that came just now. With a new day the keys of the oldest one go.
    fn add(&self, key: &Key, day: i64, seq: u64, days: u32) {
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
    fn add_older(&self, key: &Key, day: i64, seq: u64) {
        let Some((mut shard, part)) = self.shard(key) else { return };
        shard.today = shard.today.max(day);
        if shard.places.len() < SHARD_KEYS {
            shard.places.entry(part).or_insert(Place::new(day, seq));
        }
    }

    fn find(&self, key: &Key) -> Option<u64> {
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

fn day_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(SignedDuration::from_hours(24).as_secs())
}

fn low(day: i64) -> u8 {
    let [low, ..] = day.to_le_bytes();
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u8, day: u32, mailbox: &str) -> SeenRow<'static> {
        with_keys(&[[id; 16], [100 + id; 16]], id, day, mailbox)
    }

    fn with_keys(keys: &[Key], fingerprint: u8, day: u32, mailbox: &str) -> SeenRow<'static> {
        let at = format!("2026-03-{day:02}T12:00:00Z").parse().unwrap();
        let keys = keys.iter().copied();
        SeenRow::new(at, keys, [fingerprint; 8], [mailbox], ["medborgare@example.org"]).owned()
    }

    #[tokio::test]
    async fn what_came_is_known_by_each_key_and_nothing_else() {
        let memory = SeenCache::volatile();
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
        let memory = SeenCache::volatile();
        let remember = |row: SeenRow<'_>| memory.remember_unstored(&memory.linked(row));
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
            SeenRow::new(Timestamp::UNIX_EPOCH, [[1; 16]], [1; 8], mailboxes, ["x@example.org"])
        };
        let memory = SeenCache::volatile();
        memory.remember(1, &memory.linked(of(limits::SEEN_MAILBOXES)));
        assert_eq!(counted(), before);
        memory.remember(2, &memory.linked(of(limits::SEEN_MAILBOXES + 5)));
        assert_eq!(counted(), before + 1);
    }

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

    /// `cargo test --lib -- --ignored --nocapture a_million` shows what docs/performance.md says.
    #[test]
    #[ignore = "it fills a memory"]
    fn a_million_messages_fit() {
        let resident = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
        };
        let memory = SeenCache::volatile();
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

//! The memory of messages that came from outside: all of the last days in the store, in memory those that were asked for.
//!
//! Most mail that leaves was never seen before, and that answer must cost nothing: an index in memory knows of each
//! remembered message where in the store it is, so the store is asked only about messages that did come, and keeps no
//! index of its own. Absent: any Message-ID in clear.

use std::convert::Infallible;
use std::fmt::Display;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::Timestamp;
use lru::LruCache;

use super::elsewhere::{Elsewhere, Others};
use super::places::{Index, day_of};
use crate::facts::Cause;
use crate::facts::identity::{IdentityKey, Key};
use crate::limits;
use crate::metrics::METRICS;
use crate::record::SeenRow;
use crate::store::{OpenError, Store};

/// The memory of this node.
pub struct SeenCache {
    key: IdentityKey,
    store: Option<Store>,
    index: Index,
    /// Those that were asked for; without a store all.
    rows: Mutex<LruCache<u64, SeenRow<'static>>>,
    days: AtomicU32,
    /// The number of the next message that no store has.
    unstored: AtomicU64,
    /// What other nodes remember; nothing where this one is alone.
    others: OnceLock<Others>,
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
            rows: Mutex::new(LruCache::new(capacity)),
            days: AtomicU32::new(days),
            unstored: AtomicU64::new(0),
            others: OnceLock::new(),
        }
    }

    /// From now on, what other nodes remember counts as well.
    pub fn share(&self, others: Box<dyn Elsewhere>) {
        if self.others.set(Others::new(others)).is_err() {
            tracing::error!("the memory of seen messages is shared already");
        }
    }

    /// Another node has seen a message whose key has this [`hash_of`](super::elsewhere::hash_of).
    pub fn learn(&self, hash: &Key, at: Timestamp) {
        self.others.get().into_iter().for_each(|others| others.learn(hash, at, self.days()));
    }

    /// Remembers for so many days from now on; what was forgotten comes back with the next start alone.
    pub fn keep(&self, days: u32) {
        self.days.store(days, Ordering::Relaxed);
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

impl SeenCache {
    /// The key of its hashes; who shares a memory shares it.
    pub fn key(&self) -> &IdentityKey {
        &self.key
    }

    /// The row with its place behind the one that the same message came with before: it may come in a transaction for
    /// each mailbox.
    #[must_use]
    pub fn linked<'a>(&self, row: SeenRow<'a>) -> SeenRow<'a> {
        let before = row.keys().first().and_then(|key| self.index.find(key));
        row.after(before)
    }

    /// Remembers a message that is on the disk already, with the record of this number.
    pub fn remember(&self, seq: u64, row: &SeenRow<'_>) {
        if row.left_out() > 0 {
            METRICS.limits_exceeded.with_label_values(&["seen_addresses"]).inc();
        }
        let (day, days) = (day_of(row.at()), self.days());
        row.keys().iter().for_each(|key| self.index.add(key, day, seq, days));
        if self.store.is_none() {
            self.rows().put(seq, row.owned());
        }
    }

    /// Whether a message with this key may be remembered. For most mail that leaves that is all that is asked, so it has
    /// to cost nothing.
    pub fn may_know(&self, key: &Key) -> bool {
        self.index.find(key).is_some() || self.others.get().is_some_and(|others| others.may_know(key))
    }

    /// The newest message with this key, with all mailboxes that it came for.
    pub async fn find(&self, key: &Key) -> Result<Option<SeenRow<'static>>, Cause> {
        let own = self.find_own(key).await;
        match self.others.get() {
            Some(others) => others.with(key, own).await,
            None => own,
        }
    }

    /// The newest message with this key that came by this node.
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

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use super::*;
    use crate::gather::elsewhere::{Recalled, hash_of};

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

    /// What other nodes remember, as a test says.
    struct Told {
        even: bool,
        rows: Result<Vec<SeenRow<'static>>, Cause>,
    }

    impl Elsewhere for Told {
        fn is_even(&self) -> bool {
            self.even
        }

        fn recall(&self, key: &Key) -> Pin<Box<dyn Future<Output = Recalled> + Send + '_>> {
            let key = *key;
            let rows = self.rows.clone().map(|mut rows| {
                rows.retain(|row| row.keys().contains(&key));
                rows
            });
            Box::pin(async move { rows })
        }
    }

    #[tokio::test]
    async fn what_other_nodes_have_seen_is_known_and_joined() {
        let memory = SeenCache::volatile();
        let theirs = vec![
            row(1, 3, "cesar@exempelby.se"),
            row(1, 2, "bertil@exempelby.se"),
            row(2, 1, "doris@exempelby.se"),
        ];
        memory.share(Box::new(Told { even: true, rows: Ok(theirs) }));
        memory.remember_unstored(&row(1, 1, "anna@exempelby.se"));
        let found = async |id: u8| {
            memory
                .find(&[id; 16])
                .await
                .map(|row| row.map(|row| row.mailboxes().map(str::to_owned).collect::<Vec<_>>()))
        };
        assert_eq!(found(1).await, Ok(Some(vec!["anna@exempelby.se".to_owned()])), "nobody told of theirs");
        assert!(!memory.may_know(&[2; 16]) && found(2).await == Ok(None));
        for id in [1, 2] {
            memory.learn(&hash_of(&[id; 16]), "2026-03-03T12:00:00Z".parse().unwrap());
        }
        let all =
            ["cesar@exempelby.se", "anna@exempelby.se", "bertil@exempelby.se"].map(str::to_owned).to_vec();
        assert_eq!(
            (found(1).await, found(2).await),
            (Ok(Some(all)), Ok(Some(vec!["doris@exempelby.se".to_owned()])))
        );
    }

    #[tokio::test]
    async fn where_other_nodes_cannot_be_asked_only_what_is_known_here_is_known() {
        let memory = SeenCache::volatile();
        memory.share(Box::new(Told { even: false, rows: Err(Cause::Unreachable) }));
        memory.remember_unstored(&row(1, 1, "anna@exempelby.se"));
        assert!(memory.may_know(&[9; 16]), "nobody knows what others have seen");
        assert_eq!(memory.find(&[9; 16]).await, Err(Cause::Unreachable));
        assert!(memory.find(&[1; 16]).await.unwrap().is_some());
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

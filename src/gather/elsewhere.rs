//! What other nodes remember: a message may come in by one gateway and leave by another.
//!
//! Of what other nodes have seen, only hashes of the keys are here, so that most mail that leaves is answered without a question to
//! anybody. What a message was is asked for by its key, with a deadline, where the hash is known, or where it cannot be told
//! whether it is.

use std::pin::Pin;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::places::{Index, day_of};
use crate::facts::Cause;
use crate::facts::identity::Key;
use crate::metrics::METRICS;
use crate::record::SeenRow;

/// What is remembered of a message elsewhere, the newest first.
pub type Recalled = Result<Vec<SeenRow<'static>>, Cause>;

/// Who has the memory of all nodes.
pub trait Elsewhere: Send + Sync {
    /// Whether the hashes of all that other nodes have seen were handed over, up to now.
    fn is_even(&self) -> bool;
    /// What other nodes remember of the message with this key.
    fn recall(&self, key: &Key) -> Pin<Box<dyn Future<Output = Recalled> + Send + '_>>;
}

/// The hash of a key, which says that a message was seen and does not let anybody ask for it.
pub fn hash_of(key: &Key) -> Key {
    Sha256::digest(key).first_chunk().copied().unwrap_or_default()
}

/// The hashes of the keys of what other nodes have seen, and whom to ask.
pub(super) struct Others {
    hashes: Index,
    source: Box<dyn Elsewhere>,
}

impl Others {
    pub(super) fn new(source: Box<dyn Elsewhere>) -> Self {
        Self { hashes: Index::new(), source }
    }

    /// Another node has seen a message whose key has this hash.
    pub(super) fn learn(&self, hash: &Key, at: Timestamp, days: u32) {
        self.hashes.add(hash, day_of(at), 0, days);
    }

    /// Whether they may have seen a message with this key.
    pub(super) fn may_know(&self, key: &Key) -> bool {
        self.hashes.find(&hash_of(key)).is_some() || !self.source.is_even()
    }

    /// What is remembered here of the message with this key, or elsewhere, with all mailboxes that it came for. What is known
    /// here is enough where elsewhere cannot be asked.
    pub(super) async fn with(
        &self,
        key: &Key,
        own: Result<Option<SeenRow<'static>>, Cause>,
    ) -> Result<Option<SeenRow<'static>>, Cause> {
        if !self.may_know(key) {
            return own;
        }
        let recalled = self.source.recall(key).await;
        METRICS
            .recalls
            .with_label_values(&[recalled.as_ref().map_or_else(|cause| cause.as_str(), |_| "answered")])
            .inc();
        match (own, recalled) {
            (Ok(Some(row)), Err(_)) => Ok(Some(row)),
            (Ok(None) | Err(_), Err(cause)) => Err(cause),
            (own, Ok(others)) => {
                let newest = own?.into_iter().chain(others).reduce(|one, other| {
                    let (newer, older) = if other.at() > one.at() { (other, one) } else { (one, other) };
                    let is_same = (newer.keys().first(), newer.fingerprint())
                        == (older.keys().first(), older.fingerprint());
                    if is_same { newer.joined(older) } else { newer }
                });
                Ok(newest.map(|row| row.after(None)))
            }
        }
    }
}

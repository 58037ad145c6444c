//! Gathering: facts that the world outside the mail must give. Trouble here never ends a mail: the fact becomes
//! unavailable, and the config says what follows from that.

mod documents;
pub mod seen;

use std::sync::Arc;

use crate::config::Config;
use crate::facts::{Cause, Fact, Facts, Needs, Seen};
use crate::mail::{Direction, Mail};
use crate::metrics::METRICS;
use crate::store::{OpenError, Store};
use crate::worker::pool::Workers;
use seen::Memory;

/// Whom the facts are asked of that do not stand in the mail itself.
pub struct Sources {
    /// The messages that came from outside.
    pub memory: Memory,
    /// Who reads documents.
    pub workers: Workers,
}

impl Sources {
    /// Sources that remember nothing beyond the process: for `explain`, `replay` and `demo`.
    pub fn volatile(workers: Workers) -> Self {
        Self { memory: Memory::volatile(), workers }
    }

    /// Sources that remember in the store.
    pub fn of(store: &Store, workers: Workers) -> Result<Self, OpenError> {
        Ok(Self { memory: Memory::of(store)?, workers })
    }
}

/// Adds what `needs` asks for.
pub async fn gather(
    facts: &mut Facts,
    needs: Needs,
    _mail: &Arc<Mail>,
    _config: &Arc<Config>,
    sources: &Sources,
) {
    if needs.seen {
        seen(facts, &sources.memory).await;
    }
    documents::open(facts, needs, &sources.workers).await;
}

/// Whether the message came from outside before, and what it answers.
async fn seen(facts: &mut Facts, memory: &Memory) {
    facts.identity = memory.key().of(&facts.header);
    if facts.direction != Direction::Outbound {
        return;
    }
    if let Some(identity) = facts.identity {
        let same = |row: &crate::record::SeenRow| row.identity.fingerprint == identity.fingerprint;
        facts.seen = as_fact(memory.find(&identity.key).await.map(|row| row.filter(same)), "seen");
    } else {
        facts.seen = Fact::Known(None);
    }
    // Only mail that carries traces of forwarding is asked what it answers.
    if !facts.traces.is_empty() {
        facts.answered = answered(facts, memory).await;
    }
}

/// The newest message from outside among those that this one refers to; In-Reply-To stands first.
async fn answered(facts: &Facts, memory: &Memory) -> Fact<Option<Seen>> {
    for id in &facts.header.references {
        let found = as_fact(memory.find(&memory.key().key_of(id)).await, "answered");
        if !matches!(found, Fact::Known(None)) {
            return found;
        }
    }
    Fact::Known(None)
}

fn as_fact(found: Result<Option<crate::record::SeenRow>, Cause>, name: &str) -> Fact<Option<Seen>> {
    match found {
        Ok(row) => Fact::Known(row.map(Seen::from)),
        Err(cause) => {
            METRICS.fact_unavailable.with_label_values(&[name, cause.as_str()]).inc();
            Fact::Unavailable(cause)
        }
    }
}

//! Gathering: facts that the world outside the mail must give. Trouble here never ends a mail: the fact becomes
//! unavailable, and the config says what follows from that.

pub mod seen;

use crate::facts::{Cause, Fact, Facts, Needs, Seen};
use crate::mail::Direction;
use crate::metrics::METRICS;
use seen::Memory;

/// Adds what `needs` asks for.
pub async fn gather(facts: &mut Facts, needs: Needs, memory: &Memory) {
    if !needs.seen {
        return;
    }
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

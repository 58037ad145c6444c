//! Gathering: facts that the world outside the mail must give. Trouble here never ends a mail: the fact becomes
//! unavailable, and the config says what follows from that.

pub mod auth;
mod documents;
pub mod habits;
mod recall;
pub mod scanner;
pub mod seen;

use std::sync::Arc;

use crate::config::Config;
use crate::facts::authentication::Authentication;
use crate::facts::{Cause, Fact, Facts, Needs};
use crate::ledger::Ledger;
use crate::limits;
use crate::mail::{Direction, Mail};
use crate::metrics::METRICS;
use crate::policy::Decision;
use crate::rules::{Finding, auto_forward};
use crate::store::{OpenError, Store};
use crate::worker::pool::Workers;
use habits::Habits;
use seen::Memory;

/// Whom the facts are asked of that do not stand in the mail itself.
pub struct Sources {
    /// The messages that came from outside.
    pub memory: Memory,
    /// The receipts of the last day.
    pub ledger: Ledger,
    /// Who reads documents.
    pub workers: Workers,
    /// Who often sends whom what looks like a forward.
    pub habits: Habits,
    /// The DNS.
    pub resolver: auth::Resolver,
    /// The scanners.
    pub scanners: scanner::Scanners,
}

impl Sources {
    /// Sources that remember nothing beyond the process: for `explain`, `replay` and `demo`.
    pub fn volatile(workers: Workers) -> Self {
        Self::with(Memory::volatile(), Ledger::default(), workers)
    }

    /// Sources that remember in the store.
    pub fn of(store: &Store, needs: Needs, workers: Workers) -> Result<Self, OpenError> {
        Ok(Self::with(Memory::of(store, days(needs))?, Ledger::of(store)?, workers))
    }

    fn with(memory: Memory, ledger: Ledger, workers: Workers) -> Self {
        Self {
            memory,
            ledger,
            workers,
            habits: Habits::new(),
            resolver: auth::Resolver::default(),
            scanners: scanner::Scanners::default(),
        }
    }

    /// Notes what looked like a forward, however little.
    pub fn note(&self, facts: &Facts, decision: &Decision) {
        let found = decision.rulings.iter().any(|ruling| {
            ruling.rule == auto_forward::SPEC.id && matches!(ruling.finding, Finding::Match(_))
        });
        if let Some(sender) = facts.forwarder().filter(|_| found) {
            let external = facts.recipients.iter().filter(|recipient| !recipient.inside);
            self.habits.note(sender, external.map(|recipient| &recipient.address), facts.arrived);
        }
    }

    /// Takes a new config's needs.
    pub fn take(&self, needs: Needs) {
        self.memory.keep(days(needs));
    }
}

/// A rule that is off today may be asked tomorrow.
fn days(needs: Needs) -> u32 {
    if needs.seen_days == 0 { limits::SEEN_DAYS_USUAL } else { needs.seen_days }
}

/// Adds what `needs` asks for.
pub async fn gather(
    facts: &mut Facts,
    needs: Needs,
    mail: &Arc<Mail>,
    config: &Arc<Config>,
    sources: &Sources,
) {
    // The DNS and the scanners are asked at once; each has its own deadline.
    let (authentication, scans) = tokio::join!(
        authentication(facts, needs, mail, config, sources),
        scanner::scan(mail, facts, needs, &config.scanners, &sources.scanners),
    );
    facts.authentication = authentication;
    facts.scans = scans;
    if needs.seen_days > 0 {
        recall::recall(facts, needs.seen_days, &sources.memory, &sources.habits).await;
    }
    documents::open(facts, needs, &sources.workers).await;
}

/// Who vouches for a mail from outside.
async fn authentication(
    facts: &Facts,
    needs: Needs,
    mail: &Arc<Mail>,
    config: &Config,
    sources: &Sources,
) -> Fact<Authentication> {
    if !needs.authentication || facts.direction != Direction::Inbound {
        return Fact::NotGathered;
    }
    as_fact(auth::authenticate(mail, facts, &config.dns, &sources.resolver).await, "authentication")
}

fn as_fact<T>(found: Result<T, Cause>, name: &str) -> Fact<T> {
    match found {
        Ok(value) => Fact::Known(value),
        Err(cause) => {
            METRICS.fact_unavailable.with_label_values(&[name, cause.as_str()]).inc();
            Fact::Unavailable(cause)
        }
    }
}

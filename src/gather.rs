//! Gathering: facts that the world outside the mail must give. Trouble here never ends a mail: the fact becomes
//! unavailable, and the config says what follows from that.

pub mod auth;
mod breaker;
pub mod contacts;
pub mod deferrals;
pub mod directory;
mod documents;
pub mod elsewhere;
pub mod habits;
pub mod passes;
mod places;
mod recall;
pub mod room;
pub mod scanner;
pub mod seen;
pub(crate) mod trust;
pub mod turns;
pub mod volume;

use std::sync::Arc;

use crate::config::Config;
use crate::facts::attachment::Unopened;
use crate::facts::authentication::Authentication;
use crate::facts::gathered::Gathered;
use crate::facts::{Cause, Contact, Fact, Facts, Needs};
use crate::limiter::ReceiptLimiter;
use crate::limits;
use crate::mail::{Direction, Mail};
use crate::metrics::METRICS;
use crate::store::{OpenError, Store};
use crate::worker::pool::Workers;
use contacts::Contacts;
use deferrals::Deferrals;
use directory::Directories;
use habits::Habits;
use passes::Passes;
use room::{Held, Room};
use seen::SeenCache;
use turns::{Share, Turns};
use volume::Volume;

/// Whom the facts are asked of that do not stand in the mail itself.
pub struct Sources {
    /// The messages that came from outside.
    pub memory: SeenCache,
    /// The receipts of the last day.
    pub limiter: ReceiptLimiter,
    /// Who reads documents.
    pub workers: Arc<Workers>,
    /// Who often sends whom what looks like a forward.
    pub habits: Habits,
    /// From whom somebody here had mail.
    pub contacts: Contacts,
    /// How many people inside each sender has written to.
    pub volume: Volume,
    /// The mail that came through before.
    pub passes: Passes,
    /// The DNS.
    pub resolver: auth::Resolver,
    /// The scanners.
    pub scanners: scanner::Scanners,
    /// The directories that know the members of groups.
    pub directories: Directories,
    /// Who may use a core next.
    pub turns: Turns,
    /// The room for texts of documents.
    pub room: Room,
    /// What was deferred because the machine was busy.
    pub deferrals: Deferrals,
}

impl Sources {
    /// Sources that remember nothing beyond the process: for `explain`, `replay` and `demo`.
    pub fn volatile(workers: impl Into<Arc<Workers>>) -> Self {
        let (memory, limiter) = (SeenCache::volatile(), ReceiptLimiter::default());
        Self::with(memory, limiter, Contacts::default(), Passes::of(None), workers.into())
    }

    /// Sources that remember in the store.
    pub fn of(store: &Store, needs: Needs, workers: impl Into<Arc<Workers>>) -> Result<Self, OpenError> {
        let (memory, limiter) = (SeenCache::of(store, days(needs))?, ReceiptLimiter::of(store)?);
        Ok(Self::with(memory, limiter, Contacts::of(store)?, Passes::of(Some(store)), workers.into()))
    }

    fn with(
        memory: SeenCache,
        limiter: ReceiptLimiter,
        contacts: Contacts,
        passes: Passes,
        workers: Arc<Workers>,
    ) -> Self {
        Self {
            memory,
            limiter,
            contacts,
            volume: Volume::default(),
            workers,
            habits: Habits::new(),
            passes,
            resolver: auth::Resolver::default(),
            scanners: scanner::Scanners::default(),
            directories: Directories::default(),
            turns: Turns::of_cores(),
            room: Room::of(limits::MEMORY_OCTETS_LEAST),
            deferrals: Deferrals::default(),
        }
    }

    /// These sources after they have forgotten all mail: services that are away are still known to be.
    #[must_use]
    pub fn without_memory(self) -> Self {
        Self {
            resolver: self.resolver,
            scanners: self.scanners,
            directories: self.directories,
            ..Self::volatile(self.workers)
        }
    }

    /// Takes what a new config needs.
    pub fn take(&self, config: &Config) {
        self.memory.keep(days(config.needs));
        self.directories.warm(&config.directories, &config.organisation);
    }
}

/// A rule that is off today may be asked tomorrow.
fn days(needs: Needs) -> u32 {
    if needs.seen_days == 0 { limits::SEEN_DAYS_USUAL } else { needs.seen_days }
}

/// Gathers what the config's rules need: all of it at once, each question with a deadline of its own. Gives, too, the
/// room that texts of documents take.
pub async fn gather(
    facts: &Facts,
    unopened: Vec<Unopened>,
    mail: &Arc<Mail>,
    config: &Arc<Config>,
    share: Share,
    sources: &Sources,
) -> (Gathered, Option<Held>) {
    let needs = config.needs;
    let may_be_deferred = sources.deferrals.may_defer(facts);
    let (authentication, scans, recalled, (opened, room), groups) = tokio::join!(
        authentication(facts, needs, mail, config, sources),
        scanner::scan(mail, facts, needs, &config.scanners, &sources.scanners),
        recall::lookup_seen(facts, needs.seen_days, &sources.memory, &sources.habits),
        documents::open(facts, unopened, needs, share, config.ocr.as_ref(), sources),
        sources.directories.members(&config.directories, &config.organisation),
    );
    let (addressed, contact) = (addressed(facts, needs, sources), contact(facts, needs, sources));
    let gathered =
        Gathered { authentication, scans, recalled, opened, contact, addressed, groups, may_be_deferred };
    (gathered, room)
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

/// How many people inside the sender has written to within the window, this mail's recipients included.
fn addressed(facts: &Facts, needs: Needs, sources: &Sources) -> Fact<u32> {
    match (needs.volume_minutes, volume::counted(facts)) {
        (minutes @ 1.., Some(sender)) => {
            Fact::Known(sources.volume.of(sender, volume::people_inside(facts), facts.arrived, minutes))
        }
        _ => Fact::NotGathered,
    }
}

/// What is remembered of the author of a mail from outside: whom people see in From.
fn contact(facts: &Facts, needs: Needs, sources: &Sources) -> Fact<Contact> {
    let author = facts.header.from.first().or(facts.sender.address());
    match author.filter(|_| needs.contact && facts.direction == Direction::Inbound) {
        Some(author) => {
            let key = sources.memory.key().of_person(author);
            Fact::Known(sources.contacts.find(key, facts.arrived))
        }
        None => Fact::NotGathered,
    }
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

//! Gathering: facts that the world outside the mail must give. Trouble here never ends a mail: the fact becomes
//! unavailable, and the config says what follows from that.

pub mod auth;
pub mod contacts;
pub mod deferrals;
mod documents;
pub mod habits;
mod recall;
pub mod room;
pub mod scanner;
pub mod seen;
pub mod turns;
pub mod volume;

use std::sync::Arc;

use crate::address::Address;
use crate::config::Config;
use crate::facts::authentication::Authentication;
use crate::facts::identity::Key;
use crate::facts::{Cause, Contact, Fact, Facts, Needs};
use crate::limiter::ReceiptLimiter;
use crate::limits;
use crate::mail::{Direction, Mail};
use crate::metrics::METRICS;
use crate::policy::Decision;
use crate::rules::{Finding, auto_forward};
use crate::store::{OpenError, Store};
use crate::worker::pool::Workers;
use contacts::Contacts;
use deferrals::Deferrals;
use habits::Habits;
use room::{Held, Room};
use seen::{SeenCache, SeenStore as _};
use turns::{Share, Turns};
use volume::Volume;

/// Whom the facts are asked of that do not stand in the mail itself.
pub struct Sources {
    /// The messages that came from outside.
    pub memory: SeenCache,
    /// The receipts of the last day.
    pub limiter: ReceiptLimiter,
    /// Who reads documents.
    pub workers: Workers,
    /// Who often sends whom what looks like a forward.
    pub habits: Habits,
    /// From whom somebody here had mail.
    pub contacts: Contacts,
    /// How many people inside each sender has written to.
    pub volume: Volume,
    /// The DNS.
    pub resolver: auth::Resolver,
    /// The scanners.
    pub scanners: scanner::Scanners,
    /// Who may use a core next.
    pub turns: Turns,
    /// The room for texts of documents.
    pub room: Room,
    /// What was deferred because the machine was busy.
    pub deferrals: Deferrals,
}

impl Sources {
    /// Sources that remember nothing beyond the process: for `explain`, `replay` and `demo`.
    pub fn volatile(workers: Workers) -> Self {
        Self::with(SeenCache::volatile(), ReceiptLimiter::default(), Contacts::default(), workers)
    }

    /// Sources that remember in the store.
    pub fn of(store: &Store, needs: Needs, workers: Workers) -> Result<Self, OpenError> {
        let (memory, limiter) = (SeenCache::of(store, days(needs))?, ReceiptLimiter::of(store)?);
        Ok(Self::with(memory, limiter, Contacts::of(store)?, workers))
    }

    fn with(memory: SeenCache, limiter: ReceiptLimiter, contacts: Contacts, workers: Workers) -> Self {
        Self {
            memory,
            limiter,
            contacts,
            volume: Volume::default(),
            workers,
            habits: Habits::new(),
            resolver: auth::Resolver::default(),
            scanners: scanner::Scanners::default(),
            turns: Turns::of_cores(),
            room: Room::of(limits::MEMORY_OCTETS_LEAST),
            deferrals: Deferrals::default(),
        }
    }

    /// Notes what was deferred, and what looked like a forward, however little.
    pub fn note(&self, facts: &Facts, decision: &Decision) {
        if decision.is_deferred_for_now() {
            self.deferrals.note(facts);
        }
        let found = decision.rulings.iter().any(|ruling| {
            ruling.rule == auto_forward::SPEC.id && matches!(ruling.finding, Finding::Match(_))
        });
        if let Some(sender) = facts.forwarder().filter(|_| found) {
            let external = facts.recipients.iter().filter(|recipient| !recipient.inside);
            self.habits.note(&sender, external.map(|recipient| &recipient.address), facts.arrived);
        }
    }

    /// Counts whom the sender has written to.
    pub fn count(&self, facts: &Facts) {
        if let (Fact::Known(_), Some(sender)) = (&facts.addressed, counted(facts)) {
            self.volume.note(sender, people_inside(facts), facts.arrived);
        }
    }

    /// Whom people here know from now on: the author of a mail that was let in, and whoever is written to. Each once in
    /// a while.
    pub fn met(&self, facts: &Facts, needs: Needs) -> Vec<Key> {
        if !needs.contact {
            return Vec::new();
        }
        match (&facts.contact, facts.direction) {
            (Fact::Known(contact), Direction::Inbound) if !contact.fresh => vec![contact.key],
            (_, Direction::Outbound) => {
                let written_to = facts.recipients.iter().filter(|recipient| !recipient.inside);
                let keys = written_to.map(|recipient| self.memory.key().of_person(&recipient.address));
                let keys = keys.filter(|key| !self.contacts.find(*key, facts.arrived).fresh);
                keys.take(limits::CONTACTS_OF_ONE_MAIL).collect()
            }
            (_, Direction::Inbound | Direction::Internal) => Vec::new(),
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

/// Adds what `needs` asks for. Gives the room that texts of documents take.
pub async fn gather(
    facts: &mut Facts,
    mail: &Arc<Mail>,
    config: &Arc<Config>,
    share: Share,
    sources: &Sources,
) -> Option<Held> {
    let needs = config.needs;
    facts.may_be_deferred = sources.deferrals.may_defer(facts);
    // The DNS and the scanners are asked at once; each has its own deadline.
    let (authentication, scans) = tokio::join!(
        authentication(facts, needs, mail, config, sources),
        scanner::scan(mail, facts, needs, &config.scanners, &sources.scanners),
    );
    facts.authentication = authentication;
    facts.scans = scans;
    if let (1.., Some(sender)) = (needs.volume_minutes, counted(facts)) {
        let addressed = sources.volume.of(sender, people_inside(facts), facts.arrived, needs.volume_minutes);
        facts.addressed = Fact::Known(addressed);
    }
    if needs.contact {
        facts.contact = contact(facts, sources);
    }
    if needs.seen_days > 0 {
        recall::lookup_seen(facts, needs.seen_days, &sources.memory, &sources.habits).await;
    }
    documents::open(facts, needs, share, sources).await
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

/// The sender inside whose mail is counted: not that of a list, which writes to all who asked for it.
fn counted(facts: &Facts) -> Option<&Address> {
    let sender = facts.sender.address()?;
    (facts.from_inside && facts.owns(sender) && !facts.own_list()).then_some(sender)
}

fn people_inside(facts: &Facts) -> impl Iterator<Item = &Address> {
    facts.recipients.iter().filter(|recipient| recipient.inside).map(|recipient| &recipient.address)
}

/// What is remembered of the author of a mail from outside: whom people see in From.
fn contact(facts: &Facts, sources: &Sources) -> Fact<Contact> {
    let author = facts.header.from.first().or(facts.sender.address());
    match author.filter(|_| facts.direction == Direction::Inbound) {
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

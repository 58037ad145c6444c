//! The limiter: how many receipts went where within the last day, so that no sender, domain or mailbox has more than the
//! config allows, and two programs that answer each other come to an end.
//!
//! A breaker opens when there are too many in all, and closes when the hour or the day has half of that. What is counted
//! is counted before it is stored, and a [`Reservation`] takes it back where that fails.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::address::Address;
use crate::facts::Facts;
use crate::limits;
use crate::metrics::METRICS;
use crate::notice::name::{self, Key};
use crate::policy::receipts::sender;
use crate::policy::receipts::{Per, Rate, RateLimits, Receipt};
use crate::record::several;
use crate::rules::receipt::Suppression;
use crate::store::{OpenError, Store};

/// The limiter.
#[derive(Debug, Default)]
pub struct ReceiptLimiter {
    window: Mutex<Window>,
    /// Where receipts wait; nowhere for `explain`.
    store: Option<Store>,
}

#[derive(Debug, Default)]
struct Window {
    counts: HashMap<Subject, VecDeque<i64>>,
    known: HashSet<Key>,
    /// In the order in which they were counted.
    entries: VecDeque<(i64, Key, Vec<Subject>)>,
    /// Of whom the operator was told, and when.
    told: HashMap<Subject, i64>,
    open: bool,
}

/// Whose receipts are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Sender(String),
    Domain(String),
    Mailbox(String),
    Total,
}

impl Subject {
    /// For a receipt that goes to `sender`, about a mail of `author`.
    fn of(sender: &Address, author: Option<&Address>, mailbox: &Address) -> Vec<Self> {
        let domain = sender.domain().map(|domain| domain.to_string()).unwrap_or_default();
        let mut subjects: Vec<Self> = sender::counted(sender, author).into_iter().map(Self::Sender).collect();
        subjects.extend([Self::Domain(domain), Self::Mailbox(mailbox.key().to_owned()), Self::Total]);
        subjects
    }

    fn rates<'a>(&self, ceilings: &'a RateLimits) -> &'a [Rate] {
        match self {
            Self::Sender(name) => ceilings.of_sender(&sender::domain(name)),
            Self::Domain(_) => &ceilings.domain,
            Self::Mailbox(_) => &ceilings.mailbox,
            Self::Total => &ceilings.total,
        }
    }

    fn suppression(&self) -> Suppression {
        match self {
            Self::Sender(_) => Suppression::CeilingSender,
            Self::Domain(_) => Suppression::CeilingDomain,
            Self::Mailbox(_) => Suppression::CeilingMailbox,
            Self::Total => Suppression::CeilingTotal,
        }
    }
}

impl ReceiptLimiter {
    /// The limiter with what is in the store.
    pub fn of(store: &Store) -> Result<Self, OpenError> {
        let limiter = Self { store: Some(store.clone()), ..Self::default() };
        let since = store.now().as_millisecond() - Per::Day.milliseconds();
        let since = Timestamp::from_millisecond(since).unwrap_or(Timestamp::MIN);
        store.recent_receipts(since, |recent| {
            let [sender, mailbox] = [recent.recipient, recent.mailbox].map(Address::parse);
            if let (Some(sender), Some(mailbox)) = (sender, mailbox) {
                let author = several(recent.authors).next().and_then(Address::parse);
                let subjects = Subject::of(&sender, author.as_ref(), &mailbox);
                limiter.window().count(recent.at.as_millisecond(), recent.key, subjects);
            }
        })?;
        Ok(limiter)
    }

    /// Counts the receipts that are to be sent, and silences those for which there is no room, and those for a mail that
    /// names a receipt of ours in its subject: that case has its receipt.
    pub fn reserve(&self, facts: &Facts, ceilings: &RateLimits, receipts: &mut [Receipt]) -> Reservation<'_> {
        let mut reservation = Reservation { limiter: self, keys: Vec::new() };
        let Some(sender) = facts.sender.address() else { return reservation };
        let now = facts.arrived.as_millisecond();
        let outbox = self.store.as_ref().map(Store::outbox);
        let full = outbox.is_some_and(|outbox| !outbox.has_room());
        let answers = outbox.is_some_and(|outbox| {
            let subject = facts.header.subject.as_deref().unwrap_or_default();
            name::references(subject).iter().any(|reference| outbox.has_given(reference))
        });
        let mut window = self.window();
        window.forget_before(now - Per::Day.milliseconds());
        for receipt in receipts.iter_mut().filter(|receipt| receipt.suppression.is_none() || receipt.waits) {
            // The same mail again: one receipt, counted once.
            receipt.repeated = outbox.is_some_and(|outbox| outbox.is_done_with(&receipt.key));
            if receipt.repeated || window.known.contains(&receipt.key) {
                continue;
            }
            if answers {
                receipt.suppress(Suppression::ReplyToReceipt);
                continue;
            }
            let subjects = Subject::of(sender, facts.header.from.first(), &receipt.mailbox.address);
            let obstacle = || window.obstacle(now, ceilings, &subjects, facts.queue_id.as_deref());
            let obstacle = full.then_some(Suppression::QueueFull).or_else(obstacle);
            if full {
                METRICS.limits_exceeded.with_label_values(&["outbox"]).inc();
            }
            if let Some(obstacle) = obstacle {
                receipt.suppress(obstacle);
            } else {
                window.count(now, receipt.key, subjects);
                reservation.keys.push(receipt.key);
            }
        }
        reservation
    }

    /// A panic while the lock was held leaves counts that are still counts.
    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Receipts that were counted for a mail whose record is not stored yet. Where it never is, they were none.
#[derive(Debug)]
#[must_use]
pub struct Reservation<'a> {
    limiter: &'a ReceiptLimiter,
    keys: Vec<Key>,
}

impl Reservation<'_> {
    /// The record is stored: they count.
    pub fn keep(mut self) {
        self.keys.clear();
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if self.keys.is_empty() {
            return;
        }
        let mut window = self.limiter.window();
        self.keys.iter().for_each(|key| window.forget(key));
    }
}

impl Window {
    fn count(&mut self, at: i64, key: Key, subjects: Vec<Subject>) {
        for subject in &subjects {
            self.counts.entry(subject.clone()).or_default().push_back(at);
        }
        self.known.insert(key);
        self.entries.push_back((at, key, subjects));
        if self.entries.len() > limits::LEDGER_RECEIPTS {
            METRICS.limits_exceeded.with_label_values(&["receipts_counted"]).inc();
            self.forget_first();
        }
    }

    fn discount(&mut self, at: i64, subjects: &[Subject]) {
        for subject in subjects {
            if let Some(times) = self.counts.get_mut(subject) {
                if let Some(place) = times.iter().position(|time| *time == at) {
                    times.remove(place);
                }
                if times.is_empty() {
                    self.counts.remove(subject);
                }
            }
        }
    }

    fn forget(&mut self, forgotten: &Key) {
        let at = self.entries.iter().rposition(|(_, key, _)| key == forgotten);
        if let Some((at, key, subjects)) = at.and_then(|at| self.entries.remove(at)) {
            self.known.remove(&key);
            self.discount(at, &subjects);
        }
    }

    fn forget_before(&mut self, since: i64) {
        while self.entries.front().is_some_and(|(at, ..)| *at < since) {
            self.forget_first();
        }
        self.told.retain(|_, at| *at >= since);
    }

    fn forget_first(&mut self) {
        if let Some((at, key, subjects)) = self.entries.pop_front() {
            self.known.remove(&key);
            self.discount(at, &subjects);
        }
    }

    /// How many of a subject's there were in the time before now.
    fn within(&self, subject: &Subject, per: Per, now: i64) -> usize {
        let since = now - per.milliseconds();
        // Mails are counted as they are judged, so their times are in order but for moments.
        self.counts.get(subject).map_or(0, |times| times.len() - times.partition_point(|at| *at <= since))
    }

    fn obstacle(
        &mut self,
        now: i64,
        ceilings: &RateLimits,
        subjects: &[Subject],
        queue_id: Option<&str>,
    ) -> Option<Suppression> {
        if self.open {
            let calm = ceilings
                .total
                .iter()
                .all(|rate| self.within(&Subject::Total, rate.per, now) * 2 <= rate.count as usize);
            if !calm {
                return Some(Suppression::Breaker);
            }
            self.open = false;
            METRICS.receipts_breaker.set(0);
            tracing::warn!("receipts are sent again: the count has fallen to half of the limit");
        }
        let full = |subject: &&Subject| {
            subject
                .rates(ceilings)
                .iter()
                .any(|rate| self.within(subject, rate.per, now) >= rate.count as usize)
        };
        let subject = subjects.iter().find(full)?.clone();
        self.tell(&subject, now, queue_id);
        Some(subject.suppression())
    }

    /// Alarms the operator: once an hour for each subject, so that a flood of mail is no flood of lines.
    fn tell(&mut self, subject: &Subject, now: i64, queue_id: Option<&str>) {
        if *subject == Subject::Total {
            self.open = true;
            METRICS.receipts_breaker.set(1);
            tracing::error!(
                "limit of all receipts exceeded; no receipts are sent until the count has fallen to half. Check for a mail loop or an attack"
            );
            return;
        }
        let before = self.told.get(subject).copied().unwrap_or(i64::MIN);
        if now.saturating_sub(before) >= Per::Hour.milliseconds() {
            self.told.insert(subject.clone(), now);
            let ceiling = subject.suppression().as_str();
            tracing::warn!(
                ceiling,
                queue_id,
                "a limit of receipts is reached; a program may be answering them"
            );
        }
    }
}

#[cfg(test)]
mod tests;

//! What became of the mail of a period, according to Postfix: counts, and the mail with sensitive data that left without TLS.

use jiff::Timestamp;
use serde::Serialize;

use crate::export::local;
use crate::limits;
use crate::mail::Direction;
use crate::maillog::Status;
use crate::record::Outcome;
use crate::store::deliveries::DeliveriesError;
use crate::store::deliveries::trace::{Delivered, Trace};
use crate::store::search::Found;
use crate::store::session::Session;

/// The rules whose findings are sensitive mail.
const SENSITIVE: [&str; 2] = ["sensitive-data", "credentials"];

/// What became of mail that was accepted.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Deliveries {
    /// By direction, in the order of [`Direction::ALL`].
    pub directions: Vec<Way>,
    /// Deliveries to other hosts, by TLS: `verified`, `trusted`, `untrusted`, `anonymous`, `none`, `unknown`.
    pub tls: Vec<(String, u64)>,
    /// Deliveries to other hosts without TLS, of mail in which a rule found sensitive data or a password.
    pub sensitive_without_tls: u64,
    /// The records of that mail, the first ones.
    pub sensitive_records: Vec<String>,
    /// When in the period Postfix's log was not read; no beginning or end where it never was before, or not yet.
    pub not_read: Vec<(Option<String>, Option<String>)>,
}

/// What became of the mail of one direction: mails, and recipients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the words of Postfix")]
pub struct Way {
    pub direction: &'static str,
    /// Mails that were accepted, marked or held.
    pub mails: u64,
    pub delivered: u64,
    pub deferred: u64,
    pub bounced: u64,
    pub expired: u64,
    /// Mails of which the log has no delivery.
    pub untold: u64,
}

/// Counts the mail of the period that was asked for. None where Postfix's log was never read.
pub fn count(
    session: &mut Session,
    zone: &jiff::tz::TimeZone,
) -> Result<Option<Deliveries>, DeliveriesError> {
    let mut counted = Deliveries::default();
    let way = |direction: Direction| Way { direction: direction.as_str(), ..Way::default() };
    counted.directions = Direction::ALL.map(way).to_vec();
    if !session.traces(|found, trace| counted.add(found, trace))? {
        return Ok(None);
    }
    let time = |at: Option<Timestamp>| at.map(|at| local(at, zone));
    counted.not_read = session.unread()?.into_iter().map(|(from, to)| (time(from), time(to))).collect();
    Ok(Some(counted))
}

impl Deliveries {
    fn add(&mut self, found: &Found, trace: &Trace) {
        let record = &found.record;
        let passed = matches!(record.outcome, Outcome::Accepted | Outcome::Marked | Outcome::Held);
        // A mail that came through again is no further mail.
        let again = record.findings.first().is_some_and(|finding| finding.starts_with("second-pass="));
        let Some(direction) = record.direction.filter(|_| passed && !again) else { return };
        let way = self.directions.iter_mut().find(|way| way.direction == direction.as_str());
        let Some(way) = way else { return };
        way.mails += 1;
        way.untold += u64::from(trace.last().next().is_none());
        let sensitive = record.findings.iter().any(|finding| {
            finding
                .split_once('=')
                .is_some_and(|(rule, grade)| SENSITIVE.contains(&rule) && grade != "unknown")
        });
        let mut without = 0;
        for delivery in trace.last() {
            match delivery.status {
                Status::Sent => way.delivered += 1,
                Status::Deferred => way.deferred += 1,
                Status::Bounced => way.bounced += 1,
                Status::Expired => way.expired += 1,
                Status::Deliverable | Status::Undeliverable => {}
            }
            let Some(tls) = tls(delivery, trace) else { continue };
            match self.tls.iter_mut().find(|(known, _)| known == tls) {
                Some((_, count)) => *count += 1,
                None => self.tls.push((tls.to_owned(), 1)),
            }
            without += u64::from(tls == "none");
        }
        if sensitive && without > 0 {
            self.sensitive_without_tls += without;
            if self.sensitive_records.len() < limits::SHOWN_RECORDS {
                self.sensitive_records.push(found.id.to_string());
            }
        }
    }
}

/// The TLS of a delivery to another host.
fn tls<'a>(delivery: &'a Delivered, trace: &Trace) -> Option<&'a str> {
    let to_another = delivery.status == Status::Sent && !delivery.is_here();
    let tls = trace.tls(delivery).split(' ').next().filter(|tls| !tls.is_empty());
    tls.filter(|_| to_another)
}

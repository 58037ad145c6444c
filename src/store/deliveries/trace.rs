//! What became of one mail, according to Postfix: its queue file, and those in which it went on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row};
use serde::{Deserialize, Serialize};

use super::{DeliveriesError, TLS_SINCE, gaps, meta, open_to_read};
use crate::limits;
use crate::maillog::Status;
use crate::record::Record;
use crate::text::words;

words! {
    /// What is searched for of what became of a mail.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Final {
        /// Delivered to a recipient.
        Delivered = "delivered",
        /// Waits for another try.
        Deferred = "deferred",
        /// Given up at once.
        Bounced = "bounced",
        /// Given up because it waited for too long.
        Expired = "expired",
    }
}

impl Final {
    /// The status of Postfix's that it means.
    pub fn of(status: Status) -> Option<Self> {
        match status {
            Status::Sent => Some(Self::Delivered),
            Status::Deferred => Some(Self::Deferred),
            Status::Bounced => Some(Self::Bounced),
            Status::Expired => Some(Self::Expired),
            Status::Deliverable | Status::Undeliverable => None,
        }
    }
}

/// From when to when Postfix's log was not read; no beginning or end where it never was before, or not yet after.
pub type Gap = (Option<Timestamp>, Option<Timestamp>);

/// What Postfix's log tells of a mail.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Its queue files, the first one first; none where the log tells of none.
    pub files: Vec<QueueFile>,
    /// From when to when the log was not read, of the time from the mail's arrival to the end of its last queue file.
    pub gaps: Vec<Gap>,
    /// Since when the log has lines about TLS connections; none where it has none.
    pub tls_since: Option<Timestamp>,
}

/// A mail in Postfix's queue, from its queue id to its end.
#[derive(Clone, Debug)]
pub struct QueueFile {
    row: i64,
    /// The Postfix instance.
    pub instance: String,
    /// Its queue id.
    pub queue_id: String,
    /// The queue id that the mail had before, and how it came to this one: `requeued`, `filter`.
    pub from: Option<(String, &'static str)>,
    /// When it began, or its first line that was read.
    pub begun: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How: `removed`, `requeued`, `refused`, `lost`; empty where it did not.
    pub how: String,
    /// Its deliveries, by recipient.
    pub deliveries: Vec<Delivered>,
    /// What else happened to it: when, what, and a queue id.
    pub events: Vec<(Timestamp, String, String)>,
}

/// A delivery, or the last try of one.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "as `maillog::Delivery` has it")]
pub struct Delivered {
    pub recipient: String,
    pub orig_to: String,
    /// When the first and the last try ended.
    pub first: Timestamp,
    pub last: Timestamp,
    /// How many there were.
    pub tries: u64,
    pub status: Status,
    pub dsn: String,
    pub relay: String,
    pub delay: f64,
    pub delays: String,
    /// `untrusted TLSv1.3`, `none`, `unknown`; empty where nothing was handed over by network.
    pub tls: String,
    pub text: String,
    /// The queue id that the next hop gave to it.
    pub next: String,
    /// Whether the mail is followed further, under that queue id, on this host.
    pub goes_on: bool,
}

/// What an export tells of it, without any address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// How many deliveries came to what: `sent=2; bounced=1`.
    pub statuses: String,
    /// When the last one did.
    pub time: Option<Timestamp>,
    /// How many were made with which TLS: `trusted=1; none=1`.
    pub tls: String,
}

impl Trace {
    /// What an export tells of it.
    pub fn summary(&self) -> Summary {
        let mut statuses: BTreeMap<&str, u64> = BTreeMap::new();
        let mut tls: BTreeMap<&str, u64> = BTreeMap::new();
        for delivery in self.last() {
            *statuses.entry(delivery.status.as_str()).or_default() += 1;
            if let Some(word) = self.tls(delivery).split(' ').next().filter(|word| !word.is_empty()) {
                *tls.entry(word).or_default() += 1;
            }
        }
        let text = |counts: BTreeMap<&str, u64>| {
            counts.iter().map(|(word, count)| format!("{word}={count}")).collect::<Vec<_>>().join("; ")
        };
        Summary {
            statuses: text(statuses),
            time: self.last().map(|delivery| delivery.last).max(),
            tls: text(tls),
        }
    }

    /// The deliveries behind which the log tells of no further ones.
    pub fn last(&self) -> impl Iterator<Item = &Delivered> {
        self.files.iter().flat_map(|file| &file.deliveries).filter(|delivery| !delivery.goes_on)
    }

    /// The TLS of one of its deliveries. A log without any line about TLS says nothing of it.
    pub fn tls<'a>(&self, delivery: &'a Delivered) -> &'a str {
        let says = self.tls_since.is_some_and(|since| since <= delivery.last);
        if delivery.tls == "none" && !says { "unknown" } else { &delivery.tls }
    }

    /// Whether that became of the mail for one of its recipients.
    pub fn has(&self, wanted: Final) -> bool {
        self.last().any(|delivery| Final::of(delivery.status) == Some(wanted))
    }
}

impl Delivered {
    /// Whether the next hop is on this host.
    pub fn is_here(&self) -> bool {
        is_here(&self.relay)
    }
}

/// The file of deliveries, open for reading.
#[derive(Debug)]
pub struct Tracer {
    connection: Option<Connection>,
    path: std::path::PathBuf,
}

impl Tracer {
    /// That of the store in a directory, which may have none.
    pub(in crate::store) fn open(directory: &Path) -> Result<Self, DeliveriesError> {
        Ok(Self { connection: open_to_read(directory)?, path: directory.join(super::FILE) })
    }

    /// [`Tracer::open`], for tests of what writes the file.
    #[cfg(test)]
    pub(crate) fn of(directory: &Path) -> Result<Self, DeliveriesError> {
        Self::open(directory)
    }

    /// Whether Postfix's log was ever read.
    pub fn is_used(&self) -> bool {
        self.connection.is_some()
    }

    /// What became of the mail of a record. `None` where Postfix's log was never read.
    pub fn trace(&self, record: &Record) -> Result<Option<Trace>, DeliveriesError> {
        let Some(connection) = &self.connection else { return Ok(None) };
        let traced = trace(connection, &record.queue_id, record.time.as_millisecond());
        traced.map(Some).map_err(|source| DeliveriesError::Sqlite { path: self.path.clone(), source })
    }

    /// The times in a period in which the log was not read.
    pub fn gaps(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Gap>, DeliveriesError> {
        let Some(connection) = &self.connection else { return Ok(vec![(None, None)]) };
        let found = gaps::between(connection, since.as_millisecond(), until.as_millisecond());
        let found = found.map_err(|source| DeliveriesError::Sqlite { path: self.path.clone(), source })?;
        Ok(found.into_iter().map(ends).collect())
    }
}

/// The queue id that a mail had when it came, where it has this one because it was requeued. It is no part of a record.
pub fn former(directory: &Path, queue_id: &str) -> Result<Option<String>, DeliveriesError> {
    let Some(connection) = open_to_read(directory)? else { return Ok(None) };
    let mut id = queue_id.to_owned();
    for _ in 0..limits::QUEUE_FILES_FOLLOWED {
        let sql = "SELECT origin FROM queue_file WHERE queue_id = ?1 AND origin <> '' ORDER BY begun DESC";
        let origin = connection.query_row(sql, [&id], |row| row.get::<_, String>(0)).optional();
        let path = directory.join(super::FILE);
        match origin.map_err(|source| DeliveriesError::Sqlite { path, source })? {
            Some(origin) => id = origin,
            None => break,
        }
    }
    Ok(Some(id).filter(|id| id != queue_id))
}

fn ends((from, to): (i64, i64)) -> Gap {
    (Timestamp::from_millisecond(from).ok(), Timestamp::from_millisecond(to).ok())
}

fn trace(connection: &Connection, queue_id: &str, time: i64) -> rusqlite::Result<Trace> {
    let mut files = if queue_id.is_empty() { Vec::new() } else { first(connection, queue_id, time)? };
    let mut known: BTreeSet<i64> = files.iter().map(|file| file.row).collect();
    let mut at = 0;
    while at < files.len() && files.len() < limits::QUEUE_FILES_FOLLOWED {
        let Some(file) = files.get_mut(at) else { break };
        let mut more = Vec::new();
        if file.how == super::batch::How::Requeued.as_str() {
            more.extend(requeued(connection, file)?);
        }
        let own = file.queue_id.clone();
        for delivery in &mut file.deliveries {
            if let Some(next) = filtered(connection, delivery, &own)? {
                delivery.goes_on = true;
                more.push(next);
            }
        }
        // A deferred delivery of a queue file that was requeued is tried again by the next one.
        if !more.is_empty() && file.how == super::batch::How::Requeued.as_str() {
            let waiting = file.deliveries.iter_mut().filter(|delivery| delivery.status == Status::Deferred);
            waiting.for_each(|delivery| delivery.goes_on = true);
        }
        files.extend(more.into_iter().filter(|file| known.insert(file.row)));
        at += 1;
    }
    let open = files.iter().any(|file| file.ended.is_none());
    let last = files.iter().filter_map(|file| file.ended).max().map(Timestamp::as_millisecond);
    let until = if open { i64::MAX } else { last.unwrap_or(i64::MAX) };
    // A second for times that have no parts of one.
    let gaps = gaps::between(connection, time.saturating_add(1_000).min(until), until)?;
    let tls_since = meta(connection, TLS_SINCE)?.and_then(|text| text.parse().ok());
    Ok(Trace {
        files,
        gaps: gaps.into_iter().map(ends).collect(),
        tls_since: tls_since.and_then(|at| Timestamp::from_millisecond(at).ok()),
    })
}

/// The queue files that the mail had when it came: one, or one for each name under which parts of an instance write.
///
/// A long queue id is never used again. A short one is, so that its queue file has to begin when the mail came, and its
/// beginning must have been read.
fn first(connection: &Connection, queue_id: &str, time: i64) -> rusqlite::Result<Vec<QueueFile>> {
    let from = time - 1_000;
    if queue_id.contains('z') {
        return select(
            connection,
            "queue_id = ?1 AND ifnull(ended, ?2) >= ?2 ORDER BY begun",
            (queue_id, from),
        );
    }
    let sql = "queue_id = ?1 AND begun BETWEEN ?2 AND ?3 AND (whole OR EXISTS (
                   SELECT 1 FROM queue_file AS other WHERE other.queue_id = ?1 AND other.whole
                   AND other.begun BETWEEN ?2 AND queue_file.begun))
               ORDER BY begun";
    let mut found = select(connection, sql, (queue_id, from, time + limits::QUEUE_FILE_BEGIN_MS))?;
    // The next mail with the same id begins after the end of this one.
    let mut instances = BTreeSet::new();
    found.retain(|file| instances.insert(file.instance.clone()));
    Ok(found)
}

/// The queue file that was made of one by `postsuper -r`.
fn requeued(connection: &Connection, file: &QueueFile) -> rusqlite::Result<Option<QueueFile>> {
    let begun = file.ended.unwrap_or(file.begun).as_millisecond() - limits::MAILLOG_SLACK_MS;
    let sql = "origin = ?1 AND begun >= ?2 AND instance = ?3 ORDER BY begun LIMIT 1";
    let found = select(connection, sql, (&file.queue_id, begun, &file.instance))?.pop();
    Ok(found.map(|next| QueueFile { from: Some((file.queue_id.clone(), "requeued")), ..next }))
}

/// The queue file that a content filter on this host made of a delivery.
fn filtered(connection: &Connection, delivery: &Delivered, own: &str) -> rusqlite::Result<Option<QueueFile>> {
    if delivery.next.is_empty() || delivery.status != Status::Sent || !is_here(&delivery.relay) {
        return Ok(None);
    }
    let slack = limits::MAILLOG_SLACK_MS;
    #[expect(clippy::cast_possible_truncation, reason = "a cast of f64 saturates")]
    let taken = (delivery.delay * 1_000.0) as i64;
    let last = delivery.last.as_millisecond();
    let from = last.saturating_sub(taken).saturating_sub(slack);
    let sql = "queue_id = ?1 AND begun BETWEEN ?2 AND ?3 ORDER BY begun LIMIT 1";
    let found = select(connection, sql, (&delivery.next, from, last + slack))?.pop();
    Ok(found.map(|next| QueueFile { from: Some((own.to_owned(), "filter")), ..next }))
}

/// Whether the next hop is on this host, so that its queue ids may be those of this log.
fn is_here(relay: &str) -> bool {
    let address =
        relay.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or("", |(address, _)| address);
    address.starts_with('/')
        || address.starts_with("private/")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn select(
    connection: &Connection,
    condition: &str,
    parameters: impl rusqlite::Params,
) -> rusqlite::Result<Vec<QueueFile>> {
    let sql = format!("SELECT id, instance, queue_id, begun, ended, how FROM queue_file WHERE {condition}");
    let mut statement = connection.prepare_cached(&sql)?;
    let time = |row: &Row<'_>, at: usize| Ok::<_, rusqlite::Error>(moment(row.get(at)?));
    let file = |row: &Row<'_>| {
        Ok(QueueFile {
            row: row.get(0)?,
            instance: row.get(1)?,
            queue_id: row.get(2)?,
            from: None,
            begun: time(row, 3)?,
            ended: row.get::<_, Option<i64>>(4)?.map(moment),
            how: row.get(5)?,
            deliveries: Vec::new(),
            events: Vec::new(),
        })
    };
    let mut files: Vec<QueueFile> = statement.query_map(parameters, file)?.collect::<Result<_, _>>()?;
    for file in &mut files {
        let mut deliveries = connection.prepare_cached(
            "SELECT recipient, orig_to, first, last, tries, status, dsn, relay, delay, delays, tls, text, next
             FROM delivery WHERE file = ?1 ORDER BY recipient, orig_to LIMIT ?2",
        )?;
        let most = i64::try_from(limits::DELIVERIES_SHOWN).unwrap_or(i64::MAX);
        file.deliveries = deliveries.query_map((file.row, most), delivered)?.collect::<Result<_, _>>()?;
        let mut events =
            connection.prepare_cached("SELECT at, what, id FROM event WHERE file = ?1 ORDER BY at")?;
        let event = |row: &Row<'_>| Ok((moment(row.get(0)?), row.get(1)?, row.get(2)?));
        file.events = events.query_map([file.row], event)?.collect::<Result<_, _>>()?;
    }
    Ok(files)
}

fn delivered(row: &Row<'_>) -> rusqlite::Result<Delivered> {
    Ok(Delivered {
        recipient: row.get(0)?,
        orig_to: row.get(1)?,
        first: moment(row.get(2)?),
        last: moment(row.get(3)?),
        tries: row.get::<_, i64>(4)?.unsigned_abs(),
        status: crate::store::outbox::word(row, 5, Status::parse)?,
        dsn: row.get(6)?,
        relay: row.get(7)?,
        delay: row.get(8)?,
        delays: row.get(9)?,
        tls: row.get(10)?,
        text: row.get(11)?,
        next: row.get(12)?,
        goes_on: false,
    })
}

fn moment(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MIN)
}

/// The rows of the queue files of a mail.
pub(super) fn rows(connection: &Connection, queue_id: &str, time: i64) -> rusqlite::Result<Vec<i64>> {
    Ok(trace(connection, queue_id, time)?.files.into_iter().map(|file| file.row).collect())
}

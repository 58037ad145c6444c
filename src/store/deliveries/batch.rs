//! Lines on their way into the file: queue files and deliveries of some thousand lines, written in one transaction.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, Transaction};

use super::{Counts, TLS_SINCE, gaps, meta, set};
use crate::limits;
use crate::maillog::{Delivery, Event, Line, Read, Status, Tls, Told};
use crate::text::words;

words! {
    /// How a queue file ended.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(super) enum How {
        /// It did not, as far as the log was read.
        #[default]
        Open = "",
        /// Every recipient is done, or a command removed it.
        Removed = "removed",
        /// It goes on under another queue id.
        Requeued = "requeued",
        /// A milter refused the mail.
        Refused = "refused",
        /// Its queue id was used again, and its end was not read.
        Lost = "lost",
    }
}

/// A queue file with what was taken of it.
#[derive(Debug, Default)]
struct QueueFile {
    /// Its row, where it has one.
    row: Option<i64>,
    begun: i64,
    ended: Option<i64>,
    how: How,
    /// Whether its beginning was read.
    whole: bool,
    origin: String,
    /// Whether its row is to be written.
    changed: bool,
    steps: Vec<Step>,
}

/// What is to be written of it, in the order of the lines.
#[derive(Debug)]
enum Step {
    Delivery { at: i64, delivery: Box<Row> },
    Expired(i64),
    Event { at: i64, what: String, id: String },
}

/// A delivery as it is stored.
#[derive(Debug)]
struct Row {
    to: String,
    orig_to: String,
    relay: String,
    delay: f64,
    delays: String,
    dsn: String,
    status: Status,
    text: String,
    next: String,
    tls: String,
}

/// A TLS connection of a delivering process.
#[derive(Debug)]
struct Connected {
    relay: String,
    how: String,
    /// The queue file whose delivery it was made for; none before its line.
    of: Option<String>,
}

/// Lines that were taken and are not stored.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) counts: Counts,
    /// From when to when was read since the last gap.
    pub(super) span: Option<(i64, i64)>,
    /// By instance and queue id: the queue files, oldest first.
    files: HashMap<String, Vec<QueueFile>>,
    /// By instance and process.
    connected: HashMap<String, Connected>,
    /// When the first line since the last gap was written: what happened before it is not known.
    known_since: Option<i64>,
    tls_since: Option<i64>,
    /// Where keys are put together.
    key: String,
}

impl Batch {
    pub(super) fn take(&mut self, connection: &Connection, read: &Read<'_>) -> rusqlite::Result<()> {
        self.counts.lines += 1;
        match read {
            Read::Told(line) => {
                self.counts.told += 1;
                self.read_to(line.at);
                self.told(connection, line)
            }
            Read::Other(at) => {
                self.read_to(*at);
                Ok(())
            }
            Read::Unclear(at) => {
                self.counts.unclear += 1;
                self.read_to(*at);
                Ok(())
            }
            Read::Foreign => Ok(()),
        }
    }

    /// What follows does not follow what was read before.
    pub(super) fn gap(&mut self) {
        // What is not stored yet was read without one.
        self.span = None;
        self.known_since = None;
        self.connected.clear();
    }

    pub(super) fn read_to(&mut self, at: i64) {
        self.known_since.get_or_insert(at);
        self.span = Some(self.span.map_or((at, at), |(from, to)| (from.min(at), to.max(at))));
    }

    /// Writes everything.
    pub(super) fn store(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        for (key, files) in &self.files {
            let (instance, id) = key.split_once('\0').unwrap_or_default();
            for file in files {
                file.store(transaction, instance, id)?;
            }
        }
        if let Some((from, to)) = self.span {
            gaps::cover(transaction, from, to)?;
        }
        if let Some(at) = self.tls_since {
            let known = meta(transaction, TLS_SINCE)?.and_then(|text| text.parse::<i64>().ok());
            if known.is_none_or(|known| at < known) {
                set(transaction, TLS_SINCE, &at.to_string())?;
            }
        }
        Ok(())
    }

    /// Everything is on the disk.
    pub(super) fn stored(&mut self) {
        self.counts = Counts::default();
        self.files.clear();
        self.span = self.span.map(|(_, to)| (to, to));
        self.tls_since = None;
    }

    fn told(&mut self, connection: &Connection, line: &Line<'_>) -> rusqlite::Result<()> {
        let at = line.at;
        let (id, event) = match &line.told {
            Told::Tls(tls) => {
                self.connect(line, tls);
                return Ok(());
            }
            Told::Mail { id, event } => (*id, event),
        };
        let delivery = match event {
            Event::Delivery(delivery) => Some(Box::new(self.row(line, id, delivery))),
            _ => None,
        };
        let file = self.file(connection, line.instance, id, at, event)?;
        match event {
            Event::Begun | Event::Seen => {}
            Event::Requeue { from } => {
                file.changed |= file.origin != *from;
                (*from).clone_into(&mut file.origin);
            }
            Event::Delivery(_) => {
                file.steps.extend(delivery.map(|delivery| Step::Delivery { at, delivery }));
            }
            Event::Expired => {
                file.steps.push(Step::Expired(at));
                file.note(at, "expired", "");
            }
            Event::Removed => file.end(at, How::Removed),
            Event::Refused => file.end(at, How::Refused),
            Event::Requeued => file.end(at, How::Requeued),
            Event::MilterHold | Event::Held => file.note(at, "held", ""),
            Event::Released => file.note(at, "released", ""),
            Event::ExpiredByCommand => file.note(at, "expired by command", ""),
            Event::Notified { what, id } => file.note(at, what, id),
        }
        Ok(())
    }

    /// The queue file that a line is about.
    fn file(
        &mut self,
        connection: &Connection,
        instance: &str,
        id: &str,
        at: i64,
        event: &Event<'_>,
    ) -> rusqlite::Result<&mut QueueFile> {
        self.key.clear();
        self.key.extend([instance, "\0", id]);
        if !self.files.contains_key(&self.key) {
            self.files.insert(self.key.clone(), known(connection, instance, id)?);
        }
        let files = self.files.entry(self.key.clone()).or_default();
        let slack = limits::MAILLOG_SLACK_MS;
        let begins = matches!(event, Event::Begun | Event::Requeue { .. });
        let before = files.iter().rposition(|file| file.begun - slack <= at);
        let place = match before.and_then(|place| Some((place, files.get_mut(place)?))) {
            Some((place, file)) if begins && at <= file.begun + slack => place,
            // The queue id is used again.
            Some((place, file)) if begins => {
                if file.ended.is_none() {
                    file.end(at, How::Lost);
                }
                insert(files, place + 1, id, at)
            }
            Some((place, file)) if file.ended.is_none_or(|ended| at <= ended + slack) => place,
            Some((place, _)) => insert(files, place + 1, id, at),
            None => insert(files, 0, id, at),
        };
        if place >= files.len() {
            files.push(QueueFile::default());
        }
        let last = files.len().saturating_sub(1);
        let Some(file) = files.get_mut(place.min(last)) else {
            return Err(rusqlite::Error::QueryReturnedNoRows);
        };
        if begins && !file.whole {
            file.whole = true;
            file.changed = true;
        }
        if at < file.begun {
            file.begun = at;
            file.changed = true;
        }
        Ok(file)
    }

    fn connect(&mut self, line: &Line<'_>, tls: &Tls<'_>) {
        self.tls_since = Some(self.tls_since.map_or(line.at, |known| known.min(line.at)));
        // Processes end without a word; those that still deliver say again what connection they have.
        if self.connected.len() >= limits::MAILLOG_CONNECTIONS {
            self.connected.clear();
            self.known_since = Some(line.at);
        }
        let how = format!("{} {}", tls.trust.as_str(), tls.protocol);
        let connected = Connected { relay: tls.relay.to_owned(), how, of: None };
        self.connected.insert(format!("{}\0{}", line.instance, line.pid), connected);
    }

    /// The delivery as it is stored, with the TLS of its connection.
    fn row(&mut self, line: &Line<'_>, id: &str, delivery: &Delivery<'_>) -> Row {
        let tls = self.tls(line, id, delivery);
        let [a, b, c, d] = delivery.delays;
        Row {
            to: delivery.to.clone(),
            orig_to: delivery.orig_to.clone(),
            relay: delivery.relay.clone(),
            delay: delivery.delay,
            delays: format!("{a}/{b}/{c}/{d}"),
            dsn: delivery.dsn.clone(),
            status: delivery.status,
            text: delivery.text.clone(),
            next: delivery.next.unwrap_or_default().to_owned(),
            tls,
        }
    }

    /// `untrusted TLSv1.3`; `none` where the process told of no TLS, and `unknown` where it may have before the log was read.
    /// Empty where there is no network, or nothing was handed over.
    fn tls(&mut self, line: &Line<'_>, id: &str, delivery: &Delivery<'_>) -> String {
        let by_socket = delivery.relay.contains("[/") || delivery.relay.contains("[private/");
        if !delivery.over_network || delivery.status != Status::Sent || by_socket {
            return String::new();
        }
        if !delivery.tls.is_empty() {
            return delivery.tls.to_owned();
        }
        self.key.clear();
        // Writing into a String does not fail.
        let _ = std::fmt::Write::write_fmt(&mut self.key, format_args!("{}\0{}", line.instance, line.pid));
        if let Some(connected) = self.connected.get_mut(&self.key)
            && connected.relay == delivery.relay
            && connected.of.as_ref().is_none_or(|of| of == id)
        {
            connected.of.get_or_insert_with(|| id.to_owned());
            return connected.how.clone();
        }
        let [_, _, connection, transfer] = delivery.delays;
        // Only a second: the traditional format has no parts of one.
        #[expect(clippy::cast_possible_truncation, reason = "a cast of f64 saturates")]
        let begun = line.at - ((connection + transfer) * 1_000.0) as i64;
        let known = self.known_since.is_some_and(|since| begun >= since + 1_000);
        if known { "none" } else { "unknown" }.to_owned()
    }
}

/// Makes room for a queue file of which a line at that time tells, and says where. A queue file of which the beginning was
/// not read may be the same one, where the queue id is never used again.
fn insert(files: &mut Vec<QueueFile>, place: usize, id: &str, at: i64) -> usize {
    let is_long = id.contains('z');
    if is_long && files.get(place).is_some_and(|file| !file.whole) {
        return place;
    }
    let place = place.min(files.len());
    files.insert(place, QueueFile { begun: at, changed: true, ..QueueFile::default() });
    place
}

/// The queue files with this id that the file has, oldest first.
fn known(connection: &Connection, instance: &str, id: &str) -> rusqlite::Result<Vec<QueueFile>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, begun, ended, how, whole, origin FROM queue_file WHERE queue_id = ?1 AND instance = ?2 ORDER BY begun",
    )?;
    let file = |row: &rusqlite::Row<'_>| {
        Ok(QueueFile {
            row: row.get(0)?,
            begun: row.get(1)?,
            ended: row.get(2)?,
            how: How::parse(row.get_ref(3)?.as_str()?).unwrap_or_default(),
            whole: row.get(4)?,
            origin: row.get(5)?,
            changed: false,
            steps: Vec::new(),
        })
    };
    statement.query_map((id, instance), file)?.collect()
}

impl QueueFile {
    fn end(&mut self, at: i64, how: How) {
        if self.ended.is_none() || (self.how == How::Lost && how != How::Lost) {
            self.ended = Some(at);
            self.how = how;
            self.changed = true;
        }
    }

    fn note(&mut self, at: i64, what: &str, id: &str) {
        self.steps.push(Step::Event { at, what: what.to_owned(), id: id.to_owned() });
    }

    fn store(&self, transaction: &Transaction<'_>, instance: &str, id: &str) -> rusqlite::Result<()> {
        let row = match self.row {
            Some(row) if !self.changed => row,
            Some(row) => {
                let mut update = transaction.prepare_cached(
                    "UPDATE queue_file SET begun = ?2, ended = ?3, how = ?4, whole = ?5, origin = ?6 WHERE id = ?1",
                )?;
                let how = self.how.as_str();
                update.execute((row, self.begun, self.ended, how, self.whole, &self.origin))?;
                row
            }
            None => {
                let mut insert = transaction
                    .prepare_cached("INSERT INTO queue_file VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
                let how = self.how.as_str();
                insert.insert((instance, id, self.begun, self.ended, how, self.whole, &self.origin))?
            }
        };
        for step in &self.steps {
            step.store(transaction, row)?;
        }
        Ok(())
    }
}

impl Step {
    fn store(&self, transaction: &Transaction<'_>, file: i64) -> rusqlite::Result<()> {
        match self {
            Self::Delivery { at, delivery } => delivery.store(transaction, file, *at),
            Self::Expired(at) => {
                let mut update = transaction.prepare_cached(
                    "UPDATE delivery SET status = 'expired' WHERE file = ?1 AND status = 'deferred' AND last <= ?2",
                )?;
                update.execute((file, at + limits::MAILLOG_SLACK_MS)).map(drop)
            }
            Self::Event { at, what, id } => {
                // Two programs may have written of one moment.
                let mut known = transaction.prepare_cached(
                    "SELECT 1 FROM event WHERE file = ?1 AND what = ?2 AND id = ?3 AND at BETWEEN ?4 - ?5 AND ?4 + ?5",
                )?;
                let slack = limits::MAILLOG_SLACK_MS;
                if known.query_row((file, what, id, at, slack), |_| Ok(())).optional()?.is_some() {
                    return Ok(());
                }
                let mut insert =
                    transaction.prepare_cached("INSERT OR IGNORE INTO event VALUES (?1, ?2, ?3, ?4)")?;
                insert.execute((file, at, what, id)).map(drop)
            }
        }
    }
}

impl Row {
    /// A newer line replaces an older one, and what is final stays against what was written in the same moment.
    fn store(&self, transaction: &Transaction<'_>, file: i64, at: i64) -> rusqlite::Result<()> {
        let mut upsert = transaction.prepare_cached(
            "INSERT INTO delivery VALUES (?1, ?2, ?3, ?4, ?4, 1, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT DO UPDATE SET tries = tries + (excluded.last > last + ?13),
                 first = min(first, excluded.first), last = excluded.last, status = excluded.status, dsn = excluded.dsn,
                 relay = excluded.relay, delay = excluded.delay, delays = excluded.delays, tls = excluded.tls,
                 text = excluded.text, next = excluded.next
             WHERE excluded.last > last + ?13
                OR (excluded.last >= last AND (delivery.status = 'deferred' OR excluded.status <> 'deferred')
                    AND (excluded.last > last OR excluded.status <> delivery.status))",
        )?;
        upsert
            .execute(rusqlite::params![
                file,
                self.to,
                self.orig_to,
                at,
                self.status.as_str(),
                self.dsn,
                self.relay,
                self.delay,
                self.delays,
                self.tls,
                self.text,
                self.next,
                limits::MAILLOG_SLACK_MS,
            ])
            .map(drop)
    }
}

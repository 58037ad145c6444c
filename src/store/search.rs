//! Search: records by what is known of them, in the order in which they were stored.
//!
//! Where a month has a index file, it names the records that may fit; where it has none, every record between the
//! times is read. Either way each record is looked at before it is given. A search reads in strides, each a short read
//! transaction of its own, so that it never keeps the daemon from checkpointing.

pub mod after;
pub mod findings;
pub mod logged;
pub mod sample;
pub mod totals;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use jiff::Timestamp;
use rusqlite::{Connection, Row};
use sha2::{Digest as _, Sha256};

use super::deliveries::trace::Summary;
use super::index::lookup::{Plan, Side};
use super::month::Month;
use super::nodes::{self, MonthFile};
use super::query::{Query, times};
use super::row::{self, at};
use super::schema::{self, OpenError};
use super::{ReadError, index};
use crate::limits;
use crate::record::{Outcome, Record, RecordId, several};

/// One record of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its id.
    pub id: RecordId,
    /// What it holds.
    pub record: Record,
    /// What became of its mail, according to Postfix, where that is asked for. It is no part of the log.
    pub told: Option<Summary>,
}

/// What a search could not do as it should.
#[derive(Debug, Default)]
pub(super) struct Searched {
    /// Files that could not be read.
    pub(super) left_out: Vec<OpenError>,
    /// Index files that could not be used, and why; all records that they are of were read instead.
    pub(super) unused: Vec<String>,
}

/// A log, for reading. Outside of the store it is read within a [`super::session::Session`] alone.
#[derive(Debug)]
pub(super) struct Log {
    /// That of this node; those of others are below it.
    pub(super) directory: PathBuf,
    files: Vec<MonthFile>,
}

impl Log {
    /// The log in a directory. A store that has no record yet is a log; a directory without a store is not.
    pub(super) fn open(directory: &Path) -> Result<Self, OpenError> {
        let unusable = |source| OpenError::Directory { path: directory.into(), source };
        let files = nodes::month_files(directory).map_err(unusable)?;
        if files.is_empty() && !directory.join("seen.key").try_exists().map_err(unusable)? {
            return Err(OpenError::Missing { path: directory.into() });
        }
        Ok(Self { directory: directory.into(), files })
    }

    /// The log of some of its files.
    fn some(&self, wanted: impl Fn(&MonthFile) -> bool) -> Self {
        let files = self.files.iter().filter(|file| wanted(file)).cloned().collect();
        Self { directory: self.directory.clone(), files }
    }

    /// Whether it may have records from before then.
    pub(super) fn is_older(&self, then: Timestamp) -> bool {
        self.files.iter().any(|file| file.month <= Month::of(then))
    }

    /// The directory of a node's log.
    pub(super) fn directory_of(&self, node: &str) -> PathBuf {
        let copy = nodes::of(&self.directory, node);
        if copy.is_dir() { copy } else { self.directory.clone() }
    }

    /// A key of this store for one use, which stays the same as long as the store does.
    pub(super) fn key(&self, used_for: &str) -> std::io::Result<[u8; 32]> {
        let own = std::fs::read(self.directory.join("seen.key"))?;
        Ok(Sha256::new().chain_update(own).chain_update([0]).chain_update(used_for).finalize().into())
    }

    /// Gives every record that fits to `each`, in order: that of each node, and of several nodes month by month in the order of
    /// time. A file that cannot be read is passed over and told of.
    pub(super) fn search<E>(
        &self,
        query: &Query,
        searched: &mut Searched,
        each: impl FnMut(Found) -> Result<(), E>,
    ) -> Result<(), E> {
        search_files(&self.files, query, searched, each)
    }

    /// The newest records that fit and that `takes` takes, at most so many, the newest first; and whether there are more. Each month
    /// is read to its end, the newest month first.
    pub(super) fn newest_that(
        &self,
        query: &Query,
        most: usize,
        searched: &mut Searched,
        mut takes: impl FnMut(&Found) -> bool,
    ) -> (Vec<Found>, bool) {
        let (mut newest, mut room, mut more) = (Vec::new(), limits::NEWEST_OCTETS, false);
        for files in self.files.chunk_by(in_one_month).rev() {
            let left = most - newest.len();
            let (mut own, mut octets) = (VecDeque::new(), 0);
            let end = search_files(files, query, searched, |found| {
                if takes(&found) {
                    if left == 0 {
                        return Err(());
                    }
                    octets += octets_of(&found);
                    own.push_back(found);
                    while own.len() > left || octets > room {
                        more = true;
                        octets -= own.pop_front().as_ref().map_or(octets, octets_of);
                    }
                }
                Ok(())
            });
            more |= end.is_err();
            newest.extend(own.into_iter().rev());
            room -= octets;
            if more {
                break;
            }
        }
        (newest, more)
    }

    /// The rules that hold a mail.
    pub(super) fn held_by(&self, found: &Found) -> Vec<String> {
        let about = self.some(|file| file.month == Month::of(found.record.time));
        let mut rules = Vec::new();
        let query = Query { record: Some(found.id.clone()), ..Query::default() };
        about.findings(&query, |finding| {
            let row = finding.row;
            let holds = row.mode == "enforce" && row.verdict == Outcome::Held.as_str();
            if finding.record == found.id && holds && !rules.contains(&row.rule) {
                rules.push(row.rule);
            }
        });
        rules
    }

    /// The record of this node's of a mail with this queue id that the MTA took at about that time: queue ids may come again.
    /// Of several, the last one that was held.
    pub(super) fn held(&self, queue_id: &str, arrived: Timestamp, searched: &mut Searched) -> Option<Found> {
        let spread = limits::ARRIVAL_SPREAD;
        let since = arrived.saturating_sub(spread).unwrap_or(Timestamp::MIN);
        let until = arrived.saturating_add(spread).unwrap_or(Timestamp::MAX);
        let (first, last) = (Month::of(since), Month::of(until));
        let own = self.directory.as_path();
        let about = self.some(|file| (first..=last).contains(&file.month) && *file.directory == *own);
        let queue_id = Some(queue_id.to_owned());
        let query = Query { queue_id, since: Some(since), until: Some(until), ..Query::default() };
        let mut own = None;
        let end = about.search(&query, searched, |found| {
            let is_held = |found: &Found| found.record.outcome == Outcome::Held;
            if own.is_none() || is_held(&found) {
                own = Some(found);
            }
            Ok::<(), Infallible>(())
        });
        let Ok(()) = end;
        own
    }

    /// The time of the newest record, as far as it can be read.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        let directories = nodes::directories(&self.directory).unwrap_or_default();
        directories.iter().filter_map(|directory| self.newest_record(directory)).map(|(time, _)| time).max()
    }

    /// The time of the newest record in a directory, and its number in its epoch.
    pub(super) fn newest_record(&self, directory: &Path) -> Option<(Timestamp, u64)> {
        let newest = |file: &MonthFile| {
            let connection = schema::open_to_read(&file.path()).ok()?;
            let sql = "SELECT time, seq FROM record ORDER BY seq DESC LIMIT 1";
            let (time, seq) =
                connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?))).ok()?;
            Some((Timestamp::from_millisecond(time).ok()?, seq.unsigned_abs()))
        };
        self.files.iter().rev().filter(|file| *file.directory == *directory).find_map(newest)
    }
}

/// Whether both files are of one month, of different nodes or in parts.
fn in_one_month(one: &MonthFile, next: &MonthFile) -> bool {
    one.month.is_same(next.month)
}

fn search_files<E>(
    files: &[MonthFile],
    query: &Query,
    searched: &mut Searched,
    mut each: impl FnMut(Found) -> Result<(), E>,
) -> Result<(), E> {
    let plan = Plan::new(query, times(query));
    for files in files.chunk_by(in_one_month) {
        let mut open: Vec<Stream<'_>> = Vec::new();
        for file in files {
            let path = file.path();
            match self::open(&path, query, plan.as_ref()) {
                Ok(None) => {}
                Ok(Some(file)) => open.push(Stream { path, file, ended: false }),
                Err(fault) => searched.left_out.push(fault),
            }
        }
        let end = merge(&mut open, query, &mut each);
        for stream in open {
            stream.tell(searched);
        }
        end?;
    }
    Ok(())
}

/// The records of one file that fit, one after the other.
struct Stream<'a> {
    path: PathBuf,
    file: Open<'a>,
    /// Whether it was read to its end, or to what cannot be read.
    ended: bool,
}

impl Stream<'_> {
    /// When the next one came; `None` at the end.
    fn peek(&mut self, query: &Query) -> Option<Timestamp> {
        while self.file.found.is_empty() && !self.ended {
            self.ended = self.file.stride(query).is_break();
        }
        self.file.found.front().map(|found| found.record.time)
    }

    /// Says what could not be done as it should.
    fn tell(self, searched: &mut Searched) {
        let Self { path, file, .. } = self;
        let index = || path.with_extension(index::EXTENSION);
        searched.unused.extend(file.unused.map(|why| format!("{}: {why}", index().display())));
        searched.left_out.extend(file.fault.map(|source| ReadError { path, source }.into()));
    }
}

/// Gives the records of these files, always the one that came first.
fn merge<E>(
    open: &mut [Stream<'_>],
    query: &Query,
    each: &mut impl FnMut(Found) -> Result<(), E>,
) -> Result<(), E> {
    loop {
        let heads = open.iter_mut().enumerate().filter_map(|(at, stream)| Some((stream.peek(query)?, at)));
        let Some((_, at)) = heads.min() else { return Ok(()) };
        if let Some(found) = open.get_mut(at).and_then(|stream| stream.file.found.pop_front()) {
            each(found)?;
        }
    }
}

/// About how many octets a record takes in memory.
fn octets_of(found: &Found) -> usize {
    let Record { subject, header_from, recipients, attachments, .. } = &found.record;
    let names = attachments.iter().map(|(name, _)| name).chain(recipients).chain([subject, header_from]);
    limits::RECORD_OCTETS + names.map(|text| text.len() + size_of::<String>()).sum::<usize>()
}

/// A month file that is being read.
struct Open<'a> {
    connection: Connection,
    /// What [`row::select`] says of it.
    columns: String,
    node: Box<str>,
    epoch: u32,
    next: i64,
    last: i64,
    side: Option<(&'a Plan, Side)>,
    /// Why the index file, or a part of it, is not used.
    unused: Option<String>,
    /// What the index file names in the segment before `next`.
    named: VecDeque<i64>,
    /// The last number of a segment of which every record is to be read.
    whole: i64,
    found: VecDeque<Found>,
    fault: Option<rusqlite::Error>,
}

/// Opens a month file where it may hold what is searched for, and its index file where that has something to say.
fn open<'a>(path: &Path, query: &Query, plan: Option<&'a Plan>) -> Result<Option<Open<'a>>, OpenError> {
    let Some(about) = schema::inspect(path, false)? else { return Ok(None) };
    if query.node.as_ref().is_some_and(|node| *node != about.node) {
        return Ok(None);
    }
    if let Some(id) = &query.record
        && (id.node.as_ref() != about.node || id.epoch != about.epoch)
    {
        return Ok(None);
    }
    let open = || {
        let connection = schema::open_to_read(path)?;
        let (side, unused) = match plan {
            Some(plan) => match side(path, &connection) {
                Ok(side) => (side.map(|side| (plan, side)), None),
                Err(error) => (None, Some(error.to_string())),
            },
            None => (None, None),
        };
        let unused = unused.or_else(|| Some(side.as_ref()?.1.unused()?.to_string()));
        // An index file knows the times of its segments; looking for them takes as long as there are records.
        let range = match &query.record {
            None if side.is_some() => schema::ends(&connection)?,
            _ => range(&connection, query)?,
        };
        let columns = row::select(&connection)?;
        Ok(range.map(|(next, last)| Open {
            connection,
            columns,
            node: about.node.into(),
            epoch: about.epoch,
            next,
            last,
            side,
            unused,
            named: VecDeque::new(),
            whole: 0,
            found: VecDeque::new(),
            fault: None,
        }))
    };
    open().map_err(|source| ReadError { path: path.into(), source }.into())
}

/// The index file of a month file, if there is one.
fn side(path: &Path, connection: &Connection) -> io::Result<Option<Side>> {
    match File::open(path.with_extension(index::EXTENSION)).and_then(|file| Side::read(file, connection)) {
        Ok(side) => Ok(Some(side)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The first and the last number that can fit.
fn range(connection: &Connection, query: &Query) -> rusqlite::Result<Option<(i64, i64)>> {
    if let Some(id) = &query.record {
        return Ok(Some((id.seq.cast_signed(), id.seq.cast_signed())));
    }
    if query.since.is_none() && query.until.is_none() {
        return schema::ends(connection);
    }
    let sql = "SELECT min(seq), max(seq) FROM record WHERE time >= ?1 AND time < ?2";
    connection.query_row(sql, times(query), schema::both)
}

impl Open<'_> {
    /// Reads the next stride into `found`.
    fn stride(&mut self, query: &Query) -> ControlFlow<()> {
        if self.next > self.last && self.named.is_empty() {
            return ControlFlow::Break(());
        }
        match self.read(query) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.fault = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn read(&mut self, query: &Query) -> rusqlite::Result<()> {
        if !self.named.is_empty() {
            return self.read_named(query);
        }
        let end = self.next.saturating_add(limits::SEARCH_RECORDS).min(self.last);
        if self.side.is_none() {
            self.next = self.read_all(query, end)?;
        } else if self.next > self.whole {
            self.ask();
        } else {
            // Up to where the index file has something to say again.
            self.next = self.read_all(query, end.min(self.whole))?;
        }
        Ok(())
    }

    /// Asks the index file about the segment that begins here, or in which this is.
    fn ask(&mut self) {
        let Some((plan, side)) = &self.side else { return };
        let Some(segment) = side.segment(self.next) else {
            self.whole = i64::MAX;
            return;
        };
        let (from, to) = (self.next, segment.last.min(self.last));
        match side.rows(segment, plan) {
            // Where it names many, reading all of them in their order is quicker.
            Ok(Some(rows)) if rows.len() <= limits::SEARCH_NAMED => {
                let first = segment.first;
                let named = rows.into_iter().map(|row| first + i64::from(row));
                self.named.extend(named.filter(|seq| (from..=to).contains(seq)));
                self.next = to + 1;
            }
            Ok(_) => self.whole = to,
            Err(error) => {
                self.unused = Some(error.to_string());
                self.whole = to;
            }
        }
    }

    fn read_all(&mut self, query: &Query, end: i64) -> rusqlite::Result<i64> {
        let columns = &self.columns;
        let sql = format!("SELECT seq, {columns} FROM record WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query((self.next, end))?;
        let mut octets = 0;
        while let Some(row) = rows.next()? {
            if fits(query, row)? {
                let (found, size) = found(row, &self.node, self.epoch)?;
                octets += size;
                let seq = found.id.seq.cast_signed();
                self.found.push_back(found);
                if octets > limits::SEARCH_OCTETS {
                    return Ok(seq + 1);
                }
            }
        }
        Ok(end + 1)
    }

    fn read_named(&mut self, query: &Query) -> rusqlite::Result<()> {
        let sql = format!("SELECT seq, {} FROM record WHERE seq = ?1", self.columns);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut octets = 0;
        while octets <= limits::SEARCH_OCTETS
            && let Some(seq) = self.named.pop_front()
        {
            let mut rows = statement.query([seq])?;
            if let Some(row) = rows.next()?
                && fits(query, row)?
            {
                let (found, size) = found(row, &self.node, self.epoch)?;
                octets += size;
                self.found.push_back(found);
            }
        }
        Ok(())
    }
}

/// The record in a row, and about how many octets it has.
fn found(row: &Row<'_>, node: &str, epoch: u32) -> rusqlite::Result<(Found, usize)> {
    let seq: i64 = row.get(0)?;
    let octets =
        row.get_ref(at::RECIPIENTS)?.as_str()?.len() + row.get_ref(at::ATTACHMENTS)?.as_str()?.len() + 1_024;
    let id = RecordId { node: node.into(), epoch, seq: seq.unsigned_abs() };
    Ok((Found { id, record: row::record(row)?, told: None }, octets))
}

/// Whether the row is what the query asks for; the columns are those of [`row::select`], the cheap ones first.
pub(super) fn fits(query: &Query, row: &Row<'_>) -> rusqlite::Result<bool> {
    let text = |column: usize| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
    let (since, until) = times(query);
    let time: i64 = row.get(at::TIME)?;
    Ok((since..until).contains(&time)
        && given(query.verdict.as_ref(), |verdict| Ok(text(at::VERDICT)? == verdict.as_str()))?
        && given(query.queue_id.as_ref(), |id| Ok(text(at::QUEUE_ID)? == id))?
        && given(query.message_id.as_ref(), |id| Ok(index::bare(text(at::MESSAGE_ID)?) == index::bare(id)))?
        && given(query.direction.as_ref(), |way| Ok(text(at::DIRECTION)? == way.as_str()))?
        && given(
            query.size_above.as_ref(),
            |least| Ok(row.get::<_, i64>(at::SIZE)?.unsigned_abs() > *least),
        )?
        && given(query.client.as_ref(), |net| Ok(is_in(text(at::CLIENT)?, net)))?
        && given(query.user.as_ref(), |user| Ok(text(at::AUTH_USER)?.eq_ignore_ascii_case(user)))?
        && given(query.sender.as_ref(), |party| Ok(party.is(text(at::SENDER)?)))?
        && given(query.from.as_ref(), |party| {
            Ok(several(text(at::HEADER_FROM)?).any(|author| party.has(author)))
        })?
        && given(query.subject.as_ref(), |needle| Ok(needle.is_in(text(at::SUBJECT)?)))?
        && given(query.authentication.as_ref(), |needle| Ok(needle.is_in(text(at::AUTHENTICATION)?)))?
        && given(query.rule.as_ref(), |rule| {
            let names = |found: Vec<String>| found.iter().any(|found| names_rule(found, rule));
            Ok(names(row::parsed(row, at::FINDINGS)?) || names(row::parsed(row, at::WOULD)?))
        })?
        && given(query.recipient.as_ref(), |party| {
            let recipients: Vec<String> = row::parsed(row, at::RECIPIENTS)?;
            Ok(recipients.iter().any(|recipient| party.is(recipient)))
        })?
        && given(query.attachment.as_ref(), |needle| {
            let attachments: Vec<(String, u64)> = row::parsed(row, at::ATTACHMENTS)?;
            Ok(attachments.iter().any(|(name, _)| needle.is_in(name)))
        })?
        && (query.person.is_empty() || {
            any_party(row, |text| query.person.iter().any(|own| own.has(text)))?
        })
        && given(query.name.as_ref(), |part| any_party(row, |text| part.is_in(text)))?)
}

/// Whether that holds for one of those whose mail it is.
fn any_party(row: &Row<'_>, is: impl Fn(&str) -> bool) -> rusqlite::Result<bool> {
    let recipients: Vec<String> = row::parsed(row, at::RECIPIENTS)?;
    let text = |column: usize| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
    let mut envelope = recipients.iter().map(String::as_str).chain([text(at::SENDER)?]);
    Ok(envelope.any(&is) || several(text(at::HEADER_FROM)?).any(&is))
}

/// Whether the client is in a network; one that is known by name alone is in none.
fn is_in(client: &str, net: &IpNet) -> bool {
    client.parse::<IpAddr>().is_ok_and(|client| net.contains(&client.to_canonical()))
}

fn given<T>(wanted: Option<&T>, fits: impl FnOnce(&T) -> rusqlite::Result<bool>) -> rusqlite::Result<bool> {
    wanted.map_or(Ok(true), fits)
}

/// Whether `rule=grade` is of this rule.
fn names_rule(finding: &str, rule: &str) -> bool {
    finding.split_once('=').map_or(finding, |(name, _)| name) == rule
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Entry, Store};

    #[test]
    fn a_rule_is_named_whole() {
        assert!(names_rule("auto-forward=certain", "auto-forward"));
        assert!(!names_rule("auto-forward=certain", "auto"));
    }

    #[tokio::test]
    async fn what_cannot_be_read_ends_the_search_of_its_file_once() {
        let here = tempfile::tempdir().unwrap();
        let clock: Timestamp = "2026-03-01T12:00:01Z".parse().unwrap();
        let store = Store::open_at(here.path(), "gw1", std::sync::Arc::new(move || clock)).unwrap();
        for _ in 0..3 {
            store.commit(Entry::of(Record { time: clock, ..Record::default() })).await.unwrap();
        }
        store.close().await;
        let connection = schema::open_to_write(&Month::of(clock).path(here.path())).unwrap();
        connection.execute("UPDATE record SET verdict = 'lost' WHERE seq = 3", []).unwrap();
        drop(connection);
        let (mut searched, mut seen) = (Searched::default(), 0);
        let log = Log::open(here.path()).unwrap();
        let end = log.search(&Query::default(), &mut searched, |_| {
            seen += 1;
            if seen > 9 { Err(()) } else { Ok(()) }
        });
        assert_eq!((end, seen, searched.left_out.len()), (Ok(()), 2, 1));
    }
}

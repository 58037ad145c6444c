//! What became of receipts and notices in the end, as entries of the access log, whose tree proves them.
//!
//! The outbox itself is under no tree. So the daemon follows what happens in it, and writes which outgoing notices came to
//! their end since the last such entry: the record, the reference, and what the MTA answered; no address.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row};
use serde::{Deserialize, Serialize};

use super::access::{AccessError, AccessLog, Kind, Reader, Via};
use super::month::Month;
use super::outbox::{self, Outbox, State};
use super::{OpenError, ReadError, schema};
use crate::limits;
use crate::record::{OutboxKey, RecordId};

/// Outgoing notices that came to their end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// As whom the daemon runs.
    #[serde(flatten)]
    pub reader: Reader,
    /// The month file up to which the outbox was followed.
    pub month: String,
    /// And its last row.
    pub through: i64,
    /// What ended.
    pub ended: Vec<Outcome>,
}

/// The end of an outgoing notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The record of the mail that it is about.
    pub record: String,
    /// `receipt`, `notice`.
    pub kind: String,
    /// What people call it.
    pub reference: String,
    /// `sent`, `failed`, `cancelled`.
    pub state: String,
    /// When.
    pub at: Timestamp,
    /// The codes of the MTA's reply; its text may name a person.
    pub reply: String,
}

/// Why it cannot be told, or read, what became of outgoing notices.
#[derive(Debug, thiserror::Error)]
pub enum OutcomesError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The access log cannot be read or written.
    #[error(transparent)]
    Access(#[from] AccessError),
}

/// Follows the outbox.
#[derive(Debug, Default)]
pub(super) struct Follower {
    /// Up to where it was followed; unknown before the first look.
    place: Option<(Month, i64)>,
}

/// A change of an outgoing notice.
struct Change {
    id: i64,
    key: OutboxKey,
    at: Timestamp,
    state: State,
    reply: String,
}

impl Follower {
    /// Writes into the access log what ended since the last time. Blocks.
    pub(super) fn follow(&mut self, directory: &Path, outbox: &Outbox) -> Result<(), OutcomesError> {
        let read = |path: &Path| {
            let path = path.to_owned();
            |source| OpenError::Read(ReadError { path, source })
        };
        let months = Month::list(directory)
            .map_err(|source| OpenError::Directory { path: directory.into(), source })?;
        let Some(newest) = months.last().copied() else { return Ok(()) };
        let begin = match self.place {
            Some(place) => place,
            None => last(directory)?.unwrap_or((newest, 0)),
        };
        self.place = Some(begin);
        for month in months.into_iter().filter(|month| *month >= begin.0) {
            let path = month.path(directory);
            if schema::octets(&path).unwrap_or(0) == 0 {
                continue;
            }
            let connection = schema::open_to_read(&path).map_err(read(&path))?;
            if schema::version(&connection).map_err(read(&path))? < outbox::SINCE_VERSION {
                continue;
            }
            loop {
                let after = self.place.filter(|(at, _)| *at == month).map_or(0, |(_, id)| id);
                let changes = changes(&connection, after).map_err(read(&path))?;
                let Some(through) = changes.last().map(|change| change.id) else { break };
                let ends =
                    changes.iter().filter(|change| !matches!(change.state, State::Pending | State::Held));
                let ended = ends.filter_map(|change| told(directory, outbox, change).transpose());
                let ended = ended.collect::<rusqlite::Result<Vec<_>>>().map_err(read(&path))?;
                if !ended.is_empty() {
                    let reader = Reader::of_this_process(Via::Daemon);
                    let entry = Outcomes { reader, month: month.to_string(), through, ended };
                    let mut log = AccessLog::open(directory)?;
                    log.add(Kind::Outcomes, Timestamp::now(), &entry)?;
                }
                self.place = Some((month, through));
            }
        }
        Ok(())
    }
}

/// Up to where the last entry tells.
fn last(directory: &Path) -> Result<Option<(Month, i64)>, AccessError> {
    let Some(log) = AccessLog::open_to_read(directory)? else { return Ok(None) };
    let last = log.entries(&[Kind::Outcomes])?.pop().and_then(|entry| entry.read::<Outcomes>(Kind::Outcomes));
    Ok(last.and_then(|last| Some((Month::parse(&last.month)?, last.through))))
}

/// The changes after a row, as many as one entry tells of.
fn changes(connection: &Connection, after: i64) -> rusqlite::Result<Vec<Change>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, key, at, state, reply FROM dispatch WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let change = |row: &Row<'_>| {
        Ok(Change {
            id: row.get(0)?,
            key: row.get(1)?,
            at: outbox::time(row, 2)?,
            state: outbox::word(row, 3, State::parse)?,
            reply: row.get(4)?,
        })
    };
    statement.query_map((after, limits::OUTCOMES_AT_ONCE), change)?.collect()
}

/// What is told of a change; nothing where retention has taken the mail, and what belonged to it, already.
fn told(directory: &Path, outbox: &Outbox, change: &Change) -> rusqlite::Result<Option<Outcome>> {
    let Some((month, id)) = outbox.place_of(&change.key) else { return Ok(None) };
    let connection = schema::open_to_read(&month.path(directory))?;
    let about = schema::about(&connection)?;
    let mut statement = connection.prepare_cached("SELECT seq, kind, reference FROM outbox WHERE id = ?1")?;
    let outcome = |row: &Row<'_>| {
        let seq = row.get::<_, i64>(0)?.unsigned_abs();
        Ok(Outcome {
            record: RecordId { node: about.node.as_str().into(), epoch: about.epoch, seq }.to_string(),
            kind: row.get(1)?,
            reference: row.get(2)?,
            state: change.state.as_str().to_owned(),
            at: change.at,
            reply: codes(&change.reply),
        })
    };
    statement.query_row([id], outcome).optional()
}

/// `250 2.0.0` of a reply (RFC 5321 §4.2, RFC 3463); nothing of one in our own words.
fn codes(reply: &str) -> String {
    let mut words = reply.split([' ', '-']).filter(|word| !word.is_empty());
    let digits = |word: &str| word.bytes().all(|octet| octet.is_ascii_digit());
    let Some(code) = words.next().filter(|word| word.len() == 3 && digits(word)) else {
        return String::new();
    };
    let enhanced = words.next().filter(|word| word.matches('.').count() == 2 && word.split('.').all(digits));
    enhanced.map_or_else(|| code.to_owned(), |more| format!("{code} {more}"))
}

/// What the access log tells of the outgoing notices of a record, with the numbers of the entries.
pub(super) fn of_record(accesses: &AccessLog, id: &RecordId) -> Result<Vec<(u64, Outcome)>, AccessError> {
    let id = id.to_string();
    let entries = accesses.entries_that_have(Kind::Outcomes, &id)?;
    let told = entries.iter().filter_map(|entry| Some((entry.n, entry.read::<Outcomes>(Kind::Outcomes)?)));
    let own = told.flat_map(|(n, told)| told.ended.into_iter().map(move |outcome| (n, outcome)));
    Ok(own.filter(|(_, outcome)| outcome.record == id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_reply_is_left_out() {
        for (reply, wanted) in [
            ("250 2.0.0 Ok: queued as 4fKq", "250 2.0.0"),
            ("550 5.1.1 <x@example.org>: unknown", "550 5.1.1"),
            ("550-5.1.1 two lines", "550 5.1.1"),
            ("250 ok x@example.org", "250"),
            ("250", "250"),
            ("too old", ""),
            ("2500 x", ""),
            ("", ""),
        ] {
            assert_eq!(codes(reply), wanted, "{reply}");
        }
    }
}

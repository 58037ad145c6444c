//! Search: records by what is known of them, in the order in which they were stored.
//!
//! A search reads every record between its times: the files have no index but that of the times. It reads in strides,
//! each a short read transaction of its own, so that it never keeps the daemon from checkpointing.

pub mod findings;

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, Row};
use serde::Serialize;

use super::month::Month;
use super::schema::{self, OpenError};
use super::{ReadError, row};
use crate::address::{Address, Domain};
use crate::limits;
use crate::record::{Outcome, Record, RecordId};

/// What is searched for; every part that is given must hold.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(default)]
pub struct Query {
    /// Not before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The envelope sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<Party>,
    /// One of the envelope recipients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Party>,
    /// Somewhere in the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Needle>,
    /// Somewhere in the name of an attachment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachment: Option<Needle>,
    /// What became of the mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Outcome>,
    /// A rule that found something, whether it acted or observed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The record itself.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub record: Option<RecordId>,
    /// The MTA's queue id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_id: Option<String>,
}

/// Who is searched for. There is no search for a part of an address: it would name a person without saying so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Party {
    /// `<>`, the null sender.
    Null,
    /// `@exempelby.se`: everybody at this domain, and nobody at those below it.
    Domain(Domain),
    /// One address.
    Address(Address),
}

/// Text that is searched for without regard to case; `å` is found however it is composed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needle {
    text: String,
    folded: String,
}

/// One record of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its id.
    pub id: RecordId,
    /// What it holds.
    pub record: Record,
}

/// A log, for reading.
#[derive(Debug)]
pub struct Log {
    directory: PathBuf,
    months: Vec<Month>,
}

impl Log {
    /// The log in a directory. A store that has no record yet is a log; a directory without a store is not.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let unusable = |source| OpenError::Directory { path: directory.into(), source };
        let months = Month::list(directory).map_err(unusable)?;
        if months.is_empty() && !directory.join("seen.key").try_exists().map_err(unusable)? {
            return Err(OpenError::Missing { path: directory.into() });
        }
        Ok(Self { directory: directory.into(), months })
    }

    /// Gives every record that fits to `each`, in order. A file that cannot be read is passed over and told of.
    pub fn search<E>(
        &self,
        query: &Query,
        mut each: impl FnMut(Found) -> Result<(), E>,
    ) -> Result<Vec<OpenError>, E> {
        let mut faults = Vec::new();
        for month in &self.months {
            let path = month.path(&self.directory);
            match open(&path, query) {
                Ok(None) => {}
                Ok(Some(mut file)) => {
                    while let ControlFlow::Continue(()) = file.stride(query) {
                        file.found.drain(..).try_for_each(&mut each)?;
                    }
                    file.found.drain(..).try_for_each(&mut each)?;
                    faults.extend(file.fault.take().map(|source| ReadError { path, source }.into()));
                }
                Err(fault) => faults.push(fault),
            }
        }
        Ok(faults)
    }
}

/// A month file that is being read.
struct Open {
    connection: Connection,
    node: Box<str>,
    epoch: u32,
    next: i64,
    last: i64,
    found: Vec<Found>,
    fault: Option<rusqlite::Error>,
}

/// Opens a month file where it may hold what is searched for.
fn open(path: &Path, query: &Query) -> Result<Option<Open>, OpenError> {
    let Some(about) = schema::inspect(path, false)? else { return Ok(None) };
    if let Some(id) = &query.record
        && (id.node.as_ref() != about.node || id.epoch != about.epoch)
    {
        return Ok(None);
    }
    let open = || {
        let connection = schema::open_to_read(path)?;
        let range = range(&connection, query)?;
        Ok(range.map(|(next, last)| Open {
            connection,
            node: about.node.into(),
            epoch: about.epoch,
            next,
            last,
            found: Vec::new(),
            fault: None,
        }))
    };
    open().map_err(|source| ReadError { path: path.into(), source }.into())
}

/// The first and the last number that can fit.
fn range(connection: &Connection, query: &Query) -> rusqlite::Result<Option<(i64, i64)>> {
    if let Some(id) = &query.record {
        return Ok(Some((id.seq.cast_signed(), id.seq.cast_signed())));
    }
    let ends = |row: &Row<'_>| Ok(row.get::<_, Option<i64>>(0)?.zip(row.get::<_, Option<i64>>(1)?));
    if query.since.is_none() && query.until.is_none() {
        // Two queries in one, because SQLite finds both ends at once only one at a time.
        let sql = "SELECT (SELECT min(seq) FROM record), (SELECT max(seq) FROM record)";
        return connection.query_row(sql, [], ends);
    }
    let sql = "SELECT min(seq), max(seq) FROM record WHERE time >= ?1 AND time < ?2";
    connection.query_row(sql, times(query), ends)
}

/// The query's times in milliseconds. A record is as old as its millisecond says.
fn times(query: &Query) -> (i64, i64) {
    let since = query.since.map_or(i64::MIN, Timestamp::as_millisecond);
    (since, query.until.map_or(i64::MAX, Timestamp::as_millisecond))
}

impl Open {
    /// Reads the next stride into `found`.
    fn stride(&mut self, query: &Query) -> ControlFlow<()> {
        if self.next > self.last {
            return ControlFlow::Break(());
        }
        let end = self.next.saturating_add(limits::SEARCH_RECORDS).min(self.last);
        match self.read(query, end) {
            Ok(next) => {
                self.next = next;
                ControlFlow::Continue(())
            }
            Err(error) => {
                self.fault = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn read(&mut self, query: &Query, end: i64) -> rusqlite::Result<i64> {
        let sql =
            format!("SELECT seq, {} FROM record WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq", row::COLUMNS);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query((self.next, end))?;
        let mut octets = 0;
        while let Some(row) = rows.next()? {
            if !fits(query, row)? {
                continue;
            }
            let seq: i64 = row.get(0)?;
            let id = RecordId { node: self.node.clone(), epoch: self.epoch, seq: seq.unsigned_abs() };
            octets += row.get_ref(4)?.as_str()?.len() + row.get_ref(8)?.as_str()?.len() + 1_024;
            self.found.push(Found { id, record: row::record(row)? });
            if octets > limits::SEARCH_OCTETS {
                return Ok(seq + 1);
            }
        }
        Ok(end + 1)
    }
}

/// Whether the row is what the query asks for; the columns are those of [`row::COLUMNS`], the cheap ones first.
fn fits(query: &Query, row: &Row<'_>) -> rusqlite::Result<bool> {
    let text = |column: usize| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
    let (since, until) = times(query);
    let time: i64 = row.get(1)?;
    Ok((since..until).contains(&time)
        && given(query.verdict.as_ref(), |verdict| Ok(text(9)? == verdict.as_str()))?
        && given(query.queue_id.as_ref(), |id| Ok(text(12)? == id))?
        && given(query.sender.as_ref(), |party| Ok(party.is(text(3)?)))?
        && given(query.subject.as_ref(), |needle| Ok(needle.is_in(text(6)?)))?
        && given(query.rule.as_ref(), |rule| {
            let names = |found: Vec<String>| found.iter().any(|found| names_rule(found, rule));
            Ok(names(row::parsed(row, 10)?) || names(row::parsed(row, 11)?))
        })?
        && given(query.recipient.as_ref(), |party| {
            let recipients: Vec<String> = row::parsed(row, 4)?;
            Ok(recipients.iter().any(|recipient| party.is(recipient)))
        })?
        && given(query.attachment.as_ref(), |needle| {
            let attachments: Vec<(String, u64)> = row::parsed(row, 8)?;
            Ok(attachments.iter().any(|(name, _)| needle.is_in(name)))
        })?)
}

fn given<T>(wanted: Option<&T>, fits: impl FnOnce(&T) -> rusqlite::Result<bool>) -> rusqlite::Result<bool> {
    wanted.map_or(Ok(true), fits)
}

/// Whether `rule=grade` is of this rule.
fn names_rule(finding: &str, rule: &str) -> bool {
    finding.split_once('=').map_or(finding, |(name, _)| name) == rule
}

impl Party {
    /// The party that `text` names.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.is_empty() || text == "<>" {
            return Ok(Self::Null);
        }
        match text.strip_prefix('@') {
            Some(domain) if !domain.is_empty() && !domain.contains('@') => {
                Ok(Self::Domain(Domain::new(domain)))
            }
            Some(_) => Err("not a domain; write @exempelby.se"),
            None => Address::parse(text).map(Self::Address).ok_or("write a whole address, @domain, or <>"),
        }
    }

    fn is(&self, text: &str) -> bool {
        match self {
            Self::Null => text == "<>",
            Self::Domain(domain) => {
                text.rsplit_once('@').is_some_and(|(_, own)| own.eq_ignore_ascii_case(domain.as_str()))
            }
            Self::Address(address) => {
                text.eq_ignore_ascii_case(address.key())
                    || (!text.is_ascii() && text.to_lowercase() == address.key())
            }
        }
    }
}

impl Serialize for Party {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_str("<>"),
            Self::Domain(domain) => serializer.collect_str(&format_args!("@{domain}")),
            Self::Address(address) => serializer.serialize_str(address.as_str()),
        }
    }
}

impl Needle {
    /// Text to be looked for.
    pub fn new(text: &str) -> Self {
        Self { text: text.into(), folded: folded(text).into_owned() }
    }

    fn is_in(&self, text: &str) -> bool {
        folded(text).contains(&self.folded)
    }
}

impl Serialize for Needle {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// Lower case, and the letters of the Nordic languages composed: a Mac writes `å` in a file's name as two characters.
fn folded(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    let lower = text.to_lowercase();
    if !lower.contains(['\u{300}', '\u{301}', '\u{308}', '\u{30A}']) {
        return Cow::Owned(lower);
    }
    let composed = [
        ("a\u{30A}", "å"),
        ("a\u{308}", "ä"),
        ("o\u{308}", "ö"),
        ("u\u{308}", "ü"),
        ("e\u{301}", "é"),
        ("a\u{300}", "à"),
    ];
    Cow::Owned(composed.iter().fold(lower, |text, (two, one)| text.replace(two, one)))
}

#[expect(clippy::ref_option, reason = "serde's way to call it")]
fn as_text<S: serde::Serializer>(id: &Option<RecordId>, serializer: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => serializer.collect_str(id),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parties() {
        let is = |party: &str, text: &str| Party::parse(party).unwrap().is(text);
        assert!(is("Anna@Exempelby.se", "anna@exempelby.se") && is("åsa@exempelby.se", "Åsa@exempelby.se"));
        assert!(!is("anna@exempelby.se", "johanna@exempelby.se"));
        assert!(is("@exempelby.se", "anna@Exempelby.se") && !is("@exempelby.se", "anna@skola.exempelby.se"));
        assert!(is("<>", "<>") && !is("<>", "anna@exempelby.se"));
        assert!(Party::parse("@").is_err() && Party::parse("anna@").is_err());
    }

    #[test]
    fn swedish_letters_are_found_in_any_case_and_composition() {
        for text in ["Ansökan om BYGGLOV", "ansökan", "ANSÖKAN", "Anso\u{308}kan.pdf", "ANSO\u{308}KAN"] {
            assert!(Needle::new("ansökan").is_in(text), "{text}");
            assert!(Needle::new("ANSO\u{308}KAN").is_in(text), "{text}");
        }
        assert!(!Needle::new("ansökan").is_in("ansokan"));
    }

    #[test]
    fn a_rule_is_named_whole() {
        assert!(names_rule("auto-forward=certain", "auto-forward"));
        assert!(!names_rule("auto-forward=certain", "auto"));
    }
}

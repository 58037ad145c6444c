//! Totals for reports: what a period held, counted where it stands. No record leaves this file.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, Row};

use super::findings::SINCE_VERSION as FINDINGS_SINCE;
use super::{Log, Open, open};
use crate::limits;
use crate::store::outbox::SINCE_VERSION as OUTBOX_SINCE;
use crate::store::query::{Query, times};
use crate::store::{OpenError, ReadError, schema};

/// Milliseconds of a slot: the zones of the world differ from UTC by whole ones, so each lies within one day of any.
const SLOT: i64 = 900_000;

/// What a period held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Mails.
    pub mails: BTreeMap<Mails, Sum>,
    /// Findings.
    pub findings: BTreeMap<Found, u64>,
    /// Mails of our own by kind and by what happened to each in the period: `written`, `sent`, `failed`, `cancelled`.
    pub letters: BTreeMap<(String, String), u64>,
}

/// Mails of one kind in one slot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mails {
    /// When the slot begins.
    pub at: Timestamp,
    /// The direction's word; empty where it is not known.
    pub direction: String,
    /// What became of them.
    pub verdict: String,
}

/// How many, and how large together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub count: u64,
    /// Octets.
    pub octets: u64,
}

/// Findings of one kind in one slot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// When the slot begins.
    pub at: Timestamp,
    /// The rule.
    pub rule: String,
    /// Its grade, or `unknown`.
    pub grade: String,
    /// The rule's mode.
    pub mode: String,
    /// What followed, or would have.
    pub verdict: String,
    /// Whether a decision allows it.
    pub allowed: bool,
}

impl Log {
    /// The totals of the mail that came in a period. A file that cannot be read is passed over and told of.
    pub(in crate::store) fn totals(&self, query: &Query) -> (Totals, Vec<OpenError>) {
        let mut totals = Totals::default();
        let mut faults = Vec::new();
        for file in &self.files {
            let path = file.path();
            let counted = match open(&path, query, None) {
                Ok(Some(file)) => {
                    totals.add(&file, times(query)).map_err(|source| ReadError { path, source }.into())
                }
                Ok(None) => Ok(()),
                Err(fault) => Err(fault),
            };
            faults.extend(counted.err());
        }
        (totals, faults)
    }
}

impl Totals {
    /// Counts in strides, as a search reads.
    fn add(&mut self, file: &Open<'_>, (since, until): (i64, i64)) -> rusqlite::Result<()> {
        let connection = &file.connection;
        let version = schema::version(connection)?;
        let mut next = file.next;
        while next <= file.last {
            let end = next.saturating_add(limits::SEARCH_RECORDS);
            let stride = (next, end, since, until);
            self.add_mails(connection, stride)?;
            if version >= FINDINGS_SINCE {
                self.add_findings(connection, stride)?;
            }
            next = end.saturating_add(1);
        }
        if version >= OUTBOX_SINCE {
            self.add_letters(connection, (since, until))?;
        }
        Ok(())
    }

    fn add_mails(&mut self, connection: &Connection, stride: (i64, i64, i64, i64)) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(
            // A mail that came through again is no further mail.
            "SELECT time / 900000, direction, verdict, count(*), sum(size) FROM record \
             WHERE seq BETWEEN ?1 AND ?2 AND time >= ?3 AND time < ?4 \
             AND substr(findings, 1, 14) <> '[\"second-pass=' GROUP BY 1, 2, 3",
        )?;
        let mut rows = statement.query(stride)?;
        while let Some(row) = rows.next()? {
            let mails = Mails { at: slot(row)?, direction: row.get(1)?, verdict: row.get(2)? };
            let sum = self.mails.entry(mails).or_default();
            sum.count += row.get::<_, i64>(3)?.unsigned_abs();
            sum.octets += row.get::<_, i64>(4)?.unsigned_abs();
        }
        Ok(())
    }

    fn add_findings(
        &mut self,
        connection: &Connection,
        stride: (i64, i64, i64, i64),
    ) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(
            "SELECT time / 900000, rule, grade, mode, finding.verdict, decision <> '', count(*) \
             FROM finding JOIN record USING (seq) \
             WHERE seq BETWEEN ?1 AND ?2 AND time >= ?3 AND time < ?4 GROUP BY 1, 2, 3, 4, 5, 6",
        )?;
        let mut rows = statement.query(stride)?;
        while let Some(row) = rows.next()? {
            let found = Found {
                at: slot(row)?,
                rule: row.get(1)?,
                grade: row.get(2)?,
                mode: row.get(3)?,
                verdict: row.get(4)?,
                allowed: row.get(5)?,
            };
            *self.findings.entry(found).or_default() += row.get::<_, i64>(6)?.unsigned_abs();
        }
        Ok(())
    }

    /// A letter's kind stands in the month in which it was written, what became of it in the month of that.
    fn add_letters(&mut self, connection: &Connection, period: (i64, i64)) -> rusqlite::Result<()> {
        for sql in [
            "SELECT kind, 'written', count(*) FROM outbox WHERE at >= ?1 AND at < ?2 GROUP BY 1",
            "SELECT ifnull((SELECT kind FROM outbox WHERE outbox.key = dispatch.key), ''), state, count(*) \
             FROM dispatch WHERE at >= ?1 AND at < ?2 AND state <> 'pending' GROUP BY 1, 2",
        ] {
            let mut statement = connection.prepare(sql)?;
            let mut rows = statement.query(period)?;
            while let Some(row) = rows.next()? {
                *self.letters.entry((row.get(0)?, row.get(1)?)).or_default() +=
                    row.get::<_, i64>(2)?.unsigned_abs();
            }
        }
        Ok(())
    }
}

fn slot(row: &Row<'_>) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp::from_millisecond(row.get::<_, i64>(0)?.saturating_mul(SLOT)).unwrap_or(Timestamp::MIN))
}

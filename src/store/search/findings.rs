//! Findings, read back for reports. They are few, so all of them are read.

use jiff::Timestamp;
use rusqlite::types::Type;

use super::{Log, Open, open};
use crate::limits;
use crate::record::{FindingRow, RecordId};
use crate::store::query::{Query, times};
use crate::store::{OpenError, ReadError, row, schema};

/// The version of the files that have findings.
pub(in crate::store) const SINCE_VERSION: usize = 2;

/// One finding of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// When the mail came.
    pub time: Timestamp,
    /// Its record.
    pub record: RecordId,
    /// Its envelope sender.
    pub sender: String,
    /// Its envelope recipients.
    pub recipients: Vec<String>,
    /// What was found.
    pub row: FindingRow,
}

impl Log {
    /// Gives every finding in mail of the query's period to `each`, in order; those of its rule alone, where it names one.
    /// A file that cannot be read is passed over and told of.
    pub(in crate::store) fn findings(&self, query: &Query, mut each: impl FnMut(Finding)) -> Vec<OpenError> {
        let mut faults = Vec::new();
        for file in &self.files {
            let path = file.path();
            match open(&path, query, None) {
                Ok(None) => {}
                Ok(Some(file)) => {
                    let read = read(&file, query, &mut each);
                    faults.extend(read.err().map(|source| ReadError { path, source }.into()));
                }
                Err(fault) => faults.push(fault),
            }
        }
        faults
    }
}

/// Reads in strides, as a search does.
fn read(file: &Open<'_>, query: &Query, each: &mut impl FnMut(Finding)) -> rusqlite::Result<()> {
    if schema::version(&file.connection)? < SINCE_VERSION {
        return Ok(());
    }
    let mut statement = file.connection.prepare(
        "SELECT record.time, finding.grade, evidence, mode, finding.verdict, decision, mailboxes, finding.recipients, \
         rule, seq, sender, record.recipients \
         FROM finding JOIN record USING (seq) WHERE seq BETWEEN ?1 AND ?2 AND (?3 IS NULL OR rule = ?3) \
         AND record.time >= ?4 AND record.time < ?5 ORDER BY seq, number",
    )?;
    let (since, until) = times(query);
    let mut next = file.next;
    while next <= file.last {
        let end = next.saturating_add(limits::SEARCH_RECORDS);
        let mut rows = statement.query((next, end, &query.rule, since, until))?;
        while let Some(row) = rows.next()? {
            let out_of_range =
                |error| rusqlite::Error::FromSqlConversionFailure(0, Type::Integer, Box::new(error));
            each(Finding {
                time: Timestamp::from_millisecond(row.get(0)?).map_err(out_of_range)?,
                record: RecordId {
                    node: file.node.clone(),
                    epoch: file.epoch,
                    seq: row.get::<_, i64>(9)?.unsigned_abs(),
                },
                sender: row.get(10)?,
                recipients: row::parsed(row, 11)?,
                row: FindingRow {
                    rule: row.get(8)?,
                    grade: row.get(1)?,
                    evidence: row.get(2)?,
                    mode: row.get(3)?,
                    verdict: row.get(4)?,
                    decision: row.get(5)?,
                    mailboxes: row::parsed(row, 6)?,
                    recipients: row::parsed(row, 7)?,
                },
            });
        }
        next = end.saturating_add(1);
    }
    Ok(())
}

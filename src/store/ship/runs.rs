//! Runs of retention and contacts, on their way to a central log.

use rusqlite::{Connection, OptionalExtension as _};

use super::{ShipReadError, ShipReader, is_past, written};
use crate::facts::identity::Key;
use crate::store::access::{AccessRetention, open_to_read};
use crate::store::month::Month;
use crate::store::{ReadError, schema};

/// A run of retention: what it did to one month, or to the access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The month; `None` for the access log.
    pub month: Option<Month>,
    /// The epoch of the month.
    pub epoch: u32,
    /// The number of the entry that tells of it.
    pub run: u64,
    /// When.
    pub time: i64,
    /// By which decision.
    pub decision: String,
}

impl Run {
    /// The name of the month, or `access`.
    pub fn place(&self) -> String {
        self.month.map_or_else(|| "access".to_owned(), |month| month.to_string())
    }
}

/// Contacts of a month file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contacts {
    /// The file.
    pub month: Month,
    /// The row of the last one.
    pub up_to: i64,
    /// Each with the time when it was noted.
    pub keys: Vec<(Key, i64)>,
}

/// The first version with contacts.
const CONTACT_VERSION: usize = 6;

impl ShipReader {
    /// The months of the files that were written since the last look.
    pub fn changed(&mut self) -> Result<Vec<Month>, ShipReadError> {
        self.look()?;
        let mut changed = Vec::new();
        for month in self.files.keys() {
            let Some(now) = written(&month.path(&self.directory)) else { continue };
            if self.looked.get(month) != Some(&now) {
                changed.push(*month);
            }
            if is_past(now.0) && now.1.is_none_or(is_past) {
                self.looked.insert(*month, now);
            }
        }
        Ok(changed)
    }

    /// Looks at all files again.
    pub fn forget_looks(&mut self) {
        self.looked.clear();
    }

    /// The runs of retention over a month.
    pub fn runs(&self, month: Month) -> Result<Vec<Run>, ShipReadError> {
        let epoch = self.files.get(&month).map_or(0, |file| file.epoch);
        self.of_month(month, |connection| {
            let mut statement = connection.prepare("SELECT id, time, decision FROM run ORDER BY id")?;
            let runs = statement.query_map([], |row| {
                let run = row.get::<_, i64>(0)?.unsigned_abs();
                Ok(Run { month: Some(month), epoch, run, time: row.get(1)?, decision: row.get(2)? })
            })?;
            runs.collect()
        })
    }

    /// The runs of retention over the access log.
    pub fn access_runs(&self) -> Result<Vec<Run>, ShipReadError> {
        self.of_accesses(|connection| {
            if !connection.table_exists(None, "pruned")? {
                return Ok(Vec::new());
            }
            let sql = "SELECT n, time, body FROM entry WHERE n IN (SELECT run FROM pruned) ORDER BY n";
            let mut statement = connection.prepare(sql)?;
            let runs = statement.query_map([], |row| {
                let told = serde_json::from_str::<AccessRetention>(row.get_ref(2)?.as_str()?);
                let decision = told.map(|told| told.decision).unwrap_or_default();
                let run = row.get::<_, i64>(0)?.unsigned_abs();
                Ok(Run { month: None, epoch: 0, run, time: row.get(1)?, decision })
            })?;
            runs.collect()
        })
    }

    /// The numbers of what a run took, ascending.
    pub fn taken(&self, run: &Run) -> Result<Vec<u64>, ShipReadError> {
        let numbers = |connection: &Connection, sql: &str| -> rusqlite::Result<Vec<u64>> {
            let mut statement = connection.prepare(sql)?;
            let numbers = statement
                .query_map([run.run.cast_signed()], |row| row.get::<_, i64>(0).map(i64::unsigned_abs))?;
            numbers.collect()
        };
        match run.month {
            Some(month) => self.of_month(month, |connection| {
                numbers(connection, "SELECT seq FROM pruned WHERE run = ?1 ORDER BY seq")
            }),
            None => self.of_accesses(|connection| {
                numbers(connection, "SELECT n FROM pruned WHERE run = ?1 ORDER BY n")
            }),
        }
    }

    /// The contacts of a month after a row of its file, at most so many; `None` where there is none.
    pub fn contacts(
        &self,
        month: Month,
        after: i64,
        at_most: usize,
    ) -> Result<Option<Contacts>, ShipReadError> {
        let limit = i64::try_from(at_most).unwrap_or(i64::MAX);
        let rows = self.of_month(month, |connection| {
            if schema::version(connection)? < CONTACT_VERSION {
                return Ok(Vec::new());
            }
            let sql = "SELECT id, key, at FROM contact WHERE id > ?1 ORDER BY id LIMIT ?2";
            let mut statement = connection.prepare(sql)?;
            let rows =
                statement.query_map((after, limit), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            rows.collect::<rusqlite::Result<Vec<(i64, Key, i64)>>>()
        })?;
        let up_to = rows.last().map(|(id, _, _)| *id);
        let keys = rows.into_iter().map(|(_, key, at)| (key, at)).collect();
        Ok(up_to.map(|up_to| Contacts { month, up_to, keys }))
    }

    /// When a record was written; `None` where it is not in a file.
    pub fn time_of(&self, epoch: u32, seq: u64) -> Result<Option<i64>, ShipReadError> {
        let has = |file: &super::MonthFile| file.epoch == epoch && file.start < seq && seq <= file.end;
        let Some((month, _)) = self.files.iter().find(|(_, file)| has(file)) else { return Ok(None) };
        self.of_month(*month, |connection| {
            let sql = "SELECT time FROM record WHERE seq = ?1";
            connection.query_row(sql, [seq.cast_signed()], |row| row.get(0)).optional()
        })
    }

    fn of_month<T>(
        &self,
        month: Month,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ShipReadError> {
        let path = month.path(&self.directory);
        let read = || work(&schema::open_to_read(&path)?);
        Ok(read().map_err(|source| ReadError { path: path.clone(), source })?)
    }

    fn of_accesses<T: Default>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ShipReadError> {
        let read = || open_to_read(&self.directory)?.map(|connection| work(&connection)).transpose();
        let failed = |source| ReadError { path: self.directory.join("access.db"), source };
        Ok(read().map_err(failed)?.unwrap_or_default())
    }
}

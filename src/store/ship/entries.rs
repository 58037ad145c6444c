//! The entries of the access log, on their way to a central log.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{LocalTree, ShipReadError, is_past, written};
use crate::merkle::{Hash, Salt, Tree};
use crate::store::access::{epoch, leaves_of, open_to_read};
use crate::store::{ReadError, tree};

/// An entry on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShippedEntry {
    /// Its number.
    pub n: u64,
    /// Its leaf.
    pub leaf: Hash,
    /// What the leaf is of, or the run of retention that took it.
    pub content: Result<EntryContent, u64>,
}

/// The values of an entry's leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryContent {
    /// When.
    pub time: i64,
    /// Of which kind.
    pub kind: String,
    /// What it tells.
    pub body: String,
    /// The salt.
    pub salt: Salt,
}

/// The access log, for sending it.
#[derive(Debug)]
pub struct Entries {
    directory: PathBuf,
    /// The sizes of the trees that grow no more.
    settled: BTreeMap<u32, u64>,
    /// When the file was last written, and the trees then.
    known: Option<(std::time::SystemTime, Vec<LocalTree>)>,
}

impl Entries {
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.into(), settled: BTreeMap::new(), known: None }
    }

    fn read<T>(
        directory: &Path,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, ShipReadError> {
        let read = || open_to_read(directory)?.map(|connection| work(&connection)).transpose();
        let failed = |source| ReadError { path: directory.join("access.db"), source };
        Ok(read().map_err(failed)?)
    }

    /// The trees of accesses, the oldest first.
    pub fn trees(&mut self) -> Result<Vec<LocalTree>, ShipReadError> {
        let now = written(&self.directory.join("access.db")).map(|(file, _)| file);
        if let Some((when, trees)) = &self.known
            && now == Some(*when)
        {
            return Ok(trees.clone());
        }
        let settled = &mut self.settled;
        let trees = Self::read(&self.directory, |connection| {
            let moment = connection.unchecked_transaction()?;
            let epochs = epoch::list(&moment)?;
            let mut trees = Vec::new();
            for (at, this) in epochs.iter().enumerate() {
                let size = match (epochs.get(at + 1), settled.get(&this.number)) {
                    (None, _) => tree::read(&moment, tree::NOW)?.size(),
                    (Some(_), Some(size)) => *size,
                    (Some(next), None) => {
                        let sql = format!(
                            "SELECT count(*) FROM ({}) WHERE n <= ?2",
                            leaves_of(&moment)?.trim_end_matches(" ORDER BY n")
                        );
                        let ends = (this.after.cast_signed(), next.after.cast_signed());
                        let size = moment.query_row(&sql, ends, |row| row.get::<_, i64>(0))?.unsigned_abs();
                        settled.insert(this.number, size);
                        size
                    }
                };
                let is_newest = at + 1 == epochs.len();
                trees.push(LocalTree { epoch: this.number, size, is_newest });
            }
            Ok(trees)
        })?
        .unwrap_or_default();
        self.known = now.filter(|now| is_past(*now)).map(|now| (now, trees.clone()));
        Ok(trees)
    }

    /// The tree of that epoch when it had that many leaves, and the number of the last of these; `None` where it never had.
    pub fn tree_at(&self, epoch: u32, size: u64) -> Result<Option<(Tree, u64)>, ShipReadError> {
        let found = Self::read(&self.directory, |connection| {
            let Some((after, until)) = ends(connection, epoch)? else { return Ok(None) };
            let mut statement = connection.prepare(leaves_of(connection)?)?;
            let mut rows = statement.query([after.cast_signed()])?;
            let (mut tree, mut last) = (Tree::default(), after);
            while tree.size() < size
                && let Some(row) = rows.next()?
            {
                let n = row.get::<_, i64>(0)?.unsigned_abs();
                if n > until {
                    break;
                }
                tree.push(row.get(1)?);
                last = n;
            }
            Ok((tree.size() == size).then_some((tree, last)))
        })?;
        Ok(found.flatten())
    }

    /// The entries of that epoch after a number, in order: at most so many, and about so many octets.
    pub fn entries(
        &self,
        epoch: u32,
        after: u64,
        at_most: usize,
        octets: usize,
    ) -> Result<Vec<ShippedEntry>, ShipReadError> {
        let found = Self::read(&self.directory, |connection| {
            let moment = connection.unchecked_transaction()?;
            let Some((_, until)) = ends(&moment, epoch)? else { return Ok(Vec::new()) };
            let mut whole = moment.prepare("SELECT time, kind, body, salt FROM entry WHERE n = ?1")?;
            let mut leaves = moment.prepare(leaves_of(&moment)?)?;
            let mut rows = leaves.query([after.cast_signed()])?;
            let (mut entries, mut weight) = (Vec::new(), 0);
            while entries.len() < at_most
                && weight < octets
                && let Some(row) = rows.next()?
            {
                let (n, leaf) = (row.get::<_, i64>(0)?, row.get(1)?);
                if n.unsigned_abs() > until {
                    break;
                }
                let content = match whole.query_row([n], content).optional()? {
                    Some(content) => Ok(content),
                    None => Err(moment
                        .query_row("SELECT run FROM pruned WHERE n = ?1", [n], |row| row.get::<_, i64>(0))?
                        .unsigned_abs()),
                };
                weight += 100 + content.as_ref().map_or(0, |content| content.body.len());
                entries.push(ShippedEntry { n: n.unsigned_abs(), leaf, content });
            }
            Ok(entries)
        })?;
        Ok(found.unwrap_or_default())
    }
}

fn content(row: &Row<'_>) -> rusqlite::Result<EntryContent> {
    Ok(EntryContent { time: row.get(0)?, kind: row.get(1)?, body: row.get(2)?, salt: row.get(3)? })
}

/// The number after which the entries of an epoch begin, and that of the last one that it may have.
fn ends(connection: &Connection, epoch: u32) -> rusqlite::Result<Option<(u64, u64)>> {
    let epochs = epoch::list(connection)?;
    let at = epochs.iter().position(|known| known.number == epoch);
    let Some(this) = at.and_then(|at| epochs.get(at)) else { return Ok(None) };
    let next = at.and_then(|at| epochs.get(at + 1));
    Ok(Some((this.after, next.map_or(i64::MAX.unsigned_abs(), |next| next.after))))
}

//! What is sent to a central log: the trees of the log with their leaves, as they are in the files. Nothing here writes.
//!
//! Contract: a batch is what the files had at one moment. The values of a record are those that its leaf covers, whether or
//! not they still are what the leaf says: whoever takes them compares.

mod entries;
mod runs;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::{Connection, OptionalExtension as _};

pub use self::entries::{Entries, ShippedEntry};
pub use self::runs::{Contacts, Run};
use super::month::Month;
use super::{ReadError, heads, row, schema, tree};
use crate::limits;
use crate::merkle::{Hash, Salt, Tree};
use crate::note::Note;

/// Why the log cannot be sent.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says it")]
pub enum ShipReadError {
    #[error("{}: cannot read the log's directory: {source}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("record {seq} of epoch {epoch} is missing in the log's files")]
    Missing { epoch: u32, seq: u64 },
}

/// A tree as it is on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTree {
    /// Its epoch.
    pub epoch: u32,
    /// How many leaves it has.
    pub size: u64,
    /// Whether it is the one that grows.
    pub is_newest: bool,
}

/// A record on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShippedRecord {
    /// The file that has it.
    pub month: Month,
    /// Its number.
    pub seq: u64,
    /// Its leaf.
    pub leaf: Hash,
    /// What the leaf is of.
    pub content: Content,
}

/// What a leaf is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Values with their salt.
    Sealed(Sealed),
    /// What this run of retention took.
    Pruned(u64),
}

/// The values of a leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The form of the leaf.
    pub form: u8,
    /// The salt of the record.
    pub salt: Salt,
    /// The values of the form's fields.
    pub fields: Vec<String>,
    /// What is remembered of the message.
    pub seen: Option<Vec<u8>>,
}

impl ShippedRecord {
    fn octets(&self) -> usize {
        match &self.content {
            Content::Sealed(sealed) => 200 + sealed.fields.iter().map(String::len).sum::<usize>(),
            Content::Pruned(_) => 100,
        }
    }
}

/// A month file with a tree.
#[derive(Clone, Copy, Debug)]
struct MonthFile {
    epoch: u32,
    /// How many leaves the tree had before it.
    start: u64,
    /// How many it has with it.
    end: u64,
    /// Whether a later file was there when it was looked at: then it grows no more.
    is_settled: bool,
}

/// The log's files, for sending them.
#[derive(Debug)]
pub struct ShipReader {
    directory: PathBuf,
    /// Those without a tree are left out: they are of a version that nothing proves.
    files: BTreeMap<Month, MonthFile>,
    /// The log's entries of who read it.
    pub entries: Entries,
    /// When each file was last looked at for retention runs.
    looked: BTreeMap<Month, (SystemTime, Option<SystemTime>)>,
}

impl ShipReader {
    /// The log in this directory.
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.into(),
            files: BTreeMap::new(),
            entries: Entries::new(directory),
            looked: BTreeMap::new(),
        }
    }

    /// The trees of records, the oldest first.
    pub fn trees(&mut self) -> Result<Vec<LocalTree>, ShipReadError> {
        self.look()?;
        let mut trees: Vec<LocalTree> = Vec::new();
        for file in self.files.values() {
            match trees.last_mut().filter(|tree| tree.epoch == file.epoch) {
                Some(tree) => tree.size = file.end,
                None => trees.push(LocalTree { epoch: file.epoch, size: file.end, is_newest: false }),
            }
        }
        trees.last_mut().into_iter().for_each(|newest| newest.is_newest = true);
        Ok(trees)
    }

    /// Looks at the files that are new or may have grown.
    fn look(&mut self) -> Result<(), ShipReadError> {
        let months = Month::list(&self.directory)
            .map_err(|source| ShipReadError::Directory { path: self.directory.clone(), source })?;
        self.files.retain(|month, _| months.contains(month));
        for month in &months {
            if self.files.get(month).is_some_and(|file| file.is_settled) {
                continue;
            }
            let path = month.path(&self.directory);
            if schema::octets(&path).unwrap_or(0) == 0 {
                continue;
            }
            let is_settled = months.last() != Some(month);
            let read = || {
                let connection = schema::open_to_read(&path)?;
                if schema::version(&connection)? < schema::TREE_VERSION {
                    return Ok(None);
                }
                let (start, end) =
                    (tree::read(&connection, tree::START)?, tree::read(&connection, tree::NOW)?);
                let epoch = schema::about(&connection)?.epoch;
                Ok(Some(MonthFile { epoch, start: start.size(), end: end.size(), is_settled }))
            };
            let file = read().map_err(|source| ReadError { path: path.clone(), source })?;
            self.files.extend(file.map(|file| (*month, file)));
        }
        Ok(())
    }

    /// The tree of that epoch when it had that many leaves; `None` where it never had.
    pub fn tree_at(&self, epoch: u32, size: u64) -> Result<Option<Tree>, ShipReadError> {
        if size == 0 {
            return Ok(Some(Tree::default()));
        }
        let file =
            self.files.iter().find(|(_, file)| file.epoch == epoch && file.start < size && size <= file.end);
        let Some((month, _)) = file else { return Ok(None) };
        let path = month.path(&self.directory);
        let read = || tree::at(&schema::open_to_read(&path)?, size);
        Ok(read().map_err(|source| ReadError { path: path.clone(), source })?)
    }

    /// The records of that epoch after a number, in order: at most so many, and about so many octets. They are of one file.
    pub fn records(
        &self,
        epoch: u32,
        after: u64,
        at_most: usize,
        octets: usize,
    ) -> Result<Vec<ShippedRecord>, ShipReadError> {
        let missing = ShipReadError::Missing { epoch, seq: after + 1 };
        let has = |file: &MonthFile| file.epoch == epoch && file.start <= after && after < file.end;
        let Some((month, _)) = self.files.iter().find(|(_, file)| has(file)) else { return Err(missing) };
        let path = month.path(&self.directory);
        let read = || records_of(&schema::open_to_read(&path)?, *month, after, (at_most, octets));
        let records = read().map_err(|source| ReadError { path: path.clone(), source })?;
        if records.is_empty() { Err(missing) } else { Ok(records) }
    }

    /// The notes with tree heads that were added to their file after a place in it, and the next place.
    pub fn heads(&self, after: u64) -> Result<(Vec<Note>, u64), ShipReadError> {
        let path = self.directory.join(heads::FILE);
        let read = || -> io::Result<(Vec<Note>, u64)> {
            let mut file = match fs::File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
                Err(error) => return Err(error),
            };
            let octets = file.metadata()?.len();
            // A file that is shorter is another one.
            let from = if octets < after { 0 } else { after };
            if octets == from {
                return Ok((Vec::new(), from));
            }
            file.seek(SeekFrom::Start(from))?;
            let mut text = Vec::new();
            file.take(octets - from).read_to_end(&mut text)?;
            // One that is being written has no blank line at its end.
            let whole = if text.ends_with(b"\n\n") { text } else { Vec::new() };
            let end = from + whole.len() as u64;
            Ok((Note::all(&String::from_utf8_lossy(&whole)), end))
        };
        read().map_err(|source| ShipReadError::Directory { path: path.clone(), source })
    }

    /// The public key of the heads; `None` where there is none yet.
    pub fn public_key(&self) -> Option<String> {
        heads::verifier(&self.directory).map(|key| key.to_string())
    }
}

/// The tree that a head is of, where it is one of this node: whether it is that of the accesses, and the epoch.
pub fn tree_of(origin: &str, node: &str) -> Option<(bool, u32)> {
    let rest = origin.strip_prefix(&heads::name(node))?.strip_prefix('/')?;
    match heads::access_epoch(origin) {
        Some(epoch) => Some((true, epoch)),
        None => rest.parse().ok().map(|epoch| (false, epoch)),
    }
}

/// The records of a file after a number, as they are at one moment.
fn records_of(
    connection: &Connection,
    month: Month,
    after: u64,
    (at_most, octets): (usize, usize),
) -> rusqlite::Result<Vec<ShippedRecord>> {
    let moment = connection.unchecked_transaction()?;
    let end = tree::read(&moment, tree::NOW)?.size();
    let columns = row::select(&moment)?;
    let has_seen = moment.column_exists(None, "record", "seen")?;
    let seen = if has_seen { "seen" } else { "NULL" };
    let mut beside = moment.prepare(&format!("SELECT leaf, {seen} FROM record WHERE seq = ?1"))?;
    let mut pruned = moment.prepare("SELECT leaf, run FROM pruned WHERE seq = ?1")?;
    let (mut records, mut weight) = (Vec::new(), 0);
    for seq in (after + 1)..=end {
        if records.len() >= at_most || weight >= octets {
            break;
        }
        let here = beside.query_row([seq.cast_signed()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let sealed = match here {
            Some((leaf, seen)) => row::sealed(&moment, &columns, seq)?.map(|(form, salt, fields)| {
                (leaf, Content::Sealed(Sealed { form: form.number(), salt, fields, seen }))
            }),
            None => None,
        };
        let found = match sealed {
            Some(found) => Some(found),
            None => pruned
                .query_row([seq.cast_signed()], |row| {
                    Ok((row.get(0)?, Content::Pruned(row.get::<_, i64>(1)?.unsigned_abs())))
                })
                .optional()?,
        };
        let Some((leaf, content)) = found else { break };
        let record = ShippedRecord { month, seq, leaf, content };
        weight += record.octets();
        records.push(record);
    }
    Ok(records)
}

/// When a file and what SQLite has not yet moved into it were last written.
fn written(path: &Path) -> Option<(SystemTime, Option<SystemTime>)> {
    let of = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    Some((of(path)?, of(&schema::wal(path))))
}

/// Whether a file that was written then shows by its time whether it was written again: clocks of files have steps.
fn is_past(written: SystemTime) -> bool {
    SystemTime::now().duration_since(written).is_ok_and(|age| age > limits::FILE_CLOCK_STEP)
}

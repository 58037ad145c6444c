//! Replicas: the log of another node, written here again from what the centre has of it, row by row as the node has it.
//!
//! Contract: a row is taken only if its values make its leaf, in the order of the tree and without gaps; what was taken is in
//! the file in one transaction with the tree. So a replica verifies like the log that it is of, with that node's own heads,
//! and can be removed and made again at any time. One process writes it.

mod state;
#[cfg(test)]
mod tests;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, ToSql, TransactionBehavior};

use super::index::{self, Indexer};
use super::month::Month;
use super::retention::{self, Planned, RetentionError};
use super::schema::{self, About, OpenError};
use super::{ReadError, heads, key, nodes, row, tree};
use crate::merkle::{self, Hash, Salt, Tree};
use crate::note::Note;
use crate::record::columns::{COLUMNS, EVIDENCE, Field, LeafForm, Value};
use crate::record::{Record, RecordId};
pub use state::{State, behind};

/// A row of a node's tree of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number.
    pub seq: u64,
    /// Its leaf.
    pub leaf: Hash,
    /// What is left of it.
    pub content: Content,
}

/// What a row holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The values of its leaf's fields, as they are stored, and their salt.
    Record(LeafForm, Salt, Vec<String>),
    /// Nothing: this run of retention took it.
    Pruned(u64),
}

/// A run of retention on the node, as its month file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The number of its entry in the node's access log.
    pub id: u64,
    /// When.
    pub time: Timestamp,
    /// By whose decision.
    pub decision: String,
    /// The numbers of the records that it took, ascending.
    pub taken: Vec<u64>,
}

/// Why rows are not taken.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says it")]
pub enum ReplicaError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{}: another process writes this replica", path.display())]
    Locked { path: PathBuf },
    #[error("{node:?} is no name of a node")]
    Name { node: String },
    #[error("record {record}: its values do not make its leaf: it was changed at the centre, or on its way")]
    Leaf { record: RecordId },
    #[error("record {record}: its column {column} has a value that no program of ours writes")]
    Value { record: RecordId, column: &'static str },
    #[error("record {record} is missing: the centre has what comes after it")]
    Gap { record: RecordId },
    #[error(
        "the centre has another key for the tree heads of {node} than this replica: if the node has a new key, remove the \
         replica's directory; if not, nothing that the centre says of it can be believed"
    )]
    Key { node: String },
    #[error(transparent)]
    Retention(#[from] RetentionError),
}

/// A replica, for writing.
#[derive(Debug)]
pub struct Replica {
    directory: PathBuf,
    node: String,
    open: Option<Open>,
    indexer: Option<Indexer>,
    _lock: File,
}

/// The month file that is written to.
#[derive(Debug)]
struct Open {
    month: Month,
    connection: Connection,
    tree: Tree,
}

impl Replica {
    /// Opens the replica of a node below the log in `directory`, which is made if it is missing. Blocks.
    pub fn open(directory: &Path, node: &str) -> Result<Self, ReplicaError> {
        if node.is_empty() || node.starts_with('.') || node.contains(['/', '\0']) {
            return Err(ReplicaError::Name { node: node.to_owned() });
        }
        let own = nodes::of(directory, node);
        let failed = |source| OpenError::Directory { path: own.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(&own).map_err(failed)?;
        let path = own.join("lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let lock = lock.map_err(|source| OpenError::Io { path: path.clone(), source })?;
        if lock.try_lock().is_err() {
            return Err(ReplicaError::Locked { path });
        }
        let indexer = Indexer::start(&own).map_err(OpenError::Thread)?;
        Ok(Self { directory: own, node: node.to_owned(), open: None, indexer: Some(indexer), _lock: lock })
    }

    /// How many records of each epoch it has, the last epoch last.
    pub fn sizes(&self) -> Result<Vec<(u32, u64)>, ReplicaError> {
        let mut sizes: Vec<(u32, u64)> = Vec::new();
        for (_, about) in self.months()? {
            match sizes.iter_mut().find(|(epoch, _)| *epoch == about.epoch) {
                Some((_, size)) => *size = about.last.max(*size),
                None => sizes.push((about.epoch, about.last)),
            }
        }
        sizes.sort_unstable();
        Ok(sizes)
    }

    fn months(&self) -> Result<Vec<(Month, About)>, OpenError> {
        let failed = |source| OpenError::Directory { path: self.directory.clone(), source };
        let mut found = Vec::new();
        for month in Month::list(&self.directory).map_err(failed)? {
            found.extend(schema::inspect(&month.path(&self.directory), false)?.map(|about| (month, about)));
        }
        Ok(found)
    }

    /// Takes the rows that follow in the tree of an epoch, which the node has in that month's file.
    pub fn append(&mut self, epoch: u32, month: Month, rows: &[Row]) -> Result<(), ReplicaError> {
        self.open_month(epoch, month)?;
        let Self { directory, node, open: Some(open), indexer, .. } = self else { return Ok(()) };
        let path = open.month.path(directory);
        let failed = |source| ReplicaError::from(OpenError::Sqlite { path: path.clone(), source });
        let before = open.tree.size();
        let mut tree = open.tree.clone();
        let transaction =
            open.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        for row in rows {
            let record = || RecordId { node: node.as_str().into(), epoch, seq: tree.size() + 1 };
            if row.seq != tree.size() + 1 {
                return Err(ReplicaError::Gap { record: record() });
            }
            let written = match &row.content {
                Content::Record(form, salt, fields) if leaf(*form, row.seq, salt, fields) == row.leaf => {
                    // One row that cannot be read would hide all that come after it.
                    if let Some(column) = unreadable(*form, fields) {
                        return Err(ReplicaError::Value { record: record(), column });
                    }
                    insert(&transaction, row, *form, salt, fields)
                }
                Content::Record(..) => return Err(ReplicaError::Leaf { record: record() }),
                Content::Pruned(run) => transaction
                    .prepare_cached("INSERT INTO pruned VALUES (?1, ?2, ?3)")
                    .and_then(|mut insert| {
                        insert.execute((row.seq.cast_signed(), row.leaf, run.cast_signed())).map(drop)
                    }),
            };
            written.map_err(failed)?;
            tree.push(row.leaf);
        }
        tree::write(&transaction, tree::NOW, &tree).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        open.tree = tree;
        if index::is_due(before, open.tree.size()) {
            indexer.iter().for_each(Indexer::wake);
        }
        Ok(())
    }

    /// Opens the file of a month of an epoch. The node may have had a file of that name in an epoch that it lost: then this one
    /// gets the name of a later part.
    fn open_month(&mut self, epoch: u32, month: Month) -> Result<(), ReplicaError> {
        let mut wanted = month;
        let months = self.months()?;
        while months.iter().any(|(known, about)| *known == wanted && about.epoch != epoch) {
            wanted = wanted.next_part();
        }
        if self.open.as_ref().is_some_and(|open| open.month == wanted) {
            return Ok(());
        }
        let path = wanted.path(&self.directory);
        let failed = |source| OpenError::Sqlite { path: path.clone(), source };
        if !months.iter().any(|(known, _)| *known == wanted) {
            let before = months.iter().rfind(|(_, about)| about.epoch == epoch);
            let tree = match before {
                Some((before, _)) => {
                    let before = before.path(&self.directory);
                    let read = || tree::read(&schema::open_to_read(&before)?, tree::NOW);
                    read()
                        .map_err(|source| ReadError { path: before.clone(), source })
                        .map_err(OpenError::from)?
                }
                None => Tree::default(),
            };
            let about = About { node: self.node.clone(), epoch, last: tree.size() };
            schema::create(&self.directory, wanted, &about, &tree)?;
            // The month before is complete.
            self.indexer.iter().for_each(Indexer::wake);
        }
        let open = || {
            let connection = schema::open_to_write(&path)?;
            // What a power failure takes is fetched again.
            connection.pragma_update(None, "synchronous", "normal")?;
            connection.pragma_update(None, "wal_autocheckpoint", 1_000)?;
            schema::upgrade(&connection)?;
            let tree = tree::read(&connection, tree::NOW)?;
            Ok(Open { month: wanted, connection, tree })
        };
        self.open = Some(open().map_err(failed)?);
        Ok(())
    }

    /// Takes away what a run of retention took on the node, and notes the run. Rows that are not here yet come without values.
    pub fn prune(&mut self, epoch: u32, month: Month, run: &Run) -> Result<(), ReplicaError> {
        self.open_month(epoch, month)?;
        let Some(open) = &mut self.open else { return Ok(()) };
        let path = open.month.path(&self.directory);
        let failed = |source| OpenError::Sqlite { path: path.clone(), source };
        let here = |seq: &&u64| -> rusqlite::Result<bool> {
            let sql = "SELECT EXISTS (SELECT 1 FROM record WHERE seq = ?1)";
            open.connection.prepare_cached(sql)?.query_row([seq.cast_signed()], |row| row.get(0))
        };
        let mut due = Vec::new();
        for seq in &run.taken {
            if here(&seq).map_err(failed)? {
                due.push(*seq);
            }
        }
        let noted: bool = open
            .connection
            .query_row("SELECT EXISTS (SELECT 1 FROM run WHERE id = ?1)", [run.id.cast_signed()], |row| {
                row.get(0)
            })
            .map_err(failed)?;
        if noted && due.is_empty() {
            return Ok(());
        }
        open.connection.execute("DELETE FROM run WHERE id = ?1", [run.id.cast_signed()]).map_err(failed)?;
        let month = open.month;
        let planned = Planned { month, due, by_period: Vec::new(), held: 0, undecided: 0, waits: false };
        let taken = index::without(&self.directory, month, || {
            retention::take(&mut open.connection, &planned, run.id, &run.decision, run.time)
        });
        taken.map_err(|source| OpenError::Io { path: path.clone(), source })?.map_err(failed)?;
        let all = i64::try_from(run.taken.len()).unwrap_or(i64::MAX);
        open.connection
            .execute("UPDATE run SET records = ?2 WHERE id = ?1", (run.id.cast_signed(), all))
            .map_err(failed)?;
        if !retention::clean(&open.connection).map_err(failed)? {
            return Err(RetentionError::Busy { path }.into());
        }
        self.indexer.iter().for_each(Indexer::wake);
        Ok(())
    }

    /// Adds the heads that are not here yet, and keeps the key that they are signed with.
    pub fn add_heads(&self, public_key: &str, notes: &[Note]) -> Result<(), ReplicaError> {
        let path = self.directory.join(heads::PUBLIC_KEY);
        let failed = |path: &Path, source| OpenError::Io { path: path.into(), source };
        let text = format!("{}\n", public_key.trim());
        match fs::read_to_string(&path) {
            Ok(known) if known == text => {}
            Ok(_) => return Err(ReplicaError::Key { node: self.node.clone() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                key::write_whole(&path, text.as_bytes()).map_err(|source| failed(&path, source))?;
            }
            Err(source) => return Err(failed(&path, source).into()),
        }
        let path = self.directory.join(heads::FILE);
        let known = match fs::read_to_string(&path) {
            Ok(text) => Note::all(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(failed(&path, source).into()),
        };
        for note in notes.iter().filter(|note| !known.contains(note)) {
            heads::append(&path, note).map_err(|source| failed(&path, source))?;
        }
        Ok(())
    }

    /// Notes how far the replica is behind the centre, and the centre behind the node.
    pub fn note(&self, state: &State) -> Result<(), ReplicaError> {
        let written = state.write(&self.directory);
        written.map_err(|source| OpenError::Io { path: self.directory.clone(), source }.into())
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.open = None;
        self.indexer.take().into_iter().for_each(Indexer::stop);
    }
}

/// The leaf that these values make.
fn leaf(form: LeafForm, seq: u64, salt: &Salt, fields: &[String]) -> Hash {
    let values: Vec<&[u8]> = fields.iter().map(String::as_bytes).collect();
    merkle::leaf(form.number(), seq, &merkle::hash_of(salt, &values))
}

/// The first field that is not what a record has there.
fn unreadable(form: LeafForm, fields: &[String]) -> Option<&'static str> {
    let mut record = Record::default();
    if fields.len() != form.fields().count() {
        return Some("time");
    }
    form.fields().zip(fields).find_map(|(field, value)| match field {
        Field::Column(column) => column.put(&mut record, value).is_none().then_some(column.name),
        Field::Evidence => serde_json::from_str::<Vec<[String; 8]>>(value).is_err().then_some(EVIDENCE),
    })
}

/// A value of a column.
struct Cell<'a>(&'a str, bool);

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match (self.0.parse::<i64>(), self.1) {
            (Ok(number), true) => Ok(number.into()),
            _ => Ok(self.0.into()),
        }
    }
}

/// Writes a record with its findings.
fn insert(
    connection: &Connection,
    row: &Row,
    form: LeafForm,
    salt: &Salt,
    fields: &[String],
) -> rusqlite::Result<()> {
    let mut evidence = "[]";
    let mut own = form.fields().zip(fields);
    let mut cells = Vec::with_capacity(COLUMNS.len());
    for (field, value) in own.by_ref() {
        match field {
            Field::Evidence => evidence = value,
            Field::Column(column) => {
                cells.push((column.name, Cell(value, matches!(column.value, Value::Time | Value::Size))));
            }
        }
    }
    // Columns that came later are empty, as on the node.
    for column in COLUMNS.iter().filter(|column| column.since > form) {
        cells.push((column.name, Cell(column.absent().trim_matches('\''), false)));
    }
    let place = |name: &str| COLUMNS.iter().position(|column| column.name == name);
    cells.sort_by_key(|(name, _)| place(name));
    let seq = row.seq.cast_signed();
    let (number, none) = (form.number(), None::<Vec<u8>>);
    let behind: [&dyn ToSql; 4] = [salt, &row.leaf, &none, &number];
    let values = cells.iter().map(|(_, cell)| cell as &dyn ToSql);
    let all = std::iter::once(&seq as &dyn ToSql).chain(values).chain(behind);
    connection.prepare_cached(&row::INSERT)?.execute(rusqlite::params_from_iter(all))?;
    let wrong =
        |error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error));
    let found: Vec<[String; 8]> = serde_json::from_str(evidence).map_err(wrong)?;
    let mut findings =
        connection.prepare_cached("INSERT INTO finding VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)")?;
    for (number, found) in (0_i64..).zip(&found) {
        let all =
            [&seq as &dyn ToSql, &number].into_iter().chain(found.iter().map(|text| text as &dyn ToSql));
        findings.execute(rusqlite::params_from_iter(all))?;
    }
    Ok(())
}

//! Deliveries: what Postfix's log tells of mail that was accepted, in a file of its own beside the log.
//!
//! Contract: the file is derived, is under no tree, and is shown as "according to Postfix" alone. One process writes it at a
//! time ([`lock`]); retention deletes from it, and SQLite keeps the two apart. What was read, and how far, is one transaction:
//! a kill loses nothing and tells nothing twice. The same lines taken twice change nothing. What was not read is a gap, and is
//! told; nothing is concluded from what does not stand in the log.
//!
//! A queue id names a mail only as long as its queue file lives: Postfix uses short ones again. So the rows are of queue files,
//! each with the time of its beginning and end, and a record is joined by its queue id and its time (`trace`).

mod batch;
mod gaps;
pub(super) mod retention;
pub mod trace;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{OpenError, ReadError};
use crate::limits;
use crate::maillog::Read;
use batch::Batch;

/// The file's name.
pub(super) const FILE: &str = "delivery.db";
/// `PVDL`.
const APPLICATION_ID: i32 = 0x5056_444C;
const VERSION: i32 = 1;
const TABLES: &str = "
    CREATE TABLE queue_file (
        id INTEGER PRIMARY KEY, instance TEXT NOT NULL, queue_id TEXT NOT NULL, begun INTEGER NOT NULL, ended INTEGER,
        how TEXT NOT NULL, whole INTEGER NOT NULL, origin TEXT NOT NULL
    ) STRICT;
    CREATE INDEX queue_file_by_id ON queue_file (queue_id, begun);
    CREATE INDEX queue_file_by_origin ON queue_file (origin, begun) WHERE origin <> '';
    CREATE TABLE delivery (
        file INTEGER NOT NULL, recipient TEXT NOT NULL, orig_to TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
        tries INTEGER NOT NULL, status TEXT NOT NULL, dsn TEXT NOT NULL, relay TEXT NOT NULL, delay REAL NOT NULL,
        delays TEXT NOT NULL, tls TEXT NOT NULL, text TEXT NOT NULL, next TEXT NOT NULL,
        PRIMARY KEY (file, recipient, orig_to)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE event (
        file INTEGER NOT NULL, at INTEGER NOT NULL, what TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (file, at, what, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE gap (begun INTEGER NOT NULL, ended INTEGER NOT NULL) STRICT;
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
";
/// How far the log was read, in `meta`.
const PLACE: &str = "place";
/// The time of the first line about a TLS connection, in `meta`.
const TLS_SINCE: &str = "tls-since";

/// Why deliveries cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says it")]
pub enum DeliveriesError {
    #[error("{}: cannot create the file of deliveries: {source}", path.display())]
    Create { path: PathBuf, source: io::Error },
    #[error("{}: cannot use the file of deliveries: {source}", path.display())]
    Sqlite { path: PathBuf, source: rusqlite::Error },
    #[error("{}: not a file of deliveries of this version; remove it and run postvakt log ingest", path.display())]
    Foreign { path: PathBuf },
}

impl From<DeliveriesError> for OpenError {
    fn from(error: DeliveriesError) -> Self {
        match error {
            DeliveriesError::Create { path, source } => Self::Io { path, source },
            DeliveriesError::Sqlite { path, source } => Self::Read(ReadError { path, source }),
            error @ DeliveriesError::Foreign { .. } => {
                let source = io::Error::other(error.to_string());
                Self::Io { path: FILE.into(), source }
            }
        }
    }
}

/// What came of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub lines: u64,
    /// Those that tell of a mail or a connection.
    pub told: u64,
    /// Deliveries that could be read in two ways and were left out.
    pub unclear: u64,
}

/// The file, open for writing.
#[derive(Debug)]
pub struct Deliveries {
    path: PathBuf,
    connection: Connection,
    batch: Batch,
}

/// Takes the right to write; `None` where another process has it.
pub fn lock(directory: &Path) -> io::Result<Option<File>> {
    let path = directory.join("delivery.lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    give_to_owner(directory, &file)?;
    Ok(file.try_lock().is_ok().then_some(file))
}

impl Deliveries {
    /// Opens the file, and creates it if it is missing. Whoever does has the [`lock`].
    pub fn open(directory: &Path) -> Result<Self, DeliveriesError> {
        let path = directory.join(FILE);
        make_file(directory, &path)
            .map_err(|source| DeliveriesError::Create { path: path.clone(), source })?;
        match prepare(&path) {
            Ok(Some(connection)) => Ok(Self { path, connection, batch: Batch::default() }),
            Ok(None) => Err(DeliveriesError::Foreign { path }),
            Err(source) => Err(DeliveriesError::Sqlite { path, source }),
        }
    }

    /// Takes a line that was read. It is stored by [`Deliveries::commit`].
    pub fn take(&mut self, read: &Read<'_>) -> Result<(), DeliveriesError> {
        let Self { connection, batch, .. } = self;
        batch.take(connection, read).map_err(|source| self.failed(source))
    }

    /// Whether so many lines were taken that they should be stored.
    pub fn is_full(&self) -> bool {
        self.batch.counts.lines >= limits::MAILLOG_LINES as u64
    }

    /// Whether no line waits to be stored.
    pub fn is_empty(&self) -> bool {
        self.batch.counts.lines == 0
    }

    /// What follows does not follow what was read before.
    pub fn gap(&mut self) {
        self.batch.gap();
    }

    /// The log was read up to this time, in milliseconds, and had nothing more.
    pub fn read_to(&mut self, at: i64) {
        self.batch.read_to(at);
    }

    /// The time up to which was read since the last gap, in milliseconds.
    pub fn read_until(&self) -> Option<i64> {
        self.batch.span.map(|(_, last)| last)
    }

    /// Stores what was taken, and up to where.
    pub fn commit<P: Serialize>(&mut self, place: Option<&P>) -> Result<Counts, DeliveriesError> {
        let Self { connection, batch, .. } = self;
        let counts = batch.counts;
        let mut write = || {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            batch.store(&transaction)?;
            if let Some(place) = place {
                // Strings and numbers always have a JSON form.
                set(&transaction, PLACE, &serde_json::to_string(place).unwrap_or_default())?;
            }
            transaction.commit()
        };
        match write() {
            Ok(()) => {
                batch.stored();
                Ok(counts)
            }
            Err(source) => Err(self.failed(source)),
        }
    }

    /// Up to where the log was read; none where it was not, or the place is no longer understood.
    pub fn place<P: DeserializeOwned>(&self) -> Result<Option<P>, DeliveriesError> {
        let text = meta(&self.connection, PLACE).map_err(|source| self.failed(source))?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Forgets all that was read; the place up to where stays.
    pub fn clear(&mut self) -> Result<(), DeliveriesError> {
        self.batch = Batch::default();
        let clear = "DELETE FROM queue_file; DELETE FROM delivery; DELETE FROM event; DELETE FROM gap;
                     DELETE FROM meta WHERE key = 'tls-since';";
        let everything = format!("BEGIN IMMEDIATE; {clear} {} COMMIT", gaps::EVERYTHING);
        self.connection.execute_batch(&everything).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: rusqlite::Error) -> DeliveriesError {
        DeliveriesError::Sqlite { path: self.path.clone(), source }
    }
}

/// Opens the file for reading; `None` where nothing was ever read.
pub(super) fn open_to_read(directory: &Path) -> Result<Option<Connection>, DeliveriesError> {
    let path = directory.join(FILE);
    if super::schema::octets(&path).unwrap_or(0) == 0 {
        return Ok(None);
    }
    let open = || {
        let connection = super::schema::open_to_read_any(&path)?;
        Ok(is_known(&connection)?.then_some(connection))
    };
    match open() {
        Ok(Some(connection)) => Ok(Some(connection)),
        Ok(None) => Err(DeliveriesError::Foreign { path }),
        Err(source) => Err(DeliveriesError::Sqlite { path, source }),
    }
}

fn meta(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    connection.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()
}

fn set(transaction: &Transaction<'_>, key: &str, value: &str) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")?;
    statement.execute((key, value)).map(drop)
}

fn make_file(directory: &Path, path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => give_to_owner(directory, &file),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// The server reads and writes it, also where `root` made it.
pub(crate) fn give_to_owner(directory: &Path, file: &File) -> io::Result<()> {
    if rustix::process::geteuid().is_root() {
        let owner = fs::metadata(directory)?;
        std::os::unix::fs::fchown(file, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

fn is_known(connection: &Connection) -> rusqlite::Result<bool> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    Ok(number("application_id")? == APPLICATION_ID && number("user_version")? == VERSION)
}

/// `None` is a file of another kind or version.
fn prepare(path: &Path) -> rusqlite::Result<Option<Connection>> {
    let mut connection = open(path)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.execute_batch(&format!("{TABLES} {}", gaps::EVERYTHING))?;
    }
    transaction.commit()?;
    Ok(is_known(&connection)?.then_some(connection))
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(limits::ACCESS_TIME)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    // What a power failure takes is read again: the place goes with it.
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "journal_size_limit", limits::WAL_OCTETS)?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

#[cfg(test)]
mod tests;

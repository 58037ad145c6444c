//! The schema of the store's files, and what makes a file fit to be written to.
//!
//! Contract: a file is looked at before SQLite may write to it. What is damaged, of another program, of a newer
//! version or of another node is refused with a sentence, and nothing is changed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::month::Month;
use super::tree;
use crate::limits;
use crate::merkle::Tree;

/// `PVLG`: what `file(1)` and a second look tell a log by.
pub const APPLICATION_ID: i32 = 0x5056_4C47;
/// The version of the tables below.
pub const VERSION: i32 = 11;
/// The first version with a tree. What is older is read, never written on: the log goes on in a new epoch.
pub const TREE_VERSION: usize = 4;
/// Octets of a page; measured in `benches/store.rs`.
pub const PAGE_OCTETS: u32 = 4096;

/// What makes each version of the tables out of the one before it. Times are milliseconds since 1970, lists are JSON.
/// What is told of one mail has the number of its record, so that rows are written at the end of every table.
const VERSIONS: [&str; VERSION.cast_unsigned() as usize] = [
    // `record` has no index but its time: see `docs/decisions/007-indexes.md`.
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE record (
        seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, direction TEXT NOT NULL, sender TEXT NOT NULL,
        recipients TEXT NOT NULL, header_from TEXT NOT NULL, subject TEXT NOT NULL, size INTEGER NOT NULL,
        attachments TEXT NOT NULL, verdict TEXT NOT NULL, findings TEXT NOT NULL, would TEXT NOT NULL,
        queue_id TEXT NOT NULL, message_id TEXT NOT NULL, client TEXT NOT NULL, helo TEXT NOT NULL,
        auth_user TEXT NOT NULL, tls TEXT NOT NULL, config TEXT NOT NULL, receipt TEXT NOT NULL
    ) STRICT;
    CREATE INDEX record_time ON record (time);
    CREATE TABLE seen (
        seq INTEGER PRIMARY KEY, key BLOB NOT NULL, fingerprint BLOB NOT NULL, at INTEGER NOT NULL,
        mailboxes TEXT NOT NULL, sender TEXT NOT NULL
    ) STRICT;",
    // What rules found, for reports: most mails have no row here.
    "CREATE TABLE finding (
        seq INTEGER NOT NULL, number INTEGER NOT NULL, rule TEXT NOT NULL, grade TEXT NOT NULL,
        evidence TEXT NOT NULL, mode TEXT NOT NULL, verdict TEXT NOT NULL, decision TEXT NOT NULL,
        mailboxes TEXT NOT NULL, recipients TEXT NOT NULL, PRIMARY KEY (seq, number)
    ) STRICT, WITHOUT ROWID;",
    // Mails of our own, and what came of each try: rows are added and never changed, so that an older month stays as
    // it is. A change of a mail's state stands in the month in which it happened.
    "CREATE TABLE outbox (
        id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, key BLOB NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL,
        due INTEGER NOT NULL, until INTEGER NOT NULL, mailbox TEXT NOT NULL, recipient TEXT NOT NULL,
        reference TEXT NOT NULL, message TEXT NOT NULL
    ) STRICT;
    CREATE TABLE dispatch (
        id INTEGER PRIMARY KEY, key BLOB NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL,
        attempts INTEGER NOT NULL, due INTEGER NOT NULL, until INTEGER NOT NULL, reply TEXT NOT NULL
    ) STRICT;",
    // The tree: 0 is what it was before the file's first record, 1 what it is now; `head` is what was signed. What
    // retention took away leaves its leaf and the run that took it. See `docs/decisions/045-tree.md`.
    "ALTER TABLE record ADD COLUMN salt BLOB NOT NULL DEFAULT x'';
    ALTER TABLE record ADD COLUMN leaf BLOB NOT NULL DEFAULT x'';
    CREATE TABLE tree (id INTEGER PRIMARY KEY, size INTEGER NOT NULL, frontier BLOB NOT NULL) STRICT;
    CREATE TABLE head (size INTEGER PRIMARY KEY, time INTEGER NOT NULL, frontier BLOB NOT NULL) STRICT;
    CREATE TABLE pruned (seq INTEGER PRIMARY KEY, leaf BLOB NOT NULL, run INTEGER NOT NULL) STRICT;
    CREATE TABLE run (
        id INTEGER PRIMARY KEY, time INTEGER NOT NULL, decision TEXT NOT NULL, records INTEGER NOT NULL
    ) STRICT;",
    // More keys by which a seen message is recognised, 16 octets each, and more of who wrote it.
    "ALTER TABLE seen ADD COLUMN signs BLOB NOT NULL DEFAULT x'';
    ALTER TABLE seen ADD COLUMN authors TEXT NOT NULL DEFAULT '[]';",
    // Who is known here, by keyed hash; a row once in a while for each.
    "CREATE TABLE contact (id INTEGER PRIMARY KEY, key BLOB NOT NULL, at INTEGER NOT NULL) STRICT;",
    // What is remembered of a seen message, with its record: a table of its own is a page more in every commit. See
    // `docs/decisions/073-seen-messages.md`.
    "ALTER TABLE record ADD COLUMN seen BLOB;",
    // The same table; but what is remembered no longer says what its record says, and older programs look for it there.
    "",
    // Which fields a leaf covers, and the first column that a later form covers.
    "ALTER TABLE record ADD COLUMN form INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE record ADD COLUMN authentication TEXT NOT NULL DEFAULT '';",
    // More of the header, where the organisation wants it kept.
    "ALTER TABLE record ADD COLUMN header_from_name TEXT NOT NULL DEFAULT '';
    ALTER TABLE record ADD COLUMN header_to TEXT NOT NULL DEFAULT '';
    ALTER TABLE record ADD COLUMN header_cc TEXT NOT NULL DEFAULT '';
    ALTER TABLE record ADD COLUMN header_reply_to TEXT NOT NULL DEFAULT '';",
    // Which records are of mail that came through again, by the id of its first record; hardly any mail has a row here.
    "CREATE INDEX finding_pass ON finding (evidence) WHERE rule = 'second-pass';",
];

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says it")]
pub enum OpenError {
    #[error("{}: cannot use the log's directory: {source}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("{}: no log here", path.display())]
    Missing { path: PathBuf },
    #[error("{}: the log is used by another process; stop it, because only one postvakt may write to the log", path.display())]
    Locked { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Sqlite { path: PathBuf, source: rusqlite::Error },
    #[error(
        "{}: the log is damaged: {what}. Nothing was changed. Keep the file with its -wal and -shm; restore it from \
         a backup, or recover what is readable with `sqlite3 FILE .recover`, then start again. With the file moved \
         out of the directory postvakt starts at once, with a new epoch of the log", path.display()
    )]
    Damaged { path: PathBuf, what: String },
    #[error("{}: this is not a log of postvakt's (application id {found:#010x}); move it out of the directory", path.display())]
    Foreign { path: PathBuf, found: i32 },
    #[error("{}: written by a newer postvakt (schema {found}, this one knows {VERSION}); install that version again", path.display())]
    Newer { path: PathBuf, found: i32 },
    #[error(
        "{}: the log belongs to node {found:?}, the config says {wanted:?}; give the new node a directory of its own \
         or the old name", path.display()
    )]
    Node { path: PathBuf, found: String, wanted: String },
    #[error(
        "{}: {what} while postvakt is running; mail is deferred until the original is put back. If it is lost, \
         restart postvakt: it continues with what is there, in a new epoch of the log if records are missing",
        path.display()
    )]
    Displaced { path: PathBuf, what: &'static str },
    #[error(
        "{}: a key has 32 bytes, this file has {octets}; restore it from a backup, or move it away: a new key is \
         created. With a new seen.key, forwards of messages seen before now are not recognised by Message-ID; with a new \
         pass.key, mail that comes through again is judged again; with a new heads.key, copy the new heads.pub to where the log is verified", path.display()
    )]
    Key { path: PathBuf, octets: usize },
    #[error(
        "{}: this key can be read by others (mode {mode:04o}); run `chmod 600` on it. If others may have read it, move \
         it away: a new key is created", path.display()
    )]
    KeyMode { path: PathBuf, mode: u32 },
    #[error(transparent)]
    Read(#[from] super::ReadError),
    #[error(transparent)]
    Behind(#[from] super::nodes::Behind),
    #[error("the writer's thread does not start: {0}")]
    Thread(io::Error),
}

/// What a month file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The node that wrote it.
    pub node: String,
    /// The epoch of its records.
    pub epoch: u32,
    /// The number of its last record, or of the last one before it.
    pub last: u64,
}

/// Looks at a month file, and through all of its pages where `thorough`. `None` is a file without content.
pub fn inspect(path: &Path, thorough: bool) -> Result<Option<About>, OpenError> {
    if !inspect_header(path)? {
        return Ok(None);
    }
    let damaged = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::PermissionDenied) => {
            OpenError::Sqlite { path: path.into(), source: error }
        }
        _ => OpenError::Damaged { path: path.into(), what: error.to_string() },
    };
    let connection = open_to_read(path).map_err(damaged)?;
    if thorough {
        let what: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(damaged)?;
        if what != "ok" {
            let what = what.replace('\n', " ");
            return Err(OpenError::Damaged { path: path.into(), what });
        }
    }
    about(&connection).map(Some).map_err(damaged)
}

/// What an open month file says of itself.
pub fn about(connection: &Connection) -> rusqlite::Result<About> {
    let meta =
        |key: &str| connection.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0));
    let sql = match version(connection)? {
        ..TREE_VERSION => "SELECT max(seq) FROM record",
        _ => "SELECT size FROM tree WHERE id = 1",
    };
    let last: Option<i64> = connection.query_row(sql, [], |row| row.get(0))?;
    let first: String = meta("first")?;
    let number = |text: &str| text.parse::<u64>().map_err(|_| rusqlite::Error::InvalidQuery);
    Ok(About {
        node: meta("node")?,
        epoch: u32::try_from(number(&meta("epoch")?)?).map_err(|_| rusqlite::Error::InvalidQuery)?,
        last: match last {
            Some(last) => last.unsigned_abs(),
            None => number(&first)?.saturating_sub(1),
        },
    })
}

/// The first and the last number of a file.
pub(super) fn ends(connection: &Connection) -> rusqlite::Result<Option<(i64, i64)>> {
    // Two queries in one, because SQLite finds both ends at once only one at a time.
    let sql = "SELECT (SELECT min(seq) FROM record), (SELECT max(seq) FROM record)";
    connection.query_row(sql, [], both)
}

/// Both ends, if there are any.
pub(super) fn both(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<(i64, i64)>> {
    Ok(row.get::<_, Option<i64>>(0)?.zip(row.get(1)?))
}

/// Makes a month file in which the tree goes on, whole or not at all: it gets its name when it is complete and on
/// the disk.
pub fn create(directory: &Path, month: Month, about: &About, tree: &Tree) -> Result<(), OpenError> {
    let path = month.path(directory);
    let new = path.with_extension("db.new");
    let sqlite = |source| OpenError::Sqlite { path: new.clone(), source };
    let io = |source| OpenError::Io { path: new.clone(), source };
    let _ = fs::remove_file(&new);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(io)?;
    let connection = Connection::open_with_flags(&new, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(sqlite)?;
    let make = || {
        connection.pragma_update(None, "page_size", PAGE_OCTETS)?;
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        upgrade(&connection)?;
        let mut insert = connection.prepare("INSERT INTO meta VALUES (?1, ?2)")?;
        insert.execute(("node", &about.node))?;
        insert.execute(("epoch", about.epoch.to_string()))?;
        insert.execute(("first", (about.last + 1).to_string()))?;
        tree::write(&connection, tree::START, tree)?;
        tree::write(&connection, tree::NOW, tree)?;
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))
    };
    make().map_err(sqlite)?;
    connection.close().map_err(|(_, source)| sqlite(source))?;
    file.sync_all().map_err(io)?;
    fs::rename(&new, &path).map_err(io)?;
    sync_directory(directory)
}

/// The version of the tables in a file.
pub fn version(connection: &Connection) -> rusqlite::Result<usize> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(0))
}

/// Makes the tables those of this version: all of them in a new file, what came since in an older one.
pub fn upgrade(connection: &Connection) -> rusqlite::Result<()> {
    let missing = VERSIONS.get(version(connection)?..).unwrap_or_default();
    if missing.is_empty() {
        return Ok(());
    }
    let steps = missing.concat();
    connection.execute_batch(&format!("BEGIN IMMEDIATE; {steps} PRAGMA user_version = {VERSION}; COMMIT"))
}

/// A connection for the one writer. It checkpoints when it is told to, also at its end.
pub fn open_to_write(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(limits::COMMIT_TIME / 2)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", limits::WAL_OCTETS)?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    Ok(connection)
}

/// A connection that reads and never writes, not even a checkpoint.
pub fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    open_and_try(path, "SELECT count(*) FROM meta")
}

/// The same of a file of another kind: the access log.
pub fn open_to_read_any(path: &Path) -> rusqlite::Result<Connection> {
    open_and_try(path, "SELECT count(*) FROM sqlite_schema")
}

fn open_and_try(path: &Path, sql: &str) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(limits::COMMIT_TIME / 2)?;
    match connection.query_row(sql, [], |row| row.get::<_, i64>(0)) {
        Ok(_) => Ok(connection),
        // A copy on a medium that cannot be written to, where SQLite cannot make its -shm: no other process writes either.
        Err(error)
            if error.sqlite_error_code() == Some(rusqlite::ErrorCode::CannotOpen)
                && octets(&wal(path)).unwrap_or(0) == 0 =>
        {
            let name = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
            let uri = format!("file:{name}?immutable=1");
            Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)
        }
        Err(error) => Err(error),
    }
}

/// Makes the names in a directory durable.
pub fn sync_directory(directory: &Path) -> Result<(), OpenError> {
    File::open(directory)
        .and_then(|file| file.sync_all())
        .map_err(|source| OpenError::Directory { path: directory.into(), source })
}

/// Octets of a file; `None` if there is none.
pub fn octets(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|metadata| metadata.len())
}

/// The write-ahead log of a month file.
pub fn wal(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// The first 100 octets (sqlite.org/fileformat2.html §1.3) and the length. `false` is a file without content.
fn inspect_header(path: &Path) -> Result<bool, OpenError> {
    let damaged = |what: String| Err(OpenError::Damaged { path: path.into(), what });
    let io = |source| OpenError::Io { path: path.into(), source };
    let mut header = Vec::with_capacity(100);
    let file = File::open(path).map_err(io)?;
    let octets_here = file.metadata().map_err(io)?.len();
    file.take(100).read_to_end(&mut header).map_err(io)?;
    let wal_octets = octets(&wal(path)).unwrap_or(0);
    if header.is_empty() {
        return match wal_octets {
            0 => Ok(false),
            _ => damaged("the file is empty, but its -wal is not".into()),
        };
    }
    let number = |at: usize| -> u32 {
        header.get(at..at + 4).and_then(|octets| octets.try_into().ok()).map_or(0, u32::from_be_bytes)
    };
    if !header.starts_with(b"SQLite format 3\0") || header.len() < 100 {
        return damaged("its header is not that of a SQLite database".into());
    }
    let (application, version) = (number(68).cast_signed(), number(60).cast_signed());
    if application != APPLICATION_ID {
        return Err(OpenError::Foreign { path: path.into(), found: application });
    }
    if version > VERSION {
        return Err(OpenError::Newer { path: path.into(), found: version });
    }
    let page = u64::from(number(16) >> 16);
    let page = if page == 1 { 65_536 } else { page };
    let promised = u64::from(number(28)) * page;
    // With a -wal the last pages may still stand there: a kill during a checkpoint leaves a file that is shorter.
    if wal_octets == 0 && (page == 0 || octets_here < promised || !octets_here.is_multiple_of(page)) {
        return damaged(format!(
            "it has {octets_here} octets, its header promises {promised}: it was cut off"
        ));
    }
    Ok(true)
}

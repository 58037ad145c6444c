//! The access log: who read the log, what, when and why.
//!
//! Contract: an access is on the disk before the first row is shown, also one that is refused; what cannot be written
//! here is not shown. Rows are added and never changed (a trigger refuses it): what came of an access is a row of its
//! own, so that each can become a leaf of a tamper-evident chain.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Row, TransactionBehavior};
use serde::Serialize;

use crate::limits;

/// `PVAC`.
const APPLICATION_ID: i32 = 0x5056_4143;
const VERSION: i32 = 1;
const TABLES: &str = "
    CREATE TABLE access (
        id INTEGER PRIMARY KEY, time INTEGER NOT NULL, uid INTEGER NOT NULL, user TEXT NOT NULL, login TEXT NOT NULL,
        verb TEXT NOT NULL, query TEXT NOT NULL, purpose TEXT NOT NULL, decision TEXT NOT NULL, refused TEXT NOT NULL
    ) STRICT;
    CREATE TABLE result (
        access INTEGER PRIMARY KEY, time INTEGER NOT NULL, rows INTEGER NOT NULL, outcome TEXT NOT NULL
    ) STRICT;
    CREATE TRIGGER access_stays BEFORE UPDATE ON access BEGIN SELECT RAISE(ABORT, 'the access log only grows'); END;
    CREATE TRIGGER access_keeps BEFORE DELETE ON access BEGIN SELECT RAISE(ABORT, 'the access log only grows'); END;
    CREATE TRIGGER result_stays BEFORE UPDATE ON result BEGIN SELECT RAISE(ABORT, 'the access log only grows'); END;
    CREATE TRIGGER result_keeps BEFORE DELETE ON result BEGIN SELECT RAISE(ABORT, 'the access log only grows'); END;
";

/// Why an access cannot be logged, and is therefore not given.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says it")]
pub enum AccessError {
    #[error("{}: the access log cannot be made, so nothing is shown: {source}", path.display())]
    Create { path: PathBuf, source: io::Error },
    #[error("{}: the access log cannot be written, so nothing is shown: {source}", path.display())]
    Write { path: PathBuf, source: rusqlite::Error },
    #[error("{}: this is not an access log that this postvakt knows, so nothing is shown", path.display())]
    Foreign { path: PathBuf },
}

/// An access, as it begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Access {
    /// When.
    #[serde(skip)]
    pub time: Timestamp,
    /// Who.
    #[serde(flatten)]
    pub reader: Reader,
    /// `search`, `export`, `access`.
    pub verb: String,
    /// What was asked, as JSON.
    pub query: String,
    /// Why.
    pub purpose: String,
    /// By whose decision.
    pub decision: String,
    /// Why it was refused; empty where it was not.
    pub refused: String,
}

/// Who reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reader {
    /// The user id of the process.
    pub uid: u32,
    /// Its name.
    pub user: String,
    /// Who logged in, where that is known (`/proc/self/loginuid`): `sudo` does not change it.
    pub login: String,
}

/// An access with what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub id: i64,
    /// The access.
    pub access: Access,
    /// Rows shown and how it ended; absent where it was refused, still goes on, or was broken off.
    pub result: Option<(u64, String)>,
}

/// The access log of a store.
#[derive(Debug)]
pub struct AccessLog {
    path: PathBuf,
    connection: Connection,
}

impl Reader {
    /// Who runs this process.
    pub fn of_this_process() -> Self {
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let uid = rustix::process::getuid().as_raw();
        // Absent without audit in the kernel; 4294967295 for a process that no login started.
        let login = fs::read_to_string("/proc/self/loginuid").ok().and_then(|text| text.trim().parse().ok());
        let login = login.filter(|uid| *uid != u32::MAX).map(|uid| name_of(&users, uid)).unwrap_or_default();
        Self { uid, user: name_of(&users, uid), login }
    }
}

/// The user's name in `passwd(5)`, or the number where another service knows the name.
fn name_of(users: &str, uid: u32) -> String {
    let uid = uid.to_string();
    let mut lines = users.lines().map(|line| line.split(':'));
    let found = lines.find_map(|mut fields| fields.next().filter(|_| fields.nth(1) == Some(uid.as_str())));
    found.map_or(uid.clone(), ToOwned::to_owned)
}

impl AccessLog {
    /// Opens the access log of the store in `directory`, and makes it where there is none.
    pub fn open(directory: &Path) -> Result<Self, AccessError> {
        let path = directory.join("access.db");
        make_file(directory, &path).map_err(|source| AccessError::Create { path: path.clone(), source })?;
        let connection = match prepare(&path) {
            Ok(Some(connection)) => connection,
            Ok(None) => return Err(AccessError::Foreign { path }),
            Err(source) => return Err(AccessError::Write { path, source }),
        };
        Ok(Self { path, connection })
    }

    /// Writes that an access begins, or that it is refused. Its number.
    pub fn begin(&self, access: &Access) -> Result<i64, AccessError> {
        let sql = "INSERT INTO access (time, uid, user, login, verb, query, purpose, decision, refused)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let Access { time, reader, verb, query, purpose, decision, refused } = access;
        let time = time.as_millisecond();
        let values = rusqlite::params![
            time,
            reader.uid,
            reader.user,
            reader.login,
            verb,
            query,
            purpose,
            decision,
            refused
        ];
        self.connection.execute(sql, values).map_err(|source| self.failed(source))?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Writes what came of it.
    pub fn end(&self, access: i64, time: Timestamp, rows: u64, outcome: &str) -> Result<(), AccessError> {
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        let values = (access, time.as_millisecond(), rows, outcome);
        let done = self.connection.execute("INSERT INTO result VALUES (?1, ?2, ?3, ?4)", values);
        done.map(drop).map_err(|source| self.failed(source))
    }

    /// The accesses between two times, in order.
    pub fn list(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<Vec<Entry>, AccessError> {
        let sql =
            "SELECT id, access.time, uid, user, login, verb, query, purpose, decision, refused, rows, outcome
                   FROM access LEFT JOIN result ON access = id
                   WHERE access.time >= ?1 AND access.time < ?2 ORDER BY id";
        let since = since.map_or(i64::MIN, Timestamp::as_millisecond);
        let until = until.map_or(i64::MAX, Timestamp::as_millisecond);
        let list = || -> rusqlite::Result<Vec<Entry>> {
            self.connection.prepare(sql)?.query_map((since, until), entry)?.collect()
        };
        list().map_err(|source| self.failed(source))
    }

    fn failed(&self, source: rusqlite::Error) -> AccessError {
        AccessError::Write { path: self.path.clone(), source }
    }
}

/// Makes the file before SQLite does, closed to others, and the store's own: `root` may be the first to read.
fn make_file(directory: &Path, path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => {
            if rustix::process::geteuid().is_root() {
                let owner = fs::metadata(directory)?;
                std::os::unix::fs::fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
            }
            file.sync_all()?;
            fs::File::open(directory)?.sync_all()
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// `None` is a file of another kind or of a newer version.
fn prepare(path: &Path) -> rusqlite::Result<Option<Connection>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(limits::ACCESS_TIME)?;
    connection.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(()))?;
    // `extra` is `full` and the directory: without it a power failure may bring the journal back.
    connection.pragma_update(None, "synchronous", "extra")?;
    let number = |connection: &Connection, name: &str| {
        connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0))
    };
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.execute_batch(TABLES)?;
    }
    transaction.commit()?;
    let known = number(&connection, "application_id")? == APPLICATION_ID
        && number(&connection, "user_version")? == VERSION;
    Ok(known.then_some(connection))
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let rows: Option<i64> = row.get(10)?;
    let outcome: Option<String> = row.get(11)?;
    Ok(Entry {
        id: row.get(0)?,
        access: Access {
            time: Timestamp::from_millisecond(row.get(1)?).unwrap_or(Timestamp::MIN),
            reader: Reader { uid: row.get(2)?, user: row.get(3)?, login: row.get(4)? },
            verb: row.get(5)?,
            query: row.get(6)?,
            purpose: row.get(7)?,
            decision: row.get(8)?,
            refused: row.get(9)?,
        },
        result: rows.map(i64::unsigned_abs).zip(outcome),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(purpose: &str) -> Access {
        Access {
            time: "2026-08-21T11:05:09Z".parse().unwrap(),
            reader: Reader { uid: 0, user: "root".into(), login: String::new() },
            verb: "search".into(),
            query: "{}".into(),
            purpose: purpose.into(),
            decision: String::new(),
            refused: String::new(),
        }
    }

    #[test]
    fn what_is_written_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let log = AccessLog::open(directory.path()).unwrap();
        let first = log.begin(&access("a")).unwrap();
        log.end(first, Timestamp::UNIX_EPOCH, 7, "done").unwrap();
        log.begin(&access("b")).unwrap();
        for change in ["UPDATE access SET purpose = 'c'", "DELETE FROM access", "UPDATE result SET rows = 0"]
        {
            assert!(log.connection.execute(change, []).unwrap_err().to_string().contains("only grows"));
        }
        drop(log);
        let entries = AccessLog::open(directory.path()).unwrap().list(None, None).unwrap();
        assert_eq!(entries[0].access, access("a"));
        assert_eq!(entries[0].result, Some((7, "done".into())));
        assert_eq!((entries[1].access.purpose.as_str(), &entries[1].result), ("b", &None));
        let mode = fs::metadata(directory.path().join("access.db")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn another_database_is_no_access_log() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("access.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
        assert!(matches!(AccessLog::open(directory.path()), Err(AccessError::Foreign { .. })));
        fs::write(&path, "not a database, but long enough to be taken for one".repeat(20)).unwrap();
        assert!(matches!(AccessLog::open(directory.path()), Err(AccessError::Write { .. })));
    }

    #[test]
    fn names_come_from_passwd() {
        let users = "root:x:0:0:root:/root:/bin/sh\nanna:x:1000:1000::/home/anna:/bin/sh\n";
        assert_eq!((name_of(users, 1000), name_of(users, 7)), ("anna".into(), "7".into()));
    }
}

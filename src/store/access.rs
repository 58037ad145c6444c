//! The access log: who read the log, what, when and why, and what was decided about it.
//!
//! Contract: an access is on the disk before the first row is shown, also one that is refused; what cannot be written
//! here is not shown. Entries are added and never changed (a trigger refuses it): what came of an access, the end of a
//! decision, the release of a hold are entries of their own. Each is a leaf of a Merkle tree, whose heads the daemon
//! signs.

mod bodies;
pub(super) mod epoch;
mod former;
mod order;
mod pruned;
mod reader;

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Row, Transaction, TransactionBehavior};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use self::bodies::{
    AccessRetention, ActiveConfig, ClockStep, ConfigChange, NewEpoch, Period, Retention, Taken,
};
pub use self::order::newest;
pub(super) use self::pruned::leaves_of;
pub use self::reader::{Reader, Unix, Via};
use super::{schema, tree};
use crate::limits;
use crate::merkle::{self, Hash, Salt, Tree};
use crate::text::words;

/// `PVAC`.
const APPLICATION_ID: i32 = 0x5056_4143;
const VERSION: i32 = 6;
/// The version before, none of whose entries was ever deleted.
const ALL_ENTRIES: i32 = 5;
/// The version before that, whose accesses had a purpose and a decision, and whose decisions nobody approved.
const TWO_REASONS: i32 = 4;
/// The version before that, which had one epoch.
const ONE_EPOCH: i32 = 3;
/// The version before that, whose entries named the user of a process and no front end. They stay as they are.
const UNIX_ALONE: i32 = 2;
/// The first version, whose entries were no leaves.
const FORMER: i32 = 1;
const TABLES: &str = "
    CREATE TABLE entry (
        n INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, salt BLOB NOT NULL,
        leaf BLOB NOT NULL
    ) STRICT;
    CREATE TABLE tree (id INTEGER PRIMARY KEY, size INTEGER NOT NULL, frontier BLOB NOT NULL) STRICT;
    CREATE TRIGGER entry_stays BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'the access log only grows'); END;
";

/// Why an access cannot be logged, and is therefore not given.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says it")]
pub enum AccessError {
    #[error("{}: cannot create the access log, so nothing is shown: {source}", path.display())]
    Create { path: PathBuf, source: io::Error },
    #[error("{}: cannot write the access log, so nothing is shown: {source}", path.display())]
    Write { path: PathBuf, source: rusqlite::Error },
    #[error("{}: not an access log of this version, so nothing is shown", path.display())]
    Foreign { path: PathBuf },
    #[error(
        "the clock says {now}, and the access log has {newest} already, so nothing is shown or written: set the clock. If \
         it was ahead before, start postvakt, which notes that it was set back"
    )]
    Clock { now: Timestamp, newest: Timestamp },
    #[error("the system gives no random bytes, so nothing is shown: {0}")]
    Random(getrandom::Error),
}

words! {
    /// What an entry tells of.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Kind {
        /// Somebody asked to read, and may or may not.
        Access = "access",
        /// What came of it.
        Result = "result",
        /// A decision was registered.
        Decision = "decision",
        /// A second person approved it.
        Approve = "approve",
        /// A decision holds no longer.
        Close = "close",
        /// Records are kept, whatever retention says.
        Hold = "hold",
        /// They are no longer.
        Release = "release",
        /// A person proposed a retention run, which another one has done.
        Proposal = "proposal",
        /// Retention took records away.
        Retention = "retention",
        /// Retention took entries of the access log away.
        AccessRetention = "access-retention",
        /// A config came into force, or was refused.
        Config = "config",
        /// The system's clock was set.
        Clock = "clock",
        /// The access log was not all that its newest head says, and goes on in a new epoch.
        Epoch = "epoch",
        /// Receipts and notices came to their end.
        Outcomes = "outcomes",
        /// A person judged a finding.
        Label = "label",
        /// A person released, returned or handed over a held mail, or is about to.
        HeldMail = "held-mail",
        /// A request for public records was registered, reviewed, approved or answered.
        Disclosure = "disclosure",
        /// A person signed the follow-up of a quarter.
        FollowUp = "follow-up",
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 1.
    pub n: u64,
    /// When.
    pub time: Timestamp,
    /// What it tells of.
    pub kind: String,
    /// What it tells, as JSON.
    pub body: String,
    /// Not before this was it written, whatever its own time says: entries that were written before it say so.
    pub registered: Timestamp,
}

impl Entry {
    /// What it tells, if it is of that kind.
    pub fn read<T: DeserializeOwned>(&self, kind: Kind) -> Option<T> {
        (self.kind == kind.as_str()).then(|| serde_json::from_str(&self.body).ok())?
    }
}

/// An access, as it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Who asks about their own mail, where that is why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub own_request: String,
    /// Which request for public records it is for, where it is for one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request: String,
    /// Whether that decision is in the register.
    #[serde(default)]
    pub registered: bool,
    /// Why it was refused; empty where it was not.
    pub refused: String,
}

/// What came of an access.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ended {
    pub(super) access: u64,
    pub(super) rows: u64,
    pub(super) how: String,
    /// Index files that could not be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) unused: Vec<String>,
    /// The file that was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) made: Option<Made>,
}

/// A file that an export made, as the access log has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// SHA-256 of the file.
    pub file: String,
    /// SHA-256 of its manifest.
    pub manifest: String,
    /// How many records it has.
    pub rows: u64,
}

/// An access with what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Its number.
    pub n: u64,
    /// The access.
    pub access: Access,
    /// When it was registered: its time, or that of a newer entry that stands before it.
    pub registered: Timestamp,
    /// Rows shown and how it ended; absent where it was refused, still goes on, or was broken off.
    pub result: Option<(u64, String)>,
}

impl Done {
    /// An entry that is no reading of the log, shown as one.
    fn deed(entry: Entry) -> Self {
        let access = Access {
            time: entry.time,
            reader: serde_json::from_str(&entry.body).unwrap_or_else(|_| Reader::unknown()),
            verb: entry.kind,
            query: entry.body,
            ..Access::default()
        };
        let (n, registered) = (entry.n, entry.registered);
        Self { n, access, registered, result: Some((0, "done".to_owned())) }
    }
}

/// The access log of a store.
#[derive(Debug)]
pub struct AccessLog {
    path: PathBuf,
    connection: Connection,
}

impl AccessLog {
    /// Opens the access log of the store in `directory`, and creates it if it is missing.
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

    /// Writes an entry. Its number.
    pub fn add(&mut self, kind: Kind, time: Timestamp, body: &impl Serialize) -> Result<u64, AccessError> {
        self.add_and(kind, time, body, |_, _| Ok(()))
    }

    /// Writes an entry, and does more in the same transaction, with its number.
    fn add_and(
        &mut self,
        kind: Kind,
        time: Timestamp,
        body: &impl Serialize,
        more: impl FnOnce(&Transaction<'_>, u64) -> rusqlite::Result<()>,
    ) -> Result<u64, AccessError> {
        let mut salt = Salt::default();
        getrandom::fill(&mut salt).map_err(AccessError::Random)?;
        // Strings, numbers and lists of them always have a JSON form.
        let body = serde_json::to_string(body).unwrap_or_default();
        let directory = self.path.parent().unwrap_or(Path::new("")).to_path_buf();
        let add = || {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if order::is_held_to(kind)
                && let Some(newest) = order::behind(&transaction, &directory, time)?
            {
                return Ok(Err(newest));
            }
            let mut tree = tree::read(&transaction, tree::NOW)?;
            let n = append(&transaction, &mut tree, time.as_millisecond(), kind, &body, &salt)?;
            tree::write(&transaction, tree::NOW, &tree)?;
            more(&transaction, n)?;
            transaction.commit()?;
            Ok(Ok(n))
        };
        let added = add().map_err(|source| AccessError::Write { path: self.path.clone(), source })?;
        added.map_err(|newest| AccessError::Clock { now: time, newest })
    }

    /// The config that the daemon loaded last, and when; none where the log does not say.
    pub fn active_config(&self) -> Result<Option<(Timestamp, ConfigChange)>, AccessError> {
        let read = || -> rusqlite::Result<_> {
            let sql = "SELECT n, time, kind, body FROM entry WHERE kind = 'config' ORDER BY n DESC";
            let mut statement = self.connection.prepare(sql)?;
            for entry in statement.query_map([], entry)? {
                let entry = entry?;
                let change = entry.read::<ConfigChange>(Kind::Config);
                if let Some(change) = change.filter(|change| !change.config.is_empty()) {
                    return Ok(Some((entry.time, change)));
                }
            }
            Ok(None)
        };
        read().map_err(|source| self.failed(source))
    }

    /// Writes that an access begins, or that it is refused. Its number.
    pub(super) fn begin(&mut self, access: &Access) -> Result<u64, AccessError> {
        self.add(Kind::Access, access.time, access)
    }

    /// Writes what came of it.
    pub(super) fn end(&mut self, time: Timestamp, ended: &Ended) -> Result<(), AccessError> {
        self.add(Kind::Result, time, ended).map(drop)
    }

    /// The access log for reading alone; `None` where nobody has read the log yet.
    pub(super) fn open_to_read(directory: &Path) -> Result<Option<Self>, AccessError> {
        let path = directory.join("access.db");
        let opened = open_to_read(directory);
        let connection = opened.map_err(|source| AccessError::Write { path: path.clone(), source })?;
        Ok(connection.map(|connection| Self { path, connection }))
    }

    /// The access with that number, and what file it made; `None` where there is none.
    pub(super) fn access(&self, n: u64) -> Result<Option<(Access, Option<Made>)>, AccessError> {
        let entries = self.entries(&[Kind::Access, Kind::Result])?;
        let access = entries.iter().find(|entry| entry.n == n).and_then(|entry| entry.read(Kind::Access));
        let mut ends = entries.iter().filter_map(|entry| entry.read::<Ended>(Kind::Result));
        let made = ends.find(|ended| ended.access == n).and_then(|ended| ended.made);
        Ok(access.map(|access| (access, made)))
    }

    /// All entries of these kinds, in order.
    pub(super) fn entries(&self, kinds: &[Kind]) -> Result<Vec<Entry>, AccessError> {
        let list = || -> rusqlite::Result<Vec<Entry>> {
            let mut statement =
                self.connection.prepare("SELECT n, time, kind, body FROM entry ORDER BY n")?;
            let wanted = |entry: &rusqlite::Result<Entry>| {
                entry.as_ref().map_or(true, |entry| kinds.iter().any(|kind| kind.as_str() == entry.kind))
            };
            let mut newest = Timestamp::MIN;
            let registered = |entry: rusqlite::Result<Entry>| {
                let entry = entry?;
                // The clock was set, and this says to what.
                let is_step = entry.kind == Kind::Clock.as_str();
                newest = if is_step { entry.time } else { newest.max(entry.time) };
                Ok(Entry { registered: newest, ..entry })
            };
            statement.query_map([], entry)?.map(registered).filter(wanted).collect()
        };
        list().map_err(|source| self.failed(source))
    }

    /// The entries of one kind, in order. The others are not read.
    pub(super) fn entries_of(&self, kind: Kind) -> Result<Vec<Entry>, AccessError> {
        let list = || -> rusqlite::Result<Vec<Entry>> {
            let sql = "SELECT n, time, kind, body FROM entry WHERE kind = ?1 ORDER BY n";
            let mut statement = self.connection.prepare(sql)?;
            statement.query_map([kind.as_str()], entry)?.collect()
        };
        list().map_err(|source| self.failed(source))
    }

    /// The entries of a kind that have this text in them, in order.
    pub(super) fn entries_that_have(&self, kind: Kind, text: &str) -> Result<Vec<Entry>, AccessError> {
        let list = || -> rusqlite::Result<Vec<Entry>> {
            let sql =
                "SELECT n, time, kind, body FROM entry WHERE kind = ?1 AND instr(body, ?2) > 0 ORDER BY n";
            let mut statement = self.connection.prepare(sql)?;
            statement.query_map((kind.as_str(), text), entry)?.collect()
        };
        list().map_err(|source| self.failed(source))
    }

    /// The accesses between two times with what came of them, in order.
    pub(super) fn list(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<Vec<Done>, AccessError> {
        let mut done: Vec<Done> = Vec::new();
        for entry in self.entries(&[Kind::Access, Kind::Result])? {
            if let Some(access) = entry.read::<Access>(Kind::Access) {
                let (n, registered) = (entry.n, entry.registered);
                done.push(Done {
                    n,
                    access: Access { time: entry.time, ..access },
                    registered,
                    result: None,
                });
            } else if let Some(ended) = entry.read::<Ended>(Kind::Result)
                && let Ok(at) = done.binary_search_by_key(&ended.access, |done| done.n)
                && let Some(done) = done.get_mut(at)
            {
                done.result = Some((ended.rows, ended.how));
            }
        }
        done.retain(|done| {
            since.is_none_or(|since| done.registered >= since)
                && until.is_none_or(|until| done.registered < until)
        });
        Ok(done)
    }

    /// The accesses between two times, and whatever else people did with the log then, in order.
    pub(super) fn list_all(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<Vec<Done>, AccessError> {
        let mut done = self.list(since, until)?;
        let is_deed = |kind: &Kind| !matches!(kind, Kind::Access | Kind::Result | Kind::Outcomes);
        let deeds: Vec<Kind> = Kind::ALL.into_iter().filter(is_deed).collect();
        let during = |entry: &Entry| {
            since.is_none_or(|since| entry.registered >= since)
                && until.is_none_or(|until| entry.registered < until)
        };
        done.extend(self.entries(&deeds)?.into_iter().filter(during).map(Done::deed));
        done.sort_by_key(|done| done.n);
        Ok(done)
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
        tree::write(&transaction, tree::NOW, &Tree::default())?;
        epoch::make(&transaction)?;
        pruned::make(&transaction)?;
    } else if number(&transaction, "application_id")? == APPLICATION_ID {
        match number(&transaction, "user_version")? {
            FORMER => former::take_over(&transaction)?,
            // An older program would not understand what is written from now on, and must not go on with it.
            version @ (UNIX_ALONE | ONE_EPOCH | TWO_REASONS | ALL_ENTRIES) => {
                if version < TWO_REASONS {
                    epoch::make(&transaction)?;
                }
                pruned::make(&transaction)?;
                transaction.pragma_update(None, "user_version", VERSION)?;
            }
            _ => {}
        }
    }
    transaction.commit()?;
    let known = number(&connection, "application_id")? == APPLICATION_ID
        && number(&connection, "user_version")? == VERSION;
    Ok(known.then_some(connection))
}

/// Adds an entry, as the next leaf of the tree. Its number.
fn append(
    transaction: &Transaction<'_>,
    tree: &mut Tree,
    time: i64,
    kind: Kind,
    body: &str,
    salt: &Salt,
) -> rusqlite::Result<u64> {
    let n = epoch::next(transaction)?;
    let leaf = leaf(n, salt, time, kind.as_str(), body);
    tree.push(leaf);
    let values = rusqlite::params![n.cast_signed(), time, kind.as_str(), body, salt, leaf];
    transaction.execute("INSERT INTO entry VALUES (?1, ?2, ?3, ?4, ?5, ?6)", values)?;
    Ok(n)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let time = Timestamp::from_millisecond(row.get(1)?).unwrap_or(Timestamp::MIN);
    Ok(Entry {
        n: row.get::<_, i64>(0)?.unsigned_abs(),
        time,
        registered: time,
        kind: row.get(2)?,
        body: row.get(3)?,
    })
}

/// The form of an entry's leaf.
const LEAF_FORM: u8 = 1;

/// The leaf of an entry.
pub(super) fn leaf(n: u64, salt: &Salt, time: i64, kind: &str, body: &str) -> Hash {
    let time = time.to_string();
    let fields = [time.as_bytes(), kind.as_bytes(), body.as_bytes()];
    merkle::leaf(LEAF_FORM, n, &merkle::hash_of(salt, &fields))
}

/// Whether the file is one of the version before.
pub(super) fn is_former(path: &Path) -> bool {
    let version = |connection: Connection| {
        connection.pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0))
    };
    schema::open_to_read_any(path).and_then(version).is_ok_and(|version| version == FORMER)
}

/// The access log in `directory`, for reading alone.
pub(super) fn open_to_read(directory: &Path) -> rusqlite::Result<Option<Connection>> {
    let path = directory.join("access.db");
    // Whoever opens it for the first time makes the file first, and then the tables.
    if schema::octets(&path).unwrap_or(0) == 0 {
        return Ok(None);
    }
    let connection = schema::open_to_read_any(&path)?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok((tables > 0).then_some(connection))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(purpose: &str) -> Access {
        Access {
            time: "2026-08-21T11:05:09Z".parse().unwrap(),
            reader: Reader::of_unix(Via::CommandLine, Unix { user: "root".into(), ..Unix::default() }),
            verb: "search".into(),
            query: "{}".into(),
            purpose: purpose.into(),
            ..Access::default()
        }
    }

    #[test]
    fn what_is_written_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = AccessLog::open(directory.path()).unwrap();
        let first = log.begin(&access("a")).unwrap();
        let ended = Ended { access: first, rows: 7, how: "done".into(), ..Ended::default() };
        log.end(Timestamp::UNIX_EPOCH, &ended).unwrap();
        log.begin(&access("b")).unwrap();
        for change in ["UPDATE entry SET body = 'c'", "DELETE FROM entry WHERE n = 2"] {
            assert!(log.connection.execute(change, []).unwrap_err().to_string().contains("only grows"));
        }
        drop(log);
        assert_eq!(epoch::grown(directory.path(), None).unwrap().unwrap().tree.size(), 3);
        let entries = AccessLog::open(directory.path()).unwrap().list(None, None).unwrap();
        assert_eq!(entries[0].access, access("a"));
        assert_eq!(entries[0].result, Some((7, "done".into())));
        assert_eq!((entries[1].access.purpose.as_str(), &entries[1].result), ("b", &None));
        let mode = fs::metadata(directory.path().join("access.db")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn one_that_is_just_being_made_has_no_entries() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("access.db");
        make_file(directory.path(), &path).unwrap();
        assert!(epoch::grown(directory.path(), None).unwrap().is_none());
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (a); DROP TABLE t").unwrap();
        assert!(epoch::grown(directory.path(), None).unwrap().is_none());
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
}

//! Backup: copies the log into an empty directory while the server runs.
//!
//! Contract: each file is copied at one moment, and no copy is older than what another copy says of it: tree heads are copied
//! first, the access log after the records, so that the copy verifies. The copy is on the disk when this returns, and its
//! file `SHA256SUMS` is written last. A server that starts from the copy begins a new epoch (`epoch::COPY`).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::Timestamp;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::access::{Access, AccessError, AccessLog, Ended, Made, Reader};
use super::epoch::{self, SUMS};
use super::month::Month;
use super::retention::{self, RetentionError};
use super::schema::{self, OpenError};
use super::{FORMER_PASS_KEY, PASS_KEY, deliveries, follow, heads};
use crate::limits;
use crate::text::hex;

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says it")]
pub enum BackupError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Retention(#[from] RetentionError),
    #[error("{}: not empty; name a new or an empty directory", path.display())]
    NotEmpty { path: PathBuf },
    #[error("{}: inside the log's directory; name a directory elsewhere, best on another disk", path.display())]
    Inside { path: PathBuf },
    #[error("{}: no backup was made: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: no backup was made: {source}", path.display())]
    Sqlite { path: PathBuf, source: rusqlite::Error },
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// Its name, here and there.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, in hex.
    pub sha256: String,
}

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// Its files.
    pub files: Vec<Copied>,
    /// How many records it has.
    pub records: u64,
    /// The number of its entry in the access log.
    pub access: u64,
}

/// Copies the log in `directory` to `target`. The access log says who did it and what came of it.
pub fn copy(directory: &Path, target: &Path, reader: Reader) -> Result<Manifest, BackupError> {
    let months =
        Month::list(directory).map_err(|source| OpenError::Directory { path: directory.into(), source })?;
    if months.is_empty() && !directory.join("seen.key").exists() {
        return Err(OpenError::Missing { path: directory.into() }.into());
    }
    // What retention deletes stands in the access log before it is gone: a copy from between the two would not verify.
    let _no_run = retention::exclude(directory)?;
    prepare(directory, target)?;
    let mut accesses = AccessLog::open(directory)?;
    let query = json!({ "directory": target.display().to_string() }).to_string();
    let (time, verb, purpose) = (Timestamp::now(), "backup".to_owned(), "backup".to_owned());
    let n = accesses.begin(&Access { time, reader, verb, query, purpose, ..Access::default() })?;
    let mut copy = Copy { directory, target, files: Vec::new(), records: 0 };
    let made = copy.all(time);
    let (how, made) = match made {
        Ok(sums) => ("done", Ok(sums)),
        Err(error) => {
            copy.take_back();
            ("failed", Err(error))
        }
    };
    let rows = if made.is_ok() { copy.records } else { 0 };
    let file = made.as_ref().ok().map(|sums| Made { file: sums.clone(), manifest: String::new(), rows });
    let ended = Ended { access: n, rows, how: how.to_owned(), made: file, ..Ended::default() };
    accesses.end(Timestamp::now(), &ended)?;
    made.map(|_| Manifest { files: copy.files, records: rows, access: n })
}

/// Makes the directory of the copy, or looks whether the one that is there is empty.
fn prepare(directory: &Path, target: &Path) -> Result<(), BackupError> {
    let io = |source| BackupError::Io { path: target.into(), source };
    match DirBuilder::new().mode(0o700).create(target) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if fs::read_dir(target).map_err(io)?.next().is_some() {
                return Err(BackupError::NotEmpty { path: target.into() });
            }
        }
        Err(error) => return Err(io(error)),
    }
    let (log, copy) = (directory.canonicalize().map_err(io)?, target.canonicalize().map_err(io)?);
    if copy.starts_with(&log) {
        // An empty directory there does no harm, and was perhaps not made here.
        let _ = fs::remove_dir(target);
        return Err(BackupError::Inside { path: target.into() });
    }
    Ok(())
}

/// A copy that is being made.
struct Copy<'a> {
    directory: &'a Path,
    target: &'a Path,
    files: Vec<Copied>,
    records: u64,
}

impl Copy<'_> {
    /// Copies everything. The SHA-256 of the file of sums.
    fn all(&mut self, time: Timestamp) -> Result<String, BackupError> {
        for name in [
            heads::FILE,
            heads::PUBLIC_KEY,
            heads::PRIVATE_KEY,
            epoch::NAME,
            "seen.key",
            PASS_KEY,
            FORMER_PASS_KEY,
        ] {
            self.plain(name)?;
        }
        // The list comes after the file `epoch`, which names no month that is not copied.
        let months = Month::list(self.directory)
            .map_err(|source| OpenError::Directory { path: self.directory.into(), source })?;
        for month in months {
            self.database(&month.path(Path::new("")).to_string_lossy())?;
        }
        self.database("access.db")?;
        self.database(deliveries::FILE)?;
        for name in follow::names(self.directory) {
            self.plain(&name)?;
        }
        // What was sent while the records were copied is marked here.
        self.plain("sent")?;
        let version = env!("CARGO_PKG_VERSION");
        self.write(epoch::COPY, format!("backup of {time} by postvakt {version}\n").as_bytes(), None)?;
        let sums: Vec<String> =
            self.files.iter().map(|file| format!("{}  {}\n", file.sha256, file.name)).collect();
        schema::sync_directory(self.target)?;
        self.write(SUMS, sums.concat().as_bytes(), None)?;
        schema::sync_directory(self.target)?;
        Ok(self.files.pop().map(|sums| sums.sha256).unwrap_or_default())
    }

    /// A file that is written whole, or only grows. One that is not there is not copied.
    fn plain(&mut self, name: &str) -> Result<(), BackupError> {
        let path = self.directory.join(name);
        let io = |source| BackupError::Io { path: path.clone(), source };
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(io(error)),
        };
        let mut octets = Vec::new();
        file.read_to_end(&mut octets).map_err(io)?;
        self.write(name, &octets, Some(&file))
    }

    fn write(&mut self, name: &str, octets: &[u8], like: Option<&File>) -> Result<(), BackupError> {
        let path = self.target.join(name);
        let write = || {
            let mut file = self.create(&path, like)?;
            file.write_all(octets)?;
            file.sync_all()
        };
        write().map_err(|source| BackupError::Io { path: path.clone(), source })?;
        let (size, sha256) = (octets.len() as u64, hex(&Sha256::digest(octets)));
        self.files.push(Copied { name: name.to_owned(), size, sha256 });
        Ok(())
    }

    /// A database, as it is at one moment, with what stands in its `-wal`.
    fn database(&mut self, name: &str) -> Result<(), BackupError> {
        let (from, to) = (self.directory.join(name), self.target.join(name));
        if schema::octets(&from).unwrap_or(0) == 0 {
            return Ok(());
        }
        let sqlite = |source| BackupError::Sqlite { path: from.clone(), source };
        let io = |source| BackupError::Io { path: to.clone(), source };
        let like = File::open(&from).map_err(|source| BackupError::Io { path: from.clone(), source })?;
        let file = self.create(&to, Some(&like)).map_err(io)?;
        self.files.push(Copied { name: name.to_owned(), size: 0, sha256: String::new() });
        self.records += pages(&from, &to).map_err(sqlite)?;
        file.sync_all().map_err(io)?;
        let (size, sha256) = digest(&to).map_err(io)?;
        self.files.pop();
        self.files.push(Copied { name: name.to_owned(), size, sha256 });
        Ok(())
    }

    /// A new file, open to those alone to whom the other one is.
    fn create(&self, path: &Path, like: Option<&File>) -> io::Result<File> {
        let like = like.map_or_else(|| fs::metadata(self.directory.join("seen.key")), File::metadata)?;
        let mode = like.mode() & 0o777;
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(path)?;
        if rustix::process::geteuid().is_root() {
            fchown(&file, Some(like.uid()), Some(like.gid()))?;
        }
        Ok(file)
    }

    /// Removes what was copied, so that the directory is empty again.
    fn take_back(&self) {
        for name in self.files.iter().map(|file| file.name.as_str()).chain([SUMS, epoch::COPY]) {
            // What cannot be removed is no backup either: the sums are missing.
            let _ = fs::remove_file(self.target.join(name));
        }
    }
}

/// Copies the pages of a database within one read transaction. How many records there are.
fn pages(from: &Path, to: &Path) -> rusqlite::Result<u64> {
    let source = schema::open_to_read_any(from)?;
    let moment = source.unchecked_transaction()?;
    let ends = if moment.table_exists(None, "record")? { schema::ends(&moment)? } else { None };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut target = Connection::open_with_flags(to, flags)?;
    // Only the whole file counts, and it is synced at the end.
    target.pragma_update_and_check(None, "journal_mode", "off", |_| Ok(()))?;
    target.pragma_update(None, "synchronous", "off")?;
    let backup = Backup::new(&source, &mut target)?;
    let until = Instant::now() + limits::ACCESS_TIME;
    loop {
        match backup.step(-1)? {
            StepResult::Done => break,
            // A writer has the access log for the time of one fsync.
            _ if Instant::now() < until => std::thread::sleep(limits::BACKUP_BREATH),
            _ => {
                let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
                return Err(rusqlite::Error::SqliteFailure(busy, None));
            }
        }
    }
    drop(backup);
    // As one of a `-wal` it would get one here if it were read now.
    target.close().map_err(|(_, error)| error)?;
    Ok(ends.map_or(0, |(first, last)| (last - first).unsigned_abs() + 1))
}

/// Size and SHA-256 of a file.
fn digest(path: &Path) -> io::Result<(u64, String)> {
    let (mut file, mut hash, mut size) = (File::open(path)?, Sha256::new(), 0);
    let mut octets = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut octets)?;
        if count == 0 {
            return Ok((size, hex(&hash.finalize())));
        }
        size += count as u64;
        hash.update(octets.get(..count).unwrap_or_default());
    }
}

//! Cursors: how far each follower of the log has come, in a file beside the log.
//!
//! Contract: a cursor is written whole or not at all, and is on the disk when it is saved. It is saved after its records were
//! handed over, so that a follower that is killed between the two hands them over again.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::key;
use super::schema::sync_directory;
use crate::metrics::METRICS;

/// What the names of these files begin with.
pub(super) const PREFIX: &str = "follow-";

/// How far a follower has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The last record that was handed over, or left out; empty before the first one.
    pub record: String,
    /// When its mail came.
    pub time: Timestamp,
    /// When the follower last had no record left.
    pub even: Timestamp,
    /// About how many records are left.
    pub waiting: u64,
    /// How many were handed over.
    pub sent: u64,
    /// How many the sink refused for good.
    pub refused: u64,
}

impl Default for Cursor {
    fn default() -> Self {
        let (time, even) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        Self { record: String::new(), time, even, waiting: 0, sent: 0, refused: 0 }
    }
}

/// The cursor of one follower, which no other process has at the same time.
#[derive(Debug)]
pub struct CursorFile {
    path: PathBuf,
    directory: PathBuf,
    _lock: File,
}

impl CursorFile {
    /// Takes the cursor of that name. `None` where another process has it.
    pub fn take(directory: &Path, name: &str) -> io::Result<Option<Self>> {
        let path = directory.join(format!("{PREFIX}{name}"));
        let lock = directory.join(format!("{PREFIX}{name}.lock"));
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(lock)?;
        give_to_owner(directory, &file)?;
        if file.try_lock().is_err() {
            return Ok(None);
        }
        Ok(Some(Self { path, directory: directory.to_owned(), _lock: file }))
    }

    /// What it says; a new one where there is none.
    pub fn read(&self) -> io::Result<Cursor> {
        match fs::read(&self.path) {
            Ok(octets) => serde_json::from_slice(&octets).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Cursor::default()),
            Err(error) => Err(error),
        }
    }

    /// Writes it.
    pub fn write(&self, cursor: &Cursor) -> io::Result<()> {
        let text = serde_json::to_string(cursor).map_err(io::Error::other)?;
        key::write_whole(&self.path, format!("{text}\n").as_bytes())?;
        give_to_owner(&self.directory, &File::open(&self.path)?)?;
        sync_directory(&self.directory).map_err(io::Error::other)
    }
}

/// The server reads it, also where `root` follows.
fn give_to_owner(directory: &Path, file: &File) -> io::Result<()> {
    if rustix::process::geteuid().is_root() {
        let owner = fs::metadata(directory)?;
        std::os::unix::fs::fchown(file, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

/// The names of the cursors in a directory.
pub(super) fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(PREFIX) && !name.contains('.')).collect()
}

/// Shows in the metrics how far each follower is behind.
pub fn measure(directory: &Path) {
    for of in [&METRICS.follow_lag, &METRICS.follow_even, &METRICS.follow_refused] {
        of.reset();
    }
    for name in names(directory) {
        let text = fs::read(directory.join(&name)).ok();
        let Some(cursor) = text.and_then(|text| serde_json::from_slice::<Cursor>(&text).ok()) else {
            continue;
        };
        let sink = [name.strip_prefix(PREFIX).unwrap_or(&name)];
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        METRICS.follow_lag.with_label_values(&sink).set(number(cursor.waiting));
        METRICS.follow_even.with_label_values(&sink).set(cursor.even.as_second());
        METRICS.follow_refused.with_label_values(&sink).set(number(cursor.refused));
    }
}

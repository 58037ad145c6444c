//! The log's place: whether what is written to is what stands under its name.
//!
//! A file that is moved or removed while it is open takes everything that is written to it, and it cannot be found
//! there. So each transaction looks before and after whether directory, lock, month file and write-ahead log are those
//! that were opened. What is not in its place counts as not stored.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::schema::{self, OpenError};
use crate::metrics::METRICS;

/// What was opened, by name.
#[derive(Debug)]
pub(super) struct Place {
    directory: Named,
    lock: Named,
    month: Option<Named>,
    /// As long as the month file is open; SQLite makes it anew.
    wal: Option<Named>,
}

/// A name, and what stood there.
#[derive(Debug)]
struct Named {
    path: PathBuf,
    device: u64,
    inode: u64,
    /// The least that it has, where it only grows, as month files do.
    octets: Option<u64>,
}

impl Place {
    /// The directory with its lock.
    pub(super) fn of(directory: &Path, lock: &File) -> io::Result<Self> {
        let lock = Named::of(directory.join("lock"), &lock.metadata()?);
        let directory = Named::of(directory.to_owned(), &fs::metadata(directory)?);
        Ok(Self { directory, lock, month: None, wal: None })
    }

    /// Remembers the month file that the log goes on in, if there is one.
    pub(super) fn expect(&mut self, month: &Path) {
        let found = fs::metadata(month).ok().filter(|metadata| metadata.len() > 0);
        self.month = found.map(|metadata| Named::growing(month, &metadata));
    }

    /// Whether that file was there before.
    pub(super) fn knows(&self, month: &Path) -> bool {
        self.month.as_ref().is_some_and(|known| known.path == month)
    }

    /// Remembers what SQLite has open. A file that was there before must be the same.
    pub(super) fn opened(&mut self, month: &Path) -> Result<(), OpenError> {
        let io = |source| OpenError::Io { path: month.to_owned(), source };
        if !self.knows(month) {
            self.month = Some(Named::growing(month, &fs::metadata(month).map_err(io)?));
        }
        let wal = schema::wal(month);
        let found = fs::metadata(&wal).map_err(|source| OpenError::Io { path: wal.clone(), source })?;
        self.wal = Some(Named::of(wal, &found));
        self.look()
    }

    /// Forgets what SQLite had open.
    pub(super) fn closed(&mut self) {
        self.wal = None;
    }

    /// An error where anything is no longer what was opened. Four calls of the system, 1 µs each.
    pub(super) fn look(&mut self) -> Result<(), OpenError> {
        let Self { directory, lock, month, wal } = self;
        let looked = [Some(directory), Some(lock), month.as_mut(), wal.as_mut()]
            .into_iter()
            .flatten()
            .try_for_each(Named::look);
        METRICS.store_displaced.set(i64::from(looked.is_err()));
        looked
    }
}

impl Named {
    fn of(path: PathBuf, metadata: &Metadata) -> Self {
        Self { path, device: metadata.dev(), inode: metadata.ino(), octets: None }
    }

    fn growing(path: &Path, metadata: &Metadata) -> Self {
        Self { octets: Some(metadata.len()), ..Self::of(path.to_owned(), metadata) }
    }

    fn look(&mut self) -> Result<(), OpenError> {
        let what = match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => "not found",
            Err(source) => return Err(OpenError::Io { path: self.path.clone(), source }),
            Ok(found) if (found.dev(), found.ino()) != (self.device, self.inode) => {
                "replaced by another file"
            }
            Ok(found) if self.octets.is_some_and(|octets| found.len() < octets) => "truncated",
            Ok(found) => {
                self.octets = self.octets.map(|_| found.len());
                return Ok(());
            }
        };
        Err(OpenError::Displaced { path: self.path.clone(), what })
    }
}

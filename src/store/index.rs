//! The index files of search, `log-2026-08.idx`: which records may match, in segments of 65,536.
//!
//! Contract: they are derived. Nothing is lost with one but time, and nothing is shown because of one: each record that
//! one names is read and looked at. Nothing is hidden by one either: what has changed on the disk is seen by its
//! checksum, what does not belong to its month file by its numbers, and the records are read instead; `verify` makes
//! each segment anew and compares. The daemon makes them on a thread of their own, off the mail's way: a segment when
//! it is full, the last one of a month when the next month has begun. When it starts, it checks those that are there
//! and makes damaged ones anew. A record that was pruned must not be found here either: who prunes removes the file first.

pub(super) mod compare;
pub(super) mod lookup;
mod pages;
mod segment;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use super::month::Month;
use super::{row, schema};
use crate::limits;
use crate::metrics::METRICS;
use lookup::{Side, Unused};
use segment::Builder;
pub(super) use segment::bare;

/// Does `work`, which prunes or masks records of a month, while there is no index file of it. That is removed before, so
/// that a kill leaves none that tells of what is gone, and none is made until the work is done. The daemon makes it anew.
pub(super) fn without<T>(directory: &Path, month: Month, work: impl FnOnce() -> T) -> io::Result<T> {
    let _lock = lock(directory)?;
    remove(directory, month)?;
    Ok(work())
}

/// Removes the index file of a month; a segment that is being made just now is waited for and removed too.
pub fn forget(directory: &Path, month: Month) -> io::Result<()> {
    without(directory, month, || ())
}

fn remove(directory: &Path, month: Month) -> io::Result<()> {
    match fs::remove_file(path(directory, month)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => File::open(directory)?.sync_all(),
    }
}

/// What a index file's name ends with.
pub(super) const EXTENSION: &str = "idx";

/// The index file of a month.
fn path(directory: &Path, month: Month) -> PathBuf {
    month.path(directory).with_extension(EXTENSION)
}

/// Whether a segment may have become full between two numbers: sixteen times for each one, so that it is not late.
pub(super) fn is_due(before: u64, after: u64) -> bool {
    let step = segment::ROWS.unsigned_abs() / 16;
    before / step != after / step
}

/// The thread that makes index files.
#[derive(Debug)]
pub(super) struct Indexer {
    wake: SyncSender<()>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Indexer {
    /// Begins, with whatever has no index file yet.
    pub(super) fn start(directory: &Path) -> io::Result<Self> {
        let (wake, waker) = sync_channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        let work = Work { directory: directory.into(), stop: Arc::clone(&stop) };
        let thread = thread::Builder::new().name("log-indexer".into()).spawn(move || work.run(&waker))?;
        let indexer = Self { wake, stop, thread };
        indexer.wake();
        Ok(indexer)
    }

    /// There may be something to do. Never waits.
    pub(super) fn wake(&self) {
        // Full: it has been told already.
        let _ = self.wake.try_send(());
    }

    /// Ends within a stride; a segment that is being made is left undone.
    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.wake);
        if self.thread.join().is_err() {
            tracing::error!(
                "the thread that writes index files has ended; searches are slower, nothing is lost"
            );
        }
    }
}

struct Work {
    directory: PathBuf,
    stop: Arc<AtomicBool>,
}

/// Why an index file is not made, or not compared.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

impl Work {
    fn run(&self, waker: &Receiver<()>) {
        let mut checked = false;
        while waker.recv().is_ok() && !self.stopped() {
            let Ok(months) = Month::list(&self.directory) else { continue };
            for month in &months {
                let closed = months.last() != Some(month);
                let whole = if checked { Ok(()) } else { self.check(*month) };
                if let Err(fault) = whole.and_then(|()| self.extend(*month, closed)) {
                    METRICS.index_segments.with_label_values(&["failed"]).inc();
                    tracing::warn!(%month, %fault, "cannot write an index file; searches read every record");
                }
            }
            checked = true;
        }
    }

    /// Removes a file that is damaged, so that it is made anew.
    fn check(&self, month: Month) -> Result<(), Fault> {
        let path = path(&self.directory, month);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let side = Side::read(file, &schema::open_to_read(&month.path(&self.directory))?)?;
        let mut unused = side.unused();
        for segment in side.segments() {
            if self.stopped() {
                return Ok(());
            }
            if !side.is_whole(segment)? {
                unused = Some(Unused::Damaged);
            }
        }
        if let Some(unused) = unused {
            METRICS.index_segments.with_label_values(&["damaged"]).inc();
            tracing::warn!(%month, "{unused}; it is created again");
            forget(&self.directory, month)?;
        }
        Ok(())
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Makes the segments that are missing; in a month that goes on, only full ones.
    fn extend(&self, month: Month, closed: bool) -> Result<(), Fault> {
        let source = month.path(&self.directory);
        if schema::octets(&source).unwrap_or(0) == 0 {
            return Ok(());
        }
        let connection = schema::open_to_read(&source)?;
        let Some((begin, last)) = schema::ends(&connection)? else { return Ok(()) };
        let target = path(&self.directory, month);
        loop {
            // Held from the first row that is read until the segment is in the file: whoever prunes rows waits, and
            // then removes what was made of them.
            let lock = lock(&self.directory)?;
            let mut options = OpenOptions::new();
            let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let side = Side::read(options.open(&target)?, &connection)?;
            let first = side.next().unwrap_or(begin);
            let rows = (last - first + 1).min(segment::ROWS);
            if first > last || (rows < segment::ROWS && !closed) {
                return Ok(());
            }
            let stopped = || self.stopped();
            let Some(built) = build(&connection, first, first + rows - 1, &stopped)? else { return Ok(()) };
            side.append(&built)?;
            METRICS.index_segments.with_label_values(&["made"]).inc();
            drop(lock);
        }
    }
}

/// A segment of the records between two numbers. Reads in strides, as a search does. `None` when it is to stop.
fn build(
    connection: &Connection,
    first: i64,
    last: i64,
    stopped: &dyn Fn() -> bool,
) -> rusqlite::Result<Option<Builder>> {
    let mut builder = Builder::new(first, last);
    let columns = row::select(connection)?;
    let sql = format!("SELECT seq, {columns} FROM record WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut next = first;
    while next <= last {
        if stopped() {
            return Ok(None);
        }
        let end = (next + limits::SEARCH_RECORDS).min(last);
        let mut rows = statement.query((next, end))?;
        while let Some(row) = rows.next()? {
            builder.add(row)?;
        }
        next = end + 1;
    }
    Ok(Some(builder))
}

/// Held by who changes a index file: the daemon, or who prunes.
fn lock(directory: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file =
        options.write(true).create(true).truncate(false).mode(0o600).open(directory.join("index.lock"))?;
    file.lock()?;
    Ok(file)
}

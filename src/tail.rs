//! Reads Postfix's log as it grows, on a thread of its own, and stores what it tells of deliveries.
//!
//! Contract: mail never waits for it. Its memory is bounded, and a log that cannot be read is said once and tried again. It goes on
//! where it was, through both ways of rotation and through a restart; what it could not read is stored as a gap
//! ([`crate::store::deliveries`]), never guessed.
//!
//! Reading order: `file` (a log in files), `journal` (systemd's), `ingest` (files that a command names), `requests` (how a command
//! reaches this thread).

mod file;
pub mod ingest;
mod journal;
pub mod requests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::MailLog;
use crate::limits;
use crate::metrics::METRICS;
use crate::store::deliveries::{self, Counts, Deliveries, DeliveriesError};

/// Up to where the log was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// The file's path, or `journal`.
    log: String,
    /// Octets that were read.
    offset: u64,
    /// SHA-256 of the first octets of the file, and how many they are: by it the file is known under another name.
    head: String,
    head_octets: u64,
    /// The last entry of the journal.
    cursor: String,
    /// The time up to which was read, in milliseconds.
    until: i64,
    /// The time of the last part that was read of a file, in milliseconds: the file was written to then, or later.
    line: i64,
}

/// Why the log cannot be followed at present.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says it")]
pub enum TailError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("journalctl: {0}")]
    Journal(io::Error),
    #[error("journalctl ended")]
    JournalEnded,
    #[error(transparent)]
    Deliveries(#[from] DeliveriesError),
}

/// The thread that follows the log. It ends when this is dropped, and is waited for by [`Tail::stop`].
#[derive(Debug)]
pub struct Tail {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Tail {
    /// Starts it.
    pub fn start(log: MailLog, directory: &Path) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let directory = directory.to_owned();
        let thread = thread::Builder::new().name("maillog".into());
        let thread = thread.spawn(move || run(&log, &directory, &Stop(stopped)))?;
        Ok(Self { stop, thread })
    }

    /// Stores what was read, and ends. Blocks.
    pub fn stop(self) {
        drop(self.stop);
        // A panic has said what it was.
        let _ = self.thread.join();
    }
}

/// Told by a channel that is closed.
struct Stop(Receiver<()>);

impl Stop {
    /// Whether it comes within that time.
    fn within(&self, time: Duration) -> bool {
        !matches!(self.0.recv_timeout(time), Err(RecvTimeoutError::Timeout))
    }
}

fn run(log: &MailLog, directory: &Path, stop: &Stop) {
    let mut failing = false;
    loop {
        match follow(log, directory, stop, &mut failing) {
            Ok(()) => return,
            Err(error) => {
                METRICS.delivery_log_failing.set(1);
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(%error, "cannot follow Postfix's log; deliveries are missing until it can be read. Mail is not affected");
                }
            }
        }
        if stop.within(limits::MAILLOG_PAUSE) {
            return;
        }
    }
}

/// Follows until the stop, or until something fails. What was read by then and is not stored is read again.
fn follow(log: &MailLog, directory: &Path, stop: &Stop, failing: &mut bool) -> Result<(), TailError> {
    let io = |source| TailError::Io { path: directory.into(), source };
    // A command that reads files has it for as long as that takes.
    let _lock = loop {
        if let Some(lock) = deliveries::lock(directory).map_err(io)? {
            break lock;
        }
        if stop.within(limits::MAILLOG_LOOK) {
            return Ok(());
        }
    };
    let mut taken = Taken::new(Deliveries::open(directory)?, directory);
    let name = match log {
        MailLog::File(path) => path.display().to_string(),
        MailLog::Journal => "journal".to_owned(),
    };
    let place = taken.deliveries.place::<Place>()?;
    if place.as_ref().is_some_and(|place| place.log != name) {
        tracing::warn!(log = name, "another log of Postfix's is followed now");
    }
    taken.place = place.filter(|place| place.log == name).unwrap_or(Place { log: name, ..Place::default() });
    let mut works = || {
        METRICS.delivery_log_failing.set(0);
        if std::mem::replace(failing, false) {
            tracing::warn!("Postfix's log can be followed again");
        }
    };
    match log {
        MailLog::File(path) => file::follow(path, &mut taken, stop, &mut works),
        MailLog::Journal => journal::follow(&mut taken, stop, &mut works),
    }
}

/// What was taken of the log, and the place up to which it was stored.
struct Taken<'a> {
    deliveries: Deliveries,
    directory: &'a Path,
    place: Place,
    noted: Instant,
    /// Whether the file was read to its end, and another one has its name.
    drained: bool,
}

impl<'a> Taken<'a> {
    fn new(deliveries: Deliveries, directory: &'a Path) -> Self {
        Self { deliveries, directory, place: Place::default(), noted: Instant::now(), drained: false }
    }

    /// Whether anything was read before.
    fn is_new(&self) -> bool {
        self.place.until == 0
    }

    /// What follows is what came after the place.
    fn goes_on(&mut self) {
        if !self.is_new() {
            self.deliveries.read_to(self.place.until);
        }
    }

    /// Lines were taken of the file at the place.
    fn took(&mut self) {
        self.place.line = self.deliveries.read_until().unwrap_or(self.place.line);
    }

    /// What follows is not.
    fn gap(&mut self) -> Result<(), TailError> {
        self.store()?;
        self.deliveries.gap();
        METRICS.delivery_log_gaps.inc();
        let since = Timestamp::from_millisecond(self.place.until).unwrap_or_default();
        tracing::warn!(%since, "a part of Postfix's log is missing; what became of mail then is not known. `postvakt log ingest` reads it from a file");
        Ok(())
    }

    /// Stores what was taken, up to the place.
    fn store(&mut self) -> Result<(), TailError> {
        if let Some(until) = self.deliveries.read_until() {
            self.place.until = until;
        }
        count(self.deliveries.commit(Some(&self.place))?);
        METRICS.delivery_log_read.set(self.place.until / 1_000);
        self.noted = Instant::now();
        Ok(())
    }

    /// Nothing more stands in the log: stores what was taken, and from time to time that there was nothing.
    fn rest(&mut self) -> Result<(), TailError> {
        if !self.deliveries.is_empty() {
            self.store()?;
        } else if self.noted.elapsed() >= limits::MAILLOG_NOTE {
            self.deliveries.read_to(Timestamp::now().as_millisecond() - limits::MAILLOG_DELAY_MS);
            self.store()?;
        }
        requests::carry_out(self.directory)?;
        Ok(())
    }
}

fn count(counts: Counts) {
    let Counts { lines, told, unclear } = counts;
    for (result, count) in [("told", told), ("unclear", unclear), ("other", lines - told - unclear)] {
        METRICS.delivery_log_lines.with_label_values(&[result]).inc_by(count);
    }
}

#[cfg(test)]
mod tests;

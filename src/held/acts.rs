//! Acts on held mail: each between two entries of the access log, one at a time.
//!
//! What was cut off between the two is settled before the next act, and by the daemon: whether the mail is still on hold says
//! what came of it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::{FlockOperation, flock};

use super::queue::{Queue, QueueError, QueueId};
use crate::courier::requests::{self, Request};
use crate::limits;
use crate::record::RecordId;
use crate::store::access::{AccessError, AccessLog};
use crate::store::held::{self, Act, HeldAct, HeldActs, Stage};
use crate::store::outbox::State;
use crate::store::{OpenError, outbox};

/// Why an act was not done, or not noted.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says it")]
pub enum ActError {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Log(#[from] OpenError),
    #[error("{}: {source}", path.display())]
    Lock { path: PathBuf, source: io::Error },
    #[error("another act on held mail is going on; try again")]
    Busy,
    #[error("{}: cannot ask for the receipt: {source}", path.display())]
    Receipt { path: PathBuf, source: io::Error },
}

/// What came of an act: the number of its last entry, and in words what was or was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The entry.
    pub n: u64,
    /// `released`, or why it was not done.
    pub result: Result<String, String>,
}

/// The right to act, which one process has at a time. What is found out about a mail within it stays true, unless Postfix's own
/// commands are used.
pub struct Turn<'a> {
    directory: &'a Path,
    queue: &'a Queue,
    _lock: File,
}

/// Why an act was not done, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undone {
    /// It was not done.
    Surely(String),
    /// It may have been done: whether the mail is still on hold says so.
    Perhaps(String),
}

impl From<QueueError> for Undone {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::NotHeld { .. } | QueueError::Unreachable { .. } => Self::Surely(error.to_string()),
            QueueError::BrokenOff { .. } | QueueError::Failed(_) => Self::Perhaps(error.to_string()),
        }
    }
}

impl<'a> Turn<'a> {
    /// Waits for it, and writes the end of acts that were cut off.
    pub fn take(log: &mut AccessLog, directory: &'a Path, queue: &'a Queue) -> Result<Self, ActError> {
        let turn = Self { directory, queue, _lock: lock(directory)? };
        settle_locked(log, directory, queue)?;
        Ok(turn)
    }

    /// Carries out an act: `work` does it, and says what came of it.
    pub fn carry_out(
        &self,
        log: &mut AccessLog,
        act: HeldAct,
        work: impl FnOnce() -> Result<String, Undone>,
    ) -> Result<Carried, ActError> {
        let begun = HeldAct { stage: Stage::Begun, ..act };
        let n = held::note(log, &begun)?;
        let result = match work() {
            Ok(outcome) => Ok(outcome),
            Err(Undone::Surely(why)) => Err(why),
            Err(Undone::Perhaps(why)) if begun.act == Act::HandOver => Err(why),
            Err(Undone::Perhaps(why)) => match has_left(self.queue, &begun) {
                Ok(true) => Ok(format!("it is no longer on hold ({why})")),
                Ok(false) => Err(why),
                // What began without an end is settled when the helper answers again.
                Err(error) => return Err(error.into()),
            },
        };
        let n = end(log, self.directory, &begun, n, &result)?;
        Ok(Carried { n, result })
    }
}

/// Writes the end of acts that were cut off. How many there were.
pub fn settle(log: &mut AccessLog, directory: &Path, queue: &Queue) -> Result<usize, ActError> {
    if HeldActs::read(log)?.unfinished().next().is_none() {
        return Ok(0);
    }
    let _lock = lock(directory)?;
    settle_locked(log, directory, queue)
}

fn settle_locked(log: &mut AccessLog, directory: &Path, queue: &Queue) -> Result<usize, ActError> {
    let unfinished: Vec<_> = HeldActs::read(log)?.unfinished().cloned().collect();
    for told in &unfinished {
        let result = match (told.act.act, has_left(queue, &told.act)?) {
            (Act::HandOver, _) => {
                Err("the process ended before its end was noted: the copy may have been sent".to_owned())
            }
            (_, true) => Ok("it is no longer on hold; the process ended before this was noted".to_owned()),
            (_, false) => Err("the process ended before it was done; it is still on hold".to_owned()),
        };
        end(log, directory, &told.act, told.n, &result)?;
    }
    Ok(unfinished.len())
}

fn end(
    log: &mut AccessLog,
    directory: &Path,
    begun: &HeldAct,
    n: u64,
    result: &Result<String, String>,
) -> Result<u64, ActError> {
    let (stage, outcome) = match result {
        Ok(outcome) => (Stage::Done, outcome),
        Err(why) => (Stage::Failed, why),
    };
    // Before the entry: what is cut off here is settled, and asked for again.
    if stage == Stage::Done && begun.act == Act::Release {
        send_receipts(directory, &begun.record)?;
    }
    let ended = HeldAct { stage, follows: Some(n), outcome: outcome.clone(), ..begun.clone() };
    Ok(held::note(log, &ended)?)
}

fn has_left(queue: &Queue, act: &HeldAct) -> Result<bool, QueueError> {
    let Some(id) = QueueId::parse(&act.queue_id) else { return Ok(false) };
    match queue.header(&id) {
        Ok(_) => Ok(false),
        Err(QueueError::NotHeld { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Receipts that waited for the mail's release are sent.
fn send_receipts(directory: &Path, record: &str) -> Result<(), ActError> {
    let Ok(id) = record.parse::<RecordId>() else { return Ok(()) };
    for listed in outbox::of_record_now(directory, &id)? {
        if listed.state == State::Held {
            let key = listed.stored.row.key;
            requests::leave(directory, &key, Request::Retry)
                .map_err(|source| ActError::Receipt { path: directory.to_owned(), source })?;
        }
    }
    Ok(())
}

/// One act at a time, over all processes.
fn lock(directory: &Path) -> Result<File, ActError> {
    let path = directory.join("held.lock");
    let failed = |source| ActError::Lock { path: path.clone(), source };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    let begun = Instant::now();
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) if begun.elapsed() < limits::ACT_WAIT => {
                std::thread::sleep(limits::COURIER_BREATH);
            }
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(ActError::Busy),
            Err(error) => return Err(failed(error.into())),
        }
    }
}

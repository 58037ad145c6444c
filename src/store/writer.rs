//! The writer: one thread, group commit.
//!
//! In come jobs from a bounded queue; whatever waits when a transaction ends is the next transaction. Each job is
//! answered once, after its transaction is on the disk or has failed. A connection on which anything failed is never
//! used again: a failed fsync is reported once, and what the kernel still has is unknown.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{Notify, mpsc};

use super::index::{self, Indexer};
use super::month::Month;
use super::outbox::{Changes, Outbox};
use super::place::Place;
use super::queue::{Clock, Message, NoticeRequest, NoticeWrite, RecordWrite};
use super::row;
use super::schema::{self, About, OpenError};
use super::signer::HeadCommand;
use super::{CommitError, epoch, heads, tree};
use crate::limits;
use crate::merkle::{self, Tree};
use crate::metrics::METRICS;
use crate::note::TreeHead;
use crate::record::RecordId;
use crate::record::columns::LeafForm;

/// The writer's state.
pub(super) struct Writer {
    /// Where the files are.
    pub(super) directory: PathBuf,
    /// Who writes, in which epoch, and the number given last.
    pub(super) about: About,
    /// The tree of the epoch.
    pub(super) tree: Tree,
    /// How many leaves the newest head of this process covers.
    pub(super) headed: Option<u64>,
    /// Who signs heads.
    pub(super) heads: std::sync::mpsc::Sender<HeadCommand>,
    /// No file before this month is written to, whatever the clock says.
    pub(super) floor: Option<Month>,
    /// The open file; none before the first record and after a failure.
    pub(super) file: Option<(Month, Connection)>,
    /// Where that file and the others are to be.
    pub(super) place: Place,
    /// The mails of our own that wait.
    pub(super) outbox: Arc<Outbox>,
    /// Whether the file was closed after a failed transaction, which may be on the disk all the same.
    pub(super) doubtful: bool,
    /// What time it is.
    pub(super) clock: Clock,
    /// Whether the last transaction failed.
    pub(super) failing: Arc<AtomicBool>,
    /// Told of what was stored.
    pub(super) stored: Arc<Notify>,
    /// Held as long as this may write.
    pub(super) lock: File,
    /// Makes index files; none when the log closes.
    pub(super) indexer: Option<Indexer>,
}

impl Writer {
    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        let mut messages = Vec::with_capacity(limits::STORE_BATCH);
        let mut jobs = Vec::with_capacity(limits::STORE_BATCH);
        let mut notes = Vec::new();
        let mut closing = Vec::new();
        let mut written = 0;
        let (mut head_wanted, mut look_wanted) = (false, false);
        self.measure_space();
        self.begin_epoch();
        while queue.blocking_recv_many(&mut messages, limits::STORE_BATCH) > 0 {
            for message in messages.drain(..) {
                match message {
                    Message::Store(job) => jobs.push(*job),
                    Message::Notice(note) => notes.push(*note),
                    Message::Head => head_wanted = true,
                    Message::Look => look_wanted = true,
                    Message::Close(done) => {
                        queue.close();
                        closing.push(done);
                    }
                }
            }
            METRICS.store_queue_records.set(i64::try_from(queue.len()).unwrap_or(i64::MAX));
            written += self.commit(&mut jobs, &mut notes);
            if std::mem::take(&mut head_wanted) || self.head_is_due() {
                self.make_head();
                // Without its thread no head is signed; that is told of where it ended.
                let _ = self.heads.send(HeadCommand::Accesses);
            }
            if written > limits::CHECKPOINT_OCTETS {
                self.checkpoint();
                written = 0;
            }
            if std::mem::take(&mut look_wanted) {
                self.look();
                self.measure_space();
            }
        }
        self.make_head();
        // Its reader goes first, so that the file can be closed without its -wal.
        if let Some(indexer) = self.indexer.take() {
            indexer.stop();
        }
        self.close_file();
        self.end_heads();
        // Unlocked explicitly: a child that is being forked at this moment has inherited the descriptor and would keep
        // the lock. If that fails, the lock ends when the last descriptor is closed.
        let _ = self.lock.unlock();
        for done in closing {
            // The waiter may be gone.
            let _ = done.send(());
        }
    }

    /// Stores all of it in one transaction and answers each. Tells about how many octets that wrote.
    fn commit(&mut self, jobs: &mut Vec<RecordWrite>, notes: &mut Vec<NoticeRequest>) -> usize {
        if jobs.is_empty() && notes.is_empty() {
            return 0;
        }
        let begun = Instant::now();
        let first = self.store(jobs, notes);
        self.observe(jobs.len(), begun.elapsed(), first.as_ref().err());
        match first {
            Ok(first) => {
                let octets =
                    COMMIT_PAGES * schema::PAGE_OCTETS as usize + jobs.iter().map(octets).sum::<usize>();
                for (seq, job) in (first..).zip(jobs.drain(..)) {
                    let id = RecordId { node: self.about.node.as_str().into(), epoch: self.about.epoch, seq };
                    answer(job, Ok(id));
                }
                confirm(notes, &Ok(()));
                self.stored.notify_one();
                octets
            }
            Err(error) => {
                self.give_up_file();
                let failed = CommitError::Failed(error.to_string().into());
                jobs.drain(..).for_each(|job| answer(job, Err(failed.clone())));
                confirm(notes, &Err(failed));
                0
            }
        }
    }

    /// The number of the first job.
    fn store(&mut self, jobs: &[RecordWrite], notes: &[NoticeRequest]) -> Result<u64, OpenError> {
        self.place.look()?;
        self.open_file()?;
        let first = self.about.last + 1;
        if let Some((month, connection)) = &mut self.file {
            let (changes, tree) =
                insert(connection, first, jobs, notes, (&self.outbox, *month), self.tree.clone())
                    .map_err(|source| OpenError::Sqlite { path: month.path(&self.directory), source })?;
            // What was written to a file that is no longer in its place is not stored.
            self.place.look()?;
            let before = self.about.last;
            self.about.last += jobs.len() as u64;
            self.tree = tree;
            self.outbox.apply(changes);
            if index::is_due(before, self.about.last)
                && let Some(indexer) = &self.indexer
            {
                indexer.wake();
            }
        }
        Ok(first)
    }

    /// Begins a new epoch with its file and a head, before any mail comes: a log that was restored and stopped again then says
    /// that it went on.
    fn begin_epoch(&mut self) {
        if self.about.epoch == 1 || self.tree.size() > 0 {
            return;
        }
        match self.open_file() {
            Ok(()) => self.make_head(),
            // The first mail tries again, and is deferred if it fails too.
            Err(error) => tracing::error!(%error, "cannot begin the new epoch of the log"),
        }
    }

    /// Opens the file of the month, once.
    fn open_file(&mut self) -> Result<(), OpenError> {
        let now = Month::of((self.clock)());
        let month = self.floor.map_or(now, |floor| floor.max(now));
        if self.file.as_ref().is_some_and(|(open, _)| *open == month) {
            return Ok(());
        }
        // What failed may have been stored in the month before, and then its numbers are taken.
        let before = self.floor.filter(|before| self.doubtful && *before < month);
        if let Some(before) = before.filter(|before| self.place.knows(&before.path(&self.directory))) {
            self.open_month(before)?;
        }
        self.open_month(month)
    }

    /// Opens the file of this month. Numbers go on where the file says: what failed may have been stored.
    fn open_month(&mut self, month: Month) -> Result<(), OpenError> {
        let path = month.path(&self.directory);
        self.make_head();
        if schema::octets(&path).unwrap_or(0) == 0 {
            if self.place.knows(&path) {
                return Err(OpenError::Displaced { path, what: "not found" });
            }
            schema::create(&self.directory, month, &self.about, &self.tree)?;
            epoch::write(&self.directory, self.about.epoch, month)?;
        }
        self.close_file();
        let open = || {
            let connection = schema::open_to_write(&path)?;
            schema::upgrade(&connection)?;
            let about = schema::about(&connection)?;
            if self.doubtful {
                self.outbox.look_again(&connection, month)?;
            }
            let tree = tree::read(&connection, tree::NOW)?;
            Ok((connection, about, tree))
        };
        let (connection, about, tree) =
            open().map_err(|source| OpenError::Sqlite { path: path.clone(), source })?;
        // Numbers that were given are not given again.
        if (&about.node, about.epoch) != (&self.about.node, self.about.epoch) || about.last < self.about.last
        {
            return Err(OpenError::Displaced { path, what: "confirmed records are missing" });
        }
        self.place.opened(&path)?;
        self.about = about;
        self.doubtful = false;
        self.tree = tree;
        self.floor = Some(month);
        // The month before is complete.
        if let Some(indexer) = &self.indexer {
            indexer.wake();
        }
        self.file = Some((month, connection));
        Ok(())
    }

    /// A connection on which anything failed is closed as it is.
    fn give_up_file(&mut self) {
        self.file = None;
        self.place.closed();
        self.doubtful = true;
    }

    /// Checks whether records can be stored while no mail arrives: `/readyz` reports the result, and a load balancer may
    /// send no mail until it is ready.
    fn look(&mut self) {
        let found = if self.failing.load(Ordering::Relaxed) { self.try_again() } else { self.place.look() };
        if found.is_err() {
            self.give_up_file();
        }
        self.tell(found.as_ref().err());
    }

    /// Writes what is there once more.
    fn try_again(&mut self) -> Result<(), OpenError> {
        self.place.look()?;
        self.open_file()?;
        let Some((month, connection)) = &self.file else { return Ok(()) };
        tree::write(connection, tree::NOW, &self.tree)
            .map_err(|source| OpenError::Sqlite { path: month.path(&self.directory), source })?;
        self.place.look()
    }

    fn head_is_due(&self) -> bool {
        match self.headed {
            None => self.file.is_some(),
            Some(headed) => self.tree.size() - headed.min(self.tree.size()) >= limits::HEAD_RECORDS,
        }
    }

    /// Notes in the file what is to be signed, so that a later start can tell whether the log still is what a head
    /// says, and hands it on. Failing is no fault of the records: the next head covers them.
    fn make_head(&mut self) {
        let Some((month, connection)) = &self.file else { return };
        if self.headed == Some(self.tree.size()) {
            return;
        }
        let time = (self.clock)();
        if let Err(error) = tree::note_head(connection, time, &self.tree) {
            tracing::warn!(%month, %error, "cannot sign the tree head; will retry");
            return;
        }
        self.headed = Some(self.tree.size());
        let (origin, size) = (heads::origin(&self.about.node, self.about.epoch), self.tree.size());
        // Without its thread no head is signed; that is told of where it ended.
        let _ = self.heads.send(HeadCommand::Head(TreeHead { origin, size, root: self.tree.root(), time }));
    }

    /// Waits until the last head is signed and copied, but not for ever.
    fn end_heads(&self) {
        let (done, ended) = std::sync::mpsc::sync_channel(1);
        if self.heads.send(HeadCommand::End(done)).is_ok()
            && ended.recv_timeout(limits::HEADS_END_TIME).is_err()
        {
            tracing::warn!("the last tree head may not have been copied");
        }
    }

    /// Moves the write-ahead log into the file, as far as no reader needs it. Failing is no fault: the records are
    /// durable where they are, and the next one tries again.
    fn checkpoint(&self) {
        if let Some((month, connection)) = &self.file
            && let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
        {
            tracing::warn!(%month, %error, "cannot make a checkpoint of the log; will retry");
        }
    }

    /// Closes the file with a checkpoint, so that it is whole without its -wal. SQLite takes that away by its name, which
    /// must be its own.
    fn close_file(&mut self) {
        let displaced = self.place.look();
        self.place.closed();
        if let Some((month, connection)) = self.file.take() {
            if let Err(error) = displaced {
                return tracing::error!(%error, "cannot tidy up the log before closing it");
            }
            let close = || {
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
                connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
            };
            if let Err(error) = close() {
                tracing::warn!(%month, %error, "the log keeps its -wal file; no records are lost");
            }
        }
    }

    fn observe(&self, records: usize, time: Duration, error: Option<&OpenError>) {
        let result = if error.is_some() { "failed" } else { "stored" };
        METRICS.store_commits.with_label_values(&[result]).inc();
        METRICS.store_commit_seconds.observe(time.as_secs_f64());
        METRICS.store_batch_records.observe(f64::from(u32::try_from(records).unwrap_or(u32::MAX)));
        self.tell(error);
    }

    /// Tells the operator when it begins and when it ends that nothing can be stored.
    fn tell(&self, error: Option<&OpenError>) {
        let failed_before = self.failing.swap(error.is_some(), Ordering::Relaxed);
        match error {
            Some(error) if !failed_before => {
                tracing::error!(%error, "cannot write the log; mail is deferred");
            }
            None if failed_before => tracing::info!("the log can be written again"),
            _ => {}
        }
    }

    fn measure_space(&self) {
        if let Ok(space) = rustix::fs::statvfs(&self.directory) {
            let free = space.f_bavail.saturating_mul(space.f_frsize);
            METRICS.store_free_octets.set(i64::try_from(free).unwrap_or(i64::MAX));
        }
    }
}

/// One transaction. What it changes in the outbox, and what the tree is after it.
fn insert(
    connection: &mut Connection,
    first: u64,
    jobs: &[RecordWrite],
    notes: &[NoticeRequest],
    (outbox, month): (&Outbox, Month),
    mut tree: Tree,
) -> rusqlite::Result<(Changes, Tree)> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut changes = Changes::default();
    {
        let mut records = transaction.prepare_cached(&row::INSERT)?;
        let mut findings =
            transaction.prepare_cached("INSERT INTO finding VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)")?;
        let mut contacts = transaction.prepare_cached("INSERT INTO contact (key, at) VALUES (?1,?2)")?;
        for (seq, job) in (first.cast_signed()..).zip(jobs) {
            let leaf = merkle::leaf(LeafForm::NEWEST.number(), seq.unsigned_abs(), &job.row.hash);
            job.row.insert(&mut records, seq, &leaf)?;
            tree.push(leaf);
            for (number, found) in (0_i64..).zip(&job.findings) {
                let (mailboxes, recipients) = (row::json(&found.mailboxes), row::json(&found.recipients));
                findings.execute(rusqlite::params![
                    seq,
                    number,
                    found.rule,
                    found.grade,
                    found.evidence,
                    found.mode,
                    found.verdict,
                    found.decision,
                    mailboxes,
                    recipients,
                ])?;
            }
            for (key, at) in &job.contacts {
                contacts.execute((key, at))?;
            }
            for row in &job.outbox {
                outbox.add(&transaction, month, seq, row, &mut changes)?;
            }
        }
        for (own, _) in notes {
            match own {
                NoticeWrite::Event(event) => outbox.note(&transaction, event, &mut changes)?,
                NoticeWrite::New(row) => {
                    // A notice without a record refers to the newest record.
                    outbox.add(&transaction, month, tree.size().cast_signed(), row, &mut changes)?;
                }
            }
        }
    }
    tree::write(&transaction, tree::NOW, &tree)?;
    transaction.commit()?;
    Ok((changes, tree))
}

/// Pages that every commit writes, however few its records: the file's header, the last leaves and what is above them.
const COMMIT_PAGES: usize = 5;

/// About how many octets the job adds to that.
fn octets(job: &RecordWrite) -> usize {
    2 * job.row.octets() + job.outbox.iter().map(|row| 256 + row.message.len()).sum::<usize>()
}

fn confirm(notes: &mut Vec<NoticeRequest>, result: &Result<(), CommitError>) {
    for (_, waiter) in notes.drain(..) {
        // The waiter may be gone.
        let _ = waiter.send(result.clone());
    }
}

/// The waiter may have gone: its connection broke. The record is stored all the same.
fn answer(job: RecordWrite, result: Result<RecordId, CommitError>) {
    match job.waiter {
        Some(waiter) => drop(waiter.send(result)),
        None if result.is_err() => METRICS.store_unlogged.inc(),
        None => {}
    }
}

//! The store: the log's records and the memory of seen messages, in SQLite, one file a month, one writer.
//!
//! Contract: [`Store::commit`] returns only when the record is on the disk (WAL with `synchronous=FULL`); what it
//! confirmed survives a kill and a power failure. Records are numbered without gaps in the order in which they were
//! stored. One process writes; a second one is refused by a lock. Reading (`search`) opens files of its own, read-only.

pub mod access;
pub mod backup;
pub mod deliveries;
pub mod disclosure;
mod epoch;
pub mod follow;
pub mod gate;
pub mod heads;
pub mod held;
pub mod index;
mod key;
pub mod labels;
pub mod month;
pub mod nodes;
pub mod outbox;
pub mod outcomes;
pub mod overrides;
mod place;
pub mod proof;
pub mod query;
mod queue;
pub mod register;
pub mod replica;
pub mod retention;
mod row;
pub mod schema;
pub mod search;
mod seen;
mod sent;
pub mod session;
pub mod ship;
pub mod signatures;
mod signer;
pub mod single;
mod tree;
pub mod verify;
mod writer;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::config::Heads;
use crate::facts::identity::Key;
use crate::facts::pass::PassKeys;
use crate::limits;
use crate::merkle::Salt;
use crate::metrics::METRICS;
use crate::record::{FindingRow, OutboxRow, Record, RecordId, SeenRow};
use epoch::Start;
use index::Indexer;
use outbox::{Event, Lease, Outbox, Stored};
use outcomes::{Follower, OutcomesError};
use place::Place;
pub use queue::Clock;
use queue::{Message, NoticeWrite, RecordWrite};
use row::RecordRow;
pub use schema::OpenError;
use sent::Marks;
use signer::HeadSigner;
use signer::places::Places;
use writer::Writer;

/// The file with the key of the marks by which a message is recognised when it comes through again.
const PASS_KEY: &str = "pass.key";
/// The key before it, whose marks hold as long as it is there.
const FORMER_PASS_KEY: &str = "pass.key.old";

/// What is stored of one mail, in one transaction.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// The record.
    pub record: Record,
    /// What rules found.
    pub findings: Vec<FindingRow>,
    /// What is remembered of a message from outside.
    pub seen: Option<SeenRow<'a>>,
    /// Mails of our own that it causes.
    pub outbox: Vec<OutboxRow>,
    /// Who is known here from now on, by keyed hash.
    pub contacts: Vec<Key>,
}

impl Entry<'_> {
    /// A record from which nothing follows.
    pub fn of(record: Record) -> Self {
        Self { record, findings: Vec::new(), seen: None, outbox: Vec::new(), contacts: Vec::new() }
    }
}

/// Why a record was not confirmed. The mail is deferred (451 4.3.0), whatever the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The transaction failed: the disk is full, or worse. Nothing of it counts.
    #[error("cannot write the log: {0}")]
    Failed(Arc<str>),
    /// [`limits::COMMIT_TIME`] is over. The record may still be stored: the log then has a record of a deferred mail.
    #[error("the log is too slow: no confirmation within {} s", limits::COMMIT_TIME.as_secs())]
    Late,
    /// The store is closed or being closed.
    #[error("the log is closed")]
    Closed,
    /// The writer's thread has ended by a fault of this program.
    #[error("the log's writer thread has ended; restart postvakt")]
    WriterDied,
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot read the log: {source}", path.display())]
pub struct ReadError {
    /// The file.
    pub path: PathBuf,
    /// What SQLite says.
    pub source: rusqlite::Error,
}

/// The store, open for writing. Clones are the same store.
#[derive(Clone, Debug)]
pub struct Store(Arc<Shared>);

struct Shared {
    queue: mpsc::Sender<Message>,
    closing: AtomicBool,
    failing: Arc<AtomicBool>,
    seen_key: [u8; 32],
    pass_keys: PassKeys,
    readers: seen::Readers,
    outbox: Arc<Outbox>,
    marks: Marks,
    outcomes: Mutex<Follower>,
    /// An answer about held mail came.
    overrides: Notify,
    /// Something was stored.
    stored: Arc<Notify>,
    directory: PathBuf,
    clock: Clock,
    signed: Option<Timestamp>,
    copy: bool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("readers", &self.readers).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store of `node` in `directory`, which is made if it is missing. Blocks while it looks through the
    /// newest file.
    pub fn open(directory: &Path, node: &str) -> Result<Self, OpenError> {
        Self::open_at(directory, node, Arc::new(Timestamp::now))
    }

    /// [`Store::open`] with a clock.
    pub fn open_at(directory: &Path, node: &str, clock: Clock) -> Result<Self, OpenError> {
        Self::open_with(directory, node, Heads::signed_every(limits::HEADS_LOOK), clock)
    }

    /// [`Store::open`] with a clock and with what is set about tree heads.
    pub fn open_with(directory: &Path, node: &str, settings: Heads, clock: Clock) -> Result<Self, OpenError> {
        make_directory(directory)?;
        let lock = lock(directory)?;
        let copy = epoch::is_copy(directory);
        let Start { about, floor, tree, signed } = epoch::look_through(directory, node, &settings, copy)?;
        let seen_key = made_once(directory, "seen.key")?;
        let pass_keys = pass_keys(directory)?;
        heads::look_at_key(directory, &settings)?;
        // If the access log cannot be read, the server starts anyway and signs no head for it.
        if let Err(error) = access::epoch::look_through(directory, node, &settings, copy) {
            tracing::error!(%error, "the access log cannot be compared with its tree heads");
        }
        let (failing, stored) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        let outbox = Arc::new(Outbox::load(directory, clock())?);
        let marks = Marks::open(directory)?;
        let io = |source| OpenError::Directory { path: directory.into(), source };
        let mut place = Place::of(directory, &lock).map_err(io)?;
        if let Some(month) = floor {
            place.expect(&month.path(directory));
        }
        let (queue, jobs) = mpsc::channel(limits::STORE_QUEUE);
        let (heads, told) = std::sync::mpsc::channel();
        let signer = HeadSigner {
            directory: directory.into(),
            node: node.into(),
            clock: Arc::clone(&clock),
            places: Places::new(&settings, node, &queue.downgrade()),
            settings,
            queue: queue.downgrade(),
            accesses: None,
            written: None,
            identity: None,
        };
        let thread = thread::Builder::new().name("log-heads".into());
        thread.spawn(move || signer.run(&told)).map_err(OpenError::Thread)?;
        let writer = Writer {
            directory: directory.into(),
            about,
            tree,
            headed: None,
            heads,
            floor,
            file: None,
            place,
            outbox: Arc::clone(&outbox),
            doubtful: false,
            clock: Arc::clone(&clock),
            failing: Arc::clone(&failing),
            stored: Arc::clone(&stored),
            lock,
            indexer: Some(Indexer::start(directory).map_err(OpenError::Thread)?),
        };
        let thread = thread::Builder::new().name("log-writer".into());
        thread.spawn(move || writer.run(jobs)).map_err(OpenError::Thread)?;
        let readers = seen::Readers::new(directory);
        let closing = AtomicBool::new(false);
        let directory = directory.into();
        Ok(Self(Arc::new(Shared {
            queue,
            closing,
            failing,
            seen_key,
            pass_keys,
            readers,
            outbox,
            marks,
            outcomes: Mutex::default(),
            overrides: Notify::new(),
            stored,
            directory,
            clock,
            signed,
            copy,
        })))
    }

    /// Stores an entry. When this returns the record's id, the record is on the disk.
    pub async fn commit(&self, entry: Entry<'_>) -> Result<RecordId, CommitError> {
        let (waiter, answer) = oneshot::channel();
        self.confirmed(message(entry, Some(waiter))?, answer).await
    }

    /// Stores what happened to a mail of our own. When this returns, it is on the disk.
    pub async fn note(&self, event: Event) -> Result<(), CommitError> {
        let (waiter, answer) = oneshot::channel();
        self.confirmed(Message::Notice(Box::new((NoticeWrite::Event(event), waiter))), answer).await
    }

    /// Stores a mail of our own that no record causes, unless one with its key is there. When this returns, it is on the disk.
    pub async fn send(&self, row: OutboxRow) -> Result<(), CommitError> {
        let (waiter, answer) = oneshot::channel();
        self.confirmed(Message::Notice(Box::new((NoticeWrite::New(row), waiter))), answer).await
    }

    async fn confirmed<T>(
        &self,
        message: Message,
        answer: oneshot::Receiver<Result<T, CommitError>>,
    ) -> Result<T, CommitError> {
        let stored = async {
            self.0.queue.send(message).await.map_err(|_| self.ended())?;
            answer.await.map_err(|_| self.ended())?
        };
        match tokio::time::timeout(limits::COMMIT_TIME, stored).await {
            Ok(result) => result,
            Err(_) => Err(CommitError::Late),
        }
    }

    /// The mails of our own that wait.
    pub fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }

    /// The letters that wait, for their time or for another try.
    pub fn pending(&self) -> Vec<Lease> {
        self.0.outbox.waiting()
    }

    /// The receipts since then, oldest first. Blocks.
    pub fn recent_receipts(
        &self,
        since: Timestamp,
        each: impl FnMut(&outbox::Recent<'_>),
    ) -> Result<(), ReadError> {
        outbox::recent(&self.0.directory, since, self.now(), each)
    }

    /// The mail that a lease is for. Blocks.
    pub fn leased(&self, lease: &Lease) -> Result<Stored, ReadError> {
        outbox::read(&self.0.directory, lease)
    }

    /// Marks a letter as taken by the MTA, at once and before [`Store::note`], so that a process that is killed between
    /// the two does not send it again. One call of the system, which waits for no disk.
    pub fn mark_sent(&self, session: usize, lease: &Lease) -> io::Result<()> {
        self.0.marks.set(session, &lease.key, lease.at)
    }

    /// The letters that were taken when the process before this one ended, and that still wait in the log. Blocks.
    pub fn taken(&self) -> io::Result<Vec<Lease>> {
        let marked = self.0.marks.read()?;
        Ok(marked.iter().filter_map(|(key, at)| self.0.outbox.waits(key, *at)).collect())
    }

    /// The letters that waited when the backup was made from which this log was restored, if it was: they may have been sent
    /// since.
    pub fn doubtful(&self) -> Vec<Lease> {
        if self.0.copy { self.0.outbox.waiting() } else { Vec::new() }
    }

    /// Writes into the access log which receipts and notices came to their end since the last time. Blocks.
    pub fn note_outcomes(&self) -> Result<(), OutcomesError> {
        // A panic while it was followed leaves it at a place from which it can be followed.
        let mut follower = self.0.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        follower.follow(&self.0.directory, &self.0.outbox)
    }

    /// Waits until something is stored, or was since the last time that somebody waited. One may wait at a time.
    pub async fn stored(&self) {
        self.0.stored.notified().await;
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.0.directory
    }

    /// What time it is for the store.
    pub fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    /// When the newest tree head was signed before this process opened the log.
    pub fn signed_before(&self) -> Option<Timestamp> {
        self.0.signed
    }

    /// Asks the writer to have heads signed of what is new in the log and in the access log. Does not wait.
    pub fn sign(&self) {
        // A full queue is no time for it; heads come at intervals anyway.
        let _ = self.0.queue.try_send(Message::Head);
    }

    /// Asks the writer to check the log's files. Does not wait; [`Store::is_well`] has the result.
    pub fn look(&self) {
        // With a full queue, the writer finds out by its work.
        let _ = self.0.queue.try_send(Message::Look);
    }

    /// Stores an entry for which no client waits. Where that is not possible it is counted: nothing was accepted.
    pub fn enqueue(&self, entry: Entry<'_>) {
        let sent = message(entry, None).is_ok_and(|message| self.0.queue.try_send(message).is_ok());
        if !sent {
            METRICS.store_unlogged.inc();
            tracing::warn!("an incomplete mail has no record: the log's queue is full or closed");
        }
    }

    /// The key under which seen messages are remembered; it never changes.
    pub fn seen_key(&self) -> [u8; 32] {
        self.0.seen_key
    }

    /// The keys of the marks by which a message is recognised when it comes through again.
    pub fn pass_keys(&self) -> &PassKeys {
        &self.0.pass_keys
    }

    /// The record with that id, if it is one of the last [`limits::PASS_DAYS`]. Blocks.
    pub fn find_record(&self, id: &RecordId) -> Result<Option<Record>, ReadError> {
        self.0.readers.record(id, self.before(limits::PASS_DAYS))
    }

    /// What is remembered of the message with that key, whose record has that number, within the last `days`. Blocks.
    pub fn find_seen(&self, seq: u64, key: &Key, days: u32) -> Result<Option<SeenRow<'static>>, ReadError> {
        self.0.readers.find(seq, key, self.before(days))
    }

    /// The newest `count` of what is remembered of the last `days`, with the numbers of their records, newest first.
    /// Gives how many of them are damaged and left out. Blocks.
    pub fn recent_seen(
        &self,
        days: u32,
        count: usize,
        each: impl FnMut(u64, SeenRow<'static>),
    ) -> Result<u64, ReadError> {
        self.0.readers.recent(count, self.before(days), each)
    }

    /// Everyone who is known here, and when that was noted; the newest month first. Gives how many are damaged and left
    /// out. Blocks.
    pub fn contacts(&self, each: impl FnMut(Key, Timestamp)) -> Result<u64, ReadError> {
        let days = 30 * u32::try_from(limits::CONTACT_PERIODS).unwrap_or(u32::MAX);
        self.0.readers.contacts(self.before(days), each)
    }

    fn before(&self, days: u32) -> Timestamp {
        let span = SignedDuration::from_hours(24 * i64::from(days));
        (self.0.clock)().saturating_sub(span).unwrap_or(Timestamp::MIN)
    }

    /// Whether anything can still be stored, now or later.
    pub fn is_open(&self) -> bool {
        !self.0.queue.is_closed()
    }

    /// Whether the writer lives, and could write to the log in its place when it last tried or looked.
    pub fn is_well(&self) -> bool {
        self.is_open() && !self.0.failing.load(Ordering::Relaxed)
    }

    /// Stores what waits, moves everything into the month file, and closes. Other clones are closed with it.
    pub async fn close(&self) {
        self.0.closing.store(true, Ordering::Release);
        self.0.readers.close();
        let (done, closed) = oneshot::channel();
        if self.0.queue.send(Message::Close(done)).await.is_ok() {
            // An error is a writer that died: it holds nothing open either.
            let _ = closed.await;
        }
    }

    fn ended(&self) -> CommitError {
        if self.0.closing.load(Ordering::Acquire) { CommitError::Closed } else { CommitError::WriterDied }
    }
}

/// The entry on its way, with its leaf: hashing is the work of whoever has the mail, so that the writer only writes.
fn message(
    mut entry: Entry<'_>,
    waiter: Option<oneshot::Sender<Result<RecordId, CommitError>>>,
) -> Result<Message, CommitError> {
    let mut salt = Salt::default();
    getrandom::fill(&mut salt).map_err(|error| CommitError::Failed(error.to_string().into()))?;
    entry.findings.iter_mut().for_each(row::cut_finding);
    let at = entry.record.time.as_millisecond();
    Ok(Message::Store(Box::new(RecordWrite {
        row: RecordRow::new(entry.record, &entry.findings, entry.seen.as_ref(), salt),
        findings: entry.findings,
        contacts: entry.contacts.into_iter().map(|key| (key, at)).collect(),
        outbox: entry.outbox,
        waiter,
    })))
}

fn make_directory(directory: &Path) -> Result<(), OpenError> {
    let usable = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    let about = usable
        .and_then(|()| fs::metadata(directory))
        .map_err(|source| OpenError::Directory { path: directory.into(), source })?;
    if about.permissions().mode() & 0o077 != 0 {
        let directory = directory.display();
        tracing::warn!(%directory, "other users can enter the log's directory; its mode should be 0700");
    }
    Ok(())
}

fn lock(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join("lock");
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(|source| OpenError::Directory { path: directory.into(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: directory.into() }),
        Err(TryLockError::Error(source)) => Err(OpenError::Io { path, source }),
    }
}

/// The key in that file, which is made once.
fn made_once(directory: &Path, name: &str) -> Result<[u8; 32], OpenError> {
    let path = directory.join(name);
    key::read(&path)?.map_or_else(|| key::make(&path), Ok)
}

/// The keys of the marks: the current one, and the former one where somebody moved it there to have a new one made.
fn pass_keys(directory: &Path) -> Result<PassKeys, OpenError> {
    let current = made_once(directory, PASS_KEY)?;
    let former = key::read(&directory.join(FORMER_PASS_KEY))?;
    Ok(PassKeys::new(&current, former.as_ref()))
}

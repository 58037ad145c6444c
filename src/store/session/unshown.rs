//! What is looked up in the log without a session, because nothing of any mail is shown.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;

use crate::config::Config;
use crate::record::{FindingRow, RecordId};
use crate::store::access::{Access, AccessError, AccessLog, Made};
use crate::store::disclosure::Disclosures;
use crate::store::held::{self, OnHold};
use crate::store::outbox::{self, State};
use crate::store::register::Register;
use crate::store::search::{Found, Log, Searched};
use crate::store::{OpenError, ReadError, heads};

/// What the access log of a store has under a number.
#[derive(Debug)]
pub enum Logged {
    /// An access, and what file it made.
    Access(Box<Access>, Option<Made>),
    /// Nothing any more: retention deleted it, by this decision.
    Deleted(String),
    /// No access.
    Nothing,
}

/// The access with that number in the access log of a store. It shows no record.
pub fn logged(directory: &Path, n: u64) -> Result<Logged, AccessError> {
    let Some(accesses) = AccessLog::open_to_read(directory)? else { return Ok(Logged::Nothing) };
    if let Some((access, made)) = accesses.access(n)? {
        return Ok(Logged::Access(Box::new(access), made));
    }
    Ok(accesses.deleted_by(n)?.map_or(Logged::Nothing, Logged::Deleted))
}

/// The mails with these queue ids, which the MTA took at about these times, as far as rules hold them. For the server, which
/// shows no record: it counts them, and tells owners that something waits.
pub fn on_hold(directory: &Path, mails: &[(&str, Timestamp)]) -> Result<Vec<Option<OnHold>>, OpenError> {
    let log = Log::open(directory)?;
    let mut searched = Searched::default();
    let found = mails.iter().map(|(id, arrived)| held::look(&log, id, *arrived, &mut searched)).collect();
    // What cannot be read may be the record of a mail that is then nobody's.
    match searched.left_out.into_iter().next() {
        Some(unread) => Err(unread),
        None => Ok(found),
    }
}

/// A record with its findings, for the server alone, which shows neither.
pub fn judged(directory: &Path, id: &RecordId) -> Result<Option<(Found, Vec<FindingRow>)>, OpenError> {
    held::judged(&Log::open(directory)?, id)
}

/// The state of a log in numbers. They name nobody.
#[derive(Debug)]
pub struct Numbers {
    /// Whether a server has the log open; `None` where the system does not say.
    pub is_served: Option<bool>,
    /// When the newest mail came.
    pub newest: Option<Timestamp>,
    /// How many mails the log has had.
    pub records: u64,
    /// The newest tree head: its time and how many records it is of.
    pub head: Option<(Timestamp, u64)>,
    /// The files that heads are copied to.
    pub copies: Vec<Copied>,
    /// The config that the server loaded last, and when.
    pub config: Option<(Timestamp, String)>,
    /// Receipts and notices that wait, since when the oldest of them, and those that failed in the last weeks.
    pub waiting: (u64, Option<Timestamp>),
    /// Those that failed in the last weeks.
    pub failed: u64,
    /// Decisions that open the log today.
    pub decisions: u64,
    /// Decisions that a second person has not approved.
    pub unapproved: u64,
    /// Legal holds.
    pub holds: u64,
    /// Requests for public records that are not answered, and the day on which the oldest of them came.
    pub requests: (u64, Option<Date>),
}

/// A file that tree heads are copied to.
#[derive(Debug)]
pub struct Copied {
    /// The file.
    pub path: PathBuf,
    /// The newest head in it: its time and how many records it is of.
    pub head: Option<(Timestamp, u64)>,
}

/// The state of a log.
pub fn numbers(directory: &Path, config: &Config, today: Date) -> Result<Numbers, NumbersError> {
    let now = Timestamp::now();
    let accesses = AccessLog::open_to_read(directory)?;
    let (register, active, disclosures) = match &accesses {
        Some(accesses) => {
            (Register::read(accesses)?, accesses.active_config()?, Disclosures::read(accesses)?)
        }
        None => (Register::default(), None, Disclosures::default()),
    };
    let requests =
        || disclosures.0.iter().filter(|case| case.closed.is_none()).map(|case| case.asked.received);
    let last = |path: &Path| heads::last(path, &config.server.node).map(|(_, head)| (head.time, head.size));
    let newest = Log::open(directory)?.newest_record(directory);
    let outbox = outbox::list(directory, now)?;
    let in_state = |state: State| outbox.iter().filter(move |listed| listed.state == state);
    let open = register
        .decisions
        .iter()
        .filter(|known| known.closed.is_none() && known.decision.valid_until >= today);
    let (approved, unapproved): (Vec<_>, Vec<_>) =
        open.partition(|known| known.approved.is_some() || !config.store.access.four_eyes);
    Ok(Numbers {
        is_served: is_locked(&directory.join("lock")),
        newest: newest.map(|(time, _)| time),
        records: newest.map_or(0, |(_, seq)| seq),
        head: last(&directory.join(heads::FILE)),
        copies: config
            .store
            .heads
            .file
            .iter()
            .map(|path| Copied { path: path.clone(), head: last(path) })
            .collect(),
        config: active.map(|(since, change)| (since, change.config)),
        waiting: (
            in_state(State::Pending).count() as u64,
            in_state(State::Pending).map(|listed| listed.stored.row.at).min(),
        ),
        failed: in_state(State::Failed).count() as u64,
        decisions: approved.len() as u64,
        unapproved: unapproved.len() as u64,
        holds: register.holds.len() as u64,
        requests: (requests().count() as u64, requests().min()),
    })
}

/// Whether a process has locked a file, as the server does for as long as it runs. To try to lock it would keep a server that
/// starts at this moment from doing so.
fn is_locked(path: &Path) -> Option<bool> {
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let Ok(file) = fs::metadata(path) else { return Some(false) };
    let (major, minor) = (rustix::fs::major(file.dev()), rustix::fs::minor(file.dev()));
    let own = format!("{major:02x}:{minor:02x}:{}", file.ino());
    Some(locks.lines().any(|line| line.contains("FLOCK") && line.split(' ').any(|word| word == own)))
}

/// Why there are no numbers.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub enum NumbersError {
    /// The access log cannot be read.
    Access(#[from] AccessError),
    /// The log cannot be read.
    Open(#[from] OpenError),
    /// The outbox cannot be read.
    Outbox(#[from] ReadError),
}

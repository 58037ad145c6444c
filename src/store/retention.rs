//! Retention: records whose time is over lose their values and salts; their leaves stay, so the rest still verifies.
//!
//! Contract: nothing goes without a decision in the config, a hold keeps whatever it names, and what a run takes stands
//! in the access log before it goes. The daemon's own file is left alone while it runs: what has to go there waits until
//! the month is over. A clock that jumped ahead takes nothing.

pub mod accesses;
pub mod proposals;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Row, TransactionBehavior};

use super::access::Taken;
use super::deliveries::{self, DeliveriesError};
use super::month::Month;
use super::query::Query;
use super::register::Hold;
use super::row::at;
use super::schema::About;
use super::{OpenError, ReadError, index, row, schema, search};
use crate::address::Address;
use crate::config::Retention;
use crate::limits;
use crate::organisation::Organisation;
use crate::record::several;
use crate::text::hex;

/// Why retention does not run.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says it")]
pub enum RetentionError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("a retention run or a backup is in progress")]
    Running,
    #[error(transparent)]
    Deliveries(#[from] DeliveriesError),
    #[error("{}: a reader blocks the file, so the values are not deleted yet; run it again", path.display())]
    Busy { path: PathBuf },
}

/// By what records are judged.
pub struct Rules<'a> {
    /// The decided periods.
    pub periods: &'a [Retention],
    /// What is kept in any case.
    pub holds: &'a [Hold],
    /// Who is inside.
    pub organisation: &'a Organisation,
    /// Take only what this decision, among others, is about; every one where it is absent.
    pub decision: Option<&'a str>,
}

/// What is to go from one month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The month.
    pub month: Month,
    /// The numbers of the records that go, ascending.
    pub due: Vec<u64>,
    /// By the place of their period among the rules: how many of them.
    pub by_period: Vec<u64>,
    /// Records whose time is over and that a hold keeps.
    pub held: u64,
    /// Records for which no period is decided.
    pub undecided: u64,
    /// Whether the daemon writes to it, so that what is due has to wait.
    pub waits: bool,
}

/// What is to go, and on which day that was reckoned.
#[derive(Debug)]
pub struct Plan {
    /// Each month that has anything to tell.
    pub months: Vec<Planned>,
    /// The time up to which periods are counted.
    pub now: Timestamp,
    /// A step in the log's time, from and to, that is too long for mail: the clock may have jumped.
    pub jump: Option<(Timestamp, Timestamp)>,
}

/// What keeps two runs, and a run and the daemon, apart.
pub struct Locks {
    _own: File,
    /// Held where the daemon does not run.
    writer: Option<File>,
}

impl Locks {
    /// Takes them.
    pub fn take(directory: &Path) -> Result<Self, RetentionError> {
        let own = exclude(directory)?;
        let writer = match super::lock(directory) {
            Ok(file) => Some(file),
            Err(OpenError::Locked { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Self { _own: own, writer })
    }
}

/// Keeps every other retention run, and every backup, out for as long as the file is open.
pub(super) fn exclude(directory: &Path) -> Result<File, RetentionError> {
    let path = directory.join("retention.lock");
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(|source| OpenError::Io { path, source })?;
    if file.try_lock().is_err() {
        return Err(RetentionError::Running);
    }
    Ok(file)
}

/// Looks through the log for what is due.
pub fn plan(directory: &Path, rules: &Rules<'_>, clock: Timestamp, locks: &Locks) -> Result<Plan, OpenError> {
    let months =
        Month::list(directory).map_err(|source| OpenError::Directory { path: directory.into(), source })?;
    let mut newest: Option<Timestamp> = None;
    let mut jump = None;
    for (at, month) in months.iter().enumerate() {
        let path = month.path(directory);
        let read = || times(&schema::open_to_read(&path)?, at + 2 >= months.len());
        let times = read().map_err(|source| ReadError { path: path.clone(), source })?;
        let Some(times) = times else { continue };
        jump = jump.or(newest.and_then(|newest| step(newest, times.first))).or(times.jump);
        newest = newest.max(Some(times.last));
    }
    let now = newest.map_or(clock, |newest| {
        jump = jump.or(step(newest, clock));
        clock.min(newest.saturating_add(limits::RETENTION_SLACK).unwrap_or(clock))
    });
    let mut found = Vec::new();
    for month in &months {
        let path = month.path(directory);
        let waits = months.last() == Some(month) && locks.writer.is_none();
        let read = || {
            let connection = schema::open_to_read(&path)?;
            if schema::version(&connection)? < schema::TREE_VERSION {
                return Ok(None);
            }
            look(&connection, *month, rules, now, waits).map(Some)
        };
        found.extend(read().map_err(|source| ReadError { path: path.clone(), source })?);
    }
    Ok(Plan { months: found, now, jump })
}

/// What the access log says of what goes.
pub fn taken(plan: &Plan) -> Vec<Taken> {
    let going = plan.months.iter().filter(|planned| !planned.due.is_empty() && !planned.waits);
    going
        .map(|planned| Taken {
            month: planned.month.to_string(),
            first: planned.due.first().copied().unwrap_or_default(),
            last: planned.due.last().copied().unwrap_or_default(),
            records: planned.due.len() as u64,
            digest: hex(&accesses::digest(&planned.due)),
        })
        .collect()
}

/// How many records of what goes each period governed.
pub fn counts(plan: &Plan) -> Vec<u64> {
    let going = plan.months.iter().filter(|planned| !planned.waits);
    going.fold(Vec::new(), |mut sum, planned| {
        sum.resize(planned.by_period.len().max(sum.len()), 0);
        sum.iter_mut().zip(&planned.by_period).for_each(|(sum, more)| *sum += more);
        sum
    })
}

/// Takes what is planned. `run` is the number of the entry in the access log that tells of it.
pub fn run(
    directory: &Path,
    plan: &Plan,
    run: u64,
    decision: &str,
    _locks: &Locks,
) -> Result<u64, RetentionError> {
    let mut gone = 0;
    take_deliveries(directory, plan)?;
    for planned in &plan.months {
        if planned.waits {
            continue;
        }
        let path = planned.month.path(directory);
        let sqlite = |source| OpenError::Sqlite { path: path.clone(), source };
        let mut connection = schema::open_to_write(&path).map_err(sqlite)?;
        if !planned.due.is_empty() {
            let taken = index::without(directory, planned.month, || {
                take(&mut connection, planned, run, decision, plan.now)
            });
            taken.map_err(|source| OpenError::Io { path: path.clone(), source })?.map_err(sqlite)?;
            gone += planned.due.len() as u64;
        }
        if !clean(&connection).map_err(sqlite)? {
            return Err(RetentionError::Busy { path });
        }
    }
    Ok(gone)
}

/// Takes away what Postfix's log told of what is planned, before the records go: whatever it is derived from, it is about the
/// same people. Mail without a record, such as bounces, goes with the oldest records.
fn take_deliveries(directory: &Path, plan: &Plan) -> Result<(), RetentionError> {
    let mut oldest: Option<Timestamp> = None;
    for month in
        Month::list(directory).map_err(|source| OpenError::Directory { path: directory.into(), source })?
    {
        let path = month.path(directory);
        let going = plan.months.iter().find(|planned| planned.month == month && !planned.waits);
        let due = going.map_or(&[][..], |planned| &planned.due);
        let first = first_left(&path, due).map_err(|source| OpenError::Sqlite { path, source })?;
        oldest = oldest.or(first);
    }
    let day = SignedDuration::from_hours(24);
    let oldest = oldest.and_then(|oldest| oldest.checked_sub(day).ok());
    let mails = |each: &mut dyn FnMut(&str, i64) -> rusqlite::Result<()>| {
        for planned in plan.months.iter().filter(|planned| !planned.waits && !planned.due.is_empty()) {
            let path = planned.month.path(directory);
            let mut read = || {
                let connection = schema::open_to_read(&path)?;
                let mut statement = connection.prepare("SELECT queue_id, time FROM record WHERE seq = ?1")?;
                for seq in &planned.due {
                    let (id, time): (String, i64) =
                        statement.query_row([seq.cast_signed()], |row| Ok((row.get(0)?, row.get(1)?)))?;
                    each(&id, time)?;
                }
                Ok(())
            };
            read().map_err(|source| OpenError::Sqlite { path: path.clone(), source })?;
        }
        Ok::<(), RetentionError>(())
    };
    deliveries::retention::take(directory, mails, oldest)
}

/// The time of the first record of a file that is not due.
fn first_left(path: &Path, due: &[u64]) -> rusqlite::Result<Option<Timestamp>> {
    let connection = schema::open_to_read(path)?;
    let mut statement = connection.prepare("SELECT seq, time FROM record ORDER BY seq")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if due.binary_search(&row.get::<_, i64>(0)?.unsigned_abs()).is_err() {
            return Ok(Timestamp::from_millisecond(row.get(1)?).ok());
        }
    }
    Ok(None)
}

/// One month's records, in one transaction: values and salts go, leaves stay.
pub(super) fn take(
    connection: &mut Connection,
    planned: &Planned,
    run: u64,
    decision: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    schema::upgrade(connection)?;
    // What is deleted is overwritten, in the pages as in those that become free.
    connection.pragma_update(None, "secure_delete", true)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(
        "INSERT INTO run VALUES (?1, ?2, ?3, ?4)",
        (
            run.cast_signed(),
            now.as_millisecond(),
            decision,
            i64::try_from(planned.due.len()).unwrap_or(i64::MAX),
        ),
    )?;
    {
        let mut keep =
            transaction.prepare("INSERT INTO pruned SELECT seq, leaf, ?2 FROM record WHERE seq = ?1")?;
        let tables = ["record", "finding", "seen"];
        let mut deletes = tables
            .iter()
            .map(|table| transaction.prepare(&format!("DELETE FROM {table} WHERE seq = ?1")))
            .collect::<Result<Vec<_>, _>>()?;
        for seq in &planned.due {
            keep.execute((seq.cast_signed(), run.cast_signed()))?;
            for delete in &mut deletes {
                delete.execute([seq.cast_signed()])?;
            }
        }
    }
    // A kill before the file is made anew leaves this.
    transaction.execute("INSERT OR REPLACE INTO meta VALUES (?1, '1')", [UNCLEAN])?;
    // Mails of our own go with the record that they are about, and the memory of seen messages with its time.
    transaction.execute_batch(
        "DELETE FROM dispatch WHERE key IN (SELECT key FROM outbox WHERE seq IN (SELECT seq FROM pruned));
         DELETE FROM outbox WHERE seq IN (SELECT seq FROM pruned);",
    )?;
    let forgotten = now.saturating_sub(SignedDuration::from_hours(24 * i64::from(limits::SEEN_DAYS)));
    let forgotten = forgotten.unwrap_or(Timestamp::MIN).as_millisecond();
    transaction.execute("UPDATE record SET seen = NULL WHERE time < ?1 AND seen IS NOT NULL", [forgotten])?;
    transaction.execute("DELETE FROM seen WHERE at < ?1", [forgotten])?;
    transaction.commit()
}

/// The row of `meta` that says that records were deleted and the file was not made anew since.
const UNCLEAN: &str = "unclean";

/// Makes the file anew, and the write-ahead log empty. Where a page was split, its old half stays in it, and no deletion
/// overwrites that. `false` where a reader is in the way.
pub(super) fn clean(connection: &Connection) -> rusqlite::Result<bool> {
    let pruned: i64 = connection.query_row("SELECT count(*) FROM run", [], |row| row.get(0))?;
    let free: i64 = connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    let unclean: i64 =
        connection.query_row("SELECT count(*) FROM meta WHERE key = ?1", [UNCLEAN], |row| row.get(0))?;
    if pruned > 0 && (free > 0 || unclean > 0) {
        connection.execute_batch("VACUUM")?;
        connection.execute("DELETE FROM meta WHERE key = ?1", [UNCLEAN])?;
    }
    let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(busy == 0)
}

struct Times {
    first: Timestamp,
    last: Timestamp,
    jump: Option<(Timestamp, Timestamp)>,
}

/// The times of a file's first and newest record, and the longest step between two, where that is asked for.
fn times(connection: &Connection, steps: bool) -> rusqlite::Result<Option<Times>> {
    let at = |ms: i64| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MIN);
    let sql = "SELECT (SELECT time FROM record ORDER BY seq LIMIT 1), (SELECT max(time) FROM record)";
    let ends = connection
        .query_row(sql, [], |row| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?)))?;
    let (Some(first), Some(last)) = ends else { return Ok(None) };
    let mut jump = None;
    if steps {
        let mut statement = connection.prepare("SELECT time FROM record ORDER BY time")?;
        let mut rows = statement.query([])?;
        let mut before: Option<i64> = None;
        while let Some(row) = rows.next()? {
            let time: i64 = row.get(0)?;
            jump = jump.or(before.and_then(|before| step(at(before), at(time))));
            before = Some(time);
        }
    }
    Ok(Some(Times { first: at(first), last: at(last), jump }))
}

/// Whether that is longer than any time without mail.
fn step(from: Timestamp, to: Timestamp) -> Option<(Timestamp, Timestamp)> {
    (to.duration_since(from) > limits::RETENTION_STEP).then_some((from, to))
}

/// Looks at every record of a file.
fn look(
    connection: &Connection,
    month: Month,
    rules: &Rules<'_>,
    now: Timestamp,
    waits: bool,
) -> rusqlite::Result<Planned> {
    let by_period = vec![0; rules.periods.len()];
    let mut planned = Planned { month, due: Vec::new(), by_period, held: 0, undecided: 0, waits };
    let about = schema::about(connection)?;
    let holds: Vec<Query> = rules.holds.iter().map(|hold| hold.query(rules.organisation)).collect();
    let columns = row::select(connection)?;
    let mut statement = connection.prepare(&format!("SELECT seq, {columns} FROM record ORDER BY seq"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let time = Timestamp::from_millisecond(row.get(at::TIME)?).unwrap_or(Timestamp::MAX);
        let Some(governing) = rules.governing(row)? else {
            planned.undecided += 1;
            continue;
        };
        let longest = governing.iter().filter_map(|at| Some((rules.periods.get(*at)?.keep, *at))).max();
        let Some((keep, period)) = longest else { continue };
        let over = SignedDuration::try_from(keep).ok().and_then(|keep| time.checked_add(keep).ok());
        let wanted = rules.decision.is_none_or(|decision| {
            governing.iter().any(|at| rules.periods.get(*at).is_some_and(|known| known.decision == decision))
        });
        if over.is_none_or(|over| over >= now) || !wanted {
            continue;
        }
        let seq = row.get::<_, i64>(0)?.unsigned_abs();
        let mut held = false;
        for hold in &holds {
            held = held || (is_record(hold, &about, seq) && search::fits(hold, row)?);
        }
        if held {
            planned.held += 1;
            continue;
        }
        planned.due.push(seq);
        planned.by_period.get_mut(period).into_iter().for_each(|count| *count += 1);
    }
    Ok(planned)
}

/// Whether a query is about this record, as far as it names one.
fn is_record(query: &Query, about: &About, seq: u64) -> bool {
    query.record.as_ref().is_none_or(|id| *id.node == *about.node && id.epoch == about.epoch && id.seq == seq)
}

impl Rules<'_> {
    /// The periods that have to be over: one for each party inside, in the envelope or in From. `None` where one of them
    /// has none, for then nobody has decided.
    fn governing(&self, row: &Row<'_>) -> rusqlite::Result<Option<Vec<usize>>> {
        let recipients: Vec<String> = row::parsed(row, at::RECIPIENTS)?;
        let text = |column: usize| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
        let authors = several(text(at::HEADER_FROM)?).filter(|author| author.contains('@'));
        let parties = recipients.iter().map(String::as_str).chain([text(at::SENDER)?]).chain(authors);
        let inside: Vec<Address> =
            parties.filter_map(Address::parse).filter(|address| self.organisation.owns(address)).collect();
        if inside.is_empty() {
            // Mail that ended before its recipients, or that never met anybody inside.
            return Ok(self.period_of(None).map(|at| vec![at]));
        }
        Ok(inside.iter().map(|address| self.period_of(Some(address))).collect())
    }

    /// The first period that covers the mailbox, by the address that was written or by the one that stands for it.
    fn period_of(&self, address: Option<&Address>) -> Option<usize> {
        let mailbox = address.map(|address| self.organisation.identity(address));
        let covers = |period: &Retention| {
            let covers = |of: Option<&Address>| period.mailboxes.iter().any(|covered| covered.covers(of));
            covers(address) || covers(mailbox.as_ref())
        };
        self.periods.iter().position(covers)
    }
}

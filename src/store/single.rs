//! One record with all that belongs to it. What it costs does not grow with the log: no other record is read.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::access::{Access, AccessError, AccessLog, Done, Kind};
use super::deliveries::DeliveriesError;
use super::deliveries::trace::{Trace, Tracer};
use super::held::{HeldActs, Told};
use super::month::Month;
use super::outbox::{self, Listed};
use super::outcomes::{self, Outcome, OutcomesError};
use super::proof::{Prover, Sealed};
use super::search::Found;
use super::search::findings::SINCE_VERSION as FINDINGS_SINCE;
use super::{OpenError, ReadError, heads, schema};
use crate::limits;
use crate::note::TreeHead;
use crate::record::RecordId;

/// What belongs to a record.
#[derive(Debug)]
pub struct Belongings {
    /// What is stored of it; absent in files of the first versions, which have no tree.
    pub sealed: Option<Sealed>,
    /// Whether that is what its leaf was made of.
    pub unchanged: bool,
    /// The first signed head that covers it.
    pub head: Option<TreeHead>,
    /// Its receipts and notices.
    pub notices: Vec<Listed>,
    /// What the access log tells of them, with the numbers of its entries.
    pub outcomes: Vec<(u64, Outcome)>,
    /// What people did with it while it was held, oldest first.
    pub acts: Vec<Told>,
    /// The times that the same mail came through again, oldest first.
    pub passes: Vec<Pass>,
    /// Who asked for this mail by one of its ids, oldest first. Searches that showed it among others are not here.
    pub accesses: Vec<Done>,
    /// What became of it, according to Postfix; none where Postfix's log was never read. It is derived: that it cannot be read
    /// keeps nobody from the record.
    pub trace: Result<Option<Trace>, DeliveriesError>,
}

/// A mail that came through again.
#[derive(Debug)]
pub struct Pass {
    /// Its record.
    pub id: RecordId,
    /// When it came.
    pub time: Timestamp,
    /// The MTA's queue id.
    pub queue_id: String,
}

/// Reads what belongs to a record.
pub(super) fn read(
    directory: &Path,
    accesses: &AccessLog,
    mut prover: Prover,
    found: &Found,
) -> Result<Belongings, OutcomesError> {
    let id = &found.id;
    let sealed = prover.seal(id).map_err(OpenError::from)?;
    let unchanged = match &sealed {
        Some(sealed) => prover.leaf_of_last(id.seq).map_err(OpenError::from)? == Some(sealed.leaf(id.seq)),
        None => true,
    };
    let time = found.record.time;
    let begin = Month::of(time);
    let all =
        Month::list(directory).map_err(|source| OpenError::Directory { path: directory.into(), source })?;
    let within = |days: u32| {
        let days = SignedDuration::from_hours(24 * i64::from(days));
        let end = Month::of(time.saturating_add(days).unwrap_or(time));
        all.iter().copied().filter(move |month| (begin..=end).contains(month))
    };
    let months = within(3 * limits::OUTBOX_DAYS);
    let trace = Tracer::open(directory).and_then(|tracer| tracer.trace(&found.record));
    Ok(Belongings {
        sealed,
        unchanged,
        head: heads::first_over(directory, &id.node, id.epoch, id.seq),
        notices: outbox::of_record(directory, months, id).map_err(OpenError::from)?,
        outcomes: outcomes::of_record(accesses, id)?,
        acts: HeldActs::of_record(accesses, &id.to_string())?,
        accesses: accesses_by_id(accesses, found)?,
        passes: passes(directory, within(limits::PASS_DAYS), id).map_err(OpenError::from)?,
        trace,
    })
}

/// The accesses that asked for a mail by its record id, queue id or Message-ID.
fn accesses_by_id(accesses: &AccessLog, found: &Found) -> Result<Vec<Done>, AccessError> {
    let (id, record) = (found.id.to_string(), &found.record);
    let ids = [("record", id.as_str()), ("queue_id", &record.queue_id), ("message_id", &record.message_id)];
    let mut all: Vec<Done> = Vec::new();
    for (name, id) in ids.into_iter().filter(|(_, id)| !id.is_empty()) {
        for entry in accesses.entries_that_have(Kind::Access, id)? {
            let Some(access) = entry.read::<Access>(Kind::Access) else { continue };
            let query: Value = serde_json::from_str(&access.query).unwrap_or_default();
            let is_own = query.get(name).and_then(Value::as_str) == Some(id);
            if is_own && !all.iter().any(|known| known.n == entry.n) {
                let access = Access { time: entry.time, ..access };
                all.push(Done { n: entry.n, access, registered: entry.registered, result: None });
            }
        }
    }
    all.sort_unstable_by_key(|done| done.n);
    Ok(all)
}

/// The records in these months of a mail that came through again, whose first record has this id.
fn passes(
    directory: &Path,
    months: impl Iterator<Item = Month>,
    id: &RecordId,
) -> Result<Vec<Pass>, ReadError> {
    let mut passes = Vec::new();
    for month in months {
        let path = month.path(directory);
        let mut read = || -> rusqlite::Result<()> {
            let connection = schema::open_to_read(&path)?;
            if schema::version(&connection)? < FINDINGS_SINCE {
                return Ok(());
            }
            let about = schema::about(&connection)?;
            let mut rows = connection.prepare(
                "SELECT seq, time, queue_id FROM finding JOIN record USING (seq) \
                 WHERE rule = 'second-pass' AND evidence = ?1 ORDER BY seq",
            )?;
            let mut rows = rows.query([id.to_string()])?;
            while let Some(row) = rows.next()? {
                let seq: i64 = row.get(0)?;
                let (node, epoch) = (about.node.as_str().into(), about.epoch);
                passes.push(Pass {
                    id: RecordId { node, epoch, seq: seq.unsigned_abs() },
                    time: Timestamp::from_millisecond(row.get(1)?).unwrap_or(Timestamp::MIN),
                    queue_id: row.get(2)?,
                });
            }
            Ok(())
        };
        read().map_err(|source| ReadError { path: path.clone(), source })?;
    }
    Ok(passes)
}

//! Verifies the access log, epoch by epoch.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode};

use super::leaves::Leaf;
use super::runs::{self, Runs};
use super::{Fault, SignedHeads, Verified, Walk};
use crate::merkle::{Hash, Salt, Tree};
use crate::store::access::epoch::{self, Epoch};
use crate::store::access::{self, Kind, NewEpoch};
use crate::store::{heads, schema, tree};

/// What is found out about each of its trees.
pub(super) fn verify(path: &Path, signed: &SignedHeads, runs: Option<&Runs>) -> Vec<Verified> {
    let first = signed.keys().find(|origin| heads::access_epoch(origin).is_some());
    // `postvakt/gw1/access`, of whichever epoch the heads are.
    let begin = first.and_then(|origin| origin.find("/access").and_then(|end| origin.get(..end)));
    let begin = begin.unwrap_or("postvakt").to_owned();
    let origin = |number: u32| match number {
        1 => format!("{begin}/access"),
        _ => format!("{begin}/access/{number}"),
    };
    let alone =
        |fault: Fault| vec![Verified { origin: origin(1), faults: vec![fault], ..Verified::default() }];
    if access::is_former(path) {
        let what = "it was written by an older version, without a tree: nothing can be verified. The next command \
                    that writes there takes it over";
        return alone(Fault::missing(path, what));
    }
    match walk(path, signed, runs, &origin) {
        Ok(found) => found,
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ReadOnly) => {
            let what = "a write to it was broken off, and the next command that writes there will mend it";
            alone(Fault::missing(path, what))
        }
        Err(error) => alone(Fault::tampered(path, None, &error.to_string())),
    }
}

fn walk(
    path: &Path,
    signed: &SignedHeads,
    runs: Option<&Runs>,
    origin: &dyn Fn(u32) -> String,
) -> rusqlite::Result<Vec<Verified>> {
    let connection = schema::open_to_read_any(path)?;
    // At one moment: somebody may be reading the log just now.
    let moment = connection.unchecked_transaction()?;
    let now = tree::read(&moment, tree::NOW)?;
    let epochs = epoch::list(&moment)?;
    let steps = runs.map(|runs| runs.steps.as_slice()).unwrap_or_default();
    let mut found = Vec::new();
    let mut deleted = Deleted::default();
    for (at, epoch) in epochs.iter().enumerate() {
        let next = epochs.get(at + 1);
        let origin = origin(epoch.number);
        let mut walk = Walk::new(origin.clone(), signed.get(&origin), steps);
        // A head of a later epoch says that it went on.
        let later = |other: &String| heads::access_epoch(other).is_some_and(|number| number > epoch.number);
        walk.left = next.is_some() || signed.keys().any(later);
        one(path, &moment, *epoch, next.map(|next| next.after), &mut walk, &mut deleted);
        let here = walk.tree.as_ref().map_or(walk.found.records, Tree::size);
        if next.is_none() && walk.tree.as_ref().is_some_and(|tree| *tree != now) && !walk.differs {
            let what = "the file's own tree is not that of its entries: some are missing, or were put there";
            walk.found.faults.push(Fault::tampered(path, None, what));
        }
        walk.end(Some(path), here);
        found.push(walk.found);
    }
    if let Some(last) = found.last_mut() {
        deleted.judge(path, runs, last);
    }
    Ok(found)
}

/// One epoch, up to its last entry.
fn one(
    path: &Path,
    connection: &Connection,
    epoch: Epoch,
    last: Option<u64>,
    walk: &mut Walk<'_>,
    deleted: &mut Deleted,
) {
    walk.tree = Some(Tree::default());
    walk.expected = epoch.after + 1;
    walk.shift = epoch.after;
    let named = |n: u64| format!("access {n}");
    let mut read = || -> rusqlite::Result<()> {
        let mut statement = connection.prepare(if connection.table_exists(None, "pruned")? {
            WITH_DELETED
        } else {
            ENTRIES
        })?;
        let last = last.map_or(i64::MAX, u64::cast_signed);
        let mut rows = statement.query((epoch.after.cast_signed(), last))?;
        while let Some(row) = rows.next()? {
            let n = row.get::<_, i64>(0)?.unsigned_abs();
            if n < walk.expected {
                let what = "it is there, and also said to be pruned";
                walk.found.faults.push(Fault::tampered(path, Some(named(n)), what));
                continue;
            }
            if let Some(run) = row.get::<_, Option<i64>>(6)? {
                deleted.add(n, run.unsigned_abs(), walk);
                let hash = row.get(5).ok();
                let leaf = Leaf { seq: n, hash, pruned: true, time: None, is_step: false, fault: None };
                walk.leaf(path, &named, leaf);
                continue;
            }
            let (time, kind, body): (i64, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
            let (salt, stored): (Option<Salt>, Option<Hash>) = (row.get(4).ok(), row.get(5).ok());
            let computed = salt.map(|salt| access::leaf(n, &salt, time, &kind, &body));
            let fault = (computed.is_none() || stored != computed)
                .then(|| "it is not what was written: it was changed".to_owned());
            // The entry that tells of the epoch comes after the numbers that it gives up.
            let begins = kind == Kind::Epoch.as_str()
                && serde_json::from_str(&body)
                    .is_ok_and(|told: NewEpoch| told.epoch == epoch.number && told.lost + 1 == n);
            if begins && n > walk.expected {
                walk.shift += n - walk.expected;
                walk.expected = n;
            }
            let is_step = kind == Kind::Clock.as_str();
            deleted.see(time, is_step);
            let leaf = Leaf { seq: n, hash: stored, pruned: false, time: Some(time), is_step, fault };
            walk.leaf(path, &named, leaf);
        }
        Ok(())
    };
    if let Err(error) = read() {
        walk.found.faults.push(Fault::tampered(path, None, &error.to_string()));
    }
}

const ENTRIES: &str =
    "SELECT n, time, kind, body, salt, leaf, NULL FROM entry WHERE n > ?1 AND n <= ?2 ORDER BY n";
/// A number that is in both tables comes twice.
const WITH_DELETED: &str = "
    SELECT n, time, kind, body, salt, leaf, NULL FROM entry WHERE n > ?1 AND n <= ?2
    UNION ALL SELECT n, NULL, NULL, NULL, NULL, leaf, run FROM pruned WHERE n > ?1 AND n <= ?2 ORDER BY n";

/// What retention deleted, as the file says.
#[derive(Default)]
struct Deleted {
    /// By the run: each number, and the least time that it can have been registered.
    runs: BTreeMap<u64, Vec<(u64, Option<Timestamp>)>>,
    /// The newest time of the entries that are left, since the clock was set.
    newest: Option<Timestamp>,
}

impl Deleted {
    /// An entry that is left.
    fn see(&mut self, time: i64, is_step: bool) {
        let time = Timestamp::from_millisecond(time).ok();
        self.newest = if is_step { time } else { self.newest.max(time) };
    }

    /// One that is not.
    fn add(&mut self, n: u64, run: u64, walk: &Walk<'_>) {
        let head = walk.heads.and_then(|heads| runs::least(heads, n.saturating_sub(walk.shift)));
        self.runs.entry(run).or_default().push((n, self.newest.max(head)));
    }

    /// Whether each was deleted by a run that the log tells of, when its time was over.
    fn judge(self, path: &Path, runs: Option<&Runs>, found: &mut Verified) {
        for (run, deleted) in &self.runs {
            if let Some(decision) = runs.and_then(|runs| runs.own_decision(*run)) {
                *found.pruned.entry(decision.to_owned()).or_default() += deleted.len() as u64;
            }
            let unread = || Err(format!("{} entries are gone, and the runs cannot be read", deleted.len()));
            let judged = runs.map_or_else(unread, |runs| runs.judge_own(*run, deleted));
            if let Err(what) = judged {
                let first = deleted.first().map(|(n, _)| format!("access {n}"));
                found.faults.push(Fault::tampered(path, first, &what));
            }
        }
        found.faults.sort_by_key(|fault| std::cmp::Reverse(fault.verdict));
    }
}

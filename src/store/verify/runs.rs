//! What the access log says of retention runs, and whether what they deleted was due. A run destroyed evidence if it
//! deleted younger records or entries, or by a decision that the active config did not have.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use serde::de::DeserializeOwned;

use super::leaves::Run;
use super::{SignedHeads, Verdict};
use crate::limits;
use crate::note::TreeHead;
use crate::store::access::epoch::{self, Epoch};
use crate::store::access::{
    AccessRetention, ActiveConfig, ClockStep, ConfigChange, Period, Retention, leaves_of,
};
use crate::store::retention::accesses;
use crate::store::{heads, schema};
use crate::text::hex;

/// What the access log tells that bears on the records.
#[derive(Debug)]
pub(super) struct Runs {
    /// Retention runs, by the number of their entry.
    known: BTreeMap<u64, Known<Retention>>,
    /// Those over the access log itself.
    own: BTreeMap<u64, Known<AccessRetention>>,
    /// The clock's steps.
    pub(super) steps: Vec<ClockStep>,
    epochs: Vec<Epoch>,
}

#[derive(Debug)]
struct Known<T> {
    /// When it ran at the latest: what its entry says, less what the clock was ahead, as it was set back later.
    time: Timestamp,
    ahead: SignedDuration,
    run: T,
    /// The config that was active then, where the access log says.
    active_config: Option<ConfigChange>,
}

/// Reads them. No run was later than the first head of the access log that covers its entry.
pub(super) fn read(path: &Path, signed: &SignedHeads) -> rusqlite::Result<Runs> {
    let connection = schema::open_to_read_any(path)?;
    let mut runs = Runs {
        known: BTreeMap::new(),
        own: BTreeMap::new(),
        steps: Vec::new(),
        epochs: epoch::list(&connection)?,
    };
    let mut steps: Vec<(u64, SignedDuration)> = Vec::new();
    let mut statement = connection.prepare(
        "SELECT n, time, kind, body FROM entry \
         WHERE kind IN ('retention', 'access-retention', 'config', 'clock') ORDER BY n",
    )?;
    let mut rows = statement.query([])?;
    let mut active_config: Option<ConfigChange> = None;
    while let Some(row) = rows.next()? {
        let (n, time) = (row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?);
        let (kind, body): (String, String) = (row.get(2)?, row.get(3)?);
        match kind.as_str() {
            "retention" => runs.known.extend(Known::read(n, time, &body, active_config.as_ref())),
            "access-retention" => runs.own.extend(Known::read(n, time, &body, active_config.as_ref())),
            "config" => {
                let change = serde_json::from_str::<ConfigChange>(&body).ok();
                let change = change.filter(|change| !change.config.is_empty());
                // One that was refused names the config that stays, without what it says.
                let stays = |change: &ConfigChange| {
                    active_config
                        .as_ref()
                        .is_some_and(|known| known.config == change.config && change.part.is_none())
                };
                if let Some(change) = change.filter(|change| !stays(change)) {
                    active_config = Some(change);
                }
            }
            _ => {
                let step = serde_json::from_str::<ClockStep>(&body).ok();
                steps.extend(step.as_ref().map(|step| (n, SignedDuration::from_millis(step.milliseconds))));
                runs.steps.extend(step);
            }
        }
    }
    for (n, known) in &mut runs.known {
        known.correct(*n, &steps, covered(&connection, &runs.epochs, *n, signed)?);
    }
    for (n, known) in &mut runs.own {
        known.correct(*n, &steps, covered(&connection, &runs.epochs, *n, signed)?);
    }
    Ok(runs)
}

/// When the first head was signed that covers an entry.
fn covered(
    connection: &Connection,
    epochs: &[Epoch],
    n: u64,
    signed: &SignedHeads,
) -> rusqlite::Result<Option<Timestamp>> {
    let Some(epoch) = epochs.iter().rev().find(|epoch| epoch.after < n) else { return Ok(None) };
    let heads = signed.iter().find(|(origin, _)| heads::access_epoch(origin) == Some(epoch.number));
    let Some((_, heads)) = heads else { return Ok(None) };
    let sql = format!("SELECT count(*) FROM ({}) WHERE n <= ?2", leaves_of(connection)?);
    let range = (epoch.after.cast_signed(), n.cast_signed());
    let place: i64 = connection.query_row(&sql, range, |row| row.get(0))?;
    Ok(heads.range(place.unsigned_abs()..).next().map(|(_, head)| head.time))
}

impl Runs {
    /// Why what a month file says was pruned is not confirmed, if it is not.
    pub(super) fn judge(
        &self,
        run: &Run,
        month: &str,
        heads: Option<&BTreeMap<u64, TreeHead>>,
    ) -> Result<(), (Verdict, String)> {
        let known = self.known.get(&run.id).filter(|known| {
            known.run.decision == run.decision
                && known.run.files.iter().any(|file| file.month == month && file.digest == run.digest)
        });
        let Some(known) = known else {
            let what = format!(
                "{} records from here on are gone, and the access log has no such retention run by {:?}",
                run.records, run.decision
            );
            let lost = self.epochs.iter().any(|epoch| epoch.after < run.id && run.id <= epoch.lost);
            return Err(if lost {
                (Verdict::Incomplete, format!("{what}: its entry may be among those that a restore lost"))
            } else {
                (Verdict::Tampered, what)
            });
        };
        known.judge(run, heads).map_err(|what| (Verdict::Tampered, what))
    }

    /// By which decision entries of the access log were deleted in that run.
    pub(super) fn own_decision(&self, id: u64) -> Option<&str> {
        self.own.get(&id).map(|known| known.run.decision.as_str())
    }

    /// Why entries of the access log that are gone are not confirmed, if they are not. `deleted` has, of each, the least
    /// time that it can have been registered.
    pub(super) fn judge_own(&self, id: u64, deleted: &[(u64, Option<Timestamp>)]) -> Result<(), String> {
        let count = deleted.len();
        let Some(known) = self.own.get(&id) else {
            return Err(format!(
                "{count} entries from here on are gone, and no entry tells of a run {id} that took them"
            ));
        };
        let numbers: Vec<u64> = deleted.iter().map(|(n, _)| *n).collect();
        let run = &known.run;
        if hex(&accesses::digest(&numbers)) != run.digest || numbers.last().is_some_and(|last| *last > id) {
            return Err(format!(
                "{count} entries from here on are gone, and they are not those that entry {id} says were pruned by {:?}",
                run.decision
            ));
        }
        known.is_of_active_config(&run.config, &run.decision, &format!("{count} entries"))?;
        let decided = known.decided().map(|part| part.access_retention.as_ref());
        if decided.is_some_and(|decided| decided != Some(&run.period)) {
            return Err(format!(
                "{count} entries were pruned by {:?} after another period than the active config had",
                run.decision
            ));
        }
        let due = due(known.time, run.period.keep_seconds);
        let is_young = |least: &Option<Timestamp>| {
            least
                .and_then(|least| least.checked_sub(limits::ENTRY_ORDER).ok())
                .is_some_and(|least| least > due)
        };
        match deleted.iter().filter(|(_, least)| is_young(least)).count() {
            0 => Ok(()),
            young => Err(format!(
                "{young} of the {count} entries that were pruned by {:?} were younger than its period: they were written \
                 after {due}, as heads and the entries that are left show{}",
                run.decision,
                known.was_ahead()
            )),
        }
    }
}

impl<T: DeserializeOwned> Known<T> {
    fn read(n: u64, time: i64, body: &str, active_config: Option<&ConfigChange>) -> Option<(u64, Self)> {
        let time = Timestamp::from_millisecond(time).unwrap_or(Timestamp::MAX);
        let run = serde_json::from_str(body).ok()?;
        Some((n, Self { time, ahead: SignedDuration::ZERO, run, active_config: active_config.cloned() }))
    }
}

impl<T> Known<T> {
    /// What was deleted under a clock that was ahead, as its later steps show, was younger than the clock said.
    fn correct(&mut self, n: u64, steps: &[(u64, SignedDuration)], covered: Option<Timestamp>) {
        let later = steps.iter().filter(|(at, _)| *at > n).map(|(_, step)| *step);
        let sum = later.fold(SignedDuration::ZERO, SignedDuration::saturating_add);
        if -sum > limits::RETENTION_SLACK {
            self.ahead = -sum;
            self.time = self.time.saturating_add(sum).unwrap_or(Timestamp::MIN);
        }
        self.time = covered.map_or(self.time, |covered| self.time.min(covered));
    }

    fn was_ahead(&self) -> String {
        let days = self.ahead.as_hours() / 24;
        if days == 0 {
            String::new()
        } else {
            format!(". The clock was {days} days ahead then, and was set back later")
        }
    }

    /// What the config that was active said of the log, where the access log has that.
    fn decided(&self) -> Option<&ActiveConfig> {
        self.active_config.as_ref().and_then(|change| change.part.as_ref())
    }

    /// Whether it ran under the config that was active, as far as both are known.
    fn is_of_active_config(&self, config: &str, decision: &str, what: &str) -> Result<(), String> {
        match self.active_config.as_ref().filter(|change| !config.is_empty() && change.part.is_some()) {
            Some(active) if active.config != config => Err(format!(
                "{what} were pruned by {decision:?} under the config {config}, and {} was active",
                active.config
            )),
            _ => Ok(()),
        }
    }
}

impl Known<Retention> {
    fn judge(&self, run: &Run, heads: Option<&BTreeMap<u64, TreeHead>>) -> Result<(), String> {
        let own = self.run.periods.as_slice();
        let decided = self.decided();
        self.is_of_active_config(&self.run.config, &run.decision, &format!("{} records", run.records))?;
        let periods = decided.map_or(own, |part| part.retention.as_slice());
        if periods.is_empty() && decided.is_none() {
            // An older postvakt wrote neither.
            return Ok(());
        }
        if !own.is_empty() && own != periods {
            return Err(format!(
                "{} records were pruned by {:?} after other periods than the config that was active had",
                run.records, run.decision
            ));
        }
        let named = |period: &&Period| period.decision == run.decision;
        let Some(keep) = periods.iter().filter(named).map(|period| period.keep_seconds).min() else {
            return Err(format!(
                "{} records were pruned by {:?}, which the config that was active did not name",
                run.records, run.decision
            ));
        };
        let due = due(self.time, keep);
        let young = run.numbers.iter().filter(|seq| not_before(heads, **seq).is_some_and(|time| time > due));
        match young.count() {
            0 => Ok(()),
            young => Err(format!(
                "{young} of the {} records that were pruned by {:?} were younger than its period: they came after {due}, as \
                 the heads show{}",
                run.records,
                run.decision,
                self.was_ahead()
            )),
        }
    }
}

/// What came until then was over at that time.
fn due(time: Timestamp, keep_seconds: u64) -> Timestamp {
    let keep = SignedDuration::from_secs(i64::try_from(keep_seconds).unwrap_or(i64::MAX));
    time.saturating_sub(keep).unwrap_or(Timestamp::MIN)
}

/// The record came not before this: a head without it was signed, and its mail may have begun a little earlier.
fn not_before(heads: Option<&BTreeMap<u64, TreeHead>>, seq: u64) -> Option<Timestamp> {
    least(heads?, seq)?.checked_sub(limits::RECORD_ORDER).ok()
}

/// When the newest head was signed that does not cover that place. Where the clock was set back after it, the next head's
/// time counts.
pub(super) fn least(heads: &BTreeMap<u64, TreeHead>, place: u64) -> Option<Timestamp> {
    let (_, before) = heads.range(..place).next_back()?;
    let after = heads.range(place..).next().map_or(before.time, |(_, head)| head.time);
    Some(before.time.min(after))
}

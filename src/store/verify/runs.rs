//! What the access log says of retention runs, and whether the deleted records were due. A run destroyed evidence if it
//! deleted younger records, or by a decision that the active config did not have.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::Verdict;
use super::leaves::Run;
use crate::limits;
use crate::note::TreeHead;
use crate::store::access::epoch::{self, Epoch};
use crate::store::access::{ClockStep, ConfigChange, Period, Retention};
use crate::store::schema;

/// What the access log tells that bears on the records.
#[derive(Debug)]
pub(super) struct Runs {
    /// Retention runs, by the number of their entry.
    known: BTreeMap<u64, Known>,
    /// The clock's steps.
    pub(super) steps: Vec<ClockStep>,
    epochs: Vec<Epoch>,
}

#[derive(Debug)]
struct Known {
    time: Timestamp,
    run: Retention,
    /// The config that was active then, where the access log says.
    active_config: Option<ConfigChange>,
}

/// Reads them.
pub(super) fn read(path: &Path) -> rusqlite::Result<Runs> {
    let connection = schema::open_to_read_any(path)?;
    let mut runs = Runs { known: BTreeMap::new(), steps: Vec::new(), epochs: epoch::list(&connection)? };
    let mut statement = connection.prepare(
        "SELECT n, time, kind, body FROM entry WHERE kind IN ('retention', 'config', 'clock') ORDER BY n",
    )?;
    let mut rows = statement.query([])?;
    let mut active_config: Option<ConfigChange> = None;
    while let Some(row) = rows.next()? {
        let (n, time) = (row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?);
        let (kind, body): (String, String) = (row.get(2)?, row.get(3)?);
        match kind.as_str() {
            "retention" => {
                let time = Timestamp::from_millisecond(time).unwrap_or(Timestamp::MAX);
                if let Ok(run) = serde_json::from_str(&body) {
                    runs.known.insert(n, Known { time, run, active_config: active_config.clone() });
                }
            }
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
            _ => runs.steps.extend(serde_json::from_str::<ClockStep>(&body).ok()),
        }
    }
    Ok(runs)
}

impl Runs {
    /// Why what a month file says was pruned is not confirmed, if it is not.
    pub(super) fn judge(
        &self,
        run: &Run,
        heads: Option<&BTreeMap<u64, TreeHead>>,
    ) -> Result<(), (Verdict, String)> {
        let known = self.known.get(&run.id).filter(|known| {
            known.run.decision == run.decision && known.run.files.iter().any(|file| file.digest == run.digest)
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
}

impl Known {
    fn judge(&self, run: &Run, heads: Option<&BTreeMap<u64, TreeHead>>) -> Result<(), String> {
        let own = self.run.periods.as_slice();
        let decided = self.active_config.as_ref().and_then(|change| change.part.as_ref());
        if let Some(active_config) =
            self.active_config.as_ref().filter(|change| !self.run.config.is_empty() && change.part.is_some())
            && active_config.config != self.run.config
        {
            return Err(format!(
                "{} records were pruned by {:?} under the config {}, and {} was active",
                run.records, run.decision, self.run.config, active_config.config
            ));
        }
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
        let keep = SignedDuration::from_secs(i64::try_from(keep).unwrap_or(i64::MAX));
        let due = self.time.saturating_sub(keep).unwrap_or(Timestamp::MIN);
        let young = run.numbers.iter().filter(|seq| not_before(heads, **seq).is_some_and(|time| time > due));
        match young.count() {
            0 => Ok(()),
            young => Err(format!(
                "{young} of the {} records that were pruned by {:?} were younger than its period: they came after {due}, as \
                 the heads show",
                run.records, run.decision
            )),
        }
    }
}

/// The record came not before this: a head without it was signed, and its mail may have begun a little earlier.
fn not_before(heads: Option<&BTreeMap<u64, TreeHead>>, seq: u64) -> Option<Timestamp> {
    let (_, head) = heads?.range(..seq).next_back()?;
    head.time.checked_sub(limits::RECORD_ORDER).ok()
}

//! What people did with held mail, as entries of the access log, whose tree proves them.
//!
//! Contract: an act begins with an entry and ends with one. Where the second is missing, the process ended in between, and what
//! came of the act is found in the queue. Entries are never changed; what was proposed is approved by another entry.

use std::collections::HashSet;
use std::convert::Infallible;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::OpenError;
use super::access::{AccessError, AccessLog, Kind, Reader, Via};
use super::query::Query;
use super::search::{Found, Log, Searched};
use crate::limits;
use crate::record::{FindingRow, Outcome, RecordId};
use crate::text::words;

words! {
    /// What can be done with a held mail.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Act {
        /// It goes on its way.
        Release = "release",
        /// It goes back to its sender, who is inside.
        Return = "return",
        /// A copy goes to another mailbox inside; the mail stays on hold.
        HandOver = "hand-over",
    }
}

words! {
    /// How far an act is.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Stage {
        /// It waits for a second person.
        Proposed = "proposed",
        /// It is being done.
        Begun = "begun",
        /// It was done.
        Done = "done",
        /// It was not done.
        Failed = "failed",
    }
}

/// An act on a held mail, at one of its stages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldAct {
    /// Whose.
    #[serde(flatten)]
    pub by: Reader,
    /// What.
    pub act: Act,
    /// How far it is.
    pub stage: Stage,
    /// The mail's record; empty where it was not held by a rule.
    pub record: String,
    /// The mail's queue id.
    pub queue_id: String,
    /// The mailbox that gets a copy.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub to: String,
    /// Why.
    pub purpose: String,
    /// The text for the sender.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The entry of the access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<u64>,
    /// The entry that this one follows: a beginning its proposal, an end its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<u64>,
    /// What came of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub outcome: String,
    /// The record of the answer by which the mail's sender wants it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub answer: String,
}

/// The role of a mail's own sender.
const SENDER: &str = "sender";

/// A mail's own sender, as who acts on it.
pub fn sender(mailbox: &str) -> Reader {
    Reader {
        via: Via::Daemon,
        subject: mailbox.to_owned(),
        mailboxes: Vec::new(),
        name: String::new(),
        role: SENDER.to_owned(),
        unix: None,
    }
}

impl HeldAct {
    /// Whether both are the same deed, whoever does it. Another text for the sender is another deed.
    fn is_same(&self, other: &Self) -> bool {
        let what =
            |act: &Self| (act.act, [&act.queue_id, &act.record, &act.to, &act.text].map(String::clone));
        what(self) == what(other)
    }

    /// Whether it is this person's. The server knows senders by their mailbox and operators by their login, so a name before
    /// the @ that is the login is taken for the same person.
    pub fn is_by(&self, person: &Reader) -> bool {
        let name = |reader: &Reader| match reader.subject.rsplit_once('@') {
            Some((local, _)) if reader.role == SENDER => {
                local.split('+').next().unwrap_or(local).to_lowercase()
            }
            Some(_) | None => reader.subject.clone(),
        };
        self.by.is_same_person(person) || name(&self.by) == name(person)
    }

    /// Who, for people who may not know the sender's name.
    pub fn by_whom(&self) -> &str {
        if self.by.role == SENDER { "its sender" } else { &self.by.subject }
    }

    /// What was done, in words: `hand-over to registrator@exempelby.se`.
    pub fn deed(&self) -> String {
        if self.to.is_empty() {
            self.act.as_str().to_owned()
        } else {
            format!("{} to {}", self.act.as_str(), self.to)
        }
    }
}

/// An act, with its entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The number of the entry.
    pub n: u64,
    /// When.
    pub time: Timestamp,
    /// What.
    pub act: HeldAct,
}

/// Every act on held mail, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldActs(Vec<Told>);

impl HeldActs {
    /// Reads them.
    pub fn read(log: &AccessLog) -> Result<Self, AccessError> {
        let entries = log.entries_of(Kind::HeldMail)?;
        let told = entries.iter().filter_map(|entry| {
            Some(Told { n: entry.n, time: entry.time, act: entry.read(Kind::HeldMail)? })
        });
        Ok(Self(told.collect()))
    }

    /// Those on a record, and those that it asked for.
    pub(super) fn of_record(log: &AccessLog, record: &str) -> Result<Vec<Told>, AccessError> {
        let entries = log.entries_that_have(Kind::HeldMail, record)?;
        let told = entries.iter().filter_map(|entry| {
            Some(Told { n: entry.n, time: entry.time, act: entry.read(Kind::HeldMail)? })
        });
        Ok(told.filter(|told| told.act.record == record || told.act.answer == record).collect())
    }

    /// The newest of those that this answer asked for.
    pub fn of_answer(&self, answer: &str) -> Option<&Told> {
        self.0.iter().rev().find(|told| told.act.answer == answer)
    }

    /// Those that began and have no end.
    pub fn unfinished(&self) -> impl Iterator<Item = &Told> {
        let ends = self.0.iter().filter(|told| told.act.stage != Stage::Begun);
        let ended: HashSet<u64> = ends.filter_map(|told| told.act.follows).collect();
        self.0.iter().filter(move |told| told.act.stage == Stage::Begun && !ended.contains(&told.n))
    }

    /// The newest proposal of the same deed that still waits.
    pub fn proposal(&self, act: &HeldAct, now: Timestamp) -> Option<&Told> {
        self.waiting(now).filter(|told| told.act.is_same(act)).last()
    }

    /// The proposals that still wait for a second person.
    pub fn waiting(&self, now: Timestamp) -> impl Iterator<Item = &Told> {
        let oldest = now.saturating_sub(SignedDuration::from_hours(24 * limits::PROPOSAL_DAYS));
        let oldest = oldest.unwrap_or(Timestamp::MIN);
        let followed: HashSet<u64> = self.0.iter().filter_map(|told| told.act.follows).collect();
        let waits = move |told: &&Told| told.act.stage == Stage::Proposed && told.time >= oldest;
        self.0.iter().filter(waits).filter(move |told| !followed.contains(&told.n))
    }

    /// When an act of the server's own failed last: on this mail, or on any.
    pub fn newest_failure(&self, queue_id: Option<&str>) -> Option<Timestamp> {
        let own = |told: &&Told| {
            told.act.stage == Stage::Failed
                && told.act.by.via == Via::Daemon
                && queue_id.is_none_or(|id| told.act.queue_id == id)
        };
        self.0.iter().rev().find(own).map(|told| told.time)
    }

    /// The newest act on a mail that is at this stage.
    pub fn last(&self, stage: Stage, queue_id: &str, record: &str) -> Option<&Told> {
        let own = |told: &&Told| {
            told.act.stage == stage && told.act.queue_id == queue_id && told.act.record == record
        };
        self.0.iter().rev().find(own)
    }
}

/// A mail that a rule holds.
#[derive(Clone, Debug)]
pub struct OnHold {
    /// Its record.
    pub found: Found,
    /// The rules that hold it.
    pub rules: Vec<String>,
}

/// The mail with this queue id, which the MTA took at about that time, if a rule holds it.
pub(super) fn look(log: &Log, queue_id: &str, arrived: Timestamp, searched: &mut Searched) -> Option<OnHold> {
    let found =
        log.held(queue_id, arrived, searched).filter(|found| found.record.outcome == Outcome::Held)?;
    let rules = log.held_by(&found);
    Some(OnHold { found, rules })
}

/// A record with its findings; `None` where the log has none.
pub(super) fn judged(log: &Log, id: &RecordId) -> Result<Option<(Found, Vec<FindingRow>)>, OpenError> {
    let query = Query { record: Some(id.clone()), ..Query::default() };
    let (mut searched, mut found, mut rows) = (Searched::default(), None, Vec::new());
    let end = log.search(&query, &mut searched, |one| {
        found = Some(one);
        Ok::<(), Infallible>(())
    });
    let Ok(()) = end;
    let mut faults = log.findings(&query, |finding| {
        if finding.record == *id {
            rows.push(finding.row);
        }
    });
    faults.append(&mut searched.left_out);
    // Half of what was found would say too little.
    match faults.pop() {
        Some(fault) => Err(fault),
        None => Ok(found.map(|found| (found, rows))),
    }
}

/// Writes an act at one of its stages. The number of the entry.
pub fn note(log: &mut AccessLog, act: &HeldAct) -> Result<u64, AccessError> {
    log.add(Kind::HeldMail, Timestamp::now(), act)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(stage: Stage, follows: Option<u64>) -> HeldAct {
        HeldAct {
            by: serde_json::from_str("{}").unwrap(),
            act: Act::HandOver,
            stage,
            record: "gw1-1-000000000007".into(),
            queue_id: "4F1234".into(),
            to: "registrator@exempelby.se".into(),
            purpose: "prov".into(),
            text: String::new(),
            access: Some(3),
            follows,
            outcome: String::new(),
            answer: String::new(),
        }
    }

    #[test]
    fn what_began_and_has_no_end_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = AccessLog::open(directory.path()).unwrap();
        let proposed = note(&mut log, &act(Stage::Proposed, None)).unwrap();
        let acts = HeldActs::read(&log).unwrap();
        assert_eq!(acts.proposal(&act(Stage::Begun, None), Timestamp::now()).unwrap().n, proposed);
        let other = HeldAct { to: "anna@exempelby.se".into(), ..act(Stage::Begun, None) };
        assert_eq!(acts.proposal(&other, Timestamp::now()), None);
        let later = Timestamp::now() + SignedDuration::from_hours(24 * limits::PROPOSAL_DAYS + 1);
        assert_eq!(acts.proposal(&act(Stage::Begun, None), later), None);

        let begun = note(&mut log, &act(Stage::Begun, Some(proposed))).unwrap();
        let acts = HeldActs::read(&log).unwrap();
        assert_eq!(acts.proposal(&act(Stage::Begun, None), Timestamp::now()), None, "it was approved");
        assert_eq!(acts.unfinished().map(|told| told.n).collect::<Vec<_>>(), [begun]);
        assert_eq!(acts.last(Stage::Done, "4F1234", "gw1-1-000000000007"), None);

        let done = note(&mut log, &act(Stage::Done, Some(begun))).unwrap();
        let acts = HeldActs::read(&log).unwrap();
        assert_eq!(acts.unfinished().count(), 0);
        assert_eq!(acts.last(Stage::Done, "4F1234", "gw1-1-000000000007").unwrap().n, done);
        assert_eq!(HeldActs::of_record(&log, "gw1-1-000000000007").unwrap().len(), 3);
        assert_eq!(HeldActs::of_record(&log, "gw1-1-00000000000").unwrap(), []);
    }
}

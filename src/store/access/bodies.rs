//! What entries of the access log tell that are no accesses: configs, steps of the clock, retention runs, new epochs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Reader;
use crate::config::{Config, Retention as Decided};

/// A config that came into force, or did not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigChange {
    /// As whom the daemon runs.
    #[serde(flatten)]
    pub reader: Reader,
    /// `started`, `reloaded`, `refused`.
    pub event: String,
    /// The hash of the config that is active after it.
    pub config: String,
    /// The program's version.
    pub postvakt: String,
    /// What that config says of the log. Older entries have none, nor does one about a config that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<ActiveConfig>,
}

/// What a config says of who is inside, of retention and of what is masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveConfig {
    /// The organisation's name.
    pub organisation: String,
    /// Its domains.
    pub domains: Vec<String>,
    /// Those by which its mailboxes are reached.
    pub routing_domains: Vec<String>,
    /// Those at which its mailboxes have the same names. Older entries have none.
    #[serde(default)]
    pub alias_domains: Vec<String>,
    /// The decided periods.
    pub retention: Vec<Period>,
    /// The decided period of the access log itself; no mailboxes stand in it. None where none is decided, and in older
    /// entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_retention: Option<Period>,
    /// The words that are masked in what is disclosed.
    pub disclosure_words: Vec<String>,
    /// The mailboxes whose mail is disclosed without names. Older entries have none.
    #[serde(default)]
    pub disclosure_mailboxes: Vec<String>,
}

/// For how long an authority keeps records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// The authority.
    pub authority: String,
    /// Its mailboxes, as the config has them.
    pub mailboxes: Vec<String>,
    /// How long.
    pub keep_seconds: u64,
    /// By whose decision.
    pub decision: String,
}

impl ActiveConfig {
    /// That part of a config.
    pub fn of(config: &Config) -> Self {
        let organisation = &config.organisation;
        Self {
            organisation: organisation.name.clone(),
            domains: organisation.domains.iter().map(ToString::to_string).collect(),
            routing_domains: organisation.routing_domains.iter().map(ToString::to_string).collect(),
            alias_domains: organisation.alias_domains.iter().map(ToString::to_string).collect(),
            retention: config.store.retention.iter().map(Period::of).collect(),
            access_retention: config.store.access_retention.as_ref().map(Period::of),
            disclosure_words: config.disclosure.words.iter().map(ToString::to_string).collect(),
            disclosure_mailboxes: config.disclosure.mailboxes.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Period {
    /// As the config has it.
    pub fn of(decided: &Decided) -> Self {
        Self {
            authority: decided.authority.clone(),
            mailboxes: decided.mailboxes.iter().map(ToString::to_string).collect(),
            keep_seconds: decided.keep.as_secs(),
            decision: decided.decision.clone(),
        }
    }
}

/// A step of the system's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockStep {
    /// As whom the daemon runs.
    #[serde(flatten)]
    pub reader: Reader,
    /// What time it would have been; where the clock went back while the daemon stood still, the least it could be.
    pub expected: Timestamp,
    /// What time the clock said.
    pub found: Timestamp,
    /// From the one to the other; below zero where it went back.
    pub milliseconds: i64,
    /// `running`, `stopped`: what the daemon did meanwhile.
    pub daemon: String,
}

/// A retention run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Who ran it.
    #[serde(flatten)]
    pub reader: Reader,
    /// By which decision.
    pub decision: String,
    /// The hash of the config that has the periods. Older entries have none, nor the periods.
    #[serde(default)]
    pub config: String,
    /// Every period by which records were judged.
    #[serde(default)]
    pub periods: Vec<Period>,
    /// How many records each period governed, in their order. Older entries do not say.
    #[serde(default)]
    pub counts: Vec<u64>,
    /// What it took from each month.
    pub files: Vec<Taken>,
}

/// What a retention run takes from a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The month.
    pub month: String,
    /// The number of the first record. Older entries have none.
    #[serde(default)]
    pub first: u64,
    /// Of the last one.
    #[serde(default)]
    pub last: u64,
    /// How many records.
    pub records: u64,
    /// SHA-256 over their numbers, eight octets each.
    pub digest: String,
}

/// A retention run over the access log itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessRetention {
    /// Who ran it.
    #[serde(flatten)]
    pub reader: Reader,
    /// By which decision.
    pub decision: String,
    /// The hash of the config that has the period.
    pub config: String,
    /// The period.
    pub period: Period,
    /// When the oldest entry that it took was registered.
    pub since: Timestamp,
    /// And the newest.
    pub until: Timestamp,
    /// The number of the first entry.
    pub first: u64,
    /// Of the last one.
    pub last: u64,
    /// How many entries.
    pub entries: u64,
    /// How many of each kind.
    pub kinds: BTreeMap<String, u64>,
    /// SHA-256 over their numbers, eight octets each.
    pub digest: String,
}

/// A new epoch of the access log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewEpoch {
    /// As whom the daemon runs.
    #[serde(flatten)]
    pub reader: Reader,
    /// Its number.
    pub epoch: u32,
    /// The last entry of the epoch before that is here.
    pub kept: u64,
    /// No entry up to this number is given again: those after `kept` are lost, or were written before the daemon started.
    pub lost: u64,
    /// When the head was signed that tells of them.
    pub signed: Timestamp,
}

//! What a report tells: counts of a period, by day and by kind. No person is named in it.

#![expect(missing_docs, reason = "the fields are the words of the report, and of its JSON")]

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use super::deliveries::Deliveries;
use super::period::Period;
use crate::config::Config;
use crate::export::local;
use crate::record::Outcome;
use crate::rules::auto_forward;
use crate::store::access::Done;
use crate::store::search::totals::{Found, Totals};
use crate::store::verify::{self, Verdict};

/// The rule whose findings are sensitive mail.
const SENSITIVE: [&str; 2] = ["sensitive-data", "credentials"];

/// A report.
#[derive(Debug, Serialize)]
pub struct Model {
    pub organisation: String,
    pub node: String,
    pub period: String,
    #[serde(skip)]
    pub name: String,
    pub since: String,
    pub until: String,
    pub made: String,
    pub mails: u64,
    /// In the period before, or in the same part of it where this one is not over.
    pub mails_before: u64,
    /// It is not over.
    pub is_running: bool,
    /// Days that have begun.
    #[serde(skip)]
    pub days_begun: usize,
    pub octets: u64,
    pub days: Vec<Day>,
    pub verdicts: Vec<Verdicts>,
    pub rules: Vec<Rule>,
    pub letters: Vec<Letters>,
    /// What became of mail, according to Postfix; absent where its log was never read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliveries: Option<Deliveries>,
    pub accesses: Vec<Accesses>,
    /// How many users read the log.
    pub readers: u64,
    pub verified: Verified,
    /// Files that could not be read: the counts lack what they have.
    pub left_out: Vec<String>,
}

/// One day.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Day {
    pub date: Date,
    pub inbound: u64,
    pub outbound: u64,
    pub internal: u64,
    /// Ended before its recipients were known.
    pub unknown: u64,
    pub forwards: Then,
    pub sensitive: Then,
}

/// What followed from findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Then {
    /// Held, deferred or refused.
    pub stopped: u64,
    /// Marked, or sent to others than its sender named.
    pub marked: u64,
    /// Allowed by a decision.
    pub allowed: u64,
    /// Something would have followed; the rule looks on.
    pub observed: u64,
    /// Nothing but the record.
    pub recorded: u64,
    /// The rule could not tell.
    pub unknown: u64,
}

/// Mails that came to one end.
#[derive(Debug, Serialize)]
pub struct Verdicts {
    pub verdict: &'static str,
    pub mails: u64,
    pub before: u64,
}

/// Findings of one rule.
#[derive(Debug, Serialize)]
pub struct Rule {
    pub rule: String,
    pub then: Then,
}

/// Mails of our own of one kind.
#[derive(Debug, Serialize)]
pub struct Letters {
    pub kind: String,
    pub written: u64,
    pub sent: u64,
    pub failed: u64,
    pub cancelled: u64,
}

/// Accesses to the log of one kind.
#[derive(Debug, Default, Serialize)]
pub struct Accesses {
    pub verb: String,
    pub given: u64,
    pub refused: u64,
    /// Of those given: by a decision.
    pub decided: u64,
    pub rows: u64,
}

/// What verifying the whole log came to.
#[derive(Debug, Serialize)]
pub struct Verified {
    pub result: Verdict,
    pub records: u64,
    pub pruned: u64,
    pub heads: u64,
    pub newest: Option<String>,
    pub faults: Vec<String>,
}

/// What a report is made of.
pub struct Sources<'a> {
    pub config: &'a Config,
    pub period: Period,
    pub now: &'a Totals,
    pub before: &'a Totals,
    pub deliveries: Option<Deliveries>,
    pub accesses: &'a [Done],
    pub verified: &'a verify::Report,
    pub made: jiff::Timestamp,
    pub left_out: Vec<String>,
}

impl Model {
    pub fn new(sources: Sources<'_>) -> Result<Self, jiff::Error> {
        let Sources { config, period, now, before, deliveries, accesses, verified, made, left_out } = sources;
        let zone = &config.time_zone;
        let (since, until) = period.times(zone)?;
        let count = |totals: &Totals| totals.mails.values().map(|sum| sum.count).sum();
        Ok(Self {
            organisation: config.organisation.name.clone(),
            node: config.server.node.clone(),
            period: period.code(),
            name: period.name(),
            since: local(since, zone),
            until: local(until, zone),
            made: local(made, zone),
            mails: count(now),
            mails_before: count(before),
            is_running: made < until,
            days_begun: period.days_begun(made, zone),
            octets: now.mails.values().map(|sum| sum.octets).sum(),
            days: days(period, now, config),
            verdicts: verdicts(now, before),
            rules: rules(now),
            letters: letters(now),
            deliveries,
            accesses: by_verb(accesses),
            readers: readers(accesses),
            verified: Verified::new(verified, config),
            left_out,
        })
    }

    pub fn sum(&self, of: impl Fn(&Day) -> u64) -> u64 {
        self.days.iter().map(of).sum()
    }
}

impl Then {
    fn add(&mut self, found: &Found, count: u64) {
        let place = match (found.grade.as_str(), found.allowed, found.mode.as_str(), found.verdict.as_str()) {
            ("unknown", ..) => &mut self.unknown,
            (_, true, ..) => &mut self.allowed,
            (.., "accepted") => &mut self.recorded,
            (_, _, "observe", _) => &mut self.observed,
            (.., "marked") => &mut self.marked,
            _ => &mut self.stopped,
        };
        *place += count;
    }

    /// All of it.
    pub fn all(&self) -> u64 {
        self.parts().iter().sum()
    }

    /// Those that are findings: not what could not be told.
    pub fn found(&self) -> u64 {
        self.all() - self.unknown
    }

    /// In the order of charts and tables.
    pub fn parts(&self) -> [u64; 6] {
        [self.stopped, self.marked, self.allowed, self.observed, self.recorded, self.unknown]
    }
}

fn days(period: Period, totals: &Totals, config: &Config) -> Vec<Day> {
    let day_of = |at| config.time_zone.to_datetime(at).date();
    let mut days: BTreeMap<Date, Day> =
        period.days().into_iter().map(|date| (date, Day { date, ..Day::default() })).collect();
    for (mails, sum) in &totals.mails {
        let Some(day) = days.get_mut(&day_of(mails.at)) else { continue };
        let place = match mails.direction.as_str() {
            "inbound" => &mut day.inbound,
            "outbound" => &mut day.outbound,
            "internal" => &mut day.internal,
            _ => &mut day.unknown,
        };
        *place += sum.count;
    }
    for (found, count) in &totals.findings {
        let Some(day) = days.get_mut(&day_of(found.at)) else { continue };
        if found.rule == auto_forward::SPEC.id {
            day.forwards.add(found, *count);
        } else if SENSITIVE.contains(&found.rule.as_str()) {
            day.sensitive.add(found, *count);
        }
    }
    days.into_values().collect()
}

fn verdicts(now: &Totals, before: &Totals) -> Vec<Verdicts> {
    let count = |totals: &Totals, word: &str| {
        totals.mails.iter().filter(|(mails, _)| mails.verdict == word).map(|(_, sum)| sum.count).sum()
    };
    let row = |outcome: Outcome| {
        let verdict = outcome.as_str();
        Verdicts { verdict, mails: count(now, verdict), before: count(before, verdict) }
    };
    Outcome::ALL.into_iter().map(row).collect()
}

fn rules(totals: &Totals) -> Vec<Rule> {
    let mut rules: BTreeMap<&str, Then> = BTreeMap::new();
    for (found, count) in &totals.findings {
        rules.entry(&found.rule).or_default().add(found, *count);
    }
    let mut rules: Vec<Rule> =
        rules.into_iter().map(|(rule, then)| Rule { rule: rule.to_owned(), then }).collect();
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.then.all()));
    rules
}

fn letters(totals: &Totals) -> Vec<Letters> {
    let mut kinds: Vec<&str> = totals.letters.keys().map(|(kind, _)| kind.as_str()).collect();
    kinds.dedup();
    let count = |kind: &str, what: &str| {
        totals.letters.get(&(kind.to_owned(), what.to_owned())).copied().unwrap_or_default()
    };
    let row = |kind: &str| Letters {
        kind: kind.to_owned(),
        written: count(kind, "written"),
        sent: count(kind, "sent"),
        failed: count(kind, "failed"),
        cancelled: count(kind, "cancelled"),
    };
    kinds.into_iter().map(row).collect()
}

fn by_verb(accesses: &[Done]) -> Vec<Accesses> {
    let mut verbs: BTreeMap<&str, Accesses> = BTreeMap::new();
    for Done { access, result, .. } in accesses {
        let row = verbs.entry(&access.verb).or_default();
        if access.refused.is_empty() {
            row.given += 1;
            row.decided += u64::from(!access.decision.is_empty());
            row.rows += result.as_ref().map_or(0, |(rows, _)| *rows);
        } else {
            row.refused += 1;
        }
    }
    verbs.into_iter().map(|(verb, row)| Accesses { verb: verb.to_owned(), ..row }).collect()
}

fn readers(accesses: &[Done]) -> u64 {
    let name = |done: &Done| done.access.reader.subject.clone();
    let mut names: Vec<String> = accesses.iter().map(name).collect();
    names.sort_unstable();
    names.dedup();
    names.len() as u64
}

impl Verified {
    fn new(report: &verify::Report, config: &Config) -> Self {
        let trees = || report.trees.iter();
        let newest = trees().filter_map(|tree| tree.newest.as_ref()).map(|head| head.time).max();
        let faults = trees().flat_map(|tree| &tree.faults).chain(&report.faults);
        let sentence = |fault: &verify::Fault| match &fault.record {
            Some(record) => format!("{}: {record}: {}", fault.file, fault.what),
            None => format!("{}: {}", fault.file, fault.what),
        };
        Self {
            result: report.verdict(),
            records: trees().map(|tree| tree.records).sum(),
            pruned: trees().flat_map(|tree| tree.pruned.values()).sum(),
            heads: trees().map(|tree| tree.heads).sum(),
            newest: newest.map(|time| local(time, &config.time_zone)),
            faults: faults.map(sentence).collect(),
        }
    }
}

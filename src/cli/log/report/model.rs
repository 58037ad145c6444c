//! What a report tells: counts of a period, by day and by kind. No person is named in it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

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
pub(super) struct Model {
    pub(super) organisation: String,
    pub(super) node: String,
    pub(super) period: String,
    #[serde(skip)]
    pub(super) name: String,
    pub(super) since: String,
    pub(super) until: String,
    pub(super) made: String,
    pub(super) mails: u64,
    /// In the period before, as long.
    pub(super) mails_before: u64,
    pub(super) octets: u64,
    pub(super) days: Vec<Day>,
    pub(super) verdicts: Vec<Verdicts>,
    pub(super) rules: Vec<Rule>,
    pub(super) letters: Vec<Letters>,
    pub(super) accesses: Vec<Accesses>,
    /// How many users read the log.
    pub(super) readers: u64,
    pub(super) verified: Verified,
    /// Files that could not be read: the counts lack what they have.
    pub(super) left_out: Vec<String>,
}

/// One day.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Day {
    pub(super) date: Date,
    pub(super) inbound: u64,
    pub(super) outbound: u64,
    pub(super) internal: u64,
    /// Ended before its recipients were known.
    pub(super) unknown: u64,
    pub(super) forwards: Then,
    pub(super) sensitive: Then,
}

/// What followed from findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Then {
    /// Held, put off or refused.
    pub(super) stopped: u64,
    /// Marked, or sent to others than its sender named.
    pub(super) marked: u64,
    /// Allowed by a decision.
    pub(super) allowed: u64,
    /// Something would have followed; the rule looks on.
    pub(super) observed: u64,
    /// Nothing but the record.
    pub(super) recorded: u64,
    /// The rule could not tell.
    pub(super) unknown: u64,
}

/// Mails that came to one end.
#[derive(Debug, Serialize)]
pub(super) struct Verdicts {
    pub(super) verdict: &'static str,
    pub(super) mails: u64,
    pub(super) before: u64,
}

/// Findings of one rule.
#[derive(Debug, Serialize)]
pub(super) struct Rule {
    pub(super) rule: String,
    pub(super) then: Then,
}

/// Mails of our own of one kind.
#[derive(Debug, Serialize)]
pub(super) struct Letters {
    pub(super) kind: String,
    pub(super) written: u64,
    pub(super) sent: u64,
    pub(super) failed: u64,
    pub(super) cancelled: u64,
}

/// Accesses to the log of one kind.
#[derive(Debug, Default, Serialize)]
pub(super) struct Accesses {
    pub(super) verb: String,
    pub(super) given: u64,
    pub(super) refused: u64,
    /// Of those given: by a decision.
    pub(super) decided: u64,
    pub(super) rows: u64,
}

/// What verifying the whole log came to.
#[derive(Debug, Serialize)]
pub(super) struct Verified {
    pub(super) result: Verdict,
    pub(super) records: u64,
    pub(super) pruned: u64,
    pub(super) heads: u64,
    pub(super) newest: Option<String>,
    pub(super) faults: Vec<String>,
}

/// What a report is made of.
pub(super) struct Sources<'a> {
    pub(super) config: &'a Config,
    pub(super) period: Period,
    pub(super) now: &'a Totals,
    pub(super) before: &'a Totals,
    pub(super) accesses: &'a [Done],
    pub(super) verified: &'a verify::Report,
    pub(super) made: jiff::Timestamp,
    pub(super) left_out: Vec<String>,
}

impl Model {
    pub(super) fn new(sources: Sources<'_>) -> anyhow::Result<Self> {
        let Sources { config, period, now, before, accesses, verified, made, left_out } = sources;
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
            octets: now.mails.values().map(|sum| sum.octets).sum(),
            days: days(period, now, config),
            verdicts: verdicts(now, before),
            rules: rules(now),
            letters: letters(now),
            accesses: by_verb(accesses),
            readers: readers(accesses),
            verified: Verified::new(verified, config),
            left_out,
        })
    }

    pub(super) fn sum(&self, of: impl Fn(&Day) -> u64) -> u64 {
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

    pub(super) fn all(&self) -> u64 {
        self.parts().iter().sum()
    }

    /// In the order of charts and tables.
    pub(super) fn parts(&self) -> [u64; 6] {
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

//! The rules report: what each rule found in a period, whose mail it was, how often people found it right, and what is missing
//! before the rule may act.

mod checklist;
mod counted;
mod exceptions;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::config::Config;
use crate::effects::SECOND_PASS;
use crate::export::{local, visible};
use crate::limits;
use crate::policy::{Mode, RulePolicy};
use crate::store::access::AccessError;
use crate::store::labels::Labels;
use crate::store::query::Query;
use crate::store::search::findings::Finding;
use crate::store::session::Session;
use crate::verdict::Verdict;

use super::interval::wilson;
use checklist::Check;
use counted::Counted;
use exceptions::Stopped;

/// The period where none is given.
const PERIOD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The report.
pub struct Rules<'a> {
    /// The period.
    pub query: Query,
    config: &'a Config,
    found: BTreeMap<String, Rule>,
    mails: u64,
}

/// What one rule did in the period.
#[derive(Debug, Default)]
struct Rule {
    mails: u64,
    /// The mail whose findings are being read.
    current: Option<Strictest>,
    first: Option<Timestamp>,
    unknown: u64,
    findings: u64,
    grades: Counted,
    effects: Counted,
    senders: Counted,
    recipients: Counted,
    terms: Counted,
    examples: Vec<Example>,
    stopped: Vec<Stopped>,
    right: u64,
    wrong: u64,
    /// Mails that were or would be stopped, and how many of them have a label.
    stops: u64,
    stops_labelled: u64,
}

/// A finding that is shown.
#[derive(Debug)]
struct Example {
    /// Stricter ones are shown first.
    verdict: Verdict,
    record: String,
    time: Timestamp,
    sender: String,
    grade: String,
    effect: String,
    evidence: String,
    label: Option<bool>,
}

/// What a rule found in one mail: the strictest of its findings, since that is what becomes of the mail.
#[derive(Debug)]
struct Strictest {
    verdict: Verdict,
    effect: String,
    finding: Finding,
}

impl<'a> Rules<'a> {
    /// Of a period; without a beginning, of the seven days before its end.
    pub fn new(query: Query, config: &'a Config) -> Self {
        let end = query.until.unwrap_or_else(Timestamp::now);
        let since = query.since.unwrap_or_else(|| end.saturating_sub(PERIOD).unwrap_or(Timestamp::MIN));
        let query = Query { since: Some(since), ..query };
        let known = config.rules.iter().map(|(rule, _)| rule.id());
        let wanted = known.filter(|id| query.rule.as_ref().is_none_or(|wanted| wanted == id));
        let found = wanted.map(|id| (id.to_owned(), Rule::default())).collect();
        Self { query, config, found, mails: 0 }
    }

    /// Reads what was found, and how people judged it.
    pub fn read(&mut self, session: &mut Session) -> Result<(), AccessError> {
        let period = Query { rule: None, ..session.query().clone() };
        self.mails = session.totals(&period).mails.values().map(|sum| sum.count).sum();
        let labels = session.labels()?;
        session.all_findings(|finding| {
            // It says that a mail came through again, not what a rule thinks of it.
            if finding.row.rule != SECOND_PASS {
                self.found.entry(finding.row.rule.clone()).or_default().add(finding, &labels);
            }
        });
        self.found.values_mut().for_each(|rule| rule.finish(&labels));
        session.count(self.found.values().map(|rule| rule.examples.len() as u64).sum());
        Ok(())
    }

    /// The report as JSON, one object for each rule.
    pub fn to_json(&self) -> impl Iterator<Item = Value> {
        self.found.iter().map(|(id, rule)| self.json(id, rule))
    }

    /// The report as lines for people.
    pub fn lines(&self) -> Vec<String> {
        self.found.iter().flat_map(|(id, rule)| self.text(id, rule)).collect()
    }

    fn policy(&self, id: &str) -> Option<&RulePolicy> {
        self.config.rules.iter().find(|(rule, _)| rule.id() == id).map(|(_, policy)| policy)
    }

    fn mode(&self, id: &str) -> Mode {
        self.policy(id).map_or(Mode::Off, |policy| policy.mode)
    }

    fn checks(&self, id: &str, rule: &Rule) -> Vec<Check> {
        match self.policy(id) {
            Some(policy) if policy.mode == Mode::Observe => {
                let end = self.query.until.map_or_else(Timestamp::now, |until| until.min(Timestamp::now()));
                checklist::before_enforce(id, rule, policy, self.config, end)
            }
            Some(_) | None => Vec::new(),
        }
    }

    fn json(&self, id: &str, rule: &Rule) -> Value {
        let zone = &self.config.time_zone;
        let examples = rule.examples.iter().map(|example| {
            json!({
                "record": example.record, "time": local(example.time, zone), "sender": example.sender,
                "grade": example.grade, "effect": example.effect, "evidence": example.evidence,
                "label": example.label.map(word),
            })
        });
        let (low, high) = wilson(rule.wrong, rule.right + rule.wrong);
        let checks = self.checks(id, rule);
        let exceptions = exceptions::needed(id, &rule.stopped);
        json!({
            "rule": id,
            "mode": self.mode(id).as_str(),
            "mails": rule.mails,
            "mails_in_period": self.mails,
            "findings": rule.findings,
            "grades": rule.grades.to_json(),
            "effects": rule.effects.to_json(),
            "senders": rule.senders.to_json(),
            "recipients": rule.recipients.to_json(),
            "terms": rule.terms.to_json(),
            "labels": {"right": rule.right, "wrong": rule.wrong, "wrong_from": low, "wrong_to": high},
            "examples": examples.collect::<Vec<_>>(),
            "exceptions": exceptions.iter().map(|one| json!({
                "key": one.key, "value": one.value, "mails": one.mails, "of": rule.stopped.len(),
            })).collect::<Vec<_>>(),
            "before_enforce": checks.iter().map(|check| json!({
                "done": check.done, "what": check.what,
            })).collect::<Vec<_>>(),
        })
    }

    fn text(&self, id: &str, rule: &Rule) -> Vec<String> {
        let (mode, zone) = (self.mode(id), &self.config.time_zone);
        let mut lines = vec![format!("{id} ({}): {} of {} mails", mode.as_str(), rule.mails, self.mails)];
        let mut line = |name: &str, text: &str| {
            if !text.is_empty() {
                lines.push(format!("  {name:<15}{}", visible(text)));
            }
        };
        line("grades", &rule.grades.shown());
        line("effects", &rule.effects.shown());
        line("senders", &rule.senders.shown());
        line("recipients", &rule.recipients.shown());
        line("terms", &rule.terms.shown());
        line("labels", &rule.labels());
        for example in &rule.examples {
            let Example { record, grade, effect, evidence, label, .. } = example;
            let label = label.map(|right| format!(" [{}]", word(right))).unwrap_or_default();
            let time = local(example.time, zone);
            line("example", &format!("{record} {time} {grade} {effect}{label}: {evidence}"));
        }
        for one in exceptions::needed(id, &rule.stopped) {
            let of = rule.stopped.len();
            line("exception", &format!("{} = \"{}\" covers {} of {of} mails", one.key, one.value, one.mails));
        }
        for check in self.checks(id, rule) {
            line("before enforce", &format!("[{}] {}", if check.done { "x" } else { " " }, check.what));
        }
        lines
    }
}

fn word(right: bool) -> &'static str {
    if right { "right" } else { "wrong" }
}

impl Rule {
    /// Takes a finding. Those of one mail follow each other.
    fn add(&mut self, finding: Finding, labels: &Labels) {
        let row = &finding.row;
        let verdict =
            Verdict::ALL.into_iter().find(|known| known.as_str() == row.verdict).unwrap_or_default();
        let effect = match row.mode.as_str() {
            "enforce" => row.verdict.clone(),
            _ => format!("would be {}", row.verdict),
        };
        self.findings += 1;
        self.first = Some(self.first.map_or(finding.time, |first| first.min(finding.time)));
        self.grades.add(&row.grade);
        self.effects.add(&effect);
        if row.grade == "unknown" {
            self.unknown += 1;
            return;
        }
        counted::terms(&row.evidence).for_each(|term| self.terms.add(&term));
        let is_as_strict =
            |known: &Strictest| known.finding.record == finding.record && known.verdict >= verdict;
        if self.current.as_ref().is_some_and(is_as_strict) {
            return;
        }
        if self.current.as_ref().is_some_and(|known| known.finding.record != finding.record) {
            self.finish(labels);
        }
        self.current = Some(Strictest { verdict, effect, finding });
    }

    /// Counts the mail whose findings have been read.
    fn finish(&mut self, labels: &Labels) {
        let Some(Strictest { verdict, effect, finding }) = self.current.take() else { return };
        let Finding { time, record, sender, recipients, row } = finding;
        let record = record.to_string();
        let label = labels.of(&record, &row.rule);
        self.mails += 1;
        self.senders.add(&sender);
        for recipient in &recipients {
            self.recipients.add(recipient);
        }
        match label {
            Some(true) => self.right += 1,
            Some(false) => self.wrong += 1,
            None => {}
        }
        if verdict >= Verdict::Hold {
            self.stops += 1;
            self.stops_labelled += u64::from(label.is_some());
            if label != Some(true) && self.stopped.len() < limits::REPORT_STOPS {
                self.stopped.push(Stopped::of(&sender, &recipients, &row));
            }
        }
        self.show(Example {
            verdict,
            record,
            time,
            sender,
            grade: row.grade,
            effect,
            evidence: row.evidence,
            label,
        });
    }

    /// Keeps the strictest ones, one of each sender.
    fn show(&mut self, example: Example) {
        if self.examples.iter().any(|known| known.sender == example.sender) {
            return;
        }
        self.examples.push(example);
        self.examples.sort_by_key(|known| std::cmp::Reverse(known.verdict));
        self.examples.truncate(limits::REPORT_EXAMPLES);
    }

    fn labels(&self) -> String {
        let (wrong, all) = (self.wrong, self.right + self.wrong);
        if all == 0 {
            return String::new();
        }
        let (low, high) = wilson(wrong, all);
        format!("{wrong} of {all} wrong: {:.0} % to {:.0} % (95 % interval)", low * 100.0, high * 100.0)
    }
}

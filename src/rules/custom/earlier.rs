//! Conditions on what was found before: by built-in rules, by spam scanners, and the class of the data.

#![deny(clippy::disallowed_methods)]

use super::held::Held;
use crate::facts::{Cause, Facts, Needs};
use crate::mail::Direction;
use crate::rules::{Confidence, Finding, Relied, Sensitivity, credentials, sensitive_data, spam};
use crate::settings::problem::Fault;
use crate::settings::{Settings, Value, parse};

/// What the rules before this one found, each under its id.
pub(super) type Earlier<'a> = &'a [(&'a str, Vec<Finding>)];

/// A condition on it.
#[derive(Debug)]
pub(super) struct Found {
    of: Of,
    /// Offset of the key's value.
    pub(super) at: usize,
}

#[derive(Debug)]
enum Of {
    /// One of these rules found something, with that grade at least.
    Rules(Vec<(&'static str, Confidence)>),
    /// The class of the mail is at least this.
    Class(Sensitivity),
    /// A spam scanner has more points than this.
    Score(u32),
}

/// The rules that tell of a class.
const OF_DATA: [&str; 2] = [sensitive_data::SPEC.id, credentials::SPEC.id];

impl Found {
    /// What `when` says of it.
    pub(super) fn read(when: &mut Settings<'_>) -> Vec<Self> {
        let mut all = Vec::new();
        if let Some(value) = when.value("finding") {
            let values = value.one_or_more();
            if values.is_empty() {
                let fault = Fault::new("is empty", "write finding = \"first-contact\", or remove the key");
                when.wrong("finding", value.at, fault);
            }
            let rules = values.iter().filter_map(|one| when.accept("finding", one.at, finding(one)));
            all.push(Self { of: Of::Rules(rules.collect()), at: value.at });
        }
        let mut at = 0;
        let words = [Sensitivity::Moderate, Sensitivity::Considerable, Sensitivity::Serious];
        let class = when.optional("class_at_least", |value| {
            at = value.at;
            parse::one_of(&words, Sensitivity::as_str)(value)
        });
        all.extend(class.map(|class| Self { of: Of::Class(class), at }));
        let score = when.optional("spam_score_above", |value| {
            at = value.at;
            parse::number(0, 1_000)(value)
        });
        all.extend(score.map(|score| Self { of: Of::Score(score), at }));
        all
    }

    pub(super) fn needs(&self) -> Needs {
        match self.of {
            Of::Score(_) => Needs { spam_scan: true, ..Needs::default() },
            Of::Rules(_) | Of::Class(_) => Needs::default(),
        }
    }

    /// The word for it in evidence.
    pub(super) fn word(&self) -> &'static str {
        match self.of {
            Of::Rules(_) => "finding",
            Of::Class(_) => "class",
            Of::Score(_) => "spam-score",
        }
    }

    /// What must be there for it to be met at all.
    pub(super) fn relies_on(&self) -> Vec<Relied> {
        match &self.of {
            Of::Rules(rules) => {
                rules.iter().map(|(rule, _)| Relied::on_rules("finding", self.at, vec![*rule])).collect()
            }
            Of::Class(_) => vec![Relied::on_rules("class_at_least", self.at, OF_DATA.to_vec())],
            Of::Score(_) => vec![Relied::on_scanner("spam_score_above", self.at)],
        }
    }

    pub(super) fn holds(&self, facts: &Facts, earlier: Earlier<'_>) -> Held {
        match &self.of {
            Of::Rules(rules) => found(rules, earlier),
            Of::Class(class) => class_is(*class, earlier),
            Of::Score(score) => score_is(*score, facts),
        }
    }
}

/// `first-contact`, or `spam=strong`.
fn finding(value: &Value) -> Result<(&'static str, Confidence), Fault> {
    let given = parse::text(value)?;
    let (rule, grade) = given.split_once('=').map_or((given, None), |(rule, grade)| (rule, Some(grade)));
    let ids = || crate::rules::ALL.iter().filter(|spec| spec.finds()).map(|spec| spec.id);
    let Some(rule) = ids().find(|id| *id == rule) else {
        if rule.starts_with("custom") {
            let problem =
                format!("{} is a custom rule, and these do not see each other", parse::shown(given));
            return Err(Fault::new(problem, "write the conditions of that rule here"));
        }
        let known = ids().collect::<Vec<_>>().join(", ");
        let right = match parse::nearest(rule, ids()) {
            Some(near) => format!("did you mean \"{near}\"? Expected one of: {known}"),
            None => format!("expected one of: {known}"),
        };
        return Err(Fault::new(format!("{} is not a rule", parse::shown(given)), right));
    };
    match grade.map(Confidence::parse) {
        None => Ok((rule, Confidence::Weak)),
        Some(Some(grade)) => Ok((rule, grade)),
        Some(None) => {
            let right = format!("expected one of: {}", Confidence::ALL.map(Confidence::as_str).join(", "));
            Err(Fault::new(format!("{} has an invalid grade", parse::shown(given)), right))
        }
    }
}

/// Every finding of the rule.
fn findings<'a>(rule: &'a str, earlier: Earlier<'a>) -> impl Iterator<Item = &'a Finding> {
    earlier.iter().filter(move |(id, _)| *id == rule).flat_map(|(_, findings)| findings)
}

fn found(rules: &[(&'static str, Confidence)], earlier: Earlier<'_>) -> Held {
    let mut unknown = None;
    for (rule, least) in rules {
        for finding in findings(rule, earlier) {
            match finding {
                Finding::Match(found) if found.grade >= *least => return Held::Yes,
                Finding::Match(_) => {}
                Finding::Unknown(cause) => unknown = Some(*cause),
            }
        }
    }
    unknown.map_or(Held::No, Held::Unknown)
}

fn class_is(least: Sensitivity, earlier: Earlier<'_>) -> Held {
    let mut unknown = None;
    for finding in OF_DATA.iter().flat_map(|rule| findings(rule, earlier)) {
        match finding {
            Finding::Match(found) if found.evidence.class() >= least => return Held::Yes,
            Finding::Match(_) => {}
            Finding::Unknown(cause) => unknown = Some(*cause),
        }
    }
    unknown.map_or(Held::No, Held::Unknown)
}

fn score_is(above: u32, facts: &Facts) -> Held {
    if facts.direction != Direction::Inbound {
        return Held::No;
    }
    let answers = facts.scans.spam.iter().map(|scan| scan.answer);
    if answers.clone().any(|answer| answer.is_ok_and(|score| score.score > f64::from(above))) {
        return Held::Yes;
    }
    let failed: Option<Cause> = answers.clone().find_map(Result::err);
    match failed {
        Some(cause) => Held::Unknown(cause),
        None if facts.scans.spam.is_empty() => Held::Unknown(Cause::Skipped),
        None => Held::No,
    }
}

/// Whether the condition would let a rule act on spam.
pub(super) fn is_about_spam(found: &Found) -> bool {
    match &found.of {
        Of::Score(_) => true,
        Of::Rules(rules) => rules.iter().any(|(rule, _)| *rule == spam::SPEC.id),
        Of::Class(_) => false,
    }
}

//! A mail on trial: it is judged as the wire would judge it, and nothing is done. So `explain` shows it, and so the config's
//! own tests are run.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::remembered::{self, Remembered};
use super::{Assessment, Fault, assess};
use crate::answer::Answer;
use crate::config::Config;
use crate::config::mail_tests::{Expected, ExpectedFinding, MailTest, StoredMail};
use crate::effects;
use crate::facts::transaction::Transaction;
use crate::gather::Sources;
use crate::limits;
use crate::mail::Mail;
use crate::policy::{Decision, Mode, Ruling};
use crate::record::RecordId;
use crate::settings::problem::{Problem, Severity};

/// A mail's assessment and the answer that it would get.
#[derive(Debug)]
pub struct Explained {
    /// Facts and decision.
    pub assessment: Assessment,
    /// The answer; where the record's id would stand, the number is zero.
    pub answer: Answer,
}

/// Assesses a mail and remembers it as the wire would.
pub async fn explain(mail: &Arc<Mail>, config: &Arc<Config>, sources: &Sources) -> Result<Explained, Fault> {
    let mut assessment = assess(mail, config, sources).await?;
    let Assessment { facts, decision, .. } = &mut assessment;
    let reserved = remembered::reserve(sources, config, facts, decision);
    Remembered::of(sources, config.needs, facts, decision, reserved).keep(None);
    let id = RecordId { node: config.server.node.as_str().into(), epoch: 0, seq: 0 };
    let answer = effects::answer(&assessment.facts, &mail.envelope, &assessment.decision, &id, None);
    Ok(Explained { assessment, answer })
}

/// Runs the tests of a config, each with a memory of its own, and gives the problem of each that failed. All of them together
/// have [`limits::TESTS_TIME`].
pub async fn failures(tests: &[MailTest], config: &Arc<Config>, mut sources: Sources) -> Vec<Problem> {
    let by = Instant::now() + limits::TESTS_TIME;
    let mut failed = Vec::new();
    for test in tests {
        let judged = timeout_at(by, judge(test, config, &sources)).await;
        let wrong = match judged {
            Ok(Ok(decision)) => difference(&test.expected, &decision),
            Ok(Err(why)) => Some(why),
            Err(_) => Some(format!("was not judged: all tests together took {:?}", limits::TESTS_TIME)),
        };
        failed.extend(wrong.map(|wrong| problem(test, &wrong)));
        sources = sources.without_memory();
    }
    failed
}

/// The decision on a test's mail, after those that came before it.
async fn judge(test: &MailTest, config: &Arc<Config>, sources: &Sources) -> Result<Decision, String> {
    for before in &test.after {
        judge_one(&Transaction::default(), before, config, sources)
            .await
            .map_err(|why| format!("{}: {why}", before.name))?;
    }
    judge_one(&test.transaction, &test.mail, config, sources).await
}

async fn judge_one(
    transaction: &Transaction,
    mail: &StoredMail,
    config: &Arc<Config>,
    sources: &Sources,
) -> Result<Decision, String> {
    let mail = transaction.carry(&mail.octets, &config.organisation, Timestamp::now());
    let mail = Arc::new(mail.map_err(|nobody| nobody.to_string())?);
    let explained = explain(&mail, config, sources).await.map_err(|fault| fault.to_string())?;
    Ok(explained.assessment.decision)
}

/// What is otherwise than expected; nothing where all is as it should be.
fn difference(expected: &Expected, decision: &Decision) -> Option<String> {
    let mut wrong = Vec::new();
    if decision.verdict != expected.verdict {
        wrong.push(format!("expected {}, got {}", expected.verdict.as_str(), decision.verdict.as_str()));
    }
    let would = decision.rulings.iter().map(|ruling| ruling.verdict).fold(decision.verdict, Ord::max);
    if let Some(expected) = expected.would.filter(|expected| *expected != would) {
        wrong.push(format!("expected would = {}, got {}", expected.as_str(), would.as_str()));
    }
    for finding in &expected.findings {
        if !decision.rulings.iter().any(|ruling| is_that(finding, ruling)) {
            wrong.push(format!("expected finding {finding}"));
        }
    }
    for finding in &expected.without {
        if decision.rulings.iter().any(|ruling| is_that(finding, ruling)) {
            wrong.push(format!("unexpected finding {finding}"));
        }
    }
    if wrong.is_empty() {
        return None;
    }
    let found: Vec<String> = decision.rulings.iter().map(shown).collect();
    let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
    Some(format!("{}; findings: {found}", wrong.join("; ")))
}

/// A rule by its name alone has to match; that it could not tell is a grade.
fn is_that(expected: &ExpectedFinding, ruling: &Ruling) -> bool {
    let grade = ruling.grade();
    let fits = expected.grade.as_ref().map_or(grade != "unknown", |expected| expected == grade);
    expected.rule == ruling.rule && fits
}

/// A finding with what follows from it, by ids alone: tests are told of in the system's log.
fn shown(ruling: &Ruling) -> String {
    let (rule, grade, verdict) = (&ruling.rule, ruling.grade(), ruling.verdict.as_str());
    match ruling.mode {
        Mode::Enforce => format!("{rule}={grade} {verdict} by {}", ruling.place),
        Mode::Observe | Mode::Off => format!("{rule}={grade} would be {verdict} by {}", ruling.place),
    }
}

fn problem(test: &MailTest, wrong: &str) -> Problem {
    let source = test.source.as_ref().map(|source| format!(" ({source})")).unwrap_or_default();
    Problem {
        file: test.place.file.clone(),
        line: Some(test.place.line),
        column: Some(test.column),
        key: "tests".to_owned(),
        problem: format!("{}{source}: {wrong}", test.mail.name),
        suggestion: "see `postvakt explain` of this mail, and change the rules or the test".to_owned(),
        severity: Severity::Error,
    }
}

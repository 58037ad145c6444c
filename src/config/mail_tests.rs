//! `[[tests]]`: mail, and how this config must judge it.

#![deny(clippy::disallowed_methods)]

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;
use jiff::Timestamp;

use super::context;
use crate::address::ReversePath;
use crate::facts::transaction::Transaction;
use crate::limits;
use crate::mail::Direction;
use crate::policy::{Place, RulePolicy};
use crate::rules::{self, Confidence, Rule};
use crate::settings::problem::Fault;
use crate::settings::report::Report;
use crate::settings::{Settings, Value, parse};
use crate::verdict::Verdict;

/// One test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailTest {
    /// The mail.
    pub mail: StoredMail,
    /// Mail that came before it.
    pub after: Vec<StoredMail>,
    /// The transaction that it comes in.
    pub transaction: Transaction,
    /// What must follow.
    pub expected: Expected,
    /// Who wants it so: a case, a decision.
    pub source: Option<String>,
    /// Where the test stands.
    pub place: Place,
    /// The column there.
    pub column: usize,
}

impl MailTest {
    /// Whether it says what the rule has to find, or must not find.
    pub fn names(&self, rule: &str) -> bool {
        self.expected.findings.iter().chain(&self.expected.without).any(|finding| finding.rule == rule)
    }
}

/// A message in a file.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredMail {
    /// The file's name as the config has it.
    pub name: String,
    /// Its content.
    pub octets: Bytes,
}

/// By its name; it is somebody's mail.
impl fmt::Debug for StoredMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.name, self.octets.len())
    }
}

/// What must follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The verdict.
    pub verdict: Verdict,
    /// The verdict that it would be if the rules in `observe` acted too.
    pub would: Option<Verdict>,
    /// What has to be found.
    pub findings: Vec<ExpectedFinding>,
    /// What must not be found.
    pub without: Vec<ExpectedFinding>,
}

/// A finding, by its rule alone or with its grade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedFinding {
    /// The rule.
    pub rule: String,
    /// The grade.
    pub grade: Option<String>,
}

impl fmt::Display for ExpectedFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.grade {
            Some(grade) => write!(f, "{}={grade}", self.rule),
            None => f.write_str(&self.rule),
        }
    }
}

/// `[[tests]]`, which name these rules.
pub(super) fn tests(
    root: &mut Settings<'_>,
    report: &Report<'_>,
    rules: &[(Box<dyn Rule>, RulePolicy)],
) -> Vec<MailTest> {
    let values = root.list("tests").unwrap_or_default();
    if let Some(first) = values.first().filter(|_| values.len() > limits::TESTS) {
        let problem = format!("has {} tests, more than the maximum of {}", values.len(), limits::TESTS);
        root.wrong("tests", first.at, Fault::new(problem, "combine some of them"));
    }
    let (mut tests, mut octets) = (Vec::new(), 0);
    for value in values.iter().take(limits::TESTS) {
        let read = |section: &mut Settings<'_>| test(section, report, rules);
        let Some(test) = root.nested("tests", value, read).flatten() else { continue };
        octets += test.after.iter().chain([&test.mail]).map(|mail| mail.octets.len()).sum::<usize>();
        tests.push(test);
        if octets > limits::TEST_OCTETS {
            let problem = format!("has more than {} MiB of mail in all", limits::TEST_OCTETS >> 20);
            root.wrong("tests", value.at, Fault::new(problem, "use smaller mails, or fewer tests"));
            break;
        }
    }
    tests
}

fn test(
    section: &mut Settings<'_>,
    report: &Report<'_>,
    rules: &[(Box<dyn Rule>, RulePolicy)],
) -> Option<MailTest> {
    let place = context::place(section);
    let column = section.column();
    let stored = |value: &Value| stored(value, report);
    let mail = section.required("mail", "write mail = \"tests/case.eml\"", stored);
    let after = several(section, "after", stored);
    let verdict = parse::one_of(&Verdict::ALL, Verdict::as_str);
    let expect = section.required("expect", "write expect = \"held\"", &verdict);
    let would = section.optional("would", &verdict);
    let finding = |value: &Value| finding(value, rules);
    let findings = several(section, "findings", finding);
    let without = several(section, "without", finding);
    let source = section.optional("source", |value| parse::text(value).map(str::to_owned));
    let transaction = Transaction {
        sender: section.optional("sender", sender),
        recipients: several(section, "recipients", parse::address),
        client: section.optional("client", client),
        auth_user: section.optional("auth_user", |value| parse::text(value).map(str::to_owned)),
        arrived: section.optional("arrived", arrived),
        direction: section.optional("direction", parse::one_of(&Direction::ALL, Direction::as_str)),
    };
    let expected = Expected { verdict: expect?, would, findings, without };
    Some(MailTest { mail: mail?, after, transaction, expected, source, place, column })
}

/// The values of a list, or one value without brackets.
fn several<T>(
    section: &mut Settings<'_>,
    key: &'static str,
    parse: impl Fn(&Value) -> Result<T, Fault>,
) -> Vec<T> {
    let Some(value) = section.value(key) else { return Vec::new() };
    value.one_or_more().iter().filter_map(|value| section.accept(key, value.at, parse(value))).collect()
}

/// Mail is read as it is: its octets need not be UTF-8.
fn stored(value: &Value, report: &Report<'_>) -> Result<StoredMail, Fault> {
    let name = parse::text(value)?.to_owned();
    let octets = Bytes::from(report.read(&name, limits::CONFIG_OCTETS)?);
    Ok(StoredMail { name, octets })
}

/// `sensitive-data`, `sensitive-data=certain`. A rule that is off finds nothing, whatever the mail: a test that names one
/// would show nothing.
fn finding(value: &Value, rules: &[(Box<dyn Rule>, RulePolicy)]) -> Result<ExpectedFinding, Fault> {
    let given = parse::text(value)?;
    let (rule, grade) = given.split_once('=').map_or((given, None), |(rule, grade)| (rule, Some(grade)));
    let enabled = || rules.iter().map(|(rule, _)| rule.id());
    if !enabled().any(|id| id == rule) {
        let known = rules::ALL.iter().any(|spec| spec.id == rule);
        let what = if known { "not enabled in this config" } else { "not a rule of this config" };
        let problem = format!("{} is {what}", parse::shown(rule));
        let right = match parse::nearest(rule, enabled()).filter(|_| !known) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "write the id of an enabled rule, as `postvakt rules --config F` lists them".to_owned(),
        };
        return Err(Fault::new(problem, right));
    }
    let grades = || Confidence::ALL.into_iter().map(Confidence::as_str).chain(["unknown"]);
    if let Some(wrong) = grade.filter(|grade| !grades().any(|known| known == *grade)) {
        let problem = if wrong.is_empty() {
            format!("{} has no grade", parse::shown(given))
        } else {
            format!("{} is not a grade", parse::shown(wrong))
        };
        let grades = grades().collect::<Vec<_>>().join(", ");
        let right = format!("write the rule alone, or with one of: {grades}, such as \"{rule}=certain\"");
        return Err(Fault::new(problem, right));
    }
    Ok(ExpectedFinding { rule: rule.to_owned(), grade: grade.map(str::to_owned) })
}

fn sender(value: &Value) -> Result<ReversePath, Fault> {
    match parse::text(value)? {
        "<>" => Ok(ReversePath::Null),
        _ => parse::address(value).map(ReversePath::Address),
    }
}

fn client(value: &Value) -> Result<IpAddr, Fault> {
    let given = parse::text(value)?;
    given.parse().map_err(|_| {
        let problem = format!("{} is not an IP address", parse::shown(given));
        Fault::new(problem, "write an address such as \"192.0.2.1\"")
    })
}

fn arrived(value: &Value) -> Result<Timestamp, Fault> {
    let right = "write it in quotes with an offset, such as \"2026-12-01T10:00:00+01:00\"";
    let given = parse::text(value)?;
    given.parse().map_err(|_| Fault::new(format!("{} is not a time", parse::shown(given)), right))
}

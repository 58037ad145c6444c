//! Content: what is found in mail as people write it. Each folder of `tests/content` is a kind of mail; its
//! `cases.json` says of each message why it is there and what must come of it, and what must not.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use super::documents::Scratch;
use super::lab::config;

pub(crate) const RULES: &str = r#"[rules.sensitive-data]
mode = "enforce"
action = "mark"
class = { moderate = { action = "mark" } }
[rules.credentials]
mode = "enforce"
action = "mark"
class = { moderate = { action = "mark" } }
"#;

/// When the mails came.
const AT: &str = "2026-11-22T10:00:00+01:00";

/// Messages for one run of the program.
const TOGETHER: usize = 40;

/// One message of a kind, `NAME.eml` beside its `cases.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    why: String,
    /// The sections of rules, where they are not those of every case.
    config: Option<String>,
    /// What must come of it: one of these.
    expect: Vec<Expected>,
    #[serde(skip)]
    path: PathBuf,
}

/// What must come of a message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    class: Option<u64>,
    #[serde(default)]
    class_at_least: u64,
    class_at_most: Option<u64>,
    /// A finding must be like each.
    #[serde(default)]
    found: Vec<Pattern>,
    /// No finding may be like any.
    #[serde(default)]
    not_found: Vec<Pattern>,
    /// How many there are of a kind of number, as the header field says.
    #[serde(default)]
    count_at_least: BTreeMap<String, usize>,
    /// The states of attachments, by name or part; one of several, `state` or `state reason`.
    #[serde(default)]
    states: BTreeMap<String, Vec<String>>,
}

/// What a finding is like.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pattern {
    rule: Option<String>,
    grade_at_least: Option<String>,
    /// Stands in the evidence.
    words: Option<String>,
}

impl Pattern {
    fn is_like(&self, finding: &Value) -> bool {
        let rank =
            |grade: &str| ["unknown", "weak", "medium", "strong"].iter().position(|known| *known == grade);
        let text = |key: &str| finding[key].as_str().unwrap_or_default();
        self.rule.as_deref().is_none_or(|rule| text("rule") == rule)
            && self.grade_at_least.as_deref().is_none_or(|least| {
                assert!(rank(least).is_some(), "{least} is no grade");
                rank(text("grade")) >= rank(least)
            })
            && self.words.as_deref().is_none_or(|words| text("evidence").contains(words))
    }
}

impl Expected {
    /// What is not as it must be.
    fn wrong(&self, said: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        let class = said["class"].as_u64().unwrap();
        if self.class.is_some_and(|exactly| class != exactly)
            || class < self.class_at_least
            || self.class_at_most.is_some_and(|most| class > most)
        {
            wrong.push(format!("class {class}"));
        }
        let findings = said["findings"].as_array().unwrap();
        let like = |pattern: &Pattern| findings.iter().find(|finding| pattern.is_like(finding));
        let missing = self.found.iter().filter(|pattern| like(pattern).is_none());
        wrong.extend(missing.map(|pattern| format!("no finding is like {pattern:?}")));
        wrong.extend(self.not_found.iter().filter_map(like).map(|finding| format!("finding: {finding}")));
        let counts = counts(said);
        for (kind, least) in &self.count_at_least {
            let count = counts.get(kind).copied().unwrap_or(0);
            if count < *least {
                wrong.push(format!("{kind}: {count}, not {least}"));
            }
        }
        for (name, states) in &self.states {
            let all = said["facts"]["attachments"].as_array().unwrap();
            let named = all.iter().filter(|one| one["name"] == **name || one["path"] == **name);
            let is: Vec<String> = named.map(state).collect();
            let fits =
                |is: &String| states.iter().any(|state| is == state || is.split(' ').next() == Some(state));
            if is.is_empty() || !is.iter().all(fits) {
                wrong.push(format!("{name}: {is:?}, not {states:?}"));
            }
        }
        wrong
    }
}

/// The attachment's state, with its reason where it has one.
fn state(attachment: &Value) -> String {
    let text = |key: &str| attachment[key].as_str().unwrap_or_default();
    format!("{} {}", text("state"), text("reason")).trim_end().to_owned()
}

/// How many there are of each kind, as the header field says.
pub(crate) fn counts(said: &Value) -> BTreeMap<String, usize> {
    let edits = said["edits"].as_array().unwrap();
    let field = edits.iter().find(|edit| edit["name"] == "X-Postvakt-Sensitive");
    let value = field.and_then(|edit| edit["value"].as_str()).unwrap_or_default();
    let counts = value.split([' ', ';', ',']).filter_map(|word| word.split_once('='));
    counts.filter_map(|(kind, count)| Some((kind.to_owned(), count.parse().ok()?))).collect()
}

/// Every case of every kind.
fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/content");
    let mut kinds: Vec<PathBuf> = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    kinds.retain(|kind| kind.is_dir());
    kinds.sort();
    let mut all = Vec::new();
    for kind in kinds {
        let text = fs::read(kind.join("cases.json")).unwrap();
        let cases: Vec<Case> =
            serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", kind.display()));
        let listed: Vec<PathBuf> = cases.iter().map(|case| kind.join(format!("{}.eml", case.name))).collect();
        let messages = fs::read_dir(&kind).unwrap().map(|entry| entry.unwrap().path());
        for message in messages.filter(|path| path.extension().is_some_and(|ending| ending == "eml")) {
            assert!(listed.contains(&message), "{}: in no cases.json", message.display());
        }
        all.extend(cases.into_iter().zip(listed).map(|(case, path)| Case { path, ..case }));
    }
    all
}

/// What `explain` says of messages under these sections of rules.
pub(crate) fn explain(scratch: &Scratch, rules: &str, messages: &[PathBuf]) -> Vec<Value> {
    scratch.write("postvakt.toml", config(rules));
    let mut command = Command::new(env!("CARGO_BIN_EXE_postvakt"));
    command.args(["explain", "--json", "--at", AT, "--client", "10.1.2.3"]);
    command.args(["--from", "anna@exempelby.se", "--rcpt", "mottagare@example.org", "--config"]);
    command.arg(scratch.path("postvakt.toml")).args(messages);
    let output = command.current_dir(scratch.path("")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.len() == messages.len(),
        "{:?}: {stderr}",
        messages.get(said.len())
    );
    said
}

#[test]
fn every_case_is_what_stands_beside_it() {
    let all = cases();
    let scratch = Scratch::new();
    let mut by_config: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in &all {
        by_config.entry(case.config.as_deref().unwrap_or(RULES)).or_default().push(case);
    }
    let mut failures = Vec::new();
    for (rules, cases) in by_config {
        for cases in cases.chunks(TOGETHER) {
            let messages: Vec<PathBuf> = cases.iter().map(|case| case.path.clone()).collect();
            for (case, said) in cases.iter().zip(explain(&scratch, rules, &messages)) {
                let wrong = case.expect.iter().map(|expected| expected.wrong(&said)).min_by_key(Vec::len);
                let wrong = wrong.expect("a case expects something");
                if !wrong.is_empty() {
                    let path = case.path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display();
                    failures.push(format!("{path} ({}): {}", case.why, wrong.join("; ")));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), all.len(), failures.join("\n"));
}

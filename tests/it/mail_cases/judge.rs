//! Judges a case: what was seen of it beside what is right.

use regex::Regex;
use serde_json::Value;

use super::case::{self, Expect, Words};

/// The edits that write a field.
const WRITES: [&str; 3] = ["add-header", "insert-header", "change-header"];

/// What was seen of a case.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) direction: String,
    pub(super) verdict: String,
    pub(super) findings: Vec<Finding>,
    /// As `explain --json` has them; attachments by their names.
    pub(super) facts: Value,
    /// As `explain --json` has them.
    pub(super) edits: Vec<Value>,
    pub(super) receipt: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) delivered: Option<Delivered>,
    /// Fields as they were after the first pass.
    pub(super) first: Vec<(String, Vec<String>)>,
    /// How many receipts wait.
    pub(super) queued: usize,
}

/// A finding; the log has no evidence.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) rule: String,
    pub(super) grade: String,
    pub(super) evidence: Option<String>,
}

impl Finding {
    /// As `explain --json` has it.
    pub(super) fn explained(value: &Value) -> Self {
        let [rule, grade] = ["rule", "grade"].map(|key| value[key].as_str().unwrap().to_owned());
        Self { rule, grade, evidence: text(&value["evidence"]) }
    }

    /// As the log has it: `rule=grade`.
    pub(super) fn logged(value: &Value) -> Self {
        let (rule, grade) = value.as_str().unwrap().split_once('=').unwrap();
        Self { rule: rule.to_owned(), grade: grade.to_owned(), evidence: None }
    }

    fn is(&self, wanted: &case::Finding) -> bool {
        wanted.rule.have(&self.rule)
            && wanted.grade.as_ref().is_none_or(|grade| grade.have(&self.grade))
            && self.evidence.as_ref().is_none_or(|evidence| has(&wanted.evidence, evidence))
    }
}

/// A message as it was delivered: its fields, each with its folds, and its body.
#[derive(Clone, Debug, Default)]
pub(super) struct Delivered {
    pub(super) fields: Vec<Vec<u8>>,
    pub(super) body: Vec<u8>,
}

impl Delivered {
    /// The values of the fields of that name.
    pub(super) fn values(&self, name: &str) -> Vec<String> {
        let named = self.fields.iter().filter_map(|field| {
            let (own, value) = field.split_at(field.iter().position(|octet| *octet == b':')?);
            let value = String::from_utf8_lossy(value.get(1..)?).trim().to_owned();
            own.trim_ascii().eq_ignore_ascii_case(name.as_bytes()).then_some(value)
        });
        named.collect()
    }
}

/// What is not as expected, in words.
pub(super) fn differences(expect: &Expect, seen: &Seen) -> Vec<String> {
    let mut told = Vec::new();
    if let Some(count) = expect.queued {
        if seen.queued < count.at_least || count.at_most.is_some_and(|most| seen.queued > most) {
            told.push(format!("{} receipts queued, wanted {count:?}", seen.queued));
        }
        return told;
    }
    words(expect, seen, &mut told);
    findings(expect, seen, &mut told);
    for (name, wanted) in &expect.facts {
        if !fact_is(wanted, &seen.facts[name]) {
            told.push(format!("{name} is {}, wanted {wanted}", seen.facts[name]));
        }
    }
    headers(expect, seen, &mut told);
    for (name, before) in &seen.first {
        let after = seen.delivered.as_ref().map(|delivered| delivered.values(name)).unwrap_or_default();
        if after != *before || before.is_empty() {
            told.push(format!("{name} was {before:?} after the first pass and is {after:?}"));
        }
    }
    told
}

fn words(expect: &Expect, seen: &Seen, told: &mut Vec<String>) {
    let mut say = |what: &str, is: &str, wanted: Option<&Words>, must: bool| {
        if wanted.is_some_and(|wanted| wanted.have(is) != must) {
            let not = if must { "" } else { "not " };
            told.push(format!("{what} is {is:?}, wanted {not}{wanted:?}; findings: {:?}", seen.findings));
        }
    };
    let direction = expect.direction.clone().map(Words::One);
    say("direction", &seen.direction, direction.as_ref(), true);
    say("verdict", &seen.verdict, expect.verdict.as_ref(), true);
    say("verdict", &seen.verdict, expect.verdict_not.as_ref(), false);
    let receipt = expect.receipt.clone().map(Words::One);
    say("receipt", seen.receipt.as_deref().unwrap_or_default(), receipt.as_ref(), true);
    let reason = seen.reason.as_deref().unwrap_or_default();
    say("the receipt's reason", reason, expect.receipt_reason.as_ref(), true);
}

fn findings(expect: &Expect, seen: &Seen, told: &mut Vec<String>) {
    for (wanted, must) in [(&expect.findings_must, true), (&expect.findings_must_not, false)] {
        for wanted in wanted {
            if seen.findings.iter().any(|finding| finding.is(wanted)) != must {
                told.push(format!("must be {must}: {wanted:?}; findings: {:?}", seen.findings));
            }
        }
    }
}

fn headers(expect: &Expect, seen: &Seen, told: &mut Vec<String>) {
    for (wanted, must) in [(&expect.edits_must, true), (&expect.edits_must_not, false)] {
        for wanted in wanted {
            let is = |edit: &Value| {
                let [op, name, value] = ["op", "name", "value"].map(|key| edit[key].as_str().unwrap_or(""));
                let counts = wanted.op.as_ref().map_or_else(|| WRITES.contains(&op), |ops| ops.have(op));
                counts && name.eq_ignore_ascii_case(&wanted.name) && has(&wanted.value, value)
            };
            if seen.edits.iter().any(is) != must {
                told.push(format!("edit must be {must}: {wanted:?}; edits: {:?}", seen.edits));
            }
        }
    }
    for (wanted, must) in [(&expect.delivered_must, true), (&expect.delivered_must_not, false)] {
        for wanted in wanted {
            let delivered = seen.delivered.as_ref().expect("only the wire delivers");
            let values = delivered.values(&wanted.name);
            if values.iter().any(|value| has(&wanted.value, value)) != must {
                told.push(format!("delivered must be {must}: {wanted:?}; it is {values:?}"));
            }
        }
    }
}

/// A fact that is absent is empty.
fn fact_is(wanted: &Value, is: &Value) -> bool {
    let shown = match is {
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        value => value.as_str().unwrap_or_default().to_owned(),
    };
    let Some(parts) = wanted.as_object() else {
        return wanted == is || (shown.is_empty() && wanted.as_str().is_some_and(str::is_empty));
    };
    parts.iter().all(|(key, wanted)| {
        let mut listed = wanted.as_array().map_or(std::slice::from_ref(wanted), Vec::as_slice).iter();
        match key.as_str() {
            "has" => listed.all(|part| shown.contains(part.as_str().unwrap())),
            "hasnt" => !listed.any(|part| shown.contains(part.as_str().unwrap())),
            "re" => has(wanted.as_str().unwrap(), &shown),
            _ => panic!("{key}: has, hasnt or re"),
        }
    })
}

fn has(expression: &str, text: &str) -> bool {
    Regex::new(expression).unwrap().is_match(text)
}

/// A text that may be absent.
pub(super) fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

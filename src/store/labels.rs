//! Labels: whether people found a finding right or wrong, as entries of the access log, whose tree proves them.
//!
//! Contract: nothing in them is changed. Of one record and rule the newest label counts; the ones before it stay.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::access::{AccessError, AccessLog, Kind, Reader};

/// The judgement of a person on what a rule found in a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Who judged.
    #[serde(flatten)]
    pub labelled_by: Reader,
    /// The mail's record.
    pub record: String,
    /// The rule.
    pub rule: String,
    /// Whether the finding is right.
    pub right: bool,
    /// That it cannot be told; what was judged before counts no longer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
    /// Why.
    pub why: String,
}

/// The newest label of each record and rule: whether it is right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(BTreeMap<(String, String), Option<bool>>);

impl Labels {
    /// Reads them.
    pub(super) fn read(log: &AccessLog) -> Result<Self, AccessError> {
        let entries = log.entries(&[Kind::Label])?;
        let labels = entries.iter().filter_map(|entry| entry.read::<Label>(Kind::Label));
        let judged = |label: Label| {
            let right = (!label.unknown).then_some(label.right);
            ((label.record, label.rule), right)
        };
        Ok(Self(labels.map(judged).collect()))
    }

    /// Whether what the rule found in the mail is right; `None` where nobody has said, or the last one could not tell.
    pub fn of(&self, record: &str, rule: &str) -> Option<bool> {
        self.0.get(&(record.to_owned(), rule.to_owned())).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn the_newest_label_counts_and_the_others_stay() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = AccessLog::open(directory.path()).unwrap();
        let label = |record: &str, rule: &str, right| Label {
            labelled_by: serde_json::from_str("{}").unwrap(),
            record: record.to_owned(),
            rule: rule.to_owned(),
            right,
            unknown: false,
            why: "prov".to_owned(),
        };
        for label in [label("a", "spam", true), label("a", "virus", true), label("a", "spam", false)] {
            log.add(Kind::Label, Timestamp::UNIX_EPOCH, &label).unwrap();
        }
        let labels = Labels::read(&log).unwrap();
        assert_eq!(
            [labels.of("a", "spam"), labels.of("a", "virus"), labels.of("b", "spam")],
            [Some(false), Some(true), None]
        );
        let unknown = Label { unknown: true, ..label("a", "virus", false) };
        log.add(Kind::Label, Timestamp::UNIX_EPOCH, &unknown).unwrap();
        assert_eq!(Labels::read(&log).unwrap().of("a", "virus"), None, "the last one could not tell");
        assert_eq!(log.entries(&[Kind::Label]).unwrap().len(), 4);
    }
}

//! Signatures on the follow-up of a quarter, as entries of the access log, whose tree proves them.
//!
//! Contract: nothing in them is changed. What a person signed is named by its digest: they signed what they saw.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::access::{AccessError, AccessLog, Kind, Reader};

/// A signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Whose.
    #[serde(flatten)]
    pub by: Reader,
    /// The quarter, such as `2026Q3`.
    pub period: String,
    /// How many accesses were in the sample.
    pub sampled: usize,
    /// By which seed.
    pub seed: String,
    /// SHA-256 of the follow-up that was seen.
    pub digest: String,
    /// The reference of the case in which it is filed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub case: String,
    /// What was found.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remark: String,
}

/// A signature with its entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The number of the entry.
    pub n: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub signature: Signature,
}

/// Those on the follow-up of a quarter, oldest first.
pub fn of_period(log: &AccessLog, period: &str) -> Result<Vec<Signed>, AccessError> {
    let entries = log.entries_of(Kind::FollowUp)?;
    let all = entries.iter().filter_map(|entry| {
        let signature: Signature = entry.read(Kind::FollowUp)?;
        Some(Signed { n: entry.n, at: entry.time, signature })
    });
    Ok(all.filter(|signed| signed.signature.period == period).collect())
}

/// Writes one. The number of its entry.
pub fn sign(log: &mut AccessLog, signature: &Signature) -> Result<u64, AccessError> {
    log.add(Kind::FollowUp, Timestamp::now(), signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_its_quarter() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = AccessLog::open(directory.path()).unwrap();
        let signature = |period: &str, seed: &str| Signature {
            by: serde_json::from_str("{}").unwrap(),
            period: period.into(),
            sampled: 20,
            seed: seed.into(),
            digest: "00".into(),
            case: String::new(),
            remark: String::new(),
        };
        for (period, seed) in [("2026Q2", "a"), ("2026Q3", "b"), ("2026Q3", "c")] {
            sign(&mut log, &signature(period, seed)).unwrap();
        }
        let seeds: Vec<String> =
            of_period(&log, "2026Q3").unwrap().into_iter().map(|signed| signed.signature.seed).collect();
        assert_eq!(seeds, ["b", "c"], "each stays");
        assert_eq!(of_period(&log, "2026Q1").unwrap(), []);
    }
}

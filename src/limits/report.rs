//! Limits of the rules report and of what is read beside the log.

#![deny(clippy::disallowed_methods)]

/// Different names that the rules report counts for one rule; what comes after is counted as others.
pub const REPORT_NAMES: usize = 100_000;
/// Names, and exceptions, that it shows for one rule: more than an admin reads.
pub const REPORT_TOP: usize = 5;
/// Examples of one rule.
pub const REPORT_EXAMPLES: usize = 5;
/// Stopped mails of one rule from which exceptions are derived.
pub const REPORT_STOPS: usize = 10_000;
/// Bytes of the reason of a label, which stays in the access log.
pub const LABEL_REASON_OCTETS: usize = 1_000;
/// Days of findings before a rule should act: a week has every kind of day.
pub const ENFORCE_DAYS: i64 = 7;
/// Judged mails before a rule should act: twenty without a fault leave at most 16 % wrong.
pub const ENFORCE_LABELS: u64 = 20;
/// The share of wrong findings that a rule that acts may have at most, as the upper end of the interval.
pub const ENFORCE_WRONG: f64 = 0.2;
/// Bytes of an exported file of Exchange: 100,000 mailboxes take about 30 MB.
pub const AUDIT_OCTETS: u64 = 256 << 20;
/// Bytes of an mbox file that are read at once: lines are shorter as a rule, and one without an end fills no memory.
pub const MBOX_PART_OCTETS: u64 = 64 << 10;

//! Problems: what is wrong with a config, where, and what would be right. All of them at once, in the order of the
//! file, one line each.

#![deny(clippy::disallowed_methods)]

use std::fmt;

use serde::Serialize;

/// What is wrong with a value, before its place is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub suggestion: String,
}

impl Fault {
    /// A fault; both texts are one line without a full stop.
    pub fn new(problem: impl Into<String>, suggestion: impl Into<String>) -> Self {
        Self { problem: problem.into(), suggestion: suggestion.into() }
    }
}

/// Whether a config with this problem can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, and will surprise.
    Warning,
}

/// One problem, for people and for `--json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line, from 1; absent where the file as a whole is meant.
    pub line: Option<usize>,
    /// The column in characters, from 1.
    pub column: Option<usize>,
    /// The path of the key; empty where none is to blame.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub suggestion: String,
    /// Whether it keeps the config from being used.
    pub severity: Severity,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, "{line}:{column}:")?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " {}; {}", self.problem, self.suggestion)
    }
}

/// All problems that keep a config from being used, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// One problem of the file as a whole.
    pub fn of_file(file: &str, fault: Fault) -> Self {
        Self(vec![Problem {
            file: file.to_owned(),
            line: None,
            column: None,
            key: String::new(),
            problem: fault.problem,
            suggestion: fault.suggestion,
            severity: Severity::Error,
        }])
    }
}

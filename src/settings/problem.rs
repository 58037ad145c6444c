//! Problems: what is wrong with a config, where, and what would be right. All of them at once, in the order of the
//! file, one line each.

#![deny(clippy::disallowed_methods)]

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;

use serde::Serialize;

use super::files::Files;
use crate::limits;

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

/// Gathers problems while a text is read.
#[derive(Debug)]
pub struct Report<'a> {
    file: &'a str,
    text: &'a str,
    line_starts: Vec<usize>,
    notes: RefCell<Vec<Note>>,
    files: &'a dyn Files,
    read: RefCell<Vec<u8>>,
}

#[derive(Debug)]
struct Note {
    at: usize,
    key: String,
    fault: Fault,
    severity: Severity,
    of: NoteOf,
}

/// What a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoteOf {
    Syntax,
    Value,
    Absence,
}

impl<'a> Report<'a> {
    /// A report on this text of this file, which names others.
    pub fn new(file: &'a str, text: &'a str, files: &'a dyn Files) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(starts).collect();
        Self { file, text, line_starts, notes: RefCell::default(), files, read: RefCell::default() }
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        self.file
    }

    /// A file that the config names.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, Fault> {
        let bytes = self.files.read(name)?;
        self.read.borrow_mut().extend_from_slice(&bytes);
        Ok(bytes)
    }

    /// What was read of other files, one after the other.
    pub fn bytes_read(&self) -> Vec<u8> {
        self.read.borrow().clone()
    }

    /// The line of an offset, from 1.
    pub fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at)
    }

    /// The octets of a line, without its end.
    pub fn line_range(&self, line: usize) -> Range<usize> {
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let rest = self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        start..start + rest.len()
    }

    /// A line, without its end.
    pub fn line_text(&self, line: usize) -> &str {
        self.text.get(self.line_range(line)).unwrap_or_default()
    }

    /// Something that is not the language that the file is written in.
    pub fn syntax(&self, at: usize, fault: Fault) {
        self.add(at, String::new(), fault, Severity::Error, NoteOf::Syntax);
    }

    /// A wrong value or key.
    pub fn wrong(&self, at: usize, key: String, fault: Fault) {
        self.add(at, key, fault, Severity::Error, NoteOf::Value);
    }

    /// A key that should be there.
    pub fn missing(&self, at: usize, key: String, fault: Fault) {
        self.add(at, key, fault, Severity::Error, NoteOf::Absence);
    }

    /// Something allowed that will surprise.
    pub fn warn(&self, at: usize, key: String, fault: Fault) {
        self.add(at, key, fault, Severity::Warning, NoteOf::Value);
    }

    fn add(&self, at: usize, key: String, fault: Fault, severity: Severity, of: NoteOf) {
        self.notes.borrow_mut().push(Note { at, key, fault, severity, of });
    }

    /// The warnings, or the problems where there is any.
    pub fn finish(self) -> Result<Vec<Problem>, Problems> {
        let mut notes = self.notes.take();
        notes.sort_by_key(|note| note.at);
        let broken: Vec<usize> =
            notes.iter().filter(|note| note.of == NoteOf::Syntax).map(|note| self.line(note.at)).collect();
        let any = notes.iter().any(|note| note.severity == Severity::Error);
        // What is missing may stand on a broken line.
        let may_be_there =
            |key: &str| broken.iter().any(|line| has_word(self.line_text(*line), last_of(key)));
        notes.retain(|note| note.of != NoteOf::Absence || !may_be_there(&note.key));
        notes.retain(|note| !any || note.severity == Severity::Error);
        let left_out = notes.len().saturating_sub(limits::CONFIG_PROBLEMS);
        notes.truncate(limits::CONFIG_PROBLEMS);
        let mut problems: Vec<Problem> = notes.into_iter().map(|note| self.placed(note)).collect();
        if left_out > 0 {
            let more = Fault::new(format!("and {left_out} more problems"), "mend these first");
            problems.extend(Problems::of_file(self.file, more).0);
        }
        if any { Err(Problems(problems)) } else { Ok(problems) }
    }

    fn placed(&self, note: Note) -> Problem {
        let line = self.line(note.at);
        let start = self.line_range(line).start;
        let before = self.text.get(start..note.at.min(self.text.len())).unwrap_or_default();
        Problem {
            file: self.file.to_owned(),
            line: Some(line),
            column: Some(before.chars().count() + 1),
            key: note.key,
            problem: note.fault.problem,
            suggestion: note.fault.suggestion,
            severity: note.severity,
        }
    }
}

/// The last name of a key's path.
fn last_of(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').any(|other| other == word)
}

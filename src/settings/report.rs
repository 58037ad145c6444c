//! A report: what is wrong with a text, gathered while it is read, and told in the order of its lines.

#![deny(clippy::disallowed_methods)]

use std::cell::{OnceCell, RefCell};
use std::ops::Range;

use super::files::Files;
use super::lists::Groups;
use super::problem::{Fault, Problem, Problems, Severity};
use crate::limits;

/// Gathers problems while a text is read.
#[derive(Debug)]
pub struct Report<'a> {
    file: &'a str,
    text: &'a str,
    line_starts: Vec<usize>,
    notes: RefCell<Vec<Note>>,
    files: &'a dyn Files,
    read: RefCell<Vec<u8>>,
    groups: OnceCell<Groups>,
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
        Self {
            file,
            text,
            line_starts,
            notes: RefCell::default(),
            files,
            read: RefCell::default(),
            groups: OnceCell::new(),
        }
    }

    /// Says which groups there are; once, before anything is read that may name one.
    pub fn know(&self, groups: Groups) {
        // A second time would be a fault of the program, and the first groups stay.
        let _ = self.groups.set(groups);
    }

    /// The groups that lists may name.
    pub fn groups(&self) -> &Groups {
        self.groups.get_or_init(Groups::default)
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        self.file
    }

    /// A file that the config names, of at most so many octets.
    pub fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, Fault> {
        let bytes = self.files.read(name, most)?;
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
            let more = Fault::new(format!("and {left_out} more problems"), "fix these first");
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

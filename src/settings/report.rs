//! A report: what is wrong with a config, gathered while its files are read, and told in the order of their lines.

#![deny(clippy::disallowed_methods)]

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;

use super::files::Files;
use super::lists::Groups;
use super::problem::{Fault, Problem, Problems, Severity};
use super::source::Source;
use crate::limits;

/// Gathers problems while a text, or the texts of several files, are read. An offset names a place in one of them.
#[derive(Debug)]
pub struct Report<'a> {
    /// With the offset of the first octet of each; the first is the config itself.
    sources: Vec<(usize, Source<'a>)>,
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
        let mut report = Self::on_nothing(files);
        report.add_source(Source::new(file, text));
        report
    }

    /// A report on texts that are still to come.
    pub fn on_nothing(files: &'a dyn Files) -> Self {
        Self {
            sources: Vec::new(),
            notes: RefCell::default(),
            files,
            read: RefCell::default(),
            groups: OnceCell::new(),
        }
    }

    /// The offset of the first octet of the next file: the end of the one before is a place too.
    pub fn next_offset(&self) -> usize {
        self.sources.last().map_or(0, |(begin, last)| begin + last.text.len() + 1)
    }

    /// Adds the text of one more file; the offset of its first octet.
    pub fn add_source(&mut self, source: Source<'a>) -> usize {
        let begin = self.next_offset();
        self.sources.push((begin, source));
        begin
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

    /// A file that the config names, of at most so many octets.
    pub fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, Fault> {
        let bytes = self.fetch(name, most)?;
        self.read.borrow_mut().extend_from_slice(&bytes);
        Ok(bytes)
    }

    /// Has the file count as read, under this name and at this place among the others.
    pub fn count_in(&self, name: &str, bytes: &[u8]) {
        let mut read = self.read.borrow_mut();
        for part in [name.as_bytes(), b"\0", &bytes.len().to_be_bytes(), bytes] {
            read.extend_from_slice(part);
        }
    }

    /// A file that the config includes, of at most so many octets; [`Self::count_in`] is still to be called.
    pub fn fetch(&self, name: &str, most: u64) -> Result<Vec<u8>, Fault> {
        self.files.read(name, most)
    }

    /// What was read of other files, one after the other.
    pub fn bytes_read(&self) -> Vec<u8> {
        self.read.borrow().clone()
    }

    /// The names of the files that match a pattern.
    pub fn list(&self, pattern: &str) -> Result<Vec<String>, Fault> {
        self.files.list(pattern)
    }

    /// The file and the line of an offset.
    pub fn place(&self, at: usize) -> (&str, usize) {
        self.source(at).map(|(at, source)| (&*source.file, source.line(at))).unwrap_or_default()
    }

    /// The column of an offset in characters, from 1.
    pub fn column(&self, at: usize) -> usize {
        self.source(at).map_or(1, |(at, source)| source.column(at))
    }

    /// The source that the offset is in, with the offset there.
    fn source(&self, at: usize) -> Option<(usize, &Source<'a>)> {
        let next = self.sources.partition_point(|(begin, _)| *begin <= at);
        let (begin, source) = self.sources.get(next.checked_sub(1)?)?;
        Some((at - begin, source))
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

    /// How much is said so far.
    pub(super) fn len(&self) -> usize {
        self.notes.borrow().len()
    }

    /// Takes back what was said after so much, but for what is about these places.
    pub(super) fn forget_but(&self, said: usize, places: &BTreeSet<usize>) {
        let mut notes = self.notes.borrow_mut();
        let mut number = 0;
        notes.retain(|note| {
            number += 1;
            number <= said || places.contains(&note.at)
        });
    }

    fn add(&self, at: usize, key: String, fault: Fault, severity: Severity, of: NoteOf) {
        self.notes.borrow_mut().push(Note { at, key, fault, severity, of });
    }

    /// The warnings, or the problems where there is any.
    pub fn finish(self) -> Result<Vec<Problem>, Problems> {
        let mut notes = self.notes.take();
        notes.sort_by_key(|note| note.at);
        let syntax = notes.iter().filter(|note| note.of == NoteOf::Syntax);
        let broken: Vec<&str> = syntax.filter_map(|note| self.line_text(note.at)).collect();
        let any = notes.iter().any(|note| note.severity == Severity::Error);
        // What is missing may stand on a broken line.
        let may_be_there = |key: &str| broken.iter().any(|line| has_word(line, last_of(key)));
        notes.retain(|note| note.of != NoteOf::Absence || !may_be_there(&note.key));
        notes.retain(|note| !any || note.severity == Severity::Error);
        let left_out = notes.len().saturating_sub(limits::CONFIG_PROBLEMS);
        notes.truncate(limits::CONFIG_PROBLEMS);
        let mut problems: Vec<Problem> = notes.into_iter().map(|note| self.placed(note)).collect();
        if left_out > 0 {
            let more = Fault::new(format!("and {left_out} more problems"), "fix these first");
            problems.extend(Problems::of_file(self.place(0).0, more).0);
        }
        if any { Err(Problems(problems)) } else { Ok(problems) }
    }

    fn line_text(&self, at: usize) -> Option<&str> {
        self.source(at).map(|(at, source)| source.line_text(source.line(at)))
    }

    fn placed(&self, note: Note) -> Problem {
        let place = self.source(note.at);
        Problem {
            file: place.map(|(_, source)| source.file.to_string()).unwrap_or_default(),
            line: place.map(|(at, source)| source.line(at)),
            column: place.map(|(at, source)| source.column(at)),
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

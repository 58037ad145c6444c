//! A source: the text of one file of a config, and where its lines are.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;
use std::ops::Range;

/// A file's text. Offsets in it are its own, from 0; in a report they follow those of the file before.
#[derive(Debug)]
pub struct Source<'a> {
    /// The file's name in messages.
    pub file: Cow<'a, str>,
    /// What stands in it.
    pub text: Cow<'a, str>,
    line_starts: Vec<usize>,
}

impl<'a> Source<'a> {
    /// This text of this file.
    pub fn new(file: impl Into<Cow<'a, str>>, text: impl Into<Cow<'a, str>>) -> Self {
        let (file, text) = (file.into(), text.into());
        let starts = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(starts).collect();
        Self { file, text, line_starts }
    }

    /// The line of an offset, from 1.
    pub fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at)
    }

    /// The column of an offset in characters, from 1.
    pub fn column(&self, at: usize) -> usize {
        let start = self.line_range(self.line(at)).start;
        let before = self.text.get(start..at.min(self.text.len())).unwrap_or_default();
        before.chars().count() + 1
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
}

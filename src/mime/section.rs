//! Header sections: split into fields, whatever stands there.
//!
//! Absent: any meaning. A line that is no field is stepped over, not taken for the end: whoever reads the message
//! later may do the same, and must not see a field that was hidden from us.

#![deny(clippy::disallowed_methods)]

use std::ops::Range;

use super::lines;
use crate::limits;

/// One field: its name, and its value with its folds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawField<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) value: &'a [u8],
}

/// A header section.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    pub(crate) fields: Vec<RawField<'a>>,
    /// Where lines are that are no fields, or fields above the limit.
    pub(crate) odd: Vec<Range<usize>>,
    /// Whether there were more fields than the limit.
    pub(crate) cut: bool,
    /// Where the body begins.
    pub(crate) body_at: usize,
}

impl<'a> Section<'a> {
    /// The section that begins at `at` and ends with an empty line, or before a line for which `ends` is true.
    pub(crate) fn split(bytes: &'a [u8], at: usize, ends: impl Fn(&[u8]) -> bool) -> Self {
        let mut section =
            Self { fields: Vec::with_capacity(24), odd: Vec::new(), cut: false, body_at: bytes.len() };
        section.read(bytes, at, ends);
        section
    }

    /// The section that these octets are, as the MTA says: an empty line before their end is a line that is no field.
    pub(crate) fn whole(bytes: &'a [u8]) -> Self {
        let mut section = Self::split(bytes, 0, |_| false);
        while section.body_at < bytes.len() {
            let at = section.body_at;
            match section.odd.last_mut() {
                Some(last) if last.end + 2 >= at => last.end = at,
                _ => section.odd.push(at..at),
            }
            section.body_at = bytes.len();
            section.read(bytes, at, |_| false);
        }
        section
    }

    fn read(&mut self, bytes: &'a [u8], at: usize, ends: impl Fn(&[u8]) -> bool) {
        let mut at = at;
        while at < bytes.len() {
            let mut end = lines::end(bytes, at);
            let line = bytes.get(at..end).unwrap_or_default();
            if line == b"\r\n" || line == b"\n" {
                self.body_at = end;
                return;
            }
            if ends(line) {
                self.body_at = at;
                return;
            }
            while matches!(bytes.get(end), Some(b' ' | b'\t')) {
                end = lines::end(bytes, end);
            }
            self.push(bytes.get(at..end).unwrap_or_default(), at..end);
            at = end;
        }
    }

    /// The value of the first field of that name.
    pub(crate) fn first(&self, name: &str) -> Option<&'a [u8]> {
        self.fields
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name.as_bytes()))
            .map(|field| field.value)
    }

    /// The values of all fields of that name, in order.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let named = |field: &&RawField<'a>| field.name.eq_ignore_ascii_case(name.as_bytes());
        self.fields.iter().filter(named).map(|field| field.value)
    }

    /// Whether a line was no field.
    pub(crate) fn junk(&self) -> bool {
        !self.odd.is_empty()
    }

    fn push(&mut self, line: &'a [u8], place: Range<usize>) {
        let field = field(line);
        self.cut |= field.is_some() && self.fields.len() >= limits::HEADER_FIELDS;
        match (field, self.odd.last_mut()) {
            (Some(field), _) if !self.cut => self.fields.push(field),
            (_, Some(last)) if last.end == place.start => last.end = place.end,
            (_, _) => self.odd.push(place),
        }
    }
}

/// RFC 5322 §3.6.8: a name is printable ASCII; the obsolete form has blanks before the colon (§4.5.8).
fn field(line: &[u8]) -> Option<RawField<'_>> {
    let colon = line.iter().position(|byte| *byte == b':' || *byte == b'\n')?;
    let (name, rest) = line.split_at(colon);
    let name = name.trim_ascii_end();
    let value = rest.strip_prefix(b":")?;
    let named = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    named.then_some(RawField { name, value: value.trim_ascii() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(section: &Section<'_>) -> Vec<String> {
        section.fields.iter().map(|field| String::from_utf8_lossy(field.name).into_owned()).collect()
    }

    #[test]
    fn every_line_end_and_fold() {
        let section = Section::split(b"A: 1\r\nB:2\n\t3\nC :\n\r\nbody", 0, |_| false);
        assert_eq!(names(&section), ["A", "B", "C"]);
        assert_eq!(section.first("b"), Some(&b"2\n\t3"[..]));
        assert_eq!(section.first("c"), Some(&b""[..]));
        assert_eq!((section.junk(), section.body_at), (false, 19));
    }

    #[test]
    fn lines_that_are_no_fields_hide_nothing() {
        let section =
            Section::split(b"From x Thu 1 Jan 00:00:00\r\n: empty\r\nno colon\r\nA: 1\r\n", 0, |_| false);
        assert_eq!((names(&section), section.junk()), (vec!["A".to_owned()], true));
    }

    #[test]
    fn an_empty_line_within_what_the_mta_calls_the_header_hides_nothing() {
        let section = Section::whole(b"\nA: 1\r\n\r\n\r\nB: 2\r\n\r\n");
        assert_eq!((names(&section), section.junk()), (vec!["A".to_owned(), "B".to_owned()], true));
        assert!(!Section::whole(b"A: 1\r\n\r\n").junk());
    }

    #[test]
    fn ends_before_a_boundary() {
        let section = Section::split(b"A: 1\r\n--x\r\nB: 2\r\n", 0, |line| line.starts_with(b"--x"));
        assert_eq!((names(&section).len(), section.body_at), (1, 6));
    }
}

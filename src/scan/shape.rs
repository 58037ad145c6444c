//! Shapes: runs of digits and what stands between and beside them, as people write numbers.

#![deny(clippy::disallowed_methods)]

use std::ops::{Deref, Range};

use super::fold::is_word;

/// Runs that one number may have at the most: a card's or an IBAN's groups are read otherwise.
const RUNS: usize = 6;

/// What stands between two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Between {
    /// `-`, with a blank on either side or not.
    Dash,
    /// `+`: the person is a hundred years old or more.
    Plus,
    /// One blank.
    Space,
    /// A line's end, after a dash or not.
    Wrap,
}

/// Runs of digits, and the number that they may be.
#[derive(Clone, Debug)]
pub(super) struct Shape<'a> {
    pub(super) bytes: &'a [u8],
    runs: [(usize, usize); RUNS],
    between: [Option<Between>; RUNS],
    count: usize,
}

impl<'a> Shape<'a> {
    /// The runs from `at` on, where the first one begins.
    pub(super) fn at(bytes: &'a [u8], at: usize) -> Self {
        let mut shape = Self { bytes, runs: [(0, 0); RUNS], between: [None; RUNS], count: 0 };
        let mut from = at;
        for place in 0..RUNS {
            let end = digits_end(bytes, from);
            let next = between(bytes, end);
            if let (Some(run), Some(gap)) = (shape.runs.get_mut(place), shape.between.get_mut(place)) {
                *run = (from, end);
                *gap = next.map(|(between, _)| between);
            }
            shape.count = place + 1;
            let Some((_, next)) = next else { break };
            from = next;
        }
        shape
    }

    /// Digits of the run at that place; 0 if there is none.
    pub(super) fn length(&self, place: usize) -> usize {
        let run = self.runs.get(place).filter(|_| place < self.count);
        run.map_or(0, |(start, end)| end - start)
    }

    /// Digits of the first runs, up to the one at that place.
    pub(super) fn total(&self, last: usize) -> usize {
        (0..=last).map(|place| self.length(place)).sum()
    }

    /// Whether the first runs have these lengths.
    pub(super) fn begins(&self, lengths: &[usize]) -> bool {
        lengths.iter().enumerate().all(|(place, length)| self.length(place) == *length)
    }

    /// What stands after the run at that place, if another one follows.
    pub(super) fn after(&self, place: usize) -> Option<Between> {
        self.between.get(place).copied().flatten()
    }

    /// From the first run to the end of the one at that place.
    pub(super) fn range(&self, last: usize) -> Range<usize> {
        let start = self.runs.first().map_or(0, |run| run.0);
        start..self.runs.get(last).map_or(start, |run| run.1)
    }

    /// The digits of the first runs, up to the one at that place; the first ones, if there are more than any number has.
    pub(super) fn digits(&self, last: usize) -> Digits {
        let mut all = Digits { octets: [0; DIGITS], length: 0 };
        for (start, end) in self.runs.iter().take(last + 1) {
            let run = self.bytes.get(*start..*end).unwrap_or_default();
            let places = all.octets.get_mut(all.length..).unwrap_or_default();
            for (place, digit) in places.iter_mut().zip(run) {
                *place = *digit;
            }
            all.length = (all.length + run.len()).min(DIGITS);
        }
        all
    }
}

/// No number has so many digits: an IBAN has 34 characters.
const DIGITS: usize = 40;

/// Digits without what stands between them.
pub(super) struct Digits {
    octets: [u8; DIGITS],
    length: usize,
}

impl Deref for Digits {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }
}

/// Where the next digit stands, from `from` on.
pub(super) fn next_digit(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    // Most stand near by in a table, and few do in a text, which is gone through in steps of many octets.
    let (near, far) = rest.split_at(rest.len().min(FEW));
    if let Some(at) = near.iter().position(u8::is_ascii_digit) {
        return Some(from + at);
    }
    let (blocks, _) = far.as_chunks::<MANY>();
    let none =
        |block: &&[u8; MANY]| block.iter().fold(0, |any, byte| any | u8::from(byte.is_ascii_digit())) == 0;
    let passed = near.len() + blocks.iter().take_while(none).count() * MANY;
    rest.get(passed..)?.iter().position(u8::is_ascii_digit).map(|at| from + passed + at)
}

/// Octets that are looked at one by one, and at once.
const FEW: usize = 16;
const MANY: usize = 64;

/// Where the run of digits that begins at `at` ends.
pub(super) fn digits_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len())
}

/// What stands at `at` between two runs, and where the second one begins.
fn between(bytes: &[u8], at: usize) -> Option<(Between, usize)> {
    let rest = bytes.get(at..(at + 8).min(bytes.len()))?;
    let blank = usize::from(matches!(rest, [b' ' | b'\t', b'-' | b'+', ..]));
    let sign = match rest.get(blank)? {
        b'-' => Some(Between::Dash),
        b'+' => Some(Between::Plus),
        _ => None,
    };
    let mut length = blank + usize::from(sign.is_some());
    let mut found = sign;
    let mut line = rest.get(length..)?;
    if sign.is_none()
        && blank == 0
        && line.first() == Some(&b' ')
        && line.get(1).is_some_and(u8::is_ascii_digit)
    {
        return Some((Between::Space, at + 1));
    }
    if sign.is_some() && line.first() == Some(&b' ') {
        (length, line) = (length + 1, line.get(1..)?);
    }
    for end in [&b"\r\n"[..], b"\n"] {
        if line.starts_with(end) && sign != Some(Between::Plus) {
            // The next line of a reply begins with the marks of the quotation.
            let next = bytes.get(at + length + end.len()..).unwrap_or_default();
            length += end.len() + next.iter().take(16).take_while(|byte| matches!(byte, b'>' | b' ')).count();
            found = Some(Between::Wrap);
            break;
        }
    }
    let next = at + length;
    bytes.get(next).filter(|byte| byte.is_ascii_digit())?;
    found.map(|between| (between, next))
}

/// What stands beside a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each may be so, whatever the others are")]
pub(super) struct Sides {
    /// It is a piece of a longer number: digits go on behind a delimiter.
    pub(super) piece: bool,
    /// A comma, slash or colon stands between it and other digits, as between two columns or two numbers.
    pub(super) joined: bool,
    /// Letters touch it.
    pub(super) letters: bool,
    /// Blanks alone are between it and other digits.
    pub(super) spaced: bool,
}

/// What stands beside the number at that place.
pub(super) fn sides(bytes: &[u8], at: &Range<usize>) -> Sides {
    let left = |back: usize| at.start.checked_sub(back).and_then(|place| bytes.get(place)).copied();
    let right = |on: usize| bytes.get(at.end + on).copied();
    let digit = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_digit());
    let mut sides = Sides::default();
    for (first, second) in [(left(1), left(2)), (right(0), right(1))] {
        match first {
            Some(b'-' | b'.' | b'+') if digit(second) => sides.piece = true,
            Some(b',' | b'/' | b':') if digit(second) => sides.joined = true,
            Some(b' ') if digit(second) => sides.spaced = true,
            Some(byte) if is_word(byte) => sides.letters = true,
            _ => {}
        }
    }
    // A program that takes numbers for amounts writes `8112289874.0`.
    let decimal = bytes.get(at.end..at.end + 2) == Some(b".0") && !digit(right(2));
    if decimal && !matches!(left(1), Some(b'-' | b'.' | b'+')) {
        sides.piece = false;
    }
    // +46…: an international number.
    sides.piece |= left(1) == Some(b'+');
    sides
}

/// The form that a number is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Ten digits on end.
    Ten,
    /// Twelve digits on end.
    Twelve,
    /// With a separator before the last four.
    Separated,
    /// With a blank there.
    Spaced,
    /// Over a line's end.
    Wrapped,
    /// In another form, which is a person's number only where a word says so.
    Loose,
}

/// Ten or twelve digits, as written.
pub(super) struct Written {
    pub(super) form: Form,
    pub(super) at: Range<usize>,
    /// The century's two digits, where they are written.
    pub(super) century: Option<u16>,
    /// The ten digits.
    pub(super) ten: [u8; 10],
    pub(super) plus: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_what_is_between_them() {
        for (text, lengths, first) in [
            ("811228-9874", &[6, 4][..], Some(Between::Dash)),
            ("811228 - 9874", &[6, 4], Some(Between::Dash)),
            ("811228+9874", &[6, 4], Some(Between::Plus)),
            ("811228 9874 x", &[6, 4], Some(Between::Space)),
            ("811228-\r\n9874", &[6, 4], Some(Between::Wrap)),
            ("1981-12-28-9874", &[4, 2, 2, 4], Some(Between::Dash)),
            ("811228  9874", &[6], None),
            ("811228.9874", &[6], None),
        ] {
            let shape = Shape::at(text.as_bytes(), 0);
            assert!(shape.begins(lengths) && shape.count == lengths.len(), "{text} {shape:?}");
            assert_eq!(shape.after(0), first, "{text}");
        }
    }

    #[test]
    fn sides_are_seen() {
        let sides = |text: &str, at: Range<usize>| super::sides(text.as_bytes(), &at);
        assert!(sides("1-811228-9874", 2..13).piece && sides("811228-9874-1", 0..11).piece);
        assert!(sides("+467012345678", 1..13).piece);
        assert!(sides("a811228-9874", 1..12).letters && sides("1,811228-9874", 2..13).joined);
        assert_eq!(sides("(811228-9874), 1", 1..12), Sides::default());
    }
}

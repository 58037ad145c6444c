//! Births: days as people write them, and numbers whose last four are masked.

#![deny(clippy::disallowed_methods)]

use std::ops::Range;

use jiff::civil::Date;

use super::checks::number;
use super::fold::{is_letter, is_word};
use super::identity;
use super::shape::digits_end;

/// A day that may be somebody's day of birth.
pub(super) struct Birth {
    pub(super) at: Range<usize>,
    pub(super) date: Date,
    /// Whether it is the first part of a personnummer, the rest of which is masked.
    pub(super) masked: bool,
    /// What it has in common with others that are written alike.
    pub(super) key: u64,
}

/// Signs that a digit is masked with.
const MASKS: &[u8] = b"xX*#_?\x80";
/// Digits of the last four that are masked at the least.
const MASKED: usize = 2;
/// The earliest year of birth that anybody alive may have.
const FIRST_YEAR: u16 = 1900;
/// Months by their first letters.
const MONTHS: [&[u8]; 14] = [
    b"jan", b"feb", b"mar", b"apr", b"maj", b"jun", b"jul", b"aug", b"sep", b"okt", b"nov", b"dec", b"may",
    b"oct",
];

/// The day that begins with the digit at `start`, if one does.
pub(super) fn at(bytes: &[u8], start: usize, today: Date) -> Option<Birth> {
    let before = start.checked_sub(1).and_then(|at| bytes.get(at));
    let inner = start.checked_sub(2).and_then(|at| bytes.get(at));
    let goes_on = matches!(before, Some(b'-' | b'.' | b'/' | b':' | b'+' | b','))
        && inner.is_some_and(u8::is_ascii_digit);
    if goes_on || before.is_some_and(|byte| is_word(*byte)) {
        return None;
    }
    let (date, end) = day(bytes, start, today)?;
    if let Some(end) = masked(bytes, end) {
        let key = identity::key(bytes.get(start..end)?);
        return Some(Birth { at: start..end, date, masked: true, key });
    }
    let on = match bytes.get(end..).unwrap_or_default() {
        [b'-' | b'.' | b'/' | b':' | b'+' | b',' | b' ', next, ..] => next.is_ascii_digit(),
        [next, ..] => is_word(*next),
        [] => false,
    };
    let key = identity::key(bytes.get(start..end)?);
    (!on).then_some(Birth { at: start..end, date, masked: false, key })
}

/// The day that begins there and where it ends; that of a samordningsnummer is written sixty days later.
fn day(bytes: &[u8], start: usize, today: Date) -> Option<(Date, usize)> {
    let first = digits_end(bytes, start);
    let value = |range: Range<usize>| bytes.get(range).map_or(0, number);
    let (year, month, day, end) = match first - start {
        8 => (value(start..start + 4), value(start + 4..start + 6), value(start + 6..first), first),
        6 => (value(start..start + 2), value(start + 2..start + 4), value(start + 4..first), first),
        4 | 2 | 1 => parted(bytes, start, first)?,
        _ => return None,
    };
    let now = u16::try_from(today.year()).ok()?;
    let year = match year {
        0..=99 => now - now % 100 + year - if year > now % 100 { 100 } else { 0 },
        _ => year,
    };
    let day = if day > 60 && first - start >= 6 { day - 60 } else { day };
    let [month, day] = [month, day].map(|value| i8::try_from(value).ok());
    let date = Date::new(i16::try_from(year).ok()?, month?, day?).ok()?;
    (year >= FIRST_YEAR && date <= today).then_some((date, end))
}

/// A day in three parts, the first of which ends there: year, month, day, and where it ends.
fn parted(bytes: &[u8], start: usize, first: usize) -> Option<(u16, u16, u16, usize)> {
    let value = |range: Range<usize>| bytes.get(range).filter(|digits| digits.len() <= 4).map_or(0, number);
    if let Some((month, from)) = month_name(bytes, first) {
        let end = digits_end(bytes, from);
        return (end - from == 4 && first - start <= 2)
            .then(|| (value(from..end), month, value(start..first), end));
    }
    let sign = bytes.get(first).copied().filter(|byte| b"-./".contains(byte))?;
    let second = digits_end(bytes, first + 1);
    let middle = value(first + 1..second);
    let between = bytes.get(second).copied()?;
    let last = digits_end(bytes, second + 1);
    // `28/12 1981`, `28/12-81`
    let parts = between == sign || (sign == b'/' && matches!(between, b' ' | b'-'));
    if !parts || !(1..=2).contains(&(second - first - 1)) {
        return None;
    }
    match (first - start, last - second - 1) {
        (4, 1 | 2) => Some((value(start..first), middle, value(second + 1..last), last)),
        (2, 2) if sign == b'-' => Some((value(start..first), middle, value(second + 1..last), last)),
        (1 | 2, 2 | 4) => Some((value(second + 1..last), middle, value(start..first), last)),
        _ => None,
    }
}

/// The month that is named behind a day, and where the year begins.
fn month_name(bytes: &[u8], at: usize) -> Option<(u16, usize)> {
    let rest = bytes.get(at..(at + 16).min(bytes.len()))?;
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'.' | b':' | b'e')).take(3).count();
    let name = rest.get(blanks..)?;
    let letters = name.iter().take_while(|byte| is_letter(**byte)).count();
    let word = name.get(..letters)?;
    let begins = |month: &&[u8]| word.get(..month.len()).is_some_and(|word| word.eq_ignore_ascii_case(month));
    let month = MONTHS.iter().position(begins)?;
    let month = match month {
        12 => 5,
        13 => 10,
        month => month + 1,
    };
    let gap = name.get(letters..)?.iter().take_while(|byte| matches!(byte, b' ' | b'.' | b',')).count();
    Some((u16::try_from(month).ok()?, at + blanks + letters + gap))
}

/// Where the last four end that are masked, behind a day that ends there; people write one sign more or less.
fn masked(bytes: &[u8], end: usize) -> Option<usize> {
    let rest = bytes.get(end..(end + 12).min(bytes.len()))?;
    let gap = rest.iter().take_while(|byte| matches!(byte, b' ' | b'-' | b'+')).take(3).count();
    let is_mask = |byte: &u8| MASKS.contains(byte);
    let last = rest.get(gap..)?;
    let length = last.iter().take_while(|byte| is_mask(byte) || byte.is_ascii_digit()).count();
    let masks = last.iter().take(length).filter(|byte| is_mask(byte)).count();
    let ends = last.get(length).is_none_or(|byte| !is_word(*byte));
    ((3..=5).contains(&length) && masks >= MASKED && ends).then_some(end + gap + length)
}

#[cfg(test)]
mod tests {
    use super::super::fold::Folded;
    use super::*;

    fn found(text: &str) -> Option<(String, String, bool)> {
        let folded = Folded::new(text);
        let start = folded.bytes().iter().position(u8::is_ascii_digit)?;
        let birth = at(folded.bytes(), start, "2026-06-01".parse().unwrap())?;
        let written = text[folded.offset(birth.at.start)..folded.offset(birth.at.end)].to_owned();
        Some((written, birth.date.to_string(), birth.masked))
    }

    #[test]
    fn days_and_masked_numbers() {
        for (text, written, date) in [
            ("1981-12-28", "1981-12-28", "1981-12-28"),
            ("19811228.", "19811228", "1981-12-28"),
            ("811228, x", "811228", "1981-12-28"),
            ("81-12-28", "81-12-28", "1981-12-28"),
            ("1981/12/28", "1981/12/28", "1981-12-28"),
            ("28.12.1981", "28.12.1981", "1981-12-28"),
            ("28/12-81", "28/12-81", "1981-12-28"),
            ("28/12 1981", "28/12 1981", "1981-12-28"),
            ("3 maj 2014", "3 maj 2014", "2014-05-03"),
            ("3:e maj 2014", "3:e maj 2014", "2014-05-03"),
            ("28 Oct. 1981", "28 Oct. 1981", "1981-10-28"),
        ] {
            assert_eq!(found(text), Some((written.to_owned(), date.to_owned(), false)), "{text}");
        }
        for text in [
            "811228-XXXX",
            "811228-xxxx",
            "19811228-****",
            "811228 ####",
            "811228-98XX",
            "19811228____",
            "811228-xxx",
        ] {
            assert_eq!(found(text), Some((text.to_owned(), "1981-12-28".to_owned(), true)), "{text}");
        }
        let coordination = Some(("701063-XXXX".to_owned(), "1970-10-03".to_owned(), true));
        assert_eq!(found("701063-XXXX"), coordination);
        for text in [
            "811328",
            "811228-9874",
            "811228-9X74",
            "19811228-9874",
            "20270101",
            "123456789",
            "3 maj",
            "4-81-12-28",
            "x811228",
            "811228:5",
            "3 mannar 2014",
            "11-2345678901234567890-12",
            "11/2345678901234567890 1981",
            "11-12-2345678901234567890",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}

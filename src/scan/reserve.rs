//! Numbers with letters in them, and other numbers for those who have no personnummer: interim numbers of schools and
//! reserve numbers of health care, as the regions write them and as the national format has it.

#![deny(clippy::disallowed_methods)]

use std::ops::Range;

use super::checks::{is_day, luhn, number};
use super::context::touches_word;
use super::identity::{TextContext, key};
use super::shape::Shape;
use super::words::Says;
use super::{By, Confidence, Kind, Number};

/// The letters of interim numbers; each counts as 1.
const INTERIM: &[u8] = b"TRSUWXJKLMN";

impl TextContext<'_> {
    /// The interim or reserve number that begins with the first run.
    pub(super) fn with_letters(&self, shape: &Shape<'_>) -> Option<Number> {
        if !matches!(shape.length(0), 6 | 8) {
            return None;
        }
        let (separated, tail, at) = self.tail(shape)?;
        let day = shape.digits(0);
        let (kind, alone) = kind_of(&day, separated, &tail)?;
        let label = self.context.label(at.start, &[Says::Identity, Says::Reserve, Says::Other]);
        let said = |says| self.context.headed(at.start, says);
        let sure = match (label, alone) {
            (Some(Says::Other), _) => Confidence::Weak,
            (Some(_), _) => Confidence::Strong,
            (None, Some(sure)) => {
                if said(Says::Reserve) || said(Says::Identity) || said(Says::Person) {
                    Confidence::Strong
                } else {
                    sure
                }
            }
            (None, None) if said(Says::Reserve) => Confidence::Strong,
            (None, None) => return None,
        };
        let mut characters = day.get(day.len() - 6..)?.to_vec();
        characters.extend(tail);
        Some(Number { kind, sure, by: By::Form, key: key(&characters), at })
    }

    /// Twelve digits that are a reserve number: `99`, the year of birth, a number and its check digit (Stockholm).
    pub(super) fn stockholm(&self, shape: &Shape<'_>) -> Option<Number> {
        if shape.length(0) != 12 {
            return None;
        }
        let digits = shape.digits(0);
        let year = digits.get(2..6).map(number)?;
        let at = shape.range(0);
        let touched =
            touches_word(self.bytes, at.start.checked_sub(1)) || touches_word(self.bytes, Some(at.end));
        if !digits.starts_with(b"99")
            || touched
            || !(1840..=2100).contains(&year)
            || !luhn(digits.get(4..)?.iter().map(|digit| digit - b'0'))
        {
            return None;
        }
        let sure =
            match self.context.label(at.start, &[Says::Identity, Says::Reserve, Says::Other, Says::Phone]) {
                Some(Says::Identity | Says::Reserve) => Confidence::Strong,
                Some(_) => Confidence::Weak,
                None if self.context.headed(at.start, Says::Person) => Confidence::Strong,
                None => Confidence::Medium,
            };
        Some(Number { kind: Kind::Reserve, sure, by: By::Form, key: key(digits.get(2..)?), at })
    }

    /// The four characters after a day, at least one of them a letter: whether a separator stands before them, what
    /// they are, and where the whole number stands.
    fn tail(&self, shape: &Shape<'_>) -> Option<(bool, Vec<u8>, Range<usize>)> {
        let day = shape.range(0);
        let rest = self.bytes.get(day.end..)?;
        let separated = matches!(rest, [b'-' | b'+' | b' ', ..]);
        let from = usize::from(separated);
        let tail = rest.get(from..from + 4)?;
        let at = day.start..day.end + from + 4;
        if !tail.iter().all(u8::is_ascii_alphanumeric)
            || tail.iter().all(u8::is_ascii_digit)
            || tail.iter().all(u8::is_ascii_alphabetic)
            || touches_word(self.bytes, at.start.checked_sub(1))
            || touches_word(self.bytes, Some(at.end))
        {
            return None;
        }
        Some((separated, tail.to_ascii_uppercase(), at))
    }
}

/// What the form says: the kind, and how sure it is alone; without that only a word before it tells.
fn kind_of(day: &[u8], separated: bool, tail: &[u8]) -> Option<(Kind, Option<Confidence>)> {
    let short = day.get(day.len() - 6..)?;
    let two = |at: usize| short.get(at..at + 2).map_or(99, number);
    let year = if day.len() == 8 { day.get(..4).map_or(0, number) } else { 2000 };
    let real = (1840..=2100).contains(&year) && is_day(year, two(2), two(4));
    let checked = |letter: u8| {
        let value = |character: &u8| if character.is_ascii_digit() { character - b'0' } else { letter };
        let all: Vec<u8> = short.iter().chain(tail).map(value).collect();
        luhn(all.into_iter())
    };
    match tail {
        [b'K' | b'M' | b'X', group @ .., check]
            if day.len() == 8
                && !separated
                && real
                && check.is_ascii_digit()
                && group.iter().all(u8::is_ascii_digit)
                && (6..=89).contains(&number(group))
                && checked(match tail.first() {
                    Some(b'K') => 5,
                    Some(b'M') => 7,
                    _ => 8,
                }) =>
        {
            Some((Kind::Reserve, Some(Confidence::Medium)))
        }
        [letter, digits @ ..]
            if INTERIM.contains(letter) && real && digits.iter().all(u8::is_ascii_digit) && checked(1) =>
        {
            Some((Kind::Interim, Some(if separated { Confidence::Strong } else { Confidence::Medium })))
        }
        [b'A'..=b'Z', b'A'..=b'Z', digit, _]
            if day.len() == 8 && digit.is_ascii_digit() && (21..=29).contains(&(year / 100)) =>
        {
            // The national format: three centuries further on, so that nobody takes it for a day.
            Some((Kind::Reserve, None))
        }
        _ if real && day.len() == 8 && !separated => Some((Kind::Reserve, None)),
        _ => None,
    }
}

//! Identity numbers of the neighbours: Finnish henkilötunnus, Norwegian fødselsnummer, Danish CPR number; and the number
//! of the card that the Swedish Migration Agency gives to asylum seekers (LMA).

#![deny(clippy::disallowed_methods)]

use super::checks::{is_day, number};
use super::context::touches_word;
use super::identity::{TextContext, key};
use super::shape::{Shape, sides};
use super::words::Says;
use super::{By, Confidence, Kind, Number};

/// Check characters of Finnish numbers, by the remainder of 31.
const FINNISH: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
/// The signs of the centuries in Finnish numbers: 1800, 1900, 2000.
const CENTURIES: [&[u8]; 3] = [b"+", b"-YXWVU", b"ABCDEF"];

impl TextContext<'_> {
    /// The neighbour's identity number that begins with the first run.
    pub(super) fn foreign(&self, shape: &Shape<'_>) -> Option<Number> {
        // None of them begins with another run.
        let fits = matches!(shape.length(0), 2 | 6 | 8..=11);
        if !fits || touches_word(self.bytes, shape.range(0).start.checked_sub(1)) {
            return None;
        }
        self.finnish(shape)
            .or_else(|| self.norwegian(shape))
            .or_else(|| self.danish(shape))
            .or_else(|| self.lma(shape))
    }

    /// `131052-308T`: the day, the century's sign, three digits and a check character.
    fn finnish(&self, shape: &Shape<'_>) -> Option<Number> {
        if shape.length(0) != 6 {
            return None;
        }
        let at = shape.range(0);
        let tail = self.bytes.get(at.end..at.end + 5)?.to_ascii_uppercase();
        let [sign, serial @ .., check] = tail.as_slice() else { return None };
        let century = CENTURIES.iter().position(|signs| signs.contains(sign))?;
        let day = shape.digits(0);
        let year = 1800 + 100 * u16::try_from(century).ok()? + two(&day, 4);
        if !serial.iter().all(u8::is_ascii_digit) || !is_day(year, two(&day, 2), two(&day, 0)) {
            return None;
        }
        let nine = day.iter().chain(serial).fold(0_usize, |all, digit| all * 10 + usize::from(digit - b'0'));
        let at = at.start..at.end + 5;
        let right = FINNISH.get(nine % 31) == Some(check) && !touches_word(self.bytes, Some(at.end));
        let letters = check.is_ascii_alphabetic() || sign.is_ascii_alphabetic();
        let sure = if letters || self.says_so(at.start) { Confidence::Strong } else { Confidence::Medium };
        let characters: Vec<u8> = day.iter().chain(&tail).copied().collect();
        right.then(|| Number { kind: Kind::Finnish, sure, by: By::Form, key: key(&characters), at })
    }

    /// Eleven digits, the last two of which check the others; the day of a D number has 40 more.
    fn norwegian(&self, shape: &Shape<'_>) -> Option<Number> {
        let last = usize::from(shape.begins(&[6, 5]));
        if shape.total(last) != 11 {
            return None;
        }
        let digits = shape.digits(last);
        let at = shape.range(last);
        if sides(self.bytes, &at).piece || touches_word(self.bytes, Some(at.end)) {
            return None;
        }
        let (day, month) = (two(&digits, 0), two(&digits, 2));
        let day = if day > 40 { day - 40 } else { day };
        // Test numbers have 40, 65 or 80 more months.
        let month = [80, 65, 40].into_iter().find(|more| month > *more).map_or(month, |more| month - more);
        let weighted = |weights: &[u16]| {
            let sum: u16 =
                digits.iter().zip(weights).map(|(digit, weight)| u16::from(digit - b'0') * weight).sum();
            sum.is_multiple_of(11)
        };
        let right = is_day(2000, month, day)
            && weighted(&[3, 7, 6, 1, 8, 9, 4, 5, 2, 1])
            && weighted(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]);
        let sure = if self.says_so(at.start) { Confidence::Strong } else { Confidence::Medium };
        right.then(|| Number { kind: Kind::Norwegian, sure, by: By::Form, key: key(&digits), at })
    }

    /// `DDMMYY-SSSS`, which since 2007 has no check digit: only where a word calls it so.
    fn danish(&self, shape: &Shape<'_>) -> Option<Number> {
        let last = usize::from(shape.begins(&[6, 4]));
        if shape.total(last) != 10 {
            return None;
        }
        let digits = shape.digits(last);
        let at = shape.range(last);
        let ends = !sides(self.bytes, &at).piece && !touches_word(self.bytes, Some(at.end));
        if !ends || !is_day(2000, two(&digits, 2), two(&digits, 0)) {
            return None;
        }
        let named = self.context.label(at.start, &[Says::Danish, Says::Other, Says::Phone])
            == Some(Says::Danish)
            || self.context.headed(at.start, Says::Danish);
        let (kind, sure) = (Kind::Danish, Confidence::Strong);
        named.then(|| Number { kind, sure, by: By::Word, key: key(&digits), at })
    }

    /// Eight to ten digits after the word for the card.
    fn lma(&self, shape: &Shape<'_>) -> Option<Number> {
        let last = usize::from(shape.begins(&[2, 6]) || shape.begins(&[2, 7]));
        let digits = shape.digits(last);
        let at = shape.range(last);
        let fits = (8..=10).contains(&digits.len())
            && !sides(self.bytes, &at).piece
            && !touches_word(self.bytes, Some(at.end));
        if !fits || self.context.label(at.start, &[Says::Lma, Says::Other, Says::Phone]) != Some(Says::Lma) {
            return None;
        }
        Some(Number { kind: Kind::Lma, sure: Confidence::Strong, by: By::Word, key: key(&digits), at })
    }

    /// Whether a word before the number calls it an identity number.
    fn says_so(&self, at: usize) -> bool {
        self.context
            .label(at, &[Says::Identity, Says::Foreign, Says::Other, Says::Phone])
            .is_some_and(|says| matches!(says, Says::Identity | Says::Foreign))
    }
}

fn two(digits: &[u8], at: usize) -> u16 {
    digits.get(at..at + 2).map_or(99, number)
}

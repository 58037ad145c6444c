//! Numbers of money and travel: IBAN, bank accounts, bankgiro, plusgiro, payment cards, passports.

#![deny(clippy::disallowed_methods)]

use smallvec::SmallVec;

use super::checks::{is_day, luhn, modulus_11, modulus_97, number};
use super::context::touches_word;
use super::fold::is_letter;
use super::identity::{TextContext, key};
use super::shape::{Between, Shape, digits_end, sides};
use super::words::Says;
use super::{By, Confidence, Kind, Number};

/// Characters of an IBAN by its country (ISO 13616 register; those whose banks Swedish authorities pay to).
const IBAN: &[(&[u8; 2], usize)] = &[
    (b"AT", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"CH", 21),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DK", 18),
    (b"EE", 20),
    (b"ES", 24),
    (b"FI", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GR", 27),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IS", 26),
    (b"IT", 27),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"MT", 31),
    (b"NL", 18),
    (b"NO", 15),
    (b"PL", 28),
    (b"PT", 25),
    (b"RO", 24),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"BA", 20),
    (b"RS", 22),
    (b"FO", 18),
    (b"GL", 18),
];

/// What a word before a number may call it here.
const LABELS: &[Says] =
    &[Says::Account, Says::Bankgiro, Says::Plusgiro, Says::Passport, Says::Identity, Says::Phone];

/// Digits of a clearing number with its check digit and the longest account number.
const ACCOUNT_DIGITS: usize = 15;

/// What an account has in groups, which lies in its place: every number of four digits is looked at.
type Groups<T> = SmallVec<[T; 2 * ACCOUNT_DIGITS]>;

impl TextContext<'_> {
    /// The IBAN whose check digits are the first run.
    pub(super) fn iban(&self, shape: &Shape<'_>) -> Option<Number> {
        let start = shape.range(0).start.checked_sub(2)?;
        let country = self.bytes.get(start..start + 2)?;
        if !country.iter().all(u8::is_ascii_alphabetic) {
            return None;
        }
        let (_, length) = IBAN.iter().find(|(code, _)| code.eq_ignore_ascii_case(country))?;
        if touches_word(self.bytes, start.checked_sub(1)) {
            return None;
        }
        let mut characters = Vec::with_capacity(*length);
        let mut end = start;
        for byte in self.bytes.get(start..(start + length * 2).min(self.bytes.len()))? {
            match byte {
                b' ' if !characters.is_empty() => {}
                _ if byte.is_ascii_alphanumeric() => characters.push(byte.to_ascii_uppercase()),
                _ => break,
            }
            end += 1;
            if characters.len() == *length {
                break;
            }
        }
        let whole = characters.len() == *length && !touches_word(self.bytes, Some(end));
        let digits = characters.get(2..4).is_some_and(|check| check.iter().all(u8::is_ascii_digit));
        (whole && digits && modulus_97(&characters)).then(|| Number {
            kind: Kind::Bank,
            sure: Confidence::Strong,
            by: By::Word,
            key: key(&characters),
            at: start..end,
        })
    }

    /// The payment card's number that the runs are.
    pub(super) fn card(&self, shape: &Shape<'_>) -> Option<Number> {
        let one = |place: usize| matches!(shape.after(place), Some(Between::Space | Between::Dash));
        let grouped = [&[4, 4, 4, 4][..], &[4, 6, 5], &[4, 6, 4]]
            .into_iter()
            .find(|lengths| shape.begins(lengths) && (0..lengths.len() - 1).all(one));
        let last = grouped.map_or(0, |lengths| lengths.len() - 1);
        if grouped.is_none() && shape.length(0) < 13 {
            return None;
        }
        let digits = shape.digits(last);
        let at = shape.range(last);
        let sides = sides(self.bytes, &at);
        let same = digits.windows(2).all(|pair| pair.first() == pair.last());
        if !is_brand(&digits) || sides.piece || sides.letters || sides.spaced || same {
            return None;
        }
        if !luhn(digits.iter().map(|digit| digit - b'0')) {
            return None;
        }
        let label = self.context.label(at.start, &[Says::Card, Says::Other, Says::Account]);
        let sure = match label {
            Some(Says::Card) => Confidence::Strong,
            Some(_) => Confidence::Weak,
            None if grouped.is_some() || self.context.headed(at.start, Says::Card) => Confidence::Strong,
            None => Confidence::Medium,
        };
        Some(Number { kind: Kind::Card, sure, by: By::Form, key: key(&digits), at })
    }

    /// A number that a word before it must name: bank account, bankgiro, plusgiro, passport.
    pub(super) fn labelled(&self, shape: &Shape<'_>) -> Option<Number> {
        if shape.length(0) > ACCOUNT_DIGITS {
            return None;
        }
        match self.context.label(shape.range(0).start, LABELS)? {
            Says::Account => self.account(shape),
            Says::Bankgiro => giro(shape, Kind::Bankgiro),
            Says::Plusgiro => giro(shape, Kind::Plusgiro),
            Says::Passport => self.passport(shape),
            _ => None,
        }
    }

    /// The account that a word before it names, of a number that is too short to be anything else.
    pub(super) fn short_account(&self, shape: &Shape<'_>) -> Option<Number> {
        let start = shape.range(0).start;
        let account = self.account(shape)?;
        (self.context.label(start, LABELS)? == Says::Account).then_some(account)
    }

    /// Clearing number and account (Bankgirot, *Bankernas kontonummer*), with whatever banks write between groups.
    fn account(&self, shape: &Shape<'_>) -> Option<Number> {
        // The clearing number is a group of its own, or all of it is one.
        if !matches!(shape.length(0), 4 | 5 | 11..=ACCOUNT_DIGITS) {
            return None;
        }
        let start = shape.range(0).start;
        let (mut digits, mut ends) = (Groups::<u8>::new(), Groups::<(usize, usize)>::new());
        let mut at = start;
        while digits.len() < ACCOUNT_DIGITS {
            let end = digits_end(self.bytes, at);
            digits.extend_from_slice(self.bytes.get(at..end)?);
            ends.push((digits.len(), end));
            let Some(next) = group_after(self.bytes, end, digits.len()) else { break };
            at = next;
        }
        ends.into_iter().rev().filter(|(count, _)| (11..=ACCOUNT_DIGITS).contains(count)).find_map(
            |(count, end)| {
                let digits = digits.get(..count)?;
                let at = start..end;
                let whole = !sides(self.bytes, &at).piece;
                // The number of a personal account at Nordea is its owner's.
                let (kind, own) = match digits.get(..4) {
                    Some(b"3300" | b"3782") => (Kind::Personal, digits.get(4..)?),
                    _ => (Kind::Bank, digits),
                };
                let (sure, by) = (Confidence::Strong, By::Word);
                (whole && is_account(digits)).then(|| Number { kind, sure, by, key: key(own), at })
            },
        )
    }

    /// Eight digits, or since 2022 two letters and seven.
    fn passport(&self, shape: &Shape<'_>) -> Option<Number> {
        if !(7..=8).contains(&shape.length(0)) {
            return None;
        }
        let digits = shape.digits(0);
        let at = shape.range(0);
        let letters = at.start.checked_sub(2).and_then(|from| self.bytes.get(from..at.start));
        let lettered = letters.is_some_and(|letters| letters.iter().all(u8::is_ascii_uppercase))
            && !touches_word(self.bytes, at.start.checked_sub(3));
        let at = match digits.len() {
            7 if lettered => at.start - 2..at.end,
            8 if !touches_word(self.bytes, at.start.checked_sub(1)) && !is_date(&digits) => at,
            _ => return None,
        };
        let ends = !touches_word(self.bytes, Some(at.end)) && !sides(self.bytes, &at).piece;
        ends.then(|| Number {
            kind: Kind::Passport,
            sure: Confidence::Strong,
            by: By::Word,
            key: key(&digits),
            at,
        })
    }
}

/// Where the next group of an account's digits begins: after a blank, a hyphen or a comma, or after the word for an
/// account where only the clearing number came so far.
fn group_after(bytes: &[u8], at: usize, digits: usize) -> Option<usize> {
    let rest = bytes.get(at..(at + 30).min(bytes.len()))?;
    let length = rest.iter().position(u8::is_ascii_digit)?;
    let gap = rest.get(..length)?;
    let signs = |gap: &[u8]| gap.iter().all(|byte| b" -,.\t".contains(byte));
    let word = gap.iter().position(|byte| is_letter(*byte)).and_then(|from| gap.get(from..));
    let told = matches!(digits, 4 | 5)
        && word.is_some_and(|word| word.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"konto")))
        && gap.iter().all(|byte| is_letter(*byte) || b" -,.:\r\n".contains(byte));
    (length > 0 && (signs(gap) && length <= 3 || told)).then_some(at + length)
}

fn giro(shape: &Shape<'_>, kind: Kind) -> Option<Number> {
    let lengths = if kind == Kind::Bankgiro { 7..=8 } else { 2..=8 };
    let dashed = |last: &usize| *last == 0 || shape.after(*last - 1) == Some(Between::Dash);
    let fits = |last: &usize| {
        let total: usize = (0..=*last).map(|run| shape.length(run)).sum();
        shape.length(*last) > 0 && lengths.contains(&total)
    };
    (0..4).rev().filter(dashed).filter(fits).find_map(|last| {
        let digits = shape.digits(last);
        (luhn(digits.iter().map(|digit| digit - b'0'))).then(|| Number {
            kind,
            sure: Confidence::Strong,
            by: By::Word,
            key: key(&digits),
            at: shape.range(last),
        })
    })
}

fn is_date(digits: &[u8]) -> bool {
    let part = |range: std::ops::Range<usize>| digits.get(range).map_or(0, number);
    (1900..2100).contains(&part(0..4)) && is_day(part(0..4), part(4..6), part(6..8))
}

/// Whether a card of some brand has such a number (ISO/IEC 7812; the brands' published ranges).
fn is_brand(digits: &[u8]) -> bool {
    let begins = |length: usize| digits.get(..length).map_or(0, number);
    let (one, two, three, four) = (begins(1), begins(2), begins(3), begins(4));
    match digits.len() {
        13 | 19 => one == 4,
        14 => two == 36 || two == 38 || (300..=305).contains(&three),
        15 => two == 34 || two == 37,
        16 => {
            one == 4
                || (51..=55).contains(&two)
                || (2221..=2720).contains(&four)
                || four == 6011
                || two == 65
                || (644..=649).contains(&three)
                || (3528..=3589).contains(&four)
                || two == 50
                || (56..=58).contains(&two)
                || two == 67
        }
        _ => false,
    }
}

/// Whether clearing number and account number belong together.
fn is_account(digits: &[u8]) -> bool {
    let values = |from: usize| digits.iter().skip(from).map(|digit| digit - b'0');
    let rest = digits.len().saturating_sub(4);
    match digits.get(..4).map_or(0, number) {
        // Nordea's personal accounts have the owner's personnummer for a number; Plusgirot, Danske and others check alike.
        3300 | 3782 | 9150..=9169 | 9180..=9189 | 9300..=9349 | 9500..=9549 | 9570..=9579 | 9960..=9969 => {
            rest == 10 && luhn(values(4))
        }
        6000..=6999 => (8..=9).contains(&rest) && modulus_11(values(4)),
        // A fifth digit of the clearing number may be written.
        8000..=8999 => {
            let fifth = digits.get(..5).is_some_and(|five| luhn(five.iter().map(|digit| digit - b'0')));
            (7..=10).contains(&rest) && luhn(values(4))
                || (fifth && (8..=11).contains(&rest) && luhn(values(5)))
        }
        4000..=4999 => rest == 7 && modulus_11(values(0)),
        1100..=5999 | 7000..=7999 => rest == 7 && modulus_11(values(1)),
        9000..=9999 => rest == 7 && (modulus_11(values(0)) || modulus_11(values(1))),
        _ => false,
    }
}

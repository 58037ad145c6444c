//! Identity numbers: personnummer, samordningsnummer, interim and reserve numbers, organisationsnummer.
//!
//! How sure a form is, in short: a separator or twelve digits with a real day and a right check digit are *strong*, and
//! *medium* beside a word that calls them something else; ten digits alone are *medium*, and *weak* beside such a word
//! (docs/decisions/036).

#![deny(clippy::disallowed_methods)]

use std::ops::Range;

use jiff::civil::Date;

use super::checks::{is_day, luhn, number};
use super::context::{Context, Said, in_reference};
use super::shape::{Between, Form, Shape, Sides, Written, sides};
use super::words::Says;
use super::{By, Confidence, Kind, Number, loose};

/// The earliest year of birth that anybody alive, or lately dead, may have.
const FIRST_YEAR: u16 = 1840;
/// Years within which a day is likelier the day of an event than of a birth.
const RECENT_YEARS: i16 = 3;
/// The first year of cases that are numbered by the day.
const MODERN_YEAR: u16 = 1995;

/// What all numbers of one text are looked at with.
pub(super) struct TextContext<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) context: &'a Context<'a>,
    pub(super) today: Date,
}

impl TextContext<'_> {
    /// The identity number that the runs begin with. One that stands in a row after one that was called so, as
    /// `listed` says, is called so too.
    pub(super) fn identity(&self, shape: &Shape<'_>, listed: bool) -> Option<Number> {
        let written = written(shape)?;
        let sides = sides(self.bytes, &written.at);
        if is_piece(&written, sides) {
            return None;
        }
        let kind = self.kind(&written)?;
        let (sure, by) = match kind {
            Kind::Organisation => (self.organisation(&written, sides)?, By::Form),
            _ => self.sure(&written, sides, kind, listed)?,
        };
        Some(Number { kind, sure, by, at: written.at, key: key(&written.ten) })
    }

    /// The person's number that is written in a form of its own: where a label or heading calls it one, or words of a
    /// category stand near.
    pub(super) fn loose(&self, written: Written, listed: bool) -> Option<Number> {
        let kind = self.kind(&written).filter(|kind| kind.of_person())?;
        let said = self.context.said(&written.at, false);
        let (sure, by) = match said {
            _ if listed => (Confidence::Strong, By::Word),
            Said::Identity => (Confidence::Strong, By::Word),
            Said::Other => return None,
            Said::OfPerson | Said::NearPerson | Said::Nothing => (Confidence::Weak, By::Category),
        };
        Some(Number { kind, sure, by, at: written.at, key: key(&written.ten) })
    }

    /// The person's number that has lost its first zeros: where a label or heading calls it one, and never else.
    pub(super) fn without_zeros(&self, written: Written) -> Option<Number> {
        let kind = self.kind(&written).filter(|kind| kind.of_person())?;
        let named = self.context.said(&written.at, false) == Said::Identity;
        let key = key(&written.ten);
        named.then_some(Number { kind, sure: Confidence::Strong, by: By::Word, at: written.at, key })
    }

    /// What is written as a person's number from the first run on, which ends at `end`, and is none: a wrong check digit, or no day.
    pub(super) fn failing(&self, shape: &Shape<'_>, end: usize) -> Option<Written> {
        let start = shape.range(0).start;
        if end - start < 4 {
            return None;
        }
        let written = written(shape);
        let written = written.filter(|written| written.form != Form::Wrapped);
        let written = written.or_else(|| loose::at(self.bytes, start).map(|loose| loose.written))?;
        (!is_piece(&written, sides(self.bytes, &written.at))).then_some(written)
    }

    /// The person's number that the runs begin with, whatever stands beside it, with its kind; `None` for what has its
    /// form and a day of birth, and another check digit.
    pub(super) fn of_person(&self, shape: &Shape<'_>) -> Option<(Range<usize>, Option<Kind>)> {
        let written = written(shape)?;
        let kind = self.kind(&written);
        let (month, day) = (two(&written.ten, 2), two(&written.ten, 4));
        let day = if day > 60 { day - 60 } else { day };
        let mistyped =
            !luhn(written.ten.iter().map(|digit| digit - b'0')) && self.year(&written, month, day).is_some();
        (mistyped || kind.is_some_and(Kind::of_person)).then_some((written.at, kind))
    }

    fn kind(&self, written: &Written) -> Option<Kind> {
        let ten = &written.ten;
        if !luhn(ten.iter().map(|digit| digit - b'0')) {
            return None;
        }
        let (month, day) = (two(ten, 2), two(ten, 4));
        let serial = ten.get(6..9).map_or(0, number);
        if month >= 20 {
            let first = ten.first().is_some_and(|digit| *digit != b'0');
            return (first && written.century.is_none_or(|century| century == 16))
                .then_some(Kind::Organisation);
        }
        if serial == 0 {
            return None;
        }
        match day {
            // They are given for days that the month does not have, too.
            60..=91 if month <= 12 => self.century_year(written).map(|_| Kind::Coordination),
            32..=59 if written.century.is_some() && month > 0 => Some(Kind::Reserve),
            _ => self.year(written, month, day).map(|_| Kind::Personal),
        }
    }

    /// The year of birth, where the day is in the calendar and not to come.
    fn year(&self, written: &Written, month: u16, day: u16) -> Option<u16> {
        self.century_year(written).filter(|year| is_day(*year, month, day))
    }

    /// The year of birth, where somebody could be born in it.
    fn century_year(&self, written: &Written) -> Option<u16> {
        let short = two(&written.ten, 0);
        let now = u16::try_from(self.today.year()).ok()?;
        let year = if let Some(century) = written.century {
            century * 100 + short
        } else {
            let year = now - now % 100 + short;
            let year = if year > now { year - 100 } else { year };
            if written.plus { year - 100 } else { year }
        };
        (FIRST_YEAR..=now).contains(&year).then_some(year)
    }

    /// How sure it is that the number is a person's, and by what.
    fn sure(&self, written: &Written, sides: Sides, kind: Kind, listed: bool) -> Option<(Confidence, By)> {
        let ten = written.form == Form::Ten;
        let like_phone = ten && starts_like_phone(&written.ten);
        let said = self.context.said(&written.at, like_phone);
        if said == Said::Identity || (listed && said != Said::Other) {
            return Some((Confidence::Strong, By::Word));
        }
        if written.form == Form::Wrapped {
            return None;
        }
        let (recent, serial) = (self.recent(written), self.serial_like(written));
        // A weak hint never outweighs a form that hardly anything else has.
        let doubted = if ten || (recent && serial) { Confidence::Weak } else { Confidence::Medium };
        let by = match said {
            Said::OfPerson | Said::NearPerson => By::Person,
            _ if self.modern(written) => By::ModernForm,
            _ => By::Form,
        };
        let sure = match (said, written.form) {
            _ if in_reference(self.bytes, &written.at) => doubted,
            (Said::Other, _) => doubted,
            (Said::OfPerson | Said::NearPerson, _) if recent && serial => Confidence::Medium,
            (Said::NearPerson, Form::Ten) if like_phone => Confidence::Medium,
            (Said::OfPerson | Said::NearPerson, _) => Confidence::Strong,
            (_, Form::Ten) if like_phone || sides.joined => Confidence::Weak,
            _ if kind == Kind::Reserve => Confidence::Medium,
            // A time: the day and the hour of an event.
            (_, Form::Twelve) if recent && serial => Confidence::Weak,
            (_, Form::Ten) => Confidence::Medium,
            _ if sides.letters || recent || serial => Confidence::Medium,
            (_, Form::Spaced) if sides.spaced => Confidence::Medium,
            (_, Form::Twelve | Form::Separated | Form::Spaced | Form::Wrapped | Form::Loose) => {
                Confidence::Strong
            }
        };
        Some((sure, by))
    }

    /// Whether the day is a recent one: then the number is likelier a case's, or the time of an event.
    fn recent(&self, written: &Written) -> bool {
        let recent = self.today.year() - RECENT_YEARS;
        self.day_year(written).is_some_and(|year| i16::try_from(year).is_ok_and(|year| year >= recent))
    }

    /// Whether the day is one since there are computers that number cases by the day.
    fn modern(&self, written: &Written) -> bool {
        self.day_year(written).is_some_and(|year| year >= MODERN_YEAR)
    }

    /// Whether the last four could be a time of day or the low number of a case of such a day.
    fn serial_like(&self, written: &Written) -> bool {
        let (hour, minute) = (two(&written.ten, 6), two(&written.ten, 8));
        let time = written.century.is_some() && hour < 24 && minute < 60;
        (time || hour < 2) && self.modern(written)
    }

    /// The year of the day, be it of birth or of a samordningsnummer.
    fn day_year(&self, written: &Written) -> Option<u16> {
        let (month, day) = (two(&written.ten, 2), two(&written.ten, 4));
        if day >= 60 { self.century_year(written) } else { self.year(written, month, day) }
    }

    /// How sure it is that the number is an organisation's: on its own line, in its written form or under its name.
    fn organisation(&self, written: &Written, sides: Sides) -> Option<Confidence> {
        let named = self.context.label(written.at.start, &[Says::Organisation]).is_some();
        match written.form {
            Form::Wrapped | Form::Loose => None,
            Form::Separated => Some(Confidence::Strong),
            Form::Ten | Form::Twelve | Form::Spaced => {
                (named && !sides.letters).then_some(Confidence::Strong)
            }
        }
    }

    /// `SE` with ten digits and `01`: an organisation's number for VAT, and a sole trader's is their own.
    pub(super) fn vat(&self, shape: &Shape<'_>) -> Option<Number> {
        let at = shape.range(0);
        let prefix = self.bytes.get(at.start.checked_sub(2)?..at.start)?;
        let outer = at.start.checked_sub(3).and_then(|before| self.bytes.get(before));
        if !prefix.eq_ignore_ascii_case(b"SE")
            || outer.is_some_and(u8::is_ascii_alphanumeric)
            || shape.length(0) != 12
        {
            return None;
        }
        let digits = shape.digits(0);
        if !digits.ends_with(b"01") {
            return None;
        }
        let ten = digits.get(..10)?.try_into().ok()?;
        let written = Written { form: Form::Separated, at, century: None, ten, plus: false };
        let kind = self.kind(&written)?;
        let at = written.at.start..written.at.start + written.ten.len();
        Some(Number { kind, sure: Confidence::Strong, by: By::Word, key: key(&written.ten), at })
    }
}

/// The ten or twelve digits that the runs begin with.
pub(super) fn written(shape: &Shape<'_>) -> Option<Written> {
    let dashed = (0..3).all(|place| shape.after(place) == Some(Between::Dash));
    let (last, between) = [&[4, 2, 2, 4][..], &[2, 2, 2, 4], &[8, 4], &[6, 4]]
        .into_iter()
        .find(|lengths| shape.begins(lengths) && (dashed || lengths.first() != Some(&2)))
        .map_or((0, None), |lengths| (lengths.len() - 1, shape.after(lengths.len() - 2)));
    if between.is_none() && !matches!(shape.length(0), 10 | 12) {
        return None;
    }
    let digits = shape.digits(last);
    let form = match between {
        Some(Between::Dash | Between::Plus) => Form::Separated,
        Some(Between::Space) => Form::Spaced,
        Some(Between::Wrap) => Form::Wrapped,
        None => match digits.len() {
            10 => Form::Ten,
            12 => Form::Twelve,
            _ => return None,
        },
    };
    let century = (digits.len() == 12).then(|| two(&digits, 0));
    let ten = digits.get(digits.len().checked_sub(10)?..)?.try_into().ok()?;
    Some(Written { form, at: shape.range(last), century, ten, plus: between == Some(Between::Plus) })
}

/// Whether the digits are only a piece of something longer.
fn is_piece(written: &Written, sides: Sides) -> bool {
    let on_end = matches!(written.form, Form::Ten | Form::Twelve);
    sides.piece || (on_end && sides.letters)
}

/// The mobile numbers and area codes that ten digits beginning with a year, a month and a day may be.
fn starts_like_phone(ten: &[u8]) -> bool {
    [&b"07"[..], b"01", b"08"].iter().any(|prefix| ten.starts_with(prefix))
}

fn two(digits: &[u8], at: usize) -> u16 {
    digits.get(at..at + 2).map_or(99, number)
}

/// What two ways to write one number have in common.
pub(super) fn key(characters: &[u8]) -> u64 {
    let value = |character: &u8| u64::from(character.to_ascii_uppercase().wrapping_sub(b'0'));
    characters.iter().fold(0_u64, |key, character| key.wrapping_mul(43).wrapping_add(value(character)))
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, of_persons};

    fn found(text: &str) -> Vec<(&str, Option<Kind>)> {
        let found = of_persons(text, "2026-06-01".parse().unwrap());
        found.into_iter().map(|(at, kind)| (&text[at], kind)).collect()
    }

    #[test]
    fn numbers_of_persons_whatever_stands_beside_them() {
        // Numbers that the Swedish Tax Agency gives for tests, and numbers beside them.
        for (text, number) in [
            ("850709-9805", "850709-9805"),
            ("19850709-9805", "19850709-9805"),
            ("19850709+9805", "19850709+9805"),
            ("8507099805", "8507099805"),
            ("198507099805", "198507099805"),
            ("850709 9805", "850709 9805"),
            ("850709\u{A0}9805", "850709\u{A0}9805"),
            ("850709–9805", "850709–9805"),
            ("８５０７０９-9805", "８５０７０９-9805"),
            ("Ang. 850709-9805, beslut", "850709-9805"),
            ("Åtgärd 850709.9805", "850709.9805"),
            ("bilaga_850709_9805.pdf", "850709_9805"),
            ("bilaga8507099805.pdf", "8507099805"),
            ("tfn:8507099805;", "8507099805"),
        ] {
            assert_eq!(found(text), [(number, Some(Kind::Personal))], "{text}");
        }
        assert_eq!(found("701063-2391"), [("701063-2391", Some(Kind::Coordination))]);
        assert_eq!(found("850709-9805 och 19850709+9805").len(), 2);
    }

    #[test]
    fn mistyped_ones_are_told_of_and_other_numbers_are_not() {
        assert_eq!(found("850709-9806"), [("850709-9806", None)]);
        assert_eq!(found("701063-2392"), [("701063-2392", None)]);
        for text in [
            "851309-9805",
            "850799-9805",
            "850230-9805",
            "1234567890123456",
            "KS 2026/123",
            "2026-08-21 13:05",
            "192.0.2.1",
            "850709-98055",
            "08-123 45 67",
            "556036-0793",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}

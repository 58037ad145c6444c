//! Check digits, and whether a day is in the calendar.

#![deny(clippy::disallowed_methods)]

use jiff::civil::Date;

/// The weighted sum of Luhn's algorithm (ISO/IEC 7812-1 annex B), the last digit being the check digit.
pub(super) fn luhn(digits: impl DoubleEndedIterator<Item = u8>) -> bool {
    let sum: u32 = digits
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let weighted = u32::from(digit) * if place % 2 == 0 { 1 } else { 2 };
            weighted / 10 + weighted % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The sum with the weights 1, 2, … 10, 1, … from the last digit on, as banks check account numbers.
pub(super) fn modulus_11(digits: impl DoubleEndedIterator<Item = u8>) -> bool {
    let sum: u32 =
        digits.rev().zip((1..=10).cycle()).map(|(digit, weight): (u8, u32)| u32::from(digit) * weight).sum();
    sum.is_multiple_of(11)
}

/// ISO 7064 mod 97-10 of an IBAN: its first four characters go last, letters count from ten.
pub(super) fn modulus_97(iban: &[u8]) -> bool {
    let (head, tail) = iban.split_at_checked(4).unwrap_or_default();
    let rest = tail.iter().chain(head).try_fold(0_u32, |rest, byte| {
        let value = char::from(*byte).to_digit(36)?;
        Some(if value < 10 { rest * 10 + value } else { rest * 100 + value } % 97)
    });
    rest == Some(1)
}

/// A number of two or four digits.
pub(super) fn number(digits: &[u8]) -> u16 {
    digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit.wrapping_sub(b'0')))
}

/// Whether there is such a day.
pub(super) fn is_day(year: u16, month: u16, day: u16) -> bool {
    let (year, month, day) = (i16::try_from(year), i8::try_from(month), i8::try_from(day));
    matches!((year, month, day), (Ok(year), Ok(month), Ok(day)) if Date::new(year, month, day).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> impl DoubleEndedIterator<Item = u8> + '_ {
        text.bytes().map(|byte| byte - b'0')
    }

    #[test]
    fn published_numbers_pass_and_their_neighbours_fail() {
        assert!(luhn(digits("8112289874")) && !luhn(digits("8112289875")));
        assert!(luhn(digits("2120000142")) && luhn(digits("4111111111111111")));
        assert!(modulus_97(b"SE4550000000058398257466") && !modulus_97(b"SE4550000000058398257467"));
        assert!(modulus_97(b"GB82WEST12345698765432"));
        assert!(is_day(2000, 2, 29) && !is_day(1900, 2, 29) && !is_day(1981, 13, 1));
    }
}

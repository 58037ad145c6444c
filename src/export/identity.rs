//! National identity numbers in short texts, as a subject is: personnummer and samordningsnummer in each form in
//! which people write them.

use std::ops::Range;

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A personnummer: date of birth, number, right check digit.
    Personnummer,
    /// The same for who is not registered: 60 is added to the day.
    Samordningsnummer,
    /// It has the form, and its check digit is wrong: a mistyped one, or a number of something else.
    Lookalike,
}

/// The numbers in a text, with their place in octets.
pub fn find(text: &str) -> Vec<(Range<usize>, Kind)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(begin) = text.get(at..).and_then(|rest| rest.find(|c: char| c.is_ascii_digit())) {
        let begin = at + begin;
        let end = end_of_digits(text, begin);
        at = end;
        let whole = match end - begin {
            10 | 12 => Some(end),
            6 | 8 => separated(text, end),
            _ => None,
        };
        let Some(whole) = whole else { continue };
        let digits: Vec<u32> =
            text.get(begin..whole).unwrap_or_default().chars().filter_map(|c| c.to_digit(10)).collect();
        if let Some(kind) = kind(&digits) {
            found.push((begin..whole, kind));
            at = whole;
        }
    }
    found
}

fn end_of_digits(text: &str, begin: usize) -> usize {
    let rest = text.get(begin..).unwrap_or_default();
    begin + rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())
}

/// The end of the four last digits, where one sign and they follow.
fn separated(text: &str, end: usize) -> Option<usize> {
    let sign = text.get(end..)?.chars().next()?;
    if !matches!(sign, '-' | '+' | '\u{2010}'..='\u{2015}' | '\u{2212}' | ' ' | '\u{A0}' | '_' | '.') {
        return None;
    }
    let begin = end + sign.len_utf8();
    let end = end_of_digits(text, begin);
    (end - begin == 4).then_some(end)
}

/// What ten or twelve digits are, by their date and check digit.
fn kind(digits: &[u32]) -> Option<Kind> {
    let ten: [u32; 10] = match digits {
        [1, 8 | 9, ..] | [2, 0, ..] if digits.len() == 12 => digits.get(2..)?.try_into().ok()?,
        _ => digits.try_into().ok()?,
    };
    let [_, _, m1, m2, d1, d2, ..] = ten;
    let (month, day) = (10 * m1 + m2, 10 * d1 + d2);
    let coordination = (61..=91).contains(&day);
    if !(1..=12).contains(&month) || !(coordination || (1..=31).contains(&day)) {
        return None;
    }
    // Every second digit counts twice, and of two-digit products both digits.
    let sum: u32 = (0_u32..)
        .zip(ten)
        .map(|(at, digit)| {
            let product = if at % 2 == 0 { 2 * digit } else { digit };
            product / 10 + product % 10
        })
        .sum();
    Some(match (sum % 10, coordination) {
        (0, false) => Kind::Personnummer,
        (0, true) => Kind::Samordningsnummer,
        _ => Kind::Lookalike,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_the_forms_in_which_people_write_them() {
        // Numbers that the Swedish Tax Agency gives for tests, and dates beside them.
        for text in [
            "850709-9805",
            "19850709-9805",
            "19850709+9805",
            "8507099805",
            "198507099805",
            "850709 9805",
            "850709–9805",
            "Ang. 850709-9805, beslut",
            "bilaga_850709-9805.pdf",
            "pnr:8507099805;",
        ] {
            let found = find(text);
            assert_eq!(found.len(), 1, "{text}");
            assert_eq!(found[0].1, Kind::Personnummer, "{text}");
            assert!(text[found[0].0.clone()].ends_with("9805"), "{text}");
        }
        assert_eq!(find("701063-2391")[0].1, Kind::Samordningsnummer);
        assert_eq!(find("850709-9806")[0].1, Kind::Lookalike);
        assert_eq!(find("850709-9805 och 19850709+9805").len(), 2);
        for text in [
            "851309-9805",
            "850799-9805",
            "1234567890123456",
            "KS 2026/123",
            "2026-08-21 13:05",
            "850709-98055",
            "08-123 45 67",
        ] {
            assert_eq!(find(text), [], "{text}");
        }
    }
}

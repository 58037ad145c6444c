//! Loose forms: how people write a personnummer when nobody checks: `81-12-28 9874`, `1981.12.28-9874`, `811228.9874`,
//! two cells, `811228, sista fyra 9874`, a letter that looks like a digit. Each could be something else, so that only a
//! label or heading makes it a person's number.

#![deny(clippy::disallowed_methods)]

use std::ops::Range;

use memchr::memchr_iter;

use super::checks::number;
use super::fold::{is_letter, is_word};
use super::shape::{Form, Written, digits_end};

/// Octets between a day and the last four.
const GAP: usize = 40;
/// Octets between them where no word says that they belong together.
const GAP_OF_SIGNS: usize = 6;
/// Digits of a number of ten that has lost its first zeros, `0001011234`.
const WITHOUT_ZEROS: usize = 7;
/// Words between a day and the last four.
const WORDS: &[&[u8]] = &[
    b"sista",
    b"fyra",
    b"siffror",
    b"siffrorna",
    b"de",
    b"och",
    b"med",
    b"p\xE5",
    b"slutar",
    b"\xE4r",
    b"kontrollsiffror",
    b"nr",
    b"nummer",
    b"last",
    b"four",
    b"digits",
];

/// What is written loosely, and whether it says itself that it is an identity number.
pub(super) struct Loose {
    pub(super) written: Written,
    pub(super) says_so: bool,
}

/// Ten digits whose first zeros a spreadsheet lost, since it took them for an amount: somebody's who is born in 2000 to
/// 2009.
pub(super) fn without_zeros(bytes: &[u8], start: usize, end: usize) -> Option<Written> {
    let run = bytes.get(start..end).filter(|run| (WITHOUT_ZEROS..10).contains(&run.len()))?;
    let beside = start.checked_sub(1).and_then(|at| bytes.get(at)).into_iter().chain(bytes.get(end));
    let alone = beside
        .into_iter()
        .all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b';' | b'|' | b'"' | b','));
    let mut digits = [b'0'; 10];
    digits.get_mut(10 - run.len()..)?.copy_from_slice(run);
    if alone { written(digits.into_iter(), start..end) } else { None }
}

/// The number that begins with the run of digits at `start`.
pub(super) fn at(bytes: &[u8], start: usize) -> Option<Loose> {
    mixed(bytes, start).or_else(|| spread(bytes, start))
}

/// A day and the last four with something between.
fn spread(bytes: &[u8], start: usize) -> Option<Loose> {
    let before = start.checked_sub(1).and_then(|at| bytes.get(at));
    if before.is_some_and(|byte| is_word(*byte)) {
        return None;
    }
    let end = day_end(bytes, start)?;
    let (from, says_so) = gap(bytes, end)?;
    let last = digits_end(bytes, from);
    let goes_on = match bytes.get(last..last + 2) {
        Some([b'.' | b'-' | b'/' | b':' | b',', next]) => next.is_ascii_digit(),
        _ => bytes.get(last).is_some_and(|byte| is_word(*byte)),
    };
    if last - from != 4 || goes_on {
        return None;
    }
    let day = bytes.get(start..end)?.iter().filter(|byte| byte.is_ascii_digit());
    let digits = day.chain(bytes.get(from..last)?).copied();
    Some(Loose { written: written(digits, start..last)?, says_so })
}

/// Where a day of six or eight digits ends.
fn day_end(bytes: &[u8], start: usize) -> Option<usize> {
    let first = digits_end(bytes, start);
    match first - start {
        6 | 8 => return Some(first),
        2 | 4 => {}
        _ => return None,
    }
    let sign = bytes.get(first).copied().filter(|byte| b"-./ _".contains(byte))?;
    let second = digits_end(bytes, first + 1);
    let third = digits_end(bytes, second + 1);
    (bytes.get(second) == Some(&sign) && second - first == 3 && third - second == 3).then_some(third)
}

/// Where the last four begin after what stands at `at`, and whether words there say what they are.
fn gap(bytes: &[u8], at: usize) -> Option<(usize, bool)> {
    let rest = bytes.get(at..(at + GAP).min(bytes.len()))?;
    let mut length = rest.iter().position(u8::is_ascii_digit)?;
    // Signs alone are most gaps there are.
    let written = rest.get(..length)?;
    if !written.iter().any(|byte| is_letter(*byte)) {
        let signs = written.iter().all(|byte| is_sign(*byte)) && memchr_iter(b'\n', written).count() <= 1;
        return ((1..=GAP_OF_SIGNS).contains(&length) && signs).then_some((at + length, false));
    }
    let told = |gap: &[u8]| [&b"sista"[..], b"last"].iter().any(|word| contains(gap, word));
    // `sista 4: 9874`
    if rest.get(length) == Some(&b'4') && told(rest.get(..length)?) {
        let next = rest.get(length + 1..)?.iter().position(u8::is_ascii_digit)?;
        length += if next > 0 { 1 + next } else { 0 };
    }
    let gap = rest.get(..length)?;
    let words = gap.split(|byte| !is_letter(*byte)).filter(|word| !word.is_empty());
    let known = words.clone().all(|word| WORDS.iter().any(|known| word.eq_ignore_ascii_case(known)));
    let signs = gap.iter().all(|byte| is_letter(*byte) || is_sign(*byte));
    let lines = memchr_iter(b'\n', gap).count();
    let says_so = told(gap);
    let near = says_so || (words.count() == 0 && gap.len() <= GAP_OF_SIGNS);
    (length > 0 && known && signs && near && lines <= 1).then_some((at + length, says_so))
}

/// Signs that may stand there; the digit is that of `sista 4`.
fn is_sign(byte: u8) -> bool {
    b" \t\r\n>-+._*/:|;,()\"'4".contains(&byte)
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

/// Ten or twelve characters, of which some are letters that look like digits: `8l1228-98O4`.
fn mixed(bytes: &[u8], start: usize) -> Option<Loose> {
    let like = |byte: u8| match byte {
        b'O' | b'o' => Some(b'0'),
        b'l' | b'I' => Some(b'1'),
        b'0'..=b'9' => Some(byte),
        _ => None,
    };
    // Most numbers have no such letter beside them.
    let end = digits_end(bytes, start);
    let before = bytes.get(start.saturating_sub(3)..start)?;
    let beside = |byte: Option<&u8>| byte.is_some_and(|byte| like(*byte).is_some());
    let parted = end - start >= 6 && matches!(bytes.get(end), Some(b'-' | b'+' | b' '));
    if !parted && !beside(before.last()) && !beside(bytes.get(end)) {
        return None;
    }
    let letters = before.iter().rev().take_while(|byte| like(**byte).is_some()).count();
    let from = start - letters;
    let outer = from.checked_sub(1).and_then(|at| bytes.get(at));
    if outer.is_some_and(|byte| is_word(*byte) || *byte == b'-') {
        return None;
    }
    let (mut count, mut strange, mut sign, mut at) = (0, 0, None, from);
    while let Some(byte) = bytes.get(at).filter(|_| count <= 12) {
        match like(*byte) {
            Some(digit) => {
                strange += usize::from(digit != *byte);
                count += 1;
            }
            None if matches!(byte, b'-' | b'+' | b' ') && sign.is_none() && count >= 6 => sign = Some(count),
            None => break,
        }
        at += 1;
    }
    let next = bytes.get(at).is_some_and(|byte| is_word(*byte));
    let parted = sign.is_none_or(|sign| sign + 4 == count);
    if next || !parted || strange == 0 || strange > 4 {
        return None;
    }
    let digits = bytes.get(from..at)?.iter().filter_map(|byte| like(*byte));
    Some(Loose { written: written(digits, from..at)?, says_so: false })
}

/// Ten digits, or twelve with the century.
fn written(digits: impl Iterator<Item = u8>, at: Range<usize>) -> Option<Written> {
    let mut all = [0; 13];
    let length = all.iter_mut().zip(digits).map(|(place, digit)| *place = digit).count();
    let digits = all.get(..length)?;
    let (ten, century) = match length {
        12 => (digits.get(2..)?, digits.get(..2).map(number)),
        10 => (digits, None),
        _ => return None,
    };
    Some(Written { form: Form::Loose, at, century, ten: ten.try_into().ok()?, plus: false })
}

#[cfg(test)]
mod tests {
    use super::super::fold::Folded;
    use super::*;

    #[test]
    fn forms_that_people_write() {
        for text in [
            "811228  9874",
            "811228\t9874",
            "811228.9874",
            "811228--9874",
            "811228 / 9874",
            "811228 (9874)",
            "811228-(9874)",
            "19811228;9874",
            "\"811228\";\"9874\"",
            "81-12-28 9874",
            "81.12.28-9874",
            "1981.12.28-9874",
            "1981/12/28 9874",
            "1981-12-28 9874",
            "811228_9874",
            "811228*9874",
            "811228\n> 9874",
            "811228, sista fyra 9874",
            "811228 och de sista fyra siffrorna är 9874",
            "811228, sista 4: 9874",
            "8l1228-9874",
            "811228-9B74",
            "O11228-9874",
            "198I12289874",
        ] {
            let folded = Folded::new(text);
            let start = folded.bytes().iter().position(u8::is_ascii_digit).unwrap();
            let found = at(folded.bytes(), start).map(|loose| loose.written.ten);
            let wanted = match text {
                "811228-9B74" => None,
                "O11228-9874" => Some(*b"0112289874"),
                _ => Some(*b"8112289874"),
            };
            assert_eq!(found, wanted, "{text}");
        }
        for text in
            ["811228 och 9874", "811228          9874", "811228 9874.50", "811228 98745", "a811228  9874"]
        {
            let start = text.find('8').unwrap();
            assert!(at(text.as_bytes(), start).is_none(), "{text}");
        }
    }
}

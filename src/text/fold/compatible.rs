//! Compatibility forms: what a character folds to that is neither ASCII nor one of the few that people type, from
//! tables that are made when they are first needed.
//!
//! Normalising one character takes a microsecond, and a message may have millions of them. A character folds to
//! [`LONGEST`] octets at the most: one that stands for a whole sentence (U+FDFA has eighteen letters) would make a
//! text six times as long, and no number stands in it.

#![deny(clippy::disallowed_methods)]

use std::sync::OnceLock;

use icu_normalizer::ComposingNormalizerBorrowed;

use super::{LETTER, SYMBOL, latin};

/// Octets that one character folds to, at the most: `a.m.` and `(12)` have four.
const LONGEST: usize = 4;
/// Characters of one table.
const PAGE: u32 = 256;
/// Tables for all of Unicode.
const PAGES: usize = 0x11_0000 / 256;

/// What 256 characters fold to.
type Page = [[u8; LONGEST]; PAGE as usize];

static TABLES: [OnceLock<Box<Page>>; PAGES] = [const { OnceLock::new() }; PAGES];

/// What a place in a table has behind the end of a form; no folded text has it.
const END: u8 = 0;

const NFKC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfkc();

/// Adds what the character folds to.
pub(super) fn compatible(character: char, out: &mut Vec<u8>) {
    let code = u32::from(character);
    let place = |number: u32| usize::try_from(number).unwrap_or_default();
    let Some(table) = TABLES.get(place(code / PAGE)) else { return out.push(SYMBOL) };
    let page = table.get_or_init(|| page(code / PAGE));
    let form = page.get(place(code % PAGE)).copied().unwrap_or_default();
    out.extend(form.iter().take_while(|octet| **octet != END));
}

fn page(number: u32) -> Box<Page> {
    let mut page = Box::new([[END; LONGEST]; PAGE as usize]);
    for (form, code) in page.iter_mut().zip(number * PAGE..) {
        if let Some(character) = char::from_u32(code) {
            fold(character, form);
        }
    }
    page
}

/// The compatibility form (NFKC), character by character; letters of other scripts that stand together are one.
fn fold(character: char, form: &mut [u8; LONGEST]) {
    let mut buffer = [0; 4];
    let mut at = 0;
    for character in NFKC.normalize(character.encode_utf8(&mut buffer)).chars() {
        let folded = one(character);
        let again = folded == LETTER && at > 0 && form.get(at - 1) == Some(&LETTER);
        if !again && let Some(place) = form.get_mut(at) {
            *place = folded;
            at += 1;
        }
    }
}

fn one(character: char) -> u8 {
    match u32::from(character) {
        // A zero octet would end the form.
        1..=0x7F => u8::try_from(character).unwrap_or(SYMBOL),
        code @ 0xC0..=0xFF => latin(u8::try_from(code).unwrap_or(SYMBOL)),
        0x2010..=0x2015 | 0x2212 => b'-',
        _ if character.is_whitespace() => b' ',
        _ if character.is_alphabetic() => LETTER,
        _ => SYMBOL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(character: char) -> Vec<u8> {
        let mut out = Vec::new();
        compatible(character, &mut out);
        out
    }

    #[test]
    fn every_character_folds_to_little_and_to_something() {
        for character in '\u{80}'..=char::MAX {
            let form = folded(character);
            assert!((1..=LONGEST).contains(&form.len()), "{character:?} {form:?}");
        }
    }

    #[test]
    fn forms() {
        for (character, form) in [
            ('８', &b"8"[..]),
            ('㎏', b"kg"),
            ('⑳', b"20"),
            ('⑿', b"(12)"),
            ('㏂', b"a.m."),
            ('½', b"1\x802"),
            ('ж', &[LETTER]),
            ('\u{FDFA}', &[LETTER, b' ', LETTER, b' ']),
        ] {
            assert_eq!(folded(character), form, "{character}");
        }
    }
}

//! Encodings of simple fonts and of strings (ISO 32000-2, Annex D), and the names of glyphs.

#![deny(clippy::disallowed_methods)]

use std::collections::HashMap;
use std::sync::LazyLock;

/// An encoding that a font may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    Standard,
    WinAnsi,
    MacRoman,
    /// That of the font Symbol.
    Symbol,
}

/// What windows-1252 has from 128 to 159; `\u{fffd}` where it has nothing.
const WINDOWS: &str = "€\u{fffd}‚ƒ„…†‡ˆ‰Š‹Œ\u{fffd}Ž\u{fffd}\u{fffd}‘’“”•–—˜™š›œ\u{fffd}žŸ";
/// What Mac OS Roman has from 128 on.
const MAC: &str = "ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü†°¢£§•¶ß®©™´¨≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø¿¡¬√ƒ≈∆«»…\u{a0}ÀÃÕŒœ–—“”‘’÷◊ÿŸ⁄€‹›ﬁﬂ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\u{f8ff}ÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ";
/// What Standard Encoding has from 161 on; `\u{fffd}` where it has nothing.
const STANDARD: &str = "¡¢£⁄¥ƒ§¤'“«‹›ﬁﬂ\u{fffd}–†‡·\u{fffd}¶•‚„”»…‰\u{fffd}¿\u{fffd}`´ˆ˜¯˘˙¨\u{fffd}˚¸\u{fffd}˝˛ˇ—\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}Æ\u{fffd}ª\u{fffd}\u{fffd}\u{fffd}\u{fffd}ŁØŒº\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}æ\u{fffd}\u{fffd}\u{fffd}ı\u{fffd}\u{fffd}łøœß";
/// What the font Symbol has from 32 on; `\u{fffd}` where it has nothing, or parts of a sign.
const SYMBOL: &str = " !∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧ∆ΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_\u{fffd}αβχδεφγηιϕκλµνοπθρστυϖωξψζ{|}∼\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…\u{fffd}\u{fffd}↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇\u{fffd}\u{fffd}\u{fffd}∏√⋅¬∧∨⇔⇐⇑⇒⇓◊〈\u{fffd}\u{fffd}\u{fffd}∑\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}〉∫⌠\u{fffd}⌡";
/// What PDFDocEncoding has from 128 to 160.
const DOCUMENT: &str = "•†‡…—–ƒ⁄‹›−‰„“”‘’‚™ﬁﬂŁŒŠŸŽıłœšž\u{fffd}€";

/// What each of the 256 codes stands for.
pub(super) fn table(base: Base) -> Vec<Option<String>> {
    let known = |c: char| (c != char::REPLACEMENT_CHARACTER && !c.is_control()).then(|| c.to_string());
    let high: Box<dyn Iterator<Item = char>> = match base {
        Base::Symbol => {
            let mut codes: Vec<Option<String>> = vec![None; 32];
            codes.extend(SYMBOL.chars().map(known));
            codes.resize(256, None);
            return codes;
        }
        Base::WinAnsi => Box::new(WINDOWS.chars().chain('\u{a0}'..='\u{ff}')),
        Base::MacRoman => Box::new(MAC.chars()),
        Base::Standard => Box::new(std::iter::repeat_n('\u{fffd}', 33).chain(STANDARD.chars())),
    };
    let mut codes: Vec<Option<String>> = ('\0'..'\u{80}').chain(high).map(known).collect();
    codes.resize(256, None);
    codes
}

/// The text of a string that is no content: UTF-16, UTF-8 or PDFDocEncoding (§7.9.2.2).
pub(super) fn text(string: &[u8]) -> String {
    match string {
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => string.iter().map(|octet| document_character(*octet)).collect(),
    }
}

fn utf16(octets: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units: Vec<u16> = octets.as_chunks().0.iter().map(|pair| unit(*pair)).collect();
    String::from_utf16_lossy(&units)
}

fn document_character(octet: u8) -> char {
    let special = octet.checked_sub(128).filter(|at| *at <= 32);
    special.and_then(|at| DOCUMENT.chars().nth(usize::from(at))).unwrap_or(char::from(octet))
}

/// Whether what a font says it shows is text: neither control characters, nor those that each font has for itself.
pub(super) fn is_text(shown: &str) -> bool {
    let none = |c: char| {
        c.is_control() && !c.is_whitespace()
            || matches!(c, char::REPLACEMENT_CHARACTER | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..)
    };
    !shown.is_empty() && !shown.contains(none)
}

/// Whether a guess is one that holds: enough letters with the vowels of a language, and few signs.
pub(super) fn looks_like_text(guess: &str) -> bool {
    let count = |is: fn(char) -> bool| guess.chars().filter(|c| is(*c)).count();
    let all = count(|c| !c.is_whitespace());
    let letters = count(char::is_alphabetic);
    let vowels = count(|c| "aeiouyåäöAEIOUYÅÄÖ".contains(c));
    let usual = count(|c| c.is_alphanumeric() || ".,:;-()/'\"?!".contains(c));
    all < 3 || letters >= 10 && usual * 10 >= all * 9 && vowels * 5 >= letters && vowels * 3 <= letters * 2
}

/// What a glyph of that name stands for (the Adobe Glyph List, as far as Latin text goes).
pub(super) fn glyph(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let stem = name.split('.').next().filter(|stem| !stem.is_empty())?;
    let mut letters = stem.chars();
    if let (Some(letter), None) = (letters.next(), letters.next()) {
        return Some(letter.to_string());
    }
    if let Some(written) = stem.strip_prefix("uni").filter(|hex| hex.len() >= 4 && hex.len() % 4 == 0) {
        let units: Option<Vec<u16>> = written
            .as_bytes()
            .chunks(4)
            .map(|unit| u16::from_str_radix(std::str::from_utf8(unit).ok()?, 16).ok())
            .collect();
        return String::from_utf16(&units?).ok();
    }
    if let Some(written) = stem.strip_prefix('u').filter(|hex| (4..=6).contains(&hex.len()))
        && let Some(character) = u32::from_str_radix(written, 16).ok().and_then(char::from_u32)
    {
        return Some(character.to_string());
    }
    GLYPHS.get(stem).map(|text| if *text == "_" { " ".to_owned() } else { (*text).to_owned() })
}

/// What a glyph stands for by guess, whose name is a letter and its code's number: programs that make fonts of pictures
/// name them so.
pub(super) fn numbered(name: &[u8], code: usize) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let digits = name.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let hexadecimal = name.get(1..).filter(|digits| digits.len() == 2).unwrap_or_default();
    let same = digits.parse() == Ok(code) || usize::from_str_radix(hexadecimal, 16) == Ok(code);
    let octet = u8::try_from(code).ok().filter(|_| same)?;
    (octet.is_ascii_graphic() || octet == b' ').then(|| char::from(octet).to_string())
}

/// Names of glyphs with what they stand for; `_` is a space.
static GLYPHS: LazyLock<HashMap<&str, &str>> =
    LazyLock::new(|| include_str!("glyphs.txt").lines().filter_map(|line| line.split_once(' ')).collect());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_base_has_swedish() {
        for (base, codes) in [(Base::WinAnsi, [0xE5, 0xE4, 0xF6]), (Base::MacRoman, [0x8C, 0x8A, 0x9A])] {
            let table = table(base);
            let text: String = codes.iter().filter_map(|code: &usize| table[*code].clone()).collect();
            assert_eq!((text.as_str(), table.len()), ("åäö", 256), "{base:?}");
        }
        assert_eq!(table(Base::Standard)[0xFB].as_deref(), Some("ß"));
        assert_eq!(table(Base::Standard)[0xB1].as_deref(), Some("–"));
    }

    #[test]
    fn names_of_glyphs() {
        for (name, text) in [
            ("A", Some("A")),
            ("aring", Some("å")),
            ("eight.lf", Some("8")),
            ("uni00E5", Some("å")),
            ("u00E5", Some("å")),
            ("space", Some(" ")),
            ("g17", None),
            (".notdef", None),
        ] {
            assert_eq!(glyph(name.as_bytes()).as_deref(), text, "{name}");
        }
    }

    #[test]
    fn strings() {
        assert_eq!(text(b"\xfe\xff\x00\xe5"), "å");
        assert_eq!(text(b"\xef\xbb\xbf\xc3\xa5"), "å");
        assert_eq!(text(b"\xe5\x85"), "å–");
    }
}

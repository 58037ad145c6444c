//! Folding: text as the detectors see it, one octet for each character, and the way back to the text's own offsets.
//!
//! Who hides a number, or whose mail program mangles it, writes it in full-width digits, with no-break spaces, typeset
//! dashes, invisible characters or letters in the wrong charset. All of that is undone here, once (NFKC, and what
//! NFKC does not cover), so that a detector knows one digit, one dash, one space and one å. ASCII is what it is, in
//! its own case, without a copy; every other letter of Latin-1 becomes its lower case, in the code of Latin-1.

#![deny(clippy::disallowed_methods)]

mod compatible;

use std::borrow::Cow;
use std::sync::OnceLock;

use memchr::memchr_iter;

use compatible::compatible;

use crate::limits;
use crate::work::Work;

/// A letter that is not of Latin-1. The codes of capitals are free, for there are none.
pub const LETTER: u8 = 0xC0;
/// A character that was lost on the way (U+FFFD): very likely one of å, ä and ö.
pub const LOST: u8 = 0xC1;
/// Anything else that is not a letter.
const SYMBOL: u8 = 0x80;
/// Octets of folded text from one mark to the next, at least.
const MARK_OCTETS: usize = 256;

/// Folded text.
#[derive(Clone, Debug)]
pub struct Folded<'a> {
    text: &'a str,
    bytes: Cow<'a, [u8]>,
    /// Places in the folded text with those in the text that they come from; none where both are the same.
    marks: Cow<'a, [(usize, usize)]>,
    /// What may still be done for the mail that it is of.
    work: Option<&'a Work>,
}

/// A text's folded form, made once and kept beside it: every rule that looks for something reads the same one.
#[derive(Debug, Default)]
pub struct Kept(OnceLock<Option<Owned>>);

/// What is kept where the folded form is not the text itself.
#[derive(Debug)]
struct Owned {
    bytes: Box<[u8]>,
    marks: Box<[(usize, usize)]>,
}

impl Kept {
    /// The folded form of `text`, which is always the same one.
    pub fn of<'a>(&'a self, text: &'a str, work: &'a Work) -> Folded<'a> {
        let kept = self.0.get_or_init(|| {
            let Folded { bytes, marks, .. } = Folded::of(text, Some(work));
            match bytes {
                Cow::Borrowed(_) => None,
                Cow::Owned(bytes) => Some(Owned { bytes: bytes.into(), marks: marks.into() }),
            }
        });
        match kept {
            None => Folded::same(text, Some(work)),
            Some(Owned { bytes, marks }) => {
                let (bytes, marks) = (Cow::Borrowed(&**bytes), Cow::Borrowed(&**marks));
                Folded { text, bytes, marks, work: Some(work) }
            }
        }
    }
}

/// A copy makes its own when it is asked.
impl Clone for Kept {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// It follows from the text, so it tells no two of them apart.
impl PartialEq for Kept {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Kept {}

impl<'a> Folded<'a> {
    /// Folds a text.
    pub fn new(text: &'a str) -> Self {
        Self::of(text, None)
    }

    fn same(text: &'a str, work: Option<&'a Work>) -> Self {
        Self { text, bytes: Cow::Borrowed(text.as_bytes()), marks: Cow::Borrowed(&[]), work }
    }

    fn of(text: &'a str, work: Option<&'a Work>) -> Self {
        if text.is_ascii() && !has_leftovers(text.as_bytes()) {
            return Self::same(text, work);
        }
        let mut fold = Fold { out: Vec::with_capacity(text.len()), from: 0 };
        let mut marks = Vec::with_capacity(text.len() / MARK_OCTETS + 1);
        let (mut next, mut look) = (0, limits::WORK_OCTETS);
        while fold.step(text) {
            if fold.out.len() >= next {
                marks.push((fold.out.len(), fold.from));
                next = fold.out.len() + MARK_OCTETS;
            }
            if fold.from >= look {
                look = fold.from + limits::WORK_OCTETS;
                if work.is_some_and(|work| !work.goes_on()) {
                    break;
                }
            }
        }
        Self { text, bytes: Cow::Owned(fold.out), marks: Cow::Owned(marks), work }
    }

    /// Whether what goes through it is to go on. Asked every [`limits::WORK_OCTETS`].
    pub fn goes_on(&self) -> bool {
        self.work.is_none_or(Work::goes_on)
    }

    /// The folded text.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The text that it comes from.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The octet of the text that a place in the folded text comes from.
    pub fn offset(&self, at: usize) -> usize {
        if self.marks.is_empty() {
            return at;
        }
        let mark = self.marks.partition_point(|(folded, _)| *folded <= at).checked_sub(1);
        let (folded, from) = mark.and_then(|mark| self.marks.get(mark)).copied().unwrap_or_default();
        let mut fold = Fold { out: Vec::new(), from };
        let wanted = at.saturating_sub(folded);
        let mut before = from;
        while fold.out.len() <= wanted {
            before = fold.from;
            let length = fold.out.len();
            if !fold.step(self.text) {
                return self.text.len();
            }
            // Many at once are ASCII, each of which comes from one octet.
            if fold.out.len() > wanted {
                before += wanted.saturating_sub(length);
            }
        }
        self.text.floor_char_boundary(before)
    }
}

/// The folded form of a term from a list; `None` where a character of it has no code of its own.
pub fn term(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Folded::new(text).bytes().to_vec();
    bytes.make_ascii_lowercase();
    let own = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ' || *byte > LOST || *byte == 0xA7;
    bytes.iter().all(own).then_some(bytes)
}

/// Whether the octet is a letter of folded text.
pub fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte >= LETTER
}

/// Whether the octet belongs to a word of folded text.
pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_digit() || is_letter(byte)
}

/// Whether quoted-printable was left undone somewhere, so that letters look like `=E5`.
fn has_leftovers(bytes: &[u8]) -> bool {
    memchr_iter(b'=', bytes).any(|at| leftover(bytes, at).is_some())
}

/// What a `=` with what follows it stands for where it is quoted-printable that nobody undid: the folded octet, if
/// any, and how many octets of text it takes. Only what cannot be meant otherwise is undone.
fn leftover(bytes: &[u8], at: usize) -> Option<(Option<u8>, usize)> {
    let rest = bytes.get(at..)?;
    if rest.starts_with(b"=\r\n") {
        return Some((None, 3));
    }
    if rest.starts_with(b"=\n") {
        return Some((None, 2));
    }
    let octet = |at: usize| {
        let pair = std::str::from_utf8(rest.get(at..at + 2)?).ok()?;
        (rest.get(at.checked_sub(1)?) == Some(&b'=')).then(|| u8::from_str_radix(pair, 16).ok())?
    };
    match (octet(1)?, octet(4)) {
        (0xC3, Some(second @ 0x80..=0xBF)) => Some((Some(latin(second + 0x40)), 6)),
        (0xC2, Some(0xA0)) => Some((Some(b' '), 6)),
        (first @ (0xC5 | 0xC4 | 0xD6 | 0xE5 | 0xE4 | 0xF6 | 0xE9), _) => Some((Some(latin(first)), 3)),
        (0xA0, _) => Some((Some(b' '), 3)),
        _ => None,
    }
}

/// A character of Latin-1's upper half from 0xC0 on, as it is folded.
fn latin(code: u8) -> u8 {
    match code {
        0xD7 | 0xF7 => SYMBOL,
        0xC0..=0xDE => code + 0x20,
        _ => code,
    }
}

/// How many octets from the first one on are ASCII and no `=`.
fn plain(bytes: &[u8]) -> usize {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = EACH << 7;
    const SIGNS: u64 = EACH * b'=' as u64;
    let (words, rest) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // A `=` leaves a zero, from which nothing can be taken without its highest bit.
        let signs = word ^ SIGNS;
        let special = (word | signs.wrapping_sub(EACH) & !signs) & HIGH;
        if special != 0 {
            return number * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let special = |byte: &u8| *byte >= 0x80 || *byte == b'=';
    bytes.len() - rest.len() + rest.iter().position(special).unwrap_or(rest.len())
}

/// A text being folded from a place on, in steps.
struct Fold {
    out: Vec<u8>,
    from: usize,
}

impl Fold {
    /// Takes some octets of text: many of ASCII, or one character outside ASCII. `false` at the end.
    fn step(&mut self, text: &str) -> bool {
        let bytes = text.as_bytes();
        let Some(rest) = bytes.get(self.from..).filter(|rest| !rest.is_empty()) else { return false };
        let plain = plain(rest);
        if plain > 0 {
            self.out.extend_from_slice(rest.get(..plain).unwrap_or_default());
            self.from += plain;
            return true;
        }
        if rest.first() == Some(&b'=') {
            let (folded, taken) = leftover(bytes, self.from).unwrap_or((Some(b'='), 1));
            self.out.extend(folded);
            self.from += taken;
            return true;
        }
        // Swedish text is mostly this: a letter of Latin-1 in two octets, which is no mangled one.
        if let [0xC3, second @ 0x80..=0xBF, ..] = rest
            && !matches!(second, 0x82 | 0x83)
        {
            self.out.push(latin(second + 0x40));
            self.from += 2;
            return true;
        }
        let mut characters = text.get(self.from..).unwrap_or_default().chars();
        let Some(character) = characters.next() else { return false };
        self.from += character.len_utf8();
        let next = characters.next();
        if let Some(folded) = next.and_then(|next| mangled(character, next)) {
            self.out.push(folded);
            self.from += next.map_or(0, char::len_utf8);
        } else {
            self.character(character);
        }
        true
    }

    fn character(&mut self, character: char) {
        let folded = match character {
            // Invisible: soft hyphen, joiners, direction marks, byte order mark, variation selectors, tags.
            '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{115F}'
            | '\u{1160}'
            | '\u{17B4}'
            | '\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{E0000}'..='\u{E0FFF}' => return,
            '\u{300}'..='\u{36F}' => return self.accent(character),
            '\u{85}' | '\u{2028}' | '\u{2029}' => b'\n',
            '§' => 0xA7,
            '\u{2010}'..='\u{2015}' | '\u{2043}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' | '\u{FF0D}' => b'-',
            '\u{2018}' | '\u{2019}' | '\u{201A}' | '\u{B4}' | '\u{2032}' => b'\'',
            '\u{201C}'..='\u{201F}' | '«' | '»' | '\u{2033}' => b'"',
            '\u{660}'..='\u{669}' => digit(character, 0x660),
            '\u{6F0}'..='\u{6F9}' => digit(character, 0x6F0),
            '\u{FFFD}' => LOST,
            _ if character.is_whitespace() => b' ',
            _ => return compatible(character, &mut self.out),
        };
        self.out.push(folded);
    }

    /// A combining accent changes the letter before it.
    fn accent(&mut self, accent: char) {
        let Some(last) = self.out.last_mut() else { return };
        *last = match (accent, last.to_ascii_lowercase()) {
            ('\u{30A}', b'a') => 0xE5,
            ('\u{308}', b'a') => 0xE4,
            ('\u{308}', b'o') => 0xF6,
            ('\u{308}', b'u') => 0xFC,
            ('\u{301}', b'e') => 0xE9,
            _ => *last,
        };
    }
}

fn digit(character: char, zero: u32) -> u8 {
    u8::try_from(u32::from(character) - zero).map_or(SYMBOL, |value| b'0' + value)
}

/// A letter whose two octets of UTF-8 were taken for two characters of Latin-1 or windows-1252.
fn mangled(first: char, second: char) -> Option<u8> {
    match (first, second) {
        ('Ã', '¥' | '\u{85}' | '…') => Some(0xE5),
        ('Ã', '¤' | '\u{84}' | '„') => Some(0xE4),
        ('Ã', '¶' | '\u{96}' | '–') => Some(0xF6),
        ('Ã', '©' | '\u{89}' | '‰') => Some(0xE9),
        ('Ã', '¼' | '\u{9C}' | 'œ') => Some(0xFC),
        ('Â', '\u{A0}') => Some(b' '),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        Folded::new(text).bytes().iter().map(|byte| char::from(*byte)).collect()
    }

    #[test]
    fn ascii_is_not_copied() {
        assert!(matches!(Folded::new("Pnr 811228-9874 a=b").bytes, Cow::Borrowed(_)));
    }

    #[test]
    fn one_digit_one_dash_one_space_one_letter() {
        for (text, expected) in [
            ("８１１２２８－９８７４", "811228-9874"),
            ("811228–9874 811228−9874 811228\u{2011}9874", "811228-9874 811228-9874 811228-9874"),
            ("811228\u{A0}9874\u{2009}x", "811228 9874 x"),
            ("8112\u{200B}28-98\u{AD}7\u{200D}4\u{FEFF}", "811228-9874"),
            ("٨١١٢٢٨-٩٨٧٤ 𝟖𝟏", "811228-9874 81"),
            ("ÅÄÖåäöÉ", "åäöåäöé"),
            ("a\u{30A}a\u{308}o\u{308}", "åäö"),
            ("lÃ¥karintyg Ã„r Ã–l Â\u{A0}x", "låkarintyg är öl  x"),
            ("l=E4kare l=C3=A4kare =C3=85 =C2=A0", "läkare läkare å  "),
            ("8112=\r\n28-9874", "811228-9874"),
            ("x=1&y=2 ﬁ", "x=1&y=2 fi"),
        ] {
            assert_eq!(folded(text), expected, "{text}");
        }
        assert_eq!(folded("ł\u{FFFD}×"), "\u{C0}\u{C1}\u{80}");
    }

    #[test]
    fn what_is_plain() {
        for special in [b'=', 0x80, 0xff] {
            for at in 0..40 {
                let mut bytes = b"<>;\x7f\0~ \t".repeat(5);
                assert_eq!(plain(&bytes), 40);
                bytes[at] = special;
                bytes[39] = special;
                assert_eq!(plain(&bytes), at);
            }
        }
    }

    #[test]
    fn every_place_has_an_offset() {
        let text = "Hej då, ８１１２２８－９８７４ l=E4kare, Ã¥ a\u{30A} ﬁ ".repeat(40);
        let folded = Folded::new(&text);
        let mut last = 0;
        for at in 0..folded.bytes().len() {
            let offset = folded.offset(at);
            assert!(offset >= last && text.is_char_boundary(offset), "{at} {offset}");
            last = offset;
        }
        let digit = folded.bytes().iter().rposition(|byte| *byte == b'8').unwrap();
        assert!(text[folded.offset(digit)..].starts_with('８'));
        let slow = |wanted: usize| {
            let mut fold = Fold { out: Vec::new(), from: 0 };
            while fold.out.len() < wanted {
                fold.step(&text);
            }
            fold.from
        };
        let k = folded.bytes().windows(4).rposition(|four| four == b"kare").unwrap();
        assert!(text[folded.offset(k)..].starts_with("kare"));
        assert!(slow(k) <= folded.offset(k) + 4);
    }
}

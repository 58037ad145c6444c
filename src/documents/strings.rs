//! The last resort: what stands in octets of a format that nothing here reads, as far as it looks like text. What is
//! found is looked at; that nothing is found says nothing.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;

use super::Reason;
use super::document::{Document, Outcome};
use crate::mime::words;
use crate::text::utf8;

/// Shorter runs are chance.
const RUN_OCTETS: usize = 8;

/// Reads what looks like text (UTF-16 too), and says that it is not all.
pub(super) fn read(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    runs_of(document, bytes)?;
    Err(Reason::Format)
}

/// What looks like text in octets, each octet by itself and in pairs with zeros.
pub(super) fn runs_of(document: &mut Document<'_>, bytes: &[u8]) -> Result<(), Reason> {
    narrow(document, bytes)?;
    wide(document, bytes)
}

/// Whether octets are text: in a charset that has a mark or can be told, and with no more control characters than a
/// print-out has. What is encrypted or packed has one in eight.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    if bytes.is_empty() {
        return false;
    }
    let marked = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    if words::unmarked_wide(bytes).is_some() || marked && bytes.len().is_multiple_of(2) {
        return true;
    }
    let sample = samples(bytes);
    let bytes = &*sample;
    let controls = count(bytes, |octet| matches!(octet, 0..=7 | 14..=26 | 28..=31 | 127));
    // A character may be cut at the end of what is looked at.
    let is_cut = || std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none());
    if utf8(bytes).is_some() || is_cut() {
        // A few are in any text.
        return controls * 20 <= bytes.len() || controls <= 4 && controls * 4 <= bytes.len();
    }
    // Signs in windows-1252, letters in the code pages of DOS, and rare in both.
    let rare = count(bytes, |octet| matches!(octet, 0x80..=0x9f));
    controls * 50 <= bytes.len() && rare * 6 <= bytes.len()
}

/// How many of the octets are so. The compiler makes one step of many of them, since what it counts with is an octet too.
fn count(bytes: &[u8], is: impl Fn(u8) -> bool) -> usize {
    let counted = |chunk: &[u8]| chunk.iter().fold(0_u8, |sum, octet| sum + u8::from(is(*octet)));
    bytes.chunks(128).map(|chunk| usize::from(counted(chunk))).sum()
}

/// The beginning, the middle and the end; all of what is short.
fn samples(bytes: &[u8]) -> Cow<'_, [u8]> {
    if bytes.len() <= 3 * SAMPLE_OCTETS {
        return Cow::Borrowed(bytes);
    }
    let places = [0, bytes.len() / 2, bytes.len() - SAMPLE_OCTETS];
    let pieces = places.into_iter().filter_map(|at| bytes.get(at..)?.get(..SAMPLE_OCTETS));
    // A character may be cut where a piece begins.
    Cow::Owned(pieces.map(from_character).collect::<Vec<_>>().concat())
}

/// From the first octet on that begins a character of UTF-8, to the last that ends one.
fn from_character(piece: &[u8]) -> &[u8] {
    let within = |octet: &u8| matches!(octet, 0x80..=0xbf);
    let first = piece.iter().take(3).take_while(|octet| within(octet)).count();
    let piece = piece.get(first..).unwrap_or_default();
    let last = piece.iter().rev().take(4).position(|octet| !within(octet)).map_or(0, |at| at + 1);
    piece.get(..piece.len() - last).unwrap_or_default()
}

/// Octets of one piece of what is looked at to tell whether all of it is text.
const SAMPLE_OCTETS: usize = 64 << 10;

/// Text of an octet a character. Seven of eight octets of noise could stand in some text, so a run is of characters
/// that stand in texts here. Shorter runs beside it belong to it, such as a label before a number.
fn narrow(document: &mut Document<'_>, bytes: &[u8]) -> Result<(), Reason> {
    let (mut at, mut runs) = (0, Runs::of(bytes));
    // Between two control characters each stretch is read by itself, and only if it has a run.
    while let Some(run) = runs.next(at) {
        let before = bytes.get(at..run).unwrap_or_default();
        let begin =
            before.iter().rposition(|octet| is_control(*octet)).map_or(at, |control| at + control + 1);
        at = stretch(document, bytes, begin)?;
    }
    Ok(())
}

/// Reads from a place to the next control character; says where it goes on behind that.
fn stretch(document: &mut Document<'_>, bytes: &[u8], begin: usize) -> Result<usize, Reason> {
    let mut piece = Piece { begin, end: begin, is_text: false };
    let mut at = begin;
    while at < bytes.len() {
        let begin = at;
        while let Some(octets) = character(bytes, at) {
            at += octets;
        }
        if at - begin >= LABEL_OCTETS {
            if begin - piece.end > GAP_OCTETS {
                std::mem::take(&mut piece).add_to(document, bytes)?;
                piece.begin = begin;
            }
            piece.end = at;
            piece.is_text |= at - begin >= RUN_OCTETS;
        }
        at += 1;
        if bytes.get(at - 1).is_some_and(|octet| is_control(*octet)) {
            break;
        }
    }
    piece.add_to(document, bytes)?;
    Ok(at)
}

/// Octets in which a run may begin that are looked at in one step.
const BLOCK_OCTETS: usize = 256;

/// Where octets stand, so many as a run has, that may all be of characters that texts have. There may be more such places
/// than runs, and none is passed over: noise has few of them.
struct Runs<'a> {
    bytes: &'a [u8],
    /// Where the block begins that was looked at last, and where in it a run may begin.
    block: usize,
    begins: [u8; BLOCK_OCTETS],
}

impl<'a> Runs<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let mut runs = Self { bytes, block: 0, begins: [0; BLOCK_OCTETS] };
        runs.look();
        runs
    }

    /// The next one from a place on. Places are asked for in their order.
    fn next(&mut self, from: usize) -> Option<usize> {
        let mut from = from;
        while from + RUN_OCTETS <= self.bytes.len() {
            let left = from.checked_sub(self.block).and_then(|at| self.begins.get(at..)).unwrap_or_default();
            if let Some(at) = memchr::memchr(1, left) {
                return Some(from + at);
            }
            if left.is_empty() {
                self.block = from;
                self.look();
            } else {
                from += left.len();
            }
        }
        None
    }

    fn look(&mut self) {
        // With one octet before and those behind, which say whether octets of UTF-8 may belong together.
        let mut block = [0; BLOCK_OCTETS + RUN_OCTETS + 1];
        let [before, octets @ ..] = &mut block;
        *before = self.block.checked_sub(1).and_then(|at| self.bytes.get(at)).copied().unwrap_or_default();
        for (place, octet) in octets.iter_mut().zip(self.bytes.get(self.block..).unwrap_or_default()) {
            *place = *octet;
        }
        self.begins = begins(&block);
    }
}

/// Where a run may begin in a block, behind its first octet. The compiler takes many octets at once: there is no branch,
/// and each result is an octet.
fn begins(block: &[u8; BLOCK_OCTETS + RUN_OCTETS + 1]) -> [u8; BLOCK_OCTETS] {
    let mut may = [0_u8; BLOCK_OCTETS + RUN_OCTETS - 1];
    let (octets, nexts) = (block.get(1..).unwrap_or_default(), block.get(2..).unwrap_or_default());
    for (((may, before), octet), next) in may.iter_mut().zip(block).zip(octets).zip(nexts) {
        let follows = (0x80..0xc0).contains(octet) & (0x80..0xf5).contains(before);
        let leads = (0xc2..0xf5).contains(octet) & (0x80..0xc0).contains(next);
        let single = (*octet == b'\t') | (b' '..=b'~').contains(octet) | is_single(*octet);
        *may = u8::from(follows | leads | single);
    }
    // Whether the next two, then four, then eight all may be.
    for reach in [1, 2, 4] {
        let all = may;
        for (may, further) in may.iter_mut().zip(all.get(reach..).unwrap_or_default()) {
            *may &= further;
        }
    }
    may.first_chunk().copied().unwrap_or([1; BLOCK_OCTETS])
}

/// Runs with so few octets between them are one piece.
const GAP_OCTETS: usize = 2;
/// A word of so many octets counts beside a run.
const LABEL_OCTETS: usize = 3;

/// Octets that may become text.
#[derive(Default)]
struct Piece {
    begin: usize,
    end: usize,
    is_text: bool,
}

impl Piece {
    fn add_to(self, document: &mut Document<'_>, bytes: &[u8]) -> Result<(), Reason> {
        let Some(octets) = bytes.get(self.begin..self.end).filter(|_| self.is_text) else { return Ok(()) };
        document.text(&words::text(octets))?;
        document.text("\n")
    }
}

fn is_control(octet: u8) -> bool {
    octet < b' ' && octet != b'\t' || octet == 0x7f
}

/// How many octets the character takes that begins there, if texts have it: one of ASCII, of UTF-8, or a letter or
/// sign of Swedish in windows-1252 or in the code pages of DOS.
fn character(bytes: &[u8], at: usize) -> Option<usize> {
    match *bytes.get(at)? {
        b'\t' | b' '..=b'~' => Some(1),
        octet => in_utf8(octet, bytes, at).or_else(|| is_single(octet).then_some(1)),
    }
}

fn is_single(octet: u8) -> bool {
    // windows-1252: … dashes, quotes, a blank, § « soft hyphen ° ´ · » Ä Å É Ö Ü ä å é ö ü; DOS: ü é ä å Ä Å É æ ö Ö.
    matches!(octet, 0x81 | 0x82 | 0x84..=0x86 | 0x8e..=0x97 | 0x99 | 0xa0 | 0xa7 | 0xab | 0xad | 0xb0 | 0xb4 | 0xb7 | 0xbb
        | 0xc4 | 0xc5 | 0xc9 | 0xd6 | 0xdc | 0xe4 | 0xe5 | 0xe9 | 0xf6 | 0xfc)
}

fn in_utf8(lead: u8, bytes: &[u8], at: usize) -> Option<usize> {
    let octets = match lead {
        0xc2..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf5 => 4,
        _ => return None,
    };
    std::str::from_utf8(bytes.get(at..at + octets)?).is_ok().then_some(octets)
}

/// Text in UTF-16: every other octet is a zero.
fn wide(document: &mut Document<'_>, bytes: &[u8]) -> Result<(), Reason> {
    let mut run = Vec::new();
    let mut last = 0;
    for zero in memchr::memchr_iter(0, bytes) {
        if zero != last + 2 {
            add_wide(document, &mut run)?;
        }
        last = zero;
        match zero.checked_sub(1).and_then(|at| bytes.get(at)) {
            Some(octet) if !is_control(*octet) => run.push(*octet),
            _ => add_wide(document, &mut run)?,
        }
    }
    add_wide(document, &mut run)
}

fn add_wide(document: &mut Document<'_>, run: &mut Vec<u8>) -> Result<(), Reason> {
    if run.len() >= RUN_OCTETS {
        document.text(&words::text(run))?;
        document.text("\n")?;
    }
    run.clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::text;
    use super::*;

    fn noise(octets: u32) -> Vec<u8> {
        (1..=octets)
            .map(|at| (at.wrapping_mul(2_654_435_761) ^ at.wrapping_mul(0x9e37_79b1) >> 7).to_be_bytes()[1])
            .collect()
    }

    #[test]
    fn noise_is_hardly_text_and_text_in_it_is_found() {
        let noise = noise(1 << 20);
        let read = text("a.bin", &noise);
        assert!(read.len() < noise.len() / 16, "{} octets", read.len());
        for planted in [
            "Personnummer 811228-9874",
            "läkarintyg för Åsa",
            "Pnr\u{c}\u{1}811228-9874 diagnos",
            "l\u{f6}senord",
            "patient – ”diabetes”",
        ] {
            let wide: Vec<u8> = planted.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let latin: Vec<u8> = planted.chars().filter_map(|letter| u8::try_from(letter).ok()).collect();
            for octets in [planted.as_bytes(), &latin, &wide] {
                let around = [&noise[..5_000], octets, &noise[5_000..9_000]].concat();
                let read = text("a.bin", &around);
                for word in planted
                    .split(|letter: char| !letter.is_ascii() || letter < ' ')
                    .filter(|word| word.len() > 7)
                {
                    assert!(read.contains(word), "{planted}: {word}");
                }
            }
        }
        let beside = [b"\x01\x02Pnr\xb1\xd8811228-9874\0\0".as_slice(), &noise[..5_000]].concat();
        assert!(text("a.bin", &beside).contains("Pnr±Ø811228-9874"));
    }

    #[test]
    fn what_is_text() {
        let wide: Vec<u8> = "Hälsa".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let noise: Vec<u8> = (0_u32..600).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for (bytes, text) in [
            (&b"Sida 1\x0c\x1b[1mRubrik"[..], true),
            (b"H\xe4lsningar fr\xe5n \xc5sa p\xe5 f\xf6rskolan", true),
            (b"H\x84lsningar fr\x86n \x8fsa p\x86 f\x94rskolan", true),
            (&wide, true),
            ("Привет".as_bytes(), true),
            (b"\xcf\xf0\xe8\xe2\xe5\xf2, \xec\xe8\xf0", true),
            (&noise, false),
            (b"Salted__m%\xcfsLI\xa1\xdd'>M\x8f\xab_[\xdb\x8d\x10\x99\xec\x05\xe8\xfd\xc7\x81\xd74wvH\xabs", false),
            (b"", false),
        ] {
            assert_eq!(is_text(bytes), text, "{bytes:x?}");
        }
    }
}

//! The last resort: what stands in octets of a format that nothing here reads, as far as it looks like text. What is
//! found is looked at; that nothing is found says nothing.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;

use super::Reason;
use super::document::{Document, Outcome};
use crate::mime::words;

/// Shorter runs are chance.
const RUN_OCTETS: usize = 8;

/// Reads what looks like text (UTF-16 too), and says that it is not all.
pub(super) fn read(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    runs_of(document, bytes)?;
    Err(Reason::Format)
}

/// Runs of printable octets, each octet by itself and in pairs with zeros.
pub(super) fn runs_of(document: &mut Document<'_>, bytes: &[u8]) -> Result<(), Reason> {
    runs(document, bytes.iter().copied())?;
    if !bytes.contains(&0) {
        return Ok(());
    }
    let narrow = |pair: &[u8]| match pair {
        [low, 0] => *low,
        _ => 0,
    };
    runs(document, bytes.chunks(2).map(narrow))?;
    runs(document, bytes.get(1..).unwrap_or_default().chunks(2).map(narrow))
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
    let control = |octet: &&u8| matches!(octet, 0..=7 | 14..=26 | 28..=31 | 127);
    let controls = bytes.iter().filter(control).count();
    // A character may be cut at the end of what is looked at.
    if std::str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true) {
        // A few are in any text.
        return controls * 20 <= bytes.len() || controls <= 4 && controls * 4 <= bytes.len();
    }
    // Signs in windows-1252, letters in the code pages of DOS, and rare in both.
    let rare = bytes.iter().filter(|octet| matches!(octet, 0x80..=0x9f)).count();
    controls * 50 <= bytes.len() && rare * 6 <= bytes.len()
}

/// The beginning, the middle and the end; all of what is short.
fn samples(bytes: &[u8]) -> Cow<'_, [u8]> {
    if bytes.len() <= 3 * SAMPLE_OCTETS {
        return Cow::Borrowed(bytes);
    }
    let places = [0, bytes.len() / 2, bytes.len() - SAMPLE_OCTETS];
    let pieces = places.into_iter().filter_map(|at| bytes.get(at..)?.get(..SAMPLE_OCTETS));
    // A character may be cut where a piece begins.
    pieces.flat_map(from_character).copied().collect()
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

fn runs(document: &mut Document<'_>, octets: impl Iterator<Item = u8>) -> Result<(), Reason> {
    let mut run = Vec::new();
    for octet in octets.chain([0]) {
        if octet >= b' ' && octet != 0x7f || octet == b'\t' {
            run.push(octet);
            continue;
        }
        if run.len() >= RUN_OCTETS {
            document.text(&words::text(&run))?;
            document.text("\n")?;
        }
        run.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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

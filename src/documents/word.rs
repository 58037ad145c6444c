//! Word's binary format (MS-DOC): the text of the document, its notes, headers, comments and text boxes, put together
//! from its pieces.

#![deny(clippy::disallowed_methods)]

use super::compound::Compound;
use super::document::{Document, Outcome};
use super::places::{size_at, slice, u16_at, u32_at, utf16};
use super::{Reason, Scheme, State, strings};
use crate::mime::words;

const ENCRYPTED: u16 = 0x0100;
const TABLE_ONE: u16 = 0x0200;
/// The first version whose text is kept in pieces of UTF-16 and windows-1252.
const WORD_97: u16 = 0x00C1;

pub(super) fn read(document: &mut Document<'_>, file: &Compound<'_>) -> Outcome {
    let (main, mut whole) = file.stream_partly("WordDocument", document.budget())?;
    let flags = u16_at(&main, 10).ok_or(Reason::Damaged)?;
    if flags & ENCRYPTED != 0 {
        return Ok(State::Encrypted(Scheme::Office));
    }
    if u16_at(&main, 2).ok_or(Reason::Damaged)? < WORD_97 {
        return read_old(document, &main);
    }
    let table = if flags & TABLE_ONE != 0 { "1Table" } else { "0Table" };
    let Ok((table, _)) = file.stream_partly(table, document.budget()) else {
        // The text stands there in one piece or in several, between what says how it looks.
        strings::runs_of(document, &main)?;
        return Err(Reason::Damaged);
    };
    let (at, length) = size_at(&main, 0x1A2).zip(size_at(&main, 0x1A6)).ok_or(Reason::Damaged)?;
    let Some(pieces) = slice(&table, at, length).and_then(pieces) else {
        strings::runs_of(document, &main)?;
        return Err(Reason::Damaged);
    };
    for piece in pieces {
        let Some(octets) = main.get(piece.at..) else {
            whole = Err(Reason::Damaged);
            continue;
        };
        if octets.len() < piece.length {
            whole = Err(Reason::Damaged);
        }
        let octets = octets.get(..piece.length).unwrap_or(octets);
        let text = if piece.wide { utf16(octets) } else { words::in_charset(b"windows-1252", octets) };
        document.budget().spend(text.len())?;
        document.text(&shown(&text))?;
    }
    document.text("\n")?;
    whole.map(|()| State::Plain)
}

/// Word 6 and 95: one run of octets.
fn read_old(document: &mut Document<'_>, main: &[u8]) -> Outcome {
    let (from, to) = size_at(main, 0x18).zip(size_at(main, 0x1C)).ok_or(Reason::Damaged)?;
    let octets = main.get(from..to).ok_or(Reason::Damaged)?;
    document.text(&shown(&words::in_charset(b"windows-1252", octets)))?;
    // A fast save has pieces elsewhere, which nobody has written for twenty-five years.
    let whole = u16_at(main, 10).is_some_and(|flags| flags & 4 == 0);
    if whole { Ok(State::Plain) } else { Err(Reason::Format) }
}

struct Piece {
    at: usize,
    length: usize,
    wide: bool,
}

/// The piece table (§2.9.38): after property changes, the places of all text.
fn pieces(table: &[u8]) -> Option<Vec<Piece>> {
    let mut at = 0;
    while table.get(at) == Some(&1) {
        at += 3 + usize::from(u16_at(table, at + 1)?);
    }
    if table.get(at) != Some(&2) {
        return None;
    }
    let length = size_at(table, at + 1)?;
    let plc = slice(table, at + 5, length)?;
    let count = length.checked_sub(4)? / 12;
    (0..count)
        .map(|piece| {
            let characters = size_at(plc, piece * 4 + 4)?.checked_sub(size_at(plc, piece * 4)?)?;
            let place = u32_at(plc, (count + 1) * 4 + piece * 8 + 2)?;
            let wide = place & 0x4000_0000 == 0;
            let place = usize::try_from(place & 0x3FFF_FFFF).ok()?;
            Some(Piece {
                at: if wide { place } else { place / 2 },
                length: if wide { characters.checked_mul(2)? } else { characters },
                wide,
            })
        })
        .collect()
}

/// Word's own characters as what they look like (§2.4.1). The mark that ends a cell ends the row too, once more: in a
/// table all rows of which have as many cells as its first one.
fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut cells, mut columns, mut empty) = (0, None, true);
    for c in text.chars() {
        match c {
            '\u{7}' if empty && cells > 0 && columns.is_none_or(|columns| columns == cells) => {
                out.push('\n');
                (columns, cells) = (Some(cells), 0);
            }
            '\u{7}' => {
                out.push('\t');
                cells += 1;
            }
            '\r' | '\u{b}' | '\u{c}' => {
                out.push('\n');
                // A line behind a row ends the table.
                columns = columns.filter(|_| cells > 0);
            }
            '\u{1e}' => out.push('-'),
            '\u{1f}' => {}
            '\t' | '\n' => out.push(c),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
        empty = c == '\u{7}';
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn rows_of_tables() {
        for (text, shown) in [
            ("a\u{7}b\u{7}\u{7}c\u{7}d\u{7}\u{7}e\r", "a\tb\t\nc\td\t\ne\n"),
            ("a\u{7}b\u{7}c\u{7}\u{7}d\u{7}\u{7}e\u{7}\u{7}", "a\tb\tc\t\nd\t\te\t\n"),
            ("a\u{7}\u{7}b\rc\u{7}d\u{7}\u{7}", "a\t\nb\nc\td\t\n"),
            ("8112\u{1e}28\u{1f}\u{13}", "8112-28 "),
        ] {
            assert_eq!(super::shown(text), shown, "{text:?}");
        }
    }
}

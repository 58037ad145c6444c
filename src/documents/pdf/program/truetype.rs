//! `TrueType` fonts: which character each glyph is, by the tables `cmap` and `post`, as far as the font says.

#![deny(clippy::disallowed_methods)]

use std::collections::HashMap;

use super::Program;
use crate::documents::pdf::encoding;
use crate::limits;

/// One table of codes in `cmap`.
struct Codes<'a> {
    platform: u16,
    encoding: u16,
    table: &'a [u8],
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|pair| u16::from_be_bytes(*pair))
}

fn size_at(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..)?.first_chunk().map(|four| u32::from_be_bytes(*four))?;
    usize::try_from(four).ok()
}

/// The table of that name in a font.
pub(super) fn table(font: &[u8], name: [u8; 4]) -> Option<&[u8]> {
    // A collection begins with its first font.
    let start = if font.starts_with(b"ttcf") { size_at(font, 12)? } else { 0 };
    let count = usize::from(u16_at(font, start.checked_add(4)?)?);
    (0..count).find_map(|number| {
        let entry = font.get(start + 12 + number * 16..)?.get(..16)?;
        let (at, length) = (size_at(entry, 8)?, size_at(entry, 12)?);
        let whole = font.get(at..)?;
        entry.starts_with(&name).then(|| whole.get(..length).unwrap_or(whole))
    })
}

/// What the font says of its glyphs.
pub(super) fn read(font: &[u8]) -> Program {
    let mut glyphs = names(font).unwrap_or_default();
    let tables: Vec<Codes<'_>> = table(font, *b"cmap").map(tables).unwrap_or_default();
    let is_unicode = |codes: &&Codes<'_>| codes.platform == 0 || codes.platform == 3 && codes.encoding != 0;
    if let Some(codes) = tables.iter().rev().find(is_unicode) {
        codes.each(|code, glyph| {
            if let Some(c) = char::from_u32(code).filter(|c| !c.is_control()) {
                glyphs.entry(glyph).or_insert_with(|| c.to_string());
            }
        });
    }
    // Simple fonts name their glyphs by the codes of one of these tables (ISO 32000-2 §9.6.5.4).
    let own = |platform, encoding| {
        tables.iter().find(|codes| (codes.platform, codes.encoding) == (platform, encoding))
    };
    let mut codes = vec![None; 256];
    for table in [own(1, 0), own(3, 0)].into_iter().flatten() {
        table.each(|code, glyph| {
            // Symbols stand from 0xF000 on.
            let code = usize::from(u8::try_from(code & 0xFF).unwrap_or_default());
            if let Some(place) = codes.get_mut(code) {
                *place = glyphs.get(&glyph).cloned();
            }
        });
    }
    let any = codes.iter().any(Option::is_some);
    Program { codes: any.then_some(codes), glyphs }
}

/// The tables of codes.
fn tables(cmap: &[u8]) -> Vec<Codes<'_>> {
    let count = u16_at(cmap, 2).unwrap_or(0).min(16);
    (0..usize::from(count))
        .filter_map(|number| {
            let at = 4 + number * 8;
            let table = cmap.get(size_at(cmap, at + 4)?..)?;
            Some(Codes { platform: u16_at(cmap, at)?, encoding: u16_at(cmap, at + 2)?, table })
        })
        .collect()
}

impl Codes<'_> {
    /// Every code with its glyph, of the formats that fonts use: 0, 4, 6 and 12.
    fn each(&self, mut found: impl FnMut(u32, u16)) {
        let table = self.table;
        // A glyph 0 is none.
        let mut add = |code: u32, glyph: u16| {
            if glyph != 0 {
                found(code, glyph);
            }
        };
        match u16_at(table, 0) {
            Some(0) => {
                for (code, glyph) in (0_u32..256).zip(table.get(6..).unwrap_or_default()) {
                    add(code, u16::from(*glyph));
                }
            }
            Some(4) => _ = segments(table, &mut add),
            Some(6) => {
                let first = u32::from(u16_at(table, 6).unwrap_or_default());
                let pairs = table.get(10..).unwrap_or_default().as_chunks().0;
                let count = usize::from(u16_at(table, 8).unwrap_or_default());
                for (code, pair) in (first..).zip(pairs.iter().take(count)) {
                    add(code, u16::from_be_bytes(*pair));
                }
            }
            Some(12) => _ = groups(table, &mut add),
            _ => {}
        }
    }
}

fn segments(table: &[u8], add: &mut impl FnMut(u32, u16)) -> Option<()> {
    let count = usize::from(u16_at(table, 6)? / 2);
    let (ends, starts) = (14, 16 + count * 2);
    let (deltas, offsets) = (starts + count * 2, starts + count * 4);
    let mut left = limits::PDF_CODES;
    for segment in 0..count {
        let (end, start) = (u16_at(table, ends + segment * 2)?, u16_at(table, starts + segment * 2)?);
        let (delta, at) = (u16_at(table, deltas + segment * 2)?, offsets + segment * 2);
        let offset = usize::from(u16_at(table, at)?);
        for code in start..=end {
            left = left.checked_sub(1)?;
            let glyph = if offset == 0 {
                code.wrapping_add(delta)
            } else {
                match u16_at(table, at + offset + usize::from(code - start) * 2).unwrap_or(0) {
                    0 => 0,
                    glyph => glyph.wrapping_add(delta),
                }
            };
            if code != u16::MAX {
                add(u32::from(code), glyph);
            }
        }
    }
    Some(())
}

fn groups(table: &[u8], add: &mut impl FnMut(u32, u16)) -> Option<()> {
    let count = size_at(table, 12)?;
    let mut left = limits::PDF_CODES;
    for group in 0..count {
        let at = group.checked_mul(12)?.checked_add(16)?;
        let number = |at| size_at(table, at).and_then(|number| u32::try_from(number).ok());
        let (first, last, glyph) = (number(at)?, number(at + 4)?, number(at + 8)?);
        for code in first..=last {
            left = left.checked_sub(1)?;
            add(code, u16::try_from(glyph.checked_add(code - first)?).unwrap_or_default());
        }
    }
    Some(())
}

/// The names of glyphs in format 2 of `post`: numbers from 258 on are of names that follow.
fn names(font: &[u8]) -> Option<HashMap<u16, String>> {
    const STANDARD: usize = 258;
    let post = table(font, *b"post")?;
    if size_at(post, 0)? != 0x0002_0000 {
        return None;
    }
    let count = usize::from(u16_at(post, 32)?);
    let mut own = Vec::new();
    let mut rest = post.get(34 + count * 2..)?;
    while let Some((length, after)) = rest.split_first() {
        let (name, after) = after.split_at(after.len().min(usize::from(*length)));
        own.push(name);
        rest = after;
    }
    let mut glyphs = HashMap::new();
    for glyph in 0..u16::try_from(count).ok()? {
        let number = usize::from(u16_at(post, 34 + usize::from(glyph) * 2)?);
        let text = match number.checked_sub(STANDARD) {
            Some(at) => own.get(at).and_then(|name| encoding::glyph(name)),
            None => macintosh(number),
        };
        if let Some(text) = text {
            glyphs.insert(glyph, text);
        }
    }
    Some(glyphs)
}

/// What the first of the standard names stand for: ASCII from number 3 on; the others are named by Mac OS Roman.
fn macintosh(number: usize) -> Option<String> {
    let code = u8::try_from(number.checked_sub(3)?).ok()?.checked_add(b' ')?;
    code.is_ascii_graphic()
        .then(|| char::from(code).to_string())
        .or_else(|| (code == b' ').then(|| " ".to_owned()))
}

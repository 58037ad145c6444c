//! Compact fonts (CFF, Adobe's Technical Note 5176): what their codes and glyphs stand for, by the names of the glyphs.

#![deny(clippy::disallowed_methods)]

use std::collections::HashMap;

use super::Program;
use crate::documents::pdf::encoding::{self, Base};

/// What the standard strings stand for, from number 1 on, as far as they are names of glyphs (appendix A).
const STANDARD: &str = " !\"#$%&’()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_‘abcdefghijklmnopqrstuvwxyz{|}~¡¢£⁄¥ƒ§¤'“«‹›ﬁﬂ–†‡·¶•‚„”»…‰¿`´ˆ˜¯˘˙¨˚¸˝˛ˇ—ÆaŁØŒoæıłøœß1¬μ™Ð½±Þ¼÷¦°þ¾2®−ð×3©ÁÂÄÀÅÃÇÉÊËÈÍÎÏÌÑÓÔÖÒÕŠÚÛÜÙÝŸŽáâäàåãçéêëèíîïìñóôöòõšúûüùýÿž!$$&()‥.0123456789,\u{fffd}.?ab¢deilmnorstﬀﬃﬄ()\u{fffd}-ABCDEFGHIJKLMNOPQRSTUVWXYZ₡\u{fffd}\u{fffd}\u{fffd}¡¢ŁŠŽ\u{fffd}\u{fffd}‒-\u{fffd}\u{fffd}\u{fffd}¿⅛⅜⅝⅞⅓⅔04567890123456789¢$.,ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖŒØÙÚÛÜÝÞŸ";
/// How many standard strings there are; the font's own follow them.
const STANDARD_STRINGS: usize = 391;
const CHARSET: u16 = 15;
const ENCODING: u16 = 16;
const CHAR_STRINGS: u16 = 17;
const ROS: u16 = 0x0C1E;

/// What the font says of its codes and glyphs; `None` where it is not as the format has it.
pub(super) fn read(font: &[u8]) -> Option<Program> {
    let (_, rest) = index(font.get(usize::from(*font.get(2)?)..)?)?;
    let (tops, rest) = index(rest)?;
    let (strings, _) = index(rest)?;
    let top = dictionary(tops.first()?);
    let number = |operator| top.get(&operator).copied();
    let (char_strings, _) = index(font.get(usize::try_from(number(CHAR_STRINGS)?).ok()?..)?)?;
    // The glyphs of these have numbers and no names.
    if top.contains_key(&ROS) {
        return None;
    }
    let standard: Vec<char> = STANDARD.chars().collect();
    let text = |sid: u16| {
        if let Some(own) = usize::from(sid).checked_sub(STANDARD_STRINGS) {
            return encoding::glyph(strings.get(own)?);
        }
        let c = standard.get(usize::from(sid).checked_sub(1)?)?;
        (*c != char::REPLACEMENT_CHARACTER).then(|| c.to_string())
    };
    let sids = charset(font, number(CHARSET).unwrap_or(0), char_strings.len())?;
    let mut glyphs = HashMap::new();
    for (glyph, sid) in (0_u16..).zip(&sids) {
        if let Some(text) = text(*sid) {
            glyphs.insert(glyph, text);
        }
    }
    let codes = match number(ENCODING).unwrap_or(0) {
        0 => encoding::table(Base::Standard),
        // Expert: figures and small capitals, in fonts that are never the only one.
        1 => vec![None; 256],
        at => own_encoding(font.get(usize::try_from(at).ok()?..)?, &glyphs, text)?,
    };
    Some(Program { codes: Some(codes), glyphs })
}

/// An INDEX: its objects, and what follows it.
fn index(bytes: &[u8]) -> Option<(Vec<&[u8]>, &[u8])> {
    let count = usize::from(u16::from_be_bytes(*bytes.first_chunk()?));
    if count == 0 {
        return Some((Vec::new(), bytes.get(2..)?));
    }
    let size = usize::from(*bytes.get(2)?);
    let offset = |number: usize| {
        let at = 3 + number * size;
        Some(bytes.get(at..at + size)?.iter().fold(0, |all, octet| all << 8 | usize::from(*octet)))
    };
    if !(1..=4).contains(&size) {
        return None;
    }
    let data = bytes.get(2 + (count + 1) * size..)?;
    let objects: Option<Vec<&[u8]>> =
        (0..count).map(|number| data.get(offset(number)?..offset(number + 1)?)).collect();
    Some((objects?, data.get(offset(count)?..)?))
}

/// The last operand of each operator of a DICT; those of two octets are 0x0C00 and the second.
fn dictionary(mut bytes: &[u8]) -> HashMap<u16, i64> {
    let mut entries = HashMap::new();
    let mut operand = 0;
    while let Some((first, rest)) = bytes.split_first() {
        let mut take = |count: usize| {
            let (taken, rest) = rest.split_at(rest.len().min(count));
            bytes = rest;
            taken.iter().fold(0_i64, |all, octet| all << 8 | i64::from(*octet))
        };
        match i64::from(*first) {
            12 => {
                let second = u16::try_from(take(1)).unwrap_or_default();
                entries.insert(0x0C00 | second, operand);
            }
            0..=21 => {
                take(0);
                entries.insert(u16::from(*first), operand);
            }
            28 => operand = take(2),
            29 => operand = take(4),
            // A real number ends with the half octet 15.
            30 => {
                let length = rest.iter().position(|octet| octet & 0xF == 0xF || octet >> 4 == 0xF);
                take(length.map_or(rest.len(), |length| length + 1));
            }
            number @ 32..=246 => {
                take(0);
                operand = number - 139;
            }
            number @ 247..=250 => operand = (number - 247) * 256 + take(1) + 108,
            number @ 251..=254 => operand = -(number - 251) * 256 - take(1) - 108,
            _ => _ = take(0),
        }
    }
    entries
}

/// The string of each glyph: its name. The first is `.notdef`.
fn charset(font: &[u8], at: i64, count: usize) -> Option<Vec<u16>> {
    match at {
        // ISOAdobe.
        0 => return Some((0_u16..229).take(count).collect()),
        // Two of experts, in fonts that are never the only one.
        1 | 2 => return None,
        _ => {}
    }
    let table = font.get(usize::try_from(at).ok()?..)?;
    let (format, mut rest) = table.split_first()?;
    let mut sids = vec![0];
    while sids.len() < count {
        let Some((first, after)) = rest.split_first_chunk() else { break };
        let first = u16::from_be_bytes(*first);
        let (more, after) = match format {
            1 => (u16::from(*after.first()?), after.get(1..)?),
            2 => (u16::from_be_bytes(*after.first_chunk()?), after.get(2..)?),
            _ => (0, after),
        };
        sids.extend((first..=first.saturating_add(more)).take(count - sids.len()));
        rest = after;
    }
    Some(sids)
}

/// What each code stands for, by the number of its glyph or, in a supplement, by its name.
fn own_encoding(
    table: &[u8],
    glyphs: &HashMap<u16, String>,
    text: impl Fn(u16) -> Option<String>,
) -> Option<Vec<Option<String>>> {
    let mut codes = vec![None; 256];
    let mut set = |code: u8, text: Option<String>| {
        if let Some(place) = codes.get_mut(usize::from(code)) {
            *place = text;
        }
    };
    let [format, count, rest @ ..] = table else { return None };
    let ranges = format & 0x7F == 1;
    let length = usize::from(*count) * if ranges { 2 } else { 1 };
    let (own, supplement) = rest.split_at(rest.len().min(length));
    let mut glyph = 1_u16;
    for range in own.chunks(if ranges { 2 } else { 1 }) {
        let [first, more @ ..] = range else { continue };
        for code in *first..=first.saturating_add(more.first().copied().unwrap_or(0)) {
            set(code, glyphs.get(&glyph).cloned());
            glyph = glyph.wrapping_add(1);
        }
    }
    if format & 0x80 != 0 {
        let (count, rest) = supplement.split_first()?;
        for [code, high, low] in rest.as_chunks().0.iter().take(usize::from(*count)) {
            set(*code, text(u16::from_be_bytes([*high, *low])));
        }
    }
    Some(codes)
}

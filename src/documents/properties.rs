//! Property sets (MS-OLEPS): title, author, comments and whatever else people put into the properties of an old Office
//! document.

#![deny(clippy::disallowed_methods)]

use super::Reason;
use super::compound::Compound;
use super::document::Document;
use super::places::{size_at, slice, u16_at, u32_at, utf16};
use crate::limits;
use crate::mime::words;

const STREAMS: [&str; 2] = ["\u{5}SummaryInformation", "\u{5}DocumentSummaryInformation"];
const CODE_PAGE: u32 = 1;
const SHORT: u16 = 2;
const OCTETS: u16 = 30;
const WIDE: u16 = 31;
const VECTOR: u16 = 0x1000;

/// Adds the text of the properties. They are a part of the document that programs read on their own, and a set that
/// makes no sense to us makes none to them.
pub(super) fn read(document: &mut Document<'_>, file: &Compound<'_>) -> Result<(), Reason> {
    for stream in STREAMS {
        if let Ok(bytes) = file.stream(stream, document.budget()) {
            for text in set(&bytes).into_iter().flatten() {
                document.text(&text)?;
                document.text("\n")?;
            }
        }
    }
    Ok(())
}

fn set(bytes: &[u8]) -> Option<Vec<String>> {
    let sections = size_at(bytes, 24)?.min(2);
    let mut found = Vec::new();
    for section in 0..sections {
        let at = size_at(bytes, 28 + section * 20 + 16)?;
        let properties = bytes.get(at..)?;
        let count = size_at(properties, 4)?.min(limits::DOCUMENT_PROPERTIES);
        let list = (0..count).filter_map(|number| {
            Some((u32_at(properties, 8 + number * 8)?, size_at(properties, 12 + number * 8)?))
        });
        let list: Vec<(u32, usize)> = list.collect();
        let page = list.iter().find(|(id, _)| *id == CODE_PAGE);
        let page = page
            .and_then(|(_, at)| (u16_at(properties, *at)? == SHORT).then(|| u16_at(properties, at + 4))?);
        for (_, at) in list {
            let kind = u16_at(properties, at).unwrap_or_default();
            let (count, first) = match kind & VECTOR {
                0 => (1, at + 4),
                _ => (size_at(properties, at + 4).unwrap_or(0).min(limits::DOCUMENT_PROPERTIES), at + 8),
            };
            strings(properties, kind & !VECTOR, first, count, page, &mut found);
        }
    }
    Some(found)
}

fn strings(
    properties: &[u8],
    kind: u16,
    first: usize,
    count: usize,
    page: Option<u16>,
    found: &mut Vec<String>,
) -> Option<()> {
    let mut at = first;
    for _ in 0..count {
        let length = size_at(properties, at)?;
        let (text, octets) = match kind {
            OCTETS => {
                let octets = slice(properties, at + 4, length)?;
                (if page == Some(1200) { utf16(octets) } else { in_page(octets, page) }, length)
            }
            WIDE => (utf16(slice(properties, at + 4, length.checked_mul(2)?)?), length * 2),
            _ => return None,
        };
        found.push(text.trim_end_matches('\0').to_owned());
        at += 4 + octets.next_multiple_of(4);
    }
    Some(())
}

fn in_page(octets: &[u8], page: Option<u16>) -> String {
    match page {
        Some(page @ 1250..=1258) => words::in_charset(format!("windows-{page}").as_bytes(), octets),
        _ => words::text(octets).into_owned(),
    }
}

//! Properties of Outlook in TNEF (MS-OXTNEF 2.1.3.4): those that are text or octets; numbers and dates are stepped
//! over.

#![deny(clippy::disallowed_methods)]

use super::super::octets::Octets;
use super::Codepage;
use crate::limits;
use crate::mime::words;

pub(super) struct Property<'a> {
    pub(super) id: u16,
    pub(super) value: Value<'a>,
}

pub(super) enum Value<'a> {
    Text(String),
    Octets(&'a [u8]),
}

/// The properties, and whether all could be read.
pub(super) fn read(content: &[u8], codepage: Codepage) -> (Vec<Property<'_>>, bool) {
    let mut octets = Octets::new(content);
    let mut found = Vec::new();
    let Some(count) = octets.u32() else { return (found, false) };
    for _ in 0..count.min(limits::TNEF_PROPERTIES) {
        if property(&mut octets, codepage, &mut found).is_none() {
            return (found, false);
        }
    }
    (found, count <= limits::TNEF_PROPERTIES)
}

fn property<'a>(octets: &mut Octets<'a>, codepage: Codepage, found: &mut Vec<Property<'a>>) -> Option<()> {
    let kind = octets.u16()?;
    let id = octets.u16()?;
    if id >= 0x8000 {
        octets.take(16)?;
        if octets.u32()? == 0 {
            octets.u32()?;
        } else {
            let length = octets.length()?;
            octets.take(padded(length)?)?;
        }
    }
    let (several, kind) = (kind & 0x1000 != 0, kind & 0xefff);
    let variable = matches!(kind, 0x0d | 0x1e | 0x1f | 0x102);
    let count = if several || variable { octets.u32()? } else { 1 };
    for _ in 0..count {
        if found.len() as u64 >= u64::from(limits::TNEF_PROPERTIES) {
            return None;
        }
        let length = match kind {
            0x02 | 0x03 | 0x04 | 0x0a | 0x0b => 4,
            0x05 | 0x06 | 0x07 | 0x14 | 0x40 => 8,
            0x48 => 16,
            0x0d | 0x1e | 0x1f | 0x102 => octets.length()?,
            _ => return None,
        };
        let content = octets.take(padded(length)?)?.get(..length)?;
        let value = match kind {
            0x1e => Value::Text(codepage.text(content.strip_suffix(b"\0").unwrap_or(content))),
            0x1f => {
                let text = words::in_charset(b"utf-16le", content);
                Value::Text(text.trim_end_matches('\0').to_owned())
            }
            0x0d | 0x102 => Value::Octets(content),
            _ => continue,
        };
        found.push(Property { id, value });
    }
    Some(())
}

/// Values fill whole fours.
fn padded(length: usize) -> Option<usize> {
    length.checked_next_multiple_of(4)
}

//! The shared strings of a workbook: one list in one record, which goes on in others, in the middle of a string if it
//! must (MS-XLS §2.5.293).

#![deny(clippy::disallowed_methods)]

use crate::documents::Budget;
use crate::documents::places::{u16_at, u32_at};

/// All strings of a table and its continuations.
pub(super) fn strings(parts: &[&[u8]], budget: &mut Budget) -> Vec<String> {
    let mut reader = Parts { all: parts, number: 0, at: 8 };
    let mut found = Vec::new();
    // The count in the record is not asked: a list ends where it ends.
    while let Some(text) = reader.string() {
        if budget.spend(text.len() + size_of::<String>()).is_err() {
            break;
        }
        found.push(text);
    }
    found
}

/// The text of a text box: a flag and characters, in the records that follow it.
pub(super) fn text_box<'a>(characters: usize, continued: impl Iterator<Item = &'a [u8]>) -> String {
    let parts: Vec<&[u8]> = continued.collect();
    let mut reader = Parts { all: &parts, number: 0, at: 0 };
    let Some(flags) = reader.octet() else { return String::new() };
    reader.characters(characters, flags & 1 != 0).unwrap_or_default()
}

/// A place in parts that are read as one.
struct Parts<'a> {
    all: &'a [&'a [u8]],
    number: usize,
    at: usize,
}

impl Parts<'_> {
    fn string(&mut self) -> Option<String> {
        const WIDE: u8 = 1;
        const EXTENDED: u8 = 4;
        const RICH: u8 = 8;
        let characters = usize::from(self.number16()?);
        let flags = self.octet()?;
        let runs = if flags & RICH != 0 { usize::from(self.number16()?) } else { 0 };
        let extension = if flags & EXTENDED != 0 { usize::try_from(self.number32()?).ok()? } else { 0 };
        let text = self.characters(characters, flags & WIDE != 0)?;
        self.skip(runs.checked_mul(4)?.checked_add(extension)?);
        Some(text)
    }

    /// Where a new part begins in the middle of a string, it begins with a flag of its own.
    fn characters(&mut self, count: usize, wide: bool) -> Option<String> {
        let mut units: Vec<u16> = Vec::new();
        let mut wide = wide;
        while units.len() < count {
            let here = self.all.get(self.number)?.get(self.at..).unwrap_or_default();
            if here.is_empty() {
                self.next_part()?;
                wide = self.octet()? & 1 != 0;
                continue;
            }
            let left = count - units.len();
            let before = units.len();
            if wide {
                units.extend(here.as_chunks().0.iter().take(left).map(|pair| u16::from_le_bytes(*pair)));
                self.at += (units.len() - before) * 2;
            } else {
                units.extend(here.iter().take(left).map(|octet| u16::from(*octet)));
                self.at += units.len() - before;
            }
            if units.len() == before {
                // Half a character.
                self.at += 1;
            }
        }
        Some(String::from_utf16_lossy(&units))
    }

    fn next_part(&mut self) -> Option<()> {
        self.number += 1;
        self.at = 0;
        self.all.get(self.number).map(|_| ())
    }

    fn skip(&mut self, octets: usize) {
        let mut left = octets;
        while let Some(part) = self.all.get(self.number) {
            let here = part.len().saturating_sub(self.at);
            if left <= here {
                self.at += left;
                return;
            }
            left -= here;
            self.number += 1;
            self.at = 0;
        }
    }

    fn octet(&mut self) -> Option<u8> {
        loop {
            if let Some(octet) = self.all.get(self.number)?.get(self.at) {
                self.at += 1;
                return Some(*octet);
            }
            self.next_part()?;
        }
    }

    fn number16(&mut self) -> Option<u16> {
        let octets = [self.octet()?, self.octet()?];
        u16_at(&octets, 0)
    }

    fn number32(&mut self) -> Option<u32> {
        let octets = [self.octet()?, self.octet()?, self.octet()?, self.octet()?];
        u32_at(&octets, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_goes_on_in_the_next_record_in_another_width() {
        let first: &[u8] = b"\x02\0\0\0\x02\0\0\0\x0b\0\0811228";
        let second: &[u8] = b"\x01-\x009\x008\x007\x004\0\x02\0\0ab";
        let budget = &mut Budget::new(1000);
        assert_eq!(strings(&[first, second], budget), ["811228-9874", "ab"]);
        let rich: &[u8] = b"\x01\0\0\0\x01\0\0\0\x01\0\x0c\x01\0\x02\0\0\0xRRRREE\x01\0\0y";
        assert_eq!(strings(&[rich], budget), ["x", "y"]);
        assert_eq!(strings(&[b"\0\0\0\0\0\0\0\0\xff\xff\0a"], budget), [""; 0]);
    }

    #[test]
    fn text_boxes() {
        assert_eq!(text_box(3, [&b"\0ab"[..], b"\x01c\0"].into_iter()), "abc");
    }
}

//! ToUnicode: a table from the codes of a font to characters (ISO 32000-2 §9.10.3).

#![deny(clippy::disallowed_methods)]

use std::collections::{BTreeMap, HashMap};

use super::object::{Next, Object, Parser};
use crate::limits;

/// The table.
#[derive(Debug, Default)]
pub(super) struct Map {
    single: HashMap<u32, String>,
    /// First code of a range: its last code, and what the first stands for, in UTF-16.
    ranges: BTreeMap<u32, (u32, Vec<u16>)>,
}

impl Map {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut map = Self::default();
        let mut parser = Parser::in_content(bytes);
        let mut operands = Vec::new();
        while let Some(next) = parser.next() {
            match next {
                Next::Object(object) if operands.len() < limits::PDF_CODES => operands.push(object),
                Next::Object(_) => {}
                Next::Word(b"endbfchar") => map.add_characters(&std::mem::take(&mut operands)),
                Next::Word(b"endbfrange") => map.add_ranges(&std::mem::take(&mut operands)),
                Next::Word(_) => operands.clear(),
            }
        }
        map
    }

    fn add_characters(&mut self, operands: &[Object]) {
        for [code, text] in operands.as_chunks().0 {
            if let (Some(code), Some(text)) = (code.string(), text.string()) {
                self.add(value(code), &units(text));
            }
        }
    }

    fn add_ranges(&mut self, operands: &[Object]) {
        for [first, last, target] in operands.as_chunks().0 {
            let (Some(first), Some(last)) = (first.string().map(value), last.string().map(value)) else {
                continue;
            };
            if let Object::Array(each) = target {
                for (code, text) in (first..=last).zip(each) {
                    self.add(code, &units(text.string().unwrap_or_default()));
                }
            } else if self.ranges.len() < limits::PDF_CODES {
                self.ranges.insert(first, (last, units(target.string().unwrap_or_default())));
            }
        }
    }

    fn add(&mut self, code: u32, units: &[u16]) {
        if self.single.len() < limits::PDF_CODES {
            self.single.insert(code, String::from_utf16_lossy(units));
        }
    }

    /// What a code stands for; `None` if the table does not say, or says that it is nothing known.
    pub(super) fn get(&self, code: u32) -> Option<String> {
        let text = self.single.get(&code).cloned().or_else(|| {
            let (first, (last, units)) = self.ranges.range(..=code).next_back()?;
            (code <= *last).then(|| advanced(units, code - first))
        })?;
        let known = !text.is_empty() && !text.contains(['\u{0}', char::REPLACEMENT_CHARACTER]);
        known.then_some(text)
    }
}

/// The text with `offset` added to its last unit.
fn advanced(units: &[u16], offset: u32) -> String {
    let mut units = units.to_vec();
    if let Some(last) = units.last_mut() {
        *last = last.wrapping_add(u16::try_from(offset).unwrap_or_default());
    }
    String::from_utf16_lossy(&units)
}

fn value(code: &[u8]) -> u32 {
    code.iter().take(4).fold(0, |value, octet| value << 8 | u32::from(*octet))
}

/// UTF-16, the high octet first; one octet alone is what it is.
fn units(text: &[u8]) -> Vec<u16> {
    if let [octet] = text {
        return vec![u16::from(*octet)];
    }
    text.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_text() {
        let map = Map::parse(
            b"1 begincodespacerange <0000> <FFFF> endcodespacerange\n\
              2 beginbfchar <0003> <00E5> <0004> <00660069> endbfchar\n\
              3 beginbfrange <0010> <0019> <0030> <0020> <0021> [<0041> <0042>] <FF00> <FFFF> <0000> endbfrange",
        );
        for (code, text) in [
            (3, Some("\u{e5}")),
            (4, Some("fi")),
            (0x12, Some("2")),
            (0x21, Some("B")),
            (0x22, None),
            (0xFF00, None),
        ] {
            assert_eq!(map.get(code).as_deref(), text, "{code:x}");
        }
    }
}

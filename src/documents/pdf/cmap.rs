//! Character maps: how long the codes of a composite font are and which glyph each is (ISO 32000-2 §9.7.5), and the
//! characters that they stand for (§9.10.3).

#![deny(clippy::disallowed_methods)]

use std::collections::{BTreeMap, HashMap};

use super::encoding;
use super::object::{Next, Object, Parser};
use crate::limits;

/// The table.
#[derive(Debug, Default)]
pub(super) struct Map {
    single: HashMap<u32, String>,
    /// First code of a range: its last code, and what the first stands for, in UTF-16.
    ranges: BTreeMap<u32, (u32, Vec<u16>)>,
    /// First code of a range: its last code, and the number of the first one's glyph.
    glyphs: BTreeMap<u32, (u32, u32)>,
    /// Octets of the codes in each range of the code space, the first and the last.
    space: Vec<(Vec<u8>, Vec<u8>)>,
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
                Next::Word(b"endcodespacerange") => map.add_space(&std::mem::take(&mut operands)),
                Next::Word(b"endcidchar") => map
                    .add_glyphs(std::mem::take(&mut operands).as_chunks().0, |[code, glyph]| {
                        (code, code, glyph)
                    }),
                Next::Word(b"endcidrange") => {
                    map.add_glyphs(std::mem::take(&mut operands).as_chunks().0, |[first, last, glyph]| {
                        (first, last, glyph)
                    });
                }
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

    fn add_space(&mut self, operands: &[Object]) {
        for [first, last] in operands.as_chunks().0 {
            if let (Some(first), Some(last)) = (first.string(), last.string())
                && (1..=4).contains(&first.len())
                && self.space.len() < limits::PDF_CODE_RANGES
            {
                self.space.push((first.to_vec(), last.to_vec()));
            }
        }
    }

    fn add_glyphs<const N: usize>(
        &mut self,
        entries: &[[Object; N]],
        parts: impl Fn(&[Object; N]) -> (&Object, &Object, &Object),
    ) {
        for entry in entries {
            let (first, last, glyph) = parts(entry);
            if let (Some(first), Some(last), Some(glyph)) = (first.string(), last.string(), glyph.index())
                && self.glyphs.len() < limits::PDF_CODES
            {
                self.glyphs.insert(value(first), (value(last), glyph));
            }
        }
    }

    /// Whether it says how long codes are.
    pub(super) fn has_space(&self) -> bool {
        !self.space.is_empty()
    }

    /// The octets of the next code of a string: those of the code space, or as many as its shortest code has.
    pub(super) fn length(&self, string: &[u8]) -> usize {
        let within = |(first, last): &&(Vec<u8>, Vec<u8>)| {
            string.len() >= first.len()
                && string
                    .iter()
                    .zip(first.iter().zip(last))
                    .all(|(octet, (low, high))| (low..=high).contains(&octet))
        };
        let known = self.space.iter().find(within);
        let range = known.or_else(|| self.space.iter().min_by_key(|(first, _)| first.len()));
        range.map_or(2, |(first, _)| first.len())
    }

    /// The number of a code's glyph.
    pub(super) fn glyph(&self, code: u32) -> Option<u32> {
        let (first, (last, glyph)) = self.glyphs.range(..=code).next_back()?;
        if code <= *last { glyph.checked_add(code - first) } else { None }
    }

    fn add(&mut self, code: u32, units: &[u16]) {
        if self.single.len() < limits::PDF_CODES {
            self.single.insert(code, String::from_utf16_lossy(units));
        }
    }

    /// What a code stands for; `None` if the table does not say, or says what is no text.
    pub(super) fn get(&self, code: u32) -> Option<String> {
        let text = self.single.get(&code).cloned().or_else(|| {
            let (first, (last, units)) = self.ranges.range(..=code).next_back()?;
            (code <= *last).then(|| advanced(units, code - first))
        })?;
        encoding::is_text(&text).then_some(text)
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

pub(super) fn value(code: &[u8]) -> u32 {
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

    #[test]
    fn codes_are_as_long_as_the_code_space_says() {
        let map = Map::parse(
            b"2 begincodespacerange <00> <80> <8140> <9FFC> endcodespacerange\n\
              1 begincidchar <20> 5 endcidchar 1 begincidrange <8140> <8150> 100 endcidrange",
        );
        for (string, length) in [(&b"\x20\x20"[..], 1), (b"\x81\x40", 2), (b"\x81", 1), (b"\xff\xff", 1)] {
            assert_eq!(map.length(string), length, "{string:x?}");
        }
        assert_eq!((map.glyph(0x20), map.glyph(0x8142), map.glyph(0x21)), (Some(5), Some(102), None));
        assert_eq!(Map::default().length(b"abc"), 2);
    }
}

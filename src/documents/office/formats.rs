//! Number formats of Excel, as far as they are masks of digits: `000000-0000` is how Swedish ones show personal
//! numbers. Others change nothing that identifies anybody.

#![deny(clippy::disallowed_methods)]

use std::collections::BTreeMap;

use crate::limits;
use crate::markup::{self, Token};
use crate::mime::words;

/// Places of the longest mask that is one; personal numbers have thirteen.
const MASK_PLACES: usize = 32;

/// The mask of each cell style.
#[derive(Default)]
pub(super) struct Formats(Vec<Option<Vec<Place>>>);

/// One place of a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Digit,
    Literal(char),
}

impl Formats {
    pub(super) fn read(styles: &[u8]) -> Self {
        let styles = words::unlabelled(styles);
        let mut masks = BTreeMap::new();
        let mut formats = Vec::new();
        let mut of_cells = false;
        for token in markup::xml(&styles) {
            match token {
                Token::Start(tag) if tag.local() == "numFmt" && masks.len() < limits::WORKBOOK_FORMATS => {
                    let id = tag.attribute("numFmtId").and_then(|id| id.parse::<u32>().ok());
                    let mask = tag.attribute("formatCode").and_then(|code| mask(&code));
                    masks.extend(id.zip(mask));
                }
                Token::Start(tag) if tag.local() == "cellXfs" => of_cells = true,
                Token::Start(tag)
                    if of_cells && tag.local() == "xf" && formats.len() < limits::WORKBOOK_FORMATS =>
                {
                    let id = tag.attribute("numFmtId").and_then(|id| id.parse::<u32>().ok());
                    formats.push(id.and_then(|id| masks.get(&id).cloned()));
                }
                Token::End(name) if name.ends_with("cellXfs") => of_cells = false,
                _ => {}
            }
        }
        Self(formats)
    }

    /// The number in the mask of that style, if it has one.
    pub(super) fn apply(&self, style: usize, number: u64) -> Option<String> {
        let mask = self.0.get(style)?.as_ref()?;
        let mut digits: Vec<char> = number.to_string().chars().collect();
        let places = mask.iter().filter(|place| **place == Place::Digit).count();
        let mut shown = Vec::new();
        let mut first = places;
        for place in mask.iter().rev() {
            match place {
                Place::Literal(c) => shown.push(*c),
                Place::Digit => {
                    shown.push(digits.pop().unwrap_or('0'));
                    first -= 1;
                    if first == 0 {
                        // What has no place of its own stands before the first.
                        shown.extend(digits.drain(..).rev());
                    }
                }
            }
        }
        Some(shown.into_iter().rev().collect())
    }
}

/// The mask in the first section of a format, if it is one: zeros, and signs between them.
fn mask(code: &str) -> Option<Vec<Place>> {
    let mut places = Vec::new();
    let mut chars = code.chars();
    while let Some(c) = chars.next() {
        match c {
            '0' => places.push(Place::Digit),
            '\\' => places.push(Place::Literal(chars.next()?)),
            '"' => places.extend(chars.by_ref().take_while(|c| *c != '"').map(Place::Literal)),
            '-' | ' ' | '+' | '/' | ':' => places.push(Place::Literal(c)),
            '_' | '*' => _ = chars.next(),
            ';' => break,
            _ => return None,
        }
    }
    let digits = places.iter().filter(|place| **place == Place::Digit).count();
    (digits > 1 && places.len() <= MASK_PLACES).then_some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks() {
        for (code, number, shown) in [
            ("000000-0000", 1_011_234, Some("000101-1234")),
            ("00000000\\-0000", 198_112_289_874, Some("19811228-9874")),
            ("000000\"-\"0000;[Red]0", 198_112_289_874, Some("19811228-9874")),
            ("0000000000", 8, Some("0000000008")),
            ("General", 8, None),
            ("0", 8, None),
            ("#,##0.00", 8, None),
            ("yyyy-mm-dd", 8, None),
        ] {
            let formats = Formats(vec![mask(code)]);
            assert_eq!(formats.apply(0, number).as_deref(), shown, "{code}");
        }
    }
}

//! Number formats of spreadsheets, as far as they are masks of digits: `000000-0000` is how Swedish ones show personal
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
pub(super) struct Masks {
    /// By the number of the format.
    formats: BTreeMap<u32, Vec<Place>>,
    /// Of each style the number of its format.
    styles: Vec<u32>,
}

/// One place of a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A digit; where the number has none, a zero.
    Digit,
    /// A digit; where the number has none, nothing.
    Optional,
    Literal(char),
}

impl Masks {
    /// The masks that the styles of a workbook in XML have.
    pub(super) fn read(styles: &[u8]) -> Self {
        let styles = words::unlabelled(styles);
        let mut masks = Self::default();
        let mut of_cells = false;
        for token in markup::xml(&styles) {
            match token {
                Token::Start(tag) if tag.local() == "numFmt" => {
                    let id = tag.attribute("numFmtId").and_then(|id| id.parse().ok());
                    if let (Some(id), Some(code)) = (id, tag.attribute("formatCode")) {
                        masks.format(id, &code);
                    }
                }
                Token::Start(tag) if tag.local() == "cellXfs" => of_cells = true,
                Token::Start(tag) if of_cells && tag.local() == "xf" => {
                    masks.style(tag.attribute("numFmtId").and_then(|id| id.parse().ok()).unwrap_or(0));
                }
                Token::End(name) if name.ends_with("cellXfs") => of_cells = false,
                _ => {}
            }
        }
        masks
    }

    /// A format of that number.
    pub(super) fn format(&mut self, id: u32, code: &str) {
        if let Some(mask) = mask(code)
            && self.formats.len() < limits::WORKBOOK_FORMATS
        {
            self.formats.insert(id, mask);
        }
    }

    /// The next style has the format of that number.
    pub(super) fn style(&mut self, format: u32) {
        if self.styles.len() < limits::WORKBOOK_FORMATS {
            self.styles.push(format);
        }
    }

    /// A number as its cell shows it: whole ones without exponent, and with the zeros and hyphens of their style, since
    /// a cell with 000101-1234 holds 1011234.
    pub(super) fn shown(&self, style: usize, value: f64) -> String {
        let whole = (value.fract() == 0.0 && (0.0..9e15).contains(&value)).then(|| as_whole(value));
        whole.and_then(|whole| self.apply(style, whole)).unwrap_or_else(|| value.to_string())
    }

    /// The number in the mask of that style, if it has one.
    pub(super) fn apply(&self, style: usize, number: u64) -> Option<String> {
        let mask = self.formats.get(self.styles.get(style)?)?;
        let mut digits: Vec<char> = number.to_string().chars().collect();
        let mut left = mask.iter().filter(|place| !matches!(place, Place::Literal(_))).count();
        let mut shown = Vec::new();
        for place in mask.iter().rev() {
            match place {
                Place::Literal(c) => shown.push(*c),
                Place::Digit | Place::Optional => {
                    shown.extend(digits.pop().or((*place == Place::Digit).then_some('0')));
                    left -= 1;
                    if left == 0 {
                        // What has no place of its own stands before the first.
                        shown.extend(digits.drain(..).rev());
                    }
                }
            }
        }
        Some(shown.into_iter().rev().collect())
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "asked before: whole, and below 2^53"
)]
fn as_whole(number: f64) -> u64 {
    number as u64
}

/// The mask in the first section of a format, if it is one: places of digits, and signs between them.
fn mask(code: &str) -> Option<Vec<Place>> {
    let mut places = Vec::new();
    let mut chars = code.chars();
    while let Some(c) = chars.next() {
        match c {
            '0' => places.push(Place::Digit),
            '#' | '?' => places.push(Place::Optional),
            '\\' => places.push(Place::Literal(chars.next()?)),
            '"' => places.extend(chars.by_ref().take_while(|c| *c != '"').map(Place::Literal)),
            '-' | ' ' | '+' | '/' | ':' => places.push(Place::Literal(c)),
            // A color, a condition or a language.
            '[' => chars.by_ref().take_while(|c| *c != ']').for_each(drop),
            '_' | '*' => _ = chars.next(),
            ';' => break,
            _ => return None,
        }
    }
    let digits = places.iter().filter(|place| !matches!(place, Place::Literal(_))).count();
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
            ("[$-41D]000000\\-0000;@", 8_112_289_874, Some("811228-9874")),
            ("######-####", 8_112_289_874, Some("811228-9874")),
            ("######-####", 1_011_234, Some("101-1234")),
            ("General", 8, None),
            ("0", 8, None),
            ("#,##0.00", 8, None),
            ("yyyy-mm-dd", 8, None),
        ] {
            let mut masks = Masks::default();
            masks.format(164, code);
            masks.style(164);
            assert_eq!(masks.apply(0, number).as_deref(), shown, "{code}");
        }
    }
}

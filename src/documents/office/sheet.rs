//! Sheets of Excel: rows as lines, cells beside one another, numbers as they are shown.

#![deny(clippy::disallowed_methods)]

use std::cell::RefCell;

use crate::documents::columns::Columns;
use crate::documents::masks::Masks;
use crate::documents::xml;
use crate::limits;
use crate::markup::{self, Tag, Token};
use crate::mime::words;

/// Letters of the last column there can be, `XFD`.
const COLUMN_LETTERS: usize = 3;

/// The strings of a workbook, which cells name by number.
#[derive(Default)]
pub(super) struct Shared {
    strings: Vec<String>,
    used: RefCell<Vec<bool>>,
}

impl Shared {
    pub(super) fn read(part: &[u8]) -> Self {
        let part = words::unlabelled(part);
        let (mut strings, mut string) = (Vec::new(), String::new());
        let (mut inside, mut text) = (false, false);
        for token in markup::xml(&part) {
            match token {
                Token::Start(tag) if tag.local() == "si" => inside = true,
                Token::Start(tag) if tag.local() == "t" => text = !tag.empty,
                Token::Text(written) if inside && text => string.push_str(&markup::decode(written)),
                Token::Raw(written) if inside && text => string.push_str(written),
                // More strings than may be counted are text that no cell can name.
                Token::End(name) if name.ends_with("si") && strings.len() < limits::WORKBOOK_STRINGS => {
                    strings.push(std::mem::take(&mut string));
                }
                Token::End(name) if name.ends_with("si") => string.push('\n'),
                Token::End(_) => text = false,
                _ => {}
            }
        }
        // One that has no end.
        if !string.is_empty() {
            strings.push(string);
        }
        Self::of(strings)
    }

    pub(super) fn of(strings: Vec<String>) -> Self {
        let used = RefCell::new(vec![false; strings.len()]);
        Self { strings, used }
    }

    /// The string of that number.
    pub(super) fn get(&self, number: usize) -> &str {
        if let Some(used) = self.used.borrow_mut().get_mut(number) {
            *used = true;
        }
        self.strings.get(number).map_or("", String::as_str)
    }

    /// The strings that no cell named.
    pub(super) fn unused(&self) -> String {
        let used = self.used.borrow();
        let unused = self.strings.iter().zip(used.iter()).filter(|(_, used)| !**used);
        unused.fold(String::new(), |mut all, (string, _)| {
            all.push_str(string);
            all.push('\n');
            all
        })
    }
}

/// A cell, while its content comes.
#[derive(Default)]
struct Cell {
    kind: Kind,
    format: usize,
    /// Counted from 0.
    column: usize,
    value: String,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Number,
    Shared,
    Written,
}

/// The text of a sheet.
pub(super) fn text(part: &[u8], shared: &Shared, formats: &Masks) -> String {
    let part = words::unlabelled(part);
    let (mut out, mut aside) = (String::with_capacity(part.len() / 4), String::new());
    let mut cell = Cell::default();
    let mut columns = Columns::default();
    // Where a cell stands that does not say so: behind the one before.
    let mut next = 0;
    let mut element = "";
    for token in markup::xml(&part) {
        // A string may be named by any number of cells.
        if out.len() + aside.len() > limits::DOCUMENT_TEXT_OCTETS {
            break;
        }
        match token {
            Token::Start(tag) => {
                element = tag.local();
                if element == "c" {
                    cell = Cell::of(&tag, next);
                    next = cell.column + 1;
                } else {
                    xml::attributes(&tag, &mut aside);
                }
                if tag.empty {
                    element = "";
                }
            }
            Token::Text(written) => {
                let written = markup::decode(written);
                match element {
                    "v" | "t" => cell.value.push_str(&written),
                    "" => {}
                    _ if written.trim_ascii().is_empty() => {}
                    // Formulas, headers and footers.
                    _ => {
                        aside.push_str(&written);
                        aside.push('\n');
                    }
                }
            }
            Token::Raw(written) => cell.value.push_str(written),
            Token::End(name) => {
                match name.rsplit_once(':').map_or(name, |(_, local)| local) {
                    "c" => cell.end(shared, formats, &mut columns, &mut out),
                    "row" => {
                        out.push('\n');
                        (columns, next) = (Columns::default(), 0);
                    }
                    _ => {}
                }
                element = "";
            }
            Token::Comment(_) => {}
        }
    }
    cell.end(shared, formats, &mut columns, &mut out);
    xml::joined(out, &aside)
}

impl Cell {
    fn of(tag: &Tag<'_>, next: usize) -> Self {
        let kind = match tag.attribute("t").as_deref() {
            Some("s") => Kind::Shared,
            Some("str" | "inlineStr" | "d" | "e" | "b") => Kind::Written,
            _ => Kind::Number,
        };
        let format = tag.attribute("s").and_then(|format| format.parse().ok()).unwrap_or(0);
        let column = tag.attribute("r").and_then(|reference| column(&reference)).unwrap_or(next);
        Self { kind, format, column, value: String::new() }
    }

    /// Writes the cell down; it is empty then.
    fn end(&mut self, shared: &Shared, formats: &Masks, columns: &mut Columns, out: &mut String) {
        if self.value.is_empty() {
            return;
        }
        out.push_str(columns.gap(self.column));
        match self.kind {
            Kind::Shared => {
                out.push_str(self.value.trim_ascii().parse().map_or("", |number| shared.get(number)));
            }
            Kind::Written => out.push_str(&self.value),
            Kind::Number => number(&self.value, self.format, formats, out),
        }
        out.push('\t');
        self.value.clear();
    }
}

/// Whether the workbook counts its days from 1904 (ECMA-376-1 §18.2.28).
pub(super) fn is_since_1904(workbook: &[u8]) -> bool {
    let workbook = words::unlabelled(workbook);
    markup::xml(&workbook).any(|token| match token {
        Token::Start(tag) if tag.local() == "workbookPr" => {
            tag.attribute("date1904").is_some_and(|said| matches!(&*said, "1" | "true"))
        }
        _ => false,
    })
}

/// The column in a reference such as `AB12`, counted from 0.
fn column(reference: &str) -> Option<usize> {
    let letters = reference.bytes().take_while(u8::is_ascii_alphabetic).take(COLUMN_LETTERS);
    let number =
        letters.fold(0, |number, letter| number * 26 + usize::from(letter.to_ascii_uppercase() - b'A') + 1);
    number.checked_sub(1)
}

/// A number as people see it.
fn number(value: &str, format: usize, formats: &Masks, out: &mut String) {
    // Most are whole, and shown as they are written.
    let whole = value.len() <= 15 && value.bytes().all(|digit| digit.is_ascii_digit());
    if whole && !value.starts_with('0') && formats.is_plain(format) {
        return out.push_str(value);
    }
    match value.parse::<f64>() {
        Ok(number) if number.fract() == 0.0 && (0.0..9e15).contains(&number) => {
            out.push_str(&formats.shown(format, number));
        }
        Ok(number) => out.push_str(formats.date(format, number).as_deref().unwrap_or(value)),
        Err(_) => out.push_str(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_as_they_are_shown() {
        let shared = Shared::read(b"<sst><si><t>Anna</t></si><si><r><t>a</t></r><r><t>b</t></r><rPh><t/></rPh></si><si><t>left</t></si></sst>");
        let formats = Masks::read(
            b"<numFmts><numFmt numFmtId='164' formatCode='000000\\-0000'/></numFmts><cellXfs><xf numFmtId='0'/><xf numFmtId='164'/></cellXfs>",
        );
        let sheet = b"<row><c t='s'><v>0</v></c><c t='s'><v>1</v></c><c s='1'><v>1011234</v></c></row>\
            <row><c><v>8112289874</v></c><c><v>1.98112289874E11</v></c><c t='inlineStr'><is><t>x</t></is></c>\
            <c><f>A1&amp;\"y\"</f><v>0.5</v></c><c/></row>";
        let read = text(sheet, &shared, &formats);
        assert_eq!(read, "Anna\tab\t000101-1234\t\n8112289874\t198112289874\tx\t0.5\t\n\nA1&\"y\"\n");
        assert_eq!(shared.unused(), "left\n");
        let sheet = b"<row><c r='A1'><v>1</v></c><c r='B1' s='1'/><c r='D1'><v>2</v></c></row>\
            <row><c/><c><v>3</v></c><c><v>4</v></c></row><row r='3'><c r='XFD3'><v>5</v></c></row>";
        let gap = "\t".repeat(64);
        let read = text(sheet, &Shared::default(), &Masks::default());
        assert_eq!(read, format!("1\t\t\t2\t\n\t3\t4\t\n{gap}5\t\n"));
    }
}

//! Excel's binary format (MS-XLS): cells in rows, texts, headers, comments; also of workbooks that are encrypted with
//! the password that Excel tries by itself.

#![deny(clippy::disallowed_methods)]

mod cipher;
mod shared;

use super::columns::Columns;
use super::compound::Compound;
use super::document::{Document, Outcome};
use super::masks::Masks;
use super::places::{f64_at, slice, u16_at, u32_at, utf16};
use super::{Reason, Scheme, State};
use crate::mime::words;

const XF: u16 = 0x00E0;
const FORMAT: u16 = 0x041E;
const FORMULA: u16 = 0x0006;
const EOF: u16 = 0x000A;
const HEADER: u16 = 0x0014;
const FOOTER: u16 = 0x0015;
const NOTE: u16 = 0x001C;
const DATE_MODE: u16 = 0x0022;
const FILE_PASS: u16 = 0x002F;
const CONTINUE: u16 = 0x003C;
const BOUND_SHEET: u16 = 0x0085;
const MUL_RK: u16 = 0x00BD;
const RICH_STRING: u16 = 0x00D6;
const SST: u16 = 0x00FC;
const LABEL_SST: u16 = 0x00FD;
const TEXT_BOX: u16 = 0x01B6;
const NUMBER: u16 = 0x0203;
const LABEL: u16 = 0x0204;
const STRING: u16 = 0x0207;
const RK: u16 = 0x027E;
const BOF: u16 = 0x0809;

/// One record: its kind, where its content begins in the stream, and the content.
#[derive(Clone, Copy)]
struct Record<'a> {
    kind: u16,
    at: usize,
    content: &'a [u8],
}

pub(super) fn read(document: &mut Document<'_>, file: &Compound<'_>) -> Outcome {
    // A file may have both, for old programs; the first is the whole.
    let name = if file.has("Workbook") { "Workbook" } else { "Book" };
    let (stream, ended) = file.stream_partly(name, document.budget())?;
    let (list, whole) = records(&stream);
    let whole = ended.and(whole);
    let Some(pass) = list.iter().find(|record| record.kind == FILE_PASS) else {
        Sheet::read(document, &list)?;
        return whole.map(|()| State::Plain);
    };
    let wide = version(&list) >= 0x0600;
    let Some(clear) = cipher::decrypt(pass.content, wide, &stream, &list) else {
        return Ok(State::Encrypted(Scheme::Office));
    };
    let (list, whole) = records(&clear);
    Sheet::read(document, &list)?;
    ended.and(whole).map(|()| State::Readable(Scheme::Office))
}

/// All records, and whether they go to the stream's end.
fn records(stream: &[u8]) -> (Vec<Record<'_>>, Result<(), Reason>) {
    let mut list = Vec::new();
    let mut at = 0;
    while let Some((kind, length)) = u16_at(stream, at).zip(u16_at(stream, at + 2)) {
        // What fills the last sector.
        if kind == 0 && length == 0 {
            break;
        }
        let Some(content) = slice(stream, at + 4, usize::from(length)) else {
            return (list, Err(Reason::Damaged));
        };
        list.push(Record { kind, at: at + 4, content });
        at += 4 + usize::from(length);
    }
    let ended = list.last().is_some_and(|record| record.kind == EOF);
    (list, if ended { Ok(()) } else { Err(Reason::Damaged) })
}

fn version(list: &[Record<'_>]) -> u16 {
    list.iter()
        .find(|record| record.kind == BOF)
        .and_then(|record| u16_at(record.content, 0))
        .unwrap_or(0x0600)
}

/// The sheets while they are read.
struct Sheet<'d, 'r> {
    document: &'d mut Document<'r>,
    texts: Vec<String>,
    /// BIFF8, whose strings are UTF-16; before that they are octets.
    wide: bool,
    row: Option<u16>,
    columns: Columns,
    /// Row and column of a formula whose value follows as a text.
    pending: Option<[u8; 4]>,
    masks: Masks,
}

impl<'d, 'r> Sheet<'d, 'r> {
    fn read(document: &'d mut Document<'r>, list: &[Record<'_>]) -> Result<(), Reason> {
        let mut sheet = Self {
            document,
            texts: Vec::new(),
            wide: version(list) >= 0x0600,
            row: None,
            columns: Columns::default(),
            pending: None,
            masks: Masks::default(),
        };
        for (at, record) in list.iter().enumerate() {
            let rest = list.get(at + 1..).unwrap_or_default();
            let continued = rest.iter().take_while(|next| next.kind == CONTINUE).map(|next| next.content);
            sheet.record(record, continued)?;
        }
        sheet.document.text("\n")
    }

    fn record<'a>(
        &mut self,
        record: &Record<'a>,
        continued: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), Reason> {
        let content = record.content;
        match record.kind {
            BOF => self.new_row(None)?,
            SST => {
                let parts: Vec<&[u8]> = std::iter::once(content).chain(continued).collect();
                self.texts = shared::strings(&parts, self.document.budget());
            }
            BOUND_SHEET => {
                let name = content.get(6..).and_then(|name| self.short_text(name));
                self.line(&name.unwrap_or_default())?;
            }
            HEADER | FOOTER => {
                let text = if self.wide { wide_text(content) } else { self.short_text(content) };
                self.line(&text.unwrap_or_default())?;
            }
            // The comment's author; its text is a text box.
            NOTE => {
                let author = content.get(8..).and_then(|author| self.text(author));
                self.line(&author.unwrap_or_default())?;
            }
            TEXT_BOX => {
                let characters = u16_at(content, 10).unwrap_or(0);
                let text = if characters == 0 {
                    String::new()
                } else {
                    shared::text_box(usize::from(characters), continued)
                };
                self.line(&text)?;
            }
            LABEL_SST => {
                let index = u32_at(content, 6).and_then(|index| usize::try_from(index).ok());
                let text = index.and_then(|index| self.texts.get(index)).cloned();
                self.cell(content, &text.unwrap_or_default())?;
            }
            LABEL | RICH_STRING => {
                let text = content.get(6..).and_then(|text| self.text(text));
                self.cell(content, &text.unwrap_or_default())?;
            }
            STRING => {
                let text = self.text(content).unwrap_or_default();
                let place = self.pending.take().unwrap_or_default();
                self.cell(&place, &text)?;
            }
            _ => self.numbers(record)?,
        }
        Ok(())
    }

    /// Cells that are numbers, and what says how they look.
    fn numbers(&mut self, record: &Record<'_>) -> Result<(), Reason> {
        let content = record.content;
        match record.kind {
            FORMAT => {
                // Before BIFF8 a string has a length of one octet, after it of two.
                let code = content
                    .get(2..)
                    .and_then(|code| if self.wide { wide_text(code) } else { self.short_text(code) });
                if let (Some(id), Some(code)) = (u16_at(content, 0), code) {
                    self.masks.format(u32::from(id), &code);
                }
            }
            DATE_MODE => self.masks.since_1904 = u16_at(content, 0) == Some(1),
            XF => self.masks.style(u32::from(u16_at(content, 2).unwrap_or_default())),
            NUMBER => self.number(content, f64_at(content, 6))?,
            RK => self.number(content, u32_at(content, 6).map(rk))?,
            MUL_RK => {
                let cells = content.get(4..content.len().saturating_sub(2)).unwrap_or_default();
                let (row, first) = (u16_at(content, 0).unwrap_or(0), u16_at(content, 2).unwrap_or(0));
                for (column, cell) in (first..).zip(cells.chunks_exact(6)) {
                    // Each begins with its style, as a cell by itself does after row and column.
                    let style = cell.get(..2).unwrap_or_default();
                    let place = [&row.to_le_bytes()[..], &column.to_le_bytes(), style].concat();
                    self.number(&place, u32_at(cell, 2).map(rk))?;
                }
            }
            // Its value is a number, unless its last octets say that it follows as a text or is none.
            FORMULA if u16_at(content, 12) != Some(0xFFFF) => self.number(content, f64_at(content, 6))?,
            FORMULA => self.pending = content.first_chunk().copied(),
            _ => {}
        }
        Ok(())
    }

    /// A number in the mask of its style, whose number stands after row and column.
    fn number(&mut self, cell: &[u8], value: Option<f64>) -> Result<(), Reason> {
        let style = usize::from(u16_at(cell, 4).unwrap_or_default());
        self.cell(cell, &value.map(|value| self.masks.shown(style, value)).unwrap_or_default())
    }

    /// A cell's record begins with its row and column.
    fn cell(&mut self, content: &[u8], text: &str) -> Result<(), Reason> {
        self.new_row(u16_at(content, 0))?;
        let column = usize::from(u16_at(content, 2).unwrap_or_default());
        self.document.text(self.columns.gap(column))?;
        self.document.text(text)?;
        self.document.text("\t")
    }

    fn new_row(&mut self, row: Option<u16>) -> Result<(), Reason> {
        if self.row != row {
            self.document.text("\n")?;
            (self.row, self.columns) = (row, Columns::default());
        }
        Ok(())
    }

    fn line(&mut self, text: &str) -> Result<(), Reason> {
        if text.is_empty() {
            return Ok(());
        }
        self.new_row(None)?;
        self.document.text(text)?;
        self.document.text("\n")
    }

    /// A string with a length of two octets.
    fn text(&self, content: &[u8]) -> Option<String> {
        if self.wide {
            return wide_text(content);
        }
        let length = usize::from(u16_at(content, 0)?);
        Some(words::in_charset(b"windows-1252", slice(content, 2, length)?))
    }

    /// A string with a length of one octet.
    fn short_text(&self, content: &[u8]) -> Option<String> {
        let (length, rest) = content.split_first()?;
        let length = usize::from(*length);
        if self.wide {
            return characters(rest, length);
        }
        Some(words::in_charset(b"windows-1252", rest.get(..length)?))
    }
}

fn wide_text(content: &[u8]) -> Option<String> {
    characters(content.get(2..)?, usize::from(u16_at(content, 0)?))
}

/// A flag, then characters of one or of two octets.
fn characters(content: &[u8], length: usize) -> Option<String> {
    let (flags, rest) = content.split_first()?;
    if flags & 1 == 0 {
        return Some(rest.get(..length)?.iter().map(|octet| char::from(*octet)).collect());
    }
    Some(utf16(rest.get(..length * 2)?))
}

/// §2.5.122: a number in thirty bits.
pub(super) fn rk(value: u32) -> f64 {
    let whole = value & 2 != 0;
    let plain = if whole {
        f64::from(value.cast_signed() >> 2)
    } else {
        f64::from_bits(u64::from(value & 0xFFFF_FFFC) << 32)
    };
    if value & 1 != 0 { plain / 100.0 } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_thirty_bits() {
        let shown = |value| Masks::default().shown(0, rk(value));
        assert_eq!(shown(0x0000_0006), "1");
        assert_eq!(shown((8_112_289 << 2) | 2), "8112289");
        assert_eq!(shown(u32::MAX), "-0.01");
        assert_eq!(shown(0x3FF0_0000), "1");
        assert_eq!(Masks::default().shown(0, 198_112_289_874.0), "198112289874");
    }
}

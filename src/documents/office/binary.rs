//! Excel's binary workbooks (MS-XLSB): the parts that are records, and not XML, in an archive that is otherwise the
//! same.

#![deny(clippy::disallowed_methods)]

use super::sheet::Shared;
use crate::documents::columns::Columns;
use crate::documents::document::Document;
use crate::documents::excel::rk;
use crate::documents::masks::Masks;
use crate::documents::places::{f64_at, size_at, slice, u16_at, u32_at, utf16};
use crate::documents::{Reason, strings};

const ROW: u32 = 0;
const CELL_RK: u32 = 2;
const CELL_NUMBER: u32 = 5;
const CELL_TEXT: u32 = 6;
const CELL_SHARED: u32 = 7;
const FORMULA_TEXT: u32 = 8;
const FORMULA_NUMBER: u32 = 9;
const SHARED_ITEM: u32 = 19;
const PIVOT_NUMBER: u32 = 21;
const FORMAT: u32 = 44;
const STYLE: u32 = 47;
const CELL_RICH: u32 = 62;
const WORKBOOK_PROPERTIES: u32 = 153;
const BEGIN_CELL_STYLES: u32 = 617;
const END_CELL_STYLES: u32 = 618;
/// Where a cell's value begins: after column and style.
const VALUE: usize = 8;

/// The strings of the workbook.
pub(super) fn shared(part: &[u8]) -> Shared {
    let items = Records { rest: part }.filter(|record| record.kind == SHARED_ITEM);
    Shared::of(items.map(|item| text(item.content, 1).unwrap_or_default()).collect())
}

/// The masks of its styles.
pub(super) fn masks(part: &[u8]) -> Masks {
    let mut masks = Masks::default();
    let mut of_cells = false;
    for record in (Records { rest: part }) {
        match record.kind {
            FORMAT => {
                if let (Some(id), Some(code)) = (u16_at(record.content, 0), text(record.content, 2)) {
                    masks.format(u32::from(id), &code);
                }
            }
            BEGIN_CELL_STYLES => of_cells = true,
            END_CELL_STYLES => of_cells = false,
            STYLE if of_cells => masks.style(u32::from(u16_at(record.content, 2).unwrap_or_default())),
            _ => {}
        }
    }
    masks
}

/// Whether the workbook counts its days from 1904 (MS-XLSB 2.4.822).
pub(super) fn is_since_1904(workbook: &[u8]) -> bool {
    let mut records = Records { rest: workbook };
    records.any(|record| {
        record.kind == WORKBOOK_PROPERTIES && record.content.first().is_some_and(|flags| flags & 1 == 1)
    })
}

/// Reads a part: the cells of a sheet in rows; of other records, whatever is written in them.
pub(super) fn read(
    document: &mut Document<'_>,
    part: &[u8],
    shared: &Shared,
    masks: &Masks,
) -> Result<(), Reason> {
    let mut records = Records { rest: part };
    let mut columns = Columns::default();
    for record in records.by_ref() {
        let content = record.content;
        let number = |value: Option<f64>| {
            let style = u32_at(content, 4).map_or(0, |style| style & 0xFF_FFFF);
            value.map(|value| masks.shown(usize::try_from(style).unwrap_or_default(), value))
        };
        let cell = match record.kind {
            ROW => {
                document.text("\n")?;
                columns = Columns::default();
                continue;
            }
            CELL_RK => number(u32_at(content, VALUE).map(rk)),
            CELL_NUMBER | FORMULA_NUMBER => number(f64_at(content, VALUE)),
            PIVOT_NUMBER => f64_at(content, 0).map(|value| Masks::default().shown(0, value)),
            CELL_TEXT | FORMULA_TEXT => text(content, VALUE),
            CELL_RICH => text(content, VALUE + 1),
            CELL_SHARED => size_at(content, VALUE).map(|number| shared.get(number).to_owned()),
            _ => {
                strings::runs_of(document, content)?;
                continue;
            }
        };
        if record.kind != PIVOT_NUMBER {
            document.text(columns.gap(size_at(content, 0).unwrap_or_default()))?;
        }
        document.text(&cell.unwrap_or_default())?;
        document.text("\t")?;
    }
    document.text("\n")?;
    if records.rest.is_empty() { Ok(()) } else { Err(Reason::Damaged) }
}

/// A string: its length in characters, and these in UTF-16.
fn text(content: &[u8], at: usize) -> Option<String> {
    let length = size_at(content, at)?.checked_mul(2)?;
    slice(content, at + 4, length).map(utf16)
}

/// Records one after the other (§2.1.4): kind and length in octets of seven bits.
struct Records<'a> {
    rest: &'a [u8],
}

struct Record<'a> {
    kind: u32,
    content: &'a [u8],
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    /// What follows a record that is none stays in `rest`.
    fn next(&mut self) -> Option<Record<'a>> {
        let (first, mut rest) = self.rest.split_first()?;
        let mut kind = u32::from(*first);
        if first & 0x80 != 0 {
            let (second, after) = rest.split_first()?;
            kind = kind & 0x7F | u32::from(second & 0x7F) << 7;
            rest = after;
        }
        let mut length = 0_usize;
        for shift in [0, 7, 14, 21] {
            let (octet, after) = rest.split_first()?;
            rest = after;
            length |= usize::from(octet & 0x7F) << shift;
            if octet & 0x80 == 0 {
                break;
            }
        }
        let (content, after) = rest.split_at_checked(length)?;
        self.rest = after;
        Some(Record { kind, content })
    }
}

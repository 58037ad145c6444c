//! A workbook: texts, numbers and dates, a filter, a head that stays, and a new sheet where one is full. Rows go to the
//! disk as they come, so memory does not grow with them.

use std::borrow::Cow;
use std::io::{self, Write};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rust_xlsxwriter::{
    Color, DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, IgnoreError, Workbook, XlsxError,
};

use super::column::Shown;
use super::line::Cell;
use super::shape::{Look, Shape};
use super::{Heading, Line, visible};
use crate::record::columns::Value;

/// Rows of a sheet, its head among them: Excel has no more.
const ROWS: u32 = 1 << 20;
/// UTF-16 units of a cell: Excel has no more.
const CELL_UNITS: usize = 32_767;
/// A file that is being written.
pub struct Writer<W: Write> {
    out: W,
    book: Workbook,
    head: Format,
    text: Format,
    number: Format,
    time: Format,
    rows_at_most: u32,
    shape: Shape,
    /// The sheet that is being written, and its next row.
    sheet: usize,
    row: u32,
    cut: u64,
}

impl<W: Write + Send> Writer<W> {
    /// Begins a file.
    pub fn start(out: W, heading: &Heading<'_>) -> io::Result<Self> {
        Self::with_rows(out, heading, ROWS)
    }

    fn with_rows(out: W, heading: &Heading<'_>, rows_at_most: u32) -> io::Result<Self> {
        let mut book = Workbook::new();
        // What is written before the end goes beside the file, where its reader keeps it, and has no name there.
        book.set_tempdir(heading.scratch).map_err(fault)?;
        // The same records make the same file on any day, so that its proof can be checked.
        let made = ExcelDateTime::from_ymd(2000, 1, 1).map_err(fault)?;
        book.set_properties(&DocProperties::new().set_creation_datetime(&made));
        let head = Format::new()
            .set_bold()
            .set_background_color(Color::RGB(0x00E4_E9F0))
            .set_border_bottom(FormatBorder::Thin);
        // `@`: a cell that somebody edits later is text, too.
        let text = Format::new().set_num_format("@");
        let shape = heading.shape.clone();
        let (mut text, number, time) = (
            text,
            Format::new().set_num_format("0"),
            Format::new().set_num_format("yyyy-mm-dd hh:mm:ss.000"),
        );
        if fits_a_page(&shape) {
            text = text.set_text_wrap().set_align(FormatAlign::Top);
        }
        let (sheet, row, cut) = (0, 0, 0);
        let mut writer = Self { out, book, head, text, number, time, rows_at_most, shape, sheet, row, cut };
        writer.add_sheet().map_err(fault)?;
        Ok(writer)
    }

    /// Adds a record.
    pub fn add(&mut self, line: &Line<'_>) -> io::Result<()> {
        if self.row == self.rows_at_most {
            self.end_sheet().map_err(fault)?;
            self.sheet += 1;
            self.add_sheet().map_err(fault)?;
        }
        match self.shape.look {
            Look::Former => self.write_texts(&line.cells()).map_err(fault),
            Look::Present => self.write(line).map_err(fault),
        }
    }

    /// Writes what is left and gives the output back, and how many cells were too long for Excel.
    pub fn finish(mut self) -> io::Result<(W, u64)> {
        self.end_sheet().map_err(fault)?;
        self.book.save_to_writer(&mut self.out).map_err(fault)?;
        self.out.flush()?;
        Ok((self.out, self.cut))
    }

    fn add_sheet(&mut self) -> Result<(), XlsxError> {
        let name = if self.sheet == 0 { "Logg".to_owned() } else { format!("Logg {}", self.sheet + 1) };
        let sheet = self.book.add_worksheet_with_constant_memory()?;
        sheet.set_name(name)?.set_landscape().set_paper_size(9);
        if self.shape.look == Look::Former || fits_a_page(&self.shape) {
            sheet.set_print_fit_to_pages(1, 0);
        } else {
            // So many columns on one page could not be read.
            sheet.set_print_scale(70).set_repeat_columns(0, 0)?;
        }
        if self.shape.look == Look::Present {
            sheet.set_footer("&L&F&RSida &P av &N");
        }
        sheet.set_freeze_panes(1, 0)?.set_repeat_rows(0, 0)?;
        for (at, column) in (0..).zip(&self.shape.columns) {
            sheet.set_column_width(at, column.width())?;
            sheet.write_string_with_format(0, at, self.shape.headings.of(*column), &self.head)?;
        }
        self.row = 1;
        Ok(())
    }

    fn end_sheet(&mut self) -> Result<(), XlsxError> {
        let last = self.row.saturating_sub(1);
        let columns = u16::try_from(self.shape.columns.len().saturating_sub(1)).unwrap_or(u16::MAX);
        let sheet = self.book.worksheet_from_index(self.sheet)?;
        sheet.autofilter(0, 0, last, columns)?;
        // Ids are text on purpose; Excel need not mark each of them.
        sheet.ignore_error_range(0, 0, last, columns, IgnoreError::NumberStoredAsText)?;
        Ok(())
    }

    fn write_texts(&mut self, cells: &[Cow<'_, str>]) -> Result<(), XlsxError> {
        for (column, cell) in (0..).zip(cells) {
            self.write_text(column, cell)?;
        }
        self.row += 1;
        Ok(())
    }

    fn write_text(&mut self, column: u16, cell: &str) -> Result<(), XlsxError> {
        let shown = visible(cell);
        let fitting = fitting(&shown);
        self.cut += u64::from(matches!(fitting, Cow::Owned(_)));
        if !fitting.is_empty() {
            let sheet = self.book.worksheet_from_index(self.sheet)?;
            sheet.write_string_with_format(self.row, column, fitting, &self.text)?;
        }
        Ok(())
    }

    /// Times and numbers are such, so that they can be summed and filtered by.
    fn write(&mut self, line: &Line<'_>) -> Result<(), XlsxError> {
        let shape = std::mem::take(&mut self.shape.columns);
        for (column, shown) in (0..).zip(&shape) {
            if let Some(zone) = zone_of(*shown, line.zone) {
                let time = excel(zone.to_datetime(line.found.record.time))?;
                let sheet = self.book.worksheet_from_index(self.sheet)?;
                sheet.write_datetime_with_format(self.row, column, &time, &self.time)?;
                continue;
            }
            match line.cell(*shown) {
                Cell::Number(number) => self.write_number(column, number)?,
                Cell::Numbers(numbers) if numbers.len() == 1 => {
                    self.write_number(column, numbers.first().copied().unwrap_or_default())?;
                }
                other => self.write_text(column, &other.text())?,
            }
        }
        self.shape.columns = shape;
        self.row += 1;
        Ok(())
    }

    /// A workbook's numbers are exact to 15 digits; sizes have no more.
    fn write_number(&mut self, column: u16, number: u64) -> Result<(), XlsxError> {
        let sheet = self.book.worksheet_from_index(self.sheet)?;
        sheet.write_number_with_format(self.row, column, number as f64, &self.number).map(drop)
    }
}

/// The zone in which a column shows a time, if it shows one.
fn zone_of(shown: Shown, zone: &TimeZone) -> Option<TimeZone> {
    match shown {
        Shown::TimeUtc => Some(TimeZone::UTC),
        Shown::Column(column) if matches!(column.value, Value::Time) => Some(zone.clone()),
        Shown::Column(_)
        | Shown::Record
        | Shown::Sizes
        | Shown::Delivery
        | Shown::DeliveryTime
        | Shown::DeliveryTls => None,
    }
}

fn excel(time: DateTime) -> Result<ExcelDateTime, XlsxError> {
    let year = u16::try_from(time.year()).unwrap_or_default();
    let [month, day, hour, minute, second] =
        [time.month(), time.day(), time.hour(), time.minute(), time.second()].map(i8::unsigned_abs);
    let milliseconds = time.millisecond().unsigned_abs();
    ExcelDateTime::from_ymd(year, month, day)?.and_hms_milli(hour.into(), minute, second, milliseconds)
}

/// Columns that can be read side by side on A4.
const PAGE_COLUMNS: usize = 8;

fn fits_a_page(shape: &Shape) -> bool {
    shape.look == Look::Present && shape.columns.len() <= PAGE_COLUMNS
}

/// The text, or as much of it as a cell holds and how much is missing.
fn fitting(text: &str) -> Cow<'_, str> {
    if text.len() <= CELL_UNITS || text.encode_utf16().count() <= CELL_UNITS {
        return Cow::Borrowed(text);
    }
    let (mut units, room) = (0, CELL_UNITS - 80);
    let kept: String = text
        .chars()
        .take_while(|c| {
            units += c.len_utf16();
            units <= room
        })
        .collect();
    let missing = text.chars().count() - kept.chars().count();
    Cow::Owned(format!("{kept}… [{missing} tecken till får inte plats i en cell; se CSV]"))
}

fn fault(error: XlsxError) -> io::Error {
    match error {
        XlsxError::IoError(error) => error,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::super::tests::{found, heading};
    use super::*;

    fn book(subjects: &[&str], rows: u32) -> (Vec<u8>, u64) {
        let zone = TimeZone::get("Europe/Stockholm").unwrap();
        let mut writer = Writer::with_rows(Vec::new(), &heading(), rows).unwrap();
        for subject in subjects {
            writer.add(&Line::new(&found(subject), &zone)).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn a_full_sheet_is_followed_by_another() {
        let (octets, cut) = book(&["a", "b", "c", "=1+1", "e"], 3);
        assert!(octets.starts_with(b"PK") && cut == 0);
        let sheets =
            |octets: &[u8]| octets.windows(15).filter(|name| name.starts_with(b"worksheets/shee")).count();
        // Each name stands before the file in the archive and in its directory.
        assert_eq!(sheets(&octets), 2 * 3);
        assert_eq!(sheets(&book(&[], 3).0), 2);
    }

    #[test]
    fn what_no_cell_holds_is_cut_and_counted() {
        let long = "å".repeat(40_000);
        assert_eq!(book(&[&long], ROWS).1, 1);
        let cell = fitting(&long);
        assert!(
            cell.encode_utf16().count() <= CELL_UNITS
                && cell.ends_with("7313 tecken till får inte plats i en cell; se CSV]"),
            "{}",
            &cell[cell.len() - 80..]
        );
        assert_eq!(fitting(&long[..60_000]).len(), 60_000);
    }
}

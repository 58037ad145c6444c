//! Text that has tables in it: a row is a line, and its cells stand under their headings, also where some are empty.

#![deny(clippy::disallowed_methods)]

use crate::limits;

/// Tabs for cells that are empty.
const TABS: &str = "\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t";

/// What stands for so many empty cells.
pub(crate) fn gap(cells: usize) -> &'static str {
    TABS.get(..cells.min(limits::ROW_GAP_CELLS)).unwrap_or(TABS)
}

/// A text while it is written.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    out: String,
    place: Place,
    /// Columns of the cell.
    span: usize,
    /// Empty cells that nothing stands behind yet.
    gap: usize,
    /// Whether a line of the cell ended, and another may follow.
    line: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Outside,
    /// In a row, between cells.
    Row,
    Empty,
    Cell,
}

impl Cells {
    pub(crate) fn with_capacity(octets: usize) -> Self {
        Self { out: String::with_capacity(octets), ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    pub(crate) fn into_text(self) -> String {
        self.out
    }

    /// Text, whose lines are no lines of a cell.
    pub(crate) fn text(&mut self, text: &str) {
        let blank = text.trim_ascii().is_empty();
        match self.place {
            Place::Empty | Place::Row if blank => return,
            Place::Cell if blank && self.line => return,
            Place::Empty => self.out.push_str(gap(std::mem::take(&mut self.gap))),
            Place::Cell if self.line => self.out.push('\n'),
            Place::Row => self.place = Place::Outside,
            Place::Cell | Place::Outside => {}
        }
        self.line = false;
        match self.place {
            Place::Empty | Place::Cell if text.contains(['\n', '\r']) => {
                let text = if self.place == Place::Empty { text.trim_ascii_start() } else { text };
                self.out.extend(text.chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }));
            }
            _ => self.out.push_str(text),
        }
        if self.place == Place::Empty {
            self.place = Place::Cell;
        }
    }

    /// A line ends; the last one of a cell ends with it.
    pub(crate) fn line(&mut self) {
        match self.place {
            Place::Cell => self.line = true,
            Place::Empty => {}
            Place::Row | Place::Outside => self.end_with('\n'),
        }
    }

    /// What a tabulator stands for.
    pub(crate) fn tab(&mut self) {
        match self.place {
            Place::Cell | Place::Empty => self.text(" "),
            Place::Row | Place::Outside => self.end_with('\t'),
        }
    }

    /// A cell begins, over so many columns; one that has no end ends here.
    pub(crate) fn cell(&mut self, span: usize) {
        if matches!(self.place, Place::Cell | Place::Empty) {
            self.end_cell();
        }
        (self.place, self.span, self.line) = (Place::Empty, span, false);
    }

    /// It is said later over how many columns the cell stands.
    pub(crate) fn span(&mut self, span: usize) {
        self.span = span;
    }

    pub(crate) fn end_cell(&mut self) {
        let span = self.span.clamp(1, limits::ROW_GAP_CELLS);
        match self.place {
            Place::Empty => self.gap += span,
            Place::Cell => {
                self.out.push('\t');
                self.gap = span - 1;
            }
            // The cell had a table in it.
            Place::Row | Place::Outside => self.end_with('\t'),
        }
        (self.place, self.line) = (Place::Row, false);
    }

    /// A row begins or ends.
    pub(crate) fn row(&mut self) {
        if matches!(self.place, Place::Cell | Place::Empty) {
            self.end_cell();
        }
        self.end_with('\n');
        (self.place, self.gap) = (Place::Row, 0);
    }

    fn end_with(&mut self, separator: char) {
        if !self.out.is_empty() && !self.out.ends_with(['\n', separator]) {
            self.out.push(separator);
        }
    }
}

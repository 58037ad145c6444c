//! What covers a page: pictures, paths that look like letters, and text. A page is an image if pictures cover much of
//! it and little text stands there, since what a picture shows may be text.

#![deny(clippy::disallowed_methods)]

use super::geometry::Rect;
use crate::limits;

/// Cells of a page of A4 are about four millimetres wide and high: a line of text.
const COLUMNS: usize = 50;
const ROWS: usize = 70;

/// What covers a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    /// That many characters.
    Text(usize),
    /// A picture in black and white, as scanners make them and cameras do not.
    Bilevel,
    /// Any other picture.
    Picture,
    /// Paths that look like a letter.
    Outline,
}

#[derive(Clone, Copy, Default)]
struct Cell {
    characters: f64,
    bilevel: bool,
    picture: bool,
    outline: bool,
}

/// The visible part of a page in cells.
pub(super) struct Cover {
    page: Rect,
    cells: Vec<Cell>,
    /// Whether anything but text is on it.
    more: bool,
}

impl Cover {
    pub(super) fn new(page: Rect) -> Self {
        Self { page, cells: vec![Cell::default(); COLUMNS * ROWS], more: false }
    }

    /// Something covers this place.
    pub(super) fn mark(&mut self, layer: Layer, place: Rect) {
        let visible = place.within(self.page);
        if self.page.is_empty() || visible.is_empty() {
            return;
        }
        let (wide, high) = (self.page.width() / cells(COLUMNS), self.page.height() / cells(ROWS));
        // A picture covers the cells whose middle it covers, so that strips cover as much as the whole would.
        let (from, to) = match layer {
            Layer::Bilevel | Layer::Picture => (0.5, -0.5),
            Layer::Text(_) | Layer::Outline => (0.0, 0.0),
        };
        let columns = span(
            (visible.left - self.page.left) / wide + from,
            (visible.right - self.page.left) / wide + to,
            COLUMNS,
        );
        let rows = span(
            (visible.bottom - self.page.bottom) / high + from,
            (visible.top - self.page.bottom) / high + to,
            ROWS,
        );
        self.more |= !matches!(layer, Layer::Text(_));
        let share = cells(columns.len() * rows.len());
        for row in rows {
            for cell in self.cells.iter_mut().skip(row * COLUMNS + columns.start).take(columns.len()) {
                match layer {
                    Layer::Text(characters) => cell.characters += cells(characters) / share,
                    Layer::Bilevel => cell.bilevel = true,
                    Layer::Picture => cell.picture = true,
                    Layer::Outline => cell.outline = true,
                }
            }
        }
    }

    /// Whether the page is an image, or has one that is a page.
    pub(super) fn is_image(&self) -> bool {
        if !self.more {
            return false;
        }
        let text = self.near_text();
        let open = |is: fn(&Cell) -> bool| {
            let open = self.cells.iter().zip(&text).filter(|(cell, text)| is(cell) && !**text);
            cells(open.count()) / cells(COLUMNS * ROWS)
        };
        let characters: f64 = self.cells.iter().map(|cell| cell.characters).sum();
        let over_bilevel: f64 =
            self.cells.iter().filter(|cell| cell.bilevel).map(|cell| cell.characters).sum();
        let hides = |open: f64, characters: f64| {
            open > limits::PDF_PAGE_IMAGE && characters < limits::PDF_PAGE_CHARACTERS * open
        };
        let outlines = self.cells.iter().filter(|cell| cell.outline).count();
        hides(open(|cell| cell.bilevel || cell.picture), characters)
            || hides(open(|cell| cell.bilevel), over_bilevel)
            || outlines >= limits::PDF_PAGE_OUTLINES && characters < 2.0 * cells(outlines)
    }

    /// Which cells have text, or stand beside one that has.
    fn near_text(&self) -> Vec<bool> {
        let mut near = vec![false; self.cells.len()];
        for (at, _) in self.cells.iter().enumerate().filter(|(_, cell)| cell.characters > 0.0) {
            let (row, column) = (at / COLUMNS, at % COLUMNS);
            for row in row.saturating_sub(1)..(row + 2).min(ROWS) {
                for column in column.saturating_sub(1)..(column + 2).min(COLUMNS) {
                    if let Some(near) = near.get_mut(row * COLUMNS + column) {
                        *near = true;
                    }
                }
            }
        }
        near
    }
}

#[allow(clippy::cast_precision_loss, reason = "there are a few thousand cells")]
fn cells(count: usize) -> f64 {
    count as f64
}

/// The cells from the one place to the other.
fn span(from: f64, to: f64, count: usize) -> std::ops::Range<usize> {
    let end = cells(count);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between zero and the number of cells"
    )]
    let (first, last) = (from.floor().clamp(0.0, end) as usize, to.ceil().clamp(0.0, end) as usize);
    first..last.max(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: Rect = Rect { left: 0.0, bottom: 0.0, right: 595.0, top: 842.0 };

    fn covered(marks: &[(Layer, [f64; 4])]) -> bool {
        let mut cover = Cover::new(PAGE);
        for (layer, corners) in marks {
            cover.mark(*layer, Rect::of(corners).unwrap());
        }
        cover.is_image()
    }

    #[test]
    fn what_is_an_image() {
        let whole = [0.0, 0.0, 595.0, 842.0];
        let line = |y: f64| (Layer::Text(70), [60.0, y, 500.0, y + 10.0]);
        let lines = |count: u8| (0..count).map(|number| line(780.0 - 16.0 * f64::from(number)));
        let with =
            |layer, corners, count| [(layer, corners)].into_iter().chain(lines(count)).collect::<Vec<_>>();
        let strips = |height: f64| {
            let mut y = 0.0;
            let mut all = Vec::new();
            while y < 842.0 {
                all.push((Layer::Picture, [0.0, y, 595.0, y + height]));
                y += height;
            }
            all
        };
        for (marks, image) in [
            (with(Layer::Picture, whole, 0), true),
            (with(Layer::Picture, whole, 1), true),
            (with(Layer::Picture, whole, 6), false),
            (with(Layer::Picture, [60.0, 760.0, 180.0, 820.0], 0), false),
            (with(Layer::Picture, [0.0, 0.0, 595.0, 300.0], 20), false),
            // A scan under a text is one all the same.
            (with(Layer::Bilevel, [0.0, 0.0, 595.0, 400.0], 20), true),
            (with(Layer::Bilevel, [60.0, 100.0, 120.0, 160.0], 20), false),
            (with(Layer::Outline, [60.0, 700.0, 120.0, 760.0], 6), false),
            (with(Layer::Outline, [60.0, 700.0, 500.0, 760.0], 0), true),
            (with(Layer::Picture, [900.0, 0.0, 2000.0, 842.0], 0), false),
            (strips(4.0), true),
            (strips(50.0), true),
            (lines(3).collect(), false),
        ] {
            assert_eq!(covered(&marks), image, "{marks:?}");
        }
    }
}

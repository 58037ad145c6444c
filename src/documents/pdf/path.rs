//! Paths: where they are, and which of their parts look like letters. Drawing programs write text so.

#![deny(clippy::disallowed_methods)]

use super::geometry::Rect;
use crate::limits;

/// Straight lines in a closed shape from which on it is more than a frame or an arrow.
const LINES: usize = 6;

/// The path that is under construction, in the units of the page.
#[derive(Default)]
pub(super) struct Path {
    bounds: Option<Rect>,
    part: Option<Part>,
    letters: Vec<Rect>,
}

/// What stands between two `m`.
struct Part {
    bounds: Rect,
    lines: usize,
    curved: bool,
}

/// Whether something has the size of a letter: from two points to half an inch.
pub(super) fn is_letter(place: Rect) -> bool {
    (2.0..40.0).contains(&place.height()) && (1.0..60.0).contains(&place.width())
}

impl Path {
    pub(super) fn begin(&mut self, (x, y): (f64, f64)) {
        self.end_part();
        self.part = Some(Part { bounds: Rect::point(x, y), lines: 0, curved: false });
        self.widen(Rect::point(x, y));
    }

    pub(super) fn line(&mut self, (x, y): (f64, f64)) {
        self.add(x, y, |part| part.lines += 1);
    }

    pub(super) fn curve(&mut self, points: &[(f64, f64)]) {
        for (x, y) in points {
            self.add(*x, *y, |part| part.curved = true);
        }
    }

    pub(super) fn rectangle(&mut self, rect: Rect) {
        self.end_part();
        self.widen(rect);
    }

    fn add(&mut self, x: f64, y: f64, note: impl FnOnce(&mut Part)) {
        if let Some(part) = &mut self.part {
            part.bounds = part.bounds.with(x, y);
            note(part);
        }
        self.widen(Rect::point(x, y));
    }

    fn widen(&mut self, by: Rect) {
        let all = self.bounds.map_or(by, |all| all.with(by.left, by.bottom).with(by.right, by.top));
        self.bounds = Some(all);
    }

    fn end_part(&mut self) {
        if let Some(part) = self.part.take()
            && (part.curved || part.lines >= LINES)
            && is_letter(part.bounds)
            && self.letters.len() < limits::PDF_LETTERS
        {
            self.letters.push(part.bounds);
        }
    }

    /// The rectangle around all of it.
    pub(super) fn bounds(&self) -> Option<Rect> {
        self.bounds
    }

    /// Its parts that look like letters.
    pub(super) fn letters(mut self) -> Vec<Rect> {
        self.end_part();
        self.letters
    }
}

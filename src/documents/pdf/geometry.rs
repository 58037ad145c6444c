//! Places on a page: transformations and rectangles (ISO 32000-2 §8.3).

#![deny(clippy::disallowed_methods)]

use super::object::Object;

/// A transformation: `[a b c d e f]` (§8.3.3).
pub(super) type Matrix = [f64; 6];

pub(super) const IDENTITY: Matrix = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];

/// The transformation that these operands are.
pub(super) fn matrix(numbers: &[Object]) -> Matrix {
    std::array::from_fn(|at| numbers.get(at).and_then(Object::number).unwrap_or_default())
}

/// First the one, then the other.
pub(super) fn times(first: &Matrix, then: &Matrix) -> Matrix {
    let apply = |x: f64, y: f64| (x * then[0] + y * then[2], x * then[1] + y * then[3]);
    let (along, across) = (apply(first[0], first[1]), apply(first[2], first[3]));
    let moved = apply(first[4], first[5]);
    [along.0, along.1, across.0, across.1, moved.0 + then[4], moved.1 + then[5]]
}

/// Where the transformation takes a point.
pub(super) fn moved(x: f64, y: f64, by: &Matrix) -> (f64, f64) {
    (x * by[0] + y * by[2] + by[4], x * by[1] + y * by[3] + by[5])
}

/// What undoes the transformation, if anything does.
pub(super) fn inverse(of: &Matrix) -> Option<Matrix> {
    let determinant = of[0] * of[3] - of[1] * of[2];
    (determinant.abs() > f64::MIN_POSITIVE).then(|| {
        let turned = [of[3], -of[1], -of[2], of[0], 0.0, 0.0].map(|part| part / determinant);
        let (x, y) = moved(of[4], of[5], &turned);
        [turned[0], turned[1], turned[2], turned[3], -x, -y]
    })
}

/// How glyphs of one size stand, wherever that is.
pub(super) struct Upright {
    along: (f64, f64),
    up: (f64, f64),
    /// How long an em is on its line.
    pub(super) length: f64,
    /// How high a glyph of one em is.
    pub(super) height: f64,
}

impl Upright {
    pub(super) fn of(place: &Matrix) -> Self {
        let (along, up) = ((place[0], place[1]), (place[2], place[3]));
        let length = along.0.hypot(along.1).max(f64::MIN_POSITIVE);
        Self { along, up, length, height: up.0.hypot(up.1) }
    }

    /// How far a point is along the line that the glyphs stand on, and away from it.
    pub(super) fn turned(&self, dx: f64, dy: f64) -> (f64, f64) {
        let (along, across) = self.along;
        ((dx * along + dy * across) / self.length, (dy * along - dx * across) / self.length)
    }

    /// The rectangle around a glyph of this width at a place.
    pub(super) fn em(&self, width: f64, x: f64, y: f64) -> Rect {
        let (left, right) = ends(self.along.0 * width, self.up.0);
        let (bottom, top) = ends(self.along.1 * width, self.up.1);
        Rect { left: x + left, bottom: y + bottom, right: x + right, top: y + top }
    }
}

/// The least and the most of what a glyph reaches, from a fifth of an em below its line.
fn ends(along: f64, up: f64) -> (f64, f64) {
    const BELOW: f64 = -0.2;
    const ABOVE: f64 = 0.8;
    let (low, high) = if up < 0.0 { (up * ABOVE, up * BELOW) } else { (up * BELOW, up * ABOVE) };
    if along < 0.0 { (along + low, high) } else { (low, along + high) }
}

/// A rectangle whose sides are those of the page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rect {
    pub(super) left: f64,
    pub(super) bottom: f64,
    pub(super) right: f64,
    pub(super) top: f64,
}

impl Rect {
    pub(super) fn point(x: f64, y: f64) -> Self {
        Self { left: x, bottom: y, right: x, top: y }
    }

    /// Four numbers: two corners that face one another.
    pub(super) fn of(corners: &[f64]) -> Option<Self> {
        let [x, y, far_x, far_y] = *corners.first_chunk()?;
        Some(Self::point(x, y).with(far_x, far_y))
    }

    /// The smallest rectangle around this one and the point.
    pub(super) fn with(self, x: f64, y: f64) -> Self {
        Self {
            left: self.left.min(x),
            bottom: self.bottom.min(y),
            right: self.right.max(x),
            top: self.top.max(y),
        }
    }

    /// The smallest rectangle around both.
    pub(super) fn around(self, other: Self) -> Self {
        let least = |one: f64, other: f64| if other < one { other } else { one };
        let most = |one: f64, other: f64| if other > one { other } else { one };
        Self {
            left: least(self.left, other.left),
            bottom: least(self.bottom, other.bottom),
            right: most(self.right, other.right),
            top: most(self.top, other.top),
        }
    }

    /// What both have in common; it may be empty.
    pub(super) fn within(self, other: Self) -> Self {
        Self {
            left: self.left.max(other.left),
            bottom: self.bottom.max(other.bottom),
            right: self.right.min(other.right),
            top: self.top.min(other.top),
        }
    }

    /// The smallest rectangle around what the transformation makes of it.
    pub(super) fn moved(self, by: &Matrix) -> Self {
        let corner = |x, y| moved(x, y, by);
        let (x, y) = corner(self.left, self.bottom);
        [corner(self.right, self.bottom), corner(self.left, self.top), corner(self.right, self.top)]
            .into_iter()
            .fold(Self::point(x, y), |all, (x, y)| all.with(x, y))
    }

    pub(super) fn width(self) -> f64 {
        self.right - self.left
    }

    pub(super) fn height(self) -> f64 {
        self.top - self.bottom
    }

    pub(super) fn is_empty(self) -> bool {
        !(self.width() > 0.0 && self.height() > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transformation_is_undone() {
        let matrix = [2.0, 0.5, -1.0, 3.0, 40.0, -7.0];
        let undone = times(&matrix, &inverse(&matrix).unwrap());
        for (is, should) in undone.iter().zip(IDENTITY) {
            assert!((is - should).abs() < 1e-9, "{undone:?}");
        }
        assert_eq!(inverse(&[1.0, 2.0, 2.0, 4.0, 0.0, 0.0]), None);
        let turned = Rect::of(&[0.0, 0.0, 2.0, 1.0]).unwrap().moved(&[0.0, 1.0, -1.0, 0.0, 0.0, 0.0]);
        assert_eq!((turned.width(), turned.height()), (1.0, 2.0));
    }
}

//! Pictures that are pages: a scanner, a camera program or a fax machine made them, and what they show may be text.

#![deny(clippy::disallowed_methods)]

use crate::limits;

/// A picture's size, as far as it tells whether it is a page.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shape {
    width: u32,
    height: u32,
    /// How much higher than wide one pixel is; fax machines have no square ones.
    stretch: f64,
    /// Black and white, as only scanners and fax machines make it.
    bilevel: bool,
}

impl Shape {
    fn square(width: u32, height: u32) -> Self {
        Self { width, height, stretch: 1.0, bilevel: false }
    }

    /// Whether it is fine enough for text, and bilevel or of the proportions of A4 (1.41) or US Letter (1.29), upright or
    /// lying. Cameras use 1.33 and 1.50.
    fn is_page(self) -> bool {
        let (wide, high) = (f64::from(self.width), f64::from(self.height) * self.stretch);
        let (short, long) = if wide < high { (wide, high) } else { (high, wide) };
        if short < limits::PAGE_PIXELS {
            return false;
        }
        let close = |paper: f64| (long / short - paper).abs() < paper * limits::PAGE_TOLERANCE;
        self.bilevel || close(std::f64::consts::SQRT_2) || close(11.0 / 8.5)
    }
}

/// Whether a picture is a page.
pub(super) fn is_page(bytes: &[u8]) -> bool {
    let shapes = match bytes.get(..4) {
        Some([0x89, b'P', b'N', b'G']) => png(bytes).into_iter().collect(),
        Some([0xFF, 0xD8, 0xFF, _]) => jpeg(bytes).into_iter().collect(),
        Some(b"II*\0" | b"MM\0*") => tiff(bytes),
        Some([b'B', b'M', ..]) => bmp(bytes).into_iter().collect(),
        _ => Vec::new(),
    };
    shapes.into_iter().any(Shape::is_page)
}

/// Whether a picture that begins so is a page, if its beginning tells: what says the size may stand further on.
pub(crate) fn begins_as_page(beginning: &[u8]) -> Option<bool> {
    match beginning.get(..4) {
        Some([0xFF, 0xD8, 0xFF, _]) => jpeg(beginning).map(Shape::is_page),
        Some(b"II*\0" | b"MM\0*") => None,
        _ => Some(is_page(beginning)),
    }
}

fn u16_be(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|octets| u16::from_be_bytes(*octets))
}

fn u32_be(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|octets| u32::from_be_bytes(*octets))
}

/// The first chunk says it.
fn png(bytes: &[u8]) -> Option<Shape> {
    let shape = Shape::square(u32_be(bytes, 16)?, u32_be(bytes, 20)?);
    Some(Shape { bilevel: bytes.get(24) == Some(&1) && bytes.get(25) == Some(&0), ..shape })
}

/// The frame says it, which stands behind segments of any length. Where there is none, the picture is nothing.
fn jpeg(bytes: &[u8]) -> Option<Shape> {
    let mut at = 2;
    loop {
        let [0xFF, kind] = bytes.get(at..)?.first_chunk()? else { return Some(Shape::square(0, 0)) };
        match kind {
            0xFF => at += 1,
            0x01 | 0xD0..=0xD8 => at += 2,
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                return Some(Shape::square(u16_be(bytes, at + 7)?.into(), u16_be(bytes, at + 5)?.into()));
            }
            _ => at += 2 + usize::from(u16_be(bytes, at + 2)?),
        }
    }
}

fn bmp(bytes: &[u8]) -> Option<Shape> {
    let number = |at: usize| bytes.get(at..)?.first_chunk().map(|octets| i32::from_le_bytes(*octets));
    let shape = Shape::square(number(18)?.unsigned_abs(), number(22)?.unsigned_abs());
    Some(Shape { bilevel: bytes.get(28) == Some(&1), ..shape })
}

/// One for each page of the file (TIFF 6.0, section 2).
fn tiff(bytes: &[u8]) -> Vec<Shape> {
    let little = bytes.starts_with(b"II");
    let short = |at: usize| {
        let octets: [u8; 2] = *bytes.get(at..)?.first_chunk()?;
        Some(if little { u16::from_le_bytes(octets) } else { u16::from_be_bytes(octets) })
    };
    let long = |at: usize| {
        let octets: [u8; 4] = *bytes.get(at..)?.first_chunk()?;
        Some(if little { u32::from_le_bytes(octets) } else { u32::from_be_bytes(octets) })
    };
    let place = |at: usize| usize::try_from(long(at)?).ok();
    let mut shapes = Vec::new();
    let mut directory = place(4);
    while let Some(at) = directory.filter(|at| *at > 0)
        && shapes.len() < limits::TIFF_PAGES
    {
        let Some(count) = short(at).map(usize::from) else { break };
        let mut shape = Shape::square(0, 0);
        let (mut samples, mut bits, mut across, mut down) = (1, 1, None, None);
        for entry in (0..count).map(|number| at + 2 + number * 12) {
            let value = || {
                if short(entry + 2) == Some(3) { short(entry + 8).map(u32::from) } else { long(entry + 8) }
            };
            let ratio = || {
                let at = place(entry + 8)?;
                Some(f64::from(long(at)?) / f64::from(long(at + 4)?))
            };
            match short(entry) {
                Some(256) => shape.width = value().unwrap_or(0),
                Some(257) => shape.height = value().unwrap_or(0),
                Some(258) => bits = value().unwrap_or(1),
                Some(277) => samples = value().unwrap_or(1),
                Some(282) => across = ratio(),
                Some(283) => down = ratio(),
                _ => {}
            }
        }
        shape.bilevel = (bits, samples) == (1, 1);
        if let (Some(across), Some(down)) = (across, down)
            && (across / down).is_finite()
        {
            shape.stretch = across / down;
        }
        shapes.push(shape);
        directory = place(at + 2 + count * 12);
    }
    shapes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png_of(width: u32, height: u32, bits: u8) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend([bits, 0]);
        bytes
    }

    fn jpeg_of(width: u16, height: u16) -> Vec<u8> {
        let mut bytes = b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x11\x08".to_vec();
        bytes.extend(height.to_be_bytes());
        bytes.extend(width.to_be_bytes());
        bytes
    }

    fn tiff_of(entries: &[(u16, u32)], resolution: [u32; 4]) -> Vec<u8> {
        let mut bytes = b"II*\0\x18\0\0\0".to_vec();
        bytes.extend(resolution.iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend(u16::try_from(entries.len()).unwrap().to_le_bytes());
        for (tag, value) in entries {
            let kind = if *tag >= 282 { 5_u16 } else { 4 };
            bytes.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
            bytes.extend([1_u32.to_le_bytes(), value.to_le_bytes()].concat());
        }
        bytes.extend([0; 4]);
        bytes
    }

    #[test]
    fn pages_and_photographs() {
        let fax = [(256, 1728), (257, 1174), (258, 8), (282, 8), (283, 16)];
        for (bytes, page) in [
            (png_of(1654, 2339, 8), true),
            (png_of(2339, 1654, 8), true),
            (png_of(2550, 3300, 8), true),
            (png_of(4032, 3024, 8), false),
            (png_of(6000, 4000, 8), false),
            (png_of(1920, 1080, 8), false),
            (png_of(100, 141, 8), false),
            (png_of(1700, 1700, 1), true),
            (jpeg_of(1240, 1754), true),
            (jpeg_of(3024, 4032), false),
            (tiff_of(&[(256, 1728), (257, 2292)], [1; 4]), true),
            (tiff_of(&fax, [204, 1, 98, 1]), true),
            (tiff_of(&[(256, 4032), (257, 3024), (258, 8), (277, 3)], [1; 4]), false),
            (b"GIF89a".to_vec(), false),
        ] {
            assert_eq!(is_page(&bytes), page, "{bytes:?}");
            assert!(begins_as_page(&bytes).is_none_or(|begins| begins == page), "{bytes:?}");
        }
        let photograph = jpeg_of(3024, 4032);
        for cut in 4..photograph.len() {
            assert_eq!(begins_as_page(&photograph[..cut]), None, "{cut}");
        }
        let noise = [&photograph[..8], b"noise"].concat();
        assert_eq!((is_page(&noise), begins_as_page(&noise)), (false, Some(false)));
        for cut in 0..60 {
            is_page(tiff_of(&fax, [204, 1, 98, 1]).get(..cut).unwrap_or_default());
            is_page(jpeg_of(1240, 1754).get(..cut).unwrap_or_default());
        }
    }
}

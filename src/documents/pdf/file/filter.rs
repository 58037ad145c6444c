//! Filters: what packs the data of a stream (ISO 32000-2 §7.4), undone. Those of images are not.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;

use super::File;
use crate::documents::pdf::object::{Dictionary, Object, hex, is_blank};
use crate::documents::{Budget, Reason, inflate};
use crate::limits;

/// The data without the filters that the dictionary names. What came out before a fault counts, as it does for
/// readers; data that never were text give an error of [`Reason::Format`].
pub(super) fn undo(
    file: &File<'_>,
    dictionary: &Dictionary,
    data: Cow<'_, [u8]>,
    budget: &mut Budget,
) -> Result<Vec<u8>, Reason> {
    let entry = |long, short| file.get(dictionary, long).or_else(|| file.get(dictionary, short));
    let filters = entry("Filter", "F").map(Object::items).unwrap_or_default();
    let parameters = entry("DecodeParms", "DP").map(Object::items).unwrap_or_default();
    if filters.len() > limits::PDF_FILTERS {
        return Err(Reason::Limit);
    }
    if filters.is_empty() {
        // Any number of pages may name the same stream.
        budget.spend(data.len())?;
    }
    let mut data = data;
    for (at, filter) in filters.iter().enumerate() {
        let name = file.resolve(filter).and_then(Object::name).ok_or(Reason::Damaged)?;
        let parameters = parameters.get(at).and_then(|object| file.resolve(object)?.dictionary());
        let number = |key: &str| parameters.and_then(|dictionary| file.index(dictionary.get(key)?));
        data = Cow::Owned(match name {
            b"FlateDecode" | b"Fl" => predicted(inflate(&data, budget)?, number),
            b"LZWDecode" | b"LZW" => predicted(lzw(&data, number("EarlyChange") != Some(0), budget)?, number),
            b"ASCII85Decode" | b"A85" => spent(ascii85(&data), budget)?,
            b"ASCIIHexDecode" | b"AHx" => spent(ascii_hex(&data), budget)?,
            b"RunLengthDecode" | b"RL" => run_length(&data, budget)?,
            b"Crypt" => continue,
            _ => return Err(Reason::Format),
        });
    }
    Ok(data.into_owned())
}

/// What came out, counted.
fn spent(data: Vec<u8>, budget: &mut Budget) -> Result<Vec<u8>, Reason> {
    budget.spend(data.len())?;
    Ok(data)
}

/// Some programs write a wrong header, or none; and a wrong checksum, which readers pass over, costs the octets that
/// came out last.
fn inflate(data: &[u8], budget: &mut Budget) -> Result<Vec<u8>, Reason> {
    if data.is_empty() || inflate::is_zlib_of_nothing(data) {
        return Ok(Vec::new());
    }
    let (mut most, ended) = inflate::zlib(budget, data);
    match ended {
        Err(Reason::Limit) => return Err(Reason::Limit),
        Ok(()) if !most.is_empty() => return Ok(most),
        Ok(()) | Err(_) => {}
    }
    for headless in [data.get(2..).unwrap_or_default(), data] {
        let (out, ended) = inflate::raw(budget, headless);
        if ended == Err(Reason::Limit) {
            return Err(Reason::Limit);
        }
        if out.len() > most.len() {
            most = out;
        }
        if !most.is_empty() {
            return Ok(most);
        }
    }
    Err(Reason::Damaged)
}

/// §7.4.4.2.
fn lzw(data: &[u8], early: bool, budget: &mut Budget) -> Result<Vec<u8>, Reason> {
    const CLEAR: usize = 256;
    const END: usize = 257;
    let mut out: Vec<u8> = Vec::new();
    // Where in the output each code's octets are.
    let mut table: Vec<(usize, usize)> = Vec::new();
    let mut previous: Option<(usize, usize)> = None;
    let (mut buffer, mut bits) = (0_u32, 0);
    let mut bytes = data.iter();
    loop {
        let known = CLEAR + 2 + table.len() + usize::from(early);
        let width = match known {
            0..512 => 9,
            512..1024 => 10,
            1024..2048 => 11,
            _ => 12,
        };
        while bits < width {
            let Some(byte) = bytes.next() else { return Ok(out) };
            buffer = buffer << 8 | u32::from(*byte);
            bits += 8;
        }
        bits -= width;
        let code = usize::try_from(buffer >> bits & ((1 << width) - 1)).map_err(|_| Reason::Damaged)?;
        buffer &= (1 << bits) - 1;
        if code == CLEAR {
            table.clear();
            previous = None;
            continue;
        }
        if code == END {
            return Ok(out);
        }
        let start = out.len();
        if let Ok(byte) = u8::try_from(code) {
            budget.spend(1)?;
            out.push(byte);
        } else {
            let (from, length) = match (table.get(code - CLEAR - 2), previous) {
                (Some(place), _) => *place,
                (None, Some((from, length))) => (from, length + 1),
                (None, None) => return Ok(out),
            };
            budget.spend(length)?;
            for offset in from..from + length {
                let Some(byte) = out.get(offset).copied() else { return Ok(out) };
                out.push(byte);
            }
        }
        if let Some((from, length)) = previous
            && table.len() < 4096 - CLEAR - 2
        {
            table.push((from, length + 1));
        }
        previous = Some((start, out.len() - start));
    }
}

/// §7.4.4.4: the predictors of PNG, and TIFF's for octets.
fn predicted(data: Vec<u8>, number: impl Fn(&str) -> Option<u32>) -> Vec<u8> {
    let size = |key, default| number(key).and_then(|n| usize::try_from(n).ok()).unwrap_or(default);
    let (predictor, columns) = (size("Predictor", 1), size("Columns", 1));
    let bits = size("Colors", 1).saturating_mul(size("BitsPerComponent", 8));
    let (pixel, row) = (bits.div_ceil(8).max(1), bits.saturating_mul(columns).div_ceil(8));
    if predictor < 2 || row == 0 || row > data.len() {
        return data;
    }
    if predictor == 2 {
        return data.chunks(row).flat_map(|line| unpredicted(1, line, &[], pixel)).collect();
    }
    let mut out: Vec<u8> = Vec::with_capacity(data.len());
    let mut above: Vec<u8> = vec![0; row];
    for line in data.chunks(row + 1) {
        let Some((kind, line)) = line.split_first() else { break };
        above = unpredicted(*kind, line, &above, pixel);
        out.extend_from_slice(&above);
        above.resize(row, 0);
    }
    out
}

fn unpredicted(kind: u8, line: &[u8], above: &[u8], pixel: usize) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(line.len());
    for (at, byte) in line.iter().enumerate() {
        let before = |row: &[u8]| at.checked_sub(pixel).and_then(|at| row.get(at)).copied().unwrap_or(0);
        let (left, corner) = (before(&out), before(above));
        let up = above.get(at).copied().unwrap_or(0);
        let guess = match kind {
            1 => left,
            2 => up,
            3 => u8::midpoint(left, up),
            4 => nearest(left, up, corner),
            _ => 0,
        };
        out.push(byte.wrapping_add(guess));
    }
    out
}

/// Paeth's predictor.
fn nearest(left: u8, up: u8, corner: u8) -> u8 {
    let guess = i16::from(left) + i16::from(up) - i16::from(corner);
    let far = |from: u8| (guess - i16::from(from)).abs();
    if far(left) <= far(up) && far(left) <= far(corner) {
        left
    } else if far(up) <= far(corner) {
        up
    } else {
        corner
    }
}

fn ascii85(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() / 5 * 4 + 4);
    let mut group: Vec<u32> = Vec::with_capacity(5);
    for byte in data.iter().filter(|byte| !is_blank(**byte)) {
        match byte {
            b'z' if group.is_empty() => out.extend_from_slice(&[0; 4]),
            b'!'..=b'u' => group.push(u32::from(byte - b'!')),
            _ => break,
        }
        if group.len() == 5 {
            flush85(&mut group, &mut out);
        }
    }
    if group.len() > 1 {
        flush85(&mut group, &mut out);
    }
    out
}

fn flush85(group: &mut Vec<u32>, out: &mut Vec<u8>) {
    let length = group.len() - 1;
    group.resize(5, 84);
    let value = group.drain(..).fold(0_u32, |value, digit| value.wrapping_mul(85).wrapping_add(digit));
    out.extend(value.to_be_bytes().iter().take(length));
}

fn ascii_hex(data: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> =
        data.iter().take_while(|byte| **byte != b'>').filter_map(|byte| hex(*byte)).collect();
    digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |value, digit| value << 4 | digit) << (4 * (2 - pair.len())))
        .collect()
}

fn run_length(data: &[u8], budget: &mut Budget) -> Result<Vec<u8>, Reason> {
    let mut out = Vec::new();
    let mut rest = data;
    while let Some((length, after)) = rest.split_first() {
        match length {
            0..128 => {
                let (run, tail) = after.split_at(after.len().min(usize::from(*length) + 1));
                budget.spend(run.len())?;
                out.extend_from_slice(run);
                rest = tail;
            }
            128 => break,
            129.. => {
                let Some((byte, tail)) = after.split_first() else { break };
                let length = 257 - usize::from(*length);
                budget.spend(length)?;
                out.resize(out.len() + length, *byte);
                rest = tail;
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_of_text() {
        let budget = &mut Budget::new(100);
        assert_eq!(ascii85(b"87cURD]i,\"Ebo80~>"), b"Hello World!");
        assert_eq!(ascii_hex(b"48 65 6C6c 6>"), b"Hell`");
        assert_eq!(run_length(b"\x02abc\xfed\x80zz", budget).unwrap(), b"abcddd");
        // ISO 32000-2 §7.4.4.2, example 1.
        let packed = [0x80, 0x0B, 0x60, 0x50, 0x22, 0x0C, 0x0C, 0x85, 0x01];
        assert_eq!(lzw(&packed, true, budget).unwrap(), [45, 45, 45, 45, 45, 65, 45, 45, 45, 66]);
    }

    #[test]
    fn predictors() {
        let number = |predictor| {
            move |key: &str| {
                Some(if key == "Predictor" {
                    predictor
                } else if key == "Columns" {
                    3
                } else if key == "Colors" {
                    1
                } else {
                    8
                })
            }
        };
        let rows = vec![0, 1, 2, 3, 2, 1, 1, 1, 1, 5, 1, 1, 4, 1, 1, 1];
        assert_eq!(predicted(rows, number(12)), [1, 2, 3, 2, 3, 4, 5, 6, 7, 6, 7, 8]);
        assert_eq!(predicted(vec![1, 1, 1, 2, 2, 2], number(2)), [1, 2, 3, 2, 4, 6]);
    }
}

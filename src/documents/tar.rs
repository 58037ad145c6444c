//! Tar: files one after the other, each behind a header of 512 octets; long names as GNU and POSIX write them.

#![deny(clippy::disallowed_methods)]

use super::document::{Document, Outcome};
use super::{Reason, State};
use crate::mime::words;

const BLOCK: usize = 512;

/// Reads the files of an archive.
pub(super) fn read(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    let mut rest = bytes;
    let mut long_name: Option<String> = None;
    while let Some((header, after)) = rest.split_at_checked(BLOCK) {
        if header.iter().all(|octet| *octet == 0) {
            return Ok(State::Plain);
        }
        if !sum_is_right(header) {
            return Err(Reason::Damaged);
        }
        let size = header.get(124..136).and_then(number).ok_or(Reason::Damaged)?;
        let content = after.get(..size.min(after.len())).unwrap_or_default();
        let padded = size.checked_next_multiple_of(BLOCK).unwrap_or(usize::MAX);
        rest = after.get(padded..).unwrap_or_default();
        match header.get(156) {
            Some(b'L') => long_name = Some(name(content)),
            Some(b'x') => long_name = posix_name(content).or(long_name),
            Some(b'K' | b'g') => {}
            Some(b'0' | b'\0' | b'7' | b'S') => {
                let name = long_name.take().unwrap_or_else(|| short_name(header));
                document.budget().spend(content.len())?;
                document.inside(&name, "", content)?;
            }
            _ => {
                let name = long_name.take().unwrap_or_else(|| short_name(header));
                document.text(&name)?;
                document.text("\n")?;
            }
        }
        if content.len() < size {
            return Err(Reason::Damaged);
        }
    }
    // Two empty blocks end an archive; some programs leave them out.
    if rest.is_empty() { Ok(State::Plain) } else { Err(Reason::Damaged) }
}

fn name(octets: &[u8]) -> String {
    let end = octets.iter().position(|octet| *octet == 0).unwrap_or(octets.len());
    words::text(octets.get(..end).unwrap_or(octets)).into_owned()
}

fn short_name(header: &[u8]) -> String {
    let field = |from: usize, to: usize| name(header.get(from..to).unwrap_or_default());
    let (own, folder) = (field(0, 100), field(345, 500));
    let posix = header.get(257..263) == Some(b"ustar\0");
    if posix && !folder.is_empty() { format!("{folder}/{own}") } else { own }
}

/// The path in a POSIX header: lines `25 path=…`, each with its own length first.
fn posix_name(content: &[u8]) -> Option<String> {
    let mut lines = content.split(|octet| *octet == b'\n');
    let path = lines.find_map(|line| {
        let blank = line.iter().position(|octet| *octet == b' ')?;
        line.get(blank + 1..)?.strip_prefix(b"path=")
    })?;
    Some(words::text(path).into_owned())
}

/// A number in octal digits; or, where its first bit is set, in octets.
fn number(field: &[u8]) -> Option<usize> {
    if field.first().is_some_and(|octet| octet & 0x80 != 0) {
        let low: [u8; 8] = field.get(4..12)?.try_into().ok()?;
        return usize::try_from(u64::from_be_bytes(low)).ok();
    }
    let digits = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    if digits.is_empty() { Some(0) } else { usize::from_str_radix(digits, 8).ok() }
}

/// Whether the header's octets add up to what it says, its own field counted as blanks.
fn sum_is_right(header: &[u8]) -> bool {
    let counted = |(at, octet): (usize, &u8)| if (148..156).contains(&at) { 32 } else { usize::from(*octet) };
    let sum: usize = header.iter().enumerate().map(counted).sum();
    header.get(148..156).and_then(number) == Some(sum)
}

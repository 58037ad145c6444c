//! Lines: where they end, and where one may be a boundary; the only file of the walk that names `memchr`.

#![deny(clippy::disallowed_methods)]

use memchr::{memchr, memmem};

/// Where the line that begins at `at` ends, its LF included. A bare CR ends no line.
pub(crate) fn end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    memchr(b'\n', rest).map_or(bytes.len(), |length| at + length + 1)
}

/// Where the next line that begins with `--` begins, from the line at `at` on.
pub(crate) fn dashes(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    if rest.starts_with(b"--") {
        return Some(at);
    }
    memmem::find(rest, b"\n--").map(|found| at + found + 1)
}

/// Where `--` and the boundary stand, wherever in a line.
pub(crate) fn boundary_within(bytes: &[u8], boundary: &[u8]) -> Option<usize> {
    memmem::find(bytes, &[b"--", boundary].concat())
}

/// Where the content before the line at `at` ends: the line end before a boundary belongs to the boundary
/// (RFC 2046 §5.1.1).
pub(crate) fn before(bytes: &[u8], at: usize) -> usize {
    let content = bytes.get(..at).unwrap_or(bytes);
    let content = content.strip_suffix(b"\n").unwrap_or(content);
    content.strip_suffix(b"\r").unwrap_or(content).len()
}

//! Bytes from the wire become text here, once, and without losing anything.

#![deny(clippy::disallowed_methods)]

pub mod fold;
mod worded;

use std::borrow::Cow;
use std::fmt::Write as _;

pub(crate) use worded::words;

/// The text that these bytes are, if they are UTF-8.
pub fn utf8(bytes: &[u8]) -> Option<&str> {
    simdutf8::basic::from_utf8(bytes).ok()
}

/// Text for bytes that should be UTF-8: what is not, becomes `\xHH`, so that two different strings of bytes never
/// become the same text.
pub fn from_bytes(bytes: &[u8]) -> Cow<'_, str> {
    utf8(bytes).map_or_else(|| Cow::Owned(escape_invalid(bytes)), Cow::Borrowed)
}

fn escape_invalid(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02X}");
        }
    }
    out
}

/// The first `bytes` octets of `text` at the most, cut at a character boundary.
pub fn truncate(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

/// Octets as lower-case hex digits.
pub fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(2 * octets.len()), |mut out, octet| {
        // Writing into a String does not fail.
        let _ = write!(out, "{octet:02x}");
        out
    })
}

/// The octets that hex digits say.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_utf8_is_borrowed() {
        assert!(matches!(from_bytes("å".as_bytes()), Cow::Borrowed("å")));
    }

    #[test]
    fn different_bytes_stay_different() {
        assert_eq!(from_bytes(b"a\xE5b"), "a\\xE5b");
        assert_ne!(from_bytes(b"a\xE5b"), from_bytes(b"a\xE4b"));
    }

    #[test]
    fn truncation_keeps_characters_whole() {
        assert_eq!(truncate("åäö", 3), "å");
        assert_eq!(truncate("abc", 10), "abc");
    }
}

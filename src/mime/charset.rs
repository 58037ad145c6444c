//! Charsets: octets become text, whatever their label says. The only file that names `mail_parser`.
//!
//! The library reads charsets in which an octet means the same wherever it stands. Those that shift between alphabets
//! are brought into a form that it reads: what is redundant goes, what another alphabet's octets are is said by their
//! high bit, what ends without a word is ended.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;

use mail_parser::decoders::charsets::map::charset_decoder;

/// How a charset shifts between alphabets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shifting {
    /// ISO-2022-JP (RFC 1468) and what extends it: escape sequences.
    Escapes,
    /// ISO-2022-KR (RFC 1557) and -CN (RFC 1922): shift out, shift in; the charset of what is shifted.
    Shifts(&'static str),
    /// HZ (RFC 1843): `~{` and `~}`.
    Tildes,
    /// UTF-7 (RFC 2152): `+` and `-`.
    Base64,
}

impl Shifting {
    fn of(label: &[u8]) -> Option<Self> {
        let label = label.to_ascii_lowercase();
        let label = std::str::from_utf8(&label).ok()?;
        match label {
            "csiso2022jp" | "cp50220" | "cp50221" | "cp50222" => Some(Self::Escapes),
            "csiso2022kr" | "iso-2022-kr" => Some(Self::Shifts("euc-kr")),
            "iso-2022-cn" | "iso-2022-cn-ext" => Some(Self::Shifts("gbk")),
            "hz-gb-2312" | "hz" => Some(Self::Tildes),
            "utf-7" | "csutf7" | "unicode-1-1-utf-7" | "csunicode11utf7" => Some(Self::Base64),
            other => other.starts_with("iso-2022-jp").then_some(Self::Escapes),
        }
    }

    /// The label that the library is asked for, and the octets in that charset.
    fn plain(self, bytes: &[u8]) -> (&'static str, Vec<u8>) {
        match self {
            Self::Escapes => ("iso-2022-jp", without_redundant_escapes(bytes)),
            Self::Shifts(charset) => (charset, unshifted(bytes)),
            Self::Tildes => ("gbk", without_tildes(bytes)),
            Self::Base64 => ("utf-7", with_ends(bytes)),
        }
    }
}

/// The text of octets in the charset of that label; `None` where nobody knows it.
pub(super) fn decode(label: &[u8], bytes: &[u8]) -> Option<String> {
    let (label, bytes) = match Shifting::of(label) {
        Some(shifting) => {
            let (label, bytes) = shifting.plain(bytes);
            (label.as_bytes(), Cow::Owned(bytes))
        }
        None => (label, Cow::Borrowed(bytes)),
    };
    charset_decoder(label).map(|decode| decode(&bytes))
}

/// Whether what was cut in two can be put together again and read as one; UTF-7 ends at an end without saying so.
pub(super) fn may_be_joined(label: &[u8]) -> bool {
    Shifting::of(label) != Some(Shifting::Base64)
}

/// An escape sequence that another one follows changes nothing, and the library takes it for a fault. Two encoded words
/// have them where they meet (RFC 2047 §3).
fn without_redundant_escapes(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((byte, after)) = rest.split_first() {
        rest = match escape(rest) {
            Some(length) if rest.get(length..).and_then(escape).is_some() => {
                rest.get(length..).unwrap_or_default()
            }
            _ => {
                out.push(*byte);
                after
            }
        };
    }
    out
}

/// The length of the escape sequence here.
fn escape(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [0x1b, b'$', b'(', b'@'..=b'~', ..] => Some(4),
        [0x1b, b'$' | b'(' | b'.', b'@'..=b'~', ..] => Some(3),
        _ => None,
    }
}

/// The octets between shift out and shift in get their high bit; what says of which alphabet they are goes.
fn unshifted(bytes: &[u8]) -> Vec<u8> {
    const SHIFT_OUT: u8 = 0x0e;
    const SHIFT_IN: u8 = 0x0f;
    let mut out = Vec::with_capacity(bytes.len());
    let mut shifted = false;
    let mut rest = bytes;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match (rest, *byte) {
            ([b'$', b'(' | b')' | b'*' | b'+', _, after @ ..], 0x1b) => rest = after,
            (_, SHIFT_OUT) => shifted = true,
            (_, SHIFT_IN) => shifted = false,
            (_, b'\r' | b'\n') => {
                shifted = false;
                out.push(*byte);
            }
            (_, byte @ 0x21..=0x7e) if shifted => out.push(byte | 0x80),
            (_, byte) => out.push(byte),
        }
    }
    out
}

/// The octets between `~{` and `~}` get their high bit; `~~` is a tilde, and one at the end of a line joins two.
fn without_tildes(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut shifted = false;
    let mut rest = bytes;
    while let Some((byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            (b'~', [b'{', after @ ..]) => {
                shifted = true;
                after
            }
            (b'~', [b'}', after @ ..]) => {
                shifted = false;
                after
            }
            (b'~', [b'\r', b'\n', after @ ..] | [b'\n', after @ ..]) => after,
            (b'~', [b'~', after @ ..]) if !shifted => {
                out.push(b'~');
                after
            }
            (byte @ 0x21..=0x7e, after) if shifted => {
                out.push(byte | 0x80);
                after
            }
            (byte, after) => {
                shifted &= *byte != b'\n';
                out.push(*byte);
                after
            }
        };
    }
    out
}

/// A run of base64 may end at any other character or at the end of all; the library wants a `-`, and takes away what
/// stands in its place.
fn with_ends(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 1);
    let mut run: Option<usize> = None;
    for byte in bytes {
        let inside = byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        match run {
            Some(length) if inside => run = Some(length + 1),
            Some(length) => {
                if length > 0 && *byte != b'-' {
                    out.push(b'-');
                }
                run = None;
            }
            None => run = (*byte == b'+').then_some(0),
        }
        out.push(*byte);
    }
    if run.is_some_and(|length| length > 0) {
        out.push(b'-');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charsets_that_shift() {
        for (label, written, read) in [
            ("ISO-2022-JP", &b"\x1b$B2q5D\x1b(B"[..], "会議"),
            ("iso-2022-jp", b"\x1b$B2q\x1b(B\x1b$B5D\x1b(B a", "会議 a"),
            ("iso-2022-jp", b"\x1b$B2q\x1b(B\x1b(J\x1b$B5D\x1b(B", "会議"),
            // The first word did not return to ASCII, or the second goes on where it was cut.
            ("iso-2022-jp", b"\x1b$B2q\x1b$B5D", "会議"),
            ("iso-2022-jp-2", b"\x1b$B2q5D", "会議"),
            ("cp50221", b"\x1b$B2q5D\x1b(B!", "会議!"),
            ("iso-2022-kr", b"\x1b$)CA \x0e0!3*\x0f b", "A 가나 b"),
            ("iso-2022-kr", b"\x1b$)C\x0e0!\x0f\x1b$)C\x0e3*\x0f", "가나"),
            ("iso-2022-cn", b"\x1b$)A\x0eVPND\x0f.", "中文."),
            ("hz-gb-2312", b"a ~{VPND~} ~~b", "a 中文 ~b"),
            ("HZ-GB-2312", b"~{VP~}~{ND~}", "中文"),
            ("utf-7", b"+AOU-", "å"),
            ("utf-7", b"+AOU", "å"),
            ("utf-7", b"+AOU b+AOQ!", "å bä!"),
            ("utf-7", b"1 +- 1", "1 +- 1"),
        ] {
            let shown = || String::from_utf8_lossy(written).into_owned();
            assert_eq!(decode(label.as_bytes(), written).as_deref(), Some(read), "{label} {}", shown());
        }
    }

    #[test]
    fn no_label_and_no_octets_are_too_odd() {
        let labels = ["iso-2022-jp", "iso-2022-kr", "iso-2022-cn", "hz", "utf-7", "\u{0}"];
        for label in labels {
            for octets in [&b"\x1b"[..], b"\x1b$", b"\x0e", b"~", b"~{", b"+", b"\x1b$(", b"\xff\x0e\xff"] {
                let _ = decode(label.as_bytes(), octets);
            }
        }
        assert_eq!(decode(b"x-nobody", b"a"), None);
    }
}

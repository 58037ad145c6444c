//! Words: the bytes of a header field become text that people can read: charsets, encoded words (RFC 2047), and
//! neither line breaks nor control characters.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;

use super::charset;
use super::defects::{Defect, Defects};
use super::transfer::{self, Encoding};
use crate::limits;
use crate::text::utf8;

/// Text for bytes that name no charset: UTF-8 (RFC 6532), else windows-1252, which old programs write unlabelled.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    utf8(bytes).map_or_else(|| Cow::Owned(in_charset(b"windows-1252", bytes)), Cow::Borrowed)
}

/// Text for a file that names no charset: by its byte order mark, as UTF-16 if it looks like that, or as [`text`] has
/// it.
pub(crate) fn unlabelled(bytes: &[u8]) -> Cow<'_, str> {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => text(rest),
        [0xff, 0xfe, rest @ ..] => Cow::Owned(in_charset(b"utf-16le", rest)),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(in_charset(b"utf-16be", rest)),
        _ => match unmarked_wide(bytes) {
            Some(label) => Cow::Owned(in_charset(label, bytes)),
            None => text(bytes),
        },
    }
}

/// Text for a file that names this charset for itself. Its octets are asked first, since such names are often wrong.
pub(crate) fn declared<'b>(label: Option<&[u8]>, bytes: &'b [u8]) -> Cow<'b, str> {
    match label {
        Some(label) if !has_mark(bytes) && unmarked_wide(bytes).is_none() && utf8(bytes).is_none() => {
            Cow::Owned(in_charset(label, bytes))
        }
        _ => unlabelled(bytes),
    }
}

fn has_mark(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff")
}

/// The charset of text in UTF-16 without a mark: in Latin text one octet of most pairs is zero, and always the same one.
pub(crate) fn unmarked_wide(bytes: &[u8]) -> Option<&'static [u8]> {
    let beginning = bytes.get(..WIDE_SAMPLE).unwrap_or(bytes);
    let pairs = beginning.as_chunks::<2>().0;
    let zeros = |at: usize| pairs.iter().filter(|pair| pair.get(at) == Some(&0)).count();
    let (high, low) = (zeros(0), zeros(1));
    let most = |count: usize, other: usize| {
        pairs.len() >= 2 && count * 10 >= pairs.len() * 7 && other * 50 <= pairs.len()
    };
    match () {
        () if most(low, high) => Some(b"utf-16le"),
        () if most(high, low) => Some(b"utf-16be"),
        () => None,
    }
}

/// Octets that are looked at to tell whether text is UTF-16.
const WIDE_SAMPLE: usize = 4 << 10;

/// Text for bytes in the charset of that label; a label that nobody knows, or UTF-8 that is none, is read as
/// unlabelled text.
pub(crate) fn in_charset(label: &[u8], bytes: &[u8]) -> String {
    let label = label.trim_ascii();
    let decoded = if is_utf8(label) { None } else { charset::decode(label, bytes) };
    decoded.unwrap_or_else(|| text(bytes).into_owned())
}

/// Text for bytes in a Windows codepage, by its number. The codepages of DOS for western Europe have the letters of
/// 850 in the same places.
pub(crate) fn in_codepage(number: u16, bytes: &[u8]) -> String {
    let label = match number {
        437 | 850 | 858 | 860 | 861 | 863 | 865 => "ibm850".to_owned(),
        866 => "ibm866".to_owned(),
        932 => "shift_jis".to_owned(),
        936 => "gbk".to_owned(),
        949 | 51_949 => "euc-kr".to_owned(),
        950 => "big5".to_owned(),
        10_000 => "macintosh".to_owned(),
        10_007 => "x-mac-cyrillic".to_owned(),
        1_200 => "utf-16le".to_owned(),
        1_201 => "utf-16be".to_owned(),
        20_866 => "koi8-r".to_owned(),
        21_866 => "koi8-u".to_owned(),
        50_220..=50_222 => "iso-2022-jp".to_owned(),
        51_932 => "euc-jp".to_owned(),
        52_936 => "hz-gb-2312".to_owned(),
        54_936 => "gb18030".to_owned(),
        65_000 => "utf-7".to_owned(),
        65_001 => "utf-8".to_owned(),
        874 | 1_250..=1_258 => format!("windows-{number}"),
        28_591..=28_605 => format!("iso-8859-{}", number - 28_590),
        _ => "windows-1252".to_owned(),
    };
    in_charset(label.as_bytes(), bytes)
}

/// A field's value as one line of text: unfolded, trimmed, every control character a space.
pub(crate) fn line(value: &[u8]) -> Box<str> {
    if is_plain(value) {
        return text(value).into();
    }
    // A fold is its line end and the blank after it; the blank stays (RFC 5322 §2.2.3).
    let mut unfolded = Vec::with_capacity(value.len());
    for line in value.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        unfolded.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
    }
    clean(&text(&unfolded)).trim().into()
}

/// The text with a space for every control character and every other line break: whatever was encoded, what comes
/// out is one line.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    let bad = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if !is_plain(text.as_bytes()) && text.contains(bad) {
        Cow::Owned(text.replace(bad, " "))
    } else {
        Cow::Borrowed(text)
    }
}

/// The name of a file as one line. A NUL, at which some programs end it, can be seen: `faktura.js␀.txt`.
pub(crate) fn name(text: &str) -> String {
    let text = text.trim_matches(['\0', ' ']).replace('\0', NUL_SEEN);
    clean(&text).trim().to_owned()
}

/// What stands in the place of a NUL in a name.
pub(crate) const NUL_SEEN: &str = "\u{2400}";

/// Whether all of it is printable ASCII. It has no early end, so that many octets are looked at in one step.
fn is_plain(octets: &[u8]) -> bool {
    octets.iter().fold(true, |plain, octet| plain & (b' '..=b'~').contains(octet))
}

/// A subject as people see it.
pub(crate) fn subject(value: &str, defects: &mut Defects) -> String {
    // Sixteen written octets for one read are more than any encoding needs.
    let written = crate::text::truncate(value, 16 * limits::SUBJECT_OCTETS);
    if written.len() < value.len() {
        defects.add(Defect::Cut);
    }
    let decoded = decode(written);
    defects.cut(clean(&decoded).trim(), limits::SUBJECT_OCTETS)
}

/// The text with its encoded words decoded, those inside quotes and those that touch their neighbours too, as mail
/// programs write and read them. What is not a whole encoded word stays as it is.
///
/// The octets of adjacent words in one charset are joined before they become text: many programs cut a word in the
/// middle of a character, or of a run of them in another alphabet, which RFC 2047 §5 forbids.
pub(crate) fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains("=?") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut run: Option<Word<'_>> = None;
    let mut rest = text;
    while let Some(at) = rest.find("=?") {
        let (before, from) = rest.split_at(at);
        let Some((word, after)) = Word::parse(from) else {
            flush(&mut out, run.take());
            out.push_str(before);
            out.push_str("=?");
            rest = from.get(2..).unwrap_or_default();
            continue;
        };
        rest = after;
        let adjacent = run.is_some() && before.trim_ascii().is_empty();
        match &mut run {
            Some(run) if adjacent && run.continues_in(&word) => {
                run.bytes.extend_from_slice(&word.bytes);
            }
            _ => {
                flush(&mut out, run.take());
                out.push_str(if adjacent { "" } else { before });
                run = Some(word);
            }
        }
    }
    flush(&mut out, run);
    out.push_str(rest);
    Cow::Owned(out)
}

/// The encoded word at the beginning of the text, as it is written; none if there is none that can be decoded.
pub(crate) fn encoded(text: &str) -> Option<&str> {
    let (_, after) = Word::parse(text.starts_with("=?").then_some(text)?)?;
    text.get(..text.len() - after.len())
}

struct Word<'a> {
    charset: &'a str,
    bytes: Vec<u8>,
}

impl<'a> Word<'a> {
    /// The encoded word at the beginning of `text`, which begins with `=?`, and what comes after it.
    fn parse(text: &'a str) -> Option<(Self, &'a str)> {
        let (charset, rest) = text.get(2..)?.split_once('?')?;
        let (encoding, rest) = rest.split_once('?')?;
        let (payload, rest) = rest.split_once('?')?;
        let after = rest.strip_prefix('=')?;
        // RFC 2231 §5: a language may follow the charset.
        let charset = charset.split_once('*').map_or(charset, |(charset, _)| charset);
        if charset.is_empty() || charset.contains(|c: char| c.is_whitespace() || c == '=') {
            return None;
        }
        let (bytes, broken) = match encoding {
            "b" | "B" => transfer::decode(Encoding::Base64, payload.as_bytes()),
            "q" | "Q" => {
                let spaced = payload.replace('_', " ");
                let (bytes, broken) = transfer::decode(Encoding::QuotedPrintable, spaced.as_bytes());
                (Cow::Owned(bytes.into_owned()), broken)
            }
            _ => return None,
        };
        (!broken).then(|| (Self { charset, bytes: bytes.into_owned() }, after))
    }

    /// Whether the octets of the next word may be a part of this one's.
    fn continues_in(&self, next: &Self) -> bool {
        self.charset.eq_ignore_ascii_case(next.charset) && charset::may_be_joined(self.charset.as_bytes())
    }
}

fn flush(out: &mut String, run: Option<Word<'_>>) {
    if let Some(word) = run {
        out.push_str(&in_charset(word.charset.as_bytes(), &word.bytes));
    }
}

fn is_utf8(label: &[u8]) -> bool {
    label.eq_ignore_ascii_case(b"utf-8") || label.eq_ignore_ascii_case(b"utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words() {
        for (written, read) in [
            ("=?UTF-8?B?w6XDpMO2?=", "åäö"),
            ("=?iso-8859-1?q?=E5=E4=F6_x?=", "åäö x"),
            ("=?UTF-8*sv?Q?=C3=A5?=", "å"),
            ("Sv: =?utf-8?q?=C3=A5?= b =?utf-8?q?c?=", "Sv: å b c"),
            ("=?utf-8?q?a?=  =?iso-8859-1?q?=E5?= b", "aå b"),
            ("=?utf-8?q?=C3?= =?UTF-8?q?=A5?=", "å"),
            ("=?utf-8?b?w6U?= =?utf-8?b?w6Q?=", "åä"),
            ("\"=?utf-8?q?a b?=\"x", "\"a b\"x"),
            ("=?utf-8?q?=E5?=", "å"),
            ("=?x-nobody?q?a?=", "a"),
            ("=?utf-8?q?a", "=?utf-8?q?a"),
            ("=?utf-8?x?a?= =?", "=?utf-8?x?a?= =?"),
            ("=?utf-8?q?=ZZ?=", "=?utf-8?q?=ZZ?="),
            ("=?utf-8?b?w6*?=", "=?utf-8?b?w6*?="),
            ("=??q?a?= 1=?2", "=??q?a?= 1=?2"),
            ("=?iso-2022-jp?b?GyRCMnEbKEI=?= =?ISO-2022-JP?B?GyRCNUQbKEI=?=", "会議"),
            ("=?iso-2022-jp?b?GyRCMnE=?=\n =?iso-2022-jp?B?NUQbKEI=?=", "会議"),
            ("=?utf-7?q?+AOU?= =?utf-7?q?b?=", "åb"),
        ] {
            assert_eq!(decode(written), read, "{written}");
        }
    }

    #[test]
    fn files_without_a_charset() {
        let wide = |text: &str, octets: fn(u16) -> [u8; 2]| {
            text.encode_utf16().flat_map(octets).collect::<Vec<u8>>()
        };
        for text in ["Hälsa: 811228-9874\r\n", "<a>1</a>"] {
            assert_eq!(unlabelled(&wide(text, u16::to_le_bytes)), text);
            assert_eq!(unlabelled(&wide(text, u16::to_be_bytes)), text);
            assert_eq!(unlabelled(text.as_bytes()), text);
        }
        assert_eq!(unlabelled(b"a\0\0b"), "a\0\0b");
        assert_eq!(declared(Some(b"iso-8859-2"), b"\xb3"), "ł");
        assert_eq!(declared(Some(b"iso-8859-2"), "å".as_bytes()), "å");
    }

    #[test]
    fn values_are_one_line() {
        for (written, read) in [
            (&b"a\r\n b\n\tc"[..], "a b c"),
            (b" \0a\rb\x7f", "a b"),
            (b"\xe5\xc3\xa5", "åÃ¥"),
            (b"\xc3\xa5\xe2\x80\xa8x", "å x"),
        ] {
            assert_eq!(&*line(written), read);
        }
        assert_eq!(clean("a\r\nBcc: b\u{85}"), "a  Bcc: b ");
        assert_eq!(name(" a\r.js\0.txt \0\0"), "a .js\u{2400}.txt");
    }
}

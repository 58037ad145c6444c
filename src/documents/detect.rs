//! Detection: which format a document is, by its content first.

#![deny(clippy::disallowed_methods)]

use memchr::memmem;

use super::document::Format;
use super::formats::{FORMATS, UNKNOWN, row};
use super::kind::Kind;
use super::{Input, strings};

/// What a document is, by its content; its name and its declared type are asked where that does not say, and are
/// believed as far as the octets can be that.
pub fn format(input: &Input<'_>) -> &'static Format {
    let Input { name, media_type, bytes } = *input;
    let text = strings::is_text(bytes);
    if let Some(format) = by_magic(bytes, text) {
        return format;
    }
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending.trim_end());
    let called_pdf = media_type == "application/pdf" || ending.eq_ignore_ascii_case("pdf");
    if (called_pdf || !text) && is_late_pdf(bytes) {
        return row(Kind::Pdf);
    }
    match by_label(name, media_type) {
        label if bytes.is_empty() => label.unwrap_or(&UNKNOWN),
        Some(format) if text && (format.can_be_text)(bytes) => format,
        _ if text => by_first_words(bytes),
        Some(format) if (format.can_lack_magic)(bytes) => format,
        _ => &UNKNOWN,
    }
}

/// The format that the octets say they are. Where they may be `text`, letters alone are no proof of a program or a
/// picture: a text may begin with them.
fn by_magic(bytes: &[u8], text: bool) -> Option<&'static Format> {
    let is = |at: usize, magic: &[u8]| bytes.get(at..).is_some_and(|rest| rest.starts_with(magic));
    let known = FORMATS.iter().find(|format| {
        format.magic.iter().any(|(at, magic)| {
            let proof =
                !text || format.may_hold_text || magic.iter().any(|octet| !(b' '..=b'~').contains(octet));
            proof && is(*at, magic)
        })
    });
    // Packets of 188 octets each begin with the same one.
    let stream = || [0, 188, 376, 564].iter().all(|at| is(*at, b"\x47"));
    let bitmap = || is(0, b"BM") && is(6, &[0; 4]);
    let known = known.or_else(|| bitmap().then(|| row(Kind::Image)));
    known.or_else(|| (!text && stream()).then(|| row(Kind::Video)))
}

/// Whether a PDF begins behind something else, where readers look for it: in the first kilobyte (ISO 32000-2 §7.5.2).
fn is_late_pdf(bytes: &[u8]) -> bool {
    let at = memmem::find(bytes.get(..1024).unwrap_or(bytes), b"%PDF-");
    at.and_then(|at| bytes.get(at..)).is_some_and(|rest| memmem::find(rest, b" obj").is_some())
}

/// The format of the name's extension, else the one with the longest beginning of the declared type.
fn by_label(name: &str, media_type: &str) -> Option<&'static Format> {
    let by_name = name.rsplit_once('.').and_then(|(_, ending)| {
        let ending = ending.trim_end().to_ascii_lowercase();
        FORMATS
            .iter()
            .find(|format| format.endings.split(' ').any(|known| !known.is_empty() && known == ending))
    });
    let known = |format: &Format| {
        let known = format.types.iter().filter(|known| media_type.starts_with(**known));
        known.map(|known| known.len()).max()
    };
    let by_type = || {
        FORMATS.iter().filter_map(|format| Some((known(format)?, format))).max_by_key(|(length, _)| *length)
    };
    by_name.or_else(|| Some(by_type()?.1))
}

/// Text says by its first word which kind of text it is.
fn by_first_words(bytes: &[u8]) -> &'static Format {
    let beginning = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let begins = |word: &&str| {
        beginning.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
    };
    let known = FORMATS.iter().find(|format| format.first_words.iter().any(begins));
    known.unwrap_or_else(|| row(Kind::Text))
}

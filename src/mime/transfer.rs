//! Transfer encodings (RFC 2045 §6): undone leniently, as the programs that people read mail with do, and measured.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;

use bytes::Bytes;

use super::uuencode;

/// How a part is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// 7bit, 8bit, binary, or nothing said.
    Identity,
    Base64,
    QuotedPrintable,
    /// Older than MIME, and still written in some places.
    Uuencode,
    /// Something else; its content cannot be read.
    Unknown,
}

impl Encoding {
    /// The encoding that a Content-Transfer-Encoding names.
    pub(crate) fn named(value: &[u8]) -> Self {
        let value = value.trim_ascii();
        // Comments, parameters and the like come after the token; the oldest programs wrote `8-bit`.
        let token = value.split(|byte| matches!(byte, b' ' | b'\t' | b';' | b'(' | b'\r' | b'\n')).next();
        let token = token.unwrap_or_default().trim_ascii_start();
        let is = |name: &str| token.eq_ignore_ascii_case(name.as_bytes());
        match () {
            () if is("base64") => Self::Base64,
            () if is("quoted-printable") => Self::QuotedPrintable,
            () if ["x-uuencode", "x-uue", "uuencode"].iter().any(|name| is(name)) => Self::Uuencode,
            () if ["", "7bit", "8bit", "binary", "7-bit", "8-bit"].iter().any(|name| is(name)) => {
                Self::Identity
            }
            () => Self::Unknown,
        }
    }
}

/// The decoded octets, and whether the encoding was broken somewhere.
pub(crate) fn decode(encoding: Encoding, bytes: &[u8]) -> (Cow<'_, [u8]>, bool) {
    match encoding {
        Encoding::Identity | Encoding::Unknown => (Cow::Borrowed(bytes), false),
        Encoding::Base64 => {
            let mut out = Vec::with_capacity(bytes.len() / 4 * 3 + 3);
            let lines = whole_lines(bytes, &mut out);
            let broken =
                base64(bytes.get(lines..).unwrap_or_default(), 0, |octets| out.extend_from_slice(octets));
            (Cow::Owned(out), broken)
        }
        Encoding::QuotedPrintable => {
            let mut out = Vec::with_capacity(bytes.len());
            let broken = quoted_printable(bytes, |octet| out.push(octet));
            (Cow::Owned(out), broken)
        }
        Encoding::Uuencode => {
            let (out, broken) = uuencode::decode(bytes);
            (Cow::Owned(out), broken)
        }
    }
}

/// The decoded octets, shared with the written ones where they are the same; and whether the encoding was broken.
pub(crate) fn decoded(encoding: Encoding, bytes: &Bytes) -> (Bytes, bool) {
    match decode(encoding, bytes) {
        (Cow::Borrowed(_), broken) => (bytes.clone(), broken),
        (Cow::Owned(out), broken) => (out.into(), broken),
    }
}

/// How many octets `decode` would give, and whether the encoding is broken.
pub(crate) fn measure(encoding: Encoding, bytes: &[u8]) -> (usize, bool) {
    let mut length = 0;
    match encoding {
        Encoding::Identity | Encoding::Unknown => (bytes.len(), false),
        Encoding::Base64 => {
            if let Some(length) = measure_clean_base64(bytes) {
                return (length, false);
            }
            let broken = base64(bytes, 0, |octets| length += octets.len());
            (length, broken)
        }
        Encoding::QuotedPrintable => {
            let broken = quoted_printable(bytes, |_| length += 1);
            (length, broken)
        }
        Encoding::Uuencode => {
            let (out, broken) = uuencode::decode(bytes);
            (out.len(), broken)
        }
    }
}

/// What base64 without a fault decodes to.
fn measure_clean_base64(bytes: &[u8]) -> Option<usize> {
    let content = bytes.trim_ascii_end();
    let padded = content.len();
    let content = content.strip_suffix(b"=").unwrap_or(content);
    let content = content.strip_suffix(b"=").unwrap_or(content);
    let (digits, blanks) = count_base64(content);
    let clean =
        digits + blanks == content.len() && digits % 4 != 1 && padded - content.len() <= (4 - digits % 4) % 4;
    clean.then_some(digits / 4 * 3 + (digits % 4 * 3) / 4)
}

/// Octets that are counted at once; no more than an octet can count.
const BASE64_CHUNK: usize = 128;

/// How many octets are digits of base64, and how many are of line ends; a count that the compiler turns into vector
/// instructions.
fn count_base64(bytes: &[u8]) -> (usize, usize) {
    let (mut digits, mut blanks) = (0, 0);
    for chunk in bytes.chunks(BASE64_CHUNK) {
        // Counters of one octet, so that the compiler adds sixteen at once; a chunk cannot overflow them.
        let (mut chunk_digits, mut chunk_blanks) = (0_u8, 0_u8);
        for byte in chunk {
            chunk_digits += u8::from(is_base64_digit(*byte));
            chunk_blanks += u8::from(matches!(byte, b'\r' | b'\n'));
        }
        digits += usize::from(chunk_digits);
        blanks += usize::from(chunk_blanks);
    }
    (digits, blanks)
}

fn is_base64_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

/// At least so many of the last octets that base64 decodes to, or all of them.
pub(crate) fn base64_ending(bytes: &[u8], octets: usize) -> Vec<u8> {
    let (mut at, mut wanted) = (bytes.len(), octets.div_ceil(3) * 4 + 1);
    while wanted > 0 && at > 0 {
        // In chunks: all of it may be no digits.
        let begin = at.saturating_sub(wanted.max(BASE64_CHUNK));
        wanted = wanted.saturating_sub(count_base64(bytes.get(begin..at).unwrap_or_default()).0);
        at = begin;
    }
    let (before, tail) = bytes.split_at(at);
    let last_digit = tail.iter().rposition(|byte| is_base64_digit(*byte)).unwrap_or_default();
    if memchr::memchr(b'=', tail.get(..last_digit).unwrap_or_default()).is_some() {
        // Padding in between: the digits are fewer octets than they seem.
        return decode(Encoding::Base64, bytes).0.into_owned();
    }
    // Digits stand in fours, counted from the last padding.
    let group = memchr::memrchr(b'=', before).map_or(0, |padding| padding + 1);
    let begun = count_base64(before.get(group..).unwrap_or_default()).0 % 4;
    let mut out = Vec::with_capacity(tail.len());
    base64(tail, begun, |octets| out.extend_from_slice(octets));
    out
}

/// The same of quoted-printable: from the beginning of a line that is far enough from the end.
pub(crate) fn quoted_printable_ending(bytes: &Bytes, octets: usize) -> Bytes {
    let near = bytes.len().saturating_sub(4 * octets);
    let line = memchr::memrchr(b'\n', bytes.get(..near).unwrap_or_default()).map_or(0, |end| end + 1);
    let (ending, _) = decoded(Encoding::QuotedPrintable, &bytes.slice(line..));
    // Soft line breaks may fill the end.
    if ending.len() < octets { decoded(Encoding::QuotedPrintable, bytes).0 } else { ending }
}

/// Decodes lines as they are usually written, of whole groups of digits and nothing else, up to the first that is not;
/// says how many octets these were.
fn whole_lines(bytes: &[u8], out: &mut Vec<u8>) -> usize {
    let mut done = 0;
    for end in memchr::memchr_iter(b'\n', bytes) {
        let line = bytes.get(done..end).unwrap_or_default();
        let (fours, rest) = line.strip_suffix(b"\r").unwrap_or(line).as_chunks::<4>();
        let begin = out.len();
        out.resize(begin + fours.len() * 3, 0);
        let (threes, _) = out.get_mut(begin..).unwrap_or_default().as_chunks_mut::<3>();
        let mut all = 0;
        for ([a, b, c, d], three) in fours.iter().zip(threes) {
            let (a, b, c, d) = (base64_value(*a), base64_value(*b), base64_value(*c), base64_value(*d));
            all |= a | b | c | d;
            *three = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
        }
        if all > DIGIT_MAX || !rest.is_empty() {
            out.truncate(begin);
            break;
        }
        done = end + 1;
    }
    done
}

/// Steps over what is not of the alphabet, as RFC 2045 §6.8 asks; junk, and data after padding, count as broken.
/// Decodes as if `begun` digits `A` (no bits set) stood before it.
fn base64(bytes: &[u8], begun: usize, mut octets: impl FnMut(&[u8])) -> bool {
    let (mut group, mut digits, mut padded, mut broken) = (0_u32, begun, false, false);
    let mut rest = bytes;
    while !rest.is_empty() {
        // Nearly all of it: whole groups of digits, without a branch that depends on which they are.
        while digits == 0
            && let Some((four, after)) = rest.split_first_chunk::<4>()
            && let [a, b, c, d] = *four
            && let (a, b, c, d) = (base64_value(a), base64_value(b), base64_value(c), base64_value(d))
            && (a | b | c | d) <= DIGIT_MAX
        {
            let group = u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d);
            let [_, group @ ..] = group.to_be_bytes();
            octets(&group);
            broken |= padded;
            rest = after;
        }
        let Some((byte, after)) = rest.split_first() else { break };
        rest = after;
        match base64_value(*byte) {
            value @ ..=DIGIT_MAX => {
                broken |= padded;
                group = group << 6 | u32::from(value);
                digits += 1;
                if digits == 4 {
                    let [_, whole @ ..] = group.to_be_bytes();
                    octets(&whole);
                    (group, digits) = (0, 0);
                }
            }
            PADDING => {
                broken |= flush_base64(group, digits, &mut octets);
                (group, digits, padded) = (0, 0, true);
            }
            BLANK => {}
            _ => broken = true,
        }
    }
    broken | flush_base64(group, digits, &mut octets)
}

/// The greatest value of a digit; what is no digit has a bit above it.
const DIGIT_MAX: u8 = 63;
const PADDING: u8 = 64;
const BLANK: u8 = 65;
const JUNK: u8 = 66;

/// What each octet stands for in base64.
#[expect(clippy::indexing_slicing, reason = "while it is compiled: the compiler finds what lies outside")]
static BASE64_VALUES: [u8; 256] = {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [JUNK; 256];
    let mut value: u8 = 0;
    while value <= DIGIT_MAX {
        values[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    values[b'=' as usize] = PADDING;
    let mut blanks: &[u8] = b" \t\n\x0c\r";
    while let [blank, others @ ..] = blanks {
        values[*blank as usize] = BLANK;
        blanks = others;
    }
    values
};

fn base64_value(octet: u8) -> u8 {
    BASE64_VALUES.get(usize::from(octet)).copied().unwrap_or(JUNK)
}

/// The octets of a last group that is not full; a single digit holds none.
fn flush_base64(group: u32, digits: usize, octets: &mut impl FnMut(&[u8])) -> bool {
    let filled = (group << (6 * (4 - digits.min(4)))).to_be_bytes();
    let length = match digits {
        2 => 1,
        3 => 2,
        _ => 0,
    };
    octets(filled.get(1..=length).unwrap_or_default());
    digits == 1
}

/// RFC 2045 §6.7; `=` that begins neither an octet nor a soft line break stays, and counts as broken.
fn quoted_printable(bytes: &[u8], mut octet: impl FnMut(u8)) -> bool {
    let mut broken = false;
    let mut rest = bytes;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'=' {
            octet(*byte);
            continue;
        }
        if let [high, low, tail @ ..] = after
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            octet(high << 4 | low);
            rest = tail;
        } else if let Some(tail) = soft_break(after) {
            rest = tail;
        } else {
            octet(b'=');
            broken = true;
        }
    }
    broken
}

/// What follows a soft line break: blanks that a gateway added, and the line end, or the end of the part.
fn soft_break(after: &[u8]) -> Option<&[u8]> {
    let blanks = after.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
    match after.get(blanks..)? {
        [] => Some(&[]),
        [b'\n', tail @ ..] => Some(tail),
        _ => None,
    }
}

/// The value of a hexadecimal digit.
pub(crate) fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lenient_and_flagged() {
        use Encoding::{Base64, QuotedPrintable};
        for (encoding, written, read, broken) in [
            (Base64, &b"aGVq\r\naGVq"[..], &b"hejhej"[..], false),
            (Base64, b"aGU=\r\n", b"he", false),
            (Base64, b"aA==", b"h", false),
            (Base64, b"aA", b"h", false),
            (Base64, b"aG*Vq", b"hej", true),
            (Base64, b"aGVqa", b"hej", true),
            (Base64, b"aA==aGVq", b"hhej", true),
            (Base64, b"aA=\t=aG Vq\x0c", b"hhej", true),
            (Base64, b"a\x0bG\xc3\xa5V\0q", b"hej", true),
            (Base64, b"", b"", false),
            (QuotedPrintable, b"a=C3=a5=\r\nb= \nc=", "aåbc".as_bytes(), false),
            (QuotedPrintable, b"1==2=G1", b"1==2=G1", true),
        ] {
            assert_eq!(decode(encoding, written), (Cow::Borrowed(read), broken), "{written:?}");
            assert_eq!(measure(encoding, written), (read.len(), broken), "{written:?}");
        }
    }

    #[test]
    fn names_of_encodings() {
        for (written, encoding) in [
            ("BASE64", Encoding::Base64),
            (" quoted-printable (a comment)", Encoding::QuotedPrintable),
            ("8Bit;", Encoding::Identity),
            ("", Encoding::Identity),
            ("x-uuencode", Encoding::Uuencode),
            ("x-nobody", Encoding::Unknown),
        ] {
            assert_eq!(Encoding::named(written.as_bytes()), encoding, "{written}");
        }
    }
}

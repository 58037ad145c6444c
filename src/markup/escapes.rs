//! Escapes: characters that programs write as `\u00e4`, as JSON does and what is derived from it.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;

use memchr::memmem;

/// The text with its escapes undone: those of JSON where it is JSON, else only characters by their number, for of
/// `\n` it may as well be a path.
pub(crate) fn unescape(text: &str) -> Cow<'_, str> {
    let json = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).starts_with(['{', '[']);
    let any = if json { text.contains('\\') } else { memmem::find(text.as_bytes(), b"\\u").is_some() };
    if !any {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        if let Some((character, taken)) = character(after, json) {
            out.push(character);
            rest = after.get(taken..).unwrap_or_default();
        } else {
            out.push('\\');
            rest = after;
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character that an escape stands for, after its backslash, and how many octets it takes.
fn character(after: &str, json: bool) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = after.get(at..at + 5)?.strip_prefix('u')?;
        u32::from_str_radix(digits, 16).ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    match after.as_bytes().first()? {
        b'u' => {
            let first = unit(0)?;
            // Two halves of a character beyond the first 65,536 (RFC 8259 section 7).
            if let (0xD800..=0xDBFF, Some(second @ 0xDC00..=0xDFFF)) =
                (first, after.get(5..)?.strip_prefix('\\').and_then(|_| unit(6)))
            {
                return Some((char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00))?, 11));
            }
            Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 5))
        }
        b'n' if json => Some(('\n', 1)),
        b'r' if json => Some(('\r', 1)),
        b't' if json => Some(('\t', 1)),
        b'/' if json => Some(('/', 1)),
        b'"' if json => Some(('"', 1)),
        b'\\' if json => Some(('\\', 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_come_back() {
        for (text, read) in [
            ("f\\u00f6delsenr", "födelsenr"),
            ("811228\\u002d9874", "811228-9874"),
            ("{\"a\":\"V\\u00e5rd\\n811228\\/9874\"}", "{\"a\":\"Vård\n811228/9874\"}"),
            ("[\"\\ud83d\\ude00\", \"\\ud83d\", \"\\u12\"]", "[\"😀\", \"\u{fffd}\", \"\\u12\"]"),
            ("c:\\new\\temp", "c:\\new\\temp"),
            ("c:\\users", "c:\\users"),
            ("inget", "inget"),
        ] {
            assert_eq!(unescape(text), read, "{text}");
        }
    }
}

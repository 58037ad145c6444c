//! Parameters of MIME fields: the grammar of RFC 2045 §5.1, continuations and charsets of RFC 2231, and what mail
//! programs write instead of either.

#![deny(clippy::disallowed_methods)]

use super::{transfer, words};
use crate::limits;

/// A field's value and its parameters.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    /// The word before the first `;`, lower case.
    pub(crate) value: String,
    list: Vec<Parameter>,
}

#[derive(Debug)]
struct Parameter {
    /// Lower case, without asterisks.
    name: String,
    /// The place in a continuation.
    index: Option<u32>,
    /// Whether it is percent-encoded (`name*=`).
    extended: bool,
    bytes: Vec<u8>,
}

impl Parameters {
    /// Reads a value, folds and all; what is over the limit is left out.
    pub(crate) fn parse(value: &[u8]) -> Self {
        let value = value.get(..limits::MIME_FIELD_OCTETS).unwrap_or(value);
        let unfolded: Vec<u8> = value.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
        let end = unfolded.iter().position(|byte| *byte == b';').unwrap_or(unfolded.len());
        let (first, mut rest) = unfolded.split_at(end);
        let first = first.trim_ascii_start().split(|byte| *byte == b'(' || byte.is_ascii_whitespace());
        let first = words::text(first.into_iter().next().unwrap_or_default()).to_ascii_lowercase();
        let mut parameters = Self { value: first, list: Vec::new() };
        while let Some(from) = rest.iter().position(|byte| *byte != b';' && !byte.is_ascii_whitespace()) {
            let (parameter, after) = Parameter::parse(rest.get(from..).unwrap_or_default());
            parameters.list.extend(parameter);
            rest = after;
        }
        parameters
    }

    /// The octets of a plain parameter.
    pub(crate) fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.list.iter().find(|parameter| parameter.name == name).map(|parameter| &*parameter.bytes)
    }

    /// A parameter that people read: the extended form before the plain one, as RFC 6266 §4.3 has it for the same
    /// grammar. Encoded words are not allowed here (RFC 2047 §5), and common.
    ///
    /// Every value that is given, in this order: mail programs differ in which of several they take.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let named = || self.list.iter().filter(|parameter| parameter.name == name);
        let (mut whole, plain): (Vec<_>, Vec<_>) =
            named().filter(|parameter| parameter.index.is_none()).partition(|parameter| parameter.extended);
        let mut pieces: Vec<&Parameter> = named().filter(|parameter| parameter.index.is_some()).collect();
        pieces.sort_by_key(|parameter| parameter.index);
        let mut texts: Vec<String> = whole.drain(..).map(|extended| join(&[extended])).collect();
        // A place may be filled twice: the first of each make one value, the last another.
        let mut first = pieces.clone();
        first.dedup_by_key(|piece| piece.index);
        if first.len() < pieces.len() {
            pieces.reverse();
            pieces.dedup_by_key(|piece| piece.index);
            pieces.reverse();
            texts.extend([join(&first), join(&pieces)]);
        } else if !pieces.is_empty() {
            texts.push(join(&pieces));
        }
        texts.extend(plain.into_iter().map(|plain| join(&[plain])));
        texts
    }
}

impl Parameter {
    /// The parameter at the beginning of `text`, and what follows it.
    fn parse(text: &[u8]) -> (Option<Self>, &[u8]) {
        let Some(end) = text.iter().position(|byte| matches!(byte, b'=' | b';')) else { return (None, &[]) };
        let (name, rest) = text.split_at(end);
        let Some(rest) = rest.strip_prefix(b"=") else { return (None, rest) };
        let name = words::text(name.trim_ascii()).to_ascii_lowercase();
        let mut stars = name.split('*');
        let base = stars.next().unwrap_or_default().to_owned();
        let index = stars.next().and_then(|index| index.parse().ok());
        let rest = rest.trim_ascii_start();
        let (bytes, rest) = match rest.strip_prefix(b"\"") {
            Some(quoted) => unquote(quoted),
            None => token(rest, base == "name" || base == "filename"),
        };
        (Some(Self { extended: name.ends_with('*'), name: base, index, bytes }), rest)
    }
}

/// A quoted string after its first quote. Old Outlook wrote whole paths without doubling the backslashes, so a
/// backslash escapes a quote or another backslash and nothing else.
fn unquote(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut out = Vec::new();
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return (out, rest),
            [b'"', after @ ..] => return (out, after),
            [b'\\', escaped @ (b'"' | b'\\'), after @ ..] => {
                out.push(*escaped);
                after
            }
            [byte, after @ ..] => {
                out.push(*byte);
                after
            }
        };
    }
}

/// A value without quotes. File names keep their blanks, which need quotes and often have none; after others a
/// comment may stand.
fn token(text: &[u8], spaced: bool) -> (Vec<u8>, &[u8]) {
    let (value, rest) = text.split_at(text.iter().position(|byte| *byte == b';').unwrap_or(text.len()));
    let end = if spaced { None } else { value.iter().position(u8::is_ascii_whitespace) };
    (value.get(..end.unwrap_or(value.len())).unwrap_or(value).trim_ascii().to_vec(), rest)
}

/// The text of the pieces of one value. The charset stands in the first, and holds for the octets of all.
fn join(pieces: &[&Parameter]) -> String {
    let mut bytes = Vec::new();
    let mut charset: Option<&[u8]> = None;
    for (at, piece) in pieces.iter().enumerate() {
        let mut content = &*piece.bytes;
        if at == 0 && piece.extended {
            let mut quotes = content.splitn(3, |byte| *byte == b'\'');
            if let (Some(label), Some(_language), Some(rest)) = (quotes.next(), quotes.next(), quotes.next())
            {
                (charset, content) = (Some(label), rest);
            }
        }
        if piece.extended { percent_decode(content, &mut bytes) } else { bytes.extend_from_slice(content) }
    }
    match charset {
        Some(label) => words::in_charset(label, &bytes),
        None => words::decode(&words::text(&bytes)).into_owned(),
    }
}

fn percent_decode(content: &[u8], out: &mut Vec<u8>) {
    let mut rest = content;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if let (b'%', [high, low, tail @ ..]) = (byte, after)
            && let (Some(high), Some(low)) = (transfer::hex(*high), transfer::hex(*low))
        {
            out.push(high << 4 | low);
            rest = tail;
        } else {
            out.push(*byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names() {
        for (written, read) in [
            (&b"attachment; filename=a.txt"[..], "a.txt"),
            (b"attachment; filename=my file (1).txt ; size=3", "my file (1).txt"),
            (b"attachment;filename=\"a;b\\\"c.txt\"", "a;b\"c.txt"),
            (b"attachment; filename=\"C:\\temp\\a.txt\"", "C:\\temp\\a.txt"),
            (b"attachment; filename=\"no end", "no end"),
            (b"attachment; FileName=\"a\r\n b.txt\"", "a b.txt"),
            (b"attachment; filename*=UTF-8''%C3%A5.txt; filename=a.txt", "å.txt"),
            (b"attachment; filename*=iso-8859-1'sv'%E5%20b.txt", "å b.txt"),
            (b"attachment; filename*1*=%E4.txt; filename*0*=iso-8859-1''%E5", "åä.txt"),
            (b"attachment; filename*0*=utf-8''%C3; filename*1*=%A5; filename*2=%41.txt", "å%41.txt"),
            (b"attachment; filename*0=a; filename*1=\"b c\"; filename*2=.txt", "ab c.txt"),
            (b"attachment; filename=\"=?UTF-8?B?w6U=?=.txt\"", "å.txt"),
            (b"attachment; filename==?utf-8?q?=C3=A5_b?=", "å b"),
            (b"attachment; filename*0=\"=?utf-8?q?=C3=A5\"; filename*1=\"b?=\"", "åb"),
            (b"attachment; filename=\"\xe5.txt\"", "å.txt"),
            (b"attachment; filename*=%C3%A5.txt", "å.txt"),
            (b"attachment; x; =; filename=a", "a"),
        ] {
            let parameters = Parameters::parse(written);
            assert_eq!(parameters.value, "attachment");
            assert_eq!(parameters.texts("filename")[0], read, "{}", words::text(written));
        }
        assert!(Parameters::parse(b"attachment; file").texts("filename").is_empty());
    }

    #[test]
    fn every_name_that_is_given() {
        for (written, read) in [
            (&b"x; filename=a.txt; filename=b.js"[..], &["a.txt", "b.js"][..]),
            (b"x; filename=\"\"; FILENAME*=utf-8''b.js", &["b.js", ""]),
            (b"x; filename=a; filename*0=b; filename*1=c; filename*=''d", &["d", "bc", "a"]),
            (b"x; filename*0=a; filename*1=.txt; filename*0=b; filename*1=.js", &["a.txt", "b.js"]),
            (b"x; filename*0=a; filename*1=.txt; filename*1=.js", &["a.txt", "a.js"]),
        ] {
            assert_eq!(Parameters::parse(written).texts("filename"), read, "{}", words::text(written));
        }
    }

    #[test]
    fn values_and_comments() {
        let parameters =
            Parameters::parse(b"Text/Plain (said so); charset=UTF-8 (a comment); boundary=\" a b\"");
        assert_eq!(parameters.value, "text/plain");
        assert_eq!(parameters.bytes("charset"), Some(&b"UTF-8"[..]));
        assert_eq!(parameters.bytes("boundary"), Some(&b" a b"[..]));
    }
}

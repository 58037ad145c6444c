//! Objects of PDF (ISO 32000-2 §7.3), and the parser that reads them from a file or from a content stream.

#![deny(clippy::disallowed_methods)]

use std::collections::HashMap;
use std::ops::Range;

use crate::limits;

/// An object.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Object {
    /// `null`, `true`, `false`: none of them says anything about text.
    Null,
    Boolean(bool),
    Number(f64),
    Name(Vec<u8>),
    String(Vec<u8>),
    Array(Vec<Self>),
    Dictionary(Dictionary),
    /// A dictionary, and where in the file its data are.
    Stream(Dictionary, Range<usize>),
    Reference(u32),
}

/// Keys with values.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Dictionary(pub(super) HashMap<Vec<u8>, Object>);

impl Dictionary {
    pub(super) fn get(&self, key: &str) -> Option<&Object> {
        self.0.get(key.as_bytes())
    }

    pub(super) fn name(&self, key: &str) -> Option<&[u8]> {
        self.get(key)?.name()
    }

    pub(super) fn is(&self, key: &str, name: &str) -> bool {
        self.name(key) == Some(name.as_bytes())
    }
}

impl Object {
    pub(super) fn name(&self) -> Option<&[u8]> {
        if let Self::Name(name) = self { Some(name) } else { None }
    }

    pub(super) fn number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    pub(super) fn string(&self) -> Option<&[u8]> {
        if let Self::String(string) = self { Some(string) } else { None }
    }

    /// The number, if it is whole and not negative.
    pub(super) fn index(&self) -> Option<u32> {
        let number = self.number()?;
        let whole = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and in range")]
        whole.then_some(number as u32)
    }

    /// The dictionary, of a stream too.
    pub(super) fn dictionary(&self) -> Option<&Dictionary> {
        match self {
            Self::Dictionary(dictionary) | Self::Stream(dictionary, _) => Some(dictionary),
            Self::Null
            | Self::Boolean(_)
            | Self::Number(_)
            | Self::Name(_)
            | Self::String(_)
            | Self::Array(_)
            | Self::Reference(_) => None,
        }
    }

    /// The values of an array, or the one value.
    pub(super) fn items(&self) -> &[Self] {
        if let Self::Array(items) = self { items } else { std::slice::from_ref(self) }
    }
}

/// What stands next: an object, or a word that is none, such as `obj` or `Tj`.
#[derive(Debug, PartialEq)]
pub(super) enum Next<'a> {
    Object(Object),
    Word(&'a [u8]),
}

/// Reads objects one after the other.
#[derive(Debug)]
pub(super) struct Parser<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    /// Whether `7 0 R` is a reference; in a content stream there are none.
    pub(super) references: bool,
}

impl<'a> Parser<'a> {
    pub(super) fn in_file(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, references: true }
    }

    pub(super) fn in_content(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, references: false }
    }

    pub(super) fn next(&mut self) -> Option<Next<'a>> {
        self.read(0)
    }

    /// The next object; `None` if what stands there is none.
    pub(super) fn object(&mut self) -> Option<Object> {
        match self.next()? {
            Next::Object(object) => Some(object),
            Next::Word(_) => None,
        }
    }

    fn read(&mut self, depth: usize) -> Option<Next<'a>> {
        self.skip_blanks();
        let first = *self.bytes.get(self.at)?;
        let object = match first {
            b'/' => Object::Name(self.name()),
            b'(' => Object::String(self.literal()),
            b'<' if self.bytes.get(self.at + 1) == Some(&b'<') => {
                self.at += 2;
                Object::Dictionary(self.dictionary(depth)?)
            }
            b'<' => Object::String(self.hexadecimal()),
            b'[' => {
                self.at += 1;
                Object::Array(self.array(depth)?)
            }
            b'0'..=b'9' | b'+' | b'-' | b'.' => self.number_or_reference(),
            _ => return Some(self.word()),
        };
        Some(Next::Object(object))
    }

    fn skip_blanks(&mut self) {
        while let Some(byte) = self.bytes.get(self.at) {
            if is_blank(*byte) {
                self.at += 1;
            } else if *byte == b'%' {
                let rest = self.bytes.get(self.at..).unwrap_or_default();
                self.at += rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
            } else {
                return;
            }
        }
    }

    /// The octets up to the next blank or delimiter.
    fn regular(&mut self) -> &'a [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length =
            rest.iter().position(|byte| is_blank(*byte) || is_delimiter(*byte)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn word(&mut self) -> Next<'a> {
        let from = self.at;
        let word = match self.regular() {
            // A delimiter that begins nothing, such as a `)` too many.
            [] => {
                self.at += 1;
                self.bytes.get(from..self.at).unwrap_or_default()
            }
            word => word,
        };
        match word {
            b"null" => Next::Object(Object::Null),
            b"true" => Next::Object(Object::Boolean(true)),
            b"false" => Next::Object(Object::Boolean(false)),
            word => Next::Word(word),
        }
    }

    /// §7.3.5: `#` and two hexadecimal digits are one octet.
    fn name(&mut self) -> Vec<u8> {
        self.at += 1;
        let written = self.regular();
        if !written.contains(&b'#') {
            return written.to_vec();
        }
        let mut name = Vec::with_capacity(written.len());
        let mut rest = written;
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            match after {
                [high, low, tail @ ..] if *byte == b'#' => {
                    if let (Some(high), Some(low)) = (hex(*high), hex(*low)) {
                        name.push(high << 4 | low);
                        rest = tail;
                        continue;
                    }
                }
                _ => {}
            }
            name.push(*byte);
        }
        name
    }

    fn number_or_reference(&mut self) -> Object {
        let from = self.at;
        let number = number(self.regular());
        if self.references
            && let Some(reference) = self.reference(from)
        {
            return reference;
        }
        Object::Number(number)
    }

    /// `7 0 R` at `from`; otherwise nothing is read.
    fn reference(&mut self, from: usize) -> Option<Object> {
        let mut ahead = Self { bytes: self.bytes, at: from, references: false };
        let number = digits(ahead.regular())?;
        ahead.skip_blanks();
        digits(ahead.regular())?;
        ahead.skip_blanks();
        (ahead.regular() == b"R").then(|| {
            self.at = ahead.at;
            Object::Reference(number)
        })
    }

    /// §7.3.4.2.
    fn literal(&mut self) -> Vec<u8> {
        let mut string = Vec::new();
        let mut open = 1;
        self.at += 1;
        while let Some(byte) = self.bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'(' => open += 1,
                b')' if open == 1 => break,
                b')' => open -= 1,
                b'\\' => {
                    self.escape(&mut string);
                    continue;
                }
                _ => {}
            }
            string.push(*byte);
        }
        string
    }

    fn escape(&mut self, string: &mut Vec<u8>) {
        let Some(byte) = self.bytes.get(self.at) else { return };
        self.at += 1;
        match byte {
            b'n' => string.push(b'\n'),
            b'r' => string.push(b'\r'),
            b't' => string.push(b'\t'),
            b'b' => string.push(8),
            b'f' => string.push(12),
            b'\n' => {}
            b'\r' => self.at += usize::from(self.bytes.get(self.at) == Some(&b'\n')),
            b'0'..=b'7' => {
                let mut value = u32::from(byte - b'0');
                for _ in 0..2 {
                    let Some(digit @ b'0'..=b'7') = self.bytes.get(self.at) else { break };
                    value = value << 3 | u32::from(digit - b'0');
                    self.at += 1;
                }
                string.push(value.to_be_bytes().last().copied().unwrap_or_default());
            }
            other => string.push(*other),
        }
    }

    /// §7.3.4.3.
    fn hexadecimal(&mut self) -> Vec<u8> {
        let rest = self.bytes.get(self.at + 1..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'>').unwrap_or(rest.len());
        self.at += length + 2;
        let digits: Vec<u8> = rest.iter().take(length).filter_map(|byte| hex(*byte)).collect();
        digits
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |value, digit| value << 4 | digit) << (4 * (2 - pair.len())))
            .collect()
    }

    fn array(&mut self, depth: usize) -> Option<Vec<Object>> {
        let mut items = Vec::new();
        self.inside(depth, |next, _| {
            match next {
                Next::Object(object) => items.push(object),
                Next::Word(b"]") => return false,
                Next::Word(_) => {}
            }
            true
        })?;
        Some(items)
    }

    fn dictionary(&mut self, depth: usize) -> Option<Dictionary> {
        let mut entries = HashMap::new();
        let mut key = None;
        self.inside(depth, |next, parser| {
            match (next, key.take()) {
                (Next::Word(b">"), _) => {
                    parser.at += usize::from(parser.bytes.get(parser.at) == Some(&b'>'));
                    return false;
                }
                // A dictionary that is not closed ends where the object does.
                (Next::Word(b"endobj" | b"stream"), _) => {
                    return false;
                }
                (Next::Object(object), Some(key)) => {
                    entries.insert(key, object);
                }
                (Next::Object(Object::Name(name)), None) => key = Some(name),
                (Next::Object(_) | Next::Word(_), _) => {}
            }
            true
        })?;
        Some(Dictionary(entries))
    }

    /// Gives what stands inside brackets to `each` until that says no, or nothing is left; `None` if it lies too deep.
    fn inside(&mut self, depth: usize, mut each: impl FnMut(Next<'a>, &mut Self) -> bool) -> Option<()> {
        if depth >= limits::PDF_DEPTH {
            return None;
        }
        loop {
            let before = self.at;
            let Some(next) = self.read(depth + 1) else {
                // At the end of the bytes what is open is closed; too deep, it is given up.
                return (self.at >= self.bytes.len()).then_some(());
            };
            if !each(next, self) || self.at == before {
                return Some(());
            }
        }
    }
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 12 | b'\r' | b' ')
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

pub(super) fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// A number without sign and point.
pub(super) fn digits(written: &[u8]) -> Option<u32> {
    let digits = !written.is_empty() && written.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(written).ok().filter(|_| digits)?.parse().ok()
}

/// Real files have `--5` and `1.2.3` too; what cannot be read is 0.
fn number(written: &[u8]) -> f64 {
    let text = std::str::from_utf8(written).unwrap_or_default();
    let number: Option<f64> = text.parse().ok().or_else(|| text.trim_start_matches('-').parse().ok());
    number.filter(|number| number.is_finite()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Object {
        Parser::in_file(text.as_bytes(), 0).object().unwrap()
    }

    #[test]
    fn objects() {
        let name = |text: &str| Object::Name(text.into());
        let string = |text: &str| Object::String(text.into());
        for (written, object) in [
            ("/A#42c", name("ABc")),
            ("/A#4", name("A#4")),
            ("-.5", Object::Number(-0.5)),
            ("7 0 R", Object::Reference(7)),
            ("7 0 obj", Object::Number(7.0)),
            (
                r"(a(b)\)\101\n\
c)",
                string("a(b))A\nc"),
            ),
            ("<61 6>", string("a`")),
            (
                "[1 true %x\n null]",
                Object::Array(vec![Object::Number(1.0), Object::Boolean(true), Object::Null]),
            ),
        ] {
            assert_eq!(parsed(written), object, "{written}");
        }
        let object = parsed("<</A 1/B<</C(x)>>/D 3 0 R>>");
        let dictionary = object.dictionary().unwrap();
        assert_eq!(dictionary.get("A").unwrap().index(), Some(1));
        assert_eq!(dictionary.get("D"), Some(&Object::Reference(3)));
        assert_eq!(dictionary.get("B").unwrap().dictionary().unwrap().get("C"), Some(&string("x")));
    }

    #[test]
    fn what_has_no_end_or_no_sense_ends() {
        for written in ["<<", "[", "(", "<", "<</A", "[[[[", ">>", ")", "]", "<</A 1 endobj", "/", "%"] {
            let mut parser = Parser::in_file(written.as_bytes(), 0);
            while parser.next().is_some() {}
            assert!(parser.at >= written.len(), "{written}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(Parser::in_file(deep.as_bytes(), 0).next(), None);
    }
}

//! Tokens: text, tags and what stands aside, in their order.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;

use memchr::{memchr, memmem};

use super::entities;

/// What comes next in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// Text with its entities.
    Text(&'a str),
    /// Text without any: CDATA, and the content of a script.
    Raw(&'a str),
    /// A tag that begins an element, or is one.
    Start(Tag<'a>),
    /// The name in a tag that ends an element.
    End(&'a str),
    /// What stands in a comment.
    Comment(&'a str),
}

/// A tag that begins an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag<'a> {
    /// Its name as written, prefix and all.
    pub(crate) name: &'a str,
    attributes: &'a str,
    /// Whether the element ends with the tag.
    pub(crate) empty: bool,
}

/// The tokens of HTML.
pub(super) fn html(text: &str) -> Tokens<'_> {
    Tokens { rest: text, html: true, raw: None, tags: true }
}

/// The tokens of XML.
pub(crate) fn xml(text: &str) -> Tokens<'_> {
    Tokens { rest: text, html: false, raw: None, tags: true }
}

/// An iterator of tokens.
pub(crate) struct Tokens<'a> {
    rest: &'a str,
    html: bool,
    /// The element whose content is no markup.
    raw: Option<&'a str>,
    /// Whether a `>` may come that ends a tag.
    tags: bool,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        if let Some(name) = self.raw.take() {
            let end = self.end_of_raw(name);
            if end > 0 {
                return Some(Token::Raw(self.take(end)));
            }
        }
        if let Some(token) = self.markup() {
            return Some(token);
        }
        // A `<` that begins nothing is text, with what follows up to the next one.
        let bytes = self.rest.as_bytes();
        let from = usize::from(bytes.first() == Some(&b'<'));
        let end = memchr(b'<', bytes.get(from..).unwrap_or_default()).map(|at| at + from);
        Some(Token::Text(self.take(end.unwrap_or(self.rest.len()))))
    }
}

impl<'a> Tokens<'a> {
    fn take(&mut self, octets: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(octets).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// What stands between the beginning and `end`, or all there is; the rest is what comes after it.
    fn between(&mut self, skip: usize, end: &str) -> &'a str {
        self.take(skip);
        let rest = self.rest.as_bytes();
        let found = match end.as_bytes() {
            [end] => memchr(*end, rest),
            end => memmem::find(rest, end),
        };
        let inside = self.take(found.unwrap_or(self.rest.len()));
        self.take(end.len());
        inside
    }

    fn markup(&mut self) -> Option<Token<'a>> {
        let rest = self.rest.strip_prefix('<')?;
        let token = match rest.as_bytes().first()? {
            b'!' if rest.starts_with("!-->") => self.empty_comment(5),
            b'!' if rest.starts_with("!--->") => self.empty_comment(6),
            b'!' if rest.starts_with("!--") => Token::Comment(self.between(4, "-->")),
            b'!' if rest.starts_with("![CDATA[") && !self.html => Token::Raw(self.between(9, "]]>")),
            b'!' | b'?' => Token::Comment(self.between(2, ">")),
            b'/' if rest.as_bytes().get(1).is_some_and(|first| self.begins_name(*first)) => {
                let inside = self.between(2, ">");
                let ends = |octet: &u8| matches!(octet, b' ' | b'\t' | b'\n' | b'\r' | b'/');
                let end = inside.as_bytes().iter().position(ends).unwrap_or(inside.len());
                Token::End(inside.get(..end).unwrap_or_default())
            }
            letter if self.begins_name(*letter) => {
                let end = if self.tags { end_of_tag(rest) } else { None };
                self.tags = end.is_some();
                let end = end?;
                self.take(1);
                let inside = self.take(end);
                self.take(1);
                Token::Start(self.start(inside))
            }
            _ => return None,
        };
        Some(token)
    }

    fn begins_name(&self, octet: u8) -> bool {
        octet.is_ascii_alphabetic() || (!self.html && octet == b'_')
    }

    fn empty_comment(&mut self, octets: usize) -> Token<'a> {
        self.take(octets);
        Token::Comment("")
    }

    fn start(&mut self, inside: &'a str) -> Tag<'a> {
        let (inside, empty) = inside.strip_suffix('/').map_or((inside, false), |inside| (inside, true));
        let ends = |octet: &u8| matches!(octet, b' ' | b'\t' | b'\n' | b'\r' | b'\x0c' | b'/');
        let end = inside.as_bytes().iter().position(ends).unwrap_or(inside.len());
        let (name, attributes) = inside.split_at_checked(end).unwrap_or((inside, ""));
        let raw = || ["script", "style"].iter().any(|raw| name.eq_ignore_ascii_case(raw));
        if self.html && !empty && raw() {
            self.raw = Some(name);
        }
        Tag { name, attributes, empty }
    }

    /// Where the content of a script ends: before its closing tag, or never.
    fn end_of_raw(&self, name: &str) -> usize {
        let mut from = 0;
        while let Some(found) = self.rest.get(from..).and_then(|rest| rest.find("</")) {
            let at = from + found;
            let after = self.rest.get(at + 2..).and_then(|rest| rest.get(..name.len()));
            if after.is_some_and(|after| after.eq_ignore_ascii_case(name)) {
                return at;
            }
            from = at + 2;
        }
        self.rest.len()
    }
}

/// Where the `>` of a tag is, from after its `<`; one in a quoted value does not count.
fn end_of_tag(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    // Most have no value.
    let first = memchr(b'>', bytes)?;
    if !bytes.get(..first).unwrap_or_default().contains(&b'=') {
        return Some(first);
    }
    let mut quote = None;
    let mut before = b' ';
    for (at, byte) in bytes.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at),
            (None, b'"' | b'\'') if before == b'=' => quote = Some(*byte),
            (Some(open), byte) if open == *byte => quote = None,
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            before = *byte;
        }
    }
    // A quote that never ends: the tag ends where it would without it, so that nothing after it is hidden.
    quote.and_then(|_| rest.find('>'))
}

impl<'a> Tag<'a> {
    /// Its name without a prefix.
    pub(crate) fn local(&self) -> &'a str {
        local(self.name)
    }

    /// Its attributes, names as written, values decoded.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> + use<'a> {
        self.written().map(|(name, value)| (name, entities::decode_value(value)))
    }

    /// The value of the first attribute of that name, whatever its prefix.
    pub(crate) fn attribute(&self, wanted: &str) -> Option<Cow<'a, str>> {
        let found = self.written().find(|(name, _)| local(name) == wanted);
        found.map(|(_, value)| entities::decode_value(value))
    }

    /// The attributes that are wanted by their names, as they are written.
    pub(crate) fn attributes_that(
        &self,
        wanted: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
        let found = self.written().filter(move |(name, _)| wanted(name));
        found.map(|(name, value)| (name, entities::decode_value(value)))
    }

    /// The attributes as they are written.
    fn written(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut rest = self.attributes;
        std::iter::from_fn(move || {
            let bytes = rest.as_bytes();
            let blank = |octet: &u8| octet.is_ascii_whitespace() || matches!(octet, b'/' | b'=');
            let begin = bytes.iter().position(|octet| !blank(octet))?;
            let ends = |octet: &u8| octet.is_ascii_whitespace() || *octet == b'=';
            let after = bytes.get(begin..)?;
            let end = begin + after.iter().position(ends).unwrap_or(after.len());
            let (name, after) = (rest.get(begin..end)?, rest.get(end..)?.trim_ascii_start());
            let Some(value) = after.strip_prefix('=') else {
                rest = after;
                return Some((name, ""));
            };
            let value = value.trim_ascii_start();
            let octets = value.as_bytes();
            let (from, to, next) = if let Some(quote @ (b'"' | b'\'')) = octets.first() {
                let end = octets.iter().skip(1).position(|octet| octet == quote).map(|end| end + 1);
                (1, end.unwrap_or(octets.len()), end.map_or(octets.len(), |end| end + 1))
            } else {
                let end = octets.iter().position(u8::is_ascii_whitespace).unwrap_or(octets.len());
                (0, end, end)
            };
            rest = value.get(next..)?;
            Some((name, value.get(from..to)?))
        })
    }
}

fn local(name: &str) -> &str {
    let colon = name.as_bytes().iter().rposition(|octet| *octet == b':');
    colon.and_then(|colon| name.get(colon + 1..)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_markup_hides_nothing_and_costs_one_pass() {
        let start = |name| Token::Start(Tag { name, attributes: "", empty: false });
        let tokens = |text| html(text).collect::<Vec<_>>();
        assert_eq!(
            tokens("a < b <3<b>c"),
            [Token::Text("a "), Token::Text("< b "), Token::Text("<3"), start("b"), Token::Text("c")]
        );
        assert_eq!(
            tokens("<!-->a<!-- b --!> c"),
            [Token::Comment(""), Token::Text("a"), Token::Comment(" b --!> c")]
        );
        assert_eq!(
            tokens("<script>a</b></SCRIPT>c"),
            [start("script"), Token::Raw("a</b>"), Token::End("SCRIPT"), Token::Text("c")]
        );
        assert_eq!(tokens("<a"), [Token::Text("<a")]);
        let unclosed = tokens("<a b=\"x>1</a>");
        assert_eq!(unclosed.get(1), Some(&Token::Text("1")));
    }

    #[test]
    fn attributes_however_they_are_written() {
        let Some(Token::Start(tag)) = xml("<w:a b='1 2' c=\"&amp;\" w:d=e f g = 'h'/>").next() else {
            panic!()
        };
        let read: Vec<_> = tag.attributes().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(read, ["b=1 2", "c=&", "w:d=e", "f=", "g=h"]);
        assert_eq!((tag.local(), tag.empty, tag.attribute("d").as_deref()), ("a", true, Some("e")));
    }
}

//! The text of HTML as people read it, hidden text and all. What breaks a line separates words; what does not, such as
//! `<b>`, a comment or an unknown tag, leaves them whole. What stands aside (comments, the texts of attributes, what a
//! link asks for) comes after the text, so that it cuts none of it.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;

use super::decode;
use super::tokens::{self, Tag, Token};
use crate::limits;

/// Elements that begin and end a line.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "br",
    "button",
    "caption",
    "center",
    "dd",
    "details",
    "dialog",
    "dir",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "frame",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "iframe",
    "legend",
    "li",
    "main",
    "menu",
    "nav",
    "noscript",
    "object",
    "ol",
    "optgroup",
    "option",
    "p",
    "pre",
    "script",
    "section",
    "select",
    "style",
    "summary",
    "table",
    "tbody",
    "template",
    "textarea",
    "tfoot",
    "thead",
    "title",
    "tr",
    "ul",
    "xmp",
];

/// Elements that stand beside one another in a line.
const CELLS: &[&str] = &["td", "th"];

/// Attributes that people read.
const READ: &[&str] = &["alt", "title", "placeholder", "value", "aria-label", "summary", "label", "content"];

/// The text of a page.
pub(crate) fn text(page: &str) -> String {
    let mut text = Text { out: String::with_capacity(page.len() / 2), aside: String::new() };
    text.read(page, true);
    let Text { mut out, aside } = text;
    if !aside.is_empty() {
        out.push('\n');
        out.push_str(&aside);
    }
    out
}

struct Text {
    out: String,
    aside: String,
}

impl Text {
    fn read(&mut self, page: &str, comments: bool) {
        let mut style = false;
        for token in tokens::html(page) {
            // More is not kept, and whoever keeps it says so.
            if self.out.len() + self.aside.len() > limits::TEXT_OCTETS {
                return;
            }
            match token {
                Token::Text(text) => self.out.push_str(&decode(text)),
                Token::Raw(_) if style => {}
                Token::Raw(text) => self.out.push_str(text),
                Token::Start(tag) => {
                    style = tag.name.eq_ignore_ascii_case("style");
                    self.separate(tag.name);
                    self.attributes(&tag);
                }
                Token::End(name) => self.separate(name),
                // Outlook shows what stands in comments such as `<!--[if mso]> … <![endif]-->`.
                Token::Comment(inside) if comments && !inside.trim_ascii().is_empty() => {
                    let mut hidden = Self { out: String::new(), aside: String::new() };
                    hidden.read(inside, false);
                    self.aside.push_str(&hidden.out);
                    self.aside.push('\n');
                    self.aside.push_str(&hidden.aside);
                }
                Token::Comment(inside) => self.aside.push_str(inside),
            }
        }
    }

    fn separate(&mut self, name: &str) {
        let is = |known: &&str| known.eq_ignore_ascii_case(name);
        if CELLS.iter().any(is) {
            self.end_with('\t');
        } else if BLOCKS.iter().any(is) {
            self.end_with('\n');
        }
    }

    fn end_with(&mut self, separator: char) {
        if !self.out.is_empty() && !self.out.ends_with(['\n', separator]) {
            self.out.push(separator);
        }
    }

    fn attributes(&mut self, tag: &Tag<'_>) {
        for (name, value) in tag.attributes() {
            let read = if READ.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                value
            } else if ["href", "action", "src"].iter().any(|known| known.eq_ignore_ascii_case(name)) {
                Cow::Owned(asked(&value).unwrap_or_default())
            } else {
                continue;
            };
            if !read.trim_ascii().is_empty() {
                self.aside.push_str(&read);
                self.aside.push('\n');
            }
        }
    }
}

/// What a link asks for: the text of a `mailto:` or `tel:`, and the query of the others.
fn asked(link: &str) -> Option<String> {
    let link = link.trim_ascii_start();
    let scheme = |name: &str| link.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    if scheme("data:") || scheme("cid:") {
        return None;
    }
    if scheme("mailto:") || scheme("sms:") {
        return Some(unpercent(link));
    }
    link.split_once('?').map(|(_, query)| unpercent(&query.replace(['&', '+'], " ")))
}

/// The text with its `%` pairs decoded.
pub(crate) fn unpercent(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        if let (b'%', [high, low, tail @ ..]) = (byte, after)
            && let (Some(high), Some(low)) = (digit(high), digit(low))
        {
            out.push(high << 4 | low);
            rest = tail;
        } else {
            out.push(*byte);
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_people_read_it() {
        for (page, read) in [
            ("8112<b>28</b>-98<!-- x -->74", "811228-9874\n x \n"),
            ("<p>a</p><p>b<br>c</p>", "a\nb\nc\n"),
            ("<td>a</td><td><o:p>b</o:p></td>", "a\tb\t"),
            ("<span style='display:none'>hidden</span>", "hidden"),
            ("8112<wbr>28&#45;98&zwj;74", "811228-98\u{200d}74"),
            ("<style>p { }</style>a<script>b</script>", "a\nb\n"),
            ("<img alt='811228-9874' title=x src=cid:1>", "\n811228-9874\nx\n"),
            ("<a href='https://example.org/1?pnr=811228%2D9874&amp;x=1'>y</a>", "y\npnr=811228-9874 x=1\n"),
            (
                "<a href='mailto:a@example.org?body=811228-9874'>y",
                "y\nmailto:a@example.org?body=811228-9874\n",
            ),
            ("a<!-- <!-- b", "a\n \n b"),
            ("a<!--[if mso]><p>b</p><![endif]-->c", "ac\n[if mso]>\nb\n\n[endif]"),
        ] {
            assert_eq!(text(page), read, "{page}");
        }
    }
}

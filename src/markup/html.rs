//! The text of HTML as people read it, hidden text and all. What breaks a line separates words; what does not, such as
//! `<b>`, a comment or an unknown tag, leaves them whole. What stands aside (comments, the texts of attributes, what a
//! link asks for) comes after the text, so that it cuts none of it.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;

use super::cells::Cells;
use super::data::{self, unpercent};
use super::tokens::{self, Tag, Token};
use super::{decode, unescape};
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

/// Pages within pages, in their attributes, that are read.
const PAGES: u8 = 3;
/// Digits on end that make the value of a `data-` attribute worth reading.
const DIGITS: usize = 6;

/// The text of a page.
pub(crate) fn text(page: &str) -> String {
    text_within(page, PAGES)
}

fn text_within(page: &str, pages: u8) -> String {
    let mut text = Text { out: Cells::with_capacity(page.len() / 2), aside: String::new(), pages };
    text.read(page, true);
    let Text { out, aside, .. } = text;
    let mut out = out.into_text();
    if !aside.is_empty() {
        out.push('\n');
        out.push_str(&aside);
    }
    out
}

struct Text {
    out: Cells,
    aside: String,
    /// Pages within this one that may still be read.
    pages: u8,
}

impl Text {
    fn read(&mut self, page: &str, comments: bool) {
        let mut style = false;
        for token in tokens::html(page) {
            // More is not kept; the caller reports that.
            if self.out.len() + self.aside.len() > limits::TEXT_OCTETS {
                return;
            }
            match token {
                Token::Text(text) => self.out.text(&decode(text)),
                Token::Raw(_) if style => {}
                Token::Raw(text) => self.out.text(&unescape(text)),
                Token::Start(tag) => {
                    style = tag.name.eq_ignore_ascii_case("style");
                    if is_cell(tag.name) {
                        let span = tag.attribute("colspan").and_then(|span| span.trim().parse().ok());
                        self.out.cell(span.unwrap_or(1));
                    } else {
                        self.separate(tag.name);
                    }
                    self.attributes(&tag);
                }
                Token::End(name) if is_cell(name) => self.out.end_cell(),
                Token::End(name) => self.separate(name),
                // Outlook shows what stands in comments such as `<!--[if mso]> … <![endif]-->`.
                Token::Comment(inside) if comments && !inside.trim_ascii().is_empty() => {
                    let mut hidden = Self { out: Cells::default(), aside: String::new(), pages: self.pages };
                    hidden.read(inside, false);
                    self.aside.push_str(&hidden.out.into_text());
                    self.aside.push('\n');
                    self.aside.push_str(&hidden.aside);
                }
                Token::Comment(inside) => self.aside.push_str(inside),
            }
        }
    }

    fn separate(&mut self, name: &str) {
        if name.eq_ignore_ascii_case("tr") {
            self.out.row();
        } else if BLOCKS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            self.out.line();
        }
    }

    fn attributes(&mut self, tag: &Tag<'_>) {
        for (name, value) in tag.attributes() {
            let is = |known: &&str| known.eq_ignore_ascii_case(name);
            let read = if is(&"value") && !value.is_empty() {
                // A field's name is the label of its value.
                let label = tag.attribute("name").or_else(|| tag.attribute("id")).unwrap_or_default();
                Cow::Owned(if label.is_empty() { value.into_owned() } else { format!("{label}: {value}") })
            } else if READ.iter().any(is) {
                value
            } else if is(&"srcdoc") {
                Cow::Owned(self.page(&value))
            } else if ["href", "action", "src", "data"].iter().any(is) {
                Cow::Owned(data::text(&value).map_or_else(
                    || asked(&value).unwrap_or_default(),
                    |(text, page)| if page { self.page(&text) } else { text },
                ))
            } else if let Some(field) = name.get(5..).filter(|_| is_data(name) && has_number(&value)) {
                Cow::Owned(format!("{field}: {value}"))
            } else {
                continue;
            };
            if !read.trim_ascii().is_empty() {
                self.aside.push_str(&read);
                self.aside.push('\n');
            }
        }
    }

    /// The text of a page that an attribute carries.
    fn page(&self, page: &str) -> String {
        self.pages.checked_sub(1).map(|pages| text_within(page, pages)).unwrap_or_default()
    }
}

fn is_cell(name: &str) -> bool {
    CELLS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether scripts keep something in the attribute.
fn is_data(name: &str) -> bool {
    name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("data-"))
}

fn has_number(value: &str) -> bool {
    value
        .as_bytes()
        .chunk_by(|one, next| one.is_ascii_digit() && next.is_ascii_digit())
        .any(|run| run.len() >= DIGITS && run.iter().all(u8::is_ascii_digit))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_people_read_it() {
        for (page, read) in [
            ("8112<b>28</b>-98<!-- x -->74", "811228-9874\n x \n"),
            ("<p>a</p><p>b<br>c</p>", "a\nb\nc\n"),
            ("<td>a</td><td><o:p>b</o:p></td>", "a\tb\t"),
            (
                "<tr>\n <td>a</td>\n <td></td>\n <td>\n<p>b</p>\n</td>\n</tr>\n<tr><td>c</tr>",
                "a\t\tb\t\nc\t\n",
            ),
            ("<tr><td colspan=2><p>a</p><p>b</p></td><td>c<tr><td>d", "a\nb\t\tc\t\nd"),
            ("<tr><td>a<table><tr><td>b</td></tr></table></td><td>c</td></tr>d", "a\t\nb\t\nc\t\nd"),
            ("<tr><td></td><td>a</td></tr>\n<p>b</p>", "\ta\t\nb\n"),
            ("<span style='display:none'>hidden</span>", "hidden"),
            ("8112<wbr>28&#45;98&zwj;74", "811228-98\u{200d}74"),
            ("<style>p { }</style>a<script>b</script>", "a\nb\n"),
            ("<img alt='811228-9874' title=x src=cid:1>", "\n811228-9874\nx\n"),
            ("<a href='https://example.org/1?pnr=811228%2D9874&amp;x=1'>y</a>", "y\npnr=811228-9874 x=1\n"),
            (
                "<a href='mailto:a@example.org?body=811228-9874'>y",
                "y\nmailto:a@example.org?body=811228-9874\n",
            ),
            ("<iframe srcdoc='&lt;p>Pnr &lt;b>811228&lt;/b>-9874'></iframe>", "\nPnr 811228-9874\n"),
            ("<a href='data:text/html,%3Cp%3E811228-9874'>y</a>", "y\n811228-9874\n"),
            ("<input name=pnr value=8112289874>", "\npnr: 8112289874\n"),
            ("<tr data-pnr=811228-9874 data-x=12>", "\npnr: 811228-9874\n"),
            ("<script>{\"a\":\"V\\u00e5rd\"}</script>", "{\"a\":\"Vård\"}\n"),
            ("a<!-- <!-- b", "a\n \n b"),
            ("a<!--[if mso]><p>b</p><![endif]-->c", "ac\n[if mso]>\nb\n\n[endif]"),
        ] {
            assert_eq!(text(page), read, "{page}");
        }
    }
}

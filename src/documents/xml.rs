//! The text of XML in office documents: where text flows, what ends a line or a cell separates it and nothing else
//! does; elsewhere every element stands for itself.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;

use crate::limits;
use crate::markup::cells::Cells;
use crate::markup::{self, Tag, Token};
use crate::mime::words;

/// Whether an element ends a line of text.
fn ends_line(name: &str) -> bool {
    matches!(
        name.as_bytes(),
        b"p" | b"h"
            | b"br"
            | b"cr"
            | b"line-break"
            | b"si"
            | b"title"
            | b"desc"
            | b"subject"
            | b"creator"
            | b"keywords"
            | b"keyword"
            | b"description"
            | b"lastModifiedBy"
            | b"category"
            | b"company"
            | b"manager"
            | b"property"
            | b"user-defined"
            | b"initial-creator"
            | b"comment"
            | b"text"
            | b"author"
            | b"list-item"
            | b"txBody"
            | b"pt"
            | b"oddHeader"
            | b"oddFooter"
            | b"evenHeader"
            | b"evenFooter"
            | b"firstHeader"
            | b"firstFooter"
            | b"annotation"
            | b"note-citation"
            | b"v"
            | b"page"
    )
}

/// Whether it is a row of a table.
fn is_row(name: &str) -> bool {
    matches!(name.as_bytes(), b"tr" | b"table-row")
}

/// Whether it is a cell of a row.
fn is_cell(name: &str) -> bool {
    matches!(name.as_bytes(), b"tc" | b"table-cell" | b"covered-table-cell")
}

/// Whether it stands for a tabulator.
fn is_tab(name: &str) -> bool {
    matches!(name.as_bytes(), b"tab" | b"ptab")
}

/// Whether its text is for the program, such as the address of a link; it stands aside.
fn is_code(name: &str) -> bool {
    matches!(name.as_bytes(), b"instrText" | b"delInstrText" | b"f" | b"formula")
}

/// Whether people read an attribute.
fn is_read(name: &str) -> bool {
    matches!(
        name.as_bytes(),
        b"descr"
            | b"title"
            | b"alt"
            | b"string"
            | b"tooltip"
            | b"displayText"
            | b"author"
            | b"display"
            | b"prompt"
            | b"promptTitle"
            | b"initials"
            | b"value"
            | b"string-value"
    )
}

/// Whether an attribute holds a link.
fn is_link(name: &str) -> bool {
    matches!(name.as_bytes(), b"Target" | b"href")
}

/// The elements of XML over its parts: whether it is XML, and all of it.
#[derive(Debug, Default)]
pub(super) struct Elements {
    /// How many have begun and not ended.
    open: usize,
    /// Whether text stands in a part without any.
    none: bool,
}

impl Elements {
    /// Follows them through the next part.
    pub(super) fn follow(&mut self, part: &[u8]) {
        let (mut tags, mut text) = (false, false);
        for token in markup::xml(&characters(part)) {
            match token {
                Token::Start(tag) => {
                    tags = true;
                    self.open += usize::from(!tag.empty);
                }
                Token::End(_) => {
                    tags = true;
                    self.open = self.open.saturating_sub(1);
                }
                Token::Text(found) => text = text || !is_padding(found),
                Token::Raw(_) | Token::Comment(_) => {}
            }
        }
        self.none |= text && !tags;
    }

    /// Whether each has its end, and text stands in nothing else.
    pub(super) fn are_whole(&self) -> bool {
        self.open == 0 && !self.none
    }
}

/// Blanks, and what programs write for them.
fn is_padding(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || matches!(c, '\0' | '\u{feff}'))
}

/// The text of a part of a document in which text flows.
pub(super) fn flow(part: &[u8]) -> String {
    let part = characters(part);
    let (mut out, mut aside) = (Cells::with_capacity(part.len() / 4), String::new());
    let mut code = false;
    // What a cell holds, where it shows something else.
    let mut held: Option<String> = None;
    for token in markup::xml(&part) {
        // An element may stand for many blanks.
        if out.len() + aside.len() > limits::DOCUMENT_TEXT_OCTETS {
            break;
        }
        match token {
            Token::Text(text) if code => aside.push_str(&markup::decode(text)),
            Token::Text(text) => {
                let text = markup::decode(text);
                held = held.filter(|held| **held != *text);
                out.text(text_of(&text));
            }
            Token::Raw(text) => out.text(text),
            Token::Start(tag) if tag.local() == "table-cell" => {
                held = tag.attribute("string-value").or_else(|| tag.attribute("value")).map(Cow::into_owned);
                begin(&tag, &mut out);
                if tag.empty {
                    aside.extend(held.take().map(|held| held + "\n"));
                    end(tag.local(), &mut out);
                }
            }
            Token::Start(tag) => {
                code = is_code(tag.local()) && !tag.empty;
                begin(&tag, &mut out);
                if tag.empty {
                    end(tag.local(), &mut out);
                }
                attributes(&tag, &mut aside);
            }
            Token::End(name) => {
                let local = local(name);
                if is_code(local) {
                    aside.push('\n');
                }
                if local == "table-cell" {
                    aside.extend(held.take().map(|held| held + "\n"));
                }
                code = false;
                end(local, &mut out);
            }
            Token::Comment(_) => {}
        }
    }
    joined(out.into_text(), &aside)
}

/// The text of a part in which every element stands for itself.
pub(super) fn fields(part: &[u8]) -> String {
    let part = characters(part);
    let (mut out, mut aside) = (String::new(), String::new());
    for token in markup::xml(&part) {
        if out.len() + aside.len() > limits::DOCUMENT_TEXT_OCTETS {
            break;
        }
        match token {
            Token::Text(text) if !text.trim_ascii().is_empty() => {
                out.push_str(&markup::decode(text));
                out.push('\n');
            }
            Token::Raw(text) => {
                out.push_str(text);
                out.push('\n');
            }
            Token::Start(tag) => attributes(&tag, &mut aside),
            Token::Text(_) | Token::End(_) | Token::Comment(_) => {}
        }
    }
    joined(out, &aside)
}

/// The text of XML of whatever kind, in which every element stands for itself, and so does every attribute.
pub(super) fn values(part: &[u8]) -> String {
    let part = characters(part);
    let mut out = String::new();
    // An office document in one file has attributes that people read, and thousands that they do not.
    let office = part.get(..OFFICE_BEGINNING).unwrap_or(&part).contains("office:document");
    for token in markup::xml(&part) {
        if out.len() > limits::DOCUMENT_TEXT_OCTETS {
            break;
        }
        match token {
            Token::Text(text) if !text.trim_ascii().is_empty() => {
                out.push_str(&markup::decode(text));
                out.push('\n');
            }
            Token::Raw(text) => {
                out.push_str(text);
                out.push('\n');
            }
            Token::Start(tag) if office => attributes(&tag, &mut out),
            Token::Start(tag) => {
                for (name, value) in tag.attributes().filter(|(name, _)| !is_technical(name)) {
                    for piece in [local(name), ": ", &value, "\t"] {
                        out.push_str(piece);
                    }
                }
                if out.ends_with('\t') {
                    out.push('\n');
                }
            }
            Token::Text(_) | Token::End(_) | Token::Comment(_) => {}
        }
    }
    out
}

/// The values of that attribute, of whatever element.
pub(super) fn attribute(part: &[u8], wanted: &str) -> Vec<String> {
    let part = characters(part);
    let tags =
        markup::xml(&part).filter_map(|token| if let Token::Start(tag) = token { Some(tag) } else { None });
    tags.filter_map(|tag| tag.attribute(wanted).map(Cow::into_owned)).collect()
}

/// Octets in which a document in one file says that it is one.
const OFFICE_BEGINNING: usize = 1 << 10;

/// Attributes that are for programs, whatever the XML is about.
fn is_technical(name: &str) -> bool {
    name == "xmlns" || ["xmlns:", "xsi:", "xml:"].iter().any(|prefix| name.starts_with(prefix))
}

pub(super) fn joined(mut out: String, aside: &str) -> String {
    if !aside.is_empty() {
        out.push('\n');
        out.push_str(aside);
    }
    out
}

/// Line breaks between elements are layout of the file.
fn text_of(text: &str) -> &str {
    if text.contains('\n') && text.trim_ascii().is_empty() { "" } else { text }
}

/// Cells and rows, and elements that stand for a character.
fn begin(tag: &Tag<'_>, out: &mut Cells) {
    let number = |name: &str| tag.attribute(name).and_then(|number| number.parse::<usize>().ok());
    match tag.name {
        "w:noBreakHyphen" => out.text("-"),
        "text:s" => out.text(BLANKS.get(..number("c").unwrap_or(1)).unwrap_or(BLANKS)),
        "w:gridSpan" => out.span(number("val").unwrap_or(1)),
        _ if is_cell(tag.local()) => out.cell(number("number-columns-repeated").unwrap_or(1)),
        _ if is_row(tag.local()) => out.row(),
        _ => {}
    }
}

/// As many blanks as one element may stand for.
const BLANKS: &str =
    "                                                                                                    ";

fn end(local: &str, out: &mut Cells) {
    if is_cell(local) {
        out.end_cell();
    } else if is_row(local) {
        out.row();
    } else if is_tab(local) {
        out.tab();
    } else if ends_line(local) {
        out.line();
    }
}

/// Texts of attributes, and links, which come after the text.
pub(super) fn attributes(tag: &Tag<'_>, aside: &mut String) {
    let element = tag.local();
    let sheet = matches!(element, "sheet" | "table" | "tableColumn" | "cacheField");
    // What a pivot table was made from.
    let cached = matches!(element, "s" | "n" | "d");
    let kept = |name: &str| match local(name) {
        "name" => sheet,
        "v" => cached,
        local => is_read(local) || is_link(local),
    };
    for (name, value) in tag.attributes_that(kept) {
        if !is_link(local(name)) {
            aside.push_str(&value);
            aside.push('\n');
        } else if value.contains(['?', ':']) {
            aside.push_str(&markup::unpercent(&value));
            aside.push('\n');
        }
    }
}

/// XML is in Unicode by its mark or by its first character (XML 1.0, appendix F), else in the charset that it names.
fn characters(part: &[u8]) -> Cow<'_, str> {
    match part {
        [0, 0, 0, b'<', ..] | [0, 0, 0xfe, 0xff, ..] => Cow::Owned(utf32(part, u32::from_be_bytes)),
        [b'<', 0, 0, 0, ..] | [0xff, 0xfe, 0, 0, ..] => Cow::Owned(utf32(part, u32::from_le_bytes)),
        [0, b'<', ..] => Cow::Owned(words::in_charset(b"utf-16be", part)),
        [b'<', 0, ..] => Cow::Owned(words::in_charset(b"utf-16le", part)),
        _ => words::declared(markup::charset(part), part),
    }
}

fn utf32(part: &[u8], number: fn([u8; 4]) -> u32) -> String {
    let (numbers, _) = part.as_chunks();
    let character = |octets: &[u8; 4]| char::from_u32(number(*octets)).unwrap_or('\u{fffd}');
    numbers.iter().map(character).filter(|c| *c != '\u{feff}').collect()
}

fn local(name: &str) -> &str {
    let colon = name.as_bytes().iter().rposition(|octet| *octet == b':');
    colon.and_then(|colon| name.get(colon + 1..)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_flows_over_runs() {
        for (part, read) in [
            (
                "<w:p><w:r><w:t>8112</w:t></w:r>\n<w:r><w:t xml:space=\"preserve\">28-9874 </w:t></w:r></w:p><w:p/>",
                "811228-9874 \n",
            ),
            (
                "<w:t>a</w:t><w:instrText>HYPERLINK x</w:instrText><w:t>b</w:t><w:noBreakHyphen/>",
                "ab-\nHYPERLINK x\n",
            ),
            (
                "<text:p>a<text:s text:c=\"2\"/><text:span>b</text:span></text:p><text:p>c</text:p>",
                "a  b\nc\n",
            ),
            (
                "<table:table-cell office:value=\"8112289874\"><text:p>x</text:p></table:table-cell>",
                "x\t\n8112289874\n",
            ),
            (
                "<table:table-cell office:value='8112289874'><text:p>8112289874</text:p></table:table-cell>",
                "8112289874\t",
            ),
            (
                "<w:tr><w:tc><w:p>a</w:p></w:tc><w:tc><w:p/></w:tc><w:tc><w:p>b</w:p><w:p>c</w:p></w:tc></w:tr>d",
                "a\t\tb\nc\t\nd",
            ),
            (
                "<table:table-row><table:table-cell table:number-columns-repeated='2'/><table:table-cell>\
                 <text:p>a</text:p></table:table-cell><table:table-cell table:number-columns-repeated='999'/>\
                 </table:table-row>",
                "\t\ta\t\n",
            ),
            ("<wp:docPr descr=\"bild &amp; text\"/>", "\nbild & text\n"),
        ] {
            assert_eq!(flow(part.as_bytes()), read, "{part}");
        }
        assert_eq!(fields(b"<a><b>1</b> <c>2</c></a>"), "1\n2\n");
    }

    #[test]
    fn attributes_are_values() {
        assert_eq!(
            values(b"<p xmlns='u' xml:lang='sv'><x persnr='811228-9874' w:y=\"a &amp; b\"/>1</p>"),
            "persnr: 811228-9874\ty: a & b\t\n1\n"
        );
        assert_eq!(
            flow(b"<cacheField name='Pnr'><s v='811228-9874'/><x v='0'/></cacheField>"),
            "\nPnr\n811228-9874\n"
        );
    }

    #[test]
    fn unicode_in_every_width() {
        for mark in ["", "\u{feff}"] {
            let text = format!("{mark}<a>å 1</a>");
            let wide: Vec<u16> = text.encode_utf16().collect();
            for part in [
                text.clone().into_bytes(),
                wide.iter().copied().flat_map(u16::to_be_bytes).collect(),
                wide.iter().copied().flat_map(u16::to_le_bytes).collect(),
                text.chars().map(u32::from).flat_map(u32::to_be_bytes).collect(),
                text.chars().map(u32::from).flat_map(u32::to_le_bytes).collect(),
            ] {
                assert_eq!(fields(&part), "å 1\n", "{part:?}");
            }
        }
        assert_eq!(fields(b"<\0\0\0a\0\0\xff>\0\0\x001\0\0\x002\0"), "<\u{fffd}>1\n");
    }

    #[test]
    fn what_is_whole() {
        let whole = |parts: &[&str]| {
            let mut elements = Elements::default();
            for part in parts {
                elements.follow(part.as_bytes());
            }
            elements.are_whole()
        };
        for parts in [
            &[][..],
            &[""],
            &["\u{feff} \n\0\0"],
            &["<?xpacket begin=''?>\n<?xpacket end='w'?>"],
            &["<?xpacket begin=''?><x:a b='>'>1<c/><_d>2</_d></x:a>  \n<?xpa"],
            &["<a>1 < 2<![CDATA[<b>]]><!-- <c> --></a>\0\0 rest"],
            &["<a>1</a></b>"],
            &["<a>", "<b>1</b>", "", "</a>"],
        ] {
            assert!(whole(parts), "{parts:?}");
        }
        for parts in [
            &["1"][..],
            &["<a b='1'"],
            &["<a>1"],
            &["<a><b>1</b>"],
            &["<a><b>1</a>"],
            &["<a>", "<b>1", "</a>"],
            &["<a>", "1", "</a>"],
        ] {
            assert!(!whole(parts), "{parts:?}");
        }
    }
}

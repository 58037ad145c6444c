//! RTF: its text, and the objects embedded in it. Control words that end a line or a cell separate, groups that hold
//! no text of the document (fonts, styles, pictures) are stepped over, everything else is text.

#![deny(clippy::disallowed_methods)]

use std::collections::BTreeMap;

use super::document::{Document, Outcome};
use super::{State, package};
use crate::limits;
use crate::mime::words;

/// Groups that hold no text of the document.
const SKIPPED: &[&str] = &[
    "fonttbl",
    "colortbl",
    "stylesheet",
    "listtable",
    "listoverridetable",
    "rsidtbl",
    "generator",
    "pict",
    "themedata",
    "colorschememapping",
    "latentstyles",
    "datastore",
    "xmlnstbl",
    "mmathPr",
    "htmltag",
    "filetbl",
    "revtbl",
    "pgdsctbl",
    "blipuid",
    "objclass",
    "objname",
    "panose",
    "falt",
];

/// Reads the text and the objects.
pub(super) fn read(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    let mut reader = Reader::default();
    let mut rest = bytes;
    while let Some((octet, after)) = rest.split_first() {
        rest = after;
        match octet {
            b'{' => reader.open(),
            b'}' => reader.close(),
            b'\\' => rest = reader.control(after),
            b'\r' | b'\n' | 0 => {}
            octet => reader.octet(*octet),
        }
    }
    reader.flush();
    document.text(&reader.out)?;
    for object in &reader.objects {
        package::object(document, object)?;
    }
    Ok(State::Plain)
}

#[derive(Default)]
struct Reader {
    out: String,
    /// Octets of text that have no character yet.
    pending: Vec<u8>,
    /// The half of a character outside the basic plane.
    surrogate: Option<u16>,
    group: Group,
    outer: Vec<Group>,
    /// Groups above the limit of those that are remembered.
    beyond: usize,
    codepage: u16,
    /// The codepages of fonts, and the font whose entry is being read.
    fonts: BTreeMap<i32, u16>,
    font_entry: i32,
    /// Octets that a character by number still replaces.
    replaced: usize,
    objects: Vec<Vec<u8>>,
    half: Option<u8>,
}

#[derive(Clone, Copy, Default)]
struct Group {
    skipped: bool,
    fonts: bool,
    object: bool,
    /// Octets that follow a character by number in its stead; `\uc`.
    replacement: Option<usize>,
    codepage: Option<u16>,
}

impl Reader {
    fn open(&mut self) {
        self.flush();
        self.replaced = 0;
        if self.outer.len() >= limits::RTF_GROUPS {
            self.beyond += 1;
        } else {
            self.outer.push(self.group);
        }
    }

    fn close(&mut self) {
        self.flush();
        self.replaced = 0;
        if self.beyond > 0 {
            self.beyond -= 1;
        } else if let Some(outer) = self.outer.pop() {
            self.group = outer;
        }
    }

    fn octet(&mut self, octet: u8) {
        if self.replaced > 0 {
            self.replaced -= 1;
        } else if self.group.object {
            self.object_digit(octet);
        } else if !self.group.skipped {
            self.surrogate = None;
            self.pending.push(octet);
        }
    }

    fn object_digit(&mut self, octet: u8) {
        let Some(digit) = char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok()) else {
            return;
        };
        match self.half.take() {
            None => self.half = Some(digit),
            Some(high) => {
                if let Some(object) = self.objects.last_mut() {
                    object.push(high << 4 | digit);
                }
            }
        }
    }

    /// The octets so far become text.
    fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let codepage = self.group.codepage.unwrap_or(self.codepage);
        if self.pending.is_ascii() {
            self.out.push_str(&words::text(&self.pending));
        } else if codepage == 0 {
            self.out.push_str(&words::in_charset(b"windows-1252", &self.pending));
        } else {
            self.out.push_str(&words::in_codepage(codepage, &self.pending));
        }
        self.pending.clear();
    }

    fn push(&mut self, text: &str) {
        self.flush();
        if !self.group.skipped && !self.group.object {
            self.out.push_str(text);
        }
    }

    /// A control word or sign, from after its backslash; gives what comes after it.
    fn control<'a>(&mut self, text: &'a [u8]) -> &'a [u8] {
        let letters = text.iter().take_while(|octet| octet.is_ascii_alphabetic()).count();
        let Some((word, rest)) = text.split_at_checked(letters).filter(|_| letters > 0) else {
            return self.sign(text);
        };
        let digits = rest.iter().enumerate();
        let length =
            digits.take_while(|(at, octet)| octet.is_ascii_digit() || *at == 0 && **octet == b'-').count();
        let (number, rest) = rest.split_at_checked(length).unwrap_or((&[], rest));
        let number = std::str::from_utf8(number).ok().and_then(|number| number.parse::<i32>().ok());
        let rest = rest.strip_prefix(b" ").unwrap_or(rest);
        if word == b"bin" {
            return self.binary(number, rest);
        }
        self.word(std::str::from_utf8(word).unwrap_or_default(), number);
        rest
    }

    fn binary<'a>(&mut self, number: Option<i32>, rest: &'a [u8]) -> &'a [u8] {
        let length = number.and_then(|number| usize::try_from(number).ok()).unwrap_or(0).min(rest.len());
        let (content, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        if self.group.object
            && let Some(object) = self.objects.last_mut()
        {
            object.extend_from_slice(content);
        }
        rest
    }

    fn sign<'a>(&mut self, text: &'a [u8]) -> &'a [u8] {
        let Some((sign, rest)) = text.split_first() else { return text };
        match sign {
            b'\'' => {
                let digit = |at: usize| {
                    rest.get(at)
                        .and_then(|octet| char::from(*octet).to_digit(16))
                        .and_then(|d| u8::try_from(d).ok())
                };
                if let (Some(high), Some(low)) = (digit(0), digit(1)) {
                    if self.group.object {
                        return rest.get(2..).unwrap_or_default();
                    }
                    self.octet(high << 4 | low);
                    return rest.get(2..).unwrap_or_default();
                }
            }
            b'~' => self.push("\u{a0}"),
            b'_' => self.push("-"),
            b'\r' | b'\n' => self.push("\n"),
            b'{' | b'}' | b'\\' => self.octet(*sign),
            _ => {}
        }
        rest
    }

    fn word(&mut self, word: &str, number: Option<i32>) {
        match word {
            // Ends of lines, and groups that are text of their own.
            "par" | "line" | "row" | "sect" | "page" | "nestrow" | "footnote" | "annotation" | "header"
            | "headerl" | "headerr" | "headerf" | "footer" | "footerl" | "footerr" | "footerf" | "title"
            | "subject" | "author" | "keywords" | "doccomm" | "company" | "manager" | "operator"
            | "category" | "fldinst" | "shptxt" => {
                self.push("\n");
            }
            "tab" | "cell" | "nestcell" => self.push("\t"),
            "emdash" => self.push("—"),
            "endash" => self.push("–"),
            "emspace" | "enspace" | "qmspace" => self.push(" "),
            "bullet" => self.push("•"),
            "lquote" | "rquote" => self.push("'"),
            "ldblquote" | "rdblquote" => self.push("\""),
            "u" => self.unicode(number.unwrap_or(0)),
            "uc" => self.group.replacement = number.and_then(|number| usize::try_from(number).ok()),
            "ansicpg" => self.codepage = number.and_then(|number| u16::try_from(number).ok()).unwrap_or(0),
            "mac" => self.codepage = 10_000,
            "pc" => self.codepage = 437,
            "pca" => self.codepage = 850,
            "objdata" => {
                self.flush();
                self.objects.push(Vec::new());
                self.half = None;
                self.group.object = true;
                self.group.skipped = false;
            }
            "f" if self.group.fonts => self.font_entry = number.unwrap_or(0),
            "fcharset" if self.group.fonts => {
                self.fonts.extend(number.and_then(codepage_of).map(|codepage| (self.font_entry, codepage)));
            }
            "f" => {
                self.flush();
                self.group.codepage = number.and_then(|font| self.fonts.get(&font).copied());
            }
            "plain" => {
                self.flush();
                self.group.codepage = None;
            }
            word if SKIPPED.contains(&word) => {
                self.flush();
                self.group.fonts |= word == "fonttbl";
                self.group.skipped = true;
            }
            _ => {}
        }
    }

    /// A character by its number in UTF-16, which may be written as negative.
    fn unicode(&mut self, number: i32) {
        self.flush();
        self.replaced = self.group.replacement.unwrap_or(1);
        let unit = u16::try_from(number & 0xffff).unwrap_or(0);
        let units = [self.surrogate.take().unwrap_or(0), unit];
        let units = if units.first() == Some(&0) { units.get(1..).unwrap_or_default() } else { &units };
        match String::from_utf16(units) {
            Ok(text) => self.push(&text),
            Err(_) if (0xd800..0xdc00).contains(&unit) => self.surrogate = Some(unit),
            Err(_) => self.push("\u{fffd}"),
        }
    }
}

/// The codepage of a font's charset (RTF 1.9, `\fcharset`).
fn codepage_of(charset: i32) -> Option<u16> {
    Some(match charset {
        0 => 1252,
        77 => 10_000,
        128 => 932,
        129 => 949,
        134 => 936,
        136 => 950,
        161 => 1253,
        162 => 1254,
        163 => 1258,
        177 => 1255,
        178 => 1256,
        186 => 1257,
        204 => 1251,
        222 => 874,
        238 => 1250,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::text;

    #[test]
    fn text_of_every_spelling() {
        for (written, read) in [
            (r"{\rtf1\ansi\ansicpg1252 8112{\b 28}-98{\i0 }74\par x}", "811228-9874\nx"),
            (r"{\rtf1 l\'e4karintyg \u229?\u-10179?\u-8704?}", "läkarintyg å😀"),
            (r"{\rtf1{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset204 X;}}\f1 \'cf\f0\'e5}", "Пå"),
            (r"{\rtf1{\*\generator X;}{\info{\title T}{\author A}}a\cell b\row}", "\nT\nAa\tb\n"),
            (r"{\rtf1 8112\uc2\u50 xx8\_98\~74\{\}}", "811228-98\u{a0}74{}"),
            (r"{\rtf1{\pict\bin4 {{{{ff}ok", "ok"),
            ("{\\rtf1 no end \\", "no end "),
        ] {
            assert_eq!(text("a.rtf", written.as_bytes()), read, "{written}");
        }
    }
}

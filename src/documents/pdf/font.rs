//! Fonts: which characters the codes of a string stand for, and how wide they are (ISO 32000-2 §9.6 to §9.10).

#![deny(clippy::disallowed_methods)]

use std::collections::HashMap;

use super::cmap::Map;
use super::encoding::{self, Base};
use super::file::File;
use super::object::{Dictionary, Next, Object, Parser};
use crate::documents::Budget;
use crate::limits;

/// A font.
pub(super) struct Font {
    /// ToUnicode, which holds before all else.
    unicode: Option<Map>,
    /// For simple fonts: what each code stands for.
    simple: Option<Vec<Option<String>>>,
    widths: HashMap<u32, f64>,
    default_width: f64,
    /// Thousandths of an em, or whatever a Type 3 font counts in.
    scale: f64,
}

/// One character of a string.
pub(super) struct Glyph {
    /// What it stands for; `None` where nobody says.
    pub(super) text: Option<String>,
    /// In ems.
    pub(super) width: f64,
    /// Whether it is the one-octet code 32, to which word spacing applies.
    pub(super) space: bool,
}

impl Font {
    pub(super) fn read(file: &File<'_>, dictionary: &Dictionary, budget: &mut Budget) -> Self {
        let composite = file.get(dictionary, "Subtype").and_then(Object::name) == Some(b"Type0");
        let unicode = match dictionary.get("ToUnicode") {
            Some(Object::Reference(number)) => file.data(*number, budget).ok().map(|data| Map::parse(&data)),
            _ => None,
        };
        let mut font =
            Self { unicode, simple: None, widths: HashMap::new(), default_width: 0.5, scale: 0.001 };
        if composite {
            font.read_composite(file, dictionary);
        } else {
            font.read_simple(file, dictionary, budget);
        }
        font
    }

    fn read_composite(&mut self, file: &File<'_>, dictionary: &Dictionary) {
        let descendant = file.get(dictionary, "DescendantFonts").and_then(|fonts| fonts.items().first());
        let Some(descendant) = descendant.and_then(|font| file.resolve(font)?.dictionary()) else { return };
        self.default_width = file.get(descendant, "DW").and_then(Object::number).unwrap_or(1000.0) / 1000.0;
        let Some(widths) = file.get(descendant, "W") else { return };
        // §9.7.4.3: `first [width …]` or `first last width`.
        let mut items = widths.items().iter().filter_map(|item| file.resolve(item));
        while let (Some(first), Some(second)) = (items.next(), items.next()) {
            let Some(first) = first.index() else { return };
            if let Object::Array(widths) = second {
                for (cid, width) in (first..).zip(widths) {
                    self.widen(cid, file.resolve(width).and_then(Object::number));
                }
            } else if let (Some(last), Some(width)) = (second.index(), items.next()) {
                for cid in (first..=last).take(limits::PDF_CODES) {
                    self.widen(cid, width.number());
                }
            }
        }
    }

    fn read_simple(&mut self, file: &File<'_>, dictionary: &Dictionary, budget: &mut Budget) {
        if file.get(dictionary, "Subtype").and_then(Object::name) == Some(b"Type3") {
            let matrix =
                file.get(dictionary, "FontMatrix").and_then(|matrix| matrix.items().first()?.number());
            self.scale = matrix.unwrap_or(0.001);
        }
        let first = dictionary.get("FirstChar").and_then(|first| file.index(first)).unwrap_or(0);
        if let Some(widths) = file.get(dictionary, "Widths") {
            for (code, width) in (first..).zip(widths.items()).take(256) {
                let width = file.resolve(width).and_then(Object::number);
                self.widths.insert(code, width.unwrap_or(500.0) * self.scale);
            }
        }
        let encoding = file.get(dictionary, "Encoding");
        let named = |name: Option<&[u8]>| match name {
            Some(b"WinAnsiEncoding") => Some(Base::WinAnsi),
            Some(b"MacRomanEncoding") => Some(Base::MacRoman),
            Some(b"StandardEncoding") => Some(Base::Standard),
            _ => None,
        };
        let inner = encoding.and_then(Object::dictionary);
        let base = encoding.and_then(|encoding| named(encoding.name()));
        let base = base.or_else(|| named(file.get(inner?, "BaseEncoding")?.name()));
        // A font that does not say has an encoding of its own, which for text is one of these.
        let mut codes = encoding::table(base.unwrap_or(Base::WinAnsi));
        if base.is_none() && is_symbolic(file, dictionary) {
            codes = built_in(file, dictionary, budget);
        }
        let differences = inner.and_then(|inner| file.get(inner, "Differences"));
        let mut code = 0;
        for item in differences.map(Object::items).unwrap_or_default() {
            match file.resolve(item) {
                Some(Object::Number(_)) => {
                    code = item.index().and_then(|code| usize::try_from(code).ok()).unwrap_or(0);
                }
                Some(Object::Name(name)) => {
                    if let Some(place) = codes.get_mut(code) {
                        *place = encoding::glyph(name);
                    }
                    code += 1;
                }
                _ => {}
            }
        }
        self.simple = Some(codes);
    }

    fn widen(&mut self, code: u32, width: Option<f64>) {
        if self.widths.len() < limits::PDF_CODES
            && let Some(width) = width
        {
            self.widths.insert(code, width / 1000.0);
        }
    }

    /// The glyphs that a string shows.
    pub(super) fn glyphs(&self, string: &[u8]) -> Vec<Glyph> {
        match &self.simple {
            Some(codes) => string.iter().map(|code| self.simple_glyph(codes, *code)).collect(),
            None => string.chunks(2).map(|code| self.composite_glyph(code)).collect(),
        }
    }

    fn simple_glyph(&self, codes: &[Option<String>], code: u8) -> Glyph {
        let mapped = self.unicode.as_ref().and_then(|map| map.get(u32::from(code)));
        let text = mapped.or_else(|| codes.get(usize::from(code)).cloned().flatten());
        let width = self.widths.get(&u32::from(code)).copied().unwrap_or(self.default_width);
        Glyph { text, width, space: code == b' ' }
    }

    /// Two octets for a character: what all programs write that leave out the Asian encodings.
    fn composite_glyph(&self, code: &[u8]) -> Glyph {
        let value = code.iter().fold(0, |value, octet| value << 8 | u32::from(*octet));
        let text = self.unicode.as_ref().and_then(|map| map.get(value));
        Glyph { text, width: self.widths.get(&value).copied().unwrap_or(self.default_width), space: false }
    }
}

/// Whether its codes are its own: it is embedded, and says that its characters are not those of Latin text.
fn is_symbolic(file: &File<'_>, dictionary: &Dictionary) -> bool {
    const SYMBOLIC: u32 = 4;
    let descriptor = file.inner(dictionary, "FontDescriptor");
    let flags = descriptor.and_then(|descriptor| file.index(descriptor.get("Flags")?));
    let embedded = descriptor.is_some_and(|descriptor| {
        ["FontFile", "FontFile2", "FontFile3"].iter().any(|key| descriptor.get(key).is_some())
    });
    embedded && flags.is_some_and(|flags| flags & SYMBOLIC != 0)
}

/// The encoding inside an embedded Type 1 font, in its clear part: `dup 65 /A put`. Those of other fonts name no
/// characters.
fn built_in(file: &File<'_>, dictionary: &Dictionary, budget: &mut Budget) -> Vec<Option<String>> {
    let mut codes = vec![None; 256];
    let program = file.inner(dictionary, "FontDescriptor").and_then(|descriptor| descriptor.get("FontFile"));
    let Some(Object::Reference(number)) = program else { return codes };
    let Ok(program) = file.data(*number, budget) else { return codes };
    let mut parser = Parser::in_content(&program);
    let mut last = [Object::Null, Object::Null];
    while let Some(next) = parser.next() {
        match next {
            Next::Word(b"eexec") => break,
            Next::Word(b"put") => {
                let code = last[0].index().and_then(|code| usize::try_from(code).ok());
                if let Some(place) = code.and_then(|code| codes.get_mut(code))
                    && let Object::Name(name) = &last[1]
                {
                    *place = encoding::glyph(name);
                }
            }
            Next::Word(_) => {}
            Next::Object(object) => {
                let [_, before] = last;
                last = [before, object];
            }
        }
    }
    codes
}

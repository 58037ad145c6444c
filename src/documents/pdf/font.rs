//! Fonts: which characters the codes of a string stand for, and how wide they are (ISO 32000-2 §9.6 to §9.10).

#![deny(clippy::disallowed_methods)]

use std::collections::HashMap;

use super::cmap::{self, Map};
use super::encoding::{self, Base};
use super::file::File;
use super::object::{Dictionary, Object};
use super::program::{self, Program};
use crate::documents::Budget;
use crate::limits;
use crate::mime::words;

/// A font.
pub(super) struct Font {
    /// ToUnicode, which holds before all else.
    unicode: Option<Map>,
    codes: Codes,
    widths: HashMap<u32, f64>,
    default_width: f64,
    /// Thousandths of an em, or whatever a Type 3 font counts in.
    scale: f64,
}

/// What its codes are.
enum Codes {
    /// Octets: what each of the 256 shows.
    Simple(Vec<Glyph>),
    /// As long as the map says; each is a glyph.
    Composite(Composite),
    /// Characters in an encoding that PDF names (§9.7.5.2), and whether that is a guess.
    Named(&'static str, bool),
}

/// A composite font whose codes are glyphs.
#[derive(Default)]
struct Composite {
    map: Option<Map>,
    /// Glyphs of the embedded program, where the numbers in the codes are not theirs.
    places: Option<Vec<u8>>,
    /// What glyphs stand for, as the embedded program has it.
    glyphs: HashMap<u16, String>,
}

/// What the encoding of a composite font says of a code.
struct Own {
    text: Option<String>,
    guessed: bool,
    /// The number that its width stands under.
    glyph: u32,
}

/// One character of a string.
#[derive(Clone)]
pub(super) struct Glyph {
    /// What it stands for; `None` where nobody says.
    pub(super) text: Option<Box<str>>,
    /// Whether that is nothing but blanks.
    pub(super) blank: bool,
    /// Whether the text is a guess.
    pub(super) guessed: bool,
    /// In ems.
    pub(super) width: f64,
    /// Whether it is the one-octet code 32, to which word spacing applies.
    pub(super) space: bool,
}

impl Font {
    pub(super) fn read(file: &File<'_>, dictionary: &Dictionary, budget: &mut Budget) -> Self {
        let composite = file.get(dictionary, "Subtype").and_then(Object::name) == Some(b"Type0");
        let mut font = Self {
            unicode: map(file, dictionary, "ToUnicode", budget),
            codes: Codes::Named("", false),
            widths: HashMap::new(),
            default_width: 0.5,
            scale: 0.001,
        };
        if composite {
            font.read_composite(file, dictionary, budget);
        } else {
            font.read_simple(file, dictionary, budget);
        }
        font
    }

    fn read_composite(&mut self, file: &File<'_>, dictionary: &Dictionary, budget: &mut Budget) {
        let descendant = file.get(dictionary, "DescendantFonts").and_then(|fonts| fonts.items().first());
        let descendant = descendant.and_then(|font| file.resolve(font)?.dictionary());
        if let Some(descendant) = descendant {
            self.read_widths(file, descendant);
        }
        let named = file.get(dictionary, "Encoding").and_then(Object::name).and_then(charset);
        // Some programs write so that codes are characters; others write the same where they are glyphs.
        let unicode = file.get(dictionary, "ToUnicode").and_then(Object::name).is_some();
        self.codes = match named {
            Some(charset) => Codes::Named(charset, false),
            None if unicode => Codes::Named("utf-16be", true),
            None => Codes::Composite(self.glyphs_of(file, dictionary, descendant, budget)),
        };
    }

    /// What the codes of a composite font are that are glyphs. Only where nobody else says what a glyph is, the font's
    /// program is asked.
    fn glyphs_of(
        &self,
        file: &File<'_>,
        dictionary: &Dictionary,
        descendant: Option<&Dictionary>,
        budget: &mut Budget,
    ) -> Composite {
        let mut composite =
            Composite { map: map(file, dictionary, "Encoding", budget), ..Composite::default() };
        if let (None, Some(descendant)) = (&self.unicode, descendant) {
            let descriptor = file.inner(descendant, "FontDescriptor");
            let program = descriptor.and_then(|descriptor| program::read(file, descriptor, budget));
            composite.glyphs = program.unwrap_or_default().glyphs;
            if let Some(Object::Reference(number)) = descendant.get("CIDToGIDMap") {
                composite.places = file.data(*number, budget).ok();
            }
        }
        composite
    }

    fn read_widths(&mut self, file: &File<'_>, descendant: &Dictionary) {
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
        let (mut codes, mut guesses) = match base {
            Some(base) => (encoding::table(base), vec![false; 256]),
            None => own_codes(file, dictionary, self.unicode.is_none(), budget),
        };
        let differences = inner.and_then(|inner| file.get(inner, "Differences"));
        let mut code = 0;
        for item in differences.map(Object::items).unwrap_or_default() {
            match file.resolve(item) {
                Some(Object::Number(_)) => {
                    code = item.index().and_then(|code| usize::try_from(code).ok()).unwrap_or(0);
                }
                Some(Object::Name(name)) => {
                    if let (Some(place), Some(guess)) = (codes.get_mut(code), guesses.get_mut(code)) {
                        // A blank is often left out of a font.
                        let blank = (name == b".notdef" && code == 32).then(|| " ".to_owned());
                        let known = encoding::glyph(name).or(blank);
                        *guess = known.is_none();
                        *place = known.or_else(|| encoding::numbered(name, code));
                    }
                    code += 1;
                }
                _ => {}
            }
        }
        let texts = codes.into_iter().zip(guesses).zip(0..=u8::MAX);
        let glyphs = texts.map(|((text, guess), code)| self.simple_glyph(text, guess, code)).collect();
        self.codes = Codes::Simple(glyphs);
    }

    fn widen(&mut self, code: u32, width: Option<f64>) {
        if self.widths.len() < limits::PDF_CODES
            && let Some(width) = width
        {
            self.widths.insert(code, width / 1000.0);
        }
    }

    /// The glyphs that a string shows, one after the other.
    pub(super) fn glyphs(&self, string: &[u8], mut each: impl FnMut(&Glyph)) {
        match &self.codes {
            Codes::Simple(glyphs) => {
                string.iter().filter_map(|code| glyphs.get(usize::from(*code))).for_each(each);
            }
            Codes::Composite(composite) => self.split(
                string,
                |rest| self.length(composite, rest),
                |code| {
                    let glyph = composite.map.as_ref().and_then(|map| map.glyph(cmap::value(code)));
                    let glyph = glyph.unwrap_or(cmap::value(code));
                    Own { text: composite.text(glyph), guessed: false, glyph }
                },
                &mut each,
            ),
            Codes::Named(charset, guess) => self.split(
                string,
                |rest| octets_of(charset, rest),
                |code| {
                    let text = words::in_charset(charset.as_bytes(), code);
                    let text = encoding::is_text(&text).then_some(text);
                    Own { text, guessed: *guess, glyph: cmap::value(code) }
                },
                &mut each,
            ),
        }
    }

    /// Octets of the next code of a composite font: the code space of its encoding says, else that of ToUnicode.
    fn length(&self, composite: &Composite, rest: &[u8]) -> usize {
        let says = |map: &&Map| map.has_space();
        match composite.map.as_ref().filter(says) {
            Some(map) => map.length(rest),
            // `Identity` has two.
            None if composite.map.is_none() => 2,
            None => self.unicode.as_ref().filter(says).map_or(2, |map| map.length(rest)),
        }
    }

    fn split(
        &self,
        string: &[u8],
        length: impl Fn(&[u8]) -> usize,
        own: impl Fn(&[u8]) -> Own,
        each: &mut impl FnMut(&Glyph),
    ) {
        let mut rest = string;
        while !rest.is_empty() {
            let (code, after) = rest.split_at(length(rest).clamp(1, rest.len()));
            rest = after;
            let own = own(code);
            let mapped = self.unicode.as_ref().and_then(|map| map.get(cmap::value(code)));
            let width = self.widths.get(&own.glyph).copied().unwrap_or(self.default_width);
            let guessed = own.guessed && mapped.is_none();
            each(&Glyph::of(mapped.or(own.text), guessed, width, code == b" "));
        }
    }

    fn simple_glyph(&self, text: Option<String>, guess: bool, code: u8) -> Glyph {
        let mapped = self.unicode.as_ref().and_then(|map| map.get(u32::from(code)));
        let unsure = mapped.is_none() && guess;
        let text = mapped.or_else(|| text.filter(|text| encoding::is_text(text)));
        let width = self.widths.get(&u32::from(code)).copied().unwrap_or(self.default_width);
        Glyph::of(text, unsure, width, code == b' ')
    }
}

impl Glyph {
    fn of(text: Option<String>, guessed: bool, width: f64, space: bool) -> Self {
        let blank = text.as_ref().is_some_and(|text| text.trim().is_empty());
        Self { text: text.map(Into::into), blank, guessed, width, space }
    }
}

impl Composite {
    fn text(&self, glyph: u32) -> Option<String> {
        let at = usize::try_from(glyph).ok()?.checked_mul(2)?;
        let place = match &self.places {
            Some(places) => u16::from_be_bytes(*places.get(at..)?.first_chunk()?),
            None => u16::try_from(glyph).ok()?,
        };
        self.glyphs.get(&place).cloned()
    }
}

/// The character map under that key, if it is a stream.
fn map(file: &File<'_>, dictionary: &Dictionary, key: &str, budget: &mut Budget) -> Option<Map> {
    let Some(Object::Reference(number)) = dictionary.get(key) else { return None };
    let Some(Object::Stream(..)) = file.object(*number) else { return None };
    file.data(*number, budget).ok().map(|data| Map::parse(&data))
}

/// What the codes of a simple font stand for whose dictionary has no encoding, and which of them are guesses (§9.6.5).
fn own_codes(
    file: &File<'_>,
    dictionary: &Dictionary,
    asked: bool,
    budget: &mut Budget,
) -> (Vec<Option<String>>, Vec<bool>) {
    const SYMBOLIC: u32 = 4;
    let name = file.get(dictionary, "BaseFont").and_then(Object::name).unwrap_or_default();
    let descriptor = file.inner(dictionary, "FontDescriptor");
    let embedded = descriptor.filter(|descriptor| program::is_embedded(descriptor));
    let flags = descriptor.and_then(|descriptor| file.index(descriptor.get("Flags")?));
    let symbolic = flags.is_some_and(|flags| flags & SYMBOLIC != 0);
    let known = |base| (encoding::table(base), vec![false; 256]);
    let Some(descriptor) = embedded else {
        return match name {
            b"Symbol" => known(Base::Symbol),
            b"ZapfDingbats" => (vec![None; 256], vec![false; 256]),
            _ => known(Base::WinAnsi),
        };
    };
    let type1 = descriptor.get("FontFile2").is_none();
    let Some(codes) = (asked && (symbolic || type1))
        .then(|| program::read(file, descriptor, budget))
        .flatten()
        .and_then(|program: Program| program.codes)
    else {
        // Text in one of the usual encodings, if what comes out looks like text.
        return (encoding::table(Base::WinAnsi), vec![symbolic || type1; 256]);
    };
    (codes, vec![false; 256])
}

/// The charset of a named encoding of codes (§9.7.5.2); those that are glyphs have none.
fn charset(name: &[u8]) -> Option<&'static str> {
    let name = std::str::from_utf8(name).ok()?;
    let stem = name.strip_suffix("-H").or_else(|| name.strip_suffix("-V")).unwrap_or(name);
    Some(match stem {
        "Identity" => return None,
        _ if stem.ends_with("UCS2") || stem.ends_with("UTF16") => "utf-16be",
        _ if stem.ends_with("UTF8") => "utf-8",
        _ if stem.contains("GBK2K") => "gb18030",
        _ if stem.starts_with("GB") => "gbk",
        _ if stem.contains("RKSJ") => "shift_jis",
        _ if stem.starts_with("EUC") => "euc-jp",
        _ if stem.contains("B5") => "big5",
        _ if stem.starts_with("KSC") => "euc-kr",
        _ => return None,
    })
}

/// Octets of the next character.
fn octets_of(charset: &str, rest: &[u8]) -> usize {
    match (charset, rest) {
        ("utf-16be", [0xD8..=0xDB, ..])
        | ("utf-8", [0xF0..=0xFF, ..])
        | ("gb18030", [_, b'0'..=b'9', ..]) => 4,
        ("utf-8", [0xE0..=0xEF, ..]) => 3,
        ("utf-8", [0..=0xBF, ..])
        | ("shift_jis", [0..=0x80 | 0xA0..=0xDF, ..])
        | ("gb18030" | "gbk" | "big5" | "euc-jp" | "euc-kr", [0..=0x80, ..]) => 1,
        _ => 2,
    }
}

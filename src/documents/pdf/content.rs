//! Content streams: the text that a page shows (ISO 32000-2 §9.4), in the order in which it is shown, with spaces and
//! line breaks where the page has gaps; and what else covers the page.

#![deny(clippy::disallowed_methods)]

use std::rc::Rc;

use super::cover::Layer;
use super::encoding;
use super::file::File;
use super::font::Font;
use super::geometry::{IDENTITY, Matrix, Rect, Upright, inverse, matrix, moved, times};
use super::object::{Dictionary, Next, Object, Parser};
use super::path::Path;
use super::shown::{Counts, Form, Shown};
use crate::documents::{Budget, Reason};
use crate::limits;

/// The state that `q` saves.
#[derive(Clone)]
struct State<'f> {
    matrix: Matrix,
    font: Option<Rc<Font>>,
    size: f64,
    char_spacing: f64,
    word_spacing: f64,
    scale: f64,
    leading: f64,
    rise: f64,
    /// What is painted at all, in the units of the page.
    clip: Option<Rect>,
    /// The pattern that areas are filled with.
    pattern: Option<&'f Object>,
}

/// A stretch of marked content that says what it is.
struct Span {
    text: String,
    /// Where the text of the page was when it began.
    from: usize,
    counts: Counts,
}

/// One stream while it is shown.
struct Run<'f> {
    file: &'f File<'f>,
    resources: Option<&'f Dictionary>,
    state: State<'f>,
    saved: Vec<State<'f>>,
    text: Matrix,
    line: Matrix,
    path: Path,
    /// Whether the next path is where the clipping ends.
    clips: bool,
    spans: Vec<Option<Span>>,
    depth: usize,
}

/// Shows a content stream with these resources.
pub(super) fn show(
    shown: &mut Shown,
    file: &File<'_>,
    content: &[u8],
    resources: Option<&Dictionary>,
    budget: &mut Budget,
) {
    Run::new(file, resources).show(shown, content, budget);
    shown.line_break();
}

/// Shows the form that the object of that number is, where the matrix puts it; its text is shown once.
pub(super) fn form(shown: &mut Shown, file: &File<'_>, number: u32, matrix: &Matrix, budget: &mut Budget) {
    let mut run = Run::new(file, None);
    run.state.matrix = *matrix;
    run.form(shown, number, budget);
    shown.line_break();
}

impl<'f> Run<'f> {
    fn new(file: &'f File<'f>, resources: Option<&'f Dictionary>) -> Self {
        let state = State {
            matrix: IDENTITY,
            font: None,
            size: 1.0,
            char_spacing: 0.0,
            word_spacing: 0.0,
            scale: 1.0,
            leading: 0.0,
            rise: 0.0,
            clip: None,
            pattern: None,
        };
        Self {
            file,
            resources,
            state,
            saved: Vec::new(),
            text: IDENTITY,
            line: IDENTITY,
            path: Path::default(),
            clips: false,
            spans: Vec::new(),
            depth: 0,
        }
    }

    fn show(mut self, shown: &mut Shown, content: &[u8], budget: &mut Budget) {
        let mut parser = Parser::in_content(content);
        let mut operands: Vec<Object> = Vec::new();
        while let Some(next) = parser.next() {
            let operator = match next {
                Next::Object(object) => {
                    // §7.8.2 knows of no operator with so many; the first ones are junk then.
                    if operands.len() >= limits::PDF_OPERANDS {
                        operands.clear();
                    }
                    operands.push(object);
                    continue;
                }
                Next::Word(word) => word,
            };
            shown.operators += 1;
            if shown.operators > limits::PDF_OPERATORS {
                shown.trouble = Some(Reason::Limit);
                return;
            }
            if operator == b"BI" {
                self.inline_image(shown, &mut parser);
            } else {
                self.operate(shown, operator, &operands, budget);
            }
            operands.clear();
        }
        // What lies too deep ends the reading before the end.
        if parser.at < content.len() {
            shown.trouble = Some(Reason::Limit);
        }
    }

    fn operate(&mut self, shown: &mut Shown, operator: &[u8], operands: &[Object], budget: &mut Budget) {
        let number = |at: usize| operands.get(at).and_then(Object::number).unwrap_or_default();
        let string = || operands.last().and_then(Object::string).unwrap_or_default();
        match operator {
            b"q" if self.saved.len() < limits::PDF_DEPTH => self.saved.push(self.state.clone()),
            b"Q" => {
                if let Some(state) = self.saved.pop() {
                    self.state = state;
                }
            }
            b"cm" => self.state.matrix = times(&matrix(operands), &self.state.matrix),
            b"BT" => (self.text, self.line) = (IDENTITY, IDENTITY),
            b"Tf" => self.choose_font(shown, operands, budget),
            b"Tc" => self.state.char_spacing = number(0),
            b"Tw" => self.state.word_spacing = number(0),
            b"Tz" => self.state.scale = number(0) / 100.0,
            b"TL" => self.state.leading = number(0),
            b"Ts" => self.state.rise = number(0),
            b"Td" => self.next_line(number(0), number(1)),
            b"TD" => {
                self.state.leading = -number(1);
                self.next_line(number(0), number(1));
            }
            b"Tm" => {
                self.line = matrix(operands);
                self.text = self.line;
            }
            b"T*" => self.next_line(0.0, -self.state.leading),
            b"Tj" => self.string(shown, string()),
            b"'" => {
                self.next_line(0.0, -self.state.leading);
                self.string(shown, string());
            }
            b"\"" => {
                (self.state.word_spacing, self.state.char_spacing) = (number(0), number(1));
                self.next_line(0.0, -self.state.leading);
                self.string(shown, string());
            }
            b"TJ" => {
                for item in operands.first().map(Object::items).unwrap_or_default() {
                    match item {
                        Object::String(string) => self.string(shown, string),
                        Object::Number(back) => {
                            self.advance(-back / 1000.0 * self.state.size * self.state.scale);
                        }
                        _ => {}
                    }
                }
            }
            b"Do" => self.external(shown, operands, budget),
            b"gs" => self.graphics_state(shown, operands, budget),
            b"BMC" | b"BDC" if self.spans.len() < limits::PDF_SPANS => {
                let span = self.span(shown, operands);
                self.spans.push(span);
            }
            b"EMC" => {
                if let Some(Some(span)) = self.spans.pop() {
                    shown.replace(&span.text, span.from, span.counts);
                }
            }
            _ => self.draw(shown, operator, operands, budget),
        }
    }

    /// Paths and what is painted with them (§8.5).
    fn draw(&mut self, shown: &mut Shown, operator: &[u8], operands: &[Object], budget: &mut Budget) {
        let number = |at: usize| operands.get(at).and_then(Object::number).unwrap_or_default();
        let point = |at: usize| moved(number(at), number(at + 1), &self.state.matrix);
        match operator {
            b"m" => self.path.begin(point(0)),
            b"l" => self.path.line(point(0)),
            b"c" => self.path.curve(&[point(0), point(2), point(4)]),
            b"v" | b"y" => self.path.curve(&[point(0), point(2)]),
            b"re" => {
                let rect =
                    Rect::point(number(0), number(1)).with(number(0) + number(2), number(1) + number(3));
                self.path.rectangle(rect.moved(&self.state.matrix));
            }
            b"W" | b"W*" => self.clips = true,
            b"f" | b"F" | b"f*" | b"B" | b"B*" | b"b" | b"b*" => {
                self.fill(shown, budget);
                self.end_path(shown, true);
            }
            b"S" | b"s" => self.end_path(shown, true),
            b"n" => self.end_path(shown, false),
            b"scn" => {
                self.state.pattern = match operands.last() {
                    Some(Object::Name(_)) => self.resource("Pattern", operands.last()),
                    _ => None,
                };
            }
            b"cs" | b"sc" | b"g" | b"rg" | b"k" => self.state.pattern = None,
            _ => {}
        }
    }

    /// An area that is filled with a pattern shows what the pattern does.
    fn fill(&self, shown: &mut Shown, budget: &mut Budget) {
        let (Some(Object::Reference(number)), Some(area)) = (self.state.pattern, self.path.bounds()) else {
            return;
        };
        // Others than tiles are streams of no content: shadings.
        let tile = matches!(self.file.object(*number), Some(Object::Stream(pattern, _)) if pattern.get("BBox").is_some());
        if !tile {
            return;
        }
        let before = shown.marks.len();
        self.form(shown, *number, budget);
        let marks = shown.marks.get(before..).unwrap_or_default();
        let found = marks.iter().map(|(layer, _)| *layer).find(|layer| !matches!(layer, Layer::Text(_)));
        if let Some(layer) = found {
            let layer = if layer == Layer::Outline { Layer::Picture } else { layer };
            self.mark(shown, layer, area);
        }
    }

    fn end_path(&mut self, shown: &mut Shown, painted: bool) {
        let path = std::mem::take(&mut self.path);
        let bounds = path.bounds();
        if painted {
            for letter in path.letters() {
                self.mark(shown, Layer::Outline, letter);
            }
        }
        if std::mem::take(&mut self.clips)
            && let Some(bounds) = bounds
        {
            self.state.clip = Some(self.state.clip.map_or(bounds, |clip| clip.within(bounds)));
        }
    }

    fn mark(&self, shown: &mut Shown, layer: Layer, place: Rect) {
        let place = self.state.clip.map_or(place, |clip| clip.within(place));
        if !place.is_empty() {
            shown.mark(layer, place, self.depth > 0);
        }
    }

    /// Marked content with a text of its own; descriptions stand aside.
    fn span(&self, shown: &mut Shown, operands: &[Object]) -> Option<Span> {
        let properties = match operands.get(1)? {
            name @ Object::Name(_) => self.resource("Properties", Some(name))?,
            own => own,
        };
        let (number, properties) = match properties {
            Object::Reference(number) => (Some(*number), self.file.object(*number)?),
            own => (None, own),
        };
        let properties = properties.dictionary()?;
        let text = |key: &str| {
            let string = self.file.get(properties, key)?.string()?;
            Some(match number {
                Some(number) => encoding::text(&self.file.string(number, string)),
                None => encoding::text(string),
            })
        };
        for description in ["Alt", "E"].into_iter().filter_map(text) {
            shown.aside.push_str(&description);
            shown.aside.push('\n');
        }
        text("ActualText").map(|text| Span { text, from: shown.text.len(), counts: shown.counts })
    }

    fn resource(&self, kind: &str, name: Option<&Object>) -> Option<&'f Object> {
        let resources = self.file.inner(self.resources?, kind)?;
        resources.0.get(name?.name()?)
    }

    fn choose_font(&mut self, shown: &mut Shown, operands: &[Object], budget: &mut Budget) {
        self.state.size = operands.get(1).and_then(Object::number).unwrap_or(1.0);
        let font = self.resource("Font", operands.first());
        self.state.font = font.and_then(|font| self.font(shown, font, budget));
    }

    /// A font is read once, and its maps with it.
    fn font(&self, shown: &mut Shown, font: &Object, budget: &mut Budget) -> Option<Rc<Font>> {
        let font = self.file.resolve(font)?;
        let place = std::ptr::from_ref(font);
        if let Some(known) = shown.fonts.get(&place) {
            return Some(known.clone());
        }
        let read = Rc::new(Font::read(self.file, font.dictionary()?, budget));
        shown.fonts.insert(place, read.clone());
        Some(read)
    }

    /// §8.4.5: a graphics state may set the font.
    fn graphics_state(&mut self, shown: &mut Shown, operands: &[Object], budget: &mut Budget) {
        let Some(state) =
            self.resource("ExtGState", operands.first()).and_then(|state| self.file.resolve(state))
        else {
            return;
        };
        let font = state.dictionary().and_then(|state| self.file.get(state, "Font"));
        if let Some([font, size]) = font.map(Object::items).and_then(|items| items.first_chunk()) {
            self.state.size = size.number().unwrap_or(1.0);
            self.state.font = self.font(shown, font, budget);
        }
    }

    fn next_line(&mut self, x: f64, y: f64) {
        self.line = times(&[1.0, 0.0, 0.0, 1.0, x, y], &self.line);
        self.text = self.line;
    }

    fn advance(&mut self, x: f64) {
        self.text = times(&[1.0, 0.0, 0.0, 1.0, x, 0.0], &self.text);
    }

    fn string(&mut self, shown: &mut Shown, string: &[u8]) {
        let Some(font) = self.state.font.clone() else {
            // Whatever it is, it is shown in no font that the page has.
            shown.counts.unknown(string.len());
            return;
        };
        let known = shown.counts.known;
        let State { matrix, size, char_spacing, word_spacing, scale, rise, .. } = self.state;
        // The glyphs of one string differ in where they stand, and in nothing else.
        let line = times(&[size, 0.0, 0.0, size, 0.0, rise], &self.text);
        let upright = Upright::of(&times(&line, &matrix));
        let mut text = self.text;
        let mut place: Option<Rect> = None;
        font.glyphs(string, |glyph| {
            let (x, y) = moved(0.0, rise, &text);
            let (x, y) = moved(x, y, &matrix);
            shown.glyph(glyph, Rc::as_ptr(&font).addr(), &upright, (x, y));
            let spacing = char_spacing + if glyph.space { word_spacing } else { 0.0 };
            (text[4], text[5]) = moved((glyph.width * size + spacing) * scale, 0.0, &text);
            shown.ended(moved(text[4], text[5], &matrix), &upright);
            let em = upright.em(glyph.width.max(0.2), x, y);
            place = Some(place.map_or(em, |all| all.around(em)));
        });
        self.text = text;
        if let Some(place) = place.filter(|_| shown.counts.known > known) {
            self.mark(shown, Layer::Text(shown.counts.known - known), place);
        }
    }

    fn external(&mut self, shown: &mut Shown, operands: &[Object], budget: &mut Budget) {
        let Some(object) = self.resource("XObject", operands.first()) else { return };
        let Some(dictionary) = self.file.resolve(object).and_then(Object::dictionary) else { return };
        if dictionary.is("Subtype", "Image") {
            let get = |key| self.file.get(dictionary, key);
            self.image(shown, is_bilevel(get("BitsPerComponent"), get("ImageMask"), get("Filter")));
        } else if let Object::Reference(number) = object {
            self.form(shown, *number, budget);
        }
    }

    fn form(&self, shown: &mut Shown, number: u32, budget: &mut Budget) {
        if let Some(form) = shown.forms.get(&number).cloned() {
            shown.counts.known += form.known;
            self.cover_again(shown, &form);
            return;
        }
        if self.depth >= limits::PDF_DEPTH {
            shown.trouble = Some(Reason::Limit);
            return;
        }
        let Some(dictionary) = self.file.object(number).and_then(Object::dictionary) else { return };
        let none = Form { known: 0, matrix: self.state.matrix, marks: Rc::from([]) };
        shown.forms.insert(number, none.clone());
        let content = match self.file.data(number, budget) {
            Ok(content) => content,
            Err(reason) => {
                shown.trouble = Some(reason);
                return;
            }
        };
        let mut state = self.state.clone();
        if let Some(own) = self.file.get(dictionary, "Matrix") {
            state.matrix = times(&matrix(own.items()), &state.matrix);
        }
        let resources = self.file.inner(dictionary, "Resources").or(self.resources);
        let run = Run { state, depth: self.depth + 1, ..Run::new(self.file, resources) };
        let (known, marked) = (shown.counts.known, shown.marks.len());
        run.show(shown, &content, budget);
        let mut marks = shown.marks.get(marked..).unwrap_or_default();
        if shown.kept_marks + marks.len() > limits::PDF_MARKS {
            marks = &[];
        }
        shown.kept_marks += marks.len();
        let form = Form { known: shown.counts.known.saturating_sub(known), marks: Rc::from(marks), ..none };
        shown.forms.insert(number, form);
    }

    /// A form that was shown before covers this page too, where this page has it.
    fn cover_again(&self, shown: &mut Shown, form: &Form) {
        let Some(back) = inverse(&form.matrix) else { return };
        let by = times(&back, &self.state.matrix);
        for (layer, place) in &*form.marks {
            self.mark(shown, *layer, place.moved(&by));
        }
    }

    /// An image is drawn into the unit square. A small one may be a letter.
    fn image(&self, shown: &mut Shown, bilevel: bool) {
        let place = Rect { left: 0.0, bottom: 0.0, right: 1.0, top: 1.0 }.moved(&self.state.matrix);
        let layer = if bilevel { Layer::Bilevel } else { Layer::Picture };
        let layer = if super::path::is_letter(place) { Layer::Outline } else { layer };
        self.mark(shown, layer, place);
    }

    /// §8.9.7: its data end with `EI` between blanks.
    fn inline_image(&self, shown: &mut Shown, parser: &mut Parser<'_>) {
        let mut entries = Vec::new();
        while let Some(next) = parser.next() {
            match next {
                Next::Word(b"ID") => break,
                Next::Object(object) if entries.len() < limits::PDF_OPERANDS => entries.push(object),
                Next::Object(_) | Next::Word(_) => {}
            }
        }
        let get = |keys: [&[u8]; 2]| {
            let mut pairs = entries.as_chunks().0.iter();
            pairs.find(|[key, _]| key.name().is_some_and(|key| keys.contains(&key))).map(|[_, value]| value)
        };
        let bits = get([b"BPC", b"BitsPerComponent"]);
        self.image(shown, is_bilevel(bits, get([b"IM", b"ImageMask"]), get([b"F", b"Filter"])));
        let rest = parser.bytes.get(parser.at..).unwrap_or_default();
        let is_end = |window: &[u8]| matches!(window, [before, b'E', b'I', after] if before.is_ascii_whitespace() && after.is_ascii_whitespace());
        let length = rest.windows(4).position(is_end).map_or(rest.len(), |at| at + 4);
        parser.at += length;
    }
}

/// Whether an image is in black and white.
fn is_bilevel(bits: Option<&Object>, mask: Option<&Object>, filter: Option<&Object>) -> bool {
    const FILTERS: [&[u8]; 3] = [b"CCITTFaxDecode", b"CCF", b"JBIG2Decode"];
    let filters = filter.map(Object::items).unwrap_or_default();
    bits.and_then(Object::index) == Some(1)
        || mask == Some(&Object::Boolean(true))
        || filters.iter().any(|filter| filter.name().is_some_and(|name| FILTERS.contains(&name)))
}

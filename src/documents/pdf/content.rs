//! Content streams: the text that a page shows (ISO 32000-2 §9.4), in the order in which it is shown, with spaces and
//! line breaks where the page has gaps.

#![deny(clippy::disallowed_methods)]

use std::collections::HashMap;
use std::rc::Rc;

use super::file::File;
use super::font::Font;
use super::object::{Dictionary, Next, Object, Parser};
use crate::documents::{Budget, Reason};
use crate::limits;

/// A transformation: `[a b c d e f]` (§8.3.3).
type Matrix = [f64; 6];

const IDENTITY: Matrix = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];

/// What was shown so far.
pub(super) struct Shown {
    pub(super) text: String,
    /// Characters that stand for something, and those of which nobody says what.
    pub(super) known: usize,
    pub(super) unknown: usize,
    /// The largest image, in the square units of the page.
    pub(super) image: f64,
    /// What could not be done to the end.
    pub(super) trouble: Option<Reason>,
    /// By where the object is: a font may stand in the resources themselves.
    fonts: HashMap<*const Object, Rc<Font>>,
    /// Forms that were shown, with what they had in characters and in image: a letterhead is read once.
    forms: HashMap<u32, (usize, f64)>,
    operators: usize,
    /// Where the last glyph ended, and how high it was.
    end: Option<(f64, f64, f64)>,
}

/// The state that `q` saves.
#[derive(Clone)]
struct State {
    matrix: Matrix,
    font: Option<Rc<Font>>,
    size: f64,
    char_spacing: f64,
    word_spacing: f64,
    scale: f64,
    leading: f64,
    rise: f64,
}

/// One stream while it is shown.
struct Run<'f> {
    file: &'f File<'f>,
    resources: Option<&'f Dictionary>,
    state: State,
    saved: Vec<State>,
    text: Matrix,
    line: Matrix,
    depth: usize,
}

impl Shown {
    pub(super) fn new() -> Self {
        Self {
            text: String::new(),
            known: 0,
            unknown: 0,
            image: 0.0,
            trouble: None,
            fonts: HashMap::new(),
            forms: HashMap::new(),
            operators: 0,
            end: None,
        }
    }

    /// Shows a content stream with these resources.
    pub(super) fn show(
        &mut self,
        file: &File<'_>,
        content: &[u8],
        resources: Option<&Dictionary>,
        budget: &mut Budget,
    ) {
        let run = Run::new(file, resources);
        run.show(self, content, budget);
        self.line_break();
    }

    fn line_break(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self.end = None;
    }

    /// A space or a line break, where the next glyph is not where the last one ended.
    fn gap(&mut self, place: &Matrix) {
        let Some((x, y, high)) = self.end else { return };
        let high = high.max(height(place)).max(f64::MIN_POSITIVE);
        let (along, across) = (place[0], place[1]);
        let length = along.hypot(across).max(f64::MIN_POSITIVE);
        let (dx, dy) = (place[4] - x, place[5] - y);
        // Along the line that the glyphs stand on, and away from it.
        let forward = (dx * along + dy * across) / length;
        let away = (dy * along - dx * across) / length;
        if away.abs() > 0.5 * high || forward < -2.0 * high {
            if !self.text.ends_with('\n') {
                self.text.push('\n');
            }
        } else if forward > 0.2 * high && !self.text.ends_with([' ', '\n']) {
            self.text.push(' ');
        }
    }

    /// The form that the object of that number is, where the matrix puts it; shown once.
    pub(super) fn form(&mut self, file: &File<'_>, number: u32, budget: &mut Budget) {
        Run::new(file, None).form(self, number, budget);
        self.line_break();
    }
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
        };
        Self { file, resources, state, saved: Vec::new(), text: IDENTITY, line: IDENTITY, depth: 0 }
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
            _ => {}
        }
    }

    fn resource(&self, kind: &str, operands: &[Object]) -> Option<&'f Object> {
        let resources = self.file.inner(self.resources?, kind)?;
        resources.0.get(operands.first()?.name()?)
    }

    fn choose_font(&mut self, shown: &mut Shown, operands: &[Object], budget: &mut Budget) {
        self.state.size = operands.get(1).and_then(Object::number).unwrap_or(1.0);
        let font = self.resource("Font", operands);
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
        let Some(state) = self.resource("ExtGState", operands).and_then(|state| self.file.resolve(state))
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
            shown.unknown += string.len();
            return;
        };
        for glyph in font.glyphs(string) {
            let place =
                times(&[self.state.size, 0.0, 0.0, self.state.size, 0.0, self.state.rise], &self.text);
            let place = times(&place, &self.state.matrix);
            match &glyph.text {
                Some(text) => {
                    shown.gap(&place);
                    shown.text.push_str(text);
                    shown.known += usize::from(!text.trim().is_empty());
                }
                None => shown.unknown += 1,
            }
            let spacing = self.state.char_spacing + if glyph.space { self.state.word_spacing } else { 0.0 };
            self.advance((glyph.width * self.state.size + spacing) * self.state.scale);
            let end = times(&self.text, &self.state.matrix);
            shown.end = Some((end[4], end[5], height(&place)));
        }
    }

    fn external(&mut self, shown: &mut Shown, operands: &[Object], budget: &mut Budget) {
        let Some(object) = self.resource("XObject", operands) else { return };
        let Some(dictionary) = self.file.resolve(object).and_then(Object::dictionary) else { return };
        if dictionary.is("Subtype", "Image") {
            self.image(shown);
        } else if let Object::Reference(number) = object {
            self.form(shown, *number, budget);
        }
    }

    fn form(&self, shown: &mut Shown, number: u32, budget: &mut Budget) {
        if let Some((known, image)) = shown.forms.get(&number) {
            shown.known += known;
            shown.image = shown.image.max(*image);
            return;
        }
        if self.depth >= limits::PDF_DEPTH {
            shown.trouble = Some(Reason::Limit);
            return;
        }
        shown.forms.insert(number, (0, 0.0));
        let content = match self.file.data(number, budget) {
            Ok(content) => content,
            Err(reason) => {
                shown.trouble = Some(reason);
                return;
            }
        };
        let Some(dictionary) = self.file.object(number).and_then(Object::dictionary) else { return };
        let mut state = self.state.clone();
        if let Some(own) = self.file.get(dictionary, "Matrix") {
            state.matrix = times(&matrix(own.items()), &state.matrix);
        }
        let resources = self.file.inner(dictionary, "Resources").or(self.resources);
        let run = Run { state, depth: self.depth + 1, ..Run::new(self.file, resources) };
        let (known, image) = (shown.known, shown.image);
        shown.image = 0.0;
        run.show(shown, &content, budget);
        shown.forms.insert(number, (shown.known - known, shown.image));
        shown.image = shown.image.max(image);
    }

    /// An image is drawn into the unit square.
    fn image(&self, shown: &mut Shown) {
        let [a, b, c, d, _, _] = self.state.matrix;
        shown.image = shown.image.max((a * d - b * c).abs());
    }

    /// §8.9.7: its data end with `EI` between blanks.
    fn inline_image(&self, shown: &mut Shown, parser: &mut Parser<'_>) {
        self.image(shown);
        while let Some(next) = parser.next() {
            if next == Next::Word(b"ID") {
                break;
            }
        }
        let rest = parser.bytes.get(parser.at..).unwrap_or_default();
        let is_end = |window: &[u8]| matches!(window, [before, b'E', b'I', after] if before.is_ascii_whitespace() && after.is_ascii_whitespace());
        let length = rest.windows(4).position(is_end).map_or(rest.len(), |at| at + 4);
        parser.at += length;
    }
}

fn matrix(numbers: &[Object]) -> Matrix {
    std::array::from_fn(|at| numbers.get(at).and_then(Object::number).unwrap_or_default())
}

/// First the one, then the other.
fn times(first: &Matrix, then: &Matrix) -> Matrix {
    let apply = |x: f64, y: f64| (x * then[0] + y * then[2], x * then[1] + y * then[3]);
    let (along, across) = (apply(first[0], first[1]), apply(first[2], first[3]));
    let moved = apply(first[4], first[5]);
    [along.0, along.1, across.0, across.1, moved.0 + then[4], moved.1 + then[5]]
}

/// How high a glyph of one em is.
fn height(place: &Matrix) -> f64 {
    place[2].hypot(place[3])
}

//! What the pages have shown so far: the text, the glyphs of which nobody says what they are, and what covers a page.

#![deny(clippy::disallowed_methods)]

use std::collections::HashMap;
use std::rc::Rc;

use super::cover::{Cover, Layer};
use super::encoding;
use super::font::{Font, Glyph};
use super::geometry::{Matrix, Rect, Upright};
use super::object::Object;
use crate::documents::Reason;
use crate::limits;

/// What was shown so far.
pub(super) struct Shown {
    pub(super) text: String,
    /// What stands beside the text: descriptions, and letters in the place of which the page says another text.
    pub(super) aside: String,
    /// What could not be done to the end.
    pub(super) trouble: Option<Reason>,
    /// By where the object is: a font may stand in the resources themselves.
    pub(super) fonts: HashMap<*const Object, Rc<Font>>,
    pub(super) forms: HashMap<u32, Form>,
    pub(super) operators: usize,
    /// What was marked inside forms since the page began.
    pub(super) marks: Vec<(Layer, Rect)>,
    /// How many marks forms keep.
    pub(super) kept_marks: usize,
    pub(super) counts: Counts,
    cover: Option<Cover>,
    /// Where the last glyph ended, and how high it was.
    end: Option<(f64, f64, f64)>,
    /// What fonts show by guess, by the font.
    guesses: HashMap<usize, String>,
}

/// A form that was shown: a letterhead is read once, and covers each page that it stands on.
#[derive(Clone)]
pub(super) struct Form {
    pub(super) known: usize,
    /// Where the first page put it.
    pub(super) matrix: Matrix,
    pub(super) marks: Rc<[(Layer, Rect)]>,
}

/// Characters of one page or field.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    /// Those that stand for something.
    pub(super) known: usize,
    /// Those of which nobody says what.
    pub(super) unknown: usize,
    /// How many of those stand beside one another now.
    run: usize,
    /// How many stand in runs that are no bullet and no sign.
    unread: usize,
}

/// A run of unknown characters that is more than a bullet or a sign.
const RUN: usize = 3;

impl Counts {
    fn known(&mut self) {
        self.settle();
        self.known += 1;
    }

    pub(super) fn unknown(&mut self, count: usize) {
        self.unknown += count;
        self.run += count;
    }

    fn settle(&mut self) {
        if self.run >= RUN {
            self.unread += self.run;
        }
        self.run = 0;
    }

    /// Whether so much is unknown that it may be a name or a number.
    fn hide(mut self) -> bool {
        self.settle();
        self.unread >= limits::PDF_UNKNOWN || self.unknown >= limits::PDF_UNKNOWN && self.unknown > self.known
    }
}

impl Shown {
    pub(super) fn new() -> Self {
        Self {
            text: String::new(),
            aside: String::new(),
            trouble: None,
            fonts: HashMap::new(),
            forms: HashMap::new(),
            operators: 0,
            marks: Vec::new(),
            kept_marks: 0,
            counts: Counts::default(),
            cover: None,
            end: None,
            guesses: HashMap::new(),
        }
    }

    /// Shows a page with this visible part.
    pub(super) fn begin_page(&mut self, visible: Rect) {
        self.cover = Some(Cover::new(visible));
        self.counts = Counts::default();
        self.marks.clear();
    }

    /// The page has ended. An error if it is an image, or shows characters that nobody knows.
    pub(super) fn end_page(&mut self) -> Result<(), Reason> {
        let image = self.cover.take().is_some_and(|cover| cover.is_image());
        if image { Err(Reason::ImageOnly) } else { self.end_part() }
    }

    /// What is shown by itself has ended, such as a field.
    pub(super) fn end_part(&mut self) -> Result<(), Reason> {
        self.line_break();
        if !self.aside.is_empty() {
            self.text.push_str(&std::mem::take(&mut self.aside));
            self.line_break();
        }
        if std::mem::take(&mut self.counts).hide() { Err(Reason::Format) } else { Ok(()) }
    }

    /// Whether what was guessed looks like text.
    pub(super) fn guesses_hold(&self) -> bool {
        self.guesses.values().all(|text| encoding::looks_like_text(text))
    }

    /// Shows one glyph at a place.
    pub(super) fn glyph(&mut self, glyph: &Glyph, font: usize, upright: &Upright, place: (f64, f64)) {
        self.gap(upright, place);
        let Some(text) = &glyph.text else {
            self.counts.unknown(1);
            return;
        };
        match text.as_bytes() {
            [letter] => self.text.push(char::from(*letter)),
            _ => self.text.push_str(text),
        }
        if glyph.guessed {
            let guess = self.guesses.entry(font).or_default();
            if guess.len() < limits::PDF_GUESS {
                guess.push_str(text);
            }
        }
        if !glyph.blank {
            self.counts.known();
        }
    }

    /// The glyph at that place has ended there.
    pub(super) fn ended(&mut self, (x, y): (f64, f64), upright: &Upright) {
        self.end = Some((x, y, upright.height));
    }

    /// Something covers a place of the page; inside a form it is kept for the next page that has it.
    pub(super) fn mark(&mut self, layer: Layer, place: Rect, in_form: bool) {
        if let Some(cover) = &mut self.cover {
            cover.mark(layer, place);
        }
        if in_form && self.marks.len() < limits::PDF_MARKS {
            self.marks.push((layer, place));
        }
    }

    pub(super) fn line_break(&mut self) {
        self.counts.settle();
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self.end = None;
    }

    /// A space or a line break, where the next glyph is not where the last one ended.
    fn gap(&mut self, upright: &Upright, place: (f64, f64)) {
        let Some((x, y, high)) = self.end else { return };
        if place == (x, y) {
            return;
        }
        let high = high.max(upright.height).max(f64::MIN_POSITIVE);
        let (forward, away) = upright.turned(place.0 - x, place.1 - y);
        if away.abs() > 0.5 * high || forward < -2.0 * high {
            self.counts.settle();
            if !self.text.ends_with('\n') {
                self.text.push('\n');
            }
        } else if forward > 0.2 * high && !self.text.ends_with([' ', '\n']) {
            self.text.push(' ');
        }
    }

    /// Text that the page says stands for what was shown since `before`, where `counts` were counted (§14.9.4).
    pub(super) fn replace(&mut self, text: &str, before: usize, counts: Counts) {
        let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        let Some(shown) = self.text.get(before..).map(str::to_owned) else { return };
        let unknown = self.counts.unknown.saturating_sub(counts.unknown);
        // What stands for a word may be left away, but not by a word that is shorter.
        if unknown > 0 && letters(text).chars().count() * 2 >= unknown {
            self.counts = Counts { known: self.counts.known + 1, ..counts };
        }
        if letters(&shown) == letters(text) {
            return;
        }
        let blank = shown.len() - shown.trim_start().len();
        self.text.truncate(before + blank);
        self.text.push_str(text);
        if letters(&shown).chars().count() >= limits::PDF_UNKNOWN {
            self.aside.push_str(shown.trim());
            self.aside.push('\n');
        }
    }
}

//! A document while it is read: the one way in which readers of formats say what they found.

#![deny(clippy::disallowed_methods)]

use super::kind::Kind;
use super::{Budget, Input, Item, Reason, State};
use crate::mime::part::Names;
use crate::mime::words;
use crate::{limits, text};

/// What a reader says of its document when it is done; an `Err` is a document that could not be read, or not to its
/// end.
pub(super) type Outcome = Result<State, Reason>;

/// What reads the octets of a document into it.
pub(super) type Reader = fn(&mut Document<'_>, &[u8]) -> Outcome;

/// What is known of a format: its row in `formats.rs`.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Which one.
    pub kind: Kind,
    /// The media type of what is known by its content alone, such as a file in an archive.
    pub media_type: &'static str,
    /// Whether there may be text in it.
    pub may_hold_text: bool,
    /// Whether it is a container of files with names.
    pub(super) holds_files: bool,
    /// Where octets stand that only this format has there, and which.
    pub(super) magic: &'static [(usize, &'static [u8])],
    /// With what a text begins that is this, whether in capitals or not.
    pub(super) first_words: &'static [&'static str],
    /// Extensions of names, where the content does not say what it is.
    pub(super) endings: &'static str,
    /// Declared types or beginnings of such, for the same case.
    pub(super) types: &'static [&'static str],
    /// Whether a text whose name or declared type says this format may be of this format.
    pub(super) can_be_text: fn(&[u8]) -> bool,
    /// Whether octets that are no text can be this without any magic: archives before there was one, bare CMS and
    /// OpenPGP, messages with binary parts. Their readers say so if they are not.
    pub(super) can_lack_magic: fn(&[u8]) -> bool,
    /// What reads it.
    pub(super) read: Reader,
}

impl Format {
    /// Whether something of this name is a container of files. Office documents are ZIP files too, and what is inside
    /// them was never anybody's file.
    pub fn is_archive(&self, name: &str) -> bool {
        const OFFICE: [&str; 4] = ["doc", "xls", "ppt", "od"];
        let ending = name.rsplit_once('.').map(|(_, ending)| ending.trim_end().to_ascii_lowercase());
        let office = |ending: String| OFFICE.iter().any(|office| ending.starts_with(office));
        self.holds_files && !(self.kind == Kind::Zip && ending.is_some_and(office))
    }
}

/// What says which format a document is. The table of formats stands above its readers, so it is handed to them.
pub(super) type Detect = fn(&Input<'_>) -> &'static Format;

/// What something inside a document is called.
#[derive(Clone, Copy)]
pub(super) struct Called<'n> {
    /// What people see.
    name: &'n str,
    others: &'n [String],
}

impl<'n> Called<'n> {
    /// Every name, the one that people see first.
    fn all(self) -> impl Iterator<Item = &'n str> {
        std::iter::once(self.name).chain(self.others.iter().map(String::as_str))
    }
}

impl<'n> From<&'n str> for Called<'n> {
    fn from(name: &'n str) -> Self {
        Self { name, others: &[] }
    }
}

impl<'n> From<&'n String> for Called<'n> {
    fn from(name: &'n String) -> Self {
        Self::from(name.as_str())
    }
}

impl<'n> From<&'n Names> for Called<'n> {
    fn from(names: &'n Names) -> Self {
        Self { name: &names.shown, others: &names.others }
    }
}

/// A document, or something inside one, while its reader is at work.
pub(super) struct Document<'r> {
    items: &'r mut Vec<Item>,
    budget: &'r mut Budget,
    detect: Detect,
    /// Where its item is.
    at: usize,
    depth: usize,
    children: usize,
}

impl<'r> Document<'r> {
    /// Reads the outermost document.
    pub(super) fn read(items: &'r mut Vec<Item>, budget: &'r mut Budget, detect: Detect, input: &Input<'_>) {
        let mut document = Self::enter(items, budget, detect, String::new(), 0, input.name.into());
        document.open(input);
    }

    fn enter(
        items: &'r mut Vec<Item>,
        budget: &'r mut Budget,
        detect: Detect,
        path: String,
        depth: usize,
        called: Called<'_>,
    ) -> Self {
        let name = |name| text::truncate(&words::name(name), limits::ATTACHMENT_NAME_OCTETS).to_owned();
        // Other names are kept as text is, within the same limit.
        let others = called.others.iter().take(limits::PART_NAMES).map(|other| name(other));
        let others: Vec<String> = others.map(|other| budget.keep(&other).to_owned()).collect();
        let other_names = others.into_iter().filter(|other| !other.is_empty()).collect();
        let name = name(called.name);
        let at = items.len();
        let (kind, state, text) = (Kind::Unknown, State::Plain, String::new());
        items.push(Item { path, name, other_names, kind, size: 0, state, macros: false, text });
        Self { items, budget, detect, at, depth, children: 0 }
    }

    fn open(&mut self, input: &Input<'_>) {
        let format = self.format(input);
        self.kind(format.kind);
        if let Some(item) = self.item() {
            item.size = input.bytes.len() as u64;
        }
        let deep = self.depth > limits::DOCUMENT_DEPTH;
        let outcome = if deep { Err(Reason::Limit) } else { (format.read)(self, input.bytes) };
        let state = outcome.unwrap_or_else(State::Uninspectable);

        self.state(state);
    }

    /// What octets are, by themselves, a name and a declared type.
    pub(super) fn format(&self, input: &Input<'_>) -> &'static Format {
        (self.detect)(input)
    }

    fn item(&mut self) -> Option<&mut Item> {
        self.items.get_mut(self.at)
    }

    /// It is known better now what this is.
    pub(super) fn kind(&mut self, kind: Kind) {
        if let Some(item) = self.item() {
            item.kind = kind;
        }
    }

    /// It carries macros.
    pub(super) fn macros(&mut self) {
        if let Some(item) = self.item() {
            item.macros = true;
        }
    }

    fn state(&mut self, state: State) {
        if let Some(item) = self.item() {
            item.state = state;
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.items.get(self.at).map_or("", |item| &item.name)
    }

    pub(super) fn budget(&mut self) -> &mut Budget {
        self.budget
    }

    /// What is written in it next.
    pub(super) fn text(&mut self, text: &str) -> Result<(), Reason> {
        let kept = self.budget.keep(text);
        if let Some(item) = self.items.get_mut(self.at) {
            item.text.push_str(kept);
        }
        if kept.len() < text.len() { Err(Reason::Limit) } else { Ok(()) }
    }

    /// Something inside it, which is read at once.
    pub(super) fn inside<'n>(
        &mut self,
        called: impl Into<Called<'n>>,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<(), Reason> {
        let called = called.into();
        self.child(called)?.open(&Input { name: called.name, media_type, bytes });
        Ok(())
    }

    /// Something inside it of which only this could be had, and why.
    pub(super) fn inside_partly(&mut self, name: &str, bytes: &[u8], reason: Reason) -> Result<(), Reason> {
        let mut inner = self.child(name.into())?;
        inner.open(&Input { name, media_type: "", bytes });
        inner.state(State::Uninspectable(reason));
        Ok(())
    }

    /// Something inside it that is no stretch of octets, and is read at once by this reader.
    pub(super) fn within(
        &mut self,
        name: &str,
        kind: Kind,
        read: impl FnOnce(&mut Document<'_>) -> Outcome,
    ) -> Result<(), Reason> {
        let mut inner = self.child(name.into())?;
        inner.kind(kind);
        let deep = inner.depth > limits::DOCUMENT_DEPTH;
        let read = if deep { Err(Reason::Limit) } else { read(&mut inner) };
        inner.state(read.unwrap_or_else(State::Uninspectable));
        Ok(())
    }

    /// Something inside it that is not read, and why: its name can be.
    pub(super) fn unread<'n>(
        &mut self,
        called: impl Into<Called<'n>>,
        size: u64,
        state: State,
    ) -> Result<(), Reason> {
        let called = called.into();
        let kind = self.format(&Input { name: called.name, media_type: "", bytes: &[] }).kind;
        let mut inner = self.child(called)?;
        if let Some(item) = inner.item() {
            (item.kind, item.size, item.state) = (kind, size, state);
        }
        Ok(())
    }

    fn child(&mut self, called: Called<'_>) -> Result<Document<'_>, Reason> {
        self.budget.enter(called.name.len().min(limits::ATTACHMENT_NAME_OCTETS))?;
        // A name is cut at its limit, and is text in full.
        for name in called.all().filter(|name| name.len() > limits::ATTACHMENT_NAME_OCTETS) {
            self.text(name)?;
            self.text("\n")?;
        }
        self.children += 1;
        let outer = self.items.get(self.at).map_or("", |item| &item.path);
        let number = self.children;
        let path = if outer.is_empty() { number.to_string() } else { format!("{outer}/{number}") };
        Ok(Document::enter(self.items, self.budget, self.detect, path, self.depth + 1, called))
    }
}

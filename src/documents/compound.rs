//! Compound files (MS-CFB): a file system in a file, in which old Office documents, Outlook messages and encrypted new
//! documents are kept.

#![deny(clippy::disallowed_methods)]

#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::rc::Rc;

use super::document::{Document, Outcome};
use super::places::{size_at, slice, u16_at, u32_at, utf16};
use super::{
    Budget, Reason, Scheme, State, excel, kind::Kind, outlook, powerpoint, properties, protected, strings,
    word,
};
use crate::limits;
use crate::mime::words;

/// Reads whatever is in a compound file.
pub(super) fn read(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    match known(document, &Compound::open(bytes)?) {
        Some(outcome) => outcome,
        None => strings::read(document, bytes),
    }
}

/// Reads what is in a storage that is a document itself.
pub(super) fn read_storage(document: &mut Document<'_>, file: &Compound<'_>) -> Outcome {
    known(document, file).unwrap_or(Err(Reason::Format))
}

/// What it is says the name of its stream.
fn known(document: &mut Document<'_>, file: &Compound<'_>) -> Option<Outcome> {
    let has = |name| file.find(name).is_some();
    if file.entries.iter().any(|entry| matches!(entry.name(), "VBA" | "_VBA_PROJECT_CUR")) {
        document.macros();
    }
    Some(match () {
        () if has("EncryptedPackage") && has("EncryptionInfo") => protected::read(document, file),
        () if has("EncryptedPackage") || has("\u{9}DRMContent") => Ok(State::Encrypted(Scheme::Rights)),
        () if has("__properties_version1.0") => outlook::read(document, file),
        () if has("WordDocument") => office(document, file, word::read),
        () if has("Workbook") || has("Book") => office(document, file, excel::read),
        () if has("PowerPoint Document") => office(document, file, powerpoint::read),
        () if has(NATIVE) => file.stream(NATIVE, document.budget()).and_then(|stream| {
            packaged(document, &stream)?;
            Ok(State::Plain)
        }),
        () if has("Package") => file.stream("Package", document.budget()).and_then(|stream| {
            document.inside("", "", &stream)?;
            Ok(State::Plain)
        }),
        () => return None,
    })
}

/// Reads an Office document: its text, its properties, and the objects inside it.
fn office(
    document: &mut Document<'_>,
    file: &Compound<'_>,
    read: fn(&mut Document<'_>, &Compound<'_>) -> Outcome,
) -> Outcome {
    let state = read(document, file);
    if matches!(state, Ok(State::Encrypted(_))) {
        return state;
    }
    properties::read(document, file)?;
    embedded(document, file)?;
    state
}

/// Objects inside an Office document: each is a storage that is a document itself.
fn embedded(document: &mut Document<'_>, file: &Compound<'_>) -> Result<(), Reason> {
    let mut seen = HashSet::new();
    for entry in &file.entries {
        let Some((storage, name)) = entry.path.rsplit_once('/') else { continue };
        let own = matches!(name, "WordDocument" | "Workbook" | "Book" | "PowerPoint Document" | "Package")
            || name == NATIVE;
        // What is inside such a storage is read with it.
        let inner = seen.iter().any(|outer: &&str| storage.starts_with(*outer));
        if own && !inner && seen.insert(storage) {
            document.within("", Kind::Compound, |inner| read_storage(inner, &file.below(storage)))?;
        } else if name == "CONTENTS" && !inner {
            let stream = file.stream(&entry.path, document.budget())?;
            document.inside("", "", &stream)?;
        }
    }
    Ok(())
}

/// A file that was put into a document as an icon (MS-OLEDS §2.3.6): names, then its octets.
fn packaged(document: &mut Document<'_>, stream: &[u8]) -> Result<(), Reason> {
    let read = || {
        let mut at = 6;
        let mut name = String::new();
        for field in 0..2 {
            let rest = stream.get(at..)?;
            let length = rest.iter().position(|octet| *octet == 0)?;
            if field == 0 {
                name = words::text(rest.get(..length)?).into_owned();
            }
            at += length + 1;
        }
        at += 4;
        at += 4 + size_at(stream, at)?;
        let length = size_at(stream, at)?;
        Some((name, slice(stream, at + 4, length)?))
    };
    match read() {
        Some((name, bytes)) => document.inside(&name, "", bytes),
        // What stands there is text for all that is known of it.
        None => document.inside("", "", stream),
    }
}

/// An open compound file, or a storage in it.
pub(super) struct Compound<'a> {
    bytes: &'a [u8],
    shift: u32,
    /// The same for every storage, of which there may be thousands.
    table: Rc<[u32]>,
    small_table: Rc<[u32]>,
    small: Rc<[u8]>,
    entries: Vec<Entry>,
}

/// A stream or a storage.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Its name, after those of the storages that it is in: `ObjectPool/_1/CONTENTS`.
    pub(super) path: String,
    start: u32,
    size: usize,
}

impl Entry {
    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// A file that was put into a document.
const NATIVE: &str = "\u{1}Ole10Native";
/// Streams below this size are in the small chain (§2.6.1).
const SMALL: usize = 4096;
const SMALL_SHIFT: u32 = 6;
const NONE: u32 = 0xFFFF_FFFF;

impl<'a> Compound<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Reason> {
        Self::parse(bytes).ok_or(Reason::Damaged)
    }

    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let shift = u32::from(u16_at(bytes, 30)?);
        if !(7..=16).contains(&shift) {
            return None;
        }
        let mut file = Self {
            bytes,
            shift,
            table: Rc::default(),
            small_table: Rc::default(),
            small: Rc::default(),
            entries: Vec::new(),
        };
        file.table = file.read_table()?.into();
        file.small_table = numbers(&file.chain(u32_at(bytes, 60)?, usize::MAX)).into();
        let directory = file.chain(u32_at(bytes, 48)?, usize::MAX);
        file.small = file.chain(u32_at(&directory, 116)?, size_at(&directory, 120)?).into();
        let first = u32_at(&directory, 76)?;
        file.list(&directory, first);
        Some(file)
    }

    /// The allocation table: its sectors are listed in the header, and in a chain of their own.
    fn read_table(&self) -> Option<Vec<u32>> {
        let mut sectors = numbers(slice(self.bytes, 76, 109 * 4)?);
        let mut next = u32_at(self.bytes, 68)?;
        let most = self.bytes.len() >> self.shift;
        for _ in 0..=most {
            let Some(list) = self.sector(next) else { break };
            let (more, after) = list.split_at_checked(list.len().checked_sub(4)?)?;
            sectors.extend(numbers(more));
            next = u32_at(after, 0)?;
        }
        let sectors = sectors.iter().take(most + 1).filter_map(|sector| self.sector(*sector));
        Some(sectors.flat_map(numbers).collect())
    }

    /// As much of a sector as there is.
    fn sector(&self, number: u32) -> Option<&'a [u8]> {
        let at = (usize::try_from(number).ok()?.checked_add(1)?).checked_mul(1 << self.shift)?;
        let rest = self.bytes.get(at..).filter(|rest| !rest.is_empty())?;
        Some(rest.get(..1 << self.shift).unwrap_or(rest))
    }

    /// The octets of a chain, `size` at the most, or as far as it goes.
    fn chain(&self, start: u32, size: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut next = start;
        while out.len() < size.min(self.bytes.len()) {
            let Some(sector) = self.sector(next) else { break };
            out.extend_from_slice(sector);
            let after = usize::try_from(next).ok().and_then(|next| self.table.get(next));
            let Some(after) = after else { break };
            next = *after;
        }
        out.truncate(size);
        out
    }

    fn small_chain(&self, start: u32, size: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut next = start;
        while out.len() < size {
            let Ok(at) = usize::try_from(next) else { break };
            let Some(sector) =
                at.checked_shl(SMALL_SHIFT).and_then(|at| slice(&self.small, at, 1 << SMALL_SHIFT))
            else {
                break;
            };
            out.extend_from_slice(sector);
            let Some(after) = self.small_table.get(at) else { break };
            next = *after;
        }
        out.truncate(size);
        out
    }

    /// Lists the directory: a tree of storages, each of which is a tree of names.
    fn list(&mut self, directory: &[u8], root: u32) {
        let mut visited = HashSet::new();
        let mut waiting = vec![(root, String::new(), 0)];
        while let Some((number, parent, depth)) = waiting.pop() {
            if number == NONE || !visited.insert(number) || depth > limits::DOCUMENT_DEPTH {
                continue;
            }
            let Some(entry) =
                usize::try_from(number).ok().and_then(|at| slice(directory, at.checked_mul(128)?, 128))
            else {
                continue;
            };
            let name = u16_at(entry, 64).map_or(0, |length| usize::from(length).saturating_sub(2).min(62));
            let name = utf16(entry.get(..name).unwrap_or_default());
            let path = if parent.is_empty() { name } else { format!("{parent}/{name}") };
            for (at, parent, depth) in [(68, &parent, depth), (72, &parent, depth), (76, &path, depth + 1)] {
                if let Some(next) = u32_at(entry, at) {
                    waiting.push((next, parent.clone(), depth));
                }
            }
            if let (Some(start), Some(size)) = (u32_at(entry, 116), size_at(entry, 120)) {
                self.entries.push(Entry { path, start, size });
            }
        }
        self.entries.sort_by(|one, other| one.path.cmp(&other.path));
    }

    /// The stream or storage of that path.
    pub(super) fn find(&self, path: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.path.eq_ignore_ascii_case(path))
    }

    /// Everything in the file, by path.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The octets of a stream, all of them.
    pub(super) fn stream(&self, path: &str, budget: &mut Budget) -> Result<Vec<u8>, Reason> {
        let entry = self.find(path).ok_or(Reason::Damaged)?;
        budget.spend(entry.size.min(self.bytes.len()))?;
        let octets = if entry.size < SMALL {
            self.small_chain(entry.start, entry.size)
        } else {
            self.chain(entry.start, entry.size)
        };
        if octets.len() < entry.size { Err(Reason::Damaged) } else { Ok(octets) }
    }

    /// The storage of that path as a file of its own.
    pub(super) fn below(&self, storage: &str) -> Self {
        let entries = self.entries.iter().filter_map(|entry| {
            let path = entry.path.strip_prefix(storage)?.strip_prefix('/')?;
            Some(Entry { path: path.to_owned(), ..entry.clone() })
        });
        Self {
            bytes: self.bytes,
            shift: self.shift,
            table: self.table.clone(),
            small_table: self.small_table.clone(),
            small: self.small.clone(),
            entries: entries.collect(),
        }
    }
}

fn numbers(octets: &[u8]) -> Vec<u32> {
    octets.as_chunks().0.iter().map(|four| u32::from_le_bytes(*four)).collect()
}

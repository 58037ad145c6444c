//! A compound file's own file system (MS-CFB): sectors in chains, and a directory of storages and streams.

#![deny(clippy::disallowed_methods)]

use std::collections::HashSet;
use std::ops::Range;
use std::rc::Rc;

use crate::documents::places::{size_at, slice, u16_at, u32_at, utf16};
use crate::documents::{Budget, Reason};
use crate::limits;

/// An open compound file, or a storage in it.
pub(in crate::documents) struct Compound<'a> {
    sectors: Rc<Sectors<'a>>,
    /// By their keys, so that what is in one storage stands together.
    entries: Rc<[Entry]>,
    /// Those in this storage.
    place: Range<usize>,
    /// How long this storage's own path is, with the slash after it.
    outer: usize,
    cut: bool,
}

/// A stream or a storage.
struct Entry {
    /// The path in small letters: names that differ in nothing else are the same (§2.6.4).
    key: String,
    /// Its name, after those of the storages that it is in: `ObjectPool/_1/CONTENTS`.
    path: String,
    start: u32,
    size: usize,
}

/// What the file consists of.
struct Sectors<'a> {
    bytes: &'a [u8],
    shift: u32,
    table: Vec<u32>,
    small_table: Vec<u32>,
    small: Vec<u8>,
}

/// Streams below this size are in the small chain (§2.6.1).
const SMALL: usize = 4096;
const SMALL_SHIFT: u32 = 6;
const NONE: u32 = 0xFFFF_FFFF;

impl<'a> Compound<'a> {
    pub(in crate::documents) fn open(bytes: &'a [u8]) -> Result<Self, Reason> {
        Self::parse(bytes).ok_or(Reason::Damaged)
    }

    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let shift = u32::from(u16_at(bytes, 30)?);
        if !(7..=16).contains(&shift) {
            return None;
        }
        let mut sectors =
            Sectors { bytes, shift, table: Vec::new(), small_table: Vec::new(), small: Vec::new() };
        sectors.table = sectors.read_table()?;
        sectors.small_table = numbers(&sectors.chain(u32_at(bytes, 60)?, usize::MAX));
        let directory = sectors.chain(u32_at(bytes, 48)?, usize::MAX);
        sectors.small = sectors.chain(u32_at(&directory, 116)?, size_at(&directory, 120)?);
        let (entries, cut) = list(&directory, u32_at(&directory, 76)?);
        let place = 0..entries.len();
        Some(Self { sectors: Rc::new(sectors), entries: entries.into(), place, outer: 0, cut })
    }

    /// Whether storages lie deeper in it than is looked at.
    pub(in crate::documents) fn is_cut(&self) -> bool {
        self.cut
    }

    fn own(&self) -> &[Entry] {
        self.entries.get(self.place.clone()).unwrap_or_default()
    }

    /// The stream or storage of that path.
    fn entry(&self, path: &str) -> Option<&Entry> {
        let path = path.to_ascii_lowercase();
        let key = |entry: &Entry| entry.key.get(self.outer..).unwrap_or_default().cmp(&path);
        let at = self.own().binary_search_by(key).ok()?;
        self.own().get(at)
    }

    /// Whether there is a stream or storage of that path.
    pub(in crate::documents) fn has(&self, path: &str) -> bool {
        self.entry(path).is_some()
    }

    /// The paths of everything in it.
    pub(in crate::documents) fn paths(&self) -> impl Iterator<Item = &str> {
        self.own().iter().filter_map(|entry| entry.path.get(self.outer..))
    }

    /// The octets of a stream, all of them.
    pub(in crate::documents) fn stream(&self, path: &str, budget: &mut Budget) -> Result<Vec<u8>, Reason> {
        let (octets, whole) = self.stream_partly(path, budget)?;
        whole.map(|()| octets)
    }

    /// The octets of a stream as far as they go, and whether these are all.
    pub(in crate::documents) fn stream_partly(
        &self,
        path: &str,
        budget: &mut Budget,
    ) -> Result<(Vec<u8>, Result<(), Reason>), Reason> {
        let entry = self.entry(path).ok_or(Reason::Damaged)?;
        budget.spend(entry.size.min(self.sectors.bytes.len()))?;
        let octets = if entry.size < SMALL {
            self.sectors.small_chain(entry.start, entry.size)
        } else {
            self.sectors.chain(entry.start, entry.size)
        };
        let whole = if octets.len() < entry.size { Err(Reason::Damaged) } else { Ok(()) };
        Ok((octets, whole))
    }

    /// The storage of that path as a file of its own.
    pub(in crate::documents) fn below(&self, storage: &str) -> Self {
        let key = format!("{}/", storage.to_ascii_lowercase());
        let own = self.own();
        let rest = |entry: &Entry| entry.key.get(self.outer..).unwrap_or_default().to_owned();
        let first = own.partition_point(|entry| rest(entry) < key);
        let count =
            own.get(first..).unwrap_or_default().partition_point(|entry| rest(entry).starts_with(&key));
        let from = self.place.start + first;
        Self {
            sectors: self.sectors.clone(),
            entries: self.entries.clone(),
            place: from..from + count,
            outer: self.outer + key.len(),
            cut: self.cut,
        }
    }
}

/// Lists the directory: a tree of storages, each of which is a tree of names. Says whether some lie too deep.
fn list(directory: &[u8], root: u32) -> (Vec<Entry>, bool) {
    let (mut entries, mut cut) = (Vec::new(), false);
    let mut visited = HashSet::new();
    let mut waiting: Vec<(u32, Rc<str>, usize)> = vec![(root, Rc::from(""), 0)];
    while let Some((number, parent, depth)) = waiting.pop() {
        if number == NONE || !visited.insert(number) {
            continue;
        }
        let Some(entry) =
            usize::try_from(number).ok().and_then(|at| slice(directory, at.checked_mul(128)?, 128))
        else {
            continue;
        };
        if depth > limits::COMPOUND_DEPTH {
            cut = true;
            continue;
        }
        let name = u16_at(entry, 64).map_or(0, |length| usize::from(length).saturating_sub(2).min(62));
        let name = utf16(entry.get(..name).unwrap_or_default());
        let path: Rc<str> = if parent.is_empty() { name.into() } else { format!("{parent}/{name}").into() };
        for (at, parent, depth) in [(68, &parent, depth), (72, &parent, depth), (76, &path, depth + 1)] {
            if let Some(next) = u32_at(entry, at) {
                waiting.push((next, Rc::clone(parent), depth));
            }
        }
        if let (Some(start), Some(size)) = (u32_at(entry, 116), size_at(entry, 120)) {
            entries.push(Entry { key: path.to_ascii_lowercase(), path: (*path).to_owned(), start, size });
        }
    }
    entries.sort_by(|one, other| one.key.cmp(&other.key));
    (entries, cut)
}

impl<'a> Sectors<'a> {
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
}

fn numbers(octets: &[u8]) -> Vec<u32> {
    octets.as_chunks().0.iter().map(|four| u32::from_le_bytes(*four)).collect()
}

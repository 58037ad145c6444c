//! The budget of one reading: what it may still unpack, keep and enter. Counted where octets come out, since what an
//! archive says of itself may be a lie.

#![deny(clippy::disallowed_methods)]

use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use super::{Item, Reading, Reason};
use crate::limits;

/// Octets that are unpacked at a time.
const CHUNK_OCTETS: usize = 64 << 10;

/// What all documents of one mail may still say, of which one document takes a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// Octets of text, names included.
    pub text: usize,
    /// Entries.
    pub entries: usize,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { text: limits::TEXT_OCTETS, entries: limits::DOCUMENT_ENTRIES }
    }
}

impl Allowance {
    /// What of it a document of that many octets can use.
    #[must_use]
    pub fn of(self, size: usize) -> Self {
        let by_ratio = size.saturating_mul(limits::DOCUMENT_RATIO);
        let most = by_ratio.clamp(limits::DOCUMENT_TEXT_OCTETS_SMALL, limits::DOCUMENT_TEXT_OCTETS);
        Self { text: self.text.min(most), entries: self.entries }
    }

    /// What is left after a reading.
    #[must_use]
    pub fn after(self, reading: &Reading) -> Self {
        let text: usize = reading.items.iter().map(Item::octets).sum();
        Self {
            text: self.text.saturating_sub(text),
            entries: self.entries.saturating_sub(reading.items.len().saturating_sub(1)),
        }
    }
}

/// What a reading may still do.
#[derive(Debug)]
pub struct Budget {
    /// Octets that may still be unpacked.
    octets: usize,
    /// Octets of text that may still be kept.
    text: usize,
    /// Entries that may still be listed.
    entries: usize,
}

impl Budget {
    /// For a document of that many octets, the only one of its mail.
    pub fn new(size: usize) -> Self {
        Self::within(size, Allowance::default())
    }

    /// For a document of that many octets, of a mail that may still say so much.
    pub fn within(size: usize, allowance: Allowance) -> Self {
        let by_ratio = size.saturating_mul(limits::DOCUMENT_RATIO);
        let Allowance { text, entries } = allowance.of(size);
        let octets = by_ratio.clamp(limits::DOCUMENT_OCTETS_SMALL, limits::DOCUMENT_OCTETS);
        Self { octets, text, entries }
    }

    /// One more entry, with a name of so many octets.
    pub(super) fn enter(&mut self, name: usize) -> Result<(), Reason> {
        self.entries = self.entries.checked_sub(1).ok_or(Reason::Limit)?;
        self.text = self.text.checked_sub(name + limits::DOCUMENT_ENTRY_OCTETS).ok_or(Reason::Limit)?;
        Ok(())
    }

    /// As much of the text as may be kept, cut at a character.
    pub(super) fn keep<'t>(&mut self, text: &'t str) -> &'t str {
        let kept = crate::text::truncate(text, self.text);
        self.text -= kept.len();
        kept
    }

    /// Octets that may still be unpacked.
    pub(super) fn left(&self) -> usize {
        self.octets
    }

    /// Octets that lie in the clear, and are read as if they came out of something.
    pub(super) fn spend(&mut self, octets: usize) -> Result<(), Reason> {
        self.octets = self.octets.checked_sub(octets).ok_or(Reason::Limit)?;
        Ok(())
    }

    /// Everything that comes out of `packed`; what came out before a fault, with the fault.
    pub(super) fn unpack(&mut self, packed: impl Read) -> (Vec<u8>, Result<(), Reason>) {
        let mut out = Vec::new();
        let ended = self.pour(packed, &mut out);
        self.octets = self.octets.saturating_sub(out.len());
        (out, ended)
    }

    fn pour(&self, mut packed: impl Read, out: &mut Vec<u8>) -> Result<(), Reason> {
        let mut chunk = vec![0; CHUNK_OCTETS];
        loop {
            let read = match packed.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(read) => chunk.get(..read).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::OutOfMemory => return Err(Reason::Limit),
                Err(_) => return Err(Reason::Damaged),
            };
            let kept = read.get(..self.octets.saturating_sub(out.len())).unwrap_or(read);
            // A quarter more at a time: doubling would take twice the memory that is needed.
            if out.capacity() - out.len() < kept.len() {
                out.reserve_exact(kept.len().max(out.len() / 4));
            }
            out.extend_from_slice(kept);
            if kept.len() < read.len() {
                return Err(Reason::Limit);
            }
        }
    }
}

//! The budget of one reading: what it may still unpack, keep and enter. Counted where octets come out, since what an
//! archive says of itself may be a lie.

#![deny(clippy::disallowed_methods)]

use std::io::{self, Read};

use super::Reason;
use crate::limits;

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
    /// For a document of that many octets.
    pub fn new(size: usize) -> Self {
        let by_ratio = size.saturating_mul(limits::DOCUMENT_RATIO);
        Self {
            octets: by_ratio.clamp(limits::DOCUMENT_OCTETS_SMALL, limits::DOCUMENT_OCTETS),
            text: limits::DOCUMENT_TEXT_OCTETS,
            entries: limits::DOCUMENT_ENTRIES,
        }
    }

    /// One more entry.
    pub(super) fn enter(&mut self) -> Result<(), Reason> {
        self.entries = self.entries.checked_sub(1).ok_or(Reason::Limit)?;
        Ok(())
    }

    /// As much of the text as may be kept, cut at a character.
    pub(super) fn keep<'t>(&mut self, text: &'t str) -> &'t str {
        let kept = crate::text::truncate(text, self.text);
        self.text -= kept.len();
        kept
    }

    /// Octets that lie in the clear, and are read as if they came out of something.
    pub(super) fn spend(&mut self, octets: usize) -> Result<(), Reason> {
        self.octets = self.octets.checked_sub(octets).ok_or(Reason::Limit)?;
        Ok(())
    }

    /// Everything that comes out of `packed`; what came out before a fault, with the fault.
    pub(super) fn unpack(&mut self, packed: impl Read) -> (Vec<u8>, Result<(), Reason>) {
        let mut out = Vec::new();
        let room = self.octets as u64;
        let ended = match packed.take(room + 1).read_to_end(&mut out) {
            Ok(_) if out.len() as u64 > room => {
                out.truncate(self.octets);
                Err(Reason::Limit)
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory => Err(Reason::Limit),
            Err(_) => Err(Reason::Damaged),
        };
        self.octets = self.octets.saturating_sub(out.len());
        (out, ended)
    }
}

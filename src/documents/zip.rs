//! ZIP: the files of an archive, and what each holds.

#![deny(clippy::disallowed_methods)]

mod directory;

use std::borrow::Cow;

pub(crate) use directory::has_end;
pub(super) use directory::{Archive, Entry, old_name};

use super::{Budget, Reason, Scheme, inflate};

/// What an entry holds.
pub(super) enum Content<'a> {
    All(Cow<'a, [u8]>),
    /// What could be read before this happened.
    Some(Vec<u8>, Reason),
    Encrypted(Scheme),
    /// Packed in a way that nothing here unpacks.
    Packed,
}

impl<'a> Entry<'a> {
    /// Unpacks it. One that says it is encrypted and holds what its checksum says is not.
    pub(super) fn content(&self, budget: &mut Budget) -> Content<'a> {
        if !self.encrypted {
            return self.unpack(budget);
        }
        match self.unpack(budget) {
            Content::All(content) if inflate::checksum(&content) == self.checksum => Content::All(content),
            _ if self.strong => Content::Encrypted(Scheme::Zip),
            _ => Content::Encrypted(Scheme::ZipWeak),
        }
    }

    fn unpack(&self, budget: &mut Budget) -> Content<'a> {
        match self.method {
            0 => match budget.spend(self.packed.len()) {
                Ok(()) => Content::All(Cow::Borrowed(self.packed)),
                Err(reason) => Content::Some(Vec::new(), reason),
            },
            8 => match inflate::raw(budget, self.packed) {
                (content, Ok(())) => Content::All(Cow::Owned(content)),
                (content, Err(reason)) => Content::Some(content, reason),
            },
            _ => Content::Packed,
        }
    }
}

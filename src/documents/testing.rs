//! Readings for unit tests.

#![deny(clippy::disallowed_methods)]

use super::{Budget, Input, Item, read};

/// What is read of a document with that name.
pub(super) fn items(name: &str, bytes: &[u8]) -> Vec<Item> {
    read(&Input { name, media_type: "", bytes }, &mut Budget::new(bytes.len())).items
}

/// The text of the document itself.
pub(super) fn text(name: &str, bytes: &[u8]) -> String {
    items(name, bytes).swap_remove(0).text
}

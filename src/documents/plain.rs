//! Text that is nothing but text, in whatever charset.

#![deny(clippy::disallowed_methods)]

use super::State;
use super::document::{Document, Outcome};
use crate::mime::words;

/// Reads text: by its byte order mark, else UTF-8, else as old Windows programs write it.
pub(super) fn read(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    document.text(&words::unlabelled(bytes))?;
    Ok(State::Plain)
}

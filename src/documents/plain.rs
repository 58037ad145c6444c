//! Text that is nothing but text, in whatever charset; and pages, whose tags are no text.

#![deny(clippy::disallowed_methods)]

use super::document::{Document, Outcome};
use super::{State, xml};
use crate::markup;
use crate::mime::words;

/// Reads text: by its byte order mark, else UTF-8, else as old Windows programs write it.
pub(super) fn text(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    document.text(&words::unlabelled(bytes))?;
    Ok(State::Plain)
}

/// Reads a page of HTML.
pub(super) fn page(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    document.text(&markup::text(&words::unlabelled(bytes)))?;
    Ok(State::Plain)
}

/// Reads XML of whatever kind: as text that flows, and as fields, since nobody knows which it is.
pub(super) fn xml(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    document.text(&xml::flow(bytes))?;
    document.text("\n")?;
    document.text(&xml::fields(bytes))?;
    Ok(State::Plain)
}

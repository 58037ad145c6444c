//! Text that is nothing but text, in whatever charset; and pages, whose tags are no text.

#![deny(clippy::disallowed_methods)]

use super::document::{Document, Outcome};
use super::{Reason, State, xml};
use crate::mime::words;
use crate::{limits, markup};

/// Reads text: by its byte order mark, else UTF-8, else as old Windows programs write it.
pub(super) fn text(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    // No charset has more than two octets for each of UTF-8's.
    let read = bytes.get(..2 * limits::DOCUMENT_TEXT_OCTETS).unwrap_or(bytes);
    document.text(&markup::unescape(&words::unlabelled(read)))?;
    if read.len() < bytes.len() { Err(Reason::Limit) } else { Ok(State::Plain) }
}

/// Reads a page of HTML.
pub(super) fn page(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    document.text(&markup::text(&words::declared(markup::charset(bytes), bytes)))?;
    Ok(State::Plain)
}

/// Reads XML of whatever kind: as text that flows, and as fields, since nobody knows which it is.
pub(super) fn xml(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    document.text(&xml::flow(bytes))?;
    document.text("\n")?;
    document.text(&xml::values(bytes))?;
    Ok(State::Plain)
}

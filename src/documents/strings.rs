//! The last resort: what stands in octets of a format that nothing here reads, as far as it looks like text. What is
//! found is looked at; that nothing is found says nothing.

#![deny(clippy::disallowed_methods)]

use super::Reason;
use super::document::{Document, Outcome};
use crate::mime::words;

/// Shorter runs are chance.
const RUN_OCTETS: usize = 8;

/// Reads what looks like text (UTF-16 too), and says that it is not all.
pub(super) fn read(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    runs_of(document, bytes)?;
    Err(Reason::Format)
}

/// Runs of printable octets, each octet by itself and in pairs with zeros.
pub(super) fn runs_of(document: &mut Document<'_>, bytes: &[u8]) -> Result<(), Reason> {
    runs(document, bytes.iter().copied())?;
    let narrow = |pair: &[u8]| match pair {
        [low, 0] => *low,
        _ => 0,
    };
    runs(document, bytes.chunks(2).map(narrow))?;
    runs(document, bytes.get(1..).unwrap_or_default().chunks(2).map(narrow))
}

/// Whether the beginning looks like text: no control characters but those of text.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    let beginning = bytes.get(..512).unwrap_or(bytes);
    let marked = beginning.starts_with(b"\xff\xfe") || beginning.starts_with(b"\xfe\xff");
    let texty = |octet: &u8| matches!(octet, b'\t' | b'\n' | b'\r' | 0x0c | b' '..=b'~' | 0x80..);
    marked || !beginning.is_empty() && beginning.iter().all(texty)
}

fn runs(document: &mut Document<'_>, octets: impl Iterator<Item = u8>) -> Result<(), Reason> {
    let mut run = Vec::new();
    for octet in octets.chain([0]) {
        if octet >= b' ' && octet != 0x7f || octet == b'\t' {
            run.push(octet);
            continue;
        }
        if run.len() >= RUN_OCTETS {
            document.text(&words::text(&run))?;
            document.text("\n")?;
        }
        run.clear();
    }
    Ok(())
}

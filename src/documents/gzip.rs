//! Gzip: one file, packed; the only file that names `flate2`.

#![deny(clippy::disallowed_methods)]

use flate2::read::MultiGzDecoder;

use super::State;
use super::document::{Document, Outcome};

/// Reads what is inside, under its name without the ending.
pub(super) fn read(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    let (inside, ended) = document.budget().unpack(MultiGzDecoder::new(bytes));
    let name = document.name().to_owned();
    let (stem, ending) = name.rsplit_once('.').unwrap_or((&name, ""));
    let inner = if ending.eq_ignore_ascii_case("tgz") { format!("{stem}.tar") } else { stem.to_owned() };
    document.inside(&inner, "", &inside)?;
    ended.map(|()| State::Plain)
}

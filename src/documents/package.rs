//! Embedded objects as OLE 1 writes them (MS-OLEDS 2.2), and the package in which a whole file is wrapped.

#![deny(clippy::disallowed_methods)]

use super::Reason;
use super::document::Document;
use super::octets::Octets;
use crate::mime::words;

/// Reads an embedded object; one that is not as OLE 1 has it is read as what it may be.
pub(super) fn object(document: &mut Document<'_>, octets: &[u8]) -> Result<(), Reason> {
    match native(octets) {
        Some((class, content)) if class.eq_ignore_ascii_case("Package") => package(document, content),
        Some((class, content)) => document.inside(&class, "", content),
        None if octets.is_empty() => Ok(()),
        None => document.inside("", "", octets),
    }
}

/// Reads a package: the file in it, under its name.
pub(super) fn package(document: &mut Document<'_>, octets: &[u8]) -> Result<(), Reason> {
    match file(octets) {
        Some((name, content)) => document.inside(&name, "", content),
        None => document.inside("", "", octets),
    }
}

/// The class of an embedded object, and its native data.
fn native(bytes: &[u8]) -> Option<(String, &[u8])> {
    let mut octets = Octets::new(bytes);
    octets.u32()?;
    if octets.u32()? != 2 {
        return None;
    }
    let string = |octets: &mut Octets<'_>| {
        let length = octets.length()?;
        let text = octets.take(length)?;
        Some(words::text(text.strip_suffix(b"\0").unwrap_or(text)).into_owned())
    };
    let class = string(&mut octets)?;
    string(&mut octets)?;
    string(&mut octets)?;
    let length = octets.length()?;
    Some((class, octets.take(length.min(octets.rest.len()))?))
}

/// The name of the file in a package, and its content.
fn file(bytes: &[u8]) -> Option<(String, &[u8])> {
    let mut octets = Octets::new(bytes);
    octets.u16()?;
    let name = words::text(octets.string()?).into_owned();
    octets.string()?;
    octets.u32()?;
    let length = octets.length()?;
    octets.take(length)?;
    let length = octets.length()?;
    Some((name, octets.take(length.min(octets.rest.len()))?))
}

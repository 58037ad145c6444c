//! Signatures: what DKIM-Signature fields (RFC 6376 §3.5) say of themselves. Absent: whether they are right.

#![deny(clippy::disallowed_methods)]

use super::Header;
use crate::address::Domain;

/// One DKIM-Signature field.
pub(super) struct Signature {
    /// `d=`: whose it is.
    pub(super) domain: Domain,
    /// `b=` without the white space that folding puts in.
    pub(super) data: String,
}

/// Those of the header section that have both.
pub(super) fn all(header: &Header) -> impl Iterator<Item = Signature> {
    header.all("DKIM-Signature").filter_map(|value| {
        let tag = |name: &str| {
            value.split(';').find_map(|tag| {
                let (key, value) = tag.split_once('=')?;
                (key.trim() == name).then_some(value)
            })
        };
        let data: String = tag("b")?.split_ascii_whitespace().collect();
        (!data.is_empty()).then_some(Signature { domain: Domain::new(tag("d")?.trim()), data })
    })
}

//! DEFLATE: what ZIP and gzip pack with; the only file that names `flate2`.

#![deny(clippy::disallowed_methods)]

use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::document::{Document, Outcome};
use super::{Budget, Reason, State};

/// What is inside a gzip file, as it is read.
pub fn gunzip<R: Read>(packed: R) -> impl Read {
    MultiGzDecoder::new(packed)
}

/// Reads what is inside a gzip file, under its name without the ending.
pub(super) fn gzip(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    let (inside, ended) = document.budget().unpack(MultiGzDecoder::new(bytes));
    unpacked(document, &inside)?;
    ended.map(|()| State::Plain)
}

/// Reads the one file that was packed into this one.
pub(super) fn unpacked(document: &mut Document<'_>, inside: &[u8]) -> Result<(), Reason> {
    let name = document.name().to_owned();
    let (stem, ending) = name.rsplit_once('.').unwrap_or((&name, ""));
    let short = ["tgz", "txz"].iter().any(|short| ending.eq_ignore_ascii_case(short));
    let inner = if short { format!("{stem}.tar") } else { stem.to_owned() };
    document.inside(&inner, "", inside)
}

/// What raw DEFLATE unpacks to; what came out before a fault, with the fault.
pub(super) fn raw(budget: &mut Budget, packed: &[u8]) -> (Vec<u8>, Result<(), Reason>) {
    budget.unpack(DeflateDecoder::new(packed))
}

/// What DEFLATE with zlib's head unpacks to.
pub(super) fn zlib(budget: &mut Budget, packed: &[u8]) -> (Vec<u8>, Result<(), Reason>) {
    budget.unpack(ZlibDecoder::new(packed))
}

/// Whether DEFLATE with zlib's head is whole and unpacks to nothing.
pub(super) fn is_zlib_of_nothing(packed: &[u8]) -> bool {
    let mut out = [0];
    let mut inflater = Decompress::new(true);
    let ended = inflater.decompress(packed, &mut out, FlushDecompress::Finish);
    matches!(ended, Ok(Status::StreamEnd)) && inflater.total_out() == 0
}

/// The checksum of ZIP.
pub(super) fn checksum(octets: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(octets);
    crc.sum()
}

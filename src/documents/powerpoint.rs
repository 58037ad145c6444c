//! PowerPoint's binary format (MS-PPT): the text atoms of slides, notes, masters and comments.

#![deny(clippy::disallowed_methods)]

mod cipher;

use super::compound::Compound;
use super::document::{Document, Outcome};
use super::places::{size_at, slice, u16_at, u32_at, utf16};
use super::{Reason, Scheme, State};
use crate::limits;

/// Current User says so with this token (§2.3.2).
const ENCRYPTED: u32 = 0xF3D1_C4DF;
const TEXT_CHARACTERS: u16 = 0x0FA0;
const TEXT_OCTETS: u16 = 0x0FA8;
const STRING: u16 = 0x0FBA;
const ENCRYPTION: u16 = 0x2F14;
/// Octets of a record before its content.
const HEAD: usize = 8;

pub(super) fn read(document: &mut Document<'_>, file: &Compound<'_>) -> Outcome {
    let user = file.stream("Current User", document.budget()).ok();
    let encrypted = user.as_ref().is_some_and(|user| u32_at(user, 12) == Some(ENCRYPTED));
    let (mut stream, whole) = file.stream_partly("PowerPoint Document", document.budget())?;
    let mut state = State::Plain;
    if encrypted || file.has("EncryptedSummary") {
        let Some(clear) = user.and_then(|user| cipher::decrypt(&user, &stream)) else {
            return Ok(State::Encrypted(Scheme::Office));
        };
        (stream, state) = (clear, State::Readable(Scheme::Office));
    }
    let mut atoms = Atoms { found: Vec::new(), other: Vec::new(), whole };
    atoms.read(&stream, 0);
    if state == State::Plain && atoms.found.iter().any(|(kind, _)| *kind == ENCRYPTION) {
        return Ok(State::Encrypted(Scheme::Office));
    }
    for (kind, content) in atoms.found {
        let text = match kind {
            TEXT_CHARACTERS | STRING => utf16(content),
            TEXT_OCTETS => content.iter().map(|octet| char::from(*octet)).collect(),
            _ => continue,
        };
        document.text(&text.replace(['\r', '\u{b}'], "\n"))?;
        document.text("\n")?;
    }
    for content in atoms.other {
        document.inside("", "", content)?;
    }
    atoms.whole.map(|()| state)
}

/// The atoms with text, in their order (§2.3.1), and what was found beside them.
struct Atoms<'a> {
    found: Vec<(u16, &'a [u8])>,
    /// Packages in the format of 2007, for what the old one has no words for.
    other: Vec<&'a [u8]>,
    /// What stands behind a fault is not read; what stands before it is.
    whole: Result<(), Reason>,
}

impl<'a> Atoms<'a> {
    /// Reads records one after the other. One whose version is 15 contains records if it begins with one: PowerPoint
    /// marks others so too, whose content is of another kind.
    fn read(&mut self, bytes: &'a [u8], depth: usize) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some((version, kind, content, after)) = record(rest) else {
                // Less than the head of a record fills up the end.
                if rest.len() >= HEAD && rest.iter().any(|octet| *octet != 0) {
                    self.whole = self.whole.and(Err(Reason::Damaged));
                }
                return;
            };
            rest = after;
            if kind == ENCRYPTION || matches!(kind, TEXT_CHARACTERS | TEXT_OCTETS | STRING) {
                self.found.push((kind, content));
            } else if content.starts_with(b"PK\x03\x04") {
                self.other.push(content);
            } else if version & 0xF == 0xF && record(content).is_some() {
                if depth < limits::OFFICE_RECORD_DEPTH {
                    self.read(content, depth + 1);
                } else {
                    self.whole = self.whole.and(Err(Reason::Limit));
                }
            }
        }
    }
}

/// The next record: its version and instance, its kind, its content, and what follows it.
fn record(bytes: &[u8]) -> Option<(u16, u16, &[u8], &[u8])> {
    let (version, kind, length) = (u16_at(bytes, 0)?, u16_at(bytes, 2)?, size_at(bytes, 4)?);
    let content = slice(bytes, HEAD, length)?;
    Some((version, kind, content, bytes.get(HEAD + length..)?))
}

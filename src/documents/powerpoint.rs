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

pub(super) fn read(document: &mut Document<'_>, file: &Compound<'_>) -> Outcome {
    let user =
        file.find("Current User").map(|_| file.stream("Current User", document.budget())).transpose()?;
    let encrypted = user.as_ref().is_some_and(|user| u32_at(user, 12) == Some(ENCRYPTED));
    let mut stream = file.stream("PowerPoint Document", document.budget())?;
    let mut state = State::Plain;
    if encrypted || file.find("EncryptedSummary").is_some() {
        let Some(clear) = user.and_then(|user| cipher::decrypt(&user, &stream)) else {
            return Ok(State::Encrypted(Scheme::Office));
        };
        (stream, state) = (clear, State::Readable(Scheme::Office));
    }
    let mut atoms = Vec::new();
    records(&stream, 0, &mut atoms)?;
    if state == State::Plain && atoms.iter().any(|(kind, _)| *kind == ENCRYPTION) {
        return Ok(State::Encrypted(Scheme::Office));
    }
    for (kind, content) in atoms {
        let text = match kind {
            TEXT_CHARACTERS | STRING => utf16(content),
            TEXT_OCTETS => content.iter().map(|octet| char::from(*octet)).collect(),
            _ => continue,
        };
        document.text(&text.replace(['\r', '\u{b}'], "\n"))?;
        document.text("\n")?;
    }
    Ok(state)
}

/// The atoms with text, in their order (§2.3.1): a record whose version is 15 contains records.
fn records<'a>(bytes: &'a [u8], depth: usize, atoms: &mut Vec<(u16, &'a [u8])>) -> Result<(), Reason> {
    if depth > limits::DOCUMENT_DEPTH {
        return Err(Reason::Limit);
    }
    let mut at = 0;
    while at + 8 <= bytes.len() {
        let (version, kind, length) = u16_at(bytes, at)
            .zip(u16_at(bytes, at + 2))
            .zip(size_at(bytes, at + 4))
            .map(|((v, k), l)| (v, k, l))
            .ok_or(Reason::Damaged)?;
        let content = slice(bytes, at + 8, length).ok_or(Reason::Damaged)?;
        if kind == ENCRYPTION || matches!(kind, TEXT_CHARACTERS | TEXT_OCTETS | STRING) {
            atoms.push((kind, content));
        } else if version & 0xF == 0xF {
            records(content, depth + 1, atoms)?;
        }
        at += 8 + length;
    }
    Ok(())
}

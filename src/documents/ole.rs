//! What is kept in compound files: old Office documents, Outlook messages, encrypted new documents, and files that were
//! put into a document.

#![deny(clippy::disallowed_methods)]

use std::collections::HashSet;

use super::compound::Compound;
use super::document::{Document, Outcome};
use super::kind::Kind;
use super::places::{size_at, slice};
use super::{Reason, Scheme, State, excel, outlook, powerpoint, properties, protected, strings, word};
use crate::mime::words;

/// Reads whatever is in a compound file.
pub(super) fn read(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    let Ok(file) = Compound::open(bytes) else {
        strings::runs_of(document, bytes)?;
        return Err(Reason::Damaged);
    };
    match known(document, &file) {
        Some(outcome) if file.is_cut() => outcome.and(Err(Reason::Limit)),
        Some(outcome) => outcome,
        None => strings::read(document, bytes),
    }
}

/// Reads what is in a storage that is a document itself.
fn read_storage(document: &mut Document<'_>, file: &Compound<'_>) -> Outcome {
    known(document, file).unwrap_or(Err(Reason::Format))
}

/// What it is says the name of its stream.
fn known(document: &mut Document<'_>, file: &Compound<'_>) -> Option<Outcome> {
    let has = |name| file.has(name);
    let name =
        |path: &str| path.rsplit('/').next().is_some_and(|name| matches!(name, "VBA" | "_VBA_PROJECT_CUR"));
    if file.paths().any(name) {
        document.macros();
    }
    Some(match () {
        () if has("EncryptedPackage") && has("EncryptionInfo") => protected::read(document, file),
        () if has("EncryptedPackage") || has("\u{9}DRMContent") => Ok(State::Encrypted(Scheme::Rights)),
        () if has("__properties_version1.0") => outlook::read(document, file, read_storage),
        () if has("WordDocument") => office(document, file, word::read),
        () if has("Workbook") || has("Book") => office(document, file, excel::read),
        () if has("PowerPoint Document") => office(document, file, powerpoint::read),
        () if has(NATIVE) => file.stream(NATIVE, document.budget()).and_then(|stream| {
            packaged(document, &stream)?;
            Ok(State::Plain)
        }),
        () if has("Package") => file.stream("Package", document.budget()).and_then(|stream| {
            document.inside("", "", &stream)?;
            Ok(State::Plain)
        }),
        () => return None,
    })
}

/// Reads an Office document: its text, its properties, and the objects inside it.
fn office(
    document: &mut Document<'_>,
    file: &Compound<'_>,
    read: fn(&mut Document<'_>, &Compound<'_>) -> Outcome,
) -> Outcome {
    let state = read(document, file);
    if matches!(state, Ok(State::Encrypted(_))) {
        return state;
    }
    properties::read(document, file)?;
    embedded(document, file)?;
    state
}

/// Objects inside an Office document: each is a storage that is a document itself. One that cannot be had is said to
/// be so, and the others are read.
fn embedded(document: &mut Document<'_>, file: &Compound<'_>) -> Result<(), Reason> {
    const OWN: [&str; 6] = ["WordDocument", "Workbook", "Book", "PowerPoint Document", "Package", NATIVE];
    let split =
        |path: &str| path.rsplit_once('/').map(|(storage, name)| (storage.to_owned(), name.to_owned()));
    let all: Vec<(String, String)> = file.paths().filter_map(split).collect();
    let own = all.iter().filter(|(_, name)| OWN.contains(&&**name)).map(|(storage, _)| &**storage);
    let storages: HashSet<&str> = own.collect();
    // What is inside such a storage is read with it.
    let inner = |storage: &str| {
        storage
            .match_indices('/')
            .any(|(at, _)| storage.get(..at).is_some_and(|outer| storages.contains(outer)))
    };
    let mut read = HashSet::new();
    for (storage, name) in &all {
        if storages.contains(&**storage) {
            if !inner(storage) && read.insert(storage) {
                document.within("", Kind::Compound, |inner| read_storage(inner, &file.below(storage)))?;
            }
        } else if name == "CONTENTS" && !inner(storage) {
            match file.stream(&format!("{storage}/{name}"), document.budget()) {
                Ok(stream) => document.inside("", "", &stream)?,
                Err(reason) => document.unread("", 0, State::Uninspectable(reason))?,
            }
        }
    }
    Ok(())
}

/// A file that was put into a document as an icon (MS-OLEDS §2.3.6): names, then its octets.
fn packaged(document: &mut Document<'_>, stream: &[u8]) -> Result<(), Reason> {
    let read = || {
        let mut at = 6;
        let mut name = String::new();
        for field in 0..2 {
            let rest = stream.get(at..)?;
            let length = rest.iter().position(|octet| *octet == 0)?;
            if field == 0 {
                name = words::text(rest.get(..length)?).into_owned();
            }
            at += length + 1;
        }
        at += 4;
        at += 4 + size_at(stream, at)?;
        let length = size_at(stream, at)?;
        Some((name, slice(stream, at + 4, length)?))
    };
    match read() {
        Some((name, bytes)) => document.inside(&name, "", bytes),
        // What stands there is text for all that is known of it.
        None => document.inside("", "", stream),
    }
}

/// A file that was put into a document.
const NATIVE: &str = "\u{1}Ole10Native";

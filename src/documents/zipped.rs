//! What is zipped: the files of an archive, or the office document that it is.

#![deny(clippy::disallowed_methods)]

use super::document::{Document, Outcome};
use super::kind::Kind;
use super::zip::{Archive, Content};
use super::{Reason, Scheme, State, office};

/// Reads an archive, or the document that it is.
pub(super) fn read(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    archive(document, &Archive::of(bytes))
}

/// Reads the archive behind what no reader reads, such as a picture: programs that unpack it look for its end, and
/// take whatever stands before it for a preface. It is inside the document, under the document's name.
pub(super) fn behind(document: &mut Document<'_>, bytes: &[u8]) -> Result<(), Reason> {
    let Some(found) = Archive::behind(bytes) else { return Ok(()) };
    let name = document.name().to_owned();
    document.within(&name, Kind::Zip, |inner| archive(inner, &found))
}

fn archive(document: &mut Document<'_>, archive: &Archive<'_>) -> Outcome {
    let has = |name: &str| archive.entries.iter().any(|entry| entry.name == name);
    if has("[Content_Types].xml") {
        document.kind(Kind::Ooxml);
        return office::ooxml(document, archive);
    }
    if has("content.xml") || has("META-INF/manifest.xml") && has("mimetype") {
        document.kind(Kind::OpenDocument);
        return office::open_document(document, archive);
    }
    files(document, archive)
}

fn files(document: &mut Document<'_>, archive: &Archive<'_>) -> Outcome {
    for comment in &archive.comments {
        document.text(comment)?;
        document.text("\n")?;
    }
    let (mut plain, mut encrypted, mut limit) = (false, None, false);
    for entry in &archive.entries {
        if entry.name.ends_with('/') && entry.packed.is_empty() {
            document.text(&entry.name)?;
            document.text("\n")?;
            continue;
        }
        match entry.content(document.budget()) {
            Content::All(content) => {
                plain = true;
                document.inside(&entry.name, "", &content)?;
            }
            Content::Some(content, reason) => {
                plain = true;
                limit |= reason == Reason::Limit;
                document.inside_partly(&entry.name, &content, reason)?;
            }
            Content::Encrypted(scheme) => {
                encrypted = Some(scheme);
                document.unread(&entry.name, entry.size, State::Encrypted(scheme))?;
            }
            Content::Packed => {
                plain = true;
                document.unread(&entry.name, entry.size, State::Uninspectable(Reason::Format))?;
            }
        }
    }
    match (encrypted, plain) {
        _ if limit => Err(Reason::Limit),
        _ if archive.masked => Ok(State::Encrypted(Scheme::Zip)),
        (Some(scheme), false) => Ok(State::Encrypted(scheme)),
        _ if archive.is_damaged() => Err(Reason::Damaged),
        _ => Ok(State::Plain),
    }
}

//! Office documents that are archives: Word, Excel, `PowerPoint` and `LibreOffice`. Every part that holds text is read;
//! what is embedded is a document of its own.

#![deny(clippy::disallowed_methods)]

mod formats;
mod sheet;

use std::borrow::Cow;

use super::document::{Document, Outcome};
use super::kind::Kind;
use super::zip::{Archive, Content, Entry};
use super::{Reason, Scheme, State, strings, xml};
use crate::mime::words;
use formats::Formats;
use sheet::Shared;

/// Parts of Office Open XML that hold no text, and would look as if nobody could read them.
const NO_TEXT: &[&str] =
    &["printerSettings", "theme/", "customProperty", "activeX", "thumbnail", "fonts/", "ctrlProps"];

/// Reads Word, Excel and `PowerPoint`.
pub(super) fn ooxml(document: &mut Document<'_>, archive: &Archive<'_>) -> Outcome {
    let mut reading = Reading { fault: None };
    let mut shared = Shared::default();
    let mut formats = Formats::default();
    // Cells name their strings and formats by number, so these come first.
    for entry in &archive.entries {
        if entry.name.ends_with("sharedStrings.xml") {
            shared = Shared::read(&reading.content(document, entry)?.unwrap_or_default());
        } else if entry.name.ends_with("xl/styles.xml") {
            formats = Formats::read(&reading.content(document, entry)?.unwrap_or_default());
        }
    }
    for entry in &archive.entries {
        let name = &*entry.name;
        if name.ends_with('/') || NO_TEXT.iter().any(|part| name.contains(part)) {
            continue;
        }
        let lower = name.to_ascii_lowercase();
        let is_xml = ends(&lower, &[".xml", ".rels", ".vml"]);
        if lower.contains("worksheets/sheet") && is_xml && !ends(&lower, &[".rels"]) {
            let Some(content) = reading.content(document, entry)? else { continue };
            document.text(&sheet::text(&content, &shared, &formats))?;
        } else if is_xml && !lower.ends_with("styles.xml") && name != "[Content_Types].xml" {
            let Some(content) = reading.content(document, entry)? else { continue };
            document.text(&part(&lower, &content))?;
        } else if !is_xml {
            reading.other(document, entry, &lower)?;
        }
    }
    // Strings that no cell of a known kind names are text all the same.
    document.text(&shared.unused())?;
    reading.outcome(archive)
}

/// Reads `LibreOffice`'s documents.
pub(super) fn open_document(document: &mut Document<'_>, archive: &Archive<'_>) -> Outcome {
    let mut reading = Reading { fault: None };
    let encrypted = is_encrypted(document, archive, &mut reading)?;
    for entry in &archive.entries {
        let name = &*entry.name;
        let skipped =
            ["META-INF/", "Configurations2/", "Thumbnails/", "settings.xml", "mimetype", "layout-cache"];
        if name.ends_with('/') || skipped.iter().any(|part| name.starts_with(part)) {
            continue;
        }
        let module = name.starts_with("Basic/") && !name.contains("script-l");
        if module || name.starts_with("Scripts/") {
            document.macros();
        }
        if encrypted {
            continue;
        }
        if ends(name, &[".xml"]) {
            let Some(content) = reading.content(document, entry)? else { continue };
            let text = if name.ends_with("meta.xml") { xml::fields(&content) } else { xml::flow(&content) };
            document.text(&text)?;
        } else {
            reading.other(document, entry, &name.to_ascii_lowercase())?;
        }
    }
    if encrypted { Ok(State::Encrypted(Scheme::OpenDocument)) } else { reading.outcome(archive) }
}

/// Whether the manifest says that the content is encrypted: nothing else in the archive does.
fn is_encrypted(
    document: &mut Document<'_>,
    archive: &Archive<'_>,
    reading: &mut Reading,
) -> Result<bool, Reason> {
    let named = |name: &str| archive.entries.iter().find(|entry| entry.name == name);
    if named("encrypted-package").is_some() {
        return Ok(true);
    }
    let Some(manifest) = named("META-INF/manifest.xml") else { return Ok(false) };
    let Some(manifest) = reading.content(document, manifest)? else { return Ok(false) };
    if !words::text(&manifest).contains("encryption-data") {
        return Ok(false);
    }
    // A document that says so and holds XML is not encrypted.
    let readable = match named("content.xml") {
        Some(content) => reading
            .content(document, content)?
            .is_some_and(|content| content.starts_with(b"<") || content.starts_with(b"\xef\xbb\xbf<")),
        None => false,
    };
    Ok(!readable)
}

fn ends(name: &str, endings: &[&str]) -> bool {
    endings.iter().any(|ending| name.ends_with(ending))
}

/// The text of a part: properties and the like are lists of fields, everything else flows.
fn part(name: &str, content: &[u8]) -> String {
    let listed =
        ["docprops/", "customxml/", ".rels", "settings.xml", "fonttable", "tablestyles", "docmetadata"];
    if listed.iter().any(|part| name.contains(part)) { xml::fields(content) } else { xml::flow(content) }
}

/// What went wrong so far; a part that cannot be read does not keep the others from being read.
struct Reading {
    fault: Option<Reason>,
}

impl Reading {
    /// The content of a part, as far as it can be had.
    fn content<'a>(
        &mut self,
        document: &mut Document<'_>,
        entry: &Entry<'a>,
    ) -> Result<Option<Cow<'a, [u8]>>, Reason> {
        match entry.content(document.budget()) {
            Content::All(content) => Ok(Some(content)),
            Content::Some(_, Reason::Limit) => Err(Reason::Limit),
            Content::Some(content, reason) => {
                self.fault = Some(reason);
                Ok(Some(Cow::Owned(content)))
            }
            Content::Encrypted(_) | Content::Packed => {
                self.fault = Some(Reason::Format);
                Ok(None)
            }
        }
    }

    /// A part that is not XML: macros, an embedded document, a picture.
    fn other(&mut self, document: &mut Document<'_>, entry: &Entry<'_>, lower: &str) -> Result<(), Reason> {
        if !Kind::of(&[], lower, "").may_hold_text() {
            return Ok(());
        }
        let Some(content) = self.content(document, entry)? else { return Ok(()) };
        if lower.ends_with("vbaproject.bin") {
            document.macros();
        }
        match Kind::of(&content, lower, "") {
            // The binary form of a workbook, and whatever else is not known.
            Kind::Unknown
                if lower.contains("sheet") || lower.contains("workbook") || lower.contains("strings") =>
            {
                self.fault = Some(Reason::Format);
                strings::runs_of(document, &content)
            }
            Kind::Unknown if !lower.contains("embed") && !lower.contains("object") => {
                strings::runs_of(document, &content)
            }
            kind if kind.may_hold_text() => document.inside(&entry.name, "", &content),
            _ => Ok(()),
        }
    }

    fn outcome(&self, archive: &Archive<'_>) -> Outcome {
        match self.fault {
            Some(reason) => Err(reason),
            None if archive.is_damaged() => Err(Reason::Damaged),
            None => Ok(State::Plain),
        }
    }
}

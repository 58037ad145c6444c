//! Office documents that are archives: Word, Excel, `PowerPoint` and `LibreOffice`. Every part that holds text is read;
//! what is embedded is a document of its own.

#![deny(clippy::disallowed_methods)]

mod binary;
mod sheet;

use std::borrow::Cow;
use std::collections::HashSet;

use super::document::{Document, Outcome};
use super::kind::Kind;
use super::masks::Masks;
use super::zip::{Archive, Content, Entry};
use super::{Input, Reason, Scheme, State, picture, strings, xml};
use crate::mime::words;
use sheet::Shared;

/// Parts of Office Open XML that hold no text, and would look as if nobody could read them.
const NO_TEXT: &[&str] =
    &["printerSettings", "theme/", "customProperty", "activeX", "thumbnail", "fonts/", "ctrlProps"];

/// Reads Word, Excel and `PowerPoint`.
pub(super) fn ooxml(document: &mut Document<'_>, archive: &Archive<'_>) -> Outcome {
    let mut reading = Reading::default();
    reading.find_backgrounds(document, archive);
    let mut shared = Shared::default();
    let mut formats = Masks::default();
    let mut since_1904 = false;
    // Cells name their strings and formats by number, so these come first.
    for entry in &archive.entries {
        if entry.name.ends_with("sharedStrings.xml") {
            shared = Shared::read(&reading.content(document, entry).unwrap_or_default());
        } else if entry.name.ends_with("xl/styles.xml") {
            formats = Masks::read(&reading.content(document, entry).unwrap_or_default());
        } else if entry.name.ends_with("sharedStrings.bin") {
            shared = binary::shared(&reading.content(document, entry).unwrap_or_default());
        } else if entry.name.ends_with("xl/styles.bin") {
            formats = binary::masks(&reading.content(document, entry).unwrap_or_default());
        } else if entry.name.ends_with("xl/workbook.xml") {
            since_1904 = sheet::is_since_1904(&reading.content(document, entry).unwrap_or_default());
        } else if entry.name.ends_with("xl/workbook.bin") {
            since_1904 = binary::is_since_1904(&reading.content(document, entry).unwrap_or_default());
        }
    }
    formats.since_1904 = since_1904;
    for entry in &archive.entries {
        let name = &*entry.name;
        if name.ends_with('/') || NO_TEXT.iter().any(|part| name.contains(part)) {
            continue;
        }
        let lower = name.to_ascii_lowercase();
        let is_xml = ends(&lower, &[".xml", ".rels", ".vml"]);
        if lower.contains("worksheets/sheet") && is_xml && !ends(&lower, &[".rels"]) {
            let Some(content) = reading.content(document, entry) else { continue };
            document.text(&sheet::text(&content, &shared, &formats))?;
        } else if is_xml && !lower.ends_with("styles.xml") && name != "[Content_Types].xml" {
            let Some(content) = reading.content(document, entry) else { continue };
            document.text(&part(&lower, &content))?;
        } else if is_binary_part(&lower) {
            let Some(content) = reading.content(document, entry) else { continue };
            if let Err(reason) = binary::read(document, &content, &shared, &formats) {
                reading.fault = reading.fault.or(Some(reason));
            }
        } else if !is_xml {
            reading.other(document, entry, &lower)?;
        }
    }
    // Strings that no cell of a known kind names are text all the same.
    document.text(&shared.unused())?;
    reading.outcome(archive)
}

/// Whether a part is of a binary workbook. Its strings and styles were read first.
fn is_binary_part(lower: &str) -> bool {
    let read = ["sharedstrings.bin", "styles.bin", "vbaproject.bin"];
    lower.starts_with("xl/")
        && ends(lower, &[".bin"])
        && !lower.contains("embeddings/")
        && !read.iter().any(|name| lower.ends_with(name))
}

/// Reads `LibreOffice`'s documents.
pub(super) fn open_document(document: &mut Document<'_>, archive: &Archive<'_>) -> Outcome {
    let mut reading = Reading::default();
    let encrypted = is_encrypted(document, archive, &mut reading);
    // Which pictures are backgrounds the styles say, wherever these stand.
    let (pictures, others): (Vec<_>, Vec<_>) =
        archive.entries.iter().partition(|entry| entry.name.starts_with("Pictures/"));
    for entry in others.into_iter().chain(pictures) {
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
            let Some(content) = reading.content(document, entry) else { continue };
            if name.ends_with("styles.xml") {
                reading.backgrounds.extend(xml::attribute(&content, "href"));
            }
            let text = if name.ends_with("meta.xml") { xml::fields(&content) } else { xml::flow(&content) };
            document.text(&text)?;
        } else {
            reading.other(document, entry, &name.to_ascii_lowercase())?;
        }
    }
    if encrypted { Ok(State::Encrypted(Scheme::OpenDocument)) } else { reading.outcome(archive) }
}

/// Whether the manifest says that the content is encrypted: nothing else in the archive does.
fn is_encrypted(document: &mut Document<'_>, archive: &Archive<'_>, reading: &mut Reading) -> bool {
    let named = |name: &str| archive.entries.iter().find(|entry| entry.name == name);
    if named("encrypted-package").is_some() {
        return true;
    }
    let manifest = named("META-INF/manifest.xml").and_then(|manifest| reading.content(document, manifest));
    if !manifest.is_some_and(|manifest| words::text(&manifest).contains("encryption-data")) {
        return false;
    }
    // A document that says so and holds XML is not encrypted.
    let content = named("content.xml").and_then(|content| reading.content(document, content));
    !content.is_some_and(|content| content.starts_with(b"<") || content.starts_with(b"\xef\xbb\xbf<"))
}

fn ends(name: &str, endings: &[&str]) -> bool {
    endings.iter().any(|ending| name.ends_with(ending))
}

/// The text of a part: properties and the like are lists of fields, everything else flows.
fn part(name: &str, content: &[u8]) -> String {
    let listed =
        ["docprops/", "customxml/", ".rels", "settings.xml", "fonttable", "tablestyles", "docmetadata"];
    match () {
        // Data of the organisation's own, in whatever form.
        () if name.contains("customxml/item") => xml::values(content),
        () if listed.iter().any(|part| name.contains(part)) => xml::fields(content),
        () => xml::flow(content),
    }
}

/// What went wrong so far; a part that cannot be read does not keep the others from being read.
#[derive(Default)]
struct Reading {
    fault: Option<Reason>,
    /// Pictures that stand behind the text of every page: letterheads, and what slides are drawn on.
    backgrounds: HashSet<String>,
}

impl Reading {
    /// Finds the pictures that headers, footers and the models of slides refer to.
    fn find_backgrounds(&mut self, document: &mut Document<'_>, archive: &Archive<'_>) {
        const MODELS: [&str; 5] =
            ["/_rels/header", "/_rels/footer", "slidemasters/", "slidelayouts/", "notesmasters/"];
        for entry in &archive.entries {
            let lower = entry.name.to_ascii_lowercase();
            if ends(&lower, &[".rels"]) && MODELS.iter().any(|model| lower.contains(model)) {
                let Some(part) = self.content(document, entry) else { continue };
                let targets = xml::attribute(&part, "Target");
                self.backgrounds
                    .extend(targets.iter().map(|target| target.trim_start_matches("../").to_owned()));
            }
        }
    }

    /// The content of a part, as far as it can be had.
    fn content<'a>(&mut self, document: &mut Document<'_>, entry: &Entry<'a>) -> Option<Cow<'a, [u8]>> {
        match entry.content(document.budget()) {
            Content::All(content) => Some(content),
            Content::Some(content, reason) => {
                self.fault = self.fault.or(Some(reason));
                Some(Cow::Owned(content))
            }
            Content::Encrypted(_) | Content::Packed => {
                self.fault = self.fault.or(Some(Reason::Format));
                None
            }
        }
    }

    /// A part that is not XML: macros, an embedded document, a picture.
    fn other(&mut self, document: &mut Document<'_>, entry: &Entry<'_>, lower: &str) -> Result<(), Reason> {
        let called = document.format(&Input { name: lower, media_type: "", bytes: &[] });
        if called.kind == Kind::Image {
            self.picture(document, entry);
            return Ok(());
        }
        if !called.may_hold_text {
            return Ok(());
        }
        let Some(content) = self.content(document, entry) else { return Ok(()) };
        if lower.ends_with("vbaproject.bin") {
            document.macros();
        }
        let format = document.format(&Input { name: lower, media_type: "", bytes: &content });
        match format.kind {
            Kind::Unknown if !lower.contains("embed") && !lower.contains("object") => {
                strings::runs_of(document, &content)
            }
            _ if format.may_hold_text => document.inside(&entry.name, "", &content),
            _ => Ok(()),
        }
    }

    /// A picture that is a page of text hides it, unless it is what every page has behind its text.
    fn picture(&mut self, document: &mut Document<'_>, entry: &Entry<'_>) {
        let is_background = |name: &String| !name.is_empty() && entry.name.ends_with(&**name);
        if self.backgrounds.iter().any(is_background) {
            return;
        }
        if let Some(content) = self.content(document, entry)
            && picture::is_page(&content)
        {
            self.fault = self.fault.or(Some(Reason::ImageOnly));
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

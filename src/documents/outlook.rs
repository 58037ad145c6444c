//! Outlook messages (MS-OXMSG): subject, people, the text in each of its forms, attachments, and messages inside.

#![deny(clippy::disallowed_methods)]

use super::compound::{self, Compound};
use super::document::{Document, Outcome};
use super::kind::Kind;
use super::places::utf16;
use super::tnef::lzfu;
use super::{Reason, State};
use crate::mime::words;

/// Properties that people read, in the order in which they do (MS-OXPROPS).
const TEXTS: [&str; 9] = ["0037", "0C1A", "5D01", "0E04", "0E03", "0E02", "1000", "0E1D", "007D"];
const RTF: &str = "10090102";
const HTML: &str = "10130102";
/// What attachments have: their names, best first, and their content.
const NAMES: [&str; 3] = ["3707", "3704", "3001"];
const CONTENT: &str = "37010102";
const MESSAGE: &str = "3701000D";

/// Reads the message in this storage.
pub(super) fn read(document: &mut Document<'_>, file: &Compound<'_>) -> Outcome {
    document.kind(Kind::Message);
    for property in TEXTS {
        if let Some(text) = text(document, file, property)? {
            document.text(&text)?;
            document.text("\n")?;
        }
    }
    let mut state = State::Plain;
    if let Some(html) = binary(document, file, HTML)? {
        document.inside("", "text/html", &html)?;
    }
    if let Some(rtf) = binary(document, file, RTF)? {
        match lzfu::unpack(&rtf) {
            Some(rtf) => document.inside("", "text/rtf", &rtf)?,
            None => state = State::Uninspectable(Reason::Damaged),
        }
    }
    for recipient in storages(file, "__recip_version1.0_") {
        for property in ["3001", "39FE", "3003"] {
            if let Some(text) = text(document, &recipient, property)? {
                document.text(&text)?;
                document.text("\n")?;
            }
        }
    }
    for attachment in storages(file, "__attach_version1.0_") {
        attached(document, &attachment)?;
    }
    Ok(state)
}

/// The storages whose names begin so, each as a file of its own.
fn storages<'a>(file: &Compound<'a>, prefix: &str) -> Vec<Compound<'a>> {
    let direct = file.entries().iter().filter(|entry| !entry.path.contains('/'));
    direct.filter(|entry| entry.path.starts_with(prefix)).map(|entry| file.below(&entry.path)).collect()
}

fn attached(document: &mut Document<'_>, attachment: &Compound<'_>) -> Result<(), Reason> {
    let mut name = String::new();
    for property in NAMES {
        if name.is_empty() {
            name = text(document, attachment, property)?.unwrap_or_default();
        }
    }
    let message = stream_name(MESSAGE);
    if attachment.find(&message).is_some() {
        let inner = attachment.below(&message);
        return if inner.find("__properties_version1.0").is_some() {
            document.within(&name, Kind::Message, |document| read(document, &inner))
        } else {
            // An object that a program put there, such as a table.
            document.within(&name, Kind::Compound, |document| compound::read_storage(document, &inner))
        };
    }
    match binary(document, attachment, CONTENT)? {
        Some(content) => document.inside(&name, "", &content),
        // A link to a file elsewhere.
        None => document.unread(&name, 0, State::Plain),
    }
}

fn stream_name(property: &str) -> String {
    format!("__substg1.0_{property}")
}

/// A property that is text: UTF-16, or octets as old programs write them.
fn text(document: &mut Document<'_>, file: &Compound<'_>, property: &str) -> Result<Option<String>, Reason> {
    if let Some(wide) = binary(document, file, &format!("{property}001F"))? {
        return Ok(Some(utf16(&wide)));
    }
    let narrow = binary(document, file, &format!("{property}001E"))?;
    Ok(narrow.map(|octets| words::text(&octets).into_owned()))
}

fn binary(
    document: &mut Document<'_>,
    file: &Compound<'_>,
    property: &str,
) -> Result<Option<Vec<u8>>, Reason> {
    let name = stream_name(property);
    file.find(&name).map(|_| file.stream(&name, document.budget())).transpose()
}

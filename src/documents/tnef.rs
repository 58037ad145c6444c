//! TNEF, Outlook's `winmail.dat` (MS-OXTNEF): the text of the message in each of its forms, and its attachments.

#![deny(clippy::disallowed_methods)]

pub(super) mod lzfu;
mod properties;

use super::document::{Document, Outcome};
use super::octets::Octets;
use super::{Reason, State};
use crate::mime::words;
use properties::{Property, Value};

/// The attributes that are read (MS-OXTNEF 2.1.3.3).
const SUBJECT: u32 = 0x0001_8004;
const BODY: u32 = 0x0002_800c;
const MESSAGE_PROPERTIES: u32 = 0x0006_9003;
const NEXT_ATTACHMENT: u32 = 0x0006_9002;
const ATTACHMENT_TITLE: u32 = 0x0001_8010;
const ATTACHMENT_CONTENT: u32 = 0x0006_800f;
const ATTACHMENT_PROPERTIES: u32 = 0x0006_9005;

/// The properties that are more than text (MS-OXPROPS).
const RTF: u16 = 0x1009;
const HTML: u16 = 0x1013;
const CONTENT: u16 = 0x3701;
const LONG_NAME: u16 = 0x3707;
const NAME: u16 = 0x3704;

/// An attachment, while its attributes come.
#[derive(Default)]
struct Attachment<'a> {
    title: String,
    long_name: String,
    content: Option<&'a [u8]>,
}

/// Reads the text and the attachments.
pub(super) fn read(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    let mut octets = Octets::new(bytes);
    octets.take(6).ok_or(Reason::Damaged)?;
    let mut attachment: Option<Attachment<'_>> = None;
    let mut whole = true;
    while !octets.rest.is_empty() {
        let Some((id, content)) = attribute(&mut octets) else {
            whole = false;
            break;
        };
        let title = || words::text(content.strip_suffix(b"\0").unwrap_or(content)).into_owned();
        match (id, &mut attachment) {
            (SUBJECT | BODY, _) => line(document, &title())?,
            (MESSAGE_PROPERTIES, _) => whole &= message(document, content)?,
            (NEXT_ATTACHMENT, _) => finish(document, attachment.replace(Attachment::default()))?,
            (ATTACHMENT_TITLE, Some(attachment)) => attachment.title = title(),
            (ATTACHMENT_CONTENT, Some(attachment)) => attachment.content = Some(content),
            (ATTACHMENT_PROPERTIES, Some(attachment)) => whole &= attached(document, content, attachment)?,
            _ => {}
        }
    }
    finish(document, attachment)?;
    if whole { Ok(State::Plain) } else { Err(Reason::Damaged) }
}

/// An attribute: its level, its number, its content, and a checksum.
fn attribute<'a>(octets: &mut Octets<'a>) -> Option<(u32, &'a [u8])> {
    octets.u8()?;
    let id = octets.u32()?;
    let length = octets.length()?;
    let content = octets.take(length)?;
    octets.u16()?;
    Some((id, content))
}

fn line(document: &mut Document<'_>, text: &str) -> Result<(), Reason> {
    if text.trim_ascii().is_empty() {
        return Ok(());
    }
    document.text(text)?;
    document.text("\n")
}

/// The properties of the message; says whether they were whole.
fn message(document: &mut Document<'_>, content: &[u8]) -> Result<bool, Reason> {
    let (properties, whole) = properties::read(content);
    for Property { id, value } in properties {
        match (id, value) {
            (RTF, Value::Octets(packed)) => match lzfu::unpack(packed) {
                Some(rtf) => {
                    document.budget().spend(rtf.len())?;
                    document.inside("body.rtf", "", &rtf)?;
                }
                None => document.unread("body.rtf", 0, State::Uninspectable(Reason::Damaged))?,
            },
            (HTML, Value::Octets(html)) => document.inside("body.html", "text/html", html)?,
            (_, Value::Text(text)) => line(document, &text)?,
            (_, Value::Octets(_)) => {}
        }
    }
    Ok(whole)
}

/// The properties of an attachment; says whether they were whole.
fn attached<'a>(
    document: &mut Document<'_>,
    content: &'a [u8],
    attachment: &mut Attachment<'a>,
) -> Result<bool, Reason> {
    let (properties, whole) = properties::read(content);
    for Property { id, value } in properties {
        match (id, value) {
            (LONG_NAME, Value::Text(name)) => attachment.long_name = name,
            (NAME, Value::Text(name)) if attachment.title.is_empty() => attachment.title = name,
            // An object begins with the number of its interface; a message inside is TNEF again.
            (CONTENT, Value::Octets(content)) => {
                let inside = content.get(16..).filter(|inside| inside.starts_with(b"\x78\x9f\x3e\x22"));
                attachment.content = inside.or(attachment.content).or(Some(content));
            }
            (_, Value::Text(text)) => line(document, &text)?,
            (_, Value::Octets(_)) => {}
        }
    }
    Ok(whole)
}

fn finish(document: &mut Document<'_>, attachment: Option<Attachment<'_>>) -> Result<(), Reason> {
    let Some(attachment) = attachment else { return Ok(()) };
    let name = if attachment.long_name.is_empty() { &attachment.title } else { &attachment.long_name };
    match attachment.content {
        Some(content) => document.inside(name, "", content),
        None if name.is_empty() => Ok(()),
        None => document.unread(name, 0, State::Plain),
    }
}

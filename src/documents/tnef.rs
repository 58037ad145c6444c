//! TNEF, Outlook's `winmail.dat` (MS-OXTNEF): the text of the message in each of its forms, and its attachments.

#![deny(clippy::disallowed_methods)]

pub(super) mod lzfu;
mod properties;

use super::document::{Document, Outcome};
use super::octets::Octets;
use super::{Reason, State};
use crate::mime::part::Names;
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
const ATTACHMENT_TRANSPORT_NAME: u32 = 0x0006_9001;
const CODEPAGE: u32 = 0x0006_9007;

/// The properties that are more than text (MS-OXPROPS).
const RTF: u16 = 0x1009;
const HTML: u16 = 0x1013;
const CONTENT: u16 = 0x3701;
/// Those that name an attachment, the one that Outlook shows first: its long and short name, its paths, what it is shown
/// as, and what it was called on the way.
const NAMES: [u16; 6] = [0x3707, 0x3704, 0x370d, 0x3708, 0x3001, 0x370c];

/// An attachment, while its attributes come.
#[derive(Default)]
struct Attachment<'a> {
    title: String,
    transport_name: String,
    /// In the order of [`NAMES`].
    named: [String; NAMES.len()],
    content: Option<&'a [u8]>,
}

impl Attachment<'_> {
    /// Every name that it is given.
    fn names(self) -> Names {
        let [long_name, rest @ ..] = self.named;
        let mut names: Vec<String> = Vec::new();
        for name in [long_name, self.title].into_iter().chain(rest).chain([self.transport_name]) {
            if !name.trim_ascii().is_empty() && !names.contains(&name) {
                names.push(name);
            }
        }
        let mut names = names.into_iter();
        Names { shown: names.next().unwrap_or_default(), others: names.collect() }
    }
}

/// How text is written that says no more than that it has eight bits.
#[derive(Clone, Copy)]
struct Codepage(Option<u16>);

impl Codepage {
    /// What the attributes say of it, wherever among them.
    fn declared(mut octets: Octets<'_>) -> Self {
        while let Some((id, content)) = attribute(&mut octets) {
            if let (CODEPAGE, Some(page)) = (id, content.first_chunk()) {
                return Self(u16::try_from(u32::from_le_bytes(*page)).ok());
            }
        }
        Self(None)
    }

    fn text(self, octets: &[u8]) -> String {
        match self.0 {
            Some(page) => words::in_codepage(page, octets),
            None => words::text(octets).into_owned(),
        }
    }
}

/// A string ends at its first NUL.
fn ended(text: &str) -> String {
    text.split('\0').next().unwrap_or_default().to_owned()
}

/// Reads the text and the attachments.
pub(super) fn read(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    let mut octets = Octets::new(bytes);
    octets.take(6).ok_or(Reason::Damaged)?;
    let codepage = Codepage::declared(Octets::new(octets.rest));
    let mut attachment: Option<Attachment<'_>> = None;
    let mut whole = true;
    while !octets.rest.is_empty() {
        let Some((id, content)) = attribute(&mut octets) else {
            whole = false;
            break;
        };
        let text = || codepage.text(content.strip_suffix(b"\0").unwrap_or(content));
        match (id, &mut attachment) {
            (SUBJECT | BODY, _) => line(document, &text())?,
            (MESSAGE_PROPERTIES, _) => whole &= message(document, content, codepage)?,
            (NEXT_ATTACHMENT, _) => finish(document, attachment.replace(Attachment::default()))?,
            (ATTACHMENT_TITLE, Some(attachment)) => attachment.title = ended(&text()),
            (ATTACHMENT_TRANSPORT_NAME, Some(attachment)) => attachment.transport_name = ended(&text()),
            (ATTACHMENT_CONTENT, Some(attachment)) => attachment.content = Some(content),
            (ATTACHMENT_PROPERTIES, Some(attachment)) => {
                whole &= attached(document, content, codepage, attachment)?;
            }
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
fn message(document: &mut Document<'_>, content: &[u8], codepage: Codepage) -> Result<bool, Reason> {
    let (properties, whole) = properties::read(content, codepage);
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
    codepage: Codepage,
    attachment: &mut Attachment<'a>,
) -> Result<bool, Reason> {
    let (properties, whole) = properties::read(content, codepage);
    for Property { id, value } in properties {
        let place = NAMES.iter().position(|name| *name == id);
        let named = place.and_then(|place| attachment.named.get_mut(place));
        match (id, value) {
            (_, Value::Text(text)) => match named {
                Some(named) => *named = ended(&text),
                None => line(document, &text)?,
            },
            // An object begins with the number of its interface; a message inside is TNEF again.
            (CONTENT, Value::Octets(content)) => {
                let inside = content.get(16..).filter(|inside| inside.starts_with(b"\x78\x9f\x3e\x22"));
                attachment.content = inside.or(attachment.content).or(Some(content));
            }
            (_, Value::Octets(_)) => {}
        }
    }
    Ok(whole)
}

fn finish(document: &mut Document<'_>, attachment: Option<Attachment<'_>>) -> Result<(), Reason> {
    let Some(attachment) = attachment else { return Ok(()) };
    let content = attachment.content;
    let names = attachment.names();
    match content {
        Some(content) => document.inside(&names, "", content),
        None if names.shown.is_empty() => Ok(()),
        None => document.unread(&names, 0, State::Plain),
    }
}

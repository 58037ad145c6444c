//! Outlook messages (MS-OXMSG): subject, people, the text in each of its forms, attachments, and messages inside.

#![deny(clippy::disallowed_methods)]

use super::compound::Compound;
use super::document::{Document, Outcome};
use super::kind::Kind;
use super::places::{u32_at, utf16};
use super::tnef::lzfu;
use super::{Reason, State};
use crate::markup;
use crate::mime::words;

/// Properties that people read, in the order in which they do (MS-OXPROPS).
const TEXTS: [&str; 9] = ["0037", "0C1A", "5D01", "0E04", "0E03", "0E02", "1000", "0E1D", "007D"];
const RTF: &str = "10090102";
const HTML: &str = "1013";
/// What attachments have: their names, best first, and their content.
const NAMES: [&str; 3] = ["3707", "3704", "3001"];
const CONTENT: &str = "37010102";
const MESSAGE: &str = "3701000D";

/// What reads a storage that holds no message.
type Object = fn(&mut Document<'_>, &Compound<'_>) -> Outcome;

/// Reads the message in this storage; the objects that programs put into it are read by that. A property that cannot
/// be had is said to be so, and the others are read.
pub(super) fn read(document: &mut Document<'_>, file: &Compound<'_>, object: Object) -> Outcome {
    document.kind(Kind::Message);
    let mut message = Message { page: code_page(document, file), whole: Ok(()), object };
    message.texts(document, file, &TEXTS)?;
    if let Some(html) = message.text(document, file, HTML)? {
        document.inside("", "text/html", html.as_bytes())?;
    }
    if let Some(html) = message.binary(document, file, &format!("{HTML}0102"))? {
        // What it says of itself holds before what the message says of all its text.
        let said = std::str::from_utf8(&html).is_ok() || markup::charset(&html).is_some();
        match message.page {
            Some(page) if !said => {
                document.inside("", "text/html", words::in_codepage(page, &html).as_bytes())?;
            }
            _ => document.inside("", "text/html", &html)?,
        }
    }
    if let Some(rtf) = message.binary(document, file, RTF)? {
        match lzfu::unpack(&rtf) {
            Some(rtf) => document.inside("", "text/rtf", &rtf)?,
            None => message.whole = Err(Reason::Damaged),
        }
    }
    for recipient in storages(file, "__recip_version1.0_") {
        message.texts(document, &recipient, &["3001", "39FE", "3003"])?;
    }
    for attachment in storages(file, "__attach_version1.0_") {
        message.attached(document, &attachment)?;
    }
    message.whole.map(|()| State::Plain)
}

/// A message while it is read.
struct Message {
    /// The code page of text that is not in Unicode.
    page: Option<u16>,
    /// What could not be had.
    whole: Result<(), Reason>,
    object: Object,
}

/// The code page of a message: that of its text, else that of its page (MS-OXCMSG §2.2.1.5 and §2.2.1.6). Properties
/// of fixed length stand in one stream, behind a head whose length depends on where the message is.
fn code_page(document: &mut Document<'_>, file: &Compound<'_>) -> Option<u16> {
    const PAGES: [u32; 2] = [0x3FFD_0003, 0x3FDE_0003];
    let (stream, _) = file.stream_partly("__properties_version1.0", document.budget()).ok()?;
    PAGES.iter().find_map(|wanted| {
        let entries = stream.as_chunks::<8>().0.windows(2);
        let found =
            entries.filter_map(|pair| pair.split_first()).find(|(tag, _)| u32_at(*tag, 0) == Some(*wanted));
        let page = u16::try_from(u32_at(found?.1.first()?, 0)?).ok()?;
        // Unicode says nothing of octets.
        (page != 0 && page != 1200).then_some(page)
    })
}

/// The storages whose names begin so, each as a file of its own.
fn storages<'a>(file: &Compound<'a>, prefix: &str) -> Vec<Compound<'a>> {
    let direct = file.paths().filter(|path| !path.contains('/'));
    direct.filter(|path| path.starts_with(prefix)).map(|path| file.below(path)).collect()
}

fn stream_name(property: &str) -> String {
    format!("__substg1.0_{property}")
}

impl Message {
    /// Adds properties that are text, each as a line.
    fn texts(
        &mut self,
        document: &mut Document<'_>,
        file: &Compound<'_>,
        properties: &[&str],
    ) -> Result<(), Reason> {
        for property in properties {
            if let Some(text) = self.text(document, file, property)? {
                document.text(&text)?;
                document.text("\n")?;
            }
        }
        Ok(())
    }

    fn attached(&mut self, document: &mut Document<'_>, attachment: &Compound<'_>) -> Result<(), Reason> {
        let mut name = String::new();
        for property in NAMES {
            if name.is_empty() {
                name = self.text(document, attachment, property)?.unwrap_or_default();
            }
        }
        let message = stream_name(MESSAGE);
        if attachment.has(&message) {
            let inner = attachment.below(&message);
            return if inner.has("__properties_version1.0") {
                document.within(&name, Kind::Message, |document| read(document, &inner, self.object))
            } else {
                // An object that a program put there, such as a table.
                document.within(&name, Kind::Compound, |document| (self.object)(document, &inner))
            };
        }
        match self.binary(document, attachment, CONTENT)? {
            Some(content) => document.inside(&name, "", &content),
            None if attachment.has(&stream_name(CONTENT)) => {
                document.unread(&name, 0, State::Uninspectable(Reason::Damaged))
            }
            // A link to a file elsewhere.
            None => document.unread(&name, 0, State::Plain),
        }
    }

    /// A property that is text: UTF-16, or octets as old programs write them.
    fn text(
        &mut self,
        document: &mut Document<'_>,
        file: &Compound<'_>,
        property: &str,
    ) -> Result<Option<String>, Reason> {
        if let Some(wide) = self.binary(document, file, &format!("{property}001F"))? {
            return Ok(Some(utf16(&wide)));
        }
        let narrow = self.binary(document, file, &format!("{property}001E"))?;
        Ok(narrow.map(|octets| match self.page {
            Some(page) if std::str::from_utf8(&octets).is_err() => words::in_codepage(page, &octets),
            _ => words::text(&octets).into_owned(),
        }))
    }

    /// The octets of a property; of one that is cut, what there is of it.
    fn binary(
        &mut self,
        document: &mut Document<'_>,
        file: &Compound<'_>,
        property: &str,
    ) -> Result<Option<Vec<u8>>, Reason> {
        let name = stream_name(property);
        if !file.has(&name) {
            return Ok(None);
        }
        match file.stream_partly(&name, document.budget()) {
            Ok((octets, whole)) => {
                self.whole = self.whole.and(whole);
                Ok(Some(octets))
            }
            Err(Reason::Limit) => Err(Reason::Limit),
            Err(reason) => {
                self.whole = self.whole.and(Err(reason));
                Ok(None)
            }
        }
    }
}

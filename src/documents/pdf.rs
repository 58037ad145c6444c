//! PDF (ISO 32000-2): the text of its pages, forms, notes and properties, and the files inside it.

#![deny(clippy::disallowed_methods)]

mod cmap;
mod content;
mod cover;
mod encoding;
mod file;
mod font;
mod geometry;
mod object;
mod page;
mod path;
mod program;
mod shown;

use super::document::{Document, Outcome};
use super::xml::{self, Elements};
use super::{Reason, Scheme, State};
use crate::limits;
use file::Closed;
use file::File;
use geometry::IDENTITY;
use object::{Dictionary, Object};
use shown::Shown;

/// Reads a PDF.
pub(super) fn read(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    let mut file = File::read(bytes)?;
    let encrypted = file.is_encrypted();
    if encrypted {
        match file.unlock() {
            Ok(()) => {}
            Err(Closed::Locked) => return Ok(State::Encrypted(Scheme::Pdf)),
            Err(Closed::Unknown) => return Err(Reason::Damaged),
        }
    }
    let mut trouble = file.unpack_objects(document.budget()).err();
    trouble = trouble.or(file.cut.then_some(Reason::Limit));
    let pages = page::all(&file);
    if pages.is_empty() {
        trouble = trouble.or(Some(Reason::Damaged));
    }
    let mut shown = Shown::new();
    for page in pages.iter().take(limits::PDF_PAGES) {
        let result = page.show(&file, &mut shown, document);
        trouble = trouble.or(result.err());
        document.text(&std::mem::take(&mut shown.text))?;
    }
    if pages.len() > limits::PDF_PAGES {
        trouble = trouble.or(Some(Reason::Limit));
    }
    read_beside(&file, &mut shown, document)?;
    document.text(&std::mem::take(&mut shown.text))?;
    let unknown = (!shown.guesses_hold()).then_some(Reason::Format);
    let trouble = trouble.or(shown.trouble).or(unknown);
    match trouble {
        Some(reason) => Err(reason),
        None if encrypted => Ok(State::Readable(Scheme::Pdf)),
        None => Ok(State::Plain),
    }
}

/// What stands beside the pages: properties, outlines, notes, the values and appearances of forms, and files.
fn read_beside(file: &File<'_>, shown: &mut Shown, document: &mut Document<'_>) -> Result<(), Reason> {
    let mut files = Vec::new();
    for number in file.numbers() {
        let Some(object) = file.object(number) else { continue };
        let mut text = String::new();
        collect(file, number, object, 0, &mut text);
        document.text(&text)?;
        let Some(dictionary) = object.dictionary() else { continue };
        // Marked content may have properties of that type, which are no stream.
        if dictionary.is("Type", "Metadata") && matches!(object, Object::Stream(..)) {
            read_xml(file, &[number], shown, document)?;
        }
        if let Some(appearance) = file.inner(dictionary, "AP") {
            for state in appearances(file, appearance) {
                content::form(shown, file, state, &IDENTITY, document.budget());
                let read = shown.end_part();
                shown.trouble = shown.trouble.or(read.err());
            }
        }
        if dictionary.get("EF").is_some() {
            files.push((number, dictionary));
        }
    }
    read_dynamic_form(file, shown, document)?;
    for (number, specification) in files {
        read_file(file, number, specification, document)?;
    }
    Ok(())
}

/// Keys whose strings people see.
const TEXT_KEYS: [&[u8]; 14] = [
    b"Contents",
    b"V",
    b"DV",
    b"T",
    b"TU",
    b"RC",
    b"Title",
    b"Author",
    b"Subject",
    b"Keywords",
    b"Alt",
    b"ActualText",
    b"E",
    b"Desc",
];

/// The strings under these keys, however deep they stand in the object.
fn collect(file: &File<'_>, number: u32, object: &Object, depth: usize, text: &mut String) {
    if depth > limits::PDF_DEPTH {
        return;
    }
    if let Object::Array(items) = object {
        for item in items {
            collect(file, number, item, depth + 1, text);
        }
    }
    let Some(dictionary) = object.dictionary() else { return };
    let mut keys: Vec<_> = dictionary.0.iter().collect();
    keys.sort_unstable_by_key(|(key, _)| *key);
    for (key, value) in keys {
        if TEXT_KEYS.contains(&&**key) {
            for string in value.items().iter().filter_map(Object::string) {
                text.push_str(&encoding::text(&file.string(number, string)));
                text.push('\n');
            }
        }
        collect(file, number, value, depth + 1, text);
    }
}

/// The normal appearance of an annotation: a stream, or one for each of its states (§12.5.5).
fn appearances(file: &File<'_>, appearance: &Dictionary) -> Vec<u32> {
    let number = |object: &Object| match object {
        Object::Reference(number) if matches!(file.object(*number), Some(Object::Stream(..))) => {
            Some(*number)
        }
        _ => None,
    };
    let Some(normal) = appearance.get("N") else { return Vec::new() };
    match (number(normal), file.resolve(normal)) {
        (Some(number), _) => vec![number],
        (None, Some(Object::Dictionary(states))) => states.0.values().filter_map(number).collect(),
        _ => Vec::new(),
    }
}

/// XFA: a form in XML (ISO 32000-1 §12.7.8), as a stream or as pairs of a name and a stream.
fn read_dynamic_form(file: &File<'_>, shown: &mut Shown, document: &mut Document<'_>) -> Result<(), Reason> {
    let form = file.inner(&file.trailer, "Root").and_then(|root| file.inner(root, "AcroForm"));
    let Some(parts) = form.and_then(|form| form.get("XFA")) else { return Ok(()) };
    let parts = match (parts, file.resolve(parts)) {
        (_, Some(Object::Array(parts))) => parts.as_slice(),
        (parts, _) => std::slice::from_ref(parts),
    };
    let stream = |part: &Object| match (part, file.resolve(part)) {
        // A name of a part; and a form that was taken out.
        (_, Some(Object::String(_) | Object::Null)) => None,
        (Object::Reference(number), _) => Some(*number),
        _ => None,
    };
    let streams: Vec<u32> = parts.iter().filter_map(stream).collect();
    read_xml(file, &streams, shown, document)
}

/// One document of XML, in one stream or in several. What there is of it is read; that it is not all is said.
///
/// Filters give what came out before a fault, and so an element that never ends tells that the rest is missing. What
/// stands behind the last element does not matter: packets of XMP end in blanks, and often without their end.
fn read_xml(
    file: &File<'_>,
    streams: &[u32],
    shown: &mut Shown,
    document: &mut Document<'_>,
) -> Result<(), Reason> {
    let mut elements = Elements::default();
    let mut trouble = None;
    for number in streams {
        match file.data(*number, document.budget()) {
            Ok(data) => {
                elements.follow(&data);
                document.text(&xml::fields(&data))?;
            }
            Err(reason) => trouble = trouble.or(Some(reason)),
        }
    }
    let cut = (!elements.are_whole()).then_some(Reason::Damaged);
    shown.trouble = shown.trouble.or(trouble).or(cut);
    Ok(())
}

/// An embedded file (§7.11.4).
fn read_file(
    file: &File<'_>,
    number: u32,
    specification: &Dictionary,
    document: &mut Document<'_>,
) -> Result<(), Reason> {
    let name = file.get(specification, "UF").or_else(|| file.get(specification, "F"));
    let name = name.and_then(Object::string).map(|name| encoding::text(&file.string(number, name)));
    let name = name.unwrap_or_default();
    let streams = file.inner(specification, "EF");
    let stream = streams.and_then(|streams| streams.get("UF").or_else(|| streams.get("F")));
    let Some(Object::Reference(stream)) = stream else {
        return document.unread(&name, 0, State::Uninspectable(Reason::Damaged));
    };
    match file.embedded(*stream, document.budget()) {
        Ok(data) => document.inside(&name, "", &data),
        // The filters of images apart, only what stays encrypted is of no format.
        Err(Reason::Format) if file.is_locked() => document.unread(&name, 0, State::Encrypted(Scheme::Pdf)),
        Err(reason) => document.unread(&name, 0, State::Uninspectable(reason)),
    }
}

//! Documents: what is written in an attachment, and whether it can be read at all.
//!
//! Pure, and bounded by a [`Budget`]: the same octets give the same reading, and no document can ask for more than
//! the limits. What cannot be read is [`State::Uninspectable`] with its reason, and never quietly empty. It runs in a
//! process of its own, since the libraries that read formats for us may fail in ways that nothing in a process
//! survives.

#![deny(clippy::disallowed_methods)]

mod budget;
mod cms;
mod columns;
mod compound;
mod crypto;
pub mod detect;
mod document;
mod excel;
mod folded;
pub mod formats;
mod inflate;
pub mod kind;
mod lzma;
mod masks;
mod message;
mod octets;
mod ole;
mod office;
mod office_password;
mod outlook;
mod package;
mod pdf;
pub(crate) mod pgp;
mod picture;
mod places;
mod plain;
mod powerpoint;
mod properties;
mod protected;
mod rar;
mod rtf;
mod strings;
mod tar;
#[cfg(test)]
mod testing;
mod tnef;
mod word;
mod xml;
mod zip;
mod zipped;

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::text::words;
pub use budget::{Allowance, Budget};
use document::Document;
pub use document::Format;
pub use inflate::gunzip;
use kind::Kind;
pub(crate) use picture::begins_as_page;
pub(crate) use zip::has_end as has_zip_end;

/// A document to read.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Its name as sent.
    pub name: &'a str,
    /// Its declared media type; a hint, as the name is.
    pub media_type: &'a str,
    /// Its octets.
    pub bytes: &'a [u8],
}

/// What was read of a document: itself first, then what is inside it, each before its own contents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// At least one.
    pub items: Vec<Item>,
}

/// A document, or something inside one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its place in the document: empty for the document itself, `2` for its second entry, `2/1` for an entry of
    /// that.
    pub path: String,
    /// Its name, directories and all, on one line; people can read it even where the content is encrypted.
    pub name: String,
    /// What else it is called; a program may go by any of these.
    pub other_names: Vec<String>,
    /// What it is, by its content.
    pub kind: Kind,
    /// Octets, where they are known.
    pub size: u64,
    /// Whether its content could be read.
    pub state: State,
    /// Whether it carries macros.
    pub macros: bool,
    /// What is written in it, as people read it. It goes beside the rest through a pipe, as it is.
    #[serde(skip)]
    pub text: String,
}

impl Item {
    /// The octets that it counts among those of text.
    fn octets(&self) -> usize {
        let others: usize = self.other_names.iter().map(String::len).sum();
        self.text.len() + self.name.len() + others + limits::DOCUMENT_ENTRY_OCTETS
    }
}

/// Whether the content of something can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// In the clear: whatever is written in it was read.
    Plain,
    /// Encrypted, so that only those with the key can read it.
    Encrypted(Scheme),
    /// Called encrypted, and readable by anyone: with a password that everyone knows, or none.
    Readable(Scheme),
    /// It could not be read, or not all of it, for this reason.
    Uninspectable(Reason),
}

words! {
    /// What something is encrypted with.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Scheme {
        /// ZIP with AES.
        Zip = "zip",
        /// ZIP with its first cipher, which can be broken; it keeps the passer-by out.
        ZipWeak = "zip-weak",
        /// 7z.
        SevenZip = "7z",
        /// RAR.
        Rar = "rar",
        /// PDF.
        Pdf = "pdf",
        /// Office documents, new and old.
        Office = "office",
        /// `OpenDocument`.
        OpenDocument = "opendocument",
        /// S/MIME.
        Smime = "smime",
        /// `OpenPGP`.
        Pgp = "pgp",
        /// Microsoft rights management (Purview).
        Rights = "rights",
    }
}

words! {
    /// Why something could not be read.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Reason {
        /// Nobody knows its transfer encoding.
        Encoding = "encoding",
        /// It is a multipart whose parts cannot be told apart.
        Structure = "structure",
        /// It lies beyond a limit, or some of it does.
        Limit = "limit",
        /// Nothing here reads this format.
        Format = "format",
        /// It is not as its format has it.
        Damaged = "damaged",
        /// It consists of images of text.
        ImageOnly = "image-only",
        /// Reading it took too much processor time.
        Time = "time",
        /// The machine was too busy to read it.
        Busy = "busy",
        /// The process that read it failed.
        Crash = "crash",
        /// No process could be had to read it.
        Unavailable = "unavailable",
    }
}

impl State {
    /// The word for it in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Encrypted(_) => "encrypted",
            Self::Readable(_) => "readable",
            Self::Uninspectable(_) => "uninspectable",
        }
    }

    /// The word for how it is encrypted, or why it could not be read.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Encrypted(scheme) | Self::Readable(scheme) => Some(scheme.as_str()),
            Self::Uninspectable(reason) => Some(reason.as_str()),
        }
    }
}

/// Reads a document and what is inside it, as far as the budget goes.
pub fn read(input: &Input<'_>, budget: &mut Budget) -> Reading {
    let mut items = Vec::new();
    Document::read(&mut items, budget, detect::format, input);
    for item in &mut items {
        item.text = without_controls(std::mem::take(&mut item.text));
    }
    Reading { items }
}

/// The text with a space for each control character that is none of text: nobody reads them, and JSON takes six octets
/// for each.
fn without_controls(text: String) -> String {
    let bad = |octet: &u8| *octet < b' ' && !matches!(octet, b'\t' | b'\n' | b'\r');
    if !text.as_bytes().iter().any(bad) {
        return text;
    }
    let mut octets = text.into_bytes();
    for octet in octets.iter_mut().filter(|octet| bad(octet)) {
        *octet = b' ';
    }
    // One octet of ASCII for another: what was text is text.
    String::from_utf8(octets).unwrap_or_default()
}

//! Kinds: what a document is, by its content first, and which reader reads it.

#![deny(clippy::disallowed_methods)]

use serde::{Deserialize, Serialize};

use super::document::{Document, Outcome};
use super::{State, gzip, magic, message, plain, strings};

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is named as its format is")]
pub enum Kind {
    Text,
    Html,
    Csv,
    Calendar,
    Card,
    Message,
    Rtf,
    Pdf,
    /// Word, Excel and `PowerPoint` since 2007.
    Ooxml,
    /// `LibreOffice`'s own.
    OpenDocument,
    /// Microsoft's compound file: old Office documents, Outlook messages, encrypted new ones, installers.
    Compound,
    OneNote,
    /// winmail.dat.
    Tnef,
    Smime,
    Pgp,
    /// A message under Microsoft's rights management.
    Rights,
    Zip,
    SevenZip,
    Rar,
    Tar,
    Gzip,
    Bzip2,
    Xz,
    Cabinet,
    DiskImage,
    Executable,
    Shortcut,
    Image,
    Audio,
    Video,
    Font,
    Unknown,
}

/// Endings of names, where the content does not say what it is.
const ENDINGS: &[(&str, Kind)] = &[
    ("txt text log md xml json yml yaml ini conf sql tex", Kind::Text),
    ("csv tsv", Kind::Csv),
    ("html htm xhtml shtml mht mhtml svg", Kind::Html),
    ("ics ical ifb vcs", Kind::Calendar),
    ("vcf vcard", Kind::Card),
    ("eml mbox", Kind::Message),
    ("p7m p7s p7c p7z", Kind::Smime),
    ("pgp gpg asc", Kind::Pgp),
    ("rpmsg", Kind::Rights),
    ("tar", Kind::Tar),
    ("tgz gz", Kind::Gzip),
];

/// Declared types, for the same case.
const TYPES: &[(&str, Kind)] = &[
    ("text/html", Kind::Html),
    ("text/csv", Kind::Csv),
    ("text/calendar", Kind::Calendar),
    ("application/ics", Kind::Calendar),
    ("text/vcard", Kind::Card),
    ("text/x-vcard", Kind::Card),
    ("text/directory", Kind::Card),
    ("message/rfc822", Kind::Message),
    ("application/pkcs7-mime", Kind::Smime),
    ("application/x-pkcs7-mime", Kind::Smime),
    ("application/pgp-encrypted", Kind::Text),
    ("application/x-microsoft-rpmsg-message", Kind::Rights),
    ("image/svg+xml", Kind::Html),
    ("text/", Kind::Text),
    ("message/", Kind::Message),
];

impl Kind {
    /// What the octets are; the name and the declared type are asked where they do not say.
    pub fn of(bytes: &[u8], name: &str, media_type: &str) -> Self {
        if let Some(kind) = magic::find(bytes) {
            return kind;
        }
        let by_name = name.rsplit_once('.').and_then(|(_, ending)| {
            let ending = ending.trim_end().to_ascii_lowercase();
            ENDINGS.iter().find(|(endings, _)| endings.split(' ').any(|known| known == ending))
        });
        let by_type = || TYPES.iter().find(|(known, _)| media_type.starts_with(known));
        match by_name.or_else(by_type) {
            Some((_, kind)) => *kind,
            None if strings::is_text(bytes) => Self::Text,
            None => Self::Unknown,
        }
    }

    /// Whether it is a container of files with names. Office documents are ZIP files too, and what is inside them
    /// was never anybody's file.
    pub fn is_archive(self, name: &str) -> bool {
        const OFFICE: [&str; 4] = ["doc", "xls", "ppt", "od"];
        let ending = name.rsplit_once('.').map(|(_, ending)| ending.trim_end().to_ascii_lowercase());
        match self {
            Self::Zip => !ending.is_some_and(|ending| OFFICE.iter().any(|office| ending.starts_with(office))),
            Self::SevenZip
            | Self::Rar
            | Self::Tar
            | Self::Gzip
            | Self::Bzip2
            | Self::Xz
            | Self::Cabinet
            | Self::DiskImage
            | Self::Tnef
            | Self::Message => true,
            Self::Text
            | Self::Html
            | Self::Csv
            | Self::Calendar
            | Self::Card
            | Self::Rtf
            | Self::Pdf
            | Self::Ooxml
            | Self::OpenDocument
            | Self::Compound
            | Self::OneNote
            | Self::Smime
            | Self::Pgp
            | Self::Rights
            | Self::Executable
            | Self::Shortcut
            | Self::Image
            | Self::Audio
            | Self::Video
            | Self::Font
            | Self::Unknown => false,
        }
    }

    /// Whether there may be text in it.
    pub fn may_hold_text(self) -> bool {
        match self {
            Self::Executable | Self::Shortcut | Self::Image | Self::Audio | Self::Video | Self::Font => false,
            Self::Text
            | Self::Html
            | Self::Csv
            | Self::Calendar
            | Self::Card
            | Self::Message
            | Self::Rtf
            | Self::Pdf
            | Self::Ooxml
            | Self::OpenDocument
            | Self::Compound
            | Self::OneNote
            | Self::Tnef
            | Self::Smime
            | Self::Pgp
            | Self::Rights
            | Self::Zip
            | Self::SevenZip
            | Self::Rar
            | Self::Tar
            | Self::Gzip
            | Self::Bzip2
            | Self::Xz
            | Self::Cabinet
            | Self::DiskImage
            | Self::Unknown => true,
        }
    }

    /// What reads it. A new format's reader is plugged in here.
    pub(super) fn reader(self) -> fn(&mut Document<'_>, &[u8]) -> Outcome {
        match self {
            Self::Text | Self::Html | Self::Csv | Self::Calendar | Self::Card => plain::read,
            Self::Message => message::read,
            Self::Gzip => gzip::read,
            Self::Image | Self::Audio | Self::Video | Self::Font | Self::Executable | Self::Shortcut => {
                |_, _| Ok(State::Plain)
            }
            Self::Rights => |_, _| Ok(State::Encrypted(super::Scheme::Rights)),
            Self::Rtf
            | Self::Pdf
            | Self::Ooxml
            | Self::OpenDocument
            | Self::Compound
            | Self::OneNote
            | Self::Tnef
            | Self::Smime
            | Self::Pgp
            | Self::Zip
            | Self::SevenZip
            | Self::Rar
            | Self::Tar
            | Self::Bzip2
            | Self::Xz
            | Self::Cabinet
            | Self::DiskImage
            | Self::Unknown => strings::read,
        }
    }
}

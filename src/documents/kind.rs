//! Kinds: the formats that are told apart. What is known of each is its row in `formats.rs`.

#![deny(clippy::disallowed_methods)]

use serde::{Deserialize, Serialize};

/// What a document is; in the order of the rows of `formats.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is named as its format is")]
pub enum Kind {
    Pdf,
    Rtf,
    Zip,
    /// Microsoft's compound file: old Office documents, Outlook messages, encrypted new ones, installers.
    Compound,
    SevenZip,
    Rar,
    Gzip,
    Bzip2,
    Xz,
    Tar,
    /// winmail.dat.
    Tnef,
    Cabinet,
    Pgp,
    Smime,
    Executable,
    Shortcut,
    /// A message under Microsoft's rights management.
    Rights,
    OneNote,
    DiskImage,
    Image,
    Audio,
    Video,
    Font,
    Html,
    Xml,
    Calendar,
    Card,
    Message,
    Text,
    Csv,
    /// Word, Excel and `PowerPoint` since 2007.
    Ooxml,
    /// `LibreOffice`'s own.
    OpenDocument,
    Unknown,
}

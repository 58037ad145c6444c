//! Kinds: the formats that are told apart. What is known of each is its row in `formats.rs`.

#![deny(clippy::disallowed_methods)]

use serde::{Deserialize, Serialize};

use crate::text::words;

words! {
    /// What a document is; in the order of the rows of `formats.rs`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    #[allow(missing_docs, reason = "each is named as its format is")]
    pub enum Kind {
        Pdf = "pdf",
        Rtf = "rtf",
        Zip = "zip",
        /// Microsoft's compound file: old Office documents, Outlook messages, encrypted new ones, installers.
        Compound = "compound",
        SevenZip = "seven-zip",
        Rar = "rar",
        Gzip = "gzip",
        Bzip2 = "bzip2",
        Xz = "xz",
        Tar = "tar",
        /// winmail.dat.
        Tnef = "tnef",
        Cabinet = "cabinet",
        Pgp = "pgp",
        Smime = "smime",
        Executable = "executable",
        Shortcut = "shortcut",
        /// A message under Microsoft's rights management.
        Rights = "rights",
        OneNote = "one-note",
        DiskImage = "disk-image",
        Image = "image",
        Audio = "audio",
        Video = "video",
        Font = "font",
        Html = "html",
        Xml = "xml",
        Calendar = "calendar",
        Card = "card",
        Message = "message",
        Text = "text",
        Csv = "csv",
        /// Word, Excel and `PowerPoint` since 2007.
        Ooxml = "ooxml",
        /// `LibreOffice`'s own.
        OpenDocument = "open-document",
        Unknown = "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_one_word_in_config_and_json() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}

//! Pieces: what a message consists of, one after the other. Together they cover it: what lies between them is
//! boundary lines and header fields that no one reads as text.

#![deny(clippy::disallowed_methods)]

use bytes::Bytes;

use super::part::Names;
use super::transfer::{self, Encoding};
use super::words;
use crate::markup;

/// One piece of a message.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// IMAP's number of the part that it is of (RFC 9051 §6.4.5); empty for the message itself.
    pub(crate) path: String,
    pub(crate) role: Role,
    /// The decoded names of an attachment.
    pub(crate) names: Names,
    /// The declared type, lower case.
    pub(crate) media_type: String,
    pub(crate) charset: Option<Vec<u8>>,
    /// How `bytes` is encoded: text is decoded already, an attachment is as it was written.
    pub(crate) encoding: Encoding,
    pub(crate) bytes: Bytes,
    /// Octets after the transfer encoding is undone.
    pub(crate) size: usize,
    /// Why its content cannot be read.
    pub(crate) unread: Option<Unread>,
}

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The value of a Subject.
    Subject,
    /// The value of a field that names people: From, To and the like.
    People,
    /// What a part is said to be, for people: Content-Description.
    Description,
    /// Text that mail programs show.
    Text,
    /// A part that is not the text of the message.
    Attached,
    /// A message within the message; its content follows in pieces of its own.
    Message,
    /// What mail programs pass over: preambles, epilogues, lines in a header section that are no fields, and the
    /// octets of what could not be read otherwise.
    Residue,
}

/// Why a piece could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// Nobody knows its transfer encoding.
    Encoding,
    /// Its parts cannot be told apart.
    Structure,
    /// It lies beyond a limit.
    Limit,
}

impl Piece {
    /// Its octets without transfer encoding.
    pub(crate) fn content(&self) -> Bytes {
        transfer::decoded(self.encoding, &self.bytes).0
    }

    /// What so many of its first written octets stand for.
    pub(crate) fn beginning(&self, written: usize) -> Bytes {
        let written = self.bytes.slice(..self.bytes.len().min(written));
        transfer::decoded(self.encoding, &written).0
    }

    /// At least so many of its last octets, without transfer encoding, or all of them.
    pub(crate) fn ending(&self, octets: usize) -> Bytes {
        match self.encoding {
            Encoding::Base64 => transfer::base64_ending(&self.bytes, octets).into(),
            Encoding::QuotedPrintable => transfer::quoted_printable_ending(&self.bytes, octets),
            Encoding::Identity | Encoding::Uuencode | Encoding::Unknown => self.content(),
        }
    }

    /// Its text, for the roles that are text.
    pub(crate) fn text(&self) -> String {
        let text = self.written();
        match &*self.media_type {
            "text/html" | "text/enriched" | "text/richtext" | "text/x-amp-html" => markup::text(&text),
            _ => text,
        }
    }

    /// The same as it is written, tags and all.
    pub(crate) fn written(&self) -> String {
        match &self.charset {
            Some(label) => words::in_charset(label, &self.bytes),
            None if self.media_type == "text/html" => {
                words::declared(markup::charset(&self.bytes), &self.bytes).into_owned()
            }
            None => words::text(&self.bytes).into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_is_what_the_whole_ends_with() {
        let digits = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=";
        let (quoted, line) = ("=41b=C3=A5 =\r\n=\r\nc\r\n", "=\r\n");
        for (encoding, written) in [
            (Encoding::Base64, digits.repeat(9)),
            (Encoding::Base64, digits.trim_end_matches('=').repeat(9)),
            (Encoding::Base64, format!("Q{}", digits.repeat(3))),
            (Encoding::Base64, format!("QU=\r\nQ!{}", digits.replace('N', "N \r\n"))),
            (Encoding::Base64, format!("{}{}", digits.repeat(5), "QQ==Q=".repeat(9))),
            (Encoding::Base64, "=\r\n=".to_owned()),
            (Encoding::Base64, format!("{}{}QUJD", digits.repeat(30), " *\r\n".repeat(500))),
            (Encoding::Base64, format!("{}{}Q", "QUJD".repeat(300), " *\r\n".repeat(500))),
            (Encoding::QuotedPrintable, quoted.repeat(20)),
            (Encoding::QuotedPrintable, format!("{}{}", quoted.repeat(20), line.repeat(90))),
            (Encoding::QuotedPrintable, "a=3D".repeat(90)),
            (Encoding::Identity, digits.repeat(3)),
        ] {
            let piece = Piece {
                path: String::new(),
                role: Role::Attached,
                names: Names::default(),
                media_type: String::new(),
                charset: None,
                encoding,
                bytes: written.clone().into(),
                size: 0,
                unread: None,
            };
            let whole = piece.content();
            for octets in 0..60 {
                let least = octets.min(whole.len());
                let ending = piece.ending(octets);
                assert!(ending.len() >= least, "{written} {octets}");
                assert_eq!(
                    ending[ending.len() - least..],
                    whole[whole.len() - least..],
                    "{written} {octets}"
                );
            }
        }
    }
}

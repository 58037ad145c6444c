//! Messages inside documents: read as the mail itself is, by the same walk.

#![deny(clippy::disallowed_methods)]

use bytes::Bytes;

use super::document::{Document, Outcome};
use super::{Reason, State};
use crate::mime::Defect;
use crate::mime::defects::Defects;
use crate::mime::parts::{self, Want};
use crate::mime::piece::{Role, Unread};
use crate::mime::section::Section;
use crate::mime::words;

/// Whether octets begin as a message does: with fields of which one is a message's own.
pub(super) fn has_header(bytes: &[u8]) -> bool {
    const FIELDS: [&str; 16] = [
        "from",
        "to",
        "cc",
        "bcc",
        "subject",
        "date",
        "received",
        "return-path",
        "delivered-to",
        "message-id",
        "mime-version",
        "content-type",
        "sender",
        "reply-to",
        "x-mozilla-status",
        "x-sender",
    ];
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let lines = bytes.split(|octet| *octet == b'\n').take(HEADER_LINES);
    let mut fields = lines.take_while(|line| !line.trim_ascii().is_empty());
    bytes.starts_with(b"From ")
        || fields.any(|line| {
            let name = line.split(|octet| *octet == b':').next().unwrap_or_default();
            name.len() < line.len() && FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field.as_bytes()))
        })
}

/// Lines of a header section that are looked at for a field that every message has.
const HEADER_LINES: usize = 200;

/// Reads the text of a message, and what it carries.
pub(super) fn read(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    document.budget().spend(bytes.len())?;
    let bytes = Bytes::copy_from_slice(bytes);
    let section = Section::split(&bytes, 0, |_| false);
    let mut defects = Defects::default();
    for piece in parts::walk(&bytes, &section, Want::All, &mut defects) {
        match (piece.role, piece.unread) {
            (Role::Subject | Role::People | Role::Description, _) => {
                document.text(&words::clean(&words::decode(&words::line(&piece.bytes))))?;
                document.text("\n")?;
            }
            (Role::Text | Role::Residue, _) => {
                document.text(&piece.text())?;
                document.text("\n")?;
            }
            (Role::Message, _) => document.unread(&piece.names, piece.size as u64, State::Plain)?,
            (Role::Attached, None) => {
                document.budget().spend(piece.size)?;
                document.inside(&piece.names, &piece.media_type, &piece.content())?;
            }
            (Role::Attached, Some(unread)) => {
                document.unread(&piece.names, piece.size as u64, State::Uninspectable(unread.into()))?;
            }
        }
    }
    let beyond = [Defect::TooDeep, Defect::TooManyParts, Defect::TooManyAttachments];
    if beyond.iter().any(|defect| defects.0.contains(defect)) { Err(Reason::Limit) } else { Ok(State::Plain) }
}

impl From<Unread> for Reason {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Encoding => Self::Encoding,
            Unread::Structure => Self::Structure,
            Unread::Limit => Self::Limit,
        }
    }
}

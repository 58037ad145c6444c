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

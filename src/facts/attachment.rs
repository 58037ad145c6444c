//! Attachments: what a message carries beside its text.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;

use bytes::Bytes;

use super::file_name::readings;
use super::{Defect, Needs};
use crate::documents::kind::Kind;
use crate::documents::{self, Input, Reason, Scheme, State, detect, formats, pgp};
use crate::limits;
use crate::mime::defects::Defects;
use crate::mime::piece::{Piece, Role};

/// One attachment, or one thing inside an attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its place: `2` is the second part, `2.1` the first part inside it (as IMAP numbers them, RFC 9051 §6.4.5);
    /// `2/1` is the first entry of the archive that is the second part.
    pub path: String,
    /// Its decoded name as sent (RFC 2231, RFC 2047 in the wild), directories and all, on one line; empty where it
    /// has none. A message has its subject for a name if it has no other, as mail programs show it: `Subject.eml`.
    pub name: String,
    /// What else it is called somewhere; a mail program may go by any of these.
    pub other_names: Vec<String>,
    /// The declared media type, lower case, without parameters; inside a document the one of its kind.
    pub media_type: String,
    /// What it is by its first octets, whatever it says; what is inside an archive is known better once that was
    /// read.
    pub kind: Kind,
    /// Octets after the transfer encoding is undone.
    pub size: u64,
    /// Whether its content can be read.
    pub state: State,
    /// Whether it carries macros; known once it was read.
    pub macros: bool,
}

impl Attachment {
    /// Every name that it is given, the one that people see first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name).chain(&self.other_names).map(String::as_str)
    }

    /// Every name that it is given, as sent, and as the programs that open it read it.
    pub fn file_names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let read = self.names().flat_map(readings).map(Cow::Owned);
        self.names().map(Cow::Borrowed).chain(read)
    }

    /// Whether there may be files inside this one that could not be seen: it is no whole archive, or one that is
    /// encrypted with its names. `all` are the attachments of the message.
    pub fn hides_others(&self, all: &[Self]) -> bool {
        let Self { path, name, media_type, kind, state, .. } = self;
        let is_message = media_type.starts_with("message/") || media_type.starts_with("multipart/");
        match state {
            State::Plain | State::Readable(_) => false,
            State::Uninspectable(reason) => {
                let of_structure = matches!(reason, Reason::Limit | Reason::Structure | Reason::Encoding);
                is_message && of_structure || formats::row(*kind).is_archive(name)
            }
            State::Encrypted(_) => {
                let is_inside = |other: &Self| {
                    other.path.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('/'))
                };
                formats::row(*kind).is_archive(name) && !all.iter().any(is_inside)
            }
        }
    }

    /// Whether it is a part of the message, and not something inside a document.
    pub fn is_a_part(&self) -> bool {
        !self.path.contains('/')
    }
}

/// An attachment whose content is still to be read, by a process that may fail.
#[derive(Clone, Debug)]
pub struct Unopened {
    /// Which of the facts' attachments it is.
    pub attachment: usize,
    /// Its octets.
    pub content: Bytes,
}

/// The attachments among the pieces, and those of them that are to be opened: whatever may hold text, or archives.
pub(super) fn attachments(
    pieces: &[Piece],
    needs: Needs,
    defects: &mut Defects,
) -> (Vec<Attachment>, Vec<Unopened>) {
    let (mut attachments, mut unopened) = (Vec::new(), Vec::new());
    for piece in pieces {
        if matches!(piece.role, Role::Text | Role::Residue) {
            armoured(piece, needs, &mut attachments, &mut unopened, defects);
        }
        if !matches!(piece.role, Role::Attached | Role::Message) {
            continue;
        }
        let (name, media_type) = (&piece.names.shown, &piece.media_type);
        let beginning = piece.beginning(limits::KIND_OCTETS);
        let format = match piece.role {
            Role::Message => formats::row(Kind::Message),
            _ => detect::format(&Input { name, media_type, bytes: &beginning }),
        };
        let is_page = format.kind == Kind::Image && may_be_page(piece, &beginning);
        let state = piece.unread.map_or(State::Plain, |unread| State::Uninspectable(unread.into()));
        let wanted = needs.documents && (format.may_hold_text || is_page)
            || needs.archives && format.is_archive(name)
            || (needs.documents || needs.archives) && !format.may_hold_text && may_hide_archive(piece);
        if wanted && piece.role == Role::Attached && piece.unread.is_none() {
            unopened.push(Unopened { attachment: attachments.len(), content: piece.content() });
        }
        attachments.push(Attachment {
            path: piece.path.clone(),
            name: name.clone(),
            other_names: piece.names.others.clone(),
            media_type: media_type.clone(),
            kind: format.kind,
            size: piece.size as u64,
            state,
            macros: false,
        });
    }
    (attachments, unopened)
}

/// Whether a picture may be a page. A camera writes up to a whole segment of its own before it says the size.
fn may_be_page(piece: &Piece, beginning: &[u8]) -> bool {
    let further = || documents::begins_as_page(&piece.beginning(limits::PICTURE_HEAD_OCTETS));
    documents::begins_as_page(beginning).or_else(further).unwrap_or(true)
}

/// Whether a ZIP archive may be appended to a file of a format without text: programs that unpack ZIP look for its end.
/// Reads only the last octets, because it runs on every such attachment.
fn may_hide_archive(piece: &Piece) -> bool {
    documents::has_zip_end(&piece.ending(limits::ARCHIVE_END_OCTETS))
}

/// Armoured messages in the text of the message (inline PGP): each counts as an attachment without a name, since what
/// is in it is no text to be read. Those that are only signed are opened like others.
fn armoured(
    piece: &Piece,
    needs: Needs,
    attachments: &mut Vec<Attachment>,
    unopened: &mut Vec<Unopened>,
    defects: &mut Defects,
) {
    if memchr::memmem::find(&piece.bytes, pgp::BEGIN.as_bytes()).is_none() {
        return;
    }
    for part in pgp::pieces(&piece.text()) {
        let pgp::Piece::Armour(armour) = part else { continue };
        if attachments.len() >= limits::ATTACHMENTS {
            return defects.add(Defect::TooManyAttachments);
        }
        let encrypted = pgp::is_encrypted(armour);
        if needs.documents && !encrypted {
            let content = Bytes::copy_from_slice(armour.as_bytes());
            unopened.push(Unopened { attachment: attachments.len(), content });
        }
        attachments.push(Attachment {
            path: piece.path.clone(),
            name: String::new(),
            other_names: Vec::new(),
            media_type: piece.media_type.clone(),
            kind: Kind::Pgp,
            size: armour.len() as u64,
            state: if encrypted { State::Encrypted(Scheme::Pgp) } else { State::Plain },
            macros: false,
        });
    }
}

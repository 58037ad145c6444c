//! Passages: the text of a mail, piece by piece, each with the place where it stands. What looks for something in
//! text looks here, and nowhere else.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;

use crate::documents::pgp;
use crate::limits;
use crate::markup;
use crate::mime::defects::Defects;
use crate::mime::piece::{Piece, Role};
use crate::mime::{Defect, words};
use crate::text;
use crate::text::fold::{Folded, Kept};
use crate::text::words;
use crate::work::Work;

/// One stretch of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The part that it stands in: empty for the message itself, `1.2` as IMAP numbers parts (RFC 9051 §6.4.5), and
    /// `1.2/1` for what is inside a document.
    pub part: String,
    /// The name of the part, where it has one.
    pub name: String,
    /// What kind of text it is.
    pub place: Place,
    /// The text as people read it: decoded, without tags.
    pub text: String,
    folded: Kept,
}

impl Passage {
    /// A text, and where it stands.
    pub fn new(part: String, name: String, place: Place, text: String) -> Self {
        Self { part, name, place, text, folded: Kept::default() }
    }

    /// The text as detectors see it, folded once for all of them.
    pub fn folded<'a>(&'a self, work: &'a Work) -> Folded<'a> {
        self.folded.of(&self.text, work)
    }
}

words! {
    /// What kind of text a passage is.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Place {
        /// The subject of the message, or of one inside it.
        Subject = "subject",
        /// A field that names people: display names and addresses.
        DisplayName = "display-name",
        /// The text of the message.
        Body = "body",
        /// The name of an attachment, or of what is inside one.
        AttachmentName = "attachment-name",
        /// What is written in an attachment.
        Attachment = "attachment",
        /// What mail programs pass over: before the first part, after the last, in no part at all.
        Residue = "residue",
    }
}

/// The passages of a message. More text than the limit is a defect.
pub(super) fn passages(pieces: &[Piece], defects: &mut Defects) -> Vec<Passage> {
    let mut room = limits::TEXT_OCTETS;
    let mut found = Vec::new();
    for piece in pieces {
        let (place, read) = match piece.role {
            Role::Subject => (Place::Subject, value(&piece.bytes)),
            Role::People => (Place::DisplayName, value(&piece.bytes)),
            Role::Description => (Place::AttachmentName, value(&piece.bytes)),
            Role::Attached | Role::Message => (Place::AttachmentName, piece.names.all()),
            Role::Text => (Place::Body, around_armour(piece.text())),
            Role::Residue => (Place::Residue, around_armour(piece.text())),
        };
        let kept = text::truncate(&read, room);
        if kept.len() < read.len() {
            defects.add(Defect::TextCut);
        }
        room -= kept.len();
        if !kept.trim_ascii().is_empty() {
            let kept = kept.to_owned();
            found.push(Passage::new(piece.path.clone(), piece.names.shown.clone(), place, kept));
        }
    }
    found
}

/// The text without armoured messages, which are attachments of their own.
fn around_armour(text: String) -> String {
    let text = match markup::unescape(&text) {
        Cow::Owned(plain) => plain,
        Cow::Borrowed(_) => text,
    };
    if !text.contains(pgp::BEGIN) {
        return text;
    }
    let clear = pgp::pieces(&text).into_iter().filter_map(|piece| match piece {
        pgp::Piece::Clear(text) => Some(text),
        pgp::Piece::Armour(_) => None,
    });
    clear.collect::<Vec<_>>().join("\n")
}

/// A field's value as people read it.
fn value(octets: &[u8]) -> String {
    let line = words::line(octets);
    words::clean(&words::decode(&line)).into_owned()
}

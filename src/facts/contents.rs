//! Contents: what of a message may be recognised in another one.

#![deny(clippy::disallowed_methods)]

use super::{Contents, header, identity};
use crate::mime::piece::{Piece, Role};
use crate::mime::section::Section;
use crate::mime::words;
use crate::{limits, text};

/// The messages and the larger attachments among the pieces. Of an attachment only the ends are read.
pub(super) fn contents(pieces: &[Piece]) -> Contents {
    let messages = pieces.iter().filter(|piece| piece.role == Role::Message);
    let attachments = pieces.iter().filter(|piece| {
        piece.role == Role::Attached
            && piece.size >= limits::SEEN_PART_OCTETS
            && !piece.media_type.starts_with("image/")
    });
    Contents {
        messages: messages.filter_map(message_id).take(limits::SEEN_PARTS).collect(),
        attachments: attachments.take(limits::SEEN_PARTS).map(digest).collect(),
    }
}

fn message_id(piece: &Piece) -> Option<String> {
    let value = words::line(Section::split(&piece.bytes, 0, |_| false).first("Message-ID")?);
    let id = header::ids(&value).next().unwrap_or(&value);
    Some(text::truncate(id, limits::MESSAGE_ID_OCTETS).to_owned())
}

fn digest(piece: &Piece) -> identity::Digest {
    // No encoding writes more than three octets for one.
    let beginning = piece.beginning(3 * limits::SEEN_PART_BEGINNING);
    let beginning = beginning.get(..limits::SEEN_PART_BEGINNING).unwrap_or(&beginning);
    let ending = piece.ending(limits::SEEN_PART_ENDING);
    let ending =
        ending.len().checked_sub(limits::SEEN_PART_ENDING).and_then(|at| ending.get(at..)).unwrap_or(&ending);
    identity::digest(piece.size, beginning, ending)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use crate::facts::testing::{mail, organisation};
    use crate::facts::{Contents, Needs, extract};
    use crate::limits;
    use crate::mail::Message;

    fn contents(header: &str, body: &str) -> Contents {
        let needs = Needs { body: true, seen_days: 1, ..Needs::NONE };
        let mut mail = mail("192.0.2.1", "<x@example.org>", "anna@exempelby.se", header);
        let bytes = format!("{header}\n\n{body}");
        mail.message = Message { body_at: header.len() + 2, size: bytes.len() as u64, bytes: bytes.into() };
        extract::extract(&mail, &organisation(), needs).contents
    }

    fn attached(media_type: &str, encoding: &str, body: &str) -> Contents {
        let header = format!("Content-Type: {media_type}; name=a\nContent-Transfer-Encoding: {encoding}");
        contents(&header, body)
    }

    #[test]
    fn an_attachment_is_the_same_in_each_encoding() {
        let text = "abc".repeat(20_000);
        let plain = attached("application/pdf", "8bit", &text);
        assert_eq!(plain.attachments.len(), 1);
        let mut quoted = String::new();
        for byte in text.bytes() {
            write!(quoted, "={byte:02X}").unwrap();
        }
        assert_eq!(attached("application/pdf", "quoted-printable", &quoted), plain);
        assert_eq!(attached("application/pdf", "base64", &"YWJj".repeat(20_000)), plain);
        let other = attached("application/pdf", "8bit", &"abd".repeat(20_000));
        assert_ne!(other.attachments, plain.attachments);
        for end in ["abd", "abcc"] {
            let other = attached("application/pdf", "8bit", &format!("{}{end}", "abc".repeat(19_999)));
            assert_ne!(other.attachments, plain.attachments, "another end or another size");
        }
        assert!(attached("image/png", "8bit", &text).attachments.is_empty());
        assert!(attached("application/pdf", "8bit", "small").attachments.is_empty());
    }

    #[test]
    fn messages_are_known_by_their_id() {
        let message = |body: &str| contents("Content-Type: message/rfc822", body).messages;
        let one = "Message-ID: <1@example.org>\nSubject: a\n\nHej";
        assert_eq!(message(one), ["<1@example.org>"]);
        let nested = format!("Message-ID:\n 2@example.org\nContent-Type: message/rfc822\n\n{one}");
        assert_eq!(message(&nested), ["2@example.org", "<1@example.org>"]);
        let many = "--o\n\nMessage-ID: <1@a>\n\n".repeat(50);
        let many = contents("Content-Type: multipart/digest; boundary=o", &many).messages;
        assert_eq!(many.len(), limits::SEEN_PARTS);
    }
}

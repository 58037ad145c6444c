//! Identity: what a message is recognised by when it comes again, as keyed hashes, so that the memory of messages
//! tells nothing to who reads it.

#![deny(clippy::disallowed_methods)]

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::fmt::rfc2822::DateTimeParser;
use sha2::{Digest as _, Sha256};

use super::{Header, signature};
use crate::address::Address;
use crate::limits;
use crate::text::words;

/// A keyed hash that a message is remembered by.
pub type Key = [u8; 16];

/// What tells messages of one Message-ID apart: a hash of From, and one of Date, which is nought if there is none.
pub type Fingerprint = [u8; 8];

/// The hash of an attachment: of its size, its beginning and its end.
pub type Digest = [u8; 32];

/// The key of a store's memory.
#[derive(Clone)]
pub struct IdentityKey(Hmac<Sha256>);

words! {
    /// By what a message is recognised.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum By {
        /// Its Message-ID, with From or Date.
        MessageId = "message-id",
        /// A DKIM signature: a redirect keeps it, and no two messages have the same.
        Signature = "dkim-signature",
        /// Date, From and Subject.
        Origin = "date-from-subject",
        /// An attachment.
        Attachment = "attachment",
    }
}

/// What a message is remembered by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Hash of the Message-ID.
    pub message_id: Option<Key>,
    /// Hashes of the first DKIM signatures.
    pub signatures: Vec<Key>,
    /// Hash of Date, From and Subject.
    pub origin: Option<Key>,
    /// Hashes of the larger attachments.
    pub attachments: Vec<Key>,
    /// Hashes of From and Date: some programs give every message the same Message-ID, whoever writes it, and those are
    /// not one message that comes again.
    pub fingerprint: Fingerprint,
}

/// Whether two messages of one Message-ID are the same: one of From and Date is the same too. What has no Date is given
/// one on its way.
pub fn is_same(one: Fingerprint, other: Fingerprint) -> bool {
    let ([one_from @ .., _, _, _, _], [other_from @ .., _, _, _, _]) = (&one, &other);
    let ([_, _, _, _, one_date @ ..], [_, _, _, _, other_date @ ..]) = (&one, &other);
    one_from == other_from || one_date == other_date || one_date == &UNDATED || other_date == &UNDATED
}

/// The hash of no Date.
const UNDATED: [u8; 4] = [0; 4];

impl Identity {
    /// Each key of the message itself, what tells most first.
    pub fn copies(&self) -> impl Iterator<Item = (By, Key)> {
        let id = self.message_id.map(|key| (By::MessageId, key));
        let signatures = self.signatures.iter().map(|key| (By::Signature, *key));
        id.into_iter().chain(signatures).chain(self.origin.map(|key| (By::Origin, key)))
    }

    /// Every key.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        self.copies().map(|(_, key)| key).chain(self.attachments.iter().copied())
    }
}

impl IdentityKey {
    /// A key of 32 octets.
    pub fn new(key: &[u8; 32]) -> Self {
        // A key shorter than the hash's block is padded with zeros (RFC 2104 §2).
        let mut block = [0; 64];
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        Self(Hmac::new(&block.into()))
    }

    /// The key of a person's address.
    pub fn of_person(&self, address: &Address) -> Key {
        self.tagged(b"\x03", address.key().as_bytes())
    }

    /// What the message with that header section and those attachments is remembered by.
    pub fn of(&self, header: &Header, attachments: &[Digest]) -> Identity {
        let date = header.date.as_deref().filter(|date| !date.is_empty()).map(instant);
        let mut from = self.0.clone();
        for address in &header.from {
            from.update(address.key().as_bytes());
            from.update(b"\n");
        }
        from.update(b"\0");
        let from_hash: [u8; 4] = cut(&from.clone().finalize().into_bytes());
        let date_hash = date.as_deref().map_or(UNDATED, |date| {
            let mut hash: [u8; 4] =
                cut(&self.0.clone().chain_update(b"\x04").chain_update(date).finalize().into_bytes());
            // No hash of a Date is that of none.
            if hash == UNDATED {
                hash = [1; 4];
            }
            hash
        });
        let origin = date.as_deref().filter(|_| !header.from.is_empty()).map(|date| {
            let mut origin = from;
            origin.update(date.as_bytes());
            origin.update(b"\0");
            origin.update(untagged(header.subject.as_deref().unwrap_or_default()).as_bytes());
            cut(&origin.finalize().into_bytes())
        });
        let signatures = signature::all(header).take(limits::SEEN_SIGNATURES);
        Identity {
            message_id: header.message_id.as_deref().map(|id| self.key_of(id)),
            signatures: signatures.map(|signature| self.tagged(b"\x01", signature.data.as_bytes())).collect(),
            origin,
            attachments: attachments.iter().map(|digest| self.tagged(b"\x02", digest)).collect(),
            fingerprint: cut(&[from_hash, date_hash].concat()),
        }
    }

    /// The key of a Message-ID alone.
    pub fn key_of(&self, message_id: &str) -> Key {
        self.tagged(b"", message_id.as_bytes())
    }

    /// The mark of a text, apart from what messages are remembered by.
    pub(super) fn mark(&self, text: &[u8]) -> Key {
        self.tagged(b"\x05", text)
    }

    /// No Message-ID begins with a control character, so that what is tagged with one is apart from them.
    fn tagged(&self, tag: &[u8], value: &[u8]) -> Key {
        let mut mac = self.0.clone();
        mac.update(tag);
        mac.update(value);
        cut(&mac.finalize().into_bytes())
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentityKey(…)")
    }
}

/// The hash of an attachment of that size that begins and ends so. More of it would cost time and tell no more: an
/// office document ends with the checksums of what is in it, a PDF with its identifier.
pub(super) fn digest(size: usize, beginning: &[u8], ending: &[u8]) -> Digest {
    let size = (size as u64).to_be_bytes();
    Sha256::new().chain_update(size).chain_update(beginning).chain_update(ending).finalize().into()
}

/// The moment that a Date means, whatever zone it is written in (RFC 5322 §3.3); a Date that says none as it is written,
/// but for comments and white space.
fn instant(date: &str) -> String {
    match DateTimeParser::new().relaxed_weekday(true).parse_timestamp(date) {
        Ok(instant) => instant.as_second().to_string(),
        Err(_) => {
            date.split('(').next().unwrap_or(date).split_ascii_whitespace().collect::<Vec<_>>().join(" ")
        }
    }
}

/// The subject without what filters on its way write before it, as `[SPAM]`.
pub(super) fn untagged(subject: &str) -> &str {
    let mut rest = subject.trim();
    while let Some(after) = rest.strip_prefix('[').and_then(|tag| tag.split_once(']')) {
        rest = after.1.trim_start();
    }
    rest
}

fn cut<const N: usize>(hash: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(hash) {
        *to = *from;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::testing::from_outside;

    fn identity(header: &str) -> Identity {
        let facts = from_outside("<x@example.org>", "anna@exempelby.se", header);
        IdentityKey::new(&[7; 32]).of(&facts.header, &[])
    }

    const MONDAY: &str = "From: x@example.org\nDate: Mon, 2 Mar 2026 10:00:00 +0100";

    #[test]
    fn the_same_message_is_recognised_and_a_reused_id_is_not() {
        let first = identity(&format!("{MONDAY}\nMessage-ID: <1@example.org>"));
        assert_eq!(identity(&format!("{MONDAY}\nMessage-ID: <1@example.org>")), first);
        let reused = identity(
            "From: x@example.org\nDate: Tue, 3 Mar 2026 10:00:00 +0100\nMessage-ID: <1@example.org>",
        );
        assert!(reused.message_id == first.message_id && reused.fingerprint != first.fingerprint);
        assert_ne!(reused.origin, first.origin);
    }

    #[test]
    fn one_date_is_written_in_many_ways() {
        let at = |date: &str| identity(&format!("From: x@example.org\nDate: {date}"));
        let first = at("Mon, 2 Mar 2026 10:00:00 +0100");
        for same in [
            "Mon, 02 Mar 2026 09:00:00 +0000",
            "Mon, 2 Mar 2026 09:00:00 GMT",
            "2 Mar 2026 10:00:00 +0100 (CET)",
            "Mon,  2 Mar 2026 10:00:00 +0100 (Central European (Standard) Time)",
            "Mon, 2 Mar 2026 04:00:00 -0500",
            "Mon, 2 Mar 2026 04:00:00 EST",
            "Sun, 2 Mar 2026 10:00:00 +0100",
        ] {
            assert_eq!(at(same), first, "{same}");
        }
        for other in ["Mon, 2 Mar 2026 10:00:01 +0100", "Mon, 2 Mar 2026 10:00:00 +0000", "nyss"] {
            assert_ne!(at(other).origin, first.origin, "{other}");
            assert_ne!(at(other).fingerprint, first.fingerprint, "{other}");
        }
        assert_eq!(at("i  dag (CET)"), at("i dag"), "nobody knows when, and it is the same all the same");
    }

    #[test]
    fn beside_the_message_id_from_or_date_is_enough() {
        let of = |header: &str| identity(header).fingerprint;
        let first = of(MONDAY);
        let same = |header: &str| is_same(first, of(header)) && is_same(of(header), first);
        assert!(same("From: x@example.org\nDate: Tue, 3 Mar 2026 10:00:00 +0100"));
        assert!(same("From: anna@exempelby.se\nDate: Mon, 2 Mar 2026 09:00:00 +0000"));
        assert!(
            same("From: x@example.org") && same("From: anna@exempelby.se"),
            "it has got a Date, or lost it"
        );
        assert!(!same("From: anna@exempelby.se\nDate: Tue, 3 Mar 2026 10:00:00 +0100"));
    }

    #[test]
    fn date_from_and_subject_are_enough() {
        let first = identity(&format!("{MONDAY}\nSubject: Hej"));
        assert!(first.message_id.is_none() && first.origin.is_some());
        let tagged =
            identity(&format!("{MONDAY}\nSubject: [EXTERN] [SPAM?] =?utf-8?Q?Hej?=\nMessage-ID: <2@a>"));
        assert_eq!(tagged.origin, first.origin);
        assert_ne!(identity(&format!("{MONDAY}\nSubject: Hej igen")).origin, first.origin);
        assert_eq!(
            identity("From: x@example.org\nSubject: Hej").origin,
            None,
            "without a Date it is a sender"
        );
    }

    #[test]
    fn signatures_are_compared_without_folding_and_only_the_first_count() {
        let signed = |b: &str| {
            identity(&format!("{MONDAY}\nDKIM-Signature: v=1; d=example.org; bh=x=; h=from; b={b}"))
        };
        assert_eq!(signed("Ab3+\n\tcd=").signatures, signed("Ab3+cd= ").signatures);
        assert_ne!(signed("Ab3+").signatures, signed("Ab3x").signatures);
        let many = identity(&format!("{MONDAY}{}", "\nDKIM-Signature: d=a; b=c".repeat(50)));
        assert_eq!(many.signatures.len(), limits::SEEN_SIGNATURES);
    }

    #[test]
    fn another_key_gives_another_hash() {
        let ours = IdentityKey::new(&[7; 32]).key_of("<1@example.org>");
        assert_ne!(ours, IdentityKey::new(&[8; 32]).key_of("<1@example.org>"));
    }
}

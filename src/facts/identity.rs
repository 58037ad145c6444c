//! Identity: what a message is recognised by when it comes again, as keyed hashes, so that the memory of messages
//! tells nothing to who reads it.

#![deny(clippy::disallowed_methods)]

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::Header;

/// The key of a store's memory.
#[derive(Clone)]
pub struct IdentityKey(Hmac<Sha256>);

impl IdentityKey {
    /// A key of 32 octets.
    pub fn new(key: &[u8; 32]) -> Self {
        // A key shorter than the hash's block is padded with zeros (RFC 2104 §2).
        let mut block = [0; 64];
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        Self(Hmac::new(&block.into()))
    }

    /// What the message is remembered by; `None` without Message-ID.
    pub fn of(&self, header: &Header) -> Option<Identity> {
        let id = header.message_id.as_deref()?;
        let mut origin = self.0.clone();
        for address in &header.from {
            origin.update(address.key().as_bytes());
            origin.update(b"\n");
        }
        origin.update(b"\0");
        origin.update(header.date.as_deref().unwrap_or_default().as_bytes());
        Some(Identity { key: self.key_of(id), fingerprint: cut(&origin.finalize().into_bytes()) })
    }

    /// The key of a Message-ID alone.
    pub fn key_of(&self, message_id: &str) -> [u8; 16] {
        let mut mac = self.0.clone();
        mac.update(message_id.as_bytes());
        cut(&mac.finalize().into_bytes())
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentityKey(…)")
    }
}

/// What a message is remembered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Keyed hash of the Message-ID.
    pub key: [u8; 16],
    /// Keyed hash of From and Date: some senders give every message the same Message-ID, and those are not one
    /// message that comes again.
    pub fingerprint: [u8; 8],
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

    fn identity(id: &str, date: &str) -> Option<Identity> {
        let header = Header { message_id: Some(id.into()), date: Some(date.into()), ..Header::default() };
        IdentityKey::new(&[7; 32]).of(&header)
    }

    #[test]
    fn the_same_message_is_recognised_and_a_reused_id_is_not() {
        let first = identity("<1@example.org>", "Mon, 2 Mar 2026 10:00:00 +0100").unwrap();
        assert_eq!(identity("<1@example.org>", "Mon, 2 Mar 2026 10:00:00 +0100"), Some(first));
        let reused = identity("<1@example.org>", "Tue, 3 Mar 2026 10:00:00 +0100").unwrap();
        assert!(reused.key == first.key && reused.fingerprint != first.fingerprint);
    }

    #[test]
    fn another_key_gives_another_hash() {
        let ours = IdentityKey::new(&[7; 32]).key_of("<1@example.org>");
        assert_ne!(ours, IdentityKey::new(&[8; 32]).key_of("<1@example.org>"));
    }
}

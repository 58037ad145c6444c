//! The names of a letter, all from what makes it the same one: its key, its Message-ID, and what people call it.

#![deny(clippy::disallowed_methods)]

use sha2::{Digest as _, Sha256};

use crate::address::{Address, Domain};

/// A hash of what makes a letter the same one.
pub type Key = [u8; 16];

/// The key for these parts, in this order.
pub fn key<'a>(parts: impl IntoIterator<Item = &'a str>) -> Key {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut key = Key::default();
    key.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    key
}

/// The Message-ID of a letter from `from`, the same on every try.
pub fn message_id(kind: &str, key: &Key, from: &Address) -> String {
    let domain = from.domain().map(|domain| domain.to_string()).unwrap_or_default();
    format!("<{kind}.{:032x}@{domain}>", u128::from_be_bytes(*key))
}

/// The domain of a receipt's Message-ID, if it is one.
pub fn receipt_domain(message_id: &str) -> Option<Domain> {
    let (local, domain) = message_id.strip_prefix("<receipt.")?.strip_suffix('>')?.split_once('@')?;
    (local.len() == 32 && local.bytes().all(|b| b.is_ascii_hexdigit())).then(|| Domain::new(domain))
}

/// What people call it: the year and 30 bits of its key, in letters and digits that cannot be taken for one another
/// (Crockford's base 32).
pub fn reference(kind: &str, key: &Key, year: i16) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let bits = key.iter().take(4).fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
    let digit =
        |at: u32| DIGITS.get((bits >> (5 * at) & 31) as usize).map_or('0', |digit| char::from(*digit));
    format!("{kind}-{year}-{}", (0..6).rev().map(digit).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_has_one_name_wherever_it_is_written() {
        let from = Address::parse("registrator@exempelby.se").unwrap();
        let own = key(["receipt", "registrator@exempelby.se", "<1@example.org>"]);
        assert_eq!(own, key(["receipt", "registrator@exempelby.se", "<1@example.org>"]));
        assert_ne!(own, key(["receipt", "registrator@exempelby.se<1@example.org>", ""]));
        let id = message_id("receipt", &own, &from);
        assert_eq!(receipt_domain(&id), Some(Domain::new("exempelby.se")));
        for other in ["<1@example.org>", "<receipt.1@exempelby.se>", "receipt", "<notice.0@exempelby.se>"] {
            assert_eq!(receipt_domain(other), None);
        }
    }

    #[test]
    fn references_are_for_people() {
        assert_eq!(reference("PV", &[0xFF; 16], 2026), "PV-2026-ZZZZZZ");
        assert_eq!(reference("PV", &[0; 16], 2026), "PV-2026-000000");
    }
}

//! The names of a notice, all from what makes it the same one: its key, its Message-ID, and what people call it.

#![deny(clippy::disallowed_methods)]

use sha2::{Digest as _, Sha256};

use crate::address::{Address, Domain};

/// A hash of what makes a notice the same one.
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

/// The Message-ID of a notice from `from`, the same on every try.
pub fn message_id(kind: &str, key: &Key, from: &Address) -> String {
    let domain = from.domain().map(|domain| domain.to_string()).unwrap_or_default();
    format!("<{kind}.{:032x}@{domain}>", u128::from_be_bytes(*key))
}

/// The domains of the Message-IDs of receipts in the decoded value of a field that names messages. Programs write an id
/// without its brackets or with one of them, in capitals, in quotes, or folded in the middle.
pub fn receipt_domains(value: &str) -> Vec<Domain> {
    let plain = value.to_ascii_lowercase();
    let whole: String = plain.chars().filter(|c| !c.is_whitespace()).collect();
    let mut found: Vec<Domain> = Vec::new();
    for domain in domains(&plain).chain(domains(&whole)) {
        if !found.contains(&domain) {
            found.push(domain);
        }
    }
    found
}

fn domains(text: &str) -> impl Iterator<Item = Domain> {
    named(text, "receipt.").map(|(_, domain)| domain)
}

/// The keys of the notices that may be answered, in the decoded value of a field that names messages.
pub fn override_keys(value: &str) -> Vec<Key> {
    let plain = value.to_ascii_lowercase();
    let whole: String = plain.chars().filter(|c| !c.is_whitespace()).collect();
    let mut found: Vec<Key> = Vec::new();
    for key in [&plain, &whole].into_iter().flat_map(|text| named(text, "override.")).map(|(key, _)| key) {
        if !found.contains(&key) {
            found.push(key);
        }
    }
    found
}

/// The keys and domains of our own Message-IDs that begin so.
fn named<'t>(text: &'t str, begin: &'static str) -> impl Iterator<Item = (Key, Domain)> + 't {
    let of_a_word = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.match_indices(begin).filter_map(move |(at, _)| {
        let (before, from) = text.split_at_checked(at)?;
        let (hash, rest) = from.strip_prefix(begin)?.split_at_checked(32)?;
        let domain = rest.strip_prefix('@')?;
        let domain = domain.get(..domain.find(|c| !of_a_word(c)).unwrap_or(domain.len()))?;
        let ours = !before.ends_with(of_a_word) && hash.bytes().all(|b| b.is_ascii_hexdigit());
        let key = u128::from_str_radix(hash, 16).ok().filter(|_| ours && !domain.is_empty())?;
        Some((key.to_be_bytes(), Domain::new(domain)))
    })
}

/// The digits of a reference, in order.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The references of receipts in a text, as they are given out. People write them in small letters, with another dash,
/// and with an O for a zero.
pub fn references(text: &str) -> Vec<String> {
    let plain = |c: char| match c.to_ascii_uppercase() {
        '\u{2010}'..='\u{2015}' => '-',
        c => c,
    };
    let text: String = text.chars().map(plain).collect();
    let found = text.match_indices("PV-").filter_map(|(at, _)| {
        let (before, from) = text.split_at_checked(at)?;
        let (year, rest) = from.strip_prefix("PV-")?.split_once('-')?;
        let (digits, after) = rest.split_at_checked(6)?;
        let digits: Option<String> = digits.chars().map(digit).collect();
        let whole = !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric);
        let year = Some(year).filter(|year| year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()))?;
        Some(format!("PV-{year}-{}", digits?)).filter(|_| whole)
    });
    found.collect()
}

/// What Crockford's alphabet reads a letter or a digit as.
fn digit(c: char) -> Option<char> {
    let read = match c {
        'O' => '0',
        'I' | 'L' => '1',
        c => c,
    };
    DIGITS.iter().any(|digit| char::from(*digit) == read).then_some(read)
}

/// What people call it: the year and 30 bits of its key, in letters and digits that cannot be taken for one another
/// (Crockford's base 32).
pub fn reference(kind: &str, key: &Key, year: i16) -> String {
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
        let own = [Domain::new("exempelby.se")];
        let bare = id.trim_matches(['<', '>']);
        let (begin, end) = id.split_at(30);
        for form in [
            id.clone(),
            bare.to_owned(),
            format!("<{bare}"),
            format!("\"{bare}\""),
            id.to_uppercase(),
            format!("{begin} {end}"),
            format!("&lt;{bare}&gt;"),
            format!("{}{id}", "<0@example.org> ".repeat(3_000)),
            format!("Kim's message of today {id}"),
        ] {
            assert_eq!(receipt_domains(&form), own, "{form}");
        }
        for other in
            ["<1@example.org>", "<receipt.1@exempelby.se>", "receipt", "<notice.0@exempelby.se>", "receipt."]
        {
            assert_eq!(receipt_domains(other), []);
        }
        assert_eq!(receipt_domains(&id.replace("<receipt", "<reply-receipt")), []);
    }

    #[test]
    fn only_a_notice_that_may_be_answered_is_found_in_what_an_answer_names() {
        let from = Address::parse("postmaster@exempelby.se").unwrap();
        let own = key(["notice", "sensitive-stopped", "1"]);
        let id = message_id("override", &own, &from);
        for form in
            [id.clone(), id.to_uppercase(), format!("<0@example.org> {id}"), id.replacen('@', "\n @", 1)]
        {
            assert_eq!(override_keys(&form), [own], "{form}");
        }
        for other in ["", "<override.1@exempelby.se>", &message_id("notice", &own, &from), "<x.override.0@a>"]
        {
            assert_eq!(override_keys(other), [] as [Key; 0], "{other}");
        }
    }

    #[test]
    fn references_are_found_as_people_write_them() {
        for (text, found) in [
            ("SV: Ansökan (PV-2026-7K3M9Q)", &["PV-2026-7K3M9Q"][..]),
            ("pv-2026-7k3m9q", &["PV-2026-7K3M9Q"]),
            ("PV\u{2011}2026\u{2013}7K3M9Q.", &["PV-2026-7K3M9Q"]),
            ("PV-2026-OIL000 och PV-2025-000001", &["PV-2026-011000", "PV-2025-000001"]),
            ("XPV-2026-7K3M9Q", &[]),
            ("PV-2026-7K3M9QX", &[]),
            ("PV-2026-7K3M9", &[]),
            ("PV-26-7K3M9Q", &[]),
            ("PV-anläggning på taket", &[]),
            ("PV-2026-å", &[]),
        ] {
            assert_eq!(references(text), found, "{text}");
        }
    }

    #[test]
    fn references_are_for_people() {
        assert_eq!(reference("PV", &[0xFF; 16], 2026), "PV-2026-ZZZZZZ");
        assert_eq!(reference("PV", &[0; 16], 2026), "PV-2026-000000");
    }
}

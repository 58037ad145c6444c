//! Pseudonyms: what stands in the place of an address, for all records or for the people inside alone.

#![deny(clippy::disallowed_methods)]

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::columns::{COLUMNS, Mask};
use super::{Record, several};
use crate::address::{Address, Domain};
use crate::organisation::Organisation;

/// Pseudonyms by a key: the same address has the same one wherever the key is the same, and who does not have the key
/// cannot find out whose it is by trying addresses.
#[derive(Clone, Debug)]
pub struct Pseudonyms<'a> {
    /// The key.
    pub key: [u8; 32],
    /// Whose addresses keep their domain: it tells of no person.
    pub organisation: &'a Organisation,
}

impl Pseudonyms<'_> {
    /// The pseudonym of an address; `<>` stays as it is.
    pub fn of(&self, address: &str) -> String {
        // Whatever stands there in place of an address may name a person, too.
        let Some(address) = Address::parse(address) else {
            return format!("p-{}", self.hash("text", address));
        };
        let own = format!("p-{}", self.hash("address", address.key()));
        match address.domain() {
            Some(domain) if self.organisation.owns(&address) => format!("{own}@{domain}"),
            Some(domain) => format!("{own}@d-{}.invalid", self.hash("domain", domain.as_str())),
            None => own,
        }
    }

    /// Ten digits that stand for a text of that sort.
    pub fn hash(&self, what: &str, text: &str) -> String {
        let hash =
            Sha256::new().chain_update(self.key).chain_update(what).chain_update([0]).chain_update(text);
        hash.finalize().iter().take(5).fold(String::new(), |mut hex, octet| {
            let _ = write!(hex, "{octet:02x}");
            hex
        })
    }
}

/// Hides the people inside: their addresses become pseudonyms wherever they stand in a record. Function mailboxes and
/// people outside stay as they are.
#[derive(Clone, Debug)]
pub struct Veil {
    /// The key of the pseudonyms.
    pub key: [u8; 32],
    /// Who is inside.
    pub organisation: Organisation,
    /// Addresses inside that are no person's.
    pub functions: Vec<Address>,
}

impl Veil {
    /// Hides the people inside in a record.
    pub fn hide(&self, record: &mut Record) {
        let is_person = |author: &str| Address::parse(author).is_some_and(|author| self.is_person(&author));
        let by_person = record.header_from.split(", ").any(is_person);
        for column in &COLUMNS {
            column.each(record, |text| {
                *text = match column.mask {
                    _ if text.is_empty() => return,
                    Mask::Address => self.address(text),
                    Mask::Addresses => {
                        several(text).map(|author| self.address(author)).collect::<Vec<_>>().join(", ")
                    }
                    Mask::Login => self.login(text),
                    Mask::None | Mask::Length | Mask::Ending | Mask::Hash | Mask::Receipts => self.text(text),
                };
            });
        }
        // The name of an author inside says who it is, as the address does.
        if by_person && !record.header_from_name.is_empty() {
            record.header_from_name.clone_from(&record.header_from);
        }
    }

    /// Whether the address is one person's inside.
    pub fn is_person(&self, address: &Address) -> bool {
        let same = |function: &Address| self.organisation.is_same_mailbox(function, address);
        self.organisation.owns(address) && !self.functions.iter().any(same)
    }

    /// The address, or its pseudonym where it tells of a person inside. Bounces to a list and rewritten senders have the
    /// address that they are about in their local part: `bounce-7-anna=exempelby.se@utskick.example`.
    pub fn address(&self, text: &str) -> String {
        let Some(address) = Address::parse(text).filter(|_| text != "<>") else { return self.text(text) };
        if self.is_person(&address) {
            return self.of(&address);
        }
        let local = address.local();
        let names_inside = words(local).any(|word| self.organisation.owns_domain(&Domain::new(word)));
        match address.domain().filter(|_| names_inside && !self.organisation.owns(&address)) {
            Some(domain) => format!("p-{}@{domain}", self.pseudonyms().hash("address", address.key())),
            None => text.to_owned(),
        }
    }

    /// The text with a pseudonym for each address of a person inside.
    pub fn text(&self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('@') {
            let (before, behind) = (rest.get(..at).unwrap_or(""), rest.get(at + 1..).unwrap_or(""));
            let begin = before.rfind(|c| !is_of_local(c)).map_or(0, |last| last + char_at(before, last));
            let end = behind.find(|c| !is_of_domain(c)).unwrap_or(behind.len());
            let local = before.get(begin..).unwrap_or("");
            let domain = self.own_part(behind.get(..end).unwrap_or("").trim_end_matches(['.', '-']));
            let found = format!("{local}@{domain}");
            let address = Address::parse(&found).filter(|found| found.domain().is_some());
            shown.push_str(before.get(..begin).unwrap_or(""));
            match address {
                Some(_) => shown.push_str(&self.address(&found)),
                None => shown.push_str(&found),
            }
            rest = behind.get(domain.len()..).unwrap_or("");
        }
        shown.push_str(rest);
        shown
    }

    /// The domain without what may stand behind it, as in `anna@exempelby.se.pdf`.
    fn own_part<'t>(&self, domain: &'t str) -> &'t str {
        let mut part = domain;
        while !self.organisation.owns_domain(&Domain::new(part)) {
            let Some((shorter, _)) = part.rsplit_once('.') else { return domain };
            part = shorter;
        }
        part
    }

    /// A login: an address, or a name of a person inside.
    fn login(&self, text: &str) -> String {
        let known = Address::parse(text).filter(|address| address.domain().is_some());
        match known {
            Some(address) if !self.is_person(&address) => text.to_owned(),
            Some(address) => self.of(&address),
            None => format!("p-{}", self.pseudonyms().hash("login", &text.to_lowercase())),
        }
    }

    /// The pseudonym of a person inside: the same one for each address of the mailbox.
    fn of(&self, address: &Address) -> String {
        self.pseudonyms().of(self.organisation.identity(address).as_str())
    }

    fn pseudonyms(&self) -> Pseudonyms<'_> {
        Pseudonyms { key: self.key, organisation: &self.organisation }
    }
}

/// The parts of a local part that may be a domain.
fn words(local: &str) -> impl Iterator<Item = &str> {
    local.split(|c| !is_of_domain(c)).flat_map(|word| {
        // `bounce-anna-exempelby.se`: what stands before a hyphen may belong to it or not.
        let tails = word.match_indices('-').filter_map(|(at, _)| word.get(at + 1..));
        std::iter::once(word).chain(tails)
    })
}

fn is_of_local(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-\u{308}\u{30A}\u{301}".contains(c)
}

fn is_of_domain(c: char) -> bool {
    c.is_alphanumeric() || c == '-' || c == '.'
}

fn char_at(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::DomainPattern;

    fn veil() -> Veil {
        let organisation = Organisation {
            domains: vec![
                DomainPattern::parse("exempelby.se").unwrap(),
                DomainPattern::parse("*.exempelby.se").unwrap(),
            ],
            ..Organisation::default()
        };
        let functions = vec![Address::parse("registrator@exempelby.se").unwrap()];
        Veil { key: [7; 32], organisation, functions }
    }

    #[test]
    fn people_inside_are_hidden_wherever_their_address_stands() {
        let mut record = Record {
            sender: "bounce-77-anna.andersson=exempelby.se@utskick.example".into(),
            recipients: vec![
                "Anna.Andersson@exempelby.se".into(),
                "registrator@exempelby.se".into(),
                "karin@example.org".into(),
            ],
            header_from: "karin@example.org, anna.andersson@skola.exempelby.se".into(),
            header_from_name: "Karin Berg, Anna Andersson".into(),
            header_to: "anna.andersson@exempelby.se, karin@example.org".into(),
            subject: "Till <anna.andersson@exempelby.se>, och karin@example.org.".into(),
            attachments: vec![("anna.andersson@exempelby.se.pdf".into(), 1)],
            message_id: "<7.anna.andersson@exempelby.se>".into(),
            auth_user: "anna.andersson".into(),
            receipt: "registrator@exempelby.se=queued PV-2026-7K3M9Q; anna.andersson@exempelby.se=queued"
                .into(),
            ..Record::default()
        };
        veil().hide(&mut record);
        let text = format!("{record:?}");
        assert!(!text.to_lowercase().contains("andersson"), "{text}");
        for kept in ["registrator@exempelby.se=queued PV-", "karin@example.org", "@utskick.example", "<p-"] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        assert!(record.recipients[0].ends_with("@exempelby.se") && record.recipients[1].starts_with("reg"));
        assert!(record.subject.ends_with("@exempelby.se>, och karin@example.org."), "{}", record.subject);
    }

    #[test]
    fn one_person_has_one_pseudonym_and_rewritten_senders_none_that_tells() {
        let veil = veil();
        assert_eq!(veil.address("anna@exempelby.se"), veil.address("ANNA+lista@Exempelby.se"));
        assert_ne!(veil.address("anna@exempelby.se"), veil.address("bo@exempelby.se"));
        for sender in [
            "SRS0=x1y2=TT=exempelby.se=anna@forwarder.example",
            "bounce-anna-exempelby.se@utskick.example",
            "prvs=12=anna=skola.exempelby.se@utskick.example",
        ] {
            assert!(!veil.address(sender).contains("anna"), "{}", veil.address(sender));
        }
        for same in ["<>", "x@example.org", "a@b@example.org", "@", "postmaster@", "å@"] {
            assert_eq!(veil.address(same), veil.text(same), "{same}");
        }
        assert_eq!(veil.text("a@b, <c@example.org> @ å@"), "a@b, <c@example.org> @ å@");
    }
}

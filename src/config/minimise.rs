//! Minimising: mail of which the log keeps no subject, no names of attachments and no evidence, because the log itself
//! is a public record.

#![deny(clippy::disallowed_methods)]

use std::fmt;
use std::sync::Arc;

use crate::address::{Address, Domain};
use crate::facts::identity::IdentityKey;
use crate::groups::{AddressList, Party};
use crate::organisation::Organisation;
use crate::record::{FindingRow, Record};
use crate::text::hex;

/// What stands where a text was.
pub const MINIMISED: &str = "[minimised]";

/// `[store.minimise]`: mail of which the log keeps less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minimise {
    /// Whose mail.
    pub mailboxes: Vec<Covered>,
    /// Whether a keyed hash stands for each text, so that equal ones can be told.
    pub hash: bool,
}

/// Mailboxes that a setting is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Covered {
    /// `*`: all mailboxes, and mail without a party inside.
    Everybody,
    /// `@exempelby.se`.
    Domain(Domain),
    /// One.
    Address(Address),
    /// The members of groups, each by all addresses of their mailbox.
    Group(AddressList, Arc<Organisation>),
}

impl fmt::Display for Covered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everybody => f.write_str("*"),
            Self::Domain(domain) => write!(f, "@{domain}"),
            Self::Address(address) => write!(f, "{address}"),
            Self::Group(list, _) => write!(f, "{list}"),
        }
    }
}

impl Covered {
    /// Whether the address is among them; `None` is mail without a party inside.
    pub fn covers(&self, address: Option<&Address>) -> bool {
        match self {
            Self::Everybody => true,
            Self::Domain(domain) => address.and_then(Address::domain).is_some_and(|own| own == *domain),
            Self::Address(own) => address.is_some_and(|address| address.key() == own.key()),
            Self::Group(list, organisation) => {
                address.is_some_and(|address| list.has(&Party::new(address, organisation)))
            }
        }
    }
}

impl Minimise {
    /// Whether the record is of such a mail.
    pub fn covers(&self, record: &Record) -> bool {
        let mut parties = std::iter::once(&record.sender).chain(&record.recipients);
        let ours = |party: &String| {
            Address::parse(party)
                .is_some_and(|address| self.mailboxes.iter().any(|covered| covered.covers(Some(&address))))
        };
        parties.any(ours) || self.mailboxes.contains(&Covered::Everybody)
    }

    /// Takes out of the record what is not to be kept, if the mail is one of those. `key` is the store's.
    pub fn apply(&self, record: &mut Record, findings: &mut [FindingRow], key: &[u8; 32]) {
        if !self.covers(record) {
            return;
        }
        let key = self.hash.then(|| IdentityKey::new(key));
        let shorten = |text: &mut String| {
            if !text.is_empty() {
                let hash = key.as_ref().map(|key| format!("[{}]", hex(&key.key_of(text))));
                *text = hash.unwrap_or_else(|| MINIMISED.to_owned());
            }
        };
        shorten(&mut record.subject);
        shorten(&mut record.header_from_name);
        record.attachments.iter_mut().for_each(|(name, _)| shorten(name));
        for finding in findings {
            finding.evidence.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::tests::found;

    #[test]
    fn what_is_not_to_be_kept_goes() {
        let mailboxes = vec![Covered::Address(Address::parse("Registrator@exempelby.se").unwrap())];
        let apply = |minimise: &Minimise| {
            let mut record = found("Anmälan om missförhållanden").record;
            minimise.apply(&mut record, &mut [], &[7; 32]);
            record
        };
        let record = apply(&Minimise { mailboxes: mailboxes.clone(), hash: false });
        assert_eq!((record.subject.as_str(), record.attachments[0].0.as_str()), (MINIMISED, MINIMISED));
        assert_eq!(record.attachments[0].1, 1_024, "sizes stay");
        let hashed = Minimise { mailboxes, hash: true };
        let (first, second) = (apply(&hashed), apply(&hashed));
        assert!(
            first.subject == second.subject && first.subject.len() == 34 && !first.subject.contains("Anm")
        );
        assert_ne!(first.attachments[0].0, first.attachments[1].0);
        let other =
            Minimise { mailboxes: vec![Covered::Domain(Domain::new("socialen.exempelby.se"))], hash: false };
        assert_eq!(apply(&other).subject, "Anmälan om missförhållanden");
    }
}

//! The authorities of an organisation: a board, a joint authority, a company. Each has mailboxes, and no mailbox has two.

#![deny(clippy::disallowed_methods)]

use std::collections::HashMap;

use crate::address::{Address, DomainPattern};

/// The authorities that have settings of their own, in the order of the config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authorities {
    names: Vec<String>,
    /// Each in the form that stands for its mailbox.
    of_address: HashMap<Address, usize>,
    of_domain: Vec<(DomainPattern, usize)>,
}

impl Authorities {
    /// Adds one; its number.
    pub fn add(&mut self, name: String) -> usize {
        self.names.push(name);
        self.names.len() - 1
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The name of one.
    pub fn name(&self, number: usize) -> Option<&str> {
        self.names.get(number).map(String::as_str)
    }

    /// Gives it a mailbox, in the form that stands for it; or says whose that is already.
    pub fn give_address(&mut self, number: usize, mailbox: Address) -> Result<(), usize> {
        let owner = self.of_mailbox(&mailbox);
        if let Some(other) = owner.filter(|owner| *owner != number) {
            return Err(other);
        }
        self.of_address.insert(mailbox, number);
        Ok(())
    }

    /// Gives it the mailboxes of domains; or says who has some of them already.
    pub fn give_domain(&mut self, number: usize, domains: DomainPattern) -> Result<(), usize> {
        let of_others =
            self.of_domain.iter().filter(|(other, _)| overlap(other, &domains)).map(|(_, owner)| *owner);
        let there = self
            .of_address
            .iter()
            .filter(|(mailbox, _)| domains.matches_address(mailbox))
            .map(|(_, owner)| *owner);
        if let Some(other) = of_others.chain(there).filter(|owner| *owner != number).min() {
            return Err(other);
        }
        self.of_domain.push((domains, number));
        Ok(())
    }

    /// Whose mailbox it is.
    pub fn of_mailbox(&self, mailbox: &Address) -> Option<usize> {
        let of_domain = || self.of_domain.iter().find(|(domains, _)| domains.matches_address(mailbox));
        self.of_address.get(mailbox).copied().or_else(|| of_domain().map(|(_, owner)| *owner))
    }
}

/// Whether any domain is one of both. A domain is not one of those below it.
fn overlap(one: &DomainPattern, other: &DomainPattern) -> bool {
    match (one, other) {
        (DomainPattern::Exact(domain), pattern) | (pattern, DomainPattern::Exact(domain)) => {
            pattern.matches(domain)
        }
        (DomainPattern::Below(own), DomainPattern::Below(others)) => {
            own == others || one.matches(others) || other.matches(own)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_what_another_has() {
        let address = |text: &str| Address::parse(text).unwrap();
        let domain = |text: &str| DomainPattern::parse(text).unwrap();
        let mut all = Authorities::default();
        let (first, second) = (all.add("A".into()), all.add("B".into()));
        assert_eq!(all.give_address(first, address("a@exempelby.se")), Ok(()));
        assert_eq!(all.give_address(second, address("A@exempelby.se")), Err(first));
        assert_eq!(all.give_domain(second, domain("exempelby.se")), Err(first));
        assert_eq!(all.give_domain(second, domain("*.exempelby.se")), Ok(()));
        assert_eq!(all.give_domain(first, domain("skola.exempelby.se")), Err(second));
        assert_eq!(all.give_domain(first, domain("*.skola.exempelby.se")), Err(second));
        assert_eq!(all.give_address(first, address("x@skola.exempelby.se")), Err(second));
        assert_eq!(all.give_domain(first, domain("exempelby.se")), Ok(()));
        assert_eq!(all.of_mailbox(&address("x@exempelby.se")), Some(first));
        assert_eq!(all.of_mailbox(&address("x@skola.exempelby.se")), Some(second));
        assert_eq!(all.of_mailbox(&address("x@example.org")), None);
    }
}

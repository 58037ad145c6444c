//! Lists of addresses as the config names them: mailboxes, domains and groups of these. A question costs a look into a
//! hash table, however long the list is.

#![deny(clippy::disallowed_methods)]

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crate::address::{Address, Domain, DomainPattern, DomainSet};
use crate::organisation::Organisation;

/// What a list may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// One address.
    Address(Address),
    /// Every address of a domain, `@leverantor.se`, or of all domains below one, `@*.leverantor.se`.
    Domain(DomainPattern),
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Domain(domain) => write!(f, "@{domain}"),
        }
    }
}

/// On which side the addresses that an entry names are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// All are inside.
    Inside,
    /// All are outside.
    Outside,
    /// There may be some of both.
    Both,
}

impl Entry {
    /// On which side its addresses are.
    pub fn side(&self, organisation: &Organisation) -> Side {
        let inside = match self {
            Self::Address(address) => organisation.owns(address),
            Self::Domain(DomainPattern::Exact(domain)) => organisation.owns_domain(domain),
            Self::Domain(DomainPattern::Below(domain)) => {
                let below = organisation.owns_domain(&Domain::new(&format!("a.{domain}")));
                let own = organisation.domains.iter().any(|own| {
                    let (DomainPattern::Exact(own) | DomainPattern::Below(own)) = own;
                    DomainPattern::Below(domain.clone()).matches(own)
                });
                if own && !below {
                    return Side::Both;
                }
                below
            }
        };
        if inside { Side::Inside } else { Side::Outside }
    }
}

/// The members of a group, or of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// Each in the form that stands for its mailbox.
    addresses: HashSet<Address>,
    domains: DomainSet,
}

impl Members {
    /// Adds what an entry names.
    pub fn add(&mut self, entry: Entry, organisation: &Organisation) {
        match entry {
            Entry::Address(address) => drop(self.addresses.insert(organisation.identity(&address))),
            Entry::Domain(domain) => self.domains.insert(domain),
        }
    }

    /// Whether it has the party.
    pub fn has(&self, party: &Party<'_>) -> bool {
        let at_domain =
            |address: &Address| address.domain().is_some_and(|domain| self.domains.contains(&domain));
        self.addresses.contains(&party.identity)
            || !self.domains.is_empty() && (at_domain(party.address) || at_domain(&party.identity))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.addresses.len() + self.domains.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        let addresses = self.addresses.iter().cloned().map(Entry::Address);
        addresses.chain(self.domains.iter().map(Entry::Domain))
    }
}

/// An address that lists are asked for, with the mailbox that it means.
#[derive(Clone, Debug)]
pub struct Party<'a> {
    /// The address.
    pub address: &'a Address,
    identity: Address,
}

impl<'a> Party<'a> {
    /// The address, as the organisation knows its mailbox.
    pub fn new(address: &'a Address, organisation: &Organisation) -> Self {
        Self { address, identity: organisation.identity(address) }
    }
}

/// Addresses, domains and groups, as a setting lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressList {
    fixed: Vec<Arc<Members>>,
    directories: Vec<Arc<str>>,
    written: Vec<String>,
}

impl AddressList {
    /// A list of these entries.
    pub fn of(entries: impl IntoIterator<Item = Entry>, organisation: &Organisation) -> Self {
        let (mut members, mut written) = (Members::default(), Vec::new());
        for entry in entries {
            written.push(entry.to_string());
            members.add(entry, organisation);
        }
        let fixed = if members.is_empty() { Vec::new() } else { vec![Arc::new(members)] };
        Self { fixed, directories: Vec::new(), written }
    }

    /// The members of a group that a directory knows.
    pub fn of_directory(name: Arc<str>) -> Self {
        Self { directories: vec![name], ..Self::default() }
    }

    /// The same list with the members that a directory knows under this name.
    #[must_use]
    pub fn and_directory(mut self, name: Arc<str>) -> Self {
        self.directories.push(name);
        self
    }

    /// The members of a group that stand in the config or in a file.
    pub fn of_members(members: Members) -> Self {
        Self { fixed: vec![Arc::new(members)], ..Self::default() }
    }

    /// Adds what a group has, and what the setting calls it.
    pub fn add_group(&mut self, group: &Self, written: String) {
        for members in &group.fixed {
            if !self.fixed.iter().any(|known| Arc::ptr_eq(known, members)) {
                self.fixed.push(members.clone());
            }
        }
        for name in &group.directories {
            if !self.directories.contains(name) {
                self.directories.push(name.clone());
            }
        }
        self.written.push(written);
    }

    /// Whether the party is on the list, as far as the config alone can tell.
    pub fn has(&self, party: &Party<'_>) -> bool {
        self.fixed.iter().any(|members| members.has(party))
    }

    /// The groups on the list whose members a directory knows.
    pub fn directories(&self) -> &[Arc<str>] {
        &self.directories
    }

    /// Whether nobody is on it, and nobody can be.
    pub fn is_empty(&self) -> bool {
        self.directories.is_empty() && self.fixed.iter().all(|members| members.is_empty())
    }

    /// Whether any entry fits. What a directory says is not known here.
    pub fn any(&self, fits: impl Fn(&Entry) -> bool) -> bool {
        self.entries().any(|entry| fits(&entry))
    }

    /// What is on it, in no order. What a directory says is not known here.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        self.fixed.iter().flat_map(|members| members.entries())
    }
}

/// As the config writes it.
impl fmt::Display for AddressList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organisation() -> Organisation {
        Organisation {
            domains: vec![
                DomainPattern::parse("exempelby.se").unwrap(),
                DomainPattern::parse("skola.exempelby.se").unwrap(),
            ],
            alias_domains: vec![Domain::new("exempelbykommun.se")],
            ..Organisation::default()
        }
    }

    fn entry(text: &str) -> Entry {
        match text.strip_prefix('@') {
            Some(domain) => Entry::Domain(DomainPattern::parse(domain).unwrap()),
            None => Entry::Address(Address::parse(text).unwrap()),
        }
    }

    #[test]
    fn a_list_has_mailboxes_by_all_their_addresses_and_domains_by_their_names() {
        let own = organisation();
        let has = |list: &[&str], address: &str| {
            let list = AddressList::of(list.iter().map(|text| entry(text)), &own);
            list.has(&Party::new(&Address::parse(address).unwrap(), &own))
        };
        for address in ["ANNA@exempelby.se", "anna+x@exempelby.se", "anna@exempelbykommun.se"] {
            assert!(has(&["anna@exempelby.se"], address) && has(&["anna@exempelbykommun.se"], address));
        }
        assert!(has(&["x@example.org"], "X@Example.org") && !has(&["x@example.org"], "x+a@example.org"));
        assert!(has(&["@exempelby.se"], "bo@exempelbykommun.se"));
        assert!(!has(&["@exempelby.se"], "bo@skola.exempelby.se"));
        assert!(has(&["@*.exempelby.se"], "bo@skola.exempelby.se") && !has(&[], "bo@exempelby.se"));
    }

    #[test]
    fn groups_are_shared_and_counted_once() {
        let own = organisation();
        let mut members = Members::default();
        members.add(entry("anna@exempelby.se"), &own);
        members.add(entry("anna@exempelbykommun.se"), &own);
        assert_eq!(members.len(), 1);
        let group = AddressList::of_members(members);
        let mut list = AddressList::of([entry("@example.org")], &own);
        list.add_group(&group, "group:hr".into());
        list.add_group(&group, "group:staff".into());
        assert_eq!((list.fixed.len(), list.to_string().as_str()), (2, "@example.org, group:hr, group:staff"));
        assert!(list.has(&Party::new(&Address::parse("anna@exempelby.se").unwrap(), &own)));
    }

    #[test]
    fn sides() {
        let own = organisation();
        for (text, side) in [
            ("anna@exempelby.se", Side::Inside),
            ("anna@exempelbykommun.se", Side::Inside),
            ("@skola.exempelby.se", Side::Inside),
            ("@*.exempelby.se", Side::Both),
            ("@*.skola.exempelby.se", Side::Outside),
            ("@example.org", Side::Outside),
            ("x@example.org", Side::Outside),
        ] {
            assert_eq!(entry(text).side(&own), side, "{text}");
        }
    }
}

//! Lists of addresses in a setting: mailboxes, `@domain` and `group:NAME`, one of them or several in brackets.

#![deny(clippy::disallowed_methods)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::parse::{self, nearest, shown};
use super::problem::Fault;
use super::{Kind, Settings, Value};
use crate::address::{Address, DomainPattern};
use crate::groups::{AddressList, Entry};
use crate::organisation::Organisation;

/// What a list calls a group: no address has a colon and no `@`.
pub const GROUP: &str = "group:";

/// The groups that lists may name, and who is inside.
#[derive(Debug, Default)]
pub struct Groups {
    /// Default where `[organisation]` is wrong.
    pub organisation: Arc<Organisation>,
    /// By name.
    pub groups: BTreeMap<String, AddressList>,
    named: RefCell<BTreeSet<String>>,
}

impl Groups {
    /// Those of the config, and which of them are named in others.
    pub fn new(
        organisation: Arc<Organisation>,
        groups: BTreeMap<String, AddressList>,
        named: BTreeSet<String>,
    ) -> Self {
        Self { organisation, groups, named: RefCell::new(named) }
    }

    /// Whether any list has asked for the group.
    pub fn is_named(&self, name: &str) -> bool {
        self.named.borrow().contains(name)
    }

    fn find(&self, name: &str) -> Result<&AddressList, Fault> {
        self.named.borrow_mut().insert(name.to_owned());
        self.groups.get(name).ok_or_else(|| unknown_group(name, self.groups.keys().map(String::as_str)))
    }
}

/// What is said of a group that there is not.
pub fn unknown_group<'n>(name: &str, known: impl Iterator<Item = &'n str> + Clone) -> Fault {
    let problem = format!("there is no group {}", shown(name));
    let names: Vec<&str> = known.clone().collect();
    let right = match nearest(name, known) {
        Some(near) => format!("did you mean \"{GROUP}{near}\"? Known groups: {}", names.join(", ")),
        None if names.is_empty() => format!("add [groups.{}] with members", parse::shown_key(name)),
        None => format!("known groups: {}", names.join(", ")),
    };
    Fault::new(problem, right)
}

/// What one value of a list is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// An address, or a domain.
    Entry(Entry),
    /// The group of this name.
    Group(String),
}

/// The name of the group that the value names, if it does.
pub fn group_name(value: &Value) -> Option<&str> {
    match &value.kind {
        Kind::Text(text) => text.strip_prefix(GROUP).map(str::trim),
        Kind::Date(_) | Kind::List(_) | Kind::Table(_) | Kind::Flag(_) | Kind::Number(_) | Kind::Other(_) => {
            None
        }
    }
}

/// A value of a list. Without `domains` it may be no `@domain`.
pub fn item(value: &Value, domains: bool) -> Result<Item, Fault> {
    let given = parse::text(value)?;
    match given.strip_prefix(GROUP) {
        Some(name) => Ok(Item::Group(name.trim().to_owned())),
        None => entry(given, domains).map(Item::Entry),
    }
}

/// An address or `@domain`, as it stands in a list or on a line of a file.
pub fn entry(given: &str, domains: bool) -> Result<Entry, Fault> {
    let Some(domain) = given.strip_prefix('@') else {
        return parse::mailbox(given, domains).map(Entry::Address);
    };
    if !domains {
        let problem = format!("{} names a whole domain", shown(given));
        return Err(Fault::new(problem, "name each mailbox, or a group: \"group:NAME\""));
    }
    let right = "write @exempelby.se, or @*.exempelby.se for all domains below it";
    let wrong = || Fault::new(format!("{} is not a domain", shown(given)), right);
    let pattern = DomainPattern::parse(domain).map_err(|_| wrong())?;
    let (DomainPattern::Exact(name) | DomainPattern::Below(name)) = &pattern;
    if parse::is_domain(name.as_str()) { Ok(Entry::Domain(pattern)) } else { Err(wrong()) }
}

/// What an entry of a list has to be.
#[derive(Clone, Copy)]
pub struct Fits<'f> {
    /// Whether it may be a whole domain.
    pub domains: bool,
    /// What is wrong with an entry that could have no effect there.
    pub entry: &'f dyn Fn(&Entry) -> Result<(), Fault>,
}

/// Anything.
pub const ANYBODY: Fits<'static> = Fits { domains: true, entry: &|_| Ok(()) };

impl Settings<'_> {
    /// The addresses in the list under `key`, or the one that stands there alone. `None` without the key.
    pub fn addresses(&mut self, key: &'static str, fits: Fits<'_>) -> Option<AddressList> {
        let value = self.value(key)?;
        Some(self.address_list(key, value, fits))
    }

    /// The same; without the key `right` says what to write.
    pub fn required_addresses(
        &mut self,
        key: &'static str,
        right: &str,
        fits: Fits<'_>,
    ) -> Option<AddressList> {
        let value = self.need(key, right)?;
        Some(self.address_list(key, value, fits))
    }

    /// The group of this name, where its members have to be known without asking anybody, and who is inside.
    pub fn fixed_group(&self, name: &str) -> Result<(AddressList, Arc<Organisation>), Fault> {
        let known = self.report.groups();
        let group = known.find(name)?;
        if !group.directories().is_empty() {
            let problem =
                format!("a directory knows the members of {GROUP}{name} today, and not those of old mail");
            return Err(Fault::new(problem, "name a group whose members stand in the config or in a file"));
        }
        let mut list = AddressList::default();
        list.add_group(group, format!("{GROUP}{name}"));
        Ok((list, known.organisation.clone()))
    }

    /// The mailboxes of the group of this name, where each has to be known before any mail comes.
    pub fn mailboxes_of_group(&self, name: &str) -> Result<Vec<Address>, Fault> {
        let group = self.report.groups().find(name)?;
        if !group.directories().is_empty() {
            let problem = format!(
                "a directory knows the members of {GROUP}{name}, and here they must not change unseen"
            );
            return Err(Fault::new(problem, "name a group whose members stand in the config or in a file"));
        }
        let mut all = Vec::new();
        for entry in group.entries() {
            match entry {
                Entry::Address(address) => all.push(address),
                Entry::Domain(domain) => {
                    let problem = format!("{GROUP}{name} has @{domain}, which is no mailbox");
                    return Err(Fault::new(problem, "name a group of mailboxes, or each mailbox"));
                }
            }
        }
        all.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        Ok(all)
    }

    /// The groups that these values under `key` name; one that there is not is a problem.
    pub fn groups_in(&self, key: &str, values: &[&Value]) -> AddressList {
        let known = self.report.groups();
        let mut list = AddressList::default();
        for value in values {
            let Some(name) = group_name(value) else { continue };
            if let Some(group) = self.accept(key, value.at, known.find(name)) {
                list.add_group(group, format!("{GROUP}{name}"));
            }
        }
        list
    }

    /// What is wrong is reported, and the rest is read.
    fn address_list(&self, key: &str, value: &Value, fits: Fits<'_>) -> AddressList {
        let known = self.report.groups();
        let values = match &value.kind {
            Kind::List(_) => self.items(key, value).unwrap_or_default(),
            Kind::Text(_)
            | Kind::Date(_)
            | Kind::Flag(_)
            | Kind::Table(_)
            | Kind::Number(_)
            | Kind::Other(_) => value.one_or_more(),
        };
        if let Kind::List(given) = &value.kind
            && given.is_empty()
        {
            self.wrong(key, value.at, Fault::new("is empty", "name an address, or remove the key"));
        }
        let (mut entries, mut groups) = (Vec::new(), Vec::new());
        for value in values {
            let item = item(value, fits.domains).and_then(|item| match item {
                Item::Entry(entry) => (fits.entry)(&entry).map(|()| entries.push(entry)),
                Item::Group(name) => {
                    let group = known.find(&name)?;
                    group_fits(&name, group, fits)?;
                    groups.push((format!("{GROUP}{name}"), group));
                    Ok(())
                }
            });
            self.accept(key, value.at, item);
        }
        let mut list = AddressList::of(entries, &known.organisation);
        for (written, group) in groups {
            list.add_group(group, written);
        }
        list
    }
}

/// A group whose members are known has to have one that can have an effect there.
fn group_fits(name: &str, group: &AddressList, fits: Fits<'_>) -> Result<(), Fault> {
    let usable =
        |entry: &Entry| (fits.entry)(entry).is_ok() && (fits.domains || matches!(entry, Entry::Address(_)));
    if !group.directories().is_empty() || group.is_empty() || group.any(usable) {
        return Ok(());
    }
    let first: RefCell<Option<Fault>> = RefCell::default();
    group.any(|entry| {
        *first.borrow_mut() = (fits.entry)(entry).err();
        true
    });
    let why = first.take().map(|fault| format!(": {}", fault.problem)).unwrap_or_default();
    let problem = format!("no member of {GROUP}{name} can have an effect here{why}");
    Err(Fault::new(problem, "name another group, or remove it here"))
}

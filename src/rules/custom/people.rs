//! Addresses in a condition: patterns, and groups.

#![deny(clippy::disallowed_methods)]

use super::held::Held;
use super::pattern::{Case, Patterns};
use crate::address::Address;
use crate::facts::{Cause, Facts};
use crate::groups::{AddressList, Party};
use crate::settings::lists::group_name;
use crate::settings::{Kind, Settings, Value};

/// Patterns and groups, of which one is enough.
#[derive(Debug)]
pub(in crate::rules) struct People {
    patterns: Option<Patterns>,
    groups: AddressList,
}

impl People {
    /// Those under the key.
    pub(in crate::rules) fn read(section: &mut Settings<'_>, key: &'static str) -> Option<Self> {
        let value = section.value(key)?;
        let (groups, patterns): (Vec<&Value>, Vec<&Value>) =
            value.one_or_more().iter().partition(|value| group_name(value).is_some());
        let patterns = if groups.is_empty() {
            Some(Patterns::read(section, key, value, Case::Same))
        } else if patterns.is_empty() {
            None
        } else {
            let rest = Value { at: value.at, kind: Kind::List(patterns.into_iter().cloned().collect()) };
            Some(Patterns::read(section, key, &rest, Case::Same))
        };
        Some(Self { patterns, groups: section.groups_in(key, &groups) })
    }

    /// Whether the text, or the address that it is, is one of those.
    pub(in crate::rules) fn have(
        &self,
        text: &str,
        address: Option<&Address>,
        facts: &Facts,
    ) -> Result<bool, Cause> {
        if self.patterns.as_ref().is_some_and(|patterns| patterns.match_in(text)) {
            return Ok(true);
        }
        match address {
            Some(address) => facts.is_listed(&self.groups, &Party::new(address, &facts.organisation)),
            None => Ok(false),
        }
    }

    /// Whether one of the addresses is one of those.
    pub(super) fn have_any<'f>(&self, all: impl IntoIterator<Item = &'f Address>, facts: &Facts) -> Held {
        let mut unknown = None;
        for address in all {
            match self.have(address.as_str(), Some(address), facts) {
                Ok(true) => return Held::Yes,
                Ok(false) => {}
                Err(cause) => unknown = Some(cause),
            }
        }
        unknown.map_or(Held::No, Held::Unknown)
    }

    /// The recipients that are among those. Where some are, nobody asks about the others.
    pub(in crate::rules) fn recipients(&self, facts: &Facts) -> Result<Vec<usize>, Cause> {
        let (mut found, mut unknown) = (Vec::new(), None);
        for (index, recipient) in facts.recipients.iter().enumerate() {
            match self.have(recipient.address.as_str(), Some(&recipient.address), facts) {
                Ok(true) => found.push(index),
                Ok(false) => {}
                Err(cause) => unknown = Some(cause),
            }
        }
        match unknown {
            Some(cause) if found.is_empty() => Err(cause),
            Some(_) | None => Ok(found),
        }
    }
}

//! `[groups.<name>]`: named lists of addresses, in the config, in files, and in a directory.

#![deny(clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::sync::Arc;

use super::directory::{self, DirectoryGroup};
use crate::groups::{AddressList, Members};
use crate::limits;
use crate::organisation::Organisation;
use crate::settings::lists::{self, GROUP, Groups, Item};
use crate::settings::problem::Fault;
use crate::settings::{Entry, Settings, Table, Value, parse};

/// One group, before the groups in it are known.
struct Draft {
    at: usize,
    own: Members,
    /// What it names, and where.
    groups: Vec<(String, usize)>,
    directory: Option<DirectoryGroup>,
}

/// `[groups]`: what lists may name from now on, and the directories that know some of it.
pub(super) fn groups(
    section: &mut Settings<'_>,
    organisation: &Arc<Organisation>,
) -> (Groups, Vec<DirectoryGroup>) {
    let entries = section.entries();
    if entries.len() > limits::GROUPS {
        let problem = format!("has {} groups, more than the maximum of {}", entries.len(), limits::GROUPS);
        section.wrong_here(Fault::new(problem, "combine some of them"));
    }
    let mut drafts = BTreeMap::new();
    for entry in entries.iter().take(limits::GROUPS) {
        if !is_name(&entry.key) {
            let fault =
                Fault::new("is not a valid group name", "write letters, digits, `-` and `_`, such as hr");
            section.wrong(&parse::shown_key(&entry.key), entry.at, fault);
            continue;
        }
        let read = |s: &mut Settings<'_>| draft(s, entry, organisation);
        if let Some(draft) = section.nested(&entry.key, &entry.value, read) {
            drafts.insert(entry.key.clone(), draft);
        }
    }
    let mut whole = Resolved { section, drafts: &drafts, done: BTreeMap::new(), open: Vec::new() };
    for name in drafts.keys() {
        whole.resolve(name);
    }
    let done = whole.done;
    let named = drafts.values().flat_map(|draft| draft.groups.iter().map(|(name, _)| name.clone())).collect();
    let directories = drafts.into_values().filter_map(|draft| draft.directory).collect();
    (Groups::new(organisation.clone(), done, named), directories)
}

/// Warns of groups that nothing names.
pub(super) fn warn_of_the_unnamed(section: &Settings<'_>, table: &Table, groups: &Groups) {
    for name in groups.groups.keys().filter(|name| !groups.is_named(name)) {
        let key = format!("groups.{name}");
        if let Some(at) = table.place(&key) {
            let right = format!("write \"{GROUP}{name}\" in a list, or remove the group");
            section.warn(&key, at, Fault::new("is not used", right));
        }
    }
}

fn is_name(name: &str) -> bool {
    (1..=limits::GROUP_NAME_OCTETS).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn draft(section: &mut Settings<'_>, entry: &Entry, organisation: &Organisation) -> Draft {
    let mut draft = Draft { at: entry.at, own: Members::default(), groups: Vec::new(), directory: None };
    let elsewhere = section.names("file") || section.names("ldap");
    let right = "write members = [\"anna@exempelby.se\"], or file = \"hr.txt\"";
    if let Some(values) = section.list("members") {
        for value in values {
            match section.accept("members", value.at, lists::item(value, true)) {
                Some(Item::Entry(entry)) => draft.own.add(entry, organisation),
                Some(Item::Group(name)) => draft.groups.push((name, value.at)),
                None => {}
            }
        }
        if values.is_empty() && !elsewhere {
            section.wrong_here(Fault::new("has no members", right));
        }
    } else if !elsewhere && !section.names("members") {
        section.wrong_here(Fault::new("has no members", right));
    }
    read_file(section, &mut draft.own, organisation);
    draft.directory = section.table("ldap", |ldap| directory::directory(ldap, &entry.key)).flatten();
    draft
}

/// The members in the file: one on each line, comments after `#`. Every wrong line is told.
fn read_file(section: &mut Settings<'_>, members: &mut Members, organisation: &Organisation) {
    let Some(at) = section.value("file").map(|value: &Value| value.at) else { return };
    let mut wrong = Vec::new();
    let read = section.file_up_to(limits::GROUP_FILE_OCTETS, "file", |file| {
        for (number, line) in file.text.lines().enumerate() {
            let entry = line.split('#').next().unwrap_or_default().trim();
            if entry.is_empty() {
                continue;
            }
            match lists::entry(entry, true) {
                Ok(entry) => members.add(entry, organisation),
                Err(fault) => wrong.push(file.fault(number + 1, fault.problem, fault.suggestion)),
            }
        }
        if members.len() > limits::GROUP_ENTRIES {
            let (count, most) = (members.len(), limits::GROUP_ENTRIES);
            let problem = format!("{} has {count} entries, more than the maximum of {most}", file.name);
            return Err(Fault::new(problem, "divide it into several groups"));
        }
        Ok(())
    });
    if read.is_some() && wrong.is_empty() && members.is_empty() {
        let right = "check how the file is made; the group has no members";
        section.warn("file", at, Fault::new("names a file without entries", right));
    }
    for fault in wrong {
        section.wrong("file", at, fault);
    }
}

/// Puts groups into the groups that name them.
struct Resolved<'r, 's, 't> {
    section: &'r Settings<'s>,
    drafts: &'t BTreeMap<String, Draft>,
    done: BTreeMap<String, AddressList>,
    /// Those that are being made, the outermost first.
    open: Vec<&'t str>,
}

impl<'t> Resolved<'_, '_, 't> {
    /// As deep as there are groups at the most, of which there are few.
    fn resolve(&mut self, name: &'t str) {
        let Some(draft) = self.drafts.get(name).filter(|_| !self.done.contains_key(name)) else { return };
        if let Some(begin) = self.open.iter().position(|open| *open == name) {
            let chain: Vec<&str> = self.open.iter().skip(begin).copied().chain([name]).collect();
            let problem = format!("contains itself: {}", chain.join(" > "));
            self.section.wrong(
                name,
                draft.at,
                Fault::new(problem, "remove one of these groups from another"),
            );
            self.done.insert(name.to_owned(), AddressList::default());
            return;
        }
        self.open.push(name);
        let mut list = AddressList::of_members(draft.own.clone());
        if let Some(directory) = &draft.directory {
            list = list.and_directory(directory.name.clone());
        }
        for (inner, at) in &draft.groups {
            self.resolve(inner);
            if let Some(group) = self.done.get(inner) {
                list.add_group(group, format!("{GROUP}{inner}"));
            } else {
                let known = self.drafts.keys().map(String::as_str);
                let key = format!("{name}.members");
                self.section.wrong(&key, *at, lists::unknown_group(inner, known));
            }
        }
        self.open.pop();
        self.done.entry(name.to_owned()).or_insert(list);
    }
}

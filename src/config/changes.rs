//! What an authority says of rules otherwise than the organisation: each table is read over that of the organisation, so
//! what it does not say is inherited.

#![deny(clippy::disallowed_methods)]

use super::context::RuleContext;
use super::policies::{self, Configured, Read, no_such_rule, rule};
use crate::policy::{Mode, RulePolicy};
use crate::rules::{ALL, ActionSet, Rule, Section, Spec};
use crate::settings::defaults::Defaults;
use crate::settings::problem::Fault;
use crate::settings::{Entry, Kind, Settings, Table, parse};

/// What an authority says of a rule otherwise than the organisation.
#[derive(Debug)]
pub(super) struct Change {
    authority: usize,
    id: String,
    rule: Option<Box<dyn Rule>>,
    policy: RulePolicy,
}

/// The rules that are not off for everybody.
fn applied(mut all: Vec<Read>, changes: Vec<Change>) -> Vec<Configured> {
    for Change { authority, id, rule, policy } in changes {
        match all.iter_mut().find(|read| read.id == id) {
            Some(read) => {
                // A rule that is off for the others need not be whole in its own section.
                read.rule = read.rule.take().or(rule);
                read.policy.authorities.push((authority, policy));
            }
            None if policy.mode == Mode::Off => {}
            None => {
                let off = RulePolicy { mode: Mode::Off, ..policy.clone() };
                all.push(Read {
                    id,
                    rule,
                    policy: RulePolicy { authorities: vec![(authority, policy)], ..off },
                });
            }
        }
    }
    let is_on = |read: &Read| read.policy.all().any(|policy| policy.mode != Mode::Off);
    all.into_iter().filter(is_on).filter_map(|read| Some((read.rule?, read.policy))).collect()
}

/// `[rules]`: the rules that are not off, with what authorities change.
pub(super) fn rules(
    section: &mut Settings<'_>,
    ground: RuleContext<'_>,
    changes: Vec<Change>,
) -> Vec<Configured> {
    let all = policies::sections(section, ground);
    policies::in_order(section, applied(all, changes))
}

/// `[authorities.rules]`: each table is read over that of the organisation.
pub(super) fn changes(
    section: &mut Settings<'_>,
    authority: usize,
    ground: RuleContext<'_>,
    whole: (&Table, &Defaults),
) -> Vec<Change> {
    let mut all = Vec::new();
    for entry in section.entries() {
        match ALL.iter().find(|spec| spec.id == entry.key) {
            None => section.wrong(&parse::shown_key(&entry.key), entry.at, no_such_rule(&entry.key)),
            Some(spec) => match spec.section {
                Section::One => all.extend(change(section, entry, (spec, spec.id), authority, ground, whole)),
                Section::Named(_) => {
                    let of_names = section.nested(spec.id, &entry.value, |section| {
                        let entries = section.entries();
                        let one = |entry: &Entry| {
                            let id = format!("{}.{}", spec.id, entry.key);
                            change(section, entry, (spec, &id), authority, ground, whole)
                        };
                        entries.iter().filter_map(one).collect::<Vec<_>>()
                    });
                    all.extend(of_names.unwrap_or_default());
                }
            },
        }
    }
    all
}

/// One table of `[authorities.rules]`.
fn change(
    section: &Settings<'_>,
    entry: &Entry,
    (spec, id): (&Spec, &str),
    authority: usize,
    ground: RuleContext<'_>,
    (whole, defaults): (&Table, &Defaults),
) -> Option<Change> {
    let key = parse::shown_key(&entry.key);
    if spec.menu == ActionSet::Receipt {
        let right = "write receipt_template here, or name and template in [[rules.receipt.mailboxes]]";
        section.wrong(&key, entry.at, Fault::new("is not settable for an authority", right));
        return None;
    }
    let Kind::Table(own) = &entry.value.kind else {
        let fault = Fault::new(format!("is {}, not a table", entry.value.kind.word()), "write it as a table");
        section.wrong(&key, entry.value.at, fault);
        return None;
    };
    let path = format!("rules.{id}");
    let Some(other) = whole.below(&path) else {
        let right = format!("add [{path}] with mode = \"off\", if it is for this authority alone");
        section.wrong(&key, entry.at, Fault::new(format!("changes [{path}], which there is not"), right));
        return None;
    };
    for entry in &own.entries {
        let what_it_finds = spec.keys.iter().any(|key| key.name == entry.key);
        let (problem, right) = match &*entry.key {
            _ if what_it_finds => (
                "says what the rule finds, which is the same for the whole organisation",
                "change what follows from it, or write a custom rule for these mailboxes",
            ),
            "exceptions" => (
                "is not settable for an authority",
                "write the exception below the rule itself, with mailbox or recipient",
            ),
            _ => continue,
        };
        section.wrong(&format!("{key}.{}", entry.key), entry.at, Fault::new(problem, right));
        return None;
    }
    let read = section.overlay(&key, own, (other, defaults.below(&path)), |s| rule(s, spec, id, ground));
    read.map(|Read { id, rule, policy }| Change { authority, id, rule, policy })
}

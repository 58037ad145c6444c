//! `[[authorities]]`: a board, a joint authority, a company, with its own settings; what it does not say is inherited.

#![deny(clippy::disallowed_methods)]

use std::sync::Arc;

use super::changes::{self, Change};
use super::context::{RuleContext, place};
use super::minimise::Covered;
use super::{Retention, exceptions, notices};
use crate::groups::{AddressList, Entry as Member};
use crate::limits;
use crate::notice::{NoticeSettings, Voice};
use crate::organisation::{Authorities, Organisation};
use crate::policy::Place;
use crate::settings::defaults::Defaults;
use crate::settings::lists::Fits;
use crate::settings::problem::Fault;
use crate::settings::{Settings, Table, Value, parse};
use crate::templates::{Occasion, Template};

/// What an authority says of itself beside its name and its mailboxes.
struct Own {
    voice: Option<Voice>,
    retention: Option<Retention>,
    receipt: Option<Template>,
    changes: Vec<Change>,
}

/// Every authority, and what each says.
#[derive(Debug, Default)]
pub(super) struct Configured {
    /// Whose mailbox is whose.
    pub(super) known: Authorities,
    /// In whose name each gives notice, by its number.
    pub(super) voices: Vec<Voice>,
    /// For how long records are kept.
    pub(super) retention: Vec<Retention>,
    /// The text of receipts, by its number.
    pub(super) receipts: Vec<Option<Template>>,
    /// What is otherwise in rules.
    pub(super) changes: Vec<Change>,
}

/// What each authority is read with.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) ground: RuleContext<'a>,
    pub(super) organisation: &'a Arc<Organisation>,
    /// What holds for the organisation.
    pub(super) notices: Option<&'a NoticeSettings>,
    /// The whole config, and the defaults of its keys.
    pub(super) whole: (&'a Table, &'a Defaults),
}

/// `[[authorities]]`.
pub(super) fn authorities(root: &mut Settings<'_>, around: Around<'_>) -> Configured {
    let values = root.list("authorities").unwrap_or_default();
    if let Some(value) = values.get(limits::AUTHORITIES) {
        let (count, most) = (values.len(), limits::AUTHORITIES);
        let problem = format!("are {count}, more than the maximum of {most}");
        root.wrong(
            "authorities",
            value.at,
            Fault::new(problem, "list only those with settings of their own"),
        );
    }
    let mut all = Configured::default();
    let mut places: Vec<Place> = Vec::new();
    for value in values.iter().take(limits::AUTHORITIES) {
        root.nested("authorities", value, |section| authority(section, &mut all, &mut places, around));
    }
    all
}

fn authority(section: &mut Settings<'_>, all: &mut Configured, places: &mut Vec<Place>, around: Around<'_>) {
    let name = section
        .required("name", "write name = \"Socialnämnden\"", |value| parse::text(value).map(str::to_owned));
    let name = name.unwrap_or_default();
    let number = all.known.add(name.clone());
    let known = |number: usize| all.known.name(number).filter(|known| !known.is_empty() && *known == name);
    if let Some((first, _)) = places.iter().enumerate().find(|(number, _)| known(*number).is_some()) {
        let at = places.get(first).map(ToString::to_string).unwrap_or_default();
        section.wrong_here(Fault::new(
            format!("{} is also at {at}", parse::shown(&name)),
            "keep one of the two",
        ));
    }
    places.push(place(section));
    let mailboxes = mailboxes(section, around);
    if let Some((at, list)) = &mailboxes {
        claim(section, (*at, list), number, all, places, around.organisation);
    }
    let own = own(section, &name, mailboxes.map(|(_, list)| list), number, around);
    if let Some(notices) = around.notices {
        let inherited = || Voice { from: notices.notices_from.clone(), texts: notices.texts.clone() };
        all.voices.push(own.voice.unwrap_or_else(inherited));
    }
    all.retention.extend(own.retention);
    all.receipts.push(own.receipt);
    all.changes.extend(own.changes);
}

/// Its mailboxes, and where they stand.
fn mailboxes(section: &mut Settings<'_>, around: Around<'_>) -> Option<(usize, AddressList)> {
    let member =
        |entry: &Member| exceptions::inside(entry, around.ground, "an authority has mailboxes inside");
    let right = "write mailboxes = [\"@socialen.exempelby.se\"]";
    let list = section.required_addresses("mailboxes", right, Fits { domains: true, entry: &member })?;
    let at = section.value("mailboxes")?.at;
    if let Some(name) = list.directories().first() {
        let problem = format!(
            "a directory knows the members of group:{name}, and whose mail was whose must not change unseen"
        );
        let right = "name addresses, @domains, or groups whose members stand in the config or in a file";
        section.wrong("mailboxes", at, Fault::new(problem, right));
    }
    Some((at, list))
}

/// Gives the authority its mailboxes. A mailbox that another has as well is told, once for each of the others.
fn claim(
    section: &Settings<'_>,
    (at, list): (usize, &AddressList),
    number: usize,
    all: &mut Configured,
    places: &[Place],
    organisation: &Organisation,
) {
    let mut entries: Vec<Member> = list.entries().collect();
    entries.sort_by_key(ToString::to_string);
    let mut told = Vec::new();
    for entry in entries {
        let shown = entry.to_string();
        let given = match entry {
            Member::Address(address) => all.known.give_address(number, organisation.identity(&address)),
            Member::Domain(domain) => all.known.give_domain(number, organisation.mailbox_domain(domain)),
        };
        let Err(other) = given else { continue };
        if told.contains(&other) {
            continue;
        }
        told.push(other);
        let whose = all.known.name(other).unwrap_or_default();
        let place = places.get(other).map(ToString::to_string).unwrap_or_default();
        let problem = format!("{shown} also belongs to {} ({place})", parse::shown(whose));
        section.wrong("mailboxes", at, Fault::new(problem, "name each mailbox in one authority only"));
    }
}

fn own(
    section: &mut Settings<'_>,
    name: &str,
    mailboxes: Option<AddressList>,
    number: usize,
    around: Around<'_>,
) -> Own {
    let inherited = around.notices.map(|notices| (notices.notices_from.clone(), notices.texts.clone()));
    let sends = around.ground.sends;
    let voice = section.table("notices", |section| {
        let (from, texts) = notices::notices(section, around.ground.organisation, sends);
        let (from_all, mut all) = inherited?;
        all.take(texts);
        Some(Voice { from: from.unwrap_or(from_all), texts: all })
    });
    let receipt = section.file("receipt_template", |file| Template::parse(Occasion::Receipt, file));
    let retention = retention(section, name, mailboxes, around.organisation);
    let changes =
        section.table("rules", |rules| changes::changes(rules, number, around.ground, around.whole));
    Own { voice: voice.flatten(), retention, receipt, changes: changes.unwrap_or_default() }
}

/// `keep` and `decision`.
fn retention(
    section: &mut Settings<'_>,
    name: &str,
    mailboxes: Option<AddressList>,
    organisation: &Arc<Organisation>,
) -> Option<Retention> {
    let (kept, decided) = (section.names("keep"), section.names("decision"));
    let keep = section.optional("keep", parse::duration_up_to(limits::RETENTION_LONGEST));
    let decision = section.optional("decision", |value: &Value| parse::text(value).map(str::to_owned));
    for (key, there, other, right) in [
        ("keep", kept && !decided, "decision", "write decision = \"SN 2026/45\""),
        ("decision", decided && !kept, "keep", "write keep = \"365 d\""),
    ] {
        if let Some(value) = section.value(key).filter(|_| there) {
            section.wrong(key, value.at, Fault::new(format!("requires {other}"), right));
        }
    }
    let mailboxes = vec![Covered::Group(mailboxes?, organisation.clone())];
    Some(Retention { authority: name.to_owned(), mailboxes, keep: keep?, decision: decision? })
}

/// What `[[store.retention]]` must not say again: the period of an authority that has one of its own.
pub(super) fn refuse_twice(section: &Settings<'_>, authority: &str, at: usize, own: &[Retention]) {
    if own.iter().any(|own| own.authority == authority) {
        let problem = format!("{} has keep and decision in [[authorities]]", parse::shown(authority));
        section.wrong("authority", at, Fault::new(problem, "keep one of the two"));
    }
}

//! The context of a rule's section: what it is measured by, whoever reads it.

#![deny(clippy::disallowed_methods)]

use jiff::civil::Date;

use crate::address::Address;
use crate::limits;
use crate::organisation::Organisation;
use crate::policy::Place;
use crate::settings::lists::group_name;
use crate::settings::problem::Fault;
use crate::settings::{Settings, Value, parse};
use crate::templates::Template;

/// What every section is read with.
#[derive(Clone, Copy)]
pub(super) struct RuleContext<'a> {
    /// Absent where `[organisation]` is wrong; then nothing is measured by it.
    pub(super) organisation: Option<&'a Organisation>,
    pub(super) today: Date,
    /// Whether there is an `[smtp]`.
    pub(super) sends: bool,
    /// The texts of receipts of authorities, by their numbers.
    pub(super) receipts: &'a [Option<Template>],
}

/// Where the table begins, for people.
pub(super) fn place(section: &Settings<'_>) -> Place {
    let (file, line) = section.place();
    Place { file: file.to_owned(), line }
}

/// An address that must be inside, and why.
pub(super) fn inside(value: &Value, ground: RuleContext<'_>, why: &str) -> Result<Address, Fault> {
    kept(parse::address(value)?, ground, why)
}

/// The mailboxes that the value names, all of them inside: one, or those of a group that stands in the config or in a file.
pub(super) fn mailboxes(
    section: &Settings<'_>,
    value: &Value,
    ground: RuleContext<'_>,
    why: &str,
) -> Result<Vec<Address>, Fault> {
    match group_name(value) {
        Some(name) => {
            let all = section.mailboxes_of_group(name)?;
            all.into_iter().map(|address| kept(address, ground, why)).collect()
        }
        None => inside(value, ground, why).map(|address| vec![address]),
    }
}

/// What is said of more mailboxes than there may be.
pub(super) fn too_many(count: usize, most: usize) -> Fault {
    let problem = format!("names {count} mailboxes, more than the maximum of {most}");
    Fault::new(problem, "name a mailbox that they share")
}

fn kept(address: Address, ground: RuleContext<'_>, why: &str) -> Result<Address, Fault> {
    match ground.organisation {
        Some(organisation) if !organisation.keeps(&address) => {
            let right = "write an address in one of organisation.domains";
            Err(Fault::new(format!("{address} is outside: {why}"), right))
        }
        Some(_) | None => Ok(address),
    }
}

/// Text before a subject; it must not look like something else there.
pub(super) fn tag(value: &Value) -> Result<String, Fault> {
    let given = parse::text(value)?.trim();
    let characters = given.chars().count();
    if characters <= limits::SUBJECT_TAG_CHARACTERS && !given.contains("=?") {
        return Ok(given.to_owned());
    }
    let most = limits::SUBJECT_TAG_CHARACTERS;
    let problem =
        format!("{} is longer than {most} characters, or looks like an encoded word", parse::shown(given));
    Err(Fault::new(problem, "write a short word in brackets, such as \"[SPAM?]\""))
}

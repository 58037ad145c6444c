//! The context of a rule's section: what it is measured by, whoever reads it.

#![deny(clippy::disallowed_methods)]

use jiff::civil::Date;

use crate::address::Address;
use crate::limits;
use crate::organisation::Organisation;
use crate::settings::problem::Fault;
use crate::settings::{Value, parse};

/// What every section is read with.
#[derive(Clone, Copy)]
pub(super) struct RuleContext<'a> {
    pub(super) file: &'a str,
    /// Absent where `[organisation]` is wrong; then nothing is measured by it.
    pub(super) organisation: Option<&'a Organisation>,
    pub(super) today: Date,
    /// Whether there is an `[smtp]`.
    pub(super) sends: bool,
}

/// An address that must be inside, and why.
pub(super) fn inside(value: &Value, ground: RuleContext<'_>, why: &str) -> Result<Address, Fault> {
    let address = parse::address(value)?;
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

//! `[external_sender]`: how mail from outside is marked as such.

#![deny(clippy::disallowed_methods)]

use super::context::tag;
use crate::groups::{Entry, Side};
use crate::organisation::Organisation;
use crate::policy::External;
use crate::settings::lists::Fits;
use crate::settings::problem::Fault;
use crate::settings::{Settings, parse};

/// The table; `authenticates` says whether there is an `[authentication]`.
pub(super) fn external(
    section: &mut Settings<'_>,
    organisation: Option<&Organisation>,
    authenticates: bool,
) -> Option<External> {
    let header = section.optional("header", parse::flag)?;
    let subject_tag = section.optional("subject_tag", tag);
    let value = section.value("except").filter(|_| !authenticates);
    if let Some(value) = value {
        let right = "add [authentication]: without it, everyone can write as a sender that is excepted";
        section.wrong("except", value.at, Fault::new("requires [authentication]", right));
    }
    let outside = |entry: &Entry| match organisation.map(|own| entry.side(own)) {
        Some(Side::Inside) => {
            let problem = format!("{entry} is inside, and mail from inside has no banner");
            Err(Fault::new(problem, "remove it, or write an external address"))
        }
        Some(Side::Outside | Side::Both) | None => Ok(()),
    };
    let except = section.addresses("except", Fits { domains: true, entry: &outside });
    if except.as_ref().is_some_and(|except| !except.directories().is_empty()) {
        let right = "name addresses, @domains, or groups with members or file";
        section.wrong_here(Fault::new("except names a group that only a directory knows", right));
    }
    if !header && subject_tag.is_none() && !section.names("subject_tag") {
        section.wrong_here(Fault::new("marks nothing", "add subject_tag, or remove header = false"));
    }
    Some(External { header, subject_tag, except: except.unwrap_or_default() })
}

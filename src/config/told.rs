//! `notify`: who is told of what a rule found.

#![deny(clippy::disallowed_methods)]

use super::context::{RuleContext, inside};
use crate::policy::Told;
use crate::settings::problem::Fault;
use crate::settings::{Settings, parse};

/// The list under `notify`: `sender`, `owner` and mailboxes inside; `None` without it.
pub(super) fn told(section: &mut Settings<'_>, ground: RuleContext<'_>) -> Option<Told> {
    let value = section.value("notify")?;
    let mut told = Told::default();
    for value in value.one_or_more() {
        let word = parse::text(value);
        match word {
            Ok("sender") => told.sender = true,
            Ok("owner") => told.owner = true,
            Ok(text) if !text.contains('@') => {
                let problem = format!("invalid value {}", parse::shown(text));
                let right = "write \"sender\", \"owner\", or a mailbox inside";
                section.wrong("notify", value.at, Fault::new(problem, right));
            }
            Ok(_) => {
                let mailbox = inside(value, ground, "only people inside are told");
                told.mailboxes.extend(section.accept("notify", value.at, mailbox));
            }
            Err(fault) => section.wrong("notify", value.at, fault),
        }
    }
    if !told.is_nobody() && !ground.sends {
        section.wrong("notify", value.at, Fault::new("requires [smtp]", "add [smtp] with submit"));
    }
    Some(told)
}

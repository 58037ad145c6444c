//! `notify`: who is told of what a rule found.

#![deny(clippy::disallowed_methods)]

use super::context::{RuleContext, mailboxes, too_many};
use crate::limits;
use crate::policy::Told;
use crate::settings::lists::group_name;
use crate::settings::problem::Fault;
use crate::settings::{Settings, parse};

/// The list under `notify`: `sender`, `owner`, mailboxes inside and groups of them; `None` without it.
pub(super) fn told(section: &mut Settings<'_>, ground: RuleContext<'_>) -> Option<Told> {
    let value = section.value("notify")?;
    let mut told = Told::default();
    for value in value.one_or_more() {
        let word = parse::text(value);
        match word {
            Ok("sender") => told.sender = true,
            Ok("owner") => told.owner = true,
            Ok(text) if !text.contains('@') && group_name(value).is_none() => {
                let problem = format!("invalid value {}", parse::shown(text));
                let right = "write \"sender\", \"owner\", a mailbox inside, or a group of them";
                section.wrong("notify", value.at, Fault::new(problem, right));
            }
            Ok(_) => {
                let all = mailboxes(section, value, ground, "only people inside are told");
                told.mailboxes.extend(section.accept("notify", value.at, all).unwrap_or_default());
            }
            Err(fault) => section.wrong("notify", value.at, fault),
        }
    }
    if told.mailboxes.len() > limits::RULE_MAILBOXES {
        let fault = too_many(told.mailboxes.len(), limits::RULE_MAILBOXES);
        section.wrong("notify", value.at, fault);
    }
    if !told.is_nobody() && !ground.sends {
        section.wrong("notify", value.at, Fault::new("requires [smtp]", "add [smtp] with submit"));
    }
    Some(told)
}

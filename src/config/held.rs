//! `[held]`: who acts on held mail, who is told of it, and what becomes of mail that nobody acts on.

#![deny(clippy::disallowed_methods)]

use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::Time;

use super::context::{RuleContext, inside};
use crate::address::Address;
use crate::limits;
use crate::settings::problem::Fault;
use crate::settings::{Settings, Value, parse};

/// `[held]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Whether the config has the table: where it does not, a helper that is not there is no fault.
    pub is_set: bool,
    /// The socket of the queue helper.
    pub queue_helper: PathBuf,
    /// Whether an act needs a second person.
    pub four_eyes: bool,
    /// Who is told of mail on hold where its rule has no owner of its own.
    pub owner: Option<Address>,
    /// When they are told, each day.
    pub digest_at: Time,
    /// From which age on they are told at once.
    pub remind_age: Duration,
    /// From how many on they are told at once.
    pub remind_count: u32,
    /// What nobody acted on in that time is handed over to that mailbox.
    pub at_most: Option<(Duration, Address)>,
}

/// Why a mailbox that deals with held mail is inside.
pub(super) const WHY: &str = "held mail stays inside";

/// `[held]`.
pub(super) fn held(section: &mut Settings<'_>, ground: RuleContext<'_>) -> Option<Held> {
    let mailbox = |value: &Value| inside(value, ground, WHY);
    let queue_helper = section.optional("queue_helper", parse::absolute);
    let four_eyes = section.optional("four_eyes", parse::flag);
    let owner = section.optional("owner", mailbox);
    let digest_at = section.optional("digest_at", time_of_day);
    let remind_age = section.optional("remind_age", parse::duration_up_to(limits::HELD_AT_MOST));
    let remind_count = section.optional("remind_count", parse::number(1, 10_000));
    let limit = section.optional("hold_at_most", parse::duration_up_to(limits::HELD_AT_MOST));
    let to = section.optional("hand_over_to", mailbox);
    let at_most = match (limit, to) {
        (Some(limit), Some(to)) => Some((limit, to)),
        (Some(_), None) => {
            section.wrong_here(Fault::new(
                "hold_at_most requires hand_over_to",
                "write hand_over_to = \"registrator@exempelby.se\": held mail is handed over, never returned or deleted",
            ));
            None
        }
        (None, Some(_)) => {
            section
                .wrong_here(Fault::new("hand_over_to requires hold_at_most", "write hold_at_most = \"5 d\""));
            None
        }
        (None, None) => None,
    };
    if !ground.sends && (owner.is_some() || at_most.is_some()) {
        section.wrong_here(Fault::new(
            "owner and hand_over_to require [smtp]",
            "add [smtp] with submit, or remove them",
        ));
    }
    Some(Held {
        is_set: true,
        queue_helper: queue_helper?,
        four_eyes: four_eyes?,
        owner,
        digest_at: digest_at?,
        remind_age: remind_age?,
        remind_count: remind_count?,
        at_most,
    })
}

fn time_of_day(value: &Value) -> Result<Time, Fault> {
    let given = parse::text(value)?;
    Time::strptime("%H:%M", given).map_err(|_| {
        Fault::new(format!("{} is not a time of day", parse::shown(given)), "write it as \"07:00\"")
    })
}

//! What the world outside a mail says of it, gathered at once, and added to what stands in the mail itself.

#![deny(clippy::disallowed_methods)]

use std::collections::HashMap;
use std::sync::Arc;

use super::authentication::Authentication;
use super::identity::Identity;
use super::scan::Scans;
use super::{Contact, Fact, Facts, Seen};
use crate::documents::{Reading, Reason};
use crate::groups::Members;

/// The facts that do not stand in the mail.
#[derive(Debug)]
pub struct Gathered {
    /// Which domains vouch for it.
    pub authentication: Fact<Authentication>,
    /// What scanners say.
    pub scans: Scans,
    /// What is remembered of other mail.
    pub recalled: Recalled,
    /// What was read of the attachments that were to be opened.
    pub opened: Vec<Opened>,
    /// Whether somebody here had mail from its author.
    pub contact: Fact<Contact>,
    /// How many people inside its sender has written to.
    pub addressed: Fact<u32>,
    /// The members of each group that a directory knows.
    pub groups: HashMap<Arc<str>, Fact<Arc<Members>>>,
    /// Whether it may be deferred once more.
    pub may_be_deferred: bool,
}

/// What the memory of messages from outside says of a mail.
#[derive(Debug)]
pub struct Recalled {
    /// What the mail is remembered by itself.
    pub identity: Option<Identity>,
    /// The message itself.
    pub seen: Fact<Option<Seen>>,
    /// The message that it answers or forwards.
    pub answered: Fact<Option<Seen>>,
    /// The message that is in it.
    pub contained: Fact<Option<Seen>>,
    /// How often its sender did the like.
    pub repeats: u32,
}

impl Recalled {
    /// Nothing was asked.
    pub const NOTHING: Self = Self {
        identity: None,
        seen: Fact::NotGathered,
        answered: Fact::NotGathered,
        contained: Fact::NotGathered,
        repeats: 0,
    };
}

/// An attachment that a worker was given.
#[derive(Debug)]
pub struct Opened {
    /// Its number among the attachments.
    pub attachment: usize,
    /// What was read of it, or why nothing was.
    pub reading: Result<Reading, Reason>,
}

impl Facts {
    /// Adds what was gathered.
    pub fn add(&mut self, gathered: Gathered) {
        let Gathered { authentication, scans, recalled, opened, contact, addressed, groups, may_be_deferred } =
            gathered;
        self.groups = groups;
        let Recalled { identity, seen, answered, contained, repeats } = recalled;
        (self.authentication, self.scans) = (authentication, scans);
        (self.identity, self.seen, self.answered, self.contained) = (identity, seen, answered, contained);
        self.repeats = repeats;
        (self.contact, self.addressed, self.may_be_deferred) = (contact, addressed, may_be_deferred);
        for Opened { attachment, reading } in opened {
            match reading {
                Ok(reading) => self.opened(attachment, reading),
                Err(reason) => self.unreadable(attachment, reason),
            }
        }
    }
}

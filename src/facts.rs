//! Facts: what is true of a mail, before anyone judges it.
//!
//! Odd mail is never an error: facts always come out, and what was odd is among them, as [`Defect`]s. What could not
//! be found out is [`Fact::Unavailable`], and never quietly "no".

#![deny(clippy::disallowed_methods)]

pub mod attachment;
pub mod authentication;
mod automatic;
mod confirmed;
mod contents;
pub mod direction;
pub mod extract;
pub mod file_name;
pub mod forwarding;
pub mod gathered;
pub mod grammar;
mod header;
pub mod identity;
pub mod links;
pub mod opened;
mod own_text;
pub mod pass;
pub mod passage;
mod received;
pub mod results;
pub mod scan;
mod signature;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod transaction;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::address::{Address, ReversePath};
use crate::documents::{Reason, State};
use crate::groups::Members;
use crate::mail::{Client, Direction};
pub use crate::mime::Defect;
use crate::organisation::Organisation;
use crate::work::Work;
use attachment::{Attachment, Unopened};
use authentication::Authentication;
use forwarding::Trace;
use identity::{By, Digest, Identity, Key};
use links::Link;
use passage::Passage;
use scan::Scans;

/// A fact that the world outside the mail must give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact<T> {
    /// It was found out.
    Known(T),
    /// It was asked for, and could not be had.
    Unavailable(Cause),
    /// No rule needs it.
    NotGathered,
}

/// Why a fact could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The store did not answer.
    Store,
    /// The time for it ran out.
    Deadline,
    /// The mail went over a limit.
    Limit,
    /// The DNS did not answer.
    Dns,
    /// The service cannot be reached.
    Unreachable,
    /// It failed several times in a row, and is not asked for a while.
    Paused,
    /// Its answer could not be understood.
    Protocol,
    /// It did not look.
    Skipped,
    /// The memory is too young to know.
    Learning,
    /// A fault of this program.
    Fault,
    /// A part of the mail could not be read.
    Uninspectable(Reason),
}

impl Cause {
    /// Whether it may be otherwise in a while, without anybody's doing: the machine is busy.
    pub fn is_busy(self) -> bool {
        self == Self::Uninspectable(Reason::Busy)
    }

    /// The word for it in the log, in metrics and in evidence.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Deadline => "deadline",
            Self::Limit => "limit",
            Self::Dns => "dns",
            Self::Unreachable => "unreachable",
            Self::Paused => "paused",
            Self::Protocol => "protocol",
            Self::Skipped => "skipped",
            Self::Learning => "learning",
            Self::Fault => "fault",
            Self::Uninspectable(reason) => reason.as_str(),
        }
    }
}

/// What rules need beyond the envelope and the header section. The union over the enabled rules decides what is
/// gathered, and whether the MTA is asked for bodies at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a need of its own, and any of them may be there")]
pub struct Needs {
    /// The body and what is in it: the attachments, which the log needs.
    pub body: bool,
    /// The text of the message: subject, people, body, names of attachments.
    pub text: bool,
    /// The names of what is inside archives, for which a process of its own opens them.
    pub archives: bool,
    /// What is written in documents, which the same process reads.
    pub documents: bool,
    /// What tells of a forward: traces in the header section, and the memory of messages that came from outside within
    /// so many days; 0 for not at all.
    pub seen_days: u32,
    /// Which domains vouch for a mail from outside.
    pub authentication: bool,
    /// What scanners for spam say of a mail from outside.
    pub spam_scan: bool,
    /// What the virus scanner says.
    pub virus_scan: bool,
    /// Whether somebody here had mail from the author.
    pub contact: bool,
    /// Where the HTML text leads.
    pub links: bool,
    /// How many people inside the sender has written to, within so many minutes; 0 for not at all.
    pub volume_minutes: u32,
}

impl Needs {
    /// Nothing.
    pub const NONE: Self = Self {
        body: false,
        text: false,
        archives: false,
        documents: false,
        seen_days: 0,
        authentication: false,
        spam_scan: false,
        virus_scan: false,
        contact: false,
        links: false,
        volume_minutes: 0,
    };

    /// What either of the two needs.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            body: self.body || other.body,
            text: self.text || other.text,
            archives: self.archives || other.archives,
            documents: self.documents || other.documents,
            seen_days: self.seen_days.max(other.seen_days),
            authentication: self.authentication || other.authentication,
            spam_scan: self.spam_scan || other.spam_scan,
            virus_scan: self.virus_scan || other.virus_scan,
            contact: self.contact || other.contact,
            links: self.links || other.links,
            volume_minutes: self.volume_minutes.max(other.volume_minutes),
        }
    }
}

/// What is true of one mail.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Who is inside, as the config had it when the mail came.
    pub organisation: Arc<Organisation>,
    /// When MAIL came.
    pub arrived: Timestamp,
    /// Which way it goes.
    pub direction: Direction,
    /// Whether the client is one of ours: by listener, daemon name, authentication or network.
    pub from_inside: bool,
    /// Who handed it in.
    pub client: Client,
    /// The MTA's queue id.
    pub queue_id: Option<String>,
    /// The envelope sender.
    pub sender: ReversePath,
    /// The envelope recipients, in the order of the envelope.
    pub recipients: Vec<Recipient>,
    /// Octets of the whole message.
    pub size: u64,
    /// What the header section says.
    pub header: Header,
    /// Named parts and everything else that is not the text of the message, nested ones too.
    pub attachments: Vec<Attachment>,
    /// Attachments that were not read yet, where a rule needs what is written in them.
    pub unopened: Vec<Unopened>,
    /// The text of the message, and of what it carries; where a rule needs it.
    pub passages: Vec<Passage>,
    /// What the header section tells about automatic forwarding.
    pub traces: Vec<Trace>,
    /// What of it may be recognised in another message; gathered where a rule needs the memory.
    pub contents: Contents,
    /// What the message is remembered by; absent where no rule needs the memory.
    pub identity: Option<Identity>,
    /// Whether the message came from outside before, and for whom.
    pub seen: Fact<Option<Seen>>,
    /// The message from outside that this one answers or forwards by what it refers to, where a rule asks for it.
    pub answered: Fact<Option<Seen>>,
    /// The message from outside that is in this one, whole or by an attachment, where a rule asks for it.
    pub contained: Fact<Option<Seen>>,
    /// How often its sender sent something to one of its recipients lately that looked like a forward.
    pub repeats: u32,
    /// Which domains vouch for it; gathered for mail from outside, where a rule needs it or the config asks for it.
    pub authentication: Fact<Authentication>,
    /// What scanners say.
    pub scans: Scans,
    /// Whether somebody here had mail from the author of a mail from outside.
    pub contact: Fact<Contact>,
    /// How many people inside its sender has written to within the window, this mail's recipients included. Not counted
    /// for posts of the organisation's own lists.
    pub addressed: Fact<u32>,
    /// Where the HTML text leads; where a rule needs it.
    pub links: Vec<Link>,
    /// The members of each group that a directory knows.
    pub groups: HashMap<Arc<str>, Fact<Arc<Members>>>,
    /// What was odd.
    pub defects: Vec<Defect>,
    /// Whether the mail may be deferred when the machine is too busy to read it; not for ever.
    pub may_be_deferred: bool,
    /// What may still be done for it.
    pub work: Arc<Work>,
}

impl Facts {
    /// Whether the address is one of the organisation's.
    pub fn owns(&self, address: &Address) -> bool {
        self.organisation.owns(address)
    }

    /// Whether the envelope sender is one of the organisation's addresses.
    pub fn sender_inside(&self) -> bool {
        self.sender.address().is_some_and(|sender| self.owns(sender))
    }

    /// The mailbox inside that the envelope sender is, if it is one and not somebody else's address in a new form: then a
    /// bounce goes to whoever sent the mail.
    pub fn forwarder(&self) -> Option<Address> {
        forwarding::sending_mailbox(self.sender.address()?, &self.organisation)
    }

    /// Whether the two addresses mean one mailbox.
    pub fn is_same_mailbox(&self, one: &Address, other: &Address) -> bool {
        self.organisation.is_same_mailbox(one, other)
    }

    /// Whether a mechanism's trace says that this mailbox sends on.
    pub fn is_named(&self, mailbox: &Address) -> bool {
        let mut named = self.traces.iter().filter(|trace| trace.mechanism.names_forwarder());
        named.any(|trace| trace.mailbox.as_ref().is_some_and(|own| self.is_same_mailbox(own, mailbox)))
    }

    /// Whether a message from outside that this one is, answers or holds is known to have come for this mailbox.
    pub fn is_remembered_for(&self, mailbox: &Address) -> bool {
        [&self.seen, &self.answered, &self.contained].into_iter().any(|seen| match seen {
            Fact::Known(Some(seen)) => seen.came_for(mailbox, &self.organisation),
            Fact::Known(None) | Fact::Unavailable(_) | Fact::NotGathered => false,
        })
    }

    /// Whether the message is a post of one of the organisation's own mailing lists.
    pub fn own_list(&self) -> bool {
        self.header.list_id.as_deref().is_some_and(|id| self.organisation.owns_list(id))
    }

    /// Whether some of the message's own text was not read.
    pub fn text_unread(&self) -> bool {
        self.work.was_cut()
            || self.defects.iter().any(|defect| match defect {
                Defect::Truncated
                | Defect::TooDeep
                | Defect::TooManyParts
                | Defect::BrokenEncoding
                | Defect::BrokenStructure
                | Defect::TextCut => true,
                Defect::TooManyAttachments
                | Defect::BrokenHeader
                | Defect::OddFrom
                | Defect::OddMessageId
                | Defect::Cut => false,
            })
    }

    /// Why there may be attachments that could not be seen; `None` where all of them were.
    pub fn hides_attachments(&self) -> Option<Cause> {
        let of_parts = self.defects.iter().any(|defect| match defect {
            Defect::Truncated
            | Defect::TooDeep
            | Defect::TooManyParts
            | Defect::TooManyAttachments
            | Defect::BrokenStructure => true,
            Defect::BrokenEncoding
            | Defect::TextCut
            | Defect::BrokenHeader
            | Defect::OddFrom
            | Defect::OddMessageId
            | Defect::Cut => false,
        });
        let of_archive = || {
            let hiding = self.attachments.iter().find(|one| one.hides_others(&self.attachments))?;
            Some(match hiding.state {
                State::Uninspectable(reason) => Cause::Uninspectable(reason),
                State::Plain | State::Readable(_) | State::Encrypted(_) => Cause::Limit,
            })
        };
        if of_parts { Some(Cause::Limit) } else { of_archive() }
    }

    /// Whether any recipient is outside.
    pub fn leaves(&self) -> bool {
        self.recipients.iter().any(|recipient| !recipient.inside)
    }
}

/// One envelope recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The address.
    pub address: Address,
    /// Whether it is one of the organisation's.
    pub inside: bool,
}

/// The header section, decoded.
#[derive(Clone, Debug, Default)]
pub struct Header {
    /// Every field in order: its name as written, its raw value unfolded and trimmed.
    pub fields: Vec<Field>,
    /// From (RFC 5322 §3.6.2).
    pub from: Vec<Address>,
    /// Sender.
    pub sender: Option<Address>,
    /// Reply-To.
    pub reply_to: Vec<Address>,
    /// Subject, decoded (RFC 2047), unfolded.
    pub subject: Option<String>,
    /// Message-ID with its angle brackets, as written; the first, where it is odd.
    pub message_id: Option<String>,
    /// The messages that this one follows, with their angle brackets: In-Reply-To, References, Exchange's
    /// `X-MS-Exchange-Parent-Message-Id` and Thunderbird's `X-Forwarded-Message-Id`.
    pub references: Vec<String>,
    /// Date as written.
    pub date: Option<String>,
    /// Whether Auto-Submitted (RFC 3834 §5) says anything but `no`.
    pub auto_submitted: bool,
    /// The identifier in List-Id (RFC 2919), lower case: a label and the list's domain, `nyheter.exempelby.se`.
    pub list_id: Option<String>,
    /// Whether the message is a report (RFC 6522): a bounce, a read receipt.
    pub report: bool,
}

impl Header {
    /// The values of every field of that name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name))
            .map(|field| &*field.value)
    }

    /// The value of the first field of that name.
    pub fn first<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }
}

/// One header field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name as it was written.
    pub name: Box<str>,
    /// The value, unfolded and trimmed, encoded words and all.
    pub value: Box<str>,
}

/// What of a message may be recognised in another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The Message-IDs of the messages in it, with their angle brackets.
    pub messages: Vec<String>,
    /// Hashes of its larger attachments, pictures left out: every mail of an organisation has the same ones.
    pub attachments: Vec<Digest>,
}

/// What is remembered of the author of a mail from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Keyed hash of the address.
    pub key: Key,
    /// Whether somebody here had mail from it before.
    pub known: bool,
    /// Whether that was noted so lately that it need not be noted again.
    pub fresh: bool,
    /// Since when authors are remembered; no earlier author is known.
    pub since: Timestamp,
}

/// A message that came from outside before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// By what it was recognised.
    pub by: By,
    /// When it came.
    pub at: Timestamp,
    /// The local mailboxes that it came for.
    pub mailboxes: Vec<Address>,
    /// Who wrote it: its envelope sender, and who stands in From and Reply-To.
    pub authors: Vec<Address>,
}

impl Seen {
    /// Whether it came for that mailbox.
    pub fn came_for(&self, mailbox: &Address, organisation: &Organisation) -> bool {
        self.mailboxes.iter().any(|own| organisation.is_same_mailbox(own, mailbox))
    }
}

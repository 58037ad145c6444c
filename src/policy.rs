//! Policy: what follows from findings. Rules find, policy decides, effects act; none knows the next.

#![deny(clippy::disallowed_methods)]

mod authorities;
mod content;
pub mod decide;
pub mod exceptions;
mod external;
mod notices;
pub mod overrides;
pub mod receipts;
mod sensitive;
mod told;

pub use content::{ContentPolicy, Wording};
pub use exceptions::{Allowance, Exception, Scope, Undecided};
pub use external::External;
pub use sensitive::{ClassAction, ClassPolicy, Inbound, NotifySender, RULE as OVERRIDABLE, SensitivePolicy};
pub use told::Told;

use crate::address::{Address, DomainSet};
use crate::facts::{Cause, Facts, Needs, Recipient};
use crate::groups::{AddressList, Party};
use crate::rules::{Finding, Sensitivity};
use crate::templates::{Fields, Occasion};
use crate::text::words;
use crate::verdict::Verdict;
use receipts::{Receipt, ReceiptPolicy};

/// What is to become of a mail, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The strictest of what the enforced rules say.
    pub verdict: Verdict,
    /// What is done, besides what is done to every mail.
    pub steps: Vec<Step>,
    /// Each finding with what follows from it, in the order of the rules.
    pub rulings: Vec<Ruling>,
    /// The receipts that the mail's mailboxes owe.
    pub receipts: Vec<Receipt>,
}

impl Decision {
    /// The class of the mail: that of the most sensitive data in it, whether the rule acts or observes.
    pub fn class(&self) -> Sensitivity {
        self.rulings.iter().map(Ruling::class).max().unwrap_or_default()
    }

    /// Whether the mail is deferred because the machine was too busy to read it.
    pub fn is_deferred_for_now(&self) -> bool {
        let busy = |ruling: &Ruling| {
            ruling.mode == Mode::Enforce
                && ruling.verdict == Verdict::Defer
                && matches!(ruling.finding, Finding::Unknown(cause) if cause.is_busy())
        };
        self.rulings.iter().any(busy)
    }
}

/// One finding and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// The rule.
    pub rule: String,
    /// What it found.
    pub finding: Finding,
    /// Its mode.
    pub mode: Mode,
    /// What follows, or in `observe`: what would.
    pub verdict: Verdict,
    /// The exceptions that allow it, or some of it.
    pub allowed_by: Vec<Allowance>,
    /// An exception that might have allowed it, where nobody knows.
    pub undecided: Option<Undecided>,
    /// The line of the config that says so.
    pub place: Place,
}

impl Ruling {
    /// The grade of a match, or `unknown`.
    pub fn grade(&self) -> &'static str {
        match &self.finding {
            Finding::Match(found) => found.grade.as_str(),
            Finding::Unknown(_) => "unknown",
        }
    }

    /// The class of the data that was found.
    pub fn class(&self) -> Sensitivity {
        match &self.finding {
            Finding::Match(found) => found.evidence.class(),
            Finding::Unknown(_) => Sensitivity::None,
        }
    }

    /// What exceptions have to do with it: `allowed by KS 2026/123 (postvakt.toml:23)`; empty for nothing.
    pub fn exceptions(&self) -> String {
        let allowed = self.allowed_by.iter().map(|allowance| format!("allowed by {allowance}"));
        let undecided = self.undecided.iter().map(|undecided| {
            format!("exception at {} not decided: {}", undecided.place, undecided.cause.as_str())
        });
        allowed.chain(undecided).collect::<Vec<_>>().join("; ")
    }

    /// By what the rule knows, and whose mailbox it is about.
    pub fn evidence(&self) -> String {
        match &self.finding {
            Finding::Unknown(cause) => format!("unknown: {}", cause.as_str()),
            Finding::Match(found) => match found.mailboxes.first() {
                Some(mailbox) => format!("{}; mailbox={mailbox}", found.evidence),
                None => found.evidence.to_string(),
            },
        }
    }
}

/// One thing to be done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A header field of ours.
    Mark(Mark),
    /// Take away the recipient with this index.
    RemoveRecipient(usize),
    /// Add this recipient.
    AddRecipient(Address),
    /// Put on hold, for this reason.
    Hold(String),
    /// Put off.
    Defer,
    /// Refuse.
    Reject(Refusal),
    /// Tell a person inside.
    Notify(Notice),
}

impl Step {
    /// Whether it keeps the mail, or a part of it, from somebody.
    pub fn keeps_back(&self) -> bool {
        match self {
            Self::RemoveRecipient(_)
            | Self::AddRecipient(_)
            | Self::Hold(_)
            | Self::Defer
            | Self::Reject(_) => true,
            Self::Mark(_) | Self::Notify(_) => false,
        }
    }
}

/// Something that a person inside is told by mail.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Notice {
    /// What for; it has a template.
    pub occasion: Occasion,
    /// Whom; a mailbox inside.
    pub to: Address,
    /// What makes it the same notice, however many mails give cause for it: it is sent once.
    pub once: String,
    /// What the template may name, beside the organisation and the mailbox.
    pub fields: Fields,
    /// Whether its recipient may release the mail by an answer.
    pub answerable: bool,
}

/// A header field that a finding leaves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    /// `X-Postvakt-Auto-Forward`, with this value.
    AutoForward(String),
    /// `X-Postvakt-Suspicious` has the ids of such findings.
    Suspicious(String),
    /// `X-Spam-Flag`, `X-Spam-Status` and `X-Spam-Level`.
    Spam,
    /// `X-Postvakt-Spam-Check`: nobody looked for spam, for this reason.
    NotScanned(Cause),
    /// `X-Postvakt-Sensitive`: the class, and how many of each kind.
    Sensitive(Sensitivity, Vec<(&'static str, usize)>),
    /// These words before the subject.
    SubjectTag(String),
    /// A header field that a custom rule adds, and its value.
    Field(String, String),
    /// A custom rule removes the fields of this name.
    WithoutField(String),
    /// `X-Postvakt-External`: it comes from outside.
    External,
}

/// Why a mail is refused, as far as its sender is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It is an automatic forward.
    Forward,
    /// A rule of the organisation's own, which may say so in its own words.
    Content(Option<Wording>),
    /// There is a virus in it.
    Virus,
    /// Too many header fields that only this program may write.
    Forged,
    /// Sensitive data, and what to use instead.
    Sensitive(Option<String>),
}

words! {
    /// Whether a rule is off, looks on, or acts.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum Mode {
        /// Not asked at all.
        #[default]
        Off = "off",
        /// Findings are recorded with what would have followed; nothing is changed.
        Observe = "observe",
        /// Findings have their effect.
        Enforce = "enforce",
    }
}

words! {
    /// What follows when a rule could not tell.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum OnUnknown {
        /// The mail passes; the record says that nobody knows.
        #[default]
        Accept = "accept",
        /// It waits for a person.
        Hold = "hold",
        /// The client tries again later.
        Tempfail = "tempfail",
    }
}

words! {
    /// What is done with an automatic forward.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub enum ForwardAction {
        /// The mail waits in the queue for a person.
        #[default]
        Hold = "hold",
        /// The external recipients are replaced by a function mailbox.
        Reroute = "reroute",
        /// The external recipients are taken away; when none remain, the mail is rerouted or held.
        RemoveRecipient = "remove-recipient",
        /// 550 5.7.1 where the envelope sender is the local forwarder; else rerouted or held, for a bounce would go to
        /// the citizen and name the private target.
        Reject = "reject",
    }
}

words! {
    /// What is done about content.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum ContentAction {
        /// It passes with a header.
        #[default]
        Mark = "mark",
        /// It waits in the queue for a person.
        Hold = "hold",
        /// 550 5.7.1.
        Reject = "reject",
    }
}

/// The actions of one rule, of the menu that its spec names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actions {
    /// For automatic forwards.
    Forward(ForwardPolicy),
    /// For content.
    Content(ContentPolicy),
    /// For receipts.
    Receipt(ReceiptPolicy),
    /// For viruses.
    Virus(VirusAction),
    /// For what a sender inside is told of.
    Sender(SenderPolicy),
    /// For attachments: there is no action here that could turn a mail away.
    Attachment(AttachmentPolicy),
    /// For what is marked and nothing else: there is no action here that could stop a mail.
    Mark(MarkPolicy),
    /// For sensitive data.
    Sensitive(SensitivePolicy),
}

words! {
    /// What is done about a virus.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum VirusAction {
        /// It waits in the queue for a person.
        #[default]
        Hold = "hold",
        /// 550 5.7.1.
        Reject = "reject",
    }
}

words! {
    /// What is done about a mail whose sender is told of it.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum SenderAction {
        /// It passes with a header.
        #[default]
        Mark = "mark",
        /// It waits in the queue for a person.
        Hold = "hold",
    }
}

words! {
    /// Whether the sender is told.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum TellSender {
        /// Yes.
        #[default]
        Sender = "sender",
        /// The log alone.
        Nobody = "nobody",
    }
}

/// What follows from a mail whose sender is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderPolicy {
    /// What is done.
    pub action: SenderAction,
    /// Whether the sender is told.
    pub notify: TellSender,
    /// By which letter.
    pub occasion: Occasion,
}

/// What follows from a suspicious attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachmentPolicy {
    /// What is done.
    pub action: SenderAction,
    /// How the mail is marked.
    pub mark: MarkPolicy,
    /// Who is told.
    pub notify: Told,
}

/// How a mail is marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkPolicy {
    /// By which header fields.
    pub label: Label,
    /// What its subject begins with; absent for header fields alone.
    pub subject_tag: Option<String>,
    /// Mailboxes whose mail keeps its subject.
    pub headers_only: AddressList,
}

impl MarkPolicy {
    /// The tag for the mail. One message has one subject: it is kept for all where one of the recipients wants it so, or
    /// may want it so.
    pub fn tag_for(&self, facts: &Facts) -> Option<&str> {
        let keeps = |recipient: &Recipient| {
            let party = Party::new(&recipient.address, &facts.organisation);
            facts.is_listed(&self.headers_only, &party) != Ok(false)
        };
        if facts.recipients.iter().any(keeps) { None } else { self.subject_tag.as_deref() }
    }
}

/// The header fields that mark a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// `X-Spam-Flag` and its like.
    Spam,
    /// `X-Postvakt-Suspicious`.
    Suspicious,
}

/// What follows from an automatic forward.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForwardPolicy {
    /// What follows for a target at a provider of private mail.
    pub private: Response,
    /// What follows for every other target.
    pub others: Response,
    /// The providers of private mail.
    pub private_domains: DomainSet,
    /// Where rerouted mail goes; a mailbox inside.
    pub reroute_to: Option<Address>,
    /// Who is told.
    pub notify: Notify,
}

impl ForwardPolicy {
    /// What follows for a target.
    pub fn response(&self, target: &Address) -> Response {
        let private = target.domain().is_some_and(|domain| self.private_domains.contains(&domain));
        if private { self.private } else { self.others }
    }
}

/// What follows from a forward to one kind of target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Response {
    /// What is done when it is certain.
    pub action: ForwardAction,
    /// What is done when it is more likely than not.
    pub strong: OnLikely,
}

words! {
    /// What follows from a forward that is more likely than not.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub enum OnLikely {
        /// A line in the log.
        #[default]
        Record = "record",
        /// A header field too.
        Mark = "mark",
        /// What follows from one that is certain.
        Stop = "stop",
    }
}

words! {
    /// Who is told of a forward that was stopped.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum Notify {
        /// Whose mailbox it is.
        #[default]
        Owner = "owner",
        /// The log alone.
        Nobody = "nobody",
    }
}

/// A place in the config, for people: `postvakt.toml:17`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What the config says of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulePolicy {
    /// Off, observe or enforce.
    pub mode: Mode,
    /// What follows when the rule could not tell.
    pub on_unknown: OnUnknown,
    /// What follows from a match.
    pub actions: Actions,
    /// For whom the rule does not hold.
    pub exceptions: Vec<Exception>,
    /// Who is told of mail that the rule holds.
    pub owner: Option<Address>,
    /// Where the rule's section begins.
    pub place: Place,
    /// What authorities have said otherwise, each with its number in the organisation.
    pub authorities: Vec<(usize, Self)>,
}

impl RulePolicy {
    /// This policy, and those of authorities.
    pub fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.authorities.iter().map(|(_, own)| own))
    }

    /// What has to be known of a mail so that the exceptions can be asked.
    pub fn needs(&self) -> Needs {
        let authentication = self.exceptions.iter().any(|exception| exception.authenticates);
        Needs { authentication, ..Needs::NONE }
    }
}

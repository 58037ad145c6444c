//! Rules: they find, and never decide. A rule sees facts and says what it found; what follows from that is
//! [`crate::policy`]'s business, and no rule can name a verdict.
//!
//! To add a rule: write `rules/<id>.rs`, declare it below, and list its [`Spec`] in [`ALL`]. The config's section and
//! its documentation, `postvakt rules`, the reference in `docs/rules.md` and the metrics follow from the spec.

#![deny(clippy::disallowed_methods)]

pub mod auto_forward;
pub mod credentials;
pub mod custom;
mod evidence;
pub mod receipt;
pub mod first_contact;
pub mod large_attachment;
pub mod lookalike_sender;
pub mod mass_mailing;
pub mod sensitive_data;
pub mod spam;
pub mod suspicious_attachment;
pub mod suspicious_link;
pub mod virus;
mod confusable;

use std::fmt;

pub use evidence::{Evidence, Sighting};

use crate::address::Address;
use crate::facts::{Cause, Facts, Needs};
pub use crate::scan::Confidence;
use crate::settings::{Key, Settings};
use crate::templates::Occasion;
use crate::text::words;
use receipt::Suppression;

/// Every rule.
pub const ALL: &[&Spec] = &[
    &auto_forward::SPEC,
    &sensitive_data::SPEC,
    &credentials::SPEC,
    &spam::SPEC,
    &virus::SPEC,
    &suspicious_attachment::SPEC,
    &lookalike_sender::SPEC,
    &first_contact::SPEC,
    &mass_mailing::SPEC,
    &large_attachment::SPEC,
    &suspicious_link::SPEC,
    &receipt::SPEC,
    &custom::SPEC,
];

/// What there is to say about a rule, once.
#[derive(Debug)]
pub struct Spec {
    /// Its name in the config, in the log and on the command line.
    pub id: &'static str,
    /// One line.
    pub summary: &'static str,
    /// Its page in the reference: *What it finds · Why it matters · What it misses · Settings · References*.
    pub page: &'static str,
    /// What actions the config may choose from.
    pub menu: ActionSet,
    /// Which mail it looks at.
    pub flow: Flow,
    /// How many of it there can be.
    pub section: Section,
    /// What its section may say beyond what every rule's may, for the reference.
    pub keys: &'static [Key],
    /// Reads those keys and makes the rule, under the name that its findings shall have. Asks for all of them even
    /// when one is wrong, so that every problem is found at once.
    pub make: fn(&str, &mut Settings<'_>) -> Option<Box<dyn Rule>>,
}

/// Which mail a rule looks at, by where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Mail from outside alone.
    FromOutside,
    /// Mail from inside alone.
    FromInside,
    /// All mail.
    All,
}

impl Spec {
    /// Whether a custom rule may ask what it found.
    pub fn finds(&self) -> bool {
        self.section == Section::One && self.menu != ActionSet::Receipt
    }
}

/// Where the config speaks of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// `[rules.<id>]`.
    One,
    /// `[rules.<id>.<name>]`, as many as wanted; this is a name for an example.
    Named(&'static str),
}

/// The actions that a rule's findings may have. Each menu is a type of its own in [`crate::policy`], so that a rule
/// that may only mark has no way to be configured to refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionSet {
    /// hold, reroute, remove-recipient, reject.
    Forward,
    /// mark, hold, reject.
    Content,
    /// mark, hold, reject, for each class of its own.
    Sensitive,
    /// hold, reject.
    Virus,
    /// mark, hold; the sender is told, by a letter for this occasion.
    Sender(Occasion),
    /// mark, hold: what comes from outside may be a public record and is never turned away.
    Attachment,
    /// A mark, and nothing else: there is no action to choose.
    Mark,
    /// A mark as other spam filters leave it, and nothing else.
    Spam,
    /// Nothing is done to the mail.
    Receipt,
}

impl ActionSet {
    /// Whether what such a rule finds are data of persons, which may go past it only by a decision.
    pub fn protects_persons(self) -> bool {
        self == Self::Sensitive
    }

    /// The words that the config may say.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Self::Forward => &["hold", "reroute", "remove-recipient", "reject"],
            Self::Content | Self::Sensitive => &["mark", "hold", "reject"],
            Self::Sender(_) | Self::Attachment => &["mark", "hold"],
            Self::Virus => &["hold", "reject"],
            Self::Mark | Self::Spam => &["mark"],
            Self::Receipt => &[],
        }
    }
}

/// A rule, with its settings.
pub trait Rule: fmt::Debug + Send + Sync {
    /// The name under which its findings are logged: the spec's id, or `custom.<name>`.
    fn id(&self) -> &str;
    /// What it needs to know.
    fn needs(&self) -> Needs;
    /// What it finds. Pure: the same facts give the same findings.
    fn check(&self, facts: &Facts) -> Vec<Finding>;
    /// What it finds after these rules, each with what it found.
    fn check_after(&self, facts: &Facts, _: &[(&str, Vec<Finding>)]) -> Vec<Finding> {
        self.check(facts)
    }
    /// What must be configured for its conditions to be met at all.
    fn relies_on(&self) -> Vec<Relied> {
        Vec::new()
    }
    /// Where it says that it looks for spam, as an offset in the config: then it must not stop mail.
    fn is_about_spam(&self) -> Option<usize> {
        None
    }
    /// Why the sender of the mail is not to be answered by a program. Asked of the rule that sends receipts, where one
    /// is due.
    fn suppression(&self, _: &Facts) -> Option<Suppression> {
        None
    }
}

/// Something without which a condition is never met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relied {
    /// The key of the condition.
    pub key: &'static str,
    /// Offset of its value.
    pub at: usize,
    /// On what it relies.
    pub on: RelyOn,
}

/// What a condition relies on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelyOn {
    /// One of these rules.
    Rules(Vec<&'static str>),
    /// A spam scanner.
    Scanner,
}

impl Relied {
    fn on_rules(key: &'static str, at: usize, rules: Vec<&'static str>) -> Self {
        Self { key, at, on: RelyOn::Rules(rules) }
    }

    fn on_scanner(key: &'static str, at: usize) -> Self {
        Self { key, at, on: RelyOn::Scanner }
    }
}

/// What a rule says about a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It found what it looks for.
    Match(Match),
    /// It could not tell.
    Unknown(Cause),
}

/// A match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// How sure the rule is.
    pub grade: Confidence,
    /// By what.
    pub evidence: Evidence,
    /// The mailboxes inside that it may concern, the likeliest first: for a forward, whose it is.
    pub mailboxes: Vec<Address>,
    /// The recipients it concerns, as indices into the facts' recipients; empty for the whole mail.
    pub recipients: Vec<usize>,
}

words! {
    /// How much harm it does when data reaches somebody whom it is not meant for: the four classes of information.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Sensitivity {
        /// None.
        #[default]
        None = "none",
        /// Some.
        Moderate = "moderate",
        /// A considerable one.
        Considerable = "considerable",
        /// A serious one.
        Serious = "serious",
    }
}

impl Sensitivity {
    /// Its number, 0 to 3, as `--json` has it.
    pub fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Moderate => 1,
            Self::Considerable => 2,
            Self::Serious => 3,
        }
    }
}

//! Rules: they find, and never decide. A rule sees facts and says what it found; what follows from that is
//! [`crate::policy`]'s business, and no rule can name a verdict.
//!
//! To add a rule: write `rules/<id>.rs`, declare it below, and list its [`Spec`] in [`ALL`]. The config's section and
//! its documentation, `postvakt rules`, the reference in `docs/rules.md` and the metrics follow from the spec.

#![deny(clippy::disallowed_methods)]

pub mod auto_forward;
pub mod custom;
pub mod receipt;
pub mod first_contact;
pub mod large_attachment;
pub mod lookalike_sender;
pub mod mass_mailing;
pub mod spam;
pub mod suspicious_attachment;
pub mod suspicious_link;
pub mod virus;
mod confusable;

use std::fmt;

use crate::address::Address;
use crate::facts::{Cause, Facts, Needs};
use crate::settings::{Key, Settings};
use crate::templates::Occasion;
use crate::{limits, text};
use receipt::Silence;

/// Every rule.
pub const ALL: &[&Spec] = &[
    &auto_forward::SPEC,
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
    pub menu: Menu,
    /// How many of it there can be.
    pub section: Section,
    /// What its section may say beyond what every rule's may, for the reference.
    pub keys: &'static [Key],
    /// Reads those keys and makes the rule, under the name that its findings shall have. Asks for all of them even
    /// when one is wrong, so that every problem is found at once.
    pub make: fn(&str, &mut Settings<'_>) -> Option<Box<dyn Rule>>,
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
pub enum Menu {
    /// hold, reroute, remove-recipient, reject.
    Forward,
    /// mark, hold, reject.
    Content,
    /// hold, reject.
    Virus,
    /// mark, hold; the sender is told, by a letter for this occasion.
    Sender(Occasion),
    /// A mark, and nothing else: there is no action to choose.
    Mark,
    /// A mark as other spam filters leave it, and nothing else.
    Spam,
    /// Nothing is done to the mail.
    Receipt,
}

impl Menu {
    /// The words that the config may say.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Self::Forward => &["hold", "reroute", "remove-recipient", "reject"],
            Self::Content => &["mark", "hold", "reject"],
            Self::Sender(_) => &["mark", "hold"],
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
    /// Why the sender of the mail is not to be answered by a program. Asked of the rule that sends receipts, where one
    /// is due.
    fn silence(&self, _: &Facts) -> Option<Silence> {
        None
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
    pub grade: Grade,
    /// By what.
    pub evidence: Evidence,
    /// The mailboxes inside that it may concern, the likeliest first: for a forward, whose it is.
    pub mailboxes: Vec<Address>,
    /// The recipients it concerns, as indices into the facts' recipients; empty for the whole mail.
    pub recipients: Vec<usize>,
}

/// How sure a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// A sign, worth a line in the log.
    Weak,
    /// More likely than not.
    Strong,
    /// Nothing else explains it.
    Certain,
}

impl Grade {
    /// All, from the least to the most.
    pub const ALL: [Self; 3] = [Self::Weak, Self::Strong, Self::Certain];

    /// The grade that the word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grade| grade.as_str() == word)
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Weak => "weak",
            Self::Strong => "strong",
            Self::Certain => "certain",
        }
    }
}

/// By what a rule knows: words of the rule's own and mailboxes, never a mail's content.
///
/// There is no way to put arbitrary text of a mail in here: what is shown of it passes through the constructors,
/// and each masks what it must.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence(String);

impl Evidence {
    /// Evidence in the rule's own words.
    pub fn of(words: &'static str) -> Self {
        Self(words.to_owned())
    }

    /// A scanner's points, and those from which on it is spam.
    pub fn points(score: f64, required: f64) -> Self {
        Self(format!("points={score:.1}/{required:.1}"))
    }

    /// The name that a scanner has for what it found.
    pub fn signature(name: &str) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-/:".contains(c) { c } else { '_' };
        Self(text::truncate(name, limits::SIGNATURE_NAME_OCTETS).chars().map(plain).collect())
    }

    /// Joined: `a,b`.
    #[must_use]
    pub fn and(mut self, words: &'static str) -> Self {
        self.0.push(',');
        self.0.push_str(words);
        self
    }

    /// Whether it has the word already.
    pub fn has(&self, word: &str) -> bool {
        self.0.split(',').any(|own| own == word)
    }

    /// The evidence as text, for a header, the log and people.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

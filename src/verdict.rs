//! Verdicts: what becomes of a mail, in one order, so that several combine with `max` and the order of rules cannot
//! matter. No verdict discards.

#![deny(clippy::disallowed_methods)]

/// What becomes of a mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It passes, at most with the headers that every mail gets.
    #[default]
    Accept,
    /// It passes with a mark, or to other recipients than its sender named.
    Mark,
    /// It waits in the queue for a person.
    Hold,
    /// Not now; the client tries again.
    Defer,
    /// Refused.
    Reject,
}

impl Verdict {
    /// The word for it in the log and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accepted",
            Self::Mark => "marked",
            Self::Hold => "held",
            Self::Defer => "deferred",
            Self::Reject => "rejected",
        }
    }
}

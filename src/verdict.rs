//! Verdicts: what becomes of a mail, in one order, so that several combine with `max` and the order of rules cannot
//! matter. No verdict discards.

#![deny(clippy::disallowed_methods)]

use crate::text::words;

words! {
    /// What becomes of a mail.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Verdict {
        /// It passes, at most with the headers that every mail gets.
        #[default]
        Accept = "accepted",
        /// It passes with a mark, or to other recipients than its sender named.
        Mark = "marked",
        /// It waits in the queue for a person.
        Hold = "held",
        /// Not now; the client tries again.
        Defer = "deferred",
        /// Refused.
        Reject = "rejected",
    }
}

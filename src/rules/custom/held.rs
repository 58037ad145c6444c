//! Whether a condition is met: yes, no, or unknown.

#![deny(clippy::disallowed_methods)]

use crate::facts::Cause;

/// Whether a condition is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Yes,
    /// Yes, for the recipients with these indices.
    For(Vec<usize>),
    No,
    Unknown(Cause),
}

impl From<bool> for Held {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// Whether a value fills its limit but for a cut character: its end was not seen.
pub(super) fn was_cut(value: &str, limit: usize) -> bool {
    value.len() + 3 >= limit
}

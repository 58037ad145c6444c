//! The banner of mail from outside: a header field, and words before the subject. It is no finding, and the mail's verdict
//! stays what it is.

#![deny(clippy::disallowed_methods)]

use super::{Decision, Mark, Step};
use crate::address::Address;
use crate::facts::{Fact, Facts};
use crate::groups::{AddressList, Party};
use crate::mail::Direction;
use crate::verdict::Verdict;

/// How mail from outside is marked as such.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// Whether it gets `X-Postvakt-External`.
    pub header: bool,
    /// What its subject begins with.
    pub subject_tag: Option<String>,
    /// Authors whose mail is not marked, where SPF, DKIM or DMARC confirm them.
    pub except: AddressList,
}

impl External {
    /// Adds the marks to a mail from outside that is not turned away.
    pub fn mark(&self, facts: &Facts, decision: &mut Decision) {
        if facts.direction != Direction::Inbound || decision.verdict >= Verdict::Defer || self.spares(facts) {
            return;
        }
        let header = self.header.then_some(Mark::External);
        let tag = self.subject_tag.clone().map(Mark::SubjectTag);
        decision.steps.extend(header.into_iter().chain(tag).map(Step::Mark));
    }

    /// Whether every author is one of those that are known, and the mail is theirs.
    fn spares(&self, facts: &Facts) -> bool {
        let confirmed = || matches!(&facts.authentication, Fact::Known(found) if found.vouched());
        let authors = &facts.header.from;
        let known = |author: &Address| self.except.has(&Party::new(author, &facts.organisation));
        !self.except.is_empty() && !authors.is_empty() && authors.iter().all(known) && confirmed()
    }
}

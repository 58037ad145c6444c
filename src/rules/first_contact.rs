//! `first-contact`: an author from whom nobody here had mail before.

#![deny(clippy::disallowed_methods)]

use jiff::SignedDuration;

use crate::facts::{Cause, Fact, Facts, Needs};
use crate::limits;
use crate::settings::{Fallback, Key, Settings, parse};

use super::{Evidence, Finding, Grade, Match, Menu, Rule, Section, Spec};

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "first-contact",
    summary: "An author outside from whom nobody here had mail before.",
    page: PAGE,
    menu: Menu::Mark,
    section: Section::One,
    keys: KEYS,
    make,
};

const PAGE: &str = "\
## What it finds
Mail from outside whose author, the address in From, is nobody from whom mail was let in within the last two years, and
nobody that was written to from here. The grade is *strong*.

## Why it matters
Whoever pretends to be a colleague, a bank or a supplier usually writes for the first time from that address.

## What it misses
An author whose address is forged: whether From can be believed is the business of DMARC. The memory is this node's
own. Until it is as old as `learning` the rule says that it could not tell.

## Settings
`learning`: how old the memory must be. Every citizen writes for the first time once, so a tag before the subject would
stand before most of what citizens write: header fields are enough for most.

## References
Gislaved's guidelines 6.1 (unknown senders).
";

const KEYS: &[Key] = &[Key {
    name: "learning",
    kind: "time, at most 365 d",
    default: Fallback::Value("\"14 d\""),
    example: "\"14 d\"",
    meaning: "How long authors must have been remembered before anyone counts as new.",
    why: "On the first day everyone is new.",
    keys: &[],
}];

/// The rule.
#[derive(Clone, Copy, Debug)]
pub struct FirstContact {
    learning: SignedDuration,
}

#[expect(clippy::unnecessary_wraps, reason = "other rules may be wrong")]
fn make(_: &str, section: &mut Settings<'_>) -> Option<Box<dyn Rule>> {
    let learning = section.optional("learning", parse::duration_up_to(limits::CONTACT_LEARNING_AT_MOST));
    let learning = learning.unwrap_or(limits::CONTACT_LEARNING);
    Some(Box::new(FirstContact {
        learning: SignedDuration::try_from(learning).unwrap_or(SignedDuration::MAX),
    }))
}

impl Rule for FirstContact {
    fn id(&self) -> &str {
        SPEC.id
    }

    fn needs(&self) -> Needs {
        Needs { contact: true, ..Needs::NONE }
    }

    fn check(&self, facts: &Facts) -> Vec<Finding> {
        match &facts.contact {
            Fact::Known(contact) if contact.known => Vec::new(),
            Fact::Known(contact) if facts.arrived.duration_since(contact.since) < self.learning => {
                vec![Finding::Unknown(Cause::Learning)]
            }
            Fact::Known(_) => vec![Finding::Match(Match {
                grade: Grade::Strong,
                evidence: Evidence::of("unknown-author"),
                mailboxes: Vec::new(),
                recipients: Vec::new(),
            })],
            Fact::Unavailable(cause) => vec![Finding::Unknown(*cause)],
            Fact::NotGathered => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Contact;
    use crate::facts::testing::from_outside;

    #[test]
    fn only_who_is_new_is_found_and_only_once_the_memory_is_old_enough() {
        let rule = FirstContact { learning: SignedDuration::from_hours(24) };
        let mut facts = from_outside("x@example.org", "anna@exempelby.se", "From: x@example.org");
        assert_eq!(rule.check(&facts), []);
        let old = "2026-02-01T09:00:00Z".parse().unwrap();
        let contact = Contact { key: [1; 16], known: false, fresh: false, since: old };
        facts.contact = Fact::Known(contact);
        assert!(matches!(&rule.check(&facts)[..], [Finding::Match(_)]));
        facts.contact = Fact::Known(Contact { since: facts.arrived, ..contact });
        assert_eq!(rule.check(&facts), [Finding::Unknown(Cause::Learning)]);
        facts.contact = Fact::Known(Contact { known: true, ..contact });
        assert_eq!(rule.check(&facts), []);
    }
}

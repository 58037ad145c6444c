//! `first-contact`: an author who is new to the organisation.

#![deny(clippy::disallowed_methods)]

use jiff::SignedDuration;

use crate::facts::{Cause, Fact, Facts, Needs};
use crate::limits;
use crate::settings::{Fallback, Key, Settings, parse};

use super::custom::people::People;
use super::{ActionSet, Confidence, Evidence, Finding, Flow, Match, Rule, Section, Spec};

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "first-contact",
    summary: "Inbound mail from an author who is new to the organisation.",
    page: PAGE,
    menu: ActionSet::Mark,
    flow: Flow::FromOutside,
    section: Section::One,
    keys: KEYS,
    make,
};

const PAGE: &str = "\
## What it finds
Inbound mail from an author (From address) from whom no mail was accepted in the last two years, and to whom no mail was
sent from here. Mail to or from any colleague counts: an author is known if anyone here knows them. The grade is *strong*.

## Why it matters
A person who pretends to be a colleague, a bank or a supplier usually writes for the first time from that address.

## What it misses
Authors whose address is forged: DMARC decides whether From can be trusted. Each node has a memory of its own, which is
stored with the records and survives a restart. Until the memory is as old as `learning`, the result is *unknown*.

## Settings
Every citizen writes for the first time once, so a `subject_tag` would mark most mail from citizens. Header fields are
enough for most organisations. `recipient` limits the rule to mailboxes that strangers seldom write to, such as those of
people who pay invoices.

## References
Gislaved's guidelines 6.1 (unknown senders).
";

const KEYS: &[Key] = &[
    Key {
        name: "learning",
        kind: "time span, at most 365 d; \"0 d\" for none",
        default: Fallback::Text("14 d"),
        example: "\"14 d\"",
        meaning: "How old the memory of authors must be before an author counts as new.",
        why: "On the first day, every author is new.",
        keys: &[],
    },
    Key {
        name: "recipient",
        kind: "pattern, group:NAME, or list of these",
        default: Fallback::Off,
        example: "'^(ekonomi|lon)@'",
        meaning: "Check only mail to a recipient that matches. Authors are remembered from all mail.",
        why: "Most mailboxes of an authority are open to everyone.",
        keys: &[],
    },
];

/// The rule.
#[derive(Debug)]
pub struct FirstContact {
    learning: SignedDuration,
    recipient: Option<People>,
}

fn make(_: &str, section: &mut Settings<'_>) -> Option<Box<dyn Rule>> {
    let learning =
        section.optional("learning", parse::duration_or_none_up_to(limits::CONTACT_LEARNING_AT_MOST));
    let recipient = People::read(section, "recipient");
    Some(Box::new(FirstContact {
        learning: SignedDuration::try_from(learning?).unwrap_or(SignedDuration::MAX),
        recipient,
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
        match self.recipient.as_ref().map(|people| people.recipients(facts)) {
            Some(Ok(found)) if found.is_empty() => return Vec::new(),
            Some(Err(cause)) => return vec![Finding::Unknown(cause)],
            Some(Ok(_)) | None => {}
        }
        match &facts.contact {
            Fact::Known(contact) if contact.known => Vec::new(),
            Fact::Known(contact) if facts.arrived.duration_since(contact.since) < self.learning => {
                vec![Finding::Unknown(Cause::Learning)]
            }
            Fact::Known(_) => vec![Finding::Match(Match {
                grade: Confidence::Strong,
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
        let rule = FirstContact { learning: SignedDuration::from_hours(24), recipient: None };
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

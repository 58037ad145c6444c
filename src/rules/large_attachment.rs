//! `large-attachment`: outbound mail with very large attachments.

#![deny(clippy::disallowed_methods)]

use crate::facts::attachment::Attachment;
use crate::facts::{Facts, Needs};
use crate::mail::Direction;
use crate::settings::{Fallback, Key, Settings, parse};
use crate::templates::Occasion;

use super::{ActionSet, Confidence, Evidence, Finding, Flow, Match, Rule, Section, Spec};

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "large-attachment",
    summary: "Outbound mail with very large attachments.",
    page: PAGE,
    menu: ActionSet::Sender(Occasion::LargeAttachment),
    flow: Flow::FromInside,
    section: Section::One,
    keys: KEYS,
    make,
};

const PAGE: &str = "\
## What it finds
Outbound mail whose attachments are larger than `above` in total, after decoding. The grade is *certain*.

## Why it matters
The receiving server may reject the mail hours later, and mail is not a place for large files.

## What it misses
Links to files elsewhere. They are what people should use instead.

## Settings
The sender is told once a day, and of each mail that is held.

## References
Piteå's guidelines 3.9.
";

const KEYS: &[Key] = &[Key {
    name: "above",
    kind: "size",
    default: Fallback::Text("20 MB"),
    example: "\"20 MB\"",
    meaning: "Limit for the total size of the attachments. The rule matches a mail above it.",
    why: "With its encoding, such a mail is close to what other servers accept.",
    keys: &[],
}];

/// The rule.
#[derive(Clone, Copy, Debug)]
pub struct LargeAttachment {
    above: u64,
}

fn make(_: &str, section: &mut Settings<'_>) -> Option<Box<dyn Rule>> {
    Some(Box::new(LargeAttachment { above: section.optional("above", parse::size)? }))
}

impl Rule for LargeAttachment {
    fn id(&self) -> &str {
        SPEC.id
    }

    fn needs(&self) -> Needs {
        Needs { body: true, ..Needs::NONE }
    }

    fn check(&self, facts: &Facts) -> Vec<Finding> {
        // What is inside another attachment is counted with it.
        let parts = facts.attachments.iter().filter(|attachment| attachment.is_a_part());
        let octets: u64 = parts.map(|Attachment { size, .. }| size).sum();
        if facts.direction != Direction::Outbound || octets <= self.above {
            return Vec::new();
        }
        vec![Finding::Match(Match {
            grade: Confidence::Certain,
            evidence: Evidence::of("attachments"),
            mailboxes: facts
                .sender
                .address()
                .filter(|sender| facts.owns(sender))
                .cloned()
                .into_iter()
                .collect(),
            recipients: Vec::new(),
        })]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::State;
    use crate::documents::kind::Kind;
    use crate::facts::testing::{from_inside, from_outside};

    fn attachment(path: &str, size: u64) -> Attachment {
        Attachment {
            path: path.into(),
            name: "bild.png".into(),
            other_names: Vec::new(),
            media_type: "image/png".into(),
            kind: Kind::Image,
            size,
            state: State::Plain,
            macros: false,
        }
    }

    #[test]
    fn attachments_count_together_and_only_on_their_way_out() {
        let rule = LargeAttachment { above: 100 };
        let mut facts = from_inside("anna@exempelby.se", "x@example.org", "From: anna@exempelby.se");
        facts.attachments = vec![attachment("2", 60), attachment("2/1", 60)];
        assert_eq!(rule.check(&facts), []);
        facts.attachments.push(attachment("3", 60));
        assert_eq!(rule.check(&facts).len(), 1);
        let mut inbound = from_outside("x@example.org", "anna@exempelby.se", "From: x@example.org");
        inbound.attachments = facts.attachments;
        assert_eq!(rule.check(&inbound), []);
    }
}

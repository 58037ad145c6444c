//! `large-attachment`: mail that leaves with more than a mail should carry.

#![deny(clippy::disallowed_methods)]

use crate::facts::attachment::Attachment;
use crate::facts::{Facts, Needs};
use crate::mail::Direction;
use crate::settings::{Fallback, Key, Settings, parse};
use crate::templates::Occasion;

use super::{ActionSet, Confidence, Evidence, Finding, Match, Rule, Section, Spec};

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "large-attachment",
    summary: "Mail that leaves with attachments larger than a mail should carry.",
    page: PAGE,
    menu: ActionSet::Sender(Occasion::LargeAttachment),
    section: Section::One,
    keys: KEYS,
    make,
};

const PAGE: &str = "\
## What it finds
Mail that leaves and whose attachments, after their encoding is undone, are larger than `above` taken together. The
grade is *certain*.

## Why it matters
The receiver may refuse it, hours later; and mail is not where large files belong.

## What it misses
Links to files elsewhere, which are what is asked for instead.

## Settings
`above`: octets of all attachments. `action`: `mark` (the default) or `hold`. The sender is told, unless `notify` says
`nobody`: once a day, and of each mail that is held, for he takes it for sent.

## References
Piteå's guidelines 3.9.
";

const KEYS: &[Key] = &[Key {
    name: "above",
    kind: "size",
    default: Fallback::Value("\"20 MB\""),
    example: "\"20 MB\"",
    meaning: "Attachments that are larger than this, taken together, are too large.",
    why: "With its encoding such a mail is near what others take at all.",
    keys: &[],
}];

/// The size where the config does not say.
const ABOVE: u64 = 20_000_000;

/// The rule.
#[derive(Clone, Copy, Debug)]
pub struct LargeAttachment {
    above: u64,
}

#[expect(clippy::unnecessary_wraps, reason = "other rules may be wrong")]
fn make(_: &str, section: &mut Settings<'_>) -> Option<Box<dyn Rule>> {
    Some(Box::new(LargeAttachment { above: section.optional("above", parse::size).unwrap_or(ABOVE) }))
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

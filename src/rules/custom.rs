//! `custom`: rules that are data in the config: conditions on headers, addresses, subject, text, attachments and
//! size, all of which must hold.

#![deny(clippy::disallowed_methods)]

mod condition;
pub(super) mod pattern;

use condition::{Condition, Held};

use super::{ActionSet, Confidence, Evidence, Finding, Match, Rule, Section, Spec};
use crate::facts::{Cause, Facts, Needs};
use crate::settings::Settings;
use crate::settings::problem::Fault;

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "custom",
    summary: "A rule of your own: conditions on addresses, headers, subject, text, attachments and size.",
    page: PAGE,
    menu: ActionSet::Content,
    section: Section::Named("no-exe"),
    keys: condition::SECTION_KEYS,
    make,
};

const PAGE: &str = "\
## What it finds
Mail for which every condition under `when` holds. A condition may name several values, and one of them is enough.
The conditions on attachments (`attachment_name`, `attachment_type`, `attachment_size_above`) must hold of one and the
same attachment, wherever in the message it is nested. The grade is *strong*.

## Why it matters
Each organisation has rules that no program knows beforehand: a kind of file that a virus came in last week, a system
that must not write to the outside, a newsletter that fills the registrar's mailbox.

## What it misses
What the conditions do not say. A pattern on names sees the name that the sender gave, not what the file is. A pattern
on text sees text that can be read: not an image of it, not an encrypted part. Where a limit keeps a condition from
being answered (a message too large, nested too deeply, with too many parts) and no other condition fails, the rule
says that it could not tell, and `on_unknown` decides.

## Settings
`when` has at least one of `direction`, `sender`, `recipient`, `subject`, `text`, `attachment_name`,
`attachment_type`, `header`, `size_above`, `attachment_size_above`; `docs/configuration.md` has each. Patterns are
regular expressions that may match anywhere in the value: `^` and `$` tie them to its ends, `(?i)` makes them blind to
case. Those on addresses are always blind to case, and the null sender is written `<>`. A rule with `recipient`
concerns the recipients that match, every other rule the whole mail.

## References
RFC 5322 §2.2 (header fields); RFC 2183 §2.3 (names of attachments); the syntax of patterns:
<https://docs.rs/regex/latest/regex/#syntax>. Gislaved's and Piteå's guidelines on suspicious attachments.
";

/// One custom rule.
#[derive(Debug)]
pub struct Custom {
    id: String,
    conditions: Vec<Condition>,
}

fn make(id: &str, section: &mut Settings<'_>) -> Option<Box<dyn Rule>> {
    let right = "write when = { attachment_name = '(?i)\\.exe$' }";
    let conditions = section.required_table("when", right, |when| {
        let conditions = condition::read(when);
        if when.is_empty() {
            when.wrong_here(Fault::new("has no condition, and would hold for every mail", right));
        }
        conditions
    })?;
    Some(Box::new(Custom { id: id.to_owned(), conditions }))
}

impl Rule for Custom {
    fn id(&self) -> &str {
        &self.id
    }

    fn needs(&self) -> Needs {
        self.conditions.iter().fold(Needs::default(), |needs, condition| needs.union(condition.needs()))
    }

    fn check(&self, facts: &Facts) -> Vec<Finding> {
        let mut recipients = Vec::new();
        let mut evidence: Option<Evidence> = None;
        let mut unknown = false;
        for condition in &self.conditions {
            match condition.holds(facts) {
                Held::No => return Vec::new(),
                Held::Unknown => unknown = true,
                Held::Yes => {}
                Held::For(indices) => recipients = indices,
            }
            evidence = Some(match evidence {
                None => Evidence::of(condition.words()),
                Some(evidence) => evidence.and(condition.words()),
            });
        }
        match evidence {
            None => Vec::new(),
            Some(_) if unknown => vec![Finding::Unknown(Cause::Limit)],
            Some(evidence) => {
                vec![Finding::Match(Match {
                    grade: Confidence::Strong,
                    evidence,
                    mailboxes: Vec::new(),
                    recipients,
                })]
            }
        }
    }
}

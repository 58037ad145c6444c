//! `custom`: rules that are data in the config: conditions on headers, addresses, subject, text, attachments and
//! size, all of which must hold.

#![deny(clippy::disallowed_methods)]

pub(super) mod condition;
pub(super) mod pattern;

use condition::{Condition, Held};

use super::{ActionSet, Confidence, Evidence, Finding, Flow, Match, Rule, Section, Spec};
use crate::facts::{Cause, Facts, Needs};
use crate::settings::Settings;
use crate::settings::problem::Fault;

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "custom",
    summary: "Your own rule: conditions on addresses, headers, subject, text, attachments and size.",
    page: PAGE,
    menu: ActionSet::Content,
    flow: Flow::All,
    section: Section::Named("no-exe"),
    keys: condition::SECTION_KEYS,
    make,
};

const PAGE: &str = "\
## What it finds
Mail that meets every condition under `when`. A condition may have several values; one of them is enough. The conditions on
attachments (`attachment_name`, `attachment_kind`, `attachment_type`, `attachment_size_above`) must all be met by the same
attachment, or by the same file in an archive, however deeply it is nested. The grade is *strong*.

## Why it matters
Every organisation has rules of its own: a file type that brought a virus last week, a system that must not write to
addresses outside, a newsletter that fills the registrar's mailbox.

## What it misses
A pattern on names sees the name that the sender gave; `attachment_kind` sees what the file is. A pattern on text sees
readable text, not images or encrypted parts. An archive that is damaged, or encrypted with its names, hides its files: the
result is *unknown*. If a limit keeps a condition from being checked (a message too large, nested too deeply, with
too many parts) and no other condition fails, the result is *unknown* and `on_unknown` applies.

## Settings
`when` has at least one condition. Patterns are regular expressions that may match anywhere in the value: `^` and `$` anchor
them, `(?i)` ignores case. Patterns on addresses always ignore case, and the null sender is `<>`. A rule with `recipient`
applies to the recipients that match, every other rule to the whole mail.

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
            when.wrong_here(Fault::new("has no condition, so the rule would match every mail", right));
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

//! `custom`: rules that are data in the config: conditions on the mail and on what built-in rules found, joined by all,
//! any and not.

#![deny(clippy::disallowed_methods)]

pub(super) mod attachment;
mod condition;
mod earlier;
mod held;
mod keys;
mod moment;
pub(super) mod pattern;
pub(super) mod people;
mod when;

use condition::Condition;
use held::Held;
use when::Group;

use super::{ActionSet, Confidence, Evidence, Finding, Flow, Match, Relied, Rule, Section, Spec};
use crate::facts::{Facts, Needs};
use crate::settings::Settings;

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "custom",
    summary: "Your own rule: conditions on addresses, header, text, attachments, client, time and other rules' findings.",
    page: PAGE,
    menu: ActionSet::Content,
    flow: Flow::All,
    section: Section::Named("no-exe"),
    keys: keys::SECTION_KEYS,
    make,
};

const PAGE: &str = "\
## What it finds
Mail that meets every condition under `when`. A condition may have several values; one of them is enough. The conditions on
attachments (`attachment_name`, `attachment_kind`, `attachment_type`, `attachment_encrypted`, `attachment_size_above`) must
all be met by the same attachment, or by the same file in an archive, however deeply it is nested. The grade is *strong*.

`not` negates a group of conditions, `any` needs one of several groups, `all` needs every one. They may be nested four
levels deep:

```toml
[rules.custom.invoices]
when = { direction = \"inbound\", any = [{ subject = '(?i)faktura' }, { attachment_name = '(?i)faktura' }], not = { recipient = '^faktura@' } }
mode = \"observe\"
reroute_to = \"faktura@exempelby.se\"
```

A condition that could not be checked is *unknown*, and its negation is unknown too. A group is not met if one of its
conditions is not met, whatever else is unknown; `any` is met if one of its groups is met.

Custom rules are checked after the built-in ones, whatever the order of the file. They see what these found (`finding`,
`class_at_least`), but not what other custom rules found.

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
applies to the recipients that match, every other rule to the whole mail; a negated `recipient` names none.

Conditions on addresses (`sender`, `recipient`, `from`, `reply_to`, `auth_user`) take groups beside patterns:
`recipient = [\"group:hr\", '^lon@']`. Anybody can write a sender or From of yours; a group in a condition says what stands in
the mail, not who wrote it. If a directory does not say who is in a group, the condition is *unknown*, unless a pattern or
another group settles it.

Spam is marked and never stopped, so a rule with `spam_score_above` or `finding = \"spam\"` may only mark, reroute or copy.

What a rule does is done at the end of the message, in one step with what the other rules do:

| key | effect |
|---|---|
| `action` | `mark`, `hold` or `reject`. The strictest action of all rules decides. |
| `subject_tag` | text before the subject; the old subject stays in `X-Postvakt-Original-Subject` |
| `add_header`, `remove_header` | header fields of your own; copies of fields in `add_header` are removed from inbound mail |
| `reroute_to` | one mailbox inside replaces the recipients that the rule applies to; the log keeps the original ones |
| `bcc` | mailboxes inside that get the mail too |
| `message` | the words of the rejection and of the notices |
| `notify` | who is told |

Mail leaves the gateway only to the recipients that its sender named: `reroute_to`, `bcc` and `notify` take addresses inside
alone. A new field is inserted above the message's own, which breaks no DKIM signature unless that signature names a field
of this name that is not there. A changed subject, and a removed field that is signed, do break it. Sign outbound mail after
this filter.

## References
RFC 5322 §2.2 (header fields); RFC 2183 §2.3 (names of attachments); the syntax of patterns:
<https://docs.rs/regex/latest/regex/#syntax>. Gislaved's and Piteå's guidelines on suspicious attachments.
";

/// One custom rule.
#[derive(Debug)]
pub struct Custom {
    id: String,
    when: Group,
}

fn make(id: &str, section: &mut Settings<'_>) -> Option<Box<dyn Rule>> {
    let right = "write when = { attachment_name = '(?i)\\.exe$' }";
    let when = section.required_table("when", right, Group::read)?;
    Some(Box::new(Custom { id: id.to_owned(), when }))
}

impl Custom {
    fn found(&self) -> impl Iterator<Item = &earlier::Found> {
        self.when.leaves().into_iter().filter_map(|condition| match condition {
            Condition::Found(found) => Some(found),
            _ => None,
        })
    }
}

impl Rule for Custom {
    fn id(&self) -> &str {
        &self.id
    }

    fn needs(&self) -> Needs {
        self.when.needs()
    }

    fn check(&self, facts: &Facts) -> Vec<Finding> {
        self.check_after(facts, &[])
    }

    fn check_after(&self, facts: &Facts, earlier: &[(&str, Vec<Finding>)]) -> Vec<Finding> {
        let mut words = Vec::new();
        let recipients = match self.when.holds(facts, earlier, &mut words) {
            Held::No => return Vec::new(),
            Held::Unknown(cause) => return vec![Finding::Unknown(cause)],
            Held::Yes => Vec::new(),
            Held::For(recipients) => recipients,
        };
        let evidence = Evidence::of_conditions(&words);
        vec![Finding::Match(Match { grade: Confidence::Strong, evidence, mailboxes: Vec::new(), recipients })]
    }

    fn relies_on(&self) -> Vec<Relied> {
        self.found().flat_map(earlier::Found::relies_on).collect()
    }

    fn is_about_spam(&self) -> Option<usize> {
        self.found().find(|found| earlier::is_about_spam(found)).map(|found| found.at)
    }
}

//! `mass-mailing`: one person inside writes to very many.

#![deny(clippy::disallowed_methods)]

use crate::facts::{Fact, Facts, Needs};
use crate::limits;
use crate::settings::{Fallback, Key, Settings, parse};
use crate::templates::Occasion;

use super::{ActionSet, Confidence, Evidence, Finding, Match, Rule, Section, Spec};

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "mass-mailing",
    summary: "One sender inside who writes to very many people inside.",
    page: PAGE,
    menu: ActionSet::Sender(Occasion::MassMailing),
    section: Section::One,
    keys: KEYS,
    make,
};

const PAGE: &str = "\
## What it finds
Mail from an address inside, by which that sender has written to `recipients` people inside or more within `window`,
this mail's recipients included; whoever got several is one. In one mail or in many small ones: from the mail on that
reaches the number, each is found. The grade is *strong*. Posts of the organisation's own lists are left alone.

## Why it matters
Mail to everybody keeps everybody from work, and a stolen account begins with it.

## What it misses
A list counts as one recipient, for it is expanded behind the gateway. What was counted is forgotten by a restart, and
each node counts by itself.

## Settings
`action`: `mark` (the default) or `hold`. The sender is told, once a day, unless `notify` says `nobody`.

## References
Piteå's guidelines 3.9.
";

const KEYS: &[Key] = &[
    Key {
        name: "recipients",
        kind: "number, 2 to 100000",
        default: Fallback::Value("100"),
        example: "100",
        meaning: "How many people inside are very many.",
        why: "More than a department, fewer than a school.",
        keys: &[],
    },
    Key {
        name: "window",
        kind: "time, at most 24 h",
        default: Fallback::Value("\"1 h\""),
        example: "\"1 h\"",
        meaning: "Within what time.",
        why: "Long enough for a mail merge that is sent one by one.",
        keys: &[],
    },
];

/// The rule.
#[derive(Clone, Copy, Debug)]
pub struct MassMailing {
    recipients: u32,
    minutes: u32,
}

#[expect(clippy::unnecessary_wraps, reason = "other rules may be wrong")]
fn make(_: &str, section: &mut Settings<'_>) -> Option<Box<dyn Rule>> {
    let recipients = section.optional("recipients", parse::number(2, 100_000));
    let window = section.optional("window", parse::duration_up_to(limits::VOLUME_WINDOW));
    let minutes = window.and_then(|window| u32::try_from(window.as_secs().div_ceil(60)).ok());
    Some(Box::new(MassMailing { recipients: recipients.unwrap_or(100), minutes: minutes.unwrap_or(60) }))
}

impl Rule for MassMailing {
    fn id(&self) -> &str {
        SPEC.id
    }

    fn needs(&self) -> Needs {
        Needs { volume_minutes: self.minutes, ..Needs::NONE }
    }

    fn check(&self, facts: &Facts) -> Vec<Finding> {
        match facts.addressed {
            Fact::Known(addressed) if addressed >= self.recipients => vec![Finding::Match(Match {
                grade: Confidence::Strong,
                evidence: Evidence::of("recipients"),
                mailboxes: facts.sender.address().cloned().into_iter().collect(),
                recipients: Vec::new(),
            })],
            Fact::Known(_) | Fact::NotGathered => Vec::new(),
            Fact::Unavailable(cause) => vec![Finding::Unknown(cause)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::testing::from_inside;

    #[test]
    fn very_many_are_found() {
        let rule = MassMailing { recipients: 3, minutes: 60 };
        let mut facts = from_inside("anna@exempelby.se", "bo@exempelby.se", "From: anna@exempelby.se");
        assert_eq!(rule.check(&facts), []);
        facts.addressed = Fact::Known(2);
        assert_eq!(rule.check(&facts), []);
        facts.addressed = Fact::Known(3);
        assert!(matches!(&rule.check(&facts)[..], [Finding::Match(found)] if found.mailboxes.len() == 1));
    }
}

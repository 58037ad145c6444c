//! `mass-mailing`: one sender inside writes to very many people.

#![deny(clippy::disallowed_methods)]

use crate::facts::{Fact, Facts, Needs};
use crate::limits;
use crate::settings::{Fallback, Key, Settings, parse};
use crate::templates::Occasion;

use super::{ActionSet, Confidence, Evidence, Finding, Flow, Match, Rule, Section, Spec};

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "mass-mailing",
    summary: "Mail from one sender inside to very many people inside.",
    page: PAGE,
    menu: ActionSet::Sender(Occasion::MassMailing),
    flow: Flow::FromInside,
    section: Section::One,
    keys: KEYS,
    make,
};

const PAGE: &str = "\
## What it finds
Mail from a sender inside who has written to at least `recipients` different people inside within `window`, in one mail
or in many small ones. This mail's recipients count too. The mail that reaches the number and every later one in
`window` match. The grade is *strong*. Posts of the organisation's own lists are ignored.

## Why it matters
Mail to everyone interrupts everyone's work, and the abuse of a stolen account begins with it.

## What it misses
A mailing list counts as one recipient, because it is expanded behind the gateway. The count is lost at a restart, and
each node counts separately.

## Settings
The sender is told at most once a day.

## References
Piteå's guidelines 3.9.
";

const KEYS: &[Key] = &[
    Key {
        name: "recipients",
        kind: "number, 2 to 100000",
        default: Fallback::Number(100),
        example: "100",
        meaning: "Number of recipients inside, within `window`, at which the rule matches.",
        why: "It is more than a department and less than a school.",
        keys: &[],
    },
    Key {
        name: "window",
        kind: "time span, at most 24 h",
        default: Fallback::Text("1 h"),
        example: "\"1 h\"",
        meaning: "Period in which recipients are counted.",
        why: "It covers a mail merge that is sent one by one.",
        keys: &[],
    },
];

/// The rule.
#[derive(Clone, Copy, Debug)]
pub struct MassMailing {
    recipients: u32,
    minutes: u32,
}

fn make(_: &str, section: &mut Settings<'_>) -> Option<Box<dyn Rule>> {
    let recipients = section.optional("recipients", parse::number(2, 100_000));
    let window = section.optional("window", parse::duration_up_to(limits::VOLUME_WINDOW));
    let minutes = u32::try_from(window?.as_secs().div_ceil(60)).ok();
    Some(Box::new(MassMailing { recipients: recipients?, minutes: minutes? }))
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

//! `suspicious-link`: links that do not lead where they seem to.

#![deny(clippy::disallowed_methods)]

use crate::address::Domain;
use crate::facts::authentication::aligned;
use crate::facts::links::Link;
use crate::facts::{Fact, Facts, Needs};
use crate::mail::Direction;
use crate::organisation::Organisation;

use super::confusable::{OwnLook, OwnLooks};
use super::{ActionSet, Confidence, Evidence, Finding, Flow, Match, Rule, Section, Spec, confusable};

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "suspicious-link",
    summary: "Links in inbound mail that do not lead where they seem to.",
    page: PAGE,
    menu: ActionSet::Mark,
    flow: Flow::FromOutside,
    section: Section::One,
    keys: &[],
    make: |_, _| Some(Box::new(SuspiciousLink::default())),
};

const PAGE: &str = "\
## What it finds
In the HTML text of inbound mail, a link with one of these signs:

- `other-target`: it shows one domain and leads to another.
- `mixed-script`: its domain mixes letters of several alphabets in one label.
- `looks-like-own`: its domain looks the same as one of the organisation's at a glance.
- `disguised`: the part before its host can be mistaken for the host (`https://www.example.org@example.net/`).

The grade is *strong*. If `other-target` is the only sign and authentication confirms the sender's domain, the grade is
*weak* and has no effect, because newsletters count clicks that way. This requires `[authentication]`.

## Why it matters
People read the text of a link and not its target.

## What it misses
Links without a domain in their text, pictures, attachments, and targets that redirect.

## Settings
The settings are `mode`, `subject_tag` and `headers_only`.

## References
RFC 3986 §7.6 (semantic attacks), Unicode TR 39. Gislaved's guidelines 6.1.
";

/// The rule.
#[derive(Debug, Default)]
pub struct SuspiciousLink(OwnLooks);

impl Rule for SuspiciousLink {
    fn id(&self) -> &str {
        SPEC.id
    }

    fn needs(&self) -> Needs {
        Needs { body: true, links: true, ..Needs::NONE }
    }

    fn check(&self, facts: &Facts) -> Vec<Finding> {
        if facts.direction != Direction::Inbound {
            return Vec::new();
        }
        let own = self.0.of(&facts.organisation);
        let any = |test: &dyn Fn(&Link) -> bool| facts.links.iter().any(test);
        let signs = [
            ("disguised", any(&|link| link.disguised)),
            ("mixed-script", any(&|link| confusable::mixes_scripts(&link.target.to_unicode()))),
            ("looks-like-own", any(&|link| looks_like_own(&link.target, own, &facts.organisation))),
            ("other-target", any(&leads_elsewhere)),
        ];
        let mut signs = signs.into_iter().filter_map(|(sign, found)| found.then_some(sign));
        let Some(first) = signs.next() else { return Vec::new() };
        let vouched = matches!(&facts.authentication, Fact::Known(found) if found.vouched());
        let grade = if first == "other-target" && vouched { Confidence::Weak } else { Confidence::Strong };
        let evidence = signs.fold(Evidence::of(first), Evidence::and);
        vec![Finding::Match(Match { grade, evidence, mailboxes: Vec::new(), recipients: Vec::new() })]
    }
}

/// Whether the shown domain and the target are of different owners, as far as their names tell.
fn leads_elsewhere(link: &Link) -> bool {
    let Some(shown) = &link.shown else { return false };
    let owner = |domain: &Domain| {
        let plain = domain.as_str().strip_prefix("www.").unwrap_or(domain.as_str()).to_owned();
        Domain::new(&plain)
    };
    !aligned(&owner(shown), &owner(&link.target))
}

fn looks_like_own(target: &Domain, own: &[OwnLook], organisation: &Organisation) -> bool {
    if organisation.owns_domain(target) || organisation.owns_list(target.as_str()) {
        return false;
    }
    let skeleton = confusable::skeleton(&target.to_unicode());
    own.iter().any(|own| own.is_in(&skeleton))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::testing::from_outside;

    fn found(shown: &str, target: &str, disguised: bool) -> String {
        let mut facts = from_outside("x@example.org", "anna@exempelby.se", "From: x@example.org");
        let shown = (!shown.is_empty()).then(|| Domain::new(shown));
        facts.links = vec![Link { shown, target: Domain::new(target), disguised }];
        match &SuspiciousLink::default().check(&facts)[..] {
            [] => "nothing".to_owned(),
            [Finding::Match(found)] => format!("{} {}", found.grade.as_str(), found.evidence),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn links_that_lead_elsewhere_are_found() {
        for (shown, target, disguised, expected) in [
            ("www.example.org", "example.org", false, "nothing"),
            ("example.org", "login.example.org", false, "nothing"),
            ("", "example.net", false, "nothing"),
            ("www.example.org", "example.net", false, "strong other-target"),
            ("", "exаmple.org", false, "strong mixed-script"),
            ("", "www.exempe1by.se", false, "strong looks-like-own"),
            ("", "www.exempelby.se", false, "nothing"),
            ("", "example.net", true, "strong disguised"),
        ] {
            assert_eq!(found(shown, target, disguised), expected, "{shown} {target}");
        }
    }
}

//! `virus`: viruses that the scanner found.

#![deny(clippy::disallowed_methods)]

use crate::facts::scan::VirusScan;
use crate::facts::{Fact, Facts, Needs};

use super::{ActionSet, Confidence, Evidence, Finding, Flow, Match, Rule, Section, Spec};

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "virus",
    summary: "Viruses, found by ClamAV, in mail of every direction.",
    page: PAGE,
    menu: ActionSet::Virus,
    flow: Flow::All,
    section: Section::One,
    keys: &[],
    make: |_, _| Some(Box::new(Virus)),
};

const PAGE: &str = "\
## What it finds
Viruses that ClamAV (`[scanners.clamav]`) knows by name, in mail of every direction. The name is the evidence, and the
grade is *certain*. A suspicion of ClamAV (`Heuristics.…`: encrypted, macros, a limit; `PUA.…`) is not a virus: its grade
is *weak*, and it is only logged.

## Why it matters
A virus that passes is opened by someone. A virus that is discarded is a record that can no longer be shown. The mail
therefore waits for review, or is rejected so that its sender is told.

## What it misses
Viruses that ClamAV does not know yet, encrypted files, and messages larger than `size_at_most`. If ClamAV did not scan
all of a message, `on_unknown` applies.

## Settings
A bounce with a virus is held and never rejected, because a rejected bounce reaches no one.

## References
clamd(8), `INSTREAM`; RFC 5321 §6.1 (a bounce is not answered).
";

/// The rule.
#[derive(Clone, Copy, Debug)]
pub struct Virus;

impl Rule for Virus {
    fn id(&self) -> &str {
        SPEC.id
    }

    fn needs(&self) -> Needs {
        Needs { virus_scan: true, ..Needs::NONE }
    }

    fn check(&self, facts: &Facts) -> Vec<Finding> {
        let found = |grade, name: &str| {
            vec![Finding::Match(Match {
                grade,
                evidence: Evidence::signature(name),
                mailboxes: Vec::new(),
                recipients: Vec::new(),
            })]
        };
        match &facts.scans.virus {
            Fact::Known(VirusScan::Virus(name)) => found(Confidence::Certain, name),
            Fact::Known(VirusScan::Heuristic(name)) => found(Confidence::Weak, name),
            Fact::Unavailable(cause) => vec![Finding::Unknown(*cause)],
            // Without a scanner the config is refused; no scanner and no answer are not the same.
            Fact::Known(VirusScan::Nothing) | Fact::NotGathered => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Cause;
    use crate::facts::testing::from_outside;

    fn found(virus: Fact<VirusScan>) -> String {
        let mut facts = from_outside("bo@example.org", "anna@exempelby.se", "Subject: x");
        facts.scans.virus = virus;
        match &Virus.check(&facts)[..] {
            [] => "nothing".to_owned(),
            [Finding::Unknown(cause)] => cause.as_str().to_owned(),
            [Finding::Match(found)] => format!("{} {}", found.grade.as_str(), found.evidence),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_virus_is_certain_a_suspicion_is_none_and_silence_is_said() {
        assert_eq!(found(Fact::Known(VirusScan::Virus("Eicar-Test;\u{e5}".into()))), "certain Eicar-Test__");
        assert_eq!(
            found(Fact::Known(VirusScan::Heuristic("Heuristics.Encrypted.Zip".into()))),
            "weak Heuristics.Encrypted.Zip"
        );
        assert_eq!(found(Fact::Known(VirusScan::Nothing)), "nothing");
        assert_eq!(found(Fact::Unavailable(Cause::Unreachable)), "unreachable");
    }
}

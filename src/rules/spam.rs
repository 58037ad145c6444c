//! `spam`: the results of scanners and of sender authentication, weighed together.

#![deny(clippy::disallowed_methods)]

use std::fmt;

use crate::facts::authentication::{Authentication, Dmarc, Outcome, Policy};
use crate::facts::scan::{Opinion, SpamScan, SpamScore};
use crate::facts::{Cause, Fact, Facts, Needs};
use crate::mail::Direction;
use crate::settings::{Fallback, Key, Settings, parse};

use super::{ActionSet, Confidence, Evidence, Finding, Flow, Match, Rule, Section, Spec};
use crate::text::words;

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "spam",
    summary: "Inbound spam. It is marked, never stopped.",
    page: PAGE,
    menu: ActionSet::Spam,
    flow: Flow::FromOutside,
    section: Section::One,
    keys: KEYS,
    make,
};

const PAGE: &str = "\
## What it finds
Inbound mail that is more likely spam than not. Each sign below has a weight. The mail is spam if the weights add up to
1 or more: one scanner can reach that alone, or several weaker signs together. The grade is *strong*. The signs from
DMARC and SPF require `[authentication]`.

- `rspamd`, `spamassassin`, `upstream`: the score of each scanner under `[scanners]`, divided by the score from which
  that scanner calls a mail spam. Only the highest of these weights counts. If a scanner says spam, its weight is 1.
- `dmarc-reject`, `dmarc-quarantine`: the mail fails the DMARC policy of the domain in From. The weight is 0.5. The sign
  is ignored if the ARC chain is valid, a domain in `trusted_sealers` states in it that DMARC passed, and only trusted
  sealers handled the mail after that.
- `own-domain`: the mail shows an address in one of the organisation's own domains as its author, and authentication
  does not confirm it. The weight is 0.5. The address may stand in Sender or anywhere in From: among several authors, in
  a second From field, in a group, in a local part, encoded, or without quotes or brackets. `dmarc-reject` and
  `dmarc-quarantine` check it too.
- `spf-fail`: SPF does not allow the host to send for the domain of the envelope sender. `helo-fail`: SPF does not allow
  it to use its HELO name. The weight of either is 0.3, unless a DKIM signature of the domain in From is valid or a
  trusted sealer explains the failure.

## Why it matters
Spam may be a public record. It is marked, so that people see what it is and mail programs can sort it. It is never
rejected, held or discarded, and no setting can change that.

## What it misses
Spam that no scanner knows. If no scanner answers, the mail passes with the header field `X-Postvakt-Spam-Check:
not-scanned; reason=…`; one of several scanners is enough. A forged address in one of the organisation's domains, if the
organisation's own DNS does not answer. Only the first ten DKIM signatures of a mail are checked.

## Settings
Spam gets the header fields `X-Spam-Flag: YES`, `X-Spam-Status` and `X-Spam-Level`, and `subject_tag` before its
subject. `X-Postvakt-Original-Subject` keeps the old subject. A subject that already has the tag, also behind `SV:` and
the like, gets no second one. Inbound copies of these header fields are removed, except those from hosts in
`[scanners.upstream]`.

## References
RFC 7208 (SPF), RFC 6376 (DKIM), RFC 9989 (DMARC), RFC 8617 (ARC), RFC 2047 §5 (encoded words in a subject). Västerås'
guidelines 2.7, Piteå's 3.9.
";

const KEYS: &[Key] = &[Key {
    name: "doubt",
    kind: "pass, mark",
    default: Fallback::Text("pass"),
    example: "\"pass\"",
    meaning: "What happens to a mail that rspamd would defer (`greylist`, `soft reject`). `pass`: nothing. `mark`: it is marked as spam.",
    why: "A mail in doubt should pass.",
    keys: &[],
}];

/// The points from which on mail is spam where no scanner says how many it takes: SpamAssassin's.
const REQUIRED: f64 = 5.0;

/// The rule.
#[derive(Clone, Copy, Debug)]
pub struct Spam {
    doubt: Doubt,
}

words! {
    /// What follows from a scanner's doubt.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum Doubt {
        #[default]
        Pass = "pass",
        Mark = "mark",
    }
}

fn make(_: &str, section: &mut Settings<'_>) -> Option<Box<dyn Rule>> {
    let doubt = section.optional("doubt", parse::one_of(&Doubt::ALL, Doubt::as_str));
    Some(Box::new(Spam { doubt: doubt? }))
}

impl Rule for Spam {
    fn id(&self) -> &str {
        SPEC.id
    }

    fn needs(&self) -> Needs {
        // Whether anyone asks the DNS is for `[authentication]` to say.
        Needs { spam_scan: true, ..Needs::NONE }
    }

    fn check(&self, facts: &Facts) -> Vec<Finding> {
        if facts.direction != Direction::Inbound {
            return Vec::new();
        }
        let weighed = weigh(facts);
        let doubted =
            self.doubt == Doubt::Mark && answers(facts).any(|score| score.opinion == Opinion::Doubt);
        if weighed.is_spam() || doubted {
            let evidence = weighed.tests.iter().fold(weighed.evidence(), |evidence, test| evidence.and(test));
            return vec![Finding::Match(Match {
                grade: Confidence::Strong,
                evidence,
                mailboxes: Vec::new(),
                recipients: Vec::new(),
            })];
        }
        unscanned(facts).map(Finding::Unknown).into_iter().collect()
    }
}

/// Why no scanner answered, if none did.
fn unscanned(facts: &Facts) -> Option<Cause> {
    if answers(facts).next().is_some() {
        return None;
    }
    let failed = facts.scans.spam.iter().find_map(|scan| scan.answer.err());
    failed.or(match &facts.authentication {
        Fact::Unavailable(cause) => Some(*cause),
        Fact::Known(_) | Fact::NotGathered => None,
    })
}

fn answers(facts: &Facts) -> impl Iterator<Item = SpamScore> {
    facts.scans.spam.iter().filter_map(|scan| scan.answer.ok())
}

/// Everything that is known, weighed.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighed {
    /// In the points of the scanner that says the most.
    pub score: f64,
    /// The points from which on it is spam.
    pub required: f64,
    /// What it was weighed by.
    pub tests: Vec<&'static str>,
}

impl Weighed {
    /// Whether it is more likely spam than not.
    pub fn is_spam(&self) -> bool {
        self.score >= self.required
    }

    fn evidence(&self) -> Evidence {
        Evidence::points(self.score, self.required)
    }
}

impl fmt::Display for Weighed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}/{:.1}", self.score, self.required)
    }
}

/// Weighs what is known of a mail from outside.
pub fn weigh(facts: &Facts) -> Weighed {
    let mut tests = Vec::new();
    let (mut part, mut required) = (0.0_f64, None);
    for SpamScan { by, answer } in &facts.scans.spam {
        let Ok(score) = answer else { continue };
        // rspamd names the points from which on it refuses; it says spam, and marks, from fewer on.
        let needed = match score.opinion {
            Opinion::Spam if score.score > 0.0 => score.required.min(score.score),
            Opinion::Spam | Opinion::Ham | Opinion::Doubt => score.required,
        };
        let own = score.score / needed;
        let own = if score.opinion == Opinion::Spam { own.max(1.0) } else { own };
        if own > 0.0 {
            tests.push(by.as_str());
        }
        if required.is_none() || own > part {
            (part, required) = (own.max(0.0), Some(needed));
        }
    }
    let signs = signs(facts);
    part += signs.iter().map(|(_, weight)| weight).sum::<f64>();
    tests.extend(signs.iter().map(|(test, _)| test));
    let required = required.unwrap_or(REQUIRED);
    // Tenths add up to a whole only nearly.
    let score = if part >= 0.999 { (part * required).max(required) } else { part * required };
    Weighed { score, required, tests }
}

/// What speaks against the mail by itself, each with its part of a whole.
fn signs(facts: &Facts) -> Vec<(&'static str, f64)> {
    let Fact::Known(found) = &facts.authentication else { return Vec::new() };
    let mut signs = Vec::new();
    if !found.handed_on() {
        match found.disowned() {
            Policy::None => {}
            Policy::Quarantine => signs.push(("dmarc-quarantine", 0.5)),
            Policy::Reject => signs.push(("dmarc-reject", 0.5)),
        }
    }
    if forged(facts, found) {
        signs.push(("own-domain", 0.5));
    }
    if !found.dkim_aligned() && !found.handed_on() {
        // One sign: often both names are the same domain's.
        if found.spf.result == Outcome::Fail {
            signs.push(("spf-fail", 0.3));
        } else if found.helo.as_ref().is_some_and(|helo| helo.result == Outcome::Fail) {
            signs.push(("helo-fail", 0.3));
        }
    }
    signs
}

/// Whether people see one of our addresses as the author's, and its domain does not vouch for the mail, as far as that could
/// be found out.
fn forged(facts: &Facts, found: &Authentication) -> bool {
    let author = facts.header.from.iter().any(|author| facts.owns(author)).then_some(&found.dmarc);
    // Of several authors in several domains none is the one.
    let author = author.filter(|author| author.domain.is_some() || found.shown.is_empty());
    let open = |own: &&Dmarc| !found.undecided(own) && !found.vouched_for(own);
    author.into_iter().chain(&found.shown).any(|own| open(&own))
}

#[cfg(test)]
mod tests;

//! `spam`: what scanners say, and who vouches for the sender, weighed together.

#![deny(clippy::disallowed_methods)]

use std::fmt;

use crate::facts::authentication::{Authentication, Dmarc, Outcome, Policy};
use crate::facts::scan::{Opinion, SpamScan, SpamScore};
use crate::facts::{Cause, Fact, Facts, Needs};
use crate::mail::Direction;
use crate::settings::{Fallback, Key, Settings, parse};

use super::{ActionSet, Confidence, Evidence, Finding, Match, Rule, Section, Spec};

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "spam",
    summary: "Spam from outside: marked, never stopped.",
    page: PAGE,
    menu: ActionSet::Spam,
    section: Section::One,
    keys: KEYS,
    make,
};

const PAGE: &str = "\
## What it finds
Mail from outside that is more likely spam than not, by what is known of it together. What is said of DMARC and SPF
needs `[authentication]` in the config.


- `rspamd`, `spamassassin`, `upstream`: the points of each scanner under `[scanners]`, as a part of the points from
  which on it is spam to that scanner; the highest part counts. A scanner that says spam is one whole.
- `dmarc-reject`, `dmarc-quarantine`: the domain in From disowns the mail, and no trusted sealer explains it: half of a
  whole. A chain of forwarders (ARC) explains it where it holds and one of `trusted_sealers` states in it that the domain
  vouched for the mail, and nobody but such sealers handed it on after that.
- `own-domain`: people see one of the organisation's own domains as the author's, and nothing vouches for it: half. It may
  stand in From however it is written there (one of several authors, a second From, a group, an address in a local part,
  encoded, without its quotes or brackets) or in Sender. `dmarc-reject` and `dmarc-quarantine` are asked of it too.
- `spf-fail`: the host may not send for the domain of the envelope sender, or `helo-fail`: it may not go by the name that
  it gives in HELO; and no signature of the domain in From holds, and no trusted sealer explains it: three tenths.

From one whole on it is spam: a scanner alone, or several signs that are each too little. The grade is *strong*.

## Why it matters
Spam may be a public record: it is marked so that people see what it is, and a mail program can sort it away. Nothing
is refused, held or thrown away for it, and there is no setting that could do that.

## What it misses
What no scanner knows. Where no scanner answered, the mail passes with `X-Postvakt-Spam-Check: not-scanned;
reason=…`, and never with a word that could be taken for *clean*; of several scanners one is enough. A forged address of
the organisation's own where its own DNS does not answer. Of DKIM signatures the first ten count.

## Settings
The mark is `X-Spam-Flag: YES`, `X-Spam-Status` and `X-Spam-Level`, and `subject_tag` before the subject, whose old
value is kept in `X-Postvakt-Original-Subject`. A subject that has the tag, also behind `SV:` and the like, keeps it
once. For `headers_only` mailboxes the subject stays as it is. `doubt` says what follows when rspamd would put a mail
off (`greylist`, `soft reject`). Copies of these fields from outside are always taken away.

## References
RFC 7208 (SPF), RFC 6376 (DKIM), RFC 9989 (DMARC), RFC 8617 (ARC), RFC 2047 §5 (encoded words in a subject). Västerås'
guidelines 2.7, Piteå's 3.9.
";

const KEYS: &[Key] = &[Key {
    name: "doubt",
    kind: "pass, mark",
    default: Fallback::Value("\"pass\""),
    example: "\"pass\"",
    meaning: "What becomes of a mail that rspamd would put off to see whether it comes again.",
    why: "The slightest doubt lets a mail through.",
    keys: &[],
}];

/// The points from which on mail is spam where no scanner says how many it takes: SpamAssassin's.
const REQUIRED: f64 = 5.0;

/// The rule.
#[derive(Clone, Copy, Debug)]
pub struct Spam {
    doubt: Doubt,
}

/// What follows from a scanner's doubt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Doubt {
    #[default]
    Pass,
    Mark,
}

impl Doubt {
    const ALL: [Self; 2] = [Self::Pass, Self::Mark];

    fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Mark => "mark",
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "other rules may be wrong")]
fn make(_: &str, section: &mut Settings<'_>) -> Option<Box<dyn Rule>> {
    let doubt = section.optional("doubt", parse::one_of(&Doubt::ALL, Doubt::as_str));
    Some(Box::new(Spam { doubt: doubt.unwrap_or_default() }))
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

/// Why nobody looked, where nobody did.
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

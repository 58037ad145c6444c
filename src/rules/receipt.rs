//! `receipt`: whether the sender of a mail may be answered by a program.
//!
//! A receipt goes to whoever the envelope names. Sent to a forged address it strikes somebody who wrote nothing, and
//! sent to another program it may come back for ever. So every sign of either is enough to say nothing, and the record
//! says which it was.

#![deny(clippy::disallowed_methods)]

mod automatic;
mod senders;

use crate::address::Domain;
use crate::facts::authentication::{Authentication, Outcome, SpfIdentity, aligned};
use crate::facts::{Cause, Fact, Facts, Needs};
use crate::settings::{Fallback, Key, Settings, parse};

use super::{ActionSet, Finding, Rule, Section, Spec};

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "receipt",
    summary: "A receipt for every mail from outside to a function mailbox.",
    page: PAGE,
    menu: ActionSet::Receipt,
    section: Section::One,
    keys: KEYS,
    make,
};

const PAGE: &str = "\
## What it finds
Mail from outside to one of the mailboxes that it names, whose sender is to be told that it arrived. Each mail is
answered once for each mailbox, however often it comes: the mailbox, the Message-ID and the author are its name
(without a Message-ID: sender, From, Date and Subject). The rule has no findings; what became of the receipt stands in the
record's column `receipt`, with the reason where none is sent:

| reason | because |
|---|---|
| `null-sender`, `odd-sender` | nobody can be answered, or not at that address |
| `own-address` | the envelope sender or From is inside, though the mail came from outside |
| `daemon` | a program's address: mailer-daemon, postmaster, noreply, owner-…, …-request, bounces … |
| `auto-submitted` | Auto-Submitted says anything but `no` (RFC 3834), in any of its fields |
| `response-suppress` | X-Auto-Response-Suppress has one of the words in `heed_suppress` |
| `precedence` | Precedence or X-Precedence is bulk, junk, list or auto_reply |
| `list` | a field of a mailing list (List-Id, List-Unsubscribe … , Mailing-List) |
| `loop` | X-Loop or its kin, or our own loop field: an answer to an answer |
| `machine` | a field that only programs write (X-Autoreply, X-Autorespond, X-FC-MachineGenerated …) |
| `report` | a bounce, a delivery report, a read receipt |
| `automatic-subject` | a subject that only programs write (`Autosvar:`, `Out of Office:`, `Undeliverable:` …); one that people write too (`Frånvaro:`, `Auto:`) in an answer, or with X-Auto-Response-Suppress |
| `reply-to-receipt` | it answers one of our receipts, or has the reference of one in its subject: that case has its receipt |
| `spam`, `virus`, `held`, `deferred`, `rejected` | what became of the mail itself |
| `unauthenticated` | nobody vouches for the sender: it may be forged |
| `authentication-unavailable` | that could not be found out |
| `ceiling-sender`, `ceiling-domain`, `ceiling-mailbox`, `ceiling-total` | so many were sent already |
| `breaker` | so many were sent in all that something is wrong; see `docs/receipts.md` |
| `queue-full` | too many wait to be sent |
| `unwritten` | no text could be written for it; the journal says why |

`repeated` in the place of `queued` is a mail that came before: its receipt was sent then, or given up.

A sender is vouched for when the domain in From is (DMARC passes; without a DMARC record, SPF or a signature of that
domain does) and the envelope sender's is too, for that is where the receipt goes: SPF passes for it, a good signature
is of it, or DMARC passes for it.

## Why it matters
Who writes to an authority must be able to rely on the mail having arrived; and an authority must not be the one that
sends strangers answers to mail they never wrote.

## What it misses
A program that gives no sign of being one is answered, until a ceiling stops it. A mail that a person releases from
the hold queue gets no receipt. Two mails of one author with the same Message-ID count as one. A reference that
another gateway has given, or one that is older than the outbox, is not known.

## Settings
`mailboxes` name the function mailboxes, each with its text. `on_unknown` says what becomes of a mail whose sender could
not be authenticated for the moment: `accept` lets it pass without a receipt, `tempfail` has the client bring it again.

## References
RFC 3834 (automatic responses), RFC 5230 §4.6 (whom not to answer), RFC 2919 and 2369 (lists), RFC 6522 (reports),
MS-OXCMAIL 2.1.3.2.20 (X-Auto-Response-Suppress). Piteå 2.2.13: \"kvittens på alla inkommande ärenden via e-post\".
";

const KEYS: &[Key] = &[
    Key {
        name: "require_authentication",
        kind: "true, false",
        default: Fallback::Value("true"),
        example: "true",
        meaning: "Whether a sender must be vouched for to get a receipt.",
        why: "An answer to a forged sender strikes somebody who wrote nothing.",
        keys: &[],
    },
    Key {
        name: "heed_suppress",
        kind: "list of All, AutoReply, OOF, DR, RN, NRN",
        default: Fallback::Value("[\"All\", \"AutoReply\"]"),
        example: "[\"All\", \"AutoReply\"]",
        meaning: "The words in X-Auto-Response-Suppress that ask for no receipt.",
        why: "These two mean answers such as a receipt; some organisations put the others on everything that people write.",
        keys: &[],
    },
];

/// Why the sender of a mail is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each reason stands in the rule's page, once")]
pub enum Suppression {
    NullSender,
    OddSender,
    OwnAddress,
    Daemon,
    AutoSubmitted,
    ResponseSuppress,
    Precedence,
    List,
    Loop,
    Machine,
    Report,
    AutomaticSubject,
    ReplyToReceipt,
    Spam,
    Virus,
    Held,
    Deferred,
    Rejected,
    Unauthenticated,
    AuthenticationUnavailable(Cause),
    CeilingSender,
    CeilingDomain,
    CeilingMailbox,
    CeilingTotal,
    Breaker,
    QueueFull,
    Unwritten,
}

impl Suppression {
    /// The word for it in the log, in metrics and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NullSender => "null-sender",
            Self::OddSender => "odd-sender",
            Self::OwnAddress => "own-address",
            Self::Daemon => "daemon",
            Self::AutoSubmitted => "auto-submitted",
            Self::ResponseSuppress => "response-suppress",
            Self::Precedence => "precedence",
            Self::List => "list",
            Self::Loop => "loop",
            Self::Machine => "machine",
            Self::Report => "report",
            Self::AutomaticSubject => "automatic-subject",
            Self::ReplyToReceipt => "reply-to-receipt",
            Self::Spam => "spam",
            Self::Virus => "virus",
            Self::Held => "held",
            Self::Deferred => "deferred",
            Self::Rejected => "rejected",
            Self::Unauthenticated => "unauthenticated",
            Self::AuthenticationUnavailable(_) => "authentication-unavailable",
            Self::CeilingSender => "ceiling-sender",
            Self::CeilingDomain => "ceiling-domain",
            Self::CeilingMailbox => "ceiling-mailbox",
            Self::CeilingTotal => "ceiling-total",
            Self::Breaker => "breaker",
            Self::QueueFull => "queue-full",
            Self::Unwritten => "unwritten",
        }
    }
}

/// A word of X-Auto-Response-Suppress (MS-OXCMAIL 2.1.3.2.20).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Suppress {
    All,
    AutoReply,
    OutOfOffice,
    DeliveryReport,
    ReadReport,
    NotReadReport,
}

impl Suppress {
    const ALL: [Self; 6] = [
        Self::All,
        Self::AutoReply,
        Self::OutOfOffice,
        Self::DeliveryReport,
        Self::ReadReport,
        Self::NotReadReport,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::All => "All",
            Self::AutoReply => "AutoReply",
            Self::OutOfOffice => "OOF",
            Self::DeliveryReport => "DR",
            Self::ReadReport => "RN",
            Self::NotReadReport => "NRN",
        }
    }
}

/// The rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    require_authentication: bool,
    heed: Vec<Suppress>,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of every rule's")]
fn make(_: &str, section: &mut Settings<'_>) -> Option<Box<dyn Rule>> {
    let require = section.optional("require_authentication", parse::flag);
    let heed = section.list("heed_suppress").map(|values| {
        let word = parse::one_of(&Suppress::ALL, Suppress::as_str);
        values.iter().filter_map(|value| section.accept("heed_suppress", value.at, word(value))).collect()
    });
    Some(Box::new(Receipt {
        require_authentication: require.unwrap_or(true),
        heed: heed.unwrap_or_else(|| vec![Suppress::All, Suppress::AutoReply]),
    }))
}

impl Rule for Receipt {
    fn id(&self) -> &str {
        SPEC.id
    }

    fn needs(&self) -> Needs {
        Needs { authentication: self.require_authentication, ..Needs::default() }
    }

    /// None: that a case came in is not news about the mail. See [`Rule::suppression`].
    fn check(&self, _: &Facts) -> Vec<Finding> {
        Vec::new()
    }

    fn suppression(&self, facts: &Facts) -> Option<Suppression> {
        senders::suppression(facts)
            .or_else(|| automatic::suppression(facts, &self.heed))
            .or_else(|| if self.require_authentication { unauthenticated(facts) } else { None })
    }
}

/// Why nobody vouches for the sender.
fn unauthenticated(facts: &Facts) -> Option<Suppression> {
    let authentication = match &facts.authentication {
        Fact::Known(authentication) => authentication,
        Fact::Unavailable(cause) => return Some(Suppression::AuthenticationUnavailable(*cause)),
        Fact::NotGathered => return Some(Suppression::AuthenticationUnavailable(Cause::Fault)),
    };
    let sender = facts.sender.address().and_then(crate::address::Address::domain);
    let Some(sender) = sender else { return Some(Suppression::Unauthenticated) };
    if authentication.vouched() && vouched(&sender, authentication) {
        None
    } else if undecided(&sender, authentication) {
        Some(Suppression::AuthenticationUnavailable(Cause::Dns))
    } else {
        Some(Suppression::Unauthenticated)
    }
}

/// Whether the domain of the envelope sender vouches for the mail. From may be another's: mail sent by a service has the
/// service's bounce address, and a forger may put his own name into From and his victim's into the envelope.
fn vouched(sender: &Domain, authentication: &Authentication) -> bool {
    let Authentication { spf, dkim, dmarc, .. } = authentication;
    let spf = spf.result == Outcome::Pass && spf.identity == SpfIdentity::MailFrom && spf.domain == *sender;
    let signed = dkim.iter().any(|dkim| {
        dkim.result == Outcome::Pass && dkim.domain.as_ref().is_some_and(|domain| aligned(domain, sender))
    });
    let dmarc =
        dmarc.result == Outcome::Pass && dmarc.domain.as_ref().is_some_and(|from| aligned(from, sender));
    spf || signed || dmarc
}

/// Whether the DNS gave no answer that might have vouched for the author and the sender. Of other domains' none could.
fn undecided(sender: &Domain, authentication: &Authentication) -> bool {
    let Authentication { spf, dkim, dmarc, .. } = authentication;
    let open = |outcome: Outcome| outcome == Outcome::TempError;
    authentication.undecided(dmarc)
        || open(spf.result) && spf.domain == *sender
        || dkim.iter().any(|dkim| {
            open(dkim.result) && dkim.domain.as_ref().is_some_and(|domain| aligned(domain, sender))
        })
}

#[cfg(test)]
mod tests;

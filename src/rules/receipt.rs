//! `receipt`: whether the sender of a mail may be answered by a program.
//!
//! A receipt goes to the envelope sender. Sent to a forged address it reaches a person who wrote nothing, and
//! sent to another program it may come back for ever. So every sign of either is enough to say nothing, and the record
//! says which it was.

#![deny(clippy::disallowed_methods)]

mod automatic;
mod senders;

use crate::facts::{Cause, Fact, Facts, Needs};
use crate::settings::{Fallback, Key, Settings, parse};

use super::{ActionSet, Finding, Flow, Rule, Section, Spec};
use crate::text::words;

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "receipt",
    summary: "Receipts for inbound mail to function mailboxes.",
    page: PAGE,
    menu: ActionSet::Receipt,
    flow: Flow::FromOutside,
    section: Section::One,
    keys: KEYS,
    make,
};

const PAGE: &str = "\
## What it finds
Inbound mail to one of its mailboxes. The sender gets a receipt: one for each mail and mailbox, however often the same mail
arrives. Two mails are the same if mailbox, Message-ID and author are the same (without a Message-ID: sender, From, Date
and Subject). The rule has no findings. The log column `receipt` says what happened; if no receipt is sent, it has one of
these reasons:

| reason | meaning |
|---|---|
| `null-sender`, `odd-sender` | the mail has no sender that can be answered |
| `own-address` | the envelope sender or From is inside, though the mail came from outside |
| `daemon` | the address of a program: mailer-daemon, postmaster, noreply, owner-…, …-request, bounces … |
| `auto-submitted` | an Auto-Submitted field says anything but `no` (RFC 3834) |
| `response-suppress` | X-Auto-Response-Suppress has one of the words in `heed_suppress` |
| `precedence` | Precedence or X-Precedence is bulk, junk, list or auto_reply |
| `list` | a field of a mailing list (List-Id, List-Unsubscribe … , Mailing-List) |
| `loop` | X-Loop or a similar field, or our own loop field: a reply to a reply |
| `machine` | a field that only programs write (X-Autoreply, X-Autorespond, X-FC-MachineGenerated …) |
| `report` | a bounce, a delivery report or a read receipt |
| `automatic-subject` | a subject that only programs write (`Autosvar:`, `Out of Office:`, `Undeliverable:` …), or one that people write too (`Frånvaro:`, `Auto:`) in a reply or with X-Auto-Response-Suppress |
| `reply-to-receipt` | the mail answers one of our receipts or has its reference in the subject; that case has its receipt |
| `spam`, `virus`, `deferred`, `rejected` | the mail itself was marked or stopped |
| `held` | the mail itself is held; where nothing else is in the way, the receipt waits and is sent at its release |
| `unauthenticated` | the sender may be forged: SPF, DKIM and DMARC do not confirm it |
| `authentication-unavailable` | the check of SPF, DKIM and DMARC could not be completed |
| `ceiling-sender`, `ceiling-domain`, `ceiling-mailbox`, `ceiling-total` | a limit was reached |
| `breaker` | the limit of all receipts was exceeded; see `docs/receipts.md` |
| `queue-full` | too many receipts wait to be sent |
| `unwritten` | the text could not be written; the program's log says why |
| `exception` | an exception of the rule covers the mail |

`repeated` in the place of `queued` means that the same mail came before; its receipt was sent or cancelled then.

A sender is authenticated if both the domain in From and the domain of the envelope sender, where the receipt goes, are
confirmed. For From, DMARC passes; without a DMARC record, SPF or a DKIM signature of that domain passes. For the envelope
sender, SPF passes, a valid DKIM signature is of its domain, or DMARC passes for it.

## Why it matters
A person who writes to an authority must be able to trust that the mail arrived. An authority must not send replies to
people who never wrote to it.

## What it misses
A program that shows no sign of being one gets receipts until a limit stops it. A mail that is released from the hold queue
gets no receipt. Two mails of one author with the same Message-ID count as one. References from another gateway, and
references older than the outbox, are not recognised.

## Settings
`on_unknown` applies if the sender cannot be authenticated at the moment: `accept` lets the mail pass without a receipt,
`tempfail` makes the sending server try again.

## References
RFC 3834 (automatic responses), RFC 5230 §4.6 (whom not to answer), RFC 2919 and 2369 (lists), RFC 6522 (reports),
MS-OXCMAIL 2.1.3.2.20 (X-Auto-Response-Suppress). Piteå 2.2.13: \"kvittens på alla inkommande ärenden via e-post\".
";

const KEYS: &[Key] = &[
    Key {
        name: "require_authentication",
        kind: "true, false",
        default: Fallback::Flag(true),
        example: "true",
        meaning: "Whether only senders that SPF, DKIM or DMARC confirm get a receipt.",
        why: "A receipt to a forged sender goes to somebody who wrote nothing.",
        keys: &[],
    },
    Key {
        name: "heed_suppress",
        kind: "list of All, AutoReply, OOF, DR, RN, NRN",
        default: Fallback::Texts(&["All", "AutoReply"]),
        example: "[\"All\", \"AutoReply\"]",
        meaning: "Words in X-Auto-Response-Suppress that suppress the receipt.",
        why: "These two mean replies such as a receipt. Some organisations put the other words on all their mail.",
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
    Exception,
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
            Self::Exception => "exception",
        }
    }
}

words! {
    /// A word of X-Auto-Response-Suppress (MS-OXCMAIL 2.1.3.2.20).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Suppress {
        All = "All",
        AutoReply = "AutoReply",
        OutOfOffice = "OOF",
        DeliveryReport = "DR",
        ReadReport = "RN",
        NotReadReport = "NRN",
    }
}

/// The rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    require_authentication: bool,
    heed: Vec<Suppress>,
}

fn make(_: &str, section: &mut Settings<'_>) -> Option<Box<dyn Rule>> {
    let require = section.optional("require_authentication", parse::flag);
    let heed = section.list("heed_suppress").map(|values| {
        let word = parse::one_of(&Suppress::ALL, Suppress::as_str);
        values.iter().filter_map(|value| section.accept("heed_suppress", value.at, word(value))).collect()
    });
    Some(Box::new(Receipt { require_authentication: require?, heed: heed? }))
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

/// Why the sender is not authenticated.
fn unauthenticated(facts: &Facts) -> Option<Suppression> {
    let authentication = match &facts.authentication {
        Fact::Known(authentication) => authentication,
        Fact::Unavailable(cause) => return Some(Suppression::AuthenticationUnavailable(*cause)),
        Fact::NotGathered => return Some(Suppression::AuthenticationUnavailable(Cause::Fault)),
    };
    let sender = facts.sender.address().and_then(crate::address::Address::domain);
    let Some(sender) = sender else { return Some(Suppression::Unauthenticated) };
    if authentication.vouched() && authentication.vouched_sender(&sender) {
        None
    } else if authentication.undecided(&authentication.dmarc) || authentication.undecided_sender(&sender) {
        Some(Suppression::AuthenticationUnavailable(Cause::Dns))
    } else {
        Some(Suppression::Unauthenticated)
    }
}

#[cfg(test)]
mod tests;

//! `auto-forward`: automatic forwarding from a mailbox inside to an external address.

#![deny(clippy::disallowed_methods)]

use crate::address::Address;
use crate::facts::forwarding::{Mechanism, Trace};
use crate::facts::{Fact, Facts, Needs, Seen};
use crate::limits;
use crate::mail::Direction;

use super::{Evidence, Finding, Grade, Match, Menu, Rule, Section, Spec};

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "auto-forward",
    summary: "Automatic forwarding from a mailbox inside to an external address.",
    page: PAGE,
    menu: Menu::Forward,
    section: Section::One,
    keys: &[],
    make: |_, _| Some(Box::new(AutoForward)),
};

const PAGE: &str = "\
## What it finds
Mail that leaves the organisation because a mailbox forwards it by itself, and not because a person sent it:

- `message-id`: the same message (Message-ID, From and Date) came from outside for a mailbox inside, and now leaves
  for an external recipient. This needs no trace in the message at all. Grade *certain*.
- `sieve`, `zimbra`, `exchange-inbox-rule`, `exchange-forwarding`, `power-automate`: the mechanism left its own header
  field and names a mailbox inside. Grade *certain*.
- `srs`, `gmail`: the envelope sender is an address inside that was rewritten from one outside. Grade *certain*.
- `resent`: Resent-From names a mailbox inside, and nothing else is known. A person who redirects one message by hand
  leaves the same trace, so the grade is *strong*: it is recorded and has no other effect.

Never taken for a forward: replies and out-of-office replies to whoever wrote the message, bounces and other reports
of the organisation's own systems, posts of its own mailing lists, meetings forwarded by a person, journal reports,
and new messages in which a person forwards another.

## Why it matters
Automatic forwarding to external addresses is not allowed: public records leave the authority's reach, and personal
data with them.

## What it misses
A milter sees recipients before alias expansion, and never sees what `local(8)` sends on: aliases and `.forward` on
the gateway itself stay invisible; the mailbox server must be another hop. A client that composes a new message from
an old one, and a program that fetches mail by POP or IMAP, cannot be seen here at all.

## Settings
`action`: `hold` (the default), `reroute` (with `reroute_to`), `remove-recipient` or `reject`. A refusal is used only
where the envelope sender is the local forwarder; an outsider would get a bounce that names the private target, so
there the mail is rerouted or held. `[[rules.auto-forward.exceptions]]` allow one mailbox one target by decision.

## References
RFC 5228 §4.2 (redirect), RFC 5322 §3.6.6 (Resent fields), RFC 3834 (automatic responses), RFC 2919 (List-Id).
";

/// The rule.
#[derive(Clone, Copy, Debug, Default)]
pub struct AutoForward;

impl Rule for AutoForward {
    fn id(&self) -> &str {
        SPEC.id
    }

    fn needs(&self) -> Needs {
        Needs { seen: true, ..Needs::default() }
    }

    fn check(&self, facts: &Facts) -> Vec<Finding> {
        let recipients = third_parties(facts);
        if recipients.is_empty() || by_other_means(facts) {
            return Vec::new();
        }
        let mut found = Found::default();
        if let Fact::Known(Some(seen)) = &facts.seen {
            found.add(Grade::Certain, "message-id", seen.mailboxes.iter());
        }
        for trace in &facts.traces {
            if let Some((grade, word)) = meaning(trace, facts) {
                found.add(grade, word, trace.mailbox.iter().filter(|mailbox| facts.owns(mailbox)));
            }
        }
        match (found.into_match(facts, recipients), &facts.seen) {
            (Some(found), _) => vec![Finding::Match(found)],
            (None, Fact::Unavailable(cause)) => vec![Finding::Unknown(*cause)],
            (None, Fact::Known(_) | Fact::NotGathered) => Vec::new(),
        }
    }
}

/// The external recipients that did not write the message themselves: a mail to its own author is an answer.
fn third_parties(facts: &Facts) -> Vec<usize> {
    if facts.direction != Direction::Outbound {
        return Vec::new();
    }
    let author = |address: &Address| match &facts.seen {
        Fact::Known(Some(seen)) => seen.sender.as_ref() == Some(address),
        Fact::Known(None) | Fact::Unavailable(_) | Fact::NotGathered => false,
    };
    let external = facts.recipients.iter().enumerate().filter(|(_, recipient)| !recipient.inside);
    external.filter(|(_, recipient)| !author(&recipient.address)).map(|(index, _)| index).collect()
}

/// Mail of our own that carries traces for another reason than a forward.
fn by_other_means(facts: &Facts) -> bool {
    let header = &facts.header;
    let own_report =
        header.report && facts.sender.address().is_none() && header.from.iter().all(|a| facts.owns(a));
    let by_person = header.first("X-MS-Exchange-MeetingForward-Message").is_some()
        && header.sender.as_ref().is_some_and(|sender| facts.owns(sender));
    let journal = header.first("X-MS-Journal-Report").is_some();
    own_report || facts.own_list() || by_person || journal
}

/// What a trace means: how sure it makes us, and the word for it.
fn meaning(trace: &Trace, facts: &Facts) -> Option<(Grade, &'static str)> {
    let ours = trace.mailbox.as_ref().is_some_and(|mailbox| facts.owns(mailbox));
    match trace.mechanism {
        // Exchange and Zimbra leave the same field on out-of-office replies.
        Mechanism::ExchangeInboxRule if ours && !reply_shaped(facts) => {
            Some((Grade::Certain, "exchange-inbox-rule"))
        }
        Mechanism::Zimbra if ours && !reply_shaped(facts) => Some((Grade::Certain, "zimbra")),
        Mechanism::ExchangeForwarding if ours => Some((Grade::Certain, "exchange-forwarding")),
        Mechanism::Sieve if ours => Some((Grade::Certain, "sieve")),
        Mechanism::PowerAutomate => Some((Grade::Certain, "power-automate")),
        Mechanism::Resent if ours => Some((Grade::Strong, "resent")),
        Mechanism::Gmail if facts.sender_inside() => Some((Grade::Certain, "gmail")),
        Mechanism::Srs if facts.sender_inside() => Some((Grade::Certain, "srs")),
        Mechanism::ExchangeInboxRule
        | Mechanism::Zimbra
        | Mechanism::ExchangeForwarding
        | Mechanism::Sieve
        | Mechanism::Resent
        | Mechanism::Gmail
        | Mechanism::Srs => None,
    }
}

/// Whether the mail goes back to whoever wrote the message that it answers. Where that message is not remembered,
/// the shape of an automatic reply must do: it answers something, and asks not to be answered itself.
fn reply_shaped(facts: &Facts) -> bool {
    match &facts.answered {
        Fact::Known(Some(Seen { sender: Some(sender), .. })) => {
            facts.recipients.iter().filter(|r| !r.inside).all(|recipient| recipient.address == *sender)
        }
        Fact::Known(_) | Fact::Unavailable(_) | Fact::NotGathered => {
            !facts.header.references.is_empty() && facts.header.first("X-Auto-Response-Suppress").is_some()
        }
    }
}

/// Evidence as it gathers.
#[derive(Default)]
struct Found {
    grade: Option<Grade>,
    evidence: Option<Evidence>,
    mailboxes: Vec<Address>,
}

impl Found {
    fn add<'a>(&mut self, grade: Grade, word: &'static str, mailboxes: impl Iterator<Item = &'a Address>) {
        self.grade = self.grade.max(Some(grade));
        self.evidence = Some(match self.evidence.take() {
            Some(evidence) => evidence.and(word),
            None => Evidence::of(word),
        });
        for mailbox in mailboxes {
            if self.mailboxes.len() < limits::SEEN_MAILBOXES && !self.mailboxes.contains(mailbox) {
                self.mailboxes.push(mailbox.clone());
            }
        }
    }

    /// The match; the envelope sender comes first among the mailboxes where it is one of them.
    fn into_match(mut self, facts: &Facts, recipients: Vec<usize>) -> Option<Match> {
        if let Some(sender) = facts.sender.address() {
            self.mailboxes.sort_by_key(|mailbox| mailbox != sender);
        }
        Some(Match { grade: self.grade?, evidence: self.evidence?, mailboxes: self.mailboxes, recipients })
    }
}

#[cfg(test)]
mod tests;

//! `auto-forward`: automatic forwarding from a mailbox inside to an external address.

#![deny(clippy::disallowed_methods)]

mod found;
mod innocent;
mod meaning;

use std::net::IpAddr;

use ipnet::IpNet;

use crate::address::Address;
use crate::facts::{Fact, Facts, Needs, Seen};
use crate::limits;
use crate::mail::Direction;
use crate::settings::{Fallback, Key, Settings, parse};

use super::{ActionSet, Finding, Rule, Section, Spec};
use found::Found;

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "auto-forward",
    summary: "Automatic forwarding from a mailbox inside to an external address.",
    page: PAGE,
    menu: ActionSet::Forward,
    section: Section::One,
    keys: &[
        Key {
            name: "memory_days",
            kind: "number, 1 to 90",
            default: Fallback::Value("14"),
            example: "14",
            meaning: "Days for which messages from outside are remembered, to be recognised when they leave again. A longer memory fills as mail comes, or at the next start.",
            why: "Rules forward within minutes; a fortnight covers mail that waited for someone to come back. A million messages take about 50 MB of memory (docs/performance.md).",
            keys: &[],
        },
        Key {
            name: "systems",
            kind: "list of networks",
            default: Fallback::Value("[]"),
            example: "[\"10.0.3.7/32\"]",
            meaning: "Hosts that send on by design, such as a case system or a list server: nothing that they hand in is a forward. Scanners need no line here, unless `strong` is to stop.",
            why: "Whoever may send in other people's names is to be named.",
            keys: &[],
        },
    ],
    make: |_, settings| Some(Box::new(AutoForward::new(settings))),
};

const PAGE: &str = "\
## What it finds
Mail that leaves the organisation because a mailbox forwards it by itself, and not because a person sent it. Evidence
is one or more of these words.

Grade *certain*:

- `message-id`, `dkim-signature`, `date-from-subject`: the same message came from outside for a mailbox inside, and now
  leaves for an external recipient. It is known by its Message-ID (with From or Date, since some senders give every
  message the same one; a Date is a moment, however it is written, and one that is missing is given on the way), else by
  a DKIM signature, else by Date, From and Subject. This needs no trace in the message, and a new name in From hides it
  as little as another Date.
- `exchange-inbox-rule` (X-MS-Exchange-Inbox-Rules-Loop), `exchange-forwarding` (X-MS-Exchange-ForwardingLoop),
  `sieve` (X-Sieve-Redirected-From), `zimbra` (X-Zimbra-Forwarded), `gmail` (X-Forwarded-For with X-Forwarded-To, or an
  envelope sender with `+caf_=`), `mail-fwd-by` (X-MailFwdBy): the field names a mailbox inside, alone or among others.
- `exchange-rules-agent`: the Mailbox Rules Agent of Exchange wrote it about another message (X-MS-Exchange-Parent-
  Message-Id), for somebody who did not write that one, or with FW: or VB: before the subject.
- `power-automate` (x-ms-mail-operation-type: Forward), `outlook-rule` (X-MS-Exchange-Organization-AutoForwarded: true).
- `own-letter`: a notice of Postvakt's own, which is for somebody inside, leaves.
- `srs`: the envelope sender is an address inside that was rewritten from one outside, or by one mailbox from another's.

Grade *strong*: recorded, and nothing else unless `strong` says so.

- `foreign-from`: nobody inside stands in From, and all recipients are outside; `foreign-dkim`: the author is outside
  and a domain outside has signed it; `in-then-out`: a hop below the last one took it from a client outside;
  `delivered-to`: it was delivered to a mailbox inside before, as Postfix' local(8) does before it follows `.forward`.
- `exchange-inbox-rule`, `exchange-forwarding`: Exchange's field with any other value, as a number, `ForwardingHandled` or
  an address at a domain that is not in the config; `exchange-rules-agent`: the agent, or Auto-Submitted with the id of
  another message. Each on mail that is no answer.
- `exchange-transport-rule`, `cpanel` (From-Rewrite), `yandex`, `mail-ru`, `mail-fwd-by`: the mechanism's field on mail
  from an author outside, where it names no mailbox inside.
- `auto-forwarded` (Auto-Submitted: auto-forwarded), except on mailing lists.
- `resent`: Resent-From names a mailbox inside. A person who redirects one message by hand leaves the same trace, also
  where the message itself is known: then it is *strong* later than 30 s after the message came, and *certain* before.
- `attached-message`: a message that came less than 30 s ago leaves inside another one.
- `repeated` with one of the signs below, within 30 s: nobody does that by hand time after time.

Grade *weak*: recorded, never anything else.

- `forwarded-soon`: a new message with FW:, VB: or the like, or X-Forwarded-Message-Id, that refers to a message which
  came less than 30 s ago; `attached-message`: an older one leaves inside a new one; `attachment`: an attachment of
  16 KiB or more, no picture, that came for the sender; `repeated`: a sign of these for the fifth time from one sender
  to one recipient.

- `exchange-inbox-rule`, `zimbra`: an automatic reply by what it says (Auto-Submitted: auto-replied, X-Autoreply,
  Precedence: auto_reply, a subject as `Autosvar:`), or a notification (auto-notified), under the mailbox's own envelope
  sender, where the message that it answers is not remembered.

Never taken for a forward: what goes back to an author of the message that it repeats or answers (envelope sender, From
or Reply-To); automatic replies, which the mailbox itself writes under the null sender; what was the organisation's own
before it came back, as a newsletter that a reader returns; posts that its own mailing lists hand out, under the list's
envelope sender; mail from `systems`.

Excused, where there is no more than a likeness: bounces and other reports of the organisation's own systems; meetings
forwarded by a person; journal reports; posts of its lists. No such excuse, and no other field in the message, silences
a trace that names a mailbox inside or a message that is remembered: an answer is what the mailbox itself wrote to whom
it answers.

Whose it is: the mailbox that a trace names, else the envelope sender where that is not the author; not the group, the
alias or the tagged address that the message came to. `anna+x@` is anna, and so are `anna+SRS=…@` and, at the first of
`domains`, `anna@` of a routing domain. A colleague whose envelope sender a mechanism kept is never taken for the
forwarder. Where it is not sure, each mailbox that it may be is written down.

A recipient with a route in it (`a%example.org@…`, `example.org!a`, `\"a@example.org\"@…`) is outside, whatever domain
stands behind it: Postfix sends it on by default. `postvakt postfix-audit` names the settings.

## Why it matters
Automatic forwarding to external addresses is not allowed: public records leave the authority's reach, and personal
data with them.

## What it misses
A milter sees recipients before alias expansion, and never sees what `local(8)` sends on: aliases and `.forward` on
the gateway itself stay invisible, and the mailbox server must be another hop. `postvakt postfix-audit` lists those. A
program that makes a new message out of an old one, changes its attachments and waits is not told from a person, and
one that fetches mail by POP or IMAP never passes here. Gateways do not share their memories yet: what came in by one
and leaves by another is known by its traces alone.

Mail from inside is never remembered: what a colleague wrote and a mailbox sends on is known by a trace alone, and
without one it looks like the colleague's own letter. Without the tenant's domain in `organisation.routing_domains` a
trace that names `anna@exempelbykommun.onmicrosoft.com` is *strong* at the most, and mail that a hybrid Exchange hands
on to the cloud by way of the gateway looks as if it left. A message that came without Date and without Message-ID is
known by a signature alone. A mail of the organisation's own that an outside service sends, that comes in for a group
and leaves by a member without any trace or Received field, is taken for the organisation's own.

## Settings
`action`: `hold` (the default), `reroute` (with `reroute_to`), `remove-recipient` or `reject`. Where other recipients
remain, they get the mail and the forward's targets alone are taken away. A refusal is used only where the envelope
sender is the forwarder, by a trace or by the memory; anybody else would get a bounce that names the private target, so
there an outsider's mail is rerouted or held, a colleague's is held, and none is dropped. No other rule refuses such a
mail either: it waits. `strong` says what becomes of what is likely, `[rules.auto-forward.private]` what is otherwise
for providers of private mail, and `notify` who is told: the forwarder, if that is sure, once a day for each target;
else the one mailbox that the message came for, once a day, and not where it was to go.
`[[rules.auto-forward.exceptions]]` allow one mailbox one target by decision. `memory_days` is how long messages are
remembered, `systems` which hosts send on by design.

## References
RFC 5228 §4.2 (redirect), RFC 5322 §3.6.6 (Resent fields), RFC 3834 (automatic responses), RFC 2919 (List-Id), RFC 3848
(authenticated hops), RFC 6376 §3.5 (signatures).
";

/// The rule.
#[derive(Clone, Debug)]
pub struct AutoForward {
    memory_days: u32,
    /// Hosts that send on by design.
    systems: Vec<IpNet>,
}

impl AutoForward {
    fn new(settings: &mut Settings<'_>) -> Self {
        let days = settings.optional("memory_days", parse::number(1, limits::SEEN_DAYS));
        let mut systems = Vec::new();
        for value in settings.list("systems").unwrap_or_default() {
            systems.extend(settings.accept("systems", value.at, parse::network(value)));
        }
        Self { memory_days: days.unwrap_or(limits::SEEN_DAYS_USUAL), systems }
    }
}

impl Rule for AutoForward {
    fn id(&self) -> &str {
        SPEC.id
    }

    fn needs(&self) -> Needs {
        Needs { seen_days: self.memory_days, ..Needs::NONE }
    }

    fn check(&self, facts: &Facts) -> Vec<Finding> {
        let system = |ip: IpAddr| self.systems.iter().any(|network| network.contains(&ip.to_canonical()));
        if facts.direction != Direction::Outbound || facts.client.address.is_some_and(system) {
            return Vec::new();
        }
        let found = Found::of(facts);
        let unknown = match &facts.seen {
            Fact::Unavailable(cause) if !found.is_certain() => Some(*cause),
            Fact::Unavailable(_) | Fact::Known(_) | Fact::NotGathered => None,
        };
        if found.is_nothing() && (unknown.is_none() || innocent::by_other_means(facts)) {
            return Vec::new();
        }
        let recipients = third_parties(facts, &found);
        if recipients.is_empty() {
            return Vec::new();
        }
        let found = found.into_match(facts, recipients).map(Finding::Match);
        found.into_iter().chain(unknown.map(Finding::Unknown)).collect()
    }
}

/// The external recipients that did not write the message themselves: what goes back to its author is no forward. Who
/// wrote what is in it counts only where nothing but that tells of a forward.
fn third_parties(facts: &Facts, found: &Found) -> Vec<usize> {
    let inner = [&facts.contained, &facts.answered].into_iter().filter(|_| found.is_of_signs());
    let written: Vec<&Seen> = std::iter::once(&facts.seen).chain(inner).filter_map(known).collect();
    let author = |address: &Address| written.iter().any(|seen| seen.authors.contains(address));
    let external = facts.recipients.iter().enumerate().filter(|(_, recipient)| !recipient.inside);
    external.filter(|(_, recipient)| !author(&recipient.address)).map(|(index, _)| index).collect()
}

fn known(fact: &Fact<Option<Seen>>) -> Option<&Seen> {
    match fact {
        Fact::Known(seen) => seen.as_ref(),
        Fact::Unavailable(_) | Fact::NotGathered => None,
    }
}

/// Whether nobody inside claims to have written it.
fn written_outside(facts: &Facts) -> bool {
    !facts.header.from.is_empty() && !facts.header.from.iter().any(|author| facts.owns(author))
}

/// Whether so little time lies between that no person did it.
fn is_soon(seen: &Seen, facts: &Facts) -> bool {
    facts.arrived.duration_since(seen.at).unsigned_abs() <= limits::FORWARD_SOON
}

#[cfg(test)]
mod tests;

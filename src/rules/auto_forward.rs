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

use super::{ActionSet, Finding, Flow, Rule, Section, Spec};
use found::Found;

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "auto-forward",
    summary: "Mail that a mailbox inside forwards automatically to an external address.",
    page: PAGE,
    menu: ActionSet::Forward,
    flow: Flow::FromInside,
    section: Section::One,
    keys: &[
        Key {
            name: "memory_days",
            kind: "number, 1 to 90",
            default: Fallback::Number(limits::SEEN_DAYS_USUAL),
            example: "14",
            meaning: "Days for which inbound messages are remembered, so that they are recognised when they leave again. A higher value applies to mail that arrives after the change.",
            why: "Rules forward within minutes; two weeks cover mail that waited for someone's return. A million messages take about 50 MB of memory (docs/performance.md).",
            keys: &[],
        },
        Key {
            name: "systems",
            kind: "list of networks",
            default: Fallback::Texts(&[]),
            example: "[\"10.0.3.7/32\"]",
            meaning: "Hosts that forward mail by design, such as a case system or a list server. Their mail is never a forward. Multifunction printers that send scans need no entry, unless `strong = \"stop\"`.",
            why: "Systems that may send in other people's names must be listed.",
            keys: &[],
        },
    ],
    make: |_, settings| Some(Box::new(AutoForward::new(settings)?)),
};

const PAGE: &str = "\
## What it finds
Outbound mail that a mailbox forwards by itself, as opposed to mail that a person sends. The evidence in the log is one
or more of the words below.

Grade *certain*:

- `message-id`, `dkim-signature`, `date-from-subject`: the same message arrived from outside for a mailbox inside, and
  now leaves for an external recipient. Postvakt compares the Message-ID (with From or Date, because some senders use
  one Message-ID for every message), else a DKIM signature, else Date, From and Subject. Dates are compared as points in
  time, and a mail server may have added a missing one. The message needs no header field of the forwarding, and neither
  a new name in From nor another Date hides it.
- `exchange-inbox-rule` (X-MS-Exchange-Inbox-Rules-Loop), `exchange-forwarding` (X-MS-Exchange-ForwardingLoop),
  `sieve` (X-Sieve-Redirected-From), `zimbra` (X-Zimbra-Forwarded), `gmail` (X-Forwarded-For with X-Forwarded-To, or an
  envelope sender with `+caf_=`), `mail-fwd-by` (X-MailFwdBy): the field names a mailbox inside.
- `exchange-rules-agent`: Exchange's Mailbox Rules Agent made the message from another one (X-MS-Exchange-Parent-
  Message-Id), and the recipient is not an author of that message or the subject begins with FW: or VB:.
- `power-automate` (x-ms-mail-operation-type: Forward), `outlook-rule` (X-MS-Exchange-Organization-AutoForwarded: true).
- `own-letter`: a receipt or notice of Postvakt itself, which is meant for somebody inside, leaves.
- `srs`: the envelope sender is an address inside that was rewritten from an address outside, or by one mailbox from the
  address of another.

Grade *strong*, which is only logged unless `strong` says otherwise:

- `foreign-from`: no author in From is inside, and all recipients are outside. `foreign-dkim`: the author is outside,
  and a domain outside has signed the message. `in-then-out`: an earlier hop received the message from a client outside.
  `delivered-to`: the message was delivered to a mailbox inside before; Postfix's local(8) adds this field before it
  follows `.forward`.
- `exchange-inbox-rule`, `exchange-forwarding`: Exchange's field has any other value, such as a number,
  `ForwardingHandled` or an address in a domain that is not in the config. `exchange-rules-agent`: the agent made the
  message, or Auto-Submitted has the id of another message. These signs do not count on replies.
- `exchange-transport-rule`, `cpanel` (From-Rewrite), `yandex`, `mail-ru`, `mail-fwd-by`: the mechanism's field on mail
  from an author outside, if it names no mailbox inside.
- `auto-forwarded` (Auto-Submitted: auto-forwarded), except on mailing lists.
- `resent`: Resent-From names a mailbox inside. A person who redirects a single message leaves the same field. If the
  message itself is known, the grade is *certain* within 30 s of its arrival and *strong* later.
- `attached-message`: a message that arrived less than 30 s ago leaves inside another one.
- `repeated`, with one of the weak signs within 30 s: a person does not forward that fast time after time.

Grade *weak*, which is only logged:

- `forwarded-soon`: a new message with FW:, VB: or the like, or with X-Forwarded-Message-Id, that refers to a message
  which arrived less than 30 s ago.
- `attached-message`: an older message leaves inside a new one.
- `attachment`: an attachment of at least 16 KiB, other than a picture, that arrived for the sender.
- `repeated`: one of these signs for the fifth time from one sender to one recipient.
- `exchange-inbox-rule`, `zimbra`: the message says that it is an automatic reply (Auto-Submitted: auto-replied,
  X-Autoreply, Precedence: auto_reply, a subject such as `Autosvar:`) or a notification (auto-notified), has the
  mailbox's own envelope sender, and answers a message that is not remembered.

These are never taken for a forward:

- mail to an author of the message that it repeats or answers (envelope sender, From or Reply-To);
- automatic replies, which the mailbox itself writes with the null sender;
- mail that was the organisation's own before it came back, such as a newsletter that a reader returns;
- posts of the organisation's own mailing lists, with the list's envelope sender;
- mail from `systems`.

Signs below *certain* are ignored on bounces and other reports of the organisation's own systems, on meetings that a
person forwards, on journal reports and on posts of its lists. These exceptions, and other header fields, never override
a forwarding field that names a mailbox inside or a message that is remembered. Only a message that the mailbox itself
wrote to the author counts as a reply.

The forwarding mailbox is the one that a forwarding field names, else the envelope sender if it is not the author. It is
not the group, alias or tagged address that the message came to: `anna+x@` is anna, and so are `anna+SRS=…@` and `anna@`
in a routing domain (as anna@ in the first of `domains`). A colleague whose envelope sender a mechanism kept is never
taken for the forwarder. If several mailboxes are possible, all are recorded.

A recipient with a route in its address (`a%example.org@…`, `example.org!a`, `\"a@example.org\"@…`) is outside, whatever
its domain, because Postfix sends it on by default. `postvakt postfix-audit` names the settings.

## Why it matters
Automatic forwarding to external addresses is not allowed: public records and personal data would leave the authority's
control.

## What it misses
A milter sees recipients before alias expansion, and does not see what `local(8)` forwards. Aliases and `.forward` on
the gateway itself are invisible, so the mailbox server must be another host; `postvakt postfix-audit` lists them. A
program that makes a new message from an old one, changes its attachments and waits looks like a person. Mail that is
fetched by POP or IMAP never passes the gateway. Gateways do not share their memories yet: mail that arrives through one
and leaves through another is recognised only by its forwarding fields (the header fields above).

Mail from inside is not remembered. A colleague's mail that a mailbox forwards is recognised only by a forwarding field;
without one it looks like the colleague's own mail. If the tenant's domain is missing in `organisation.routing_domains`,
a field that names `anna@exempelbykommun.onmicrosoft.com` is at most *strong*, and mail that a hybrid Exchange sends to
the cloud through the gateway looks outbound. A message without Date and Message-ID is recognised only by a DKIM
signature. Mail that an outside service sends in the organisation's name, that arrives for a group and leaves from a
member without any forwarding or Received field, is taken for the organisation's own.

## Settings
If other recipients remain, they get the mail, and only the targets of the forward are removed. `reject` applies only if
a forwarding field or the remembered message shows that the envelope sender is the forwarder. Otherwise the bounce would
name the private target to somebody else, so mail from an outsider is rerouted (held without `reroute_to`), mail from a
colleague is held, and no other rule rejects it. `notify` tells the forwarder once a day for each target, if it is known
for certain; otherwise it tells the one mailbox that the message came for, once a day and without the target.

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
    fn new(settings: &mut Settings<'_>) -> Option<Self> {
        let days = settings.optional("memory_days", parse::number(1, limits::SEEN_DAYS));
        let mut systems = Vec::new();
        for value in settings.list("systems").unwrap_or_default() {
            let Some(network) = settings.accept("systems", value.at, parse::network(value)) else { continue };
            let so = "no mail would ever be a forward";
            if let Some(fault) = parse::whole_internet(&network, so, "list only hosts that forward by design")
            {
                settings.warn("systems", value.at, fault);
            }
            systems.push(network);
        }
        Some(Self { memory_days: days?, systems })
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

/// Whether no author in From is inside.
fn written_outside(facts: &Facts) -> bool {
    !facts.header.from.is_empty() && !facts.header.from.iter().any(|author| facts.owns(author))
}

/// Whether so little time lies between that no person did it.
fn is_soon(seen: &Seen, facts: &Facts) -> bool {
    facts.arrived.duration_since(seen.at).unsigned_abs() <= limits::FORWARD_SOON
}

#[cfg(test)]
mod tests;

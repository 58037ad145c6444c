//! `auto-forward`: automatic forwarding from a mailbox inside to an external address.

#![deny(clippy::disallowed_methods)]

use std::net::IpAddr;

use ipnet::IpNet;

use crate::address::Address;
use crate::facts::forwarding::{Mechanism, Trace};
use crate::facts::identity::By;
use crate::facts::{Fact, Facts, Needs, Seen};
use crate::limits;
use crate::mail::Direction;
use crate::settings::{Fallback, Key, Settings, parse};

use super::{Evidence, Finding, Grade, Match, Menu, Rule, Section, Spec};

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "auto-forward",
    summary: "Automatic forwarding from a mailbox inside to an external address.",
    page: PAGE,
    menu: Menu::Forward,
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
  leaves for an external recipient. It is known by its Message-ID (with From and Date, since some senders give every
  message the same one), else by a DKIM signature, else by Date, From and Subject. This needs no trace in the message.
- `exchange-inbox-rule` (X-MS-Exchange-Inbox-Rules-Loop), `exchange-forwarding` (X-MS-Exchange-ForwardingLoop),
  `sieve` (X-Sieve-Redirected-From), `zimbra` (X-Zimbra-Forwarded), `gmail` (X-Forwarded-For with X-Forwarded-To, or an
  envelope sender with `+caf_=`), `mail-fwd-by` (X-MailFwdBy): the field names a mailbox inside.
- `power-automate` (x-ms-mail-operation-type: Forward), `outlook-rule` (X-MS-Exchange-Organization-AutoForwarded: true).
- `own-letter`: a notice of Postvakt's own, which is for somebody inside, leaves.
- `srs`: the envelope sender is an address inside that was rewritten from one outside.

Grade *strong*: recorded, and nothing else unless `strong` says so.

- `foreign-from`: nobody inside stands in From, and all recipients are outside; `foreign-dkim`: the author is outside
  and a domain outside has signed it; `in-then-out`: a hop below the last one took it from a client outside;
  `delivered-to`: it was delivered to a mailbox inside before, as Postfix' local(8) does before it follows `.forward`.
- `exchange-transport-rule`, `exchange-forwarding`, `cpanel` (From-Rewrite), `yandex`, `mail-ru`, `mail-fwd-by`: the
  mechanism's field on mail from an author outside, where it names no mailbox inside.
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

Never taken for a forward: what goes back to an author of the message that it repeats, contains or answers (envelope
sender, From or Reply-To): replies and out-of-office replies; bounces and other reports of the organisation's own
systems; posts of its own mailing lists; meetings forwarded by a person; journal reports; what its author sends once
more; new messages in which a person forwards another; mail from `systems`.

## Why it matters
Automatic forwarding to external addresses is not allowed: public records leave the authority's reach, and personal
data with them.

## What it misses
A milter sees recipients before alias expansion, and never sees what `local(8)` sends on: aliases and `.forward` on
the gateway itself stay invisible, and the mailbox server must be another hop. `postvakt postfix-audit` lists those. A
program that makes a new message out of an old one, changes its attachments and waits is not told from a person, and
one that fetches mail by POP or IMAP never passes here. Gateways do not share their memories yet: what came in by one
and leaves by another is known by its traces alone.

## Settings
`action`: `hold` (the default), `reroute` (with `reroute_to`), `remove-recipient` or `reject`. Where other recipients
remain, they get the mail and the forward's targets alone are taken away. A refusal is used only where the envelope
sender is the local forwarder; an outsider would get a bounce that names the private target, so there the mail is
rerouted or held, and never dropped. `strong` says what becomes of what is likely, `[rules.auto-forward.private]` what
is otherwise for providers of private mail, and `notify` who is told: the owner of the mailbox, if that is sure, once a
day for each target. `[[rules.auto-forward.exceptions]]` allow one mailbox one target by decision. `memory_days` is how
long messages are remembered, `systems` which hosts send on by design.

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
        let mut found = Found::default();
        found.copy(facts);
        found.traces(facts);
        found.circumstances(facts);
        if found.grade.is_none() {
            found.signs(facts);
        }
        if found.grade.is_none() && !matches!(facts.seen, Fact::Unavailable(_)) {
            return Vec::new();
        }
        let recipients = third_parties(facts);
        if recipients.is_empty() || by_other_means(facts) {
            return Vec::new();
        }
        let found = found.into_match(facts, recipients);
        let certain = found.as_ref().is_some_and(|found| found.grade == Grade::Certain);
        let unknown = match &facts.seen {
            Fact::Unavailable(cause) if !certain => Some(Finding::Unknown(*cause)),
            Fact::Unavailable(_) | Fact::Known(_) | Fact::NotGathered => None,
        };
        found.map(Finding::Match).into_iter().chain(unknown).collect()
    }
}

/// The external recipients that did not write the message themselves: a mail to the author of what it repeats or
/// answers is an answer.
fn third_parties(facts: &Facts) -> Vec<usize> {
    let author = |address: &Address| {
        [&facts.seen, &facts.contained]
            .into_iter()
            .filter_map(known)
            .any(|seen| seen.authors.contains(address))
    };
    let external = facts.recipients.iter().enumerate().filter(|(_, recipient)| !recipient.inside);
    external.filter(|(_, recipient)| !author(&recipient.address)).map(|(index, _)| index).collect()
}

fn known(fact: &Fact<Option<Seen>>) -> Option<&Seen> {
    match fact {
        Fact::Known(seen) => seen.as_ref(),
        Fact::Unavailable(_) | Fact::NotGathered => None,
    }
}

/// Mail of our own that carries traces for another reason than a forward.
fn by_other_means(facts: &Facts) -> bool {
    let header = &facts.header;
    let own_report =
        header.report && facts.sender.address().is_none() && header.from.iter().all(|a| facts.owns(a));
    let by_person = header.first("X-MS-Exchange-MeetingForward-Message").is_some()
        && header.sender.as_ref().is_some_and(|sender| facts.owns(sender));
    let journal = header.first("X-MS-Journal-Report").is_some() && known(&facts.seen).is_none();
    own_report || own_list(facts) || by_person || journal
}

/// A post of a list inside: it says so, and its bounces come back to us.
fn own_list(facts: &Facts) -> bool {
    let by_list = |sender: &Address| {
        let local = sender.local().to_ascii_lowercase();
        let ends = ["-bounces", "-bounce", "-owner", "-request", "-admin"];
        local.starts_with("owner-")
            || ends.iter().any(|end| local.split(['+', '=']).any(|l| l.ends_with(end)))
    };
    let says = || facts.header.all("Precedence").any(|value| value.eq_ignore_ascii_case("list"));
    facts.sender_inside() && (facts.own_list() || (says() && facts.sender.address().is_some_and(by_list)))
}

/// What a trace means: how sure it makes us.
fn meaning(trace: &Trace, facts: &Facts) -> Option<Grade> {
    let ours = trace.mailbox.as_ref().is_some_and(|mailbox| facts.owns(mailbox));
    match trace.mechanism {
        // Exchange and Zimbra leave the same field on out-of-office replies.
        Mechanism::ExchangeInboxRule if ours && !reply_shaped(facts) => Some(Grade::Certain),
        Mechanism::Zimbra if ours && !reply_shaped(facts) && !is_notification(facts) => Some(Grade::Certain),
        Mechanism::ExchangeForwarding | Mechanism::Sieve | Mechanism::Gmail | Mechanism::MailFwdBy
            if ours =>
        {
            Some(Grade::Certain)
        }
        Mechanism::Srs if facts.sender_inside() && !ours => Some(Grade::Certain),
        Mechanism::PowerAutomate | Mechanism::OutlookRule => Some(Grade::Certain),
        // A receipt is `auto-replied`; a notice is for somebody inside.
        Mechanism::OwnLetter if says(facts, "auto-generated") => Some(Grade::Certain),
        Mechanism::Resent if ours => Some(Grade::Strong),
        Mechanism::AutoForwarded if !of_list(facts) => Some(Grade::Strong),
        Mechanism::ExchangeForwarding
        | Mechanism::ExchangeTransportRule
        | Mechanism::Yandex
        | Mechanism::MailRu
        | Mechanism::Cpanel
        | Mechanism::MailFwdBy
            if written_outside(facts) =>
        {
            Some(Grade::Strong)
        }
        Mechanism::ExchangeInboxRule
        | Mechanism::ExchangeForwarding
        | Mechanism::ExchangeTransportRule
        | Mechanism::Sieve
        | Mechanism::Zimbra
        | Mechanism::Gmail
        | Mechanism::Srs
        | Mechanism::Yandex
        | Mechanism::MailRu
        | Mechanism::Cpanel
        | Mechanism::AutoForwarded
        | Mechanism::MailFwdBy
        | Mechanism::OwnLetter
        | Mechanism::Resent
        | Mechanism::Delivered
        | Mechanism::InThenOut
        | Mechanism::ForeignSignature => None,
    }
}

/// Whether a circumstance makes it likely that the mail was here before. None of these is left by a mechanism alone.
fn is_circumstance(trace: &Trace, facts: &Facts) -> bool {
    match trace.mechanism {
        Mechanism::InThenOut => true,
        Mechanism::ForeignSignature => written_outside(facts),
        Mechanism::Delivered => {
            let host = trace.mailbox.as_ref().and_then(Address::domain);
            written_outside(facts) && host.is_none_or(|host| facts.organisation.owns_host(&host))
        }
        _ => false,
    }
}

/// Whether nobody inside claims to have written it.
fn written_outside(facts: &Facts) -> bool {
    !facts.header.from.is_empty() && !facts.header.from.iter().any(|author| facts.owns(author))
}

/// Whether its author sends it herself: what a list outside sent back to us in the meantime makes it no forward.
fn own_words(facts: &Facts) -> bool {
    let from = &facts.header.from;
    let by_author = facts.sender.address().is_some_and(|sender| from.contains(sender));
    let came_in = facts.traces.iter().any(|trace| trace.mechanism == Mechanism::InThenOut);
    by_author && !came_in && from.iter().all(|author| facts.owns(author))
}

/// Whether the message is a list's, of whomever's.
fn of_list(facts: &Facts) -> bool {
    facts.header.list_id.is_some() || facts.header.first("Precedence").is_some()
}

/// RFC 5435 §2.7: a filter tells somebody that mail has come, and not what it says.
fn is_notification(facts: &Facts) -> bool {
    says(facts, "auto-notified")
}

/// Whether Auto-Submitted is this keyword.
fn says(facts: &Facts, keyword: &str) -> bool {
    facts.header.all("Auto-Submitted").any(|value| value.to_ascii_lowercase().starts_with(keyword))
}

/// Whether the mail goes back to whoever wrote the message that it answers. Where that message is not remembered,
/// the shape of an automatic reply must do: it answers something, and is one or asks not to be answered itself.
fn reply_shaped(facts: &Facts) -> bool {
    if let Some(answered) = known(&facts.answered) {
        let mut external = facts.recipients.iter().filter(|recipient| !recipient.inside);
        return external.all(|recipient| answered.authors.contains(&recipient.address));
    }
    let header = &facts.header;
    let automatic = header.first("X-Auto-Response-Suppress").is_some() || says(facts, "auto-replied");
    automatic && !header.references.is_empty()
}

/// Whether so little time lies between that no person did it.
fn is_soon(seen: &Seen, facts: &Facts) -> bool {
    facts.arrived.duration_since(seen.at).unsigned_abs() <= limits::FORWARD_SOON
}

/// Evidence as it gathers.
#[derive(Default)]
struct Found {
    grade: Option<Grade>,
    evidence: Option<Evidence>,
    mailboxes: Vec<Address>,
}

impl Found {
    /// The message itself came from outside.
    fn copy(&mut self, facts: &Facts) {
        let Some(seen) = known(&facts.seen).filter(|_| !own_words(facts)) else { return };
        let grade = if by_hand(seen, facts) { Grade::Strong } else { Grade::Certain };
        self.add(grade, seen.by.as_str());
        self.name(&seen.mailboxes);
    }

    /// A mechanism left its trace.
    fn traces(&mut self, facts: &Facts) {
        for trace in &facts.traces {
            if let Some(grade) = meaning(trace, facts) {
                self.add(grade, trace.mechanism.as_str());
                self.name(trace.mailbox.iter().filter(|mailbox| facts.owns(mailbox)));
            }
        }
    }

    /// It looks as if it had been here before. What is certain needs no more words, but an owner.
    fn circumstances(&mut self, facts: &Facts) {
        let certain = self.grade == Some(Grade::Certain);
        let all_leave = facts.recipients.iter().all(|recipient| !recipient.inside);
        let report = facts.header.report && facts.sender.address().is_none();
        if !certain && written_outside(facts) && all_leave && !report && !reply_shaped(facts) {
            self.add(Grade::Strong, "foreign-from");
        }
        for trace in facts.traces.iter().filter(|trace| is_circumstance(trace, facts)) {
            if !certain {
                self.add(Grade::Strong, trace.mechanism.as_str());
            }
            self.name(trace.mailbox.iter().filter(|mailbox| facts.owns(mailbox)));
        }
    }

    /// A new message, in which or by which a person or a program may have sent on another one.
    fn signs(&mut self, facts: &Facts) {
        let answered = known(&facts.answered).filter(|seen| {
            facts.header.forwards()
                && is_soon(seen, facts)
                && facts.forwarder().is_some()
                && !reply_shaped(facts)
        });
        let contained = known(&facts.contained).filter(|seen| {
            let own = facts.forwarder().is_some_and(|sender| seen.mailboxes.contains(sender));
            seen.by != By::Attachment || own
        });
        let mut soon = false;
        for (seen, word) in [
            (answered, "forwarded-soon"),
            (contained.filter(|seen| seen.by != By::Attachment), "attached-message"),
            (contained.filter(|seen| seen.by == By::Attachment), "attachment"),
        ] {
            let Some(seen) = seen else { continue };
            let at_once = is_soon(seen, facts);
            let grade = if at_once && word == "attached-message" { Grade::Strong } else { Grade::Weak };
            soon |= at_once;
            self.add(grade, word);
            self.name(&seen.mailboxes);
        }
        if self.grade.is_some() && facts.repeats >= limits::FORWARD_REPEATS {
            // Once within seconds may be chance; time after time it is a program.
            self.add(if soon { Grade::Strong } else { Grade::Weak }, "repeated");
        }
    }

    fn add(&mut self, grade: Grade, word: &'static str) {
        self.grade = self.grade.max(Some(grade));
        self.evidence = Some(match self.evidence.take() {
            Some(evidence) if evidence.has(word) => evidence,
            Some(evidence) => evidence.and(word),
            None => Evidence::of(word),
        });
    }

    fn name<'a>(&mut self, mailboxes: impl IntoIterator<Item = &'a Address>) {
        for mailbox in mailboxes {
            if self.mailboxes.len() < limits::SEEN_MAILBOXES && !self.mailboxes.contains(mailbox) {
                self.mailboxes.push(mailbox.clone());
            }
        }
    }

    /// The match. The envelope sender comes first among the mailboxes where it is one of them, and is the one where
    /// nothing names any.
    fn into_match(mut self, facts: &Facts, recipients: Vec<usize>) -> Option<Match> {
        let (grade, evidence) = (self.grade?, self.evidence?);
        if let Some(sender) = facts.forwarder() {
            if self.mailboxes.is_empty() {
                self.mailboxes.push(sender.clone());
            }
            self.mailboxes.sort_by_key(|mailbox| mailbox != sender);
        }
        Some(Match { grade, evidence, mailboxes: self.mailboxes, recipients })
    }
}

/// Whether a person may have redirected the message: Resent-From says so, no program left its own trace, and it lay
/// in the mailbox for a while.
fn by_hand(seen: &Seen, facts: &Facts) -> bool {
    let resent = facts.traces.iter().any(|trace| {
        trace.mechanism == Mechanism::Resent && trace.mailbox.as_ref().is_some_and(|own| facts.owns(own))
    });
    let by_program =
        facts.traces.iter().filter_map(|trace| meaning(trace, facts)).any(|grade| grade == Grade::Certain);
    resent && !by_program && !is_soon(seen, facts)
}

#[cfg(test)]
mod tests;

//! Traces: what the header section and the envelope sender tell about automatic forwarding, per mechanism.
//!
//! Absent: judgement. Out-of-office replies have traces too. And `X-Forwarded-*` is never matched by its beginning:
//! `X-Forwarded-Encrypted` stands in ordinary mail.

#![deny(clippy::disallowed_methods)]

use super::received::{self, Received};
use super::{Field, Header, grammar, signature};
use crate::address::{Address, Domain, ReversePath};
use crate::limits;
use crate::notice::LOOP_FIELD;
use crate::organisation::Organisation;
use crate::text::words;

/// One trace that a forwarding mechanism left. It is true that it stands there; what it means is the rule's business.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trace {
    /// Which mechanism leaves it.
    pub mechanism: Mechanism,
    /// The mailbox it names, if it names one.
    pub mailbox: Option<Address>,
}

words! {
    /// What leaves traces.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Mechanism {
        /// `X-MS-Exchange-Inbox-Rules-Loop`: an Exchange inbox rule; out-of-office replies have it too.
        ExchangeInboxRule = "exchange-inbox-rule",
        /// `X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent`, or Auto-Submitted with
        /// `X-MS-Exchange-Parent-Message-Id`: Exchange wrote it by a rule, and automatic replies are so written too; names no
        /// mailbox.
        ExchangeRulesAgent = "exchange-rules-agent",
        /// `X-MS-Exchange-ForwardingLoop`: Exchange mailbox forwarding.
        ExchangeForwarding = "exchange-forwarding",
        /// `X-MS-Exchange-Transport-Rules-Loop`: an Exchange transport rule; names no mailbox.
        ExchangeTransportRule = "exchange-transport-rule",
        /// `X-MS-Exchange-Organization-AutoForwarded: true`: a rule in Outlook; names no mailbox.
        OutlookRule = "outlook-rule",
        /// `x-ms-mail-operation-type: Forward` of a Power Automate flow; names no mailbox.
        PowerAutomate = "power-automate",
        /// `X-Sieve-Redirected-From`: Pigeonhole.
        Sieve = "sieve",
        /// `X-Zimbra-Forwarded`: a Zimbra filter; its replies have it too.
        Zimbra = "zimbra",
        /// `X-Forwarded-For` and `X-Forwarded-To`, or an envelope sender of the form `user+caf_=target=domain@…`: Gmail.
        /// The mailbox is the forwarding user's.
        Gmail = "gmail",
        /// An envelope sender of the form `SRS0=…=domain=user@…` (Sender Rewriting Scheme); the mailbox is the original
        /// sender's, and that of the forwarder stands before `+SRS=` where Exchange wrote it.
        Srs = "srs",
        /// `X-Yandex-Forward`; names no mailbox.
        Yandex = "yandex",
        /// `X-MailRu-Forward`; names no mailbox.
        MailRu = "mail-ru",
        /// `From-Rewrite: … forwarded message`: cPanel's Exim; names no mailbox.
        Cpanel = "cpanel",
        /// `Auto-Submitted: auto-forwarded`, which is no keyword of RFC 3834: small programs, list servers too.
        AutoForwarded = "auto-forwarded",
        /// `X-MailFwdBy`: small programs.
        MailFwdBy = "mail-fwd-by",
        /// `X-Postvakt-Loop`: a notice of our own. Those to people inside are `auto-generated`, and never leave by
        /// themselves.
        OwnNotice = "own-letter",
        /// `Resent-From`: a redirect, by a rule or by a person.
        Resent = "resent",
        /// `Delivered-To`: the message was delivered to a mailbox inside before, as by Postfix's `local(8)`, which then
        /// follows aliases and `.forward`.
        Delivered = "delivered-to",
        /// `Received` by a host inside from a client outside, below the last hop: it came in, and now goes out.
        InThenOut = "in-then-out",
        /// `DKIM-Signature` of a domain outside; names no mailbox.
        ForeignSignature = "foreign-dkim",
    }
}

impl Mechanism {
    /// Whether the mailbox that it names is the one that sends on. Delivered-To and Received tell whom the message came
    /// for, which may be a group; SRS tells who wrote it.
    pub fn names_forwarder(self) -> bool {
        !matches!(self, Self::Delivered | Self::InThenOut | Self::Srs)
    }
}

/// Every trace, in the order of [`Mechanism`]; each once for one mailbox. Where there are too many, those that name a
/// mailbox inside are kept.
pub(super) fn traces(header: &Header, sender: &ReversePath, organisation: &Organisation) -> Vec<Trace> {
    let mut traces: Vec<Trace> = header.fields.iter().flat_map(of_field).collect();
    let unnamed = |mechanism| Trace { mechanism, mailbox: None };
    if is_power_automate(header) {
        traces.push(unnamed(Mechanism::PowerAutomate));
    }
    if is_rules_agent(header) || (header.auto_submitted && header.first(PARENT).is_some()) {
        traces.push(unnamed(Mechanism::ExchangeRulesAgent));
    }
    traces.extend(gmail_pair(header));
    traces.extend(sender.address().and_then(from_sender));
    traces.extend(came_in(header, organisation));
    if signature::all(header).any(|signature| !organisation.owns_host(&signature.domain)) {
        traces.push(unnamed(Mechanism::ForeignSignature));
    }
    traces.sort();
    traces.dedup();
    if traces.len() > limits::HEADER_ITEMS {
        let ours = |trace: &Trace| trace.mailbox.as_ref().is_some_and(|mailbox| organisation.owns(mailbox));
        traces.sort_by_key(|trace| !ours(trace));
        traces.truncate(limits::HEADER_ITEMS);
        traces.sort();
    }
    traces
}

/// Which message it answers or forwards, in Exchange's words.
const PARENT: &str = "X-MS-Exchange-Parent-Message-Id";

/// The mailbox inside that sends under such an envelope sender: `anna+x@` is anna, and `anna+SRS=…@` and `anna+caf_=…@`
/// are hers too. None is where a program's own address stands for somebody else's.
pub(super) fn sending_mailbox(sender: &Address, organisation: &Organisation) -> Option<Address> {
    if !organisation.keeps(sender) {
        return None;
    }
    let mailbox = organisation.mailbox(sender);
    if from_sender(sender).is_none() {
        return Some(mailbox);
    }
    let program = ["bounces", "bounce", "srs0", "srs1"];
    let name = mailbox.local().split('=').next().unwrap_or_default();
    let rewritten =
        program.iter().any(|own| name.eq_ignore_ascii_case(own)) || sender.without_tag().is_none();
    (!rewritten).then_some(mailbox)
}

impl Header {
    /// Whether the message says of itself that somebody forwards another one in it.
    pub fn forwards(&self) -> bool {
        self.subject.as_deref().is_some_and(is_forward_subject)
            || self.first("X-Forwarded-Message-Id").is_some()
    }

    /// Whether Exchange's agent for the rules of mailboxes says that it wrote the message.
    pub fn by_rules_agent(&self) -> bool {
        is_rules_agent(self)
    }

    /// The messages that this one answers or forwards itself, with their angle brackets; where none is said, the last
    /// of those that went before it.
    pub fn parents(&self) -> Vec<String> {
        let named =
            |name: &'static str| self.all(name).flat_map(super::header::references).map(str::to_owned);
        let direct = ["In-Reply-To", PARENT, "X-Forwarded-Message-Id"].into_iter().flat_map(named);
        let mut parents: Vec<String> = direct.take(limits::HEADER_ITEMS).collect();
        if parents.is_empty() {
            parents.extend(self.references.last().cloned());
        }
        parents
    }
}

/// Whether a subject begins as those of forwarded messages do, in the languages of the north and some others.
fn is_forward_subject(subject: &str) -> bool {
    subject.split_once(':').is_some_and(|(prefix, _)| {
        ["fw", "fwd", "vb", "vs", "wg", "tr", "vidarebefordrat", "videresendt"]
            .iter()
            .any(|own| prefix.trim().eq_ignore_ascii_case(own))
    })
}

/// The fields that are a trace by themselves; where a word stands too, their value has it.
const FIELDS: &[(&str, &str, Mechanism)] = &[
    ("X-MS-Exchange-Inbox-Rules-Loop", "", Mechanism::ExchangeInboxRule),
    ("X-MS-Exchange-ForwardingLoop", "", Mechanism::ExchangeForwarding),
    ("X-MS-Exchange-Transport-Rules-Loop", "", Mechanism::ExchangeTransportRule),
    ("X-MS-Exchange-Organization-AutoForwarded", "true", Mechanism::OutlookRule),
    ("X-Sieve-Redirected-From", "", Mechanism::Sieve),
    ("X-Zimbra-Forwarded", "", Mechanism::Zimbra),
    ("X-Yandex-Forward", "", Mechanism::Yandex),
    ("X-MailRu-Forward", "", Mechanism::MailRu),
    ("From-Rewrite", "forwarded", Mechanism::Cpanel),
    ("Auto-Submitted", "auto-forwarded", Mechanism::AutoForwarded),
    ("X-MailFwdBy", "", Mechanism::MailFwdBy),
    (LOOP_FIELD, "", Mechanism::OwnNotice),
    ("Resent-From", "", Mechanism::Resent),
    ("Delivered-To", "", Mechanism::Delivered),
];

/// The traces that a single field is: one for each mailbox that it names.
fn of_field(field: &Field) -> Vec<Trace> {
    let found = FIELDS.iter().find(|(name, ..)| field.name.eq_ignore_ascii_case(name));
    let Some((_, word, mechanism)) = found else { return Vec::new() };
    if !word.is_empty() && !field.value.to_ascii_lowercase().contains(word) {
        return Vec::new();
    }
    let trace = |mailbox| Trace { mechanism: *mechanism, mailbox };
    let mailboxes = mailboxes(*mechanism, &field.value);
    if mailboxes.is_empty() {
        vec![trace(None)]
    } else {
        mailboxes.into_iter().map(Some).map(trace).collect()
    }
}

/// Exchange writes `anna@exempelby.se;` and a tenant's id, and may name several mailboxes; Pigeonhole writes the login
/// name, which need not be an address. Only where it may be one is a word without `@` a mailbox.
fn mailboxes(mechanism: Mechanism, value: &str) -> Vec<Address> {
    match mechanism {
        Mechanism::Sieve | Mechanism::Zimbra if !value.contains([' ', '@']) => {
            Address::parse(value.split(';').next().unwrap_or_default()).into_iter().collect()
        }
        Mechanism::ExchangeInboxRule
        | Mechanism::ExchangeForwarding
        | Mechanism::Sieve
        | Mechanism::Zimbra
        | Mechanism::MailFwdBy => {
            let words = value.split([';', ',', ' ', '\t', '<', '>', '"', '(', ')']);
            words
                .filter(|word| word.contains('@'))
                .filter_map(Address::parse)
                .take(limits::HEADER_ITEMS)
                .collect()
        }
        Mechanism::Resent | Mechanism::Delivered => grammar::addresses(value),
        _ => Vec::new(),
    }
}

fn is_rules_agent(header: &Header) -> bool {
    header
        .all("X-MS-Exchange-Generated-Message-Source")
        .any(|value| value.to_ascii_lowercase().contains("mailbox rules agent"))
}

/// A flow names itself and what it does (`Send` and `Reply` are no forwards); a person's mail has neither field.
fn is_power_automate(header: &Header) -> bool {
    let forwards = header.all("x-ms-mail-operation-type").any(|value| value.eq_ignore_ascii_case("forward"));
    forwards
        && header.all("x-ms-mail-application").any(|value| {
            let value = value.to_ascii_lowercase();
            ["power automate", "power apps", "logic-apps", "logic apps"].iter().any(|own| value.contains(own))
        })
}

/// Gmail writes the target into one field, and the user before the target into another. Alone, a field of either name
/// is no mail program's: proxies on the web write `X-Forwarded-For` too.
fn gmail_pair(header: &Header) -> Option<Trace> {
    header.first("X-Forwarded-To").filter(|to| to.contains('@'))?;
    let words = |value: &str| value.split([' ', ',']).filter_map(Address::parse).collect::<Vec<_>>();
    let users = header.all("X-Forwarded-For").map(words).find(|users| users.len() >= 2)?;
    let mailbox = users.into_iter().next().filter(|user| user.domain().is_some())?;
    Some(Trace { mechanism: Mechanism::Gmail, mailbox: Some(mailbox) })
}

/// The hops in which a host inside took the message from a client outside that was nobody's login. The newest hop is
/// left out: a content filter hands mail in again on the gateway itself.
fn came_in<'a>(header: &'a Header, organisation: &'a Organisation) -> impl Iterator<Item = Trace> + use<'a> {
    let fields = header.all("Received").skip(1).take(limits::RECEIVED_READ);
    // The client is told first: mail that was written here came from nobody outside, and no more of it is read.
    let outside =
        |field: &&str| received::client(field).is_some_and(|client| !organisation.contains_host(client));
    let hops = fields.filter(outside).filter_map(Received::parse);
    hops.filter(|hop| !hop.authenticated && organisation.owns_host(&hop.by))
        .map(|hop| Trace { mechanism: Mechanism::InThenOut, mailbox: hop.recipient })
}

/// The trace that the envelope sender is, if it was rewritten.
pub(super) fn from_sender(sender: &Address) -> Option<Trace> {
    let local = &*sender.bare_local();
    if let Some((user, _)) = local.split_once("+caf_=") {
        let mailbox = sender.domain().map(|domain| Address::from_parts(user, &domain));
        return Some(Trace { mechanism: Mechanism::Gmail, mailbox });
    }
    srs(local)
}

/// The trace of a rewritten sender: `SRS0=hash=time=domain=user`, with `+` or `-` for the first separator;
/// `SRS1=hash=host==hash=time=domain=user` after two forwarders; `user+SRS=hash=time=domain=user` of Exchange, whose
/// bounce address `bounces+SRS=hash=time` names nobody.
fn srs(local: &str) -> Option<Trace> {
    let after = |tag: &str| {
        let (begin, rest) = local.split_at_checked(tag.len())?;
        let rest = rest.strip_prefix(['=', '+', '-'])?;
        begin.eq_ignore_ascii_case(tag).then_some(rest)
    };
    let rewritten = if let Some(rest) = after("SRS0") {
        rest
    } else if let Some(rest) = after("SRS1") {
        let inner = rest.splitn(3, '=').nth(2)?;
        inner.strip_prefix(['=', '+', '-']).unwrap_or(inner)
    } else {
        let at = local.as_bytes().windows(5).position(|tag| tag.eq_ignore_ascii_case(b"+SRS="))?;
        local.get(at + 5..)?
    };
    Some(Trace { mechanism: Mechanism::Srs, mailbox: srs_original(rewritten) })
}

fn srs_original(rest: &str) -> Option<Address> {
    let mut pieces = rest.splitn(4, '=').skip(2);
    let (domain, user) = (pieces.next()?, pieces.next()?);
    (!domain.is_empty() && !user.is_empty()).then(|| Address::from_parts(user, &Domain::new(domain)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::testing::organisation;

    fn sender(local: &str) -> Option<String> {
        let address = Address::from_parts(local, &Domain::new("example.net"));
        let trace = from_sender(&address)?;
        Some(format!("{:?} {}", trace.mechanism, trace.mailbox.map_or(String::new(), |m| m.to_string())))
    }

    #[test]
    fn senders() {
        for (local, trace) in [
            ("anna+caf_=x=example.org", "Gmail anna@example.net"),
            ("SRS0=AbCd=XY=example.org=medborgare", "Srs medborgare@example.org"),
            ("srs0+AbCd=XY=example.org=a=b", "Srs a=b@example.org"),
            ("SRS1=ef=relay.example.com==AbCd=XY=example.org=medborgare", "Srs medborgare@example.org"),
            ("anna+SRS=44ldt=IX=example.org=medborgare", "Srs medborgare@example.org"),
            ("bounces+SRS=44ldt=IX", "Srs "),
            ("SRS0=broken", "Srs "),
        ] {
            assert_eq!(sender(local).as_deref(), Some(trace), "{local}");
        }
        for local in ["srs0", "srsnytt", "anna", "anna+srs", "srs1=a", "åäö"] {
            assert_eq!(sender(local), None, "{local}");
        }
    }

    #[test]
    fn fields() {
        for (name, value, trace) in [
            ("X-Sieve-Redirected-From", "anna", Some((Mechanism::Sieve, "anna"))),
            ("x-zimbra-forwarded", "anna@exempelby.se", Some((Mechanism::Zimbra, "anna@exempelby.se"))),
            (
                "X-MS-Exchange-ForwardingLoop",
                "anna@exempelby.se;2a9b3c41-0000-0000-0000-000000000000",
                Some((Mechanism::ExchangeForwarding, "anna@exempelby.se")),
            ),
            (
                "X-MS-Exchange-ForwardingLoop",
                "ForwardingHandled;1",
                Some((Mechanism::ExchangeForwarding, "")),
            ),
            ("Resent-From", "Anna <anna@exempelby.se>", Some((Mechanism::Resent, "anna@exempelby.se"))),
            ("X-MS-Exchange-Transport-Rules-Loop", "1", Some((Mechanism::ExchangeTransportRule, ""))),
            ("X-MS-Exchange-Organization-AutoForwarded", "true", Some((Mechanism::OutlookRule, ""))),
            ("X-MS-Exchange-Organization-AutoForwarded", "false", None),
            ("X-Yandex-Forward", "0123456789abcdef", Some((Mechanism::Yandex, ""))),
            ("X-MailRu-Forward", "1", Some((Mechanism::MailRu, ""))),
            (
                "From-Rewrite",
                "rewritten was: [x@example.org], forwarded message",
                Some((Mechanism::Cpanel, "")),
            ),
            ("From-Rewrite", "unmodified, no actual sender determined", None),
            ("Auto-Submitted", "auto-forwarded", Some((Mechanism::AutoForwarded, ""))),
            ("Auto-Submitted", "auto-replied", None),
            ("X-MailFwdBy", "anna@exempelby.se", Some((Mechanism::MailFwdBy, "anna@exempelby.se"))),
            ("Delivered-To", "anna@exempelby.se", Some((Mechanism::Delivered, "anna@exempelby.se"))),
            ("DKIM-Signature", "v=1; d=example.org; b=Ab3+", Some((Mechanism::ForeignSignature, ""))),
            ("DKIM-Signature", "v=1; d=mail.exempelby.se; b=Ab3+", None),
            ("X-Forwarded-For", "anna@exempelby.se x@example.net", None),
            ("X-Forwarded-To", "x@example.net", None),
            ("X-Forwarded-Encrypted", "i=1; abc@example.org", None),
            ("X-Forwarded-Message-Id", "<1@example.org>", None),
        ] {
            let field = super::super::Field { name: name.into(), value: value.into() };
            let header = Header { fields: vec![field], ..Header::default() };
            let found = traces(&header, &ReversePath::Null, &organisation()).pop();
            let found = found.map(|t| (t.mechanism, t.mailbox.map_or(String::new(), |m| m.to_string())));
            assert_eq!(
                found,
                trace.map(|(mechanism, mailbox)| (mechanism, mailbox.to_owned())),
                "{name}: {value}"
            );
        }
    }

    fn of(fields: &str) -> Vec<String> {
        let facts = crate::facts::testing::from_inside("<x@example.org>", "x@example.net", fields);
        let name = |trace: &Trace| trace.mailbox.as_ref().map_or(String::new(), ToString::to_string);
        facts.traces.iter().map(|trace| format!("{} {}", trace.mechanism.as_str(), name(trace))).collect()
    }

    #[test]
    fn both_fields_of_gmail() {
        let pair = |user: &str| of(&format!("X-Forwarded-To: x@example.net\nX-Forwarded-For: {user}"));
        assert_eq!(pair("anna@exempelby.se x@example.net"), ["gmail anna@exempelby.se"]);
        assert!(pair("192.0.2.1, 198.51.100.7").is_empty() && pair("192.0.2.1").is_empty());
    }

    #[test]
    fn hops_that_came_in() {
        let hop = |by: &str, from: &str, with: &str| {
            format!(
                "Received: from a (a [{from}])\n by {by} (Postfix) with {with} id 1 for <anna@exempelby.se>; Mon\n"
            )
        };
        let last = hop("mail.exempelby.se", "10.0.0.9", "ESMTP");
        let both = |hop: String| of(format!("{last}{hop}").trim_end());
        assert_eq!(both(hop("mx.exempelby.se", "192.0.2.1", "ESMTPS")), ["in-then-out anna@exempelby.se"]);
        for hop in [
            hop("mx.exempelby.se", "10.0.0.9", "ESMTPS"),
            hop("mx.exempelby.se", "192.0.2.1", "ESMTPSA"),
            hop("mx.example.org", "192.0.2.1", "ESMTPS"),
        ] {
            assert!(both(hop).is_empty());
        }
        assert!(of(hop("mx.exempelby.se", "192.0.2.1", "ESMTPS").trim_end()).is_empty(), "the last hop");
    }

    #[test]
    fn subjects() {
        for (subject, is) in [
            ("VB: Fråga", true),
            ("Fwd:Fråga", true),
            ("fw: SV: Fråga", true),
            ("SV: VB: Fråga", false),
            ("Vb Fråga", false),
            ("", false),
        ] {
            assert_eq!(is_forward_subject(subject), is, "{subject}");
        }
    }
}

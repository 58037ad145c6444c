//! Traces: what the header section and the envelope sender tell about automatic forwarding, per mechanism.
//!
//! Absent: judgement. Out-of-office replies have traces too. And `X-Forwarded-*` is never matched by its beginning:
//! `X-Forwarded-Encrypted` stands in ordinary mail.

#![deny(clippy::disallowed_methods)]

use super::{Header, grammar};
use crate::address::{Address, Domain, ReversePath};
use crate::limits;

/// One trace that a forwarding mechanism left. It is true that it stands there; what it means is the rule's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Which mechanism leaves it.
    pub mechanism: Mechanism,
    /// The mailbox it names, if it names one.
    pub mailbox: Option<Address>,
}

/// What leaves traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// `X-MS-Exchange-Inbox-Rules-Loop`: an Exchange inbox rule; out-of-office replies have it too.
    ExchangeInboxRule,
    /// `X-MS-Exchange-ForwardingLoop`: Exchange mailbox forwarding.
    ExchangeForwarding,
    /// `x-ms-mail-operation-type: Forward` of a Power Automate flow; names no mailbox.
    PowerAutomate,
    /// `X-Sieve-Redirected-From`: Pigeonhole.
    Sieve,
    /// `X-Zimbra-Forwarded`: a Zimbra filter; its replies have it too.
    Zimbra,
    /// `Resent-From`: a redirect, by a rule or by a person.
    Resent,
    /// An envelope sender of the form `user+caf_=target=domain@…`: Gmail; the mailbox is the forwarding user's.
    Gmail,
    /// An envelope sender of the form `SRS0=…=domain=user@…` (Sender Rewriting Scheme); the mailbox is the original
    /// sender's.
    Srs,
}

/// Every trace, in the order of `Mechanism`.
pub(super) fn traces(header: &Header, sender: &ReversePath) -> Vec<Trace> {
    let mut traces = Vec::new();
    for (name, mechanism) in [
        ("X-MS-Exchange-Inbox-Rules-Loop", Mechanism::ExchangeInboxRule),
        ("X-MS-Exchange-ForwardingLoop", Mechanism::ExchangeForwarding),
        ("X-Sieve-Redirected-From", Mechanism::Sieve),
        ("X-Zimbra-Forwarded", Mechanism::Zimbra),
        ("Resent-From", Mechanism::Resent),
    ] {
        traces.extend(header.all(name).map(|value| Trace { mechanism, mailbox: mailbox(mechanism, value) }));
    }
    if is_power_automate(header) {
        traces.push(Trace { mechanism: Mechanism::PowerAutomate, mailbox: None });
    }
    traces.extend(sender.address().and_then(from_sender));
    traces.truncate(limits::HEADER_ITEMS);
    traces
}

/// Exchange writes `anna@exempelby.se;` and a tenant's id, Pigeonhole the login name, which need not be an address;
/// only where it may be one is a word without `@` a mailbox.
fn mailbox(mechanism: Mechanism, value: &str) -> Option<Address> {
    let first = value.split(';').next().unwrap_or_default();
    grammar::addresses(first).into_iter().next().or_else(|| match mechanism {
        Mechanism::Sieve | Mechanism::Zimbra if !first.contains([' ', '@']) => Address::parse(first),
        _ => None,
    })
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

fn from_sender(sender: &Address) -> Option<Trace> {
    let local = sender.local();
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
        let at = local.to_ascii_uppercase().find("+SRS=")?;
        local.get(at + "+SRS=".len()..)?
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
            ("X-Forwarded-Encrypted", "i=1; abc@example.org", None),
            ("X-Forwarded-Message-Id", "<1@example.org>", None),
        ] {
            let field = super::super::Field { name: name.into(), value: value.into() };
            let header = Header { fields: vec![field], ..Header::default() };
            let found = traces(&header, &ReversePath::Null).pop();
            let found = found.map(|t| (t.mechanism, t.mailbox.map_or(String::new(), |m| m.to_string())));
            assert_eq!(
                found,
                trace.map(|(mechanism, mailbox)| (mechanism, mailbox.to_owned())),
                "{name}: {value}"
            );
        }
    }
}

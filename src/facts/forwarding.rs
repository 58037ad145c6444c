//! Traces: what the header section tells about automatic forwarding, per mechanism.

#![deny(clippy::disallowed_methods)]

use crate::address::Address;

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
    /// `x-ms-mail-operation-type: Forward` of a Power Automate flow.
    PowerAutomate,
    /// `X-Sieve-Redirected-From`: Pigeonhole.
    Sieve,
    /// `X-Zimbra-Forwarded`: a Zimbra filter; its replies have it too.
    Zimbra,
    /// `Resent-From`: a redirect, by a rule or by a person.
    Resent,
    /// An envelope sender of the form `user+caf_=target=domain@…`: Gmail.
    Gmail,
    /// An envelope sender of the form `SRS0=…=domain=user@…` (Sender Rewriting Scheme).
    Srs,
}

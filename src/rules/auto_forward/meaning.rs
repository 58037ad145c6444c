//! What a trace means: how sure it makes us that a mailbox sends on.

#![deny(clippy::disallowed_methods)]

use crate::address::Address;
use crate::facts::Facts;
use crate::facts::forwarding::{Mechanism, Trace};
use crate::rules::Confidence;

use super::innocent::{self, Answer, answer};
use super::{known, written_outside};

/// How sure the trace makes us. One that names a mailbox inside is silenced by no other field: whoever forwards could
/// write that field, and so can a server for all of its mail.
pub(super) fn meaning(trace: &Trace, facts: &Facts) -> Option<Confidence> {
    match trace.mailbox.as_ref().filter(|mailbox| facts.owns(mailbox)) {
        Some(mailbox) => of_ours(trace, mailbox, facts),
        None => of_anyone(trace, facts),
    }
}

/// What a trace means that names a mailbox inside.
fn of_ours(trace: &Trace, mailbox: &Address, facts: &Facts) -> Option<Confidence> {
    match trace.mechanism {
        mechanism if mechanism.names_forwarder() && innocent::is_list_address(facts, mailbox) => None,
        // Exchange and Zimbra leave the same field on automatic replies.
        Mechanism::ExchangeInboxRule | Mechanism::Zimbra => match answer(facts, Some(mailbox)) {
            Answer::No => Some(Confidence::Certain),
            Answer::Likely => Some(Confidence::Weak),
            Answer::Yes => None,
        },
        Mechanism::ExchangeForwarding | Mechanism::Sieve | Mechanism::Gmail | Mechanism::MailFwdBy => {
            Some(Confidence::Certain)
        }
        Mechanism::Resent => Some(Confidence::Strong),
        // Whose address was rewritten: a colleague's in a mailbox's name is forwarded too.
        Mechanism::Srs => {
            let sender = facts.forwarder()?;
            (!facts.is_same_mailbox(&sender, mailbox)).then_some(Confidence::Certain)
        }
        _ => None,
    }
}

/// What a trace means that names no mailbox, or none inside.
fn of_anyone(trace: &Trace, facts: &Facts) -> Option<Confidence> {
    let innocent = || innocent::by_other_means(facts);
    match trace.mechanism {
        Mechanism::Srs => facts.sender_inside().then_some(Confidence::Certain),
        Mechanism::PowerAutomate => Some(Confidence::Certain),
        Mechanism::OutlookRule => (answer(facts, None) != Answer::Yes).then_some(Confidence::Certain),
        // A receipt is `auto-replied`; a notice is for somebody inside.
        Mechanism::OwnNotice => {
            innocent::says(&facts.header, "auto-generated").then_some(Confidence::Certain)
        }
        Mechanism::ExchangeInboxRule => {
            (answer(facts, None) == Answer::No && !innocent()).then_some(Confidence::Strong)
        }
        Mechanism::ExchangeRulesAgent => by_rules_agent(facts).filter(|_| !innocent()),
        Mechanism::ExchangeForwarding => (!innocent()).then_some(Confidence::Strong),
        Mechanism::AutoForwarded => (!of_list(facts)).then_some(Confidence::Strong),
        Mechanism::ExchangeTransportRule
        | Mechanism::Yandex
        | Mechanism::MailRu
        | Mechanism::Cpanel
        | Mechanism::MailFwdBy => (written_outside(facts) && !innocent()).then_some(Confidence::Strong),
        // A script or a filter of somebody else's.
        Mechanism::Sieve
        | Mechanism::Zimbra
        | Mechanism::Gmail
        | Mechanism::Resent
        | Mechanism::Delivered
        | Mechanism::InThenOut
        | Mechanism::ForeignSignature => None,
    }
}

/// What Exchange wrote by a rule of a mailbox, and is no answer. Whatever an Exchange outside wrote so is its own.
fn by_rules_agent(facts: &Facts) -> Option<Confidence> {
    let header = &facts.header;
    let wrote = !header.from.is_empty() && header.from.iter().all(|author| facts.owns(author));
    if !wrote || answer(facts, None) != Answer::No {
        return None;
    }
    let third_party = known(&facts.answered).is_some() || header.forwards();
    let parent = header.first("X-MS-Exchange-Parent-Message-Id").is_some();
    Some(if header.by_rules_agent() && parent && third_party {
        Confidence::Certain
    } else {
        Confidence::Strong
    })
}

/// Whether a circumstance makes it likely that the mail was here before. None of these is left by a mechanism alone.
pub(super) fn is_circumstance(trace: &Trace, facts: &Facts) -> bool {
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

/// Whether the message is a list's, of whomever's.
fn of_list(facts: &Facts) -> bool {
    facts.header.list_id.is_some() || facts.header.first("Precedence").is_some()
}

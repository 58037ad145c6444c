//! Conditions of custom rules: one question each, answered yes, no, or unknown.

#![deny(clippy::disallowed_methods)]

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::attachment::AttachmentIs;
use super::earlier::{Earlier, Found};
use super::held::{Held, was_cut};
use super::moment::Moment;
use super::pattern::{Case, Patterns};
use super::people::People;
use crate::address::Address;
use crate::documents::State;
use crate::facts::passage::Place;
use crate::facts::{Cause, Facts, Needs};
use crate::limits;
use crate::mail::Direction;
use crate::settings::problem::Fault;
use crate::settings::{Entry, Settings, Value, parse};
use crate::text::words;

words! {
    /// How two addresses are compared.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Mismatch {
        /// By the mailbox.
        Address = "address",
        /// By the domain.
        Domain = "domain",
    }
}

/// One condition.
#[derive(Debug)]
pub(super) enum Condition {
    Direction(Vec<Direction>),
    Client(Vec<IpNet>),
    AuthUser(People),
    Tls(bool),
    Sender(People),
    Recipient(People),
    RecipientsAbove(usize),
    From(People),
    FromMismatch(Mismatch),
    ReplyTo(People),
    ReplyToMismatch(Mismatch),
    Subject(Patterns),
    Text(Patterns),
    Header { name: String, patterns: Patterns },
    SizeAbove(u64),
    Attachment(AttachmentIs),
    Encrypted(bool),
    Found(Found),
    Moment(Moment),
}

/// The conditions in the table, without `not`, `any` and `all`; what is wrong with one is reported, and the others are
/// read. The cheap ones come first: one of them that is not met spares the others.
pub(super) fn read(when: &mut Settings<'_>) -> Vec<Condition> {
    let mismatch = parse::one_of(&Mismatch::ALL, Mismatch::as_str);
    let mut all = Vec::new();
    all.extend(directions(when).map(Condition::Direction));
    all.extend(clients(when).map(Condition::Client));
    all.extend(People::read(when, "auth_user").map(Condition::AuthUser));
    all.extend(when.optional("tls", parse::flag).map(Condition::Tls));
    all.extend(People::read(when, "sender").map(Condition::Sender));
    all.extend(People::read(when, "recipient").map(Condition::Recipient));
    let number =
        |value: &Value| parse::number(0, u32::try_from(limits::RECIPIENTS).unwrap_or(u32::MAX))(value);
    all.extend(
        when.optional("recipients_above", number).map(|most| Condition::RecipientsAbove(most as usize)),
    );
    all.extend(People::read(when, "from").map(Condition::From));
    all.extend(when.optional("from_mismatch", &mismatch).map(Condition::FromMismatch));
    all.extend(People::read(when, "reply_to").map(Condition::ReplyTo));
    all.extend(when.optional("reply_to_mismatch", &mismatch).map(Condition::ReplyToMismatch));
    all.extend(patterns(when, "subject", Case::Told).map(Condition::Subject));
    all.extend(when.table("header", headers).unwrap_or_default());
    all.extend(when.optional("size_above", parse::size).map(Condition::SizeAbove));
    all.extend(Moment::read(when).into_iter().map(Condition::Moment));
    all.extend(Found::read(when).into_iter().map(Condition::Found));
    all.extend(when.optional("encrypted", parse::flag).map(Condition::Encrypted));
    all.extend(AttachmentIs::read(when).map(Condition::Attachment));
    all.extend(patterns(when, "text", Case::Told).map(Condition::Text));
    all
}

fn directions(when: &mut Settings<'_>) -> Option<Vec<Direction>> {
    let word = parse::one_of(&Direction::ALL, Direction::as_str);
    let value = when.value("direction")?;
    let values = value.one_or_more();
    if values.is_empty() {
        let right =
            format!("write {}, or remove the key", Direction::ALL.map(Direction::as_str).join(" or "));
        when.wrong("direction", value.at, Fault::new("is empty", right));
    }
    Some(values.iter().filter_map(|value| when.accept("direction", value.at, word(value))).collect())
}

fn clients(when: &mut Settings<'_>) -> Option<Vec<IpNet>> {
    let network = |value: &Value| match parse::text(value)?.parse::<IpAddr>() {
        Ok(address) => Ok(IpNet::from(address)),
        Err(_) => parse::network(value),
    };
    let value = when.value("client")?;
    let values = value.one_or_more();
    if values.is_empty() {
        let fault = Fault::new("is empty", "write client = [\"192.0.2.0/24\"], or remove the key");
        when.wrong("client", value.at, fault);
    }
    Some(values.iter().filter_map(|value| when.accept("client", value.at, network(value))).collect())
}

fn patterns(when: &mut Settings<'_>, key: &'static str, case: Case) -> Option<Patterns> {
    when.value(key).map(|value| Patterns::read(when, key, value, case))
}

fn headers(header: &mut Settings<'_>) -> Vec<Condition> {
    let entries = header.entries();
    if entries.is_empty() {
        header.wrong_here(Fault::new("is empty", "write header = { \"X-Mailer\" = 'pattern' }"));
    }
    let field = |entry: &Entry| {
        let (name, key) = (&entry.key, parse::shown_key(&entry.key));
        // RFC 5322 §2.2: printable ASCII but the colon.
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic() && b != b':') {
            let right = "write it without colon and spaces, such as \"X-Mailer\"";
            header.wrong(&key, entry.at, Fault::new("is not a valid header field name", right));
        }
        Condition::Header {
            name: name.clone(),
            patterns: Patterns::read(header, &key, &entry.value, Case::Told),
        }
    };
    entries.iter().map(field).collect()
}

impl Condition {
    /// What it needs to know.
    pub(super) fn needs(&self) -> Needs {
        match self {
            Self::Direction(_)
            | Self::Client(_)
            | Self::AuthUser(_)
            | Self::Tls(_)
            | Self::Sender(_)
            | Self::Recipient(_)
            | Self::RecipientsAbove(_)
            | Self::From(_)
            | Self::FromMismatch(_)
            | Self::ReplyTo(_)
            | Self::ReplyToMismatch(_)
            | Self::Subject(_)
            | Self::Header { .. }
            | Self::Moment(_) => Needs::default(),
            Self::SizeAbove(_) => Needs { body: true, ..Needs::default() },
            Self::Attachment(_) => Needs { body: true, archives: true, ..Needs::default() },
            Self::Encrypted(_) => Needs { body: true, archives: true, documents: true, ..Needs::default() },
            Self::Text(_) => Needs { body: true, text: true, ..Needs::default() },
            Self::Found(found) => found.needs(),
        }
    }

    /// The word for it in evidence.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Direction(_) => "direction",
            Self::Client(_) => "client",
            Self::AuthUser(_) => "auth-user",
            Self::Tls(_) => "tls",
            Self::Sender(_) => "sender",
            Self::Recipient(_) => "recipient",
            Self::RecipientsAbove(_) => "recipients",
            Self::From(_) => "from",
            Self::FromMismatch(_) => "from-mismatch",
            Self::ReplyTo(_) => "reply-to",
            Self::ReplyToMismatch(_) => "reply-to-mismatch",
            Self::Subject(_) => "subject",
            Self::Text(_) => "text",
            Self::Header { .. } => "header",
            Self::SizeAbove(_) => "size",
            Self::Attachment(_) => "attachment",
            Self::Encrypted(_) => "encrypted",
            Self::Found(found) => found.word(),
            Self::Moment(moment) => moment.word(),
        }
    }

    /// Whether it is met.
    pub(super) fn holds(&self, facts: &Facts, earlier: Earlier<'_>) -> Held {
        let header = &facts.header;
        match self {
            Self::Direction(any) => any.contains(&facts.direction).into(),
            Self::Client(networks) => client(networks, facts),
            Self::AuthUser(any) => facts
                .client
                .auth_user
                .as_deref()
                .map_or(Held::No, |user| held(any.have(user, Address::parse(user).as_ref(), facts))),
            Self::Tls(asked) => (facts.client.tls.is_some() == *asked).into(),
            Self::Sender(any) => held(any.have(&facts.sender.to_string(), facts.sender.address(), facts)),
            Self::Recipient(any) => recipients(any, facts),
            Self::RecipientsAbove(most) => (facts.recipients.len() > *most).into(),
            Self::From(any) => any.have_any(&header.from, facts),
            Self::FromMismatch(by) => {
                let sender = facts.sender.address();
                sender
                    .is_some_and(|sender| !header.from.iter().any(|own| is_same(*by, sender, own, facts)))
                    .into()
            }
            Self::ReplyTo(any) => any.have_any(&header.reply_to, facts),
            Self::ReplyToMismatch(by) => {
                let is_an_author = |to: &Address| header.from.iter().any(|own| is_same(*by, to, own, facts));
                header.reply_to.iter().any(|to| !is_an_author(to)).into()
            }
            Self::Subject(any) => subject(any, facts),
            Self::Text(any) => text(any, facts),
            Self::Header { name, patterns } => header.all(name).any(|value| patterns.match_in(value)).into(),
            Self::SizeAbove(size) => (facts.size > *size).into(),
            Self::Attachment(is) => is.holds(facts),
            Self::Encrypted(asked) => encrypted(*asked, facts),
            Self::Found(found) => found.holds(facts, earlier),
            Self::Moment(moment) => moment.holds(facts).into(),
        }
    }
}

fn held(answer: Result<bool, Cause>) -> Held {
    answer.map_or_else(Held::Unknown, Held::from)
}

/// A mail without a client's address was submitted on this host, unless the MTA names another one without its address.
fn client(networks: &[IpNet], facts: &Facts) -> Held {
    let name = facts.client.name.as_deref();
    let address = match facts.client.address {
        Some(address) => address.to_canonical(),
        None if name.is_none_or(|name| name.eq_ignore_ascii_case("localhost")) => Ipv4Addr::LOCALHOST.into(),
        None => return Held::Unknown(Cause::Protocol),
    };
    networks.iter().any(|network| network.contains(&address)).into()
}

fn is_same(by: Mismatch, one: &Address, other: &Address, facts: &Facts) -> bool {
    match by {
        Mismatch::Address => facts.is_same_mailbox(one, other),
        Mismatch::Domain => one.domain() == other.domain(),
    }
}

fn recipients(any: &People, facts: &Facts) -> Held {
    match any.recipients(facts) {
        Ok(found) if found.is_empty() => Held::No,
        Ok(found) => Held::For(found),
        Err(cause) => Held::Unknown(cause),
    }
}

fn subject(any: &Patterns, facts: &Facts) -> Held {
    let subject = facts.header.subject.as_deref().unwrap_or_default();
    match any.match_in(subject) {
        true => Held::Yes,
        false if was_cut(subject, limits::SUBJECT_OCTETS) => Held::Unknown(Cause::Limit),
        false => Held::No,
    }
}

fn text(any: &Patterns, facts: &Facts) -> Held {
    let mut left = limits::RULE_TEXT_OCTETS;
    let own = |place| matches!(place, Place::Body | Place::Residue);
    for part in facts.passages.iter().filter(|passage| own(passage.place)).map(|passage| &*passage.text) {
        let read = crate::text::truncate(part, left);
        if !facts.work.goes_on() {
            return Held::Unknown(Cause::Limit);
        }
        if any.match_in(read) {
            return Held::Yes;
        }
        if read.len() < part.len() {
            return Held::Unknown(Cause::Limit);
        }
        left -= read.len();
    }
    if facts.text_unread() { Held::Unknown(Cause::Limit) } else { Held::No }
}

fn encrypted(asked: bool, facts: &Facts) -> Held {
    let any = facts.attachments.iter().any(|attachment| matches!(attachment.state, State::Encrypted(_)));
    match facts.hides_attachments() {
        Some(cause) if !any => Held::Unknown(cause),
        Some(_) | None => (any == asked).into(),
    }
}

//! Facts for unit tests: from a message as it is written, the way the wire would bring it.

#![deny(clippy::disallowed_methods)]

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use crate::address::{Address, DomainPattern, ReversePath};
use crate::mail::{Client, Envelope, Mail, Message, Recipient};
use crate::organisation::Organisation;

use super::identity::By;
use super::{Facts, Needs, Seen, extract};

/// What tells of a forward, as far as it stands in the header section.
const NEEDS: Needs = Needs { seen_days: 1, ..Needs::NONE };

/// Exempelby, with the network 10.0.0.0/8.
pub(crate) fn organisation() -> Arc<Organisation> {
    Arc::new(Organisation {
        name: "Exempelby kommun".into(),
        domains: vec![DomainPattern::parse("exempelby.se").unwrap()],
        internal_networks: vec!["10.0.0.0/8".parse().unwrap()],
        authserv_id: "mx.exempelby.se".into(),
        ..Organisation::default()
    })
}

/// A mail from the client to the recipients (spaces between), with this header section and a line of body.
pub(crate) fn mail(client: &str, sender: &str, recipients: &str, header: &str) -> Mail {
    let header = header.replace('\n', "\r\n");
    let bytes = format!("{header}\r\n\r\nHej\r\n");
    let recipient = |text: &str| Recipient {
        raw: Bytes::from(format!("<{text}>")),
        address: Address::parse(text).unwrap(),
    };
    Mail {
        arrived: "2026-03-02T09:00:00Z".parse::<Timestamp>().unwrap(),
        listener_direction: None,
        client: Client { address: Some(client.parse().unwrap()), ..Client::default() },
        envelope: Envelope {
            sender: ReversePath::from_wire(sender.as_bytes()),
            smtputf8: false,
            recipients: recipients.split(' ').map(recipient).collect(),
        },
        queue_id: Some("4F1234".into()),
        message: Message { body_at: header.len() + 4, size: bytes.len() as u64, bytes: bytes.into() },
    }
}

/// The facts of such a mail from a host inside.
pub(crate) fn from_inside(sender: &str, recipients: &str, header: &str) -> Facts {
    extract::extract(&mail("10.1.2.3", sender, recipients, header), &organisation(), NEEDS)
}

/// The facts of such a mail from outside.
pub(crate) fn from_outside(sender: &str, recipients: &str, header: &str) -> Facts {
    extract::extract(&mail("192.0.2.1", sender, recipients, header), &organisation(), NEEDS)
}

/// A message that came from outside before.
pub(crate) fn seen(sender: &str, mailboxes: &[&str]) -> Seen {
    Seen {
        by: By::MessageId,
        at: "2026-03-02T08:00:00Z".parse().unwrap(),
        mailboxes: mailboxes.iter().map(|mailbox| Address::parse(mailbox).unwrap()).collect(),
        authors: Address::parse(sender).into_iter().collect(),
    }
}

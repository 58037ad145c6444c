//! Direction: which way a mail goes.

#![deny(clippy::disallowed_methods)]

use super::Recipient;
use crate::mail::{Client, Direction, Mail};
use crate::organisation::Organisation;

/// Whether the client is inside, and which way the mail goes.
///
/// What tells is asked in the order of its strength, and the first that answers decides:
///
/// 1. the direction that the listener fixes: the administrator connected this service to this listener;
/// 2. `{daemon_name}` (`-o milter_macro_daemon_name=ORIGINATING` in `master.cf`);
/// 3. authentication: who may submit is inside, wherever the host is;
/// 4. a filter of the organisation's own that mail passes before it comes here (`[scanners.upstream]`): what it brings
///    for people inside alone comes from outside, wherever the filter stands;
/// 5. the client's address: inside is what `internal_networks` holds. Loopback too is inside only if it is there,
///    since a content filter hands mail from outside in again from there;
/// 6. without an address, local submission: the MTA names no other host than `localhost`.
///
/// Everything else is outside.
pub(super) fn decide(
    mail: &Mail,
    organisation: &Organisation,
    recipients: &[Recipient],
) -> (bool, Direction) {
    let leaves = recipients.iter().any(|recipient| !recipient.inside);
    match mail.listener_direction {
        Some(Direction::Inbound) => (false, Direction::Inbound),
        Some(fixed @ (Direction::Outbound | Direction::Internal)) => (true, fixed),
        None if !is_inside(&mail.client, organisation, leaves) => (false, Direction::Inbound),
        None if leaves => (true, Direction::Outbound),
        None => (true, Direction::Internal),
    }
}

/// The same of the client alone, before anybody has looked into the mail.
pub fn from_inside(mail: &Mail, organisation: &Organisation) -> bool {
    let leaves = || mail.envelope.recipients.iter().any(|recipient| !organisation.owns(&recipient.address));
    match mail.listener_direction {
        Some(fixed) => fixed != Direction::Inbound,
        None => is_inside(&mail.client, organisation, leaves()),
    }
}

/// `leaves`: whether any recipient is outside. A filter that mail passes both ways hands on what leaves, too.
fn is_inside(client: &Client, organisation: &Organisation, leaves: bool) -> bool {
    if client.daemon_name.as_deref().is_some_and(is_originating) || client.auth_user.is_some() {
        return true;
    }
    match client.address {
        Some(address) if organisation.trusts_filter(address) && !leaves => false,
        Some(address) => organisation.contains_host(address),
        None => client.name.as_deref().is_none_or(|name| name.eq_ignore_ascii_case("localhost")),
    }
}

/// Daemon names that begin with one of these, in any case, are those of services for mail from inside:
/// `ORIGINATING` is the name of amavis' and Postfix's examples, the others those of `master.cf` services.
fn is_originating(name: &str) -> bool {
    ["originating", "submission", "outbound"]
        .iter()
        .any(|own| name.get(..own.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(own)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::DomainPattern;

    fn organisation() -> Organisation {
        Organisation {
            name: String::new(),
            domains: vec![DomainPattern::parse("exempelby.se").unwrap()],
            internal_networks: vec!["10.0.0.0/8".parse().unwrap()],
            upstream: vec!["10.0.0.8/32".parse().unwrap(), "192.0.2.8/32".parse().unwrap()],
            ..Organisation::default()
        }
    }

    fn client(address: &str, name: &str, daemon: &str, user: &str) -> Client {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Client {
            name: text(name),
            address: address.parse().ok(),
            auth_user: text(user),
            daemon_name: text(daemon),
            ..Client::default()
        }
    }

    #[test]
    fn the_strongest_that_answers_decides() {
        for (client, inside) in [
            (client("192.0.2.1", "", "", ""), false),
            (client("192.0.2.1", "", "ORIGINATING", ""), true),
            (client("192.0.2.1", "", "Submission-587", ""), true),
            (client("192.0.2.1", "", "outbound", ""), true),
            (client("192.0.2.1", "", "mx1.exempelby.se", ""), false),
            (client("192.0.2.1", "", "", "anna"), true),
            (client("10.1.2.3", "", "", ""), true),
            (client("::ffff:10.1.2.3", "", "", ""), true),
            (client("127.0.0.1", "localhost", "", ""), false),
            (client("", "localhost", "", ""), true),
            (client("", "", "", ""), true),
            (client("", "unknown", "", ""), false),
        ] {
            for leaves in [false, true] {
                assert_eq!(is_inside(&client, &organisation(), leaves), inside, "{client:?}");
            }
        }
    }

    #[test]
    fn what_a_filter_brings_for_people_inside_comes_from_outside() {
        let inside = |client: Client, leaves| is_inside(&client, &organisation(), leaves);
        assert!(!inside(client("10.0.0.8", "", "", ""), false));
        assert!(!inside(client("::ffff:10.0.0.8", "", "", ""), false));
        assert!(inside(client("10.0.0.8", "", "", ""), true), "it hands on what leaves, too");
        assert!(inside(client("10.0.0.9", "", "", ""), false));
        assert!(inside(client("10.0.0.8", "", "ORIGINATING", ""), false));
        assert!(inside(client("10.0.0.8", "", "", "anna"), false));
        assert!(!inside(client("192.0.2.8", "", "", ""), false));
        assert!(!inside(client("192.0.2.8", "", "", ""), true), "no host of the organisation's");
    }
}

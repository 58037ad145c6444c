//! Received: what a trace field (RFC 5321 §4.4) says of one hop, as far as MTAs write it alike.

#![deny(clippy::disallowed_methods)]

use std::net::IpAddr;

use super::grammar;
use crate::address::{Address, Domain};
use crate::mime::tokens;

/// One hop.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Received {
    /// The host that took the message.
    pub(super) by: Domain,
    /// Whether the client was a user of the host's (RFC 3848: a protocol with a final A).
    pub(super) authenticated: bool,
    /// Whom it was for, where that was a single recipient.
    pub(super) recipient: Option<Address>,
}

impl Received {
    /// Reads a field; none where it names no host.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let value = value.rsplit_once(';').map_or(value, |(value, _)| value);
        let mut words = tokens::plain_words(value);
        let (mut by, mut authenticated, mut recipient) = (None, false, None);
        while let Some(word) = words.next() {
            match word {
                "by" if by.is_none() => by = words.next(),
                "with" => authenticated = words.next().is_some_and(is_authenticated),
                "for" => recipient = words.next().and_then(|word| grammar::addresses(word).pop()),
                _ => {}
            }
        }
        Some(Self { by: Domain::new(by?), authenticated, recipient })
    }
}

/// Who handed the message over in such a field: before `by` stands the client, and `(… [address])` is what the host saw
/// of it.
pub(super) fn client(value: &str) -> Option<IpAddr> {
    address(value.split_once(" by ")?.0)
}

fn is_authenticated(protocol: &str) -> bool {
    ["ESMTPA", "ESMTPSA", "LMTPA", "LMTPSA", "UTF8SMTPA", "UTF8SMTPSA", "UTF8LMTPA", "UTF8LMTPSA"]
        .iter()
        .any(|own| protocol.eq_ignore_ascii_case(own))
}

/// The address in brackets, `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
fn address(from: &str) -> Option<IpAddr> {
    from.split('[').skip(1).find_map(|rest| {
        let inside = rest.split(']').next()?;
        inside.strip_prefix("IPv6:").unwrap_or(inside).parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops() {
        let hop = |value: &str| {
            Received::parse(value).map(|hop| {
                let from = client(value).map(|ip| ip.to_string()).unwrap_or_default();
                let to = hop.recipient.map(|to| to.to_string()).unwrap_or_default();
                format!("{} {from} {} {to}", hop.by, hop.authenticated)
            })
        };
        for (value, expected) in [
            (
                "from mail.example.org (mail.example.org [192.0.2.10]) (using TLSv1.3 (256/256 bits)) \
                 by mx.exempelby.se (Postfix) with ESMTPS id 4A for <anna@exempelby.se>; Mon, 2 Mar 2026 09:15:00 +0100",
                Some("mx.exempelby.se 192.0.2.10 false anna@exempelby.se"),
            ),
            (
                "from [10.0.0.7] (unknown [IPv6:2001:db8::7]) by mx.exempelby.se with ESMTPSA id 4A; Mon",
                Some("mx.exempelby.se 10.0.0.7 true "),
            ),
            ("by mail.example.org (Postfix, from userid 1000) id 4A; Mon", Some("mail.example.org  false ")),
            (
                "from a (b (c \\) by d) by e) by mx.exempelby.se with ESMTP for <\"a b\"@exempelby.se>; Mon",
                Some("mx.exempelby.se  false \"a b\"@exempelby.se"),
            ),
            ("(qmail 1 invoked by uid 0); 2 Mar 2026", None),
            ("(unclosed by a", None),
            ("by", None),
            ("", None),
        ] {
            assert_eq!(hop(value).as_deref(), expected, "{value}");
        }
    }
}

//! The organisation whose mail this is: which domains and networks are inside.

#![deny(clippy::disallowed_methods)]

mod authorities;

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::tz::TimeZone;

use crate::address::{Address, Domain, DomainPattern};
pub use authorities::Authorities;

/// What "inside" means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// The name, as people know it.
    pub name: String,
    /// Its mail domains.
    pub domains: Vec<DomainPattern>,
    /// The domains by which Microsoft 365 and Exchange reach its mailboxes; people write to none of them.
    pub routing_domains: Vec<DomainPattern>,
    /// Further domains of its mailboxes: each has there the name that it has at the first of `domains`.
    pub alias_domains: Vec<Domain>,
    /// The networks of its own hosts.
    pub internal_networks: Vec<IpNet>,
    /// The name under which its gateway states what it checked (RFC 8601 §2.2).
    pub authserv_id: String,
    /// The hosts of a filter of its own that mail passes before it comes here: what it wrote is believed.
    pub upstream: Vec<IpNet>,
    /// The domains whose seals on what they hand on are believed (RFC 8617).
    pub trusted_sealers: Vec<DomainPattern>,
    /// The zone of its days and hours.
    pub time_zone: TimeZone,
    /// Header fields that only its own rules add: copies from outside are forged.
    pub own_fields: Vec<String>,
    /// The authorities in it that have settings of their own.
    pub authorities: Authorities,
}

impl Default for Organisation {
    fn default() -> Self {
        Self {
            name: String::new(),
            domains: Vec::new(),
            routing_domains: Vec::new(),
            alias_domains: Vec::new(),
            internal_networks: Vec::new(),
            authserv_id: String::new(),
            upstream: Vec::new(),
            trusted_sealers: Vec::new(),
            time_zone: TimeZone::UTC,
            own_fields: Vec::new(),
            authorities: Authorities::default(),
        }
    }
}

impl Organisation {
    /// Whether the domain is one of the organisation's.
    pub fn owns_domain(&self, domain: &Domain) -> bool {
        self.all_domains().any(|pattern| pattern.matches(domain)) || self.alias_domains.contains(domain)
    }

    fn all_domains(&self) -> impl Iterator<Item = &DomainPattern> {
        self.domains.iter().chain(&self.routing_domains)
    }

    /// Whether a host of that name is the organisation's: its domains themselves, and whatever is below them.
    pub fn owns_host(&self, name: &Domain) -> bool {
        let mut rest = name.as_str();
        loop {
            if self.owns_domain(&Domain::new(rest)) {
                return true;
            }
            let Some((_, parent)) = rest.split_once('.') else { return false };
            rest = parent;
        }
    }

    /// Whether the address is inside. An address without a domain (`postmaster`, RFC 5321 §4.1.1.3) is this host's.
    pub fn owns(&self, address: &Address) -> bool {
        address.domain_name().is_none()
            || self.all_domains().any(|pattern| pattern.matches_address(address))
            || self.is_at_alias(address)
    }

    /// Whether mail to the address stays inside: it is the organisation's, and has no route that leads on.
    pub fn keeps(&self, address: &Address) -> bool {
        self.owns(address) && !address.is_routed()
    }

    /// The mailbox that an address of the organisation means, without tags; every other address as it is.
    pub fn mailbox(&self, address: &Address) -> Address {
        address.without_tag().filter(|_| self.owns(address)).unwrap_or_else(|| address.clone())
    }

    /// Whether two addresses mean the same mailbox. A name alone, and one at a routing or an alias domain, is the mailbox
    /// of that name at the first of the organisation's domains.
    pub fn is_same_mailbox(&self, one: &Address, other: &Address) -> bool {
        one == other || self.identity(one) == self.identity(other)
    }

    /// The address that stands for a mailbox, by whichever of its addresses it is named.
    pub fn identity(&self, address: &Address) -> Address {
        let mailbox = self.mailbox(address);
        let routing = || self.routing_domains.iter().any(|pattern| pattern.matches_address(&mailbox));
        match self.first_domain() {
            Some(first) if mailbox.domain_name().is_none() || routing() || self.is_at_alias(&mailbox) => {
                Address::from_parts(mailbox.local(), first)
            }
            _ => mailbox,
        }
    }

    fn first_domain(&self) -> Option<&Domain> {
        self.domains.first().map(|(DomainPattern::Exact(first) | DomainPattern::Below(first))| first)
    }

    fn is_at_alias(&self, address: &Address) -> bool {
        address
            .domain_name()
            .is_some_and(|name| self.alias_domains.iter().any(|alias| alias.as_str() == name))
    }

    /// The other addresses of the same mailbox: its name at the first of the organisation's domains, at each alias domain
    /// and at each routing domain that is written out.
    pub fn aliases(&self, address: &Address) -> Vec<Address> {
        let own = self.identity(address);
        let Some(first) = self.first_domain().filter(|first| own.domain_name() == Some(first.as_str()))
        else {
            return Vec::new();
        };
        let routing = self.routing_domains.iter().filter_map(|pattern| match pattern {
            DomainPattern::Exact(domain) => Some(domain),
            DomainPattern::Below(_) => None,
        });
        let domains = std::iter::once(first).chain(&self.alias_domains).chain(routing);
        let all = domains.map(|domain| Address::from_parts(own.local(), domain));
        all.filter(|alias| alias != address).collect()
    }

    /// The domain at which the mailboxes of these domains stand for themselves: an alias or routing domain has those of the
    /// first one.
    pub fn mailbox_domain(&self, domains: DomainPattern) -> DomainPattern {
        match (&domains, self.first_domain()) {
            (DomainPattern::Exact(domain), Some(first))
                if self.alias_domains.contains(domain)
                    || self.routing_domains.iter().any(|routing| routing.matches(domain)) =>
            {
                DomainPattern::Exact(first.clone())
            }
            _ => domains,
        }
    }

    /// The number of the authority whose mailbox the address means.
    pub fn authority_of(&self, address: &Address) -> Option<usize> {
        if self.authorities.is_empty() {
            return None;
        }
        self.authorities.of_mailbox(&self.identity(address))
    }

    /// The name in which a mailbox writes: that of its authority, or the organisation's.
    pub fn name_for(&self, address: &Address) -> &str {
        self.authority_of(address).and_then(|number| self.authorities.name(number)).unwrap_or(&self.name)
    }

    /// Whether a List-Id (RFC 2919) names a list of the organisation's: the id is a name below its domain.
    pub fn owns_list(&self, list_id: &str) -> bool {
        list_id.split_once('.').is_some_and(|(_, parent)| self.owns_host(&Domain::new(parent)))
    }

    /// Whether the host is a filter of its own, before this one.
    pub fn trusts_filter(&self, host: IpAddr) -> bool {
        let host = host.to_canonical();
        self.upstream.iter().any(|network| network.contains(&host))
    }

    /// Whether what that domain seals is believed.
    pub fn trusts_sealer(&self, sealer: &Domain) -> bool {
        self.trusted_sealers.iter().any(|trusted| trusted.matches(sealer))
    }

    /// Whether the host is one of the organisation's own.
    pub fn contains_host(&self, host: IpAddr) -> bool {
        let host = host.to_canonical();
        self.internal_networks.iter().any(|network| network.contains(&host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_and_outside() {
        let own = Organisation {
            name: "Exempelby kommun".into(),
            domains: vec![DomainPattern::parse("exempelby.se").unwrap()],
            internal_networks: vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
            ..Organisation::default()
        };
        assert!(own.owns(&Address::parse("anna@Exempelby.se").unwrap()));
        assert!(own.owns(&Address::parse("postmaster").unwrap()));
        assert!(!own.owns(&Address::parse("x@example.org").unwrap()));
        assert!(!own.keeps(&Address::parse("a%example.org@exempelby.se").unwrap()));
        assert!(own.owns_list("nyheter.exempelby.se") && own.owns_list("a.b.exempelby.se"));
        assert!(!own.owns_list("exempelby.se.example.org") && !own.owns_list("nyheter"));
        let host = |name| own.owns_host(&Domain::new(name));
        assert!(host("exempelby.se") && host("mx.mail.exempelby.se"));
        assert!(!host("se") && !host("storexempelby.se") && !host("exempelby.se.example.org"));
        assert!(own.contains_host("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!own.contains_host("192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn mailboxes() {
        let own = Organisation {
            domains: vec![
                DomainPattern::parse("exempelby.se").unwrap(),
                DomainPattern::parse("*.exempelby.se").unwrap(),
            ],
            routing_domains: vec![DomainPattern::parse("exempelbykommun.mail.onmicrosoft.com").unwrap()],
            ..Organisation::default()
        };
        let address = |text: &str| Address::parse(text).unwrap();
        let anna = address("anna@exempelby.se");
        for same in [
            "Anna+upphandling@exempelby.se",
            "anna@exempelbykommun.mail.onmicrosoft.com",
            "anna+x@exempelbykommun.mail.onmicrosoft.com",
            "anna",
            "\"anna+x\"@exempelby.se",
            "\"a\\nna+x\"@exempelbykommun.mail.onmicrosoft.com",
            "a\\nna+x@exempelby.se",
            "\"anna\"@exempelbykommun.mail.onmicrosoft.com",
            "\"anna+x\"",
        ] {
            assert!(own.owns(&address(same)) && own.is_same_mailbox(&anna, &address(same)), "{same}");
        }
        for other in ["anna@skola.exempelby.se", "anna@example.org", "bo@exempelby.se", "annab"] {
            assert!(!own.is_same_mailbox(&anna, &address(other)), "{other}");
        }
        let aliased = Organisation { alias_domains: vec![Domain::new("exempelbykommun.se")], ..own.clone() };
        let alias = address("Anna+x@exempelbykommun.se");
        assert!(aliased.owns(&alias) && aliased.is_same_mailbox(&anna, &alias) && !own.owns(&alias));
        assert_eq!(
            aliased.aliases(&anna).iter().map(Address::as_str).collect::<Vec<_>>(),
            ["anna@exempelbykommun.se", "anna@exempelbykommun.mail.onmicrosoft.com"]
        );
        assert_eq!(aliased.aliases(&address("anna@exempelbykommun.se"))[0], anna);
        assert!(aliased.aliases(&address("anna@skola.exempelby.se")).is_empty());
        assert!(aliased.aliases(&address("x@example.org")).is_empty());
        // A stranger's tag is his own business.
        assert!(!own.is_same_mailbox(&address("x@example.org"), &address("x+a@example.org")));
        assert_eq!(own.mailbox(&address("anna+x@exempelby.se")).as_str(), "anna@exempelby.se");
    }
}

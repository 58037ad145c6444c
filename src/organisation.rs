//! The organisation whose mail this is: which domains and networks are inside.

#![deny(clippy::disallowed_methods)]

use std::net::IpAddr;

use ipnet::IpNet;

use crate::address::{Address, Domain, DomainPattern};

/// What "inside" means.
#[derive(Clone, Debug, Default)]
pub struct Organisation {
    /// The name, as people know it.
    pub name: String,
    /// Its mail domains.
    pub domains: Vec<DomainPattern>,
    /// The networks of its own hosts.
    pub internal_networks: Vec<IpNet>,
    /// The name under which its gateway states what it checked (RFC 8601 §2.2).
    pub authserv_id: String,
    /// The hosts of a filter of its own that mail passes before it comes here: what it wrote is believed.
    pub upstream: Vec<IpNet>,
    /// The domains whose seals on what they hand on are believed (RFC 8617).
    pub trusted_sealers: Vec<DomainPattern>,
}

impl Organisation {
    /// Whether the domain is one of the organisation's.
    pub fn owns_domain(&self, domain: &Domain) -> bool {
        self.domains.iter().any(|pattern| pattern.matches(domain))
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
        address.domain_name().is_none() || self.domains.iter().any(|pattern| pattern.matches_address(address))
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
        assert!(own.owns_list("nyheter.exempelby.se") && own.owns_list("a.b.exempelby.se"));
        assert!(!own.owns_list("exempelby.se.example.org") && !own.owns_list("nyheter"));
        let host = |name| own.owns_host(&Domain::new(name));
        assert!(host("exempelby.se") && host("mx.mail.exempelby.se"));
        assert!(!host("se") && !host("storexempelby.se") && !host("exempelby.se.example.org"));
        assert!(own.contains_host("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!own.contains_host("192.0.2.1".parse().unwrap()));
    }
}

//! Which way mail leaves Exchange: its connectors, and what stops automatic forwards before they leave.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::table::Row;
use crate::address::Domain;

/// Whether mail to a domain passes this gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// It leaves another way, which is named.
    Never(String),
    /// It leaves through these hosts.
    Through(String),
    /// Through these connectors, if a transport rule of Exchange sends it there, or where others that lead elsewhere are as
    /// close.
    Perhaps(String),
    /// No connectors were exported.
    Unknown,
}

impl Passage {
    /// The word for it.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Never(_) => "never",
            Self::Through(_) => "yes",
            Self::Perhaps(_) => "perhaps",
            Self::Unknown => "unknown",
        }
    }

    /// By which way.
    pub(super) fn way(&self) -> &str {
        match self {
            Self::Never(way) | Self::Through(way) | Self::Perhaps(way) => way,
            Self::Unknown => "no connectors exported",
        }
    }
}

/// An enabled connector for mail that leaves.
#[derive(Debug)]
struct Route {
    name: String,
    spaces: Vec<Space>,
    hosts: Vec<String>,
    /// It is for mail that a transport rule sends there.
    scoped: bool,
}

/// The domains that a connector is for.
#[derive(Debug)]
struct Space {
    pattern: String,
    /// Of connectors for the same domains the one with the lower cost is used.
    cost: u32,
}

/// How well a connector is for a domain; the greater, the better.
type Closeness = (usize, Reverse<u32>);

/// What was exported about ways and barriers.
#[derive(Debug, Default)]
pub(super) struct Routes {
    connectors: bool,
    ways: Vec<Route>,
    /// The hosts that are this gateway, in small letters; nobody said where there is none.
    gateways: BTreeSet<String>,
    /// The remote domains, and whether forwards to them are let through.
    remote: Vec<(String, bool)>,
    /// The outbound policies, and whether they let forwards through.
    policies: Vec<(String, bool)>,
}

impl Routes {
    /// Routes where these hosts are this gateway.
    pub(super) fn new(gateways: &[String]) -> Self {
        Self { gateways: gateways.iter().map(|host| host_name(host)).collect(), ..Self::default() }
    }

    /// Says that connectors were exported, be there any or not.
    pub(super) fn know_connectors(&mut self) {
        self.connectors = true;
    }

    /// Learns an outbound or send connector.
    pub(super) fn connector(&mut self, row: &Row) {
        if row.flag("Enabled") == Some(false) {
            return;
        }
        let cost = row.first(&["Cost"]).and_then(|cost| cost.parse().ok()).unwrap_or(COST);
        let values = row.values("RecipientDomains").iter().chain(row.values("AddressSpaces"));
        let hosts = row.values("SmartHosts").iter().flat_map(|value| listed(value));
        self.ways.push(Route {
            name: row.first(&["Name", "Identity"]).unwrap_or_default().to_owned(),
            spaces: values.flat_map(|value| spaces(value, cost)).collect(),
            hosts: hosts.map(host_name).collect(),
            scoped: row.flag("IsTransportRuleScoped") == Some(true),
        });
    }

    /// Learns a remote domain; an error where the export does not say what is asked.
    pub(super) fn remote_domain(&mut self, row: &Row) -> Result<bool, String> {
        let domain = row.first(&["DomainName"]).ok_or("a remote domain without DomainName")?;
        let allows = row.flag("AutoForwardEnabled").ok_or("AutoForwardEnabled is neither True nor False")?;
        self.remote.push((pattern(domain), allows));
        Ok(allows)
    }

    /// Learns an outbound spam policy. `Automatic` is `Off` since 2021.
    pub(super) fn policy(&mut self, row: &Row) -> Result<bool, String> {
        let mode = row.first(&["AutoForwardingMode"]).unwrap_or_default();
        let allows = match mode.to_ascii_lowercase().as_str() {
            "on" => true,
            "off" | "automatic" => false,
            _ => return Err(format!("AutoForwardingMode is {mode:?}, not On, Off or Automatic")),
        };
        self.policies.push((row.first(&["Name", "Identity"]).unwrap_or_default().to_owned(), allows));
        Ok(allows)
    }

    /// What stops an automatic forward to a domain; one barrier is enough. A policy that allows forwards may be for some
    /// mailboxes only, so all have to forbid it.
    pub(super) fn barrier(&self, domain: &Domain) -> Option<String> {
        let best = self
            .remote
            .iter()
            .filter_map(|(pattern, allows)| Some((fits(pattern, domain)?, pattern, allows)));
        if let Some((_, pattern, false)) = best.max_by_key(|(length, ..)| *length) {
            return Some(format!("remote domain {pattern}"));
        }
        let (name, _) = self.policies.first()?;
        self.policies.iter().all(|(_, allows)| !allows).then(|| format!("outbound policy {name}"))
    }

    /// Whether mail to a domain passes this gateway: the connector with the closest domain takes it.
    pub(super) fn passage(&self, domain: &Domain) -> Passage {
        if !self.connectors {
            return Passage::Unknown;
        }
        let names =
            |routes: &[&Route]| routes.iter().map(|route| route.name.as_str()).collect::<Vec<_>>().join(", ");
        let (own, others) = self.closest(domain);
        match (&own[..], &others[..]) {
            ([], []) => {
                let by_rule = self.ways.iter().filter(|route| route.scoped && self.is_gateway(route));
                let by_rule: Vec<&Route> =
                    by_rule.filter(|route| route.closeness(domain).is_some()).collect();
                if by_rule.is_empty() {
                    Passage::Never("by MX".to_owned())
                } else {
                    Passage::Perhaps(names(&by_rule))
                }
            }
            (own, []) => {
                let hosts: BTreeSet<&str> =
                    own.iter().flat_map(|route| &route.hosts).map(String::as_str).collect();
                Passage::Through(hosts.into_iter().collect::<Vec<_>>().join(", "))
            }
            ([], others) => {
                let way = |route: &&Route| {
                    let hosts =
                        if route.hosts.is_empty() { "by MX".to_owned() } else { route.hosts.join(", ") };
                    format!("{}: {hosts}", route.name)
                };
                Passage::Never(others.iter().map(way).collect::<Vec<_>>().join("; "))
            }
            (own, others) => Passage::Perhaps(format!("{}, or {}", names(own), names(others))),
        }
    }

    /// The connectors that mail to a domain takes without a rule: those with the closest domain, and of these those with the
    /// lowest cost. First those that lead to this gateway, then the others.
    fn closest(&self, domain: &Domain) -> (Vec<&Route>, Vec<&Route>) {
        let routes = self.ways.iter().filter(|route| !route.scoped);
        let fitting: Vec<(Closeness, &Route)> =
            routes.filter_map(|route| Some((route.closeness(domain)?, route))).collect();
        let best = fitting.iter().map(|(closeness, _)| *closeness).max();
        let closest = fitting.into_iter().filter(|(closeness, _)| Some(*closeness) == best);
        closest.map(|(_, route)| route).partition(|route| self.is_gateway(route))
    }

    /// Whether all its hosts are this gateway; where nobody said which hosts are, any smart host may be.
    fn is_gateway(&self, route: &Route) -> bool {
        let known = |host: &String| self.gateways.is_empty() || self.gateways.contains(host);
        !route.hosts.is_empty() && route.hosts.iter().all(known)
    }

    /// The smart hosts that were taken for this gateway without anybody having said so.
    pub(super) fn assumed(&self) -> Vec<&str> {
        let hosts = self.ways.iter().flat_map(|route| &route.hosts).map(String::as_str);
        let hosts: BTreeSet<&str> = hosts.filter(|_| self.gateways.is_empty()).collect();
        hosts.into_iter().collect()
    }
}

impl Route {
    /// How well it is for mail to a domain, if it is.
    fn closeness(&self, domain: &Domain) -> Option<Closeness> {
        let spaces = self.spaces.iter();
        let closest =
            spaces.filter_map(|space| Some((fits(&space.pattern, domain)?, Reverse(space.cost)))).max();
        // A connector that a rule uses needs no domains of its own.
        closest.or((self.scoped && self.spaces.is_empty()).then_some((0, Reverse(COST))))
    }
}

/// The cost of an address space that has none of its own.
const COST: u32 = 1;

/// What stands in `a, b`, `{a, b}` and `a;b`.
fn listed(value: &str) -> impl Iterator<Item = &str> {
    let whole = value.trim().trim_start_matches('{').trim_end_matches('}');
    whole.split([',', ';', '|', '\n', ' ']).map(str::trim).filter(|one| !one.is_empty())
}

/// The address spaces in a value. A number is the cost of the one before it: `SMTP:*;1`.
fn spaces(value: &str, cost: u32) -> Vec<Space> {
    let mut spaces: Vec<Space> = Vec::new();
    for one in listed(value) {
        match (one.parse(), spaces.last_mut()) {
            (Ok(own), Some(space)) => space.cost = own,
            _ => spaces.push(Space { pattern: pattern(one), cost }),
        }
    }
    spaces
}

/// A domain pattern without the kind of an address space, in small letters.
fn pattern(space: &str) -> String {
    let kind = space.get(..5).filter(|kind| kind.eq_ignore_ascii_case("smtp:"));
    let space = if kind.is_some() { space.get(5..).unwrap_or_default() } else { space };
    space.to_ascii_lowercase()
}

/// A smart host as it is compared: `[192.0.2.1]` is 192.0.2.1.
fn host_name(host: &str) -> String {
    host.trim().trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}

/// How closely a pattern fits a domain: `*` at the least, `*.example.org` for itself and what is below it.
fn fits(pattern: &str, domain: &Domain) -> Option<usize> {
    let domain = domain.as_str();
    match pattern.strip_prefix("*.") {
        Some(below) => {
            let inside =
                domain == below || domain.strip_suffix(below).is_some_and(|rest| rest.ends_with('.'));
            inside.then_some(below.len())
        }
        None if pattern == "*" => Some(0),
        None => (pattern == domain).then_some(pattern.len() + 1),
    }
}

//! The config's meaning: each table becomes its part of [`Config`], and everything that is wrong becomes a problem.

#![deny(clippy::disallowed_methods)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipnet::IpNet;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::context::RuleContext;
use super::services::Scanners;
use super::{
    Central, Config, Console, Disclosure, Held, ListenAddress, ParseContext, Retention, Server, Store,
    authorities, central, changes, console, external, groups, held, listen, mail_tests, notices, records,
    reference, services,
};
use crate::address::{Domain, DomainPattern};
use crate::facts::Needs;
use crate::limits;
use crate::notice::NoticeSettings;
use crate::organisation::Organisation;
use crate::policy::{Actions, RulePolicy};
use crate::rules::{Relied, RelyOn, Rule};
use crate::settings::lists::Groups;
use crate::settings::problem::Fault;
use crate::settings::report::Report;
use crate::settings::{INCLUDE, Settings, Table, Value, parse};

/// The config in these tables; the report has what is wrong. `None` only after a problem. Hash and warnings are
/// not known here.
pub fn config(table: &Table, report: &Report<'_>, around: &ParseContext<'_>) -> Option<Config> {
    let defaults = reference::defaults();
    Settings::read(table, &defaults, "", report, |root| {
        // What it names is read already.
        let _ = root.value(INCLUDE);
        let organisation =
            root.required_table("organisation", "write [organisation] with name and domains", organisation);
        let server = root.required_table("server", "write [server] with listen", |s| server(s, around.host));
        let smtp = root.table("smtp", notices::smtp).flatten();
        let mail_log = root.table("postfix", services::postfix).flatten();
        let dns = root.table("dns", services::dns);
        let authentication = root.table("authentication", services::authentication);
        let (organisation, time_zone) = organisation.unzip();
        let own = organisation.iter().flatten().flat_map(|own| own.internal_networks.iter().copied());
        let own: Vec<IpNet> = own.collect();
        let (scanners, upstream) =
            root.table("scanners", |s| services::scanners(s, &own)).unwrap_or_default();
        let upstream_trusted = !upstream.is_empty();
        let ocr = root.table("ocr", services::ocr).flatten();
        let authenticate = authentication.is_some();
        let services::Authentication { authserv_id, trusted_sealers } = authentication.unwrap_or_default();
        let authserv_id = authserv_id.unwrap_or_else(|| around.host.to_ascii_lowercase());
        let organisation = organisation.flatten().map(|organisation| {
            let time_zone = time_zone.clone().unwrap_or(TimeZone::UTC);
            Arc::new(Organisation { authserv_id, upstream, trusted_sealers, time_zone, ..organisation })
        });
        let known = organisation.clone().unwrap_or_default();
        let (groups, mut directories) = root
            .table("groups", |s| groups::groups(s, &known))
            .unwrap_or_else(|| (Groups::new(known.clone(), BTreeMap::new(), BTreeSet::new()), Vec::new()));
        report.know(groups);
        let external = root
            .table("external_sender", |s| external::external(s, organisation.as_deref(), authenticate))
            .flatten();
        let disclosure = root.table_or_defaults("disclosure", disclosure).unwrap_or_default();
        let notice_settings =
            notices::notice_settings(root, smtp.as_ref(), organisation.as_deref(), time_zone.as_ref());
        let (sends, is_set) = (root.names("smtp"), root.names("held"));
        let today = around.now.to_zoned(time_zone.clone().unwrap_or(TimeZone::UTC)).date();
        let ground = RuleContext { organisation: organisation.as_deref(), today, sends, receipts: &[] };
        let held = root.table_or_defaults("held", |s| held::held(s, ground)).flatten();
        let (console, central) = beside(root, server.as_ref().and_then(Option::as_ref));
        let read_with = authorities::Around {
            ground,
            organisation: &known,
            notices: notice_settings.as_ref(),
            whole: (table, &defaults),
        };
        let authorities = authorities::authorities(root, read_with);
        let organisation = organisation
            .as_deref()
            .map(|own| Arc::new(Organisation { authorities: authorities.known, ..own.clone() }));
        let notice_settings =
            notice_settings.map(|own| NoticeSettings { authorities: authorities.voices, ..own });
        let notices = notice_settings.as_ref().zip(organisation.as_deref());
        let periods = authorities.retention;
        let store = root
            .required_table("store", "write [store] with directory", |s| store(s, sends, notices, periods));
        let (organisation_known, receipts) = (organisation.as_deref(), &*authorities.receipts);
        let ground = RuleContext { organisation: organisation_known, receipts, ..ground };
        let rules = root.table("rules", |rules| changes::rules(rules, ground, authorities.changes));
        if scanners.clamav.is_none() {
            without_clamav(root, table, rules.as_deref().unwrap_or_default());
        }
        let rules = rules.unwrap_or_default();
        let tests = mail_tests::tests(root, report, &rules);
        let store = store??;
        let own = Needs { body: true, archives: store.nested, authentication: authenticate, ..Needs::NONE };
        let needs =
            rules.iter().fold(own, |needs, (rule, policy)| needs.union(rule.needs()).union(policy.needs()));
        let asked = scanners.rspamd.is_some() || scanners.spamassassin.is_some() || upstream_trusted;
        if !asked {
            without_scanner(root, table, &rules, needs);
        }
        warn_of_the_unused(root, table, needs, &scanners);
        groups::warn_of_the_unnamed(root, table, report.groups());
        directories.retain(|group| report.groups().is_named(&group.name));
        Some(Config {
            organisation: with_own_fields(organisation?, &rules),
            external,
            time_zone: time_zone?,
            server: server??,
            store,
            disclosure,
            smtp,
            held: Held { is_set, ..held? },
            console,
            central,
            notice_settings,
            authenticate,
            mail_log,
            dns: dns.unwrap_or_default(),
            scanners,
            ocr,
            directories,
            rules,
            tests,
            needs,
            hash: String::new(),
            warnings: Vec::new(),
        })
    })
}

/// What there may be beside the gateway: the console, and the central log.
fn beside(root: &mut Settings<'_>, server: Option<&Server>) -> (Option<Console>, Option<Central>) {
    let node = server.map_or("node", |server| &server.node);
    let console = root.table("console", console::console).flatten();
    (console, root.table("central", |section| central::central(section, node)).flatten())
}

/// Reports a rule that waits for a virus scanner, where none is configured.
fn without_clamav(root: &Settings<'_>, table: &Table, rules: &[(Box<dyn Rule>, RulePolicy)]) {
    if rules.iter().any(|(rule, _)| rule.needs().virus_scan) {
        let fault = Fault::new(
            "no scanner is configured, so the rule would never find anything",
            "add [scanners.clamav] with address, or set mode = \"off\"",
        );
        root.wrong("rules.virus", table.place("rules.virus").unwrap_or(table.at), fault);
    }
}

/// Reports what waits for a spam scanner, where none is configured: the rule, and conditions on its score.
fn without_scanner(root: &Settings<'_>, table: &Table, rules: &[(Box<dyn Rule>, RulePolicy)], needs: Needs) {
    let spam = table.place("rules.spam");
    if let Some(at) = spam.filter(|_| needs.spam_scan && !needs.authentication) {
        let fault = Fault::new(
            "neither a scanner nor sender authentication is configured, so the rule would never find anything",
            "add [scanners.rspamd] with address, or [authentication], or set mode = \"off\"",
        );
        root.wrong("rules.spam", at, fault);
    }
    for (rule, _) in rules {
        for Relied { key, at, .. } in
            rule.relies_on().into_iter().filter(|relied| relied.on == RelyOn::Scanner)
        {
            let problem = "relies on a spam scanner, and none is configured";
            let right = "add [scanners.rspamd] with address, or remove the condition";
            root.wrong(&format!("rules.{}.when.{key}", rule.id()), at, Fault::new(problem, right));
        }
    }
}

/// The organisation with the header fields of its own that its custom rules add.
fn with_own_fields(
    organisation: Arc<Organisation>,
    rules: &[(Box<dyn Rule>, RulePolicy)],
) -> Arc<Organisation> {
    let policies = rules.iter().flat_map(|(_, policy)| policy.all());
    let added = policies.flat_map(|policy| match &policy.actions {
        Actions::Content(content) => &*content.add_header,
        _ => &[],
    });
    let names = added.map(|(name, _)| name.to_ascii_lowercase());
    let mut own: Vec<String> = names.filter(|name| name.starts_with("x-")).collect();
    if own.is_empty() {
        return organisation;
    }
    own.sort_unstable();
    own.dedup();
    Arc::new(Organisation { own_fields: own, ..Organisation::clone(&organisation) })
}

/// Warns of settings that have no effect. They are no error: a rule may be off for a while.
fn warn_of_the_unused(root: &Settings<'_>, table: &Table, needs: Needs, scanners: &Scanners) {
    let unasked = "is not used by any enabled rule";
    let spam = "enable [rules.spam], or remove the scanner";
    let virus = "enable [rules.virus], or remove the scanner";
    for (key, asked, problem, right) in [
        ("scanners.rspamd", needs.spam_scan, unasked, spam),
        ("scanners.spamassassin", needs.spam_scan, unasked, spam),
        ("scanners.clamav", needs.virus_scan, unasked, virus),
        (
            "dns",
            needs.authentication,
            "is not used, because no mail is authenticated",
            "add [authentication]",
        ),
        (
            "rules.spam.doubt",
            scanners.rspamd.is_some(),
            "has no effect without rspamd",
            "add [scanners.rspamd] with address, or remove the key",
        ),
    ] {
        if let Some(at) = table.place(key).filter(|_| !asked) {
            root.warn(key, at, Fault::new(problem, right));
        }
    }
}

fn organisation(section: &mut Settings<'_>) -> (Option<Organisation>, TimeZone) {
    let name =
        section.required("name", "write name = \"Exempelby kommun\"", |v| parse::text(v).map(str::to_owned));
    let domains = domains(section);
    let routing_domains = routing_domains(section);
    let alias_domains = alias_domains(section);
    let internal_networks = networks(section);
    let zone = section.optional("time_zone", time_zone).unwrap_or(TimeZone::UTC);
    let organisation = name.zip(domains).map(|(name, domains)| Organisation {
        name,
        domains,
        routing_domains,
        alias_domains,
        internal_networks,
        ..Organisation::default()
    });
    (organisation, zone)
}

/// `None` if a domain is wrong: then inside and outside are unknown, and nothing is checked against them.
fn domains(section: &mut Settings<'_>) -> Option<Vec<DomainPattern>> {
    let mut all = Some(Vec::new());
    for value in section.required_list("domains", "write domains = [\"exempelby.se\"]")? {
        let domain = section.accept("domains", value.at, domain(value));
        if let Some(DomainPattern::Below(below)) = &domain
            && !below.as_str().contains('.')
        {
            let fault = Fault::new(
                format!("*.{below} matches a whole top-level domain"),
                "list only your own domains",
            );
            section.warn("domains", value.at, fault);
        }
        all = all.zip(domain).map(|(mut all, domain)| {
            all.push(domain);
            all
        });
    }
    all
}

fn routing_domains(section: &mut Settings<'_>) -> Vec<DomainPattern> {
    let mut domains = Vec::new();
    for value in section.list("routing_domains").unwrap_or_default() {
        domains.extend(section.accept("routing_domains", value.at, routing_domain(value)));
    }
    domains
}

fn alias_domains(section: &mut Settings<'_>) -> Vec<Domain> {
    let exact = |value: &Value| match domain(value)? {
        DomainPattern::Exact(exact) => Ok(exact),
        DomainPattern::Below(below) => Err(Fault::new(
            format!("*.{below} does not say at which domain a mailbox has the same name"),
            "write each alias domain out",
        )),
    };
    let values = section.list("alias_domains").unwrap_or_default();
    values.iter().filter_map(|value| section.accept("alias_domains", value.at, exact(value))).collect()
}

fn routing_domain(value: &Value) -> Result<DomainPattern, Fault> {
    let pattern = domain(value)?;
    match &pattern {
        DomainPattern::Below(name)
            if ["onmicrosoft.com", "mail.onmicrosoft.com"].contains(&name.as_str()) =>
        {
            let problem = format!("*.{name} matches every tenant of Microsoft 365");
            Err(Fault::new(problem, "name your own tenant, such as exempelbykommun.onmicrosoft.com"))
        }
        DomainPattern::Exact(_) | DomainPattern::Below(_) => Ok(pattern),
    }
}

fn domain(value: &Value) -> Result<DomainPattern, Fault> {
    let given = parse::text(value)?;
    let right = "write exempelby.se, or *.exempelby.se for all domains below it";
    let wrong = || Fault::new(format!("{} is not a domain", parse::shown(given)), right);
    let pattern = DomainPattern::parse(given).map_err(|_| wrong())?;
    let (DomainPattern::Exact(name) | DomainPattern::Below(name)) = &pattern;
    if parse::is_domain(name.as_str()) { Ok(pattern) } else { Err(wrong()) }
}

fn networks(section: &mut Settings<'_>) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for value in section.list("internal_networks").unwrap_or_default() {
        let Some(network) = section.accept("internal_networks", value.at, parse::network(value)) else {
            continue;
        };
        let so = "all mail would count as sent from inside";
        if let Some(fault) = parse::whole_internet(&network, so, "list only your own networks") {
            section.warn("internal_networks", value.at, fault);
        }
        networks.push(network);
    }
    networks
}

fn time_zone(value: &Value) -> Result<TimeZone, Fault> {
    let given = parse::text(value)?;
    // The zones in the binary, not those of the machine: a pure answer, and the same on every node.
    let zones = TimeZoneDatabase::bundled();
    zones.get(given).map_err(|_| {
        let names: Vec<String> = zones.available().map(|name| name.to_string()).collect();
        let right = match parse::nearest(given, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "write a name as \"Europe/Stockholm\"".to_owned(),
        };
        Fault::new(format!("{} is not a time zone of the IANA database", parse::shown(given)), right)
    })
}

fn server(section: &mut Settings<'_>, host: &str) -> Option<Server> {
    let node = section.optional("node", node);
    let listen = listen::sockets(section);
    let metrics = section.optional("metrics", |value| {
        let address = parse::socket(value, "127.0.0.1:9891")?;
        let taken = listen.iter().flatten().any(|socket| socket.address == ListenAddress::Inet(address));
        if taken && address.port() != 0 {
            return Err(Fault::new(
                format!("{address} is also in listen"),
                "choose another port for metrics",
            ));
        }
        Ok(address)
    });
    let memory = section.optional("memory", |value| {
        let octets = parse::size(value)?;
        if octets < limits::MEMORY_OCTETS_LEAST {
            let least = limits::MEMORY_OCTETS_LEAST >> 20;
            return Err(Fault::new(
                "is too small for large messages",
                format!("write at least \"{least} MiB\""),
            ));
        }
        Ok(octets)
    });
    Some(Server { node: node.unwrap_or_else(|| node_of(host)), listen: listen?, metrics, memory })
}

fn node(value: &Value) -> Result<String, Fault> {
    let given = parse::text(value)?;
    if is_node(given) {
        return Ok(given.to_owned());
    }
    let problem = format!("{} is not a valid node name", parse::shown(given));
    Err(Fault::new(
        problem,
        format!("write at most {} letters, digits and `-`, such as \"gw1\"", limits::NODE_OCTETS),
    ))
}

fn is_node(name: &str) -> bool {
    (1..=limits::NODE_OCTETS).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// The first label of the host's name.
fn node_of(host: &str) -> String {
    let label = host.split('.').next().unwrap_or_default();
    if is_node(label) { label.to_owned() } else { "node".to_owned() }
}

fn store(
    section: &mut Settings<'_>,
    sends: bool,
    notices: Option<(&NoticeSettings, &Organisation)>,
    of_authorities: Vec<Retention>,
) -> Option<Store> {
    let directory = section.required("directory", "write directory = \"/var/lib/postvakt\"", parse::absolute);
    section.optional("on_failure", |value| match parse::text(value)? {
        "tempfail" => Ok(()),
        other => Err(Fault::new(
            format!("invalid value {}: an accepted mail without a record would leave no trace, and a rejected one would be lost", parse::shown(other)),
            "write \"tempfail\": the sending server keeps the mail and tries again",
        )),
    });
    let heads = section.table_or_defaults("heads", |s| records::heads(s, sends, notices)).flatten();
    let nested = section.optional("attachments", |value| match parse::text(value)? {
        "nested" => Ok(true),
        "outer" => Ok(false),
        other => Err(Fault::new(
            format!("invalid value {}", parse::shown(other)),
            "write \"nested\" to include names inside archives, or \"outer\"",
        )),
    });
    let retention = records::periods(section, of_authorities);
    let access_retention =
        section.table("access_retention", |s| records::access_period(s, &retention)).flatten();
    let minimise = section.table("minimise", records::minimise).flatten();
    let access = section.table_or_defaults("access", records::access).flatten();
    let header_fields = records::header_fields(section);
    let (directory, heads, nested) = (directory?, heads?, nested?);
    let access = access?;
    Some(Store { directory, heads, nested, retention, access_retention, minimise, header_fields, access })
}

fn disclosure(section: &mut Settings<'_>) -> Disclosure {
    let words = section.list("words").unwrap_or_default();
    let word = |value: &Value| {
        let given = parse::text(value)?.trim();
        if given.chars().count() >= 2 {
            return Ok(given.to_owned());
        }
        let problem =
            format!("{} is so short that it would be masked in nearly every subject", parse::shown(given));
        Err(Fault::new(problem, "write words of at least two letters"))
    };
    let words = words.iter().filter_map(|value| section.accept("words", value.at, word(value))).collect();
    let mailboxes = records::protected(section);
    let leaves_out = section.optional("mailbox_rows", |value| match parse::text(value)? {
        "mask" => Ok(false),
        "leave-out" => Ok(true),
        other => Err(Fault::new(
            format!("invalid value {}", parse::shown(other)),
            "write \"mask\" or \"leave-out\"",
        )),
    });
    Disclosure { words, mailboxes, leaves_out: leaves_out.unwrap_or_default() }
}

//! The walk over all maps: what leads outside, directly or by way of others inside.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::maps::{self, Entry, Form, Trouble};
use super::recipients::{self, Recipient};
use crate::address::{Address, Domain};
use crate::cli::postconf::Postconf;
use crate::limits;
use crate::organisation::Organisation;
use crate::text::words;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Audit {
    /// In the order of Postfix's parameters.
    pub(super) findings: Vec<Finding>,
    /// Maps that were read.
    pub(super) maps: usize,
    /// Entries in them.
    pub(super) entries: usize,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) kind: Kind,
    /// The parameter, or the file of a user.
    pub(super) parameter: String,
    /// The map, as the parameter names it.
    pub(super) map: String,
    /// Whose mail.
    pub(super) of: String,
    /// Where to.
    pub(super) target: String,
    /// File and line.
    pub(super) place: Option<(PathBuf, usize)>,
}

words! {
    /// What kind of thing.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Kind {
        /// Mail goes outside.
        External = "external",
        /// Mail goes to a program or a file, which may send it anywhere.
        Command = "command",
        /// A map or a target that cannot be listed.
        Unlisted = "unlisted",
        /// A map that is there and cannot be read.
        Unreadable = "unreadable",
        /// A setting by which Postfix follows a route in an address.
        Setting = "setting",
    }
}

/// The parameters whose maps say where a recipient's mail goes, and their form.
const ALIASES: [(&str, Form); 5] = [
    ("virtual_alias_maps", Form::Table),
    ("virtual_maps", Form::Table),
    ("alias_maps", Form::Aliases),
    ("canonical_maps", Form::Table),
    ("recipient_canonical_maps", Form::Table),
];

/// Those that send a copy.
const COPIES: [&str; 2] = ["recipient_bcc_maps", "sender_bcc_maps"];

/// The settings by which Postfix follows a route in an address on to another domain, all of them on unless `main.cf` says
/// otherwise; and an address that each is about.
const ROUTES: [(&str, &str); 3] = [
    ("allow_percent_hack", "a%example.org"),
    ("swap_bangpath", "example.org!a"),
    ("resolve_dequoted_address", "\"a@example.org\""),
];

/// Reads everything.
pub(super) fn audit(postconf: &Postconf, organisation: &Organisation) -> Audit {
    let mut walk = Walk {
        postconf,
        organisation,
        audit: Audit::default(),
        inside: HashMap::new(),
        direct: Vec::new(),
        included: HashSet::new(),
    };
    for (parameter, form) in ALIASES {
        walk.maps(parameter, form);
    }
    walk.users();
    for parameter in COPIES {
        walk.maps(parameter, Form::Table);
    }
    for (parameter, value) in postconf.all("always_bcc") {
        let source = Source { parameter, map: String::new(), place: None };
        walk.list("*", &value, &source);
    }
    walk.transports();
    for (parameter, value) in postconf.all("mailbox_command") {
        let source = Source { parameter, map: String::new(), place: None };
        walk.add(Kind::Command, "*", &value, &source);
    }
    walk.indirect();
    walk.settings();
    walk.audit
}

struct Walk<'a> {
    postconf: &'a Postconf,
    organisation: &'a Organisation,
    audit: Audit,
    /// Who inside gets the mail of whom inside.
    inside: HashMap<String, Vec<(String, Source)>>,
    /// Whose mail goes outside directly, and where to.
    direct: Vec<(String, String)>,
    included: HashSet<PathBuf>,
}

/// Where something stands.
#[derive(Clone)]
struct Source {
    parameter: String,
    map: String,
    place: Option<(PathBuf, usize)>,
}

impl Walk<'_> {
    fn maps(&mut self, parameter: &str, form: Form) {
        for (parameter, value) in self.postconf.all(parameter) {
            for map in crate::cli::postconf::split(&value) {
                let source = Source { parameter: parameter.clone(), map, place: None };
                for Entry { key, value, place } in self.read(&source, form) {
                    self.list(&key, &value, &Source { place, ..source.clone() });
                }
            }
        }
    }

    fn read(&mut self, source: &Source, form: Form) -> Vec<Entry> {
        match maps::entries(&source.map, form, self.postconf) {
            Ok(entries) => {
                self.audit.maps += 1;
                self.audit.entries += entries.len();
                entries
            }
            Err(trouble) => {
                self.trouble(trouble, source);
                Vec::new()
            }
        }
    }

    fn trouble(&mut self, trouble: Trouble, source: &Source) {
        match trouble {
            Trouble::Unlisted => self.add(Kind::Unlisted, "*", "this type of map cannot be listed", source),
            Trouble::Unreadable(why) => self.add(Kind::Unreadable, "*", &why, source),
        }
    }

    fn list(&mut self, of: &str, list: &str, source: &Source) {
        for recipient in recipients::parse(list) {
            match recipient {
                Recipient::Address(address) if self.is_inside(&address) => {
                    let next = (self.node(&address), source.clone());
                    self.inside.entry(self.node_of(of)).or_default().push(next);
                }
                Recipient::Address(address) => self.external(of, address.as_str(), source),
                Recipient::Domain(domain) if self.is_ours(&Domain::new(&domain)) => {}
                Recipient::Domain(domain) => self.external(of, &format!("@{domain}"), source),
                Recipient::Command(command) => self.add(Kind::Command, of, &format!("|{command}"), source),
                Recipient::File(path) if path == Path::new("/dev/null") => {}
                Recipient::File(path) => self.add(Kind::Command, of, &path.display().to_string(), source),
                Recipient::Open(text) => self.add(Kind::Unlisted, of, &text, source),
                Recipient::Include(path) => self.include(of, &path, source),
            }
        }
    }

    /// A list that includes itself is read once.
    fn include(&mut self, of: &str, path: &Path, source: &Source) {
        if self.included.insert(path.to_owned()) {
            self.file(of, path, &source.parameter);
            self.included.remove(path);
        }
    }

    /// A file with a list on each line: a `.forward`, an included list.
    fn file(&mut self, of: &str, path: &Path, parameter: &str) {
        let source = |line| Source {
            parameter: parameter.to_owned(),
            map: String::new(),
            place: Some((path.to_owned(), line)),
        };
        match maps::logical_lines(path) {
            Ok(lines) => {
                self.audit.maps += 1;
                self.audit.entries += lines.len();
                for (number, line) in lines {
                    self.list(of, &line, &source(number));
                }
            }
            Err(trouble) => self.trouble(trouble, &source(1)),
        }
    }

    /// Each user's own files, where `forward_path` says.
    fn users(&mut self) {
        let paths = self.postconf.list("forward_path");
        for (user, home) in users() {
            let places = paths.iter().map(|path| path.replace("${recipient_delimiter}${extension}", ""));
            let names = |path: String| {
                let path = path.replace("${home}", &home).replace("$home", &home);
                path.replace("${user}", &user).replace("$user", &user)
            };
            let mut places: Vec<PathBuf> = places.map(names).map(PathBuf::from).collect();
            places.dedup();
            for path in places.iter().filter(|path| path.is_file()) {
                self.file(&user, path, ".forward");
            }
            self.procmail(&user, &Path::new(&home).join(".procmailrc"));
        }
    }

    /// procmailrc(5): an action line that begins with `!` sends to the addresses after it.
    fn procmail(&mut self, user: &str, path: &Path) {
        let Ok(bytes) = fs::read(path) else { return };
        self.audit.maps += 1;
        for (number, line) in (1..).zip(String::from_utf8_lossy(&bytes).lines()) {
            let line = line.trim().trim_start_matches(['{', '}', ' ']);
            if let Some(list) = line.strip_prefix('!') {
                self.audit.entries += 1;
                let place = Some((path.to_owned(), number));
                let source = Source { parameter: ".procmailrc".to_owned(), map: String::new(), place };
                self.list(user, list, &source);
            }
        }
    }

    /// Mail for somebody inside that goes to a host outside.
    fn transports(&mut self) {
        for (parameter, value) in self.postconf.all("transport_maps") {
            for map in crate::cli::postconf::split(&value) {
                let source = Source { parameter: parameter.clone(), map, place: None };
                for Entry { key, value, place } in self.read(&source, Form::Table) {
                    let domain = key.rsplit_once('@').map_or(&*key, |(_, domain)| domain);
                    let ours = self.is_ours(&Domain::new(domain.trim_start_matches('.')));
                    if ours && next_hop(&value).is_some_and(|host| !self.is_own_host(host)) {
                        self.add(Kind::External, &key, &value, &Source { place, ..source.clone() });
                    }
                }
            }
        }
    }

    /// A setting that lets permitted clients reach other domains by an address of this host.
    fn settings(&mut self) {
        for (parameter, local) in ROUTES {
            if self.postconf.get(parameter).eq_ignore_ascii_case("yes") {
                let source = Source { parameter: parameter.to_owned(), map: String::new(), place: None };
                let host = self.postconf.get("myhostname").to_owned();
                self.add(Kind::Setting, &format!("{local}@{host}"), "a@example.org", &source);
            }
        }
    }

    /// Who leads outside by way of others: their own entry says so nowhere.
    fn indirect(&mut self) {
        let mut before: HashMap<&str, Vec<(&str, &Source)>> = HashMap::new();
        for (of, targets) in &self.inside {
            for (to, source) in targets {
                before.entry(to).or_default().push((of, source));
            }
        }
        let mut found = Vec::new();
        for (first, target) in &self.direct {
            let (mut seen, mut next) = (HashSet::from([first.as_str()]), vec![first.as_str()]);
            while let Some(via) = next.pop() {
                for (of, source) in before.get(via).into_iter().flatten() {
                    if seen.insert(of) && seen.len() <= limits::AUDIT_CHAIN {
                        next.push(of);
                        found.push((
                            (*of).to_owned(),
                            format!("{target} (by way of {via})"),
                            (*source).clone(),
                        ));
                    }
                }
            }
        }
        found.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        for (of, target, source) in found {
            self.add(Kind::External, &of, &target, &source);
        }
    }

    fn external(&mut self, of: &str, target: &str, source: &Source) {
        self.direct.push((self.node_of(of), target.to_owned()));
        self.add(Kind::External, of, target, source);
    }

    fn add(&mut self, kind: Kind, of: &str, target: &str, source: &Source) {
        let Source { parameter, map, place } = source.clone();
        self.audit.findings.push(Finding {
            kind,
            parameter,
            map,
            of: of.to_owned(),
            target: target.to_owned(),
            place,
        });
    }

    fn is_inside(&self, address: &Address) -> bool {
        !address.is_routed() && address.domain().is_none_or(|domain| self.is_ours(&domain))
    }

    /// The organisation's domains, this host's names, and whatever is below the organisation's.
    fn is_ours(&self, domain: &Domain) -> bool {
        self.organisation.owns_host(domain) || self.is_local(domain)
    }

    fn is_local(&self, domain: &Domain) -> bool {
        let same = |name: &String| Domain::new(name) == *domain;
        self.postconf.list("mydestination").iter().any(same)
            || ["myhostname", "mydomain", "myorigin"]
                .iter()
                .any(|name| same(&self.postconf.get(name).to_owned()))
            || domain.as_str() == "localhost"
    }

    fn is_own_host(&self, host: &str) -> bool {
        let host = host.trim_matches(['[', ']']);
        match host.trim_start_matches("IPv6:").parse::<IpAddr>() {
            Ok(ip) => ip.is_loopback() || self.organisation.contains_host(ip),
            Err(_) => !host.contains('.') || self.is_ours(&Domain::new(host)),
        }
    }

    /// One name for one mailbox: a user of this host is the same with its domain and without.
    fn node(&self, address: &Address) -> String {
        match address.domain() {
            Some(domain) if !self.is_local(&domain) => address.key().to_owned(),
            Some(_) | None => address.local().to_lowercase(),
        }
    }

    fn node_of(&self, key: &str) -> String {
        Address::parse(key).map_or_else(|| key.to_lowercase(), |address| self.node(&address))
    }
}

/// The host in `smtp:[host]:port`; none for delivery on this host and for `error:`.
fn next_hop(transport: &str) -> Option<&str> {
    let (name, hop) = transport.split_once(':').unwrap_or((transport, ""));
    if ["local", "virtual", "error", "discard", "retry", "lmtp", "dovecot", "pipe"].contains(&name)
        || hop.starts_with('/')
    {
        return None;
    }
    let hop = hop.trim();
    let host = match hop.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => hop.split([':', ',', ' ']).next().unwrap_or_default(),
    };
    (!host.is_empty() && !hop.starts_with("unix:")).then_some(host)
}

/// Users and their home directories, from wherever this host knows them.
fn users() -> Vec<(String, String)> {
    let listed = Command::new("getent").arg("passwd").output();
    let text = match listed {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        _ => fs::read_to_string("/etc/passwd").unwrap_or_default(),
    };
    let user = |line: &str| {
        let mut fields = line.split(':');
        let (name, home) = (fields.next()?, fields.nth(4)?);
        home.starts_with('/').then(|| (name.to_owned(), home.to_owned()))
    };
    text.lines().filter_map(user).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_hops() {
        for (transport, host) in [
            ("smtp:[mx.example.org]:25", Some("mx.example.org")),
            ("relay:example.org", Some("example.org")),
            ("smtp:[IPv6:2001:db8::1]", Some("IPv6:2001:db8::1")),
            ("lmtp:unix:private/dovecot-lmtp", None),
            ("local:", None),
            ("error:5.1.1 gone to x@example.org", None),
            ("smtp:", None),
            ("smtp", None),
        ] {
            assert_eq!(next_hop(transport), host, "{transport}");
        }
    }
}

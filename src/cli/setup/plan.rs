//! What has to change in a Postfix so that every mail passes the milter, and none passes it twice.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::cli::postconf::split;
use crate::config::{Config, ListenAddress};

/// One change, as `postconf` makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "in")]
pub(super) enum Change {
    /// `name = value` in `main.cf`.
    Main {
        /// The parameter.
        name: String,
        /// Its value before, where `main.cf` had one.
        before: Option<String>,
        /// Its new value.
        value: String,
    },
    /// A service in `master.cf`.
    Service {
        /// `name/type`.
        key: String,
        /// Its line.
        line: String,
    },
    /// `-o name=value` of a service in `master.cf`.
    Override {
        /// `service/type/parameter`.
        key: String,
        /// Its value before, where there was one.
        before: Option<String>,
        /// Its new value.
        value: String,
    },
}

/// All changes, in order, and what to know about them.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) changes: Vec<Change>,
    pub(super) notes: Vec<String>,
}

/// What Postfix's config says today.
pub(super) struct Postfix {
    /// What `main.cf` sets, as it stands there.
    pub(super) set: Vec<(String, String)>,
    /// Every parameter that is looked at, with `$names` expanded.
    pub(super) effective: Vec<(String, String)>,
    /// Lines of `master.cf`.
    pub(super) services: Vec<Vec<String>>,
    /// `service/type/parameter` and its value, for each `-o`.
    pub(super) overrides: Vec<(String, String)>,
}

impl Postfix {
    fn set(&self, name: &str) -> Option<&str> {
        self.set.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn effective(&self, name: &str) -> &str {
        self.effective.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    fn overridden(&self, service: &str, name: &str) -> Option<&str> {
        let key = format!("{service}/{name}");
        self.overrides.iter().find(|(known, _)| *known == key).map(|(_, value)| value.as_str())
    }

    /// Services that run a program: `name/type`, and whether they run in a chroot.
    fn running<'a>(&'a self, program: &'a str) -> impl Iterator<Item = (String, bool)> + 'a {
        self.services.iter().filter_map(move |fields| {
            let [name, kind, _, _, chroot, _, _, command, ..] = fields.as_slice() else { return None };
            // `-` means no since compatibility level 1, and yes before.
            let old = self.effective("compatibility_level").trim() == "0";
            let chroot = chroot == "y" || (chroot == "-" && old);
            (command == program).then(|| (format!("{name}/{kind}"), chroot))
        })
    }
}

/// Parameters whose effective value is looked at.
pub(super) const EFFECTIVE: [&str; 12] = [
    "smtpd_milters",
    "non_smtpd_milters",
    "milter_default_action",
    "milter_protocol",
    "internal_mail_filter_classes",
    "enable_long_queue_ids",
    "allow_percent_hack",
    "swap_bangpath",
    "smtp_tls_loglevel",
    "content_filter",
    "queue_directory",
    "compatibility_level",
];

impl Plan {
    /// The changes for this Postfix; a sentence where there is no way.
    pub(super) fn new(postfix: &Postfix, config: &Config) -> Result<Self, String> {
        let address = milter(postfix, config)?;
        let mut plan = Self::default();
        let others =
            split(postfix.effective("smtpd_milters")).into_iter().any(|milter| !is(&milter, &address));
        let own = plan.own_milter(postfix, &address, others);
        for name in ["smtpd_milters", "non_smtpd_milters"] {
            plan.append(postfix, name, &address, &own);
        }
        plan.classes(postfix);
        let wanted =
            [("enable_long_queue_ids", "yes"), ("allow_percent_hack", "no"), ("swap_bangpath", "no")];
        for (name, value) in wanted {
            if postfix.effective(name) != value {
                plan.main(postfix, name, value);
            }
        }
        // Without it, the log that is followed does not tell with which TLS mail was delivered.
        if config.mail_log.is_some() && postfix.effective("smtp_tls_loglevel") == "0" {
            plan.main(postfix, "smtp_tls_loglevel", "1");
        }
        plan.services(postfix, config.smtp.as_ref().map(|smtp| smtp.submit), &address, &own);
        if others {
            plan.notes.push(ORDER.to_owned());
        }
        if config.smtp.is_none() {
            plan.notes.push(
                "the config has no [smtp], so no notice port is added: nobody gets a receipt or a notice"
                    .to_owned(),
            );
        }
        Ok(plan)
    }

    fn main(&mut self, postfix: &Postfix, name: &str, value: &str) {
        let before = postfix.set(name).map(str::to_owned);
        self.changes.push(Change::Main { name: name.to_owned(), before, value: value.to_owned() });
    }

    fn option(&mut self, postfix: &Postfix, service: &str, name: &str, value: &str) {
        let before = postfix.overridden(service, name).map(str::to_owned);
        let key = format!("{service}/{name}");
        self.changes.push(Change::Override { key, before, value: value.to_owned() });
    }

    /// The milter as `smtpd_milters` names it. Mail waits while the milter is away (`tempfail`); where other milters
    /// rely on another setting, this one has its own.
    fn own_milter(&mut self, postfix: &Postfix, address: &str, others: bool) -> String {
        let mut own = String::new();
        for (name, short, wanted) in
            [("milter_default_action", "default_action", "tempfail"), ("milter_protocol", "protocol", "6")]
        {
            if postfix.effective(name) == wanted
                && (name != "milter_default_action" || postfix.set(name).is_some())
            {
                continue;
            }
            if others && postfix.set(name).is_some() {
                let _ = write!(own, ",{short}={wanted}");
            } else {
                self.main(postfix, name, wanted);
            }
        }
        if own.is_empty() { address.to_owned() } else { format!("{{{address}{own}}}") }
    }

    /// Puts the milter behind those that are there.
    fn append(&mut self, postfix: &Postfix, name: &str, address: &str, own: &str) {
        if split(postfix.effective(name)).iter().any(|milter| is(milter, address)) {
            return;
        }
        let value = match postfix.set(name).map(str::trim).filter(|value| !value.is_empty()) {
            Some(value) => format!("{value}, {own}"),
            None => own.to_owned(),
        };
        self.main(postfix, name, &value);
    }

    /// Bounces and notices of Postfix's own are logged too.
    fn classes(&mut self, postfix: &Postfix) {
        let mut classes = split(postfix.effective("internal_mail_filter_classes"));
        let missing: Vec<&str> = ["bounce", "notify"]
            .into_iter()
            .filter(|class| !classes.iter().any(|known| known == class))
            .collect();
        if !missing.is_empty() {
            classes.extend(missing.into_iter().map(str::to_owned));
            self.main(postfix, "internal_mail_filter_classes", &classes.join(", "));
        }
    }

    /// The notice port, the ports on which mail comes back from a content filter, and services with milters of their
    /// own.
    fn services(&mut self, postfix: &Postfix, submit: Option<SocketAddr>, address: &str, own: &str) {
        let mut has_port = false;
        let filtered = !postfix.effective("content_filter").is_empty()
            || postfix
                .overrides
                .iter()
                .any(|(key, value)| key.ends_with("/content_filter") && !value.is_empty());
        let mut comes_back = false;
        for (service, _) in postfix.running("smtpd") {
            let is_notice_port = submit.is_some_and(|submit| listens(&service, submit));
            let returns = filtered && postfix.overridden(&service, "content_filter") == Some("");
            has_port |= is_notice_port;
            comes_back |= returns;
            let skips = postfix
                .overridden(&service, "receive_override_options")
                .is_some_and(|options| split(options).iter().any(|option| option == "no_milters"));
            match postfix.overridden(&service, "smtpd_milters").map(str::trim) {
                None if (is_notice_port || returns) && !skips => {
                    self.option(postfix, &service, "smtpd_milters", "");
                }
                Some(milters) if is_notice_port && !milters.is_empty() => {
                    self.option(postfix, &service, "smtpd_milters", "");
                }
                Some("") if !is_notice_port && !returns => self.notes.push(format!(
                    "{service} has `smtpd_milters=` of its own: mail that comes in there is neither checked nor logged"
                )),
                Some(milters)
                    if !is_notice_port
                        && !milters.is_empty()
                        && !milters.contains('$')
                        && !split(milters).iter().any(|milter| is(milter, address)) =>
                {
                    self.option(postfix, &service, "smtpd_milters", &format!("{milters},{own}").replace(' ', ""));
                }
                _ => {}
            }
        }
        if filtered && !comes_back {
            self.notes.push(
                "mail goes through a content filter, and no smtpd has `content_filter=` of its own, by which the one \
                 that takes it back is known. Give that smtpd `-o smtpd_milters=`, or each mail has a second record, `second-pass`"
                    .to_owned(),
            );
        }
        if let (Some(submit), false) = (submit, has_port) {
            self.notice_port(postfix, submit);
        }
    }

    /// An smtpd that takes receipts and notices, from this host alone, and asks no milter about them.
    fn notice_port(&mut self, postfix: &Postfix, submit: SocketAddr) {
        let key = format!("{submit}/inet");
        self.changes
            .push(Change::Service { key: key.clone(), line: format!("{submit} inet n - n - - smtpd") });
        for (name, value) in [
            ("syslog_name", "postfix/postvakt"),
            ("smtpd_milters", ""),
            ("content_filter", ""),
            ("mynetworks", "127.0.0.0/8,[::1]/128"),
            ("smtpd_client_restrictions", "permit_mynetworks,reject"),
            ("smtpd_relay_restrictions", "permit_mynetworks,reject"),
            ("smtpd_recipient_restrictions", "permit_mynetworks,reject"),
        ] {
            self.option(postfix, &key, name, value);
        }
    }
}

/// What the order of milters means.
const ORDER: &str = "there are other milters, and Postvakt comes last: it sees the fields that rspamd adds, OpenDKIM and \
                     OpenDMARC check a mail before Postvakt tags its subject, and a signature that OpenDKIM puts on \
                     outbound mail covers the subject as it was before. amavis as a milter stands before Postvakt too";

/// The address under which Postfix reaches the milter.
fn milter(postfix: &Postfix, config: &Config) -> Result<String, String> {
    let listen = config.server.listen.iter().filter(|listen| listen.direction.is_none());
    let mut addresses: Vec<&ListenAddress> = listen.map(|listen| &listen.address).collect();
    if addresses.is_empty() {
        return Err(
            "server.listen has no socket for both directions; Postfix' smtpd_milters needs one".to_owned()
        );
    }
    // TCP works in a chroot and without one, so it goes first.
    addresses.sort_by_key(|address| matches!(address, ListenAddress::Unix(_)));
    match addresses.first() {
        Some(ListenAddress::Unix(path)) => unix(postfix, path),
        Some(address) => Ok(address.to_string()),
        None => Err("server.listen is empty".to_owned()),
    }
}

/// A Unix socket. A path below Postfix's queue directory is reached from inside a chroot and from outside; any other
/// only from outside.
fn unix(postfix: &Postfix, path: &Path) -> Result<String, String> {
    let queue = postfix.effective("queue_directory");
    if let Ok(below) = path.strip_prefix(queue) {
        return Ok(format!("unix:{}", below.display()));
    }
    let confined: Vec<String> = ["smtpd", "cleanup"]
        .into_iter()
        .flat_map(|program| postfix.running(program))
        .filter_map(|(service, chroot)| chroot.then_some(service))
        .collect();
    if confined.is_empty() {
        return Ok(format!("unix:{}", path.display()));
    }
    Err(format!(
        "{} of Postfix run in a chroot, from which unix:{} cannot be reached; let server.listen name \
         inet:127.0.0.1:8891 or unix:{queue}/postvakt/milter.sock",
        confined.join(", "),
        path.display(),
    ))
}

/// Whether an item of `smtpd_milters` names this address, in braces with options or without.
pub(super) fn is(item: &str, address: &str) -> bool {
    let item = item.trim_start_matches(['{', ' ', '\t']);
    item.strip_prefix(address).is_some_and(|rest| rest.is_empty() || rest.starts_with([',', ' ', '\t', '}']))
}

/// Whether a service listens where notices are handed over.
fn listens(service: &str, submit: SocketAddr) -> bool {
    let Some(name) = service.strip_suffix("/inet") else { return false };
    let (host, port) = name.rsplit_once(':').unwrap_or(("", name));
    let host = host.trim_matches(['[', ']']);
    let all = host.is_empty() || (host == "localhost" && submit.ip().is_loopback());
    port == submit.port().to_string() && (all || host.parse() == Ok(submit.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_compared_as_a_whole() {
        assert!(is("inet:127.0.0.1:8891", "inet:127.0.0.1:8891"));
        assert!(is("{ inet:127.0.0.1:8891, default_action=tempfail }", "inet:127.0.0.1:8891"));
        assert!(is("{inet:127.0.0.1:8891}", "inet:127.0.0.1:8891"));
        assert!(!is("inet:127.0.0.1:88911", "inet:127.0.0.1:8891"));
        assert!(!is("inet:127.0.0.1:889", "inet:127.0.0.1:8891"));
    }

    #[test]
    fn where_a_service_listens() {
        let submit = "127.0.0.1:10026".parse().unwrap();
        for service in
            ["127.0.0.1:10026/inet", "localhost:10026/inet", "10026/inet", "[127.0.0.1]:10026/inet"]
        {
            assert!(listens(service, submit), "{service}");
        }
        for service in ["10.0.0.1:10026/inet", "127.0.0.1:10025/inet", "smtp/inet", "10026/unix"] {
            assert!(!listens(service, submit), "{service}");
        }
        assert!(listens("[::1]:10026/inet", "[::1]:10026".parse().unwrap()));
    }
}

//! `[groups.<name>.ldap]`: the members of a group as an LDAP directory, such as Active Directory, knows them.

#![deny(clippy::disallowed_methods)]

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::limits;
use crate::settings::problem::Fault;
use crate::settings::{Settings, Value, parse};

/// A group whose members a directory knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryGroup {
    /// The group's name.
    pub name: Arc<str>,
    /// The servers, each asked where the one before does not answer: `ldaps://dc1.exempelby.se:636`.
    pub servers: Vec<String>,
    /// Whether a connection to `ldap://` is encrypted before anything is said.
    pub start_tls: bool,
    /// The certificates that vouch for the servers; absent for those of the system.
    pub ca_file: Option<PathBuf>,
    /// As whom it is asked; anonymously where this is absent.
    pub bind: Option<Bind>,
    /// Where the search begins.
    pub base: String,
    /// Who is a member.
    pub filter: String,
    /// The attributes that have their addresses.
    pub attributes: Vec<String>,
    /// How old the members may be until they are asked for again.
    pub refresh: Duration,
    /// How old they may be where the directory does not answer.
    pub keep: Duration,
    /// How long a mail waits, where no members are known.
    pub deadline: Duration,
}

/// As whom a directory is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// The name.
    pub dn: String,
    /// The file with the password.
    pub password_file: PathBuf,
}

/// The group in the table.
pub(super) fn directory(section: &mut Settings<'_>, name: &str) -> Option<DirectoryGroup> {
    let right = "write servers = [\"ldaps://dc1.exempelby.se\"]";
    let servers: Vec<String> = section
        .required_list("servers", right)
        .unwrap_or_default()
        .iter()
        .filter_map(|value| section.accept("servers", value.at, server(value)))
        .collect();
    let start_tls = section.optional("start_tls", parse::flag);
    let is_open = |server: &String| server.starts_with("ldap://") && !is_loopback(server);
    if let (Some(false), Some(server)) = (start_tls, servers.iter().find(|server| is_open(server))) {
        let at = section.value("start_tls").map_or(0, |value| value.at);
        let problem = format!("{server} would be asked without encryption, and anybody between could answer");
        section.wrong("start_tls", at, Fault::new(problem, "write ldaps://, or remove start_tls = false"));
    }
    let ca_file = section.optional("ca_file", parse::absolute);
    let text = |value: &Value| parse::text(value).map(str::to_owned);
    let (dn, password_file) =
        (section.optional("bind_dn", text), section.optional("password_file", parse::absolute));
    let bind = match (dn, password_file) {
        (Some(dn), Some(password_file)) => Some(Bind { dn, password_file }),
        (None, None) => None,
        (Some(_), None) => {
            missing_beside(section, "bind_dn", "requires password_file");
            None
        }
        (None, Some(_)) => {
            missing_beside(section, "password_file", "requires bind_dn");
            None
        }
    };
    let base = section.required("base", "write base = \"DC=exempelby,DC=se\"", text);
    let right = "write filter = \"(memberOf=CN=HR,OU=Grupper,DC=exempelby,DC=se)\"";
    let filter = section.required("filter", right, filter);
    let attributes = section.required_list("attributes", "write attributes = [\"mail\"]").unwrap_or_default();
    let attributes: Vec<String> = attributes
        .iter()
        .filter_map(|value| section.accept("attributes", value.at, attribute(value)))
        .collect();
    let refresh = section.optional("refresh", parse::duration_up_to(limits::DIRECTORY_KEEP));
    let keep = section.optional("keep", parse::duration_up_to(limits::DIRECTORY_KEEP));
    let deadline = section.optional("deadline", parse::duration_up_to(limits::DIRECTORY_WAIT));
    if let (Some(refresh), Some(keep)) = (refresh, keep)
        && keep < refresh
    {
        let at = section.value("keep").map_or(0, |value| value.at);
        let fault = Fault::new(
            format!("{} s is shorter than refresh, {} s", keep.as_secs(), refresh.as_secs()),
            "write a keep that is at least as long",
        );
        section.wrong("keep", at, fault);
    }
    Some(DirectoryGroup {
        name: name.into(),
        servers,
        start_tls: start_tls?,
        ca_file,
        bind,
        base: base?,
        filter: filter?,
        attributes,
        refresh: refresh?,
        keep: keep?,
        deadline: deadline?,
    })
}

fn missing_beside(section: &mut Settings<'_>, key: &'static str, problem: &str) {
    let at = section.value(key).map_or(0, |value| value.at);
    section.wrong(key, at, Fault::new(problem, "write both, or neither to ask anonymously"));
}

/// `ldaps://host`, `ldap://host:port`.
fn server(value: &Value) -> Result<String, Fault> {
    let given = parse::text(value)?;
    let wrong = |problem: &str| {
        let problem = format!("{} {problem}", parse::shown(given));
        Err(Fault::new(problem, "write it as ldaps://dc1.exempelby.se, with :port behind it if needed"))
    };
    let Some(rest) = given.strip_prefix("ldaps://").or_else(|| given.strip_prefix("ldap://")) else {
        return wrong("is not the address of an LDAP server");
    };
    let (host, port) = split(rest.trim_end_matches('/'));
    if host.is_empty() || !(parse::is_domain(host) || host.parse::<IpAddr>().is_ok()) {
        return wrong("has no host");
    }
    if port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0)) {
        return Ok(given.trim_end_matches('/').to_owned());
    }
    wrong("has no port from 1 to 65535")
}

/// Host, without the brackets of IPv6, and port.
fn split(rest: &str) -> (&str, Option<&str>) {
    match rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':').or(Some(port).filter(|port| !port.is_empty()))),
        None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
    }
}

fn is_loopback(server: &str) -> bool {
    let (host, _) = split(server.trim_start_matches("ldap://"));
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A filter as RFC 4515 writes it; the directory reads the rest.
fn filter(value: &Value) -> Result<String, Fault> {
    let given = parse::text(value)?.trim();
    let mut depth = 0_usize;
    let mut whole = given.starts_with('(');
    for (at, c) in given.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => {
                whole &= depth > 0 && (depth > 1 || at + 1 == given.len());
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
    }
    if whole && depth == 0 && given.contains('=') {
        return Ok(given.to_owned());
    }
    let problem = format!("{} is not an LDAP filter", parse::shown(given));
    Err(Fault::new(problem, "write it in parentheses, such as \"(memberOf=CN=HR,DC=exempelby,DC=se)\""))
}

fn attribute(value: &Value) -> Result<String, Fault> {
    let given = parse::text(value)?;
    if given.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b';' || b == b'.') {
        return Ok(given.to_owned());
    }
    let problem = format!("{} is not the name of an attribute", parse::shown(given));
    Err(Fault::new(problem, "write it as \"mail\""))
}

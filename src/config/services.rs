//! The services that check inbound mail: DNS, scanners, filters in front of this gateway, and OCR.

#![deny(clippy::disallowed_methods)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::MailLog;
use crate::address::DomainPattern;
use crate::limits;
use crate::settings::problem::Fault;
use crate::settings::{Settings, Value, parse};

/// `[dns]`: the resolvers for SPF, DKIM, DMARC and ARC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dns {
    /// Resolvers; none for those of the system.
    pub servers: Vec<SocketAddr>,
}

/// `[scanners]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scanners {
    /// rspamd's normal worker.
    pub rspamd: Option<Scanner>,
    /// SpamAssassin's spamd.
    pub spamassassin: Option<Scanner>,
    /// ClamAV's clamd.
    pub clamav: Option<Scanner>,
}

/// One scanner.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scanner {
    /// Where it listens.
    pub address: Endpoint,
    /// Until it is no longer waited for.
    pub deadline: Duration,
    /// Octets of the largest message that it is shown.
    pub size_at_most: u64,
}

/// Where a scanner listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A TCP port.
    Inet(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Inet(address) => write!(f, "inet:{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// `[ocr]`: the programs that recognise text in pictures.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ocr {
    /// tesseract.
    pub tesseract: PathBuf,
    /// pdftoppm of poppler-utils, which makes pictures of pages.
    pub pdftoppm: PathBuf,
    /// The languages that tesseract knows the text by.
    pub languages: String,
}

/// `[ocr]`.
pub(super) fn ocr(section: &mut Settings<'_>) -> Option<Ocr> {
    let right = "write tesseract = \"/usr/bin/tesseract\"";
    let tesseract = section.required("tesseract", right, program);
    let pdftoppm = section.optional("pdftoppm", program);
    let languages = section.optional("languages", |value| {
        let given = parse::text(value)?;
        let is_name =
            |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if given.len() <= limits::OCR_LANGUAGES_OCTETS && given.split('+').all(is_name) {
            return Ok(given.to_owned());
        }
        let problem = format!("{} is not a list of languages", parse::shown(given));
        Err(Fault::new(problem, "write it as tesseract has it, \"swe+eng\""))
    });
    Some(Ocr { tesseract: tesseract?, pdftoppm: pdftoppm?, languages: languages? })
}

fn program(value: &Value) -> Result<PathBuf, Fault> {
    let given = parse::text(value)?;
    if given.starts_with('/') {
        return Ok(given.into());
    }
    let problem = format!("{} is not the whole path of a program", parse::shown(given));
    Err(Fault::new(problem, "write it as \"/usr/bin/tesseract\""))
}

/// `[postfix]`.
pub(super) fn postfix(section: &mut Settings<'_>) -> Option<MailLog> {
    section.required("log", "write log = \"/var/log/mail.log\", or log = \"journal\"", |value| {
        let given = parse::text(value)?;
        match given {
            "journal" => Ok(MailLog::Journal),
            path if path.starts_with('/') && !path.ends_with('/') => Ok(MailLog::File(path.into())),
            _ => {
                let problem =
                    format!("{} is neither the absolute path of a file nor journal", parse::shown(given));
                Err(Fault::new(problem, "write \"/var/log/mail.log\", or \"journal\""))
            }
        }
    })
}

/// `[dns]`.
pub(super) fn dns(section: &mut Settings<'_>) -> Dns {
    let mut servers = Vec::new();
    for value in section.required_list("servers", "write servers = [\"127.0.0.1:53\"]").unwrap_or_default() {
        servers.extend(section.accept("servers", value.at, server(value)));
    }
    Dns { servers }
}

/// A resolver's address; its port is 53 where none is written.
fn server(value: &Value) -> Result<SocketAddr, Fault> {
    match parse::text(value)?.parse::<std::net::IpAddr>() {
        Ok(address) => Ok(SocketAddr::new(address, 53)),
        Err(_) => parse::socket(value, "127.0.0.1:53"),
    }
}

/// `[authentication]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Authentication {
    /// The name under which this gateway states what it checked.
    pub(super) authserv_id: Option<String>,
    /// The domains whose seals are believed.
    pub(super) trusted_sealers: Vec<DomainPattern>,
}

/// `[authentication]`.
pub(super) fn authentication(section: &mut Settings<'_>) -> Authentication {
    let authserv_id = authserv_id(section);
    let mut trusted_sealers = Vec::new();
    for value in section.list("trusted_sealers").unwrap_or_default() {
        trusted_sealers.extend(section.accept("trusted_sealers", value.at, sealer(value)));
    }
    Authentication { authserv_id, trusted_sealers }
}

fn sealer(value: &Value) -> Result<DomainPattern, Fault> {
    let given = parse::text(value)?;
    DomainPattern::parse(given)
        .map_err(|wrong| Fault::new(format!("{} is {wrong}", parse::shown(given)), "write lists.example.org"))
}

fn authserv_id(section: &mut Settings<'_>) -> Option<String> {
    section.optional("authserv_id", |value| {
        let given = parse::text(value)?;
        let id = given.to_ascii_lowercase();
        if parse::is_domain(&id) {
            return Ok(id);
        }
        let problem = format!("{} is not a host name", parse::shown(given));
        Err(Fault::new(problem, "write it as \"mx.exempelby.se\""))
    })
}

/// `[scanners]`, and the networks of filters that mail passes before it comes here.
pub(super) fn scanners(section: &mut Settings<'_>, inside: &[IpNet]) -> (Scanners, Vec<IpNet>) {
    let rspamd = section.table("rspamd", |s| scanner(s, Kind::Rspamd)).flatten();
    let spamassassin = section.table("spamassassin", |s| scanner(s, Kind::SpamAssassin)).flatten();
    let clamav = section.table("clamav", |s| scanner(s, Kind::ClamAv)).flatten();
    let upstream = section.table("upstream", |section| upstream(section, inside)).unwrap_or_default();
    (Scanners { rspamd, spamassassin, clamav }, upstream)
}

#[derive(Clone, Copy)]
enum Kind {
    Rspamd,
    SpamAssassin,
    ClamAv,
}

fn scanner(section: &mut Settings<'_>, kind: Kind) -> Option<Scanner> {
    let right = match kind {
        Kind::Rspamd => "write address = \"127.0.0.1:11333\"",
        Kind::SpamAssassin => "write address = \"127.0.0.1:783\"",
        Kind::ClamAv => "write address = \"unix:/run/clamav/clamd.ctl\"",
    };
    let example = match kind {
        Kind::Rspamd => "127.0.0.1:11333",
        Kind::SpamAssassin => "127.0.0.1:783",
        Kind::ClamAv => "127.0.0.1:3310",
    };
    let address = section.required("address", right, |value| endpoint(value, example));
    let deadline = section.optional("deadline", parse::duration_up_to(limits::SCAN_TIME_AT_MOST));
    let size_at_most = section.optional("size_at_most", |value| {
        let size = parse::size(value)?;
        let most = limits::MESSAGE_OCTETS as u64;
        if (1..=most).contains(&size) {
            return Ok(size);
        }
        let problem = format!("{size} bytes is out of range (1 to {most})");
        Err(Fault::new(problem, "write the scanner's own limit, such as \"25 MB\""))
    });
    Some(Scanner { address: address?, deadline: deadline?, size_at_most: size_at_most? })
}

fn endpoint(value: &Value, example: &str) -> Result<Endpoint, Fault> {
    let given = parse::text(value)?;
    match given.strip_prefix("unix:") {
        Some(path) if path.starts_with('/') && path.len() <= limits::SOCKET_PATH_OCTETS => {
            Ok(Endpoint::Unix(path.into()))
        }
        Some(path) => {
            let problem = format!("{} is not the absolute path of a socket", parse::shown(path));
            Err(Fault::new(problem, "write it as \"unix:/run/clamav/clamd.ctl\""))
        }
        None => parse::socket(value, example).map(Endpoint::Inet),
    }
}

/// The filter's hosts. Where they stand inside, that is said: everybody whose mail has their address counts as they do.
fn upstream(section: &mut Settings<'_>, inside: &[IpNet]) -> Vec<IpNet> {
    let mut clients = Vec::new();
    let right = "write clients = [\"192.0.2.25/32\"], the hosts of the filter";
    for value in section.required_list("clients", right).unwrap_or_default() {
        let Some(client) = section.accept("clients", value.at, parse::network(value)) else { continue };
        let so = "X-Spam fields would be believed whoever sends them";
        if let Some(fault) = parse::whole_internet(&client, so, "list only the hosts of your own filter") {
            section.warn("clients", value.at, fault);
            clients.push(client);
            continue;
        }
        let overlaps = |network: &&IpNet| network.contains(&client) || client.contains(*network);
        if let Some(network) = inside.iter().find(overlaps) {
            let problem = format!(
                "{client} is also in organisation.internal_networks ({network}): its mail to people inside is \
                 inbound, and its mail to people outside is outbound"
            );
            section.warn(
                "clients",
                value.at,
                Fault::new(problem, "list only the filter's hosts, and no hosts that send your users' mail"),
            );
        }
        clients.push(client);
    }
    clients
}

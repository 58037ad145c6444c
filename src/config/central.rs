//! `[central]`: the PostgreSQL to which every gateway sends its log, and as whom this host writes or reads there.

#![deny(clippy::disallowed_methods)]

use std::net::IpAddr;
use std::path::PathBuf;

use crate::settings::problem::Fault;
use crate::settings::{Settings, Value, parse};

/// `[central]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Central {
    /// The database.
    pub database: Database,
    /// The certificates that vouch for its servers; absent for those of the system.
    pub ca_file: Option<PathBuf>,
    /// As whom this gateway writes; absent on a host that only reads.
    pub writer: Option<Login>,
    /// As whom this host reads; absent on a host that may not.
    pub reader: Option<Login>,
}

/// A login of PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Its name.
    pub name: String,
    /// The file with its password; absent where PostgreSQL knows it otherwise, as by the user of a Unix socket.
    pub password_file: Option<PathBuf>,
}

/// A database on one server, or on the first one of several that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// The servers, in the order in which they are tried.
    pub servers: Vec<Server>,
    /// The name of the database.
    pub name: String,
    /// A user, which only the administrator's URL has.
    pub user: Option<String>,
    /// Whether a standby, which takes no writes, will do.
    pub standby: bool,
    /// Whether loopback connections are encrypted too. Others are in any case.
    pub always_tls: bool,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// A host name, an address, or the directory of a Unix socket.
    pub host: String,
    /// The port, of which a socket has one too.
    pub port: u16,
}

impl Server {
    /// Whether that is the directory of a Unix socket.
    pub fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }

    /// Whether nobody else is between.
    pub fn is_local(&self) -> bool {
        let loopback = || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        self.is_socket() || self.host == "localhost" || loopback()
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// What stands for the node's name in a login, so that nodes can have the same config.
const NODE: &str = "{node}";

/// `[central]` of a node. `None` only after a problem.
pub(super) fn central(section: &mut Settings<'_>, node: &str) -> Option<Central> {
    if !cfg!(feature = "central") {
        let right = "install a package that has it, or remove the table";
        section.wrong_here(Fault::new("this program was built without the feature `central`", right));
    }
    let right = "write url = \"postgresql://db1.exempelby.se,db2.exempelby.se/postvakt\"";
    let database = section.required("url", right, |value| {
        let database = database(parse::text(value)?)?;
        match &database.user {
            None => Ok(database),
            Some(user) => {
                Err(Fault::new("names a user", format!("remove {user}@, and write login = \"{user}\"")))
            }
        }
    });
    let ca_file = section.optional("ca_file", parse::absolute);
    let writer = login(section, node, "login", "password_file");
    let reader = login(section, node, "reader_login", "reader_password_file");
    if writer.is_none() && reader.is_none() {
        let right = "write login with password_file on a gateway, reader_login on a host that may read";
        section.warn_here(Fault::new("this host neither writes nor reads", right));
    }
    Some(Central { database: database?, ca_file, writer, reader })
}

fn login(
    section: &mut Settings<'_>,
    node: &str,
    name: &'static str,
    password: &'static str,
) -> Option<Login> {
    let text = |value: &Value| {
        let given = parse::text(value)?;
        let login = given.replace(NODE, node);
        if is_name(&login) {
            return Ok(login);
        }
        let right = "write letters, digits, `_`, `-` and `.`, such as \"postvakt_{node}\"";
        Err(Fault::new(format!("{} is no name of a login", parse::shown(given)), right))
    };
    let found = section.optional(name, text);
    let password_file = section.optional(password, parse::absolute);
    if found.is_none()
        && let (Some(_), Some(value)) = (&password_file, section.value(password))
    {
        section.wrong(password, value.at, Fault::new(format!("requires {name}"), "write both, or neither"));
    }
    found.map(|name| Login { name, password_file })
}

/// The database that a URL names: `postgresql://host1:5432,host2/name?target_session_attrs=any`.
pub fn database(given: &str) -> Result<Database, Fault> {
    let right = "write it as postgresql://db1.exempelby.se,db2.exempelby.se/postvakt";
    let wrong = |problem: &str| Fault::new(format!("{} {problem}", parse::shown(given)), right);
    let Some(rest) = given.strip_prefix("postgresql://").or_else(|| given.strip_prefix("postgres://")) else {
        return Err(Fault::new("is no URL of PostgreSQL", right));
    };
    let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
    let (place, name) = place.split_once('/').ok_or_else(|| wrong("names no database"))?;
    let (user, hosts) = place.rsplit_once('@').map_or((None, place), |(user, hosts)| (Some(user), hosts));
    if user.is_some_and(|user| user.contains(':')) {
        // Not shown: it is a password.
        return Err(Fault::new("has a password in it", "write the password into a file of its own"));
    }
    if !is_name(name) || user.is_some_and(|user| !is_name(user)) {
        return Err(wrong("has a name with other characters than letters, digits, `_`, `-` and `.`"));
    }
    let (name, user) = (name.to_owned(), user.map(str::to_owned));
    let mut found = Database { servers: Vec::new(), name, user, standby: false, always_tls: false };
    let mut hosts = hosts.to_owned();
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=').unwrap_or((option, "")) {
            ("target_session_attrs", "read-write") => found.standby = false,
            ("target_session_attrs", "any") => found.standby = true,
            ("sslmode", "verify-full") => found.always_tls = true,
            ("sslmode", mode) => {
                let problem = format!("has sslmode={mode}, by which anybody between could read or answer");
                return Err(Fault::new(problem, "remove sslmode: it is verify-full"));
            }
            ("host", directory) if directory.starts_with('/') && hosts.is_empty() => {
                directory.clone_into(&mut hosts);
            }
            (key, _) => {
                let problem = format!("has the option {key}, which is not known here");
                return Err(Fault::new(problem, "write target_session_attrs, or host with a directory"));
            }
        }
    }
    for host in hosts.split(',') {
        found.servers.push(server(host).ok_or_else(|| wrong("has no host, or no port from 1 to 65535"))?);
    }
    Ok(found)
}

/// `host`, `host:port`, `[address]:port`, or the directory of a socket, also as `%2Frun%2Fpostgresql`.
fn server(given: &str) -> Option<Server> {
    let given = given.replace("%2F", "/").replace("%2f", "/");
    let (host, port) = match given.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':').or((!port.is_empty()).then_some(port))),
        None => given.split_once(':').map_or((&*given, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Some(5432), |port| port.parse::<u16>().ok().filter(|port| *port > 0))?;
    let known = host.starts_with('/') || parse::is_domain(host) || host == "localhost";
    let known = known || host.parse::<IpAddr>().is_ok();
    known.then(|| Server { host: host.to_owned(), port })
}

/// Whether that may be the name of a login or a database; it needs no escaping in SQL, in quotes.
pub fn is_name(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    (1..=63).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_servers_in_their_order() {
        let shown = |url: &str| {
            let found = database(url).unwrap();
            let servers: Vec<String> = found.servers.iter().map(ToString::to_string).collect();
            (servers.join(" "), found.name, found.standby, found.always_tls)
        };
        let plain = |servers: &str| (servers.to_owned(), "postvakt".to_owned(), false, false);
        assert_eq!(shown("postgresql://db1.exempelby.se/postvakt"), plain("db1.exempelby.se:5432"));
        assert_eq!(
            shown("postgresql://db1.exempelby.se:6432,[2001:db8::1]:5433/postvakt"),
            plain("db1.exempelby.se:6432 [2001:db8::1]:5433")
        );
        assert_eq!(shown("postgresql:///postvakt?host=/run/postgresql"), plain("/run/postgresql:5432"));
        assert_eq!(shown("postgres://%2Frun%2Fpostgresql:5433/postvakt"), plain("/run/postgresql:5433"));
        let (_, _, standby, tls) =
            shown("postgresql://127.0.0.1/postvakt?target_session_attrs=any&sslmode=verify-full");
        assert!(standby && tls);
        assert_eq!(database("postgresql://anna@localhost/postvakt").unwrap().user.as_deref(), Some("anna"));
        let local = |url: &str| database(url).unwrap().servers[0].is_local();
        assert!(local("postgresql://127.0.0.2/p") && local("postgresql://[::1]/p"));
        assert!(local("postgresql:///p?host=/run/postgresql") && !local("postgresql://db1.exempelby.se/p"));
    }

    #[test]
    fn other_urls_are_refused() {
        for url in [
            "mysql://db1/postvakt",
            "postgresql://db1.exempelby.se",
            "postgresql://db1.exempelby.se/",
            "postgresql:///postvakt",
            "postgresql://anna:hemligt@db1.exempelby.se/postvakt",
            "postgresql://db1.exempelby.se:0/postvakt",
            "postgresql://db1.exempelby.se,/postvakt",
            "postgresql://db1.exempelby.se/postvakt?sslmode=require",
            "postgresql://db1.exempelby.se/postvakt?sslmode=disable",
            "postgresql://db1.exempelby.se/postvakt?options=-c",
            "postgresql://db1.exempelby.se/post vakt",
        ] {
            assert!(database(url).is_err(), "{url}");
        }
        let fault = format!("{:?}", database("postgresql://anna:hemligt@db1.exempelby.se/postvakt"));
        assert!(!fault.contains("hemligt"), "{fault}");
    }
}

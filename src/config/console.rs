//! `[console]`: where the web console listens, who signs in, and as what.

#![deny(clippy::disallowed_methods)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::address::Address;
use crate::limits;
use crate::settings::problem::Fault;
use crate::settings::{Settings, Value, parse};
use crate::text::words;

words! {
    /// As what somebody uses the console.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Role {
        /// Finds single mails for operation.
        Reader = "reader",
        /// Reads the log by decisions and requests, and registers them.
        Reviewer = "reviewer",
        /// Sees the mail, the receipts and the held mail of mailboxes of their own.
        Registrar = "registrar",
        /// Acts on held mail, and looks after the rules.
        MailAdmin = "mail-admin",
        /// Approves what others proposed.
        Approver = "approver",
        /// Runs retention.
        Archivist = "archivist",
        /// Sees who has read the log: an auditor, a data protection officer.
        Insight = "insight",
    }
}

/// `[console]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// Where it listens.
    pub listen: ConsoleListen,
    /// The scheme, host and port that browsers have in the address line.
    pub origin: String,
    /// Where its metrics are served.
    pub metrics: Option<SocketAddr>,
    /// A session without a request ends after this long.
    pub idle: Duration,
    /// Every session ends after this long.
    pub longest: Duration,
    /// The provider that signs people in.
    pub openid: Option<OpenId>,
    /// The header fields in which a reverse proxy says who it is.
    pub proxy: Option<Proxy>,
    /// Who has which role.
    pub roles: Vec<Grant>,
}

/// Where the console listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsoleListen {
    /// A Unix socket, for a reverse proxy.
    Unix(PathBuf),
    /// A port of this host.
    Loopback(SocketAddr),
}

/// `[console.openid]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenId {
    /// The issuer, below which its configuration is.
    pub issuer: String,
    /// The name of this client there.
    pub client_id: String,
    /// The file with the client's secret.
    pub client_secret_file: PathBuf,
    /// The certificates that vouch for the provider; absent for those of the system.
    pub ca_file: Option<PathBuf>,
    /// What stands on the button.
    pub name: String,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// The claim that names the person for ever.
    pub subject_claim: String,
    /// The claim with their name.
    pub name_claim: String,
    /// The claim with what gives roles.
    pub role_claim: String,
}

/// `[console.proxy]`: header fields that a reverse proxy sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Who it is.
    pub subject: String,
    /// Their name.
    pub name: String,
    /// What gives roles, between commas or semicolons.
    pub roles: String,
}

/// `[[console.roles]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whoever has this value in the claim, or in the header field,
    pub value: String,
    /// has this role,
    pub role: Role,
    /// for these mailboxes.
    pub mailboxes: Vec<Address>,
}

/// `[console]`.
pub(super) fn console(section: &mut Settings<'_>) -> Option<Console> {
    let listen = section.optional("listen", listen);
    let origin = section.required("origin", "write origin = \"https://postvakt.exempelby.se\"", origin);
    let metrics = section.optional("metrics", |value| {
        let address = parse::socket(value, "127.0.0.1:9892")?;
        if listen == Some(ConsoleListen::Loopback(address)) {
            return Err(Fault::new(
                format!("{address} is also in listen"),
                "choose another port for metrics",
            ));
        }
        Ok(address)
    });
    let idle = section.optional("idle", parse::duration_up_to(limits::CONSOLE_SESSION));
    let longest = section.optional("longest", parse::duration_up_to(limits::CONSOLE_SESSION));
    if let (Some(idle), Some(longest)) = (idle, longest)
        && longest < idle
    {
        let at = section.value("longest").map_or(0, |value| value.at);
        let problem = format!("{} s is shorter than idle, {} s", longest.as_secs(), idle.as_secs());
        section.wrong("longest", at, Fault::new(problem, "write a longest that is at least as long"));
    }
    let openid = section.table("openid", openid).flatten();
    let proxy = section.table("proxy", proxy).flatten();
    if let (Some(_), Some(ConsoleListen::Loopback(_))) = (&proxy, &listen) {
        let at = section.value("proxy").map_or(0, |value| value.at);
        let problem = "whoever reaches the port could say who they are";
        let right =
            "write listen = \"unix:/run/postvakt-console/http.sock\", which the proxy's user alone may reach";
        section.wrong("proxy", at, Fault::new(problem, right));
    }
    let mut roles: Vec<Grant> = Vec::new();
    for value in section.list("roles").unwrap_or_default() {
        roles.extend(section.nested("roles", value, grant).flatten());
    }
    if roles.is_empty() && (openid.is_some() || proxy.is_some()) {
        let right = "add [[console.roles]] with value and role";
        section.wrong_here(Fault::new("nobody who signs in has a role", right));
    }
    let (listen, origin) = (listen?, origin?);
    Some(Console { listen, origin, metrics, idle: idle?, longest: longest?, openid, proxy, roles })
}

fn listen(value: &Value) -> Result<ConsoleListen, Fault> {
    let given = parse::text(value)?;
    let right = "write unix:/run/postvakt-console/http.sock, or inet:127.0.0.1:8025";
    match given.split_once(':') {
        Some(("unix", path)) if path.starts_with('/') && !path.ends_with('/') => {
            if path.len() > limits::SOCKET_PATH_OCTETS {
                let most = limits::SOCKET_PATH_OCTETS;
                return Err(Fault::new(
                    format!("a socket path may have {most} bytes"),
                    "choose a shorter one",
                ));
            }
            Ok(ConsoleListen::Unix(PathBuf::from(path)))
        }
        Some(("inet", address)) => match parse::socket_address(address) {
            Ok(address) if address.ip().is_loopback() => Ok(ConsoleListen::Loopback(address)),
            Ok(address) => {
                let problem =
                    format!("{address} can be reached from other hosts, and the console speaks no TLS");
                Err(Fault::new(problem, "write a loopback address, and put a reverse proxy before it"))
            }
            Err(problem) => Err(Fault::new(format!("{} {problem}", parse::shown(given)), right)),
        },
        _ => Err(Fault::new(format!("{} is no address of a socket", parse::shown(given)), right)),
    }
}

/// `https://host[:port]`; `http` on this host alone.
fn origin(value: &Value) -> Result<String, Fault> {
    let given = parse::text(value)?.trim_end_matches('/');
    let right = "write https:// and the host, such as https://postvakt.exempelby.se";
    let (scheme, rest) = given.split_once("://").unwrap_or_default();
    let (host, port) = rest.rsplit_once(':').unwrap_or((rest, "443"));
    let is_host =
        host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    if host.is_empty() || !is_host || port.parse::<u16>().is_err() {
        return Err(Fault::new(format!("{} is no origin", parse::shown(given)), right));
    }
    match scheme {
        "https" => Ok(given.to_owned()),
        "http" if host == "localhost" => Ok(given.to_owned()),
        "http" => Err(Fault::new("browsers would send sign-ins and rows without encryption", right)),
        _ => Err(Fault::new(format!("{} is no origin", parse::shown(given)), right)),
    }
}

fn openid(section: &mut Settings<'_>) -> Option<OpenId> {
    let text = |value: &Value| parse::text(value).map(str::to_owned);
    let right = "write issuer = \"https://login.exempelby.se/realms/kommun\"";
    let issuer = section.required("issuer", right, |value| {
        let given = parse::text(value)?;
        let on_this_host = given.starts_with("http://127.0.0.1:") || given.starts_with("http://localhost:");
        if given.starts_with("https://") || on_this_host {
            return Ok(given.to_owned());
        }
        Err(Fault::new(
            "whoever is between could sign in as anybody",
            "write an issuer that begins with https://",
        ))
    });
    let client_id = section.required("client_id", "write client_id = \"postvakt\"", text);
    let right = "write client_secret_file = \"/etc/postvakt/console.secret\"";
    let client_secret_file = section.required("client_secret_file", right, parse::absolute);
    let ca_file = section.optional("ca_file", parse::absolute);
    let name = section.optional("name", text);
    let scopes = section.list("scopes").unwrap_or_default();
    let scopes = scopes.iter().filter_map(|value| section.accept("scopes", value.at, text(value))).collect();
    let subject_claim = section.optional("subject_claim", text);
    let name_claim = section.optional("name_claim", text);
    let role_claim = section.optional("role_claim", text);
    Some(OpenId {
        issuer: issuer?,
        client_id: client_id?,
        client_secret_file: client_secret_file?,
        ca_file,
        name: name?,
        scopes,
        subject_claim: subject_claim?,
        name_claim: name_claim?,
        role_claim: role_claim?,
    })
}

fn proxy(section: &mut Settings<'_>) -> Option<Proxy> {
    let field = |value: &Value| {
        let given = parse::text(value)?;
        let is_name = given.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if is_name && !given.is_empty() {
            return Ok(given.to_ascii_lowercase());
        }
        Err(Fault::new(
            format!("{} is no name of a header field", parse::shown(given)),
            "write X-Remote-User",
        ))
    };
    let subject = section.optional("subject", field);
    let name = section.optional("name", field);
    let roles = section.optional("roles", field);
    Some(Proxy { subject: subject?, name: name?, roles: roles? })
}

fn grant(section: &mut Settings<'_>) -> Option<Grant> {
    let text = |value: &Value| parse::text(value).map(str::to_owned);
    let value = section.required("value", "write value = \"postvakt-reviewer\"", text);
    let right = "write role = \"reviewer\"";
    let role = section.required("role", right, parse::one_of(&Role::ALL, Role::as_str));
    let given = section.list("mailboxes").unwrap_or_default();
    let mailboxes: Vec<Address> = given
        .iter()
        .filter_map(|value| section.accept("mailboxes", value.at, parse::address(value)))
        .collect();
    match role {
        Some(Role::Registrar) if given.is_empty() => section.wrong_here(Fault::new(
            "a registrar sees the mail of mailboxes of their own, and none is named",
            "write mailboxes = [\"registrator@exempelby.se\"]",
        )),
        Some(Role::Registrar) | None => {}
        Some(_) if given.is_empty() => {}
        Some(role) => section.wrong_here(Fault::new(
            format!("mailboxes has no effect on the role {}", role.as_str()),
            "remove it, or write role = \"registrar\"",
        )),
    }
    Some(Grant { value: value?, role: role?, mailboxes })
}

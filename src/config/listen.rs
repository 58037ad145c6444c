//! Addresses of listening sockets, as Postfix writes them, and what people write instead.

#![deny(clippy::disallowed_methods)]

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{Listen, ListenAddress, SocketAccess};
use crate::limits;
use crate::mail::Direction;
use crate::settings::problem::Fault;
use crate::settings::{Kind, Settings, Value, parse};

/// `server.listen`.
pub(super) fn sockets(server: &mut Settings<'_>) -> Option<Vec<Listen>> {
    let mut sockets: Vec<Listen> = Vec::new();
    for value in server.required_list("listen", "write listen = [\"unix:/run/postvakt/milter.sock\"]")? {
        let Some(socket) = socket(server, value) else { continue };
        if sockets.iter().any(|other| other.address == socket.address) {
            let fault = Fault::new(format!("{} is listed twice", socket.address), "list each socket once");
            server.wrong("listen", value.at, fault);
        }
        sockets.push(socket);
    }
    Some(sockets)
}

fn socket<'a>(server: &mut Settings<'a>, value: &'a Value) -> Option<Listen> {
    let found = match &value.kind {
        Kind::Table(_) => server.nested("listen", value, |listen| {
            let right = "write { address = \"inet:127.0.0.1:8891\", direction = \"outbound\" }";
            let socket = listen.required("address", right, address);
            let direction = listen.optional("direction", parse::one_of(&Direction::ALL, Direction::as_str));
            let access = access(listen, socket.as_ref());
            socket.map(|address| Listen { address, direction, access })
        })?,
        Kind::Text(_) | Kind::Date(_) | Kind::Flag(_) | Kind::List(_) | Kind::Number(_) | Kind::Other(_) => {
            server.accept("listen", value.at, address(value)).map(|address| Listen {
                address,
                direction: None,
                access: SocketAccess::default(),
            })
        }
    }?;
    if matches!(found.address, ListenAddress::Inet(inet) if inet.port() == 0) {
        let fault = Fault::new(
            "port 0 selects a random port, which the MTA cannot know",
            "write a port from 1 to 65535",
        );
        server.warn("listen", value.at, fault);
    }
    Some(found)
}

/// `group` and `mode`, which only a Unix socket has.
fn access(listen: &mut Settings<'_>, socket: Option<&ListenAddress>) -> SocketAccess {
    let own = |value: &Value| match socket {
        Some(ListenAddress::Inet(_)) => {
            Err(Fault::new("has no effect on a TCP socket", "remove it, or write a unix: address"))
        }
        Some(ListenAddress::Unix(_)) | None => parse::text(value).map(str::to_owned),
    };
    let group = listen.optional("group", own);
    let mode = listen.optional("mode", |value| {
        let given = own(value)?;
        match u32::from_str_radix(&given, 8) {
            Ok(mode) if given.len() == 4 && mode & 0o600 == 0o600 && mode <= 0o777 => Ok(mode),
            _ => {
                let problem =
                    format!("{} is not the mode of a socket that its owner can use", parse::shown(&given));
                Err(Fault::new(problem, "write \"0660\", or \"0666\" to let every local user connect"))
            }
        }
    });
    SocketAccess { group, mode: mode.unwrap_or(SocketAccess::default().mode) }
}

/// `unix:/absolute/path` or `inet:IP:port`.
fn address(value: &Value) -> Result<ListenAddress, Fault> {
    let given = parse::text(value)?;
    let Some((scheme, rest)) = given.split_once(':') else {
        return Err(unknown(given));
    };
    match scheme {
        "unix" => unix(given, rest),
        "inet" => inet(given, rest),
        _ => Err(unknown(given)),
    }
}

fn unix(given: &str, path: &str) -> Result<ListenAddress, Fault> {
    if !path.starts_with('/') {
        let right = "write an absolute path, such as unix:/run/postvakt/milter.sock";
        return Err(Fault::new(format!("{} has no absolute path", parse::shown(given)), right));
    }
    if path.ends_with('/') {
        return Err(Fault::new(
            format!("{} names a directory", parse::shown(given)),
            format!("write unix:{path}milter.sock"),
        ));
    }
    if path.len() > limits::SOCKET_PATH_OCTETS {
        let problem = format!(
            "the path has {} bytes, more than the {} that a socket path may have",
            path.len(),
            limits::SOCKET_PATH_OCTETS
        );
        return Err(Fault::new(problem, "choose a shorter one, such as unix:/run/postvakt/milter.sock"));
    }
    Ok(ListenAddress::Unix(PathBuf::from(path)))
}

fn inet(given: &str, rest: &str) -> Result<ListenAddress, Fault> {
    parse::socket_address(rest).map(ListenAddress::Inet).map_err(|problem| {
        let right = match postfix_order(rest) {
            Some(address) => format!("write inet:{address}"),
            None => "write inet:IP:port, such as inet:127.0.0.1:8891 or inet:[::1]:8891".to_owned(),
        };
        Fault::new(format!("{} {problem}", parse::shown(given)), right)
    })
}

/// What was meant by a scheme that Postfix does not have.
fn unknown(given: &str) -> Fault {
    let right = match given.split_once(':') {
        Some(("local", path)) if path.starts_with('/') => format!("write unix:{path}"),
        Some(("tcp" | "tcp4" | "tcp6" | "inet6", rest)) => {
            match parse::socket_address(rest.trim_start_matches('/')).ok().or_else(|| postfix_order(rest)) {
                Some(address) => format!("write inet:{address}"),
                None => "write inet:IP:port, such as inet:127.0.0.1:8891".to_owned(),
            }
        }
        _ if given.starts_with('/') => format!("write unix:{given}"),
        _ => match parse::socket_address(given) {
            Ok(address) => format!("write inet:{address}"),
            Err(_) => "write unix:/absolute/path or inet:IP:port".to_owned(),
        },
    };
    Fault::new(format!("{} begins with neither unix: nor inet:", parse::shown(given)), right)
}

/// `port@host`, as Sendmail writes it, and IPv6 without brackets.
fn postfix_order(rest: &str) -> Option<SocketAddr> {
    let (host, port) =
        rest.split_once('@').map(|(port, host)| (host, port)).or_else(|| rest.rsplit_once(':'))?;
    let host =
        if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
    parse::socket_address(&format!("{host}:{port}")).ok()
}

//! `check --probe`: asks everything that the config names whether it is there: the log's directory, the DNS, the scanners,
//! Postfix's log and the port for receipts and notices. Nothing is sent, and nothing stays.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

#[cfg(feature = "central")]
use crate::central::status;
use crate::config::directory::DirectoryGroup;
use crate::config::services::{Endpoint, Scanner};
use crate::config::{Config, MailLog};
use crate::gather::{auth, directory};
use crate::limits;

/// What was asked, and how it went.
pub(super) struct Probe {
    /// The key of the config that names it.
    pub(super) key: &'static str,
    /// Where it is.
    pub(super) place: String,
    /// What is wrong and what would be right; `None` where it answers.
    pub(super) fault: Option<(String, &'static str)>,
}

/// Asks everything that the config makes use of.
pub(super) fn all(config: &Config) -> Vec<Probe> {
    let mut probes = vec![directory(&config.store.directory)];
    if config.needs.authentication {
        probes.push(resolver(config));
    }
    probes.extend(config.directories.iter().map(members));
    let scanners = &config.scanners;
    for (key, scanner, ask) in [
        ("scanners.rspamd", &scanners.rspamd, Ask { say: b"GET /ping HTTP/1.0\r\n\r\n", hear: "pong" }),
        (
            "scanners.spamassassin",
            &scanners.spamassassin,
            Ask { say: b"PING SPAMC/1.2\r\n\r\n", hear: "PONG" },
        ),
        ("scanners.clamav", &scanners.clamav, Ask { say: b"zPING\0", hear: "PONG" }),
    ] {
        probes.extend(scanner.as_ref().map(|scanner| scanned(key, scanner, &ask)));
    }
    probes.extend(config.mail_log.as_ref().map(mail_log));
    probes.extend(config.smtp.as_ref().map(|smtp| submit(smtp.submit)));
    #[cfg(feature = "central")]
    probes.extend(config.central.iter().flat_map(central));
    probes
}

/// What a server is asked, and a word of its answer.
struct Ask {
    say: &'static [u8],
    hear: &'static str,
}

/// The log's directory, or where it is not there yet the one in which it would be made, takes files.
fn directory(path: &Path) -> Probe {
    let right = "let it be a directory of the user that runs postvakt, and run this check as that user";
    let place = path.display().to_string();
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let fault = tempfile::Builder::new()
        .prefix(".postvakt-probe-")
        .tempfile_in(there)
        .err()
        .map(|error| (format!("{} takes no file: {}", there.display(), reason(&error)), right));
    Probe { key: "store.directory", place, fault }
}

fn resolver(config: &Config) -> Probe {
    let servers: Vec<String> = config.dns.servers.iter().map(ToString::to_string).collect();
    let place = if servers.is_empty() { "the system's resolvers".to_owned() } else { servers.join(", ") };
    let right = "name a resolver that answers under [dns] servers, and let the firewall and the unit's IPAddressAllow= \
                 reach it";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answered = runtime
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(auth::resolver_answers(&config.dns)));
    let fault = match answered {
        Ok(true) => None,
        Ok(false) => Some(format!("no answer within {} s", limits::DNS_TIME.as_secs())),
        Err(error) => Some(error),
    };
    Probe { key: "dns.servers", place, fault: fault.map(|fault| (fault, right)) }
}

/// The centre takes the logins of this host.
#[cfg(feature = "central")]
fn central(central: &crate::config::Central) -> Vec<Probe> {
    let servers: Vec<String> = central.database.servers.iter().map(ToString::to_string).collect();
    let logins = central.writer.iter().chain(&central.reader);
    let probe = |login: &crate::config::central::Login| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let asked = runtime.map_err(|error| error.to_string()).and_then(|runtime| {
            runtime.block_on(status::probe(central, login)).map_err(|error| error.to_string())
        });
        let right = "correct url, login, password file or ca_file, and let the firewall reach the servers";
        let place = format!("{} as {}", servers.join(", "), login.name);
        Probe { key: "central.url", place, fault: asked.err().map(|error| (error, right)) }
    };
    logins.map(probe).collect()
}

/// The directory tells the members of the group.
fn members(group: &DirectoryGroup) -> Probe {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let asked = runtime
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(directory::ask(group)).map_err(|error| error.to_string()));
    let fault = match asked {
        Ok(members) if members.is_empty() => Some("knows no member of the group".to_owned()),
        Ok(_) => None,
        Err(error) => Some(error),
    };
    let right = "correct servers, base, filter or the account, and let the firewall reach the servers";
    let place = format!("group {}, {}", group.name, group.servers.join(", "));
    Probe { key: "groups.ldap", place, fault: fault.map(|fault| (fault, right)) }
}

fn scanned(key: &'static str, scanner: &Scanner, ask: &Ask) -> Probe {
    let heard = match &scanner.address {
        Endpoint::Inet(address) => tcp(*address).and_then(|stream| talk(stream, ask)),
        Endpoint::Unix(path) => UnixStream::connect(path).and_then(|stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            talk(stream, ask)
        }),
    };
    let fault = heard.err().map(|error| (reason(&error), "start the scanner, or correct its address"));
    Probe { key, place: scanner.address.to_string(), fault }
}

/// Postfix's log can be read.
fn mail_log(log: &MailLog) -> Probe {
    let (place, fault, right) = match log {
        MailLog::File(path) => (
            path.display().to_string(),
            File::open(path).err().map(|error| reason(&error)),
            "let Postfix write its log there, and the user that runs postvakt read it: `adduser postvakt adm`",
        ),
        MailLog::Journal => {
            let mut command = Command::new("journalctl");
            command.args(["--quiet", "--lines=0", "SYSLOG_FACILITY=2"]).stdin(Stdio::null());
            let fault = match command.stdout(Stdio::null()).output() {
                Ok(output) if output.status.success() => None,
                Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
                Err(error) => Some(reason(&error)),
            };
            ("journal".to_owned(), fault, "install the drop-in postvakt.service.d/journal.conf")
        }
    };
    Probe { key: "postfix.log", place, fault: fault.map(|fault| (fault, right)) }
}

/// The port for receipts and notices greets as an SMTP server does.
fn submit(address: SocketAddr) -> Probe {
    let ask = Ask { say: b"QUIT\r\n", hear: "220" };
    let heard = tcp(address).and_then(|stream| talk(stream, &ask));
    let right = "let Postfix listen there: `postvakt postfix-setup --apply`";
    Probe {
        key: "smtp.submit",
        place: address.to_string(),
        fault: heard.err().map(|error| (reason(&error), right)),
    }
}

/// Until a server that is there has answered.
const PATIENCE: Duration = limits::SCAN_CONNECT_TIME;

fn tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Asks, and looks for the word in what comes back.
fn talk(mut stream: impl Read + Write, ask: &Ask) -> io::Result<()> {
    stream.write_all(ask.say)?;
    let (mut heard, mut piece) = (Vec::new(), [0; 512]);
    while !String::from_utf8_lossy(&heard).contains(ask.hear) {
        let count = stream.read(&mut piece)?;
        heard.extend(piece.iter().take(count));
        if count == 0 || heard.len() > 4_096 {
            return Err(io::Error::new(ErrorKind::InvalidData, "something else answers there"));
        }
    }
    Ok(())
}

/// An error in a few words.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => format!("no answer within {} s", PATIENCE.as_secs()),
        _ => error.to_string(),
    }
}

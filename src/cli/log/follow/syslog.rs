//! A syslog server on this host: its socket, or TCP (RFC 5424 in the frames of RFC 6587).
//!
//! Syslog has no answer. Over TCP the connection is closed after each hand-over, and the server's own end is awaited: by then
//! it has read everything.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use anyhow::{bail, ensure};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Event, Refused, SinkError};
use crate::limits;

/// The facility `daemon` with the severity `informational` (RFC 5424 §6.2.1).
const PRIORITY: u8 = 3 * 8 + 6;

pub(super) enum Syslog {
    Socket(PathBuf),
    Tcp(SocketAddr),
}

impl Syslog {
    pub(super) fn new(to: &str) -> anyhow::Result<Self> {
        if to.starts_with('/') {
            return Ok(Self::Socket(to.into()));
        }
        let Ok(address) = to.parse::<SocketAddr>() else {
            bail!(
                "--to {to}: write the path of a socket, such as /dev/log, or an address such as 127.0.0.1:514"
            );
        };
        ensure!(
            address.ip().is_loopback(),
            "--to {to}: not on this host, and the connection would not be encrypted; let a syslog server on this host \
             send the records on"
        );
        Ok(Self::Tcp(address))
    }

    /// Sends them. What is too long for the socket is refused.
    pub(super) fn send(&self, events: &[Event]) -> Result<Refused, SinkError> {
        match self {
            Self::Socket(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                socket.set_write_timeout(Some(limits::FOLLOW_TIME))?;
                let mut refused = Refused::new();
                for event in events {
                    match socket.send(local(event).as_bytes()) {
                        Ok(_) => {}
                        Err(error) if is_too_long(&error) => {
                            refused.push((event.id.clone(), error.to_string()));
                        }
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                            return Err(SinkError::Deadline);
                        }
                        Err(error) => return Err(error.into()),
                    }
                }
                Ok(refused)
            }
            Self::Tcp(address) => {
                let mut stream = TcpStream::connect_timeout(address, limits::FOLLOW_TIME)?;
                stream.set_write_timeout(Some(limits::FOLLOW_TIME))?;
                stream.set_read_timeout(Some(limits::FOLLOW_TIME))?;
                let frames: String = events.iter().map(frame).collect();
                stream.write_all(frames.as_bytes())?;
                stream.shutdown(Shutdown::Write)?;
                let mut said = [0; 512];
                while stream.read(&mut said)? > 0 {}
                Ok(Refused::new())
            }
        }
    }
}

/// Whether a datagram cannot be that long, however often it is tried.
fn is_too_long(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error())
}

/// The form that programs use on their own host: RFC 3164 without a host.
fn local(event: &Event) -> String {
    let time = event.time.to_zoned(TimeZone::system()).strftime("%b %e %H:%M:%S").to_string();
    format!("<{PRIORITY}>{time} postvakt[{}]: {}", std::process::id(), event.json)
}

/// RFC 5424, with its length before it (RFC 6587 §3.4.1).
fn frame(event: &Event) -> String {
    let (time, process): (Timestamp, u32) = (event.time, std::process::id());
    let line = format!("<{PRIORITY}>1 {time} - postvakt {process} record - {}", event.json);
    format!("{} {line}", line.len())
}

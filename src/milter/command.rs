//! Commands: what an MTA's frame says.

#![deny(clippy::disallowed_methods)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;

use super::frame::Frame;

/// One command, borrowed from its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// `O`: what the MTA can do.
    Negotiate(Offer),
    /// `D`: macros of the stage whose command is `stage`. An empty frame has none and belongs to no stage.
    Macros {
        /// The command that follows.
        stage: u8,
        /// Names and values.
        pairs: Strings<'a>,
    },
    /// `C`: an SMTP client connected.
    Connect {
        /// Its name, or its address in brackets.
        name: &'a [u8],
        /// Its address, where it has one.
        address: Option<IpAddr>,
    },
    /// `H`: HELO or EHLO.
    Helo(&'a [u8]),
    /// `M`: MAIL.
    Mail(Path<'a>),
    /// `R`: RCPT.
    Rcpt(Path<'a>),
    /// `T`: DATA or the first BDAT.
    Data,
    /// `L`: a header field; folds are LF and white space.
    Header {
        /// Its name.
        name: &'a [u8],
        /// Its value.
        value: &'a [u8],
    },
    /// `N`: the end of the header section.
    EndOfHeader,
    /// `B`: a piece of the body, cut anywhere.
    Body(&'a [u8]),
    /// `E`: the end of the message; old MTAs put the last piece of the body here.
    EndOfMessage(&'a [u8]),
    /// `A`: the transaction is over; the MTA waits for nothing.
    Abort,
    /// `U`: an SMTP command that the MTA does not know.
    Unknown,
    /// `Q`: the connection is over.
    Quit,
    /// `K`: the SMTP session is over, the connection is used again.
    QuitNewConnection,
}

/// The path of MAIL or RCPT with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path<'a> {
    /// As it was typed, mostly in angle brackets.
    pub raw: &'a [u8],
    /// ESMTP parameters.
    pub parameters: Strings<'a>,
    /// Octets of the path and its parameters.
    pub octets: usize,
}

/// What the MTA offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its protocol version.
    pub version: u32,
    /// The edits that it allows.
    pub actions: u32,
    /// The steps that it can leave out, and the replies that it can do without.
    pub protocol: u32,
}

/// A command that cannot be parsed. The client speaks another protocol, so the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CommandError {
    /// No such command.
    #[error("unknown command 0x{0:02x}")]
    Unknown(u8),
    /// Its payload is not what the command has.
    #[error("malformed {} command", char::from(*.0))]
    Malformed(u8),
}

impl<'a> Command<'a> {
    /// The command in the frame.
    pub fn parse(frame: Frame<'a>) -> Result<Self, CommandError> {
        let Frame { command, payload } = frame;
        let parsed = match command {
            b'O' => offer(payload).map(Self::Negotiate),
            b'D' => Some(macros(payload)),
            b'C' => connect(payload),
            b'H' => Strings(payload).next().map(Self::Helo),
            b'M' => path(payload).map(Self::Mail),
            b'R' => path(payload).map(Self::Rcpt),
            b'T' => Some(Self::Data),
            b'L' => header(payload),
            b'N' => Some(Self::EndOfHeader),
            b'B' => Some(Self::Body(payload)),
            b'E' => Some(Self::EndOfMessage(payload)),
            b'A' => Some(Self::Abort),
            b'U' => Some(Self::Unknown),
            b'Q' => Some(Self::Quit),
            b'K' => Some(Self::QuitNewConnection),
            unknown => return Err(CommandError::Unknown(unknown)),
        };
        parsed.ok_or(CommandError::Malformed(command))
    }
}

/// NUL-terminated strings; what follows the last NUL is not one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strings<'a>(&'a [u8]);

impl<'a> Iterator for Strings<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(0, self.0)?;
        let (string, rest) = self.0.split_at_checked(end)?;
        self.0 = rest.get(1..).unwrap_or_default();
        Some(string)
    }
}

/// Further octets after the three numbers are a later version's business.
fn offer(payload: &[u8]) -> Option<Offer> {
    let (version, rest) = payload.split_first_chunk()?;
    let (actions, rest) = rest.split_first_chunk()?;
    let protocol = rest.first_chunk()?;
    Some(Offer {
        version: u32::from_be_bytes(*version),
        actions: u32::from_be_bytes(*actions),
        protocol: u32::from_be_bytes(*protocol),
    })
}

fn macros(payload: &[u8]) -> Command<'_> {
    let (&stage, pairs) = payload.split_first().unwrap_or((&0, &[]));
    Command::Macros { stage, pairs: Strings(pairs) }
}

fn connect(payload: &[u8]) -> Option<Command<'_>> {
    let mut strings = Strings(payload);
    let name = strings.next()?;
    let (family, rest) = strings.0.split_first()?;
    let address = match family {
        b'U' | b'L' => None,
        b'4' | b'6' => {
            let (_port, rest) = rest.split_first_chunk::<2>()?;
            Some(ip_address(Strings(rest).next()?)?)
        }
        _ => return None,
    };
    Some(Command::Connect { name, address })
}

/// An address as Postfix, Sendmail (`IPv6:0:0:…`) or a domain literal writes it; one that is an IPv4 address in IPv6
/// clothes becomes that.
pub(super) fn ip_address(bytes: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = match text.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => {
            text.get(5..)?.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        }
        _ if text.contains(':') => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    };
    address.map(|address| address.to_canonical())
}

fn path(payload: &[u8]) -> Option<Path<'_>> {
    let mut parameters = Strings(payload);
    Some(Path { raw: parameters.next()?, parameters, octets: payload.len() })
}

fn header(payload: &[u8]) -> Option<Command<'_>> {
    let mut strings = Strings(payload);
    let name = strings.next().filter(|name| !name.is_empty())?;
    Some(Command::Header { name, value: strings.next()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(command: u8, payload: &[u8]) -> Result<Command<'_>, CommandError> {
        Command::parse(Frame { command, payload })
    }

    fn address(payload: &[u8]) -> Option<String> {
        match parse(b'C', payload).unwrap() {
            Command::Connect { address, .. } => address.map(|address| address.to_string()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn clients_have_many_spellings() {
        for (wire, expected) in [
            (&b"x\x004\xe7\xca127.0.0.1\0"[..], Some("127.0.0.1")),
            (b"x\x006\0\x19IPv6:0:0:0:0:0:0:0:1\0", Some("::1")),
            (b"x\x006\0\x19ipv6:2001:db8::1\0", Some("2001:db8::1")),
            (b"x\x006\0\x192001:db8::1\0", Some("2001:db8::1")),
            (b"x\x006\0\x19[::1]\0", Some("::1")),
            (b"x\x006\0\x19::ffff:192.0.2.1\0", Some("192.0.2.1")),
            (b"x\0L\0\0/run/x\0", None),
            (b"x\0U", None),
        ] {
            assert_eq!(address(wire).as_deref(), expected, "{}", wire.escape_ascii());
        }
    }

    #[test]
    fn malformed_payloads() {
        for (command, payload) in [
            (b'O', &b"\0\0\0\x06\0\0\x01\xff"[..]),
            (b'C', b"no nul"),
            (b'C', b"x\0"),
            (b'C', b"x\0X"),
            (b'C', b"x\x004"),
            (b'C', b"x\x004\0\x19999.0.2.1\0"),
            (b'C', b"x\x006\0\x19nonsense:\0"),
            (b'H', b"no nul"),
            (b'M', b""),
            (b'M', b"<a@x.test>"),
            (b'R', b""),
            (b'L', b"Subject"),
            (b'L', b"Subject\0no second nul"),
            (b'L', b"\0value\0"),
        ] {
            assert_eq!(parse(command, payload), Err(CommandError::Malformed(command)));
        }
        assert_eq!(parse(b'Z', b""), Err(CommandError::Unknown(b'Z')));
    }

    #[test]
    fn strings_end_with_nul() {
        let all: Vec<&[u8]> = Strings(b"a\0\0b\0tail").collect();
        assert_eq!(all, [&b"a"[..], b"", b"b"]);
    }
}

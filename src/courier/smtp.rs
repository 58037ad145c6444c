//! An SMTP client (RFC 5321) for one server that is near, and for notices of our own: one recipient, the null sender.
//!
//! Contract: a failure says whether the letter may have been taken. Before the final dot it never was; after it, without
//! a reply, nobody knows. Every wait has an end, and a reply that has none is a failure.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::limits;

/// A session, after EHLO.
#[derive(Debug)]
pub(super) struct Session {
    stream: BufReader<TcpStream>,
    patience: Duration,
    dsn: bool,
    smtputf8: bool,
    eight_bit: bool,
}

/// From whom a message goes to whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope<'a> {
    /// Who is told where it does not arrive; nobody where it is a letter of ours.
    pub(super) sender: Option<&'a str>,
    /// Its one recipient.
    pub(super) recipient: &'a str,
}

/// Why a letter was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server cannot be reached or takes no mail now: no fault of this letter's.
    Unreachable(String),
    /// Not now.
    Later(String),
    /// The connection ended after the final dot: it may have been taken.
    Unknown(String),
    /// Never.
    Refused(String),
}

impl Failure {
    /// Its name among the metrics.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Later(_) => "later",
            Self::Unknown(_) => "unknown",
            Self::Refused(_) => "refused",
        }
    }
}

/// A reply: its code and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reply {
    code: u16,
    text: String,
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

impl Session {
    /// Connects and says EHLO.
    pub(super) async fn open(server: SocketAddr, patience: Duration) -> Result<Self, Failure> {
        let unreachable = |what: String| Failure::Unreachable(format!("{server}: {what}"));
        let stream = match timeout(patience, TcpStream::connect(server)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(unreachable(error.to_string())),
            Err(_) => return Err(unreachable("timeout while connecting".to_owned())),
        };
        // Small commands wait for no others; failing, they are only slower.
        let _ = stream.set_nodelay(true);
        let stream = BufReader::new(stream);
        let mut session = Self { stream, patience, dsn: false, smtputf8: false, eight_bit: false };
        let greeting = session.reply().await.map_err(unreachable)?;
        if greeting.code != 220 {
            return Err(unreachable(greeting.to_string()));
        }
        // The server and we are one host (RFC 5321 §4.1.4: a literal where there is no name of its own).
        let hello = if server.is_ipv6() { "EHLO [IPv6:::1]" } else { "EHLO [127.0.0.1]" };
        let offered = session.say(hello).await.map_err(unreachable)?;
        if offered.code != 250 {
            return Err(unreachable(offered.to_string()));
        }
        let offers =
            |word: &str| offered.text.lines().any(|line| first_word(line).eq_ignore_ascii_case(word));
        (session.dsn, session.smtputf8) = (offers("DSN"), offers("SMTPUTF8"));
        session.eight_bit = offers("8BITMIME");
        Ok(session)
    }

    /// Hands one letter over; the server's reply to it. After a failure the session is not used again.
    ///
    /// What is handed on as it came has a header as it came: Postfix took it without SMTPUTF8, and the next server may not offer
    /// that. Of ours it needs SMTPUTF8 where it is not ASCII.
    pub(super) async fn send(&mut self, envelope: Envelope<'_>, message: &[u8]) -> Result<String, Failure> {
        let Envelope { sender, recipient } = envelope;
        let written = |b: u8| b.is_ascii_control() || matches!(b, b' ' | b'<' | b'>');
        if recipient.is_empty() || recipient.bytes().chain(sender.unwrap_or_default().bytes()).any(written) {
            return Err(Failure::Refused("the recipient is not a valid address".to_owned()));
        }
        let addresses = recipient.is_ascii() && sender.is_none_or(str::is_ascii);
        let international = !addresses || (sender.is_none() && !message.is_ascii());
        if international && !self.smtputf8 {
            return Err(Failure::Refused("the server does not offer SMTPUTF8".to_owned()));
        }
        let mut mail = format!("MAIL FROM:<{}>", sender.unwrap_or_default());
        if international {
            mail.push_str(" SMTPUTF8");
        }
        if !message.is_ascii() && self.eight_bit {
            mail.push_str(" BODY=8BITMIME");
        }
        let reply = self.say(&mail).await.map_err(Failure::Unreachable)?;
        match reply.code {
            250 => {}
            421 => return Err(Failure::Unreachable(reply.to_string())),
            // Not this letter's fault either, but asking again at once would not help.
            _ => return Err(Failure::Later(reply.to_string())),
        }
        let notify = match (self.dsn, sender) {
            (true, None) => " NOTIFY=NEVER",
            (true, Some(_)) => " NOTIFY=FAILURE",
            (false, _) => "",
        };
        let reply = self.say(&format!("RCPT TO:<{recipient}>{notify}")).await.map_err(Failure::Later)?;
        accepted(&reply, &[250, 251])?;
        let reply = self.say("DATA").await.map_err(Failure::Later)?;
        accepted(&reply, &[354])?;
        self.write(&stuffed(message)).await.map_err(Failure::Later)?;
        let reply = self.say(".").await.map_err(Failure::Unknown)?;
        accepted(&reply, &[250])?;
        Ok(reply.to_string())
    }

    /// Takes leave; whether the server answers is all the same.
    pub(super) async fn quit(mut self) {
        let _ = timeout(limits::COURIER_QUIT_TIME, self.say("QUIT")).await;
    }

    async fn say(&mut self, line: &str) -> Result<Reply, String> {
        self.write(format!("{line}\r\n").as_bytes()).await?;
        self.reply().await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        match timeout(self.patience, self.stream.get_mut().write_all(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("timeout while sending".to_owned()),
        }
    }

    async fn reply(&mut self) -> Result<Reply, String> {
        match timeout(self.patience, read_reply(&mut self.stream)).await {
            Ok(reply) => reply,
            Err(_) => Err("timeout while waiting for a reply".to_owned()),
        }
    }
}

/// A whole reply (RFC 5321 §4.2), bounded.
async fn read_reply(stream: &mut BufReader<TcpStream>) -> Result<Reply, String> {
    let mut text = String::new();
    let mut left = limits::COURIER_REPLY_OCTETS;
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut *stream).take(left);
        let octets = limited.read_until(b'\n', &mut line).await.map_err(|error| error.to_string())?;
        if octets == 0 || line.last() != Some(&b'\n') {
            let ended = if octets as u64 == left { "the reply is too long" } else { "connection closed" };
            return Err(ended.to_owned());
        }
        left -= octets as u64;
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        let code = line.get(..3).filter(|code| code.bytes().all(|b| b.is_ascii_digit()));
        let Some(code) = code.and_then(|code| code.parse().ok()) else {
            return Err(format!("not an SMTP reply: {}", line.escape_debug()));
        };
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(line.get(4..).unwrap_or_default());
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(Reply { code, text });
        }
    }
}

fn accepted(reply: &Reply, codes: &[u16]) -> Result<(), Failure> {
    match reply.code {
        code if codes.contains(&code) => Ok(()),
        500..600 => Err(Failure::Refused(reply.to_string())),
        _ => Err(Failure::Later(reply.to_string())),
    }
}

/// The message as it goes over the wire: lines end in CRLF, and a dot stands before each one that begins with one (RFC 5321
/// §4.5.2).
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + message.len() / 32 + 16);
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn first_word(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

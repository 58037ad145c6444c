//! The SMTP transaction that a message in a file is judged in: what the command line says of it, and otherwise what
//! the message lets us guess.

use std::net::IpAddr;

use anyhow::bail;
use bytes::Bytes;
use jiff::Timestamp;

use crate::address::{Address, ReversePath};
use crate::config::Config;
use crate::facts::{Header, Needs, extract, grammar};
use crate::limits;
use crate::mail::{Client, Envelope, Mail, Message, Recipient};
use crate::organisation::Organisation;

/// What is known of a transaction.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Transaction {
    /// The envelope sender; `<>` for the null sender. Without it: Return-Path, else From.
    #[arg(long, value_name = "A")]
    from: Option<String>,
    /// An envelope recipient; may be repeated. Without it: To and Cc, else Delivered-To.
    #[arg(long, value_name = "B")]
    rcpt: Vec<String>,
    /// The client's address. Without it: a host inside if the sender is inside or a recipient outside.
    #[arg(long, value_name = "IP")]
    client: Option<IpAddr>,
    /// The authenticated user.
    #[arg(long, value_name = "USER")]
    auth: Option<String>,
    /// When the mail comes (RFC 3339); exceptions depend on it. Without it: now.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

impl Transaction {
    /// The mail that carries this message.
    pub fn carry(&self, file: &[u8], config: &Config) -> anyhow::Result<Mail> {
        let mut mail = Mail {
            arrived: self.at.unwrap_or_else(Timestamp::now),
            listener_direction: None,
            client: Client { address: self.client, auth_user: self.auth.clone(), ..Client::default() },
            envelope: Envelope { sender: ReversePath::Null, smtputf8: false, recipients: Vec::new() },
            queue_id: None,
            message: message_from_file(file),
        };
        let header = extract::extract(&mail, &config.organisation, Needs::default()).header;
        let recipients = self.recipients(&header);
        if recipients.is_empty() {
            bail!("nobody is named in To, Cc or Delivered-To; say --rcpt");
        }
        mail.envelope.sender = self.sender(&header);
        if self.client.is_none() {
            mail.client.address =
                Some(likely_client(&mail.envelope.sender, &recipients, &config.organisation));
        }
        let raw = |address: &Address| Bytes::from(format!("<{address}>"));
        mail.envelope.recipients =
            recipients.into_iter().map(|address| Recipient { raw: raw(&address), address }).collect();
        Ok(mail)
    }

    fn sender(&self, header: &Header) -> ReversePath {
        match (&self.from, header.first("Return-Path")) {
            (Some(path), _) => ReversePath::from_wire(path.as_bytes()),
            (None, Some(path)) => ReversePath::from_wire(path.as_bytes()),
            (None, None) => header.from.first().cloned().map_or(ReversePath::Null, ReversePath::Address),
        }
    }

    fn recipients(&self, header: &Header) -> Vec<Address> {
        if !self.rcpt.is_empty() {
            return self.rcpt.iter().filter_map(|path| Address::parse(path)).collect();
        }
        let named = |names: &[&str]| -> Vec<Address> {
            names.iter().flat_map(|name| header.all(name)).flat_map(grammar::addresses).collect()
        };
        let recipients = named(&["To", "Cc"]);
        if recipients.is_empty() { named(&["Delivered-To"]) } else { recipients }
    }
}

/// Where nobody says which client it was: a gateway takes mail for others from its own hosts only.
fn likely_client(sender: &ReversePath, recipients: &[Address], organisation: &Organisation) -> IpAddr {
    let outside = IpAddr::from([192, 0, 2, 1]); // TEST-NET-1 (RFC 5737)
    let from_inside = sender.address().is_some_and(|sender| organisation.owns(sender))
        || recipients.iter().any(|recipient| !organisation.owns(recipient));
    let inside = organisation.internal_networks.first().filter(|_| from_inside);
    inside.map_or(outside, ipnet::IpNet::addr)
}

/// A message as it stands in a file: line ends become CRLF, as on the wire.
pub fn message_from_file(file: &[u8]) -> Message {
    let mut bytes = Vec::with_capacity(file.len() + file.len() / 32);
    for line in file.split_inclusive(|byte| *byte == b'\n') {
        let content = line.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        match content {
            Some(content) => {
                bytes.extend_from_slice(content);
                bytes.extend_from_slice(b"\r\n");
            }
            None => bytes.extend_from_slice(line),
        }
    }
    let body_at = if bytes.starts_with(b"\r\n") {
        2
    } else {
        memchr::memmem::find(&bytes, b"\r\n\r\n").map_or(bytes.len(), |at| at + 4)
    };
    let size = bytes.len() as u64;
    bytes.truncate(limits::MESSAGE_OCTETS);
    Message { bytes: bytes.into(), body_at, size }
}

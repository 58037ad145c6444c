//! The SMTP transaction that a message in a file is judged in: what is said of it, and otherwise what the message lets us
//! guess.

#![deny(clippy::disallowed_methods)]

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::{Header, Needs, extract, grammar};
use crate::address::{Address, ReversePath};
use crate::limits;
use crate::mail::{Client, Direction, Envelope, Mail, Message, Recipient};
use crate::organisation::Organisation;

/// What is known of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// Envelope sender. Default: Return-Path, else From.
    pub sender: Option<ReversePath>,
    /// Envelope recipients. Default: To and Cc, else Delivered-To.
    pub recipients: Vec<Address>,
    /// Address of the client. Default: a host inside if the sender is inside or a recipient is outside, else a host
    /// outside.
    pub client: Option<IpAddr>,
    /// Authenticated user.
    pub auth_user: Option<String>,
    /// Time of arrival. Default: now.
    pub arrived: Option<Timestamp>,
    /// The direction that the listener fixes, if it does.
    pub direction: Option<Direction>,
}

/// Nobody gets the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no recipient in To, Cc or Delivered-To")]
pub struct NoRecipient;

impl Transaction {
    /// The mail that carries this message, now.
    pub fn carry(
        &self,
        file: &[u8],
        organisation: &Arc<Organisation>,
        now: Timestamp,
    ) -> Result<Mail, NoRecipient> {
        let mut mail = Mail {
            arrived: self.arrived.unwrap_or(now),
            listener_direction: self.direction,
            client: Client { address: self.client, auth_user: self.auth_user.clone(), ..Client::default() },
            envelope: Envelope { sender: ReversePath::Null, smtputf8: false, recipients: Vec::new() },
            queue_id: None,
            message: message_from_file(file),
        };
        let header = extract::extract(&mail, organisation, Needs::default()).header;
        let recipients = self.recipients(&header);
        if recipients.is_empty() {
            return Err(NoRecipient);
        }
        mail.envelope.sender = self.sender(&header);
        if self.client.is_none() {
            mail.client.address = Some(likely_client(&mail.envelope.sender, &recipients, organisation));
        }
        let raw = |address: &Address| Bytes::from(format!("<{address}>"));
        mail.envelope.recipients =
            recipients.into_iter().map(|address| Recipient { raw: raw(&address), address }).collect();
        Ok(mail)
    }

    fn sender(&self, header: &Header) -> ReversePath {
        match (&self.sender, header.first("Return-Path")) {
            (Some(path), _) => path.clone(),
            (None, Some(path)) => ReversePath::from_wire(path.as_bytes()),
            (None, None) => header.from.first().cloned().map_or(ReversePath::Null, ReversePath::Address),
        }
    }

    fn recipients(&self, header: &Header) -> Vec<Address> {
        if !self.recipients.is_empty() {
            return self.recipients.clone();
        }
        let named = |names: &[&str]| -> Vec<Address> {
            names.iter().flat_map(|name| header.all(name)).flat_map(grammar::addresses).collect()
        };
        let recipients = named(&["To", "Cc"]);
        if recipients.is_empty() { named(&["Delivered-To"]) } else { recipients }
    }
}

/// The client if none is given: a gateway takes mail for other domains from its own hosts only.
fn likely_client(sender: &ReversePath, recipients: &[Address], organisation: &Organisation) -> IpAddr {
    let outside = IpAddr::from([192, 0, 2, 1]); // TEST-NET-1 (RFC 5737)
    let from_inside = sender.address().is_some_and(|sender| organisation.owns(sender))
        || recipients.iter().any(|recipient| !organisation.owns(recipient));
    let inside = organisation.internal_networks.first().filter(|_| from_inside);
    inside.map_or(outside, ipnet::IpNet::addr)
}

/// A message as it stands in a file: line ends become CRLF, as on the wire, and what is its header section is told as
/// Postfix tells it. It ends with an empty line, or before the first line that is no field nor a part of one, and a line
/// of a mailbox file before all others becomes a field. In a header section without an end there is no body.
pub fn message_from_file(file: &[u8]) -> Message {
    let mut bytes = Vec::with_capacity(file.len() + file.len() / 32);
    let mut body_at = None;
    for line in file.split_inclusive(|byte| *byte == b'\n') {
        let content = line.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        if body_at.is_none() {
            match in_header(content.unwrap_or(line), bytes.is_empty()) {
                Line::Field => {}
                Line::Mailbox => bytes.extend_from_slice(b"X-Mailbox-Line: "),
                Line::Empty => body_at = Some(bytes.len() + line_end(content).len()),
                Line::Body => {
                    bytes.extend_from_slice(b"\r\n");
                    body_at = Some(bytes.len());
                }
            }
        }
        bytes.extend_from_slice(content.unwrap_or(line));
        bytes.extend_from_slice(line_end(content));
    }
    let body_at = body_at.unwrap_or(bytes.len());
    let size = bytes.len() as u64;
    bytes.truncate(limits::MESSAGE_OCTETS);
    Message { bytes: bytes.into(), body_at, size }
}

/// What ends a line of the message: nothing, where the file ended before it did.
fn line_end(content: Option<&[u8]>) -> &'static [u8] {
    if content.is_some() { b"\r\n" } else { b"" }
}

/// What a line is, as long as the header section has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// A field, or a part of one.
    Field,
    /// `From ` of a mailbox file, quoted or not.
    Mailbox,
    /// The end of the section.
    Empty,
    /// The first line of the body, without an empty one before it.
    Body,
}

fn in_header(line: &[u8], first: bool) -> Line {
    let quotes = line.iter().take_while(|octet| **octet == b'>').count();
    let name = line.iter().take_while(|octet| octet.is_ascii_graphic() && **octet != b':').count();
    let (name, rest) = line.split_at_checked(name).unwrap_or_default();
    match line {
        [] => Line::Empty,
        _ if first && line.get(quotes..).is_some_and(|line| line.starts_with(b"From ")) => Line::Mailbox,
        [b' ' | b'\t', ..] if !first => Line::Field,
        _ if !name.is_empty() && rest.trim_ascii_start().starts_with(b":") => Line::Field,
        _ => Line::Body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_section_ends_where_postfix_ends_it() {
        for (file, header, body) in [
            ("A: 1\n\nb", "A: 1\r\n\r\n", "b"),
            ("A: 1\r\n\r\nb\r\n", "A: 1\r\n\r\n", "b\r\n"),
            ("A: 1\n\t2\nB :3\n\n", "A: 1\r\n\t2\r\nB :3\r\n\r\n", ""),
            ("A: 1\nno field\nB: 2\n\nb", "A: 1\r\n\r\n", "no field\r\nB: 2\r\n\r\nb"),
            ("no field\nB: 2\n", "\r\n", "no field\r\nB: 2\r\n"),
            ("\u{feff}A: 1\n\nb", "\r\n", "\u{feff}A: 1\r\n\r\nb"),
            ("From x Thu\nA: 1\n\nb", "X-Mailbox-Line: From x Thu\r\nA: 1\r\n\r\n", "b"),
            (">>From x Thu\nA: 1\n\n", "X-Mailbox-Line: >>From x Thu\r\nA: 1\r\n\r\n", ""),
            ("A: 1\nFrom x Thu\n\nb", "A: 1\r\n\r\n", "From x Thu\r\n\r\nb"),
            (" a\nA: 1\n\n", "\r\n", " a\r\nA: 1\r\n\r\n"),
            (": a\n", "\r\n", ": a\r\n"),
            ("\nA: 1\n", "\r\n", "A: 1\r\n"),
            ("A: 1\n", "A: 1\r\n", ""),
            ("A: 1", "A: 1", ""),
            ("", "", ""),
        ] {
            let message = message_from_file(file.as_bytes());
            let (is_header, is_body) = message.bytes.split_at(message.body_at);
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            assert_eq!((text(is_header), text(is_body)), (header.to_owned(), body.to_owned()), "{file:?}");
        }
    }
}

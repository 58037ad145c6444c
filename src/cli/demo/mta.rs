//! A small MTA: the other end of the milter protocol, as Postfix speaks it. It plays mail to the running server and
//! tells what came back; the demonstration uses it, and tests that compare the wire with `explain`.

use std::io::{self, Read, Write};
use std::net::IpAddr;

use crate::answer::Edit;
use crate::mail::{Envelope, Message};

const VERSION: u32 = 6;
const ALL_ACTIONS: u32 = 0x1ff;
const ALL_PROTOCOL: u32 = 0x1f_ffff;
const NR_HEADER: u32 = 0x80;
const NR_CONNECT: u32 = 0x1000;
const NR_HELO: u32 = 0x2000;
const NR_MAIL: u32 = 0x4000;
const NR_RCPT: u32 = 0x8000;
const NR_DATA: u32 = 0x1_0000;
const NR_END_OF_HEADER: u32 = 0x4_0000;
const NR_BODY: u32 = 0x8_0000;
const LEADING_SPACE: u32 = 0x10_0000;

/// One milter connection: one SMTP session.
pub struct Mta<S> {
    stream: S,
    protocol: u32,
}

/// Who hands the mail to this MTA.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// The client's address; absent for mail from the MTA's own host.
    pub client: Option<IpAddr>,
    /// What it says in EHLO.
    pub helo: String,
    /// The authenticated user.
    pub auth: Option<String>,
    /// `{daemon_name}`.
    pub daemon_name: Option<String>,
}

impl Session {
    /// The client's name: it has none by reverse DNS.
    pub fn name(&self) -> String {
        self.client.map_or_else(|| "localhost".to_owned(), |address| format!("[{address}]"))
    }
}

/// What the filter answered at the end of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Its edits, in order.
    pub edits: Vec<Edit>,
    /// Its refusal as an SMTP reply, if it is one.
    pub reply: Option<String>,
}

impl<S: Read + Write> Mta<S> {
    /// Negotiates as Postfix does, and tells of the session.
    pub fn open(stream: S, session: &Session) -> io::Result<Self> {
        let mut mta = Self { stream, protocol: 0 };
        let offer = [VERSION, ALL_ACTIONS, ALL_PROTOCOL].map(u32::to_be_bytes).concat();
        mta.send(b'O', &offer)?;
        let (command, answer) = mta.receive()?;
        let protocol = answer.get(8..12).and_then(|bits| bits.try_into().ok()).map(u32::from_be_bytes);
        mta.protocol =
            protocol.filter(|_| command == b'O').ok_or_else(|| odd("no answer to the negotiation"))?;
        let daemon = session.daemon_name.as_deref().unwrap_or("mail.exempelby.se");
        mta.macros(b'C', &[("j", "mail.exempelby.se"), ("{daemon_name}", daemon)])?;
        let connect = match session.client {
            Some(address @ IpAddr::V4(_)) => format!("{}\x004\x30\x39{address}\0", session.name()),
            Some(address @ IpAddr::V6(_)) => format!("{}\x006\x30\x39{address}\0", session.name()),
            None => format!("{}\0U", session.name()),
        };
        mta.event(b'C', connect.as_bytes(), NR_CONNECT)?;
        mta.event(b'H', format!("{}\0", session.helo).as_bytes(), NR_HELO)?;
        Ok(mta)
    }

    /// Plays one transaction.
    pub fn deliver(
        &mut self,
        session: &Session,
        envelope: &Envelope,
        message: &Message,
        queue_id: &str,
    ) -> io::Result<Heard> {
        let sender = envelope.sender.address().map(ToString::to_string).unwrap_or_default();
        match &session.auth {
            Some(user) => self.macros(b'M', &[("{auth_type}", "PLAIN"), ("{auth_authen}", user)])?,
            None => self.macros(b'M', &[])?,
        }
        self.event(b'M', format!("<{sender}>\0").as_bytes(), NR_MAIL)?;
        for recipient in &envelope.recipients {
            self.event(b'R', &[&recipient.raw, b"\0".as_slice()].concat(), NR_RCPT)?;
        }
        self.macros(b'T', &[("i", queue_id)])?;
        self.event(b'T', b"", NR_DATA)?;
        let (header, body) = message.bytes.split_at_checked(message.body_at).unwrap_or((&message.bytes, b""));
        for (name, value) in fields(header) {
            let value = if self.protocol & LEADING_SPACE == 0 {
                value.strip_prefix(b" ").unwrap_or(&value)
            } else {
                &value
            };
            self.event(b'L', &[name, b"\0", value, b"\0"].concat(), NR_HEADER)?;
        }
        self.event(b'N', b"", NR_END_OF_HEADER)?;
        for chunk in body.chunks(65_535) {
            self.event(b'B', chunk, NR_BODY)?;
        }
        self.macros(b'E', &[("i", queue_id)])?;
        self.send(b'E', b"")?;
        let heard = self.hear()?;
        self.send(b'A', b"")?;
        Ok(heard)
    }

    /// Ends the session.
    pub fn quit(mut self) -> io::Result<()> {
        self.send(b'Q', b"")
    }

    /// Sends an event and takes its answer, unless it was agreed that there is none.
    fn event(&mut self, command: u8, payload: &[u8], no_reply: u32) -> io::Result<()> {
        self.send(command, payload)?;
        if self.protocol & no_reply == 0 {
            match self.receive()? {
                (b'c', _) => {}
                (other, text) => {
                    return Err(odd(&format!(
                        "answer {:?} {}",
                        char::from(other),
                        String::from_utf8_lossy(&text)
                    )));
                }
            }
        }
        Ok(())
    }

    fn macros(&mut self, stage: u8, values: &[(&str, &str)]) -> io::Result<()> {
        let mut payload = vec![stage];
        for (name, value) in values {
            payload.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
        }
        self.send(b'D', &payload)
    }

    /// Takes edits until the final reply.
    fn hear(&mut self) -> io::Result<Heard> {
        let mut heard = Heard::default();
        loop {
            let (command, payload) = self.receive()?;
            match command {
                b'c' | b'a' => return Ok(heard),
                b'p' => {}
                b'y' => {
                    heard.reply =
                        Some(text(payload.strip_suffix(b"\0").unwrap_or(&payload)).replace("%%", "%"));
                    return Ok(heard);
                }
                b't' => {
                    heard.reply = Some("451 4.7.1 Service unavailable - try again later".to_owned());
                    return Ok(heard);
                }
                _ => heard.edits.push(self.edit(command, &payload).ok_or_else(|| odd("an unknown answer"))?),
            }
        }
    }

    fn edit(&self, command: u8, payload: &[u8]) -> Option<Edit> {
        let index = || payload.first_chunk().map(|index| u32::from_be_bytes(*index));
        let first = |payload: &[u8]| payload.split(|byte| *byte == 0).next().map(text);
        match command {
            b'h' => self.named(payload).map(|(name, value)| Edit::AddHeader { name, value }),
            b'i' => {
                let (name, value) = self.named(payload.get(4..)?)?;
                Some(Edit::InsertHeader { index: index()?, name, value })
            }
            b'm' => {
                let (name, value) = self.named(payload.get(4..)?)?;
                let index = index()?;
                Some(if value.is_empty() {
                    Edit::DeleteHeader { index, name }
                } else {
                    Edit::ChangeHeader { index, name, value }
                })
            }
            b'+' | b'2' => first(payload).map(|address| Edit::AddRecipient { address }),
            b'-' => payload.strip_suffix(b"\0").map(|raw| Edit::RemoveRecipient { raw: raw.to_vec() }),
            b'q' => first(payload).map(|reason| Edit::Quarantine { reason }),
            _ => None,
        }
    }

    /// Name and value of a header edit, unfolded as the decision had it.
    fn named(&self, payload: &[u8]) -> Option<(String, String)> {
        let mut parts = payload.split(|byte| *byte == 0).map(text);
        let (name, value) = (parts.next()?, parts.next()?);
        let value = value.replace('\n', "");
        let value = if self.protocol & LEADING_SPACE == 0 {
            &value
        } else {
            value.strip_prefix(' ').unwrap_or(&value)
        };
        Some((name, value.to_owned()))
    }

    fn send(&mut self, command: u8, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len() + 1).map_err(io::Error::other)?;
        let mut frame = Vec::with_capacity(payload.len() + 5);
        frame.extend_from_slice(&length.to_be_bytes());
        frame.push(command);
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame)
    }

    fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut command = [0];
        self.stream.read_exact(&mut command)?;
        let rest = u32::from_be_bytes(length).checked_sub(1).filter(|rest| *rest <= 1 << 20);
        let mut payload = vec![0; rest.ok_or_else(|| odd("a frame of impossible length"))? as usize];
        self.stream.read_exact(&mut payload)?;
        let [command] = command;
        Ok((command, payload))
    }
}

/// The fields of a header section as an MTA sends them: name, and value with folds as bare LF.
fn fields(header: &[u8]) -> Vec<(&[u8], Vec<u8>)> {
    let mut fields: Vec<(&[u8], Vec<u8>)> = Vec::new();
    for line in header.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)) {
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            if let Some((_, value)) = fields.last_mut() {
                value.push(b'\n');
                value.extend_from_slice(line);
            }
        } else if let Some(colon) = line.iter().position(|byte| *byte == b':')
            && let Some((name, value)) = line.split_at_checked(colon)
        {
            fields.push((name, value.strip_prefix(b":").unwrap_or(value).to_vec()));
        }
    }
    fields
}

fn text(bytes: &[u8]) -> String {
    crate::text::from_bytes(bytes).into_owned()
}

fn odd(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

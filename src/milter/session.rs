//! The session: the protocol as one state machine, without I/O.
//!
//! Bytes that the MTA waits for are appended to `out`, at most one final reply for each frame. What else follows from
//! a frame is the returned [`Step`].

#![deny(clippy::disallowed_methods)]

use jiff::Timestamp;
use thiserror::Error;

use super::Wants;
use super::command::{Command, CommandError, Offer, Path};
use super::frame::{Frame, FrameError};
use super::intake::{Refusal, Transaction};
use super::macros::Macros;
use super::negotiate::{Agreed, VersionError, action};
use super::response::{Owed, OwedAnswer};
use crate::mail::{Client, Direction, Incomplete, Mail};
use crate::reply::SmtpReply;
use crate::text;

/// One connection of an MTA: one SMTP session after another, in each one transaction after another.
#[derive(Debug)]
pub struct Session {
    wants: Wants,
    direction: Option<Direction>,
    agreed: Option<Agreed>,
    connected: bool,
    client: Client,
    macros: Macros,
    transaction: Option<Box<Transaction>>,
}

/// What follows from a frame.
#[derive(Debug)]
pub enum Step {
    /// Nothing more than what was written.
    Next,
    /// A transaction ended without its end of message.
    Ended(Box<Mail>, Incomplete),
    /// A mail is complete, and the MTA waits for the answer.
    Judge(Box<Mail>, OwedAnswer),
    /// The MTA is done with the connection.
    Quit,
}

/// Why the connection cannot go on. An MTA that speaks the protocol causes none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The bytes are no frames.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A frame is no command.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The versions do not meet.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// A command came before negotiation.
    #[error("{} command before negotiation", char::from(*.0))]
    NotNegotiated(u8),
    /// Negotiation came again in the midst of a session.
    #[error("second negotiation after the session began")]
    Renegotiated,
}

impl Fault {
    /// Its name among the metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Frame(FrameError::Empty) => "bad_length",
            Self::Frame(FrameError::TooLong { .. }) => "frame_too_long",
            Self::Command(CommandError::Unknown(_)) => "unknown_command",
            Self::Command(CommandError::Malformed(_)) => "malformed_command",
            Self::Version(_) => "version",
            Self::NotNegotiated(_) => "not_negotiated",
            Self::Renegotiated => "renegotiated",
        }
    }
}

impl Session {
    /// A session on a new connection.
    pub fn new(wants: Wants, direction: Option<Direction>) -> Self {
        Self {
            wants,
            direction,
            agreed: None,
            connected: false,
            client: Client::default(),
            macros: Macros::default(),
            transaction: None,
        }
    }

    /// Takes one frame, that came `now`.
    pub fn step(&mut self, frame: Frame<'_>, now: Timestamp, out: &mut Vec<u8>) -> Result<Step, Fault> {
        let command = Command::parse(frame)?;
        let Some(agreed) = self.agreed else {
            return self.before_negotiation(&command, frame.command, out);
        };
        let (step, refusal) = match command {
            Command::Negotiate(offer) => return self.negotiate_again(offer, out),
            Command::Macros { stage, pairs } => {
                let queue_id = self.transaction.as_mut().map(|open| &mut open.queue_id);
                self.macros.take(stage, pairs, queue_id);
                return Ok(Step::Next);
            }
            Command::Abort => return Ok(self.end(Incomplete::Aborted)),
            Command::Quit => return Ok(Step::Quit),
            Command::QuitNewConnection => {
                self.macros = Macros::default();
                return Ok(self.forget_client());
            }
            Command::EndOfMessage(rest) => {
                return Ok(self.end_of_message(rest, OwedAnswer::new(agreed), out));
            }
            Command::Connect { name, address } => {
                let step = self.forget_client();
                self.connected = true;
                self.client.name = (!name.is_empty()).then(|| text::from_bytes(name).into_owned());
                self.client.address = address;
                (step, None)
            }
            Command::Helo(name) => {
                self.client.helo = (!name.is_empty()).then(|| text::from_bytes(name).into_owned());
                (Step::Next, None)
            }
            Command::Mail(path) => self.mail(path, now),
            Command::Rcpt(path) => (Step::Next, self.rcpt(&path, agreed)),
            Command::Data => (Step::Next, self.within(Transaction::data)),
            Command::Header { name, value } => {
                (Step::Next, self.within(|open| open.header(name, value, agreed.leading_space())))
            }
            Command::EndOfHeader => (Step::Next, self.within(Transaction::end_of_header)),
            Command::Body(piece) => (Step::Next, self.within(|open| open.body(piece))),
            Command::Unknown => (Step::Next, None),
        };
        if let Some(owed) = Owed::after(frame.command, agreed) {
            // A recipient refused at once is the client's loss alone; any other refusal ends the mail.
            if let (Some(_), Some(open)) =
                (&refusal, self.transaction.as_mut().filter(|_| frame.command != b'R'))
            {
                open.set_refused();
            }
            owed.settle(refusal.as_ref(), out);
        }
        Ok(step)
    }

    /// Ends the open transaction, as when the connection broke.
    pub fn end(&mut self, why: Incomplete) -> Step {
        match self.transaction.take() {
            Some(open) => {
                let why = open.why(why);
                Step::Ended(Box::new(open.into_mail()), why)
            }
            None => Step::Next,
        }
    }

    /// Whether the two sides have agreed.
    pub fn is_negotiated(&self) -> bool {
        self.agreed.is_some()
    }

    /// The open transaction.
    pub fn transaction(&mut self) -> Option<&mut Transaction> {
        self.transaction.as_deref_mut()
    }

    fn before_negotiation(
        &mut self,
        command: &Command<'_>,
        byte: u8,
        out: &mut Vec<u8>,
    ) -> Result<Step, Fault> {
        match command {
            Command::Negotiate(offer) => self.negotiate(*offer, out),
            Command::Quit => Ok(Step::Quit),
            _ => Err(Fault::NotNegotiated(byte)),
        }
    }

    fn negotiate_again(&mut self, offer: Offer, out: &mut Vec<u8>) -> Result<Step, Fault> {
        if self.connected || self.client.helo.is_some() || self.transaction.is_some() {
            return Err(Fault::Renegotiated);
        }
        self.negotiate(offer, out)
    }

    fn negotiate(&mut self, offer: Offer, out: &mut Vec<u8>) -> Result<Step, Fault> {
        let agreed = Agreed::on(offer, self.wants)?;
        if !agreed.grants(action::NEEDED) {
            tracing::warn!(
                offered = format_args!("{:#x}", offer.actions),
                needed = format_args!("{:#x}", action::NEEDED),
                "the MTA does not allow all edits that Postvakt needs; those edits are skipped"
            );
        }
        agreed.write(out);
        self.agreed = Some(agreed);
        Ok(Step::Next)
    }

    /// A new SMTP session: nothing of the one before is left but the agreement.
    fn forget_client(&mut self) -> Step {
        self.connected = false;
        self.client = Client::default();
        self.end(Incomplete::Aborted)
    }

    fn mail(&mut self, path: Path<'_>, now: Timestamp) -> (Step, Option<SmtpReply>) {
        let step = self.end(Incomplete::Superseded);
        let macros = &mut self.macros;
        let client = Client {
            address: self.client.address.or(macros.connection.client_address),
            auth_user: macros.mail.auth_user.take(),
            tls: macros.helo.tls(),
            daemon_name: macros.connection.daemon_name.clone(),
            ..self.client.clone()
        };
        let mut begun = Box::new(Transaction::begin(path, now, client, self.direction));
        begun.queue_id = macros.mail.queue_id.take();
        let refusal = begun.refusal();
        self.transaction = Some(begun);
        (step, refusal.map(Refusal::reply))
    }

    fn rcpt(&mut self, path: &Path<'_>, agreed: Agreed) -> Option<SmtpReply> {
        let refused_by_mta = std::mem::take(&mut self.macros.recipient_refused);
        match self.transaction.as_mut() {
            Some(open) => open.rcpt(path, refused_by_mta, agreed.waits_after(b'R')).err().map(Refusal::reply),
            None => Some(out_of_order()),
        }
    }

    /// A step within a transaction. Out of order it is refused, whether the MTA reads that now or at the end.
    fn within(&mut self, step: impl FnOnce(&mut Transaction) -> Result<(), Refusal>) -> Option<SmtpReply> {
        match self.transaction.as_mut() {
            Some(open) => step(open).err().map(|refusal| {
                let reply = refusal.reply();
                tracing::warn!(queue_id = open.queue_id, %reply, "the MTA sent a message out of order");
                reply
            }),
            None => Some(out_of_order()),
        }
    }

    fn end_of_message(&mut self, rest: &[u8], owed: OwedAnswer, out: &mut Vec<u8>) -> Step {
        let Some(mut open) = self.transaction.take() else {
            owed.refuse(&out_of_order(), out);
            return Step::Next;
        };
        let last = if rest.is_empty() { Ok(()) } else { open.body(rest) };
        match last.err().or(open.refusal()) {
            Some(refusal) => {
                owed.refuse(&refusal.reply(), out);
                Step::Ended(Box::new(open.into_mail()), Incomplete::Refused)
            }
            None => Step::Judge(Box::new(open.into_mail()), owed),
        }
    }
}

fn out_of_order() -> SmtpReply {
    tracing::warn!("the MTA sent a command outside a transaction; it is rejected");
    Refusal::OutOfOrder.reply()
}

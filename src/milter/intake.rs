//! Intake: the commands of one transaction become a mail.

#![deny(clippy::disallowed_methods)]

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;

use super::command::Path;
use crate::address::{Address, ReversePath};
use crate::mail::{Client, Direction, Envelope, Incomplete, Mail, Message, Recipient};
use crate::metrics::METRICS;
use crate::reply::{Basic, ReplyClass, SmtpReply};
use crate::{limits, texts};

/// One transaction, from MAIL on.
#[derive(Debug)]
pub struct Transaction {
    arrived: Timestamp,
    listener_direction: Option<Direction>,
    client: Client,
    sender: ReversePath,
    smtputf8: bool,
    recipients: Vec<Recipient>,
    recipient_octets: usize,
    /// The MTA's queue id, once it has one.
    pub queue_id: Option<String>,
    part: Part,
    kept: BytesMut,
    body_at: usize,
    size: u64,
    header_fields: usize,
    refusal: Option<Refusal>,
    refused: bool,
}

/// How far the transaction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Envelope,
    Data,
    Header,
    Body,
}

/// Why no more can come of a transaction than a refusal, whatever the MTA still sends of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The sender is over [`limits::ADDRESS_OCTETS`].
    SenderTooLong,
    /// A recipient is over [`limits::ADDRESS_OCTETS`].
    RecipientTooLong,
    /// A recipient is no address.
    RecipientInvalid,
    /// Over [`limits::RECIPIENTS`].
    TooManyRecipients,
    /// The parts of the message came in an order that leaves no message.
    OutOfOrder,
    /// Over [`limits::HEADER_OCTETS`] or [`limits::HEADER_FIELDS`].
    HeaderTooLarge,
    /// No room for the message.
    Busy,
}

impl Refusal {
    /// What the client reads.
    pub fn reply(self) -> SmtpReply {
        let (transient, permanent) = (ReplyClass::Transient, ReplyClass::Permanent);
        match self {
            Self::SenderTooLong => {
                SmtpReply::new(permanent, Basic::Unavailable, (1, 7), texts::ADDRESS_TOO_LONG)
            }
            Self::RecipientTooLong => {
                SmtpReply::new(permanent, Basic::Unavailable, (1, 3), texts::ADDRESS_TOO_LONG)
            }
            Self::RecipientInvalid => {
                SmtpReply::new(permanent, Basic::Unavailable, (1, 3), texts::ADDRESS_INVALID)
            }
            Self::TooManyRecipients => {
                SmtpReply::new(transient, Basic::Exceeded, (5, 3), texts::TOO_MANY_RECIPIENTS)
            }
            Self::OutOfOrder => SmtpReply::new(transient, Basic::Processing, (5, 1), texts::OUT_OF_ORDER),
            Self::HeaderTooLarge => {
                SmtpReply::new(permanent, Basic::Exceeded, (3, 4), texts::HEADER_TOO_LARGE)
            }
            Self::Busy => SmtpReply::new(transient, Basic::Exceeded, (3, 1), texts::BUSY),
        }
    }

    fn count(self) {
        let limit = match self {
            Self::OutOfOrder | Self::RecipientInvalid => return,
            Self::SenderTooLong | Self::RecipientTooLong => "address",
            Self::TooManyRecipients => "recipients",
            Self::HeaderTooLarge => "header",
            Self::Busy => "in_flight",
        };
        METRICS.limits_exceeded.with_label_values(&[limit]).inc();
    }
}

impl Transaction {
    /// The transaction that a MAIL command begins.
    pub fn begin(
        mail: Path<'_>,
        arrived: Timestamp,
        client: Client,
        listener_direction: Option<Direction>,
    ) -> Self {
        let too_long = mail.octets > limits::ADDRESS_OCTETS;
        let raw = mail.raw.get(..limits::ADDRESS_OCTETS).unwrap_or(mail.raw);
        let mut begun = Self {
            arrived,
            listener_direction,
            client,
            sender: ReversePath::from_wire(raw),
            smtputf8: mail.parameters.into_iter().any(|word| word.eq_ignore_ascii_case(b"SMTPUTF8")),
            recipients: Vec::new(),
            recipient_octets: 0,
            queue_id: None,
            part: Part::Envelope,
            kept: BytesMut::new(),
            body_at: 0,
            size: 0,
            header_fields: 0,
            refusal: None,
            refused: false,
        };
        if too_long {
            begun.give_up(Refusal::SenderTooLong);
        }
        begun
    }

    /// A recipient; `refused_by_mta` ones are told for information only. A refusal is that of this recipient alone
    /// where it `is_answered`, else that of the whole mail: its end is then the next reply that anybody reads.
    pub fn rcpt(&mut self, path: &Path<'_>, refused_by_mta: bool, is_answered: bool) -> Result<(), Refusal> {
        if let Some(refusal) = self.refusal {
            self.refused |= is_answered;
            return Err(refusal);
        }
        let taken = if refused_by_mta { Ok(()) } else { self.take_recipient(path) };
        taken.inspect_err(|&refusal| {
            if is_answered {
                refusal.count();
            } else {
                self.give_up(refusal);
            }
        })
    }

    /// DATA. It and the pieces of a body cannot come at a wrong time within a transaction.
    pub fn data(&mut self) -> Result<(), Refusal> {
        self.part = self.part.max(Part::Data);
        Ok(())
    }

    /// A header field. Its bytes are as they were sent: with `leading_space` the value has what followed the colon,
    /// without it the MTA took one space away.
    pub fn header(&mut self, name: &[u8], value: &[u8], leading_space: bool) -> Result<(), Refusal> {
        let octets = name.len() + value.len() + if leading_space { 3 } else { 4 };
        if self.part > Part::Header {
            self.size += octets as u64;
            return Err(self.give_up(Refusal::OutOfOrder));
        }
        self.part = Part::Header;
        self.header_fields += 1;
        if self.header_fields > limits::HEADER_FIELDS
            || self.size + octets as u64 > limits::HEADER_OCTETS as u64
        {
            self.give_up(Refusal::HeaderTooLarge);
        }
        if self.refusal.is_some() {
            self.size += octets as u64;
            return Ok(());
        }
        if self.kept.is_empty() {
            self.kept.reserve(limits::MESSAGE_OCTETS_FIRST);
        }
        self.kept.extend_from_slice(name);
        self.kept.extend_from_slice(if leading_space { b":" } else { b": " });
        let mut rest = value;
        while let Some((line, after)) = memchr::memchr(b'\n', rest).and_then(|end| rest.split_at_checked(end))
        {
            self.kept.extend_from_slice(line);
            self.kept.extend_from_slice(if line.ends_with(b"\r") { b"\n" } else { b"\r\n" });
            rest = after.get(1..).unwrap_or_default();
        }
        self.kept.extend_from_slice(rest);
        self.kept.extend_from_slice(b"\r\n");
        self.size = self.kept.len() as u64;
        Ok(())
    }

    /// The end of the header section.
    pub fn end_of_header(&mut self) -> Result<(), Refusal> {
        if self.part == Part::Body {
            return Err(self.give_up(Refusal::OutOfOrder));
        }
        self.begin_body();
        Ok(())
    }

    /// A piece of the body.
    pub fn body(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        if self.part < Part::Body {
            self.begin_body();
        }
        self.size += piece.len() as u64;
        if self.refusal.is_none() {
            let room = limits::MESSAGE_OCTETS.saturating_sub(self.kept.len());
            self.kept.extend_from_slice(piece.get(..room).unwrap_or(piece));
        }
        Ok(())
    }

    /// Nothing but a refusal will come of it: what was kept is let go, and the first reason stands.
    pub fn give_up(&mut self, refusal: Refusal) -> Refusal {
        if self.refusal != Some(refusal) {
            refusal.count();
        }
        self.kept = BytesMut::new();
        self.body_at = 0;
        // Many recipients are most of the mail then, and the room is another's.
        if refusal == Refusal::Busy && self.recipient_octets > limits::IN_FLIGHT_FROM {
            self.recipients = Vec::new();
            self.recipient_octets = 0;
        }
        *self.refusal.get_or_insert(refusal)
    }

    /// What the end of the message is answered with, where it is not judged.
    pub fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    /// That we refused it, should the MTA end it now.
    pub fn set_refused(&mut self) {
        self.refused = true;
    }

    /// Octets that it holds in memory, as those in flight are counted.
    pub fn octets(&self) -> usize {
        self.kept.len() + self.recipient_octets
    }

    /// Why it is incomplete, when something else ends it: if we refused it, that was the cause.
    pub fn why(&self, otherwise: Incomplete) -> Incomplete {
        if self.refused { Incomplete::Refused } else { otherwise }
    }

    /// The mail as far as it came. A message without an end of its header section has one all the same.
    pub fn into_mail(mut self) -> Mail {
        if self.part == Part::Header {
            self.begin_body();
        }
        if self.size > self.kept.len() as u64 && self.refusal.is_none() {
            METRICS.limits_exceeded.with_label_values(&["message"]).inc();
        }
        Mail {
            arrived: self.arrived,
            listener_direction: self.listener_direction,
            client: self.client,
            envelope: Envelope { sender: self.sender, smtputf8: self.smtputf8, recipients: self.recipients },
            queue_id: self.queue_id,
            message: Message { bytes: self.kept.freeze(), body_at: self.body_at, size: self.size },
        }
    }

    fn take_recipient(&mut self, path: &Path<'_>) -> Result<(), Refusal> {
        if self.part > Part::Envelope {
            return Err(Refusal::OutOfOrder);
        }
        if path.octets > limits::ADDRESS_OCTETS {
            return Err(Refusal::RecipientTooLong);
        }
        if self.recipients.len() >= limits::RECIPIENTS {
            return Err(Refusal::TooManyRecipients);
        }
        let address = Address::from_wire(path.raw).ok_or(Refusal::RecipientInvalid)?;
        self.recipient_octets += size_of::<Recipient>() + path.raw.len() + 2 * address.as_str().len();
        self.recipients.push(Recipient { raw: Bytes::copy_from_slice(path.raw), address });
        Ok(())
    }

    fn begin_body(&mut self) {
        self.part = Part::Body;
        self.size += 2;
        if self.refusal.is_none() {
            self.kept.extend_from_slice(b"\r\n");
            self.body_at = self.kept.len();
        }
    }
}

//! The answer: what the MTA is told at the end of a message. It is the only thing that leaves the program towards a
//! mail, and it has no way to say "discard".

#![deny(clippy::disallowed_methods)]

use crate::reply::SmtpReply;

/// One change to the message or its envelope, legal only at the end of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Adds a header field below all others.
    AddHeader {
        /// Field name.
        name: String,
        /// Unfolded value.
        value: String,
    },
    /// Inserts a header field: index 0 is above everything, 1 below the field that is then the first (on Postfix:
    /// its own Received).
    InsertHeader {
        /// Where.
        index: u32,
        /// Field name.
        name: String,
        /// Unfolded value.
        value: String,
    },
    /// Replaces the value of the `index`-th field of that name, counted from 1 as the MTA sent them.
    ChangeHeader {
        /// Which.
        index: u32,
        /// Field name.
        name: String,
        /// Unfolded value.
        value: String,
    },
    /// Deletes the `index`-th field of that name. Several of one name go from the highest index down: Postfix
    /// renumbers as it deletes.
    DeleteHeader {
        /// Which.
        index: u32,
        /// Field name.
        name: String,
    },
    /// Takes a recipient away, in the very bytes that RCPT had.
    RemoveRecipient {
        /// The forward-path as it stood on the wire.
        raw: Vec<u8>,
    },
    /// Adds a recipient.
    AddRecipient {
        /// The address, without angle brackets.
        address: String,
    },
    /// Puts the message on hold; it stays in Postfix's queue until a person releases it (`postsuper -H`).
    Quarantine {
        /// For the MTA's log.
        reason: String,
    },
}

/// Edits, and then the one final reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// In this order.
    pub edits: Vec<Edit>,
    /// A refusal; without one the message goes on.
    pub refusal: Option<SmtpReply>,
}

impl Answer {
    /// Lets the message pass as it is.
    pub fn pass() -> Self {
        Self { edits: Vec::new(), refusal: None }
    }

    /// Rejects the message, without edits: edits to a rejected message would be lost.
    pub fn refuse(reply: SmtpReply) -> Self {
        Self { edits: Vec::new(), refusal: Some(reply) }
    }
}

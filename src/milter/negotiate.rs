//! Negotiation: what the MTA offers, what is asked of it, and who waits for whom.

#![deny(clippy::disallowed_methods)]

use thiserror::Error;

use super::command::Offer;
use super::{Wants, frame};

/// The newest protocol version that this program speaks.
const VERSION: u32 = 6;

/// Edits that an MTA may allow.
pub mod action {
    /// `h` and `i`.
    pub const ADD_HEADERS: u32 = 0x01;
    /// `+`.
    pub const ADD_RECIPIENT: u32 = 0x04;
    /// `-`.
    pub const DELETE_RECIPIENT: u32 = 0x08;
    /// `m`.
    pub const CHANGE_HEADERS: u32 = 0x10;
    /// `q`.
    pub const QUARANTINE: u32 = 0x20;
    /// Lists of the macros that are to be sent.
    pub const SYMBOL_LISTS: u32 = 0x100;

    /// What this program's edits need.
    pub const NEEDED: u32 = ADD_HEADERS | ADD_RECIPIENT | DELETE_RECIPIENT | CHANGE_HEADERS | QUARANTINE;
    /// What a version before 6 can mean.
    pub(super) const OLD: u32 = 0x3f;
}

/// Steps that an MTA may leave out, and replies that it may do without.
pub mod protocol {
    /// Do not send bodies.
    pub const NO_BODY: u32 = 0x10;
    /// Do not send header fields.
    pub const NO_HEADERS: u32 = 0x20;
    /// Do not send the end of the header section.
    pub const NO_END_OF_HEADER: u32 = 0x40;
    /// No reply to `L`.
    pub const NO_REPLY_HEADER: u32 = 0x80;
    /// The MTA knows `s`. It is agreed on and never used: nothing is replied where it would help.
    pub const SKIP: u32 = 0x400;
    /// No reply to `C`.
    pub const NO_REPLY_CONNECT: u32 = 0x1000;
    /// No reply to `H`.
    pub const NO_REPLY_HELO: u32 = 0x2000;
    /// No reply to `M`.
    pub const NO_REPLY_MAIL: u32 = 0x4000;
    /// No reply to `R`.
    pub const NO_REPLY_RCPT: u32 = 0x8000;
    /// No reply to `T`.
    pub const NO_REPLY_DATA: u32 = 0x1_0000;
    /// No reply to `U`.
    pub const NO_REPLY_UNKNOWN: u32 = 0x2_0000;
    /// No reply to `N`.
    pub const NO_REPLY_END_OF_HEADER: u32 = 0x4_0000;
    /// No reply to `B`.
    pub const NO_REPLY_BODY: u32 = 0x8_0000;
    /// Header values come and go with the space that follows the colon.
    pub const LEADING_SPACE: u32 = 0x10_0000;

    /// Asked for in any case.
    pub(super) const ALWAYS: u32 = NO_REPLY_HEADER
        | SKIP
        | NO_REPLY_CONNECT
        | NO_REPLY_HELO
        | NO_REPLY_MAIL
        | NO_REPLY_RCPT
        | NO_REPLY_DATA
        | NO_REPLY_UNKNOWN
        | NO_REPLY_END_OF_HEADER
        | NO_REPLY_BODY
        | LEADING_SPACE;
    /// Requested if no rule needs the body.
    pub(super) const ENVELOPES_ONLY: u32 = NO_BODY | NO_HEADERS | NO_END_OF_HEADER;
    /// What a version before 6 can mean.
    pub(super) const OLD: u32 = 0x7f;
}

/// The macros that are asked for, by the protocol's numbers of stages (5 is the end of the message, 6 that of the
/// header section). A list replaces the MTA's own, so the queue id is in each where it may come.
const SYMBOLS: [(u32, &[u8]); 5] = [
    (0, b"j {client_addr} {client_name} {daemon_name} {daemon_port} v\0"),
    (1, b"{tls_version} {cipher} {cipher_bits}\0"),
    (2, b"i {auth_type} {auth_authen} {mail_addr}\0"),
    (3, b"i {rcpt_mailer} {rcpt_addr}\0"),
    (5, b"i {msg_id}\0"),
];

/// The MTA speaks a protocol that is too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("unsupported protocol version {0} (supported: 2 to {VERSION})")]
pub struct VersionError(pub u32);

/// What both sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    version: u32,
    actions: u32,
    protocol: u32,
}

impl Agreed {
    /// The agreement that follows from an offer: what is wanted, of what is offered. Postfix takes more than it
    /// offered for a conflict, Sendmail for the end.
    pub fn on(offer: Offer, wants: Wants) -> Result<Self, VersionError> {
        let version = offer.version.min(VERSION);
        if version < 2 {
            return Err(VersionError(offer.version));
        }
        let (mut actions, mut protocol) = (action::NEEDED | action::SYMBOL_LISTS, protocol::ALWAYS);
        if !wants.message {
            protocol |= protocol::ENVELOPES_ONLY;
        }
        if version < VERSION {
            actions &= action::OLD;
            protocol &= protocol::OLD;
        }
        Ok(Self { version, actions: actions & offer.actions, protocol: protocol & offer.protocol })
    }

    /// Writes the reply to the offer.
    pub fn write(self, out: &mut Vec<u8>) {
        frame::encode(out, b'O', |out| {
            for number in [self.version, self.actions, self.protocol] {
                out.extend_from_slice(&number.to_be_bytes());
            }
            if self.grants(action::SYMBOL_LISTS) {
                for (stage, names) in SYMBOLS {
                    out.extend_from_slice(&stage.to_be_bytes());
                    out.extend_from_slice(names);
                }
            }
        });
    }

    /// Whether all of `actions` are allowed.
    pub fn grants(self, actions: u32) -> bool {
        self.actions & actions == actions
    }

    /// Whether header values have their leading space, in both directions.
    pub fn leading_space(self) -> bool {
        self.protocol & protocol::LEADING_SPACE != 0
    }

    /// Whether the MTA waits for a reply to this command. It never waits after `D`, `A`, `Q` or `K`; it always does
    /// after `E`, where refusals are said that nobody waited for before.
    pub fn waits_after(self, command: u8) -> bool {
        let no_reply = match command {
            b'C' => protocol::NO_REPLY_CONNECT,
            b'H' => protocol::NO_REPLY_HELO,
            b'M' => protocol::NO_REPLY_MAIL,
            b'R' => protocol::NO_REPLY_RCPT,
            b'T' => protocol::NO_REPLY_DATA,
            b'U' => protocol::NO_REPLY_UNKNOWN,
            b'L' => protocol::NO_REPLY_HEADER,
            b'N' => protocol::NO_REPLY_END_OF_HEADER,
            b'B' => protocol::NO_REPLY_BODY,
            b'E' => 0,
            _ => return false,
        };
        self.protocol & no_reply == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreed(version: u32, actions: u32, protocol: u32, message: bool) -> Agreed {
        Agreed::on(Offer { version, actions, protocol }, Wants { message }).unwrap()
    }

    #[test]
    fn no_more_than_is_offered() {
        let full = agreed(7, 0x1ff, 0x1f_ffff, true);
        assert_eq!((full.version, full.actions, full.protocol), (6, 0x13d, 0x1f_f480));
        let old = agreed(2, 0x1ff, 0x1f_ffff, true);
        assert_eq!((old.version, old.actions, old.protocol), (2, 0x3d, 0));
        let none = agreed(6, 0, 0, false);
        assert_eq!((none.actions, none.protocol), (0, 0));
        assert_eq!(agreed(6, 0, 0x7f, false).protocol, 0x70);
    }

    #[test]
    fn version_1_is_not_spoken() {
        let offer = Offer { version: 1, actions: 0x3f, protocol: 0x7f };
        assert_eq!(Agreed::on(offer, Wants { message: true }), Err(VersionError(1)));
    }

    #[test]
    fn symbol_lists_are_sent_where_they_are_understood() {
        let mut out = Vec::new();
        agreed(6, 0xff, 0, true).write(&mut out);
        assert_eq!(out.len(), 17);
        agreed(6, 0x1ff, 0, true).write(&mut out);
        assert!(out.windows(15).any(|w| w == b"\0\0\0\x05i {msg_id}\0"));
    }
}

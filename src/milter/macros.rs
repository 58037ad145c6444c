//! Macros: what the MTA tells beside its commands, and for how long it holds.

#![deny(clippy::disallowed_methods)]

use std::net::IpAddr;

use super::command::{Strings, ip_address};
use crate::metrics::METRICS;
use crate::{limits, text};

/// Octets of one value; there are never more than eight.
const VALUE_OCTETS: usize = limits::MACRO_OCTETS / 8;

/// The macros that mean something here, by the stage until whose next frame they hold.
#[derive(Debug, Default)]
pub struct Macros {
    /// Of the connection.
    pub connection: OfConnection,
    /// Of the HELO: TLS began before it.
    pub helo: OfHelo,
    /// Of the mail that is about to begin; a transaction takes them with it.
    pub mail: OfMail,
    /// Whether the MTA itself refused the recipient that comes next.
    pub recipient_refused: bool,
}

/// What holds until the SMTP session ends.
#[derive(Debug, Default)]
pub struct OfConnection {
    /// `{daemon_name}`.
    pub daemon_name: Option<String>,
    /// `{client_addr}`, for an MTA that does not send `C`.
    pub client_address: Option<IpAddr>,
}

/// What holds until the next HELO.
#[derive(Debug, Default)]
pub struct OfHelo {
    /// `{tls_version}`.
    pub tls_version: Option<String>,
    /// `{cipher}`.
    pub cipher: Option<String>,
}

/// What holds for one mail.
#[derive(Debug, Default)]
pub struct OfMail {
    /// `i`.
    pub queue_id: Option<String>,
    /// `{auth_authen}`.
    pub auth_user: Option<String>,
}

impl Macros {
    /// Takes a frame of macros that precedes the command `stage`. It replaces all that was known of this stage and
    /// the later ones. `queue_id` is that of the open transaction, if there is one: it comes at any stage, and stays.
    pub fn take(&mut self, stage: u8, pairs: Strings<'_>, queue_id: Option<&mut Option<String>>) {
        self.forget_from(stage);
        // Postfix sends one frame before each header field and each piece of the body, and nothing new in it.
        if queue_id.as_ref().is_some_and(|id| id.is_some())
            && matches!(stage, b'L' | b'B' | b'N' | b'T' | b'E')
        {
            return;
        }
        let mut queue_id = if stage == b'M' { None } else { queue_id };
        let mut strings = pairs;
        while let (Some(name), Some(value)) = (strings.next(), strings.next()) {
            match without_braces(name) {
                b"i" => match &mut queue_id {
                    Some(known) => {
                        if known.is_none() {
                            **known = kept(value);
                        }
                    }
                    None => self.mail.queue_id = kept(value),
                },
                b"rcpt_mailer" => self.recipient_refused = stage == b'R' && value == b"error",
                b"auth_authen" => self.mail.auth_user = kept(value),
                b"tls_version" => self.helo.tls_version = kept(value),
                b"cipher" => self.helo.cipher = kept(value),
                b"daemon_name" => self.connection.daemon_name = kept(value),
                b"client_addr" => self.connection.client_address = ip_address(value),
                _ => {}
            }
        }
    }

    fn forget_from(&mut self, stage: u8) {
        if stage == b'C' {
            self.connection = OfConnection::default();
        }
        if matches!(stage, b'C' | b'H') {
            self.helo = OfHelo::default();
        }
        if matches!(stage, b'C' | b'H' | b'M') {
            self.mail = OfMail::default();
        }
        self.recipient_refused = false;
    }
}

impl OfHelo {
    /// Protocol and cipher, where there is TLS.
    pub fn tls(&self) -> Option<String> {
        let version = self.tls_version.as_deref()?;
        Some(match &self.cipher {
            Some(cipher) => format!("{version} {cipher}"),
            None => version.to_owned(),
        })
    }
}

/// Postfix 3.1.0 to 3.1.4 put one-letter names in braces too.
fn without_braces(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"{").and_then(|name| name.strip_suffix(b"}")).unwrap_or(name)
}

/// The value, unless it says nothing. A value beyond the limit is left out whole: half a name could be another's.
fn kept(value: &[u8]) -> Option<String> {
    if value.len() > VALUE_OCTETS {
        METRICS.limits_exceeded.with_label_values(&["macro"]).inc();
        tracing::warn!(octets = value.len(), "a macro longer than {VALUE_OCTETS} bytes is ignored");
        return None;
    }
    (!value.is_empty()).then(|| text::from_bytes(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::command::Command;
    use super::super::frame::Frame;
    use super::*;

    fn take(macros: &mut Macros, payload: &[u8], queue_id: Option<&mut Option<String>>) {
        match Command::parse(Frame { command: b'D', payload }).unwrap() {
            Command::Macros { stage, pairs } => macros.take(stage, pairs, queue_id),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_may_have_braces_and_the_tail_may_be_broken() {
        let mut macros = Macros::default();
        take(&mut macros, b"M{i}\0A1\0{auth_authen}\0anna\0odd\0", None);
        assert_eq!(macros.mail.queue_id.as_deref(), Some("A1"));
        assert_eq!(macros.mail.auth_user.as_deref(), Some("anna"));
        take(&mut macros, b"Mi\0no final nul", None);
        assert_eq!((macros.mail.queue_id, macros.mail.auth_user), (None, None));
    }

    #[test]
    fn the_queue_id_may_come_late_and_stays() {
        let (mut macros, mut id) = (Macros::default(), None);
        take(&mut macros, b"R{rcpt_mailer}\0smtp\0", Some(&mut id));
        assert_eq!(id, None);
        take(&mut macros, b"Ti\0A1\0", Some(&mut id));
        take(&mut macros, b"Ei\0A2\0", Some(&mut id));
        assert_eq!(id.as_deref(), Some("A1"));
    }

    #[test]
    fn the_next_mail_does_not_touch_the_open_one() {
        let (mut macros, mut id) = (Macros::default(), Some("A1".to_owned()));
        take(&mut macros, b"Mi\0A2\0", Some(&mut id));
        assert_eq!((id.as_deref(), macros.mail.queue_id.as_deref()), (Some("A1"), Some("A2")));
    }

    #[test]
    fn a_stage_forgets_itself_and_what_is_later() {
        let mut macros = Macros::default();
        take(&mut macros, b"C{daemon_name}\0gw\0", None);
        take(&mut macros, b"H{tls_version}\0TLSv1.3\0{cipher}\0AES\0", None);
        assert_eq!(macros.helo.tls().as_deref(), Some("TLSv1.3 AES"));
        take(&mut macros, b"H", None);
        assert_eq!(macros.helo.tls(), None);
        assert_eq!(macros.connection.daemon_name.as_deref(), Some("gw"));
        take(&mut macros, b"R{rcpt_mailer}\0error\0", None);
        assert!(macros.recipient_refused);
        take(&mut macros, b"R", None);
        assert!(!macros.recipient_refused);
    }

    #[test]
    fn a_value_beyond_the_limit_is_left_out() {
        let mut macros = Macros::default();
        let long = [b"M{auth_authen}\0", &[b'a'; VALUE_OCTETS + 1][..], b"\0"].concat();
        take(&mut macros, &long, None);
        assert_eq!(macros.mail.auth_user, None);
    }
}

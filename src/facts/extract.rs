//! Extraction: a mail becomes facts; the only file that names `mail_parser`.

#![deny(clippy::disallowed_methods)]

use std::sync::Arc;

use mail_parser::HeaderValue;
use mail_parser::decoders::charsets::DecoderFnc;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::parsers::MessageStream;

use super::parts::{self, Parts};
use super::section::Section;
use super::{Defect, Fact, Facts, Header, Needs, Recipient, direction, forwarding};
use crate::address::Address;
use crate::mail::Mail;
use crate::organisation::Organisation;
use crate::{limits, text};

/// The facts of a mail: all that stand in the mail itself. Whether the message was seen before is not asked here.
pub fn extract(mail: &Mail, organisation: &Arc<Organisation>, needs: Needs) -> Facts {
    let message = &mail.message;
    let mut defects = Defects::default();
    if message.truncated() {
        defects.add(Defect::Truncated);
    }
    let mut section =
        Section::split(message.bytes.get(..message.body_at).unwrap_or(&message.bytes), 0, |_| false);
    section.body_at = message.body_at;
    let header = Header::read(&section, &mut defects);
    let parts = if needs.body || needs.text {
        parts::walk(&message.bytes, &section, needs.text, &mut defects)
    } else {
        Parts::default()
    };
    let recipients: Vec<_> = mail
        .envelope
        .recipients
        .iter()
        .map(|recipient| Recipient {
            address: recipient.address.clone(),
            inside: organisation.owns(&recipient.address),
        })
        .collect();
    let (from_inside, direction) = direction::decide(mail, organisation, &recipients);
    Facts {
        organisation: organisation.clone(),
        arrived: mail.arrived,
        direction,
        from_inside,
        client: mail.client.clone(),
        queue_id: mail.queue_id.clone(),
        sender: mail.envelope.sender.clone(),
        recipients,
        size: message.size,
        traces: forwarding::traces(&header, &mail.envelope.sender),
        header,
        attachments: parts.attachments,
        text: parts.text,
        identity: None,
        seen: Fact::NotGathered,
        answered: Fact::NotGathered,
        defects: defects.0,
    }
}

/// What was odd, each thing once.
#[derive(Debug, Default)]
pub(super) struct Defects(Vec<Defect>);

impl Defects {
    pub(super) fn add(&mut self, defect: Defect) {
        if !self.0.contains(&defect) {
            self.0.push(defect);
        }
    }

    /// The text, cut at `octets` and then marked as odd.
    pub(super) fn cut(&mut self, text: &str, octets: usize) -> String {
        let kept = text::truncate(text, octets);
        if kept.len() < text.len() {
            self.add(Defect::Cut);
        }
        kept.to_owned()
    }
}

/// The addresses in a field such as From, groups (RFC 5322 §3.4) and all; what names no mailbox is left out.
pub fn addresses(value: &str) -> Vec<Address> {
    // The parser gives its last token out at a line end alone.
    let value = format!("{}\n", text::truncate(value, limits::ADDRESS_FIELD_OCTETS));
    let parsed = MessageStream::new(value.as_bytes()).parse_address();
    let HeaderValue::Address(list) = parsed else { return Vec::new() };
    list.iter().filter_map(|mailbox| Address::parse(mailbox.address()?)).collect()
}

/// The decoder for the charset of that label.
pub(super) fn charset(label: &[u8]) -> Option<DecoderFnc> {
    charset_decoder(label)
}

//! Grammar that a library reads for us: addresses. One of two files that name `mail_parser`.

#![deny(clippy::disallowed_methods)]

use mail_parser::HeaderValue;
use mail_parser::parsers::MessageStream;

use crate::address::Address;
use crate::{limits, text};

/// The addresses in a field such as From, groups (RFC 5322 §3.4) and all; what names no mailbox is left out.
pub fn addresses(value: &str) -> Vec<Address> {
    // The parser gives its last token out at a line end alone.
    let value = format!("{}\n", text::truncate(value, limits::ADDRESS_FIELD_OCTETS));
    let parsed = MessageStream::new(value.as_bytes()).parse_address();
    let HeaderValue::Address(list) = parsed else { return Vec::new() };
    list.iter().filter_map(|mailbox| Address::parse(mailbox.address()?)).collect()
}

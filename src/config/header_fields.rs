//! What the log keeps of the header beside From and Subject: nothing, unless the organisation wants it.

#![deny(clippy::disallowed_methods)]

use crate::facts::Header;
use crate::record::Record;
use crate::text::words;

words! {
    /// One field, or a part of one.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum HeaderField {
        /// What stands in From beside the addresses.
        DisplayName = "display-name",
        /// The addresses in To.
        To = "to",
        /// In Cc.
        Cc = "cc",
        /// In Reply-To.
        ReplyTo = "reply-to",
    }
}

impl HeaderField {
    /// Puts into the record what the header has of it.
    pub fn keep(self, record: &mut Record, header: &Header) {
        match self {
            Self::DisplayName => record.header_from_name = unquoted(header.author_names()),
            Self::To => record.header_to = header.people("To"),
            Self::Cc => record.header_cc = header.people("Cc"),
            Self::ReplyTo => record.header_reply_to = header.people("Reply-To"),
        }
    }
}

/// A name as mail programs show it: without the quotes around the whole of it.
fn unquoted(name: String) -> String {
    let inner = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.filter(|inner| !inner.contains('"')).map(str::to_owned).unwrap_or(name)
}

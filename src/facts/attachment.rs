//! Attachments: what a message carries beside its text.

#![deny(clippy::disallowed_methods)]

/// One attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its place: `2` is the second part, `2.1` the first part inside it (as IMAP numbers them, RFC 9051 §6.4.5).
    pub path: String,
    /// Its decoded name as sent (RFC 2231, RFC 2047 in the wild), directories and all, on one line; empty where it
    /// has none. A message has its subject for a name if it has no other, as mail programs show it: `Subject.eml`.
    pub name: String,
    /// The declared media type, lower case, without parameters.
    pub media_type: String,
    /// Octets after the transfer encoding is undone.
    pub size: u64,
    /// Whether its content can be read.
    pub state: State,
}

/// Whether the content of a part can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// In the clear.
    Plain,
    /// It could not be read, for this reason.
    Uninspectable(Reason),
}

/// Why a part could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Nobody knows its transfer encoding.
    Encoding,
    /// It is a multipart whose parts cannot be told apart.
    Structure,
    /// It lies beyond a limit.
    Limit,
}

impl State {
    /// The word for it in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Uninspectable(_) => "uninspectable",
        }
    }

    /// The reason's word, where there is one.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Uninspectable(Reason::Encoding) => Some("encoding"),
            Self::Uninspectable(Reason::Structure) => Some("structure"),
            Self::Uninspectable(Reason::Limit) => Some("limit"),
        }
    }
}

//! The central log: one PostgreSQL, to which every gateway sends its log and from which a host that may can read it.
//!
//! Contract: mail never waits for it. The node's own files are the queue: what the centre does not have yet is sent again
//! from there, once and in order, however often either side is killed or the centre is restored from an older dump. A node
//! may only add: it can neither read nor change what is there.

pub mod admin;
mod calls;
pub mod claims;
mod connect;
pub mod holds;
mod letters;
pub mod memory;
pub mod replicate;
pub mod shipper;
pub mod status;

use std::error::Error as _;

use tokio_postgres::error::SqlState;

use crate::limits;
use crate::store::ship::ShipReadError;

/// Why something at the centre could not be done.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says it")]
pub enum CentralError {
    #[error("{0}")]
    Password(String),
    #[error("{0}")]
    Certificates(String),
    #[error("no server can be reached: {0}")]
    Unreachable(String),
    #[error("no answer within {} s", limits::CENTRAL_CALL_TIME.as_secs())]
    Late,
    #[error("the connection broke: {0}")]
    Lost(String),
    #[error("{message}{}{}", if hint.is_empty() { "" } else { "; " }, hint)]
    Refused { code: String, message: String, hint: String, detail: Option<u64> },
    #[error(
        "the centre has {there} leaves of epoch {epoch}, and the log here has {here}: it was restored without its newest tree heads"
    )]
    Ahead { epoch: u32, here: u64, there: u64 },
    #[error(
        "the centre has other leaves of epoch {epoch}: another machine writes as this node, or the log was changed"
    )]
    Forked { epoch: u32 },
    #[error(transparent)]
    Local(#[from] ShipReadError),
}

impl CentralError {
    /// Its name, for the metric and for `central status`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Password(_) => "password",
            Self::Certificates(_) => "certificates",
            Self::Unreachable(_) => "unreachable",
            Self::Late => "late",
            Self::Lost(_) => "lost",
            Self::Ahead { .. } => "ahead",
            Self::Forked { .. } => "forked",
            Self::Local(_) => "local",
            Self::Refused { code, .. } => match code.as_str() {
                "PV001" | "28P01" | "28000" | "42501" => "login",
                "PV002" => "node",
                "PV003" => "forked",
                "PV004" => "leaf",
                "PV005" => "untold",
                "PV006" => "young",
                // No schema, no function, no table.
                "3F000" | "42883" | "42P01" => "schema",
                // A value that the schema does not take: of a row, and not of the connection.
                code if code.starts_with("22") || code.starts_with("23") => "data",
                _ => "refused",
            },
        }
    }

    /// Whether it is about one tree: the others are sent all the same.
    fn is_of_a_tree(&self) -> bool {
        matches!(self.name(), "ahead" | "forked" | "leaf" | "data" | "local")
    }

    /// Whether it is about one run of retention.
    fn is_of_a_run(&self) -> bool {
        matches!(self.name(), "untold" | "young")
    }
}

impl From<tokio_postgres::Error> for CentralError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(said) = error.as_db_error() else { return Self::Lost(chain(&error)) };
        if [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW]
            .contains(said.code())
        {
            return Self::Lost(said.message().to_owned());
        }
        Self::Refused {
            code: said.code().code().to_owned(),
            message: said.message().to_owned(),
            hint: said.hint().unwrap_or_default().to_owned(),
            detail: said.detail().and_then(|detail| detail.parse().ok()),
        }
    }
}

/// The error with all that is behind it: the library's own sentences say little.
fn chain(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// What `decode(…, 'escape')` reads: a backslash doubled, a NUL as three digits.
fn unescaped(text: &str) -> String {
    text.replace("\\\\", "\u{0}b")
        .replace("\\000", "\u{0}n")
        .replace("\u{0}b", "\\")
        .replace("\u{0}n", "\u{0}")
}

//! The config in force: parsed, checked, immutable. `raw` is the file as serde sees it, `check` its meaning; whoever
//! holds a [`Config`] holds one without mistakes.

pub mod check;
pub mod raw;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::facts::Needs;
pub use crate::milter::listener::{Listen, ListenAddress};
use crate::organisation::Organisation;
use crate::policy::{Mode, RulePolicy};
use crate::rules::Rule;

/// Everything that an admin can set.
#[derive(Debug)]
pub struct Config {
    /// Who is inside.
    pub organisation: Arc<Organisation>,
    /// The zone of the log's local times and of days in decisions.
    pub time_zone: TimeZone,
    /// Sockets.
    pub server: Server,
    /// The log.
    pub store: Store,
    /// Where receipts and notices are handed over.
    pub smtp: Option<Smtp>,
    /// The rules with their policies, those that are off left out.
    pub rules: Vec<(Box<dyn Rule>, RulePolicy)>,
    /// The first 16 hex digits of the file's SHA-256; every record has it.
    pub hash: String,
    /// What is allowed but will surprise: expired exceptions and the like, each with its place.
    pub warnings: Vec<String>,
}

/// `[server]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The name of this node in record ids.
    pub node: String,
    /// Where the MTA connects.
    pub listen: Vec<Listen>,
    /// Where metrics and health are served.
    pub metrics: Option<std::net::SocketAddr>,
}

/// `[store]`. There is no choice about failure: mail whose record cannot be stored is put off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// Where the log's files are.
    pub directory: PathBuf,
}

/// `[smtp]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smtp {
    /// A loopback smtpd without this milter.
    pub submit: std::net::SocketAddr,
}

impl Config {
    /// What the enabled rules need.
    pub fn needs(&self) -> Needs {
        self.rules.iter().fold(Needs::default(), |needs, (rule, _)| needs.union(rule.needs()))
    }

    /// Whether any rule acts.
    pub fn enforces(&self) -> bool {
        self.rules.iter().any(|(_, policy)| policy.mode == Mode::Enforce)
    }
}

//! The active config: parsed, checked, immutable. A [`Config`] has no errors.
//!
//! Reading order: `load` (the file's bytes; the only file here that touches the world), `raw` (TOML to
//! [`crate::settings`]), `include` (several files to one), `check` (what the tables mean), `listen`, `notices`,
//! `policies` and `receipts` (parts of that), `reference` (the
//! documentation of every key).

#![deny(clippy::disallowed_methods)]

mod authorities;
pub mod central;
mod changes;
pub mod check;
mod console;
mod context;
mod custom;
pub mod directory;
mod exceptions;
mod external;
mod groups;
mod include;
mod listen;
pub mod header_fields;
mod held;
pub mod mail_tests;
pub mod minimise;
mod notices;
pub mod load;
mod policies;
pub mod records;
pub mod raw;
mod receipts;
pub mod reference;
mod sensitive;
pub mod services;
mod told;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::address::Address;
use crate::facts::Needs;
use crate::limits;
pub use crate::milter::listener::{Listen, ListenAddress, SocketAccess};
use crate::notice::NoticeSettings;
use crate::organisation::Organisation;
use crate::policy::receipts::RateLimits;
use crate::policy::{Actions, Exception, External, Mode, RulePolicy};
use crate::rules::Rule;
pub use crate::settings::files::{Files, NoFiles};
pub use crate::settings::problem::{Problem, Problems};
pub use central::Central;
pub use console::{Console, ConsoleListen, Grant, OpenId, Proxy, Role};
use header_fields::HeaderField;
pub use held::Held;
use mail_tests::MailTest;
use minimise::{Covered, Minimise};

/// Everything that an admin can set.
#[derive(Debug)]
pub struct Config {
    /// The organisation: its domains and networks.
    pub organisation: Arc<Organisation>,
    /// The zone of the log's local times and of days in decisions.
    pub time_zone: TimeZone,
    /// Sockets.
    pub server: Server,
    /// The log.
    pub store: Store,
    /// What is masked where a record leaves the organisation.
    pub disclosure: Disclosure,
    /// Where receipts and notices are handed over.
    pub smtp: Option<Smtp>,
    /// Who acts on held mail, and what becomes of it.
    pub held: Held,
    /// The web console; absent where there is none.
    pub console: Option<Console>,
    /// The central log; absent where there is none.
    pub central: Option<Central>,
    /// How they are written; absent where nothing is sent.
    pub notice_settings: Option<NoticeSettings>,
    /// Whether mail from outside is authenticated even where no rule needs it: `[authentication]` is there.
    pub authenticate: bool,
    /// The DNS resolvers for sender authentication.
    pub dns: services::Dns,
    /// The scanners for inbound mail.
    pub scanners: services::Scanners,
    /// Where Postfix writes its log; absent where it is not read.
    pub mail_log: Option<MailLog>,
    /// What recognises text in pictures; absent where nothing does.
    pub ocr: Option<services::Ocr>,
    /// How mail from outside is marked as such; absent where it is not.
    pub external: Option<External>,
    /// The groups whose members a directory knows, those that nothing names left out.
    pub directories: Vec<directory::DirectoryGroup>,
    /// The rules with their policies, those that are off left out; custom rules come last.
    pub rules: Vec<(Box<dyn Rule>, RulePolicy)>,
    /// Mail, and how it must be judged.
    pub tests: Vec<MailTest>,
    /// What they and the log need. The log records size and attachment names of every mail, so every body is read.
    pub needs: Needs,
    /// The first 16 hex digits of the SHA-256 of the file and of those that it includes or names; every record has it.
    pub hash: String,
    /// What is allowed but will surprise: expired exceptions and the like, each with its place.
    pub warnings: Vec<Problem>,
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
    /// Octets that mail in progress may take.
    pub memory: Option<u64>,
}

/// `[store]`. The action on failure is fixed: mail whose record cannot be stored is deferred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// Where the log's files are.
    pub directory: PathBuf,
    /// Its tree heads.
    pub heads: Heads,
    /// Whether the names of what is inside archives are recorded too.
    pub nested: bool,
    /// For how long records are kept, by whose decision.
    pub retention: Vec<Retention>,
    /// For how long the entries of the access log are kept; for ever where nothing is decided.
    pub access_retention: Option<Retention>,
    /// Whose mail leaves no subject and no names of attachments.
    pub minimise: Option<Minimise>,
    /// What is kept of the header beside From and Subject.
    pub header_fields: Vec<HeaderField>,
    /// Who may read it for which reason.
    pub access: Access,
}

/// `[store.access]`: what may be read of the log, and for which reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// With what a purpose has to begin; anything where there is none.
    pub purposes: Vec<String>,
    /// Addresses inside that are no person's.
    pub functions: Vec<Address>,
    /// Days that a search for operation may cover.
    pub days: u32,
    /// Rows that it may show.
    pub rows: u32,
    /// Whether a decision counts only when a second person has approved it.
    pub four_eyes: bool,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            purposes: Vec::new(),
            functions: Vec::new(),
            days: limits::OPERATION_DAYS,
            rows: limits::OPERATION_ROWS,
            four_eyes: false,
        }
    }
}

/// `[[store.retention]]`: the period of one authority. `[store.access_retention]`: that of the access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The authority.
    pub authority: String,
    /// Its mailboxes; none in the period of the access log.
    pub mailboxes: Vec<Covered>,
    /// How long its records are kept.
    pub keep: Duration,
    /// The reference of the decision.
    pub decision: String,
}

/// `[store.heads]`: what proves later that the log is as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heads {
    /// How often one is signed, if there is anything new.
    pub every: Duration,
    /// A file that each is copied to.
    pub file: Option<PathBuf>,
    /// The socket of the system's log, which is told of each.
    pub syslog: Option<PathBuf>,
    /// Who gets the newest ones by mail.
    pub mail: Option<HeadMail>,
    /// The private key; without it the store makes its own.
    pub key: Option<PathBuf>,
}

impl Heads {
    /// Signed that often, and copied nowhere.
    pub fn signed_every(every: Duration) -> Self {
        Self { every, file: None, syslog: None, mail: None, key: None }
    }
}

/// `[store.heads]` `mail`, with what a letter is written with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadMail {
    /// The mailbox.
    pub to: Address,
    /// Between two notices, if there is anything new.
    pub every: Duration,
    /// How notices are written.
    pub notices: NoticeSettings,
    /// In whose name.
    pub organisation: String,
}

/// `[disclosure]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disclosure {
    /// Words that an export with the profile `disclose` masks.
    pub words: Vec<String>,
    /// Mailboxes whose mail it shows without names.
    pub mailboxes: Vec<minimise::Covered>,
    /// Whether it leaves that mail out instead.
    pub leaves_out: bool,
}

/// `[postfix]` `log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailLog {
    /// A file, with those that it was before beside it.
    File(PathBuf),
    /// systemd's journal.
    Journal,
}

/// `[smtp]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smtp {
    /// A loopback smtpd without this milter.
    pub submit: std::net::SocketAddr,
    /// Until the first try after one that failed; each later pause is twice as long, up to an hour.
    pub retry: Duration,
    /// For so long it is tried.
    pub max_age: Duration,
    /// Until a reply comes.
    pub timeout: Duration,
}

/// What a config depends on beside its own text.
#[derive(Clone, Copy, Debug)]
pub struct ParseContext<'a> {
    /// The file's name in messages.
    pub file: &'a str,
    /// The host's name, from which the node has its own where the config does not say.
    pub host: &'a str,
    /// Now: exceptions that have ended or soon will are warned about.
    pub now: Timestamp,
    /// The files that it names.
    pub files: &'a dyn Files,
}

impl Config {
    /// The config in the bytes of a file. Pure; [`Config::load`] reads the file.
    pub fn parse(bytes: &[u8], around: &ParseContext<'_>) -> Result<Self, Problems> {
        let (table, report) = include::parse(bytes, around);
        let config = table.and_then(|table| check::config(&table, &report, around));
        let hash = raw::hash(bytes, &report.bytes_read());
        let warnings = report.finish()?;
        match config {
            Some(config) => Ok(Self { hash, warnings, ..config }),
            None => Err(raw::unexplained(around.file)),
        }
    }

    /// Whether any rule acts.
    pub fn enforces(&self) -> bool {
        self.rules.iter().any(|(_, policy)| policy.all().any(|policy| policy.mode == Mode::Enforce))
    }

    /// How many receipts there may be, where any are sent.
    pub fn receipt_ceilings(&self) -> Option<&RateLimits> {
        self.rules.iter().find_map(|(_, policy)| match &policy.actions {
            Actions::Receipt(receipts) => Some(&receipts.ceilings),
            Actions::Forward(_)
            | Actions::Content(_)
            | Actions::Virus(_)
            | Actions::Sender(_)
            | Actions::Attachment(_)
            | Actions::Sensitive(_)
            | Actions::Mark(_) => None,
        })
    }

    /// Every exception there is, with the rule that it is one of.
    pub fn exceptions(&self) -> impl Iterator<Item = (&str, &Exception)> {
        self.rules
            .iter()
            .flat_map(|(rule, policy)| policy.exceptions.iter().map(move |exception| (rule.id(), exception)))
    }
}

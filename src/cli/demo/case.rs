//! The corpus: sample mail, each case beside what is expected of it. It is inside the binary.

use anyhow::Context as _;
use bytes::Bytes;
use include_dir::{Dir, include_dir};
use serde::Deserialize;

use crate::address::{Address, ReversePath};
use crate::facts::transaction::message_from_file;
use crate::mail::{Client, Direction, Envelope, Mail, Message, Recipient};

use super::mta::Session;

static CORPUS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/corpus");

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its file's name, without ending.
    pub name: String,
    /// What it shows, and what is expected.
    pub sheet: Sheet,
    /// The message.
    pub message: Message,
}

/// The sheet beside a message.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    /// One sentence.
    pub about: String,
    /// The transaction.
    pub mail: Transaction,
    /// What is expected of it.
    pub expect: Expect,
}

/// A transaction.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transaction {
    /// The client's address; absent for a mail from the gateway itself.
    #[serde(default)]
    pub client: Option<std::net::IpAddr>,
    /// What it says in EHLO.
    #[serde(default)]
    pub helo: Option<String>,
    /// The authenticated user.
    #[serde(default)]
    pub auth: Option<String>,
    /// `{daemon_name}`.
    #[serde(default)]
    pub daemon_name: Option<String>,
    /// The direction that the listener fixes.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// Envelope sender; empty for the null sender.
    pub sender: String,
    /// Envelope recipients.
    pub recipients: Vec<String>,
}

/// What is expected.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Which way.
    pub direction: Direction,
    /// The verdict's word.
    pub verdict: String,
    /// `rule=grade`, in any order.
    pub findings: Vec<String>,
    /// Decoded subject; absent where the message has none.
    #[serde(default)]
    pub subject: Option<String>,
    /// Names of attachments, in their order; empty for a part without one.
    pub attachments: Vec<String>,
    /// Message-ID; absent where the message has none.
    #[serde(default)]
    pub message_id: Option<String>,
    /// Edits as `explain` words them, up to where the sheet stops; the record's id is implied.
    #[serde(default)]
    pub edits: Vec<String>,
    /// What becomes of its receipts: `registrator@exempelby.se=queued`, or `…=suppressed` and the reason, `; ` between;
    /// absent where nobody asks.
    #[serde(default)]
    pub receipt: Option<String>,
    /// What is odd about it, in any order.
    #[serde(default)]
    pub defects: Vec<String>,
}

impl Case {
    /// Every case, in the order of their names.
    pub fn all() -> anyhow::Result<Vec<Self>> {
        Self::of(&CORPUS)
    }

    /// Those that tell what the program is for, in the order of their names.
    pub fn story() -> anyhow::Result<Vec<Self>> {
        Self::of(CORPUS.get_dir("story").context("the story is missing")?)
    }

    fn of(directory: &Dir<'static>) -> anyhow::Result<Vec<Self>> {
        let mut files: Vec<_> =
            directory.files().filter(|file| file.path().extension().is_some_and(|e| e == "toml")).collect();
        files.sort_by_key(|file| file.path());
        files.into_iter().map(Self::read).collect()
    }

    fn read(sheet: &include_dir::File<'_>) -> anyhow::Result<Self> {
        let path = sheet.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let message =
            CORPUS.get_file(path.with_extension("eml")).with_context(|| format!("{name} has no message"))?;
        let text = sheet.contents_utf8().with_context(|| format!("{name} is not UTF-8"))?;
        let sheet = toml::from_str(text).with_context(|| format!("{name} cannot be read"))?;
        Ok(Self { name, sheet, message: message_from_file(message.contents()) })
    }

    /// The SMTP session that the case comes in.
    pub fn session(&self) -> Session {
        let mail = &self.sheet.mail;
        Session {
            client: mail.client,
            helo: mail.helo.clone().unwrap_or_else(|| "client.example.org".to_owned()),
            auth: mail.auth.clone(),
            daemon_name: mail.daemon_name.clone(),
        }
    }

    /// Its envelope.
    pub fn envelope(&self) -> Envelope {
        let mail = &self.sheet.mail;
        let recipient = |text: &String| {
            Some(Recipient { raw: Bytes::from(format!("<{text}>")), address: Address::parse(text)? })
        };
        Envelope {
            sender: ReversePath::from_wire(mail.sender.as_bytes()),
            smtputf8: false,
            recipients: mail.recipients.iter().filter_map(recipient).collect(),
        }
    }

    /// The mail as the wire would hand it over.
    pub fn mail(&self, arrived: jiff::Timestamp) -> Mail {
        let session = self.session();
        Mail {
            arrived,
            listener_direction: self.sheet.mail.direction,
            client: Client {
                name: Some(session.name()),
                address: session.client,
                helo: Some(session.helo),
                auth_user: session.auth,
                tls: None,
                daemon_name: session.daemon_name,
            },
            envelope: self.envelope(),
            queue_id: None,
            message: self.message.clone(),
        }
    }
}

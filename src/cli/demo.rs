//! The demonstration: the real server on a socket of its own, a store in a directory of its own, and the corpus
//! through the wire. It needs nothing installed, and it checks itself: what the wire answered is compared with what
//! `explain` says and with what each case expects.

pub mod case;
mod console;
pub mod mta;
mod story;

use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::explain;
use super::{CONFIG, NO, YES, write_table};
use crate::answer::Edit;
use crate::config::Config;
use crate::daemon::Daemon;
use crate::effects;
use crate::facts::pass;
use crate::gather::Sources;
use crate::mail::Direction;
use crate::milter::listener::HandedOver;
use crate::pipeline::trial::{self, Explained};
use crate::policy::Ruling;
use crate::policy::receipts::Receipt;
use crate::record::RecordId;
use crate::worker::pool::{OWN_PROGRAM, Workers};
use case::Case;
use mta::{Heard, Mta};

/// `demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Play every sample mail and print a table, instead of the eight mails that show what Postvakt does.
    #[arg(long)]
    all: bool,
    /// Keep the config and the log in this directory.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Print one JSON object for each mail, and nothing else.
    #[arg(long)]
    json: bool,
    /// Open the web console over the log, on this host alone, and print a link to sign in with. Ctrl-C ends it.
    #[arg(long, conflicts_with = "json")]
    console: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<u8> {
    let temporary = tempfile::Builder::new().prefix("postvakt-demo-").tempdir()?;
    let directory = args.keep.as_deref().unwrap_or(temporary.path());
    std::fs::create_dir_all(directory)?;
    let directory = directory.canonicalize()?;
    let path = directory.join("postvakt.toml");
    let mut text = if args.all { config_text(&directory)? } else { story_config_text(&directory)? };
    if args.console {
        text.push_str(&console::config_text()?);
    }
    std::fs::write(&path, text)?;
    let config = match Config::load(&path) {
        Ok(config) => config,
        Err(problems) => {
            eprint!("{problems}");
            return Ok(CONFIG);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let cases = if args.all { Case::all()? } else { Case::story()? };
    let (played, daemon) =
        runtime.block_on(start_and_play(config, &directory, Path::new(OWN_PROGRAM), cases))?;
    let daemon = if args.console {
        Some(daemon)
    } else {
        runtime.block_on(daemon.stop());
        None
    };
    let failures: Vec<&Played> = played.iter().filter(|played| !played.wrong.is_empty()).collect();
    if args.json {
        let mut out = io::stdout().lock();
        for played in &played {
            writeln!(out, "{}", played.to_json())?;
        }
    } else if args.all {
        print(&played, &path, args.keep.is_some())?;
    } else {
        story::print(&mut io::stdout().lock(), &played, &path, args.keep.as_deref())?;
    }
    for played in &failures {
        for wrong in &played.wrong {
            eprintln!("{}: {wrong}", played.case.name);
        }
    }
    if let Some(daemon) = daemon {
        let config = Config::load(&path).map_err(|problems| anyhow::anyhow!("{problems}"))?;
        let served = runtime.block_on(console::serve(&config, &path, &directory));
        runtime.block_on(daemon.stop());
        served?;
    }
    Ok(if failures.is_empty() { YES } else { NO })
}

/// A case, played.
pub struct Played {
    /// The case.
    pub case: Case,
    /// What `explain` says of it.
    pub explained: Explained,
    /// What the wire answered.
    pub heard: Heard,
    /// The id of its record, as the header that was inserted or the refusal has it.
    pub record: Option<RecordId>,
    /// What is not as expected.
    pub wrong: Vec<String>,
}

/// Starts the server, plays the cases, and stops it. `program` is this program, for its workers.
pub async fn play(
    config: Config,
    directory: &Path,
    program: &Path,
    cases: Vec<Case>,
) -> anyhow::Result<Vec<Played>> {
    let (played, daemon) = start_and_play(config, directory, program, cases).await?;
    daemon.stop().await;
    Ok(played)
}

/// Starts the server and plays the cases.
async fn start_and_play(
    config: Config,
    directory: &Path,
    program: &Path,
    cases: Vec<Case>,
) -> anyhow::Result<(Vec<Played>, Daemon)> {
    let again = Arc::new(
        Config::load(&directory.join("postvakt.toml")).map_err(|problems| anyhow::anyhow!("{problems}"))?,
    );
    let daemon = Daemon::start(config, Workers::of(program), HandedOver::default()).await?;
    let sources = Sources::volatile(Workers::of(program));
    let count = cases.len();
    let mut all = Vec::with_capacity(count);
    for (number, case) in cases.into_iter().enumerate() {
        if io::stderr().is_terminal() {
            eprint!("\r{}/{count}", number + 1);
        }
        let mail = Arc::new(case.mail(Timestamp::now()));
        let explained = trial::explain(&mail, &again, &sources).await?;
        let (heard, case) = over_the_wire(case, directory, number).await?;
        all.push(Played::compare(case, explained, heard));
    }
    if io::stderr().is_terminal() {
        eprint!("\r        \r");
    }
    Ok((all, daemon))
}

/// Plays one case from a thread of its own, as an MTA that knows nothing of this process would.
async fn over_the_wire(case: Case, directory: &Path, number: usize) -> anyhow::Result<(Heard, Case)> {
    let socket = directory.join(socket_name(case.sheet.mail.direction));
    tokio::task::spawn_blocking(move || {
        let session = case.session();
        let stream = UnixStream::connect(&socket)?;
        let mut mta = Mta::open(stream, &session)?;
        let heard = mta.deliver(&session, &case.envelope(), &case.message, &format!("DEMO{number:04}"))?;
        mta.quit()?;
        Ok((heard, case))
    })
    .await?
    .map_err(|error: io::Error| anyhow::Error::from(error))
    .context("the server did not answer as it should")
}

impl Played {
    fn compare(case: Case, explained: Explained, heard: Heard) -> Self {
        let record = heard.record();
        let mut played = Self { case, explained, heard, record, wrong: Vec::new() };
        played.wrong = played.differences();
        played
    }

    /// What is not as the case expects, or not as `explain` says.
    fn differences(&self) -> Vec<String> {
        let expect = &self.case.sheet.expect;
        let facts = &self.explained.assessment.facts;
        let names = facts.attachments.iter().map(|attachment| attachment.name.as_str());
        let defects = facts.defects.iter().map(|defect| defect.as_str());
        let explained = Heard {
            edits: self.explained.answer.edits.clone(),
            reply: self.explained.answer.refusal.as_ref().map(ToString::to_string),
        };
        let mut pairs = vec![
            ("direction", facts.direction.to_string(), expect.direction.to_string()),
            ("verdict", self.verdict().to_owned(), expect.verdict.clone()),
            ("findings", sorted(self.findings()), sorted(expect.findings.clone())),
            ("subject", format!("{:?}", facts.header.subject), format!("{:?}", expect.subject)),
            ("Message-ID", format!("{:?}", facts.header.message_id), format!("{:?}", expect.message_id)),
            ("attachments", names.collect::<Vec<_>>().join("; "), expect.attachments.join("; ")),
            ("defects", sorted(defects.map(str::to_owned).collect()), sorted(expect.defects.clone())),
            (
                "the wire's answer",
                format!("{:?}", self.heard.without_id()),
                format!("{:?}", explained.without_id()),
            ),
        ];
        if let Some(receipt) = &expect.receipt {
            pairs.push(("receipt", self.receipts(), receipt.clone()));
        }
        for edit in &expect.edits {
            let done =
                self.heard.edits.iter().any(|heard| explain::describe(heard).starts_with(edit.as_str()));
            pairs.push(("edit", if done { edit.clone() } else { "missing".to_owned() }, edit.clone()));
        }
        let differ = pairs.into_iter().filter(|(_, is, expected)| is != expected);
        differ.map(|(what, is, expected)| format!("{what} is {is}, expected {expected}")).collect()
    }

    fn verdict(&self) -> &'static str {
        self.explained.assessment.decision.verdict.as_str()
    }

    /// The rules that found something.
    fn rules(&self) -> String {
        let rulings = &self.explained.assessment.decision.rulings;
        rulings.iter().map(|ruling| ruling.rule.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn findings(&self) -> Vec<String> {
        let rulings = &self.explained.assessment.decision.rulings;
        rulings.iter().map(|ruling| format!("{}={}", ruling.rule, ruling.grade())).collect()
    }

    /// What becomes of its receipts, without the reference, which depends on the year.
    fn receipts(&self) -> String {
        let word = |receipt: &Receipt| match receipt.suppression {
            Some(silence) => {
                format!("{}={} {}", receipt.mailbox.address, receipt.outcome(), silence.as_str())
            }
            None => format!("{}={}", receipt.mailbox.address, receipt.outcome()),
        };
        let receipts = &self.explained.assessment.decision.receipts;
        receipts.iter().map(word).collect::<Vec<_>>().join("; ")
    }

    /// By what the rules know, for the table.
    fn evidence(&self) -> String {
        let rulings = &self.explained.assessment.decision.rulings;
        rulings.iter().map(Ruling::evidence).collect::<Vec<_>>().join(" · ")
    }

    /// What was done to it, in a few words; the id that every mail gets is left out.
    fn done(&self) -> String {
        let word = |edit: &Edit| match edit {
            Edit::AddHeader { name, .. } | Edit::InsertHeader { name, .. } => format!("+{name}"),
            Edit::ChangeHeader { name, .. } => format!("~{name}"),
            Edit::DeleteHeader { name, .. } => format!("-{name}"),
            Edit::Quarantine { .. } => "quarantine".to_owned(),
            Edit::RemoveRecipient { .. } | Edit::AddRecipient { .. } => explain::describe(edit),
        };
        let edits = self.heard.edits.iter().filter(|edit| !is_id(edit)).map(word);
        edits.chain(self.heard.reply.clone()).collect::<Vec<_>>().join(", ")
    }

    /// The object of `--json`: that of `explain`, with the edits of the wire and the record's id.
    fn to_json(&self) -> Value {
        let mut object = self.explained.to_json(&format!("{}.eml", self.case.name));
        if let Some(fields) = object.as_object_mut() {
            fields.insert("edits".to_owned(), self.heard.edits.iter().map(explain::edit_json).collect());
            fields.insert("reply".to_owned(), json!(self.heard.reply));
            fields.insert("record".to_owned(), json!(self.record.as_ref().map(ToString::to_string)));
        }
        object
    }
}

impl Heard {
    /// The id of the record, from the header field that every accepted mail gets, or from the end of the refusal.
    pub fn record(&self) -> Option<RecordId> {
        let inserted = self.edits.iter().find_map(|edit| match edit {
            Edit::InsertHeader { name, value, .. } if name == effects::ID => pass::id_in(value).parse().ok(),
            _ => None,
        });
        let refused = || self.reply.as_ref()?.rsplit_once('[')?.1.trim_end_matches(']').parse().ok();
        inserted.or_else(refused)
    }

    /// The same without the record's id, which differs from run to run.
    #[must_use]
    pub fn without_id(&self) -> Self {
        let edits = self.edits.iter().filter(|edit| !is_id(edit)).cloned().collect();
        let reply = self.reply.as_ref().map(|reply| match reply.rsplit_once(" [") {
            Some((text, _)) => text.to_owned(),
            None => reply.clone(),
        });
        Self { edits, reply }
    }
}

fn sorted(mut words: Vec<String>) -> String {
    words.sort();
    words.join(", ")
}

fn is_id(edit: &Edit) -> bool {
    matches!(edit, Edit::InsertHeader { name, .. } if name == effects::ID)
}

fn print(played: &[Played], config: &Path, kept: bool) -> anyhow::Result<()> {
    let mut ordered: Vec<&Played> = played.iter().collect();
    ordered.sort_by_key(|played| (number(&played.case.name), played.case.name.as_str()));
    let rows: Vec<Vec<String>> = ordered
        .iter()
        .map(|played| {
            let verdict =
                if played.wrong.is_empty() { played.verdict().to_owned() } else { "WRONG".to_owned() };
            let direction = played.explained.assessment.facts.direction.to_string();
            vec![
                played.case.name.clone(),
                direction,
                verdict,
                played.findings().join(" "),
                played.evidence(),
                played.done(),
            ]
        })
        .collect();
    let head = ["MAIL", "DIRECTION", "VERDICT", "FINDINGS", "EVIDENCE", "WHAT WAS DONE"];
    let mut table = Vec::new();
    write_table(&mut table, io::stdout().is_terminal(), &head, &rows)?;
    let width = columns();
    for line in String::from_utf8_lossy(&table).lines() {
        println!("{}", line.chars().take(width).collect::<String>());
    }
    println!("\nThe log:\n");
    if let Ok(config) = Config::load(config) {
        super::log::print_all(&config)?;
    }
    println!("\nThe receipts, before they are sent, and one of them whole:\n");
    if let Ok(config) = Config::load(config) {
        super::receipts::print_all(&config)?;
    }
    let right = played.iter().filter(|played| played.wrong.is_empty()).count();
    println!(
        "\n{} mails, {right} as expected; each has one record, and the wire answered as `explain` says.",
        played.len()
    );
    if kept {
        println!("Look further: postvakt log search --config {} --purpose demo", config.display());
    }
    Ok(())
}

/// The number at the beginning of a case's name.
fn number(name: &str) -> u32 {
    name.split('-').next().and_then(|number| number.parse().ok()).unwrap_or(u32::MAX)
}

/// How wide the terminal is; what is no terminal has room for everything.
fn columns() -> usize {
    if !io::stdout().is_terminal() {
        return usize::MAX;
    }
    let asked = std::process::Command::new("stty").arg("size").stdin(std::process::Stdio::inherit()).output();
    let said = asked.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    said.split_whitespace()
        .nth(1)
        .and_then(|columns| columns.parse().ok())
        .filter(|n| *n > 40)
        .unwrap_or(usize::MAX)
}

/// The config of the demonstration with every sample mail.
pub fn config_text(directory: &Path) -> anyhow::Result<String> {
    text(directory, "reject", "mark")
}

/// The config of the story: what is sensitive waits for a person.
pub fn story_config_text(directory: &Path) -> anyhow::Result<String> {
    text(directory, "hold", "hold")
}

/// A config with these actions for data of class serious, and for credentials.
fn text(directory: &Path, serious: &str, credentials: &str) -> anyhow::Result<String> {
    let directory = directory.to_str().context("the directory's name is not UTF-8")?;
    let directory = toml::Value::from(directory).to_string();
    let directory = directory.trim_matches(|c| c == '"' || c == '\'');
    let listeners: Vec<String> =
        [None, Some(Direction::Inbound), Some(Direction::Outbound), Some(Direction::Internal)]
            .into_iter()
            .map(|direction| {
                let fixed =
                    direction.map(|direction| format!(", direction = \"{direction}\"")).unwrap_or_default();
                format!("    {{ address = \"unix:{directory}/{}\"{fixed} }},\n", socket_name(direction))
            })
            .collect();
    Ok(format!(
        r#"[organisation]
name = "Exempelby kommun"
domains = ["exempelby.se"]
internal_networks = ["127.0.0.0/8", "::1/128", "10.0.0.0/8"]

[server]
node = "demo"
listen = [
{}]

[store]
directory = "{directory}/store"

[rules.auto-forward]
mode = "enforce"
action = "hold"

# Nobody listens there: the receipts are written, and wait.
[smtp]
submit = "127.0.0.1:1"

[rules.receipt]
mode = "enforce"
delay = "10 min"
require_authentication = false
[[rules.receipt.mailboxes]]
address = "registrator@exempelby.se"
name = "Registrator"
[[rules.receipt.mailboxes]]
address = "miljo@exempelby.se"
name = "Miljönämnden"

[scanners.upstream]
clients = ["198.51.100.25/32"]

[rules.spam]
mode = "enforce"

[rules.suspicious-attachment]
mode = "enforce"

[rules.lookalike-sender]
mode = "enforce"

[rules.suspicious-link]
mode = "enforce"

# Nobody is known on the first day, so only mail to whoever pays is asked about.
[rules.first-contact]
mode = "enforce"
learning = "0 d"
recipient = '^ekonomi@'

[rules.mass-mailing]
mode = "enforce"
recipients = 12

[rules.large-attachment]
mode = "enforce"
above = "20 kB"

[rules.sensitive-data]
mode = "enforce"
secure_alternative = "https://exempelby.se/saker-post"
class = {{ serious = {{ action = "{serious}" }} }}
tls_routes = ["region.example"]

[rules.credentials]
mode = "enforce"
action = "{credentials}"
"#,
        listeners.concat()
    ))
}

fn socket_name(direction: Option<Direction>) -> String {
    format!("{}.sock", direction.map_or("any", Direction::as_str))
}

//! `postvakt log`: search and export the log, and see who did. No row is shown before its access is logged.

mod accesses;
mod export;
mod extract;
mod forwarders;
mod moment;
mod register;
mod report;
mod retention;
mod sample;
mod table;
mod verify;
mod verify_export;

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::bail;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::config::Config;
use crate::export::Line;
use crate::record::{Outcome, RecordId};
use crate::rules::Confidence;
use crate::store::OpenError;
use crate::store::access::{Access, AccessLog, Reader};
use crate::store::register::Register;
use crate::store::search::{Log, Needle, Party, Query};
use forwarders::Forwarders;
use moment::End;
use report::period::Length;
use table::Table;

const YES: u8 = 0;
const NO: u8 = 1;
const USAGE: u8 = 2;

/// `postvakt log`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The config file.
    #[arg(long, global = true, value_name = "F", default_value = "/etc/postvakt/postvakt.toml")]
    pub config: PathBuf,
    /// Read the store in this directory, a copy say, instead of the config's.
    #[arg(long, global = true, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Print JSON lines.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: LogCommand,
}

#[derive(Debug, clap::Subcommand)]
enum LogCommand {
    /// Show the records that fit.
    Search {
        #[command(flatten)]
        query: QueryArgs,
        #[command(flatten)]
        reason: Reason,
    },
    /// Write the records that fit to a file, with a manifest beside it.
    Export(export::Args),
    /// Show what the log tells as a whole.
    Report {
        #[command(subcommand)]
        report: Report,
    },
    /// Choose some mails of a quarter by a seed, and show them under pseudonyms.
    Sample(sample::Args),
    /// Show what the log has of one person, with others masked, and when it was looked at.
    SubjectExtract(extract::Args),
    /// Say whether the log is as it was signed: 0 whole, 1 tampered, 2 incomplete. Nothing is written.
    Verify(verify::Args),
    /// Say whether an exported file holds what the log held: 0 yes, 1 changed, 2 not covered by a signed head.
    VerifyExport(verify_export::Args),
    /// Register decisions by which the log may be read, show and close them.
    Decision {
        #[command(subcommand)]
        command: register::DecisionCommand,
    },
    /// Keep records from retention, show and release what is kept.
    Hold {
        #[command(subcommand)]
        command: register::HoldCommand,
    },
    /// Show what is due to go by the decided periods, and let it go.
    Retention {
        #[command(subcommand)]
        command: retention::Command,
    },
    /// Show who read the log, what, when and why.
    Access {
        /// Not before this time.
        #[arg(long, value_name = "T")]
        since: Option<String>,
        /// Before this time; a day counts as a whole.
        #[arg(long, value_name = "T")]
        until: Option<String>,
        #[command(flatten)]
        reason: Reason,
    },
}

#[derive(Debug, clap::Subcommand)]
enum Report {
    /// Whose mail is forwarded to which domain, by what, since when, and what is new.
    Forwarders {
        /// Not before this time; what was found first in this period is new. Without it: 30 days before the end.
        #[arg(long, value_name = "T")]
        since: Option<String>,
        /// Before this time; a day counts as a whole.
        #[arg(long, value_name = "T")]
        until: Option<String>,
        /// The least grade that is listed. What is weak is mostly mail that people forward by hand.
        #[arg(long, value_name = "G", default_value = "strong", value_parser = one_of(&Confidence::ALL.map(Confidence::as_str)))]
        grade: String,
        #[command(flatten)]
        reason: Reason,
    },
    /// What a month held: mail, verdicts, findings, receipts, accesses, and whether the log is whole.
    Month(report::Args),
    /// What a quarter held.
    Quarter(report::Args),
}

/// What is searched for.
#[derive(Debug, clap::Args)]
struct QueryArgs {
    /// Not before this time: RFC 3339, or 2026-08-21, or "2026-08-21 13:05" in the organisation's zone.
    #[arg(long, value_name = "T")]
    since: Option<String>,
    /// Before this time; a day counts as a whole.
    #[arg(long, value_name = "T")]
    until: Option<String>,
    /// The envelope sender: a whole address, @domain, or <> for bounces.
    #[arg(long, value_name = "A", value_parser = Party::parse)]
    sender: Option<Party>,
    /// An envelope recipient: a whole address or @domain.
    #[arg(long, value_name = "A", value_parser = Party::parse)]
    recipient: Option<Party>,
    /// Text in the subject, upper or lower case.
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// Text in the name of an attachment, upper or lower case.
    #[arg(long, value_name = "TEXT")]
    attachment: Option<String>,
    /// What became of the mail.
    #[arg(long, value_name = "V", value_parser = one_of(&Outcome::ALL.map(Outcome::as_str)))]
    verdict: Option<String>,
    /// A rule that found something, whether it acted or observed.
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// The record with this id, as in X-Postvakt-Id.
    #[arg(long, value_name = "ID", value_parser = |text: &str| text.parse::<RecordId>())]
    record: Option<RecordId>,
    /// The MTA's queue id.
    #[arg(long, value_name = "Q")]
    queue_id: Option<String>,
    /// Message-ID, with its angle brackets or without.
    #[arg(long, value_name = "ID")]
    message_id: Option<String>,
    /// Text in what SPF, DKIM and DMARC say of the mail, as dmarc=fail.
    #[arg(long, value_name = "TEXT")]
    authentication: Option<String>,
    /// Read every record, also where a side file says which ones may fit.
    #[arg(long)]
    scan: bool,
}

/// Why the log is read.
#[derive(Debug, Default, clap::Args)]
struct Reason {
    /// Why the log is read.
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// The decision by which it is read; needed where a person inside is named.
    #[arg(long, value_name = "REF")]
    decision: Option<String>,
}

impl Args {
    /// Whether the command can do without a config.
    pub fn is_offline(&self) -> bool {
        match &self.command {
            LogCommand::Verify(args) => self.store.is_some() || args.is_offline(),
            LogCommand::VerifyExport(_) => true,
            _ => false,
        }
    }
}

/// Runs a command that needs no config.
pub fn run_offline(args: &Args) -> anyhow::Result<u8> {
    let out = &mut io::stdout().lock();
    match &args.command {
        LogCommand::Verify(verify) => verify.run(args.store.as_deref(), None, args.json, out),
        LogCommand::VerifyExport(export) => verify_export::run(export, args.json, out),
        _ => bail!("this needs a config"),
    }
}

/// Runs the command and prints to the screen.
pub fn run(args: &Args, config: &Config) -> anyhow::Result<u8> {
    let terminal = io::stdout().is_terminal() && !args.json;
    run_to(args, config, &mut io::stdout().lock(), terminal)
}

/// Runs the command and prints to `out`, with colours and cut cells where it is a terminal.
pub fn run_to(args: &Args, config: &Config, out: &mut dyn Write, terminal: bool) -> anyhow::Result<u8> {
    let directory = args.store.as_deref().unwrap_or(&config.store.directory);
    if let LogCommand::Verify(verify) = &args.command {
        return verify.run(args.store.as_deref(), Some(config), args.json, out);
    }
    if let LogCommand::VerifyExport(export) = &args.command {
        return verify_export::run(export, args.json, out);
    }
    let log = Log::open(directory)?;
    match &args.command {
        LogCommand::Search { query, reason } => {
            let query = query.query(config)?;
            let Some(access) = Granted::ask(directory, config, "search", &query, json!({}), reason)? else {
                return Ok(USAGE);
            };
            let mut table = Table::new(BufWriter::new(out), terminal, terminal);
            search(&log, &query, config, args.json, &mut table, access)
        }
        LogCommand::Export(export) => export::run(export, directory, &log, config, args.json, out),
        LogCommand::Report { report: Report::Forwarders { since, until, grade, reason } } => {
            let asked = period(since.as_deref(), until.as_deref(), config)?;
            let mut report = Forwarders::new(asked, grade, config)?;
            let more = json!({ "report": "forwarders", "grade": grade });
            let Some(access) = Granted::ask(directory, config, "report", &report.query, more, reason)? else {
                return Ok(USAGE);
            };
            let faults = report.run(&log, args.json, terminal, out);
            access.end(report.rows(), faults)
        }
        LogCommand::Report { report: Report::Month(args_of) } => {
            report::run(args_of, Length::Month, directory, &log, config, args.json, out)
        }
        LogCommand::Report { report: Report::Quarter(args_of) } => {
            report::run(args_of, Length::Quarter, directory, &log, config, args.json, out)
        }
        LogCommand::Sample(sample) => sample::run(sample, directory, &log, config, args.json, terminal, out),
        LogCommand::SubjectExtract(extract) => {
            extract::run(extract, directory, &log, config, args.json, terminal, out)
        }
        LogCommand::Verify(_) | LogCommand::VerifyExport(_) => Ok(YES),
        LogCommand::Decision { command } => register::decision(command, directory, config, args.json, out),
        LogCommand::Retention { command } => retention::retention(command, directory, config, args.json, out),
        LogCommand::Hold { command } => register::hold(command, directory, config, args.json, out),
        LogCommand::Access { since, until, reason } => {
            let query = period(since.as_deref(), until.as_deref(), config)?;
            accesses::list(directory, &query, config, reason, args.json, out)
        }
    }
}

/// Prints the whole log of a store, as `demo` does at its end.
pub fn print_all(config: &Config) -> anyhow::Result<()> {
    let reason = Reason { purpose: Some("demo".into()), decision: None };
    let directory = &config.store.directory;
    let log = Log::open(directory)?;
    let query = Query::default();
    if let Some(access) = Granted::ask(directory, config, "search", &query, json!({}), &reason)? {
        let mut table = Table::new(BufWriter::new(io::stdout().lock()), true, io::stdout().is_terminal());
        search(&log, &query, config, false, &mut table, access)?;
    }
    Ok(())
}

fn one_of(words: &[&'static str]) -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(words.iter().copied())
}

fn period(since: Option<&str>, until: Option<&str>, config: &Config) -> anyhow::Result<Query> {
    let at = |text: Option<&str>, end: End| {
        text.map(|text| moment::parse(text, end, &config.time_zone)).transpose().map_err(anyhow::Error::msg)
    };
    Ok(Query { since: at(since, End::Since)?, until: at(until, End::Until)?, ..Query::default() })
}

impl Reason {
    /// This reason, or that purpose where none was stated.
    fn or(&self, purpose: &str) -> Self {
        let own = self.purpose.clone().filter(|purpose| !purpose.trim().is_empty());
        Self { purpose: Some(own.unwrap_or_else(|| purpose.to_owned())), decision: self.decision.clone() }
    }
}

impl QueryArgs {
    fn query(&self, config: &Config) -> anyhow::Result<Query> {
        Ok(Query {
            sender: self.sender.clone(),
            recipient: self.recipient.clone(),
            subject: self.subject.as_deref().map(Needle::new),
            attachment: self.attachment.as_deref().map(Needle::new),
            verdict: self.verdict.as_deref().and_then(Outcome::parse),
            rule: self.rule.clone(),
            record: self.record.clone(),
            queue_id: self.queue_id.clone(),
            message_id: self.message_id.clone(),
            authentication: self.authentication.as_deref().map(Needle::new),
            scan: self.scan,
            ..period(self.since.as_deref(), self.until.as_deref(), config)?
        })
    }
}

/// An access that is logged and may go on.
struct Granted {
    log: AccessLog,
    id: u64,
    access: Access,
}

impl Granted {
    /// Logs the access. Where it is refused, says why; that is logged too.
    fn ask(
        directory: &Path,
        config: &Config,
        verb: &str,
        query: &Query,
        more: Value,
        reason: &Reason,
    ) -> anyhow::Result<Option<Self>> {
        let mut asked = serde_json::to_value(query)?;
        if let (Value::Object(asked), Value::Object(more)) = (&mut asked, more) {
            asked.extend(more);
        }
        let register = Register::read(&AccessLog::open(directory)?)?;
        let refused = refusal(verb, query, reason, config, &register, Timestamp::now());
        let registered = reason.decision.is_some() && register.is_used() && refused.is_none();
        Self::begin(directory, verb, &asked, reason, refused, registered)
    }

    /// Logs an access of which it is decided whether it may go on.
    fn begin(
        directory: &Path,
        verb: &str,
        asked: &Value,
        reason: &Reason,
        refused: Option<String>,
        registered: bool,
    ) -> anyhow::Result<Option<Self>> {
        let mut log = AccessLog::open(directory)?;
        let access = Access {
            time: Timestamp::now(),
            reader: Reader::of_this_process(),
            verb: verb.to_owned(),
            query: asked.to_string(),
            purpose: text_of(reason.purpose.as_ref()).to_owned(),
            decision: text_of(reason.decision.as_ref()).to_owned(),
            registered,
            refused: refused.clone().unwrap_or_default(),
        };
        let id = log.begin(&access)?;
        if let Some(refused) = refused {
            eprintln!("postvakt: refused: {refused}");
            return Ok(None);
        }
        Ok(Some(Self { log, id, access }))
    }

    /// Logs how it ended, and makes an exit code of it.
    fn end(mut self, rows: u64, result: anyhow::Result<Vec<OpenError>>) -> anyhow::Result<u8> {
        let outcome = match &result {
            Ok(faults) if faults.is_empty() => "done",
            Ok(_) => "incomplete",
            Err(error) if left(error) => "broken off",
            Err(_) => "failed",
        };
        self.log.end(self.id, Timestamp::now(), rows, outcome)?;
        let faults = result?;
        for fault in &faults {
            eprintln!("postvakt: left out: {fault}");
        }
        Ok(if faults.is_empty() { YES } else { NO })
    }
}

/// Why the access is refused, if it is.
fn refusal(
    verb: &str,
    query: &Query,
    reason: &Reason,
    config: &Config,
    register: &Register,
    now: Timestamp,
) -> Option<String> {
    let decision = text_of(reason.decision.as_ref());
    if decision.is_empty() && text_of(reason.purpose.as_ref()).is_empty() {
        return Some("say why: --purpose TEXT, or --decision REF".to_owned());
    }
    let inside = |party: &&Party| match party {
        Party::Address(address) => config.organisation.owns(address),
        Party::Null | Party::Domain(_) => false,
    };
    let own: Vec<Party> = query.person.iter().cloned().map(Party::Address).collect();
    let named = query.sender.iter().chain(&query.recipient).chain(&own);
    let persons: Vec<&Party> = named.filter(inside).collect();
    if decision.is_empty() {
        let what = match (persons.as_slice(), verb) {
            ([_, ..], _) => "the query names a person inside",
            ([], "subject-extract") => "an extract is of one person",
            ([], "export") if register.is_used() => "an export takes the log away",
            ([], _) => return None,
        };
        return Some(format!("{what}, and that takes a documented decision: --decision REF"));
    }
    let today = now.to_zoned(config.time_zone.clone()).date();
    if register.is_used() { register.refuses(decision, query, &persons, today) } else { None }
}

/// Whether whoever read our output has left, as `head` does.
fn left(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn text_of(option: Option<&String>) -> &str {
    option.map_or("", |text| text.trim())
}

fn search<W: Write>(
    log: &Log,
    query: &Query,
    config: &Config,
    json: bool,
    table: &mut Table<W>,
    access: Granted,
) -> anyhow::Result<u8> {
    let mut rows = 0;
    let result = log.search(query, |found| {
        rows += 1;
        if json {
            table.json(&Line::new(&found, &config.time_zone))
        } else {
            table.add(&found, &config.time_zone)
        }
    });
    let result = result.and_then(|faults| table.flush().map(|()| faults));
    access.end(rows, result.map_err(anyhow::Error::from))
}

//! `postvakt log`: search and export the log, and see who did. No row is shown before its access is logged.

mod accesses;
mod disclosure;
mod export;
mod extract;
mod follow;
mod forwarders;
mod ingest;
mod label;
mod moment;
mod protocol;
mod register;
mod report;
mod retention;
mod reviewed;
mod rules;
mod sample;
pub(super) mod show;
mod table;
mod verify;
mod verify_export;

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};
use ipnet::IpNet;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use super::{NO, USAGE, YES, reference};
use crate::address::Address;
use crate::config::Config;
use crate::export::Line;
use crate::limits;
use crate::mail::Direction;
use crate::record::{Outcome, RecordId};
use crate::report::period::Length;
use crate::rules::Confidence;
use crate::settings::parse;
use crate::store::access::{Reader, Via};
use crate::store::deliveries::trace::Final;
use crate::store::query::{Needle, Party, Query};
use crate::store::session::{self, Basis, Gate, Read, Request, Session};
use moment::End;
use table::Table;

/// `postvakt log`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Config file.
    #[arg(long, global = true, value_name = "F", default_value = "/etc/postvakt/postvakt.toml")]
    pub config: PathBuf,
    /// Directory of the log, for example a copy. Default: the config's.
    #[arg(long, global = true, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Print JSON Lines.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: LogCommand,
}

#[derive(Debug, clap::Subcommand)]
enum LogCommand {
    /// Search the records.
    Search {
        /// Show the newest records, at most N, the newest first. Default: all, the oldest first.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=limits::NEWEST_ROWS))]
        newest: Option<u32>,
        #[command(flatten)]
        query: QueryArgs,
        #[command(flatten)]
        reason: Reason,
    },
    /// Export matching records to a file, with a manifest.
    Export(export::Args),
    /// Hand every new record to a SIEM: append it to a file, send it to syslog, or to OpenSearch or Elasticsearch.
    Follow(follow::Args),
    /// Show everything about one mail: columns, findings with masked evidence, notices, proof.
    Show(show::Args),
    /// Say whether a finding was right or wrong, for the rules report.
    Label(label::Args),
    /// Reports on rules, forwarders, months and quarters.
    Report {
        #[command(subcommand)]
        report: Report,
    },
    /// Show a random sample of a quarter's mail under pseudonyms.
    Sample(sample::Args),
    /// Extract all records about one person (other people masked), and when they were accessed.
    SubjectExtract(extract::Args),
    /// Verify the log against its signed tree heads: 0 whole, 1 tampered, 2 incomplete. Changes nothing.
    Verify(verify::Args),
    /// Verify an exported file: 0 unchanged, 1 changed, 2 not covered by a signed head.
    VerifyExport(verify_export::Args),
    /// Register, list and close decisions that permit access to the log.
    Decision {
        #[command(subcommand)]
        command: register::DecisionCommand,
    },
    /// Place, list and release legal holds, which exempt records from deletion.
    #[command(alias = "hold")]
    LegalHold {
        #[command(subcommand)]
        command: register::HoldCommand,
    },
    /// Handle a request for public records: register, review record by record, approve, write the files.
    Disclosure {
        #[command(subcommand)]
        command: disclosure::Command,
    },
    /// Show which records are due for deletion, and delete them (irreversible).
    Retention {
        #[command(subcommand)]
        command: retention::Command,
    },
    /// Show who accessed the log, what, when and why.
    Access(accesses::Args),
    /// Read files of Postfix's log (also .gz), for what became of mail: those from before the log was followed, or missed.
    Ingest(ingest::Args),
}

#[derive(Debug, clap::Subcommand)]
enum Report {
    /// List forwards: mailbox, target domain, mechanism, first date, and which are new.
    Forwarders {
        /// Start of the period. Forwards first found in the period are new. Default: 30 days before the end.
        #[arg(long, value_name = "T")]
        since: Option<String>,
        /// End of the period. A date includes that whole day.
        #[arg(long, value_name = "T")]
        until: Option<String>,
        /// Lowest grade to list. Weak findings are mostly mail that people forward by hand.
        #[arg(long, value_name = "G", default_value = "strong", value_parser = one_of(&Confidence::ALL.map(Confidence::as_str)))]
        grade: String,
        #[command(flatten)]
        reason: Reason,
    },
    /// What each rule found: grades, effects, senders, recipients, examples, and what is missing before enforce.
    Rules(rules::Args),
    /// Report of a month: mail, verdicts, findings, receipts, accesses and verification of the log.
    Month(report::Args),
    /// Report of a quarter.
    Quarter(report::Args),
    /// Sign the follow-up of a quarter. The next one says so.
    Sign(protocol::Sign),
    /// Follow-up of a quarter: accesses to the log, decisions, legal holds, retention runs, clock steps, and a sample.
    FollowUp(protocol::FollowUp),
}

/// What is searched for.
#[derive(Debug, Default, clap::Args)]
struct QueryArgs {
    /// Start of the period, in the organisation's time zone: 2026-08-21, "2026-08-21 13:05" or RFC 3339; today, yesterday,
    /// 2026-08, 2026Q3, 2026-W34 or 2026; or how long ago: 30min, 24h, 7d, 2w, 3mo.
    #[arg(long, value_name = "T")]
    since: Option<String>,
    /// End of the period. A day or a longer period is included as a whole.
    #[arg(long, value_name = "T")]
    until: Option<String>,
    /// Person whose mail it is: sender, recipient or author, also with a suffix after a plus sign and at alias domains.
    #[arg(long, value_name = "A", value_parser = whole)]
    person: Vec<Party>,
    /// Part of the address of a sender, recipient or author. Requires a decision.
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Author, in From: a whole address or @domain.
    #[arg(long, value_name = "A", value_parser = whole)]
    from: Option<Party>,
    /// Envelope sender: a whole address, @domain, or <> for bounces.
    #[arg(long, value_name = "A", value_parser = Party::parse)]
    sender: Option<Party>,
    /// Envelope recipient: a whole address or @domain.
    #[arg(long, value_name = "A", value_parser = Party::parse)]
    recipient: Option<Party>,
    /// Text in the subject, in any case.
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// Text in the name of an attachment, in any case.
    #[arg(long, value_name = "TEXT")]
    attachment: Option<String>,
    /// Login of the client that sent the mail. Requires a decision.
    #[arg(long, value_name = "U")]
    user: Option<String>,
    /// Client: an IP address, or a network such as 10.1.0.0/16.
    #[arg(long, value_name = "IP", value_parser = network)]
    client: Option<IpNet>,
    /// Direction of the mail.
    #[arg(long, value_name = "D", value_parser = one_of(&Direction::ALL.map(Direction::as_str)))]
    direction: Option<String>,
    /// Only mail larger than this, such as 10 MB.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    size_above: Option<u64>,
    /// Verdict on the mail.
    #[arg(long, value_name = "V", value_parser = one_of(&Outcome::ALL.map(Outcome::as_str)))]
    verdict: Option<String>,
    /// Rule with a finding, in enforce or observe mode.
    #[arg(long, value_name = "ID", value_parser = reference::rule_id)]
    rule: Option<String>,
    /// Record id, as in X-Postvakt-Id.
    #[arg(long, value_name = "ID", value_parser = |text: &str| text.parse::<RecordId>())]
    record: Option<RecordId>,
    /// Queue id of the MTA.
    #[arg(long, value_name = "Q")]
    queue_id: Option<String>,
    /// Message-ID, with or without angle brackets.
    #[arg(long, value_name = "ID")]
    message_id: Option<String>,
    /// Text in the results of SPF, DKIM and DMARC, such as dmarc=fail.
    #[arg(long, value_name = "TEXT")]
    authentication: Option<String>,
    /// What became of the mail for a recipient, according to Postfix's log: delivered, deferred, bounced or expired.
    #[arg(long, value_name = "S", value_parser = one_of(&Final::ALL.map(Final::as_str)))]
    status: Option<String>,
    /// Node that logged the mail, where the logs of several are here. Default: all of them.
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    /// Read every record instead of using index files.
    #[arg(long)]
    scan: bool,
}

/// Why the log is read.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Reason {
    /// Purpose of the access. By itself it permits operation: one mail by its id in full; otherwise few rows of a short
    /// period, with pseudonyms for the people inside.
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// Reference of the decision that permits the access. It opens the mail of its persons in its period.
    #[arg(long, value_name = "REF", group = "basis")]
    decision: Option<String>,
    /// Person who asks about their own mail. It opens that person's mail, and their extract tells of it.
    #[arg(long, value_name = "ADDRESS", group = "basis", value_parser = person)]
    own_request: Option<Address>,
    /// Reference of a request for public records. It opens the log, and places a legal hold on what is asked for.
    #[arg(long, value_name = "DNR", group = "basis")]
    request: Option<String>,
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
        LogCommand::VerifyExport(export) => verify_export::run(export, args.store.as_deref(), args.json, out),
        _ => bail!("this command requires a config"),
    }
}

/// Runs the command and prints to the screen.
pub fn run(args: &Args, config: &Config, reader: Reader) -> anyhow::Result<u8> {
    let terminal = io::stdout().is_terminal() && !args.json;
    run_to(args, config, reader, &mut io::stdout().lock(), terminal)
}

/// Runs the command and prints to `out`, with colours and cut cells where it is a terminal.
pub fn run_to(
    args: &Args,
    config: &Config,
    reader: Reader,
    out: &mut dyn Write,
    terminal: bool,
) -> anyhow::Result<u8> {
    let directory = args.store.as_deref().unwrap_or(&config.store.directory);
    let context = &mut Context { directory, config, reader, json: args.json, terminal, out };
    match &args.command {
        LogCommand::Search { newest: None, query, reason } => {
            let request = Request::new("search", query.query(config)?, reason.stated());
            context.search(&request, terminal)
        }
        LogCommand::Search { newest: Some(newest), query, reason } => {
            let request = Request::new("search", query.query(config)?, reason.stated());
            context.newest(&request.with(json!({ "newest": newest })), *newest, terminal)
        }
        LogCommand::Show(show) => show::run(show, context),
        LogCommand::Export(export) => export::run(export, context),
        LogCommand::Follow(args) => follow::run(args, context),
        LogCommand::Report { report: Report::Forwarders { since, until, grade, reason } } => {
            let asked = past(since.as_deref(), until.as_deref(), config)?;
            forwarders::run(asked, grade, reason, context)
        }
        LogCommand::Label(args) => label::run(args, context),
        LogCommand::Report { report: Report::Rules(args) } => rules::run(args, context),
        LogCommand::Report { report: Report::Month(args_of) } => report::run(args_of, Length::Month, context),
        LogCommand::Report { report: Report::Quarter(args_of) } => {
            report::run(args_of, Length::Quarter, context)
        }
        LogCommand::Report { report: Report::Sign(args) } => protocol::sign(args, context),
        LogCommand::Report { report: Report::FollowUp(args) } => protocol::run_follow_up(args, context),
        LogCommand::Sample(sample) => sample::run(sample, context),
        LogCommand::SubjectExtract(extract) => extract::run(extract, context),
        LogCommand::Verify(verify) => verify.run(args.store.as_deref(), Some(config), args.json, context.out),
        LogCommand::VerifyExport(export) => {
            verify_export::run(export, args.store.as_deref(), args.json, context.out)
        }
        LogCommand::Decision { command } => register::decision(command, context),
        LogCommand::Disclosure { command } => disclosure::run(command, context),
        LogCommand::Retention { command } => retention::retention(command, context),
        LogCommand::LegalHold { command } => register::hold(command, context),
        LogCommand::Access(args) => accesses::list(args, context),
        LogCommand::Ingest(args) => ingest::run(args, context),
    }
}

/// Prints the whole log of a store, as `demo` does at its end.
pub fn print_all(config: &Config) -> anyhow::Result<()> {
    let terminal = io::stdout().is_terminal();
    let directory = &config.store.directory;
    let out = &mut io::stdout().lock();
    let reason = session::Reason::decision("demo");
    let request = Request::new("search", Query::default(), reason);
    let reader = Reader::of_this_process(Via::CommandLine);
    Context { directory, config, reader, json: false, terminal, out }.search(&request, true).map(drop)
}

fn whole(text: &str) -> Result<Party, &'static str> {
    Party::parse(text).and_then(|party| match party {
        Party::Null => Err("write a whole address or @domain"),
        Party::Domain(_) | Party::Address(_) => Ok(party),
    })
}

fn person(text: &str) -> Result<Address, &'static str> {
    let address = Address::parse(text).filter(|address| address.domain().is_some());
    address.ok_or("write a whole address, such as anna@exempelby.se")
}

fn network(text: &str) -> Result<IpNet, &'static str> {
    let alone = |text: &str| text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
    text.parse().or_else(|_| alone(text)).map_err(|_| "write an IP address, or a network such as 10.1.0.0/16")
}

fn size(text: &str) -> Result<u64, &'static str> {
    parse::size_of(text.trim()).or_else(|| text.trim().parse().ok()).ok_or(parse::SIZE)
}

fn one_of(words: &[&'static str]) -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(words.iter().copied())
}

fn period(since: Option<&str>, until: Option<&str>, config: &Config) -> anyhow::Result<Query> {
    let now = Timestamp::now();
    let at = |text: Option<&str>, end: End| {
        let moment = text.map(|text| moment::parse(text, end, now, &config.time_zone));
        moment.transpose().map_err(anyhow::Error::msg)
    };
    let (begin, end) = (at(since, End::Since)?, at(until, End::Until)?);
    if let (Some(since), Some(until)) = (since, until)
        && begin >= end
    {
        bail!("--since {since} --until {until}: the period ends before it begins");
    }
    Ok(Query { since: begin, until: end, ..Query::default() })
}

/// The period of something that is read: one that has not begun is a mistake, and no empty answer.
fn past(since: Option<&str>, until: Option<&str>, config: &Config) -> anyhow::Result<Query> {
    let query = period(since, until, config)?;
    ensure!(
        query.since.is_none_or(|since| since <= Timestamp::now()),
        "--since is in the future: nothing can be there"
    );
    Ok(query)
}

impl Reason {
    /// The reason, as it is stated.
    pub(super) fn stated(&self) -> session::Reason {
        let text = |text: Option<&String>| text.map_or("", |text| text.trim()).to_owned();
        let basis = match (&self.decision, &self.own_request, &self.request) {
            (Some(decision), ..) if !decision.trim().is_empty() => Basis::Decision(text(Some(decision))),
            (_, Some(person), _) => Basis::OwnRequest(person.clone()),
            (.., Some(request)) => Basis::Request(text(Some(request))),
            _ => Basis::Operation,
        };
        session::Reason { purpose: text(self.purpose.as_ref()), basis }
    }

    /// A decision by which a part of the program itself reads.
    pub(super) fn of_decision(reference: &str) -> Self {
        Self { decision: Some(reference.to_owned()), ..Self::default() }
    }

    /// This reason, or that purpose where none was stated.
    pub(super) fn or(&self, purpose: &str) -> session::Reason {
        let stated = self.stated();
        if stated.purpose.is_empty() {
            return session::Reason { purpose: purpose.to_owned(), ..stated };
        }
        stated
    }
}

impl QueryArgs {
    fn query(&self, config: &Config) -> anyhow::Result<Query> {
        Ok(Query {
            sender: self.sender.clone(),
            recipient: self.recipient.clone(),
            from: self.from.clone(),
            user: self.user.as_deref().map(str::trim).map(str::to_owned),
            client: self.client,
            direction: Direction::ALL.into_iter().find(|way| Some(way.as_str()) == self.direction.as_deref()),
            size_above: self.size_above,
            name: self.name.as_deref().map(Needle::new),
            person: self.person.clone(),
            subject: self.subject.as_deref().map(Needle::new),
            attachment: self.attachment.as_deref().map(Needle::new),
            verdict: self.verdict.as_deref().and_then(Outcome::parse),
            rule: self.rule.clone(),
            record: self.record.clone(),
            queue_id: self.queue_id.clone(),
            message_id: self.message_id.clone(),
            authentication: self.authentication.as_deref().map(Needle::new),
            status: self.status.as_deref().and_then(Final::parse),
            node: self.node.clone(),
            scan: self.scan,
            ..past(self.since.as_deref(), self.until.as_deref(), config)?
        })
    }
}

/// What a command of the log is run with.
struct Context<'a> {
    directory: &'a Path,
    config: &'a Config,
    reader: Reader,
    json: bool,
    terminal: bool,
    out: &'a mut dyn Write,
}

impl<'a> Context<'a> {
    /// Who reads which log.
    fn gate(&self) -> Gate<'a> {
        Gate::new(self.directory, self.config, self.reader.clone())
    }

    /// Reads within a session. The exit code, and what was made of it where it was not refused.
    fn read<T>(
        &mut self,
        request: &Request,
        work: impl FnOnce(&mut Session, &mut Self) -> anyhow::Result<T>,
    ) -> anyhow::Result<(u8, Option<T>)> {
        let zone = &self.config.time_zone;
        Ok(told(self.gate().read(request, |session| work(session, self))?, zone))
    }

    /// Prints the records that fit, in a table that may be cut where `cut`.
    fn search(&mut self, request: &Request, cut: bool) -> anyhow::Result<u8> {
        let (code, rows) = self.read(request, |session, context| {
            let (zone, json) = (&context.config.time_zone, context.json);
            let mut table = Table::new(BufWriter::new(&mut *context.out), cut, context.terminal);
            let mut rows = 0_u64;
            session.search(|found| {
                rows += 1;
                if json { table.json(&Line::new(&found, zone)) } else { table.add(&found, zone) }
            })?;
            table.flush()?;
            if session.query().status.is_some() {
                say_unread(session, zone)?;
            }
            Ok(rows)
        })?;
        if rows == Some(0) && !self.json {
            eprintln!("postvakt: no record matches the query");
        }
        Ok(code)
    }
}

impl Context<'_> {
    /// Refuses something about what is registered under a reference. The access log has it.
    fn refuse(&self, verb: &'static str, reference: &str, why: String) -> anyhow::Result<u8> {
        let request = Request::new(verb, Query::default(), session::Reason::operation(""));
        let request = request.with(json!({ "reference": reference }));
        let read = self.gate().act(&request, Some(why), |_| anyhow::Ok(()))?;
        Ok(told(read, &self.config.time_zone).0)
    }

    /// Prints the newest records that fit, the newest first.
    fn newest(&mut self, request: &Request, newest: u32, cut: bool) -> anyhow::Result<u8> {
        let (code, more) = self.read(request, |session, context| {
            let (zone, json) = (&context.config.time_zone, context.json);
            let mut table = Table::new(BufWriter::new(&mut *context.out), cut, context.terminal);
            let (found, more) = session.newest(usize::try_from(newest)?);
            for found in &found {
                if json { table.json(&Line::new(found, zone))? } else { table.add(found, zone)? }
            }
            table.flush()?;
            if session.query().status.is_some() {
                say_unread(session, zone)?;
            }
            // What the reason does not open is told of otherwise.
            Ok((more && !session.is_capped()).then_some(found.len()))
        })?;
        if let Some(shown) = more.flatten() {
            eprintln!(
                "postvakt: there are older records that match the query: only the newest {shown} are shown"
            );
            return Ok(code.max(NO));
        }
        Ok(code)
    }
}

/// Says on stderr when Postfix's log was not read: what is told of mail of then may be wrong.
fn say_unread(session: &Session, zone: &TimeZone) -> anyhow::Result<()> {
    for (from, to) in session.unread()? {
        let gap = show::gap(from, to, zone);
        eprintln!("postvakt: Postfix's log was not read {gap}; what became of mail then may be missing");
    }
    Ok(())
}

/// Says on stderr what was refused and what could not be read, and makes an exit code of it.
pub(super) fn told<T>(read: Read<T>, zone: &TimeZone) -> (u8, Option<T>) {
    match read {
        Read::Refused(why) => {
            eprintln!("postvakt: refused: {why}");
            (USAGE, None)
        }
        Read::Given { value, rows, left_out, unused, capped, since } => {
            if let Some(since) = since {
                let since = zone.to_datetime(since).strftime("%Y-%m-%d %H:%M");
                eprintln!("postvakt: only mail since {since} was looked at: the reason opens no more");
            }
            if capped {
                eprintln!(
                    "postvakt: only {rows} rows are shown, the most that operation may see: narrow the search, or state \
                     another reason"
                );
            }
            for file in &unused {
                eprintln!("postvakt: {file}: not used; every record that it is of was read instead");
            }
            for file in &left_out {
                eprintln!("postvakt: skipped: {file}");
            }
            (if left_out.is_empty() && !capped { YES } else { NO }, Some(value))
        }
    }
}

//! `postvakt log follow`: hands every new record to a SIEM, once and in order.
//!
//! A cursor beside the log says how far it has come; it moves when the sink has taken the records. Where a file or a search
//! engine is the sink, a record that is handed over twice is there once. Syslog has no answer, so there it may come twice.

mod file;
mod http;
mod syslog;

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::export::{check_mask, profile_of};
use super::{Context, one_of, past};
use crate::cli::{NO, USAGE, YES};
use crate::config::Config;
use crate::export::profile::{Mask, Profile, Pseudonyms};
use crate::export::{Line, jsonl};
use crate::limits;
use crate::record::RecordId;
use crate::store::follow::{Cursor, CursorFile};
use crate::store::query::Party;
use crate::store::search::Found;
use crate::store::session::{Basis, Reason, Request, Session};
use crate::text::words;

words! {
    /// Where records go.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Kind {
        /// A file that another program reads.
        File = "file",
        /// A syslog server on this host.
        Syslog = "syslog",
        /// The bulk interface of OpenSearch or Elasticsearch, on this host or behind something on this host.
        Http = "http",
    }
}

/// `log follow`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the records go.
    #[arg(long, value_name = "KIND", value_parser = one_of(&Kind::ALL.map(Kind::as_str)))]
    sink: String,
    /// The sink: a file; a socket such as /dev/log, or 127.0.0.1:514 (syslog over TCP); `http://127.0.0.1:9200/_bulk`.
    /// Connections go to this host alone, because they are not encrypted.
    #[arg(long, value_name = "TARGET")]
    to: String,
    /// Name of the cursor, which says how far this sink has come. Default: the kind of the sink.
    #[arg(long, value_name = "NAME", value_parser = cursor_name)]
    name: Option<String>,
    /// Index or data stream (http).
    #[arg(long, value_name = "INDEX", default_value = "postvakt", value_parser = index_name)]
    index: String,
    /// File whose first line is the value of the header field Authorization (http), such as `ApiKey …`.
    #[arg(long, value_name = "F")]
    authorization: Option<std::path::PathBuf>,
    /// First record of a new cursor: those since this time. Default: the whole log.
    #[arg(long, value_name = "T")]
    since: Option<String>,
    /// Hand over what is there, and end.
    #[arg(long)]
    once: bool,
    /// Who the records are for. internal: unmasked; disclose: identity numbers and configured words masked; pseudonym: all
    /// identifying fields pseudonymised, the same way for this sink always.
    #[arg(long, value_name = "P", default_value = "internal", value_parser = one_of(&Profile::ALL.map(Profile::as_str)))]
    profile: String,
    /// Mask more: personnummer, or whole columns by name.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    mask: Vec<String>,
    /// Reference of the decision that permits it.
    #[arg(long, value_name = "REF")]
    decision: String,
    /// A remark on the purpose.
    #[arg(long, value_name = "TEXT", default_value = "")]
    purpose: String,
}

/// A record as the sink gets it.
struct Event {
    /// What it is known by: the id of the record, or what stands for it.
    id: String,
    /// When its mail came.
    time: Timestamp,
    /// One line of JSON.
    json: String,
}

/// Why the sink did not take the records, or not all of them.
#[derive(Debug, thiserror::Error)]
enum SinkError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("no answer within {} s", limits::FOLLOW_TIME.as_secs())]
    Deadline,
    #[error("{0}")]
    Answer(String),
}

/// Records that the sink will never take, with its reason.
type Refused = Vec<(String, String)>;

/// Where records go.
enum Sink {
    File(file::File),
    Syslog(syslog::Syslog),
    Http(http::Http),
}

impl Sink {
    fn new(args: &Args) -> anyhow::Result<Self> {
        let kind = Kind::parse(&args.sink).context("an unknown sink")?;
        Ok(match kind {
            Kind::File => Self::File(file::File::new(&args.to)),
            Kind::Syslog => Self::Syslog(syslog::Syslog::new(&args.to)?),
            Kind::Http => Self::Http(http::Http::new(&args.to, &args.index, args.authorization.as_deref())?),
        })
    }

    /// Hands records over. When this returns, the sink has them, but for those that it refused.
    async fn take(&mut self, events: &[Event]) -> Result<Refused, SinkError> {
        match self {
            Self::File(file) => file.append(events).map(|()| Refused::new()),
            Self::Syslog(syslog) => syslog.send(events),
            Self::Http(http) => match tokio::time::timeout(limits::FOLLOW_TIME, http.post(events)).await {
                Ok(taken) => taken,
                Err(_) => Err(SinkError::Deadline),
            },
        }
    }
}

/// Why a stretch of following ended.
enum End {
    /// Everything is handed over, and that was all that was wanted.
    Even,
    /// Another entry of the access log is due.
    Session,
    /// It is no longer permitted, or another config is active.
    Permission,
    /// The process is to end.
    Stop,
    /// The sink failed, and that was the one try.
    Failed,
}

/// Runs the command: 0 it was told to end, or everything is handed over; 1 with --once, not everything; 2 refused.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let config = context.config;
    check_mask(&args.mask)?;
    ensure!(!args.decision.trim().is_empty(), "--decision takes the reference of a decision");
    let name = args.name.as_deref().unwrap_or(&args.sink);
    let Some(file) = CursorFile::take(context.directory, name)? else {
        bail!("another process follows the log under the name {name}; give this one another --name");
    };
    let since = past(args.since.as_deref(), None, config)?.since;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut sink = Sink::new(args)?;
    let mut end = runtime.block_on(async { Stop::new() })?;
    loop {
        let cursor = file.read().with_context(|| format!("the cursor {name} cannot be read"))?;
        let from = since.filter(|_| cursor.record.is_empty()).unwrap_or(cursor.time);
        let more = json!({
            "sink": args.sink, "to": args.to, "cursor": name, "profile": args.profile, "mask": args.mask,
            "after": cursor.record, "followed_from": from,
        });
        let since = since.filter(|_| cursor.record.is_empty());
        let query = super::Query { since, ..super::Query::default() };
        let reason =
            Reason { purpose: args.purpose.clone(), basis: Basis::Decision(args.decision.trim().to_owned()) };
        let request = Request::new("follow", query, reason).with(more);
        let gate = context.gate();
        let (code, ended) = context.read(&request, |session, context| {
            let mask = masking(args, name, session, context.config)?;
            let mut following =
                Following { args, file: &file, cursor, mask, config: context.config, failing: None };
            let may = || gate.still_allows(&request);
            runtime.block_on(following.go(session, &mut sink, &mut end, may))
        })?;
        match ended {
            None => return Ok(code),
            Some(End::Even | End::Stop) => return Ok(YES),
            Some(End::Failed) => return Ok(NO),
            Some(End::Permission) if args.once => return Ok(USAGE),
            // The next entry says why it is refused, if it is.
            Some(End::Session | End::Permission) => {}
        }
    }
}

/// What is hidden from the sink.
fn masking<'a>(
    args: &'a Args,
    name: &str,
    session: &Session,
    config: &'a Config,
) -> anyhow::Result<Masking<'a>> {
    let profile = profile_of(&args.profile)?;
    // The same in every session of this sink, so that its records can be compared.
    let key = session.key(&format!("follow {name}"))?;
    let own = Pseudonyms { key, organisation: &config.organisation };
    let mailboxes = config.disclosure.mailboxes.iter().filter(|_| profile == Profile::Disclose);
    Ok(Masking {
        mask: Mask::new(profile, &args.mask, &config.disclosure.words, Some(own)),
        protected: mailboxes.filter_map(|covered| Party::parse(&covered.to_string()).ok()).collect(),
        leaves_out: config.disclosure.leaves_out,
    })
}

struct Masking<'a> {
    mask: Mask<'a>,
    /// Whose mail is shown without names, or left out.
    protected: Vec<Party>,
    leaves_out: bool,
}

impl Masking<'_> {
    /// The record as the sink gets it; `None` where it is left out.
    fn event(&self, mut found: Found, config: &Config) -> Option<Event> {
        let mask = self.mask.clone().protecting(&self.protected);
        if self.leaves_out && mask.protects(&found.record) {
            return None;
        }
        let time = found.record.time;
        mask.apply(&mut found);
        let id = mask.id(&found.id);
        let line = Line { id: id.as_deref(), ..Line::new(&found, &config.time_zone) };
        Some(Event { id: line.id().into_owned(), time, json: jsonl::event(&line).to_string() })
    }
}

/// One stretch of following, within one entry of the access log.
struct Following<'a> {
    args: &'a Args,
    file: &'a CursorFile,
    cursor: Cursor,
    mask: Masking<'a>,
    config: &'a Config,
    /// The pause after the next failure, where the last try failed.
    failing: Option<Duration>,
}

impl Following<'_> {
    async fn go(
        &mut self,
        session: &mut Session,
        sink: &mut Sink,
        stop: &mut Stop,
        may: impl Fn() -> Result<bool, crate::store::access::AccessError>,
    ) -> anyhow::Result<End> {
        let begun = Instant::now();
        let mut signed = None::<Instant>;
        loop {
            let after = Some(self.cursor.record.as_str()).filter(|id| !id.is_empty());
            let after = after.map(str::parse::<RecordId>).transpose().map_err(anyhow::Error::msg)?;
            let next = session.after(after.as_ref())?;
            let Some(last) = next.last else {
                if signed.is_none_or(|signed| signed.elapsed() >= limits::FOLLOW_SIGN)
                    || self.cursor.waiting > 0
                {
                    self.cursor = Cursor { even: Timestamp::now(), waiting: 0, ..self.cursor.clone() };
                    self.file.write(&self.cursor)?;
                    signed = Some(Instant::now());
                    if !may()? {
                        return Ok(End::Permission);
                    }
                }
                if self.args.once {
                    return Ok(End::Even);
                }
                if stop.within(limits::FOLLOW_LOOK).await {
                    return Ok(End::Stop);
                }
                if begun.elapsed() >= limits::FOLLOW_SESSION {
                    return Ok(End::Session);
                }
                continue;
            };
            let all = next.found.len() as u64;
            let events: Vec<Event> =
                next.found.into_iter().filter_map(|found| self.mask.event(found, self.config)).collect();
            while let Err(error) = self.hand_over(sink, &events, &last, next.left).await? {
                self.cursor.waiting = all + next.left;
                self.file.write(&self.cursor)?;
                if self.args.once {
                    eprintln!("postvakt: {}: {error}", self.args.to);
                    return Ok(End::Failed);
                }
                let pause = self
                    .failing
                    .map_or(limits::FOLLOW_PAUSE, |pause| (pause * 2).min(limits::FOLLOW_LONGEST_PAUSE));
                if self.failing.replace(pause).is_none() {
                    tracing::warn!(to = self.args.to, %error, "the sink does not take records; they wait in the log");
                }
                if stop.within(pause).await {
                    return Ok(End::Stop);
                }
                if !may()? {
                    return Ok(End::Permission);
                }
            }
            if self.failing.take().is_some() {
                tracing::warn!(to = self.args.to, "the sink takes records again");
            }
            if stop.within(Duration::ZERO).await {
                return Ok(End::Stop);
            }
        }
    }

    /// Hands records over, and moves the cursor.
    async fn hand_over(
        &mut self,
        sink: &mut Sink,
        events: &[Event],
        last: &Found,
        left: u64,
    ) -> anyhow::Result<Result<(), SinkError>> {
        let refused = match sink.take(events).await {
            Ok(refused) => refused,
            Err(error) => return Ok(Err(error)),
        };
        for (id, why) in &refused {
            tracing::error!(
                record = id,
                why,
                "the sink refuses a record for good; it is not handed over again"
            );
        }
        let refused = refused.len() as u64;
        self.cursor = Cursor {
            record: last.id.to_string(),
            time: last.record.time,
            waiting: left,
            sent: self.cursor.sent + events.len() as u64 - refused,
            refused: self.cursor.refused + refused,
            even: self.cursor.even,
        };
        self.file.write(&self.cursor)?;
        Ok(Ok(()))
    }
}

/// SIGTERM and SIGINT.
struct Stop {
    term: Signal,
    interrupt: Signal,
}

impl Stop {
    fn new() -> std::io::Result<Self> {
        Ok(Self { term: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Whether one comes within that time.
    async fn within(&mut self, time: Duration) -> bool {
        tokio::select! {
            biased;
            _ = self.term.recv() => true,
            _ = self.interrupt.recv() => true,
            () = tokio::time::sleep(time) => false,
        }
    }
}

/// The name of a cursor: it is a part of the name of a file, and a label.
fn cursor_name(text: &str) -> Result<String, &'static str> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let right = !text.is_empty() && text.len() <= 32 && text.chars().all(fits);
    right.then(|| text.to_owned()).ok_or("at most 32 small letters, digits and -")
}

/// The name of an index, as OpenSearch and Elasticsearch allow them.
fn index_name(text: &str) -> Result<String, &'static str> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    let right =
        text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.len() <= 255 && text.chars().all(fits);
    right.then(|| text.to_owned()).ok_or("small letters, digits, -, _ and .")
}

//! `postvakt receipts`: lists and manages the outbox. It reads the log itself, and asks the running server for changes.

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::bail;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::log::{self, Reason};
use super::{NO, YES, write_table};
use crate::config::Config;
use crate::courier::requests::{self, Request};
use crate::export::visible;
use crate::limits;
use crate::mime::transfer::{Encoding, decode};
use crate::mime::words;
use crate::record::OutboxKind;
use crate::store::access::{Reader, Via};
use crate::store::gate;
use crate::store::outbox::{Listed, State};
use crate::store::query::Query;
use crate::store::session::{self, Gate, Session};

/// `receipts`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Config file.
    #[arg(long, global = true, value_name = "F", default_value = super::CONFIG_FILE)]
    pub config: PathBuf,
    /// Print JSON Lines.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List receipts and notices of the last 31 days, oldest first.
    List {
        /// Show only this state.
        #[arg(long, value_name = "STATE", value_parser = ["pending", "held", "sent", "failed", "cancelled"])]
        state: Option<String>,
        #[command(flatten)]
        reason: Reason,
    },
    /// Show the text of a receipt or notice as its recipient reads it, and what happened to it.
    Show {
        /// Reference (PV-…), or the first characters of the key that `receipts list --json` prints.
        id: String,
        #[command(flatten)]
        reason: Reason,
    },
    /// Send a receipt or notice now, even if it failed or was cancelled. A sent one is not sent again.
    Retry {
        /// Reference (PV-…), or the first characters of the key that `receipts list --json` prints.
        id: String,
    },
    /// Cancel a receipt or notice that waits.
    Cancel {
        /// Reference (PV-…), or the first characters of the key that `receipts list --json` prints.
        id: String,
    },
}

/// Runs the command: 1 where there is no such receipt, or what was asked did not come to pass.
pub fn run(args: &Args, config: &Config, reader: Reader) -> anyhow::Result<u8> {
    let zone = &config.time_zone;
    let mut out = io::stdout().lock();
    let operation = Reason::default();
    match &args.command {
        Verb::List { state, reason } => within((config, reader), "receipts list", "", reason, |session| {
            let mut all = session.outbox(Timestamp::now())?;
            all.retain(|listed| state.as_deref().is_none_or(|state| listed.state.as_str() == state));
            let all = session.shown(all);
            if args.json {
                for listed in &all {
                    writeln!(out, "{}", to_json(listed))?;
                }
            } else {
                print_list(&mut out, &all, zone)?;
            }
            Ok(YES)
        }),
        Verb::Show { id, reason } => within((config, reader), "receipts show", id, reason, |session| {
            let found = find(session, id)?;
            for listed in &found {
                show(&mut out, listed, args.json, zone)?;
            }
            Ok(if found.is_empty() { NO } else { YES })
        }),
        Verb::Retry { id } => within((config, reader), "receipts retry", id, &operation, |session| {
            ask(session, &mut out, &config.store.directory, id, Request::Retry, args.json)
        }),
        Verb::Cancel { id } => within((config, reader), "receipts cancel", id, &operation, |session| {
            ask(session, &mut out, &config.store.directory, id, Request::Cancel, args.json)
        }),
    }
}

/// Works with the outbox. It names people, so that it is read is logged before anything is shown.
fn within(
    (config, reader): (&Config, Reader),
    verb: &'static str,
    id: &str,
    reason: &Reason,
    work: impl FnOnce(&mut Session) -> anyhow::Result<u8>,
) -> anyhow::Result<u8> {
    let directory = &config.store.directory;
    if !directory.join("lock").exists() {
        bail!("{}: no log here; `postvakt serve` creates it", directory.display());
    }
    let reason = reason.or(gate::OUTBOX);
    let request = session::Request::new(verb, Query::default(), reason).with(json!({ "id": id }));
    let gate = Gate::new(directory, config, reader);
    let (code, value) = log::told(gate.read(&request, work)?, &config.time_zone);
    Ok(value.filter(|_| code == YES).unwrap_or(code))
}

/// Those that the words name: all with that reference (a mail to two mailboxes has one), or the one whose key begins so.
fn find(session: &mut Session, id: &str) -> anyhow::Result<Vec<Listed>> {
    let all = session.outbox(Timestamp::now())?;
    let id = id.trim().to_lowercase();
    let by_reference = |listed: &Listed| listed.stored.row.reference.to_lowercase() == id;
    let by_key = |listed: &Listed| id.len() >= 6 && key(listed).starts_with(&id);
    let found: Vec<Listed> =
        all.into_iter().filter(|listed| by_reference(listed) || by_key(listed)).collect();
    if found.is_empty() {
        eprintln!("postvakt: {id} is not in the outbox; `postvakt receipts list` shows its content");
    }
    Ok(session.shown(found))
}

/// Leaves the request, and waits a little for the running program to carry it out.
fn ask(
    session: &mut Session,
    out: &mut impl Write,
    directory: &Path,
    id: &str,
    request: Request,
    json: bool,
) -> anyhow::Result<u8> {
    let found = find(session, id)?;
    let mut code = if found.is_empty() { NO } else { YES };
    for listed in found {
        let key = listed.stored.row.key;
        let file = requests::leave(directory, &key, request)?;
        let until = Instant::now() + limits::REQUEST_TIME;
        while file.exists() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
        let waits = file.exists();
        let mut all = session.outbox(Timestamp::now())?.into_iter();
        let now = all.find(|other| other.stored.row.key == key).unwrap_or(listed);
        let wished = match request {
            Request::Cancel => now.state == State::Cancelled,
            // It may have been sent again, or have failed again, already.
            Request::Retry => now.history.iter().any(|(_, _, reply)| reply == "retry by command"),
        };
        if !waits && !wished {
            code = NO;
        }
        let reference = &now.stored.row.reference;
        if json {
            let asked = json!({ "asked": request.as_str(), "waits": waits, "letter": to_json(&now) });
            writeln!(out, "{asked}")?;
        } else if waits {
            writeln!(out, "{reference}: postvakt is not running; it will do this at its next start")?;
        } else {
            writeln!(out, "{reference}: {}", now.state.as_str())?;
        }
    }
    Ok(code)
}

fn key(listed: &Listed) -> String {
    format!("{:032x}", u128::from_be_bytes(listed.stored.row.key))
}

fn to_json(listed: &Listed) -> Value {
    let row = &listed.stored.row;
    json!({
        "reference": row.reference,
        "key": key(listed),
        "kind": row.kind.as_str(),
        "state": listed.state.as_str(),
        "mailbox": row.mailbox,
        "recipient": row.recipient,
        "record": listed.record.to_string(),
        "arrived": row.at.to_string(),
        "due": listed.due.to_string(),
        "until": row.until.to_string(),
        "attempts": listed.attempts,
        "last": listed.history.last().map(|(_, _, reply)| reply),
    })
}

fn print_list(out: &mut dyn Write, all: &[Listed], zone: &TimeZone) -> io::Result<()> {
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|listed| {
            let row = &listed.stored.row;
            vec![
                row.reference.clone(),
                row.kind.as_str().to_owned(),
                listed.state.as_str().to_owned(),
                local(row.at, zone),
                listed.attempts.to_string(),
                row.mailbox.clone(),
                row.recipient.clone(),
                listed.history.last().map(|(_, _, reply)| one_line(reply)).unwrap_or_default(),
            ]
        })
        .collect();
    let head = ["REFERENCE", "KIND", "STATE", "ARRIVED", "TRIES", "FROM", "TO", "LAST"];
    write_table(out, io::stdout().is_terminal(), &head, &rows)
}

fn show(out: &mut impl Write, listed: &Listed, json: bool, zone: &TimeZone) -> io::Result<()> {
    let row = &listed.stored.row;
    if json {
        let mut object = to_json(listed);
        if let Some(fields) = object.as_object_mut() {
            let event = |(at, state, reply): &(Timestamp, State, String)| json!({ "at": at.to_string(), "state": state.as_str(), "reply": reply });
            fields.insert("history".to_owned(), listed.history.iter().map(event).collect());
            fields.insert("message".to_owned(), json!(row.message));
            fields.insert("text".to_owned(), json!(readable(&row.message).1));
        }
        return writeln!(out, "{object}");
    }
    writeln!(out, "{} ({}): {}", row.reference, row.kind.as_str(), listed.state.as_str())?;
    writeln!(out, "  record    {}", listed.record)?;
    writeln!(out, "  arrived   {}", local(row.at, zone))?;
    writeln!(out, "  from      {}", row.mailbox)?;
    writeln!(out, "  to        {}", row.recipient)?;
    if listed.state == State::Pending {
        writeln!(out, "  due       {}", local(listed.due, zone))?;
    }
    for (at, state, reply) in &listed.history {
        writeln!(out, "  {}  {}: {}", local(*at, zone), state.as_str(), one_line(reply))?;
    }
    writeln!(out)?;
    let (header, text) = readable(&row.message);
    for line in header.lines().chain([""]).chain(text.lines()) {
        writeln!(out, "  | {}", visible(line))?;
    }
    Ok(())
}

/// The header and the text of an outgoing notice, decoded: what its reader sees, and not what is sent.
pub(super) fn readable(message: &str) -> (String, String) {
    let (header, body) = message.split_once("\r\n\r\n").unwrap_or(("", message));
    let encoding = header.lines().find_map(|line| line.strip_prefix("Content-Transfer-Encoding: "));
    let (text, _) = decode(Encoding::named(encoding.unwrap_or_default().as_bytes()), body.as_bytes());
    // A fold before a space is no part of the value.
    let header = header.replace("\r\n ", " ");
    let fields: Vec<_> = header.lines().map(words::decode).collect();
    (fields.join("\n"), String::from_utf8_lossy(&text).trim_end().to_owned())
}

/// A server's reply on one line, whatever it put into it.
fn one_line(reply: &str) -> String {
    reply.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The outbox of a store.
pub fn outbox(config: &Config, now: Timestamp) -> anyhow::Result<Vec<Listed>> {
    let mut all = Vec::new();
    within(
        (config, Reader::of_this_process(Via::CommandLine)),
        "receipts list",
        "",
        &Reason::of_decision("demo"),
        |session| {
            all = session.outbox(now)?;
            session.count(all.len() as u64);
            Ok(YES)
        },
    )?;
    Ok(all)
}

/// Prints the outbox of a store, and one receipt whole, as `demo --all` does at its end.
pub fn print_all(config: &Config) -> anyhow::Result<()> {
    let all = outbox(config, Timestamp::now())?;
    let mut out = io::stdout().lock();
    print_list(&mut out, &all, &config.time_zone)?;
    if let Some(first) = all.iter().find(|listed| listed.stored.row.kind == OutboxKind::Receipt) {
        writeln!(out)?;
        show(&mut out, first, false, &config.time_zone)?;
    }
    Ok(())
}

//! `postvakt log decision` and `postvakt log hold`: what is registered, and who is to be asked about it.

use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::{Granted, Reason, USAGE, YES, period};
use crate::cli::write_table;
use crate::config::Config;
use crate::export::{local, visible};
use crate::store::access::{AccessLog, Kind, Reader};
use crate::store::register::{Close, Decision, Hold, Register, Registered};
use crate::store::search::{Party, Query};

/// What is done with decisions.
#[derive(Debug, clap::Subcommand)]
pub(super) enum DecisionCommand {
    /// Register a decision by which the log may be read. From the first one on, no other counts.
    Add {
        /// Its reference, as "KS 2026/123".
        #[arg(value_name = "REF")]
        reference: String,
        /// Who took it.
        #[arg(long, value_name = "WHO")]
        by: String,
        /// The day on which it was taken.
        #[arg(long, value_name = "DATE")]
        date: Date,
        /// What for.
        #[arg(long, value_name = "TEXT")]
        purpose: String,
        /// Whose mail it is about: an address, or @domain. It allows to name nobody else.
        #[arg(long, value_name = "A", value_parser = party)]
        person: Vec<String>,
        /// The mail that it is about came not before this time.
        #[arg(long, value_name = "T")]
        since: Option<String>,
        /// And before this time; a day counts as a whole.
        #[arg(long, value_name = "T")]
        until: Option<String>,
        /// The last day on which it holds.
        #[arg(long, value_name = "DATE")]
        valid_until: Date,
    },
    /// Show the decisions.
    List {
        #[command(flatten)]
        reason: Reason,
    },
    /// Say that a decision holds no longer.
    Close {
        /// Its reference.
        #[arg(value_name = "REF")]
        reference: String,
    },
}

/// What is done with holds.
#[derive(Debug, clap::Subcommand)]
pub(super) enum HoldCommand {
    /// Keep records from retention, as from the moment a request for them is registered.
    Add {
        /// Its reference: the request, or the case.
        #[arg(value_name = "REF")]
        reference: String,
        /// Whose mail is kept: an address, or @domain. Without it: everybody's.
        #[arg(long, value_name = "A", value_parser = party)]
        party: Vec<String>,
        /// Mail that came not before this time.
        #[arg(long, value_name = "T")]
        since: Option<String>,
        /// And before this time; a day counts as a whole.
        #[arg(long, value_name = "T")]
        until: Option<String>,
    },
    /// Show the holds.
    List {
        #[command(flatten)]
        reason: Reason,
    },
    /// Let retention have them again.
    Release {
        /// Its reference.
        #[arg(value_name = "REF")]
        reference: String,
    },
}

fn party(text: &str) -> Result<String, &'static str> {
    Party::parse(text).map(|_| text.trim().to_owned())
}

/// Runs `log decision`.
pub(super) fn decision(
    command: &DecisionCommand,
    directory: &Path,
    config: &Config,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let (now, reader) = (Timestamp::now(), Reader::of_this_process());
    match command {
        DecisionCommand::Add { reference, by, date, purpose, person, since, until, valid_until } => {
            let asked = period(since.as_deref(), until.as_deref(), config)?;
            let decision = Decision {
                registered_by: reader,
                reference: named(reference)?,
                decided_by: by.clone(),
                decided_on: *date,
                purpose: purpose.clone(),
                persons: person.clone(),
                since: asked.since,
                until: asked.until,
                valid_until: *valid_until,
            };
            let n = AccessLog::open(directory)?.add(Kind::Decision, now, &decision)?;
            said(out, json, n, &format!("{}: registered", decision.reference))
        }
        DecisionCommand::Close { reference } => {
            let mut log = AccessLog::open(directory)?;
            let reference = named(reference)?;
            let open = |known: &Registered| known.closed.is_none() && known.decision.reference == reference;
            if !Register::read(&log)?.decisions.iter().any(open) {
                bail!("{reference}: no such decision is registered and open");
            }
            let close = Close { closed_by: reader, reference };
            let n = log.add(Kind::Close, now, &close)?;
            said(out, json, n, &format!("{}: closed", close.reference))
        }
        DecisionCommand::List { reason } => {
            let Some(access) = review("decisions", directory, config, reason)? else { return Ok(USAGE) };
            let register = Register::read(&access.log)?;
            let today = now.to_zoned(config.time_zone.clone()).date();
            let rows: Vec<(Value, Vec<String>)> =
                register.decisions.iter().map(|known| decision_row(known, today, config)).collect();
            let head = ["DECISION", "STATE", "BY", "DATE", "VALID UNTIL", "PERSONS", "PURPOSE"];
            list(access, &head, &rows, json, out)
        }
    }
}

/// Runs `log hold`.
pub(super) fn hold(
    command: &HoldCommand,
    directory: &Path,
    config: &Config,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let (now, reader) = (Timestamp::now(), Reader::of_this_process());
    match command {
        HoldCommand::Add { reference, party, since, until } => {
            let asked = period(since.as_deref(), until.as_deref(), config)?;
            let hold = Hold {
                placed_by: reader,
                reference: named(reference)?,
                parties: party.clone(),
                since: asked.since,
                until: asked.until,
            };
            let n = AccessLog::open(directory)?.add(Kind::Hold, now, &hold)?;
            said(out, json, n, &format!("{}: held", hold.reference))
        }
        HoldCommand::Release { reference } => {
            let mut log = AccessLog::open(directory)?;
            let reference = named(reference)?;
            if !Register::read(&log)?.holds.iter().any(|hold| hold.reference == reference) {
                bail!("{reference}: there is no such hold");
            }
            let release = Close { closed_by: reader, reference };
            let n = log.add(Kind::Release, now, &release)?;
            said(out, json, n, &format!("{}: released", release.reference))
        }
        HoldCommand::List { reason } => {
            let Some(access) = review("holds", directory, config, reason)? else { return Ok(USAGE) };
            let register = Register::read(&access.log)?;
            let rows: Vec<(Value, Vec<String>)> =
                register.holds.iter().map(|hold| hold_row(hold, config)).collect();
            list(access, &["HOLD", "PARTIES", "SINCE", "UNTIL"], &rows, json, out)
        }
    }
}

fn named(reference: &str) -> anyhow::Result<String> {
    let reference = reference.trim();
    ensure!(!reference.is_empty(), "a reference is needed, as \"KS 2026/123\"");
    Ok(reference.to_owned())
}

/// The register tells of persons, so looking at it is an access.
fn review(verb: &str, directory: &Path, config: &Config, reason: &Reason) -> anyhow::Result<Option<Granted>> {
    Granted::ask(directory, config, verb, &Query::default(), json!({}), &reason.or("review of the register"))
}

fn said(out: &mut dyn Write, json: bool, n: u64, text: &str) -> anyhow::Result<u8> {
    let line =
        if json { json!({ "entry": n, "done": text }).to_string() } else { visible(text).into_owned() };
    writeln!(out, "{line}")?;
    Ok(YES)
}

fn list(
    access: Granted,
    head: &[&str],
    rows: &[(Value, Vec<String>)],
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let printed = if json {
        rows.iter().try_for_each(|(row, _)| writeln!(out, "{row}"))
    } else {
        let cells: Vec<Vec<String>> = rows.iter().map(|(_, cells)| cells.clone()).collect();
        write_table(out, false, head, &cells)
    };
    access.end(rows.len() as u64, printed.map(|()| Vec::new()).context("the list cannot be printed"))
}

fn decision_row(known: &Registered, today: Date, config: &Config) -> (Value, Vec<String>) {
    let Registered { n, decision, closed } = known;
    let state = match closed {
        Some(_) => "closed",
        None if decision.valid_until < today => "ended",
        None => "open",
    };
    let at = |time: Option<Timestamp>| time.map(|time| local(time, &config.time_zone));
    let row = json!({
        "entry": n, "reference": decision.reference, "state": state, "decided_by": decision.decided_by,
        "decided_on": decision.decided_on, "purpose": decision.purpose, "persons": decision.persons,
        "since": at(decision.since), "until": at(decision.until), "valid_until": decision.valid_until,
        "closed": at(*closed), "registered_by": decision.registered_by.user,
    });
    let cells = [
        decision.reference.clone(),
        state.to_owned(),
        decision.decided_by.clone(),
        decision.decided_on.to_string(),
        decision.valid_until.to_string(),
        decision.persons.join(", "),
        decision.purpose.clone(),
    ];
    (row, cells.iter().map(|cell| visible(cell).into_owned()).collect())
}

fn hold_row(hold: &Hold, config: &Config) -> (Value, Vec<String>) {
    let at = |time: Option<Timestamp>| time.map(|time| local(time, &config.time_zone));
    let row = json!({
        "reference": hold.reference, "parties": hold.parties, "since": at(hold.since), "until": at(hold.until),
        "placed_by": hold.placed_by.user,
    });
    let parties = if hold.parties.is_empty() { "everybody".to_owned() } else { hold.parties.join(", ") };
    let cells = [
        hold.reference.clone(),
        parties,
        at(hold.since).unwrap_or_default(),
        at(hold.until).unwrap_or_default(),
    ];
    (row, cells.iter().map(|cell| visible(cell).into_owned()).collect())
}

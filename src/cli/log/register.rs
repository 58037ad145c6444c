//! `postvakt log decision` and `postvakt log legal-hold`: what is registered, and who is to be asked about it.

use anyhow::{bail, ensure};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::{Context, Reason, YES, period};
use crate::cli::write_table;
use crate::config::Config;
use crate::export::{local, visible};
use crate::store::access::{AccessLog, Kind, Reader};
use crate::store::gate;
use crate::store::query::{Party, Query};
use crate::store::register::{Approve, Close, Decision, Hold, Register, Registered};
use crate::store::session::Request;

/// What is done with decisions.
#[derive(Debug, clap::Subcommand)]
pub(super) enum DecisionCommand {
    /// Register a decision that permits access to the log. From the first one on, only registered decisions count.
    Add {
        /// Reference, such as "KS 2026/123".
        #[arg(value_name = "REF")]
        reference: String,
        /// Who took the decision.
        #[arg(long, value_name = "WHO")]
        by: String,
        /// Date of the decision.
        #[arg(long, value_name = "DATE")]
        date: Date,
        /// Purpose of the access.
        #[arg(long, value_name = "TEXT")]
        purpose: String,
        /// Person whose mail may be accessed: an address, or @domain. A query may name no one else inside.
        #[arg(long, value_name = "A", value_parser = party)]
        person: Vec<String>,
        /// Start of the period whose mail may be accessed.
        #[arg(long, value_name = "T")]
        since: Option<String>,
        /// End of the period. A date includes that whole day.
        #[arg(long, value_name = "T")]
        until: Option<String>,
        /// Last day on which the decision is valid.
        #[arg(long, value_name = "DATE")]
        valid_until: Date,
    },
    /// List the decisions.
    List {
        #[command(flatten)]
        reason: Reason,
    },
    /// Approve a decision as a second person. If the config requires four eyes, it permits nothing before that.
    Approve {
        /// Reference.
        #[arg(value_name = "REF")]
        reference: String,
    },
    /// Close a decision, so that it no longer permits access.
    Close {
        /// Reference.
        #[arg(value_name = "REF")]
        reference: String,
    },
}

/// What is done with holds.
#[derive(Debug, clap::Subcommand)]
pub(super) enum HoldCommand {
    /// Exempt records from deletion, for example while a request for public records is handled.
    Add {
        /// Reference of the request or the case.
        #[arg(value_name = "REF")]
        reference: String,
        /// Person whose mail is kept: an address, or @domain. Default: all mail.
        #[arg(long, value_name = "A", value_parser = party)]
        party: Vec<String>,
        /// Start of the period.
        #[arg(long, value_name = "T")]
        since: Option<String>,
        /// End of the period. A date includes that whole day.
        #[arg(long, value_name = "T")]
        until: Option<String>,
    },
    /// List the legal holds.
    List {
        #[command(flatten)]
        reason: Reason,
    },
    /// Release a legal hold.
    Release {
        /// Reference.
        #[arg(value_name = "REF")]
        reference: String,
    },
}

fn party(text: &str) -> Result<String, &'static str> {
    Party::parse(text).map(|_| text.trim().to_owned())
}

/// Runs `log decision`.
pub(super) fn decision(command: &DecisionCommand, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let (now, reader) = (Timestamp::now(), context.reader.clone());
    let Context { directory, config, .. } = *context;
    match command {
        DecisionCommand::Add { reference, by, date, purpose, person, since, until, valid_until } => {
            let asked = period(since.as_deref(), until.as_deref(), config)?;
            let reference = named(reference)?;
            ensure!(!by.trim().is_empty(), "--by: say who took the decision");
            ensure!(!purpose.trim().is_empty(), "--purpose: say what the decision is for");
            ensure!(date <= valid_until, "the decision of {date} ends before it was taken, on {valid_until}");
            let today = now.to_zoned(config.time_zone.clone()).date();
            ensure!(*date <= today, "the decision is of {date}, and today is {today}");
            let mut log = AccessLog::open(directory)?;
            let taken = |known: &Registered| known.closed.is_none() && known.decision.reference == reference;
            if Register::read(&log)?.decisions.iter().any(taken) {
                bail!(
                    "{reference}: this decision is registered already; close it first, or use another reference"
                );
            }
            let decision = Decision {
                registered_by: reader,
                reference,
                decided_by: by.clone(),
                decided_on: *date,
                purpose: purpose.clone(),
                persons: person.clone(),
                since: asked.since,
                until: asked.until,
                valid_until: *valid_until,
            };
            let n = log.add(Kind::Decision, now, &decision)?;
            let then = if config.store.access.four_eyes { "; a second person has to approve it" } else { "" };
            said(context, n, &format!("{}: registered{then}", decision.reference))
        }
        DecisionCommand::Approve { reference } => {
            let mut log = AccessLog::open(directory)?;
            let reference = named(reference)?;
            let register = Register::read(&log)?;
            let open = |known: &&Registered| known.closed.is_none() && known.decision.reference == reference;
            let Some(known) = register.decisions.iter().rev().find(open) else {
                bail!("{reference}: no open decision with this reference is registered");
            };
            ensure!(known.approved.is_none(), "{reference}: it is approved already");
            if !known.may_approve(&reader) {
                let who = &reader.subject;
                let why = format!("{reference}: {who} registered it; another person has to approve it");
                return context.refuse("approve", &reference, why);
            }
            let approve = Approve { approved_by: reader, reference };
            let n = log.add(Kind::Approve, now, &approve)?;
            said(context, n, &format!("{}: approved", approve.reference))
        }
        DecisionCommand::Close { reference } => {
            let mut log = AccessLog::open(directory)?;
            let reference = named(reference)?;
            let open = |known: &Registered| known.closed.is_none() && known.decision.reference == reference;
            if !Register::read(&log)?.decisions.iter().any(open) {
                bail!("{reference}: no open decision with this reference is registered");
            }
            let close = Close { closed_by: reader, reference };
            let n = log.add(Kind::Close, now, &close)?;
            said(context, n, &format!("{}: closed", close.reference))
        }
        DecisionCommand::List { reason } => {
            let today = now.to_zoned(config.time_zone.clone()).date();
            list("decisions", &DECISIONS, reason, context, |register| {
                register.decisions.iter().map(|known| decision_row(known, today, config)).collect()
            })
        }
    }
}

/// Runs `log legal-hold`.
pub(super) fn hold(command: &HoldCommand, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let (now, reader) = (Timestamp::now(), context.reader.clone());
    let Context { directory, config, .. } = *context;
    match command {
        HoldCommand::Add { reference, party, since, until } => {
            let asked = period(since.as_deref(), until.as_deref(), config)?;
            let hold = Hold {
                placed_by: reader,
                reference: named(reference)?,
                parties: party.clone(),
                since: asked.since,
                until: asked.until,
                query: String::new(),
            };
            let mut log = AccessLog::open(directory)?;
            if let Some(why) = Register::read(&log)?.refuses(&hold) {
                bail!(why);
            }
            let n = log.add(Kind::Hold, now, &hold)?;
            said(context, n, &format!("{}: held", hold.reference))
        }
        HoldCommand::Release { reference } => {
            let mut log = AccessLog::open(directory)?;
            let reference = named(reference)?;
            if !Register::read(&log)?.holds.iter().any(|hold| hold.reference == reference) {
                bail!("{reference}: no such legal hold");
            }
            let release = Close { closed_by: reader, reference };
            let n = log.add(Kind::Release, now, &release)?;
            said(context, n, &format!("{}: released", release.reference))
        }
        HoldCommand::List { reason } => {
            list("holds", &["HOLD", "PARTIES", "SINCE", "UNTIL"], reason, context, |register| {
                register.holds.iter().map(|hold| hold_row(hold, config)).collect()
            })
        }
    }
}

pub(super) fn named(reference: &str) -> anyhow::Result<String> {
    let reference = reference.trim();
    ensure!(!reference.is_empty(), "a reference is required, such as \"KS 2026/123\"");
    Ok(reference.to_owned())
}

fn said(context: &mut Context<'_>, n: u64, text: &str) -> anyhow::Result<u8> {
    let done = json!({ "entry": n, "done": text });
    let line = if context.json { done.to_string() } else { visible(text).into_owned() };
    writeln!(context.out, "{line}")?;
    Ok(YES)
}

/// Prints a part of the register. It tells of persons, so looking at it is an access.
fn list(
    verb: &'static str,
    head: &[&str],
    reason: &Reason,
    context: &mut Context<'_>,
    rows: impl FnOnce(&Register) -> Vec<(Value, Vec<String>)>,
) -> anyhow::Result<u8> {
    let request = Request::new(verb, Query::default(), reason.or(gate::REVIEW_OF_REGISTER));
    let code = context.read(&request, |session, context| {
        let rows = rows(&session.register()?);
        session.count(rows.len() as u64);
        if context.json {
            rows.iter().try_for_each(|(row, _)| writeln!(context.out, "{row}"))?;
        } else {
            let cells: Vec<Vec<String>> = rows.into_iter().map(|(_, cells)| cells).collect();
            write_table(&mut *context.out, false, head, &cells)?;
        }
        Ok(())
    });
    code.map(|(code, _)| code)
}

/// The columns of the list of decisions.
const DECISIONS: [&str; 10] = [
    "DECISION",
    "STATE",
    "BY",
    "DATE",
    "VALID UNTIL",
    "MAIL OF",
    "PERSONS",
    "REGISTERED",
    "APPROVED",
    "PURPOSE",
];

fn decision_row(known: &Registered, today: Date, config: &Config) -> (Value, Vec<String>) {
    let Registered { n, at: registered, decision, approved, closed } = known;
    let state = match closed {
        Some(_) => "closed",
        None if decision.valid_until < today => "ended",
        None if config.store.access.four_eyes && approved.is_none() => "waits",
        None => "open",
    };
    let zone = &config.time_zone;
    let at = |time: Option<Timestamp>| time.map(|time| local(time, zone));
    let minute = |time: Timestamp| zone.to_datetime(time).strftime("%Y-%m-%d %H:%M").to_string();
    let by = |reader: &Reader, time: Timestamp| format!("{} {}", minute(time), reader.subject);
    let end = |time: Option<Timestamp>| time.map_or("…".to_owned(), minute);
    let period = match (decision.since, decision.until) {
        (None, None) => String::new(),
        (since, until) => format!("{} to {}", end(since), end(until)),
    };
    let row = json!({
        "entry": n, "reference": decision.reference, "state": state, "decided_by": decision.decided_by,
        "decided_on": decision.decided_on, "purpose": decision.purpose, "persons": decision.persons,
        "since": at(decision.since), "until": at(decision.until), "valid_until": decision.valid_until,
        "closed": at(*closed), "registered_by": decision.registered_by.subject, "registered": local(*registered, zone),
        "approved_by": approved.as_ref().map(|(reader, _)| &reader.subject),
        "approved": approved.as_ref().map(|(_, time)| local(*time, zone)),
    });
    let cells = [
        decision.reference.clone(),
        state.to_owned(),
        decision.decided_by.clone(),
        decision.decided_on.to_string(),
        decision.valid_until.to_string(),
        period,
        decision.persons.join(", "),
        by(&decision.registered_by, *registered),
        approved.as_ref().map(|(reader, time)| by(reader, *time)).unwrap_or_default(),
        decision.purpose.clone(),
    ];
    (row, cells.iter().map(|cell| visible(cell).into_owned()).collect())
}

fn hold_row(hold: &Hold, config: &Config) -> (Value, Vec<String>) {
    let at = |time: Option<Timestamp>| time.map(|time| local(time, &config.time_zone));
    let row = json!({
        "reference": hold.reference, "parties": hold.parties, "since": at(hold.since), "until": at(hold.until),
        "placed_by": hold.placed_by.subject, "query": serde_json::from_str::<Value>(&hold.query).ok(),
    });
    let parties = match (hold.query.as_str(), hold.parties.is_empty()) {
        ("" | "{}", true) => "everybody".to_owned(),
        ("", false) => hold.parties.join(", "),
        (query, _) => format!("what was requested: {query}"),
    };
    let cells = [
        hold.reference.clone(),
        parties,
        at(hold.since).unwrap_or_default(),
        at(hold.until).unwrap_or_default(),
    ];
    (row, cells.iter().map(|cell| visible(cell).into_owned()).collect())
}

//! `postvakt log retention`: lists the records that are due for deletion, and deletes them.

use std::io::Write;

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::{Context, YES, protocol, told};
use crate::cli::write_table;
use crate::config::Config;
use crate::export::{local, visible};
use crate::store::access::{AccessLog, Kind, Period, Retention};
use crate::store::query::Query;
use crate::store::register::Register;
use crate::store::retention::{Locks, Plan, Rules, counts, plan, run, taken};
use crate::store::session::{Reason, Request};

/// What is done.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Protocol of a retention run, as a page to be signed and filed.
    Protocol(protocol::Args),
    /// Show which records are due for deletion. Changes nothing.
    Plan,
    /// Delete the records that are due by a decision of the config (irreversible).
    Run {
        /// Reference of the decision, as in the config.
        #[arg(long, value_name = "REF")]
        decision: String,
        /// Show what would be deleted. Changes nothing.
        #[arg(long)]
        dry_run: bool,
        /// Today's date. Required if a gap in the log looks like a jump of the clock.
        #[arg(long, value_name = "DATE")]
        today: Option<Date>,
    },
}

/// Runs it.
pub(super) fn retention(command: &Command, context: &mut Context<'_>) -> anyhow::Result<u8> {
    if let Command::Protocol(args) = command {
        return protocol::run(args, context);
    }
    let Context { directory, config, json, .. } = *context;
    let mut log = AccessLog::open(directory)?;
    let register = Register::read(&log)?;
    let now = Timestamp::now();
    let decision = match command {
        Command::Plan | Command::Protocol(_) => None,
        Command::Run { decision, .. } => Some(decision.trim()),
    };
    let rules = Rules {
        periods: &config.store.retention,
        holds: &register.holds,
        organisation: &config.organisation,
        decision,
    };
    let locks = Locks::take(directory)?;
    let planned = plan(directory, &rules, now, &locks)?;
    print(&planned, &rules, config, json, context.out)?;
    let Command::Run { decision, dry_run, today } = command else { return Ok(YES) };
    if *dry_run {
        return Ok(YES);
    }
    let right_day = *today == Some(now.to_zoned(config.time_zone.clone()).date());
    let refused = if config.store.retention.iter().all(|period| period.decision != decision.trim()) {
        Some(format!("no [[store.retention]] in the config has the decision {decision:?}"))
    } else {
        planned.jump.filter(|_| !right_day).map(|(from, to)| {
            format!(
                "between {from} and {to} no mail came, as if the clock had jumped; if it is right, say so with \
                 --today and the date"
            )
        })
    };
    let reason = Reason { purpose: "retention".to_owned(), ..Reason::decision(decision.trim()) };
    let files = taken(&planned);
    let asked = json!({ "records": files.iter().map(|file| file.records).sum::<u64>() });
    let request = Request::new("retention", Query::default(), reason).with(asked);
    let gate = context.gate();
    let entry = Retention {
        reader: gate.reader.clone(),
        decision: decision.trim().to_owned(),
        config: config.hash.clone(),
        counts: counts(&planned),
        periods: config.store.retention.iter().map(Period::of).collect(),
        files,
    };
    let (code, records) = told(
        gate.act(&request, refused, |session| {
            let n = log.add(Kind::Retention, Timestamp::now(), &entry)?;
            let records = run(directory, &planned, n, decision.trim(), &locks)
                .context("the deletion is not complete")?;
            session.count(records);
            anyhow::Ok(records)
        })?,
        &config.time_zone,
    );
    if let Some(records) = records
        && !json
    {
        writeln!(
            context.out,
            "{records} records deleted; their leaf hashes remain. Backups and exports still contain the records."
        )?;
    }
    Ok(code)
}

fn print(
    plan: &Plan,
    rules: &Rules<'_>,
    config: &Config,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let undecided: u64 = plan.months.iter().map(|month| month.undecided).sum();
    let held: u64 = plan.months.iter().map(|month| month.held).sum();
    let mut rows: Vec<(Value, Vec<String>)> = Vec::new();
    for month in &plan.months {
        for (period, due) in rules.periods.iter().zip(&month.by_period).filter(|(_, due)| **due > 0) {
            let days = period.keep.as_secs() / 86_400;
            let then = if month.waits { "when the month is over, or the server is stopped" } else { "now" };
            let row = json!({
                "month": month.month.to_string(), "authority": period.authority, "decision": period.decision,
                "days": days, "due": due, "waits": month.waits,
            });
            let cells = [
                month.month.to_string(),
                period.authority.clone(),
                period.decision.clone(),
                days.to_string(),
                due.to_string(),
                then.to_owned(),
            ];
            rows.push((row, cells.iter().map(|cell| visible(cell).into_owned()).collect()));
        }
    }
    if json {
        let rows: Vec<&Value> = rows.iter().map(|(row, _)| row).collect();
        let plan = json!({
            "counted_to": local(plan.now, &config.time_zone), "due": rows, "held": held, "undecided": undecided,
            "jump": plan.jump.map(|(from, to)| [from, to]),
        });
        writeln!(out, "{plan}")?;
        return Ok(());
    }
    let cells: Vec<Vec<String>> = rows.into_iter().map(|(_, cells)| cells).collect();
    write_table(out, false, &["MONTH", "AUTHORITY", "DECISION", "DAYS", "DUE", "GOES"], &cells)?;
    if held > 0 {
        writeln!(out, "{held} more are due, but under a legal hold.")?;
    }
    if undecided > 0 {
        writeln!(out, "{undecided} are kept: a party inside has no retention period.")?;
    }
    Ok(())
}

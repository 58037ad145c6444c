//! `postvakt log retention`: lists the records and the entries of the access log that are due for deletion, and deletes
//! them.

use std::io::Write;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::{Context, YES, protocol, told};
#[cfg(feature = "central")]
use crate::central::holds;
use crate::cli::write_table;
use crate::config::{self, Config};
use crate::export::{local, visible};
use crate::store::access::{AccessLog, Kind, Period, Retention, Via};
use crate::store::query::Query;
use crate::store::register::{Hold, Register};
use crate::store::retention::accesses::{self, Due};
use crate::store::retention::proposals::{self, Proposal, Proposed};
use crate::store::retention::{Locks, Plan, Rules, counts, plan, run, taken};
use crate::store::session::{Reason, Request};

/// What is done.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Protocol of a retention run, as a page to be signed and filed.
    Protocol(protocol::Args),
    /// Show which records and entries of the access log are due for deletion. Changes nothing.
    Plan,
    /// Propose a run. Within 7 days, another person has it done with `retention run`. Needed in the console, and where the config
    /// requires four eyes.
    Propose {
        /// Reference of the decision, as in the config.
        #[arg(long, value_name = "REF")]
        decision: String,
    },
    /// Delete what is due by a decision of the config (irreversible).
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
    if let Command::Propose { decision } = command {
        return propose(decision.trim(), &mut log, context);
    }
    let decision = match command {
        Command::Plan | Command::Protocol(_) | Command::Propose { .. } => None,
        Command::Run { decision, .. } => Some(decision.trim()),
    };
    let holds: Vec<Hold> = register.holds.into_iter().chain(holds_of_others(config)?).collect();
    let rules = Rules {
        periods: &config.store.retention,
        holds: &holds,
        organisation: &config.organisation,
        decision,
    };
    let locks = Locks::take(directory)?;
    let planned = plan(directory, &rules, now, &locks)?;
    // The access log's period, where it is asked for.
    let period = config.store.access_retention.as_ref();
    let period = period.filter(|period| decision.is_none_or(|decision| decision == period.decision));
    let due =
        period.map(|period| accesses::due(&log, period, planned.now, &config.organisation)).transpose()?;
    let own = period.zip(due.as_ref());
    let waiting = proposals::waiting(&log, now)?;
    print(&planned, own, &rules, &waiting, config, json, context.out)?;
    let Command::Run { decision, dry_run, today } = command else { return Ok(YES) };
    if *dry_run {
        return Ok(YES);
    }
    let right_day = *today == Some(now.to_zoned(config.time_zone.clone()).date());
    let jump = planned.jump.filter(|_| !right_day);
    let alone = second_person(context, &waiting, decision.trim());
    let work = Work { planned: &planned, own, decision: decision.trim(), jump, alone };
    work.run(&mut log, &locks, context)
}

/// The legal holds of the other nodes of a central log. Where they cannot be asked for, nothing is deleted.
#[cfg(feature = "central")]
fn holds_of_others(config: &Config) -> anyhow::Result<Vec<Hold>> {
    let entries = holds::of_others(config.central.as_ref())
        .context("the legal holds of the other nodes are not known, so nothing may be deleted")?;
    let mut open = Vec::new();
    for of_node in entries.chunk_by(|one, other| one.node == other.node) {
        let told = of_node.iter().map(|entry| (entry.kind.as_str(), entry.body.as_str()));
        let of_node = Register::open_holds(told).map_err(|body| {
            anyhow::anyhow!("a legal hold of another node cannot be read, so nothing may be deleted: {body}")
        })?;
        open.extend(of_node);
    }
    Ok(open)
}

#[cfg(not(feature = "central"))]
#[expect(clippy::unnecessary_wraps, reason = "it can fail where there is a centre")]
fn holds_of_others(_config: &Config) -> anyhow::Result<Vec<Hold>> {
    Ok(Vec::new())
}

/// What a run deletes.
struct Work<'a> {
    planned: &'a Plan,
    /// Of the access log, where the decision is about it.
    own: Option<(&'a config::Retention, &'a Due)>,
    decision: &'a str,
    /// What looks like a jump of the clock, unless somebody said what day it is.
    jump: Option<(Timestamp, Timestamp)>,
    /// Why a second person is needed, where one is and there is none.
    alone: Option<String>,
}

/// Writes that a run is proposed.
fn propose(decision: &str, log: &mut AccessLog, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let store = &context.config.store;
    let known =
        store.retention.iter().chain(&store.access_retention).any(|period| period.decision == decision);
    ensure!(
        known,
        "no [[store.retention]] and no [store.access_retention] in the config has the decision {decision:?}"
    );
    let proposal = Proposal { by: context.reader.clone(), decision: decision.to_owned() };
    let n = log.add(Kind::Proposal, Timestamp::now(), &proposal)?;
    if context.json {
        writeln!(context.out, "{}", json!({ "entry": n, "decision": decision, "stage": "proposed" }))?;
    } else {
        let decision = visible(decision);
        writeln!(
            context.out,
            "{decision}: proposed (entry {n} of the access log); another person runs it within 7 days"
        )?;
    }
    Ok(YES)
}

/// Why nothing may be deleted yet, where two persons are needed: in the console, and where the config says so.
fn second_person(context: &Context<'_>, waiting: &[Proposed], decision: &str) -> Option<String> {
    let reader = &context.reader;
    if reader.via != Via::Console && !context.config.store.access.four_eyes {
        return None;
    }
    let mut own = waiting.iter().filter(|known| known.proposal.decision == decision).peekable();
    if own.peek().is_none() {
        return Some(format!(
            "two persons delete records: propose the run by {decision} first, and have another person do it"
        ));
    }
    let by_another = own.any(|known| !known.proposal.by.is_same_person(reader));
    (!by_another)
        .then(|| format!("{} proposed the run by {decision}; another person has to do it", reader.subject))
}

impl Work<'_> {
    /// Deletes it, and tells of it.
    fn run(&self, log: &mut AccessLog, locks: &Locks, context: &mut Context<'_>) -> anyhow::Result<u8> {
        let Self { planned, own, decision, jump, ref alone } = *self;
        let Context { directory, config, json, .. } = *context;
        let is_of_records = config.store.retention.iter().any(|period| period.decision == decision);
        let refused = if !is_of_records && own.is_none() {
            Some(format!(
                "no [[store.retention]] and no [store.access_retention] in the config has the decision {decision:?}"
            ))
        } else {
            jump.map(|(from, to)| {
            format!(
                "between {from} and {to} no mail came, as if the clock had jumped; if it is right, say so with \
                 --today and the date"
            )
        })
        };
        let refused = refused.or_else(|| alone.clone());
        let reason = Reason { purpose: "retention".to_owned(), ..Reason::decision(decision) };
        let files = taken(planned);
        let asked = json!({
            "records": files.iter().map(|file| file.records).sum::<u64>(),
            "entries": own.map(|(_, due)| due.numbers.len()),
        });
        let request = Request::new("retention", Query::default(), reason).with(asked);
        let gate = context.gate();
        let entry = Retention {
            reader: gate.reader.clone(),
            decision: decision.to_owned(),
            config: config.hash.clone(),
            counts: counts(planned),
            periods: config.store.retention.iter().map(Period::of).collect(),
            files,
        };
        let (code, gone) = told(
            gate.act(&request, refused, |session| {
                let mut records = None;
                if is_of_records {
                    let n = log.add(Kind::Retention, Timestamp::now(), &entry)?;
                    let gone = run(directory, planned, n, decision, locks)
                        .context("the deletion is not complete")?;
                    session.count(gone);
                    records = Some(gone);
                }
                if let Some((period, due)) = own {
                    accesses::run(log, due, period, &config.hash, gate.reader.clone())?;
                }
                anyhow::Ok((records, own.map(|(_, due)| due.numbers.len())))
            })?,
            &config.time_zone,
        );
        let (records, entries) = gone.filter(|_| !json).unwrap_or_default();
        if let Some(records) = records {
            writeln!(
                context.out,
                "{records} records deleted; their leaf hashes remain. Backups and exports still contain the records."
            )?;
        }
        if let Some(entries) = entries {
            writeln!(
                context.out,
                "{entries} entries of the access log deleted; their leaf hashes remain. Backups still contain the entries."
            )?;
        }
        Ok(code)
    }
}

fn print(
    plan: &Plan,
    own: Option<(&config::Retention, &Due)>,
    rules: &Rules<'_>,
    waiting: &[Proposed],
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
    if let Some((period, due)) = own.filter(|(_, due)| !due.numbers.is_empty()) {
        let days = period.keep.as_secs() / 86_400;
        let row = json!({
            "month": null, "authority": period.authority, "decision": period.decision, "days": days,
            "due": due.numbers.len(), "waits": false,
        });
        let (authority, decision) = (visible(&period.authority), visible(&period.decision));
        let cells =
            ["access log", &authority, &decision, &days.to_string(), &due.numbers.len().to_string(), "now"];
        rows.push((row, cells.map(str::to_owned).to_vec()));
    }
    let held_entries = own.map_or(0, |(_, due)| due.held);
    if json {
        let rows: Vec<&Value> = rows.iter().map(|(row, _)| row).collect();
        let plan = json!({
            "counted_to": local(plan.now, &config.time_zone), "due": rows, "held": held, "undecided": undecided,
            "held_entries": held_entries,
            "jump": plan.jump.map(|(from, to)| [from, to]),
            "proposals": waiting.iter().map(|known| json!({
                "id": known.n, "decision": known.proposal.decision, "by": known.proposal.by.subject,
                "at": local(known.time, &config.time_zone),
            })).collect::<Vec<_>>(),
        });
        writeln!(out, "{plan}")?;
        return Ok(());
    }
    let cells: Vec<Vec<String>> = rows.into_iter().map(|(_, cells)| cells).collect();
    write_table(out, false, &["MONTH", "AUTHORITY", "DECISION", "DAYS", "DUE", "GOES"], &cells)?;
    if held > 0 {
        writeln!(out, "{held} more are due, but under a legal hold.")?;
    }
    if held_entries > 0 {
        writeln!(
            out,
            "{held_entries} more entries of the access log are due, but a legal hold may be about what they showed."
        )?;
    }
    for known in waiting {
        let (by, decision) = (visible(&known.proposal.by.subject), visible(&known.proposal.decision));
        let at = local(known.time, &config.time_zone);
        writeln!(out, "{by} proposed a run by {decision} at {at}; another person does it.")?;
    }
    if undecided > 0 {
        writeln!(out, "{undecided} are kept: a party inside has no retention period.")?;
    }
    Ok(())
}

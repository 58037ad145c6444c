//! `postvakt log sample`: mails of a quarter, chosen by a seed and told without names, for the follow-up.

use serde_json::json;

use super::{Context, Reason};
use crate::cli::write_table;
use crate::config::Config;
use crate::export::html::{direction, octets, verdict};
use crate::export::{Line, visible};
use crate::report::period::{Length, Period};
use crate::report::sample::Sample;
use crate::store::query::Query;
use crate::store::search::Found;
use crate::store::session::Request;

const HEAD: [&str; 8] =
    ["RECORD", "TIME", "DIRECTION", "VERDICT", "SIZE", "SENDER", "RECIPIENTS", "FINDINGS"];

/// What is chosen from, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Quarter, such as 2026Q3. Default: the last complete one.
    #[arg(long, value_name = "Q")]
    quarter: Option<String>,
    /// Number of mails.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    n: u16,
    /// Seed of the selection. Decide it in advance, so that the selection cannot be manipulated.
    #[arg(long, value_name = "S")]
    seed: String,
    #[command(flatten)]
    reason: Reason,
}

/// Chooses and prints. The same seed gives the same mails and the same pseudonyms, on this store and on no other.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let zone = &context.config.time_zone;
    let period = match &args.quarter {
        Some(text) => Period::parse(text, Length::Quarter)
            .and_then(|period| period.begun(jiff::Timestamp::now(), zone))
            .map_err(anyhow::Error::msg)?,
        None => Period::last(Length::Quarter, jiff::Timestamp::now(), zone),
    };
    let (since, until) = period.times(zone)?;
    let query = Query { since: Some(since), until: Some(until), ..Query::default() };
    let more = json!({ "sample": period.code(), "n": args.n, "seed": args.seed });
    let request = Request::new("sample", query, args.reason.stated()).with(more);
    let code = context.read(&request, |session, context| {
        let organisation = &context.config.organisation;
        let Sample { chosen, all } =
            Sample::choose(session, organisation, period, args.n.into(), &args.seed)?;
        let out = &mut *context.out;
        if context.json {
            for found in &chosen {
                writeln!(out, "{}", serde_json::to_string(&Line::new(found, zone))?)?;
            }
        } else {
            let rows: Vec<Vec<String>> = chosen.iter().map(|found| cells(found, context.config)).collect();
            write_table(out, context.terminal, &HEAD, &rows)?;
            let (shown, seed) = (chosen.len(), visible(&args.seed));
            writeln!(out, "{shown} of {all} mails in {}, seed {seed}", period.code())?;
        }
        Ok(())
    });
    code.map(|(code, _)| code)
}

fn cells(found: &Found, config: &Config) -> Vec<String> {
    let record = &found.record;
    let findings: Vec<&str> = record.findings.iter().chain(&record.would).map(String::as_str).collect();
    vec![
        found.id.to_string(),
        config.time_zone.to_datetime(record.time).strftime("%Y-%m-%d %H:%M").to_string(),
        direction(record.direction.map(crate::mail::Direction::as_str)).to_owned(),
        verdict(record.outcome.as_str()).to_owned(),
        octets(record.size),
        visible(&record.sender).into_owned(),
        visible(&record.recipients.join(", ")).into_owned(),
        visible(&findings.join(", ")).into_owned(),
    ]
}

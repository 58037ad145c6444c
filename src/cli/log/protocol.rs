//! `postvakt log retention protocol` and `postvakt log report follow-up`: documents about what was done with the log.

use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::json;

use super::{Context, NO, Reason};
use crate::export::file::NewFile;
use crate::report::document::Document;
use crate::report::follow_up::{self, follow_up};
use crate::report::period::{Length, Period};
use crate::report::protocol::protocol;
use crate::store::gate;
use crate::store::query::Query;
use crate::store::session::Request;

/// Which run, and where the protocol goes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Number of the run's entry in the access log. Default: the newest run.
    #[arg(value_name = "N")]
    entry: Option<u64>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    reason: Reason,
}

/// Which quarter, and where the follow-up goes.
#[derive(Debug, clap::Args)]
pub(super) struct FollowUp {
    /// Quarter, such as 2026Q3. Default: the last complete one.
    #[arg(value_name = "QUARTER")]
    quarter: Option<String>,
    /// Number of accesses in the sample.
    #[arg(long, value_name = "N", default_value_t = 20)]
    n: u16,
    /// Seed of the sample. Decide it in advance, so that the selection cannot be manipulated.
    #[arg(long, value_name = "S", default_value = "")]
    seed: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    reason: Reason,
}

/// Where a document goes.
#[derive(Debug, clap::Args)]
struct Output {
    /// Write the page to this file. Default: print JSON.
    #[arg(long, value_name = "F")]
    html: Option<PathBuf>,
    /// Replace the file if it exists.
    #[arg(long)]
    force: bool,
}

impl Output {
    fn write(&self, document: &Document, context: &mut Context<'_>) -> anyhow::Result<()> {
        if let Some(path) = &self.html {
            let mut file = NewFile::create(path, self.force)?;
            document.write(&mut file)?;
            file.seal()?;
            file.publish()?;
        }
        match &self.html {
            Some(path) if !context.json => writeln!(context.out, "{}: {}", path.display(), document.title)?,
            _ => writeln!(context.out, "{}", serde_json::to_string(document)?)?,
        }
        Ok(())
    }
}

/// Writes the protocol of a run. The exit code is 1 where there is none.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let more = json!({ "protocol": args.entry });
    let request =
        Request::new("retention protocol", Query::default(), args.reason.or(gate::PROTOCOL)).with(more);
    let (code, found) = context.read(&request, |session, context| {
        let deeds = session.deeds()?;
        let newest = || deeds.iter().rev().find_map(|deed| protocol(&deeds, deed.n, context.config));
        let found = match args.entry {
            Some(n) => protocol(&deeds, n, context.config),
            None => newest(),
        };
        session.count(u64::from(found.is_some()));
        if let Some(document) = &found {
            args.output.write(document, context)?;
        }
        Ok(found.is_some())
    })?;
    if found == Some(false) {
        let which =
            args.entry.map_or("any retention run".to_owned(), |n| format!("a retention run as entry {n}"));
        eprintln!("postvakt: the access log does not have {which}");
        return Ok(NO);
    }
    Ok(code)
}

/// Writes the follow-up of a quarter.
pub(super) fn run_follow_up(args: &FollowUp, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let zone = &context.config.time_zone;
    let now = Timestamp::now();
    let period = match &args.quarter {
        Some(text) => Period::parse(text, Length::Quarter)
            .and_then(|period| period.begun(now, zone))
            .map_err(anyhow::Error::msg)?,
        None => Period::last(Length::Quarter, now, zone),
    };
    let (since, until) = period.times(zone)?;
    let query = Query { since: Some(since), until: Some(until), ..Query::default() };
    let more = json!({ "report": "follow-up", "period": period.code(), "n": args.n, "seed": args.seed });
    let request = Request::new("report", query, args.reason.stated()).with(more);
    let code = context.read(&request, |session, context| {
        let (mut deeds, register) = (session.deeds()?, session.register()?);
        // This report is no finding of its own.
        deeds.retain(|deed| deed.n != session.number());
        let document = follow_up(&follow_up::Sources {
            config: context.config,
            period,
            deeds: &deeds,
            register: &register,
            sample: (args.n.into(), &args.seed),
        });
        session.count(deeds.len() as u64);
        args.output.write(&document, context)
    });
    code.map(|(code, _)| code)
}

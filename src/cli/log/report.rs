//! `postvakt log report month|quarter`: what a period held, as a page to be read, printed and filed.

use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::json;

use super::{Context, Reason};
use crate::export::file::NewFile;
use crate::report::deliveries;
use crate::report::model::{Model, Sources};
use crate::report::page;
use crate::report::period::{Length, Period};
use crate::store::query::Query;
use crate::store::session::Request;
use crate::store::verify::verify;

/// Which period, and where the report goes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Period: 2026-10 for a month, 2026Q3 for a quarter. Default: the last complete one.
    #[arg(value_name = "PERIOD")]
    period: Option<String>,
    /// Write the report as a page to this file.
    #[arg(long, value_name = "F")]
    html: Option<PathBuf>,
    /// Replace the file if it exists.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    reason: Reason,
}

/// Counts, verifies, writes.
pub(super) fn run(args: &Args, length: Length, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let zone = &context.config.time_zone;
    let now = Timestamp::now();
    let period = match &args.period {
        Some(text) => Period::parse(text, length)
            .and_then(|period| period.begun(now, zone))
            .map_err(anyhow::Error::msg)?,
        None => Period::last(length, now, zone),
    };
    if args.html.is_none() && !context.json {
        anyhow::bail!("an output is required: --html F for a page, or --json for the numbers");
    }
    let query = |(since, until)| Query { since: Some(since), until: Some(until), ..Query::default() };
    let (asked, before) = (query(period.times(zone)?), query(period.compared(now, zone)?));
    let more = json!({ "report": "period", "period": period.code() });
    let request = Request::new("report", asked, args.reason.stated()).with(more);
    let code = context.read(&request, |session, context| {
        let asked = session.query().clone();
        let (now_totals, before_totals) = (session.totals(&asked), session.totals(&before));
        let deliveries = deliveries::count(session, &context.config.time_zone)?;
        let accesses = session.accesses(asked.since, asked.until)?;
        let heads = context.config.store.heads.file.iter().filter(|file| file.exists());
        let heads: Vec<PathBuf> = heads.cloned().collect();
        let verified = verify(&[context.directory.to_path_buf()], &heads, None);
        let model = Model::new(Sources {
            config: context.config,
            period,
            now: &now_totals,
            before: &before_totals,
            deliveries,
            accesses: &accesses,
            verified: &verified,
            made: now,
            left_out: session.left_out().iter().map(ToString::to_string).collect(),
        })?;
        session.count(model.mails);
        if let Some(path) = &args.html {
            let mut file = NewFile::create(path, args.force)?;
            page::write(&mut file, &model, length)?;
            file.seal()?;
            file.publish()?;
        }
        if context.json {
            writeln!(context.out, "{}", serde_json::to_string(&model)?)?;
        } else if let Some(path) = &args.html {
            writeln!(context.out, "{}: {} ({} mails)", path.display(), period.code(), model.mails)?;
        }
        Ok(())
    });
    code.map(|(code, _)| code)
}

//! `postvakt log report month|quarter`: what a period held, as a page to be read, printed and filed.

mod chart;
mod model;
mod page;
pub(super) mod period;

use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::json;

use super::{Granted, Reason, USAGE};
use crate::config::Config;
use crate::export::file::NewFile;
use crate::store::search::{Log, Query};
use crate::store::verify::verify;
use model::{Model, Sources};
use period::{Length, Period};

/// Which period, and where the report goes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The period: 2026-10 for a month, 2026Q3 for a quarter. Without it: the last one that is over.
    #[arg(value_name = "PERIOD")]
    period: Option<String>,
    /// Write the report as a page into this file.
    #[arg(long, value_name = "F")]
    html: Option<PathBuf>,
    /// Replace the file if it exists.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    reason: Reason,
}

/// Counts, verifies, writes.
pub(super) fn run(
    args: &Args,
    length: Length,
    directory: &Path,
    log: &Log,
    config: &Config,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let zone = &config.time_zone;
    let now = Timestamp::now();
    let period = match &args.period {
        Some(text) => Period::parse(text, length).map_err(anyhow::Error::msg)?,
        None => Period::last(length, now, zone),
    };
    if args.html.is_none() && !json {
        anyhow::bail!("say where to: --html F for a page, --json for the numbers");
    }
    let query = |period: Period| {
        let (since, until) = period.times(zone)?;
        anyhow::Ok(Query { since: Some(since), until: Some(until), ..Query::default() })
    };
    let (asked, before) = (query(period)?, query(period.before())?);
    let more = json!({ "report": "period", "period": period.code() });
    let Some(access) = Granted::ask(directory, config, "report", &asked, more, &args.reason)? else {
        return Ok(USAGE);
    };
    let mut mails = 0;
    let mut write = || {
        let ((now_totals, mut faults), (before_totals, more)) = (log.totals(&asked), log.totals(&before));
        for fault in more {
            // A file that the period itself needs has been told of.
            if !faults.iter().any(|known| known.to_string() == fault.to_string()) {
                faults.push(fault);
            }
        }
        let accesses = access.log.list(asked.since, asked.until)?;
        let heads: Vec<PathBuf> =
            config.store.heads.file.iter().filter(|file| file.exists()).cloned().collect();
        let verified = verify(&[directory.to_path_buf()], &heads, None);
        let model = Model::new(Sources {
            config,
            period,
            now: &now_totals,
            before: &before_totals,
            accesses: &accesses,
            verified: &verified,
            made: now,
            left_out: faults.iter().map(ToString::to_string).collect(),
        })?;
        mails = model.mails;
        if let Some(path) = &args.html {
            let mut file = NewFile::create(path, args.force)?;
            page::write(&mut file, &model, length)?;
            file.seal()?;
            file.publish()?;
        }
        if json {
            writeln!(out, "{}", serde_json::to_string(&model)?)?;
        } else if let Some(path) = &args.html {
            writeln!(out, "{}: {} ({} mails)", path.display(), period.code(), model.mails)?;
        }
        Ok(faults)
    };
    let result = write();
    access.end(mails, result)
}

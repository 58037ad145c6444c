//! `postvakt log ingest`: reads files of Postfix's log. It shows nothing of them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::json;

use super::{Context, NO, told};
use crate::export::{local, visible};
use crate::limits;
use crate::store::deliveries::{self, Deliveries};
use crate::store::query::Query;
use crate::store::session::{self, Reason};
use crate::tail::ingest::{self, Ingested};
use crate::tail::requests::{self, Request};

/// Which files.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Files of Postfix's log, as it was written or compressed (.gz). They are read in the order in which they were last
    /// written to; what was read before changes nothing.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Forget what was read before: these files are all that there is.
    #[arg(long)]
    rebuild: bool,
}

/// Runs the command: 1 where a file was not read to its end. Whoever adds to what is told of mail stands in the access log.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let directory = context.directory;
    if !directory.join("lock").exists() {
        bail!("{}: no log here; `postvakt serve` creates it", directory.display());
    }
    let request = Request { files: ingest::whole(&args.files)?, rebuild: args.rebuild };
    let asked =
        session::Request::new("ingest", Query::default(), Reason::operation("ingest of Postfix's log"))
            .with(json!({ "files": request.files, "rebuild": request.rebuild }));
    let read = context.gate().act(&asked, None, |_| read(&request, context))?;
    let (mut code, ingested) = told(read, &context.config.time_zone);
    for one in &ingested.unwrap_or_default() {
        if !one.failed.is_empty() {
            code = NO;
        }
        print(one, context)?;
    }
    Ok(code)
}

fn read(request: &Request, context: &Context<'_>) -> anyhow::Result<Vec<Ingested>> {
    let directory = context.directory;
    let lock = deliveries::lock(directory).with_context(|| directory.display().to_string())?;
    if lock.is_none() {
        // The server follows the log, and reads the files for us.
        return ask(context, request);
    }
    let mut deliveries = Deliveries::open(directory)?;
    Ok(ingest::files(&mut deliveries, &request.files, request.rebuild)?)
}

fn ask(context: &Context<'_>, request: &Request) -> anyhow::Result<Vec<Ingested>> {
    let (answer, left) = requests::leave(context.directory, request)?;
    let begun = Instant::now();
    loop {
        if let Some(answer) = requests::answer(&answer)? {
            if !answer.failed.is_empty() {
                bail!("{}", answer.failed);
            }
            return Ok(answer.files);
        }
        // Large files take long; a request that nobody takes does not.
        if begun.elapsed() >= limits::INGEST_TIME {
            // If it is taken in this moment, its answer tells nobody.
            let _ = std::fs::remove_file(&left);
            bail!("postvakt does not answer; the files are not read, or not all of them");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn print(one: &Ingested, context: &mut Context<'_>) -> anyhow::Result<()> {
    if context.json {
        writeln!(context.out, "{}", serde_json::to_string(one)?)?;
        return Ok(());
    }
    let Ingested { file, lines, told, unclear, until, failed } = one;
    let name = file.display().to_string();
    let until = until.map(|until| format!(", up to {}", local(until, &context.config.time_zone)));
    let unclear = if *unclear > 0 { format!(", {unclear} left out as unclear") } else { String::new() };
    let until = until.unwrap_or_default();
    writeln!(context.out, "{}: {lines} lines, {told} of mail{unclear}{until}", visible(&name))?;
    if !failed.is_empty() {
        eprintln!("postvakt: {}: not read to its end: {failed}", visible(&name));
    }
    Ok(())
}

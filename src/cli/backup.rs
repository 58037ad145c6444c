//! `postvakt backup`: copies the log, and prints what was copied.

use std::io::{self, Write as _};
use std::path::PathBuf;

use super::YES;
use crate::config::Config;
use crate::store::access::{Reader, Via};
use crate::store::backup;

/// `backup`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory of the copy. It is made if it is missing, and must be empty. The copy has the log's keys and everything in
    /// the log: keep it where only those come who may read the log.
    directory: PathBuf,
    /// Config file.
    #[arg(long, value_name = "F", default_value = super::CONFIG_FILE)]
    pub config: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command: 0 everything is copied and on the disk, 2 nothing is.
pub fn run(args: &Args, config: &Config) -> anyhow::Result<u8> {
    let reader = Reader::of_this_process(Via::CommandLine);
    let made = backup::copy(&config.store.directory, &args.directory, reader)?;
    let out = &mut io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&made)?)?;
        return Ok(YES);
    }
    for file in &made.files {
        writeln!(out, "{}  {:>12}  {}", file.sha256, file.size, file.name)?;
    }
    let bytes: u64 = made.files.iter().map(|file| file.size).sum();
    writeln!(out, "{}: {} records, {bytes} bytes", args.directory.display(), made.records)?;
    Ok(YES)
}

//! `postvakt check`: validates a config, runs its own tests, and reports all errors.

#[cfg(feature = "central")]
mod nodes;
mod probe;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{CONFIG, NO, YES};
use crate::config::{Config, Problem, Problems};
use crate::gather::Sources;
use crate::pipeline::trial;
use crate::settings::problem::Severity;
use crate::worker::pool::Workers;

/// `check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Config file.
    #[arg(long, value_name = "F", default_value = super::CONFIG_FILE)]
    pub config: PathBuf,
    /// Ask everything that the config names whether it answers: DNS, scanners, directories, the port for notices, the log's directory.
    #[arg(long)]
    pub probe: bool,
    /// Warn where the active configs of the nodes of a central log differ from this one. Needs a reader in [central].
    #[cfg(feature = "central")]
    #[arg(long)]
    pub against_nodes: bool,
    /// Print a JSON array of errors and warnings.
    #[arg(long)]
    pub json: bool,
}

/// Checks the config; the exit code is [`YES`] or [`CONFIG`], or [`NO`] where a test fails or something does not answer. For
/// people, what is valid goes to `out` and what is not to `err`; as JSON, one array of problems and warnings goes to `out`
/// either way.
pub fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<u8> {
    let path = args.config.as_path();
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(Problems(problems)) if args.json => {
            write_json(&problems, out)?;
            return Ok(CONFIG);
        }
        Err(problems) => {
            writeln!(err, "{problems}")?;
            return Ok(CONFIG);
        }
    };
    let probes = if args.probe { probe::all(&config) } else { Vec::new() };
    let tests = config.tests.len();
    #[cfg(feature = "central")]
    let others = if args.against_nodes { nodes::others(&config, path)? } else { Vec::new() };
    #[cfg(not(feature = "central"))]
    let others = Vec::new();
    let (failed, mut warnings) = tested(config)?;
    warnings.extend(others);
    let refused = !failed.is_empty() || probes.iter().any(|probe| probe.fault.is_some());
    if args.json {
        let unanswered = probes.into_iter().filter_map(|probe| problem(path, probe));
        let all: Vec<Problem> = warnings.into_iter().chain(failed).chain(unanswered).collect();
        write_json(&all, out)?;
    } else {
        for warning in &warnings {
            writeln!(out, "warning: {warning}")?;
        }
        writeln!(out, "{}: valid", path.display())?;
        for failure in &failed {
            writeln!(err, "{failure}")?;
        }
        if tests > 0 {
            writeln!(out, "{}: {} of {tests} tests passed", path.display(), tests - failed.len())?;
        }
        for probe in &probes {
            match &probe.fault {
                None => writeln!(out, "{}: {}: ok", probe.key, probe.place)?,
                Some((fault, right)) => writeln!(err, "{}: {}: {fault}; {right}", probe.key, probe.place)?,
            }
        }
    }
    out.flush()?;
    Ok(if refused { NO } else { YES })
}

/// The config's tests that fail, and its warnings.
fn tested(mut config: Config) -> anyhow::Result<(Vec<Problem>, Vec<Problem>)> {
    let (tests, warnings) = (std::mem::take(&mut config.tests), std::mem::take(&mut config.warnings));
    if tests.is_empty() {
        return Ok((Vec::new(), warnings));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sources = Sources::volatile(Workers::own());
    Ok((runtime.block_on(trial::failures(&tests, &Arc::new(config), sources)), warnings))
}

/// What does not answer, as a problem of its key.
fn problem(path: &Path, probe: probe::Probe) -> Option<Problem> {
    let (fault, right) = probe.fault?;
    Some(Problem {
        file: path.display().to_string(),
        line: None,
        column: None,
        key: probe.key.to_owned(),
        problem: format!("{}: {fault}", probe.place),
        suggestion: right.to_owned(),
        severity: Severity::Error,
    })
}

fn write_json(problems: &[Problem], out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, problems)?;
    writeln!(out)
}

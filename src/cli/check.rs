//! `postvakt check`: validates a config and reports all errors.

mod probe;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{CONFIG, NO, YES};
use crate::config::{Config, Problem, Problems};
use crate::settings::problem::Severity;

/// `check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Config file.
    #[arg(long, value_name = "F", default_value = super::CONFIG_FILE)]
    pub config: PathBuf,
    /// Ask everything that the config names whether it answers: DNS, scanners, directories, the port for notices, the log's directory.
    #[arg(long)]
    pub probe: bool,
    /// Print a JSON array of errors and warnings.
    #[arg(long)]
    pub json: bool,
}

/// Checks the config; the exit code is [`YES`] or [`CONFIG`], or [`NO`] where something does not answer. For people, what
/// is valid goes to `out` and what is not to `err`; as JSON, one array of problems and warnings goes to `out` either way.
pub fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let path = args.config.as_path();
    let (mut problems, mut code, probes) = match Config::load(path) {
        Ok(config) => {
            let probes = if args.probe { probe::all(&config) } else { Vec::new() };
            (config.warnings, YES, probes)
        }
        Err(Problems(problems)) => (problems, CONFIG, Vec::new()),
    };
    if probes.iter().any(|probe| probe.fault.is_some()) {
        code = NO;
    }
    if args.json {
        problems.extend(probes.into_iter().filter_map(|probe| problem(path, probe)));
        write_json(&problems, out)?;
    } else if code == CONFIG {
        for problem in &problems {
            writeln!(err, "{problem}")?;
        }
    } else {
        for warning in &problems {
            writeln!(out, "warning: {warning}")?;
        }
        writeln!(out, "{}: valid", path.display())?;
        for probe in &probes {
            match &probe.fault {
                None => writeln!(out, "{}: {}: ok", probe.key, probe.place)?,
                Some((fault, right)) => writeln!(err, "{}: {}: {fault}; {right}", probe.key, probe.place)?,
            }
        }
    }
    out.flush()?;
    Ok(code)
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

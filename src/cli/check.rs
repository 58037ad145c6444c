//! `postvakt check`: validates a config and reports all errors.

use std::io::{self, Write};
use std::path::Path;

use super::{CONFIG, YES};
use crate::config::{Config, Problem, Problems};

/// Checks the config at `path`; the exit code is [`YES`] or [`CONFIG`]. For people, what is valid goes to `out` and
/// what is not to `err`; as JSON, one array of problems and warnings goes to `out` either way.
pub fn run(path: &Path, json: bool, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let (problems, code) = match Config::load(path) {
        Ok(config) => (config.warnings, YES),
        Err(Problems(problems)) => (problems, CONFIG),
    };
    if json {
        write_json(&problems, out)?;
    } else if code == YES {
        for warning in &problems {
            writeln!(out, "warning: {warning}")?;
        }
        writeln!(out, "{}: valid", path.display())?;
    } else {
        for problem in &problems {
            writeln!(err, "{problem}")?;
        }
    }
    out.flush()?;
    Ok(code)
}

fn write_json(problems: &[Problem], out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, problems)?;
    writeln!(out)
}

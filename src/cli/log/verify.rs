//! `postvakt log verify`: verifies the log against its signed tree heads. Exit codes: 0 whole, 1 tampered, 2 incomplete.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;

use super::{NO, USAGE, YES};
use crate::config::Config;
use crate::export::visible;
use crate::note::Verifier;
use crate::store::verify::{Fault, Report, Verdict, verify};

/// What is verified.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// File with copies of the tree heads from another host; may be repeated.
    #[arg(long, value_name = "F")]
    heads: Vec<PathBuf>,
    /// Public key, or a file with it. Default: heads.pub beside the log.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Directories and files of a log, for example copies. Default: the config's log.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

impl Args {
    /// Whether it can do without a config.
    pub(super) fn is_offline(&self) -> bool {
        !self.paths.is_empty()
    }

    /// Verifies, and prints what was found.
    pub(super) fn run(
        &self,
        store: Option<&Path>,
        config: Option<&Config>,
        json: bool,
        out: &mut dyn Write,
    ) -> anyhow::Result<u8> {
        let key = self.key.as_deref().map(public_key).transpose()?;
        let (mut paths, mut heads) = (self.paths.clone(), self.heads.clone());
        paths.extend(store.map(Path::to_path_buf));
        if let Some(config) = config.filter(|_| paths.is_empty()) {
            paths.push(config.store.directory.clone());
            heads.extend(config.store.heads.file.clone().filter(|file| file.exists()));
        }
        let report = verify(&paths, &heads, key.as_ref());
        let verdict = report.verdict();
        if json {
            writeln!(
                out,
                "{}",
                json!({ "result": verdict, "trees": report.trees, "faults": report.faults })
            )?;
        } else {
            print(&report, out)?;
        }
        Ok(match verdict {
            Verdict::Whole => YES,
            Verdict::Tampered => NO,
            Verdict::Incomplete => USAGE,
        })
    }
}

/// A public key, as it is or in a file.
pub(super) fn public_key(given: &str) -> anyhow::Result<Verifier> {
    let text = if given.contains('+') {
        given.to_owned()
    } else {
        fs::read_to_string(given).with_context(|| given.to_owned())?
    };
    text.parse().map_err(anyhow::Error::msg).with_context(|| given.to_owned())
}

fn print(report: &Report, out: &mut dyn Write) -> anyhow::Result<()> {
    for tree in &report.trees {
        write!(out, "{}: {} records", tree.origin, tree.records)?;
        for (decision, records) in &tree.pruned {
            write!(out, ", {records} pruned by {}", visible(decision))?;
        }
        write!(out, "; {} heads agree", tree.heads)?;
        match &tree.newest {
            Some(head) => write!(out, ", the newest of {} with {} records", head.time, head.size)?,
            None => write!(out, ", none")?,
        }
        writeln!(out, "; {} newer", tree.newer)?;
        tree.faults.iter().try_for_each(|fault| print_fault(fault, out))?;
    }
    report.faults.iter().try_for_each(|fault| print_fault(fault, out))?;
    writeln!(
        out,
        "{}",
        match report.verdict() {
            Verdict::Whole => "whole",
            Verdict::Tampered => "TAMPERED",
            Verdict::Incomplete => "INCOMPLETE",
        }
    )?;
    Ok(())
}

fn print_fault(fault: &Fault, out: &mut dyn Write) -> anyhow::Result<()> {
    let how = match fault.verdict {
        Verdict::Tampered => "TAMPERED",
        Verdict::Incomplete => "incomplete",
        Verdict::Whole => "note",
    };
    let record = fault.record.as_deref().map(|record| format!(" {record}")).unwrap_or_default();
    writeln!(out, "  {how}{record}: {} ({})", visible(&fault.what), fault.file)?;
    Ok(())
}

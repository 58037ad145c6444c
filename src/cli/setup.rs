//! `postvakt postfix-setup`: puts the milter into Postfix's config, shows what that changes, and takes it out again.
//!
//! Postfix's own `postconf` edits copies of `main.cf` and `master.cf`; what is shown is the difference, and what is
//! applied is the copy. `postfix check` has the last word: where it objects, the files are put back.

mod files;
mod plan;

use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::json;

use super::{NO, USAGE, YES};
use crate::config::Config;
use files::Files;
use plan::Plan;

/// `postfix-setup`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Config file. Postfix is connected to its `server.listen` and `smtp.submit`.
    #[arg(long, value_name = "F", default_value = super::CONFIG_FILE)]
    pub config: PathBuf,
    /// Postfix's config directory. Default: that of the installed Postfix.
    #[arg(long, value_name = "D")]
    config_dir: Option<PathBuf>,
    /// Change the files, check them with `postfix check`, and reload Postfix if it is running.
    #[arg(long, conflicts_with = "undo")]
    apply: bool,
    /// Remove the changes that --apply made, at once. This needs no config.
    #[arg(long)]
    pub undo: bool,
    /// Print the changes and notes as JSON.
    #[arg(long)]
    json: bool,
}

/// Takes out what `--apply` put in, as it is noted beside Postfix's files: 0 it is out.
pub fn undo(args: &Args) -> anyhow::Result<u8> {
    let undone = Files::find(args.config_dir.as_deref())?.undo()?;
    told(&mut io::stdout().lock(), args.json, &undone.diff, &undone.notes, "as before Postvakt")
}

/// Runs the command: 0 Postfix is set up, 1 it is not yet, 2 it cannot be.
pub fn run(args: &Args, config: &Config) -> anyhow::Result<u8> {
    let files = Files::find(args.config_dir.as_deref())?;
    let mut out = io::stdout().lock();
    let plan = match Plan::new(&files.postconf()?, config) {
        Ok(plan) => plan,
        Err(why) => {
            eprintln!("postvakt: {why}");
            return Ok(USAGE);
        }
    };
    if plan.changes.is_empty() {
        return told(&mut out, args.json, "", &plan.notes, "set up already");
    }
    if args.apply {
        let applied = files.apply(&plan)?;
        let notes: Vec<String> = plan.notes.iter().chain(&applied.notes).cloned().collect();
        return told(&mut out, args.json, &applied.diff, &notes, "set up");
    }
    let diff = files.preview(&plan)?;
    told(&mut out, args.json, &diff, &plan.notes, "not set up yet: postvakt postfix-setup --apply")?;
    Ok(NO)
}

/// Prints what changes, what to know about it, and where that leaves Postfix.
fn told(out: &mut dyn Write, as_json: bool, diff: &str, notes: &[String], state: &str) -> anyhow::Result<u8> {
    if as_json {
        writeln!(out, "{}", json!({ "state": state, "diff": diff, "notes": notes }))?;
        return Ok(YES);
    }
    write!(out, "{diff}")?;
    for note in notes {
        writeln!(out, "note: {note}")?;
    }
    writeln!(out, "Postfix is {state}")?;
    Ok(YES)
}

//! `postvakt replay`: what a config would decide about stored mail, and where that differs from another config. It is
//! how a change of the rules is tried on last month's mail before it meets tomorrow's.

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::transaction::carry;
use super::{NO, USAGE, YES, mailbox, print_table};
use crate::config::Config;
use crate::facts::transaction::Transaction;
use crate::gather::Sources;
use crate::pipeline::trial::explain;
use crate::worker::pool::Workers;

/// Mails between two lines of progress on a terminal.
const PROGRESS: u64 = 100;
/// What of an explanation is compared: what becomes of the mail, and why; not what it is, which no config changes.
const COMPARED: [&str; 7] = ["verdict", "class", "findings", "edits", "recipients", "reply", "receipt"];

/// `replay`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Config to try.
    #[arg(long, value_name = "NEW", default_value = super::CONFIG_FILE)]
    pub config: PathBuf,
    /// Config to compare with. Default: none, and every decision of the new config is shown.
    #[arg(long, value_name = "OLD")]
    pub against: Option<PathBuf>,
    /// Print one JSON object for each mail: that of `explain`, and with --against also the old config's decision.
    #[arg(long)]
    json: bool,
    /// Messages, mbox files, and directories of them, assessed in this order. Each mail is remembered, so that a later
    /// forward of it is recognised.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Runs the command: 0 where nothing differs, 1 where something does, 2 where some mail could not be judged.
pub fn run(args: &Args, new: Config, old: Option<Config>) -> anyhow::Result<u8> {
    let mut replay = Replay {
        runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        new: Side::new(new),
        old: old.map(Side::new),
        json: args.json,
        rows: Vec::new(),
        counts: Counts::default(),
    };
    for path in &args.paths {
        mailbox::messages(path, &mut |name, message| replay.mail(name, message))?;
    }
    replay.finish()
}

/// A config with sources of its own.
struct Side {
    config: Arc<Config>,
    sources: Sources,
}

impl Side {
    fn new(config: Config) -> Self {
        Self { config: Arc::new(config), sources: Sources::volatile(Workers::own()) }
    }

    fn judge(&self, runtime: &Runtime, name: &str, message: &[u8]) -> anyhow::Result<Value> {
        let mail = Arc::new(carry(&Transaction::default(), message, &self.config)?);
        Ok(runtime.block_on(explain(&mail, &self.config, &self.sources))?.to_json(name))
    }
}

#[derive(Default)]
struct Counts {
    mails: u64,
    differing: u64,
    unjudged: u64,
}

struct Replay {
    runtime: Runtime,
    new: Side,
    old: Option<Side>,
    json: bool,
    rows: Vec<Vec<String>>,
    counts: Counts,
}

impl Replay {
    fn mail(&mut self, name: &str, message: &[u8]) -> anyhow::Result<()> {
        let judge = |side: &Side| side.judge(&self.runtime, name, message);
        let (new, old) = match (judge(&self.new), self.old.as_ref().map(judge).transpose()) {
            (Ok(new), Ok(old)) => (new, old),
            (Err(error), _) | (_, Err(error)) => {
                self.counts.unjudged += 1;
                eprintln!("postvakt: {name}: {error:#}; this mail is skipped");
                return Ok(());
            }
        };
        self.counts.mails += 1;
        if self.counts.mails.is_multiple_of(PROGRESS) && io::stderr().is_terminal() {
            eprint!("\r{} mails", self.counts.mails);
        }
        let differs = old.as_ref().map(|old| compared(old) != compared(&new));
        self.counts.differing += u64::from(differs == Some(true));
        if self.json {
            return print_json(new, old, differs);
        }
        // Without another config, mail that simply passes is not worth a line.
        if differs.unwrap_or_else(|| !findings(&new).is_empty()) {
            self.rows.push(row(name, &new, old.as_ref()));
        }
        Ok(())
    }

    fn finish(self) -> anyhow::Result<u8> {
        let Counts { mails, differing, unjudged } = self.counts;
        if io::stderr().is_terminal() && mails >= PROGRESS {
            eprint!("\r");
        }
        if !self.json {
            let head: &[&str] = match self.old {
                Some(_) => &["FILE", "OLD", "NEW", "FINDINGS"],
                None => &["FILE", "VERDICT", "FINDINGS"],
            };
            if !self.rows.is_empty() {
                print_table(head, &self.rows).context("the table cannot be printed")?;
            }
            let said =
                if self.old.is_some() { format!(", {differing} decided otherwise") } else { String::new() };
            writeln!(io::stdout().lock(), "{mails} mails{said}")?;
        }
        Ok(match (unjudged, differing) {
            (0, 0) => YES,
            (0, _) => NO,
            (_, _) => USAGE,
        })
    }
}

fn print_json(mut new: Value, old: Option<Value>, differs: Option<bool>) -> anyhow::Result<()> {
    if let (Some(fields), Some(old)) = (new.as_object_mut(), old) {
        fields.insert("differs".to_owned(), differs.into());
        fields.insert("against".to_owned(), compared(&old));
    }
    writeln!(io::stdout().lock(), "{new}")?;
    Ok(())
}

/// What is compared of an explanation. The line of the config behind a finding is another one in another file.
fn compared(explained: &Value) -> Value {
    let fields = COMPARED.iter().map(|name| {
        let mut value = explained.get(*name).cloned().unwrap_or_default();
        for finding in value.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            finding.remove("config");
        }
        ((*name).to_owned(), value)
    });
    Value::Object(fields.collect())
}

/// Findings as the log has them, with what follows from each: `auto-forward=certain held`.
fn findings(explained: &Value) -> Vec<String> {
    let word = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let all = explained["findings"].as_array().into_iter().flatten();
    all.map(|finding| {
        let would = if finding["mode"] == "observe" { "would be " } else { "" };
        format!("{}={} {would}{}", word(finding, "rule"), word(finding, "grade"), word(finding, "verdict"))
    })
    .collect()
}

fn row(name: &str, new: &Value, old: Option<&Value>) -> Vec<String> {
    let verdict = |explained: &Value| explained["verdict"].as_str().unwrap_or_default().to_owned();
    let now = findings(new);
    let Some(old) = old else { return vec![name.to_owned(), verdict(new), now.join("; ")] };
    let before = findings(old);
    let gone = before.iter().filter(|finding| !now.contains(finding)).map(|finding| format!("-{finding}"));
    let come = now.iter().filter(|finding| !before.contains(finding)).map(|finding| format!("+{finding}"));
    let changes: Vec<String> = gone.chain(come).collect();
    vec![name.to_owned(), verdict(old), verdict(new), changes.join("; ")]
}

//! `postvakt replay`: what a config would decide about stored mail, and where another config has other effects. It is
//! how a change of the rules is tried on last month's mail before it meets tomorrow's.

mod sums;

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::explain::describe;
use super::mailbox::TooLarge;
use super::transaction::{TransactionArgs, carry};
use super::{NO, USAGE, YES, mailbox, print_table};
use crate::answer::Edit;
use crate::config::Config;
use crate::facts::transaction::Transaction;
use crate::gather::Sources;
use crate::pipeline::trial::{Explained, explain};
use crate::policy::receipts::Receipt;
use crate::policy::{Mode, Step};
use crate::rules::receipt::Suppression;
use crate::worker::pool::Workers;
use sums::Sums;

/// Mails between two lines of progress on a terminal.
const PROGRESS: u64 = 100;
/// What the object of a mail has of the other config's decision.
const AGAINST: [&str; 7] = ["verdict", "class", "findings", "edits", "recipients", "reply", "receipt"];

/// `replay`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Config to try.
    #[arg(long, value_name = "NEW", default_value = super::CONFIG_FILE)]
    pub config: PathBuf,
    /// Config to compare with. Default: none, and every decision of the new config is shown.
    #[arg(long, value_name = "OLD")]
    pub against: Option<PathBuf>,
    #[command(flatten)]
    transaction: TransactionArgs,
    /// Print one JSON object for each mail: that of `explain`, and with --against also the old config's decision and
    /// whether the effects differ.
    #[arg(long)]
    json: bool,
    /// Messages, mbox files, and directories of them, assessed in this order. Each mail is remembered, so that a later
    /// forward of it is recognised. A message of more than 64 MiB is skipped, and the exit code is 2.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Runs the command: 0 where nothing differs, 1 where something does, 2 where some mail could not be judged.
pub fn run(args: &Args, new: Config, old: Option<Config>) -> anyhow::Result<u8> {
    let mut replay = Replay {
        runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        transaction: args.transaction.transaction()?,
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

/// A config with sources of its own, and what its rules did.
struct Side {
    config: Arc<Config>,
    sources: Sources,
    sums: Sums,
}

impl Side {
    fn new(config: Config) -> Self {
        let sums = Sums::of(&config);
        Self { config: Arc::new(config), sources: Sources::volatile(Workers::own()), sums }
    }

    fn judge(&self, runtime: &Runtime, transaction: &Transaction, file: &[u8]) -> anyhow::Result<Explained> {
        let mail = Arc::new(carry(transaction, file, &self.config)?);
        Ok(runtime.block_on(explain(&mail, &self.config, &self.sources))?)
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
    transaction: Transaction,
    new: Side,
    old: Option<Side>,
    json: bool,
    rows: Vec<Vec<String>>,
    counts: Counts,
}

impl Replay {
    fn mail(&mut self, name: &str, message: Result<&[u8], TooLarge>) -> anyhow::Result<()> {
        let judge = |side: &Side| side.judge(&self.runtime, &self.transaction, message?);
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
        self.new.sums.add(&new.assessment.decision);
        if let (Some(side), Some(old)) = (&mut self.old, &old) {
            side.sums.add(&old.assessment.decision);
        }
        let differs = old.as_ref().map(|old| effects(old) != effects(&new));
        self.counts.differing += u64::from(differs == Some(true));
        if self.json {
            return print_json(name, &new, old.as_ref(), differs);
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
                Some(_) => &["FILE", "OLD", "NEW", "FINDINGS", "EFFECTS"],
                None => &["FILE", "VERDICT", "FINDINGS"],
            };
            if !self.rows.is_empty() {
                print_table(head, &self.rows).context("the table cannot be printed")?;
            }
            let sums = self.new.sums.rows(self.old.as_ref().map(|old| &old.sums));
            if !sums.is_empty() {
                if !self.rows.is_empty() {
                    writeln!(io::stdout().lock())?;
                }
                print_table(&sums::HEAD, &sums).context("the table cannot be printed")?;
            }
            let said =
                if self.old.is_some() { format!(", {differing} with another effect") } else { String::new() };
            writeln!(io::stdout().lock(), "{mails} mails{said}")?;
        }
        Ok(match (unjudged, differing) {
            (0, 0) => YES,
            (0, _) => NO,
            (_, _) => USAGE,
        })
    }
}

fn print_json(
    name: &str,
    new: &Explained,
    old: Option<&Explained>,
    differs: Option<bool>,
) -> anyhow::Result<()> {
    let mut object = new.to_json(name);
    if let (Some(fields), Some(old)) = (object.as_object_mut(), old) {
        fields.insert("differs".to_owned(), differs.into());
        fields.insert("against".to_owned(), against(&old.to_json(name)));
    }
    writeln!(io::stdout().lock(), "{object}")?;
    Ok(())
}

/// The old config's decision. The line of the config behind a finding is another one in another file.
fn against(explained: &Value) -> Value {
    let fields = AGAINST.iter().map(|name| {
        let mut value = explained.get(*name).cloned().unwrap_or_default();
        for finding in value.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            finding.remove("config");
        }
        ((*name).to_owned(), value)
    });
    Value::Object(fields.collect())
}

/// What is done to the mail and for it, in any order: not what a rule found or would have done, and no words that reach
/// nobody.
fn effects(explained: &Explained) -> BTreeSet<String> {
    let Explained { assessment, answer } = explained;
    let edit = |edit: &Edit| match edit {
        Edit::Quarantine { .. } => "hold".to_owned(),
        Edit::AddHeader { .. }
        | Edit::InsertHeader { .. }
        | Edit::ChangeHeader { .. }
        | Edit::DeleteHeader { .. }
        | Edit::RemoveRecipient { .. }
        | Edit::AddRecipient { .. } => describe(edit),
    };
    let receipts = assessment.decision.receipts.iter().map(|receipt| {
        format!("receipt for {}: {} {}", receipt.mailbox.address, receipt.outcome(), receipt_reason(receipt))
    });
    let notices = assessment.decision.steps.iter().filter_map(|step| match step {
        Step::Notify(notice) => Some(format!("notice {} to {}", notice.occasion.as_str(), notice.to)),
        Step::Mark(_)
        | Step::RemoveRecipient(_)
        | Step::AddRecipient(_)
        | Step::Hold(_)
        | Step::Defer
        | Step::Reject(_) => None,
    });
    let reply = answer.refusal.as_ref().map(|reply| format!("reply {reply}"));
    answer.edits.iter().map(edit).chain(receipts).chain(notices).chain(reply).collect()
}

fn receipt_reason(receipt: &Receipt) -> &'static str {
    receipt.suppression.map_or("", Suppression::as_str)
}

/// Findings as the log has them, with what follows from each: `auto-forward=certain held`.
fn findings(explained: &Explained) -> Vec<String> {
    let all = explained.assessment.decision.rulings.iter();
    all.map(|ruling| {
        let would = if ruling.mode == Mode::Observe { "would be " } else { "" };
        format!("{}={} {would}{}", ruling.rule, ruling.grade(), ruling.verdict.as_str())
    })
    .collect()
}

fn row(name: &str, new: &Explained, old: Option<&Explained>) -> Vec<String> {
    let verdict = |explained: &Explained| explained.assessment.decision.verdict.as_str().to_owned();
    let Some(old) = old else { return vec![name.to_owned(), verdict(new), findings(new).join("; ")] };
    let changes = |old: &[String], new: &[String]| {
        let gone = old.iter().filter(|one| !new.contains(one)).map(|one| format!("-{one}"));
        let come = new.iter().filter(|one| !old.contains(one)).map(|one| format!("+{one}"));
        gone.chain(come).collect::<Vec<_>>().join("; ")
    };
    let listed = |explained| effects(explained).into_iter().collect::<Vec<_>>();
    let because = changes(&findings(old), &findings(new));
    vec![name.to_owned(), verdict(old), verdict(new), because, changes(&listed(old), &listed(new))]
}

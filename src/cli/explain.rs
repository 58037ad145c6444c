//! `postvakt explain`: what the server would decide about a mail, and why. It uses the same code, and changes nothing.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::address::Address;
use crate::answer::{Answer, Edit};
use crate::config::Config;
use crate::facts::Facts;
use crate::gather::Sources;
use crate::pipeline::Assessment;
use crate::pipeline::trial::{Explained, explain};
use crate::policy::receipts::Receipt;
use crate::rules::Sensitivity;
use crate::rules::receipt::Suppression;
use crate::worker::pool::Workers;

use super::YES;
use super::transaction::{TransactionArgs, carry};

/// `explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Config file.
    #[arg(long, value_name = "F", default_value = super::CONFIG_FILE)]
    pub config: PathBuf,
    #[command(flatten)]
    transaction: TransactionArgs,
    /// Print one JSON object for each file.
    #[arg(long)]
    json: bool,
    /// Messages, assessed in this order. Each is remembered, so that a later forward of it is recognised.
    #[arg(required = true, value_name = "FILE.eml")]
    files: Vec<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args, config: Config) -> anyhow::Result<u8> {
    let transaction = args.transaction.transaction()?;
    let config = Arc::new(config);
    let sources = Sources::volatile(Workers::own());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut out = io::stdout().lock();
    for file in &args.files {
        let bytes = std::fs::read(file).with_context(|| format!("{}: cannot be read", file.display()))?;
        let mail = carry(&transaction, &bytes, &config);
        let mail = Arc::new(mail.with_context(|| file.display().to_string())?);
        let explained = runtime.block_on(explain(&mail, &config, &sources))?;
        if args.json {
            writeln!(out, "{}", explained.to_json(&file.display().to_string()))?;
        } else {
            explained.print(&mut out, &file.display().to_string())?;
        }
    }
    Ok(YES)
}

impl Explained {
    /// The object of `--json`.
    pub fn to_json(&self, file: &str) -> Value {
        let Assessment { facts, decision, .. } = &self.assessment;
        let findings: Vec<Value> = decision
            .rulings
            .iter()
            .map(|ruling| {
                json!({
                    "rule": ruling.rule, "grade": ruling.grade(), "mode": ruling.mode.as_str(),
                    "evidence": ruling.evidence(), "verdict": ruling.verdict.as_str(),
                    "allowed_by": ruling.allowed_by.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "undecided": ruling.undecided.as_ref().map(|by| by.place.to_string()), "config": ruling.place.to_string(),
                })
            })
            .collect();
        json!({
            "file": file,
            "direction": facts.direction.as_str(),
            "verdict": decision.verdict.as_str(),
            "class": decision.class().number(),
            "findings": findings,
            "edits": self.answer.edits.iter().map(edit_json).collect::<Vec<_>>(),
            "recipients": recipients_json(facts, &self.answer),
            "reply": self.answer.refusal.as_ref().map(ToString::to_string),
            "facts": facts_json(facts),
            "receipt": decision.receipts.first().map(receipt_json),
            "receipts": decision.receipts.iter().map(receipt_json).collect::<Vec<_>>(),
            "record": null,
        })
    }

    fn print(&self, out: &mut impl Write, file: &str) -> io::Result<()> {
        let Assessment { facts, decision, .. } = &self.assessment;
        writeln!(out, "{file}: {} ({})", decision.verdict.as_str(), facts.direction)?;
        let recipients: Vec<String> = facts.recipients.iter().map(|r| r.address.to_string()).collect();
        writeln!(out, "  from      {}", facts.sender)?;
        writeln!(out, "  to        {}", recipients.join(", "))?;
        writeln!(out, "  subject   {}", facts.header.subject.as_deref().unwrap_or("(none)"))?;
        writeln!(out, "  size      {} bytes", facts.size)?;
        for attachment in &facts.attachments {
            let name = if attachment.name.is_empty() { "(no name)" } else { &attachment.name };
            let (path, media_type, size) = (&attachment.path, &attachment.media_type, attachment.size);
            writeln!(
                out,
                "  part      {path}  {name}  {media_type}, {size} bytes, {}",
                attachment.state.as_str()
            )?;
        }
        for defect in &facts.defects {
            writeln!(out, "  odd       {}", defect.as_str())?;
        }
        for ruling in &decision.rulings {
            let exceptions = ruling.exceptions();
            let allowed = if exceptions.is_empty() { String::new() } else { format!("; {exceptions}") };
            writeln!(
                out,
                "  finding   {}={} ({}): {}{allowed}; {} by {}",
                ruling.rule,
                ruling.grade(),
                ruling.mode.as_str(),
                ruling.evidence(),
                ruling.verdict.as_str(),
                ruling.place
            )?;
        }
        for receipt in &decision.receipts {
            let (outcome, detail) = (receipt.outcome(), receipt.detail());
            writeln!(out, "  receipt   {}: {outcome} {detail}", receipt.mailbox.address)?;
        }
        if decision.class() > Sensitivity::None {
            writeln!(out, "  class     {}", decision.class().as_str())?;
        }
        for edit in &self.answer.edits {
            writeln!(out, "  edit      {}", describe(edit))?;
        }
        match &self.answer.refusal {
            Some(reply) => writeln!(out, "  reply     {reply}"),
            None => Ok(()),
        }
    }
}

/// A receipt as `--json` shows it.
fn receipt_json(receipt: &Receipt) -> Value {
    json!({
        "mailbox": receipt.mailbox.address.to_string(),
        "outcome": receipt.outcome(),
        "reason": receipt.suppression.map(Suppression::as_str),
        "reference": receipt.suppression.is_none().then_some(&receipt.reference),
    })
}

/// An edit as `--json` shows it.
pub fn edit_json(edit: &Edit) -> Value {
    match edit {
        Edit::AddHeader { name, value } => json!({"op": "add-header", "name": name, "value": value}),
        Edit::InsertHeader { index, name, value } => {
            json!({"op": "insert-header", "index": index, "name": name, "value": value})
        }
        Edit::ChangeHeader { index, name, value } => {
            json!({"op": "change-header", "index": index, "name": name, "value": value})
        }
        Edit::DeleteHeader { index, name } => json!({"op": "delete-header", "index": index, "name": name}),
        Edit::RemoveRecipient { raw } => json!({"op": "remove-recipient", "address": shown(raw)}),
        Edit::AddRecipient { address } => json!({"op": "add-recipient", "address": address}),
        Edit::Quarantine { reason } => json!({"op": "quarantine", "value": reason}),
    }
}

/// An edit in a few words.
pub fn describe(edit: &Edit) -> String {
    match edit {
        Edit::AddHeader { name, value } => format!("add {name}: {value}"),
        Edit::InsertHeader { name, value, .. } => format!("insert {name}: {value}"),
        Edit::ChangeHeader { index, name, value } => format!("change {name} {index}: {value}"),
        Edit::DeleteHeader { index, name } => format!("delete {name} {index}"),
        Edit::RemoveRecipient { raw } => format!("remove-recipient {}", shown(raw)),
        Edit::AddRecipient { address } => format!("add-recipient {address}"),
        Edit::Quarantine { reason } => format!("quarantine: {reason}"),
    }
}

fn shown(raw: &[u8]) -> String {
    Address::from_wire(raw).map(|address| address.to_string()).unwrap_or_default()
}

fn recipients_json(facts: &Facts, answer: &Answer) -> Vec<Value> {
    let removed = |address: &Address| {
        answer.edits.iter().any(|edit| match edit {
            Edit::RemoveRecipient { raw } => Address::from_wire(raw).as_ref() == Some(address),
            _ => false,
        })
    };
    let named = facts.recipients.iter().map(|recipient| {
        let outcome = if removed(&recipient.address) { "removed" } else { "kept" };
        json!({"address": recipient.address.to_string(), "outcome": outcome})
    });
    let added = answer.edits.iter().filter_map(|edit| match edit {
        Edit::AddRecipient { address } => Some(json!({"address": address, "outcome": "added"})),
        _ => None,
    });
    named.chain(added).collect()
}

fn facts_json(facts: &Facts) -> Value {
    let attachments: Vec<Value> = facts
        .attachments
        .iter()
        .map(|attachment| {
            json!({
                "path": attachment.path, "name": attachment.name, "type": attachment.media_type,
                "size": attachment.size, "state": attachment.state.as_str(), "reason": attachment.state.reason(),
            })
        })
        .collect();
    let header = &facts.header;
    json!({
        "sender": facts.sender.to_string(),
        "recipients": facts.recipients.iter().map(|r| r.address.to_string()).collect::<Vec<_>>(),
        "header_from": header.author(),
        "reply_to": header.reply_to.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "subject": header.subject,
        "size": facts.size,
        "message_id": header.message_id,
        "references": header.references,
        "date": header.date,
        "auto_submitted": header.auto_submitted,
        "list_id": header.list_id,
        "report": header.report,
        "attachments": attachments,
        "defects": facts.defects.iter().map(|defect| defect.as_str()).collect::<Vec<_>>(),
    })
}

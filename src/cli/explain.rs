//! `postvakt explain`: what would become of a mail, and why. It goes the way of the wire, and does nothing.

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::address::{Address, ReversePath};
use crate::answer::{Answer, Edit};
use crate::config::Config;
use crate::effects;
use crate::facts::{Facts, Needs, extract, grammar};
use crate::gather::seen::Memory;
use crate::limits;
use crate::mail::{Client, Envelope, Mail, Message, Recipient};
use crate::organisation::Organisation;
use crate::pipeline::{self, Assessment};
use crate::record::RecordId;

use super::YES;

/// `explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The config file.
    #[arg(long, value_name = "F", default_value = super::CONFIG_FILE)]
    pub config: PathBuf,
    /// The envelope sender; `<>` for the null sender. Without it: Return-Path, else From.
    #[arg(long, value_name = "A")]
    from: Option<String>,
    /// An envelope recipient; may be repeated. Without it: To and Cc.
    #[arg(long, value_name = "B")]
    rcpt: Vec<String>,
    /// The client's address. Without it: a host inside if the sender is inside or a recipient outside.
    #[arg(long, value_name = "IP")]
    client: Option<IpAddr>,
    /// The authenticated user.
    #[arg(long, value_name = "USER")]
    auth: Option<String>,
    /// When the mail comes (RFC 3339); exceptions depend on it. Without it: now.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// One JSON object for each file.
    #[arg(long)]
    json: bool,
    /// Messages. They are judged in this order and remembered, so a forward may follow the mail that it forwards.
    #[arg(required = true, value_name = "FILE.eml")]
    files: Vec<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args, config: Config) -> anyhow::Result<u8> {
    let config = Arc::new(config);
    let memory = Memory::volatile();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut out = io::stdout().lock();
    for file in &args.files {
        let mail = Arc::new(read_mail(args, file, &config)?);
        let explained = runtime.block_on(explain(&mail, &config, &memory))?;
        if args.json {
            writeln!(out, "{}", explained.to_json(&file.display().to_string()))?;
        } else {
            explained.print(&mut out, &file.display().to_string())?;
        }
    }
    Ok(YES)
}

/// A mail's assessment and the answer that it would get.
#[derive(Debug)]
pub struct Explained {
    /// Facts and decision.
    pub assessment: Assessment,
    /// The answer; where the record's id would stand, the number is zero.
    pub answer: Answer,
}

/// Assesses a mail and remembers it as the wire would.
pub async fn explain(mail: &Arc<Mail>, config: &Arc<Config>, memory: &Memory) -> anyhow::Result<Explained> {
    let assessment = pipeline::assess(mail, config, memory).await?;
    if let Some(row) = effects::remembered(&assessment.facts, &assessment.decision) {
        memory.remember(0, memory.joined(row));
    }
    let id = RecordId { node: config.server.node.as_str().into(), epoch: 0, seq: 0 };
    let answer = effects::answer(&assessment.facts, &mail.envelope, &assessment.decision, &id);
    Ok(Explained { assessment, answer })
}

impl Explained {
    /// The object of `--json`.
    pub fn to_json(&self, file: &str) -> Value {
        let Assessment { facts, decision } = &self.assessment;
        let findings: Vec<Value> = decision
            .rulings
            .iter()
            .map(|ruling| {
                json!({
                    "rule": ruling.rule, "grade": ruling.grade(), "mode": ruling.mode.as_str(),
                    "evidence": ruling.evidence(), "verdict": ruling.verdict.as_str(),
                    "allowed_by": ruling.allowed_by, "config": ruling.place.to_string(),
                })
            })
            .collect();
        json!({
            "file": file,
            "direction": facts.direction.as_str(),
            "verdict": decision.verdict.as_str(),
            "class": 0,
            "findings": findings,
            "edits": self.answer.edits.iter().map(edit_json).collect::<Vec<_>>(),
            "recipients": recipients_json(facts, &self.answer),
            "reply": self.answer.refusal.as_ref().map(ToString::to_string),
            "facts": facts_json(facts),
            "receipt": null,
            "record": null,
        })
    }

    fn print(&self, out: &mut impl Write, file: &str) -> io::Result<()> {
        let Assessment { facts, decision } = &self.assessment;
        writeln!(out, "{file}: {} ({})", decision.verdict.as_str(), facts.direction)?;
        let recipients: Vec<String> = facts.recipients.iter().map(|r| r.address.to_string()).collect();
        writeln!(out, "  from      {}", facts.sender)?;
        writeln!(out, "  to        {}", recipients.join(", "))?;
        writeln!(out, "  subject   {}", facts.header.subject.as_deref().unwrap_or("(none)"))?;
        writeln!(out, "  size      {} octets", facts.size)?;
        for attachment in &facts.attachments {
            let name = if attachment.name.is_empty() { "(no name)" } else { &attachment.name };
            let (path, media_type, size) = (&attachment.path, &attachment.media_type, attachment.size);
            writeln!(
                out,
                "  part      {path}  {name}  {media_type}, {size} octets, {}",
                attachment.state.as_str()
            )?;
        }
        for defect in &facts.defects {
            writeln!(out, "  odd       {}", defect.as_str())?;
        }
        for ruling in &decision.rulings {
            let allowed = ruling.allowed_by.as_ref();
            let allowed = allowed.map(|reference| format!(", allowed by {reference}")).unwrap_or_default();
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
        for edit in &self.answer.edits {
            writeln!(out, "  edit      {}", describe(edit))?;
        }
        match &self.answer.refusal {
            Some(reply) => writeln!(out, "  reply     {reply}"),
            None => Ok(()),
        }
    }
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
        "header_from": header.from.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
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

fn read_mail(args: &Args, file: &Path, config: &Config) -> anyhow::Result<Mail> {
    let bytes = std::fs::read(file).with_context(|| format!("{}: cannot be read", file.display()))?;
    let mut mail = Mail {
        arrived: args.at.unwrap_or_else(Timestamp::now),
        listener_direction: None,
        client: Client { address: args.client, auth_user: args.auth.clone(), ..Client::default() },
        envelope: Envelope { sender: ReversePath::Null, smtputf8: false, recipients: Vec::new() },
        queue_id: None,
        message: message_from_file(&bytes),
    };
    let header = extract::extract(&mail, &config.organisation, Needs::default()).header;
    mail.envelope.sender = match (&args.from, header.first("Return-Path")) {
        (Some(path), _) => ReversePath::from_wire(path.as_bytes()),
        (None, Some(path)) => ReversePath::from_wire(path.as_bytes()),
        (None, None) => header.from.first().cloned().map_or(ReversePath::Null, ReversePath::Address),
    };
    let recipients: Vec<Address> = if args.rcpt.is_empty() {
        ["To", "Cc"].iter().flat_map(|name| header.all(name)).flat_map(grammar::addresses).collect()
    } else {
        args.rcpt.iter().filter_map(|path| Address::parse(path)).collect()
    };
    if recipients.is_empty() {
        bail!("{}: nobody is named in To or Cc; say --rcpt", file.display());
    }
    if args.client.is_none() {
        mail.client.address = Some(likely_client(&mail.envelope.sender, &recipients, &config.organisation));
    }
    let raw = |address: &Address| Bytes::from(format!("<{address}>"));
    mail.envelope.recipients =
        recipients.into_iter().map(|address| Recipient { raw: raw(&address), address }).collect();
    Ok(mail)
}

/// Where nobody says which client it was: a gateway takes mail for others from its own hosts only.
fn likely_client(sender: &ReversePath, recipients: &[Address], organisation: &Organisation) -> IpAddr {
    let outside = IpAddr::from([192, 0, 2, 1]); // TEST-NET-1 (RFC 5737)
    let from_inside = sender.address().is_some_and(|sender| organisation.owns(sender))
        || recipients.iter().any(|recipient| !organisation.owns(recipient));
    let inside = organisation.internal_networks.first().filter(|_| from_inside);
    inside.map_or(outside, ipnet::IpNet::addr)
}

/// A message as it stands in a file: line ends become CRLF, as on the wire.
pub fn message_from_file(file: &[u8]) -> Message {
    let mut bytes = Vec::with_capacity(file.len() + file.len() / 32);
    for line in file.split_inclusive(|byte| *byte == b'\n') {
        let content = line.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        match content {
            Some(content) => {
                bytes.extend_from_slice(content);
                bytes.extend_from_slice(b"\r\n");
            }
            None => bytes.extend_from_slice(line),
        }
    }
    let body_at = if bytes.starts_with(b"\r\n") {
        2
    } else {
        memchr::memmem::find(&bytes, b"\r\n\r\n").map_or(bytes.len(), |at| at + 4)
    };
    let size = bytes.len() as u64;
    bytes.truncate(limits::MESSAGE_OCTETS);
    Message { bytes: bytes.into(), body_at, size }
}

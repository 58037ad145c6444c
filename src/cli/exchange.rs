//! `postvakt exchange-audit`: forwards that Exchange makes, read from exported objects, and which of them would never pass
//! this gateway.
//!
//! A mailbox in the cloud forwards mail there. Whether a milter sees that mail depends on Exchange's connectors. What a
//! file does not tell is said, and never passed over.

mod audit;
mod routes;
mod table;
mod target;

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{NO, USAGE, YES, write_table};
use crate::config::Config;
use crate::export::visible;
use crate::limits;
use audit::{Audit, Finding, Kind};
use routes::Passage;

/// `exchange-audit`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Config file. Addresses in its domains are inside.
    #[arg(long, value_name = "F", default_value = super::CONFIG_FILE)]
    pub config: PathBuf,
    /// Name or address of this gateway among the connectors' smart hosts; may be repeated. Default: every smart host is taken
    /// for the gateway.
    #[arg(long, value_name = "HOST")]
    gateway: Vec<String>,
    /// Print one JSON object for each finding.
    #[arg(long)]
    json: bool,
    /// Files of Export-Csv or ConvertTo-Json: mailboxes, inbox rules, transport rules, journal rules, remote domains,
    /// outbound spam policies, connectors, and mail contacts, one kind in each.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

const HEAD: [&str; 8] = ["KIND", "WHAT", "FOR", "TARGET", "COPY", "STATE", "GATEWAY", "PLACE"];

/// Runs the audit: 0 nothing leads outside, 1 something does or may, 2 a file could not be read.
pub fn run(args: &Args, config: &Config) -> anyhow::Result<u8> {
    let files = args.files.iter().map(|path| (path.display().to_string(), read(path))).collect();
    let audit = audit::audit(files, &config.organisation, &args.gateway);
    let mut out = io::stdout().lock();
    if args.json {
        for finding in &audit.findings {
            writeln!(out, "{}", to_json(finding))?;
        }
    } else {
        print(&mut out, &audit)?;
    }
    Ok(verdict(&audit))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limits::AUDIT_OCTETS + 1).read_to_end(&mut octets));
    match read {
        Ok(_) if octets.len() as u64 > limits::AUDIT_OCTETS => {
            Err(format!("is larger than {} MiB", limits::AUDIT_OCTETS >> 20))
        }
        Ok(_) => Ok(octets),
        Err(error) => Err(error.to_string()),
    }
}

/// A file that could not be read leaves the question open, and that is no "yes".
fn verdict(audit: &Audit) -> u8 {
    let any = |kind: Kind| audit.findings.iter().any(|finding| finding.kind == kind);
    let leads = audit.findings.iter().any(|finding| finding.kind == Kind::External && finding.is_active());
    if leads || any(Kind::Unresolved) || any(Kind::Lost) {
        NO
    } else if any(Kind::Unreadable) {
        USAGE
    } else {
        YES
    }
}

fn to_json(finding: &Finding) -> serde_json::Value {
    json!({
        "kind": finding.kind.as_str(),
        "what": finding.what,
        "for": finding.of,
        "target": finding.target,
        "copy": finding.copy,
        "state": finding.state,
        "gateway": finding.passage.as_ref().map(Passage::as_str),
        "way": finding.passage.as_ref().map(Passage::way),
        "file": finding.file,
        "line": finding.line,
    })
}

fn print(out: &mut dyn Write, audit: &Audit) -> io::Result<()> {
    let cells = |finding: &Finding| {
        let copy = finding.copy.map_or("", |kept| if kept { "kept" } else { "none" });
        let passage = finding.passage.as_ref();
        let passage = passage.map(|passage| format!("{} ({})", passage.as_str(), passage.way()));
        let place = match finding.line {
            0 => finding.file.clone(),
            line => format!("{}:{line}", finding.file),
        };
        let gateway = passage.unwrap_or_default();
        let cells = [
            finding.kind.as_str(),
            &finding.what,
            &finding.of,
            &finding.target,
            copy,
            &finding.state,
            &gateway,
            &place,
        ];
        cells.map(|cell| visible(cell).into_owned()).to_vec()
    };
    let rows: Vec<Vec<String>> = audit.findings.iter().map(cells).collect();
    if !rows.is_empty() {
        write_table(out, io::stdout().is_terminal(), &HEAD, &rows)?;
    }
    if !audit.assumed.is_empty() {
        let hosts = audit.assumed.join(", ");
        writeln!(out, "taken for this gateway: {hosts} (--gateway says which hosts are)")?;
    }
    let active =
        audit.findings.iter().filter(|finding| finding.kind == Kind::External && finding.is_active());
    let never = active.clone().filter(|finding| matches!(finding.passage, Some(Passage::Never(_)))).count();
    let count = |kind: Kind| audit.findings.iter().filter(|finding| finding.kind == kind).count();
    let active = active.count();
    writeln!(
        out,
        "{} objects read: {active} active forwards outside, of which {never} never pass this gateway; {} blocked or \
         disabled, {} unresolved, {} lost in the export, {} settings that let forwards leave, {} unreadable",
        audit.objects,
        count(Kind::External) - active,
        count(Kind::Unresolved),
        count(Kind::Lost),
        count(Kind::Setting),
        count(Kind::Unreadable),
    )
}

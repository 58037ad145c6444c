//! `postvakt postfix-audit`: forwards that no milter can see, read from Postfix's own maps.
//!
//! Postfix shows a milter the recipients before alias expansion, and what `local(8)` sends on passes none: so an alias
//! on the gateway, a `.forward` or a BCC map leads outside without a trace. What cannot be listed (LDAP, SQL) is said,
//! and never passed over.

mod maps;
mod recipients;
mod walk;

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;

use serde_json::json;

use super::postconf::Postconf;
use super::{NO, USAGE, YES, write_table};
use crate::config::Config;
use crate::export::visible;
use walk::{Audit, Finding, Kind};

/// `postfix-audit`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Config file. Addresses in its domains are inside.
    #[arg(long, value_name = "F", default_value = super::CONFIG_FILE)]
    pub config: PathBuf,
    /// Postfix's config directory. Default: that of the installed Postfix.
    #[arg(long, value_name = "D")]
    config_dir: Option<PathBuf>,
    /// Print one JSON object for each finding.
    #[arg(long)]
    json: bool,
}

/// The parameters that lead mail somewhere, those that say what is this host's, and those about routes in addresses.
const PARAMETERS: [&str; 18] = [
    "virtual_alias_maps",
    "virtual_maps",
    "alias_maps",
    "recipient_bcc_maps",
    "sender_bcc_maps",
    "always_bcc",
    "transport_maps",
    "canonical_maps",
    "recipient_canonical_maps",
    "mailbox_command",
    "forward_path",
    "mydestination",
    "myorigin",
    "mydomain",
    "myhostname",
    "allow_percent_hack",
    "swap_bangpath",
    "resolve_dequoted_address",
];

const HEAD: [&str; 5] = ["WHAT", "MAP", "FOR", "TARGET", "PLACE"];

/// Runs the audit: 0 nothing leads outside, 1 something does or may, 2 Postfix or one of its maps could not be read.
pub fn run(args: &Args, config: &Config) -> anyhow::Result<u8> {
    let postconf = Postconf::read(args.config_dir.as_deref(), &PARAMETERS)?;
    let audit = walk::audit(&postconf, &config.organisation);
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

/// A map that could not be read leaves the question open, and that is no "yes". A setting that follows routes leads
/// nowhere by itself, and mail that uses one is seen.
fn verdict(audit: &Audit) -> u8 {
    let any = |kind: Kind| audit.findings.iter().any(|finding| finding.kind == kind);
    if any(Kind::External) || any(Kind::Command) || any(Kind::Unlisted) {
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
        "parameter": finding.parameter,
        "map": finding.map,
        "for": finding.of,
        "target": finding.target,
        "file": finding.place.as_ref().map(|(file, _)| file.display().to_string()),
        "line": finding.place.as_ref().map(|(_, line)| *line),
    })
}

fn print(out: &mut dyn Write, audit: &Audit) -> io::Result<()> {
    let cells = |finding: &Finding| {
        let place = finding.place.as_ref();
        let place = place.map(|(file, line)| format!("{}:{line}", file.display())).unwrap_or_default();
        let map = if finding.map.is_empty() {
            finding.parameter.clone()
        } else {
            format!("{} {}", finding.parameter, finding.map)
        };
        [finding.kind.as_str(), &map, &finding.of, &finding.target, &place]
            .map(|cell| visible(cell).into_owned())
            .to_vec()
    };
    let rows: Vec<Vec<String>> = audit.findings.iter().map(cells).collect();
    if !rows.is_empty() {
        write_table(out, io::stdout().is_terminal(), &HEAD, &rows)?;
    }
    let count = |kind: Kind| audit.findings.iter().filter(|finding| finding.kind == kind).count();
    writeln!(
        out,
        "{} maps with {} entries read: {} external targets, {} commands or files, {} maps that cannot be listed, \
         {} that cannot be read, {} settings that follow routes in addresses",
        audit.maps,
        audit.entries,
        count(Kind::External),
        count(Kind::Command),
        count(Kind::Unlisted),
        count(Kind::Unreadable),
        count(Kind::Setting),
    )
}

//! What the demonstration shows to somebody who sees Postvakt for the first time: a few mails, one sentence for each, and
//! what became of it.

use std::io::Write;
use std::path::Path;

use jiff::Timestamp;

use super::Played;
use crate::cli::receipts;
use crate::config::Config;
use crate::record::{OutboxKind, Outcome};

/// Prints the mails, what they add up to, the receipt, and what to try next.
pub(super) fn print(
    out: &mut dyn Write,
    played: &[Played],
    config: &Path,
    kept: Option<&Path>,
) -> anyhow::Result<()> {
    for (number, played) in played.iter().enumerate() {
        writeln!(out, "{}  {}", number + 1, played.case.sheet.about)?;
        writeln!(out, "   → {}", wrapped(&outcome(played)))?;
    }
    let count = |verdict: &str| played.iter().filter(|played| played.verdict() == verdict).count();
    let sums: Vec<String> = Outcome::ALL
        .iter()
        .map(|outcome| outcome.as_str())
        .filter(|verdict| count(verdict) > 0)
        .map(|verdict| format!("{} {verdict}", count(verdict)))
        .collect();
    writeln!(out, "\n{} mails: {}; each has its record in the log.", played.len(), sums.join(", "))?;
    if let Ok(config) = Config::load(config)
        && let Some(text) = receipt(&config)?
    {
        writeln!(out, "\nThe receipt:\n")?;
        for line in text.lines() {
            writeln!(out, "{}", format!("   {line}").trim_end())?;
        }
    }
    writeln!(out, "\nNext:")?;
    if kept.is_some() {
        let config = config.display();
        let held = played.iter().find(|played| played.verdict() == Outcome::Held.as_str());
        writeln!(out, "  postvakt log search --config {config} --purpose demo")?;
        if let Some(record) = held.and_then(|held| held.record.as_ref()) {
            writeln!(out, "  postvakt log show {record} --config {config} --purpose demo")?;
        }
        writeln!(out, "  postvakt receipts list --config {config}")?;
    } else {
        writeln!(out, "  postvakt demo --keep demo    keep the config and the log, and look at them")?;
        writeln!(out, "  postvakt demo --all          play every sample mail")?;
        writeln!(out, "  postvakt init                write a config of your own")?;
    }
    Ok(())
}

/// A text in lines of a terminal's usual width, the later ones indented.
fn wrapped(text: &str) -> String {
    let (mut lines, mut width) = (String::new(), 0);
    for word in text.split(' ') {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > WIDTH {
            lines.push_str("\n     ");
            width = 0;
        } else if width > 0 {
            lines.push(' ');
            width += 1;
        }
        lines.push_str(word);
        width += length;
    }
    lines
}

/// Characters of a line behind its indent.
const WIDTH: usize = 90;

/// The verdict, what was found, and what was done about it.
fn outcome(played: &Played) -> String {
    let verdict = played.verdict();
    let verdict = if verdict == Outcome::Held.as_str() { verdict.to_uppercase() } else { verdict.to_owned() };
    let found = [played.rules(), played.evidence()].into_iter().filter(|text| !text.is_empty());
    let found = found.collect::<Vec<_>>().join(": ");
    let receipt = if played.receipts().ends_with("=queued") { "a receipt is queued" } else { "" };
    let parts = [verdict.as_str(), found.as_str(), receipt];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

/// The first receipt in the outbox, as its reader sees it: the subject, and the text.
fn receipt(config: &Config) -> anyhow::Result<Option<String>> {
    let all = receipts::outbox(config, Timestamp::now())?;
    let first = all.iter().find(|listed| listed.stored.row.kind == OutboxKind::Receipt);
    Ok(first.map(|listed| receipts::readable(&listed.stored.row.message).1))
}

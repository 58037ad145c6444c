//! `postvakt log access`: who read the log, and what else was done with it: decisions, holds, retention, configs.

use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::{Granted, Reason, USAGE};
use crate::config::Config;
use crate::export::{local, visible};
use crate::store::access::Done;
use crate::store::search::Query;

/// Prints the accesses of a period; this one, too, is an access.
pub(super) fn list(
    directory: &Path,
    query: &Query,
    config: &Config,
    reason: &Reason,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let own = reason.or("review of accesses");
    let Some(access) = Granted::ask(directory, config, "access", query, json!({}), &own)? else {
        return Ok(USAGE);
    };
    let entries = access.log.list_all(query.since, query.until)?;
    let mut out = BufWriter::new(out);
    let result = entries.iter().try_for_each(|entry| {
        let line = json_line(entry, config);
        if json { writeln!(out, "{line}") } else { writeln!(out, "{}", text_line(entry, config)) }
    });
    let result = result.and_then(|()| out.flush()).map(|()| Vec::new());
    access.end(entries.len() as u64, result.map_err(anyhow::Error::from))
}

fn json_line(entry: &Done, config: &Config) -> Value {
    let Done { n, access, result } = entry;
    let query = serde_json::from_str(&access.query).unwrap_or(Value::Null);
    json!({
        "id": n, "time": local(access.time, &config.time_zone), "uid": access.reader.uid,
        "user": access.reader.user, "login": access.reader.login, "verb": access.verb, "query": query,
        "purpose": access.purpose, "decision": access.decision, "registered": access.registered, "refused": access.refused,
        "rows": result.as_ref().map(|(rows, _)| rows), "outcome": ended(entry),
    })
}

fn text_line(entry: &Done, config: &Config) -> String {
    let Done { access, result, .. } = entry;
    let user = if access.reader.login.is_empty() || access.reader.login == access.reader.user {
        access.reader.user.clone()
    } else {
        format!("{} ({})", access.reader.login, access.reader.user)
    };
    let rows = result.as_ref().map_or("-".to_owned(), |(rows, _)| rows.to_string());
    let reason = match (access.decision.as_str(), access.purpose.as_str()) {
        ("", purpose) => purpose.to_owned(),
        (decision, "") => format!("decision {decision}"),
        (decision, purpose) => format!("decision {decision}: {purpose}"),
    };
    let time = config.time_zone.to_datetime(access.time).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let line = format!(
        "{time}  {user:16}  {:7}  {:10}  {rows:>7}  {reason}  {}",
        access.verb,
        ended(entry),
        access.query
    );
    visible(&line).into_owned()
}

/// How an access ended, in a word.
fn ended(entry: &Done) -> &str {
    match &entry.result {
        _ if !entry.access.refused.is_empty() => "refused",
        Some((_, outcome)) => outcome,
        None => "unfinished",
    }
}

//! `postvakt log access`: who read the log, and what else was done with it: decisions, holds, retention, configs.

use std::io::{BufWriter, Write};

use serde_json::{Value, json};

use super::{Context, Reason};
use crate::config::Config;
use crate::export::{local, visible};
use crate::store::access::{Done, Reader};
use crate::store::query::Query;
use crate::store::session::Request;

/// Prints the accesses of a period; this one, too, is an access.
pub(super) fn list(query: Query, reason: &Reason, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let request = Request::new("access", query, reason.or("review of accesses"));
    let code = context.read(&request, |session, context| {
        let mut out = BufWriter::new(&mut *context.out);
        for entry in session.deeds()? {
            if context.json {
                writeln!(out, "{}", json_line(&entry, context.config))?;
            } else {
                writeln!(out, "{}", text_line(&entry, context.config))?;
            }
        }
        Ok(out.flush()?)
    });
    code.map(|(code, _)| code)
}

fn json_line(entry: &Done, config: &Config) -> Value {
    let Done { n, access, result } = entry;
    let query = serde_json::from_str(&access.query).unwrap_or(Value::Null);
    let Reader { via, subject, name, role, unix } = &access.reader;
    json!({
        "id": n, "time": local(access.time, &config.time_zone), "via": via, "subject": subject, "name": name,
        "role": role, "uid": unix.as_ref().map(|unix| unix.uid), "user": unix.as_ref().map(|unix| &unix.user),
        "login": unix.as_ref().map(|unix| &unix.login), "verb": access.verb, "query": query,
        "purpose": access.purpose, "decision": access.decision, "registered": access.registered,
        "own_request": access.own_request, "request": access.request, "refused": access.refused,
        "rows": result.as_ref().map(|(rows, _)| rows), "outcome": ended(entry),
    })
}

fn text_line(entry: &Done, config: &Config) -> String {
    let Done { access, result, .. } = entry;
    let subject = &access.reader.subject;
    let user = match access.reader.acting_as() {
        Some(user) => format!("{subject} ({user})"),
        None => subject.clone(),
    };
    let rows = result.as_ref().map_or("-".to_owned(), |(rows, _)| rows.to_string());
    let basis = [
        ("decision", &access.decision),
        ("own request of", &access.own_request),
        ("request", &access.request),
    ];
    let basis =
        basis.into_iter().filter(|(_, what)| !what.is_empty()).map(|(name, what)| format!("{name} {what}"));
    let purpose = Some(access.purpose.clone()).filter(|purpose| !purpose.is_empty());
    let reason = basis.chain(purpose).collect::<Vec<_>>().join(": ");
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

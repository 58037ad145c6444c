//! `postvakt log access`: who read the log, and what else was done with it: decisions, holds, retention, configs.

use std::io::{BufWriter, Write};

use serde_json::{Value, json};

use super::{Context, past};
use crate::address::Address;
use crate::cli::NO;
use crate::config::Config;
use crate::export::{local, visible};
use crate::report::extract::showed;
use crate::store::access::{Done, Reader};
use crate::store::gate;
use crate::store::query::Party;
use crate::store::session::{Reason, Request, Session};

/// Which accesses.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Start of the period in which they were registered.
    #[arg(long, value_name = "T")]
    since: Option<String>,
    /// End of the period. A date includes that whole day.
    #[arg(long, value_name = "T")]
    until: Option<String>,
    /// Only those that named this person or showed their mail, and decisions and legal holds about them.
    #[arg(long, value_name = "A", value_parser = super::person)]
    person: Option<Address>,
    /// Only those of this login or user.
    #[arg(long, value_name = "U")]
    by: Option<String>,
    /// Only those by the decision or the request with this reference, and what was done about it.
    #[arg(long, value_name = "REF")]
    decision: Option<String>,
    /// Only those of this kind, such as search, export or decision.
    #[arg(long, value_name = "V")]
    verb: Option<String>,
    /// Show the newest entries, at most N, the newest first. Default: all, the oldest first.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    newest: Option<u32>,
    /// Purpose of looking at them.
    #[arg(long, value_name = "TEXT", default_value = gate::REVIEW_OF_ACCESSES)]
    purpose: String,
}

/// Prints the accesses of a period; this one, too, is an access.
pub(super) fn list(args: &Args, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let query = past(args.since.as_deref(), args.until.as_deref(), context.config)?;
    let person = args.person.clone().map(Party::Address);
    let more = json!({
        "about": person, "by": args.by, "of_decision": args.decision, "of_verb": args.verb,
    });
    let more = more.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let more = Value::Object(more.map(|(name, value)| (name.clone(), value.clone())).collect());
    let request = Request::new("access", query, Reason::operation(args.purpose.trim())).with(more);
    let code = context.read(&request, |session, context| {
        let reader = &session.access().reader;
        let sees = |entry: &Done| {
            let by = &entry.access.reader;
            reader.oversees() || (by.via == reader.via && by.subject == reader.subject)
        };
        let deeds = session.deeds()?.into_iter().filter(|entry| sees(entry) && args.takes(entry));
        let deeds: Vec<Done> = deeds.collect();
        let about = |entry: &Done| person.as_ref().is_none_or(|person| concerns(session, entry, person));
        let mut deeds: Vec<&Done> = deeds.iter().filter(|entry| about(entry)).collect();
        let mut more = None;
        if let Some(newest) = args.newest {
            deeds.reverse();
            more = Some(newest).filter(|newest| deeds.len() > usize::try_from(*newest).unwrap_or(usize::MAX));
            deeds.truncate(usize::try_from(newest)?);
        }
        let mut out = BufWriter::new(&mut *context.out);
        for entry in &deeds {
            if context.json {
                writeln!(out, "{}", json_line(entry, context.config))?;
            } else {
                writeln!(out, "{}", text_line(entry, context.config))?;
            }
        }
        out.flush()?;
        session.count(deeds.len() as u64);
        Ok(more)
    });
    let (code, more) = code?;
    if let Some(newest) = more.flatten() {
        eprintln!("postvakt: there are older entries: only the newest {newest} are shown");
        return Ok(code.max(NO));
    }
    Ok(code)
}

impl Args {
    /// Whether the entry is one of those, as far as it says so itself.
    fn takes(&self, entry: &Done) -> bool {
        let access = &entry.access;
        let same = |wanted: &String, text: &str| wanted.trim().eq_ignore_ascii_case(text);
        let user = access.reader.unix.as_ref().map(|unix| unix.user.as_str());
        let body = || serde_json::from_str::<Value>(&access.query).unwrap_or_default();
        let reference = |wanted: &String| {
            let body = body();
            let own = ["reference", "decision"].map(|name| body.get(name).and_then(Value::as_str));
            let all = [Some(access.decision.as_str()), Some(access.request.as_str())];
            own.iter().chain(&all).flatten().any(|text| same(wanted, text))
        };
        self.by
            .as_ref()
            .is_none_or(|by| same(by, &access.reader.subject) || user.is_some_and(|user| same(by, user)))
            && self.verb.as_ref().is_none_or(|verb| same(verb, &access.verb))
            && self.decision.as_ref().is_none_or(reference)
    }
}

/// Whether the entry is about a person: it named them or showed their mail, or was decided about them.
fn concerns(session: &Session, entry: &Done, person: &Party) -> bool {
    let body: Value = serde_json::from_str(&entry.access.query).unwrap_or_default();
    let listed = ["persons", "parties", "person"].into_iter().filter_map(|name| body.get(name)?.as_array());
    let named = listed.flatten().filter_map(Value::as_str).any(|text| person.has(text));
    named || person.has(&entry.access.own_request) || showed(session, entry, std::slice::from_ref(person))
}

fn json_line(entry: &Done, config: &Config) -> Value {
    let Done { n, access, registered, result } = entry;
    let query = serde_json::from_str(&access.query).unwrap_or(Value::Null);
    let Reader { via, subject, name, role, mailboxes, unix } = &access.reader;
    json!({
        "id": n, "time": local(access.time, &config.time_zone), "registered_at": local(*registered, &config.time_zone), "via": via, "subject": subject, "name": name,
        "role": role, "mailboxes": mailboxes, "uid": unix.as_ref().map(|unix| unix.uid), "user": unix.as_ref().map(|unix| &unix.user),
        "login": unix.as_ref().map(|unix| &unix.login), "pid": unix.as_ref().map(|unix| unix.pid),
        "tty": unix.as_ref().map(|unix| &unix.tty), "ssh": unix.as_ref().map(|unix| &unix.ssh), "verb": access.verb, "query": query,
        "purpose": access.purpose, "decision": access.decision, "registered": access.registered,
        "own_request": access.own_request, "request": access.request, "refused": access.refused,
        "rows": result.as_ref().map(|(rows, _)| rows), "outcome": ended(entry),
    })
}

fn text_line(entry: &Done, config: &Config) -> String {
    let Done { n, access, result, .. } = entry;
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
        "{n:>6}  {time}  {user:16}  {:7}  {:10}  {rows:>7}  {reason}  {}",
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

//! Accesses that name a person, each as one line for the system's log: so that another host knows of them at once.

use std::path::Path;

use crate::store::access::epoch::Grown;
use crate::store::access::{Access, AccessError, AccessLog, Entry, Kind};
use crate::store::query::Query;

/// The lines of the accesses after the entry `after`, up to the last one of the tree.
pub(super) fn lines(directory: &Path, after: u64, grown: &Grown) -> Result<Vec<String>, AccessError> {
    let Some(log) = AccessLog::open_to_read(directory)? else { return Ok(Vec::new()) };
    let entries = log.entries(&[Kind::Access])?;
    let new = entries.iter().filter(|entry| entry.n > after && entry.n <= grown.last);
    Ok(new.filter_map(line).collect())
}

/// The line of an access that names a person or is for one; `None` for another one.
fn line(entry: &Entry) -> Option<String> {
    let access = entry.read::<Access>(Kind::Access)?;
    // What is not understood may name a person.
    let named = Query::read_back(&access.query).is_none_or(|query| query.is_of_a_person());
    if !named && access.own_request.is_empty() && access.verb != "subject-extract" {
        return None;
    }
    let who = match access.reader.acting_as() {
        Some(user) => format!("{} ({user})", access.reader.subject),
        None => access.reader.subject.clone(),
    };
    let reasons = [
        ("decision", &access.decision),
        ("own request of", &access.own_request),
        ("request", &access.request),
        ("purpose", &access.purpose),
        ("refused", &access.refused),
    ];
    let reasons = reasons.iter().filter(|(_, text)| !text.is_empty());
    let reasons: Vec<String> = reasons.map(|(name, text)| format!("{name} {text:?}")).collect();
    let text = format!("access {}: {who} {} {}; {}", entry.n, access.verb, access.query, reasons.join("; "));
    // One line, whatever somebody put into it.
    Some(text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
}

//! `postvakt log show`: everything that the log has about one mail.

mod delivery;

use std::io::Write;

use anyhow::Context as _;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::{Context, NO, Reason, YES};
use crate::effects::SECOND_PASS;
use crate::export::column::everything;
use crate::export::{Line, local, visible};
use crate::facts::pass;
use crate::limits;
use crate::record::RecordId;
use crate::record::columns::EVIDENCE;
use crate::store::access::Access;
use crate::store::deliveries::trace;
use crate::store::held::HeldAct;
use crate::store::outbox::Listed;
use crate::store::outcomes::Outcome;
use crate::store::query::Query;
use crate::store::search::Found;
use crate::store::session::{Request, Session};
use crate::store::single::Belongings;
pub(super) use delivery::gap;

/// What a finding has, in the order in which its leaf has it.
const FINDING: [&str; 8] =
    ["rule", "grade", "evidence", "mode", "verdict", "decision", "mailboxes", "recipients"];

/// Which mail.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Record id (as in X-Postvakt-Id), queue id of the MTA, or Message-ID.
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    reason: Reason,
}

/// What was printed.
struct Printed {
    mails: usize,
    /// Whether there are more than are printed.
    more: bool,
    /// Whether each is what its leaf was made of.
    unchanged: bool,
}

/// There is no room for another mail.
struct Full;

/// Prints it. The exit code is 1 where the log has no such mail, or it was changed.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let mut id = args.id.clone();
    if let Query { queue_id: Some(queue_id), .. } = query(&id)
        && let Some(former) = trace::former(context.directory, &queue_id)?
    {
        eprintln!("postvakt: {} was requeued; its mail came with the queue id {former}", visible(&queue_id));
        id = former;
    }
    let request = Request::new("show", query(&id), args.reason.stated());
    let (code, printed) = context.read(&request, |session, context| {
        let mut found = Vec::new();
        let all = session.search(|one| {
            let room = found.len() < limits::SHOWN_RECORDS;
            if room {
                found.push(one);
            }
            room.then_some(()).ok_or(Full)
        });
        let mut unchanged = true;
        for (number, one) in found.iter().enumerate() {
            let mail = Mail::read(session, one)?;
            unchanged &= mail.belongings.unchanged;
            if context.json {
                writeln!(context.out, "{}", mail.json(&context.config.time_zone)?)?;
            } else {
                if number > 0 {
                    writeln!(context.out)?;
                }
                mail.print(context.out, &context.config.time_zone)?;
            }
        }
        Ok(Printed { mails: found.len(), more: all.is_err(), unchanged })
    })?;
    let Some(printed) = printed else { return Ok(code) };
    if printed.mails == 0 {
        eprintln!("postvakt: the log has no mail with the id {}", visible(&args.id));
    }
    if printed.more {
        let shown = printed.mails;
        eprintln!(
            "postvakt: only the first {shown} mails with this id are shown; postvakt log search lists all"
        );
    }
    Ok(if code == YES && (printed.mails == 0 || !printed.unchanged) { NO } else { code })
}

/// Prints one mail, for a command that looks at it for another reason.
pub(in crate::cli) fn print_one(
    session: &Session,
    found: &Found,
    zone: &TimeZone,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    Mail::read(session, found)?.print(out, zone)
}

/// As [`print_one`], as JSON.
pub(in crate::cli) fn as_json(session: &Session, found: &Found, zone: &TimeZone) -> anyhow::Result<Value> {
    Mail::read(session, found)?.json(zone)
}

/// A record id has a form of its own, and a Message-ID an at sign (RFC 5322 §3.6.4); all else is a queue id.
fn query(id: &str) -> Query {
    let id = if pass::has_mark(id) { pass::id_in(id) } else { id.trim() };
    if let Ok(record) = id.parse::<RecordId>() {
        Query { record: Some(record), ..Query::default() }
    } else if id.contains('@') {
        Query { message_id: Some(id.to_owned()), ..Query::default() }
    } else {
        Query { queue_id: Some(id.to_owned()), ..Query::default() }
    }
}

/// A mail with what belongs to it.
struct Mail<'a> {
    found: &'a Found,
    belongings: Belongings,
}

impl<'a> Mail<'a> {
    fn read(session: &Session, found: &'a Found) -> anyhow::Result<Self> {
        Ok(Self { found, belongings: session.belongings(found)? })
    }

    /// The findings, each with its names and texts.
    fn findings(&self) -> anyhow::Result<Vec<[String; 8]>> {
        let Some(sealed) = &self.belongings.sealed else { return Ok(Vec::new()) };
        let place = sealed.form.fields().position(|field| field.name() == EVIDENCE);
        let Some(text) = place.and_then(|place| sealed.values.get(place)) else { return Ok(Vec::new()) };
        serde_json::from_str(text).context("the findings of the record cannot be read")
    }

    /// The first record of a mail that came through again.
    fn first_pass(&self) -> anyhow::Result<Option<String>> {
        let first = |[rule, _, evidence, ..]: [String; 8]| (rule == SECOND_PASS).then_some(evidence);
        Ok(self.findings()?.into_iter().find_map(first))
    }

    /// What the access log tells of a notice: of its last change, or at least of one with its reference.
    fn outcome(&self, notice: &Listed) -> Option<&(u64, Outcome)> {
        let row = &notice.stored.row;
        let told = self.belongings.outcomes.iter().rev();
        let mut own =
            told.filter(|(_, told)| told.reference == row.reference && told.kind == row.kind.as_str());
        let last = notice.history.last();
        let of_last = |(_, told): &&(u64, Outcome)| {
            last.is_some_and(|(at, state, _)| *at == told.at && state.as_str() == told.state)
        };
        own.clone().find(of_last).or_else(|| own.next())
    }

    fn json(&self, zone: &TimeZone) -> anyhow::Result<Value> {
        let findings = self.findings()?.into_iter().map(|texts| {
            let list = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
            let value = |(name, text): (&str, String)| match name {
                "mailboxes" | "recipients" => (name.to_owned(), list(&text)),
                _ => (name.to_owned(), Value::from(text)),
            };
            Value::Object(FINDING.into_iter().zip(texts).map(value).collect::<Map<_, _>>())
        });
        let first = self.first_pass()?;
        let Belongings { sealed, unchanged, head, notices, acts, passes, .. } = &self.belongings;
        let acts = acts.iter().map(|told| {
            let HeldAct { act, stage, record, to, purpose, text, outcome, answer, .. } = &told.act;
            json!({
                "entry": told.n, "time": local(told.time, zone), "act": act.as_str(), "stage": stage.as_str(),
                "by": told.act.by_whom(), "record": record, "answer": answer, "to": to, "purpose": purpose, "text": text, "outcome": outcome,
            })
        });
        let passes = passes.iter().map(|pass| {
            json!({ "record": pass.id.to_string(), "time": local(pass.time, zone), "queue_id": pass.queue_id })
        });
        let notices = notices.iter().map(|notice| {
            let row = &notice.stored.row;
            let history = notice.history.iter().map(
                |(at, state, text)| json!({ "time": local(*at, zone), "state": state.as_str(), "text": text }),
            );
            json!({
                "kind": row.kind.as_str(), "reference": row.reference, "mailbox": row.mailbox,
                "recipient": row.recipient, "state": notice.state.as_str(), "attempts": notice.attempts,
                "history": history.collect::<Vec<_>>(),
                "outcome": self.outcome(notice).map(|(entry, told)| json!({
                    "entry": entry, "state": told.state, "time": local(told.at, zone), "reply": told.reply,
                })),
            })
        });
        let head = head.as_ref().map(|head| json!({ "records": head.size, "time": local(head.time, zone) }));
        let deliveries = match &self.belongings.trace {
            Ok(trace) => trace.as_ref().map(|trace| delivery::json(trace, zone)),
            Err(error) => Some(json!({ "error": error.to_string() })),
        };
        Ok(json!({
            "record": Line::everything(self.found, zone),
            "deliveries": deliveries,
            "findings": findings.collect::<Vec<_>>(),
            "notices": notices.collect::<Vec<_>>(),
            "acts": acts.collect::<Vec<_>>(),
            "accesses": self.belongings.accesses.iter().map(|done| json!({
                "entry": done.n, "time": local(done.access.time, zone), "subject": done.access.reader.subject,
                "name": done.access.reader.name, "role": done.access.reader.role, "verb": done.access.verb,
                "purpose": done.access.purpose, "decision": done.access.decision, "request": done.access.request,
                "refused": done.access.refused,
            })).collect::<Vec<_>>(),
            "first_pass": first,
            "passes": passes.collect::<Vec<_>>(),
            "proof": { "origin": sealed.as_ref().map(|sealed| &sealed.origin), "unchanged": unchanged, "head": head },
        }))
    }

    fn print(&self, out: &mut dyn Write, zone: &TimeZone) -> anyhow::Result<()> {
        let line = Line::everything(self.found, zone);
        for (shown, cell) in everything().zip(line.cells()) {
            field(out, 0, shown.name(), &cell)?;
        }
        for texts in self.findings()? {
            writeln!(out, "finding")?;
            for (name, text) in FINDING.into_iter().zip(texts) {
                field(out, 2, name, if text == "[]" { "" } else { &text })?;
            }
        }
        for notice in &self.belongings.notices {
            let row = &notice.stored.row;
            writeln!(out, "{}", row.kind.as_str())?;
            for (name, text) in [
                ("reference", row.reference.as_str()),
                ("mailbox", row.mailbox.as_str()),
                ("recipient", row.recipient.as_str()),
                ("state", notice.state.as_str()),
            ] {
                field(out, 2, name, text)?;
            }
            for (at, state, text) in &notice.history {
                field(out, 2, &local(*at, zone), &format!("{} {text}", state.as_str()))?;
            }
            if let Some((entry, told)) = self.outcome(notice) {
                let outcome = format!("{} {}, entry {entry} of the access log", told.state, told.reply);
                field(out, 2, "outcome", &outcome)?;
            }
        }
        for told in &self.belongings.acts {
            let HeldAct { stage, record, purpose, outcome, answer, .. } = &told.act;
            let said = if outcome.is_empty() { purpose } else { outcome };
            let said =
                if answer.is_empty() { said } else { &format!("{said}; mail {record}, answer {answer}") };
            let text = format!(
                "{} {} {} by {}: {said} (entry {} of the access log)",
                local(told.time, zone),
                told.act.deed(),
                stage.as_str(),
                told.act.by_whom(),
                told.n
            );
            field(out, 0, "while held", &text)?;
        }
        for done in &self.belongings.accesses {
            let Access { reader, verb, purpose, decision, request, refused, .. } = &done.access;
            let reason = [decision, request, purpose].into_iter().find(|text| !text.is_empty());
            let refused = if refused.is_empty() { "" } else { ", refused" };
            let text = format!(
                "{} {} by {}{refused}: {} (entry {} of the access log)",
                local(done.access.time, zone),
                verb,
                reader.subject,
                reason.map_or("-", String::as_str),
                done.n
            );
            field(out, 0, "looked at", &text)?;
        }
        field(out, 0, "first pass", self.first_pass()?.as_deref().unwrap_or_default())?;
        let Belongings { sealed, unchanged, head, passes, .. } = &self.belongings;
        for pass in passes {
            let text = format!("{} {}, queue id {}", local(pass.time, zone), pass.id, pass.queue_id);
            field(out, 0, "passed again", &text)?;
        }
        match &self.belongings.trace {
            Ok(Some(trace)) => delivery::print(out, trace, zone)?,
            Ok(None) => {}
            Err(error) => field(out, 0, "deliveries", &format!("cannot be read: {error}"))?,
        }
        let proof = match (sealed, head) {
            (Some(_), _) if !unchanged => "TAMPERED: this is not what its leaf was made of".to_owned(),
            (None, _) => "none: the record was written before the log had a tree".to_owned(),
            (_, None) => "not covered yet: the next tree head covers it".to_owned(),
            (Some(sealed), Some(head)) => format!(
                "covered by the head of {} over {} records of {}",
                local(head.time, zone),
                head.size,
                sealed.origin
            ),
        };
        field(out, 0, "proof", &proof)
    }
}

/// A name and a value on one line; nothing where there is no value.
fn field(out: &mut dyn Write, indent: usize, name: &str, value: &str) -> anyhow::Result<()> {
    if !value.is_empty() {
        let width = 18 - indent;
        writeln!(out, "{:indent$}{name:width$}  {}", "", visible(value))?;
    }
    Ok(())
}

//! `postvakt log show`: everything that the log has about one mail.

use std::io::Write;

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::{Context, NO, Reason, YES};
use crate::export::line::columns;
use crate::export::{Line, local, visible};
use crate::note::TreeHead;
use crate::record::RecordId;
use crate::record::columns::{EVIDENCE, LeafForm};
use crate::store::outbox::Listed;
use crate::store::proof::{Proof, Sealed};
use crate::store::query::Query;
use crate::store::search::Found;
use crate::store::session::{Request, Session};

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

/// Prints it. The exit code is 1 where the log has no such mail.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let request = Request::new("show", query(&args.id), args.reason.stated());
    let (code, shown) = context.read(&request, |session, context| {
        let mut found = Vec::new();
        session.search(|one| {
            found.push(one);
            anyhow::Ok(())
        })?;
        let notices = session.outbox(Timestamp::now())?;
        for (number, one) in found.iter().enumerate() {
            let mail = Mail::read(session, context, one, &notices)?;
            if context.json {
                writeln!(context.out, "{}", mail.json(&context.config.time_zone)?)?;
            } else {
                if number > 0 {
                    writeln!(context.out)?;
                }
                mail.print(context.out, &context.config.time_zone)?;
            }
        }
        Ok(found.len())
    })?;
    if shown == Some(0) {
        eprintln!("postvakt: the log has no mail with the id {}", visible(&args.id));
        return Ok(if code == YES { NO } else { code });
    }
    Ok(code)
}

/// A record id has a form of its own, and a Message-ID an at sign (RFC 5322 §3.6.4); all else is a queue id.
fn query(id: &str) -> Query {
    let id = id.trim();
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
    /// Absent in files of the first versions, which have no tree.
    sealed: Option<Sealed>,
    proof: Option<Proof>,
    notices: Vec<&'a Listed>,
}

impl<'a> Mail<'a> {
    fn read(
        session: &Session,
        context: &Context<'_>,
        found: &'a Found,
        notices: &'a [Listed],
    ) -> anyhow::Result<Self> {
        let mut prover = session.prover(&context.config.store.heads)?;
        let sealed = prover.seal(&found.id)?;
        let proof = prover.finish()?.pop();
        let notices = notices.iter().filter(|notice| notice.record == found.id).collect();
        Ok(Self { found, sealed, proof, notices })
    }

    /// The findings, each with its names and texts.
    fn findings(&self) -> anyhow::Result<Vec<[String; 8]>> {
        let Some(sealed) = &self.sealed else { return Ok(Vec::new()) };
        let place = sealed.form.fields().position(|field| field.name() == EVIDENCE);
        let Some(text) = place.and_then(|place| sealed.values.get(place)) else { return Ok(Vec::new()) };
        serde_json::from_str(text).context("the findings of the record cannot be read")
    }

    /// The head that covers the record: when it was signed, and for how many records.
    fn head(&self) -> Option<TreeHead> {
        let proof = self.proof.as_ref().filter(|proof| proof.uncovered == 0)?;
        TreeHead::parse(&proof.head.as_ref()?.text)
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
        let notices = self.notices.iter().map(|notice| {
            let row = &notice.stored.row;
            let history = notice.history.iter().map(
                |(at, state, text)| json!({ "time": local(*at, zone), "state": state.as_str(), "text": text }),
            );
            json!({
                "kind": row.kind.as_str(), "reference": row.reference, "mailbox": row.mailbox,
                "recipient": row.recipient, "state": notice.state.as_str(), "attempts": notice.attempts,
                "history": history.collect::<Vec<_>>(),
            })
        });
        let head = self.head().map(|head| json!({ "records": head.size, "time": local(head.time, zone) }));
        Ok(json!({
            "record": Line::new(self.found, zone),
            "findings": findings.collect::<Vec<_>>(),
            "notices": notices.collect::<Vec<_>>(),
            "proof": { "origin": self.sealed.as_ref().map(|sealed| &sealed.origin), "head": head },
        }))
    }

    fn print(&self, out: &mut dyn Write, zone: &TimeZone) -> anyhow::Result<()> {
        let line = Line::new(self.found, zone);
        for (shown, cell) in columns(LeafForm::NEWEST).zip(line.cells()) {
            field(out, 0, shown.name(), &cell)?;
        }
        for texts in self.findings()? {
            writeln!(out, "finding")?;
            for (name, text) in FINDING.into_iter().zip(texts) {
                field(out, 2, name, if text == "[]" { "" } else { &text })?;
            }
        }
        for notice in &self.notices {
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
        }
        let proof = match (&self.sealed, self.head()) {
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

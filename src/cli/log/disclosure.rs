//! `postvakt log disclosure`: a request for public records from the day it came until it is answered: legal hold, review of each
//! record, approval by a second person, files.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::register::named;
use super::reviewed::{Disclosure, Files};
use super::{Context, QueryArgs, YES, export, one_of, told};
use crate::cli::write_table;
use crate::config::records::is_purpose;
use crate::export::shape::SHORT;
use crate::export::{local, profile, visible};
use crate::limits;
use crate::record::RecordId;
use crate::record::columns::COLUMNS;
use crate::store::access::{AccessLog, Via};
use crate::store::disclosure::{
    Answered, Case, Choice, Chosen, Disclosures, Done, Opened, State, Step, tell,
};
use crate::store::gate::REVIEW_OF_REGISTER;
use crate::store::query::Query;
use crate::store::session::{Basis, Reason, Request, Session};

/// What is done with requests for public records.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Register a request for public records. A legal hold is placed on what it asks for, which is counted.
    Open(Box<Open>),
    /// List the requests.
    List,
    /// Show a request and the records that it asks for: as they are logged, as they would be disclosed, and what was chosen.
    Show {
        /// Reference of the request.
        #[arg(value_name = "DNR")]
        reference: String,
        /// Page, of 25 records each.
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        page: u32,
        /// Show only records for which nothing was chosen.
        #[arg(long)]
        left: bool,
    },
    /// Choose what becomes of records: keep, mask or leave out. The newest choice counts.
    Review(Review),
    /// Approve the choices. In the console, and if the config requires four eyes, another person does this.
    Approve {
        /// Reference of the request.
        #[arg(value_name = "DNR")]
        reference: String,
        /// Number of the entry that was looked at, as `show` says it. A newer choice has to be looked at first.
        #[arg(long, value_name = "N")]
        entry: u64,
    },
    /// Write the files of an approved request: the records as they are disclosed, with manifest and proof; and the review list,
    /// which stays in the case.
    Files(Files),
    /// Say how the request was answered.
    Close {
        /// Reference of the request.
        #[arg(value_name = "DNR")]
        reference: String,
        /// Answer.
        #[arg(long, value_name = "ANSWER", value_parser = one_of(&Answered::ALL.map(Answered::as_str)))]
        answer: String,
        /// Reference of the written decision, if something was refused and the person asked for one.
        #[arg(long, value_name = "REF", default_value = "")]
        decision: String,
    },
}

/// What is asked for, when and by whom.
#[derive(Debug, clap::Args)]
pub(super) struct Open {
    /// Reference of the request.
    #[arg(value_name = "DNR")]
    reference: String,
    /// Day on which the request came.
    #[arg(long, value_name = "DATE")]
    received: Date,
    /// Who asks, if they said so. Do not ask: a request may be anonymous.
    #[arg(long, value_name = "TEXT", default_value = "")]
    asked_by: String,
    /// Columns that are asked for. Default: time, sender, recipients, subject, attachments.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    columns: Vec<String>,
    #[command(flatten)]
    query: QueryArgs,
}

/// Which records, and what becomes of them.
#[derive(Debug, clap::Args)]
pub(super) struct Review {
    /// Reference of the request.
    #[arg(value_name = "DNR")]
    reference: String,
    /// Record ids.
    #[arg(value_name = "RECORD", value_parser = |text: &str| text.parse::<RecordId>())]
    records: Vec<RecordId>,
    /// Every record for which nothing was chosen yet.
    #[arg(long, conflicts_with = "records")]
    rest: bool,
    /// What becomes of them: keep (as the profile `disclose` masks them), mask (columns more), leave-out.
    #[arg(long, value_name = "C", value_parser = one_of(&Choice::ALL.map(Choice::as_str)))]
    choice: String,
    /// Columns to mask.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    columns: Vec<String>,
    /// Section of the law, such as "OSL 21 kap. 7 §". Required for mask and leave-out.
    #[arg(long, value_name = "S", default_value = "")]
    section: String,
    /// Why. It stays in the access log: name no person.
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
}

/// Runs the command.
pub(super) fn run(command: &Command, context: &mut Context<'_>) -> anyhow::Result<u8> {
    match command {
        Command::Open(args) => open(args, context),
        Command::List => list(context),
        Command::Show { reference, page, left } => show(reference, *page, *left, context),
        Command::Review(args) => review(args, context),
        Command::Approve { reference, entry } => approve(reference, *entry, context),
        Command::Files(args) => files(args, context),
        Command::Close { reference, answer, decision } => close(reference, answer, decision.trim(), context),
    }
}

fn cases(context: &Context<'_>) -> anyhow::Result<Disclosures> {
    Ok(Disclosures::read(&AccessLog::open(context.directory)?)?)
}

/// The request with that reference; it is open unless `closed`.
fn case(reference: &str, closed: bool, context: &Context<'_>) -> anyhow::Result<Case> {
    let reference = named(reference)?;
    let known = cases(context)?.find(&reference).cloned();
    let known = known.with_context(|| {
        format!("{reference}: no such request is registered: postvakt log disclosure open")
    })?;
    ensure!(closed || known.state() != State::Closed, "{reference}: the request is answered and closed");
    Ok(known)
}

/// A look at the records of a request, for it.
fn request(verb: &'static str, case: &Case, more: Value) -> anyhow::Result<Request> {
    let query = case.query().context("a newer version of postvakt registered this request")?;
    let reason = Reason { purpose: String::new(), basis: Basis::Request(case.reference.clone()) };
    Ok(Request::new(verb, query, reason).with(more))
}

fn said(context: &mut Context<'_>, value: &Value, text: &str) -> anyhow::Result<u8> {
    let line = if context.json { value.to_string() } else { visible(text).into_owned() };
    writeln!(context.out, "{line}")?;
    Ok(YES)
}

/// Registers a request. The legal hold stands in the access log before the first record is looked at.
fn open(args: &Open, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let reference = named(&args.reference)?;
    let now = Timestamp::now();
    let today = now.to_zoned(context.config.time_zone.clone()).date();
    ensure!(args.received <= today, "the request came on {}, and today is {today}", args.received);
    let columns: Vec<String> = match &args.columns[..] {
        [] => SHORT.map(str::to_owned).to_vec(),
        named => named.iter().map(|name| name.trim().to_owned()).collect(),
    };
    for name in &columns {
        ensure!(
            COLUMNS.iter().any(|column| column.name == name),
            "--columns {name}: expected columns of the log, such as {}",
            SHORT.join(", ")
        );
    }
    if cases(context)?.find(&reference).is_some_and(|known| known.state() != State::Closed) {
        bail!("{reference}: this request is registered already");
    }
    // Mail that comes later was not asked for.
    let asked = args.query.query(context.config)?;
    let query = Query { until: Some(asked.until.map_or(now, |until| until.min(now))), ..asked };
    let reason = Reason { purpose: String::new(), basis: Basis::Request(reference.clone()) };
    let request = Request::new("disclosure open", query, reason);
    let (code, records) = context.read(&request, |session, context| {
        let mut records = 0_u64;
        session.search(|_| -> anyhow::Result<()> {
            records += 1;
            ensure!(
                records <= limits::DISCLOSURE_RECORDS,
                "the request asks for more than {} records: narrow it, or use log export. The legal hold is placed",
                limits::DISCLOSURE_RECORDS
            );
            Ok(())
        })?;
        let asked = Opened {
            received: args.received,
            asked_by: args.asked_by.trim().to_owned(),
            query: serde_json::to_string(session.query())?,
            columns: columns.clone(),
            records,
        };
        tell(session.entries(), &context.reader, &reference, Step::Opened(asked))?;
        Ok(records)
    })?;
    let Some(records) = records else { return Ok(code) };
    let done = json!({ "reference": reference, "records": records, "done": "opened" });
    said(context, &done, &format!("{reference}: registered, with a legal hold on {records} records"))?;
    Ok(code)
}

fn list(context: &mut Context<'_>) -> anyhow::Result<u8> {
    let request = Request::new("disclosures", Query::default(), Reason::operation(REVIEW_OF_REGISTER));
    let code = context.read(&request, |session, context| {
        let cases = Disclosures::read(session.entries())?;
        session.count(cases.0.len() as u64);
        let rows = cases.0.iter().map(|case| case_row(case, context));
        if context.json {
            let rows: Vec<Value> = rows.collect();
            rows.iter().try_for_each(|row| writeln!(context.out, "{row}"))?;
            return Ok(());
        }
        let text = |row: &Value, name: &str| match row.get(name) {
            Some(Value::String(text)) => visible(text).into_owned(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        let names = ["reference", "state", "received", "days", "records", "chosen", "approved_by", "answer"];
        let rows: Vec<Vec<String>> =
            rows.map(|row| names.iter().map(|name| text(&row, name)).collect()).collect();
        let head = ["REQUEST", "STATE", "CAME", "DAYS", "RECORDS", "REVIEWED", "APPROVED BY", "ANSWER"];
        write_table(&mut *context.out, false, &head, &rows)?;
        Ok(())
    });
    code.map(|(code, _)| code)
}

fn case_row(case: &Case, context: &Context<'_>) -> Value {
    let zone = &context.config.time_zone;
    let now = case.closed.as_ref().map_or_else(Timestamp::now, |(_, _, done)| done.at);
    let until = now.to_zoned(zone.clone()).date();
    let days = until.since(case.asked.received).map_or(0, |span| span.get_days());
    let by = |done: Option<&Done>| done.map(|done| done.by.subject.clone());
    let at = |done: Option<&Done>| done.map(|done| local(done.at, zone));
    let approved = case.approved.as_ref();
    let closed = case.closed.as_ref().map(|(.., done)| done);
    json!({
        "reference": case.reference, "state": case.state().as_str(), "received": case.asked.received, "days": days,
        "asked_by": case.asked.asked_by, "query": serde_json::from_str::<Value>(&case.asked.query).ok(),
        "columns": case.asked.columns, "records": case.asked.records, "chosen": case.chosen.len(),
        "opened_by": case.opened.by.subject, "opened": local(case.opened.at, zone), "entry": case.newest,
        "approved_by": by(approved), "approved": at(approved),
        "answer": case.closed.as_ref().map(|(answered, ..)| answered.as_str()),
        "decision": case.closed.as_ref().map(|(_, decision, _)| decision),
        "closed_by": by(closed), "closed": at(closed),
        "worked": case.has_worked(&context.reader), "two_persons": needs_two(context),
    })
}

/// What leaves the organisation cannot be taken back: in the console, and where the config says so, two persons disclose it.
fn needs_two(context: &Context<'_>) -> bool {
    context.reader.via == Via::Console || context.config.store.access.four_eyes
}

fn show(reference: &str, page: u32, left: bool, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let case = case(reference, true, context)?;
    let disclosure = Disclosure::new(&case, context.config)?;
    let request = request("disclosure show", &case, json!({ "page": page, "left": left }))?;
    let rows_of_page = u64::from(limits::DISCLOSURE_PAGE);
    let first = (u64::from(page) - 1) * rows_of_page;
    let code = context.read(&request, |session, context| {
        let (mut all, mut without, mut at, mut rows) = (0_u64, 0_u64, 0_u64, Vec::new());
        session.search(|found| -> anyhow::Result<()> {
            all += 1;
            let is_chosen = disclosure.chosen(&found.id).is_some();
            without += u64::from(!is_chosen);
            if left && is_chosen {
                return Ok(());
            }
            if at >= first && at < first + rows_of_page {
                rows.push(disclosure.row(found));
            }
            at += 1;
            Ok(())
        })?;
        let mut head = case_row(&case, context);
        if let Value::Object(fields) = &mut head {
            fields.insert("records".to_owned(), json!(all));
            fields.insert("without".to_owned(), json!(without));
            fields.insert("page".to_owned(), json!(page));
            fields.insert("pages".to_owned(), json!(at.div_ceil(rows_of_page).max(1)));
        }
        print(&head, &rows, context)
    });
    code.map(|(code, _)| code)
}

fn print(head: &Value, rows: &[Value], context: &mut Context<'_>) -> anyhow::Result<()> {
    if context.json {
        writeln!(context.out, "{head}")?;
        return Ok(rows.iter().try_for_each(|row| writeln!(context.out, "{row}"))?);
    }
    let text = |value: Option<&Value>| match value {
        Some(Value::String(text)) => visible(text).into_owned(),
        Some(Value::Array(all)) => {
            visible(&all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")).into_owned()
        }
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    for name in ["reference", "state", "received", "days", "records", "without", "entry", "approved_by"] {
        writeln!(context.out, "{name:12} {}", text(head.get(name)))?;
    }
    for row in rows {
        let part = |part: &str, name: &str| text(row.get(part).and_then(|part| part.get(name)));
        writeln!(
            context.out,
            "\n{}  {}  {}  {}",
            text(row.get("record")),
            part("chosen", "choice"),
            part("chosen", "columns"),
            part("chosen", "section")
        )?;
        for (name, asked) in row.get("asked").and_then(Value::as_object).into_iter().flatten() {
            let given = part("given", name);
            let asked = text(Some(asked));
            let then = match row.get("given") {
                Some(Value::Object(_)) if given != asked => format!("  ->  {given}"),
                _ => String::new(),
            };
            writeln!(context.out, "  {name:12} {asked}{then}")?;
        }
    }
    Ok(())
}

/// The choice that the arguments make, or what is wrong with it.
fn chosen(args: &Review, case: &Case) -> anyhow::Result<Chosen> {
    let choice = Choice::parse(&args.choice).context("an unknown choice")?;
    let [section, why] = [&args.section, &args.why].map(|text| text.trim().to_owned());
    let columns: Vec<String> = args.columns.iter().map(|name| name.trim().to_owned()).collect();
    let may_mask = |name: &String| {
        case.asked.columns.contains(name) && profile::columns().any(|column| column.name == name)
    };
    if let Some(other) = columns.iter().find(|name| !may_mask(name)) {
        let all: Vec<&str> = profile::columns().map(|column| column.name).collect();
        let asked = case.asked.columns.iter().map(String::as_str).filter(|name| all.contains(name));
        bail!("--columns {other}: expected {}", asked.collect::<Vec<_>>().join(", "));
    }
    match choice {
        Choice::Mask => ensure!(!columns.is_empty(), "mask: name the columns, with --columns"),
        Choice::Keep | Choice::LeaveOut => {
            ensure!(columns.is_empty(), "--columns has an effect with mask alone");
        }
    }
    ensure!(
        choice == Choice::Keep || is_purpose(&section),
        "--section: say by which section of the law, such as \"OSL 21 kap. 7 §\""
    );
    let most = limits::LABEL_REASON_OCTETS;
    ensure!(section.len() <= most && why.len() <= most, "--section and --why have at most {most} bytes each");
    Ok(Chosen { choice, columns, section, why })
}

fn review(args: &Review, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let case = case(&args.reference, false, context)?;
    ensure!(args.rest || !args.records.is_empty(), "name records, or --rest");
    let chosen = chosen(args, &case)?;
    let request = request("disclosure review", &case, json!({ "choice": args.choice }))?;
    let (code, entry) = context.read(&request, |session, context| {
        let known = ids(session)?;
        let records: Vec<String> = if args.rest {
            known.into_iter().filter(|id| !case.chosen.contains_key(id)).collect()
        } else {
            let asked: Vec<String> = args.records.iter().map(ToString::to_string).collect();
            if let Some(other) = asked.iter().find(|id| !known.contains(*id)) {
                bail!("{other}: the request does not ask for this record");
            }
            asked
        };
        ensure!(!records.is_empty(), "{}: something was chosen for every record", case.reference);
        let mut entry = 0;
        for records in records.chunks(limits::DISCLOSURE_IDS) {
            let step = Step::Reviewed { records: records.to_vec(), chosen: chosen.clone() };
            entry = tell(session.entries(), &context.reader, &case.reference, step)?;
        }
        Ok((entry, records.len()))
    })?;
    let Some((entry, records)) = entry else { return Ok(code) };
    let done = json!({ "reference": case.reference, "entry": entry, "records": records, "done": "reviewed" });
    let text = format!("{}: {} for {records} records (entry {entry})", case.reference, args.choice);
    said(context, &done, &text)?;
    Ok(code)
}

/// The ids of the records that are asked for.
fn ids(session: &mut Session) -> anyhow::Result<BTreeSet<String>> {
    let mut ids = BTreeSet::new();
    session.search(|found| -> anyhow::Result<()> {
        ids.insert(found.id.to_string());
        Ok(())
    })?;
    Ok(ids)
}

fn approve(reference: &str, entry: u64, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let case = case(reference, false, context)?;
    let request = request("disclosure approve", &case, json!({ "entry": entry }))?;
    let refused = if needs_two(context) && case.has_worked(&context.reader) {
        let who = &context.reader.subject;
        Some(format!("{who} registered or reviewed {}; another person has to approve it", case.reference))
    } else if case.approved.is_some() {
        Some(format!("{}: it is approved already", case.reference))
    } else if entry != case.newest {
        Some(format!("{}: the review has changed since entry {entry}: look at it again", case.reference))
    } else {
        None
    };
    let gate = context.gate();
    let read = gate.act(&request, refused, |session| {
        let without = ids(session)?.into_iter().filter(|id| !case.chosen.contains_key(id)).count();
        ensure!(without == 0, "{}: nothing was chosen for {without} records yet", case.reference);
        let step = Step::Approved { until: entry };
        let n = tell(session.entries(), &gate.reader, &case.reference, step)?;
        // Somebody may have chosen something meanwhile; then it does not count.
        let now = Disclosures::read(session.entries())?;
        let counts = now.find(&case.reference).is_some_and(|now| now.approved.is_some());
        ensure!(counts, "{}: the review has changed meanwhile: look at it again", case.reference);
        Ok(n)
    })?;
    let (code, n) = told(read, &context.config.time_zone);
    let Some(n) = n else { return Ok(code) };
    let done = json!({ "reference": case.reference, "entry": n, "done": "approved" });
    said(context, &done, &format!("{}: approved (entry {n})", case.reference))?;
    Ok(code)
}

fn files(args: &Files, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let case = case(&args.reference, false, context)?;
    let Some(approved) = &case.approved else {
        let request = request("export", &case, json!({ "disclosure": case.reference }))?;
        let why = format!("{}: the review is not approved: postvakt log disclosure approve", case.reference);
        let read = context.gate().act(&request, Some(why), |_| anyhow::Ok(()))?;
        return Ok(told(read, &context.config.time_zone).0);
    };
    let more = json!({ "disclosure": case.reference, "approved": approved.n });
    let request = request("export", &case, more)?;
    let disclosure = Disclosure::new(&case, context.config)?;
    export::run_reviewed(args, &disclosure, (request, approved.n), context)
}

fn close(reference: &str, answer: &str, decision: &str, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let case = case(reference, false, context)?;
    let answered = Answered::parse(answer).context("an unknown answer")?;
    let is_given = matches!(answered, Answered::Disclosed | Answered::Part);
    ensure!(
        !is_given || case.approved.is_some(),
        "{}: the review is not approved, so nothing was disclosed",
        case.reference
    );
    ensure!(decision.len() <= limits::LABEL_REASON_OCTETS, "--decision: the reference is too long");
    let mut log = AccessLog::open(context.directory)?;
    let step = Step::Closed { answered, decision: decision.to_owned() };
    let n = tell(&mut log, &context.reader, &case.reference, step)?;
    if matches!(answered, Answered::Part | Answered::Refused) && decision.is_empty() {
        eprintln!(
            "postvakt: the person may ask for a written decision with instructions how to appeal (OSL 6 kap. 3 §): tell them so. \
             Release the legal hold when it can no longer be appealed: postvakt log legal-hold release"
        );
    }
    let done = json!({ "reference": case.reference, "entry": n, "done": "closed" });
    said(context, &done, &format!("{}: {answer} (entry {n})", case.reference))
}

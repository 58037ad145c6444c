//! `postvakt log retention protocol` and `postvakt log report follow-up`: documents about what was done with the log.

use std::path::PathBuf;

use anyhow::ensure;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Context, NO, Reason};
use crate::export::file::NewFile;
use crate::export::local;
use crate::limits;
use crate::report::document::Document;
use crate::report::follow_up::{self, follow_up};
use crate::report::period::{Length, Period};
use crate::report::protocol::protocol;
use crate::store::gate;
use crate::store::query::Query;
use crate::store::session::{Request, Session};
use crate::store::signatures::{self, Signature, Signed};
use crate::text::hex;

/// Which run, and where the protocol goes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Number of the run's entry in the access log. Default: the newest run.
    #[arg(value_name = "N")]
    entry: Option<u64>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    reason: Reason,
}

/// Which quarter, and where the follow-up goes.
#[derive(Debug, clap::Args)]
pub(super) struct FollowUp {
    /// Quarter, such as 2026Q3. Default: the last complete one.
    #[arg(value_name = "QUARTER")]
    quarter: Option<String>,
    #[command(flatten)]
    sample: Sample,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    reason: Reason,
}

/// Which quarter is signed, and what was seen.
#[derive(Debug, clap::Args)]
pub(super) struct Sign {
    /// Quarter, such as 2026Q3. It has to be over.
    #[arg(value_name = "QUARTER")]
    quarter: String,
    #[command(flatten)]
    sample: Sample,
    /// Digest of the follow-up, as `follow-up` gives it: what was seen is what is signed.
    #[arg(long, value_name = "SHA256")]
    digest: String,
    /// Reference of the case in which the follow-up is filed.
    #[arg(long, value_name = "REF", default_value = "")]
    case: String,
    /// What was found, and what follows from it. It stays in the access log: name no person.
    #[arg(long, value_name = "TEXT", default_value = "")]
    remark: String,
    #[command(flatten)]
    reason: Reason,
}

/// Which accesses are looked into.
#[derive(Debug, clap::Args)]
struct Sample {
    /// Number of accesses in the sample.
    #[arg(long, value_name = "N", default_value_t = 20)]
    n: u16,
    /// Seed of the sample. Decide it in advance, so that the selection cannot be manipulated.
    #[arg(long, value_name = "S", default_value = "")]
    seed: String,
}

/// Where a document goes.
#[derive(Debug, clap::Args)]
struct Output {
    /// Write the page to this file. Default: print JSON.
    #[arg(long, value_name = "F")]
    html: Option<PathBuf>,
    /// Replace the file if it exists.
    #[arg(long)]
    force: bool,
}

impl Output {
    fn write(&self, document: &Document, context: &mut Context<'_>) -> anyhow::Result<()> {
        if let Some(path) = &self.html {
            let mut file = NewFile::create(path, self.force)?;
            document.write(&mut file)?;
            file.seal()?;
            file.publish()?;
        }
        match &self.html {
            Some(path) if !context.json => writeln!(context.out, "{}: {}", path.display(), document.title)?,
            _ => writeln!(context.out, "{}", serde_json::to_string(document)?)?,
        }
        Ok(())
    }
}

/// Writes the protocol of a run. The exit code is 1 where there is none.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let more = json!({ "protocol": args.entry });
    let request =
        Request::new("retention protocol", Query::default(), args.reason.or(gate::PROTOCOL)).with(more);
    let (code, found) = context.read(&request, |session, context| {
        let deeds = session.deeds()?;
        let newest = || deeds.iter().rev().find_map(|deed| protocol(&deeds, deed.n, context.config));
        let found = match args.entry {
            Some(n) => protocol(&deeds, n, context.config),
            None => newest(),
        };
        session.count(u64::from(found.is_some()));
        if let Some(document) = &found {
            args.output.write(document, context)?;
        }
        Ok(found.is_some())
    })?;
    if found == Some(false) {
        let which =
            args.entry.map_or("any retention run".to_owned(), |n| format!("a retention run as entry {n}"));
        eprintln!("postvakt: the access log does not have {which}");
        return Ok(NO);
    }
    Ok(code)
}

/// Writes the follow-up of a quarter.
pub(super) fn run_follow_up(args: &FollowUp, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let asked = args.sample.asked(args.quarter.as_deref(), context)?;
    let request = asked.request(&args.reason);
    let code = context.read(&request, |session, context| {
        let (document, digest) = asked.document(session, context)?;
        let signed = signatures::of_period(session.entries(), &asked.period.code())?;
        let zone = &context.config.time_zone;
        if args.output.html.is_none() {
            let mut page = serde_json::to_value(&document)?;
            if let Value::Object(fields) = &mut page {
                let signed: Vec<Value> = signed.iter().map(|one| signature_row(one, zone)).collect();
                fields.insert("period".to_owned(), json!(asked.period.code()));
                fields.insert("digest".to_owned(), json!(digest));
                fields.insert("signed".to_owned(), json!(signed));
            }
            return Ok(writeln!(context.out, "{page}")?);
        }
        let mut document = document;
        document.facts.push(("Kontrollsumma".to_owned(), digest));
        for one in &signed {
            document.facts.push(("Signerad".to_owned(), follow_up::signature(one, zone)));
        }
        args.output.write(&document, context)
    });
    code.map(|(code, _)| code)
}

/// Signs the follow-up of a quarter that is over: a person has gone through it.
pub(super) fn sign(args: &Sign, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let asked = args.sample.asked(Some(&args.quarter), context)?;
    let most = limits::LABEL_REASON_OCTETS;
    let [case, remark] = [&args.case, &args.remark].map(|text| text.trim().to_owned());
    ensure!(case.len() <= most && remark.len() <= most, "--case and --remark have at most {most} bytes each");
    ensure!(
        asked.query.until.is_some_and(|until| until <= Timestamp::now()),
        "{} is not over: sign it when it is",
        asked.period.code()
    );
    let request = asked.request(&args.reason);
    let (code, n) = context.read(&request, |session, context| {
        let (_, digest) = asked.document(session, context)?;
        ensure!(
            digest == args.digest,
            "{}: the follow-up is another one than the one with the digest {}: look at it again",
            asked.period.code(),
            args.digest
        );
        let signature = Signature {
            by: context.reader.clone(),
            period: asked.period.code(),
            sampled: asked.sampled,
            seed: asked.seed.clone(),
            digest,
            case,
            remark,
        };
        Ok(signatures::sign(session.entries(), &signature)?)
    })?;
    let Some(n) = n else { return Ok(code) };
    let period = asked.period.code();
    if context.json {
        writeln!(context.out, "{}", json!({ "entry": n, "period": period, "done": "signed" }))?;
    } else {
        writeln!(context.out, "{period}: signed (entry {n} of the access log)")?;
    }
    Ok(code)
}

/// A follow-up that is asked for.
struct Asked {
    period: Period,
    query: Query,
    sampled: usize,
    seed: String,
}

impl Sample {
    fn asked(&self, quarter: Option<&str>, context: &Context<'_>) -> anyhow::Result<Asked> {
        let (zone, now) = (&context.config.time_zone, Timestamp::now());
        let period = match quarter {
            Some(text) => Period::parse(text, Length::Quarter)
                .and_then(|period| period.begun(now, zone))
                .map_err(anyhow::Error::msg)?,
            None => Period::last(Length::Quarter, now, zone),
        };
        let (since, until) = period.times(zone)?;
        let query = Query { since: Some(since), until: Some(until), ..Query::default() };
        Ok(Asked { period, query, sampled: self.n.into(), seed: self.seed.clone() })
    }
}

impl Asked {
    fn request(&self, reason: &Reason) -> Request {
        let more = json!({
            "report": "follow-up", "period": self.period.code(), "n": self.sampled, "seed": self.seed,
        });
        Request::new("report", self.query.clone(), reason.stated()).with(more)
    }

    /// The follow-up, and its SHA-256.
    fn document(&self, session: &mut Session, context: &Context<'_>) -> anyhow::Result<(Document, String)> {
        let (mut deeds, register) = (session.deeds()?, session.register()?);
        // This report is no finding of its own.
        deeds.retain(|deed| deed.n != session.number());
        let before = signatures::of_period(session.entries(), &self.period.before().code())?;
        let document = follow_up(&follow_up::Sources {
            config: context.config,
            period: self.period,
            deeds: &deeds,
            register: &register,
            sample: (self.sampled, &self.seed),
            before: &before,
        });
        session.count(deeds.len() as u64);
        let digest = hex(&Sha256::digest(serde_json::to_vec(&(&document, &self.seed, self.sampled))?));
        Ok((document, digest))
    }
}

fn signature_row(signed: &Signed, zone: &TimeZone) -> Value {
    let Signed { n, at, signature } = signed;
    json!({
        "entry": n, "time": local(*at, zone), "subject": signature.by.subject, "name": signature.by.name,
        "sampled": signature.sampled, "seed": signature.seed, "digest": signature.digest, "case": signature.case,
        "remark": signature.remark,
    })
}

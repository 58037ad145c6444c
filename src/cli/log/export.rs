//! `postvakt log export`: records into a file, masked as its profile says, with a manifest and a list for review.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::reviewed::{Disclosure, Files};
use super::{Context, QueryArgs, Reason, one_of};
use crate::config::Config;
use crate::export::column::DERIVED;
use crate::export::csv::Writer as Csv;
use crate::export::file::{Manifest, NewFile, Reviewed, beside, manifest_path};
use crate::export::html::made;
use crate::export::profile::{self, Mark, Mask, NUMBERS, Profile, Pseudonyms, Tally};
use crate::export::proof::{self, Given};
use crate::export::shape::{Headings, SHORT, Shape};
use crate::export::{Exporter, Format, Heading, local};
use crate::store::access::Made;
use crate::store::disclosure::{Choice, Chosen};
use crate::store::heads;
use crate::store::proof::Prover;
use crate::store::query::{Party, Query};
use crate::store::search::Found;
use crate::store::session::{Request, Session};
use crate::text::hex;

/// What to export, and how.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    query: QueryArgs,
    #[command(flatten)]
    reason: Reason,
    /// Format of the file: csv and xlsx open in Excel, jsonl uses the names of the Elastic Common Schema, html is for
    /// reading and printing.
    #[arg(long, value_parser = one_of(&Format::ALL.map(Format::as_str)))]
    format: String,
    /// Output file.
    #[arg(long, value_name = "F")]
    output: PathBuf,
    /// Replace the file if it exists.
    #[arg(long)]
    force: bool,
    /// Who the export is for. internal: unmasked; disclose: identity numbers and configured words masked; pseudonym: all
    /// identifying fields pseudonymised.
    #[arg(long, value_name = "P", default_value = "internal", value_parser = one_of(&Profile::ALL.map(Profile::as_str)))]
    profile: String,
    /// Mask more: personnummer, or whole columns by name.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    mask: Vec<String>,
    /// Export these columns alone, in this order.
    #[arg(long, value_name = "LIST", value_delimiter = ',', conflicts_with = "short")]
    columns: Vec<String>,
    /// Export who wrote to whom alone: time, sender, recipients, subject and attachments.
    #[arg(long)]
    short: bool,
    /// Headings of csv and xlsx: the names of the columns (id), Swedish or English.
    #[arg(long, value_name = "H", default_value = "id", value_parser = one_of(&Headings::ALL.map(Headings::as_str)))]
    headings: String,
}

/// An export, ready to be run.
struct Export<'a> {
    args: &'a Args,
    directory: &'a Path,
    config: &'a Config,
    format: Format,
    profile: Profile,
    mask: Mask<'a>,
    /// Whose mail is shown without names, or left out.
    protected: Vec<Party>,
    shape: Shape,
    /// What was chosen for each record, and the entry by which that was approved.
    reviewed: Option<(&'a Disclosure<'a>, u64)>,
}

/// What was written.
#[derive(Default)]
struct Written {
    rows: u64,
    /// Records of protected mailboxes that were left out.
    left_out: u64,
    /// What was masked or left out by choice, by section of the law.
    sections: BTreeMap<String, u64>,
    tally: Tally,
}

/// A proof that is being written.
struct Proving {
    file: NewFile,
    prover: Prover,
    evidence: bool,
}

/// What the proof's name ends with.
pub(super) const PROOF: &str = ".proof.jsonl";

/// Runs the command.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let export = Export::new(args, context.directory, context.config)?;
    let more = json!({
        "format": export.format.as_str(),
        "output": args.output.display().to_string(),
        "profile": export.profile.as_str(),
        "mask": args.mask,
        "columns": export.shape.names(),
    });
    let request = Request::new("export", args.query.query(context.config)?, args.reason.stated()).with(more);
    let (code, manifest) = context.read(&request, |session, _| {
        let written = export.write(session);
        written.with_context(|| format!("{}: not exported", args.output.display()))
    })?;
    let Some(manifest) = manifest else { return Ok(code) };
    let number = |name: &str| manifest.get(name).and_then(Value::as_u64).unwrap_or_default();
    let cut = number("cells_cut");
    if cut > 0 {
        eprintln!(
            "postvakt: {cut} cells are too long for a workbook and say how much is missing; csv has the full text"
        );
    }
    if context.json {
        writeln!(context.out, "{manifest}")?;
    } else {
        writeln!(context.out, "{}: {} records", args.output.display(), number("rows"))?;
    }
    Ok(code)
}

/// Writes the files of a request for public records as its review says. The entry of the access log stands before the first record.
pub(super) fn run_reviewed(
    files: &Files,
    disclosure: &Disclosure<'_>,
    (request, approved): (Request, u64),
    context: &mut Context<'_>,
) -> anyhow::Result<u8> {
    let args = Args {
        format: files.format.clone(),
        output: files.output.clone(),
        force: files.force,
        profile: Profile::Disclose.as_str().to_owned(),
        headings: files.headings.clone(),
        columns: disclosure.shape.names().into_iter().map(str::to_owned).collect(),
        ..Args::default()
    };
    let export = Export {
        reviewed: Some((disclosure, approved)),
        ..Export::new(&args, context.directory, context.config)?
    };
    let (code, manifest) = context.read(&request, |session, _| {
        export.write(session).with_context(|| format!("{}: not written", files.output.display()))
    })?;
    let Some(manifest) = manifest else { return Ok(code) };
    if context.json {
        writeln!(context.out, "{manifest}")?;
    } else {
        let rows = manifest.get("rows").and_then(Value::as_u64).unwrap_or_default();
        writeln!(context.out, "{}: {rows} records", files.output.display())?;
    }
    Ok(code)
}

impl<'a> Export<'a> {
    fn new(args: &'a Args, directory: &'a Path, config: &'a Config) -> anyhow::Result<Self> {
        let format = Format::ALL.into_iter().find(|known| known.as_str() == args.format);
        let format = format.context("an unknown format")?;
        let profile = profile_of(&args.profile)?;
        check_mask(&args.mask)?;
        // Nobody has the key when the export is made: what it does not tell cannot be asked for later.
        let mut key = [0; 32];
        getrandom::fill(&mut key).context("the system gives no random bytes")?;
        let own = Pseudonyms { key, organisation: &config.organisation };
        let mask = Mask::new(profile, &args.mask, &config.disclosure.words, Some(own));
        let mailboxes = config.disclosure.mailboxes.iter().filter(|_| profile == Profile::Disclose);
        let protected = mailboxes.filter_map(|covered| Party::parse(&covered.to_string()).ok()).collect();
        let shape = shape(args)?;
        Ok(Self { args, directory, config, format, profile, mask, protected, shape, reviewed: None })
    }

    /// Writes the file and what stands beside it. The manifest.
    fn write(&self, session: &mut Session) -> anyhow::Result<Value> {
        let Self { args, config, .. } = self;
        // Where the people inside are pseudonyms, it cannot be told which mail is that of a protected mailbox.
        ensure!(
            !session.is_veiled() || self.protected.is_empty(),
            "with [disclosure] mailboxes, --profile disclose requires --request DNR or --decision REF"
        );
        let output = &args.output;
        let zone = &config.time_zone;
        let mut manifest_file = NewFile::create(&manifest_path(output), args.force)?;
        let review_path = beside(output, ".review.csv");
        let mut review = match self.profile {
            Profile::Disclose => Some(Csv::with_head(NewFile::create(&review_path, args.force)?, &REVIEW)?),
            Profile::Internal | Profile::Pseudonym => None,
        };
        let heading = self.heading(session);
        let mut exporter = self.format.start(NewFile::create(output, args.force)?, &heading)?;
        let mut proof = self.proof(session, &heading)?;
        let Written { rows, left_out, tally, sections } =
            self.write_rows(session, &mut exporter, &mut proof, review.as_mut())?;
        let (mut file, cut) = exporter.finish()?;
        let sha256 = file.seal()?;
        let proofs = proof.prover.finish()?;
        proof::finish(&mut proof.file, &proofs)?;
        proof.file.seal()?;
        let manifest = serde_json::to_value(Manifest {
            file: &name_of(output),
            sha256: &sha256,
            rows,
            unused: session.unused().to_vec(),
            left_out: session.left_out().iter().map(ToString::to_string).collect(),
            format: self.format.as_str(),
            profile: self.profile.as_str(),
            masked: tally.counts(),
            review: review.as_ref().map(|_| name_of(&review_path)),
            cells_cut: cut,
            protected_left_out: left_out,
            reviewed: self.reviewed.map(|(_, approved)| Reviewed { approved, sections }),
            columns: self.shape.names(),
            headings: self.shape.headings.as_str(),
            query: serde_json::to_value(session.query())?,
            purpose: &session.access().purpose,
            decision: &session.access().decision,
            request: &session.access().request,
            exported_at: local(session.access().time, zone),
            exported_by: &session.access().reader,
            access: session.number(),
            proof: name_of(&beside(output, PROOF)),
            public_key: heads::verifier(self.directory).map(|key| key.to_string()).unwrap_or_default(),
            heads: proofs.iter().map(|proof| proof.head.as_ref().map(ToString::to_string)).collect(),
            unproved: proofs.iter().map(|proof| proof.uncovered).sum(),
            organisation: &config.organisation.name,
            node: &config.server.node,
            config: &config.hash,
            postvakt: env!("CARGO_PKG_VERSION"),
        })?;
        let text = format!("{manifest:#}\n");
        manifest_file.write_all(text.as_bytes())?;
        session.made(Made { file: sha256, manifest: hex(&Sha256::digest(&text)), rows });
        manifest_file.seal()?;
        // The file comes last: where it is, its manifest, its proof and its review list are.
        manifest_file.publish()?;
        proof.file.publish()?;
        if let Some(review) = review {
            let mut review = review.finish()?;
            review.seal()?;
            review.publish()?;
        }
        file.publish()?;
        Ok(manifest)
    }

    /// Writes the records: masked, proved, and with what a person should look at.
    fn write_rows(
        &self,
        session: &mut Session,
        exporter: &mut Exporter<NewFile>,
        proof: &mut Proving,
        mut review: Option<&mut Csv<NewFile>>,
    ) -> io::Result<Written> {
        let mask = self.mask.clone().protecting(&self.protected);
        let (mut written, zone) = (Written::default(), &self.config.time_zone);
        let tracer = self.shape.has_deliveries().then(|| session.tracer()).transpose();
        let tracer = tracer.map_err(io::Error::other)?;
        let by_deliveries = session.query().status.is_some() || tracer.is_some();
        session.search(|mut found| {
            let mut leave_out = |mark: &Mark| {
                let review = review.as_mut();
                review.map_or(Ok(()), |review| review.row(&review_cells(&found, mark, self.config)))
            };
            if self.config.disclosure.leaves_out && mask.protects(&found.record) {
                written.left_out += 1;
                return leave_out(&Mark::left_out());
            }
            let chosen = self.chosen(&found)?;
            if let Some(chosen) = chosen.filter(|chosen| chosen.choice != Choice::Keep) {
                *written.sections.entry(chosen.section.clone()).or_default() += 1;
                if chosen.choice == Choice::LeaveOut {
                    return leave_out(&Mark::left_out_by(&chosen.section));
                }
            }
            written.rows += 1;
            if let Some(tracer) = &tracer {
                let trace = tracer.trace(&found.record).map_err(io::Error::other)?;
                found.told = trace.map(|trace| trace.summary());
            }
            let sealed = proof.prover.seal(&found.id).map_err(io::Error::other)?;
            let own =
                self.reviewed.zip(chosen).map(|((disclosure, _), chosen)| disclosure.mask(Some(chosen)));
            let mut marks = own.as_ref().unwrap_or(&mask).apply(&mut found);
            // What is not exported needs no look either.
            self.shape.narrow(&mut found.record);
            marks.retain(|mark| self.shape.has(mark.column));
            written.tally.add(&marks);
            if let Some(review) = &mut review {
                for mark in &marks {
                    review.row(&review_cells(&found, mark, self.config))?;
                }
            }
            let id = mask.id(&found.id);
            let (id, shape, evidence) = (id.as_deref(), &self.shape, proof.evidence);
            proof::add(&mut proof.file, sealed.as_ref(), &Given { found: &found, id, shape, evidence })?;
            exporter.add(&found, id, zone)
        })?;
        if by_deliveries {
            super::say_unread(session, zone).map_err(io::Error::other)?;
        }
        Ok(written)
    }

    /// What was chosen for a record, where somebody chooses. What nobody chose for is not disclosed.
    fn chosen(&self, found: &Found) -> io::Result<Option<&Chosen>> {
        let Some((disclosure, _)) = self.reviewed else { return Ok(None) };
        let chosen = disclosure.chosen(&found.id);
        let missing = || io::Error::other(format!("{}: nothing was chosen for this record", found.id));
        chosen.ok_or_else(missing).map(Some)
    }

    /// Begins the proof. What rules found is given along where nothing is masked at all.
    fn proof(&self, session: &Session, heading: &Heading<'_>) -> anyhow::Result<Proving> {
        let mut file = NewFile::create(&beside(&self.args.output, PROOF), self.args.force)?;
        proof::start(&mut file, self.format, heading, &self.config.time_zone)?;
        let prover = session.prover(&self.config.store.heads)?;
        let whole = self.shape.columns.len() == Shape::whole().columns.len();
        let evidence =
            self.profile == Profile::Internal && self.args.mask.is_empty() && whole && !session.is_veiled();
        Ok(Proving { file, prover, evidence })
    }

    fn heading(&self, session: &Session) -> Heading<'_> {
        let access = session.access();
        let mut about = vec![
            ("Urval", asked(session.query(), self.config)),
            ("Ändamål", access.purpose.clone()),
            ("Beslut", access.decision.clone()),
            ("Uttaget", made(access.time, &self.config.time_zone)),
            ("Av", access.reader.subject.clone()),
            ("Maskning", masking(self.profile, &self.args.mask)),
        ];
        for (name, value) in [("Egen begäran", &access.own_request), ("Begäran", &access.request)] {
            about.push((name, value.clone()));
        }
        if session.is_veiled() {
            about.push(("Personer", "pseudonymer för personer i organisationen".to_owned()));
        }
        about.retain(|(_, value)| !value.is_empty());
        let scratch = self.args.output.parent().filter(|parent| !parent.as_os_str().is_empty());
        Heading {
            organisation: &self.config.organisation.name,
            about,
            scratch: scratch.unwrap_or(Path::new(".")),
            shape: self.shape.clone(),
        }
    }
}

/// The profile of that name.
pub(super) fn profile_of(name: &str) -> anyhow::Result<Profile> {
    Profile::ALL.into_iter().find(|known| known.as_str() == name).context("an unknown profile")
}

/// Refuses what cannot be masked.
pub(super) fn check_mask(mask: &[String]) -> anyhow::Result<()> {
    for name in mask {
        if name != NUMBERS && !profile::columns().any(|column| column.name == name) {
            let all = profile::columns().map(|column| column.name).collect::<Vec<_>>().join(", ");
            bail!("--mask {name}: expected {NUMBERS}, or a column: {all}");
        }
    }
    Ok(())
}

/// The columns that are asked for.
fn shape(args: &Args) -> anyhow::Result<Shape> {
    let named = match (&*args.columns, args.short) {
        ([], false) => Ok(Shape::whole()),
        ([], true) => Shape::with(SHORT),
        (columns, _) => Shape::with(columns.iter().map(|name| name.trim())),
    };
    let shape = named.map_err(|name| {
        let derived = DERIVED.iter().map(|shown| shown.name());
        let all = Shape::everything().names().into_iter().chain(derived).collect::<Vec<_>>().join(", ");
        anyhow::anyhow!("--columns {name}: expected columns, each once: {all}")
    })?;
    let headings = Headings::parse(&args.headings);
    Ok(Shape { headings: headings.context("unknown headings")?, ..shape })
}

/// The columns of the list for review.
const REVIEW: [&str; 6] = ["record", "time", "column", "what", "masked", "text"];

fn review_cells(found: &Found, mark: &Mark, config: &Config) -> [String; 6] {
    [
        found.id.to_string(),
        local(found.record.time, &config.time_zone),
        mark.column.to_owned(),
        mark.what.clone(),
        if mark.masked { "yes" } else { "no" }.to_owned(),
        mark.text.clone(),
    ]
}

fn masking(profile: Profile, more: &[String]) -> String {
    let own = match profile {
        Profile::Internal => "",
        Profile::Disclose => "personnummer och ord enligt konfigurationen",
        Profile::Pseudonym => "pseudonymer i stället för adresser",
    };
    let parts: Vec<&str> =
        std::iter::once(own).chain(more.iter().map(String::as_str)).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { "ingen".to_owned() } else { parts.join(", ") }
}

/// A query in words.
pub(super) fn asked(query: &Query, config: &Config) -> String {
    let word = |name: &str| match name {
        "since" => "från",
        "until" => "till",
        "sender" => "avsändare",
        "recipient" => "mottagare",
        "subject" => "ämne",
        "attachment" => "bilaga",
        "verdict" => "utfall",
        "rule" => "regel",
        "record" => "post",
        "queue_id" => "kö-id",
        "message_id" => "Message-ID",
        "from" => "författare",
        "user" => "inloggad",
        "client" => "klient",
        "direction" => "riktning",
        "size_above" => "större än",
        "name" => "del av adress",
        "authentication" => "avsändarkontroll",
        "person" => "person",
        "status" => "leveransstatus",
        _ => "övrigt",
    };
    let Ok(Value::Object(parts)) = serde_json::to_value(query) else { return String::new() };
    let parts: Vec<String> = parts
        .iter()
        .map(|(name, value)| {
            let time = match name.as_str() {
                "since" => query.since,
                "until" => query.until,
                _ => None,
            };
            let shown = match (time, value) {
                (Some(time), _) => config.time_zone.to_datetime(time).strftime("%Y-%m-%d %H:%M").to_string(),
                (None, Value::String(text)) => text.clone(),
                (None, other) => other.to_string(),
            };
            format!("{} {shown}", word(name))
        })
        .collect();
    if parts.is_empty() { "hela loggen".to_owned() } else { parts.join("; ") }
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

//! `postvakt log subject-extract`: what the log has of one person, and when it was looked at; others are not named.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;
use serde_json::json;

use super::{Context, Reason, Table, period};
use crate::address::Address;
use crate::config::Config;
use crate::export::file::NewFile;
use crate::export::html::{self, made};
use crate::export::profile::MASKED;
use crate::export::{Heading, Line, local};
use crate::record::Record;
use crate::record::columns::LeafForm;
use crate::store::query::Query;
use crate::store::search::Found;
use crate::store::session::{Request, Session};

/// Whose records, and where to.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Address of the person; several, separated by commas, if they have aliases.
    #[arg(value_name = "ADDRESS", value_delimiter = ',', required = true)]
    addresses: Vec<String>,
    /// Start of the period.
    #[arg(long, value_name = "T")]
    since: Option<String>,
    /// End of the period. A date includes that whole day.
    #[arg(long, value_name = "T")]
    until: Option<String>,
    /// Write a page for the person to this file.
    #[arg(long, value_name = "F")]
    html: Option<PathBuf>,
    /// Replace the file if it exists.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    reason: Reason,
}

/// One time when records of the person were looked at; by whom is not said.
#[derive(Debug, Serialize)]
pub(super) struct Look {
    pub(super) time: String,
    pub(super) verb: String,
    pub(super) purpose: String,
    pub(super) decision: String,
}

/// Writes the extract.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let person = args.addresses.iter().map(|text| Address::parse(text).filter(|own| own.domain().is_some()));
    let person: Vec<Address> =
        person.collect::<Option<_>>().context("write whole addresses, such as anna@exempelby.se")?;
    let asked = period(args.since.as_deref(), args.until.as_deref(), context.config)?;
    let query = Query { person: person.clone(), ..asked };
    let more = json!({ "html": args.html.as_ref().map(|path| path.display().to_string()) });
    let request = Request::new("subject-extract", query, args.reason.stated()).with(more);
    let code = context.read(&request, |session, context| {
        let looks = looks(session, &person, context.config)?;
        let others = Others { person: &person, numbers: HashMap::new() };
        match &args.html {
            Some(path) => {
                let rows = page(session, path, args.force, &looks, others, context.config)?;
                writeln!(std::io::stderr(), "{}: {rows} records, {} accesses", path.display(), looks.len())?;
            }
            None => list(session, others, context)?,
        }
        if context.json {
            writeln!(context.out, "{}", json!({ "accesses": looks }))?;
        } else if args.html.is_none() {
            for look in &looks {
                let purpose = crate::export::visible(&look.purpose);
                writeln!(context.out, "{}  {:15}  {}  {purpose}", look.time, look.verb, look.decision)?;
            }
        }
        Ok(())
    });
    code.map(|(code, _)| code)
}

/// Prints the records.
fn list(session: &mut Session, mut others: Others<'_>, context: &mut Context<'_>) -> anyhow::Result<()> {
    let mut table = Table::new(&mut *context.out, context.terminal, context.terminal);
    session.search(|mut found| {
        others.mask(&mut found.record);
        show(&mut table, &found, context.config, context.json)
    })?;
    Ok(table.flush()?)
}

/// Writes them as a page. How many they are.
fn page(
    session: &mut Session,
    path: &Path,
    force: bool,
    looks: &[Look],
    mut others: Others<'_>,
    config: &Config,
) -> anyhow::Result<u64> {
    let heading = heading(session, others.person, config);
    let mut page = html::Writer::start(NewFile::create(path, force)?, &heading)?;
    let mut rows = 0;
    session.search(|mut found| {
        rows += 1;
        others.mask(&mut found.record);
        page.add(&Line::new(&found, &config.time_zone))
    })?;
    page.looks(looks.iter().map(|look| [&*look.time, &*look.verb, &*look.purpose, &*look.decision]))?;
    let mut file = page.finish()?;
    file.seal()?;
    file.publish()?;
    Ok(rows)
}

fn show<W: Write>(table: &mut Table<W>, found: &Found, config: &Config, json: bool) -> std::io::Result<()> {
    if json { table.json(&Line::new(found, &config.time_zone)) } else { table.add(found, &config.time_zone) }
}

fn heading<'a>(session: &Session, person: &[Address], config: &'a Config) -> Heading<'a> {
    let names: Vec<&str> = person.iter().map(Address::as_str).collect();
    let about = vec![
        ("Registerutdrag för", names.join(", ")),
        ("Beslut", session.access().decision.clone()),
        ("Uttaget", made(session.access().time, &config.time_zone)),
        ("Maskning", "andra personer än den utdraget gäller".to_owned()),
    ];
    Heading {
        organisation: &config.organisation.name,
        about,
        scratch: Path::new("."),
        form: LeafForm::NEWEST,
    }
}

/// The accesses that named the person or showed a record of theirs.
fn looks(session: &Session, person: &[Address], config: &Config) -> anyhow::Result<Vec<Look>> {
    let mut looks = Vec::new();
    for done in session.accesses(None, None)? {
        let shown = done.result.as_ref().is_some_and(|(rows, _)| *rows > 0);
        if !shown || !done.access.refused.is_empty() || !SHOWING.contains(&done.access.verb.as_str()) {
            continue;
        }
        if session.showed(&done, person) {
            looks.push(Look {
                time: local(done.access.time, &config.time_zone),
                verb: done.access.verb,
                purpose: done.access.purpose,
                decision: done.access.decision,
            });
        }
    }
    Ok(looks)
}

/// Accesses that show records with names in them.
const SHOWING: [&str; 3] = ["search", "export", "subject-extract"];

/// The others: the same one has the same number throughout the extract.
struct Others<'a> {
    person: &'a [Address],
    numbers: HashMap<Address, usize>,
}

impl Others<'_> {
    fn mask(&mut self, record: &mut Record) {
        let sent = self.is_own(&record.sender);
        record.sender = self.name(&record.sender);
        record.recipients = record.recipients.iter().map(|recipient| self.name(recipient)).collect();
        let authors: Vec<String> = record.header_from.split(", ").map(|author| self.name(author)).collect();
        record.header_from = authors.join(", ");
        if !self.is_own(&record.auth_user) && !record.auth_user.is_empty() {
            MASKED.clone_into(&mut record.auth_user);
        }
        // Where somebody else sent it, these tell of their machine.
        if !sent {
            for text in [&mut record.message_id, &mut record.client, &mut record.helo] {
                if !text.is_empty() {
                    MASKED.clone_into(text);
                }
            }
        }
    }

    fn is_own(&self, text: &str) -> bool {
        Address::parse(text).is_some_and(|address| self.person.contains(&address))
    }

    fn name(&mut self, text: &str) -> String {
        match Address::parse(text) {
            Some(address) if text != "<>" && !self.person.contains(&address) => {
                let next = self.numbers.len() + 1;
                format!("[annan {}]", self.numbers.entry(address).or_insert(next))
            }
            _ => text.to_owned(),
        }
    }
}

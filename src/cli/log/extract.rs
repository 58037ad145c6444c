//! `postvakt log subject-extract`: what the log has of one person, and when it was looked at; others are not named.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;

use super::{Context, Reason, Table, past};
use crate::address::Address;
use crate::config::Config;
use crate::export::Line;
use crate::export::file::NewFile;
use crate::report::extract::{Others, add_deliveries, deleted, looks, write_page};
use crate::store::query::{Party, Query};
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

/// Writes the extract.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let person = args.addresses.iter().map(|text| Address::parse(text).filter(|own| own.domain().is_some()));
    let person = person.map(|own| own.map(Party::Address));
    let person: Vec<Party> =
        person.collect::<Option<_>>().context("write whole addresses, such as anna@exempelby.se")?;
    let asked = past(args.since.as_deref(), args.until.as_deref(), context.config)?;
    let query = Query { person: person.clone(), ..asked };
    let more = json!({ "html": args.html.as_ref().map(|path| path.display().to_string()) });
    let request = Request::new("subject-extract", query, args.reason.stated()).with(more);
    let code = context.read(&request, |session, context| {
        let looks = looks(session, &person, &context.config.time_zone)?;
        let deleted = deleted(session, &context.config.time_zone)?;
        let others = Others::of(&person);
        match &args.html {
            Some(path) => {
                let mut file = NewFile::create(path, args.force)?;
                let rows = write_page(session, &mut file, &looks, deleted.as_ref(), others, context.config)?;
                file.seal()?;
                file.publish()?;
                writeln!(std::io::stderr(), "{}: {rows} records, {} accesses", path.display(), looks.len())?;
            }
            None => list(session, others, context)?,
        }
        if context.json {
            writeln!(
                context.out,
                "{}",
                json!({ "accesses": looks, "accesses_deleted_until": deleted.as_ref().map(|(until, _)| until) })
            )?;
        } else if args.html.is_none() {
            for look in &looks {
                let purpose = crate::export::visible(&look.purpose);
                writeln!(context.out, "{}  {:15}  {}  {purpose}", look.time, look.verb, look.decision)?;
            }
            if let Some((until, decision)) = &deleted {
                let decision = crate::export::visible(decision);
                writeln!(context.out, "accesses until {until} may have been deleted by {decision}")?;
            }
        }
        Ok(())
    });
    code.map(|(code, _)| code)
}

/// Prints the records.
fn list(session: &mut Session, mut others: Others<'_>, context: &mut Context<'_>) -> anyhow::Result<()> {
    let mut table = Table::new(&mut *context.out, context.terminal, context.terminal);
    let tracer = session.tracer()?;
    session.search(|mut found| {
        add_deliveries(&mut found, &tracer)?;
        others.mask(&mut found.record);
        show(&mut table, &found, context.config, context.json)
    })?;
    Ok(table.flush()?)
}

fn show<W: Write>(table: &mut Table<W>, found: &Found, config: &Config, json: bool) -> std::io::Result<()> {
    if json { table.json(&Line::told(found, &config.time_zone)) } else { table.add(found, &config.time_zone) }
}

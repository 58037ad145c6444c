//! Extracts: what the log has of one person, and when it was looked at; others are not named.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::address::Address;
use crate::config::Config;
use crate::export::html::{self, made};
use crate::export::profile::MASKED;
use crate::export::{Heading, Line, local};
use crate::record::Record;
use crate::record::columns::LeafForm;
use crate::store::access::AccessError;
use crate::store::session::Session;

/// One time when records of the person were looked at; by whom is not said.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of an access")]
pub struct Look {
    pub time: String,
    pub verb: String,
    pub purpose: String,
    pub decision: String,
}

/// The accesses that named the person or showed a record of theirs.
pub fn looks(session: &Session, person: &[Address], zone: &TimeZone) -> Result<Vec<Look>, AccessError> {
    let mut looks = Vec::new();
    for done in session.accesses(None, None)? {
        let shown = done.result.as_ref().is_some_and(|(rows, _)| *rows > 0);
        if !shown || !done.access.refused.is_empty() || !SHOWING.contains(&done.access.verb.as_str()) {
            continue;
        }
        if session.showed(&done, person) {
            looks.push(Look {
                time: local(done.access.time, zone),
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

/// Writes a page for the person. How many records it has.
pub fn write_page(
    session: &mut Session,
    out: &mut impl Write,
    looks: &[Look],
    mut others: Others<'_>,
    config: &Config,
) -> io::Result<u64> {
    let heading = heading(session, others.person, config);
    let mut page = html::Writer::start(out, &heading)?;
    let mut rows = 0;
    session.search(|mut found| {
        rows += 1;
        others.mask(&mut found.record);
        page.add(&Line::new(&found, &config.time_zone))
    })?;
    page.looks(looks.iter().map(|look| [&*look.time, &*look.verb, &*look.purpose, &*look.decision]))?;
    page.finish()?;
    Ok(rows)
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

/// The others: the same one has the same number throughout the extract.
#[derive(Debug)]
pub struct Others<'a> {
    person: &'a [Address],
    numbers: HashMap<Address, usize>,
}

impl<'a> Others<'a> {
    /// The others than this person.
    pub fn of(person: &'a [Address]) -> Self {
        Self { person, numbers: HashMap::new() }
    }

    /// Masks them in a record.
    pub fn mask(&mut self, record: &mut Record) {
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

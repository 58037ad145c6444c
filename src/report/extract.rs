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
use crate::export::shape::Shape;
use crate::export::{Heading, Line, local};
use crate::record::{Record, several};
use crate::store::access::{Access, AccessError, Done};
use crate::store::deliveries::trace::Tracer;
use crate::store::query::Party;
use crate::store::register::Register;
use crate::store::search::Found;
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

/// The accesses that named the person or showed a record of theirs. One that goes on, or was killed, may have shown it.
pub fn looks(session: &Session, person: &[Party], zone: &TimeZone) -> Result<Vec<Look>, AccessError> {
    let register = session.register()?;
    let mut looks = Vec::new();
    for done in session.accesses(None, None)? {
        if done.n != session.number() && showed(session, &done, person) {
            let (time, verb) = (local(done.access.time, zone), done.access.verb.clone());
            let (purpose, decision) = why(&done.access, person, &register);
            looks.push(Look { time, verb, purpose, decision });
        }
    }
    Ok(looks)
}

/// Up to when accesses are not told of any more, because their entries were deleted, and by which decision.
pub fn deleted(session: &Session, zone: &TimeZone) -> Result<Option<(String, String)>, AccessError> {
    Ok(session.accesses_deleted()?.map(|run| (local(run.until, zone), run.decision)))
}

/// Whether an access named the person or showed a record of theirs, as far as can be told.
pub fn showed(session: &Session, done: &Done, person: &[Party]) -> bool {
    let shown = done.result.as_ref().is_none_or(|(rows, _)| *rows > 0);
    shown && done.access.refused.is_empty() && done.names_people() && session.showed(done, person)
}

/// What for, and by which decision or request. Who else asked about their own mail is not told.
fn why(access: &Access, person: &[Party], register: &Register) -> (String, String) {
    let (mut purpose, mut reference) = (access.purpose.clone(), access.decision.clone());
    let basis = if !access.own_request.is_empty() {
        let own = person.iter().any(|own| own.has(&access.own_request));
        if own { "egen begäran" } else { "en annan persons egen begäran" }
    } else if !access.request.is_empty() {
        reference.clone_from(&access.request);
        "begäran om allmän handling"
    } else {
        register.purpose(&access.decision).unwrap_or_default()
    };
    if purpose.is_empty() {
        basis.clone_into(&mut purpose);
    } else if access.decision.is_empty() && !basis.is_empty() {
        purpose = format!("{basis}: {purpose}");
    }
    (purpose, reference)
}

/// Writes a page for the person. How many records it has.
pub fn write_page(
    session: &mut Session,
    out: &mut impl Write,
    looks: &[Look],
    deleted: Option<&(String, String)>,
    mut others: Others<'_>,
    config: &Config,
) -> io::Result<u64> {
    let heading = heading(session, deleted, others.person, config);
    let mut page = html::Writer::start(out, &heading)?;
    let mut rows = 0;
    let tracer = session.tracer().map_err(io::Error::other)?;
    session.search(|mut found| {
        rows += 1;
        add_deliveries(&mut found, &tracer)?;
        others.mask(&mut found.record);
        page.add(&Line::told(&found, &config.time_zone))
    })?;
    page.looks(looks.iter().map(|look| [&*look.time, &*look.verb, &*look.purpose, &*look.decision]))?;
    page.finish()?;
    Ok(rows)
}

/// What became of the mail, according to Postfix: counts, which name nobody.
pub fn add_deliveries(found: &mut Found, tracer: &Tracer) -> io::Result<()> {
    let trace = tracer.trace(&found.record).map_err(io::Error::other)?;
    found.told = trace.map(|trace| trace.summary());
    Ok(())
}

fn heading<'a>(
    session: &Session,
    deleted: Option<&(String, String)>,
    person: &[Party],
    config: &'a Config,
) -> Heading<'a> {
    let names: Vec<String> = person.iter().map(ToString::to_string).collect();
    let mut about = vec![
        ("Registerutdrag för", names.join(", ")),
        ("Beslut", session.access().decision.clone()),
        ("Uttaget", made(session.access().time, &config.time_zone)),
        ("Maskning", "andra personer än den utdraget gäller".to_owned()),
    ];
    if let Some((until, decision)) = deleted {
        about.push((
            "Åtkomster",
            format!("uppgifter om åtkomster till och med {until} kan vara gallrade enligt {decision}"),
        ));
    }
    Heading { organisation: &config.organisation.name, about, scratch: Path::new("."), shape: Shape::told() }
}

/// The others: the same one has the same number throughout the extract.
#[derive(Debug)]
pub struct Others<'a> {
    person: &'a [Party],
    numbers: HashMap<Address, usize>,
}

impl<'a> Others<'a> {
    /// The others than this person.
    pub fn of(person: &'a [Party]) -> Self {
        Self { person, numbers: HashMap::new() }
    }

    /// Masks them in a record.
    pub fn mask(&mut self, record: &mut Record) {
        let sent = self.is_own(&record.sender);
        record.sender = self.name(&record.sender);
        record.recipients = record.recipients.iter().map(|recipient| self.name(recipient)).collect();
        let lists = [
            &mut record.header_from,
            &mut record.header_to,
            &mut record.header_cc,
            &mut record.header_reply_to,
        ];
        for list in lists {
            let names: Vec<String> = several(list).map(|one| self.name_or_text(one, sent)).collect();
            *list = names.join(", ");
        }
        if !self.is_own(&record.auth_user) && !record.auth_user.is_empty() {
            MASKED.clone_into(&mut record.auth_user);
        }
        record.receipt = self.receipts(&record.receipt, sent);
        // Where somebody else sent it, these tell of their machine.
        if !sent {
            let theirs =
                [&mut record.message_id, &mut record.client, &mut record.helo, &mut record.header_from_name];
            for text in theirs {
                if !text.is_empty() {
                    MASKED.clone_into(text);
                }
            }
        }
    }

    /// What became of receipts: whose mailbox it is, and the reference that the sender got, are the sender's alone.
    fn receipts(&mut self, receipts: &str, sent: bool) -> String {
        let parts = receipts.split("; ").filter_map(|part| part.split_once('='));
        let shown = parts.map(|(mailbox, outcome)| {
            let word = outcome.split(' ').next().unwrap_or_default();
            format!("{}={}", self.name(mailbox), if sent { outcome } else { word })
        });
        shown.collect::<Vec<_>>().join("; ")
    }

    fn is_own(&self, text: &str) -> bool {
        self.person.iter().any(|own| own.has(text))
    }

    /// What a header field has of one: where that is no address, it names its author, or somebody else.
    fn name_or_text(&mut self, text: &str, sent: bool) -> String {
        let is_address = text.is_empty() || text == "<>" || Address::parse(text).is_some();
        if is_address || sent { self.name(text) } else { MASKED.to_owned() }
    }

    fn name(&mut self, text: &str) -> String {
        match Address::parse(text) {
            Some(address) if text != "<>" && !self.is_own(text) => {
                let next = self.numbers.len() + 1;
                format!("[annan {}]", self.numbers.entry(address).or_insert(next))
            }
            _ => text.to_owned(),
        }
    }
}

//! The config of the log's records: tree heads, retention and minimising.

#![deny(clippy::disallowed_methods)]

use super::authorities::refuse_twice;
use super::header_fields::HeaderField;
use super::minimise::{Covered, Minimise};
use super::{Access, HeadMail, Heads, Retention};
use crate::address::{Address, Domain};
use crate::limits;
use crate::notice::NoticeSettings;
use crate::organisation::Organisation;
use crate::settings::lists::{GROUP, group_name};
use crate::settings::problem::Fault;
use crate::settings::{Settings, Value, parse};

/// `[store.heads]`.
pub(super) fn heads(
    section: &mut Settings<'_>,
    sends: bool,
    notices: Option<(&NoticeSettings, &Organisation)>,
) -> Option<Heads> {
    let every = section.optional("every", |value| {
        let every = parse::duration_up_to(limits::HEADS_LONGEST)(value)?;
        if every >= limits::HEADS_LOOK {
            return Ok(every);
        }
        Err(Fault::new("is shorter than a minute", "write every = \"5 min\""))
    });
    let file = section.optional("file", parse::absolute);
    let syslog = section.optional("syslog", parse::absolute);
    let to = section.optional("mail", |value| {
        if sends {
            return parse::address(value);
        }
        Err(Fault::new("requires [smtp]", "add [smtp] with submit"))
    });
    let (addressed, named) = (section.names("mail"), section.names("mail_every"));
    let mail_every = section.optional("mail_every", |value| {
        let every = parse::duration_up_to(limits::HEADS_MAIL_LONGEST)(value)?;
        if addressed || !named {
            return Ok(every);
        }
        Err(Fault::new("requires mail", "add mail = \"arkiv@exempelby.se\""))
    });
    let mail = to.zip(mail_every).zip(notices).map(|((to, every), (notices, organisation))| HeadMail {
        to,
        every,
        notices: notices.clone(),
        organisation: organisation.name.clone(),
    });
    let key = section.optional("key", parse::absolute);
    Some(Heads { every: every?, file, syslog, mail, key })
}

/// `[[store.retention]]`, behind the periods of `[[authorities]]`.
pub(super) fn periods(section: &mut Settings<'_>, of_authorities: Vec<Retention>) -> Vec<Retention> {
    let mut all = of_authorities;
    let count = all.len();
    for value in section.list("retention").unwrap_or_default() {
        let own = all.get(..count).unwrap_or_default();
        let period = section.nested("retention", value, |section| period(section, own)).flatten();
        all.extend(period);
    }
    all
}

fn period(section: &mut Settings<'_>, of_authorities: &[Retention]) -> Option<Retention> {
    let text = |value: &Value| parse::text(value).map(str::to_owned);
    let authority = section.required("authority", "write authority = \"Socialnämnden\"", text);
    if let (Some(authority), Some(value)) = (&authority, section.value("authority")) {
        refuse_twice(section, authority, value.at, of_authorities);
    }
    let mailboxes = mailboxes(section);
    let keep =
        section.required("keep", "write keep = \"365 d\"", parse::duration_up_to(limits::RETENTION_LONGEST));
    let decision = section.required("decision", "write decision = \"KS 2026/45\"", text);
    Some(Retention { authority: authority?, mailboxes: mailboxes?, keep: keep?, decision: decision? })
}

/// `[store.access_retention]`. An extract tells who read a record for as long as that is kept, so entries are kept no
/// shorter than any record.
pub(super) fn access_period(section: &mut Settings<'_>, records: &[Retention]) -> Option<Retention> {
    let text = |value: &Value| parse::text(value).map(str::to_owned);
    let authority = section.required("authority", "write authority = \"Kommunstyrelsen\"", text);
    let longest = records.iter().max_by_key(|period| period.keep);
    let keep = section.required("keep", "write keep = \"3 y\"", |value| {
        let keep = parse::duration_up_to(limits::RETENTION_LONGEST)(value)?;
        match longest.filter(|longest| keep < longest.keep) {
            None => Ok(keep),
            Some(longest) => Err(Fault::new(
                format!("is shorter than the records of {} are kept", parse::shown(&longest.authority)),
                format!("write at least \"{} d\"", longest.keep.as_secs().div_ceil(86_400)),
            )),
        }
    });
    let decision = section.required("decision", "write decision = \"KS 2026/46\"", text);
    Some(Retention { authority: authority?, mailboxes: Vec::new(), keep: keep?, decision: decision? })
}

/// `[store.access]`.
pub(super) fn access(section: &mut Settings<'_>) -> Option<Access> {
    let purposes = section.list("purposes").unwrap_or_default();
    let purpose = |value: &Value| {
        let given = parse::text(value)?.trim();
        if is_purpose(given) {
            return Ok(given.to_owned());
        }
        Err(Fault::new(format!("{} says too little", parse::shown(given)), "write what the log is read for"))
    };
    let purposes =
        purposes.iter().filter_map(|value| section.accept("purposes", value.at, purpose(value))).collect();
    let functions = section.list("function_mailboxes").unwrap_or_default();
    let function = |value: &Value| match group_name(value) {
        Some(name) => section.mailboxes_of_group(name),
        None => parse::address(value).map(|address| vec![address]),
    };
    let functions: Vec<Vec<Address>> = functions
        .iter()
        .filter_map(|value| section.accept("function_mailboxes", value.at, function(value)))
        .collect();
    let functions = functions.into_iter().flatten().collect();
    let days = section.optional("operation_days", parse::number(1, limits::OPERATION_DAYS_MOST));
    let rows = section.optional("operation_rows", parse::number(1, limits::OPERATION_ROWS_MOST));
    let four_eyes = section.optional("four_eyes", parse::flag);
    Some(Access { purposes, functions, days: days?, rows: rows?, four_eyes: four_eyes? })
}

/// Whether the text can say what the log is read for: `.` and `x` cannot.
pub fn is_purpose(text: &str) -> bool {
    text.chars().filter(|c| c.is_alphabetic()).count() >= limits::PURPOSE_LETTERS
}

/// `[store.minimise]`.
pub(super) fn minimise(section: &mut Settings<'_>) -> Option<Minimise> {
    let mailboxes = mailboxes(section);
    let hash = section.optional("keep", |value| match parse::text(value)? {
        "nothing" => Ok(false),
        "hash" => Ok(true),
        other => {
            Err(Fault::new(format!("invalid value {}", parse::shown(other)), "write \"nothing\" or \"hash\""))
        }
    });
    Some(Minimise { mailboxes: mailboxes?, hash: hash? })
}

/// `None` where one of them is wrong: a setting that is about fewer mailboxes than were named is worse than none.
fn mailboxes(section: &mut Settings<'_>) -> Option<Vec<Covered>> {
    let mut all = Some(Vec::new());
    for value in section.required_list("mailboxes", "write mailboxes = [\"@socialen.exempelby.se\"]")? {
        let covered = section.accept("mailboxes", value.at, covered(section, value));
        all = all.zip(covered).map(|(mut all, covered)| {
            all.push(covered);
            all
        });
    }
    all
}

/// What is kept of the header.
pub(super) fn header_fields(section: &mut Settings<'_>) -> Vec<HeaderField> {
    let given = section.list("header_fields").unwrap_or_default();
    let one = |value: &Value| {
        let word = parse::text(value)?;
        let known = HeaderField::parse(word);
        known.ok_or_else(|| {
            let all = HeaderField::ALL.map(|field| format!("\"{}\"", field.as_str())).join(", ");
            Fault::new(format!("invalid value {}", parse::shown(word)), format!("write some of {all}"))
        })
    };
    given.iter().filter_map(|value| section.accept("header_fields", value.at, one(value))).collect()
}

/// Mailboxes whose mail is disclosed without names.
pub(super) fn protected(section: &mut Settings<'_>) -> Vec<Covered> {
    let given = section.list("mailboxes").unwrap_or_default();
    let one = |value: &Value| match covered(section, value)? {
        Covered::Everybody => {
            Err(Fault::new("\"*\" would mask every row".to_owned(), "write addresses, or @domains"))
        }
        some => Ok(some),
    };
    given.iter().filter_map(|value| section.accept("mailboxes", value.at, one(value))).collect()
}

fn covered(section: &Settings<'_>, value: &Value) -> Result<Covered, Fault> {
    let given = parse::text(value)?;
    if let Some(name) = given.strip_prefix(GROUP) {
        return section.fixed_group(name.trim()).map(|(list, own)| Covered::Group(list, own));
    }
    match given.strip_prefix('@') {
        _ if given == "*" => Ok(Covered::Everybody),
        Some(domain) if parse::is_domain(Domain::new(domain).as_str()) => {
            Ok(Covered::Domain(Domain::new(domain)))
        }
        Some(_) => {
            Err(Fault::new(format!("{} is not a domain", parse::shown(given)), "write it as @exempelby.se"))
        }
        None => parse::address_beside_domain(value).map(Covered::Address),
    }
}

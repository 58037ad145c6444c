//! `[smtp]` and `[notices]`: where notices of our own are handed over, and how they are written.

#![deny(clippy::disallowed_methods)]

use jiff::tz::TimeZone;

use super::Smtp;
use crate::address::{Address, DomainPattern};
use crate::limits;
use crate::notice::NoticeSettings;
use crate::organisation::Organisation;
use crate::settings::problem::Fault;
use crate::settings::{Settings, parse};
use crate::templates::{Occasion, Template, Texts};

/// `[smtp]`.
pub(super) fn smtp(section: &mut Settings<'_>) -> Option<Smtp> {
    let mut at = 0;
    let submit =
        section.required("submit", "write submit = \"127.0.0.1:10026\", or remove [smtp]", |value| {
            at = value.at;
            let address = parse::socket(value, "127.0.0.1:10026")?;
            if address.ip().to_canonical().is_loopback() && address.port() != 0 {
                return Ok(address);
            }
            let problem = format!("{address} is not a loopback address with a port");
            Err(Fault::new(problem, "write submit = \"127.0.0.1:10026\" and let the local MTA deliver"))
        });
    if let Some(port) = submit.map(|submit| submit.port()).filter(|port| [25, 465, 587].contains(port)) {
        let problem = format!(
            "port {port} is where Postfix takes mail to be filtered, so receipts and notices would be filtered too"
        );
        let right = "write submit = \"127.0.0.1:10026\", a port of its own without milters, which `postvakt \
                     postfix-setup` adds";
        section.warn("submit", at, Fault::new(problem, right));
    }
    let retry = section.optional("retry", parse::duration_up_to(limits::COURIER_PAUSE));
    let max_age = section.optional("max_age", parse::duration_up_to(limits::OUTBOX_AGE));
    let timeout = section.optional("timeout", parse::duration_up_to(limits::COURIER_TIME));
    Some(Smtp { submit: submit?, retry: retry?, max_age: max_age?, timeout: timeout? })
}

/// `[notices]`, and what else all notices have in common; `None` where nothing is sent.
pub(super) fn notice_settings(
    root: &mut Settings<'_>,
    smtp: Option<&Smtp>,
    organisation: Option<&Organisation>,
    time_zone: Option<&TimeZone>,
) -> Option<NoticeSettings> {
    let sends = root.names("smtp");
    let (from, texts) =
        root.table("notices", |section| notices(section, organisation, sends)).unwrap_or_default();
    let notices_from = from.or_else(|| postmaster(organisation?))?;
    let (time_zone, max_age) = (time_zone?.clone(), smtp?.max_age);
    Some(NoticeSettings { notices_from, texts, time_zone, max_age, authorities: Vec::new() })
}

/// In whose name, and in which words; of the organisation, or of an authority.
pub(super) fn notices(
    section: &mut Settings<'_>,
    organisation: Option<&Organisation>,
    sends: bool,
) -> (Option<Address>, Texts) {
    if !sends {
        let right = "add [smtp] with submit, or remove [notices]";
        section.wrong_here(Fault::new("requires [smtp]", right));
    }
    let from = section.optional("from", |value| {
        let address = parse::address(value)?;
        match organisation {
            Some(organisation) if !organisation.keeps(&address) => Err(Fault::new(
                format!("{address} is outside, and notices speak for the organisation"),
                "write an address in one of organisation.domains",
            )),
            Some(_) | None => Ok(address),
        }
    });
    let mut texts = Texts::default();
    section.table("templates", |section| {
        for occasion in Occasion::NOTICES {
            if let Some(template) = section.file(occasion.as_str(), |file| Template::parse(occasion, file)) {
                texts.set(template);
            }
        }
    });
    (from, texts)
}

/// Every domain has one (RFC 5321 §4.5.1).
fn postmaster(organisation: &Organisation) -> Option<Address> {
    let (DomainPattern::Exact(domain) | DomainPattern::Below(domain)) = organisation.domains.first()?;
    Some(Address::from_parts("postmaster", domain))
}

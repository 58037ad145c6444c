//! What follows from a custom rule, as its section says it.

#![deny(clippy::disallowed_methods)]

use super::context::{RuleContext, inside, mailboxes, tag, too_many};
use super::told::told;
use crate::policy::{Actions, ContentAction, ContentPolicy, Wording};
use crate::settings::problem::Fault;
use crate::settings::{Entry, Settings, Value, parse};
use crate::{limits, reply};

/// Fields that are no part of what a sender wrote: mail servers and authentication made them.
const TRACE: [&str; 9] = [
    "received",
    "return-path",
    "delivered-to",
    "x-original-to",
    "authentication-results",
    "received-spf",
    "dkim-signature",
    "domainkey-signature",
    "auto-submitted",
];
/// Fields that say who wrote what to whom, and when.
const ORIGIN: [&str; 9] =
    ["from", "sender", "date", "message-id", "to", "cc", "bcc", "in-reply-to", "references"];
/// Standard fields that a gateway may add: they say how a mail is to be treated.
const TREATMENT: [&str; 6] = ["importance", "priority", "sensitivity", "precedence", "comments", "keywords"];

/// The policy in the section.
pub(super) fn policy(section: &mut Settings<'_>, ground: RuleContext<'_>) -> Option<Actions> {
    let action = section.optional("action", parse::one_of(&ContentAction::ALL, ContentAction::as_str));
    let suspicious = section.optional("suspicious", parse::flag);
    let subject_tag = section.optional("subject_tag", tag);
    let add_header = section.table("add_header", added).unwrap_or_default();
    let remove_header = removed(section);
    let reroute_to = section.optional("reroute_to", |value| inside(value, ground, STAYS));
    let bcc = copies(section, ground);
    let message = section.table("message", wording).flatten();
    let notify = told(section, ground).unwrap_or_default();
    if action == Some(ContentAction::Reject) {
        for key in ["subject_tag", "add_header", "remove_header", "reroute_to", "bcc"] {
            if let Some(value) = section.value(key) {
                let right = "remove the key, or write action = \"hold\"";
                section.wrong(key, value.at, Fault::new("has no effect on a mail that is rejected", right));
            }
        }
    }
    Some(Actions::Content(ContentPolicy {
        action: action?,
        suspicious: suspicious?,
        subject_tag,
        add_header,
        remove_header,
        reroute_to,
        bcc,
        message,
        notify,
    }))
}

const STAYS: &str = "a rule must not send mail out of the organisation";

fn copies(section: &mut Settings<'_>, ground: RuleContext<'_>) -> Vec<crate::address::Address> {
    let Some(value) = section.value("bcc") else { return Vec::new() };
    let values = value.one_or_more();
    if values.is_empty() || values.len() > limits::RULE_CHANGES {
        let problem = format!("has {} mailboxes, but must have 1 to {}", values.len(), limits::RULE_CHANGES);
        section.wrong("bcc", value.at, Fault::new(problem, "write bcc = [\"arkiv@exempelby.se\"]"));
    }
    let one = |value: &Value| section.accept("bcc", value.at, mailboxes(section, value, ground, STAYS));
    let all: Vec<_> = values.iter().filter_map(one).flatten().collect();
    if all.len() > limits::RULE_CHANGES && values.len() <= limits::RULE_CHANGES {
        section.wrong("bcc", value.at, too_many(all.len(), limits::RULE_CHANGES));
    }
    all
}

fn wording(section: &mut Settings<'_>) -> Option<Wording> {
    let sv = section.required("sv", "write sv = \"Programfiler tas inte emot.\"", words);
    let en = section.required("en", "write en = \"Programs are not accepted.\"", words);
    let status = section.optional("status", status);
    Some(Wording { sv: sv?, en: en?, status: status? })
}

/// Words that an SMTP reply can have.
fn words(value: &Value) -> Result<String, Fault> {
    let given = parse::text(value)?.trim();
    if let Some(c) = reply::unwritable(given) {
        let problem = format!("{} has {c:?}, which an SMTP reply cannot have", parse::shown(given));
        return Err(Fault::new(
            problem,
            "write letters, digits and ASCII punctuation; å, ä and ö become a, a and o",
        ));
    }
    if given.len() > limits::RULE_MESSAGE_OCTETS {
        let most = limits::RULE_MESSAGE_OCTETS;
        let problem = format!("has {} bytes, more than the {most} that fit in a rejection", given.len());
        return Err(Fault::new(problem, "write one or two sentences"));
    }
    Ok(given.to_owned())
}

/// `5.7.1`, without the 5.
fn status(value: &Value) -> Result<(u8, u8), Fault> {
    let given = parse::text(value)?;
    let numbers: Vec<Option<u8>> = given.split('.').map(|number| number.parse().ok()).collect();
    // RFC 3463 §3: subjects 0 to 7.
    if let [Some(5), Some(subject @ 0..=7), Some(detail)] = numbers[..] {
        return Ok((subject, detail));
    }
    let problem = format!("{} is not the enhanced status code of a rejection", parse::shown(given));
    Err(Fault::new(problem, "write \"5.7.1\", or another code 5.x.y of RFC 3463"))
}

fn added(section: &mut Settings<'_>) -> Vec<(String, String)> {
    let entries = section.entries();
    count(section, entries.len(), "write add_header = { \"X-Exempelby-Kontroll\" = \"ja\" }");
    let field = |entry: &Entry| {
        let key = parse::shown_key(&entry.key);
        section.accept(&key, entry.at, addable(&entry.key))?;
        let value = section.accept(&key, entry.value.at, field_value(&entry.value))?;
        Some((entry.key.clone(), value))
    };
    entries.iter().filter_map(field).collect()
}

fn removed(section: &mut Settings<'_>) -> Vec<String> {
    let Some(value) = section.value("remove_header") else { return Vec::new() };
    let values = value.one_or_more();
    if values.is_empty() || values.len() > limits::RULE_CHANGES {
        let problem = format!("has {} fields, but must have 1 to {}", values.len(), limits::RULE_CHANGES);
        section.wrong("remove_header", value.at, Fault::new(problem, "write remove_header = [\"X-Mailer\"]"));
    }
    let name = |value: &Value| {
        let name = parse::text(value)?;
        changeable(name)?;
        Ok(name.to_owned())
    };
    values.iter().filter_map(|value| section.accept("remove_header", value.at, name(value))).collect()
}

fn count(section: &Settings<'_>, count: usize, right: &str) {
    if count == 0 || count > limits::RULE_CHANGES {
        let problem = format!("has {count} fields, but must have 1 to {}", limits::RULE_CHANGES);
        section.wrong_here(Fault::new(problem, right));
    }
}

/// One line of printable ASCII.
fn field_value(value: &Value) -> Result<String, Fault> {
    let given = parse::text(value)?;
    if !given.is_ascii() {
        let problem = format!("{} is not ASCII, and header fields are", parse::shown(given));
        return Err(Fault::new(problem, "write it without å, ä, ö and other such letters"));
    }
    if given.len() > limits::HEADER_VALUE_OCTETS {
        let most = limits::HEADER_VALUE_OCTETS;
        return Err(Fault::new(format!("has {} bytes, more than {most}", given.len()), "write less"));
    }
    Ok(given.to_owned())
}

/// Whether a rule may add a field of this name.
fn addable(name: &str) -> Result<(), Fault> {
    changeable(name)?;
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("x-") || TREATMENT.contains(&&*lower) {
        return Ok(());
    }
    let problem = "is a standard field, and the mail would say what its sender did not write";
    Err(Fault::new(problem, format!("write a field of your own, X-…, or one of: {}", TREATMENT.join(", "))))
}

/// Whether a rule may change the fields of this name at all.
fn changeable(name: &str) -> Result<(), Fault> {
    let shown = parse::shown(name);
    // RFC 5322 §2.2: printable ASCII but the colon.
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic() && b != b':') {
        let problem = format!("{shown} is not a valid header field name");
        return Err(Fault::new(problem, "write it without colon and spaces, such as \"X-Mailer\""));
    }
    let lower = name.to_ascii_lowercase();
    let wrong = |what: &str, right: &str| Err(Fault::new(format!("{shown} {what}"), right));
    let own = "choose another field";
    match &*lower {
        _ if lower.starts_with("x-postvakt-") => wrong("is a field of Postvakt itself", own),
        _ if lower == "x-spam" || lower.starts_with("x-spam-") || lower.starts_with("x-spamd-") => {
            wrong("is what spam filters write", "use [rules.spam], or a field of your own")
        }
        _ if TRACE.contains(&&*lower) || lower.starts_with("arc-") || lower.starts_with("resent-") => {
            wrong("is a trace of the mail's way, which must not be forged", own)
        }
        "subject" => wrong("is what people read", "write subject_tag to put a text before it"),
        _ if ORIGIN.contains(&&*lower) => wrong("says who wrote what to whom, which must not be forged", own),
        _ if lower.starts_with("content-") || lower == "mime-version" => {
            wrong("says how the body is to be read", own)
        }
        _ => Ok(()),
    }
}

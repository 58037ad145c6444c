//! The config file as it is written: bytes to text, text to tables. The only file that names `toml`.

#![deny(clippy::disallowed_methods)]

use std::fmt::Write as _;
use std::ops::Range;

use jiff::civil::Date;
use sha2::{Digest as _, Sha256};
use toml::de::{DeTable, DeValue, Error};

use super::Problems;
use crate::settings::problem::{Fault, Report};
use crate::settings::{Entry, Kind, Table, Value};

/// The text of the file, without the byte order mark that some editors put before it.
pub fn decode<'a>(bytes: &'a [u8], file: &str) -> Result<&'a str, Problems> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    let (valid, rest) = bytes.split_at_checked(error.valid_up_to()).unwrap_or_default();
    let report_text = std::str::from_utf8(valid).unwrap_or_default();
    let byte = rest.first().copied().unwrap_or_default();
    let report = Report::new(file, report_text);
    let fault = Fault::new(
        format!("octet 0x{byte:02X} is not UTF-8"),
        "save the file in UTF-8, not in Latin-1 or UTF-16",
    );
    report.syntax(report_text.len(), fault);
    Err(report.finish().err().unwrap_or_else(|| unexplained(file)))
}

/// The tables in the text, and a report that has what is not TOML.
pub fn parse<'a>(text: &'a str, file: &'a str) -> (Table, Report<'a>) {
    let report = Report::new(file, text);
    let (document, mut errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return (table(document.get_ref(), 0), report);
    }
    errors.sort_by_key(|error| start(error, text));
    // After something that was never closed the rest of the file is read as part of it: one message says enough,
    // and what the tables hold is not what was meant.
    let unclosed = errors.iter().any(|error| is_unclosed(error.message()));
    if unclosed {
        let first_follower = errors.iter().position(|error| error.message().contains("array"));
        errors.truncate(first_follower.map_or(errors.len(), |at| at + 1));
    }
    let mut last_line = 0;
    for error in &errors {
        let at = start(error, text);
        let line = report.line(at);
        if line != last_line {
            report.syntax(at, fault(error.message(), text.get(at..).unwrap_or_default()));
            last_line = line;
        }
    }
    (if unclosed { Table::default() } else { table(document.get_ref(), 0) }, report)
}

/// The first 16 hex digits of the SHA-256 of the file.
pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).fold(String::with_capacity(16), |mut out, byte| {
        // Writing into a String does not fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// A part of the config is missing and no problem was reported: a fault of this program.
pub fn unexplained(file: &str) -> Problems {
    let fault =
        Fault::new("it could not be read, and postvakt does not know why", "report this fault of postvakt");
    Problems::of_file(file, fault)
}

fn start(error: &Error, text: &str) -> usize {
    error.span().map_or(text.len(), |Range { start, .. }| start)
}

fn is_unclosed(message: &str) -> bool {
    message.starts_with("unclosed") || message.starts_with("invalid multi-line")
}

/// What the parser says, in two parts. Its "string values must be quoted" is the usual cause of several others.
fn fault(message: &str, rest: &str) -> Fault {
    let (what, expected) = message.split_once(", expected ").unwrap_or((message, ""));
    let bare_word = rest.starts_with(|c: char| c.is_alphabetic() || c == '/');
    if bare_word
        && (what == "invalid float" || what == "invalid boolean" || what.starts_with("string values"))
    {
        return Fault::new("not TOML: text without quotes", "write text in quotes, as \"text\"");
    }
    let right = match expected {
        "" | "nothing" if what == "duplicate key" => "keep one of the two".to_owned(),
        "" | "nothing" => "see https://toml.io for how values are written".to_owned(),
        expected => format!("expected {expected}"),
    };
    Fault::new(format!("not TOML: {what}"), right)
}

fn table(from: &DeTable<'_>, at: usize) -> Table {
    let mut entries: Vec<Entry> = from
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            at: key.span().start,
            value: self::value(value.get_ref(), value.span().start),
        })
        .collect();
    entries.sort_by_key(|entry| entry.at);
    Table { at, entries }
}

fn value(from: &DeValue<'_>, at: usize) -> Value {
    let kind = match from {
        DeValue::String(text) => Kind::Text(text.to_string()),
        DeValue::Integer(_) | DeValue::Float(_) => Kind::Other("a number"),
        DeValue::Boolean(_) => Kind::Other("true or false"),
        DeValue::Datetime(when) => match (when.date, when.time) {
            (Some(date), None) => day(date).map_or(Kind::Other("a day that no calendar has"), Kind::Date),
            _ => Kind::Other("a time"),
        },
        DeValue::Array(items) => {
            Kind::List(items.iter().map(|item| value(item.get_ref(), item.span().start)).collect())
        }
        DeValue::Table(inner) => Kind::Table(table(inner, at)),
    };
    Value { at, kind }
}

fn day(date: toml::value::Date) -> Option<Date> {
    let (month, day) = (i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?);
    Date::new(i16::try_from(date.year).ok()?, month, day).ok()
}

//! The config file as it is written: bytes to text, text to tables. The only file that names `toml`.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::{ControlFlow, Range};

use jiff::civil::Date;
use sha2::{Digest as _, Sha256};
use toml::de::{DeTable, DeValue, Error};

use super::Problems;
use crate::limits;
use crate::settings::problem::Fault;
use crate::settings::source::Source;
use crate::settings::{Entry, Kind, Table, Value};

/// The text of a file, without the byte order mark that some editors put before it; or what of it is text, and what
/// is wrong behind that.
pub fn decode(bytes: &[u8]) -> Result<&str, (&str, Fault)> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    let (valid, rest) = bytes.split_at_checked(error.valid_up_to()).unwrap_or_default();
    let byte = rest.first().copied().unwrap_or_default();
    let fault = Fault::new(
        format!("byte 0x{byte:02X} is not UTF-8"),
        "save the file in UTF-8, not in Latin-1 or UTF-16",
    );
    Err((std::str::from_utf8(valid).unwrap_or_default(), fault))
}

/// What is not TOML, and where.
type Broken = Vec<(usize, Fault)>;

/// The tables in the source, whose first octet has the offset `begin`, and what is not TOML. No tables where nobody could
/// say which key belongs to which.
///
/// What follows a broken line is often lost to the parser. So such lines are taken out and the rest is parsed again,
/// until all that is left is TOML: all broken lines are found at once, and what stands on the others is still checked.
pub fn tables(source: &Source<'_>, begin: usize) -> (Option<Table>, Broken) {
    let mut said = Broken::new();
    let mut rest = Cow::Borrowed(&*source.text);
    let mut broken = BTreeSet::new();
    for _ in 0..limits::CONFIG_ROUNDS {
        let (document, mut errors) = DeTable::parse_recoverable(&rest);
        if errors.is_empty() {
            let headers_whole = broken.iter().all(|line| !may_be_header(source.line_text(*line)));
            return (headers_whole.then(|| table(document.get_ref(), begin, begin)), said);
        }
        errors.sort_by_key(|error| start(error, &source.text));
        let before = broken.len();
        if say(&errors, source, &mut broken, &mut said).is_break() || broken.len() == before {
            break;
        }
        rest = Cow::Owned(without(&broken, rest.into_owned(), source));
    }
    (None, said)
}

/// Says one error for each line. Breaks where something has no end: the rest of the file is then read as part of
/// it, and what the parser says of that is not what is wrong.
fn say(
    errors: &[Error],
    source: &Source<'_>,
    broken: &mut BTreeSet<usize>,
    said: &mut Broken,
) -> ControlFlow<()> {
    let text = &*source.text;
    let endless = |error: &Error| {
        error.message().starts_with("unclosed array") || error.message().starts_with("invalid multi-line")
    };
    let any_endless = errors.iter().any(endless);
    let lines = text.lines().count();
    for error in errors {
        let at = start(error, text);
        if any_endless && (endless(error) || error.message().contains("array")) {
            let right = "add `]` or the closing quotes";
            said.push((
                at,
                Fault::new("not TOML: a list or text that begins before this is not closed", right),
            ));
            return ControlFlow::Break(());
        }
        let line = source.line(at);
        if broken.insert(line) {
            if error.message().starts_with("duplicate key") {
                // Looking for the first one costs a walk through the file, and no more problems than these are shown.
                let fault = if broken.len() <= limits::CONFIG_PROBLEMS {
                    twice(line, source)
                } else {
                    Fault::new("not TOML: it is there twice", "keep one of the two")
                };
                said.push((at, fault));
                if is_header(source.line_text(line)) {
                    // Its keys would fall into the table above it.
                    broken.extend(body(line, lines, source));
                }
                continue;
            }
            let rest = text.get(at..source.line_range(line).end).unwrap_or_default();
            said.push((at, fault(error.message(), rest.trim())));
        }
    }
    ControlFlow::Continue(())
}

/// The text with spaces in place of those lines; every offset stays what it was.
fn without(broken: &BTreeSet<usize>, text: String, source: &Source<'_>) -> String {
    let mut bytes = text.into_bytes();
    for line in broken {
        if let Some(bytes) = bytes.get_mut(source.line_range(*line)) {
            bytes.fill(b' ');
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// What is said of a table or key that is there already, with the place of the first one.
fn twice(line: usize, source: &Source<'_>) -> Fault {
    let own = source.line_text(line);
    let (name, first) = if is_header(own) {
        let first = (1..line).find(|other| {
            is_header(source.line_text(*other)) && header(source.line_text(*other)) == header(own)
        });
        (format!("[{}]", header(own)), first)
    } else {
        let above = (1..line).rev().take_while(|other| !is_header(source.line_text(*other)));
        let first = above.filter(|other| key(source.line_text(*other)) == key(own)).last();
        (format!("`{}`", key(own)), first)
    };
    match first {
        Some(first) => Fault::new(format!("not TOML: {name} is also at line {first}"), "keep one of the two"),
        None => Fault::new(format!("not TOML: {name} is there twice"), "keep one of the two"),
    }
}

/// The lines below a header, up to the next one or the last.
fn body(line: usize, last: usize, source: &Source<'_>) -> impl Iterator<Item = usize> {
    (line + 1..=last).take_while(|other| !is_header(source.line_text(*other)))
}

fn is_header(line: &str) -> bool {
    line.trim_start().starts_with('[')
}

/// The name of a table, without brackets and what follows them.
fn header(line: &str) -> String {
    let name = line.split(']').next().unwrap_or_default();
    name.trim_matches(|c: char| c == '[' || c.is_whitespace()).to_owned()
}

fn key(line: &str) -> &str {
    line.split('=').next().unwrap_or_default().trim()
}

/// Whether the line looks like the header of a table, so that without it keys would stand in the wrong one.
fn may_be_header(line: &str) -> bool {
    let line = line.trim();
    line.starts_with('[') || (line.ends_with(']') && !line.contains('='))
}

/// The first 16 hex digits of the SHA-256 of the file, and of the files that it includes or names.
pub fn hash(bytes: &[u8], named: &[u8]) -> String {
    Sha256::new().chain_update(bytes).chain_update(named).finalize().iter().take(8).fold(
        String::with_capacity(16),
        |mut out, byte| {
            // Writing into a String does not fail.
            let _ = write!(out, "{byte:02x}");
            out
        },
    )
}

/// A part of the config is missing and no problem was reported: a fault of this program.
pub fn unexplained(file: &str) -> Problems {
    let fault = Fault::new("could not be read, for an unknown reason", "report this as a bug in postvakt");
    Problems::of_file(file, fault)
}

fn start(error: &Error, text: &str) -> usize {
    error.span().map_or(text.len(), |Range { start, .. }| start)
}

/// What the parser says, in two parts; `rest` is the line from there on.
fn fault(message: &str, rest: &str) -> Fault {
    let (what, expected) = message.split_once(", expected ").unwrap_or((message, ""));
    if ["invalid float", "invalid integer", "invalid boolean"].contains(&what)
        || what.starts_with("string values")
    {
        if rest.is_empty() {
            return Fault::new("not TOML: a key without a value", "write one after `=`");
        }
        // Its guess at what a bare word was meant to be.
        return Fault::new("not TOML: text without quotes", "write text in quotes, such as \"text\"");
    }
    if what.contains("recurs") {
        return Fault::new("not TOML: nested too deeply", "no setting needs more than four levels");
    }
    let right = match expected {
        "" | "nothing" if what == "duplicate key" => "keep one of the two".to_owned(),
        "" | "nothing" => "see https://toml.io for the syntax of values".to_owned(),
        expected => format!("expected {expected}"),
    };
    Fault::new(format!("not TOML: {what}"), right)
}

fn table(from: &DeTable<'_>, at: usize, begin: usize) -> Table {
    let mut entries: Vec<Entry> = from
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            at: begin + key.span().start,
            value: self::value(value.get_ref(), begin + value.span().start, begin),
        })
        .collect();
    entries.sort_by_key(|entry| entry.at);
    Table { at, entries }
}

fn value(from: &DeValue<'_>, at: usize, begin: usize) -> Value {
    let kind = match from {
        DeValue::String(text) => Kind::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Kind::Other("a number that is too large"), Kind::Number),
        DeValue::Float(_) => Kind::Other("a fraction"),
        DeValue::Boolean(flag) => Kind::Flag(*flag),
        DeValue::Datetime(when) => match (when.date, when.time) {
            (Some(date), None) => day(date).map_or(Kind::Other("an invalid date"), Kind::Date),
            _ => Kind::Other("a time"),
        },
        DeValue::Array(items) => Kind::List(
            items.iter().map(|item| value(item.get_ref(), begin + item.span().start, begin)).collect(),
        ),
        DeValue::Table(inner) => Kind::Table(table(inner, at, begin)),
    };
    Value { at, kind }
}

fn day(date: toml::value::Date) -> Option<Date> {
    let (month, day) = (i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?);
    Date::new(i16::try_from(date.year).ok()?, month, day).ok()
}

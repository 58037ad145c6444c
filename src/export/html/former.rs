//! The page as earlier versions wrote it: their exports are proved by being made again.

use std::io::{self, Write};

use crate::export::column::Shown;
use crate::export::labels::{direction, in_swedish, made, octets, verdict};
use crate::export::page::{self, Template};
use crate::export::{Line, local, utc};
use crate::mail::Direction;
use crate::record::columns::Value;

/// The columns that the line of a record has.
const HEAD: [&str; 7] = ["time", "direction", "sender", "recipients", "subject", "attachments", "verdict"];

/// What it looked like.
pub(super) const STYLE: &str = include_str!("../pages/former-log.css");

/// Adds a record.
pub(super) fn add(out: &mut impl Write, line: &Line<'_>) -> io::Result<()> {
    let record = &line.found.record;
    let outcome = record.outcome.as_str();
    let attachments = record.attachments.iter().map(|(name, size)| (name.as_str(), octets(*size)));
    let mut details = vec![("Post", line.id().into_owned()), ("UTC", utc(record.time))];
    // The first form had no column `authentication`, and no Swedish names.
    let swedish = line.shape.has("authentication");
    details.extend(line.shape.columns.iter().filter_map(|shown| match shown {
        Shown::Column(column) if !HEAD.contains(&column.name) => {
            let value = match column.value {
                Value::Size => octets(record.size),
                _ if ["findings", "would"].contains(&column.name) && swedish => {
                    in_swedish(&line.cell(*shown).text())
                }
                _ => line.cell(*shown).text().into_owned(),
            };
            Some((column.label, value))
        }
        _ => None,
    }));
    details.retain(|(_, value)| !value.is_empty());
    let fields = [
        ("time", local(record.time, line.zone).into()),
        ("day", made(record.time, line.zone).into()),
        ("direction", direction(record.direction.map(Direction::as_str)).into()),
        ("sender", record.sender.as_str().into()),
        ("recipients", page::list(record.recipients.iter().map(String::as_str))),
        ("subject", record.subject.as_str().into()),
        ("attachments", page::pairs(attachments)),
        ("outcome", outcome.into()),
        ("verdict", verdict(outcome).into()),
        ("details", page::pairs(details)),
    ];
    page::write(out, Template::FormerLogRow, fields)
}

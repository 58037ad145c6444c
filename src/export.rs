//! Export: records in the forms in which they leave the log. The columns and their order are a contract.

pub mod csv;
pub mod file;
pub mod html;
pub mod jsonl;
pub mod page;
pub mod profile;
pub mod proof;
pub mod xlsx;

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::store::search::Found;

/// The columns, in their order.
pub const COLUMNS: [&str; 22] = [
    "time",
    "time_utc",
    "record",
    "direction",
    "sender",
    "recipients",
    "header_from",
    "subject",
    "size",
    "attachments",
    "attachment_sizes",
    "verdict",
    "findings",
    "would",
    "queue_id",
    "message_id",
    "client",
    "helo",
    "auth_user",
    "tls",
    "config",
    "receipt",
];

/// The forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For Swedish Excel.
    Csv,
    /// A workbook.
    Xlsx,
    /// JSON Lines in the names of the Elastic Common Schema.
    Jsonl,
    /// A page to be read and printed.
    Html,
}

/// What a file says of itself, where its form lets it.
#[derive(Debug)]
pub struct Heading<'a> {
    /// Whose log it is.
    pub organisation: &'a str,
    /// What was asked, why, when and by whom, as people read it.
    pub about: Vec<(&'static str, String)>,
    /// Where parts of a file may be while it is made.
    pub scratch: &'a Path,
}

impl Format {
    /// All, as the command line names them.
    pub const ALL: [Self; 4] = [Self::Csv, Self::Xlsx, Self::Jsonl, Self::Html];

    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Jsonl => "jsonl",
            Self::Html => "html",
        }
    }

    /// Begins a file.
    pub fn start<W: Write + Send>(
        self,
        out: W,
        heading: &Heading<'_>,
        zone: &TimeZone,
    ) -> io::Result<Exporter<W>> {
        Ok(match self {
            Self::Csv => Exporter::Csv(Box::new(csv::Writer::start(out)?)),
            Self::Xlsx => Exporter::Xlsx(Box::new(xlsx::Writer::start(out, heading)?)),
            Self::Jsonl => Exporter::Jsonl(out),
            Self::Html => Exporter::Html(html::Writer::start(out, heading, zone)?),
        })
    }
}

/// A file that is being written.
pub enum Exporter<W: Write> {
    /// CSV.
    Csv(Box<csv::Writer<W>>),
    /// A workbook.
    Xlsx(Box<xlsx::Writer<W>>),
    /// JSON Lines.
    Jsonl(W),
    /// A page.
    Html(html::Writer<W>),
}

impl<W: Write + Send> Exporter<W> {
    /// Adds a record.
    pub fn add(&mut self, found: &Found, zone: &TimeZone) -> io::Result<()> {
        match self {
            Self::Csv(writer) => writer.add(&Line::new(found, zone)),
            Self::Xlsx(writer) => writer.add(&Line::new(found, zone)),
            Self::Jsonl(out) => writeln!(out, "{}", jsonl::event(found)),
            Self::Html(writer) => writer.add(found),
        }
    }

    /// Writes what is left and gives the output back, and how many cells the form has no room for.
    pub fn finish(self) -> io::Result<(W, u64)> {
        match self {
            Self::Csv(writer) => Ok((writer.finish()?, 0)),
            Self::Xlsx(writer) => writer.finish(),
            Self::Jsonl(mut out) => out.flush().map(|()| (out, 0)),
            Self::Html(writer) => Ok((writer.finish()?, 0)),
        }
    }
}

/// A record under the contract's names, in the contract's order: what `log search --json` prints.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of `record::Record`")]
pub struct Line<'a> {
    pub time: String,
    pub time_utc: String,
    pub record: String,
    pub direction: Option<&'static str>,
    pub sender: &'a str,
    pub recipients: &'a [String],
    pub header_from: &'a str,
    pub subject: &'a str,
    pub size: u64,
    pub attachments: Vec<&'a str>,
    pub attachment_sizes: Vec<u64>,
    pub verdict: &'static str,
    pub findings: &'a [String],
    pub would: &'a [String],
    pub queue_id: &'a str,
    pub message_id: &'a str,
    pub client: &'a str,
    pub helo: &'a str,
    pub auth_user: &'a str,
    pub tls: &'a str,
    pub config: &'a str,
    pub receipt: &'a str,
}

impl<'a> Line<'a> {
    /// The record with its times in the organisation's zone.
    pub fn new(found: &'a Found, zone: &TimeZone) -> Self {
        let record = &found.record;
        Self {
            time: local(record.time, zone),
            time_utc: utc(record.time),
            record: found.id.to_string(),
            direction: record.direction.map(crate::mail::Direction::as_str),
            sender: &record.sender,
            recipients: &record.recipients,
            header_from: &record.header_from,
            subject: &record.subject,
            size: record.size,
            attachments: record.attachments.iter().map(|(name, _)| name.as_str()).collect(),
            attachment_sizes: record.attachments.iter().map(|(_, size)| *size).collect(),
            verdict: record.outcome.as_str(),
            findings: &record.findings,
            would: &record.would,
            queue_id: &record.queue_id,
            message_id: &record.message_id,
            client: &record.client,
            helo: &record.helo,
            auth_user: &record.auth_user,
            tls: &record.tls,
            config: &record.config,
            receipt: &record.receipt,
        }
    }

    /// The cells of [`COLUMNS`]; lists with `; ` between their items.
    pub fn cells(&self) -> [Cow<'_, str>; 22] {
        let sizes: Vec<String> = self.attachment_sizes.iter().map(ToString::to_string).collect();
        [
            Cow::from(&self.time),
            Cow::from(&self.time_utc),
            Cow::from(&self.record),
            Cow::from(self.direction.unwrap_or_default()),
            Cow::from(self.sender),
            Cow::from(self.recipients.join("; ")),
            Cow::from(self.header_from),
            Cow::from(self.subject),
            Cow::from(self.size.to_string()),
            Cow::from(self.attachments.join("; ")),
            Cow::from(sizes.join("; ")),
            Cow::from(self.verdict),
            Cow::from(self.findings.join("; ")),
            Cow::from(self.would.join("; ")),
            Cow::from(self.queue_id),
            Cow::from(self.message_id),
            Cow::from(self.client),
            Cow::from(self.helo),
            Cow::from(self.auth_user),
            Cow::from(self.tls),
            Cow::from(self.config),
            Cow::from(self.receipt),
        ]
    }
}

/// RFC 3339 in the organisation's zone, to the millisecond.
pub fn local(time: Timestamp, zone: &TimeZone) -> String {
    PRINTER.timestamp_with_offset_to_string(&time, zone.to_offset(time))
}

/// RFC 3339 in UTC, to the millisecond.
pub fn utc(time: Timestamp) -> String {
    PRINTER.timestamp_to_string(&time)
}

const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// Text as people can be shown it on one line: line breaks become `⏎`; control characters, and those that turn the
/// direction of text (a name that ends in `fdp.exe` and reads `exe.pdf`), are written out.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(must_be_written_out) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push('⏎'),
            '\t' => out.push_str("\\t"),
            c if must_be_written_out(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn must_be_written_out(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'
                ..='\u{202E}' | '\u{2066}'
                ..='\u{2069}' | '\u{FEFF}'
        )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::mail::Direction;
    use crate::record::{Outcome, Record, RecordId};

    pub(crate) fn heading() -> Heading<'static> {
        let about = vec![("Ändamål", "utlämnande".to_owned())];
        Heading { organisation: "Exempelby kommun", about, scratch: Path::new("/tmp") }
    }

    pub(crate) fn found(subject: &str) -> Found {
        let text = String::from;
        Found {
            id: RecordId { node: "gw1".into(), epoch: 1, seq: 7 },
            record: Record {
                time: "2026-08-21T11:05:09.1Z".parse().unwrap(),
                direction: Some(Direction::Inbound),
                sender: text("x@example.org"),
                recipients: vec![text("registrator@exempelby.se"), text("anna@exempelby.se")],
                header_from: text("x@example.org"),
                subject: text(subject),
                size: 2_048,
                attachments: vec![(text("Ansökan.pdf"), 1_024), (text("b.txt"), 12)],
                outcome: Outcome::Marked,
                findings: vec![text("auto-forward=certain")],
                would: Vec::new(),
                queue_id: text("4fKq"),
                message_id: text("<1@example.org>"),
                client: text("192.0.2.1"),
                helo: text("mx.example.org"),
                auth_user: String::new(),
                tls: text("TLSv1.3 TLS_AES_256_GCM_SHA384"),
                config: text("0123456789abcdef"),
                receipt: String::new(),
            },
        }
    }

    #[test]
    fn columns_are_those_of_the_line() {
        let zone = TimeZone::get("Europe/Stockholm").unwrap();
        let found = found("Å");
        let line = Line::new(&found, &zone);
        let json = serde_json::to_string(&line).unwrap();
        let mut from = 0;
        for column in COLUMNS {
            let at = json[from..].find(&format!("\"{column}\":")).expect(column);
            from += at + 1;
        }
        assert_eq!(serde_json::to_value(&line).unwrap().as_object().unwrap().len(), COLUMNS.len());
        let cells = line.cells();
        assert_eq!((&*cells[0], &*cells[1]), ("2026-08-21T13:05:09.100+02:00", "2026-08-21T11:05:09.100Z"));
        assert_eq!((&*cells[9], &*cells[10]), ("Ansökan.pdf; b.txt", "1024; 12"));
    }

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        assert_eq!(visible("Å; \"b\""), "Å; \"b\"");
        assert_eq!(visible("a\r\nb\nc\rd\u{2028}e"), "a⏎b⏎c⏎d⏎e");
        assert_eq!(visible("fa\u{202E}fdp.exe\0\x1b[2J\t"), "fa\\u{202e}fdp.exe\\u{0}\\u{1b}[2J\\t");
    }
}

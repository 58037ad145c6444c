//! Export: records in the forms in which they leave the log. The columns and their order are a contract.

pub mod column;
pub mod csv;
pub mod file;
pub mod html;
pub mod jsonl;
pub mod labels;
pub mod line;
mod numbers;
pub mod page;
pub mod profile;
pub mod proof;
pub mod shape;
pub mod xlsx;

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::TimeZone;

use self::shape::Shape;
use crate::store::search::Found;
use crate::text::words;
pub use line::Line;

words! {
    /// The forms.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Format {
        /// For Swedish Excel.
        Csv = "csv",
        /// A workbook.
        Xlsx = "xlsx",
        /// JSON Lines in the names of the Elastic Common Schema.
        Jsonl = "jsonl",
        /// A page to be read and printed.
        Html = "html",
    }
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
    /// Its columns and what it looks like.
    pub shape: Shape,
}

impl Format {
    /// Begins a file.
    pub fn start<W: Write + Send>(self, out: W, heading: &Heading<'_>) -> io::Result<Exporter<W>> {
        let file = match self {
            Self::Csv => File::Csv(Box::new(csv::Writer::start(out, &heading.shape)?)),
            Self::Xlsx => File::Xlsx(Box::new(xlsx::Writer::start(out, heading)?)),
            Self::Jsonl => File::Jsonl(out),
            Self::Html => File::Html(html::Writer::start(out, heading)?),
        };
        Ok(Exporter { shape: heading.shape.clone(), file })
    }
}

/// A file that is being written.
pub struct Exporter<W: Write> {
    shape: Shape,
    file: File<W>,
}

enum File<W: Write> {
    Csv(Box<csv::Writer<W>>),
    Xlsx(Box<xlsx::Writer<W>>),
    Jsonl(W),
    Html(html::Writer<W>),
}

impl<W: Write + Send> Exporter<W> {
    /// Adds a record; `id` stands for its own id.
    pub fn add(&mut self, found: &Found, id: Option<&str>, zone: &TimeZone) -> io::Result<()> {
        let line = Line { found, zone, shape: &self.shape, id };
        match &mut self.file {
            File::Csv(writer) => writer.add(&line),
            File::Xlsx(writer) => writer.add(&line),
            File::Jsonl(out) => writeln!(out, "{}", jsonl::event(&line)),
            File::Html(writer) => writer.add(&line),
        }
    }

    /// Writes what is left and gives the output back, and how many cells the form has no room for.
    pub fn finish(self) -> io::Result<(W, u64)> {
        match self.file {
            File::Csv(writer) => Ok((writer.finish()?, 0)),
            File::Xlsx(writer) => writer.finish(),
            File::Jsonl(mut out) => out.flush().map(|()| (out, 0)),
            File::Html(writer) => Ok((writer.finish()?, 0)),
        }
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
        let shape = Shape::whole();
        Heading { organisation: "Exempelby kommun", about, scratch: Path::new("/tmp"), shape }
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
                queue_id: text("4fKq"),
                message_id: text("<1@example.org>"),
                client: text("192.0.2.1"),
                helo: text("mx.example.org"),
                tls: text("TLSv1.3 TLS_AES_256_GCM_SHA384"),
                config: text("0123456789abcdef"),
                authentication: text("spf=pass dkim=none dmarc=pass"),
                ..Record::default()
            },
            told: None,
        }
    }

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        assert_eq!(visible("Å; \"b\""), "Å; \"b\"");
        assert_eq!(visible("a\r\nb\nc\rd\u{2028}e"), "a⏎b⏎c⏎d⏎e");
        assert_eq!(visible("fa\u{202E}fdp.exe\0\x1b[2J\t"), "fa\\u{202e}fdp.exe\\u{0}\\u{1b}[2J\\t");
    }
}

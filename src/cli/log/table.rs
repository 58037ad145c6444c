//! The table of records for people. It is printed as records are found, so its columns have fixed widths: what is
//! longer is cut on a terminal, and moves its line elsewhere.

use std::fmt::Write as _;
use std::io::{self, Write};

use jiff::tz::TimeZone;

use crate::export::{Line, visible};
use crate::record::Outcome;
use crate::store::search::Found;

const COLUMNS: usize = 10;
const HEAD: [&str; COLUMNS] = [
    "RECORD",
    "TIME",
    "VERDICT",
    "DIRECTION",
    "SENDER",
    "RECIPIENTS",
    "SUBJECT",
    "ATTACHMENTS",
    "FINDINGS",
    "WOULD",
];
const WIDTHS: [usize; COLUMNS] = [20, 19, 10, 9, 28, 28, 40, 24, 28, 28];

/// A table that is being printed.
pub(super) struct Table<W: Write> {
    out: W,
    cut: bool,
    colour: bool,
    begun: bool,
}

impl<W: Write> Table<W> {
    /// A table whose cells are cut at their column's width, or coloured.
    pub(super) fn new(out: W, cut: bool, colour: bool) -> Self {
        Self { out, cut, colour, begun: false }
    }

    pub(super) fn add(&mut self, found: &Found, zone: &TimeZone) -> io::Result<()> {
        if !self.begun {
            self.begun = true;
            self.line(&HEAD.map(ToOwned::to_owned), "1")?;
        }
        let record = &found.record;
        let cells = [
            found.id.to_string(),
            zone.to_datetime(record.time).strftime("%Y-%m-%d %H:%M:%S").to_string(),
            record.outcome.as_str().to_owned(),
            record.direction.map_or("-", crate::mail::Direction::as_str).to_owned(),
            record.sender.clone(),
            self.several(record.recipients.iter().map(String::as_str)),
            record.subject.clone(),
            self.several(record.attachments.iter().map(|(name, _)| name.as_str())),
            record.findings.join("; "),
            record.would.join("; "),
        ];
        self.line(&cells, colour(record.outcome))
    }

    /// A line of JSON instead.
    pub(super) fn json(&mut self, line: &Line<'_>) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        self.out.write_all(b"\n")
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// The first one and how many more where cells are cut, else all.
    fn several<'a>(&self, mut items: impl Iterator<Item = &'a str>) -> String {
        if !self.cut {
            return items.collect::<Vec<_>>().join("; ");
        }
        let Some(first) = items.next() else { return String::new() };
        match items.count() {
            0 => first.to_owned(),
            more => format!("{first} (+{more})"),
        }
    }

    fn line(&mut self, cells: &[String; COLUMNS], style: &str) -> io::Result<()> {
        let mut line = String::with_capacity(256);
        for (cell, width) in cells.iter().zip(WIDTHS) {
            let cell = visible(cell);
            let long = cell.chars().count() > width;
            if long && self.cut {
                line.extend(cell.chars().take(width - 1));
                line.push_str("…  ");
            } else {
                let _ = write!(line, "{cell:width$}  ");
            }
        }
        let line = line.trim_end();
        if self.colour && !style.is_empty() {
            writeln!(self.out, "\x1b[{style}m{line}\x1b[0m")
        } else {
            writeln!(self.out, "{line}")
        }
    }
}

fn colour(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "",
        Outcome::Marked | Outcome::Deferred => "33",
        Outcome::Held => "35",
        Outcome::Rejected => "31",
        Outcome::Incomplete => "2",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::tests::found;

    #[test]
    fn a_terminal_gets_cut_cells_and_a_file_whole_ones() {
        let zone = TimeZone::get("Europe/Stockholm").unwrap();
        let print = |terminal: bool| {
            let mut table = Table::new(Vec::new(), terminal, terminal);
            table.add(&found(&"Lång rubrik \x1b[2J ".repeat(5)), &zone).unwrap();
            table.flush().unwrap();
            String::from_utf8(table.out).unwrap()
        };
        assert!(
            print(true).contains("…  Ansökan.pdf (+1)") && print(true).contains("\x1b[33mgw1-1-000000000007")
        );
        let plain = print(false);
        assert!(!plain.contains('\x1b') && plain.matches("Lång rubrik").count() == 5);
        assert!(plain.lines().nth(1).unwrap().contains("2026-08-21 13:05:09  marked      inbound"));
        for whole in
            ["registrator@exempelby.se; anna@exempelby.se", "Ansökan.pdf; b.txt", "auto-forward=certain"]
        {
            assert!(plain.contains(whole), "{whole}: {plain}");
        }
    }
}

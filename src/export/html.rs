//! A page for people and for paper: who wrote to whom, when and about what, and below each line the rest of its
//! record. It needs nothing from outside.

use std::io::{self, Write};

use super::column::Shown;
use super::labels::in_swedish;
pub use super::labels::{access, direction, made, octets, verdict};
use super::page::{self, Template};
use super::shape::Look;
use super::{Heading, Line, utc};
use crate::mail::Direction;
use crate::record::columns::Value;

mod former;

/// What the page looks like; [`page`] has what all pages have in common.
const STYLE: &str = include_str!("pages/log.css");

/// The columns that the line of a record has; the others stand in small print below it.
const HEAD: [&str; 7] = ["time", "direction", "sender", "recipients", "subject", "attachments", "verdict"];

/// Lines of a record that stay on one page.
const LINES: usize = 8;

/// A file that is being written.
pub struct Writer<W: Write> {
    out: W,
    rows: u64,
    look: Look,
}

impl<W: Write> Writer<W> {
    /// Begins the page.
    pub fn start(mut out: W, heading: &Heading<'_>) -> io::Result<Self> {
        let shape = &heading.shape;
        let title = format!("E-postlogg, {}", heading.organisation);
        let about = page::pairs(heading.about.iter().map(|(name, value)| (*name, value.as_str())));
        let fields = [("organisation", heading.organisation.into()), ("about", about)];
        match shape.look {
            Look::Former => {
                page::start(&mut out, &title, former::STYLE)?;
                page::write(&mut out, Template::FormerLogHead, fields)?;
            }
            Look::Present => {
                page::start(&mut out, &title, STYLE)?;
                let columns = in_line(&shape.columns).map(|shown| (shown.name(), shown.label()));
                let columns = [("columns", page::pairs(columns))];
                page::write(&mut out, Template::LogHead, fields.into_iter().chain(columns))?;
            }
        }
        Ok(Self { out, rows: 0, look: shape.look })
    }

    /// Adds a record.
    pub fn add(&mut self, line: &Line<'_>) -> io::Result<()> {
        self.rows += 1;
        if self.look == Look::Former {
            return former::add(&mut self.out, line);
        }
        let record = &line.found.record;
        let cells: Vec<page::Value> = in_line(&line.shape.columns)
            .map(|shown| {
                let (class, lines) = cell(*shown, line);
                page::record([("name", class.into()), ("value", page::list(lines))])
            })
            .collect();
        let span = cells.len() as u64;
        let lines = [record.recipients.len(), record.attachments.len()];
        let long = lines.into_iter().any(|lines| lines > LINES);
        let fields = [
            ("cells", page::list(cells)),
            ("span", span.into()),
            ("long", long.into()),
            (
                "details",
                page::pairs(details(line).into_iter().map(|(name, text)| (name, page::breakable(&text)))),
            ),
        ];
        page::write(&mut self.out, Template::LogRow, fields)
    }

    /// Ends the records, and lists when they were looked at, how, why and by which decision.
    pub fn looks<'l>(&mut self, looks: impl Iterator<Item = [&'l str; 4]>) -> io::Result<()> {
        let looks = looks.map(|[time, verb, purpose, decision]| {
            let time = time.chars().take(19).collect::<String>().replacen('T', " ", 1);
            page::list([&*time, access(verb), purpose, decision])
        });
        page::write(&mut self.out, Template::LogLooks, [("looks", page::list(looks))])
    }

    /// Writes what is left and gives the output back.
    pub fn finish(mut self) -> io::Result<W> {
        let word = if self.rows == 1 { "post" } else { "poster" };
        page::write(&mut self.out, Template::LogFoot, [("rows", self.rows.into()), ("word", word.into())])?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// The columns that the line of a record has. Without any of them it has all.
fn in_line(columns: &[Shown]) -> impl Iterator<Item = &Shown> {
    let any = columns.iter().any(|shown| HEAD.contains(&shown.name()));
    columns.iter().filter(move |shown| !any || HEAD.contains(&shown.name()))
}

/// A cell of a record's line: its class, and its lines as markup.
fn cell(shown: Shown, line: &Line<'_>) -> (&'static str, Vec<page::Value>) {
    let record = &line.found.record;
    let one = |text: &str| vec![page::breakable(text)];
    let Shown::Column(column) = shown else { return (shown.name(), one(&line.cell(shown).text())) };
    let lines = match column.value {
        Value::Time => one(&made(record.time, line.zone)),
        Value::Direction => one(direction(record.direction.map(Direction::as_str))),
        Value::Outcome => return (record.outcome.as_str(), one(verdict(record.outcome.as_str()))),
        Value::Size => one(&octets(record.size)),
        Value::Attachments => {
            let sizes = line.shape.has(Shown::Sizes.name());
            let file = |(name, size): &(String, u64)| {
                page::breakable(&if sizes { format!("{name} ({})", octets(*size)) } else { name.clone() })
            };
            record.attachments.iter().map(file).collect()
        }
        Value::List(own, _) => own(record).iter().map(|text| page::breakable(text)).collect(),
        Value::Text(own, _) => one(own(record)),
    };
    (column.name, lines)
}

/// What stands below the line of a record: the other columns that have a value.
fn details(line: &Line<'_>) -> Vec<(&'static str, String)> {
    let in_line: Vec<&Shown> = in_line(&line.shape.columns).collect();
    let others = line.shape.columns.iter().filter(|shown| !in_line.contains(shown));
    let mut details: Vec<(&'static str, String)> = others
        .filter_map(|shown| {
            let record = &line.found.record;
            let value = match shown {
                Shown::TimeUtc => utc(record.time),
                // They stand beside the names.
                Shown::Sizes if line.shape.has("attachments") => return None,
                Shown::Column(column) if matches!(column.value, Value::Size) => octets(record.size),
                Shown::Column(column) if ["findings", "would"].contains(&column.name) => {
                    in_swedish(&line.cell(*shown).text())
                }
                Shown::Column(_)
                | Shown::Record
                | Shown::Sizes
                | Shown::Delivery
                | Shown::DeliveryTime
                | Shown::DeliveryTls => line.cell(*shown).text().into_owned(),
            };
            Some((shown.label(), value))
        })
        .collect();
    details.retain(|(_, value)| !value.is_empty());
    details
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::super::tests::{found, heading};
    use super::*;

    #[test]
    fn a_page_shows_all_and_runs_nothing() {
        let zone = TimeZone::get("Europe/Stockholm").unwrap();
        let mut writer = Writer::start(Vec::new(), &heading()).unwrap();
        writer.add(&Line::new(&found("<script>alert('å')</script> \u{202E}"), &zone)).unwrap();
        let page = String::from_utf8(writer.finish().unwrap()).unwrap().replace("<wbr>", "");
        assert!(
            page.contains("&lt;script&gt;alert(&#39;å&#39;)&lt;/script&gt; \\u{202e}")
                && !page.contains("<script")
        );
        for wanted in [
            "2026-08-21 13:05:09",
            "Inkommande",
            "Ansökan.pdf (1,0 kB)<br>b.txt (12 B)",
            "Märkt",
            "4fKq",
            "&lt;1@example.org&gt;",
            "1 post.",
        ] {
            assert!(page.contains(wanted), "{wanted}: {page}");
        }
        assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("url("));
    }
}

//! A page for people and for paper: who wrote to whom, when and about what, and below each line the rest of its
//! record. It needs nothing from outside.

use std::io::{self, Write};

use jiff::tz::TimeZone;

use super::line::{Shown, columns};
use super::page::{self, Template};
use super::{Heading, Line, local, utc};
use crate::mail::Direction;
use crate::record::columns::{LeafForm, Value};
use crate::swedish;

/// What the page looks like; [`page`] has what all pages have in common.
const STYLE: &str = include_str!("pages/log.css");

/// The columns that the line of a record has.
const HEAD: [&str; 7] = ["time", "direction", "sender", "recipients", "subject", "attachments", "verdict"];

/// A file that is being written.
pub struct Writer<W: Write> {
    out: W,
    rows: u64,
}

impl<W: Write> Writer<W> {
    /// Begins the page.
    pub fn start(mut out: W, heading: &Heading<'_>) -> io::Result<Self> {
        page::start(&mut out, &format!("E-postlogg, {}", heading.organisation), STYLE)?;
        let about = page::pairs(heading.about.iter().map(|(name, value)| (*name, value.as_str())));
        let fields = [("organisation", heading.organisation.into()), ("about", about)];
        page::write(&mut out, Template::LogHead, fields)?;
        Ok(Self { out, rows: 0 })
    }

    /// Adds a record.
    pub fn add(&mut self, line: &Line<'_>) -> io::Result<()> {
        self.rows += 1;
        let record = &line.found.record;
        let outcome = record.outcome.as_str();
        let attachments = record.attachments.iter().map(|(name, size)| (name.as_str(), octets(*size)));
        let mut details = vec![("Post", line.found.id.to_string()), ("UTC", utc(record.time))];
        details.extend(columns(line.form).filter_map(|shown| match shown {
            Shown::Column(column) if !HEAD.contains(&column.name) => {
                let value = match column.value {
                    Value::Size => octets(record.size),
                    // Exports of the first form are made again as they were, so that they stay proved.
                    _ if ["findings", "would"].contains(&column.name) && line.form > LeafForm::FIRST => {
                        in_swedish(&line.cell(shown).text())
                    }
                    _ => line.cell(shown).text().into_owned(),
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

/// Findings, `rule=grade` with `; ` between, by their Swedish names.
fn in_swedish(findings: &str) -> String {
    findings.split("; ").map(swedish::finding).collect::<Vec<_>>().join("; ")
}

/// A size as people read it: 1 kB is 1,000 octets, as on a Swedish desktop, with a decimal comma.
pub fn octets(octets: u64) -> String {
    let (mut value, mut unit) = (octets as f64, "B");
    for larger in ["kB", "MB", "GB", "TB"] {
        if value < 1_000.0 {
            break;
        }
        value /= 1_000.0;
        unit = larger;
    }
    if unit == "B" || value >= 100.0 {
        format!("{value:.0} {unit}")
    } else {
        format!("{value:.1} {unit}").replace('.', ",")
    }
}

/// The Swedish word for a direction.
pub fn direction(word: Option<&str>) -> &'static str {
    match word {
        Some("inbound") => "Inkommande",
        Some("outbound") => "Utgående",
        Some("internal") => "Internt",
        _ => "–",
    }
}

/// The Swedish word for what became of a mail.
pub fn verdict(word: &str) -> &'static str {
    match word {
        "accepted" => "Godtaget",
        "marked" => "Märkt",
        "held" => "Kvarhållet",
        "deferred" => "Uppskjutet",
        "rejected" => "Avvisat",
        "incomplete" => "Ofullständigt",
        _ => "–",
    }
}

/// The Swedish word for a kind of access.
pub fn access(verb: &str) -> &str {
    match verb {
        "search" => "Sökning",
        "export" => "Uttag",
        "access" => "Granskning av åtkomster",
        "report" => "Rapport",
        "sample" => "Stickprov",
        "subject-extract" => "Registerutdrag",
        "retention" => "Gallring",
        "verify" => "Kontroll",
        other => other,
    }
}

/// When a page was made, as it says.
pub fn made(time: jiff::Timestamp, zone: &TimeZone) -> String {
    zone.to_datetime(time).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{found, heading};
    use super::*;

    #[test]
    fn a_page_shows_all_and_runs_nothing() {
        let zone = TimeZone::get("Europe/Stockholm").unwrap();
        let mut writer = Writer::start(Vec::new(), &heading()).unwrap();
        writer.add(&Line::new(&found("<script>alert('å')</script> \u{202E}"), &zone)).unwrap();
        let page = String::from_utf8(writer.finish().unwrap()).unwrap();
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

    #[test]
    fn sizes() {
        for (size, wanted) in
            [(0, "0 B"), (999, "999 B"), (1_000, "1,0 kB"), (123_456, "123 kB"), (15_000_000, "15,0 MB")]
        {
            assert_eq!(octets(size), wanted);
        }
    }
}

//! A page for people and for paper: who wrote to whom, when and about what, and below each line the rest of its
//! record. It needs nothing from outside.

use std::io::{self, Write};

use jiff::tz::TimeZone;

use super::line::{Shown, columns};
use super::{Heading, Line, local, utc, visible};
use crate::mail::Direction;
use crate::record::columns::Value;

/// What the page looks like; [`crate::export::page`] has what all pages have in common.
const STYLE: &str = "
@page{size:A4 landscape}
table{table-layout:fixed;width:100%}
col.t{width:11%}col.d{width:8%}col.p{width:19%}col.s{width:25%}col.a{width:18%}col.v{width:9%}
tbody{break-inside:avoid}
tbody tr:first-child td{padding-bottom:0;border-bottom:0}
tr.more td{padding-top:.1rem;color:var(--soft);font-size:.72rem;line-height:1.35}
tr.more dt,tr.more dd{display:inline;margin:0}
tr.more dt{font-weight:600}
tr.more dd::after{content:'  '}
td{overflow-wrap:anywhere}
.held,.rejected,.deferred{font-weight:600}";

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
        let title = format!("E-postlogg, {}", heading.organisation);
        super::page::start(&mut out, &title, STYLE)?;
        writeln!(
            out,
            "<header><p class=org>{}</p><h1>E-postlogg <span lang=en>E-mail log</span></h1>",
            escaped(heading.organisation)
        )?;
        writeln!(out, "<dl class=about>")?;
        for (name, value) in &heading.about {
            writeln!(out, "<div><dt>{}</dt><dd>{}</dd></div>", escaped(name), escaped(value))?;
        }
        writeln!(
            out,
            "</dl></header><table><colgroup><col class=t><col class=d><col class=p><col class=p><col class=s><col class=a><col class=v></colgroup>"
        )?;
        writeln!(
            out,
            "<thead><tr><th scope=col>Tid<th scope=col>Riktning<th scope=col>Från<th scope=col>Till<th scope=col>Ämne\
             <th scope=col>Bilagor<th scope=col>Utfall</tr></thead>"
        )?;
        Ok(Self { out, rows: 0 })
    }

    /// Adds a record.
    pub fn add(&mut self, line: &Line<'_>) -> io::Result<()> {
        self.rows += 1;
        let record = &line.found.record;
        let day = line.zone.to_datetime(record.time).strftime("%Y-%m-%d %H:%M:%S").to_string();
        let attachments = record.attachments.iter();
        let attachments: Vec<String> =
            attachments.map(|(name, size)| format!("{} ({})", escaped(name), octets(*size))).collect();
        let lines =
            |items: &[String]| items.iter().map(|item| escaped(item)).collect::<Vec<_>>().join("<br>");
        let outcome = record.outcome.as_str();
        writeln!(
            self.out,
            "<tbody><tr><td><time datetime=\"{}\">{day}</time><td>{}<td>{}<td>{}<td>{}<td>{}<td class={outcome}>{}</tr>",
            local(record.time, line.zone),
            direction(record.direction.map(Direction::as_str)),
            escaped(&record.sender),
            lines(&record.recipients),
            escaped(&record.subject),
            attachments.join("<br>"),
            verdict(outcome),
        )?;
        write!(self.out, "<tr class=more><td colspan=7><dl>")?;
        self.detail("Post", &line.found.id.to_string())?;
        self.detail("UTC", &utc(record.time))?;
        for shown in columns(line.form) {
            if let Shown::Column(column) = shown
                && !HEAD.contains(&column.name)
            {
                let value = match column.value {
                    Value::Size => octets(record.size).into(),
                    _ => line.cell(shown).text(),
                };
                self.detail(column.label, &value)?;
            }
        }
        writeln!(self.out, "</dl></tbody>")
    }

    /// What the line of a record has no room for; nothing where it is empty.
    fn detail(&mut self, name: &str, value: &str) -> io::Result<()> {
        if value.is_empty() {
            return Ok(());
        }
        write!(self.out, "<dt>{name}:</dt> <dd>{}</dd> ", escaped(value))
    }

    /// Ends the records, and lists when they were looked at, how, why and by which decision.
    pub fn looks<'l>(&mut self, looks: impl Iterator<Item = [&'l str; 4]>) -> io::Result<()> {
        writeln!(
            self.out,
            "</table><h2>När uppgifterna har lästs <span lang=en>When they were read</span></h2><table><thead><tr>\
             <th scope=col>Tid<th scope=col>Slag<th scope=col>Ändamål<th scope=col>Beslut</tr></thead><tbody>"
        )?;
        for [time, verb, purpose, decision] in looks {
            let time = time.chars().take(19).collect::<String>().replacen('T', " ", 1);
            let cells =
                [&*time, access(verb), purpose, decision].map(|cell| format!("<td>{}", escaped(cell)));
            writeln!(self.out, "<tr>{}</tr>", cells.concat())?;
        }
        Ok(())
    }

    /// Writes what is left and gives the output back.
    pub fn finish(mut self) -> io::Result<W> {
        writeln!(
            self.out,
            "</table><footer>{} {}. Slut på förteckningen.</footer>",
            self.rows,
            if self.rows == 1 { "post" } else { "poster" }
        )?;
        super::page::end(&mut self.out)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Text for a page: what cannot be seen written out, and nothing of it markup.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
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

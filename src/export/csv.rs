//! CSV that opens right in Swedish Excel: `;`, UTF-8 with a byte order mark, CRLF, every cell quoted, none a formula.

use std::borrow::Cow;
use std::io::{self, Write};

use csv::{QuoteStyle, Terminator, WriterBuilder};

use super::shape::Shape;
use super::{Line, visible};

/// A file that is being written.
pub struct Writer<W: Write>(csv::Writer<W>);

impl<W: Write> Writer<W> {
    /// Begins a file of records.
    pub fn start(out: W, shape: &Shape) -> io::Result<Self> {
        Self::with_head(out, &shape.called())
    }

    /// Begins a file: the byte order mark, then the names of the columns.
    pub fn with_head(mut out: W, columns: &[&str]) -> io::Result<Self> {
        out.write_all("\u{FEFF}".as_bytes())?;
        let mut writer = WriterBuilder::new()
            .delimiter(b';')
            .terminator(Terminator::CRLF)
            .quote_style(QuoteStyle::Always)
            .from_writer(out);
        writer.write_record(columns)?;
        Ok(Self(writer))
    }

    /// Adds a record.
    pub fn add(&mut self, line: &Line<'_>) -> io::Result<()> {
        self.row(&line.cells())
    }

    /// Adds a row.
    pub fn row(&mut self, cells: &[impl AsRef<str>]) -> io::Result<()> {
        Ok(self.0.write_record(cells.iter().map(|cell| safe(cell.as_ref()).into_owned()))?)
    }

    /// Writes what is left and gives the output back.
    pub fn finish(self) -> io::Result<W> {
        self.0.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}

/// A cell that no spreadsheet takes for a formula (OWASP ASVS 1.2.10): those that begin like one get a `'`, also
/// where blanks or a full-width form hide the beginning.
fn safe(cell: &str) -> Cow<'_, str> {
    let hidden = cell.starts_with(['\t', '\r', '\n', '\0']);
    let begins = cell.trim_start_matches(|c: char| c.is_whitespace() || c.is_control() || c == '\u{FEFF}');
    let shown = visible(cell);
    if hidden || begins.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) {
        return Cow::Owned(format!("'{shown}"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::super::tests::found;
    use super::*;

    #[test]
    fn a_file() {
        let zone = TimeZone::get("Europe/Stockholm").unwrap();
        let mut writer = Writer::start(Vec::new(), &Shape::whole()).unwrap();
        writer.add(&Line::new(&found("Svar: \"möte\"; två\r\nrader"), &zone)).unwrap();
        let file = String::from_utf8(writer.finish().unwrap()).unwrap();
        let (head, rest) = file.split_once("\r\n").unwrap();
        assert_eq!(head, format!("\u{FEFF}\"{}\"", super::super::column::names().join("\";\"")));
        assert_eq!(
            rest,
            "\"2026-08-21T13:05:09.100+02:00\";\"2026-08-21T11:05:09.100Z\";\"gw1-1-000000000007\";\"inbound\";\
             \"x@example.org\";\"registrator@exempelby.se; anna@exempelby.se\";\"x@example.org\";\
             \"Svar: \"\"möte\"\"; två⏎rader\";\"2048\";\"Ansökan.pdf; b.txt\";\"1024; 12\";\"marked\";\
             \"auto-forward=certain\";\"\";\"4fKq\";\"<1@example.org>\";\"192.0.2.1\";\"mx.example.org\";\"\";\
             \"TLSv1.3 TLS_AES_256_GCM_SHA384\";\"0123456789abcdef\";\"\";\"spf=pass dkim=none dmarc=pass\"\r\n"
        );
    }

    #[test]
    fn no_cell_is_a_formula() {
        for (cell, wanted) in [
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("+46 70", "'+46 70"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\\t=1"),
            ("\rx", "'⏎x"),
            ("\0x", "'\\u{0}x"),
            ("  =1", "'  =1"),
            ("\u{A0}＝1", "'\u{A0}＝1"),
            ("＋1", "'＋1"),
            ("－1", "'－1"),
            ("＠x", "'＠x"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(safe(cell), wanted, "{cell:?}");
        }
    }
}

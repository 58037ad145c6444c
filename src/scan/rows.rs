//! Rows: the lines of a text, the cells in them, and the headings that stand over them. A text is walked through once,
//! as its numbers ask for their places one after another.

#![deny(clippy::disallowed_methods)]

use memchr::{memchr, memchr_iter, memchr3};

use super::shape::{digits_end, next_digit};
use super::words::{Says, Word};

/// Octets of a line that is looked at as a row; no heading is longer.
const ROW_OCTETS: usize = 4096;
/// Octets of a line that may be the heading of a list.
const LIST_HEADING_OCTETS: usize = 100;
/// Digits on end that no heading has.
const HEADING_DIGITS: usize = 6;

/// What the headings over a place say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heading {
    /// That of its own column.
    pub(super) own: Option<Says>,
    /// That of its list, or of its table where columns cannot be told apart; what names persons comes first.
    pub(super) of_table: Option<Says>,
}

/// The headings that hold for the lines after them.
#[derive(Debug, Default)]
struct Headings {
    cells: usize,
    /// The columns with what their heading says.
    columns: Vec<(usize, Says)>,
    /// Whether it is a line of its own over a list, with no columns.
    of_list: bool,
}

/// One line.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    start: usize,
    end: usize,
    delimiter: Option<u8>,
    cells: usize,
}

/// A place in a line.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    at: usize,
    column: usize,
    quoted: bool,
}

/// A walk through the rows of a text.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    bytes: &'a [u8],
    tabular: bool,
    line: Option<Line>,
    place: Place,
    headings: Headings,
    /// Whether the line before had nothing in it.
    blank: bool,
    /// Lines that were passed between tables.
    tables: usize,
    /// The next word that no line was asked for.
    word: usize,
}

impl<'a> Rows<'a> {
    pub(super) fn new(bytes: &'a [u8], tabular: bool) -> Self {
        Self {
            bytes,
            tabular,
            line: None,
            place: Place::default(),
            headings: Headings::default(),
            blank: true,
            tables: 0,
            word: 0,
        }
    }

    /// Begins again.
    pub(super) fn rewind(&mut self) {
        *self = Self::new(self.bytes, self.tabular);
    }

    /// What the headings over a place say.
    pub(super) fn heading(&mut self, at: usize, words: &[Word]) -> Heading {
        let line = self.to(at, words);
        let Headings { cells, columns, of_list } = &self.headings;
        let said = |column: usize| columns.iter().find(|(known, _)| *known == column).map(|(_, says)| *says);
        let identity = || columns.iter().map(|(_, says)| *says).find(|says| says.is_identity());
        if *of_list {
            return Heading { own: None, of_table: identity().or(columns.first().map(|(_, says)| *says)) };
        }
        // Cells of a sheet stand under their headings, though the last ones of a row are empty.
        let aligned = self.tabular && line.delimiter == Some(b'\t') && self.place.column < *cells;
        if line.cells == *cells || aligned {
            return Heading { own: said(self.place.column), of_table: None };
        }
        // A row with more cells or fewer: nobody knows which are under which heading.
        Heading { own: None, of_table: identity() }
    }

    /// Whether the place is in a row with several cells.
    pub(super) fn is_row(&mut self, at: usize, words: &[Word]) -> bool {
        self.to(at, words).cells > 1
    }

    /// The column of a table that the place is in: one key for each.
    pub(super) fn column(&mut self, at: usize, words: &[Word]) -> Option<u64> {
        let line = self.to(at, words);
        let table = if self.tabular { 0 } else { self.tables };
        let key = (table as u64) << 16 | self.place.column.min(0xFFFF) as u64;
        (self.tabular || line.cells > 1).then_some(key)
    }

    /// Walks on to a place.
    fn to(&mut self, at: usize, words: &[Word]) -> Line {
        let mut line = match self.line {
            Some(line) => line,
            None => self.begin(0),
        };
        while at > line.end && line.end < self.bytes.len() {
            self.leave(line, words);
            line = self.begin(line.end + 1);
        }
        if at < self.place.at {
            self.place = Place { at: line.start, ..Place::default() };
        }
        // A line without a delimiter has one column.
        let passed = self.bytes.get(self.place.at..at.min(line.end)).filter(|_| line.delimiter.is_some());
        for byte in passed.unwrap_or_default() {
            match byte {
                b'"' => self.place.quoted = !self.place.quoted,
                _ if Some(*byte) == line.delimiter && !self.place.quoted => self.place.column += 1,
                _ => {}
            }
        }
        self.place.at = self.place.at.max(at.min(line.end));
        line
    }

    /// Begins the line that starts there.
    fn begin(&mut self, start: usize) -> Line {
        let rest = self.bytes.get(start..).unwrap_or_default();
        let end = start + memchr(b'\n', rest).unwrap_or(rest.len());
        let row = self.bytes.get(start..end.min(start + ROW_OCTETS)).unwrap_or_default();
        let delimiters: &[u8] = if self.tabular { b"\t;|," } else { b"\t;|" };
        let any = self.tabular || memchr3(b'\t', b';', b'|', row).is_some();
        let delimiter = delimiters.iter().copied().find(|delimiter| any && memchr(*delimiter, row).is_some());
        let count = |delimiter| memchr_iter(delimiter, row).count();
        // What ends in a delimiter has no further cell.
        let last = row.strip_suffix(b"\r").unwrap_or(row).last().copied();
        let closed = usize::from(delimiter.is_some() && last == delimiter);
        let line = Line { start, end, delimiter, cells: delimiter.map_or(1, |one| count(one) + 1 - closed) };
        self.place = Place { at: start, ..Place::default() };
        self.line = Some(line);
        line
    }

    /// Takes what a line that was passed says of those after it.
    fn leave(&mut self, line: Line, words: &[Word]) {
        let bytes = self.bytes.get(line.start..line.end).unwrap_or_default();
        let text = bytes.trim_ascii();
        if text.iter().all(|byte| *byte == b'>' || *byte == b' ') {
            // A heading with a colon may stand over one blank line, and rows of a page have such lines between them.
            if self.headings.of_list && !self.ended_with_colon(line.start) {
                self.headings = Headings::default();
            }
            self.blank = true;
            return;
        }
        let begins = std::mem::take(&mut self.blank);
        if !self.tabular && line.cells == 1 {
            self.tables += 1;
            if !self.headings.of_list {
                self.headings = Headings::default();
            }
        }
        let skipped = words.get(self.word..).unwrap_or_default();
        self.word += skipped.partition_point(|word| word.at.start < line.start);
        if bytes.len() > ROW_OCTETS || has_run(text) {
            return;
        }
        let columns = self.columns(line, words);
        let list = !self.tabular && line.cells == 1;
        if columns.is_empty() {
            // Another list begins, of which nothing is known.
            if list && text.ends_with(b":") {
                self.headings = Headings::default();
            }
            return;
        }
        if list && !(text.ends_with(b":") || begins && is_title(text)) {
            return;
        }
        let identity = columns.iter().any(|(_, says)| says.is_identity());
        let none = self.headings.columns.is_empty();
        let another = begins && (self.tabular || line.cells != self.headings.cells);
        if none || another || identity || list || line.cells > self.headings.cells {
            self.headings = Headings { cells: line.cells, columns, of_list: list };
        }
    }

    /// What the words of a line say, by column.
    fn columns(&self, line: Line, words: &[Word]) -> Vec<(usize, Says)> {
        let rest = words.get(self.word..).unwrap_or_default();
        let own = rest.iter().take_while(|word| word.at.start < line.end);
        let mut columns: Vec<(usize, Says)> = Vec::new();
        let (mut at, mut column, mut quoted) = (line.start, 0, false);
        for word in own {
            for byte in self.bytes.get(at..word.at.start).unwrap_or_default() {
                match byte {
                    b'"' => quoted = !quoted,
                    _ if Some(*byte) == line.delimiter && !quoted => column += 1,
                    _ => {}
                }
            }
            at = at.max(word.at.start);
            match columns.iter_mut().find(|(known, _)| *known == column) {
                // `Elevens personnummer` is a number, `Elevens mobil` another one.
                Some((_, says)) if *says == Says::Person || word.says.is_identity() => *says = word.says,
                Some(_) => {}
                None => columns.push((column, word.says)),
            }
        }
        columns
    }

    /// Whether the line before the one that starts there ends with a colon.
    fn ended_with_colon(&self, start: usize) -> bool {
        let before = self.bytes.get(..start).unwrap_or_default();
        let tail = before.get(before.len().saturating_sub(8)..).unwrap_or_default();
        tail.trim_ascii_end().ends_with(b":")
    }
}

/// Whether digits on end stand there that no heading has.
fn has_run(text: &[u8]) -> bool {
    let mut at = 0;
    while let Some(start) = next_digit(text, at) {
        at = digits_end(text, start);
        if at - start >= HEADING_DIGITS {
            return true;
        }
    }
    false
}

/// Whether the line is a title, and no sentence.
fn is_title(text: &[u8]) -> bool {
    text.len() <= LIST_HEADING_OCTETS && !matches!(text.last(), Some(b'.' | b'!' | b'?' | b','))
}

#[cfg(test)]
mod tests {
    use super::super::context::{Context, Known, Said};

    /// What is said of the first long number after a sign.
    fn said(text: &str, tabular: bool) -> Said {
        let at = text.find('#').unwrap();
        let text = text.replace('#', "");
        let digits = text[at..].bytes().take_while(u8::is_ascii_digit).count();
        Context::new(text.as_bytes(), &Known::default(), tabular).said(&(at..at + digits), false)
    }

    #[test]
    fn a_heading_speaks_of_its_own_column() {
        for (text, expected) in [
            ("Namn;Personnummer\nA;#8112289874\n", Said::Identity),
            ("Namn;Personnummer;Mobil\nA;8112289874;#0701740607\n", Said::Other),
            ("Kundnr;Personnummer\n#8112289874;8112289874\n", Said::Other),
            ("Faktura;Nummer\n1;#8112289874\n", Said::Nothing),
            ("Typ;Nummer\nFaktura;#8112289874\n", Said::Nothing),
            ("\"Namn; alla\";Personnummer\n\"A; B\";#8112289874\n", Said::Identity),
            ("Klasslista\n\nNamn\tPersonnummer\t\nA\t8112289874\t\nB\t#8112289874\t\n", Said::Identity),
            ("Namn\tPersonnummer\t\nA\tx\t#8112289874\t\n", Said::Identity),
            ("Nr\tPersonnummer\tFaktura\tAnm\t\n1\t\t#8112289874\t\n", Said::Other),
            ("Nr\tPersonnummer\tFaktura\tAnm\t\n\t#8112289874\t\n", Said::Identity),
        ] {
            assert_eq!(said(text, true), expected, "{text}");
        }
        assert_eq!(said("nr,personnummer,namn\n1,#8112289874,A\n", true), Said::Identity);
        assert_eq!(said("Namn\tPersonnummer\nA\t#8112289874\n", false), Said::Identity);
        assert_eq!(said("Namn\tPersonnummer\n\r\nA\tB\n\n\nC\t#8112289874\n", false), Said::Identity);
        assert_eq!(said("Namn\tPersonnummer\nA\tB\nHej!\nC\t#8112289874\n", false), Said::Nothing);
    }

    #[test]
    fn a_line_over_a_list_speaks_of_it_to_its_end() {
        for (text, expected) in [
            ("Personnumren till de som ska vara med i klassen är:\na 1\nb 2\n#8112289874\n", Said::Identity),
            ("Personnumren till de som ska vara med i klassen är:\n\n#8112289874\n", Said::Identity),
            ("Personnumren till de som ska vara med i klassen är:\na\n\n#8112289874\n", Said::Nothing),
            ("Elever i klass sju B på Exempelby skola\nA\n#8112289874\n", Said::NearPerson),
            ("Elever:\nA\nLärare:\n#8112289874\n", Said::Nothing),
            ("Vi saknar en uppgift om eleverna i klassen.\n#8112289874\n", Said::Nothing),
        ] {
            assert_eq!(said(text, false), expected, "{text}");
        }
    }
}

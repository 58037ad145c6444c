//! Look-ups in an index file: which rows of a segment may be what is asked for.
//!
//! Everything is checked before it is used: the header by its checksum, what it heads by those of [`super::pages`], and
//! the segment's place among the others by its numbers and the time of its last record.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use memchr::memmem::Finder;
use rusqlite::{Connection, OptionalExtension as _};

use super::pages::{self, Pages, damaged};
use super::segment::{self, Builder, HEADER_OCTETS, Kind, MAGIC, ROWS, SECTIONS};
use crate::record::Outcome;
use crate::store::query::Query;

/// Sections, by their place in the header: keys, starts, rows; a text has its octets and ends before these two.
const TERMS: usize = 0;
const SUBJECTS: usize = 3;
const NAMES: usize = 7;
/// Keys that are read around the place where one should be: four times as far as chance brings it.
const WINDOW: u64 = 2_048;
/// Bytes that are read at once to check them.
const READ: usize = 1 << 20;

/// A index file, as far as it is whole and belongs to its month file.
pub(in crate::store) struct Side {
    file: File,
    segments: Vec<Segment>,
    /// Where the next segment goes.
    end: u64,
    /// Why what comes after the last segment is not used, if anything but an unfinished segment does.
    unused: Option<Unused>,
}

/// Why a part of an index file is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Unused {
    /// Its checksum does not fit.
    Damaged,
    /// The month file has other records than those that it was made of.
    Foreign,
}

impl fmt::Display for Unused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Damaged => "the index file is damaged",
            Self::Foreign => "the index file belongs to other records than the month file",
        })
    }
}

/// What the header of a segment says.
#[derive(Clone, Debug)]
pub(in crate::store) struct Segment {
    /// Its first number.
    pub(in crate::store) first: i64,
    /// Its last number.
    pub(in crate::store) last: i64,
    low: i64,
    high: i64,
    pages: Pages,
    /// Where each section begins in the content of the pages, and its bytes.
    sections: [(u64, u64); SECTIONS],
}

/// What stands where a segment's header does.
enum Header {
    /// Nothing, or what a kill left of a segment that was being written.
    Unfinished,
    /// Something else.
    Damaged,
    /// A segment, and the time of its last record.
    Of(Box<Segment>, i64),
}

/// A query, as a index file is asked.
pub(in crate::store) struct Plan {
    since: i64,
    until: i64,
    /// Each must be there; of each, one of the terms.
    terms: Vec<Vec<u32>>,
    texts: Vec<(usize, Finder<'static>)>,
}

impl Plan {
    /// `None` where a index file has nothing to say: everything between two times is asked for, or the reader wants
    /// every record to be looked at.
    pub(in crate::store) fn new(query: &Query, (since, until): (i64, i64)) -> Option<Self> {
        let mut terms = Vec::new();
        terms.extend(query.sender.as_ref().map(|party| vec![segment::party(Kind::Sender, party)]));
        terms.extend(query.recipient.as_ref().map(|party| vec![segment::party(Kind::Recipient, party)]));
        terms.extend(query.from.as_ref().map(|party| vec![segment::party(Kind::From, party)]));
        let kinds = [Kind::Sender, Kind::Recipient, Kind::From];
        let person = query.person.iter();
        let person: Vec<u32> =
            person.flat_map(|party| kinds.map(|kind| segment::party(kind, party))).collect();
        terms.extend((!person.is_empty()).then_some(person));
        let exact = [
            (Kind::Verdict, query.verdict.map(Outcome::as_str)),
            (Kind::Rule, query.rule.as_deref()),
            (Kind::QueueId, query.queue_id.as_deref()),
            (Kind::MessageId, query.message_id.as_deref().map(segment::bare)),
        ];
        let exact = exact.into_iter().filter_map(|(kind, text)| Some(vec![segment::term(kind, text?)]));
        terms.extend(exact);
        let texts = [(SUBJECTS, &query.subject), (NAMES, &query.attachment)];
        let texts = texts.into_iter().filter_map(|(section, needle)| {
            let needle = needle.as_ref()?.folded();
            (!needle.is_empty()).then(|| (section, Finder::new(needle).into_owned()))
        });
        let texts: Vec<_> = texts.collect();
        let timed = since > i64::MIN || until < i64::MAX;
        let asks = timed || !terms.is_empty() || !texts.is_empty();
        (asks && !query.scan).then_some(Self { since, until, terms, texts })
    }
}

impl Side {
    /// Reads the headers. What was not written whole is as if it were not there.
    pub(in crate::store) fn read(file: File, connection: &Connection) -> io::Result<Self> {
        let octets = file.metadata()?.len();
        let mut side = Self { file, segments: Vec::new(), end: 0, unused: None };
        let mut time =
            connection.prepare("SELECT time FROM record WHERE seq = ?1").map_err(io::Error::other)?;
        loop {
            let (segment, last_time) = match side.header(octets)? {
                Header::Unfinished => break,
                Header::Damaged => {
                    side.unused = Some(Unused::Damaged);
                    break;
                }
                Header::Of(segment, last_time) => (segment, last_time),
            };
            let found: Option<i64> =
                time.query_row([segment.last], |row| row.get(0)).optional().map_err(io::Error::other)?;
            if found.unwrap_or(i64::MIN) != last_time || side.next().is_some_and(|next| next != segment.first)
            {
                side.unused = Some(Unused::Foreign);
                break;
            }
            side.end = segment.end();
            side.segments.push(*segment);
        }
        Ok(side)
    }

    /// Why the rest of the file is not used.
    pub(in crate::store) fn unused(&self) -> Option<Unused> {
        self.unused
    }

    /// Its segments.
    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether the pages of a segment are as they were written.
    pub(super) fn is_whole(&self, segment: &Segment) -> io::Result<bool> {
        let strides = (0..segment.pages.content).step_by(READ);
        for from in strides {
            let count = (segment.pages.content - from).min(READ as u64);
            match segment.pages.read(&self.file, from, count) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Whether a segment says what one does that was made anew.
    pub(super) fn is(&self, segment: &Segment, built: &Builder) -> io::Result<bool> {
        let (header, pages) = built.encode();
        let mut own = vec![0; header.len() + pages.len()];
        if segment.end() - segment.begin() != own.len() as u64 {
            return Ok(false);
        }
        self.file.read_exact_at(&mut own, segment.begin())?;
        Ok(own.strip_prefix(header.as_slice()) == Some(pages.as_slice()))
    }

    /// The number after the last segment.
    pub(super) fn next(&self) -> Option<i64> {
        self.segments.last().map(|segment| segment.last + 1)
    }

    /// The segment that has a record.
    pub(in crate::store) fn segment(&self, seq: i64) -> Option<&Segment> {
        let at = self.segments.partition_point(|segment| segment.last < seq);
        self.segments.get(at).filter(|segment| segment.first <= seq)
    }

    /// The next segment's header.
    fn header(&self, octets: u64) -> io::Result<Header> {
        if octets < self.end + HEADER_OCTETS as u64 {
            return Ok(if octets == self.end { Header::Unfinished } else { Header::Damaged });
        }
        let mut header = [0; HEADER_OCTETS];
        self.file.read_exact_at(&mut header, self.end)?;
        // The header is written last, and another version's file is made anew as a whole.
        let earlier = header.starts_with(&MAGIC[..4]) && !header.starts_with(&MAGIC) && self.end == 0;
        if header == [0; HEADER_OCTETS] || earlier {
            return Ok(Header::Unfinished);
        }
        let (content, sum) = header.split_at(HEADER_OCTETS - 8);
        if segment::checksum(content).to_le_bytes() != sum || !content.starts_with(&MAGIC) {
            return Ok(Header::Damaged);
        }
        let mut numbers = content.chunks_exact(8).skip(1).map(|octets| i64::from_le_bytes(array(octets)));
        let mut number = || numbers.next().unwrap_or(0);
        let (first, last, low, high, last_time) = (number(), number(), number(), number(), number());
        let mut content: u64 = 0;
        let sections = std::array::from_fn(|_| {
            let section = (content, number().unsigned_abs());
            content = content.saturating_add(section.1);
            section
        });
        let pages = Pages { first, at: self.end + HEADER_OCTETS as u64, content };
        let segment = Segment { first, last, low, high, pages, sections };
        let fits = content <= octets && segment.end() <= octets && first <= last && last - first < ROWS;
        Ok(if fits { Header::Of(Box::new(segment), last_time) } else { Header::Damaged })
    }

    /// Adds a segment after the last one that is whole. The header is written when all else is on the disk.
    pub(super) fn append(&self, built: &Builder) -> io::Result<()> {
        let (header, pages) = built.encode();
        self.file.set_len(self.end)?;
        self.file.write_all_at(&pages, self.end + HEADER_OCTETS as u64)?;
        self.file.sync_data()?;
        self.file.write_all_at(&header, self.end)?;
        self.file.sync_data()
    }

    /// The rows of a segment that may fit, in order; `None` where it cannot say, and all are to be read.
    pub(in crate::store) fn rows(&self, segment: &Segment, plan: &Plan) -> io::Result<Option<Vec<u16>>> {
        if segment.high < plan.since || segment.low >= plan.until {
            return Ok(Some(Vec::new()));
        }
        let told = segment.sections.iter().any(|(_, octets)| *octets > 0);
        if !told || (plan.terms.is_empty() && plan.texts.is_empty()) {
            return Ok(None);
        }
        let mut found: Option<Vec<u16>> = None;
        for terms in &plan.terms {
            let mut rows = Vec::new();
            for term in terms {
                rows.extend(self.term(segment, *term)?);
            }
            rows.sort_unstable();
            rows.dedup();
            found = Some(both(found, rows));
        }
        for (section, finder) in &plan.texts {
            // Reading a few records is quicker than searching through a section.
            if found.as_ref().is_some_and(|rows| rows.len() < 256) {
                break;
            }
            found = Some(both(found, self.text(segment, *section, finder)?));
        }
        Ok(found)
    }

    /// The rows that have a term.
    fn term(&self, segment: &Segment, term: u32) -> io::Result<Vec<u16>> {
        let [keys, starts, rows] = sections(segment, TERMS)?;
        let count = keys.1 / 4;
        // Hashes are spread evenly, so a key is near the place that its value says.
        let guess = (u64::from(term) * count) >> 32;
        let mut from = guess.saturating_sub(WINDOW);
        let mut window = self.octets(segment, keys, 4 * from, 4 * (2 * WINDOW).min(count - from))?;
        let around = number(&window, 0).is_none_or(|key| key < term) || from == 0;
        let around = around
            && (from + window.len() as u64 / 4 == count
                || number(&window, window.len() / 4 - 1).is_some_and(|key| key > term));
        if !around {
            from = 0;
            window = self.octets(segment, keys, 0, keys.1)?;
        }
        let at = partition(window.len() / 4, |at| number(&window, at).is_some_and(|key| key < term));
        if number(&window, at) != Some(term) {
            return Ok(Vec::new());
        }
        let ends = self.octets(segment, starts, 4 * (from + at as u64), 8)?;
        let (Some(begin), Some(end)) = (number(&ends, 0), number(&ends, 1)) else { return Err(damaged()) };
        let octets =
            self.octets(segment, rows, 2 * u64::from(begin), 2 * u64::from(end.saturating_sub(begin)))?;
        Ok(octets.chunks_exact(2).map(|row| u16::from_le_bytes(array(row))).collect())
    }

    /// The rows that have a text somewhere.
    fn text(&self, segment: &Segment, section: usize, finder: &Finder<'_>) -> io::Result<Vec<u16>> {
        let [text, ends, starts] = sections(segment, section)?;
        let [_, _, rows] = sections(segment, section + 1)?;
        let text = self.octets(segment, text, 0, text.1)?;
        let Some(mut at) = finder.find(&text) else { return Ok(Vec::new()) };
        let whole = |section: (u64, u64)| self.octets(segment, section, 0, section.1);
        let (ends, starts, rows) = (whole(ends)?, whole(starts)?, whole(rows)?);
        let mut found = Vec::new();
        loop {
            let value =
                partition(ends.len() / 4, |value| number(&ends, value).is_some_and(|end| end as usize <= at));
            let (Some(begin), Some(end)) = (number(&starts, value), number(&starts, value + 1)) else {
                return Err(damaged());
            };
            let here = rows.get(2 * begin as usize..2 * end as usize).ok_or_else(damaged)?;
            found.extend(here.chunks_exact(2).map(|row| u16::from_le_bytes(array(row))));
            let next = number(&ends, value).ok_or_else(damaged)? as usize;
            let Some(more) = text.get(next..).and_then(|rest| finder.find(rest)) else { break };
            at = next + more;
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// A part of a section.
    fn octets(&self, segment: &Segment, (at, all): (u64, u64), from: u64, count: u64) -> io::Result<Vec<u8>> {
        if from.checked_add(count).is_none_or(|end| end > all) {
            return Err(damaged());
        }
        segment.pages.read(&self.file, at + from, count)
    }
}

impl Segment {
    fn begin(&self) -> u64 {
        self.pages.at - HEADER_OCTETS as u64
    }

    fn end(&self) -> u64 {
        self.pages.at + pages::octets(self.pages.content)
    }
}

fn sections(segment: &Segment, from: usize) -> io::Result<[(u64, u64); 3]> {
    segment.sections.get(from..from + 3).and_then(|three| three.try_into().ok()).ok_or_else(damaged)
}

/// What is in both lists; the second alone where there is no first one.
fn both(found: Option<Vec<u16>>, rows: Vec<u16>) -> Vec<u16> {
    match found {
        None => rows,
        Some(found) => found.into_iter().filter(|row| rows.binary_search(row).is_ok()).collect(),
    }
}

/// The first of `count` places for which `before` does not hold.
fn partition(count: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = usize::midpoint(low, high);
        if before(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

fn number(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(4 * at..4 * at + 4).map(|four| u32::from_le_bytes(array(four)))
}

/// The first octets of a slice that has at least as many; zeros in place of those that it lacks.
fn array<const N: usize>(octets: &[u8]) -> [u8; N] {
    octets.get(..N).and_then(|octets| octets.try_into().ok()).unwrap_or([0; N])
}

//! A segment: the records of 65,536 numbers, inverted. Made in memory, written once, never changed.
//!
//! Two kinds of things are asked for. A *term* is known whole (an address, a domain, a verdict, a rule, a queue id, a
//! Message-ID): its 32-bit hash stands in a sorted list, with the rows that have it. A *text* is known in part
//! (subject, attachment names): folded and without repetition, one after the other, to be searched through.
//!
//! All numbers are little-endian. A row is the record's number less the segment's first one.

use std::collections::BTreeMap;

use rusqlite::Row;

use super::pages;
use crate::limits;
use crate::record::several;
use crate::store::query::{Party, comparable, folded, without_plus};
use crate::store::row::{self, at as column};

/// Records of a full segment: as many as a row's two octets can tell apart.
pub(super) const ROWS: i64 = 1 << 16;
/// Octets before the sections.
pub(super) const HEADER_OCTETS: usize = 144;
/// `PVIX` and the version of the form. It goes up with every change of what a segment says of the same records, also
/// by another folding: `verify` makes each segment anew and compares.
pub(super) const MAGIC: [u8; 8] = *b"PVIX\x04\0\0\0";
/// Sections: keys, starts and rows of the terms; text, ends, starts and rows of the subjects, then of the names.
pub(super) const SECTIONS: usize = 11;

/// What a term is of. The same text hashes differently for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sender = 1,
    Recipient = 2,
    From = 3,
    Verdict = 4,
    Rule = 5,
    QueueId = 6,
    MessageId = 7,
}

/// The hash of a term: FNV-1a, and a finish that spreads it evenly, because look-ups guess a key's place from it.
/// A collision of two terms costs a search one more record to read.
pub(super) fn term(kind: Kind, text: &str) -> u32 {
    let start = (0xCBF2_9CE4_8422_2325 ^ kind as u64).wrapping_mul(0x0100_0000_01B3);
    let hash =
        text.bytes().fold(start, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01B3));
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    (hash >> 32) as u32
}

/// A Message-ID as it is compared: people copy it with its angle brackets or without.
pub(in crate::store) fn bare(message_id: &str) -> &str {
    message_id.trim().trim_matches(['<', '>'])
}

/// A segment that is being made.
pub(super) struct Builder {
    first: i64,
    last: i64,
    times: Option<(i64, i64)>,
    last_time: Option<i64>,
    terms: Vec<(u32, u16)>,
    subjects: BTreeMap<String, Vec<u16>>,
    names: BTreeMap<String, Vec<u16>>,
    octets: usize,
}

impl Builder {
    /// The segment of the records from `first` to `last`, both included.
    pub(super) fn new(first: i64, last: i64) -> Self {
        Self {
            first,
            last,
            times: None,
            last_time: None,
            terms: Vec::with_capacity(12 << 16),
            subjects: BTreeMap::new(),
            names: BTreeMap::new(),
            octets: 0,
        }
    }

    /// Adds a row of `SELECT seq, `[`row::select`].
    pub(super) fn add(&mut self, record: &Row<'_>) -> rusqlite::Result<()> {
        let seq: i64 = record.get(0)?;
        let Ok(at) = u16::try_from(seq - self.first) else { return Ok(()) };
        let text = |column: usize| record.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
        let time: i64 = record.get(column::TIME)?;
        self.times = Some(self.times.map_or((time, time), |(low, high)| (low.min(time), high.max(time))));
        self.last_time = (seq == self.last).then_some(time);
        if self.octets > limits::INDEX_OCTETS {
            return Ok(());
        }
        self.octets += text(column::RECIPIENTS)?.len()
            + text(column::SUBJECT)?.len()
            + text(column::ATTACHMENTS)?.len()
            + 256;
        self.party(Kind::Sender, text(column::SENDER)?, at);
        for recipient in row::parsed::<String>(record, column::RECIPIENTS)? {
            self.party(Kind::Recipient, &recipient, at);
        }
        for from in several(text(column::HEADER_FROM)?) {
            self.party(Kind::From, from, at);
        }
        insert(&mut self.subjects, text(column::SUBJECT)?, at);
        for (name, _) in row::parsed::<(String, u64)>(record, column::ATTACHMENTS)? {
            insert(&mut self.names, &name, at);
        }
        self.terms.push((term(Kind::Verdict, text(column::VERDICT)?), at));
        for list in [column::FINDINGS, column::WOULD] {
            for finding in row::parsed::<String>(record, list)? {
                let rule = finding.split_once('=').map_or(finding.as_str(), |(rule, _)| rule);
                self.terms.push((term(Kind::Rule, rule), at));
            }
        }
        self.terms.push((term(Kind::QueueId, text(column::QUEUE_ID)?), at));
        self.terms.push((term(Kind::MessageId, bare(text(column::MESSAGE_ID)?)), at));
        Ok(())
    }

    /// An address, the same without what follows a plus sign, and its domain with the `@` before it, all in lower case.
    fn party(&mut self, kind: Kind, text: &str, at: u16) {
        let text = comparable(text).to_lowercase();
        if let Some(domain) = text.rfind('@').and_then(|at| text.get(at..)) {
            self.terms.push((term(kind, domain), at));
        }
        if let Some(base) = without_plus(&text) {
            self.terms.push((term(kind, &base), at));
        }
        self.terms.push((term(kind, &text), at));
    }

    /// The segment's header and its sections, in [`pages`]. All of them are empty where the records were too large to be held: such
    /// a segment says nothing, and its records are read.
    pub(super) fn encode(&self) -> (Vec<u8>, Vec<u8>) {
        let mut sections = Vec::with_capacity(SECTIONS);
        if self.octets > limits::INDEX_OCTETS {
            sections.resize(SECTIONS, Vec::new());
        } else {
            self.encode_terms(&mut sections);
            encode_texts(&self.subjects, &mut sections);
            encode_texts(&self.names, &mut sections);
        }
        let (low, high) = self.times.unwrap_or((i64::MAX, i64::MIN));
        let mut header = Vec::with_capacity(HEADER_OCTETS);
        header.extend(MAGIC);
        for number in [self.first, self.last, low, high, self.last_time.unwrap_or(i64::MIN)] {
            header.extend(number.to_le_bytes());
        }
        for section in &sections {
            header.extend((section.len() as u64).to_le_bytes());
        }
        header.extend(checksum(&header).to_le_bytes());
        (header, pages::encode(self.first, &sections.concat()))
    }

    fn encode_terms(&self, sections: &mut Vec<Vec<u8>>) {
        let mut terms = self.terms.clone();
        terms.sort_unstable();
        terms.dedup();
        let (mut keys, mut starts, mut rows) = (Vec::new(), Vec::new(), Vec::with_capacity(2 * terms.len()));
        for same in terms.chunk_by(|a, b| a.0 == b.0) {
            keys.extend(same.first().map_or(0, |term| term.0).to_le_bytes());
            starts.extend(count(rows.len() / 2).to_le_bytes());
            rows.extend(same.iter().flat_map(|term| term.1.to_le_bytes()));
        }
        starts.extend(count(rows.len() / 2).to_le_bytes());
        sections.extend([keys, starts, rows]);
    }
}

/// Of what the header holds: a header that was not written whole is none.
pub(super) fn checksum(octets: &[u8]) -> u64 {
    octets
        .iter()
        .fold(0xCBF2_9CE4_8422_2325, |hash, octet| (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01B3))
}

fn insert(texts: &mut BTreeMap<String, Vec<u16>>, text: &str, at: u16) {
    if text.is_empty() {
        return;
    }
    let rows = texts.entry(folded(text).into_owned()).or_default();
    if rows.last() != Some(&at) {
        rows.push(at);
    }
}

/// The line break is there to keep texts apart; a match over it is a false one, which the record then shows.
fn encode_texts(texts: &BTreeMap<String, Vec<u16>>, sections: &mut Vec<Vec<u8>>) {
    let (mut text, mut ends, mut starts, mut rows) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (value, at) in texts {
        text.extend(value.as_bytes());
        text.push(b'\n');
        ends.extend(count(text.len()).to_le_bytes());
        starts.extend(count(rows.len() / 2).to_le_bytes());
        rows.extend(at.iter().flat_map(|row| row.to_le_bytes()));
    }
    starts.extend(count(rows.len() / 2).to_le_bytes());
    sections.extend([text, ends, starts, rows]);
}

/// [`limits::INDEX_OCTETS`] keeps every section far below 4 GiB.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The term that stands for a party.
pub(super) fn party(kind: Kind, party: &Party) -> u32 {
    match party {
        Party::Null => term(kind, "<>"),
        Party::Domain(domain) => term(kind, &format!("@{}", domain.as_str().to_lowercase())),
        Party::Address(address) => term(kind, &address.key().to_lowercase()),
    }
}

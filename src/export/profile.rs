//! Profiles: what of a record an export gives away. Whatever is masked is counted, and can be listed for review.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::numbers;
use crate::record::columns::{COLUMNS, Column, Mask as Hiding};
pub use crate::record::pseudonyms::Pseudonyms;
use crate::record::{Record, RecordId, several};
use crate::scan;
use crate::store::query::{Party, composed};
use crate::store::search::Found;
use crate::text::words;

/// What stands where a whole field was.
pub const MASKED: &str = "[maskerat]";

words! {
    /// For whom an export is.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Profile {
        /// The organisation itself: everything.
        Internal = "internal",
        /// For a request for public records: identity numbers and configured words are masked, with a list for review.
        Disclose = "disclose",
        /// Statistics and follow-up: no address, subject, name of an attachment or id tells of whom it is.
        Pseudonym = "pseudonym",
    }
}

/// The columns that can be masked: those that may tell of whom a record is.
pub fn columns() -> impl Iterator<Item = &'static Column> {
    COLUMNS.iter().filter(|column| column.mask != Hiding::None)
}

/// Something that was masked, or that a person should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// In which column.
    pub column: &'static str,
    /// What it is: `personnummer`, `word 3`, `column`.
    pub what: String,
    /// Whether it was masked; else it stands there still.
    pub masked: bool,
    /// The text as it is exported.
    pub text: String,
}

impl Mark {
    /// A record that is not disclosed, by a section of the law.
    pub fn left_out_by(section: &str) -> Self {
        Self { what: format!("left out: {section}"), ..Self::left_out() }
    }

    /// A record of a protected mailbox that is not exported.
    pub fn left_out() -> Self {
        Self {
            column: "record",
            what: "left out: protected mailbox".into(),
            masked: true,
            text: String::new(),
        }
    }
}

/// What is done to each record before it is exported.
#[derive(Clone, Debug)]
pub struct Mask<'a> {
    columns: Vec<&'static str>,
    numbers: bool,
    words: &'a [String],
    pseudonyms: Option<Pseudonyms<'a>>,
    protected: &'a [Party],
}

impl<'a> Mask<'a> {
    /// What a profile masks, and `more`: names of columns, and `personnummer`.
    pub fn new(profile: Profile, more: &[String], words: &'a [String], own: Option<Pseudonyms<'a>>) -> Self {
        let named = |column: &&str| more.iter().any(|name| name == column);
        Self {
            columns: columns().map(|column| column.name).filter(named).collect(),
            numbers: profile == Profile::Disclose || more.iter().any(|name| name == NUMBERS),
            words: if profile == Profile::Disclose { words } else { &[] },
            pseudonyms: own.filter(|_| profile == Profile::Pseudonym),
            protected: &[],
        }
    }

    /// The same, which masks everything that tells who somebody is in mail of these mailboxes.
    #[must_use]
    pub fn protecting(self, protected: &'a [Party]) -> Self {
        Self { protected, ..self }
    }

    /// Whether the record is of mail of a protected mailbox.
    pub fn protects(&self, record: &Record) -> bool {
        self.protected.iter().any(|party| record.is_of(party))
    }

    /// What stands for the id of a record: every recipient of the mail has it in a header field.
    pub fn id(&self, id: &RecordId) -> Option<String> {
        self.pseudonyms.as_ref().map(|own| format!("r-{}", own.hash("record", &id.to_string())))
    }

    /// Masks a record. What was masked in it, and what a person should look at.
    pub fn apply(&self, found: &mut Found) -> Vec<Mark> {
        let mut marks = Vec::new();
        let day = TimeZone::UTC.to_datetime(found.record.time).date();
        if let Some(pseudonyms) = &self.pseudonyms {
            pseudonyms.apply(&mut found.record);
        }
        let protected = self.protects(&found.record);
        let what = if protected { "protected mailbox" } else { "column" };
        let mut hidden: Vec<String> = Vec::new();
        for column in columns() {
            if !protected && !self.columns.contains(&column.name) {
                continue;
            }
            column.each(&mut found.record, |text| {
                if !text.is_empty() {
                    hidden.extend(values(column.mask, text).map(str::to_owned));
                    MASKED.clone_into(text);
                    marks.push(Mark {
                        column: column.name,
                        what: what.into(),
                        masked: true,
                        text: text.clone(),
                    });
                }
            });
        }
        // Of two values of which one has the other in it, the longer one goes first.
        hidden.sort_by_key(|value| std::cmp::Reverse(value.len()));
        hidden.dedup();
        for column in columns() {
            column.each(&mut found.record, |text| {
                if text.is_empty() || text == MASKED {
                    return;
                }
                let before = marks.len();
                mask_values(column.name, text, &hidden, &mut marks);
                self.mask_parts(column.name, text, day, &mut marks);
                // Each shows what is left when all of them are masked.
                marks.iter_mut().skip(before).for_each(|mark| mark.text.clone_from(text));
            });
        }
        marks
    }

    fn mask_parts(&self, column: &'static str, text: &mut String, day: Date, marks: &mut Vec<Mark>) {
        let mut parts: Vec<(Range<usize>, String, bool)> = Vec::new();
        if !self.words.is_empty() {
            *text = composed(text).into_owned();
        }
        if self.numbers {
            parts.extend(scan::of_persons(text, day).into_iter().map(|(range, kind)| match kind {
                Some(kind) => (range, kind.as_str().to_owned(), true),
                None => (range, "like a personnummer, with a wrong check digit".to_owned(), false),
            }));
        }
        if self.numbers {
            let apart = |range: &Range<usize>| {
                parts.iter().all(|(known, ..)| known.end <= range.start || known.start >= range.end)
            };
            let doubtful: Vec<Range<usize>> = numbers::doubtful(text).into_iter().filter(apart).collect();
            let what = "like a personnummer, written in another way";
            parts.extend(doubtful.into_iter().map(|range| (range, what.to_owned(), false)));
        }
        for (number, word) in (1..).zip(self.words) {
            parts.extend(
                find_word(text, word).into_iter().map(|range| (range, format!("word {number}"), true)),
            );
        }
        if parts.is_empty() {
            return;
        }
        // From the end, so that places stay what they are; of two that overlap the longer one is masked.
        parts.sort_by_key(|(range, ..)| (std::cmp::Reverse(range.end), range.start));
        let mut before = text.len();
        for (range, what, masked) in &parts {
            if *masked && range.end <= before {
                let shown = if what.starts_with("word") { MASKED.to_owned() } else { format!("[{what}]") };
                text.replace_range(range.clone(), &shown);
                before = range.start;
            } else if *masked && range.start < before {
                text.replace_range(range.start..before, MASKED);
                before = range.start;
            }
        }
        let marks_of = parts.into_iter().rev();
        marks.extend(marks_of.map(|(_, what, masked)| Mark { column, what, masked, text: text.clone() }));
    }
}

/// The values in a text of a column, as they may stand in other columns too. What is short says nothing there.
fn values(mask: Hiding, text: &str) -> impl Iterator<Item = &str> {
    let list = mask == Hiding::Addresses;
    let parts = several(text).filter(move |_| list).chain(Some(text).filter(|_| !list));
    parts.map(|part| part.trim_matches(['<', '>', ' '])).filter(|part| part.chars().count() >= VALUE_LETTERS)
}

/// Letters of a masked value that is masked wherever it stands.
const VALUE_LETTERS: usize = 4;

/// Masks values of masked columns in the text of another one: the mailbox of a receipt is a recipient, and an attached
/// message has its subject as its name.
fn mask_values(column: &'static str, text: &mut String, hidden: &[String], marks: &mut Vec<Mark>) {
    for value in hidden {
        let places = find_word(text, value);
        for range in places.iter().rev() {
            text.replace_range(range.clone(), MASKED);
        }
        if !places.is_empty() {
            marks.push(Mark {
                column,
                what: "value of a masked column".into(),
                masked: true,
                text: text.clone(),
            });
        }
    }
}

/// The name under which identity numbers are masked.
pub const NUMBERS: &str = "personnummer";

/// Where a word stands in a text, in any case. A space in it is also what stands for one in addresses and names of files.
fn find_word(text: &str, word: &str) -> Vec<Range<usize>> {
    let word: Vec<char> = word.chars().flat_map(char::to_lowercase).collect();
    let letters: Vec<(usize, char)> =
        text.char_indices().flat_map(|(at, c)| c.to_lowercase().map(move |c| (at, c))).collect();
    let mut found: Vec<Range<usize>> = Vec::new();
    for window in letters.windows(word.len().max(1)) {
        let is = |(letter, wanted): (&(usize, char), &char)| {
            letter.1 == *wanted || *wanted == ' ' && matches!(letter.1, '.' | '_' | '-' | '\u{A0}')
        };
        let same = window.len() == word.len() && window.iter().zip(&word).all(is);
        if let (true, Some((begin, _)), Some((last, _))) = (same, window.first(), window.last()) {
            let length = text.get(*last..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
            if found.last().is_none_or(|before| before.end <= *begin) {
                found.push(*begin..last + length);
            }
        }
    }
    found
}

impl Pseudonyms<'_> {
    /// Replaces all that tells of whom a record is. Subjects and names keep their length and their kind.
    fn apply(&self, record: &mut Record) {
        for column in columns() {
            column.each(record, |text| {
                if !text.is_empty() {
                    *text = self.instead(column.mask, text);
                }
            });
        }
    }

    fn instead(&self, mask: Hiding, text: &str) -> String {
        match mask {
            Hiding::None => text.to_owned(),
            Hiding::Address => self.of(text),
            Hiding::Addresses => {
                let authors = several(text).filter(|author| !author.is_empty());
                authors.map(|author| self.of(author)).collect::<Vec<_>>().join(", ")
            }
            Hiding::Length => format!("[{} tecken]", text.chars().count()),
            Hiding::Ending => {
                let kind = text.rsplit_once('.').map_or("", |(_, kind)| kind);
                let plain = kind.len() <= 5 && kind.bytes().all(|octet| octet.is_ascii_alphanumeric());
                if plain && !kind.is_empty() { format!("*.{}", kind.to_lowercase()) } else { "*".into() }
            }
            Hiding::Hash | Hiding::Login => self.hash("id", text),
            Hiding::Receipts => {
                let parts = text.split("; ").filter_map(|part| part.split_once('='));
                let shown = parts.map(|(mailbox, outcome)| {
                    format!("{}={}", self.of(mailbox), outcome.split(' ').next().unwrap_or_default())
                });
                shown.collect::<Vec<_>>().join("; ")
            }
        }
    }
}

/// How often each thing was masked, for the manifest.
#[derive(Debug, Default)]
pub struct Tally(BTreeMap<String, u64>);

impl Tally {
    /// Counts marks.
    pub fn add(&mut self, marks: &[Mark]) {
        for mark in marks {
            let how = if mark.masked { "masked" } else { "to look at" };
            *self.0.entry(format!("{}: {} {how}", mark.column, mark.what)).or_default() += 1;
        }
    }

    /// By what, how often.
    pub fn counts(&self) -> &BTreeMap<String, u64> {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use super::*;
    use crate::address::DomainPattern;
    use crate::organisation::Organisation;

    fn organisation() -> Organisation {
        Organisation {
            name: "Exempelby kommun".into(),
            domains: vec![DomainPattern::parse("exempelby.se").unwrap()],
            internal_networks: Vec::new(),
            ..Organisation::default()
        }
    }

    #[test]
    fn numbers_and_words_are_masked_and_told_of() {
        let words = ["skyddad identitet".to_owned(), "Lönnrot".to_owned()];
        let mask = Mask::new(Profile::Disclose, &[], &words, None);
        let mut one = found("SKYDDAD identitet 850709-9805, ärende lo\u{308}nnrot, 850709-9806");
        let marks = mask.apply(&mut one);
        assert_eq!(one.record.subject, "[maskerat] [personnummer], ärende [maskerat], 850709-9806");
        let told: Vec<(&str, bool)> = marks.iter().map(|mark| (mark.what.as_str(), mark.masked)).collect();
        let lookalike = "like a personnummer, with a wrong check digit";
        assert_eq!(told, [("word 1", true), ("personnummer", true), ("word 2", true), (lookalike, false)]);
        let mut same = found("850709-9805");
        assert_eq!(Mask::new(Profile::Internal, &[], &words, None).apply(&mut same), []);
        assert_eq!(same, found("850709-9805"));
    }

    #[test]
    fn overlapping_words_leave_nothing_between_them() {
        let words = ["abcd".to_owned(), "cdef".to_owned(), "c".to_owned()];
        let mut one = found("xabcdefx c");
        Mask::new(Profile::Disclose, &[], &words, None).apply(&mut one);
        assert!(!one.record.subject.contains(['a', 'b']) || one.record.subject.contains("maskerat"));
        assert!(
            !one.record.subject.contains("ef")
                && !one.record.subject.contains("ab")
                && one.record.subject.starts_with('x'),
            "{}",
            one.record.subject
        );
    }

    #[test]
    fn whole_columns_are_masked_by_name() {
        let mask = Mask::new(Profile::Internal, &["subject".into(), "attachments".into()], &[], None);
        let mut one = found("Hemligt");
        mask.apply(&mut one);
        assert_eq!((one.record.subject.as_str(), one.record.attachments[0].0.as_str()), (MASKED, MASKED));
        assert_eq!(one.record.sender, "x@example.org");
    }

    #[test]
    fn a_masked_value_is_masked_wherever_it_stands() {
        let mut one = found("Sv: till Anna@exempelby.se");
        one.record.receipt = "anna@exempelby.se=queued PV-2026-7K3M9Q".into();
        one.record.header_from = "x@example.org, anna@exempelby.se".into();
        one.record.attachments.push(("Till anna@exempelby.se.eml".into(), 7));
        let mask = Mask::new(Profile::Internal, &["recipients".into()], &[], None);
        let marks = mask.apply(&mut one);
        assert!(!format!("{one:?}").to_lowercase().contains("anna@"), "{one:?}");
        assert_eq!(one.record.receipt, "[maskerat]=queued PV-2026-7K3M9Q");
        assert_eq!(one.record.header_from, "x@example.org, [maskerat]");
        assert!(marks.iter().any(|mark| mark.column == "receipt" && mark.masked));
    }

    #[test]
    fn mail_of_a_protected_mailbox_names_nobody() {
        let protected = [Party::parse("registrator@exempelby.se").unwrap()];
        let mask = Mask::new(Profile::Disclose, &[], &[], None).protecting(&protected);
        let mut one = found("Anmälan");
        one.record.recipients[0] = "registrator+hemlig@exempelby.se".into();
        let marks = mask.apply(&mut one);
        let text = format!("{:?}", one.record);
        for secret in ["x@", "anna", "Anmälan", "Ansökan", "4fKq", "192.0.2.1", "mx.example"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        assert!(marks.iter().all(|mark| mark.masked && mark.what == "protected mailbox"), "{marks:?}");
        let mut other = found("Anmälan");
        other.record.recipients.remove(0);
        assert_eq!(mask.apply(&mut other), []);
    }

    #[test]
    fn a_name_is_found_in_addresses_and_names_of_files() {
        let words = ["Karin Berg".to_owned()];
        let mask = Mask::new(Profile::Disclose, &[], &words, None);
        let mut one = found("KARIN BERG");
        one.record.sender = "karin.berg@telia.example".into();
        one.record.attachments[0].0 = "Karin_Berg.pdf".into();
        mask.apply(&mut one);
        assert_eq!((&*one.record.subject, &*one.record.sender), (MASKED, "[maskerat]@telia.example"));
        assert_eq!(one.record.attachments[0].0, "[maskerat].pdf");
    }

    #[test]
    fn pseudonyms_are_stable_under_one_key_and_tell_nothing() {
        let organisation = organisation();
        let under = |key: u8| {
            let own = Pseudonyms { key: [key; 32], organisation: &organisation };
            let mut one = found("Ansökan från x@example.org");
            Mask::new(Profile::Pseudonym, &[], &[], Some(own)).apply(&mut one);
            one.record
        };
        let (first, again, other) = (under(1), under(1), under(2));
        assert_eq!(first, again);
        assert_ne!(first.sender, other.sender);
        assert_eq!(first.sender, first.header_from);
        let text = format!("{first:?}");
        for secret in ["x@", "anna", "registrator", "example.org", "Ansökan", "4fKq", "192.0.2.1"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        let with = |receipt: &str| {
            let mut one = found("x");
            receipt.clone_into(&mut one.record.receipt);
            let own = Pseudonyms { key: [1; 32], organisation: &organisation };
            Mask::new(Profile::Pseudonym, &[], &[], Some(own)).apply(&mut one);
            one.record.receipt
        };
        let receipt =
            with("registrator@exempelby.se=queued PV-2026-7K3M9Q; info@exempelby.se=suppressed list");
        assert!(
            receipt.contains("@exempelby.se=queued; p-") && receipt.ends_with("@exempelby.se=suppressed")
        );
        assert!(!receipt.contains("PV-") && !receipt.contains("registrator"), "{receipt}");
        assert!(first.recipients[1].ends_with("@exempelby.se") && first.subject == "[26 tecken]");
        assert_eq!(first.attachments[0].0, "*.pdf");
    }
}

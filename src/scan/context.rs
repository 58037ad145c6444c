//! Context: the words around a number that say what it is, or what it is not.
//!
//! A word for an identity number is the label of the next number within `LABEL` octets, and of none beyond it:
//! `personnummer 811228-9874, 820330-9012` has one labelled number. A word for something else must touch the number; one
//! for a telephone must be its label. A word for a person counts within `BEFORE` octets of the same sentence and line. A
//! heading speaks of the numbers in its column or list. Words are looked for only where a number needs them.

#![deny(clippy::disallowed_methods)]

use std::cell::{OnceCell, RefCell};
use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::fold::{is_letter, is_word};
use super::rows::{Heading, Rows};
use super::words::{End, Says, WORDS, Word};

/// What is said of a number that may be a person's, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Said {
    /// A label or heading calls it an identity number.
    Identity,
    /// A word that touches it, or its column's heading, calls it something else.
    Other,
    /// The word for a person touches it.
    OfPerson,
    /// There is talk of a person in its sentence, or in its list's heading.
    NearPerson,
    /// Nothing.
    Nothing,
}

struct Words {
    automaton: AhoCorasick,
    meanings: Vec<(Says, End)>,
}

static AUTOMATON: LazyLock<Option<Words>> = LazyLock::new(|| {
    let mut patterns = Vec::new();
    let mut meanings = Vec::new();
    for (says, end, words) in WORDS {
        for word in *words {
            patterns.push(super::fold::term(word)?);
            meanings.push((*says, *end));
        }
    }
    let automaton = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .kind(Some(AhoCorasickKind::DFA))
        .build(patterns)
        .ok()?;
    Some(Words { automaton, meanings })
});

/// The words of one text that may speak of a number, found when they are first asked for.
#[derive(Debug, Default)]
pub struct Known(OnceCell<Vec<Word>>);

/// The words of one text and its rows.
#[derive(Debug)]
pub(super) struct Context<'a> {
    bytes: &'a [u8],
    known: &'a Known,
    rows: RefCell<Rows<'a>>,
}

/// Octets before a number in which a word may speak of it.
const BEFORE: usize = 100;
/// Octets before a number in which its label may stand.
const LABEL: usize = 40;
/// Octets after a number in which a word may speak of it.
const AFTER: usize = 30;
/// Octets between a number and a word that touches it.
const TOUCH: usize = 16;
/// Words that may stand between a label and its number.
const FILLERS: &[&[u8]] =
    &[b"nr", b"no", b"nummer", b"num", b"number", b"id", b"med", b"\xE4r", b"is", b"som"];

impl<'a> Context<'a> {
    pub(super) fn new(bytes: &'a [u8], known: &'a Known, tabular: bool) -> Self {
        Self { bytes, known, rows: RefCell::new(Rows::new(bytes, tabular)) }
    }

    fn words(&self) -> &[Word] {
        self.known.0.get_or_init(|| {
            let Some(words) = AUTOMATON.as_ref() else { return Vec::new() };
            let found = words.automaton.find_iter(self.bytes).filter_map(|found| {
                let (says, end) = words.meanings.get(found.pattern().as_usize())?;
                let (start, mut to) = (found.start(), found.end());
                let before = start.checked_sub(1).and_then(|at| self.bytes.get(at));
                // `slutfaktura` is an invoice; `avtal` has nothing to do with `tal`.
                let compound = *end == End::Open && *says == Says::Other;
                if before.is_some_and(|byte| is_letter(*byte)) && !compound {
                    return None;
                }
                let rest = self.bytes.get(to..).unwrap_or_default();
                let mut says = *says;
                match end {
                    End::Whole if rest.first().is_some_and(|byte| is_letter(*byte)) => return None,
                    End::Whole => {}
                    End::Open => {
                        let length = rest.iter().take(40).take_while(|byte| is_letter(**byte)).count();
                        to += length;
                        if says == Says::Person && is_thing(rest.get(..length).unwrap_or_default()) {
                            says = Says::Other;
                        }
                    }
                }
                Some(Word { says, at: start..to })
            });
            found.collect()
        })
    }

    /// Words that end before `at`, the nearest first, up to `reach` octets away.
    fn before(&self, at: usize, reach: usize) -> impl Iterator<Item = &Word> {
        let words = self.words();
        let end = words.partition_point(|word| word.at.end <= at);
        let near = words.get(..end).unwrap_or_default().iter().rev();
        near.take_while(move |word| at.saturating_sub(word.at.end) <= reach)
    }

    /// Words on the rest of a number's line that do not name the number after them.
    fn after(&self, at: usize, reach: usize) -> impl Iterator<Item = &Word> {
        let words = self.words();
        let from = words.partition_point(|word| word.at.start < at);
        let line = self.bytes.get(at..(at + reach).min(self.bytes.len())).unwrap_or_default();
        let reach = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
        let near = words.get(from..).unwrap_or_default().iter();
        near.take_while(move |word| word.at.start <= at + reach).filter(|word| {
            let rest = self.bytes.get(word.at.end..).unwrap_or_default();
            let next = rest.iter().find(|byte| !matches!(byte, b' ' | b':' | b'=' | b'.' | b'\t'));
            next.is_none_or(|byte| !byte.is_ascii_digit())
        })
    }

    /// What stands between a word and the number at `at`.
    fn between(&self, word: &Word, at: usize) -> &[u8] {
        self.bytes.get(word.at.end..at).unwrap_or_default()
    }

    /// The label of the number at `at`: the nearest word before it that names no other number.
    pub(super) fn label(&self, at: usize, any: &[Says]) -> Option<Says> {
        self.before(at, LABEL)
            .find(|word| any.contains(&word.says))
            .filter(|word| !names_another(self.between(word, at)))
            .map(|word| word.says)
    }

    /// What is said of the number at that place that may be a person's. Of one that begins like a telephone number
    /// the word for a telephone on its line says that it is one.
    pub(super) fn said(&self, at: &Range<usize>, like_phone: bool) -> Said {
        let mut person = Said::Nothing;
        for word in self.before(at.start, BEFORE) {
            let between = self.between(word, at.start);
            if ends_sentence(between) || has_blank_line(between) {
                break;
            }
            let line = !between.contains(&b'\n');
            let label = between.len() <= LABEL && !names_another(between);
            match word.says {
                Says::Identity | Says::Reserve if label && (line || !self.is_row(at.start)) => {
                    return Said::Identity;
                }
                Says::Phone if like_phone && line && label => return Said::Other,
                says if says.denies() && touches(between) => {
                    return if self.follows(at.end, Says::Identity) { Said::Identity } else { Said::Other };
                }
                Says::Person if touches(between) => person = person.min(Said::OfPerson),
                Says::Person if line => person = person.min(Said::NearPerson),
                _ => {}
            }
        }
        if self.follows(at.end, Says::Identity) {
            return Said::Identity;
        }
        let headings = self.headings(at.start);
        if headings.own.is_some_and(Says::is_identity) {
            Said::Identity
        } else if headings.own.is_some_and(Says::denies) {
            Said::Other
        } else if headings.of_table.is_some_and(Says::is_identity) {
            Said::Identity
        } else if headings.own == Some(Says::Person) || headings.of_table == Some(Says::Person) {
            person.min(Said::NearPerson)
        } else {
            person
        }
    }

    /// Whether a word right after the number, as in `811228-9874 (pnr)`, says this of it.
    pub(super) fn follows(&self, end: usize, says: Says) -> bool {
        self.after(end, AFTER).any(|word| word.says == says)
    }

    /// Whether the heading of the list or column that the number stands in, or a word in its sentence, says this of it.
    pub(super) fn headed(&self, at: usize, says: Says) -> bool {
        let headings = self.headings(at);
        let mut near = self.before(at, BEFORE).take_while(|word| !ends_sentence(self.between(word, at)));
        headings.own == Some(says) || headings.of_table == Some(says) || near.any(|word| word.says == says)
    }

    /// The headings over a place. Places are asked for in their order, but for those of one line.
    fn headings(&self, at: usize) -> Heading {
        self.rows.borrow_mut().heading(at, self.words())
    }

    /// Whether the place is in a row of a table.
    fn is_row(&self, at: usize) -> bool {
        self.rows.borrow_mut().is_row(at, self.words())
    }

    /// The column of a table that the place is in.
    pub(super) fn column(&self, at: usize) -> Option<u64> {
        self.rows.borrow_mut().column(at, self.words())
    }

    /// Lets places be asked for from the beginning again.
    pub(super) fn rewind(&self) {
        self.rows.borrow_mut().rewind();
    }
}

/// Whether at least four digits stand between a word and a number, so that the word names those.
fn names_another(between: &[u8]) -> bool {
    between.iter().filter(|byte| byte.is_ascii_digit()).count() >= 4
}

/// Whether a word for a person goes on as one for a thing: `elevfaktura`.
fn is_thing(rest: &[u8]) -> bool {
    const THINGS: &[&[u8]] = &[b"faktur", b"kvitto", b"referens", b"order", b"avgift", b"telef", b"mobil"];
    let rest = rest.to_ascii_lowercase();
    THINGS.iter().any(|thing| rest.windows(thing.len()).any(|part| part == *thing))
}

/// Whether nothing but signs and words such as `nr` stand between a word and a number of one cell.
fn touches(between: &[u8]) -> bool {
    between.len() <= TOUCH
        && !between
            .iter()
            .any(|byte| matches!(byte, b'\n' | b'\t' | b';' | b'|' | b',') || byte.is_ascii_digit())
        && !ends_sentence(between)
        && between
            .split(|byte| !is_letter(*byte))
            .filter(|word| !word.is_empty())
            .all(|word| FILLERS.iter().any(|filler| word.eq_ignore_ascii_case(filler)))
}

/// Whether a sentence ends there: a stop, a blank and a capital letter. A stop before digits is an abbreviation's.
fn ends_sentence(between: &[u8]) -> bool {
    let ends = |three: &[u8]| matches!(three, [b'.' | b'!' | b'?', b' ' | b'\n' | b'\r', next] if next.is_ascii_uppercase() || *next > 0xC1);
    between.windows(3).any(ends)
}

/// Whether a line without anything stands there, but after the colon of a heading.
fn has_blank_line(between: &[u8]) -> bool {
    let mut blank = false;
    let mut head = true;
    for byte in between {
        match byte {
            b'\n' if blank => return !head,
            b'\n' => blank = true,
            b' ' | b'\t' | b'\r' | b'>' | b':' => {}
            _ => (blank, head) = (false, false),
        }
    }
    false
}

/// Whether the number stands inside something that numbers are part of without meaning anybody: the path of a URL,
/// the id of a message or a part.
pub(super) fn in_reference(bytes: &[u8], at: &Range<usize>) -> bool {
    let before = bytes.get(at.start.saturating_sub(200)..at.start).unwrap_or_default();
    let delimits =
        |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'(' | b',' | b';');
    let from = before.iter().rposition(delimits).map_or(0, |place| place + 1);
    let token = before.get(from..).unwrap_or_default();
    if token.windows(3).any(|three| three == b"://")
        || token.starts_with(b"www.")
        || token.starts_with(b"cid:")
    {
        return true;
    }
    let rest = bytes.get(at.end..(at.end + 200).min(bytes.len())).unwrap_or_default();
    let rest = rest.split(|byte| byte.is_ascii_whitespace() || *byte == b'>').next().unwrap_or_default();
    token.first() == Some(&b'<') && rest.contains(&b'@')
}

/// Whether the octet beside a number is part of a word.
pub(super) fn touches_word(bytes: &[u8], at: Option<usize>) -> bool {
    at.and_then(|at| bytes.get(at)).is_some_and(|byte| is_word(*byte))
}

#[cfg(test)]
mod tests;

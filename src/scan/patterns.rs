//! Patterns: many words looked for at once, in text where most places begin none of them.
//!
//! An automaton of thousands of words is larger than a processor's cache, so each step of it waits for memory. A
//! table that fits in the cache says first, by three octets, whether a word may begin at a place; only from there is
//! the automaton asked.

#![deny(clippy::disallowed_methods)]

use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, MatchKind, StartKind};

use super::fold::is_letter;

/// Where a pattern may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// Where no letter stands before it.
    Word,
    /// Anywhere.
    Any,
}

/// A pattern that stands somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Which pattern it is.
    pub(super) pattern: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Patterns of folded text, whose letters of ASCII stand for their capitals too.
#[derive(Clone, Debug)]
pub(super) struct Patterns {
    automaton: DFA,
    /// What three octets may begin: [`WORD`] and [`INNER`].
    begins: Box<[u8]>,
}

/// A pattern that begins a word.
const WORD: u8 = 1;
/// A pattern that begins within one.
const INNER: u8 = 2;
/// How many places the table has.
const PLACES: usize = 1 << 16;

impl Patterns {
    /// `None` if there are more than an automaton can have.
    pub(super) fn new<P: AsRef<[u8]>>(patterns: impl IntoIterator<Item = (P, At)>) -> Option<Self> {
        let mut begins = vec![0; PLACES].into_boxed_slice();
        let mut texts = Vec::new();
        for (pattern, at) in patterns {
            let flags = if at == At::Any { WORD | INNER } else { WORD };
            let mut mark = |first: u8, second: u8, third: u8| {
                if let Some(place) = begins.get_mut(place(u32::from_le_bytes([first, second, third, 0]))) {
                    *place |= flags;
                }
            };
            match *pattern.as_ref() {
                [] => {}
                [first] => {
                    (0..=255).for_each(|second| (0..=255).for_each(|third| mark(first, second, third)))
                }
                [first, second] => (0..=255).for_each(|third| mark(first, second, third)),
                [first, second, third, ..] => mark(first, second, third),
            }
            texts.push(pattern);
        }
        let automaton = DFA::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .start_kind(StartKind::Anchored)
            .build(texts)
            .ok()?;
        Some(Self { automaton, begins })
    }

    /// All that stand in a text, also within one another; those that begin first come first, and of those the shorter.
    pub(super) fn all<'t>(&'t self, bytes: &'t [u8]) -> impl Iterator<Item = Found> + 't {
        let mut places = self.places(bytes, 0);
        let mut walk: Option<Walk<'t>> = None;
        std::iter::from_fn(move || {
            loop {
                if let Some(found) = walk.as_mut().and_then(Iterator::next) {
                    return Some(found);
                }
                walk = Some(self.walk(bytes, places.next()?));
            }
        })
    }

    /// The longest at the first place where one stands, and so on behind its end.
    pub(super) fn apart<'t>(&'t self, bytes: &'t [u8]) -> impl Iterator<Item = Found> + 't {
        let mut places = self.places(bytes, 0);
        std::iter::from_fn(move || {
            let longest = places.find_map(|place| self.walk(bytes, place).last())?;
            places = self.places(bytes, longest.end);
            Some(longest)
        })
    }

    /// The places from one on where a pattern may begin.
    fn places<'t>(&'t self, bytes: &'t [u8], from: usize) -> Places<'t> {
        Places { begins: &self.begins, bytes, at: from }
    }

    fn walk<'t>(&'t self, bytes: &'t [u8], start: usize) -> Walk<'t> {
        let state = self.automaton.start_state(Anchored::Yes).ok();
        Walk { automaton: &self.automaton, bytes, start, at: start, state, pattern: 0 }
    }
}

/// Where three octets stand in the table, whether their letters are capitals or not.
fn place(octets: u32) -> usize {
    let lower = (octets | 0x0020_2020) & 0x00FF_FFFF;
    (lower.wrapping_mul(0x9E37_79B1) >> 16) as usize
}

struct Places<'t> {
    begins: &'t [u8],
    bytes: &'t [u8],
    at: usize,
}

impl Iterator for Places<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let mut inside =
            self.at.checked_sub(1).and_then(|at| self.bytes.get(at)).is_some_and(|byte| is_letter(*byte));
        while let Some(rest) = self.bytes.get(self.at..).filter(|rest| !rest.is_empty()) {
            let octets = match rest {
                [first, second, third, fourth, ..] => [*first, *second, *third, *fourth],
                [first, second, third] => [*first, *second, *third, 0],
                [first, second] => [*first, *second, 0, 0],
                _ => [rest.first().copied().unwrap_or_default(), 0, 0, 0],
            };
            let wanted = if inside { INNER } else { WORD };
            let flags = self.begins.get(place(u32::from_le_bytes(octets))).copied().unwrap_or_default();
            inside = is_letter(octets[0]);
            let at = self.at;
            self.at += 1;
            if flags & wanted != 0 {
                return Some(at);
            }
        }
        None
    }
}

/// The patterns that begin at one place.
struct Walk<'t> {
    automaton: &'t DFA,
    bytes: &'t [u8],
    start: usize,
    at: usize,
    state: Option<StateID>,
    /// Which pattern of this state is next.
    pattern: usize,
}

impl Iterator for Walk<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            let state = self.state?;
            if self.automaton.is_match(state) {
                while self.pattern < self.automaton.match_len(state) {
                    let pattern = self.automaton.match_pattern(state, self.pattern);
                    self.pattern += 1;
                    // A state names what ends there, wherever it began.
                    if self.start + self.automaton.pattern_len(pattern) == self.at {
                        return Some(Found { pattern: pattern.as_usize(), start: self.start, end: self.at });
                    }
                }
            }
            let next =
                self.bytes.get(self.at).map(|byte| self.automaton.next_state(Anchored::Yes, state, *byte));
            self.state = next.filter(|next| !self.automaton.is_dead(*next));
            self.at += 1;
            self.pattern = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use aho_corasick::AhoCorasick;

    use super::*;

    fn found(patterns: &[(&str, At)], text: &str) -> (Vec<String>, Vec<String>) {
        let patterns = Patterns::new(patterns.iter().copied()).unwrap();
        let words = |found: Found| text[found.start..found.end].to_owned();
        (
            patterns.all(text.as_bytes()).map(words).collect(),
            patterns.apart(text.as_bytes()).map(words).collect(),
        )
    }

    #[test]
    fn words_and_parts_of_them() {
        let patterns = [
            ("tal", At::Word),
            ("faktur", At::Any),
            ("fakturan", At::Word),
            ("nr", At::Word),
            ("n", At::Word),
        ];
        let (all, apart) = found(&patterns, "Avtal TAL Slutfaktura fakturan Nr n");
        assert_eq!(all, ["TAL", "faktur", "faktur", "fakturan", "N", "Nr", "n"]);
        assert_eq!(apart, ["TAL", "faktur", "fakturan", "Nr", "n"]);
    }

    #[test]
    fn the_same_as_without_the_table() {
        let patterns = ["a", "ab", "abc", "bc", "cab", "\u{e5}b", "b a", "cc"];
        let patterns: Vec<Vec<u8>> =
            patterns.iter().map(|text| text.chars().map(|c| u8::try_from(c).unwrap()).collect()).collect();
        let plain = AhoCorasick::builder().ascii_case_insensitive(true).build(&patterns).unwrap();
        let quick = Patterns::new(patterns.iter().map(|pattern| (pattern, At::Any))).unwrap();
        let mut seed = 1_u32;
        for length in 0..400 {
            let text: Vec<u8> = (0..length % 40)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    b"abcABC \xe5"[(seed >> 24) as usize % 8]
                })
                .collect();
            let mut expected: Vec<_> = plain
                .find_overlapping_iter(&text)
                .map(|found| Found {
                    pattern: found.pattern().as_usize(),
                    start: found.start(),
                    end: found.end(),
                })
                .collect();
            expected.sort_by_key(|found| (found.start, found.end));
            assert_eq!(quick.all(&text).collect::<Vec<_>>(), expected, "{text:?}");
        }
    }
}

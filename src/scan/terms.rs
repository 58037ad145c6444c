//! Terms: the vocabulary of sensitive categories, one automaton over all of it.
//!
//! A list has one term on each line: category, weight (1 to 3), mode, term, with tabs between. The modes are how a
//! word may go on: `w` a whole word with its endings, `p` the beginning of a word, `i` anywhere in a word (Swedish
//! compounds), `x` a phrase, open at its end with `*`. Blanks in a term stand for any white space. A term also matches
//! with its å, ä and ö lost or written a and o, for one point less.

#![deny(clippy::disallowed_methods)]

use std::collections::HashSet;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::fold::{self, LOST, is_word};
use crate::text::words;

words! {
    /// A category of sensitive data.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Category {
        /// Health (GDPR article 9).
        Health = "health",
        /// Social services (OSL chapter 26).
        Social = "social",
        /// Membership of a trade union (article 9).
        Union = "union",
        /// Religious or philosophical belief (article 9).
        Religion = "religion",
        /// Ethnic origin (article 9).
        Ethnicity = "ethnicity",
        /// Sex life and orientation (article 9).
        Sexuality = "sexuality",
        /// Political opinion (article 9).
        Politics = "politics",
        /// Biometric and genetic data (article 9).
        Biometrics = "biometrics",
        /// Offences (article 10).
        Crime = "crime",
        /// Protected identity (OSL 21:3, 22:1).
        Protected = "protected",
        /// School and children.
        School = "school",
    }
}

/// The lists that come with the program.
const SHIPPED: [&str; 11] = [
    include_str!("../../config/terms/health.tsv"),
    include_str!("../../config/terms/social.tsv"),
    include_str!("../../config/terms/union.tsv"),
    include_str!("../../config/terms/religion.tsv"),
    include_str!("../../config/terms/ethnicity.tsv"),
    include_str!("../../config/terms/sexuality.tsv"),
    include_str!("../../config/terms/politics.tsv"),
    include_str!("../../config/terms/biometrics.tsv"),
    include_str!("../../config/terms/crime.tsv"),
    include_str!("../../config/terms/protected.tsv"),
    include_str!("../../config/terms/school.tsv"),
];

/// How a term may stand in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A whole word, with endings.
    Word,
    /// The beginning of a word.
    Prefix,
    /// Anywhere in a word.
    Infix,
    /// A phrase; `true` where it may go on.
    Phrase(bool),
}

/// One term.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Term {
    /// Its category.
    pub category: Category,
    /// How much it says, 1 to 3.
    pub weight: u8,
    /// How it may stand in a word.
    pub mode: Mode,
    /// The term, folded.
    pub text: Vec<u8>,
}

/// The terms of a list; on failure the number of the line, from 1, and what is wrong with it.
pub fn parse(text: &str) -> Result<Vec<Term>, (usize, String)> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim_end()));
    let lines = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(|(at, line)| term(line).map_err(|wrong| (at, wrong))).collect()
}

fn term(line: &str) -> Result<Term, String> {
    let mut fields = line.split('\t');
    let (Some(category), Some(weight), Some(mode), Some(text), None) =
        (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err("is not four fields separated by tabs: category, weight, mode, term".into());
    };
    let category = Category::ALL
        .into_iter()
        .find(|known| known.as_str() == category)
        .ok_or_else(|| format!("unknown category \"{category}\""))?;
    let weight = match weight {
        "1" => 1,
        "2" => 2,
        "3" => 3,
        _ => return Err("the weight is not 1, 2 or 3".into()),
    };
    let (text, mode) = match (mode, text.strip_suffix('*')) {
        ("w", None) => (text, Mode::Word),
        ("p", None) => (text, Mode::Prefix),
        ("i", None) => (text, Mode::Infix),
        ("x", None) => (text, Mode::Phrase(false)),
        ("x", Some(open)) => (open, Mode::Phrase(true)),
        (_, Some(_)) => return Err("only a phrase (x) may end in *".into()),
        (_, None) => return Err("the mode is not w, p, i or x".into()),
    };
    let folded = fold::term(text.trim()).filter(|folded| folded.len() > 1);
    let text = folded.ok_or("the term is too short, or contains an unsupported character")?;
    Ok(Term { category, weight, mode, text })
}

/// The terms that come with the program; a test reads every list.
pub fn shipped() -> Vec<Term> {
    SHIPPED.iter().filter_map(|list| parse(list).ok()).flatten().collect()
}

/// A term that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its category.
    pub category: Category,
    /// Which term it is.
    pub term: usize,
    /// How much it says.
    pub weight: u8,
    /// Where it stands in the folded text.
    pub at: Range<usize>,
}

/// All terms, ready to be looked for.
#[derive(Clone, Debug)]
pub struct Terms {
    all: Vec<Term>,
    needles: Vec<Needle>,
    automaton: AhoCorasick,
    /// Octets that the longest of them may take, with all its blanks.
    reach: usize,
}

/// What the automaton looks for: the longest word of a term, in one of its spellings.
#[derive(Clone, Copy, Debug)]
struct Needle {
    term: usize,
    /// Where in the term it begins.
    from: usize,
    /// Points that are lost because letters are.
    less: u8,
}

/// Why terms cannot be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are too many terms")]
pub struct TooMany;

impl Terms {
    /// An automaton over these terms.
    pub fn new(terms: Vec<Term>) -> Result<Self, TooMany> {
        let mut needles = Vec::new();
        let mut patterns: Vec<Vec<u8>> = Vec::new();
        for (at, term) in terms.iter().enumerate() {
            let word = longest_word(&term.text);
            let from = word.start;
            let text = term.text.get(word).unwrap_or_default();
            let mut spellings = vec![(text.to_vec(), 0)];
            if term.weight > 1 && text.iter().any(|byte| plain(*byte) != *byte) {
                spellings.push((text.iter().map(|byte| plain(*byte)).collect(), 1));
                let lost = |byte: &u8| if plain(*byte) == *byte { *byte } else { LOST };
                spellings.push((text.iter().map(lost).collect(), 1));
            }
            for (pattern, less) in spellings {
                patterns.push(pattern);
                needles.push(Needle { term: at, from, less });
            }
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(patterns)
            .map_err(|_| TooMany)?;
        let octets = |term: &Term| term.text.len() + memchr::memchr_iter(b' ', &term.text).count() * BLANKS;
        let reach = terms.iter().map(octets).max().unwrap_or_default();
        Ok(Self { all: terms, needles, automaton, reach })
    }

    /// The terms in a folded text, one after the other.
    pub fn find<'t>(&'t self, bytes: &'t [u8]) -> impl Iterator<Item = Hit> + 't {
        self.within(bytes, 0..bytes.len())
    }

    /// The terms that stand in some stretches of a folded text, or go beyond their ends; the stretches follow one
    /// another. Some that stand near them may be among these, each once.
    pub fn find_in<'t>(
        &'t self,
        bytes: &'t [u8],
        stretches: impl IntoIterator<Item = Range<usize>> + 't,
    ) -> impl Iterator<Item = Hit> + 't {
        let mut joined: Vec<Range<usize>> = Vec::new();
        for stretch in stretches {
            let stretch = stretch.start.saturating_sub(self.reach)..stretch.end + self.reach;
            match joined.last_mut() {
                Some(last) if stretch.start <= last.end => last.end = last.end.max(stretch.end),
                _ => joined.push(stretch),
            }
        }
        joined.into_iter().flat_map(move |stretch| self.within(bytes, stretch))
    }

    /// The terms whose needles are all inside of that stretch.
    fn within<'t>(&'t self, bytes: &'t [u8], stretch: Range<usize>) -> impl Iterator<Item = Hit> + 't {
        let stretch = stretch.start.min(bytes.len())..stretch.end.min(bytes.len());
        let input = aho_corasick::Input::new(bytes).span(stretch);
        self.automaton.find_overlapping_iter(input).filter_map(|found| {
            let needle = self.needles.get(found.pattern().as_usize())?;
            let term = self.all.get(needle.term)?;
            let at = stands(bytes, term, needle.from, found.start())?;
            let weight = term.weight - needle.less;
            Some(Hit { category: term.category, term: needle.term, weight, at })
        })
    }
}

/// A category with its points and the number of different terms.
pub type Score = (Category, usize, usize);

/// The points of each category: of each distinct term once.
pub fn scores<'h>(hits: impl Iterator<Item = &'h Hit>) -> Vec<Score> {
    let mut seen = HashSet::new();
    let mut scores: Vec<Score> = Vec::new();
    for hit in hits {
        if !seen.insert(hit.term) {
            continue;
        }
        match scores.iter_mut().find(|(category, ..)| *category == hit.category) {
            Some((_, points, terms)) => (*points, *terms) = (*points + usize::from(hit.weight), *terms + 1),
            None => scores.push((hit.category, usize::from(hit.weight), 1)),
        }
    }
    scores.sort();
    scores
}

fn longest_word(text: &[u8]) -> Range<usize> {
    let mut longest = 0..0;
    let mut from = 0;
    for word in text.split(|byte| *byte == b' ') {
        if word.len() > longest.len() {
            longest = from..from + word.len();
        }
        from += word.len() + 1;
    }
    longest
}

/// The letter without its ring or dots.
fn plain(byte: u8) -> u8 {
    match byte {
        0xE5 | 0xE4 => b'a',
        0xF6 => b'o',
        0xE9 => b'e',
        byte => byte,
    }
}

/// Whether the whole term stands where its needle was found, and its ends are as its mode wants.
fn stands(bytes: &[u8], term: &Term, from: usize, needle: usize) -> Option<Range<usize>> {
    let start = backwards(bytes, term.text.get(..from)?, needle)?;
    let end = forwards(bytes, term.text.get(from..)?, needle)?;
    let at_start = start.checked_sub(1).and_then(|at| bytes.get(at)).is_none_or(|byte| !is_word(*byte));
    let rest = bytes.get(end..)?;
    let letters = rest.iter().take(12).take_while(|byte| is_word(**byte)).count();
    let whole = match term.mode {
        Mode::Infix => at_start || from == 0,
        Mode::Prefix | Mode::Phrase(true) => at_start,
        Mode::Phrase(false) => at_start && letters == 0,
        Mode::Word => at_start && is_ending(rest.get(..letters)?),
    };
    whole.then_some(start..end)
}

/// Blanks that may stand for one in a term.
const BLANKS: usize = 40;

/// Walks over `text` from a place on, its blanks being any white space and quote marks; says where it ends.
fn forwards(bytes: &[u8], text: &[u8], at: usize) -> Option<usize> {
    text.iter().try_fold(at, |at, wanted| {
        if *wanted != b' ' {
            return same(*wanted, *bytes.get(at)?).then_some(at + 1);
        }
        let blanks = bytes.get(at..)?.iter().take(BLANKS).take_while(|byte| is_blank(**byte)).count();
        (blanks > 0).then_some(at + blanks)
    })
}

/// Walks back over `text` to where it begins.
fn backwards(bytes: &[u8], text: &[u8], at: usize) -> Option<usize> {
    text.iter().rev().try_fold(at, |at, wanted| {
        if *wanted != b' ' {
            let before = at.checked_sub(1)?;
            return same(*wanted, *bytes.get(before)?).then_some(before);
        }
        let blanks = bytes.get(..at)?.iter().rev().take(BLANKS).take_while(|byte| is_blank(**byte)).count();
        (blanks > 0).then_some(at - blanks)
    })
}

fn same(wanted: u8, found: u8) -> bool {
    let found = found.to_ascii_lowercase();
    wanted == found || plain(wanted) == found || (found == LOST && plain(wanted) != wanted)
}

fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == b'>'
}

/// Endings of Swedish nouns, adjectives and verbs.
fn is_ending(letters: &[u8]) -> bool {
    const ENDINGS: &[&[u8]] = &[
        b"", b"a", b"an", b"ar", b"are", b"aren", b"arens", b"arna", b"arnas", b"ars", b"as", b"de", b"e",
        b"en", b"ena", b"enas", b"ens", b"er", b"erna", b"ernas", b"ers", b"es", b"et", b"ets", b"n", b"na",
        b"nas", b"ns", b"or", b"orna", b"ornas", b"r", b"ren", b"s", b"t", b"ts", b"skt", b"sk", b"ska",
    ];
    let mut buffer = [0; 12];
    let Some(lower) = buffer.get_mut(..letters.len()) else { return false };
    lower.copy_from_slice(letters);
    lower.make_ascii_lowercase();
    ENDINGS.contains(&&*lower)
}

//! Persons who are named and not numbered: a name with a day of birth, or with a number whose last four are masked, in
//! one sentence or row. What they are with words of a category there, the rules know; alone they are nothing.

#![deny(clippy::disallowed_methods)]

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use jiff::civil::Date;
use memchr::{memchr, memchr_iter, memchr2, memchr3_iter};

use super::birth::{self, Birth};
use super::context::{Context, Known, Said};
use super::fold::{self, Folded, is_letter};
use super::shape;
use crate::limits;

/// A day of birth or a masked number, with the sentence or row that it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// Where it stands in the folded text.
    pub at: Range<usize>,
    /// The sentence or row.
    pub sentence: Range<usize>,
    /// Whether somebody is named beside it; a masked number may stand alone.
    pub named: bool,
    /// What it has in common with another of the same day and last four; to count with, never to be shown.
    pub key: u64,
}

/// The years of an event that is more likely the day of something else than of a birth, where no word says which.
const MODERN_YEAR: i16 = 1995;
/// Years that nobody lives.
const LIFE_YEARS: i16 = 110;
/// Octets between the words of a name, and between a name and a day of birth that touches it.
const GAP: usize = 4;
/// Words that may stand between a name and a day of birth.
const LABELS: &[&[u8]] = &[
    b"f\xF6dd",
    b"f\xF6dda",
    b"fodd",
    b"f",
    b"f\xF6delsedatum",
    b"den",
    b"pnr",
    b"personnummer",
    b"personnr",
    b"born",
    b"dob",
];
/// Endings of surnames that no list has in full.
const SURNAME_ENDINGS: &[&[u8]] = &[
    b"sson",
    b"qvist",
    b"kvist",
    b"str\xF6m",
    b"gren",
    b"lund",
    b"berg",
    b"dahl",
    b"stedt",
    b"blad",
    b"blom",
    b"feldt",
    b"strand",
    b"ovic",
    b"ovi\xC0",
];
/// Letters of the shortest surname that is known by its ending.
const SURNAME_LETTERS: usize = 7;

struct Names {
    first: HashSet<Vec<u8>>,
    last: HashSet<Vec<u8>>,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let list = |text: &str| {
        let names = text.lines().filter(|line| !line.starts_with('#'));
        names.filter_map(fold::term).collect()
    };
    Names {
        first: list(include_str!("../../config/names/first-names.txt")),
        last: list(include_str!("../../config/names/surnames.txt")),
    }
});

/// The persons of a text who have no number in it, in their order. `known` are the words of this text; `today` is when
/// the mail came; `tabular` says that the text is a table.
pub fn mentions(folded: &Folded<'_>, known: &Known, today: Date, tabular: bool) -> Vec<Mention> {
    let bytes = folded.bytes();
    let context = Context::new(bytes, known, tabular);
    let mut sentences = Sentences { bytes, tabular, current: 0..0 };
    let mut found = Vec::new();
    let (mut at, mut look) = (0, limits::WORK_OCTETS);
    while let Some(start) = shape::next_digit(bytes, at) {
        at = shape::digits_end(bytes, start);
        if let Some(birth) = birth::at(bytes, start, today) {
            at = at.max(birth.at.end);
            let sentence = sentences.around(birth.at.start);
            found.extend(mention(bytes, &context, birth, sentence, today));
        }
        if found.len() >= limits::NUMBERS {
            break;
        }
        if at >= look {
            look = at + limits::WORK_OCTETS;
            if !folded.goes_on() {
                break;
            }
        }
    }
    found
}

fn mention(
    bytes: &[u8],
    context: &Context<'_>,
    birth: Birth,
    sentence: Range<usize>,
    today: Date,
) -> Option<Mention> {
    let Birth { at, date, masked, key } = birth;
    let words = || words(bytes, &sentence);
    let touching = || touching(bytes, &words(), at.start);
    let mention = |named| Some(Mention { at: at.clone(), sentence: sentence.clone(), named, key });
    if masked {
        return mention(touching() || has_name(bytes, &words(), true));
    }
    if date.year() + LIFE_YEARS < today.year() {
        return None;
    }
    // Names are looked for last: most days are not of a birth, and nearly every text has some.
    if context.said(&at, false) == Said::Identity {
        return if touching() || has_name(bytes, &words(), true) { mention(true) } else { None };
    }
    // Beside a name alone, a day of these years is likelier the day of something else.
    let beside = date.year() < MODERN_YEAR && touching() && has_name(bytes, &words(), false);
    if beside { mention(true) } else { None }
}

/// The words of a sentence.
fn words(bytes: &[u8], sentence: &Range<usize>) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut at = sentence.start;
    while at < sentence.end {
        let rest = bytes.get(at..sentence.end).unwrap_or_default();
        let Some(next) = rest.iter().position(|byte| is_letter(*byte)) else { break };
        let letters = rest.iter().skip(next).take_while(|byte| is_letter(**byte) || **byte == b'-').count();
        words.push(at + next..at + next + letters);
        at += next + letters;
    }
    words
}

/// Whether a name of the lists stands among the words; one alone is enough where a word says that the day is one of
/// birth.
fn has_name(bytes: &[u8], words: &[Range<usize>], labelled: bool) -> bool {
    let names = &*NAMES;
    let text = |at: &Range<usize>| bytes.get(at.clone()).unwrap_or_default();
    if labelled && words.iter().any(|word| is_capital(text(word)) && names.is_first(text(word))) {
        return true;
    }
    words.windows(2).any(|pair| {
        let [one, next] = pair else { return false };
        let gap = bytes.get(one.end..next.start).unwrap_or_default();
        let (one, next) = (text(one), text(next));
        let capital = is_capital(one) && is_capital(next);
        let both =
            (names.is_first(one) && names.is_last(next)) || (names.is_last(one) && names.is_first(next));
        let known = both || (capital && names.is_first(one) && gap == b" ");
        let ending = capital && names.is_first(next) && has_surname_ending(one);
        is_gap(gap) && (known || ending)
    })
}

impl Names {
    fn is_first(&self, word: &[u8]) -> bool {
        let word = word.to_ascii_lowercase();
        let first = word.split(|byte| *byte == b'-').next().unwrap_or_default();
        with_and_without_s(first).any(|word| self.first.contains(word))
    }

    fn is_last(&self, word: &[u8]) -> bool {
        let word = word.to_ascii_lowercase();
        with_and_without_s(&word).any(|word| self.last.contains(word)) || has_surname_ending(&word)
    }
}

/// A name and what it is the genitive of.
fn with_and_without_s(word: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::once(word).chain(word.strip_suffix(b"s"))
}

fn has_surname_ending(word: &[u8]) -> bool {
    let word = word.to_ascii_lowercase();
    word.len() >= SURNAME_LETTERS
        && with_and_without_s(&word).any(|word| SURNAME_ENDINGS.iter().any(|ending| word.ends_with(ending)))
}

/// Whether two capital words stand right before a day of birth, with nothing but signs and a label between: whoever is
/// born is somebody, whatever the lists know.
fn touching(bytes: &[u8], words: &[Range<usize>], at: usize) -> bool {
    let before = words.get(..words.partition_point(|word| word.end <= at)).unwrap_or_default();
    let text = |at: &Range<usize>| bytes.get(at.clone()).unwrap_or_default();
    let (mut from, mut names) = (at, before);
    while let Some((last, rest)) = names.split_last()
        && LABELS.contains(&&*text(last).to_ascii_lowercase())
    {
        (from, names) = (last.start, rest);
    }
    let [.., one, next] = names else { return false };
    let gap = |from: usize, to: usize| bytes.get(from..to).unwrap_or_default();
    is_capital(text(one))
        && is_capital(text(next))
        && is_gap(gap(one.end, next.start))
        && is_gap(gap(next.end, from))
}

/// Whether nothing but blanks and signs stand there, as between the words of a name or two cells.
fn is_gap(gap: &[u8]) -> bool {
    gap.len() <= GAP && gap.iter().all(|byte| b" ,\t;|\"\r\n()".contains(byte))
}

/// Whether the word begins with a capital letter; what is not ASCII has lost its case.
fn is_capital(word: &[u8]) -> bool {
    word.first().is_some_and(|byte| byte.is_ascii_uppercase() || *byte >= fold::LETTER)
}

/// A walk through the sentences and rows of a text, none of which is longer than a limit.
struct Sentences<'a> {
    bytes: &'a [u8],
    tabular: bool,
    current: Range<usize>,
}

impl Sentences<'_> {
    /// The one that a place is in. Places are asked for in their order.
    fn around(&mut self, at: usize) -> Range<usize> {
        while self.current.end <= at && self.current.end < self.bytes.len() {
            self.current = self.next(self.current.end);
        }
        self.current.clone()
    }

    fn next(&self, start: usize) -> Range<usize> {
        let most = (start + limits::SENTENCE_OCTETS).min(self.bytes.len());
        let text = self.bytes.get(start..most).unwrap_or_default();
        let line = memchr(b'\n', text).map_or(text.len(), |end| end + 1);
        if self.is_row(text.get(..line).unwrap_or_default()) {
            return start..start + line;
        }
        let ends = |at: usize| match text.get(at..).unwrap_or_default() {
            [b'.' | b'!' | b'?', blank, next, ..] if blank.is_ascii_whitespace() => {
                next.is_ascii_uppercase() || *next > fold::LOST
            }
            // A line without anything, and a row of a table.
            [b'\n', rest @ ..] => {
                let line = memchr(b'\n', rest).and_then(|end| rest.get(..end)).unwrap_or(rest);
                line.iter().all(|byte| byte.is_ascii_whitespace() || *byte == b'>') || self.is_row(line)
            }
            _ => false,
        };
        let (lines, stops) = (memchr_iter(b'\n', text), memchr3_iter(b'.', b'!', b'?', text));
        let line = lines.into_iter().find(|at| ends(*at)).unwrap_or(text.len());
        let end = stops.take_while(|at| *at < line).find(|at| ends(*at)).unwrap_or(line);
        start..start + (end + 1).min(text.len()).max(1)
    }

    fn is_row(&self, line: &[u8]) -> bool {
        self.tabular || memchr2(b'\t', b'|', line).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The masked numbers and days of birth in a text, and whether somebody is named beside each.
    fn found(text: &str, tabular: bool) -> Vec<(&str, bool)> {
        let folded = Folded::new(text);
        let mentions = mentions(&folded, &Known::default(), "2026-06-01".parse().unwrap(), tabular);
        mentions
            .into_iter()
            .map(|mention| {
                (&text[folded.offset(mention.at.start)..folded.offset(mention.at.end)], mention.named)
            })
            .collect()
    }

    #[test]
    fn a_name_with_a_day_of_birth_or_a_masked_number() {
        for (text, at) in [
            ("Anna Svensson, född 1981-12-28, är här", "1981-12-28"),
            ("Anna Svensson (f. 811228) är här", "811228"),
            ("Anna Svensson 811228-XXXX", "811228-XXXX"),
            ("Svensson, Anna; 19811228-****", "19811228-****"),
            ("ANNA SVENSSON 19811228", "19811228"),
            ("Annas pappa, född den 28 december 1981", "28 december 1981"),
            ("Åsa Öberg född 28/12 1981", "28/12 1981"),
            ("erik johansson född 28.12.1981", "28.12.1981"),
            ("Zbyněk Hořčička, f. 1981-12-28", "1981-12-28"),
            ("Fatima al-Sayed, född 2014-03-04", "2014-03-04"),
            ("Eleven Lova, född 140304,", "140304"),
            ("född 1981-12-28 är Anna Svensson", "1981-12-28"),
        ] {
            assert_eq!(found(text, false), [(at, true)], "{text}");
        }
        let table = "Namn;Född;Anm\nAnna Svensson;2014-03-04;x\nZoran Petrovic;140305;y\n";
        assert_eq!(found(table, true), [("2014-03-04", true), ("140305", true)]);
        assert_eq!(found("Eleven 811228-XXXX är hemma", false), [("811228-XXXX", false)]);
    }

    #[test]
    fn days_of_something_else_and_other_sentences() {
        for text in [
            "Anna Svensson, 2026-05-04",
            "Anna Svensson är ledig från 2026-05-04 till 2026-06-05",
            "Protokoll fört av Anna Svensson 1999-05-04",
            "Mötet den 1981-12-28 leddes av Anna Svensson.",
            "Anna Svensson kom. Mötet är 1981-12-28.",
            "Anna Svensson, född 1981-12-28-9874",
            "Anna Svensson, född 198112289874",
            "Astrid Lindgren, född 14 november 1907",
            "lova att barnet född 1981-12-28 kommer",
            "Barnet, född 1981-12-28, är här",
            "Anna\n\nfödd 1981-12-28",
            "Namn\tAnna\nFödd\t1981-12-28\n",
        ] {
            assert_eq!(found(text, false), [], "{text}");
        }
    }
}

//! Reading: the passages of a mail with the numbers in them, and the terms that stand near those.

#![deny(clippy::disallowed_methods)]

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use jiff::civil::Date;

use super::settings::Vocabulary;
use crate::facts::Facts;
use crate::facts::passage::{Passage, Place};
use crate::limits;
use crate::scan::fold::Folded;
use crate::scan::named::{self, Mention};
use crate::scan::terms::{self, Category, Hit, Score, Terms};
use crate::scan::{self, Confidence, Kind, Known, Number};
use crate::work::Work;

/// Points that a category needs near a number that is surely a person's.
const POINTS: usize = 3;
/// Points that it needs near one that may be.
const POINTS_MEDIUM: usize = 5;
/// Octets between an address and the words that somebody's identity is protected.
const ADDRESS_REACH: usize = 200;

/// A mail, read for numbers.
pub(super) struct Reading<'a> {
    texts: Vec<Text<'a>>,
    persons: usize,
}

/// One passage, with what is in it.
struct Text<'a> {
    passage: &'a Passage,
    folded: Folded<'a>,
    known: Known,
    /// Those that are not weak, and not the organisation's own.
    numbers: Vec<Number>,
    /// Texts of the organisation's own, in which no term counts.
    own: Vec<Range<usize>>,
    tabular: bool,
}

/// The numbers of one kind in one passage.
pub(super) struct Seen<'r> {
    pub(super) first: &'r Number,
    pub(super) different: usize,
    pub(super) folded: &'r Folded<'r>,
    pub(super) passage: &'r Passage,
}

impl<'a> Reading<'a> {
    pub(super) fn of(facts: &'a Facts, today: Date, vocabulary: &Vocabulary) -> Self {
        let Facts { passages, work, .. } = facts;
        let passages = passages.iter().take_while(|_| work.goes_on());
        let texts: Vec<Text<'a>> =
            passages.map(|passage| Text::read(passage, work, today, vocabulary)).collect();
        let surely = |number: &&Number| is_person(number) && number.sure == Confidence::Strong;
        let persons = different(texts.iter().flat_map(|text| &text.numbers).filter(surely));
        Self { texts, persons }
    }

    /// Every number that is not weak.
    pub(super) fn numbers(&self) -> impl Iterator<Item = &Number> {
        self.texts.iter().flat_map(|text| &text.numbers)
    }

    /// How many different persons there surely are.
    pub(super) fn persons(&self) -> usize {
        self.persons
    }

    /// How many different numbers of a kind there are.
    pub(super) fn different(&self, kind: Kind) -> usize {
        different(self.numbers().filter(|number| number.kind == kind))
    }

    /// The numbers by passage and kind.
    pub(super) fn sightings(&self) -> impl Iterator<Item = Seen<'_>> {
        self.texts.iter().flat_map(|text| {
            Kind::ALL.into_iter().filter_map(|kind| {
                let of_kind = || text.numbers.iter().filter(move |number| number.kind == kind);
                let first = of_kind().max_by_key(|number| (number.sure, Reverse(number.at.start)))?;
                let different = different(of_kind());
                Some(Seen { first, different, folded: &text.folded, passage: text.passage })
            })
        })
    }

    /// Persons who have no number, beside words of a category.
    pub(super) fn without_number(&self, today: Date, terms: &Terms) -> Vec<Persons<'_>> {
        let texts = self.texts.iter().filter(|text| text.passage.place != Place::DisplayName);
        let texts = texts.take_while(|text| text.folded.goes_on());
        texts.flat_map(|text| text.persons(today, terms)).collect()
    }

    /// The categories whose terms stand near a person's number, with the number of different terms.
    pub(super) fn near(&self, terms: &Terms) -> BTreeMap<Category, usize> {
        let mut near = BTreeMap::new();
        let anywhere = self.texts.iter().any(|text| text.is_global() && text.has_person());
        if !anywhere && !self.texts.iter().any(|text| text.has_person() || text.has_address()) {
            return near;
        }
        let sure = self.numbers().any(|number| is_person(number) && number.sure == Confidence::Strong);
        let points = if sure { POINTS } else { POINTS_MEDIUM };
        let texts = self.texts.iter().filter(|text| text.passage.place != Place::DisplayName);
        let hits: Vec<(&Text<'_>, Hits)> = texts
            .filter(|text| anywhere || text.is_global() || text.has_person() || text.has_address())
            .take_while(|text| text.folded.goes_on())
            .map(|text| (text, text.hits(terms, anywhere || text.is_global())))
            .collect();
        let global: Vec<&Hit> =
            hits.iter().filter(|(text, _)| text.is_global()).flat_map(|(_, hits)| &hits.near).collect();
        for (text, hits) in &hits {
            text.protected_address(&hits.protected, &mut near);
            if anywhere || text.has_person() {
                add(&mut near, terms::scores(hits.near.iter().chain(global.iter().copied())), points);
            }
        }
        near
    }
}

/// Persons of one text who have no number there, beside words of a category.
pub(super) struct Persons<'r> {
    /// Whether they are named; else their numbers are masked.
    pub(super) named: bool,
    /// Where the first of them stands.
    pub(super) first: usize,
    pub(super) different: usize,
    /// The categories in their sentences and rows, with the number of different terms.
    pub(super) near: BTreeMap<Category, usize>,
    pub(super) folded: &'r Folded<'r>,
    pub(super) passage: &'r Passage,
}

impl<'a> Text<'a> {
    /// Those who are named, and those whose number is masked, in sentences and rows without another number.
    fn persons(&self, today: Date, terms: &Terms) -> impl Iterator<Item = Persons<'_>> {
        let (mut named, mut masked): (Vec<Mention>, Vec<Mention>) = (Vec::new(), Vec::new());
        let (mut near_named, mut near_masked) = (BTreeMap::new(), BTreeMap::new());
        let mut known: Option<(Range<usize>, Vec<Score>)> = None;
        for mention in named::mentions(&self.folded, &self.known, today, self.tabular) {
            let sentence = mention.sentence.clone();
            if self.has_person_in(&sentence) || within(&self.own, &mention.at) {
                continue;
            }
            // Several persons of one sentence have the same words beside them.
            let (_, scores) = match known.take().filter(|(at, _)| *at == sentence) {
                Some(known) => known,
                None => (sentence.clone(), self.scores_in(&sentence, terms)),
            };
            if scores.iter().any(|(_, points, _)| *points >= POINTS) {
                let (persons, near) = if mention.named {
                    (&mut named, &mut near_named)
                } else {
                    (&mut masked, &mut near_masked)
                };
                add(near, scores.clone(), POINTS);
                persons.push(mention);
            }
            known = Some((sentence, scores));
        }
        let persons = |named: bool, persons: Vec<Mention>, near| {
            let first = persons.first()?.at.start;
            let different = persons.iter().map(|person| person.key).collect::<HashSet<u64>>().len();
            Some(Persons { named, first, different, near, folded: &self.folded, passage: self.passage })
        };
        [persons(true, named, near_named), persons(false, masked, near_masked)].into_iter().flatten()
    }

    /// The points of each category in a sentence.
    fn scores_in(&self, sentence: &Range<usize>, terms: &Terms) -> Vec<Score> {
        let text = self.folded.bytes().get(sentence.clone()).unwrap_or_default();
        let place = |hit: &Hit| hit.at.start + sentence.start..hit.at.end + sentence.start;
        let hits: Vec<Hit> = terms.find(text).filter(|hit| !within(&self.own, &place(hit))).collect();
        terms::scores(hits.iter())
    }

    /// Whether a person's number stands there.
    fn has_person_in(&self, sentence: &Range<usize>) -> bool {
        let from = self.numbers.partition_point(|number| number.at.start < sentence.start);
        let rest = self.numbers.get(from..).unwrap_or_default().iter();
        rest.take_while(|number| number.at.start < sentence.end).any(is_person)
    }

    fn read(passage: &'a Passage, work: &'a Work, today: Date, vocabulary: &Vocabulary) -> Self {
        let folded = passage.folded(work);
        let tabular = is_table(passage);
        let known = Known::default();
        let mut numbers = scan::numbers(&folded, &known, today, tabular);
        if numbers.iter().any(Number::needs_category) {
            confirm(&mut numbers, &vocabulary.terms, &folded, tabular);
        }
        let own = vocabulary.own_texts.find(folded.bytes());
        numbers.retain(|number| {
            let ours = vocabulary.own_numbers.contains(&number.key) || within(&own, &number.at);
            number.sure > Confidence::Weak && !ours && vocabulary.seeks(number.kind)
        });
        Self { passage, folded, known, numbers, own, tabular }
    }

    fn has_person(&self) -> bool {
        self.numbers.iter().any(is_person)
    }

    fn has_address(&self) -> bool {
        self.numbers.iter().any(is_address)
    }

    /// Whether what stands here is said of the whole mail.
    fn is_global(&self) -> bool {
        matches!(self.passage.place, Place::Subject | Place::AttachmentName)
    }

    /// The terms that count. Each is kept once, for a text may be nothing but terms.
    fn hits(&self, terms: &Terms, everywhere: bool) -> Hits {
        let near = Near::of(self.numbers.iter().filter(|number| is_person(number)), limits::NEAR_OCTETS);
        let beside = Near::of(self.numbers.iter().filter(|number| is_address(number)), ADDRESS_REACH);
        let mut known = HashSet::new();
        let mut hits = Hits::default();
        let mut look = limits::WORK_OCTETS;
        let all = 0..self.folded.bytes().len();
        let stretches: Vec<Range<usize>> =
            if everywhere || self.tabular { vec![all] } else { near.and(&beside) };
        for hit in terms.find_in(self.folded.bytes(), stretches) {
            if hit.at.start >= look {
                look = hit.at.start + limits::WORK_OCTETS;
                if !self.folded.goes_on() {
                    break;
                }
            }
            let protects = hit.category == Category::Protected && beside.reaches(&hit.at);
            let counts = !known.contains(&hit.term) && (everywhere || self.tabular || near.reaches(&hit.at));
            if (!protects && !counts) || within(&self.own, &hit.at) {
                continue;
            }
            if protects && hits.protected.len() < limits::NUMBERS {
                hits.protected.push(hit.clone());
            }
            if counts {
                known.insert(hit.term);
                hits.near.push(hit);
            }
        }
        hits
    }

    /// That somebody's identity is protected, beside where they live, needs no number.
    fn protected_address(&self, protected: &[Hit], near: &mut BTreeMap<Category, usize>) {
        let mut first = 0;
        for address in self.numbers.iter().filter(|number| is_address(number)) {
            let from = address.at.start.saturating_sub(ADDRESS_REACH);
            let rest = protected.get(first..).unwrap_or_default();
            first += rest.iter().take_while(|hit| hit.at.end < from).count();
            let rest = protected.get(first..).unwrap_or_default().iter();
            let beside = rest.take_while(|hit| hit.at.start <= address.at.end + ADDRESS_REACH);
            add(near, terms::scores(beside), POINTS);
        }
    }
}

/// The terms of a text that count.
#[derive(Default)]
struct Hits {
    /// Near a person's number, or where all of the text is.
    near: Vec<Hit>,
    /// Of protected identity, beside an address.
    protected: Vec<Hit>,
}

/// Places, each with all that is so many octets before it or behind.
struct Near {
    places: Vec<Range<usize>>,
    octets: usize,
}

impl Near {
    fn of<'n>(numbers: impl Iterator<Item = &'n Number>, octets: usize) -> Self {
        Self { places: numbers.map(|number| number.at.clone()).collect(), octets }
    }

    /// All that is near these places or the others, in its order.
    fn and(&self, others: &Self) -> Vec<Range<usize>> {
        let mut all: Vec<Range<usize>> = self.stretches().chain(others.stretches()).collect();
        all.sort_by_key(|stretch| stretch.start);
        all
    }

    fn stretches(&self) -> impl Iterator<Item = Range<usize>> {
        self.places.iter().map(|place| place.start.saturating_sub(self.octets)..place.end + self.octets)
    }

    fn reaches(&self, at: &Range<usize>) -> bool {
        let first = self.places.partition_point(|place| place.end + self.octets < at.start);
        self.places.get(first).is_some_and(|place| place.start <= at.end + self.octets)
    }
}

/// What could be a person's number is one where a category has its points near it.
fn confirm(numbers: &mut [Number], terms: &Terms, folded: &Folded<'_>, tabular: bool) {
    let wanting = Near::of(numbers.iter().filter(|number| number.needs_category()), limits::NEAR_OCTETS);
    let near = |hit: &Hit| tabular || wanting.reaches(&hit.at);
    let bytes = folded.bytes();
    let stretches: Vec<Range<usize>> =
        if tabular { std::iter::once(0..bytes.len()).collect() } else { wanting.stretches().collect() };
    let hits: Vec<Hit> = terms.find_in(bytes, stretches).filter(near).take(limits::NUMBERS).collect();
    let enough = |hits: &[Hit]| terms::scores(hits.iter()).iter().any(|(_, score, _)| *score >= POINTS);
    let in_table = tabular && enough(&hits);
    for number in numbers.iter_mut().filter(|number| number.needs_category()) {
        let from = hits.partition_point(|hit| hit.at.end + limits::NEAR_OCTETS < number.at.start);
        let to = hits.partition_point(|hit| hit.at.start <= number.at.end + limits::NEAR_OCTETS);
        if in_table || hits.get(from..to).is_some_and(enough) {
            number.sure = Confidence::Medium;
        }
    }
}

/// Adds the categories that have points enough.
fn add(near: &mut BTreeMap<Category, usize>, scores: Vec<Score>, points: usize) {
    for (category, _, terms) in scores.into_iter().filter(|(_, score, _)| *score >= points) {
        let known = near.entry(category).or_insert(0);
        *known = terms.max(*known);
    }
}

fn different<'n>(numbers: impl Iterator<Item = &'n Number>) -> usize {
    numbers.map(|number| number.key).collect::<HashSet<u64>>().len()
}

fn is_person(number: &Number) -> bool {
    number.kind.of_person()
}

fn is_address(number: &Number) -> bool {
    number.kind == Kind::Address
}

fn within(ranges: &[Range<usize>], at: &Range<usize>) -> bool {
    ranges.iter().any(|range| range.start <= at.start && at.end <= range.end)
}

/// Whether the passage is a table, by the name of its file.
fn is_table(passage: &Passage) -> bool {
    let ending = passage.name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let tables = ["xlsx", "xls", "xlsm", "xlsb", "ods", "csv", "tsv"];
    passage.place == Place::Attachment && tables.contains(&&*ending)
}

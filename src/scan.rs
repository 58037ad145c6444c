//! Scanning: what stands in a text that may be sensitive: numbers of people, of money and of travel, terms of
//! sensitive categories, and credentials. Pure, and linear in the text.
//!
//! A detector says where something stands and how sure it is. What follows from that is the rules' business.

#![deny(clippy::disallowed_methods)]

mod birth;
mod checks;
mod context;
pub mod credentials;
mod foreign;
mod identity;
mod loose;
pub mod named;
mod payment;
mod place;
mod reserve;
mod rows;
mod series;
mod shape;
pub mod terms;
mod words;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::ops::Range;

use jiff::civil::Date;

use crate::limits;
pub use crate::text::fold;
use crate::text::words;
use context::Context;
pub use context::Known;
use fold::Folded;
use identity::TextContext;
use series::Failing;
use shape::{Between, Shape, digits_end, next_digit};

words! {
    /// What a number is.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Kind {
        /// Personnummer.
        Personal = "personnummer",
        /// Samordningsnummer.
        Coordination = "samordningsnummer",
        /// An interim number (T-number) of schools.
        Interim = "interimsnummer",
        /// A reserve number of health care.
        Reserve = "reservnummer",
        /// A bank account or an IBAN.
        Bank = "bank",
        /// A payment card.
        Card = "card",
        /// A passport.
        Passport = "passport",
        /// Bankgiro.
        Bankgiro = "bankgiro",
        /// Plusgiro.
        Plusgiro = "plusgiro",
        /// Organisationsnummer.
        Organisation = "organisationsnummer",
        /// Where somebody lives.
        Address = "address",
        /// Finnish henkilötunnus.
        Finnish = "henkilotunnus",
        /// Norwegian fødselsnummer or D number.
        Norwegian = "fodselsnummer",
        /// Danish CPR number.
        Danish = "cpr",
        /// The number of an asylum seeker's card.
        Lma = "lma",
    }
}

impl Kind {
    /// Whether the number is a person's.
    pub fn of_person(self) -> bool {
        match self {
            Self::Personal
            | Self::Coordination
            | Self::Interim
            | Self::Reserve
            | Self::Finnish
            | Self::Norwegian
            | Self::Danish
            | Self::Lma => true,
            Self::Bank
            | Self::Card
            | Self::Passport
            | Self::Bankgiro
            | Self::Plusgiro
            | Self::Organisation
            | Self::Address => false,
        }
    }
}

words! {
    /// How sure a detector or a rule is.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Confidence {
        /// A sign, worth a line in the log; something speaks against it.
        Weak = "weak",
        /// As likely as not; nothing speaks for or against it.
        Medium = "medium",
        /// More likely than not; only a rare chance explains it otherwise.
        Strong = "strong",
        /// Nothing else explains it. No detector is as sure as this; a rule may be.
        Certain = "certain",
    }
}

impl Kind {
    /// Whether it is a neighbour's number or the like, which is looked for only where the config says so.
    pub fn is_foreign(self) -> bool {
        matches!(self, Self::Finnish | Self::Norwegian | Self::Danish | Self::Lma)
    }
}

/// By what a number is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// A label or heading says so.
    Word,
    /// There is talk of a person.
    Person,
    /// Its form alone, and it may be a case of its day.
    ModernForm,
    /// Nothing yet: only words of a category near it make it a person's.
    Category,
    /// Its form alone.
    Form,
}

/// A number that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// What it is.
    pub kind: Kind,
    /// How sure that is.
    pub sure: Confidence,
    /// By what it is known.
    by: By,
    /// What two ways to write it have in common; to count with, never to be shown.
    pub key: u64,
    /// Where it stands in the folded text.
    pub at: Range<usize>,
}

impl Number {
    /// Whether only words of a category near it make it a person's.
    pub fn needs_category(&self) -> bool {
        self.by == By::Category
    }

    /// As it may be shown: never whole.
    pub fn masked(&self, folded: &Folded<'_>) -> String {
        let written = folded.bytes().get(self.at.clone()).unwrap_or_default();
        let characters: Vec<u8> = written.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
        let text = |range: Option<&[u8]>| String::from_utf8_lossy(range.unwrap_or_default()).into_owned();
        match self.kind {
            Kind::Personal | Kind::Coordination | Kind::Interim | Kind::Organisation => {
                // Words may stand between a day and the last four.
                let century = matches!(characters.get(..2), Some(b"18" | b"19" | b"20"));
                let day = match characters.len() {
                    ..=12 => characters.len().saturating_sub(10),
                    _ if century
                        && characters.get(6..8).is_some_and(|day| day.iter().all(u8::is_ascii_digit)) =>
                    {
                        2
                    }
                    _ => 0,
                };
                format!("{}-****", text(characters.get(day..(day + 6).min(characters.len()))))
            }
            Kind::Reserve | Kind::Finnish | Kind::Norwegian | Kind::Danish | Kind::Lma => {
                format!("{}****", text(characters.get(..4)))
            }
            Kind::Bank | Kind::Card | Kind::Passport | Kind::Bankgiro | Kind::Plusgiro => {
                let shown = characters.len().saturating_sub(2);
                format!("****{}", text(characters.get(shown..)))
            }
            Kind::Address => "****".to_owned(),
        }
    }
}

/// The numbers in a text, in their order. `known` are the words of this text, which its detectors share; `today` is when
/// the mail came; `tabular` says that the text is a table, whose headings speak of everything below them.
pub fn numbers(folded: &Folded<'_>, known: &Known, today: Date, tabular: bool) -> Vec<Number> {
    let bytes = folded.bytes();
    let context = Context::new(bytes, known, tabular);
    let ground = TextContext { bytes, context: &context, today };
    let mut found: Vec<Number> = Vec::new();
    let mut failing = Vec::new();
    let mut list = List::default();
    let (mut at, mut look) = (0, limits::WORK_OCTETS);
    while let Some(start) = next_digit(bytes, at) {
        let end = digits_end(bytes, start);
        let listed = !tabular && list.goes_on(bytes, start);
        let shape = Shape::at(bytes, start);
        let number = one(&ground, &shape, end, listed);
        at = number.as_ref().map_or(end, |number| number.at.end.max(end));
        if let Some(number) = number {
            list.follow(number.by == By::Word && number.kind.of_person(), number.at.end);
            found.push(number);
        } else if let Some(written) = ground.failing(&shape, end) {
            list.follow(listed, written.at.end);
            at = written.at.end;
            if failing.len() < limits::NUMBERS {
                failing.push(Failing { key: identity::key(&written.ten), at: written.at });
            }
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
    series::settle(bytes, &context, &mut found, &failing);
    found
}

/// A row of numbers with nothing but commas and the like between them, the first of which a label names.
#[derive(Default)]
struct List {
    named: bool,
    end: usize,
}

impl List {
    /// Octets between two numbers of a list.
    const GAP: usize = 12;

    /// Whether the number that begins there is the next one of the list.
    fn goes_on(&self, bytes: &[u8], start: usize) -> bool {
        // Asked of every number of a text, so never of more than a list may have between two.
        let gap = bytes.get(self.end..start).filter(|gap| self.named && gap.len() <= Self::GAP);
        let Some(gap) = gap else { return false };
        let mut words = gap.split(|byte| !fold::is_letter(*byte)).filter(|word| !word.is_empty());
        // Cells are no list: what they are their headings say.
        let cells = gap.iter().any(|byte| matches!(byte, b'\t' | b'|')) || gap == b";";
        !cells && words.all(|word| matches!(word, b"och" | b"samt" | b"resp" | b"and"))
    }

    fn follow(&mut self, named: bool, end: usize) {
        *self = Self { named, end };
    }
}

/// The numbers of persons in a short text, with their places in it, whatever stands beside them and also with a point
/// or a low line before the last four. One without a kind has the form and a day of birth, and another check digit: it
/// was mistyped, or is something else.
pub fn of_persons(text: &str, today: Date) -> Vec<(Range<usize>, Option<Kind>)> {
    let folded = Folded::new(text);
    let mut bytes = folded.bytes().to_vec();
    for at in 1..bytes.len() {
        if let Some([before, sign @ (b'_' | b'.'), after]) = bytes.get_mut(at - 1..=at + 1)
            && before.is_ascii_digit()
            && after.is_ascii_digit()
        {
            *sign = b'-';
        }
    }
    let known = Known::default();
    let context = Context::new(&bytes, &known, false);
    let ground = TextContext { bytes: &bytes, context: &context, today };
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = next_digit(&bytes, at) {
        let number = ground.of_person(&Shape::at(&bytes, start));
        at = number.as_ref().map_or_else(|| digits_end(&bytes, start), |(place, _)| place.end);
        found
            .extend(number.map(|(place, kind)| (folded.offset(place.start)..folded.offset(place.end), kind)));
    }
    found
}

/// The number that begins with a run of digits.
fn one(ground: &TextContext<'_>, shape: &Shape<'_>, end: usize, listed: bool) -> Option<Number> {
    let start = shape.range(0).start;
    let loose = || {
        let without_zeros = loose::without_zeros(ground.bytes, start, end);
        without_zeros.and_then(|written| ground.without_zeros(written)).or_else(|| {
            let loose = loose::at(ground.bytes, start)?;
            ground.loose(loose.written, loose.says_so || listed)
        })
    };
    // Most runs are years, times, prices and house numbers, and nothing follows them.
    if end - start <= 3 && shape.after(0).is_none() {
        return ground.address(shape).or_else(|| ground.iban(shape)).or_else(loose);
    }
    let total: usize = (0..6).map(|place| shape.length(place)).sum();
    if total < 6 {
        let account = || ground.short_account(shape);
        return ground.iban(shape).or_else(|| ground.address(shape)).or_else(account).or_else(loose);
    }
    ground
        .iban(shape)
        .or_else(|| ground.vat(shape))
        .or_else(|| ground.card(shape))
        .or_else(|| ground.stockholm(shape))
        .or_else(|| ground.identity(shape, listed))
        .or_else(|| ground.with_letters(shape))
        .or_else(|| ground.labelled(shape))
        .or_else(|| ground.foreign(shape))
        .or_else(|| ground.address(shape))
        .or_else(loose)
}

/// The keys that a number has as somebody wrote it: as it is, and without the century before its ten digits.
pub fn keys(text: &str) -> Vec<u64> {
    let folded = Folded::new(text);
    let characters: Vec<u8> = folded.bytes().iter().copied().filter(u8::is_ascii_alphanumeric).collect();
    let ten = characters.len().checked_sub(10).and_then(|from| characters.get(from..));
    std::iter::once(&*characters).chain(ten).map(identity::key).collect()
}

/// The text with every long number in it masked, for names of files that are shown.
pub fn masked(text: &str) -> String {
    let folded = Folded::new(text);
    let bytes = folded.bytes();
    let mut hidden = HashSet::new();
    let mut at = 0;
    while let Some(start) = next_digit(bytes, at) {
        let shape = Shape::at(bytes, start);
        let last = (0..6).rev().find(|place| shape.length(*place) > 0).unwrap_or(0);
        let mut range = shape.range(last);
        let digits = shape.digits(last).len();
        // A day may have letters among its last four.
        let tail = bytes.get(range.end..).unwrap_or_default();
        let word =
            tail.iter().take(5).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
        if digits >= 6 && tail.iter().take(word).any(u8::is_ascii_digit) {
            range.end += word;
        }
        if range.len() > 7 && digits >= 6
            || matches!(shape.after(0), Some(Between::Dash | Between::Plus)) && digits >= 7
        {
            let kept = bytes.get(range.clone()).unwrap_or_default().iter().enumerate();
            let shown = kept
                .filter(|(_, byte)| byte.is_ascii_alphanumeric())
                .nth(6)
                .map_or(range.len(), |(place, _)| place);
            let places = range.start + shown..range.end;
            let alphanumeric = |place: &usize| bytes.get(*place).is_some_and(u8::is_ascii_alphanumeric);
            hidden.extend(places.filter(alphanumeric).map(|place| folded.offset(place)));
        }
        at = range.end.max(start + 1);
    }
    let mask = |(at, character)| if hidden.contains(&at) { '*' } else { character };
    text.char_indices().map(mask).collect()
}

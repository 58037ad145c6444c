//! `sensitive-data`: numbers of people and money, and what stands near them.

#![deny(clippy::disallowed_methods)]

mod reading;
mod settings;

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{
    ActionSet, Confidence, Evidence, Finding, Flow, Match, Rule, Section, Sensitivity, Sighting, Spec,
};
use crate::documents::State;
use crate::facts::{Cause, Facts, Needs};
use crate::scan::Kind;
use crate::scan::terms::Category;
use reading::{Persons, Reading, Seen};
use settings::{NamedPersons, Vocabulary};

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "sensitive-data",
    summary: "Sensitive personal data in the clear: identity numbers, and words on health, social services and the like near them.",
    page: PAGE,
    menu: ActionSet::Sensitive,
    flow: Flow::All,
    section: Section::One,
    keys: settings::KEYS,
    make: |_, section| Some(Box::new(SensitiveData { vocabulary: settings::read(section)? })),
};

const PAGE: &str = "\
## What it finds
Numbers: `personnummer`, `samordningsnummer`, `interimsnummer` (T-numbers), `reservnummer` (of the regions, and the
national format), `bank` (accounts and IBAN), `card`, `passport`, `bankgiro`, `plusgiro` and `organisationsnummer`, in
every form in which people write them: twelve or ten digits, with a dash, a plus sign, a space, a typographic dash,
full-width digits, hidden characters, or across a line break. A number needs a real date, a correct check digit and no
neighbouring characters that make it part of something longer.

- *strong*: twelve digits or a separator. Any form is strong beside a word such as `personnummer` or `född`, under such
  a heading of its column or list, or behind such a number in the same row. Some forms count only there: `81-12-28
  9874`, `811228.9874`, the date and the last four digits in two cells, `sista fyra 9874`, a letter for a digit.
- *medium*: ten digits alone. A number with a separator or twelve digits is *medium* if a word such as `OCR` or
  `faktura` touches it.
- *weak*, which is never reported: ten digits that such a word touches.

Numbers of the neighbouring countries (`henkilotunnus`, `fodselsnummer`, `cpr`) and of asylum seekers' cards (`lma`) are
looked for only if `classes` gives them a class.

Categories near a number: `health`, `social`, `union`, `religion`, `ethnicity`, `sexuality`, `politics`, `biometrics`,
`crime`, `protected` and `school`. Each has a list of terms with points. A category is found if terms with three points
(five if the number is *medium*) occur within 600 bytes of a person's number, in the same table, or in the subject or
the attachment names beside it. Terms alone are no finding, with one exception: words for protected identity beside a
home address.

Persons without a number (`named_persons`): a name with a date of birth, or with a number whose last four digits are
masked (`811228-XXXX`), and three points of a category in one sentence or row are *medium* and `considerable`. A masked
number without a name is *weak* and `moderate`. A date is one of birth after a word or heading such as `född`, or right
behind a name and before 1995. The finding is logged and has no other effect, unless `named_persons` is `enforce`.

The class of the mail is that of the most sensitive thing found. `serious`: a category near a number, or a list of
`bulk_persons` persons or more. `considerable`: a *strong* number, or a named person with terms
of a category. `moderate`: a *medium* number, or a masked number without a name.

Everything that can be read is searched: subject, names, body, attachments and their contents, and parts that mail
programs do not show. Encrypted parts are not searched, but their names are. A part that cannot be read makes the
finding *unknown*.

## Why it matters
According to IMY (decisions below), sending sensitive personal data by ordinary mail breaks GDPR article 32, also
between colleagues and also over an encrypted connection: the data itself must be encrypted, so that only the recipient
can read it.

## What it misses
Data about a person who is named, without a number or a date of birth beside the name. Text in images without `[ocr]`.
Terms that no list contains, and organisations in whose mail a listed term means something else. Ten digits alone belong
to an invoice as often as to a person, and four digits behind a date of the last three years belong to a case as often,
so they are only *medium*.

## Settings
`class` sets another action for `moderate`, `considerable` or `serious` data, and a `subject_tag`.

`allow_override` lets the sender of a held mail release it, by an answer to the notice with a justification: only with a login of
that mailbox, for data up to that class, where nothing else holds the mail, and never for `serious` data. The access log
keeps the justification (docs/operating.md, Held mail).

## References
GDPR articles 9, 10 and 32; OSL (2009:400) 21:3, 22:1, 25:1, 26:1; IMY DI-2021-4355, DI-2019-9457, DI-2021-5595;
Skatteverket on personnummer and samordningsnummer (SFS 1991:481, SFS 2022:1697); SKR KLASSA; docs/sensitive-data.md.
";

/// The rule.
#[derive(Debug)]
pub struct SensitiveData {
    vocabulary: Vocabulary,
}

impl Rule for SensitiveData {
    fn id(&self) -> &str {
        SPEC.id
    }

    fn needs(&self) -> Needs {
        Needs { body: true, text: true, documents: true, ..Needs::NONE }
    }

    fn check(&self, facts: &Facts) -> Vec<Finding> {
        let today = facts.arrived.to_zoned(TimeZone::UTC).date();
        let reading = Reading::of(facts, today, &self.vocabulary);
        let found = [self.found(&reading), self.without_number(&reading, today)];
        let mut findings: Vec<Finding> = found.into_iter().flatten().map(Finding::Match).collect();
        findings.extend(unread(facts).into_iter().map(Finding::Unknown));
        findings
    }
}

impl SensitiveData {
    fn found(&self, reading: &Reading<'_>) -> Option<Match> {
        let Vocabulary { kinds, categories, .. } = &self.vocabulary;
        let class_of = |kind: Kind| kinds.get(&kind).copied().unwrap_or_default();
        let mut class = Sensitivity::None;
        let mut grade = Confidence::Medium;
        for number in reading.numbers() {
            let most =
                if number.sure == Confidence::Strong { Sensitivity::Serious } else { Sensitivity::Moderate };
            class = class.max(class_of(number.kind).min(most));
            if number.sure == Confidence::Strong && class_of(number.kind) > Sensitivity::None {
                grade = Confidence::Strong;
            }
        }
        let bulk = reading.persons() >= self.vocabulary.bulk_persons;
        if bulk {
            class = Sensitivity::Serious;
        }
        let near = reading.near(&self.vocabulary.terms);
        for category in near.keys() {
            class = class.max(categories.get(category).copied().unwrap_or_default());
            grade = Confidence::Strong;
        }
        if class == Sensitivity::None {
            return None;
        }
        let evidence = evidence(class, reading, &near, bulk);
        Some(Match { grade, evidence, mailboxes: Vec::new(), recipients: Vec::new() })
    }
}

impl SensitiveData {
    /// Persons who are named and not numbered, and numbers that are masked: less sure than a number, and a finding of
    /// their own.
    fn without_number(&self, reading: &Reading<'_>, today: Date) -> Option<Match> {
        let Vocabulary { named_persons, categories, terms, .. } = &self.vocabulary;
        if *named_persons == NamedPersons::Off {
            return None;
        }
        let (mut class, mut grade) = (Sensitivity::None, Confidence::Weak);
        let mut counts = BTreeMap::new();
        let mut sightings = Vec::new();
        for persons in reading.without_number(today, terms) {
            let of = |category: &Category| categories.get(category).copied().unwrap_or_default();
            let near: Vec<_> =
                persons.near.iter().filter(|(category, _)| of(category) > Sensitivity::None).collect();
            let (most, what) = if persons.named {
                (Sensitivity::Considerable, "named-person")
            } else {
                (Sensitivity::Moderate, "masked-number")
            };
            let Some(highest) = near.iter().map(|(category, _)| of(category)).max() else { continue };
            class = class.max(highest.min(most));
            grade = if persons.named { Confidence::Medium } else { grade };
            *counts.entry(what).or_insert(0) += persons.different;
            for (category, different) in near {
                let known = counts.entry(category.as_str()).or_insert(0);
                *known = (*different).max(*known);
            }
            let Persons { different, first, folded, passage, .. } = persons;
            sightings.push(Sighting::of_persons(what, different, first, folded, passage));
        }
        if class == Sensitivity::None {
            return None;
        }
        let beside: Vec<&'static str> = Category::ALL
            .into_iter()
            .filter(|category| counts.contains_key(category.as_str()))
            .map(near_it)
            .collect();
        let evidence = Evidence::of_data(class, counts.into_iter().collect(), &sightings, &beside);
        let evidence = if *named_persons == NamedPersons::Observe { evidence.log_only() } else { evidence };
        Some(Match { grade, evidence, mailboxes: Vec::new(), recipients: Vec::new() })
    }
}

/// What is told of it all: where the first of each kind stands, how many there are, and what is near.
fn evidence(
    class: Sensitivity,
    reading: &Reading<'_>,
    near: &BTreeMap<Category, usize>,
    bulk: bool,
) -> Evidence {
    let with_address = near.contains_key(&Category::Protected);
    let told = |kind: Kind| kind != Kind::Address || with_address;
    let sightings: Vec<Sighting> = reading
        .sightings()
        .filter(|seen| told(seen.first.kind))
        .map(|Seen { first, different, folded, passage }| {
            Sighting::of_numbers(first, different, folded, passage)
        })
        .collect();
    let mut counts: Vec<(&'static str, usize)> = Kind::ALL
        .into_iter()
        .filter(|kind| told(*kind))
        .map(|kind| (kind.as_str(), reading.different(kind)))
        .filter(|(_, count)| *count > 0)
        .collect();
    counts.extend(near.iter().map(|(category, terms)| (category.as_str(), *terms)));
    let mut beside: Vec<&'static str> = near.keys().map(|category| near_it(*category)).collect();
    if bulk {
        counts.push(("bulk", reading.persons()));
        beside.push("bulk");
    }
    Evidence::of_data(class, counts, &sightings, &beside)
}

fn near_it(category: Category) -> &'static str {
    match category {
        Category::Health => "health near it",
        Category::Social => "social near it",
        Category::Union => "union near it",
        Category::Religion => "religion near it",
        Category::Ethnicity => "ethnicity near it",
        Category::Sexuality => "sexuality near it",
        Category::Politics => "politics near it",
        Category::Biometrics => "biometrics near it",
        Category::Crime => "crime near it",
        Category::Protected => "protected near it",
        Category::School => "school near it",
    }
}

/// Why some of the mail could not be read, each reason once.
pub(super) fn unread(facts: &Facts) -> Vec<Cause> {
    let mut causes = Vec::new();
    let parts = facts.attachments.iter().filter_map(|attachment| match attachment.state {
        State::Uninspectable(reason) => Some(Cause::Uninspectable(reason)),
        State::Plain | State::Encrypted(_) | State::Readable(_) => None,
    });
    for cause in facts.text_unread().then_some(Cause::Limit).into_iter().chain(parts) {
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    causes
}

#[cfg(test)]
mod tests;

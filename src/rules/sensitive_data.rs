//! `sensitive-data`: numbers of people and money, and what stands near them.

#![deny(clippy::disallowed_methods)]

mod reading;
mod settings;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::{ActionSet, Confidence, Evidence, Finding, Match, Rule, Section, Sensitivity, Sighting, Spec};
use crate::documents::State;
use crate::facts::{Cause, Facts, Needs};
use crate::scan::Kind;
use crate::scan::terms::Category;
use reading::{Reading, Seen};
use settings::Vocabulary;

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "sensitive-data",
    summary: "Sensitive personal data in the clear: identity numbers, and health, social services and the like near them.",
    page: PAGE,
    menu: ActionSet::Sensitive,
    section: Section::One,
    keys: settings::KEYS,
    make: |_, section| Some(Box::new(SensitiveData { vocabulary: settings::read(section)? })),
};

const PAGE: &str = "\
## What it finds
Numbers: `personnummer`, `samordningsnummer`, `interimsnummer` (T-numbers), `reservnummer` (of the regions, and the
national format), `bank` (accounts and IBAN), `card`, `passport`, `bankgiro`, `plusgiro`, `organisationsnummer`, in
every form in which people write them: twelve digits or ten, with a dash, a plus sign, a blank, a typeset dash, digits
of full width, hidden characters, over a line's end. A number needs a real day, a right check digit and nothing that
makes it a piece of something longer. Twelve digits or a separator make it *strong*, ten digits alone *medium*. A word
such as `personnummer` or `född`, the heading of its column or list, or the number before it in a row makes any form
strong, also those that need one: `81-12-28 9874`, `811228.9874`, day and last four in two cells, `sista fyra 9874`, a
letter for a digit. A word such as `OCR` or `faktura` that touches it makes ten digits *weak*, which is never reported,
and a number with a separator or twelve digits *medium*. The neighbours' numbers (`henkilotunnus`, `fodselsnummer`, `cpr`)
and those of asylum seekers' cards (`lma`) are looked for where `classes` gives them a class.

Categories near them: `health`, `social`, `union`, `religion`, `ethnicity`, `sexuality`, `politics`, `biometrics`,
`crime`, `protected`, `school`, by lists of terms with points. Terms alone are never a finding: three points (five where
the number is *medium*) must stand within 600 octets of a person's number, in the same table, or in the subject or the
names of attachments beside it. One exception: words for protected identity beside an address of a home.

The class of the mail is that of the most sensitive thing found: `serious` for a category near a number and for a list
of ten persons or more (`bulk_persons`); `considerable` for a number that is strong; `moderate` for one that is *medium*.

Everything is looked through that can be read: subject, names, body, attachments and what is inside them, and what mail
programs pass over. What is encrypted is left alone, its name is not. What cannot be read is reported as unknown.

## Why it matters
Whoever sends sensitive personal data by ordinary mail breaks GDPR article 32, also between colleagues and also where
the way is encrypted: the supervisory authority wants the data itself encrypted, so that none but the recipient reads it.

## What it misses
Data about a person who is named and not numbered. What is drawn and not written: scans, photographs. Terms that no list
has, and people in whose mail they mean something else. Ten digits alone are as likely an invoice's as a person's, and
are only *medium*. A recent day with four digits is as likely a case's.

## Settings
`action` for all classes, and under `class` another one for `moderate`, `considerable` and `serious`, with a
`subject_tag`. `inbound`: mail from outside is marked at the most, unless this says `act`: a citizen who writes about
their own affairs must not be turned away. `secure_alternative` is what a refusal names. `tls_routes` are domains to
which mail of class `considerable` may go, since the admin has pinned encryption for them; never what is serious.
`notify` and `copy_to` tell the sender and a function mailbox of what was stopped, never the data. `classes` sets the
class of each kind and category, `bulk_persons` is how many persons make a list, `terms` adds to the lists, `without_terms` takes away, `own_numbers` and `own_texts`
are the organisation's own.

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
        let mut findings: Vec<Finding> = self.found(&reading).map(Finding::Match).into_iter().collect();
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

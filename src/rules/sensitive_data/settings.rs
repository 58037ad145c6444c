//! What the section of `sensitive-data` says beyond what every section does: the class of each kind and category, the
//! lists of terms, and what is the organisation's own.

#![deny(clippy::disallowed_methods)]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use crate::limits;
use crate::rules::Sensitivity;
use crate::scan::fold::{self, Folded, is_word};
use crate::scan::terms::{self, Category, Terms};
use crate::scan::{self, Kind};
use crate::settings::problem::Fault;
use crate::settings::{Fallback, Key, Settings, parse};
use crate::text::words;

/// The keys of the section.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "classes",
        kind: "table of classes",
        default: Fallback::Found("see the table `classes` in docs/configuration.md"),
        example: "{ bank = \"moderate\", school = \"considerable\" }",
        meaning: "Class of each kind of number and of each category.",
        why: "Identity numbers and bank data do considerable harm. Data that GDPR articles 9 and 10 name, and data that is secret in social services and schools, does serious harm.",
        keys: CLASSES,
    },
    Key {
        name: "bulk_persons",
        kind: "number, 2 to 10000",
        default: Fallback::Number(10),
        example: "10",
        meaning: "Number of different persons, by *strong* numbers, that make a mail a list of people, which is of class serious.",
        why: "A household or a small group stays below it, a register does not.",
        keys: &[],
    },
    Key {
        name: "named_persons",
        kind: "off, observe, enforce",
        default: Fallback::Text("observe"),
        example: "\"observe\"",
        meaning: "Persons who are named and not numbered: a name with a date of birth or a masked number (`811228-XXXX`), and three points of a category, in one sentence or row. `observe`: log only. `enforce`: handled like other data of class considerable.",
        why: "A name is less certain than a number. Read in the log what is found before it has an effect.",
        keys: &[],
    },
    Key {
        name: "terms",
        kind: "file",
        default: Fallback::Found("only the lists that come with Postvakt"),
        example: "\"terms/health.tsv\"",
        meaning: "File with additional terms, one per line: category, weight (1 to 3), mode and term, separated by tabs, as in config/terms. Modes: w a whole word with its endings, p the beginning of a word, i anywhere in a word, x a phrase.",
        why: "The lists that come with Postvakt do not know the names of your units and forms.",
        keys: &[],
    },
    Key {
        name: "without_terms",
        kind: "list of terms",
        default: Fallback::Off,
        example: "[\"vision\"]",
        meaning: "Terms of the lists that do not count.",
        why: "A word may have another meaning in your organisation.",
        keys: &[],
    },
    Key {
        name: "own_numbers",
        kind: "list of numbers",
        default: Fallback::Off,
        example: "[\"212000-0142\"]",
        meaning: "Numbers that are never a finding: your own bank accounts, IBAN and organisationsnummer, and test numbers that you use.",
        why: "They occur in all your mail.",
        keys: &[],
    },
    Key {
        name: "own_texts",
        kind: "file",
        default: Fallback::Found("none"),
        example: "\"own-texts.txt\"",
        meaning: "File with standard texts such as footers, one per line. Terms and numbers in them do not count. Lines that begin with # are comments.",
        why: "A footer that names social services says nothing about a person.",
        keys: &[],
    },
];

const CLASSES: &[Key] = &[
    class("personnummer", "considerable", "Personnummer."),
    class("samordningsnummer", "considerable", "Samordningsnummer."),
    class(
        "interimsnummer",
        "considerable",
        "Interim numbers (a letter in place of a digit), for students and others.",
    ),
    class("reservnummer", "considerable", "Reserve numbers of health care, beside a word for them."),
    class("bank", "considerable", "Bank accounts and IBAN."),
    class("card", "considerable", "Payment cards."),
    class("passport", "considerable", "Passport numbers, beside a word for them."),
    class("bankgiro", "none", "Bankgiro numbers, beside a word for them."),
    class("plusgiro", "none", "Plusgiro numbers, beside a word for them."),
    class("organisationsnummer", "none", "Organisationsnummer."),
    class("address", "none", "Home addresses."),
    class("henkilotunnus", "none", "Finnish henkilötunnus."),
    class("fodselsnummer", "none", "Norwegian fødselsnummer and D numbers."),
    class("cpr", "none", "Danish CPR numbers."),
    class("lma", "none", "Numbers of asylum seekers' cards (LMA-kort)."),
    class("health", "serious", "Words for health (GDPR article 9)."),
    class("social", "serious", "Words for social services."),
    class("union", "serious", "Words for membership of a trade union (article 9)."),
    class("religion", "serious", "Words for religion and belief (article 9)."),
    class("ethnicity", "serious", "Words for ethnic origin (article 9)."),
    class("sexuality", "serious", "Words for sex life and sexual orientation (article 9)."),
    class("politics", "serious", "Words for political opinion (article 9)."),
    class("biometrics", "serious", "Words for biometric and genetic data (article 9)."),
    class("crime", "serious", "Words for offences (article 10)."),
    class("protected", "serious", "Words for protected identity (skyddade personuppgifter)."),
    class("school", "serious", "Words for school health and children's needs."),
];

const fn class(name: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key {
        name,
        kind: "none, moderate, considerable, serious",
        default: Fallback::Text(default),
        example: "\"serious\"",
        meaning,
        why: "See docs/sensitive-data.md.",
        keys: &[],
    }
}

/// What the rule looks for, and of which class each thing is.
#[derive(Debug)]
pub(super) struct Vocabulary {
    pub(super) kinds: HashMap<Kind, Sensitivity>,
    pub(super) categories: BTreeMap<Category, Sensitivity>,
    /// So many persons are a list of people.
    pub(super) bulk_persons: usize,
    pub(super) named_persons: NamedPersons,
    pub(super) terms: Terms,
    pub(super) own_numbers: HashSet<u64>,
    pub(super) own_texts: OwnTexts,
}

impl Vocabulary {
    /// Whether numbers of this kind are looked for at all.
    pub(super) fn seeks(&self, kind: Kind) -> bool {
        !kind.is_foreign() || self.kinds.get(&kind).is_some_and(|class| *class > Sensitivity::None)
    }
}

words! {
    /// What becomes of persons who are named and not numbered.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum NamedPersons {
        /// Nobody looks for them.
        Off = "off",
        /// They are logged.
        Observe = "observe",
        /// They are data of class considerable.
        Enforce = "enforce",
    }
}

/// Texts of the organisation's own.
#[derive(Debug, Default)]
pub(super) struct OwnTexts(Vec<Vec<u8>>);

impl OwnTexts {
    /// The texts of a file, one on each line; what is short is no text.
    fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let folded = |line: &str| Folded::new(line.trim()).bytes().to_vec();
        Self(lines.map(folded).filter(|line| line.len() >= limits::OWN_TEXT_OCTETS).collect())
    }

    /// Where they stand, however their lines are broken.
    pub(super) fn find(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        for text in &self.0 {
            let words: Vec<&[u8]> =
                text.split(|byte| !is_word(*byte)).filter(|word| !word.is_empty()).collect();
            let Some(first) = words.first() else { continue };
            for at in memchr::memmem::find_iter(bytes, first) {
                found.extend(follow(bytes, &words, at).map(|end| at..end));
            }
        }
        found
    }
}

/// Where a row of words ends that begins at a place, whatever stands between them.
fn follow(bytes: &[u8], words: &[&[u8]], at: usize) -> Option<usize> {
    words.iter().try_fold(at, |at, word| {
        let gap = bytes.get(at..)?.iter().take(8).take_while(|byte| !is_word(**byte)).count();
        let from = at + gap;
        bytes.get(from..)?.starts_with(word).then_some(from + word.len())
    })
}

/// Reads the keys.
pub(super) fn read(section: &mut Settings<'_>) -> Option<Vocabulary> {
    let classes = section.table_or_defaults("classes", classes);
    let bulk_persons = section.optional("bulk_persons", parse::number(2, 10_000));
    let named_persons =
        section.optional("named_persons", parse::one_of(&NamedPersons::ALL, NamedPersons::as_str));
    let more = section.file("terms", |file| {
        terms::parse(&file.text)
            .map_err(|(line, wrong)| file.fault(line, wrong, "write it as in the lists under config/terms"))
    });
    let without = without(section);
    let own_numbers = own_numbers(section);
    let own_texts = section.file("own_texts", |file| Ok(OwnTexts::parse(&file.text)));
    let all = terms::shipped().into_iter().filter(|term| !without.contains(&term.text));
    let terms = match Terms::new(all.chain(more.unwrap_or_default()).collect()) {
        Ok(terms) => terms,
        Err(error) => {
            section.wrong_here(Fault::new(error.to_string(), "remove terms from the file"));
            return None;
        }
    };
    let (kinds, categories) = classes?;
    let bulk_persons = usize::try_from(bulk_persons?).ok()?;
    let own_texts = own_texts.unwrap_or_default();
    let named_persons = named_persons?;
    Some(Vocabulary { kinds, categories, bulk_persons, named_persons, terms, own_numbers, own_texts })
}

type Classes = (HashMap<Kind, Sensitivity>, BTreeMap<Category, Sensitivity>);

fn classes(table: &mut Settings<'_>) -> Classes {
    let mut class = |key| table.optional(key, parse::one_of(&Sensitivity::ALL, Sensitivity::as_str));
    let kinds = Kind::ALL.into_iter().filter_map(|kind| Some((kind, class(kind.as_str())?))).collect();
    let categories =
        Category::ALL.into_iter().filter_map(|category| Some((category, class(category.as_str())?)));
    (kinds, categories.collect())
}

/// Terms that shall not count, folded; one that no list has is a mistake.
fn without(section: &mut Settings<'_>) -> HashSet<Vec<u8>> {
    let known: HashSet<Vec<u8>> = terms::shipped().into_iter().map(|term| term.text).collect();
    let mut without = HashSet::new();
    for value in section.list("without_terms").unwrap_or_default() {
        let term = parse::text(value).and_then(|text| {
            fold::term(text).filter(|term| known.contains(term)).ok_or_else(|| {
                let problem = format!("{} is not in the term lists", parse::shown(text));
                Fault::new(problem, "write it as in config/terms, without the *")
            })
        });
        without.extend(section.accept("without_terms", value.at, term));
    }
    without
}

fn own_numbers(section: &mut Settings<'_>) -> HashSet<u64> {
    let mut own = HashSet::new();
    for value in section.list("own_numbers").unwrap_or_default() {
        let number = parse::text(value).and_then(|text| {
            let enough = text.chars().filter(char::is_ascii_digit).count() >= 6;
            if enough {
                Ok(scan::keys(text))
            } else {
                let problem = format!("{} is not a number", parse::shown(text));
                Err(Fault::new(problem, "write it as in mail, such as \"212000-0142\""))
            }
        });
        own.extend(section.accept("own_numbers", value.at, number).unwrap_or_default());
    }
    own
}

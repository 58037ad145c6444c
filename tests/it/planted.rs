//! Numbers that were planted: in every form, sentence, table and part of a mail, thousands of combinations. What is
//! found is what was planted, all of it.

pub(crate) mod files;
pub(crate) mod people;
pub(crate) mod places;

use std::collections::BTreeMap;

use serde_json::Value;

use super::content::{counts, explain};
use super::documents::Scratch;
use people::{Form, OVER_A_LINE, Person, Random, SURE, WITH_A_WORD};
use places::{CONTAINERS, LABELLED, SENSITIVE, SHEETS};

/// A mail and what was planted in it.
struct Planted {
    what: String,
    message: String,
    persons: usize,
    class_at_least: u64,
}

impl Planted {
    fn wrong(&self, said: &Value) -> Option<String> {
        let counts = counts(said);
        let persons =
            ["personnummer", "samordningsnummer"].iter().map(|kind| counts.get(*kind).copied().unwrap_or(0));
        let (found, class) = (persons.sum::<usize>(), said["class"].as_u64().unwrap());
        let missed = found != self.persons || class < self.class_at_least;
        missed.then(|| format!("{}: {found} of {}, class {class}", self.what, self.persons))
    }
}

fn mail(content: &str) -> String {
    format!(
        "From: anna@exempelby.se\r\nTo: mottagare@example.org\r\nSubject: Underlag\r\nMIME-Version: 1.0\r\n{content}"
    )
}

/// Whether the form survives being a part of such a mail.
fn fits(form: &str, container: &str) -> bool {
    match form {
        // Blanks in a row are one in a page, and a line's end is none.
        "two blanks" | "tab" | "wrapped" | "quoted" => !matches!(
            container,
            "page" | "frame" | "page in a file" | "XML" | "calendar" | "PowerPoint" | "PDF"
        ),
        _ => true,
    }
}

fn sentences(random: &mut Random) -> Vec<Planted> {
    let mut planted = Vec::new();
    let mut plant = |random: &mut Random, form: &Form, sentences: &[&str], class_at_least: u64| {
        for sentence in sentences {
            for (container, carry) in CONTAINERS.iter().filter(|(container, _)| fits(form.0, container)) {
                // Without a label these could be telephone numbers.
                let years = if class_at_least == 1 { 1926..2000 } else { 1926..2023 };
                let person = Person::born(random, years);
                let [day, last] = person.halves();
                let text = sentence.replace("{}", &form.1(day, last));
                let what = format!("{}, {container}, {sentence}", form.0);
                planted.push(Planted { what, message: mail(&carry(&text)), persons: 1, class_at_least });
            }
        }
    };
    for form in SURE.iter().chain(WITH_A_WORD).chain(OVER_A_LINE) {
        plant(random, form, LABELLED, 2);
    }
    for form in SURE {
        plant(random, form, SENSITIVE, 3);
    }
    for form in WITH_A_WORD {
        plant(random, form, SENSITIVE, 1);
    }
    planted
}

/// How a cell has a number.
type Cell = (&'static str, fn(&Person) -> String);

/// Lists of ten people and more, of every year group.
fn tables(random: &mut Random) -> Vec<Planted> {
    let mut planted = Vec::new();
    let cells: [Cell; 3] = [("ten", Person::ten), ("6-4", Person::separated), ("8-4", Person::long)];
    let years = [1926..1990, 2000..2001, 2001..2002, 2007..2008, 2008..2009, 2010..2023];
    for (sheet, carry) in SHEETS {
        for (form, write) in cells {
            for years in years.clone() {
                for heading in ["Personnummer", "Pnr", "Elevens personnr", "Födelsenummer"] {
                    let first = ["Nr", "Frånvaro", heading, "Ärende", "Mobil"].map(str::to_owned).to_vec();
                    let people = people(random, years.clone());
                    let row = |(at, person): (usize, &Person)| {
                        let mobile = format!("07017406{at:02}");
                        vec![
                            at.to_string(),
                            // A heading stays over its column, though cells before it are empty.
                            if at % 3 == 0 { String::new() } else { format!("{at} dagar") },
                            write(person),
                            "Faktura".to_owned(),
                            mobile,
                        ]
                    };
                    let rows: Vec<Vec<String>> =
                        std::iter::once(first).chain(people.iter().enumerate().map(row)).collect();
                    let what = format!("{form}, {sheet}, {years:?}, {heading}");
                    let persons = people.len();
                    planted.push(Planted { what, message: mail(&carry(&rows)), persons, class_at_least: 3 });
                }
            }
        }
        let people = people(random, 1930..2020);
        let first = ["Namn", "Personnummer", "Sista fyra"].map(str::to_owned).to_vec();
        let row = |person: &Person| {
            [&["Elev"][..], &person.halves()].concat().into_iter().map(str::to_owned).collect()
        };
        let rows: Vec<Vec<String>> = std::iter::once(first).chain(people.iter().map(row)).collect();
        let what = format!("two columns, {sheet}");
        planted.push(Planted {
            what,
            message: mail(&carry(&rows)),
            persons: people.len(),
            class_at_least: 3,
        });
    }
    planted
}

/// Different people.
fn people(random: &mut Random, years: std::ops::Range<usize>) -> Vec<Person> {
    let mut people: BTreeMap<String, Person> = BTreeMap::new();
    while people.len() < 12 {
        let person = Person::born(random, years.clone());
        people.insert(person.ten(), person);
    }
    people.into_values().collect()
}

#[test]
fn what_was_planted_is_found() {
    let mut random = Random(0x5DEE_CE66_D123_4567);
    let mut planted = sentences(&mut random);
    planted.extend(tables(&mut random));
    assert!(planted.len() >= 5_000, "{} combinations", planted.len());
    let scratch = Scratch::new();
    let mut missed = Vec::new();
    for (round, some) in planted.chunks(500).enumerate() {
        let paths: Vec<_> = (0..some.len()).map(|at| scratch.path(&format!("{round}/{at}.eml"))).collect();
        for (planted, path) in some.iter().zip(&paths) {
            scratch.write(path.to_str().unwrap(), &planted.message);
        }
        let said = explain(&scratch, super::content::RULES, &paths);
        missed.extend(some.iter().zip(&said).filter_map(|(planted, said)| planted.wrong(said)));
    }
    assert!(missed.is_empty(), "{} of {}:\n{}", missed.len(), planted.len(), missed.join("\n"));
}

//! Random logs: a search by index files finds what reading everything finds, and no form of any profile shows what is
//! masked. A failure names its seed; `POSTVAKT_SEED=7` tries that one alone.

use postvakt::address::DomainPattern;
use postvakt::export::profile::{Mask, NUMBERS, Profile, Pseudonyms, columns};
use postvakt::export::proof::{self, Given};
use postvakt::export::shape::Shape;
use postvakt::export::{Format, Heading};
use postvakt::record::RecordId;
use postvakt::record::columns::{Column, Field, LeafForm, Mask as Hiding};
use postvakt::scan;
use postvakt::store::proof::Sealed;
use postvakt::store::query::{Needle, Party};

use super::*;

/// Numbers without end from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    fn often(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

fn seeds() -> Vec<u64> {
    match std::env::var("POSTVAKT_SEED") {
        Ok(seed) => vec![seed.parse().expect("POSTVAKT_SEED is a number")],
        Err(_) => vec![1, 2, 3],
    }
}

const ADDRESSES: [&str; 12] = [
    "anna@exempelby.se",
    "Anna+anbud@exempelby.se",
    "\"anna\"@exempelby.se",
    "Åsa@exempelby.se",
    "A\u{30A}sa@exempelby.se",
    "visselblasare@exempelby.se",
    "x@example.org",
    "\"smith, john\"@example.org",
    "x@mail.example.org",
    "<>",
    "fel",
    "",
];
const TEXTS: [&str; 12] = [
    "Ansökan om bygglov",
    "ANSO\u{308}KAN",
    "möte\nvecka 7",
    "ß ẞ İ ı",
    "\u{202E}fdp.exe",
    "=1+1; \"a\"",
    "850709-9805",
    "e",
    "",
    "rapport.PDF",
    "日本語の件名",
    "a\0b",
];

fn random_record(dice: &mut Dice, n: usize) -> Record {
    let start = second("2026-08-21T00:00:00Z");
    let list = |dice: &mut Dice, of: &[&str]| -> Vec<String> {
        (0..dice.below(4)).map(|_| dice.one(of).to_owned()).collect()
    };
    Record {
        time: Timestamp::from_second(start + i64::try_from(n).unwrap() * 60).unwrap(),
        sender: dice.one(&ADDRESSES).to_owned(),
        recipients: list(dice, &ADDRESSES),
        header_from: list(dice, &ADDRESSES[..9]).join(", "),
        subject: format!("{} {}", dice.one(&TEXTS), dice.one(&TEXTS)),
        attachments: list(dice, &TEXTS).into_iter().map(|name| (name, dice.next() % 5_000)).collect(),
        outcome: Outcome::ALL[dice.below(Outcome::ALL.len())],
        findings: list(dice, &["auto-forward=certain", "virus=unknown", "custom.no-exe=marked"]),
        would: list(dice, &["custom.no-exe=marked", "spam=strong"]),
        queue_id: format!("4f{:02x}", dice.below(40)),
        message_id: format!("<{}@example.org>", dice.below(40)),
        client: format!("192.0.2.{}", dice.below(9)),
        ..record("")
    }
}

fn random_query(dice: &mut Dice) -> Query {
    let party = |dice: &mut Dice| {
        // A local part alone is somebody inside, whose mail needs a decision.
        let mut some: Vec<&str> =
            ADDRESSES.into_iter().filter(|address| address.contains(['@', '<'])).collect();
        some.extend(["@exempelby.se", "@example.org", "ANNA@EXEMPELBY.SE", "ingen@exempelby.se"]);
        Party::parse(dice.one(&some)).ok()
    };
    let text = |dice: &mut Dice| {
        let text = dice.one(&TEXTS);
        let from = text.char_indices().map(|(at, _)| at).nth(dice.below(3)).unwrap_or(0);
        Some(Needle::new(&text[from..]))
    };
    let at = |dice: &mut Dice| {
        Timestamp::from_second(second("2026-08-21T00:00:00Z") + i64::try_from(dice.below(500)).unwrap() * 60)
            .ok()
    };
    let mut query = Query::default();
    for _ in 0..=dice.below(3) {
        match dice.below(11) {
            0 => query.sender = party(dice),
            1 => query.recipient = party(dice),
            2 => query.person.extend(party(dice)),
            3 => query.subject = text(dice),
            4 => query.attachment = text(dice),
            5 => query.verdict = Some(Outcome::ALL[dice.below(6)]),
            6 => {
                query.rule =
                    Some(dice.one(&["auto-forward", "custom.no-exe", "spam", "custom", "none"]).to_owned());
            }
            7 => query.queue_id = Some(format!("4f{:02x}", dice.below(40))),
            8 => query.message_id = Some(format!("{}@example.org", dice.below(40))),
            9 => query.since = at(dice),
            _ => query.until = at(dice),
        }
    }
    query
}

#[tokio::test]
async fn a_search_by_index_files_finds_what_reading_everything_finds() {
    for seed in seeds() {
        let mut dice = Dice(seed);
        let directory = tempfile::tempdir().unwrap();
        let (time, clock) = clock("2026-08-21T00:00:00Z");
        let store = Store::open_at(directory.path(), "gw1", clock).unwrap();
        for n in 0..500 {
            store.enqueue(Entry::of(random_record(&mut dice, n)));
        }
        store.commit(entry("the last one of the month")).await.unwrap();
        time.store(second("2026-09-02T06:00:00Z"), Ordering::SeqCst);
        store.commit(entry("of the next month")).await.unwrap();
        while !directory.path().join("log-2026-08.idx").exists() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        store.close().await;
        let mut found = 0;
        for number in 0..60 {
            let query = random_query(&mut dice);
            let scan = Query { scan: true, ..query.clone() };
            let read = find(directory.path(), &scan);
            let asked = serde_json::to_string(&query).unwrap();
            assert_eq!(find(directory.path(), &query), read, "seed {seed}, query {number}: {asked}");
            found += usize::from(!read.is_empty());
        }
        assert!(found > 10, "seed {seed}: only {found} queries find anything");
    }
}

/// A value of its own for each column, which can be looked for in what is written.
fn marked(dice: &mut Dice, column: &Column, marks: &mut Vec<(&'static str, String)>) -> String {
    let mark = format!("zq{:016x}", dice.next());
    marks.push((column.name, mark.clone()));
    match column.mask {
        Hiding::Address | Hiding::Addresses => format!("{mark}@exempelby.se"),
        Hiding::Ending => format!("{mark} Protokoll.pdf"),
        Hiding::Receipts => format!("{mark}@exempelby.se=queued PV-2026-{mark}"),
        _ => format!("{mark} om något"),
    }
}

/// A record whose columns have values of their own, some of them that of another column too.
fn marked_record(dice: &mut Dice, marks: &mut Vec<(&'static str, String)>) -> Record {
    let mut one = Record { outcome: Outcome::Accepted, ..Record::default() };
    one.recipients = vec![String::new(); 1 + dice.below(3)];
    one.attachments = vec![(String::new(), 7); 1 + dice.below(2)];
    for column in columns() {
        column.each(&mut one, |text| *text = marked(dice, column, marks));
    }
    if dice.often(50) {
        one.subject = format!("Sv: {} {}", one.sender, one.recipients[0]);
        marks.retain(|(column, _)| *column != "subject");
    }
    if dice.often(50) {
        one.header_from = format!("{}, {}", one.sender, one.recipients[0]);
        marks.retain(|(column, _)| *column != "header_from");
    }
    if dice.often(50) {
        one.receipt = format!("{}=queued PV-2026-7K3M9Q", one.recipients[0].to_uppercase());
        marks.retain(|(column, _)| *column != "receipt");
    }
    one
}

/// Everything that is written of a record: the file in each form of text, and its proof.
fn written(mask: &Mask<'_>, original: &Found) -> Vec<(String, String)> {
    let zone = TimeZone::get("Europe/Stockholm").unwrap();
    let mut all = Vec::new();
    for format in [Format::Csv, Format::Jsonl, Format::Html] {
        let mut found = original.clone();
        let marks = mask.apply(&mut found);
        let id = mask.id(&found.id);
        let shape = Shape::everything();
        let heading =
            Heading { organisation: "Exempelby kommun", about: Vec::new(), scratch: Path::new("."), shape };
        let mut exporter = format.start(Vec::new(), &heading).unwrap();
        exporter.add(&found, id.as_deref(), &zone).unwrap();
        let text = String::from_utf8(exporter.finish().unwrap().0).unwrap();
        all.push((format.as_str().to_owned(), text.replace("<wbr>", "")));
        let review: Vec<String> = marks.into_iter().map(|mark| mark.text).collect();
        all.push(("review".to_owned(), review.join("\n")));
        let value = |field| match field {
            Field::Column(column) => column.text(&original.record).into_owned(),
            Field::Evidence => "[]".to_owned(),
        };
        let form = LeafForm::NEWEST;
        let values = form.fields().map(value).collect();
        let sealed = Sealed { origin: "postvakt/gw1/1".into(), form, salt: [7; 16], values };
        let mut out = Vec::new();
        let given = Given { found: &found, id: id.as_deref(), shape: &heading.shape, evidence: false };
        proof::add(&mut out, Some(&sealed), &given).unwrap();
        all.push(("proof".to_owned(), String::from_utf8(out).unwrap()));
    }
    all
}

fn id(seq: u64) -> RecordId {
    RecordId { node: "gw1".into(), epoch: 1, seq }
}

#[test]
fn no_form_of_any_profile_shows_what_is_masked() {
    let organisation = Organisation {
        name: "Exempelby kommun".into(),
        domains: vec![DomainPattern::parse("exempelby.se").unwrap()],
        ..Organisation::default()
    };
    for seed in seeds() {
        let mut dice = Dice(seed);
        for n in 0..150 {
            let mut marks = Vec::new();
            let found = Found { id: id(n), record: marked_record(&mut dice, &mut marks), told: None };
            let key = [u8::try_from(n).unwrap(); 32];
            let more: Vec<String> =
                columns().filter(|_| dice.often(30)).map(|column| column.name.to_owned()).collect();
            let protected = [Party::parse(&found.record.recipients[0]).unwrap()];
            let own = Pseudonyms { key, organisation: &organisation };
            let profiles = [
                (Mask::new(Profile::Pseudonym, &[], &[], Some(own)), None),
                (Mask::new(Profile::Disclose, &[], &[], None).protecting(&protected), None),
                (Mask::new(Profile::Internal, &more, &[], None), Some(&more)),
                (Mask::new(Profile::Disclose, &more, &[], None), Some(&more)),
            ];
            for (at, (mask, hidden)) in profiles.iter().enumerate() {
                let hidden: Vec<&String> = marks
                    .iter()
                    .filter(|(column, _)| {
                        hidden.is_none_or(|hidden| hidden.iter().any(|name| name == column))
                    })
                    .map(|(_, mark)| mark)
                    .collect();
                for (what, text) in written(mask, &found) {
                    let text = text.to_lowercase();
                    for mark in &hidden {
                        assert!(
                            !text.contains(mark.as_str()),
                            "seed {seed}, record {n}, mask {at}, {what}: {text}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn no_form_shows_an_identity_number_or_a_word_that_is_masked() {
    let numbers =
        ["850709-9805", "8507099805", "19850709-9805", "198507099805", "811228-9874", "19811228 9874"];
    let words = ["Lönnrot".to_owned(), "Karin Berg".to_owned()];
    let around = ["", " ", "(", "Ärende ", "; ", "\u{A0}", "nr:", "å"];
    for seed in seeds() {
        let mut dice = Dice(seed);
        for n in 0..200 {
            let mut record = random_record(&mut dice, usize::try_from(n).unwrap());
            for column in columns() {
                column.each(&mut record, |text| {
                    if dice.often(40) {
                        let number = dice.one(&numbers);
                        *text =
                            format!("{}{number}{}{text}", dice.one(&around[..7]), dice.one(&around[1..7]));
                    }
                    if dice.often(30) {
                        let word = dice.one(&["lo\u{308}nnrot", "LÖNNROT", "karin.berg", "Karin\u{A0}Berg"]);
                        *text = format!("{text} {word}{}", dice.one(&around));
                    }
                });
            }
            let day = TimeZone::UTC.to_datetime(record.time).date();
            let found = Found { id: id(n), record, told: None };
            let disclosed = Mask::new(Profile::Disclose, &[], &words, None);
            let masked = Mask::new(Profile::Internal, &[NUMBERS.to_owned()], &[], None);
            for (mask, with_words) in [(&disclosed, true), (&masked, false)] {
                let mut shown = found.clone();
                mask.apply(&mut shown);
                for column in columns() {
                    column.each(&mut shown.record, |text| {
                        let left = scan::of_persons(text, day).into_iter().any(|(_, kind)| kind.is_some());
                        assert!(!left, "seed {seed}, record {n}, {}: {text}", column.name);
                    });
                }
                for (what, text) in written(mask, &found) {
                    let text = text.to_lowercase();
                    for number in ["850709-9805", "8507099805", "811228-9874", "8112289874"] {
                        assert!(
                            !text.contains(number),
                            "seed {seed}, record {n}, {what}: {number} in {text}"
                        );
                    }
                    for word in ["lönnrot", "lo\u{308}nnrot", "karin.berg", "karin\u{A0}berg"] {
                        assert!(
                            !with_words || !text.contains(word),
                            "seed {seed}, record {n}, {what}: {word} in {text}"
                        );
                    }
                }
            }
        }
    }
}

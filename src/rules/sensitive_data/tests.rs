//! What is found in a mail, of which class it is, and what is said of it.

use super::*;
use crate::documents::{Reason, Scheme};
use crate::facts::passage::{Passage, Place};
use crate::facts::testing::from_inside;
use crate::settings::defaults::Defaults;
use crate::settings::files::Files;
use crate::settings::problem::Fault;
use crate::settings::report::Report;
use crate::settings::{Entry, Kind as Of, Settings, Table, Value};

fn facts(passages: &[(Place, &str, &str, &str)]) -> Facts {
    let mut facts = from_inside("<anna@exempelby.se>", "x@example.org", "From: anna@exempelby.se");
    facts.passages = passages
        .iter()
        .map(|(place, part, name, text)| {
            Passage::new((*part).to_owned(), (*name).to_owned(), *place, (*text).to_owned())
        })
        .collect();
    facts
}

fn body(text: &str) -> Facts {
    facts(&[(Place::Body, "1", "", text)])
}

/// The files that a config may name in these tests.
#[derive(Debug)]
struct TestFiles;

impl Files for TestFiles {
    fn read(&self, name: &str, _: u64) -> Result<Vec<u8>, Fault> {
        match name {
            "own.txt" => Ok("Socialtjänsten, försörjningsstöd och boendestöd\n".into()),
            "terms.tsv" => Ok("# Egna\nsocial\t3\ti\tutredningsenheten\n".into()),
            "wrong.tsv" => Ok("social\t4\ti\tutredningsenheten\n".into()),
            _ => Err(Fault::new("there is no such file", "name another")),
        }
    }
}

fn text(text: &str) -> Of {
    Of::Text(text.to_owned())
}

fn list(text: &str) -> Of {
    Of::List(vec![Value { at: 0, kind: self::text(text) }])
}

fn table(key: &str, value: Of) -> Table {
    let value = Value { at: 0, kind: value };
    Table { at: 0, entries: vec![Entry { key: key.to_owned(), at: 0, value }] }
}

/// The rule with a section of these keys, if nothing is wrong with them.
fn configured(table: &Table) -> Option<Box<dyn Rule>> {
    let report = Report::new("postvakt.toml", "", &TestFiles);
    let defaults = Defaults::of(SPEC.keys);
    let rule = Settings::read(table, &defaults, SPEC.id, &report, |section| (SPEC.make)(SPEC.id, section));
    report.finish().ok().and(rule)
}

fn rule() -> Box<dyn Rule> {
    configured(&Table::default()).expect("a section may say nothing")
}

fn found(rule: &dyn Rule, facts: &Facts) -> Option<Match> {
    rule.check(facts).into_iter().find_map(|finding| match finding {
        Finding::Match(found) => Some(found),
        Finding::Unknown(_) => None,
    })
}

fn class(text: &str) -> Sensitivity {
    found(&*rule(), &body(text)).map(|found| found.evidence.class()).unwrap_or_default()
}

#[test]
fn the_class_is_that_of_the_most_sensitive_thing() {
    for (text, expected) in [
        ("Pnr 811228-9874, läkarintyg bifogas", Sensitivity::Serious),
        ("Pnr 811228-9874", Sensitivity::Considerable),
        ("Nummer 8112289874", Sensitivity::Moderate),
        ("701063-2391", Sensitivity::Considerable),
        ("000101-T220", Sensitivity::Considerable),
        ("000101-A220", Sensitivity::None),
        ("IBAN SE45 5000 0000 0583 9825 7466", Sensitivity::Considerable),
        ("kortnummer 4111 1111 1111 1111", Sensitivity::Considerable),
        ("Org.nr 212000-0142, bankgiro 5050-1055", Sensitivity::None),
        ("Org.nr 811228-9874 (enskild firma)", Sensitivity::Considerable),
        ("Ring 070-123 45 67 eller 0701234567", Sensitivity::None),
        ("OCR 8112289874, bankgiro 5050-1055, förfaller 2024-01-31", Sensitivity::None),
        ("OCR 8112289874 personnummer", Sensitivity::Considerable),
        ("Så får du ekonomiskt bistånd vid missbruk, och så gör du en orosanmälan", Sensitivity::None),
        (
            "Så får du ekonomiskt bistånd vid missbruk, och så gör du en orosanmälan, 811228-9874",
            Sensitivity::Serious,
        ),
        ("Eleven har skyddad identitet, adress Storgatan 1, 411 01 Göteborg", Sensitivity::Serious),
        (
            "Vi har öppet på Storgatan 1, 411 01 Göteborg. Försörjningsstöd, orosanmälan, missbruk.",
            Sensitivity::None,
        ),
        ("Barnets personnummer: 8112289874. Elevhälsan kallar.", Sensitivity::Serious),
        ("811228-9874 lÃ¤karintyg", Sensitivity::Serious),
        ("811228-9874 l\u{FFFD}karintyg och sjukskrivning", Sensitivity::Serious),
        ("811228-9874 långtidssjukskrivningen", Sensitivity::Serious),
        ("811228-9874 the same vision", Sensitivity::Considerable),
        ("> > 811228-9874\r\n> > personen är sjukskriven", Sensitivity::Serious),
    ] {
        assert_eq!(class(text), expected, "{text}");
    }
}

#[test]
fn terms_count_near_a_number_and_for_the_whole_mail_in_its_subject() {
    let far = format!("811228-9874 {} läkarintyg", "ord ".repeat(200));
    assert_eq!(class(&far), Sensitivity::Considerable);
    let rule = rule();
    let class = |passages: &[(Place, &str, &str, &str)]| {
        found(&*rule, &facts(passages)).map(|found| found.evidence.class())
    };
    let (subject, name) = (Place::Subject, Place::AttachmentName);
    assert_eq!(class(&[(subject, "", "", "Orosanmälan 811228-9874")]), Some(Sensitivity::Serious));
    assert_eq!(
        class(&[(subject, "", "", "811228-9874"), (Place::Body, "1", "", "läkarintyg bifogas")]),
        Some(Sensitivity::Serious)
    );
    assert_eq!(
        class(&[(subject, "", "", "Läkarintyg"), (Place::Body, "1", "", "811228-9874")]),
        Some(Sensitivity::Serious)
    );
    let zipped = (name, "2/1", "Kalle 811228-9874 utredning.docx", "Kalle 811228-9874 utredning.docx");
    assert_eq!(class(&[zipped]), Some(Sensitivity::Considerable));
    let table = format!("Namn;Pnr;Diagnos\r\n{}811228-9874", "A;;\r\n".repeat(500));
    assert_eq!(class(&[(Place::Attachment, "2", "lista.csv", &table)]), Some(Sensitivity::Serious));
    assert_eq!(class(&[(Place::Attachment, "2", "lista.txt", &table)]), Some(Sensitivity::Considerable));
}

#[test]
fn a_list_of_people_is_one_line() {
    let rows: Vec<String> = (0..500)
        .map(|row| {
            let day = format!("{:02}{:02}{:02}238", 30 + row / 28 % 60, 1 + row % 12, 1 + row % 28);
            let check = (0..10).find(|check| {
                let sum: u32 = format!("{day}{check}")
                    .bytes()
                    .rev()
                    .enumerate()
                    .map(|(at, byte)| u32::from(byte - b'0') * if at % 2 == 0 { 1 } else { 2 })
                    .map(|value| value / 10 + value % 10)
                    .sum();
                sum.is_multiple_of(10)
            });
            format!("Namn {row}\t{}-238{}\n", &day[..6], check.unwrap())
        })
        .collect();
    let rows = rows.concat();
    let found = found(&*rule(), &facts(&[(Place::Attachment, "2", "lista.xlsx", &rows)])).unwrap();
    assert_eq!(found.evidence.class(), Sensitivity::Serious);
    let text = found.evidence.as_str();
    assert!(text.contains("personnummer, first ") && text.ends_with("; bulk") && text.len() < 200, "{text}");
    assert!(found.evidence.counts().iter().any(|(kind, count)| *kind == "bulk" && *count >= 100));
}

#[test]
fn evidence_says_where_and_never_what() {
    let body = "Hej, pnr 811228-9874, läkarintyg bifogas";
    let list = (Place::Attachment, "1.2", "lista 811228-9874.xlsx", body);
    let found = found(&*rule(), &facts(&[(Place::Body, "1.1", "", body), list])).unwrap();
    assert_eq!(
        found.evidence.as_str(),
        "personnummer 811228-**** in part 1.1 at 9; \
         personnummer 811228-**** in part 1.2 \"lista 811228-****.xlsx\" at 9; health near it"
    );
    assert_eq!(found.evidence.counts(), [("personnummer", 1), ("health", 1)]);
    assert_eq!(found.grade, Confidence::Strong);
}

#[test]
fn what_could_not_be_read_is_said() {
    let mut facts = body("Hej");
    let attachment = |state| crate::facts::attachment::Attachment {
        path: "2".to_owned(),
        name: "x.pdf".to_owned(),
        other_names: Vec::new(),
        media_type: "application/pdf".to_owned(),
        kind: crate::documents::kind::Kind::Pdf,
        size: 1,
        state,
        macros: false,
    };
    facts.attachments =
        vec![attachment(State::Uninspectable(Reason::ImageOnly)), attachment(State::Encrypted(Scheme::Pdf))];
    assert_eq!(rule().check(&facts), [Finding::Unknown(Cause::Uninspectable(Reason::ImageOnly))]);
}

#[test]
fn the_organisation_sets_what_counts() {
    let class = |key: &str, value: Of, text: &str| {
        let rule = configured(&table(key, value)).unwrap();
        found(&*rule, &body(text)).map(|found| found.evidence.class()).unwrap_or_default()
    };
    let iban = "IBAN SE45 5000 0000 0583 9825 7466";
    assert_eq!(class("own_numbers", list("SE4550000000058398257466"), iban), Sensitivity::None);
    assert_eq!(class("classes", Of::Table(table("bank", text("moderate"))), iban), Sensitivity::Moderate);
    let social = "811228-9874 hos socialtjänsten, lss";
    assert_eq!(self::class(social), Sensitivity::Serious);
    assert_eq!(class("without_terms", list("lss"), social), Sensitivity::Considerable);
    assert_eq!(
        class("classes", Of::Table(table("social", text("considerable"))), social),
        Sensitivity::Considerable
    );
    let footer = "811228-9874\r\nSocialtjänsten, försörjningsstöd\r\noch boendestöd";
    assert_eq!(class("own_texts", text("own.txt"), footer), Sensitivity::Considerable);
    assert_eq!(class("own_texts", text("own.txt"), "811228-9874 försörjningsstöd"), Sensitivity::Serious);
    assert_eq!(class("terms", text("terms.tsv"), "811228-9874 Utredningsenheten"), Sensitivity::Serious);
    // A test number that the organisation uses is as good as its own.
    assert_eq!(class("own_numbers", list("19811228-9874"), "Pnr 811228-9874"), Sensitivity::None);
    let couple = "811228-9874 och 701063-2391";
    assert_eq!(self::class(couple), Sensitivity::Considerable);
    assert_eq!(class("bulk_persons", Of::Number(2), couple), Sensitivity::Serious);
    assert_eq!(class("bulk_persons", Of::Number(3), couple), Sensitivity::Considerable);
    // One person is no list, however often they are named.
    assert_eq!(class("bulk_persons", Of::Number(2), "811228-9874, 19811228-9874"), Sensitivity::Considerable);
    for (key, wrong) in [
        ("bulk_persons", Of::Number(1)),
        ("without_terms", list("finns inte")),
        ("own_numbers", list("x")),
        ("terms", text("wrong.tsv")),
        ("classes", Of::Table(table("bank", text("secret")))),
    ] {
        assert!(configured(&table(key, wrong)).is_none(), "{key}");
    }
}

/// The findings of a mail with this text: class, grade, and whether they are for the log alone.
fn all(rule: &dyn Rule, text: &str) -> Vec<(Sensitivity, Confidence, bool)> {
    let findings = rule.check(&body(text)).into_iter();
    findings
        .filter_map(|finding| match finding {
            Finding::Match(found) => {
                Some((found.evidence.class(), found.grade, found.evidence.is_log_only()))
            }
            Finding::Unknown(_) => None,
        })
        .collect()
}

#[test]
fn persons_who_are_named_and_not_numbered() {
    let rule = rule();
    let named = (Sensitivity::Considerable, Confidence::Medium, true);
    for (text, expected) in [
        ("Anna Svensson, född 1981-12-28, är sjukskriven", vec![named]),
        ("Läkarintyg för Anna Svensson 811228-XXXX bifogas", vec![named]),
        ("Erik Berg\t19140304\tadhd\nAnna Svensson\t19811228\tadhd\n", vec![named]),
        ("Eleven 081228-XXXX har adhd", vec![(Sensitivity::Moderate, Confidence::Weak, true)]),
        ("Anna Svensson, född 1981-12-28, är ny hos oss", vec![]),
        ("Anna Svensson är sjukskriven från 2026-05-04", vec![]),
        ("Personnummer 811228-XXXX, se bilagan", vec![]),
        ("Anna Svensson, född 1981-12-28, är ny. Frågor om sjukskrivning till mig.", vec![]),
        (
            "Anna Svensson, född 1981-12-28, pnr 811228-9874, är sjukskriven",
            vec![(Sensitivity::Serious, Confidence::Strong, false)],
        ),
    ] {
        assert_eq!(all(&*rule, text), expected, "{text}");
    }
    let text = "Anna Svensson, född 1981-12-28, är sjukskriven";
    let enforced = configured(&table("named_persons", self::text("enforce"))).unwrap();
    assert_eq!(all(&*enforced, text), [(Sensitivity::Considerable, Confidence::Medium, false)]);
    let off = configured(&table("named_persons", self::text("off"))).unwrap();
    assert_eq!(all(&*off, text), []);
    assert!(configured(&table("named_persons", self::text("on"))).is_none());
    let found = rule.check(&body(text)).remove(0);
    let Finding::Match(found) = found else { panic!("{found:?}") };
    assert_eq!(found.evidence.as_str(), "named-person in part 1 at 21; health near it");
    assert_eq!(found.evidence.counts(), [("health", 1), ("named-person", 1)]);
}

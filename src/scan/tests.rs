//! Numbers in texts: every written form, and every trap.

use jiff::civil::date;

use super::checks::luhn;
use super::*;

const TODAY: Date = date(2026, 3, 2);

fn found(text: &str) -> Vec<(Kind, Confidence)> {
    let folded = Folded::new(text);
    numbers(&folded, &Known::default(), TODAY, false)
        .into_iter()
        .map(|number| (number.kind, number.sure))
        .collect()
}

/// A xorshift generator: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + u8::try_from(self.below(10)).unwrap())).collect()
    }
}

/// The digits with their check digit.
fn checked(digits: &str) -> String {
    (0..10)
        .map(|check| format!("{digits}{check}"))
        .find(|number| luhn(number.bytes().map(|byte| byte - b'0')))
        .unwrap()
}

/// A number by the published rules: the year with its century, and the ten digits. The birth numbers are those of
/// the tax agency's test numbers, which no person ever gets.
fn generated(random: &mut Random, coordination: bool) -> (u64, String) {
    let year = 1890 + random.below(133);
    let (month, day) = (1 + random.below(12), 1 + random.below(28));
    let (month, day) = match (coordination, random.below(10)) {
        (true, 0) => (0, 60 + day),
        (true, 1) => (month, 60),
        (true, _) => (month, 60 + day),
        (false, _) => (month, day),
    };
    let serial = [238, 239, 980, 981, 982, 983, 928, 929][usize::try_from(random.below(8)).unwrap()];
    (year, checked(&format!("{:02}{month:02}{day:02}{serial:03}", year % 100)))
}

#[test]
fn every_written_form_of_every_number_is_found() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for round in 0..4_000 {
        let coordination = round % 4 == 0;
        let (year, ten) = generated(&mut random, coordination);
        let (century, day, serial) = (year / 100, &ten[..6], &ten[6..]);
        let sign = if 2026 - year >= 100 { '+' } else { '-' };
        let full = format!("{century}{day}");
        let (y, m, d) = (&full[..4], &full[4..6], &full[6..]);
        let wide: String =
            ten.bytes().map(|byte| char::from_u32(u32::from(byte - b'0') + 0xFF10).unwrap()).collect();
        let strong = [
            format!("{full}{serial}"),
            format!("{full}-{serial}"),
            format!("{day}{sign}{serial}"),
            format!("{day} {serial}"),
            format!("{full} {serial}"),
            format!("{day}–{serial}"),
            format!("{day}\u{A0}{serial}"),
            format!("{day} - {serial}"),
            format!("{day}−{serial}"),
            format!("{day}-\u{200B}{serial}"),
            format!("{y}-{m}-{d}-{serial}"),
            format!("{y} {m} {d} {serial}"),
            format!("pnr {ten}"),
            format!("Personnummer: {wide}"),
            format!("personnummer {day}-\r\n{serial}"),
            format!("personnummer\r\n{day}\r\n{serial}"),
        ];
        let kind = if coordination { Kind::Coordination } else { Kind::Personal };
        // A day of the last years, or one that is read so because no century is written, is likelier an event's.
        let recent =
            |text: &str| year >= 2023 || (!text.contains(&full[..4]) && (23..=26).contains(&(year % 100)));
        for (form, text) in strong.iter().enumerate() {
            let here = format!("Hej, {text}, hälsningar");
            let [(found_kind, sure)] = found(&here)[..] else { panic!("{here}") };
            let least = if recent(text) && form < 12 { Confidence::Medium } else { Confidence::Strong };
            assert!(found_kind == kind && sure >= least, "{here} {sure:?}");
        }
        let alone = found(&format!("Hej {ten} hej"));
        let phone = ["07", "01", "08"].iter().any(|prefix| ten.starts_with(prefix));
        assert_eq!(alone, [(kind, if phone { Confidence::Weak } else { Confidence::Medium })], "{ten}");
    }
}

#[test]
fn published_numbers_are_found() {
    for (text, kind, sure) in [
        ("Pnr 811228-9874, läkarintyg bifogas", Kind::Personal, Confidence::Strong),
        ("191212121212", Kind::Personal, Confidence::Strong),
        ("19121212-1212", Kind::Personal, Confidence::Strong),
        ("811228+9874", Kind::Personal, Confidence::Strong),
        ("811228&nbsp;9874".replace("&nbsp;", "\u{A0}").leak(), Kind::Personal, Confidence::Strong),
        ("８１１２２８－９８７４", Kind::Personal, Confidence::Strong),
        ("701063-2391", Kind::Coordination, Confidence::Strong),
        ("000101-T220", Kind::Interim, Confidence::Strong),
        ("reservnummer 19810829M071", Kind::Reserve, Confidence::Strong),
        ("reservnummer 19450829K088", Kind::Reserve, Confidence::Strong),
        ("reservnummer 19930829X802", Kind::Reserve, Confidence::Strong),
        ("reservnummer 19810829SU3A", Kind::Reserve, Confidence::Strong),
        ("Reservnr: 991981000010", Kind::Reserve, Confidence::Strong),
        ("reservnummer 198108320014", Kind::Reserve, Confidence::Strong),
        ("Org.nr 811228-9874 (enskild firma)", Kind::Personal, Confidence::Strong),
        ("SE811228987401", Kind::Personal, Confidence::Strong),
        ("OCR 8112289874 personnummer", Kind::Personal, Confidence::Strong),
        ("https://example.org/sok?pnr=8112289874", Kind::Personal, Confidence::Strong),
        ("kontonr 3300-8112289874", Kind::Personal, Confidence::Strong),
        ("Org.nr 212000-0142", Kind::Organisation, Confidence::Strong),
        ("SE556036079301", Kind::Organisation, Confidence::Strong),
        ("IBAN SE45 5000 0000 0583 9825 7466", Kind::Bank, Confidence::Strong),
        ("SE4550000000058398257466", Kind::Bank, Confidence::Strong),
        ("kortnummer 4111 1111 1111 1111", Kind::Card, Confidence::Strong),
        ("5555555555554444", Kind::Card, Confidence::Medium),
        ("3782-822463-10005", Kind::Card, Confidence::Strong),
        ("Bankgiro 5050-1055", Kind::Bankgiro, Confidence::Strong),
        ("passnummer AA1234567", Kind::Passport, Confidence::Strong),
        ("Passnr: 87654321", Kind::Passport, Confidence::Strong),
        ("adress Storgatan 1", Kind::Address, Confidence::Strong),
    ] {
        assert_eq!(found(text), [(kind, sure)], "{text}");
    }
    assert_eq!(found("000101-A220"), []);
    assert_eq!(found("811228-9875 811328-9874 811231-0000"), []);
}

type Trap = fn(&mut Random) -> String;

/// Traps: thousands of each, and none taken for a person's number with certainty.
#[test]
fn traps_are_not_taken_for_people() {
    const EACH: usize = 10_000;
    const STRONG: Confidence = Confidence::Strong;
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let traps: &[(&str, Trap)] = &[
        ("phone", |r| format!("Ring 070-{} {} {}", r.digits(3), r.digits(2), r.digits(2))),
        ("mobile on end", |r| format!("Ring oss på 07{}", r.digits(8))),
        ("mobile alone", |r| format!("Hälsningar Anna 07{}", r.digits(8))),
        ("area code", |r| format!("tel 010{}", r.digits(7))),
        ("international", |r| format!("+4670{}", r.digits(7))),
        ("ocr", |r| format!("OCR-nummer {}", checked(&r.digits(9)))),
        ("ocr alone", |r| checked(&r.digits(9))),
        ("invoice", |r| format!("Faktura {}-{}", r.digits(6), r.digits(4))),
        ("timestamp", |r| {
            format!(
                "{}{:02}{:02}{:02}{:02}",
                2010 + r.below(16),
                1 + r.below(12),
                1 + r.below(28),
                r.below(24),
                r.below(60)
            )
        }),
        ("log file", |r| {
            format!(
                "backup_{}{:02}{:02}{:02}{:02}.log",
                2000 + r.below(27),
                1 + r.below(12),
                1 + r.below(28),
                r.below(24),
                r.below(60)
            )
        }),
        ("ticket", |r| {
            format!(
                "Ticket {}{:02}{:02}-{}",
                2023 + r.below(3),
                1 + r.below(12),
                1 + r.below(28),
                r.digits(4)
            )
        }),
        ("ticket alone", |r| {
            format!("{}{:02}{:02}-{}", 2023 + r.below(3), 1 + r.below(12), 1 + r.below(28), r.digits(4))
        }),
        ("case", |r| {
            format!(
                "ärende {:02}{:02}{:02}-{}",
                20 + r.below(6),
                1 + r.below(12),
                1 + r.below(28),
                r.digits(4)
            )
        }),
        ("diarienummer", |r| {
            format!("KS/{}:{} SN {}/{}", 2000 + r.below(26), r.digits(4), 2000 + r.below(26), r.digits(5))
        }),
        ("isbn", |r| format!("ISBN 978-91-{}-{}-{}", r.digits(3), r.digits(4), r.digits(1))),
        ("isbn on end", |r| format!("ISBN 97891{}", r.digits(8))),
        ("mac", |r| (0..6).map(|_| format!("{:02x}", r.below(256))).collect::<Vec<_>>().join(":")),
        ("mac with dashes", |r| {
            (0..6).map(|_| format!("{:02x}", r.below(256))).collect::<Vec<_>>().join("-")
        }),
        ("iban", |r| {
            format!(
                "SE{} {} {} {} {} {}",
                r.digits(2),
                r.digits(4),
                r.digits(4),
                r.digits(4),
                r.digits(4),
                r.digits(4)
            )
        }),
        ("orgnr", |r| {
            let ten = checked(&format!("5{}{}{}", r.below(10), 20 + r.below(80), r.digits(5)));
            format!("Org.nr {}-{}", &ten[..6], &ten[6..])
        }),
        ("uuid", |r| {
            format!(
                "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
                r.below(1 << 32),
                r.below(1 << 16),
                r.below(1 << 16),
                r.below(1 << 16),
                r.below(1 << 48)
            )
        }),
        ("ip", |r| format!("{}.{}.{}.{}", r.below(256), r.below(256), r.below(256), r.below(256))),
        ("amount", |r| format!("{} {} {},{}", r.digits(3), r.digits(3), r.digits(3), r.digits(2))),
        ("message id", |r| format!("<{}.{}@mail.example.org>", r.digits(10), r.digits(4))),
        ("url", |r| format!("https://example.org/a/{}/b", r.digits(10))),
    ];
    for (name, trap) in traps {
        let mut strong = 0;
        for _ in 0..EACH {
            let text = format!("Hej! {} Hälsningar", trap(&mut random));
            strong += found(&text).iter().filter(|(kind, sure)| kind.of_person() && *sure == STRONG).count();
        }
        assert_eq!(strong, 0, "{name}: of {EACH}");
    }
}

#[test]
fn ten_digits_and_recent_days_that_a_label_calls_something_else_are_weak() {
    for text in [
        "Ring 070-123 45 67 eller 0701234567",
        "OCR 8112289874, bankgiro 5050-1055, förfaller 2024-01-31",
        "Faktura 20251115-0046, KS/2023:1234",
        "Kundnummer: 8112289874",
        "https://example.org/kund/8112289874/",
    ] {
        assert!(
            found(text).iter().all(|(kind, sure)| !kind.of_person() || *sure == Confidence::Weak),
            "{text}"
        );
    }
}

#[test]
fn series_of_one_day_and_columns_of_a_table() {
    let day: Vec<String> = (10..40).map(|n| checked(&format!("{:02}1115{n:03}", 20))).collect();
    let text = day.iter().map(|ten| format!("{}-{}", &ten[..6], &ten[6..])).collect::<Vec<_>>().join("\n");
    assert!(found(&text).iter().all(|(_, sure)| *sure == Confidence::Medium));
    let mut random = Random(7);
    let column: Vec<String> = (0..50).map(|_| generated(&mut random, false).1).collect();
    let strong = |table: &str| {
        let folded = Folded::new(table);
        numbers(&folded, &Known::default(), TODAY, true)
            .iter()
            .filter(|n| n.kind.of_person() && n.sure == Confidence::Strong)
            .count()
    };
    assert!(strong(&format!("Namn;Nr\n{}", column.join("\n"))) >= 40);
    // Cases of each day, with counters: one in ten has a right check digit, and a day of birth.
    let cases: Vec<String> = (0..400)
        .map(|n| format!("{}{:02}{:02}-{:04}", 1996 + n % 30, 1 + n % 12, 1 + n % 28, 200 + n))
        .collect();
    assert_eq!(strong(&format!("Nr;Status\n{}", cases.join(";klar\n"))), 0);
    let mut articles: Vec<String> =
        (0..400).map(|_| format!("{}-{}", random.digits(6), random.digits(4))).collect();
    assert_eq!(strong(&format!("Artikel;Status\n{}", articles.join(";klar\n"))), 0);
    // A person among them is still found, by a label.
    articles.push("Personnummer 811228-9874".to_owned());
    assert_eq!(strong(&format!("Artikel;Status\n{}", articles.join(";klar\n"))), 1);
}

#[test]
fn a_label_speaks_of_a_list_and_of_loose_forms() {
    for (text, count) in [
        ("Personnummer: 8112289874,8507099805,7010632391 och 1212121212", 4),
        ("{\"personnummer\":[8112289874,\n 8507099805]}", 2),
        ("Personnummer: 8112289874, tel 0701740607", 1),
        ("Personnummer;Belopp\n811228-9874;0701740607", 1),
        ("Född 811228, sista fyra 9874", 1),
        ("Sista fyra? 811228 sista 4: 9874", 1),
        ("Pnr 81-12-28 9874", 1),
        ("Pnr 8l1228-9874", 1),
        ("Belopp 811228  9874", 0),
        ("Ändrad 1981.12.28-9874", 0),
        ("Personnummer\tSista fyra\n19811228\t9874\n19850709\t9805\n", 2),
        ("Artikel\tAntal\n811228\t9874\n", 0),
        ("> > Pnr: 811228-\n> > 9874\n", 1),
    ] {
        let strong =
            found(text).iter().filter(|(kind, sure)| kind.of_person() && *sure == Confidence::Strong).count();
        assert_eq!(strong, count, "{text}");
    }
    // Days that the month does not have, as they are given.
    for text in ["480491-2386", "201604912384", "110991-2384"] {
        assert_eq!(found(text), [(Kind::Coordination, Confidence::Strong)], "{text}");
    }
    assert_eq!(found("810992-2388 811378-2380"), []);
}

#[test]
fn numbers_of_the_neighbours() {
    for (text, kind, sure) in [
        ("131052-308T", Kind::Finnish, Confidence::Strong),
        ("131052A308T", Kind::Finnish, Confidence::Strong),
        ("Fødselsnummer 15108695088", Kind::Norwegian, Confidence::Strong),
        ("15108695088", Kind::Norwegian, Confidence::Medium),
        ("CPR-nr. 211062-5629", Kind::Danish, Confidence::Strong),
        ("LMA-nummer 50-123456", Kind::Lma, Confidence::Strong),
    ] {
        assert_eq!(found(text), [(kind, sure)], "{text}");
    }
    assert_eq!(found("131052-308U 15108695089 211062-5629"), []);
}

#[test]
fn what_is_shown_is_masked() {
    let shown = |text: &str| {
        let folded = Folded::new(text);
        numbers(&folded, &Known::default(), TODAY, false)
            .iter()
            .map(|number| number.masked(&folded))
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(shown("198112289874 och 811228-9874"), "811228-**** 811228-****");
    assert_eq!(shown("000101-T220 SE811228987401"), "000101-**** 811228-****");
    assert_eq!(shown("kort 4111 1111 1111 1111"), "****11");
    for (name, expected) in [
        ("Kalle 811228-9874 utredning.docx", "Kalle 811228-**** utredning.docx"),
        ("198112289874.pdf", "198112******.pdf"),
        ("8112289874", "811228****"),
        ("000101-T220.pdf", "000101-****.pdf"),
        ("８１１２２８－９８７４", "８１１２２８－****"),
        ("rapport 2024.pdf", "rapport 2024.pdf"),
        ("protokoll 2024-01-31.pdf", "protokoll 2024-01-**.pdf"),
    ] {
        assert_eq!(masked(name), expected);
        assert!(numbers(&Folded::new(&masked(name)), &Known::default(), TODAY, true).is_empty(), "{name}");
    }
}

#[test]
fn no_text_brings_a_detector_down_and_every_offset_is_in_the_text() {
    let mut random = Random(0x1234_5678_9ABC_DEF1);
    let pieces = [
        "811228",
        "-",
        "9874",
        " ",
        "\r\n",
        "å",
        "Ã¥",
        "=E5",
        "=\r\n",
        "\u{200B}",
        "８",
        "–",
        "SE",
        "45",
        "T220",
        "pnr ",
        "OCR ",
        "konto ",
        "lösenord: ",
        "://",
        "@",
        "eyJ",
        ".",
        ":",
        "+",
        "a\u{30A}",
        "𝟖",
        "ﬁ",
        "personnummer",
        "<",
        "x",
        "Storgatan ",
        "reservnummer ",
        "\u{FFFD}",
        "\0",
        "\"",
    ];
    let terms = terms::Terms::new(terms::shipped()).unwrap();
    for _ in 0..20_000 {
        let text: String = (0..random.below(24))
            .map(|_| pieces[usize::try_from(random.below(pieces.len() as u64)).unwrap()])
            .collect();
        let folded = Folded::new(&text);
        let numbers = numbers(&folded, &Known::default(), TODAY, random.below(2) == 0);
        let places = numbers.iter().map(|number| {
            assert!(!text.contains(&number.masked(&folded)) || number.masked(&folded).is_empty(), "{text}");
            number.at.clone()
        });
        let places: Vec<Range<usize>> = places
            .chain(credentials::find(&folded, true).into_iter().map(|found| found.at))
            .chain(terms.find(folded.bytes()).map(|found| found.at))
            .collect();
        for at in places {
            assert!(at.start < at.end && at.end <= folded.bytes().len(), "{text}");
            assert!(text.is_char_boundary(folded.offset(at.start)), "{text}");
        }
        masked(&text);
    }
}

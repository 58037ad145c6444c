//! Pages as people see them, on a screen and on A4: nothing is cut, and no word is broken. The pictures are looked at in
//! `target/tmp`.

use std::fs;

use super::browser::{FONTS, LANDSCAPE, PORTRAIT, print, wrong};
use super::cli::run;
use super::*;
use postvakt::record::{OutboxKind, OutboxRow};

/// Mails with what is long in real ones.
async fn store(directory: &Path) {
    let store = Store::open(directory, "gw1").unwrap();
    let outcomes = [
        (Outcome::Accepted, "auto-forward=certain"),
        (Outcome::Incomplete, "client-left"),
        (Outcome::Held, "sensitive-data=unknown"),
        (Outcome::Marked, "suspicious-attachment=strong"),
        (Outcome::Deferred, "virus=unknown"),
        (Outcome::Rejected, "auto-forward=certain"),
    ];
    for (number, (outcome, finding)) in outcomes.into_iter().cycle().take(24).enumerate() {
        let mut one = Record { outcome, findings: vec![finding.into()], ..record("Möte om budget") };
        one.direction =
            [Some(Direction::Inbound), Some(Direction::Outbound), Some(Direction::Internal), None]
                [number % 4];
        match number % 4 {
            0 => {
                one.sender = "bounces+7741903-54c2-registrator=socialtjansten.exempelby.se@em1234.nyhetsbrev.example.org".into();
                one.subject =
                    "Fråga om föreningsbidragsansökningshandlingar och verksamhetsberättelse för 2026".into();
            }
            1 => {
                one.recipients = (0..30).map(|n| format!("per.nystrom{n}@exempelby.se")).collect();
                one.attachments = vec![
                    (
                        "Protokoll_kommunstyrelsen_2026-11-04_underskrivet_slutversion.pdf".into(),
                        1_234_567
                    );
                    3
                ];
            }
            2 => one.subject = "Å".repeat(200),
            _ => one.header_from = "per.nystrom@exempelby.se".into(),
        }
        store.commit(Entry::of(one)).await.unwrap();
    }
    store.close().await;
}

#[tokio::test]
async fn an_export_can_be_read_on_a_screen_and_on_paper() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    for (name, more) in [("export", &[][..]), ("who-to-whom", &["--short"])] {
        let page = directory.path().join(format!("{name}.html"));
        let own =
            ["export", "--decision", "KS 2026/7", "--format", "html", "--output", page.to_str().unwrap()];
        assert_eq!(run(&path, &[&own[..], more].concat()).0, 0);
        for font in FONTS {
            for (width, paper) in [(LANDSCAPE, true), (1_400, false), (1_920, false)] {
                assert_eq!(wrong(&page, font, width, paper), Vec::<String>::new(), "{name}, {font}, {width}");
            }
            let (_, text) = print(&page, font, name);
            assert!(
                text.contains("Inkommande") == (name == "export") && text.contains("Sida 1 av"),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn an_extract_can_be_read_on_a_screen_and_on_paper() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    assert_eq!(run(&path, &["search", "--purpose", "felsökning", "--queue-id", "4fKq"]).0, 0);
    let page = directory.path().join("extract.html");
    let own = ["subject-extract", "anna@exempelby.se", "--decision", "KS 2026/7", "--html"];
    assert_eq!(run(&path, &[&own[..], &[page.to_str().unwrap()]].concat()).0, 0);
    for font in FONTS {
        assert_eq!(wrong(&page, font, LANDSCAPE, true), Vec::<String>::new(), "{font}");
        let (_, text) = print(&page, font, "extract");
        assert!(text.contains("Registerutdrag") && text.contains("felsökning"), "{text}");
    }
}

#[tokio::test]
async fn a_report_cuts_no_figure_in_any_typeface() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    super::report::quarter(&path).await;
    // Receipts and accesses are of now.
    let now = Timestamp::now();
    let open = Store::open(&path, "gw1").unwrap();
    let kinds = [(1, OutboxKind::Receipt), (2, OutboxKind::Notice)];
    let outbox = kinds.map(|(key, kind)| OutboxRow {
        key: [key; 16],
        kind,
        at: now,
        due: now,
        until: now,
        mailbox: "registrator@exempelby.se".into(),
        recipient: "x@example.org".into(),
        reference: "PV-2026-7K3M9Q".into(),
        held: false,
        message: "Subject: Hej\r\n\r\nHej\r\n".into(),
    });
    open.commit(Entry { outbox: outbox.into(), ..Entry::of(Record { time: now, ..record("nu") }) })
        .await
        .unwrap();
    open.close().await;
    for decision in ["KS 2026/7", "KS 2026/8"] {
        assert_eq!(run(&path, &["search", "--decision", decision]).0, 0);
    }
    let today = TimeZone::get("Europe/Stockholm").unwrap().to_datetime(now).date();
    let current = format!("{}Q{}", today.year(), (today.month() - 1) / 3 + 1);
    for (name, quarter, wanted) in
        [("report", "2026Q3", "Fynd per regel"), ("report-accesses", current.as_str(), "Sökning")]
    {
        let page = directory.path().join(format!("{name}.html"));
        let own =
            ["report", "quarter", quarter, "--purpose", "uppföljning", "--html", page.to_str().unwrap()];
        assert_eq!(run(&path, &own).0, 0);
        // Figures of a large municipality, in the same page.
        let text = fs::read_to_string(&page).unwrap();
        let large = text.replace("<td class=n>", "<td class=n>12\u{A0}345\u{A0}6");
        fs::write(&page, large).unwrap();
        for font in FONTS {
            for (width, paper) in [(PORTRAIT, true), (1_240, false)] {
                assert_eq!(wrong(&page, font, width, paper), Vec::<String>::new(), "{name}, {font}, {width}");
            }
            let (_, text) = print(&page, font, name);
            assert!(
                text.contains(wanted) && text.contains("12\u{A0}345\u{A0}6") || text.contains("12 345 6"),
                "{text}"
            );
        }
    }
}

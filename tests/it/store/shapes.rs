//! Exports of chosen columns, with headings, without protected mailboxes: each says the same as its proof.

use std::fs;
use std::process::Command;

use postvakt::config::minimise::Covered;
use postvakt::config::{Config, Disclosure};
use postvakt::export::column;
use postvakt::export::shape::{SHORT, Shape};
use serde_json::Value;

use super::cli::{config, run, run_with};
use super::*;

const WHISTLE: &str = "visselblasare@exempelby.se";

/// Two mails to a whistleblower function, one of them with a copy to somebody else, and two others.
async fn store(directory: &Path) {
    let store = Store::open(directory, "gw1").unwrap();
    let to = |sender: &str, recipients: &[&str], subject: &str| Record {
        sender: sender.into(),
        header_from: sender.into(),
        recipients: recipients.iter().map(|&address| address.to_owned()).collect(),
        message_id: format!("<{subject}@example.org>"),
        queue_id: format!("Q{subject}"),
        ..record(subject)
    };
    for one in [
        to("tipsare@example.org", &["Visselblasare+nytt@exempelby.se"], "anmalan1"),
        to("tipsare2@example.org", &["anna@exempelby.se", WHISTLE], "anmalan2"),
        to("x@example.org", &["anna@exempelby.se"], "bygglov1"),
        to("x@example.org", &["registrator@exempelby.se"], "bygglov2"),
    ] {
        store.commit(Entry::of(one)).await.unwrap();
    }
    store.close().await;
}

fn export(config: &Config, file: &Path, more: &[&str]) {
    let own = ["export", "--decision", "KS 2026/7", "--output", file.to_str().unwrap()];
    let (code, out) = run_with(config, &[&own[..], more].concat());
    assert_eq!(code, 0, "{out}");
}

fn proved(store: &Path, file: &Path) {
    let key = store.join("heads.pub");
    let own = ["verify-export", file.to_str().unwrap(), "--key", key.to_str().unwrap()];
    let (code, out) = run(store, &own);
    assert_eq!(code, 0, "{out}");
    let (code, out) = run(store, &[&own[..], &["--store", store.to_str().unwrap()]].concat());
    assert_eq!(code, 0, "{out}");
}

fn beside(file: &Path, ending: &str) -> String {
    fs::read_to_string(format!("{}{ending}", file.display())).unwrap()
}

#[tokio::test]
async fn chosen_columns_alone_leave_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let config = config(&path);
    for format in ["csv", "xlsx", "jsonl", "html"] {
        for (name, more) in [
            ("short", &["--short"][..]),
            ("own", &["--columns", "subject,time_utc,attachment_sizes"]),
            ("one", &["--columns", "record", "--profile", "pseudonym"]),
        ] {
            let file = directory.path().join(format!("{name}.{format}"));
            export(&config, &file, &[&["--format", format], more].concat());
            proved(&path, &file);
            let proof = beside(&file, ".proof.jsonl");
            // What no column shows stands in no file beside it either.
            for secret in ["mx.example.org", "Qbygglov1", "192.0.2.1", "TLS_AES", "0123456789abcdef"] {
                assert!(!proof.contains(secret), "{name}.{format}: {secret}");
                if format != "xlsx" {
                    assert!(
                        !fs::read_to_string(&file).unwrap().contains(secret),
                        "{name}.{format}: {secret}"
                    );
                }
            }
            assert_eq!(proof.contains("bygglov1"), name != "one", "{name}.{format}");
            assert_eq!(proof.contains("Ansökan.pdf"), name == "short", "{name}.{format}");
        }
    }
    let csv = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
    let head = |text: &str| text.lines().next().unwrap().trim_start_matches('\u{FEFF}').to_owned();
    assert_eq!(head(&csv("short.csv")), format!("\"{}\"", SHORT.join("\";\"")));
    assert_eq!(head(&csv("own.csv")), "\"subject\";\"time_utc\";\"attachment_sizes\"");
    assert!(
        csv("own.csv").contains("\"bygglov1\";\"2026-08-21T11:05:09.000Z\";\"1024\""),
        "{}",
        csv("own.csv")
    );
    let manifest: Value =
        serde_json::from_str(&beside(&directory.path().join("short.csv"), ".manifest.json")).unwrap();
    assert_eq!(manifest["columns"], serde_json::json!(SHORT));
    for wrong in ["colour", "time,time", "time,,subject"] {
        let file = directory.path().join("x");
        let own =
            ["export", "--decision", "KS 2026/7", "--format", "csv", "--output", file.to_str().unwrap()];
        let (code, out) = run(&path, &[&own[..], &["--columns", wrong]].concat());
        assert!(code == 2 && out.contains("expected columns"), "{wrong}: {out}");
    }
}

#[tokio::test]
async fn headings_are_in_the_language_that_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    for (headings, wanted) in [
        ("id", "\"time\";\"time_utc\";\"record\";\"direction\";\"sender\""),
        ("sv", "\"Tid\";\"Tid (UTC)\";\"Post\";\"Riktning\";\"Från\""),
        ("en", "\"Time\";\"Time (UTC)\";\"Record\";\"Direction\";\"Sender\""),
    ] {
        for format in ["csv", "xlsx"] {
            let file = directory.path().join(format!("{headings}.{format}"));
            export(&config(&path), &file, &["--format", format, "--headings", headings]);
            proved(&path, &file);
        }
        let csv = fs::read_to_string(directory.path().join(format!("{headings}.csv"))).unwrap();
        assert!(csv.trim_start_matches('\u{FEFF}').starts_with(wanted), "{csv}");
    }
}

/// What Python reads of a workbook: the cells' types and values, and how they are shown.
const READ_XLSX: &str = r#"
import json, sys, zipfile, xml.etree.ElementTree as E
n = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
book = zipfile.ZipFile(sys.argv[1])
sheet = E.fromstring(book.read("xl/worksheets/sheet1.xml"))
cell = lambda c: [c.get("t"), "".join(t.text or "" for t in c.iterfind(".//m:t", n)) or c.findtext("m:v", None, n)]
print(json.dumps([[cell(c) for c in r.iterfind("m:c", n)] for r in sheet.iterfind(".//m:row", n)]))
"#;

#[tokio::test]
async fn times_and_sizes_of_a_workbook_can_be_filtered_and_summed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let file = directory.path().join("log.xlsx");
    let columns = ["--columns", "time,time_utc,size,attachment_sizes,queue_id"];
    export(&config(&path), &file, &[&["--format", "xlsx"], &columns[..]].concat());
    let python = Command::new("python3").args(["-c", READ_XLSX]).arg(&file).output().unwrap();
    let rows: Vec<Vec<(Option<String>, String)>> = serde_json::from_slice(&python.stdout).unwrap();
    let first: Vec<&str> = rows[1].iter().map(|(_, value)| value.as_str()).collect();
    // Days since 1900: 2026-08-21 13:05:09 in Stockholm, and two hours less in UTC.
    let days =
        |value: &str| format!("{:.0}", value.parse::<f64>().unwrap() * 86_400.0).parse::<i64>().unwrap();
    assert_eq!(days(first[0]), 46_255 * 86_400 + 13 * 3_600 + 5 * 60 + 9);
    assert_eq!(days(first[0]) - days(first[1]), 7_200);
    assert_eq!((first[2], first[3], first[4]), ("2048", "1024", "Qanmalan1"));
    let types: Vec<Option<&str>> = rows[1].iter().map(|(kind, _)| kind.as_deref()).collect();
    assert_eq!(types, [None, None, None, None, Some("inlineStr")]);
}

#[tokio::test]
async fn a_pseudonym_export_has_no_record_id() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    for format in ["csv", "jsonl", "html", "xlsx"] {
        let file = directory.path().join(format!("p.{format}"));
        export(&config(&path), &file, &["--format", format, "--profile", "pseudonym"]);
        proved(&path, &file);
        if format != "xlsx" {
            let text = fs::read_to_string(&file).unwrap();
            assert!(!text.contains("gw1-1-") && !text.contains("\"gw1\"") && text.contains("r-"), "{text}");
        }
    }
}

#[tokio::test]
async fn mail_of_protected_mailboxes_is_masked_at_both_ends_or_left_out_and_listed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let protected = Covered::Address(postvakt::address::Address::parse(WHISTLE).unwrap());
    let with = |leaves_out: bool| {
        let disclosure =
            Disclosure { mailboxes: vec![protected.clone()], leaves_out, ..Disclosure::default() };
        Config { disclosure, ..config(&path) }
    };
    let secrets = ["tipsare", "isselblasare", "anmalan", "Qanmalan"];
    for format in ["csv", "jsonl", "html"] {
        let file = directory.path().join(format!("masked.{format}"));
        export(&with(false), &file, &["--format", format, "--profile", "disclose"]);
        proved(&path, &file);
        let (text, proof) = (fs::read_to_string(&file).unwrap(), beside(&file, ".proof.jsonl"));
        let review = beside(&file, ".review.csv");
        for secret in secrets {
            for (what, text) in [("file", &text), ("proof", &proof), ("review", &review)] {
                assert!(!text.contains(secret), "{format}: {secret} in the {what}");
            }
        }
        assert!(text.contains("bygglov1") && review.contains("protected mailbox"), "{text}");
        assert_eq!(text.matches("anna@exempelby.se").count(), 1, "the copy of the second one is masked too");
        let left = directory.path().join(format!("left.{format}"));
        export(&with(true), &left, &["--format", format, "--profile", "disclose"]);
        proved(&path, &left);
        let manifest: Value = serde_json::from_str(&beside(&left, ".manifest.json")).unwrap();
        assert_eq!((&manifest["rows"], &manifest["protected_left_out"]), (&2.into(), &2.into()));
        let review = beside(&left, ".review.csv");
        assert_eq!(review.matches("left out: protected mailbox").count(), 2, "{review}");
        assert!(review.contains("gw1-1-000000000001") && !review.contains("anmalan"), "{review}");
    }
    // Where the people inside are pseudonyms, it cannot be told whose mail it is.
    let file = directory.path().join("operation.csv");
    let own = ["export", "--format", "csv", "--profile", "disclose", "--output", file.to_str().unwrap()];
    let (code, out) = run_with(&with(false), &[&own[..], &["--purpose", "felsökning av leverans"]].concat());
    assert!(code == 2 && out.contains("requires --request DNR"), "{out}");
    assert!(!file.exists());
    // The organisation's own export has everything.
    let own = directory.path().join("own.csv");
    export(&with(true), &own, &["--format", "csv"]);
    assert!(fs::read_to_string(&own).unwrap().contains("tipsare@example.org"));
    // Also where the column that says so is not exported.
    let short = directory.path().join("subjects.csv");
    export(&with(false), &short, &["--format", "csv", "--profile", "disclose", "--columns", "time,subject"]);
    assert!(!fs::read_to_string(&short).unwrap().contains("anmalan"));
}

#[test]
fn every_column_can_be_chosen() {
    let names = column::names();
    assert_eq!(Shape::with(names.iter().copied()).unwrap().names(), names);
}

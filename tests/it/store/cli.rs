//! `postvakt log`: what is found, what is refused, what is written, and that each access leaves its record.

use std::fs;
use std::time::Duration;

use clap::Parser as _;
use jiff::tz::TimeZone;
use postvakt::address::DomainPattern;
use postvakt::cli::log;
use postvakt::config::services::{Dns, Scanners};
use postvakt::config::{self, Config};
use postvakt::facts::Needs;
use postvakt::organisation::Organisation;
use postvakt::store::access::{Reader, Via};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::*;

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    log: log::Args,
}

pub(crate) fn config(directory: &Path) -> Config {
    let organisation = Organisation {
        name: "Exempelby kommun".into(),
        domains: vec![DomainPattern::parse("exempelby.se").unwrap()],
        internal_networks: Vec::new(),
        ..Organisation::default()
    };
    Config {
        organisation: organisation.into(),
        time_zone: TimeZone::get("Europe/Stockholm").unwrap(),
        server: config::Server { node: "gw1".into(), listen: Vec::new(), metrics: None, memory: None },
        store: config::Store {
            directory: directory.into(),
            heads: config::Heads::signed_every(Duration::from_mins(5)),
            nested: true,
            retention: Vec::new(),
            access_retention: None,
            minimise: None,
            header_fields: Vec::new(),
            access: config::Access::default(),
        },
        disclosure: config::Disclosure::default(),
        smtp: None,
        console: None,
        central: None,
        held: config::Held {
            is_set: false,
            queue_helper: directory.join("queue.sock"),
            four_eyes: false,
            owner: None,
            digest_at: jiff::civil::time(7, 0, 0, 0),
            remind_age: Duration::from_hours(24),
            remind_count: 20,
            at_most: None,
        },
        notice_settings: None,
        authenticate: false,
        mail_log: None,
        dns: Dns::default(),
        scanners: Scanners::default(),
        ocr: None,
        directories: Vec::new(),
        external: None,
        rules: Vec::new(),
        tests: Vec::new(),
        needs: Needs::NONE,
        hash: "0123456789abcdef".into(),
        warnings: Vec::new(),
    }
}

/// Runs `postvakt log …` and gives the exit code and what it prints.
pub(super) fn run(directory: &Path, arguments: &[&str]) -> (u8, String) {
    run_with(&config(directory), arguments)
}

/// The same with another config.
pub(crate) fn run_with(config: &Config, arguments: &[&str]) -> (u8, String) {
    run_as(Reader::of_this_process(Via::CommandLine), config, arguments)
}

/// The same for somebody else.
pub(super) fn run_as(reader: Reader, config: &Config, arguments: &[&str]) -> (u8, String) {
    let cli = match Cli::try_parse_from(["log"].iter().chain(arguments)) {
        Ok(cli) => cli,
        Err(error) => return (2, error.to_string()),
    };
    let mut out = Vec::new();
    match log::run_to(&cli.log, config, reader, &mut out, false) {
        Ok(code) => (code, String::from_utf8(out).unwrap()),
        Err(error) => (2, format!("{error:#}")),
    }
}

fn subjects(directory: &Path, arguments: &[&str]) -> Vec<String> {
    let arguments: Vec<&str> =
        ["search", "--json", "--decision", "KS 2026/123"].iter().chain(arguments).copied().collect();
    let (code, out) = run(directory, &arguments);
    assert_eq!(code, 0, "{out}");
    let subject =
        |line: &str| serde_json::from_str::<Value>(line).unwrap()["subject"].as_str().unwrap().to_owned();
    out.lines().map(subject).collect()
}

/// Three mails, two months.
async fn store(directory: &Path) {
    let (time, clock) = clock("2026-08-21T00:00:00Z");
    let store = Store::open_at(directory, "gw1", clock).unwrap();
    let inbound = record("Ansökan om bygglov");
    let outbound = Record {
        direction: Some(Direction::Outbound),
        sender: "Anna@exempelby.se".into(),
        recipients: vec!["bo@leverantor.example".into()],
        subject: "=HYPERLINK(\"http://example.org\")".into(),
        attachments: Vec::new(),
        outcome: Outcome::Held,
        findings: vec!["auto-forward=strong".into()],
        queue_id: "4fKr".into(),
        ..record("")
    };
    let bounce = Record {
        time: "2026-09-02T06:00:00Z".parse().unwrap(),
        sender: "<>".into(),
        attachments: vec![("rapport.TXT".into(), 3)],
        findings: Vec::new(),
        would: vec!["custom.no-exe=marked".into()],
        outcome: Outcome::Marked,
        ..record("Undelivered")
    };
    for (record, at) in [
        (inbound, "2026-08-21T00:00:00Z"),
        (outbound, "2026-08-21T00:00:00Z"),
        (bounce, "2026-09-02T06:00:00Z"),
    ] {
        time.store(second(at), Ordering::SeqCst);
        store.commit(Entry::of(record)).await.unwrap();
    }
    store.close().await;
}

#[tokio::test]
async fn records_are_found_by_what_is_known_of_them() {
    let directory = tempfile::tempdir().unwrap();
    store(directory.path()).await;
    let (inbound, outbound, bounce) =
        ("Ansökan om bygglov", "=HYPERLINK(\"http://example.org\")", "Undelivered");
    let cases: [(&[&str], &[&str]); 19] = [
        (&[], &[inbound, outbound, bounce]),
        (&["--sender", "anna@exempelby.se"], &[outbound]),
        (&["--sender", "@example.org"], &[inbound]),
        (&["--sender", "<>"], &[bounce]),
        (&["--recipient", "REGISTRATOR@exempelby.se"], &[inbound, bounce]),
        (&["--subject", "ANSÖKAN"], &[inbound]),
        (&["--attachment", ".txt"], &[bounce]),
        (&["--verdict", "held"], &[outbound]),
        (&["--rule", "auto-forward"], &[inbound, outbound]),
        (&["--rule", "custom.no-exe"], &[bounce]),
        (&["--record", "gw1-1-000000000002"], &[outbound]),
        (&["--record", "gw2-1-000000000002"], &[]),
        (&["--queue-id", "4fKr"], &[outbound]),
        (&["--message-id", "1@example.org", "--verdict", "held"], &[outbound]),
        (&["--subject", "bygglov", "--scan"], &[inbound]),
        (&["--since", "2026-09-01"], &[bounce]),
        (&["--until", "2026-09-01"], &[inbound, outbound]),
        (&["--since", "2026-09-02 08:00", "--until", "2026-09-02"], &[bounce]),
        (&["--subject", "bygglov", "--verdict", "held"], &[]),
    ];
    for (arguments, wanted) in cases {
        assert_eq!(subjects(directory.path(), arguments), wanted, "{arguments:?}");
    }
    let (code, table) = run(directory.path(), &["search", "--decision", "drift"]);
    assert_eq!((code, table.lines().count()), (0, 4));
    for wrong in
        [["--since", "igår"], ["--verdict", "lost"], ["--record", "7"], ["--sender", "@"], ["--from", "<>"]]
    {
        let arguments: Vec<&str> = ["search", "--decision", "drift"].iter().chain(&wrong).copied().collect();
        assert_eq!(run(directory.path(), &arguments).0, 2, "{wrong:?}");
    }
}

#[tokio::test]
async fn no_row_is_shown_without_a_reason_and_every_access_is_logged() {
    let directory = tempfile::tempdir().unwrap();
    store(directory.path()).await;
    let path = directory.path();
    assert_eq!(run(path, &["search"]), (2, String::new()));
    assert_eq!(run(path, &["search", "--purpose", " "]), (2, String::new()));
    let named = ["search", "--sender", "anna@exempelby.se", "--purpose", "drift"];
    assert_eq!(run(path, &named), (2, String::new()));
    assert_eq!(run(path, &["search", "--recipient", "bo@leverantor.example", "--purpose", "drift"]).0, 0);
    assert_eq!(subjects(path, &["--sender", "anna@exempelby.se"]).len(), 1);
    let (code, out) = run(path, &["access", "--json"]);
    assert_eq!(code, 0);
    let accesses: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seen: Vec<(&str, &str, i64)> = accesses
        .iter()
        .map(|access| {
            let text = |name: &str| access[name].as_str().unwrap();
            (text("verb"), text("outcome"), access["rows"].as_i64().unwrap_or(-1))
        })
        .collect();
    let wanted = [
        ("search", "refused", -1),
        ("search", "refused", -1),
        ("search", "refused", -1),
        ("search", "done", 1),
        ("search", "done", 1),
        ("access", "unfinished", -1),
    ];
    assert_eq!(seen, wanted);
    assert_eq!(accesses[2]["query"]["sender"], "anna@exempelby.se");
    assert_eq!(accesses[4]["decision"], "KS 2026/123");
    assert_eq!(accesses[3]["uid"], rustix::process::getuid().as_raw());
    let (_, table) = run(path, &["access"]);
    assert!(table.lines().count() == 7 && table.contains("decision KS 2026/123"), "{table}");
}

#[tokio::test]
async fn what_cannot_be_logged_is_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    store(directory.path()).await;
    fs::create_dir(directory.path().join("access.db")).unwrap();
    let (code, out) = run(directory.path(), &["search", "--decision", "drift"]);
    assert!(code == 2 && out.contains("nothing is shown"), "{out}");
    let (code, out) = run(&directory.path().join("nowhere"), &["search", "--decision", "drift"]);
    assert!(code == 2 && out.contains("nowhere"), "{out}");
}

#[tokio::test]
async fn an_export_is_whole_safe_and_has_its_manifest() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let file = directory.path().join("log.csv");
    let name = file.to_str().unwrap();
    let export = |format: &str, more: &[&str]| {
        let arguments =
            ["export", "--decision", "KS 1", "--purpose", "utlämnande", "--format", format, "--output", name];
        run(&path, &arguments.iter().chain(more).copied().collect::<Vec<_>>())
    };
    assert_eq!(export("csv", &[]).0, 0);
    let csv = fs::read_to_string(&file).unwrap();
    let body = csv.strip_prefix('\u{FEFF}').expect("a byte order mark");
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(body.as_bytes());
    assert_eq!(reader.headers().unwrap(), postvakt::export::column::names());
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(
        (rows.len(), &rows[1][7], &rows[0][9]),
        (3, "'=HYPERLINK(\"http://example.org\")", "Ansökan.pdf")
    );
    assert_eq!((&rows[2][0], &rows[2][1]), ("2026-09-02T08:00:00.000+02:00", "2026-09-02T06:00:00.000Z"));
    let manifest = fs::read_to_string(directory.path().join("log.csv.manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let hash = Sha256::digest(&csv).iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().concat();
    assert_eq!((&manifest["sha256"], &manifest["rows"]), (&hash.into(), &3.into()));
    assert_eq!((&manifest["purpose"], &manifest["node"]), (&"utlämnande".into(), &"gw1".into()));

    let (code, refused) = export("jsonl", &[]);
    assert!(code == 2 && refused.contains("--force"), "{refused}");
    assert_eq!(fs::read_to_string(&file).unwrap(), csv);
    assert_eq!(export("jsonl", &["--force", "--verdict", "held"]).0, 0);
    let event: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(event["postvakt"]["envelope"]["from"], "Anna@exempelby.se");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 4, "no file is left over");
}

#[tokio::test]
async fn a_damaged_month_is_told_of_and_the_rest_is_shown() {
    let directory = tempfile::tempdir().unwrap();
    store(directory.path()).await;
    fs::write(directory.path().join("log-2026-08.db"), "damaged").unwrap();
    let (code, table) = run(directory.path(), &["search", "--decision", "drift"]);
    assert_eq!((code, table.lines().count()), (1, 2));
    assert!(run(directory.path(), &["access"]).1.contains("incomplete"));
}

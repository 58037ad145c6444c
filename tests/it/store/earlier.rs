//! A store and exports that the program made before its log had the column `authentication` (tests/stores/make.py).

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use postvakt::config::minimise::Covered;
use postvakt::config::{Config, Retention};
use serde_json::Value;

use super::cli::{config, run, run_with};
use super::*;

/// The store, the heads that were copied off it, and the exports, unpacked.
fn unpacked() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let archive = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/stores/form-1.tar.gz");
    let tar = Command::new("tar").arg("xzf").arg(archive).arg("-C").arg(directory.path()).status();
    assert!(tar.expect("tar is not installed").success());
    directory
}

fn verified(directory: &Path) -> (u8, Value) {
    let (store, heads) = (directory.join("store"), directory.join("heads"));
    let arguments = ["verify", "--json", "--heads", heads.to_str().unwrap(), store.to_str().unwrap()];
    let (code, out) = run(directory, &arguments);
    (code, serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}")))
}

fn found(store: &Path, more: &[&str]) -> Vec<Value> {
    let own = ["search", "--json", "--request", "Dnr 1"];
    let (code, out) = run(store, &[&own, more].concat());
    assert_eq!(code, 0, "{out}");
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Goes on with the store within its last month.
async fn one_more(store: &Path, subject: &str) {
    let (_, clock) = clock("2026-08-21T08:00:00Z");
    let store = Store::open_at(store, "gw1", clock).unwrap();
    let record = Record { time: "2026-08-21T08:00:00Z".parse().unwrap(), ..record(subject) };
    store.commit(Entry::of(record)).await.unwrap();
    store.close().await;
}

fn exports(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(directory.join("exports")).unwrap().map(|file| file.unwrap().path()).collect();
    let beside = |file: &PathBuf| {
        let name = file.to_string_lossy();
        [".manifest.json", ".proof.jsonl", ".review.csv"].iter().any(|ending| name.ends_with(ending))
    };
    files.retain(|file| !beside(file));
    files.sort();
    files
}

#[test]
fn a_store_of_the_first_leaf_form_is_searched_and_verified() {
    let directory = unpacked();
    let store = directory.path().join("store");
    let (code, report) = verified(directory.path());
    assert_eq!((code, &report["result"]), (0, &"whole".into()), "{report:#}");
    assert_eq!(report["trees"][0]["pruned"], serde_json::json!({ "KS 2026/12": 4 }), "{report:#}");
    // Of June one record is left, under a hold.
    let all = found(&store, &[]);
    let subjects: Vec<&str> = all.iter().map(|line| line["subject"].as_str().unwrap()).collect();
    let month = ["Begäran om handling", "Ärende Lönnrot, 811228-9874", "Undelivered"];
    assert_eq!((subjects[0], &subjects[1..4], all.len()), ("Anbud 2026-06", &month[..], 16));
    assert!(all.iter().all(|line| line["authentication"] == ""));
    for query in [&["--sender", "@exempelby.se"][..], &["--subject", "lönnrot"], &["--attachment", "anbud"]]
    {
        let scanned = found(&store, &[query, &["--scan"]].concat());
        assert!(scanned.len() > 2, "{query:?}");
        assert_eq!(found(&store, query), scanned, "by its index files, {query:?}");
    }
    assert!(found(&store, &["--authentication", "pass"]).is_empty());
}

#[test]
fn exports_of_the_first_leaf_form_are_proved() {
    let directory = unpacked();
    let key = directory.path().join("store/heads.pub");
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/tree-head.py");
    let files = exports(directory.path());
    assert_eq!(files.len(), 6);
    for file in files {
        let check = || {
            run(directory.path(), &["verify-export", file.to_str().unwrap(), "--key", key.to_str().unwrap()])
        };
        let (code, out) = check();
        assert!(code == 0 && out.contains("15 records proved"), "{out}");
        let proof = format!("{}.proof.jsonl", file.display());
        let own = Command::new("python3").arg(&script).arg(&proof).output().unwrap();
        assert!(own.status.success(), "{}", String::from_utf8_lossy(&own.stderr));
        // A value that was changed in the file, or in what proves it, is found.
        let text = fs::read_to_string(&proof).unwrap();
        fs::write(
            &proof,
            text.replace("mail.example.org", "mail.example.net").replace("\"inbound\"", "\"internal\""),
        )
        .unwrap();
        assert_eq!(check().0, 1, "{}", file.display());
    }
}

#[tokio::test]
async fn a_month_may_have_both_leaf_forms() {
    let directory = unpacked();
    let (path, store) = (directory.path(), directory.path().join("store"));
    one_more(&store, "Ny").await;
    let (code, report) = verified(path);
    assert_eq!((code, &report["result"]), (0, &"whole".into()), "{report:#}");
    let all = found(&store, &[]);
    let of = |line: &Value| (line["record"].as_str().unwrap().to_owned(), line["authentication"].clone());
    assert_eq!(all.len(), 17);
    assert_eq!(of(&all[16]), ("gw1-1-000000000021".to_owned(), "spf=pass dkim=pass dmarc=pass".into()));
    assert_eq!(
        of(&all[15]),
        ("gw1-1-000000000020".to_owned(), "".into()),
        "the same month, as it was written"
    );
    assert_eq!(found(&store, &["--authentication", "DMARC=pass"]), all[16..]);
    // What was exported then still verifies, and what is exported now has both.
    for format in ["csv", "xlsx", "jsonl", "html"] {
        for profile in ["internal", "disclose", "pseudonym"] {
            let file = path.join(format!("new.{profile}.{format}"));
            let name = file.to_str().unwrap();
            let arguments = [
                "export",
                "--format",
                format,
                "--profile",
                profile,
                "--output",
                name,
                "--decision",
                "KS 2026/77",
            ];
            let (code, out) = run(&store, &arguments);
            assert_eq!(code, 0, "{out}");
            let key = store.join("heads.pub");
            let (code, out) = run(path, &["verify-export", name, "--key", key.to_str().unwrap()]);
            // The decision is about Anna: all but three citizens' requests.
            assert!(code == 0 && out.contains("14 records proved"), "{out}");
            let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/tree-head.py");
            let own =
                Command::new("python3").arg(script).arg(format!("{name}.proof.jsonl")).output().unwrap();
            assert!(own.status.success(), "{}", String::from_utf8_lossy(&own.stderr));
            if format != "xlsx" {
                assert!(
                    fs::read_to_string(name).unwrap().contains("spf=pass dkim=pass dmarc=pass"),
                    "{name}"
                );
            }
        }
    }
    // Each form covers its own columns: a value that was changed is found in both, and so is a form.
    for (what, wanted) in [
        ("subject = 'x' WHERE seq = 20", "gw1-1-000000000020"),
        ("authentication = '' WHERE seq = 21", "gw1-1-000000000021"),
        ("form = 1 WHERE seq = 21", "gw1-1-000000000021"),
        ("form = 2 WHERE seq = 20", "gw1-1-000000000020"),
        ("form = 3 WHERE seq = 20", "gw1-1-000000000020"),
    ] {
        let copy = tempfile::tempdir().unwrap();
        let to = copy.path().join("store");
        assert!(Command::new("cp").arg("-r").args([&store, &to]).status().unwrap().success());
        let file = rusqlite::Connection::open(to.join("log-2026-08.db")).unwrap();
        file.execute_batch(&format!("UPDATE record SET {what}")).unwrap();
        drop(file);
        fs::copy(path.join("heads"), copy.path().join("heads")).unwrap();
        let (code, report) = verified(copy.path());
        assert_eq!(
            (code, &report["trees"][0]["faults"][0]["record"]),
            (1, &wanted.into()),
            "{what}: {report:#}"
        );
    }
}

fn decided(store: &Path) -> Config {
    let mut config = config(store);
    config.store.retention = vec![Retention {
        authority: "Kommunstyrelsen".into(),
        mailboxes: vec![Covered::Everybody],
        keep: std::time::Duration::from_hours(30 * 24),
        decision: "KS 2026/13".into(),
    }];
    config
}

#[tokio::test]
async fn retention_takes_records_of_the_first_leaf_form() {
    let directory = unpacked();
    let store = directory.path().join("store");
    let arguments = ["retention", "run", "--decision", "KS 2026/13", "--today", &today()];
    let (code, out) = run_with(&decided(&store), &arguments);
    assert_eq!(code, 0, "{out}");
    let (code, report) = verified(directory.path());
    assert_eq!((code, &report["result"]), (0, &"whole".into()), "{report:#}");
    assert!(report["trees"][0]["pruned"]["KS 2026/13"].as_u64().unwrap() > 2, "{report:#}");
}

fn today() -> String {
    Timestamp::now().to_zoned(jiff::tz::TimeZone::get("Europe/Stockholm").unwrap()).date().to_string()
}

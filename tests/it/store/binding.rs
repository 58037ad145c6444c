//! What binds who reads the log: the config that the server loaded, the order of time, and what was signed before.

use std::fs;
use std::process::Command;
use std::time::Duration;

use postvakt::config::minimise::Covered;
use postvakt::config::{Config, Heads, Retention};
use postvakt::store::access::{AccessLog, ActiveConfig, ConfigChange, Kind};
use serde_json::Value;

use super::cli::{config, run, run_with};
use super::*;

const SEARCH: [&str; 3] = ["search", "--decision", "KS 2026/1"];

/// Two records, and the entry of the config that the server loads.
async fn store(path: &Path) -> Config {
    let store = Store::open(path, "gw1").unwrap();
    for subject in ["ett", "två"] {
        let record = Record { time: Timestamp::now(), sender: "anna@exempelby.se".into(), ..record(subject) };
        store.commit(Entry { record, ..entry("") }).await.unwrap();
    }
    let config = config(path);
    load(path, &config);
    store.close().await;
    config
}

/// The entry that the server writes when it loads a config.
fn load(path: &Path, config: &Config) {
    let change = ConfigChange {
        reader: Reader::of_this_process(Via::Daemon),
        event: "started".into(),
        config: config.hash.clone(),
        postvakt: "0.1.0".into(),
        part: Some(ActiveConfig::of(config)),
    };
    AccessLog::open(path).unwrap().add(Kind::Config, Timestamp::now(), &change).unwrap();
}

/// Another config of the same store.
fn other(path: &Path) -> Config {
    Config { hash: "fedcba9876543210".into(), ..config(path) }
}

/// What verify says, with the copies of heads in a file.
fn verify(path: &Path, more: &[&str]) -> (u8, Value) {
    let own = path.to_str().unwrap();
    let (code, out) = run(path, &[&["verify", "--json"], more, &[own]].concat());
    (code, serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}")))
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-r").args([from, to]).status().unwrap().success());
}

#[tokio::test]
async fn a_config_that_the_server_did_not_load_opens_nothing_and_deletes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let active = store(&path).await;
    assert_eq!(run_with(&active, &SEARCH).0, 0);
    let mut own = other(&path);
    own.store.retention = vec![Retention {
        authority: "Kommunstyrelsen".into(),
        mailboxes: vec![Covered::Everybody],
        keep: Duration::from_secs(1),
        decision: "KS 2026/12".into(),
    }];
    let (code, out) = run_with(&own, &SEARCH);
    assert_eq!(code, 2, "{out}");
    assert!(!out.contains("ett"), "{out}");
    let today = Timestamp::now().to_zoned(own.time_zone.clone()).date().to_string();
    let (code, out) = run_with(&own, &["retention", "run", "--decision", "KS 2026/12", "--today", &today]);
    assert_eq!(code, 2, "{out}");
    // Both attempts are in the access log, with the reason.
    let (_, out) = run_with(&active, &["access", "--json"]);
    let refused = out.lines().filter(|line| line.contains("fedcba9876543210")).count();
    assert!(refused >= 2, "{out}");
    let (code, out) = run_with(&active, &[&SEARCH[..], &["--json"]].concat());
    assert_eq!((code, out.lines().count()), (0, 2), "{out}");
    // The server loads it: now it counts.
    load(&path, &own);
    assert_eq!(run_with(&own, &SEARCH).0, 0);
    assert_eq!(run_with(&active, &SEARCH).0, 2);
}

#[tokio::test]
async fn a_command_whose_clock_is_behind_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let active = store(&path).await;
    let change = ConfigChange {
        reader: Reader::of_this_process(Via::Daemon),
        event: "reloaded".into(),
        config: active.hash.clone(),
        postvakt: "0.1.0".into(),
        part: Some(ActiveConfig::of(&active)),
    };
    let later = Timestamp::now() + jiff::SignedDuration::from_hours(3);
    AccessLog::open(&path).unwrap().add(Kind::Config, later, &change).unwrap();
    let (code, out) = run_with(&active, &[&SEARCH[..], &["--json"]].concat());
    assert!(code == 2 && out.contains("clock") && !out.contains("subject"), "{out}");
    let added =
        ["decision", "add", "KS 2026/10", "--by", "Chefen", "--date", "2026-05-01", "--purpose", "Utredning"];
    let (code, out) = run_with(&active, &[&added[..], &["--valid-until", "2027-12-31"]].concat());
    assert!(code == 2 && out.contains("clock"), "{out}");
}

#[tokio::test]
async fn a_record_that_is_older_than_the_one_before_it_is_named_and_nobody_is_accused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let (time, clock) = clock("2026-08-21T12:00:00Z");
    let store = Store::open_at(&path, "gw1", clock).unwrap();
    for (subject, at) in [("ett", "2026-08-21T12:00:00Z"), ("två", "2026-08-21T09:00:00Z")] {
        time.store(second(at), Ordering::SeqCst);
        let record = Record { time: at.parse().unwrap(), ..record(subject) };
        store.commit(Entry { record, ..entry("") }).await.unwrap();
    }
    store.close().await;
    let (code, report) = verify(&path, &[]);
    let fault = &report["trees"][0]["faults"][0];
    assert_eq!((code, &fault["record"]), (2, &"gw1-1-000000000002".into()), "{report:#}");
    assert!(fault["what"].as_str().unwrap().contains("is before that of the one before it"), "{report:#}");
}

#[tokio::test]
async fn a_restored_copy_is_incomplete_in_both_trees_and_no_fork() {
    let directory = tempfile::tempdir().unwrap();
    let (path, older, heads) =
        (directory.path().join("store"), directory.path().join("older"), directory.path().join("heads"));
    let settings = || Heads { file: Some(heads.clone()), ..Heads::signed_every(Duration::from_mins(5)) };
    let write = async |subject: &str| {
        let now: Clock = Arc::new(Timestamp::now);
        let store = Store::open_with(&path, "gw1", settings(), now).unwrap();
        let record = Record { time: Timestamp::now(), ..record(subject) };
        store.commit(Entry { record, ..entry("") }).await.unwrap();
        assert_eq!(run(&path, &SEARCH).0, 0);
        store.close().await;
    };
    write("ett").await;
    copy(&path, &older);
    write("två").await;
    write("tre").await;
    let copies = ["--heads", heads.to_str().unwrap()];
    let (code, report) = verify(&path, &copies);
    assert_eq!((code, &report["result"]), (0, &"whole".into()), "{report:#}");
    fs::remove_dir_all(&path).unwrap();
    copy(&older, &path);
    write("efter").await;
    let (code, report) = verify(&path, &copies);
    let said = report.to_string();
    assert_eq!((code, &report["result"]), (2, &"incomplete".into()), "{report:#}");
    assert!(!said.contains("fork") && !said.contains("\"tampered\""), "{report:#}");
    assert!(said.contains("postvakt/gw1/access/2") && said.contains("gw1/2"), "{report:#}");
    // Further mail and accesses change nothing about that.
    write("senare").await;
    let (code, report) = verify(&path, &copies);
    assert_eq!((code, report.to_string().contains("fork")), (2, false), "{report:#}");
}

#[tokio::test]
async fn one_month_alone_is_a_part_and_a_changed_record_in_it_is_tampered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let (time, clock) = clock("2026-08-21T00:00:00Z");
    let store = Store::open_at(&path, "gw1", clock).unwrap();
    for at in ["2026-08-21T00:00:00Z", "2026-09-02T00:00:00Z"] {
        time.store(second(at), Ordering::SeqCst);
        let record = Record { time: at.parse().unwrap(), ..record("Lunch") };
        store.commit(Entry { record, ..entry("") }).await.unwrap();
    }
    store.close().await;
    let august = path.join("log-2026-08.db");
    let key = fs::read_to_string(path.join("heads.pub")).unwrap();
    let alone = |heads: &Path| {
        let arguments =
            ["verify", "--key", key.trim(), "--heads", heads.to_str().unwrap(), august.to_str().unwrap()];
        run(&path, &arguments)
    };
    let (code, out) = alone(&path.join("heads"));
    assert!(code != 1 && !out.contains("TAMPERED"), "{out}");
    let file = rusqlite::Connection::open(&august).unwrap();
    file.execute("UPDATE record SET subject = 'annat'", []).unwrap();
    drop(file);
    let (code, out) = alone(&path.join("heads"));
    assert!(code == 1 && out.contains("gw1-1-000000000001"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_is_covered_by_a_head_while_the_server_runs() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let settings = Heads::signed_every(Duration::from_hours(1));
    let store = Store::open_with(&path, "gw1", settings, Arc::new(Timestamp::now)).unwrap();
    store.commit(entry("ett")).await.unwrap();
    assert_eq!(run(&path, &SEARCH).0, 0);
    // The head of an hour from now is not waited for.
    let covers = || {
        fs::read_to_string(path.join("heads")).is_ok_and(|heads| heads.contains("postvakt/gw1/access\n2\n"))
    };
    while !covers() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    store.close().await;
}

//! `postvakt log verify`: what is whole is said to be, and what the `sqlite3` tool changed as root is named.

use std::fs;
use std::process::Command;
use std::time::Duration;

use postvakt::config::Heads;
use serde_json::Value;

use super::cli::run;
use super::*;

/// Records over two months: 30 in August, 30 in September, with a stop between every ten, which signs a head.
async fn store(path: &Path, copy: Option<&Path>) {
    let (time, clock) = clock("2026-08-21T00:00:00Z");
    for round in 0..6_i64 {
        time.store(
            second(if round < 3 { "2026-08-21T00:00:00Z" } else { "2026-09-02T00:00:00Z" }) + round * 600,
            Ordering::SeqCst,
        );
        let heads =
            Heads { file: copy.map(Path::to_path_buf), ..Heads::signed_every(Duration::from_mins(5)) };
        let store = Store::open_with(path, "gw1", heads, clock.clone()).unwrap();
        for n in 0..10 {
            let findings = if n % 5 == 0 { vec![finding()] } else { Vec::new() };
            store.commit(Entry { findings, ..entry(&format!("{round}/{n} Ärende")) }).await.unwrap();
        }
        store.close().await;
    }
}

fn verify(path: &Path, more: &[&str]) -> (u8, Value) {
    let path = path.to_str().unwrap();
    let (code, out) = run(Path::new(path), &[&["verify", "--json"], more, &[path]].concat());
    (code, serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}")))
}

/// The tool that everybody has.
fn sqlite3(path: &Path, sql: &str) {
    let run = Command::new("sqlite3").arg(path).arg(sql).output();
    let output = run.expect("sqlite3 is not installed: apt-get install --no-install-recommends sqlite3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn copy_of(path: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(path).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[tokio::test]
async fn a_whole_log_is_whole_with_the_public_key_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path, None).await;
    assert_eq!(run(&path, &["search", "--purpose", "drift"]).0, 0);
    let (code, report) = verify(&path, &[]);
    // Nobody has signed for the access yet: the daemon would, within minutes.
    assert_eq!((code, &report["trees"][0]["faults"]), (2, &Value::Array(Vec::new())), "{report:#}");
    Store::open(&path, "gw1").unwrap().close().await;
    let (code, report) = verify(&path, &[]);
    assert_eq!((code, &report["result"]), (0, &"whole".into()), "{report:#}");
    let records = &report["trees"][0];
    assert_eq!(
        (&records["records"], &records["heads"], &records["newer"]),
        (&60.into(), &12.into(), &0.into())
    );
    assert_eq!(report["trees"][1]["origin"], "postvakt/gw1/access");
    // Files elsewhere, without anything else, with the key on the command line.
    let key = fs::read_to_string(path.join("heads.pub")).unwrap();
    let files = ["log-2026-08.db", "log-2026-09.db", "heads"].map(|name| {
        let to = directory.path().join(name);
        fs::copy(path.join(name), &to).unwrap();
        to.to_str().unwrap().to_owned()
    });
    let arguments: Vec<&str> =
        ["verify", "--key", key.trim()].into_iter().chain(files.iter().map(String::as_str)).collect();
    let (code, out) = run(Path::new("/nonexistent"), &arguments);
    assert!(code == 0 && out.contains("60 records") && out.ends_with("whole\n"), "{out}");
    // Part of it is part of it: the rest is missing, and what is here is right.
    let (code, out) = run(Path::new("/nonexistent"), &["verify", "--key", key.trim(), &files[1], &files[2]]);
    assert!(code == 2 && out.contains("gw1-1-000000000001 to gw1-1-000000000030 are not here"), "{out}");
    assert!(!out.contains("TAMPERED"), "{out}");
    let (code, out) = run(Path::new("/nonexistent"), &["verify", &files[0], &files[1]]);
    assert!(code == 2 && out.contains("no public key"), "{out}");
}

#[tokio::test]
async fn what_was_changed_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path, None).await;
    let swap = "UPDATE record SET seq = -1 WHERE seq = 7; UPDATE record SET seq = 7 WHERE seq = 8; \
                UPDATE record SET seq = 8 WHERE seq = -1;";
    let cases: [(&str, &str, &str, &str); 12] = [
        (
            "one byte",
            "log-2026-08.db",
            "UPDATE record SET subject = '1/3 ärende' WHERE seq = 14",
            "gw1-1-000000000014",
        ),
        (
            "an address",
            "log-2026-08.db",
            "UPDATE record SET recipients = '[]' WHERE seq = 1",
            "gw1-1-000000000001",
        ),
        (
            "a time",
            "log-2026-09.db",
            "UPDATE record SET time = time + 1 WHERE seq = 60",
            "gw1-1-000000000060",
        ),
        (
            "evidence",
            "log-2026-08.db",
            "UPDATE finding SET recipients = '[]' WHERE seq = 6",
            "gw1-1-000000000006",
        ),
        ("evidence away", "log-2026-08.db", "DELETE FROM finding WHERE seq = 6", "gw1-1-000000000006"),
        (
            "a salt",
            "log-2026-08.db",
            "UPDATE record SET salt = zeroblob(16) WHERE seq = 9",
            "gw1-1-000000000009",
        ),
        ("a row", "log-2026-08.db", "DELETE FROM record WHERE seq = 20", "gw1-1-000000000020"),
        ("the order", "log-2026-08.db", swap, "gw1-1-000000000007"),
        ("the tail", "log-2026-09.db", "DELETE FROM record WHERE seq > 55", "gw1-1-000000000056"),
        (
            "a row with its leaf kept",
            "log-2026-08.db",
            "INSERT INTO pruned SELECT seq, leaf, 1 FROM record WHERE seq = 20; DELETE FROM record WHERE seq = 20",
            "gw1-1-000000000020",
        ),
        (
            "a row that was never there",
            "log-2026-09.db",
            "INSERT INTO record SELECT 61, time, direction, sender, recipients, header_from, subject, size, attachments, \
             verdict, findings, would, queue_id, message_id, client, helo, auth_user, tls, config, receipt, salt, leaf, seen, form, authentication, \
             header_from_name, header_to, header_cc, header_reply_to FROM record WHERE seq = 60",
            "gw1-1-000000000061",
        ),
        (
            "a frontier",
            "log-2026-09.db",
            "UPDATE tree SET size = 59, frontier = (SELECT frontier FROM head LIMIT 1)",
            "gw1-1-",
        ),
    ];
    for (what, file, sql, named) in cases {
        let copy = directory.path().join(what.replace(' ', "-"));
        copy_of(&path, &copy);
        // Whoever reads the log leaves an access; with it, pruned rows can be told from stolen ones.
        AccessLog::open(&copy).unwrap();
        sqlite3(&copy.join(file), sql);
        let (code, report) = verify(&copy, &[]);
        assert_eq!((code, &report["result"]), (1, &"tampered".into()), "{what}: {report:#}");
        let fault = &report["trees"][0]["faults"][0];
        assert!(fault["record"].as_str().unwrap().starts_with(named), "{what}: {fault:#}");
        assert!(fault["file"].as_str().unwrap().ends_with(file), "{what}: {fault:#}");
    }
}

#[tokio::test]
async fn a_month_that_was_made_anew_or_taken_away_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let (path, other) = (directory.path().join("store"), directory.path().join("other"));
    store(&path, None).await;
    store(&other, None).await;
    // A month that agrees with itself, leaf by leaf, and was signed by nobody.
    fs::copy(other.join("log-2026-08.db"), path.join("log-2026-08.db")).unwrap();
    let (code, report) = verify(&path, &[]);
    let fault = &report["trees"][0]["faults"][0];
    assert_eq!((code, &fault["record"]), (1, &"gw1-1-000000000001".into()), "{report:#}");
    assert!(fault["what"].as_str().unwrap().contains("are not those that the head"), "{report:#}");
    fs::remove_file(path.join("log-2026-08.db")).unwrap();
    let (code, report) = verify(&path, &[]);
    assert_eq!((code, &report["result"]), (2, &"incomplete".into()), "{report:#}");
    // The newest month: as far as anybody can tell, the tail was cut off.
    copy_of(&other, &directory.path().join("tail"));
    fs::remove_file(directory.path().join("tail/log-2026-09.db")).unwrap();
    let (code, report) = verify(&directory.path().join("tail"), &[]);
    assert_eq!(code, 1, "{report:#}");
    assert!(
        report["trees"][0]["faults"][0]["what"].as_str().unwrap().contains("the log ends at 30"),
        "{report:#}"
    );
}

#[tokio::test]
async fn heads_that_were_changed_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path, None).await;
    let heads = fs::read_to_string(path.join("heads")).unwrap();
    fs::write(path.join("heads"), heads.replacen("\n10\n", "\n11\n", 1)).unwrap();
    let (code, report) = verify(&path, &[]);
    assert_eq!(code, 1, "{report:#}");
    assert!(report["faults"][0]["what"].as_str().unwrap().contains("invalid signature"), "{report:#}");
    // A broken write at the end is no harm: the next head goes on.
    fs::write(path.join("heads"), format!("{heads}postvakt/gw1/1\n99\nAAAA")).unwrap();
    assert_eq!(verify(&path, &[]).0, 0);
}

#[tokio::test]
async fn an_older_copy_begins_a_new_epoch_and_signs_no_fork() {
    let directory = tempfile::tempdir().unwrap();
    let (path, copy) = (directory.path().join("store"), directory.path().join("elsewhere"));
    store(&path, Some(&copy)).await;
    let backup = directory.path().join("backup");
    copy_of(&path, &backup);
    let heads = || Heads { file: Some(copy.clone()), ..Heads::signed_every(Duration::from_mins(5)) };
    let (_, clock) = clock("2026-09-03T00:00:00Z");
    let store = Store::open_with(&path, "gw1", heads(), clock.clone()).unwrap();
    for n in 0..5 {
        store.commit(entry(&format!("lost {n}"))).await.unwrap();
    }
    store.close().await;
    // Everything is restored, the heads beside the log too; only the copy elsewhere knows better.
    fs::remove_dir_all(&path).unwrap();
    copy_of(&backup, &path);
    let store = Store::open_with(&path, "gw1", heads(), clock.clone()).unwrap();
    let id = store.commit(entry("after")).await.unwrap();
    assert_eq!(id.to_string(), "gw1-2-000000000001");
    store.close().await;
    let (code, report) = verify(&path, &["--heads", copy.to_str().unwrap()]);
    assert_eq!(code, 2, "{report:#}");
    assert_eq!((&report["trees"][0]["records"], &report["trees"][1]["records"]), (&60.into(), &1.into()));
    let fault = &report["trees"][0]["faults"][0]["what"];
    assert!(fault.as_str().unwrap().contains("went on in a new epoch"), "{report:#}");
    // Without the copy both epochs are whole.
    assert_eq!(verify(&path, &[]).0, 0);
    // A restart goes on where the new epoch is.
    let store = Store::open_with(&path, "gw1", heads(), clock.clone()).unwrap();
    assert_eq!(store.commit(entry("more")).await.unwrap().to_string(), "gw1-2-000000000002");
    store.close().await;
    // A row that was changed while nobody looked is not signed for either.
    sqlite3(
        &path.join("log-2026-09-2.db"),
        "UPDATE record SET leaf = zeroblob(32) WHERE seq = 1; DELETE FROM head",
    );
    let store = Store::open_with(&path, "gw1", heads(), clock).unwrap();
    assert_eq!(store.commit(entry("more")).await.unwrap().to_string(), "gw1-3-000000000001");
    store.close().await;
    assert_eq!(verify(&path, &[]).0, 1);
}

#[tokio::test]
async fn a_million_is_no_trouble_and_a_thousand_neither() {
    // More than one stride for each thread, and a head in the middle of one.
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), "gw1").unwrap();
    for n in 0..12_000 {
        store.enqueue(entry(&n.to_string()));
    }
    store.close().await;
    let (code, report) = verify(directory.path(), &[]);
    assert_eq!((code, &report["trees"][0]["records"]), (0, &12_000.into()), "{report:#}");
}

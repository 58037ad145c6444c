//! Exports can be checked by whoever has the public key, masked or not, in every form, and by a script of the docs.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::cli::run;
use super::*;

async fn store(path: &Path) {
    let (time, clock) = clock("2026-08-21T00:00:00Z");
    for at in ["2026-08-21T00:00:00Z", "2026-09-02T00:00:00Z"] {
        time.store(second(at), Ordering::SeqCst);
        let store = Store::open_at(path, "gw1", clock.clone()).unwrap();
        for n in 0..25 {
            let found = finding();
            let findings = if n % 3 == 0 { vec![found] } else { Vec::new() };
            let subject = format!("Ärende {n} om 811228-9874; \"Å\"");
            let record = Record { time: at.parse().unwrap(), queue_id: format!("q{n}"), ..record(&subject) };
            store.commit(Entry { record, findings, ..entry("") }).await.unwrap();
        }
        store.close().await;
    }
}

fn export(store: &Path, file: &Path, more: &[&str]) {
    let own = ["export", "--decision", "KS 1", "--purpose", "utlämnande", "--output", file.to_str().unwrap()];
    let (code, out) = run(store, &[&own[..], more].concat());
    assert_eq!(code, 0, "{out}");
}

fn check(file: &Path, more: &[&str]) -> (u8, Value) {
    let own = ["verify-export", "--json", file.to_str().unwrap()];
    let (code, out) = run(Path::new("/nonexistent"), &[&own[..], more].concat());
    (
        code,
        serde_json::from_str::<Value>(&out).map_or(Value::String(out), |mut value| value["checked"].take()),
    )
}

/// The script that the docs have.
fn script(file: &Path) -> (bool, String) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/tree-head.py");
    assert!(fs::read_to_string(&path).unwrap().lines().count() <= 60);
    let mut proof = file.as_os_str().to_owned();
    proof.push(".proof.jsonl");
    let output = Command::new("python3").arg(path).arg(proof).output();
    let output = output.expect("python3 is not installed: apt-get install --no-install-recommends python3");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test]
async fn every_form_and_profile_is_proved_with_the_public_key_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let key = fs::read_to_string(path.join("heads.pub")).unwrap();
    let cases: [(&str, &[&str], u64, u64); 8] = [
        ("all.csv", &["--format", "csv"], 50, 0),
        ("all.jsonl", &["--format", "jsonl"], 50, 0),
        ("all.xlsx", &["--format", "xlsx"], 50, 0),
        ("all.html", &["--format", "html"], 50, 0),
        ("some.csv", &["--format", "csv", "--queue-id", "q7"], 2, 0),
        ("none.csv", &["--format", "csv", "--queue-id", "nothing"], 0, 0),
        ("disclosed.csv", &["--format", "csv", "--profile", "disclose"], 50, 50),
        (
            "masked.xlsx",
            &["--format", "xlsx", "--mask", "subject,recipients", "--since", "2026-09-01"],
            25,
            25,
        ),
    ];
    for (name, arguments, proved, masked) in cases {
        let file = directory.path().join(name);
        export(&path, &file, arguments);
        let (code, checked) = check(&file, &["--key", key.trim()]);
        let wanted = (0, Value::from(proved), Value::from(masked), Value::from(0));
        let got = (code, checked["proved"].clone(), checked["masked"].clone(), checked["unproved"].clone());
        assert_eq!(got, wanted, "{name}: {checked:#}");
        let (same, said) = script(&file);
        assert!(same && (proved == 0 || said.contains("postvakt/gw1/1 50")), "{name}: {said}");
    }
    let shown = fs::read_to_string(directory.path().join("disclosed.csv")).unwrap();
    let proof = fs::read_to_string(directory.path().join("disclosed.csv.proof.jsonl")).unwrap();
    assert!(!shown.contains("-9874") && !proof.contains("-9874"), "what is masked is in neither file");
    assert!(!proof.contains("x@example.net"), "what rules found is not disclosed along");
}

#[tokio::test]
async fn what_was_changed_in_an_export_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let file = directory.path().join("f.csv");
    let beside = |ending: &str| directory.path().join(format!("f.csv{ending}"));
    export(&path, &file, &["--format", "csv"]);
    let (csv, proof) =
        (fs::read_to_string(&file).unwrap(), fs::read_to_string(beside(".proof.jsonl")).unwrap());
    fs::write(&file, csv.replacen("Ärende 3 ", "Ärende 4 ", 1)).unwrap();
    assert_eq!(check(&file, &[]).0, 1, "the file");
    fs::write(&file, csv.replacen("Ärende 3 ", "Ärende 4 ", 1)).unwrap();
    fs::write(beside(".proof.jsonl"), proof.replacen("Ärende 3 ", "Ärende 4 ", 1)).unwrap();
    let manifest = fs::read_to_string(beside(".manifest.json")).unwrap();
    let mut forged: Value = serde_json::from_str(&manifest).unwrap();
    forged["sha256"] = check(&file, &[]).1["sha256"].clone();
    fs::write(beside(".manifest.json"), forged.to_string()).unwrap();
    let (code, checked) = check(&file, &[]);
    assert_eq!((code, checked["faults"].as_array().unwrap().len()), (1, 1), "all three: {checked:#}");
    assert!(!script(&file).0);
    fs::write(&file, &csv).unwrap();
    fs::write(beside(".proof.jsonl"), &proof).unwrap();
    fs::write(beside(".manifest.json"), &manifest).unwrap();
    assert_eq!(check(&file, &[]).0, 0);
    let lines: Vec<&str> = proof.lines().collect();
    fs::write(beside(".proof.jsonl"), [&lines[..5], &lines[6..]].concat().join("\n")).unwrap();
    assert_eq!(check(&file, &[]).0, 1, "a record is missing");
    let other = "postvakt/gw2+aabbccdd+AXYZ";
    assert_eq!(check(&file, &["--key", other]).0, 2, "no key");
}

#[tokio::test]
async fn proofs_stand_after_retention_and_no_fork_is_signed_for_an_export() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let (before, after) = (directory.path().join("before.csv"), directory.path().join("after.csv"));
    export(&path, &before, &["--format", "csv"]);
    // As retention leaves it: the leaf without its values.
    let august = rusqlite::Connection::open(path.join("log-2026-08.db")).unwrap();
    august
        .execute_batch(
            "INSERT INTO pruned SELECT seq, leaf, 1 FROM record WHERE seq < 20; DELETE FROM record WHERE seq < 20;",
        )
        .unwrap();
    drop(august);
    assert_eq!(check(&before, &[]).0, 0, "what was exported earlier");
    export(&path, &after, &["--format", "csv"]);
    let (code, checked) = check(&after, &[]);
    assert_eq!((code, &checked["proved"]), (0, &31.into()), "{checked:#}");
    // Records that no head covers yet: one is signed, as long as the log is what the newest head says.
    let (_, clock) = clock("2026-09-03T00:00:00Z");
    let store = Store::open_at(&path, "gw1", clock).unwrap();
    for n in 0..3 {
        store.commit(entry(&format!("ny {n}"))).await.unwrap();
    }
    let newer = directory.path().join("newer.csv");
    export(&path, &newer, &["--format", "csv"]);
    assert_eq!(check(&newer, &[]).0, 0);
    store.close().await;
    assert_eq!(run(&path, &["verify"]).0, 1, "and the forged pruning is seen");
    let heads = fs::read_to_string(path.join("heads")).unwrap();
    let ahead = heads.rsplit_once("postvakt/gw1/1\n").unwrap().0.to_owned();
    let september = rusqlite::Connection::open(path.join("log-2026-09.db")).unwrap();
    september.execute_batch("DELETE FROM record WHERE seq > 50; UPDATE tree SET (size, frontier) = (SELECT size, frontier FROM head WHERE size = 50) WHERE id = 1").unwrap();
    drop(september);
    fs::write(path.join("heads"), &heads).unwrap();
    let forked = directory.path().join("forked.csv");
    export(&path, &forked, &["--format", "csv"]);
    assert!(ahead.len() < heads.len());
    let (code, out) = run(&path, &["verify", "--json"]);
    assert!(code == 1 && !out.contains("a fork"), "{out}");
}

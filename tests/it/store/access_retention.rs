//! Retention of the access log: what goes is gone, what is left is proved, and nobody can use it to hide what was read.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::SignedDuration;
use postvakt::config::{Config, Heads, Retention};
use postvakt::store::access::{Access, AccessRetention, ActiveConfig, ClockStep, ConfigChange, Kind, Period};
use postvakt::text::hex;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::cli::{config, run_with};
use super::followed::{prove, run_retention};
use super::*;

const OLD: &str = "gammal.person@privat.example";
const REF: &str = "KS 2026/46";
const KEEP_DAYS: i64 = 730;

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

fn period() -> Retention {
    Retention {
        authority: "Kommunstyrelsen".into(),
        mailboxes: Vec::new(),
        keep: Duration::from_hours(24 * KEEP_DAYS.unsigned_abs()),
        decision: REF.into(),
    }
}

fn decided(path: &Path) -> Config {
    let mut config = config(path);
    config.store.access_retention = Some(period());
    config
}

fn reader() -> Reader {
    Reader::of_this_process(Via::CommandLine)
}

/// A search for the person who is to be forgotten, and what came of it.
fn search(log: &mut AccessLog, at: Timestamp, decision: &str) -> u64 {
    let access = Access {
        time: at,
        reader: reader(),
        verb: "search".into(),
        query: json!({ "sender": OLD }).to_string(),
        purpose: format!("om {OLD}"),
        decision: decision.into(),
        ..Access::default()
    };
    let n = log.add(Kind::Access, at, &access).unwrap();
    log.add(Kind::Result, at, &json!({ "access": n, "rows": 1, "how": "done" })).unwrap();
    n
}

fn decision(log: &mut AccessLog, at: Timestamp, reference: &str, valid: SignedDuration) {
    let day = |at: Timestamp| at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
    let mut body = serde_json::to_value(reader()).unwrap();
    let more = json!({
        "reference": reference, "decided_by": "Chefen", "decided_on": day(at), "purpose": "utredning",
        "persons": [OLD], "since": null, "until": null, "valid_until": day(at + valid),
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    log.add(Kind::Decision, at, &body).unwrap();
}

fn hold(log: &mut AccessLog, kind: Kind, at: Timestamp, reference: &str, since: Option<Timestamp>) {
    let mut body = serde_json::to_value(reader()).unwrap();
    let more = json!({ "reference": reference, "parties": [OLD], "since": since, "until": null });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    log.add(kind, at, &body).unwrap();
}

fn load(log: &mut AccessLog, at: Timestamp, config: &Config) {
    let change = ConfigChange {
        reader: Reader::of_this_process(Via::Daemon),
        event: "started".into(),
        config: config.hash.clone(),
        postvakt: "0.1.0".into(),
        part: Some(ActiveConfig::of(config)),
    };
    log.add(Kind::Config, at, &change).unwrap();
}

/// The server runs at that time: a mail comes, `work` is done with the access log, and heads are signed.
async fn at(path: &Path, at: Timestamp, work: impl FnOnce(&mut AccessLog)) {
    let heads =
        Heads { file: Some(path.with_extension("heads")), ..Heads::signed_every(Duration::from_mins(5)) };
    let store = Store::open_with(path, "gw1", heads, clock(&at.to_string()).1).unwrap();
    store.commit(Entry { record: Record { time: at, ..record("Lunch") }, ..entry("") }).await.unwrap();
    work(&mut AccessLog::open(path).unwrap());
    store.close().await;
}

/// Entries 1 to 14 are old, and what follows is not.
async fn grown(path: &Path) -> Timestamp {
    let now = Timestamp::now();
    let then = now - days(800);
    at(path, then, |log| {
        load(log, then, &decided(path));
        search(log, then, "");
        decision(log, then, "KS 1", days(30));
        search(log, then, "KS 1");
        // Valid for as long as the log is read: it stays.
        decision(log, then, "KS 2", days(4000));
        // The mail of a year ago is read by it: it stays.
        decision(log, then, "KS 3", days(30));
        hold(log, Kind::Hold, then, "D 1", None);
        hold(log, Kind::Release, then, "D 1", None);
        let told = json!({ "month": "2024-01", "through": 1, "ended": [] });
        log.add(Kind::Outcomes, then, &told).unwrap();
        log.add(Kind::Outcomes, then, &told).unwrap();
        // Refused, and so without a result.
        let access = Access {
            reader: reader(),
            verb: "search".into(),
            query: json!({ "sender": OLD }).to_string(),
            refused: "nej".into(),
            ..Access::default()
        };
        log.add(Kind::Access, then, &access).unwrap();
    })
    .await;
    let later = now - days(365);
    at(path, later, |log| {
        load(log, later, &decided(path));
        search(log, later, "KS 3");
    })
    .await;
    at(path, now, |_| ()).await;
    now
}

/// What goes of that: two searches, a decision, a hold with its release, an outcome and a refusal.
const GOING: [u64; 9] = [2, 3, 4, 5, 6, 9, 10, 11, 13];

fn verify(path: &Path) -> (u8, Value) {
    let heads = path.with_extension("heads");
    let own = ["verify", "--json", "--heads", heads.to_str().unwrap(), path.to_str().unwrap()];
    let (code, out) = run_with(&decided(path), &own);
    (code, serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}")))
}

fn of_accesses(report: &Value) -> &Value {
    let trees = report["trees"].as_array().unwrap();
    trees.iter().find(|tree| tree["origin"].as_str().unwrap().contains("/access")).unwrap()
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-r").args([from, to]).status().unwrap().success());
    let heads = to.with_extension("heads");
    fs::copy(from.with_extension("heads"), heads).unwrap();
}

#[tokio::test]
async fn entries_whose_time_is_over_go_and_the_rest_is_proved() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    grown(&path).await;
    let config = decided(&path);
    let older = directory.path().join("older");
    copy(&path, &older);
    let (code, out) = run_with(&config, &["retention", "plan", "--json"]);
    let plan: Value = serde_json::from_str(&out).unwrap();
    let row = json!({ "month": null, "authority": "Kommunstyrelsen", "decision": REF, "days": KEEP_DAYS,
        "due": GOING.len(), "waits": false });
    assert_eq!((code, &plan["due"]), (0, &json!([row])), "{out}");
    assert_eq!(run_with(&config, &["retention", "run", "--decision", "KS 1999/1"]).0, 2);
    let out = run_retention(&config, REF);
    assert!(out.contains("9 entries of the access log deleted"), "{out}");
    // Of what is left, the two decisions name the person, and the search of a year ago.
    let left = rusqlite::Connection::open(path.join("access.db")).unwrap();
    let numbers = |sql: &str| -> Vec<u64> {
        let mut statement = left.prepare(sql).unwrap();
        let numbers = statement.query_map([], |row| row.get::<_, i64>(0)).unwrap();
        numbers.map(|n| n.unwrap().unsigned_abs()).collect()
    };
    assert_eq!(numbers("SELECT n FROM pruned ORDER BY n"), GOING);
    assert_eq!(
        numbers(&format!("SELECT n FROM entry WHERE instr(body, '{OLD}') > 0 ORDER BY n")),
        [7, 8, 15]
    );
    let octets = fs::read(path.join("access.db")).unwrap();
    let named = octets.windows(OLD.len()).filter(|part| *part == OLD.as_bytes()).count();
    // Search 15 has the person in its query and in its purpose.
    assert_eq!(named, 4, "what is deleted is in no free page either");
    assert!(left.execute("DELETE FROM entry WHERE n = 15", []).is_err(), "without its leaf no entry goes");
    assert!(left.execute("DELETE FROM pruned", []).is_err());
    drop(left);
    // The server goes on, and signs.
    at(&path, Timestamp::now(), |_| ()).await;
    let (code, report) = verify(&path);
    assert_eq!((code, &report["result"]), (0, &"whole".into()), "{report:#}");
    assert_eq!(of_accesses(&report)["pruned"][REF], GOING.len(), "{report:#}");
    let (code, said) = prove(&path, &path.with_extension("heads"));
    assert_eq!(code, Some(0), "{said}");
    // Decisions still count, although one is deleted and the others are old.
    assert_eq!(run_with(&config, &["search", "--decision", "KS 9"]).0, 2);
    // The extract says what it cannot tell of any more.
    let (code, out) = run_with(&config, &["subject-extract", OLD, "--decision", "KS 2", "--json"]);
    let last: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert!(code == 0 && last["accesses_deleted_until"].is_string(), "{out}");
    assert_eq!(
        run_with(&config, &["retention", "plan"]).1.matches("access log").count(),
        0,
        "nothing is due"
    );
    // The older copy is put back: what was lost is told of, and the rest is proved, also by the script.
    let heads = fs::read(path.with_extension("heads")).unwrap();
    fs::remove_dir_all(&path).unwrap();
    fs::rename(&older, &path).unwrap();
    at(&path, Timestamp::now(), |_| ()).await;
    assert!(fs::read(path.with_extension("heads")).unwrap().starts_with(&heads));
    run_retention(&config, REF);
    at(&path, Timestamp::now(), |_| ()).await;
    let (code, report) = verify(&path);
    assert_eq!((code, &report["result"]), (2, &"incomplete".into()), "{report:#}");
    let (code, said) = prove(&path, &path.with_extension("heads"));
    assert!(code == Some(2) && said.contains("new epoch"), "{said}");
}

#[tokio::test]
async fn a_run_over_the_access_log_has_a_protocol() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    grown(&path).await;
    let config = decided(&path);
    run_retention(&config, REF);
    let page = directory.path().join("protokoll.html");
    let (code, out) = run_with(&config, &["retention", "protocol", "--html", page.to_str().unwrap()]);
    assert_eq!(code, 0, "{out}");
    let text = fs::read_to_string(&page).unwrap();
    for wanted in
        ["Gallringsprotokoll", "Kommunstyrelsen", REF, "Poster i åtkomstloggen", "730 dagar", "Underskrift"]
    {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let (_, out) = run_with(&config, &["retention", "protocol", "--json"]);
    let protocol: Value = serde_json::from_str(&out).unwrap();
    let kinds: BTreeMap<String, String> =
        serde_json::from_value::<Vec<(String, String)>>(protocol["tables"][0]["rows"].clone())
            .unwrap()
            .into_iter()
            .collect();
    assert_eq!((kinds["Åtkomst"].as_str(), kinds["Beslut om åtkomst"].as_str()), ("3", "1"), "{out}");
    assert_eq!(protocol["tables"][1]["rows"][0][0], "2", "{out}");
}

#[tokio::test]
async fn a_legal_hold_keeps_the_accesses_since_its_beginning() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let now = grown(&path).await;
    let config = decided(&path);
    let mut log = AccessLog::open(&path).unwrap();
    hold(&mut log, Kind::Hold, Timestamp::now(), "D 2", Some(now - days(900)));
    let (_, out) = run_with(&config, &["retention", "plan", "--json"]);
    let plan: Value = serde_json::from_str(&out).unwrap();
    // The decision KS 1 stays with the search by it; the hold that was released is none of its accesses.
    assert_eq!((&plan["held_entries"], &plan["due"][0]["due"]), (&6.into(), &2.into()), "{out}");
    hold(&mut log, Kind::Release, Timestamp::now(), "D 2", None);
    hold(&mut log, Kind::Hold, Timestamp::now(), "D 3", Some(now - days(100)));
    let (_, out) = run_with(&config, &["retention", "plan", "--json"]);
    let plan: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&plan["held_entries"], &plan["due"][0]["due"]), (&0.into(), &GOING.len().into()), "{out}");
}

/// What a person with root writes who has the program's source: an entry that tells of a run, and the deletion.
fn forge(path: &Path, at: Timestamp, keep_seconds: u64, told: &[u64], deleted: &[u64]) {
    let digest = told.iter().fold(Sha256::new(), |hash, n| hash.chain_update(n.to_be_bytes())).finalize();
    let run = AccessRetention {
        reader: reader(),
        decision: REF.into(),
        config: decided(path).hash,
        period: Period { keep_seconds, ..Period::of(&period()) },
        since: at,
        until: at,
        first: told[0],
        last: *told.last().unwrap(),
        entries: told.len() as u64,
        kinds: BTreeMap::new(),
        digest: hex(&digest),
    };
    let n = AccessLog::open(path).unwrap().add(Kind::AccessRetention, at, &run).unwrap();
    prune(path, n, deleted);
}

fn prune(path: &Path, run: u64, numbers: &[u64]) {
    let list = numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let sql = format!(
        "INSERT INTO pruned SELECT n, leaf, {run} FROM entry WHERE n IN ({list}); DELETE FROM entry WHERE n IN ({list})"
    );
    rusqlite::Connection::open(path.join("access.db")).unwrap().execute_batch(&sql).unwrap();
}

fn sql(path: &Path, sql: &str) {
    rusqlite::Connection::open(path.join("access.db")).unwrap().execute_batch(sql).unwrap();
}

/// What is done to a copy of the log.
type Forgery = Box<dyn Fn(&Path)>;

#[tokio::test]
async fn nobody_hides_what_was_read_as_retention() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let now = grown(&path).await;
    let keep = period().keep.as_secs();
    let cases: Vec<(&str, &str, Forgery)> = vec![
        ("what is due, lawfully", "", Box::new(move |path| forge(path, now, keep, &[2, 3], &[2, 3]))),
        (
            "entries of a year ago",
            "access 15: 2 of the 2 entries that were pruned by \"KS 2026/46\" were younger than its period",
            Box::new(move |path| forge(path, now, keep, &[15, 16], &[15, 16])),
        ),
        (
            "no run tells of it",
            "access 2: 2 entries from here on are gone",
            Box::new(|path| prune(path, 1, &[2, 3])),
        ),
        (
            "one more than the run tells of",
            "access 2: 3 entries from here on are gone, and they are not those",
            Box::new(move |path| forge(path, now, keep, &[2, 3], &[2, 3, 15])),
        ),
        (
            "another period than was decided",
            "after another period than the active config had",
            Box::new(move |path| forge(path, now, 86_400, &[15, 16], &[15, 16])),
        ),
        (
            "a run that is dated ahead",
            "access 15: 2 of the 2 entries",
            Box::new(move |path| forge(path, now + days(600), keep, &[15, 16], &[15, 16])),
        ),
        (
            "an entry that is there and pruned",
            "access 2: it is there, and also said to be pruned",
            Box::new(|path| sql(path, "INSERT INTO pruned SELECT n, leaf, 1 FROM entry WHERE n = 2")),
        ),
        (
            "the leaf of another entry",
            "are not those that the head of",
            Box::new(move |path| {
                forge(path, now, keep, &[2, 3], &[2, 3]);
                sql(path, "DROP TRIGGER pruned_stays; UPDATE pruned SET leaf = zeroblob(32) WHERE n = 3");
            }),
        ),
        (
            "the leaves are deleted too",
            "access 2: the records from here to access 3 are missing",
            Box::new(move |path| {
                forge(path, now, keep, &[2, 3], &[2, 3]);
                sql(path, "DROP TRIGGER pruned_keeps; DELETE FROM pruned");
            }),
        ),
    ];
    for (what, wanted, change) in cases {
        let forged = directory.path().join("forged");
        copy(&path, &forged);
        change(&forged);
        // The server signs whatever it finds.
        at(&forged, Timestamp::now(), |_| ()).await;
        let (code, report) = verify(&forged);
        let faults = of_accesses(&report)["faults"].as_array().unwrap().clone();
        let said = |fault: &Value| format!("{}: {}", fault["record"].as_str().unwrap_or(""), fault["what"]);
        let said: Vec<String> =
            faults.iter().map(|fault| said(fault).replace("\\\"", "\"").replace(": \"", ": ")).collect();
        assert_eq!(code == 0, wanted.is_empty(), "{what}: {report:#}");
        assert!(
            wanted.is_empty() || (code == 1 && said.iter().any(|said| said.contains(wanted))),
            "{what}: {said:#?}"
        );
        fs::remove_dir_all(&forged).unwrap();
    }
}

#[tokio::test]
async fn a_clock_that_was_ahead_when_entries_were_pruned_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let now = grown(&path).await;
    let ahead = now + days(600);
    // The server itself runs under the false clock, so that heads and entries agree; then the clock is set back.
    at(&path, ahead, |_| forge(&path, ahead, period().keep.as_secs(), &[15, 16], &[15, 16])).await;
    at(&path, Timestamp::now(), |log| {
        let step = ClockStep {
            reader: Reader::of_this_process(Via::Daemon),
            expected: ahead,
            found: now,
            milliseconds: -i64::try_from(days(600).as_millis()).unwrap(),
            daemon: "stopped".into(),
        };
        log.add(Kind::Clock, now, &step).unwrap();
    })
    .await;
    let (code, report) = verify(&path);
    let said = of_accesses(&report)["faults"].to_string();
    assert!(code == 1 && said.contains("The clock was 600 days ahead then"), "{report:#}");
}

const CHILD: &str = "POSTVAKT_TEST_ACCESS_RETENTION";

/// The process that [`a_kill_leaves_the_access_log_whole`] kills.
#[test]
#[ignore = "run by the kill test"]
fn child() {
    let Some(path) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    run_retention(&decided(&path), REF);
}

#[tokio::test]
async fn a_kill_leaves_the_access_log_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    grown(&path).await;
    for round in 0..8_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["store::access_retention::child", "--exact", "--ignored"])
            .env(CHILD, &path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(10 + round * 12));
        child.kill().unwrap();
        child.wait().unwrap();
        let (code, report) = verify(&path);
        assert_ne!(code, 1, "round {round}: {report:#}");
    }
    run_retention(&decided(&path), REF);
    at(&path, Timestamp::now(), |_| ()).await;
    let (code, report) = verify(&path);
    assert_eq!((code, &of_accesses(&report)["pruned"][REF]), (0, &GOING.len().into()), "{report:#}");
}

//! Retention: what goes is gone from every file, what stays still verifies, and nothing goes without a decision.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::SignedDuration;
use postvakt::address::{Address, Domain};
use postvakt::config::minimise::Covered;
use postvakt::config::{Config, Retention};
use postvakt::record::{OutboxKind, OutboxRow};
use serde_json::Value;

use super::cli::{config, run_with};
use super::*;

const OLD: &str = "gammal.person@privat.example";

fn period(mailbox: Covered, days: u64, decision: &str) -> Retention {
    Retention {
        authority: "Kommunstyrelsen".into(),
        mailboxes: vec![mailbox],
        keep: Duration::from_secs(days * 86_400),
        decision: decision.into(),
    }
}

pub(crate) fn decided(path: &Path) -> Config {
    let mut config = config(path);
    config.store.retention = vec![
        period(Covered::Address(Address::parse("registrator@exempelby.se").unwrap()), 60, "KS 2026/45"),
        period(Covered::Domain(Domain::new("exempelby.se")), 30, "KS 2026/46"),
    ];
    config
}

fn queue_id(n: u32) -> String {
    format!("4jdWYj{n:05}z1SVwl")
}

fn old(n: u32, at: Timestamp) -> Entry<'static> {
    let found = FindingRow { recipients: vec![OLD.into()], ..finding() };
    let key = [u8::try_from(n % 251).unwrap(); 16];
    let seen = SeenRow::new(at, [key], [1; 8], ["anna@exempelby.se"], [OLD]);
    let own = OutboxRow {
        key,
        kind: OutboxKind::Receipt,
        at,
        due: at,
        until: at,
        mailbox: "anna@exempelby.se".into(),
        recipient: OLD.into(),
        reference: format!("r{n}"),
        held: false,
        message: format!("To: {OLD}"),
    };
    let record = Record {
        time: at,
        sender: OLD.into(),
        recipients: vec!["anna@exempelby.se".into()],
        header_from: OLD.into(),
        message_id: format!("<{n}.{OLD}>"),
        queue_id: queue_id(n),
        ..record(&format!("Ärende {n} om {OLD}"))
    };
    Entry { findings: vec![found], seen: Some(seen), outbox: vec![own], ..Entry::of(record) }
}

/// 400 old mails three months ago and as many young ones now; every fourth old one is the registry's.
pub(crate) async fn store(path: &Path) -> Timestamp {
    let now = Timestamp::now();
    let then = now - SignedDuration::from_hours(24 * 90);
    let (time, clock) = clock(&then.to_string());
    for at in [then, now] {
        time.store(at.as_second(), Ordering::SeqCst);
        let store = Store::open_at(path, "gw1", clock.clone()).unwrap();
        for n in 0..400_u32 {
            let at = at + SignedDuration::from_secs(i64::from(n));
            let mut entry = if at < now {
                old(n, at)
            } else {
                Entry { record: Record { time: at, ..record("ny") }, ..entry("") }
            };
            if n % 4 == 0 && at < now {
                entry.record.recipients = vec!["registrator@exempelby.se".into()];
            }
            store.commit(entry).await.unwrap();
        }
        store.close().await;
    }
    now
}

/// A mail of this moment.
fn of_now(subject: &str) -> Entry<'static> {
    Entry { record: Record { time: Timestamp::now(), ..record(subject) }, ..entry("") }
}

/// Every octet of every file, as `strings` would see it.
fn holds(path: &Path, text: &str) -> Vec<String> {
    let files = fs::read_dir(path).unwrap().map(|file| file.unwrap().path());
    let holding = files.filter(|file| {
        let octets = fs::read(file).unwrap_or_default();
        octets.windows(text.len()).any(|part| part.eq_ignore_ascii_case(text.as_bytes()))
    });
    holding.map(|file| file.display().to_string()).collect()
}

fn run_json(config: &Config, arguments: &[&str]) -> (u8, Value) {
    let (code, out) = run_with(config, &[arguments, &["--json"]].concat());
    (code, serde_json::from_str(out.lines().next().unwrap_or("null")).unwrap_or_else(|_| panic!("{out}")))
}

pub(crate) fn today() -> String {
    Timestamp::now().to_zoned(jiff::tz::TimeZone::get("Europe/Stockholm").unwrap()).date().to_string()
}

#[tokio::test]
async fn what_goes_is_gone_from_every_file_and_the_rest_verifies() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let config = decided(&path);
    assert!(!holds(&path, OLD).is_empty());
    let (code, plan) = run_json(&config, &["retention", "plan"]);
    let due: Vec<(&Value, &Value)> =
        plan["due"].as_array().unwrap().iter().map(|row| (&row["decision"], &row["due"])).collect();
    assert_eq!(
        (code, due),
        (0, vec![(&"KS 2026/45".into(), &100.into()), (&"KS 2026/46".into(), &300.into())]),
        "{plan:#}"
    );
    let day = today();
    let run = ["retention", "run", "--today", &day, "--decision"];
    assert_eq!(run_with(&config, &[&run[..], &["KS 1999/1"]].concat()).0, 2, "no such decision");
    assert_eq!(
        run_with(&config, &["retention", "run", "--decision", "KS 2026/45"]).0,
        2,
        "the gap looks like a jump"
    );
    assert_eq!(run_with(&config, &["retention", "run", "--dry-run", "--decision", "KS 2026/45"]).0, 0);
    assert!(!holds(&path, OLD).is_empty(), "a plan takes nothing");
    // A hold keeps what it names, and its release lets it go.
    assert_eq!(run_with(&config, &["hold", "add", "D 2026/1", "--party", OLD]).0, 0);
    let (_, plan) = run_json(&config, &["retention", "plan"]);
    assert_eq!((&plan["held"], &plan["due"]), (&400.into(), &Value::Array(Vec::new())));
    assert_eq!(run_with(&config, &["hold", "release", "D 2026/1"]).0, 0);
    // While the daemon runs; the old month is not its own.
    let daemon = Store::open(&path, "gw1").unwrap();
    daemon.commit(of_now("now")).await.unwrap();
    for (decision, gone) in [("KS 2026/46", 300), ("KS 2026/45", 100)] {
        let (code, out) = run_with(&config, &[&run[..], &[decision]].concat());
        assert!(code == 0 && out.contains(&format!("{gone} records deleted")), "{out}");
        daemon.commit(of_now("meanwhile")).await.unwrap();
    }
    daemon.close().await;
    // The hold's entry names the address, and stays: who asked for what is not the log of mail.
    let left = holds(&path, OLD);
    assert!(left.iter().all(|file| file.ends_with("access.db")), "{left:?}");
    let (code, report) = run_json(&config, &["verify"]);
    assert_eq!((code, &report["result"]), (0, &"whole".into()), "{report:#}");
    let pruned = &report["trees"][0]["pruned"];
    assert_eq!((&pruned["KS 2026/45"], &pruned["KS 2026/46"]), (&100.into(), &300.into()), "{report:#}");
    assert_eq!(report["trees"][0]["records"], 403);
    let (_, out) = run_with(&config, &["verify"]);
    assert!(out.contains("100 pruned by KS 2026/45"), "{out}");
    // Who says that more was pruned than the access log knows is named.
    let months = fs::read_dir(&path).unwrap().map(|file| file.unwrap().path());
    let mut months: Vec<_> = months
        .filter(|file| file.extension() == Some("db".as_ref()) && !file.ends_with("access.db"))
        .collect();
    months.sort();
    let newest = rusqlite::Connection::open(months.last().unwrap()).unwrap();
    newest
        .execute_batch(
            "INSERT INTO run VALUES (1, 0, 'KS 2026/45', 1); \
             INSERT INTO pruned SELECT seq, leaf, 1 FROM record WHERE seq = 500; DELETE FROM record WHERE seq = 500;",
        )
        .unwrap();
    let (code, report) = run_json(&config, &["verify"]);
    assert_eq!(
        (code, &report["trees"][0]["faults"][0]["record"]),
        (1, &"gw1-1-000000000500".into()),
        "{report:#}"
    );
}

#[tokio::test]
async fn the_old_half_of_a_split_page_goes_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let now = Timestamp::now();
    let then = now - SignedDuration::from_hours(24 * 40);
    let (time, clock) = clock(&then.to_string());
    let store = Store::open_at(&path, "gw1", clock).unwrap();
    for n in 0..3 {
        store.commit(old(n, then)).await.unwrap();
    }
    // So many that the first page of the table becomes two, without one becoming free.
    for n in 3..14 {
        let kept =
            Record { time: then, recipients: vec!["bo@exempelby.example".into()], ..record(&n.to_string()) };
        store.commit(Entry { record: kept, ..entry("") }).await.unwrap();
    }
    time.store(now.as_second(), Ordering::SeqCst);
    store.commit(of_now("ny")).await.unwrap();
    store.close().await;
    let day = today();
    let run = ["retention", "run", "--today", &day, "--decision", "KS 2026/46"];
    let (code, out) = run_with(&decided(&path), &run);
    assert!(code == 0 && out.contains("3 records deleted"), "{out}");
    assert_eq!(holds(&path, OLD), Vec::<String>::new());
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_takes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let then = Timestamp::now() - SignedDuration::from_hours(24 * 90);
    let (_, clock) = clock(&then.to_string());
    let store = Store::open_at(&path, "gw1", clock).unwrap();
    for n in 0..10 {
        store.commit(old(n, then + SignedDuration::from_hours(i64::from(n)))).await.unwrap();
    }
    store.close().await;
    // For the log it is 90 days ago, whatever this machine's clock says: nothing is old yet.
    let config = decided(&path);
    let (code, plan) = run_json(&config, &["retention", "plan"]);
    assert_eq!((code, &plan["due"]), (0, &Value::Array(Vec::new())), "{plan:#}");
    assert!(plan["jump"].is_array(), "{plan:#}");
    let day = today();
    let (_, out) = run_with(&config, &["retention", "run", "--decision", "KS 2026/46", "--today", &day]);
    assert!(out.contains("0 records deleted"), "{out}");
    assert_eq!(all(&path).len(), 10);
}

#[tokio::test]
async fn nothing_goes_for_whom_nothing_is_decided() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let mut config = decided(&path);
    config.store.retention.pop();
    let (_, plan) = run_json(&config, &["retention", "plan"]);
    assert_eq!((&plan["due"][0]["due"], &plan["undecided"]), (&100.into(), &700.into()), "{plan:#}");
    config.store.retention.push(period(Covered::Everybody, 30, "KS 2026/47"));
    let (_, plan) = run_json(&config, &["retention", "plan"]);
    assert_eq!(plan["undecided"], 0, "{plan:#}");
}

const CHILD: &str = "POSTVAKT_TEST_RETENTION";

/// The process that [`a_kill_leaves_it_whole_and_the_next_run_ends_it`] kills.
#[test]
#[ignore = "run by the kill test"]
fn child() {
    let Some(path) = std::env::var_os(CHILD).map(std::path::PathBuf::from) else { return };
    let day = today();
    println!("begun");
    run_with(&decided(&path), &["retention", "run", "--decision", "KS 2026/46", "--today", &day]);
}

#[tokio::test]
async fn a_kill_leaves_it_whole_and_the_next_run_ends_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    for round in 0..12_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["store::retention::child", "--exact", "--ignored", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(10 + round * 6));
        child.kill().unwrap();
        child.wait().unwrap();
        let (code, report) = run_json(&config(&path), &["verify"]);
        // An access that nobody has signed for yet is no harm done. Killed while it wrote there, the access log cannot
        // confirm anything until the next command mends it; that is said, and is no tampering.
        let faults = report["trees"][0]["faults"].as_array().unwrap();
        let broken_off = report["trees"][1]["faults"].to_string().contains("a write to it was broken off");
        assert!(code != 1 && (faults.is_empty() || broken_off), "round {round}: {report:#}");
    }
    let day = today();
    for decision in ["KS 2026/46", "KS 2026/45"] {
        assert_eq!(
            run_with(&decided(&path), &["retention", "run", "--decision", decision, "--today", &day]).0,
            0
        );
    }
    assert_eq!(holds(&path, OLD), Vec::<String>::new());
    Store::open(&path, "gw1").unwrap().close().await;
    let (code, report) = run_json(&config(&path), &["verify"]);
    assert_eq!((code, &report["trees"][0]["records"]), (0, &400.into()), "{report:#}");
}

#[tokio::test]
async fn what_postfix_told_goes_with_the_record() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let now = store(&path).await;
    let then = now - SignedDuration::from_hours(24 * 90);
    let line = |at: Timestamp, id: &str| {
        format!(
            "{at} mx postfix/smtpd[1]: {id}: client=a[192.0.2.1]\n{at} mx postfix/local[2]: {id}: to=<{OLD}>, relay=local, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (ok)\n"
        )
    };
    let before = then - SignedDuration::from_hours(72);
    let young = now - SignedDuration::from_hours(1);
    let [one, four] = [1, 4].map(|n| line(then + SignedDuration::from_secs(i64::from(n)), &queue_id(n)));
    let log = [line(before, "57416980001"), one, four, line(young, "57416980003")].concat();
    let file = directory.path().join("mail.log");
    fs::write(&file, log.replace(OLD, "levererad@privat.example")).unwrap();
    assert_eq!(super::cli::run(&path, &["ingest", file.to_str().unwrap()]).0, 0);
    let told = "levererad@privat.example";
    assert!(!holds(&path, told).is_empty());
    let config = decided(&path);
    let (code, out) =
        run_with(&config, &["retention", "run", "--decision", "KS 2026/46", "--today", &today()]);
    assert_eq!(code, 0, "{out}");
    let rows = |id: &str| {
        let file = rusqlite::Connection::open(path.join("delivery.db")).unwrap();
        let sql = "SELECT count(*) FROM queue_file JOIN delivery ON id = file WHERE queue_id = ?1";
        file.query_row(sql, [id], |row| row.get::<_, i64>(0)).unwrap()
    };
    // The registry's records are kept for longer, so the oldest one is as old as before; what is older has no record.
    assert_eq!((rows("57416980001"), rows("57416980003")), (0, 1));
    assert_eq!((rows(&queue_id(1)), rows(&queue_id(4))), (0, 1));
}

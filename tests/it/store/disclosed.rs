//! Requests for public records: each record is reviewed, a second person approves, and what is disclosed is proved.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use postvakt::config::{Config, Retention};
use postvakt::store::access::Kind;
use postvakt::store::disclosure::{Answered, Opened, Step, Told};
use postvakt::store::retention::accesses;
use serde_json::Value;

use super::cli::{config, run_as, run_with};
use super::killed::program;
use super::*;

const DNR: &str = "KS 2026/410";
const IDS: [&str; 3] = ["gw1-1-000000000001", "gw1-1-000000000002", "gw1-1-000000000003"];

fn person(subject: &str, role: &str) -> Reader {
    let (name, mailboxes) = (String::new(), Vec::new());
    Reader { via: Via::Console, subject: subject.into(), name, role: role.into(), mailboxes, unix: None }
}

fn anna() -> Reader {
    person("anna", "reviewer")
}

fn bo() -> Reader {
    person("bo", "approver")
}

async fn store(directory: &Path) -> Config {
    let store = Store::open(directory, "gw1").unwrap();
    for subject in ["Ansökan om bygglov", "Orosanmälan om Kim", "Ang. 850709-9805"] {
        store.commit(entry(subject)).await.unwrap();
    }
    store.close().await;
    config(directory)
}

fn run(who: Reader, config: &Config, arguments: &[&str]) -> (u8, String) {
    run_as(who, config, &[&["disclosure"], arguments].concat())
}

fn done(who: Reader, config: &Config, arguments: &[&str]) -> String {
    let (code, out) = run(who, config, arguments);
    assert_eq!(code, 0, "{arguments:?}: {out}");
    out
}

/// The request, and its records.
fn shown(config: &Config, more: &[&str]) -> (Value, Vec<Value>) {
    let out = done(bo(), config, &[&["show", DNR, "--json"], more].concat());
    let mut lines = out.lines().map(|line| serde_json::from_str(line).unwrap());
    (lines.next().unwrap(), lines.collect())
}

fn open(config: &Config) {
    done(
        anna(),
        config,
        &["open", DNR, "--received", "2026-08-20", "--recipient", "registrator@exempelby.se"],
    );
}

fn approve(who: Reader, config: &Config) -> u8 {
    let entry = shown(config, &[]).0["entry"].to_string();
    run(who, config, &["approve", DNR, "--entry", &entry]).0
}

fn entries(config: &Config) -> Vec<Value> {
    let (_, out) = run_with(config, &["access", "--json"]);
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_request_is_held_reviewed_approved_and_disclosed() {
    let directory = tempfile::tempdir().unwrap();
    let config = store(&directory.path().join("store")).await;
    open(&config);
    // The hold stands before the request, and the request before anything else is done.
    let kinds: Vec<Value> = entries(&config).into_iter().map(|entry| entry["verb"].clone()).collect();
    assert_eq!(kinds[..3], ["disclosure open", "hold", "disclosure"]);
    let (code, held) = run_with(&config, &["legal-hold", "list", "--json"]);
    assert!(code == 0 && held.contains(DNR) && held.contains("registrator@exempelby.se"), "{held}");
    let (code, out) = run(anna(), &config, &["open", DNR, "--received", "2026-08-20"]);
    assert!(code == 2 && out.contains("registered already"), "{out}");

    let (case, rows) = shown(&config, &[]);
    assert_eq!(
        (&case["state"], &case["records"], &case["without"]),
        (&"review".into(), &3.into(), &3.into())
    );
    assert_eq!(rows[2]["asked"]["subject"], "Ang. 850709-9805");
    assert_eq!(rows[2]["given"]["subject"], "Ang. [personnummer]");
    assert_eq!(
        (&rows[0]["chosen"], &rows[0]["asked"]["recipients"][1]),
        (&Value::Null, &"anna@exempelby.se".into())
    );

    // Something that is masked or left out has a section of the law.
    for (wrong, said) in [
        (&["--choice", "leave-out"][..], "--section"),
        (&["--choice", "mask", "--section", "OSL 26 kap. 1 §"], "name the columns"),
        (&["--choice", "mask", "--section", "OSL 26 kap. 1 §", "--columns", "client"], "--columns client"),
        (&["--choice", "keep", "--columns", "subject"], "with mask alone"),
    ] {
        let (code, out) = run(anna(), &config, &[&["review", DNR, IDS[0]], wrong].concat());
        assert!(code == 2 && out.contains(said), "{wrong:?}: {out}");
    }
    let (code, out) = run(anna(), &config, &["review", DNR, "gw1-1-000000000009", "--choice", "keep"]);
    assert!(code == 2 && out.contains("does not ask for this record"), "{out}");
    let law = ["--section", "OSL 26 kap. 1 §", "--why", "ett ärende"];
    done(
        anna(),
        &config,
        &[&["review", DNR, IDS[1], "--choice", "mask", "--columns", "subject"], &law[..]].concat(),
    );
    assert_eq!(approve(bo(), &config), 2, "two have no choice yet");
    done(anna(), &config, &[&["review", DNR, IDS[2], "--choice", "leave-out"], &law[..]].concat());
    done(anna(), &config, &["review", DNR, "--rest", "--choice", "keep"]);
    assert_eq!(shown(&config, &["--left"]).1, Vec::<Value>::new());
    let rows = shown(&config, &[]).1;
    assert_eq!((&rows[1]["given"]["subject"], &rows[2]["given"]), (&"[maskerat]".into(), &Value::Null));

    // Who reviewed is no second person, in whatever letters; the refusal is in the access log.
    let file = directory.path().join("ut.csv");
    let name = file.to_str().unwrap();
    assert_eq!(run(anna(), &config, &["files", DNR, "--output", name]).0, 2, "not approved");
    for who in [anna(), person("ANNA", "approver"), person("anna@exempelby.se", "approver")] {
        assert_eq!(approve(who, &config), 2);
    }
    let refused = entries(&config).into_iter().filter(|entry| {
        entry["verb"] == "disclosure approve"
            && entry["refused"].as_str().is_some_and(|why| why.contains("another person"))
    });
    assert_eq!(refused.count(), 3);
    // What they approve is what they saw.
    let before = shown(&config, &[]).0["entry"].to_string();
    done(anna(), &config, &["review", DNR, IDS[0], "--choice", "keep", "--why", "offentlig"]);
    assert_eq!(run(bo(), &config, &["approve", DNR, "--entry", &before]).0, 2);
    assert_eq!(approve(bo(), &config), 0);
    assert_eq!(shown(&config, &[]).0["state"], "approved");

    done(anna(), &config, &["files", DNR, "--output", name]);
    let csv = fs::read_to_string(&file).unwrap();
    assert!(csv.contains("Ansökan om bygglov") && csv.contains("[maskerat]"), "{csv}");
    assert!(!csv.contains("Kim") && !csv.contains("850709") && !csv.contains("192.0.2.1"), "{csv}");
    let manifest: Value =
        serde_json::from_str(&fs::read_to_string(directory.path().join("ut.csv.manifest.json")).unwrap())
            .unwrap();
    assert_eq!((&manifest["rows"], &manifest["request"]), (&2.into(), &DNR.into()));
    assert_eq!(manifest["reviewed"]["sections"]["OSL 26 kap. 1 §"], 2);
    let review = fs::read_to_string(directory.path().join("ut.csv.review.csv")).unwrap();
    assert!(review.contains("left out: OSL 26 kap. 1 §") && !review.contains("850709"), "{review}");
    // Masked fields are proved by their commitments; so are the sizes of attachments, which nobody asked for.
    let (code, out) = run_with(&config, &["verify-export", "--json", name]);
    let checked: Value = serde_json::from_str(out.trim()).unwrap();
    assert_eq!(
        (code, &checked["checked"]["proved"], &checked["checked"]["masked"]),
        (0, &2.into(), &2.into()),
        "{out}"
    );
    let store = directory.path().join("store");
    let (code, out) = run_with(&config, &["verify-export", name, "--store", store.to_str().unwrap()]);
    assert_eq!(code, 0, "{out}");

    done(anna(), &config, &["close", DNR, "--answer", "part", "--decision", "KS 2026/411"]);
    let (case, _) = shown(&config, &[]);
    assert_eq!(
        (&case["state"], &case["answer"], &case["decision"]),
        (&"closed".into(), &"part".into(), &"KS 2026/411".into())
    );
    let (code, out) = run(anna(), &config, &["review", DNR, IDS[0], "--choice", "keep"]);
    assert!(code == 2 && out.contains("answered and closed"), "{out}");
    // A look at it places no hold again.
    run_with(&config, &["legal-hold", "release", DNR]);
    shown(&config, &[]);
    assert!(!run_with(&config, &["legal-hold", "list", "--json"]).1.contains(DNR));
    let (_, out) = run_with(&config, &["verify"]);
    assert!(!out.contains("TAMPERED"), "no server signed a head yet: {out}");
}

#[tokio::test]
async fn one_choice_more_has_to_be_approved_again() {
    let directory = tempfile::tempdir().unwrap();
    let config = store(&directory.path().join("store")).await;
    open(&config);
    done(anna(), &config, &["review", DNR, "--rest", "--choice", "keep"]);
    assert_eq!(approve(bo(), &config), 0);
    done(anna(), &config, &["review", DNR, IDS[0], "--choice", "leave-out", "--section", "OSL 21 kap. 7 §"]);
    assert_eq!(shown(&config, &[]).0["state"], "review");
    let file = directory.path().join("ut.csv");
    assert_eq!(run(anna(), &config, &["files", DNR, "--output", file.to_str().unwrap()]).0, 2);
    assert!(!file.exists());
    let (code, out) = run(anna(), &config, &["close", DNR, "--answer", "disclosed"]);
    assert!(code == 2 && out.contains("not approved"), "{out}");
    // On the host one person may do all of it, unless the config wants two.
    let root = || Reader::of_this_process(Via::CommandLine);
    let entry = shown(&config, &[]).0["entry"].to_string();
    let mut strict = self::config(&directory.path().join("store"));
    strict.store.access.four_eyes = true;
    done(root(), &config, &["review", DNR, IDS[1], "--choice", "keep"]);
    let newer = shown(&config, &[]).0["entry"].to_string();
    assert_ne!(entry, newer);
    assert_eq!(run(root(), &strict, &["approve", DNR, "--entry", &newer]).0, 2);
    assert_eq!(run(root(), &config, &["approve", DNR, "--entry", &newer]).0, 0);
}

#[tokio::test]
async fn mail_that_comes_after_the_request_was_not_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let config = store(&path).await;
    open(&config);
    let store = Store::open(&path, "gw1").unwrap();
    let record = Record { time: Timestamp::now(), ..record("Senare") };
    store.commit(Entry::of(record)).await.unwrap();
    store.close().await;
    assert_eq!(shown(&config, &[]).0["records"], 3);
}

/// Whoever asked is gone before the answer: what was done stands in the access log, and nothing is done twice.
#[tokio::test]
async fn an_answer_that_nobody_gets_loses_no_choice() {
    let directory = tempfile::tempdir().unwrap();
    let config = store(&directory.path().join("store")).await;
    open(&config);
    let review = ["log", "disclosure", "review", DNR, "--rest", "--choice", "keep"];
    let mut command = program(directory.path(), "", &review);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    child.wait().unwrap();
    let (case, rows) = shown(&config, &[]);
    assert_eq!((&case["without"], &case["chosen"]), (&0.into(), &3.into()), "{said}");
    assert!(rows.iter().all(|row| row["chosen"]["choice"] == "keep"));
    let (code, out) = run(anna(), &config, &["review", DNR, "--rest", "--choice", "keep"]);
    assert!(code == 2 && out.contains("for every record"), "{out}");
}

#[tokio::test]
async fn a_follow_up_is_signed_as_it_was_seen() {
    let directory = tempfile::tempdir().unwrap();
    let config = store(&directory.path().join("store")).await;
    let report = |quarter: &str| -> Value {
        let arguments = ["report", "follow-up", quarter, "--seed", "7 13", "--purpose", "uppföljning"];
        let (code, out) = run_with(&config, &arguments);
        assert_eq!(code, 0, "{out}");
        serde_json::from_str(out.trim()).unwrap()
    };
    let sign = |quarter: &str, seed: &str, digest: &str| {
        let own = ["report", "sign", quarter, "--seed", seed, "--digest", digest, "--case", "KS 2026/300"];
        run_as(anna(), &config, &[&own[..], &["--purpose", "uppföljning", "--remark", "inget"]].concat())
    };
    let before = report("2026Q2");
    let digest = before["digest"].as_str().unwrap();
    let (code, out) = sign("2026Q2", "8 14", digest);
    assert!(code == 2 && out.contains("another one"), "another sample: {out}");
    assert_eq!(report("2026Q2")["signed"], serde_json::json!([]));
    let (code, out) = sign("2026Q2", "7 13", digest);
    assert_eq!(code, 0, "{out}");
    let signed = report("2026Q2")["signed"][0].clone();
    assert_eq!(
        (&signed["subject"], &signed["case"], &signed["remark"]),
        (&"anna".into(), &"KS 2026/300".into(), &"inget".into())
    );
    // The next one tells of it; the one after does not have one before it.
    let facts = |quarter: &str| report(quarter)["facts"].to_string();
    assert!(
        facts("2026Q3").contains("signerad") && facts("2026Q3").contains("av anna"),
        "{}",
        facts("2026Q3")
    );
    assert!(facts("2026Q2").contains("inte signerad"), "{}", facts("2026Q2"));
    let now = jiff::Zoned::now();
    let running = format!("{}Q{}", now.year(), (now.month() + 2) / 3);
    let digest = report(&running)["digest"].as_str().unwrap().to_owned();
    let (code, out) = sign(&running, "7 13", &digest);
    assert!(code == 2 && out.contains("is not over"), "{out}");
}

#[tokio::test]
async fn the_newest_come_first_where_that_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let (time, clock) = clock("2026-07-01T00:00:00Z");
    for (day, subject) in [("2026-07-10", "a"), ("2026-07-20", "b"), ("2026-08-10", "c"), ("2026-09-01", "d")]
    {
        let at: Timestamp = format!("{day}T10:00:00Z").parse().unwrap();
        time.store(at.as_second(), Ordering::SeqCst);
        let store = Store::open_at(&path, "gw1", clock.clone()).unwrap();
        store.commit(Entry::of(Record { time: at, ..record(subject) })).await.unwrap();
        store.close().await;
    }
    let config = config(&path);
    let search = |more: &[&str]| {
        let (code, out) = run_with(&config, &[&["search", "--json", "--request", "Dnr 1"], more].concat());
        let subject =
            |line: &str| serde_json::from_str::<Value>(line).unwrap()["subject"].as_str().unwrap().to_owned();
        (code, out.lines().map(subject).collect::<Vec<_>>())
    };
    assert_eq!(search(&["--newest", "10"]), (0, ["d", "c", "b", "a"].map(str::to_owned).to_vec()));
    assert_eq!(search(&["--newest", "3"]), (1, ["d", "c", "b"].map(str::to_owned).to_vec()));
    assert_eq!(
        search(&["--newest", "2", "--until", "2026-07-31"]),
        (0, ["b", "a"].map(str::to_owned).to_vec())
    );
    assert_eq!(search(&[]), (0, ["a", "b", "c", "d"].map(str::to_owned).to_vec()));
    let (code, out) = run_with(&config, &["access", "--json", "--newest", "2"]);
    let ids: Vec<u64> = out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_u64().unwrap())
        .collect();
    assert!(code == 1 && ids.len() == 2 && ids[0] > ids[1], "{out}");
}

#[test]
fn a_request_stays_in_the_access_log_until_it_is_answered() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = AccessLog::open(directory.path()).unwrap();
    let period = Retention {
        authority: "Kommunstyrelsen".into(),
        mailboxes: Vec::new(),
        keep: Duration::from_hours(24 * 365),
        decision: "KS 2026/12".into(),
    };
    let now = Timestamp::now();
    let old = now - jiff::SignedDuration::from_hours(24 * 800);
    let mut tell = |reference: &str, step: Step| {
        let told = Told { by: anna(), reference: reference.into(), step };
        log.add(Kind::Disclosure, old, &told).unwrap();
    };
    for reference in ["Dnr 1", "Dnr 2"] {
        let asked = Opened {
            received: "2024-08-20".parse().unwrap(),
            asked_by: String::new(),
            query: "{}".into(),
            columns: vec!["time".into()],
            records: 1,
        };
        tell(reference, Step::Opened(asked));
    }
    tell("Dnr 1", Step::Closed { answered: Answered::Disclosed, decision: String::new() });
    let due = accesses::due(&log, &period, now, &Organisation::default()).unwrap();
    assert_eq!((due.numbers, due.kinds["disclosure"]), (vec![1, 3], 2));
}

const CHILD: &str = "POSTVAKT_TEST_DISCLOSURE";

/// The process that [`a_kill_loses_no_choice_that_was_answered`] kills.
#[test]
#[ignore = "run by the kill test"]
fn child() {
    let Some(path) = std::env::var_os(CHILD).map(std::path::PathBuf::from) else { return };
    let config = config(&path);
    loop {
        let out = done(anna(), &config, &["review", DNR, IDS[0], "--choice", "keep", "--json"]);
        let answer: Value = serde_json::from_str(out.trim()).unwrap();
        std::io::stdout().lock().write_all(format!("chosen {}\n", answer["entry"]).as_bytes()).unwrap();
    }
}

#[tokio::test]
async fn a_kill_loses_no_choice_that_was_answered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let config = store(&path).await;
    open(&config);
    let mut answered = Vec::new();
    for round in 0..8_usize {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["store::disclosed::child", "--exact", "--ignored", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut entries =
            lines.filter_map(|line| line.rsplit_once("chosen ").and_then(|(_, n)| n.parse::<u64>().ok()));
        answered.extend(entries.by_ref().take([0, 1, 2, 5][round % 4]));
        child.kill().unwrap();
        child.wait().unwrap();
        answered.extend(entries);
    }
    assert!(answered.len() >= 16, "{answered:?}");
    let all = entries(&config);
    for n in &answered {
        assert!(all.iter().any(|entry| entry["id"] == *n && entry["verb"] == "disclosure"), "{n}: {all:#?}");
    }
    // What was killed in between goes on.
    done(anna(), &config, &["review", DNR, "--rest", "--choice", "keep"]);
    assert_eq!(approve(bo(), &config), 0);
    Store::open(&path, "gw1").unwrap().close().await;
    let (code, out) = run_with(&config, &["verify"]);
    assert_eq!(code, 0, "{out}");
}

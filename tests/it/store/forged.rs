//! Forgeries by a person with root who has the program's source: whatever agrees with itself disagrees with something else.

use std::fs;
use std::time::Duration;

use jiff::SignedDuration;
use postvakt::config::minimise::Covered;
use postvakt::config::{Config, Retention as Decided};
use postvakt::store::access::{ActiveConfig, ClockStep, ConfigChange, Kind, Period, Retention, Taken};
use postvakt::text::hex;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::cli::{config, run, run_with};
use super::*;

const REF: &str = "KS 2026/12";
const DAY: u64 = 86_400;

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

fn decided(path: &Path, keep_days: u64) -> Config {
    let mut config = config(path);
    config.store.retention = vec![Decided {
        authority: "Kommunstyrelsen".into(),
        mailboxes: vec![Covered::Everybody],
        keep: Duration::from_secs(keep_days * DAY),
        decision: REF.into(),
    }];
    config
}

fn sql(path: &Path, file: &str, sql: &str) {
    rusqlite::Connection::open(path.join(file)).unwrap().execute_batch(sql).unwrap();
}

/// Ten mails at that time, while the server runs, with what is done to the access log meanwhile.
async fn mails(path: &Path, at: Timestamp, work: impl FnOnce(&mut AccessLog)) {
    let store = Store::open_at(path, "gw1", clock(&at.to_string()).1).unwrap();
    for n in 0..10 {
        store
            .commit(Entry { record: Record { time: at, ..record(&n.to_string()) }, ..entry("") })
            .await
            .unwrap();
    }
    work(&mut AccessLog::open(path).unwrap());
    store.close().await;
}

/// Ten mails of a hundred days ago, ten of ten days ago, ten of now; a year is decided.
async fn grown(path: &Path) -> Timestamp {
    let now = Timestamp::now();
    for age in [500, 100, 10] {
        let at = now - days(age);
        mails(path, at, |log| {
            let config = decided(path, 365);
            let change = ConfigChange {
                reader: Reader::of_this_process(Via::Daemon),
                event: "started".into(),
                config: config.hash.clone(),
                postvakt: "0.1.0".into(),
                part: Some(ActiveConfig::of(&config)),
            };
            log.add(Kind::Config, at, &change).unwrap();
        })
        .await;
    }
    now
}

fn month(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m").to_string()
}

/// The entry of a run that deletes records of a month, and the deletion. `told` is the month that the entry names.
fn prune(
    path: &Path,
    at: Timestamp,
    config: &Config,
    of: Timestamp,
    told: &str,
    numbers: std::ops::RangeInclusive<u64>,
) {
    let digest = numbers.clone().fold(Sha256::new(), |hash, n| hash.chain_update(n.to_be_bytes())).finalize();
    let (first, last) = (*numbers.start(), *numbers.end());
    let run = Retention {
        reader: Reader::of_this_process(Via::CommandLine),
        decision: REF.into(),
        config: config.hash.clone(),
        periods: config.store.retention.iter().map(Period::of).collect(),
        counts: vec![last + 1 - first],
        files: vec![Taken {
            month: told.into(),
            first,
            last,
            records: last + 1 - first,
            digest: hex(&digest),
        }],
    };
    let n = AccessLog::open(path).unwrap().add(Kind::Retention, at, &run).unwrap();
    // It would tell of records that are gone.
    let _ = fs::remove_file(path.join(format!("log-{}.idx", month(of))));
    let which = format!("seq BETWEEN {first} AND {last}");
    sql(
        path,
        &format!("log-{}.db", month(of)),
        &format!(
            "INSERT INTO run VALUES ({n}, {}, '{REF}', {}); INSERT INTO pruned SELECT seq, leaf, {n} FROM record WHERE \
             {which}; DELETE FROM record WHERE {which}; DELETE FROM finding WHERE {which}",
            at.as_millisecond(),
            last + 1 - first
        ),
    );
}

/// What verify says, and of what.
fn faults(path: &Path) -> (u8, String) {
    let (code, out) = run(path, &["verify", "--json", path.to_str().unwrap()]);
    let report: Value = serde_json::from_str(&out).unwrap();
    (code, report["trees"].to_string())
}

/// What is done to a copy of the log.
type Forgery<'a> = Box<dyn Fn(&Path) + 'a>;

#[tokio::test]
async fn records_that_were_deleted_by_hand_as_retention_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let now = grown(&path).await;
    let (old, young) = (now - days(500), now - days(10));
    let foreign = Config { hash: "fedcba9876543210".into(), ..decided(&path, 1) };
    let cases: [(&str, &str, Forgery<'_>); 6] = [
        ("what is due", "", Box::new(|path| prune(path, now, &decided(path, 365), old, &month(old), 1..=5))),
        (
            "under a config of their own",
            "were pruned by \\\"KS 2026/12\\\" under the config fedcba9876543210",
            Box::new(|path| prune(path, now, &foreign, young, &month(young), 21..=25)),
        ),
        (
            "under the right config, by other periods",
            "after other periods than the config that was active had",
            Box::new(|path| prune(path, now, &decided(path, 1), young, &month(young), 21..=25)),
        ),
        (
            "what is not due",
            "5 of the 5 records that were pruned by \\\"KS 2026/12\\\" were younger than its period",
            Box::new(|path| prune(path, now, &decided(path, 365), young, &month(young), 22..=26)),
        ),
        (
            "as the deletion of another month",
            "the access log has no such retention run",
            Box::new(|path| prune(path, now, &decided(path, 365), old, "2001-01", 1..=5)),
        ),
        (
            "without an entry",
            "the access log has no such retention run",
            Box::new(|path| {
                let file = format!("log-{}.db", month(young));
                sql(
                    path,
                    &file,
                    "INSERT INTO run VALUES (1, 0, 'KS 2026/12', 1); INSERT INTO pruned SELECT seq, leaf, 1 \
                    FROM record WHERE seq = 25; DELETE FROM record WHERE seq = 25",
                );
            }),
        ),
    ];
    for (what, wanted, forge) in cases {
        let copy = directory.path().join("copy");
        assert!(std::process::Command::new("cp").arg("-r").args([&path, &copy]).status().unwrap().success());
        forge(&copy);
        mails(&copy, Timestamp::now(), |_| ()).await;
        let (code, said) = faults(&copy);
        assert_eq!(code, u8::from(!wanted.is_empty()), "{what}: {said}");
        assert!(said.contains(wanted), "{what}: {said}");
        fs::remove_dir_all(&copy).unwrap();
    }
}

#[tokio::test]
async fn records_that_were_deleted_under_a_clock_that_was_ahead_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let now = grown(&path).await;
    let (young, ahead) = (now - days(10), now + days(400));
    mails(&path, ahead, |_| prune(&path, ahead, &decided(&path, 365), young, &month(young), 22..=26)).await;
    let step = ClockStep {
        reader: Reader::of_this_process(Via::Daemon),
        expected: ahead,
        found: now,
        milliseconds: -i64::try_from(days(400).as_millis()).unwrap(),
        daemon: "stopped".into(),
    };
    mails(&path, Timestamp::now(), |log| drop(log.add(Kind::Clock, now, &step))).await;
    let (code, said) = faults(&path);
    assert!(code == 1 && said.contains("The clock was 400 days ahead then"), "{said}");
}

#[tokio::test]
async fn an_entry_that_is_dated_back_is_named_with_the_heads_around_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    grown(&path).await;
    // A decision of last year, which the program itself would refuse to write now.
    let (number, salt, time) = (4_u64, [7_u8; 16], (Timestamp::now() - days(300)).as_millisecond());
    let body = "{}";
    let fields = [time.to_string(), "decision".into(), body.into()];
    let fields: Vec<&[u8]> = fields.iter().map(String::as_bytes).collect();
    let leaf = postvakt::merkle::leaf(1, number, &postvakt::merkle::hash_of(&salt, &fields));
    let access = rusqlite::Connection::open(path.join("access.db")).unwrap();
    let values = rusqlite::params![number.cast_signed(), time, "decision", body, salt, leaf];
    access.execute("INSERT INTO entry VALUES (?1, ?2, ?3, ?4, ?5, ?6)", values).unwrap();
    drop(access);
    let (code, said) = faults(&path);
    assert!(code == 1 && said.contains("the file's own tree is not that of its entries"), "{said}");
    // The tree is made to fit, and the server signs it. The order of time still tells.
    let file = rusqlite::Connection::open(path.join("access.db")).unwrap();
    let mut tree = postvakt::merkle::Tree::default();
    let mut leaves = file.prepare("SELECT leaf FROM entry ORDER BY n").unwrap();
    for leaf in leaves.query_map([], |row| row.get(0)).unwrap() {
        tree.push(leaf.unwrap());
    }
    file.execute("UPDATE tree SET size = ?1, frontier = ?2", (tree.size().cast_signed(), tree.octets()))
        .unwrap();
    drop(leaves);
    drop(file);
    mails(&path, Timestamp::now(), |_| ()).await;
    let (code, said) = faults(&path);
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("access 4")
            && said.contains("its time is not to be believed. It was written between the heads of"),
        "{said}"
    );
}

#[tokio::test]
async fn an_export_from_which_rows_were_removed_consistently_is_found_by_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    grown(&path).await;
    let since = (Timestamp::now() - days(200)).to_string();
    let export = |name: &str, more: &[&str]| {
        let file = directory.path().join(name);
        let own = ["export", "--decision", "KS 1", "--purpose", "utlämnande", "--format", "csv", "--output"];
        let (code, out) = run(&path, &[&own[..], &[file.to_str().unwrap()], more].concat());
        assert_eq!(code, 0, "{out}");
        file
    };
    // The whole answer, and one that lacks the oldest mails; its proof is right, for all of its rows are in the log.
    let whole = export("whole.csv", &[]);
    let some = export("some.csv", &["--since", &since]);
    let manifest = |file: &Path| file.with_extension("csv.manifest.json");
    let text = |file: &Path| fs::read_to_string(manifest(file)).unwrap();
    let key = path.join("heads.pub");
    let check = |more: &[&str]| {
        let own = ["verify-export", some.to_str().unwrap(), "--key", key.to_str().unwrap()];
        run(&path, &[&own[..], more].concat())
    };
    let with_store = ["--store", path.to_str().unwrap()];
    assert_eq!((check(&[]).0, check(&with_store).0), (0, 0));
    // The manifest is edited: it says that this is the whole answer.
    let (first, second): (Value, Value) =
        (serde_json::from_str(&text(&whole)).unwrap(), serde_json::from_str(&text(&some)).unwrap());
    let mut forged = second.clone();
    for name in ["query", "access"] {
        forged[name] = first[name].clone();
    }
    fs::write(manifest(&some), forged.to_string()).unwrap();
    assert_eq!(check(&[]).0, 0, "by itself it agrees with its proof");
    let (code, out) = check(&with_store);
    assert!(code == 1 && out.contains("is not the one that the access log tells of"), "{out}");
    // When its entry was deleted by retention, that is said, and nobody is accused.
    fs::write(manifest(&some), text_of(&second)).unwrap();
    let mut config = config(&path);
    config.store.access_retention = Some(Decided {
        authority: "Kommunstyrelsen".into(),
        mailboxes: Vec::new(),
        keep: Duration::from_secs(1),
        decision: "KS 2026/46".into(),
    });
    std::thread::sleep(Duration::from_millis(1_100));
    mails(&path, Timestamp::now(), |log| {
        let change = ConfigChange {
            reader: Reader::of_this_process(Via::Daemon),
            event: "reloaded".into(),
            config: config.hash.clone(),
            postvakt: "0.1.0".into(),
            part: Some(ActiveConfig::of(&config)),
        };
        log.add(Kind::Config, Timestamp::now(), &change).unwrap();
    })
    .await;
    let today = Timestamp::now().to_zoned(config.time_zone.clone()).date().to_string();
    let (code, out) = run_with(&config, &["retention", "run", "--decision", "KS 2026/46", "--today", &today]);
    assert_eq!(code, 0, "{out}");
    let (code, out) = check(&with_store);
    assert!(code == 2 && out.contains("was deleted by KS 2026/46") && !out.contains("TAMPERED"), "{out}");
}

/// As the program writes a manifest.
fn text_of(manifest: &Value) -> String {
    format!("{manifest:#}\n")
}

#[tokio::test]
async fn a_legal_hold_keeps_mail_that_names_the_person_in_from_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let then = Timestamp::now() - days(500);
    let store = Store::open_at(&path, "gw1", clock(&then.to_string()).1).unwrap();
    for (sender, author) in
        [("bounce-77@utskick.example", "karin@example.org"), ("bounce-78@utskick.example", "bo@example.org")]
    {
        let record =
            Record { time: then, sender: sender.into(), header_from: author.into(), ..record(author) };
        store.commit(Entry { record, ..entry("") }).await.unwrap();
    }
    store.close().await;
    mails(&path, Timestamp::now(), |_| ()).await;
    let config = decided(&path, 365);
    assert_eq!(run_with(&config, &["legal-hold", "add", "D 2026/1", "--party", "karin@example.org"]).0, 0);
    let today = Timestamp::now().to_zoned(config.time_zone.clone()).date().to_string();
    let (code, out) = run_with(&config, &["retention", "run", "--decision", REF, "--today", &today]);
    assert!(code == 0 && out.contains("1 records deleted"), "{out}");
    let left: Vec<String> = all(&path).into_iter().map(|found| found.record.header_from).collect();
    assert!(
        left.contains(&"karin@example.org".into()) && !left.contains(&"bo@example.org".into()),
        "{left:?}"
    );
}

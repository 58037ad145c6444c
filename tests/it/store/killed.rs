//! Readers that are killed: what they were shown counts as shown, and the access log says that they never ended.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};

use rusqlite::Connection;
use serde_json::Value;

use super::cli::run;
use super::*;
use crate::lab::program::PROGRAM;

const ANNA: &str = "anna@exempelby.se";
/// So many records that their rows do not fit into a pipe.
const RECORDS: usize = 600;

async fn store(path: &Path) {
    let store = Store::open(path, "gw1").unwrap();
    for n in 0..RECORDS {
        let time = Timestamp::now();
        let record = Record { time, recipients: vec![ANNA.into()], ..record(&format!("Ärende {n}")) };
        store.enqueue(Entry { record, ..entry("") });
    }
    store.close().await;
}

/// The program itself, with the store in `directory`.
pub(super) fn program(directory: &Path, more: &str, arguments: &[&str]) -> Command {
    let config = directory.join("postvakt.toml");
    let store = directory.join("store");
    let text = format!(
        "[organisation]\nname = \"Exempelby kommun\"\ndomains = [\"exempelby.se\"]\n[server]\nnode = \"gw1\"\n\
         listen = [\"unix:/nowhere/socket\"]\n[store]\ndirectory = \"{}\"\n{more}",
        store.display()
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(arguments).arg("--config").arg(&config);
    command
}

fn spawn(directory: &Path, arguments: &[&str]) -> Child {
    program(directory, "", &[&["log"], arguments].concat()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Kills a search when it has shown a row of Anna's and cannot go on: nobody reads the pipe.
fn kill_search(directory: &Path) {
    let mut child = spawn(directory, &["search", "--decision", "KS 2026/900", "--json"]);
    let mut out = child.stdout.take().unwrap();
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(ANNA) {
        let mut more = [0; 4096];
        let count = out.read(&mut more).unwrap();
        assert!(count > 0, "the search ended: {}", String::from_utf8_lossy(&seen));
        seen.extend(&more[..count]);
    }
    assert!(child.try_wait().unwrap().is_none(), "it waits for its reader");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Kills an export between its two entries: while this holds the access log, it cannot say how it ended.
fn kill_export(directory: &Path, file: &Path) {
    let mut accesses = Connection::open(directory.join("store/access.db")).unwrap();
    let entries = |accesses: &Connection| -> (i64, i64) {
        let of = |kind: &str, text: &str| {
            let sql = "SELECT count(*) FROM entry WHERE kind = ?1 AND instr(body, ?2) > 0";
            accesses.query_row(sql, [kind, text], |row| row.get(0)).unwrap()
        };
        (of("access", "\"verb\":\"export\""), of("result", "\"how\""))
    };
    loop {
        let (begun, ended) = entries(&accesses);
        let name = file.to_str().unwrap();
        let export = ["export", "--decision", "KS 2026/900", "--format", "csv", "--force", "--output", name];
        let mut child = spawn(directory, &export);
        let caught = loop {
            let held = accesses.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
            let now = entries(&held);
            if now.0 > begun {
                let is_open = now.1 == ended;
                if is_open {
                    child.kill().unwrap();
                    child.wait().unwrap();
                }
                break is_open;
            }
            drop(held);
            std::thread::sleep(std::time::Duration::from_millis(1));
        };
        child.wait().unwrap();
        if caught {
            return;
        }
        // It was faster; the next one is caught.
        std::fs::remove_file(file).unwrap();
    }
}

#[tokio::test]
async fn readers_that_are_killed_are_unfinished_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    kill_search(directory.path());
    let file = directory.path().join("log.csv");
    kill_export(directory.path(), &file);
    let json = |arguments: &[&str]| -> Vec<Value> {
        let (code, out) = run(&path, arguments);
        assert_eq!(code, 0, "{out}");
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let unfinished = |entries: &[Value]| -> Vec<String> {
        let killed = entries.iter().filter(|entry| entry["outcome"] == "unfinished");
        killed.map(|entry| format!("{} {}", entry["verb"], entry["rows"])).collect()
    };
    let entries = json(&["access", "--json"]);
    // The list itself is the last entry.
    assert_eq!(
        unfinished(&entries[..entries.len() - 1]),
        ["\"search\" null", "\"export\" null"],
        "{entries:#?}"
    );
    assert!(!file.exists(), "a file that is not complete does not appear");
    // Anna is told of both.
    let own = json(&["subject-extract", ANNA, "--own-request", ANNA, "--json"]);
    let told: Vec<&Value> =
        own.last().unwrap()["accesses"].as_array().unwrap().iter().map(|access| &access["verb"]).collect();
    assert!(told.contains(&&"search".into()) && told.contains(&&"export".into()), "{told:?}");
    // Whoever follows up sees them, by user and in the sum.
    let now = Timestamp::now().to_zoned(TimeZone::get("Europe/Stockholm").unwrap()).date();
    let quarter = format!("{}Q{}", now.year(), (now.month() + 2) / 3);
    let report = json(&["report", "follow-up", &quarter, "--purpose", "kvartalsuppföljning", "--json"]);
    let facts = report[0]["facts"].as_array().unwrap();
    let broken = facts.iter().find(|fact| fact[0] == "Avbrutna eller oavslutade").unwrap();
    assert_eq!(broken[1], "2", "{facts:?}");
    let by_reason = report[0]["tables"][0]["rows"].as_array().unwrap();
    let by_decision = by_reason.iter().find(|row| row[0] == "beslut").unwrap();
    assert_eq!(
        by_decision[3].as_str().map(|broken| broken.parse::<u64>().unwrap() >= 2),
        Some(true),
        "{by_reason:?}"
    );
    // All of it is in the tree.
    Store::open(&path, "gw1").unwrap().close().await;
    let (code, out) = run(&path, &["verify"]);
    assert_eq!(code, 0, "{out}");
}

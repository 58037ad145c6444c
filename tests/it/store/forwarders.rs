//! `postvakt log report forwarders`: who forwards where, since when, and what is new.

use serde_json::{Value, json};

use super::cli::run;
use super::*;

fn found(mailbox: &str, target: &str, grade: &str, evidence: &str) -> FindingRow {
    FindingRow {
        grade: grade.into(),
        evidence: evidence.into(),
        mailboxes: (!mailbox.is_empty()).then(|| mailbox.to_owned()).into_iter().collect(),
        recipients: vec![target.into()],
        ..finding()
    }
}

/// A log over three months.
async fn store(directory: &Path) {
    let (time, clock) = clock("2026-06-01T00:00:00Z");
    let store = Store::open_at(directory, "gw1", clock).unwrap();
    let (anna, bertil) = ("anna@exempelby.se", "bertil@exempelby.se");
    let allowed = FindingRow {
        verdict: "accepted".into(),
        decision: "KS 2026/123".into(),
        ..found(anna, "arkiv@leverantor.se", "certain", "message-id")
    };
    let observed =
        FindingRow { mode: "observe".into(), ..found("", "z@example.org", "strong", "foreign-sender") };
    let other = FindingRow { rule: "custom.no-exe".into(), ..found(anna, "y@example.com", "certain", "") };
    for (at, row) in [
        ("2026-06-30T10:00:00Z", found(anna, "x@gmail.com", "certain", "sieve")),
        ("2026-09-02T10:00:00Z", found(anna, "y@gmail.com", "certain", "message-id,sieve")),
        ("2026-09-03T10:00:00Z", allowed),
        ("2026-09-04T10:00:00Z", found(bertil, "x@example.net", "strong", "resent")),
        ("2026-09-05T10:00:00Z", found(bertil, "x@example.com", "weak", "prompt-forward")),
        ("2026-09-06T10:00:00Z", observed),
        ("2026-09-07T10:00:00Z", other),
    ] {
        time.store(second(at), Ordering::SeqCst);
        let record = Record { time: at.parse().unwrap(), ..record("") };
        store.commit(Entry { findings: vec![row], record, ..entry("") }).await.unwrap();
    }
    store.close().await;
}

fn report(directory: &Path, arguments: &[&str]) -> Vec<Value> {
    let all: Vec<&str> = ["report", "forwarders", "--json", "--decision", "KS 2026/1"]
        .iter()
        .chain(arguments)
        .copied()
        .collect();
    let (code, out) = run(directory, &all);
    assert_eq!(code, 0, "{out}");
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn forwarders_are_told_with_what_is_new() {
    let directory = tempfile::tempdir().unwrap();
    store(directory.path()).await;
    let rows = report(directory.path(), &["--since", "2026-09-01", "--until", "2026-09-30"]);
    let brief: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!([row["mailbox"], row["domain"], row["mechanisms"], row["mails"], row["new"], row["then"]])
        })
        .collect();
    assert_eq!(
        brief,
        [
            json!([null, "example.org", ["foreign-sender"], 1, "mailbox", "would be held"]),
            json!(["anna@exempelby.se", "gmail.com", ["message-id", "sieve"], 1, null, "held"]),
            json!([
                "anna@exempelby.se",
                "leverantor.se",
                ["message-id"],
                1,
                "domain",
                "allowed by KS 2026/123"
            ]),
            json!(["bertil@exempelby.se", "example.net", ["resent"], 1, "mailbox", "held"]),
        ]
    );
    let times = (&rows[1]["first"], &rows[1]["last"]);
    assert_eq!(times, (&json!("2026-06-30T12:00:00.000+02:00"), &json!("2026-09-02T12:00:00.000+02:00")));
    let all = ["--since", "2026-06-01", "--until", "2026-09-30", "--grade", "weak"];
    let weak = report(directory.path(), &all);
    assert_eq!((weak.len(), &weak[1]["mails"]), (5, &json!(2)));
    assert_eq!(report(directory.path(), &["--until", "2026-06-01"]).len(), 0);
}

#[tokio::test]
async fn the_report_is_an_access_and_a_table() {
    let directory = tempfile::tempdir().unwrap();
    store(directory.path()).await;
    let (code, _) = run(directory.path(), &["report", "forwarders", "--since", "2026-09-01"]);
    assert_eq!(code, 2, "no row without a purpose");
    let (code, table) = run(
        directory.path(),
        &[
            "report",
            "forwarders",
            "--since",
            "2026-09-01",
            "--until",
            "2026-09-30",
            "--decision",
            "KS 2026/1",
        ],
    );
    assert_eq!((code, table.lines().count()), (0, 5), "{table}");
    let new_domain = |line: &str| line.starts_with("domain   anna@exempelby.se    leverantor.se ");
    assert!(table.lines().any(new_domain), "{table}");
    let period = ["--since", "2026-09-01", "--until", "2026-09-30", "--purpose", "uppföljning"];
    let (code, table) = run(directory.path(), &[&["report", "forwarders"], &period[..]].concat());
    assert!(
        code == 0 && table.contains("p-") && !table.contains("anna@"),
        "operation sees no person: {table}"
    );
    let (_, accesses) = run(directory.path(), &["access", "--json"]);
    let lines: Vec<Value> = accesses.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() >= 2 && lines.iter().take(2).all(|line| line["verb"] == "report"), "{accesses}");
    assert!(accesses.contains("forwarders") && accesses.contains("refused"), "{accesses}");
}

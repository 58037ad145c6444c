//! The store: durable, numbered, whole after a kill, and honest when it cannot be.

mod access_retention;
mod binding;
mod browser;
pub(crate) mod cli;
mod clock;
mod damage;
mod disclosed;
mod earlier;
mod exports;
mod faults;
mod followed;
mod forged;
mod forwarders;
mod index;
mod killed;
mod outbox;
mod pages;
mod passes;
mod place;
mod proof;
mod random;
mod reasons;
mod register;
mod roles;
mod report;
pub(crate) mod retention;
mod shapes;
mod upgrade;
mod verify;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use postvakt::config::Access;
use postvakt::mail::Direction;
use postvakt::organisation::Organisation;
use postvakt::record::{FindingRow, Outcome, Record, SeenRow};
use postvakt::store::access::{AccessLog, Reader, Via};
use postvakt::store::outbox::Listed;
use postvakt::store::query::Query;
use postvakt::store::search::Found;
use postvakt::store::session::{Gate, Read, Reason, Request, Session};
use postvakt::store::{Clock, CommitError, Entry, OpenError, Store};

pub(crate) fn record(subject: &str) -> Record {
    Record {
        time: Timestamp::from_second(1_787_310_309).expect("a time in August 2026"),
        direction: Some(Direction::Inbound),
        sender: "x@example.org".into(),
        recipients: vec!["registrator@exempelby.se".into(), "anna@exempelby.se".into()],
        header_from: "x@example.org".into(),
        subject: subject.into(),
        size: 2_048,
        attachments: vec![("Ansökan.pdf".into(), 1_024)],
        outcome: Outcome::Accepted,
        findings: vec!["auto-forward=certain".into()],
        queue_id: "4fKq".into(),
        message_id: "<1@example.org>".into(),
        client: "192.0.2.1".into(),
        helo: "mx.example.org".into(),
        tls: "TLSv1.3 TLS_AES_256_GCM_SHA384".into(),
        config: "0123456789abcdef".into(),
        authentication: "spf=pass dkim=pass dmarc=pass".into(),
        ..Record::default()
    }
}

/// What a rule found.
fn finding() -> FindingRow {
    FindingRow {
        rule: "auto-forward".into(),
        grade: "certain".into(),
        evidence: "message-id".into(),
        mode: "enforce".into(),
        verdict: "held".into(),
        decision: String::new(),
        mailboxes: vec!["anna@exempelby.se".into()],
        recipients: vec!["x@example.net".into()],
    }
}

fn entry(subject: &str) -> Entry<'static> {
    Entry::of(record(subject))
}

fn all(directory: &Path) -> Vec<Found> {
    find(directory, &Query::default())
}

fn find(directory: &Path, query: &Query) -> Vec<Found> {
    let (found, left_out) = read(directory, query).unwrap();
    assert!(left_out.is_empty(), "{left_out:?}");
    found
}

/// What a search gives, and what it leaves out.
fn read(directory: &Path, query: &Query) -> anyhow::Result<(Vec<Found>, Vec<OpenError>)> {
    let mut found = Vec::new();
    let (rows, left_out) = within(directory, query, |session| {
        session.search(|record| {
            found.push(record);
            anyhow::Ok(())
        })
    })?;
    assert_eq!(rows, found.len() as u64);
    Ok((found, left_out))
}

/// The outbox, as it is then.
pub(crate) fn listed(directory: &Path, now: Timestamp) -> Vec<Listed> {
    let mut all = Vec::new();
    let query = Query::default();
    let read = within(directory, &query, |session| {
        all = session.outbox(now)?;
        Ok(())
    });
    read.unwrap();
    all
}

/// Reads within a session: the rows that it counted, and what it left out.
fn within(
    directory: &Path,
    query: &Query,
    work: impl FnOnce(&mut Session) -> anyhow::Result<()>,
) -> anyhow::Result<(u64, Vec<OpenError>)> {
    let (reader, organisation) = (Reader::of_this_process(Via::CommandLine), Organisation::default());
    let config = active_config(directory);
    let (organisation, access) = (&organisation, Access::default());
    let gate = Gate { directory, reader, organisation, zone: &TimeZone::UTC, config: &config, access };
    let reason = Reason::decision("prov");
    match gate.read(&Request::new("search", query.clone(), reason), work)? {
        Read::Given { rows, left_out, .. } => Ok((rows, left_out)),
        Read::Refused(why) => panic!("{why}"),
    }
}

/// The hash of the config that the daemon loaded last; empty where none did.
fn active_config(directory: &Path) -> String {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let Ok(log) = rusqlite::Connection::open_with_flags(directory.join("access.db"), flags) else {
        return String::new();
    };
    let newest = "SELECT body FROM entry WHERE kind = 'config' ORDER BY n DESC LIMIT 1";
    let body: Result<String, _> = log.query_row(newest, [], |row| row.get(0));
    let hash = |body: String| {
        serde_json::from_str::<serde_json::Value>(&body).unwrap()["config"].as_str().map(str::to_owned)
    };
    body.ok().and_then(hash).unwrap_or_default()
}

/// A clock that stands until it is set.
fn clock(at: &str) -> (Arc<AtomicI64>, Clock) {
    let seconds = Arc::new(AtomicI64::new(second(at)));
    let shown = Arc::clone(&seconds);
    (seconds, Arc::new(move || Timestamp::from_second(shown.load(Ordering::SeqCst)).unwrap()))
}

fn second(at: &str) -> i64 {
    at.parse::<Timestamp>().unwrap().as_second()
}

#[tokio::test]
async fn a_record_comes_back_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), "gw1").unwrap();
    let odd = Record {
        time: "2026-08-21T11:05:09.123Z".parse().unwrap(),
        direction: None,
        subject: "NUL \0, \u{202E} and 'quotes'; \r\n".into(),
        attachments: vec![("\"a\".txt".into(), 0), ("å".repeat(500), u64::from(u32::MAX))],
        outcome: Outcome::Incomplete,
        ..record("")
    };
    let id = store.commit(Entry::of(odd.clone())).await.unwrap();
    // Read while the store is open: readers and the writer do not disturb one another.
    assert_eq!(all(directory.path()), [Found { id: id.clone(), record: odd, told: None }]);
    assert_eq!(store.find_seen(id.seq, &[1; 16], 14).unwrap(), None);
    store.close().await;
    assert_eq!(store.commit(entry("late")).await, Err(CommitError::Closed));
    let wal = std::fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().file_name());
    assert!(!wal.into_iter().any(|name| name.to_str().unwrap().ends_with("-wal")), "plain files are left");
    assert_eq!(all(directory.path()).len(), 1);
}

#[tokio::test]
async fn records_are_numbered_over_restarts_and_months() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/store");
    let (time, clock) = clock("2026-08-31T23:59:59Z");
    let mut expected = Vec::new();
    // The third: a clock that goes back does not bring the old file back.
    for at in ["2026-08-31T23:59:59Z", "2026-09-01T00:00:00Z", "2026-08-31T12:00:00Z", "2026-11-01T00:00:00Z"]
    {
        for _ in 0..2 {
            let store = Store::open_at(&path, "gw1", clock.clone()).unwrap();
            time.store(second(at), Ordering::SeqCst);
            let id = store.commit(entry(at)).await.unwrap();
            expected.push((id.to_string(), at.to_owned()));
            store.close().await;
        }
    }
    let found: Vec<(String, String)> =
        all(&path).into_iter().map(|found| (found.id.to_string(), found.record.subject)).collect();
    assert_eq!(found, expected);
    assert_eq!(found[7].0, "gw1-1-000000000008");
    for (month, records) in [("2026-08", 2), ("2026-09", 4), ("2026-11", 2)] {
        let file = rusqlite::Connection::open(path.join(format!("log-{month}.db"))).unwrap();
        let count: i64 = file.query_row("SELECT count(*) FROM record", [], |row| row.get(0)).unwrap();
        assert_eq!(count, records, "{month}");
    }
}

#[tokio::test]
async fn a_lost_file_begins_a_new_epoch() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let store = Store::open(path, "gw1").unwrap();
        for _ in 0..2 {
            ids.push(store.commit(entry("")).await.unwrap().to_string());
        }
        store.close().await;
        let mut files = std::fs::read_dir(path).unwrap().map(|file| file.unwrap().path());
        let month = files.find(|path| path.extension() == Some("db".as_ref()));
        std::fs::remove_file(month.unwrap()).unwrap();
    }
    assert_eq!(ids, ["gw1-1-000000000001", "gw1-1-000000000002", "gw1-2-000000000001", "gw1-2-000000000002"]);
}

#[tokio::test]
async fn waiting_records_are_stored_at_the_end_and_many_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), "gw1").unwrap();
    let tasks: Vec<_> = (0..500)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.commit(entry(&n.to_string())).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    (0..500).for_each(|_| store.enqueue(entry("incomplete")));
    store.close().await;
    let found = all(directory.path());
    assert!(found.iter().zip(1..).all(|(found, seq)| found.id.seq == seq));
    assert_eq!(found.len(), 1_000);
}

#[tokio::test]
async fn a_second_daemon_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let first = Store::open(directory.path(), "gw1").unwrap();
    let refused = Store::open(directory.path(), "gw1").unwrap_err();
    assert!(matches!(refused, OpenError::Locked { .. }), "{refused}");
    first.close().await;
    Store::open(directory.path(), "gw1").unwrap().close().await;
}

#[tokio::test]
async fn seen_messages_are_remembered_over_restarts_and_months() {
    let directory = tempfile::tempdir().unwrap();
    let (time, clock) = clock("2026-08-30T00:00:00Z");
    let mut stored = Vec::new();
    let key = [1; 16];
    for (at, key, fingerprint, mailbox) in [
        ("2026-08-18T00:00:00Z", [9; 16], 1, "old@exempelby.se"),
        ("2026-08-30T00:00:00Z", key, 2, "list@exempelby.se"),
        ("2026-08-31T00:00:00Z", key, 1, "anna@exempelby.se"),
        ("2026-09-02T00:00:00Z", key, 1, "bo@exempelby.se"),
    ] {
        let store = Store::open_at(directory.path(), "gw1", clock.clone()).unwrap();
        time.store(second(at), Ordering::SeqCst);
        let record = Record { time: at.parse().unwrap(), ..record("") };
        let keys = [key, [100; 16], [101; 16]];
        let authors = ["x@example.org", "y@example.org"];
        let seen = SeenRow::new(record.time, keys, [fingerprint; 8], [mailbox], authors);
        let id = store.commit(Entry { seen: Some(seen.clone()), ..Entry::of(record) }).await.unwrap();
        stored.push((id.seq, seen));
        store.close().await;
    }
    let store = Store::open_at(directory.path(), "gw1", clock).unwrap();
    for (seq, seen) in &stored[1..] {
        for key in seen.keys() {
            assert_eq!(store.find_seen(*seq, key, 14).unwrap().as_ref(), Some(seen));
        }
    }
    let (old, newest) = (stored[0].0, stored[3].0);
    assert_eq!(store.find_seen(newest, &[7; 16], 14).unwrap(), None, "another message has that number");
    assert_eq!(store.find_seen(newest + 1, &key, 14).unwrap(), None);
    assert_eq!(store.find_seen(old, &[9; 16], 14).unwrap(), None, "15 days are too long ago");
    assert!(store.find_seen(old, &[9; 16], 16).unwrap().is_some());
    let mut recent = Vec::new();
    store.recent_seen(14, 2, |seq, row| recent.push((seq, row))).unwrap();
    assert_eq!(recent, [stored[3].clone(), stored[2].clone()]);
    let first = store.seen_key();
    store.close().await;
    assert_eq!(Store::open(directory.path(), "gw1").unwrap().seen_key(), first);
}

//! Files of earlier versions: what they hold stays and is read; the log goes on in a new epoch.

use rusqlite::Connection;

use super::*;
use postvakt::record::FindingRow;

/// A month file as version 1 wrote it, with one record and one seen message.
const VERSION_1: &str = "
    PRAGMA page_size = 4096; PRAGMA application_id = 1347832903; PRAGMA user_version = 1;
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE record (
        seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, direction TEXT NOT NULL, sender TEXT NOT NULL,
        recipients TEXT NOT NULL, header_from TEXT NOT NULL, subject TEXT NOT NULL, size INTEGER NOT NULL,
        attachments TEXT NOT NULL, verdict TEXT NOT NULL, findings TEXT NOT NULL, would TEXT NOT NULL,
        queue_id TEXT NOT NULL, message_id TEXT NOT NULL, client TEXT NOT NULL, helo TEXT NOT NULL,
        auth_user TEXT NOT NULL, tls TEXT NOT NULL, config TEXT NOT NULL, receipt TEXT NOT NULL
    ) STRICT;
    CREATE INDEX record_time ON record (time);
    CREATE TABLE seen (
        seq INTEGER PRIMARY KEY, key BLOB NOT NULL, fingerprint BLOB NOT NULL, at INTEGER NOT NULL,
        mailboxes TEXT NOT NULL, sender TEXT NOT NULL
    ) STRICT;
    INSERT INTO meta VALUES ('node', 'gw1'), ('epoch', '1'), ('first', '7');
    INSERT INTO record VALUES (7, 1787310309000, 'inbound', 'x@example.org', '[\"registrator@exempelby.se\"]',
        'x@example.org', 'old', 2048, '[]', 'accepted', '[]', '[]', '4fKq', '<1@example.org>', '192.0.2.1',
        'mx.example.org', '', '', '0123456789abcdef', '');
    INSERT INTO seen VALUES (7, zeroblob(16), zeroblob(8), 1787310309000, '[\"registrator@exempelby.se\"]',
        'x@example.org');
    PRAGMA journal_mode = wal;";

#[tokio::test]
async fn a_file_without_a_tree_stays_and_a_new_epoch_begins() {
    let directory = tempfile::tempdir().unwrap();
    for month in ["2026-07", "2026-08"] {
        let old = Connection::open(directory.path().join(format!("log-{month}.db"))).unwrap();
        old.execute_batch(VERSION_1).unwrap();
    }
    let (_, clock) = clock("2026-08-21T00:00:00Z");
    let store = Store::open_at(directory.path(), "gw1", clock).unwrap();
    let found = FindingRow {
        rule: "auto-forward".into(),
        grade: "certain".into(),
        evidence: "message-id".into(),
        mode: "enforce".into(),
        verdict: "held".into(),
        decision: String::new(),
        mailboxes: vec!["anna@exempelby.se".into()],
        recipients: vec!["x@example.net".into()],
    };
    let id = store.commit(Entry { findings: vec![found], ..entry("new") }).await.unwrap();
    assert_eq!(id.to_string(), "gw1-2-000000000001", "one tree for each epoch");
    let old = store.find_seen(7, &[0; 16], 14).unwrap().unwrap();
    assert_eq!((old.keys.len(), old.authors.join(" ")), (1, "x@example.org".into()));
    store.close().await;
    let subjects: Vec<_> = all(directory.path()).into_iter().map(|found| found.record.subject).collect();
    assert_eq!(subjects, ["old", "old", "new"], "an older month stays as it is, and is read");
}

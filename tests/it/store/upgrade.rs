//! Files of earlier versions: what they hold stays and is read; the log goes on in a new epoch.

use rusqlite::Connection;

use super::cli::run;
use super::*;

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
    let found = finding();
    let id = store.commit(Entry { findings: vec![found], ..entry("new") }).await.unwrap();
    assert_eq!(id.to_string(), "gw1-2-000000000001", "one tree for each epoch");
    let old = store.find_seen(7, &[0; 16], 14).unwrap().unwrap();
    assert!(old.keys().len() == 1 && old.authors().eq(["x@example.org"]));
    store.close().await;
    let subjects: Vec<_> = all(directory.path()).into_iter().map(|found| found.record.subject).collect();
    assert_eq!(subjects, ["old", "old", "new"], "an older month stays as it is, and is read");
}

/// A month file as version 6 wrote it: what is remembered of seen messages has a table of its own.
const AS_VERSION_6: &str = "
    ALTER TABLE record DROP COLUMN seen; ALTER TABLE record DROP COLUMN form;
    ALTER TABLE record DROP COLUMN authentication; ALTER TABLE record DROP COLUMN header_from_name;
    ALTER TABLE record DROP COLUMN header_to; ALTER TABLE record DROP COLUMN header_cc;
    ALTER TABLE record DROP COLUMN header_reply_to;
    DROP INDEX finding_pass;
    PRAGMA user_version = 6;
    INSERT INTO seen VALUES (1, zeroblob(16), zeroblob(8), 1787310309000, '[\"registrator@exempelby.se\"]',
        'x@example.org', x'01010101010101010101010101010101', '[\"y@example.org\"]');";

#[tokio::test]
async fn seen_messages_of_a_file_of_version_6_are_still_known() {
    let directory = tempfile::tempdir().unwrap();
    let (_, clock) = clock("2026-08-21T00:00:00Z");
    let store = Store::open_at(directory.path(), "gw1", clock.clone()).unwrap();
    store.commit(entry("old")).await.unwrap();
    store.close().await;
    let file = Connection::open(directory.path().join("log-2026-08.db")).unwrap();
    file.execute_batch(AS_VERSION_6).unwrap();
    drop(file);
    let store = Store::open_at(directory.path(), "gw1", clock).unwrap();
    let old = store.find_seen(1, &[1; 16], 14).unwrap().expect("while the file is as it was");
    assert!(old.keys() == [[0; 16], [1; 16]] && old.authors().eq(["x@example.org", "y@example.org"]));
    let record = entry("new").record;
    let new = SeenRow::new(record.time, [[2; 16]], [2; 8], ["anna@exempelby.se"], ["x@example.org"]);
    let id = store.commit(Entry { seen: Some(new.clone()), ..Entry::of(record) }).await.unwrap();
    assert_eq!(id.to_string(), "gw1-1-000000000002", "the epoch goes on");
    assert_eq!(store.find_seen(1, &[1; 16], 14).unwrap(), Some(old.clone()));
    let mut recent = Vec::new();
    store.recent_seen(14, 5, |seq, row| recent.push((seq, row))).unwrap();
    assert_eq!(recent, [(2, new), (1, old)]);
    store.close().await;
}

/// An access log as version 1 wrote it: a search that ended, a refused one, and an export that was broken off.
const ACCESSES_1: &str = "
    PRAGMA application_id = 1347830083; PRAGMA user_version = 1;
    CREATE TABLE access (
        id INTEGER PRIMARY KEY, time INTEGER NOT NULL, uid INTEGER NOT NULL, user TEXT NOT NULL, login TEXT NOT NULL,
        verb TEXT NOT NULL, query TEXT NOT NULL, purpose TEXT NOT NULL, decision TEXT NOT NULL, refused TEXT NOT NULL
    ) STRICT;
    CREATE TABLE result (
        access INTEGER PRIMARY KEY, time INTEGER NOT NULL, rows INTEGER NOT NULL, outcome TEXT NOT NULL
    ) STRICT;
    CREATE TRIGGER access_stays BEFORE UPDATE ON access BEGIN SELECT RAISE(ABORT, 'the access log only grows'); END;
    CREATE TRIGGER access_keeps BEFORE DELETE ON access BEGIN SELECT RAISE(ABORT, 'the access log only grows'); END;
    CREATE TRIGGER result_stays BEFORE UPDATE ON result BEGIN SELECT RAISE(ABORT, 'the access log only grows'); END;
    CREATE TRIGGER result_keeps BEFORE DELETE ON result BEGIN SELECT RAISE(ABORT, 'the access log only grows'); END;
    INSERT INTO access VALUES
        (1, 1787310309000, 0, 'root', 'anna', 'search', '{\"sender\":\"x@example.org\"}', 'drift', '', ''),
        (2, 1787310310000, 7, 'bo', '', 'search', '{}', '', '', 'it names a person'),
        (3, 1787310311000, 7, 'bo', '', 'export', '{}', '', 'KS 2026/123', '');
    INSERT INTO result VALUES (1, 1787310309500, 4, 'done');";

#[tokio::test]
async fn an_access_log_without_a_tree_is_taken_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let store = Store::open(path, "gw1").unwrap();
    store.commit(entry("one")).await.unwrap();
    store.close().await;
    let old = Connection::open(path.join("access.db")).unwrap();
    old.execute_batch(ACCESSES_1).unwrap();
    drop(old);
    let own = path.to_str().unwrap();
    let (code, out) = run(path, &["verify", own]);
    assert!(code == 2 && out.contains("written by an older version") && !out.contains("TAMPERED"), "{out}");
    let list = || {
        let (code, out) = run(path, &["access", "--json"]);
        assert_eq!(code, 0, "{out}");
        out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()).collect::<Vec<_>>()
    };
    let found = list();
    let of = |at: usize, names: [&str; 5]| names.map(|name| found[at][name].to_string());
    let names = ["time", "login", "purpose", "rows", "outcome"];
    assert_eq!(of(0, names), ["\"2026-08-21T13:05:09.000+02:00\"", "\"anna\"", "\"drift\"", "4", "\"done\""]);
    assert_eq!(of(0, ["query", "verb", "uid", "user", "decision"])[0], "{\"sender\":\"x@example.org\"}");
    assert_eq!(
        (&found[1]["outcome"], &found[1]["refused"]),
        (&"refused".into(), &"it names a person".into())
    );
    assert_eq!((&found[2]["outcome"], &found[2]["decision"]), (&"unfinished".into(), &"KS 2026/123".into()));
    assert!(found[3]["query"]["event"].as_str().unwrap().contains("not signed"), "{found:#?}");
    assert_eq!((found.len(), list().len()), (5, 6), "once, and the lists themselves");
    // From now on it proves itself.
    Store::open(path, "gw1").unwrap().close().await;
    let (code, out) = run(path, &["verify", own]);
    assert!(code == 0 && out.contains("access"), "{out}");
}

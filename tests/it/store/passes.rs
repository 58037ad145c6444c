//! The first record of a mail that comes through again, and the keys of the marks.

use std::fs;

use postvakt::limits;
use postvakt::record::RecordId;

use super::*;

#[tokio::test]
async fn a_record_is_found_by_its_whole_id_for_a_month() {
    let directory = tempfile::tempdir().unwrap();
    let (seconds, clock) = clock("2026-08-21T12:00:00Z");
    let store = Store::open_at(directory.path(), "gw1", clock).unwrap();
    let id = store.commit(entry("först")).await.unwrap();
    let subject =
        |id: &RecordId| store.find_record(id).unwrap().map(|record| (record.subject, record.recipients));
    assert_eq!(subject(&id), Some(("först".to_owned(), record("").recipients)));
    for other in [
        RecordId { node: "gw2".into(), ..id.clone() },
        RecordId { epoch: 2, ..id.clone() },
        RecordId { seq: 2, ..id.clone() },
    ] {
        assert_eq!(subject(&other), None, "{other}");
    }
    let days = |days: u32| i64::from(days) * 86_400;
    let begun = record("").time.as_second();
    seconds.store(begun + days(limits::PASS_DAYS), Ordering::SeqCst);
    // Its file is no longer the newest month's.
    store
        .commit(Entry { record: Record { time: store.now(), ..record("senare") }, ..entry("") })
        .await
        .unwrap();
    assert!(subject(&id).is_some());
    seconds.store(begun + days(limits::PASS_DAYS) + 1, Ordering::SeqCst);
    assert_eq!(subject(&id), None, "too old");
    store.close().await;
}

#[tokio::test]
async fn the_key_of_the_marks_is_made_once_and_the_former_one_is_read_where_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Store::open(directory.path(), "gw1");
    let key = || fs::read(directory.path().join("pass.key")).unwrap();
    open().unwrap().close().await;
    let first = key();
    assert_eq!(first.len(), 32);
    open().unwrap().close().await;
    assert_eq!(key(), first);
    let former = directory.path().join("pass.key.old");
    fs::rename(directory.path().join("pass.key"), &former).unwrap();
    open().unwrap().close().await;
    assert_ne!(key(), first);
    assert_eq!(fs::read(&former).unwrap(), first);
    fs::write(&former, "short").unwrap();
    let refused = open().unwrap_err().to_string();
    assert!(refused.contains("pass.key.old: a key has 32 bytes, this file has 5"), "{refused}");
}

//! Damage: a file that is not whole is refused with a sentence, and stays as it is.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::*;
use postvakt::facts::Cause;
use postvakt::facts::identity::Key;
use postvakt::gather::contacts::Contacts;
use postvakt::gather::seen::SeenCache;
use postvakt::limits;
use postvakt::metrics::METRICS;
use postvakt::store::schema::VERSION;
use rusqlite::Connection;

/// A store with some hundred pages, closed.
async fn store(directory: &Path) -> PathBuf {
    let (_, clock) = clock("2026-08-21T00:00:00Z");
    let store = Store::open_at(directory, "gw1", clock).unwrap();
    for n in 0..200 {
        store.enqueue(entry(&format!("{n} {}", "x".repeat(2_000))));
    }
    store.close().await;
    directory.join("log-2026-08.db")
}

fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for file in fs::read_dir(from).unwrap() {
        let path = file.unwrap().path();
        fs::copy(&path, to.path().join(path.file_name().unwrap())).unwrap();
    }
    to
}

fn write_at(path: &Path, at: u64, octets: &[u8]) {
    OpenOptions::new().write(true).open(path).unwrap().write_all_at(octets, at).unwrap();
}

type Damage<'a> = Box<dyn Fn(&Path) + 'a>;

#[tokio::test]
async fn damaged_files_are_refused_and_stay_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let octets = fs::metadata(store(directory.path()).await).unwrap().len();
    let middle = octets / 4_096 / 2 * 4_096;
    let cut =
        |to: u64| move |path: &Path| OpenOptions::new().write(true).open(path).unwrap().set_len(to).unwrap();
    let cases: [(&str, Damage<'_>, &str); 13] = [
        ("cut within the header", Box::new(cut(50)), "header"),
        ("cut after the header", Box::new(cut(100)), "cut off"),
        ("cut to one page", Box::new(cut(4_096)), "cut off"),
        ("cut in the middle", Box::new(cut(middle)), "cut off"),
        ("cut within a page", Box::new(cut(middle + 7)), "cut off"),
        ("cut by one octet", Box::new(cut(octets - 1)), "cut off"),
        ("zeros in the middle", Box::new(|path| write_at(path, middle, &[0; 4_096])), "damaged"),
        ("noise in the middle", Box::new(|path| write_at(path, middle, &[0xA5; 4_096])), "damaged"),
        ("a header of zeros", Box::new(|path| write_at(path, 0, &[0; 100])), "header"),
        ("a schema of zeros", Box::new(|path| write_at(path, 100, &[0; 900])), "damaged"),
        ("another program's", Box::new(|path| write_at(path, 68, b"ABCD")), "not a log"),
        ("a newer version", Box::new(|path| write_at(path, 60, &(VERSION + 1).to_be_bytes())), "newer"),
        (
            "emptied beside its -wal",
            Box::new(|path| {
                cut(0)(path);
                fs::write(path.with_extension("db-wal"), "something").unwrap();
            }),
            "-wal is not",
        ),
    ];
    for (name, damage, sentence) in cases {
        let copy = copy(directory.path());
        let path = copy.path().join("log-2026-08.db");
        damage(&path);
        let before = fs::read(&path).unwrap();
        let refused = Store::open(copy.path(), "gw1").expect_err(name).to_string();
        assert!(refused.contains(sentence) && refused.contains("log-2026-08.db"), "{name}: {refused}");
        assert_eq!(fs::read(&path).unwrap(), before, "{name}");
        // Moved away it is out of the way, and its numbers are not given again.
        fs::rename(&path, path.with_extension("damaged")).unwrap();
        let _ = fs::remove_file(path.with_extension("db-wal"));
        let _ = fs::remove_file(path.with_extension("db-shm"));
        let store = Store::open(copy.path(), "gw1").unwrap();
        assert_eq!(store.commit(entry("")).await.unwrap().epoch, 2);
        store.close().await;
    }
}

#[tokio::test]
async fn an_old_month_is_looked_at_too_and_a_search_passes_over_it() {
    let directory = tempfile::tempdir().unwrap();
    let old = store(directory.path()).await;
    let store = Store::open_at(directory.path(), "gw1", clock("2026-09-01T00:00:00Z").1).unwrap();
    store.commit(entry("September")).await.unwrap();
    store.close().await;
    OpenOptions::new().write(true).open(old).unwrap().set_len(40_960).unwrap();
    assert!(matches!(Store::open(directory.path(), "gw1"), Err(OpenError::Damaged { .. })));
    let (found, left_out) = read(directory.path(), &Query::default()).unwrap();
    assert!(matches!(left_out.as_slice(), [OpenError::Damaged { .. }]), "{left_out:?}");
    let found: Vec<String> = found.into_iter().map(|found| found.record.subject).collect();
    assert_eq!(found, ["September"]);
}

/// What a message is recognised by, whose record has that number.
fn key(seq: u64) -> Key {
    u128::from(seq).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_be_bytes()
}

/// Damage that no look at the pages finds: the rows are whole, and what they say of seen messages and of who is known is
/// nothing.
const ROWS_DAMAGED: &str = "
    UPDATE record SET seen = x'FFFF' WHERE seq = 3;
    UPDATE record SET seen = substr(seen, 1, 40) WHERE seq = 4;
    INSERT INTO seen VALUES
        (1, x'02', zeroblob(8), 1787270400000, '[]', '', x'', '[]'),
        (2, zeroblob(16), zeroblob(8), 1787270400000, 'nobody', '', x'', '[]');
    INSERT INTO contact VALUES (NULL, x'01', 1787270400000), (NULL, zeroblob(16), 1787270400000);";

#[tokio::test]
async fn a_start_forgets_what_is_damaged_of_the_memory() {
    let directory = tempfile::tempdir().unwrap();
    let (_, clock) = clock("2026-08-21T00:00:00Z");
    let open = || Store::open_at(directory.path(), "gw1", clock.clone()).unwrap();
    let file = || Connection::open(directory.path().join("log-2026-08.db")).unwrap();
    let store = open();
    // More than are kept in memory.
    let last = limits::SEEN_IN_MEMORY as u64 + 5;
    for seq in 1..=last {
        let record = record("");
        let seen = SeenRow::new(record.time, [key(seq)], [1; 8], ["anna@exempelby.se"], ["x@example.org"]);
        store.enqueue(Entry { seen: Some(seen), ..Entry::of(record) });
    }
    store.close().await;
    file().execute_batch(ROWS_DAMAGED).unwrap();
    let counted = |of| METRICS.memory_damaged.with_label_values(&[of]).get();
    let before = ["seen", "contacts"].map(counted);

    let store = open();
    let memory = SeenCache::of(&store, 14).unwrap();
    Contacts::of(&store).unwrap();
    assert_eq!(["seen", "contacts"].map(counted), [before[0] + 4, before[1] + 1]);
    for seq in [1, 2, 5, last] {
        assert!(memory.find(&key(seq)).await.unwrap().is_some(), "{seq}");
    }
    assert_eq!(memory.find(&key(3)).await, Ok(None), "forgotten");
    assert!(store.find_seen(3, &key(3), 14).is_err() && store.find_seen(4, &key(4), 14).is_err());
    assert_eq!(all(directory.path()).len() as u64, last, "the records are whole");

    file().execute_batch("UPDATE record SET seen = x'FFFF' WHERE seq = 6").unwrap();
    assert_eq!(memory.find(&key(6)).await, Err(Cause::Store), "damaged since the start");
    // A message that came again is known by the newer row, whatever became of the older one.
    let again = SeenRow::new(record("").time, [key(6)], [1; 8], ["bo@exempelby.se"], ["x@example.org"]);
    let again = memory.linked(again);
    let entry = Entry { seen: Some(again.clone()), ..Entry::of(record("")) };
    memory.remember(store.commit(entry).await.unwrap().seq, &again);
    let found = memory.find(&key(6)).await.unwrap().unwrap();
    assert!(again.before() == Some(6) && found.mailboxes().eq(["bo@exempelby.se"]));
    assert_eq!(counted("seen"), before[0] + 5);
    store.close().await;
}

#[tokio::test]
async fn an_empty_file_is_a_new_one() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("log-2026-08.db"), "").unwrap();
    let store = Store::open_at(directory.path(), "gw1", clock("2026-08-21T00:00:00Z").1).unwrap();
    store.commit(entry("first")).await.unwrap();
    store.close().await;
    assert_eq!(all(directory.path()).len(), 1);
}

#[tokio::test]
async fn another_nodes_store_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    store(directory.path()).await;
    let refused = Store::open(directory.path(), "gw2").unwrap_err().to_string();
    assert!(refused.contains("\"gw1\"") && refused.contains("\"gw2\""), "{refused}");
}

#[tokio::test]
async fn files_are_the_owners_alone_and_a_wrong_key_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    for file in fs::read_dir(&path).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
    fs::File::create(path.join("seen.key")).unwrap().write_all(b"short").unwrap();
    assert!(matches!(Store::open(&path, "gw1"), Err(OpenError::Key { octets: 5, .. })));
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    // `/proc` refuses even root.
    let refused = Store::open(Path::new("/proc/postvakt"), "gw1").unwrap_err().to_string();
    assert!(refused.starts_with("/proc/postvakt: cannot use the log's directory"), "{refused}");
    let nothing = tempfile::tempdir().unwrap();
    let missing = read(nothing.path(), &Query::default()).unwrap_err().to_string();
    assert_eq!(fs::read_dir(&nothing).unwrap().count(), 0, "nothing is made there");
    assert!(missing.contains("no log here"), "{missing}");
}

//! The store under its name: what is moved, removed or replaced while it is open is noticed before the next record is
//! confirmed, and nothing that was confirmed is lost or numbered twice.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use postvakt::store::verify::{Verdict, verify};

use super::*;
use crate::lab::{Log as File, until};

const MONTH: &str = "log-2026-08.db";

/// A store whose clock stands in August, and its directory within another one.
struct Open {
    store: Store,
    path: PathBuf,
    time: Arc<AtomicI64>,
    clock: Clock,
    _directory: tempfile::TempDir,
}

impl Open {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let (time, clock) = clock("2026-08-21T00:00:00Z");
        let store = Store::open_at(&path, "gw1", clock.clone()).unwrap();
        Self { store, path, time, clock, _directory: directory }
    }

    /// With one record.
    async fn begun() -> Self {
        let open = Self::new();
        assert_eq!(open.store.commit(entry("before")).await.unwrap().seq, 1);
        open
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Nothing is confirmed, and what is said names the file and what became of it.
    async fn refuses(&self, name: &str, what: &str) {
        let file = if name.is_empty() { self.path.clone() } else { self.file(name) };
        for _ in 0..2 {
            let refused = self.store.commit(entry("refused")).await.unwrap_err().to_string();
            let expected = format!("{}: {what} while", file.display());
            assert!(refused.contains(&expected), "{refused}\n{expected}");
            assert!(!self.store.is_well());
        }
    }

    /// Goes on, and everything that was confirmed is there in its order.
    async fn goes_on(self, confirmed: &[&str]) {
        let id = self.store.commit(entry("after")).await.unwrap();
        assert!(self.store.is_well());
        self.store.close().await;
        let report = verify(std::slice::from_ref(&self.path), &[], None);
        assert_eq!(report.verdict(), Verdict::Whole, "{report:?}");
        let found = all(&self.path);
        assert!(found.iter().zip(1..).all(|(found, seq)| found.id.seq == seq), "no gaps: {found:?}");
        assert_eq!(found.last().map(|found| found.id.seq), Some(id.seq));
        let subjects: Vec<_> = found.iter().map(|found| found.record.subject.as_str()).collect();
        let subjects: Vec<_> = subjects.into_iter().filter(|subject| *subject != "refused").collect();
        assert_eq!(subjects, [confirmed, &["after"]].concat());
    }
}

fn aside(path: &Path) -> PathBuf {
    path.with_extension("aside")
}

#[tokio::test]
async fn a_directory_that_is_moved_away_and_back() {
    let open = Open::begun().await;
    fs::rename(&open.path, aside(&open.path)).unwrap();
    open.refuses("", "not found").await;
    fs::rename(aside(&open.path), &open.path).unwrap();
    open.goes_on(&["before"]).await;
}

#[tokio::test]
async fn a_directory_in_the_place_of_the_log() {
    let open = Open::begun().await;
    fs::rename(&open.path, aside(&open.path)).unwrap();
    fs::create_dir(&open.path).unwrap();
    open.refuses("", "replaced by another file").await;
    // No log is begun there.
    let files = crate::lab::files(&open.path);
    assert!(files.iter().all(|file| file.extension() != Some("db".as_ref())), "{files:?}");
    fs::remove_dir_all(&open.path).unwrap();
    fs::rename(aside(&open.path), &open.path).unwrap();
    open.goes_on(&["before"]).await;
}

#[tokio::test]
async fn a_month_file_that_is_moved_away_and_back() {
    let open = Open::begun().await;
    let month = open.file(MONTH);
    fs::rename(&month, aside(&month)).unwrap();
    open.refuses(MONTH, "not found").await;
    assert!(!month.exists(), "no other one is begun");
    fs::rename(aside(&month), &month).unwrap();
    open.goes_on(&["before"]).await;
}

#[tokio::test]
async fn a_month_file_that_is_missing_since_the_start() {
    let Open { store, path, time: _, clock, _directory } = Open::begun().await;
    store.close().await;
    let store = Store::open_at(&path, "gw1", clock).unwrap();
    let month = path.join(MONTH);
    fs::rename(&month, aside(&month)).unwrap();
    let refused = store.commit(entry("refused")).await.unwrap_err().to_string();
    assert!(refused.contains("not found"), "{refused}");
    fs::rename(aside(&month), &month).unwrap();
    assert_eq!(store.commit(entry("after")).await.unwrap().seq, 2);
    store.close().await;
}

#[tokio::test]
async fn a_month_that_ends_while_its_file_is_missing() {
    let open = Open::begun().await;
    let month = open.file(MONTH);
    fs::rename(&month, aside(&month)).unwrap();
    open.time.store(second("2026-09-01T00:00:00Z"), Ordering::SeqCst);
    open.refuses(MONTH, "not found").await;
    assert!(!open.file("log-2026-09.db").exists(), "the log does not go on behind a gap");
    fs::rename(aside(&month), &month).unwrap();
    open.goes_on(&["before"]).await;
}

#[tokio::test]
async fn an_older_copy_in_the_place_of_the_month_file() {
    let open = Open::begun().await;
    let month = open.file(MONTH);
    fs::copy(&month, aside(&month)).unwrap();
    open.store.commit(entry("second")).await.unwrap();
    let newest = month.with_extension("newest");
    fs::rename(&month, &newest).unwrap();
    fs::rename(aside(&month), &month).unwrap();
    open.refuses(MONTH, "replaced by another file").await;
    fs::rename(&newest, &month).unwrap();
    open.goes_on(&["before", "second"]).await;
}

#[tokio::test]
async fn a_write_ahead_log_that_was_removed() {
    let open = Open::begun().await;
    let wal = format!("{MONTH}-wal");
    fs::remove_file(open.file(&wal)).unwrap();
    let refused = open.store.commit(entry("refused")).await.unwrap_err().to_string();
    assert!(refused.contains(&format!("{wal}: not found")), "{refused}");
    // The record was in it alone: its number is not given again.
    open.refuses(MONTH, "confirmed records are missing").await;
    open.store.close().await;
    let store = Store::open_at(&open.path, "gw1", open.clock.clone()).unwrap();
    let id = store.commit(entry("after")).await.unwrap();
    assert_eq!((id.epoch, id.seq), (2, 1), "the first head told of the record that is missing");
    store.close().await;
}

#[tokio::test]
async fn a_month_file_that_was_emptied() {
    let open = Open::begun().await;
    OpenOptions::new().write(true).truncate(true).open(open.file(MONTH)).unwrap();
    open.refuses(MONTH, "truncated").await;
    open.store.close().await;
}

#[tokio::test]
async fn a_lock_that_was_removed() {
    let open = Open::begun().await;
    // Now nothing would keep a second process out.
    fs::remove_file(open.file("lock")).unwrap();
    open.refuses("lock", "not found").await;
    open.store.close().await;
    let store = Store::open_at(&open.path, "gw1", open.clock.clone()).unwrap();
    assert_eq!(store.commit(entry("after")).await.unwrap().to_string(), "gw1-1-000000000002");
    store.close().await;
}

#[tokio::test]
async fn it_is_found_out_without_any_mail() {
    let open = Open::begun().await;
    let log = File(PathBuf::new());
    fs::rename(&open.path, aside(&open.path)).unwrap();
    open.store.look();
    until("the loss to be noticed", &log, || (!open.store.is_well()).then_some(()));
    fs::rename(aside(&open.path), &open.path).unwrap();
    open.store.look();
    until("the return to be noticed", &log, || open.store.is_well().then_some(()));
    open.goes_on(&["before"]).await;
}

#[tokio::test]
async fn a_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let open = Open::begun().await;
    open.store.close().await;
    for name in ["heads.key", "seen.key", "pass.key"] {
        let key = open.file(name);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = open.again().unwrap_err();
        assert!(
            refused.starts_with(&format!("{}: this key can be read by others (mode 0644)", key.display())),
            "{refused}"
        );
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    }
    open.goes_on_after_restart().await;
}

impl Open {
    /// Opens the store anew. A process that another test is just starting has every file of this one, and so its lock, until it
    /// becomes another program.
    fn again(&self) -> Result<Store, String> {
        until("the lock", &File(self.path.clone()), || {
            match Store::open_at(&self.path, "gw1", self.clock.clone()).map_err(|error| error.to_string()) {
                Err(error) if error.contains("is used by another process") => None,
                opened => Some(opened),
            }
        })
    }

    async fn goes_on_after_restart(self) {
        let store = self.again().unwrap();
        assert_eq!(store.commit(entry("after")).await.unwrap().seq, 2);
        store.close().await;
    }
}

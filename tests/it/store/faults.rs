//! Faults of the world: a full disk, and a process that is killed at any moment.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use postvakt::store::verify::{Verdict, verify};

use crate::lab::{Log, until};

use super::*;

/// A small file system of its own; needs root.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new(size: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(directory.path())
            .output()
            .unwrap();
        assert!(
            mount.status.success(),
            "this test mounts a tmpfs: {}",
            String::from_utf8_lossy(&mount.stderr)
        );
        Self(directory)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_and_loses_nothing() {
    let disk = Disk::new("2m");
    let path = disk.0.path().join("store");
    let store = Store::open(&path, "gw1").unwrap();
    let mut confirmed = Vec::new();
    for round in 0..3 {
        let filler = disk.0.path().join("filler");
        let mut refused = 0;
        // Nothing fills the disk but the log itself in the first round, everything else does in the others.
        let _ = fs::write(&filler, vec![0; if round == 0 { 1 << 20 } else { 4 << 20 }]);
        while refused < 20 {
            let subject = format!("{round} {} {}", confirmed.len(), "x".repeat(3_000));
            match store.commit(entry(&subject)).await {
                Ok(id) => confirmed.push((id, subject)),
                Err(CommitError::Failed(reason)) => {
                    assert!(reason.contains("full") || reason.contains("I/O"), "{reason}");
                    refused += 1;
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert!(!store.is_well());
        fs::remove_file(&filler).unwrap();
        let subject = format!("{round} again");
        confirmed.push((store.commit(entry(&subject)).await.unwrap(), subject));
        assert!(store.is_well());
    }
    store.close().await;
    let found: Vec<_> = all(&path).into_iter().map(|found| (found.id, found.record.subject)).collect();
    assert_eq!(found, confirmed);
    assert!(found.iter().zip(1..).all(|((id, _), seq)| id.seq == seq));
}

#[tokio::test]
async fn a_foreign_lock_is_waited_for_and_then_told_of() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open_at(directory.path(), "gw1", clock("2026-08-21T00:00:00Z").1).unwrap();
    store.commit(entry("before")).await.unwrap();
    // The first head is noted after the commit; noting it would wait for the lock too, and the next commit for both.
    let heads = Log(directory.path().join("heads"));
    until("the first head", &heads, || (!heads.text().is_empty()).then_some(()));
    let foreign = rusqlite::Connection::open(directory.path().join("log-2026-08.db")).unwrap();
    foreign.busy_timeout(Duration::from_mins(1)).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = store.commit(entry("during")).await.unwrap_err().to_string();
    assert!(refused.contains("locked"), "{refused}");
    foreign.execute_batch("COMMIT").unwrap();
    assert_eq!(store.commit(entry("after")).await.unwrap().seq, 2);
    store.close().await;
}

const CHILD: &str = "POSTVAKT_TEST_STORE";

/// The process that [`a_kill_loses_nothing_that_was_confirmed`] kills; by itself it has nothing to do.
#[tokio::test]
#[ignore = "run by the kill test"]
async fn child() {
    let Some(directory) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let store = Store::open(&directory, "gw1").unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0.. {
                    let subject = format!("{}/{task}/{n}", std::process::id());
                    let id = store.commit(entry(&subject)).await.unwrap();
                    let line = format!("confirmed {id} {subject}\n");
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_kill_loses_nothing_that_was_confirmed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let mut confirmed: Vec<(String, String)> = Vec::new();
    for round in 0..20_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["store::faults::child", "--exact", "--ignored", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        // Some are killed while they open the store, some after a few commits, some after many.
        let wanted = [0, 1, 7, 100, 400][usize::try_from(round % 5).unwrap()];
        if wanted == 0 {
            std::thread::sleep(Duration::from_millis(5 + round * 3));
        }
        let is_record = |line: String| -> Option<(String, String)> {
            let (id, subject) = line.split_once("confirmed ")?.1.split_once(' ')?;
            Some((id.to_owned(), subject.to_owned()))
        };
        confirmed.extend(lines.by_ref().filter_map(is_record).take(wanted));
        child.kill().unwrap();
        child.wait().unwrap();
        confirmed.extend(lines.filter_map(is_record));
        // Heads are signed of what is durable alone, so a kill never makes the log look tampered with.
        let report = verify(std::slice::from_ref(&path), &[], None);
        assert_ne!(report.verdict(), Verdict::Tampered, "round {round}: {report:?}");
    }
    assert!(confirmed.len() > 1_000, "{} confirmed", confirmed.len());
    let found = all(&path);
    assert!(found.iter().zip(1..).all(|(found, seq)| found.id.seq == seq), "no gaps");
    let store = Store::open(&path, "gw1").unwrap();
    store.commit(entry("the last one")).await.unwrap();
    store.close().await;
    let report = verify(std::slice::from_ref(&path), &[], None);
    assert_eq!(report.verdict(), Verdict::Whole, "{report:?}");
    assert!(report.trees.iter().all(|tree| tree.newer == 0) && report.trees[0].heads >= 5, "{report:?}");
    let mut by_id: HashMap<String, String> =
        found.into_iter().map(|found| (found.id.to_string(), found.record.subject)).collect();
    for (id, subject) in confirmed {
        assert_eq!(by_id.remove(&id), Some(subject), "{id}");
    }
    let subjects: std::collections::HashSet<&String> = by_id.values().collect();
    assert_eq!(subjects.len(), by_id.len(), "no record twice");
}

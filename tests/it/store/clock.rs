//! Steps of the clock: each is an entry of the access log, and proved with it.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use postvakt::daemon::clock::{Steady, Watch};
use serde_json::Value;

use super::cli::run;
use super::*;

/// What the access log tells of the clock: step and what the daemon did. A command would leave an entry of the real time.
fn steps(directory: &Path) -> Vec<(i64, String)> {
    let log = rusqlite::Connection::open(directory.join("access.db")).unwrap();
    let mut entries = log.prepare("SELECT body FROM entry WHERE kind = 'clock' ORDER BY n").unwrap();
    let bodies = entries.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let step = |body: rusqlite::Result<String>| {
        let step: Value = serde_json::from_str(&body.unwrap()).unwrap();
        (step["milliseconds"].as_i64().unwrap(), step["daemon"].as_str().unwrap().to_owned())
    };
    bodies.map(step).collect()
}

#[tokio::test]
async fn a_clock_that_is_set_leaves_an_entry_that_is_signed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let (wall, clock) = clock("2024-08-21T00:00:00Z");
    let passed = Arc::new(AtomicU64::new(0));
    let shown = Arc::clone(&passed);
    let steady: Steady = Arc::new(move || Duration::from_secs(shown.load(Ordering::SeqCst)));
    let store = Store::open_at(path, "gw1", clock.clone()).unwrap();
    store.commit(entry("before")).await.unwrap();
    let mut watch = Watch::over(&store, path.into(), clock.clone(), steady.clone());
    // Seconds on the clock, seconds that went by.
    for (on_clock, by) in [(10, 10), (9, 10), (11, 10), (-3590, 10), (10, 10), (31_536_010, 10), (600, 600)] {
        wall.fetch_add(on_clock, Ordering::SeqCst);
        passed.fetch_add(by, Ordering::SeqCst);
        watch.look();
    }
    let expected = [(-3_600_000, "running".to_owned()), (31_536_000_000, "running".to_owned())];
    assert_eq!(steps(path), expected);
    store.commit(entry("after")).await.unwrap();
    store.close().await;

    // It went back while nobody looked; forward nobody could tell from a long rest.
    wall.fetch_sub(7_200, Ordering::SeqCst);
    let store = Store::open_at(path, "gw1", clock.clone()).unwrap();
    drop(Watch::over(&store, path.into(), clock.clone(), steady.clone()));
    assert_eq!(steps(path)[2..], [(-7_200_000, "stopped".to_owned())]);
    store.close().await;
    wall.fetch_add(1_000_000, Ordering::SeqCst);
    let store = Store::open_at(path, "gw1", clock.clone()).unwrap();
    drop(Watch::over(&store, path.into(), clock, steady));
    assert_eq!(steps(path)[2..], [(-7_200_000, "stopped".to_owned())]);
    store.commit(entry("last")).await.unwrap();
    store.close().await;

    let (code, out) = run(path, &["verify", "--json", path.to_str().unwrap()]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["result"]), (0, &"whole".into()), "{report:#}");
}

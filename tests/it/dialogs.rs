//! The wire: recorded and invented milter conversations, played against the real connection.
//!
//! `tests/dialogs/README.md` tells the format and lists what must hold, each with the dialog or test that shows it.

mod beyond;
mod model;
mod player;
mod script;
mod sockets;
mod timers;

use std::fs;
use std::path::{Path, PathBuf};

use player::Delivery;
use script::Script;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogs")
}

fn scripts() -> Vec<Script> {
    let mut paths: Vec<_> = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "dialog"));
    assert!(!paths.is_empty());
    paths.iter().map(|path| Script::read(path)).collect()
}

#[tokio::test(start_paused = true)]
async fn every_dialog_however_it_is_cut() {
    let mut wrong = Vec::new();
    for script in scripts() {
        let splits = if script.sent.len() < 1_200 { 1..script.sent.len() } else { 1..1 };
        let deliveries =
            [Delivery::Whole, Delivery::Bytewise].into_iter().chain(splits.map(Delivery::SplitAt));
        for delivery in deliveries {
            if let Err(how) = player::check(&script, delivery).await {
                wrong.push(how);
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn everything_required_is_shown_somewhere() {
    let read = |path: PathBuf| fs::read_to_string(path).unwrap();
    let readme = read(directory().join("README.md"));
    let code: String = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/dialogs"))
        .unwrap()
        .map(|entry| read(entry.unwrap().path()))
        .collect();
    let mut expected = 1;
    for row in readme.lines().filter(|line| line.starts_with('|')).skip(2) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells[0].parse(), Ok(expected), "{row}");
        expected += 1;
        assert!(!cells[3].is_empty(), "nothing shows {row}");
        for shown_by in cells[3].split(", ") {
            let exists = directory().join(format!("{shown_by}.dialog")).exists();
            let is_test =
                shown_by == "every_dialog_however_it_is_cut" || code.contains(&format!("fn {shown_by}("));
            assert!(exists || is_test, "no dialog or test {shown_by}");
        }
    }
    assert_eq!(expected, 56);
    for script in scripts() {
        assert!(readme.contains(&script.name), "{} is not in the list", script.name);
    }
}

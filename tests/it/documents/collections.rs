//! Collections of documents that others made, which are not the project's to copy: every file in a folder is read, and
//! what is read of PDF files is compared with what `pdftotext` of poppler reads. docs/documents.md has figures.

use std::collections::{BTreeMap, HashSet};

use super::*;

/// Words that tell whether two programs read the same: long enough not to be chance.
fn words(text: &str) -> HashSet<&str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() >= 4).collect()
}

fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// What poppler reads, if it reads anything.
fn of_poppler(path: &Path) -> Option<String> {
    let output = Command::new("pdftotext").args(["-q", "-enc", "UTF-8"]).arg(path).arg("-").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
#[ignore = "needs POSTVAKT_DOCUMENTS, a folder of documents, and pdftotext of poppler-utils"]
fn what_a_peer_reads_is_read_or_said() {
    let folder = std::env::var_os("POSTVAKT_DOCUMENTS").expect("POSTVAKT_DOCUMENTS names a folder");
    let mut files = Vec::new();
    files_below(Path::new(&folder), &mut files);
    files.sort();
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    let (mut dead, mut silent, mut unread) = (Vec::new(), Vec::new(), Vec::new());
    for path in &files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(path).unwrap();
        let Ok(found) = std::thread::spawn(move || items(&name, &bytes)).join() else {
            dead.push(path);
            continue;
        };
        let state = found[0].state;
        *states.entry(format!("{} {}", state.as_str(), state.reason().unwrap_or_default())).or_default() += 1;
        let is_pdf = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("pdf"));
        let (true, Some(theirs)) = (is_pdf, of_poppler(path)) else { continue };
        let (ours, theirs) = (all_text(&found), words(&theirs));
        let ours = words(&ours);
        let few = theirs.len() >= 3 && theirs.intersection(&ours).count() * 2 < theirs.len();
        match state {
            State::Plain | State::Readable(_) if few => silent.push(path),
            State::Uninspectable(_) if few => unread.push(path),
            _ => {}
        }
    }
    println!("{} files: {states:#?}", files.len());
    println!("plain, though a peer reads other words: {silent:#?}");
    println!("unread, though a peer reads words: {unread:#?}");
    assert!(dead.is_empty(), "the reader broke on {dead:#?}");
}

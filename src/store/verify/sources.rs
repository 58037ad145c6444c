//! What is verified: the month files, access log, heads and key in the directories and files that were named.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::Fault;
use crate::documents::{self, Budget, Input};
use crate::note::{Note, NoteError, TreeHead, Verifier};
use crate::store::month::Month;
use crate::store::{heads, schema};

/// Whether a file has content. One that cannot be read may have.
fn has_tables(path: &Path) -> bool {
    let count = |connection: rusqlite::Connection| {
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))
    };
    schema::octets(path).is_some_and(|octets| octets > 0)
        && schema::open_to_read_any(path).and_then(count).map_or(true, |tables| tables > 0)
}

/// The notes in a file: one of heads, of the system's log, or a letter, saved as it came.
fn notes(octets: &[u8]) -> Vec<Note> {
    let notes = Note::all(&String::from_utf8_lossy(octets));
    if !notes.is_empty() {
        return notes;
    }
    let letter = Input { name: "", media_type: "message/rfc822", bytes: octets };
    let items = documents::read(&letter, &mut Budget::new(octets.len())).items;
    items.iter().flat_map(|item| Note::all(&item.text)).collect()
}

/// The files.
#[derive(Debug, Default)]
pub(super) struct Sources {
    months: Vec<(Month, PathBuf)>,
    access: Option<PathBuf>,
    heads: Vec<PathBuf>,
    key: Option<PathBuf>,
    given: Vec<PathBuf>,
    /// Whether a directory was named, in which all should be.
    pub(super) whole: bool,
}

impl Sources {
    /// Finds them.
    pub(super) fn collect(paths: &[PathBuf], heads: &[PathBuf], faults: &mut Vec<Fault>) -> Self {
        let mut found = Self { given: paths.to_vec(), ..Self::default() };
        for path in paths {
            if path.is_dir() {
                match Month::list(path) {
                    Ok(months) => {
                        found.months.extend(months.into_iter().map(|month| (month, month.path(path))));
                    }
                    Err(error) => faults.push(Fault::missing(path, &error.to_string())),
                }
                found.beside(path);
            } else if let Some(month) = Month::of_file(path) {
                found.months.push((month, path.clone()));
            } else if path.file_name().is_some_and(|name| name == "access.db") {
                found.access = Some(path.clone());
            } else if path.is_file() {
                found.heads.push(path.clone());
            } else {
                faults.push(Fault::missing(path, "there is no such file"));
            }
        }
        found.heads.extend(heads.iter().cloned());
        found.months.sort();
        found
    }

    fn beside(&mut self, directory: &Path) {
        let there = |name: &str| Some(directory.join(name)).filter(|path| path.exists());
        // One without content is what a kill leaves that came before the first entry.
        self.access = there("access.db").filter(|path| has_tables(path)).or(self.access.take());
        self.whole = true;
        self.heads.extend(there(heads::FILE));
        self.key = there(heads::PUBLIC_KEY).or(self.key.take());
    }

    /// Month files in order.
    pub(super) fn months(&self) -> impl Iterator<Item = &PathBuf> {
        self.months.iter().map(|(_, path)| path)
    }

    /// The access log.
    pub(super) fn access(&self) -> Option<&Path> {
        self.access.as_deref()
    }

    /// What stands for all of them.
    pub(super) fn name(&self) -> PathBuf {
        self.given.first().cloned().unwrap_or_default()
    }

    /// The key beside the log.
    pub(super) fn key(&self) -> Option<Verifier> {
        fs::read_to_string(self.key.as_ref()?).ok()?.parse().ok()
    }

    /// The heads by their tree and size. Where two do not agree, or one is not signed, that is a fault.
    pub(super) fn heads(
        &self,
        key: &Verifier,
        faults: &mut Vec<Fault>,
    ) -> BTreeMap<String, BTreeMap<u64, TreeHead>> {
        let mut signed: BTreeMap<String, BTreeMap<u64, TreeHead>> = BTreeMap::new();
        for path in &self.heads {
            let octets = match fs::read(path) {
                Ok(octets) => octets,
                Err(error) => {
                    faults.push(Fault::missing(path, &error.to_string()));
                    continue;
                }
            };
            for note in notes(&octets) {
                let first = note.text.lines().take(2).collect::<Vec<_>>().join(" ");
                match key.head(&note) {
                    Ok(head) => {
                        let known = signed.entry(head.origin.clone()).or_default();
                        if known.get(&head.size).is_some_and(|known| known.root != head.root) {
                            let what = format!("two signed heads of {first} contradict each other (a fork)");
                            faults.push(Fault::tampered(path, None, &what));
                        }
                        known.entry(head.size).or_insert(head);
                    }
                    Err(error @ (NoteError::NotSigned | NoteError::NotAHead)) => {
                        faults.push(Fault::missing(path, &format!("the head {first}: {error}")));
                    }
                    Err(error @ NoteError::WrongSignature) => {
                        faults.push(Fault::tampered(path, None, &format!("the head {first}: {error}")));
                    }
                }
            }
        }
        signed
    }
}

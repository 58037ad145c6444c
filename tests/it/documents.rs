//! What is read of documents: of files that other programs wrote, and of files that nobody should have to read.

mod collections;
pub(crate) mod fixtures;
mod hostile;
pub(crate) mod messages;
mod packed;
mod pages;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) use postvakt::documents::Item;
use postvakt::documents::{Budget, Input, State, read};

/// Published test numbers: they belong to nobody.
const NUMBER: &str = "811228-9874";
const OTHER_NUMBER: &str = "19121212-1212";

/// What is read of a file with that name.
pub(crate) fn items(name: &str, bytes: &[u8]) -> Vec<Item> {
    let reading = read(&Input { name, media_type: "", bytes }, &mut Budget::new(bytes.len()));
    assert!(!reading.items.is_empty(), "{name}: the document itself is among the items");
    reading.items
}

/// All that is written in a document, and in what is inside it.
pub(crate) fn all_text(items: &[Item]) -> String {
    items.iter().fold(String::new(), |all, item| all + &item.name + "\n" + &item.text + "\n")
}

/// The items, one a line: `path name kind state`.
fn lines(items: &[Item]) -> Vec<String> {
    items.iter().map(line).collect()
}

fn line(item: &Item) -> String {
    let kind = serde_json::to_value(item.kind).unwrap();
    let state = match item.state.reason() {
        Some(reason) => format!("{}:{reason}", item.state.as_str()),
        None => item.state.as_str().to_owned(),
    };
    format!("{} {} {} {state}", item.path, item.name, kind.as_str().unwrap())
}

/// Whether the number was found somewhere in a document that is readable as a whole.
fn assert_found(name: &str, bytes: &[u8], number: &str) {
    let items = items(name, bytes);
    assert!(all_text(&items).contains(number), "{name}: {number} is not in {items:#?}");
    for item in &items {
        assert_eq!(item.state, State::Plain, "{name}: {}", line(item));
    }
}

/// A directory of its own, gone with the value.
pub(crate) struct Scratch(tempfile::TempDir);

impl Scratch {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Runs a program in the directory.
    pub(crate) fn run(&self, command: &str) {
        let mut words = command.split(' ');
        let program = words.next().unwrap();
        let output =
            Command::new(program).args(words).current_dir(self.0.path()).stdin(Stdio::null()).output();
        let output = output.unwrap_or_else(|error| {
            panic!("{program}: {error}; install it: apt-get install zip p7zip-full gzip tar xz-utils bzip2")
        });
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {said}{}", String::from_utf8_lossy(&output.stdout));
    }
}

/// The fixtures: files that other programs wrote; `tests/documents/README.md` says how.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents").join(name)).unwrap()
}

/// The names of all of them.
fn fixture_names() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents");
    let names =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != "README.md").collect();
    names.sort();
    names
}

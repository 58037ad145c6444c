//! A moment of what `fuzz/run` does for hours: every input in `fuzz/corpus` again, and a thousand changes of these
//! and of the fixtures for each target, always the same ones. `docs/testing.md` tells of the hours.

#[path = "../../fuzz/targets.rs"]
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use targets::{TARGETS, Target};

/// Changed inputs for each target.
const CHANGED: usize = 1_000;

/// Octets of an input that is changed: more take long, and are read in no other way.
const OCTETS: usize = 16 << 10;

/// A generator that gives the same numbers each time.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }

    fn range(&mut self, octets: &[u8]) -> std::ops::Range<usize> {
        let start = self.below(octets.len());
        start..start + self.below((octets.len() - start).min(64) + 1)
    }

    /// The input with one to four changes of the kinds that libFuzzer makes.
    fn change(&mut self, input: &[u8], other: &[u8]) -> Vec<u8> {
        let mut octets = input.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(octets.len());
            let numbers: [&[u8]; 6] =
                [&[0], &[0xff], &[0xff; 4], &[0xff, 0xff, 0xff, 0x7f], &[0x80], &[1, 0, 0, 0]];
            match self.below(8) {
                0 => drop(octets.drain(self.range(&octets.clone()))),
                1 => octets.truncate(at),
                2 => {
                    let again = octets[self.range(&octets)].to_vec();
                    octets.splice(at..at, again);
                }
                3 => {
                    let foreign = other[self.range(other)].to_vec();
                    octets.splice(at..at, foreign);
                }
                4 => {
                    let number = numbers[self.below(numbers.len())];
                    let end = octets.len().min(at + number.len());
                    octets.splice(at..end, number.iter().copied());
                }
                5 => octets.insert(at, u8::try_from(self.below(256)).unwrap()),
                _ if octets.is_empty() => octets.push(b'a'),
                _ => octets[at] ^= 1 << self.below(8),
            }
        }
        octets
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files in a folder and those below it, in order.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// The files that a target's table names.
fn seeds(target: &Target) -> Vec<PathBuf> {
    let named = |pattern: &&str| {
        let (folder, ending) = pattern.split_once("/*").unwrap();
        let mut found = files(&root().join(folder));
        found.retain(|path| path.to_str().unwrap().ends_with(ending));
        assert!(!found.is_empty(), "{}: no file is {pattern}", target.name);
        found
    };
    target.seeds.iter().flat_map(named).collect()
}

/// Tries an input; one that something is wrong with is kept where `fuzz/run` keeps those that it finds.
fn is_survived(target: &Target, input: &[u8], what: &str) -> bool {
    if catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_ok() {
        return true;
    }
    let folder = Path::new(crate::lab::program::PROGRAM)
        .ancestors()
        .nth(2)
        .unwrap()
        .join("fuzz/found")
        .join(target.name);
    let path = folder.join(format!("test-{}", input.len()));
    fs::create_dir_all(&folder).and_then(|()| fs::write(&path, input)).unwrap();
    eprintln!("{}: {what}; the input is in {}", target.name, path.display());
    false
}

fn try_all(target: &Target) -> bool {
    let corpus = files(&root().join("fuzz/corpus").join(target.name));
    assert!(!corpus.is_empty(), "fuzz/corpus/{} has nothing", target.name);
    let mut inputs = Vec::new();
    let mut survived = true;
    for path in corpus.into_iter().chain(seeds(target)) {
        let input = fs::read(&path).unwrap();
        survived &= is_survived(target, &input, path.to_str().unwrap());
        inputs.push(input);
    }
    inputs.retain(|input| input.len() <= OCTETS);
    let mut chance = Chance(1);
    for number in 0..CHANGED {
        let (one, other) = (chance.below(inputs.len()), chance.below(inputs.len()));
        let changed = chance.change(&inputs[one], &inputs[other]);
        survived &= is_survived(target, &changed, &format!("change {number}"));
    }
    survived
}

#[test]
fn every_target_survives_its_corpus_and_changes_of_it() {
    let failed = std::sync::Mutex::new(Vec::new());
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(target) = TARGETS.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    if !try_all(target) {
                        failed.lock().unwrap().push(target.name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn every_folder_of_the_corpus_is_a_targets_and_small() {
    let folder = root().join("fuzz/corpus");
    let mut octets = 0;
    for path in files(&folder) {
        let target = path.strip_prefix(&folder).unwrap().iter().next().unwrap().to_str().unwrap();
        assert!(
            TARGETS.iter().any(|known| known.name == target),
            "{}: there is no such target",
            path.display()
        );
        octets += fs::metadata(&path).unwrap().len();
    }
    assert!(octets < 2 << 20, "{octets} octets; fuzz/run minimise TARGET");
}

#[test]
fn the_document_on_testing_names_every_target() {
    let text = fs::read_to_string(root().join("docs/testing.md")).unwrap();
    for target in TARGETS {
        assert!(text.contains(&format!("| `{}` |", target.name)), "{}", target.name);
    }
}

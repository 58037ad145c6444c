//! One target under libFuzzer: `fuzz/run TARGET` builds and starts it. Built without that, it reads files with a target
//! once, as for looking at an input that was found: `cargo run -p postvakt-fuzz -- TARGET FILE…`; and without a file it
//! says which files of the tree are good to begin with.

#![cfg_attr(fuzzing, no_main)]

mod targets;

use targets::{TARGETS, Target};

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    static CHOSEN: std::sync::OnceLock<&Target> = std::sync::OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| target(&std::env::var("FUZZ_TARGET").unwrap_or_default()));
    (chosen.run)(octets);
});

#[cfg(not(fuzzing))]
fn main() {
    let mut arguments = std::env::args().skip(1);
    let target = target(&arguments.next().unwrap_or_default());
    let files: Vec<String> = arguments.collect();
    if files.is_empty() {
        target.seeds.iter().for_each(|seeds| println!("{seeds}"));
    }
    for file in files {
        let octets = std::fs::read(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        (target.run)(&octets);
        println!("{file}: ok");
    }
}

fn target(name: &str) -> &'static Target {
    let names = || TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(" ");
    TARGETS
        .iter()
        .find(|target| target.name == name)
        .unwrap_or_else(|| panic!("no target {name:?}; there are: {}", names()))
}

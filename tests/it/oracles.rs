//! Second opinions on the readers that are the project's own: other programs read the same files, and whatever they
//! show is in what is read here. Fixtures, and variants that these programs make themselves.

mod archives;
mod names;
mod office;
mod pdf;
mod sealed;

use std::collections::BTreeSet;

use std::fmt::Write as _;

use crate::documents::{Scratch, all_text, items};

/// What people would notice the lack of: words of four characters and more, and numbers.
fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '-');
    words.filter(|word| word.chars().count() >= 4).map(str::to_lowercase).collect()
}

/// What another program shows of a file must be in what is read of it.
fn assert_read(name: &str, bytes: &[u8], theirs: &str) {
    let items = items(name, bytes);
    let ours = all_text(&items);
    // A program that breaks lines may break them inside a word that is whole here.
    let joined: String = ours.to_lowercase().split_whitespace().collect();
    let theirs = words(theirs);
    assert!(!theirs.is_empty(), "{name}: the other program shows nothing");
    let ours_words = words(&ours);
    let mut missing: Vec<_> = theirs.difference(&ours_words).collect();
    // Numbers of footnotes stand nowhere: whoever shows a text counts them.
    let is_there = |word: &str| joined.contains(word.trim_end_matches(|c: char| c.is_ascii_digit()));
    missing.retain(|word| !joined.contains(word.as_str()) && (!word.starts_with("not") || !is_there(word)));
    assert!(missing.is_empty(), "{name}: {missing:?} is not in {ours}");
}

/// A text with a number on each line and words that no line shares with another.
fn text(lines: usize) -> String {
    (1..=lines).fold(String::new(), |mut text, line| {
        writeln!(text, "Rad{line:03} handlar om 811228-9874 och åtgärd{:04}", line * 7).unwrap();
        text
    })
}

//! Each forgery that the manual speaks of has its tests.

use std::fs;
use std::path::Path;

use super::ROOT;

/// The first cells of the rows of the table whose head begins so.
fn rows(page: &str, head: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(ROOT).join(page)).unwrap();
    let (_, table) = text.split_once(head).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|line| line.split('|').nth(1).unwrap().trim().to_owned()).collect()
}

#[test]
fn each_forgery_that_the_manual_has_names_its_tests() {
    let manual = rows("docs/log.md", "| what the person does | what the log says |");
    assert!(manual.len() > 15, "{}", manual.len());
    // The names of the tests are looked at with those of the other tables there.
    assert_eq!(rows("docs/testing.md", "| what the person does | shown by |"), manual);
}

//! The table of signs in docs/testing.md: every sign that it names has the tests that it names.

use std::fs;
use std::path::Path;

const TESTS: [&str; 11] = [
    "src/rules/receipt/tests.rs",
    "src/rules/receipt/senders.rs",
    "src/policy/receipts/tests.rs",
    "src/policy/receipts/sender.rs",
    "src/facts/automatic/subject/tests.rs",
    "src/limiter/tests.rs",
    "src/notice.rs",
    "src/notice/name.rs",
    "tests/it/mail_cases.rs",
    "src/effects/tests.rs",
    "tests/it/receipts.rs",
];

#[test]
fn every_sign_has_the_tests_that_the_table_names() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read =
        |path: &str| fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let page = read("docs/testing.md");
    let (_, rest) = page.split_once("\n### Signs that decide whether a mail gets a receipt\n").unwrap();
    let section = rest.split("\n### ").next().unwrap();
    let rows: Vec<_> = section.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    let code: String = TESTS.iter().map(|path| read(path)).collect();
    assert!(rows.len() >= 30, "{section}");
    for row in rows {
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let names: Vec<_> = last.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test: {row}");
        for name in names {
            let case = format!("corpus/{name}.toml");
            let known =
                [format!("fn {name}("), format!("    {name}: \"")].iter().any(|known| code.contains(known))
                    || root.join(&case).exists();
            assert!(known, "neither a test nor a case: {name}\n{row}");
        }
    }
}

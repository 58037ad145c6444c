//! `postvakt rules`: the list of rules, and the reference page of one.

use std::io::{self, Write as _};

use crate::rules::{self, Spec};

use super::{USAGE, YES, print_table};

pub(super) fn run(id: Option<&str>, json: bool) -> anyhow::Result<u8> {
    let chosen: Vec<&Spec> =
        rules::ALL.iter().copied().filter(|spec| id.is_none_or(|id| id == spec.id)).collect();
    if chosen.is_empty() {
        let known: Vec<&str> = rules::ALL.iter().map(|spec| spec.id).collect();
        eprintln!("postvakt: there is no rule {:?}; there are: {}", id.unwrap_or_default(), known.join(", "));
        return Ok(USAGE);
    }
    let mut out = io::stdout().lock();
    if json {
        for spec in chosen {
            let row = serde_json::json!({
                "id": spec.id, "summary": spec.summary, "actions": spec.menu.words(), "page": spec.page,
            });
            writeln!(out, "{row}")?;
        }
    } else if id.is_some() {
        for spec in chosen {
            write!(out, "{}", page(spec))?;
        }
    } else {
        drop(out);
        let rows: Vec<Vec<String>> = chosen
            .iter()
            .map(|spec| vec![spec.id.to_owned(), spec.menu.words().join(" "), spec.summary.to_owned()])
            .collect();
        print_table(&["RULE", "ACTIONS", "FINDS"], &rows)?;
    }
    Ok(YES)
}

/// One rule's page, as `docs/rules.md` has it too.
fn page(spec: &Spec) -> String {
    format!("# {}\n\n{}\n\n{}", spec.id, spec.summary, spec.page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_is_current() {
        let mut text = String::from(
            "<!-- Generated from the rules' own pages; `UPDATE_GOLDEN=1 cargo test` writes it anew. -->\n\n",
        );
        for spec in rules::ALL {
            text += &page(spec);
            text.push('\n');
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rules.md");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), text, "docs/rules.md is not current");
    }

    #[test]
    fn every_page_has_the_same_headings() {
        let headings = ["What it finds", "Why it matters", "What it misses", "Settings", "References"];
        for spec in rules::ALL {
            let found: Vec<&str> = spec.page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
            assert_eq!(found, headings, "{}", spec.id);
        }
    }
}

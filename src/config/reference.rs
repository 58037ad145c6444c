//! The reference: every key of the config, once. `docs/configuration.md` and `config/postvakt.toml` are made of it,
//! and tests hold it against what is accepted.

#![deny(clippy::disallowed_methods)]

mod keys;
mod notices;
mod receipts;
mod sensitive;
mod services;

use std::fmt::Write as _;

use keys::{CONTENT, FORWARD, MODE, ON_UNKNOWN, TABLES};
use receipts::RECEIPT;
use sensitive::SENSITIVE;
use services::{MARK, ON_UNKNOWN_VIRUS, SENDER, SERVICES, SPAM, VIRUS};

use crate::rules::{self, ActionSet, Section, Spec};
use crate::settings::{Fallback, Key};

/// One table of the config, as it is documented.
#[derive(Clone, Debug)]
pub struct Documented {
    /// Its header for the reference, `[rules.custom.<name>]`.
    pub header: String,
    /// Its header in the example, `[rules.custom.no-exe]`.
    pub example: String,
    /// What it is for.
    pub about: String,
    /// Its keys.
    pub keys: Vec<Key>,
}

/// Every table, in the order of the example.
pub fn tables() -> Vec<Documented> {
    let mut all: Vec<Documented> = TABLES
        .iter()
        .chain(SERVICES)
        .map(|(header, about, keys)| Documented {
            header: (*header).to_owned(),
            example: (*header).to_owned(),
            about: (*about).to_owned(),
            keys: keys.to_vec(),
        })
        .collect();
    all.extend(rules::ALL.iter().flat_map(|spec| of_rule(spec)));
    all
}

/// The section of a rule, and the tables in it.
fn of_rule(spec: &Spec) -> Vec<Documented> {
    let (path, example) = match spec.section {
        Section::One => (format!("rules.{}", spec.id), format!("rules.{}", spec.id)),
        Section::Named(name) => (format!("rules.{}.<name>", spec.id), format!("rules.{}.{name}", spec.id)),
    };
    let of_menu = match spec.menu {
        ActionSet::Forward => FORWARD,
        ActionSet::Content => CONTENT,
        ActionSet::Virus => VIRUS,
        ActionSet::Sender(_) => SENDER,
        ActionSet::Mark => MARK,
        ActionSet::Spam => SPAM,
        ActionSet::Sensitive => SENSITIVE,
        ActionSet::Receipt => RECEIPT,
    };
    // What depends on programs beside this one is looked at first.
    let mode = match spec.menu {
        ActionSet::Forward | ActionSet::Content | ActionSet::Sensitive => MODE,
        ActionSet::Virus | ActionSet::Mark | ActionSet::Sender(_) => Key { example: "\"observe\"", ..MODE },
        ActionSet::Spam | ActionSet::Receipt => Key {
            default: Fallback::Value("\"enforce\""),
            why: "It keeps no mail from anybody: whoever writes the section wants it done.",
            ..MODE
        },
    };
    let of_unknown: &[Key] = match spec.menu {
        ActionSet::Forward | ActionSet::Content | ActionSet::Receipt | ActionSet::Sensitive => &[ON_UNKNOWN],
        ActionSet::Virus => &[ON_UNKNOWN_VIRUS],
        ActionSet::Mark | ActionSet::Spam | ActionSet::Sender(_) => &[],
    };
    let keys: Vec<Key> = spec.keys.iter().chain(&[mode]).chain(of_menu).chain(of_unknown).copied().collect();
    let (plain, inner): (Vec<Key>, Vec<Key>) = keys.into_iter().partition(|key| !key.example.is_empty());
    let section = Documented {
        header: format!("[{path}]"),
        example: format!("[{example}]"),
        about: spec.summary.to_owned(),
        keys: plain,
    };
    let inner = inner.into_iter().map(|key| Documented {
        header: format!("[[{path}.{}]]", key.name),
        example: format!("[[{example}.{}]]", key.name),
        about: key.meaning.to_owned(),
        keys: key.keys.to_vec(),
    });
    std::iter::once(section).chain(inner).collect()
}

const INTRODUCTION: &str = "\
<!-- Made from the program by `UPDATE_GOLDEN=1 cargo test --test it config`; a test holds it current. -->
# Configuration

Postvakt reads one file in [TOML](https://toml.io), UTF-8, 4 MiB at the most. `config/postvakt.toml` is a complete
example. A key that is not in this reference is an error and never ignored, and so is a rule that this version does
not have.

`postvakt check --config F` prints `F: valid` and exits 0, or prints everything that is wrong and exits 78: one line
for each problem, in the order of the file, as

```text
postvakt.toml:3:1: organisation.domians: is not a key of this table; did you mean `domains`?
```

that is file, line, column (in characters), key, what is wrong, and what would be right. With `--json` it prints an
array of objects with `file`, `line`, `column`, `key`, `problem`, `suggestion` and `severity`. Warnings, such as an
exception that has ended, do not make a config invalid. A running server reads the file again on SIGHUP; it keeps the
old config when the new one is not valid, and says so.

Sizes are a number with its unit: B, kB, MB, GB (powers of 1000), KiB, MiB, GiB (powers of 1024). Time spans are a
number with its unit too: s, min, h, d. Dates are written without quotes. Patterns are regular expressions (<https://docs.rs/regex/latest/regex/#syntax>) that may match
anywhere in the value; they are best written in single quotes, where a backslash is a backslash. A compiled pattern
takes 1 MiB at the most.

A key that names a file takes its name from the directory of the config, unless it begins with `/`. Such a file is
UTF-8, 4 MiB at the most, read and checked with the config, and part of the hash that every record has.
";

/// `docs/configuration.md`.
pub fn markdown() -> String {
    let mut out = INTRODUCTION.to_owned();
    for table in tables() {
        // Writing into a String does not fail.
        let _ = writeln!(out, "\n## `{}`\n\n{}\n", table.header, table.about);
        write_keys(&mut out, &table.keys);
        for key in table.keys.iter().filter(|key| !key.keys.is_empty()) {
            let _ = writeln!(out, "\n### `{}`\n\n{}\n", key.name, key.meaning);
            write_keys(&mut out, key.keys);
        }
    }
    out
}

fn write_keys(out: &mut String, keys: &[Key]) {
    out.push_str("| key | value | without it | meaning | reason for the default | example |\n|---|---|---|---|---|---|\n");
    for key in keys {
        let without = match key.default {
            Fallback::Required => "an error".to_owned(),
            Fallback::Off => "off".to_owned(),
            Fallback::Value(value) => format!("`{value}`"),
            Fallback::Found(how) => how.to_owned(),
        };
        let cells = [
            &*format!("`{}`", key.name),
            key.kind,
            &without,
            key.meaning,
            key.why,
            &format!("`{}`", key.example),
        ];
        for cell in cells {
            let _ = write!(out, "| {} ", cell.replace('|', "\\|"));
        }
        out.push_str("|\n");
    }
}

/// `config/postvakt.toml`.
pub fn example() -> String {
    let mut out = String::from(
        "# The config of postvakt, with every key that there is. What each value may be, and why the defaults are what\n\
         # they are: docs/configuration.md. Check it with: postvakt check --config FILE\n",
    );
    for table in tables() {
        out.push('\n');
        write_comment(&mut out, &table.about);
        // Writing into a String does not fail.
        let _ = writeln!(out, "{}", table.example);
        for key in &table.keys {
            write_key(&mut out, key);
        }
    }
    out
}

fn write_key(out: &mut String, key: &Key) {
    let (off, without) = match key.default {
        Fallback::Required | Fallback::Off => ("", String::new()),
        Fallback::Value(value) => ("", format!(" Without it: {value}.")),
        Fallback::Found(how) => ("# ", format!(" Without it: {how}.")),
    };
    write_comment(out, &format!("{}{without}", key.meaning));
    for inner in key.keys {
        write_comment(out, &format!("  {} = {}: {}", inner.name, inner.example, inner.meaning));
    }
    // Writing into a String does not fail.
    let _ = writeln!(out, "{off}{} = {}", key.name, key.example);
}

/// Comment lines of at most 118 characters.
fn write_comment(out: &mut String, text: &str) {
    let indent = text.len() - text.trim_start().len();
    let mut line = format!("#{:indent$}", "");
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > 118 {
            out.push_str(&line);
            out.push('\n');
            line = format!("#{:1$}", "", indent * 2);
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
}

//! The reference: every key of the config, once. `docs/configuration.md` and `config/postvakt.reference.toml` are made of
//! it, and tests hold it against what is accepted.

#![deny(clippy::disallowed_methods)]

mod central;
mod console;
mod content;
mod disclosure;
mod exceptions;
mod held;
mod keys;
mod mail_tests;
mod notices;
mod receipts;
mod sensitive;
mod services;
mod top;

use std::fmt::Write as _;

use content::CONTENT;
use held::OWNER;
use keys::{FORWARD, MODE, ON_UNKNOWN, ON_UNKNOWN_RECEIPT, TABLES};
use receipts::RECEIPT;
use sensitive::{ALLOW_OVERRIDE, SENSITIVE};
use services::{ATTACHMENT, MARK, ON_UNKNOWN_ATTACHMENT, ON_UNKNOWN_VIRUS, SENDER, SERVICES, SPAM, VIRUS};
use top::{AUTHORITY, AUTHORITY_ABOUT, TOP};

use crate::policy::OVERRIDABLE;
use crate::rules::{self, ActionSet, Section, Spec};
use crate::settings::defaults::Defaults;
use crate::settings::{Fallback, Key};

/// One table of the config, as it is documented.
#[derive(Clone, Debug)]
pub struct Documented {
    /// Its header for the reference, `[rules.custom.<name>]`; empty for what stands before the first table.
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
    let top = ("", "Keys that stand at the top of the file, before the first table.", TOP);
    let mut all: Vec<Documented> = std::iter::once(&top)
        .chain(TABLES)
        .chain(SERVICES)
        .chain(console::TABLES)
        .chain(central::TABLES)
        .map(|(header, about, keys)| Documented {
            header: (*header).to_owned(),
            example: (*header).to_owned(),
            about: (*about).to_owned(),
            keys: keys.to_vec(),
        })
        .collect();
    all.push(Documented {
        header: "[groups.<name>]".to_owned(),
        example: "[groups.hr]".to_owned(),
        about: exceptions::GROUPS_ABOUT.to_owned(),
        keys: exceptions::GROUP.to_vec(),
    });
    all.push(Documented {
        header: "[[authorities]]".to_owned(),
        example: "[[authorities]]".to_owned(),
        about: AUTHORITY_ABOUT.to_owned(),
        keys: AUTHORITY.to_vec(),
    });
    all.extend(rules::ALL.iter().flat_map(|spec| of_rule(spec)));
    all.push(Documented {
        header: "[[tests]]".to_owned(),
        example: "[[tests]]".to_owned(),
        about: mail_tests::ABOUT.to_owned(),
        keys: mail_tests::TEST.to_vec(),
    });
    all
}

/// The documented default of every key, as tables of the config.
pub fn defaults() -> Defaults {
    let mut defaults = Defaults::default();
    for table in tables() {
        defaults.insert(table.header.trim_matches(['[', ']']), Defaults::of(&table.keys));
    }
    defaults
}

/// The section of a rule, and the tables in it.
pub fn of_rule(spec: &Spec) -> Vec<Documented> {
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
        ActionSet::Attachment => ATTACHMENT,
        ActionSet::Spam => SPAM,
        ActionSet::Sensitive => SENSITIVE,
        ActionSet::Receipt => RECEIPT,
    };
    // What depends on programs beside this one is looked at first.
    let mode = match spec.menu {
        ActionSet::Forward | ActionSet::Content | ActionSet::Sensitive => MODE,
        ActionSet::Virus | ActionSet::Mark | ActionSet::Attachment | ActionSet::Sender(_) => {
            Key { example: "\"observe\"", ..MODE }
        }
        ActionSet::Spam | ActionSet::Receipt => Key {
            default: Fallback::Text("enforce"),
            meaning: "`off`: the rule is disabled. `observe`: log only; the log says what the rule would have done. `enforce`: the rule acts.",
            why: "Without the table, the rule is disabled. With it, mail still passes.",
            ..MODE
        },
    };
    let of_unknown: &[Key] = match spec.menu {
        ActionSet::Forward | ActionSet::Content | ActionSet::Sensitive => &[ON_UNKNOWN],
        ActionSet::Receipt => &[ON_UNKNOWN_RECEIPT],
        ActionSet::Virus => &[ON_UNKNOWN_VIRUS],
        ActionSet::Attachment => &[ON_UNKNOWN_ATTACHMENT],
        ActionSet::Mark | ActionSet::Spam | ActionSet::Sender(_) => &[],
    };
    let of_owner: &[Key] = match spec.menu {
        ActionSet::Mark | ActionSet::Spam => &[],
        ActionSet::Forward
        | ActionSet::Content
        | ActionSet::Sensitive
        | ActionSet::Receipt
        | ActionSet::Virus
        | ActionSet::Attachment
        | ActionSet::Sender(_) => &[OWNER],
    };
    let of_override: &[Key] = if spec.id == OVERRIDABLE { &[ALLOW_OVERRIDE] } else { &[] };
    // An exception for forwards has keys of its own.
    let of_exceptions = (spec.menu != ActionSet::Forward).then(|| exceptions::exceptions(spec));
    let mode = [mode];
    let keys = spec
        .keys
        .iter()
        .chain(&mode)
        .chain(of_menu)
        .chain(of_override)
        .chain(of_unknown)
        .chain(of_owner)
        .copied();
    let keys: Vec<Key> = keys.chain(of_exceptions).collect();
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

Postvakt reads one file in [TOML](https://toml.io): UTF-8, at most 4 MiB. It may include others. The default path is
`/etc/postvakt/postvakt.toml`. `postvakt init` writes the first one, in which every rule only logs;
`config/postvakt.reference.toml` has every key as a comment, with its default.

The smallest useful config names the organisation, the sockets and the log, and enables one rule:

```toml
[organisation]
name = \"Exempelby kommun\"
domains = [\"exempelby.se\"]

[server]
listen = [\"unix:/run/postvakt/milter.sock\"]

[store]
directory = \"/var/lib/postvakt\"

[rules.auto-forward]
mode = \"observe\"
```

`postvakt check --config F` validates a file. It prints `F: valid` and exits with 0, or prints every error, one per line
in the order of the file, and exits with 78:

```text
postvakt.toml:3:1: organisation.domians: unknown key; did you mean `domains`?
```

A line has the file, line and column, the key, what is wrong, and what would be right. `--json` prints an array of
objects with `file`, `line`, `column`, `key`, `problem`, `suggestion` and `severity`. An unknown key or rule is always an
error. Warnings, for example about an exception that has ended, do not make a config invalid.

A running server reads its files again on SIGHUP. If anything in them is invalid, the server logs the errors and keeps the
old config.

## More than one file

`include` takes more files into the config, such as one file for each unit that decides for itself:

```toml
include = [\"conf.d/*.toml\"]
```

It stands at the top of the file, before the first table. The files are read as if they stood one below the other: the
main file first, then the included ones in the order of their names. Every error, warning and decision names the file and
line that it comes from. A table or a key must not be in two files; the error names both places. Tables under `[[…]]`, such as
`[[rules.auto-forward.exceptions]]`, may be in any of them, and are appended. Names of files, in included files too, are
relative to the directory of the main file. The config's hash covers all files and their order.

## Values

- **Sizes** are a number and a unit in quotes: `\"10 MB\"`. Units: B, kB, MB, GB (powers of 1000), KiB, MiB, GiB (powers
  of 1024).
- **Time spans** are a number and a unit in quotes: `\"30 s\"`. Units: s, min, h, d, mo, y. A month is a
  twelfth of a year, a year is 365.25 days, both rounded up to whole days, so that nothing is deleted a day too early.
- **Rates** are a count per hour or day: `[\"5/h\", \"20/d\"]`.
- **Dates** are written without quotes: `2027-06-30`.
- **Patterns** are [regular expressions](https://docs.rs/regex/latest/regex/#syntax). They may match anywhere in the value.
  Write them in single quotes, where a backslash needs no escape. A compiled pattern may take at most 1 MiB.
- **Lists of addresses** have addresses (`anna@exempelby.se`), domains (`@exempelby.se`; `@*.exempelby.se` is every domain
  below it) and groups (`group:hr`, see `[groups.<name>]`). A single value needs no brackets. A mailbox inside is meant
  with all its addresses: with a tag (`anna+x@`), and in `alias_domains` and `routing_domains`.
- **Files** are named relative to the directory of the main config file, or by an absolute path. They are UTF-8, at most 4 MiB,
  checked together with the config, and included in the config's hash that each record carries.
";

/// `docs/configuration.md`.
pub fn markdown() -> String {
    let mut out = INTRODUCTION.to_owned();
    for table in tables() {
        // Writing into a String does not fail.
        let heading = if table.header.is_empty() {
            "Top of the file".to_owned()
        } else {
            format!("`{}`", table.header)
        };
        let _ = writeln!(out, "\n## {heading}\n\n{}\n", table.about);
        write_keys(&mut out, &table.keys);
        for key in table.keys.iter().filter(|key| !key.keys.is_empty()) {
            let _ = writeln!(out, "\n### `{}`\n\n{}\n", key.name, key.meaning);
            write_keys(&mut out, key.keys);
        }
    }
    out
}

fn write_keys(out: &mut String, keys: &[Key]) {
    out.push_str("| key | value | default | meaning | reason | example |\n|---|---|---|---|---|---|\n");
    for key in keys {
        let without = match key.default {
            Fallback::Required | Fallback::Off | Fallback::Found(_) => key.default.to_string(),
            Fallback::Text(_) | Fallback::Texts(_) | Fallback::Number(_) | Fallback::Flag(_) => {
                format!("`{}`", key.default)
            }
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

/// `config/postvakt.reference.toml`: every key, and every line a comment. A line that begins with `#` and no space after it
/// is what the config would have.
pub fn example() -> String {
    let mut out = String::from(
        "# Every key of the config, with its meaning and default. All of it is a comment: copy what you need into\n\
         # postvakt.toml, table header included, without the # before it. What each value may be, and why the\n\
         # defaults are what they are: docs/configuration.md.\n",
    );
    for table in tables() {
        out.push('\n');
        write_comment(&mut out, &table.about);
        // Writing into a String does not fail.
        if !table.example.is_empty() {
            let _ = writeln!(out, "#{}", table.example);
        }
        for key in &table.keys {
            write_key(&mut out, key);
        }
    }
    out
}

fn write_key(out: &mut String, key: &Key) {
    let without = match key.default {
        Fallback::Required => " Required.".to_owned(),
        Fallback::Off => String::new(),
        Fallback::Found(how) => format!(" Default: {how}."),
        Fallback::Text(_) | Fallback::Texts(_) | Fallback::Number(_) | Fallback::Flag(_) => {
            format!(" Default: {}.", key.default)
        }
    };
    write_comment(out, &format!("{}{without}", key.meaning));
    for inner in key.keys {
        write_comment(out, &format!("  {} = {}: {}", inner.name, inner.example, inner.meaning));
    }
    // Writing into a String does not fail.
    let _ = writeln!(out, "#{} = {}", key.name, key.example);
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

//! The config: every wrong file in `tests/configs` and what is said about it, the reference, and `postvakt check`.
//!
//! The end of each file there has the expected lines as comments, `#=`; `UPDATE_GOLDEN=1` writes them anew, and the
//! generated documents too.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use postvakt::cli::check::{Args, run};
use postvakt::cli::{CONFIG, YES};
use postvakt::config::load::ConfigDir;
use postvakt::config::{Config, ParseContext, Problems, reference};
use postvakt::settings::{Fallback, Key};

fn parse(text: &str, file: &str) -> Result<Config, Problems> {
    parse_in(&root().join("config"), text, file)
}

fn parse_in(directory: &Path, text: &str, file: &str) -> Result<Config, Problems> {
    let now = "2026-06-01T10:00:00Z".parse().unwrap();
    let files = ConfigDir(directory.to_owned());
    Config::parse(text.as_bytes(), &ParseContext { file, host: "gw1", now, files: &files })
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a file with what it should be, or makes it so.
fn golden(path: &Path, expected: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, expected).unwrap();
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(
        found == expected,
        "{} is not current; UPDATE_GOLDEN=1 writes it. It should be:\n{expected}",
        path.display()
    );
}

/// The config, and what is said about it as its last lines; how many lines that are.
fn what_is_said_stands_in(path: &Path, directory: &Path) -> usize {
    let text = fs::read_to_string(path).unwrap();
    let mut expected = text[..text.find("#=").unwrap_or(text.len())].to_owned();
    let (problems, severity) = match parse_in(directory, &text, "F") {
        Ok(config) => (config.warnings, "warning: "),
        Err(Problems(problems)) => (problems, ""),
    };
    for problem in &problems {
        writeln!(expected, "#= {severity}{problem}").unwrap();
    }
    golden(path, &expected);
    problems.len()
}

#[test]
fn what_is_said_about_wrong_files() {
    let mut count = 0;
    for entry in fs::read_dir(root().join("tests/configs")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            count += what_is_said_stands_in(&path, &root().join("config"));
        }
    }
    assert!(count >= 60, "{count}");
}

#[test]
fn what_is_said_about_configs_of_several_files() {
    let mut count = 0;
    for entry in fs::read_dir(root().join("tests/configs/includes")).unwrap() {
        let directory = entry.unwrap().path();
        count += what_is_said_stands_in(&directory.join("main.toml"), &directory);
    }
    assert!(count >= 20, "{count}");
}

/// A main file that includes these others, in a directory of its own.
fn several(main: &str, others: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("conf.d")).unwrap();
    for (name, text) in others {
        fs::write(directory.path().join("conf.d").join(name), text).unwrap();
    }
    let starter = fs::read_to_string(root().join("config/postvakt.toml")).unwrap();
    fs::write(directory.path().join("postvakt.toml"), format!("{main}{starter}")).unwrap();
    directory
}

const INCLUDE: &str = "include = [\"conf.d/*.toml\"]\n";

#[test]
fn rules_and_exceptions_have_the_places_of_their_files() {
    let directory = root().join("tests/configs/includes/right");
    let text = fs::read_to_string(directory.join("main.toml")).unwrap();
    let config = parse_in(&directory, &text, "/etc/postvakt/postvakt.toml").unwrap();
    let rules: Vec<(&str, String)> =
        config.rules.iter().map(|(rule, policy)| (rule.id(), policy.place.to_string())).collect();
    assert_eq!(
        rules,
        [
            ("auto-forward", "/etc/postvakt/postvakt.toml:11".to_owned()),
            ("custom.no-exe", "/etc/postvakt/conf.d/10-a.toml:8".to_owned())
        ]
    );
    let exceptions: Vec<String> =
        config.exceptions().map(|(_, exception)| exception.place.to_string()).collect();
    assert_eq!(exceptions, ["/etc/postvakt/conf.d/10-a.toml:3", "/etc/postvakt/conf.d/20-b.toml:1"]);
}

#[test]
fn the_hash_covers_every_file_and_their_order() {
    let group = |name: &str| {
        format!(
            "[[rules.auto-forward.exceptions]]\nmailbox = \"{name}@exempelby.se\"\nto = \"@leverantor.example\"\ndecision = \"KS 1\"\nuntil = 2099-12-31\n"
        )
    };
    let hash = |others: &[(&str, &str)]| {
        let directory = several(INCLUDE, others);
        Config::load(&directory.path().join("postvakt.toml")).unwrap().hash
    };
    let (anna, bo) = (group("anna"), group("bo"));
    let all = [
        hash(&[]),
        hash(&[("a.toml", &anna)]),
        hash(&[("a.toml", &anna), ("b.toml", &bo)]),
        hash(&[("a.toml", &bo), ("b.toml", &anna)]),
        hash(&[("a.toml", &format!("{anna}{bo}"))]),
    ];
    let mut different = all.to_vec();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), all.len(), "{all:?}");
}

#[test]
fn included_files_that_cannot_be_read_or_are_too_many_or_too_large() {
    let said = |directory: &Path| check(&directory.join("postvakt.toml"), false).2;
    let directory = several(INCLUDE, &[("a.toml", "")]);
    std::os::unix::fs::symlink("a.toml", directory.path().join("conf.d/b.toml")).unwrap();
    std::os::unix::fs::symlink("d.toml", directory.path().join("conf.d/c.toml")).unwrap();
    std::os::unix::fs::symlink("c.toml", directory.path().join("conf.d/d.toml")).unwrap();
    assert!(said(directory.path()).contains("postvakt.toml:1:12: include: conf.d/c.toml: cannot be read ("));
    let directory = several(INCLUDE, &[]);
    std::os::unix::fs::symlink("../postvakt.toml", directory.path().join("conf.d/a.toml")).unwrap();
    assert!(said(directory.path()).contains("conf.d/a.toml is this file itself"));
    for number in 0..257 {
        fs::write(directory.path().join(format!("conf.d/{number}.toml")), "").unwrap();
    }
    assert!(said(directory.path()).contains("include: names 258 files, more than the maximum of 256; "));
    let large = "#".repeat(3 << 20);
    let directory = several(INCLUDE, &[("a.toml", &large), ("b.toml", &large)]);
    let found = said(directory.path());
    assert!(found.contains("files up to conf.d/b.toml have more than 4194304 bytes together"), "{found}");
}

#[test]
fn the_reference_and_the_example_are_current() {
    golden(&root().join("docs/configuration.md"), &reference::markdown());
    golden(&root().join("config/postvakt.reference.toml"), &reference::example());
}

/// The reference with every key that is a comment there.
fn example() -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(key) if !key.starts_with(' ') => format!("{key}\n"),
        _ => format!("{line}\n"),
    };
    reference::example().lines().map(line).collect()
}

#[test]
fn the_reference_is_all_comments_and_valid_without_them() {
    assert!(reference::example().lines().all(|line| line.is_empty() || line.starts_with('#')));
    let config = parse(&example(), "F").unwrap_or_else(|problems| panic!("{problems}"));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    assert_eq!(config.rules.len(), postvakt::rules::ALL.len());
}

#[test]
fn every_config_of_the_topologies_is_valid() {
    let page = fs::read_to_string(root().join("docs/topologies.md")).unwrap();
    let configs: Vec<&str> =
        page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(configs.len() >= 4);
    for text in configs {
        let config = parse(text, "F").unwrap_or_else(|problems| panic!("{text}\n{problems}"));
        assert!(config.warnings.is_empty() && !config.enforces(), "{text}\n{:?}", config.warnings);
    }
}

#[test]
fn the_starter_is_short_and_only_logs() {
    let text = fs::read_to_string(root().join("config/postvakt.toml")).unwrap();
    assert!(text.lines().count() <= 30);
    let config = parse(&text, "F").unwrap_or_else(|problems| panic!("{problems}"));
    assert!(config.warnings.is_empty() && config.rules.len() >= 5 && !config.enforces());
    assert!(config.exceptions().count() == 0 && config.store.retention.is_empty());
}

/// Every line that says something is damaged at its beginning and at another place; of the comments each tenth.
#[test]
fn a_damaged_file_is_valid_or_says_why() {
    let example = example();
    let mut places = Vec::new();
    let mut begin = 0;
    for (number, line) in example.split_inclusive('\n').enumerate() {
        if !line.starts_with(['#', '\n']) || number % 10 == 0 {
            let inside: Vec<usize> = line.char_indices().map(|(at, _)| begin + at).collect();
            places.extend([begin, inside[number * 7_919 % inside.len()]]);
        }
        begin += line.len();
    }
    assert!(places.len() > 300);
    std::thread::scope(|scope| {
        for half in places.chunks(places.len() / 2 + 1) {
            scope.spawn(|| half.iter().for_each(|at| damage(&example, *at)));
        }
    });
}

/// The file ends there, lacks a character there, or has a quotation mark too many.
fn damage(example: &str, at: usize) {
    let (before, after) = example.split_at(at);
    let without_one: String = after.chars().skip(1).collect();
    for damaged in [before.to_owned(), format!("{before}{without_one}"), format!("{before}\"{after}")] {
        if let Err(Problems(problems)) = parse(&damaged, "F") {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(problem.line.is_some() && !problem.to_string().contains('\n'), "at {at}: {problem}");
            }
        }
    }
}

/// A config with every documented key, and after the keys of each table `extra`.
fn every_key(extra: &str) -> String {
    let mut out = String::new();
    for table in reference::tables() {
        writeln!(out, "{}", table.example).unwrap();
        for key in &table.keys {
            writeln!(out, "{} = {}", key.name, value(key, extra)).unwrap();
        }
        // What stands before the first table has the tables beside it.
        writeln!(out, "{}", if table.example.is_empty() { "" } else { extra }).unwrap();
    }
    out
}

fn value(key: &Key, extra: &str) -> String {
    if key.keys.is_empty() {
        return key.example.to_owned();
    }
    let mut inner: Vec<String> = key.keys.iter().map(|k| format!("{} = {}", k.name, k.example)).collect();
    inner.extend((!extra.is_empty()).then(|| extra.to_owned()));
    let table = format!("{{ {} }}", inner.join(", "));
    if key.example.starts_with('[') { format!("[{table}]") } else { table }
}

#[test]
fn every_documented_key_is_accepted() {
    let config = parse(&every_key(""), "F").unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.server.node, "gw1");
}

#[test]
fn every_accepted_key_is_documented() {
    let mut documented: Vec<Vec<&str>> = Vec::new();
    for table in reference::tables().into_iter().filter(|table| !table.example.is_empty()) {
        let below = format!("{}.", table.example.trim_matches(['[', ']']));
        let name = |inner: &reference::Documented| {
            inner.example.trim_matches(['[', ']']).strip_prefix(&below).map(|name| &*name.to_owned().leak())
        };
        let inner = reference::tables();
        let inner = inner.iter().filter_map(name);
        documented.push(table.keys.iter().map(|key| key.name).chain(inner).collect());
        documented.extend(table.keys.iter().map(|key| key.keys.iter().map(|key| key.name).collect()));
    }
    documented.retain(|keys| !keys.is_empty());
    let Problems(problems) = parse(&every_key("zzzzzzzzzzzz = 1"), "F").unwrap_err();
    let mut accepted: Vec<Vec<&str>> = problems
        .iter()
        .map(|problem| problem.suggestion.strip_prefix("valid keys: ").unwrap().split(", ").collect())
        .collect();
    for keys in documented.iter_mut().chain(&mut accepted) {
        keys.sort_unstable();
    }
    documented.sort();
    accepted.sort();
    assert_eq!(documented, accepted);
}

/// The key as a line of a config, if it is required, if its default is to be written, or for keys below it. Without
/// `mail` there may be no `mail_every`.
fn line(key: &Key, defaults: bool) -> Option<String> {
    if key.default.value().is_some() {
        return defaults.then(|| format!("{} = {}", key.name, key.default));
    }
    let inner: Vec<String> = key.keys.iter().filter_map(|key| line(key, defaults)).collect();
    // An exception names somebody, a group has a member, and a registrar mailboxes.
    let one_of = ["mail", "sender", "members", "mailboxes"];
    let needed = key.default == Fallback::Required || one_of.contains(&key.name);
    let value = match inner.join(", ") {
        inner if inner.is_empty() && !needed => return None,
        _ if key.keys.is_empty() || key.name == "listen" || key.name == "when" => key.example.to_owned(),
        inner if key.example.starts_with('[') => format!("[{{ {inner} }}]"),
        inner => format!("{{ {inner} }}"),
    };
    Some(format!("{} = {value}", key.name))
}

#[test]
fn an_absent_key_has_its_documented_default() {
    let config = |defaults: bool| {
        let mut text = String::new();
        for table in reference::tables() {
            writeln!(text, "{}", table.example).unwrap();
            // A line for each key, so that places in the file are the same.
            for key in &table.keys {
                writeln!(text, "{}", line(key, defaults).unwrap_or_default()).unwrap();
            }
        }
        let config = parse(&text, "F").unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(config.rules.len(), postvakt::rules::ALL.len());
        // Sets are shown in any order.
        let shown = format!("{:?}", Config { hash: String::new(), ..config });
        let mut words: Vec<String> = shown.split([' ', ',', '{', '}', '[', ']']).map(str::to_owned).collect();
        words.sort_unstable();
        words
    };
    let (absent, written) = (config(false), config(true));
    let differing: Vec<_> =
        absent.iter().zip(&written).filter(|(absent, written)| absent != written).take(5).collect();
    assert!(absent == written, "{differing:?}");
}

#[test]
fn required_keys_are_required() {
    for table in reference::tables() {
        for key in table.keys.iter().filter(|key| key.default == Fallback::Required) {
            let line = format!("\n{} = {}\n", key.name, value(key, ""));
            let section =
                every_key("").replace(&format!("{}\n", table.example), &format!("{}\n\n", table.example));
            let at = section.find(&format!("{}\n", table.example)).unwrap();
            let (before, after) = section.split_at(at);
            let without = format!("{before}{}", after.replacen(&line, "\n", 1));
            let said = parse(&without, "F").unwrap_err().to_string();
            assert!(said.contains(&format!("{}: is missing; ", key.name)), "{}: {said}", key.name);
        }
    }
}

fn check(path: &Path, json: bool) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let args = Args {
        config: path.to_owned(),
        probe: false,
        #[cfg(feature = "central")]
        against_nodes: false,
        json,
    };
    let code = run(&args, &mut out, &mut err).unwrap();
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[test]
fn check_says_valid_or_everything() {
    let (code, out, err) = check(&root().join("config/postvakt.toml"), false);
    assert!(code == YES && err.is_empty() && out.ends_with("config/postvakt.toml: valid\n"), "{out}{err}");
    let (code, out, err) = check(&root().join("tests/configs/kinds.toml"), false);
    assert!(code == CONFIG && out.is_empty() && err.lines().count() > 5, "{out}{err}");
}

#[test]
fn check_as_json() {
    let (code, out, err) = check(&root().join("tests/configs/store-and-smtp.toml"), true);
    let problems: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(code == CONFIG && err.is_empty());
    assert_eq!(problems[0]["key"], "server.metrics");
    assert_eq!((&problems[0]["line"], &problems[0]["column"]), (&6.into(), &11.into()));
    assert_eq!(problems[0]["severity"], "error");
    assert!(problems[0]["file"].as_str().unwrap().ends_with("store-and-smtp.toml"));
    assert_eq!(check(&root().join("config/postvakt.toml"), true).1, "[]\n");
}

#[test]
fn files_that_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("postvakt.toml");
    let (code, _, err) = check(&missing, false);
    assert_eq!(code, CONFIG);
    assert!(
        err.starts_with(&format!("{}: no such file; name the file with --config", missing.display())),
        "{err}"
    );
    assert!(check(directory.path(), false).2.contains(": not a regular file; "));
    fs::write(&missing, "#".repeat((4 << 20) + 1)).unwrap();
    assert!(check(&missing, false).2.contains(": larger than 4194304 bytes; "));
}

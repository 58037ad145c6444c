//! What may enter, held by a test: `deny.toml` says it, and this reads it as `cargo deny check licenses bans sources`
//! would, from what cargo knows of every crate that is compiled. It needs no network. Advisories need one: `cargo deny
//! check advisories` reads the same file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use toml::Table;

fn policy() -> Table {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml")).unwrap().parse().unwrap()
}

fn texts<'a>(policy: &'a Table, section: &str, key: &str) -> Vec<&'a str> {
    let list = policy.get(section).and_then(|section| section.get(key)).and_then(toml::Value::as_array);
    list.unwrap_or_else(|| panic!("deny.toml lacks [{section}] {key}"))
        .iter()
        .filter_map(toml::Value::as_str)
        .collect()
}

/// Every crate that is compiled for one of the targets of `deny.toml`, for the program, its tests or its benches.
fn crates() -> Vec<Value> {
    let mut found = BTreeMap::new();
    for target in texts(&policy(), "graph", "targets") {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["metadata", "--locked", "--format-version", "1", "--filter-platform", target]);
        let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
        let compiled: BTreeSet<&str> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
        for package in metadata["packages"].as_array().unwrap() {
            let id = package["id"].as_str().unwrap();
            if compiled.contains(id) {
                found.insert(id.to_owned(), package.clone());
            }
        }
    }
    assert!(found.len() > 200, "{}", found.len());
    found.into_values().collect()
}

fn name(package: &Value) -> String {
    format!("{} {}", package["name"].as_str().unwrap(), package["version"].as_str().unwrap())
}

/// Whether a licence expression (SPDX) can be met with what is allowed. Old manifests write `/` for OR.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = &words[..];
    let met = any(&mut rest, allowed);
    assert!(rest.is_empty(), "{expression}: not an SPDX expression");
    met
}

fn any(words: &mut &[&str], allowed: &[&str]) -> bool {
    let mut met = all(words, allowed);
    while let [first, rest @ ..] = *words
        && *first == "OR"
    {
        *words = rest;
        met |= all(words, allowed);
    }
    met
}

fn all(words: &mut &[&str], allowed: &[&str]) -> bool {
    let mut met = one(words, allowed);
    while let [first, rest @ ..] = *words
        && *first == "AND"
    {
        *words = rest;
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut &[&str], allowed: &[&str]) -> bool {
    match *words {
        ["(", rest @ ..] => {
            *words = rest;
            let met = any(words, allowed);
            assert_eq!(words.first(), Some(&")"), "a parenthesis never ends");
            *words = &words[1..];
            met
        }
        [licence, "WITH", exception, rest @ ..] => {
            *words = rest;
            allowed.contains(&format!("{licence} WITH {exception}").as_str())
        }
        [licence, rest @ ..] => {
            *words = rest;
            allowed.contains(licence)
        }
        [] => panic!("a licence is missing"),
    }
}

#[test]
fn every_licence_is_one_of_those_allowed() {
    let policy = policy();
    let allowed = texts(&policy, "licenses", "allow");
    let crates = crates();
    let licence = |package: &Value| package["license"].as_str().unwrap_or_default().to_owned();
    let refused: Vec<String> = crates
        .iter()
        .filter(|package| !is_allowed(&licence(package), &allowed))
        .map(|package| format!("{}: {}", name(package), licence(package)))
        .collect();
    assert!(refused.is_empty(), "\n{}\n", refused.join("\n"));
    // What no crate needs is not allowed: a list that is too long says nothing.
    for one in &allowed {
        let others: Vec<&str> = allowed.iter().copied().filter(|other| other != one).collect();
        let needed = crates.iter().any(|package| !is_allowed(&licence(package), &others));
        assert!(needed, "no crate needs the licence {one}");
    }
}

#[test]
fn every_crate_comes_from_the_registry_in_a_version_that_is_given() {
    let policy = policy();
    let sources = &policy["sources"];
    assert!(
        sources["unknown-registry"].as_str() == Some("deny")
            && sources["unknown-git"].as_str() == Some("deny")
    );
    assert_eq!(policy["bans"]["wildcards"].as_str(), Some("deny"));
    let mut wrong = Vec::new();
    for package in crates() {
        match package["source"].as_str() {
            Some("registry+https://github.com/rust-lang/crates.io-index") => {}
            Some(other) => wrong.push(format!("{}: from {other}", name(&package))),
            None => {
                let dependencies = package["dependencies"].as_array().unwrap();
                let wild = dependencies.iter().filter(|one| one["req"] == "*" && one["path"].is_null());
                wrong.extend(wild.map(|one| format!("{}: any version of {}", name(&package), one["name"])));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn two_versions_of_one_crate_are_those_that_are_known() {
    let policy = policy();
    assert_eq!(policy["bans"]["multiple-versions"].as_str(), Some("deny"));
    let skipped = policy["bans"]["skip"].as_array().unwrap();
    let skipped: BTreeSet<String> =
        skipped.iter().map(|one| one["crate"].as_str().unwrap().replace('@', " ")).collect();
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in crates() {
        let version = name(&package);
        let known = versions.entry(package["name"].as_str().unwrap().to_owned()).or_default();
        if !skipped.contains(&version) {
            known.push(version.clone());
        }
    }
    let twice: Vec<_> = versions.values().filter(|versions| versions.len() > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let compiled: BTreeSet<String> = crates().iter().map(name).collect();
    let gone: Vec<_> = skipped.difference(&compiled).collect();
    assert!(gone.is_empty(), "no longer compiled: {gone:?}");
}

#[test]
fn an_advisory_is_set_aside_with_its_reason_and_for_a_crate_that_is_there() {
    let compiled: BTreeSet<String> =
        crates().iter().map(|package| package["name"].as_str().unwrap().to_owned()).collect();
    for ignored in policy()["advisories"]["ignore"].as_array().unwrap() {
        let reason = ignored["reason"].as_str().unwrap();
        let (of, why) = reason.split_once(": ").unwrap();
        assert!(compiled.contains(of) && why.len() > 20, "{ignored}");
    }
}

#[test]
fn licences_are_read_as_they_are_meant() {
    let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"];
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("GPL-3.0-only OR MIT", true),
        ("MIT/GPL-3.0-only", true),
        ("MIT AND GPL-3.0-only", false),
        ("(MIT OR GPL-3.0-only) AND Apache-2.0", true),
        ("MIT AND (ISC OR Zlib)", false),
        ("ISC OR MIT AND Apache-2.0", true),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("MIT WITH LLVM-exception", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), met, "{expression}");
    }
}

//! The rules of the house, held by a test: layers, the sizes of files, where the outer world is named.

mod circles;
mod forgeries;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Crates that one place alone may name.
const HOMES: &[(&str, &[&str])] = &[
    ("mail_parser", &["src/mime/charset.rs"]),
    ("mail_auth", &["src/gather/auth.rs", "src/gather/auth/"]),
    ("htmlize", &["src/markup/entities.rs"]),
    ("flate2", &["src/documents/inflate.rs"]),
    ("sevenz_rust2", &["src/documents/lzma.rs"]),
    ("rars", &["src/documents/rar/packed.rs"]),
    ("lzma_rust2", &["src/documents/lzma.rs"]),
    ("prometheus", &["src/metrics.rs"]),
    ("axum", &["src/console.rs", "src/console/"]),
    ("form_urlencoded", &["src/console/form.rs"]),
    ("tokio_rustls", &["src/console/openid/https.rs"]),
    ("minijinja", &["src/templates.rs", "src/export/page.rs", "src/console/page.rs", "src/console/page/"]),
    ("lru", &["src/gather/seen.rs", "src/gather/habits.rs", "src/gather/deferrals.rs"]),
    ("rusqlite", &["src/store.rs", "src/store/"]),
    ("regex", &["src/rules/custom/pattern.rs"]),
    (
        "hyper",
        &[
            "src/daemon/web.rs",
            "src/gather/scanner/rspamd.rs",
            "src/cli/log/follow/http.rs",
            "src/console/serve.rs",
            "src/console/openid/https.rs",
        ],
    ),
    ("clap", &["src/cli.rs", "src/cli/"]),
    ("toml", &["src/config/raw.rs", "src/cli/demo", "src/console/page/words.rs"]),
    ("strsim", &["src/settings/parse.rs"]),
    ("idna", &["src/address.rs"]),
    ("unicode_security", &["src/rules/confusable.rs"]),
    ("icu_normalizer", &["src/address.rs", "src/text/fold/compatible.rs"]),
    ("aho_corasick", &["src/scan/"]),
    ("hmac", &["src/facts/identity.rs"]),
    ("ldap3", &["src/gather/directory.rs"]),
    ("rustls", &["src/gather/trust.rs"]),
    ("rustls_native_certs", &["src/gather/trust.rs"]),
    ("csv", &["src/export", "src/cli/exchange/table.rs"]),
    ("rust_xlsxwriter", &["src/export/xlsx.rs"]),
    ("ed25519_dalek", &["src/note.rs"]),
    ("base64", &["src/note.rs", "src/console/openid/exchange.rs"]),
    ("arc_swap", &["src/pipeline.rs", "src/daemon.rs"]),
    ("sd_notify", &["src/daemon/service.rs", "src/cli/console.rs"]),
    ("listenfd", &["src/milter/listener/handed_over.rs"]),
    ("aes", &["src/documents/crypto.rs"]),
    ("md5", &["src/documents/crypto.rs"]),
    ("sha1", &["src/documents/crypto.rs"]),
    ("seccompiler", &["src/worker/confine.rs"]),
    ("tokio_postgres", &["src/central.rs", "src/central/"]),
    ("tokio_postgres_rustls", &["src/central/connect.rs"]),
    ("mimalloc", &["src/main.rs"]),
    ("simdutf8", &["src/text.rs"]),
    ("libc", &["src/worker/confine.rs"]),
    ("zip", &["src/cli/operator/console.rs"]),
];

/// The modules that touch the world; all others are pure and say so.
const SHELL: &[&str] = &[
    "src/lib.rs",
    "src/main.rs",
    "src/metrics.rs",
    "src/milter.rs",
    "src/milter/connection",
    "src/milter/listener",
    "src/config/load.rs",
    "src/store",
    "src/tail",
    "src/export",
    "src/report",
    "src/limiter",
    "src/gather",
    "src/worker",
    "src/pipeline",
    "src/central",
    "src/courier",
    "src/held",
    "src/daemon",
    "src/console",
    "src/cli",
];

const LINES_AT_MOST: usize = 600;

struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The code before the tests: without comments, so that words about a crate are no use of it.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().take_while(|(_, line)| *line != "#[cfg(test)]");
        lines
            .map(|(at, line)| (at + 1, line.split("//").next().unwrap_or("")))
            .filter(|(_, line)| !line.trim().is_empty())
    }

    /// The module of the crate root that the file belongs to.
    fn module(&self) -> &str {
        let inner = self.path.trim_start_matches("src/");
        inner.split(['/', '.']).next().unwrap_or(inner)
    }

    fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path.starts_with(place))
    }
}

fn sources(folder: &str) -> Vec<Source> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    collect(&Path::new(ROOT).join(folder), &mut paths);
    paths.sort();
    let name = |path: &Path| path.strip_prefix(ROOT).unwrap().to_string_lossy().into_owned();
    paths.iter().map(|path| Source { path: name(path), text: fs::read_to_string(path).unwrap() }).collect()
}

/// Whether the line has the name, and not as the end of another.
fn names(line: &str, name: &str) -> bool {
    line.match_indices(name)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric()) || name.starts_with('.'))
}

fn fail_with(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// What gives rows of the log without an entry in the access log. It is private to the store, and used in one place.
const READERS: [&str; 10] = [
    "Log::open(",
    "Prover::new(",
    "single::read(",
    "outbox::list(",
    ".log.search(",
    ".log.after(",
    ".log.sample(",
    ".log.totals(",
    ".log.findings(",
    ".accesses.list",
];

#[test]
fn rows_of_the_log_are_read_within_a_session_alone() {
    let mut problems = Vec::new();
    let mut used = 0;
    for source in sources("src") {
        for (at, line) in source.code() {
            for reader in READERS.into_iter().filter(|reader| names(line, reader)) {
                used += 1;
                if !source.path.starts_with("src/store/session") {
                    problems.push(format!("{}:{at}: `{reader}` reads rows without a session", source.path));
                }
            }
            let opens = source.path.starts_with("src/store/search") && line.starts_with("    pub fn ");
            if opens && source.text.contains("impl Log {") {
                problems.push(format!("{}:{at}: the log is read from outside of the store", source.path));
            }
        }
    }
    assert!(used >= READERS.len(), "the session reads by other names now: {used}");
    fail_with(&problems);
}

#[test]
fn modules_use_only_what_stands_above_them_in_lib_rs() {
    let lib = fs::read_to_string(Path::new(ROOT).join("src/lib.rs")).unwrap();
    let order: Vec<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let rank: BTreeMap<&str, usize> = order.iter().enumerate().map(|(at, name)| (*name, at)).collect();
    assert!(rank.len() > 10, "lib.rs lists the modules");
    let mut problems = Vec::new();
    for source in sources("src") {
        let Some(own) = rank.get(source.module()) else { continue };
        // A group, `use crate::{a, b::c}`, may run over several lines.
        let mut in_group = false;
        for (at, line) in source.code() {
            let mut names: Vec<&str> = line.split("crate::").skip(1).map(first_word).collect();
            if in_group || line.contains("crate::{") {
                let inside = line.split("crate::{").last().unwrap_or(line);
                names.extend(inside.split([',', '{', '}', ' ', ';']).map(first_word));
                in_group = !line.contains("};");
            }
            for name in names {
                if rank.get(name).is_some_and(|used| used > own) {
                    problems.push(format!(
                        "{}:{at}: `{}` stands above `{name}`",
                        source.path,
                        source.module()
                    ));
                }
            }
        }
    }
    fail_with(&problems);
}

fn first_word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("")
}

/// Lines of the operational log are for people: a value is shown as itself (`%`), not in Rust's own form (`?`).
#[test]
fn no_line_of_the_log_has_a_value_in_rusts_form() {
    let mut problems = Vec::new();
    for source in sources("src") {
        let mut inside = false;
        for (at, line) in source.code() {
            inside |= line.contains("tracing::") && line.contains("!(");
            if inside && (line.contains("= ?") || line.contains(", ?") || line.contains("(?")) {
                problems.push(format!("{}:{at}: {}", source.path, line.trim()));
            }
            inside &= !line.trim_end().ends_with(';');
        }
    }
    fail_with(&problems);
}

#[test]
fn inside_a_module_nothing_uses_what_uses_it() {
    let sources = sources("src");
    let files = sources.iter().map(|source| (source.path.trim_start_matches("src/"), &*source.text));
    let circles = circles::Crate::of(files).circles();
    fail_with(&circles.iter().map(ToString::to_string).collect::<Vec<_>>());
}

#[test]
fn a_circle_is_seen_however_it_is_written() {
    let circles = |files: &[(&str, &str)]| {
        let circles = circles::Crate::of(files.iter().copied()).circles();
        circles.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let b = ("a/b.rs", "use super::c::{\n    self,\n    D,\n};");
    for back in [
        "use super::b::E;",
        "use crate::a::{d::F, b};",
        "fn f() { super::b::g(); }",
        "fn f() { let x: crate::a::b::E = y; }",
        // What a module hands on of another is the other's.
        "use super::E;",
        "use crate::a::E as F;",
    ] {
        let all = [("a.rs", "pub use b::{E, g};"), b, ("a/c.rs", back), ("a/d.rs", "")];
        assert_eq!(circles(&all), "inside a:\n  a::b uses a::c\n  a::c uses a::b", "{back}");
        // Deep inside two modules it is a circle of these.
        let deep = back.replace("super::", "super::super::");
        let deep = [("a.rs", "pub use b::{E, g};"), b, ("a/c.rs", ""), ("a/c/i.rs", &deep)];
        assert_eq!(circles(&deep), "inside a:\n  a::b uses a::c\n  a::c::i uses a::b", "{back}");
    }
    for no_circle in [
        "use super::d::E;",
        "use super::Other;",
        "// super::b::E",
        "fn f() { \"super::b::E\" }",
        "#[cfg(test)]\nuse super::b::E;",
        "#[cfg(test)]\nmod tests {\n    use super::super::b::E;\n}",
        "use std::b::E;",
    ] {
        let all = [("a.rs", "pub use b::{E, g};\nstruct Other;"), b, ("a/c.rs", no_circle), ("a/d.rs", "")];
        assert_eq!(circles(&all), "", "{no_circle}");
    }
}

#[test]
fn each_crate_is_named_where_it_belongs() {
    let mut problems = Vec::new();
    for source in sources("src") {
        for (name, homes) in HOMES {
            for (at, line) in source.code() {
                let used = line.contains(&format!("{name}::"))
                    && line.split(&format!("{name}::")).next().is_some_and(|before| {
                        !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
                    });
                if used && !source.is_in(homes) {
                    problems.push(format!(
                        "{}:{at}: names {name}, which belongs in {}",
                        source.path,
                        homes.join(", ")
                    ));
                }
            }
        }
    }
    fail_with(&problems);
}

#[test]
fn pure_modules_say_that_they_are() {
    let pure = |source: &&Source| !source.is_in(SHELL);
    let silent = |source: &&Source| !source.text.contains("#![deny(clippy::disallowed_methods)]");
    // A file of tests belongs to the module that it tests.
    let tests = |source: &&Source| source.path.ends_with("tests.rs");
    let sources = sources("src");
    let problems = sources.iter().filter(pure).filter(silent).filter(|source| !tests(source));
    let problems: Vec<String> =
        problems.map(|source| format!("{}: a pure module denies disallowed_methods", source.path)).collect();
    fail_with(&problems);
}

#[test]
fn every_file_begins_with_its_sentence_and_ends_in_time() {
    let mut problems = Vec::new();
    for source in ["src", "tests", "benches"].iter().flat_map(|folder| sources(folder)) {
        if !source.text.starts_with("//! ") {
            problems.push(format!("{}: the first line says what the file is for", source.path));
        }
        let lines = source.text.lines().count();
        if lines > LINES_AT_MOST {
            problems.push(format!("{}: {lines} lines; {LINES_AT_MOST} is the end", source.path));
        }
    }
    fail_with(&problems);
}

#[test]
fn what_the_documents_say_a_test_shows_is_a_test() {
    let text = fs::read_to_string(Path::new(ROOT).join("docs/testing.md")).unwrap();
    let (_, table) = text.split_once("### Cases of sensitive data").unwrap();
    let code: String =
        sources("tests").iter().chain(&sources("src")).map(|source| source.text.clone()).collect();
    let mut count = 0;
    let mut problems = Vec::new();
    for name in table.split('`').skip(1).step_by(2).filter(|name| name.contains("::")) {
        count += 1;
        // A name may end in `…`, or be a module's.
        let last = name.trim_end_matches("::").rsplit("::").next().unwrap();
        let (begin, end) = last.split_once('…').map_or((last, "("), |(begin, _)| (begin, ""));
        let known = [format!("fn {begin}{end}"), format!("mod {begin};")];
        if !known.iter().any(|known| code.contains(known.as_str())) {
            problems.push(format!("{name}: there is no such test"));
        }
    }
    assert!(count > 20, "{count}");
    fail_with(&problems);
}

#[test]
fn the_page_on_header_fields_has_all_that_are_written() {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/headers.md")).unwrap();
    let code: String = sources("src").iter().map(|source| source.text.clone()).collect();
    let names = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        let ours = words.filter(|word| word.starts_with("X-Postvakt-") && word.len() > "X-Postvakt-".len());
        ours.map(str::to_owned).collect()
    };
    assert_eq!(names(&page), names(&code));
}

#[test]
fn every_dependency_says_why() {
    let manifest = fs::read_to_string(Path::new(ROOT).join("Cargo.toml")).unwrap();
    let mut section = "";
    let mut problems = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.contains("dependencies]") && line.contains(" = ") && !line.contains("# ") {
            problems.push(line.to_owned());
        }
    }
    fail_with(&problems);
}

#[test]
fn nothing_can_discard_mail() {
    // The protocol's discard reply is the byte `d` alone; nothing in the program writes or names it.
    let forbidden = ["Discard", "DISCARD", "b'd'"];
    let mut problems = Vec::new();
    for source in sources("src") {
        for (at, line) in source.code() {
            if forbidden.iter().any(|word| line.contains(word)) {
                problems.push(format!("{}:{at}: {}", source.path, line.trim()));
            }
        }
    }
    fail_with(&problems);
}

#[test]
fn the_queue_helper_alone_touches_the_queue_and_removes_nothing() {
    let mut problems = Vec::new();
    let mut used = 0;
    for source in sources("src") {
        for (at, line) in source.code() {
            let runs = ["postsuper", "postcat", "postqueue"];
            let names = runs.iter().any(|name| line.contains(&format!("command(\"{name}\")")));
            let removes = source.path == "src/cli/queue_helper.rs" && line.contains("\"-d\"");
            used += usize::from(names);
            if (names && source.path != "src/cli/queue_helper.rs") || removes {
                problems.push(format!("{}:{at}: {}", source.path, line.trim()));
            }
        }
    }
    assert!(used >= 3, "the queue helper runs Postfix's commands by another name now: {used}");
    fail_with(&problems);
}

#[test]
fn every_decision_has_its_number_and_a_status() {
    let folder = Path::new(ROOT).join("docs/decisions");
    let mut problems = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let text = fs::read_to_string(folder.join(&name)).unwrap();
        let mut lines = text.lines();
        let numbered = name.split_once('-').is_some_and(|(number, _)| {
            lines.next().is_some_and(|title| title.starts_with(&format!("# {number}: ")))
        });
        let status = lines.nth(1).and_then(|line| line.strip_prefix("Status: ")).unwrap_or_default();
        let known = match status.strip_prefix("superseded by ") {
            Some(link) => {
                let file = link.split_once("](").map_or("", |(_, rest)| rest.trim_end_matches(')'));
                folder.join(file).is_file()
            }
            None => status.starts_with("accepted"),
        };
        if !numbered || !known {
            problems.push(format!(
                "docs/decisions/{name}: its first line is `# NNN: title`, its third a `Status:`"
            ));
        }
    }
    fail_with(&problems);
}

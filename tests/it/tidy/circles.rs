//! Circles: inside each module, which of its modules use one another, read from the paths that the code names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A module by its path from the root of the crate.
type Module = Vec<String>;

/// One module of which something is used by another: which, and by which.
type Ties = BTreeMap<(Module, Module), (Module, Module)>;

/// Modules inside one that use each other in a circle.
pub(super) struct Circle {
    /// The module that they are inside of.
    pub inside: String,
    /// `from uses to`, of each tie one.
    ties: Vec<String>,
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "inside {}:\n  {}", self.inside, self.ties.join("\n  "))
    }
}

/// How often a name is followed through what a module hands on.
const HANDED_ON: usize = 8;

/// The modules of the crate, each with the paths that its code names.
pub(super) struct Crate(BTreeMap<Module, Vec<Vec<String>>>);

impl Crate {
    /// Reads modules: the path of each file from `src/`, and its code.
    pub(super) fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let modules = files.into_iter().filter_map(|(path, code)| {
            let module: Module = path.strip_suffix(".rs")?.split('/').map(str::to_owned).collect();
            let own = |name: &String| matches!(&**name, "lib" | "main" | "tests" | "testing");
            (!module.iter().any(own)).then(|| (module, paths(&without_tests(code))))
        });
        Self(modules.collect())
    }

    /// The circles of modules that stand side by side. A module and what is inside it are one: that they use each other
    /// is no circle.
    pub(super) fn circles(&self) -> Vec<Circle> {
        let mut ties: BTreeMap<Module, Ties> = BTreeMap::new();
        for (from, to) in self.uses() {
            let shared = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
            if let (Some(one), Some(other)) = (from.get(..=shared), to.get(..=shared)) {
                let level = ties.entry(from[..shared].to_vec()).or_default();
                level.entry((one.to_vec(), other.to_vec())).or_insert((from, to));
            }
        }
        let circles = ties.iter().map(|(module, ties)| Circle { inside: name(module), ties: circle(ties) });
        circles.filter(|circle| !circle.ties.is_empty()).collect()
    }

    /// Each module with each other module of which it names something.
    fn uses(&self) -> BTreeSet<(Module, Module)> {
        let all = self.0.iter().flat_map(|(module, paths)| paths.iter().map(move |path| (module, path)));
        let named =
            all.filter_map(|(module, path)| Some((module.clone(), self.home(module, path, HANDED_ON)?)));
        named.filter(|(from, to)| from != to).collect()
    }

    /// The module in which that is defined which a path names.
    fn home(&self, module: &Module, path: &[String], hops: usize) -> Option<Module> {
        let mut at = match path.first()?.as_str() {
            "crate" => Module::new(),
            "self" => module.clone(),
            "super" => module.split_last()?.1.to_vec(),
            inside => {
                let child = below(module, inside);
                self.0.contains_key(&child).then_some(child)?
            }
        };
        let mut rest = path[1..].iter().peekable();
        while let Some(name) = rest.peek() {
            let next = if **name == "super" { at.split_last()?.1.to_vec() } else { below(&at, name) };
            if **name != "super" && !self.0.contains_key(&next) {
                break;
            }
            at = next;
            rest.next();
        }
        let (Some(name), Some(paths), true) = (rest.next(), self.0.get(&at), hops > 0) else {
            return Some(at);
        };
        // What the module hands on of another is the other's.
        let handed_on = paths.iter().find(|path| path.len() > 1 && path.last() == Some(name));
        Some(handed_on.and_then(|path| self.home(&at, path, hops - 1)).unwrap_or(at))
    }
}

fn below(module: &Module, name: &str) -> Module {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

fn name(module: &Module) -> String {
    module.join("::")
}

/// What is left of the ties when each is taken away that leads nowhere or comes from nowhere.
fn circle(ties: &Ties) -> Vec<String> {
    let mut left: BTreeSet<_> = ties.keys().collect();
    loop {
        let used: BTreeSet<_> = left.iter().map(|(_, to)| to).collect();
        let using: BTreeSet<_> = left.iter().map(|(from, _)| from).collect();
        let before = left.len();
        left = left.iter().copied().filter(|(from, to)| used.contains(from) && using.contains(to)).collect();
        if left.len() == before {
            break;
        }
    }
    let left = left.iter().filter_map(|tie| ties.get(tie));
    left.map(|(from, to)| format!("{} uses {}", name(from), name(to))).collect()
}

/// The code without comments, texts and tests.
fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            match lines.next() {
                Some(next) if next.trim_end().ends_with('{') && next.contains("mod ") => break,
                _ => continue,
            }
        }
        let line = line.split("//").next().unwrap_or_default();
        for (at, outside) in line.split('"').enumerate() {
            kept.push_str(if at % 2 == 0 { outside } else { "\"\"" });
        }
        kept.push('\n');
    }
    kept
}

/// Every path of more than one name in the code, and of a group each.
fn paths(code: &str) -> Vec<Vec<String>> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins = is_name(tokens[at]) && tokens.get(at + 1) == Some(&"::");
        if begins {
            at = tree(&tokens, at, &mut Vec::new(), &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads a path, or a tree of paths with braces, and says where the next token is.
fn tree(tokens: &[&str], mut at: usize, stem: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    let outer = stem.len();
    while let Some(name) = tokens.get(at).filter(|token| is_name(token)) {
        stem.push((*name).to_owned());
        at += 1;
        if tokens.get(at) != Some(&"::") {
            break;
        }
        at += 1;
    }
    if tokens.get(at) == Some(&"{") && at > 0 && tokens[at - 1] == "::" {
        at += 1;
        while let Some(token) = tokens.get(at).filter(|token| **token != "}") {
            at = if is_name(token) { tree(tokens, at, stem, found) } else { at + 1 };
        }
        at += 1;
    } else {
        found.push(stem.iter().filter(|name| *name != "self" || stem[0] == "self").cloned().collect());
    }
    stem.truncate(outer);
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let length = match first {
            _ if word(first) => rest.find(|c| !word(c)).unwrap_or(rest.len()),
            ':' if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

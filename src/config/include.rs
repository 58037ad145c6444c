//! `include`: the tables of several files as those of one. Every value keeps its place in the file where it stands.

#![deny(clippy::disallowed_methods)]

use std::path::Path;

use super::{ParseContext, raw};
use crate::limits;
use crate::settings::files::is_pattern;
use crate::settings::problem::Fault;
use crate::settings::report::Report;
use crate::settings::source::Source;
use crate::settings::{Entry, INCLUDE, Kind, Table, Value, parse};

/// The tables in the file and in those that it includes, and a report that has what is wrong so far. No tables where
/// nobody could say what belongs to the config.
pub(super) fn parse<'a>(bytes: &'a [u8], around: &ParseContext<'a>) -> (Option<Table>, Report<'a>) {
    let mut report = Report::on_nothing(around.files);
    let table = match raw::decode(bytes) {
        Ok(text) => read(Source::new(around.file, text), &mut report),
        Err((text, fault)) => not_text(Source::new(around.file, text), fault, &mut report),
    };
    let Some(mut table) = table else { return (None, report) };
    let Some(include) = table.entries.iter().find(|entry| entry.key == INCLUDE) else {
        return (Some(table), report);
    };
    let mut whole = Includes { main: bytes, around, octets: bytes.len(), known: Vec::new(), complete: true };
    for name in whole.names(&include.value.clone(), &report) {
        whole.add(&mut table, &name, &mut report);
    }
    (whole.complete.then_some(table), report)
}

/// The tables of one file; every broken line is told.
fn read<'a>(source: Source<'a>, report: &mut Report<'a>) -> Option<Table> {
    let begin = report.next_offset();
    let (table, broken) = raw::tables(&source, begin);
    report.add_source(source);
    for (at, fault) in broken {
        report.syntax(begin + at, fault);
    }
    table
}

fn not_text<'a>(source: Source<'a>, fault: Fault, report: &mut Report<'a>) -> Option<Table> {
    let end = source.text.len();
    let begin = report.add_source(source);
    report.syntax(begin + end, fault);
    None
}

/// A file to include, and where it is asked for.
struct Named {
    at: usize,
    name: String,
}

/// What is included.
struct Includes<'i, 'a> {
    main: &'i [u8],
    around: &'i ParseContext<'a>,
    /// Of all files so far.
    octets: usize,
    known: Vec<String>,
    /// Whether every file could be read. What stands in one that could not may be what others ask for.
    complete: bool,
}

impl<'a> Includes<'_, 'a> {
    fn wrong(&mut self, report: &Report<'a>, at: usize, fault: Fault) {
        report.wrong(at, INCLUDE.to_owned(), fault);
        self.complete = false;
    }

    /// The files that the key names, those of a pattern in the order of their names.
    fn names(&mut self, value: &Value, report: &Report<'a>) -> Vec<Named> {
        let mut all = Vec::new();
        if value.one_or_more().is_empty() {
            let fault = Fault::new("is empty", "write include = [\"conf.d/*.toml\"], or remove the key");
            self.wrong(report, value.at, fault);
        }
        for value in value.one_or_more() {
            match pattern(value).and_then(|pattern| Ok((pattern, report.list(pattern)?))) {
                Ok((pattern, names)) => {
                    if names.is_empty() {
                        let right = "add a file there, or remove it from include";
                        let fault = Fault::new(format!("{} matches no file", parse::shown(pattern)), right);
                        report.warn(value.at, INCLUDE.to_owned(), fault);
                    }
                    all.extend(names.into_iter().map(|name| Named { at: value.at, name }));
                }
                Err(fault) => self.wrong(report, value.at, fault),
            }
        }
        if let Some(Named { at, .. }) = all.get(limits::CONFIG_INCLUDES) {
            let (count, most) = (all.len(), limits::CONFIG_INCLUDES);
            let problem = format!("names {count} files, more than the maximum of {most}");
            self.wrong(report, *at, Fault::new(problem, "combine some of them"));
            all.clear();
        }
        all
    }

    /// Puts the tables of the file into those that are known.
    fn add(&mut self, table: &mut Table, named: &Named, report: &mut Report<'a>) {
        let Named { at, name } = named;
        let bytes = match self.fetch(name, report) {
            Ok(bytes) => bytes,
            Err(fault) => return self.wrong(report, *at, fault),
        };
        report.count_in(name, &bytes);
        let beside = Path::new(self.around.file).parent().unwrap_or(Path::new(""));
        let file = beside.join(name).display().to_string();
        let own = match raw::decode(&bytes) {
            Ok(text) => read(Source::new(file, text.to_owned()), report),
            Err((text, fault)) => not_text(Source::new(file, text.to_owned()), fault, report),
        };
        let Some(mut own) = own else {
            self.complete = false;
            return;
        };
        if let Some(place) = own.entries.iter().position(|entry| entry.key == INCLUDE) {
            let nested = own.entries.remove(place);
            let right = format!("name the files in {}", self.around.file);
            self.wrong(report, nested.at, Fault::new("an included file must not include others", right));
        }
        merge(table, own, "", report);
    }

    fn fetch(&mut self, name: &str, report: &Report<'a>) -> Result<Vec<u8>, Fault> {
        if self.known.iter().any(|known| known == name) {
            return Err(Fault::new(format!("{name} is included twice"), "name it once"));
        }
        self.known.push(name.to_owned());
        let bytes = report.fetch(name, limits::CONFIG_OCTETS)?;
        if bytes == self.main {
            let problem = format!("{name} is this file itself, which would include itself without end");
            return Err(Fault::new(problem, "name only other files, such as \"conf.d/*.toml\""));
        }
        self.octets += bytes.len();
        let most = limits::CONFIG_OCTETS;
        if self.octets as u64 > most {
            let problem = format!("the config's files up to {name} have more than {most} bytes together");
            return Err(Fault::new(problem, "remove some; put long lists into files of groups"));
        }
        Ok(bytes)
    }
}

/// A file's name, or a pattern for the names in one directory.
fn pattern(value: &Value) -> Result<&str, Fault> {
    let given = parse::text(value)?;
    let right = "write \"conf.d/*.toml\"";
    match given.rsplit_once('/') {
        Some((directory, _)) if is_pattern(directory) => {
            let problem = format!("{} has * or ? in the name of a directory", parse::shown(given));
            Err(Fault::new(problem, right))
        }
        Some((_, "")) => Err(Fault::new(format!("{} is a directory", parse::shown(given)), right)),
        _ if given.is_empty() => Err(Fault::new("names no file", right)),
        _ => Ok(given),
    }
}

/// Adds tables to others, as if they stood below them in the same file: no table and no key may be there twice, and
/// tables under one `[[name]]` follow those that are there.
fn merge(into: &mut Table, from: Table, path: &str, report: &Report<'_>) {
    for entry in from.entries {
        let Some(known) = into.entries.iter_mut().find(|known| known.key == entry.key) else {
            into.entries.push(entry);
            continue;
        };
        let shown = parse::shown_key(&entry.key);
        let path = if path.is_empty() { shown } else { format!("{path}.{shown}") };
        let both = (written(known), written(&entry));
        match (&mut known.value.kind, both, entry.value.kind) {
            (
                Kind::Table(inner),
                (Written::Path, Written::Path | Written::Header) | (Written::Header, Written::Path),
                Kind::Table(more),
            ) => {
                if both.1 == Written::Header {
                    inner.at = more.at;
                    (known.at, known.value.at) = (entry.at, entry.value.at);
                }
                merge(inner, more, &path, report);
            }
            (Kind::List(items), (Written::Header, Written::Header), Kind::List(more)) => items.extend(more),
            _ => {
                let (file, line) = report.place(known.at);
                let fault = Fault::new(format!("is also in {file}:{line}"), "keep one of the two");
                report.wrong(entry.at, path, fault);
            }
        }
    }
}

/// How a key is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    /// `[key]` or `[[key]]`: the value begins with the brackets.
    Header,
    /// `[key.other]`, `key.other = …`: only as the way to another.
    Path,
    /// `key = …`.
    Value,
}

fn written(entry: &Entry) -> Written {
    match entry.value.at.cmp(&entry.at) {
        std::cmp::Ordering::Less => Written::Header,
        std::cmp::Ordering::Equal => Written::Path,
        std::cmp::Ordering::Greater => Written::Value,
    }
}

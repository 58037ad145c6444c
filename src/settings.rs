//! Settings: one table of the config as its reader sees it. A reader asks for keys by name. A key that is missing, of
//! the wrong kind, refused or unknown becomes a problem at its place, and reading goes on.
//!
//! This is all that a rule knows of the config: no file, no TOML. A reader never stops at the first problem, and a
//! config with any problem is not used, so after one a reader may go on with `None` or with a default.

#![deny(clippy::disallowed_methods)]

pub mod defaults;
pub mod files;
pub mod lists;
pub mod parse;
pub mod problem;
pub mod report;
pub mod source;

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::limits;
use defaults::Defaults;
use files::NamedFile;
use parse::{nearest, shown_key};
use problem::Fault;
use report::Report;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// Offset of its first octet.
    pub at: usize,
    /// What it is.
    pub kind: Kind,
}

impl Value {
    /// The values of a list, or the one value alone.
    pub fn one_or_more(&self) -> &[Self] {
        match &self.kind {
            Kind::List(values) => values,
            Kind::Text(_)
            | Kind::Date(_)
            | Kind::Flag(_)
            | Kind::Table(_)
            | Kind::Number(_)
            | Kind::Other(_) => std::slice::from_ref(self),
        }
    }
}

/// What a value can be.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Text in quotes.
    Text(String),
    /// A day, without quotes.
    Date(Date),
    /// Values in brackets, or tables under one `[[name]]`.
    List(Vec<Value>),
    /// Keys with values.
    Table(Table),
    /// `true` or `false`, without quotes.
    Flag(bool),
    /// A whole number, without quotes.
    Number(i64),
    /// Something that no setting is: a fraction, a time; the word for it.
    Other(&'static str),
}

impl Kind {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Date(_) => "a date",
            Self::Flag(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Number(_) => "a number",
            Self::Other(word) => word,
        }
    }
}

/// Keys with values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Offset of its header or brace.
    pub at: usize,
    /// In the order of the file.
    pub entries: Vec<Entry>,
}

impl Table {
    /// Where the key stands, whose path has dots between the tables.
    pub fn place(&self, path: &str) -> Option<usize> {
        let entry = |key: &str| self.entries.iter().find(|entry| entry.key == key);
        let Some((key, below)) = path.split_once('.') else { return entry(path).map(|entry| entry.at) };
        let Kind::Table(table) = &entry(key)?.value.kind else { return None };
        table.place(below)
    }

    /// The table with this path, which has dots between the tables.
    pub fn below(&self, path: &str) -> Option<&Self> {
        let (key, below) = path.split_once('.').map_or((path, None), |(key, below)| (key, Some(below)));
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        let Kind::Table(table) = &entry.value.kind else { return None };
        below.map_or(Some(table), |below| table.below(below))
    }

    /// This table, with what only the other one says; where both have tables, the same holds of them.
    #[must_use]
    pub fn over(&self, other: &Self) -> Self {
        let own = |entry: &Entry| {
            let below =
                other.entries.iter().find(|known| known.key == entry.key).map(|known| &known.value.kind);
            match (&entry.value.kind, below) {
                (Kind::Table(own), Some(Kind::Table(below))) => {
                    let value = Value { at: entry.value.at, kind: Kind::Table(own.over(below)) };
                    Entry { value, ..entry.clone() }
                }
                _ => entry.clone(),
            }
        };
        let rest = other.entries.iter().filter(|entry| !self.entries.iter().any(|own| own.key == entry.key));
        let entries = self.entries.iter().map(own).chain(rest.cloned()).collect();
        Self { at: self.at, entries }
    }

    /// Every place in it.
    fn places(&self) -> BTreeSet<usize> {
        fn of_value(value: &Value, all: &mut BTreeSet<usize>) {
            all.insert(value.at);
            match &value.kind {
                Kind::List(values) => values.iter().for_each(|value| of_value(value, all)),
                Kind::Table(table) => all.extend(table.places()),
                Kind::Text(_) | Kind::Date(_) | Kind::Flag(_) | Kind::Number(_) | Kind::Other(_) => {}
            }
        }
        let mut all = BTreeSet::from([self.at]);
        for entry in &self.entries {
            all.insert(entry.at);
            of_value(&entry.value, &mut all);
        }
        all
    }
}

/// One key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Offset of the key.
    pub at: usize,
    /// The value.
    pub value: Value,
}

/// One key as the reference documents it. `docs/configuration.md` and the shipped example are made of these, and a
/// test holds them against what is accepted.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// What its value may be.
    pub kind: &'static str,
    /// What holds without it.
    pub default: Fallback,
    /// A value, as the example has it; empty where the value is tables of their own, `[[…]]`.
    pub example: &'static str,
    /// What it says.
    pub meaning: &'static str,
    /// Why the default is what it is, or why there is none.
    pub why: &'static str,
    /// The keys of the table or tables that its value may be.
    pub keys: &'static [Key],
}

/// What holds where a key is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// An error: there is nothing that would be right for everyone.
    Required,
    /// Nothing: what the key would switch on is off.
    Off,
    /// A text, without its quotes.
    Text(&'static str),
    /// A list of texts.
    Texts(&'static [&'static str]),
    /// A whole number.
    Number(u32),
    /// `true` or `false`.
    Flag(bool),
    /// What this says: a value of this machine, or one that depends on others. The example has the key as a comment.
    Found(&'static str),
}

/// The key at the top of a config that names more files of it.
pub const INCLUDE: &str = "include";

static EMPTY: Table = Table { at: 0, entries: Vec::new() };

/// A reader of one table.
#[derive(Debug)]
pub struct Settings<'a> {
    table: &'a Table,
    defaults: &'a Defaults,
    path: String,
    report: &'a Report<'a>,
    asked: Vec<&'static str>,
    names_are_free: bool,
    /// Whether what is missing is a problem.
    asks: bool,
}

impl<'a> Settings<'a> {
    /// Reads a table; keys that `read` did not ask for are problems.
    pub fn read<T>(
        table: &'a Table,
        defaults: &'a Defaults,
        path: &str,
        report: &'a Report<'a>,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let mut settings = Self {
            table,
            defaults,
            path: path.to_owned(),
            report,
            asked: Vec::new(),
            names_are_free: false,
            asks: true,
        };
        let result = read(&mut settings);
        settings.refuse_unknown();
        result
    }

    /// Whether the table says nothing at all.
    pub fn is_empty(&self) -> bool {
        self.table.entries.is_empty()
    }

    /// Whether the table has the key, right or wrong.
    pub fn names(&self, key: &str) -> bool {
        self.table.entries.iter().any(|entry| entry.key == key)
    }

    /// The file and the line where the table begins.
    pub fn place(&self) -> (&str, usize) {
        self.report.place(self.table.at)
    }

    /// The column there.
    pub fn column(&self) -> usize {
        self.report.column(self.table.at)
    }

    /// The value under `key`, or its default, if there is one and `parse` takes it. A key with a documented default
    /// is `None` only after a problem.
    pub fn optional<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&Value) -> Result<T, Fault>,
    ) -> Option<T> {
        let value = self.value(key)?;
        self.accept(key, value.at, parse(value))
    }

    /// From now on nothing that is missing is a problem: the table is switched off.
    pub fn ask_for_nothing(&mut self) {
        self.asks = false;
    }

    /// The value under `key`; without it `right` says what to write.
    pub fn required<T>(
        &mut self,
        key: &'static str,
        right: &str,
        parse: impl FnOnce(&Value) -> Result<T, Fault>,
    ) -> Option<T> {
        self.need(key, right).and_then(|value| self.accept(key, value.at, parse(value)))
    }

    /// What `make` makes of the file whose name is the value under `key`: text in UTF-8.
    pub fn file<T>(
        &mut self,
        key: &'static str,
        make: impl FnOnce(&NamedFile) -> Result<T, Fault>,
    ) -> Option<T> {
        self.file_up_to(limits::CONFIG_OCTETS, key, make)
    }

    /// The same of a file that may have so many octets.
    pub fn file_up_to<T>(
        &mut self,
        most: u64,
        key: &'static str,
        make: impl FnOnce(&NamedFile) -> Result<T, Fault>,
    ) -> Option<T> {
        let report = self.report;
        self.optional(key, |value| {
            let name = parse::text(value)?;
            let text = String::from_utf8(report.read(name, most)?)
                .map_err(|_| Fault::new(format!("{name} is not UTF-8"), "save the file in UTF-8"))?;
            let text = text.strip_prefix('\u{FEFF}').map(str::to_owned).unwrap_or(text);
            make(&NamedFile { name: name.to_owned(), text })
        })
    }

    /// The values of the list under `key`, `None` without it. Each is to be given to [`Self::accept`] or
    /// [`Self::nested`].
    pub fn list(&mut self, key: &'static str) -> Option<&'a [Value]> {
        let value = self.value(key)?;
        self.items(key, value)
    }

    /// The values of the list under `key`; without any `right` says what to write.
    pub fn required_list(&mut self, key: &'static str, right: &str) -> Option<&'a [Value]> {
        let value = self.need(key, right)?;
        let items = self.items(key, value)?;
        if items.is_empty() {
            self.wrong(key, value.at, Fault::new("is empty", right));
            return None;
        }
        Some(items)
    }

    /// The value under `key` as it is. It, or each of its [`Value::one_or_more`], is to be given to
    /// [`Self::accept`].
    pub fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let set =
            |table: &'a Table| table.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
        set(self.table).or_else(|| set(&self.defaults.values))
    }

    /// Reads the table under `key`, if there is one.
    pub fn table<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Settings<'a>) -> T) -> Option<T> {
        let value = self.value(key)?;
        self.nested(key, value, read)
    }

    /// Reads the table under `key`, or the defaults of its keys where it is absent. `None` only after a problem.
    pub fn table_or_defaults<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Settings<'a>) -> T,
    ) -> Option<T> {
        if self.names(key) {
            return self.table(key, read);
        }
        self.asked.push(key);
        Some(Settings::read(&EMPTY, self.defaults.table(key), &self.path_of(key), self.report, read))
    }

    /// Reads the table under `key`; without it `right` says what to write.
    pub fn required_table<T>(
        &mut self,
        key: &'static str,
        right: &str,
        read: impl FnOnce(&mut Settings<'a>) -> T,
    ) -> Option<T> {
        let value = self.need(key, right)?;
        self.nested(key, value, read)
    }

    /// Reads a table that is a value of this one.
    pub fn nested<T>(
        &mut self,
        key: &str,
        value: &'a Value,
        read: impl FnOnce(&mut Settings<'a>) -> T,
    ) -> Option<T> {
        let path = self.path_of(key);
        if let Kind::Table(table) = &value.kind {
            return Some(Settings::read(table, self.defaults.table(key), &path, self.report, read));
        }
        let fault =
            Fault::new(format!("is {}, not a table", value.kind.word()), format!("write it as [{path}]"));
        self.wrong(key, value.at, fault);
        None
    }

    /// Reads a table that is a value of this one, over another table that it changes; `defaults` are those of the other. What
    /// is wrong with the other alone is not said: whoever reads that says so.
    pub fn overlay<T>(
        &self,
        key: &str,
        own: &Table,
        (other, defaults): (&Table, &Defaults),
        read: impl FnOnce(&mut Settings<'_>) -> T,
    ) -> T {
        let whole = own.over(other);
        let said = self.report.len();
        let result = Settings::read(&whole, defaults, &self.path_of(key), self.report, read);
        self.report.forget_but(said, &own.places());
        result
    }

    /// Every entry, for a table whose keys are names that the admin chooses; all count as asked for.
    pub fn entries(&mut self) -> &'a [Entry] {
        self.names_are_free = true;
        &self.table.entries
    }

    /// The value, or the problem at its place.
    pub fn accept<T>(&self, key: &str, at: usize, result: Result<T, Fault>) -> Option<T> {
        result.map_err(|fault| self.wrong(key, at, fault)).ok()
    }

    /// Adds a problem.
    pub fn wrong(&self, key: &str, at: usize, fault: Fault) {
        self.report.wrong(at, self.path_of(key), fault);
    }

    /// Adds a problem of the table as a whole.
    pub fn wrong_here(&self, fault: Fault) {
        self.report.wrong(self.table.at, self.path.clone(), fault);
    }

    /// Adds a warning about the table as a whole.
    pub fn warn_here(&self, fault: Fault) {
        self.report.warn(self.table.at, self.path.clone(), fault);
    }

    /// Adds a warning: allowed, and a surprise.
    pub fn warn(&self, key: &str, at: usize, fault: Fault) {
        self.report.warn(at, self.path_of(key), fault);
    }

    fn need(&mut self, key: &'static str, right: &str) -> Option<&'a Value> {
        let value = self.value(key);
        if value.is_none() && self.asks {
            self.report.missing(self.table.at, self.path_of(key), Fault::new("is missing", right));
        }
        value
    }

    fn items(&self, key: &str, value: &'a Value) -> Option<&'a [Value]> {
        let fault = match &value.kind {
            Kind::List(values) if values.len() <= limits::CONFIG_LIST => return Some(values),
            Kind::List(values) => {
                let problem =
                    format!("has {} values, more than the maximum of {}", values.len(), limits::CONFIG_LIST);
                Fault::new(problem, "combine some of them")
            }
            Kind::Table(_) if self.defaults.has_table(key) => {
                let right = format!("write [[{}]] above each of them", self.path_of(key));
                Fault::new("is one table, not a list of tables", right)
            }
            Kind::Text(_)
            | Kind::Date(_)
            | Kind::Flag(_)
            | Kind::Table(_)
            | Kind::Number(_)
            | Kind::Other(_) => {
                Fault::new(format!("is {}, not a list", value.kind.word()), "write it in brackets: [ … ]")
            }
        };
        self.wrong(key, value.at, fault);
        None
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn refuse_unknown(&self) {
        if self.names_are_free {
            return;
        }
        for entry in &self.table.entries {
            if self.asked.iter().all(|asked| *asked != entry.key) {
                let right = match nearest(&entry.key, self.asked.iter().copied()) {
                    _ if entry.key == INCLUDE && !self.path.is_empty() => {
                        "write it at the top of the file, before the first table".to_owned()
                    }
                    Some(key) => format!("did you mean `{key}`?"),
                    None => format!("valid keys: {}", self.asked.join(", ")),
                };
                self.wrong(&shown_key(&entry.key), entry.at, Fault::new("unknown key", right));
            }
        }
    }
}

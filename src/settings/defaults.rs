//! Defaults: the value that a key has where the config does not name it, read by the reader that reads the file.

#![deny(clippy::disallowed_methods)]

use std::fmt;

use super::{Entry, Fallback, Key, Kind, Table, Value};

impl Fallback {
    /// The default as a value of the config; `None` where the reference only describes it.
    pub fn value(&self) -> Option<Value> {
        let text = |text: &str| Kind::Text(text.to_owned());
        let kind = match self {
            Self::Text(given) => text(given),
            Self::Texts(given) => {
                Kind::List(given.iter().map(|given| Value { at: 0, kind: text(given) }).collect())
            }
            Self::Number(number) => Kind::Number(i64::from(*number)),
            Self::Flag(flag) => Kind::Flag(*flag),
            Self::Required | Self::Off | Self::Found(_) => return None,
        };
        Some(Value { at: 0, kind })
    }
}

/// What the reference says of a key that is absent; a value as the file would have it.
impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Required => f.write_str("required"),
            Self::Off => f.write_str("not set"),
            Self::Found(how) => f.write_str(how),
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Texts(texts) => {
                let quoted: Vec<String> = texts.iter().map(|text| format!("\"{text}\"")).collect();
                write!(f, "[{}]", quoted.join(", "))
            }
        }
    }
}

/// The defaults of one table and of the tables in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Defaults {
    pub(super) values: Table,
    tables: Vec<(String, Self)>,
}

/// The name under which the reference lists tables whose names the admin chooses.
const ANY_NAME: &str = "<name>";

static NO_DEFAULTS: Defaults = Defaults { values: Table { at: 0, entries: Vec::new() }, tables: Vec::new() };

impl Defaults {
    /// Those of a table with these keys.
    pub fn of(keys: &[Key]) -> Self {
        let mut defaults = Self::default();
        for key in keys {
            let value = key.default.value();
            defaults.values.entries.extend(value.map(|value| Entry {
                key: key.name.to_owned(),
                at: 0,
                value,
            }));
            if !key.keys.is_empty() {
                defaults.tables.push((key.name.to_owned(), Self::of(key.keys)));
            }
        }
        defaults
    }

    /// Adds those of the table with this path, which has dots between the names.
    pub fn insert(&mut self, path: &str, of: Self) {
        let (name, below) = path.split_once('.').map_or((path, None), |(name, below)| (name, Some(below)));
        let place = self.tables.iter().position(|(known, _)| known == name);
        let mut table = place.map(|place| self.tables.swap_remove(place).1).unwrap_or_default();
        if let Some(below) = below {
            table.insert(below, of);
        } else {
            table.values.entries.extend(of.values.entries);
            table.tables.extend(of.tables);
        }
        self.tables.push((name.to_owned(), table));
    }

    /// Those of the table with this path.
    pub fn below(&self, path: &str) -> &Self {
        path.split('.').fold(self, |defaults, name| defaults.table(name))
    }

    /// Whether the reference lists a table, or tables, under this name.
    pub(super) fn has_table(&self, name: &str) -> bool {
        self.tables.iter().any(|(known, _)| known == name)
    }

    /// Those of a table in this one.
    pub(super) fn table(&self, name: &str) -> &Self {
        let named = |name: &str| self.tables.iter().find(|(known, _)| known == name).map(|(_, table)| table);
        named(name).or_else(|| named(ANY_NAME)).unwrap_or(&NO_DEFAULTS)
    }
}

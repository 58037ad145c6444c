//! Documents: facts and tables about what was done with the log, as a page to be signed and filed, and as JSON.

use std::io::{self, Write};

use serde::Serialize;

use crate::export::page::{self, Template, breakable};

const STYLE: &str = include_str!("../export/pages/report.css");

/// A document.
#[derive(Debug, Serialize)]
pub struct Document {
    /// Whose log it is.
    pub organisation: String,
    /// What it is.
    pub title: String,
    /// The same in English.
    #[serde(skip)]
    pub english: &'static str,
    /// Names with their values.
    pub facts: Vec<(String, String)>,
    /// Its tables.
    pub tables: Vec<Table>,
    /// Who signs.
    #[serde(skip)]
    pub signatures: Vec<&'static str>,
    /// By what program it was made, and when.
    pub made: String,
}

/// A table with what it tells.
#[derive(Debug, Serialize)]
pub struct Table {
    /// Its title.
    pub title: &'static str,
    /// The same in English.
    #[serde(skip)]
    pub english: &'static str,
    /// A sentence before it.
    #[serde(skip)]
    pub lead: &'static str,
    /// The names of its columns.
    pub head: Vec<&'static str>,
    /// Its rows.
    pub rows: Vec<Vec<String>>,
}

impl Document {
    /// Writes the page.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        page::start(out, &format!("{}, {}", self.title, self.organisation), STYLE)?;
        let table = |table: &Table| {
            page::record([
                ("title", table.title.into()),
                ("english", table.english.into()),
                ("lead", table.lead.into()),
                ("head", page::list(table.head.iter().copied())),
                (
                    "rows",
                    page::list(
                        table.rows.iter().map(|row| page::list(row.iter().map(|cell| breakable(cell)))),
                    ),
                ),
            ])
        };
        let facts = self.facts.iter().map(|(name, value)| (name.as_str(), breakable(value)));
        let fields = [
            ("organisation", self.organisation.as_str().into()),
            ("title", self.title.as_str().into()),
            ("english", self.english.into()),
            ("facts", page::pairs(facts)),
            ("tables", page::list(self.tables.iter().map(table))),
            ("signatures", page::list(self.signatures.iter().copied())),
            ("made", self.made.as_str().into()),
        ];
        page::write(out, Template::Document, fields)
    }
}

//! The shape of an exported file: its columns, what they are called, and what the file looks like. A proof has it, so that
//! the file can be made again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::column::{DERIVED, Shown, columns, everything};
use crate::record::Record;
use crate::record::columns::{LeafForm, Value};
use crate::text::words;

/// What a file of records looks like.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Its version.
    pub look: Look,
    /// The columns, in their order.
    pub columns: Vec<Shown>,
    /// What the columns are called where a form has headings.
    pub headings: Headings,
}

/// How files of a version look. A file of an earlier one is still made as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Look {
    /// All cells of a workbook are text; a page breaks words where a column ends.
    #[default]
    Former,
    /// Workbooks have numbers and dates.
    Present,
}

words! {
    /// What the columns of CSV and of a workbook are called.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Headings {
        /// The names of the columns, which are the same everywhere.
        #[default]
        Id = "id",
        /// Swedish.
        Sv = "sv",
        /// English.
        En = "en",
    }
}

impl Headings {
    /// What a column is called.
    pub fn of(self, shown: Shown) -> &'static str {
        match self {
            Self::Id => shown.name(),
            Self::Sv => shown.label(),
            Self::En => shown.english(),
        }
    }
}

/// The columns of the short form: who wrote to whom, when and about what.
pub const SHORT: [&str; 5] = ["time", "sender", "recipients", "subject", "attachments"];

impl Shape {
    /// That of earlier versions, with the columns that there were when records had this form.
    pub fn former(form: LeafForm) -> Self {
        Self { look: Look::Former, columns: columns(form).collect(), headings: Headings::Id }
    }

    /// All columns of the log.
    pub fn whole() -> Self {
        Self { look: Look::Present, columns: columns(LeafForm::NEWEST).collect(), headings: Headings::Id }
    }

    /// And those that are kept where the organisation wants them.
    pub fn everything() -> Self {
        Self { columns: everything().collect(), ..Self::whole() }
    }

    /// And those that Postfix's log tells.
    pub fn told() -> Self {
        Self { columns: everything().chain(DERIVED).collect(), ..Self::whole() }
    }

    /// These columns; the name of one that there is not, or that is there twice.
    pub fn with<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Self, &'n str> {
        let mut columns: Vec<Shown> = Vec::new();
        for name in names {
            let shown = Shown::parse(name).filter(|shown| !columns.contains(shown));
            columns.push(shown.ok_or(name)?);
        }
        Ok(Self { columns, ..Self::whole() })
    }

    /// Whether it has that column.
    pub fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|shown| shown.name() == name)
    }

    /// Whether it has a column that Postfix's log tells.
    pub fn has_deliveries(&self) -> bool {
        DERIVED.iter().any(|shown| self.columns.contains(shown))
    }

    /// The names of its columns.
    pub fn names(&self) -> Vec<&'static str> {
        self.columns.iter().map(|shown| shown.name()).collect()
    }

    /// What its columns are called.
    pub fn called(&self) -> Vec<&'static str> {
        self.columns.iter().map(|shown| self.headings.of(*shown)).collect()
    }

    /// Takes out of a record what no column shows.
    pub fn narrow(&self, record: &mut Record) {
        let mut left = Record { time: Timestamp::UNIX_EPOCH, ..Record::default() };
        let mut attachments = std::mem::take(&mut record.attachments);
        let (names, sizes) = (self.has("attachments"), self.has(Shown::Sizes.name()));
        for (name, size) in &mut attachments {
            if !names {
                name.clear();
            }
            if !sizes {
                *size = 0;
            }
        }
        for shown in &self.columns {
            match shown {
                Shown::Column(column) => match column.value {
                    Value::Attachments => {}
                    _ => drop(column.put(&mut left, &column.text(record))),
                },
                Shown::TimeUtc => left.time = record.time,
                Shown::Record | Shown::Sizes | Shown::Delivery | Shown::DeliveryTime | Shown::DeliveryTls => {
                }
            }
        }
        left.attachments = if names || sizes { attachments } else { Vec::new() };
        *record = left;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use super::*;

    #[test]
    fn what_is_not_shown_is_taken_out() {
        let whole = found("Ansökan");
        let mut all = whole.record.clone();
        Shape::whole().narrow(&mut all);
        assert_eq!(all, whole.record);
        let mut some = whole.record.clone();
        Shape::with(["time_utc", "attachment_sizes"]).unwrap().narrow(&mut some);
        let left = Record {
            time: whole.record.time,
            attachments: vec![(String::new(), 1_024), (String::new(), 12)],
            ..Record::default()
        };
        assert_eq!(some, left);
        assert_eq!(Shape::with(["time", "colour"]).unwrap_err(), "colour");
        assert_eq!(Shape::with(["time", "time"]).unwrap_err(), "time");
        assert_eq!(Shape::with(SHORT).unwrap().names(), SHORT);
    }

    #[test]
    fn headings_are_all_different() {
        for headings in Headings::ALL {
            let mut called = Shape { headings, ..Shape::everything() }.called();
            called.sort_unstable();
            called.dedup();
            assert_eq!(called.len(), Shape::everything().columns.len());
        }
    }
}

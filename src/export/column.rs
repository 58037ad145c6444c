//! The columns of exports: those of the log, and what is told once more beside them.

#![deny(clippy::disallowed_methods)]

use crate::record::columns::{COLUMNS, Column, LeafForm, Value};

/// A column of an export.
#[derive(Clone, Copy, Debug)]
pub enum Shown {
    /// One of the log.
    Column(&'static Column),
    /// The time in UTC.
    TimeUtc,
    /// The record's id.
    Record,
    /// The sizes of the attachments.
    Sizes,
}

/// The columns of an export, in their order.
pub fn columns(form: LeafForm) -> impl Iterator<Item = Shown> {
    form.columns().filter(|column| !column.optional).flat_map(|column| {
        let beside: &[Shown] = match column.value {
            Value::Time => &[Shown::TimeUtc, Shown::Record],
            Value::Attachments => &[Shown::Sizes],
            _ => &[],
        };
        std::iter::once(Shown::Column(column)).chain(beside.iter().copied())
    })
}

/// The same with those that are shown to who asks for them.
pub fn everything() -> impl Iterator<Item = Shown> {
    let optional = COLUMNS.iter().filter(|column| column.optional);
    columns(LeafForm::NEWEST).chain(optional.map(Shown::Column))
}

/// The names of the columns of a new export.
pub fn names() -> Vec<&'static str> {
    columns(LeafForm::NEWEST).map(Shown::name).collect()
}

impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Shown {
    /// The column with that name.
    pub fn parse(name: &str) -> Option<Self> {
        everything().find(|shown| shown.name() == name)
    }

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Column(column) => column.name,
            Self::TimeUtc => "time_utc",
            Self::Record => "record",
            Self::Sizes => "attachment_sizes",
        }
    }

    /// What people call it, in Swedish.
    pub fn label(self) -> &'static str {
        match self {
            Self::Column(column) => column.label,
            Self::TimeUtc => "Tid (UTC)",
            Self::Record => "Post",
            Self::Sizes => "Bilagornas storlek",
        }
    }

    /// And in English.
    pub fn english(self) -> &'static str {
        match self {
            Self::Column(column) => column.english,
            Self::TimeUtc => "Time (UTC)",
            Self::Record => "Record",
            Self::Sizes => "Attachment sizes",
        }
    }

    /// The width in a workbook, in characters.
    pub fn width(self) -> f64 {
        match self {
            Self::Column(column) => column.width,
            Self::TimeUtc => 24.0,
            Self::Record => 23.0,
            Self::Sizes => 16.0,
        }
    }
}

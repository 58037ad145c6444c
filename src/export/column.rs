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
    /// What became of the mail for its recipients, according to Postfix.
    Delivery,
    /// When the last of that was.
    DeliveryTime,
    /// With which TLS it was handed over.
    DeliveryTls,
}

/// Columns that are no part of the log, and that no proof covers.
pub const DERIVED: [Shown; 3] = [Shown::Delivery, Shown::DeliveryTime, Shown::DeliveryTls];

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
        everything().chain(DERIVED).find(|shown| shown.name() == name)
    }

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Column(column) => column.name,
            Self::TimeUtc => "time_utc",
            Self::Record => "record",
            Self::Sizes => "attachment_sizes",
            Self::Delivery => "delivery",
            Self::DeliveryTime => "delivery_time",
            Self::DeliveryTls => "delivery_tls",
        }
    }

    /// What people call it, in Swedish.
    pub fn label(self) -> &'static str {
        match self {
            Self::Column(column) => column.label,
            Self::TimeUtc => "Tid (UTC)",
            Self::Record => "Post",
            Self::Sizes => "Bilagornas storlek",
            Self::Delivery => "Leverans (enligt Postfix)",
            Self::DeliveryTime => "Leveranstid (enligt Postfix)",
            Self::DeliveryTls => "Leveransens TLS (enligt Postfix)",
        }
    }

    /// And in English.
    pub fn english(self) -> &'static str {
        match self {
            Self::Column(column) => column.english,
            Self::TimeUtc => "Time (UTC)",
            Self::Record => "Record",
            Self::Sizes => "Attachment sizes",
            Self::Delivery => "Delivery (according to Postfix)",
            Self::DeliveryTime => "Delivery time (according to Postfix)",
            Self::DeliveryTls => "TLS of delivery (according to Postfix)",
        }
    }

    /// The width in a workbook, in characters.
    pub fn width(self) -> f64 {
        match self {
            Self::Column(column) => column.width,
            Self::TimeUtc => 24.0,
            Self::Record => 23.0,
            Self::Sizes => 16.0,
            Self::Delivery | Self::DeliveryTls => 26.0,
            Self::DeliveryTime => 29.0,
        }
    }
}

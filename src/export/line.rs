//! A record as exports and `log search --json` show it: the columns of the log, and what is told once more beside them.

use std::borrow::Cow;
use std::sync::LazyLock;

use jiff::tz::TimeZone;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::column::Shown;
use super::shape::Shape;
use super::{local, utc};
use crate::record::columns::Value;
use crate::store::deliveries::trace::Summary;
use crate::store::search::Found;

/// A record with its times in the organisation's zone, and the columns of this shape.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the sentence above says it")]
pub struct Line<'a> {
    pub found: &'a Found,
    pub zone: &'a TimeZone,
    pub shape: &'a Shape,
    /// What stands for the record's id where that would tell which mail it is.
    pub id: Option<&'a str>,
}

/// All columns.
static WHOLE: LazyLock<Shape> = LazyLock::new(Shape::whole);
/// And those that are kept where the organisation wants them.
static EVERYTHING: LazyLock<Shape> = LazyLock::new(Shape::everything);

/// And those that Postfix's log tells.
static TOLD: LazyLock<Shape> = LazyLock::new(Shape::told);

/// What a column shows.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Cell<'a> {
    /// Nothing, where a word of ours may stand.
    Absent,
    /// A text.
    Text(Cow<'a, str>),
    /// A number.
    Number(u64),
    /// Texts.
    Texts(Vec<&'a str>),
    /// Numbers.
    Numbers(Vec<u64>),
}

impl<'a> Line<'a> {
    /// The record with all columns.
    pub fn new(found: &'a Found, zone: &'a TimeZone) -> Self {
        Self { found, zone, shape: &WHOLE, id: None }
    }

    /// The record with all that is kept of it.
    pub fn everything(found: &'a Found, zone: &'a TimeZone) -> Self {
        Self { shape: &EVERYTHING, ..Self::new(found, zone) }
    }

    /// The record with all that is kept of it, and what became of its mail where that is known.
    pub fn told(found: &'a Found, zone: &'a TimeZone) -> Self {
        let shape = if found.told.is_some() { &*TOLD } else { &*EVERYTHING };
        Self { shape, ..Self::new(found, zone) }
    }

    /// The record's id, or what stands for it.
    pub fn id(&self) -> Cow<'a, str> {
        self.id.map_or_else(|| self.found.id.to_string().into(), Cow::Borrowed)
    }

    /// What a column shows.
    pub fn cell(&self, shown: Shown) -> Cell<'a> {
        let record = &self.found.record;
        let column = match shown {
            Shown::Column(column) => column,
            Shown::TimeUtc => return Cell::Text(utc(record.time).into()),
            Shown::Record => return Cell::Text(self.id()),
            Shown::Delivery => return told(self.found, |told| told.statuses.as_str().into()),
            Shown::DeliveryTls => return told(self.found, |told| told.tls.as_str().into()),
            Shown::DeliveryTime => {
                let time =
                    |told: &'a Summary| told.time.map_or("".into(), |time| local(time, self.zone).into());
                return told(self.found, time);
            }
            Shown::Sizes => return Cell::Numbers(record.attachments.iter().map(|(_, size)| *size).collect()),
        };
        match column.value {
            Value::Time => Cell::Text(local(record.time, self.zone).into()),
            Value::Size => Cell::Number(record.size),
            Value::Direction if record.direction.is_none() => Cell::Absent,
            Value::Direction | Value::Outcome => Cell::Text(column.text(record)),
            Value::Attachments => {
                Cell::Texts(record.attachments.iter().map(|(name, _)| name.as_str()).collect())
            }
            Value::Text(own, _) => Cell::Text(own(record).into()),
            Value::List(own, _) => Cell::Texts(own(record).iter().map(String::as_str).collect()),
        }
    }

    /// The cells of all columns; lists with `; ` between their items.
    pub fn cells(&self) -> Vec<Cow<'a, str>> {
        self.shape.columns.iter().map(|shown| self.cell(*shown).text()).collect()
    }
}

/// What Postfix's log tells of the mail; nothing where that was not asked for, or it was never read.
fn told<'a>(found: &'a Found, of: impl Fn(&'a Summary) -> Cow<'a, str>) -> Cell<'a> {
    found.told.as_ref().map_or(Cell::Absent, |told| Cell::Text(of(told)))
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for shown in &self.shape.columns {
            map.serialize_entry(shown.name(), &self.cell(*shown))?;
        }
        map.end()
    }
}

impl<'a> Cell<'a> {
    /// The cell as one text.
    pub fn text(self) -> Cow<'a, str> {
        match self {
            Self::Absent => "".into(),
            Self::Text(text) => text,
            Self::Number(number) => number.to_string().into(),
            Self::Texts(texts) => texts.join("; ").into(),
            Self::Numbers(numbers) => {
                numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ").into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::column::{columns, names};
    use super::super::tests::found;
    use super::*;
    use crate::record::columns::LeafForm;

    #[test]
    fn columns_keep_their_order_and_new_ones_come_last() {
        let contract = "time time_utc record direction sender recipients header_from subject size attachments \
                        attachment_sizes verdict findings would queue_id message_id client helo auth_user tls config \
                        receipt authentication";
        let names = names();
        assert_eq!(names.join(" "), contract);
        assert_eq!(columns(LeafForm::FIRST).count(), 22);
        let zone = TimeZone::get("Europe/Stockholm").unwrap();
        let found = found("Å");
        let line = Line::new(&found, &zone);
        let json = serde_json::to_string(&line).unwrap();
        let mut from = 0;
        for column in names {
            let at = json[from..].find(&format!("\"{column}\":")).expect(column);
            from += at + 1;
        }
        let cells = line.cells();
        assert_eq!((&*cells[0], &*cells[1]), ("2026-08-21T13:05:09.100+02:00", "2026-08-21T11:05:09.100Z"));
        assert_eq!((&*cells[9], &*cells[10]), ("Ansökan.pdf; b.txt", "1024; 12"));
        let first = Shape::former(LeafForm::FIRST);
        let older = Line { shape: &first, ..line };
        assert_eq!(older.cells(), cells[..22]);
        let nowhere =
            crate::store::search::Found { record: crate::record::Record::default(), ..found.clone() };
        let json = serde_json::to_value(Line::new(&nowhere, &zone)).unwrap();
        assert!(json["direction"].is_null() && json["recipients"] == serde_json::json!([]));
    }
}

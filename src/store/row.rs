//! A record as a row: its values, cut to their limits and hashed, and back.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use rusqlite::types::{ToSqlOutput, Type, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, Statement, ToSql};
use smallvec::SmallVec;

use crate::limits;
use crate::merkle::{self, Hash, Salt};
use crate::metrics::METRICS;
pub(super) use crate::record::columns::json;
use crate::record::columns::{self, COLUMNS, Field, LeafForm, Stored, place};
use crate::record::{FindingRow, Record, SeenOctets, SeenRow};

/// The statement that [`RecordRow::insert`] runs: the number, the columns, then what is stored with them.
pub(super) static INSERT: LazyLock<String> = LazyLock::new(|| {
    let names = COLUMNS.iter().map(|column| column.name).collect::<Vec<_>>().join(", ");
    let marks = ", ?".repeat(COLUMNS.len() + 4);
    format!("INSERT INTO record (seq, {names}, salt, leaf, seen, form) VALUES (?{marks})")
});

/// Where a column stands in a row of `SELECT seq, `[`select`].
pub(super) mod at {
    use super::place;

    pub(in crate::store) const TIME: usize = 1 + place("time");
    pub(in crate::store) const DIRECTION: usize = 1 + place("direction");
    pub(in crate::store) const SIZE: usize = 1 + place("size");
    pub(in crate::store) const CLIENT: usize = 1 + place("client");
    pub(in crate::store) const AUTH_USER: usize = 1 + place("auth_user");
    pub(in crate::store) const SENDER: usize = 1 + place("sender");
    pub(in crate::store) const RECIPIENTS: usize = 1 + place("recipients");
    pub(in crate::store) const HEADER_FROM: usize = 1 + place("header_from");
    pub(in crate::store) const SUBJECT: usize = 1 + place("subject");
    pub(in crate::store) const ATTACHMENTS: usize = 1 + place("attachments");
    pub(in crate::store) const VERDICT: usize = 1 + place("verdict");
    pub(in crate::store) const FINDINGS: usize = 1 + place("findings");
    pub(in crate::store) const WOULD: usize = 1 + place("would");
    pub(in crate::store) const QUEUE_ID: usize = 1 + place("queue_id");
    pub(in crate::store) const MESSAGE_ID: usize = 1 + place("message_id");
    pub(in crate::store) const AUTHENTICATION: usize = 1 + place("authentication");
    pub(in crate::store) const FORM: usize = 1 + super::COLUMNS.len();
    pub(in crate::store) const AFTER: usize = FORM + 1;
}

/// What to select of the table `record` behind `seq`: the columns in their order, then the leaf form. A column that the
/// file does not have yet is empty in it. To be asked for after the number up to which is read: a file gets a column
/// before it gets a record that has one.
pub(super) fn select(connection: &Connection) -> rusqlite::Result<String> {
    let mut names = connection.prepare("SELECT name FROM pragma_table_info('record')")?;
    let here = names.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<BTreeSet<String>>>()?;
    let or = |name: &'static str, absent| if here.contains(name) { name } else { absent };
    let mut list: Vec<&str> = COLUMNS.iter().map(|column| or(column.name, column.absent())).collect();
    list.push(or("form", "1"));
    Ok(list.join(", "))
}

/// A record, ready to be bound. It is made by the task that has the mail, so that the writer's one thread does nothing
/// but write.
#[derive(Debug)]
pub(super) struct RecordRow {
    /// The values of [`COLUMNS`].
    values: Vec<Stored>,
    /// What is remembered of its message.
    seen: Option<SeenOctets>,
    salt: Salt,
    /// What its leaf is made of, when it has a number.
    pub(super) hash: Hash,
}

impl RecordRow {
    /// The row of a record with what rules found in it. What goes over its limit is cut, marked with `…`, and counted.
    pub(super) fn new(
        mut record: Record,
        found: &[FindingRow],
        seen: Option<&SeenRow<'_>>,
        salt: Salt,
    ) -> Self {
        let weight = usize::try_from(record.size).unwrap_or(usize::MAX);
        let names = weight.clamp(limits::RECORD_NAMES_OCTETS, limits::RECORD_FIELD_OCTETS);
        let cut = COLUMNS.iter().fold(false, |cut, column| column.cut(&mut record, names) | cut);
        if cut {
            METRICS.limits_exceeded.with_label_values(&["record_field"]).inc();
        }
        let seen = seen.map(|row| row.beside(&record.sender, &record.recipients));
        let values: Vec<Stored> = COLUMNS.iter().map(|column| column.take(&mut record)).collect();
        let hash = hash(&salt, &values, &evidence(found.iter().map(FoundText::of)));
        Self { values, seen, salt, hash }
    }

    /// Octets of it: what the writer counts to know when to checkpoint.
    pub(super) fn octets(&self) -> usize {
        let octets = |value: &Stored| match value {
            Stored::Integer(_) => 8,
            Stored::Text(text) => text.len(),
        };
        128 + self.values.iter().map(octets).sum::<usize>() + self.seen.as_ref().map_or(0, SmallVec::len)
    }

    /// Runs [`INSERT`].
    pub(super) fn insert(
        &self,
        statement: &mut Statement<'_>,
        seq: i64,
        leaf: &Hash,
    ) -> rusqlite::Result<()> {
        let form = LeafForm::NEWEST.number();
        let values = self.values.iter().map(|value| value as &dyn ToSql);
        let behind: [&dyn ToSql; 4] = [&self.salt, leaf, &self.seen.as_deref(), &form];
        let all = std::iter::once(&seq as &dyn ToSql).chain(values).chain(behind);
        statement.execute(rusqlite::params_from_iter(all)).map(drop)
    }
}

impl ToSql for Stored {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Integer(number) => number.to_sql(),
            Self::Text(text) => text.to_sql(),
        }
    }
}

/// What the leaf of a new record is made of.
fn hash(salt: &Salt, values: &[Stored], evidence: &str) -> Hash {
    let mut values = values.iter();
    let commitments = (0_u8..).zip(LeafForm::NEWEST.fields()).map(|(number, field)| {
        let salt = merkle::field_salt(salt, number);
        match field {
            Field::Evidence => merkle::commitment(&salt, evidence.as_bytes()),
            Field::Column(_) => match values.next() {
                Some(Stored::Integer(number)) => merkle::commitment(&salt, number.to_string().as_bytes()),
                Some(Stored::Text(text)) => merkle::commitment(&salt, text.as_bytes()),
                None => merkle::commitment(&salt, b""),
            },
        }
    });
    merkle::record_hash(commitments)
}

/// What is stored of a record, as its leaf has it: its form, its salt, and the values of the form's fields. `columns`
/// is what [`select`] says of the file.
pub(super) fn sealed(
    connection: &Connection,
    columns: &str,
    seq: u64,
) -> rusqlite::Result<Option<(LeafForm, Salt, Vec<String>)>> {
    let sql = format!("SELECT seq, {columns}, salt FROM record WHERE seq = ?1");
    let read = |row: &Row<'_>| {
        let texts = COLUMNS.iter().enumerate().map(|(at, _)| match row.get_ref(1 + at)? {
            ValueRef::Integer(number) => Ok(number.to_string()),
            other => Ok(other.as_str()?.to_owned()),
        });
        Ok((form(row)?, row.get(at::AFTER)?, texts.collect::<rusqlite::Result<Vec<String>>>()?))
    };
    let record = connection.prepare_cached(&sql)?.query_row([seq.cast_signed()], read).optional()?;
    let Some((form, salt, values)) = record else { return Ok(None) };
    let mut found = connection.prepare_cached(
        "SELECT rule, grade, evidence, mode, verdict, decision, mailboxes, recipients FROM finding \
         WHERE seq = ?1 ORDER BY number",
    )?;
    let found = found.query_map([seq.cast_signed()], |row| {
        let mut text: [String; 8] = Default::default();
        for (column, text) in text.iter_mut().enumerate() {
            *text = row.get(column)?;
        }
        Ok(FoundText(text))
    })?;
    let mut evidence = evidence(found.collect::<rusqlite::Result<Vec<_>>>()?);
    let mut values = values.into_iter();
    let fields = form.fields().map(|field| match field {
        Field::Column(_) => values.next().unwrap_or_default(),
        Field::Evidence => std::mem::take(&mut evidence),
    });
    Ok(Some((form, salt, fields.collect())))
}

/// The leaf form of a row.
pub(super) fn form(row: &Row<'_>) -> rusqlite::Result<LeafForm> {
    let wrong = || rusqlite::Error::InvalidColumnType(at::FORM, "form".into(), Type::Integer);
    LeafForm::read(row.get(at::FORM)?).ok_or_else(wrong)
}

/// What a row of the table `finding` holds, in the order of its columns after its number.
#[derive(Debug, serde::Serialize)]
pub(super) struct FoundText(pub(super) [String; 8]);

impl FoundText {
    pub(super) fn of(found: &FindingRow) -> Self {
        let FindingRow { rule, grade, evidence, mode, verdict, decision, mailboxes, recipients } = found;
        let text = [rule, grade, evidence, mode, verdict, decision].map(Clone::clone);
        let [rule, grade, evidence, mode, verdict, decision] = text;
        Self([rule, grade, evidence, mode, verdict, decision, json(mailboxes), json(recipients)])
    }
}

/// What rules found in one mail, as its leaf has it.
pub(super) fn evidence(found: impl IntoIterator<Item = FoundText>) -> String {
    json(&found.into_iter().collect::<Vec<_>>())
}

/// The record in a row of `SELECT seq, `[`select`].
pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let mut record = Record::default();
    for (at, column) in (1..).zip(&COLUMNS) {
        let read = match row.get_ref(at)? {
            ValueRef::Integer(number) => column.put(&mut record, &number.to_string()),
            other => column.put(&mut record, other.as_str()?),
        };
        read.ok_or_else(|| rusqlite::Error::InvalidColumnType(at, column.name.into(), Type::Text))?;
    }
    Ok(record)
}

/// Cuts what a finding lists at its limit.
pub(super) fn cut_finding(found: &mut FindingRow) {
    if columns::cut_texts(&mut found.recipients) {
        METRICS.limits_exceeded.with_label_values(&["record_field"]).inc();
    }
}

/// The list in a column.
pub(super) fn parsed<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Vec<T>> {
    match row.get_ref(column)?.as_str()? {
        "[]" => Ok(Vec::new()),
        text => serde_json::from_str(text)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_archives_weigh_no_more_than_the_mail() {
        let names = |size| {
            // Each has six octets where it is stored.
            let attachments = vec![("\u{1}".repeat(1_000), 7); 1_000];
            let record = Record { size, attachments, ..Record::default() };
            let row = RecordRow::new(record, &[], None, Salt::default());
            let Stored::Text(stored) = &row.values[at::ATTACHMENTS - 1] else { panic!("a list is text") };
            let mut names: Vec<(String, u64)> = serde_json::from_str(stored).unwrap();
            (stored.len(), names.pop().unwrap())
        };
        for (size, at_most) in [
            (0, limits::RECORD_NAMES_OCTETS),
            (20_000, 20_000),
            (500_000, 500_000),
            (u64::MAX, limits::RECORD_FIELD_OCTETS),
        ] {
            let (octets, (mark, left_out)) = names(size);
            assert!(octets <= at_most + 64 && octets + 7_000 > at_most, "{size}: {octets}");
            assert!(
                mark.starts_with("… (") && mark.ends_with(" more)") && left_out % 7 == 0,
                "{mark} {left_out}"
            );
        }
    }
}

//! A record as a row: its columns' text, cut to its limit, and back.

use jiff::Timestamp;
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, Statement};
use smallvec::SmallVec;

use crate::limits;
use crate::mail::Direction;
use crate::merkle::{self, Hash, Salt};
use crate::metrics::METRICS;
use crate::record::{FindingRow, Outcome, Record, SeenOctets, SeenRow};
use crate::text;

/// The columns of the table `record` after `seq`, in the order in which [`RecordRow::insert`] binds them.
pub(super) const COLUMNS: &str = "time, direction, sender, recipients, header_from, subject, size, attachments, verdict, \
     findings, would, queue_id, message_id, client, helo, auth_user, tls, config, receipt";

/// The statement that [`RecordRow::insert`] runs.
pub(super) const INSERT: &str = "INSERT INTO record \
     VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23)";

/// The fields that a leaf commits to, in their order: the columns of the record, then all that rules found.
pub const FIELDS: [&str; 20] = [
    "time",
    "direction",
    "sender",
    "recipients",
    "header_from",
    "subject",
    "size",
    "attachments",
    "verdict",
    "findings",
    "would",
    "queue_id",
    "message_id",
    "client",
    "helo",
    "auth_user",
    "tls",
    "config",
    "receipt",
    "evidence",
];

/// A record, ready to be bound: lists are JSON. It is made by the task that has the mail, so that the writer's one
/// thread does nothing but write.
#[derive(Debug)]
pub(super) struct RecordRow {
    record: Record,
    recipients: String,
    attachments: String,
    findings: String,
    would: String,
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
        let mut cut = false;
        for field in [
            &mut record.sender,
            &mut record.header_from,
            &mut record.subject,
            &mut record.queue_id,
            &mut record.message_id,
            &mut record.client,
            &mut record.helo,
            &mut record.auth_user,
            &mut record.tls,
            &mut record.config,
            &mut record.receipt,
        ] {
            if field.len() > limits::RECORD_FIELD_OCTETS {
                field.truncate(text::truncate(field, limits::RECORD_FIELD_OCTETS).len());
                field.push('…');
                cut = true;
            }
        }
        cut |= cut_addresses(&mut record.recipients);
        let weight = usize::try_from(record.size).unwrap_or(usize::MAX);
        let names = weight.clamp(limits::RECORD_NAMES_OCTETS, limits::RECORD_FIELD_OCTETS);
        cut |= cut_list(
            &mut record.attachments,
            names,
            |attachment| json(std::slice::from_ref(attachment)).len(),
            |rest| (format!("… ({} more)", rest.len()), rest.iter().map(|(_, size)| size).sum()),
        );
        if cut {
            METRICS.limits_exceeded.with_label_values(&["record_field"]).inc();
        }
        let mut row = Self {
            recipients: json(&record.recipients),
            attachments: json(&record.attachments),
            findings: json(&record.findings),
            would: json(&record.would),
            seen: seen.map(|row| row.beside(&record.sender, &record.recipients)),
            record,
            salt,
            hash: Hash::default(),
        };
        row.hash = row.hash_with(&evidence(found.iter().map(FoundText::of)));
        row
    }

    fn hash_with(&self, evidence: &str) -> Hash {
        let record = &self.record;
        let (time, size) = (record.time.as_millisecond().to_string(), octets(record.size).to_string());
        let values: [&str; FIELDS.len()] = [
            &time,
            record.direction.map_or("", Direction::as_str),
            &record.sender,
            &self.recipients,
            &record.header_from,
            &record.subject,
            &size,
            &self.attachments,
            record.outcome.as_str(),
            &self.findings,
            &self.would,
            &record.queue_id,
            &record.message_id,
            &record.client,
            &record.helo,
            &record.auth_user,
            &record.tls,
            &record.config,
            &record.receipt,
            evidence,
        ];
        merkle::hash_of(&self.salt, &values.map(str::as_bytes))
    }

    /// Octets of its longest columns: what the writer counts to know when to checkpoint.
    pub(super) fn octets(&self) -> usize {
        let seen = self.seen.as_ref().map_or(0, SmallVec::len);
        256 + self.recipients.len() + self.attachments.len() + self.record.subject.len() + seen
    }

    /// Runs [`INSERT`].
    pub(super) fn insert(
        &self,
        statement: &mut Statement<'_>,
        seq: i64,
        leaf: &Hash,
    ) -> rusqlite::Result<()> {
        let record = &self.record;
        statement
            .execute(rusqlite::params![
                seq,
                record.time.as_millisecond(),
                record.direction.map_or("", Direction::as_str),
                record.sender,
                self.recipients,
                record.header_from,
                record.subject,
                octets(record.size),
                self.attachments,
                record.outcome.as_str(),
                self.findings,
                self.would,
                record.queue_id,
                record.message_id,
                record.client,
                record.helo,
                record.auth_user,
                record.tls,
                record.config,
                record.receipt,
                self.salt,
                leaf,
                self.seen.as_deref(),
            ])
            .map(drop)
    }
}

/// What is stored of a record, as its leaf has it: its salt, and the values of [`FIELDS`].
pub(super) fn sealed(connection: &Connection, seq: u64) -> rusqlite::Result<Option<(Salt, Vec<String>)>> {
    let sql = format!("SELECT {COLUMNS}, salt FROM record WHERE seq = ?1");
    let read = |row: &Row<'_>| {
        let texts = (0..FIELDS.len() - 1).map(|column| match row.get_ref(column)? {
            ValueRef::Integer(number) => Ok(number.to_string()),
            other => Ok(other.as_str()?.to_owned()),
        });
        Ok((row.get(FIELDS.len() - 1)?, texts.collect::<rusqlite::Result<Vec<String>>>()?))
    };
    let record = connection.prepare_cached(&sql)?.query_row([seq.cast_signed()], read).optional()?;
    let Some((salt, mut values)) = record else { return Ok(None) };
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
    values.push(evidence(found.collect::<rusqlite::Result<Vec<_>>>()?));
    Ok(Some((salt, values)))
}

/// The texts of a record's columns, as they are stored: the values of [`FIELDS`] but the last.
pub fn texts_of(record: &Record) -> Vec<String> {
    vec![
        record.time.as_millisecond().to_string(),
        record.direction.map_or("", Direction::as_str).to_owned(),
        record.sender.clone(),
        json(&record.recipients),
        record.header_from.clone(),
        record.subject.clone(),
        octets(record.size).to_string(),
        json(&record.attachments),
        record.outcome.as_str().to_owned(),
        json(&record.findings),
        json(&record.would),
        record.queue_id.clone(),
        record.message_id.clone(),
        record.client.clone(),
        record.helo.clone(),
        record.auth_user.clone(),
        record.tls.clone(),
        record.config.clone(),
        record.receipt.clone(),
    ]
}

/// The record whose texts these are; `None` where they are not those of one.
pub fn record_of(texts: &[String]) -> Option<Record> {
    let text = |at: usize| texts.get(at).cloned();
    let list = |at: usize| serde_json::from_str::<Vec<String>>(texts.get(at)?).ok();
    Some(Record {
        time: Timestamp::from_millisecond(texts.first()?.parse().ok()?).ok()?,
        direction: match texts.get(1)?.as_str() {
            "inbound" => Some(Direction::Inbound),
            "outbound" => Some(Direction::Outbound),
            "internal" => Some(Direction::Internal),
            _ => None,
        },
        sender: text(2)?,
        recipients: list(3)?,
        header_from: text(4)?,
        subject: text(5)?,
        size: texts.get(6)?.parse().ok()?,
        attachments: serde_json::from_str(texts.get(7)?).ok()?,
        outcome: Outcome::parse(texts.get(8)?)?,
        findings: list(9)?,
        would: list(10)?,
        queue_id: text(11)?,
        message_id: text(12)?,
        client: text(13)?,
        helo: text(14)?,
        auth_user: text(15)?,
        tls: text(16)?,
        config: text(17)?,
        receipt: text(18)?,
    })
}

/// A size as the column holds it.
fn octets(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
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

/// The record in a row of `SELECT seq, `[`COLUMNS`].
pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let list = |column: usize| -> rusqlite::Result<Vec<String>> { parsed(row, column) };
    Ok(Record {
        time: Timestamp::from_millisecond(row.get(1)?)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(1, Type::Integer, Box::new(error)))?,
        direction: match row.get_ref(2)?.as_str()? {
            "inbound" => Some(Direction::Inbound),
            "outbound" => Some(Direction::Outbound),
            "internal" => Some(Direction::Internal),
            _ => None,
        },
        sender: row.get(3)?,
        recipients: list(4)?,
        header_from: row.get(5)?,
        subject: row.get(6)?,
        size: row.get::<_, i64>(7)?.unsigned_abs(),
        attachments: parsed(row, 8)?,
        outcome: Outcome::parse(row.get_ref(9)?.as_str()?)
            .ok_or_else(|| rusqlite::Error::InvalidColumnType(9, "verdict".into(), Type::Text))?,
        findings: list(10)?,
        would: list(11)?,
        queue_id: row.get(12)?,
        message_id: row.get(13)?,
        client: row.get(14)?,
        helo: row.get(15)?,
        auth_user: row.get(16)?,
        tls: row.get(17)?,
        config: row.get(18)?,
        receipt: row.get(19)?,
    })
}

/// Cuts what a finding lists at its limit.
pub(super) fn cut_finding(found: &mut FindingRow) {
    if cut_addresses(&mut found.recipients) {
        METRICS.limits_exceeded.with_label_values(&["record_field"]).inc();
    }
}

fn cut_addresses(addresses: &mut Vec<String>) -> bool {
    let octets = |address: &String| address.len() + 3;
    cut_list(addresses, limits::RECORD_FIELD_OCTETS, octets, |rest| format!("… ({} more)", rest.len()))
}

/// Cuts a list at the limit and puts what `marker` says of the rest at its end.
fn cut_list<T>(
    items: &mut Vec<T>,
    octets_at_most: usize,
    octets: impl Fn(&T) -> usize,
    marker: impl Fn(&[T]) -> T,
) -> bool {
    let mut total = 0;
    let kept = items.iter().take_while(|item| {
        total += octets(item);
        total <= octets_at_most
    });
    let kept = kept.count();
    let Some(rest) = items.get(kept..).filter(|rest| !rest.is_empty()) else { return false };
    let mark = marker(rest);
    items.truncate(kept);
    items.push(mark);
    true
}

/// Lists of strings and numbers always have a JSON form, so there is no error to tell of.
pub(super) fn json<T: serde::Serialize>(list: &[T]) -> String {
    if list.is_empty() { "[]".to_owned() } else { serde_json::to_string(list).unwrap_or_default() }
}

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
    fn long_lists_are_cut_and_the_cut_is_marked() {
        let mut recipients: Vec<String> = (0..20_000).map(|n| format!("{n:0>90}@exempelby.se")).collect();
        assert!(cut_addresses(&mut recipients));
        let kept = recipients.len() - 1;
        assert_eq!(recipients[kept], format!("… ({} more)", 20_000 - kept));
        assert!(json(&recipients).len() < limits::RECORD_FIELD_OCTETS + 64);
        assert!(!cut_list(&mut vec!["a".to_owned()], 1, String::len, |_| String::new()));
    }

    #[test]
    fn names_in_archives_weigh_no_more_than_the_mail() {
        let texts: Vec<String> =
            "0|inbound|||||0||accepted||||||||||".split('|').map(str::to_owned).collect();
        let list = |at: &usize| [3, 7, 9, 10].contains(at);
        let texts: Vec<String> = texts
            .into_iter()
            .enumerate()
            .map(|(at, text)| if list(&at) { "[]".into() } else { text })
            .collect();
        let names = |size| {
            // Each has six octets where it is stored.
            let attachments = vec![("\u{1}".repeat(1_000), 7); 1_000];
            let record = Record { size, attachments, ..record_of(&texts).unwrap() };
            let row = RecordRow::new(record, &[], None, Salt::default());
            (row.attachments.len(), row.record.attachments.last().cloned().unwrap())
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

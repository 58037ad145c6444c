//! Leaves, computed anew from what the files hold, on all processors, and handed on in order.

use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use rusqlite::{Connection, OptionalExtension as _, Row, types::ValueRef};
use sha2::{Digest as _, Sha256};

use crate::limits;
use crate::merkle::{self, Hash, Salt};
use crate::record::columns::{COLUMNS, Field, LeafForm};
use crate::store::{row, schema};
use crate::text::hex;

/// One leaf, as the file has it, and what is wrong with it.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) seq: u64,
    /// Absent where it cannot be read.
    pub(super) hash: Option<Hash>,
    pub(super) pruned: bool,
    /// Milliseconds since 1970; absent where it is gone.
    pub(super) time: Option<i64>,
    /// It tells itself that the clock was set.
    pub(super) is_step: bool,
    pub(super) fault: Option<String>,
}

/// A retention run in a month file.
pub(super) struct Run {
    pub(super) id: u64,
    pub(super) decision: String,
    pub(super) records: u64,
    pub(super) first: u64,
    /// The numbers of what it took.
    pub(super) numbers: Vec<u64>,
    /// Over the numbers of what it took, as they are in the file.
    pub(super) digest: String,
}

/// The last number in the file.
pub(super) fn last(connection: &Connection) -> rusqlite::Result<u64> {
    let sql =
        "SELECT max(coalesce((SELECT max(seq) FROM record), 0), coalesce((SELECT max(seq) FROM pruned), 0))";
    connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
}

/// Gives the leaves from `first` to `last` to `each`, in order. Numbers that the file does not have are left out.
pub(super) fn walk(path: &Path, first: u64, last: u64, mut each: impl FnMut(Leaf)) {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let strides = (first..=last).step_by(limits::VERIFY_RECORDS);
    thread::scope(|scope| {
        let results: Vec<Receiver<Vec<Leaf>>> = (0..threads)
            .map(|own| {
                let (send, results) = sync_channel(2);
                let strides = strides.clone().skip(own).step_by(threads);
                scope.spawn(move || {
                    let connection = schema::open_to_read(path);
                    for begin in strides {
                        let end = begin.saturating_add(limits::VERIFY_RECORDS as u64 - 1).min(last);
                        let leaves = match &connection {
                            Ok(connection) => stride(connection, begin, end)
                                .unwrap_or_else(|_| one_by_one(connection, begin, end)),
                            Err(error) => vec![Leaf::unreadable(begin, error)],
                        };
                        if send.send(leaves).is_err() {
                            break;
                        }
                    }
                });
                results
            })
            .collect();
        for (at, _) in strides.enumerate() {
            let leaves = results.get(at % threads).and_then(|results| results.recv().ok());
            leaves.into_iter().flatten().for_each(&mut each);
        }
    });
}

/// The leaves between two numbers.
fn stride(connection: &Connection, first: u64, last: u64) -> rusqlite::Result<Vec<Leaf>> {
    let range = (first.cast_signed(), last.cast_signed());
    let columns = row::select(connection)?;
    let sql =
        format!("SELECT seq, {columns}, salt, leaf FROM record WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq");
    let mut records = connection.prepare_cached(&sql)?;
    let mut records = records.query(range)?;
    let mut found = connection.prepare_cached(
        "SELECT seq, rule, grade, evidence, mode, verdict, decision, mailboxes, recipients FROM finding \
         WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq, number",
    )?;
    let mut found = Found { rows: found.query(range)?, next: None };
    found.advance()?;
    let mut pruned =
        connection.prepare_cached("SELECT seq, leaf FROM pruned WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq")?;
    let pruned = pruned.query_map(range, |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?)))?;
    let mut leaves = Vec::with_capacity(limits::VERIFY_RECORDS);
    for row in pruned {
        let (seq, leaf) = row?;
        leaves.push(Leaf { seq, hash: Some(leaf), pruned: true, time: None, is_step: false, fault: None });
    }
    let any_pruned = !leaves.is_empty();
    while let Some(row) = records.next()? {
        let seq = row.get::<_, i64>(0)?.unsigned_abs();
        leaves.push(leaf(row, seq, &found.of(seq)?)?);
    }
    if any_pruned {
        leaves.sort_by_key(|leaf| leaf.seq);
        // A number that is there twice was put there by hand: a record cannot be pruned and stand.
        for at in 1..leaves.len() {
            if let Some([before, leaf]) = leaves.get_mut(at - 1..=at)
                && before.seq == leaf.seq
            {
                leaf.fault = Some("it is there, and also said to be pruned".to_owned());
            }
        }
        leaves.dedup_by(|second, first| {
            let same = second.seq == first.seq;
            if same {
                first.fault = second.fault.take();
            }
            same
        });
    }
    Ok(leaves)
}

/// Where a stride cannot be read as a whole: what can be, and the first record that cannot.
fn one_by_one(connection: &Connection, first: u64, last: u64) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    for seq in first..=last {
        match stride(connection, seq, seq) {
            Ok(found) => leaves.extend(found),
            Err(error) => {
                leaves.push(Leaf::unreadable(seq, &error));
                break;
            }
        }
    }
    leaves
}

impl Leaf {
    fn unreadable(seq: u64, error: &rusqlite::Error) -> Self {
        let fault = Some(format!("it cannot be read, nor what follows: {error}"));
        Self { seq, hash: None, pruned: false, time: None, is_step: false, fault }
    }
}

/// What rules found, in step with the records.
struct Found<'a> {
    rows: rusqlite::Rows<'a>,
    next: Option<(u64, row::FoundText)>,
}

impl Found<'_> {
    /// What they found in the record with that number. Rows of records that are not there are passed over: the gap
    /// is told of.
    fn of(&mut self, seq: u64) -> rusqlite::Result<String> {
        let mut own = Vec::new();
        while let Some((of, _)) = &self.next
            && *of <= seq
        {
            if let Some((of, text)) = self.next.take()
                && of == seq
            {
                own.push(text);
            }
            self.advance()?;
        }
        Ok(row::evidence(own))
    }

    fn advance(&mut self) -> rusqlite::Result<()> {
        self.next = match self.rows.next()? {
            Some(row) => {
                let mut text: [String; 8] = Default::default();
                for (column, text) in (1..).zip(&mut text) {
                    *text = String::from_utf8_lossy(&value(row, column)?).into_owned();
                }
                Some((row.get::<_, i64>(0)?.unsigned_abs(), row::FoundText(text)))
            }
            None => None,
        };
        Ok(())
    }
}

/// The leaf of a row, and whether it is that of its values.
fn leaf(row: &Row<'_>, seq: u64, evidence: &str) -> rusqlite::Result<Leaf> {
    let salt: Option<Salt> = row.get(row::at::AFTER).ok();
    let stored: Option<Hash> = row.get(row::at::AFTER + 1).ok();
    let computed = match (row::form(row).ok(), salt) {
        (Some(form), Some(salt)) => Some(computed(row, seq, form, &salt, evidence)?),
        _ => None,
    };
    let fault = (computed.is_none() || stored != computed)
        .then(|| "it is not what was stored: a field, its salt or its leaf was changed".to_owned());
    let time = row.get(row::at::TIME).ok();
    Ok(Leaf { seq, hash: stored, pruned: false, time, is_step: false, fault })
}

/// The leaf that the values of a row make.
fn computed(row: &Row<'_>, seq: u64, form: LeafForm, salt: &Salt, evidence: &str) -> rusqlite::Result<Hash> {
    let mut commitments = Vec::with_capacity(COLUMNS.len() + 1);
    let mut column = 0;
    for (number, field) in (0_u8..).zip(form.fields()) {
        let salt = merkle::field_salt(salt, number);
        commitments.push(match field {
            Field::Evidence => merkle::commitment(&salt, evidence.as_bytes()),
            Field::Column(_) => {
                column += 1;
                merkle::commitment(&salt, &value(row, column)?)
            }
        });
    }
    Ok(merkle::leaf(form.number(), seq, &merkle::record_hash(commitments)))
}

/// A column's value as the leaf has it.
fn value<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<std::borrow::Cow<'a, [u8]>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(text) | ValueRef::Blob(text) => text.into(),
        ValueRef::Integer(number) => number.to_string().into_bytes().into(),
        ValueRef::Real(number) => number.to_string().into_bytes().into(),
        ValueRef::Null => Vec::new().into(),
    })
}

/// The retention runs of a month file, each with the digest of what it took from it.
pub(super) fn runs(connection: &Connection) -> rusqlite::Result<Vec<Run>> {
    let mut statement = connection.prepare("SELECT seq, run FROM pruned ORDER BY run, seq")?;
    let mut rows = statement.query([])?;
    let mut runs: Vec<(Run, Sha256)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (seq, id) = (row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs());
        if runs.last().is_none_or(|(run, _)| run.id != id) {
            let decision = connection
                .query_row("SELECT decision FROM run WHERE id = ?1", [id.cast_signed()], |row| row.get(0))
                .optional()?
                .unwrap_or_default();
            let run =
                Run { id, decision, records: 0, first: seq, numbers: Vec::new(), digest: String::new() };
            runs.push((run, Sha256::new()));
        }
        if let Some((run, hash)) = runs.last_mut() {
            run.records += 1;
            run.numbers.push(seq);
            hash.update(seq.to_be_bytes());
        }
    }
    Ok(runs.into_iter().map(|(run, hash)| Run { digest: hex(&hash.finalize()), ..run }).collect())
}

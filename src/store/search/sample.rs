//! Samples: some records of a period, chosen by a seed so that anybody with the log chooses the same ones.

use std::collections::BinaryHeap;

use sha2::{Digest as _, Sha256};

use super::{Found, Log, Open, Searched, fits, open};
use crate::limits;
use crate::record::RecordId;
use crate::store::query::{Query, times};
use crate::store::{OpenError, ReadError};

impl Log {
    /// The `count` records of the query's period whose hash with the seed is the smallest, in the order of the log; how
    /// many there are to choose from; and what could not be read.
    pub(in crate::store) fn sample(
        &self,
        query: &Query,
        count: usize,
        seed: &str,
    ) -> (Vec<Found>, u64, Vec<OpenError>) {
        let mut faults = Vec::new();
        let mut chosen: BinaryHeap<([u8; 16], RecordKey)> = BinaryHeap::new();
        let mut all = 0;
        for file in &self.files {
            let path = file.path();
            let read = match open(&path, query, None) {
                Ok(Some(file)) => choose(&file, query, seed, count, &mut chosen, &mut all)
                    .map_err(|source| ReadError { path, source }.into()),
                Ok(None) => Ok(()),
                Err(fault) => Err(fault),
            };
            faults.extend(read.err());
        }
        let mut keys: Vec<RecordKey> = chosen.into_iter().map(|(_, key)| key).collect();
        keys.sort_unstable();
        let mut found = Vec::with_capacity(keys.len());
        for (epoch, seq, node) in keys {
            let one = Query { record: Some(RecordId { node, epoch, seq }), ..Query::default() };
            let keep = |record| {
                found.push(record);
                Ok::<(), ()>(())
            };
            // What cannot be read has been told of.
            let _ = self.search(&one, &mut Searched::default(), keep);
        }
        (found, all, faults)
    }
}

/// Epoch, number, node: the order of the log.
type RecordKey = (u32, u64, Box<str>);

fn choose(
    file: &Open<'_>,
    query: &Query,
    seed: &str,
    count: usize,
    chosen: &mut BinaryHeap<([u8; 16], RecordKey)>,
    all: &mut u64,
) -> rusqlite::Result<()> {
    let (since, until) = times(query);
    // All columns are read only where it matters whose mail it is.
    let columns = if query.person.is_empty() { "time" } else { file.columns.as_str() };
    let sql =
        format!("SELECT seq, {columns} FROM record WHERE seq BETWEEN ?1 AND ?2 AND time >= ?3 AND time < ?4");
    let mut statement = file.connection.prepare(&sql)?;
    let mut next = file.next;
    while next <= file.last {
        let end = next.saturating_add(limits::SEARCH_RECORDS);
        let mut rows = statement.query((next, end, since, until))?;
        while let Some(row) = rows.next()? {
            if !query.person.is_empty() && !fits(query, row)? {
                continue;
            }
            let seq = row.get::<_, i64>(0)?.unsigned_abs();
            *all += 1;
            let hash = hash(seed, &file.node, file.epoch, seq);
            if chosen.len() < count || chosen.peek().is_some_and(|(highest, _)| hash < *highest) {
                chosen.push((hash, (file.epoch, seq, file.node.clone())));
                if chosen.len() > count {
                    chosen.pop();
                }
            }
        }
        next = end.saturating_add(1);
    }
    Ok(())
}

/// The first half of SHA-256 over `seed`, a zero octet, and the record's id as it is written.
fn hash(seed: &str, node: &str, epoch: u32, seq: u64) -> [u8; 16] {
    let id = RecordId { node: node.into(), epoch, seq }.to_string();
    let hash = Sha256::new().chain_update(seed).chain_update([0]).chain_update(id).finalize();
    let mut half = [0; 16];
    half.iter_mut().zip(hash).for_each(|(half, octet)| *half = octet);
    half
}

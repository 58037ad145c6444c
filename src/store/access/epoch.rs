//! Epochs of the access log, as the log's records have them.
//!
//! An access log that is not all that its newest signed head says was restored from an older copy, or changed. Its tree
//! cannot go on: a second head of the same size would be a fork. So the daemon begins a new tree, and tells of it in
//! the new tree's entries. Numbers go on after the lost ones, so that none is given twice; of a backup, which was made before
//! anybody can know what was lost, the heads tell that are there at the start. What commands wrote between the
//! restore and the daemon's start was never signed, and belongs to the new tree.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{AccessError, AccessLog, Kind, NewEpoch, Reader, Via, leaves_of, open_to_read};
use crate::config::Heads;
use crate::merkle::{Hash, Tree};
use crate::metrics::METRICS;
use crate::note::TreeHead;
use crate::store::{heads, tree};

/// An epoch: its entries are those after a number, up to where the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Epoch {
    pub(in crate::store) number: u32,
    /// The last entry of the epoch before.
    pub(in crate::store) after: u64,
    /// The last number that may have been given before.
    pub(in crate::store) lost: u64,
}

/// The tree of an epoch up to an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Grown {
    pub(in crate::store) epoch: Epoch,
    pub(in crate::store) tree: Tree,
    /// The number of the last entry.
    pub(in crate::store) last: u64,
    /// Whether it is the tree that the file says, and goes on from the one before.
    pub(in crate::store) agrees: bool,
}

/// Makes the table, with the first epoch.
pub(super) fn make(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE epoch (number INTEGER PRIMARY KEY, after INTEGER NOT NULL, lost INTEGER NOT NULL) STRICT;
         INSERT INTO epoch VALUES (1, 0, 0);",
    )
}

/// The epochs in order. A file of a version before has the first one alone.
pub(in crate::store) fn list(connection: &Connection) -> rusqlite::Result<Vec<Epoch>> {
    if !connection.table_exists(None, "epoch")? {
        return Ok(vec![FIRST]);
    }
    let mut statement = connection.prepare("SELECT number, after, lost FROM epoch ORDER BY number")?;
    let unsigned = |row: &rusqlite::Row<'_>, at: usize| row.get::<_, i64>(at).map(i64::unsigned_abs);
    let epochs = statement.query_map([], |row| {
        Ok(Epoch { number: row.get(0)?, after: unsigned(row, 1)?, lost: unsigned(row, 2)? })
    })?;
    epochs.collect()
}

const FIRST: Epoch = Epoch { number: 1, after: 0, lost: 0 };

fn newest(connection: &Connection) -> rusqlite::Result<Epoch> {
    Ok(list(connection)?.last().copied().unwrap_or(FIRST))
}

/// The number of the next entry.
pub(super) fn next(connection: &Connection) -> rusqlite::Result<u64> {
    Ok(last(connection)?.max(newest(connection)?.lost) + 1)
}

fn last(connection: &Connection) -> rusqlite::Result<u64> {
    // What tells of deleted entries comes after them, and stays.
    connection
        .query_row("SELECT coalesce(max(n), 0) FROM entry", [], |row| row.get::<_, i64>(0))
        .map(i64::unsigned_abs)
}

/// The number of the entry that is the last one of an epoch's tree when it has `size` leaves.
pub(in crate::store) fn entry_at(directory: &Path, epoch: Epoch, size: u64) -> rusqlite::Result<Option<u64>> {
    let Some(connection) = open_to_read(directory)? else { return Ok(None) };
    let (mut left, mut at) = (size, None);
    leaves(&connection, epoch.after, |n, _| {
        left = left.saturating_sub(1);
        at = Some(n);
        left > 0
    })?;
    Ok(at.filter(|_| size > 0))
}

/// The leaves of the entries after a number, in order, also of those that are deleted.
fn leaves(
    connection: &Connection,
    after: u64,
    mut each: impl FnMut(u64, Hash) -> bool,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(leaves_of(connection)?)?;
    let mut rows = statement.query([after.cast_signed()])?;
    while let Some(row) = rows.next()? {
        if !each(row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?) {
            break;
        }
    }
    Ok(())
}

/// The tree of the newest epoch as it is now, from what it was; `None` where nobody has read the log yet.
pub(in crate::store) fn grown(directory: &Path, from: Option<&Grown>) -> rusqlite::Result<Option<Grown>> {
    let Some(connection) = open_to_read(directory)? else { return Ok(None) };
    let moment = connection.unchecked_transaction()?;
    let epoch = newest(&moment)?;
    let from = from.filter(|from| from.epoch == epoch);
    let (mut tree, mut at) =
        from.map_or((Tree::default(), epoch.after), |from| (from.tree.clone(), from.last));
    leaves(&moment, at, |n, leaf| {
        tree.push(leaf);
        at = n;
        true
    })?;
    let agrees = tree::read(&moment, tree::NOW)? == tree;
    Ok(Some(Grown { epoch, tree, last: at, agrees }))
}

/// Begins a new epoch where the access log is not all that its newest head says, and tells of it.
pub(in crate::store) fn look_through(
    directory: &Path,
    node: &str,
    settings: &Heads,
    copy: bool,
) -> Result<(), AccessError> {
    let signed = heads::of_accesses(directory, settings, node);
    let Some((epoch, head)) = signed.last() else { return Ok(()) };
    let mut log = AccessLog::open(directory)?;
    let path = log.path.clone();
    let begun = begin(&mut log.connection, &signed, *epoch, head, copy);
    let Some(begun) = begun.map_err(|source| AccessError::Write { path, source })? else { return Ok(()) };
    METRICS.log_rollbacks.inc();
    tracing::warn!(
        epoch = begun.number,
        kept = begun.after,
        lost = begun.lost,
        "the access log was restored from an older copy, or is not what its newest tree head says: it begins a new epoch"
    );
    let told = NewEpoch {
        reader: Reader::of_this_process(Via::Daemon),
        epoch: begun.number,
        kept: begun.after,
        lost: begun.lost,
        signed: head.time,
    };
    log.add(Kind::Epoch, Timestamp::now(), &told).map(drop)
}

/// The new epoch, where one has to begin.
fn begin(
    connection: &mut Connection,
    signed: &[(u32, TreeHead)],
    epoch: u32,
    head: &TreeHead,
    copy: bool,
) -> rusqlite::Result<Option<Epoch>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let now = newest(&transaction)?;
    // A head of an epoch before was left behind on purpose.
    let goes_on =
        epoch < now.number || (epoch == now.number && agreed(&transaction, now, &[head])?.is_some());
    if goes_on && !copy {
        return Ok(None);
    }
    let size = tree::read(&transaction, tree::NOW)?.size();
    let last = last(&transaction)?;
    let after = if epoch == now.number && head.size <= size {
        // Nothing is missing, so it was changed: what is here stays in the tree whose heads say otherwise.
        last
    } else {
        let own: Vec<&TreeHead> =
            signed.iter().filter(|(of, _)| *of == now.number).map(|(_, head)| head).collect();
        agreed(&transaction, now, &own)?.unwrap_or(now.after)
    };
    // Each epoch's numbers begin after those that the heads of the ones before tell of.
    let mut sizes: std::collections::BTreeMap<u32, u64> = std::collections::BTreeMap::new();
    for (of, head) in signed {
        let size = sizes.entry(*of).or_default();
        *size = head.size.max(*size);
    }
    let begun =
        Epoch { number: epoch.max(now.number) + 1, after, lost: sizes.values().sum::<u64>().max(last) };
    let mut tree = Tree::default();
    leaves(&transaction, after, |_, leaf| {
        tree.push(leaf);
        true
    })?;
    tree::write(&transaction, tree::NOW, &tree)?;
    let row = (begun.number, begun.after.cast_signed(), begun.lost.cast_signed());
    transaction.execute("INSERT INTO epoch VALUES (?1, ?2, ?3)", row)?;
    transaction.commit()?;
    Ok(Some(begun))
}

/// The number of the last entry up to which the tree is what one of these heads says.
fn agreed(transaction: &Transaction<'_>, epoch: Epoch, heads: &[&TreeHead]) -> rusqlite::Result<Option<u64>> {
    let mut agreed = None;
    let mut tree = Tree::default();
    let newest = heads.iter().map(|head| head.size).max().unwrap_or_default();
    let sizes: std::collections::BTreeMap<u64, Hash> =
        heads.iter().map(|head| (head.size, head.root)).collect();
    leaves(transaction, epoch.after, |n, leaf| {
        tree.push(leaf);
        if sizes.get(&tree.size()).is_some_and(|root| *root == tree.root()) {
            agreed = Some(n);
        }
        tree.size() < newest
    })?;
    Ok(agreed)
}

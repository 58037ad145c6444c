//! Entries whose time is over: their content and salts go, their leaves stay, so that the tree still proves the rest.
//!
//! Contract: what tells of it is an entry that is written in the same transaction. Nothing else deletes entries: a trigger
//! refuses to delete one whose leaf is not kept.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};

use super::{AccessError, AccessLog, AccessRetention, Kind};

/// Makes the table of the leaves that are kept, and what protects it and the entries.
pub(super) fn make(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE pruned (n INTEGER PRIMARY KEY, leaf BLOB NOT NULL, run INTEGER NOT NULL) STRICT;
         DROP TRIGGER IF EXISTS entry_keeps;
         CREATE TRIGGER entry_keeps BEFORE DELETE ON entry
             WHEN NOT EXISTS (SELECT 1 FROM pruned WHERE n = OLD.n AND leaf = OLD.leaf)
             BEGIN SELECT RAISE(ABORT, 'the access log only grows'); END;
         CREATE TRIGGER pruned_stays BEFORE UPDATE ON pruned
             BEGIN SELECT RAISE(ABORT, 'the access log only grows'); END;
         CREATE TRIGGER pruned_keeps BEFORE DELETE ON pruned
             BEGIN SELECT RAISE(ABORT, 'the access log only grows'); END;",
    )
}

/// Selects number and leaf of every entry after a number, in order, also of deleted ones. A file of a version before has
/// none of those.
pub(in crate::store) fn leaves_of(connection: &Connection) -> rusqlite::Result<&'static str> {
    Ok(if connection.table_exists(None, "pruned")? {
        "SELECT n, leaf FROM entry WHERE n > ?1 UNION ALL SELECT n, leaf FROM pruned WHERE n > ?1 ORDER BY n"
    } else {
        "SELECT n, leaf FROM entry WHERE n > ?1 ORDER BY n"
    })
}

impl AccessLog {
    /// Deletes these entries, and writes what tells of it. The number of that entry.
    pub(in crate::store) fn prune(
        &mut self,
        time: Timestamp,
        told: &AccessRetention,
        numbers: &[u64],
    ) -> Result<u64, AccessError> {
        let secure = self.connection.pragma_update(None, "secure_delete", true);
        secure.map_err(|source| self.failed(source))?;
        self.add_and(Kind::AccessRetention, time, told, |transaction, run| {
            let mut keep =
                transaction.prepare("INSERT INTO pruned SELECT n, leaf, ?2 FROM entry WHERE n = ?1")?;
            let mut delete = transaction.prepare("DELETE FROM entry WHERE n = ?1")?;
            for n in numbers {
                keep.execute((n.cast_signed(), run.cast_signed()))?;
                if delete.execute([n.cast_signed()])? != 1 {
                    // What was planned is no longer so.
                    return Err(rusqlite::Error::StatementChangedRows(0));
                }
            }
            Ok(())
        })
    }

    /// By which decision the entry with that number was deleted; `None` where it was not.
    pub(in crate::store) fn deleted_by(&self, n: u64) -> Result<Option<String>, AccessError> {
        let read = || -> rusqlite::Result<Option<String>> {
            if !self.connection.table_exists(None, "pruned")? {
                return Ok(None);
            }
            let sql = "SELECT entry.body FROM pruned JOIN entry ON entry.n = pruned.run WHERE pruned.n = ?1";
            self.connection.query_row(sql, [n.cast_signed()], |row| row.get(0)).optional()
        };
        let body = read().map_err(|source| self.failed(source))?;
        let run = body.and_then(|body| serde_json::from_str::<AccessRetention>(&body).ok());
        Ok(run.map(|run| run.decision))
    }

    /// Makes the file anew: where a page was split, its old half stays in it, and no deletion overwrites that.
    pub(in crate::store) fn clean(&self) -> Result<(), AccessError> {
        self.connection.execute_batch("VACUUM").map_err(|source| self.failed(source))
    }
}

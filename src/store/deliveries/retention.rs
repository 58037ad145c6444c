//! Deliveries go with the record of their mail, and before it: they name people, and nothing else tells when their time is over.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::Connection;

use super::{DeliveriesError, FILE, is_known, open, trace};
use crate::store::schema;

/// Takes away the deliveries of these mails, by queue id and time, and of mails without a record those before `oldest`.
pub(in crate::store) fn take<E: From<DeliveriesError>>(
    directory: &Path,
    mails: impl FnOnce(&mut dyn FnMut(&str, i64) -> rusqlite::Result<()>) -> Result<(), E>,
    oldest: Option<Timestamp>,
) -> Result<(), E> {
    let path = directory.join(FILE);
    if schema::octets(&path).unwrap_or(0) == 0 {
        return Ok(());
    }
    let failed = |source| DeliveriesError::Sqlite { path: path.clone(), source };
    let connection = open(&path).map_err(failed)?;
    if !is_known(&connection).map_err(failed)? {
        return Err(DeliveriesError::Foreign { path }.into());
    }
    // What is deleted is overwritten.
    connection.pragma_update(None, "secure_delete", true).map_err(failed)?;
    connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    mails(&mut |queue_id, time| {
        for row in trace::rows(&connection, queue_id, time)? {
            forget(&connection, "= ?1", row)?;
        }
        Ok(())
    })?;
    let old = || {
        if let Some(oldest) = oldest {
            let all = "IN (SELECT id FROM queue_file WHERE begun < ?1)";
            forget(&connection, all, oldest.as_millisecond())?;
        }
        connection.execute_batch("COMMIT")?;
        // Where a page was split, its old half stays in it; no deletion overwrites that.
        connection.execute_batch("VACUUM")?;
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    };
    old().map_err(|source| failed(source).into())
}

fn forget(connection: &Connection, which: &str, parameter: i64) -> rusqlite::Result<()> {
    for (table, column) in [("delivery", "file"), ("event", "file"), ("queue_file", "id")] {
        let mut statement =
            connection.prepare_cached(&format!("DELETE FROM {table} WHERE {column} {which}"))?;
        statement.execute([parameter])?;
    }
    Ok(())
}

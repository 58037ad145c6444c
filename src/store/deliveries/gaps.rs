//! Gaps: times of which Postfix's log was not read. In the beginning all of time is one.

use rusqlite::{Connection, Transaction};

/// Makes the first gap: everything.
pub(super) const EVERYTHING: &str = "INSERT INTO gap VALUES (-9223372036854775808, 9223372036854775807);";

/// Notes that the log was read from one time to another.
pub(super) fn cover(transaction: &Transaction<'_>, from: i64, to: i64) -> rusqlite::Result<()> {
    let mut over =
        transaction.prepare_cached("SELECT rowid, begun, ended FROM gap WHERE begun < ?2 AND ended > ?1")?;
    let found: Vec<(i64, i64, i64)> = over
        .query_map((from, to), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let mut add = transaction.prepare_cached("INSERT INTO gap VALUES (?1, ?2)")?;
    let mut delete = transaction.prepare_cached("DELETE FROM gap WHERE rowid = ?1")?;
    for (row, begun, ended) in found {
        delete.execute([row])?;
        if begun < from {
            add.execute((begun, from))?;
        }
        if to < ended {
            add.execute((to, ended))?;
        }
    }
    Ok(())
}

/// The gaps that end after the first time and begin before the second one, in order.
pub(super) fn between(connection: &Connection, from: i64, to: i64) -> rusqlite::Result<Vec<(i64, i64)>> {
    let sql = "SELECT begun, ended FROM gap WHERE begun < ?2 AND ended > ?1 ORDER BY begun";
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_map((from, to), |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

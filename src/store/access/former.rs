//! The access log of the version before, whose entries were rows of two tables and no leaves: taken over once, whole or
//! not at all.

use rusqlite::Transaction;

use super::{Access, ConfigChange, Ended, Kind, Reader, TABLES, Unix, VERSION, Via, append};
use crate::merkle::{Salt, Tree};
use crate::store::tree;

const ACCESSES: &str = "
    SELECT access.time, uid, user, login, verb, query, purpose, decision, refused, result.time, rows, outcome
    FROM access LEFT JOIN result ON access = id ORDER BY id";

/// Makes each access an entry, with what came of it behind it. The last entry says that those before it were not
/// proved until now.
pub(super) fn take_over(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(TABLES)?;
    super::epoch::make(transaction)?;
    super::pruned::make(transaction)?;
    let mut tree = Tree::default();
    let mut add = |time: i64, kind: Kind, body: serde_json::Result<String>| {
        let mut salt = Salt::default();
        getrandom::fill(&mut salt).map_err(|error| foreign(error.into()))?;
        let body = body.map_err(|error| foreign(error.into()))?;
        append(transaction, &mut tree, time, kind, &body, &salt)
    };
    let mut last = 0;
    {
        let mut statement = transaction.prepare(ACCESSES)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let access = Access {
                time: jiff::Timestamp::UNIX_EPOCH,
                reader: Reader::of_unix(
                    Via::CommandLine,
                    Unix { uid: row.get(1)?, user: row.get(2)?, login: row.get(3)?, ..Unix::default() },
                ),
                verb: row.get(4)?,
                query: row.get(5)?,
                purpose: row.get(6)?,
                decision: row.get(7)?,
                refused: row.get(8)?,
                ..Access::default()
            };
            last = row.get(0)?;
            let access = add(last, Kind::Access, serde_json::to_string(&access))?;
            if let Some(ended) = row.get::<_, Option<i64>>(9)? {
                let rows = row.get::<_, i64>(10)?.unsigned_abs();
                let result = Ended { access, rows, how: row.get(11)?, ..Ended::default() };
                add(ended, Kind::Result, serde_json::to_string(&result))?;
                last = last.max(ended);
            }
        }
    }
    let change = ConfigChange {
        reader: Reader::of_this_process(Via::CommandLine),
        event: "access log converted from the previous version, whose entries were not signed".to_owned(),
        config: String::new(),
        postvakt: env!("CARGO_PKG_VERSION").to_owned(),
        part: None,
    };
    add(last, Kind::Config, serde_json::to_string(&change))?;
    transaction.execute_batch("DROP TABLE result; DROP TABLE access;")?;
    tree::write(transaction, tree::NOW, &tree)?;
    transaction.pragma_update(None, "user_version", VERSION)
}

fn foreign(error: Box<dyn std::error::Error + Send + Sync>) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error)
}

//! The order of time: a command whose clock is before what the log already has writes nothing, and so reads nothing.
//!
//! The daemon may: that the clock was set back is an entry of its own, and what follows is compared with that one.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use jiff::Timestamp;
use rusqlite::Connection;

use super::{Kind, open_to_read};
use crate::limits;
use crate::note::{Note, TreeHead};
use crate::store::heads;

/// Whether an entry of that kind has to come after what is there. What came of an access is written in any case, and
/// the daemon tells of its config and of the clock whatever the clock says.
pub(super) fn is_held_to(kind: Kind) -> bool {
    match kind {
        Kind::Access
        | Kind::Decision
        | Kind::Approve
        | Kind::Close
        | Kind::Hold
        | Kind::Release
        | Kind::Label
        | Kind::Disclosure
        | Kind::FollowUp
        | Kind::Proposal
        | Kind::Retention
        | Kind::AccessRetention => true,
        // An act on held mail follows its access, and its end is written whatever the clock says.
        Kind::HeldMail | Kind::Result | Kind::Config | Kind::Clock | Kind::Epoch | Kind::Outcomes => false,
    }
}

/// The newest time that the log has, where `now` is before it.
pub(super) fn behind(
    connection: &Connection,
    directory: &Path,
    now: Timestamp,
) -> rusqlite::Result<Option<Timestamp>> {
    let newest = newest_of(connection, directory)?;
    Ok(newest.filter(|newest| newest.duration_since(now) > limits::ENTRY_ORDER))
}

/// The newest time that the access log or a tree head in `directory` has; none where there is neither, or it cannot be
/// read.
pub fn newest(directory: &Path) -> Option<Timestamp> {
    match open_to_read(directory) {
        Ok(Some(connection)) => newest_of(&connection, directory).ok().flatten(),
        Ok(None) | Err(_) => newest_head(directory),
    }
}

fn newest_of(connection: &Connection, directory: &Path) -> rusqlite::Result<Option<Timestamp>> {
    let mut statement = connection.prepare_cached("SELECT time, kind FROM entry ORDER BY n DESC LIMIT ?1")?;
    let mut rows = statement.query([limits::ENTRIES_RECENT])?;
    let mut newest = newest_head(directory);
    while let Some(row) = rows.next()? {
        newest = newest.max(Timestamp::from_millisecond(row.get(0)?).ok());
        if row.get_ref(1)?.as_str().is_ok_and(|kind| kind == Kind::Clock.as_str()) {
            // A head that was signed before this step is no measure.
            break;
        }
    }
    Ok(newest)
}

/// When the last head in the file was signed. Its signature is verified elsewhere; a wrong one keeps nobody from setting
/// the clock.
fn newest_head(directory: &Path) -> Option<Timestamp> {
    let mut file = File::open(directory.join(heads::FILE)).ok()?;
    let octets = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(octets.saturating_sub(limits::HEADS_TAIL))).ok()?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).ok()?;
    let notes = Note::all(&String::from_utf8_lossy(&tail));
    notes.iter().rev().find_map(|note| TreeHead::parse(&note.text)).map(|head| head.time)
}

//! Whether an index file says what the records of its month file do: each segment is made anew and compared.

use std::fs::File;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::lookup::{Side, Unused};
use super::{EXTENSION, Fault, build};
use crate::store::schema;

/// What became of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Compared {
    /// There is no index file.
    Absent,
    /// It says what the records do.
    Same,
    /// A part of it is not used; searches read the records instead.
    Unused(Unused),
    /// It is whole, and says something else of the records between these two numbers.
    Differs(i64, i64),
}

/// Compares the index file beside a month file with its records. What differs is looked at once more: retention
/// may have removed the index file after it was opened here, and then records.
pub(in crate::store) fn compare(month_file: &Path) -> Result<Compared, Fault> {
    match once(month_file)? {
        Compared::Differs(..) => {
            thread::sleep(AGAIN);
            once(month_file)
        }
        compared => Ok(compared),
    }
}

/// Between two looks at what differs.
const AGAIN: Duration = Duration::from_millis(500);

fn once(month_file: &Path) -> Result<Compared, Fault> {
    let file = match File::open(month_file.with_extension(EXTENSION)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Compared::Absent),
        Err(error) => return Err(error.into()),
    };
    let connection = schema::open_to_read(month_file)?;
    let side = Side::read(file, &connection)?;
    for segment in side.segments() {
        if !side.is_whole(segment)? {
            return Ok(Compared::Unused(Unused::Damaged));
        }
        let Some(built) = build(&connection, segment.first, segment.last, &|| false)? else { continue };
        if !side.is(segment, &built)? {
            return Ok(Compared::Differs(segment.first, segment.last));
        }
    }
    Ok(side.unused().map_or(Compared::Same, Compared::Unused))
}

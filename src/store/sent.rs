//! The sent-marker file: receipts and notices that the MTA accepted, marked before the log records it.
//!
//! Contract: one line for each session of the courier, written over in place by one call and not synced. So a process
//! that is killed before the log has the letter leaves word of it. A power loss may leave each line old, new or torn: a
//! line names a letter by its key and the time of its mail, and means nothing unless that very letter still waits. What
//! a line says is in the log too, or will be; nothing private is here.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::schema::OpenError;
use crate::limits;
use crate::record::OutboxKey;

/// 32 digits, a space, 20 digits, a line end.
const LINE: usize = 54;

/// The file of marks, open for writing.
#[derive(Debug)]
pub(super) struct Marks {
    file: File,
    path: PathBuf,
}

impl Marks {
    /// The marks in the directory of a store whose lock is held.
    pub(super) fn open(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join("sent");
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
        match file {
            Ok(file) => Ok(Self { file, path }),
            Err(source) => Err(OpenError::Io { path, source }),
        }
    }

    /// Marks a letter as taken, in the session's line: the letter that was in it before is in the log by now.
    pub(super) fn set(&self, session: usize, key: &OutboxKey, at: Timestamp) -> io::Result<()> {
        self.file.write_all_at(line(key, at).as_bytes(), (session * LINE) as u64)
    }

    /// The letters that are marked, whether or not the log has them. Blocks.
    pub(super) fn read(&self) -> io::Result<Vec<(OutboxKey, Timestamp)>> {
        let mut octets = Vec::new();
        File::open(&self.path)?.take(limits::COURIER_MARKS_OCTETS).read_to_end(&mut octets)?;
        Ok(octets.chunks(LINE).filter_map(letter).collect())
    }
}

fn line(key: &OutboxKey, at: Timestamp) -> String {
    format!("{:032x} {:020}\n", u128::from_be_bytes(*key), at.as_millisecond())
}

/// The letter of a line; `None` where no session has written yet, or where a power loss has left a part.
fn letter(line: &[u8]) -> Option<(OutboxKey, Timestamp)> {
    let (key, at) = std::str::from_utf8(line).ok()?.strip_suffix('\n')?.split_once(' ')?;
    let key = u128::from_str_radix(key, 16).ok()?.to_be_bytes();
    Some((key, Timestamp::from_millisecond(at.parse().ok()?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    #[test]
    fn each_session_has_a_line_and_a_torn_one_costs_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let marks = Marks::open(directory.path()).unwrap();
        assert_eq!(marks.read().unwrap(), []);
        marks.set(2, &[1; 16], at(1_780_000_000_123)).unwrap();
        assert_eq!(marks.read().unwrap(), [([1; 16], at(1_780_000_000_123))]);
        marks.set(0, &[0xAB; 16], at(0)).unwrap();
        marks.set(2, &[2; 16], at(-5)).unwrap();
        // Another process reads what this one has written.
        let marks = Marks::open(directory.path()).unwrap();
        assert_eq!(marks.read().unwrap(), [([0xAB; 16], at(0)), ([2; 16], at(-5))]);
        let path = directory.path().join("sent");
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            let mut torn = whole.clone();
            torn[cut] = 0;
            std::fs::write(&path, &torn).unwrap();
            let left = marks.read().unwrap();
            assert!(left.len() == 1 || (LINE..2 * LINE).contains(&cut), "{cut}: {left:?}");
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(marks.read().unwrap().len(), usize::from(cut >= LINE), "{cut}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_is_told_of() {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/full", directory.path().join("sent")).unwrap();
        let marks = Marks::open(directory.path()).unwrap();
        let error = marks.set(0, &[1; 16], at(0)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        // It has no end, and what is in it is no mark.
        assert_eq!(marks.read().unwrap(), []);
    }
}

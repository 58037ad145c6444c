//! Requests to the outbox from the command line: a file for each, in a directory beside the log.
//!
//! One process writes the store, so `postvakt receipts retry` and `cancel` do not. They leave a file whose name is the
//! whole request; the courier has it written into the store and removes it. A request that is carried out twice is carried out
//! once: what was sent stays sent.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::record::OutboxKey;
use crate::text::words;

const FOLDER: &str = "requests";

words! {
    /// What is asked.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Request {
        /// Send it now, even if it failed or was cancelled.
        Retry = "retry",
        /// Do not send it.
        Cancel = "cancel",
    }
}

/// Makes the directory for wishes. The program does so at its start, so that it may remove what others put there.
pub fn prepare(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory.join(FOLDER))
}

/// Leaves a request; the file is gone when it is carried out.
pub fn leave(directory: &Path, key: &OutboxKey, request: Request) -> io::Result<PathBuf> {
    prepare(directory)?;
    let path =
        directory.join(FOLDER).join(format!("{:032x}.{}", u128::from_be_bytes(*key), request.as_str()));
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)?.sync_all()?;
    Ok(path)
}

/// The wishes that wait. What is none is left where it is.
pub(super) fn waiting(directory: &Path) -> io::Result<Vec<(PathBuf, OutboxKey, Request)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory.join(FOLDER))? {
        let path = entry?.path();
        let request = path.extension().and_then(|ending| Request::parse(ending.to_str()?));
        let key = path.file_stem().and_then(|stem| u128::from_str_radix(stem.to_str()?, 16).ok());
        if let Some((key, request)) = key.zip(request) {
            found.push((path, key.to_be_bytes(), request));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_read_as_it_was_left() {
        let directory = tempfile::tempdir().unwrap();
        prepare(directory.path()).unwrap();
        let key = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255];
        let path = leave(directory.path(), &key, Request::Cancel).unwrap();
        leave(directory.path(), &key, Request::Cancel).unwrap();
        fs::write(directory.path().join("requests/readme"), "").unwrap();
        assert_eq!(waiting(directory.path()).unwrap(), [(path, key, Request::Cancel)]);
    }
}

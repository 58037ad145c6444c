//! The epoch file: the newest month that was ever written to, so that a month file that is taken away is missed.
//!
//! Without it the numbers of a lost file would be given a second time. With it, the log begins a new epoch.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::month::Month;
use super::schema::{OpenError, sync_directory};

const NAME: &str = "epoch";

/// The epoch and the month that were written last; `None` in a new store.
pub(super) fn read(directory: &Path) -> Result<Option<(u32, Month)>, OpenError> {
    let path = directory.join(NAME);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(OpenError::Io { path, source }),
    };
    let parsed = text
        .trim()
        .split_once(' ')
        .and_then(|(epoch, month)| Some((epoch.parse().ok()?, Month::parse(month)?)));
    match parsed {
        Some(parsed) => Ok(Some(parsed)),
        None => Err(OpenError::Damaged { path, what: "it should read like `1 2026-08`".into() }),
    }
}

/// Writes it, whole or not at all.
pub(super) fn write(directory: &Path, epoch: u32, month: Month) -> Result<(), OpenError> {
    let path = directory.join(NAME);
    let new = directory.join("epoch.new");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        writeln!(file, "{epoch} {month}")?;
        file.sync_all()?;
        fs::rename(&new, &path)
    };
    write().map_err(|source| OpenError::Io { path: path.clone(), source })?;
    sync_directory(directory)
}

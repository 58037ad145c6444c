//! Answers by which senders want their held mail released: a file for each, from before the answer is accepted until it has
//! been carried out.
//!
//! Contract: a file is whole and on the disk before the answer's sender hears that it was accepted. It is named after the
//! answer's record, so an answer has one. What is none is left where it is.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::key::write_whole;
use super::outbox::{self, Stored};
use super::{ReadError, Store};
use crate::limits;
use crate::record::{OutboxKey, RecordId};

const FOLDER: &str = "overrides";

/// An answer that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// The key of the notice that it answers.
    pub notice: OutboxKey,
    /// The mailbox that answers.
    pub by: String,
    /// What it wrote.
    pub text: String,
    /// The answer's record.
    pub answer: String,
}

impl Store {
    /// Keeps an answer, and has it carried out. When this returns, it is on the disk. Blocks.
    pub fn keep_override(&self, kept: &Override) -> io::Result<()> {
        let folder = self.directory().join(FOLDER);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        if fs::read_dir(&folder)?.take(limits::OVERRIDES_WAITING).count() == limits::OVERRIDES_WAITING {
            return Err(io::Error::other("too many answers wait to be carried out"));
        }
        // Text and numbers always have a JSON form.
        write_whole(&folder.join(format!("{}.json", kept.answer)), &serde_json::to_vec(kept)?)?;
        File::open(&folder)?.sync_all()?;
        self.0.overrides.notify_one();
        Ok(())
    }

    /// Waits until one came since the last time.
    pub async fn override_came(&self) {
        self.0.overrides.notified().await;
    }

    /// A notice of ours, and the record of the mail that it is about; `None` for what was sent by nobody here, or long ago.
    /// Blocks.
    pub fn notice(&self, key: &OutboxKey) -> Result<Option<(RecordId, Stored)>, ReadError> {
        outbox::find(self.directory(), self.outbox(), key)
    }
}

/// The answers that wait, each with its file.
pub fn waiting(directory: &Path) -> io::Result<Vec<(PathBuf, Override)>> {
    let entries = match fs::read_dir(directory.join(FOLDER)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let mut octets = Vec::new();
        File::open(&path)?.take(limits::OVERRIDE_OCTETS).read_to_end(&mut octets)?;
        match serde_json::from_slice(&octets) {
            Ok(kept) => found.push((path, kept)),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "not an answer about held mail; it is not carried out");
            }
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found)
}

/// Forgets one that was carried out.
pub fn forget(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

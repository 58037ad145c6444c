//! Where the log goes on: in its newest file, or in a new epoch where what is there is not all that there was.
//!
//! A file that was taken away is missed by the file `epoch`, one that was replaced by an older copy of itself by the
//! tree heads. In both cases numbers would be given twice and a second tree would grow out of the first one, so the
//! log begins a new epoch: the numbers begin at 1, the tree is empty, and the file is a new one. So it does where it was
//! restored from a backup, because nobody can tell what was written after that.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use jiff::Timestamp;

use super::heads;
use super::month::Month;
use super::schema::{self, About, OpenError, sync_directory};
use super::tree;
use crate::config::Heads;
use crate::limits;
use crate::merkle::Tree;
use crate::metrics::METRICS;
use crate::note::TreeHead;

/// The file that has the newest month and its epoch.
pub(super) const NAME: &str = "epoch";

/// The file by which a copy of the log that `postvakt backup` made is known. The first start removes it.
pub(super) const COPY: &str = "backup";

/// The SHA-256 of every file of a backup, as `sha256sum --check` reads it.
pub(super) const SUMS: &str = "SHA256SUMS";

/// Where the log goes on.
#[derive(Debug)]
pub(super) struct Start {
    /// Who writes, in which epoch, after which number.
    pub(super) about: About,
    /// No file before this month is written to.
    pub(super) floor: Option<Month>,
    /// The epoch's tree.
    pub(super) tree: Tree,
    /// When the newest head was signed.
    pub(super) signed: Option<Timestamp>,
}

/// Whether the log is one that was restored from a backup, and goes on for the first time.
pub(super) fn is_copy(directory: &Path) -> bool {
    directory.join(COPY).exists()
}

/// Looks at every month file and tells where the log goes on.
pub(super) fn look_through(
    directory: &Path,
    node: &str,
    settings: &Heads,
    copy: bool,
) -> Result<Start, OpenError> {
    let months =
        Month::list(directory).map_err(|source| OpenError::Directory { path: directory.into(), source })?;
    let mut newest = None;
    for month in &months {
        let path = month.path(directory);
        let small = schema::octets(&path).is_some_and(|octets| octets <= limits::CHECK_OCTETS);
        let thorough = months.last() == Some(month) && small;
        if months.last() == Some(month) && !small {
            tracing::warn!(path = %path.display(), "too large to check at the start; run `PRAGMA quick_check`");
        }
        match schema::inspect(&path, thorough)? {
            Some(about) if about.node == node => newest = Some((*month, about)),
            Some(About { node: found, .. }) => {
                return Err(OpenError::Node { path, found, wanted: node.into() });
            }
            None => tracing::warn!(path = %path.display(), "an empty log file is treated as a new one"),
        }
    }
    let (written, head) = (read(directory)?, heads::newest(directory, settings, node));
    let signed = head.as_ref().map(|(_, head)| head.time);
    let begin = |floor: Option<Month>, known: Option<u32>| {
        let epochs = [known, written.map(|(epoch, _)| epoch), head.as_ref().map(|(epoch, _)| *epoch)];
        let epoch = epochs.into_iter().flatten().max().unwrap_or(0) + 1;
        Start { about: About { node: node.into(), epoch, last: 0 }, floor, tree: Tree::default(), signed }
    };
    let Some((month, about)) = newest else {
        let start = begin(written.map(|(_, month)| month.next_part()), copy.then_some(1));
        if start.about.epoch > 1 {
            announce(&start, "the log's files are missing");
        }
        return Ok(start);
    };
    let mut start = begin(Some(month.next_part()), Some(about.epoch));
    if let Some((_, missing)) = written.filter(|(_, written)| *written > month) {
        start.floor = Some(missing.next_part());
        announce(&start, "a month of the log is missing");
        return Ok(start);
    }
    let Some(tree) = own_tree(directory, month)? else {
        announce(&start, "the newest file was written by an older version, without a tree");
        return Ok(start);
    };
    if let Some((epoch, head)) = &head
        && !agrees(directory, &months, &about, *epoch, head)?
    {
        METRICS.log_rollbacks.inc();
        announce(
            &start,
            "the log does not match its newest tree head: it was restored from an older copy, or changed",
        );
        return Ok(start);
    }
    if copy {
        METRICS.log_rollbacks.inc();
        announce(&start, "the log was restored from a backup");
        return Ok(start);
    }
    Ok(Start { about, floor: Some(month), tree, signed })
}

fn announce(start: &Start, why: &str) {
    tracing::warn!(epoch = start.about.epoch, why, "the log begins a new epoch");
}

/// The tree of the newest file; `None` in one without.
fn own_tree(directory: &Path, month: Month) -> Result<Option<Tree>, OpenError> {
    let path = month.path(directory);
    let read = || {
        let connection = schema::open_to_read(&path)?;
        match schema::version(&connection)? {
            ..schema::TREE_VERSION => Ok(None),
            _ => tree::read(&connection, tree::NOW).map(Some),
        }
    };
    read().map_err(|source| OpenError::Sqlite { path: path.clone(), source })
}

/// Whether the log still is what the newest head says.
fn agrees(
    directory: &Path,
    months: &[Month],
    about: &About,
    epoch: u32,
    head: &TreeHead,
) -> Result<bool, OpenError> {
    if epoch != about.epoch {
        // A head of an epoch that began later than all there is; an earlier one was left behind on purpose.
        return Ok(epoch < about.epoch);
    }
    if head.size > about.last {
        return Ok(false);
    }
    for month in months.iter().rev() {
        let path = month.path(directory);
        let read = || {
            let connection = schema::open_to_read(&path)?;
            if schema::version(&connection)? < schema::TREE_VERSION
                || schema::about(&connection)?.epoch != epoch
            {
                return Ok(None);
            }
            tree::at(&connection, head.size)
        };
        let found = read().map_err(|source| OpenError::Sqlite { path: path.clone(), source })?;
        if let Some(tree) = found {
            return Ok(tree.root() == head.root);
        }
    }
    Ok(false)
}

/// The tree of an epoch as it is now, if the log goes on in it and is all that its newest head says.
pub(super) fn current(
    directory: &Path,
    settings: &Heads,
    node: &str,
    epoch: u32,
) -> Result<Option<Tree>, OpenError> {
    let months =
        Month::list(directory).map_err(|source| OpenError::Directory { path: directory.into(), source })?;
    let Some(month) = months.last() else { return Ok(None) };
    let about = schema::inspect(&month.path(directory), false)?;
    let Some(about) = about.filter(|about| about.node == node && about.epoch == epoch) else {
        return Ok(None);
    };
    if let Some((signed, head)) = heads::newest(directory, settings, node)
        && !agrees(directory, &months, &about, signed, &head)?
    {
        return Ok(None);
    }
    own_tree(directory, *month)
}

/// The epoch and the month that were written last; `None` in a new store.
fn read(directory: &Path) -> Result<Option<(u32, Month)>, OpenError> {
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
        None => Err(OpenError::Damaged { path, what: "expected a line such as `1 2026-08`".into() }),
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
    for name in [COPY, SUMS] {
        match fs::remove_file(directory.join(name)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(name, %error, "cannot remove this file of the backup from the log's directory");
            }
        }
    }
    sync_directory(directory)
}

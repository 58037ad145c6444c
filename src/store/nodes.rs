//! The logs of other nodes that are copied here: below the log's own directory, one for each, by the node's name.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::month::Month;

/// The directory that has them.
pub(super) const DIRECTORY: &str = "nodes";

/// A month file, of this node or of one whose log is copied here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MonthFile {
    /// The month.
    pub(super) month: Month,
    /// The node's directory.
    pub(super) directory: Arc<Path>,
}

impl MonthFile {
    /// Where it is.
    pub(super) fn path(&self) -> PathBuf {
        self.month.path(&self.directory)
    }
}

/// What may be missing from the replica of a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Behind {
    /// Its state cannot be read: it was never complete.
    #[error("{0}: its log is not here yet, or only a part of it")]
    Never(String),
    /// The replica is late.
    #[error("{0}: its log is here as it was at {1}")]
    Replica(String, Timestamp),
    /// The node is.
    #[error("{0}: the centre last heard of this node at {1}; what it logged since then is on the node alone")]
    Node(String, Timestamp),
}

/// The directory of the copy of a node's log.
pub(super) fn of(directory: &Path, node: &str) -> PathBuf {
    directory.join(DIRECTORY).join(node)
}

/// The directories with a log: the own one, then those of the nodes that are copied here, by name.
pub(super) fn directories(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = vec![directory.to_owned()];
    let copies = match std::fs::read_dir(directory.join(DIRECTORY)) {
        Ok(copies) => copies,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error),
    };
    let mut nodes = copies.map(|copy| Ok(copy?.path())).collect::<io::Result<Vec<_>>>()?;
    nodes.retain(|path| path.is_dir());
    nodes.sort_unstable();
    found.append(&mut nodes);
    Ok(found)
}

/// The month files of all of them, the oldest month first.
pub(super) fn month_files(directory: &Path) -> io::Result<Vec<MonthFile>> {
    let mut files = Vec::new();
    for directory in directories(directory)? {
        let months = Month::list(&directory)?;
        let directory: Arc<Path> = directory.into();
        files.extend(months.into_iter().map(|month| MonthFile { month, directory: Arc::clone(&directory) }));
    }
    files.sort();
    Ok(files)
}

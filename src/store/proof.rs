//! Proofs: what the receiver of an export needs to verify each row with the public key alone.
//!
//! For each exported record its salt and the values as they are stored, and at the end of each tree a signed head with
//! the roots of the parts that were not exported. A value that is masked is replaced by its commitment.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _};

use super::{OpenError, ReadError, epoch, heads, nodes, row, schema, tree};
use crate::config::Heads;
use crate::merkle::{self, Hash, Salt, Tree};
use crate::note::{Note, TreeHead};
use crate::record::RecordId;
use crate::record::columns::LeafForm;

/// What is stored of a record, as its leaf has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The tree.
    pub origin: String,
    /// Which fields its leaf covers.
    pub form: LeafForm,
    /// The salt.
    pub salt: Salt,
    /// The values of these fields.
    pub values: Vec<String>,
}

impl Sealed {
    /// The leaf that these values have under this number.
    pub(super) fn leaf(&self, seq: u64) -> Hash {
        let commitments = (0_u8..).zip(&self.values).map(|(number, value)| {
            merkle::commitment(&merkle::field_salt(&self.salt, number), value.as_bytes())
        });
        merkle::leaf(self.form.number(), seq, &merkle::record_hash(commitments))
    }
}

/// What proves the records of one tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The tree.
    pub origin: String,
    /// A signed head, if there is one.
    pub head: Option<Note>,
    /// The roots of the parts of the tree that hold none of the exported records.
    pub others: Vec<Hash>,
    /// Exported records that are newer than the head.
    pub uncovered: u64,
}

/// A month file, and which records it has.
struct File {
    path: PathBuf,
    directory: Arc<Path>,
    node: String,
    epoch: u32,
    start: u64,
}

/// Collects what proves the records that are exported.
pub struct Prover {
    directory: PathBuf,
    settings: Heads,
    files: Vec<File>,
    /// The file that was read last, and its columns.
    open: Option<(usize, Connection, String)>,
    /// The numbers of the exported records, by node and epoch.
    exported: BTreeMap<(String, u32), Vec<u64>>,
}

impl Prover {
    /// For the log in a directory.
    pub(super) fn new(directory: &Path, settings: &Heads) -> Result<Self, OpenError> {
        let files = files(directory)?;
        let (directory, settings) = (directory.into(), settings.clone());
        Ok(Self { directory, settings, files, open: None, exported: BTreeMap::new() })
    }

    /// What is stored of a record that is exported; `None` where its file has no tree, or it is no longer there.
    pub fn seal(&mut self, id: &RecordId) -> Result<Option<Sealed>, ReadError> {
        let own = |file: &File| file.node == *id.node && file.epoch == id.epoch && file.start < id.seq;
        let Some(at) = self.files.iter().rposition(own) else { return Ok(None) };
        let Some(file) = self.files.get(at) else { return Ok(None) };
        let failed = |source| ReadError { path: file.path.clone(), source };
        if self.open.as_ref().is_none_or(|(open, ..)| *open != at) {
            let connection = schema::open_to_read(&file.path).map_err(failed)?;
            let columns = row::select(&connection).map_err(failed)?;
            self.open = Some((at, connection, columns));
        }
        let Some((_, connection, columns)) = &self.open else { return Ok(None) };
        let sealed = row::sealed(connection, columns, id.seq).map_err(failed)?;
        let Some((form, salt, values)) = sealed else { return Ok(None) };
        self.exported.entry((file.node.clone(), file.epoch)).or_default().push(id.seq);
        Ok(Some(Sealed { origin: heads::origin(&id.node, id.epoch), form, salt, values }))
    }

    /// The leaf that is stored of a record in the file that was read last.
    pub(super) fn leaf_of_last(&self, seq: u64) -> Result<Option<Hash>, ReadError> {
        let Some((at, connection, _)) = &self.open else { return Ok(None) };
        let read = || {
            let mut statement = connection.prepare_cached("SELECT leaf FROM record WHERE seq = ?1")?;
            statement.query_row([seq.cast_signed()], |row| row.get(0)).optional()
        };
        let path = || self.files.get(*at).map(|file| file.path.clone()).unwrap_or_default();
        read().map_err(|source| ReadError { path: path(), source })
    }

    /// What proves the exported records, tree by tree. A head that covers them is signed, if the key can be read.
    pub fn finish(mut self) -> Result<Vec<Proof>, OpenError> {
        self.open = None;
        // A month may have begun since.
        let files = files(&self.directory)?;
        let mut proofs = Vec::new();
        for ((node, epoch), exported) in &mut self.exported {
            exported.sort_unstable();
            exported.dedup();
            let origin = heads::origin(node, *epoch);
            let newest = exported.last().copied().unwrap_or_default();
            let files: Vec<&File> =
                files.iter().filter(|file| file.node == *node && file.epoch == *epoch).collect();
            let directory = files.first().map_or(self.directory.as_path(), |file| &file.directory);
            // The key of another node is not here.
            let settings = Some(&self.settings).filter(|_| directory == self.directory);
            let head = covering(directory, settings, node, *epoch, newest);
            let Some((note, head)) = head else {
                let uncovered = exported.len() as u64;
                proofs.push(Proof { origin, head: None, others: Vec::new(), uncovered });
                continue;
            };
            let wanted: Vec<u64> = exported.iter().map(|seq| seq - 1).filter(|at| *at < head.size).collect();
            let others = roots(&files, &head, &wanted)?;
            let uncovered = (exported.len() - wanted.len()) as u64;
            proofs.push(Proof { origin, head: Some(note), others, uncovered });
        }
        Ok(proofs)
    }
}

/// The month files that have a tree, in order.
fn files(directory: &Path) -> Result<Vec<File>, OpenError> {
    let all = nodes::month_files(directory);
    let all = all.map_err(|source| OpenError::Directory { path: directory.into(), source })?;
    let mut files = Vec::new();
    for file in all {
        let (path, directory) = (file.path(), file.directory);
        let read = || {
            let connection = schema::open_to_read(&path)?;
            if schema::version(&connection)? < schema::TREE_VERSION {
                return Ok(None);
            }
            let about = schema::about(&connection)?;
            let start = tree::read(&connection, tree::START)?.size();
            let (path, node, epoch) = (path.clone(), about.node, about.epoch);
            Ok(Some(File { path, directory: Arc::clone(&directory), node, epoch, start }))
        };
        // What cannot be read is left out of the export, and told of there.
        files.extend(read().unwrap_or_else(|error: rusqlite::Error| {
            tracing::warn!(path = %path.display(), %error, "cannot prove records of this file");
            None
        }));
    }
    Ok(files)
}

/// The roots of the parts of the tree that hold none of the wanted leaves, in one walk through them.
fn roots(files: &[&File], head: &TreeHead, wanted: &[u64]) -> Result<Vec<Hash>, ReadError> {
    let mut parts = merkle::others(head.size, wanted).into_iter().peekable();
    let mut roots = Vec::new();
    let mut tree = Tree::default();
    for file in files {
        let mut read = || -> rusqlite::Result<()> {
            let connection = schema::open_to_read(&file.path)?;
            tree::leaves(&connection, file.start + 1, head.size, |seq, leaf| {
                if let Some(part) = parts.peek()
                    && part.contains(&(seq - 1))
                {
                    tree.push(leaf);
                    if seq == part.end {
                        roots.push(std::mem::take(&mut tree).root());
                        parts.next();
                    }
                }
            })
        };
        read().map_err(|source| ReadError { path: file.path.clone(), source })?;
    }
    Ok(roots)
}

/// Signs a head for the newest epoch as it is now, unless that would be a fork.
pub(super) fn sign(
    directory: &Path,
    settings: &Heads,
    node: &str,
    epoch: u32,
) -> io::Result<Option<(Note, TreeHead)>> {
    let Some(tree) = epoch::current(directory, settings, node, epoch).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let head = TreeHead {
        origin: heads::origin(node, epoch),
        size: tree.size(),
        root: tree.root(),
        time: jiff::Timestamp::now(),
    };
    let signed = heads::signer(directory, settings, node)?.sign(head.text());
    heads::append(&directory.join(heads::FILE), &signed)?;
    Ok(Some((signed, head)))
}

/// A signed head of an epoch that covers the records up to `newest`, if there is one, or can be where there are settings; else
/// the newest there is.
fn covering(
    directory: &Path,
    settings: Option<&Heads>,
    node: &str,
    epoch: u32,
    newest: u64,
) -> Option<(Note, TreeHead)> {
    let key = heads::verifier(directory)?;
    let text = fs::read_to_string(directory.join(heads::FILE)).unwrap_or_default();
    let own = |note: Note| {
        let head = key.head(&note).ok().filter(|head| head.origin == heads::origin(node, epoch))?;
        Some((note, head))
    };
    let known = Note::all(&text).into_iter().filter_map(own).max_by_key(|(_, head)| head.size);
    if known.as_ref().is_some_and(|(_, head)| head.size >= newest) {
        return known;
    }
    let Some(settings) = settings else { return known };
    // A user who may not read the key gets the heads signed before; the rest is reported as not covered.
    match sign(directory, settings, node, epoch) {
        Ok(Some(signed)) => Some(signed),
        Ok(None) => known,
        Err(error) => {
            tracing::warn!(%error, "cannot sign a tree head for the export");
            known
        }
    }
}

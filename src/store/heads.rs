//! Tree heads: the file beside the log that has them, and the key that signs them.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::key;
use super::schema::OpenError;
use crate::config::Heads;
use crate::limits;
use crate::note::{Note, Signer, TreeHead, Verifier};

/// The signed heads, in the store's directory.
pub const FILE: &str = "heads";
/// The public key, in the store's directory.
pub const PUBLIC_KEY: &str = "heads.pub";
/// The private key, in the store's directory unless the config names another file.
pub(super) const PRIVATE_KEY: &str = "heads.key";

/// The name of a node's key, with which the origins of its trees begin.
pub fn name(node: &str) -> String {
    format!("postvakt/{node}")
}

/// The origin of the tree of an epoch.
pub fn origin(node: &str, epoch: u32) -> String {
    format!("{}/{epoch}", name(node))
}

/// The origin of an epoch's tree of accesses. The first one has no number.
pub fn access_origin(node: &str, epoch: u32) -> String {
    let first = format!("{}/access", name(node));
    if epoch == 1 { first } else { format!("{first}/{epoch}") }
}

/// The epoch of a tree of accesses; `None` for another tree.
pub(super) fn access_epoch(origin: &str) -> Option<u32> {
    if origin.ends_with("/access") {
        return Some(1);
    }
    let (first, epoch) = origin.rsplit_once('/')?;
    first.ends_with("/access").then(|| epoch.parse().ok())?
}

/// The node's key, which is created if it is missing.
pub fn signer(directory: &Path, settings: &Heads, node: &str) -> io::Result<Signer> {
    let path = key_path(directory, settings);
    let seed = match key::read(&path) {
        Ok(Some(seed)) => Ok(seed),
        Ok(None) if settings.key.is_none() => key::make(&path),
        Ok(None) => Err(OpenError::Io { path, source: io::ErrorKind::NotFound.into() }),
        Err(error) => Err(error),
    };
    let signer = Signer::new(&name(node), &seed.map_err(io::Error::other)?);
    let public = directory.join(PUBLIC_KEY);
    let text = format!("{}\n", signer.verifier());
    if fs::read_to_string(&public).ok().as_deref() != Some(&text) {
        key::write_whole(&public, text.as_bytes())?;
    }
    Ok(signer)
}

/// Refuses a private key that other users can read, at the start, when an admin sees it: what it signs proves nothing.
pub(super) fn look_at_key(directory: &Path, settings: &Heads) -> Result<(), OpenError> {
    match key::read(&key_path(directory, settings)) {
        Err(error @ OpenError::KeyMode { .. }) => Err(error),
        // Whatever else is wrong with it keeps no mail waiting: it is told of when a head is to be signed.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn key_path(directory: &Path, settings: &Heads) -> PathBuf {
    settings.key.clone().unwrap_or_else(|| directory.join(PRIVATE_KEY))
}

/// Adds a note to a file and makes it durable; a blank line keeps it from what a broken write left.
pub(super) fn append(path: &Path, note: &Note) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(format!("{note}\n").as_bytes())?;
    file.sync_data()
}

/// The newest head of the node's records that these files have, with its epoch. A file that is not there has none.
pub(super) fn newest(directory: &Path, settings: &Heads, node: &str) -> Option<(u32, TreeHead)> {
    let key = verifier(directory);
    let mut newest: Option<(u32, TreeHead)> = None;
    for path in std::iter::once(directory.join(FILE)).chain(settings.file.clone()) {
        let text = match fs::read(&path) {
            Ok(octets) => String::from_utf8_lossy(&octets).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "unreadable tree heads are not compared");
                continue;
            }
        };
        for note in Note::all(&text) {
            let head = match &key {
                Some(key) => key.head(&note).ok(),
                None => TreeHead::parse(&note.text),
            };
            let Some(head) = head else { continue };
            let epoch = head.origin.strip_prefix(&name(node)).and_then(|rest| rest.strip_prefix('/'));
            let Some(epoch) = epoch.and_then(|epoch| epoch.parse().ok()) else { continue };
            if newest.as_ref().is_none_or(|(known, at)| (*known, at.size) <= (epoch, head.size)) {
                newest = Some((epoch, head));
            }
        }
    }
    newest
}

/// The newest head of the node's records at the end of a file, with its epoch. Its signature is not looked at: this is for
/// telling how far a copy has come, not for proving anything.
pub(super) fn last(path: &Path, node: &str) -> Option<(u32, TreeHead)> {
    let mut file = fs::File::open(path).ok()?;
    let octets = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(octets.saturating_sub(limits::HEADS_TAIL_OCTETS))).ok()?;
    let mut text = Vec::new();
    file.take(limits::HEADS_TAIL_OCTETS).read_to_end(&mut text).ok()?;
    let own = |note: &Note| {
        let head = TreeHead::parse(&note.text)?;
        let epoch = head.origin.strip_prefix(&name(node))?.strip_prefix('/')?.parse().ok()?;
        Some((epoch, head))
    };
    let heads = Note::all(&String::from_utf8_lossy(&text));
    heads.iter().filter_map(own).max_by_key(|(epoch, head)| (*epoch, head.size))
}

/// The signed heads of the node's accesses that these files have, with their epochs, the newest one last. Only that
/// one's signature is looked at; one with a wrong signature is left out.
pub(super) fn of_accesses(directory: &Path, settings: &Heads, node: &str) -> Vec<(u32, TreeHead)> {
    let key = verifier(directory);
    let begin = format!("{}/access", name(node));
    let mut found = Vec::new();
    for path in std::iter::once(directory.join(FILE)).chain(settings.file.clone()) {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
        let own = Note::all(&text).into_iter().filter_map(|note| {
            let head = TreeHead::parse(&note.text).filter(|head| head.origin.starts_with(&begin))?;
            Some((access_epoch(&head.origin)?, head, note))
        });
        found.extend(own);
    }
    found.sort_by_key(|(epoch, head, _)| (*epoch, head.size));
    while let Some((_, _, note)) = found.last()
        && key.as_ref().is_some_and(|key| key.head(note).is_err())
    {
        found.pop();
    }
    found.into_iter().map(|(epoch, head, _)| (epoch, head)).collect()
}

/// The first head beside the log that covers a record.
pub(super) fn first_over(directory: &Path, node: &str, epoch: u32, seq: u64) -> Option<TreeHead> {
    let key = verifier(directory)?;
    let text = fs::read_to_string(directory.join(FILE)).unwrap_or_default();
    let own = origin(node, epoch);
    // A signature takes longer than all the rest, so only those of heads that may be the one are looked at.
    let over =
        |note: &Note| TreeHead::parse(&note.text).is_some_and(|head| head.origin == own && head.size >= seq);
    Note::all(&text).iter().filter(|note| over(note)).find_map(|note| key.head(note).ok())
}

/// The public key beside the log, if it is there and whole.
pub fn verifier(directory: &Path) -> Option<Verifier> {
    fs::read_to_string(directory.join(PUBLIC_KEY)).ok()?.parse().ok()
}

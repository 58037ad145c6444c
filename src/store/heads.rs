//! Tree heads: signed and kept beside the log, and given to the places that they are copied to.
//!
//! A thread of its own does that, so that no mail waits for a signature or for a copy's place. Heads are signed of what
//! is durable alone, so they never say more than the log holds; a log that holds less than they say was tampered with
//! or restored from an older copy.

pub(super) mod places;

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Instant, SystemTime};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::sync::mpsc::WeakSender;

use self::places::Places;
use super::access::epoch::Grown;
use super::schema::OpenError;
use super::writer::{Clock, Message};
use super::{access, key};
use crate::config::Heads;
use crate::limits;
use crate::metrics::METRICS;
use crate::note::{Note, Signer, TreeHead, Verifier};

/// The signed heads, in the store's directory.
pub const FILE: &str = "heads";
/// The public key, in the store's directory.
pub const PUBLIC_KEY: &str = "heads.pub";
/// The private key, in the store's directory unless the config names another file.
const PRIVATE_KEY: &str = "heads.key";

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

/// What the thread is told.
pub(super) enum HeadCommand {
    /// Sign this.
    Head(TreeHead),
    /// Look whether the access log has grown, and sign for it.
    Accesses,
    /// Nothing follows; say when all is done.
    End(SyncSender<()>),
}

/// The thread's state.
pub(super) struct HeadSigner {
    pub(super) directory: PathBuf,
    pub(super) node: String,
    pub(super) clock: Clock,
    pub(super) settings: Heads,
    pub(super) queue: WeakSender<Message>,
    /// Where heads are copied to.
    pub(super) places: Places,
    /// What the newest head of the access log was signed for.
    pub(super) accesses: Option<Grown>,
    /// When the access log was last written, as its file says.
    pub(super) written: Option<SystemTime>,
    /// Device and number of the directory.
    pub(super) identity: Option<(u64, u64)>,
}

impl HeadSigner {
    /// Signs what it is told to, and asks for a head when one is due.
    pub(super) fn run(mut self, told: &Receiver<HeadCommand>) {
        self.identity = identity(&self.directory).ok();
        let mut last = (Instant::now(), today());
        let mut looked = Instant::now();
        loop {
            match told.recv_timeout(limits::ACCESS_LOOK) {
                Ok(HeadCommand::Head(head)) => {
                    self.publish(&head);
                    last = (Instant::now(), today());
                }
                Ok(HeadCommand::Accesses) => self.publish_accesses(),
                Ok(HeadCommand::End(done)) => {
                    self.publish_accesses();
                    // The writer may have stopped waiting.
                    let _ = done.send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {
                    if self.is_written() {
                        self.publish_accesses();
                    }
                    if looked.elapsed() < limits::HEADS_LOOK.min(self.settings.every) {
                        continue;
                    }
                    looked = Instant::now();
                    if last.0.elapsed() >= self.settings.every || last.1 != today() {
                        last = (Instant::now(), today());
                        // A full queue is asked again at the next look.
                        let _ = self.queue.upgrade().map(|queue| queue.try_send(Message::Head));
                    }
                    self.places.copy();
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Whether somebody wrote to the access log since the last look. What cannot be told is looked at.
    fn is_written(&mut self) -> bool {
        let written = fs::metadata(self.directory.join("access.db")).and_then(|file| file.modified()).ok();
        std::mem::replace(&mut self.written, written) != written
    }

    /// The head of the access log, if anybody has read the log since the last one. Where it does not go on from that one,
    /// a head would be a fork: it goes on in a new epoch.
    fn publish_accesses(&mut self) {
        let grown = match access::epoch::grown(&self.directory, self.accesses.as_ref()) {
            Ok(Some(grown)) if self.accesses.as_ref() != Some(&grown) => grown,
            Ok(_) => return,
            Err(error) => {
                // It is looked at again.
                self.written = None;
                return tracing::warn!(%error, "cannot sign a tree head of the access log");
            }
        };
        if grown.agrees && grown.tree.size() > 0 {
            let (origin, time) = (access_origin(&self.node, grown.epoch.number), (self.clock)());
            self.publish(&TreeHead { origin, size: grown.tree.size(), root: grown.tree.root(), time });
            self.accesses = Some(grown);
        } else if !grown.agrees {
            METRICS.heads.with_label_values(&["failed"]).inc();
            tracing::error!(
                "the access log does not go on from its newest tree head: it was replaced or changed"
            );
            self.accesses = None;
            self.written = None;
            if let Err(error) = access::epoch::look_through(&self.directory, &self.node, &self.settings) {
                tracing::error!(%error, "the access log cannot begin a new epoch");
            }
        }
    }

    fn publish(&mut self, head: &TreeHead) {
        let signed = self.in_place().and_then(|()| self.signer()).map(|signer| signer.sign(head.text()));
        let in_place = signed.and_then(|note| self.in_place().map(|()| note));
        let kept = in_place.and_then(|note| append(&self.directory.join(FILE), &note).map(|()| note));
        match kept {
            Ok(note) => {
                METRICS.heads.with_label_values(&["signed"]).inc();
                METRICS.head_time.set(head.time.as_second());
                // Where the operational log goes to another host, so does the head.
                tracing::info!("{}", note.line());
                self.places.add(head, &note);
                self.places.copy();
            }
            Err(error) => {
                METRICS.heads.with_label_values(&["failed"]).inc();
                tracing::error!(%error, "cannot sign a tree head; until one is signed, newer records can be changed unnoticed");
            }
        }
    }

    /// Whether the directory is still the one that it was: another one has no key, and none is made there.
    fn in_place(&self) -> io::Result<()> {
        if self.identity.is_none_or(|known| identity(&self.directory).is_ok_and(|now| now == known)) {
            return Ok(());
        }
        Err(io::Error::other("the directory of the log was replaced"))
    }

    fn signer(&self) -> io::Result<Signer> {
        signer(&self.directory, &self.settings, &self.node)
    }
}

fn identity(directory: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(directory).map(|found| (found.dev(), found.ino()))
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

/// Refuses a private key that others may read, when somebody is watching: what it signs proves nothing.
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

/// A signed head of an epoch that covers the records up to `newest`, if there is or can be one; else the newest there
/// is.
pub(super) fn covering(
    directory: &Path,
    settings: &Heads,
    node: &str,
    epoch: u32,
    newest: u64,
) -> Option<(Note, TreeHead)> {
    let key = verifier(directory)?;
    let text = fs::read_to_string(directory.join(FILE)).unwrap_or_default();
    let own = |note: Note| {
        let head = key.head(&note).ok().filter(|head| head.origin == origin(node, epoch))?;
        Some((note, head))
    };
    let known = Note::all(&text).into_iter().filter_map(own).max_by_key(|(_, head)| head.size);
    if known.as_ref().is_some_and(|(_, head)| head.size >= newest) {
        return known;
    }
    // A user who may not read the key gets the heads signed before; the rest is reported as not covered.
    match super::proof::sign(directory, settings, node, epoch) {
        Ok(Some(signed)) => Some(signed),
        Ok(None) => known,
        Err(error) => {
            tracing::warn!(%error, "cannot sign a tree head for the export");
            known
        }
    }
}

/// The public key beside the log, if it is there and whole.
pub fn verifier(directory: &Path) -> Option<Verifier> {
    fs::read_to_string(directory.join(PUBLIC_KEY)).ok()?.parse().ok()
}

fn today() -> Date {
    TimeZone::UTC.to_datetime(Timestamp::now()).date()
}

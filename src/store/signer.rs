//! The signer of tree heads: signs them, keeps them beside the log, and gives them to the places that they are copied
//! to.
//!
//! A thread of its own does that, so that no mail waits for a signature or for a copy's place. Heads are signed of what
//! is durable alone, so they never say more than the log holds; a log that holds less than they say was tampered with
//! or restored from an older copy.

mod named;
pub(super) mod places;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Instant, SystemTime};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::sync::mpsc::WeakSender;

use self::places::Places;
use super::access::epoch::Grown;
use super::queue::{Clock, Message};
use super::{access, heads};
use crate::config::Heads;
use crate::limits;
use crate::metrics::METRICS;
use crate::note::{Signer, TreeHead};

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

    /// Whether somebody wrote to the access log since the last look, as the time of its file says; not where there is no
    /// file.
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
            self.tell(&grown);
            let (origin, time) = (heads::access_origin(&self.node, grown.epoch.number), (self.clock)());
            self.publish(&TreeHead { origin, size: grown.tree.size(), root: grown.tree.root(), time });
            self.accesses = Some(grown);
        } else if !grown.agrees {
            METRICS.heads.with_label_values(&["failed"]).inc();
            tracing::error!(
                "the access log does not go on from its newest tree head: it was replaced or changed"
            );
            self.accesses = None;
            self.written = None;
            if let Err(error) =
                access::epoch::look_through(&self.directory, &self.node, &self.settings, false)
            {
                tracing::error!(%error, "the access log cannot begin a new epoch");
            }
        }
    }

    /// Tells the system's log of the accesses that name a person and are not covered by a head yet: each once, also those that
    /// were made while the server was stopped.
    fn tell(&mut self, grown: &Grown) {
        if !self.places.has_syslog() {
            return;
        }
        let known = self.accesses.as_ref().filter(|known| known.epoch == grown.epoch).map(|known| known.last);
        let signed = || {
            let heads = heads::of_accesses(&self.directory, &self.settings, &self.node);
            let own = heads.iter().rev().find(|(epoch, _)| *epoch == grown.epoch.number);
            let (_, head) = own?;
            access::epoch::entry_at(&self.directory, grown.epoch, head.size).ok().flatten()
        };
        let after = known.or_else(signed).unwrap_or(grown.epoch.after);
        match named::lines(&self.directory, after, grown) {
            Ok(lines) => lines.iter().for_each(|line| self.places.tell(line)),
            Err(error) => tracing::warn!(%error, "cannot tell the system's log of accesses"),
        }
    }

    fn publish(&mut self, head: &TreeHead) {
        let signed = self.in_place().and_then(|()| self.signer()).map(|signer| signer.sign(head.text()));
        let in_place = signed.and_then(|note| self.in_place().map(|()| note));
        let kept =
            in_place.and_then(|note| heads::append(&self.directory.join(heads::FILE), &note).map(|()| note));
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
        heads::signer(&self.directory, &self.settings, &self.node)
    }
}

fn identity(directory: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(directory).map(|found| (found.dev(), found.ino()))
}

fn today() -> Date {
    TimeZone::UTC.to_datetime(Timestamp::now()).date()
}

//! Room: how many octets the texts of all documents in progress may have together, so that any number of mails takes no
//! more memory than the config allows.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits;

/// The room that there is.
#[derive(Clone, Debug)]
pub struct Room {
    free: Arc<Semaphore>,
    octets: usize,
}

/// Room that a mail has, until this is dropped.
#[derive(Debug)]
pub struct Held(Option<OwnedSemaphorePermit>);

impl Held {
    /// Gives back what is more than this: it turned out that less is needed.
    pub fn shrink(&mut self, octets: usize) {
        if let Held(Some(permit)) = self {
            let more = permit.num_permits().saturating_sub(octets);
            drop(permit.split(more));
        }
    }
}

impl Room {
    /// The room in so much memory for mail in progress.
    pub fn of(memory: u64) -> Self {
        let octets = usize::try_from(memory / limits::DOCUMENT_TEXT_PART).unwrap_or(usize::MAX);
        let octets = octets.min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(octets)), octets }
    }

    /// Waits for so much, or for all there is where it is more. Whoever waits holds none, so all get some in the end.
    pub async fn take(&self, octets: usize) -> Held {
        let octets = u32::try_from(octets.min(self.octets)).unwrap_or(u32::MAX);
        // Nobody closes it.
        Held(self.free.clone().acquire_many_owned(octets).await.ok())
    }
}

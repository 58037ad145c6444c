//! Attachments, opened: each is given to a worker, and what cannot be had of it is a state that says why.

use std::time::Instant;

use tokio::time::timeout;

use crate::documents::Reason;
use crate::facts::{Facts, Needs};
use crate::limits;
use crate::metrics::METRICS;
use crate::worker::pool::{Failure, Workers};
use crate::worker::wire::Head;

/// Reads what is still unopened among the attachments. One mail has one document at a worker at a time, so that a
/// mail with a thousand of them leaves room for others.
pub(super) async fn open(facts: &mut Facts, needs: Needs, workers: &Workers) {
    let started = Instant::now();
    for document in std::mem::take(&mut facts.unopened) {
        let Some(attachment) = facts.attachments.get(document.attachment) else { continue };
        let head = Head { name: attachment.name.clone(), media_type: attachment.media_type.clone() };
        let left = limits::DOCUMENTS_TIME.saturating_sub(started.elapsed());
        if left.is_zero() {
            late(facts, document.attachment);
            continue;
        }
        match timeout(left, Box::pin(workers.read(&head, &document.content))).await {
            Ok(Ok(mut reading)) => {
                if !needs.documents {
                    reading.items.iter_mut().for_each(|item| item.text.clear());
                }
                facts.opened(document.attachment, reading);
            }
            Ok(Err(failure)) => facts.unreadable(document.attachment, failure.into()),
            Err(_) => late(facts, document.attachment),
        }
    }
}

/// The mail's time is over, for this document and for those after it.
fn late(facts: &mut Facts, attachment: usize) {
    METRICS.documents.with_label_values(&["mail-timeout"]).inc();
    facts.unreadable(attachment, Reason::Time);
}

impl From<Failure> for Reason {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Timeout | Failure::Cpu => Self::Time,
            Failure::Memory => Self::Limit,
            Failure::Crash => Self::Crash,
            Failure::Unavailable => Self::Unavailable,
        }
    }
}

//! Attachments, opened: each is given to a worker, and what cannot be had of it is a state that says why.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::Sources;
use super::room::Held;
use super::turns::Share;
use crate::documents::{Allowance, Reason};
use crate::facts::{Facts, Needs};
use crate::limits;
use crate::metrics::METRICS;
use crate::worker::pool::Failure;
use crate::worker::wire::Head;

/// A text lies in memory twice at the most: as it comes out of a pipe or is folded, and itself.
const COPIES: usize = 2;

/// Reads what is still unopened among the attachments. One mail has one document at a worker at a time, and waits for
/// its turn with each. Gives the room that their texts take.
pub(super) async fn open(facts: &mut Facts, needs: Needs, share: Share, sources: &Sources) -> Option<Held> {
    let documents = std::mem::take(&mut facts.unopened);
    if documents.is_empty() {
        return None;
    }
    let started = Instant::now();
    let left = || limits::DOCUMENTS_TIME.saturating_sub(started.elapsed());
    let mut allowance = Allowance::default();
    let own: usize = facts.passages.iter().map(|passage| passage.text.len()).sum();
    allowance.text = allowance.text.saturating_sub(own);
    let sizes = documents.iter().map(|document| allowance.of(document.content.len()).text);
    let wanted = sizes.sum::<usize>().min(allowance.text);
    let room = timeout(left(), sources.room.take(wanted * COPIES)).await.ok();
    for document in documents {
        let Some(attachment) = facts.attachments.get(document.attachment) else { continue };
        let cpu = facts.work.left().saturating_sub(limits::RULES_CPU_TIME).min(limits::DOCUMENT_CPU_TIME);
        let spent = [(cpu.is_zero(), Reason::Time), (allowance.text == 0, Reason::Limit)];
        if let Some((_, reason)) = spent.into_iter().find(|(is_spent, _)| *is_spent) {
            unread(facts, document.attachment, "mail-limit", reason);
            continue;
        }
        let (name, media_type) = (attachment.name.clone(), attachment.media_type.clone());
        let head = Head { name, media_type, allowance: allowance.of(document.content.len()) };
        let read = async {
            let mut turn = sources.turns.turn(share).await;
            let read = Box::pin(sources.workers.read(&head, &document.content, cpu)).await;
            turn.cost(read.cpu);
            read
        };
        let patience = if room.is_some() { left() } else { Duration::ZERO };
        let Ok(read) = timeout(patience, read).await else {
            unread(facts, document.attachment, "mail-timeout", Reason::Busy);
            continue;
        };
        facts.work.charge(read.cpu);
        match read.reading {
            Ok(mut reading) => {
                allowance = allowance.after(&reading);
                if !needs.documents {
                    reading.items.iter_mut().for_each(|item| item.text.clear());
                }
                facts.opened(document.attachment, reading);
            }
            Err(failure) => facts.unreadable(document.attachment, failure.into()),
        }
    }
    room
}

/// What the mail may cost is spent, for this document and for those after it.
fn unread(facts: &mut Facts, attachment: usize, what: &str, reason: Reason) {
    METRICS.documents.with_label_values(&[what]).inc();
    facts.unreadable(attachment, reason);
}

impl From<Failure> for Reason {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Busy => Self::Busy,
            Failure::Cpu => Self::Time,
            Failure::Memory => Self::Limit,
            Failure::Crash => Self::Crash,
            Failure::Unavailable => Self::Unavailable,
        }
    }
}

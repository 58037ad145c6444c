//! Attachments, opened: each is given to a worker, and what cannot be had of it is a state that says why.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::Sources;
use super::room::Held;
use super::turns::Share;
use crate::config::services::Ocr;
use crate::documents::kind::Kind;
use crate::documents::{Allowance, Item, Reading, Reason, State};
use crate::facts::attachment::Unopened;
use crate::facts::gathered::Opened;
use crate::facts::{Facts, Needs};
use crate::limits;
use crate::metrics::METRICS;
use crate::worker::ocr::{PictureReader, Recognised};
use crate::worker::pool::Failure;
use crate::worker::wire::Head;

/// A text lies in memory twice at the most: as it comes out of a pipe or is folded, and itself.
const COPIES: usize = 2;

/// Reads attachments. One mail has one document at a worker at a time, and waits for its turn with each. Gives what was
/// read, and the room that the texts take.
pub(super) async fn open(
    facts: &Facts,
    unopened: Vec<Unopened>,
    needs: Needs,
    share: Share,
    ocr: Option<&Ocr>,
    sources: &Sources,
) -> (Vec<Opened>, Option<Held>) {
    if unopened.is_empty() {
        return (Vec::new(), None);
    }
    let started = Instant::now();
    let left = || limits::DOCUMENTS_TIME.saturating_sub(started.elapsed());
    let mut allowance = Allowance::default();
    let own: usize = facts.passages.iter().map(|passage| passage.text.len()).sum();
    allowance.text = allowance.text.saturating_sub(own);
    let (wanted, most) =
        (unopened.iter().map(|document| allowance.of(document.content.len()).text), allowance.text);
    let mut room = timeout(left(), sources.room.take(wanted.sum::<usize>().min(most) * COPIES)).await.ok();
    let mut opened = Vec::new();
    for document in unopened {
        let Some(attachment) = facts.attachments.get(document.attachment) else { continue };
        let cpu = facts.work.left().saturating_sub(limits::RULES_CPU_TIME).min(limits::DOCUMENT_CPU_TIME);
        let reading = if cpu.is_zero() {
            Err(spent("mail-limit", Reason::Time))
        } else if allowance.text == 0 {
            Err(spent("mail-limit", Reason::Limit))
        } else {
            let (name, media_type) = (attachment.name.clone(), attachment.media_type.clone());
            let head = Head { name, media_type, allowance: allowance.of(document.content.len()) };
            let read = async {
                let mut turn = sources.turns.turn(share).await;
                let read = Box::pin(sources.workers.read(&head, &document.content, cpu)).await;
                turn.cost(read.cpu);
                read
            };
            match timeout(if room.is_some() { left() } else { Duration::ZERO }, read).await {
                Ok(read) => {
                    facts.work.charge(read.cpu);
                    let mut reading = read.reading.map_err(Reason::from);
                    if let (Ok(reading), Some(settings)) = (&mut reading, ocr.filter(|_| needs.documents)) {
                        let reader = PictureReader { own: sources.workers.program(), settings };
                        recognise(reading, &document.content, reader, left(), share, sources).await;
                    }
                    reading
                }
                Err(_) => Err(spent("mail-timeout", Reason::Busy)),
            }
        };
        let reading = reading.map(|mut reading| {
            allowance = allowance.after(&reading);
            if !needs.documents {
                reading.items.iter_mut().for_each(|item| item.text.clear());
            }
            reading
        });
        opened.push(Opened { attachment: document.attachment, reading });
    }
    // Who else is asked about the mail may take longer than its documents, whose texts wait then.
    if let Some(room) = &mut room {
        room.shrink((most - allowance.text) * COPIES);
    }
    (opened, room)
}

/// Whether the document is pictures of text.
fn is_picture(item: &Item) -> bool {
    item.state == State::Uninspectable(Reason::ImageOnly) && matches!(item.kind, Kind::Image | Kind::Pdf)
}

/// Adds the text that is recognised in such a document, and says how that went.
async fn recognise(
    reading: &mut Reading,
    content: &[u8],
    reader: PictureReader<'_>,
    patience: Duration,
    share: Share,
    sources: &Sources,
) {
    let Some(item) = reading.items.first_mut().filter(|item| is_picture(item)) else { return };
    let recognise = async {
        let mut turn = sources.turns.turn(share).await;
        let begun = Instant::now();
        let recognised = match item.kind {
            Kind::Image => reader.picture(content).await,
            _ => reader.pages(content).await,
        };
        turn.cost(begun.elapsed());
        recognised
    };
    let Ok(Recognised { text, all }) = timeout(patience, recognise).await else {
        item.state = State::Uninspectable(Reason::Busy);
        return;
    };
    item.text.push('\n');
    item.text.push_str(&text);
    match all {
        Ok(true) => item.state = State::Plain,
        Ok(false) => {}
        Err(failure) => item.state = State::Uninspectable(failure.into()),
    }
}

/// What the mail may cost is spent, for this document and for those after it.
fn spent(what: &str, reason: Reason) -> Reason {
    METRICS.documents.with_label_values(&[what]).inc();
    reason
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

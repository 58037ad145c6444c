//! One record with all that belongs to it. What it costs does not grow with the log: no other record is read.

use std::path::Path;

use jiff::SignedDuration;

use super::access::AccessLog;
use super::month::Month;
use super::outbox::{self, Listed};
use super::outcomes::{self, Outcome, OutcomesError};
use super::proof::{Prover, Sealed};
use super::search::Found;
use super::{OpenError, heads};
use crate::limits;
use crate::note::TreeHead;

/// What belongs to a record.
#[derive(Debug)]
pub struct Belongings {
    /// What is stored of it; absent in files of the first versions, which have no tree.
    pub sealed: Option<Sealed>,
    /// Whether that is what its leaf was made of.
    pub unchanged: bool,
    /// The first signed head that covers it.
    pub head: Option<TreeHead>,
    /// Its receipts and notices.
    pub notices: Vec<Listed>,
    /// What the access log tells of them, with the numbers of its entries.
    pub outcomes: Vec<(u64, Outcome)>,
}

/// Reads what belongs to a record.
pub(super) fn read(
    directory: &Path,
    accesses: &AccessLog,
    mut prover: Prover,
    found: &Found,
) -> Result<Belongings, OutcomesError> {
    let id = &found.id;
    let sealed = prover.seal(id).map_err(OpenError::from)?;
    let unchanged = match &sealed {
        Some(sealed) => prover.leaf_of_last(id.seq).map_err(OpenError::from)? == Some(sealed.leaf(id.seq)),
        None => true,
    };
    let time = found.record.time;
    let begin = Month::of(time);
    let days = SignedDuration::from_hours(24 * 3 * i64::from(limits::OUTBOX_DAYS));
    let end = Month::of(time.saturating_add(days).unwrap_or(time));
    let months = Month::list(directory)
        .map_err(|source| OpenError::Directory { path: directory.into(), source })?
        .into_iter()
        .filter(|month| (begin..=end).contains(month));
    Ok(Belongings {
        sealed,
        unchanged,
        head: heads::first_over(directory, &id.node, id.epoch, id.seq),
        notices: outbox::of_record(directory, months, id).map_err(OpenError::from)?,
        outcomes: outcomes::of_record(accesses, id)?,
    })
}

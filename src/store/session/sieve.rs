//! What of a search only a session can tell: what became of a mail, and whose it is.

use super::is_of;
use crate::store::deliveries::DeliveriesError;
use crate::store::deliveries::trace::{Final, Tracer};
use crate::store::query::{Party, Query};
use crate::store::search::{Found, Log, Searched};

/// What a query asks of a record that neither the log nor its index files say.
pub(super) struct Sieve<'a> {
    status: Option<(Final, Tracer)>,
    own: &'a [Party],
    /// Why it could not be told of a record.
    pub(super) fault: Option<DeliveriesError>,
}

impl<'a> Sieve<'a> {
    /// `None` where it cannot be told; then that is left out.
    pub(super) fn new(log: &Log, query: &Query, own: &'a [Party], searched: &mut Searched) -> Option<Self> {
        let status = query.status.map(|status| Ok((status, Tracer::open(&log.directory)?))).transpose();
        match status {
            Ok(status) => Some(Self { status, own, fault: None }),
            Err(error) => {
                let error: DeliveriesError = error;
                searched.left_out.push(error.into());
                None
            }
        }
    }

    /// Whether the record is one of those.
    pub(super) fn takes(&mut self, found: &Found) -> bool {
        if let Some((status, tracer)) = &self.status {
            match tracer.trace(&found.record) {
                Ok(trace) if trace.as_ref().is_some_and(|trace| trace.has(*status)) => {}
                Ok(_) => return false,
                Err(error) => {
                    self.fault.get_or_insert(error);
                    return false;
                }
            }
        }
        is_of(self.own, &found.record)
    }
}

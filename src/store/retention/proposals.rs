//! Proposals of retention runs: where two persons are needed, one proposes a run and another has it done.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::limits;
use crate::store::access::{AccessError, AccessLog, AccessRetention, Kind, Reader, Retention};

/// A proposal, as the access log has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Who proposes.
    #[serde(flatten)]
    pub by: Reader,
    /// By which decision records are to be deleted.
    pub decision: String,
}

/// A proposal with its entry.
#[derive(Clone, Debug)]
pub struct Proposed {
    /// The number of the entry.
    pub n: u64,
    /// When.
    pub time: Timestamp,
    /// What.
    pub proposal: Proposal,
}

/// The proposals that wait for a second person: they are not too old, and no run by their decision followed.
pub fn waiting(log: &AccessLog, now: Timestamp) -> Result<Vec<Proposed>, AccessError> {
    let age = SignedDuration::from_hours(24 * limits::PROPOSAL_DAYS);
    let oldest = now.saturating_sub(age).unwrap_or(Timestamp::MIN);
    let mut waiting: Vec<Proposed> = Vec::new();
    for entry in log.entries(&[Kind::Proposal, Kind::Retention, Kind::AccessRetention])? {
        let ran = match (
            entry.read::<Retention>(Kind::Retention),
            entry.read::<AccessRetention>(Kind::AccessRetention),
        ) {
            (Some(run), _) => Some(run.decision),
            (None, Some(run)) => Some(run.decision),
            (None, None) => None,
        };
        if let Some(decision) = ran {
            waiting.retain(|known| known.proposal.decision != decision);
        }
        if let Some(proposal) = entry.read(Kind::Proposal).filter(|_| entry.time >= oldest) {
            waiting.push(Proposed { n: entry.n, time: entry.time, proposal });
        }
    }
    Ok(waiting)
}

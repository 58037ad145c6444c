//! The breaker: whoever fails several times in a row is left alone for a while; then one mail tries, and if that
//! succeeds all may again.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::limits;

/// The state of one scanner, or of the DNS.
#[derive(Debug)]
pub(super) struct Breaker {
    /// Failures in a row that open it.
    failures_at_most: u32,
    state: Mutex<State>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self::after(limits::SCAN_FAILURES)
    }
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
}

/// What an answer changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Opened,
    Closed,
}

impl Breaker {
    /// One that opens after so many failures in a row.
    pub(super) fn after(failures: u32) -> Self {
        Self { failures_at_most: failures, state: Mutex::default() }
    }

    /// Whether somebody was found out of order and has not answered since.
    pub(super) fn is_open(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).open_until.is_some()
    }

    /// Whether the scanner may be asked. The one that tries after a pause begins the next pause for all others.
    pub(super) fn admits(&self, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.open_until {
            None => true,
            Some(until) if until <= now => {
                state.open_until = Some(now + limits::SCAN_PAUSE);
                true
            }
            Some(_) => false,
        }
    }

    /// Takes note of how it went.
    pub(super) fn settle(&self, answered: bool, now: Instant) -> Change {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let was_open = state.open_until.is_some();
        if answered {
            *state = State::default();
            return if was_open { Change::Closed } else { Change::None };
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures < self.failures_at_most {
            return Change::None;
        }
        state.open_until = Some(now + limits::SCAN_PAUSE);
        if was_open { Change::None } else { Change::Opened }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_one_probe_closes_it() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        for _ in 1..limits::SCAN_FAILURES {
            assert!(breaker.admits(start) && breaker.settle(false, start) == Change::None);
        }
        assert_eq!(breaker.settle(false, start), Change::Opened);
        assert!(!breaker.admits(start));
        let later = start + limits::SCAN_PAUSE;
        assert!(breaker.admits(later) && !breaker.admits(later), "one mail tries, the others wait");
        assert_eq!(breaker.settle(false, later), Change::None);
        assert!(!breaker.admits(later));
        let again = later + limits::SCAN_PAUSE;
        assert!(breaker.admits(again));
        assert_eq!(breaker.settle(true, again), Change::Closed);
        assert!(breaker.admits(again) && breaker.settle(false, again) == Change::None);
    }
}

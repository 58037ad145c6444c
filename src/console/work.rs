//! Who is at work: connections over which somebody who is signed in waits for an answer, or takes one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The work of one connection: how many answers are not yet taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Work(Arc<AtomicUsize>);

/// An answer to somebody who is signed in, until its last clone is gone.
#[derive(Clone, Debug)]
pub(super) struct Answering {
    _counted: Arc<Counted>,
}

#[derive(Debug)]
struct Counted(Work);

impl Work {
    /// Begins an answer.
    pub(super) fn begin(&self) -> Answering {
        self.0.fetch_add(1, Ordering::Relaxed);
        Answering { _counted: Arc::new(Counted(self.clone())) }
    }

    /// Whether one is not yet taken.
    pub(super) fn goes_on(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_goes_on_until_its_answers_are_taken() {
        let work = Work::default();
        // The request has a clone, which is no work.
        let of_request = work.clone();
        assert!(!work.goes_on());
        let answering = of_request.begin();
        let copy = answering.clone();
        drop(answering);
        assert!(work.goes_on());
        drop(copy);
        assert!(!work.goes_on());
    }
}

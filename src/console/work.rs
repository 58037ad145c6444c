//! Who is at work: connections over which somebody who is signed in waits for an answer, or takes one.

use std::sync::Arc;

/// The work of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Work(Arc<Arc<()>>);

/// An answer to somebody who is signed in. Where the last of these is gone, the work is done.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "it is counted, and not looked at")]
pub(super) struct Answering(Arc<()>);

impl Work {
    /// Begins an answer.
    pub(super) fn begin(&self) -> Answering {
        Answering(Arc::clone(&self.0))
    }

    /// Whether one is not yet taken.
    pub(super) fn goes_on(&self) -> bool {
        Arc::strong_count(&*self.0) > 1
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

//! Work: the CPU time that one mail may cost, counted while it is spent, and stopped when the client has given up.
//!
//! Whatever goes through much of a mail asks [`Work::goes_on`] on its way, and ends early with what it has when the
//! answer is no. The clock is the shell's: this module is given one.

#![deny(clippy::disallowed_methods)]

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::limits;

/// How much processor time the calling thread has had since it began.
pub type Clock = fn() -> Duration;

/// What may still be done for one mail. Its steps follow one another, so one thread at a time works for it.
pub struct Work {
    clock: Clock,
    allowed: Duration,
    /// Nanoseconds of steps that are over.
    spent: AtomicU64,
    /// What the clock said, in nanoseconds, when the step under way began.
    begun: AtomicU64,
    cancelled: AtomicBool,
    cut: AtomicBool,
}

impl Work {
    /// Work on a mail that may take so much processor time in all.
    pub fn new(clock: Clock, allowed: Duration) -> Self {
        Self {
            clock,
            allowed,
            spent: AtomicU64::new(0),
            begun: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
            cut: AtomicBool::new(false),
        }
    }

    /// Work without a limit.
    pub fn unmeasured() -> Self {
        Self::new(|| Duration::ZERO, limits::MAIL_CPU_TIME)
    }

    /// Does a step on this thread, and counts what it takes.
    pub fn step<T>(&self, step: impl FnOnce() -> T) -> T {
        let begun = (self.clock)();
        self.begun.store(nanoseconds(begun), Ordering::Relaxed);
        let done = step();
        self.charge((self.clock)().saturating_sub(begun));
        done
    }

    /// Counts what was done for the mail elsewhere: in another process.
    pub fn charge(&self, time: Duration) {
        self.spent.fetch_add(nanoseconds(time), Ordering::Relaxed);
    }

    /// What was spent on the mail in steps that are over.
    pub fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent.load(Ordering::Relaxed))
    }

    /// What may still be spent.
    pub fn left(&self) -> Duration {
        self.allowed.saturating_sub(self.spent())
    }

    /// The client has given up.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether the step under way is worth going on with. Once it is not, some of the mail was not looked at.
    pub fn goes_on(&self) -> bool {
        let step = (self.clock)().saturating_sub(Duration::from_nanos(self.begun.load(Ordering::Relaxed)));
        let on = !self.cancelled.load(Ordering::Relaxed) && step <= self.left();
        if !on {
            self.cut.store(true, Ordering::Relaxed);
        }
        on
    }

    /// Whether something was ended early.
    pub fn was_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work")
            .field("spent", &self.spent())
            .field("allowed", &self.allowed)
            .finish_non_exhaustive()
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static NOW: Cell<u64> = const { Cell::new(0) };
    }

    fn clock() -> Duration {
        Duration::from_secs(NOW.get())
    }

    fn take(seconds: u64) {
        NOW.set(NOW.get() + seconds);
    }

    #[test]
    fn steps_and_what_others_did_come_out_of_one_budget() {
        let work = Work::new(clock, Duration::from_secs(10));
        take(100);
        work.step(|| take(3));
        work.charge(Duration::from_secs(4));
        take(100);
        assert_eq!((work.spent(), work.left()), (Duration::from_secs(7), Duration::from_secs(3)));
        work.step(|| {
            assert!(work.goes_on());
            take(4);
            assert!(!work.was_cut(), "nobody asked");
            assert!(!work.goes_on());
            assert!(work.was_cut());
        });
        assert_eq!(work.left(), Duration::ZERO);
    }

    #[test]
    fn cancelled_work_ends() {
        let work = Work::unmeasured();
        assert!(work.step(|| work.goes_on()));
        work.cancel();
        assert!(!work.goes_on() && work.was_cut());
    }
}

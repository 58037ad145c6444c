//! The alarm: one timer for all the deadlines of a connection, moved as seldom as can be.
//!
//! Deadlines change with every frame, and a timer costs a lock each time it moves. So it is moved at once only when
//! the new deadline is nearer; otherwise it goes off early, finds that it is not time yet, and moves then.

#![deny(clippy::disallowed_methods)]

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that never goes off late.
#[derive(Debug)]
pub struct Alarm {
    sleep: Pin<Box<Sleep>>,
    set_to: Instant,
}

impl Alarm {
    /// An alarm, first set to `at`.
    pub fn new(at: Instant) -> Self {
        Self { sleep: Box::pin(sleep_until(at)), set_to: at }
    }

    /// Ready once `deadline` has passed.
    pub fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        if deadline < self.set_to {
            self.set(deadline);
        }
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            if deadline <= self.set_to {
                return Poll::Ready(());
            }
            self.set(deadline);
        }
    }

    fn set(&mut self, at: Instant) {
        self.sleep.as_mut().reset(at);
        self.set_to = at;
    }
}

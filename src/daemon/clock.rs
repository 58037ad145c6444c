//! The clock: a change of it is an entry of the access log, because every time in the log depends on it.
//!
//! A monotonic clock, which cannot be set, runs beside it; where the two move apart by more than time services do, that is a step.
//! What happened while the daemon stood still is known where the clock is before the newest tree head or entry of the
//! access log.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};

use crate::limits;
use crate::metrics::METRICS;
use crate::store::access::{self, AccessLog, ClockStep, Kind, Reader, Via};
use crate::store::{Clock, Store};

/// A clock that cannot be set, since some moment.
pub type Steady = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Looks at the clock.
pub struct Watch {
    store: Store,
    directory: PathBuf,
    clock: Clock,
    steady: Steady,
    last: (Timestamp, Duration),
}

impl Watch {
    /// Over the system's clocks. Blocks where it finds that the clock was set back while the daemon stood still.
    pub fn new(store: &Store, directory: PathBuf) -> Self {
        // It goes on while the host sleeps.
        let steady = || Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default();
        Self::over(store, directory, Arc::new(Timestamp::now), Arc::new(steady))
    }

    /// [`Watch::new`] over these clocks.
    pub fn over(store: &Store, directory: PathBuf, clock: Clock, steady: Steady) -> Self {
        let last = (clock(), steady());
        let watch = Self { store: store.clone(), directory, clock, steady, last };
        let newest = watch.store.signed_before().max(access::newest(&watch.directory));
        if let Some(signed) = newest {
            let step = last.0.duration_since(signed);
            if -step > STEP {
                watch.note(signed, last.0, "stopped");
            }
        }
        watch
    }

    /// Looks for ever.
    pub async fn run(mut self) {
        loop {
            tokio::time::sleep(limits::CLOCK_LOOK).await;
            let looked = tokio::task::spawn_blocking(move || {
                self.look();
                self
            });
            match looked.await {
                Ok(watch) => self = watch,
                Err(error) => {
                    METRICS.panics.inc();
                    return tracing::error!(%error, "the system clock is no longer monitored");
                }
            }
        }
    }

    /// Looks once. Blocks where the clock was set.
    pub fn look(&mut self) {
        let (before, since) = self.last;
        self.last = ((self.clock)(), (self.steady)());
        let (found, steady) = self.last;
        let passed = SignedDuration::try_from(steady.saturating_sub(since)).unwrap_or_default();
        let expected = before.saturating_add(passed).unwrap_or(before);
        if found.duration_since(expected).abs() > STEP {
            self.note(expected, found, "running");
        }
    }

    fn note(&self, expected: Timestamp, found: Timestamp, daemon: &str) {
        let step = found.duration_since(expected);
        let direction = if step.is_negative() { "back" } else { "forward" };
        METRICS.clock_steps.with_label_values(&[direction]).inc();
        tracing::warn!(%expected, %found, daemon, "the system clock was changed; times in the log follow it");
        let step = ClockStep {
            reader: Reader::of_this_process(Via::Daemon),
            expected,
            found,
            milliseconds: i64::try_from(step.as_millis()).unwrap_or(i64::MAX),
            daemon: daemon.to_owned(),
        };
        match AccessLog::open(&self.directory).and_then(|mut log| log.add(Kind::Clock, found, &step)) {
            Ok(_) => self.store.sign(),
            Err(error) => {
                METRICS.access_unwritten.inc();
                tracing::error!(%error, "cannot write a change of the clock to the access log");
            }
        }
    }
}

const STEP: SignedDuration = SignedDuration::from_secs(limits::CLOCK_STEP.as_secs().cast_signed());

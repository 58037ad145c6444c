//! The order of time: where the times of a tree go back although its numbers go on.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::Fault;
use crate::limits;
use crate::store::access::ClockStep;

/// Looks at one time after the other.
#[derive(Debug)]
pub(super) struct Order<'a> {
    steps: &'a [ClockStep],
    newest: Option<Timestamp>,
    /// How far one may be before another without being out of order.
    pub(super) slack: SignedDuration,
}

/// A time that is before the one that came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Back {
    from: Timestamp,
    to: Timestamp,
    /// The access log tells that the clock was set back so.
    told: bool,
}

impl<'a> Order<'a> {
    /// With the steps of the clock that the access log tells of.
    pub(super) fn new(steps: &'a [ClockStep]) -> Self {
        Self { steps, newest: None, slack: limits::ENTRY_ORDER }
    }

    /// The next time. What follows one that is out of order is compared with that one, so each is told of once.
    pub(super) fn see(&mut self, at: Timestamp) -> Option<Back> {
        let newest = self.newest.unwrap_or(at);
        if newest.duration_since(at) <= self.slack {
            self.newest = Some(newest.max(at));
            return None;
        }
        self.newest = Some(at);
        let explains = |step: &&ClockStep| {
            step.milliseconds < 0
                && step.found.duration_since(at) <= self.slack
                && newest.duration_since(step.expected) <= self.slack
        };
        Some(Back { from: newest, to: at, told: self.steps.iter().any(|step| explains(&step)) })
    }
}

impl Back {
    /// The sentence for it. The real time lies between the heads before and after.
    pub(super) fn fault(
        self,
        path: &Path,
        record: String,
        before: Option<Timestamp>,
        after: Option<Timestamp>,
        is_step: bool,
    ) -> Fault {
        let between = match (before, after) {
            (Some(before), Some(after)) => {
                format!(". It was written between the heads of {before} and {after}")
            }
            (Some(before), None) => format!(". It was written after the head of {before}"),
            (None, Some(after)) => format!(". It was written before the head of {after}"),
            (None, None) => String::new(),
        };
        let Self { from, to, told } = self;
        let seen = format!("its time, {to}, is before that of the one before it, {from}");
        if told || is_step {
            let what = format!("{seen}: the access log tells that the clock was set back{between}");
            return Fault::note(path, record, &what);
        }
        let what =
            format!("{seen}, and no step of the clock is noted: its time is not to be believed{between}");
        Fault { record: Some(record), ..Fault::missing(path, &what) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::access::{Reader, Via};

    #[test]
    fn what_goes_back_is_told_once_and_noted_steps_are_known() {
        let at = |text: &str| format!("2026-08-21T{text}Z").parse::<Timestamp>().unwrap();
        let step = ClockStep {
            reader: Reader::of_this_process(Via::Daemon),
            expected: at("12:00:00"),
            found: at("11:00:00"),
            milliseconds: -3_600_000,
            daemon: "running".into(),
        };
        let steps = [step];
        let mut order = Order::new(&steps);
        for (time, wanted) in [
            ("09:00:00", None),
            ("11:59:50", None),
            ("11:59:00", None),
            ("11:00:05", Some(true)),
            ("11:00:00", None),
            ("11:30:00", None),
            ("10:00:00", Some(false)),
            ("10:00:30", None),
            ("18:00:00", None),
            ("11:00:05", Some(false)),
        ] {
            assert_eq!(order.see(at(time)).map(|back| back.told), wanted, "{time}");
        }
    }
}

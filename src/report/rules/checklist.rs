//! The checklist before a rule in `observe` is set to `enforce`.

use jiff::Timestamp;

use super::Rule;
use crate::config::Config;
use crate::limits;
use crate::policy::{OnUnknown, RulePolicy};
use crate::report::interval::wilson;

/// One point.
#[derive(Debug)]
pub(super) struct Check {
    /// Whether it is met.
    pub(super) done: bool,
    /// What it is about, with the numbers.
    pub(super) what: String,
}

/// The points for one rule.
pub(super) fn before_enforce(
    id: &str,
    rule: &Rule,
    policy: &RulePolicy,
    config: &Config,
    end: Timestamp,
) -> Vec<Check> {
    let check = |done, what: String| Check { done, what };
    let days = rule.first.map_or(0, |first| end.duration_since(first).as_hours() / 24);
    let (wrong, labelled) = (rule.wrong, rule.right + rule.wrong);
    let (_, highest) = wilson(wrong, labelled);
    let wanted = rule.stops.min(limits::ENFORCE_LABELS);
    let tests = config.tests.iter().filter(|test| test.names(id)).count();
    let stop = rule.stops > 0;
    vec![
        check(
            days >= limits::ENFORCE_DAYS,
            format!("findings of {days} days, {} at least", limits::ENFORCE_DAYS),
        ),
        check(
            rule.stops_labelled >= wanted,
            format!(
                "{} of {} mails that it would stop are judged, {wanted} at least (log label)",
                rule.stops_labelled, rule.stops
            ),
        ),
        check(
            !stop || highest <= limits::ENFORCE_WRONG,
            format!(
                "{wrong} of {labelled} judged findings are wrong, at most {:.0} % (95 % interval), {:.0} % are allowed",
                highest * 100.0,
                limits::ENFORCE_WRONG * 100.0
            ),
        ),
        check(
            rule.unknown == 0 || policy.on_unknown == OnUnknown::Accept,
            format!(
                "{} checks could not be completed; on_unknown = \"{}\"",
                rule.unknown,
                policy.on_unknown.as_str()
            ),
        ),
        check(tests > 0, format!("{tests} tests in the config name it ([[tests]])")),
        check(
            config.smtp.is_some() || !stop,
            "notices can be sent to those whose mail it stops ([smtp])".to_owned(),
        ),
    ]
}

//! Conditions on the time at which a mail arrived, in the organisation's time zone.

#![deny(clippy::disallowed_methods)]

use jiff::civil::{Date, Time, Weekday};

use crate::facts::Facts;
use crate::limits;
use crate::settings::problem::Fault;
use crate::settings::{Settings, Value, parse};

/// A condition on the time of arrival.
#[derive(Debug)]
pub(super) enum Moment {
    Weekdays(Vec<Weekday>),
    Hours(Vec<Span>),
    Since(Date),
    Until(Date),
    Dates(Vec<Date>),
}

/// From a time of day until another, which may be on the next day.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    from: Time,
    to: Time,
}

const WEEKDAYS: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

impl Moment {
    /// What `when` says of the time.
    pub(super) fn read(when: &mut Settings<'_>) -> Vec<Self> {
        let mut all = Vec::new();
        all.extend(
            several(when, "weekdays", "[\"sat\", \"sun\"]", parse::one_of(&WEEKDAYS, word))
                .map(Self::Weekdays),
        );
        all.extend(several(when, "hours", "\"17:00-07:30\"", span).map(Self::Hours));
        all.extend(several(when, "dates", "[2026-12-24]", parse::date).map(Self::Dates));
        let since = when.optional("since", parse::date);
        let until = when.optional("until", |value| {
            let until = parse::date(value)?;
            match since {
                Some(since) if until < since => Err(Fault::new(
                    format!("{until} is before `since`, so no mail would match"),
                    format!("write {since} or a later date"),
                )),
                Some(_) | None => Ok(until),
            }
        });
        all.extend(since.map(Self::Since));
        all.extend(until.map(Self::Until));
        all
    }

    /// The word for it in evidence.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Weekdays(_) => "weekday",
            Self::Hours(_) => "hours",
            Self::Since(_) | Self::Until(_) | Self::Dates(_) => "date",
        }
    }

    /// Whether the mail arrived then.
    pub(super) fn holds(&self, facts: &Facts) -> bool {
        let arrived = facts.arrived.to_zoned(facts.organisation.time_zone.clone());
        let (date, time) = (arrived.date(), arrived.time());
        match self {
            Self::Weekdays(any) => any.contains(&date.weekday()),
            Self::Hours(any) => any.iter().any(|span| span.contains(time)),
            Self::Since(since) => *since <= date,
            Self::Until(until) => date <= *until,
            Self::Dates(any) => any.contains(&date),
        }
    }
}

impl Span {
    fn contains(self, time: Time) -> bool {
        if self.from <= self.to {
            self.from <= time && time < self.to
        } else {
            self.from <= time || time < self.to
        }
    }
}

/// The value or values under `key`; `example` is one that would be right.
fn several<T>(
    when: &mut Settings<'_>,
    key: &'static str,
    example: &str,
    parse: impl Fn(&Value) -> Result<T, Fault>,
) -> Option<Vec<T>> {
    let value = when.value(key)?;
    let values = value.one_or_more();
    if values.is_empty() || values.len() > limits::CONFIG_LIST {
        let problem = format!("has {} values, but must have 1 to {}", values.len(), limits::CONFIG_LIST);
        when.wrong(key, value.at, Fault::new(problem, format!("write {key} = {example}, or remove the key")));
        return None;
    }
    Some(values.iter().filter_map(|value| when.accept(key, value.at, parse(value))).collect())
}

fn word(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "mon",
        Weekday::Tuesday => "tue",
        Weekday::Wednesday => "wed",
        Weekday::Thursday => "thu",
        Weekday::Friday => "fri",
        Weekday::Saturday => "sat",
        Weekday::Sunday => "sun",
    }
}

fn span(value: &Value) -> Result<Span, Fault> {
    let given = parse::text(value)?;
    let right = "write two times of day, such as \"17:00-07:30\"";
    let wrong = || Fault::new(format!("{} is not a span of hours", parse::shown(given)), right);
    let (from, to) = given.split_once('-').ok_or_else(wrong)?;
    let span = Span { from: clock(from).ok_or_else(wrong)?, to: clock(to).ok_or_else(wrong)? };
    if span.from == span.to {
        return Err(Fault::new(format!("{} is an empty span", parse::shown(given)), right));
    }
    Ok(span)
}

/// `07:30`; `24:00` is midnight.
fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    let digits = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    let (hour, minute): (i8, i8) = (hour.parse().ok()?, minute.parse().ok()?);
    match (hour, minute) {
        (24, 0) => Some(Time::midnight()),
        _ => Time::new(hour, minute, 0, 0).ok(),
    }
}

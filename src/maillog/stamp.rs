//! The time at the beginning of a line: traditional syslog (`Nov 30 17:00:00`, without year and zone) or RFC 3339.

#![deny(clippy::disallowed_methods)]

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// Reads times of a log. Lines of one minute cost little, because a minute's beginning is kept.
#[derive(Debug)]
pub struct Stamps {
    zone: TimeZone,
    /// No line is newer than this, but for a clock that runs ahead by up to a day.
    newest: Timestamp,
    /// The last time that was read, in milliseconds.
    last: i64,
    /// The beginning of a minute, as it is written and in milliseconds.
    minute: (String, i64),
}

impl Stamps {
    /// For a log that was written in this zone, and no later than then.
    pub fn new(zone: TimeZone, newest: Timestamp) -> Self {
        Self { zone, newest, last: i64::MIN, minute: (String::new(), 0) }
    }

    /// No line that follows is newer than this.
    pub fn not_after(&mut self, newest: Timestamp) {
        // A year that was found once holds for the lines of its minute.
        self.newest = newest;
    }

    /// The line's time in milliseconds, and what follows it and a space.
    pub(super) fn begin<'a>(&mut self, line: &'a str) -> Option<(i64, &'a str)> {
        let first = line.as_bytes().first()?;
        let (at, rest) = if first.is_ascii_digit() { self.rfc3339(line)? } else { self.traditional(line)? };
        self.last = at;
        Some((at, rest))
    }

    /// `2026-11-30T17:00:00.123456+01:00 `; a fraction and a zone may be absent.
    fn rfc3339<'a>(&mut self, line: &'a str) -> Option<(i64, &'a str)> {
        let (stamp, rest) = line.split_once(' ')?;
        let (minute, after) = stamp.split_at_checked(17)?;
        let (second, after) = after.split_at_checked(2)?;
        let digits = after
            .strip_prefix('.')
            .map_or(0, |fraction| fraction.bytes().take_while(u8::is_ascii_digit).count() + 1);
        let (fraction, zone) = after.split_at_checked(digits)?;
        let second = number(second)?;
        let millis = fraction.get(1..).map_or(0, |digits| {
            digits.bytes().chain(*b"000").take(3).fold(0, |sum, digit| 10 * sum + i64::from(digit - b'0'))
        });
        let begin = match &self.minute {
            (known, at) if known.strip_prefix(minute) == Some(zone) => *at,
            _ => {
                let civil: DateTime = minute.strip_suffix(':')?.parse().ok()?;
                let at = if zone.is_empty() {
                    self.local(civil)?
                } else {
                    format!("{minute}00{zone}").parse::<Timestamp>().ok()?
                };
                self.minute = (format!("{minute}{zone}"), at.as_millisecond());
                at.as_millisecond()
            }
        };
        (second <= 60).then_some((begin + second * 1_000 + millis, rest))
    }

    /// `Nov 30 17:00:00 `, of the newest year that it can be of.
    fn traditional<'a>(&mut self, line: &'a str) -> Option<(i64, &'a str)> {
        let (minute, after) = line.split_at_checked(13)?;
        let (second, rest) = after.split_at_checked(2)?;
        let rest = rest.strip_prefix(' ')?;
        let second = number(second).filter(|second| *second <= 60)?;
        let begin = match &self.minute {
            (known, at) if known == minute && self.last >= *at && self.last < at + 61_000 => *at,
            _ => {
                let at = self.year_of(minute)?.as_millisecond();
                self.minute = (minute.to_owned(), at);
                at
            }
        };
        Some((begin + second * 1_000, rest))
    }

    /// The beginning of the minute `Nov 30 17:00:`.
    fn year_of(&self, minute: &str) -> Option<Timestamp> {
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let month = MONTHS.iter().position(|name| minute.strip_prefix(name).is_some())? + 1;
        let month = i8::try_from(month).ok()?;
        let at = |from: usize, to: usize| number(minute.get(from..to)?.trim_start());
        let separators = [(3, b' '), (6, b' '), (9, b':'), (12, b':')];
        if separators.iter().any(|(at, wanted)| minute.as_bytes().get(*at) != Some(wanted)) {
            return None;
        }
        let (day, hour, minute) = (at(4, 6)?, at(7, 9)?, at(10, 12)?);
        let (day, hour) = (i8::try_from(day).ok()?, i8::try_from(hour).ok()?);
        let minute = i8::try_from(minute).ok()?;
        let latest = self.newest.saturating_add(SignedDuration::from_hours(24)).ok()?;
        let year = latest.to_zoned(self.zone.clone()).year();
        // February 29th may be eight years ago.
        (0..9).find_map(|back| {
            let civil = Date::new(year - back, month, day).ok()?.at(hour, minute, 0, 0);
            self.local(civil).filter(|at| *at <= latest)
        })
    }

    /// The moment of a time on the wall. Of the hour that comes twice in autumn, the one that the line before tells.
    fn local(&self, civil: DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_zoned(civil);
        let is_twice = matches!(ambiguous.offset(), AmbiguousOffset::Fold { .. });
        let first = ambiguous.clone().compatible().ok()?.timestamp();
        if is_twice && self.last != i64::MIN && first.as_millisecond() + 60_000 < self.last {
            return Some(ambiguous.later().ok()?.timestamp());
        }
        Some(first)
    }
}

fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

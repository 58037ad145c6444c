//! Times on the command line: RFC 3339, a day, a month or another period of the organisation's calendar, or so long ago.

use jiff::civil::{Date, DateTime, ISOWeekDate, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan as _};

use crate::report::period::{Length, Period};

/// Which end of a period a time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// `--since`: a day means its first moment.
    Since,
    /// `--until`: a day is in the period as a whole.
    Until,
}

/// The moment that `text` names.
pub(super) fn parse(text: &str, end: End, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let wrong = || {
        format!(
            "{text:?} is not a time; write 2026-08-21, \"2026-08-21 13:05\", 2026-08-21T13:05:09+02:00, a period \
             (today, yesterday, 2026-08, 2026Q3, 2026-W34, 2026), or how long ago (30min, 24h, 7d, 2w, 3mo)"
        )
    };
    let text = text.trim().to_lowercase();
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    if text == "now" {
        return Ok(now);
    }
    if let Some(span) = ago(&text) {
        let then = now.to_zoned(zone.clone()).checked_sub(span).map_err(|_| wrong())?;
        return Ok(then.timestamp());
    }
    let today = zone.to_datetime(now).date();
    let civil = match (days(&text, today), end) {
        (Some((first, _)), End::Since) => first.at(0, 0, 0, 0),
        (Some((_, after)), End::Until) => after.at(0, 0, 0, 0),
        (None, _) => text.parse::<DateTime>().map_err(|_| wrong())?,
    };
    zone.to_timestamp(civil).map_err(|_| wrong())
}

/// How long ago `7d` is: days and what is longer are those of the calendar.
fn ago(text: &str) -> Option<Span> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(unit)?;
    let number: i32 = number.parse().ok()?;
    match unit {
        "min" => Span::new().try_minutes(number).ok(),
        "h" => Span::new().try_hours(number).ok(),
        "d" => Span::new().try_days(number).ok(),
        "w" => Span::new().try_weeks(number).ok(),
        "mo" => Span::new().try_months(number).ok(),
        _ => None,
    }
}

/// The first day of what `text` names, and the day after its last one.
fn days(text: &str, today: Date) -> Option<(Date, Date)> {
    let one = |day: Date| Some((day, day.checked_add(1.day()).ok()?));
    let of = |period: Period| Some((period.first, period.end()));
    match text {
        "today" => return one(today),
        "yesterday" => return one(today.yesterday().ok()?),
        _ => {}
    }
    if text.len() == 10 {
        return one(text.parse().ok()?);
    }
    let (year, rest) = text.split_at_checked(4)?;
    let year_number: i16 = year.parse().ok().filter(|_| year.bytes().all(|octet| octet.is_ascii_digit()))?;
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    if rest.is_empty() && text.len() == 4 {
        return Some((
            Date::new(year_number, 1, 1).ok()?,
            Date::new(year_number.checked_add(1)?, 1, 1).ok()?,
        ));
    }
    if let Some(week) = rest.strip_prefix('w') {
        let monday = ISOWeekDate::new(year_number, week.parse().ok()?, Weekday::Monday).ok()?.date();
        return Some((monday, monday.checked_add(1.week()).ok()?));
    }
    if rest.starts_with('q') && rest.len() == 2 {
        return of(Period::parse(&format!("{year}{}", rest.to_uppercase()), Length::Quarter).ok()?);
    }
    let two = rest.len() == 2 && rest.bytes().all(|octet| octet.is_ascii_digit());
    of(Period::parse(text, Length::Month).ok().filter(|_| two && text.len() == 7)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-10-26T09:30:00Z";

    fn moment(text: &str, end: End) -> Result<Timestamp, String> {
        parse(text, end, NOW.parse().unwrap(), &TimeZone::get("Europe/Stockholm").unwrap())
    }

    #[test]
    fn times() {
        for (text, end, wanted) in [
            ("2026-08-21", End::Since, "2026-08-20T22:00:00Z"),
            ("2026-08-21", End::Until, "2026-08-21T22:00:00Z"),
            ("2026-10-25", End::Until, "2026-10-25T23:00:00Z"),
            ("2026-08-21 13:05", End::Until, "2026-08-21T11:05:00Z"),
            ("2026-08-21T13:05:09", End::Since, "2026-08-21T11:05:09Z"),
            ("2026-01-21T13:05:09+01:00", End::Since, "2026-01-21T12:05:09Z"),
            ("2026-08-21T13:05:09.5Z", End::Since, "2026-08-21T13:05:09.5Z"),
        ] {
            assert_eq!(moment(text, end), Ok(wanted.parse().unwrap()), "{text}");
        }
        for text in ["", "igår", "2026-13-01", "21/8 2026", "2026-08-21 25:00", "7", "d", "-7d", "7 d", "7y"]
        {
            assert!(moment(text, End::Since).unwrap_err().contains("is not a time"), "{text}");
        }
    }

    #[test]
    fn periods_are_those_of_the_organisations_calendar() {
        for (text, since, until) in [
            ("today", "2026-10-25T23:00:00Z", "2026-10-26T23:00:00Z"),
            // The day on which summer time ends has 25 hours.
            ("yesterday", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
            ("2026-10", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"),
            ("2026-12", "2026-11-30T23:00:00Z", "2026-12-31T23:00:00Z"),
            ("2026Q3", "2026-06-30T22:00:00Z", "2026-09-30T22:00:00Z"),
            ("2026-q4", "2026-09-30T22:00:00Z", "2026-12-31T23:00:00Z"),
            ("2026-W43", "2026-10-18T22:00:00Z", "2026-10-25T23:00:00Z"),
            ("2026", "2025-12-31T23:00:00Z", "2026-12-31T23:00:00Z"),
        ] {
            assert_eq!(moment(text, End::Since), Ok(since.parse().unwrap()), "{text}");
            assert_eq!(moment(text, End::Until), Ok(until.parse().unwrap()), "{text}");
        }
        for text in ["2026-13", "2026-00", "2026Q5", "2026-W54", "2026-1", "202610", "+026", "26-10", "2026-"]
        {
            assert!(moment(text, End::Since).is_err(), "{text}");
        }
    }

    #[test]
    fn so_long_ago() {
        for (text, wanted) in [
            ("now", NOW),
            ("30min", "2026-10-26T09:00:00Z"),
            ("24h", "2026-10-25T09:30:00Z"),
            ("7d", "2026-10-19T08:30:00Z"),
            ("2w", "2026-10-12T08:30:00Z"),
            ("3mo", "2026-07-26T08:30:00Z"),
            ("0d", NOW),
        ] {
            for end in [End::Since, End::Until] {
                assert_eq!(moment(text, end), Ok(wanted.parse().unwrap()), "{text}");
            }
        }
        assert!(moment("99999999d", End::Since).is_err());
    }
}

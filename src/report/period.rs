//! The month or quarter of a report, in the organisation's days.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

const MONTHS: [&str; 12] = [
    "januari",
    "februari",
    "mars",
    "april",
    "maj",
    "juni",
    "juli",
    "augusti",
    "september",
    "oktober",
    "november",
    "december",
];

/// How long a period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// A calendar month.
    Month,
    /// Three of them.
    Quarter,
}

impl Length {
    fn months(self) -> i32 {
        match self {
            Self::Month => 1,
            Self::Quarter => 3,
        }
    }
}

/// A month or a quarter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// How long it is.
    pub length: Length,
    /// Its first day.
    pub first: Date,
}

impl Period {
    /// The period that `text` names: `2026-10`, `2026Q3`.
    pub fn parse(text: &str, length: Length) -> Result<Self, String> {
        let wrong = || match length {
            Length::Month => format!("{text:?} is not a month; write 2026-10"),
            Length::Quarter => format!("{text:?} is not a quarter; write 2026Q3"),
        };
        let (year, rest) = text.split_at_checked(4).ok_or_else(wrong)?;
        let (sign, step) = match length {
            Length::Month => ("-", 1),
            Length::Quarter => ("Q", 3),
        };
        let number = rest.trim_start_matches(['-', ' ']).trim_start_matches(sign);
        let number: i8 = number.parse().map_err(|_| wrong())?;
        let year: i16 = year.parse().map_err(|_| wrong())?;
        let month = number.checked_sub(1).and_then(|number| number.checked_mul(step)).map(|month| month + 1);
        let first = month.and_then(|month| Date::new(year, month, 1).ok()).ok_or_else(wrong)?;
        Ok(Self { length, first })
    }

    /// This period, unless it lies in the future: there nothing can be.
    pub fn begun(self, now: Timestamp, zone: &TimeZone) -> Result<Self, String> {
        if zone.to_datetime(now).date() < self.first {
            return Err(format!("the period begins on {}, which is in the future", self.first));
        }
        Ok(self)
    }

    /// The last one that is over.
    pub fn last(length: Length, now: Timestamp, zone: &TimeZone) -> Self {
        let today = zone.to_datetime(now).date();
        let into = match length {
            Length::Month => 0,
            Length::Quarter => i32::from((today.month() - 1) % 3),
        };
        let first = today.first_of_month().saturating_sub(into.months());
        Self { length, first }.before()
    }

    /// The one before.
    #[must_use]
    pub fn before(self) -> Self {
        Self { first: self.first.saturating_sub(self.length.months().months()), ..self }
    }

    /// The day after its last one.
    pub fn end(self) -> Date {
        self.first.saturating_add(self.length.months().months())
    }

    /// Its days.
    pub fn days(self) -> Vec<Date> {
        let end = self.end();
        self.first.series(1.day()).take_while(|day| *day < end).collect()
    }

    /// Its two ends.
    pub fn times(self, zone: &TimeZone) -> Result<(Timestamp, Timestamp), jiff::Error> {
        let at = |day: Date| zone.to_timestamp(day.at(0, 0, 0, 0));
        Ok((at(self.first)?, at(self.end())?))
    }

    /// The part of the period before this one with which it is compared: all of it, or as much as has passed of this one by
    /// then.
    pub fn compared(self, now: Timestamp, zone: &TimeZone) -> Result<(Timestamp, Timestamp), jiff::Error> {
        let before = self.before();
        let (since, until) = before.times(zone)?;
        let now = zone.to_datetime(now);
        if now.date() >= self.end() {
            return Ok((since, until));
        }
        let passed = self.first.until(now.date())?;
        let same = before.first.saturating_add(passed).to_datetime(now.time());
        Ok((since, zone.to_timestamp(same)?.min(until)))
    }

    /// How many of its days have begun by then.
    pub fn days_begun(self, now: Timestamp, zone: &TimeZone) -> usize {
        let today = zone.to_datetime(now).date();
        self.days().iter().filter(|day| **day <= today).count()
    }

    /// As the command line names it.
    pub fn code(self) -> String {
        match self.length {
            Length::Month => format!("{:04}-{:02}", self.first.year(), self.first.month()),
            Length::Quarter => format!("{:04}Q{}", self.first.year(), (self.first.month() + 2) / 3),
        }
    }

    /// As a heading names it.
    pub fn name(self) -> String {
        let month = usize::from(self.first.month().unsigned_abs());
        match self.length {
            Length::Month => format!("{} {}", month_name(month), self.first.year()),
            Length::Quarter => format!("kvartal {} {}", month.div_ceil(3), self.first.year()),
        }
    }
}

/// The name of a month, from 1.
pub fn month_name(month: usize) -> &'static str {
    MONTHS.get(month.wrapping_sub(1)).copied().unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods() {
        let zone = TimeZone::get("Europe/Stockholm").unwrap();
        let quarter = Period::parse("2026Q3", Length::Quarter).unwrap();
        assert_eq!((quarter.code().as_str(), quarter.name().as_str()), ("2026Q3", "kvartal 3 2026"));
        assert_eq!((quarter.before().code().as_str(), quarter.days().len()), ("2026Q2", 92));
        let month = Period::parse("2026-10", Length::Month).unwrap();
        assert_eq!((month.name().as_str(), month.days().len()), ("oktober 2026", 31));
        let (since, until) = month.times(&zone).unwrap();
        // One hour more than 31 days: summer time ends.
        assert_eq!(until.duration_since(since).as_hours(), 31 * 24 + 1);
        let now = "2027-01-31T23:30:00Z".parse().unwrap();
        assert_eq!(Period::last(Length::Month, now, &zone).code(), "2027-01");
        assert_eq!(Period::last(Length::Quarter, now, &zone).code(), "2026Q4");
        assert_eq!(Period::parse("2026Q1", Length::Quarter).unwrap().before().code(), "2025Q4");
        let compared = |now: &str| quarter.compared(now.parse().unwrap(), &zone).unwrap();
        assert_eq!(compared("2026-10-01T00:00:00Z"), quarter.before().times(&zone).unwrap());
        // Of a quarter that runs, as much is compared as has passed; one that is longer ends with the shorter one.
        assert_eq!(compared("2026-07-11T10:00:00Z").1, "2026-04-11T10:00:00Z".parse().unwrap());
        assert_eq!(compared("2026-09-30T21:59:59Z"), quarter.before().times(&zone).unwrap());
        assert_eq!(quarter.days_begun("2026-07-11T10:00:00Z".parse().unwrap(), &zone), 11);
        for wrong in ["2026Q5", "2026Q0", "Q3", "2026-13", "hösten"] {
            assert!(Period::parse(wrong, Length::Quarter).is_err(), "{wrong}");
        }
        assert!(
            Period::parse("2026-00", Length::Month).is_err() && Period::parse("2026", Length::Month).is_err()
        );
    }
}

//! Times on the command line: RFC 3339, or a day, or a day and a time in the organisation's zone.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// Which end of a period a time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// `--since`: a day means its first moment.
    Since,
    /// `--until`: a day is in the period as a whole.
    Until,
}

/// The moment that `text` names.
pub(super) fn parse(text: &str, end: End, zone: &TimeZone) -> Result<Timestamp, String> {
    let wrong = || {
        format!("{text:?} is not a time; write 2026-08-21, \"2026-08-21 13:05\" or 2026-08-21T13:05:09+02:00")
    };
    let text = text.trim();
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let civil = match (text.len(), end) {
        (10, End::Since) => text.parse::<Date>().map(|day| day.at(0, 0, 0, 0)),
        (10, End::Until) => {
            text.parse::<Date>().and_then(|day| day.checked_add(1.day())).map(|day| day.at(0, 0, 0, 0))
        }
        _ => text.parse::<DateTime>(),
    };
    let civil = civil.map_err(|_| wrong())?;
    zone.to_timestamp(civil).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let zone = TimeZone::get("Europe/Stockholm").unwrap();
        for (text, end, wanted) in [
            ("2026-08-21", End::Since, "2026-08-20T22:00:00Z"),
            ("2026-08-21", End::Until, "2026-08-21T22:00:00Z"),
            ("2026-10-25", End::Until, "2026-10-25T23:00:00Z"),
            ("2026-08-21 13:05", End::Until, "2026-08-21T11:05:00Z"),
            ("2026-08-21T13:05:09", End::Since, "2026-08-21T11:05:09Z"),
            ("2026-01-21T13:05:09+01:00", End::Since, "2026-01-21T12:05:09Z"),
            ("2026-08-21T13:05:09.5Z", End::Since, "2026-08-21T13:05:09.5Z"),
        ] {
            assert_eq!(parse(text, end, &zone), Ok(wanted.parse().unwrap()), "{text}");
        }
        for text in ["", "igår", "2026-13-01", "21/8 2026", "2026-08-21 25:00"] {
            assert!(parse(text, End::Since, &zone).unwrap_err().contains("is not a time"), "{text}");
        }
    }
}

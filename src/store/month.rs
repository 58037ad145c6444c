//! Month files: how the log's files are named, and in which order they follow one another.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A month of the UTC calendar; it names one file of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i16,
    month: i8,
}

impl Month {
    /// The month of a moment.
    pub fn of(at: Timestamp) -> Self {
        let date = TimeZone::UTC.to_datetime(at).date();
        Self { year: date.year(), month: date.month() }
    }

    /// The month that `YYYY-MM` names.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if year.len() != 4 || month.len() != 2 || !digits(year) || !digits(month) {
            return None;
        }
        let month: i8 = month.parse().ok()?;
        (1..=12).contains(&month).then_some(Self { year: year.parse().ok()?, month })
    }

    /// Its file in the store's directory.
    pub fn path(self, directory: &Path) -> PathBuf {
        directory.join(format!("log-{self}.db"))
    }

    /// The months that have a file, in order.
    pub fn list(directory: &Path) -> io::Result<Vec<Self>> {
        let mut months = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let name = entry?.file_name();
            let month = name.to_str().and_then(|name| name.strip_prefix("log-")?.strip_suffix(".db"));
            months.extend(month.and_then(Self::parse));
        }
        months.sort_unstable();
        Ok(months)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_read_as_they_are_written() {
        let month = Month::of("2026-08-31T23:59:59Z".parse().unwrap());
        assert_eq!((month.to_string().as_str(), Month::parse("2026-08")), ("2026-08", Some(month)));
        assert!(month < Month::of("2026-09-01T00:00:00Z".parse().unwrap()));
        for wrong in ["2026-13", "2026-8", "26-08", "2026-00", "+026-08", "2026-08-e2"] {
            assert_eq!(Month::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_month_files_are_listed() {
        let directory = tempfile::tempdir().unwrap();
        for name in
            ["log-2026-09.db", "log-2026-08.db", "log-2026-08.db-wal", "log-2026-08.db.new", "access.db"]
        {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let months: Vec<String> =
            Month::list(directory.path()).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(months, ["2026-08", "2026-09"]);
    }
}

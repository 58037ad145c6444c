//! Month files: how the log's files are named, and in which order they follow one another.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A month of the UTC calendar, or a later part of it; it names one file of the log. A month has more than one part
/// where the log began a new epoch within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i16,
    number: i8,
    part: u32,
}

impl Month {
    /// The month of a moment.
    pub fn of(at: Timestamp) -> Self {
        let date = TimeZone::UTC.to_datetime(at).date();
        Self { year: date.year(), number: date.month(), part: 1 }
    }

    /// What comes after this part of the month.
    #[must_use]
    pub fn next_part(self) -> Self {
        Self { part: self.part.saturating_add(1), ..self }
    }

    /// Whether both are of one month of the calendar.
    pub(super) fn is_same(self, other: Self) -> bool {
        (self.year, self.number) == (other.year, other.number)
    }

    /// The month that `YYYY-MM` names, or the part of one that `YYYY-MM-2` does.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split('-');
        let (year, month) = (fields.next()?, fields.next()?);
        let digits = |field: &&str| field.bytes().all(|b| b.is_ascii_digit());
        if year.len() != 4 || month.len() != 2 || !digits(&year) || !digits(&month) {
            return None;
        }
        let month: i8 = month.parse().ok()?;
        let part = match (fields.next(), fields.next()) {
            (None, _) => 1,
            (Some(part), None) => {
                part.parse().ok().filter(|number: &u32| *number > 1 && number.to_string() == part)?
            }
            (Some(_), Some(_)) => return None,
        };
        (1..=12).contains(&month).then_some(Self { year: year.parse().ok()?, number: month, part })
    }

    /// The month whose file this is, by its name.
    pub fn of_file(path: &Path) -> Option<Self> {
        Self::parse(path.file_name()?.to_str()?.strip_prefix("log-")?.strip_suffix(".db")?)
    }

    /// Its file in the store's directory.
    pub fn path(self, directory: &Path) -> PathBuf {
        directory.join(format!("log-{self}.db"))
    }

    /// The months that have a file, in order.
    pub fn list(directory: &Path) -> io::Result<Vec<Self>> {
        let mut months = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            months.extend(Self::of_file(&entry?.path()));
        }
        months.sort_unstable();
        Ok(months)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.number)?;
        if self.part > 1 { write!(f, "-{}", self.part) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_read_as_they_are_written() {
        let month = Month::of("2026-08-31T23:59:59Z".parse().unwrap());
        assert_eq!((month.to_string().as_str(), Month::parse("2026-08")), ("2026-08", Some(month)));
        assert!(month < Month::of("2026-09-01T00:00:00Z".parse().unwrap()) && month < month.next_part());
        assert_eq!(Month::parse("2026-08-2"), Some(month.next_part()));
        assert_eq!(month.next_part().to_string(), "2026-08-2");
        for wrong in
            ["2026-13", "2026-8", "26-08", "2026-00", "+026-08", "2026-08-e2", "2026-08-1", "2026-08-02"]
        {
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

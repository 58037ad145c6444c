//! Reads files of Postfix's log that a command names: those from before the log was followed, or that were missed.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::file::{Fault, LogFile};
use super::{TailError, count};
use crate::store::deliveries::{Counts, Deliveries};

/// What came of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ingested {
    /// The file.
    pub file: PathBuf,
    /// Its lines.
    pub lines: u64,
    /// Those that tell of a mail or a connection.
    pub told: u64,
    /// Deliveries that were left out, because they could be read in two ways.
    pub unclear: u64,
    /// The time of its newest line; none where no line has a time.
    pub until: Option<Timestamp>,
    /// Why it was not read to its end; empty where it was.
    pub failed: String,
}

/// Reads these files, in the order in which they were last written to. `rebuild` forgets first what was read before.
pub fn files(
    deliveries: &mut Deliveries,
    files: &[PathBuf],
    rebuild: bool,
) -> Result<Vec<Ingested>, TailError> {
    let mut ordered = Vec::new();
    for file in files {
        let written = std::fs::metadata(file).and_then(|about| about.modified());
        ordered.push((written.map_err(|source| TailError::Io { path: file.clone(), source })?, file));
    }
    ordered.sort();
    if rebuild {
        deliveries.clear()?;
    }
    let mut all = Vec::new();
    for (_, file) in ordered {
        deliveries.gap();
        let mut ingested = Ingested { file: file.clone(), ..Ingested::default() };
        match one(deliveries, file, &mut ingested) {
            Ok(()) => {}
            Err(Fault::Io(error)) => {
                // What was read of it counts.
                add(&mut ingested, deliveries.commit::<()>(None)?);
                ingested.failed = error.to_string();
            }
            Err(Fault::Deliveries(error)) => return Err(error.into()),
        }
        ingested.until = deliveries.read_until().and_then(|until| Timestamp::from_millisecond(until).ok());
        all.push(ingested);
    }
    Ok(all)
}

fn one(deliveries: &mut Deliveries, path: &Path, ingested: &mut Ingested) -> Result<(), Fault> {
    let mut file = LogFile::open(path, 0).map_err(Fault::Io)?;
    let mut more = true;
    while more {
        more = file.take(deliveries)? > 0;
        if !more {
            file.end(deliveries)?;
        }
        if !more || deliveries.is_full() {
            add(ingested, deliveries.commit::<()>(None).map_err(Fault::Deliveries)?);
        }
    }
    Ok(())
}

fn add(ingested: &mut Ingested, counts: Counts) {
    count(counts);
    ingested.lines += counts.lines;
    ingested.told += counts.told;
    ingested.unclear += counts.unclear;
}

/// The files by their whole paths: whoever reads them may stand elsewhere.
pub fn whole(files: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let whole = |file: &PathBuf| {
        std::path::absolute(file)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))
    };
    files.iter().map(whole).collect()
}

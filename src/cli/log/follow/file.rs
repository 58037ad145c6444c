//! A file that another program reads, such as Filebeat or Vector: one line of JSON for each record.
//!
//! The file itself says which record came last. So a follower that was killed after it wrote, and before its cursor moved,
//! writes nothing twice; what it had written half is cut off.

use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use serde_json::Value;

use super::{Event, SinkError};

/// Octets that are looked at first for the last line.
const TAIL: u64 = 64 << 10;

pub(super) struct File {
    path: PathBuf,
    /// Whether the end of the file is known to be what was handed over last.
    looked: bool,
}

impl File {
    pub(super) fn new(path: &str) -> Self {
        Self { path: path.into(), looked: false }
    }

    /// Appends them, and makes it durable. The file is opened each time: it may have been rotated.
    pub(super) fn append(&mut self, events: &[Event]) -> Result<(), SinkError> {
        let looked = std::mem::replace(&mut self.looked, false);
        let mut options = fs::OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).mode(0o600).open(&self.path)?;
        let last = if looked { None } else { last_id(&mut file)? };
        let known = last.and_then(|last| events.iter().position(|event| event.id == last));
        let new = events.get(known.map_or(0, |at| at + 1)..).unwrap_or_default();
        let mut text = String::new();
        for event in new {
            text.push_str(&event.json);
            text.push('\n');
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        self.looked = true;
        Ok(())
    }
}

/// The id in the last whole line. What stands behind that line is cut off.
fn last_id(file: &mut fs::File) -> io::Result<Option<String>> {
    let size = file.metadata()?.len();
    let mut tail = TAIL;
    loop {
        let from = size.saturating_sub(tail);
        let mut octets = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        file.take(size - from).read_to_end(&mut octets)?;
        let end = octets.iter().rposition(|octet| *octet == b'\n');
        let begin = end.and_then(|end| octets.get(..end)?.iter().rposition(|octet| *octet == b'\n'));
        if from > 0 && (end.is_none() || begin.is_none()) {
            tail = tail.saturating_mul(2);
            continue;
        }
        let Some(end) = end else {
            file.set_len(0)?;
            return Ok(None);
        };
        let whole = from + end as u64 + 1;
        if whole < size {
            file.set_len(whole)?;
        }
        let line = octets.get(begin.map_or(0, |begin| begin + 1)..end).unwrap_or_default();
        let event: Option<Value> = serde_json::from_slice(line).ok();
        return Ok(event.and_then(|event| event.pointer("/event/id")?.as_str().map(str::to_owned)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: usize, fill: usize) -> Event {
        let id = format!("gw1-1-{number:012}");
        let json = format!(r#"{{"event":{{"id":"{id}"}},"fill":"{}"}}"#, "x".repeat(fill));
        Event { id, time: jiff::Timestamp::UNIX_EPOCH, json }
    }

    #[test]
    fn whatever_was_written_before_a_kill_is_there_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("postvakt.jsonl");
        let new = || File::new(path.to_str().unwrap());
        // The last one is longer than what is looked at first.
        let events: Vec<Event> =
            (1..=3).map(|number| event(number, if number == 3 { 300_000 } else { 10 })).collect();
        new().append(&events).unwrap();
        let whole = fs::read(&path).unwrap();
        for cut in [0, 1, 20, 60, whole.len() - 1, whole.len()] {
            fs::write(&path, &whole[..cut]).unwrap();
            new().append(&events).unwrap();
            assert!(fs::read(&path).unwrap() == whole, "{cut}");
        }
        // It was rotated: nothing of what comes is known there.
        let mut file = new();
        file.append(&[event(4, 10)]).unwrap();
        fs::rename(&path, directory.path().join("postvakt.jsonl.1")).unwrap();
        file.append(&[event(5, 10)]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
        assert!(
            new().append(&[event(6, 0)]).is_ok() && File::new("/dev/full").append(&[event(7, 0)]).is_err()
        );
    }
}

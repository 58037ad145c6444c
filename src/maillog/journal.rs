//! Entries of systemd's journal, as `journalctl -o json` prints them.

#![deny(clippy::disallowed_methods)]

use serde::Deserialize;
use serde_json::Value;

use super::{Read, message};

/// An entry of the journal.
#[derive(Debug, Deserialize)]
pub struct Entry {
    /// Where it stands in the journal.
    #[serde(rename = "__CURSOR")]
    pub cursor: String,
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    time: String,
    #[serde(rename = "SYSLOG_IDENTIFIER", default)]
    name: String,
    #[serde(rename = "SYSLOG_PID", default)]
    pid: String,
    #[serde(rename = "_PID", default)]
    sender_pid: String,
    #[serde(rename = "MESSAGE", default)]
    message: Value,
    #[serde(skip)]
    text: String,
}

/// The entry in one line of JSON; `None` where the line is none.
pub fn entry(line: &str) -> Option<Entry> {
    let mut entry: Entry = serde_json::from_str(line).ok()?;
    entry.text = match &entry.message {
        Value::String(text) => text.clone(),
        // What is not UTF-8 comes as a list of octets.
        Value::Array(octets) => {
            let octet = |value: &Value| value.as_u64().and_then(|octet| u8::try_from(octet).ok());
            let octets: Option<Vec<u8>> = octets.iter().map(octet).collect();
            crate::text::from_bytes(&octets?).into_owned()
        }
        // Absent, or too large.
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    };
    Some(entry)
}

impl Entry {
    /// What it tells.
    pub fn read(&self) -> Read<'_> {
        let Ok(micros) = self.time.parse::<i64>() else { return Read::Foreign };
        let pid = self.pid.parse().or_else(|_| self.sender_pid.parse()).unwrap_or_default();
        message::read(micros / 1_000, &self.name, pid, &self.text)
    }
}

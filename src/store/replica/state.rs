//! How far a replica has come, in a file of its own, so that every answer can say what may be missing from it.

use std::fs;
use std::io;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::limits;
use crate::store::nodes::Behind;
use crate::store::{key, nodes};

/// The file.
const NAME: &str = "replica";

/// How far a replica has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// When it last had all that the centre had.
    pub even: Timestamp,
    /// When the centre last heard of the node.
    pub contact: Timestamp,
}

impl State {
    /// Writes it, whole or not at all.
    pub(super) fn write(&self, directory: &Path) -> io::Result<()> {
        let text = serde_json::to_string(self).map_err(io::Error::other)?;
        key::write_whole(&directory.join(NAME), format!("{text}\n").as_bytes())
    }
}

/// What may be missing from the replicas below a log, those of `node` alone where it is given.
pub fn behind(directory: &Path, node: Option<&str>, now: Timestamp) -> io::Result<Vec<Behind>> {
    let mut all = Vec::new();
    let late = SignedDuration::try_from(limits::REPLICA_LATE).unwrap_or(SignedDuration::MAX);
    for replica in nodes::directories(directory)?.into_iter().skip(1) {
        let Some(name) = replica.file_name().and_then(|name| name.to_str()).map(str::to_owned) else {
            continue;
        };
        if node.is_some_and(|node| node != name) {
            continue;
        }
        let state = fs::read(replica.join(NAME)).ok();
        match state.and_then(|text| serde_json::from_slice::<State>(&text).ok()) {
            None => all.push(Behind::Never(name)),
            Some(state) if now.duration_since(state.even) > late => {
                all.push(Behind::Replica(name, state.even));
            }
            Some(state) if state.even.duration_since(state.contact) > late => {
                all.push(Behind::Node(name, state.contact));
            }
            Some(_) => {}
        }
    }
    Ok(all)
}

//! Requests to the thread that follows the log: while it does, it alone writes deliveries, and a command that names files leaves a
//! request beside those to the outbox, and takes the answer from there.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::TailError;
use super::ingest::{self, Ingested};
use crate::store::deliveries::{Deliveries, give_to_owner};

const FOLDER: &str = "requests";
const REQUEST: &str = "ingest";
const ANSWER: &str = "ingested";

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    /// The files, by their whole paths.
    pub files: Vec<PathBuf>,
    /// Whether what was read before is forgotten first.
    pub rebuild: bool,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answer {
    /// By file.
    pub files: Vec<Ingested>,
    /// Why not all of it was done; empty where it was.
    pub failed: String,
}

/// Leaves a request. Where the answer will be, and the request until then.
pub fn leave(directory: &Path, request: &Request) -> io::Result<(PathBuf, PathBuf)> {
    let id = format!("{}-{}", std::process::id(), jiff::Timestamp::now().as_nanosecond());
    let path = directory.join(FOLDER).join(id).with_extension(REQUEST);
    write(&path, request)?;
    Ok((path.with_extension(ANSWER), path))
}

/// The answer, if it is there; it is taken away.
pub fn answer(path: &Path) -> io::Result<Option<Answer>> {
    let octets = match fs::read(path) {
        Ok(octets) => octets,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    fs::remove_file(path)?;
    serde_json::from_slice(&octets).map(Some).map_err(io::Error::other)
}

/// Does what is asked.
pub(super) fn carry_out(directory: &Path) -> Result<(), TailError> {
    let folder = directory.join(FOLDER);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(TailError::Io { path: folder, source }),
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_none_or(|ending| ending != REQUEST) {
            continue;
        }
        let io = |source| TailError::Io { path: path.clone(), source };
        let request =
            fs::read(&path).and_then(|octets| serde_json::from_slice(&octets).map_err(io::Error::other));
        let done = request.map_err(io).and_then(|request: Request| {
            let mut deliveries = Deliveries::open(directory)?;
            ingest::files(&mut deliveries, &request.files, request.rebuild)
        });
        let answer = match done {
            Ok(files) => Answer { files, failed: String::new() },
            Err(error) => Answer { files: Vec::new(), failed: error.to_string() },
        };
        write(&path.with_extension(ANSWER), &answer).map_err(io)?;
        fs::remove_file(&path).map_err(io)?;
    }
    Ok(())
}

/// Writes a file whole or not at all.
fn write(path: &Path, content: &impl Serialize) -> io::Result<()> {
    let new = path.with_extension("new");
    let text = serde_json::to_vec(content).map_err(io::Error::other)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(&text)?;
    give_to_owner(path.parent().unwrap_or(Path::new(".")), &file)?;
    fs::rename(new, path)
}

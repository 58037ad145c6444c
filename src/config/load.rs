//! Loading: the config file's bytes, the host's name and the time; then [`Config::parse`].

#![expect(clippy::disallowed_methods, reason = "the one file of the config that touches the world")]

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::OFlags;

use super::{Config, Files, ParseContext, Problems};
use crate::limits;
use crate::settings::files::{is_pattern, matches};
use crate::settings::problem::Fault;

/// Why the file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is not there.
    #[error("no such file")]
    Missing,
    /// This user may not read it.
    #[error("permission denied")]
    Denied,
    /// It is something else than a file.
    #[error("not a regular file")]
    NotAFile,
    /// It has more octets than this.
    #[error("larger than {0} bytes")]
    TooLarge(u64),
    /// The system says why.
    #[error("cannot be read ({0})")]
    Io(std::io::Error),
}

impl Unreadable {
    /// What would be right.
    fn suggestion(&self) -> &'static str {
        match self {
            Self::Missing => "name the file with --config, or write a first one with `postvakt init`",
            Self::Denied => {
                "make it readable for the user that runs postvakt: `chgrp postvakt` and mode 0640"
            }
            Self::NotAFile => "name a file with --config",
            Self::TooLarge(_) => "check that --config names the right file",
            Self::Io(_) => "fix that, or name another file with --config",
        }
    }
}

impl From<std::io::Error> for Unreadable {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::Missing,
            ErrorKind::PermissionDenied => Self::Denied,
            ErrorKind::IsADirectory => Self::NotAFile,
            _ => Self::Io(error),
        }
    }
}

impl Config {
    /// The config in this file.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let file = path.display().to_string();
        let bytes = read(path, limits::CONFIG_OCTETS)
            .map_err(|error| Problems::of_file(&file, Fault::new(error.to_string(), error.suggestion())))?;
        let host = host_name();
        let files = ConfigDir(path.parent().unwrap_or(Path::new("")).to_owned());
        Self::parse(&bytes, &ParseContext { file: &file, host: &host, now: Timestamp::now(), files: &files })
    }
}

/// The files below a directory: where the config is.
#[derive(Clone, Debug)]
pub struct ConfigDir(pub PathBuf);

impl Files for ConfigDir {
    fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, Fault> {
        let right = "name an existing file that the user who runs postvakt can read";
        read(&self.0.join(name), most).map_err(|error| Fault::new(format!("{name}: {error}"), right))
    }

    fn list(&self, pattern: &str) -> Result<Vec<String>, Fault> {
        if !is_pattern(pattern) {
            return Ok(vec![pattern.to_owned()]);
        }
        let (directory, of_name) =
            pattern.rsplit_once('/').map_or(("", pattern), |(directory, name)| (directory, name));
        let before = pattern.len() - of_name.len();
        let entries = match std::fs::read_dir(self.0.join(pattern.get(..before).unwrap_or_default())) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(directory, error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| unreadable(directory, error))?.file_name();
            if !matches(of_name, &name.to_string_lossy()) {
                continue;
            }
            let Some(name) = name.to_str() else {
                let problem =
                    format!("{pattern} matches a file whose name is not UTF-8: {}", name.to_string_lossy());
                return Err(Fault::new(problem, "rename the file"));
            };
            names.push(format!("{}{name}", pattern.get(..before).unwrap_or_default()));
        }
        names.sort_unstable();
        Ok(names)
    }
}

fn unreadable(directory: &str, error: std::io::Error) -> Fault {
    let right = "name an existing directory that the user who runs postvakt can read";
    Fault::new(format!("{directory}: {}", Unreadable::from(error)), right)
}

/// Opens without waiting: a pipe that nobody writes into would keep the config for ever.
fn read(path: &Path, most: u64) -> Result<Vec<u8>, Unreadable> {
    let file = File::options().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(Unreadable::NotAFile);
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(Unreadable::TooLarge(most));
    }
    Ok(bytes)
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

//! Files that a config names: texts too long to stand in it. The caller supplies the way to read them, so that
//! reading it stays pure, and its hash covers them.

#![deny(clippy::disallowed_methods)]

use std::fmt;

use super::problem::Fault;

/// The way to the files that a config names.
pub trait Files: fmt::Debug {
    /// The bytes of a file, at most so many; a name that is not absolute is taken from where the config is.
    fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, Fault>;
}

/// No files: for a config that is only text.
#[derive(Clone, Copy, Debug)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, name: &str, _: u64) -> Result<Vec<u8>, Fault> {
        Err(Fault::new(format!("{name}: no such file"), "name an existing file"))
    }
}

/// A file that the config names, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// Its name as the config has it.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

impl NamedFile {
    /// A fault in one of its lines, counted from 1.
    pub fn fault(&self, line: usize, problem: impl fmt::Display, right: impl Into<String>) -> Fault {
        Fault::new(format!("{}:{line}: {problem}", self.name), right)
    }
}

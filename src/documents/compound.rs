//! Compound files (MS-CFB): a file system in a file.

#![deny(clippy::disallowed_methods)]

mod file;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;

pub(super) use file::Compound;

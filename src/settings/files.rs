//! Files that a config names: texts too long to stand in it. The caller supplies the way to read them, so that
//! reading it stays pure, and its hash covers them.

#![deny(clippy::disallowed_methods)]

use std::fmt;

use super::problem::Fault;

/// The way to the files that a config names.
pub trait Files: fmt::Debug {
    /// The bytes of a file, at most so many; a name that is not absolute is taken from where the config is.
    fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, Fault>;

    /// The names of the files that match a pattern, in order; the pattern itself where it has no `*` and no `?`. Where
    /// there are no files to look at, none match.
    fn list(&self, pattern: &str) -> Result<Vec<String>, Fault> {
        Ok(if is_pattern(pattern) { Vec::new() } else { vec![pattern.to_owned()] })
    }
}

/// Whether the name stands for others.
pub fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?'])
}

/// Whether a file's name matches: `*` is any characters, `?` is one. As in a shell, no name that begins with a dot does,
/// unless the pattern begins with one: such files are an editor's.
pub fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let name: Vec<char> = name.chars().collect();
    // Where in the name what was read of the pattern may end.
    let mut ends = vec![false; name.len() + 1];
    ends.first_mut().into_iter().for_each(|start| *start = true);
    for c in pattern.chars() {
        let mut next = vec![false; name.len() + 1];
        let mut any = false;
        for (at, end) in next.iter_mut().enumerate() {
            let before = at.checked_sub(1);
            any |= ends.get(at).is_some_and(|ends| *ends);
            *end = if c == '*' {
                any
            } else {
                before.is_some_and(|before| {
                    ends.get(before).is_some_and(|ends| *ends)
                        && name.get(before).is_some_and(|own| c == '?' || c == *own)
                })
            };
        }
        ends = next;
    }
    ends.last().is_some_and(|end| *end)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (pattern, name) in [
            ("*.toml", "a.toml"),
            ("*.toml", "å ä.toml"),
            ("1?-*.toml", "10-a.toml"),
            ("a*b*c", "axbxbc"),
            ("*", "x"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("*.toml", ".x.toml"),
            ("*.toml", "x.toml~"),
            ("*.toml", "x.toml.dpkg-old"),
            ("1?-*.toml", "1-a.toml"),
            ("a*b*c", "acb"),
            ("a", ""),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}

//! The keys at the top of the file.

#![deny(clippy::disallowed_methods)]

use crate::settings::{Fallback, INCLUDE, Key};

/// What stands before the first table.
pub(super) const TOP: &[Key] = &[Key {
    name: INCLUDE,
    kind: "list of file names",
    default: Fallback::Off,
    example: "[\"conf.d/*.toml\"]",
    meaning: "More files of this config, in TOML as well. `*` stands for any characters and `?` for one, in the name of the file only; names that begin with a dot do not match. The files are read in the order of the list, and those of a pattern in the order of their names. A table or key must not be in two files; tables under `[[…]]` follow those of the file before. An included file must not include others. All files together have at most 4 MiB. A pattern that matches no file is a warning.",
    why: "Without it, the config is one file.",
    keys: &[],
}];

//! Postfix's parameters, as `postconf` tells them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

/// What matters of `main.cf`.
pub(super) struct Postconf {
    values: HashMap<String, String>,
    /// What services set for themselves with `-o`, as `service/type/parameter`.
    overrides: Vec<(String, String)>,
    config_dir: Option<PathBuf>,
}

impl Postconf {
    /// Asks `postconf` for these parameters.
    pub(super) fn read(config_dir: Option<&Path>, parameters: &[&str]) -> anyhow::Result<Self> {
        // -x expands $names, -P lists what master.cf sets with -o; Postfix does both since 2.10.
        let values = pairs(config_dir, "-x", parameters)?.into_iter().collect();
        let overrides = pairs(config_dir, "-xP", &[])?;
        Ok(Self { values, overrides, config_dir: config_dir.map(Path::to_owned) })
    }

    /// Every value that a parameter has, where that is not empty: the one of `main.cf`, and those of services.
    pub(super) fn all(&self, name: &str) -> Vec<(String, String)> {
        let main = (name.to_owned(), self.get(name).to_owned());
        let own = self
            .overrides
            .iter()
            .filter(|(path, _)| path.rsplit('/').next().is_some_and(|parameter| parameter == name));
        std::iter::once(main).chain(own.cloned()).filter(|(_, value)| !value.is_empty()).collect()
    }

    /// A parameter's value; empty where it has none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// A parameter's list.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        split(self.get(name))
    }

    /// A command of Postfix's for this instance.
    pub(super) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        if let Some(directory) = &self.config_dir {
            command.arg("-c").arg(directory);
        }
        command
    }
}

/// `name = value`, line by line.
pub(super) fn pairs(
    config_dir: Option<&Path>,
    option: &str,
    names: &[&str],
) -> anyhow::Result<Vec<(String, String)>> {
    let mut command = Command::new("postconf");
    if let Some(directory) = config_dir {
        command.arg("-c").arg(directory);
    }
    let output = command.arg(option).args(names).output();
    let output = output.context("postconf cannot be run; is Postfix installed, and /usr/sbin in PATH?")?;
    if !output.status.success() {
        bail!("postconf: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let pair = |line: &str| {
        let (name, value) = line.split_once('=')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    };
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(pair).collect())
}

/// Splits at commas and white space that do not stand in braces.
pub(super) fn split(value: &str) -> Vec<String> {
    let (mut items, mut item, mut depth) = (Vec::new(), String::new(), 0_usize);
    for c in value.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && (c == ',' || c.is_whitespace()) {
            if !item.is_empty() {
                items.push(std::mem::take(&mut item));
            }
        } else {
            item.push(c);
        }
    }
    if !item.is_empty() {
        items.push(item);
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        assert_eq!(split("hash:/a, lmdb:/b\tstatic:x"), ["hash:/a", "lmdb:/b", "static:x"]);
        let inline = "inline:{ {a@b = c@d, e@f}, g=h } hash:/a";
        assert_eq!(split(inline), ["inline:{ {a@b = c@d, e@f}, g=h }", "hash:/a"]);
        assert!(split(" , ").is_empty());
    }
}

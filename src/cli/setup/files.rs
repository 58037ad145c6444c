//! The two files of Postfix's config: copies that `postconf` edits, backups, and the way back.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use super::plan::{Change, EFFECTIVE, Plan, Postfix, is};
use crate::cli::postconf::{pairs, split};

const NAMES: [&str; 2] = ["main.cf", "master.cf"];
/// What the files are called as they were before.
const BACKUP: &str = "before-postvakt";
/// What was changed, so that it can be taken out when the files have been edited since.
const STATE: &str = "postvakt-setup.json";
/// What the name of a file has in a difference where the milter is in it.
const WITH: &str = " (with Postvakt)";

/// Where the files are.
pub(super) struct Files {
    directory: PathBuf,
}

/// What was done.
pub(super) struct Done {
    pub(super) diff: String,
    pub(super) notes: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct State {
    changes: Vec<Change>,
    /// The files as they were written, in the order of [`NAMES`].
    written: Vec<String>,
}

impl Files {
    /// Those of this directory, or of the installed Postfix.
    pub(super) fn find(directory: Option<&Path>) -> anyhow::Result<Self> {
        let directory = if let Some(directory) = directory {
            directory.to_owned()
        } else {
            let found = pairs(None, "-x", &["config_directory"])?.pop();
            PathBuf::from(found.context("postconf does not say where its config is")?.1)
        };
        Ok(Self { directory })
    }

    /// What they say today.
    pub(super) fn postconf(&self) -> anyhow::Result<Postfix> {
        let directory = Some(self.directory.as_path());
        let listing = output(postconf(&self.directory).arg("-M"))?;
        let fields = |line: &str| line.split_whitespace().map(str::to_owned).collect();
        Ok(Postfix {
            set: pairs(directory, "-n", &[])?,
            effective: pairs(directory, "-x", &EFFECTIVE)?,
            services: listing.lines().map(fields).collect(),
            overrides: pairs(directory, "-xP", &[])?,
        })
    }

    /// What would change.
    pub(super) fn preview(&self, plan: &Plan) -> anyhow::Result<String> {
        let copy = self.copy()?;
        make(copy.path(), &plan.changes)?;
        self.diff(copy.path(), ["", WITH])
    }

    /// Changes the files. Where Postfix then says that they are wrong, they are put back.
    pub(super) fn apply(&self, plan: &Plan) -> anyhow::Result<Done> {
        let copy = self.copy()?;
        make(copy.path(), &plan.changes)?;
        let diff = self.diff(copy.path(), ["", WITH])?;
        let mut state = State { changes: Vec::new(), written: Vec::new() };
        // A second time: the backups stay those of the first.
        let again = fs::read(self.directory.join(STATE)).ok();
        if let Some(again) = &again {
            state.changes = serde_json::from_slice::<State>(again).context(STATE)?.changes;
        } else {
            for name in NAMES {
                self.write(&format!("{name}.{BACKUP}"), &self.directory.join(name))?;
            }
        }
        let before = self.copy()?;
        state.changes.extend(plan.changes.iter().cloned());
        for name in NAMES {
            state.written.push(fs::read_to_string(copy.path().join(name))?);
            self.write(name, &copy.path().join(name))?;
        }
        let path = copy.path().join(STATE);
        fs::write(&path, serde_json::to_vec_pretty(&state)?)?;
        self.write(STATE, &path)?;
        if let Err(objection) = self.check() {
            self.put_back(before.path())?;
            if again.is_none() {
                self.forget()?;
            }
            return Err(objection.context("Postfix does not take the new config; the files are as before"));
        }
        Ok(Done { diff, notes: vec![self.reload()] })
    }

    /// Takes out what was put in: the backups where nobody has edited the files since, and else each change by itself.
    pub(super) fn undo(&self) -> anyhow::Result<Done> {
        let path = self.directory.join(STATE);
        let state =
            fs::read(&path).with_context(|| format!("{}: nothing was set up here", path.display()))?;
        let state: State = serde_json::from_slice(&state).with_context(|| path.display().to_string())?;
        let copy = self.copy()?;
        let before = self.copy()?;
        let mut notes = Vec::new();
        let mut untouched = true;
        for (name, written) in NAMES.into_iter().zip(&state.written) {
            untouched &= fs::read_to_string(self.directory.join(name))? == *written;
        }
        if untouched {
            for name in NAMES {
                fs::copy(self.directory.join(format!("{name}.{BACKUP}")), copy.path().join(name))?;
            }
        } else {
            notes.push("the files have been edited since; each change was taken out by itself".to_owned());
            for change in state.changes.iter().rev() {
                notes.extend(revert(copy.path(), change)?);
            }
        }
        let diff = self.diff(copy.path(), [WITH, ""])?;
        for name in NAMES {
            self.write(name, &copy.path().join(name))?;
        }
        if let Err(objection) = self.check() {
            self.put_back(before.path())?;
            return Err(objection.context("Postfix does not take the old config; the files are as before"));
        }
        self.forget()?;
        notes.push(self.reload());
        Ok(Done { diff, notes })
    }

    /// Copies, for `postconf` to edit.
    fn copy(&self) -> anyhow::Result<tempfile::TempDir> {
        let copy = tempfile::tempdir()?;
        for name in NAMES {
            let path = self.directory.join(name);
            fs::copy(&path, copy.path().join(name)).with_context(|| path.display().to_string())?;
        }
        Ok(copy)
    }

    fn put_back(&self, copy: &Path) -> anyhow::Result<()> {
        NAMES.iter().try_for_each(|name| self.write(name, &copy.join(name)))
    }

    /// Removes the backups, and with them the memory of the setup.
    fn forget(&self) -> anyhow::Result<()> {
        for name in NAMES.map(|name| format!("{name}.{BACKUP}")).iter().map(String::as_str).chain([STATE]) {
            fs::remove_file(self.directory.join(name)).with_context(|| name.to_owned())?;
        }
        Ok(())
    }

    /// Puts a file in the place of another, whole or not at all, with owner and mode of `main.cf`.
    fn write(&self, name: &str, from: &Path) -> anyhow::Result<()> {
        let target = self.directory.join(name);
        let like = fs::metadata(self.directory.join("main.cf"))?;
        let work = || -> std::io::Result<()> {
            let new = self.directory.join(format!(".{name}.new"));
            let mut file = File::create(&new)?;
            file.write_all(&fs::read(from)?)?;
            file.set_permissions(fs::Permissions::from_mode(like.permissions().mode() & 0o7777))?;
            let (uid, gid) =
                (std::os::unix::fs::MetadataExt::uid(&like), std::os::unix::fs::MetadataExt::gid(&like));
            chown(&new, Some(uid), Some(gid))?;
            file.sync_all()?;
            fs::rename(&new, &target)?;
            File::open(&self.directory)?.sync_all()
        };
        work().with_context(|| format!("{} cannot be written", target.display()))
    }

    /// What Postfix says of its files.
    fn check(&self) -> anyhow::Result<()> {
        output(Command::new("postfix").arg("-c").arg(&self.directory).arg("check")).map(drop)
    }

    /// Reloads a Postfix that runs; a note of what came of it.
    fn reload(&self) -> String {
        let postfix = |verb: &str| {
            // Its processes must not inherit a pipe that somebody waits for.
            let mut command = Command::new("postfix");
            command.arg("-c").arg(&self.directory).arg(verb).stdin(Stdio::null());
            command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
        };
        if !postfix("status") {
            "Postfix does not run; the new config is active when it starts".to_owned()
        } else if postfix("reload") {
            "Postfix was reloaded".to_owned()
        } else {
            "Postfix could not be reloaded: run `postfix reload`".to_owned()
        }
    }

    /// The difference between the files and copies of them, as `diff -u` shows it. What is added to the names of both says
    /// which of them is with Postvakt.
    fn diff(&self, copy: &Path, added: [&str; 2]) -> anyhow::Result<String> {
        let mut diff = String::new();
        for name in NAMES {
            let path = self.directory.join(name);
            let [before, after] = added.map(|added| format!("{}{added}", path.display()));
            let shown = Command::new("diff")
                .args(["-u", "--label", &before, "--label", &after])
                .arg(&path)
                .arg(copy.join(name))
                .output()
                .context("diff cannot be run; is diffutils installed?")?;
            diff += &String::from_utf8_lossy(&shown.stdout);
        }
        Ok(diff)
    }
}

/// Makes the changes in copies.
fn make(copy: &Path, changes: &[Change]) -> anyhow::Result<()> {
    for change in changes {
        match change {
            Change::Main { name, value, .. } => edit(copy, &["-e", &format!("{name} = {value}")])?,
            Change::Service { key, line } => edit(copy, &["-M", "-e", &format!("{key}={line}")])?,
            Change::Override { key, value, .. } => edit(copy, &["-P", "-e", &format!("{key}={value}")])?,
        }
    }
    Ok(())
}

/// Takes one change out of copies that somebody has edited since; a note where what was set is no longer there.
fn revert(copy: &Path, change: &Change) -> anyhow::Result<Option<String>> {
    let now = |option: &str, name: &str| -> anyhow::Result<Option<String>> {
        let found = pairs(Some(copy), option, &[])?;
        Ok(found.into_iter().find(|(known, _)| known == name).map(|(_, value)| value))
    };
    match change {
        Change::Main { name, before, value } => match (now("-n", name)?, before) {
            (Some(now), Some(before)) if now == *value => edit(copy, &["-e", &format!("{name} = {before}")])?,
            (Some(now), None) if now == *value => edit(copy, &["-X", name])?,
            (Some(now), before) if name.ends_with("_milters") => {
                let own = split(value).pop().unwrap_or_default();
                let own = own.trim_matches(['{', '}']);
                let address = own.split(',').next().unwrap_or_default();
                let rest: Vec<String> = split(&now).into_iter().filter(|item| !is(item, address)).collect();
                if rest.is_empty() && before.is_none() {
                    edit(copy, &["-X", name])?;
                } else {
                    edit(copy, &["-e", &format!("{name} = {}", rest.join(", "))])?;
                }
            }
            _ => return Ok(Some(format!("{name} has another value since; it stays"))),
        },
        Change::Service { key, .. } => {
            if !output(postconf(copy).args(["-M", key.as_str()]))?.trim().is_empty() {
                edit(copy, &["-M", "-X", key])?;
            }
        }
        Change::Override { key, before, value } => match (now("-P", key)?, before) {
            (Some(now), Some(before)) if now == *value => {
                edit(copy, &["-P", "-e", &format!("{key}={before}")])?;
            }
            (Some(now), None) if now == *value => edit(copy, &["-P", "-X", key])?,
            (None, _) => {}
            _ => return Ok(Some(format!("{key} has another value since; it stays"))),
        },
    }
    Ok(None)
}

fn postconf(directory: &Path) -> Command {
    let mut command = Command::new("postconf");
    command.arg("-c").arg(directory);
    command
}

fn edit(copy: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    output(postconf(copy).args(arguments)).map(drop)
}

/// What a command of Postfix's prints; its complaint where it fails.
fn output(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("{name} cannot be run; is Postfix installed, and /usr/sbin in PATH?"))?;
    if !output.status.success() {
        bail!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

//! Processes that answer one connection each: the connection is their standard input, as systemd gives it (`Accept=yes`).

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail};

use crate::limits;

/// The connection that is the standard input.
pub(super) fn standard_input() -> anyhow::Result<UnixStream> {
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    if stream.peer_addr().is_err() {
        bail!("the standard input is no connection: systemd starts this command, or --listen PATH");
    }
    Ok(stream)
}

/// Listens on a path, and starts this program with these arguments for each connection, where no systemd does that.
pub(super) fn listen(
    path: &Path,
    mode: u32,
    (user, group): (Option<u32>, Option<u32>),
    arguments: &[OsString],
) -> anyhow::Result<u8> {
    let shown = path.display();
    // A socket that a former process left; nothing else is removed.
    if fs::symlink_metadata(path).is_ok_and(|known| known.file_type().is_socket()) {
        fs::remove_file(path).with_context(|| format!("{shown}: cannot be removed"))?;
    }
    let listener = UnixListener::bind(path).with_context(|| format!("{shown}: cannot listen"))?;
    std::os::unix::fs::chown(path, user, group).with_context(|| format!("{shown}: cannot give it away"))?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    let program = std::env::current_exe()?;
    let mut running: Vec<Child> = Vec::new();
    loop {
        let (stream, _) = listener.accept()?;
        running.retain_mut(|child| !matches!(child.try_wait(), Ok(Some(_))));
        if running.len() >= limits::SOCKET_PROCESSES {
            // The oldest one has an end of its own.
            let mut first = running.remove(0);
            first.wait()?;
        }
        let stream = Stdio::from(std::os::fd::OwnedFd::from(stream));
        match Command::new(&program).args(arguments).stdin(stream).stdout(Stdio::null()).spawn() {
            Ok(child) => running.push(child),
            Err(error) => tracing::error!(%error, "cannot start a process for a connection"),
        }
    }
}

/// The number of a user in `passwd(5)`.
pub(super) fn user_id(name: &str) -> Option<u32> {
    third_field("/etc/passwd", name)
}

/// The number of a group in `group(5)`.
pub(super) fn group_id(name: &str) -> Option<u32> {
    third_field("/etc/group", name)
}

fn third_field(path: &str, name: &str) -> Option<u32> {
    let file = fs::read_to_string(path).ok()?;
    let mut lines = file.lines().map(|line| line.split(':'));
    lines.find_map(|mut fields| {
        fields.next().filter(|own| *own == name).and_then(|_| fields.nth(1)?.parse().ok())
    })
}

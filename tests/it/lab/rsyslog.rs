//! The system's log: a real rsyslog, with its socket and its file in a directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{Log, until};

pub(crate) struct Rsyslog {
    child: Child,
    pub(crate) socket: PathBuf,
    pub(crate) file: Log,
}

impl Rsyslog {
    /// With more lines of config, and with more parameters of the action that writes the file.
    pub(crate) fn start(directory: &Path, more: &str, action: &str) -> Self {
        let (socket, file) = (directory.join("log.socket"), Log(directory.join("syslog")));
        let _ = fs::remove_file(&socket);
        let config = directory.join("rsyslog.conf");
        let lines = format!(
            "global(maxMessageSize=\"256k\")\nmodule(load=\"imuxsock\" SysSock.Name=\"{}\" SysSock.RateLimit.Interval=\"0\")\n\
             {more}action(type=\"omfile\" file=\"{}\" {action})\n",
            socket.display(),
            file.0.display(),
        );
        fs::write(&config, lines).unwrap();
        let mut command = Command::new("rsyslogd");
        command.arg("-n").arg("-f").arg(&config).arg("-i").arg(directory.join("rsyslog.pid"));
        let child = command.stdout(Stdio::null()).spawn();
        let child = child.expect("rsyslog is missing: apt-get install --no-install-recommends rsyslog");
        until("rsyslog's socket", &file, || socket.exists().then_some(()));
        Self { child, socket, file }
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

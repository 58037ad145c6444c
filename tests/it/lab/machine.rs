//! A machine of its own: systemd as process 1, in namespaces, over a copy of this system that is gone with it.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

pub(crate) struct Machine {
    unshare: Child,
    /// Its process 1, as it is numbered here.
    init: u32,
    _place: tempfile::TempDir,
}

/// What it is apart from this system in.
const NAMESPACES: [&str; 7] = ["--mount", "--pid", "--fork", "--net", "--uts", "--ipc", "--cgroup"];

impl Machine {
    /// Boots one; none where whoever runs the tests may not make namespaces, as in most containers.
    pub(crate) fn boot() -> Option<Self> {
        let refused = Command::new("unshare").args(NAMESPACES).arg("true").output().unwrap();
        if !refused.status.success() {
            eprintln!("no machine can be booted here: {}", String::from_utf8_lossy(&refused.stderr));
            return None;
        }
        let place = tempfile::tempdir().unwrap();
        let mut command = Command::new("unshare");
        command.args(NAMESPACES).arg("--kill-child=KILL");
        command.args(["sh", "-c", include_str!("machine.sh"), "machine"]).arg(place.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
        let unshare = command.spawn().unwrap();
        let mut machine = Self { unshare, init: 0, _place: place };
        let deadline = Instant::now() + Duration::from_mins(2);
        loop {
            assert!(
                Instant::now() < deadline && machine.unshare.try_wait().unwrap().is_none(),
                "it does not boot"
            );
            thread::sleep(Duration::from_millis(100));
            let children = format!("/proc/{0}/task/{0}/children", machine.unshare.id());
            let child = fs::read_to_string(children).unwrap_or_default();
            let Ok(init) = child.trim().parse() else { continue };
            machine.init = init;
            if fs::read_to_string(format!("/proc/{init}/comm")).is_ok_and(|name| name.trim() == "systemd") {
                let state = machine.run("systemctl is-system-running").stdout;
                // Some unit of the host may not start in it; that is no fault of ours.
                if [&b"running\n"[..], b"degraded\n"].contains(&&*state) {
                    return Some(machine);
                }
            }
        }
    }

    /// Runs a command line there, as root would type it.
    pub(crate) fn run(&self, line: &str) -> Output {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=1", "180", "nsenter", "--target", &self.init.to_string()]);
        command
            .args(["--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup", "--root", "--wd", "env", "-i"]);
        command.args(["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "sh", "-c"]);
        command.arg(format!("cd /root; {line}")).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a command line that must succeed, and gives what it prints.
    pub(crate) fn must(&self, line: &str) -> String {
        let output = self.run(line);
        let (said, complaint) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{line}: {}\n{said}\n{complaint}", output.status);
        said.into_owned()
    }

    /// Puts a file there, under `/root`.
    pub(crate) fn put(&self, name: &str, content: &Path) {
        fs::copy(content, format!("/proc/{}/root/root/{name}", self.init)).unwrap();
    }

    /// Runs the command line until it prints the text.
    pub(crate) fn until(&self, line: &str, text: &str) -> String {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let output = self.run(line);
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            if said.contains(text) {
                return said;
            }
            let journal = || self.must("journalctl --no-pager -n 60");
            assert!(Instant::now() < deadline, "{line}: no {text:?} in {said:?}\n{}", journal());
            thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Its process 1 goes with it, and with that one all others.
        if let Some(init) = i32::try_from(self.init).ok().and_then(Pid::from_raw) {
            let _ = kill_process(init, Signal::KILL);
        }
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}

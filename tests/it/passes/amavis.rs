//! A real amavis, which looks for nothing and hands every mail in again.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::lab::mta::make_folder;
use crate::lab::{Log, free_port, run, until};

/// A running amavis.
pub(super) struct Amavis {
    child: Child,
    /// Where it takes mail.
    pub(super) port: u16,
    /// Where it hands it in again.
    pub(super) again: u16,
}

impl Amavis {
    /// Starts it below the directory.
    pub(super) fn start(directory: &Path) -> Self {
        let installed = Path::new("/usr/sbin/amavisd").exists();
        assert!(installed, "amavis is not installed: apt-get install --no-install-recommends amavisd-new");
        let id = |option| run(Command::new("id").args([option, "amavis"])).trim().parse().unwrap();
        let owner = (id("-u"), id("-g"));
        let home = directory.join("amavis");
        make_folder(&home, 0o750, owner);
        make_folder(&home.join("tmp"), 0o750, owner);
        let (port, again) = (free_port(), free_port());
        let config = directory.join("amavisd.conf");
        let place = home.display();
        let text = format!(
            r#"use strict;
$MYHOME = '{place}';
$TEMPBASE = "$MYHOME/tmp";
$pid_file = "$MYHOME/pid";
$lock_file = "$MYHOME/lock";
$daemon_user = 'amavis';
$daemon_group = 'amavis';
$max_servers = 2;
$enable_db = 0;
$inet_socket_bind = '127.0.0.1';
$inet_socket_port = {port};
$mydomain = 'exempelby.se';
$myhostname = 'mx.exempelby.se';
$forward_method = 'smtp:[127.0.0.1]:{again}';
$notify_method = $forward_method;
@bypass_virus_checks_maps = (1);
@bypass_spam_checks_maps = (1);
@bypass_banned_checks_maps = (1);
@bypass_header_checks_maps = (1);
$DO_SYSLOG = 0;
$LOGFILE = "$MYHOME/log";
1;
"#
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new("/usr/sbin/amavisd");
        command.arg("-c").arg(&config).arg("foreground").stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let amavis = Self { child, port, again };
        until("amavis", &Log(home.join("log")), || TcpStream::connect(("127.0.0.1", port)).ok());
        amavis
    }
}

impl Drop for Amavis {
    fn drop(&mut self) {
        // It ends its children itself.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        for _ in 0..200 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

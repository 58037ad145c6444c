//! The lab: a real Postfix and the real program, started for one test on loopback ports and stopped with it.

pub(crate) mod client;
pub(crate) mod login;
pub(crate) mod machine;
pub(crate) mod mailstore;
pub(crate) mod mta;
pub(crate) mod program;
pub(crate) mod rsyslog;
pub(crate) mod sink;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use client::Smtp;
use mta::Postfix;
use program::Postvakt;

/// The longest wait for anything to happen; far above what a loaded machine needs, so that only a fault reaches it.
const PATIENCE: Duration = Duration::from_secs(90);

/// Postfix, the program behind it, and the directory that both live in. The fields are dropped in this order.
pub(crate) struct Lab {
    pub(crate) postfix: Postfix,
    pub(crate) postvakt: Postvakt,
    _directory: Directory,
}

impl Lab {
    /// Starts both, with these `[rules.…]` sections.
    pub(crate) fn start(rules: &str) -> Self {
        Self::start_in(Directory::new(), rules)
    }

    /// As [`Lab::start`], in a directory that was prepared.
    pub(crate) fn start_in(directory: Directory, rules: &str) -> Self {
        Self::start_with(directory, rules, |_| ()).0
    }

    /// As [`Lab::start_in`]; `prepare` gets Postfix before it starts, and gives what else there is.
    pub(crate) fn start_with<T>(
        directory: Directory,
        rules: &str,
        prepare: impl FnOnce(&Postfix) -> T,
    ) -> (Self, T) {
        let ports = Ports::reserve();
        let postfix = Postfix::lay_out(&directory.path, &ports);
        let postvakt = Postvakt::start(&directory.path, &ports, rules);
        let more = prepare(&postfix);
        postfix.start();
        (Self { postfix, postvakt, _directory: directory }, more)
    }

    /// As [`Lab::start_with`], as a node of that name: several of one host.
    #[cfg(feature = "central")]
    pub(crate) fn start_node<T>(
        node: &'static str,
        directory: Directory,
        rules: &str,
        prepare: impl FnOnce(&Postfix) -> T,
    ) -> (Self, T) {
        let ports = Ports::reserve();
        let postfix = Postfix::lay_out(&directory.path, &ports);
        let postvakt = Postvakt::start_node(node, &directory.path, &ports, rules);
        let more = prepare(&postfix);
        postfix.start();
        (Self { postfix, postvakt, _directory: directory }, more)
    }

    /// An SMTP session from outside, at the port where the world knocks.
    pub(crate) fn outside(&self) -> Smtp {
        Smtp::greeted_from_outside(self.postfix.ports.smtp)
    }

    /// An SMTP session from a host inside, such as the mailbox server, at the same port.
    pub(crate) fn inside(&self) -> Smtp {
        Smtp::greeted(self.postfix.ports.smtp)
    }

    /// The files that were delivered to the address, once there are that many.
    pub(crate) fn delivered(&self, address: &str, count: usize) -> Vec<String> {
        until(&format!("{count} messages for {address}"), self, || {
            (self.postfix.count(address) >= count).then_some(())
        });
        let found = self.postfix.mailbox(address);
        assert_eq!(found.len(), count, "messages for {address}");
        found
    }

    /// The one record of the message that Postfix accepted with this reply.
    pub(crate) fn record_of(&self, accepted: &str) -> serde_json::Value {
        let id = queue_id(accepted);
        let mut records = self.postvakt.search(&["--queue-id", &id]);
        assert_eq!(records.len(), 1, "records of {id}: {records:?}");
        records.remove(0)
    }

    /// All records, once there are that many: an incomplete mail is recorded when Postfix tells that it ended.
    pub(crate) fn records(&self, count: usize) -> Vec<serde_json::Value> {
        let found = until(&format!("{count} records"), self, || {
            let found = self.postvakt.search(&[]);
            (found.len() >= count).then_some(found)
        });
        assert_eq!(found.len(), count, "{found:#?}");
        found
    }
}

/// A test that fails shows what both programs said.
impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{self}");
        }
    }
}

impl std::fmt::Display for Lab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "--- Postfix\n{}\n--- Postvakt\n{}", self.postfix.log, self.postvakt.log)
    }
}

/// A log file; shown, it is its last lines.
pub(crate) struct Log(pub(crate) PathBuf);

impl Log {
    /// All of it, as far as it was written.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.0).unwrap_or_default()).into_owned()
    }
}

impl std::fmt::Display for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.text();
        let lines: Vec<_> = text.lines().collect();
        f.write_str(&lines[lines.len().saturating_sub(60)..].join("\n"))
    }
}

/// A directory of the lab's own that other users may enter, as Postfix's processes must.
pub(crate) struct Directory {
    pub(crate) path: PathBuf,
    _guard: tempfile::TempDir,
}

impl Directory {
    pub(crate) fn new() -> Self {
        let guard = tempfile::Builder::new().prefix("postvakt-lab-").tempdir().unwrap();
        fs::set_permissions(guard.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { path: guard.path().to_owned(), _guard: guard }
    }
}

/// The ports of one lab.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    /// Postfix, for the world.
    pub(crate) smtp: u16,
    /// Postfix, for users: its daemon name is ORIGINATING.
    pub(crate) submission: u16,
    /// Postfix, for the program's own mail: no milter.
    pub(crate) reinjection: u16,
    /// Postfix, whose milter is the listener that is fixed to outbound.
    pub(crate) outbound: u16,
    /// Postfix, whose milter is the socket.
    pub(crate) by_socket: u16,
    /// The program.
    pub(crate) milter: u16,
    /// The program's listener that is fixed to outbound.
    pub(crate) milter_outbound: u16,
    /// The program, for machines that watch it.
    pub(crate) metrics: u16,
}

impl Ports {
    pub(crate) fn reserve() -> Self {
        Self {
            smtp: free_port(),
            submission: free_port(),
            reinjection: free_port(),
            outbound: free_port(),
            by_socket: free_port(),
            milter: free_port(),
            milter_outbound: free_port(),
            metrics: free_port(),
        }
    }
}

/// A port that nothing listens on, below those that the kernel gives to outgoing connections; none is given twice.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 1_000).unwrap() * 12;
    let found = (0..12_000).find_map(|_| {
        let port = 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(port)
    });
    found.expect("a free port between 20000 and 32000")
}

/// A config with these `[rules.…]` sections, for commands that read mail and serve none.
pub(crate) fn config(rules: &str) -> String {
    format!(
        r#"[organisation]
name = "Exempelby kommun"
domains = ["exempelby.se"]
internal_networks = ["10.0.0.0/8"]
[server]
node = "gw1"
listen = ["unix:/tmp/unused.sock"]
[store]
directory = "/tmp/unused"
{rules}"#
    )
}

/// Makes a key and a certificate that it signed itself, `key.pem` and `cert.pem` in the folder.
pub(crate) fn certify(folder: &Path, name: &str) {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj"]);
    command.arg(format!("/CN={name}")).args(["-keyout", "key.pem", "-out", "cert.pem"]);
    run(command.current_dir(folder));
}

/// Polls until there is an answer; without one the test fails with what was awaited and what the lab last said.
pub(crate) fn until<T>(what: &str, lab: &dyn std::fmt::Display, mut poll: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = poll() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain for {what}\n{lab}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a command that must succeed, and gives its output.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let Output { status, stdout, stderr } = &output;
    let stderr = String::from_utf8_lossy(stderr);
    assert!(status.success(), "{command:?}: {status}\n{}{stderr}", String::from_utf8_lossy(stdout));
    String::from_utf8_lossy(stdout).into_owned()
}

/// The queue id in `250 2.0.0 Ok: queued as …`.
pub(crate) fn queue_id(reply: &str) -> String {
    let (_, id) = reply.split_once("queued as ").unwrap_or_else(|| panic!("not accepted: {reply}"));
    id.trim().to_owned()
}

/// The files of a folder, oldest name first; none if there is no folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A message; `header` is more header fields, each with its line end.
pub(crate) fn message(from: &str, to: &str, subject: &str, header: &str) -> String {
    format!("From: <{from}>\nTo: <{to}>\nSubject: {subject}\n{header}\nHej!\n")
}

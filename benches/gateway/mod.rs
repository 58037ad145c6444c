//! The real program behind an MTA of our own, alone in a child process with all rules on and a store on the disk: what
//! a mail costs it in processor time and memory, its workers included.

#![allow(dead_code, reason = "each user takes its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what cannot run ends")]

pub(crate) mod process;
pub(crate) mod victims;

use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use postvakt::address::{Address, ReversePath};
use postvakt::answer::Edit;
use postvakt::cli::demo::mta::{Heard, Mta, Session};
use postvakt::facts::transaction::message_from_file;
use postvakt::mail::{Envelope, Message, Recipient};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The program that was built with this.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_postvakt");

/// Until it has to accept connections.
const START_TIME: Duration = Duration::from_mins(1);

/// Every rule that asks nobody outside, each of them acting.
const CONFIG: &str = r#"[organisation]
name = "Exempelby kommun"
domains = ["exempelby.se"]
internal_networks = ["127.0.0.0/8", "10.0.0.0/8"]
[server]
listen = ["unix:DIRECTORY/milter.sock"]
memory = "1 GiB"
[store]
directory = "DIRECTORY/store"
[smtp]
submit = "127.0.0.1:9"
[rules.sensitive-data]
mode = "enforce"
action = "hold"
inbound = "act"
[rules.credentials]
mode = "enforce"
action = "hold"
inbound = "act"
[rules.auto-forward]
mode = "enforce"
action = "hold"
[scanners.upstream]
clients = ["192.0.2.25/32"]
[rules.spam]
mode = "enforce"
[rules.suspicious-attachment]
mode = "enforce"
[rules.lookalike-sender]
mode = "enforce"
names = ["Kommundirektören"]
[rules.suspicious-link]
mode = "enforce"
[rules.first-contact]
mode = "enforce"
learning = "0 d"
[rules.mass-mailing]
mode = "enforce"
[rules.large-attachment]
mode = "enforce"
[rules.receipt]
mode = "enforce"
require_authentication = false
[[rules.receipt.mailboxes]]
address = "registrator@exempelby.se"
[rules.custom.project]
mode = "enforce"
when = { text = '(?i)projekt\s+\w+\s+hemlig', attachment_name = '(?i)\.(exe|scr|js)$' }
"#;

/// A running program; it ends with this value.
pub(crate) struct Gateway {
    child: Child,
    directory: TempDir,
}

/// What became of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Answer {
    Passed,
    Held,
    Refused,
    /// 451 or 452: it comes again.
    Deferred,
    /// The connection ended, and the client knows nothing.
    Cut,
}

impl Answer {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Held => "held",
            Self::Refused => "refused",
            Self::Deferred => "deferred",
            Self::Cut => "CUT",
        }
    }

    fn of(heard: &std::io::Result<Heard>) -> Self {
        match heard {
            Err(error) => {
                eprintln!("a connection ended: {error}");
                Self::Cut
            }
            Ok(Heard { reply: Some(reply), .. }) if reply.starts_with('4') => Self::Deferred,
            Ok(Heard { reply: Some(_), .. }) => Self::Refused,
            Ok(heard) if heard.edits.iter().any(|edit| matches!(edit, Edit::Quarantine { .. })) => Self::Held,
            Ok(_) => Self::Passed,
        }
    }
}

/// Whose mail it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// A host outside, by number.
    Outside(u8),
    /// A host inside, to somebody outside.
    Inside,
}

impl Gateway {
    /// Starts it in a directory on this disk, with no more address space than this.
    pub(crate) fn start(address_space: Option<u64>) -> Self {
        Self::start_program(PROGRAM, address_space)
    }

    /// The same with another build of the program.
    pub(crate) fn start_program(program: &str, address_space: Option<u64>) -> Self {
        let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let config = directory.path().join("postvakt.toml");
        let place = directory.path().display().to_string();
        fs::write(&config, CONFIG.replace("DIRECTORY", &place)).unwrap();
        let limit = address_space.map_or_else(|| "unlimited".to_owned(), |octets| (octets >> 10).to_string());
        let child = Command::new("sh")
            .args(["-c", "ulimit -v \"$0\" && exec \"$@\"", &limit, program])
            .args(["serve", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(File::create(directory.path().join("stdout")).unwrap())
            .stderr(File::create(directory.path().join("stderr")).unwrap())
            .spawn()
            .unwrap();
        let mut gateway = Self { child, directory };
        let give_up = Instant::now() + START_TIME;
        while gateway.connect().is_err() {
            assert!(gateway.ended().is_none(), "the program ended:\n{}", gateway.said());
            assert!(Instant::now() < give_up, "the program does not answer:\n{}", gateway.said());
            std::thread::sleep(Duration::from_millis(10));
        }
        gateway
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn connect(&self) -> std::io::Result<UnixStream> {
        UnixStream::connect(self.directory.path().join("milter.sock"))
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        if process::runs(self.pid()) {
            return self.child.try_wait().unwrap();
        }
        // Its first thread is gone, and the others go, too.
        Some(self.child.wait().unwrap())
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        if let Some(pid) = i32::try_from(self.pid()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM).unwrap();
        }
    }

    /// The end of what it logged.
    pub(crate) fn said(&self) -> String {
        let read = |name: &str| fs::read(self.directory.path().join(name)).unwrap_or_default();
        let text = [read("stdout"), read("stderr")].concat();
        String::from_utf8_lossy(text.get(text.len().saturating_sub(4_000)..).unwrap_or_default()).into_owned()
    }

    /// Octets that it logged.
    pub(crate) fn logged(&self) -> u64 {
        let length = |name: &str| fs::metadata(self.directory.path().join(name)).map_or(0, |file| file.len());
        length("stdout") + length("stderr")
    }

    /// Delivers a message, each in a session of its own.
    pub(crate) fn deliver(&self, message: &Message, from: From) -> Answer {
        Answer::of(&self.play(message, from))
    }

    fn play(&self, message: &Message, from: From) -> std::io::Result<Heard> {
        let (sender, recipient, client) = match from {
            From::Outside(number) => {
                ("<info@example.org>", "registrator@exempelby.se", Ipv4Addr::new(192, 0, 2, number))
            }
            From::Inside => ("<registrator@exempelby.se>", "info@example.org", Ipv4Addr::new(10, 0, 4, 25)),
        };
        let session = Session {
            client: Some(IpAddr::V4(client)),
            helo: "client.example.org".into(),
            ..Session::default()
        };
        let address = Address::parse(recipient).unwrap();
        let envelope = Envelope {
            sender: ReversePath::from_wire(sender.as_bytes()),
            smtputf8: false,
            recipients: vec![Recipient { raw: format!("<{recipient}>").into(), address }],
        };
        let mut mta = Mta::open(self.connect()?, &session)?;
        let heard = mta.deliver(&session, &envelope, message, "4ZkQ1R0v2Nz9sVT")?;
        mta.quit()?;
        Ok(heard)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A message as the wire has it.
pub(crate) fn message(octets: &[u8]) -> Message {
    message_from_file(octets)
}

/// A mail of a line, such as others send all the time.
pub(crate) fn trivial() -> Message {
    message(
        b"From: <info@example.org>\r\nTo: <registrator@exempelby.se>\r\nSubject: Hej\r\n\
          Message-ID: <trivial@example.org>\r\nDate: Mon, 4 May 2026 09:14:01 +0200\r\n\r\nHej\r\n",
    )
}

/// Whether it was the program's own fault that it ended: an abort, or the kernel's killer.
pub(crate) fn aborted(status: ExitStatus) -> bool {
    status.signal().is_some_and(|signal| signal != Signal::TERM.as_raw())
}

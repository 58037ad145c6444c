//! The servers under load, each a child process on a Unix socket in a temporary directory.
//!
//! `bare` and `engine` are this benchmark's own binary, started again with `serve`; `libmilter` is compiled from C;
//! `postvakt` is the program itself with `auto-forward` on and its log on disk; `logging` the same without a rule;
//! `incoming` with every rule on mail from outside, and neither a scanner nor the DNS to ask; `all` with those, with
//! `auto-forward`, and with the rules on content and receipts; `no-forwarding` and `no-incoming` are `all` without one.
//! `groups`, `lists` and `custom` are `all` with what an admin adds: exceptions for and a question after groups, the same
//! with a list of 100,000 addresses, and fifty custom rules; `shaped` has all three.

#![allow(dead_code, reason = "each benchmark uses its part")]

mod engine;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use tempfile::TempDir;

use crate::bare;
use crate::load::Address;

/// Until a server has to accept connections.
const START_TIME: Duration = Duration::from_secs(30);
/// Between two looks at a server that starts.
const START_PAUSE: Duration = Duration::from_millis(20);

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Counts frames.
    Bare,
    /// A no-op on libmilter, in C.
    Libmilter,
    /// Postvakt's milter layer, with nobody behind it.
    Engine,
    /// Postvakt without a rule: the log alone.
    Logging,
    /// Postvakt with the rules on mail from outside.
    Incoming,
    /// Postvakt with forwarding.
    Postvakt,
    /// Postvakt with every rule that asks nobody.
    All,
    /// The same without forwarding.
    NoForwarding,
    /// The same without the rules on mail from outside.
    NoIncoming,
    /// Every rule, with exceptions for groups.
    Groups,
    /// Every rule, with exceptions for lists of 100,000 addresses.
    Lists,
    /// Every rule, and fifty custom ones.
    Custom,
    /// All three.
    Shaped,
    /// Every rule, and a central log: the variable `POSTVAKT_CENTRAL` names a file with the table `[central]`.
    Central,
}

/// A running server; it ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) address: Address,
    child: Child,
    /// Where Postvakt says that it is ready, as it does to systemd.
    notices: UnixDatagram,
    directory: TempDir,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Libmilter => "libmilter",
            Self::Engine => "engine",
            Self::Logging => "logging",
            Self::Incoming => "incoming",
            Self::Postvakt => "postvakt",
            Self::All => "all",
            Self::NoForwarding => "no-forwarding",
            Self::NoIncoming => "no-incoming",
            Self::Groups => "groups",
            Self::Lists => "lists",
            Self::Custom => "custom",
            Self::Shaped => "shaped",
            Self::Central => "central",
        }
    }

    /// The tables of its rules; none where it is not the program itself.
    fn rules(self) -> Option<String> {
        let tables: &[&str] = match self {
            Self::Bare | Self::Libmilter | Self::Engine => return None,
            Self::Logging => &[],
            Self::Incoming => &[INCOMING],
            Self::Postvakt => &[FORWARDING],
            Self::All | Self::Groups | Self::Lists | Self::Custom | Self::Shaped | Self::Central => {
                &[FORWARDING, INCOMING, CONTENT, RECEIPT]
            }
            Self::NoForwarding => &[INCOMING, CONTENT, RECEIPT],
            Self::NoIncoming => &[FORWARDING, CONTENT, RECEIPT],
        };
        let groups = [GROUPS.to_owned(), exceptions("few"), asked("few")].concat();
        let lists = [LISTS.to_owned(), exceptions("long"), asked("long")].concat();
        let added = match self {
            Self::Groups => groups,
            Self::Lists => lists,
            Self::Custom => custom(),
            Self::Central => {
                let file = std::env::var_os("POSTVAKT_CENTRAL").unwrap_or_default();
                fs::read_to_string(file).unwrap_or_default()
            }
            Self::Shaped => {
                [GROUPS, LISTS, &exceptions("long"), &asked("few"), &asked("long"), &custom()].concat()
            }
            _ => String::new(),
        };
        Some(tables.concat() + &added)
    }
}

impl Server {
    /// Starts a server on a Unix socket and waits until it answers.
    pub(crate) fn start(kind: Kind) -> Result<Self> {
        let directory = directory()?;
        let address = Address::Unix(directory.path().join("s"));
        Self::start_on(kind, address, directory)
    }

    /// The same on a TCP port, for clients that are other users.
    pub(crate) fn start_inet(kind: Kind) -> Result<Self> {
        Self::start_on(kind, Address::Inet(free_port()?), directory()?)
    }

    fn start_on(kind: Kind, address: Address, directory: TempDir) -> Result<Self> {
        let notices = UnixDatagram::bind(directory.path().join("n"))?;
        notices.set_read_timeout(Some(START_TIME))?;
        let child = command(kind, &address, directory.path())?
            .env("NOTIFY_SOCKET", directory.path().join("n"))
            .stdin(Stdio::null())
            .stdout(fs::File::create(directory.path().join("stdout"))?)
            .stderr(fs::File::create(directory.path().join("stderr"))?)
            .spawn()
            .with_context(|| format!("start {}", kind.name()))?;
        let mut server = Self { kind, address, child, notices, directory };
        server.wait()?;
        Ok(server)
    }

    /// Gives a running Postvakt the rules of another kind: the same process with the same memory goes on.
    pub(crate) fn become_kind(&mut self, kind: Kind) -> Result<()> {
        write_config(kind, &self.address, self.directory.path())?;
        self.notices.set_nonblocking(true)?;
        let mut notice = [0; 4_096];
        while self.notices.recv(&mut notice).is_ok() {}
        self.notices.set_nonblocking(false)?;
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).context("no process")?;
        kill_process(pid, Signal::HUP)?;
        loop {
            let length = self.notices.recv(&mut notice).context("no answer to SIGHUP")?;
            if notice.get(..length).is_some_and(|notice| notice.starts_with(b"READY=1")) {
                self.kind = kind;
                return Ok(());
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wait(&mut self) -> Result<()> {
        let give_up = Instant::now() + START_TIME;
        loop {
            // A greeting and not a mere connection: a listener may be open before anybody serves it.
            match crate::load::greeted(&self.address, 1) {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > give_up => return Err(error),
                Err(_) => {}
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status}: {}", self.kind.name(), self.said());
            }
            std::thread::sleep(START_PAUSE);
        }
    }

    /// What it wrote to stderr, its end.
    pub(crate) fn said(&self) -> String {
        let text = fs::read(self.directory.path().join("stderr")).unwrap_or_default();
        let tail = text.get(text.len().saturating_sub(2_000)..).unwrap_or_default();
        String::from_utf8_lossy(tail).trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `serve bare|engine ADDRESS`: what the benchmark's own binary does when it is started as a server.
pub(crate) fn served() -> Result<bool> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [serve, kind, address] = arguments.as_slice() else { return Ok(false) };
    if serve != "serve" {
        return Ok(false);
    }
    let address = address.parse()?;
    let runtime = tokio::runtime::Runtime::new()?;
    match Kind::from_str(kind, false).map_err(anyhow::Error::msg)? {
        Kind::Bare => runtime.block_on(bare::serve(address))?,
        Kind::Engine => runtime.block_on(engine::serve(address))?,
        _ => bail!("{kind} is a program of its own"),
    }
    Ok(true)
}

/// On the disk of the build, since /tmp may be memory, where a log costs nothing.
pub(crate) fn directory() -> Result<TempDir> {
    Ok(TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?)
}

/// A port on loopback that nobody has.
pub(crate) fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Lets this process and its children open as many files as it may; how many that is.
pub(crate) fn raise_file_limit() -> Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// The program that is measured.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Measures another build of the program than the one that was made with this.
pub(crate) fn use_program(program: &Path) -> Result<()> {
    PROGRAM.set(program.canonicalize()?).ok().context("the program was chosen already")
}

fn command(kind: Kind, address: &Address, directory: &Path) -> Result<Command> {
    let mut command = match kind {
        Kind::Bare | Kind::Engine => {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["serve", kind.name(), &address.to_string()]);
            command
        }
        Kind::Libmilter => {
            let mut command = Command::new(libmilter_noop()?);
            command.arg(match address {
                Address::Unix(_) => address.to_string(),
                Address::Inet(inet) => format!("inet:{}@{}", inet.port(), inet.ip()),
            });
            command
        }
        _ => {
            let config = write_config(kind, address, directory)?;
            let mut command = Command::new(PROGRAM.get_or_init(|| env!("CARGO_BIN_EXE_postvakt").into()));
            command.args(["serve", "--config"]).arg(config);
            command
        }
    };
    command.current_dir(directory);
    Ok(command)
}

fn write_config(kind: Kind, address: &Address, directory: &Path) -> Result<PathBuf> {
    let rules = kind.rules().with_context(|| format!("{} has no config", kind.name()))?;
    let config = directory.join("postvakt.toml");
    fs::write(&config, postvakt_config(address, directory) + &rules)?;
    let domain = |n: usize| {
        if n.is_multiple_of(2) { "exempelby.se".to_owned() } else { format!("{}.example.net", n % 97) }
    };
    let long = (0..LONG).map(|n| format!("person{n}@{}\n", domain(n)));
    fs::write(directory.join("long.txt"), long.collect::<String>())?;
    Ok(config)
}

const FORWARDING: &str = r#"
[rules.auto-forward]
mode = "enforce"
action = "hold"
"#;

/// `virus` is not among them: it cannot be on without its scanner.
const INCOMING: &str = r#"
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
"#;

const CONTENT: &str = r#"
[rules.sensitive-data]
mode = "enforce"
[rules.credentials]
mode = "enforce"
"#;

/// Nobody takes the receipts: they stay in the outbox, as many as the sender's limit allows.
const RECEIPT: &str = r#"
[rules.receipt]
mode = "enforce"
require_authentication = false
[[rules.receipt.mailboxes]]
address = "registrator@exempelby.se"
[smtp]
submit = "127.0.0.1:9"
"#;

/// As many entries as a file of a group may have.
const LONG: usize = 100_000;

const GROUPS: &str = r#"
[groups.few]
members = ["anna@exempelby.se", "@hr.exempelby.se", "group:fewer"]
[groups.fewer]
members = ["bo@exempelby.se", "@*.regionen.example"]
"#;

const LISTS: &str = r#"
[groups.long]
file = "long.txt"
"#;

/// A custom rule that asks of every mail whether its sender is a member of a group.
fn asked(group: &str) -> String {
    format!(
        "[rules.custom.of-{group}]\nmode = \"enforce\"\naction = \"mark\"\nwhen = {{ sender = \"group:{group}\" }}\n"
    )
}

/// An exception for mail to the members of a group, of every rule that has such exceptions. One for a sender outside has the
/// sender authenticated first, and then this would measure a resolver.
fn exceptions(group: &str) -> String {
    let rules = [
        "sensitive-data",
        "credentials",
        "spam",
        "suspicious-attachment",
        "lookalike-sender",
        "suspicious-link",
        "first-contact",
        "mass-mailing",
        "large-attachment",
    ];
    let one = |rule| {
        format!(
            "[[rules.{rule}.exceptions]]\nrecipient = [\"group:{group}\"]\ndecision = \"KS 2026/1\"\n\
             approved_by = \"kommundirektören\"\nuntil = 2099-12-31\n"
        )
    };
    rules.map(one).concat()
}

/// Fifty custom rules on what a mail has in its envelope, its header, its text and its attachments.
fn custom() -> String {
    let conditions = |n: usize| match n % 5 {
        0 => format!("sender = '^ordernr{n}@leverantor{n}\\.example$'"),
        1 => format!("direction = \"inbound\", subject = '(?i)faktura {n}|påminnelse {n}'"),
        2 => format!("text = '(?i)kampanjkod {n}[0-9]{{4}}'"),
        3 => format!("attachment_name = '(?i)^bilaga{n}\\.(exe|scr|js)$'"),
        _ => format!("header = {{ \"X-Mailer\" = 'MassMail {n}' }}, recipients_above = 2"),
    };
    let rule = |n| {
        format!(
            "[rules.custom.own-{n}]\nmode = \"enforce\"\naction = \"mark\"\nwhen = {{ {} }}\n",
            conditions(n)
        )
    };
    (0..50).map(rule).collect()
}

fn postvakt_config(address: &Address, directory: &Path) -> String {
    format!(
        r#"[organisation]
name = "Exempelby kommun"
domains = ["exempelby.se"]
internal_networks = ["127.0.0.0/8", "::1/128", "10.0.0.0/8"]

[server]
listen = ["{address}"]

[store]
directory = "{}"

"#,
        directory.join("store").display()
    )
}

/// Compiles `benches/libmilter_noop.c`.
fn libmilter_noop() -> Result<PathBuf> {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libmilter_noop");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/libmilter_noop.c");
    let output = Command::new("cc")
        .args(["-O2", "-Wall", "-Wextra", "-o"])
        .args([&program, &source])
        .args(["-lmilter", "-pthread"])
        .output()
        .context("no C compiler: apt-get install gcc libc6-dev libmilter-dev")?;
    if !output.status.success() {
        bail!(
            "libmilter_noop.c does not compile; is libmilter there (apt-get install libmilter-dev)?\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(program)
}

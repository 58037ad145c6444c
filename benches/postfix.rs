//! Postfix end to end, with and without a filter: `cargo bench --bench postfix -- --help`. Needs root.
//!
//! One Postfix of its own (configuration, queue, loopback ports, no DNS) has an smtpd for each filter and one without;
//! they are used in turn. A measurement lasts from the first SMTP connection until the queue is empty again; delivery
//! is to Postfix's `discard`, so that the filter's share is as large as it can be.

#![allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]

mod bare;
mod load;
mod servers;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use tempfile::TempDir;

use load::{cpu_of, median, parse_size, sorted};
use servers::{Kind, Server};

/// Between two looks at the queue.
const QUEUE_PAUSE: Duration = Duration::from_millis(5);
/// Until the queue has to be empty.
const QUEUE_TIME: Duration = Duration::from_mins(2);

/// Postfix end to end, with and without a filter.
#[derive(Debug, Parser)]
struct Options {
    /// Messages of each measurement.
    #[arg(long, default_value_t = 2_000)]
    messages: usize,
    /// SMTP sessions at once.
    #[arg(long, default_value_t = 16)]
    sessions: usize,
    /// Measurements of each filter, in turn with the others.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Octets of a message.
    #[arg(long, default_value = "2k")]
    size: String,
    /// Many messages in one SMTP session, instead of one.
    #[arg(long)]
    keep: bool,
    /// The filters.
    #[arg(long, value_delimiter = ',', value_enum, default_value = "libmilter,postvakt")]
    servers: Vec<Kind>,
    /// Another build of the program than the one that was made with this.
    #[arg(long)]
    program: Option<PathBuf>,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

/// An smtpd and its filter.
struct Way {
    port: SocketAddr,
    filter: Option<Server>,
    rates: Vec<f64>,
    cpu_us: Vec<f64>,
}

/// A Postfix of its own; it stops with this value.
struct Postfix {
    home: TempDir,
}

fn main() -> Result<()> {
    if servers::served()? {
        return Ok(());
    }
    let options = Options::parse();
    if let Some(program) = &options.program {
        servers::use_program(program)?;
    }
    let mut ways = vec![Way::new(None)?];
    for &kind in &options.servers {
        ways.push(Way::new(Some(Server::start_inet(kind)?))?);
    }
    let postfix = Postfix::start(&ways)?;
    // The first round starts smtpd, cleanup and qmgr processes; it is not counted.
    for round in 0..=options.rounds {
        for way in &mut ways {
            let cpu = way.cpu()?;
            let time = postfix.pass(way.port, &options)?;
            if round > 0 {
                way.rates.push(options.messages as f64 / time.as_secs_f64());
                way.cpu_us.push(way.cpu()?.saturating_sub(cpu).as_secs_f64() * 1e6 / options.messages as f64);
            }
        }
    }
    print(&ways);
    Ok(())
}

fn print(ways: &[Way]) {
    let of = |name| ways.iter().find(|way| way.name() == name);
    println!("filter     messages/s      min      max    ×none  ×libmilter  filter CPU µs");
    for way in ways {
        let rates = sorted(way.rates.iter().copied());
        println!(
            "{:<9} {:>11.0} {:>8.0} {:>8.0} {:>8} {:>11} {:>14.1}",
            way.name(),
            median(&rates),
            rates.first().unwrap_or(&0.0),
            rates.last().unwrap_or(&0.0),
            way.ratio(of("none")),
            way.ratio(of("libmilter")),
            median(&sorted(way.cpu_us.iter().copied())),
        );
    }
}

impl Way {
    fn new(filter: Option<Server>) -> Result<Self> {
        Ok(Self { port: servers::free_port()?, filter, rates: Vec::new(), cpu_us: Vec::new() })
    }

    fn name(&self) -> &'static str {
        self.filter.as_ref().map_or("none", |filter| filter.kind.name())
    }

    fn cpu(&self) -> Result<Duration> {
        self.filter.as_ref().map_or(Ok(Duration::ZERO), |filter| cpu_of(filter.pid()))
    }

    /// The median over the rounds of this way's rate as a multiple of another's in the same round.
    fn ratio(&self, other: Option<&Self>) -> String {
        let Some(other) = other else { return "–".into() };
        let ratios = self.rates.iter().zip(&other.rates).map(|(own, other)| own / other);
        format!("{:.3}", median(&sorted(ratios)))
    }

    fn master_cf(&self) -> String {
        let smtpd = format!("{} inet n - n - - smtpd\n", self.port);
        match &self.filter {
            Some(filter) => format!("{smtpd}  -o smtpd_milters={}\n", filter.address),
            None => smtpd,
        }
    }
}

impl Postfix {
    fn start(ways: &[Way]) -> Result<Self> {
        let postfix = Self { home: servers::directory()? };
        let home = postfix.home.path();
        fs::set_permissions(home, fs::Permissions::from_mode(0o755))?;
        for folder in ["etc", "queue", "data"] {
            fs::create_dir(home.join(folder))?;
        }
        let user = Command::new("id").args(["-u", "postfix"]).output()?;
        let uid = String::from_utf8_lossy(&user.stdout).trim().parse();
        let uid = uid.context("Postfix is not installed: apt-get install --no-install-recommends postfix")?;
        chown(home.join("data"), Some(uid), None).context("Postfix is started by root")?;
        fs::write(home.join("etc/main.cf"), main_cf(home))?;
        let services: String = ways.iter().map(Way::master_cf).collect();
        fs::write(home.join("etc/master.cf"), services + MASTER_CF)?;
        // Its daemons inherit the output.
        let started = postfix
            .command("start")
            .stdout(Stdio::null())
            .stderr(fs::File::create(home.join("stderr"))?)
            .status();
        if !started.context("Postfix is not installed")?.success() {
            bail!("Postfix does not start: {}{}", read(home.join("stderr")), read(home.join("maillog")));
        }
        Ok(postfix)
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new("postfix");
        command.arg("-c").arg(self.home.path().join("etc")).arg(verb);
        command
    }

    /// Sends messages until they are accepted, and waits until they have left.
    fn pass(&self, port: SocketAddr, options: &Options) -> Result<Duration> {
        let from = Instant::now();
        let mut source = Command::new("smtp-source");
        if options.keep {
            source.arg("-d");
        }
        let source = source
            .args(["-s", &options.sessions.to_string(), "-m", &options.messages.to_string()])
            .args(["-l", &parse_size(&options.size)?.to_string(), "-M", "post.exempelby.se"])
            .args(["-f", "registrator@exempelby.se", "-t", "info@example.org"])
            .arg(format!("inet:{port}"))
            .output()
            .context("smtp-source")?;
        if !source.status.success() || !source.stderr.is_empty() {
            bail!("{}\n{}", String::from_utf8_lossy(&source.stderr), read(self.home.path().join("maillog")));
        }
        while self.queued()? > 0 {
            if from.elapsed() > QUEUE_TIME {
                bail!(
                    "{} messages are still in the queue: {}",
                    self.queued()?,
                    read(self.home.path().join("maillog"))
                );
            }
            std::thread::sleep(QUEUE_PAUSE);
        }
        Ok(from.elapsed())
    }

    fn queued(&self) -> Result<usize> {
        let queue = self.home.path().join("queue");
        ["incoming", "active", "deferred", "hold"].iter().map(|folder| files(&queue.join(folder))).sum()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _ = self.command("stop").stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// Files below a directory; Postfix hashes `deferred` into directories.
fn files(directory: &Path) -> Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        count += if entry.file_type()?.is_dir() { files(&entry.path())? } else { 1 };
    }
    Ok(count)
}

/// The end of a text file, for the reader of an error.
fn read(path: PathBuf) -> String {
    let text = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(text.get(text.len().saturating_sub(2_000)..).unwrap_or_default()).into_owned()
}

fn main_cf(home: &Path) -> String {
    let home = home.display();
    format!(
        "compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = {home}/maillog
maillog_file_prefixes = {home}
myhostname = gw1.exempelby.se
mydestination =
alias_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
default_transport = discard
milter_default_action = tempfail
"
    )
}

const MASTER_CF: &str = "\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
";

//! The program as a process: its config, its socket, its end.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};

use super::{Log, Ports, run, until};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_postvakt");

/// A running `postvakt serve`.
pub(crate) struct Postvakt {
    child: Child,
    port: u16,
    pub(crate) metrics: u16,
    pub(crate) log: Log,
    pub(crate) config: PathBuf,
    frame: String,
    spawn: Spawn,
}

/// How the program is started, with this config; what it says goes to the log.
pub(crate) type Spawn = Box<dyn Fn(&Path, &Log) -> Child + Send + Sync>;

impl Postvakt {
    /// Writes the config and starts the program.
    pub(crate) fn start(directory: &Path, ports: &Ports, rules: &str) -> Self {
        Self::start_by(directory, ports, rules, Box::new(spawn))
    }

    /// As [`Postvakt::start`], as a node of that name.
    #[cfg(feature = "central")]
    pub(crate) fn start_node(node: &'static str, directory: &Path, ports: &Ports, rules: &str) -> Self {
        let named = move |config: &Path, log: &Log| {
            let text = fs::read_to_string(config).unwrap();
            if !text.contains("\nnode = ") {
                fs::write(config, text.replace("[server]\n", &format!("[server]\nnode = \"{node}\"\n")))
                    .unwrap();
            }
            spawn(config, log)
        };
        Self::start_by(directory, ports, rules, Box::new(named))
    }

    /// As [`Postvakt::start`], by another way.
    pub(crate) fn start_by(directory: &Path, ports: &Ports, rules: &str, spawn: Spawn) -> Self {
        let home = directory.display();
        let Ports { milter, milter_outbound, reinjection, metrics, .. } = ports;
        let frame = format!(
            r#"[organisation]
name = "Exempelby kommun"
domains = ["exempelby.se"]
internal_networks = ["127.0.0.0/8"]

[server]
listen = ["inet:127.0.0.1:{milter}", "unix:{home}/run/milter.sock",
          {{ address = "inet:127.0.0.1:{milter_outbound}", direction = "outbound" }}]
metrics = "127.0.0.1:{metrics}"

[store]
directory = "{home}/store"

[smtp]
submit = "127.0.0.1:{reinjection}"
"#
        );
        let config = directory.join("postvakt.toml");
        fs::create_dir_all(directory.join("store")).unwrap();
        fs::write(&config, format!("{frame}\n{rules}")).unwrap();
        let log = Log(directory.join("postvakt.log"));
        let child = spawn(&config, &log);
        let mut postvakt = Self { child, port: *milter, metrics: *metrics, log, config, frame, spawn };
        postvakt.ready();
        postvakt
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it without warning.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again and waits until it answers.
    pub(crate) fn restart(&mut self) {
        self.child = (self.spawn)(&self.config, &self.log);
        self.ready();
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for it to end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        until("the program's end", &self.log, || self.child.try_wait().unwrap())
    }

    /// Puts other rules into the config, without a word to the program.
    pub(crate) fn write_rules(&self, rules: &str) {
        let new = self.config.with_extension("new");
        fs::write(&new, format!("{}\n{rules}", self.frame)).unwrap();
        fs::rename(new, &self.config).unwrap();
    }

    /// The records that match, one JSON object each.
    pub(crate) fn search(&self, filter: &[&str]) -> Vec<serde_json::Value> {
        let mut command = Command::new(PROGRAM);
        command.args(["log", "search", "--json", "--decision", "test of the log", "--config"]);
        let found = run(command.arg(&self.config).args(filter));
        found.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What `postvakt receipts` prints, one JSON object a line.
    pub(crate) fn receipts(&self, verb: &[&str]) -> Vec<serde_json::Value> {
        let found = run(self.receipts_command(verb).arg("--json"));
        found.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What a counter or a gauge says; 0 where it has not begun.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let answer = self.get("/metrics");
        let value = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// What the port for machines answers to a GET of that path, head and body.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.metrics)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Whether it says that it takes mail.
    pub(crate) fn is_ready(&self) -> bool {
        self.get("/readyz").starts_with("HTTP/1.1 200 ")
    }

    /// Whether `postvakt receipts` says yes.
    pub(crate) fn try_receipts(&self, verb: &[&str]) -> bool {
        self.receipts_command(verb).output().unwrap().status.success()
    }

    fn receipts_command(&self, verb: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("receipts").args(verb).arg("--config").arg(&self.config);
        command
    }

    fn ready(&mut self) {
        until("the milter's port", &self.log, || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the program ended with {status}:\n{}", self.log);
            }
            TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
        // It is opened after all others.
        until("the port for machines", &self.log, || TcpStream::connect(("127.0.0.1", self.metrics)).ok());
    }
}

impl Drop for Postvakt {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(config: &Path, log: &Log) -> Child {
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--config"]).arg(config);
    logged(&mut command, log)
}

/// Starts the command; what it says goes to the log.
pub(crate) fn logged(command: &mut Command, log: &Log) -> Child {
    let log = File::options().create(true).append(true).open(&log.0).unwrap();
    command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

//! A PostgreSQL of the test's own: Debian's, in a directory of its own, run by a user without rights, on loopback.

use std::fmt;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use crate::lab::program::{PROGRAM, logged};
use crate::lab::{Directory, Log, free_port, run, until};

/// A running server with the database `postvakt`, whose administrator is `postgres` by the socket.
pub(crate) struct Cluster {
    pub(crate) home: PathBuf,
    pub(crate) port: u16,
    log: Log,
    server: Option<Child>,
    settings: Vec<String>,
    _directory: Directory,
}

/// Where Debian has the newest server.
fn bin(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("postgresql is not installed");
    let mut versions: Vec<PathBuf> = versions.map(|entry| entry.unwrap().path()).collect();
    versions.sort();
    versions.pop().unwrap().join("bin").join(name)
}

/// The user and group of Debian's package.
fn postgres() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("postgres:")).expect("postgresql is not installed");
    let fields: Vec<&str> = line.split(':').collect();
    (fields[2].parse().unwrap(), fields[3].parse().unwrap())
}

impl Cluster {
    /// A server with the schema in it.
    pub(crate) fn start() -> Self {
        let cluster = Self::empty(&[]);
        cluster.administer(&["init"]);
        cluster
    }

    /// A server with an empty database, and settings of `postgresql.conf`.
    pub(crate) fn empty(settings: &[&str]) -> Self {
        let mut cluster = Self::laid_out(settings);
        cluster.up();
        cluster.create();
        cluster
    }

    /// Makes the database.
    pub(crate) fn create(&self) {
        self.psql("postgres", "CREATE DATABASE postvakt ENCODING 'UTF8' TEMPLATE template0");
    }

    /// A server that follows this one, on a port of its own; it is started.
    pub(crate) fn standby(&self) -> Self {
        let mut standby = Self::laid_out(&[]);
        let (user, group) = postgres();
        let data = standby.own().join("data");
        fs::remove_dir_all(&data).unwrap();
        let mut command = Command::new(bin("pg_basebackup"));
        command.args([
            "-U",
            "postgres",
            "-X",
            "stream",
            "-R",
            "--checkpoint=fast",
            "-p",
            &self.port.to_string(),
        ]);
        command.arg("-h").arg(self.own()).arg("-D").arg(&data).current_dir(standby.own());
        run(command.uid(user).gid(group));
        standby.up();
        standby
    }

    /// A server that is not started.
    pub(crate) fn laid_out(settings: &[&str]) -> Self {
        let directory = Directory::new();
        let home = directory.path.clone();
        let (user, group) = postgres();
        let own = home.join("postgresql");
        fs::create_dir(&own).unwrap();
        std::os::unix::fs::chown(&own, Some(user), Some(group)).unwrap();
        let mut command = Command::new(bin("initdb"));
        command.args(["--no-sync", "--no-locale", "--encoding=UTF8", "--username=postgres"]);
        command.args(["--auth-local=trust", "--auth-host=scram-sha-256", "--pgdata"]).arg(own.join("data"));
        run(command.uid(user).gid(group).current_dir(&own));
        let log = Log(home.join("postgresql.log"));
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        Self { home, port: free_port(), log, server: None, settings, _directory: directory }
    }

    /// The directory of its socket.
    pub(crate) fn own(&self) -> PathBuf {
        self.home.join("postgresql")
    }

    /// Starts it, and waits until it answers.
    pub(crate) fn up(&mut self) {
        let (user, group) = postgres();
        let (own, port, settings) = (self.own(), self.port.to_string(), self.settings.clone());
        let spawn = |log: &Log| {
            let mut command = Command::new(bin("postgres"));
            // What is lost with the machine's memory does not matter: processes are killed, and no machine.
            command.arg("-D").arg(own.join("data")).arg("-k").arg(&own).args([
                "-p",
                &port,
                "-h",
                "127.0.0.1",
            ]);
            command.args(["-c", "fsync=off", "-c", "max_connections=40", "-c", "shared_buffers=16MB"]);
            for setting in &settings {
                command.args(["-c", setting]);
            }
            logged(command.uid(user).gid(group).current_dir(&own), log)
        };
        let mut server = spawn(&self.log);
        until("PostgreSQL to answer", &self.log, || {
            // Processes of the one that was killed may still be there, and then it does not start.
            if server.try_wait().unwrap().is_some() {
                server = spawn(&self.log);
            }
            let mut command = Command::new("psql");
            command.args(["-XAtqc", "SELECT 1", "-U", "postgres", "-p", &port, "-h"]);
            command.arg(&own).arg("postgres").output().unwrap().status.success().then_some(())
        });
        self.server = Some(server);
    }

    /// Kills it without warning.
    pub(crate) fn kill(&mut self) {
        let mut server = self.server.take().unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
    }

    /// Where nodes connect.
    pub(crate) fn url(&self) -> String {
        format!("postgresql://127.0.0.1:{}/postvakt", self.port)
    }

    /// Where the administrator connects.
    pub(crate) fn administrators_url(&self) -> String {
        let socket = self.own().display().to_string().replace('/', "%2F");
        format!("postgresql://postgres@{socket}:{}/postvakt", self.port)
    }

    /// `postvakt central …` as the administrator.
    pub(crate) fn try_administer(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.arg("central").args(arguments).args(["--url", &self.administrators_url()]);
        command.output().unwrap()
    }

    /// As [`Self::try_administer`], and it must succeed.
    pub(crate) fn administer(&self, arguments: &[&str]) -> String {
        let output = self.try_administer(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes a node whose login has the password `hemligt-NAME`.
    pub(crate) fn add_node(&self, name: &str) {
        let login = format!("postvakt_{name}");
        self.administer(&["add-node", name, "--login", &login]);
        self.sql(&format!("ALTER ROLE {login} PASSWORD 'hemligt-{name}'"));
    }

    /// What the administrator is answered; `None` where the server is away.
    pub(crate) fn try_sql(&self, sql: &str) -> Option<String> {
        let output = self.command("postvakt").args(["-c", sql]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap().trim_end().to_owned();
        output.status.success().then_some(text)
    }

    /// What the administrator is answered.
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.psql("postvakt", sql)
    }

    /// What the administrator is answered in this database.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> String {
        run(self.command(database).args(["-c", sql])).trim_end().to_owned()
    }

    fn command(&self, database: &str) -> Command {
        let mut command = Command::new("psql");
        command.args([
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "postgres",
            "-p",
            &self.port.to_string(),
            "-h",
        ]);
        command.arg(self.own()).arg("-d").arg(database);
        command
    }

    /// What somebody with the login and the password of a node is answered, or why not.
    pub(crate) fn as_node(&self, name: &str, sql: &str) -> Result<String, String> {
        let mut command = Command::new("psql");
        command.args([
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            &format!("postvakt_{name}"),
            "-h",
            "127.0.0.1",
            "-p",
        ]);
        command.arg(self.port.to_string()).args(["-d", "postvakt", "-c", sql]);
        let output = command.env("PGPASSWORD", format!("hemligt-{name}")).output().unwrap();
        let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap().trim_end().to_owned();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// Writes the database into a file.
    pub(crate) fn dump(&self, to: &Path) {
        let mut command = Command::new("pg_dump");
        command.args(["-Fc", "-U", "postgres", "-p", &self.port.to_string(), "-h"]).arg(self.own());
        run(command.arg("-f").arg(to).arg("postvakt"));
    }

    /// Puts what such a file has in the place of the database.
    pub(crate) fn restore(&self, from: &Path) {
        self.psql("postgres", "DROP DATABASE postvakt WITH (FORCE)");
        self.create();
        let mut command = Command::new("pg_restore");
        command.args(["-U", "postgres", "-p", &self.port.to_string(), "-h"]).arg(self.own());
        run(command.args(["-d", "postvakt"]).arg(from));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--- PostgreSQL\n{}", self.log)
    }
}

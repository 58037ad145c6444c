//! The real parts of a sign-in: the console with its process for commands, an OpenID provider, and a browser without a screen.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::lab::program::PROGRAM;
use crate::lab::{Directory, Log, free_port, run, until};

pub(crate) const CLIENT_SECRET: &str = "a secret: of the tests+%";

const ACCESSES: [&str; 4] = ["log", "access", "--json", "--config"];

/// A process that ends with the test.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The console over the log of a demonstration.
pub(crate) struct Lab {
    pub(crate) directory: Directory,
    pub(crate) port: u16,
    pub(crate) log: Log,
    metrics: u16,
    processes: Vec<Process>,
}

impl Lab {
    /// A directory with the log of a demonstration, and a port for browsers.
    pub(crate) fn new() -> Self {
        let directory = Directory::new();
        run(Command::new(PROGRAM).args(["demo", "--keep"]).arg(&directory.path));
        let log = Log(directory.path.join("console.log"));
        Self { directory, port: free_port(), log, metrics: free_port(), processes: Vec::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path.join(name)
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Starts the console on its port, with this provider.
    pub(crate) fn with_provider(mut self, issuer: &str, more: &str) -> Self {
        let secret = self.path("secret");
        fs::write(&secret, format!("{CLIENT_SECRET}\n")).unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        let (secret, port) = (secret.display(), self.port);
        self.start(&format!(
            "listen = \"inet:127.0.0.1:{port}\"\n[console.openid]\nissuer = \"{issuer}\"\nclient_id = \"postvakt\"\n\
             client_secret_file = \"{secret}\"\nname = \"Exempelby\"\n{more}"
        ));
        until("the console", &self.log, || TcpStream::connect(("127.0.0.1", port)).ok());
        self
    }

    /// Starts the console on a Unix socket in a folder of the proxy's group, with who a proxy says it is.
    pub(crate) fn with_proxy(mut self, group: &str) -> Self {
        let folder = self.path("http");
        fs::create_dir(&folder).unwrap();
        run(Command::new("chgrp").arg(group).arg(&folder));
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o2750)).unwrap();
        let socket = self.socket();
        self.start(&format!(
            "listen = \"unix:{}\"\n[console.proxy]\nsubject = \"X-Remote-User\"\nname = \"X-Remote-Name\"\n\
             roles = \"X-Remote-Roles\"\n",
            socket.display()
        ));
        until("the console", &self.log, || UnixStream::connect(&socket).ok());
        self
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("http/http.sock")
    }

    fn start(&mut self, console: &str) {
        let (config, commands, links) =
            (self.path("postvakt.toml"), self.path("commands.sock"), self.path("link.sock"));
        let roles = "[[console.roles]]\nvalue = \"log-reviewer\"\nrole = \"reviewer\"\n\
                     [[console.roles]]\nvalue = \"log-insight\"\nrole = \"insight\"\n";
        let mut text = fs::read_to_string(&config).unwrap();
        let (origin, metrics) = (self.origin(), self.metrics);
        let own = format!("origin = \"{origin}\"\nmetrics = \"127.0.0.1:{metrics}\"\n");
        write!(text, "\n[console]\n{own}{console}{roles}").unwrap();
        fs::write(&config, text).unwrap();
        // What is read, is read under the config that the server has loaded.
        let mut server = Command::new(PROGRAM);
        server.args(["serve", "--config"]).arg(&config);
        self.processes.push(Process::start(&mut server, &self.path("server.log")));
        let said = Log(self.path("server.log"));
        until("the server", &said, || {
            let output = Command::new(PROGRAM).args(ACCESSES).arg(&config).output().unwrap();
            output.status.success().then_some(())
        });
        let mut operator = Command::new(PROGRAM);
        operator.args(["operator", "--console", "--config"]).arg(&config).arg("--listen").arg(&commands);
        self.processes.push(Process::start(&mut operator, &self.path("operator.log")));
        until("the process for commands", &self.log, || commands.exists().then_some(()));
        let mut console = Command::new(PROGRAM);
        console.args(["console", "--config"]).arg(&config).arg("--commands").arg(&commands);
        console.arg("--links").arg(&links).env("RUST_BACKTRACE", "1");
        let process = Process::start(&mut console, &self.log.0);
        self.processes.push(process);
    }

    /// Sends a signal to the process for commands.
    pub(crate) fn signal_commands(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.processes[1].0.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// The value of a metric of the console, with its labels.
    pub(crate) fn counted(&self, metric: &str) -> u64 {
        let answer = Browser::new().get(&format!("http://127.0.0.1:{}/metrics", self.metrics));
        let values = answer.body.lines().filter_map(|line| line.rsplit_once(' '));
        let mut values = values.filter(|(name, _)| *name == format!("postvakt_console_{metric}"));
        let (_, value) = values.next().unwrap_or_else(|| panic!("{metric}: {}", answer.body));
        value.parse().unwrap_or_else(|_| panic!("{metric} {value}"))
    }

    /// Keeps a process running for as long as the lab.
    pub(crate) fn keep(&mut self, process: Process) {
        self.processes.push(process);
    }

    /// A one-time link.
    pub(crate) fn link(&self, role: &str) -> String {
        let mut command = Command::new(PROGRAM);
        command.args(["console", "link", "--role", role, "--links"]).arg(self.path("link.sock"));
        run(&mut command).trim().to_owned()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the console\n{}", self.log);
        }
    }
}

/// Where the node programs of these tests are.
pub(crate) fn scripts() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console");
    let has_modules = folder.join("node_modules/oidc-provider").is_dir();
    assert!(has_modules, "install them: npm ci --ignore-scripts --prefix tests/console");
    folder
}

/// The provider as a process.
pub(crate) struct Provider {
    pub(crate) issuer: String,
    port: u16,
    _process: Process,
}

impl Provider {
    /// Starts it for these redirect URIs; over TLS where there is a folder with `key.pem` and `cert.pem`.
    pub(crate) fn start(redirects: &[&str], tls: Option<&Path>) -> Self {
        Self::start_at(free_port(), redirects, tls)
    }

    pub(crate) fn start_at(port: u16, redirects: &[&str], tls: Option<&Path>) -> Self {
        let mut given = json!({
            "port": port,
            "clients": [{
                "client_id": "postvakt", "client_secret": CLIENT_SECRET, "redirect_uris": redirects,
            }],
            "people": {
                "anna": { "preferred_username": "anna@exempelby.se", "name": "Anna Åker", "roles": ["log-reviewer"] },
                "bo": { "preferred_username": "bo@exempelby.se", "name": "Bo", "roles": ["log-insight", "log-reviewer"] },
                "cia": { "preferred_username": "cia@exempelby.se", "name": "Cia", "roles": ["other"] },
            },
        });
        if let Some(folder) = tls {
            given["key"] = json!(folder.join("key.pem"));
            given["cert"] = json!(folder.join("cert.pem"));
        }
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut command = Command::new("node");
        command.arg("provider.mjs").arg(given.to_string()).current_dir(scripts());
        let process = Process::start(&mut command, log.path());
        let said = Log(log.path().to_owned());
        until("the provider", &said, || said.text().lines().any(|line| line == "ready").then_some(()));
        let issuer = if tls.is_some() {
            format!("https://localhost:{port}")
        } else {
            format!("http://127.0.0.1:{port}")
        };
        Self { issuer, port, _process: process }
    }

    /// Whoever comes from now on is this person.
    pub(crate) fn sign_in_as(&self, person: &str) {
        let answer = Browser::new().get(&format!("http://127.0.0.1:{}/as/{person}", self.port));
        assert_eq!(answer.status, 200);
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Where it leads, by redirection or by `Refresh`.
    pub(crate) fn leads_to(&self) -> Option<&str> {
        let refresh = || self.header("refresh").and_then(|value| value.strip_prefix("0; url="));
        self.header("location").or_else(refresh)
    }

    /// What the answer sets that cookie to, with its attributes.
    pub(crate) fn sets(&self, name: &str) -> Option<&str> {
        let start = format!("{name}=");
        let fields = self.headers.iter().filter(|(own, _)| own == "set-cookie");
        fields.map(|(_, value)| value.as_str()).find_map(|value| value.strip_prefix(&start))
    }
}

/// A browser without a screen: cookies by host and name, and no redirection without being told.
#[derive(Clone, Default)]
pub(crate) struct Browser {
    cookies: BTreeMap<(String, String), String>,
    /// Where it goes for every host, instead of the host's port.
    pub(crate) socket: Option<PathBuf>,
    /// Header fields that it sends with each request.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Browser {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn get(&mut self, url: &str) -> Answer {
        self.ask("GET", url, "")
    }

    /// Sends a form of that origin.
    pub(crate) fn post(&mut self, url: &str, form: &str) -> Answer {
        self.ask("POST", url, form)
    }

    pub(crate) fn cookie(&self, url: &str, name: &str) -> Option<&str> {
        self.cookies.get(&(split(url).0, name.to_owned())).map(String::as_str)
    }

    pub(crate) fn set_cookie(&mut self, url: &str, name: &str, value: &str) {
        self.cookies.insert((split(url).0, name.to_owned()), value.to_owned());
    }

    /// Goes where answers lead, until one leads nowhere; gives that one and its URL.
    pub(crate) fn follow(&mut self, from: &str, mut answer: Answer) -> (String, Answer) {
        let mut url = from.to_owned();
        for _ in 0..12 {
            let Some(next) = answer.leads_to() else { return (url, answer) };
            url = if next.starts_with('/') {
                format!("http://{}{next}", split(&url).0)
            } else {
                next.to_owned()
            };
            answer = self.get(&url);
        }
        panic!("no end: {url} {answer:?}");
    }

    fn ask(&mut self, method: &str, url: &str, form: &str) -> Answer {
        let (host, path) = split(url);
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .filter(|((of, _), value)| *of == host && !value.is_empty())
            .map(|((_, name), value)| format!("{name}={value}"))
            .collect();
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html, */*\r\nConnection: close\r\n"
        );
        if !cookies.is_empty() {
            write!(request, "Cookie: {}\r\n", cookies.join("; ")).unwrap();
        }
        if method == "POST" {
            write!(request,
                "Origin: http://{host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
                form.len()
            ).unwrap();
        }
        for (name, value) in &self.headers {
            write!(request, "{name}: {value}\r\n").unwrap();
        }
        request.push_str("\r\n");
        request.push_str(form);
        let mut octets = Vec::new();
        if let Some(path) = &self.socket {
            let mut stream = UnixStream::connect(path).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            stream.read_to_end(&mut octets).unwrap();
        } else {
            let port: u16 = host.rsplit_once(':').unwrap().1.parse().unwrap();
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            stream.read_to_end(&mut octets).unwrap();
        }
        let text = String::from_utf8_lossy(&octets);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{url}: {text}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        for (_, field) in headers.iter().filter(|(name, _)| name == "set-cookie") {
            let pair = field.split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert((host.clone(), name.to_owned()), value.to_owned());
        }
        Answer { status, headers, body: body.to_owned() }
    }
}

/// Host with port, and the rest.
fn split(url: &str) -> (String, String) {
    let rest = url.split_once("://").unwrap_or_else(|| panic!("{url}")).1;
    match rest.find('/') {
        Some(at) => (rest[..at].to_owned(), rest[at..].to_owned()),
        None => (rest.to_owned(), "/".to_owned()),
    }
}

/// The value of a field in the query of a URL whose values need no decoding.
pub(crate) fn field<'u>(url: &'u str, name: &str) -> &'u str {
    let query = url.split_once('?').unwrap_or_else(|| panic!("{url}")).1;
    let pair = query.split('&').filter_map(|pair| pair.split_once('='));
    pair.into_iter().find(|(own, _)| *own == name).unwrap_or_else(|| panic!("{name} in {url}")).1
}

/// The entries of the access log.
pub(crate) fn accesses(lab: &Lab) -> Vec<Value> {
    let mut command = Command::new(PROGRAM);
    command.args(ACCESSES).arg(lab.path("postvakt.toml"));
    run(&mut command).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

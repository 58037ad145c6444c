//! Real scanners, each with a config and a directory of its own, on loopback.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::lab::{Directory, Log, free_port, run, until};

/// A running scanner.
pub(crate) struct Daemon {
    pub(crate) port: u16,
    child: Option<Child>,
    start: Box<dyn Fn() -> Command + Send>,
    log: Log,
    _directory: Directory,
}

/// The test file that every virus scanner knows, and by which ours knows it alone. In two pieces, so that no scanner
/// takes this file for it.
pub(crate) fn eicar() -> String {
    ["X5O!P%@AP[4\\PZX54(P^)7CC)7}$", "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].concat()
}

/// What every spam filter takes for spam.
pub(crate) fn gtube() -> String {
    ["XJS*C4JDBQADN1.NSBN3*2IDNEN*", "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"].concat()
}

impl Daemon {
    /// ClamAV with one signature.
    pub(crate) fn clamd() -> Self {
        Self::start("clamd", "clamav-daemon", |home, port| {
            let mut hex = String::new();
            for byte in eicar().bytes() {
                write!(hex, "{byte:02x}").unwrap();
            }
            fs::write(home.join("test.ndb"), format!("Postvakt.Test-File:0:*:{hex}\n")).unwrap();
            let config = home.join("clamd.conf");
            let text = format!(
                "DatabaseDirectory {}\nTCPSocket {port}\nTCPAddr 127.0.0.1\nForeground yes\nStreamMaxLength 1M\nUser root\n",
                home.display()
            );
            fs::write(&config, text).unwrap();
            (config, Box::new(|config| arguments("clamd", &["-c", config])))
        })
    }

    /// rspamd with all its rules, but a short list of top-level domains: the whole one takes it half a minute.
    pub(crate) fn rspamd() -> Self {
        Self::start("rspamd", "rspamd", |home, port| {
            let config = home.join("rspamd.conf");
            fs::write(home.join("tld.dat"), "se\norg\ncom\nnet\n").unwrap();
            let home = home.display();
            let text = format!(
                r#".include "$CONFDIR/common.conf"
options {{
  pidfile = "{home}/rspamd.pid"; tempdir = "{home}"; dynamic_conf = "{home}/dynamic"; rrd = "{home}/rrd";
  stats_file = "{home}/stats"; hs_cache_dir = "{home}"; url_tld = "{home}/tld.dat"; disable_hyperscan = true;
  dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }}
}}
logging {{ type = "console"; level = "warning"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
"#
            );
            fs::write(&config, text).unwrap();
            (
                config,
                Box::new(|config| {
                    arguments("rspamd", &["-f", "-u", "root", "-g", "root", "--insecure", "-c", config])
                }),
            )
        })
    }

    /// SpamAssassin, without what needs the network.
    pub(crate) fn spamd() -> Self {
        Self::start("spamd", "spamd", |home, port| {
            let port = port.to_string();
            let state = home.join("state");
            fs::create_dir(&state).unwrap();
            let helper = state.clone();
            (
                state,
                Box::new(move |_| {
                    let helper = helper.to_str().unwrap();
                    arguments(
                        "spamd",
                        &[
                            "-L",
                            "-x",
                            "-i",
                            "127.0.0.1",
                            "-p",
                            &port,
                            "-s",
                            "stderr",
                            "-m",
                            "2",
                            "-u",
                            "nobody",
                            "-H",
                            helper,
                        ],
                    )
                }),
            )
        })
    }

    /// `OpenLDAP`'s slapd with these members of hr, which only the account `cn=postvakt` may see, also by TLS under a
    /// certificate that `ca.pem` vouches for, on the port that stands in `port`.
    pub(crate) fn slapd(home: &Path, members: &[String]) -> Self {
        let certificates = home.join("tls");
        fs::create_dir_all(&certificates).unwrap();
        let script = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem && \
             openssl req -newkey rsa:2048 -nodes -subj /CN=slapd -keyout key.pem -out csr.pem && \
             printf 'subjectAltName=IP:127.0.0.1' > san && \
             openssl x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -days 2 -extfile san -out cert.pem";
        run(Command::new("sh").args(["-c", script]).current_dir(&certificates));
        let mut entries = "dn: dc=exempelby,dc=se\nobjectClass: dcObject\nobjectClass: organization\no: Exempelby\n\n\
             dn: cn=postvakt,dc=exempelby,dc=se\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n\
             userPassword: hemligt\n\n"
            .to_owned();
        for (number, member) in members.iter().enumerate() {
            write!(
                entries,
                "dn: cn=p{number},dc=exempelby,dc=se\nobjectClass: inetOrgPerson\nsn: p\n\
                 departmentNumber: hr\nmail: {member}\n\n"
            )
            .unwrap();
        }
        let members = entries;
        Self::start("slapd", "slapd", |own, port| {
            let (config, data, database) = (own.join("slapd.conf"), own.join("data.ldif"), own.join("db"));
            fs::create_dir(&database).unwrap();
            fs::write(&data, members).unwrap();
            let (own, tls) = (own.display(), certificates.display());
            let text = format!(
                "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n\
                 include /etc/ldap/schema/inetorgperson.schema\npidfile {own}/slapd.pid\n\
                 modulepath /usr/lib/ldap\nmoduleload back_mdb\nTLSCertificateFile {tls}/cert.pem\n\
                 TLSCertificateKeyFile {tls}/key.pem\ndatabase mdb\nsuffix \"dc=exempelby,dc=se\"\n\
                 directory {}\nsizelimit size.soft=600 size.hard=600 size.prtotal=unlimited\n\
                 access to attrs=userPassword by anonymous auth\n\
                 access to * by dn.exact=\"cn=postvakt,dc=exempelby,dc=se\" read by * none\n",
                database.display()
            );
            fs::write(&config, text).unwrap();
            let (config_text, data_text) = (config.to_str().unwrap(), data.to_str().unwrap());
            run(Command::new("slapadd").args(["-q", "-f", config_text, "-l", data_text]));
            let sealed = free_port();
            fs::write(certificates.join("port"), sealed.to_string()).unwrap();
            let listen = format!("ldap://127.0.0.1:{port} ldaps://127.0.0.1:{sealed}");
            let command = move |config: &str| arguments("slapd", &["-d", "0", "-h", &listen, "-f", config]);
            (config, Box::new(command))
        })
    }

    fn start(
        program: &str,
        package: &str,
        lay_out: impl FnOnce(&Path, u16) -> (std::path::PathBuf, Box<dyn Fn(&str) -> Command + Send>),
    ) -> Self {
        let there = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
        assert!(
            there.status.success(),
            "{program} is not installed: apt-get install --no-install-recommends {package}"
        );
        let (directory, port) = (Directory::new(), free_port());
        let (config, command) = lay_out(&directory.path, port);
        let config = config.to_str().unwrap().to_owned();
        let log = Log(directory.path.join("daemon.log"));
        let start = Box::new(move || command(&config));
        let mut daemon = Self { port, child: None, start, log, _directory: directory };
        daemon.up();
        daemon
    }

    /// Starts it, again too, and waits for its port.
    pub(crate) fn up(&mut self) {
        let log = File::options().create(true).append(true).open(&self.log.0).unwrap();
        let mut command = (self.start)();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        until("the scanner's port", &self.log, || TcpStream::connect(("127.0.0.1", self.port)).ok());
    }

    /// Ends it and its children.
    pub(crate) fn down(&mut self) {
        if let Some(mut child) = self.child.take() {
            let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            let _ = child.wait();
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.down();
    }
}

fn arguments(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

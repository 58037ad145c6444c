//! A Postfix instance of its own: own config, queue, mailboxes and log; no DNS.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Log, Ports, files, run, until};

/// The mailboxes that exist; those outside stand for the world's, each with the bytes that left for it.
pub(crate) const MAILBOXES: [&str; 9] = [
    "anna@exempelby.se",
    "info@exempelby.se",
    "registrator@exempelby.se",
    "postmaster@exempelby.se",
    "år@exempelby.se",
    "x@example.org",
    "y@example.org",
    "privat@example.net",
    "arkiv@example.com",
];

/// The lines that admins are given; the lab runs on them.
const SHIPPED_MAIN: &str = include_str!("../../../config/postfix/main.cf");
const SHIPPED_MASTER: &str = include_str!("../../../config/postfix/master.cf");

/// A running Postfix.
pub(crate) struct Postfix {
    pub(crate) ports: Ports,
    pub(crate) log: Log,
    directory: PathBuf,
}

impl Postfix {
    /// Lays out an instance below the directory, and beside it the directory of the program's socket.
    pub(crate) fn lay_out(directory: &Path, ports: &Ports) -> Self {
        let installed = Command::new("postconf").arg("-d").arg("mail_version").output().is_ok();
        assert!(installed, "Postfix is not installed: apt-get install --no-install-recommends postfix");
        let (uid, gid) = postfix_user();
        // Whatever is made in there belongs to Postfix's group, which may then use the socket.
        make_folder(&directory.join("run"), 0o2750, (0, gid));
        let home = directory.join("postfix");
        for folder in ["", "etc", "queue"] {
            make_folder(&home.join(folder), 0o755, (0, 0));
        }
        make_folder(&home.join("data"), 0o755, (uid, gid));
        // Mail is stored as `nobody`; Postfix refuses to store it as its own user.
        make_folder(&home.join("mail"), 0o755, (65_534, 65_534));
        let postfix = Self { ports: *ports, log: Log(home.join("maillog")), directory: home };
        let etc = postfix.directory.join("etc");
        fs::write(etc.join("main.cf"), postfix.main_cf()).unwrap();
        fs::write(etc.join("master.cf"), postfix.master_cf()).unwrap();
        let line = |address: &str| {
            let (local, domain) = address.split_once('@').unwrap();
            format!("{address} {domain}/{local}/\n")
        };
        fs::write(etc.join("mailboxes"), MAILBOXES.into_iter().map(line).collect::<String>()).unwrap();
        postfix
    }

    /// Starts it.
    pub(crate) fn start(&self) {
        // Not `run`: Postfix's processes inherit standard output, which would then never end.
        let status =
            self.command("postfix").arg("start").stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(status.unwrap().success(), "Postfix does not start (root is needed):\n{}", self.log);
    }

    /// Adds lines to `main.cf` and `master.cf`; what stands later holds.
    pub(crate) fn amend(&self, main: &str, master: &str) {
        for (name, lines) in [("main.cf", main), ("master.cf", master)] {
            let path = self.directory.join("etc").join(name);
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, text + lines).unwrap();
        }
    }

    /// Changes settings of `main.cf` in their place. Of what stands there twice each of Postfix's programs complains, and a
    /// start may wait for ever for who takes the complaints.
    pub(crate) fn set(&self, settings: &[String]) {
        run(self.command("postconf").arg("-e").args(settings));
    }

    /// How many messages were delivered to the address.
    pub(crate) fn count(&self, address: &str) -> usize {
        files(&self.folder(address)).len()
    }

    /// What was delivered to the address, one file each.
    pub(crate) fn mailbox(&self, address: &str) -> Vec<String> {
        files(&self.folder(address))
            .iter()
            .map(|file| String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned())
            .collect()
    }

    /// The queue, one JSON object a message.
    pub(crate) fn queue(&self) -> Vec<serde_json::Value> {
        let listing = run(self.command("postqueue").arg("-j"));
        listing.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The queue ids of the messages on hold. What is on its way to a mailbox, such as a notice, is not among them.
    pub(crate) fn held(&self) -> Vec<String> {
        let held = |entry: &serde_json::Value| entry["queue_name"] == "hold";
        let id = |entry: &serde_json::Value| entry["queue_id"].as_str().unwrap().to_owned();
        self.queue().iter().filter(|entry| held(entry)).map(id).collect()
    }

    /// The queue file of a message, as text.
    pub(crate) fn queue_file(&self, id: &str) -> String {
        run(self.command("postcat").args(["-q", id]))
    }

    /// Releases a message that is on hold. `postsuper` makes it a deferred one, whose turn comes within minutes;
    /// `postqueue` makes that now.
    pub(crate) fn release(&self, id: &str) {
        run(self.command("postsuper").args(["-H", id]));
        run(self.command("postqueue").args(["-i", id]));
    }

    /// Releases a message that was on hold for long: a new queue file with a new id, on its whole way through Postfix.
    pub(crate) fn requeue(&self, id: &str) {
        run(self.command("postsuper").args(["-r", id]));
        // Its turn comes within a minute, else.
        run(self.command("postkick").args(["public", "pickup", "W"]));
    }

    /// Tries everything that is deferred, now.
    pub(crate) fn flush(&self) {
        run(self.command("postqueue").arg("-f"));
    }

    /// Hands in a message on this host, as cron and scripts do.
    pub(crate) fn sendmail(&self, sender: &str, recipients: &[&str], message: &str) {
        let mut command = self.command("sendmail");
        command.args(["-i", "-f", sender, "--"]).args(recipients).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(message.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// Puts a milter behind those that the service on the port has.
    pub(crate) fn add_milter(&self, service: u16, milter: u16) {
        let own = if service == self.ports.reinjection { "" } else { "$smtpd_milters," };
        self.set_milters(service, &format!("{own}inet:127.0.0.1:{milter}"));
    }

    /// The service on the port asks these two milters, in this order.
    pub(crate) fn put_milter_first(&self, service: u16, first: u16, second: u16) {
        self.set_milters(service, &format!("inet:127.0.0.1:{first},inet:127.0.0.1:{second}"));
    }

    /// The service on the port has another value of a setting.
    pub(crate) fn override_service(&self, service: u16, setting: &str, value: &str) {
        let name = if service == self.ports.reinjection {
            format!("127.0.0.1:{service}")
        } else {
            service.to_string()
        };
        run(self.command("postconf").arg("-P").arg(format!("{name}/inet/{setting}={value}")));
    }

    fn set_milters(&self, service: u16, milters: &str) {
        let milters = milters.replace("$smtpd_milters", &format!("inet:127.0.0.1:{}", self.ports.milter));
        self.override_service(service, "smtpd_milters", &milters);
        let reloads = || self.log.text().matches(" reload -- ").count();
        let before = reloads();
        let status =
            self.command("postfix").arg("reload").stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(status.unwrap().success(), "{}", self.log);
        // The signal is only on its way then.
        until("Postfix's new config", &self.log, || (reloads() > before).then_some(()));
    }

    fn folder(&self, address: &str) -> PathBuf {
        let (local, domain) = address.split_once('@').unwrap();
        self.directory.join("mail").join(domain).join(local).join("new")
    }

    /// One of Postfix's commands, for this instance.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        let option = if name == "sendmail" { "-C" } else { "-c" };
        command.arg(option).arg(self.directory.join("etc"));
        command
    }

    fn main_cf(&self) -> String {
        let home = self.directory.display();
        let shipped = SHIPPED_MAIN.replace(":8891", &format!(":{}", self.ports.milter));
        format!(
            "compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = {home}/maillog
maillog_file_prefixes = {home}
myhostname = mx.exempelby.se
mydestination =
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
# No DNS; clients tell who they are.
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_peername_lookup = no
smtpd_authorized_xclient_hosts = 127.0.0.0/8
# Many clients from one address, and many errors on purpose.
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
smtpd_hard_error_limit = 1000
in_flow_delay = 0
virtual_mailbox_domains = exempelby.se
virtual_mailbox_maps = texthash:{home}/etc/mailboxes
virtual_mailbox_base = {home}/mail
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
# The world: whatever leaves is kept in a file.
default_transport = outside
relay_transport = outside
{shipped}"
        )
    }

    fn master_cf(&self) -> String {
        let Ports { smtp, submission, reinjection, outbound, by_socket, milter_outbound, .. } = self.ports;
        let socket = self.directory.with_file_name("run").join("milter.sock");
        let shipped = SHIPPED_MASTER
            .replace("submission inet", &format!("{submission} inet"))
            .replace(":10026 ", &format!(":{reinjection} "));
        format!(
            "{shipped}
{smtp} inet n - n - - smtpd
{outbound} inet n - n - - smtpd
  -o smtpd_milters=inet:127.0.0.1:{milter_outbound}
{by_socket} inet n - n - - smtpd
  -o smtpd_milters=unix:{socket}
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
outside unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
",
            socket = socket.display(),
        )
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _ = self.command("postfix").arg("stop").stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

pub(crate) fn make_folder(path: &Path, mode: u32, (uid, gid): (u32, u32)) {
    fs::create_dir(path).unwrap();
    chown(path, Some(uid), Some(gid)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(crate) fn postfix_user() -> (u32, u32) {
    let id = |option| run(Command::new("id").args([option, "postfix"])).trim().parse().unwrap();
    (id("-u"), id("-g"))
}

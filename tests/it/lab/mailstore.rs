//! The mailbox server: a second Postfix, with Dovecot and Pigeonhole behind it, procmail and `.forward` beside it. The
//! gateway hands it the organisation's mail; whatever leaves it goes to the gateway.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::mta::{make_folder, postfix_user};
use super::{Log, files, free_port, run, until};

/// What a mailbox server has.
pub(crate) struct MailStore {
    home: PathBuf,
    /// Where the gateway hands mail over.
    pub(crate) port: u16,
    lmtp: u16,
    gateway: u16,
    log: Log,
    dovecot_log: Log,
}

const NOBODY: (u32, u32) = (65_534, 65_534);

impl MailStore {
    /// Lays out and starts both programs; `scripts` are Sieve scripts by mailbox, `aliases` are virtual aliases.
    pub(crate) fn start(directory: &Path, gateway: u16, scripts: &[(&str, &str)], aliases: &str) -> Self {
        for (program, package) in
            [("dovecot", "dovecot-lmtpd dovecot-sieve"), ("procmail", "procmail"), ("msmtp", "msmtp")]
        {
            let installed =
                Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            let installed = installed.is_ok() || Command::new(program).arg("-v").output().is_ok();
            assert!(
                installed,
                "{program} is not installed: apt-get install --no-install-recommends {package}"
            );
        }
        let home = directory.join("mailstore");
        let (uid, gid) = postfix_user();
        for folder in ["", "etc", "queue", "run", "forwards"] {
            make_folder(&home.join(folder), 0o755, (0, 0));
        }
        make_folder(&home.join("data"), 0o755, (uid, gid));
        for folder in ["vmail", "sieve", "home"] {
            make_folder(&home.join(folder), 0o755, NOBODY);
        }
        make_folder(&home.join("spool"), 0o1777, (0, 0));
        let store = Self {
            port: free_port(),
            lmtp: free_port(),
            gateway,
            log: Log(home.join("maillog")),
            dovecot_log: Log(home.join("dovecot.log")),
            home,
        };
        for (mailbox, script) in scripts {
            store.nobodys(&format!("sieve/{mailbox}.sieve"), script);
            make_folder(&store.home.join("home").join(mailbox), 0o755, NOBODY);
        }
        store.users();
        fs::write(store.home.join("etc/virtual"), aliases).unwrap();
        fs::write(store.home.join("etc/main.cf"), store.main_cf()).unwrap();
        fs::write(store.home.join("etc/master.cf"), store.master_cf()).unwrap();
        fs::write(store.home.join("dovecot.conf"), store.dovecot_conf()).unwrap();
        run(Command::new("dovecot").arg("-c").arg(store.home.join("dovecot.conf")).stderr(Stdio::null()));
        let started = store.postfix("start");
        assert!(started, "the second Postfix does not start:\n{}", store.log);
        store
    }

    /// The messages in a mailbox of Dovecot's, once there are that many.
    pub(crate) fn mailbox(&self, name: &str, count: usize) -> Vec<String> {
        self.folder(&self.home.join("vmail").join(name).join("new"), count)
    }

    /// The messages in a user's spool.
    pub(crate) fn spool(&self, user: &str, count: usize) -> Vec<String> {
        self.folder(&self.home.join("spool").join(user).join("new"), count)
    }

    fn folder(&self, folder: &Path, count: usize) -> Vec<String> {
        until(&format!("{count} messages in {}", folder.display()), self, || {
            (files(folder).len() >= count).then_some(())
        });
        files(folder)
            .iter()
            .map(|file| String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned())
            .collect()
    }

    /// `games` has a `.forward`, `news` a procmail recipe; both keep a copy.
    fn users(&self) {
        let home = self.home.display();
        fs::write(self.home.join("forwards/games"), "\\games\nprivat@example.net\n").unwrap();
        let recipe = format!(
            "SHELL=/bin/sh\nSENDMAIL=/usr/bin/msmtp\n\
             SENDMAILFLAGS=\"--host=127.0.0.1 --port={} --from=news@exempelby.se --tls=off --auth=off\"\n\
             LOGFILE={home}/spool/procmail.log\n:0 c\n! privat@example.net\n\n:0\n{home}/spool/news/\n",
            self.gateway
        );
        fs::write(self.home.join("procmailrc"), recipe).unwrap();
    }

    fn nobodys(&self, name: &str, text: &str) {
        let path = self.home.join(name);
        fs::write(&path, text).unwrap();
        chown(&path, Some(NOBODY.0), Some(NOBODY.1)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }

    fn postfix(&self, action: &str) -> bool {
        let mut command = Command::new("postfix");
        command.arg("-c").arg(self.home.join("etc")).arg(action).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    fn main_cf(&self) -> String {
        let home = self.home.display();
        format!(
            "compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = {home}/maillog
maillog_file_prefixes = {home}
myhostname = mail.exempelby.se
myorigin = lokal.exempelby.se
mydestination = lokal.exempelby.se
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_peername_lookup = no
virtual_mailbox_domains = exempelby.se
virtual_mailbox_maps = static:1
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
virtual_alias_maps = texthash:{home}/etc/virtual
relayhost = [127.0.0.1]:{gateway}
forward_path = {home}/forwards/$user
mail_spool_directory = {home}/spool/
mailbox_command =
mailbox_command_maps = inline:{{ {{news = /usr/bin/procmail {home}/procmailrc}} }}
",
            lmtp = self.lmtp,
            gateway = self.gateway,
        )
    }

    fn master_cf(&self) -> String {
        format!(
            "{} inet n - n - - smtpd
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
local unix - n n - - local
lmtp unix - - n - - lmtp
smtp unix - - n - - smtp
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
",
            self.port
        )
    }

    fn dovecot_conf(&self) -> String {
        let home = self.home.display();
        format!(
            "protocols = lmtp
base_dir = {home}/run
state_dir = {home}/run/state
log_path = {home}/dovecot.log
ssl = no
listen = 127.0.0.1
mail_location = maildir:{home}/vmail/%n
first_valid_uid = 1
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={home}/home/%n allow_all_users=yes
}}
passdb {{
  driver = static
  args = nopassword=y
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
submission_host = 127.0.0.1:{gateway}
protocol lmtp {{
  mail_plugins = sieve
  postmaster_address = postmaster@exempelby.se
}}
plugin {{
  sieve = file:{home}/sieve/%n.sieve
}}
",
            lmtp = self.lmtp,
            gateway = self.gateway,
        )
    }
}

impl std::fmt::Display for MailStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "--- Postfix of the mailbox server\n{}\n--- Dovecot\n{}", self.log, self.dovecot_log)
    }
}

impl Drop for MailStore {
    fn drop(&mut self) {
        self.postfix("stop");
        let _ = Command::new("doveadm").arg("-c").arg(self.home.join("dovecot.conf")).arg("stop").output();
        if std::thread::panicking() {
            eprintln!("{self}");
        }
    }
}

//! Logins for Postfix: Dovecot's `auth`, which Postfix asks about each SASL login.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::client::Smtp;
use super::mta::Postfix;
use super::{Lab, run, until};
use crate::documents::messages::base64;

/// The password of everybody.
const PASSWORD: &str = "prov";

/// A running Dovecot that knows these users.
pub(crate) struct Logins {
    home: PathBuf,
}

impl Logins {
    /// Starts it below the directory, and has Postfix ask it.
    pub(crate) fn start(directory: &std::path::Path, postfix: &Postfix, users: &[&str]) -> Self {
        let home = directory.join("logins");
        fs::create_dir(&home).unwrap();
        let line = |user: &&str| format!("{user}:{{PLAIN}}{PASSWORD}\n");
        let users: Vec<String> = users.iter().map(line).collect();
        fs::write(home.join("users"), users.concat()).unwrap();
        let logins = Self { home };
        let home = logins.home.display();
        fs::write(
            logins.home.join("dovecot.conf"),
            format!(
                "protocols =
base_dir = {home}/run
state_dir = {home}/run/state
log_path = {home}/dovecot.log
ssl = no
auth_mechanisms = plain
disable_plaintext_auth = no
passdb {{
  driver = passwd-file
  args = {home}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={home}
}}
service auth {{
  unix_listener {home}/auth.sock {{
    mode = 0666
  }}
}}
"
            ),
        )
        .unwrap();
        run(Command::new("dovecot").arg("-c").arg(logins.home.join("dovecot.conf")).stderr(Stdio::null()));
        postfix.amend(
            &format!(
                "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = {home}/auth.sock\n"
            ),
            "",
        );
        logins
    }
}

impl Drop for Logins {
    fn drop(&mut self) {
        let _ = Command::new("doveadm").arg("-c").arg(self.home.join("dovecot.conf")).arg("stop").output();
    }
}

impl Lab {
    /// An SMTP session of a user who logged in.
    pub(crate) fn logged_in(&self, user: &str) -> Smtp {
        let mut smtp = self.inside();
        let login = base64(format!("\0{user}\0{PASSWORD}").as_bytes());
        until("the login", self, || {
            smtp.say(&format!("AUTH PLAIN {login}")).starts_with("235").then_some(())
        });
        smtp
    }
}

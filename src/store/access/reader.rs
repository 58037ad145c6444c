//! Who reads the log, or changes what is decided about it: by which front end, and who that says it is.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use serde::{Deserialize, Serialize};

use crate::limits;

/// Who reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Reader {
    /// By which front end.
    pub via: Via,
    /// Who it is, as the front end knows them: the login, or what a sign-in says.
    pub subject: String,
    /// Their name, where it is known.
    pub name: String,
    /// As what they read, where the front end has roles.
    pub role: String,
    /// Of which mailboxes they see something, where it is not all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mailboxes: Vec<String>,
    /// The process, where it is theirs.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub unix: Option<Unix>,
}

/// A front end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// `postvakt log` and its like. Entries that name no front end were written by it, or by the daemon.
    #[default]
    CommandLine,
    /// The web console.
    Console,
    /// The running program itself.
    Daemon,
}

/// The user of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Unix {
    /// The user id.
    pub uid: u32,
    /// Its name.
    pub user: String,
    /// Who logged in, where that is known (`/proc/self/loginuid`): `sudo` does not change it.
    pub login: String,
    /// The process. Older entries have none, nor what follows.
    #[serde(skip_serializing_if = "is_zero")]
    pub pid: u32,
    /// Its terminal.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tty: String,
    /// From where the terminal was reached: addresses and ports, as sshd tells.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ssh: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's way to call it")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What stands in an entry. The first form had `uid`, `user` and `login` alone.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Written {
    via: Via,
    subject: Option<String>,
    name: String,
    role: String,
    mailboxes: Vec<String>,
    uid: Option<u32>,
    user: String,
    login: String,
    pid: u32,
    tty: String,
    ssh: String,
}

impl From<Written> for Reader {
    fn from(written: Written) -> Self {
        let Written { via, subject, name, role, mailboxes, uid, user, login, pid, tty, ssh } = written;
        let unix = uid.map(|uid| Unix { uid, user, login, pid, tty, ssh });
        let subject = subject.unwrap_or_else(|| unix.as_ref().map_or_else(|| "?".to_owned(), Unix::subject));
        Self { via, subject, name, role, mailboxes, unix }
    }
}

impl Unix {
    /// Who that is: who logged in, else the user.
    fn subject(&self) -> String {
        if self.login.is_empty() { self.user.clone() } else { self.login.clone() }
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::unknown()
    }
}

impl Reader {
    /// Somebody who is not named.
    pub(super) fn unknown() -> Self {
        Written::default().into()
    }

    /// A user of this host.
    pub fn of_unix(via: Via, unix: Unix) -> Self {
        let subject = unix.subject();
        Self {
            via,
            subject,
            name: String::new(),
            role: String::new(),
            mailboxes: Vec::new(),
            unix: Some(unix),
        }
    }

    /// Who runs this process.
    pub fn of_this_process(via: Via) -> Self {
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let uid = rustix::process::getuid().as_raw();
        // Absent without audit in the kernel; 4294967295 for a process that no login started.
        let login = fs::read_to_string("/proc/self/loginuid").ok().and_then(|text| text.trim().parse().ok());
        let login = login.filter(|uid| *uid != u32::MAX).map(|uid| name_of(&users, uid)).unwrap_or_default();
        let (user, pid) = (name_of(&users, uid), std::process::id());
        Self::of_unix(via, Unix { uid, user, login, pid, tty: terminal(), ssh: connection(pid) })
    }

    /// Who runs another process, that asked this one for something: its user, as the kernel says, and who logged in. `None` where
    /// the process has ended: then nobody can say any more who that was.
    pub fn of_peer(uid: u32, pid: u32) -> Option<Self> {
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let directory = format!("/proc/{pid}");
        // A process with that number may be another one by now.
        let is_theirs = || fs::metadata(&directory).is_ok_and(|process| process.uid() == uid);
        if !is_theirs() {
            return None;
        }
        // Absent without audit in the kernel.
        let login = fs::read_to_string(format!("{directory}/loginuid")).ok();
        if !is_theirs() {
            return None;
        }
        let login = login.and_then(|text| text.trim().parse().ok()).filter(|uid| *uid != u32::MAX);
        let login = login.map(|uid| name_of(&users, uid)).unwrap_or_default();
        let user = name_of(&users, uid);
        let unix = Unix { uid, user, login, pid, tty: String::new(), ssh: String::new() };
        Some(Self::of_unix(Via::CommandLine, unix))
    }

    /// Whether they see what others read: in the console two roles do, and on the host whoever may open the log.
    pub fn oversees(&self) -> bool {
        self.via != Via::Console || ["reviewer", "insight"].contains(&self.role.as_str())
    }

    /// Whether this is the same person, however they came: `Anna@exempelby.se` by one sign-in is `anna` on the host. Where two
    /// persons are needed, one who may be the same is no second one.
    pub fn is_same_person(&self, other: &Self) -> bool {
        let (own, others) = (self.subject.to_lowercase(), other.subject.to_lowercase());
        let name = |subject: &str| subject.split('@').next().unwrap_or_default().to_owned();
        own == others || (own.contains('@') != others.contains('@') && name(&own) == name(&others))
    }

    /// The user of the process where they differ from who logged in, as `root` after `sudo`.
    pub fn acting_as(&self) -> Option<&str> {
        self.unix.as_ref().map(|unix| unix.user.as_str()).filter(|user| *user != self.subject)
    }
}

/// The terminal of this process; empty where it has none.
fn terminal() -> String {
    let of = |number: u8| fs::read_link(format!("/proc/self/fd/{number}")).ok();
    let is_terminal = |path: &String| path.starts_with("/dev/pts/") || path.starts_with("/dev/tty");
    let names = (0..=2).filter_map(of).map(|path| path.to_string_lossy().into_owned());
    names.into_iter().find(is_terminal).unwrap_or_default()
}

/// `SSH_CONNECTION` of this process or of the nearest one above it that has it: `sudo` takes it out.
fn connection(pid: u32) -> String {
    let mut pid = pid;
    for _ in 0..limits::ANCESTORS {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mut variables = environment.split(|octet| *octet == 0);
        if let Some(found) = variables.find_map(|variable| variable.strip_prefix(b"SSH_CONNECTION=")) {
            return String::from_utf8_lossy(found).into_owned();
        }
        // `pid (name) state ppid`; the name may hold anything, also brackets.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        match parent {
            Some(parent) if parent > 1 => pid = parent,
            _ => break,
        }
    }
    String::new()
}

/// The user's name in `passwd(5)`, or the number where another service knows the name.
fn name_of(users: &str, uid: u32) -> String {
    let uid = uid.to_string();
    let mut lines = users.lines().map(|line| line.split(':'));
    let found = lines.find_map(|mut fields| fields.next().filter(|_| fields.nth(1) == Some(uid.as_str())));
    found.map_or(uid.clone(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_is_one_however_they_came() {
        let person = |subject: &str| Reader { subject: subject.into(), ..Reader::unknown() };
        for (one, other, same) in [
            ("anna", "anna", true),
            ("Anna@exempelby.se", "anna@exempelby.se", true),
            ("anna@exempelby.se", "anna", true),
            ("anna@exempelby.se", "anna@example.org", false),
            ("anna", "bo", false),
        ] {
            assert_eq!(person(one).is_same_person(&person(other)), same, "{one} {other}");
        }
    }

    #[test]
    fn names_come_from_passwd() {
        let users = "root:x:0:0:root:/root:/bin/sh\nanna:x:1000:1000::/home/anna:/bin/sh\n";
        assert_eq!((name_of(users, 1000), name_of(users, 7)), ("anna".into(), "7".into()));
    }

    #[test]
    fn readers_of_either_form_are_read() {
        let read = |text: &str| serde_json::from_str::<Reader>(text).unwrap();
        let old = read(r#"{"uid":0,"user":"root","login":"anna","verb":"search"}"#);
        let unix = Unix { user: "root".into(), login: "anna".into(), ..Unix::default() };
        assert_eq!(old, Reader::of_unix(Via::CommandLine, unix));
        assert_eq!((old.subject.as_str(), old.acting_as()), ("anna", Some("root")));
        let text = serde_json::to_string(&old).unwrap();
        assert_eq!(
            text,
            r#"{"via":"command-line","subject":"anna","name":"","role":"","uid":0,"user":"root","login":"anna"}"#
        );
        assert_eq!(read(&text), old);
        let ssh = "192.0.2.7 50000 192.0.2.1 22".to_owned();
        let more = Unix { pid: 4711, tty: "/dev/pts/3".into(), ssh, ..old.unix.clone().unwrap() };
        let more = Reader::of_unix(Via::CommandLine, more);
        assert_eq!(read(&serde_json::to_string(&more).unwrap()), more);
        let own = Reader::of_this_process(Via::CommandLine).unix.unwrap();
        assert_eq!(own.pid, std::process::id());
        let console = Reader {
            via: Via::Console,
            subject: "anna.andersson@exempelby.se".into(),
            name: "Anna Andersson".into(),
            role: "registrar".into(),
            mailboxes: vec!["registrator@exempelby.se".into()],
            unix: None,
        };
        let text = serde_json::to_string(&console).unwrap();
        assert!(text.contains(r#""via":"console""#) && !text.contains("uid"));
        assert_eq!((read(&text), console.acting_as()), (console.clone(), None));
        assert_eq!(read("{}").subject, "?", "an entry that names nobody");
    }
}

//! Who reads the log, or changes what is decided about it: by which front end, and who that says it is.

use std::fs;

use serde::{Deserialize, Serialize};

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unix {
    /// The user id.
    pub uid: u32,
    /// Its name.
    pub user: String,
    /// Who logged in, where that is known (`/proc/self/loginuid`): `sudo` does not change it.
    pub login: String,
}

/// What stands in an entry. The first form had `uid`, `user` and `login` alone.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Written {
    via: Via,
    subject: Option<String>,
    name: String,
    role: String,
    uid: Option<u32>,
    user: String,
    login: String,
}

impl From<Written> for Reader {
    fn from(written: Written) -> Self {
        let Written { via, subject, name, role, uid, user, login } = written;
        let unix = uid.map(|uid| Unix { uid, user, login });
        let subject = subject.unwrap_or_else(|| unix.as_ref().map_or_else(|| "?".to_owned(), Unix::subject));
        Self { via, subject, name, role, unix }
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
        Self { via, subject, name: String::new(), role: String::new(), unix: Some(unix) }
    }

    /// Who runs this process.
    pub fn of_this_process(via: Via) -> Self {
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let uid = rustix::process::getuid().as_raw();
        // Absent without audit in the kernel; 4294967295 for a process that no login started.
        let login = fs::read_to_string("/proc/self/loginuid").ok().and_then(|text| text.trim().parse().ok());
        let login = login.filter(|uid| *uid != u32::MAX).map(|uid| name_of(&users, uid)).unwrap_or_default();
        Self::of_unix(via, Unix { uid, user: name_of(&users, uid), login })
    }

    /// The user of the process where they differ from who logged in, as `root` after `sudo`.
    pub fn acting_as(&self) -> Option<&str> {
        self.unix.as_ref().map(|unix| unix.user.as_str()).filter(|user| *user != self.subject)
    }
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
    fn names_come_from_passwd() {
        let users = "root:x:0:0:root:/root:/bin/sh\nanna:x:1000:1000::/home/anna:/bin/sh\n";
        assert_eq!((name_of(users, 1000), name_of(users, 7)), ("anna".into(), "7".into()));
    }

    #[test]
    fn readers_of_either_form_are_read() {
        let read = |text: &str| serde_json::from_str::<Reader>(text).unwrap();
        let old = read(r#"{"uid":0,"user":"root","login":"anna","verb":"search"}"#);
        let unix = Unix { uid: 0, user: "root".into(), login: "anna".into() };
        assert_eq!(old, Reader::of_unix(Via::CommandLine, unix));
        assert_eq!((old.subject.as_str(), old.acting_as()), ("anna", Some("root")));
        let text = serde_json::to_string(&old).unwrap();
        assert_eq!(
            text,
            r#"{"via":"command-line","subject":"anna","name":"","role":"","uid":0,"user":"root","login":"anna"}"#
        );
        assert_eq!(read(&text), old);
        let console = Reader {
            via: Via::Console,
            subject: "anna.andersson@exempelby.se".into(),
            name: "Anna Andersson".into(),
            role: "registrator".into(),
            unix: None,
        };
        let text = serde_json::to_string(&console).unwrap();
        assert!(text.contains(r#""via":"console""#) && !text.contains("uid"));
        assert_eq!((read(&text), console.acting_as()), (console.clone(), None));
        assert_eq!(read("{}").subject, "?", "an entry that names nobody");
    }
}

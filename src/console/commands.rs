//! What the console may have carried out: commands with their options, and the roles that may.
//!
//! Contract: the console and the process that carries its commands out both ask here, so that a console in an attacker's
//! hands opens no more than the roles do. A command, an option or an argument that is not listed is refused.

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::config::Role;
use crate::limits;
use Role::{Approver, Archivist, Insight, MailAdmin, Reader, Registrar, Reviewer};

/// What the console asks of the process that carries its commands out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Asked {
    /// For whom.
    pub person: Person,
    /// The command, without the name of the program.
    pub args: Vec<String>,
    /// That they may not, which is noted and nothing else is done.
    #[serde(default)]
    pub denied: bool,
}

/// Somebody who signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Who it is, as their sign-in says.
    pub subject: String,
    /// Their name.
    pub name: String,
    /// As what they use the console.
    #[serde(with = "role")]
    pub role: Role,
    /// Of which mailboxes they see something, where it is not all.
    pub mailboxes: Vec<String>,
}

mod role {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::config::Role;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's way to call it")]
    pub(super) fn serialize<S: Serializer>(role: &Role, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(role.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Role, D::Error> {
        let word = String::deserialize(deserializer)?;
        Role::parse(&word).ok_or_else(|| D::Error::custom(format!("{word} is no role")))
    }
}

/// A command.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Its words.
    pub words: &'static str,
    /// Who may.
    pub roles: &'static [Role],
    /// Its options, beside `--json` and those that say which records and why.
    options: &'static [&'static str],
    /// Whether it takes the options that say which records.
    queries: bool,
    /// Whether it takes a reason.
    reasons: bool,
    /// How many arguments it takes.
    arguments: usize,
}

/// Why something is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No such command.
    #[error("the console has no such command")]
    Unknown,
    /// Another role may.
    #[error("the role {1} may not use {0}")]
    Role(&'static str, &'static str),
    /// Another role may read for this reason.
    #[error("the role {0} reads for operation alone: single mails, and few rows under pseudonyms")]
    Reason(&'static str),
    /// A registrar without mailboxes would see all mail.
    #[error("a registrar has mailboxes of their own, and these are none")]
    Mailboxes,
    /// Nobody enters so much, and it would stay in the access log.
    #[error("{0} does not take a value of more than {max} bytes", max = limits::CONSOLE_ARGUMENT_OCTETS)]
    Long(&'static str),
    /// The command does not take such a value.
    #[error("{0}: {1}")]
    Value(&'static str, String),
    /// The command takes no such option or argument.
    #[error("{0} does not take {1}")]
    Argument(&'static str, String),
}

const ALL: &[Role] = &Role::ALL;
const READERS: &[Role] = &[Reader, Reviewer, Registrar, MailAdmin];
const OVERSEERS: &[Role] = &[Reviewer, Approver, Archivist, Insight];
const OPERATORS: &[Role] = &[MailAdmin, Registrar];
const REPORTS: &[Role] = &[Reviewer, Approver, Insight];

const fn command(words: &'static str, roles: &'static [Role], options: &'static [&'static str]) -> Command {
    Command { words, roles, options, queries: false, reasons: false, arguments: 0 }
}

const fn reasoned(command: Command) -> Command {
    Command { reasons: true, ..command }
}

const fn with(arguments: usize, command: Command) -> Command {
    Command { arguments, ..command }
}

/// Every command of the console.
pub const COMMANDS: &[Command] = &[
    command("status", ALL, &[]),
    Command { queries: true, ..reasoned(command("log search", READERS, &["newest"])) },
    with(1, reasoned(command("log show", READERS, &[]))),
    Command {
        queries: true,
        ..reasoned(command("log export", &[Reviewer], &["format", "profile", "headings", "short"]))
    },
    with(1, reasoned(command("log subject-extract", &[Reviewer], &["since", "until"]))),
    with(2, reasoned(command("log label", &[Reviewer, MailAdmin], &["rule", "why"]))),
    command(
        "log access",
        &[Reviewer, Insight],
        &["since", "until", "person", "by", "decision", "verb", "purpose", "newest"],
    ),
    reasoned(command("log decision list", OVERSEERS, &[])),
    with(
        1,
        command(
            "log decision add",
            &[Reviewer],
            &["by", "date", "purpose", "person", "since", "until", "valid-until"],
        ),
    ),
    with(1, command("log decision approve", &[Approver], &[])),
    with(1, command("log decision close", &[Reviewer, Approver], &[])),
    reasoned(command("log legal-hold list", OVERSEERS, &[])),
    with(1, command("log legal-hold add", &[Reviewer], &["party", "since", "until"])),
    with(1, command("log legal-hold release", &[Reviewer], &[])),
    command("log disclosure list", OVERSEERS, &[]),
    Command {
        queries: true,
        ..with(1, command("log disclosure open", &[Reviewer], &["received", "asked-by", "columns"]))
    },
    with(1, command("log disclosure show", &[Reviewer, Approver], &["page", "left"])),
    with(
        1 + limits::DISCLOSURE_PAGE as usize,
        command("log disclosure review", &[Reviewer], &["choice", "columns", "section", "why", "rest"]),
    ),
    with(1, command("log disclosure approve", &[Approver], &["entry"])),
    with(1, command("log disclosure files", &[Reviewer, Approver], &["format", "headings"])),
    with(1, command("log disclosure close", &[Reviewer], &["answer", "decision"])),
    command("log retention plan", OVERSEERS, &[]),
    command("log retention propose", &[Archivist, Approver], &["decision"]),
    command("log retention run", &[Archivist, Approver], &["decision", "dry-run"]),
    with(1, reasoned(command("log report month", REPORTS, &[]))),
    with(1, reasoned(command("log report quarter", REPORTS, &[]))),
    with(1, reasoned(command("log report follow-up", REPORTS, &["n", "seed"]))),
    with(1, reasoned(command("log report sign", REPORTS, &["n", "seed", "digest", "case", "remark"]))),
    reasoned(command("log report rules", &[Reviewer, MailAdmin, Approver], &["since", "until", "rule"])),
    reasoned(command("log report forwarders", &[Reviewer, MailAdmin], &["since", "until", "grade"])),
    reasoned(command("log sample", &[Reviewer, Insight], &["quarter", "n", "seed"])),
    command("log verify", &[Reviewer, Archivist, Insight], &[]),
    command("held list", OPERATORS, &["all", "purpose"]),
    with(1, command("held show", OPERATORS, &["purpose"])),
    with(1, command("held release", OPERATORS, &["purpose"])),
    with(1, command("held return", OPERATORS, &["purpose", "text"])),
    with(1, command("held hand-over", OPERATORS, &["purpose", "to"])),
    reasoned(command("receipts list", OPERATORS, &["state"])),
    with(1, reasoned(command("receipts show", OPERATORS, &[]))),
    with(1, command("receipts retry", OPERATORS, &[])),
    with(1, command("receipts cancel", OPERATORS, &[])),
    command("rules", &[Reviewer, MailAdmin, Approver, Insight], &[]),
];

/// The options that say which records; fields of the search have the same names.
pub const QUERY: &[&str] = &[
    "since",
    "until",
    "person",
    "name",
    "from",
    "sender",
    "recipient",
    "subject",
    "attachment",
    "user",
    "client",
    "direction",
    "size-above",
    "verdict",
    "rule",
    "record",
    "queue-id",
    "message-id",
    "authentication",
    "status",
    "node",
];
/// The options that say why.
const REASON: &[&str] = &["purpose", "decision", "own-request", "request"];

/// The command that these arguments begin with.
pub fn named<T: AsRef<str>>(args: &[T]) -> Option<&'static Command> {
    let begins = |command: &&Command| {
        let mut words = command.words.split(' ').zip(args);
        args.len() >= command.words.split(' ').count() && words.all(|(word, arg)| word == arg.as_ref())
    };
    COMMANDS.iter().find(begins)
}

/// Whether a person may have this carried out.
pub fn may<T: AsRef<str>>(person: &Person, args: &[T]) -> Result<&'static Command, Denied> {
    let command = named(args).ok_or(Denied::Unknown)?;
    let rest: Vec<&str> = args.iter().map(AsRef::as_ref).skip(command.words.split(' ').count()).collect();
    let value = |name: &str| {
        let of_option = |arg: &&str| {
            arg.strip_prefix("--").and_then(|arg| arg.split_once('=')).is_some_and(|(own, _)| own == name)
        };
        rest.iter().copied().find(of_option).and_then(|arg| arg.split_once('=')).map(|(_, value)| value)
    };
    if rest.iter().any(|arg| arg.len() > limits::CONSOLE_ARGUMENT_OCTETS) {
        return Err(Denied::Long(command.words));
    }
    let is_mailbox = |own: &String| Address::parse(own).is_some_and(|own| own.domain().is_some());
    if person.role == Registrar && (person.mailboxes.is_empty() || !person.mailboxes.iter().all(is_mailbox)) {
        return Err(Denied::Mailboxes);
    }
    // Everybody may see what they read themselves; whose mail that was, this would tell of pseudonyms.
    let names = ["person", "decision"].into_iter().any(|name| value(name).is_some());
    let is_own = command.words == "log access" && value("by") == Some(&person.subject) && !names;
    if !command.roles.contains(&person.role) && !is_own {
        return Err(Denied::Role(command.words, person.role.as_str()));
    }
    let mut arguments = 0;
    for arg in &rest {
        let takes = match arg.strip_prefix("--") {
            Some("json") => true,
            Some(option) => command.takes(option.split_once('=').map_or(option, |(name, _)| name)),
            None if arg.starts_with('-') => false,
            None => {
                arguments += 1;
                arguments <= command.arguments
            }
        };
        if !takes {
            return Err(Denied::Argument(command.words, (*arg).to_owned()));
        }
    }
    let documented = REASON.iter().skip(1).any(|basis| value(basis).is_some());
    if command.reasons && documented && matches!(person.role, Reader | MailAdmin | Registrar) {
        return Err(Denied::Reason(person.role.as_str()));
    }
    Ok(command)
}

impl Command {
    fn takes(&self, option: &str) -> bool {
        self.options.contains(&option)
            || (self.queries && QUERY.contains(&option))
            || (self.reasons && REASON.contains(&option))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(role: Role) -> Person {
        let mailboxes = vec!["registrator@exempelby.se".into()];
        Person { subject: "anna".into(), name: String::new(), role, mailboxes }
    }

    #[test]
    fn nothing_but_what_is_listed_is_carried_out() {
        let may =
            |role, args: &str| may(&person(role), &args.split(' ').collect::<Vec<_>>()).map(|it| it.words);
        assert_eq!(may(Reviewer, "log search --json --decision=KS"), Ok("log search"));
        assert_eq!(may(Reader, "log search --json --purpose=felsökning --subject=a"), Ok("log search"));
        assert_eq!(may(Reader, "log search --decision=KS"), Err(Denied::Reason("reader")));
        assert_eq!(may(Insight, "log search"), Err(Denied::Role("log search", "insight")));
        assert_eq!(may(Reviewer, "serve"), Err(Denied::Unknown));
        assert_eq!(may(Reviewer, "log"), Err(Denied::Unknown));
        for args in [
            "log search --store=/tmp",
            "log search --config=x",
            "log search x",
            "log search -h",
            "log show a b",
        ] {
            assert!(matches!(may(Reviewer, args), Err(Denied::Argument(..))), "{args}");
        }
        assert!(matches!(may(Insight, "log verify /etc"), Err(Denied::Argument(..))));
        assert_eq!(may(Reader, "log access --by=anna"), Ok("log access"), "one's own");
        assert!(matches!(may(Reader, "log access --by=bo"), Err(Denied::Role(..))));
        assert!(matches!(may(Reader, "log access"), Err(Denied::Role(..))));
        assert!(matches!(
            may(Reader, "log access --by=anna --person=bo@exempelby.se"),
            Err(Denied::Role(..))
        ));
        assert_eq!(may(Registrar, "log search --request=Dnr"), Err(Denied::Reason("registrar")));
        let long = format!("log search --purpose={}", "x".repeat(limits::CONSOLE_ARGUMENT_OCTETS));
        assert_eq!(may(Reader, &long), Err(Denied::Long("log search")));
        for mailboxes in [
            Vec::new(),
            vec![String::new()],
            vec!["@".to_owned()],
            vec!["a@exempelby.se".into(), String::new()],
        ] {
            let nobody = Person { mailboxes, ..person(Registrar) };
            assert_eq!(super::may(&nobody, &["held", "list"]).map(|it| it.words), Err(Denied::Mailboxes));
        }
    }

    #[test]
    fn each_command_has_a_role() {
        for command in COMMANDS {
            assert!(!command.roles.is_empty(), "{}", command.words);
        }
    }
}

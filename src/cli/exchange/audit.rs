//! What the exported objects say of forwards.

use super::routes::{Passage, Routes};
use super::table::{self, Row};
use super::target::{Recipients, Target};
use crate::address::Address;
use crate::organisation::Organisation;

/// What a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Export {
    Mailboxes,
    InboxRules,
    TransportRules,
    JournalRules,
    RemoteDomains,
    Policies,
    Connectors,
    Recipients,
}

/// Properties that a file of each kind has, one of them at least; the first that fits.
const EXPORTS: [(Export, &[&str]); 8] = [
    (Export::Mailboxes, &["ForwardingSmtpAddress", "ForwardingAddress"]),
    (Export::InboxRules, &INBOX),
    (Export::TransportRules, &TRANSPORT),
    (Export::JournalRules, &["JournalEmailAddress"]),
    (Export::RemoteDomains, &["AutoForwardEnabled"]),
    (Export::Policies, &["AutoForwardingMode"]),
    (Export::Connectors, &["SmartHosts", "RecipientDomains", "AddressSpaces"]),
    (Export::Recipients, &["ExternalEmailAddress", "PrimarySmtpAddress"]),
];

const INBOX: [&str; 3] = ["ForwardTo", "RedirectTo", "ForwardAsAttachmentTo"];
const REPORT: &str = "GenerateIncidentReport";
/// A moderator reads the mail that waits, and a report may have it attached.
const TRANSPORT: [&str; 6] =
    ["RedirectMessageTo", "BlindCopyTo", "CopyTo", "AddToRecipients", "ModerateMessageByUser", REPORT];

/// What kind of finding it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Mail goes to an address outside.
    External,
    /// Mail goes to a recipient that no file resolves.
    Unresolved,
    /// The export lacks the values.
    Lost,
    /// A file, or an object in it, cannot be read.
    Unreadable,
    /// A setting lets forwards leave.
    Setting,
}

impl Kind {
    /// The word for it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::External => "external",
            Self::Unresolved => "unresolved",
            Self::Lost => "lost",
            Self::Unreadable => "unreadable",
            Self::Setting => "setting",
        }
    }
}

/// One finding.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) kind: Kind,
    /// Of what: `mailbox ForwardingSmtpAddress`.
    pub(super) what: String,
    /// Whose mail, or which object.
    pub(super) of: String,
    /// Where it goes, or what is wrong.
    pub(super) target: String,
    /// Whether the mailbox keeps a copy; absent where that is no question.
    pub(super) copy: Option<bool>,
    /// `active`, `disabled`, or what blocks it.
    pub(super) state: String,
    /// Whether it passes the gateway.
    pub(super) passage: Option<Passage>,
    pub(super) file: String,
    pub(super) line: u64,
}

impl Finding {
    /// Whether mail goes that way today, for all that is known.
    pub(super) fn is_active(&self) -> bool {
        self.state == ACTIVE
    }
}

const ACTIVE: &str = "active";

/// What was found, and how much was read.
#[derive(Debug, Default)]
pub(super) struct Audit {
    pub(super) findings: Vec<Finding>,
    pub(super) objects: usize,
    /// Smart hosts that were taken for the gateway.
    pub(super) assumed: Vec<String>,
}

/// Looks through the files, each with its name and content or why it cannot be read.
pub(super) fn audit(
    files: Vec<(String, Result<Vec<u8>, String>)>,
    organisation: &Organisation,
    gateways: &[String],
) -> Audit {
    let mut audit = Audit::default();
    let (mut recipients, mut routes) = (Recipients::default(), Routes::new(gateways));
    let mut forwards = Vec::new();
    for (file, octets) in files {
        let read = octets.and_then(|octets| table::read(&file, &octets));
        let (export, rows) = match read.and_then(|(head, rows)| Ok((kind_of(&head)?, rows))) {
            Ok(read) => read,
            Err(why) => {
                audit.findings.push(unreadable(&file, 0, &why));
                continue;
            }
        };
        audit.objects += rows.len();
        if export == Export::Connectors {
            routes.know_connectors();
        }
        for row in rows {
            let allows = match export {
                Export::RemoteDomains => {
                    Some(("remote domain AutoForwardEnabled", routes.remote_domain(&row)))
                }
                Export::Policies => Some(("outbound policy AutoForwardingMode", routes.policy(&row))),
                Export::Connectors => {
                    routes.connector(&row);
                    None
                }
                Export::Recipients | Export::Mailboxes => {
                    recipients.learn(&row);
                    None
                }
                Export::InboxRules | Export::TransportRules | Export::JournalRules => None,
            };
            match allows {
                Some((what, Ok(true))) => audit.findings.push(setting(&row, what)),
                Some((_, Err(why))) => audit.findings.push(unreadable(&row.file, row.line, &why)),
                Some((_, Ok(false))) | None => forwards.push((export, row)),
            }
        }
    }
    // Names are known only when all files have been read.
    let known = Known { recipients, routes, organisation };
    for (export, row) in &forwards {
        known.forwards(*export, row, &mut audit.findings);
    }
    audit.assumed = known.routes.assumed().into_iter().map(str::to_owned).collect();
    audit
}

fn kind_of(head: &Row) -> Result<Export, String> {
    let fits = |properties: &&[&str]| properties.iter().any(|property| head.has(property));
    let found = EXPORTS.iter().find(|(_, properties)| fits(properties)).map(|(export, _)| *export);
    found.ok_or_else(|| {
        let some: Vec<&str> = head.properties().take(8).collect();
        format!("is no export that this command knows; its properties are {}", some.join(", "))
    })
}

struct Known<'o> {
    recipients: Recipients,
    routes: Routes,
    organisation: &'o Organisation,
}

impl Known<'_> {
    fn forwards(&self, export: Export, row: &Row, findings: &mut Vec<Finding>) {
        let (noun, properties): (&str, &[&str]) = match export {
            Export::Mailboxes => ("mailbox", &["ForwardingSmtpAddress", "ForwardingAddress"]),
            Export::InboxRules => ("inbox rule", &INBOX),
            Export::TransportRules => ("transport rule", &TRANSPORT),
            Export::JournalRules => ("journal rule", &["JournalEmailAddress"]),
            Export::RemoteDomains | Export::Policies | Export::Connectors | Export::Recipients => return,
        };
        for property in properties {
            if *property == REPORT && !attaches_mail(row) {
                continue;
            }
            for target in self.recipients.targets(row.values(property)) {
                findings.extend(self.finding(export, noun, property, row, target));
            }
        }
    }

    fn finding(
        &self,
        export: Export,
        noun: &str,
        property: &str,
        row: &Row,
        target: Target,
    ) -> Option<Finding> {
        let (kind, shown, address) = match target {
            Target::Address(address) if self.organisation.keeps(&address) => return None,
            Target::Address(address) => (Kind::External, address.to_string(), Some(address)),
            Target::Name(name) => (Kind::Unresolved, name, None),
            Target::Lost(name) => (Kind::Lost, name, None),
        };
        let domain = address.as_ref().and_then(Address::domain);
        let by_people = matches!(export, Export::Mailboxes | Export::InboxRules);
        let state = if is_off(row, property) {
            "disabled".to_owned()
        } else {
            // Policies and remote domains stop what mailboxes forward, not what the organisation's own rules do.
            let barrier =
                domain.as_ref().filter(|_| by_people).and_then(|domain| self.routes.barrier(domain));
            barrier.map_or_else(|| ACTIVE.to_owned(), |barrier| format!("blocked: {barrier}"))
        };
        Some(Finding {
            kind,
            what: format!("{noun} {property}"),
            of: whose(export, row),
            target: shown,
            copy: (export == Export::Mailboxes).then(|| row.flag("DeliverToMailboxAndForward")).flatten(),
            state,
            passage: domain.map(|domain| self.routes.passage(&domain)),
            file: row.file.clone(),
            line: row.line,
        })
    }
}

/// Whether an incident report has the mail attached, for all that was exported.
fn attaches_mail(row: &Row) -> bool {
    let content = [row.values("IncidentReportContent"), row.values("IncidentReportOriginalMail")].concat();
    let text = content.join(" ").to_ascii_lowercase();
    content.is_empty()
        || text.contains("attachoriginalmail")
        || text.split_whitespace().any(|word| word == "includeoriginalmail")
        // The export has numbers, or the name of a type, instead of the values.
        || text.split_whitespace().any(|word| word.parse::<u32>().is_ok())
        || text.contains("system.")
        || text.contains("microsoft.exchange.")
}

/// Whether a rule is switched off, or only watches. A rule that only watches sends its reports all the same.
fn is_off(row: &Row, property: &str) -> bool {
    let says =
        |property, word: &str| row.first(&[property]).is_some_and(|said| said.eq_ignore_ascii_case(word));
    row.flag("Enabled") == Some(false)
        || says("State", "Disabled")
        || (property != REPORT && (says("Mode", "Audit") || says("Mode", "AuditAndNotify")))
}

/// Whose mail, with the name of the rule.
fn whose(export: Export, row: &Row) -> String {
    let name = row.first(&["Name", "Identity"]).unwrap_or("(unnamed)").to_owned();
    match export {
        Export::Mailboxes => {
            let says = ["PrimarySmtpAddress", "WindowsEmailAddress", "UserPrincipalName"];
            row.first(&says).map_or(name, str::to_owned)
        }
        Export::InboxRules => {
            let owner = row.first(&["MailboxOwnerId", "Mailbox", "MailboxOwner", "Identity"]);
            // Without an owner the rule's identity has it: `anna\\123456`.
            let owner = owner.and_then(|owner| owner.split('\\').next()).unwrap_or("(unknown mailbox)");
            format!("{owner}: {name}")
        }
        Export::TransportRules
        | Export::JournalRules
        | Export::RemoteDomains
        | Export::Policies
        | Export::Connectors
        | Export::Recipients => name,
    }
}

fn unreadable(file: &str, line: u64, why: &str) -> Finding {
    Finding {
        kind: Kind::Unreadable,
        what: String::new(),
        of: String::new(),
        target: why.to_owned(),
        copy: None,
        state: String::new(),
        passage: None,
        file: file.to_owned(),
        line,
    }
}

fn setting(row: &Row, what: &str) -> Finding {
    Finding {
        kind: Kind::Setting,
        what: what.to_owned(),
        of: row.first(&["DomainName", "Name", "Identity"]).unwrap_or("(unnamed)").to_owned(),
        target: "lets automatic forwards leave".to_owned(),
        ..unreadable(&row.file, row.line, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words between quotes or commas, as columns of a file.
    fn head(words: &str) -> Row {
        let words: Vec<&str> =
            words.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
        table::read("F", words.join(",").as_bytes()).unwrap().0
    }

    #[test]
    fn the_commands_in_the_manual_export_what_is_read() {
        let manual = include_str!("../../../docs/operating.md");
        let (_, rest) = manual.split_once("```powershell\n").unwrap();
        let (commands, _) = rest.split_once("```").unwrap();
        let (who, _) = commands.split_once("Get-Mailbox").unwrap();
        let of_recipients = [
            "Name",
            "Identity",
            "DistinguishedName",
            "Guid",
            "ExternalDirectoryObjectId",
            "LegacyExchangeDN",
            "EmailAddresses",
            "PrimarySmtpAddress",
            "ExternalEmailAddress",
            "RecipientTypeDetails",
        ];
        let of_mailboxes = ["ForwardingSmtpAddress", "ForwardingAddress", "DeliverToMailboxAndForward"];
        for (file, export, properties) in [
            ("mailboxes", Export::Mailboxes, [&of_mailboxes[..], &of_recipients].concat()),
            ("rules", Export::InboxRules, [&INBOX[..], &["Name", "Enabled", "MailboxOwnerId"]].concat()),
            ("contacts", Export::Recipients, of_recipients.to_vec()),
            ("guests", Export::Recipients, of_recipients.to_vec()),
            ("groups", Export::Recipients, [&of_recipients[..], &["Members"]].concat()),
            ("journal", Export::JournalRules, vec!["Name", "Enabled", "JournalEmailAddress"]),
            ("policy", Export::Policies, vec!["Name", "AutoForwardingMode"]),
        ] {
            let (before, _) = commands.split_once(&format!("Export-Csv {file}.csv")).unwrap();
            let (_, columns) = before.rsplit_once("Select ").unwrap();
            let head = head(&columns.replace("$who", who));
            assert_eq!(kind_of(&head), Ok(export), "{file}");
            for property in properties {
                assert!(head.has(property), "{file}: {property}");
            }
        }
        for name in ["TransportRule", "RemoteDomain", "OutboundConnector"] {
            assert!(commands.contains(&format!("ConvertTo-Json @(Get-{name}) | Out-File ")), "{name}");
        }
    }
}

//! `exchange-audit`: exports with the properties of Exchange's cmdlets, in the encodings of Windows, and every forward in
//! them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::lab;
use crate::lab::program::PROGRAM;

/// Get-Mailbox, as Windows PowerShell exports it with `-UseCulture` in Sweden.
const MAILBOXES: &str = "#TYPE Selected.Microsoft.Exchange.Data.Directory.Management.Mailbox\r
\"DisplayName\";\"PrimarySmtpAddress\";\"ForwardingSmtpAddress\";\"ForwardingAddress\";\"DeliverToMailboxAndForward\"\r
\"Anna Åkerö\";\"anna@exempelby.se\";\"smtp:anna.privat@example.org\";\"\";\"False\"\r
\"Bo Ek\";\"bo@exempelby.se\";\"\";\"exempelby.se/Kontakter/Arkiv extern\";\"True\"\r
\"Registrator\";\"registrator@exempelby.se\";\"smtp:anna@exempelby.se\";\"\";\"True\"\r
\"Cia Öst\";\"cia@exempelby.se\";\"\";\"Okänd mottagare\";\"True\"\r
\"Dan Berg\";\"dan@exempelby.se\";\"\";\"bo\";\"True\"\r
";

/// Get-InboxRule, with values joined; two of them were not.
const RULES: &str = "Name,Enabled,MailboxOwnerId,ForwardTo,RedirectTo,ForwardAsAttachmentTo
Allt,True,anna,\"\"\"Anna, hemma\"\" [SMTP:anna.hemma@example.net], \"\"Bo Ek\"\" [EX:/o=ExchangeLabs/cn=Recipients/cn=1-bo]\",,
Omdirigera,True,bo,,[SMTP:bo@partner.example],
Bilaga,True,cia,,,\"\"\"Arkiv extern\"\" [EX:/o=ExchangeLabs/cn=Recipients/cn=9-arkiv]\"
Gammal,False,dan,smtp:dan@example.org,,
Trasig,True,eva,System.Collections.ArrayList,,
";

/// Get-MailContact and Get-Mailbox: whom names stand for.
const RECIPIENTS: &str = "Name,DisplayName,Identity,LegacyExchangeDN,PrimarySmtpAddress,ExternalEmailAddress
Arkiv extern,Arkiv extern,exempelby.se/Kontakter/Arkiv extern,/o=ExchangeLabs/cn=Recipients/cn=9-arkiv,arkiv-extern@exempelby.se,SMTP:arkiv@leverantor.example
bo,Bo Ek,bo,/o=ExchangeLabs/cn=Recipients/cn=1-bo,bo@exempelby.se,
";

/// Get-TransportRule, by ConvertTo-Json.
const TRANSPORT: &str = r#"[
 {"Name":"Kopia till byrån","State":"Enabled","Mode":"Enforce","BlindCopyTo":["kopia@byra.example"],"CopyTo":null,"RedirectMessageTo":null,"AddToRecipients":null},
 {"Name":"Prov","State":"Enabled","Mode":"Audit","BlindCopyTo":null,"CopyTo":["x@example.org"],"RedirectMessageTo":null,"AddToRecipients":null},
 {"Name":"Inom","State":"Enabled","Mode":"Enforce","BlindCopyTo":["registrator@exempelby.se"],"CopyTo":null,"RedirectMessageTo":null,"AddToRecipients":null}
]"#;

const JOURNAL: &str = "Name,Enabled,JournalEmailAddress\nAllt,True,journal@arkivtjanst.example\n";

const REMOTE: &str = r#"{"Name":"Default","DomainName":"*","AutoForwardEnabled":true}"#;
const CONNECTORS: &str =
    "Name,Enabled,ConnectorType,RecipientDomains,SmartHosts,UseMXRecord,IsTransportRuleScoped
Ut genom gateway,True,OnPremises,*,\"gw1.exempelby.se\",False,False
Partner,True,Partner,*.leverantor.example,[198.51.100.9],False,False
Avstängd,False,OnPremises,example.org,gw9.exempelby.se,False,False
";

fn policy(mode: &str) -> String {
    format!("\"Name\",\"AutoForwardingMode\"\n\"Default\",\"{mode}\"\n")
}

fn utf16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The whole set, each file in an encoding of its own.
fn lay_out(folder: &Path, mode: &str, connectors: &str) -> Vec<&'static str> {
    fs::write(folder.join("postvakt.toml"), lab::config("")).unwrap();
    for (name, octets) in [
        ("mailboxes.csv", utf16(MAILBOXES)),
        ("rules.csv", format!("\u{feff}{RULES}").into_bytes()),
        ("recipients.csv", RECIPIENTS.as_bytes().to_vec()),
        ("transport.json", utf16(TRANSPORT)),
        ("journal.csv", JOURNAL.as_bytes().to_vec()),
        ("remote.json", REMOTE.as_bytes().to_vec()),
        ("policy.csv", policy(mode).into_bytes()),
        ("connectors.csv", format!("\u{feff}{connectors}").into_bytes()),
    ] {
        fs::write(folder.join(name), octets).unwrap();
    }
    vec![
        "mailboxes.csv",
        "rules.csv",
        "recipients.csv",
        "transport.json",
        "journal.csv",
        "remote.json",
        "policy.csv",
        "connectors.csv",
    ]
}

fn audit(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.current_dir(folder).args(["exchange-audit", "--config", "postvakt.toml"]);
    command.args(arguments).output().unwrap()
}

/// `kind what for -> target; copy state gateway file:line`, one line each.
fn found(folder: &Path, arguments: &[&str]) -> (Vec<String>, i32) {
    let output = audit(folder, &[&["--json"], arguments].concat());
    let line = |line: &str| {
        let finding: Value = serde_json::from_str(line).unwrap();
        let word = |key: &str| finding[key].as_str().unwrap_or("-").to_owned();
        let copy = finding["copy"].as_bool().map_or("-", |kept| if kept { "kept" } else { "none" });
        let (file, at) = (word("file"), finding["line"].as_u64().unwrap());
        format!(
            "{} {}, {} -> {}; {copy}, {}, {}, {file}:{at}",
            word("kind"),
            word("what"),
            word("for"),
            word("target"),
            word("state"),
            word("gateway")
        )
    };
    let text = String::from_utf8(output.stdout).unwrap();
    (text.lines().map(line).collect(), output.status.code().unwrap())
}

#[test]
fn every_form_of_forwarding_is_found_with_its_way() {
    let folder = tempfile::tempdir().unwrap();
    let files = lay_out(folder.path(), "On", CONNECTORS);
    let (found, code) = found(folder.path(), &[&["--gateway", "gw1.exempelby.se"], &files[..]].concat());
    let expected = [
        "setting remote domain AutoForwardEnabled, * -> lets automatic forwards leave; -, , -, remote.json:1",
        "setting outbound policy AutoForwardingMode, Default -> lets automatic forwards leave; -, , -, policy.csv:2",
        "external mailbox ForwardingSmtpAddress, anna@exempelby.se -> anna.privat@example.org; none, active, yes, mailboxes.csv:3",
        "external mailbox ForwardingAddress, bo@exempelby.se -> arkiv@leverantor.example; kept, active, never, mailboxes.csv:4",
        "unresolved mailbox ForwardingAddress, cia@exempelby.se -> Okänd mottagare; kept, active, -, mailboxes.csv:6",
        "external inbox rule ForwardTo, anna: Allt -> anna.hemma@example.net; -, active, yes, rules.csv:2",
        "external inbox rule RedirectTo, bo: Omdirigera -> bo@partner.example; -, active, yes, rules.csv:3",
        "external inbox rule ForwardAsAttachmentTo, cia: Bilaga -> arkiv@leverantor.example; -, active, never, rules.csv:4",
        "external inbox rule ForwardTo, dan: Gammal -> dan@example.org; -, disabled, yes, rules.csv:5",
        "lost inbox rule ForwardTo, eva: Trasig -> System.Collections.ArrayList; -, active, -, rules.csv:6",
        "external transport rule BlindCopyTo, Kopia till byrån -> kopia@byra.example; -, active, yes, transport.json:1",
        "external transport rule CopyTo, Prov -> x@example.org; -, disabled, yes, transport.json:2",
        "external journal rule JournalEmailAddress, Allt -> journal@arkivtjanst.example; -, active, yes, journal.csv:2",
    ];
    assert_eq!(found, expected);
    assert_eq!(code, 1);
}

/// The findings in one file beside [`RECIPIENTS`].
fn found_in(name: &str, content: &str) -> (Vec<String>, i32) {
    let folder = tempfile::tempdir().unwrap();
    lay_out(folder.path(), "On", CONNECTORS);
    fs::write(folder.path().join(name), content).unwrap();
    found(folder.path(), &["recipients.csv", name])
}

#[test]
fn a_guest_with_the_name_of_a_mailbox_hides_nothing() {
    let rule = |to: &str| format!("Name,Enabled,MailboxOwnerId,ForwardTo\nr,True,anna,\"{to}\"\n");
    let evil = "\"\"Bo Ek\"\" [EX:/o=ExchangeLabs/ou=g/cn=Recipients/cn=abc-Evil]";
    let (lines, code) = found_in("x.csv", &rule(evil));
    let expected = "unresolved inbox rule ForwardTo, anna: r -> \"Bo Ek\" \
                    [EX:/o=ExchangeLabs/ou=g/cn=Recipients/cn=abc-Evil]; -, active, -, x.csv:2";
    assert_eq!((lines, code), (vec![expected.to_owned()], 1));
    // A guest whose name is known, with the display name of a mailbox, and one with its whole name.
    let guests = "Name,DisplayName,LegacyExchangeDN,PrimarySmtpAddress,ExternalEmailAddress\n\
                  g,Bo Ek,/o=ExchangeLabs/ou=g/cn=Recipients/cn=abc-Evil,,SMTP:evil@example.org\n\
                  bo,Bo Ek,/o=ExchangeLabs/ou=g/cn=Recipients/cn=bo2,,SMTP:bo@example.org\n";
    let folder = tempfile::tempdir().unwrap();
    lay_out(folder.path(), "On", CONNECTORS);
    fs::write(folder.path().join("guests.csv"), guests).unwrap();
    fs::write(folder.path().join("x.csv"), rule(evil)).unwrap();
    let (lines, _) = found(folder.path(), &["recipients.csv", "guests.csv", "x.csv", "mailboxes.csv"]);
    assert!(lines.iter().any(|line| line.contains("anna: r -> evil@example.org; ")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("dan@exempelby.se -> bo@example.org; ")), "{lines:?}");
}

#[test]
fn quotes_in_a_display_name_hide_nothing() {
    for (to, expected) in [
        (
            "\"Arkiv \"\" [SMTP:evil@example.org],\"Bo\" [SMTP:bo@exempelby.se]",
            &[
                "external evil@example.org",
                "unresolved \"Arkiv \"\" [SMTP:evil@example.org],\"Bo\" [SMTP:bo@exempelby.se]",
            ][..],
        ),
        (
            "\"x\" [SMTP:\"[bo@exempelby.se]\"@example.org]",
            &["unresolved \"x\" [SMTP:\"[bo@exempelby.se]\"@example.org]"],
        ),
        ("smtp:\"<bo@exempelby.se>\"@example.org", &["unresolved smtp:\"<bo@exempelby.se>\"@example.org"]),
        // A route in the address leads on, as the gateway reads it.
        ("evil%example.org@exempelby.se", &["external evil%example.org@exempelby.se"]),
        ("example.org!evil@exempelby.se", &["external example.org!evil@exempelby.se"]),
        ("\"Bo\" [SMTP:bo@exempelby.se]", &[]),
    ] {
        let rule =
            serde_json::json!([{"Name": "r", "MailboxOwnerId": "anna", "Enabled": true, "ForwardTo": [to]}]);
        let (lines, code) = found_in("x.json", &rule.to_string());
        let expected: Vec<String> = expected
            .iter()
            .map(|one| {
                let (kind, target) = one.split_once(' ').unwrap();
                let gateway = if kind == "external" { "unknown" } else { "-" };
                format!("{kind} inbox rule ForwardTo, anna: r -> {target}; -, active, {gateway}, x.json:1")
            })
            .collect();
        assert_eq!((lines, code), (expected.clone(), i32::from(!expected.is_empty())), "{to}");
    }
}

#[test]
fn incident_reports_and_moderators_get_the_mail_too() {
    let report = |more: &str| {
        let rule = format!(
            r#"[{{"Name":"r","State":"Enabled","CopyTo":null,"GenerateIncidentReport":"evil@example.org",{more}}}]"#
        );
        found_in("x.json", &rule).0
    };
    let active =
        "external transport rule GenerateIncidentReport, r -> evil@example.org; -, active, unknown, x.json:1";
    for more in [
        r#""Mode":"Enforce","IncidentReportContent":["Sender","AttachOriginalMail"]"#,
        // A rule that only watches sends its reports.
        r#""Mode":"Audit","IncidentReportContent":["AttachOriginalMail"]"#,
        r#""Mode":"Enforce","IncidentReportOriginalMail":"IncludeOriginalMail","IncidentReportContent":["Sender"]"#,
        // Not exported, or not legible: it may have the mail attached.
        r#""Mode":"Enforce""#,
        r#""Mode":"Enforce","IncidentReportContent":"System.String[]""#,
        r#""Mode":"Enforce","IncidentReportContent":[0,10]"#,
    ] {
        assert_eq!(report(more), [active], "{more}");
    }
    for more in [
        r#""Mode":"Enforce","IncidentReportContent":["Sender","Subject"]"#,
        r#""Mode":"Enforce","IncidentReportOriginalMail":"DoNotIncludeOriginalMail","IncidentReportContent":["Sender"]"#,
    ] {
        assert!(report(more).is_empty(), "{more}");
    }
    let off = report(r#""State":"Disabled""#);
    assert!(off.is_empty() || off[0].contains(", disabled, "), "{off:?}");
    let (lines, code) = found_in(
        "x.csv",
        "Name,State,Mode,ModerateMessageByUser\nm,Enabled,Enforce,\"bo@exempelby.se,evil@example.org\"\n",
    );
    let expected =
        "external transport rule ModerateMessageByUser, m -> evil@example.org; -, active, unknown, x.csv:2";
    assert_eq!((lines, code), (vec![expected.to_owned()], 1));
}

#[test]
fn objects_of_one_file_may_have_different_properties() {
    let rules = r#"[{"Name":"a","MailboxOwnerId":"anna"},
        {"Name":"b","MailboxOwnerId":"bo","ForwardTo":[{"SmtpAddress":"","Address":null,"Name":" ","PrimarySmtpAddress":"x@example.org"}]},
        {"Name":"c","MailboxOwnerId":"cia","RedirectTo":[{"SmtpAddress":null,"Name":""}]}]"#;
    let (lines, code) = found_in("x.json", rules);
    let expected = [
        "external inbox rule ForwardTo, bo: b -> x@example.org; -, active, unknown, x.json:2",
        "unresolved inbox rule RedirectTo, cia: c -> \"Name\":\"\",\"SmtpAddress\":null; -, active, -, x.json:3",
    ];
    assert_eq!((lines, code), (expected.map(str::to_owned).to_vec(), 1));
}

#[test]
fn what_policies_stop_is_told_and_the_rest_is_not() {
    let folder = tempfile::tempdir().unwrap();
    for mode in ["Off", "Automatic"] {
        let files = lay_out(folder.path(), mode, CONNECTORS);
        let (found, _) = found(folder.path(), &files);
        let states: Vec<&str> = found
            .iter()
            .filter(|line| line.starts_with("external "))
            .map(|line| line.split("; ").nth(1).unwrap().split(", ").nth(1).unwrap())
            .collect();
        let blocked = "blocked: outbound policy Default";
        let expected =
            [blocked, blocked, blocked, blocked, blocked, "disabled", "active", "disabled", "active"];
        assert_eq!(states, expected);
    }
    // A remote domain stops what a policy lets through, and an unknown word is no answer.
    lay_out(folder.path(), "On", CONNECTORS);
    fs::write(folder.path().join("remote.json"), REMOTE.replace("true", "false")).unwrap();
    let (lines, code) =
        found(folder.path(), &["mailboxes.csv", "recipients.csv", "remote.json", "policy.csv"]);
    assert!(lines.iter().any(|line| line.contains("blocked: remote domain *, unknown, ")), "{lines:?}");
    // One recipient is still unresolved.
    assert_eq!(code, 1);
    fs::write(folder.path().join("policy.csv"), policy("2")).unwrap();
    let (lines, code) = found(folder.path(), &["policy.csv"]);
    assert!(
        lines[0].starts_with("unreadable ") && lines[0].contains("AutoForwardingMode is \"2\""),
        "{lines:?}"
    );
    assert_eq!(code, 2);
}

#[test]
fn without_connectors_for_them_forwards_never_pass() {
    let folder = tempfile::tempdir().unwrap();
    let none = "Name,Enabled,RecipientDomains,SmartHosts,IsTransportRuleScoped\n";
    let scoped = format!("{none}Vid regel,True,*,gw1.exempelby.se,True\n");
    let on_premises = "Name,Enabled,AddressSpaces,SmartHosts\nInternet,True,SMTP:*;1,[192.0.2.25]\n";
    let two = |spaces: &str, own: &str| {
        format!("{}Annan,True,{spaces},[198.51.100.9]\n", on_premises.replace("SMTP:*;1", own))
    };
    let spaces = "SMTP:example.org;arkivtjanst.example;3";
    let json = |cost: u32, other: &str| {
        format!(
            r#"[{{"Name":"Annan","AddressSpaces":[{{"Type":"SMTP","Domain":"*","Cost":{cost}}}],"SmartHosts":["198.51.100.9"]}},
            {{"Name":"Internet","Enabled":true,"AddressSpaces":[{{"Address":"","Domain":"*","Cost":{other}}}],"SmartHosts":["192.0.2.25"]}}]"#
        )
    };
    for (connectors, gateway, expected) in [
        (none, "gw1.exempelby.se", "never"),
        (&scoped, "gw1.exempelby.se", "perhaps"),
        // A rule may use this connector or the other one.
        (
            &format!("{scoped}Annan,True,arkivtjanst.example,gw9.exempelby.se,True\n"),
            "gw1.exempelby.se",
            "perhaps",
        ),
        (on_premises, "192.0.2.25", "yes"),
        (on_premises, "gw1.exempelby.se", "never"),
        // Of connectors for the same domain the cost decides, and without a cost it is 1.
        (&two("SMTP:*;2", "SMTP:*;1"), "192.0.2.25", "yes"),
        (&two("SMTP:*;1", "SMTP:*;2"), "192.0.2.25", "never"),
        (&two("SMTP:*", "SMTP:*;2"), "192.0.2.25", "never"),
        (&two("SMTP:*", "SMTP:*;1"), "192.0.2.25", "perhaps"),
        (&two("*", "SMTP:*;1"), "198.51.100.9", "perhaps"),
        // A closer domain goes before a lower cost, and in a list of domains each counts.
        (&two("SMTP:arkivtjanst.example;9", "SMTP:*;1"), "192.0.2.25", "never"),
        (&two(spaces, "SMTP:*;1"), "192.0.2.25", "never"),
        (&two(spaces, "SMTP:arkivtjanst.example;2"), "192.0.2.25", "yes"),
        (&json(1, "2"), "192.0.2.25", "never"),
        (&json(2, "1"), "192.0.2.25", "yes"),
        (&json(1, "null"), "192.0.2.25", "perhaps"),
    ] {
        lay_out(folder.path(), "On", connectors);
        let (lines, _) = found(folder.path(), &["--gateway", gateway, "journal.csv", "connectors.csv"]);
        assert!(lines[0].contains(&format!(", active, {expected}, ")), "{connectors}: {lines:?}");
    }
    lay_out(folder.path(), "On", on_premises);
    let output = audit(folder.path(), &["journal.csv", "connectors.csv"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("taken for this gateway: 192.0.2.25 (--gateway says which hosts are)"), "{said}");
    let sum = "2 objects read: 1 active forwards outside, of which 0 never pass this gateway; 0 blocked or disabled, \
               0 unresolved, 0 lost in the export, 0 settings that let forwards leave, 0 unreadable\n";
    assert!(said.ends_with(sum), "{said}");
}

#[test]
fn what_is_no_export_is_named_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    lay_out(folder.path(), "Off", CONNECTORS);
    fs::write(folder.path().join("empty.csv"), "").unwrap();
    fs::write(folder.path().join("other.csv"), "Id,ProcessName\n1,x\n").unwrap();
    let (lines, code) = found(folder.path(), &["empty.csv", "other.csv", "absent.csv", "policy.csv"]);
    assert_eq!((lines.len(), code), (3, 2), "{lines:?}");
    for (line, said) in lines.iter().zip(["is empty", "its properties are id, processname", "No such file"]) {
        assert!(line.starts_with("unreadable ") && line.contains(said), "{line}");
    }
    let (lines, code) = found(folder.path(), &["policy.csv"]);
    assert_eq!((lines.len(), code), (0, 0));
    assert_eq!(audit(folder.path(), &[]).status.code(), Some(2));
}

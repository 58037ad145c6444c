//! Authorities with settings of their own: whose settings a mail is judged by, what is inherited, and what one mail to two of
//! them gets.

use std::fs;
use std::process::Command;

use jiff::Timestamp;
use postvakt::address::Address;
use postvakt::config::load::ConfigDir;
use postvakt::config::{Config, ParseContext};
use postvakt::policy::{Actions, Mode};
use postvakt::templates::Occasion;

use crate::lab::program::PROGRAM;

const CONFIG: &str = r#"
[organisation]
name = "Exempelby kommun"
domains = ["exempelby.se", "energi.exempelby.se"]
alias_domains = ["exempelbykommun.se"]
internal_networks = ["127.0.0.0/8", "10.0.0.0/8"]
[server]
listen = ["inet:127.0.0.1:8891"]
[store]
directory = "/tmp/unused"
[[store.retention]]
authority = "Kommunstyrelsen"
mailboxes = ["*"]
keep = "5 y"
decision = "KS 1"
[smtp]
submit = "127.0.0.1:10026"
[notices]
from = "it@exempelby.se"
templates = { mass-mailing = "all.txt" }
[scanners.upstream]
clients = ["192.0.2.1/32"]
[groups.social]
members = ["sn@exempelby.se", "soc@exempelby.se"]

[[authorities]]
name = "Socialnämnden"
mailboxes = ["group:social", "anna@exempelby.se"]
keep = "2 y"
decision = "SN 7"
receipt_template = "receipt.txt"
[authorities.notices]
templates = { forward-stopped = "stopped.txt" }
[authorities.rules.spam]
subject_tag = "[SN-SPAM]"
[authorities.rules.sensitive-data]
action = "hold"
allow_override = "moderate"
[authorities.rules.sensitive-data.class.serious]
subject_tag = "[SN]"
[authorities.rules.custom.newsletters]
mode = "off"
[authorities.rules.custom.programs]
action = "reject"
message = { sv = "Socialnämnden tar inte emot program.", en = "The board accepts no programs." }

[[authorities]]
name = "Exempelby Energi AB"
mailboxes = ["@energi.exempelby.se"]
notices = { from = "post@energi.exempelby.se" }
[authorities.rules.spam]
mode = "off"
[authorities.rules.sensitive-data]
mode = "observe"
[authorities.rules.custom.only-energi]
mode = "enforce"
[authorities.rules.custom.programs]
subject_tag = "[PROGRAM]"

[rules.spam]
subject_tag = "[SPAM]"
[rules.sensitive-data]
mode = "enforce"
action = "mark"
[rules.custom.newsletters]
mode = "enforce"
action = "hold"
when = { subject = 'Nyhetsbrev' }
[rules.custom.only-energi]
mode = "off"
action = "hold"
when = { subject = 'Elpris' }
[rules.custom.programs]
mode = "enforce"
action = "hold"
when = { attachment_name = '\.exe$' }
[[rules.receipt.mailboxes]]
address = ["soc@exempelby.se", "registrator@exempelby.se", "post@energi.exempelby.se"]
"#;

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("config.toml", CONFIG),
        ("receipt.txt", "Subject: Tack\n\nSocialnämnden har fått ert brev {reference}. {organisation}\n"),
        ("stopped.txt", "Subject: Stopp\n\nSocialnämndens text.\n"),
        ("all.txt", "Subject: Alla\n\nAllas text.\n"),
    ] {
        fs::write(home.path().join(name), text).unwrap();
    }
    home
}

fn config(home: &tempfile::TempDir, text: &str) -> Config {
    let files = ConfigDir(home.path().to_owned());
    let around = ParseContext { file: "F", host: "gw1", now: Timestamp::UNIX_EPOCH, files: &files };
    Config::parse(text.as_bytes(), &around).unwrap_or_else(|problems| panic!("{problems}"))
}

/// What `explain` says of a mail.
fn explained(home: &tempfile::TempDir, from: &str, to: &[&str], client: &str, message: &str) -> String {
    explained_with(home, from, to, client, message, &[])
}

fn explained_with(
    home: &tempfile::TempDir,
    from: &str,
    to: &[&str],
    client: &str,
    message: &str,
    more: &[&str],
) -> String {
    let mail = home.path().join("mail.eml");
    fs::write(&mail, message.replace('\n', "\r\n")).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["explain", "--from", from, "--client", client]);
    for to in to {
        command.args(["--rcpt", to]);
    }
    let output =
        command.args(more).arg("--config").arg(home.path().join("config.toml")).arg(&mail).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

const OUTSIDE: &str = "192.0.2.1";

#[test]
fn the_subject_tag_is_that_of_the_authority() {
    let home = home();
    let spam = "X-Spam-Flag: YES\nFrom: x@example.org\nSubject: Vinst\n\nKlicka.\n";
    let said = |to: &[&str]| explained(&home, "x@example.org", to, OUTSIDE, spam);
    for (to, verdict, tag) in [
        (&["bo@exempelby.se"][..], "marked", "[SPAM]"),
        (&["anna@exempelby.se"], "marked", "[SN-SPAM]"),
        // By every address of the mailbox.
        (&["Anna+x@exempelbykommun.se"], "marked", "[SN-SPAM]"),
        // However it is quoted.
        (&["\"soc+x\"@exempelby.se"], "marked", "[SN-SPAM]"),
        (&["\"s\\oc+x\"@exempelbykommun.se"], "marked", "[SN-SPAM]"),
        (&["soc@exempelby.se", "sn@exempelby.se"], "marked", "[SN-SPAM]"),
        // Equally strict: the organisation's own holds.
        (&["anna@exempelby.se", "bo@exempelby.se"], "marked", "[SPAM]"),
        (&["post@energi.exempelby.se"], "accepted", ""),
        // The strictest holds.
        (&["post@energi.exempelby.se", "anna@exempelby.se"], "marked", "[SN-SPAM]"),
    ] {
        let said = said(to);
        assert!(said.contains(&format!(": {verdict} (inbound)")), "{to:?}: {said}");
        let edits: Vec<&str> = said.lines().filter(|line| line.contains("change Subject")).collect();
        match tag {
            "" => assert!(edits.is_empty() && !said.contains("finding   spam"), "{to:?}: {said}"),
            tag => {
                assert!(edits.len() == 1 && edits[0].contains(&format!(": {tag} Vinst")), "{to:?}: {said}");
            }
        }
    }
}

#[test]
fn the_strictest_decision_holds_for_the_whole_mail() {
    let home = home();
    let mail = |name: &str| {
        format!(
            "From: x@example.org\nSubject: Program\nMIME-Version: 1.0\nContent-Type: application/octet-stream\n\
             Content-Disposition: attachment; filename=\"{name}\"\n\nMZ\n"
        )
    };
    let said = |to: &[&str]| explained(&home, "x@example.org", to, OUTSIDE, &mail("a.exe"));
    for (to, verdict) in [
        (&["bo@exempelby.se"][..], "held"),
        (&["anna@exempelby.se"], "rejected"),
        (&["post@energi.exempelby.se"], "held"),
        (&["post@energi.exempelby.se", "anna@exempelby.se", "bo@exempelby.se"], "rejected"),
    ] {
        let said = said(to);
        assert!(said.contains(&format!(": {verdict} (inbound)")), "{to:?}: {said}");
        let words = said.contains("Socialnamnden tar inte emot program.");
        assert_eq!(words, verdict == "rejected", "{to:?}: {said}");
        // The finding names the line of the settings that hold.
        let line = CONFIG.lines().position(|line| line == "[authorities.rules.custom.programs]").unwrap() + 1;
        assert_eq!(said.contains(&format!("config.toml:{line}\n")), words, "{to:?}: {said}");
    }
    assert!(
        said(&["post@energi.exempelby.se"]).contains("[PROGRAM] Program"),
        "its own tag, the hold inherited"
    );
}

#[test]
fn a_rule_may_be_on_for_one_and_off_for_the_others() {
    let home = home();
    let said = |to: &[&str], subject: &str| {
        let mail = format!("From: x@example.org\nSubject: {subject}\n\nHej.\n");
        explained(&home, "x@example.org", to, OUTSIDE, &mail)
    };
    for (to, subject, verdict) in [
        (&["bo@exempelby.se"][..], "Nyhetsbrev", "held"),
        (&["anna@exempelby.se"], "Nyhetsbrev", "accepted"),
        (&["anna@exempelby.se", "bo@exempelby.se"], "Nyhetsbrev", "held"),
        (&["bo@exempelby.se"], "Elpris", "accepted"),
        (&["post@energi.exempelby.se"], "Elpris", "held"),
        (&["post@energi.exempelby.se", "bo@exempelby.se"], "Elpris", "held"),
    ] {
        let said = said(to, subject);
        assert!(said.contains(&format!(": {verdict} (inbound)")), "{to:?} {subject}: {said}");
        assert_eq!(said.contains("finding   custom."), verdict == "held", "{to:?} {subject}: {said}");
    }
}

#[test]
fn mail_from_inside_is_its_senders() {
    let home = home();
    let said = |from: &str, to: &str| {
        let mail = format!("From: {from}\nSubject: Underlag\n\nPnr 811228-9874, diagnos depression.\n");
        explained(&home, from, &[to], "10.0.0.5", &mail)
    };
    for (from, to, verdict) in [
        ("bo@exempelby.se", "x@example.org", "marked (outbound)"),
        ("anna@exempelby.se", "x@example.org", "held (outbound)"),
        ("anna+x@exempelbykommun.se", "x@example.org", "held (outbound)"),
        ("post@energi.exempelby.se", "x@example.org", "accepted (outbound)"),
    ] {
        let said = said(from, to);
        assert!(said.contains(&format!(": {verdict}")), "{from}: {said}");
    }
}

#[test]
fn what_is_not_said_is_inherited() {
    let home = home();
    let config = config(&home, CONFIG);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let address = |text: &str| Address::parse(text).unwrap();
    let own = &config.organisation;
    assert_eq!(own.name_for(&address("Soc+1@exempelbykommun.se")), "Socialnämnden");
    assert_eq!(own.name_for(&address("bo@exempelby.se")), "Exempelby kommun");
    // Records.
    let kept: Vec<(&str, u64)> = config
        .store
        .retention
        .iter()
        .map(|period| (&*period.authority, period.keep.as_secs() / 86_400))
        .collect();
    assert_eq!(kept, [("Socialnämnden", 731), ("Kommunstyrelsen", 1_827)]);
    let social = &config.store.retention[0].mailboxes[0];
    assert!(social.covers(Some(&address("anna@exempelbykommun.se"))) && !social.covers(None));
    // Notices.
    let settings = config.notice_settings.as_ref().unwrap();
    let text = |number, occasion| {
        let fields = vec![("organisation", String::new())];
        let (from, texts) = settings.voice(number);
        let text = texts.of(occasion).render_or_shipped(&fields, &mut Vec::new());
        (from.to_string(), text.map(|text| text.subject).unwrap_or_default())
    };
    assert_eq!(text(Some(0), Occasion::ForwardStopped), ("it@exempelby.se".into(), "Stopp".into()));
    assert_eq!(text(Some(0), Occasion::MassMailing), ("it@exempelby.se".into(), "Alla".into()));
    assert_eq!(text(Some(1), Occasion::MassMailing), ("post@energi.exempelby.se".into(), "Alla".into()));
    assert_ne!(text(None, Occasion::ForwardStopped).1, "Stopp");
    // Receipts and rules.
    let policy = |id: &str| &config.rules.iter().find(|(rule, _)| rule.id() == id).unwrap().1;
    let Actions::Receipt(receipts) = &policy("receipt").actions else { panic!() };
    let texts: Vec<bool> = receipts
        .mailboxes
        .iter()
        .map(|mailbox| format!("{:?}", mailbox.template).contains("Socialnämnden har fått"))
        .collect();
    assert_eq!(texts, [true, false, false]);
    let overrides = policy("sensitive-data").all().map(|policy| match &policy.actions {
        Actions::Sensitive(sensitive) => sensitive.allow_override.as_str(),
        other => panic!("{other:?}"),
    });
    assert_eq!(overrides.collect::<Vec<_>>(), ["none", "moderate", "none"]);
    assert_eq!(policy("custom.only-energi").mode, Mode::Off);
    assert!(config.enforces());
}

#[test]
fn quotes_make_no_other_mailbox() {
    let home = home();
    let text = CONFIG
        .replace("[\"@energi.exempelby.se\"]", "['\"s\\oc+x\"@exempelby.se', \"@energi.exempelby.se\"]");
    fs::write(home.path().join("config.toml"), text).unwrap();
    let config = home.path().join("config.toml");
    let output = Command::new(PROGRAM).args(["check", "--config"]).arg(config).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && said.contains("also belongs to \"Socialnämnden\""), "{said}");
}

#[test]
fn the_list_of_rules_names_authorities() {
    let home = home();
    let output = Command::new(PROGRAM)
        .args(["rules", "spam", "--config"])
        .arg(home.path().join("config.toml"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("mail of Socialnämnden") && said.contains("mail of Exempelby Energi AB"), "{said}");
}

/// Anna's authority stops forwards that are only likely; the organisation marks them. The recipient is hers alone.
fn forwarding() -> tempfile::TempDir {
    let home = home();
    let social = "[authorities.rules.auto-forward]\nstrong = \"stop\"\n[authorities.rules.spam]";
    let own = "[rules.auto-forward]\nmode = \"enforce\"\naction = \"reroute\"\nreroute_to = \"registrator@exempelby.se\"\n\
               strong = \"mark\"\n[rules.spam]";
    let text = CONFIG.replacen("[authorities.rules.spam]", social, 1).replacen(
        "\n[rules.spam]",
        &format!("\n{own}"),
        1,
    );
    fs::write(home.path().join("config.toml"), text).unwrap();
    home
}

#[test]
fn of_equal_verdicts_the_one_that_removes_recipients_holds() {
    let home = forwarding();
    let said = |traces: &str| {
        let mail = format!("{traces}From: x@example.org\nSubject: Underlag\n\nHej.\n");
        explained(&home, "x@example.org", &["priv@gmail.com"], "10.0.0.5", &mail)
    };
    let (anna, bo) = ("Delivered-To: anna@exempelby.se\n", "Delivered-To: bo@exempelby.se\n");
    for (traces, removed) in [
        (bo.to_owned(), false),
        (anna.to_owned(), true),
        (format!("{bo}{anna}"), true),
        (format!("{anna}{bo}"), true),
    ] {
        let said = said(&traces);
        assert!(said.contains(": marked (outbound)"), "{traces}: {said}");
        assert_eq!(said.contains("remove-recipient"), removed, "{traces}: {said}");
    }
}

#[test]
fn each_mailbox_that_a_mail_may_be_from_is_asked() {
    let home = home();
    let said = |from: &str, authors: &str, more: &[&str]| {
        let mail = format!("From: {authors}\nSubject: Underlag\n\nPnr 811228-9874, diagnos depression.\n");
        explained_with(&home, from, &["x@example.org"], "10.0.0.5", &mail, more)
    };
    let (anna, bo, energi) = ("anna@exempelby.se", "bo@exempelby.se", "post@energi.exempelby.se");
    for (from, authors, more, verdict) in [
        (bo, bo, &[][..], "marked"),
        (bo, anna, &[], "held"),
        (anna, bo, &[], "held"),
        ("<>", "bo@exempelby.se, anna@exempelby.se", &[], "held"),
        (bo, bo, &["--auth", anna], "held"),
        (bo, bo, &["--auth", "anna"], "held"),
        (energi, energi, &["--auth", bo], "marked"),
        // A login that is nobody's mailbox.
        (energi, energi, &["--auth", "e4711"], "accepted"),
        ("x@example.org", anna, &[], "held"),
    ] {
        let said = said(from, authors, more);
        assert!(said.contains(&format!(": {verdict} (outbound)")), "{from} {authors} {more:?}: {said}");
    }
}

#[test]
fn what_a_host_inside_brings_for_somebody_outside_is_its_recipients() {
    let home = home();
    let said = |to: &[&str], author: &str| {
        let mail = format!("From: {author}\nSubject: Nyhetsbrev\n\nHej.\n");
        explained(&home, author, to, "10.0.0.5", &mail)
    };
    let (form, bo) = ("x@example.org", "bo@exempelby.se");
    for (to, author, verdict) in [
        (&["soc@exempelby.se"][..], form, "accepted"),
        (&["bo@exempelby.se"], form, "held"),
        (&["soc@exempelby.se", "bo@exempelby.se"], form, "held"),
        (&["soc@exempelby.se"], bo, "held"),
    ] {
        let said = said(to, author);
        assert!(said.contains(&format!(": {verdict} (internal)")), "{to:?} {author}: {said}");
    }
}

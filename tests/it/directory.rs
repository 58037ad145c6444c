//! Groups from a directory: a real slapd, asked by page and by TLS; one that is away, is silent, or refuses.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::incoming::daemons::Daemon;
use crate::lab::client::Smtp;
use crate::lab::program::PROGRAM;
use crate::lab::{Lab, message, until};

const RULE: &str = r#"
[rules.custom.tagged]
mode = "enforce"
action = "hold"
when = { subject = 'Prov' }
"#;

/// A group of the directory, with these keys more, and an exception for it; `rule` goes before its first table.
fn rules(home: &Path, servers: &str, more: &str) -> String {
    let password = home.join("password");
    if !password.exists() {
        fs::write(&password, "hemligt\n").unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    }
    format!(
        r#"[groups.hr.ldap]
servers = [{servers}]
bind_dn = "cn=postvakt,dc=exempelby,dc=se"
password_file = "{}"
base = "dc=exempelby,dc=se"
filter = "(departmentNumber=hr)"
{more}
{RULE}
[[rules.custom.tagged.exceptions]]
sender = ["group:hr"]
"#,
        password.display()
    )
}

fn plain(port: u16) -> String {
    format!("\"ldap://127.0.0.1:{port}\"")
}

/// More members than one page has, and than the server gives without pages.
fn members() -> Vec<String> {
    let mut all: Vec<String> = (0..1_200).map(|n| format!("person{n}@exempelby.se")).collect();
    all.extend(["Anna@exempelby.se".to_owned(), "SMTP:chefen@exempelby.se".to_owned()]);
    all
}

/// What `explain` says of a mail by this sender.
fn explained(home: &Path, rules: &str, sender: &str) -> String {
    let (config, mail) = (home.join("explain.toml"), home.join("mail.eml"));
    fs::write(&config, crate::lab::config(rules)).unwrap();
    fs::write(&mail, message(sender, "x@example.org", "Prov", "")).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args([
        "explain",
        "--from",
        sender,
        "--rcpt",
        "x@example.org",
        "--client",
        "10.0.0.5",
        "--config",
    ]);
    let output = command.arg(&config).arg(&mail).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn members_are_known_by_page_and_by_tls() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let slapd = Daemon::slapd(home, &members());
    let sealed = fs::read_to_string(home.join("tls/port")).unwrap();
    let (open, sealed) = (plain(slapd.port), format!("\"ldaps://127.0.0.1:{sealed}\""));
    let ca = |file: &str| format!("ca_file = \"{}\"", home.join("tls").join(file).display());
    for (servers, more) in [
        (open.clone(), "start_tls = false".to_owned()),
        (open.clone(), ca("ca.pem")),
        (sealed.clone(), ca("ca.pem")),
        // The first one is away.
        (format!("\"ldap://127.0.0.1:1\", {sealed}"), ca("ca.pem")),
    ] {
        let rules = rules(home, &servers, &more);
        for member in ["anna+x@exempelby.se", "person1199@exempelby.se", "chefen@exempelby.se"] {
            let said = explained(home, &rules, member);
            assert!(said.contains(": accepted (") && said.contains("allowed by exception at"), "{said}");
        }
        let said = explained(home, &rules, "bo@exempelby.se");
        assert!(said.contains(": held (") && !said.contains("not decided"), "{said}");
    }
    // A certificate that nobody vouches for, an account that is none, a server that is away.
    let password = home.join("password");
    for (servers, more) in [(&sealed, String::new()), (&sealed, ca("cert.pem")), (&plain(1), ca("ca.pem"))] {
        let said = explained(home, &rules(home, servers, &more), "anna@exempelby.se");
        assert!(said.contains(": held (") && said.contains("not decided: "), "{servers} {more}: {said}");
    }
    let valid = rules(home, &sealed, &ca("ca.pem"));
    for (content, mode, reason) in [
        ("fel", 0o600, "not decided: protocol"),
        ("hemligt", 0o644, "not decided: fault"),
        ("", 0o600, "not decided: fault"),
        ("hemligt", 0o600, "allowed by"),
    ] {
        fs::write(&password, content).unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(mode)).unwrap();
        let said = explained(home, &valid, "anna@exempelby.se");
        assert!(said.contains(reason), "{content} {mode:o}: {said}");
    }
}

#[test]
fn a_silent_directory_costs_a_mail_its_deadline_and_no_more() {
    let home = tempfile::tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let rules = rules(home.path(), &plain(port), "start_tls = false\ndeadline = \"1 s\"");
    let said = explained(home.path(), &rules, "anna@exempelby.se");
    assert!(said.contains(": held (") && said.contains("not decided: deadline"), "{said}");
    let careful = rules.replace("action = \"hold\"", "action = \"reject\"\non_unknown = \"tempfail\"");
    let said = explained(home.path(), &careful, "anna@exempelby.se");
    assert!(said.contains(": deferred (") && said.contains("reply     451 4.7.1"), "{said}");
}

#[test]
fn a_condition_asks_the_directory_and_is_unknown_without_it() {
    let home = tempfile::tempdir().unwrap();
    let slapd = Daemon::slapd(home.path(), &members());
    let asks = |servers: &str, more: &str| {
        let all = rules(home.path(), servers, &format!("start_tls = false\ndeadline = \"1 s\"\n{more}"));
        let (rule, _) = all.split_once("[[rules.custom.tagged.exceptions]]").unwrap();
        rule.replace("subject = 'Prov'", "sender = [\"group:hr\", '^revisor@']")
    };
    let there = asks(&plain(slapd.port), "");
    for (sender, verdict) in [
        ("anna+x@exempelby.se", ": held ("),
        ("revisor@exempelby.se", ": held ("),
        ("bo@exempelby.se", ": accepted ("),
    ] {
        let said = explained(home.path(), &there, sender);
        assert!(said.contains(verdict), "{sender}: {said}");
    }
    let away = asks(&plain(1), "");
    let careful = away.replace("action = \"hold\"", "action = \"hold\"\non_unknown = \"tempfail\"");
    for (rules, sender, verdict) in [
        (&away, "bo@exempelby.se", ": accepted ("),
        (&careful, "bo@exempelby.se", ": deferred ("),
        // The pattern settles it.
        (&careful, "revisor@exempelby.se", ": held ("),
    ] {
        let said = explained(home.path(), rules, sender);
        assert!(said.contains(verdict), "{sender}: {said}");
        assert_eq!(said.contains("custom.tagged=unknown"), sender == "bo@exempelby.se", "{said}");
    }
}

/// The verdict on a mail by Anna through Postfix.
fn verdict(lab: &Lab) -> String {
    let mut smtp: Smtp = lab.inside();
    let reply = smtp.send(
        "anna@exempelby.se",
        &["registrator@exempelby.se"],
        &message("anna@exempelby.se", "registrator@exempelby.se", "Prov", ""),
    );
    if reply.starts_with("250") {
        lab.record_of(&reply)["verdict"].as_str().unwrap_or_default().to_owned()
    } else {
        reply
    }
}

#[test]
fn what_is_known_serves_while_the_directory_is_away() {
    let home = tempfile::tempdir().unwrap();
    let mut slapd = Daemon::slapd(home.path(), &members());
    let group = |keep: &str| {
        let more = format!("start_tls = false\nrefresh = \"1 s\"\nkeep = \"{keep}\"\ndeadline = \"5 s\"");
        rules(home.path(), &plain(slapd.port), &more)
            .replace("action = \"hold\"", "action = \"hold\"\non_unknown = \"tempfail\"")
    };
    let (long, short) = (group("1 h"), group("2 s"));
    let lab = Lab::start(&long);
    assert_eq!(verdict(&lab), "accepted");
    // The log says which exception spoke.
    let record = lab.records(1).remove(0)["record"].as_str().unwrap().to_owned();
    let mut show = Command::new(PROGRAM);
    show.args(["log", "show", &record, "--purpose", "felsökning i testmiljö", "--config"]);
    let shown = crate::lab::run(show.arg(&lab.postvakt.config));
    assert!(shown.contains("custom.tagged") && shown.contains("allowed by exception at"), "{shown}");
    slapd.down();
    until("the directory to be missed", &lab, || {
        assert_eq!(verdict(&lab), "accepted");
        lab.postvakt.log.to_string().contains("the directory does not answer").then_some(())
    });
    assert_eq!(verdict(&lab), "accepted");
    // The same group may be kept for a short time only: nothing that is known is young enough.
    lab.postvakt.write_rules(&short);
    lab.postvakt.signal(Signal::HUP);
    until("a mail to be deferred", &lab, || verdict(&lab).starts_with("451 4.7.1").then_some(()));
    slapd.up();
    until("the directory to be asked again", &lab, || (verdict(&lab) == "accepted").then_some(()));
}

#[test]
fn check_asks_the_directory() {
    let home = tempfile::tempdir().unwrap();
    let slapd = Daemon::slapd(home.path(), &members());
    let config = home.path().join("probe.toml");
    let probe = |rules: &str| {
        let text =
            crate::lab::config(rules).replace("/tmp/unused\"", &format!("{}\"", home.path().display()));
        fs::write(&config, text).unwrap();
        let output =
            Command::new(PROGRAM).args(["check", "--probe", "--config"]).arg(&config).output().unwrap();
        let said = [output.stdout, output.stderr].map(|octets| String::from_utf8(octets).unwrap()).concat();
        said.lines().find(|line| line.starts_with("groups.ldap")).unwrap_or(&said).to_owned()
    };
    let own = rules(home.path(), &plain(slapd.port), "start_tls = false");
    assert_eq!(probe(&own), format!("groups.ldap: group hr, ldap://127.0.0.1:{}: ok", slapd.port));
    let none = own.replace("departmentNumber=hr", "departmentNumber=none");
    assert!(probe(&none).contains("knows no member of the group; correct servers"), "{}", probe(&none));
    let away = probe(&rules(home.path(), &plain(1), "start_tls = false"));
    assert!(away.starts_with("groups.ldap: group hr, ldap://127.0.0.1:1: "), "{away}");
    assert!(away.contains("refused") && away.contains("; correct servers"), "{away}");
}

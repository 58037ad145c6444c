//! `postfix-audit`: every kind of map of a real Postfix, and what leads outside.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::lab::program::PROGRAM;

const CONFIG: &str = r#"[organisation]
name = "Exempelby kommun"
domains = ["exempelby.se"]
internal_networks = ["10.0.0.0/8"]

[server]
listen = ["inet:127.0.0.1:8891"]

[store]
directory = "/var/lib/postvakt"
"#;

/// Lays out a Postfix with these files and this `main.cf`, in which `~/` is its directory.
fn lay_out(directory: &Path, files: &[(&str, &str)], main: &str) {
    let home = directory.display().to_string();
    for (name, text) in files {
        fs::write(directory.join(name), text.replace("~/", &format!("{home}/"))).unwrap();
    }
    let main = format!(
        "compatibility_level = 3.6\nmydestination = mail.exempelby.se\n\
         mailbox_command =\nalias_maps =\nallow_percent_hack = no\nswap_bangpath = no\n\
         resolve_dequoted_address = no\n{main}"
    );
    fs::write(directory.join("main.cf"), main.replace("~/", &format!("{home}/"))).unwrap();
    fs::write(directory.join("master.cf"), "smtp inet n - n - - smtpd\n").unwrap();
    fs::write(directory.join("postvakt.toml"), CONFIG).unwrap();
}

fn audit(directory: &Path, options: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(["postfix-audit", "--config"]).arg(directory.join("postvakt.toml"));
    command.arg("--config-dir").arg(directory).args(options).output().unwrap()
}

/// `kind parameter for -> target file:line`, one line each; users of this machine have no forwards of their own.
fn found(directory: &Path) -> (Vec<String>, i32) {
    let output = audit(directory, &["--json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |line: &str| {
        let finding: Value = serde_json::from_str(line).unwrap();
        let word = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        let file = word("file");
        let file = file.rsplit('/').next().unwrap_or_default();
        let at = finding["line"].as_u64().map(|line| format!(" {file}:{line}")).unwrap_or_default();
        format!("{} {} {} -> {}{at}", word("kind"), word("parameter"), word("for"), word("target"))
    };
    (text.lines().map(line).collect(), output.status.code().unwrap())
}

#[test]
fn each_kind_of_map() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let files = [
        (
            "virtual",
            "# who goes where\nanna@exempelby.se  anna@gmail.com, anna-m\nbo@exempelby.se anna@exempelby.se\n",
        ),
        ("indexed", "kerstin@exempelby.se\n  bo@exempelby.se,\n  kerstin@example.net\n"),
        ("patterns", "/^(.*)@gammal\\.exempelby\\.se$/  ${1}@example.org\n/^x/ ${1}@${2}\n"),
        (
            "aliases",
            "root: anna-m\nlista: :include:~/lista, \"|/usr/bin/arkiv -a\", /var/mail/lista\nslut: /dev/null\n",
        ),
        ("lista", "# members\nmedlem@example.org\nbo@exempelby.se\n:include:~/lista\n"),
        ("bcc", "anna@exempelby.se arkiv@leverantor.example\n"),
        (
            "transport",
            "skola.exempelby.se smtp:[mx.example.org]\nanna@exempelby.se relay:[10.1.2.3]\nexample.com smtp:[mx.example.com]\n* smtp:[smart.example.net]\n",
        ),
    ];
    lay_out(
        directory,
        &files,
        "virtual_alias_maps = texthash:~/virtual, hash:~/indexed, regexp:~/patterns, inline:{ {c@exempelby.se = c@example.org} }, ldap:~/ldap.cf\n\
         alias_maps = texthash:~/aliases\nrecipient_bcc_maps = texthash:~/bcc\nsender_bcc_maps = static:allt@example.org\n\
         always_bcc = arkiv@exempelby.se\ntransport_maps = texthash:~/transport\n",
    );
    let made = Command::new("postmap").arg(format!("hash:{}/indexed", directory.display())).status();
    assert!(made.expect("postmap: apt-get install --no-install-recommends postfix").success());
    let (mut findings, code) = found(directory);
    findings.sort();
    let mut expected = [
        "external virtual_alias_maps anna@exempelby.se -> anna@gmail.com virtual:2",
        "external virtual_alias_maps kerstin@exempelby.se -> kerstin@example.net indexed:1",
        "external virtual_alias_maps /^(.*)@gammal\\.exempelby\\.se$/ -> ${1}@example.org patterns:1",
        "unlisted virtual_alias_maps /^x/ -> ${1}@${2} patterns:2",
        "external virtual_alias_maps c@exempelby.se -> c@example.org",
        "unlisted virtual_alias_maps * -> this type of map cannot be listed",
        "external alias_maps lista -> medlem@example.org lista:2",
        "command alias_maps lista -> |/usr/bin/arkiv -a aliases:2",
        "command alias_maps lista -> /var/mail/lista aliases:2",
        "external recipient_bcc_maps anna@exempelby.se -> arkiv@leverantor.example bcc:1",
        "external sender_bcc_maps * -> allt@example.org",
        "external transport_maps skola.exempelby.se -> smtp:[mx.example.org] transport:1",
        "external virtual_alias_maps bo@exempelby.se -> anna@gmail.com (by way of anna@exempelby.se) virtual:3",
        "external virtual_alias_maps bo@exempelby.se -> arkiv@leverantor.example (by way of anna@exempelby.se) virtual:3",
        "external virtual_alias_maps kerstin@exempelby.se -> anna@gmail.com (by way of bo@exempelby.se) indexed:1",
        "external virtual_alias_maps kerstin@exempelby.se -> arkiv@leverantor.example (by way of bo@exempelby.se) indexed:1",
        "external alias_maps lista -> anna@gmail.com (by way of bo@exempelby.se) lista:3",
        "external alias_maps lista -> arkiv@leverantor.example (by way of bo@exempelby.se) lista:3",
    ];
    expected.sort_unstable();
    assert_eq!(findings, expected);
    assert_eq!(code, 1);
    let table = String::from_utf8(audit(directory, &[]).stdout).unwrap();
    assert!(table.contains("anna@gmail.com") && table.contains("maps that cannot be listed"), "{table}");
}

#[test]
fn what_stays_inside_is_no_finding_and_what_cannot_be_read_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let inside =
        [("virtual", "anna@exempelby.se bo, bo@mail.exempelby.se\n@gammal.exempelby.se @exempelby.se\n")];
    lay_out(directory, &inside, "virtual_alias_maps = texthash:~/virtual\n");
    assert_eq!(found(directory), (Vec::new(), 0));
    lay_out(directory, &[], "virtual_alias_maps = texthash:~/missing\n");
    let (findings, code) = found(directory);
    assert!(findings[0].starts_with("unreadable virtual_alias_maps"), "{findings:?}");
    assert_eq!(code, 2);
    // A service may have maps of its own.
    lay_out(directory, &[], "");
    let master = "smtp inet n - n - - smtpd\n  -o virtual_alias_maps=static:x@example.org\n";
    fs::write(directory.join("master.cf"), master).unwrap();
    let (findings, code) = found(directory);
    assert_eq!(findings, ["external smtp/inet/virtual_alias_maps * -> x@example.org"]);
    assert_eq!(code, 1);
    let nowhere = audit(&directory.join("nowhere"), &[]);
    assert_eq!(nowhere.status.code(), Some(78), "the config is missing too");
}

#[test]
fn routes_in_addresses_and_the_settings_that_follow_them() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    // What main.cf does not say is on.
    let main = "myhostname = mail.exempelby.se\nallow_percent_hack = yes\nswap_bangpath = yes\nresolve_dequoted_address = yes\n";
    lay_out(directory, &[], main);
    let (findings, code) = found(directory);
    assert_eq!(
        findings,
        [
            "setting allow_percent_hack a%example.org@mail.exempelby.se -> a@example.org",
            "setting swap_bangpath example.org!a@mail.exempelby.se -> a@example.org",
            "setting resolve_dequoted_address \"a@example.org\"@mail.exempelby.se -> a@example.org",
        ]
    );
    assert_eq!(code, 0, "nobody's mail leads outside by them");
    let table = String::from_utf8(audit(directory, &[]).stdout).unwrap();
    assert!(table.contains("swap_bangpath") && table.contains("3 settings that follow routes"), "{table}");
    let virtuals = [("virtual", "anna@exempelby.se a%gmail.com@mail.exempelby.se\n")];
    lay_out(directory, &virtuals, "virtual_alias_maps = texthash:~/virtual\n");
    let (findings, code) = found(directory);
    let route = "external virtual_alias_maps anna@exempelby.se -> a%gmail.com@mail.exempelby.se virtual:1";
    assert_eq!((findings.as_slice(), code), ([route.to_owned()].as_slice(), 1));
}

//! `[[tests]]`: mail in the config, run by `check` and before every reload.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::process::Signal;

use crate::lab::program::{PROGRAM, Postvakt};
use crate::lab::{self, Ports, until};

/// Rules, and tests of them that pass.
const GOOD: &str = "[rules.auto-forward]
mode = \"enforce\"
notify = \"nobody\"
[rules.sensitive-data]
mode = \"observe\"
action = \"hold\"
[[tests]]
mail = \"mail/elevlista.eml\"
expect = \"accepted\"
would = \"held\"
findings = [\"sensitive-data\"]
without = \"auto-forward\"
[[tests]]
mail = \"mail/forward.eml\"
after = [\"mail/came.eml\"]
expect = \"held\"
findings = \"auto-forward=certain\"
source = \"Exempelby 1\"
[[tests]]
mail = \"mail/forward.eml\"
expect = \"accepted\"
without = \"auto-forward=certain\"
[[tests]]
mail = \"mail/came.eml\"
expect = \"accepted\"
sender = \"<>\"
recipients = [\"anna@exempelby.se\"]
client = \"198.51.100.7\"
auth_user = \"anna\"
arrived = \"2026-12-01T10:00:00+01:00\"
direction = \"inbound\"
";

/// The mails that the tests name; one of them is in Latin-1.
fn mails(folder: &Path) {
    let inner = folder.join("mail");
    fs::create_dir_all(&inner).unwrap();
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/tests/elevlista.eml");
    fs::copy(ours, inner.join("elevlista.eml")).unwrap();
    let mail = |to: &str| {
        let header = format!(
            "Return-Path: <medborgare@example.org>\nTo: {to}\nMessage-ID: <1@example.org>\n\
             From: medborgare@example.org\nDate: Mon, 2 Mar 2026 10:00:00 +0100\nSubject: Bygglov\n\
             Content-Type: text/plain; charset=iso-8859-1\n\n"
        );
        [header.as_bytes(), b"Hej p\xe5 er\n"].concat()
    };
    fs::write(inner.join("came.eml"), mail("anna@exempelby.se")).unwrap();
    fs::write(inner.join("forward.eml"), mail("x@example.net")).unwrap();
}

fn written(folder: &Path, rules: &str) -> PathBuf {
    let config = folder.join("tested.toml");
    fs::write(&config, lab::config(rules)).unwrap();
    config
}

fn check(config: &Path, arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(["check", "--config"]).arg(config).args(arguments).output().unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

#[test]
fn check_runs_the_tests_of_a_config() {
    let folder = tempfile::tempdir().unwrap();
    mails(folder.path());
    let config = written(folder.path(), GOOD);
    let output = check(&config, &[]);
    let name = config.display();
    assert_eq!(
        text(&output.stdout),
        format!("{name}: valid\n{name}: 4 of 4 tests passed\n"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_failing_test_says_where_it_stands_what_was_expected_and_what_came() {
    let folder = tempfile::tempdir().unwrap();
    mails(folder.path());
    let bad =
        GOOD.replace("[rules.auto-forward]\nmode = \"enforce\"", "[rules.auto-forward]\nmode = \"observe\"");
    let config = written(folder.path(), &bad);
    let output = check(&config, &[]);
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!((output.status.code(), errors.lines().count()), (Some(1), 1), "{errors}");
    assert!(said.ends_with(": 3 of 4 tests passed\n"), "{said}");
    for part in [
        "tests: mail/forward.eml (Exempelby 1): expected held, got accepted; findings: auto-forward=certain would be held by ",
        "; see `postvakt explain` of this mail, and change the rules or the test",
    ] {
        assert!(errors.contains(part), "{part}\n{errors}");
    }
    let line = 1 + fs::read_to_string(&config)
        .unwrap()
        .lines()
        .position(|l| l == "mail = \"mail/forward.eml\"")
        .unwrap();
    assert!(errors.contains(&format!("tested.toml:{}:1: ", line - 1)), "{line}\n{errors}");
    let output = check(&config, &["--json"]);
    let problems: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &problems[0]["key"], &problems[0]["severity"]),
        (Some(1), &"tests".into(), &"error".into())
    );

    let nobody = "[[tests]]\nmail = \"mail/nobody.eml\"\nexpect = \"accepted\"\n";
    fs::write(folder.path().join("mail/nobody.eml"), "Subject: to nobody\n\nHej\n").unwrap();
    let output = check(&written(folder.path(), nobody), &[]);
    assert!(text(&output.stderr).contains("no recipient in To, Cc or Delivered-To"), "{output:?}");
    for (wrong, said) in [
        ("expect = \"accepted\"\nwould = \"held\"", "expected would = held, got accepted"),
        (
            "expect = \"accepted\"\nfindings = [\"auto-forward\"]",
            "expected finding auto-forward; findings: none",
        ),
        ("expect = \"rejected\"", "expected rejected, got accepted; findings: none"),
    ] {
        let test = format!(
            "[rules.auto-forward]\nmode = \"observe\"\n[[tests]]\nmail = \"mail/came.eml\"\n{wrong}\n"
        );
        let output = check(&written(folder.path(), &test), &[]);
        assert!(text(&output.stderr).contains(said), "{said}\n{}", text(&output.stderr));
    }
}

/// A pipe that nobody writes into, and how the program ends that meets it: after this time it would be stopped.
#[test]
fn a_pipe_in_the_place_of_a_file_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    mails(folder.path());
    fs::create_dir(folder.path().join("conf.d")).unwrap();
    for pipe in ["pipe.eml", "conf.d/a.toml"] {
        assert!(Command::new("mkfifo").arg(folder.path().join(pipe)).status().unwrap().success());
    }
    let whole = lab::config("[[tests]]\nmail = \"pipe.eml\"\nexpect = \"accepted\"\n");
    let after = whole.replace("pipe.eml\"\n", "mail/came.eml\"\nafter = [\"pipe.eml\"]\n");
    for (text, said) in [
        (whole, "tests.mail: pipe.eml: not a regular file; name an existing file"),
        (after, "tests.after: pipe.eml: not a regular file; name an existing file"),
        (
            format!("include = [\"conf.d/*.toml\"]\n{}", lab::config("")),
            "include: conf.d/a.toml: not a regular file; name an existing file",
        ),
    ] {
        let config = folder.path().join("tested.toml");
        fs::write(&config, text).unwrap();
        let output =
            Command::new("timeout").args(["20", PROGRAM, "check", "--config"]).arg(&config).output().unwrap();
        let errors = self::text(&output.stderr);
        assert!(output.status.code() == Some(78) && errors.contains(said), "{:?}: {errors}", output.status);
    }
}

#[test]
fn a_reload_whose_tests_fail_keeps_the_old_config() {
    let folder = tempfile::tempdir().unwrap();
    mails(folder.path());
    fs::create_dir(folder.path().join("run")).unwrap();
    // A start does not run them.
    let failing = GOOD.replace("expect = \"held\"", "expect = \"rejected\"");
    let postvakt = Postvakt::start(folder.path(), &Ports::reserve(), &failing);
    let reloaded = |result: &str| {
        postvakt.signal(Signal::HUP);
        let wanted = format!("postvakt_config_reloads_total{{result=\"{result}\"}} 1");
        until("the reload", &postvakt.log, || postvakt.get("/metrics").contains(&wanted).then_some(()));
    };
    reloaded("refused");
    let log = postvakt.log.text();
    for part in [
        "mail/forward.eml (Exempelby 1): expected rejected, got held",
        "the new config fails its tests; the old config stays active",
    ] {
        assert!(log.contains(part), "{part}\n{log}");
    }
    assert_eq!(postvakt.metric("postvakt_config_reload_success"), 0);
    let metrics = postvakt.get("/metrics");
    for line in ["postvakt_config_tests{result=\"failed\"} 1", "postvakt_config_tests{result=\"passed\"} 3"] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    postvakt.write_rules(GOOD);
    reloaded("taken");
    assert_eq!(postvakt.metric("postvakt_config_reload_success"), 1);
    assert!(postvakt.get("/metrics").contains("postvakt_config_tests{result=\"failed\"} 0"));
}

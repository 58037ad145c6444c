//! `replay` over stored mail, as an admin tries a new config.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::lab;

fn config(folder: &Path, name: &str, action: &str) -> PathBuf {
    let rules = format!(
        "[rules.auto-forward]\nmode = \"enforce\"\naction = \"{action}\"\nreroute_to = \"registrator@exempelby.se\"\n"
    );
    fs::write(folder.join(name), lab::config(&rules)).unwrap();
    folder.join(name)
}

/// A mail that comes in, the same one as it is forwarded, and one that nothing is said of.
fn mail(folder: &Path) -> PathBuf {
    let from = "From: medborgare@example.org\nDate: Mon, 2 Mar 2026 10:00:00 +0100\nSubject: Bygglov\n";
    let came = format!(
        "Return-Path: <medborgare@example.org>\nTo: anna@exempelby.se\nMessage-ID: <1@example.org>\n{from}\nHej\n"
    );
    let left = format!(
        "Return-Path: <medborgare@example.org>\nTo: x@example.net\nMessage-ID: <1@example.org>\n{from}\nHej\n"
    );
    let mails = folder.join("mails");
    fs::create_dir(&mails).unwrap();
    fs::write(mails.join("1.eml"), &came).unwrap();
    fs::write(
        mails.join("2.mbox"),
        format!("From x Mon\n{left}\nFrom y Tue\nFrom: a@example.org\nTo: anna@exempelby.se\n\nHej\n"),
    )
    .unwrap();
    mails
}

fn replay(arguments: &[&str], config: &Path, mails: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postvakt"));
    command.arg("replay").arg("--config").arg(config).args(arguments).arg(mails);
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_new_config_is_compared_with_the_old_one_mail_by_mail() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (config(folder.path(), "old", "hold"), config(folder.path(), "new", "reroute"));
    let mails = mail(folder.path());
    let output = replay(&["--against", &old.display().to_string()], &new, &mails);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = text(&output);
    assert!(said.contains("2.mbox#1") && !said.contains("1.eml") && !said.contains("2.mbox#2"), "{said}");
    assert!(said.contains("-auto-forward=certain held; +auto-forward=certain marked"), "{said}");
    assert!(said.ends_with("3 mails, 1 decided otherwise\n"), "{said}");

    let output = replay(&["--json", "--against", &old.display().to_string()], &new, &mails);
    let objects: Vec<Value> = text(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 3);
    let [came, left, other] = &objects[..] else { panic!("{objects:?}") };
    assert_eq!(
        (&came["differs"], &left["differs"], &other["differs"]),
        (&false.into(), &true.into(), &false.into())
    );
    assert_eq!((&left["verdict"], &left["against"]["verdict"]), (&"marked".into(), &"held".into()));
}

#[test]
fn the_same_config_decides_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (config(folder.path(), "old", "hold"), config(folder.path(), "new", "hold"));
    let mails = mail(folder.path());
    let output = replay(&["--against", &old.display().to_string()], &new, &mails);
    assert_eq!((output.status.code(), text(&output)), (Some(0), "3 mails, 0 decided otherwise\n".to_owned()));
    let alone = replay(&[], &new, &mails);
    let said = text(&alone);
    assert_eq!(alone.status.code(), Some(0));
    assert!(said.contains("auto-forward=certain held") && said.ends_with("3 mails\n"), "{said}");
}

#[test]
fn what_cannot_be_judged_is_named_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let new = config(folder.path(), "new", "hold");
    let mails = mail(folder.path());
    fs::write(mails.join("0-nobody.eml"), "Subject: to nobody\n\nHej\n").unwrap();
    let output = replay(&[], &new, &mails);
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(errors.contains("0-nobody.eml: no recipient in To, Cc or Delivered-To"), "{errors}");
    assert!(text(&output).ends_with("3 mails\n"));

    fs::write(folder.path().join("bad"), "[organisation\n").unwrap();
    assert_eq!(replay(&[], &folder.path().join("bad"), &mails).status.code(), Some(78));
    assert_eq!(replay(&[], &new, &folder.path().join("absent")).status.code(), Some(2));
}

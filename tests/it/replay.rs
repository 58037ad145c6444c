//! `replay` over stored mail, as an admin tries a new config.

use std::fs;
use std::io::Write as _;
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
    assert!(said.contains("+add-recipient registrator@exempelby.se") && said.contains("-hold"), "{said}");
    let sums = said.lines().find(|line| line.starts_with("auto-forward ")).unwrap();
    let cells: Vec<&str> = sums.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    assert_eq!(cells, ["auto-forward", "enforce", "1", "0 > 1", "1 > 0", "0", "0", "0"], "{said}");
    assert!(said.ends_with("3 mails, 1 with another effect\n"), "{said}");

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
    assert_eq!(
        (output.status.code(), text(&output)),
        (Some(0), "3 mails, 0 with another effect\n".to_owned())
    );
    let alone = replay(&[], &new, &mails);
    let said = text(&alone);
    assert_eq!(alone.status.code(), Some(0));
    assert!(said.contains("auto-forward=certain held") && said.ends_with("3 mails\n"), "{said}");
}

/// Sparse files: they are larger than the memory that the program may take.
#[test]
fn a_message_without_end_is_told_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let new = config(folder.path(), "new", "hold");
    let mails = mail(folder.path());
    let header = "From: a@example.org\nTo: anna@exempelby.se\n\n";
    fs::write(mails.join("3.mbox"), format!("From x Mon\n{header}")).unwrap();
    fs::write(mails.join("4.eml"), header).unwrap();
    for name in ["3.mbox", "4.eml"] {
        let mut file = fs::OpenOptions::new().append(true).open(mails.join(name)).unwrap();
        file.set_len(3 << 30).unwrap();
        write!(file, "\n\nFrom y Tue\n{header}Hej\n").unwrap();
    }
    let mut command = Command::new("prlimit");
    command.args(["--as=2147483648", env!("CARGO_BIN_EXE_postvakt"), "replay", "--config"]).arg(&new);
    let output = command.arg(&mails).output().unwrap();
    let errors = String::from_utf8(output.stderr.clone()).unwrap();
    let told = [mails.join("3.mbox#1"), mails.join("4.eml")]
        .map(|name| format!("postvakt: {}: larger than 64 MiB; this mail is skipped\n", name.display()));
    assert_eq!((output.status.code(), errors), (Some(2), told.concat()));
    assert!(text(&output).ends_with("4 mails\n"), "{}", text(&output));
}

/// What a rule would have done is no effect: only its mode is another one.
#[test]
fn a_rule_that_acts_from_now_on_differs_where_it_acts() {
    let folder = tempfile::tempdir().unwrap();
    let new = config(folder.path(), "new", "hold");
    let observing = fs::read_to_string(&new).unwrap().replace("\"enforce\"", "\"observe\"");
    let old = folder.path().join("old");
    fs::write(&old, observing).unwrap();
    let mails = mail(folder.path());
    let said = text(&replay(&["--against", &old.display().to_string()], &new, &mails));
    let rows: Vec<&str> =
        said.lines().filter(|line| line.contains(".eml") || line.contains(".mbox")).collect();
    assert!(rows.len() == 1 && rows[0].contains("2.mbox#1  accepted  held "), "{said}");
    assert!(rows[0].contains("+hold"), "{said}");
    assert!(said.contains("auto-forward  observe > enforce  1 "), "{said}");
    // A rule that finds something and lets it pass changes nothing, in either mode.
    let likely = |name: &str, mode: &str| {
        let rules = format!("[rules.first-contact]\nmode = \"{mode}\"\n");
        fs::write(folder.path().join(name), lab::config(&rules)).unwrap();
        folder.path().join(name)
    };
    let (old, new) = (likely("observing", "observe"), likely("same", "observe"));
    let output = replay(&["--against", &old.display().to_string()], &new, &mails);
    assert_eq!(
        (output.status.code(), text(&output)),
        (Some(0), "3 mails, 0 with another effect\n".to_owned())
    );
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
    let output = replay(
        &["--rcpt", "anna@exempelby.se", "--rcpt", "bo@exempelby.se"],
        &new,
        &mails.join("0-nobody.eml"),
    );
    assert_eq!((output.status.code(), text(&output)), (Some(0), "1 mails\n".to_owned()));
    let output = replay(&["--rcpt", "<>"], &new, &mails);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), errors),
        (Some(2), "postvakt: --rcpt <>: invalid address\n".to_owned())
    );

    fs::write(folder.path().join("bad"), "[organisation\n").unwrap();
    assert_eq!(replay(&[], &folder.path().join("bad"), &mails).status.code(), Some(78));
    assert_eq!(replay(&[], &new, &folder.path().join("absent")).status.code(), Some(2));
}

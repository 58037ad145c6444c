//! `postfix-setup`: a plain Postfix is connected to the milter, shown, applied, and as it was after --undo.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lab::program::PROGRAM;
use crate::lab::{Directory, Lab, free_port, message};

const FROM: &str = "x@example.org";
const TO: &str = "anna@exempelby.se";

/// Takes the shipped lines out of the lab's Postfix: a plain one, as it is before Postvakt comes.
fn plain(etc: &Path) -> [String; 2] {
    let main = fs::read_to_string(etc.join("main.cf")).unwrap();
    let (own, _) = main.split_once("# Lines for Postfix's main.cf").unwrap();
    fs::write(etc.join("main.cf"), own).unwrap();
    let master = fs::read_to_string(etc.join("master.cf")).unwrap();
    let mut kept = String::new();
    let mut dropped = false;
    for line in master.lines() {
        if !line.starts_with(' ') {
            dropped = line.contains(" smtpd") && line.starts_with("127.0.0.1:");
        }
        if !dropped && !line.starts_with('#') {
            kept += line;
            kept.push('\n');
        }
    }
    fs::write(etc.join("master.cf"), &kept).unwrap();
    [own.to_owned(), kept]
}

fn read(etc: &Path) -> [String; 2] {
    ["main.cf", "master.cf"].map(|name| fs::read_to_string(etc.join(name)).unwrap())
}

/// Exit status, and what was printed.
fn setup(config: &Path, etc: &Path, options: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(PROGRAM);
    command.arg("postfix-setup").arg("--config").arg(config).arg("--config-dir").arg(etc).args(options);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

fn etc_of(directory: &Directory) -> (PathBuf, PathBuf) {
    (directory.path.join("postfix/etc"), directory.path.join("postvakt.toml"))
}

#[test]
fn a_plain_postfix_logs_its_mail_after_one_command_and_is_as_it_was_after_another() {
    let directory = Directory::new();
    let (etc, config) = etc_of(&directory);
    let (lab, before) = Lab::start_with(directory, "", |_| {
        let before = plain(&etc);
        let (status, said) = setup(&config, &etc, &[]);
        assert_eq!((status, read(&etc)), (Some(1), before.clone()), "{said}");
        assert!(said.contains("+smtpd_milters = inet:127.0.0.1:"), "{said}");
        assert!(said.contains("+milter_default_action = tempfail"), "{said}");
        let (status, said) = setup(&config, &etc, &["--apply"]);
        assert_eq!(status, Some(0), "{said}");
        assert!(said.contains("is active when it starts"), "{said}");
        let (status, said) = setup(&config, &etc, &[]);
        assert_eq!(status, Some(0), "{said}");
        assert!(said.contains("set up already") && !said.contains("+++"), "{said}");
        before
    });
    let reply = lab.outside().send(FROM, &[TO], &message(FROM, TO, "efter uppsättningen", ""));
    assert!(reply.starts_with("250 "), "{reply}\n{lab}");
    assert_eq!(lab.record_of(&reply)["subject"], "efter uppsättningen");
    lab.postfix.sendmail(FROM, &[TO], &message(FROM, TO, "från värden", ""));
    lab.records(2);
    let (status, said) = setup(&config, &etc, &["--undo"]);
    assert_eq!((status, read(&etc)), (Some(0), before), "{said}");
    assert!(said.contains("Postfix was reloaded"), "{said}");
    let main = etc.join("main.cf").display().to_string();
    assert!(said.contains(&format!("--- {main} (with Postvakt)\n+++ {main}\n")), "{said}");
    assert_eq!(fs::read_dir(&etc).unwrap().count(), 3, "no backup stays");
    let (status, said) = setup(&config, &etc, &["--undo"]);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("nothing was set up here"), "{said}");
}

#[test]
fn what_others_set_stays_and_what_they_edit_afterwards_too() {
    let directory = Directory::new();
    let (etc, config) = etc_of(&directory);
    Lab::start_with(directory, "", |postfix| {
        plain(&etc);
        postfix.amend(
            "smtpd_milters = inet:127.0.0.1:11332,\n  unix:/run/opendkim/opendkim.sock\n\
             milter_default_action = accept\ncontent_filter = smtp-amavis:[127.0.0.1]:10024\n",
            "127.0.0.1:10025 inet n - n - - smtpd\n  -o content_filter=\nsmtp-amavis unix - - n - 2 smtp\n\
             submissions inet n - n - - smtpd\n  -o smtpd_milters=inet:127.0.0.1:11332\n",
        );
        let (status, said) = setup(&config, &etc, &["--apply"]);
        assert_eq!(status, Some(0), "{said}");
        assert!(said.contains("note: there are other milters, and Postvakt comes last"), "{said}");
        let [main, master] = read(&etc);
        let own = main.lines().find(|line| line.starts_with("smtpd_milters")).unwrap();
        assert!(
            own.contains("inet:127.0.0.1:11332, unix:/run/opendkim/opendkim.sock, {inet:127.0.0.1:"),
            "{main}"
        );
        assert!(own.ends_with(",default_action=tempfail}"), "{main}");
        assert!(main.contains("\nmilter_default_action = accept\n"), "{main}");
        let after = |service: &str| master.split_once(&format!("\n{service} ")).unwrap().1.to_owned();
        assert!(after("127.0.0.1:10025").lines().nth(2).unwrap().contains("smtpd_milters="), "{master}");
        assert!(after("submissions").contains("inet:127.0.0.1:11332,{inet:127.0.0.1:"), "{master}");
        // Somebody adds a milter and a line of their own, before all is taken out again.
        postfix.set(&[
            format!("{}, inet:127.0.0.1:8893", own.replace(" = ", "=")),
            "message_size_limit = 30000000".to_owned(),
        ]);
        let (status, said) = setup(&config, &etc, &["--undo"]);
        assert_eq!(status, Some(0), "{said}");
        let [main, master] = read(&etc);
        assert!(
            main.contains(
                "smtpd_milters = inet:127.0.0.1:11332, unix:/run/opendkim/opendkim.sock, inet:127.0.0.1:8893\n"
            ),
            "{main}"
        );
        assert!(main.contains("message_size_limit = 30000000"), "{main}");
        assert!(!main.contains("non_smtpd_milters") && !main.contains("enable_long_queue_ids"), "{main}");
        assert!(!master.contains("postfix/postvakt"), "{master}");
        assert!(master.contains("-o smtpd_milters=inet:127.0.0.1:11332\n"), "{master}");
    });
}

#[test]
fn a_log_that_is_followed_is_to_tell_of_tls() {
    let directory = Directory::new();
    let (etc, config) = etc_of(&directory);
    Lab::start_with(directory, "", |_| {
        plain(&etc);
        let (_, said) = setup(&config, &etc, &[]);
        assert!(!said.contains("smtp_tls_loglevel"), "{said}");
        let followed = config.with_file_name("followed.toml");
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&followed, format!("{text}\n[postfix]\nlog = \"/var/log/mail.log\"\n")).unwrap();
        let (_, said) = setup(&followed, &etc, &[]);
        assert!(said.contains("+smtp_tls_loglevel = 1"), "{said}");
    });
}

#[test]
fn a_socket_that_a_chroot_hides_is_refused_and_one_in_the_queue_directory_is_named_from_there() {
    let directory = Directory::new();
    let (etc, config) = etc_of(&directory);
    let home = directory.path.clone();
    Lab::start_with(directory, "", |_| {
        plain(&etc);
        let text = fs::read_to_string(&config).unwrap();
        let own = |socket: &Path| {
            let path = home.join("unix.toml");
            let listen = text.lines().position(|line| line.starts_with("listen")).unwrap();
            let kept = text.lines().enumerate().filter(|(at, _)| *at != listen && *at != listen + 1);
            let kept = kept.map(|(_, line)| line).collect::<Vec<_>>().join("\n");
            let listen = format!("[server]\nlisten = [\"unix:{}\"]", socket.display());
            fs::write(&path, kept.replace("[server]", &listen)).unwrap();
            path
        };
        let outside = own(&home.join("run/own.sock"));
        let (status, said) = setup(&outside, &etc, &[]);
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains(&format!("+smtpd_milters = unix:{}/run/own.sock", home.display())), "{said}");
        let master = fs::read_to_string(etc.join("master.cf")).unwrap();
        let confined = master.replace("cleanup unix n - n ", "cleanup unix n - y ");
        assert_ne!(confined, master);
        fs::write(etc.join("master.cf"), confined).unwrap();
        let (status, said) = setup(&outside, &etc, &["--apply"]);
        assert_eq!(status, Some(2), "{said}");
        assert!(said.contains("run in a chroot"), "{said}");
        let (status, said) = setup(&own(&home.join("postfix/queue/postvakt/milter.sock")), &etc, &[]);
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains("+smtpd_milters = unix:postvakt/milter.sock"), "{said}");
        fs::write(etc.join("master.cf"), master).unwrap();
    });
}

/// A content filter as Postfix's `FILTER_README` describes it: it takes the mail and hands it in again at another port.
const CONTENT_FILTER: &str = r#"
import smtplib, sys
port, sender, recipients = sys.argv[1], sys.argv[2], sys.argv[3:]
message = b"X-Filtered: yes\n" + sys.stdin.buffer.read()
smtplib.SMTP("127.0.0.1", int(port)).sendmail(sender, recipients, message)
"#;

#[test]
fn mail_through_a_content_filter_has_one_record_and_keeps_its_marks() {
    let directory = Directory::new();
    let (etc, config) = etc_of(&directory);
    let filter = directory.path.join("filter.py");
    fs::write(&filter, CONTENT_FILTER).unwrap();
    let again = free_port();
    let rules = "[rules.suspicious-attachment]\nmode = \"enforce\"\n[rules.receipt]\nmode = \"enforce\"\ndelay = \"1 s\"\n\
                 require_authentication = false\n[[rules.receipt.mailboxes]]\naddress = \"registrator@exempelby.se\"\n";
    let (lab, ()) = Lab::start_with(directory, rules, |postfix| {
        plain(&etc);
        postfix.amend(
            "content_filter = filter:\n",
            &format!(
                "127.0.0.1:{again} inet n - n - - smtpd\n  -o content_filter=\nfilter unix - n n - 10 pipe\n  \
                 flags=q user=nobody argv=/usr/bin/python3 {} {again} ${{sender}} ${{recipient}}\n",
                filter.display()
            ),
        );
        let (status, said) = setup(&config, &etc, &["--apply"]);
        assert_eq!(status, Some(0), "{said}");
    });
    let to = "registrator@exempelby.se";
    let header = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n";
    let whole = message(FROM, to, "Faktura", header);
    let (head, _) = whole.split_once("\n\n").unwrap();
    let body = "--b\n\nHej!\n--b\nContent-Disposition: attachment; filename=faktura.pdf.exe\n\
                Content-Type: application/octet-stream\n\nMZ\n--b--\n";
    let reply = lab.outside().send(FROM, &[to], &format!("{head}\n\n{body}"));
    assert!(reply.starts_with("250"), "{reply}");
    let delivered = lab.delivered(to, 1).remove(0);
    assert!(delivered.contains("\nX-Filtered: yes\n"), "{delivered}");
    // It came through Postfix twice, under two queue ids, and through the milter once.
    assert_eq!(delivered.matches("\nReceived: ").count(), 2, "{delivered}");
    let record = lab.records(1).remove(0);
    assert_eq!(record["verdict"], "marked", "{record}");
    for (name, value) in [
        ("X-Postvakt-Id", record["record"].as_str().unwrap()),
        ("X-Postvakt-Suspicious", "suspicious-attachment"),
        ("X-Postvakt-Receipt", "PV-"),
    ] {
        let fields: Vec<_> =
            delivered.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect();
        assert!(fields.len() == 1 && fields[0].starts_with(value), "{name}: {fields:?}\n{delivered}");
    }
    // Its receipt goes past the content filter and the milter.
    let receipt = lab.delivered(FROM, 1).remove(0);
    assert!(!receipt.contains("X-Filtered") && !receipt.contains("X-Postvakt-Id"), "{receipt}");
    assert_eq!(lab.records(1).len(), 1);
}

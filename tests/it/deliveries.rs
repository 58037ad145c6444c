//! What became of mail, as Postfix's own log tells it: a real Postfix, its real log, and what the log of Postvakt says by it.

use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::lab::machine::Machine;
use crate::lab::program::PROGRAM;
use crate::lab::{Directory, Lab, certify, free_port, message, queue_id, run, until};

const ANNA: &str = "anna@exempelby.se";
const X: &str = "x@example.org";
const PURPOSE: [&str; 2] = ["--purpose", "felsökning i testmiljö"];

/// A gateway whose Postfix cannot reach `down.example`, gives mail for `gone.example` up, and hands mail for `filtered.example` on
/// through a content filter of its own.
struct Gateway {
    lab: Lab,
    maillog: PathBuf,
    etc: PathBuf,
}

impl Gateway {
    fn start(follow: bool) -> Self {
        let directory = Directory::new();
        let home = directory.path.join("postfix");
        let (maillog, etc) = (home.join("maillog"), home.join("etc"));
        let rules =
            if follow { format!("[postfix]\nlog = \"{}\"\n", maillog.display()) } else { String::new() };
        let own = etc.clone();
        let (lab, ()) = Lab::start_with(directory, &rules, |postfix| {
            fs::write(
                own.join("virtual"),
                "info@exempelby.se anna@exempelby.se, x@example.org, late@down.example\n",
            )
            .unwrap();
            let down = free_port();
            let transports = format!(
                "down.example smtp:[127.0.0.1]:{down}\ngone.example gone:\nfiltered.example smtp:[127.0.0.1]:{}\n",
                postfix.ports.reinjection
            );
            fs::write(own.join("transport"), transports).unwrap();
            fs::write(own.join("filtered"), "filtered.example outside:\n").unwrap();
            let main = format!(
                "virtual_alias_maps = texthash:{0}/virtual\ntransport_maps = texthash:{0}/transport\nsmtp_tls_loglevel = 1\n",
                own.display()
            );
            postfix.amend(
                &main,
                "smtp unix - - n - - smtp\ngone unix - n n - - pipe flags=R user=nobody argv=/bin/false\n",
            );
        });
        Self { lab, maillog, etc }
    }

    fn send(&self, to: &[&str], subject: &str) -> String {
        let reply = self.lab.inside().send(ANNA, to, &message(ANNA, to[0], subject, ""));
        queue_id(&reply)
    }

    fn log(&self, arguments: &[&str]) -> Output {
        Command::new(PROGRAM)
            .arg("log")
            .args(arguments)
            .arg("--config")
            .arg(&self.lab.postvakt.config)
            .output()
            .unwrap()
    }

    fn show(&self, id: &str) -> Value {
        let output = self.log(&[&["show", id, "--json"], &PURPOSE[..]].concat());
        assert!(output.status.success(), "{output:?}\n{}", self.lab);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The mail, once Postfix's log told so many deliveries of it.
    fn told(&self, id: &str, count: usize) -> Value {
        until(&format!("{count} deliveries of {id}"), &self.lab, || {
            let shown = self.show(id);
            (deliveries(&shown).len() >= count).then_some(shown)
        })
    }

    fn postfix(&self, command: &str, arguments: &[&str]) {
        run(Command::new(command)
            .arg("-c")
            .arg(&self.etc)
            .args(arguments)
            .stderr(std::process::Stdio::null()));
    }
}

/// Recipient, whom the mail named, and status of each delivery, in all queue files.
fn deliveries(shown: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let files = shown["deliveries"]["queue_files"].as_array().cloned().unwrap_or_default();
    let all = files.iter().flat_map(|file| file["deliveries"].as_array().unwrap());
    all.map(|one| (text(&one["recipient"]), text(&one["for"]), text(&one["status"]))).collect()
}

fn found(gateway: &Gateway, status: &str) -> Vec<String> {
    let found = gateway.lab.postvakt.search(&["--status", status]);
    let subjects = found.iter().map(|record| record["subject"].as_str().unwrap().to_owned());
    // Postfix's own mail has records too.
    subjects.filter(|subject| subject != "Undelivered Mail Returned to Sender").collect()
}

fn three(recipient: &str, named: &str, status: &str) -> (String, String, String) {
    (recipient.to_owned(), named.to_owned(), status.to_owned())
}

#[test]
fn what_became_of_each_recipient_is_told() {
    let gateway = Gateway::start(true);
    let delivered = gateway.send(&[X], "levererat");
    let bounced = gateway.send(&["z@gone.example"], "studsat");
    let alias = gateway.send(&["info@exempelby.se"], "alias");
    gateway.told(&delivered, 1);
    gateway.told(&bounced, 1);
    let shown = gateway.told(&alias, 3);
    let info = "info@exempelby.se";
    assert_eq!(
        deliveries(&shown),
        [three(ANNA, info, "sent"), three("late@down.example", info, "deferred"), three(X, info, "sent")]
    );
    let file = &shown["deliveries"]["queue_files"][0];
    let late = &file["deliveries"][1];
    assert!(
        late["text"].as_str().unwrap().contains("Connection refused") && late["dsn"] == "4.4.1",
        "{late}"
    );
    assert_eq!((&file["ended"], &file["instance"]), (&Value::Null, &"postfix".into()));
    assert_eq!(shown["deliveries"]["according_to"], "postfix");
    // It waits, and the log is read up to now and not further.
    let gaps = shown["deliveries"]["not_read"].as_array().unwrap();
    assert!(gaps.len() == 1 && gaps[0][1].is_null(), "{gaps:?}");
    // A mail that is done has none.
    until("the end of the mail", &gateway.lab, || {
        let shown = gateway.show(&delivered);
        (shown["deliveries"]["queue_files"][0]["how"] == "removed").then_some(())
    });
    assert_eq!(gateway.show(&delivered)["deliveries"]["not_read"], Value::Array(Vec::new()));
    let page = gateway.log(&[&["show", &alias], &PURPOSE[..]].concat());
    let page = String::from_utf8(page.stdout).unwrap();
    for line in [
        "delivery (according to Postfix)",
        "  status            deferred 4.4.1",
        "  for               info@exempelby.se",
    ] {
        assert!(page.contains(line), "{page}");
    }
    assert_eq!(found(&gateway, "delivered"), ["levererat", "alias"]);
    assert_eq!(found(&gateway, "deferred"), ["alias"]);
    assert_eq!(found(&gateway, "bounced"), ["studsat"]);
    assert!(found(&gateway, "expired").is_empty());
    // The gate is as it was: without a decision, people inside are pseudonyms.
    let veiled = gateway.log(&[&["search", "--json", "--status", "deferred"], &PURPOSE[..]].concat());
    let veiled = String::from_utf8(veiled.stdout).unwrap();
    assert!(veiled.contains("alias") && !veiled.contains(ANNA), "{veiled}");
    let without = gateway.log(&["search", "--status", "deferred"]);
    assert_eq!(without.status.code(), Some(2));

    // Requeued: another queue id, to which the old one leads and back.
    gateway.lab.postfix.requeue(&alias);
    let shown = until("the requeued mail", &gateway.lab, || {
        let shown = gateway.show(&alias);
        let next = &shown["deliveries"]["queue_files"][1];
        next["deliveries"].as_array().is_some_and(|all| !all.is_empty()).then(|| shown.clone())
    });
    let next = &shown["deliveries"]["queue_files"][1];
    assert_eq!(
        (&next["from"]["queue_id"], &next["from"]["how"]),
        (&alias.clone().into(), &"requeued".into())
    );
    assert_eq!(shown["deliveries"]["queue_files"][0]["how"], "requeued");
    let requeued = next["queue_id"].as_str().unwrap().to_owned();
    assert_eq!(gateway.show(&requeued)["record"]["subject"], "alias");
    // Given up by a command.
    gateway.postfix("postsuper", &["-f", &requeued]);
    gateway.postfix("postqueue", &["-f"]);
    until("the expired mail", &gateway.lab, || (found(&gateway, "expired") == ["alias"]).then_some(()));
    assert!(found(&gateway, "deferred").is_empty());
    // A recipient that looks like a delivery forges none.
    let hostile = "\"a>, relay=x, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (250\"@down.example";
    let forged = gateway.send(&[hostile], "fientligt");
    assert_eq!(deliveries(&gateway.told(&forged, 1)), [three(hostile, "", "deferred")]);
    assert!(!found(&gateway, "delivered").contains(&"fientligt".to_owned()));
    let probe =
        run(Command::new(PROGRAM).args(["check", "--probe", "--config"]).arg(&gateway.lab.postvakt.config));
    assert!(probe.contains(&format!("postfix.log: {}: ok", gateway.maillog.display())), "{probe}");
    let told = gateway.lab.postvakt.metric("postvakt_delivery_log_lines_total{result=\"told\"}");
    assert!(told > 10 && gateway.lab.postvakt.metric("postvakt_delivery_log_failing") == 0, "{told}");
}

#[test]
fn a_log_that_is_rotated_and_a_part_that_is_lost() {
    let mut gateway = Gateway::start(true);
    let first = gateway.send(&["y@down.example"], "ett");
    gateway.told(&first, 1);
    // Postfix renames its log itself, and has it compressed.
    gateway.postfix("postfix", &["logrotate"]);
    let second = gateway.send(&[X], "två");
    gateway.told(&second, 1);
    // logrotate's `copytruncate`.
    fs::copy(&gateway.maillog, gateway.maillog.with_extension("1")).unwrap();
    OpenOptions::new().write(true).open(&gateway.maillog).unwrap().set_len(0).unwrap();
    let third = gateway.send(&[X], "tre");
    gateway.told(&third, 1);
    assert_eq!(gateway.lab.postvakt.metric("postvakt_delivery_log_gaps_total"), 0);

    // Rotated while nobody reads: nothing is lost.
    gateway.lab.postvakt.kill();
    gateway.postfix("postqueue", &["-f"]);
    until("another try", &gateway.lab, || {
        let text = fs::read_to_string(&gateway.maillog).unwrap_or_default();
        text.contains(&format!("{first}: to=<y@down.example>")).then_some(())
    });
    gateway.postfix("postfix", &["logrotate"]);
    gateway.lab.postvakt.restart();
    until("the second try", &gateway.lab, || {
        let shown = gateway.show(&first);
        (shown["deliveries"]["queue_files"][0]["deliveries"][0]["tries"] == 2).then_some(())
    });
    assert_eq!(gateway.lab.postvakt.metric("postvakt_delivery_log_gaps_total"), 0);

    // A part is lost: that is told, and a command brings it back.
    gateway.lab.postvakt.kill();
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    gateway.postfix("postqueue", &["-f"]);
    until("a third try", &gateway.lab, || {
        let text = fs::read_to_string(&gateway.maillog).unwrap_or_default();
        text.contains(&format!("{first}: to=<y@down.example>")).then_some(())
    });
    let lost = gateway.maillog.with_file_name("lost");
    fs::rename(&gateway.maillog, &lost).unwrap();
    for file in fs::read_dir(gateway.maillog.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()) {
        if file.file_name().unwrap().to_str().unwrap().starts_with("maillog.") {
            fs::remove_file(file).unwrap();
        }
    }
    gateway.postfix("postfix", &["reload"]);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    gateway.postfix("postqueue", &["-f"]);
    until("the new log", &gateway.lab, || gateway.maillog.exists().then_some(()));
    gateway.lab.postvakt.restart();
    until("the gap", &gateway.lab, || {
        (gateway.lab.postvakt.metric("postvakt_delivery_log_gaps_total") == 1).then_some(())
    });
    let gap = |shown: &Value| {
        let gaps = shown["deliveries"]["not_read"].as_array().unwrap();
        gaps.iter().any(|gap| !gap[0].is_null() && !gap[1].is_null())
    };
    until("what is told of the gap", &gateway.lab, || gap(&gateway.show(&first)).then_some(()));
    let said = gateway.log(&["search", "--status", "delivered", "--decision", "test"]);
    assert!(String::from_utf8_lossy(&said.stderr).contains("Postfix's log was not read from "), "{said:?}");
    let tries = |gateway: &Gateway| {
        gateway.show(&first)["deliveries"]["queue_files"][0]["deliveries"][0]["tries"].as_u64()
    };
    let before = tries(&gateway);
    // The server has the right to write, and does it.
    let ingested = gateway.log(&["ingest", lost.to_str().unwrap()]);
    assert!(ingested.status.success(), "{ingested:?}");
    assert!(String::from_utf8_lossy(&ingested.stdout).contains(" lines, "), "{ingested:?}");
    let accesses = String::from_utf8(gateway.log(&["access", "--json"]).stdout).unwrap();
    assert!(accesses.contains("\"ingest\"") && accesses.contains(lost.to_str().unwrap()), "{accesses}");
    let after = gateway.show(&first);
    let again = gateway.log(&["ingest", lost.to_str().unwrap()]);
    assert!(again.status.success());
    let twice = gateway.show(&first);
    assert_eq!(after["deliveries"]["queue_files"], twice["deliveries"]["queue_files"]);
    assert!(tries(&gateway) >= before, "{before:?}");
}

#[test]
fn files_are_read_where_the_log_is_not_followed() {
    let gateway = Gateway::start(false);
    // Through a content filter, which here is Postfix itself.
    gateway.lab.postfix.override_service(
        gateway.lab.postfix.ports.reinjection,
        "cleanup_service_name",
        "filtered",
    );
    gateway.lab.postfix.amend(
        "",
        &format!(
            "filtered unix n - n - 0 cleanup\n  -o virtual_alias_maps=inline:{{{{f@filtered.example={X}}}}}\n"
        ),
    );
    // With the certificate that nobody signed, as most have it within a host.
    certify(&gateway.etc, "mx.exempelby.se");
    let etc = gateway.etc.display();
    gateway.lab.postfix.amend(
        &format!(
            "smtp_tls_security_level = may\nsmtpd_tls_security_level = may\nsmtpd_tls_cert_file = {etc}/cert.pem\nsmtpd_tls_key_file = {etc}/key.pem\n"
        ),
        "tlsmgr unix - - n 1000? 1 tlsmgr\n",
    );
    gateway.postfix("postfix", &["reload"]);
    let filtered = gateway.send(&["f@filtered.example"], "filtrerat");
    gateway.lab.delivered(X, 1);
    assert_eq!(gateway.show(&filtered)["deliveries"], Value::Null);
    let maillog = gateway.maillog.to_str().unwrap();
    until("the end of the mail", &gateway.lab, || {
        gateway.lab.postfix.log.text().contains(&format!("{filtered}: removed")).then_some(())
    });
    let copy = gateway.maillog.with_extension("copy");
    fs::copy(maillog, &copy).unwrap();
    run(Command::new("gzip").arg(&copy));
    let packed = copy.with_extension("copy.gz");
    let ingested = gateway.log(&["ingest", "--json", packed.to_str().unwrap()]);
    assert!(ingested.status.success(), "{ingested:?}");
    let ingested: Value = serde_json::from_slice(&ingested.stdout).unwrap();
    assert!(ingested["told"].as_u64().unwrap() >= 8 && ingested["unclear"] == 0, "{ingested}");
    let shown = gateway.show(&filtered);
    let files = shown["deliveries"]["queue_files"].as_array().unwrap();
    assert_eq!((files.len(), &files[1]["from"]["how"]), (2, &"filter".into()), "{shown:#}");
    assert_eq!(files[0]["deliveries"][0]["goes_on"], true);
    assert_eq!(files[1]["deliveries"][0]["recipient"], X);
    assert_eq!(files[0]["deliveries"][0]["tls"], "untrusted TLSv1.3");
    // What is damaged is read as far as it goes.
    let octets = fs::read(&packed).unwrap();
    fs::write(&packed, &octets[..octets.len() / 2]).unwrap();
    let damaged = gateway.log(&["ingest", packed.to_str().unwrap()]);
    assert_eq!(damaged.status.code(), Some(1), "{damaged:?}");
    let none = gateway.log(&["ingest", "--rebuild", "/nonexistent/mail.log"]);
    assert_eq!(none.status.code(), Some(2));
    assert_eq!(deliveries(&gateway.show(&filtered)).len(), 2);
}

/// Sends a mail to port 25, as a stranger would.
const SEND: &str = r#"python3 -c '
import smtplib, sys
client = smtplib.SMTP("127.0.0.1", 25)
client.sendmail("kim@example.org", ["registrator@exempelby.se"],
    f"From: <kim@example.org>\nTo: <registrator@exempelby.se>\nSubject: {sys.argv[1]}\n\nHej!\n")
' "#;

const MACHINE: &str = r#"[organisation]
name = "Exempelby kommun"
domains = ["exempelby.se"]
[server]
listen = ["inet:127.0.0.1:8891"]
[store]
directory = "/var/lib/postvakt"
[postfix]
log = "journal"
"#;

/// As the shipped unit and its drop-in for the journal let the program be.
#[test]
fn the_journal_is_followed_by_the_shipped_unit() {
    let Some(machine) = Machine::boot() else { return };
    let own = tempfile::tempdir().unwrap();
    let config = own.path().join("postvakt.toml");
    fs::write(&config, MACHINE).unwrap();
    machine.put("postvakt", PROGRAM.as_ref());
    machine.put("postvakt.toml", &config);
    machine.put(
        "postvakt.service",
        concat!(env!("CARGO_MANIFEST_DIR"), "/config/systemd/postvakt.service").as_ref(),
    );
    let journal = concat!(env!("CARGO_MANIFEST_DIR"), "/config/systemd/postvakt.service.d/journal.conf");
    machine.put("journal.conf", journal.as_ref());
    machine.must("install -m 755 postvakt /usr/sbin/ && useradd --system postvakt");
    machine.must("install -D -m 644 -t /etc/systemd/system/postvakt.service.d journal.conf");
    machine
        .must("install -D -m 644 -t /etc/postvakt postvakt.toml && cp postvakt.service /etc/systemd/system/");
    machine.must("postconf -e mydestination=exempelby.se alias_maps=static:root enable_long_queue_ids=yes smtpd_milters=inet:127.0.0.1:8891");
    machine.must("systemctl daemon-reload && systemctl start postvakt && systemctl start postfix");
    machine.must(&format!("{SEND} first-mail"));
    let delivered = "postvakt log search --json --status delivered --purpose felsökning";
    machine.until(delivered, "first-mail");
    // It goes on where it was.
    machine.must("systemctl restart postvakt");
    machine.must(&format!("{SEND} second-mail"));
    machine.until(delivered, "second-mail");
    let told = machine.must("journalctl -u postvakt --no-pager");
    assert!(!told.contains("is missing"), "{told}");
    // The server reads a file for root, as far as its unit lets it.
    machine.must("journalctl --quiet --output=short SYSLOG_FACILITY=2 > /var/log/mail.old && chmod 644 /var/log/mail.old");
    let ingested = machine.must("postvakt log ingest /var/log/mail.old");
    assert!(ingested.contains(" lines, ") && !ingested.contains(": 0 lines"), "{ingested}");
    machine.must("cp /var/log/mail.old /root/mail.old");
    let hidden = machine.run("postvakt log ingest /root/mail.old");
    assert_eq!(hidden.status.code(), Some(2), "{hidden:?}");
    // What the journal no longer has is a gap.
    machine.must("systemctl stop postvakt && sleep 2 && journalctl --rotate && journalctl --vacuum-time=1s");
    machine.must("systemctl start postvakt");
    machine.must(&format!("{SEND} third-mail"));
    machine.until(delivered, "third-mail");
    machine.until("journalctl -u postvakt --no-pager", "a part of Postfix's log is missing");
    machine.until(&format!("{delivered} 2>&1"), "was not read from ");
    // Who writes the journal's entries is known: a stop leaves no reader behind.
    machine.must("systemctl stop postvakt");
    assert!(!machine.run("pgrep journalctl").status.success());
}

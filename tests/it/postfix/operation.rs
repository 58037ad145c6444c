//! Operation: reload, stop and absence, seen from Postfix's clients.

use std::collections::HashSet;
use std::fs;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::Signal;

use crate::lab::client::Smtp;
use crate::lab::{Lab, message, until};

const FROM: &str = "x@example.org";
const TO: &str = "anna@exempelby.se";

fn refusing(subject: &str) -> String {
    format!(
        "[rules.custom.subject]\nwhen = {{ subject = '^{subject}$' }}\nmode = \"enforce\"\naction = \"reject\"\n"
    )
}

#[test]
fn a_reload_under_load_fails_no_session() {
    const RELOADS: usize = 50;
    let lab = Lab::start("");
    let done = AtomicBool::new(false);
    let accepted: Vec<String> = thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut replies = Vec::new();
                    while !done.load(Ordering::Relaxed) {
                        let mut smtp = lab.outside();
                        for _ in 0..3 {
                            let reply = smtp.send(FROM, &[TO], &message(FROM, TO, "under last", ""));
                            assert!(reply.starts_with("250 "), "{reply}\n{lab}");
                            replies.push(reply);
                        }
                        smtp.expect("QUIT", "221");
                    }
                    replies
                })
            })
            .collect();
        for number in 0..RELOADS {
            lab.postvakt.write_rules(&refusing(&format!("regel {number}")));
            lab.postvakt.signal(Signal::HUP);
            // Each reload is in force before the next: the mail that it refuses is refused.
            let subject = format!("regel {number}");
            until("the new rule", &lab, || {
                let reply = lab.outside().send(FROM, &[TO], &message(FROM, TO, &subject, ""));
                reply.starts_with("550").then_some(())
            });
        }
        done.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    assert!(!accepted.is_empty());
    for reply in &accepted {
        lab.record_of(reply);
    }
    let refused = lab.postvakt.search(&["--verdict", "rejected"]);
    let configs: HashSet<_> = refused.iter().map(|record| record["config"].to_string()).collect();
    assert_eq!((refused.len(), configs.len()), (RELOADS, RELOADS));
}

#[test]
fn a_broken_config_on_reload_keeps_the_old_one() {
    let lab = Lab::start(&refusing("regel"));
    let judged = |subject: &str| lab.outside().send(FROM, &[TO], &message(FROM, TO, subject, ""));
    assert!(judged("regel").starts_with("550"));
    lab.postvakt.write_rules("[rules.auto-forward]\nmode = \"enforced\"\n");
    lab.postvakt.signal(Signal::HUP);
    until("the complaint", &lab, || {
        lab.postvakt.log.text().contains("rules.auto-forward.mode").then_some(())
    });
    assert!(lab.postvakt.log.text().contains("postvakt.toml:"), "{lab}");
    assert!(judged("regel").starts_with("550"), "{lab}");
    lab.postvakt.write_rules(&refusing("annan"));
    lab.postvakt.signal(Signal::HUP);
    until("the good config", &lab, || judged("annan").starts_with("550").then_some(()));
    assert!(judged("regel").starts_with("250"));
}

#[test]
fn a_reload_reads_the_included_files_again() {
    let lab = Lab::start(&refusing("regel"));
    let judged = |subject: &str| lab.outside().send(FROM, &[TO], &message(FROM, TO, subject, ""));
    assert!(judged("annan").starts_with("250"));
    let included = lab.postvakt.config.with_file_name("conf.d");
    fs::create_dir(&included).unwrap();
    let rule = "# Regler för nämnden.\n[rules.custom.board]\nmode = \"enforce\"\naction = \"reject\"\nwhen = { subject = 'annan' }\n";
    fs::write(included.join("board.toml"), rule).unwrap();
    let main = fs::read_to_string(&lab.postvakt.config).unwrap();
    fs::write(&lab.postvakt.config, format!("include = [\"conf.d/*.toml\"]\n{main}")).unwrap();
    lab.postvakt.signal(Signal::HUP);
    until("the included rule", &lab, || judged("annan").starts_with("550").then_some(()));
    assert!(judged("regel").starts_with("550"), "{lab}");
    fs::write(included.join("board.toml"), rule.replace("enforce", "enforced")).unwrap();
    lab.postvakt.signal(Signal::HUP);
    until("the complaint", &lab, || {
        lab.postvakt.log.text().contains("conf.d/board.toml:3:8: rules.custom.board.mode: ").then_some(())
    });
    assert!(judged("annan").starts_with("550"), "{lab}");
    fs::write(included.join("board.toml"), rule.replace("annan", "tredje")).unwrap();
    lab.postvakt.signal(Signal::HUP);
    until("the changed rule", &lab, || judged("tredje").starts_with("550").then_some(()));
    assert!(judged("annan").starts_with("250"), "{lab}");
}

#[test]
fn a_stop_lets_the_mail_in_hand_finish_and_keeps_no_idle_session() {
    let mut lab = Lab::start("");
    let (mut idle, mut busy) = (lab.outside(), lab.outside());
    idle.send(FROM, &[TO], &message(FROM, TO, "före", ""));
    busy.expect("MAIL FROM:<x@example.org>", "250");
    busy.expect("RCPT TO:<anna@exempelby.se>", "250");
    busy.expect("DATA", "354");
    lab.postvakt.signal(Signal::TERM);
    until("the closed port", &lab, || TcpStream::connect(("127.0.0.1", lab.postfix.ports.milter)).err());

    let reply = busy.content(&message(FROM, TO, "i handen", ""));
    assert!(reply.starts_with("250 "), "{reply}\n{lab}");
    // Both sessions are still open: neither keeps the program from ending.
    assert_eq!(lab.postvakt.ended().code(), Some(0), "{lab}");
    for session in [&mut idle, &mut busy] {
        let refused = session.send(FROM, &[TO], &message(FROM, TO, "efter", ""));
        assert!(refused.starts_with("451 4.7.1 "), "{refused}\n{lab}");
    }
    lab.postvakt.restart();
    assert_eq!(lab.record_of(&reply)["verdict"], "accepted");
    lab.delivered(TO, 2);
}

#[test]
fn without_the_program_nothing_is_accepted() {
    let mut lab = Lab::start("");
    let mut open = lab.outside();
    lab.postvakt.kill();
    let deferred = |reply: &str| reply.starts_with("451 4.7.1 ") || reply.starts_with("451 4.3.0 ");
    let reply = open.send(FROM, &[TO], &message(FROM, TO, "borta", ""));
    assert!(deferred(&reply), "{reply}");
    let mut new = Smtp::connect(lab.postfix.ports.smtp);
    new.say("EHLO mx.example.org");
    let reply = new.send(FROM, &[TO], &message(FROM, TO, "borta", ""));
    assert!(deferred(&reply), "{reply}");

    lab.postvakt.restart();
    let reply = lab.outside().send(FROM, &[TO], &message(FROM, TO, "åter", ""));
    assert_eq!(lab.record_of(&reply)["subject"], "åter");
    lab.delivered(TO, 1);
    lab.records(1);
}

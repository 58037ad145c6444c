//! Sensitive data as people meet it, through a real Postfix: the refusal, the hold, and the letters that tell of them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::lab::{Directory, Lab, certify, message, queue_id};

const ANNA: &str = "anna@exempelby.se";
const REGISTRATOR: &str = "registrator@exempelby.se";
const CITIZEN: &str = "x@example.org";
/// On the route with pinned encryption.
const AUTHORITY: &str = "arkiv@example.com";

const RULES: &str = r#"[rules.sensitive-data]
mode = "enforce"
action = "reject"
class = { considerable = { action = "hold" } }
secure_alternative = "https://exempelby.se/saker-post"
tls_routes = ["example.com"]
copy_to = "registrator@exempelby.se"
own_texts = "own-texts.txt"
"#;
const FOOTER: &str = "Exempelby kommun prövar ekonomiskt bistånd och tar emot orosanmälan";

/// A published test number, which is considerable; with a word of health near it, serious.
const CONSIDERABLE: &str = "Personnummer 811228-9874.";
const SERIOUS: &str = "Personnummer 811228-9874, läkarintyg bifogas.";

fn lab() -> Lab {
    let directory = Directory::new();
    std::fs::write(directory.path.join("own-texts.txt"), format!("{FOOTER}\n")).unwrap();
    let home = directory.path.clone();
    let (lab, ()) = Lab::start_with(directory, RULES, |postfix| {
        certify(&home, "mx.exempelby.se");
        let tls = "smtpd_tls_security_level = may";
        let home = home.display();
        postfix.amend(
            &format!("{tls}\nsmtpd_tls_key_file = {home}/key.pem\nsmtpd_tls_cert_file = {home}/cert.pem\n"),
            "tlsmgr unix - - n 1000? 1 tlsmgr\n",
        );
    });
    lab
}

fn mail(to: &str, body: &str) -> String {
    message(ANNA, to, "Underlag", "").replace("Hej!", body)
}

fn assert_refused(reply: &str) {
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    // In both languages.
    assert_eq!(reply.matches("https://exempelby.se/saker-post").count(), 2, "{reply}");
}

#[test]
fn a_pinned_route_carries_what_is_considerable_and_never_what_is_serious() {
    let lab = lab();
    let mut smtp = lab.inside();
    let reply = smtp.send(ANNA, &[AUTHORITY], &mail(AUTHORITY, CONSIDERABLE));
    assert_eq!(lab.record_of(&reply)["verdict"], "marked");
    let arrived = lab.delivered(AUTHORITY, 1).remove(0);
    assert!(arrived.contains("X-Postvakt-Sensitive: class=considerable; personnummer=1"), "{arrived}");
    assert_refused(&smtp.send(ANNA, &[AUTHORITY], &mail(AUTHORITY, SERIOUS)));
    // One recipient beside it, and the mail goes by a way that nobody has pinned.
    let reply = smtp.send(ANNA, &[AUTHORITY, CITIZEN], &mail(AUTHORITY, CONSIDERABLE));
    assert_eq!(lab.record_of(&reply)["verdict"], "held");
    assert_eq!(lab.postfix.held(), [queue_id(&reply)]);
    assert_eq!((lab.postfix.count(AUTHORITY), lab.postfix.count(CITIZEN)), (1, 0));
}

#[test]
fn sender_and_function_mailbox_are_told_of_kinds_and_never_of_data() {
    let lab = lab();
    let mut smtp = lab.inside();
    let reply = smtp.send(ANNA, &[CITIZEN], &mail(CITIZEN, CONSIDERABLE));
    let held = lab.record_of(&reply);
    assert_eq!(held["verdict"], "held");
    let to_sender = lab.delivered(ANNA, 1).remove(0);
    let copy = lab.delivered(REGISTRATOR, 1).remove(0);
    assert!(to_sender.contains("https://exempelby.se/saker-post"), "{to_sender}");
    assert!(copy.contains(&queue_id(&reply)), "{copy}");
    // A refusal tells its sender by itself; the mailbox is told of that too.
    let refused = smtp.send(ANNA, &[CITIZEN], &mail(CITIZEN, SERIOUS));
    assert_refused(&refused);
    let copies = lab.delivered(REGISTRATOR, 2);
    assert_eq!((lab.postfix.count(ANNA), lab.postfix.count(CITIZEN)), (1, 0));
    for letter in copies.iter().chain([&to_sender]) {
        assert!(letter.contains("Auto-Submitted: auto-generated"), "{letter}");
        assert!(letter.contains("personnummer (1)"), "{letter}");
    }
    assert!(copies.iter().any(|copy| copy.contains("health (1)")), "{copies:?}");
    // The mail that waits is whole; all that we say of it shows half a number at the most.
    assert!(lab.postfix.queue_file(&queue_id(&reply)).contains("811228-9874"));
    let records: String = lab.records(2).iter().map(ToString::to_string).collect();
    let said =
        [copies.concat(), to_sender, refused, records, lab.postvakt.log.text(), lab.postfix.log.text()];
    for said in said {
        assert!(!said.contains("9874") && !said.contains("karintyg"), "{said}");
    }
}

#[test]
fn a_standard_footer_says_nothing_of_a_person_and_a_quotation_does() {
    let lab = lab();
    let mut smtp = lab.inside();
    let signed = format!("{CONSIDERABLE}\n-- \nAnna\n{FOOTER}");
    let reply = smtp.send(ANNA, &[CITIZEN], &mail(CITIZEN, &signed));
    assert_eq!(lab.record_of(&reply)["verdict"], "held");
    // The same words, said by somebody.
    let told = format!("{CONSIDERABLE}\nHen har ekonomiskt bistånd sedan en orosanmälan.");
    assert_refused(&smtp.send(ANNA, &[CITIZEN], &mail(CITIZEN, &told)));
    let quoted = format!("Se nedan.\n\n> {SERIOUS}\n> Hälsningar");
    assert_refused(&smtp.send(ANNA, &[CITIZEN], &mail(CITIZEN, &quoted)));
}

#[test]
fn tls_on_the_way_in_is_recorded_and_changes_nothing() {
    let lab = lab();
    let mut session = Starttls::start(lab.postfix.ports.smtp);
    assert_refused(&session.send(CITIZEN, &mail(CITIZEN, SERIOUS)));
    let reply = session.send(CITIZEN, &mail(CITIZEN, CONSIDERABLE));
    let record = lab.record_of(&reply);
    assert_eq!(record["verdict"], "held", "{record}");
    assert!(record["tls"].as_str().unwrap().starts_with("TLSv1."), "{record}");
}

/// An SMTP session in TLS, by OpenSSL's client.
struct Starttls {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Starttls {
    fn start(port: u16) -> Self {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-starttls", "smtp", "-connect", &format!("127.0.0.1:{port}")]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("openssl; apt-get install openssl");
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut session = Self { child, to, from };
        session.to.write_all(b"EHLO klient.exempelby.se\r\n").unwrap();
        // Some versions show what the server said last before TLS.
        while !session.reply().starts_with("250-") {}
        session
    }

    fn say(&mut self, line: &str) -> String {
        self.to.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        self.reply()
    }

    fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let from = reply.len();
            assert!(self.from.read_line(&mut reply).unwrap() > 0, "the session ended after {reply:?}");
            if reply.as_bytes().get(from + 3) == Some(&b' ') {
                return reply.trim_end().to_owned();
            }
        }
    }

    fn send(&mut self, to: &str, message: &str) -> String {
        for command in [&*format!("MAIL FROM:<{ANNA}>"), &format!("RCPT TO:<{to}>"), "DATA"] {
            let reply = self.say(command);
            assert!(reply.starts_with(['2', '3']), "{command}: {reply}");
        }
        self.say(&format!("{}\r\n.", message.replace('\n', "\r\n").trim_end()))
    }
}

impl Drop for Starttls {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! Held mail that its own sender releases: with a real login at the real Postfix.

use std::process::Command;
use std::time::Duration;

use super::{Desk, OPERATOR, RULES, decoded, helper};
use crate::lab::login::Logins;
use crate::lab::program::PROGRAM;
use crate::lab::{Directory, Lab, queue_id, run, until};

const ANNA: &str = "anna@exempelby.se";
const INFO: &str = "info@exempelby.se";
const NOTICES: &str = "postmaster@exempelby.se";
const CITIZEN: &str = "x@example.org";

const SENSITIVE: &str = r#"
[rules.sensitive-data]
mode = "enforce"
action = "hold"
on_unknown = "hold"
allow_override = "considerable"
"#;
const CONSIDERABLE: &str = "Personnummer 811228-9874.";
const SERIOUS: &str = "Personnummer 811228-9874, läkarintyg bifogas.";
const WHY: &str = "Mottagaren behöver numret för lönen i dag.";

fn desk() -> (Desk, Logins) {
    let directory = Directory::new();
    let home = directory.path.clone();
    let rules = rules(&home, "", "considerable");
    let (lab, logins) =
        Lab::start_with(directory, &rules, |postfix| Logins::start(&home, postfix, &[ANNA, INFO]));
    (Desk::around(lab, home), logins)
}

fn rules(home: &std::path::Path, held: &str, most: &str) -> String {
    let owned = RULES.replace("HOME", &home.display().to_string());
    owned.replacen("owner =", &format!("{held}\nowner ="), 1)
        + &SENSITIVE.replace("\"considerable\"", &format!("{most:?}"))
}

/// What the sender of a held mail is told, and its queue id.
struct Held {
    id: String,
    notice: String,
    /// The notice's Message-ID.
    name: String,
}

impl Desk {
    /// Anna's mail is held, and she is told of it, by the notice of this number.
    fn hold_from_anna(&self, subject: &str, body: &str, number: usize) -> Held {
        let message = format!(
            "From: {ANNA}\r\nTo: {CITIZEN}\r\nSubject: {subject}\r\nMessage-ID: <{number}.{subject}@exempelby.se>\r\n\r\n{body}\r\n"
        );
        let id = queue_id(&self.lab.inside().send(ANNA, &[CITIZEN], &message));
        let notice = until("the notice", &self.lab, || {
            let all = self.lab.postfix.mailbox(ANNA);
            all.into_iter()
                .find(|notice| decoded(notice).contains(&id))
                .filter(|_| self.lab.postfix.count(ANNA) == number)
        });
        let name = field(&notice, "Message-ID");
        Held { id, notice, name }
    }

    /// Answers a notice. What Postfix replies.
    fn answer(&self, login: Option<&str>, sender: &str, header: &str, name: &str, text: &str) -> String {
        let mut smtp = match login {
            Some(user) => self.lab.logged_in(user),
            None => self.lab.inside(),
        };
        smtp.send(sender, &[NOTICES], &answer(sender, header, name, text))
    }

    /// What came of an answer, as the metric has it.
    fn came(&self, result: &str) -> u64 {
        self.lab.postvakt.metric(&format!("postvakt_held_overrides_total{{result=\"{result}\"}}"))
    }

    fn await_result(&self, result: &str, count: u64) {
        until(&format!("{count} {result}"), &self.lab, || (self.came(result) == count).then_some(()));
    }

    /// The newest notice to Anna, once there are that many.
    fn told(&self, number: usize, words: &str) {
        until(words, &self.lab, || {
            let all = self.lab.postfix.mailbox(ANNA);
            (all.len() == number && all.iter().any(|notice| decoded(notice).contains(words))).then_some(())
        });
    }

    fn show(&self, id: &str) -> String {
        run(Command::new(PROGRAM)
            .args(["log", "show", id, "--purpose", "test of held mail", "--config"])
            .arg(&self.lab.postvakt.config))
    }

    fn configure(&self, held: &str, most: &str) {
        self.lab.postvakt.write_rules(&rules(&self.home, held, most));
        let active = || self.lab.postvakt.log.text().matches("config active").count();
        let before = active();
        self.lab.postvakt.signal(rustix::process::Signal::HUP);
        until("the new config", &self.lab, || (active() > before).then_some(()));
    }
}

fn field(message: &str, name: &str) -> String {
    let line = message.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name}: {message}")).to_owned()
}

/// An answer as a mail program writes it.
fn answer(from: &str, header: &str, name: &str, text: &str) -> String {
    format!(
        "From: {from}\r\nTo: {NOTICES}\r\nSubject: SV: Ditt meddelande har stoppats\r\nMessage-ID: <{}@exempelby.se>\r\n\
         In-Reply-To: {name}\r\nReferences: {name}\r\n{header}Content-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n\r\nDen 2 mars 2026 skrev Exempelby kommun:\r\n\
         > Ditt meddelande till x@example.org innehåller uppgifter\r\n> som inte får skickas med vanlig e-post\r\n",
        text.len()
    )
}

#[test]
fn a_sender_releases_their_mail_with_a_justification_and_once() {
    let (desk, _logins) = desk();
    let held = desk.hold_from_anna("Underlag", CONSIDERABLE, 1);
    let text = decoded(&held.notice);
    assert!(
        text.contains("Svara på det här meddelandet") && text.contains("Din motivering\nloggas"),
        "{text}"
    );
    assert!(held.name.starts_with("<override."), "{}", held.name);
    assert!(field(&held.notice, "From").contains(NOTICES));

    let reply = desk.answer(Some(ANNA), ANNA, "", &held.name, WHY);
    let arrived = desk.lab.delivered(CITIZEN, 1).remove(0);
    assert!(arrived.contains("811228-9874"), "{arrived}");
    desk.told(2, "Ditt meddelande har släppts");
    let acts = [("release", "begun"), ("release", "done")];
    let by = |(act, stage): (&str, &str)| (act.to_owned(), stage.to_owned(), "its sender".to_owned());
    assert_eq!(desk.acts(&held.id), acts.map(by));
    // The answer's record says what it did, and the access log who and why.
    assert_eq!(desk.acts(&queue_id(&reply)), acts.map(by));
    let shown = desk.show(&queue_id(&reply));
    assert!(shown.contains("release done by its sender: released; mail "), "{shown}");
    let access = run(Command::new(PROGRAM)
        .args(["log", "access", "--json", "--config"])
        .arg(&desk.lab.postvakt.config));
    for word in [WHY, r#""role":"sender""#, &format!(r#""subject":"{ANNA}""#)] {
        assert!(access.contains(word), "{word}: {access}");
    }
    let verify =
        Command::new(PROGRAM).args(["log", "verify", "--config"]).arg(&desk.lab.postvakt.config).output();
    assert!(verify.as_ref().unwrap().status.success(), "{verify:?}");

    // The same answer again finds the mail gone.
    desk.answer(Some(ANNA), ANNA, "", &held.name, WHY);
    desk.await_result("gone", 1);
    desk.told(3, "inte längre stoppat");
    assert_eq!((desk.lab.postfix.count(CITIZEN), desk.came("released")), (1, 1));
    assert!(std::fs::read_dir(desk.home.join("store/overrides")).unwrap().next().is_none());
}

#[test]
fn what_is_no_justified_answer_of_the_sender_releases_nothing() {
    let (desk, _logins) = desk();
    let held = desk.hold_from_anna("Underlag", CONSIDERABLE, 1);
    // Whose login it is decides, not whose name is written.
    for (login, sender, header) in [
        (None, ANNA, ""),
        (Some(INFO), ANNA, ""),
        (Some(ANNA), ANNA, "Auto-Submitted: auto-replied\r\n"),
        (Some(ANNA), "<>", ""),
    ] {
        let before = desk.came("ignored");
        let sender_of_answer = sender.trim_matches(['<', '>']);
        let reply = if sender_of_answer.is_empty() {
            let text = answer(ANNA, header, &held.name, WHY);
            desk.lab.logged_in(ANNA).send("", &[NOTICES], &text)
        } else {
            desk.answer(login, sender, header, &held.name, WHY)
        };
        assert!(reply.starts_with("250"), "{reply}");
        assert_eq!(desk.came("ignored"), before + 1, "{login:?} {sender} {header}");
    }
    let text = answer(ANNA, "", &held.name, WHY);
    let reply = desk.lab.outside().send(ANNA, &[NOTICES], &text);
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(desk.came("ignored"), 5, "from outside");
    // To another mailbox than the notice is from.
    let reply = desk.lab.logged_in(ANNA).send(ANNA, &[INFO], &text);
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(desk.came("ignored"), 6, "to another mailbox");
    // A colleague answers in their own name.
    desk.answer(Some(INFO), INFO, "", &held.name, WHY);
    desk.await_result("not-theirs", 1);
    // A name of a notice that nobody got.
    desk.answer(Some(ANNA), ANNA, "", "<override.00000000000000000000000000000001@exempelby.se>", WHY);
    desk.await_result("not-theirs", 2);
    // Nothing of their own above what is quoted, or next to nothing.
    for (n, text) in ["", "> Ja\r\n> tack", "ok", "-- \r\nAnna på avdelningen för lön"].iter().enumerate()
    {
        desk.answer(Some(ANNA), ANNA, "", &held.name, text);
        desk.await_result("short", n as u64 + 1);
    }
    desk.told(5, "ingen motivering");
    // What was allowed when the notice was written is no longer.
    desk.configure("", "moderate");
    desk.answer(Some(ANNA), ANNA, "", &held.name, WHY);
    desk.await_result("not-allowed", 1);
    desk.told(6, "inte tillåtet");
    assert_eq!(desk.lab.postfix.held(), std::slice::from_ref(&held.id));
    assert_eq!((desk.lab.postfix.count(CITIZEN), desk.came("released")), (0, 0));
    assert_eq!(desk.acts(&held.id), []);
}

#[test]
fn only_what_the_rule_alone_holds_and_no_higher_class_may_be_released() {
    let (desk, _logins) = desk();
    for (n, (subject, body)) in [("Underlag", SERIOUS), ("Vänta", CONSIDERABLE)].into_iter().enumerate() {
        let held = desk.hold_from_anna(subject, body, n + 1);
        assert!(held.name.starts_with("<notice."), "{}", held.name);
        assert!(!decoded(&held.notice).contains("motivering"), "{}", decoded(&held.notice));
        // With the name that an invitation would have.
        desk.answer(Some(ANNA), ANNA, "", &held.name.replace("notice.", "override."), WHY);
        desk.await_result("not-theirs", n as u64 + 1);
    }
    assert_eq!(desk.lab.postfix.held().len(), 2);
    assert_eq!((desk.lab.postfix.count(CITIZEN), desk.came("released")), (0, 0));
}

#[test]
fn an_answer_that_was_accepted_is_carried_out_once_whatever_is_killed() {
    let (mut desk, _logins) = desk();
    // The queue helper is away, and the server is killed before it can do anything.
    let first = desk.hold_from_anna("Underlag", CONSIDERABLE, 1);
    desk.helper.kill().unwrap();
    desk.helper.wait().unwrap();
    let reply = desk.answer(Some(ANNA), ANNA, "", &first.name, WHY);
    assert!(reply.starts_with("250"), "{reply}");
    until("the try", &desk.lab, || (desk.came("failed") > 0).then_some(()));
    desk.lab.postvakt.kill();
    assert_eq!(desk.lab.postfix.held(), std::slice::from_ref(&first.id));
    desk.helper = helper(&desk.home, &desk.home.join("queue.sock"));
    desk.lab.postvakt.restart();
    desk.told(2, "Ditt meddelande har släppts");
    desk.lab.delivered(CITIZEN, 1);
    // It is killed somewhere between the answer and its end.
    for n in 0..4_u32 {
        let number = 3 + 2 * usize::try_from(n).unwrap();
        let held = desk.hold_from_anna("Underlag", CONSIDERABLE, number);
        desk.answer(Some(ANNA), ANNA, "", &held.name, WHY);
        std::thread::sleep(Duration::from_millis(15 * u64::from(n)));
        desk.lab.postvakt.kill();
        desk.lab.postvakt.restart();
        until("the end", &desk.lab, || (desk.lab.postfix.count(ANNA) == number + 1).then_some(()));
        let acts = desk.acts(&held.id);
        assert_eq!(acts.iter().filter(|(_, stage, _)| stage == "done").count(), 1, "{acts:?}");
    }
    assert!(desk.lab.postfix.held().is_empty());
    desk.lab.delivered(CITIZEN, 5);
    let told = desk.lab.postfix.mailbox(ANNA);
    let released =
        told.iter().filter(|notice| decoded(notice).contains("Ditt meddelande har släppts och")).count();
    assert_eq!((told.len(), released), (10, 5));
}

#[test]
fn with_four_eyes_a_senders_answer_waits_for_an_operator() {
    let (desk, _logins) = desk();
    desk.configure("four_eyes = true", "considerable");
    let held = desk.hold_from_anna("Underlag", CONSIDERABLE, 1);
    for number in 1..=2 {
        desk.answer(Some(ANNA), ANNA, "", &held.name, WHY);
        desk.await_result("proposed", number);
    }
    desk.told(3, "en person till");
    assert_eq!(desk.lab.postfix.held(), std::slice::from_ref(&held.id));
    let list = desk.done(&["list", "--purpose", "morning review"]);
    assert!(list.contains("release proposed by its sender") && !list.contains(ANNA), "{list}");
    desk.done(&["release", &held.id, "--purpose", "the sender is right"]);
    desk.lab.delivered(CITIZEN, 1);
    let stages: Vec<_> = desk.acts(&held.id).into_iter().map(|(_, stage, by)| (stage, by)).collect();
    let wanted = [("proposed", "its sender"), ("begun", OPERATOR), ("done", OPERATOR)];
    assert_eq!(stages, wanted.map(|(stage, by)| (stage.to_owned(), by.to_owned())));
}

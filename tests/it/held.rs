//! Held mail with the real Postfix: by an operator who is not root, through the operators' process and the queue helper.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

mod attacked;
mod overrides;

use crate::lab::program::PROGRAM;
use crate::lab::{Directory, Lab, free_port, queue_id, run, until};

/// Rules that hold: one for mail from outside, one for mail that leaves.
pub(crate) const RULES: &str = r#"
[held]
queue_helper = "HOME/queue.sock"
owner = "postmaster@exempelby.se"

[rules.custom.wait]
mode = "enforce"
action = "hold"
when = { subject = "Vänta" }

[rules.receipt]
mode = "enforce"
delay = "1 s"
require_authentication = false
[[rules.receipt.mailboxes]]
address = "registrator@exempelby.se"
"#;

/// Message-IDs are given once.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A lab, its queue helper, and its operators' process.
pub(crate) struct Desk {
    pub(crate) lab: Lab,
    pub(crate) home: PathBuf,
    helper: Child,
    operator: Child,
}

impl Desk {
    fn start(more: &str) -> Self {
        Self::of(&(RULES.to_owned() + more))
    }

    /// A desk with these rules, in which HOME is its directory.
    pub(crate) fn of(rules: &str) -> Self {
        let directory = Directory::new();
        let home = directory.path.clone();
        let rules = rules.replace("HOME", &home.display().to_string());
        Self::around(Lab::start_in(directory, &rules), home)
    }

    fn around(lab: Lab, home: PathBuf) -> Self {
        // The server's user is root in the lab; the helper carries out requests of root and of this user.
        let helper = helper(&home, &home.join("queue.sock"));
        let mut operator = Command::new(PROGRAM);
        operator.arg("operator").arg("--config").arg(&lab.postvakt.config);
        operator.arg("--listen").arg(home.join("held.sock")).args(["--group", GROUP]);
        let operator = operator.stderr(Stdio::null()).spawn().unwrap();
        for name in ["queue.sock", "held.sock"] {
            let path = home.join(name);
            let mode = |path: &Path| fs::metadata(path).map(|known| known.permissions().mode() & 0o777);
            until(name, &lab, || mode(&path).is_ok_and(|mode| mode == 0o600 || mode == 0o660).then_some(()));
        }
        // Root alone may read the config and the log.
        fs::set_permissions(&lab.postvakt.config, Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(home.join("store"), Permissions::from_mode(0o700)).unwrap();
        Self { lab, home, helper, operator }
    }

    /// `postvakt held` by a user who is not root and is in the operators' group.
    fn held(&self, arguments: &[&str]) -> Output {
        self.held_by(OPERATOR, arguments)
    }

    fn held_by(&self, user: &str, arguments: &[&str]) -> Output {
        self.as_user(user, GROUP, arguments).output().unwrap()
    }

    fn as_user(&self, user: &str, group: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", user, "--regid", group, "--clear-groups", "--", PROGRAM, "held"]);
        command.args(arguments).arg("--socket").arg(self.home.join("held.sock"));
        command
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.held(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}\n{}", self.lab);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Sends a mail that is held. Its queue id.
    pub(crate) fn hold(&self, from: &str, to: &str, subject: &str) -> String {
        let mut smtp = if from.ends_with("@exempelby.se") { self.lab.inside() } else { self.lab.outside() };
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let message = format!(
            "From: {from}\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <{n}@example.org>\r\n\r\nHej!\r\n.punkt\r\n"
        );
        queue_id(&smtp.send(from, &[to], &message))
    }

    /// How many receipts are in that state. There are notices beside them.
    fn receipts(&self, state: &str) -> usize {
        let all = self.lab.postvakt.receipts(&["list", "--state", state]);
        all.iter().filter(|listed| listed["kind"] == "receipt").count()
    }

    fn acts(&self, id: &str) -> Vec<(String, String, String)> {
        let shown = run(Command::new(PROGRAM)
            .args(["log", "show", id, "--json", "--purpose", "test of held mail", "--config"])
            .arg(&self.lab.postvakt.config));
        let shown: Value = serde_json::from_str(shown.lines().next().unwrap()).unwrap();
        let text = |act: &Value, name: &str| act[name].as_str().unwrap().to_owned();
        let acts = shown["acts"].as_array().unwrap().iter();
        acts.map(|act| (text(act, "act"), text(act, "stage"), text(act, "by"))).collect()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        for child in [&mut self.helper, &mut self.operator] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Two users of every Debian, and a group of theirs for the test.
const OPERATOR: &str = "games";
const SECOND: &str = "mail";
const GROUP: &str = "games";

fn helper(home: &Path, socket: &Path) -> Child {
    let mut helper = Command::new(PROGRAM);
    helper.args(["queue-helper", "--user", "nobody", "--postfix"]).arg(home.join("postfix/etc"));
    helper.arg("--listen").arg(socket).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn an_operator_who_is_not_root_does_everything() {
    let desk = Desk::start("");
    let first = desk.hold("medborgare@example.org", "registrator@exempelby.se", "Vänta");
    let second = desk.hold("anna@exempelby.se", "x@example.org", "Vänta lite");
    until("two on hold", &desk.lab, || (desk.lab.postfix.held().len() == 2).then_some(()));

    // Nobody reads the log or the config by this.
    assert!(!desk.as_user(OPERATOR, GROUP, &[]).arg("x").output().unwrap().status.success());
    let list = desk.done(&["list", "--json", "--purpose", "morning review"]);
    let rows: Vec<Value> = list.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2, "{list}");
    assert_eq!(rows[0]["queue_id"], first.as_str());
    assert_eq!(rows[0]["rules"], serde_json::json!(["custom.wait"]));
    assert_eq!(rows[0]["sender"], "medborgare@example.org");
    assert!(!list.contains("anna@exempelby.se"), "{list}");

    let shown = desk.done(&["show", &second, "--purpose", "morning review"]);
    assert!(shown.contains("anna@exempelby.se") && shown.contains("| Subject: "), "{shown}");
    assert!(!shown.contains("punkt"), "the text of a mail is not shown: {shown}");

    // What waited for it is sent.
    let receipts = |state: &str| desk.receipts(state);
    assert_eq!((receipts("held"), receipts("sent")), (1, 0));
    let said = desk.done(&["release", &first, "--purpose", "it is a case"]);
    assert!(said.contains("released"), "{said}");
    desk.lab.delivered("registrator@exempelby.se", 1);
    until("the receipt", &desk.lab, || (receipts("sent") == 1).then_some(()));
    assert_eq!(
        desk.acts(&first),
        [("release", "begun"), ("release", "done")].map(|(act, stage)| (
            act.into(),
            stage.into(),
            OPERATOR.into()
        ))
    );

    // A copy is handed over as it was, and the mail stays.
    let said =
        desk.done(&["hand-over", &second, "--to", "info@exempelby.se", "--purpose", "for the registrar"]);
    assert!(said.contains("250"), "{said}");
    let copy = desk.lab.delivered("info@exempelby.se", 1).remove(0);
    assert!(copy.contains("Resent-To: info@exempelby.se") && copy.contains("\n.punkt\n"), "{copy}");
    assert!(copy.contains("From: anna@exempelby.se"), "{copy}");
    assert_eq!(desk.lab.postfix.held(), std::slice::from_ref(&second));
    assert!(desk.held(&["list", "--purpose", "morning review"]).stdout.is_empty());
    let all = desk.done(&["list", "--all", "--purpose", "morning review"]);
    assert!(all.contains("handed over to ") && !all.contains("info@exempelby.se"), "{all}");

    // It goes back to a sender inside, with the reason.
    let text = "Skicka uppgifterna med säker e-post.";
    desk.done(&["return", &second, "--text", text, "--purpose", "wrong way"]);
    let back = until("two mails", &desk.lab, || {
        Some(desk.lab.postfix.mailbox("anna@exempelby.se")).filter(|all| all.len() == 2)
    });
    assert!(back.iter().any(|mail| mail.contains("administratively expired")), "{back:?}");
    assert!(back.iter().any(|mail| mail.contains("Auto-Submitted: auto-generated")), "{back:?}");
    assert!(desk.lab.postfix.held().is_empty());

    // Every look and every act is in the access log, which is whole.
    let access = run(Command::new(PROGRAM)
        .args(["log", "access", "--json", "--config"])
        .arg(&desk.lab.postvakt.config));
    for verb in ["held list", "held show", "held release", "held hand-over", "held return", "held-mail"] {
        assert!(access.contains(&format!("\"verb\":\"{verb}\"")), "{verb}: {access}");
    }
    let verify =
        Command::new(PROGRAM).args(["log", "verify", "--config"]).arg(&desk.lab.postvakt.config).output();
    assert!(verify.as_ref().unwrap().status.success(), "{verify:?}");
}

#[test]
fn a_citizen_never_gets_a_held_mail_back() {
    let desk = Desk::start("");
    let id = desk.hold("medborgare@example.org", "registrator@exempelby.se", "Vänta");
    let refused = desk.held(&["return", &id, "--text", "Fel adress.", "--purpose", "wrong way"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("the sender is outside"), "{refused:?}");
    let refused = desk.held(&["hand-over", &id, "--to", "x@example.org", "--purpose", "wrong way"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is outside"), "{refused:?}");
    for (arguments, code) in [
        (&["release", "4F00000000", "--purpose", "no such mail"][..], 1),
        (&["release", "../../etc/passwd", "--purpose", "no such mail"], 2),
        (&["release", &id, "--purpose", "x"], 2),
        (&["release", &id], 2),
        (&["delete", &id, "--purpose", "no such verb"], 2),
    ] {
        assert_eq!(desk.held(arguments).status.code(), Some(code), "{arguments:?}");
    }
    assert_eq!(desk.lab.postfix.held(), [id]);
}

#[test]
fn a_second_person_has_it_done() {
    let desk = Desk::start("");
    let four = RULES
        .replace("HOME", &desk.home.display().to_string())
        .replace("owner =", "four_eyes = true\nowner =");
    desk.lab.postvakt.write_rules(&four);
    desk.lab.postvakt.signal(rustix::process::Signal::HUP);
    until("the new config", &desk.lab, || {
        (desk.lab.postvakt.log.text().matches("config active").count() == 2).then_some(())
    });
    let id = desk.hold("medborgare@example.org", "registrator@exempelby.se", "Vänta");
    let release = ["release", id.as_str(), "--purpose", "it is a case"];
    assert!(desk.done(&release).contains("a second person"));
    let again = desk.held(&release);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    assert_eq!(desk.lab.postfix.held(), std::slice::from_ref(&id));
    assert!(desk.done(&["list", "--purpose", "morning review"]).contains("release proposed by games"));
    let done = desk.held_by(SECOND, &release);
    assert!(done.status.success(), "{done:?}");
    desk.lab.delivered("registrator@exempelby.se", 1);
    let stages: Vec<_> = desk.acts(&id).into_iter().map(|(_, stage, by)| (stage, by)).collect();
    let wanted = [("proposed", OPERATOR), ("begun", SECOND), ("done", SECOND)];
    assert_eq!(stages, wanted.map(|(stage, by)| (stage.to_owned(), by.to_owned())));
}

#[test]
fn an_old_mail_that_is_released_is_not_returned_when_the_next_hop_is_away() {
    let directory = Directory::new();
    let home = directory.path.clone();
    // A server that is not ready for any mail.
    let port = free_port();
    let mut away = Command::new("smtp-sink")
        .args(["-u", "nobody", "-r", "mail", &format!("127.0.0.1:{port}"), "10"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let rules = RULES.replace("HOME", &home.display().to_string());
    let (lab, ()) = Lab::start_with(directory, &rules, |postfix| {
        postfix.amend(
            &format!("transport_maps = inline:{{example.org=smtp:[127.0.0.1]:{port}}}\n"),
            "smtp unix - - n - - smtp\n",
        );
    });
    let desk = Desk::around(lab, home);
    let id = desk.hold("anna@exempelby.se", "x@example.org", "Vänta");
    let young = desk.hold("anna@exempelby.se", "x@example.org", "Vänta");
    make_older(&desk.home.join("postfix/queue/hold").join(&id), 6 * 86_400);

    let said = desk.done(&["release", &young, "--purpose", "it may go"]);
    assert!(said.contains("release: released"), "{said}");
    let said = desk.done(&["release", &id, "--purpose", "it may go"]);
    assert!(said.contains("release: requeued"), "{said}");
    let log = || desk.lab.postfix.log.text();
    let new = until("the new id", &desk.lab, || {
        let line = log().lines().find(|line| line.contains(&format!("orig_id={id}"))).map(str::to_owned)?;
        Some(line.split(": ").nth(1)?.to_owned())
    });
    let deferred = |id: &str| {
        log()
            .lines()
            .any(|line| line.contains(id) && line.contains("status=deferred") && line.contains("said: 4"))
    };
    until("both are tried", &desk.lab, || (deferred(&new) && deferred(&young)).then_some(()));
    assert!(!log().contains("status=expired") && !log().contains("status=bounced"), "{}", desk.lab);
    let waiting: Vec<String> =
        desk.lab.postfix.queue().iter().map(|entry| entry["queue_id"].as_str().unwrap().to_owned()).collect();
    assert!(waiting.contains(&new) && waiting.contains(&young), "{waiting:?}");
    away.kill().unwrap();
    away.wait().unwrap();
}

/// Makes a queue file older. It begins with records: a type, a length, and here a time in seconds.
fn make_older(path: &Path, seconds: i64) {
    let mut file = fs::read(path).unwrap();
    let (mut at, mut changed) = (0, 0);
    while at + 1 < file.len() && changed == 0 {
        let (kind, length) = (file[at], usize::from(file[at + 1]));
        if kind == b'T' {
            let text = String::from_utf8(file[at + 2..at + 2 + length].to_vec()).unwrap();
            let (first, rest) = text.split_once(' ').unwrap();
            let older = format!("{} {rest}", first.parse::<i64>().unwrap() - seconds);
            assert_eq!(older.len(), text.len());
            file[at + 2..at + 2 + length].copy_from_slice(older.as_bytes());
            changed += 1;
        }
        at += 2 + length;
    }
    assert_eq!(changed, 1, "the time of arrival");
    // In its place: the file's number is in its name.
    let mut opened = fs::OpenOptions::new().write(true).open(path).unwrap();
    std::io::Write::write_all(&mut opened, &file).unwrap();
}

#[test]
fn log_and_queue_agree_whatever_is_killed_when() {
    let desk = Desk::start("");
    let ids: Vec<String> = (0..12)
        .map(|n| desk.hold(&format!("medborgare{n}@example.org"), "registrator@exempelby.se", "Vänta"))
        .collect();
    for (n, id) in ids.iter().enumerate() {
        let mut client = desk.as_user(OPERATOR, GROUP, &["release", id, "--purpose", "it is a case"]);
        let mut client = client.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(30 * u64::try_from(n).unwrap()));
        // Whatever answers now: the operators' process, the helper, and Postfix's command.
        for parent in [&desk.operator, &desk.helper] {
            let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", parent.id())).unwrap();
            for child in children.split_whitespace() {
                let pid = rustix::process::Pid::from_raw(child.parse().unwrap()).unwrap();
                // It may have ended by itself.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        client.wait().unwrap();
    }
    desk.done(&["list", "--purpose", "morning review"]);
    let held = desk.lab.postfix.held();
    let mut seen = [0, 0];
    for id in &ids {
        let acts = desk.acts(id);
        let ends = acts.iter().filter(|(_, stage, _)| stage != "begun").count();
        assert_eq!(2 * ends, acts.len(), "each beginning has an end: {acts:?}");
        let done = acts.iter().any(|(_, stage, _)| stage == "done");
        assert_eq!(done, !held.contains(id), "{acts:?}");
        seen[usize::from(done)] += 1;
    }
    assert!(seen[1] > 0, "{seen:?}: none was released, so nothing was shown");
    for id in &held {
        desk.done(&["release", id, "--purpose", "it is a case"]);
    }
    // Who was killed could not tell Postfix to hurry.
    desk.lab.postfix.flush();
    desk.lab.delivered("registrator@exempelby.se", ids.len());
    until("the receipts", &desk.lab, || (desk.receipts("sent") == ids.len()).then_some(()));
}

#[test]
fn owners_are_told_and_what_nobody_acts_on_is_handed_over() {
    let more = "[rules.custom.other]\nmode = \"enforce\"\naction = \"hold\"\nowner = \"info@exempelby.se\"\nwhen = { subject = \"Annat\" }\n";
    let mut desk = Desk::start(more);
    let first = desk.hold("medborgare@example.org", "registrator@exempelby.se", "Vänta");
    let second = desk.hold("anna@exempelby.se", "x@example.org", "Annat");
    let owned = RULES.replace("HOME", &desk.home.display().to_string());
    let rules = owned.replacen("owner =", "digest_at = \"00:00\"\nowner =", 1) + more;
    desk.lab.postvakt.write_rules(&rules);
    desk.lab.postvakt.kill();
    desk.lab.postvakt.restart();
    // Each hears of their own, and of nobody by name.
    let to_first = desk.lab.delivered("postmaster@exempelby.se", 1).remove(0);
    let to_second = desk.lab.delivered("info@exempelby.se", 1).remove(0);
    for (notice, own, other) in [(&to_first, &first, &second), (&to_second, &second, &first)] {
        let text = decoded(notice);
        assert!(text.contains(own.as_str()) && !text.contains(other.as_str()), "{text}");
        assert!(!text.contains("medborgare") && !text.contains("anna@"), "{text}");
    }
    assert_eq!(desk.lab.postvakt.metric("postvakt_held_messages{rule=\"custom.wait\"}"), 1);
    assert_eq!(desk.lab.postvakt.metric("postvakt_held_messages{rule=\"custom.other\"}"), 1);
    assert!(desk.lab.postvakt.metric("postvakt_held_oldest_timestamp_seconds") > 1_700_000_000);

    // Nobody acts on them.
    let late =
        rules.replacen("owner =", "hold_at_most = \"1 s\"\nhand_over_to = \"anna@exempelby.se\"\nowner =", 1);
    desk.lab.postvakt.write_rules(&late);
    desk.lab.postvakt.kill();
    desk.lab.postvakt.restart();
    let copies = desk.lab.delivered("anna@exempelby.se", 2);
    assert!(copies.iter().all(|copy| copy.contains("Resent-To: anna@exempelby.se")), "{copies:?}");
    let mut held = desk.lab.postfix.held();
    held.sort();
    let mut both = [first.clone(), second];
    both.sort();
    assert_eq!(held, both, "never away, and never returned");
    let acts = desk.acts(&first);
    assert_eq!(acts.last().unwrap().1, "done", "{acts:?}");
    // Once is enough, and nobody is told of them again.
    desk.lab.postvakt.kill();
    desk.lab.postvakt.restart();
    until("the look", &desk.lab, || {
        (desk.lab.postvakt.metric("postvakt_held_looks_total{result=\"seen\"}") > 0).then_some(())
    });
    assert_eq!(desk.lab.postvakt.metric("postvakt_held_messages{rule=\"custom.wait\"}"), 0);
    assert_eq!(desk.lab.postfix.count("anna@exempelby.se"), 2);
    assert_eq!(desk.lab.postfix.count("postmaster@exempelby.se"), 1);
}

/// The text of a notice, whatever its transfer encoding.
fn decoded(message: &str) -> String {
    let parsed = mail_parser::MessageParser::default().parse(message.as_bytes()).unwrap();
    parsed.body_text(0).unwrap().into_owned()
}

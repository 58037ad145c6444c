//! Held mail with the real Postfix: by an operator who is not root, through the operators' process and the queue helper.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::lab::program::PROGRAM;
use crate::lab::{Directory, Lab, queue_id, run, until};

/// Rules that hold: one for mail from outside, one for mail that leaves.
const RULES: &str = r#"
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

/// A lab, its queue helper, and its operators' process.
struct Desk {
    lab: Lab,
    home: PathBuf,
    helper: Child,
    operator: Child,
}

impl Desk {
    fn start(more: &str) -> Self {
        let directory = Directory::new();
        let home = directory.path.clone();
        let rules = RULES.replace("HOME", &home.display().to_string()) + more;
        let lab = Lab::start_in(directory, &rules);
        // The server's user is root in the lab; the helper carries out requests of root and of this user.
        let helper = helper(&home, &home.join("queue.sock"));
        let mut operator = Command::new(PROGRAM);
        operator.arg("operator").arg("--config").arg(&lab.postvakt.config);
        operator.arg("--listen").arg(home.join("held.sock")).args(["--group", GROUP]);
        let operator = operator.stderr(Stdio::null()).spawn().unwrap();
        for name in ["queue.sock", "held.sock"] {
            let path = home.join(name);
            let mode = |path: &Path| fs::metadata(path).map(|known| known.permissions().mode() & 0o777);
            until(name, &lab, || {
                mode(&path).is_ok_and(|mode| mode & 0o077 == 0 || mode == 0o660).then_some(())
            });
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
    fn hold(&self, from: &str, to: &str, subject: &str) -> String {
        let mut smtp = if from.ends_with("@exempelby.se") { self.lab.inside() } else { self.lab.outside() };
        let reply = smtp.send(from, &[to], &format!("From: {from}\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <{subject}.1@x>\r\n\r\nHej!\r\n.punkt\r\n"));
        queue_id(&reply)
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
    assert_eq!(rows[0]["findings"][0], "custom.wait=strong");
    assert_eq!(rows[0]["sender"], "medborgare@example.org");
    assert!(!list.contains("anna@exempelby.se"), "{list}");

    let shown = desk.done(&["show", &second, "--purpose", "morning review"]);
    assert!(shown.contains("anna@exempelby.se") && shown.contains("| Subject: "), "{shown}");
    assert!(!shown.contains("punkt"), "the text of a mail is not shown: {shown}");

    // What waited for it is sent.
    let receipts = |state: &str| desk.lab.postvakt.receipts(&["list", "--state", state]).len();
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
    assert_eq!(desk.lab.postfix.held(), [second.clone()]);
    assert!(desk.held(&["list", "--purpose", "morning review"]).stdout.is_empty());
    assert!(
        desk.done(&["list", "--all", "--purpose", "morning review"])
            .contains("handed over to info@exempelby.se")
    );

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
    until("the new config", &desk.lab, || (desk.lab.postvakt.log.text().matches("config active").count() == 2).then_some(()));
    let id = desk.hold("medborgare@example.org", "registrator@exempelby.se", "Vänta");
    let release = ["release", id.as_str(), "--purpose", "it is a case"];
    assert!(desk.done(&release).contains("a second person"));
    let again = desk.held(&release);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    assert_eq!(desk.lab.postfix.held(), [id.clone()]);
    assert!(desk.done(&["list", "--purpose", "morning review"]).contains("release proposed by games"));
    let done = desk.held_by(SECOND, &release);
    assert!(done.status.success(), "{done:?}");
    desk.lab.delivered("registrator@exempelby.se", 1);
    let stages: Vec<_> = desk.acts(&id).into_iter().map(|(_, stage, by)| (stage, by)).collect();
    let wanted = [("proposed", OPERATOR), ("begun", SECOND), ("done", SECOND)];
    assert_eq!(stages, wanted.map(|(stage, by)| (stage.to_owned(), by.to_owned())));
}

//! Held mail with the real Postfix: by an operator who is not root, through the operators' process and the queue helper.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

mod overrides;

use crate::lab::program::PROGRAM;
use crate::lab::{Directory, Lab, free_port, queue_id, run, until};

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

/// Message-IDs are given once.
static NEXT: AtomicU32 = AtomicU32::new(0);

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
    fn hold(&self, from: &str, to: &str, subject: &str) -> String {
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
        .args(["-f", "mail", &format!("127.0.0.1:{port}"), "10"])
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
    let deferred = |id: &str| log().lines().any(|line| line.contains(id) && line.contains("status=deferred"));
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
fn the_helper_does_five_things_and_nothing_else() {
    let desk = Desk::start("");
    let id = desk.hold("medborgare@example.org", "registrator@exempelby.se", "Vänta");
    let socket = desk.home.join("queue.sock");
    let ask = |text: &[u8]| -> String {
        let mut stream = UnixStream::connect(&socket).unwrap();
        // One that has heard enough closes.
        let _ = stream.write_all(text);
        if !text.ends_with(b"\n") {
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    let long = [b"{\"do\":\"release\",\"id\":\"".as_slice(), &[b'A'; 5_000], b"\"}\n"].concat();
    for text in [
        &b""[..],
        b"\n",
        b"list\n",
        b"{\"do\":\"delete\",\"id\":\"ALL\"}\n",
        b"{\"do\":\"release\",\"id\":\"-d ALL\"}\n",
        b"{\"do\":\"release\",\"id\":\"../active/X\"}\n",
        b"{\"do\":\"header\",\"id\":\"hold/../../etc/passwd\"}\n",
        b"{\"do\":\"release\",\"id\":\"ALL\",\"queue\":\"hold\"}\n",
        b"{\"do\":\"release\"",
        b"\xff\xfe\x00\n",
        &long,
    ] {
        let answer = ask(text);
        assert!(
            answer.is_empty() || answer.contains("\"failed\""),
            "{}: {answer}",
            String::from_utf8_lossy(text)
        );
    }
    // Postfix's own word for every mail is no mail's name.
    for request in ["release", "return", "header", "message"] {
        assert_eq!(
            ask(format!("{{\"do\":\"{request}\",\"id\":\"ALL\"}}\n").as_bytes()),
            "{\"answer\":\"not-held\"}\n"
        );
    }
    // Neither is a mail in another queue.
    let reply = desk.lab.outside().send(
        "medborgare@example.org",
        &["registrator@exempelby.se"],
        "From: medborgare@example.org\r\nSubject: Hej\r\n\r\nHej!\r\n",
    );
    let other = queue_id(&reply);
    assert_eq!(
        ask(format!("{{\"do\":\"message\",\"id\":\"{other}\"}}\n").as_bytes()),
        "{\"answer\":\"not-held\"}\n"
    );
    // Nobody else is heard, also where the socket is open to all.
    assert!(!connects_as(OPERATOR, &socket).contains("listed"));
    fs::set_permissions(&socket, Permissions::from_mode(0o666)).unwrap();
    let refused = connects_as(OPERATOR, &socket);
    assert!(refused.contains("only nobody may ask"), "{refused}");
    assert!(connects_as("nobody", &socket).contains("\"listed\""));
    // Nor are operators, where everybody could be one.
    let held = desk.home.join("held.sock");
    fs::set_permissions(&held, Permissions::from_mode(0o666)).unwrap();
    let refused = desk.held(&["release", &id, "--purpose", "it is a case"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("everybody may connect"), "{refused:?}");
    fs::set_permissions(&held, Permissions::from_mode(0o660)).unwrap();
    // Operators have one command, under the server's config.
    for other in [&["log", "search", "--purpose", "reading along"][..], &["serve"], &["queue-helper"]] {
        let refused = raw_operator(&held, other);
        assert!(refused.contains("the command `held` alone"), "{other:?}: {refused}");
    }
    // Clients that break off, and very many of them.
    for n in 0..2_000 {
        let mut stream = UnixStream::connect(&socket).unwrap();
        let text = format!("{{\"do\":\"message\",\"id\":\"{id}\"}}\n");
        let part = if n % 50 == 0 { text.len() } else { n % text.len() };
        // It may have gone already.
        let _ = stream.write_all(&text.as_bytes()[..part]);
    }
    assert_eq!(desk.lab.postfix.held(), std::slice::from_ref(&id));
    desk.done(&["release", &id, "--purpose", "it is a case"]);
    desk.lab.delivered("registrator@exempelby.se", 2);
}

/// What the helper answers to a list, asked by a user.
fn connects_as(user: &str, socket: &Path) -> String {
    let script = "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\ns.sendall(b'{\"do\":\"list\"}\\n')\nprint(s.makefile().read())";
    let mut command = Command::new("setpriv");
    command
        .args([
            "--reuid",
            user,
            "--regid",
            "nogroup",
            "--clear-groups",
            "--",
            "/usr/bin/python3",
            "-c",
            script,
        ])
        .arg(socket);
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// What the operators' process says to a command that no `postvakt held` sends.
fn raw_operator(socket: &Path, arguments: &[&str]) -> String {
    let script = "import socket,sys,array,json,os\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n\
                  s.sendmsg([json.dumps(sys.argv[2:]).encode()],[(socket.SOL_SOCKET,socket.SCM_RIGHTS,array.array('i',[1,2]))])\n\
                  s.shutdown(socket.SHUT_WR)\ns.recv(1)";
    let output = Command::new("python3").args(["-c", script]).arg(socket).args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
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

#[test]
fn two_operators_do_one_thing() {
    let desk = Desk::start("");
    let id = desk.hold("anna@exempelby.se", "x@example.org", "Vänta");
    let text = "Skicka uppgifterna med säker e-post.";
    let commands = [
        &["release", id.as_str(), "--purpose", "it may go"][..],
        &["return", &id, "--text", text, "--purpose", "wrong way"],
        &["return", &id, "--text", text, "--purpose", "wrong way"],
        &["hand-over", &id, "--to", "info@exempelby.se", "--purpose", "for the registrar"],
    ];
    let begun: Vec<Child> = commands
        .iter()
        .map(|arguments| {
            let mut command = desk.as_user(OPERATOR, GROUP, arguments);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    let codes: Vec<_> = begun.into_iter().map(|mut child| child.wait().unwrap().code().unwrap()).collect();
    let done: Vec<String> = desk
        .acts(&id)
        .into_iter()
        .filter(|(act, stage, _)| stage == "done" && act != "hand-over")
        .map(|(act, ..)| act)
        .collect();
    assert_eq!(done.len(), 1, "{done:?} {codes:?}");
    assert_eq!(codes[..3].iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    let kind = |record: &serde_json::Value| record["kind"] == "notice";
    assert!(desk.lab.postvakt.receipts(&["list"]).iter().filter(|row| kind(row)).count() <= 1);
    // The mail went one way, and who reads of a return got the mail.
    if done == ["release"] {
        desk.lab.delivered("x@example.org", 1);
        assert_eq!(desk.lab.postfix.count("anna@exempelby.se"), 0);
    } else {
        desk.lab.delivered("anna@exempelby.se", 2);
        assert_eq!(desk.lab.postfix.count("x@example.org"), 0);
    }
}

#[test]
fn another_text_is_no_approval_and_an_ended_process_is_nobody() {
    let desk = Desk::start("");
    let four = RULES.replace("HOME", &desk.home.display().to_string()).replacen(
        "owner =",
        "four_eyes = true\nowner =",
        1,
    );
    desk.lab.postvakt.write_rules(&four);
    desk.lab.postvakt.signal(rustix::process::Signal::HUP);
    until("the new config", &desk.lab, || {
        (desk.lab.postvakt.log.text().matches("config active").count() == 2).then_some(())
    });
    let id = desk.hold("anna@exempelby.se", "x@example.org", "Vänta");
    let returned = |text: &'static str| {
        ["return", id.as_str(), "--text", text, "--purpose", "wrong way"].map(str::to_owned)
    };
    let command = |user: &str, text: &'static str| {
        let arguments = returned(text);
        desk.held_by(user, &arguments.each_ref().map(String::as_str))
    };
    assert!(command(OPERATOR, "Skicka det säkert.").status.success());
    let other = command(SECOND, "Något helt annat.");
    assert!(String::from_utf8_lossy(&other.stdout).contains("proposed"), "{other:?}");
    assert_eq!(desk.lab.postfix.held(), std::slice::from_ref(&id));
    // A connection whose process has ended says nothing of who asks.
    let script = "import socket,sys,array,json,os,time\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n\
                  out=os.dup(2)\nif os.fork(): os._exit(0)\ntime.sleep(1)\n\
                  s.sendmsg([json.dumps(sys.argv[2:]).encode()],[(socket.SOL_SOCKET,socket.SCM_RIGHTS,array.array('i',[out,out]))])\n\
                  s.shutdown(socket.SHUT_WR)\ns.recv(1)";
    let arguments = returned("Skicka det säkert.");
    let mut ended = Command::new("setpriv");
    ended.args([
        "--reuid",
        SECOND,
        "--regid",
        GROUP,
        "--clear-groups",
        "--",
        "/usr/bin/python3",
        "-c",
        script,
    ]);
    let said = ended.arg(desk.home.join("held.sock")).arg("held").args(&arguments).output().unwrap();
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    // The process is seen while it lives, or refused when it does not; it is never somebody else.
    let acts = desk.acts(&id);
    assert!(
        said.contains("has ended") || acts.iter().any(|(_, stage, by)| stage == "done" && by == SECOND),
        "{said} {acts:?}"
    );
}

#[test]
fn a_reply_that_is_no_text_hides_no_mail_on_hold() {
    let directory = Directory::new();
    let home = directory.path.clone();
    // A next hop whose reply is neither ASCII nor UTF-8.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(20) {
            let Ok(mut stream) = stream else { return };
            let _ = stream.write_all(b"220 x ESMTP\r\n");
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|octets| octets > 0) {
                let reply: &[u8] = if line.starts_with(b"EHLO") {
                    b"250 x\r\n"
                } else {
                    b"451 4.2.0 Br\xe9vl\xe5dan full \xff\xfe\x9b31m\r\n"
                };
                let _ = stream.write_all(reply);
                line.clear();
            }
        }
    });
    let rules = RULES.replace("HOME", &home.display().to_string());
    let (lab, ()) = Lab::start_with(directory, &rules, |postfix| {
        postfix.amend(
            &format!("transport_maps = inline:{{example.org=smtp:[127.0.0.1]:{port}}}\n"),
            "smtp unix - - n - - smtp\n",
        );
    });
    let desk = Desk::around(lab, home);
    let reply = desk.lab.inside().send(
        "anna@exempelby.se",
        &["x@example.org"],
        "From: anna@exempelby.se\r\nSubject: Hej\r\n\r\nHej!\r\n",
    );
    let id = queue_id(&reply);
    until("the reply", &desk.lab, || {
        desk.lab
            .postfix
            .log
            .text()
            .lines()
            .any(|line| line.contains(&id) && line.contains("status=deferred"))
            .then_some(())
    });
    let held = desk.hold("medborgare@example.org", "registrator@exempelby.se", "Vänta");
    assert!(desk.done(&["list", "--purpose", "morning review"]).contains(&held));
    desk.done(&["release", &held, "--purpose", "it is a case"]);
    desk.lab.delivered("registrator@exempelby.se", 1);
}

#[test]
fn who_asked_and_is_gone_gets_nothing_done() {
    let desk = Desk::start("");
    let id = desk.hold("medborgare@example.org", "registrator@exempelby.se", "Vänta");
    // The queue is in use, and whoever asks for the release waits no longer.
    let hold = fs::File::open(desk.home.join("postfix/queue/hold")).unwrap();
    rustix::fs::flock(&hold, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let mut stream = UnixStream::connect(desk.home.join("queue.sock")).unwrap();
    stream.write_all(format!("{{\"do\":\"release\",\"id\":\"{id}\"}}\n").as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    drop(stream);
    drop(hold);
    // Its turn comes, and the next one's after it.
    assert!(desk.done(&["list", "--purpose", "morning review"]).contains(&id));
    assert_eq!(desk.lab.postfix.held(), [id]);
}

//! What attackers and accidents try with held mail: other requests, other users, races, odd replies.

use std::net::TcpListener;

use super::*;

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

#[test]
fn a_copy_that_does_not_arrive_comes_back() {
    let directory = Directory::new();
    let home = directory.path.clone();
    // A mailbox server that refuses every recipient.
    let port = free_port();
    let mut refusing = Command::new("smtp-sink")
        .args(["-u", "nobody", "-f", "rcpt", &format!("127.0.0.1:{port}"), "10"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let rules = RULES.replace("HOME", &home.display().to_string());
    let (lab, ()) = Lab::start_with(directory, &rules, |postfix| {
        postfix.amend(
            &format!("transport_maps = inline:{{info@exempelby.se=smtp:[127.0.0.1]:{port}}}\n"),
            "smtp unix - - n - - smtp\n",
        );
    });
    let desk = Desk::around(lab, home);
    let id = desk.hold("medborgare@example.org", "registrator@exempelby.se", "Vänta");
    desk.done(&["hand-over", &id, "--to", "info@exempelby.se", "--purpose", "for the registrar"]);
    until("the bounce", &desk.lab, || {
        let mails = desk.lab.postfix.mailbox("postmaster@exempelby.se");
        mails.iter().any(|mail| mail.contains("info@exempelby.se") && mail.contains("5.3.0")).then_some(())
    });
    assert_eq!(desk.lab.postfix.held(), std::slice::from_ref(&id));
    refusing.kill().unwrap();
    refusing.wait().unwrap();
}

//! The console in a real browser: whole ways from the sign-in to a result, each page as people with a keyboard, a small
//! window or a screen reader meet it, roles, and attacks. The walks are in `tests/console`.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::documents::messages::base64;
use crate::held::{Desk, RULES};
use crate::lab::program::PROGRAM;
use crate::lab::{Directory, Log, free_port, until};

/// How the modules of the walks are installed.
const NPM: &str = "npm ci --ignore-scripts --no-audit --no-fund, in tests/console";

/// Runs a walk, which gets `settings` beside what every walk needs.
fn walk(script: &str, mut settings: Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console");
    assert!(Path::new("/usr/bin/chromium").exists(), "chromium: apt-get install chromium");
    assert!(folder.join("node_modules/playwright-core").exists(), "the modules of the walks: {NPM}");
    settings["program"] = json!(PROGRAM);
    settings["pictures"] = json!(Path::new(env!("CARGO_TARGET_TMPDIR")).join("console"));
    let mut node = Command::new("node");
    node.arg(script).current_dir(&folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut node = node.spawn().expect("node, 20 or newer, with npm: https://nodejs.org");
    node.stdin.take().unwrap().write_all(settings.to_string().as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    let [out, errors] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    println!("{out}");
    assert!(output.status.success(), "{script}: {}\n{out}{errors}", output.status);
}

/// Has a process end by itself, so that it ends those that it started.
fn stop(child: &mut Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    let _ = kill_process(pid, Signal::TERM);
    let _ = child.wait();
}

/// `postvakt demo --all --console`.
struct Demo {
    child: Child,
    link: String,
    directory: Directory,
}

impl Demo {
    fn start() -> Self {
        let directory = Directory::new();
        let mut demo = Command::new(PROGRAM);
        demo.args(["demo", "--all", "--console", "--keep"]).arg(&directory.path);
        let log = fs::File::create(directory.path.join("demo.log")).unwrap();
        let mut child = demo.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let link = lines.map(|line| line.trim().to_owned()).find(|line| line.contains("/sign-in/link/"));
        let log = Log(directory.path.join("demo.log"));
        let link = link.unwrap_or_else(|| panic!("the demonstration printed no link:\n{log}"));
        Self { child, link, directory }
    }

    fn settings(&self) -> Value {
        let home = &self.directory.path;
        json!({
            "origin": self.link.split("/sign-in").next(), "link": self.link, "links": home.join("link.sock"),
            "config": home.join("postvakt.toml"),
        })
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

#[test]
fn people_do_their_work_with_scripts_off_and_by_keyboard() {
    let demo = Demo::start();
    walk("work.mjs", demo.settings());
}

#[test]
fn every_page_is_for_everybody() {
    let demo = Demo::start();
    walk("pages.mjs", demo.settings());
}

#[test]
fn roles_hold_and_other_origins_do_nothing() {
    let demo = Demo::start();
    walk("attacks.mjs", demo.settings());
}

/// The console over a real Postfix, behind a reverse proxy that says who it is.
struct Town {
    desk: Desk,
    home: PathBuf,
    port: u16,
    console: Child,
    commands: Child,
}

/// The console, and that two people are needed.
const CONSOLE: &str = r#"
[store.access]
four_eyes = true

[console]
listen = "unix:HOME/console.sock"
origin = "http://localhost:PORT"

[console.proxy]
subject = "X-Remote-User"
name = "X-Remote-Name"
roles = "X-Remote-Roles"
"#;

impl Town {
    fn start() -> Self {
        let port = free_port();
        let mut rules = RULES.replace("owner =", "four_eyes = true\nowner =") + CONSOLE;
        for role in ["reader", "reviewer", "registrar", "mail-admin", "approver", "archivist", "insight"] {
            let mailboxes =
                if role == "registrar" { "mailboxes = [\"registrator@exempelby.se\"]\n" } else { "" };
            write!(rules, "\n[[console.roles]]\nvalue = \"{role}\"\nrole = \"{role}\"\n{mailboxes}").unwrap();
        }
        let desk = Desk::of(&rules.replace("PORT", &port.to_string()));
        let home = desk.home.clone();
        let log = Log(home.join("console.log"));
        let start = |arguments: &[&str], sockets: &[(&str, &str)]| {
            let mut command = Command::new(PROGRAM);
            command.args(arguments).arg("--config").arg(&desk.lab.postvakt.config);
            for (option, name) in sockets {
                command.arg(option).arg(home.join(name));
            }
            crate::lab::program::logged(&mut command, &log)
        };
        let commands = start(&["operator", "--console"], &[("--listen", "commands.sock")]);
        let console = start(&["console"], &[("--commands", "commands.sock"), ("--links", "link.sock")]);
        for name in ["commands.sock", "console.sock"] {
            let mode = || fs::metadata(home.join(name)).map(|known| known.permissions().mode() & 0o777);
            until(name, &log, || mode().is_ok_and(|mode| mode == 0o660).then_some(()));
        }
        Self { desk, home, port, console, commands }
    }

    fn settings(&self) -> Value {
        json!({
            "origin": format!("http://localhost:{}", self.port), "port": self.port,
            "links": self.home.join("link.sock"), "socket": self.home.join("console.sock"),
            "config": self.desk.lab.postvakt.config,
        })
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        stop(&mut self.console);
        let _ = self.commands.kill();
        let _ = self.commands.wait();
    }
}

#[test]
fn held_mail_goes_by_two_people_and_hostile_mail_is_text() {
    let town = Town::start();
    let desk = &town.desk;
    let outside: Vec<String> =
        (0..5).map(|_| desk.hold("medborgare@example.org", "registrator@exempelby.se", "Vänta")).collect();
    let inside = desk.hold("anna@exempelby.se", "x@example.org", "Vänta");
    let strings: Vec<String> = serde_json::from_str(include_str!("../../console/hostile.json")).unwrap();
    deliver_hostile(desk, &strings);
    let mut settings = town.settings();
    settings["outside"] = json!(outside);
    settings["inside"] = json!(inside);
    settings["strings"] = json!(strings);
    walk("held.mjs", settings);
    // Three of the five were released, one was handed over and lies there yet, as does the one that may not go back.
    desk.lab.delivered("registrator@exempelby.se", 3);
    desk.lab.delivered("info@exempelby.se", 1);
    let mut left = desk.lab.postfix.held();
    left.sort();
    let mut wanted = outside[3..].to_vec();
    wanted.sort();
    assert_eq!(left, wanted, "{}", desk.lab);
}

#[test]
fn a_request_for_public_records_goes_by_two_people() {
    let town = Town::start();
    let desk = &town.desk;
    let mut smtp = desk.lab.outside();
    for (sender, subject) in [
        ("medborgare@example.org", "Bygglov"),
        ("granne@example.org", "Orosanmälan"),
        ("medborgare@example.org", "Skyddad adress"),
    ] {
        let subject = base64(subject.as_bytes());
        let message = format!(
            "From: {sender}\r\nTo: info@exempelby.se\r\nSubject: =?utf-8?B?{}?=\r\n\r\nHej!\r\n",
            subject.trim()
        );
        let reply = smtp.send(sender, &["info@exempelby.se"], &message);
        assert!(reply.starts_with("250"), "{reply}");
    }
    // Another mailbox's mail is not asked for.
    let reply =
        smtp.send("medborgare@example.org", &["postmaster@exempelby.se"], "Subject: annat\r\n\r\nHej!\r\n");
    assert!(reply.starts_with("250"), "{reply}");
    let mut settings = town.settings();
    settings["store"] = json!(town.home.join("store"));
    walk("disclosure.mjs", settings);
}

/// Mail with each of the strings as its subject, the name of its sender, of an attachment, and whatever else has a place for it.
fn deliver_hostile(desk: &Desk, strings: &[String]) {
    let mut smtp = desk.lab.outside();
    for (number, string) in strings.iter().enumerate() {
        let word = format!("=?utf-8?B?{}?=", base64(string.as_bytes()).replace('\n', ""));
        let percent = string.bytes().fold(String::new(), |text, octet| format!("{text}%{octet:02X}"));
        // What a header field holds as it is.
        let bare: String = string.chars().filter(|c| !c.is_control()).take(200).collect();
        let quoted: String = bare.chars().filter(char::is_ascii_graphic).take(60).collect();
        let quoted = quoted.replace('\\', "\\\\").replace('"', "\\\"");
        let sender = format!("\"{quoted}\"@example.org");
        let message = format!(
            "From: {word} <\"{quoted}\"@example.org>\r\nReply-To: {bare}\r\nTo: postmaster@exempelby.se\r\nSubject: {word}\r\n\
             Message-ID: <{number}.{quoted}@example.org>\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/mixed; boundary=grans\r\n\r\n--grans\r\nContent-Type: text/plain\r\n\r\nHej!\r\n\
             --grans\r\nContent-Type: text/plain\r\nContent-Disposition: attachment;\r\n filename*=utf-8''{percent}\r\n\r\nHej!\r\n\
             --grans--\r\n"
        );
        let mut reply = smtp.send(&sender, &["postmaster@exempelby.se"], &message);
        if !reply.starts_with("250") {
            // Postfix takes no such sender.
            smtp.say("RSET");
            reply = smtp.send("medborgare@example.org", &["postmaster@exempelby.se"], &message);
        }
        assert!(reply.starts_with("250"), "{string:?}: {reply}");
    }
}

//! The program as its users call it: commands, exit codes, `--json`.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::lab::{config, free_port};

const RULES: &str = r#"[rules.auto-forward]
mode = "enforce"
action = "reject"
reroute_to = "registrator@exempelby.se"
[[rules.auto-forward.exceptions]]
mailbox = "anna@exempelby.se"
to = "arkiv@example.com"
decision = "KS 2026/123"
until = 2026-06-30
[rules.custom.no-exe]
when = { attachment_name = '(?i)\.exe$' }
mode = "observe"
action = "reject"
"#;

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.write("postvakt.toml", &config(RULES));
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn explain(&self, arguments: &[&str], files: &[&Path]) -> Vec<Value> {
        let output = postvakt()
            .args(["explain", "--json", "--config"])
            .arg(self.path("postvakt.toml"))
            .args(arguments)
            .args(files)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn postvakt() -> Command {
    Command::new(env!("CARGO_BIN_EXE_postvakt"))
}

fn run(arguments: &[&str]) -> Output {
    postvakt().args(arguments).output().unwrap()
}

fn redirected(desk: &Desk) -> PathBuf {
    desk.write(
        "redirected.eml",
        "X-Sieve-Redirected-From: anna@exempelby.se\nFrom: medborgare@example.org\nTo: anna@exempelby.se\n\
         Message-ID: <1@example.org>\nSubject: =?utf-8?Q?H=C3=A4lsning?=\nContent-Type: multipart/mixed; boundary=b\n\n\
         --b\n\nHej\n--b\nContent-Type: application/octet-stream; name=\"b=C3=A5t.exe\"\n\
         Content-Disposition: attachment; filename*=utf-8''b%C3%A5t.exe\nContent-Transfer-Encoding: base64\n\nTVo=\n--b--\n",
    )
}

#[test]
fn explain_says_what_follows_and_why() {
    let desk = Desk::new();
    let file = redirected(&desk);
    let arguments = ["--from", "anna@exempelby.se", "--rcpt", "x@example.net", "--client", "10.1.2.3"];
    let [said] = desk.explain(&arguments, &[&file]).try_into().unwrap();
    assert_eq!(said["file"], file.display().to_string());
    assert_eq!((&said["direction"], &said["verdict"]), (&"outbound".into(), &"rejected".into()));
    let finding = &said["findings"][0];
    assert_eq!((&finding["rule"], &finding["grade"]), (&"auto-forward".into(), &"certain".into()));
    assert_eq!(
        (&finding["mode"], &finding["evidence"]),
        (&"enforce".into(), &"sieve; mailbox=anna@exempelby.se".into())
    );
    let line = config(RULES).lines().position(|line| line == "[rules.auto-forward]").unwrap() + 1;
    assert_eq!(finding["config"], format!("{}:{line}", desk.path("postvakt.toml").display()));
    let observed = &said["findings"][1];
    assert_eq!((&observed["rule"], &observed["mode"]), (&"custom.no-exe".into(), &"observe".into()));
    assert!(said["reply"].as_str().unwrap().starts_with("550 5.7.1 Automatisk vidarebefordran"), "{said}");
    assert_eq!((&said["record"], &said["edits"]), (&Value::Null, &Value::Array(Vec::new())));
    let facts = &said["facts"];
    assert_eq!((&facts["subject"], &facts["message_id"]), (&"Hälsning".into(), &"<1@example.org>".into()));
    let attachment = &facts["attachments"][0];
    assert_eq!((&attachment["path"], &attachment["name"]), (&"2".into(), &"båt.exe".into()));
    assert_eq!((&attachment["size"], &attachment["state"]), (&2.into(), &"plain".into()));
}

#[test]
fn the_same_forward_from_the_citizens_address_is_rerouted() {
    let desk = Desk::new();
    let file = redirected(&desk);
    let arguments =
        ["--from", "medborgare@example.org", "--rcpt", "x@example.net", "--rcpt", "bertil@exempelby.se"];
    let [said] = desk.explain(&arguments, &[&file]).try_into().unwrap();
    assert_eq!((&said["verdict"], &said["reply"]), (&"marked".into(), &Value::Null));
    let outcomes: Vec<String> = said["recipients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| format!("{} {}", r["address"], r["outcome"]))
        .collect();
    assert_eq!(
        outcomes,
        [
            "\"x@example.net\" \"removed\"",
            "\"bertil@exempelby.se\" \"kept\"",
            "\"registrator@exempelby.se\" \"added\""
        ]
    );
    let operations: Vec<&str> =
        said["edits"].as_array().unwrap().iter().map(|e| e["op"].as_str().unwrap()).collect();
    assert_eq!(operations, ["insert-header", "insert-header", "remove-recipient", "add-recipient"]);
}

#[test]
fn exceptions_hold_until_their_day_is_over() {
    let desk = Desk::new();
    let file = redirected(&desk);
    for (at, verdict) in [("2026-06-30T21:59:59Z", "accepted"), ("2026-06-30T22:00:00Z", "rejected")] {
        let arguments = ["--from", "anna@exempelby.se", "--rcpt", "arkiv@example.com", "--at", at];
        let [said] = desk.explain(&arguments, &[&file]).try_into().unwrap();
        assert_eq!(said["verdict"], verdict, "{at}");
    }
}

#[test]
fn several_files_share_one_memory() {
    let desk = Desk::new();
    let text = "From: medborgare@example.org\nTo: anna@exempelby.se\nMessage-ID: <1@example.org>\nSubject: a\n\nHej\n";
    let inbound = desk.write("inbound.eml", text);
    let outbound = desk.write("outbound.eml", &text.replace("To: anna@exempelby.se", "To: x@example.net"));
    let said = desk.explain(&[], &[&inbound, &outbound]);
    assert_eq!((&said[0]["verdict"], &said[1]["verdict"]), (&"accepted".into(), &"marked".into()));
    assert_eq!(said[1]["findings"][0]["evidence"], "message-id; mailbox=anna@exempelby.se");
    let alone = desk.explain(&[], &[&outbound]);
    assert_eq!(alone[0]["verdict"], "accepted");
}

#[test]
fn exit_codes_and_where_things_are_said() {
    let desk = Desk::new();
    let good = desk.path("postvakt.toml");
    let bad = desk.write("bad.toml", "[organisation]\nname = \"\"\n");
    let (good, bad) = (good.to_str().unwrap(), bad.to_str().unwrap());
    for (arguments, code) in [
        (vec!["check", "--config", good], 0),
        (vec!["check", "--config", bad], 78),
        (vec!["check", "--config", "/nonexistent.toml"], 78),
        (vec!["serve", "--config", bad], 78),
        (vec!["explain", "--config", bad, good], 78),
        (vec!["explain", "--config", good, "/nonexistent.eml"], 2),
        (vec!["explain", "--config", good], 2),
        (vec!["rules"], 0),
        (vec!["rules", "auto-forward"], 0),
        (vec!["rules", "no-such-rule"], 2),
        (vec!["log", "search", "--config", good, "--purpose", "test"], 2),
        (vec!["no-such-command"], 2),
        (vec!["--help"], 0),
        (vec!["--version"], 0),
    ] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        assert_eq!(output.stderr.is_empty(), code == 0, "{arguments:?}: {output:?}");
    }
}

#[test]
fn the_demonstration_shows_everything_and_leaves_what_it_is_asked_to() {
    let desk = Desk::new();
    let kept = desk.path("kept");
    let output = postvakt().args(["demo", "--all", "--json", "--keep"]).arg(&kept).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines.len() >= 40 && lines.iter().all(|line| line["record"].is_string()));
    let config = kept.join("postvakt.toml");
    let output = postvakt()
        .args(["log", "search", "--json", "--decision", "test", "--config"])
        .arg(config)
        .output()
        .unwrap();
    let records = String::from_utf8(output.stdout).unwrap();
    assert_eq!(records.lines().count(), lines.len());
}

/// The eight mails are played over the wire as all others are, and what is expected of each is checked.
#[test]
fn the_demonstration_tells_a_story() {
    let desk = Desk::new();
    let output = postvakt().arg("demo").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for sentence in [
        "1  A citizen writes to the registrar, and gets a receipt.\n   → accepted; a receipt is queued\n",
        "   → HELD; auto-forward: ",
        "   → HELD; sensitive-data: ",
        "4  She sends the same in an encrypted file. Its password goes by telephone.\n   → accepted\n",
        "   → HELD; credentials: ",
        "   → marked; spam: ",
        "   → marked; lookalike-sender: ",
        "   → marked; suspicious-attachment: ",
        "\n8 mails: 2 accepted, 3 marked, 3 held; each has its record in the log.\n",
        "Tack för ditt meddelande",
        "postvakt demo --all",
    ] {
        assert!(said.contains(sentence), "{sentence}\n{said}");
    }
    // It is read in a terminal, and shows no identity number whole.
    assert!(said.lines().all(|line| line.chars().count() <= 100) && !said.contains("811228-9874"), "{said}");
    let kept = desk.path("kept");
    let said = postvakt().args(["demo", "--keep"]).arg(&kept).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let next = said.split("\nNext:\n").nth(1).unwrap();
    for command in next.lines() {
        let arguments = command.trim().strip_prefix("postvakt ").unwrap().split(' ');
        let done = postvakt().args(arguments).output().unwrap();
        assert!(done.status.success(), "{command}: {done:?}");
    }
}

#[test]
fn rules_are_listed_for_people_and_programs() {
    let output = String::from_utf8(run(&["rules", "--json"]).stdout).unwrap();
    let ids: Vec<Value> =
        output.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone()).collect();
    assert!(ids.contains(&"auto-forward".into()));
    let page = String::from_utf8(run(&["rules", "auto-forward"]).stdout).unwrap();
    assert!(page.starts_with("# auto-forward\n") && page.contains("## What it misses"));
}

#[test]
fn the_rules_of_a_config_are_listed_with_their_exceptions() {
    let desk = Desk::new();
    let path = desk.path("rules.toml");
    let exceptions =
        "[[rules.custom.no-exe.exceptions]]\nsender = [\"anna@exempelby.se\"]\nuntil = 2020-01-31\n";
    std::fs::write(&path, config(RULES) + exceptions).unwrap();
    let file = path.to_str().unwrap();
    let rules = |more: &[&str]| {
        let output = run(&[&["rules", "--config", file], more].concat());
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, table) = rules(&[]);
    let line = table.lines().find(|line| line.contains("sender anna@exempelby.se")).unwrap_or_default();
    assert!(code == 0 && line.starts_with("custom.no-exe") && line.contains("2020-01-31 (ended)"), "{table}");
    let (code, json) = rules(&["auto-forward", "--json"]);
    let rule: Value = serde_json::from_str(json.trim()).unwrap();
    assert!(code == 0 && rule["exceptions"][0]["scope"].as_str().unwrap().starts_with("mailbox "), "{json}");
    assert_eq!(rules(&["spam"]).0, 1);
}

/// What a GET of that path on the port for machines answers: the status line and the body.
fn get(address: &str, path: &str) -> (String, String) {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[test]
fn machines_are_told_how_it_goes() {
    let desk = Desk::new();
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let config = config(RULES)
        .replace("2026-06-30", "2020-06-30")
        .replace("[store]", &format!("metrics = \"{address}\"\n[store]"))
        .replace("/tmp/unused.sock", desk.path("milter.sock").to_str().unwrap())
        .replace("/tmp/unused", desk.path("store").to_str().unwrap());
    let config = desk.write("serve.toml", &config);
    let mut serving = postvakt()
        .args(["serve", "--config"])
        .arg(config)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while std::net::TcpStream::connect(&address).is_err() {
        assert!(Instant::now() < deadline && serving.try_wait().unwrap().is_none(), "it does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    for path in ["/livez", "/readyz"] {
        assert_eq!(get(&address, path), ("HTTP/1.1 200 OK".into(), "ok\n".into()), "{path}");
    }
    let (status, metrics) = get(&address, "/metrics");
    assert_eq!(status, "HTTP/1.1 200 OK");
    for line in
        ["postvakt_config_reload_success 1", "postvakt_exceptions_expired 1", "postvakt_connections 0"]
    {
        assert!(metrics.lines().any(|known| known == line), "{line}\n{metrics}");
    }
    assert_eq!(get(&address, "/").0, "HTTP/1.1 404 Not Found");
    let pid = rustix::process::Pid::from_child(&serving);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(serving.wait().unwrap().success());
    assert!(!desk.path("milter.sock").exists(), "the socket goes with the program");
}

#[test]
fn manual_pages_and_completions_come_from_the_command_line_itself() {
    let desk = Desk::new();
    let output = postvakt().arg("man").arg(desk.0.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let page = std::fs::read_to_string(desk.path("postvakt-explain.1")).unwrap();
    assert!(page.contains("\\-\\-client"), "{page}");
    let script = run(&["completions", "bash"]);
    assert!(String::from_utf8(script.stdout).unwrap().contains("explain"));
}

/// `config/release` is tried with a program that says where it was built as often as a program can, since building this
/// one takes minutes; of every release the script itself looks at what was built.
#[test]
fn a_release_is_stripped_and_says_nothing_of_where_it_was_built() {
    let desk = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = desk.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let package = "[package]\nname = \"NAME\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    let dependency = "[dependencies]\nother = { path = \"other\" }\n[profile.release]\ndebug = 1\n";
    write("program/other/Cargo.toml", &package.replace("NAME", "other"));
    write(
        "program/other/src/lib.rs",
        "pub fn place() -> &'static str { std::panic::Location::caller().file() }",
    );
    write("program/Cargo.toml", &(package.replace("NAME", "postvakt") + dependency));
    write(
        "program/src/main.rs",
        "fn main() { println!(\"{} {}\", file!(), other::place()); panic!(\"here\") }",
    );
    let program = desk.path().join("program");
    let run = || {
        let mut release = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/release"));
        release.arg(&program).env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS").output().unwrap()
    };
    let lock =
        Command::new(env!("CARGO")).args(["generate-lockfile", "--offline"]).current_dir(&program).output();
    assert!(lock.as_ref().unwrap().status.success(), "{lock:?}");
    let released = run();
    assert!(released.status.success(), "{released:?}");
    let installed = program.join("target/installed");
    for file in ["postvakt", "postvakt.debug"] {
        let octets = std::fs::read(installed.join(file)).unwrap();
        let path = desk.path().to_str().unwrap().as_bytes();
        let says = octets.windows(path.len()).any(|octets| octets == path);
        assert!(!says, "{file} says where it was built");
    }
    let sections = Command::new("objdump").arg("-h").arg(installed.join("postvakt")).output().unwrap();
    let sections = String::from_utf8(sections.stdout).unwrap();
    assert!(sections.contains(".gnu_debuglink") && !sections.contains(".debug_line"), "{sections}");
    // A program that does say it is not let through.
    write("program/src/main.rs", "fn main() { println!(\"{}/\", env!(\"CARGO_MANIFEST_DIR\")) }");
    let refused = run();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("the program says that it was built in"),
        "{refused:?}"
    );
}

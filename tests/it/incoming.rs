//! Mail from outside: authenticated against a name server of the tests' own, shown to real scanners and to one that
//! fails as it is told, marked through a real Postfix, and read by an independent library.

mod authors;
mod broken_records;
mod chain;
pub(crate) mod daemons;
pub(crate) mod dns;
mod fault;
mod failures;
mod habits;
mod marking;
mod property;
mod resolver;
mod scanners;
mod signatures;

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::lab::program::PROGRAM;
use crate::lab::run;

/// Debian's Python, which has dkimpy, and what that seals with.
const PYTHON: &str = "/usr/bin/python3";
/// What is asked of it.
const TOOL: &str = include_str!("incoming/tool.py");

/// Runs the tool with a message on its standard input.
fn python(arguments: &[&str], message: &[u8]) -> String {
    let mut child = Command::new(PYTHON)
        .args(["-c", TOOL])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(message).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success(),
        "apt-get install --no-install-recommends python3-dkim python3-authres\n{stderr}"
    );
    String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_owned()
}

/// The values of the header fields of that name in a delivered message, unfolded, from the top.
fn fields(message: &str, name: &str) -> Vec<String> {
    let header = message.replace("\r\n", "\n");
    let header = header.split("\n\n").next().unwrap_or_default().replace("\n ", " ").replace("\n\t", " ");
    let prefix = format!("{}:", name.to_lowercase());
    let lines = header.lines().filter(|line| line.to_lowercase().starts_with(&prefix));
    lines.map(|line| line[prefix.len()..].trim().to_owned()).collect()
}

/// What `explain --json` says of each message, with this after the config of Exempelby, and with these arguments.
fn explained(config: &str, arguments: &[&str], messages: &[Vec<u8>]) -> Vec<Value> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("postvakt.toml");
    let text = format!(
        "[organisation]\nname = \"Exempelby kommun\"\ndomains = [\"exempelby.se\"]\n\
         internal_networks = [\"10.0.0.0/8\"]\n[server]\nnode = \"gw1\"\n\
         listen = [\"unix:/tmp/unused.sock\"]\n[store]\ndirectory = \"/tmp/unused\"\n{config}"
    );
    std::fs::write(&path, text).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["explain", "--json", "--config"]).arg(&path).args(arguments);
    for (number, message) in messages.iter().enumerate() {
        let file = directory.path().join(format!("{number}.eml"));
        std::fs::write(&file, message).unwrap();
        command.arg(file);
    }
    let said: Vec<Value> =
        run(&mut command).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(said.len(), messages.len());
    said
}

/// The value of the header field of that name which is inserted.
fn inserted<'a>(said: &'a Value, name: &str) -> &'a str {
    let mut edits = said["edits"].as_array().unwrap().iter();
    edits
        .find(|edit| edit["op"] == "insert-header" && edit["name"] == name)
        .map_or("", |edit| edit["value"].as_str().unwrap())
}

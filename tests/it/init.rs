//! `init`: the first config, its directories and their modes, and what is refused.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::lab::program::PROGRAM;

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn config(&self) -> PathBuf {
        self.0.path().join("etc/postvakt/postvakt.toml")
    }

    fn store(&self) -> PathBuf {
        self.0.path().join("var/lib/postvakt")
    }

    fn init(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command
            .args(["init", "--user", "nobody", "--config"])
            .arg(self.config())
            .arg("--store")
            .arg(self.store());
        command.args(arguments).stdin(Stdio::null()).output().unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn mode(path: &Path) -> (u32, u32, String) {
    let found = fs::metadata(path).unwrap();
    let group = Command::new("stat").args(["-c", "%G"]).arg(path).output().unwrap();
    (found.mode() & 0o7777, found.uid(), String::from_utf8_lossy(&group.stdout).trim().to_owned())
}

#[test]
fn it_writes_a_valid_config_for_the_user_that_runs_the_server() {
    let desk = Desk::new();
    let done =
        desk.init(&["--domain", "storby.example", "--domain", "*.storby.example", "--network", "10.0.0.0/8"]);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert!(said(&done).contains(&format!("postfix-setup --config {} --apply", desk.config().display())));
    let text = fs::read_to_string(desk.config()).unwrap();
    for line in [
        "name = \"storby.example\"",
        "domains = [\"storby.example\", \"*.storby.example\"]",
        "internal_networks = [\"127.0.0.0/8\", \"::1/128\", \"10.0.0.0/8\"]",
    ] {
        assert!(text.lines().any(|known| known == line), "{line}\n{text}");
    }
    let check = Command::new(PROGRAM).args(["check", "--config"]).arg(desk.config()).output().unwrap();
    assert_eq!(said(&check), format!("{}: valid\n", desk.config().display()));
    let nogroup = mode(&desk.store()).2;
    assert_ne!(nogroup, "root");
    assert_eq!(mode(&desk.config()), (0o640, 0, nogroup.clone()));
    assert_eq!(mode(desk.config().parent().unwrap()), (0o750, 0, nogroup.clone()));
    let store = mode(&desk.store());
    assert!(store.0 == 0o700 && store.1 != 0, "{store:?}");
    // What is there stays, whatever is answered now.
    let again = desk.init(&["--domain", "other.example"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(said(&again).contains("exists already"), "{}", said(&again));
    assert_eq!(fs::read_to_string(desk.config()).unwrap(), text);
}

#[test]
fn a_wrong_answer_leaves_nothing_behind() {
    for (arguments, code, sentence) in [
        (
            &["--domain", "storby..example"][..],
            78,
            "organisation.domains: \"storby..example\" is not a domain",
        ),
        (&["--domain", "storby.example", "--network", "10.0.0.1/8"], 78, "write 10.0.0.0/8 for the network"),
        (&[], 2, "--domain exempelby.se"),
        (&["--domain", "storby.example", "--user", "no-such-user"], 2, "there is no user no-such-user"),
    ] {
        let desk = Desk::new();
        let mut arguments = arguments.to_vec();
        let of_user = arguments.iter().position(|argument| *argument == "--user");
        let refused = match of_user {
            Some(at) => {
                let user = arguments.split_off(at);
                let mut command = Command::new(PROGRAM);
                command
                    .arg("init")
                    .args(user)
                    .arg("--config")
                    .arg(desk.config())
                    .arg("--store")
                    .arg(desk.store());
                command.args(arguments).stdin(Stdio::null()).output().unwrap()
            }
            None => desk.init(&arguments),
        };
        assert_eq!(refused.status.code(), Some(code), "{}", said(&refused));
        assert!(said(&refused).contains(sentence), "{}", said(&refused));
        assert_eq!(fs::read_dir(desk.0.path()).unwrap().count(), 0, "nothing was made");
    }
}

#[test]
fn a_whole_internet_as_a_network_is_warned_of() {
    let desk = Desk::new();
    let done = desk.init(&["--domain", "storby.example", "--network", "0.0.0.0/0"]);
    assert_eq!(done.status.code(), Some(0));
    assert!(said(&done).contains("warning: organisation.internal_networks: 0.0.0.0/0 is the whole internet"));
}

#[test]
fn on_a_terminal_it_asks() {
    let desk = Desk::new();
    let command = format!(
        "{PROGRAM} init --user nobody --config {} --store {}",
        desk.config().display(),
        desk.store().display()
    );
    let mut terminal = Command::new("script");
    terminal.args(["-qec", &command, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut terminal = terminal.spawn().unwrap();
    terminal
        .stdin
        .take()
        .unwrap()
        .write_all("Storby kommun\n\nstorby.example, skola.storby.example\nnone\n".as_bytes())
        .unwrap();
    let output = terminal.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let text = fs::read_to_string(desk.config()).unwrap();
    for line in [
        "name = \"Storby kommun\"",
        "domains = [\"storby.example\", \"skola.storby.example\"]",
        "internal_networks = [\"127.0.0.0/8\", \"::1/128\"]",
    ] {
        assert!(text.lines().any(|known| known == line), "{line}\n{text}");
    }
}

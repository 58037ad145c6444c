//! The Debian package: it is built as a release is, has nothing that lintian objects to, and leads, by the commands of the
//! README alone, from a machine without Postvakt to a mail in the log. The machine has a systemd and a Postfix of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::lab::machine::Machine;
use crate::lab::program::PROGRAM;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Packs the program of these tests.
fn build(out: &Path) -> PathBuf {
    let mut command = Command::new(root().join("packaging/build"));
    let output = command
        .args(["--fast", "--program", PROGRAM])
        .arg(out)
        .env("SOURCE_DATE_EPOCH", "1790000000")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let name = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "deb");
    fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path()).find(name).unwrap()
}

/// The package, built once.
fn package() -> &'static Path {
    static BUILT: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let out = tempfile::tempdir().unwrap();
        let package = build(out.path());
        (out, package)
    });
    &built.1
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_package_has_all_that_belongs_to_it_and_lintian_has_no_objection() {
    let objections =
        Command::new("lintian").args(["--fail-on", "error,warning"]).arg(package()).output().unwrap();
    assert!(objections.status.success(), "{}", String::from_utf8_lossy(&objections.stdout));
    let files = said(Command::new("dpkg-deb").arg("--contents").arg(package()));
    for file in [
        "/usr/sbin/postvakt",
        "/lib/systemd/system/postvakt.service",
        "/lib/systemd/system/postvakt.socket",
        "/lib/systemd/system/postvakt-queue.socket",
        "/lib/systemd/system/postvakt-queue@.service",
        "/lib/systemd/system/postvakt-held.socket",
        "/lib/systemd/system/postvakt-held@.service",
        "/lib/systemd/system/postvakt-console.service",
        "/lib/systemd/system/postvakt-replica.service",
        "/lib/systemd/system/postvakt-console-commands.socket",
        "/lib/systemd/system/postvakt-console-commands@.service",
        "/usr/lib/sysusers.d/postvakt.conf",
        "/etc/default/postvakt",
        "/usr/share/man/man1/postvakt-init.1.gz",
        "/usr/share/bash-completion/completions/postvakt",
        "/usr/share/zsh/vendor-completions/_postvakt",
        "/usr/share/fish/vendor_completions.d/postvakt.fish",
        "/usr/share/postvakt/templates/receipt.sv.txt",
        "/usr/share/postvakt/terms/health.tsv",
        "/usr/share/postvakt/prometheus/postvakt.rules.yml",
        "/usr/share/postvakt/grafana/postvakt.json",
        "/usr/share/doc/postvakt/copyright",
        "/usr/share/doc/postvakt/docs/operating.md",
        "/usr/share/doc/postvakt/examples/postvakt.reference.toml",
    ] {
        assert!(files.lines().any(|line| line.ends_with(file)), "{file}\n{files}");
    }
    let control = said(Command::new("dpkg-deb").arg("--info").arg(package()).arg("conffiles"));
    assert_eq!(control, "/etc/default/postvakt\n");
}

#[test]
fn the_list_of_parts_names_every_crate_with_its_licence() {
    let bill = fs::read_dir(package().parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let bill = bill.into_iter().find(|path| path.to_string_lossy().ends_with(".cdx.json")).unwrap();
    let bill: Value = serde_json::from_slice(&fs::read(bill).unwrap()).unwrap();
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    let components = bill["components"].as_array().unwrap();
    let named: Vec<&str> = components.iter().map(|part| part["bom-ref"].as_str().unwrap()).collect();
    let tree = ["tree", "--locked", "--prefix", "none", "--edges", "normal", "--format", "{p}"];
    let tree = said(Command::new(env!("CARGO")).args(tree).current_dir(root()));
    let mut crates = 0;
    for line in tree.lines().skip(1) {
        let mut words = line.split(' ');
        let (name, version) = (words.next().unwrap(), words.next().unwrap().trim_start_matches('v'));
        assert!(named.contains(&&*format!("pkg:cargo/{name}@{version}")), "{line}");
        crates += 1;
    }
    assert!(crates > 200 && named.iter().any(|part| part.starts_with("pkg:generic/sqlite@3.")), "{crates}");
    let without: Vec<&Value> =
        components.iter().filter(|part| part["licenses"].as_array().is_none()).collect();
    assert!(without.is_empty(), "{without:?}");
    for dependency in bill["dependencies"].as_array().unwrap() {
        for used in dependency["dependsOn"].as_array().unwrap() {
            assert!(named.contains(&used.as_str().unwrap()), "{used}");
        }
    }
}

/// What scanners read in the installed program, in the form of cargo-auditable.
#[test]
fn the_packaged_program_has_the_list_of_its_crates_inside() {
    let place = tempfile::tempdir().unwrap();
    said(Command::new("dpkg-deb").arg("--extract").arg(package()).arg(place.path()));
    let (program, list) = (place.path().join("usr/sbin/postvakt"), place.path().join("list"));
    let section = format!(".dep-v0={}", list.display());
    said(
        Command::new("objcopy")
            .arg("--dump-section")
            .arg(section)
            .arg(&program)
            .arg(place.path().join("copy")),
    );
    let unpacked = said(
        Command::new("python3")
            .args(["-c", "import sys, zlib; print(zlib.decompress(open(sys.argv[1], 'rb').read()).decode())"])
            .arg(list),
    );
    let list: Value = serde_json::from_str(&unpacked).unwrap();
    let packages = list["packages"].as_array().unwrap();
    let name = |package: &Value| {
        format!("{} v{}", package["name"].as_str().unwrap(), package["version"].as_str().unwrap())
    };
    let roots: Vec<String> = packages.iter().filter(|package| package["root"] == true).map(name).collect();
    assert_eq!(roots, [format!("postvakt v{}", env!("CARGO_PKG_VERSION"))]);
    let runs: Vec<String> =
        packages.iter().filter(|package| package["kind"] == "runtime").map(name).collect();
    let tree = ["tree", "--locked", "--prefix", "none", "--edges", "normal,no-proc-macro", "--format", "{p}"];
    let tree = said(Command::new(env!("CARGO")).args(tree).current_dir(root()));
    let mut linked: Vec<&str> = tree.lines().map(|line| line.split(" (").next().unwrap()).collect();
    linked.sort_unstable();
    linked.dedup();
    assert!(linked.len() > 150, "{}", linked.len());
    for crate_ in &linked {
        assert!(runs.iter().any(|name| name == crate_), "{crate_} is missing: {runs:?}");
    }
    assert_eq!(runs.len(), linked.len(), "{runs:?}");
    for package in packages {
        for used in package["dependencies"].as_array().unwrap() {
            assert!(packages.get(usize::try_from(used.as_u64().unwrap()).unwrap()).is_some(), "{package}");
        }
    }
    assert!(Command::new(&program).arg("--version").status().unwrap().success(), "it still runs");
}

#[test]
fn two_packages_of_one_program_are_the_same_octet_by_octet() {
    let again = tempfile::tempdir().unwrap();
    assert!(fs::read(build(again.path())).unwrap() == fs::read(package()).unwrap());
}

/// The commands of the README's installation, in order.
fn commands() -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let section = readme.split("\n## Install").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut commands = Vec::new();
    let mut inside = false;
    for line in section.lines().map(str::trim) {
        if line.starts_with("```") {
            inside = line == "```sh";
        } else if inside {
            commands.push(line.to_owned());
        }
    }
    commands
}

/// Sends a mail to port 25 from an address that is not this host's, as a stranger would.
const SEND: &str = r#"python3 -c '
import smtplib, sys
client = smtplib.SMTP("127.0.0.1", 25, source_address=(sys.argv[1], 0))
client.sendmail(f"kim@{sys.argv[2]}", [sys.argv[3]],
    f"From: <kim@{sys.argv[2]}>\nTo: <{sys.argv[3]}>\nMessage-ID: <{sys.argv[4]}@{sys.argv[2]}>\nSubject: {sys.argv[4]}\n\nHej!\n")
' "#;

/// A resolver on another address than this host's loopback: it knows one TXT record, and no other name.
const RESOLVER: &str = r#"python3 -c '
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("10.9.8.7", 53))
text = b"v=spf1 ip4:192.0.2.7 -all"
while True:
    asked, client = server.recvfrom(4096)
    end = asked.index(b"\0", 12) + 5
    known = asked[12:end] == b"\x07example\x03org\0\0\x10\0\x01"
    answer = b"\xc0\x0c\0\x10\0\x01\0\0\1\0" + bytes([0, len(text) + 1, len(text)]) + text if known else b""
    head = asked[:2] + (b"\x81\x80" if known else b"\x81\x83") + bytes([0, 1, 0, int(known), 0, 0, 0, 0])
    server.sendto(head + asked[12:end] + answer, client)
' "#;

const AUTHENTICATED: &str = r#"
[authentication]
[dns]
servers = ["10.9.8.7"]
[rules.receipt]
delay = "1 s"
[[rules.receipt.mailboxes]]
address = "registrator@exempelby.se"
"#;

#[test]
fn the_commands_of_the_readme_lead_from_nothing_to_a_logged_mail() {
    let Some(machine) = Machine::boot() else { return };
    let commands = commands();
    assert!(commands.len() <= 5, "{commands:?}");
    machine.put(package().file_name().unwrap().to_str().unwrap(), package());
    machine.must("ip address add 192.0.2.7/32 dev lo && ip address add 10.9.8.7/32 dev lo");
    machine.must("postconf -e mydestination=exempelby.se alias_maps=static:root mynetworks=127.0.0.0/8");
    machine.must("systemctl start postfix");
    let (last, before) = commands.split_last().unwrap();
    for command in before {
        machine.must(command);
    }
    machine.must(&format!("{SEND} 192.0.2.7 example.org registrator@exempelby.se first-mail"));
    assert!(machine.until(last, "first-mail").contains("inbound"));
    // The machine has no resolver, and the first config asks none; so nothing is amiss.
    let amiss = machine.must("journalctl -u postvakt -p warning -q --no-pager");
    assert_eq!(amiss, "", "{}", machine.must("journalctl -u postvakt --no-pager"));
    reload_and_restart(&machine);
    unix_socket_in_the_chroot(&machine);
    receipts_with_a_resolver_elsewhere(&machine);
    held_mail_without_root(&machine);
    the_console(&machine);
    upgrade_remove_and_purge(&machine);
}

const HOLDING: &str = r#"
[rules.custom.wait]
mode = "enforce"
action = "hold"
when = { subject = "please-wait" }
"#;

/// The commands of the manual let a member of the operators' group act on held mail, and nobody else.
fn held_mail_without_root(machine: &Machine) {
    let manual = fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let section = manual.split("\n## Held mail").nth(1).unwrap().split("\n## ").next().unwrap();
    let commands = section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    machine.must("useradd anna && useradd --no-create-home bo");
    commands.lines().for_each(|command| drop(machine.must(command)));
    machine.must(&format!("cat >> /etc/postvakt/postvakt.toml <<'END'\n{HOLDING}END"));
    machine.must("systemctl reload postvakt");
    for number in 1..4 {
        machine.must(&format!("{SEND} 192.0.2.7 example.org registrator@exempelby.se please-wait-{number}"));
    }
    let held = |user: &str, rest: &str| {
        format!("runuser -u {user} -- postvakt held {rest} --purpose 'on a machine'")
    };
    machine.until("postvakt log search --purpose test --subject please-wait-3", "held");
    let list = machine.must(&held("anna", "list --json"));
    let ids: Vec<String> = list
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["queue_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 3, "{list}");
    assert!(!machine.run(&held("bo", "list")).status.success());
    assert!(machine.must(&held("anna", &format!("show {}", ids[0]))).contains("| Subject: "));
    assert!(machine.must(&held("anna", &format!("release {}", ids[0]))).contains("released"));
    let said = machine.must(&held("anna", &format!("hand-over {} --to root@exempelby.se", ids[1])));
    assert!(said.contains("250"), "{said}");
    // The server itself sees the queue by the same helper.
    machine.must("systemctl restart postvakt");
    let metrics = "python3 -c 'import urllib.request as u; print(u.urlopen(\"http://127.0.0.1:9891/metrics\").read().decode())'";
    machine.until(metrics, "postvakt_held_messages{rule=\"custom.wait\"} 1");
    let amiss =
        machine.must("journalctl -u 'postvakt-queue@*' -u 'postvakt-held@*' -p warning -q --no-pager");
    assert_eq!(amiss, "");
    machine.must("postvakt log verify");
}

/// The commands of the manual start the console; a link signs in, and what is read there is in the access log. Its user can open
/// neither the log nor the milter's socket.
fn the_console(machine: &Machine) {
    let manual = fs::read_to_string(root().join("docs/console.md")).unwrap();
    let section = manual.split("\n## Start it").nth(1).unwrap().split("\n## ").next().unwrap();
    let config = section.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let commands = section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    machine.must(&format!("cat >> /etc/postvakt/postvakt.toml <<'END'\n{config}END"));
    commands.lines().for_each(|command| drop(machine.must(command)));
    let link = machine.must("postvakt console link --role reader");
    let path = link.trim().strip_prefix("https://postvakt.exempelby.se").unwrap();
    let browser = format!(
        r"
import http.client, socket, urllib.parse
class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect('/run/postvakt-console/http.sock')
def ask(method, path, fields=None, cookie=''):
    c = Unix('postvakt.exempelby.se')
    h = {{'Origin': 'https://postvakt.exempelby.se', 'Cookie': cookie}}
    c.request(method, path, fields and urllib.parse.urlencode(fields), h)
    r = c.getresponse()
    return r, r.read().decode()
r, body = ask('POST', '{path}')
assert r.status == 303, (r.status, body)
cookie = r.getheader('Set-Cookie').split(';')[0]
r, body = ask('POST', '/search', {{'basis': 'operation', 'purpose': 'on a machine', 'subject': 'please-wait-3'}}, cookie)
assert r.status == 200 and 'please-wait-3' in body, (r.status, body)
print('seen')
"
    );
    machine.must(&format!("cat > browser.py <<'END'\n{browser}END"));
    assert_eq!(machine.must("python3 browser.py"), "seen\n");
    let read = machine.must("postvakt log access --verb search --json");
    let last: Value = serde_json::from_str(read.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["via"], &last["role"], &last["subject"]),
        (&"console".into(), &"reader".into(), &"root".into())
    );
    for path in ["/var/lib/postvakt/access.db", "/run/postvakt-queue.sock"] {
        assert!(
            !machine.run(&format!("runuser -u postvakt-console -- test -w {path}")).status.success(),
            "{path}"
        );
    }
    let exposure = |unit: &str| -> f64 {
        let table = machine.must(&format!("systemd-analyze security --no-pager {unit} | tail -1"));
        table.split(": ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
    };
    assert!(exposure("postvakt-console.service") <= 1.5);
    let amiss =
        machine.must("journalctl -u postvakt-console -u 'postvakt-console-commands@*' -p err -q --no-pager");
    assert_eq!(amiss, "");
}

/// A config that is wrong fails a reload and a start, once and in sight.
fn reload_and_restart(machine: &Machine) {
    let directory = "stat -c '%a %U:%G' /etc/postvakt/conf.d";
    assert_eq!(machine.must(directory), "750 root:postvakt\n");
    machine.must("echo '[groups.hr]' > /etc/postvakt/conf.d/hr.toml && echo 'members = [\"a@exempelby.se\"]' >> /etc/postvakt/conf.d/hr.toml");
    machine.must(
        "sed -i '1i include = [\"conf.d/*.toml\"]' /etc/postvakt/postvakt.toml && systemctl reload postvakt",
    );
    machine.must("cp -a /etc/postvakt/postvakt.toml good && systemctl reload postvakt");
    machine.must("echo '[rules.nothing]' >> /etc/postvakt/postvakt.toml");
    assert!(!machine.run("systemctl reload postvakt").status.success());
    assert_eq!(machine.must("systemctl is-active postvakt"), "active\n", "the old config stays active");
    assert!(!machine.run("systemctl restart postvakt").status.success());
    machine.until("systemctl show postvakt -p ActiveState", "ActiveState=failed");
    let state = machine.must("systemctl show postvakt -p NRestarts -p ExecMainStatus");
    assert!(state.contains("NRestarts=0") && state.contains("ExecMainStatus=78"), "{state}");
    let told = machine.must("journalctl -u postvakt --no-pager");
    assert!(told.contains("rules.nothing: unknown rule"), "{told}");
    // Postfix goes on asking, and systemd gives up at last: not even the sockets are there any more.
    let ask =
        "for n in $(seq 20); do timeout 1 cat < /dev/tcp/127.0.0.1/8891 > /dev/null; sleep 0.2; done; true";
    machine.must(&format!("bash -c '{ask}' 2> /dev/null"));
    machine.must("cp -a good /etc/postvakt/postvakt.toml && sleep 10 && systemctl restart postvakt");
    let active = "systemctl is-active postvakt.socket postvakt.service | sort | uniq -c | xargs";
    machine.until(active, "2 active");
    for restarted in ["postvakt.socket", "postvakt.socket postvakt.service", "postvakt.service"] {
        machine.must(&format!("systemctl restart {restarted}"));
        machine.until(active, "2 active");
    }
}

/// Postfix in its chroot reaches a Unix socket below its queue directory.
fn unix_socket_in_the_chroot(machine: &Machine) {
    let socket = "/var/spool/postfix/postvakt/milter.sock";
    let drop_in = "/etc/systemd/system/postvakt.socket.d";
    machine.must(&format!(
        "mkdir {drop_in} && cp /usr/share/doc/postvakt/examples/postvakt.socket.d/chroot.conf {drop_in}"
    ));
    let listen = format!("s#^listen = .*#listen = [\"inet:127.0.0.1:8891\", \"unix:{socket}\"]#");
    machine.must(&format!("sed -i '{listen}' /etc/postvakt/postvakt.toml && systemctl daemon-reload"));
    machine.must("systemctl restart postvakt.socket postvakt.service");
    assert_eq!(machine.must(&format!("stat -c '%U %G %a' {socket}")), "postvakt postfix 660\n");
    machine.must("postconf -F smtp/inet | grep -q 'chroot = y'");
    machine.must("postconf -e smtpd_milters=unix:postvakt/milter.sock && postfix reload");
    machine.must(&format!("{SEND} 192.0.2.7 example.org registrator@exempelby.se through-unix"));
    machine.until("postvakt log search --purpose test --subject through-unix", "inbound");
}

/// The unit lets a resolver on another host through, and a receipt needs what it says. Where it is away, that is told once.
fn receipts_with_a_resolver_elsewhere(machine: &Machine) {
    machine.must(&format!("systemd-run --unit=resolver --quiet {RESOLVER}"));
    machine.must(&format!("cat >> /etc/postvakt/postvakt.toml <<'END'\n{AUTHENTICATED}END"));
    machine.until("runuser -u postvakt -- postvakt check --probe 2>&1", "dns.servers: 10.9.8.7:53: ok");
    machine.must("systemctl reload postvakt");
    machine.must(&format!("{SEND} 192.0.2.7 example.org registrator@exempelby.se with-resolver"));
    let record =
        machine.until("postvakt log search --json --purpose test --subject with-resolver", "spf=pass");
    assert!(record.contains("queued"), "{record}");
    machine.until("postvakt receipts list", "sent");
    machine.must("systemctl stop resolver");
    for number in 1..4 {
        machine
            .must(&format!("{SEND} 192.0.2.7 other{number}.example registrator@exempelby.se away{number}"));
    }
    let told = machine.must("journalctl -u postvakt -p err -q --no-pager");
    assert_eq!(told.matches("no DNS resolver answers").count(), 1, "{told}");
}

/// An upgrade keeps config and log, and the server runs on; removing keeps both; purging keeps the log, unless told.
fn upgrade_remove_and_purge(machine: &Machine) {
    machine.must("sha256sum /etc/postvakt/postvakt.toml > sums");
    let process = machine.must("systemctl show postvakt -p MainPID");
    machine.must("dpkg -i postvakt_*.deb && sha256sum --check sums");
    machine.until("systemctl is-active postvakt", "active");
    assert_ne!(machine.must("systemctl show postvakt -p MainPID"), process, "the new program runs");
    machine.must("postvakt log verify");
    let removed = machine.must("dpkg -r postvakt && sha256sum --check sums && test -d /var/lib/postvakt");
    assert!(removed.contains("Postfix still hands its mail to Postvakt"), "{removed}");
    assert!(!machine.run("systemctl is-active postvakt").status.success());
    let purged = machine.must("dpkg -P postvakt && test ! -e /etc/postvakt && test -d /var/lib/postvakt");
    assert!(purged.contains("The log in /var/lib/postvakt is kept."), "{purged}");
    // Without a config, Postfix can still be put back.
    machine.must("dpkg -i postvakt_*.deb && postvakt postfix-setup --undo");
    assert!(!machine.must("postconf -n").contains("8891"));
    let removed =
        machine.must("dpkg -r postvakt && dpkg -i postvakt_*.deb && postvakt init --domain exempelby.se");
    assert!(!removed.contains("Postfix still hands"), "{removed}");
    machine.must("POSTVAKT_PURGE_LOG=yes dpkg -P postvakt && test ! -e /var/lib/postvakt");
}

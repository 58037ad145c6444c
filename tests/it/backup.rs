//! Backups from outside: a copy is made while mail comes, and the log is restored from it as docs/operating.md says.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::lab::program::{PROGRAM, Postvakt};
use crate::lab::{Directory, Ports, run, until};
use crate::storm::{RULES, session, take};

/// The program with its log below `log`; nobody takes its receipts, so that they wait.
pub(crate) struct Gateway {
    pub(crate) postvakt: Postvakt,
    pub(crate) ports: Ports,
    pub(crate) directory: Directory,
    next: AtomicUsize,
}

/// Ends the mail, also where an assertion fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Gateway {
    pub(crate) fn start(rules: &str) -> Self {
        let (directory, ports) = (Directory::new(), Ports::reserve());
        fs::create_dir(directory.path.join("run")).unwrap();
        let postvakt = Postvakt::start(&directory.path, &ports, rules);
        Self { postvakt, ports, directory, next: AtomicUsize::new(0) }
    }

    /// Mail comes over two connections until `work` is done, which begins when the first mails are logged.
    pub(crate) fn under_load(&self, work: impl FnOnce()) {
        let (done, first) = (AtomicBool::new(false), self.next.load(Ordering::Relaxed));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut open = None;
                    while !done.load(Ordering::Relaxed) {
                        // So many that the commands under test stay quick, wherever this runs.
                        thread::sleep(Duration::from_millis(5));
                        if self.next.load(Ordering::Relaxed) > first + 600 {
                            continue;
                        }
                        let case = self.next.fetch_add(1, Ordering::Relaxed);
                        assert!(
                            take(&mut open, self.ports.milter, &session(), case),
                            "{}",
                            self.postvakt.log
                        );
                    }
                });
            }
            until("mail", &self.postvakt.log, || {
                (self.next.load(Ordering::Relaxed) > first + 40).then_some(())
            });
            let _end = End(&done);
            work();
        });
    }

    fn backup(&self, to: &Path) -> (Option<i32>, String) {
        let mut command = Command::new(PROGRAM);
        let output =
            command.args(["backup", "--config"]).arg(&self.postvakt.config).arg(to).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    }

    fn verify(&self, more: &[&str]) -> (Option<i32>, Value) {
        let mut command = Command::new(PROGRAM);
        command.args(["log", "verify", "--json", "--config"]).arg(&self.postvakt.config).args(more);
        let output = command.output().unwrap();
        (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
    }

    pub(crate) fn accesses(&self) -> Vec<Value> {
        let mut command = Command::new(PROGRAM);
        let found = run(command.args(["log", "access", "--json", "--config"]).arg(&self.postvakt.config));
        found.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn stop(&mut self) {
        self.postvakt.signal(Signal::TERM);
        assert!(self.postvakt.ended().success(), "{}", self.postvakt.log);
    }

    /// The commands of the chapter on restoring, before the start or after it, with the paths of this machine.
    fn restore(&self, copy: &Path, after_start: bool, without: &str) {
        let manual =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operating.md")).unwrap();
        let (_, chapter) = manual.split_once("\n## Restore\n\n```sh\n").unwrap();
        let (commands, _) = chapter.split_once("```").unwrap();
        let (before, after) =
            commands.split_once("systemctl start postvakt.socket postvakt.service\n").unwrap();
        let script = if after_start { after } else { before };
        assert!(before.contains("systemctl stop postvakt.socket postvakt.service\n"), "{before}");
        let own =
            |line: &&str| !line.starts_with("systemctl") && (without.is_empty() || !line.contains(without));
        let script: Vec<&str> = script.lines().filter(own).collect();
        let config = self.postvakt.config.display().to_string();
        let script = script
            .join("\n")
            .replace("/var/lib/postvakt", &self.directory.path.join("store").display().to_string())
            .replace("/var/backups/postvakt", &copy.display().to_string())
            .replace(
                "postvakt log verify",
                &format!("{PROGRAM} log verify --config {config} || test $? = 2"),
            );
        run(Command::new("sh").arg("-ec").arg(script));
    }
}

fn records(report: &Value, origin: &str) -> u64 {
    let trees = report["trees"].as_array().unwrap();
    let tree = trees.iter().find(|tree| tree["origin"].as_str().unwrap().ends_with(origin));
    tree.unwrap_or_else(|| panic!("{origin}: {report:#}"))["records"].as_u64().unwrap()
}

#[test]
fn a_backup_is_made_while_mail_comes_and_is_whole() {
    let gateway = Gateway::start(RULES);
    let store = gateway.directory.path.join("store");
    gateway.under_load(|| {
        until("signed heads", &gateway.postvakt.log, || (gateway.verify(&[]).0 == Some(0)).then_some(()));
        let mut before = 0;
        for n in 0..3 {
            let copy = gateway.directory.path.join(format!("copy-{n}"));
            let (code, said) = gateway.backup(&copy);
            assert_eq!(code, Some(0), "{said}");
            run(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(&copy));
            let (code, report) = gateway.verify(&[copy.to_str().unwrap()]);
            assert_eq!((code, &report["result"]), (Some(0), &"whole".into()), "{report:#}");
            let last = said.lines().last().unwrap();
            let here = records(&report, "/1");
            assert!(here > 30 && here >= before, "{report:#}");
            before = here;
            assert!(last.contains(" records, "), "{said}");
        }
    });
    let copy = gateway.directory.path.join("copy-2");
    let names = |directory: &Path| {
        let all =
            fs::read_dir(directory).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        all.collect::<std::collections::BTreeSet<_>>()
    };
    let (here, there) = (names(&store), names(&copy));
    let not_copied = |name: &&String| !["-wal", "-shm", ".idx", "lock"].iter().any(|end| name.ends_with(end));
    for name in here.iter().filter(not_copied).filter(|name| store.join(name).is_file()) {
        assert!(there.contains(name), "{name} is not copied: {there:?}");
        let [of, to] = [store.join(name), copy.join(name)].map(|path| fs::metadata(path).unwrap());
        assert_eq!((of.mode(), of.uid(), of.gid()), (to.mode(), to.uid(), to.gid()), "{name}");
    }
    for name in &there {
        assert!(here.contains(name) || ["backup", "SHA256SUMS"].contains(&name.as_str()), "{name}");
    }
    assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o777, 0o700);
    // What the access log tells of it.
    let made = gateway.accesses().into_iter().rfind(|access| access["verb"] == "backup").unwrap();
    assert_eq!(
        (&made["outcome"], &made["query"]["directory"]),
        (&"done".into(), &copy.to_str().unwrap().into())
    );
    assert!(made["rows"].as_u64().unwrap() > 30, "{made}");
    // What is there already is left as it is.
    let (code, said) = gateway.backup(&copy);
    assert!(code == Some(2) && said.contains("not empty"), "{said}");
    assert_eq!(names(&copy), there);
    let (code, said) = gateway.backup(&store.join("copy"));
    assert!(code == Some(2) && said.contains("inside the log's directory"), "{said}");
    assert_eq!(names(&store), here);
}

#[test]
fn a_log_restored_from_a_backup_begins_a_new_epoch_and_sends_no_receipt_twice() {
    // With the heads of the lost log, with the copy of them elsewhere, and without any.
    for (has_heads, has_copy) in [(true, false), (false, true), (false, false)] {
        let elsewhere = tempfile::tempdir().unwrap();
        let heads = format!("[store.heads]\nfile = \"{}\"\n", elsewhere.path().join("heads").display());
        let mut gateway =
            Gateway::start(&if has_copy { format!("{RULES}{heads}") } else { RULES.to_owned() });
        let copy = gateway.directory.path.join("copy");
        gateway.under_load(|| {
            until("signed heads", &gateway.postvakt.log, || (gateway.verify(&[]).0 == Some(0)).then_some(()));
            let (code, said) = gateway.backup(&copy);
            assert_eq!(code, Some(0), "{said}");
        });
        gateway.under_load(|| {});
        // By a decision, since operation sees few rows.
        let list = ["list", "--state", "pending", "--decision", "test"];
        let waiting = gateway.postvakt.receipts(&list).len();
        assert!(waiting > 80, "{waiting}");
        gateway.stop();
        gateway.restore(&copy, false, if has_heads { "" } else { "postvakt.lost/heads" });
        gateway.postvakt.restart();
        let mut open = None;
        assert!(take(&mut open, gateway.ports.milter, &session(), 900_000), "{}", gateway.postvakt.log);
        drop(open);
        gateway.restore(&copy, true, "");

        let (code, report) = gateway.verify(&[]);
        let text = report.to_string();
        assert!(!text.contains("tampered"), "{report:#}");
        if has_heads || has_copy {
            assert_eq!((code, &report["result"]), (Some(2), &"incomplete".into()), "{report:#}");
            assert!(text.contains("it went on in a new epoch"), "{report:#}");
        } else {
            assert_eq!((code, &report["result"]), (Some(0), &"whole".into()), "{report:#}");
        }
        assert_eq!(records(&report, "/2"), 1, "the mail after the restore: {report:#}");
        assert!(records(&report, "/access/2") > 0, "{report:#}");
        assert!(gateway.postvakt.metric("postvakt_log_rollbacks_total") >= 1, "{}", gateway.postvakt.log);
        assert!(gateway.postvakt.log.text().contains("begins a new epoch"), "{}", gateway.postvakt.log);

        // The receipt of the new mail waits; those that waited in the copy do not go, unless a person says so.
        let old = until("the old receipts", &gateway.postvakt.log, || {
            let pending = gateway.postvakt.receipts(&["list", "--state", "pending"]);
            (pending.len() == 1).then(|| gateway.postvakt.receipts(&["list", "--state", "failed"]))
        });
        assert!(old.len() > 30, "{old:?}");
        assert!(old[0]["last"].as_str().unwrap().starts_with("restored from a backup"), "{:?}", old[0]);
        assert!(gateway.postvakt.try_receipts(&["retry", old[0]["key"].as_str().unwrap()]));
        assert_eq!(gateway.postvakt.receipts(&["list", "--state", "pending"]).len(), 2);

        // The next start goes on in the same epoch.
        let store = gateway.directory.path.join("store");
        assert!(!store.join("backup").exists() && !store.join("SHA256SUMS").exists());
        gateway.stop();
        gateway.postvakt.restart();
        let mut open = None;
        assert!(take(&mut open, gateway.ports.milter, &session(), 900_001), "{}", gateway.postvakt.log);
        assert_eq!(records(&gateway.verify(&[]).1, "/2"), 2);
    }
}

/// What docs/operating.md says of the size of the log.
#[test]
fn a_record_takes_as_much_disk_as_the_manual_says() {
    let mut gateway = Gateway::start("");
    gateway.under_load(|| {
        until("mail", &gateway.postvakt.log, || (gateway.next.load(Ordering::Relaxed) > 600).then_some(()));
    });
    gateway.stop();
    let copy = gateway.directory.path.join("copy");
    let (code, said) = gateway.backup(&copy);
    assert_eq!(code, Some(0), "{said}");
    let month = said.lines().find(|line| line.contains("  log-")).unwrap();
    let bytes: u64 = month.split_whitespace().nth(1).unwrap().parse().unwrap();
    let records: u64 = said.lines().last().unwrap().split_whitespace().nth(1).unwrap().parse().unwrap();
    let each = bytes / records;
    let manual = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operating.md")).unwrap();
    assert!((300..1_000).contains(&each), "{each} bytes for each of {records} records");
    assert!(manual.contains("a record takes 0.5 to 1 kB"), "{each}");
}

#[test]
fn a_backup_that_fails_leaves_nothing_behind() {
    let mut gateway = Gateway::start("");
    let mut open = None;
    assert!(take(&mut open, gateway.ports.milter, &session(), 1), "{}", gateway.postvakt.log);
    drop(open);
    gateway.stop();
    let sent = gateway.directory.path.join("store/sent");
    fs::remove_file(&sent).unwrap();
    fs::create_dir(&sent).unwrap();
    let copy = gateway.directory.path.join("copy");
    let (code, said) = gateway.backup(&copy);
    assert!(code == Some(2) && said.contains("store/sent: no backup was made"), "{said}");
    assert_eq!(fs::read_dir(&copy).unwrap().count(), 0);
    fs::remove_dir(&sent).unwrap();
    assert_eq!(gateway.backup(&copy).0, Some(0), "into the directory that is empty");
    let accesses = gateway.accesses();
    let ends: Vec<_> = accesses
        .iter()
        .filter(|access| access["verb"] == "backup")
        .map(|access| &access["outcome"])
        .collect();
    assert_eq!(ends, ["failed", "done"]);
    // No backup is made of what a retention run deletes just then.
    let lock =
        fs::File::options().write(true).open(gateway.directory.path.join("store/retention.lock")).unwrap();
    lock.try_lock().unwrap();
    let (code, said) = gateway.backup(&gateway.directory.path.join("later"));
    assert!(code == Some(2) && said.contains("a retention run or a backup is in progress"), "{said}");
    drop(lock);
    let (code, said) = gateway.backup(Path::new("/proc/none/copy"));
    assert!(code == Some(2) && said.contains("/proc/none/copy"), "{said}");
}

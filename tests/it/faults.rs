//! What must not be lost when things break: a mail that was accepted has its one record, whatever was killed or full.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use crate::lab::client::Smtp;
use crate::lab::{Directory, Lab, message, queue_id, run, until};

const FROM: &str = "x@example.org";
const TO: &str = "anna@exempelby.se";

/// Every queue id has one record of a mail that ended well, and that record's id stands in the file delivered.
fn assert_nothing_lost(lab: &Lab, accepted: &[String]) {
    let mut records: HashMap<String, Vec<String>> = HashMap::new();
    for record in lab.postvakt.search(&[]).iter().filter(|record| record["verdict"] != "incomplete") {
        let word = |column: &str| record[column].as_str().unwrap().to_owned();
        records.entry(word("queue_id")).or_default().push(word("record"));
    }
    let delivered = lab.delivered(TO, accepted.len());
    for id in accepted {
        let own = records.get(id).map_or(&[][..], Vec::as_slice);
        assert_eq!(own.len(), 1, "records of {id}, which Postfix accepted: {own:?}\n{lab}");
        let mark = format!("X-Postvakt-Id: {}; mac=", own[0]);
        assert_eq!(delivered.iter().filter(|file| file.contains(&mark)).count(), 1, "{id}: {mark}\n{lab}");
    }
}

#[test]
fn kills_at_random_moments_lose_no_record() {
    const CLIENTS: usize = 4;
    const MESSAGES: usize = 120;
    const KILLS: usize = 30;
    let mut random = Random::seeded();
    let mut lab = Lab::start("[rules.auto-forward]\nmode = \"enforce\"\naction = \"hold\"\n");
    let (port, killed) = (lab.postfix.ports.smtp, AtomicBool::new(false));
    let (accepted, deferred) = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn({
                    let killed = &killed;
                    move || deliver_all(port, client, MESSAGES, killed)
                })
            })
            .collect();
        for _ in 0..KILLS {
            thread::sleep(Duration::from_micros(random.below(200_000)));
            lab.postvakt.kill();
            lab.postvakt.restart();
        }
        killed.store(true, Ordering::Relaxed);
        let results: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        let deferred: usize = results.iter().map(|(_, deferred)| deferred).sum();
        let accepted: Vec<String> = results.into_iter().flat_map(|(accepted, _)| accepted).collect();
        (accepted, deferred)
    });
    println!("{} accepted, {deferred} put off, {KILLS} kills", accepted.len());
    assert!(accepted.len() >= CLIENTS * MESSAGES);
    assert!(deferred > 0, "no kill met a mail");
    assert_nothing_lost(&lab, &accepted);
    let complaint = lab.postvakt.log.text().lines().find(|line| line.contains("corrupt")).map(str::to_owned);
    assert_eq!(complaint, None);
}

/// Sends so many messages, and more until `done`, each again until Postfix takes it; the queue ids, and how often it
/// did not.
fn deliver_all(port: u16, client: usize, count: usize, done: &AtomicBool) -> (Vec<String>, usize) {
    let (mut accepted, mut deferred) = (Vec::new(), 0);
    let mut session = None;
    while accepted.len() < count || !done.load(Ordering::Relaxed) {
        let header = format!("Message-ID: <{client}.{}@example.org>\n", accepted.len());
        let text = message(FROM, TO, "flöde", &header);
        let reply = session.get_or_insert_with(|| Smtp::greeted_from_outside(port)).send(FROM, &[TO], &text);
        if reply.starts_with("250 ") {
            accepted.push(queue_id(&reply));
            continue;
        }
        assert!(reply.is_empty() || reply.starts_with('4'), "{reply}");
        deferred += 1;
        session = None;
        thread::sleep(Duration::from_millis(20));
    }
    (accepted, deferred)
}

#[test]
fn a_full_disk_accepts_nothing_and_recovers() {
    let disk = SmallDisk::mount("6m");
    let directory = Directory::new();
    std::os::unix::fs::symlink(disk.path(), directory.path.join("store")).unwrap();
    let mut lab = Lab::start_in(directory, "");
    let mut accepted = Vec::new();
    // With so much room left, the disk is full at another place of the store's work each time.
    for (round, room_octets) in [0, 40_000, 400_000].into_iter().enumerate() {
        let before = burst(&lab, &mut accepted);
        assert_eq!(before, 0, "put off with room on the disk\n{lab}");
        disk.fill(room_octets);
        until("a refusal", &lab, || (burst(&lab, &mut accepted) > 0).then_some(()));
        if round == 1 {
            // The next start finds the log as writes that failed have left it.
            lab.postvakt.kill();
            disk.free();
            lab.postvakt.restart();
        }
        disk.free();
    }
    assert_eq!(burst(&lab, &mut accepted), 0, "the disk has room again\n{lab}");
    println!("{} accepted", accepted.len());
    assert_nothing_lost(&lab, &accepted);
}

/// Several clients at once send some messages each; how many were put off.
fn burst(lab: &Lab, accepted: &mut Vec<String>) -> usize {
    let client = || {
        let mut smtp = lab.outside();
        (0..5).map(|_| smtp.send(FROM, &[TO], &message(FROM, TO, "full disk", ""))).collect::<Vec<_>>()
    };
    let replies: Vec<_> = thread::scope(|scope| {
        let clients: Vec<_> = (0..3).map(|_| scope.spawn(client)).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let (taken, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.starts_with("250 "));
    accepted.extend(taken.iter().map(|reply| queue_id(reply)));
    for reply in &refused {
        assert!(reply.starts_with("451 4.3.0 "), "{reply}\n{lab}");
    }
    refused.len()
}

#[test]
fn a_store_that_is_moved_or_removed_accepts_nothing_until_it_is_back() {
    let mut lab = Lab::start("");
    let store = lab.postvakt.config.with_file_name("store");
    let away = store.with_file_name("elsewhere");
    let mut accepted = Vec::new();
    for whole in [true, false] {
        let (from, to) = (if whole { store.clone() } else { month_file(&store) }, away.clone());
        assert_eq!(burst(&lab, &mut accepted), 0, "{lab}");
        assert!(lab.postvakt.is_ready());
        fs::rename(&from, &to).unwrap();
        let before = accepted.len();
        assert_eq!(burst(&lab, &mut accepted), 15, "none is accepted\n{lab}");
        assert_eq!(accepted.len(), before);
        assert!(!lab.postvakt.is_ready(), "{lab}");
        assert_eq!(lab.postvakt.metric("postvakt_log_displaced"), 1);
        assert!(
            lab.postvakt.log.text().contains("not found while postvakt is running; mail is deferred"),
            "{lab}"
        );
        fs::rename(&to, &from).unwrap();
        // Without a mail: who watches may send none before.
        until("readiness", &lab, || lab.postvakt.is_ready().then_some(()));
        assert_eq!(lab.postvakt.metric("postvakt_log_displaced"), 0);
    }
    assert_eq!(burst(&lab, &mut accepted), 0, "{lab}");
    // Through restarts too, with nothing but what is in its place.
    lab.postvakt.kill();
    lab.postvakt.restart();
    assert_eq!(burst(&lab, &mut accepted), 0, "{lab}");
    assert_nothing_lost(&lab, &accepted);

    // Gone for good: a restart begins a new log, and says so.
    fs::remove_dir_all(&store).unwrap();
    let gone = burst(&lab, &mut Vec::new());
    assert_eq!(gone, 15, "{lab}");
    lab.postvakt.kill();
    lab.postvakt.restart();
    let mut later = Vec::new();
    assert_eq!(burst(&lab, &mut later), 0, "{lab}");
    assert_eq!(lab.postvakt.search(&[]).len(), later.len());
}

fn month_file(store: &Path) -> std::path::PathBuf {
    let is_month = |path: &std::path::PathBuf| {
        path.extension() == Some("db".as_ref()) && path.to_string_lossy().contains("log-")
    };
    crate::lab::files(store).into_iter().find(is_month).unwrap()
}

#[test]
fn reloads_of_every_kind_refuse_no_mail() {
    const RELOADS: u64 = 200;
    let mut random = Random::seeded();
    let lab = Lab::start("");
    let good = fs::read(&lab.postvakt.config).unwrap();
    let done = AtomicBool::new(false);
    let accepted = thread::scope(|scope| {
        let clients: Vec<_> = (0..2)
            .map(|client| {
                let (done, port) = (&done, lab.postfix.ports.smtp);
                scope.spawn(move || deliver_all(port, client, 20, done))
            })
            .collect();
        for _ in 0..RELOADS {
            match random.below(5) {
                0 => fs::write(&lab.postvakt.config, &good).unwrap(),
                1 => fs::write(&lab.postvakt.config, &good[..good.len() / 2]).unwrap(),
                2 => fs::write(&lab.postvakt.config, b"\0\xff\xfe\x00[rules".repeat(1_000)).unwrap(),
                3 => drop(fs::remove_file(&lab.postvakt.config)),
                _ => fs::write(&lab.postvakt.config, [&good[..], b"\n[rules.custom.x]\nwhen = 1\n"].concat())
                    .unwrap(),
            }
            lab.postvakt.signal(rustix::process::Signal::HUP);
            thread::sleep(Duration::from_micros(random.below(10_000)));
        }
        done.store(true, Ordering::Relaxed);
        let results: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        assert_eq!(results.iter().map(|(_, deferred)| deferred).sum::<usize>(), 0, "{lab}");
        results.into_iter().flat_map(|(accepted, _)| accepted).collect::<Vec<_>>()
    });
    assert!(accepted.len() >= 40);
    fs::write(&lab.postvakt.config, &good).unwrap();
    lab.postvakt.signal(rustix::process::Signal::HUP);
    until("the good config", &lab, || {
        (lab.postvakt.metric("postvakt_config_reload_success") == 1).then_some(())
    });
    assert_nothing_lost(&lab, &accepted);
}

/// A file system of its own that is soon full.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Self {
        let disk = Self(tempfile::tempdir().unwrap());
        let options = format!("size={size}");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "postvakt-lab"]).arg(disk.path()));
        disk
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes what is left but for so many octets.
    fn fill(&self, room_octets: u64) {
        let mut ballast = fs::File::create(self.path().join("ballast")).unwrap();
        while ballast.write(&[0; 4096]).is_ok_and(|written| written > 0) {}
        let taken = ballast.metadata().unwrap().len();
        ballast.set_len(taken.saturating_sub(room_octets)).unwrap();
    }

    fn free(&self) {
        let _ = fs::remove_file(self.path().join("ballast"));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: after a failed assertion the program may still have files open there.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// A small generator of its own (xorshift), so that a run can be had again: `POSTVAKT_SEED=… tests/run`.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn seeded() -> Self {
        let now = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros();
        let seed = std::env::var("POSTVAKT_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| u64::try_from(now()).unwrap());
        println!("POSTVAKT_SEED={seed}");
        Self(seed | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

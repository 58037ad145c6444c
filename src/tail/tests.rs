//! The log in files, as logrotate leaves them.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::*;
use crate::record::Record;
use crate::store::deliveries::trace::{Trace, Tracer};

struct Lab {
    directory: tempfile::TempDir,
    log: PathBuf,
    begun: Timestamp,
    tail: Option<Tail>,
}

impl Lab {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("mail.log");
        fs::write(&log, "").unwrap();
        Self { directory, log, begun: Timestamp::now(), tail: None }
    }

    fn start(&mut self) {
        self.tail = Some(Tail::start(MailLog::File(self.log.clone()), self.directory.path()).unwrap());
    }

    fn stop(&mut self) {
        self.tail.take().unwrap().stop();
    }

    /// Writes the delivery of a mail.
    fn write(&self, id: &str) {
        append(&self.log, &lines(id));
    }

    fn rotated(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn trace(&self, id: &str) -> Option<Trace> {
        let record = Record { time: self.begun, queue_id: id.to_owned(), ..Record::default() };
        Tracer::of(self.directory.path()).ok()?.trace(&record).ok()?
    }

    fn has(&self, id: &str) -> bool {
        self.trace(id).is_some_and(|trace| trace.last().next().is_some())
    }

    fn wait(&self, id: &str) {
        until(id, || self.has(id));
    }

    /// The gaps between the first line and the last one.
    fn gaps(&self) -> usize {
        let all = Tracer::of(self.directory.path()).unwrap().gaps(Timestamp::MIN, Timestamp::MAX).unwrap();
        all.iter().filter(|(from, to)| from.is_some() && to.is_some()).count()
    }
}

/// Its only recipient is delivered to; it stays in the queue, so that its end is not known.
fn lines(id: &str) -> String {
    let now = Timestamp::now();
    format!(
        "{now} mx postfix/smtpd[1]: {id}: client=a[192.0.2.1]\n{now} mx postfix/local[1]: {id}: to=<a@exempelby.se>, relay=local, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (ok)\n"
    )
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

const A: &str = "4jdWYj1Lgzz1SVwB";
const B: &str = "4jdWYj1Lgzz1SVwC";
const C: &str = "4jdWYj1Lgzz1SVwD";
const D: &str = "4jdWYj1Lgzz1SVwF";

#[test]
fn a_log_that_grows_and_is_renamed() {
    let mut lab = Lab::new();
    lab.write(A);
    lab.start();
    lab.wait(A);
    lab.write(B);
    lab.wait(B);
    fs::rename(&lab.log, lab.rotated("mail.log.1")).unwrap();
    // As logrotate makes it before the writer of the log takes it.
    fs::write(&lab.log, "").unwrap();
    append(&lab.rotated("mail.log.1"), &lines(C));
    lab.write(D);
    lab.wait(C);
    lab.wait(D);
    lab.stop();
    assert_eq!(lab.gaps(), 0);
}

#[test]
fn a_log_that_is_copied_and_cut() {
    let mut lab = Lab::new();
    lab.write(A);
    lab.start();
    lab.wait(A);
    lab.stop();
    // While nobody reads: the copy has what was not read.
    lab.write(B);
    fs::copy(&lab.log, lab.rotated("mail.log.1")).unwrap();
    OpenOptions::new().write(true).open(&lab.log).unwrap().set_len(0).unwrap();
    lab.write(C);
    lab.start();
    lab.wait(B);
    lab.wait(C);
    // And while somebody does.
    fs::copy(&lab.log, lab.rotated("mail.log-20261130")).unwrap();
    OpenOptions::new().write(true).open(&lab.log).unwrap().set_len(0).unwrap();
    lab.write(D);
    lab.wait(D);
    lab.stop();
    assert_eq!(lab.gaps(), 0);
}

#[test]
fn rotations_while_nobody_reads_lose_nothing_that_is_there() {
    let mut lab = Lab::new();
    lab.write(A);
    lab.start();
    lab.wait(A);
    lab.stop();
    lab.write(B);
    fs::rename(&lab.log, lab.rotated("mail.log.2")).unwrap();
    assert!(Command::new("gzip").arg(lab.rotated("mail.log.2")).status().unwrap().success());
    lab.write(C);
    fs::rename(&lab.log, lab.rotated("mail.log.1")).unwrap();
    lab.write(D);
    lab.start();
    for id in [B, C, D] {
        lab.wait(id);
    }
    lab.stop();
    assert_eq!(lab.gaps(), 0);
}

#[test]
fn what_is_gone_is_a_gap_until_a_command_reads_it() {
    let mut lab = Lab::new();
    lab.write(A);
    lab.start();
    lab.wait(A);
    lab.stop();
    // Another minute, so that a gap has a length.
    std::thread::sleep(Duration::from_millis(1_100));
    lab.write(B);
    let kept = lab.rotated("kept");
    fs::rename(&lab.log, &kept).unwrap();
    std::thread::sleep(Duration::from_millis(1_100));
    lab.write(C);
    lab.start();
    lab.wait(C);
    assert_eq!(lab.gaps(), 1);
    assert!(!lab.has(B));
    let gaps = lab.trace(A).unwrap().gaps;
    assert!(gaps.iter().any(|(from, to)| from.is_some() && to.is_some()), "{gaps:?}");
    // While it is followed: by request.
    fs::create_dir_all(lab.rotated("requests")).unwrap();
    let request = requests::Request { files: vec![kept.clone()], rebuild: false };
    let (answer, request) = requests::leave(lab.directory.path(), &request).unwrap();
    let mut answered = None;
    until("the answer", || {
        answered = requests::answer(&answer).unwrap();
        answered.is_some()
    });
    let answered = answered.unwrap();
    assert_eq!((answered.failed.as_str(), answered.files[0].lines, request.exists()), ("", 4, false));
    assert!(lab.has(B));
    lab.stop();
    // A file that is not there.
    let mut deliveries = Deliveries::open(lab.directory.path()).unwrap();
    assert!(ingest::files(&mut deliveries, &[lab.rotated("none")], false).is_err());
    // What was read before goes, where the files are all that there is.
    ingest::files(&mut deliveries, &[kept], true).unwrap();
    assert!(lab.has(B) && !lab.has(C));
}

#[test]
fn a_line_is_read_when_it_is_whole() {
    let mut lab = Lab::new();
    lab.start();
    let text = lines(A);
    let (begin, rest) = text.split_at(text.len() - 40);
    append(&lab.log, begin);
    std::thread::sleep(limits::MAILLOG_LOOK * 2);
    assert!(!lab.has(A));
    append(&lab.log, rest);
    lab.wait(A);
    // Neither is one that is longer than any, and what follows it is read.
    append(&lab.log, &format!("{}\n{}", "x".repeat(3 * limits::MAILLOG_LINE_OCTETS), lines(B)));
    lab.wait(B);
    lab.stop();
}

#[test]
fn a_log_that_comes_late_is_read_from_its_beginning() {
    let mut lab = Lab::new();
    lab.start();
    std::thread::sleep(limits::MAILLOG_LOOK * 2);
    lab.stop();
    // Nothing was read: what was written since is in a file with another name.
    lab.write(A);
    fs::rename(&lab.log, lab.rotated("mail.log.1")).unwrap();
    lab.write(B);
    lab.start();
    lab.wait(A);
    lab.wait(B);
    lab.stop();
    assert_eq!(lab.gaps(), 0);
}

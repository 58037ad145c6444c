//! The worker as a process: what it survives, and what the filter does when it does not.

#[cfg(target_arch = "x86_64")]
mod injected;
mod through_the_wire;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use postvakt::documents::Reading;
use postvakt::limits;
use postvakt::worker::pool::{Failure, Workers};
use postvakt::worker::wire::Head;
use rustix::process::{Pid, Signal, kill_process};
use tokio::runtime::Runtime;

use crate::lab::program::PROGRAM;
use crate::lab::until;
pub(crate) use through_the_wire::{Filter, deliver_message, zip};

/// Workers that can be told from those of other tests, by the path of their program.
struct Pool {
    runtime: Runtime,
    workers: Workers,
    program: PathBuf,
    _directory: tempfile::TempDir,
}

impl Pool {
    fn new() -> Self {
        Self::patient_for(limits::DOCUMENT_TIME)
    }

    fn patient_for(patience: Duration) -> Self {
        // Beside the program, since a link stays on its disk.
        let directory = tempfile::tempdir_in(Path::new(PROGRAM).parent().unwrap()).unwrap();
        let program = directory.path().join("postvakt");
        fs::hard_link(PROGRAM, &program).unwrap();
        let program = program.canonicalize().unwrap();
        let runtime = Runtime::new().unwrap();
        Self { runtime, workers: Workers::of(&program).patient_for(patience), program, _directory: directory }
    }

    fn read(&self, name: &str, bytes: &[u8]) -> Result<Reading, Failure> {
        let head = Head { name: name.to_owned(), ..Head::default() };
        self.runtime.block_on(self.workers.read(&head, bytes, limits::DOCUMENT_CPU_TIME)).reading
    }

    /// Those that run.
    fn processes(&self) -> Vec<Pid> {
        let ours = |process: &Pid| {
            let program = fs::read_link(format!("/proc/{}/exe", process.as_raw_nonzero()));
            program.is_ok_and(|program| program == self.program)
        };
        children(std::process::id()).into_iter().filter(ours).collect()
    }

    fn process(&self) -> Pid {
        let processes = self.processes();
        assert_eq!(processes.len(), 1, "{processes:?}");
        processes[0]
    }
}

/// The processes that a process has started and not yet buried.
pub(crate) fn children(parent: u32) -> Vec<Pid> {
    let parent = parent.to_string();
    let entries = fs::read_dir("/proc").unwrap();
    let numbers = entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let is_child = |number: &i32| stat(*number).get(1) == Some(&parent);
    numbers.filter(is_child).filter_map(Pid::from_raw).collect()
}

/// What a process has open, but for what whoever runs the tests has left open in all of them.
pub(crate) fn descriptors(process: Pid) -> Vec<String> {
    let open = |folder: &Path| {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        entries
            .filter_map(|entry| Some((entry.file_name(), fs::read_link(entry.path()).ok()?)))
            .collect::<Vec<_>>()
    };
    let own = open(Path::new("/proc/self/fd"));
    let others = open(&Path::new("/proc").join(process.as_raw_nonzero().to_string()).join("fd"));
    others
        .into_iter()
        .filter(|other| !own.contains(other))
        .map(|(_, what)| what.display().to_string())
        .collect()
}

/// What the kernel says of a process: its state, its parent and so on; nothing once it is gone.
pub(crate) fn stat(number: i32) -> Vec<String> {
    let stat = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
    let (_, after) = stat.rsplit_once(')').unwrap_or_default();
    after.split_ascii_whitespace().map(str::to_owned).collect()
}

/// Nothing that could be said in a failure's message.
struct Quiet;

impl std::fmt::Display for Quiet {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}

#[test]
fn one_worker_reads_one_document_after_the_other_and_is_replaced_in_time() {
    let pool = Pool::new();
    assert_eq!(pool.processes(), [], "nothing is started before it is needed");
    let text = &pool.read("a.txt", b"811228-9874").unwrap().items[0].text;
    assert_eq!(text, "811228-9874");
    let first = pool.process();
    for _ in 1..500 {
        assert_eq!(pool.read("a.txt", b"x").unwrap().items.len(), 1);
    }
    assert_eq!(pool.processes(), [], "it has served");
    assert_eq!(stat(first.as_raw_nonzero().get()), [""; 0], "and left no zombie");
    pool.read("a.txt", b"x").unwrap();
    assert_ne!(pool.process(), first);
    pool.runtime.block_on(pool.workers.stop());
    assert_eq!(pool.processes(), []);
    assert_eq!(pool.read("a.txt", b"x"), Err(Failure::Unavailable));
}

#[test]
fn a_worker_that_gets_no_processor_time_is_killed_at_last() {
    let pool = Pool::patient_for(Duration::from_millis(500));
    pool.read("a.txt", b"x").unwrap();
    let hanging = pool.process();
    kill_process(hanging, Signal::STOP).unwrap();
    let started = Instant::now();
    assert_eq!(pool.read("a.txt", b"x"), Err(Failure::Busy));
    assert!(started.elapsed() >= Duration::from_millis(500));
    assert_eq!(pool.processes(), []);
    assert!(pool.read("a.txt", b"x").is_ok());
}

#[test]
fn a_worker_that_is_killed_costs_one_document_at_the_most() {
    let pool = Pool::new();
    // While it waits: none.
    pool.read("a.txt", b"x").unwrap();
    let waiting = pool.process();
    kill_process(waiting, Signal::KILL).unwrap();
    let dead = || stat(waiting.as_raw_nonzero().get()).first().is_none_or(|state| state == "Z");
    until("its death", &Quiet, || dead().then_some(()));
    assert!(pool.read("a.txt", b"x").is_ok());
    // While it reads: that one.
    let stopped = pool.process();
    kill_process(stopped, Signal::STOP).unwrap();
    let failure = std::thread::scope(|scope| {
        let reading = scope.spawn(|| pool.read("a.txt", &vec![b'x'; 1 << 20]));
        // The document is longer than the pipe: what is in the pipe shows that it was sent.
        let pipe = format!("/proc/{}/fd/0", stopped.as_raw_nonzero());
        until("the document on its way", &Quiet, || waits_in(&pipe).then_some(()));
        kill_process(stopped, Signal::KILL).unwrap();
        reading.join().unwrap()
    });
    assert_eq!(failure, Err(Failure::Crash));
    assert_eq!(pool.processes(), []);
    assert!(pool.read("a.txt", b"x").is_ok());
}

/// Whether there is anything in the pipe.
fn waits_in(pipe: &str) -> bool {
    let Ok(file) = fs::File::open(pipe) else { return false };
    rustix::io::ioctl_fionread(&file).is_ok_and(|octets| octets > 0)
}

#[test]
fn a_worker_that_cannot_start_is_unavailable() {
    let head = Head { name: "a.txt".to_owned(), ..Head::default() };
    let runtime = Runtime::new().unwrap();
    let read = |program: &str| {
        let workers = Workers::of(program);
        runtime.block_on(workers.read(&head, b"x", limits::DOCUMENT_CPU_TIME)).reading
    };
    for program in ["/nonexistent/postvakt", "/dev/null"] {
        assert_eq!(read(program), Err(Failure::Unavailable), "{program}");
    }
    // A program that is no worker.
    assert_eq!(read("/bin/true"), Err(Failure::Crash));
}

#[test]
fn a_document_given_up_by_its_mail_takes_its_worker_along() {
    let pool = Pool::new();
    pool.read("a.txt", b"x").unwrap();
    kill_process(pool.process(), Signal::STOP).unwrap();
    let head = Head::default();
    let given_up = pool.runtime.block_on(async {
        let read = pool.workers.read(&head, b"x", limits::DOCUMENT_CPU_TIME);
        tokio::time::timeout(Duration::from_millis(50), read).await.is_err()
    });
    assert!(given_up);
    until("the end of its worker", &Quiet, || pool.processes().is_empty().then_some(()));
    assert!(pool.read("a.txt", b"x").is_ok());
}

#[test]
fn bombs_are_over_in_time_and_hurt_nobody() {
    let pool = Pool::new();
    for (name, bytes) in bombs() {
        let started = Instant::now();
        let reading = pool.read(&name, &bytes);
        println!(
            "{name}: {} octets, {:?}, {:?}",
            bytes.len(),
            started.elapsed(),
            reading.as_ref().map(|r| r.items[0].state)
        );
        match reading {
            Ok(reading) => assert_eq!(reading.items[0].state.as_str(), "uninspectable", "{name}"),
            Err(failure) => {
                assert!(matches!(failure, Failure::Cpu | Failure::Memory), "{name}: {failure}");
            }
        }
        assert!(pool.read("a.txt", b"x").is_ok(), "after {name}");
    }
}

/// Small files that want to be large, long or deep.
fn bombs() -> Vec<(String, Vec<u8>)> {
    let deflated = |octets: usize| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::copy(&mut std::io::Read::take(std::io::repeat(b' '), octets as u64), &mut encoder).unwrap();
        encoder.finish().unwrap()
    };
    let stream = |dictionary: &str, data: &[u8]| {
        let head = format!("<<{dictionary}/Length {}>>\nstream\n", data.len());
        [head.as_bytes(), data, b"\nendstream"].concat()
    };
    let pdf = |objects: Vec<Vec<u8>>| {
        let mut file = b"%PDF-1.7\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Kids[3 0 R]/Count 1>>\nendobj\n3 0 obj\n<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</XObject<</A 5 0 R/B 6 0 R>>>>>>\nendobj\n".to_vec();
        for (number, object) in objects.into_iter().enumerate() {
            file.extend(format!("{} 0 obj\n", number + 4).bytes());
            file.extend(object);
            file.extend(b"\nendobj\n");
        }
        file.extend(b"trailer\n<</Root 1 0 R>>\n");
        file
    };
    let once = deflated(256 << 20);
    let mut twice = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::copy(&mut &*once, &mut twice).unwrap();
    let operators = "q Q ".repeat(8_000_000);
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::copy(&mut operators.as_bytes(), &mut packed).unwrap();
    vec![
        ("blank.pdf".to_owned(), pdf(vec![stream("/Filter/FlateDecode", &once)])),
        (
            "twice.pdf".to_owned(),
            pdf(vec![stream("/Filter[/FlateDecode/FlateDecode]", &twice.finish().unwrap())]),
        ),
        ("operators.pdf".to_owned(), pdf(vec![stream("/Filter/FlateDecode", &packed.finish().unwrap())])),
        ("deep.pdf".to_owned(), [b"%PDF-1.7\n1 0 obj\n".to_vec(), b"[".repeat(4 << 20)].concat()),
        (
            "objects.pdf".to_owned(),
            [
                b"%PDF-1.7\n".to_vec(),
                (0..1_200_000).flat_map(|n| format!("{n} 0 obj 1\n").into_bytes()).collect(),
            ]
            .concat(),
        ),
        ("half.pdf".to_owned(), [b"%PDF-1.7\n".to_vec(), b"1 0 obj <<".repeat(2_000_000)].concat()),
        ("deep.p7m".to_owned(), b"\x30\x80".repeat(1 << 20)),
        ("zeros.doc".to_owned(), [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec(), vec![0; 8 << 20]].concat()),
    ]
}

//! A worker that was taken over: system calls of every number are made in its name, and the filter is unharmed.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Pid;

use super::through_the_wire::{Filter, zip};
use super::{children, descriptors, stat};
use crate::lab::run;

/// The allowed calls, by their names in `asm/unistd_64.h`; those marked are allowed with some arguments alone.
const ALLOWED: &[(u64, &str)] = &[
    (0, "read"),
    (1, "write"),
    (3, "close"),
    (11, "munmap"),
    (12, "brk"),
    (13, "rt_sigaction"),
    (14, "rt_sigprocmask"),
    (15, "rt_sigreturn"),
    (20, "writev"),
    (24, "sched_yield"),
    (25, "mremap"),
    (39, "getpid"),
    (60, "exit"),
    (131, "sigaltstack"),
    (186, "gettid"),
    (228, "clock_gettime"),
    (231, "exit_group"),
    (318, "getrandom"),
];
const MMAP: u64 = 9;
const MPROTECT: u64 = 10;
const MADVISE: u64 = 28;
const FUTEX: u64 = 202;
const TGKILL: u64 = 234;
/// Numbers with this bit are those of the x32 ABI.
const X32: u64 = 0x4000_0000;
/// Well above the last number of any kernel there is.
const LAST: u64 = 1_023;
/// `uretprobe` and `uprobe`, which newer kernels answer before any filter: they serve a debugger's probes, and nothing else.
const PROBES: [u64; 2] = [335, 336];
const EPERM: i64 = -1;

/// What the calls gave, made in the name of the process.
fn inject(helper: &Path, process: Pid, calls: &[String]) -> Vec<i64> {
    let mut child = Command::new(helper)
        .arg(process.as_raw_nonzero().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines = calls.join("\n") + "\n";
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{output:?}");
    let results: Vec<_> =
        String::from_utf8(output.stdout).unwrap().lines().map(|r| r.parse().unwrap()).collect();
    assert_eq!(results.len(), calls.len());
    results
}

fn helper(directory: &Path) -> std::path::PathBuf {
    let helper = directory.join("inject");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/worker/inject.c");
    run(Command::new("gcc").args(["-O1", "-Wall", "-Werror", "-o"]).arg(&helper).arg(source));
    helper
}

#[test]
fn a_worker_that_was_taken_over_reaches_nothing() {
    let filter = Filter::start();
    filter.deliver("BEFORE", "a.zip", &zip("inre.txt", b"x"));
    let worker = children(filter.postvakt.id())[0];
    let descriptors = descriptors(worker);
    assert!(
        descriptors.len() == 3 && descriptors.iter().all(|what| what.starts_with("pipe:")),
        "{descriptors:?}"
    );
    let helper = helper(&filter.directory.path);
    let (own, daemon) = (worker.as_raw_nonzero().get(), filter.postvakt.id());

    // Every number that there is or may come to be, and the same in the other ABI, which asks for nothing harmful.
    let conditional = [MMAP, MPROTECT, MADVISE, FUTEX, TGKILL];
    let plain = (0..=LAST).filter(|number| {
        ALLOWED.iter().all(|(allowed, _)| allowed != number)
            && !conditional.contains(number)
            && !PROBES.contains(number)
    });
    let mut calls: Vec<String> =
        plain.chain((0..=LAST).map(|number| X32 | number)).map(|n| n.to_string()).collect();
    // Those that are allowed with other arguments.
    let page = 4096;
    for signal in [0, 9, 19, 15] {
        calls.push(format!("{TGKILL} {daemon} {daemon} {signal}"));
        calls.push(format!("{TGKILL} 1 1 {signal}"));
        // The kernel reads 32 bits of a process's number.
        calls.push(format!("{TGKILL} {} {daemon} {signal}", u64::from(daemon) | 1 << 40));
    }
    for protection in 4..=7 {
        calls.push(format!("{MMAP} 0 {page} {protection} 0x22 -1 0"));
        calls.push(format!("{MPROTECT} stack {page} {protection}"));
    }
    // MERGEABLE, HWPOISON, SOFT_OFFLINE, DOFORK, COLD, PAGEOUT.
    calls.extend([12, 100, 101, 11, 20, 21].map(|advice| format!("{MADVISE} stack 0 {advice}")));
    // LOCK_PI, UNLOCK_PI, TRYLOCK_PI, REQUEUE, CMP_REQUEUE, WAKE_OP, WAIT_REQUEUE_PI, CMP_REQUEUE_PI, LOCK_PI2, private.
    calls
        .extend([6, 7, 8, 3, 4, 5, 11, 12, 13].map(|operation| format!("{FUTEX} stack {}", operation | 128)));
    for (call, result) in calls.iter().zip(inject(&helper, worker, &calls)) {
        assert_eq!(result, EPERM, "{call}");
    }

    // What it needs it has.
    let calls = [
        format!("{TGKILL} {own} {own} 0"),
        format!("{MMAP} 0 {page} 3 0x22 -1 0"),
        format!("{MADVISE} 0 0 4"),
        // WAKE, private.
        format!("{FUTEX} stack 129 1"),
        "39".to_owned(),
    ];
    let results = inject(&helper, worker, &calls);
    assert_eq!((results[0], results[2], results[3], results[4]), (0, 0, 0, i64::from(own)));
    // Its memory may be used up, which is no refusal.
    assert_ne!(results[1], EPERM, "{results:?}");

    let state = stat(i32::try_from(daemon).unwrap());
    assert!(["R", "S", "D"].contains(&state[0].as_str()), "{state:?}");
    filter.deliver("AFTER", "b.zip", &zip("inre.txt", b"x"));
    assert_eq!(filter.recorded("AFTER"), "b.zip; inre.txt");
    assert_eq!(children(daemon), [worker], "the same worker goes on");
}

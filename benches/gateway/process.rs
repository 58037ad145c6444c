//! What the kernel knows of a process and of those that it started.

use std::fs;
use std::time::Duration;

/// A process with its workers, at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Processor time of it, of its workers, and of those that have ended.
    pub(crate) cpu: Duration,
    /// Resident KiB of it and of its workers together; what they share counts for each.
    pub(crate) resident: u64,
    /// The most KiB that it had itself; those of its workers that run.
    pub(crate) peak_own: u64,
    pub(crate) peak_workers: u64,
    pub(crate) workers: usize,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> Self {
        let (own, ended) = times(pid);
        let mut usage = Self {
            cpu: own + ended,
            resident: status(pid, "VmRSS:"),
            peak_own: status(pid, "VmHWM:"),
            peak_workers: 0,
            workers: 0,
        };
        for child in workers(pid) {
            usage.cpu += times(child).0;
            usage.resident += status(child, "VmRSS:");
            usage.peak_workers = usage.peak_workers.max(status(child, "VmHWM:"));
            usage.workers += 1;
        }
        usage
    }
}

/// Its own time, and that of its children that it has buried.
fn times(pid: u32) -> (Duration, Duration) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    // utime, stime, cutime and cstime are fields 14 to 17; what is left begins with field 3.
    let mut ticks = fields.split_whitespace().skip(11).filter_map(|field| field.parse::<u64>().ok());
    let mut pair = || {
        let ticks = ticks.next().unwrap_or(0) + ticks.next().unwrap_or(0);
        Duration::from_millis(ticks * 1_000 / rustix::param::clock_ticks_per_second())
    };
    (pair(), pair())
}

pub(crate) fn status(pid: u32, line: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let value = status.lines().find_map(|found| found.strip_prefix(line));
    value.map_or(0, |value| value.trim().trim_end_matches("kB").trim().parse().unwrap_or(0))
}

/// The processes that it has started and not yet buried, whichever of its threads did so.
fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// Those of them that have become workers: until then a child has its parent's memory.
pub(crate) fn workers(pid: u32) -> Vec<u32> {
    let is_worker = |child: &u32| {
        let words = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
        words.split(|octet| *octet == 0).nth(1) == Some(b"worker")
    };
    children(pid).into_iter().filter(is_worker).collect()
}

/// Whether it has not ended yet; one that nobody has buried has.
pub(crate) fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, fields)| !fields.trim_start().starts_with(['Z', 'X']))
}

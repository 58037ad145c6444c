//! What the kernel knows about a process.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// User and system time, exact to a clock tick (10 ms).
pub(crate) fn cpu_of(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("/proc/<pid>/stat")?;
    // utime and stime are fields 14 and 15; what is left begins with field 3.
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks.saturating_mul(1_000) / rustix::param::clock_ticks_per_second()))
}

/// Resident memory, in KiB.
pub(crate) fn rss_of(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

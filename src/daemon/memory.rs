//! Memory: how much of it messages in progress may take by default.

use std::fs;

use rustix::process::{Resource, getrlimit};

use crate::limits;

/// A part of what the machine, its control group or the process's own limit gives, whichever is least.
pub(super) fn share() -> u64 {
    let given = [of_machine(), of_control_group(), getrlimit(Resource::As).current];
    let least = given.into_iter().flatten().min().unwrap_or(limits::MEMORY_OCTETS_LEAST);
    (least / limits::MEMORY_SHARE).max(limits::MEMORY_OCTETS_LEAST)
}

/// `MemTotal` of proc(5), in KiB.
fn of_machine() -> Option<u64> {
    let said = fs::read_to_string("/proc/meminfo").ok()?;
    let line = said.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()?.checked_mul(1_024)
}

/// The least `memory.max` of the process's group and of those around it (cgroups(7), version 2): `MemoryMax=` of a
/// unit, the limit of a container.
fn of_control_group() -> Option<u64> {
    let said = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = said.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let mut groups = Some(own.trim_end_matches('/'));
    let mut least = None;
    while let Some(group) = groups {
        let limit = fs::read_to_string(format!("/sys/fs/cgroup/{group}/memory.max")).ok();
        let limit = limit.and_then(|limit| limit.trim().parse().ok());
        least = least.into_iter().chain(limit).min();
        groups = match group.rsplit_once('/') {
            Some((outer, _)) => Some(outer),
            None if group.is_empty() => None,
            None => Some(""),
        };
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_what_there_is() {
        let machine = of_machine().unwrap();
        assert!(machine > 1 << 28, "{machine}");
        assert!(share() <= (machine / limits::MEMORY_SHARE).max(limits::MEMORY_OCTETS_LEAST));
        assert!(share() >= limits::MEMORY_OCTETS_LEAST);
    }
}

//! What the kernel tells of this process, for `/metrics`.

use std::fs;

use jiff::Timestamp;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

use crate::metrics::Process;

/// Takes note of when the process started.
pub(crate) fn started(of: &Process) {
    of.started.set(Timestamp::now().as_millisecond() as f64 / 1_000.0);
}

/// Looks once. What the kernel does not tell stays as it was.
pub(crate) fn look(of: &Process) {
    if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Stat::of) {
        // A counter of the library can only grow by steps.
        of.cpu_seconds.inc_by((stat.cpu_seconds - of.cpu_seconds.get()).max(0.0));
        of.resident_octets.set(stat.resident_octets);
        of.virtual_octets.set(stat.virtual_octets);
    }
    if let Ok(descriptors) = fs::read_dir("/proc/self/fd") {
        // The one by which they are listed is not counted.
        of.open_descriptors.set(i64::try_from(descriptors.count()).unwrap_or(i64::MAX).saturating_sub(1));
    }
    let most = getrlimit(Resource::Nofile).current;
    of.descriptors_at_most.set(most.and_then(|most| i64::try_from(most).ok()).unwrap_or(-1));
}

/// What matters of `proc_pid_stat(5)`.
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_seconds: f64,
    virtual_octets: i64,
    resident_octets: i64,
}

impl Stat {
    fn of(text: &str) -> Option<Self> {
        // The name of the program may have spaces and brackets.
        let (_, behind) = text.rsplit_once(')')?;
        let fields: Vec<i64> =
            behind.split_whitespace().skip(1).map(|field| field.parse().unwrap_or(0)).collect();
        // Fields 14, 15, 23 and 24, of which the first three are gone.
        let [user, system, size, pages] = [10, 11, 19, 20].map(|at| fields.get(at).copied());
        Some(Self {
            cpu_seconds: (user? + system?) as f64 / clock_ticks_per_second() as f64,
            virtual_octets: size?,
            resident_octets: pages?.saturating_mul(i64::try_from(page_size()).ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_program_may_be_anything() {
        let text =
            "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 4 0 1000 8192 2 18446744073709551615 1";
        let ticks = clock_ticks_per_second() as f64;
        let page = i64::try_from(page_size()).unwrap();
        let expected = Stat { cpu_seconds: 200.0 / ticks, virtual_octets: 8192, resident_octets: 2 * page };
        assert_eq!(Stat::of(text), Some(expected));
        assert!(Stat::of(&fs::read_to_string("/proc/self/stat").unwrap()).unwrap().resident_octets > 0);
        assert_eq!(Stat::of("7 (a) S"), None);
    }
}

//! Confinement: what a worker can still do once it has begun is read and write its pipes, and use some memory.

use std::collections::BTreeMap;

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, set_dumpable_behavior, set_parent_process_death_signal,
    setrlimit,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

use crate::limits;

/// Why the process could not be confined; it must then not read anything.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A limit could not be set.
    #[error("cannot set a process limit: {0}")]
    Limit(#[from] rustix::io::Errno),
    /// The kernel or the machine has no filter of system calls.
    #[error("cannot filter system calls: {0}")]
    Filter(String),
}

/// What reading a document from a pipe needs, and no more: no file, no socket, no process, no other's memory. Whatever
/// their arguments say, these reach nothing but the process itself and its three pipes.
const CALLS: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_sched_yield,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// What a memory allocator says of its memory. Not that pages are to be shared with equal ones of other processes: how
/// long writing to one takes would tell what those have.
const ADVICE: &[libc::c_int] =
    &[libc::MADV_DONTNEED, libc::MADV_FREE, libc::MADV_HUGEPAGE, libc::MADV_NOHUGEPAGE];

/// What a lock needs. Not the operations on priorities and on two locks at once, in which kernels had their faults.
const FUTEX_OPERATIONS: &[libc::c_int] =
    &[libc::FUTEX_WAIT, libc::FUTEX_WAKE, libc::FUTEX_WAIT_BITSET, libc::FUTEX_WAKE_BITSET];

/// What a program that recognises text has no use for: the network, other processes, the machine, and changing a file.
/// It may read what the service's user may, since it must load itself, its libraries and its data.
const REFUSED: &[libc::c_long] = &[
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_clone3,
    libc::SYS_execveat,
    libc::SYS_memfd_create,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_openat2,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_truncate,
    libc::SYS_ftruncate,
];

/// Calls that open a file, with the place of their flags: for reading alone.
const OPENING: &[(libc::c_long, u8)] = &[
    (libc::SYS_openat, 2),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, 1),
];

/// Those of them that only older machines have.
#[cfg(target_arch = "x86_64")]
const REFUSED_TOO: &[libc::c_long] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_creat,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_mknod,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_TOO: &[libc::c_long] = &[];

/// Documents are less than mail: where the machine runs out of memory, a worker ends before the filter does.
const OUT_OF_MEMORY_SCORE: &str = "500";

/// Confines this process, for good.
pub fn confine() -> Result<(), Error> {
    // Where this cannot be said the kernel chooses by size; no document stays unread for that.
    let _ = std::fs::write("/proc/self/oom_score_adj", OUT_OF_MEMORY_SCORE);
    set_parent_process_death_signal(Some(Signal::KILL))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    limit(Resource::As, limits::WORKER_MEMORY_OCTETS)?;
    limit(Resource::Cpu, limits::WORKER_CPU_TIME.as_secs())?;
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::Nproc, 0)?;
    // Those that are open stay open.
    limit(Resource::Nofile, 0)?;
    rustix::thread::set_no_new_privs(true)?;
    filter_calls().map_err(|error| Error::Filter(error.to_string()))
}

/// Confines this process, for good, so far that it can become a program that recognises text, and that program do
/// nothing but read files, its pipes, and use some memory and time.
pub fn confine_program() -> Result<(), Error> {
    let _ = std::fs::write("/proc/self/oom_score_adj", OUT_OF_MEMORY_SCORE);
    set_parent_process_death_signal(Some(Signal::KILL))?;
    limit(Resource::As, limits::OCR_MEMORY_OCTETS)?;
    limit(Resource::Cpu, limits::OCR_CPU_TIME.as_secs())?;
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::Nofile, limits::OCR_FILES)?;
    rustix::thread::set_no_new_privs(true)?;
    refuse_calls().map_err(|error| Error::Filter(error.to_string()))
}

/// A call that is refused fails as not permitted; every other one is allowed.
fn refuse_calls() -> Result<(), seccompiler::Error> {
    let all = REFUSED.iter().chain(REFUSED_TOO);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = all.map(|call| (*call, Vec::new())).collect();
    // A thread shares everything with the process; what does not is another process.
    let thread = u64::from(libc::CLONE_THREAD.cast_unsigned());
    rules.insert(libc::SYS_clone, one_of(0, &SeccompCmpOp::MaskedEq(thread), [0])?);
    for (call, flags) in OPENING {
        let flag = |flag: libc::c_int| {
            one_of(
                *flags,
                &SeccompCmpOp::MaskedEq(u64::from(flag.cast_unsigned())),
                [u64::from(flag.cast_unsigned())],
            )
        };
        rules.insert(*call, [flag(libc::O_WRONLY)?, flag(libc::O_RDWR)?].concat());
    }
    let refused = SeccompAction::Errno(rustix::io::Errno::PERM.raw_os_error().unsigned_abs());
    let filter =
        SeccompFilter::new(rules, SeccompAction::Allow, refused, std::env::consts::ARCH.try_into()?)?;
    let program: BpfProgram = filter.try_into()?;
    apply_filter(&program)
}

fn limit(resource: Resource, most: u64) -> Result<(), rustix::io::Errno> {
    setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
}

/// A call that is not allowed fails as not permitted: a library that asks for what it can do without goes on.
fn filter_calls() -> Result<(), seccompiler::Error> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = CALLS.iter().map(|call| (*call, Vec::new())).collect();
    rules.extend(conditional()?);
    let refused = SeccompAction::Errno(rustix::io::Errno::PERM.raw_os_error().unsigned_abs());
    let filter =
        SeccompFilter::new(rules, refused, SeccompAction::Allow, std::env::consts::ARCH.try_into()?)?;
    let program: BpfProgram = filter.try_into()?;
    apply_filter(&program)
}

/// The calls that are allowed with some arguments, by the one argument that decides.
fn conditional() -> Result<[(i64, Vec<SeccompRule>); 5], seccompiler::Error> {
    let executable = u64::from(rustix::mm::ProtFlags::EXEC.bits());
    let never_executable = || one_of(2, &SeccompCmpOp::MaskedEq(executable), [0]);
    // It ends itself by a signal when it has failed; to others it can send none.
    let own = u64::from(std::process::id());
    let values = |words: &'static [libc::c_int]| words.iter().map(|word| u64::from(word.unsigned_abs()));
    let operation = u64::from(libc::FUTEX_CMD_MASK.cast_unsigned());
    Ok([
        (libc::SYS_mmap, never_executable()?),
        (libc::SYS_mprotect, never_executable()?),
        (libc::SYS_tgkill, one_of(0, &SeccompCmpOp::Eq, [own])?),
        (libc::SYS_madvise, one_of(2, &SeccompCmpOp::Eq, values(ADVICE))?),
        (libc::SYS_futex, one_of(1, &SeccompCmpOp::MaskedEq(operation), values(FUTEX_OPERATIONS))?),
    ])
}

/// The argument with that index is one of these, of which the kernel reads 32 bits.
fn one_of(
    index: u8,
    compare: &SeccompCmpOp,
    values: impl IntoIterator<Item = u64>,
) -> Result<Vec<SeccompRule>, seccompiler::Error> {
    let rule = |value| {
        let condition = SeccompCondition::new(index, SeccompCmpArgLen::Dword, compare.clone(), value)?;
        SeccompRule::new(vec![condition])
    };
    Ok(values.into_iter().map(rule).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::process::Command;

    /// Confines a process for good, so it runs in one of its own: the test below starts it.
    #[test]
    #[ignore = "started by confined_for_good"]
    fn inside() {
        super::confine().unwrap();
        let denied = |what: &str, error: Option<std::io::Error>| {
            let kind = error.map(|error| error.kind());
            assert_eq!(kind, Some(std::io::ErrorKind::PermissionDenied), "{what}");
        };
        denied("reading a file", std::fs::read("/etc/passwd").err());
        denied("writing a file", std::fs::write("/tmp/postvakt-confined", "x").err());
        denied("listening", TcpListener::bind("127.0.0.1:0").err());
        denied("a socket", std::os::unix::net::UnixStream::connect("/run/x").err());
        denied("a program", Command::new("/bin/true").spawn().err());
        denied("a thread", std::thread::Builder::new().spawn(|| ()).err());
        let mut large: Vec<u8> = Vec::new();
        assert!(large.try_reserve(1 << 30).is_err(), "more memory than the limit");
        assert!(large.try_reserve(8 << 20).is_ok(), "memory below the limit");
    }

    /// A program that recognises text has that confinement too, and can still read files.
    #[test]
    #[ignore = "started by confined_for_good"]
    fn inside_a_program() {
        super::confine_program().unwrap();
        let denied = |what: &str, error: Option<std::io::Error>| {
            let kind = error.map(|error| error.kind());
            assert_eq!(kind, Some(std::io::ErrorKind::PermissionDenied), "{what}");
        };
        assert!(std::fs::read("/etc/passwd").is_ok(), "it reads its data");
        denied("listening", TcpListener::bind("127.0.0.1:0").err());
        denied("a socket", std::os::unix::net::UnixStream::connect("/run/x").err());
        denied("a program beside it", Command::new("/bin/true").spawn().err());
        denied("a file", std::fs::write("/tmp/postvakt-confined", "x").err());
        denied("a directory", std::fs::create_dir("/tmp/postvakt-confined").err());
        let mut large: Vec<u8> = Vec::new();
        assert!(large.try_reserve(4 << 30).is_err(), "more memory than the limit");
    }

    #[test]
    fn confined_for_good() {
        for name in ["worker::confine::tests::inside", "worker::confine::tests::inside_a_program"] {
            confined(name);
        }
    }

    fn confined(name: &str) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let output = command.args(["--exact", name, "--ignored", "--nocapture"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}{output:?}");
    }
}

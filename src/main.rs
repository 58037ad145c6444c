//! The allocator and the exit code, and nothing else.

use std::process::ExitCode;

/// Every message is allocated by one thread and freed by another, which glibc's allocator serialises.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    postvakt::cli::main()
}

//! The filter's side: some workers, each with one document at a time, and what becomes of those that fail.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::Signal;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::serve;
use super::wire::{self, Head};
use crate::documents::Reading;
use crate::limits;
use crate::metrics::METRICS;
use crate::text::words;

/// The hidden command that makes this program a worker.
pub const COMMAND: &str = "worker";

/// This program, whatever became of its file: an upgrade while it runs does not mix two versions.
pub const OWN_PROGRAM: &str = "/proc/self/exe";

words! {
    /// Why a document has no reading.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
    pub enum Failure {
        /// The machine was too busy for it to come to its end.
        #[error("busy")]
        Busy = "busy",
        /// It needed more memory than a worker has.
        #[error("out of memory")]
        Memory = "memory",
        /// It took more processor time than a document may.
        #[error("out of processor time")]
        Cpu = "cpu",
        /// The worker ended for another reason, or answered nonsense.
        #[error("crashed")]
        Crash = "crash",
        /// No worker could be started.
        #[error("no worker")]
        Unavailable = "unavailable",
    }
}

/// What came of a document.
#[derive(Debug)]
pub struct Read {
    /// What is in it.
    pub reading: Result<Reading, Failure>,
    /// The processor time that it took.
    pub cpu: Duration,
}

/// The workers: started when there is something to read, as many as there are cores.
#[derive(Debug)]
pub struct Workers {
    program: PathBuf,
    patience: Duration,
    room: Semaphore,
    idle: Mutex<Vec<Worker>>,
}

/// One worker, with nothing to read. Dropped, it is killed.
#[derive(Debug)]
struct Worker {
    process: Child,
    input: ChildStdin,
    output: ChildStdout,
    stderr: ChildStderr,
    documents: u32,
    /// The processor time that it has had.
    cpu: Duration,
}

impl Workers {
    /// Workers that run `program`, which must be this program.
    pub fn of(program: impl AsRef<Path>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            program: program.as_ref().to_owned(),
            patience: limits::DOCUMENT_TIME,
            room: Semaphore::new(cores),
            idle: Mutex::new(Vec::new()),
        }
    }

    /// Workers that run the program which this is.
    pub fn own() -> Self {
        Self::of(OWN_PROGRAM)
    }

    /// Workers that are waited for so long, and no longer, while they get no processor time.
    #[must_use]
    pub fn patient_for(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// What is in the document, for which a worker may take so much processor time. Waits for a free worker as long as
    /// the caller does.
    pub async fn read(&self, head: &Head, bytes: &[u8], cpu: Duration) -> Read {
        // Closed is a program that stops.
        let Ok(_room) = self.room.acquire().await else { return Read::failed(Failure::Unavailable) };
        let started = Instant::now();
        let read = match self.take() {
            Ok(worker) => self.read_by(worker, head, bytes, cpu).await,
            Err(failure) => Read::failed(failure),
        };
        METRICS.document_seconds.observe(started.elapsed().as_secs_f64());
        let came = read.reading.as_ref().map_or_else(|failure| failure.as_str(), |_| "read");
        METRICS.documents.with_label_values(&[came]).inc();
        read
    }

    async fn read_by(&self, mut worker: Worker, head: &Head, bytes: &[u8], cpu: Duration) -> Read {
        let before = worker.cpu;
        let read = worker.read_within(head, bytes, cpu, self.patience).await;
        worker.cpu = worker.cpu.max(worker.cpu_time());
        let cpu = worker.cpu.saturating_sub(before);
        let reading = match read {
            Ok(reading) => {
                worker.documents += 1;
                if worker.has_served() {
                    worker.end().await;
                } else {
                    self.idle().push(worker);
                }
                Ok(reading)
            }
            Err(Ended::Broken(error)) => Err(worker.failure_of(&error).await),
            Err(Ended::Late(failure)) => {
                tracing::warn!(octets = bytes.len(), %failure, "cannot read a document; its worker is stopped");
                worker.end().await;
                Err(failure)
            }
        };
        Read { reading, cpu }
    }

    /// This program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Ends every worker that waits; there will be no more.
    pub async fn stop(&self) {
        self.room.close();
        let idle = std::mem::take(&mut *self.idle());
        for worker in idle {
            worker.end().await;
        }
    }

    /// An idle worker that is alive, or a new one.
    fn take(&self) -> Result<Worker, Failure> {
        while let Some(mut worker) = self.idle().pop() {
            if matches!(worker.process.try_wait(), Ok(None)) {
                return Ok(worker);
            }
        }
        METRICS.workers_started.inc();
        Worker::start(self.program.as_os_str()).map_err(|error| {
            tracing::error!(%error, program = %self.program.display(), "cannot start a document worker");
            if is_want(&error) { Failure::Busy } else { Failure::Unavailable }
        })
    }

    /// A panic while the lock was held leaves a list that is still a list.
    fn idle(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Read {
    fn failed(failure: Failure) -> Self {
        Self { reading: Err(failure), cpu: Duration::ZERO }
    }
}

/// Why a worker gave no reading.
enum Ended {
    /// Its pipes broke.
    Broken(io::Error),
    /// It is no longer waited for.
    Late(Failure),
}

impl Worker {
    /// Called from a thread that lives as long as the runtime: the worker ends with the thread that started it.
    fn start(program: &OsStr) -> io::Result<Self> {
        let mut process = Command::new(program)
            .arg0("postvakt")
            .arg(COMMAND)
            .env_clear()
            // The allocator takes its address space before the worker is confined; its limit holds for what comes after.
            .env("MIMALLOC_ARENA_RESERVE", "32MiB")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let pipes = process.stdin.take().zip(process.stdout.take()).zip(process.stderr.take());
        let ((input, output), stderr) = pipes.ok_or_else(|| io::Error::other("a process without pipes"))?;
        for pipe in [input.as_fd(), output.as_fd()] {
            if let Err(error) = rustix::pipe::fcntl_setpipe_size(pipe, limits::PIPE_OCTETS) {
                tracing::debug!(%error, "a pipe to a document worker stays small");
            }
        }
        Ok(Self { process, input, output, stderr, documents: 0, cpu: Duration::ZERO })
    }

    /// Reads a document in so much of its own time and within so much of everybody's.
    async fn read_within(
        &mut self,
        head: &Head,
        bytes: &[u8],
        cpu: Duration,
        patience: Duration,
    ) -> Result<Reading, Ended> {
        let (process, allowed) = (self.process.id(), self.cpu + cpu);
        let started = Instant::now();
        let mut reading = pin!(self.read(head, bytes));
        loop {
            if let Ok(read) = timeout(limits::DOCUMENT_LOOK, reading.as_mut()).await {
                return read.map_err(Ended::Broken);
            }
            if cpu_time(process) > allowed {
                return Err(Ended::Late(Failure::Cpu));
            }
            if started.elapsed() > patience {
                return Err(Ended::Late(Failure::Busy));
            }
        }
    }

    async fn read(&mut self, head: &Head, bytes: &[u8]) -> io::Result<Reading> {
        wire::write_request(&mut self.input, head, bytes).await?;
        wire::read_reading(&mut self.output, head.allowance).await
    }

    fn cpu_time(&self) -> Duration {
        cpu_time(self.process.id())
    }

    /// Whatever documents left behind in it goes with it.
    fn has_served(&self) -> bool {
        self.documents >= limits::WORKER_DOCUMENTS || self.cpu >= limits::WORKER_SERVING_TIME
    }

    /// Kills it and waits until it is gone.
    async fn end(mut self) {
        if let Err(error) = self.process.kill().await {
            tracing::error!(%error, "cannot stop a document worker");
        }
    }

    /// What became of a worker that did not answer. What it complained of is read for that, and never shown: a panic's
    /// message may have a piece of the document in it.
    async fn failure_of(mut self, error: &io::Error) -> Failure {
        let mut stderr = Vec::new();
        // One that is alive and talks nonsense keeps this end open until it is killed.
        let ended = async {
            let read = (&mut self.stderr).take(limits::COMPLAINT_OCTETS).read_to_end(&mut stderr).await;
            read.and(self.process.wait().await)
        };
        let status = timeout(limits::WORKER_END_TIME, ended).await.ok().and_then(Result::ok);
        self.end().await;
        let stderr = String::from_utf8_lossy(&stderr);
        let failure = classify_exit(status, &stderr);
        let status = status.map(|status| status.to_string());
        let place = place_of_panic(&stderr);
        tracing::error!(%failure, %error, status, place, "a document worker ended while reading a document");
        failure
    }
}

/// Whether the machine had too little of something, of which it may have more in a while.
fn is_want(error: &io::Error) -> bool {
    let wanting = [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE];
    Errno::from_io_error(error).is_some_and(|errno| wanting.contains(&errno))
}

/// The processor time that a process has had, as the kernel counts it (proc(5)): in `stat`, behind the name of the
/// program, are its state and then numbers, of which the eleventh and twelfth are ticks as itself and in the kernel.
/// Of one that is gone there is nothing to be told.
fn cpu_time(process: Option<u32>) -> Duration {
    let stat = process.and_then(|id| std::fs::read_to_string(format!("/proc/{id}/stat")).ok());
    let ticks = stat.as_deref().and_then(|stat| {
        let (_, after) = stat.rsplit_once(')')?;
        let mut numbers = after.split_ascii_whitespace().skip(11).map(str::parse::<u64>);
        Some(numbers.next()?.ok()? + numbers.next()?.ok()?)
    });
    let a_second = rustix::param::clock_ticks_per_second().max(1);
    Duration::from_millis(ticks.unwrap_or_default().saturating_mul(1_000) / a_second)
}

fn classify_exit(status: Option<ExitStatus>, stderr: &str) -> Failure {
    let Some(status) = status else { return Failure::Crash };
    if status.code().is_some_and(|code| code == i32::from(serve::NOT_CONFINED)) {
        return Failure::Unavailable;
    }
    if stderr.contains("memory allocation of") {
        return Failure::Memory;
    }
    match status.signal().and_then(Signal::from_named_raw) {
        Some(Signal::XCPU) => Failure::Cpu,
        _ => Failure::Crash,
    }
}

/// `src/documents/….rs:12:5` in the first line of a panic's message; what follows that line may be the document's.
fn place_of_panic(stderr: &str) -> Option<&str> {
    let (_, place) = stderr.lines().find(|line| line.starts_with("thread "))?.split_once("panicked at ")?;
    Some(place.trim_end_matches(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_worker_died_of() {
        let by = |signal: Signal| Some(ExitStatus::from_raw(signal.as_raw()));
        let with = |code: i32| Some(ExitStatus::from_raw(code << 8));
        for (status, stderr, failure) in [
            (by(Signal::ABORT), "memory allocation of 99 bytes failed", Failure::Memory),
            (by(Signal::ABORT), "thread 'main' has overflowed its stack", Failure::Crash),
            (by(Signal::XCPU), "", Failure::Cpu),
            (by(Signal::KILL), "", Failure::Crash),
            (with(101), "thread 'main' panicked at src/x.rs:1:2:\nboo", Failure::Crash),
            (with(71), "postvakt: system calls cannot be filtered", Failure::Unavailable),
            (None, "", Failure::Crash),
        ] {
            assert_eq!(classify_exit(status, stderr), failure, "{status:?} {stderr}");
        }
    }

    #[test]
    fn a_panic_says_where_and_no_more() {
        let said =
            "\nthread 'main' (7) panicked at src/documents/pdf.rs:1:2:\nno boundary in `811228-9874`\n";
        assert_eq!(place_of_panic(said), Some("src/documents/pdf.rs:1:2"));
        assert_eq!(place_of_panic("811228-9874 panicked at home:"), None);
    }

    #[tokio::test]
    async fn a_program_that_is_none_is_unavailable() {
        let workers = Workers::of("/nonexistent/postvakt");
        let read = workers.read(&Head::default(), b"x", limits::DOCUMENT_CPU_TIME).await;
        assert_eq!(read.reading.unwrap_err(), Failure::Unavailable);
    }
}

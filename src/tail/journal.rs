//! systemd's journal, as `journalctl` prints it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;

use super::{Stop, TailError, Taken};
use crate::limits;
use crate::maillog;

/// Lines that wait, so that a burst is bounded.
const WAITING: usize = 1_000;

/// The process; it goes with this.
struct Journalctl(Child);

impl Drop for Journalctl {
    fn drop(&mut self) {
        // An error is a process that has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Follows the journal's entries of the facility `mail`.
pub(super) fn follow(taken: &mut Taken<'_>, stop: &Stop, works: &mut dyn FnMut()) -> Result<(), TailError> {
    let mut command = Command::new("journalctl");
    command.args(["--output=json", "--follow", "--no-tail", "--no-pager", "--quiet"]);
    let wanted = taken.place.cursor.clone();
    if !wanted.is_empty() {
        command.arg(format!("--cursor={wanted}"));
    }
    command.arg("SYSLOG_FACILITY=2").stdin(Stdio::null()).stdout(Stdio::piped());
    let mut journalctl = Journalctl(command.spawn().map_err(TailError::Journal)?);
    let Some(output) = journalctl.0.stdout.take() else { return Err(TailError::JournalEnded) };
    let (send, lines) = sync_channel(WAITING);
    thread::Builder::new()
        .name("journal".into())
        .spawn(move || read(output, &send))
        .map_err(TailError::Journal)?;
    // The first entry is the last one that was read, if the journal still has it.
    let mut first = !wanted.is_empty();
    loop {
        let line = match lines.recv_timeout(limits::MAILLOG_LOOK) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                works();
                // An empty journal says nothing of what was in it.
                if !first {
                    taken.rest()?;
                }
                if stop.within(std::time::Duration::ZERO) {
                    return taken.store();
                }
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => {
                taken.store()?;
                return Err(TailError::JournalEnded);
            }
        };
        let Some(entry) = maillog::entry(&line) else { continue };
        works();
        if std::mem::take(&mut first) {
            if entry.cursor == wanted {
                taken.goes_on();
                continue;
            }
            taken.gap()?;
        }
        taken.deliveries.take(&entry.read())?;
        taken.place.cursor.clone_from(&entry.cursor);
        if taken.deliveries.is_full() {
            taken.store()?;
        }
        if stop.within(std::time::Duration::ZERO) {
            return taken.store();
        }
    }
}

/// Hands lines over until there are no more, or nobody takes them.
fn read(output: ChildStdout, send: &SyncSender<String>) {
    let mut input = BufReader::new(output);
    loop {
        let mut line = Vec::new();
        // An entry has more than its message; one that is longer still is no entry of Postfix's.
        let most = 8 * limits::MAILLOG_LINE_OCTETS as u64;
        match input.by_ref().take(most).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if send.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
            return;
        }
    }
}

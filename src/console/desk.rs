//! Has commands carried out by the process that may read the log, and gives what they answer line by line.
//!
//! Whoever stops reading ends the command: its output has nowhere to go, which the access log tells of.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, PipeReader, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::commands::{Asked, Person};
use super::process;
use crate::limits;
use crate::metrics::CONSOLE;

/// Where commands are carried out.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    socket: PathBuf,
    turns: Arc<Semaphore>,
    /// The turns of each person who has a command carried out.
    own: Arc<Mutex<HashMap<String, Arc<Semaphore>>>>,
    /// Room for output that nobody has taken yet, in units of [`ROOM_UNIT`].
    room: Arc<Semaphore>,
}

/// A piece of output, which takes its room until it is taken.
type Piece = (Vec<u8>, OwnedSemaphorePermit);

/// Octets that take one permit of the room.
const ROOM_UNIT: usize = 1 << 10;

/// A command that is being carried out.
pub(super) struct Running {
    lines: mpsc::Receiver<Piece>,
    end: oneshot::Receiver<End>,
}

/// How a command ended.
#[derive(Clone, Debug, Default)]
pub(super) struct End {
    /// Its exit code; `None` where it was broken off, or never began.
    pub(super) code: Option<u8>,
    /// What it said beside its output.
    pub(super) said: Vec<String>,
}

/// A command with all of its output.
#[derive(Clone, Debug, Default)]
pub(super) struct Done {
    /// The objects of its output.
    pub(super) lines: Vec<Value>,
    /// How it ended.
    pub(super) end: End,
}

impl Done {
    /// The one object of its output; null where there is none.
    pub(super) fn one(self) -> Value {
        self.lines.into_iter().next().unwrap_or(Value::Null)
    }

    /// Whether it gave what was asked for.
    pub(super) fn is_well(&self) -> bool {
        matches!(self.end.code, Some(0 | 1))
    }
}

impl Desk {
    /// Commands are carried out at this socket.
    pub(super) fn new(socket: PathBuf) -> Self {
        let turns = Arc::new(Semaphore::new(limits::CONSOLE_COMMANDS));
        let room = Arc::new(Semaphore::new(limits::CONSOLE_OUTPUT_OCTETS / ROOM_UNIT));
        Self { socket, turns, own: Arc::default(), room }
    }

    /// Begins a command for a person.
    pub(super) async fn begin(&self, person: &Person, args: Vec<String>) -> Running {
        self.ask(Asked { person: person.clone(), args, denied: false }, give).await
    }

    /// Begins a command whose output is a file: its pieces come as they are.
    pub(super) async fn begin_file(&self, person: &Person, args: Vec<String>) -> Running {
        self.ask(Asked { person: person.clone(), args, denied: false }, give_pieces).await
    }

    /// Carries a command out for a person, to its end.
    pub(super) async fn carry_out(&self, person: &Person, args: Vec<String>) -> Done {
        self.begin(person, args).await.whole().await
    }

    /// Has it noted that a person was denied a command.
    pub(super) async fn deny(&self, person: &Person, words: &str) -> Done {
        let args = words.split(' ').map(str::to_owned).collect();
        self.ask(Asked { person: person.clone(), args, denied: true }, give).await.whole().await
    }

    /// Nobody takes all turns: one who has several commands carried out waits for their own.
    fn turns_of(&self, subject: &str) -> Arc<Semaphore> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.retain(|_, turns| Arc::strong_count(turns) > 1);
        let new = || Arc::new(Semaphore::new(limits::CONSOLE_COMMANDS_OF_ONE));
        own.entry(subject.to_owned()).or_insert_with(new).clone()
    }

    async fn ask(&self, asked: Asked, give: Give) -> Running {
        let (send, lines) = mpsc::channel(64);
        let out = Out { pieces: send, room: self.room.clone(), runtime: Handle::current() };
        let (tell, end) = oneshot::channel();
        let socket = self.socket.clone();
        // They are never closed.
        let own = self.turns_of(&asked.person.subject).acquire_owned().await;
        let turn = (own, self.turns.clone().acquire_owned().await);
        tokio::task::spawn_blocking(move || {
            let ended = carry_out(&socket, &asked, &out, give);
            let result = match &ended {
                Err(_) => "unreachable",
                // Nobody takes the rest.
                Ok(_) if out.pieces.is_closed() => "broken-off",
                Ok(End { code: Some(0 | 1), .. }) => "done",
                Ok(End { code: Some(_), .. }) => "refused",
                Ok(End { code: None, .. }) => "broken-off",
            };
            CONSOLE.commands.with_label_values(&[result]).inc();
            let ended = ended.unwrap_or_else(|error| {
                tracing::error!(%error, socket = %socket.display(), "cannot have a command carried out");
                End { code: None, said: vec![format!("postvakt: {}: {error}", socket.display())] }
            });
            // Whoever asked may have left.
            let _ = tell.send(ended);
            drop(turn);
        });
        Running { lines, end }
    }
}

impl Running {
    /// The next line, or piece, of its output.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        self.lines.recv().await.map(|(octets, _)| octets)
    }

    /// How it ended, when its lines were read.
    pub(super) async fn end(self) -> End {
        drop(self.lines);
        self.end.await.unwrap_or_default()
    }

    /// All of its output.
    async fn whole(mut self) -> Done {
        let mut lines = Vec::new();
        let mut octets = 0;
        let mut problem = None;
        while let Some(line) = self.next().await {
            octets += line.len();
            if octets > limits::CONSOLE_ANSWER_OCTETS {
                CONSOLE.exceeded("answer");
                problem = Some("postvakt: the answer is longer than a page can show".to_owned());
                break;
            }
            match serde_json::from_slice(&line) {
                Ok(value) => lines.push(value),
                Err(error) => problem = Some(format!("postvakt: not an answer: {error}")),
            }
        }
        let mut end = self.end().await;
        end.said.extend(problem);
        Done { lines, end }
    }
}

/// Carries it out; runs on a thread of its own.
fn carry_out(socket: &PathBuf, asked: &Asked, to: &Out, give: Give) -> std::io::Result<End> {
    let stream = UnixStream::connect(socket)?;
    let ((out, to_out), (errors, to_errors)) = (std::io::pipe()?, std::io::pipe()?);
    // Names, numbers and texts always have a JSON form.
    let asked = serde_json::to_vec(asked).unwrap_or_default();
    std::thread::scope(|scope| {
        let said = scope.spawn(|| said(errors));
        let code = scope.spawn(move || {
            let code = process::hand_over(stream, &asked, [to_out.as_fd(), to_errors.as_fd()]);
            // What is read below ends when nobody has the other end.
            drop((to_out, to_errors));
            code
        });
        give(out, to);
        let code = code.join().unwrap_or(Ok(None))?;
        Ok(End { code, said: said.join().unwrap_or_default() })
    })
}

/// Where the output of a command goes.
struct Out {
    pieces: mpsc::Sender<Piece>,
    room: Arc<Semaphore>,
    runtime: Handle,
}

impl Out {
    /// Gives a piece on, when there is room for it. Whether somebody wants more.
    fn give(&self, octets: Vec<u8>) -> bool {
        let permits = u32::try_from(octets.len() / ROOM_UNIT + 1).unwrap_or(u32::MAX);
        let room = self.room.clone().acquire_many_owned(permits);
        // It is never closed, and no line is as large as all of it.
        let Ok(room) = self.runtime.block_on(room) else { return false };
        self.pieces.blocking_send((octets, room)).is_ok()
    }
}

/// How the output of a command is given on.
type Give = fn(PipeReader, &Out);

/// Gives what is read as it comes, until nobody wants it.
fn give_pieces(mut out: PipeReader, to: &Out) {
    let mut piece = vec![0; limits::CONSOLE_PIECE_OCTETS];
    while let Ok(octets @ 1..) = out.read(&mut piece) {
        if !to.give(piece.get(..octets).unwrap_or_default().to_vec()) {
            return;
        }
    }
}

/// Gives line by line what is read, until nobody wants it.
fn give(out: PipeReader, to: &Out) {
    let mut out = BufReader::new(out);
    loop {
        let mut line = Vec::new();
        let most = limits::CONSOLE_ROW_OCTETS as u64;
        match out.by_ref().take(most).read_until(b'\n', &mut line) {
            Ok(read) if read > 0 && line.ends_with(b"\n") => {
                if !to.give(line) {
                    return;
                }
            }
            // Its end, or a line that is none.
            Ok(_) | Err(_) => return,
        }
    }
}

/// What it says beside its output.
fn said(errors: PipeReader) -> Vec<String> {
    let mut text = Vec::new();
    let most = limits::CONSOLE_SAID_OCTETS as u64;
    // What could not be read is not said.
    let _ = errors.take(most).read_to_end(&mut text);
    String::from_utf8_lossy(&text)
        .lines()
        .map(|line| line.trim_start_matches("postvakt: ").to_owned())
        .collect()
}

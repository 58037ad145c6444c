//! An SMTP server that takes letters and misbehaves as it is told.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Where in a session the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Connected,
    Hello,
    Mail,
    Recipient,
    Data,
    Dot,
}

/// What it does there.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// What a server should.
    Well,
    /// Says this instead.
    Say(&'static str),
    /// Says nothing for so long, and then what it should.
    Wait(Duration),
    /// Ends the connection.
    Drop,
    /// After the final dot: takes the letter, and ends the connection without a word.
    TakeAndDrop,
}

/// A letter that the server took.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) mail: String,
    pub(crate) recipient: String,
    pub(crate) message: String,
    /// Whether it said so.
    pub(crate) said: bool,
    /// When.
    pub(crate) at: Instant,
}

impl Taken {
    /// The value of a header field.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let (header, _) = self.message.split_once("\r\n\r\n")?;
        let unfolded = header.replace("\r\n ", " ");
        let found = unfolded.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        found.map(str::to_owned)
    }
}

type Manners = dyn Fn(Stage) -> Act + Send + Sync;

/// The server.
pub(crate) struct Sink {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    taken: Mutex<Vec<Taken>>,
    manners: Mutex<Arc<Manners>>,
    closed: AtomicBool,
}

impl Sink {
    /// Starts on a port of its own.
    pub(crate) fn start(manners: impl Fn(Stage) -> Act + Send + Sync + 'static) -> Self {
        Self::start_at(super::free_port(), manners)
    }

    pub(crate) fn start_at(port: u16, manners: impl Fn(Stage) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let shared = Arc::new(Shared {
            taken: Mutex::default(),
            manners: Mutex::new(Arc::new(manners)),
            closed: AtomicBool::new(false),
        });
        let own = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if own.closed.load(Ordering::Relaxed) {
                    return;
                }
                let own = own.clone();
                // A client that goes away ends its session; that is its right.
                thread::spawn(move || own.serve(stream.unwrap()));
            }
        });
        Self { port, shared }
    }

    /// Behaves otherwise from now on.
    pub(crate) fn behave(&self, manners: impl Fn(Stage) -> Act + Send + Sync + 'static) {
        *self.shared.manners.lock().unwrap() = Arc::new(manners);
    }

    /// What it took so far, in order.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.shared.taken.lock().unwrap().clone()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> Option<()> {
        stream.set_nodelay(true).ok()?;
        let mut out = stream.try_clone().ok()?;
        let mut lines = BufReader::new(stream);
        self.act(Stage::Connected, &mut out, "220 sink ESMTP")?;
        let (mut mail, mut recipient) = (String::new(), String::new());
        loop {
            let line = read_line(&mut lines)?;
            let (stage, well) = match line.get(..4)?.to_ascii_uppercase().as_str() {
                "EHLO" => (Stage::Hello, "250-sink\r\n250-PIPELINING\r\n250-DSN\r\n250 SMTPUTF8"),
                "MAIL" => {
                    mail = line;
                    (Stage::Mail, "250 2.1.0 Ok")
                }
                "RCPT" => {
                    recipient = line;
                    (Stage::Recipient, "250 2.1.5 Ok")
                }
                "DATA" => (Stage::Data, "354 go on"),
                "QUIT" => return out.write_all(b"221 2.0.0 Bye\r\n").ok(),
                _ => return out.write_all(b"500 5.5.2 what?\r\n").ok(),
            };
            if self.act(stage, &mut out, well)? && stage == Stage::Data {
                let message = read_message(&mut lines)?;
                self.take(&mail, &recipient, message, &mut out)?;
            }
        }
    }

    /// Whether the stage went well; `None` where the connection ends.
    fn act(&self, stage: Stage, out: &mut TcpStream, well: &str) -> Option<bool> {
        match self.manners(stage) {
            Act::Well => say(out, well).map(|()| true),
            Act::Wait(time) => {
                thread::sleep(time);
                say(out, well).map(|()| true)
            }
            Act::Say(words) => say(out, words).map(|()| false),
            Act::Drop | Act::TakeAndDrop => None,
        }
    }

    fn take(&self, mail: &str, recipient: &str, message: String, out: &mut TcpStream) -> Option<()> {
        let keep = |said| {
            let (mail, recipient) = (mail.to_owned(), recipient.to_owned());
            self.taken.lock().unwrap().push(Taken { mail, recipient, message, said, at: Instant::now() });
        };
        match self.manners(Stage::Dot) {
            Act::Well => {
                keep(true);
                say(out, "250 2.0.0 Ok: queued as SINK")
            }
            // The client no longer listens when this says that it took the letter.
            Act::Wait(time) => {
                keep(false);
                thread::sleep(time);
                say(out, "250 2.0.0 Ok: queued as SINK")
            }
            Act::Say(words) => say(out, words),
            Act::Drop => None,
            Act::TakeAndDrop => {
                keep(false);
                None
            }
        }
    }

    fn manners(&self, stage: Stage) -> Act {
        let manners = self.manners.lock().unwrap().clone();
        manners(stage)
    }
}

fn say(out: &mut TcpStream, words: &str) -> Option<()> {
    out.write_all(format!("{words}\r\n").as_bytes()).ok()
}

fn read_line(lines: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = Vec::new();
    lines.read_until(b'\n', &mut line).ok()?;
    let line = String::from_utf8(line).ok()?;
    line.strip_suffix("\r\n").map(str::to_owned)
}

fn read_message(lines: &mut BufReader<TcpStream>) -> Option<String> {
    let mut message = String::new();
    loop {
        let line = read_line(lines)?;
        if line == "." {
            return Some(message);
        }
        message.push_str(line.strip_prefix('.').unwrap_or(&line));
        message.push_str("\r\n");
    }
}

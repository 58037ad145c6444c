//! One connection of the load: an MTA's side of the protocol, as strict as Postfix about what it gets.

use std::collections::HashMap;
use std::io::{self, IoSlice, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail};

use super::mail::{Message, Payload};
use super::script::{Agreement, OFFER, Script, frame};
use super::socket::{Address, Socket};

/// Slices in one write; a 1 MB message has about 35.
const SLICES_MAX: usize = 64;
/// Octets of a reply frame; Postfix allows as much.
const REPLY_OCTETS_MAX: usize = 65_536;

/// What became of messages.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Accepted by the filter.
    pub(crate) accepted: u64,
    /// Answered with anything else.
    pub(crate) refused: u64,
    /// Accepted and put on hold.
    pub(crate) held: u64,
}

/// What a session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The filter's reply.
    Read,
    /// Room to write.
    Write,
    /// Nothing: it is greeted, and all its messages are done.
    Idle,
}

/// The mails of one size, and what is written for them once a filter has negotiated.
#[derive(Debug)]
pub(crate) struct Scripts {
    inbound: Message,
    outbound: Message,
    made: HashMap<(bool, Vec<u8>), Made>,
}

#[derive(Clone, Debug)]
struct Made {
    actions: u32,
    greeting: Script,
    message: Script,
}

/// One SMTP session as a milter sees it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) socket: Socket,
    outbound: bool,
    stage: Stage,
    /// The actions that the filter may take.
    actions: u32,
    script: Script,
    /// The script of a message, while that of the greeting is in force.
    next: Script,
    /// The window that is being written or answered, and the octets of it that are written.
    window: usize,
    written: usize,
    awaiting: bool,
    /// Messages begun, and how many there may be.
    begun: u64,
    quota: u64,
    inbox: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Negotiation,
    Greeting,
    Message,
}

impl Scripts {
    pub(crate) fn new(size: usize, payload: Payload) -> Self {
        let (inbound, outbound) = (Message::of(size, false, payload), Message::of(size, true, payload));
        Self { inbound, outbound, made: HashMap::new() }
    }

    fn get(&mut self, outbound: bool, answer: &[u8]) -> Result<Made> {
        let key = (outbound, answer.to_vec());
        if let Some(made) = self.made.get(&key) {
            return Ok(made.clone());
        }
        let agreement = Agreement::parse(answer)?;
        let message = if outbound { &self.outbound } else { &self.inbound };
        let made = Made {
            actions: agreement.actions,
            greeting: Script::greeting(&agreement, outbound),
            message: Script::message(&agreement, outbound, message),
        };
        self.made.insert(key, made.clone());
        Ok(made)
    }
}

impl Session {
    /// Connects and offers; `quota` messages go over it.
    pub(crate) fn open(address: &Address, outbound: bool, quota: u64) -> Result<Self> {
        let mut socket = Socket::connect(address).with_context(|| format!("connect to {address}"))?;
        socket.write_all(&frame(b'O', OFFER.map(u32::to_be_bytes).as_flattened()))?;
        Ok(Self {
            socket,
            outbound,
            stage: Stage::Negotiation,
            actions: 0,
            script: Script::default(),
            next: Script::default(),
            window: 0,
            written: 0,
            awaiting: true,
            begun: 0,
            quota,
            inbox: Vec::new(),
        })
    }

    /// Goes as far as the socket allows; `readable` says that there may be replies.
    pub(crate) fn turn(&mut self, readable: bool, scripts: &mut Scripts, tally: &mut Tally) -> Result<Turn> {
        if readable {
            self.read()?;
            self.replies(scripts, tally)?;
        }
        while !self.awaiting {
            let Some(window) = self.script.window(self.window) else {
                if !self.begin() {
                    return Ok(Turn::Idle);
                }
                continue;
            };
            let event = window.event;
            if !self.write()? {
                return Ok(Turn::Write);
            }
            self.written = 0;
            match event {
                0 => self.window += 1,
                _ => self.awaiting = true,
            }
        }
        Ok(Turn::Read)
    }

    /// Begins no further message.
    pub(crate) fn stop(&mut self) {
        self.quota = self.begun;
    }

    /// Says goodbye as Postfix does.
    pub(crate) fn quit(mut self) -> io::Result<()> {
        self.socket.write_all(&[frame(b'A', &[]), frame(b'Q', &[])].concat())
    }

    /// The next message, unique; false when there is none.
    fn begin(&mut self) -> bool {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        if self.stage == Stage::Greeting {
            self.script = std::mem::take(&mut self.next);
            self.stage = Stage::Message;
            self.window = usize::MAX;
        }
        if self.begun == self.quota {
            return false;
        }
        self.begun += 1;
        self.script.renumber(NUMBER.fetch_add(1, Ordering::Relaxed));
        self.window = 0;
        true
    }

    /// Whether the window is written to its end.
    fn write(&mut self) -> Result<bool> {
        let Some(window) = self.script.window(self.window) else { return Ok(true) };
        loop {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut skip = self.written;
            let mut rest = 0;
            let first = self.stage == Stage::Message && self.begun == 1;
            let mut places = slices.iter_mut();
            for slice in self.script.slices(window, first) {
                let left = slice.get(skip..).unwrap_or_default();
                skip = skip.saturating_sub(slice.len());
                if left.is_empty() {
                    continue;
                }
                rest += left.len();
                if let Some(place) = places.next() {
                    *place = IoSlice::new(left);
                }
            }
            if rest == 0 {
                return Ok(true);
            }
            let filled = SLICES_MAX - places.len();
            match self.socket.write_vectored(slices.get(..filled).unwrap_or_default()) {
                Ok(count) if count == rest => return Ok(true),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error).context("write"),
            }
        }
    }

    fn read(&mut self) -> Result<()> {
        let mut buffer = [0; 4_096];
        match self.socket.read(&mut buffer) {
            Ok(0) => bail!("the filter closed the connection"),
            Ok(count) => self.inbox.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("read"),
        }
        Ok(())
    }

    fn replies(&mut self, scripts: &mut Scripts, tally: &mut Tally) -> Result<()> {
        let mut inbox = std::mem::take(&mut self.inbox);
        let mut rest = inbox.as_slice();
        while let Some((length, tail)) = rest.split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            if !(1..=REPLY_OCTETS_MAX).contains(&length) {
                bail!("a reply of {length} octets");
            }
            let Some((reply, tail)) = tail.split_at_checked(length) else { break };
            let (command, payload) = reply.split_first().context("an empty reply")?;
            self.reply(*command, payload, scripts, tally)?;
            rest = tail;
        }
        let done = inbox.len() - rest.len();
        inbox.drain(..done);
        self.inbox = inbox;
        Ok(())
    }

    fn reply(&mut self, command: u8, payload: &[u8], scripts: &mut Scripts, tally: &mut Tally) -> Result<()> {
        if !self.awaiting {
            bail!("'{}' where no reply was due", char::from(command));
        }
        if self.stage != Stage::Negotiation {
            return self.event_reply(command, payload, tally);
        }
        if command != b'O' {
            bail!("'{}' instead of a negotiation", char::from(command));
        }
        let made = scripts.get(self.outbound, payload)?;
        (self.actions, self.script, self.next) = (made.actions, made.greeting, made.message);
        self.stage = Stage::Greeting;
        self.awaiting = false;
        Ok(())
    }

    fn event_reply(&mut self, command: u8, payload: &[u8], tally: &mut Tally) -> Result<()> {
        let event = self.script.window(self.window).map_or(0, |window| window.event);
        let (at_end, in_message) = (event == b'E', self.stage == Stage::Message);
        match command {
            b'p' => return Ok(()),
            b'c' if payload.is_empty() => {
                tally.accepted += u64::from(at_end);
                self.window += 1;
            }
            b's' if matches!(event, b'L' | b'B') => {
                while self.script.window(self.window).is_some_and(|window| window.event == event) {
                    self.window += 1;
                }
            }
            b'a' if in_message => {
                tally.accepted += 1;
                self.window = usize::MAX;
            }
            b'r' | b't' | b'd' | b'y' if in_message => {
                tally.refused += 1;
                self.window = usize::MAX;
            }
            _ if at_end && modification(command).is_some_and(|bit| self.actions & bit != 0) => {
                tally.held += u64::from(command == b'q');
                return Ok(());
            }
            _ => bail!("'{}' in answer to '{}'", char::from(command), char::from(event)),
        }
        self.awaiting = false;
        Ok(())
    }
}

/// The action that a modification needs.
fn modification(command: u8) -> Option<u32> {
    match command {
        b'h' | b'i' => Some(0x01),
        b'b' => Some(0x02),
        b'+' => Some(0x04),
        b'-' => Some(0x08),
        b'm' => Some(0x10),
        b'q' => Some(0x20),
        b'e' => Some(0x40),
        b'2' => Some(0x80),
        _ => None,
    }
}

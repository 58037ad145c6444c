//! The load generator: an MTA's side of the milter protocol over many connections, on one thread.
//!
//! It must cost less than what it measures: the frames of a message are made once, only the Message-ID and the queue
//! id change; whatever may be pipelined goes out in one write; one epoll set serves all connections.

#![allow(dead_code, unused_imports, reason = "each benchmark uses its part")]
#![allow(clippy::cast_precision_loss, reason = "counts of messages are far below 2^52")]

mod mail;
mod process;
mod script;
mod session;
mod socket;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::epoll;

use mail::Message;
pub(crate) use mail::{Payload, parse_size};
pub(crate) use process::{cpu_of, rss_of};
use script::{Agreement, Script};
use session::Turn;
pub(crate) use session::{Scripts, Session, Tally};
pub(crate) use socket::Address;

/// Until the messages that are under way at the end have to be answered.
const DRAIN_TIME: Duration = Duration::from_secs(10);
/// Broken sessions after which a run is given up.
const FAULTS_MAX: u64 = 1_000;
/// Events taken from the kernel at once.
const EVENTS: usize = 256;

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// The server.
    pub(crate) address: Address,
    /// Its process, whose CPU time is read.
    pub(crate) pid: u32,
    /// Connections at once.
    pub(crate) connections: usize,
    /// Messages over one connection, which is then closed and opened again in the other direction.
    pub(crate) session_messages: u64,
    /// Before the time counts.
    pub(crate) warm_up: Duration,
    /// The time that counts.
    pub(crate) time: Duration,
}

/// What a run showed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Messages accepted within the time.
    pub(crate) accepted: u64,
    /// Messages refused or put on hold (none of them gives a reason to), and sessions that broke.
    pub(crate) errors: u64,
    /// The first fault, for the reader.
    pub(crate) fault: Option<String>,
    /// The time.
    pub(crate) time: Duration,
    /// CPU time of the server, and of the load generator.
    pub(crate) server_cpu: Duration,
    pub(crate) load_cpu: Duration,
}

impl Outcome {
    /// Messages a second.
    pub(crate) fn rate(&self) -> f64 {
        self.accepted as f64 / self.time.as_secs_f64().max(f64::EPSILON)
    }

    /// CPU time of the server for one message, in µs.
    pub(crate) fn server_us(&self) -> f64 {
        self.server_cpu.as_secs_f64() * 1e6 / self.accepted.max(1) as f64
    }

    /// CPU time of the load generator for one message, in µs.
    pub(crate) fn load_us(&self) -> f64 {
        self.load_cpu.as_secs_f64() * 1e6 / self.accepted.max(1) as f64
    }
}

/// The state at one moment of a run.
#[derive(Clone, Copy)]
struct Mark {
    at: Instant,
    accepted: u64,
    server_cpu: Duration,
    load_cpu: Duration,
}

struct Run<'a> {
    load: &'a Load,
    scripts: &'a mut Scripts,
    epoll: rustix::fd::OwnedFd,
    sessions: Vec<Option<(Session, Turn)>>,
    directions: Vec<bool>,
    tally: Tally,
    faults: u64,
    fault: Option<String>,
    stopping: bool,
}

/// Loads a server for the time given.
pub(crate) fn run(load: &Load, scripts: &mut Scripts) -> Result<Outcome> {
    let mut run = Run {
        load,
        scripts,
        epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
        sessions: (0..load.connections).map(|_| None).collect(),
        directions: (0..load.connections).map(|slot| slot % 2 == 1).collect(),
        tally: Tally::default(),
        faults: 0,
        fault: None,
        stopping: false,
    };
    for slot in 0..load.connections {
        run.open(slot)?;
    }
    run.until(Instant::now() + load.warm_up)?;
    let from = run.mark()?;
    run.until(from.at + load.time)?;
    let to = run.mark()?;
    run.drain()?;
    Ok(Outcome {
        accepted: to.accepted - from.accepted,
        errors: run.tally.refused + run.tally.held + run.faults,
        fault: run.fault,
        time: to.at - from.at,
        server_cpu: to.server_cpu.saturating_sub(from.server_cpu),
        load_cpu: to.load_cpu.saturating_sub(from.load_cpu),
    })
}

/// The octets of a session with one message, for a filter that takes every event and answers none of them.
pub(crate) fn transaction(size: usize) -> Vec<u8> {
    let agreement = Agreement { actions: 0, protocol: 0x0f_f080, macros: Vec::new() };
    let scripts = [
        Script::greeting(&agreement, false),
        Script::message(&agreement, false, &Message::of(size, false, Payload::Picture)),
    ];
    let windows = scripts.iter().map(|script| script.window(0).map(|window| script.slices(window, false)));
    windows.flatten().flatten().flatten().copied().collect()
}

/// Sessions that have been greeted and are then silent.
pub(crate) fn greeted(address: &Address, count: usize) -> Result<Vec<Session>> {
    let mut scripts = Scripts::new(0, Payload::Picture);
    let mut tally = Tally::default();
    let mut open = |slot: usize| {
        let mut session = Session::open(address, slot % 2 == 1, 0)?;
        while session.turn(true, &mut scripts, &mut tally)? != Turn::Idle {}
        Ok(session)
    };
    (0..count).map(&mut open).collect()
}

/// In ascending order.
pub(crate) fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The one in the middle.
pub(crate) fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

impl Run<'_> {
    fn open(&mut self, slot: usize) -> Result<()> {
        let outbound = self.directions.get_mut(slot).context("no such slot")?;
        let session = Session::open(&self.load.address, *outbound, self.load.session_messages)?;
        *outbound = !*outbound;
        session.socket.set_nonblocking(true)?;
        let data = epoll::EventData::new_u64(slot as u64);
        epoll::add(&self.epoll, &session.socket, data, epoll::EventFlags::IN)?;
        *self.sessions.get_mut(slot).context("no such slot")? = Some((session, Turn::Read));
        Ok(())
    }

    fn mark(&self) -> Result<Mark> {
        let server_cpu = cpu_of(self.load.pid)?;
        let load_cpu = cpu_of(std::process::id())?;
        Ok(Mark { at: Instant::now(), accepted: self.tally.accepted, server_cpu, load_cpu })
    }

    fn until(&mut self, end: Instant) -> Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.sessions.iter().all(Option::is_none) {
                return Ok(());
            }
            let timeout = rustix::event::Timespec::try_from(left)?;
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error).context("epoll"),
            }
            for event in &events {
                self.turn(usize::try_from(event.data.u64())?)?;
            }
        }
    }

    fn turn(&mut self, slot: usize) -> Result<()> {
        let Some((session, waits)) = self.sessions.get_mut(slot).and_then(Option::as_mut) else {
            return Ok(());
        };
        if self.stopping {
            session.stop();
        }
        let before = *waits;
        match session.turn(before == Turn::Read, self.scripts, &mut self.tally) {
            Ok(Turn::Idle) => self.close(slot),
            Ok(after) => {
                *waits = after;
                if before != after {
                    let interest =
                        if after == Turn::Read { epoll::EventFlags::IN } else { epoll::EventFlags::OUT };
                    let data = epoll::EventData::new_u64(slot as u64);
                    epoll::modify(&self.epoll, &session.socket, data, interest)?;
                }
                return Ok(());
            }
            Err(fault) => self.broken(slot, &fault)?,
        }
        if self.stopping { Ok(()) } else { self.open(slot) }
    }

    fn close(&mut self, slot: usize) {
        if let Some((session, _)) = self.sessions.get_mut(slot).and_then(Option::take) {
            // The server may close first; only replies are its duty.
            let _ = session.quit();
        }
    }

    fn broken(&mut self, slot: usize, fault: &anyhow::Error) -> Result<()> {
        self.sessions.get_mut(slot).map(Option::take);
        self.faults += 1;
        self.fault.get_or_insert_with(|| format!("{fault:#}"));
        if self.faults > FAULTS_MAX {
            bail!("{} sessions broke; the first: {fault:#}", self.faults);
        }
        Ok(())
    }

    /// No new messages; those under way are finished, so that no server has to clean up in another's run.
    fn drain(&mut self) -> Result<()> {
        self.stopping = true;
        self.until(Instant::now() + DRAIN_TIME)?;
        let unanswered = self.sessions.iter().flatten().count() as u64;
        if unanswered > 0 {
            self.faults += unanswered;
            self.fault
                .get_or_insert_with(|| format!("{unanswered} messages had no answer after {DRAIN_TIME:?}"));
        }
        Ok(())
    }
}

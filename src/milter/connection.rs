//! One connection: one task, one buffer, the timers, and the last net under a panic.
//!
//! A fault of this program becomes a tempfail and never a closed socket: Postfix would take a closed one for the end
//! of filtering for the whole SMTP session, not only for this mail.

use std::future::{Future, pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use jiff::Timestamp;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use super::Handler;
use super::alarm::Alarm;
use super::frame;
use super::intake::Refusal;
use super::response::OwedAnswer;
use super::session::{Fault, Session, Step};
use crate::answer::Answer;
use crate::mail::{Direction, Incomplete, Mail};
use crate::metrics::METRICS;
use crate::reply::{Basic, ReplyClass, SmtpReply};
use crate::{limits, texts};

/// What a connection is given.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The direction that its listener fixes.
    pub direction: Option<Direction>,
    /// Who is there, for the operator; a Unix socket's peer has no name.
    pub peer: Option<SocketAddr>,
    /// How long it waits for what.
    pub timers: Timers,
    /// The octets that large messages may hold, over all connections.
    pub in_flight: Arc<Semaphore>,
    /// How far the program has come with stopping.
    pub phase: watch::Receiver<Phase>,
}

/// How far the program has come with stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Not at all.
    Running,
    /// Connections are closed between transactions; open transactions come to their end.
    Draining,
    /// Connections are closed, but for those whose mail is being judged.
    Closing,
}

/// How long a connection waits for what.
#[derive(Clone, Copy, Debug)]
pub struct Timers {
    /// [`limits::NEGOTIATION_TIME`]
    pub negotiation: Duration,
    /// [`limits::FRAME_TIME`]
    pub frame: Duration,
    /// [`limits::IDLE_TIME`]
    pub idle: Duration,
    /// [`limits::WRITE_TIME`]
    pub write: Duration,
    /// [`limits::VERDICT_TIME`]
    pub verdict: Duration,
    /// [`limits::PROGRESS_TIME`]
    pub progress: Duration,
    /// [`limits::IN_FLIGHT_TIME`]
    pub in_flight: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            negotiation: limits::NEGOTIATION_TIME,
            frame: limits::FRAME_TIME,
            idle: limits::IDLE_TIME,
            write: limits::WRITE_TIME,
            verdict: limits::VERDICT_TIME,
            progress: limits::PROGRESS_TIME,
            in_flight: limits::IN_FLIGHT_TIME,
        }
    }
}

/// Serves one connection to its end. Whatever ends it, an open transaction is handed over as incomplete.
pub async fn run<S, H>(stream: S, handler: Arc<H>, settings: Settings)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    H: Handler,
{
    let peer = settings.peer.map(tracing::field::display);
    let mut connection = Connection::new(stream, handler, settings);
    let why = match connection.serve().await {
        Ok(why) => why,
        Err(broken) => {
            METRICS.milter_errors.with_label_values(&[broken.kind()]).inc();
            tracing::warn!(peer, "milter connection ended: {broken}");
            Incomplete::Disconnected
        }
    };
    if let Step::Ended(mail, why) = connection.session.end(why) {
        connection.incomplete(*mail, why);
    }
}

/// Why a connection ended before the MTA was done with it.
#[derive(Debug, Error)]
enum Broken {
    #[error("the MTA sent {0}")]
    Fault(#[from] Fault),
    #[error("timeout: the MTA did not negotiate")]
    NegotiationLate,
    #[error("timeout: the MTA did not complete a frame")]
    FrameLate,
    #[error("timeout: the MTA sent nothing")]
    Idle,
    #[error("timeout: the MTA did not read its replies")]
    WriteLate,
    #[error("connection closed within a frame")]
    CutOff,
    #[error("reading failed: {0}")]
    Read(io::Error),
    #[error("writing failed: {0}")]
    Write(io::Error),
}

impl Broken {
    fn kind(&self) -> &'static str {
        match self {
            Self::Fault(fault) => fault.kind(),
            Self::NegotiationLate => "negotiation_late",
            Self::FrameLate => "frame_late",
            Self::Idle => "idle",
            Self::WriteLate => "write_late",
            Self::CutOff => "cut_off",
            Self::Read(_) => "read",
            Self::Write(_) => "write",
        }
    }
}

struct Connection<S, H> {
    stream: S,
    handler: Arc<H>,
    session: Session,
    input: BytesMut,
    out: Vec<u8>,
    /// Whether writing failed.
    write_failed: bool,
    /// Octets that the next read may bring; it grows while the MTA has more than that at once.
    read_octets: usize,
    alarm: Alarm,
    negotiate_by: Instant,
    frame_by: Option<Instant>,
    timers: Timers,
    in_flight: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
    phase: watch::Receiver<Phase>,
    closing: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// What waiting for a verdict came to.
enum Awaited {
    Answer(Answer),
    Panic,
    Late,
}

impl<S, H> Connection<S, H>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    H: Handler,
{
    fn new(stream: S, handler: Arc<H>, settings: Settings) -> Self {
        let negotiate_by = Instant::now() + settings.timers.negotiation;
        Self {
            stream,
            session: Session::new(handler.wants(), settings.direction),
            handler,
            input: BytesMut::with_capacity(limits::READ_OCTETS),
            out: Vec::new(),
            write_failed: false,
            read_octets: limits::READ_OCTETS,
            alarm: Alarm::new(negotiate_by),
            negotiate_by,
            frame_by: None,
            timers: settings.timers,
            in_flight: settings.in_flight,
            held: None,
            closing: Box::pin(reaches(settings.phase.clone(), Phase::Draining)),
            phase: settings.phase,
        }
    }

    /// Serves until the MTA is done, or the program stops; says why a transaction that is still open has ended.
    async fn serve(&mut self) -> Result<Incomplete, Broken> {
        loop {
            let taken = self.take_frames().await;
            // What was answered before a fault is still told.
            self.flush().await?;
            if let Some(why) = taken? {
                return Ok(why);
            }
            if !self.fill().await? {
                return Ok(Incomplete::Disconnected);
            }
        }
    }

    /// Takes all complete frames in the buffer.
    async fn take_frames(&mut self) -> Result<Option<Incomplete>, Broken> {
        let now = Timestamp::now();
        let mut used = 0;
        while let Some((frame, octets)) =
            frame::decode(self.input.get(used..).unwrap_or_default()).map_err(Fault::from)?
        {
            let step = self.session.step(frame, now, &mut self.out)?;
            used += octets;
            match step {
                Step::Next => self.make_room().await?,
                Step::Ended(mail, why) => self.incomplete(*mail, why),
                Step::Judge(mail, owed) => {
                    self.judge(*mail, owed).await?;
                    if *self.phase.borrow() >= Phase::Draining {
                        return Ok(Some(Incomplete::Disconnected));
                    }
                }
                Step::Quit => return Ok(Some(Incomplete::Aborted)),
            }
        }
        if used > 0 {
            self.frame_by = None;
            self.input.advance(used);
        }
        Ok(None)
    }

    /// Reads once. False at the end of the stream.
    async fn fill(&mut self) -> Result<bool, Broken> {
        let lacking = frame::missing(&self.input).max(self.read_octets.saturating_sub(self.input.len()));
        self.input.reserve(lacking);
        let (mut quiet, mut deadline, mut drained) = (None, None, None);
        let read = poll_fn(|cx| {
            if let Poll::Ready(read) = pin!(self.stream.read_buf(&mut self.input)).poll(cx) {
                return Poll::Ready(read.map_err(Broken::Read));
            }
            if self.can_shrink() {
                let by = *quiet.get_or_insert_with(|| Instant::now() + limits::QUIET_TIME);
                if self.alarm.poll(cx, by).is_ready() {
                    self.shrink();
                }
            }
            let by = *deadline.get_or_insert_with(|| self.read_by());
            if self.alarm.poll(cx, by).is_ready() {
                return Poll::Ready(Err(self.late()));
            }
            while self.closing.as_mut().poll(cx).is_ready() {
                if *self.phase.borrow() == Phase::Closing {
                    return Poll::Ready(Ok(0));
                }
                self.closing = Box::pin(reaches(self.phase.clone(), Phase::Closing));
            }
            if *self.phase.borrow() == Phase::Running || self.session.transaction().is_some() {
                return Poll::Pending;
            }
            // A mail that the MTA has begun may be on its way to us.
            let by = *drained.get_or_insert_with(|| Instant::now() + limits::DRAIN_QUIET_TIME);
            self.alarm.poll(cx, by).map(|()| Ok(0))
        })
        .await?;
        if read >= lacking {
            self.read_octets = (self.read_octets * 2).min(limits::READ_OCTETS_MAX);
        }
        if read == 0 && !self.input.is_empty() && *self.phase.borrow() < Phase::Draining {
            return Err(Broken::CutOff);
        }
        Ok(read > 0)
    }

    /// Until when the next octets must be there.
    fn read_by(&mut self) -> Instant {
        if !self.session.is_negotiated() {
            self.negotiate_by
        } else if self.input.is_empty() {
            Instant::now() + self.timers.idle
        } else {
            *self.frame_by.get_or_insert_with(|| Instant::now() + self.timers.frame)
        }
    }

    /// What it is when they are not.
    fn late(&self) -> Broken {
        if !self.session.is_negotiated() {
            Broken::NegotiationLate
        } else if self.input.is_empty() {
            Broken::Idle
        } else {
            Broken::FrameLate
        }
    }

    /// Writes all that is to be said. After a failure nothing more is written: the MTA would read it from its middle.
    async fn flush(&mut self) -> Result<(), Broken> {
        if self.out.is_empty() {
            return Ok(());
        }
        if self.write_failed {
            return Err(Broken::Write(io::ErrorKind::BrokenPipe.into()));
        }
        let (mut written, mut deadline) = (0, None);
        let flushed = poll_fn(|cx| {
            while let Some(rest) = self.out.get(written..).filter(|rest| !rest.is_empty()) {
                match Pin::new(&mut self.stream).poll_write(cx, rest) {
                    Poll::Ready(Ok(0)) => {
                        return Poll::Ready(Err(Broken::Write(io::ErrorKind::WriteZero.into())));
                    }
                    Poll::Ready(Ok(octets)) => written += octets,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(Broken::Write(error))),
                    Poll::Pending => {
                        let by = *deadline.get_or_insert_with(|| Instant::now() + self.timers.write);
                        ready!(self.alarm.poll(cx, by));
                        return Poll::Ready(Err(Broken::WriteLate));
                    }
                }
            }
            Pin::new(&mut self.stream).poll_flush(cx).map_err(Broken::Write)
        })
        .await;
        self.out.clear();
        self.write_failed = flushed.is_err();
        flushed
    }

    /// A connection that waits holds little: most wait at any time. One that is busy keeps its larger buffer.
    fn shrink(&mut self) {
        self.read_octets = limits::READ_OCTETS;
        self.input = BytesMut::with_capacity(limits::READ_OCTETS);
        self.out.shrink_to(limits::READ_OCTETS);
    }

    fn can_shrink(&self) -> bool {
        self.input.is_empty() && self.input.capacity() > limits::READ_OCTETS
    }

    /// A large message needs room among those in flight. While there is none nothing is read, so that the MTA waits;
    /// after a time the mail is deferred, and its own memory is freed for others.
    async fn make_room(&mut self) -> Result<(), Broken> {
        let octets = self.session.transaction().map_or(0, |open| open.octets());
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if octets <= limits::IN_FLIGHT_FROM.max(held) {
            return Ok(());
        }
        let more = u32::try_from(octets.next_power_of_two() - held).unwrap_or(u32::MAX);
        let mut room = Arc::clone(&self.in_flight).try_acquire_many_owned(more).ok();
        if room.is_none() {
            self.flush().await?;
            let mut waiting = Box::pin(Arc::clone(&self.in_flight).acquire_many_owned(more));
            let by = Instant::now() + self.timers.in_flight;
            room = poll_fn(|cx| match waiting.as_mut().poll(cx) {
                Poll::Ready(room) => Poll::Ready(room.ok()),
                Poll::Pending => self.alarm.poll(cx, by).map(|()| None),
            })
            .await;
        }
        match (room, &mut self.held) {
            (Some(room), Some(held)) => held.merge(room),
            (Some(room), None) => self.held = Some(room),
            (None, _) => {
                if let Some(open) = self.session.transaction() {
                    tracing::warn!(
                        queue_id = open.queue_id,
                        octets,
                        "memory limit reached; a large message is deferred"
                    );
                    open.give_up(Refusal::Busy);
                }
                self.held = None;
            }
        }
        Ok(())
    }

    async fn judge(&mut self, mail: Mail, owed: OwedAnswer) -> Result<(), Broken> {
        let queue_id = mail.queue_id.clone();
        let handler = Arc::clone(&self.handler);
        let mut verdict = Box::pin(async move { handler.judge(mail).await });
        let awaited = self.wait_for(verdict.as_mut(), &owed).await;
        drop(verdict);
        self.held = None;
        match awaited {
            Awaited::Answer(answer) => owed.settle(&answer, &mut self.out),
            Awaited::Panic => owed.refuse(&tempfail((3, 0), texts::INTERNAL_ERROR), &mut self.out),
            Awaited::Late => owed.refuse(&tempfail((3, 2), texts::VERDICT_LATE), &mut self.out),
        }
        self.flush().await.inspect_err(|_| {
            METRICS.verdicts_undelivered.inc();
            tracing::warn!(queue_id, "the MTA did not wait for the verdict; it defers the mail");
        })
    }

    /// Waits for the verdict, and asks the MTA for patience meanwhile. Should the MTA be gone the verdict is still
    /// awaited: what is being recorded is recorded.
    async fn wait_for(
        &mut self,
        mut verdict: Pin<&mut impl Future<Output = Answer>>,
        owed: &OwedAnswer,
    ) -> Awaited {
        let mut late_at = None;
        let mut next = None;
        loop {
            let awaited = poll_fn(|cx| {
                match catch_unwind(AssertUnwindSafe(|| verdict.as_mut().poll(cx))) {
                    Ok(Poll::Ready(answer)) => return Poll::Ready(Some(Awaited::Answer(answer))),
                    Err(_) => return Poll::Ready(Some(Awaited::Panic)),
                    Ok(Poll::Pending) => {}
                }
                match next {
                    None => Poll::Ready(None),
                    Some(at) => self.alarm.poll(cx, at).map(|()| None),
                }
            })
            .await;
            if let Some(awaited) = awaited {
                if matches!(awaited, Awaited::Panic) {
                    METRICS.panics.inc();
                }
                return awaited;
            }
            let now = Instant::now();
            let end = *late_at.get_or_insert(now + self.timers.verdict);
            if now >= end {
                METRICS.limits_exceeded.with_label_values(&["verdict_time"]).inc();
                return Awaited::Late;
            }
            if next.is_some() {
                owed.progress(&mut self.out);
            }
            next = Some(end.min(now + self.timers.progress));
            // A failure comes again with the answer, and is told there.
            let _ = self.flush().await;
        }
    }

    fn incomplete(&mut self, mail: Mail, why: Incomplete) {
        self.held = None;
        if catch_unwind(AssertUnwindSafe(|| self.handler.incomplete(mail, why))).is_err() {
            METRICS.panics.inc();
        }
    }
}

/// Ready when the program has come that far with stopping.
async fn reaches(mut phase: watch::Receiver<Phase>, wanted: Phase) {
    if phase.wait_for(|phase| *phase >= wanted).await.is_err() {
        // The sender is gone, so no stop can be announced any more.
        pending::<()>().await;
    }
}

fn tempfail(detail: (u8, u8), text: &str) -> SmtpReply {
    SmtpReply::new(ReplyClass::Transient, Basic::Processing, detail, text)
}

//! Time: silence, slowness, late verdicts and the end of the program, on a clock that jumps.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use postvakt::answer::Answer;
use postvakt::limits;
use postvakt::mail::{Incomplete, Mail};
use postvakt::milter::connection::{self, Phase};
use postvakt::milter::{Handler, Wants};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::beyond::Sent;
use super::player::{Recorder, settings};

fn start<H: Handler>(handler: &Arc<H>, room: usize) -> (DuplexStream, JoinHandle<()>, watch::Sender<Phase>) {
    let (phase, settings) = settings();
    let (mta, filter) = tokio::io::duplex(room);
    (mta, tokio::spawn(connection::run(filter, Arc::clone(handler), settings)), phase)
}

/// Frames until there have been `count` of them, or the end.
async fn frames(mta: &mut DuplexStream, count: usize) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while all.len() < count {
        let Ok(length) = mta.read_u32().await else { break };
        let mut frame = vec![0; length as usize];
        mta.read_exact(&mut frame).await.unwrap();
        all.push(frame);
    }
    all
}

#[tokio::test(start_paused = true)]
async fn silence_before_negotiation() {
    let (begin, handler) = (Instant::now(), Arc::new(Recorder::default()));
    let (mut mta, run, _phase) = start(&handler, 1 << 16);
    mta.write_all(b"\0\0\0").await.unwrap();
    run.await.unwrap();
    assert_eq!(begin.elapsed().as_secs(), limits::NEGOTIATION_TIME.as_secs());
}

#[tokio::test(start_paused = true)]
async fn silence_between_frames() {
    let (begin, handler) = (Instant::now(), Arc::new(Recorder::default()));
    let (mut mta, run, _phase) = start(&handler, 1 << 16);
    mta.write_all(&Sent::begun().envelope().0).await.unwrap();
    run.await.unwrap();
    assert_eq!(begin.elapsed().as_secs(), limits::IDLE_TIME.as_secs());
    assert_eq!(handler.events(), ["disconnected from=a@x.test to=<b@y.test>"]);
}

#[tokio::test(start_paused = true)]
async fn octets_that_trickle_in() {
    let handler = Arc::new(Recorder::default());
    let (mut mta, run, _phase) = start(&handler, 1 << 16);
    mta.write_all(&Sent::begun().0).await.unwrap();
    sleep(Duration::from_hours(1)).await;
    let begin = Instant::now();
    for octet in Sent::default().and(b"M<a@x.test>\0").0 {
        if mta.write_all(&[octet]).await.is_err() {
            break;
        }
        sleep(Duration::from_secs(10)).await;
    }
    run.await.unwrap();
    assert!(begin.elapsed() <= limits::FRAME_TIME + Duration::from_secs(10));
    assert!(handler.events().is_empty());
}

#[tokio::test(start_paused = true)]
async fn replies_that_nobody_reads() {
    let (begin, handler) = (Instant::now(), Arc::new(Recorder::default()));
    let (mut mta, run, _phase) = start(&handler, 8);
    // The filter may hang up while this is written.
    let _ = mta.write_all(&Sent::begun().envelope().0).await;
    run.await.unwrap();
    assert_eq!(begin.elapsed().as_secs(), limits::WRITE_TIME.as_secs());
}

/// Takes its time.
struct Slow {
    time: Duration,
    done: AtomicUsize,
}

impl Slow {
    fn new(seconds: u64) -> Arc<Self> {
        Arc::new(Self { time: Duration::from_secs(seconds), done: AtomicUsize::new(0) })
    }
}

impl Handler for Slow {
    fn wants(&self) -> Wants {
        Wants { message: true }
    }
    async fn judge(&self, _: Mail) -> Answer {
        sleep(self.time).await;
        self.done.fetch_add(1, Ordering::SeqCst);
        Answer::pass()
    }
    fn incomplete(&self, _: Mail, _: Incomplete) {}
}

#[tokio::test(start_paused = true)]
async fn verdict_that_takes_a_while() {
    let (mut mta, run, _phase) = start(&Slow::new(12), 1 << 16);
    for message in [Sent::begun().envelope().and(b"E"), Sent::default().envelope().and(b"E")] {
        mta.write_all(&message.0).await.unwrap();
    }
    let replies = frames(&mut mta, 7).await;
    assert_eq!(replies[1..], [&b"p"[..], b"p", b"c", b"p", b"p", b"c"]);
    drop(mta);
    run.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn verdict_that_never_comes() {
    let (begin, handler) = (Instant::now(), Slow::new(100_000));
    let (mut mta, run, _phase) = start(&handler, 1 << 16);
    mta.write_all(&Sent::begun().envelope().and(b"E").and(b"A").and(b"E").0).await.unwrap();
    let replies = frames(&mut mta, 50).await;
    assert!(replies[1..48].iter().all(|reply| reply == b"p"), "{replies:?}");
    assert!(replies[48].starts_with(b"y451 4.3.2 "));
    assert_eq!(begin.elapsed().as_secs(), limits::VERDICT_TIME.as_secs());
    assert!(replies[49].starts_with(b"y451 4.5.1 "), "the next command is served");
    drop(mta);
    run.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn verdict_that_nobody_waits_for() {
    let handler = Slow::new(12);
    let (mut mta, run, _phase) = start(&handler, 1 << 16);
    mta.write_all(&Sent::begun().envelope().and(b"E").0).await.unwrap();
    frames(&mut mta, 1).await;
    drop(mta);
    run.await.unwrap();
    assert_eq!(handler.done.load(Ordering::SeqCst), 1, "what is being recorded is recorded");
}

#[tokio::test(start_paused = true)]
async fn connection_broken_within_a_message() {
    let handler = Arc::new(Recorder::default());
    let (mut mta, run, _phase) = start(&handler, 1 << 16);
    mta.write_all(&Sent::begun().envelope().and(b"N").and(b"Bx").0).await.unwrap();
    drop(mta);
    run.await.unwrap();
    assert_eq!(handler.events(), ["disconnected from=a@x.test to=<b@y.test> header=\\r\\n body=x"]);
}

#[tokio::test(start_paused = true)]
async fn stopping_between_messages() {
    let handler = Arc::new(Recorder::default());
    let (mut idle, idle_run, idle_phase) = start(&handler, 1 << 16);
    let (mut busy, busy_run, busy_phase) = start(&handler, 1 << 16);
    idle.write_all(&Sent::begun().0).await.unwrap();
    busy.write_all(&Sent::begun_with_replies_to_rcpt().envelope().0).await.unwrap();
    frames(&mut idle, 1).await;
    frames(&mut busy, 2).await;
    assert!(!idle_run.is_finished() && !busy_run.is_finished());
    idle_phase.send_replace(Phase::Draining);
    busy_phase.send_replace(Phase::Draining);
    idle_run.await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert!(!busy_run.is_finished());
    // The open transaction was begun before, so it comes to its end.
    busy.write_all(&Sent::default().and(b"R<c@y.test>\0").and(b"E").0).await.unwrap();
    assert_eq!(frames(&mut busy, 3).await, [b"c", b"c"]);
    busy_run.await.unwrap();
    assert_eq!(handler.events(), ["judge from=a@x.test to=<b@y.test>,<c@y.test>"]);
}

#[tokio::test(start_paused = true)]
async fn stopping_at_last() {
    let handler = Arc::new(Recorder::default());
    let (mut mta, run, phase) = start(&handler, 1 << 16);
    mta.write_all(&Sent::begun_with_replies_to_rcpt().envelope().0).await.unwrap();
    frames(&mut mta, 2).await;
    for phase_reached in [Phase::Draining, Phase::Closing] {
        assert!(!run.is_finished());
        phase.send_replace(phase_reached);
        sleep(Duration::from_secs(1)).await;
    }
    run.await.unwrap();
    assert_eq!(handler.events(), ["disconnected from=a@x.test to=<b@y.test>"]);
}

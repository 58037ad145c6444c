//! Turns: who may use a core next for what takes long, so that nobody holds up everybody: as many at a time as there
//! are cores, and first whoever has had least of them lately.
//!
//! What somebody has had is counted for mail from inside and from outside, for each client, each sender and each mail,
//! and compared in that order: mail of our own people waits for at most one document of a flood from outside, a client
//! with one mail for one document of a client with a thousand. What was had counts half after
//! [`limits::SHARE_HALF_LIFE`].

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::limits;
use crate::mail::Mail;
use crate::metrics::METRICS;

/// What a turn is taken to cost until it is over.
const EXPECTED: Duration = Duration::from_millis(50);

/// Whose work it is: inside or outside, which client, which sender, which mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share([u64; 4]);

/// The cores, and who waits for one.
#[derive(Clone, Debug)]
pub struct Turns(Arc<Mutex<Queue>>);

#[derive(Debug)]
struct Queue {
    free: usize,
    waiting: Vec<Waiting>,
    used: HashMap<u64, Used>,
    hasher: RandomState,
    mails: u64,
}

#[derive(Debug)]
struct Waiting {
    share: Share,
    grant: oneshot::Sender<Turn>,
}

/// How much somebody has had, as it was at a time.
#[derive(Clone, Copy, Debug)]
struct Used {
    seconds: f64,
    at: Instant,
}

impl Used {
    fn by(&self, now: Instant) -> f64 {
        let age = now.saturating_duration_since(self.at).as_secs_f64();
        self.seconds * 0.5_f64.powf(age / limits::SHARE_HALF_LIFE.as_secs_f64())
    }
}

/// The use of a core, which ends when this is dropped.
#[derive(Debug)]
pub struct Turn {
    turns: Turns,
    share: Share,
    since: Instant,
    cost: Option<Duration>,
}

impl Turns {
    /// As many as there are cores.
    pub fn of_cores() -> Self {
        Self::of(std::thread::available_parallelism().map_or(1, usize::from))
    }

    fn of(cores: usize) -> Self {
        Self(Arc::new(Mutex::new(Queue {
            free: cores,
            waiting: Vec::new(),
            used: HashMap::new(),
            hasher: RandomState::new(),
            mails: 0,
        })))
    }

    /// Whose work on this mail is. A client inside is a server for many, so senders there are told apart first.
    pub fn share(&self, mail: &Mail, from_inside: bool) -> Share {
        let mut queue = self.lock();
        queue.mails += 1;
        let sender = mail.envelope.sender.address();
        let client = (mail.client.address.map(network), &mail.client.name);
        let hash = &queue.hasher;
        let own = hash.hash_one((1, from_inside));
        let client = if from_inside { hash.hash_one((2, sender)) } else { hash.hash_one((2, client)) };
        Share([own, client, hash.hash_one((3, client, sender)), hash.hash_one((4, queue.mails))])
    }

    /// Waits for a core.
    pub async fn turn(&self, share: Share) -> Turn {
        let granted = {
            let mut queue = self.lock();
            if queue.free > 0 {
                queue.free -= 1;
                queue.add(share, EXPECTED, Instant::now());
                return self.granted(share);
            }
            let (grant, granted) = oneshot::channel();
            queue.waiting.push(Waiting { share, grant });
            queue.count();
            granted
        };
        // Nobody drops a grant but by giving it.
        granted.await.unwrap_or_else(|_| self.granted(share))
    }

    fn granted(&self, share: Share) -> Turn {
        Turn { turns: self.clone(), share, since: Instant::now(), cost: None }
    }

    /// A panic while the lock was held leaves a queue that is still a queue.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// What it cost in truth, where that is not the time that it took.
    pub fn cost(&mut self, cpu: Duration) {
        self.cost = Some(cpu);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let cost = self.cost.unwrap_or_else(|| self.since.elapsed());
        let now = Instant::now();
        // A grant that nobody takes any more is dropped here, and passes the core on by itself: without the lock.
        let mut next = None;
        {
            let mut queue = self.turns.lock();
            queue.add(self.share, cost, now);
            queue.take(self.share, EXPECTED, now);
            match queue.next(now) {
                Some(waiting) => {
                    queue.add(waiting.share, EXPECTED, now);
                    next = Some(waiting);
                }
                None => queue.free += 1,
            }
        }
        if let Some(Waiting { share, grant }) = next {
            // An error gives the turn back, whose end is the next one's beginning.
            drop(grant.send(self.turns.granted(share)));
        }
    }
}

impl Queue {
    fn add(&mut self, Share(levels): Share, cost: Duration, now: Instant) {
        if self.used.len() + levels.len() > limits::SHARES {
            // Whoever had little counts as one who had nothing.
            self.used.retain(|_, used| used.by(now) > 0.1);
            if self.used.len() + levels.len() > limits::SHARES {
                METRICS.limits_exceeded.with_label_values(&["shares"]).inc();
                self.used.clear();
            }
        }
        for level in levels {
            let used = self.used.entry(level).or_insert(Used { seconds: 0.0, at: now });
            *used = Used { seconds: used.by(now) + cost.as_secs_f64(), at: now };
        }
    }

    fn take(&mut self, Share(levels): Share, cost: Duration, now: Instant) {
        for level in levels {
            if let Some(used) = self.used.get_mut(&level) {
                *used = Used { seconds: (used.by(now) - cost.as_secs_f64()).max(0.0), at: now };
            }
        }
    }

    /// Takes the one who waits and has had least; of several, who came first.
    fn next(&mut self, now: Instant) -> Option<Waiting> {
        self.waiting.retain(|waiting| !waiting.grant.is_closed());
        let had =
            |Share(levels): Share| levels.map(|level| self.used.get(&level).map_or(0.0, |used| used.by(now)));
        let less = |one: &[f64; 4], other: &[f64; 4]| {
            let levels = one.iter().zip(other).map(|(one, other)| one.total_cmp(other));
            levels.fold(Ordering::Equal, Ordering::then)
        };
        let all = self.waiting.iter().enumerate().map(|(at, waiting)| (at, had(waiting.share)));
        let (at, _) = all.min_by(|(_, one), (_, other)| less(one, other))?;
        let next = self.waiting.remove(at);
        self.count();
        Some(next)
    }

    fn count(&self) {
        METRICS.turns_waiting.set(i64::try_from(self.waiting.len()).unwrap_or(i64::MAX));
    }
}

/// How much processor time the calling thread has had.
pub fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Where a client may well choose its address itself, it is the network that counts.
fn network(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits() >> 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(levels: [u64; 4]) -> Share {
        Share(levels.map(|level| level + 1))
    }

    /// Takes the only core, lets all of these wait for it, and says in which order they get it.
    async fn order(turns: &Turns, all: &[Share]) -> Vec<usize> {
        let held = turns.turn(share([90, 90, 90, 90])).await;
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        for (at, share) in all.iter().enumerate() {
            let (turns, share, tell) = (turns.clone(), *share, tell.clone());
            let waits = turns.lock().waiting.len();
            let watched = turns.clone();
            tokio::spawn(async move {
                let mut turn = turns.turn(share).await;
                tell.send(at).unwrap();
                turn.cost(Duration::from_secs(1));
            });
            while watched.lock().waiting.len() == waits {
                tokio::task::yield_now().await;
            }
        }
        drop((held, tell));
        let mut order = Vec::new();
        while let Some(at) = told.recv().await {
            order.push(at);
        }
        order
    }

    #[tokio::test]
    async fn the_flood_of_one_holds_up_nobody_else() {
        let turns = Turns::of(1);
        let flood = |mail| share([0, 10, 20, mail]);
        let (other, inside) = (share([0, 11, 21, 50]), share([1, 12, 22, 51]));
        let all = [flood(30), flood(30), flood(31), flood(32), other, inside];
        // The first is the first who came; then those who had nothing; of the flood each mail in its turn.
        assert_eq!(order(&turns, &all).await, [0, 5, 4, 2, 3, 1]);
    }

    #[tokio::test]
    async fn who_no_longer_waits_passes_the_core_on() {
        let turns = Turns::of(1);
        let held = turns.turn(share([0; 4])).await;
        let mut gone = Box::pin(turns.turn(share([1; 4])));
        assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(gone.as_mut().poll(cx).is_pending())).await);
        let waits = tokio::spawn({
            let turns = turns.clone();
            async move { drop(turns.turn(share([2; 4])).await) }
        });
        while turns.lock().waiting.len() < 2 {
            tokio::task::yield_now().await;
        }
        drop(held);
        // Granted, and given up before it was taken.
        drop(gone);
        waits.await.unwrap();
        assert_eq!(turns.lock().free, 1);
    }
}

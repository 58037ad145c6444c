//! The courier: delivers receipts and notices from the outbox to the MTA, until each is sent, refused, too old or cancelled.
//!
//! Contract: what came of a try is on the disk before anything else is done with the letter, and that the server took it
//! is marked the moment its reply is read. So no letter is sent twice but for one reason: the connection, the process or
//! the power ended between the server's acceptance and that. Then it goes again with the same Message-ID. A server that
//! cannot be reached costs the letters nothing: all wait together.

pub mod requests;
mod smtp;

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::config::Smtp;
use crate::limits;
use crate::metrics::METRICS;
use crate::record::{OutboxKey, OutboxKind, OutboxRow};
use crate::store::outbox::{Change, Event, Lease};
use crate::store::{CommitError, Store};
use requests::Request;
use smtp::{Envelope, Failure, Session};

/// How letters are handed over, as the config active says; `None` where it says nothing.
pub type SmtpSettingsSource = Arc<dyn Fn() -> Option<Smtp> + Send + Sync>;

/// Says whether this gateway, and no other one, sends the receipt with that key; or why that cannot be said.
pub type Claim =
    Arc<dyn Fn(OutboxKey) -> Pin<Box<dyn Future<Output = Result<bool, String>> + Send>> + Send + Sync>;

/// What letters are handed over by.
#[derive(Clone)]
pub struct Means {
    /// How, as the config active says.
    pub way: SmtpSettingsSource,
    /// Who sends a receipt, where there are several gateways.
    pub claim: Option<Claim>,
}

/// What all sessions share.
struct Courier {
    store: Store,
    directory: PathBuf,
    means: Means,
    /// Whether the last claim could not be answered.
    unclaimed: AtomicBool,
    pause: Mutex<Pause>,
}

/// While the server cannot be reached.
#[derive(Debug, Default)]
struct Pause {
    until: Option<Instant>,
    failures: u32,
}

/// Starts [`run`] on a thread of its own: a reply of the server's waits behind no mail that is being judged, so that
/// its mark is made at once. The channel tells when it has ended.
pub fn start(
    store: Store,
    directory: PathBuf,
    means: Means,
    stop: watch::Receiver<bool>,
) -> io::Result<oneshot::Receiver<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (done, ended) = oneshot::channel();
    std::thread::Builder::new().name("courier".into()).spawn(move || {
        runtime.block_on(run(store, directory, means, stop));
        // Who waited may have had enough.
        let _ = done.send(());
    })?;
    Ok(ended)
}

/// Works until `stop` says so; then what is under way is brought to its end.
pub async fn run(store: Store, directory: PathBuf, means: Means, mut stop: watch::Receiver<bool>) {
    let (unclaimed, pause) = (AtomicBool::new(false), Mutex::default());
    let courier = Arc::new(Courier { store, directory, means, unclaimed, pause });
    let mut tasks = JoinSet::new();
    courier.settle().await;
    for number in 0..limits::COURIER_SESSIONS {
        tasks.spawn(courier.clone().carry(number, stop.clone()));
    }
    tasks.spawn(courier.listen(stop.clone()));
    // An error is a daemon that is gone: nobody will tell us any more.
    let _ = stop.wait_for(|stopping| *stopping).await;
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            METRICS.panics.inc();
            tracing::error!(%error, "the courier has stopped; receipts and notices wait for a restart");
        }
    }
}

/// Hands one message over now, to one mailbox; where it does not arrive, `sender` is told. The server's reply, or why it did not
/// take it. Blocks.
pub fn hand_over(
    smtp: &Smtp,
    sender: Option<&str>,
    recipient: &str,
    message: &[u8],
) -> Result<String, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let sent = runtime.block_on(async {
        let mut session = Session::open(smtp.submit, smtp.timeout).await?;
        let reply = session.send(Envelope { sender, recipient }, message).await?;
        session.quit().await;
        Ok(reply)
    });
    sent.map_err(|failure| match failure {
        Failure::Unreachable(why) | Failure::Later(why) | Failure::Refused(why) => why,
        Failure::Unknown(why) => format!("{why}; it may have been taken"),
    })
}

impl Courier {
    /// Writes down what the server had taken when the process before this one ended; it must not go again. In a log that was
    /// restored from a backup, that may be every letter that waits.
    async fn settle(&self) {
        let store = self.store.clone();
        let taken = match tokio::task::spawn_blocking(move || store.taken()).await {
            Ok(Ok(taken)) => taken,
            Ok(Err(error)) => return unmarked(&error),
            Err(error) => return unmarked(&error),
        };
        for lease in taken {
            let reply = "accepted by the server; the program ended before this was recorded".to_owned();
            let event = Event { key: lease.key, at: self.store.now(), change: Change::Sent, reply };
            if self.written(event).await {
                METRICS.letters.with_label_values(&[lease.kind.as_str(), "sent"]).inc();
                tracing::info!(
                    kind = lease.kind.as_str(),
                    "a receipt or notice was accepted just before the program ended"
                );
            }
        }
        for lease in self.store.doubtful() {
            let reply = "restored from a backup, and perhaps sent since then: not sent again".to_owned();
            let event = Event { key: lease.key, at: self.store.now(), change: Change::Failed, reply };
            if self.written(event).await {
                METRICS.letters.with_label_values(&[lease.kind.as_str(), "failed"]).inc();
                tracing::warn!(
                    kind = lease.kind.as_str(),
                    "a receipt or notice waited when the backup was made, and may have been sent since; `postvakt receipts \
                     list --state failed` shows it, and `retry` sends it"
                );
            }
        }
    }

    /// Sends one letter after the other over one session, as long as what comes of them can be stored.
    async fn carry(self: Arc<Self>, number: usize, mut stop: watch::Receiver<bool>) {
        let mut session = None;
        while !*stop.borrow() && self.store.is_open() {
            let due = self.ready().and_then(|smtp| Some((self.store.outbox().take(self.store.now())?, smtp)));
            if let Some((lease, smtp)) = due {
                self.deliver(number, lease, &smtp, &mut session).await;
                continue;
            }
            if let Some(session) = session.take() {
                Session::quit(session).await;
            }
            tokio::select! {
                _ = stop.wait_for(|stopping| *stopping) => {}
                () = self.store.outbox().changed() => {}
                () = sleep_until(self.next_look()) => {}
            }
        }
        if let Some(session) = session.take() {
            Session::quit(session).await;
        }
    }

    /// The way, if there is one and the server is not being left alone.
    fn ready(&self) -> Option<Smtp> {
        let pausing = self.pause().until.is_some_and(|until| Instant::now() < until);
        if pausing { None } else { (self.means.way)() }
    }

    /// When something may be due: a wake-up that is missed costs a second.
    fn next_look(&self) -> Instant {
        let now = Instant::now();
        let look = now + limits::COURIER_LOOK;
        if let Some(until) = self.pause().until.filter(|until| *until > now) {
            return until.min(look);
        }
        let wait = self.store.outbox().next_due().map(|due| due.duration_since(self.store.now()));
        let wait = wait.map(|wait| Duration::try_from(wait).unwrap_or_default().max(limits::COURIER_BREATH));
        wait.map_or(look, |wait| (now + wait).min(look))
    }

    async fn deliver(&self, number: usize, lease: Lease, smtp: &Smtp, session: &mut Option<Session>) {
        let row = match self.read(lease).await {
            Ok(row) => row,
            Err(error) => {
                tracing::error!(error, "cannot read a receipt or notice from the log; will retry");
                self.store.outbox().release(&lease.key);
                return self.leave_alone();
            }
        };
        if self.store.now() > lease.until {
            let reply = "too old: delivery was not possible in time".to_owned();
            return self.note(lease, &row, Change::Failed, reply).await;
        }
        if !self.is_ours(lease, &row).await {
            return;
        }
        let result = self.hand_over(&row, smtp, session).await;
        // First of all, and without a wait in between.
        if result.is_ok()
            && let Err(error) = self.store.mark_sent(number, &lease)
        {
            unmarked(&error);
        }
        METRICS
            .letter_tries
            .with_label_values(&[result.as_ref().map_or_else(Failure::as_str, |_| "sent")])
            .inc();
        match result {
            Ok(reply) => {
                *self.pause() = Pause::default();
                self.note(lease, &row, Change::Sent, reply).await;
            }
            Err(Failure::Unreachable(what)) => {
                if self.pause().failures == 0 {
                    tracing::warn!(what, "cannot deliver receipts and notices; they wait");
                }
                self.store.outbox().release(&lease.key);
                self.leave_alone();
            }
            Err(Failure::Later(reply) | Failure::Unknown(reply)) => {
                let pause = pause_after(lease.attempts, lease.key, smtp.retry);
                let again = self.store.now().saturating_add(pause).unwrap_or(lease.until);
                self.note(lease, &row, Change::Again(again), reply).await;
            }
            Err(Failure::Refused(reply)) => self.note(lease, &row, Change::Failed, reply).await,
        }
    }

    /// Whether this gateway sends it. Where another one does, it is cancelled; where nobody can say, all letters wait.
    async fn is_ours(&self, lease: Lease, row: &OutboxRow) -> bool {
        let Some(claim) = self.means.claim.as_ref().filter(|_| lease.kind == OutboxKind::Receipt) else {
            return true;
        };
        match claim(lease.key).await {
            Ok(is_ours) => {
                self.unclaimed.store(false, Ordering::Relaxed);
                if !is_ours {
                    self.leave_to_another(lease, row).await;
                }
                is_ours
            }
            Err(error) => {
                if !self.unclaimed.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        error,
                        "the centre cannot say which gateway sends a receipt; receipts and notices wait"
                    );
                }
                self.store.outbox().release(&lease.key);
                self.leave_alone();
                false
            }
        }
    }

    async fn leave_to_another(&self, lease: Lease, row: &OutboxRow) {
        tracing::debug!(reference = row.reference, "another gateway sends this receipt");
        let reply = "other-gateway: another gateway had the same message, and sends the receipt".to_owned();
        let event = Event { key: lease.key, at: self.store.now(), change: Change::Cancel, reply };
        if self.written(event).await {
            METRICS.letters.with_label_values(&[lease.kind.as_str(), "other-gateway"]).inc();
            self.store.outbox().release(&lease.key);
        }
    }

    /// Sends over the open session, or over a new one. A server may end a session between two letters; that says
    /// nothing about the second.
    async fn hand_over(
        &self,
        row: &OutboxRow,
        smtp: &Smtp,
        session: &mut Option<Session>,
    ) -> Result<String, Failure> {
        let envelope = Envelope { sender: None, recipient: &row.recipient };
        if let Some(mut open) = session.take() {
            match open.send(envelope, row.message.as_bytes()).await {
                Err(Failure::Unreachable(_)) => {}
                result => {
                    *session = Some(open).filter(|_| result.is_ok());
                    return result;
                }
            }
        }
        let mut open = Session::open(smtp.submit, smtp.timeout).await?;
        let reply = open.send(envelope, row.message.as_bytes()).await?;
        *session = Some(open);
        Ok(reply)
    }

    async fn read(&self, lease: Lease) -> Result<OutboxRow, String> {
        let store = self.store.clone();
        match tokio::task::spawn_blocking(move || store.leased(&lease)).await {
            Ok(Ok(stored)) => Ok(stored.row),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Writes down what came of a try, however long that takes, and ends the lease.
    async fn note(&self, lease: Lease, row: &OutboxRow, change: Change, reply: String) {
        let (kind, reference) = (lease.kind.as_str(), &row.reference);
        match change {
            Change::Failed => {
                tracing::error!(reference, kind, reply, "a receipt or notice has failed for good");
            }
            Change::Again(_) => {
                tracing::warn!(reference, kind, reply, "a receipt or notice was not delivered; will retry");
            }
            Change::Sent | Change::Cancel | Change::Retry => {
                tracing::debug!(reference, kind, "a receipt or notice was sent");
            }
        }
        let event = Event { key: lease.key, at: self.store.now(), change, reply };
        if self.written(event).await {
            let outcome = match change {
                Change::Sent => "sent",
                Change::Failed => "failed",
                Change::Again(_) | Change::Cancel | Change::Retry => "again",
            };
            METRICS.letters.with_label_values(&[kind, outcome]).inc();
            self.store.outbox().release(&lease.key);
        }
    }

    /// Whether the event is on the disk; not if the store is closed.
    async fn written(&self, event: Event) -> bool {
        loop {
            match self.store.note(event.clone()).await {
                Ok(()) => return true,
                Err(CommitError::Closed | CommitError::WriterDied) => return false,
                Err(CommitError::Failed(_) | CommitError::Late) => sleep(limits::COURIER_LOOK).await,
            }
        }
    }

    /// Carries out what people ask.
    async fn listen(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        loop {
            let courier = self.clone();
            let waiting = tokio::task::spawn_blocking(move || requests::waiting(&courier.directory)).await;
            match waiting {
                Ok(Ok(wishes)) => {
                    for (path, key, request) in wishes {
                        self.apply(path, key, request).await;
                    }
                }
                Ok(Err(error)) => tracing::debug!(%error, "cannot read the requests for the outbox"),
                Err(error) => tracing::error!(%error, "cannot read the requests for the outbox"),
            }
            tokio::select! {
                _ = stop.wait_for(|stopping| *stopping) => return,
                () = sleep(limits::COURIER_LOOK) => {}
            }
        }
    }

    async fn apply(&self, path: PathBuf, key: [u8; 16], request: Request) {
        let change = match request {
            Request::Retry => Change::Retry,
            Request::Cancel => Change::Cancel,
        };
        let reply = format!("{} by command", request.as_str());
        if self.written(Event { key, at: self.store.now(), change, reply }).await
            && let Err(error) =
                tokio::task::spawn_blocking(move || std::fs::remove_file(path)).await.unwrap_or(Ok(()))
        {
            tracing::warn!(%error, "cannot remove a request for the outbox after it was carried out");
        }
    }

    /// Nobody goes to the server for a while, longer each time.
    fn leave_alone(&self) {
        let mut pause = self.pause();
        if pause.until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        let length = limits::COURIER_REST * 2_u32.saturating_pow(pause.failures.min(5));
        pause.until = Some(Instant::now() + length);
        pause.failures = pause.failures.saturating_add(1);
    }

    fn pause(&self) -> MutexGuard<'_, Pause> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The log's disk is full or fails; the letters that are being sent just now might go twice.
fn unmarked(error: &dyn std::fmt::Display) {
    METRICS.letters_unmarked.inc();
    tracing::error!(%error, "cannot write the sent-marker file: notices may be sent twice if the process is killed now");
}

/// The pause after a try that failed: twice as long each time, up to an hour, and a quarter more or less, so that
/// letters that failed together do not come back together. The quarter is the letter's own.
fn pause_after(attempts: u32, key: [u8; 16], first: Duration) -> SignedDuration {
    let doubled = first.saturating_mul(2_u32.saturating_pow(attempts.min(16))).min(limits::COURIER_PAUSE);
    let byte = key.get(attempts as usize % 16).copied().unwrap_or_default();
    let share = 0.75 + f64::from(byte) / 510.0;
    SignedDuration::try_from(doubled.mul_f64(share)).unwrap_or(SignedDuration::from_hours(1))
}

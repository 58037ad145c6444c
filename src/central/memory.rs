//! The memory of seen messages over all nodes: learns the keys of what others have seen, and asks what a message was.
//!
//! Contract: mail waits for the centre only where another node knows the message, or may know it because the keys are late, and
//! then for [`limits::RECALL_TIME`] at most. Most mail that leaves costs no question.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::calls::within;
use super::connect::{self, Connected};
use super::{CentralError, unescaped};
use crate::config::Central;
use crate::config::central::Login;
use crate::facts::Cause;
use crate::facts::identity::Key;
use crate::gather::elsewhere::{Elsewhere, Recalled};
use crate::limits;
use crate::metrics::METRICS;
use crate::pipeline::Pipeline;
use crate::record::SeenRow;

/// What the thread and whoever asks have in common.
#[derive(Default)]
struct Shared {
    /// The connection, while there is one.
    connected: Mutex<Option<Arc<Connected>>>,
    /// When all keys were here.
    even: Mutex<Option<Instant>>,
}

/// Whom a node asks.
struct Centre {
    shared: Arc<Shared>,
}

impl Elsewhere for Centre {
    fn is_even(&self) -> bool {
        let even = *self.shared.even.lock().unwrap_or_else(PoisonError::into_inner);
        even.is_some_and(|even| even.elapsed() < limits::MEMORY_LATE)
    }

    fn recall(&self, key: &Key) -> Pin<Box<dyn Future<Output = Recalled> + Send + '_>> {
        let key = *key;
        Box::pin(async move {
            let connected = self.shared.connected.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let connected = connected.ok_or(Cause::Unreachable)?;
            let oldest = oldest().as_millisecond();
            let sql = "SELECT at, seen, sender, recipients, escaped FROM postvakt.recall($1, $2)";
            let parameters: [&(dyn ToSql + Sync); 2] = [&&key[..], &oldest];
            let rows = timeout(limits::RECALL_TIME, connected.client.query(sql, &parameters)).await;
            let rows = rows.map_err(|_| Cause::Deadline)?.map_err(|_| Cause::Unreachable)?;
            rows.iter().map(|row| seen(row).ok_or(Cause::Protocol)).collect()
        })
    }
}

/// What is remembered of a message, in a row.
fn seen(row: &Row) -> Option<SeenRow<'static>> {
    let at = Timestamp::from_millisecond(row.try_get(0).ok()?).ok()?;
    let octets: &[u8] = row.try_get(1).ok()?;
    let (mut sender, mut recipients): (String, String) = (row.try_get(2).ok()?, row.try_get(3).ok()?);
    if row.try_get(4).ok()? {
        (sender, recipients) = (unescaped(&sender), unescaped(&recipients));
    }
    SeenRow::read(at, octets, &sender, || serde_json::from_str(&recipients).ok())
}

/// Nothing older is asked for.
fn oldest() -> Timestamp {
    let days = SignedDuration::from_hours(24 * i64::from(limits::SEEN_DAYS));
    Timestamp::now().saturating_sub(days).unwrap_or(Timestamp::MIN)
}

/// The running thread.
#[derive(Debug)]
pub struct SharedMemory {
    stop: watch::Sender<bool>,
    ended: oneshot::Receiver<()>,
}

impl SharedMemory {
    /// Shares the memory of this node, where it writes to a centre.
    pub fn start(pipeline: &Arc<Pipeline>, central: Option<&Central>) -> io::Result<Option<Self>> {
        let Some((central, login)) = central.and_then(|central| Some((central, central.writer.as_ref()?)))
        else {
            return Ok(None);
        };
        let shared = Arc::new(Shared::default());
        pipeline.sources.memory.share(Box::new(Centre { shared: Arc::clone(&shared) }));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopping) = watch::channel(false);
        let (done, ended) = oneshot::channel();
        let mut work = Work {
            pipeline: Arc::clone(pipeline),
            shared,
            central: central.clone(),
            login: login.clone(),
            places: BTreeMap::new(),
            contacts: i64::MIN,
            strangers: Vec::new(),
            is_failing: false,
        };
        std::thread::Builder::new().name("central-memory".into()).spawn(move || {
            runtime.block_on(work.run(stopping));
            // Who waited may have had enough.
            let _ = done.send(());
        })?;
        Ok(Some(Self { stop, ended }))
    }

    /// Ends it.
    pub async fn stop(self) {
        // An error means that it has ended.
        let _ = self.stop.send(true);
        let _ = self.ended.await;
    }
}

struct Work {
    pipeline: Arc<Pipeline>,
    shared: Arc<Shared>,
    central: Central,
    login: Login,
    /// The last record of each node whose keys are here.
    places: BTreeMap<String, (i32, i64)>,
    /// The time of the newest contact that is here.
    contacts: i64,
    /// Nodes that remember by another key.
    strangers: Vec<String>,
    is_failing: bool,
}

impl Work {
    async fn run(&mut self, mut stop: watch::Receiver<bool>) {
        let mut pause = limits::CENTRAL_PAUSE;
        loop {
            let ended = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                ended = self.connection() => ended,
            };
            *self.shared.connected.lock().unwrap_or_else(PoisonError::into_inner) = None;
            let Err(error) = ended;
            METRICS.central_failures.with_label_values(&[error.name()]).inc();
            if self.is_failing {
                pause = (2 * pause).min(limits::CENTRAL_LONGEST_PAUSE);
            } else {
                tracing::warn!(%error, "the memory of other nodes cannot be asked; mail that they have seen may not be recognised");
                (self.is_failing, pause) = (true, limits::CENTRAL_PAUSE);
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Follows over one connection until it ends.
    async fn connection(&mut self) -> Result<std::convert::Infallible, CentralError> {
        let connected = Arc::new(connect::as_login(&self.central, &self.login).await?);
        let mut shared: Option<Instant> = None;
        loop {
            if shared.is_none_or(|shared| shared.elapsed() > limits::MEMORY_KEY_LOOK) {
                self.share(&connected).await?;
                self.follow_contacts(&connected).await?;
                shared = Some(Instant::now());
            }
            while self.follow(&connected).await? {}
            *self.shared.even.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            *self.shared.connected.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Arc::clone(&connected));
            if std::mem::take(&mut self.is_failing) {
                tracing::info!("the memory of other nodes is here again");
            }
            tokio::time::sleep(limits::MEMORY_LOOK).await;
        }
    }

    /// Says by which key this node remembers.
    async fn share(&mut self, connected: &Connected) -> Result<(), CentralError> {
        let key = self.pipeline.store.seen_key();
        let hash = Sha256::new().chain_update(b"postvakt memory\0").chain_update(key).finalize();
        let oldest = oldest().as_millisecond();
        let sql = "SELECT postvakt.share_memory($1, $2)";
        let row = within(limits::CENTRAL_CALL_TIME, connected.client.query_one(sql, &[&&hash[..], &oldest]))
            .await?;
        let strangers: Vec<String> = row.try_get(0)?;
        if strangers != self.strangers && !strangers.is_empty() {
            tracing::warn!(
                nodes = strangers.join(" "),
                "these nodes have another seen.key: messages that came by one of them are not recognised here, nor theirs there; \
                 copy the file seen.key of one node to all"
            );
        }
        self.strangers = strangers;
        Ok(())
    }

    /// Learns the next keys. Whether there may be more.
    async fn follow(&mut self, connected: &Connected) -> Result<bool, CentralError> {
        let names: Vec<&str> = self.places.keys().map(String::as_str).collect();
        let (epochs, seqs): (Vec<i32>, Vec<i64>) = self.places.values().copied().unzip();
        let oldest = oldest().as_millisecond();
        let sql = "SELECT node, epoch, seq, hash, at FROM postvakt.follow_memory($1, $2, $3, $4)";
        let given: [&(dyn ToSql + Sync); 4] = [&names, &epochs, &seqs, &oldest];
        let rows = within(limits::CENTRAL_CALL_TIME, connected.client.query(sql, &given)).await?;
        for row in &rows {
            let (node, place): (String, _) = (row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?));
            let at = Timestamp::from_millisecond(row.try_get(4)?).unwrap_or(Timestamp::MIN);
            if let Ok(hash) = row.try_get::<_, &[u8]>(3)?.try_into() {
                self.pipeline.sources.memory.learn(&hash, at);
                METRICS.central_keys.inc();
            }
            self.places.insert(node, place);
        }
        Ok(!rows.is_empty())
    }

    /// Learns who is known by mail that came to other nodes. Those of the last minutes are asked for again: what is sent at the
    /// same time comes in any order.
    async fn follow_contacts(&mut self, connected: &Connected) -> Result<(), CentralError> {
        let overlap = i64::try_from(Duration::from_mins(10).as_millis()).unwrap_or(i64::MAX);
        loop {
            let since = self.contacts.saturating_sub(overlap);
            let sql = "SELECT key, at FROM postvakt.follow_contacts($1)";
            let rows = within(limits::CENTRAL_CALL_TIME, connected.client.query(sql, &[&since])).await?;
            let before = self.contacts;
            for row in &rows {
                let at: i64 = row.try_get(1)?;
                self.contacts = self.contacts.max(at);
                if let (Ok(key), Ok(at)) =
                    (row.try_get::<_, &[u8]>(0)?.try_into(), Timestamp::from_millisecond(at))
                {
                    self.pipeline.sources.contacts.remember(&key, at);
                }
            }
            if self.contacts == before {
                return Ok(());
            }
        }
    }
}

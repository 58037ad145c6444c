//! The memory of the other gateways: asked about a message that one of them had, on a connection that is kept open for that.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::time::{sleep, timeout};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use super::CentralError;
use super::calls::within;
use super::connect::{self, Connected};
use crate::config::Central;
use crate::config::central::Login;
use crate::facts::Cause;
use crate::facts::identity::Key;
use crate::gather::seen::Others;
use crate::limits;
use crate::record::SeenRow;

/// What other gateways remember. Clones are the same.
#[derive(Clone)]
pub struct SharedMemory(Arc<Asking>);

struct Asking {
    central: Central,
    login: Login,
    session: Mutex<Option<Arc<(Connected, Statement)>>>,
}

impl SharedMemory {
    /// That of the centre that this node writes to; `None` where there is none.
    pub fn of(central: Option<&Central>) -> Option<Self> {
        let central = central?.clone();
        let login = central.writer.clone()?;
        Some(Self(Arc::new(Asking { central, login, session: Mutex::default() })))
    }

    /// Keeps a connection open, so that no mail waits for one. What fails is told of by the shipper, which has the same trouble.
    pub async fn keep(self) {
        let mut pause = limits::CENTRAL_PAUSE;
        loop {
            if self.session().is_none() {
                match self.open().await {
                    Ok(opened) => {
                        *self.slot() = Some(Arc::new(opened));
                        pause = limits::CENTRAL_PAUSE;
                    }
                    Err(error) => {
                        tracing::debug!(%error, "the memory of other gateways cannot be asked");
                        pause = (pause * 2).min(limits::CENTRAL_MEMORY_PAUSE);
                    }
                }
            }
            sleep(pause).await;
        }
    }

    async fn open(&self) -> Result<(Connected, Statement), CentralError> {
        let connected = connect::as_login(&self.0.central, &self.0.login).await?;
        let recall =
            connected.client.prepare("SELECT at, seen, sender, recipients FROM postvakt.recall($1, $2)");
        let recall = within(limits::CENTRAL_CALL_TIME, recall).await?;
        Ok((connected, recall))
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Arc<(Connected, Statement)>>> {
        self.0.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection, if it is in order.
    fn session(&self) -> Option<Arc<(Connected, Statement)>> {
        let mut slot = self.slot();
        if slot.as_ref().is_some_and(|session| session.0.client.is_closed()) {
            *slot = None;
        }
        slot.clone()
    }

    async fn ask(&self, key: Key) -> Result<Vec<SeenRow<'static>>, Cause> {
        let session = self.session().ok_or(Cause::Unreachable)?;
        let (connected, recall) = &*session;
        let span = SignedDuration::from_hours(24 * i64::from(limits::SEEN_DAYS));
        let since = Timestamp::now().saturating_sub(span).unwrap_or(Timestamp::MIN).as_millisecond();
        let key = &key[..];
        let given: [&(dyn ToSql + Sync); 2] = [&key, &since];
        match timeout(limits::CENTRAL_RECALL_TIME, connected.client.query(recall, &given)).await {
            Ok(Ok(rows)) => Ok(rows.iter().filter_map(seen).collect()),
            Ok(Err(error)) => {
                tracing::warn!(error = %CentralError::from(error), "the memory of other gateways does not answer");
                Err(Cause::Unreachable)
            }
            Err(_) => Err(Cause::Deadline),
        }
    }
}

impl Others for SharedMemory {
    fn find(
        &self,
        key: Key,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<SeenRow<'static>>, Cause>> + Send + '_>> {
        Box::pin(self.ask(key))
    }
}

/// The row of a message as another node remembers it.
fn seen(row: &Row) -> Option<SeenRow<'static>> {
    let at = Timestamp::from_millisecond(row.try_get(0).ok()?).ok()?;
    let (octets, sender): (&[u8], &[u8]) = (row.try_get(1).ok()?, row.try_get(2).ok()?);
    let recipients = || serde_json::from_slice(row.try_get::<_, &[u8]>(3).ok()?).ok();
    // What was before it has a number of that node, which says nothing here.
    SeenRow::read(at, octets, str::from_utf8(sender).ok()?, recipients).map(|seen| seen.after(None))
}

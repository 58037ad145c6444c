//! Claims: one gateway alone sends a receipt. The centre says which: the first one that asked.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio_postgres::Statement;
use tokio_postgres::types::ToSql;

use super::CentralError;
use super::calls::within;
use super::connect::{self, Connected};
use crate::config::Central;
use crate::config::central::Login;
use crate::limits;
use crate::metrics::METRICS;
use crate::record::OutboxKey;

/// What asks the centre.
#[derive(Clone)]
pub struct Claims(Arc<Asking>);

struct Asking {
    central: Central,
    login: Login,
    /// The connection, which is kept for the next receipt.
    session: Mutex<Option<(Connected, Statement)>>,
}

impl std::fmt::Debug for Claims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claims").field("central", &self.0.central).finish_non_exhaustive()
    }
}

impl Claims {
    /// Asks the centre that this node writes to; `None` where there is none.
    pub fn of(central: Option<&Central>) -> Option<Self> {
        let central = central?.clone();
        let login = central.writer.clone()?;
        Some(Self(Arc::new(Asking { central, login, session: Mutex::default() })))
    }

    /// Whether this node may send the receipt with that key. It has asked before, or no other one has.
    pub async fn claim(&self, key: OutboxKey) -> Result<bool, CentralError> {
        let mut session = self.0.session.lock().await;
        let asked = self.ask(&mut session, key).await;
        if let Err(error) = &asked {
            *session = None;
            METRICS.central_failures.with_label_values(&[error.name()]).inc();
        }
        asked
    }

    async fn ask(
        &self,
        session: &mut Option<(Connected, Statement)>,
        key: OutboxKey,
    ) -> Result<bool, CentralError> {
        // One that broke while nobody asked is opened again.
        let kept = session.take().filter(|(connected, _)| !connected.client.is_closed());
        let (connected, claim) = if let Some(kept) = kept {
            kept
        } else {
            let connected = connect::as_login(&self.0.central, &self.0.login).await?;
            let claim = connected.client.prepare("SELECT postvakt.claim($1)");
            let claim = within(limits::CENTRAL_CALL_TIME, claim).await?;
            (connected, claim)
        };
        let key = &key[..];
        let is_own = {
            let given: [&(dyn ToSql + Sync); 1] = [&key];
            let asked = connected.client.query_one(&claim, &given);
            within(limits::CENTRAL_CALL_TIME, asked).await?.try_get(0)?
        };
        *session = Some((connected, claim));
        Ok(is_own)
    }
}

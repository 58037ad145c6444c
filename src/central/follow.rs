//! Following other nodes: by which keys they know messages. Only keyed hashes come here; what is remembered of a message is
//! asked for when a mail with its key leaves.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use super::CentralError;
use super::calls::within;
use crate::facts::identity::Key;
use crate::limits;

/// Is told of a key and when its message came.
pub type Remember = Arc<dyn Fn(&Key, Timestamp) + Send + Sync>;

/// How far each node was followed: the epoch and the number of the last record.
pub(super) struct Follower {
    remember: Remember,
    places: BTreeMap<i16, (i32, i64)>,
}

impl Follower {
    pub(super) fn new(remember: Remember) -> Self {
        Self { remember, places: BTreeMap::new() }
    }

    /// Takes what is new.
    pub(super) async fn follow(&mut self, client: &Client) -> Result<(), CentralError> {
        let span = SignedDuration::from_hours(24 * i64::from(limits::SEEN_DAYS));
        let since = Timestamp::now().saturating_sub(span).unwrap_or(Timestamp::MIN).as_millisecond();
        loop {
            let nodes: Vec<i16> = self.places.keys().copied().collect();
            let (epochs, numbers): (Vec<i32>, Vec<i64>) = self.places.values().copied().unzip();
            let given: [&(dyn ToSql + Sync); 4] = [&nodes, &epochs, &numbers, &since];
            let asked =
                client.query("SELECT node, epoch, seq, key, at FROM postvakt.follow($1, $2, $3, $4)", &given);
            let rows = within(limits::CENTRAL_CALL_TIME, asked).await?;
            for row in &rows {
                let place = (row.try_get(1)?, row.try_get(2)?);
                let (key, at): (&[u8], i64) = (row.try_get(3)?, row.try_get(4)?);
                if let (Ok(key), Ok(at)) = (key.try_into(), Timestamp::from_millisecond(at)) {
                    (self.remember)(key, at);
                }
                let known = self.places.entry(row.try_get(0)?).or_insert(place);
                *known = place.max(*known);
            }
            if rows.len() < limits::CENTRAL_FOLLOWED {
                return Ok(());
            }
        }
    }
}

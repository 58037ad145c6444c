//! Receipts that wait on this node are known at the centre, so that another gateway sends them when this one is gone; and the
//! other way round.
//!
//! Contract: a receipt that somebody has claimed is taken over by nobody, since it may have been sent.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use super::CentralError;
use super::calls::within;
use crate::limits;
use crate::metrics::METRICS;
use crate::record::{OutboxKey, OutboxKind, OutboxRow};
use crate::store::{CommitError, Store};

/// What is known of the receipts at the centre, on one connection.
#[derive(Default)]
pub(super) struct Letters {
    /// Those of this node that are there; absent before the centre was asked.
    there: Option<BTreeSet<OutboxKey>>,
    looked: Option<Instant>,
    asked: Option<Instant>,
}

impl Letters {
    /// Tells the centre what waits, and takes what another node left; where the time for it has come.
    pub(super) async fn exchange(&mut self, client: &Client, store: &Store) -> Result<(), CentralError> {
        let is_due = |last: Option<Instant>, every| last.is_none_or(|last| last.elapsed() >= every);
        if is_due(self.looked, limits::CENTRAL_LETTERS_LOOK) {
            self.looked = Some(Instant::now());
            self.tell(client, store).await?;
        }
        if is_due(self.asked, limits::CENTRAL_LETTERS_ASK) {
            self.asked = Some(Instant::now());
            take_over(client, store).await?;
        }
        Ok(())
    }

    /// Makes the centre have the receipts that have waited for a while, and no others.
    async fn tell(&mut self, client: &Client, store: &Store) -> Result<(), CentralError> {
        let there = match self.there.take() {
            Some(there) => there,
            None => own(client).await?,
        };
        let age = SignedDuration::try_from(limits::CENTRAL_LETTER_AGE).unwrap_or_default();
        let waits = |at: Timestamp| store.now().duration_since(at) >= age;
        let pending = store.pending();
        let waiting = pending.iter().filter(|lease| lease.kind == OutboxKind::Receipt && waits(lease.at));
        let mut keys = BTreeSet::new();
        for lease in waiting {
            keys.insert(lease.key);
            if there.contains(&lease.key) {
                continue;
            }
            match store.leased(lease) {
                Ok(stored) => add(client, &stored.row).await?,
                // The courier cannot read it either, and says so.
                Err(error) => tracing::debug!(%error, "a receipt is not told to the centre"),
            }
        }
        let gone: Vec<OutboxKey> = there.difference(&keys).copied().collect();
        if !gone.is_empty() {
            forget(client, &gone).await?;
        }
        self.there = Some(keys);
        Ok(())
    }
}

/// The keys of the receipts of this node that are there.
async fn own(client: &Client) -> Result<BTreeSet<OutboxKey>, CentralError> {
    let rows = within(limits::CENTRAL_CALL_TIME, client.query("SELECT postvakt.letters()", &[])).await?;
    rows.iter().map(|row| key(row, 0)).collect()
}

async fn add(client: &Client, row: &OutboxRow) -> Result<(), CentralError> {
    if row.message.contains('\0') {
        return Ok(());
    }
    let (key, at, until) = (&row.key[..], row.at.as_millisecond(), row.until.as_millisecond());
    let given: [&(dyn ToSql + Sync); 7] =
        [&key, &at, &until, &row.mailbox, &row.recipient, &row.reference, &row.message];
    let added = client.query("SELECT postvakt.add_letter($1, $2, $3, $4, $5, $6, $7)", &given);
    within(limits::CENTRAL_CALL_TIME, added).await.map(drop)
}

async fn forget(client: &Client, keys: &[OutboxKey]) -> Result<(), CentralError> {
    let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
    let given: [&(dyn ToSql + Sync); 1] = [&keys];
    let dropped = client.query("SELECT postvakt.drop_letters($1)", &given);
    within(limits::CENTRAL_CALL_TIME, dropped).await.map(drop)
}

/// Stores the receipts that another node left, so that they are sent from here.
async fn take_over(client: &Client, store: &Store) -> Result<(), CentralError> {
    let asked = client.query(
        "SELECT key, at, until, mailbox, recipient, reference, message FROM postvakt.take_letters()",
        &[],
    );
    let mut stored = Vec::new();
    for row in within(limits::CENTRAL_CALL_TIME, asked).await? {
        let time = |ms| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX);
        let letter = OutboxRow {
            key: key(&row, 0)?,
            kind: OutboxKind::Receipt,
            at: time(row.try_get(1)?),
            due: store.now(),
            until: time(row.try_get(2)?),
            mailbox: row.try_get(3)?,
            recipient: row.try_get(4)?,
            reference: row.try_get(5)?,
            held: false,
            message: row.try_get(6)?,
        };
        let (key, reference) = (letter.key, letter.reference.clone());
        match store.send(letter).await {
            Ok(()) => {
                tracing::warn!(reference, "sends a receipt in the place of another gateway, which is gone");
                METRICS.central_shipped.with_label_values(&["taken-letter"]).inc();
                stored.push(key);
            }
            // It is given again.
            Err(
                CommitError::Failed(_) | CommitError::Late | CommitError::Closed | CommitError::WriterDied,
            ) => {}
        }
    }
    if stored.is_empty() { Ok(()) } else { forget(client, &stored).await }
}

fn key(row: &Row, at: usize) -> Result<OutboxKey, CentralError> {
    let octets: &[u8] = row.try_get(at)?;
    octets.try_into().map_err(|_| CentralError::Lost("a key has another length".to_owned()))
}

//! Replicating: on a host that may read the centre, each node's log is written here again, month file by month file.
//!
//! Contract: a batch is read in one snapshot of the database, so that a row that retention takes meanwhile is in it once. What
//! is wrong with one node's rows stops that node's replica alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use tokio::time::{sleep, timeout};
use tokio_postgres::{Client, IsolationLevel, Row as SqlRow};

use super::connect;
use super::{CentralError, unescaped};
use crate::config::Central;
use crate::config::central::Login;
use crate::limits;
use crate::note::Note;
use crate::record::columns::LeafForm;
use crate::store::month::Month;
use crate::store::replica::{Content, Replica, Row, Run, State};

/// A node, as the centre knows it.
struct Node {
    id: i16,
    name: String,
    key: Option<String>,
    contact: Option<Timestamp>,
}

/// Replicates until the process is ended, or `once`. Whether all nodes' logs are here as they are at the centre.
pub async fn run(
    central: &Central,
    reader: &Login,
    (directory, own): (&Path, &str),
    once: bool,
) -> anyhow::Result<bool> {
    let mut replicas = Replicas::new(directory, own);
    let mut pause = limits::CENTRAL_PAUSE;
    let mut told = BTreeMap::new();
    loop {
        let ended = connection(central, reader, &mut replicas, &mut told, once).await;
        match ended {
            Ok(is_well) => return Ok(is_well),
            Err(error) if once => return Err(error),
            Err(error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "the centre cannot be read; what comes is copied later"
                );
                sleep(pause).await;
                pause = (2 * pause).min(limits::CENTRAL_LONGEST_PAUSE);
            }
        }
    }
}

/// Replicates over one connection.
async fn connection(
    central: &Central,
    reader: &Login,
    replicas: &mut Replicas,
    told: &mut BTreeMap<String, String>,
    once: bool,
) -> anyhow::Result<bool> {
    let mut connected = connect::as_login(central, reader).await?;
    tracing::info!(server = connected.server, "copying the logs of other nodes");
    loop {
        let taken = timeout(limits::REPLICA_TIME, replicas.take(&mut connected.client)).await;
        let (rows, wrong) = taken.map_err(|_| CentralError::Late)??;
        let mut now = BTreeMap::new();
        for (node, error) in wrong {
            let error = format!("{error:#}");
            if told.get(&node) != Some(&error) {
                tracing::error!(node, error, "the log of this node is not copied any further");
            }
            now.insert(node, error);
        }
        *told = now;
        if once && rows == 0 {
            return Ok(told.is_empty());
        }
        if rows == 0 {
            sleep(limits::REPLICA_LOOK).await;
        }
    }
}

/// The replicas of all nodes but the one whose own log is in the directory.
pub struct Replicas {
    directory: PathBuf,
    own: String,
    open: BTreeMap<String, Replica>,
    /// How many heads and runs of each node were there when they were last taken: most looks find no more of them.
    taken: BTreeMap<String, (i64, i64)>,
}

impl Replicas {
    /// Those below the log in `directory`, which is the log of `own`.
    pub fn new(directory: &Path, own: &str) -> Self {
        Self {
            directory: directory.into(),
            own: own.to_owned(),
            open: BTreeMap::new(),
            taken: BTreeMap::new(),
        }
    }

    /// Takes what the centre has and the replicas have not. How many rows that was. An error of the database ends it; what is
    /// wrong with a replica is in the list.
    pub async fn take(&mut self, client: &mut Client) -> anyhow::Result<(u64, Vec<(String, anyhow::Error)>)> {
        let mut rows = 0;
        let mut wrong = Vec::new();
        for node in nodes(client).await? {
            if node.name == self.own {
                continue;
            }
            match self.take_node(client, &node).await {
                Ok(count) => rows += count,
                Err(error) if client.is_closed() => return Err(error),
                Err(error) => wrong.push((node.name, error)),
            }
        }
        Ok((rows, wrong))
    }

    async fn take_node(&mut self, client: &mut Client, node: &Node) -> anyhow::Result<u64> {
        let name = &node.name;
        if !self.open.contains_key(name) {
            self.open.insert(name.clone(), Replica::open(&self.directory, name)?);
        }
        let replica = self.open.get_mut(name).context("a replica that was just opened")?;
        let mut count = 0;
        let trees = client
            .query(
                "SELECT epoch, size FROM postvakt.tree WHERE node = $1 AND kind = 'record' ORDER BY epoch",
                &[&node.id],
            )
            .await?;
        let sizes: BTreeMap<u32, u64> = replica.sizes()?.into_iter().collect();
        for tree in &trees {
            let (epoch, size) = (tree.try_get::<_, i32>(0)?, number(tree, 1)?);
            let epoch = u32::try_from(epoch)?;
            let mut have = sizes.get(&epoch).copied().unwrap_or(0);
            while have < size {
                let rows = batch(client, node.id, epoch, have).await?;
                ensure!(
                    !rows.is_empty(),
                    "the centre has {size} records of epoch {epoch}, and none after {have}"
                );
                for part in rows.chunk_by(|(one, _), (next, _)| one == next) {
                    let Some((month, _)) = part.first() else { continue };
                    let rows: Vec<Row> = part.iter().map(|(_, row)| row.clone()).collect();
                    replica.append(epoch, *month, &rows)?;
                }
                have += rows.len() as u64;
                count += rows.len() as u64;
            }
        }
        let counts = client
            .query_one(
                "SELECT (SELECT count(*) FROM postvakt.head WHERE node = $1 AND $2), \
                 (SELECT count(*) FROM postvakt.run WHERE node = $1)",
                &[&node.id, &node.key.is_some()],
            )
            .await?;
        let counts: (i64, i64) = (counts.try_get(0)?, counts.try_get(1)?);
        let is_known = self.taken.get(name) == Some(&counts);
        if !is_known {
            for (epoch, month, run) in runs(client, node.id).await? {
                replica.prune(epoch, month, &run)?;
            }
        }
        if let Some(key) = node.key.as_ref().filter(|_| !is_known) {
            let notes = client
                .query("SELECT note FROM postvakt.head WHERE node = $1 ORDER BY time, size", &[&node.id])
                .await?;
            let notes: Vec<Note> = notes.iter().flat_map(|row| Note::all(row.get(0))).collect();
            replica.add_heads(key, &notes)?;
        }
        self.taken.insert(name.clone(), counts);
        let state = State { even: Timestamp::now(), contact: node.contact.unwrap_or(Timestamp::UNIX_EPOCH) };
        replica.note(&state)?;
        Ok(count)
    }
}

async fn nodes(client: &Client) -> anyhow::Result<Vec<Node>> {
    let sql =
        "SELECT id, name, key, (extract(epoch FROM contact) * 1000)::bigint FROM postvakt.node ORDER BY name";
    let rows = client.query(sql, &[]).await?;
    let node = |row: &SqlRow| -> anyhow::Result<Node> {
        let contact: Option<i64> = row.try_get(3)?;
        let contact = contact.map(Timestamp::from_millisecond).transpose()?;
        Ok(Node { id: row.try_get(0)?, name: row.try_get(1)?, key: row.try_get(2)?, contact })
    };
    rows.iter().map(node).collect()
}

/// The rows after a number, in their order, with the node's file that has each.
async fn batch(client: &mut Client, node: i16, epoch: u32, have: u64) -> anyhow::Result<Vec<(Month, Row)>> {
    let snapshot = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let snapshot = snapshot.start().await?;
    let (epoch, have) = (i32::try_from(epoch)?, i64::try_from(have)?);
    let end = have.saturating_add(limits::REPLICA_ROWS);
    let mut rows = Vec::new();
    let sql = "SELECT seq, month, leaf, form, salt, fields, escaped FROM postvakt.record \
               WHERE node = $1 AND epoch = $2 AND seq > $3 AND seq <= $4";
    for row in snapshot.query(sql, &[&node, &epoch, &have, &end]).await? {
        let form = i64::from(row.try_get::<_, i16>(3)?);
        let form = LeafForm::read(form)
            .context("the leaf has a form that this version does not know: upgrade it")?;
        let salt = row.try_get::<_, &[u8]>(4)?.try_into().context("a salt has 16 octets")?;
        let mut fields: Vec<String> = row.try_get(5)?;
        if row.try_get(6)? {
            for field in &mut fields {
                *field = unescaped(field);
            }
        }
        rows.push(placed(&row, Content::Record(form, salt, fields))?);
    }
    let sql = "SELECT seq, month, leaf, run FROM postvakt.pruned \
               WHERE node = $1 AND epoch = $2 AND seq > $3 AND seq <= $4";
    for row in snapshot.query(sql, &[&node, &epoch, &have, &end]).await? {
        rows.push(placed(&row, Content::Pruned(number(&row, 3)?))?);
    }
    snapshot.commit().await?;
    rows.sort_by_key(|(_, row)| row.seq);
    Ok(rows)
}

fn placed(row: &SqlRow, content: Content) -> anyhow::Result<(Month, Row)> {
    let month: &str = row.try_get(1)?;
    let month = Month::parse(month).with_context(|| format!("{month:?} is no month"))?;
    let leaf = row.try_get::<_, &[u8]>(2)?.try_into().context("a leaf has 32 octets")?;
    Ok((month, Row { seq: number(row, 0)?, leaf, content }))
}

/// The runs of retention on a node, with what each took of each file.
async fn runs(client: &Client, node: i16) -> anyhow::Result<Vec<(u32, Month, Run)>> {
    let sql = "SELECT epoch, month, run, run.time, run.decision, array_agg(seq ORDER BY seq) \
               FROM postvakt.run JOIN postvakt.pruned USING (node, month, run) WHERE node = $1 \
               GROUP BY epoch, month, run, run.time, run.decision ORDER BY run, month";
    let rows = client.query(sql, &[&node]).await?;
    let run = |row: &SqlRow| -> anyhow::Result<_> {
        let month: &str = row.try_get(1)?;
        let month = Month::parse(month).with_context(|| format!("{month:?} is no month"))?;
        let taken: Vec<i64> = row.try_get(5)?;
        let run = Run {
            id: number(row, 2)?,
            time: Timestamp::from_millisecond(row.try_get(3)?)?,
            decision: row.try_get(4)?,
            taken: taken.into_iter().map(i64::unsigned_abs).collect(),
        };
        Ok((u32::try_from(row.try_get::<_, i32>(0)?)?, month, run))
    };
    rows.iter().map(run).collect()
}

/// A number that is never below nothing.
fn number(row: &SqlRow, at: usize) -> anyhow::Result<u64> {
    Ok(u64::try_from(row.try_get::<_, i64>(at)?)?)
}

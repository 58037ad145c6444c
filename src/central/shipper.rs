//! The shipper: sends what the log has and the centre does not, on a thread of its own, so that no mail waits for it.
//!
//! It keeps nothing: how far each tree has come is asked of the centre on each connection, and compared by root with what the
//! log was at that size. So nothing is lost and nothing doubled, whoever was killed or restored from an older copy.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

use super::CentralError;
use super::calls::{Calls, Greeting, Kind, Place};
use super::letters::Letters;
use crate::config::Central;
use crate::config::central::Login;
use crate::limits;
use crate::merkle::{Hash, Tree};
use crate::metrics::METRICS;
use crate::note::TreeHead;
use crate::store::Store;
use crate::store::month::Month;
use crate::store::ship::{LocalTree, ShipReader, tree_of};

/// The first version of the schema with receipts.
const LETTERS_VERSION: i32 = 2;

/// The hash of the active config.
pub type ConfigHash = Arc<dyn Fn() -> String + Send + Sync>;

/// A running shipper.
#[derive(Debug)]
pub struct Shipper {
    stop: watch::Sender<bool>,
    ended: oneshot::Receiver<()>,
}

impl Shipper {
    /// Starts it, where this node writes to a centre.
    pub fn start(
        store: &Store,
        central: Option<&Central>,
        node: &str,
        config: ConfigHash,
    ) -> io::Result<Option<Self>> {
        let Some(central) = central else { return Ok(None) };
        let Some(login) = central.writer.clone() else { return Ok(None) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopping) = watch::channel(false);
        let (done, ended) = oneshot::channel();
        let mut work = Work {
            reader: ShipReader::new(store.directory()),
            store: store.clone(),
            central: central.clone(),
            login,
            node: node.to_owned(),
            config,
            stop: stopping,
            failing: None,
            refused: BTreeMap::new(),
            even: [Instant::now(); 2],
            disagree: 0,
        };
        std::thread::Builder::new().name("central".into()).spawn(move || {
            runtime.block_on(work.run());
            // Who waited may have had enough.
            let _ = done.send(());
        })?;
        Ok(Some(Self { stop, ended }))
    }

    /// Has it send what is left, for a short time, and ends it.
    pub async fn stop(self) {
        // An error means that it has ended.
        let _ = self.stop.send(true);
        if timeout(limits::CENTRAL_LAST_TIME, self.ended).await.is_err() {
            tracing::info!("the newest records are sent to the centre after the next start");
        }
    }
}

/// A tree, by what it is of and its epoch.
type Which = (Kind, u32);
/// The leaves of a batch with their numbers.
type Leaves = Vec<(u64, Hash)>;

/// How far a tree has come at the centre, as the log here has it.
struct Cursor {
    tree: Tree,
    /// The number of the last leaf.
    last: u64,
}

/// What is known of the centre on one connection.
struct Session {
    calls: Calls,
    places: BTreeMap<Which, Place>,
    cursors: BTreeMap<Which, Cursor>,
    /// The next place in the file of heads.
    heads: u64,
    runs: BTreeSet<(String, u64)>,
    contacts: BTreeMap<String, i64>,
    /// When the node said that it is there, with which config and which trouble.
    signed: (Instant, String, String),
    /// Whether it said which key its heads are signed with: a new log has none before its first head.
    keyed: bool,
    looked: Option<Instant>,
    /// Receipts; none in a schema that has no room for them.
    letters: Option<Letters>,
}

struct Work {
    store: Store,
    reader: ShipReader,
    central: Central,
    login: Login,
    node: String,
    config: ConfigHash,
    stop: watch::Receiver<bool>,
    /// Why the last connection failed, and the pause after the next failure.
    failing: Option<(&'static str, Duration)>,
    /// Trees and runs that the centre refuses, why, and when they are tried again.
    refused: BTreeMap<Refused, (&'static str, Instant)>,
    /// When all records, and all entries, were last there.
    even: [Instant; 2],
    /// Heads that do not have the root of the leaves there.
    disagree: u64,
}

/// What the centre may refuse for itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Refused {
    Tree(Kind, u32),
    Run(String, u64),
}

impl Work {
    async fn run(&mut self) {
        while !self.is_stopping() {
            let Err(error) = self.connection().await else { return };
            METRICS.central_connected.set(0);
            let name = error.name();
            METRICS.central_failures.with_label_values(&[name]).inc();
            let known = self.failing;
            let pause = known.map_or(limits::CENTRAL_PAUSE, |(_, pause)| pause);
            self.failing = Some((name, (pause * 2).min(limits::CENTRAL_LONGEST_PAUSE)));
            if known.is_none_or(|(known, _)| known != name) {
                tracing::warn!(error = name, %error, "cannot send to the central log; what is new waits in the log here");
            }
            self.measure(&BTreeMap::new());
            let mut stop = self.stop.clone();
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// Works on one connection, until it fails or the server stops.
    async fn connection(&mut self) -> Result<(), CentralError> {
        let calls = Calls::open(&self.central, &self.login).await?;
        let signed = (Instant::now(), String::new(), String::new());
        let mut session = Session {
            calls,
            places: BTreeMap::new(),
            cursors: BTreeMap::new(),
            heads: 0,
            runs: BTreeSet::new(),
            contacts: BTreeMap::new(),
            signed,
            keyed: false,
            looked: None,
            letters: None,
        };
        self.greet(&mut session).await?;
        session.runs = session.calls.runs().await?;
        session.contacts = session.calls.contact_places().await?.into_iter().collect();
        self.reader.forget_looks();
        let mut is_told = false;
        loop {
            let is_last = self.is_stopping();
            let more = self.round(&mut session).await?;
            if !std::mem::replace(&mut is_told, true) {
                self.is_back(session.calls.server());
            }
            self.measure(&session.places);
            if is_last {
                // What the last commit stored is sent.
                return Ok(());
            }
            if !more {
                self.wait().await;
            }
        }
    }

    /// Whether the server stops, or has gone without a word.
    fn is_stopping(&self) -> bool {
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }

    /// Says that the centre takes what is sent.
    fn is_back(&mut self, server: &str) {
        METRICS.central_connected.set(1);
        if self.failing.take().is_some() {
            tracing::warn!(server, "sends to the central log again");
        } else {
            tracing::info!(server, "sends to the central log");
        }
    }

    /// Waits until there may be something new.
    async fn wait(&self) {
        let mut stop = self.stop.clone();
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            () = self.store.stored() => sleep(limits::CENTRAL_BREATH).await,
            () = sleep(limits::CENTRAL_LOOK) => {}
        }
    }

    /// Says who this is and how far the log here has come, and asks how far the centre has.
    async fn greet(&mut self, session: &mut Session) -> Result<(), CentralError> {
        let of = |kind: Kind, trees: Vec<LocalTree>| {
            trees.into_iter().map(move |tree| (kind, tree.epoch, tree.size)).collect::<Vec<_>>()
        };
        let mut trees = of(Kind::Record, self.reader.trees()?);
        trees.extend(of(Kind::Access, self.reader.entries.trees()?));
        let config = (self.config)();
        let trouble = self.trouble();
        let key = self.reader.public_key();
        session.keyed = key.is_some();
        let greeting = Greeting { node: &self.node, config: &config, key, trouble: &trouble, trees: &trees };
        let version = session.calls.hello(&greeting).await?;
        if version >= LETTERS_VERSION && session.letters.is_none() {
            session.letters = Some(Letters::default());
        }
        session.places = session.calls.state().await?.into_iter().collect();
        session.signed = (Instant::now(), config, trouble);
        let disagree = session.calls.add_heads(&[]).await?;
        self.note_disagreement(disagree);
        Ok(())
    }

    /// The names of what the centre refuses.
    fn trouble(&self) -> String {
        let names: BTreeSet<&str> = self.refused.values().map(|(name, _)| *name).collect();
        names.into_iter().collect::<Vec<_>>().join(" ")
    }

    /// Sends some of what is new. Whether there is more.
    async fn round(&mut self, session: &mut Session) -> Result<bool, CentralError> {
        let (signed, config, trouble) = &session.signed;
        let is_due = signed.elapsed() >= limits::CENTRAL_SIGN;
        if is_due || *config != (self.config)() || *trouble != self.trouble() {
            self.greet(session).await?;
        }
        // Heads go first, so that they are compared while their leaves arrive.
        self.send_heads(session).await?;
        let mut more = false;
        for tree in self.reader.trees()? {
            more |= self.advance(session, Kind::Record, tree).await?;
        }
        for tree in self.reader.entries.trees()? {
            more |= self.advance(session, Kind::Access, tree).await?;
        }
        if !more && session.looked.is_none_or(|looked| looked.elapsed() >= limits::CENTRAL_RUNS_LOOK) {
            session.looked = Some(Instant::now());
            self.send_runs(session).await?;
        }
        if let Some(letters) = &mut session.letters {
            letters.exchange(session.calls.client(), &self.store).await?;
        }
        Ok(more)
    }

    /// Sends a batch of a tree. Whether there is more. What the centre refuses of one tree keeps no other waiting.
    async fn advance(
        &mut self,
        session: &mut Session,
        kind: Kind,
        tree: LocalTree,
    ) -> Result<bool, CentralError> {
        let refused = Refused::Tree(kind, tree.epoch);
        if self.refused.get(&refused).is_some_and(|(_, until)| Instant::now() < *until) {
            return Ok(false);
        }
        match self.send_batch(session, kind, tree).await {
            Ok(more) => {
                self.is_taken(&refused);
                Ok(more)
            }
            Err(error) if error.is_of_a_tree() => {
                session.cursors.remove(&(kind, tree.epoch));
                self.is_refused(refused, &error);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn send_batch(
        &mut self,
        session: &mut Session,
        kind: Kind,
        tree: LocalTree,
    ) -> Result<bool, CentralError> {
        let which = (kind, tree.epoch);
        if !session.cursors.contains_key(&which) {
            let Some(cursor) = self.cursor(session, kind, tree)? else { return Ok(false) };
            session.cursors.insert(which, cursor);
        }
        let Some(cursor) = session.cursors.get(&which) else { return Ok(false) };
        let size = cursor.tree.size();
        if size >= tree.size {
            return Ok(false);
        }
        let (leaves, wanted) = match kind {
            Kind::Record => self.send_records(&session.calls, tree.epoch, cursor).await?,
            Kind::Access => self.send_entries(&session.calls, tree.epoch, cursor).await?,
        };
        let sent = leaves.len() as u64;
        if wanted != size + sent + 1 {
            // It was restored from an older dump, or took a batch whose answer was lost.
            session.cursors.remove(&which);
            session.places = session.calls.state().await?.into_iter().collect();
            return Ok(true);
        }
        if let Some(cursor) = session.cursors.get_mut(&which) {
            for (number, leaf) in leaves {
                cursor.tree.push(leaf);
                cursor.last = number;
            }
        }
        METRICS.central_shipped.with_label_values(&[kind.as_str()]).inc_by(sent);
        session.places.entry(which).and_modify(|place| place.size = size + sent);
        Ok(size + sent < tree.size)
    }

    /// Sends records, and gives their leaves and the number that the centre wants next.
    async fn send_records(
        &self,
        calls: &Calls,
        epoch: u32,
        cursor: &Cursor,
    ) -> Result<(Leaves, u64), CentralError> {
        let (after, before) = (cursor.tree.size(), cursor.tree.root());
        let mut batch = self.reader.records(epoch, after, limits::CENTRAL_ROWS, limits::CENTRAL_OCTETS)?;
        let mut wanted = calls.append(epoch, &before, &batch).await;
        if let Err(CentralError::Refused { detail: Some(wrong), .. }) = &wanted
            && *wrong > after + 1
        {
            // What stands before a record that is refused is sent.
            batch.retain(|record| record.seq < *wrong);
            wanted = calls.append(epoch, &before, &batch).await;
        }
        Ok((batch.iter().map(|record| (record.seq, record.leaf)).collect(), wanted?))
    }

    /// The same with entries of the access log, which are counted by their place.
    async fn send_entries(
        &self,
        calls: &Calls,
        epoch: u32,
        cursor: &Cursor,
    ) -> Result<(Leaves, u64), CentralError> {
        let (size, before) = (cursor.tree.size(), cursor.tree.root());
        let bounds = (limits::CENTRAL_ROWS, limits::CENTRAL_OCTETS);
        let batch = self.reader.entries.entries(epoch, cursor.last, bounds.0, bounds.1)?;
        let wanted = calls.append_entries(epoch, size + 1, &before, &batch).await?;
        Ok((batch.iter().map(|entry| (entry.n, entry.leaf)).collect(), wanted))
    }

    /// Where the centre is in a tree, as the log here was then; `None` in one that the centre has more of, and that grows here
    /// no more: a log that was restored has lost what the centre still has.
    fn cursor(
        &self,
        session: &mut Session,
        kind: Kind,
        tree: LocalTree,
    ) -> Result<Option<Cursor>, CentralError> {
        let nothing = Place { size: 0, root: Tree::default().root(), head: 0 };
        let place = session.places.entry((kind, tree.epoch)).or_insert(nothing);
        if place.size > tree.size {
            if tree.is_newest {
                return Err(CentralError::Ahead { epoch: tree.epoch, here: tree.size, there: place.size });
            }
            return Ok(None);
        }
        let here = match kind {
            Kind::Record => self.reader.tree_at(tree.epoch, place.size)?.map(|tree| (tree, place.size)),
            Kind::Access => self.reader.entries.tree_at(tree.epoch, place.size)?,
        };
        match here.filter(|(here, _)| here.root() == place.root) {
            Some((tree, last)) => Ok(Some(Cursor { tree, last })),
            None => Err(CentralError::Forked { epoch: tree.epoch }),
        }
    }

    async fn send_heads(&mut self, session: &mut Session) -> Result<(), CentralError> {
        let (notes, next) = self.reader.heads(session.heads)?;
        let is_new = |head: &TreeHead| {
            let Some((is_access, epoch)) = tree_of(&head.origin, &self.node) else { return false };
            let kind = if is_access { Kind::Access } else { Kind::Record };
            session.places.get(&(kind, epoch)).is_none_or(|place| place.head < head.size)
        };
        let new: Vec<String> = notes
            .iter()
            .filter(|note| TreeHead::parse(&note.text).is_some_and(|head| is_new(&head)))
            .map(ToString::to_string)
            .collect();
        if !new.is_empty() && !session.keyed {
            self.greet(session).await?;
        }
        for some in new.chunks(limits::CENTRAL_HEADS) {
            let disagree = session.calls.add_heads(some).await?;
            self.note_disagreement(disagree);
            METRICS.central_shipped.with_label_values(&["head"]).inc_by(some.len() as u64);
        }
        session.heads = next;
        Ok(())
    }

    fn note_disagreement(&mut self, disagree: u64) {
        METRICS.central_heads_disagree.set(i64::try_from(disagree).unwrap_or(i64::MAX));
        if disagree > self.disagree {
            tracing::error!(
                heads = disagree,
                "tree heads of this node do not have the root of the records at the centre: run postvakt log verify"
            );
        }
        self.disagree = disagree;
    }

    /// Has the centre do what retention did here, and hands contacts over.
    async fn send_runs(&mut self, session: &mut Session) -> Result<(), CentralError> {
        let changed = self.reader.changed()?;
        let mut runs = self.reader.access_runs()?;
        for month in &changed {
            runs.extend(self.reader.runs(*month)?);
        }
        let forget = SignedDuration::from_hours(24 * i64::from(limits::SEEN_DAYS));
        for run in runs {
            let name = (run.place(), run.run);
            let refused = Refused::Run(name.0.clone(), name.1);
            let waits = self.refused.get(&refused).is_some_and(|(_, until)| Instant::now() < *until);
            if session.runs.contains(&name) || waits {
                continue;
            }
            let numbers = self.reader.taken(&run)?;
            let at = Timestamp::from_millisecond(run.time).unwrap_or(Timestamp::MIN);
            let forget = at.saturating_sub(forget).unwrap_or(Timestamp::MIN).as_millisecond();
            match session.calls.prune(&run, &numbers, forget).await {
                Ok(gone) => {
                    self.is_taken(&refused);
                    tracing::info!(place = name.0, run = name.1, gone, "retention is done at the centre too");
                    METRICS.central_shipped.with_label_values(&["run"]).inc();
                    session.runs.insert(name);
                }
                Err(error) if error.is_of_a_run() => {
                    // It is looked at again with all others.
                    self.reader.forget_looks();
                    self.is_refused(refused, &error);
                }
                Err(error) => return Err(error),
            }
        }
        for month in changed {
            self.send_contacts(session, month).await?;
        }
        Ok(())
    }

    async fn send_contacts(&self, session: &mut Session, month: Month) -> Result<(), CentralError> {
        let name = month.to_string();
        loop {
            let after = session.contacts.get(&name).copied().unwrap_or_default();
            let Some(contacts) = self.reader.contacts(month, after, limits::CENTRAL_CONTACTS)? else {
                return Ok(());
            };
            session.calls.add_contacts(&contacts).await?;
            METRICS.central_shipped.with_label_values(&["contact"]).inc_by(contacts.keys.len() as u64);
            session.contacts.insert(name.clone(), contacts.up_to);
        }
    }

    /// Tells of what is refused when that begins.
    fn is_refused(&mut self, what: Refused, error: &CentralError) {
        let name = error.name();
        METRICS.central_failures.with_label_values(&[name]).inc();
        let until = Instant::now() + limits::CENTRAL_REFUSED_PAUSE;
        let known = self.refused.insert(what, (name, until));
        if known.is_none_or(|(known, _)| known != name) {
            tracing::error!(error = name, %error, "a part of the log is not sent to the centre; the rest is");
        }
    }

    fn is_taken(&mut self, what: &Refused) {
        if self.refused.remove(what).is_some() {
            tracing::warn!("the part of the log that the centre refused is sent again");
        }
    }

    /// Says how much the centre does not have yet.
    fn measure(&mut self, places: &BTreeMap<Which, Place>) {
        let (Ok(records), Ok(entries)) = (self.reader.trees(), self.reader.entries.trees()) else { return };
        for (at, kind, trees) in [(0, Kind::Record, records), (1, Kind::Access, entries)] {
            let is_known = !places.is_empty();
            let there = |epoch: u32| places.get(&(kind, epoch)).map_or(0, |place| place.size);
            let lag: u64 = trees.iter().map(|tree| tree.size.saturating_sub(there(tree.epoch))).sum();
            let Some(even) = self.even.get_mut(at) else { continue };
            if is_known && lag == 0 {
                *even = Instant::now();
            }
            let labels = &[kind.as_str()];
            if is_known {
                let lag = i64::try_from(lag).unwrap_or(i64::MAX);
                METRICS.central_lag_records.with_label_values(labels).set(lag);
            }
            let seconds = if is_known && lag == 0 { 0 } else { even.elapsed().as_secs().max(1) };
            let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
            METRICS.central_lag_seconds.with_label_values(labels).set(seconds);
        }
    }
}
